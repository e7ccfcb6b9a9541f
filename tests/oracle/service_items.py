"""Direct items are traced, the rest of each pool is split over shared items: rules 3b and 3c."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from oracle.book import Book, CaseKey
from oracle.costing import Costing
from oracle.departments import POOLING, UnitDepartments
from oracle.rounding import Amount, Arithmetic

DIRECT_ELEMENTS = ("drugs", "materials")
IDLE = ""
Activity = tuple[str, CaseKey]
Place = tuple[str, str, str]


@dataclass
class Net:
    """The lines of one (department, item, case), netted; money in fen."""

    quantity: Fraction = Fraction(0)
    charge: int = 0
    direct_cost: int = 0


@dataclass
class Spread:
    """A pool (without idle capacity) that is spread over (item, case) by their net measure."""

    amount: Amount
    measures: dict[Activity, Fraction]

    def exact_costs(self) -> dict[Activity, Fraction]:
        """Return the exact cost of every (item, case) that has one."""
        rate = Fraction(self.amount) / sum(self.measures.values())
        return {key: rate * measure for key, measure in self.measures.items() if measure}


@dataclass
class UnitServiceItems:
    """One unit's activities and what became of its pools."""

    nets: dict[str, dict[Activity, Net]]
    traced: dict[tuple[str, str], dict[Activity, Amount]] = field(default_factory=dict)
    spreads: dict[tuple[str, str], Spread] = field(default_factory=dict)
    cost: dict[tuple[str, str, str], Amount] = field(default_factory=lambda: defaultdict(int))
    idle: dict[str, Amount] = field(default_factory=lambda: defaultdict(int))
    no_activity: dict[str, Amount] = field(default_factory=lambda: defaultdict(int))
    codes: set[str] = field(default_factory=set)


def netted(book: Book, unit_id: str) -> dict[str, dict[Activity, Net]]:
    """Return department → (item, case) → net, rule 4."""
    nets: dict[str, dict[Activity, Net]] = defaultdict(lambda: defaultdict(Net))
    for line in book.lines.get(unit_id, []):
        net = nets[line.dept_id][line.item_id, line.case]
        net.quantity += line.quantity
        net.charge += line.charge
        net.direct_cost += line.direct_cost
    return {dept: dict(sorted(activities.items())) for dept, activities in sorted(nets.items())}


def direct_costs(
    book: Book, activities: Mapping[Activity, Net], element: str
) -> dict[Activity, Fraction]:
    """Return the net direct_cost of every (direct item of the element, case)."""
    return {
        (item, case): Fraction(net.direct_cost)
        for (item, case), net in activities.items()
        if book.items[item]["basis"] == "direct" and book.items[item]["element"] == element
    }


def traced_costs(
    ledger: int, costs: dict[Activity, Fraction], arithmetic: Arithmetic
) -> dict[Activity, Amount]:
    """Return what each (item, case) costs of the department's own ledger amount L.

    D is the sum of the costs. 0 ≤ D ≤ L: each costs its own; D > 0 and L < D: L is split;
    D < 0, or D = 0 with L < 0: nothing is traced.
    """
    total = sum(costs.values())
    if 0 <= total <= ledger:
        return {key: cost.numerator for key, cost in costs.items()}
    if total > 0:
        return arithmetic.split(ledger, costs)
    return {}


def trace_direct_items(costing: Costing, unit: UnitDepartments, items: UnitServiceItems) -> None:
    """Trace the direct items of every department with a pool, and judge the floor, rule 3b."""
    for element in DIRECT_ELEMENTS:
        ledger_total, cost_total = 0, Fraction(0)
        for dept, activities in items.nets.items():
            if unit.classes[dept] not in POOLING:
                continue
            costs = direct_costs(costing.book, activities, element)
            ledger = unit.direct[dept, element]
            items.traced[dept, element] = traced_costs(ledger, costs, costing.arithmetic)
            if sum(costs.values()) != 0:
                ledger_total += ledger
                cost_total += sum(costs.values())
        floor = costing.settings.direct_cost_floor
        if cost_total > 0 and ledger_total < floor * cost_total:
            items.codes.add("direct-cost-not-in-ledger")


def weight_of(book: Book, place: Place, item: str) -> Fraction | None:
    """Return the weight of an item: element before dept_id before unit_id before period.

    An item with no row at all weighs 1; None: it has rows and none fits.
    """
    rows = book.item_weights.get(item)
    if not rows:
        return Fraction(1)
    unit_id, dept, element = place
    wanted = {"element": element, "dept_id": dept, "unit_id": unit_id}
    fitting = [
        row
        for row in rows
        if all(row.get(column) in (None, value) for column, value in wanted.items())
        and (row.get("period") or "") <= book.period
    ]
    if not fitting:
        return None
    best = max(
        fitting,
        key=lambda row: (*(row.get(c) is not None for c in wanted), row.get("period") or ""),
    )
    return Fraction(best["weight"])


def measure_of(costing: Costing, place: Place, item: str, net: Net) -> Fraction | None:
    """Return the model's measure of a shared (item, case); None: its weight is missing."""
    method = costing.settings.item_method
    if method == "income":
        return Fraction(net.charge)
    if method == "workload":
        return net.quantity
    weight = weight_of(costing.book, place, item)
    return None if weight is None else weight * net.quantity


def measures_of(
    costing: Costing, place: Place, activities: Mapping[Activity, Net]
) -> dict[Activity, Fraction] | None:
    """Return the measures a pool is spread by; None: a weight is missing.

    In a department that performs direct items only they are the net direct costs, with
    `direct_only = "by_direct_cost"`; else it has none.
    """
    catalogue = costing.book.items
    shared = {key: net for key, net in activities.items() if catalogue[key[0]]["basis"] == "shared"}
    if not shared and costing.settings.by_direct_cost:
        return {key: Fraction(net.direct_cost) for key, net in activities.items()}
    measures = {}
    for (item, case), net in shared.items():
        measure = measure_of(costing, place, item, net)
        if measure is None:
            return None
        measures[item, case] = measure
    return measures


def capacity_of(book: Book, place: Place) -> Fraction:
    """Return the department's practical capacity for an element, 0 without a row for it."""
    unit_id, dept, element = place
    rows = book.capacity.get((unit_id, dept), [])
    for wanted in (element, None):
        for row in rows:
            if row.get("element") == wanted:
                return Fraction(row["practical_capacity"])
    return Fraction(0)


def by_item(measures: Mapping[Activity, Fraction]) -> dict[str, Fraction]:
    """Return the net measure of every item."""
    totals: dict[str, Fraction] = defaultdict(Fraction)
    for (item, _), measure in measures.items():
        totals[item] += measure
    return totals


def spread_pool(
    costing: Costing, unit: UnitDepartments, items: UnitServiceItems, dept: str, element: str
) -> None:
    """Split what is left of one pool over the department's items and its idle capacity."""
    traced = items.traced.get((dept, element), {})
    for (item, _), amount in traced.items():
        items.cost[dept, item, element] += amount
    left = unit.pool[dept, element] - sum(traced.values())
    if left == 0:
        return
    settings, place = costing.settings, (unit.unit_id, dept, element)
    activities = items.nets.get(dept, {})
    measures = measures_of(costing, place, activities)
    if measures is None:
        items.codes.add("weight-missing")
        return
    net = sum(measures.values())
    if net <= 0:
        items.no_activity[element] += left
        return
    if net < settings.net_activity_floor * sum(map(abs, measures.values())):
        items.codes.add("net-activity-too-small")
        return
    weights = by_item(measures)
    if settings.item_method == "capacity" and any(
        costing.book.items[item]["basis"] == "shared" for item in weights
    ):
        capacity = capacity_of(costing.book, place)
        weights[IDLE] = max(capacity - net, Fraction(0))
    parts = costing.arithmetic.split(left, weights)
    idle = parts.pop(IDLE, 0)
    items.idle[element] += idle
    for item, part in parts.items():
        items.cost[dept, item, element] += part
    items.spreads[dept, element] = Spread(left - idle, measures)


def cost_service_items(costing: Costing, unit: UnitDepartments) -> UnitServiceItems:
    """Return the unit's service items with their cost; faults are in `codes`."""
    items = UnitServiceItems(netted(costing.book, unit.unit_id))
    if any(dept not in unit.classes for dept in items.nets):
        items.codes.add("department-not-open")
        return items
    trace_direct_items(costing, unit, items)
    for dept, element in unit.pool:
        spread_pool(costing, unit, items, dept, element)
    return items
