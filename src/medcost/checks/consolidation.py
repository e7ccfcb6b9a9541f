"""Faults of business between members that no policy is needed to see."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medcost.book import Book, codes_in, is_period, period_number
from medcost.checks.findings import Finding
from medcost.checks.rows import row_finding


def find_self_dealing(book: Book, considered: NDArray[np.bool_]) -> list[Finding]:
    """Rows in which a unit is its own partner."""
    rows = book.tables["intercompany"]
    if "unit_id" not in rows.text or "partner_id" not in rows.text:
        return []
    partner = codes_in(rows.text["partner_id"], rows.text["unit_id"].labels)
    same = (partner >= 0) & (partner == rows.codes("unit_id"))
    finding = row_finding(rows, "partner-is-itself", "partner_id", same & considered)
    return [] if finding is None else [finding]


def find_stock_faults(book: Book, considered: NDArray[np.bool_]) -> list[Finding]:
    """Goods in stock before they were bought."""
    rows = book.tables["internal_stock"]

    def months(column: str) -> NDArray[np.int64]:
        known = [period_number(x) if is_period(x) else -1 for x in rows.labels(column)]
        return np.array([*known, -1], np.int64)[rows.codes(column)]

    period, sold_in = months("period"), months("sold_in")
    early = (period >= 0) & (sold_in > period) & considered
    finding = row_finding(rows, "stock-before-purchase", "sold_in", early)
    return [] if finding is None else [finding]
