"""Fixed-point costs to whole fen and a fraction, and their first cut toward zero."""

import numpy as np

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from medcost._core.int128 cimport i128
from medcost._core.split cimport kth_largest
from medcost._core.split import require_starts

cdef enum:
    # 2^62 is a piece of one fen; below it a signed piece fits int64.
    PIECE_SHIFT = 2
    # Bins of signed pieces by their first 12 bits.
    BINS = 4096
    BIN_SHIFT = 51

cdef int64_t PIECE_ONE = <int64_t>1 << 62


def to_fractions(
    const int64_t[:, ::1] costs not None,
    Py_ssize_t lane,
    const int64_t[::1] shifts not None,
    const uint8_t[::1] exact not None,
):
    """Whole fen, 2^-64 fen and error bound of one lane; see fixed_point.pyi."""
    cdef Py_ssize_t i, n = costs.shape[0], last = costs.shape[1] - 1
    cdef int64_t shift
    cdef bint wrong = False
    cdef int64_t[::1] whole, error
    cdef uint64_t[::1] fraction
    if shifts.shape[0] != n or exact.shape[0] != n or not 0 <= lane < last:
        raise ValueError("costs, shifts and flags do not fit")
    whole_array, error_array = np.empty(n, np.int64), np.empty(n, np.int64)
    fraction_array = np.empty(n, np.uint64)
    whole, fraction, error = whole_array, fraction_array, error_array
    with nogil:
        for i in range(n):
            wrong |= not 1 <= shifts[i] <= 62
        if not wrong:
            for i in range(n):
                shift = shifts[i]
                whole[i] = costs[i, lane] >> shift
                fraction[i] = <uint64_t>costs[i, lane] << (64 - shift)
                error[i] = 0 if exact[i] else <int64_t>(
                    <uint64_t>costs[i, last] << (64 - shift)
                )
    if wrong:
        raise ValueError("shifts are from 1 to 62")
    return whole_array, fraction_array, error_array


def first_cut(
    const int64_t[::1] whole not None,
    const uint64_t[::1] fraction not None,
    const int64_t[::1] error not None,
):
    """Costs cut toward zero, their pieces, and which are near a whole fen; see fixed_point.pyi."""
    cdef Py_ssize_t i, n = whole.shape[0]
    cdef uint64_t bound
    cdef bint below
    cdef int64_t[::1] cut, piece
    cdef uint8_t[::1] near
    if fraction.shape[0] != n or error.shape[0] != n:
        raise ValueError("whole, fraction and error must have the same length")
    cut_array, piece_array = np.empty(n, np.int64), np.empty(n, np.int64)
    near_array = np.empty(n, np.uint8)
    cut, piece, near = cut_array, piece_array, near_array
    with nogil:
        for i in range(n):
            bound = <uint64_t>error[i]
            near[i] = bound > 0 and (fraction[i] < bound or fraction[i] >= <uint64_t>0 - bound)
            below = whole[i] < 0 and fraction[i] > 0
            cut[i] = whole[i] + below
            piece[i] = <int64_t>(fraction[i] >> PIECE_SHIFT) - (<int64_t>below << 62)
    return cut_array, piece_array, near_array.view(np.bool_)


cdef struct Cut:
    # A cost cut toward zero, what was cut off in 2^-62 fen, and the bound of its error in 2^-64.
    int64_t cost
    int64_t piece
    uint64_t bound
    bint is_near


cdef inline Cut cut_one(int64_t cost, int64_t size, int64_t shift, bint exact) noexcept nogil:
    """Cut a cost at 2^-shift fen, whose error is below its size at the same scale."""
    cdef Cut found
    cdef uint64_t fraction = <uint64_t>cost << (64 - shift)
    cdef int64_t below = cost < 0 and fraction > 0
    found.bound = 0 if exact else <uint64_t>size << (64 - shift)
    # Within the bound of a whole fen on either side, by one comparison.
    found.is_near = found.bound > 0 and fraction + found.bound < 2 * found.bound
    found.cost = (cost >> shift) + below
    found.piece = <int64_t>(fraction >> PIECE_SHIFT) - (below << 62)
    return found


cdef inline int64_t reach_of(uint64_t largest_bound) noexcept nogil:
    """How far pieces may be off, with two for the digits that the shift cut off."""
    return <int64_t>(largest_bound >> PIECE_SHIFT) + 2


def cut_costs(
    const int64_t[:, ::1] costs not None,
    Py_ssize_t lane,
    const int64_t[::1] starts not None,
    const int64_t[::1] shifts not None,
    const uint8_t[::1] exact not None,
    const int64_t[::1] limits not None,
    int64_t[:] cut not None,
):
    """Cut one lane toward zero, span by span; see fixed_point.pyi."""
    cdef Py_ssize_t span, i, n = costs.shape[0], last = costs.shape[1] - 1
    cdef Py_ssize_t n_spans = shifts.shape[0]
    cdef Cut found
    cdef uint64_t largest
    cdef i128 total
    cdef bint wrong = False, any_near
    cdef int64_t[::1] piece, reach, high
    cdef uint64_t[::1] low
    cdef uint8_t[::1] near
    require_starts(starts, n)
    if starts.shape[0] != n_spans + 1 or cut.shape[0] != n:
        raise ValueError("costs and spans do not fit")
    if exact.shape[0] != n_spans or limits.shape[0] != n_spans:
        raise ValueError("costs, spans and flags do not fit")
    if not 0 <= lane < last:
        raise ValueError("there is no such lane")
    piece_array, reach_array = np.empty(n, np.int64), np.empty(n_spans, np.int64)
    near_array = np.empty(n_spans, np.uint8)
    high_array, low_array = np.empty(n_spans, np.int64), np.empty(n_spans, np.uint64)
    piece, reach, near, high, low = piece_array, reach_array, near_array, high_array, low_array
    with nogil:
        for span in range(n_spans):
            wrong |= not 1 <= shifts[span] <= 62
        if not wrong:
            for span in range(n_spans):
                largest, any_near, total = 0, False, 0
                for i in range(starts[span], starts[span + 1]):
                    if costs[i, last] >= limits[span]:
                        cut[i] = piece[i] = 0
                        continue
                    found = cut_one(costs[i, lane], costs[i, last], shifts[span], exact[span])
                    largest = max(largest, found.bound)
                    any_near |= found.is_near
                    cut[i], piece[i] = found.cost, found.piece
                    total += found.cost
                reach[span] = reach_of(largest)
                near[span] = any_near
                high[span], low[span] = <int64_t>(total >> 64), <uint64_t>total
    if wrong:
        raise ValueError("shifts are from 1 to 62")
    sums = [(h << 64) + l for h, l in zip(high_array.tolist(), low_array.tolist())]
    return piece_array, sums, reach_array, near_array.view(np.bool_)


cdef inline int64_t bin_of(int64_t piece) noexcept nogil:
    return (piece + PIECE_ONE) >> BIN_SHIFT


cdef int64_t piece_of_rank(
    const int64_t *piece, int64_t *of_bin, Py_ssize_t n, Py_ssize_t rank, int64_t sign
) noexcept nogil:
    """The piece of a rank (from 1), counted from the largest; sign: -1 turns pieces round."""
    cdef int64_t bins[BINS + 1]
    cdef int64_t signed, low
    cdef Py_ssize_t i, above = 0, at = 0
    cdef int64_t turn_bin = BINS
    memset(bins, 0, sizeof(bins))
    for i in range(n):
        bins[bin_of((piece[i] ^ sign) - sign)] += 1
    while above < rank:
        turn_bin -= 1
        above += bins[turn_bin]
    above -= bins[turn_bin]
    low = (turn_bin << BIN_SHIFT) - PIECE_ONE
    for i in range(n):
        signed = (piece[i] ^ sign) - sign
        # Written over by the next unless it is of the bin.
        of_bin[at] = signed
        at += <uint64_t>(signed - low) >> BIN_SHIFT == 0
    return kth_largest(of_bin, at, rank - above)


def give_largest(
    int64_t[:] cut not None,
    const int64_t[::1] piece not None,
    int64_t reach,
    Py_ssize_t n,
    int64_t step,
):
    """Give a fen to the pieces that are among the n largest for certain; see fixed_point.pyi."""
    cdef Py_ssize_t i, n_pieces = piece.shape[0], above = 0, n_between = 0
    cdef int64_t signed, turn, low, high
    cdef bint outside = False
    cdef int64_t[::1] between
    if cut.shape[0] != n_pieces or not 0 < n <= n_pieces or step not in (1, -1):
        raise ValueError("cuts, pieces and fen do not fit")
    if not 0 <= reach <= PIECE_ONE >> 2:
        raise ValueError("pieces are off by less than a quarter of a fen")
    between_array = np.empty(n_pieces, np.int64)
    between = between_array
    with nogil:
        for i in range(n_pieces):
            outside |= not -PIECE_ONE < piece[i] < PIECE_ONE
        if not outside:
            # Room for the pieces of a bin, before it is needed for places.
            turn = piece_of_rank(&piece[0], &between[0], n_pieces, n, step >> 1)
    if outside:
        raise ValueError("a piece is less than a fen")
    low, high = turn - 2 * reach, turn + 2 * reach
    with nogil:
        for i in range(n_pieces):
            signed = step * piece[i]
            if signed > high:
                cut[i] += step
                above += 1
            elif signed >= low:
                between[n_between] = i
                n_between += 1
    return between_array[:n_between].copy(), n - above


cdef enum:
    # What round_clear makes of a span.
    ROUNDED = 0
    OPEN = 1
    UNCLEAR = 2
    NO_MEMORY = 3


cdef bint cut_span(
    const int64_t *costs,
    Py_ssize_t last,
    Py_ssize_t n,
    int64_t shift,
    bint exact,
    int64_t limit,
    int64_t *cut,
    int64_t *piece,
    int64_t *reach,
    i128 *total,
) noexcept nogil:
    """Cut every cost of a span toward zero; whether none is left out or near a whole fen.

    costs: of the first row, with that of the next eight further on and its size last further on.
    """
    cdef Py_ssize_t i
    cdef Cut found
    cdef int64_t limited = 0
    cdef uint64_t largest = 0
    cdef bint any_near = False
    cdef i128 cuts = 0
    for i in range(n):
        limited |= costs[8 * i + last] >= limit
        found = cut_one(costs[8 * i], costs[8 * i + last], shift, exact)
        largest = max(largest, found.bound)
        any_near |= found.is_near
        cut[i], piece[i] = found.cost, found.piece
        cuts += found.cost
    reach[0] = reach_of(largest)
    total[0] = cuts
    return not limited and not any_near


cdef int round_span(
    const int64_t *costs,
    Py_ssize_t last,
    Py_ssize_t n,
    int64_t shift,
    bint exact,
    int64_t limit,
    int64_t wanted,
    int64_t *cut,
    int64_t *piece,
    int64_t *between,
    Py_ssize_t *n_between,
    Py_ssize_t *n_left,
) noexcept nogil:
    """The loop of round_clear; between is used for pieces of a bin before it is filled."""
    cdef Py_ssize_t i, count, above = 0, about = 0
    cdef int64_t reach, signed, turn, low, high, step, sign
    cdef bint gets
    cdef i128 missing, total
    if not cut_span(costs, last, n, shift, exact, limit, cut, piece, &reach, &total):
        return UNCLEAR
    missing = wanted - total
    if missing == 0:
        return ROUNDED
    step = 1 if missing > 0 else -1
    sign = step >> 1
    missing *= step
    # The fen of more than all costs, and errors of a quarter of a fen, are for others.
    if missing >= n or reach > PIECE_ONE >> 2:
        return UNCLEAR
    count = <Py_ssize_t>missing
    turn = piece_of_rank(piece, between, n, count, sign)
    low, high = turn - 2 * reach, turn + 2 * reach
    for i in range(n):
        gets = (piece[i] ^ sign) - sign >= low
        cut[i] += ((<int64_t>gets) ^ sign) - sign
        about += gets
    if about == count:
        return ROUNDED
    # More may get one than there are fen: it is taken back from those that are not sure.
    for i in range(n):
        signed = (piece[i] ^ sign) - sign
        above += signed > high
        if low <= signed <= high:
            cut[i] -= step
            between[n_between[0]] = i
            n_between[0] += 1
    n_left[0] = count - above
    return OPEN


def round_clear(
    const int64_t[:, ::1] costs not None,
    Py_ssize_t lane,
    int64_t shift,
    bint exact,
    int64_t limit,
    int64_t total,
    int64_t[::1] cut not None,
):
    """Round one lane of a span to a total, if that is clear; see fixed_point.pyi."""
    cdef Py_ssize_t n = costs.shape[0], n_between = 0, n_left = 0
    cdef int64_t *scratch
    cdef int found = NO_MEMORY
    cdef int64_t[::1] places
    if costs.shape[1] != 8 or not 0 <= lane < 7 or cut.shape[0] != n:
        raise ValueError("costs have eight lanes, the last of them for sizes")
    if not 1 <= shift <= 62:
        raise ValueError("shifts are from 1 to 62")
    if n == 0:
        return None if total else (np.empty(0, np.int64), 0)
    with nogil:
        scratch = <int64_t *>malloc(2 * n * sizeof(int64_t))
        if scratch != NULL:
            found = round_span(
                &costs[0, lane], 7 - lane, n, shift, exact, limit, total, &cut[0], scratch,
                scratch + n, &n_between, &n_left,
            )
    try:
        if found == NO_MEMORY:
            raise MemoryError
        if found == UNCLEAR:
            return None
        between = np.empty(n_between, np.int64)
        places = between
        for i in range(n_between):
            places[i] = scratch[n + i]
        return between, n_left
    finally:
        free(scratch)
