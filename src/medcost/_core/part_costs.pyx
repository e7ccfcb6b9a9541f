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
    # Entries widened at a time, and the size below which so many of them add up in 64 bits.
    STRETCH = 512
    SURE_BITS = 53

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    /* cost[lane] += sum of times x rates[which][lane]; unsigned, because sums on the way may
       wrap: only the total is proved to fit. One copy of the loop for each width of registers. */
    #define MEDCOST_LANES(NAME, ATTRIBUTE, BYTES) \\
    typedef uint64_t NAME##_t __attribute__((vector_size(BYTES))); \\
    static ATTRIBUTE void NAME( \\
        const uint32_t *which, const int64_t *times, int64_t n, const int64_t *rates, \\
        int64_t *cost) { \\
        enum { PIECES = 64 / BYTES }; \\
        NAME##_t sum[PIECES], rate; \\
        memcpy(sum, cost, 64); \\
        for (int64_t i = 0; i < n; i++) { \\
            const char *of_entry = (const char *)(rates + 8 * (int64_t)which[i]); \\
            for (int p = 0; p < PIECES; p++) { \\
                memcpy(&rate, of_entry + BYTES * p, BYTES); \\
                sum[p] += rate * (uint64_t)times[i]; \\
            } \\
        } \\
        memcpy(cost, sum, 64); \\
    }

    typedef void (*medcost_lanes)(
        const uint32_t *, const int64_t *, int64_t, const int64_t *, int64_t *);
    MEDCOST_LANES(medcost_lanes_of_16, , 16)
    #if defined(__x86_64__)
    MEDCOST_LANES(medcost_lanes_of_32, __attribute__((target("avx2"))), 32)
    MEDCOST_LANES(medcost_lanes_of_64, __attribute__((target("avx512f,avx512dq"))), 64)
    static medcost_lanes medcost_widest_lanes(void) {
        __builtin_cpu_init();
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
            return medcost_lanes_of_64;
        return __builtin_cpu_supports("avx2") ? medcost_lanes_of_32 : medcost_lanes_of_16;
    }
    #else
    static medcost_lanes medcost_widest_lanes(void) { return medcost_lanes_of_16; }
    #endif
    """
    ctypedef void (*add_lanes_t "medcost_lanes")(
        const uint32_t *which, const int64_t *times, int64_t n, const int64_t *rates,
        int64_t *cost) noexcept nogil
    add_lanes_t widest_lanes "medcost_widest_lanes"() noexcept nogil


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
        raise ValueError("a row has no receiver, or an activity no department")
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
    """The loop of add_costs: a stretch of a row's entries at a time is widened, then added."""
    cdef Py_ssize_t row, first, count, i
    cdef uint32_t which[STRETCH]
    cdef int64_t times[STRETCH]
    cdef int64_t size
    cdef int64_t *cost
    cdef uint64_t sizes, bits
    cdef add_lanes_t add_lanes = widest_lanes()
    for row in range(n):
        cost = costs + LANES * receivers[row]
        first = starts[row]
        while first < starts[row + 1]:
            count = min(<Py_ssize_t>STRETCH, starts[row + 1] - first)
            sizes = bits = 0
            for i in range(count):
                which[i] = activity[first + i]
                times[i] = measure[first + i] * step
                size = times[i] ^ (times[i] >> 63)
                bits |= <uint64_t>size
                sizes += <uint64_t>size + (<uint64_t>times[i] >> 63)
            if bits >> SURE_BITS:
                sizes = sum_of_sizes(times, count)
            if add_overflows(cost[LANES - 1], <int64_t>sizes, &size) or sizes >> 63:
                size = INT64_MAX
            add_lanes(which, times, count, rates, cost)
            cost[LANES - 1] = size
            first += count


cdef uint64_t sum_of_sizes(const int64_t *times, Py_ssize_t n) noexcept nogil:
    """Sum of absolute values, at most the largest int64."""
    cdef Py_ssize_t i
    cdef int64_t total = 0
    for i in range(n):
        # The smallest int64 has no positive twin.
        if times[i] == -INT64_MAX - 1 or add_overflows(
            total, times[i] if times[i] >= 0 else -times[i], &total
        ):
            return <uint64_t>INT64_MAX
    return <uint64_t>total


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


cdef struct Ratio:
    # pool x 2^shift / total as whole + part x 2^-64, less than 2^-64 below the true one.
    u128 whole
    uint64_t part


cdef inline Ratio ratio_of(uint64_t pool, uint64_t total, int64_t shift) noexcept nogil:
    cdef Ratio ratio
    cdef u128 scaled = <u128>pool << shift
    ratio.whole = scaled // total
    ratio.part = <uint64_t>(((scaled - ratio.whole * total) << 64) // total)
    return ratio


cdef inline uint64_t size_of(int64_t value) noexcept nogil:
    return <uint64_t>0 - <uint64_t>value if value < 0 else <uint64_t>value


def scaled_rates(
    const int64_t[::1] dept not None,
    const int64_t[::1] weights not None,
    const int64_t[::1] pools not None,
    const int64_t[::1] totals not None,
    const int64_t[::1] shifts not None,
):
    """Floor of pool x weight x 2^shift / total, and whether it is exact; see part_costs.pyi."""
    cdef Py_ssize_t i, at = -1, n = dept.shape[0], n_depts = pools.shape[0]
    cdef u128 rate
    cdef uint64_t weight, rest, total = 1, pool = 0
    cdef Ratio ratio
    cdef bint below_zero
    cdef int64_t[::1] rates
    cdef uint8_t[::1] inexact
    cdef int failed = 0
    if totals.shape[0] != n_depts or shifts.shape[0] != n_depts or weights.shape[0] != n:
        raise ValueError("departments and activities must each have columns of the same length")
    require_receivers(dept, n_depts)
    with nogil:
        for i in range(n_depts):
            failed |= totals[i] <= 0 or not 0 <= shifts[i] <= 62
    if failed:
        raise ValueError("totals must be positive and shifts from 0 to 62")
    rates_array, inexact_array = np.zeros(n, np.int64), np.zeros(n_depts, np.uint8)
    rates, inexact = rates_array, inexact_array
    ratio.whole, ratio.part = 0, 0
    with nogil:
        for i in range(n):
            # Activities of one department stand together: one division for all of them.
            if dept[i] != at:
                at = dept[i]
                pool, total = size_of(pools[at]), totals[at]
                ratio = ratio_of(pool, total, shifts[at])
            weight = size_of(weights[i])
            if weight == 0 or pool == 0:
                continue
            if ratio.whole >> 64:
                failed = 1
                break
            # At most one below the floor, as weight x 2^-64 is below one; what is left over,
            # less than two totals, says which and is all that 64 bits need to hold.
            rate = ratio.whole * weight + ((<u128>ratio.part * weight) >> 64)
            rest = ((pool * weight) << shifts[at]) - <uint64_t>rate * total
            if rest >= total:
                rate += 1
                rest -= total
            inexact[at] |= rest != 0
            below_zero = (pools[at] < 0) != (weights[i] < 0)
            if below_zero:
                # The floor of a negative number lies on the other side.
                rate += rest != 0
            failed |= rate > (<u128>1 << 63) - (not below_zero)
            rates[i] = <int64_t>(<uint64_t>0 - <uint64_t>rate if below_zero else <uint64_t>rate)
    if failed:
        raise OverflowError("a rate does not fit 64 bits")
    return rates_array, inexact_array
