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

    /* cost[lane] += sum of times x rates[place[which]][lane]; unsigned, because sums on the way
       may wrap: only the total is proved to fit. One copy of the loop for each width of registers. */
    #define MEDCOST_LANES(NAME, ATTRIBUTE, BYTES) \\
    typedef uint64_t NAME##_t __attribute__((vector_size(BYTES))); \\
    static ATTRIBUTE void NAME( \\
        const uint32_t *which, const int64_t *times, int64_t n, const uint32_t *place, \\
        const int64_t *rates, int64_t *cost) { \\
        enum { PIECES = 64 / BYTES }; \\
        NAME##_t sum[PIECES], rate; \\
        memcpy(sum, cost, 64); \\
        for (int64_t i = 0; i < n; i++) { \\
            const char *of_entry = (const char *)(rates + 8 * (int64_t)place[which[i]]); \\
            for (int p = 0; p < PIECES; p++) { \\
                memcpy(&rate, of_entry + BYTES * p, BYTES); \\
                sum[p] += rate * (uint64_t)times[i]; \\
            } \\
        } \\
        memcpy(cost, sum, 64); \\
    }

    /* times = measure x step, the sum of their sizes and the bits of all, of a stretch; size_bytes
       says which integers they are. One loop for each type and width of registers. */
    #define MEDCOST_WIDEN_ONE(ATTRIBUTE, NAME, TYPE) \\
    static ATTRIBUTE void NAME##_##TYPE( \\
        const TYPE *measure, int64_t step, int64_t n, int64_t *times, uint64_t *sizes, \\
        uint64_t *bits) { \\
        uint64_t sum = 0, any = 0; \\
        for (int64_t i = 0; i < n; i++) { \\
            uint64_t wide = (uint64_t)(int64_t)measure[i] * (uint64_t)step; \\
            uint64_t sign = (uint64_t)0 - (wide >> 63), size = wide ^ sign; \\
            times[i] = (int64_t)wide; \\
            any |= size; \\
            sum += size - sign; \\
        } \\
        *sizes = sum; \\
        *bits = any; \\
    }
    #define MEDCOST_WIDEN(NAME, ATTRIBUTE) \\
    MEDCOST_WIDEN_ONE(ATTRIBUTE, NAME, int8_t) MEDCOST_WIDEN_ONE(ATTRIBUTE, NAME, int16_t) \\
    MEDCOST_WIDEN_ONE(ATTRIBUTE, NAME, int32_t) MEDCOST_WIDEN_ONE(ATTRIBUTE, NAME, int64_t) \\
    static ATTRIBUTE void NAME( \\
        const void *measure, int size_bytes, int64_t step, int64_t n, int64_t *times, \\
        uint64_t *sizes, uint64_t *bits) { \\
        if (size_bytes == 1) NAME##_int8_t(measure, step, n, times, sizes, bits); \\
        else if (size_bytes == 2) NAME##_int16_t(measure, step, n, times, sizes, bits); \\
        else if (size_bytes == 4) NAME##_int32_t(measure, step, n, times, sizes, bits); \\
        else NAME##_int64_t(measure, step, n, times, sizes, bits); \\
    }

    typedef void (*medcost_widen)(
        const void *, int, int64_t, int64_t, int64_t *, uint64_t *, uint64_t *);
    typedef void (*medcost_lanes)(
        const uint32_t *, const int64_t *, int64_t, const uint32_t *, const int64_t *,
        int64_t *);
    MEDCOST_LANES(medcost_lanes_of_16, , 16)
    MEDCOST_WIDEN(medcost_widen_in_16, )
    #if defined(__x86_64__)
    MEDCOST_LANES(medcost_lanes_of_32, __attribute__((target("avx2"))), 32)
    MEDCOST_LANES(medcost_lanes_of_64, __attribute__((target("avx512f,avx512dq"))), 64)
    MEDCOST_WIDEN(medcost_widen_in_32, __attribute__((target("avx2"))))
    MEDCOST_WIDEN(medcost_widen_in_64, __attribute__((target("avx512f,avx512dq"))))
    static medcost_widen medcost_widest_widen(void) {
        __builtin_cpu_init();
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
            return medcost_widen_in_64;
        return __builtin_cpu_supports("avx2") ? medcost_widen_in_32 : medcost_widen_in_16;
    }
    static medcost_lanes medcost_widest_lanes(void) {
        __builtin_cpu_init();
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
            return medcost_lanes_of_64;
        return __builtin_cpu_supports("avx2") ? medcost_lanes_of_32 : medcost_lanes_of_16;
    }
    #else
    static medcost_widen medcost_widest_widen(void) { return medcost_widen_in_16; }
    static medcost_lanes medcost_widest_lanes(void) { return medcost_lanes_of_16; }
    #endif
    """
    ctypedef void (*add_lanes_t "medcost_lanes")(
        const uint32_t *which, const int64_t *times, int64_t n, const uint32_t *place,
        const int64_t *rates, int64_t *cost) noexcept nogil
    add_lanes_t widest_lanes "medcost_widest_lanes"() noexcept nogil
    ctypedef void (*widen_t "medcost_widen")(
        const void *measure, int size_bytes, int64_t step, int64_t n, int64_t *times,
        uint64_t *sizes, uint64_t *bits) noexcept nogil
    widen_t widest_widen "medcost_widest_widen"() noexcept nogil


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
    const uint32_t[::1] places not None,
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
    require_activities(activity, places.shape[0])
    require_activities(places, rates.shape[0])
    with nogil:
        if n:
            add_rows_costs(
                &starts[0], &activity[0] if activity.shape[0] else NULL,
                &measure[0] if measure.shape[0] else NULL,
                step, &places[0] if places.shape[0] else NULL,
                &rates[0, 0] if rates.shape[0] else NULL, &receivers[0], n, &costs[0, 0],
            )


cdef void add_rows_costs(
    const int64_t *starts,
    const activity_t *activity,
    const measure_t *measure,
    int64_t step,
    const uint32_t *places,
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
    cdef widen_t widen = widest_widen()
    for row in range(n):
        cost = costs + LANES * receivers[row]
        first = starts[row]
        while first < starts[row + 1]:
            count = min(<Py_ssize_t>STRETCH, starts[row + 1] - first)
            for i in range(count):
                which[i] = activity[first + i]
            widen(measure + first, sizeof(measure_t), step, count, times, &sizes, &bits)
            if bits >> SURE_BITS:
                sizes = sum_of_sizes(times, count)
            if add_overflows(cost[LANES - 1], <int64_t>sizes, &size) or sizes >> 63:
                size = INT64_MAX
            add_lanes(which, times, count, places, rates, cost)
            cost[LANES - 1] = size
            first += count


def add_found(
    const int64_t[:, ::1] found not None,
    const int64_t[::1] receivers not None,
    int64_t[:, ::1] costs not None,
):
    """Add costs that were found of some receivers to those of all; see part_costs.pyi."""
    cdef Py_ssize_t row, lane
    cdef int64_t size
    cdef int64_t *cost
    require_receivers(receivers, costs.shape[0])
    if found.shape[0] != receivers.shape[0]:
        raise ValueError("costs and receivers do not fit")
    if found.shape[1] != LANES or costs.shape[1] != LANES:
        raise ValueError("costs have eight lanes")
    with nogil:
        for row in range(receivers.shape[0]):
            cost = &costs[receivers[row], 0]
            for lane in range(LANES - 1):
                cost[lane] = <int64_t>(<uint64_t>cost[lane] + <uint64_t>found[row, lane])
            if add_overflows(cost[LANES - 1], found[row, LANES - 1], &size):
                size = INT64_MAX
            cost[LANES - 1] = size


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
    int64_t[:, :] costs not None,
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
    const int64_t[:, ::1] weights not None,
    const int64_t[:, ::1] pools not None,
    const int64_t[:, ::1] totals not None,
    const int64_t[:, ::1] shifts not None,
    int64_t[:, ::1] rates not None,
):
    """Floor of pool x weight x 2^shift / total, and which are not exact; see part_costs.pyi."""
    cdef Py_ssize_t i, e, at = -1, n = dept.shape[0], n_depts = pools.shape[0]
    cdef Py_ssize_t m = pools.shape[1], last = weights.shape[1] - 1
    cdef Ratio ratios[LANES]
    cdef uint8_t[:, ::1] inexact
    cdef int failed = 0
    if m >= LANES or rates.shape[0] != n or rates.shape[1] != LANES:
        raise ValueError("rates have eight lanes, more than there are elements")
    if weights.shape[0] != n or weights.shape[1] not in (1, m):
        raise ValueError("departments and weights of the activities do not fit")
    if (totals.shape[0], totals.shape[1]) != (n_depts, m):
        raise ValueError("pools and totals do not fit")
    if (shifts.shape[0], shifts.shape[1]) != (n_depts, m):
        raise ValueError("pools and shifts do not fit")
    require_receivers(dept, n_depts)
    with nogil:
        for i in range(n_depts):
            for e in range(m):
                failed |= totals[i, e] <= 0 or not 0 <= shifts[i, e] <= 62
    if failed:
        raise ValueError("totals must be positive and shifts from 0 to 62")
    inexact_array = np.zeros((n_depts, m), np.uint8)
    inexact = inexact_array
    with nogil:
        for i in range(n):
            # Activities of one department stand together: one division for all of them.
            if dept[i] != at:
                at = dept[i]
                for e in range(m):
                    ratios[e] = ratio_of(size_of(pools[at, e]), totals[at, e], shifts[at, e])
            for e in range(m):
                failed |= scaled_rate(
                    &ratios[e], pools[at, e], weights[i, min(e, last)], totals[at, e],
                    shifts[at, e], &rates[i, e], &inexact[at, e],
                )
            for e in range(m, LANES):
                rates[i, e] = 0
            if failed:
                break
    if failed:
        raise OverflowError("a rate does not fit 64 bits")
    return inexact_array


cdef inline bint scaled_rate(
    const Ratio *ratio,
    int64_t pool_signed,
    int64_t weight_signed,
    uint64_t total,
    int64_t shift,
    int64_t *found,
    uint8_t *inexact,
) noexcept nogil:
    """Write one rate; whether it does not fit 64 bits."""
    cdef uint64_t weight = size_of(weight_signed), pool = size_of(pool_signed), rest
    cdef u128 rate
    cdef bint below_zero
    if weight == 0 or pool == 0:
        found[0] = 0
        return False
    if ratio.whole >> 64:
        return True
    # At most one below the floor, as weight x 2^-64 is below one; what is left over, less than
    # two totals, says which and is all that 64 bits need to hold.
    rate = ratio.whole * weight + ((<u128>ratio.part * weight) >> 64)
    rest = ((pool * weight) << shift) - <uint64_t>rate * total
    if rest >= total:
        rate += 1
        rest -= total
    inexact[0] |= rest != 0
    below_zero = (pool_signed < 0) != (weight_signed < 0)
    if below_zero:
        # The floor of a negative number lies on the other side.
        rate += rest != 0
    found[0] = <int64_t>(<uint64_t>0 - <uint64_t>rate if below_zero else <uint64_t>rate)
    return rate > (<u128>1 << 63) - (not below_zero)
