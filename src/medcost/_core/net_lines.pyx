"""Service lines netted into sparse rows (unit, case) x activity (department, item)."""

import cython
import numpy as np

from libc.stdint cimport INT64_MAX, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memchr, memcpy, memset

from medcost._core.activity_slots cimport (
    FEWEST_BITS,
    NO_MEMORY,
    NONE,
    Activities,
    Slot,
    free_activities,
    number_of,
    product_of,
    reset_activities,
    start_activities,
)
from medcost._core.entry_store cimport (
    MEASURES,
    EntryStore,
    Measure,
    append_measure,
    append_value,
    begin_entries,
    entry_value,
    release_entries,
    set_entry_value,
)
from medcost._core.huge_pages cimport large_malloc
from medcost._core.int128 cimport add_overflows
from medcost._core.key_table cimport KeyTable
from medcost._core.packed_lines cimport (
    LineLayout,
    PackedLines,
    begin_packed,
    key_of_word,
    layout_of,
    pack_line,
    quantity_of_word,
    release_packed,
    room_for_packed,
    row_of_word,
)
from medcost._core.page_headers import PageError
from medcost._core.pages cimport Column, PageColumn, fill_columns, start_block
from medcost._core.wide_loops cimport (
    add_bits,
    divide_to_int8,
    divide_to_int16,
    divide_to_int32,
    mark_changes,
)

cdef extern from *:
    void prefetch "__builtin_prefetch"(const void *address) noexcept nogil

ctypedef fused packed_t:
    int8_t
    int16_t
    int32_t
    int64_t

ctypedef fused stored_t:
    int32_t
    int64_t

ctypedef fused column_t:
    int32_t
    int64_t
    uint8_t

ctypedef fused activity_t:
    uint16_t
    uint32_t

cdef enum:
    EMPTY = -2
    FAULT = 2
    # Scattered lines between asking for a case and using it: about one trip to memory.
    CASES_AHEAD = 24
    # What is added up by activity beside the sums in its slot: purchase cost, and each measure
    # of the entries below zero.
    EXTRAS = 4
    # Quantities are in 1e-4, and most books count whole services.
    WHOLE_SERVICE = 10000
    # Flags of departments and items: what keeps a line from the short way.
    CLOSED = 1
    MEDTECH = 2
    DIRECT = 4
    ALWAYS = 8
    # Columns of lines, as add_pages takes them: codes before numbers.
    CODES = 7
    COLUMNS = CODES + MEASURES
    # What the lines of a run are.
    OTHERS = 0
    UNPLACED = 1
    PLACED = 2



@cython.final
cdef class Places:
    """What the codes of a line's labels mean; see net_lines.pyi."""

    cdef readonly int64_t n_depts, n_items, n_cases, n_labels, period
    cdef bint orders_known
    cdef const int32_t[:, ::1] grid
    cdef const uint8_t[::1] selected, may_receive
    cdef uint8_t[::1] dept_flags, item_flags
    # Those that any has.
    cdef uint8_t all_flags
    cdef const int32_t[::1] case_first, case_at, case_unit, case_dept
    # The only case of a label and its unit, side by side; -1 where there is not just one.
    cdef int32_t[:, ::1] only_case
    # Where the cases of each unit begin, and whether they stand in the order of the units, and of
    # their labels: then label and case are the same number.
    cdef int32_t[::1] first_of_unit
    cdef bint by_unit, by_label

    def __init__(
        self,
        const int32_t[:, ::1] dept_grid not None,
        const uint8_t[::1] selected not None,
        const uint8_t[::1] is_open not None,
        const uint8_t[::1] is_direct not None,
        const uint8_t[::1] is_medtech not None,
        const uint8_t[::1] may_receive not None,
        const int32_t[::1] case_first not None,
        const int32_t[::1] case_at not None,
        const int32_t[::1] case_unit not None,
        const int32_t[::1] case_dept not None,
        int64_t period,
    ):
        self.n_depts = is_open.shape[0]
        self.n_items = is_direct.shape[0]
        self.n_cases = case_unit.shape[0]
        self.n_labels = dept_grid.shape[1]
        if dept_grid.shape[0] != selected.shape[0]:
            raise ValueError("the grid has a row for each unit")
        if is_medtech.shape[0] != self.n_depts or may_receive.shape[0] != self.n_depts:
            raise ValueError("the flags of departments do not fit")
        if case_at.shape[0] != self.n_cases or case_dept.shape[0] != self.n_cases:
            raise ValueError("the columns of cases do not fit")
        if case_first.shape[0] < 1 or case_first[case_first.shape[0] - 1] != self.n_cases:
            raise ValueError("case_first ends with the number of cases")
        if self.n_cases >= 1 << 31:
            raise OverflowError("more than 2^31 cases")
        largest = max(self.n_depts, 1) * max(self.n_items, self.n_depts, 1)
        if largest >= 1 << 62 or selected.shape[0] * (self.n_cases + 1) >= 1 << 62:
            raise OverflowError("departments x items or units x cases do not fit one key")
        self.grid, self.selected = dept_grid, selected
        self.may_receive = may_receive
        closed = np.where(np.asarray(is_open), 0, CLOSED)
        self.dept_flags = (closed | np.where(np.asarray(is_medtech), MEDTECH, 0)).astype(np.uint8)
        self.item_flags = np.where(np.asarray(is_direct), DIRECT, 0).astype(np.uint8)
        every = np.concatenate([np.asarray(self.dept_flags), np.asarray(self.item_flags)])
        self.all_flags = np.bitwise_or.reduce(every, initial=0)
        if self.n_depts and (np.max(dept_grid) >= self.n_depts or np.min(dept_grid) < -1):
            raise ValueError("the grid names no department")
        self.case_first, self.case_at = case_first, case_at
        first, at = np.asarray(case_first), np.asarray(case_at)
        is_only = np.diff(first) == 1
        only = np.full((len(first) - 1, 2), -1, np.int32)
        only[is_only, 0] = at[first[:-1][is_only]]
        only[is_only, 1] = np.asarray(case_unit)[only[is_only, 0]]
        self.only_case = only
        units, n_units = np.asarray(case_unit), selected.shape[0]
        self.first_of_unit = np.searchsorted(units, np.arange(n_units + 1)).astype(np.int32)
        self.by_unit = bool((units[1:] >= units[:-1]).all())
        self.by_label = bool((only[:, 0] == np.arange(len(only))).all())
        self.case_unit, self.case_dept = case_unit, case_dept
        self.period = period
        self.orders_known = self.n_cases > 0 and np.max(case_dept) >= 0

    cdef int32_t dept_of(self, int64_t unit, int64_t label) noexcept nogil:
        if unit < 0 or label < 0 or label >= self.n_labels or unit >= self.grid.shape[0]:
            return -1
        return self.grid[unit, label]

    cdef inline bint needs_look(self, int64_t dept, int64_t item, uint8_t special) noexcept nogil:
        """Whether lines of the department and item have one of the special flags."""
        return (self.dept_flags[dept] | self.item_flags[item] | ALWAYS) & special != 0

    cdef int32_t case_of(self, int64_t unit, int64_t label) noexcept nogil:
        """Case of the unit with the label, -1 where there is none."""
        cdef int32_t i
        if label < 0 or label >= self.case_first.shape[0] - 1:
            return -1
        # Most ids belong to one unit: one look at memory instead of four.
        if self.only_case[label, 0] >= 0:
            return self.only_case[label, 0] if self.only_case[label, 1] == unit else -1
        for i in range(self.case_first[label], self.case_first[label + 1]):
            if self.case_unit[self.case_at[i]] == unit:
                return self.case_at[i]
        return -1


cdef struct Columns:
    const int32_t *period
    const int32_t *unit
    const int32_t *dept
    const int32_t *item
    const int32_t *case
    const int32_t *case_unit
    const int32_t *ordering
    const int64_t *quantity
    const int64_t *charge
    const int64_t *direct_cost
    const uint8_t *quantity_state
    const uint8_t *charge_state
    const uint8_t *direct_state


cdef const column_t *first_or_null(const column_t[::1] column, Py_ssize_t n) except? NULL:
    """Where a column of the block begins; NULL where there is none, or no line."""
    if column is None:
        return NULL
    if column.shape[0] != n:
        raise ValueError("the columns of a block differ in length")
    return &column[0] if n else NULL


cdef void columns_of(Column **pages, Columns *c) noexcept nogil:
    """Where the columns of a filled block are; states only where a row is not fine."""
    cdef const int32_t *codes[CODES]
    cdef const int64_t *values[MEASURES]
    cdef const uint8_t *states[MEASURES]
    cdef const Column *page
    cdef int i
    for i in range(CODES):
        codes[i] = NULL if pages[i] == NULL else pages[i].codes
    for i in range(MEASURES):
        page = pages[CODES + i]
        values[i] = NULL if page == NULL else page.values
        states[i] = NULL if page == NULL or not page.is_faulty else page.states
    c.period, c.unit, c.dept, c.item = codes[0], codes[1], codes[2], codes[3]
    c.case, c.case_unit, c.ordering = codes[4], codes[5], codes[6]
    c.quantity, c.charge, c.direct_cost = values[0], values[1], values[2]
    c.quantity_state, c.charge_state, c.direct_state = states[0], states[1], states[2]


cdef struct Run:
    # Lines of one unit and case that follow each other.
    int64_t unit
    int64_t case_unit
    int64_t label
    int64_t case
    int64_t period
    uint32_t row
    int kind


cdef struct Scratch:
    # Net services of the run at hand, by entry; the numbers of their activities are stored already.
    int64_t *values[MEASURES]
    int64_t n


cdef struct Record:
    # One entry while rows are brought together.
    int64_t values[MEASURES]
    uint32_t number


cdef struct OfPiece:
    # Packed lines of a piece, those of a range side by side; money is NULL where all is zero.
    const int64_t *starts
    const uint64_t *words
    const int32_t *charges
    const int32_t *direct_costs


cdef int64_t reach_of(const int64_t *values, Py_ssize_t n) noexcept nogil:
    """What the absolute values add up to at most; the largest int64 where they leave 62 bits."""
    cdef Py_ssize_t i
    cdef int64_t bits = 0, size, reach = 0
    if values == NULL:
        return 0
    add_bits(values, n, &bits)
    if bits < <int64_t>1 << 31:
        # Blocks have fewer than 2^31 lines.
        return (bits + 1) * n
    for i in range(n):
        size = values[i] ^ (values[i] >> 63)
        if add_overflows(reach, size, &reach) or add_overflows(reach, 1, &reach):
            return INT64_MAX
    return reach


@cython.final
cdef class LineNetter:
    """Nets the lines of one stretch of a file; see net_lines.pyi."""

    cdef Places places
    cdef Activities activities
    cdef KeyTable ordered
    cdef Run run
    cdef Scratch scratch
    # Rows that are no case of its own unit: keys beyond the cases.
    cdef KeyTable others
    cdef int64_t n_runs, capacity, n_extras
    cdef bint has[MEASURES]
    cdef readonly int64_t n_lines, n_odd
    cdef bint lacks_memory, goes_too_far
    # Entries of the stretch, and where they are while rows are brought together.
    cdef EntryStore entries
    cdef Record *records
    # Of each run of entries: its row, and the first of them.
    cdef uint32_t *run_row
    cdef uint32_t *run_start
    cdef int64_t *extras
    # Scattered lines, kept back until those of a row come together.
    cdef PackedLines packed_lines
    cdef bint keeps_back
    # Of the lines of a block: the activity's number, where runs begin, and those lines of a run
    # whose activity an earlier one has; of its runs: the first line, and the case.
    cdef uint32_t *number
    cdef uint8_t *changes
    cdef int32_t *again
    cdef int32_t *run_first
    cdef int32_t *run_case
    cdef Py_ssize_t n_scratch
    # What the absolute values of the lines so far add up to at most.
    cdef int64_t reach[MEASURES]
    # Quantity and charge of each pair of departments that ordered, and for how many there is room.
    cdef int64_t *order_sums
    cdef int64_t n_order_sums

    def __init__(self, Places places not None):
        self.places = places
        self.ordered, self.others = KeyTable(), KeyTable()
        self.capacity = -1
        if not start_activities(&self.activities, FEWEST_BITS, places.n_depts * places.n_items):
            raise MemoryError
        self.packed_lines.layout = layout_of(places.n_cases, places.n_depts * places.n_items)
        self.begin(0)

    def __dealloc__(self):
        release_entries(&self.entries)
        release_packed(&self.packed_lines)
        self.release_scratch()
        free_activities(&self.activities)
        free(self.number)
        free(self.changes)
        free(self.again)
        free(self.run_first)
        free(self.run_case)
        free(self.extras)
        free(self.order_sums)

    cdef void release_scratch(self) noexcept:
        cdef int m
        free(self.run_row)
        free(self.run_start)
        free(self.records)
        self.run_row, self.run_start, self.records = NULL, NULL, NULL
        for m in range(MEASURES):
            free(self.scratch.values[m])
            self.scratch.values[m] = NULL

    def begin(
        self,
        Py_ssize_t rows,
        bint has_charge=False,
        bint has_direct_cost=False,
        bint keep_back=False,
    ):
        """Forget the stretch before; at most rows lines come, with these columns."""
        cdef int m
        if rows >= 1 << 31:
            raise ValueError("a stretch has fewer than 2^31 lines")
        self.has[0], self.has[1], self.has[2] = True, has_charge, has_direct_cost
        if rows > self.capacity:
            self.make_room(rows)
        if not begin_entries(&self.entries, self.capacity + 1, self.has):
            raise MemoryError
        self.keeps_back = (
            keep_back
            and self.packed_lines.layout.n_ranges > 0
            and min(self.places.n_depts, self.places.n_items, self.places.grid.size) > 0
        )
        begin_packed(&self.packed_lines, has_direct_cost)
        reset_activities(&self.activities)
        if self.n_extras:
            memset(self.extras, 0, self.n_extras * EXTRAS * sizeof(int64_t))
        if self.ordered.n:
            memset(self.order_sums, 0, 2 * self.ordered.n * sizeof(int64_t))
        self.ordered.reset()
        self.others.reset()
        self.scratch.n = self.n_runs = self.n_lines = self.n_odd = 0
        self.run.unit = self.run.case_unit = self.run.label = self.run.period = -3
        self.run.kind = OTHERS
        self.lacks_memory = self.goes_too_far = False
        for m in range(MEASURES):
            self.reach[m] = 0

    cdef int make_room(self, Py_ssize_t rows) except -1:
        """Room for so many lines; memory is not touched before it is used."""
        cdef int m
        self.capacity = -1
        self.release_scratch()
        # Few pages of these are touched where lines are sorted, so pages are small.
        self.run_row = <uint32_t *>malloc((rows + 1) * sizeof(uint32_t))
        self.run_start = <uint32_t *>malloc((rows + 2) * sizeof(uint32_t))
        if self.run_row == NULL or self.run_start == NULL:
            raise MemoryError
        for m in range(MEASURES):
            self.scratch.values[m] = <int64_t *>malloc((rows + 1) * sizeof(int64_t))
            if self.scratch.values[m] == NULL:
                raise MemoryError
        self.capacity = rows
        return 0

    def add(
        self,
        const int32_t[::1] period not None,
        const int32_t[::1] unit not None,
        const int32_t[::1] dept not None,
        const int32_t[::1] item not None,
        const int64_t[::1] quantity not None,
        const int32_t[::1] case=None,
        const int32_t[::1] case_unit=None,
        const int32_t[::1] ordering=None,
        const int64_t[::1] charge=None,
        const int64_t[::1] direct_cost=None,
        const uint8_t[::1] quantity_state=None,
        const uint8_t[::1] charge_state=None,
        const uint8_t[::1] direct_state=None,
    ):
        """Net the lines of one block."""
        cdef Columns c
        cdef Py_ssize_t n = period.shape[0]
        if self.n_stored() + n > self.capacity:
            raise ValueError("more lines than were announced")
        if (charge is not None) != self.has[1] or (direct_cost is not None) != self.has[2]:
            raise ValueError("a block has the columns that were announced")
        c.period, c.unit = first_or_null(period, n), first_or_null(unit, n)
        c.dept, c.item = first_or_null(dept, n), first_or_null(item, n)
        c.case, c.case_unit = first_or_null(case, n), first_or_null(case_unit, n)
        c.ordering, c.quantity = first_or_null(ordering, n), first_or_null(quantity, n)
        c.charge, c.direct_cost = first_or_null(charge, n), first_or_null(direct_cost, n)
        c.quantity_state = first_or_null(quantity_state, n)
        c.charge_state = first_or_null(charge_state, n)
        c.direct_state = first_or_null(direct_state, n)
        if n >= 1 << 31:
            raise OverflowError("a block has fewer than 2^31 lines")
        with nogil:
            self.net_block(self.places, &c, n)
        self.raise_what_failed()

    def add_pages(self, list columns not None, Py_ssize_t n_rows):
        """Net the next lines of pages, block after block; see net_lines.pyi."""
        cdef Column *every[COLUMNS]
        cdef Column *given[COLUMNS]
        cdef Py_ssize_t place[COLUMNS]
        cdef Py_ssize_t i, n_given = 0, n_netted = 0, waiting = -1, block_rows = n_rows, n
        cdef PageColumn one
        cdef bint sound = True
        cdef Columns c
        if len(columns) != COLUMNS:
            raise ValueError("lines have ten columns, None where they lack one")
        for i in range(COLUMNS):
            one, every[i] = columns[i], NULL
            if one is None:
                if i < 4 or i == CODES:
                    raise ValueError("lines have a period, unit, department, item and quantity")
                continue
            if (one.column.codes != NULL) != (i < CODES):
                raise ValueError("codes and numbers are in each other's place")
            every[i] = given[n_given] = &one.column
            place[n_given] = i
            n_given += 1
            block_rows = min(block_rows, one.column.block_rows)
        if (every[CODES + 1] != NULL) != self.has[1] or (every[CODES + 2] != NULL) != self.has[2]:
            raise ValueError("a block has the columns that were announced")
        if n_rows < 0 or self.n_stored() + n_rows > self.capacity:
            raise ValueError("more lines than were announced")
        with nogil:
            while n_netted < n_rows:
                n = min(block_rows, n_rows - n_netted)
                sound = fill_columns(given, n_given, n, &waiting)
                if not sound or waiting >= 0:
                    break
                columns_of(every, &c)
                if not self.net_block(self.places, &c, n):
                    break
                for i in range(n_given):
                    start_block(given[i])
                n_netted += n
        if not sound:
            raise PageError("a page does not hold the values that it says")
        self.raise_what_failed()
        return place[waiting] if waiting >= 0 else -1, n_netted

    cdef inline int64_t n_stored(self) noexcept nogil:
        """Entries and packed lines so far: room is for as many as lines were announced."""
        return self.entries.n + self.scratch.n + self.packed_lines.n

    cdef int raise_what_failed(self) except -1:
        if self.goes_too_far:
            raise OverflowError("quantities, charges or purchase costs do not fit 62 bits")
        if self.lacks_memory:
            raise MemoryError
        return 0

    cdef bint net_block(self, Places places, const Columns *c, Py_ssize_t n) noexcept nogil:
        """Net the lines of one block; whether their sums fit and there was memory."""
        self.goes_too_far |= (
            self.goes_beyond(0, c.quantity, n)
            or self.goes_beyond(1, c.charge, n)
            or self.goes_beyond(2, c.direct_cost, n)
        )
        if self.goes_too_far:
            return False
        self.lacks_memory |= not (
            self.ordered.reserve(n)
            and self.others.reserve(n)
            and self.room_for_orders(self.ordered.n + n)
            and self.room_for_block(n)
        )
        if not self.lacks_memory:
            self.net(places, c, n)
        return not self.lacks_memory

    cdef bint room_for_orders(self, int64_t n) noexcept nogil:
        """Room for the sums of n pairs of departments; whether there was memory."""
        cdef int64_t *larger
        if n <= self.n_order_sums:
            return True
        n *= 2
        larger = <int64_t *>calloc(2 * n, sizeof(int64_t))
        if larger == NULL:
            return False
        if self.n_order_sums:
            memcpy(larger, self.order_sums, 2 * self.n_order_sums * sizeof(int64_t))
        free(self.order_sums)
        self.order_sums, self.n_order_sums = larger, n
        return True

    cdef bint room_for_block(self, Py_ssize_t n) noexcept nogil:
        """Room for the activities and the runs of a block's lines; whether there was memory."""
        if n <= self.n_scratch:
            return True
        self.n_scratch = 0
        free(self.number)
        free(self.changes)
        free(self.again)
        free(self.run_first)
        free(self.run_case)
        self.number = <uint32_t *>calloc(n, sizeof(uint32_t))
        self.again = <int32_t *>calloc(n, sizeof(int32_t))
        self.changes = <uint8_t *>calloc(n, sizeof(uint8_t))
        self.run_first = <int32_t *>calloc(n + 1, sizeof(int32_t))
        self.run_case = <int32_t *>calloc(n, sizeof(int32_t))
        if (
            self.number == NULL or self.again == NULL or self.changes == NULL
            or self.run_first == NULL or self.run_case == NULL
        ):
            return False
        self.n_scratch = n
        return True

    cdef bint goes_beyond(self, int m, const int64_t *values, Py_ssize_t n) noexcept nogil:
        """Whether sums of the stretch with these values may leave 62 bits."""
        return add_overflows(self.reach[m], reach_of(values, n), &self.reach[m]) or (
            self.reach[m] >= <int64_t>1 << 62
        )

    cdef void net(self, Places places, const Columns *c, Py_ssize_t n) noexcept nogil:
        """Give each line its activity and its run; runs are stored one after the other."""
        cdef Py_ssize_t run, n_runs, first, end
        cdef bint is_scattered
        if self.keeps_back and in_any_order(c.case, n):
            self.end_run()
            if room_for_packed(&self.packed_lines, self.capacity):
                self.keep_back(places, c, n)
            else:
                self.lacks_memory = True
            return
        n_runs = self.find_runs(c, n)
        is_scattered = 4 * n_runs > 3 * n
        self.find_cases(places, c, n_runs)
        if is_scattered:
            self.end_run()
        for run in range(n_runs):
            first, end = self.run_first[run], self.run_first[run + 1]
            self.place_run(places, c, first, self.run_case[run])
            if self.run.kind == OTHERS:
                continue
            self.n_lines += end - first
            if self.run.kind == UNPLACED:
                self.n_odd += end - first
                continue
            self.find_activities(places, c, first, end)
            if is_scattered:
                self.store_lines(c, first, end)
            else:
                self.open_run()
                self.net_run(c, first, end)

    cdef Py_ssize_t find_runs(self, const Columns *c, Py_ssize_t n) noexcept nogil:
        """First line of each run of lines with the same month, unit and case; their number."""
        cdef Py_ssize_t at = 0, n_runs = 0
        cdef const uint8_t *next_change
        memset(self.changes, 0, n)
        mark_changes(c.period, n, self.changes)
        mark_changes(c.unit, n, self.changes)
        if c.case != NULL:
            mark_changes(c.case, n, self.changes)
        if c.case_unit != NULL:
            mark_changes(c.case_unit, n, self.changes)
        while at < n:
            self.run_first[n_runs] = <int32_t>at
            n_runs += 1
            next_change = <const uint8_t *>memchr(self.changes + at + 1, 1, n - at - 1)
            at = n if next_change == NULL else next_change - self.changes
        self.run_first[n_runs] = <int32_t>n
        return n_runs

    cdef void find_activities(
        self, Places places, const Columns *c, Py_ssize_t first, Py_ssize_t end
    ) noexcept nogil:
        """Number of the activity of lines first to end, which are of the run; NONE where none."""
        cdef const int32_t *depts = &places.grid[self.run.unit, 0] if places.n_labels else NULL
        cdef const int32_t *labels = c.dept
        cdef const int32_t *items = c.item
        cdef Activities *activities = &self.activities
        cdef const Slot *slots = activities.slots
        cdef int shift = 32 - activities.bits
        cdef uint32_t *numbers = self.number
        cdef int64_t n_items = places.n_items, n_labels = places.n_labels, dept, number
        cdef uint32_t product
        cdef const Slot *slot
        cdef uint8_t special = self.special_of(places, c)
        cdef Py_ssize_t i
        for i in range(first, end):
            product = 0
            # Codes below zero are the largest there are without a sign.
            if <uint32_t>labels[i] < n_labels and <uint32_t>items[i] < n_items:
                dept = depts[labels[i]]
                if dept >= 0:
                    product = product_of(dept * n_items + items[i])
            numbers[i] = product
            # All slots of the run are on the way before the first is needed.
            prefetch(&slots[product >> shift])
        for i in range(first, end):
            product = numbers[i]
            slot = &slots[product >> shift]
            number = slot.number
            if slot.product != product or activities.is_wide:
                number = NONE
                if product:
                    number = number_of(activities, depts[labels[i]] * n_items + items[i])
                    slots, shift = activities.slots, 32 - activities.bits
            if number == NO_MEMORY:
                self.lacks_memory = True
                break
            numbers[i] = <uint32_t>number
        if special & (places.all_flags | ALWAYS):
            for i in range(first, end):
                if numbers[i] != NONE:
                    dept = depts[labels[i]]
                    if (places.dept_flags[dept] | places.item_flags[items[i]] | ALWAYS) & special:
                        self.look_closer(places, c, i, dept, items[i])

    cdef void find_cases(self, Places places, const Columns *c, Py_ssize_t n_runs) noexcept nogil:
        """Case of each run, -1 where it has none; scattered look-ups do not wait for each other."""
        cdef int64_t unit, label
        cdef Py_ssize_t run, i
        for run in range(n_runs):
            i = self.run_first[run]
            label = EMPTY if c.case == NULL else c.case[i]
            unit = c.unit[i] if c.case_unit == NULL else self.case_unit_of(c, i)
            self.run_case[run] = places.case_of(unit, label)

    cdef void net_run(self, const Columns *c, Py_ssize_t first, Py_ssize_t end) noexcept nogil:
        """Net lines first to end, which are of one case and have their activities."""
        cdef const uint32_t *numbers = self.number
        cdef const int64_t *quantities = c.quantity
        cdef const int64_t *charges = c.charge
        cdef const int64_t *direct_costs = c.direct_cost
        cdef int64_t *net_quantity = self.scratch.values[0]
        cdef int64_t *net_charge = self.scratch.values[1]
        cdef int64_t *net_direct = self.scratch.values[2]
        cdef int32_t *last_entry = self.activities.last_entry
        cdef int32_t *again = self.again
        cdef int64_t before = self.entries.n, at = self.scratch.n, place, is_new
        cdef uint32_t *entries = self.entries.number + before
        cdef uint32_t number
        cdef Py_ssize_t i, k, n_again = 0
        for i in range(first, end):
            number = numbers[i]
            if number == NONE:
                self.n_odd += 1
                continue
            # Written as if it were a new entry: what is not will be written over by the next. No
            # branch, which would be guessed wrong for every fifth line.
            entries[at], net_quantity[at] = number, quantities[i]
            if charges != NULL:
                net_charge[at] = charges[i]
            if direct_costs != NULL:
                net_direct[at] = direct_costs[i]
            place = last_entry[number] - before
            # All bits, or none.
            is_new = place >> 63
            last_entry[number] = <int32_t>(before + ((place & ~is_new) | (at & is_new)))
            again[n_again] = <int32_t>i
            n_again += 1 + is_new
            at -= is_new
        for k in range(n_again):
            i = again[k]
            place = last_entry[numbers[i]] - before
            # No sum can wrap: add has proved it for the stretch so far.
            net_quantity[place] += quantities[i]
            if charges != NULL:
                net_charge[place] += charges[i]
            if direct_costs != NULL:
                net_direct[place] += direct_costs[i]
        self.scratch.n = at

    cdef void store_lines(self, const Columns *c, Py_ssize_t first, Py_ssize_t end) noexcept nogil:
        """Store lines first to end as they are, each as a run: few of their row are near."""
        cdef Py_ssize_t i
        for i in range(first, end):
            if self.number[i] == NONE:
                self.n_odd += 1
            else:
                self.store_line(c, i, self.number[i])

    cdef inline void store_line(
        self, const Columns *c, Py_ssize_t i, uint32_t number
    ) noexcept nogil:
        """Store line i, of this activity, as a run of its own."""
        cdef EntryStore *store = &self.entries
        cdef int64_t values[MEASURES]
        cdef int m
        values[0], values[1], values[2] = c.quantity[i], 0, 0
        if c.charge != NULL:
            values[1] = c.charge[i]
        if c.direct_cost != NULL:
            values[2] = c.direct_cost[i]
        self.run_row[self.n_runs] = self.run.row
        self.run_start[self.n_runs] = <uint32_t>store.n
        self.n_runs += 1
        store.number[store.n] = number
        for m in range(MEASURES):
            if self.has[m] and not append_value(store, m, values[m]):
                self.lacks_memory = True
        if self.has[2] or (values[0] | values[1]) < 0:
            self.add_extras(store.number[store.n], values)
        store.n += 1

    cdef void keep_back(self, Places places, const Columns *c, Py_ssize_t n) noexcept nogil:
        """Pack scattered lines; those that need a closer look are given one."""
        cdef const int32_t *grid = &places.grid[0, 0]
        cdef const int32_t *cases = self.run_case
        cdef uint32_t n_labels = <uint32_t>places.n_labels, n_items = <uint32_t>places.n_items
        cdef uint32_t label, item
        cdef int32_t dept
        cdef uint8_t special = self.special_of(places, c)
        # Most books have no flag that asks for it.
        cdef bint looks_closer = (special & (places.all_flags | ALWAYS)) != 0
        cdef Py_ssize_t i
        self.find_only_cases(places, c, n)
        for i in range(n):
            # Codes below zero are the largest there are without a sign.
            label, item, dept = <uint32_t>c.dept[i], <uint32_t>c.item[i], -1
            if cases[i] >= 0 and (label < n_labels) & (item < n_items):
                dept = grid[<int64_t>c.unit[i] * n_labels + label]
            if (
                dept >= 0
                and not (looks_closer and places.needs_look(dept, item, special))
                and self.pack(c, i, cases[i], <int64_t>dept * n_items + item)
            ):
                self.n_lines += 1
            else:
                self.keep_or_store(places, c, i)

    cdef void find_only_cases(self, Places places, const Columns *c, Py_ssize_t n) noexcept nogil:
        """Case of each line of the month and a chosen unit; below zero unless it is the unit's own
        and the only one of its label.
        """
        cdef int32_t *cases = self.run_case
        cdef Py_ssize_t i
        if not places.by_unit:
            for i in range(n):
                cases[i] = -1
        elif places.by_label:
            find_own_cases(places, c, n, True, cases)
        else:
            find_own_cases(places, c, n, False, cases)
        if c.case_unit != NULL:
            for i in range(n):
                if c.case_unit[i] != EMPTY and c.case_unit[i] != c.unit[i]:
                    cases[i] = -1

    cdef inline bint pack(
        self, const Columns *c, Py_ssize_t i, int64_t row, int64_t key
    ) noexcept nogil:
        return pack_line(
            &self.packed_lines,
            row,
            key,
            c.quantity[i],
            0 if c.charge == NULL else c.charge[i],
            0 if c.direct_cost == NULL else c.direct_cost[i],
        )

    cdef void keep_or_store(self, Places places, const Columns *c, Py_ssize_t i) noexcept nogil:
        """Place line i and look at it closely; it is stored where it cannot be packed."""
        cdef int64_t unit = c.unit[i] if c.case_unit == NULL else self.case_unit_of(c, i)
        cdef int64_t dept, item = c.item[i], number
        self.place_run(places, c, i, places.case_of(unit, c.case[i]))
        if self.run.kind == OTHERS:
            return
        self.n_lines += 1
        dept = places.dept_of(self.run.unit, c.dept[i]) if self.run.kind == PLACED else -1
        if dept < 0 or not 0 <= item < places.n_items:
            self.n_odd += 1
            return
        if places.needs_look(dept, item, self.special_of(places, c)):
            self.look_closer(places, c, i, dept, item)
        if self.run.row >= places.n_cases or not self.pack(
            c, i, self.run.row, dept * places.n_items + item
        ):
            number = number_of(&self.activities, dept * places.n_items + item)
            if number == NO_MEMORY:
                self.lacks_memory = True
            else:
                self.store_line(c, i, <uint32_t>number)

    def kept_back(self):
        """The packed lines, brought to their ranges; see net_lines.pyi."""
        cdef PackedLines *lines = &self.packed_lines
        cdef int64_t n = lines.n, n_ranges = lines.layout.n_ranges, i, at
        cdef int64_t[::1] starts, places
        cdef uint64_t[::1] words
        cdef int32_t[::1] charges = None, direct_costs = None
        if n == 0:
            return None
        starts_array = np.zeros(n_ranges + 1, np.int64)
        starts = starts_array
        for i in range(n_ranges):
            starts[i + 1] = starts[i] + lines.counts[i]
        places = starts_array[:-1].copy()
        words_array, charges_array, direct_array = np.empty(n, np.uint64), None, None
        words = words_array
        if self.has[1]:
            charges = charges_array = np.empty(n, np.int32)
        if self.has[2]:
            direct_costs = direct_array = np.empty(n, np.int32)
        with nogil:
            for i in range(n):
                at = places[lines.ranges[i]]
                places[lines.ranges[i]] = at + 1
                words[at] = lines.words[i]
                if charges is not None:
                    charges[at] = lines.charges[i]
                if direct_costs is not None:
                    direct_costs[at] = lines.direct_costs[i]
        return starts_array, words_array, charges_array, direct_array

    def add_kept_back(self, list pieces not None, Py_ssize_t first, Py_ssize_t end):
        """Net the packed lines of some ranges, row after row; see net_lines.pyi."""
        cdef LineLayout layout = self.packed_lines.layout
        cdef int64_t n_ranges = layout.n_ranges, most = 0, total = self.n_stored()
        cdef int64_t lines, i
        cdef Py_ssize_t range_, n_pieces = len(pieces)
        cdef bint are_known = True
        cdef uint8_t[::1] memory
        cdef OfPiece *of_piece
        cdef int64_t[:, ::1] numbers
        cdef int64_t[::1] row_starts
        if not 0 <= first <= end <= n_ranges:
            raise ValueError("there are no such ranges")
        if n_pieces == 0:
            return
        memory = np.empty(n_pieces * sizeof(OfPiece), np.uint8)
        of_piece = <OfPiece *>&memory[0]
        for i in range(n_pieces):
            starts, words, charges, direct_costs = pieces[i]
            point_at(&of_piece[i], n_ranges, starts, words, charges, direct_costs)
        for range_ in range(first, end):
            lines = 0
            for i in range(n_pieces):
                lines += of_piece[i].starts[range_ + 1] - of_piece[i].starts[range_]
            most, total = max(most, lines), total + lines
        # Below it no sum of 32 bits can leave 62.
        if total > self.capacity or total > 1 << 30:
            raise ValueError("more lines than were announced")
        if most == 0:
            return
        if not self.room_for_block(most):
            raise MemoryError
        numbers = np.empty((MEASURES, most), np.int64)
        row_starts = np.empty((1 << layout.row_bits) + 1, np.int64)
        with nogil:
            for range_ in range(first, end):
                are_known &= self.net_range(range_, of_piece, n_pieces, numbers, &row_starts[0])
        if self.lacks_memory:
            raise MemoryError
        if not are_known:
            raise ValueError("a packed line is of no row")

    cdef bint net_range(
        self,
        Py_ssize_t range_,
        const OfPiece *pieces,
        Py_ssize_t n_pieces,
        int64_t[:, ::1] numbers,
        int64_t *row_starts,
    ) noexcept nogil:
        """Net the lines of one range, and open a run for each row; whether all rows exist."""
        cdef LineLayout layout = self.packed_lines.layout
        cdef int64_t n_rows = <int64_t>1 << layout.row_bits, first_row = range_ * n_rows
        cdef int64_t row, at, i, number, end = 0
        cdef uint64_t word
        cdef Py_ssize_t piece
        cdef Columns c
        memset(&c, 0, sizeof(c))
        memset(row_starts, 0, (n_rows + 1) * sizeof(int64_t))
        for piece in range(n_pieces):
            for i in range(pieces[piece].starts[range_], pieces[piece].starts[range_ + 1]):
                row_starts[row_of_word(layout, pieces[piece].words[i]) + 1] += 1
        for row in range(n_rows):
            row_starts[row + 1] += row_starts[row]
        for piece in range(n_pieces):
            for i in range(pieces[piece].starts[range_], pieces[piece].starts[range_ + 1]):
                word = pieces[piece].words[i]
                row = row_of_word(layout, word)
                at = row_starts[row]
                row_starts[row] = at + 1
                number = number_of(&self.activities, key_of_word(layout, word))
                self.lacks_memory |= number == NO_MEMORY
                self.number[at] = <uint32_t>number
                numbers[0, at] = quantity_of_word(layout, word)
                if self.has[1]:
                    numbers[1, at] = 0 if pieces[piece].charges == NULL else pieces[piece].charges[i]
                if self.has[2]:
                    numbers[2, at] = 0
                    if pieces[piece].direct_costs != NULL:
                        numbers[2, at] = pieces[piece].direct_costs[i]
        c.quantity = &numbers[0, 0]
        c.charge = &numbers[1, 0] if self.has[1] else NULL
        c.direct_cost = &numbers[2, 0] if self.has[2] else NULL
        # What was the start of a row is now its end.
        for row in range(n_rows):
            at, end = end, row_starts[row]
            if at == end:
                continue
            if first_row + row >= self.places.n_cases:
                return False
            self.run.row = <uint32_t>(first_row + row)
            self.open_run()
            self.net_run(&c, at, end)
        return True

    cdef void end_run(self) noexcept nogil:
        """Store the entries of the last run; nothing is netted with them any more."""
        cdef EntryStore *store = &self.entries
        cdef int64_t values[MEASURES]
        cdef int64_t n = self.scratch.n, i
        cdef int m
        if n == 0:
            if self.n_runs and self.run_start[self.n_runs - 1] == store.n:
                # It has no usable line.
                self.n_runs -= 1
            return
        for m in range(MEASURES):
            if self.has[m] and not append_measure(store, m, self.scratch.values[m], n):
                self.lacks_memory = True
                return
        if self.has[2] or (store.measures[0].signs | store.measures[1].signs) < 0:
            for i in range(n):
                for m in range(MEASURES):
                    values[m] = self.scratch.values[m][i] if self.has[m] else 0
                self.add_extras(store.number[store.n + i], values)
        store.n += n
        self.scratch.n = 0

    cdef inline void add_extras(self, uint32_t number, const int64_t *values) noexcept nogil:
        """Add an entry's purchase cost to its activity, and its measures below zero."""
        cdef int64_t *extra
        cdef int m
        if number >= self.n_extras and not self.room_for_extras():
            self.lacks_memory = True
            return
        extra = self.extras + EXTRAS * <int64_t>number
        extra[0] += values[2]
        for m in range(MEASURES):
            extra[1 + m] += min(values[m], <int64_t>0)

    cdef bint room_for_extras(self) noexcept nogil:
        """Room for what is added up of each activity so far; whether there was memory."""
        cdef int64_t *larger
        cdef int64_t size = self.n_extras
        if size >= self.activities.n:
            return True
        while size < self.activities.n:
            size = 2 * size + (1 << FEWEST_BITS)
        larger = <int64_t *>large_malloc(size * EXTRAS * sizeof(int64_t))
        if larger == NULL:
            return False
        memset(larger, 0, size * EXTRAS * sizeof(int64_t))
        if self.n_extras:
            memcpy(larger, self.extras, self.n_extras * EXTRAS * sizeof(int64_t))
        free(self.extras)
        self.extras, self.n_extras = larger, size
        return True

    cdef uint8_t special_of(self, Places places, const Columns *c) noexcept nogil:
        """Flags of departments and items whose lines need a closer look."""
        cdef uint8_t special = CLOSED
        if c.direct_cost == NULL:
            special |= DIRECT
        if places.orders_known or c.ordering != NULL:
            special |= MEDTECH
        if c.quantity_state != NULL or c.charge_state != NULL or c.direct_state != NULL:
            special |= ALWAYS
        return special | ALWAYS if c.ordering != NULL else special

    cdef inline int64_t case_unit_of(self, const Columns *c, Py_ssize_t i) noexcept nogil:
        return c.unit[i] if c.case_unit[i] == EMPTY else c.case_unit[i]

    cdef void place_run(
        self, Places places, const Columns *c, Py_ssize_t i, int32_t case
    ) noexcept nogil:
        """Say what the lines of the unit and case of line i are, and which row they belong to."""
        cdef Run *run = &self.run
        run.period, run.unit = c.period[i], c.unit[i]
        run.label = EMPTY if c.case == NULL else c.case[i]
        run.case_unit = run.unit if c.case_unit == NULL else self.case_unit_of(c, i)
        run.case = -1
        if run.period >= 0 and run.period != places.period:
            run.kind = OTHERS
        elif 0 <= run.unit < places.selected.shape[0] and not places.selected[run.unit]:
            run.kind = OTHERS
        elif run.period < 0 or not 0 <= run.unit < places.selected.shape[0] or run.case_unit < 0:
            run.kind = UNPLACED
        else:
            run.case = case
            run.kind = UNPLACED if run.label != EMPTY and run.case < 0 else PLACED
        if run.kind != PLACED:
            return
        if run.case >= 0 and run.case_unit == run.unit:
            run.row = <uint32_t>run.case
        else:
            run.row = <uint32_t>(
                places.n_cases
                + self.others.add_slot(run.unit * (places.n_cases + 1) + run.case + 1)
            )

    cdef void open_run(self) noexcept nogil:
        """Begin a run of entries, unless that of the same row goes on."""
        if self.n_runs and self.scratch.n and self.run_row[self.n_runs - 1] == self.run.row:
            # A new block, or lines without a place between.
            return
        self.end_run()
        self.run_row[self.n_runs] = self.run.row
        self.run_start[self.n_runs] = <uint32_t>self.entries.n
        self.n_runs += 1

    cdef void look_closer(
        self, Places places, const Columns *c, Py_ssize_t i, int64_t dept, int64_t item
    ) noexcept nogil:
        """Count line i if it is at fault, and add it to the orders of level 3."""
        cdef bint odd = (places.dept_flags[dept] & CLOSED) != 0
        cdef bint is_direct = (places.item_flags[item] & DIRECT) != 0
        cdef int64_t ordering = -1
        odd |= c.quantity_state != NULL and c.quantity_state[i] != 0
        odd |= c.charge_state != NULL and c.charge_state[i] == FAULT
        if c.direct_cost == NULL:
            odd |= is_direct
        elif c.direct_state != NULL and c.direct_state[i] != 0:
            odd |= is_direct or c.direct_state[i] == FAULT
        if c.ordering != NULL and c.ordering[i] != EMPTY:
            ordering = places.dept_of(self.run.unit, c.ordering[i])
            odd |= ordering < 0 and places.dept_of(self.run.case_unit, c.ordering[i]) < 0
        elif self.run.case >= 0 and self.run.case_unit == self.run.unit:
            ordering = places.case_dept[self.run.case]
        self.n_odd += odd
        if ordering >= 0 and places.dept_flags[dept] & MEDTECH:
            if places.may_receive[ordering] and not is_direct:
                self.add_order(c, i, dept * places.n_depts + ordering)

    cdef void add_order(self, const Columns *c, Py_ssize_t i, int64_t key) noexcept nogil:
        cdef int64_t slot = self.ordered.add_slot(key)
        self.order_sums[2 * slot] += c.quantity[i]
        if c.charge != NULL:
            self.order_sums[2 * slot + 1] += c.charge[i]

    def orders(self):
        """Key performing x departments + ordering department, and quantity and charge."""
        cdef int64_t i
        cdef int64_t[:, ::1] sums
        sums_array = np.empty((self.ordered.n, 2), np.int64)
        sums = sums_array
        for i in range(self.ordered.n):
            sums[i, 0], sums[i, 1] = self.order_sums[2 * i], self.order_sums[2 * i + 1]
        return self.ordered.known(), sums_array

    def finish(self):
        """The stretch's rows and entries; see net_lines.pyi."""
        self.end_run()
        self.run_start[self.n_runs] = <uint32_t>self.entries.n
        row_keys, starts, row_runs = self.rows()
        if self.lacks_memory:
            raise MemoryError
        keys, totals, charges = self.sums_of(starts)
        order = np.argsort(keys)
        rank = np.empty(len(keys), np.uint32)
        rank[order] = np.arange(len(keys), dtype=np.uint32)
        return keys[order], totals[order], row_keys, row_runs, charges, starts, rank

    cdef sums_of(self, const int64_t[::1] starts):
        """Keys of the activities as they came, their sums, and the charge of each row."""
        cdef int64_t number, row, i, n = self.activities.n, rows = starts.shape[0] - 1
        cdef const Measure *quantity = &self.entries.measures[0]
        cdef const Measure *charge = &self.entries.measures[1]
        cdef int m
        cdef int64_t[::1] keys, charges
        cdef int64_t[:, ::1] totals
        # Without purchase costs, and without anything below zero, two sums are all there is.
        width = 2 * MEASURES if self.n_extras else 2
        keys_array, totals_array = np.empty(n, np.int64), np.zeros((n, width), np.int64)
        charges_array = np.zeros(rows, np.int64)
        keys, totals, charges = keys_array, totals_array, charges_array
        with nogil:
            # Not line by line while they are netted: much else wants to be in the near cache then.
            for row in range(rows):
                for i in range(starts[row], starts[row + 1]):
                    number = self.entries.number[i]
                    totals[number, 0] += entry_value(quantity, i)
                    if self.has[1]:
                        totals[number, 1] += entry_value(charge, i)
                        charges[row] += entry_value(charge, i)
            for number in range(n):
                keys[number] = self.activities.keys[number]
                if number < self.n_extras:
                    for m in range(EXTRAS):
                        totals[number, 2 + m] = self.extras[EXTRAS * number + m]
        return keys_array, totals_array, charges_array

    cdef rows(self):
        """Row keys, where their entries start, and of how many runs each is; rows ascend."""
        cdef int64_t runs = self.n_runs, run
        cdef int64_t[::1] keys, starts
        keys_array = np.empty(runs, np.int64)
        keys = keys_array
        is_sorted = True
        for run in range(runs):
            keys[run] = self.key_of(self.run_row[run])
            if run and keys[run] <= keys[run - 1]:
                is_sorted = False
                break
        if not is_sorted:
            return self.regroup()
        starts_array = np.empty(runs + 1, np.int64)
        starts = starts_array
        for run in range(runs + 1):
            starts[run] = self.run_start[run]
        return keys_array, starts_array, np.ones(runs, np.int64)

    cdef inline int64_t key_of(self, uint32_t row) noexcept nogil:
        cdef int64_t case = row
        if case < self.places.n_cases:
            return self.places.case_unit[case] * (self.places.n_cases + 1) + case + 1
        return self.others.keys[case - self.places.n_cases]

    cdef regroup(self):
        """Bring the runs of each row together; a row of several runs is not netted over them."""
        cdef int64_t n_rows = self.places.n_cases + self.others.n, run, i
        cdef int64_t n_entries = self.entries.n
        cdef uint32_t row
        cdef uint32_t[:, ::1] counts = np.zeros((n_rows, 2), np.uint32)
        cdef int64_t[::1] next_entry
        cdef Record *record
        cdef int m
        if self.records == NULL:
            self.records = <Record *>large_malloc((self.capacity + 1) * sizeof(Record))
            if self.records == NULL:
                raise MemoryError
        with nogil:
            for run in range(self.n_runs):
                row = self.run_row[run]
                counts[row, 0] += self.run_start[run + 1] - self.run_start[run]
                counts[row, 1] += 1
        used = np.flatnonzero(np.asarray(counts)[:, 1])
        keys = self.keys_of(used)
        if (keys[1:] < keys[:-1]).any():
            order = np.argsort(keys)
            used, keys = used[order], keys[order]
        sizes, runs = np.asarray(counts)[used].T.astype(np.int64)
        starts = np.append(0, np.cumsum(sizes))
        places = np.empty(n_rows, np.int64)
        places[used] = starts[:-1]
        next_entry = places
        with nogil:
            # Whole entries go to their places, so that each touches one line of cache there.
            for run in range(self.n_runs):
                row = self.run_row[run]
                for i in range(self.run_start[run], self.run_start[run + 1]):
                    record = &self.records[next_entry[row]]
                    next_entry[row] += 1
                    record.number = self.entries.number[i]
                    for m in range(MEASURES):
                        if self.has[m]:
                            record.values[m] = entry_value(&self.entries.measures[m], i)
            for i in range(n_entries):
                self.entries.number[i] = self.records[i].number
            for m in range(MEASURES):
                if self.has[m]:
                    for i in range(n_entries):
                        set_entry_value(&self.entries.measures[m], i, self.records[i].values[m])
        return keys, starts, runs

    cdef keys_of(self, used):
        cdef const int64_t[::1] rows = used
        cdef int64_t i
        cdef int64_t[::1] keys
        keys_array = np.empty(len(used), np.int64)
        keys = keys_array
        for i in range(rows.shape[0]):
            keys[i] = self.key_of(<uint32_t>rows[i])
        return keys_array

    def bounds(self, Py_ssize_t measure):
        """What the measure of an entry is at least and at most, powers of two."""
        if not 0 <= measure < MEASURES:
            raise ValueError("there is no such measure")
        bits = self.entries.measures[measure].bits
        return -bits - 1 if self.entries.measures[measure].signs < 0 else 0, bits

    def take_activity(self, const uint32_t[::1] rank not None, activity_t[::1] activity not None):
        """Write the rank of each entry's activity."""
        cdef int64_t i
        if activity.shape[0] != self.entries.n or rank.shape[0] != self.activities.n:
            raise ValueError("ranks and entries do not fit")
        with nogil:
            for i in range(self.entries.n):
                activity[i] = <activity_t>rank[self.entries.number[i]]

    def take_measure(self, Py_ssize_t measure, int64_t step, packed_t[::1] values not None):
        """Write a measure of each entry in multiples of step; whether all are multiples."""
        cdef int64_t n = self.entries.n
        cdef bint whole
        if values.shape[0] != n or not 0 <= measure < MEASURES:
            raise ValueError("the measure and its place do not fit")
        if not self.has[measure] or step not in (1, WHOLE_SERVICE):
            raise ValueError("the stretch has no such measure, or steps are 1 or 10,000")
        if n == 0:
            return True
        with nogil:
            if self.entries.measures[measure].wide == NULL:
                whole = divide(self.entries.measures[measure].narrow, n, step == 1, &values[0])
            else:
                whole = divide(self.entries.measures[measure].wide, n, step == 1, &values[0])
        return whole


cdef int point_at(
    OfPiece *piece,
    int64_t n_ranges,
    const int64_t[::1] starts,
    const uint64_t[::1] words,
    const int32_t[::1] charges,
    const int32_t[::1] direct_costs,
) except -1:
    """Look at a piece's packed lines, which the caller keeps; refuse what does not fit."""
    cdef Py_ssize_t n, i
    cdef bint fit
    if starts is None or words is None:
        raise ValueError("a piece has words, and where its ranges start")
    n = words.shape[0]
    fit = starts.shape[0] == n_ranges + 1 and starts[0] == 0 and starts[n_ranges] == n
    for i in range(n_ranges if fit else 0):
        fit &= starts[i] <= starts[i + 1]
    if not fit:
        raise ValueError("packed lines and where their ranges start do not fit")
    piece.starts, piece.words = &starts[0], &words[0] if n else NULL
    piece.charges = first_or_null(charges, n)
    piece.direct_costs = first_or_null(direct_costs, n)
    return 0


cdef inline void find_own_cases(
    Places places, const Columns *c, Py_ssize_t n, bint by_label, int32_t *cases
) noexcept nogil:
    """The loop of find_only_cases. Inlined, for an order known."""
    cdef const int32_t *only_case = &places.only_case[0, 0]
    cdef const int32_t *first_of_unit = &places.first_of_unit[0]
    cdef const uint8_t *selected = &places.selected[0]
    cdef uint32_t n_labels = <uint32_t>places.only_case.shape[0]
    cdef uint32_t n_units = <uint32_t>places.grid.shape[0], label, unit
    cdef int32_t period = <int32_t>places.period, case
    cdef bint is_plain
    cdef Py_ssize_t i
    for i in range(n):
        if not by_label and i + CASES_AHEAD < n:
            label = <uint32_t>c.case[i + CASES_AHEAD]
            prefetch(&only_case[2 * (label if label < n_labels else 0)])
        # Codes below zero are the largest there are without a sign.
        unit, label = <uint32_t>c.unit[i], <uint32_t>c.case[i]
        is_plain = (c.period[i] == period) & (unit < n_units) & (label < n_labels)
        unit, label = unit if is_plain else 0, label if is_plain else 0
        case = <int32_t>label if by_label else only_case[2 * label]
        is_plain &= (case >= first_of_unit[unit]) & (case < first_of_unit[unit + 1])
        cases[i] = case if is_plain & selected[unit] else -1


cdef bint in_any_order(const int32_t *codes, Py_ssize_t n) noexcept nogil:
    """Whether so many lines are of a case before that of the line before."""
    cdef Py_ssize_t i
    cdef int32_t falls = 0
    if codes == NULL:
        return False
    for i in range(1, n):
        falls += codes[i] < codes[i - 1]
    return 4 * <int64_t>falls > n


cdef bint divide(
    const stored_t *given, int64_t n, bint as_they_are, packed_t *values
) noexcept nogil:
    """Write values as they are, or in whole services; whether all of them are such."""
    cdef int64_t i
    cdef stored_t quotient
    cdef int32_t rest = 0
    if as_they_are:
        for i in range(n):
            values[i] = <packed_t>given[i]
        return True
    if stored_t is int32_t and packed_t is int8_t:
        divide_to_int8(given, n, values, &rest)
    elif stored_t is int32_t and packed_t is int16_t:
        divide_to_int16(given, n, values, &rest)
    elif stored_t is int32_t and packed_t is int32_t:
        divide_to_int32(given, n, values, &rest)
    else:
        for i in range(n):
            quotient = given[i] // WHOLE_SERVICE
            values[i] = <packed_t>quotient
            rest |= given[i] != quotient * WHOLE_SERVICE
    return rest == 0
