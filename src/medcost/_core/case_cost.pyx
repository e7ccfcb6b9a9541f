"""Exact case costs as 128-bit fixed point: whole fen and a 64-bit fraction."""

import numpy as np

from libc.stdint cimport INT64_MAX, int64_t, uint64_t

from medcost._core.int128 cimport add_overflows, i128, u128
from medcost._core.split import require_starts


def activity_rates(
    const int64_t[::1] pools not None,
    const int64_t[::1] weights not None,
    const int64_t[::1] totals not None,
):
    """Return floor(pool * weight / total) in 2^-64 fen and whether it is exact; see .pyi."""
    cdef Py_ssize_t i, n = pools.shape[0]
    cdef i128 product, quotient, rest
    cdef u128 fraction
    cdef int64_t[::1] whole
    cdef uint64_t[::1] part
    cdef unsigned char[::1] inexact
    if weights.shape[0] != n or totals.shape[0] != n:
        raise ValueError("pools, weights and totals must have the same length")
    whole_array = np.zeros(n, np.int64)
    part_array = np.zeros(n, np.uint64)
    inexact_array = np.zeros(n, np.uint8)
    whole, part, inexact = whole_array, part_array, inexact_array
    for i in range(n):
        if totals[i] <= 0:
            raise ValueError("totals must be positive")
        product = <i128>pools[i] * weights[i]
        quotient = product // totals[i]
        rest = product - quotient * totals[i]
        if rest < 0:
            rest += totals[i]
            quotient -= 1
        if quotient != <int64_t>quotient:
            raise OverflowError("a rate does not fit 64 bits")
        fraction = (<u128>rest << 64) // <u128>totals[i]
        whole[i] = <int64_t>quotient
        part[i] = <uint64_t>fraction
        inexact[i] = (<u128>rest << 64) != fraction * <u128>totals[i]
    return whole_array, part_array, inexact_array.astype(np.bool_)


cdef int accumulate(
    const int64_t[::1] starts,
    const int64_t[::1] activities,
    const int64_t[::1] measures,
    const int64_t[::1] whole,
    const uint64_t[::1] part,
    const unsigned char[::1] inexact,
    int64_t[::1] cost,
    uint64_t[::1] fraction,
    int64_t[::1] error,
) noexcept nogil:
    cdef Py_ssize_t row, entry, a
    cdef i128 sum_, measure
    cdef int64_t bound, size
    for row in range(starts.shape[0] - 1):
        sum_ = 0
        bound = 0
        for entry in range(starts[row], starts[row + 1]):
            a = activities[entry]
            measure = measures[entry]
            # Two products: the whole rate and its fraction; each stays below 2^127 because
            # |whole| * |measure| < 2^62 (checked by the caller) and |fraction| < 2^64.
            sum_ += (measure * whole[a]) << 64
            sum_ += measure * <i128>part[a]
            if inexact[a]:
                size = measures[entry] if measures[entry] >= 0 else -measures[entry]
                if add_overflows(bound, size, &bound):
                    bound = INT64_MAX
        cost[row] = <int64_t>(sum_ >> 64)
        fraction[row] = <uint64_t>sum_
        error[row] = bound
    return 0


def case_costs(
    const int64_t[::1] starts not None,
    const int64_t[::1] activities not None,
    const int64_t[::1] measures not None,
    const int64_t[::1] whole not None,
    const uint64_t[::1] part not None,
    inexact,
):
    """Return whole fen, fraction and error bound of each case; see case_cost.pyi."""
    cdef Py_ssize_t entry
    cdef const unsigned char[::1] inexact_view = np.ascontiguousarray(inexact).view(np.uint8)
    cdef int64_t[::1] cost, error
    cdef uint64_t[::1] fraction
    rows = starts.shape[0] - 1
    if rows < 0 or activities.shape[0] != measures.shape[0]:
        raise ValueError("starts, activities and measures do not fit")
    require_starts(starts, activities.shape[0])
    if whole.shape[0] != part.shape[0] or whole.shape[0] != inexact_view.shape[0]:
        raise ValueError("whole, part and inexact must have the same length")
    for entry in range(activities.shape[0]):
        if not 0 <= activities[entry] < whole.shape[0]:
            raise ValueError("an entry names no activity")
    cost_array = np.empty(rows, np.int64)
    fraction_array = np.empty(rows, np.uint64)
    error_array = np.empty(rows, np.int64)
    cost, fraction, error = cost_array, fraction_array, error_array
    with nogil:
        accumulate(
            starts, activities, measures, whole, part, inexact_view, cost, fraction, error
        )
    return cost_array, fraction_array, error_array
