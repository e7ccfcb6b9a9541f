"""One batch of service lines: labels to indices, and the faults of its rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medcost.book import codes_in, is_period
from medcost.checks.findings import ROWS_KEPT, Finding
from medcost.checks.rows import PERSONAL, number_faults, text_faults
from medcost.errors import Fault, RowsAt, quote
from medcost.parquet_input import (
    ColumnUnreadableError,
    NumberColumn,
    SourceFile,
    TextColumn,
    constant_text,
    decode_number,
    encode_text,
)
from medcost.period_book import PeriodBook
from medcost.records import dataclass
from medcost.tables import load_table


@dataclass(frozen=True)
class DecodedLines:
    """Lines as indices and integers, [rows]; -1 where a label is empty or not listed.

    considered: lines of the chosen units and period, or that cannot be placed; usable: lines
    without a fault that keeps them from being costed. ordering: ordering department of the
    performing unit, -1 where it has none there.
    """

    text: dict[str, TextColumn]
    numbers: dict[str, NumberColumn]
    considered: NDArray[np.bool_]
    usable: NDArray[np.bool_]
    unit: NDArray[np.int64]
    dept: NDArray[np.int64]
    item: NDArray[np.int64]
    case: NDArray[np.int64]
    case_unit: NDArray[np.int64]
    ordering: NDArray[np.int64]
    ordering_unlisted: NDArray[np.bool_]
    quantity: NDArray[np.int64]
    charge: NDArray[np.int64]
    direct_cost: NDArray[np.int64]


def decode_lines(
    batch: pa.RecordBatch, source: SourceFile, book: PeriodBook
) -> tuple[DecodedLines | None, list[Fault]]:
    """Turn one batch into indices; None where text cannot be read."""
    table = load_table("service_lines")
    partitions = dict(source.partitions)
    text: dict[str, TextColumn] = {}
    numbers: dict[str, NumberColumn] = {}
    n = batch.num_rows
    try:
        for column in table.columns:
            if column.name in batch.schema.names:
                chunk = batch.column(column.name)
            elif column.name in partitions:
                chunk = constant_text(partitions[column.name], n)
            else:
                continue
            if column.type == "string":
                text[column.name] = encode_text([chunk])
            else:
                numbers[column.name] = decode_number(chunk, column)
    except ColumnUnreadableError as error:
        what = f"{quote(source.label)}, column {column.name}: {error}."
        return None, [Fault(error.code, what, (quote(source.label),))]
    return _resolve(text, numbers, n, book), []


def named_cases(
    batch: pa.RecordBatch, source: SourceFile, book: PeriodBook
) -> tuple[NDArray[np.int64], pa.Array] | None:
    """Unit and case_id of each case that lines of the period and the chosen units name."""
    lines, _ = decode_lines(batch, source, book)
    if lines is None or "case_id" not in lines.text:
        return None
    column = lines.text["case_id"]
    in_period = _in_period(lines.text["period"], book.period)
    found = lines.considered & in_period & (column.codes >= 0) & (lines.case_unit >= 0)
    pairs = np.unique(
        np.stack([lines.case_unit[found], column.codes[found].astype(np.int64)], axis=1), axis=0
    )
    return pairs[:, 0], column.labels.take(pa.array(pairs[:, 1]))


def _resolve(
    text: dict[str, TextColumn], numbers: dict[str, NumberColumn], n: int, book: PeriodBook
) -> DecodedLines:
    registers = book.registers
    empty = TextColumn(np.full(n, -1, np.int32), pa.array([], pa.string()))
    unit = registers.unit_of(text["unit_id"])
    considered = _considered(text, unit, book)
    dept = registers.department_of(unit, text["dept_id"])
    item = codes_in(text["item_id"], registers.item_labels)
    named_unit = text.get("case_unit_id", empty)
    case_unit = np.where(named_unit.codes >= 0, registers.unit_of(named_unit), unit)
    linked = text.get("case_id", empty)
    case = book.cases.find(case_unit, codes_in(linked, book.cases.case_labels))
    is_linked = linked.codes >= 0
    case = np.where(is_linked, case, -1)
    ordering, ordering_unlisted = _ordering(text, unit, case_unit, case, book)

    def values(name: str) -> NDArray[np.int64]:
        return numbers[name].values if name in numbers else np.zeros(n, np.int64)

    in_period = _in_period(text["period"], book.period)
    usable = considered & in_period & (dept >= 0) & (item >= 0)
    usable &= ~is_linked | (case >= 0)
    usable &= (named_unit.codes < 0) | (case_unit >= 0)
    return DecodedLines(
        text,
        numbers,
        considered,
        usable,
        unit,
        dept,
        item,
        case,
        case_unit,
        ordering,
        ordering_unlisted,
        values("quantity"),
        values("charge"),
        values("direct_cost"),
    )


def _in_period(column: TextColumn, period: str) -> NDArray[np.bool_]:
    chosen = codes_in(column, pa.array([period], pa.string()))
    return np.asarray(chosen == 0, np.bool_)


def _considered(
    text: dict[str, TextColumn], unit: NDArray[np.int64], book: PeriodBook
) -> NDArray[np.bool_]:
    """Lines of the period and the chosen units, and lines that cannot be placed in any."""
    period = text["period"]
    placed = [is_period(label) for label in period.labels.to_pylist()]
    unplaced = np.append(~np.array(placed, np.bool_), True)[period.codes]
    chosen = np.append(book.selected, True)[unit]
    return np.asarray((_in_period(period, book.period) | unplaced) & chosen, np.bool_)


def _ordering(
    text: dict[str, TextColumn],
    unit: NDArray[np.int64],
    case_unit: NDArray[np.int64],
    case: NDArray[np.int64],
    book: PeriodBook,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The ordering department within the performing unit, and where a named one is nowhere."""
    registers = book.registers
    own_case = (case >= 0) & (case_unit == unit)
    default = np.append(book.cases.dept, -1)[np.where(own_case, case, -1)]
    if "ordering_dept_id" not in text:
        return default, np.zeros(len(unit), np.bool_)
    column = text["ordering_dept_id"]
    here = registers.department_of(unit, column)
    there = registers.department_of(case_unit, column)
    named = column.codes >= 0
    return np.where(named, here, default), named & (here < 0) & (there < 0)


def find_line_faults(
    lines: DecodedLines, book: PeriodBook, source: SourceFile, first_row: int
) -> list[Finding]:
    """Every fault of the batch's considered lines; first_row: its first row within the file."""
    table = load_table("service_lines")
    considered = lines.considered
    findings: list[Finding] = []

    def add(code: str, column: str, at: NDArray[np.bool_]) -> None:
        found = np.flatnonzero(at & considered)
        if len(found):
            findings.append(_line_finding(lines, code, column, found, source, first_row))

    for column in table.columns:
        if column.name in lines.text:
            for code, bad in text_faults(lines.text[column.name], column, table.name):
                add(code, column.name, bad)
        elif column.name in lines.numbers:
            for code, rows in number_faults(lines.numbers[column.name], column, table.name):
                mask = np.zeros(len(considered), np.bool_)
                mask[rows] = True
                add(code, column.name, mask)
    for code, name, at in _reference_faults(lines, book):
        add(code, name, at)
    return findings


def _reference_faults(
    lines: DecodedLines, book: PeriodBook
) -> list[tuple[str, str, NDArray[np.bool_]]]:
    registers = book.registers

    def named(column: str) -> NDArray[np.bool_]:
        if column not in lines.text:
            return np.zeros(len(lines.unit), np.bool_)
        return lines.text[column].codes >= 0

    # dept -1, not listed, takes the entry added last.
    is_open = np.append(registers.open_in(book.period), True)[lines.dept]
    direct = np.append(registers.item_direct, False)[lines.item]
    has_cost = np.zeros(len(direct), np.bool_)
    if "direct_cost" in lines.numbers:
        has_cost = lines.numbers["direct_cost"].present
    case_known = (lines.case >= 0) | (lines.case_unit < 0)
    return [
        ("unit-not-listed", "unit_id", named("unit_id") & (lines.unit < 0)),
        ("unit-not-listed", "case_unit_id", named("case_unit_id") & (lines.case_unit < 0)),
        (
            "department-not-listed",
            "dept_id",
            named("dept_id") & (lines.unit >= 0) & (lines.dept < 0),
        ),
        ("department-not-open", "dept_id", ~is_open),
        ("item-not-listed", "item_id", named("item_id") & (lines.item < 0)),
        ("case-not-listed", "case_id", named("case_id") & ~case_known),
        ("ordering-department-not-listed", "ordering_dept_id", lines.ordering_unlisted),
        ("direct-cost-missing", "direct_cost", direct & ~has_cost),
    ]


def _line_finding(
    lines: DecodedLines,
    code: str,
    column: str,
    found: NDArray[np.int64],
    source: SourceFile,
    first_row: int,
) -> Finding:
    fen = None
    if "charge" in lines.numbers and column != "charge":
        fen = sum(int(charge) for charge in lines.charge[found])
    labels: tuple[tuple[str, int], ...] = ()
    if column in lines.text and column not in PERSONAL and code != "value-missing":
        text = lines.text[column]
        codes, counts = np.unique(text.codes[found], return_counts=True)
        known = [*text.labels.to_pylist(), ""]
        labels = tuple((known[c], int(n)) for c, n in zip(codes, counts, strict=True))
    label = quote(source.label)[1:-1]
    rows = tuple(f"{label} row {first_row + int(row) + 1}" for row in found[:ROWS_KEPT])
    at = (RowsAt(label, first_row + found + 1),)
    return Finding(code, "service_lines", column, len(found), fen, labels, rows, at)
