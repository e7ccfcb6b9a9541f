"""Scattered lines in 12 bytes each, or 16, until they are brought to their rows.

A word holds where a row stands in its range of rows, the key of the activity and the quantity;
money stands beside it in 32 bits. A line with a larger number is not packed.
"""

from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset

from medcost._core.huge_pages cimport large_malloc

cdef enum:
    MOST_RANGES = 1024
    # Quantities are in 1e-4: six services, the least that is worth it, and what sums need not fear.
    FEWEST_QUANTITY_BITS = 17
    MOST_QUANTITY_BITS = 32


cdef struct LineLayout:
    # A range has 2^row_bits rows; none where lines cannot be packed.
    int64_t n_ranges
    int row_bits
    int key_bits
    int quantity_bits


cdef struct PackedLines:
    LineLayout layout
    int64_t capacity
    int64_t n
    bint has_direct_cost
    uint64_t *words
    int32_t *charges
    int32_t *direct_costs
    uint16_t *ranges
    # Lines of each range.
    uint32_t counts[MOST_RANGES]


cdef inline int bits_below(int64_t n) noexcept nogil:
    """Bits that hold every number from 0 to n - 1."""
    cdef int bits = 0
    while (<int64_t>1 << bits) < n:
        bits += 1
    return bits


cdef inline LineLayout layout_of(int64_t n_rows, int64_t n_keys) noexcept nogil:
    """How lines of so many rows and activities, both below 2^62, are packed."""
    cdef LineLayout layout
    cdef int row_bits = bits_below(n_rows)
    layout.row_bits = row_bits - bits_below(MOST_RANGES)
    if layout.row_bits < 0:
        layout.row_bits = 0
    layout.key_bits = bits_below(n_keys)
    layout.quantity_bits = min(64 - layout.row_bits - layout.key_bits, <int>MOST_QUANTITY_BITS)
    layout.n_ranges = (n_rows + (<int64_t>1 << layout.row_bits) - 1) >> layout.row_bits
    if layout.quantity_bits < FEWEST_QUANTITY_BITS:
        layout.n_ranges = 0
    return layout


cdef inline void release_packed(PackedLines *lines) noexcept nogil:
    free(lines.words)
    free(lines.charges)
    free(lines.direct_costs)
    free(lines.ranges)
    lines.words, lines.charges, lines.direct_costs, lines.ranges = NULL, NULL, NULL, NULL
    lines.capacity = lines.n = 0


cdef inline void begin_packed(PackedLines *lines, bint has_direct_cost) noexcept nogil:
    """Forget all lines."""
    lines.n, lines.has_direct_cost = 0, has_direct_cost
    memset(lines.counts, 0, sizeof(lines.counts))


cdef inline bint room_for_packed(PackedLines *lines, int64_t capacity) noexcept nogil:
    """Make room before the first line; whether there was memory. It is touched when used."""
    if capacity <= lines.capacity:
        return True
    release_packed(lines)
    lines.words = <uint64_t *>large_malloc(capacity * sizeof(uint64_t))
    lines.charges = <int32_t *>large_malloc(capacity * sizeof(int32_t))
    lines.direct_costs = <int32_t *>large_malloc(capacity * sizeof(int32_t))
    lines.ranges = <uint16_t *>large_malloc(capacity * sizeof(uint16_t))
    if lines.words == NULL or lines.charges == NULL or lines.direct_costs == NULL:
        return False
    if lines.ranges == NULL:
        return False
    lines.capacity = capacity
    return True


cdef inline bint pack_line(
    PackedLines *lines,
    int64_t row,
    int64_t key,
    int64_t quantity,
    int64_t charge,
    int64_t direct_cost,
) noexcept nogil:
    """Add a line, if its numbers are small enough; whether they are."""
    cdef LineLayout layout = lines.layout
    cdef int64_t range_ = row >> layout.row_bits, n = lines.n
    cdef uint64_t word = row & ((<int64_t>1 << layout.row_bits) - 1)
    cdef int unused = 64 - layout.quantity_bits
    if (
        <int64_t>(<uint64_t>quantity << unused) >> unused != quantity
        or charge != <int32_t>charge
        or direct_cost != <int32_t>direct_cost
    ):
        return False
    word = word << layout.key_bits | <uint64_t>key
    word = word << layout.quantity_bits | (<uint64_t>quantity << unused) >> unused
    lines.words[n] = word
    lines.charges[n] = <int32_t>charge
    if lines.has_direct_cost:
        lines.direct_costs[n] = <int32_t>direct_cost
    lines.ranges[n] = <uint16_t>range_
    lines.counts[range_] += 1
    lines.n = n + 1
    return True


cdef inline int64_t row_of_word(LineLayout layout, uint64_t word) noexcept nogil:
    """Where the row stands in its range."""
    word = word >> layout.quantity_bits >> layout.key_bits
    return <int64_t>(word & ((<uint64_t>1 << layout.row_bits) - 1))


cdef inline int64_t key_of_word(LineLayout layout, uint64_t word) noexcept nogil:
    word = word >> layout.quantity_bits
    return <int64_t>(word & ((<uint64_t>1 << layout.key_bits) - 1))


cdef inline int64_t quantity_of_word(LineLayout layout, uint64_t word) noexcept nogil:
    cdef int unused = 64 - layout.quantity_bits
    return <int64_t>(word << unused) >> unused
