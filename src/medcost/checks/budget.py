"""Faults of the table budget that its columns do not show one by one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from medcost.book import Book, TableRows, codes_in
from medcost.checks.findings import Finding
from medcost.checks.rows import row_finding

STANDARDS = ("volume", "standard_price", "standard_quantity")
# volume x price x quantity has 16 decimals of yuan, a fen two.
STEPS_OF_FEN = 10**14
QUANTITY_STEPS = 10**6


def find_budget_faults(
    book: Book, considered: NDArray[np.bool_], tolerance: Fraction
) -> list[Finding]:
    """Rows that no figure answers to, and standards that contradict each other or the amount.

    tolerance: the share of the amount by which volume x quantity x price may differ from it.
    """
    rows = book.tables["budget"]
    findings = [
        *(_negative(rows, name, considered) for name in STANDARDS),
        _unmatched(rows, considered),
        _unknown_groups(book, considered),
        _standards_twice(rows, considered),
        _disagreeing(rows, considered, tolerance),
    ]
    return [finding for finding in findings if finding is not None]


def _negative(rows: TableRows, column: str, considered: NDArray[np.bool_]) -> Finding | None:
    return row_finding(rows, "value-negative", column, considered & (rows.values(column) < 0))


def _unmatched(rows: TableRows, considered: NDArray[np.bool_]) -> Finding | None:
    both = (rows.codes("dept_id") >= 0) & (rows.codes("drg_id") >= 0)
    return row_finding(rows, "budget-line-unmatched", "drg_id", both & considered)


def _unknown_groups(book: Book, considered: NDArray[np.bool_]) -> Finding | None:
    """Groups that no scheme of the catalogue lists; without a catalogue none can be told."""
    rows = book.tables["budget"]
    if "drg_groups" not in book.tables or "drg_id" not in rows.text:
        return None
    listed = book.tables["drg_groups"].text["drg_id"].labels
    unknown = (rows.codes("drg_id") >= 0) & (codes_in(rows.text["drg_id"], listed) < 0)
    return row_finding(rows, "group-not-listed", "drg_id", unknown & considered)


def _standards_twice(rows: TableRows, considered: NDArray[np.bool_]) -> Finding | None:
    holding = considered & np.logical_or.reduce([rows.present(name) for name in STANDARDS])
    found = np.flatnonzero(holding)
    names = ("period", "unit_id", "dept_id", "element", "drg_id")
    codes = np.stack([rows.codes(name)[found] for name in names], axis=1)
    if not len(found):
        return None
    _, of_key, count = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    return row_finding(rows, "budget-standards-twice", "tag", found[count[of_key.ravel()] > 1])


def _disagreeing(
    rows: TableRows, considered: NDArray[np.bool_], tolerance: Fraction
) -> Finding | None:
    """A missing standard quantity counts 1; tags of one key are added up to its amount."""
    priced = considered & rows.present("volume") & rows.present("standard_price")
    found = np.flatnonzero(priced)
    if not len(found):
        return None
    names = ("period", "unit_id", "dept_id", "element", "drg_id")
    codes = np.stack([rows.codes(name) for name in names], axis=1)
    wanted = {tuple(key) for key in codes[found].tolist()}
    amounts: dict[tuple[int, ...], int] = {}
    for key, fen in zip(map(tuple, codes.tolist()), rows.values("amount").tolist(), strict=True):
        if key in wanted:
            amounts[key] = amounts.get(key, 0) + fen
    quantity = np.where(
        rows.present("standard_quantity"), rows.values("standard_quantity"), QUANTITY_STEPS
    )
    bad = []
    for row in found.tolist():
        steps = int(rows.values("volume")[row]) * int(rows.values("standard_price")[row])
        given = amounts[tuple(codes[row].tolist())]
        planned = Fraction(steps * int(quantity[row]), STEPS_OF_FEN)
        if abs(planned - given) > abs(given) * tolerance + 1:
            bad.append(row)
    return row_finding(rows, "budget-standards-disagree", "amount", np.array(bad, np.int64))
