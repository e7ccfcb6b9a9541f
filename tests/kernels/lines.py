"""Generated service lines in codes, and their netting line by line in dictionaries."""

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.twins import int64
from medcost._core.net_lines import LineNetter, Places
from medcost._core.pages import PageColumn

Line = dict[str, int]
UNKNOWN, EMPTY = -1, -2
ROW_EMPTY, FAULT = 1, 2
CODES = ("period", "unit", "dept", "item", "case", "case_unit", "ordering")
MEASURES = ("quantity", "charge", "direct_cost")
STATES = {"quantity": "quantity_state", "charge": "charge_state", "direct_cost": "direct_state"}


@dataclass(frozen=True)
class World:
    """Units, departments, items and cases; cases are (unit, label, department or -1)."""

    grid: list[list[int]]
    selected: list[bool]
    is_open: list[bool]
    is_direct: list[bool]
    is_medtech: list[bool]
    may_receive: list[bool]
    cases: list[tuple[int, int, int]]
    n_case_labels: int
    period: int = 1

    def dept_of(self, unit: int, label: int) -> int:
        return self.grid[unit][label] if unit >= 0 and label >= 0 else -1

    def case_of(self, unit: int, label: int) -> int:
        found = [i for i, (u, name, _) in enumerate(self.cases) if (u, name) == (unit, label)]
        return found[0] if found else -1

    def row_key(self, unit: int, case: int) -> int:
        return unit * (len(self.cases) + 1) + case + 1

    def activity_key(self, dept: int, item: int) -> int:
        return dept * len(self.is_direct) + item

    def arrays(self) -> list[Any]:
        """Return what Places takes."""
        flags = (self.selected, self.is_open, self.is_direct, self.is_medtech, self.may_receive)
        labels = [label for _, label, _ in self.cases]
        by_label = sorted(range(len(labels)), key=lambda i: (labels[i], i))
        first = [sum(label < n for label in labels) for n in range(self.n_case_labels + 1)]
        return [
            np.array(self.grid, np.int32),
            *(np.array(flag, np.uint8) for flag in flags),
            np.array(first, np.int32),
            np.array(by_label, np.int32),
            np.array([unit for unit, _, _ in self.cases], np.int32),
            np.array([dept for _, _, dept in self.cases], np.int32),
            self.period,
        ]

    def places(self) -> Places:
        return Places(*self.arrays())


@dataclass
class Netted:
    """What a stretch comes to: entries by (row key, activity key), and all sums over them."""

    entries: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    charges: dict[int, int] = field(default_factory=dict)
    orders: dict[int, list[int]] = field(default_factory=dict)
    totals: dict[int, list[int]] = field(default_factory=dict)
    n_lines: int = 0
    n_odd: int = 0


def make_world(rng: random.Random) -> World:
    """Return three units whose departments share labels; some labels are unknown to a unit."""
    n_units, n_labels, n_items, n_case_labels = 3, rng.randint(1, 5), rng.randint(1, 5), 4
    grid, n_depts = [], 0
    for _ in range(n_units):
        known = [rng.random() < 0.8 for _ in range(n_labels)]
        grid.append([n_depts + sum(known[:i]) if known[i] else -1 for i in range(n_labels)])
        n_depts += sum(known)

    def flags(n: int, chance: float) -> list[bool]:
        return [rng.random() < chance for _ in range(n)]

    pairs = [(unit, label) for unit in range(n_units) for label in range(n_case_labels)]
    pairs = rng.sample(pairs, rng.randint(0, len(pairs)))
    names_depts = rng.random() < 0.7
    cases = [
        (unit, label, rng.choice((-1, *grid[unit])) if names_depts else -1) for unit, label in pairs
    ]
    return World(
        grid,
        [True, rng.random() < 0.5, rng.random() < 0.8],
        flags(n_depts, 0.8),
        flags(n_items, 0.4),
        flags(n_depts, 0.5),
        flags(n_depts, 0.7),
        cases,
        n_case_labels,
    )


def make_lines(world: World, rng: random.Random) -> list[Line]:
    """Return lines of a stretch, by case or scattered; all have the same columns."""
    left_out = {
        name
        for name in ("case", "case_unit", "ordering", "charge", "direct_cost")
        if rng.random() < 0.2
    }
    n_units, n_labels, n_items = len(world.grid), len(world.grid[0]), len(world.is_direct)
    whole, faulty = rng.random() < 0.5, rng.random() < 0.5
    largest = rng.choice((1, 100, 30_000, 10**9, 10**12))

    def code(n: int, empty: float = 0.03) -> int:
        place = rng.random()
        return EMPTY if place < empty else UNKNOWN if place > 0.97 else rng.randrange(n)

    lines = []
    for _ in range(rng.randint(0, 60)):
        unit = code(n_units)
        line = {
            "period": 1 if rng.random() < 0.85 else rng.choice((EMPTY, UNKNOWN, 0, 2)),
            "unit": unit,
            "dept": code(n_labels),
            "item": code(n_items),
            "case": code(world.n_case_labels, 0.3),
            "case_unit": rng.choice((EMPTY, EMPTY, unit, code(n_units))),
            "ordering": code(n_labels, 0.5),
        }
        for name in MEASURES:
            value = rng.choice((rng.randint(-5, 5), rng.randint(-largest, largest)))
            state = rng.choice((0, 0, 0, ROW_EMPTY, FAULT)) if faulty else 0
            line[name] = 0 if state else value * (10**4 if whole and name == "quantity" else 1)
            line[STATES[name]] = state
        gone = left_out | {STATES[name] for name in left_out if name in STATES}
        lines.append({name: value for name, value in line.items() if name not in gone})
    if rng.random() < 0.6:
        lines.sort(key=lambda line: (line["unit"], line.get("case", 0), line.get("case_unit", 0)))
    return lines


def columns_of(lines: list[Line], rng: random.Random | None = None) -> dict[str, NDArray[Any]]:
    """Return the lines as arrays by argument of add; states only where one is not fine."""
    columns: dict[str, NDArray[Any]] = {}
    for name in lines[0]:
        values = [line[name] for line in lines]
        if name in MEASURES:
            columns[name] = int64(values)
        elif name in CODES:
            columns[name] = np.array(values, np.int32)
        elif any(values) or (rng is not None and rng.random() < 0.2):
            columns[name] = np.array(values, np.uint8)
    return columns


def net(
    netter: LineNetter,
    lines: list[Line],
    rng: random.Random | None = None,
    keep_back: bool = False,
) -> None:
    """Give the lines to a netter, as one block or, with rng, as several."""
    spare = rng.choice((0, 0, 5)) if rng else 0
    has = [bool(lines) and name in lines[0] for name in ("charge", "direct_cost")]
    netter.begin(len(lines) + spare, *has, keep_back)
    cuts = sorted(rng.choices(range(len(lines) + 1), k=rng.randint(0, 5))) if rng else []
    for first, end in zip([0, *cuts], [*cuts, len(lines)], strict=True):
        if first < end:
            netter.add(**columns_of(lines[first:end], rng))


def net_by_pages(netter: LineNetter, lines: list[Line], rng: random.Random) -> None:
    """Give the lines to a netter as pages of each column, cut anywhere, in blocks of any size."""
    has = [bool(lines) and name in lines[0] for name in ("charge", "direct_cost")]
    netter.begin(len(lines) + rng.choice((0, 0, 5)), *has)
    if not lines:
        return
    block_rows = rng.choice((1, 3, 10, 100))
    names = [name if name in lines[0] else None for name in (*CODES, *MEASURES)]
    columns = [name and PageColumn(name in CODES, False, block_rows) for name in names]
    pages = [name and pages_of(lines, name, rng) for name in names]
    left, at = len(lines), 0
    while at >= 0:
        at, n = netter.add_pages(columns, left)
        left -= n
        if at >= 0:
            values, states = pages[at].pop(0)
            columns[at].open_page(np.empty(0, np.uint8), len(values))
            columns[at].set_values(values, states)
    assert left == 0
    assert not any(pages)


def pages_of(lines: list[Line], name: str, rng: random.Random) -> list[Any]:
    """Return a column's values and states in pages of a few lines or many, or of none."""
    cuts = sorted(rng.choices(range(len(lines) + 1), k=rng.randint(0, 5)))
    pages = []
    for first, end in zip([0, *cuts], [*cuts, len(lines)], strict=True):
        column = columns_of(lines[first:end] or lines[:1], rng)
        values, states = column[name], column.get(STATES.get(name, name))
        if name in CODES or (states is not None and not states.any()):
            states = None
        n = end - first
        pages.append((values[:n], states if states is None else states[:n]))
    while pages and not len(pages[-1][0]):
        pages.pop()
    return pages


def netted_by(netter: LineNetter) -> Netted:
    """Return what the netter found, rows and activities checked to ascend.

    The sums below zero are checked to be those of the entries as they are stored: a row of
    several runs is not netted over them.
    """
    keys, totals, row_keys, row_runs, charges, starts, rank = netter.finish()
    assert (np.diff(keys) > 0).all()
    assert (np.diff(row_keys) > 0).all()
    assert (np.diff(starts) > 0).all()
    assert (row_runs > 0).all()
    n = int(starts[-1])
    activity = np.empty(n, np.uint32)
    netter.take_activity(rank, activity)
    measures = np.zeros((3, n), np.int64)
    for m in range(3):
        values = np.empty(n, np.int64)
        try:
            netter.take_measure(m, 1, values)
        except ValueError:
            continue
        measures[m] = values
    rows = np.repeat(row_keys, np.diff(starts)).tolist()
    at = list(zip(rows, keys[activity].tolist(), strict=True))
    several = {
        row for row, runs in zip(row_keys.tolist(), row_runs.tolist(), strict=True) if runs > 1
    }
    assert all(row in several for row, _ in (place for place, k in Counter(at).items() if k > 1))
    if totals.shape[1] == 2:
        totals = np.pad(totals, ((0, 0), (0, 4)))
    below = np.zeros((len(keys), 3), np.int64)
    np.add.at(below, activity, np.minimum(measures.T, 0))
    assert below.tolist() == totals[:, 3:].tolist()
    entries: dict[tuple[int, int], list[int]] = {}
    for place, values in zip(at, measures.T.tolist(), strict=True):
        known = entries.setdefault(place, [0, 0, 0])
        entries[place] = [a + b for a, b in zip(known, values, strict=True)]
    order_keys, order_sums = netter.orders()
    return Netted(
        entries,
        dict(zip(row_keys.tolist(), charges.tolist(), strict=True)),
        dict(zip(order_keys.tolist(), order_sums.tolist(), strict=True)),
        dict(zip(keys.tolist(), totals[:, :3].tolist(), strict=True)),
        netter.n_lines,
        netter.n_odd,
    )


def netted_by_twin(world: World, lines: list[Line]) -> Netted:
    """Return what the lines come to, one after the other."""
    netted = Netted()
    entries: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    charges: dict[int, int] = defaultdict(int)
    orders: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for line in lines:
        unit, label = line["unit"], line.get("case", EMPTY)
        case_unit = line.get("case_unit", EMPTY)
        case_unit = unit if case_unit == EMPTY else case_unit
        is_of_another = line["period"] >= 0 and line["period"] != world.period
        if is_of_another or (unit >= 0 and not world.selected[unit]):
            continue
        netted.n_lines += 1
        case = world.case_of(case_unit, label)
        has_row = min(line["period"], unit, case_unit) >= 0 and (label == EMPTY or case >= 0)
        dept, item = world.dept_of(unit, line["dept"]), line["item"]
        if not has_row or dept < 0 or item < 0:
            netted.n_odd += 1
            continue
        ordering, is_faulty = ordered_by(world, line, case_unit, case)
        netted.n_odd += is_faulty or is_odd(world, line, dept)
        row, activity = world.row_key(unit, case), world.activity_key(dept, item)
        measures = [line.get(name, 0) for name in MEASURES]
        for m, value in enumerate(measures):
            entries[row, activity][m] += value
        charges[row] += measures[1]
        clinical = ordering >= 0 and world.may_receive[ordering]
        if world.is_medtech[dept] and clinical and not world.is_direct[item]:
            pair = orders[dept * len(world.is_open) + ordering]
            pair[0], pair[1] = pair[0] + measures[0], pair[1] + measures[1]
    totals: dict[int, list[int]] = defaultdict(lambda: [0] * 3)
    for (_, activity), measures in entries.items():
        for m, value in enumerate(measures):
            totals[activity][m] += value
    netted.entries, netted.charges = dict(entries), dict(charges)
    netted.orders, netted.totals = dict(orders), dict(totals)
    return netted


def ordered_by(world: World, line: Line, case_unit: int, case: int) -> tuple[int, bool]:
    """Return the department that ordered a line, -1 for none, and whether it names no one."""
    label, unit = line.get("ordering", EMPTY), line["unit"]
    if label != EMPTY:
        ordering = world.dept_of(unit, label)
        return ordering, ordering < 0 and world.dept_of(case_unit, label) < 0
    return (world.cases[case][2] if case >= 0 and case_unit == unit else -1), False


def is_odd(world: World, line: Line, dept: int) -> bool:
    """Say whether a line that has its place is of a closed department or lacks a number."""
    is_direct = world.is_direct[line["item"]]
    direct_state = line.get("direct_state", ROW_EMPTY)
    return (
        not world.is_open[dept]
        or line["quantity_state"] != 0
        or line.get("charge_state") == FAULT
        or direct_state == FAULT
        or (is_direct and direct_state != 0)
    )
