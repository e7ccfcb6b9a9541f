"""Faults that a table shows by itself: values, formats, keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medcost.book import TableRows, is_period
from medcost.checks.findings import ROWS_KEPT, Finding
from medcost.parquet_input import NumberColumn, TextColumn
from medcost.tables import Column
from medcost.text_labels import find_blank_ends

# Columns that could lead to a person: messages give the file and row instead.
PERSONAL = frozenset({"case_id", "line_id", "doctor_id", "disease_id", "entry_id", "claim_id"})
PERIODS = frozenset({"period", "valid_from", "valid_to", "sold_in"})
CASH_PLAN = ("opening_balance", "inflow", "outflow", "basic_operation")
AT_RISK = ("inflow_at_risk", "outflow_at_risk")
LOAN_LIMITS = ("loan_limit", "bank_limit", "opening_debt", "opening_bridge", "outside_cash")
NOT_NEGATIVE = frozenset(
    {
        ("item_weights", "weight"),
        *(("cash_plan", column) for column in (*CASH_PLAN, *AT_RISK)),
        *(("loan_limits", column) for column in LOAN_LIMITS),
        *(("budget_requests", name) for name in ("request", "floor", "ceiling", "previous")),
        ("fund_totals", "total"),
        *(
            ("insurance_package", name)
            for name in ("package", "reserve", "out_of_county", "local", "expected")
        ),
        ("insurance_claims", "amount"),
        *(("assessments", name) for name in ("service_volume", "score", "floor", "ceiling")),
    }
)
MONEY_COLUMN = {
    "ledger": "amount",
    "income": "amount",
    "budget": "amount",
    "service_lines": "charge",
    "statements": "amount",
    "intercompany": "amount",
    "internal_stock": "amount",
    "budget_requests": "request",
    "insurance_claims": "amount",
}


def fen_of(rows: TableRows, found: NDArray[np.int64]) -> int | None:
    """What the rows are worth, None where the table has no column of money."""
    column = MONEY_COLUMN.get(rows.table.name)
    if column is None or column not in rows.numbers:
        return None
    return sum(int(fen) for fen in rows.numbers[column].values[found])


def row_finding(
    rows: TableRows, code: str, column: str, at: NDArray[np.bool_] | NDArray[np.int64]
) -> Finding | None:
    """The finding for the rows at fault (a mask or row numbers), None where there are none."""
    found = np.flatnonzero(at) if at.dtype == np.bool_ else at.astype(np.int64)
    if not len(found):
        return None
    labels: tuple[tuple[str, int], ...] = ()
    if column in rows.text and column not in PERSONAL and code != "value-missing":
        codes, counts = np.unique(rows.text[column].codes[found], return_counts=True)
        known = [*rows.labels(column), ""]
        labels = tuple((known[c], int(n)) for c, n in zip(codes, counts, strict=True) if c >= 0)
    places = tuple(rows.place(int(row)) for row in found[:ROWS_KEPT])
    # Rows whose money itself cannot be read are worth nobody knows what.
    fen = None if column == MONEY_COLUMN.get(rows.table.name) else fen_of(rows, found)
    at_rows = tuple(rows.rows_at(found))
    return Finding(code, rows.table.name, column, len(found), fen, labels, places, at_rows)


def find_value_faults(rows: TableRows, considered: NDArray[np.bool_]) -> list[Finding]:
    """Empty, ill-formed and impossible values of the rows considered, column by column."""
    findings: list[Finding | None] = []
    for column in rows.table.columns:
        if column.name in rows.text:
            text = rows.text[column.name]
            for code, bad in text_faults(text, column, rows.table.name):
                findings.append(row_finding(rows, code, column.name, bad & considered))
        elif column.name in rows.numbers:
            number = rows.numbers[column.name]
            for code, at in number_faults(number, column, rows.table.name):
                findings.append(row_finding(rows, code, column.name, at[considered[at]]))
    return [finding for finding in findings if finding is not None]


def text_faults(
    text: TextColumn, column: Column, table: str
) -> list[tuple[str, NDArray[np.bool_]]]:
    """(code, mask of rows) for each kind of fault a text column can have."""
    faults = []
    if not column.nullable:
        faults.append(("value-missing", text.codes < 0))
    for code, is_bad in _label_rules(column, table):
        bad_labels = np.append(is_bad(text.labels), False)
        if bad_labels.any():
            faults.append((code, bad_labels[text.codes]))
    return faults


def _label_rules(
    column: Column, table: str
) -> list[tuple[str, Callable[[pa.Array], NDArray[np.bool_]]]]:
    """(code, what finds the labels at fault) for each rule of a text column."""
    if column.name in PERIODS or (table == "item_weights" and column.name == "period"):
        return [("period-format", lambda labels: _mask(labels, lambda x: not is_period(x)))]
    if column.values:
        allowed = frozenset(column.values)
        return [("value-not-allowed", lambda labels: _mask(labels, lambda x: x not in allowed))]
    return [("text-blank-ends", find_blank_ends)]


def _mask(labels: pa.Array, is_bad: Callable[[str], bool]) -> NDArray[np.bool_]:
    return np.array([is_bad(label) for label in labels.to_pylist()], np.bool_)


def number_faults(
    number: NumberColumn, column: Column, table: str
) -> list[tuple[str, NDArray[np.int64]]]:
    """(code, row numbers) for each kind of fault a number column can have."""
    faults = [
        ("value-too-fine", number.too_fine),
        ("value-not-finite", number.not_finite),
        ("value-out-of-range", number.out_of_range),
    ]
    if not column.nullable:
        faults.append(("value-missing", np.flatnonzero(~number.present)))
    if (table, column.name) in NOT_NEGATIVE:
        faults.append(("value-negative", np.flatnonzero(number.values < 0)))
    return faults


def find_duplicate_keys(
    rows: TableRows,
    considered: NDArray[np.bool_],
    key: Sequence[str] | None = None,
    code: str = "duplicate-key",
) -> list[Finding]:
    """Rows whose key an earlier row has; rows with an empty key part that must not be are skipped.

    key: other columns than the table's key.
    """
    names = tuple(key or rows.table.key)
    if not names or rows.n == 0:
        return []
    codes = [rows.codes(name) for name in names]
    usable = considered.copy()
    for name, column in zip(names, codes, strict=True):
        if key is not None or not rows.table.column(name).nullable:
            usable &= column >= 0
    found = np.flatnonzero(usable)
    if _are_ascending([column[found] for column in codes]):
        return []
    order = found[np.lexsort([column[found] for column in reversed(codes)])]
    same = np.ones(max(len(order) - 1, 0), np.bool_)
    for column in codes:
        same &= column[order][1:] == column[order][:-1]
    shown = names[-1] if key is not None else ", ".join(names)
    finding = row_finding(rows, code, shown, np.sort(order[1:][same]))
    return [finding] if finding is not None else []


def _are_ascending(codes: list[NDArray[np.int32]]) -> bool:
    """Whether rows are sorted by their codes, column by column, and no two are equal."""
    above = np.zeros(max(len(codes[0]) - 1, 0), np.bool_)
    for column in reversed(codes):
        step = np.diff(column)
        above = (step > 0) | ((step == 0) & above)
    return bool(above.all())
