"""Sums of integers by integer keys, exact and independent of the order of the rows."""

import numpy as np

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset

from medcost._core.int128 cimport add_overflows

cdef enum:
    DIGIT_BITS = 11
    DIGITS = 1 << DIGIT_BITS


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
