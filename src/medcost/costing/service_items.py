"""Service items: each pool is split once over the department's shared items by net measure.

An activity is (performing department, service item); its cost = pool x net measure / the
department's net measure (arithmetic rule 3c), plus what direct items were traced with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medcost._core.split import split_rows
from medcost._core.sums import add_rows
from medcost.allocation_model import LoadedModel
from medcost.balance import add_at, exact_sums, require_equal
from medcost.costing.activity import ActivityMatrix
from medcost.costing.departments import DepartmentCosts, department_label
from medcost.costing.direct_items import TracedItems, trace_direct_items
from medcost.costing.together import split_exactly
from medcost.costing.weights import find_weights
from medcost.errors import Fault, InputRejected, count_of, quote
from medcost.money import format_yuan
from medcost.period_book import PeriodBook
from medcost.tables import ELEMENTS

# Net and gross measures up to this are summed in int64, larger ones in Python integers.
LARGEST_MEASURE = 2.0**62


@dataclass(frozen=True)
class Measures:
    """How the shared services of a period are measured, integers.

    base: of each entry, what is counted (quantity, charge or, by direct cost, purchase cost),
    0 where nothing is [entries]; weight: of each activity and element [activities, elements];
    net, gross: of each department and element, Sum base x weight and Sum |base| x weight, as
    Python integers; is_wide: departments whose gross measure needs more than 64 bits, which are
    costed in Python integers. Common divisors are taken out: only ratios within a department
    matter.
    """

    base: NDArray[np.int64]
    weight: NDArray[np.int64]
    net: NDArray[np.object_]
    gross: NDArray[np.object_]
    is_wide: NDArray[np.bool_]


@dataclass(frozen=True)
class ServiceItemCosts:
    """Cost of each activity and what the cases stage goes on with.

    cost: fen [activities, elements]; shared: the part that comes from pools; pool_left: what is
    shared by measure, 0 where nothing is [departments, elements]; no_activity: the rest of the
    pools [departments, elements]; volume (1e-4) and charge (fen) [activities].
    """

    matrix: ActivityMatrix
    measures: Measures
    traced: TracedItems
    cost: NDArray[np.int64]
    pool_left: NDArray[np.int64]
    no_activity: NDArray[np.int64]
    volume: NDArray[np.int64]
    charge: NDArray[np.int64]


def cost_service_items(
    book: PeriodBook, loaded: LoadedModel, departments: DepartmentCosts, matrix: ActivityMatrix
) -> ServiceItemCosts:
    """Cost every activity of the period.

    Raises InputRejected (weight-missing, net-activity-too-small, direct-cost-not-in-ledger
    together), InvariantBroken if a balance fails. Time O(entries +
    activities x elements).
    """
    traced = trace_direct_items(book, loaded, matrix, departments)
    base, weight, missing = _bases_and_weights(book, loaded, matrix)
    faults = list(traced.faults)
    faults += _missing_faults(book, matrix, traced.left, missing)
    measures = _measures(book, matrix, base, weight)
    faults += _floor_faults(book, loaded, traced.left, measures)
    if faults:
        raise InputRejected(faults)
    shared_out = np.asarray(measures.net > 0, np.bool_)
    pool_left = np.where(shared_out, traced.left, 0)
    no_activity = np.where(shared_out, 0, traced.left)
    cost = _split_pools(matrix, measures, pool_left)
    direct = np.flatnonzero(traced.traced)
    add_at(cost, matrix.activity[direct], traced.element[direct], traced.traced[direct])
    costs = ServiceItemCosts(
        matrix,
        measures,
        traced,
        cost,
        pool_left,
        no_activity,
        _sum_by_activity(matrix, matrix.quantity),
        _sum_by_activity(matrix, matrix.charge),
    )
    _require_balance(book, departments, costs)
    return costs


def _sum_by_activity(matrix: ActivityMatrix, values: NDArray[np.int64]) -> NDArray[np.int64]:
    sums = np.zeros((len(matrix.activity_dept), 1), np.int64)
    add_rows(sums, matrix.activity, np.ascontiguousarray(values.reshape(-1, 1)))
    return sums[:, 0]


def _bases_and_weights(
    book: PeriodBook, loaded: LoadedModel, matrix: ActivityMatrix
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """What is counted of each entry, each activity's weights, and where a weight is missing."""
    settings = loaded.model.service_items
    direct = book.registers.item_direct[matrix.activity_item]
    counted = matrix.charge if settings.method == "income" else matrix.quantity
    base = np.where(direct[matrix.activity], 0, counted)
    shape = (len(matrix.activity_dept), len(ELEMENTS))
    weight, missing = np.ones(shape, np.int64), np.zeros(shape, np.bool_)
    if settings.method == "weights":
        weight, missing = find_weights(book, matrix.activity_dept, matrix.activity_item)
        missing &= ~direct[:, None]
        weight[missing] = 0
    if settings.direct_only == "by_direct_cost":
        has_shared = np.zeros(len(book.registers.dept_ids), np.bool_)
        has_shared[matrix.activity_dept[~direct]] = True
        direct_only = ~has_shared[matrix.activity_dept]
        base = np.where(direct_only[matrix.activity], matrix.direct_cost, base)
        weight[direct_only] = 1
        direct = direct & ~direct_only
    weight[direct] = 0
    return base, weight, missing


def _measures(
    book: PeriodBook,
    matrix: ActivityMatrix,
    base: NDArray[np.int64],
    weight: NDArray[np.int64],
) -> Measures:
    """Take out common divisors and add up net and gross measures, exactly."""
    n_depts = len(book.registers.dept_ids)
    dept = matrix.activity_dept
    base_divisor = np.zeros(n_depts, np.int64)
    np.gcd.at(base_divisor, dept[matrix.activity], base)
    base = base // np.maximum(base_divisor, 1)[dept[matrix.activity]]
    weight_divisor = np.zeros((n_depts, len(ELEMENTS)), np.int64)
    np.gcd.at(weight_divisor, dept, weight)
    weight = weight // np.maximum(weight_divisor, 1)[dept]
    net_base = _sum_by_activity(matrix, base)
    gross_base = _sum_by_activity(matrix, np.abs(base))
    size = np.zeros((n_depts, len(ELEMENTS)))
    np.add.at(size, dept, gross_base.astype(np.float64)[:, None] * weight)
    is_wide: NDArray[np.bool_] = np.any(size >= LARGEST_MEASURE, axis=1)
    narrow = np.where(is_wide[dept][:, None], 0, weight)
    net = np.zeros((n_depts, len(ELEMENTS)), np.int64)
    gross = np.zeros((n_depts, len(ELEMENTS)), np.int64)
    add_rows(net, dept, net_base[:, None] * narrow)
    add_rows(gross, dept, gross_base[:, None] * narrow)
    net_exact, gross_exact = net.astype(object), gross.astype(object)
    for activity in np.flatnonzero(is_wide[dept]).tolist():
        weights = weight[activity].astype(object)
        net_exact[dept[activity]] += int(net_base[activity]) * weights
        gross_exact[dept[activity]] += int(gross_base[activity]) * weights
    return Measures(base, weight, net_exact, gross_exact, is_wide)


def _missing_faults(
    book: PeriodBook,
    matrix: ActivityMatrix,
    left: NDArray[np.int64],
    missing: NDArray[np.bool_],
) -> list[Fault]:
    """Performed items whose weight rows fit no element of a pool that holds money."""
    at_stake = missing & (left[matrix.activity_dept] != 0)
    places = []
    for activity in np.flatnonzero(at_stake.any(axis=1)).tolist():
        dept, item = int(matrix.activity_dept[activity]), int(matrix.activity_item[activity])
        elements = [ELEMENTS[e] for e in np.flatnonzero(at_stake[activity])]
        label = department_label(book.registers, dept)
        item_id = quote(book.registers.item_ids[item])
        places.append(f"item {item_id} in {label}: {', '.join(elements)}")
    if not places:
        return []
    what = f"{count_of(len(places), 'performed item')} with weight rows, none of which fits."
    return [Fault("weight-missing", what, tuple(places))]


def _floor_faults(
    book: PeriodBook, loaded: LoadedModel, left: NDArray[np.int64], measures: Measures
) -> list[Fault]:
    """Pools with money whose net measure is a small rest of large reversals."""
    floor = loaded.model.service_items.net_activity_floor_exact
    places = []
    for dept, element in np.argwhere(np.asarray(measures.net > 0, np.bool_) & (left != 0)).tolist():
        net, gross = int(measures.net[dept, element]), int(measures.gross[dept, element])
        if net < floor * gross:
            label = department_label(book.registers, dept)
            money = format_yuan(int(left[dept, element]))
            places.append(f"{label}, {ELEMENTS[element]}: {net / gross:.2%} of gross, {money} yuan")
    if not places:
        return []
    what = f"{count_of(len(places), 'pool')} would be shared by what few services reversals leave."
    return [Fault("net-activity-too-small", what, tuple(places))]


def _split_pools(
    matrix: ActivityMatrix, measures: Measures, pool_left: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Split each pool over its department's activities by net measure, element by element."""
    cost = np.zeros((len(matrix.activity_dept), len(ELEMENTS)), np.int64)
    net_base = _sum_by_activity(matrix, measures.base)
    depts, first = np.unique(matrix.activity_dept, return_index=True)
    counts = np.diff(np.append(first, len(matrix.activity_dept)))
    for element in range(len(ELEMENTS)):
        amounts = pool_left[depts, element]
        shared = (amounts != 0) & ~measures.is_wide[depts]
        rows = np.repeat(shared, counts)
        starts = np.concatenate([[0], np.cumsum(counts[shared])]).astype(np.int64)
        weights = np.ascontiguousarray((net_base * measures.weight[:, element])[rows])
        fen = np.ascontiguousarray(amounts[shared].reshape(-1, 1))
        cost[rows, element] = split_rows(fen, starts, weights)[:, 0]
        for dept in np.flatnonzero((amounts != 0) & measures.is_wide[depts]).tolist():
            of_dept = np.arange(first[dept], first[dept] + counts[dept])
            wide = [
                base * weight
                for base, weight in zip(
                    net_base[of_dept].tolist(),
                    measures.weight[of_dept, element].tolist(),
                    strict=True,
                )
            ]
            cost[of_dept, element] = split_exactly(int(amounts[dept]), wide)
    return cost


def _require_balance(
    book: PeriodBook, departments: DepartmentCosts, costs: ServiceItemCosts
) -> None:
    """Sum service_item_cost + no_activity = Sum pool, per unit and element."""
    registers = book.registers
    n = len(registers.unit_ids)
    unit_of_activity = registers.dept_unit[costs.matrix.activity_dept]
    items = exact_sums(unit_of_activity, costs.cost, n)
    idle = exact_sums(registers.dept_unit, costs.no_activity, n)
    pool = exact_sums(registers.dept_unit, departments.pool, n)
    require_equal("service items + no_activity = pool", items + idle, pool)
