"""Splitting whole fen by weights so that the parts add up exactly (arithmetic rule 2)."""

import numpy as np

from libc.stdint cimport INT64_MAX, int64_t
from libc.stdlib cimport free, malloc

from medcost._core.int128 cimport add_overflows, i128

# A product of two numbers below 2^31 and its quotient stay in 64 bits, where division is cheap.
cdef int64_t SMALL = <int64_t>1 << 31
# A quotient of doubles below this is off by less than one.
cdef double SURE_QUOTIENT = 1125899906842624.0


cdef inline int64_t cut_quotient(
    int64_t product, int64_t total, double inverse, int64_t *rest
) noexcept nogil:
    """product / total cut toward zero, and what is left; total > 0, inverse = 1.0 / total.

    The quotient that doubles propose has three roundings, each off by 2^-53 of it: below 2^50 it
    is less than one off, so that one step to either side puts it right.
    """
    cdef double proposed = product * inverse
    cdef int64_t quotient, left, sign, off
    if not -SURE_QUOTIENT < proposed < SURE_QUOTIENT:
        quotient = product // total
        rest[0] = product - quotient * total
        return quotient
    sign = product >> 63
    quotient = <int64_t>proposed
    # What is left of the product's size: of a quotient one too large it is below 0.
    left = ((product - quotient * total) ^ sign) - sign
    off = (left >= total) - (left < 0)
    left -= off * total
    rest[0] = (left ^ sign) - sign
    return quotient + ((off ^ sign) - sign)


cdef int64_t kth_largest(int64_t *values, Py_ssize_t n, Py_ssize_t k) noexcept nogil:
    """Return the k-th largest value (k from 1); reorders values. Hoare's selection, O(n)."""
    cdef Py_ssize_t low = 0, high = n - 1, i, j, want = k - 1
    cdef int64_t pivot, swap, a, b, c
    while low < high:
        a, b, c = values[low], values[(low + high) >> 1], values[high]
        # The median of three keeps sorted input from being the worst case.
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                swap = values[i]
                values[i] = values[j]
                values[j] = swap
                i += 1
                j -= 1
        if want <= j:
            high = j
        elif want >= i:
            low = i
        else:
            break
    return values[want]


cdef int64_t split_amount(
    int64_t amount,
    const int64_t *weights,
    Py_ssize_t n,
    int64_t total,
    int64_t *parts,
    Py_ssize_t stride,
    int64_t *pieces,
    int64_t *scratch,
) noexcept nogil:
    """Write the n parts of amount at parts[0], parts[stride], ...; total = sum of weights > 0.

    Exact part = amount * weight / total, cut toward zero; the missing fen go one each to the
    largest cut-off pieces in the direction of what is missing, the first on ties. All pieces
    have the denominator total, so the remainders are compared as integers. pieces and scratch
    hold n numbers each. Returns 0, or 1 where a part does not fit 64 bits.
    """
    cdef Py_ssize_t i, k
    cdef int64_t part, threshold, step
    cdef double inverse = 1.0 / total
    cdef i128 product, quotient, missing = amount
    if amount == 0:
        for i in range(n):
            parts[i * stride] = 0
        return 0
    for i in range(n):
        if -SMALL < amount < SMALL and -SMALL < weights[i] < SMALL:
            part = cut_quotient(amount * weights[i], total, inverse, &pieces[i])
        else:
            product = <i128>amount * weights[i]
            quotient = product // total
            part = <int64_t>quotient
            if part != quotient:
                return 1
            pieces[i] = <int64_t>(product - quotient * total)
        parts[i * stride] = part
        missing -= part
    if missing == 0:
        return 0
    step = 1 if missing > 0 else -1
    k = <Py_ssize_t>(missing * step)
    for i in range(n):
        pieces[i] *= step
        scratch[i] = pieces[i]
    threshold = kth_largest(scratch, n, k)
    for i in range(n):
        if pieces[i] > threshold:
            if add_overflows(parts[i * stride], step, &parts[i * stride]):
                return 1
            k -= 1
    i = 0
    while k > 0:
        if pieces[i] == threshold:
            if add_overflows(parts[i * stride], step, &parts[i * stride]):
                return 1
            k -= 1
        i += 1
    return 0


cdef int split_all(
    const int64_t[:, ::1] amounts,
    const int64_t[::1] starts,
    const int64_t[::1] weights,
    const int64_t[::1] totals,
    int64_t[:, :] parts,
    int64_t *scratch,
    Py_ssize_t longest,
) noexcept nogil:
    cdef Py_ssize_t row, element, n, first, m = amounts.shape[1]
    cdef Py_ssize_t stride = parts.strides[0] // <Py_ssize_t>sizeof(int64_t)
    for row in range(amounts.shape[0]):
        first = starts[row]
        n = starts[row + 1] - first
        if n == 0:
            continue
        for element in range(m):
            if split_amount(
                amounts[row, element], &weights[first], n, totals[row],
                &parts[first, element], stride, scratch, scratch + longest,
            ):
                return 1
    return 0


def require_starts(const int64_t[::1] starts not None, Py_ssize_t n):
    """Raise ValueError unless starts ascends from 0 or more to at most n; see split.pyi."""
    cdef Py_ssize_t row
    if starts.shape[0] == 0 or starts[0] < 0 or starts[starts.shape[0] - 1] > n:
        raise ValueError("starts do not fit what they divide")
    for row in range(starts.shape[0] - 1):
        if starts[row + 1] < starts[row]:
            raise ValueError("starts must ascend")


def weight_totals(const int64_t[::1] starts not None, const int64_t[::1] weights not None):
    """Return the sum of each row's weights (int64, [rows]); see split.pyi."""
    cdef Py_ssize_t row, i
    cdef int64_t total
    cdef int64_t[::1] totals
    require_starts(starts, weights.shape[0])
    result = np.zeros(starts.shape[0] - 1, np.int64)
    totals = result
    for row in range(starts.shape[0] - 1):
        total = 0
        for i in range(starts[row], starts[row + 1]):
            if weights[i] == -INT64_MAX - 1 or add_overflows(total, weights[i], &total):
                raise OverflowError("the weights of a row do not fit 64 bits")
        totals[row] = total
    return result


def split_rows(
    const int64_t[:, ::1] amounts not None,
    const int64_t[::1] starts not None,
    const int64_t[::1] weights not None,
    parts=None,
):
    """Split each row of amounts over its receivers; see split.pyi."""
    cdef Py_ssize_t row, longest = 0, rows = amounts.shape[0]
    cdef int64_t *scratch
    cdef const int64_t[::1] totals = weight_totals(starts, weights)
    cdef int64_t[:, :] written
    cdef int failed
    if starts.shape[0] != rows + 1:
        raise ValueError("starts needs one entry more than amounts has rows")
    for row in range(rows):
        longest = max(longest, starts[row + 1] - starts[row])
        if starts[row + 1] > starts[row] and totals[row] <= 0:
            raise ValueError("the weights of a row must add up to more than zero")
    if parts is None:
        parts = np.zeros((weights.shape[0], amounts.shape[1]), np.int64)
    written = parts
    if written.shape[0] != weights.shape[0] or written.shape[1] != amounts.shape[1]:
        raise ValueError("parts do not fit amounts and weights")
    scratch = <int64_t *>malloc(max(2 * longest, 1) * sizeof(int64_t))
    if scratch == NULL:
        raise MemoryError
    try:
        with nogil:
            failed = split_all(amounts, starts, weights, totals, written, scratch, longest)
    finally:
        free(scratch)
    if failed:
        raise OverflowError("a part does not fit 64 bits")
    return parts
