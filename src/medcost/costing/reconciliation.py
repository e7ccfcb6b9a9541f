"""The reconciliation: each fen of the ledger under the first reason that fits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medcost.balance import exact_sums, require_equal
from medcost.costing.cases import (
    COSTED,
    IN_PROGRESS,
    LATE,
    STATUSES,
    UNGROUPED,
    VISIT,
    CaseCosts,
)
from medcost.costing.departments import DepartmentCosts
from medcost.costing.links import GIVING, NON_MEDICAL
from medcost.costing.service_items import ServiceItemCosts
from medcost.period_book import PeriodBook
from medcost.tables import load_table

REASONS = load_table("out_reconciliation").column("reason").values
STATUS_OF_REASON = {
    "late_cost": LATE,
    "work_in_progress": IN_PROGRESS,
    "visits": VISIT,
    "ungrouped": UNGROUPED,
    "cases": COSTED,
}


def reconcile(
    book: PeriodBook,
    departments: DepartmentCosts,
    items: ServiceItemCosts | None = None,
    cases: CaseCosts | None = None,
) -> dict[str, NDArray[np.int64]]:
    """Fen of every reason, [units, elements]; ledger = the sum of all others.

    items, cases: None where the run stopped before them; what was not carried further then has
    that reason. Opening work in progress stands with a negative sign. Raises InvariantBroken.
    """
    registers = book.registers
    n = len(registers.unit_ids)

    def by_unit(units: NDArray[np.int64], fen: NDArray[np.int64]) -> NDArray[np.int64]:
        return exact_sums(units, fen, n).astype(np.int64)

    def of_class(*classes: int) -> NDArray[np.int64]:
        chosen = np.isin(registers.dept_class, classes)
        return by_unit(registers.dept_unit[chosen], departments.full_cost[chosen])

    zero = np.zeros_like(departments.ledger)
    amounts = dict.fromkeys(REASONS, zero)
    amounts["ledger"] = departments.ledger
    amounts["out_of_scope"] = departments.out_of_scope
    amounts["non_medical"] = of_class(NON_MEDICAL)
    amounts["undistributed"] = of_class(*GIVING)
    if items is None:
        amounts["not_carried_further"] = by_unit(registers.dept_unit, departments.pool)
    else:
        amounts["no_activity"] = by_unit(registers.dept_unit, items.no_activity)
        if cases is None:
            unit_of = registers.dept_unit[items.matrix.activity_dept]
            amounts["not_carried_further"] = by_unit(unit_of, items.cost)
    if cases is not None:
        # A slice takes no copy of every case.
        chosen = slice(None) if cases.chosen.all() else np.flatnonzero(cases.chosen)
        unit_of, status_of = book.cases.unit[chosen], cases.status[chosen]
        if book.cases.has_opening:
            opening = book.cases.opening[chosen]
            amounts["opening_work_in_progress"] = -by_unit(unit_of, opening)
        amounts["unlinked_service"] = cases.unlinked
        amounts["other_unit"] = by_unit(cases.member_from, cases.member_fen)
        places = status_of * n + unit_of
        by_status = exact_sums(places, cases.cost[chosen], len(STATUSES) * n).astype(np.int64)
        for reason, status in STATUS_OF_REASON.items():
            amounts[reason] = by_status[status * n : (status + 1) * n]
    _require_tie(amounts)
    return amounts


def _require_tie(amounts: dict[str, NDArray[np.int64]]) -> None:
    ledger = amounts["ledger"].astype(object)
    others = np.zeros_like(ledger)
    for reason, fen in amounts.items():
        if reason != "ledger":
            others = others + fen.astype(object)
    require_equal("ledger = all other reasons", others, ledger)
