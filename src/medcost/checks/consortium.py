"""Every check of the consortium's tables: values, keys, members, and what each asks for itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from medcost.book import Book, TableRows, missing_table
from medcost.checks import shared_services
from medcost.checks.cash_plan import find_plan_faults
from medcost.checks.consolidation import find_self_dealing, find_stock_faults
from medcost.checks.findings import Finding, faults_of
from medcost.checks.funds import (
    find_assessment_faults,
    find_claim_faults,
    find_request_faults,
    find_totals_missing,
)
from medcost.checks.ownership import find_ownership_faults
from medcost.checks.rows import find_duplicate_keys, find_value_faults, row_finding
from medcost.checks.shared_equipment import (
    find_distance_faults,
    find_equipment_faults,
    find_exam_demand_faults,
)
from medcost.checks.tables import rows_considered
from medcost.errors import Fault
from medcost.tables import CONSORTIUM_INPUTS

# What a table asks for beyond, of the rows considered: findings, merged and told like those of
# any table, or faults in words of their own.
FINDINGS: Mapping[str, Callable[[Book, NDArray[np.bool_]], list[Finding]]] = {
    **shared_services.FINDINGS,
    "equipment": find_equipment_faults,
    "exam_demand": find_exam_demand_faults,
    "distances": find_distance_faults,
    "intercompany": find_self_dealing,
    "internal_stock": find_stock_faults,
    "budget_requests": find_request_faults,
    "assessments": find_assessment_faults,
    "insurance_claims": find_claim_faults,
}
FAULTS: Mapping[str, Callable[[Book, NDArray[np.bool_]], list[Fault]]] = {
    "cash_plan": find_plan_faults,
    "shared_services": shared_services.find_service_faults,
    "ownership": find_ownership_faults,
    "budget_requests": find_totals_missing,
}


def consortium_tables() -> tuple[str, ...]:
    """Every input table of the consortium, those of one kind after those of another."""
    return tuple(dict.fromkeys(name for names in CONSORTIUM_INPUTS.values() for name in names))


def check_consortium(
    book: Book, names: Sequence[str], periods: Sequence[str] | None = None
) -> list[Fault]:
    """Faults of the consortium's tables of a book, table by table, in the order of the names.

    periods: rows of other months are not looked at; None: every row is.
    """
    findings: list[Finding] = []
    faults: list[Fault] = []
    there = [name for name in names if name in book.tables]
    if there and "units" not in book.files:
        faults.append(missing_table("units", book.folder))
    for name in ("units", *there):
        if name not in book.tables:
            continue
        rows = book.tables[name]
        considered = np.ones(rows.n, np.bool_)
        if periods is not None:
            considered = rows_considered(rows, periods, None)
        findings += find_value_faults(rows, considered) + find_duplicate_keys(rows, considered)
        if name != "units":
            findings += find_unknown_members(book, rows, considered)
        if name in FINDINGS:
            findings += FINDINGS[name](book, considered)
        if name in FAULTS:
            faults += FAULTS[name](book, considered)
    return faults_of(findings) + faults


def find_unknown_members(
    book: Book, rows: TableRows, considered: NDArray[np.bool_]
) -> list[Finding]:
    """Rows that name a unit, in any column of units, that units does not list."""
    if "units" not in book.tables:
        return []
    findings = []
    for column in rows.table.columns:
        if column.name.endswith("unit_id") and column.name in rows.text:
            named = rows.codes(column.name) >= 0
            unknown = named & (book.registers.unit_of(rows.text[column.name]) < 0)
            finding = row_finding(rows, "unit-not-listed", column.name, unknown & considered)
            findings += [] if finding is None else [finding]
    return findings
