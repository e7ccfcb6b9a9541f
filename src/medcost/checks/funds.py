"""Faults of the tables of funds that their columns do not show one by one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medcost.book import Book, TableRows
from medcost.checks.findings import Finding
from medcost.checks.rows import row_finding
from medcost.errors import Fault, quote

# What tells a package.
KEY = ("period", "package_id")


def find_request_faults(book: Book, considered: NDArray[np.bool_]) -> list[Finding]:
    """Requests whose floor lies above their ceiling, which is the request where none is given."""
    return _floors(book.tables["budget_requests"], considered, "request")


def find_assessment_faults(book: Book, considered: NDArray[np.bool_]) -> list[Finding]:
    """Members whose floor lies above their ceiling."""
    return _floors(book.tables["assessments"], considered, "")


def _floors(rows: TableRows, considered: NDArray[np.bool_], otherwise: str) -> list[Finding]:
    has_ceiling = rows.present("ceiling") | bool(otherwise)
    most = rows.values("ceiling")
    if otherwise:
        most = np.where(rows.present("ceiling"), most, rows.values(otherwise))
    above = has_ceiling & (rows.values("floor") > most)
    found = row_finding(rows, "fund-floor-above-ceiling", "floor", above & considered)
    return [] if found is None else [found]


def find_totals_missing(book: Book, considered: NDArray[np.bool_]) -> list[Fault]:
    """Months with requests for which fund_totals has no row."""
    rows = book.tables["budget_requests"]
    asked = _months(rows, considered)
    totals = book.tables.get("fund_totals")
    if totals is None and "fund_totals" in book.files:
        # A table that could not be read has faults of its own.
        return []
    there = set() if totals is None else _months(totals, np.ones(totals.n, np.bool_))
    missing = sorted(asked - there)
    if not missing:
        return []
    what = "Requests have no total in fund_totals: nothing says what there is to allocate."
    return [Fault("fund-total-missing", what, tuple(f"period {quote(one)}" for one in missing))]


def _months(rows: TableRows, considered: NDArray[np.bool_]) -> set[str]:
    labels = rows.labels("period")
    codes = np.unique(rows.codes("period")[considered])
    return {labels[code] for code in codes.tolist() if code >= 0}


def find_claim_faults(book: Book, considered: NDArray[np.bool_]) -> list[Finding]:
    """Claims of a package that insurance_package does not list for the month."""
    rows, packages = book.tables["insurance_claims"], book.tables.get("insurance_package")
    if packages is None and "insurance_package" in book.files:
        return []
    listed: set[tuple[str, str]] = set()
    if packages is not None:
        listed = set(zip(*(_texts(packages, name) for name in KEY), strict=True))
    keys = zip(*(_texts(rows, name) for name in KEY), strict=True)
    unknown = np.array([key not in listed for key in keys], np.bool_)
    unknown &= rows.codes("package_id") >= 0
    found = row_finding(rows, "package-not-listed", "package_id", unknown & considered)
    return [] if found is None else [found]


def _texts(rows: TableRows, name: str) -> list[str]:
    labels = [*rows.labels(name), ""]
    return [labels[code] for code in rows.codes(name).tolist()]
