"""Faults between tables: units, departments, items, cases and groups that are not listed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medcost.book import Book, TableRows, codes_in, is_period, period_number
from medcost.checks.findings import Finding
from medcost.checks.rows import row_finding

# Tables whose dept_id must be listed; in the ledger it must be open in the month, too.
DEPARTMENT_TABLES = (
    "ledger", "drivers", "cases", "item_weights", "income", "statistics", "capacity", "budget",
)  # fmt: skip
UNIT_TABLES = (
    "departments", "ledger", "drivers", "cases", "opening_work_in_progress", "item_weights",
    "drg_prices", "income", "statistics", "capacity", "budget",
)  # fmt: skip


def find_unknown_units(book: Book, name: str, considered: NDArray[np.bool_]) -> list[Finding]:
    """Rows of a unit that units does not list."""
    rows = book.tables[name]
    if "unit_id" not in rows.text or "units" not in book.tables:
        return []
    unknown = (rows.codes("unit_id") >= 0) & (book.registers.unit_of(rows.text["unit_id"]) < 0)
    return _kept(row_finding(rows, "unit-not-listed", "unit_id", unknown & considered))


def find_unknown_departments(book: Book, name: str, considered: NDArray[np.bool_]) -> list[Finding]:
    """Rows of a department that its unit does not have, or not in that month."""
    rows, registers = book.tables[name], book.registers
    if "dept_id" not in rows.text or "departments" not in book.tables:
        return []
    named = (rows.codes("dept_id") >= 0) & considered
    units, dept = np.full(rows.n, -1), codes_in(rows.text["dept_id"], registers.dept_labels)
    if "unit_id" in rows.text:
        units = registers.unit_of(rows.text["unit_id"])
        # Without a unit, as weights may be, any unit's department will do.
        of_unit = rows.codes("unit_id") >= 0
        dept = np.where(of_unit, registers.department_of(units, rows.text["dept_id"]), dept)
        named &= ~of_unit | (units >= 0)
    findings = _kept(row_finding(rows, "department-not-listed", "dept_id", named & (dept < 0)))
    if name == "ledger":
        month = _months(rows)
        dept = np.where(named & (dept >= 0) & (month >= 0), dept, -1)
        closed = (dept >= 0) & _closed(book, dept, month)
        findings += _kept(row_finding(rows, "department-not-open", "dept_id", closed))
    return findings


def _closed(book: Book, dept: NDArray[np.int64], month: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where a department is not open in the month; dept -1 stands for any."""
    registers = book.registers
    if not len(registers.dept_ids):
        return np.zeros(len(dept), np.bool_)
    return (month < registers.dept_from[dept]) | (month > registers.dept_to[dept])


def _months(rows: TableRows) -> NDArray[np.int64]:
    numbers = [period_number(p) if is_period(p) else -1 for p in rows.labels("period")]
    return np.array([*numbers, -1], np.int64)[rows.codes("period")]


def find_unknown_items(book: Book, name: str, considered: NDArray[np.bool_]) -> list[Finding]:
    """Weights of an item that the catalogue does not list."""
    rows = book.tables[name]
    if "service_items" not in book.tables:
        return []
    unknown = (rows.codes("item_id") >= 0) & (
        codes_in(rows.text["item_id"], book.registers.item_labels) < 0
    )
    return _kept(row_finding(rows, "item-not-listed", "item_id", unknown & considered))


def find_direct_items_without_element(book: Book) -> list[Finding]:
    """Direct items that do not say what element they are traced from."""
    rows = book.tables["service_items"]
    bases = rows.labels("basis")
    direct = bases.index("direct") if "direct" in bases else -2
    missing = (rows.codes("basis") == direct) & (rows.codes("element") < 0)
    return _kept(row_finding(rows, "item-element-missing", "element", missing))


def find_group_faults(book: Book, considered: NDArray[np.bool_]) -> list[Finding]:
    """Cases whose group is not in the catalogue, or whose scheme is one of several and empty."""
    rows = book.tables["cases"]
    if "drg_groups" not in book.tables or "drg_id" not in rows.text:
        return []
    groups = book.tables["drg_groups"]
    schemes = groups.labels("scheme")
    grouped = (rows.codes("drg_id") >= 0) & considered
    scheme = np.full(rows.n, -1, np.int64)
    if "scheme" in rows.text:
        scheme = codes_in(rows.text["scheme"], groups.text["scheme"].labels)
    unnamed = rows.codes("scheme") < 0
    findings = []
    if len(schemes) == 1:
        scheme = np.where(unnamed, 0, scheme)
    else:
        findings += _kept(row_finding(rows, "scheme-missing", "scheme", grouped & unnamed))
        grouped &= ~unnamed
    # A scheme or group that is not there is -1 and takes the last row or column.
    known = np.zeros((len(schemes) + 1, len(groups.labels("drg_id")) + 1), np.bool_)
    known[groups.codes("scheme"), groups.codes("drg_id")] = True
    known[-1], known[:, -1] = False, False
    drg = codes_in(rows.text["drg_id"], groups.text["drg_id"].labels)
    listed = known[scheme, drg]
    return findings + _kept(row_finding(rows, "group-not-listed", "drg_id", grouped & ~listed))


def _kept(finding: Finding | None) -> list[Finding]:
    return [] if finding is None else [finding]
