"""Sums of integers by integer keys, exact and independent of the order of the rows."""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memset

from medcost._core.int128 cimport add_overflows

cdef extern from *:
    """
    static inline int medcost_ones(unsigned long long word) { return __builtin_popcountll(word); }
    static inline int medcost_lowest(unsigned long long word) { return __builtin_ctzll(word); }
    """
    int ones_of "medcost_ones"(uint64_t word) noexcept nogil
    int lowest_of "medcost_lowest"(uint64_t word) noexcept nogil

cdef enum:
    DIGIT_BITS = 11
    DIGITS = 1 << DIGIT_BITS
    # So few values are sorted by insertion.
    FEW = 48


cdef void count_digits(
    const int64_t[::1] keys, int64_t *counts, int shift
) noexcept nogil:
    cdef Py_ssize_t i
    memset(counts, 0, DIGITS * sizeof(int64_t))
    for i in range(keys.shape[0]):
        counts[(<uint64_t>keys[i] >> shift) & (DIGITS - 1)] += 1


cdef void scatter(
    const int64_t[::1] keys,
    const int64_t[::1] order,
    int64_t[::1] moved,
    int64_t *counts,
    int shift,
) noexcept nogil:
    cdef Py_ssize_t i
    cdef int64_t digit, start = 0, n
    for digit in range(DIGITS):
        n = counts[digit]
        counts[digit] = start
        start += n
    for i in range(order.shape[0]):
        digit = (<uint64_t>keys[order[i]] >> shift) & (DIGITS - 1)
        moved[counts[digit]] = order[i]
        counts[digit] += 1


def sort_order(const int64_t[::1] keys not None):
    """Return the stable ascending order of non-negative keys; see sums.pyi."""
    cdef Py_ssize_t n = keys.shape[0], i
    cdef int shift
    cdef int64_t counts[DIGITS]
    cdef int64_t largest = 0
    cdef int64_t[::1] order, moved
    for i in range(n):
        if keys[i] < 0:
            raise ValueError("keys must not be negative")
        largest |= keys[i]
    order = np.arange(n, dtype=np.int64)
    moved = np.empty(n, np.int64)
    for shift in range(0, 64, DIGIT_BITS):
        if (<uint64_t>largest >> shift) == 0:
            break
        with nogil:
            count_digits(keys, counts, shift)
            scatter(keys, order, moved, counts, shift)
        order, moved = moved, order
    return np.asarray(order)


cdef Py_ssize_t add_runs(
    const int64_t[::1] keys,
    const int64_t[::1] order,
    const int64_t[:, ::1] values,
    int64_t[::1] unique,
    int64_t[:, ::1] totals,
) noexcept nogil:
    """Write each distinct key and its column sums; return how many, or -1 on overflow."""
    cdef Py_ssize_t i, column, row, n = 0
    for i in range(order.shape[0]):
        row = order[i]
        if n == 0 or keys[row] != unique[n - 1]:
            unique[n] = keys[row]
            n += 1
            for column in range(values.shape[1]):
                totals[n - 1, column] = values[row, column]
        else:
            for column in range(values.shape[1]):
                if add_overflows(
                    totals[n - 1, column], values[row, column], &totals[n - 1, column]
                ):
                    return -1
    return n


cdef Py_ssize_t add_all(
    int64_t[:, ::1] totals, const int64_t[::1] rows, const int64_t[:, ::1] values
) noexcept nogil:
    """Add every row of values; return the first row that overflows, or -1."""
    cdef Py_ssize_t i, column
    for i in range(rows.shape[0]):
        for column in range(values.shape[1]):
            if add_overflows(
                totals[rows[i], column], values[i, column], &totals[rows[i], column]
            ):
                return i
    return -1


def add_rows(
    int64_t[:, ::1] totals not None,
    const int64_t[::1] rows not None,
    const int64_t[:, ::1] values not None,
):
    """Add each row of values to the row of totals that rows names; see sums.pyi."""
    cdef Py_ssize_t i
    if rows.shape[0] != values.shape[0] or totals.shape[1] != values.shape[1]:
        raise ValueError("totals, rows and values do not fit")
    for i in range(rows.shape[0]):
        if not 0 <= rows[i] < totals.shape[0]:
            raise ValueError("a row is not one of the totals")
    with nogil:
        i = add_all(totals, rows, values)
    if i >= 0:
        raise OverflowError("a sum does not fit 64 bits")


cdef void sift(int64_t *values, Py_ssize_t root, Py_ssize_t n) noexcept nogil:
    """Let a value sink to its place in a heap with the largest first."""
    cdef Py_ssize_t child
    cdef int64_t value = values[root]
    while 2 * root + 1 < n:
        child = 2 * root + 1
        if child + 1 < n and values[child + 1] > values[child]:
            child += 1
        if values[child] <= value:
            break
        values[root] = values[child]
        root = child
    values[root] = value


cdef void sort_values(int64_t *values, Py_ssize_t n) noexcept nogil:
    """Sort ascending: few by insertion, many by a heap, O(n log n) whatever they are."""
    cdef Py_ssize_t i, at
    cdef int64_t value
    if n <= FEW:
        for i in range(1, n):
            value, at = values[i], i
            while at > 0 and values[at - 1] > value:
                values[at] = values[at - 1]
                at -= 1
            values[at] = value
        return
    for i in range(n // 2 - 1, -1, -1):
        sift(values, i, n)
    for i in range(n - 1, 0, -1):
        value, values[i] = values[i], values[0]
        values[0] = value
        sift(values, 0, i)


def sort_within(
    const int64_t[::1] groups not None, const int64_t[::1] values not None, Py_ssize_t n_groups
):
    """Return the values by group, then by size, and where groups start; see sums.pyi."""
    cdef Py_ssize_t i, n = groups.shape[0]
    cdef bint outside = False
    cdef int64_t[::1] ordered, starts, ends
    if values.shape[0] != n:
        raise ValueError("groups and values do not fit")
    ordered_array, starts_array = np.empty(n, np.int64), np.zeros(n_groups + 1, np.int64)
    ordered, starts = ordered_array, starts_array
    with nogil:
        for i in range(n):
            outside |= not 0 <= groups[i] < n_groups
        if not outside:
            for i in range(n):
                starts[groups[i] + 1] += 1
            for i in range(n_groups):
                starts[i + 1] += starts[i]
    if outside:
        raise ValueError("a row has no group")
    ends = starts_array[:n_groups].copy()
    with nogil:
        for i in range(n):
            ordered[ends[groups[i]]] = values[i]
            ends[groups[i]] += 1
        for i in range(n_groups):
            if starts[i + 1] - starts[i] > 1:
                sort_values(&ordered[starts[i]], starts[i + 1] - starts[i])
    return ordered_array, starts_array


def narrow_codes(const int64_t[::1] codes not None, Py_ssize_t n_labels):
    """Return the codes in 32 bits, which labels have rows, and how many rows none; see sums.pyi."""
    cdef Py_ssize_t i, n = codes.shape[0], n_empty = 0
    cdef bint outside = False
    cdef int32_t[::1] narrow
    cdef uint8_t[::1] is_used
    if n_labels >= <Py_ssize_t>1 << 31:
        raise ValueError("more labels than 32 bits number")
    narrow_array, used_array = np.empty(n, np.int32), np.zeros(n_labels + 1, np.uint8)
    narrow, is_used = narrow_array, used_array
    with nogil:
        for i in range(n):
            outside |= not -1 <= codes[i] < n_labels
        if not outside:
            for i in range(n):
                narrow[i] = <int32_t>codes[i]
                n_empty += codes[i] < 0
                # The labels begin behind the place of those that have none.
                is_used[codes[i] + 1] = 1
    if outside:
        raise ValueError("a code names no label")
    return narrow_array, used_array[1:].view(np.bool_), n_empty


def union_of(pieces not None, int64_t low, Py_ssize_t span):
    """Return the distinct keys of some arrays, ascending; see sums.pyi."""
    cdef Py_ssize_t i, n = 0
    cdef uint64_t word
    cdef bint outside = False
    cdef const int64_t[::1] keys
    cdef uint64_t[::1] bits = np.zeros((span + 63) // 64, np.uint64)
    cdef int64_t[::1] known
    for keys in pieces:
        with nogil:
            for i in range(keys.shape[0]):
                outside |= keys[i] < low or keys[i] - low >= span
            if not outside:
                for i in range(keys.shape[0]):
                    bits[(keys[i] - low) >> 6] |= <uint64_t>1 << ((keys[i] - low) & 63)
        if outside:
            raise ValueError("a key is outside the span")
    with nogil:
        for i in range(bits.shape[0]):
            n += ones_of(bits[i])
    result = np.empty(n, np.int64)
    known = result
    n = 0
    with nogil:
        for i in range(bits.shape[0]):
            word = bits[i]
            while word:
                known[n] = low + 64 * i + lowest_of(word)
                word &= word - 1
                n += 1
    return result


def find_ascending(const int64_t[::1] keys not None, const int64_t[::1] wanted not None):
    """Return the position of each wanted key (int64, [wanted]); see sums.pyi."""
    cdef Py_ssize_t i, at = 0, end = keys.shape[0], middle
    cdef int64_t key
    cdef bint missing = False
    cdef int64_t[::1] found
    result = np.empty(wanted.shape[0], np.int64)
    found = result
    with nogil:
        if wanted.shape[0]:
            # The first by halves, the others step by step.
            while at < end:
                middle = (at + end) >> 1
                if keys[middle] < wanted[0]:
                    at = middle + 1
                else:
                    end = middle
        for i in range(wanted.shape[0]):
            key = wanted[i]
            while at < keys.shape[0] and keys[at] < key:
                at += 1
            if at == keys.shape[0] or keys[at] != key:
                missing = True
                break
            found[i] = at
    if missing:
        raise ValueError("a wanted key is not there, or keys do not ascend")
    return result


cdef enum:
    BLOCK = 512

cdef int64_t LOWER_HALF = 0xFFFFFFFF


cdef void add_halves(
    const int64_t[::1] groups,
    const int64_t[:, :] values,
    Py_ssize_t first,
    Py_ssize_t end,
    int64_t[:, ::1] high,
    int64_t[:, ::1] low,
) noexcept nogil:
    """Add a block of rows, each value as two halves of 32 bits."""
    cdef Py_ssize_t i, column
    cdef int64_t group = groups[first], differs = 0, above, below, value
    for i in range(first, end):
        differs |= groups[i] ^ group
    for column in range(values.shape[1]):
        if not differs:
            above = below = 0
            for i in range(first, end):
                value = values[i, column]
                above += value >> 32
                below += value & LOWER_HALF
            high[group, column] += above
            low[group, column] += below
        else:
            for i in range(first, end):
                value = values[i, column]
                high[groups[i], column] += value >> 32
                low[groups[i], column] += value & LOWER_HALF


def half_sums(
    const int64_t[::1] groups not None, const int64_t[:, :] values not None, Py_ssize_t n_groups
):
    """Return the sums of the upper and the lower halves of each group; see sums.pyi."""
    cdef Py_ssize_t i, n = groups.shape[0]
    cdef bint outside = False
    cdef int64_t[:, ::1] high, low
    if values.shape[0] != n or n >= <Py_ssize_t>1 << 31:
        raise ValueError("groups and values do not fit, or are too many")
    high_array = np.zeros((n_groups, values.shape[1]), np.int64)
    low_array = np.zeros((n_groups, values.shape[1]), np.int64)
    high, low = high_array, low_array
    with nogil:
        for i in range(n):
            outside |= not 0 <= groups[i] < n_groups
        if not outside:
            i = 0
            while i < n:
                add_halves(groups, values, i, min(i + BLOCK, n), high, low)
                i += BLOCK
    if outside:
        raise ValueError("a row has no group")
    return high_array, low_array


def add_columns(
    int64_t[::1, :] totals not None,
    const int64_t[::1] rows not None,
    const int64_t[::1, :] values not None,
):
    """Add the rows of values that rows places, column by column; see sums.pyi."""
    cdef Py_ssize_t i, column
    cdef bint outside = False, wraps = False
    if rows.shape[0] != values.shape[0] or totals.shape[1] != values.shape[1]:
        raise ValueError("totals, rows and values do not fit")
    with nogil:
        for i in range(rows.shape[0]):
            outside |= rows[i] >= totals.shape[0]
        if not outside:
            for column in range(values.shape[1]):
                for i in range(rows.shape[0]):
                    if rows[i] >= 0:
                        wraps |= add_overflows(
                            totals[rows[i], column], values[i, column], &totals[rows[i], column]
                        )
    if outside:
        raise ValueError("a row is not one of the totals")
    if wraps:
        raise OverflowError("a sum does not fit 64 bits")


def group_sums(const int64_t[::1] keys not None, const int64_t[:, ::1] values not None):
    """Return the distinct keys, ascending, and the sum of each column; see sums.pyi."""
    cdef Py_ssize_t n
    cdef const int64_t[::1] order
    cdef int64_t[::1] unique
    cdef int64_t[:, ::1] totals
    if keys.shape[0] != values.shape[0]:
        raise ValueError("keys and values must have the same number of rows")
    order = sort_order(keys)
    unique_array = np.empty(keys.shape[0], np.int64)
    totals_array = np.empty((keys.shape[0], values.shape[1]), np.int64)
    unique = unique_array
    totals = totals_array
    with nogil:
        n = add_runs(keys, order, values, unique, totals)
    if n < 0:
        raise OverflowError("a sum does not fit 64 bits")
    return unique_array[:n].copy(), totals_array[:n].copy()
