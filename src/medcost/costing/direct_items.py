"""Direct items: drugs and charged materials traced by the purchase cost on their lines."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from medcost._core.split import split_rows
from medcost._core.sums import add_rows, group_sums
from medcost.allocation_model import LoadedModel
from medcost.costing.activity_matrix import DIRECT_COST, ActivityMatrix, MatrixPart
from medcost.costing.departments import DepartmentCosts
from medcost.errors import Fault, quote
from medcost.money import format_yuan
from medcost.period_book import PeriodBook
from medcost.records import dataclass
from medcost.tables import CLINICAL, ELEMENTS, MEDTECH


@dataclass(frozen=True)
class TracedItems:
    """Direct cost traced to (item, case).

    element: of each activity's item, -1 for shared items; at_cost: whether an activity's
    entries cost just their purchase cost; of_activity: traced fen [activities]. What is split by
    purchase cost instead, because the ledger holds less: split_row, split_activity, split_fen
    [netted entries]. left: what stays in each pool, fen [departments, elements]; covered:
    ledger / purchase cost on the lines, of each unit and element that has some.
    """

    element: NDArray[np.int64]
    at_cost: NDArray[np.bool_]
    of_activity: NDArray[np.int64]
    split_row: NDArray[np.int64]
    split_activity: NDArray[np.int64]
    split_fen: NDArray[np.int64]
    left: NDArray[np.int64]
    covered: tuple[Fraction, ...]
    faults: tuple[Fault, ...]


def trace_direct_items(
    book: PeriodBook, loaded: LoadedModel, matrix: ActivityMatrix, departments: DepartmentCosts
) -> TracedItems:
    """Trace direct items from each department's own ledger amount of their element.

    With L the department's own amount and D the sum of its net direct_cost: 0 <= D <= L, every
    (item, case) costs its net; D > L > or L < 0, L is split over them by their net; D < 0 (or
    D = 0 > L), nothing is traced. What is not traced stays in the pool.
    """
    registers = book.registers
    element = registers.item_element[matrix.activity_item]
    costed = np.isin(registers.dept_class[matrix.activity_dept], (CLINICAL, MEDTECH))
    activities = np.flatnonzero((element >= 0) & costed)
    group_of = matrix.activity_dept[activities] * len(ELEMENTS) + element[activities]
    groups, group = np.unique(group_of, return_inverse=True)
    demand = np.zeros((len(groups), 1), np.int64)
    add_rows(demand, group, matrix.total[activities][:, DIRECT_COST:].copy())
    demand = demand[:, 0]
    own = departments.direct.reshape(-1)[groups]
    exactly = ((demand > 0) & (demand <= own)) | ((demand == 0) & (own >= 0))
    by_share = (demand > 0) & (demand > own)
    at_cost = np.zeros(len(element), np.bool_)
    at_cost[activities] = exactly[group]
    traced = np.where(at_cost, matrix.total[:, DIRECT_COST], 0)
    split = _split_by_cost(
        matrix, activities[by_share[group]], group_of[by_share[group]], own, groups
    )
    add_rows(traced.reshape(-1, 1), split[1], split[2].reshape(-1, 1))
    left = departments.pool.copy()
    left.reshape(-1)[groups[exactly]] -= demand[exactly]
    left.reshape(-1)[groups[by_share]] -= own[by_share]
    sums = _ledger_and_lines(book, groups, own, demand)
    covered = tuple(Fraction(have, want) for have, want in sums.values() if want > 0)
    faults = _floor_faults(book, loaded, sums)
    return TracedItems(element, at_cost, traced, *split, left, covered, tuple(faults))


def _split_by_cost(
    matrix: ActivityMatrix,
    activities: NDArray[np.int64],
    group_of: NDArray[np.int64],
    own: NDArray[np.int64],
    groups: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Receiver, activity and fen of each net entry of the activities, whose ledger is short.

    group_of: (department, element) of each of the activities; own: the ledger of each group.
    """
    none = np.empty(0, np.int64)
    if not len(activities):
        return none, none, none
    group_at = np.full(len(matrix.activity_dept), -1, np.int64)
    group_at[activities] = group_of

    def is_short(part: MatrixPart, of_entry: NDArray[np.int64]) -> NDArray[np.bool_]:
        return group_at[of_entry] >= 0

    entries = matrix.entries_where(is_short)
    n_rows = max(len(matrix.row_unit), 1)
    cost = np.ascontiguousarray(entries.measures[:, DIRECT_COST:])
    key, net = group_sums(entries.activity * n_rows + entries.row, cost)
    # Within a (department, element), ties go by item, then by case: the order of the keys.
    key_group = group_at[key // n_rows]
    order = np.argsort(key_group, kind="stable")
    key, key_group = key[order], key_group[order]
    weights = np.ascontiguousarray(net[order, 0])
    found, first = np.unique(key_group, return_index=True)
    starts = np.append(first, len(key)).astype(np.int64)
    amounts = np.ascontiguousarray(own[np.searchsorted(groups, found)].reshape(-1, 1))
    fen = split_rows(amounts, starts, weights)[:, 0]
    return key % n_rows, key // n_rows, fen


def _ledger_and_lines(
    book: PeriodBook,
    groups: NDArray[np.int64],
    own: NDArray[np.int64],
    demand: NDArray[np.int64],
) -> dict[tuple[int, int], tuple[int, int]]:
    """Ledger and purchase cost on the lines by (unit, element), where there is any."""
    registers = book.registers
    sums: dict[tuple[int, int], tuple[int, int]] = {}
    for group, have, want in zip(groups.tolist(), own.tolist(), demand.tolist(), strict=True):
        if want:
            dept, element = divmod(group, len(ELEMENTS))
            key = (int(registers.dept_unit[dept]), element)
            ledger, lines = sums.get(key, (0, 0))
            sums[key] = (ledger + have, lines + want)
    return sums


def _floor_faults(
    book: PeriodBook, loaded: LoadedModel, sums: dict[tuple[int, int], tuple[int, int]]
) -> list[Fault]:
    """Units whose ledger covers too little of the direct cost on their lines."""
    registers = book.registers
    floor = loaded.model.service_items.direct_cost_floor_exact
    where = [
        f"unit {quote(registers.unit_ids[unit])}, {ELEMENTS[element]}: ledger "
        f"{format_yuan(have)}, lines {format_yuan(want)} yuan"
        for (unit, element), (have, want) in sums.items()
        if want > 0 and have < floor * want
    ]
    if not where:
        return []
    what = (
        f"The ledger holds less than {float(floor):.0%} of the purchase cost that the lines of "
        "direct items show."
    )
    return [Fault("direct-cost-not-in-ledger", what, tuple(where))]
