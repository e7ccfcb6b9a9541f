"""Sums over a part of the activity matrix: by activity, by row, and costs in fixed point."""

import numpy as np

from libc.stdint cimport INT64_MAX, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from medcost._core.int128 cimport add_overflows, i128, u128
from medcost._core.split import require_starts

ctypedef fused activity_t:
    uint16_t
    uint32_t

ctypedef fused measure_t:
    int8_t
    int16_t
    int32_t
    int64_t

cdef enum:
    LANES = 8


cdef int require_activities(const activity_t[::1] activity, Py_ssize_t n) except -1:
    cdef Py_ssize_t i
    cdef uint32_t largest = 0
    for i in range(activity.shape[0]):
        if activity[i] > largest:
            largest = activity[i]
    if activity.shape[0] and largest >= n:
        raise ValueError("an entry names no activity")
    return 0


cdef int require_receivers(const int64_t[::1] receivers, Py_ssize_t n) except -1:
    cdef Py_ssize_t i
    for i in range(receivers.shape[0]):
        if not 0 <= receivers[i] < n:
            raise ValueError("a row has no receiver")
    return 0


def add_costs(
    const int64_t[::1] starts not None,
    const activity_t[::1] activity not None,
    const measure_t[::1] measure not None,
    int64_t step,
    const int64_t[:, ::1] rates not None,
    const int64_t[::1] receivers not None,
    int64_t[:, ::1] costs not None,
):
    """Add rate x measure of every entry to its row's receiver; see part_costs.pyi."""
    cdef Py_ssize_t row, entry, lane, n = receivers.shape[0]
    cdef uint64_t cost[LANES]
    cdef uint64_t times
    cdef int64_t size
    cdef const int64_t *rate
    require_starts(starts, activity.shape[0])
    require_receivers(receivers, costs.shape[0])
    if starts.shape[0] != n + 1 or activity.shape[0] != measure.shape[0]:
        raise ValueError("starts, entries and receivers do not fit")
    if rates.shape[1] != LANES or costs.shape[1] != LANES:
        raise ValueError("rates and costs have eight lanes")
    require_activities(activity, rates.shape[0])
    with nogil:
        for row in range(n):
            for lane in range(LANES):
                cost[lane] = 0
            size = 0
            for entry in range(starts[row], starts[row + 1]):
                times = <uint64_t>(<int64_t>measure[entry] * step)
                rate = &rates[activity[entry], 0]
                # Unsigned, because sums on the way may wrap: only the total is proved to fit.
                for lane in range(LANES - 1):
                    cost[lane] += times * <uint64_t>rate[lane]
                size += <int64_t>times if <int64_t>times >= 0 else -<int64_t>times
            for lane in range(LANES - 1):
                costs[receivers[row], lane] = <int64_t>(
                    <uint64_t>costs[receivers[row], lane] + cost[lane]
                )
            if add_overflows(costs[receivers[row], LANES - 1], size, &size):
                size = INT64_MAX
            costs[receivers[row], LANES - 1] = size


def add_wide_costs(
    const int64_t[::1] starts not None,
    const activity_t[::1] activity not None,
    const measure_t[::1] measure not None,
    int64_t step,
    const int64_t[::1] whole not None,
    const uint64_t[::1] part not None,
    const uint8_t[::1] inexact not None,
    const int64_t[::1] receivers not None,
    const uint8_t[::1] chosen not None,
    int64_t[::1] cost not None,
    uint64_t[::1] fraction not None,
    int64_t[::1] error not None,
):
    """Add 128-bit costs of the chosen rows to their receivers; see part_costs.pyi."""
    cdef Py_ssize_t row, entry, at, n = receivers.shape[0]
    cdef u128 total
    cdef i128 times
    cdef int64_t bound, size
    require_starts(starts, activity.shape[0])
    require_receivers(receivers, cost.shape[0])
    if starts.shape[0] != n + 1 or activity.shape[0] != measure.shape[0] or chosen.shape[0] != n:
        raise ValueError("starts, entries and receivers do not fit")
    if fraction.shape[0] != cost.shape[0] or error.shape[0] != cost.shape[0]:
        raise ValueError("cost, fraction and error must have the same length")
    if part.shape[0] != whole.shape[0] or inexact.shape[0] != whole.shape[0]:
        raise ValueError("whole, part and inexact must have the same length")
    require_activities(activity, whole.shape[0])
    with nogil:
        for row in range(n):
            if not chosen[row]:
                continue
            at = receivers[row]
            total = (<u128><i128>cost[at] << 64) + fraction[at]
            bound = error[at]
            for entry in range(starts[row], starts[row + 1]):
                times = <i128>(<int64_t>measure[entry] * step)
                total += (<u128>times * <u128><i128>whole[activity[entry]]) << 64
                total += <u128>times * part[activity[entry]]
                if inexact[activity[entry]]:
                    size = <int64_t>measure[entry] * step
                    if add_overflows(bound, -size if size < 0 else size, &bound):
                        bound = INT64_MAX
            cost[at] = <int64_t><uint64_t>(total >> 64)
            fraction[at] = <uint64_t>total
            error[at] = bound


def add_direct_costs(
    const int64_t[::1] starts not None,
    const activity_t[::1] activity not None,
    const measure_t[::1] direct_cost not None,
    const int8_t[::1] element not None,
    const int64_t[::1] receivers not None,
    int64_t[:, ::1] costs not None,
):
    """Add the purchase cost of each entry in its activity's element; see part_costs.pyi."""
    cdef Py_ssize_t row, entry, n = receivers.shape[0]
    cdef bint wraps = False
    cdef int8_t e
    require_starts(starts, activity.shape[0])
    require_receivers(receivers, costs.shape[0])
    if starts.shape[0] != n + 1 or activity.shape[0] != direct_cost.shape[0]:
        raise ValueError("starts, entries and receivers do not fit")
    require_activities(activity, element.shape[0])
    if element.shape[0] and np.max(element) >= costs.shape[1]:
        raise ValueError("an activity's element is not a column of the costs")
    with nogil:
        for row in range(n):
            for entry in range(starts[row], starts[row + 1]):
                e = element[activity[entry]]
                if e >= 0:
                    wraps |= add_overflows(
                        costs[receivers[row], e], direct_cost[entry], &costs[receivers[row], e]
                    )
    if wraps:
        raise OverflowError("a sum does not fit 64 bits")


def scaled_rates(
    const int64_t[::1] pools not None,
    const int64_t[::1] weights not None,
    const int64_t[::1] totals not None,
    const int64_t[::1] shifts not None,
):
    """Floor of pool x weight x 2^shift / total, and whether it is exact; see part_costs.pyi."""
    cdef Py_ssize_t i, n = pools.shape[0]
    cdef i128 product, quotient, rest, rate
    cdef int64_t[::1] rates
    cdef uint8_t[::1] inexact
    cdef int failed = 0
    if weights.shape[0] != n or totals.shape[0] != n or shifts.shape[0] != n:
        raise ValueError("pools, weights, totals and shifts must have the same length")
    for i in range(n):
        if totals[i] <= 0 or not 0 <= shifts[i] <= 62:
            raise ValueError("totals must be positive and shifts from 0 to 62")
    rates_array, inexact_array = np.zeros(n, np.int64), np.zeros(n, np.uint8)
    rates, inexact = rates_array, inexact_array
    with nogil:
        for i in range(n):
            product = <i128>pools[i] * weights[i]
            if product == 0:
                continue
            quotient = product // totals[i]
            rest = product - quotient * totals[i]
            if rest < 0:
                rest += totals[i]
                quotient -= 1
            # The rest is below a total of 63 bits, so that it can be shifted by 62.
            rate = (rest << shifts[i]) // totals[i]
            inexact[i] = rate * totals[i] != rest << shifts[i]
            rate += quotient << shifts[i]
            rates[i] = <int64_t>rate
            if rates[i] != rate or quotient != <int64_t>quotient:
                failed = 1
    if failed:
        raise OverflowError("a rate does not fit 64 bits")
    return rates_array, inexact_array
