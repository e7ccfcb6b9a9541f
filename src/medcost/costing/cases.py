"""Cases: exact shares of every pool, rounded together once, then stays that cross months.

A case's exact cost is the sum over departments of pool x the case's net measure / the
department's net measure (arithmetic rule 3d); direct items and openings are whole fen and add.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from medcost._core.key_table import KeyTable
from medcost._core.sums import add_columns, add_rows, group_sums
from medcost.allocation_model import LoadedModel
from medcost.balance import add_at, exact_sums, require_equal
from medcost.costing.activity_matrix import DIRECT_COST
from medcost.costing.case_rows import add_at_cost, cost_rows
from medcost.costing.exact_rows import ExactRows, net_entries
from medcost.costing.service_items import ServiceItemCosts
from medcost.costing.together import round_together, sum_exactly
from medcost.period_book import NO_DATE, SETTINGS, PeriodBook
from medcost.records import dataclass
from medcost.tables import ELEMENTS

STATUSES = ("costed", "visit", "ungrouped", "work_in_progress", "late")
COSTED, VISIT, UNGROUPED, IN_PROGRESS, LATE = range(5)


@dataclass(frozen=True)
class CaseCosts:
    """Cost of every case of the chosen units, and of what is no case of theirs.

    status: a position in STATUSES [cases of the register]; cost: opening and this period, fen
    [cases, elements]; charge [cases]; unlinked: fen [units, elements]; between members: for
    each (performing unit, unit of the case, item) fen [pairs, elements].
    """

    status: NDArray[np.int64]
    chosen: NDArray[np.bool_]
    cost: NDArray[np.int64]
    charge: NDArray[np.int64]
    unlinked: NDArray[np.int64]
    member_from: NDArray[np.int64]
    member_to: NDArray[np.int64]
    member_item: NDArray[np.int64]
    member_fen: NDArray[np.int64]


def cost_cases(book: PeriodBook, loaded: LoadedModel, items: ServiceItemCosts) -> CaseCosts:
    """Cost every case of the period.

    Raises InputRejected (amount-out-of-range) or, if a balance fails, InvariantBroken. Time
    O(entries x elements).
    """
    matrix, cases, traced = items.matrix, book.cases, items.traced
    case_unit = np.append(cases.unit, -1)[matrix.row_case]
    abroad = (matrix.row_case >= 0) & (case_unit != matrix.row_unit)
    row_cost = cost_rows(book, items)
    members = _member_groups(book, items, abroad, case_unit)
    member_fen = _member_costs(members, items, row_cost)
    if traced.at_cost.any():
        add_at_cost(row_cost, items)
    split_element = traced.element[traced.split_activity]
    add_at(row_cost, traced.split_row, split_element, traced.split_fen)
    _add_traced_members(members, member_fen, items)
    costs = _assemble(book, loaded, items, row_cost, abroad, members, member_fen)
    _require_balance(book, items, row_cost, abroad, costs)
    return costs


@dataclass(frozen=True)
class _Members:
    """Services for other units' cases, netted by (performing unit, unit of the case, item).

    from_unit, to_unit, item: [groups]; of the net entries of their cases, row: receiver,
    activity, group and measures [entries]; pair_first: first group of each pair and the end;
    rows_of: receivers of each pair.
    """

    from_unit: NDArray[np.int64]
    to_unit: NDArray[np.int64]
    item: NDArray[np.int64]
    row: NDArray[np.int64]
    activity: NDArray[np.int64]
    group: NDArray[np.int64]
    measures: NDArray[np.int64]
    pair_first: NDArray[np.int64]
    rows_of: tuple[NDArray[np.int64], ...]


def _member_groups(
    book: PeriodBook,
    items: ServiceItemCosts,
    abroad: NDArray[np.bool_],
    case_unit: NDArray[np.int64],
) -> _Members:
    matrix = items.matrix
    n_units, n_items = len(book.registers.unit_ids), max(len(book.registers.item_ids), 1)
    entries = net_entries(matrix, np.flatnonzero(abroad))
    pair = matrix.row_unit[entries.row] * n_units + case_unit[entries.row]
    group_key = pair * n_items + matrix.activity_item[entries.activity]
    groups, group = np.unique(group_key, return_inverse=True)
    pairs, pair_first = np.unique(groups // n_items, return_index=True)
    row_pair = np.where(abroad, matrix.row_unit * n_units + case_unit, -1)
    return _Members(
        groups // n_items // n_units,
        groups // n_items % n_units,
        groups % n_items,
        entries.row,
        entries.activity,
        group,
        entries.measures,
        np.append(pair_first, len(groups)).astype(np.int64),
        tuple(np.flatnonzero(row_pair == p) for p in pairs),
    )


def _member_costs(
    members: _Members, items: ServiceItemCosts, row_cost: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Each pair's items rounded together to what its cases were rounded to, fen [groups].

    An item that costs no case of the pair anything takes no part.
    """
    fen = np.zeros((len(members.item), len(ELEMENTS)), np.int64)
    if not len(members.item):
        return fen
    base = items.measures.base_of(members.activity, members.measures)
    n_activities = len(items.measures.kind)
    key, summed = group_sums(
        members.group * n_activities + members.activity, np.ascontiguousarray(base[:, None])
    )
    starts = np.searchsorted(key // n_activities, np.arange(len(members.item) + 1))
    rows = ExactRows(items, starts.astype(np.int64), key % n_activities, summed[:, 0].copy())
    dept = items.matrix.activity_dept[members.activity]
    for element in range(len(ELEMENTS)):
        costs = (items.pool_left[dept, element] != 0) & (base != 0)
        costs &= items.measures.weight_in(element)[members.activity] != 0
        takes_part = np.zeros(len(members.item), np.bool_)
        takes_part[members.group[costs]] = True
        whole, part, error = rows.costs(element)
        for pair, receivers in enumerate(members.rows_of):
            groups = np.arange(members.pair_first[pair], members.pair_first[pair + 1])
            groups = groups[takes_part[groups]]
            fen[groups, element] = round_together(
                whole[groups],
                part[groups],
                error[groups],
                sum_exactly(row_cost[receivers, element]),
                _of_groups(rows.exact_of(element), groups),
            )
    return fen


def _of_groups(
    exact_of: Callable[[int], Fraction], groups: NDArray[np.int64]
) -> Callable[[int], Fraction]:
    """The exact cost by the place of a group among some groups."""

    def exact(place: int) -> Fraction:
        return exact_of(int(groups[place]))

    return exact


def _add_traced_members(
    members: _Members, member_fen: NDArray[np.int64], items: ServiceItemCosts
) -> None:
    """Add the direct items traced to other units' cases."""
    traced = items.traced
    element = traced.element[members.activity]
    at_cost = np.flatnonzero(traced.at_cost[members.activity])
    purchase = members.measures[at_cost, DIRECT_COST]
    add_at(member_fen, members.group[at_cost], element[at_cost], purchase)
    width = len(items.measures.kind)
    split = KeyTable()
    split.add(traced.split_row * width + traced.split_activity)
    place = split.find(members.row * width + members.activity)
    found = np.flatnonzero(place >= 0)
    if len(found):
        add_at(member_fen, members.group[found], element[found], traced.split_fen[place[found]])


def find_status(book: PeriodBook, carry: bool) -> NDArray[np.int64]:
    """Status of each case of the register, a position in STATUSES.

    carry: whether an inpatient who is in the house at the month's end is work in progress.
    """
    cases = book.cases
    first_day, last_day = _days_of(book.period)
    dated = cases.discharged != NO_DATE
    late = dated & (cases.discharged < first_day)
    inpatient = cases.setting == SETTINGS.index("inpatient")
    staying = inpatient & ~(dated & (cases.discharged <= last_day))
    # Nobody has said that an opening case which this month does not list has left the house.
    in_progress = (carry & staying) | ~cases.listed
    grouped = cases.drg >= 0
    return np.select(
        [late, in_progress, grouped, inpatient], [LATE, IN_PROGRESS, COSTED, UNGROUPED], VISIT
    )


def _days_of(period: str) -> tuple[int, int]:
    """First and last day of the month, in days since 1970."""
    month = np.datetime64(period, "M")
    first = int(month.astype("datetime64[D]").astype(np.int64))
    after = int((month + 1).astype("datetime64[D]").astype(np.int64))
    return first, after - 1


def _assemble(
    book: PeriodBook,
    loaded: LoadedModel,
    items: ServiceItemCosts,
    row_cost: NDArray[np.int64],
    abroad: NDArray[np.bool_],
    members: _Members,
    member_fen: NDArray[np.int64],
) -> CaseCosts:
    matrix, cases = items.matrix, book.cases
    carry = loaded.model.cases.work_in_progress == "carry"
    chosen = book.selected[cases.unit] if cases.n else np.zeros(0, np.bool_)
    # Cases of other members and no case at all are below 0, and left out.
    own = np.where(abroad, -1, matrix.row_case)
    cost, charge = _with_opening(book, chosen, own, row_cost, matrix.row_charge)
    unlinked = np.zeros((len(book.registers.unit_ids), len(ELEMENTS)), np.int64)
    loose = matrix.row_case < 0
    add_rows(unlinked, matrix.row_unit[loose], np.ascontiguousarray(row_cost[loose]))
    return CaseCosts(
        find_status(book, carry),
        chosen,
        cost,
        charge,
        unlinked,
        members.from_unit,
        members.to_unit,
        members.item,
        member_fen,
    )


def _with_opening(
    book: PeriodBook,
    chosen: NDArray[np.bool_],
    case_of: NDArray[np.int64],
    row_cost: NDArray[np.int64],
    row_charge: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Openings of the chosen units and the rows of each case, fen [cases, elements] and [cases].

    case_of: the case of each row, -1 for those that are left out.
    """
    cases = book.cases
    if not cases.has_opening and np.array_equal(case_of, np.arange(cases.n)):
        # Every case has one row, in their order.
        return row_cost, row_charge
    cost, charge = (
        np.zeros((cases.n, len(ELEMENTS)), np.int64, order="F"),
        np.zeros((cases.n, 1), np.int64),
    )
    if cases.has_opening:
        cost[:] = np.where(chosen[:, None], cases.opening, 0)
        charge[:, 0] = np.where(chosen, cases.opening_charge, 0)
    add_columns(cost, case_of, row_cost)
    add_columns(charge, case_of, row_charge.reshape(-1, 1))
    return cost, charge[:, 0]


def _require_balance(
    book: PeriodBook,
    items: ServiceItemCosts,
    row_cost: NDArray[np.int64],
    abroad: NDArray[np.bool_],
    costs: CaseCosts,
) -> None:
    """Sum case_cost + unlinked + other_unit + late_cost = Sum service items + opening."""
    registers, matrix = book.registers, items.matrix
    n = len(registers.unit_ids)
    item_sums = exact_sums(registers.dept_unit[matrix.activity_dept], items.cost, n)
    rows = exact_sums(matrix.row_unit, row_cost, n)
    require_equal("cases and unlinked services = service items", rows, item_sums)
    cases = exact_sums(book.cases.unit, costs.cost, n)
    other = exact_sums(matrix.row_unit[abroad], row_cost[abroad], n)
    opening = _opening_sums(book, costs.chosen, n)
    left = cases + costs.unlinked.astype(object) + other
    require_equal("cases = service items + opening work in progress", left, item_sums + opening)
    members = exact_sums(costs.member_from, costs.member_fen, n)
    require_equal("services for other units = their cases", members, other)


def _opening_sums(book: PeriodBook, chosen: NDArray[np.bool_], n_units: int) -> NDArray[np.object_]:
    """Openings of the chosen units' cases, Python integers [units, elements]."""
    cases = book.cases
    if not cases.has_opening:
        return np.zeros((n_units, len(ELEMENTS)), object)
    return exact_sums(cases.unit, np.where(chosen[:, None], cases.opening, 0), n_units)
