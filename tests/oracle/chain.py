"""The whole chain: ledger to departments, service items, cases and DRG groups."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from oracle.book import ELEMENTS, Book, Row, read_book
from oracle.cases import REASONS, WORK_IN_PROGRESS, Case, UnitCases, cost_cases, has_unlisted_case
from oracle.costing import Costing
from oracle.departments import (
    GIVING,
    POOLING,
    UnitDepartments,
    allocate,
    received_by_class,
    resting,
)
from oracle.drg_groups import drg_rows
from oracle.medtech import hand_on_medtech
from oracle.refused import Refused
from oracle.result_tables import KEYS, finished, ratio, scaled, yuan
from oracle.rounding import EXACT, WHOLE_FEN, Amount
from oracle.service_items import UnitServiceItems, cost_service_items
from oracle.settings import settings_of

Tables = dict[str, list[Row]]
STAGES = ("departments", "service-items", "cases")
TABLES_OF_STAGE = {
    "departments": ("department_cost", "department_flow", "reconciliation"),
    "service-items": (
        "department_cost", "department_flow", "service_item_cost", "reconciliation",
    ),
    "cases": tuple(KEYS),
}  # fmt: skip


@dataclass
class UnitChain:
    """One unit's results as far as the run went."""

    departments: UnitDepartments
    items: UnitServiceItems | None = None
    cases: UnitCases | None = None

    def codes(self) -> set[str]:
        """Return the fault codes of every stage."""
        stages = (self.departments, self.items, self.cases)
        return set().union(*(stage.codes for stage in stages if stage is not None))


def cost_unit(costing: Costing, unit_id: str, through: str) -> UnitChain:
    """Cost one unit; a stage that finds faults is the last."""
    chain = UnitChain(allocate(costing, unit_id))
    hand_on_medtech(costing, chain.departments)
    if through == "departments" or chain.codes():
        return chain
    chain.items = cost_service_items(costing, chain.departments)
    if through == "service-items" or chain.codes():
        return chain
    chain.cases = cost_cases(costing, unit_id, chain.items)
    return chain


def cost_units(costing: Costing, through: str) -> dict[str, UnitChain]:
    """Cost every unit; raise Refused with the faults of all of them."""
    book = costing.book
    chains = {unit_id: cost_unit(costing, unit_id, through) for unit_id in book.units}
    codes: set[str] = set().union(*(chain.codes() for chain in chains.values()))
    if through == "cases" and any(has_unlisted_case(book, unit_id) for unit_id in book.units):
        codes.add("case-not-listed")
    if codes:
        raise Refused(codes)
    return chains


def department_rows(book: Book, unit: UnitDepartments) -> list[Row]:
    """Return the unit's out_department_cost rows."""
    received = received_by_class(unit)
    handed_on: dict[tuple[str, str], Amount] = {}
    for (giver, _, element), amount in unit.flows.items():
        handed_on[giver, element] = handed_on.get((giver, element), 0) - amount
    return [
        {
            "period": book.period,
            "unit_id": unit.unit_id,
            "dept_id": dept,
            "class": kind,
            "element": element,
            "direct": yuan(unit.direct.get((dept, element), 0)),
            "from_admin": yuan(received.get((dept, element, "admin"), 0)),
            "from_support": yuan(received.get((dept, element, "support"), 0)),
            "pool": yuan(unit.pool.get((dept, element), 0)),
            "from_medtech": yuan(received.get((dept, element, "medtech"), 0)),
            "handed_on": yuan(handed_on.get((dept, element), 0)),
            "full_cost": yuan(unit.balance.get((dept, element), 0)),
        }
        for dept, kind in unit.classes.items()
        for element in ELEMENTS
    ]


def flow_rows(book: Book, unit: UnitDepartments) -> list[Row]:
    """Return the unit's out_department_flow rows."""
    return [
        {
            "period": book.period,
            "unit_id": unit.unit_id,
            "giver_dept_id": giver,
            "receiver_dept_id": receiver,
            "driver": unit.drivers[giver],
            "element": element,
            "amount": yuan(amount),
        }
        for (giver, receiver, element), amount in unit.flows.items()
    ]


def item_rows(book: Book, unit_id: str, items: UnitServiceItems) -> list[Row]:
    """Return the unit's out_service_item_cost rows."""
    rows = []
    for dept, activities in items.nets.items():
        for item in sorted({item for item, _ in activities}):
            nets = [net for (of, _), net in activities.items() if of == item]
            volume = sum((net.quantity for net in nets), Fraction(0))
            costs = {element: items.cost.get((dept, item, element), 0) for element in ELEMENTS}
            total = sum(costs.values())
            charge = yuan(sum(net.charge for net in nets))
            rows.append(
                {
                    "period": book.period,
                    "unit_id": unit_id,
                    "dept_id": dept,
                    "item_id": item,
                    "volume": scaled(volume, 4),
                    **{element: yuan(cost) for element, cost in costs.items()},
                    "total": yuan(total),
                    "unit_cost": ratio(Fraction(total, 100) / volume) if volume else None,
                    "charge": charge if book.lines_have_charge else None,
                }
            )
    return rows


def case_rows(book: Book, cases: list[Case]) -> list[Row]:
    """Return the unit's out_case_cost rows; a late case is in no table."""
    has_charge = book.lines_have_charge or book.opening_has_charge
    return [
        {
            "period": book.period,
            "unit_id": case.key[0],
            "case_id": case.key[1],
            "drg_id": case.row.get("drg_id"),
            "scheme": case.scheme,
            "status": case.status,
            **{element: yuan(case.cost[element]) for element in ELEMENTS},
            "total": yuan(case.total()),
            "charge": yuan(case.charge) if has_charge else None,
            "price": None if case.price is None else yuan(case.price),
            "margin": None if case.price is None else yuan(case.price - case.total()),
        }
        for case in cases
        if case.status != "late_cost"
    ]


def progress_rows(rows_of_cases: list[Row]) -> list[Row]:
    """Return the out_work_in_progress rows: the cases in progress, as the next opening."""
    columns = ("period", "unit_id", "case_id", *ELEMENTS, "charge")
    return [
        {column: row[column] for column in columns}
        for row in rows_of_cases
        if row["status"] == WORK_IN_PROGRESS
    ]


def intercompany_rows(book: Book, unit_id: str, cases: UnitCases) -> list[Row]:
    """Return the unit's out_intercompany rows."""
    return [
        {
            "period": book.period,
            "from_unit_id": unit_id,
            "to_unit_id": other,
            "item_id": item,
            "element": element,
            "amount": yuan(amount),
        }
        for (other, item, element), amount in cases.intercompany.items()
    ]


def matrix_rows(book: Book, unit_id: str, cases: UnitCases) -> list[Row]:
    """Return the unit's out_drg_matrix rows."""
    return [
        {
            "period": book.period,
            "unit_id": unit_id,
            "scheme": scheme,
            "drg_id": drg_id,
            "service_group": service,
            "element": element,
            "amount": yuan(amount),
        }
        for (scheme, drg_id, service, element), amount in cases.matrix.items()
    ]


def reasons_of(chain: UnitChain, element: str) -> dict[str, Amount]:
    """Return what became of one element's ledger, by reason."""
    unit, items, cases = chain.departments, chain.items, chain.cases
    reasons: dict[str, Amount] = {
        "ledger": unit.ledger.get(element, 0),
        "out_of_scope": unit.out_of_scope.get(element, 0),
        "non_medical": resting(unit, element, ("non_medical",)),
        "undistributed": resting(unit, element, GIVING),
    }
    if items is None:
        reasons["not_carried_further"] = resting(unit, element, POOLING)
        return reasons
    reasons["idle_capacity"] = items.idle.get(element, 0)
    reasons["no_activity"] = items.no_activity.get(element, 0)
    if cases is None:
        costs = (cost for (_, _, of), cost in items.cost.items() if of == element)
        reasons["not_carried_further"] = sum(costs)
        return reasons
    reasons["opening_work_in_progress"] = -cases.opening[element]
    reasons["unlinked_service"] = cases.unlinked[element]
    reasons["other_unit"] = cases.other_unit[element]
    for status, reason in REASONS.items():
        reasons[reason] = sum(case.cost[element] for case in cases.cases if case.status == status)
    return reasons


def reconciliation_rows(book: Book, chain: UnitChain) -> list[Row]:
    """Return the unit's out_reconciliation rows."""
    return [
        {
            "period": book.period,
            "unit_id": chain.departments.unit_id,
            "element": element,
            "reason": reason,
            "amount": yuan(amount),
        }
        for element in ELEMENTS
        for reason, amount in reasons_of(chain, element).items()
    ]


def cost_book(
    tables: Tables,
    model: dict[str, Any],
    period: str,
    units: list[str] | None = None,
    through: str = "cases",
) -> Tables:
    """Return the result tables of one period by their published names; raise Refused."""
    if through not in STAGES:
        raise ValueError(f"through must be one of {', '.join(STAGES)}")
    book = read_book(tables, period, units)
    settings = settings_of(model)
    results: Tables = {name: [] for name in TABLES_OF_STAGE[through]}
    if not settings.breaks_groups_down:
        results.pop("drg_matrix", None)
    chains = cost_units(Costing(book, settings, WHOLE_FEN), through)
    for unit_id, chain in chains.items():
        results["department_cost"] += department_rows(book, chain.departments)
        results["department_flow"] += flow_rows(book, chain.departments)
        results["reconciliation"] += reconciliation_rows(book, chain)
        if chain.items is not None:
            results["service_item_cost"] += item_rows(book, unit_id, chain.items)
        if chain.cases is not None:
            rows_of_cases = case_rows(book, chain.cases.cases)
            results["case_cost"] += rows_of_cases
            results["work_in_progress"] += progress_rows(rows_of_cases)
            results["drg_cost"] += drg_rows(book, unit_id, chain.cases.cases)
            results["intercompany"] += intercompany_rows(book, unit_id, chain.cases)
            if "drg_matrix" in results:
                results["drg_matrix"] += matrix_rows(book, unit_id, chain.cases)
    return {name: finished(name, rows) for name, rows in results.items()}


def cost_departments_exact(
    tables: Tables, model: dict[str, Any], period: str
) -> dict[tuple[str, str, str], Fraction]:
    """Return (unit, department, element) → unrounded balance in yuan after levels 1 and 2."""
    costing = Costing(read_book(tables, period, None), settings_of(model), EXACT)
    balances: dict[tuple[str, str, str], Fraction] = {}
    codes: set[str] = set()
    for unit_id in costing.book.units:
        unit = allocate(costing, unit_id)
        codes |= unit.codes
        for (dept, element), amount in unit.balance.items():
            if amount:
                balances[unit_id, dept, element] = Fraction(amount) / 100
    if codes:
        raise Refused(codes)
    return balances


def cost_cases_exact(
    tables: Tables, model: dict[str, Any], period: str
) -> dict[tuple[str, str], Fraction]:
    """Return (unit, case_id) → unrounded total in yuan of every own case, opening included."""
    costing = Costing(read_book(tables, period, None), settings_of(model), EXACT)
    chains = cost_units(costing, "cases")
    return {
        case.key: Fraction(case.total()) / 100
        for chain in chains.values()
        if chain.cases is not None
        for case in chain.cases.cases
    }
