"""The matrix of a DRG group: what it costs by element and by the service group that rendered it.

A cell's exact cost is the sum over its cases and departments of pool x net measure / the
department's net measure, as a case's is (arithmetic rule 3d). The cells of a group and element
are rounded together once, by rule 2, to what its cases were rounded to; direct items and openings
are whole fen and add.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from medcost._core.case_cost import activity_rates
from medcost._core.group_cells import add_measures, round_groups
from medcost._core.sums import add_rows, sort_order
from medcost.balance import add_at, require_equal
from medcost.costing.activity_matrix import DIRECT_COST, ActivityMatrix, MatrixPart
from medcost.costing.drg_groups import DrgCosts
from medcost.costing.exact_rows import net_entries
from medcost.costing.fixed_costs import base_of_part
from medcost.costing.service_items import ServiceItemCosts
from medcost.costing.together import round_fractions
from medcost.period_book import PeriodBook
from medcost.records import dataclass
from medcost.tables import ELEMENTS
from medcost.threads import OfThreads, map_in_threads

LANES = 8
# Measure of each entry of a part, and what one of it is.
_Measured: TypeAlias = tuple[NDArray[np.signedinteger], int]
# Parts with groups less than one in so many of all add them up by themselves.
NEAR_GROUPS = 8


@dataclass(frozen=True)
class DrgMatrix:
    """Cost of each DRG group by service group.

    labels: service groups, sorted by their bytes; the first, '', stands for what cases brought
    from earlier months. group: position among the groups of DrgCosts, ascending; service:
    position in labels, ascending within a group [cells]; fen [cells, elements].
    """

    labels: tuple[str, ...]
    group: NDArray[np.int64]
    service: NDArray[np.int64]
    fen: NDArray[np.int64]


@dataclass(frozen=True)
class _Layout:
    """Columns of each group, one a department, and cells, each of columns that stand together.

    unit [groups]; first: first column of each group, and the end [groups + 1]; dept [columns];
    starts: first cell of each group, and the end [groups + 1]; columns: first column of each cell,
    and the end [cells + 1]; service: service group of each cell; column_of, cell_of: place of each
    department among the columns and cells of a group of its unit, -1 for departments that cost
    nobody anything [departments].
    """

    unit: NDArray[np.int64]
    first: NDArray[np.int64]
    dept: NDArray[np.int64]
    starts: NDArray[np.int64]
    columns: NDArray[np.int64]
    service: NDArray[np.int64]
    column_of: NDArray[np.int64]
    cell_of: NDArray[np.int64]

    @cached_property
    def group(self) -> NDArray[np.int64]:
        """Group of each cell."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


def cost_drg_matrix(
    book: PeriodBook,
    service_groups: tuple[str, ...],
    items: ServiceItemCosts,
    groups: DrgCosts,
) -> DrgMatrix:
    """Break the cost of every group down by service group. service_groups: of each department.

    Raises InvariantBroken if a group's cells do not add up to its cost. Time O(entries x lanes).
    """
    matrix = items.matrix
    labels = ("", *sorted(set(service_groups)))
    place = {label: i for i, label in enumerate(labels)}
    layout = _lay_out(items, groups.unit, [place[label] for label in service_groups])
    case_unit = np.append(book.cases.unit, -1)[matrix.row_case]
    own = (matrix.row_case >= 0) & (case_unit == matrix.row_unit)
    group_of_row = np.where(own, np.append(groups.of_case, -1)[matrix.row_case], -1)
    fen = _whole_costs(book, items, layout, groups.of_case, group_of_row)
    shared_out = groups.cost - _by_group(fen, layout)
    used = _used(items, layout, group_of_row)

    def round_element(element: int) -> None:
        totals = np.ascontiguousarray(shared_out[:, element])
        fen[:, element] += _rounded(items, layout, group_of_row, used, element, totals)

    map_in_threads(round_element, range(len(ELEMENTS)), matrix.threads)
    sums = _by_group(fen, layout)
    require_equal("a group's matrix = its cost", sums.astype(object), groups.cost.astype(object))
    return DrgMatrix(labels, layout.group, layout.service, fen)


def _lay_out(
    items: ServiceItemCosts, unit_of_group: NDArray[np.int64], service: list[int]
) -> _Layout:
    """The columns and cells of groups, which are sorted by unit; service: of each department."""
    n_depts = len(items.dept_unit)
    costs = np.asarray(items.pool_left.any(axis=1), np.bool_)
    costs[items.matrix.activity_dept[items.traced.at_cost]] = True
    costs[items.matrix.activity_dept[items.traced.split_activity]] = True
    column_of, cell_of = np.full(n_depts, -1), np.full(n_depts, -1)
    first, starts, columns = [np.zeros(1, np.int64)], [np.zeros(1, np.int64)], []
    dept, of_cell = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    n_columns = n_cells = 0
    for unit in np.unique(unit_of_group).tolist():
        n_groups = np.count_nonzero(unit_of_group == unit)
        mine = np.flatnonzero(costs & (items.dept_unit == unit))
        mine = mine[np.argsort(np.array(service, np.int64)[mine], kind="stable")]
        # The first cell, '', has no column: it takes what cases brought with them.
        found, first_column, cell = np.unique(
            [0, *(service[d] for d in mine.tolist())], return_index=True, return_inverse=True
        )
        column_of[mine], cell_of[mine] = np.arange(len(mine)), cell[1:]
        every = np.arange(1, n_groups + 1)
        first.append(n_columns + every * len(mine))
        starts.append(n_cells + every * len(found))
        offsets = np.maximum(first_column - 1, 0)
        columns.append((n_columns + (every[:, None] - 1) * len(mine) + offsets).reshape(-1))
        dept.append(np.tile(mine, n_groups))
        of_cell.append(np.tile(found, n_groups))
        n_columns, n_cells = int(first[-1][-1]), int(starts[-1][-1])
    return _Layout(
        unit_of_group,
        np.concatenate(first),
        np.concatenate(dept),
        np.concatenate(starts),
        np.concatenate([*columns, [n_columns]]),
        np.concatenate(of_cell),
        column_of,
        cell_of,
    )


def _by_group(fen: NDArray[np.int64], layout: _Layout) -> NDArray[np.int64]:
    """Sums of the cells of each group, fen [groups, elements]."""
    sums = np.zeros((len(layout.starts) - 1, len(ELEMENTS)), np.int64)
    add_rows(sums, layout.group, fen)
    return sums


def _whole_costs(
    book: PeriodBook,
    items: ServiceItemCosts,
    layout: _Layout,
    group_of_case: NDArray[np.int64],
    group_of_row: NDArray[np.int64],
) -> NDArray[np.int64]:
    """What is whole fen already: direct items and openings, fen [cells, elements]."""
    matrix, traced = items.matrix, items.traced
    at_cost = np.flatnonzero(traced.at_cost)
    fen = np.zeros((len(layout.service), LANES), np.int64)
    if len(at_cost):
        weights = np.zeros((len(matrix.activity_dept), LANES), np.int64)
        weights[at_cost, traced.element[at_cost]] = 1
        cell = np.where(traced.at_cost, layout.cell_of[matrix.activity_dept], -1)

        def purchase(part: MatrixPart, _: NDArray[np.int64]) -> _Measured:
            return part.measure(DIRECT_COST), part.step(DIRECT_COST)

        _add_up(matrix, group_of_row, layout.starts, weights, cell, purchase, fen)
    fen = np.ascontiguousarray(fen[:, : len(ELEMENTS)])
    group = group_of_row[traced.split_row]
    known = np.flatnonzero(group >= 0)
    activity = traced.split_activity[known]
    place = layout.starts[group[known]] + layout.cell_of[matrix.activity_dept[activity]]
    add_at(fen, place, traced.element[activity], traced.split_fen[known])
    if book.cases.opening.any():
        grouped = np.flatnonzero(group_of_case >= 0)
        add_rows(fen, layout.starts[group_of_case[grouped]], book.cases.opening[grouped])
    return fen


def _add_up(
    matrix: ActivityMatrix,
    group_of_row: NDArray[np.int64],
    first: NDArray[np.int64],
    weights: NDArray[np.int64],
    column: NDArray[np.int64],
    measured: Callable[[MatrixPart, NDArray[np.int64]], _Measured],
    sums: NDArray[np.int64],
) -> None:
    """Add weight x measure of every entry to the place of its group and activity, in place.

    first: first place of each group, and the end [groups + 1]; weights, column [activities];
    sums: [places, lanes], modulo 2^64.
    """
    of_threads = OfThreads(lambda: np.zeros_like(sums))
    adding = threading.Lock()

    def look(part: MatrixPart) -> None:
        of_part = group_of_row[matrix.receivers_of(part)]
        rows = np.flatnonzero(of_part >= 0)
        if not len(rows):
            return
        rows = rows[sort_order(of_part[rows])]
        group = of_part[rows]
        start, end = int(first[group[0]]), int(first[group[-1] + 1])
        activities = matrix.activities_of(part)
        measure, step = measured(part, activities)
        chosen = weights[activities], column[activities], rows
        if NEAR_GROUPS * (end - start) > len(sums):
            # Scattered lines: a part has rows of many groups.
            near = of_threads.mine()
            add_measures(part.starts, part.activity, measure, step, *chosen, first[group], near)
            return
        near = np.zeros((end - start, sums.shape[1]), np.int64)
        at = first[group] - start
        add_measures(part.starts, part.activity, measure, step, *chosen, at, near)
        with adding:
            sums[start:end] += near

    matrix.map_parts(look)
    for near in of_threads.made.values():
        sums += near


def _used(
    items: ServiceItemCosts, layout: _Layout, group_of_row: NDArray[np.int64]
) -> NDArray[np.int64]:
    """What each group used of each department, weighed: net measures [columns, lanes].

    Of wide departments nothing: their groups are rounded in Python integers. The sum of a
    group's net measures is at most the department's gross one, which 64 bits hold.
    """
    matrix, measures = items.matrix, items.measures
    dept = matrix.activity_dept
    weights = np.where(measures.is_wide[dept][:, None], 0, measures.weight)
    n_lanes = 1 if weights.shape[1] == 1 else LANES
    padded = np.zeros((len(dept), n_lanes), np.int64)
    padded[:, : weights.shape[1]] = weights
    column = np.where(padded.any(axis=1), layout.column_of[dept], -1)
    used = np.zeros((len(layout.dept), n_lanes), np.int64)

    def measured(part: MatrixPart, activities: NDArray[np.int64]) -> _Measured:
        return base_of_part(items, part, activities)

    _add_up(matrix, group_of_row, layout.first, padded, column, measured, used)
    return used


def _rounded(
    items: ServiceItemCosts,
    layout: _Layout,
    group_of_row: NDArray[np.int64],
    used: NDArray[np.int64],
    element: int,
    totals: NDArray[np.int64],
) -> NDArray[np.int64]:
    """What is shared out, cell by cell, rounded to the total of each group, fen [cells]."""
    pool, net = (shares[:, element].copy() for shares in items.narrow_shares)
    rates = activity_rates(pool, np.ones_like(pool), net)
    lane = min(element, used.shape[1] - 1)
    whole, part, inexact = rates
    fen, is_open = round_groups(
        layout.starts,
        layout.columns,
        layout.dept,
        used,
        lane,
        whole,
        part,
        inexact.view(np.uint8),
        totals,
    )
    wide = np.unique(items.dept_unit[items.measures.is_wide])
    is_wide = np.isin(layout.unit, wide)
    for group in np.flatnonzero(is_open | is_wide).tolist():
        cells = slice(int(layout.starts[group]), int(layout.starts[group + 1]))
        exact = _exact_costs(items, layout, used[:, lane], element, cells)
        if is_wide[group] or not any(exact):
            rows = np.flatnonzero(group_of_row == group)
            exact, takes_part = _exact_by_case(items, layout, element, rows, cells)
        else:
            takes_part = [bool(cost) for cost in exact]
        fen[cells] = _round_exactly(exact, takes_part, int(totals[group]))
    return fen


def _exact_costs(
    items: ServiceItemCosts,
    layout: _Layout,
    used: NDArray[np.int64],
    element: int,
    cells: slice,
) -> list[Fraction]:
    """The exact cost of each cell of a group, by what it used of each department [columns]."""
    costs = []
    for start, end in pairwise(layout.columns[cells.start : cells.stop + 1].tolist()):
        cost = Fraction(0)
        for at in (start + np.flatnonzero(used[start:end])).tolist():
            pool = int(items.pool_left[layout.dept[at], element])
            net = int(items.measures.net[layout.dept[at], element])
            cost += Fraction(pool * int(used[at]), net) if pool else 0
        costs.append(cost)
    return costs


def _exact_by_case(
    items: ServiceItemCosts,
    layout: _Layout,
    element: int,
    rows: NDArray[np.int64],
    cells: slice,
) -> tuple[list[Fraction], list[bool]]:
    """The exact cost of each cell of a group, from its receivers' entries, and who takes part.

    Where all cells cost nothing, those take part in which some case costs something.
    """
    measures, entries = items.measures, net_entries(items.matrix, rows)
    base = measures.base_of(entries.activity, entries.measures)
    weight = measures.weight_in(element)[entries.activity]
    dept = items.matrix.activity_dept[entries.activity]
    pools, nets = items.pool_left[:, element], measures.net[:, element]
    n_cells = cells.stop - cells.start
    of_case: defaultdict[tuple[int, int], Fraction] = defaultdict(Fraction)
    for at in np.flatnonzero((base != 0) & (weight != 0) & (pools[dept] != 0)).tolist():
        d = int(dept[at])
        measure = int(base[at]) * int(weight[at])
        place = int(entries.row[at]), int(layout.cell_of[d])
        of_case[place] += Fraction(int(pools[d]) * measure, int(nets[d]))
    exact, takes_part = [Fraction(0)] * n_cells, [False] * n_cells
    for (_, cell), cost in of_case.items():
        exact[cell] += cost
        takes_part[cell] |= cost != 0
    return exact, [bool(cost) for cost in exact] if any(exact) else takes_part


def _round_exactly(exact: list[Fraction], takes_part: list[bool], total: int) -> list[int]:
    """Exact costs of cells in whole fen that add up to total; those left out cost nothing."""
    fen = [0] * len(exact)
    places = [place for place, takes in enumerate(takes_part) if takes]
    parts = round_fractions(total, [exact[place] for place in places])
    for place, part in zip(places, parts, strict=True):
        fen[place] = part
    return fen
