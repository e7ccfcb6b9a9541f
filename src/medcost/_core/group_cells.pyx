"""What groups of cases used of each department, and the cost of it in cells rounded together."""

import numpy as np

from libc.stdint cimport INT64_MAX, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

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
    # Entries widened at a time.
    STRETCH = 512

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    /* sums[place[i]][lane] += times[i] x weights[which[i]][lane]; unsigned, because sums on the
       way may wrap: only the total is proved to fit. One copy for each width of registers. */
    #define MEDCOST_SCATTER(NAME, ATTRIBUTE, BYTES) \\
    typedef uint64_t NAME##_t __attribute__((vector_size(BYTES))); \\
    static ATTRIBUTE void NAME( \\
        const uint32_t *which, const int64_t *times, const int64_t *place, int64_t n, \\
        const int64_t *weights, int64_t *sums) { \\
        enum { PIECES = 64 / BYTES }; \\
        NAME##_t sum, weight; \\
        for (int64_t i = 0; i < n; i++) { \\
            const char *of_entry = (const char *)(weights + 8 * (int64_t)which[i]); \\
            char *to = (char *)(sums + 8 * place[i]); \\
            for (int p = 0; p < PIECES; p++) { \\
                memcpy(&weight, of_entry + BYTES * p, BYTES); \\
                memcpy(&sum, to + BYTES * p, BYTES); \\
                sum += weight * (uint64_t)times[i]; \\
                memcpy(to + BYTES * p, &sum, BYTES); \\
            } \\
        } \\
    }

    typedef void (*medcost_scatter)(
        const uint32_t *, const int64_t *, const int64_t *, int64_t, const int64_t *, int64_t *);
    MEDCOST_SCATTER(medcost_scatter_of_16, , 16)
    #if defined(__x86_64__)
    MEDCOST_SCATTER(medcost_scatter_of_32, __attribute__((target("avx2"))), 32)
    MEDCOST_SCATTER(medcost_scatter_of_64, __attribute__((target("avx512f,avx512dq"))), 64)
    static medcost_scatter medcost_widest_scatter(void) {
        __builtin_cpu_init();
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
            return medcost_scatter_of_64;
        return __builtin_cpu_supports("avx2") ? medcost_scatter_of_32 : medcost_scatter_of_16;
    }
    #else
    static medcost_scatter medcost_widest_scatter(void) { return medcost_scatter_of_16; }
    #endif
    """
    ctypedef void (*scatter_t "medcost_scatter")(
        const uint32_t *which, const int64_t *times, const int64_t *place, int64_t n,
        const int64_t *weights, int64_t *sums) noexcept nogil
    scatter_t widest_scatter "medcost_widest_scatter"() noexcept nogil


cdef int require_within(const int64_t[::1] values, Py_ssize_t low, Py_ssize_t end) except -1:
    cdef Py_ssize_t i
    cdef bint outside = False
    with nogil:
        for i in range(values.shape[0]):
            outside |= not low <= values[i] < end
    if outside:
        raise ValueError("a row, a column, a department or an activity is not there")
    return 0


def add_measures(
    const int64_t[::1] starts not None,
    const activity_t[::1] activity not None,
    const measure_t[::1] measure not None,
    int64_t step,
    const int64_t[:, ::1] weights not None,
    const int64_t[::1] column not None,
    const int64_t[::1] rows not None,
    const int64_t[::1] first not None,
    int64_t[:, ::1] sums not None,
):
    """Add weight x measure of each entry to its group's column; see group_cells.pyi."""
    cdef Py_ssize_t i, n = activity.shape[0], n_rows = starts.shape[0] - 1
    cdef uint32_t largest = 0
    cdef bint outside = False
    require_starts(starts, n)
    if measure.shape[0] != n or first.shape[0] != rows.shape[0]:
        raise ValueError("entries, rows and groups do not fit")
    if weights.shape[0] != column.shape[0] or weights.shape[1] not in (1, LANES):
        raise ValueError("every activity has a column and one weight or eight")
    if sums.shape[1] != weights.shape[1]:
        raise ValueError("sums have as many lanes as weights")
    require_within(rows, 0, n_rows)
    require_within(first, 0, sums.shape[0] + 1)
    # A part may have activities of groups with more columns than any that is added here.
    require_within(column, -1, <Py_ssize_t>1 << 62)
    with nogil:
        for i in range(n):
            largest = max(largest, activity[i])
    if n and largest >= column.shape[0]:
        raise ValueError("an entry names no activity")
    if n and rows.shape[0]:
        with nogil:
            outside = add_rows_measures(
                &starts[0], &activity[0], &measure[0], step, &weights[0, 0], weights.shape[1],
                &column[0], &rows[0], &first[0], rows.shape[0],
                &sums[0, 0] if sums.shape[0] else NULL, sums.shape[0],
            )
    if outside:
        raise ValueError("an entry's column is not one of its group's")


cdef bint add_rows_measures(
    const int64_t *starts,
    const activity_t *activity,
    const measure_t *measure,
    int64_t step,
    const int64_t *weights,
    Py_ssize_t lanes,
    const int64_t *column,
    const int64_t *rows,
    const int64_t *first,
    Py_ssize_t n_rows,
    int64_t *sums,
    Py_ssize_t n_columns,
) noexcept nogil:
    """The loop of add_measures; whether a column was outside, which is left out."""
    cdef Py_ssize_t i, entry, count
    cdef int64_t at
    cdef uint32_t which[STRETCH]
    cdef int64_t times[STRETCH]
    cdef int64_t place[STRETCH]
    cdef bint outside = False
    cdef scatter_t scatter = widest_scatter()
    for i in range(n_rows):
        count = 0
        for entry in range(starts[rows[i]], starts[rows[i] + 1]):
            at = column[activity[entry]]
            if at < 0:
                continue
            at += first[i]
            if at >= n_columns:
                outside = True
                continue
            if lanes == 1:
                sums[at] = <int64_t>(
                    <uint64_t>sums[at]
                    + <uint64_t>weights[activity[entry]] * <uint64_t>(measure[entry] * step)
                )
                continue
            which[count], times[count], place[count] = activity[entry], measure[entry] * step, at
            count += 1
            if count == STRETCH:
                scatter(which, times, place, count, weights, sums)
                count = 0
        if count:
            scatter(which, times, place, count, weights, sums)
    return outside


cdef struct Cell:
    # Whole fen toward zero, what was cut off in 2^-64 fen, its bound, and the place in the group.
    i128 piece
    i128 bound
    Py_ssize_t place


cdef inline i128 fen_of(u128 total, i128 *piece) noexcept nogil:
    """Whole fen toward zero of a cost in 2^-64 fen, and the signed piece."""
    cdef i128 cost = <i128>total
    cdef i128 whole = cost / ((<i128>1) << 64)
    piece[0] = cost - (whole << 64)
    return whole


def round_groups(
    const int64_t[::1] starts not None,
    const int64_t[::1] columns not None,
    const int64_t[::1] dept not None,
    const int64_t[:, ::1] measures not None,
    Py_ssize_t lane,
    const int64_t[::1] whole not None,
    const uint64_t[::1] part not None,
    const uint8_t[::1] inexact not None,
    const int64_t[::1] totals not None,
):
    """Costs of every group's cells, rounded to the group's total; see group_cells.pyi."""
    cdef Py_ssize_t group, n_groups = totals.shape[0], most = 0
    cdef int64_t[::1] fen
    cdef uint8_t[::1] is_open
    cdef Cell *cells
    require_starts(starts, columns.shape[0] - 1)
    require_starts(columns, dept.shape[0])
    if starts.shape[0] != n_groups + 1 or measures.shape[0] != dept.shape[0]:
        raise ValueError("groups, cells and columns do not fit")
    if part.shape[0] != whole.shape[0] or inexact.shape[0] != whole.shape[0]:
        raise ValueError("whole, part and inexact must have the same length")
    if not 0 <= lane < measures.shape[1]:
        raise ValueError("there is no such lane")
    require_within(dept, 0, whole.shape[0])
    fen_array, open_array = np.zeros(columns.shape[0] - 1, np.int64), np.zeros(n_groups, np.uint8)
    fen, is_open = fen_array, open_array
    for group in range(n_groups):
        most = max(most, starts[group + 1] - starts[group])
    cells = <Cell *>malloc((most + 1) * sizeof(Cell))
    if cells == NULL:
        raise MemoryError
    with nogil:
        for group in range(n_groups):
            is_open[group] = not is_rounded(
                starts[group], starts[group + 1], columns, dept, measures, lane,
                whole, part, inexact, totals[group], fen, cells,
            )
    free(cells)
    return fen_array, open_array.view(np.bool_)


cdef bint is_rounded(
    Py_ssize_t start,
    Py_ssize_t end,
    const int64_t[::1] columns,
    const int64_t[::1] dept,
    const int64_t[:, ::1] measures,
    Py_ssize_t lane,
    const int64_t[::1] whole,
    const uint64_t[::1] part,
    const uint8_t[::1] inexact,
    int64_t total,
    int64_t[::1] fen,
    Cell *cells,
) noexcept nogil:
    """Round the cells of one group, into fen; whether the bounds leave nothing open."""
    cdef Py_ssize_t cell, i, n = 0, extra
    cdef i128 missing = total, size, rounds, low, high, cut
    cdef int64_t step, measure, bound
    cdef u128 cost
    cdef Cell found
    cdef bint takes_part
    for cell in range(start, end):
        cost, bound, takes_part = 0, 0, False
        for i in range(columns[cell], columns[cell + 1]):
            measure = measures[i, lane]
            if measure == 0 or not (whole[dept[i]] or part[dept[i]] or inexact[dept[i]]):
                continue
            takes_part = True
            cost += (<u128><i128>measure * <u128><i128>whole[dept[i]]) << 64
            cost += <u128><i128>measure * part[dept[i]]
            if inexact[dept[i]] and (
                measure == -INT64_MAX - 1
                or add_overflows(bound, measure if measure > 0 else -measure, &bound)
            ):
                bound = INT64_MAX
        # What adds up to nothing takes no part, if that is certain.
        if not takes_part or (cost == 0 and bound == 0):
            continue
        cut = fen_of(cost, &found.piece)
        fen[cell] = <int64_t>cut
        missing -= cut
        found.bound, found.place = bound, cell
        size = -found.piece if found.piece < 0 else found.piece
        if bound and (size < bound or ((<i128>1) << 64) - size <= bound):
            return False
        cells[n] = found
        n += 1
    if missing == 0:
        return True
    if n == 0:
        return False
    step = 1 if missing > 0 else -1
    rounds, extra = step * missing / n, <Py_ssize_t>(step * missing % n)
    for i in range(n):
        fen[cells[i].place] += <int64_t>(step * rounds)
        cells[i].piece *= step
    if extra == 0:
        return True
    sort_pieces(cells, n)
    low, high = cells[0].piece - cells[0].bound, cells[extra].piece + cells[extra].bound
    for i in range(n):
        if i < extra:
            fen[cells[i].place] += step
            low = min(low, cells[i].piece - cells[i].bound)
        else:
            high = max(high, cells[i].piece + cells[i].bound)
    return low >= high


cdef void sort_pieces(Cell *cells, Py_ssize_t n) noexcept nogil:
    """The largest piece first, equal ones by place: few cells, put in one by one."""
    cdef Py_ssize_t i, at
    cdef Cell cell
    for i in range(1, n):
        cell, at = cells[i], i
        while at > 0 and cells[at - 1].piece < cell.piece:
            cells[at] = cells[at - 1]
            at -= 1
        cells[at] = cell
