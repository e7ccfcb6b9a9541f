"""Every check of the small tables, for the rows of the chosen periods and units."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from medcost.balance import exact_sums
from medcost.book import Book, TableRows, is_period, year_to_date
from medcost.checks.budget import find_budget_faults
from medcost.checks.findings import Finding, faults_of
from medcost.checks.references import (
    DEPARTMENT_TABLES,
    UNIT_TABLES,
    find_direct_items_without_element,
    find_group_faults,
    find_unknown_departments,
    find_unknown_items,
    find_unknown_units,
)
from medcost.checks.rows import find_duplicate_keys, find_value_faults
from medcost.errors import Fault, quote
from medcost.money import LARGEST_FEN, format_yuan


def rows_considered(
    rows: TableRows, periods: Sequence[str], units: Sequence[str] | None
) -> NDArray[np.bool_]:
    """Rows of the chosen periods and units, and rows that cannot be placed in any."""
    considered = np.ones(rows.n, np.bool_)
    if "period" in rows.text and rows.table.name != "item_weights":
        labels = rows.labels("period")
        # A budget's months from January on are added up to the year to date.
        months = year_to_date(periods) if rows.table.name == "budget" else periods
        wanted = [label in months or not is_period(label) for label in labels]
        considered &= np.array([*wanted, True], np.bool_)[rows.codes("period")]
    if units is not None and "unit_id" in rows.text and rows.table.name != "units":
        labels = rows.labels("unit_id")
        wanted = [label in units for label in labels]
        considered &= np.array([*wanted, True], np.bool_)[rows.codes("unit_id")]
    return considered


def check_tables(
    book: Book,
    periods: Sequence[str],
    units: Sequence[str] | None,
    allow_negative_statistics: bool = True,
    budget_tolerance: Fraction = Fraction(1),
) -> list[Fault]:
    """Faults of all small tables, table by table, in the order money moves.

    budget_tolerance: by what share of a budget its standards may differ from it.
    """
    findings: list[Finding] = []
    faults: list[Fault] = []
    for name, rows in book.tables.items():
        considered = rows_considered(rows, periods, units)
        findings += find_value_faults(rows, considered)
        findings += find_duplicate_keys(rows, considered)
        if name in UNIT_TABLES:
            findings += find_unknown_units(book, name, considered)
        if name in DEPARTMENT_TABLES:
            findings += find_unknown_departments(book, name, considered)
        if name == "ledger" and "entry_id" in rows.text:
            key = ("period", "unit_id", "entry_id")
            findings += find_duplicate_keys(rows, considered, key, "posting-id-twice")
        if name == "ledger":
            faults += find_amounts_out_of_range(book, periods, considered)
        if name == "drivers" and not allow_negative_statistics:
            findings += find_negative_statistics(rows, considered)
        if name == "service_items":
            findings += find_direct_items_without_element(book)
        if name == "item_weights":
            findings += find_unknown_items(book, name, considered)
        if name == "cases":
            findings += find_group_faults(book, considered)
        if name == "budget":
            findings += find_budget_faults(book, considered, budget_tolerance)
    return faults_of(findings) + faults


def find_negative_statistics(rows: TableRows, considered: NDArray[np.bool_]) -> list[Finding]:
    """Driver rows below zero, which the model does not allow."""
    from medcost.checks.rows import row_finding

    finding = row_finding(
        rows, "value-negative", "quantity", considered & (rows.values("quantity") < 0)
    )
    return [] if finding is None else [finding]


def find_amounts_out_of_range(
    book: Book, periods: Sequence[str], considered: NDArray[np.bool_]
) -> list[Fault]:
    """Units whose postings of a period add up, in absolute amount, beyond a column of money."""
    rows = book.tables["ledger"]
    units = book.registers.unit_of(rows.text["unit_id"])
    labels = rows.labels("period")
    faults = []
    for period in periods:
        code = labels.index(period) if period in labels else -2
        found = np.flatnonzero(considered & (rows.codes("period") == code) & (units >= 0))
        fen = np.abs(rows.values("amount")[found]).reshape(-1, 1)
        sums = exact_sums(units[found], fen, len(book.registers.unit_ids))[:, 0]
        for unit in np.flatnonzero(sums > LARGEST_FEN):
            money = format_yuan(int(sums[unit]))
            unit_id = quote(book.registers.unit_ids[unit])
            what = f"The ledger of unit {unit_id} in {period} moves {money} yuan."
            faults.append(Fault("amount-out-of-range", what, (f"ledger, unit_id: {unit_id}",)))
    return faults


def find_missing_selection(
    book: Book, periods: Sequence[str], units: Sequence[str] | None
) -> list[Fault]:
    """Chosen units that are not listed, and chosen periods of which the ledger has no row."""
    faults = []
    if "units" in book.tables:
        for unit in units or ():
            if unit not in book.registers.unit_ids:
                what = f"Unit {quote(unit)} is chosen, but units does not list it."
                faults.append(Fault("unit-not-in-book", what, ("units, unit_id",)))
    if "ledger" in book.tables and not faults:
        rows = book.tables["ledger"]
        labels = rows.labels("period")
        for period in periods:
            chosen = rows_considered(rows, (period,), units)
            code = labels.index(period) if period in labels else -2
            if not (chosen & (rows.codes("period") == code)).any():
                what = f"The ledger has no row of {period} for the chosen units."
                known = ", ".join(label for label in labels if is_period(label)) or "none"
                faults.append(Fault("period-not-in-book", what, (f"periods there: {known}",)))
    return faults
