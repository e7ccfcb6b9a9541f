"""Faults of the table budget that its columns do not show one by one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from medcost.book import Book, TableRows, codes_in
from medcost.checks.findings import ROWS_KEPT, Finding
from medcost.checks.rows import row_finding
from medcost.money import divide_half_away, format_yuan

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


def _rows_with_standards(rows: TableRows, considered: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.flatnonzero(
        considered & np.logical_or.reduce([rows.present(name) for name in STANDARDS])
    )


def _keys(rows: TableRows) -> NDArray[np.int64]:
    """What a row is of, the tag left out: int [rows, parts of the key]."""
    names = ("period", "unit_id", "dept_id", "element", "drg_id")
    return np.stack([rows.codes(name) for name in names], axis=1).astype(np.int64)


def _doubled(rows: TableRows, considered: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Rows that hold a volume or a standard of a key of which another one does, too."""
    found = _rows_with_standards(rows, considered)
    if not len(found):
        return found
    _, of_key, count = np.unique(
        _keys(rows)[found], axis=0, return_inverse=True, return_counts=True
    )
    return np.asarray(found[count[of_key.reshape(-1)] > 1])


def _standards_twice(rows: TableRows, considered: NDArray[np.bool_]) -> Finding | None:
    return row_finding(rows, "budget-standards-twice", "tag", _doubled(rows, considered))


def _disagreeing(
    rows: TableRows, considered: NDArray[np.bool_], tolerance: Fraction
) -> Finding | None:
    """A missing standard quantity counts 1; tags of one key are added up to its amount."""
    priced = considered & rows.present("volume") & rows.present("standard_price")
    priced[_doubled(rows, considered)] = False
    found = np.flatnonzero(priced)
    keys = list(map(tuple, _keys(rows).tolist()))
    amounts: dict[tuple[int, ...], int] = dict.fromkeys((keys[row] for row in found.tolist()), 0)
    for key, fen in zip(keys, rows.values("amount").tolist(), strict=True):
        if key in amounts:
            amounts[key] += fen
    quantity = np.where(
        rows.present("standard_quantity"), rows.values("standard_quantity"), QUANTITY_STEPS
    )
    places = []
    for row in found.tolist():
        steps = int(rows.values("volume")[row]) * int(rows.values("standard_price")[row])
        given = amounts[keys[row]]
        planned = Fraction(steps * int(quantity[row]), STEPS_OF_FEN)
        if abs(planned - given) > abs(given) * tolerance + 1:
            computed = divide_half_away(*planned.as_integer_ratio())
            amount = f"{format_yuan(given)} against {format_yuan(computed)}"
            places.append(f"{rows.place(row)}: {amount}")
    if not places:
        return None
    shown = tuple(places[:ROWS_KEPT])
    return Finding("budget-standards-disagree", "budget", "amount", len(places), None, (), shown)
