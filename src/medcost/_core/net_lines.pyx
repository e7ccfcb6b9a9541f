"""Service lines netted into sparse rows (unit, case) x activity (department, item)."""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t

from medcost._core.int128 cimport add_overflows
from medcost._core.key_table cimport KeyTable
from medcost._core.sums import sort_order

cdef enum:
    EMPTY = -2
    FAULT = 2


cdef class Places:
    """What the codes of a line's labels mean; see net_lines.pyi."""

    cdef readonly int64_t n_depts, n_items, n_cases, n_labels, period
    cdef const int32_t[:, ::1] grid
    cdef const uint8_t[::1] selected, is_open, is_direct, orders_medtech, may_receive
    cdef const int32_t[::1] case_first, case_at, case_unit, case_dept

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
        largest = max(self.n_depts, 1) * max(self.n_items, self.n_depts, 1)
        if largest >= 1 << 62 or selected.shape[0] * (self.n_cases + 1) >= 1 << 62:
            raise OverflowError("departments x items or units x cases do not fit one key")
        self.grid, self.selected, self.is_open = dept_grid, selected, is_open
        self.is_direct, self.orders_medtech, self.may_receive = is_direct, is_medtech, may_receive
        self.case_first, self.case_at = case_first, case_at
        self.case_unit, self.case_dept = case_unit, case_dept
        self.period = period

    cdef int32_t dept_of(self, int64_t unit, int64_t label) noexcept nogil:
        if unit < 0 or label < 0 or label >= self.n_labels or unit >= self.grid.shape[0]:
            return -1
        return self.grid[unit, label]

    cdef int32_t case_of(self, int64_t unit, int64_t label) noexcept nogil:
        """Case of the unit with the label, -1 where there is none."""
        cdef int32_t i
        if label < 0 or label >= self.case_first.shape[0] - 1:
            return -1
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


cdef const int32_t *codes_or_null(const int32_t[::1] column, Py_ssize_t n) except? NULL:
    if column is None:
        return NULL
    if column.shape[0] != n:
        raise ValueError("the columns of a block differ in length")
    return &column[0] if n else NULL


cdef const int64_t *values_or_null(const int64_t[::1] column, Py_ssize_t n) except? NULL:
    if column is None:
        return NULL
    if column.shape[0] != n:
        raise ValueError("the columns of a block differ in length")
    return &column[0] if n else NULL


cdef const uint8_t *states_or_null(const uint8_t[::1] column, Py_ssize_t n) except? NULL:
    if column is None:
        return NULL
    if column.shape[0] != n:
        raise ValueError("the columns of a block differ in length")
    return &column[0] if n else NULL


cdef class LineNetter:
    """Nets the lines of one stretch of a file; see net_lines.pyi."""

    cdef Places places
    cdef KeyTable activities, ordered
    cdef int64_t n_entries, n_runs, capacity, run_first
    cdef readonly int64_t n_lines, n_odd
    cdef int64_t last_unit, last_case_unit, last_label, last_case
    cdef bint overflowed
    cdef int32_t[::1] slot, last_entry, other_slot
    cdef int64_t[::1] quantity, charge, direct_cost, run_key, run_start
    # Where entries go when they are regrouped; the two sets change places, so that no memory
    # is touched for the first time twice.
    cdef int64_t[::1] other_quantity, other_charge, other_direct_cost
    cdef int64_t[:, ::1] order_sums

    def __init__(self, Places places not None):
        self.places = places
        self.activities, self.ordered = KeyTable(), KeyTable()
        self.order_sums = np.zeros((64, 2), np.int64)
        self.last_entry = np.full(1024, -1, np.int32)
        self.capacity = -1
        self.begin(0)

    def begin(self, Py_ssize_t rows):
        """Forget the stretch before; rows: at most so many lines come."""
        if rows >= 1 << 31:
            raise ValueError("a stretch has fewer than 2^31 lines")
        if rows > self.capacity:
            self.slot, self.other_slot = np.empty(rows, np.int32), np.empty(rows, np.int32)
            self.quantity, self.charge, self.direct_cost, self.run_key, self.run_start = (
                np.empty(rows + 1, np.int64) for _ in range(5)
            )
            self.other_quantity, self.other_charge, self.other_direct_cost = (
                np.empty(rows + 1, np.int64) for _ in range(3)
            )
            self.capacity = rows
        self.activities.reset()
        self.ordered.reset()
        np.asarray(self.last_entry)[:] = -1
        np.asarray(self.order_sums)[:] = 0
        self.n_entries = self.n_runs = self.run_first = self.n_lines = self.n_odd = 0
        self.last_unit = self.last_case_unit = self.last_label = -3
        self.last_case = -1
        self.overflowed = False

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
        if self.n_entries + n > self.capacity:
            raise ValueError("more lines than were announced")
        c.period, c.unit = codes_or_null(period, n), codes_or_null(unit, n)
        c.dept, c.item = codes_or_null(dept, n), codes_or_null(item, n)
        c.case, c.case_unit = codes_or_null(case, n), codes_or_null(case_unit, n)
        c.ordering, c.quantity = codes_or_null(ordering, n), values_or_null(quantity, n)
        c.charge, c.direct_cost = values_or_null(charge, n), values_or_null(direct_cost, n)
        c.quantity_state = states_or_null(quantity_state, n)
        c.charge_state = states_or_null(charge_state, n)
        c.direct_state = states_or_null(direct_state, n)
        self.activities.reserve(n)
        self.ordered.reserve(n)
        self.last_entry = grown(self.last_entry, self.activities.n + n)
        if self.order_sums.shape[0] < self.ordered.n + n:
            self.order_sums = np.concatenate(
                [self.order_sums, np.zeros((self.ordered.n + n, 2), np.int64)]
            )
        with nogil:
            self.net(self.places, &c, n)
        if self.overflowed:
            raise OverflowError("quantities, charges or purchase costs do not fit 64 bits")

    cdef void net(self, Places places, const Columns *c, Py_ssize_t n) noexcept nogil:
        cdef Py_ssize_t i
        cdef int64_t unit, dept, item, case_unit, label, case_, key, ordering
        cdef bint odd
        for i in range(n):
            if c.period[i] >= 0 and c.period[i] != places.period:
                continue
            unit = c.unit[i]
            if unit >= 0 and not places.selected[unit]:
                continue
            self.n_lines += 1
            if c.period[i] < 0 or unit < 0:
                self.n_odd += 1
                continue
            dept, item = places.dept_of(unit, c.dept[i]), c.item[i]
            case_unit = unit
            if c.case_unit != NULL and c.case_unit[i] != EMPTY:
                case_unit = c.case_unit[i]
            label = EMPTY if c.case == NULL else c.case[i]
            if (
                label != self.last_label
                or unit != self.last_unit
                or case_unit != self.last_case_unit
            ):
                self.last_case = places.case_of(case_unit, label)
                self.last_label, self.last_unit = label, unit
                self.last_case_unit = case_unit
                # The next usable line begins a run, whatever the one before was.
                self.run_first = self.n_entries
                key = unit * (places.n_cases + 1) + self.last_case + 1
                self.run_key[self.n_runs] = key
                if self.n_runs == 0 or self.run_start[self.n_runs - 1] < self.n_entries:
                    self.run_start[self.n_runs] = self.n_entries
                    self.n_runs += 1
                else:
                    self.run_key[self.n_runs - 1] = key
            case_ = self.last_case
            if (
                dept < 0 or item < 0 or case_unit < 0 or (label != EMPTY and case_ < 0)
            ):
                self.n_odd += 1
                continue
            odd = not places.is_open[dept]
            odd |= c.quantity_state != NULL and c.quantity_state[i] != 0
            odd |= c.charge_state != NULL and c.charge_state[i] == FAULT
            if c.direct_cost == NULL:
                odd |= places.is_direct[item]
            elif c.direct_state != NULL and c.direct_state[i] != 0:
                odd |= c.direct_state[i] == FAULT or places.is_direct[item] != 0
            ordering = places.case_dept[case_] if case_ >= 0 and case_unit == unit else -1
            if c.ordering != NULL and c.ordering[i] != EMPTY:
                ordering = places.dept_of(unit, c.ordering[i])
                odd |= ordering < 0 and places.dept_of(case_unit, c.ordering[i]) < 0
            self.n_odd += odd
            if ordering >= 0 and places.orders_medtech[dept]:
                if places.may_receive[ordering] and not places.is_direct[item]:
                    self.add_order(c, i, dept * places.n_depts + ordering)
            self.add_entry(c, i, dept * places.n_items + item)

    cdef inline void add_entry(self, const Columns *c, Py_ssize_t i, int64_t key) noexcept nogil:
        """Add line i to the run's entry of its activity, or begin one."""
        cdef int64_t slot = self.activities.add_slot(key)
        cdef int64_t at = self.last_entry[slot]
        cdef bint wraps = False
        if at >= self.run_first:
            wraps = add_overflows(self.quantity[at], c.quantity[i], &self.quantity[at])
            if c.charge != NULL:
                wraps |= add_overflows(self.charge[at], c.charge[i], &self.charge[at])
            if c.direct_cost != NULL:
                wraps |= add_overflows(
                    self.direct_cost[at], c.direct_cost[i], &self.direct_cost[at]
                )
            self.overflowed |= wraps
            return
        at = self.n_entries
        self.last_entry[slot] = <int32_t>at
        self.slot[at] = <int32_t>slot
        self.quantity[at] = c.quantity[i]
        self.charge[at] = 0 if c.charge == NULL else c.charge[i]
        self.direct_cost[at] = 0 if c.direct_cost == NULL else c.direct_cost[i]
        self.n_entries += 1

    cdef void add_order(self, const Columns *c, Py_ssize_t i, int64_t key) noexcept nogil:
        cdef int64_t slot = self.ordered.add_slot(key)
        cdef bint wraps = add_overflows(
            self.order_sums[slot, 0], c.quantity[i], &self.order_sums[slot, 0]
        )
        if c.charge != NULL:
            wraps |= add_overflows(
                self.order_sums[slot, 1], c.charge[i], &self.order_sums[slot, 1]
            )
        self.overflowed |= wraps

    def orders(self):
        """Key performing x departments + ordering department, and quantity and charge."""
        n = len(self.ordered)
        return self.ordered.known(), np.asarray(self.order_sums)[:n].copy()

    def finish(self):
        """The stretch's rows and entries; see net_lines.pyi."""
        cdef int64_t n = self.n_entries, runs = self.n_runs
        if runs and self.run_start[runs - 1] == n:
            # The last run has no usable line.
            runs -= 1
        keys = np.asarray(self.run_key)[:runs]
        starts = np.append(np.asarray(self.run_start)[:runs], n)
        if runs and (keys[1:] <= keys[:-1]).any():
            keys, starts = self.regroup(keys, starts)
            n = starts[len(starts) - 1]
        known = self.activities.known()
        rank = np.empty(len(known), np.int32)
        order = np.argsort(known)
        rank[order] = np.arange(len(known), dtype=np.int32)
        slots = np.asarray(self.slot)[:n]
        return (
            known[order],
            keys.copy(),
            starts,
            rank.take(slots),
            np.asarray(self.quantity)[:n],
            np.asarray(self.charge)[:n],
            np.asarray(self.direct_cost)[:n],
        )

    cdef regroup(self, keys, starts):
        """Bring the runs of a row together and net them; rows ascend."""
        cdef int64_t at, row, rows, entry, run, first
        cdef const int64_t[::1] order = sort_order(keys)
        cdef const int64_t[::1] old_keys = keys, old_starts = starts
        cdef int32_t[::1] slot = self.other_slot
        cdef int64_t[::1] quantity = self.other_quantity, charge = self.other_charge
        cdef int64_t[::1] direct_cost = self.other_direct_cost
        row_keys_array = np.empty(len(keys), np.int64)
        row_starts_array = np.empty(len(keys) + 1, np.int64)
        cdef int64_t[::1] row_keys = row_keys_array, row_starts = row_starts_array
        cdef int32_t[::1] last = np.full(len(self.activities), -1, np.int32)
        cdef bint wraps = False
        with nogil:
            rows = at = first = 0
            for run in range(order.shape[0]):
                if rows == 0 or old_keys[order[run]] != row_keys[rows - 1]:
                    row_keys[rows] = old_keys[order[run]]
                    row_starts[rows] = first = at
                    rows += 1
                for entry in range(old_starts[order[run]], old_starts[order[run] + 1]):
                    row = last[self.slot[entry]]
                    if row >= first:
                        wraps |= add_overflows(quantity[row], self.quantity[entry], &quantity[row])
                        wraps |= add_overflows(charge[row], self.charge[entry], &charge[row])
                        wraps |= add_overflows(
                            direct_cost[row], self.direct_cost[entry], &direct_cost[row]
                        )
                    else:
                        last[self.slot[entry]] = <int32_t>at
                        slot[at] = self.slot[entry]
                        quantity[at] = self.quantity[entry]
                        charge[at] = self.charge[entry]
                        direct_cost[at] = self.direct_cost[entry]
                        at += 1
            row_starts[rows] = at
        if wraps:
            raise OverflowError("quantities, charges or purchase costs do not fit 64 bits")
        self.slot, self.other_slot = slot, self.slot
        self.quantity, self.other_quantity = quantity, self.quantity
        self.charge, self.other_charge = charge, self.charge
        self.direct_cost, self.other_direct_cost = direct_cost, self.direct_cost
        return row_keys_array[:rows], row_starts_array[: rows + 1]


cdef int32_t[::1] grown(int32_t[::1] last_entry, int64_t wanted):
    """Room for wanted slots; new ones have no entry yet."""
    if last_entry.shape[0] >= wanted:
        return last_entry
    more = np.full(2 * wanted, -1, np.int32)
    more[: last_entry.shape[0]] = last_entry
    return more
