"""Service items: each pool is split once over the department's shared items by net measure.

An activity is (performing department, service item); its cost = pool x net measure / the
department's net measure (arithmetic rule 3c), plus what direct items were traced with.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from medcost._core.split import split_rows
from medcost._core.sums import add_rows
from medcost.allocation_model import LoadedModel
from medcost.balance import add_at, exact_sums, require_equal
from medcost.book import department_label
from medcost.costing.activity_matrix import (
    CHARGE,
    DIRECT_COST,
    MEASURES,
    QUANTITY,
    ActivityMatrix,
)
from medcost.costing.departments import DepartmentCosts
from medcost.costing.direct_items import TracedItems, trace_direct_items
from medcost.costing.together import split_exactly
from medcost.costing.weights import find_weights
from medcost.errors import Fault, InputRejected, count_of, quote
from medcost.money import format_yuan
from medcost.period_book import PeriodBook
from medcost.records import dataclass
from medcost.tables import ELEMENTS
from medcost.threads import map_in_threads

# Net and gross measures up to this are summed in int64, larger ones in Python integers.
LARGEST_MEASURE = 2.0**62


def kinds_of(kind: NDArray[np.int64], counts: NDArray[np.bool_]) -> tuple[int, ...]:
    """The measures that count of some activities, positions in MEASURES, ascending."""
    return tuple(np.flatnonzero(np.bincount(kind[counts])).tolist())


@dataclass(frozen=True)
class Measures:
    """How the shared services of a period are measured, integers.

    kind: the measure that counts of each activity's entries, a position in MEASURES
    [activities]; step: what one unit of each measure is, in 1e-4 services or fen [measures];
    base: its net sum, 0 for direct items, and size: the sum of |entries| [activities];
    weight: of each activity and element [activities, elements], or [activities, 1] where all
    elements weigh the same; net, gross: of each department and element, Sum base x weight and
    Sum |base of entries| x weight, as Python integers; is_wide: departments whose gross measure
    needs more than 64 bits, which are costed in Python integers. Common divisors are taken out:
    only ratios within a department matter.
    """

    kind: NDArray[np.int64]
    step: NDArray[np.int64]
    base: NDArray[np.int64]
    size: NDArray[np.int64]
    weight: NDArray[np.int64]
    net: NDArray[np.object_]
    gross: NDArray[np.object_]
    is_wide: NDArray[np.bool_]

    @cached_property
    def counts(self) -> NDArray[np.bool_]:
        """Whether the entries of each activity count at all, bool [activities]."""
        return np.asarray(self.weight.any(axis=1), np.bool_)

    @cached_property
    def kinds(self) -> tuple[int, ...]:
        """The measures that count of any activity, positions in MEASURES."""
        return kinds_of(self.kind, self.counts)

    def base_of(
        self, activity: NDArray[np.int64], measures: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """What counts of some entries, in steps: activity [entries], measures [entries, 3]."""
        kind = self.kind[activity]
        return measures[np.arange(len(kind)), kind] // self.step[kind]

    def weight_in(self, element: int) -> NDArray[np.int64]:
        """Weight of each activity in one element [activities]."""
        return np.ascontiguousarray(self.weight[:, min(element, self.weight.shape[1] - 1)])


@dataclass(frozen=True)
class ServiceItemCosts:
    """Cost of each activity and what the cases stage goes on with.

    cost: fen [activities, elements]; shared: the part that comes from pools; pool_left: what is
    shared by measure, 0 where nothing is [departments, elements]; no_activity: the rest of the
    pools [departments, elements]; volume (1e-4) and charge (fen) [activities]; dept_unit: unit
    of each department.
    """

    matrix: ActivityMatrix
    dept_unit: NDArray[np.int64]
    measures: Measures
    traced: TracedItems
    cost: NDArray[np.int64]
    pool_left: NDArray[np.int64]
    no_activity: NDArray[np.int64]
    volume: NDArray[np.int64]
    charge: NDArray[np.int64]

    @cached_property
    def narrow_shares(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """What rates are made of: pool x weight / total, int64 [departments, elements].

        The pool is 0 and the total 1 where the department is wide.
        """
        measures = self.measures
        is_wide = measures.is_wide[:, None]
        net = measures.net[:, :1] if measures.weight.shape[1] == 1 else measures.net
        totals = np.where(is_wide, 1, np.maximum(net, 1)).astype(np.int64)
        pools = np.where(is_wide, 0, self.pool_left)
        return pools, np.ascontiguousarray(np.broadcast_to(totals, pools.shape))


def cost_service_items(
    book: PeriodBook, loaded: LoadedModel, departments: DepartmentCosts, matrix: ActivityMatrix
) -> ServiceItemCosts:
    """Cost every activity of the period.

    Raises InputRejected (weight-missing, net-activity-too-small, direct-cost-not-in-ledger
    together), InvariantBroken if a balance fails. Time O(activities x elements), and O(entries)
    where the ledger is short of direct cost.
    """
    traced = trace_direct_items(book, loaded, matrix, departments)
    kind, weight, missing = _kinds_and_weights(book, loaded, matrix)
    faults = list(traced.faults)
    faults += _missing_faults(book, matrix, traced.left, missing)
    measures = _measures(book, matrix, kind, weight)
    faults += _floor_faults(book, loaded, traced.left, measures)
    if faults:
        raise InputRejected(faults)
    shared_out = np.asarray(measures.net > 0, np.bool_)
    pool_left = np.where(shared_out, traced.left, 0)
    no_activity = np.where(shared_out, 0, traced.left)
    cost = _split_pools(matrix, measures, pool_left)
    direct = np.flatnonzero(traced.of_activity)
    add_at(cost, direct, traced.element[direct], traced.of_activity[direct])
    costs = ServiceItemCosts(
        matrix,
        book.registers.dept_unit,
        measures,
        traced,
        cost,
        pool_left,
        no_activity,
        np.ascontiguousarray(matrix.total[:, QUANTITY]),
        np.ascontiguousarray(matrix.total[:, CHARGE]),
    )
    _require_balance(book, departments, costs)
    return costs


def _kinds_and_weights(
    book: PeriodBook, loaded: LoadedModel, matrix: ActivityMatrix
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """What counts of each activity, its weights (0: nothing), and where one is missing.

    Weights and missing [activities, elements], or [activities, 1] where the elements are alike.
    """
    settings = loaded.model.service_items
    direct = book.registers.item_direct[matrix.activity_item]
    n = len(matrix.activity_dept)
    kind = np.full(n, CHARGE if settings.method == "income" else QUANTITY)
    weight, missing = np.ones((n, 1), np.int64), np.zeros((n, 1), np.bool_)
    if settings.method == "weights":
        weight, missing = find_weights(book, matrix.activity_dept, matrix.activity_item)
        missing &= ~direct[:, None]
        weight[missing] = 0
    if settings.direct_only == "by_direct_cost":
        has_shared = np.zeros(len(book.registers.dept_ids), np.bool_)
        has_shared[matrix.activity_dept[~direct]] = True
        direct_only = ~has_shared[matrix.activity_dept]
        kind[direct_only] = DIRECT_COST
        weight[direct_only] = 1
        direct = direct & ~direct_only
    weight[direct] = 0
    if (weight == weight[:, :1]).all():
        weight = np.ascontiguousarray(weight[:, :1])
    return kind, weight, missing


def _measures(
    book: PeriodBook,
    matrix: ActivityMatrix,
    kind: NDArray[np.int64],
    weight: NDArray[np.int64],
) -> Measures:
    """Take out common divisors and add up net and gross measures, exactly."""
    n_depts, n_elements = len(book.registers.dept_ids), len(ELEMENTS)
    dept = matrix.activity_dept
    step = np.ones(len(MEASURES), np.int64)
    step[QUANTITY] = matrix.quantity_step
    counts = weight.any(axis=1)
    activities = np.arange(len(dept))
    net_base = np.where(counts, matrix.total[activities, kind], 0) // step[kind]
    negative = np.where(counts, matrix.negative[activities, kind], 0) // step[kind]
    if (np.abs(net_base.astype(np.float64)) - 2.0 * negative >= LARGEST_MEASURE).any():
        raise OverflowError("an activity's gross measure does not fit 64 bits")
    gross_base = net_base - 2 * negative
    first, of_dept = _departments_of(dept)
    divisor = np.gcd.reduceat(weight, first, axis=0) if len(first) else weight
    weight = weight // np.maximum(np.repeat(divisor, of_dept, axis=0), 1)
    size = gross_base.astype(np.float64)[:, None] * weight
    is_wide = np.zeros(n_depts, np.bool_)
    if len(first):
        is_wide[dept[first]] = (np.add.reduceat(size, first, axis=0) >= LARGEST_MEASURE).any(axis=1)
    narrow = np.where(is_wide[dept][:, None], 0, weight)
    net = np.zeros((n_depts, weight.shape[1]), np.int64)
    gross = np.zeros((n_depts, weight.shape[1]), np.int64)
    add_rows(net, dept, net_base[:, None] * narrow)
    add_rows(gross, dept, gross_base[:, None] * narrow)
    net_exact, gross_exact = net.astype(object), gross.astype(object)
    for activity in np.flatnonzero(is_wide[dept]).tolist():
        weights = weight[activity].astype(object)
        net_exact[dept[activity]] += int(net_base[activity]) * weights
        gross_exact[dept[activity]] += int(gross_base[activity]) * weights
    shape = (n_depts, n_elements)
    return Measures(
        kind,
        step,
        net_base,
        gross_base,
        weight,
        np.broadcast_to(net_exact, shape),
        np.broadcast_to(gross_exact, shape),
        is_wide,
    )


def _departments_of(dept: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First activity of each department that has some, and how many it has."""
    if not len(dept):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    first = np.append(0, np.flatnonzero(dept[1:] != dept[:-1]) + 1)
    return first, np.diff(np.append(first, len(dept)))


def _missing_faults(
    book: PeriodBook,
    matrix: ActivityMatrix,
    left: NDArray[np.int64],
    missing: NDArray[np.bool_],
) -> list[Fault]:
    """Performed items whose weight rows fit no element of a pool that holds money."""
    if not missing.any():
        return []
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
    at_stake = np.asarray(measures.net > 0, np.bool_) & (left != 0)
    # Doubles leave out what is far above the floor; exact numbers decide the rest.
    near = measures.net.astype(float) <= (float(floor) + 1e-9) * measures.gross.astype(float)
    for dept, element in np.argwhere(at_stake & near).tolist():
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
    # In Fortran's order, as tables want the columns.
    cost = np.zeros((len(matrix.activity_dept), len(ELEMENTS)), np.int64, order="F")
    first, counts = _departments_of(matrix.activity_dept)
    depts = matrix.activity_dept[first]
    narrow = ~measures.is_wide[depts]
    alike = measures.weight.shape[1] == 1
    # Elements that are measured alike are split together: their weights are added up once.
    groups = [list(range(len(ELEMENTS)))] if alike else [[e] for e in range(len(ELEMENTS))]
    for elements in groups:
        amounts = np.ascontiguousarray(pool_left[depts][:, elements])
        shared = amounts.any(axis=1) & narrow
        weights = measures.base * measures.weight_in(elements[0])
        if shared.all() and alike:
            starts = np.append(first, len(weights)).astype(np.int64)
            _split_in_threads(amounts, starts, weights, cost, matrix.threads)
            continue
        rows = np.repeat(shared, counts)
        starts = np.concatenate([[0], np.cumsum(counts[shared])]).astype(np.int64)
        parts = np.empty((int(starts[-1]), len(elements)), np.int64, order="F")
        amounts = np.ascontiguousarray(amounts[shared])
        _split_in_threads(amounts, starts, weights[rows], parts, matrix.threads)
        for place, element in enumerate(elements):
            cost[rows, element] = parts[:, place]
    for i in np.flatnonzero(~narrow).tolist():
        of_dept = np.arange(first[i], first[i] + counts[i])
        for element in np.flatnonzero(pool_left[depts[i]]).tolist():
            weights_in = measures.weight_in(element)[of_dept].tolist()
            wide = [b * w for b, w in zip(measures.base[of_dept].tolist(), weights_in, strict=True)]
            amount = int(pool_left[depts[i], element])
            cost[of_dept, element] = split_exactly(amount, wide)
    return cost


def _split_in_threads(
    amounts: NDArray[np.int64],
    starts: NDArray[np.int64],
    weights: NDArray[np.int64],
    parts: NDArray[np.int64],
    threads: int,
) -> None:
    """split_rows into parts, with about as many receivers for each thread."""
    cuts = np.searchsorted(starts, len(weights) * np.arange(1, threads) // threads)
    bounds = [0, *cuts.tolist(), len(amounts)]

    def split(span: tuple[int, int]) -> None:
        first, end = span
        of_span = slice(int(starts[first]), int(starts[end]))
        of_rows = starts[first : end + 1] - starts[first]
        split_rows(amounts[first:end], of_rows, weights[of_span], parts[of_span])

    map_in_threads(split, list(pairwise(bounds)), threads)


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
