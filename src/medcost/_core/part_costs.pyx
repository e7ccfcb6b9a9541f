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
    with nogil:
        for i in range(activity.shape[0]):
            largest = max(largest, activity[i])
    if activity.shape[0] and largest >= n:
        raise ValueError("an entry names no activity")
    return 0


cdef int require_receivers(const int64_t[::1] receivers, Py_ssize_t n) except -1:
    cdef Py_ssize_t i
    cdef bint outside = False
    with nogil:
        for i in range(receivers.shape[0]):
            outside |= not 0 <= receivers[i] < n
    if outside:
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
    cdef Py_ssize_t n = receivers.shape[0]
    require_starts(starts, activity.shape[0])
    require_receivers(receivers, costs.shape[0])
    if starts.shape[0] != n + 1 or activity.shape[0] != measure.shape[0]:
        raise ValueError("starts, entries and receivers do not fit")
    if rates.shape[1] != LANES or costs.shape[1] != LANES:
        raise ValueError("rates and costs have eight lanes")
    require_activities(activity, rates.shape[0])
    with nogil:
        if n:
            add_rows_costs(
                &starts[0], &activity[0] if activity.shape[0] else NULL,
                &measure[0] if measure.shape[0] else NULL,
                step, &rates[0, 0] if rates.shape[0] else NULL, &receivers[0], n, &costs[0, 0],
            )


cdef void add_rows_costs(
    const int64_t *starts,
    const activity_t *activity,
    const measure_t *measure,
    int64_t step,
    const int64_t *rates,
    const int64_t *receivers,
    Py_ssize_t n,
    int64_t *costs,
) noexcept nogil:
    """The loop of add_costs: sums in registers, seven multiplications an entry."""
    cdef Py_ssize_t row, entry
    cdef uint64_t c0, c1, c2, c3, c4, c5, c6, times
    cdef const uint64_t *rate
    cdef uint64_t *cost
    cdef int64_t size
    cdef bint many
    for row in range(n):
        c0 = c1 = c2 = c3 = c4 = c5 = c6 = 0
        size, many = 0, False
        for entry in range(starts[row], starts[row + 1]):
            times = <uint64_t>(<int64_t>measure[entry] * step)
            rate = <const uint64_t *>rates + LANES * <Py_ssize_t>activity[entry]
            # Unsigned, because sums on the way may wrap: only the total is proved to fit.
            c0 += times * rate[0]
            c1 += times * rate[1]
            c2 += times * rate[2]
            c3 += times * rate[3]
            c4 += times * rate[4]
            c5 += times * rate[5]
            c6 += times * rate[6]
            many |= add_overflows(
                size, <int64_t>times if <int64_t>times >= 0 else -<int64_t>times, &size
            )
        cost = <uint64_t *>costs + LANES * receivers[row]
        cost[0] += c0
        cost[1] += c1
        cost[2] += c2
        cost[3] += c3
        cost[4] += c4
        cost[5] += c5
        cost[6] += c6
        if add_overflows(<int64_t>cost[7], size, &size) or many:
            size = INT64_MAX
        cost[7] = <uint64_t>size


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
    with nogil:
        for i in range(n):
            failed |= totals[i] <= 0 or not 0 <= shifts[i] <= 62
    if failed:
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
            rest <<= shifts[i]
            rate = rest // totals[i]
            inexact[i] = rate * totals[i] != rest
            rate += quotient << shifts[i]
            rates[i] = <int64_t>rate
            if rates[i] != rate or quotient != <int64_t>quotient:
                failed = 1
    if failed:
        raise OverflowError("a rate does not fit 64 bits")
    return rates_array, inexact_array
