"""Cases: exact shares of every pool, rounded together once, then stays that cross months.

A case's exact cost is the sum over departments of pool x the case's net measure / the
department's net measure (arithmetic rule 3d); direct items and openings are whole fen and add.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from medcost._core.case_cost import activity_rates, case_costs
from medcost._core.sums import add_rows, group_sums
from medcost.allocation_model import LoadedModel
from medcost.balance import add_at, exact_sums, require_equal
from medcost.costing.service_items import ServiceItemCosts
from medcost.costing.together import round_together, sum_exactly
from medcost.errors import Fault, InputRejected
from medcost.period_book import NO_DATE, SETTINGS, PeriodBook
from medcost.tables import ELEMENTS

STATUSES = ("costed", "visit", "ungrouped", "work_in_progress", "late")
COSTED, VISIT, UNGROUPED, IN_PROGRESS, LATE = range(5)
LARGEST_COST = 2.0**62


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


@dataclass(frozen=True)
class _Rates:
    """Exact rates of one element and their fixed-point floor, [activities]."""

    pool: NDArray[np.int64]
    weight: NDArray[np.int64]
    total: NDArray[np.object_]
    whole: NDArray[np.int64]
    part: NDArray[np.uint64]
    inexact: NDArray[np.bool_]


def cost_cases(book: PeriodBook, loaded: LoadedModel, items: ServiceItemCosts) -> CaseCosts:
    """Cost every case of the period.

    Raises InputRejected (amount-out-of-range) or, if a balance fails, InvariantBroken. Time
    O(entries x elements).
    """
    matrix, cases = items.matrix, book.cases
    n_rows, n_elements = len(matrix.row_unit), len(ELEMENTS)
    row_cost = np.zeros((n_rows, n_elements), np.int64)
    case_unit = np.append(cases.unit, -1)[matrix.row_case]
    abroad = (matrix.row_case >= 0) & (case_unit != matrix.row_unit)
    members = _member_groups(book, items, abroad, case_unit)
    member_fen = np.zeros((len(members.item), n_elements), np.int64)
    for element in range(n_elements):
        rates = _rates(items, element)
        row_cost[:, element] = _round_rows(book, items, rates, element)
        if len(members.item):
            member_fen[:, element] = _round_members(members, items, rates, row_cost[:, element])
    entries = np.flatnonzero(items.traced.traced)
    traced, element_of = items.traced.traced[entries], items.traced.element[entries]
    add_at(row_cost, matrix.entry_row[entries], element_of, traced)
    _add_traced_members(members, member_fen, items, entries)
    costs = _assemble(book, loaded, items, row_cost, abroad, members, member_fen)
    _require_balance(book, items, row_cost, abroad, costs)
    return costs


def _rates(items: ServiceItemCosts, element: int) -> _Rates:
    """Cost of one unit of measure of each activity: pool x weight / the department's total."""
    dept = items.matrix.activity_dept
    pool = np.ascontiguousarray(items.pool_left[dept, element])
    weight = np.ascontiguousarray(items.measures.weight[:, element])
    total = np.maximum(items.measures.net[dept, element], 1)
    is_wide = items.measures.is_wide[dept]
    narrow_total = np.where(is_wide, 1, total).astype(np.int64)
    narrow_pool = np.ascontiguousarray(np.where(is_wide, 0, pool))
    try:
        whole, part, inexact = activity_rates(narrow_pool, weight, narrow_total)
        for activity in np.flatnonzero(is_wide & (pool != 0)).tolist():
            rate, rest = divmod(
                int(pool[activity]) * int(weight[activity]) << 64, int(total[activity])
            )
            whole[activity] = rate >> 64
            part[activity] = rate & 0xFFFFFFFFFFFFFFFF
            inexact[activity] = rest != 0
    except OverflowError:
        raise InputRejected([_out_of_range(element)]) from None
    return _Rates(pool, weight, total, whole, part, inexact)


def _out_of_range(element: int) -> Fault:
    what = f"Case costs in {ELEMENTS[element]} do not fit the exact range."
    return Fault("amount-out-of-range", what, ("ledger and service_lines",))


def _row_costs(
    starts: NDArray[np.int64],
    activity: NDArray[np.int64],
    base: NDArray[np.int64],
    rates: _Rates,
    element: int,
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.int64]]:
    """The kernel, behind the proof that no sum leaves its range."""
    size = np.abs(base).astype(np.float64)
    reach = np.abs(rates.whole).astype(np.float64)[activity] + 1
    if len(size) and float(size @ reach) >= LARGEST_COST:
        raise InputRejected([_out_of_range(element)])
    return case_costs(starts, activity, base, rates.whole, rates.part, rates.inexact)


def _round_rows(
    book: PeriodBook, items: ServiceItemCosts, rates: _Rates, element: int
) -> NDArray[np.int64]:
    """Every unit's rows rounded together to what its pools share out, fen [rows]."""
    matrix, base = items.matrix, items.measures.base
    whole, part, error = _row_costs(matrix.starts, matrix.activity, base, rates, element)
    exact_of = _exact_costs(matrix.starts, matrix.activity, base, matrix.activity_dept, rates)
    cost = np.zeros(len(matrix.row_unit), np.int64)
    first, last = _unit_bounds(matrix.row_unit)
    pools = _unit_pools(book, items, element)
    for a, b in zip(first.tolist(), last.tolist(), strict=True):
        total = pools[int(matrix.row_unit[a])]
        rows = np.arange(a, b)
        cost[rows] = _round_some(rows, whole, part, error, total, exact_of)
    return cost


def _round_some(
    rows: NDArray[np.int64],
    whole: NDArray[np.int64],
    part: NDArray[np.uint64],
    error: NDArray[np.int64],
    total: int,
    exact_of: Callable[[int], Fraction],
) -> NDArray[np.int64]:
    """Round the chosen rows together to their total."""

    def exact_of_place(place: int) -> Fraction:
        return exact_of(int(rows[place]))

    return round_together(whole[rows], part[rows], error[rows], total, exact_of_place)


def _unit_bounds(row_unit: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and past-the-last row of each unit that has rows."""
    if not len(row_unit):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    change = np.flatnonzero(np.diff(row_unit)) + 1
    return np.append(0, change), np.append(change, len(row_unit))


def _unit_pools(book: PeriodBook, items: ServiceItemCosts, element: int) -> list[int]:
    """What each unit's pools share out in the element, exact."""
    pools = items.pool_left[:, element].reshape(-1, 1)
    sums = exact_sums(book.registers.dept_unit, pools, len(book.registers.unit_ids))
    return [int(fen) for fen in sums[:, 0]]


def _exact_costs(
    starts: NDArray[np.int64],
    activity: NDArray[np.int64],
    base: NDArray[np.int64],
    dept: NDArray[np.int64],
    rates: _Rates,
) -> Callable[[int], Fraction]:
    """The exact cost of a row as a fraction; rows of the same services are computed once."""
    known: dict[tuple[bytes, bytes], Fraction] = {}
    costs = (rates.pool != 0) & (rates.weight != 0)

    def exact_of(row: int) -> Fraction:
        span = slice(int(starts[row]), int(starts[row + 1]))
        counts = costs[activity[span]]
        activities, measured = activity[span][counts], base[span][counts]
        key = (activities.tobytes(), measured.tobytes())
        if key not in known:
            measures: dict[int, int] = {}
            of_dept: dict[int, int] = {}
            for a, measure in zip(activities.tolist(), measured.tolist(), strict=True):
                d = int(dept[a])
                measures[d] = measures.get(d, 0) + measure * int(rates.weight[a])
                of_dept[d] = a
            known[key] = sum(
                (
                    Fraction(int(rates.pool[of_dept[d]]) * measure, int(rates.total[of_dept[d]]))
                    for d, measure in measures.items()
                ),
                Fraction(0),
            )
        return known[key]

    return exact_of


@dataclass(frozen=True)
class _Members:
    """Services for other units' cases, netted by (performing unit, unit of the case, item).

    from_unit, to_unit, item: [groups]; starts, activity, base: the groups' entries; group_of:
    group of each matrix entry, -1 for own cases; pair_first: first group of each pair and the
    end; rows_of: matrix rows of each pair.
    """

    from_unit: NDArray[np.int64]
    to_unit: NDArray[np.int64]
    item: NDArray[np.int64]
    starts: NDArray[np.int64]
    activity: NDArray[np.int64]
    base: NDArray[np.int64]
    dept: NDArray[np.int64]
    group_of: NDArray[np.int64]
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
    entries = np.flatnonzero(abroad[matrix.entry_row])
    rows = matrix.entry_row[entries]
    pair = matrix.row_unit[rows] * n_units + case_unit[rows]
    group_key = pair * n_items + matrix.activity_item[matrix.activity[entries]]
    groups, group = np.unique(group_key, return_inverse=True)
    width = max(len(matrix.activity_dept), 1)
    key = group.astype(np.int64) * width + matrix.activity[entries]
    keys, base = group_sums(key, np.ascontiguousarray(items.measures.base[entries].reshape(-1, 1)))
    starts = np.searchsorted(keys // width, np.arange(len(groups) + 1)).astype(np.int64)
    group_of = np.full(len(matrix.activity), -1, np.int64)
    group_of[entries] = group
    pairs, pair_first = np.unique(groups // n_items, return_index=True)
    row_pair = np.where(abroad, matrix.row_unit * n_units + case_unit, -1)
    return _Members(
        groups // n_items // n_units,
        groups // n_items % n_units,
        groups % n_items,
        starts,
        np.ascontiguousarray(keys % width),
        np.ascontiguousarray(base[:, 0]),
        matrix.activity_dept,
        group_of,
        np.append(pair_first, len(groups)).astype(np.int64),
        tuple(np.flatnonzero(row_pair == p) for p in pairs),
    )


def _round_members(
    members: _Members, items: ServiceItemCosts, rates: _Rates, row_cost: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Each pair's items rounded together to what its cases were rounded to, fen [groups].

    An item that costs no case of the pair anything takes no part.
    """
    activity = items.matrix.activity
    costs = (rates.pool != 0) & (rates.weight != 0)
    entries = (members.group_of >= 0) & (items.measures.base != 0) & costs[activity]
    takes_part = np.zeros(len(members.item), np.bool_)
    takes_part[members.group_of[entries]] = True
    whole, part, error = case_costs(
        members.starts, members.activity, members.base, rates.whole, rates.part, rates.inexact
    )
    exact_of = _exact_costs(members.starts, members.activity, members.base, members.dept, rates)
    fen = np.zeros(len(members.item), np.int64)
    for pair, rows in enumerate(members.rows_of):
        groups = np.arange(members.pair_first[pair], members.pair_first[pair + 1])
        groups = groups[takes_part[groups]]
        total = sum_exactly(row_cost[rows])
        fen[groups] = _round_some(groups, whole, part, error, total, exact_of)
    return fen


def _add_traced_members(
    members: _Members,
    member_fen: NDArray[np.int64],
    items: ServiceItemCosts,
    entries: NDArray[np.int64],
) -> None:
    """Add the direct items traced to other units' cases."""
    abroad = entries[members.group_of[entries] >= 0]
    element_of = items.traced.element[abroad]
    add_at(member_fen, members.group_of[abroad], element_of, items.traced.traced[abroad])


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
    cost = np.where(chosen[:, None], cases.opening, 0)
    charge = np.where(chosen, cases.opening_charge, 0).reshape(-1, 1)
    own = np.flatnonzero((matrix.row_case >= 0) & ~abroad)
    add_rows(cost, matrix.row_case[own], row_cost[own])
    row_charge = np.zeros((len(matrix.row_unit), 1), np.int64)
    add_rows(row_charge, matrix.entry_row, np.ascontiguousarray(matrix.charge.reshape(-1, 1)))
    add_rows(charge, matrix.row_case[own], row_charge[own])
    unlinked = np.zeros((len(book.registers.unit_ids), len(ELEMENTS)), np.int64)
    loose = matrix.row_case < 0
    add_rows(unlinked, matrix.row_unit[loose], row_cost[loose])
    return CaseCosts(
        find_status(book, carry),
        chosen,
        cost,
        charge[:, 0],
        unlinked,
        members.from_unit,
        members.to_unit,
        members.item,
        member_fen,
    )


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
    opening = exact_sums(book.cases.unit, np.where(costs.chosen[:, None], book.cases.opening, 0), n)
    left = cases + costs.unlinked.astype(object) + other
    require_equal("cases = service items + opening work in progress", left, item_sums + opening)
    members = exact_sums(costs.member_from, costs.member_fen, n)
    require_equal("services for other units = their cases", members, other)
