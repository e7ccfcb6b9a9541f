"""Level 3: medtech departments hand their pools on to the clinical ones that ordered."""

from collections import defaultdict
from fractions import Fraction

from oracle.book import ELEMENTS, Book, Line
from oracle.costing import Costing
from oracle.departments import UnitDepartments, split_balance


def ordering_department(book: Book, unit_id: str, line: Line) -> str | None:
    """Return who ordered: `ordering_dept_id`, else the department of the unit's own case."""
    if line.ordering_dept_id is not None:
        return line.ordering_dept_id
    if line.case[0] != unit_id or line.case not in book.cases:
        return None
    return book.cases[line.case].get("dept_id")


def orders_of(book: Book, unit: UnitDepartments, basis: str) -> dict[str, dict[str, Fraction]]:
    """Return medtech department → clinical department → net quantity or charge (yuan)."""
    orders: dict[str, dict[str, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    for line in book.lines.get(unit.unit_id, []):
        ordering = ordering_department(book, unit.unit_id, line)
        is_shared = book.items[line.item_id]["basis"] == "shared"
        if is_shared and ordering is not None and unit.classes.get(ordering) == "clinical":
            measure = line.quantity if basis == "quantity" else Fraction(line.charge, 100)
            orders[line.dept_id][ordering] += measure
    return orders


def hand_on_medtech(costing: Costing, unit: UnitDepartments) -> None:
    """Split each medtech pool; without a positive net measure it stays where it is."""
    book, level_three = costing.book, costing.settings.level_three
    if level_three is None:
        return
    basis = level_three["basis"]
    orders = {} if basis == "driver" else orders_of(book, unit, basis)
    for dept in sorted(d for d, kind in unit.classes.items() if kind == "medtech"):
        weights = dict(orders.get(dept, {}))
        name = basis
        if basis == "driver":
            name = level_three["driver"]
            name = dept if name == "own" else name
            rows = book.statistics.get((unit.unit_id, name), {})
            weights = {d: w for d, w in rows.items() if unit.classes.get(d) == "clinical"}
        if not weights or not unit.has_money(dept):
            continue
        if sum(weights.values()) <= 0:
            if basis == "driver":
                unit.codes.add("driver-total-not-positive")
            continue
        unit.drivers[dept] = name
        for element in ELEMENTS:
            parts = split_balance(costing, unit.pool[dept, element], weights)
            for receiver, part in parts.items():
                unit.hand_on(dept, receiver, element, part)
