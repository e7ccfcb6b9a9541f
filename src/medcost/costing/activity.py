"""One pass over the service lines: a case x activity matrix in integers, and the orders of level 3.

Lines are netted at (department, item, case) before anything else (arithmetic rule 4). The pass
also gathers the faults of the lines: it is the only one that sees them all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from medcost._core.sums import group_sums, sort_order
from medcost.book import Book, is_period, partition_faults
from medcost.checks.findings import Finding
from medcost.checks.service_lines import (
    DecodedLines,
    decode_lines,
    find_line_faults,
    named_cases,
)
from medcost.costing.departments import Orders
from medcost.costing.links import CLINICAL, MEDTECH
from medcost.errors import Fault
from medcost.parquet_input import (
    BATCH_ROWS,
    READ_ERRORS,
    SourceFile,
    open_parquet,
    read_batches,
    unreadable,
)
from medcost.period_book import PeriodBook, register_cases
from medcost.tables import load_table

QUANTITY, CHARGE, DIRECT_COST = 0, 1, 2


@dataclass(frozen=True)
class ActivityMatrix:
    """Net services of a period, exact integers; rows (receivers of cost) x activities.

    Rows are sorted by performing unit, then case; row_unit: performing unit; row_case: case of
    the register, -1 for the unit's unlinked lines [rows]. Activities are sorted by department,
    then item: activity_dept, activity_item [activities]. Entries of row r are starts[r] to
    starts[r + 1]: activity, quantity (1e-4), charge (fen), direct_cost (fen) [entries].
    """

    row_unit: NDArray[np.int64]
    row_case: NDArray[np.int64]
    activity_dept: NDArray[np.int64]
    activity_item: NDArray[np.int64]
    starts: NDArray[np.int64]
    activity: NDArray[np.int64]
    quantity: NDArray[np.int64]
    charge: NDArray[np.int64]
    direct_cost: NDArray[np.int64]
    has_charge: bool
    n_lines: int

    @property
    def entry_row(self) -> NDArray[np.int64]:
        """Row of each entry."""
        return np.repeat(np.arange(len(self.row_unit)), np.diff(self.starts))


@dataclass(frozen=True)
class Activity:
    """What the pass over the lines yields: the matrix, the orders and the lines' faults."""

    matrix: ActivityMatrix
    orders: Orders
    findings: tuple[Finding, ...]
    faults: tuple[Fault, ...]
    line_ids_doubled: int = 0


@dataclass(frozen=True)
class _Part:
    """Group sums of one piece of a file."""

    keys: NDArray[np.int64]
    values: NDArray[np.int64]
    order_keys: NDArray[np.int64]
    order_values: NDArray[np.int64]
    findings: list[Finding]
    faults: list[Fault]
    n_lines: int
    posting_ids: pa.Array | None


@dataclass(frozen=True)
class _Piece:
    """Some row groups of one file, small enough to be one thread's work."""

    source: SourceFile
    columns: tuple[str, ...]
    row_groups: tuple[int, ...]
    first_row: int


def read_activity(
    book: Book,
    period_book: PeriodBook,
    threads: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Activity:
    """Read the period's lines of the chosen units and net them.

    progress is told the rows of each piece read. The result does not depend on the number of
    threads, the order of the rows or their split into files. Time O(lines); memory O(entries)
    plus two pieces a thread.
    """
    pieces = list(_pieces(book, period_book.period))

    def read(piece: _Piece) -> _Part:
        part = _read_piece(piece, period_book)
        if progress is not None:
            progress(part.n_lines)
        return part

    if threads > 1 and len(pieces) > 1:
        with ThreadPoolExecutor(threads) as pool:
            parts = list(pool.map(read, pieces))
    else:
        parts = [read(piece) for piece in pieces]
    return _join(book, period_book, parts)


def with_cases_of_lines(book: Book, period_book: PeriodBook) -> PeriodBook:
    """The period's book with the cases that its lines name, for a book without the table cases.

    Service items are netted by case, so cases are told apart even where none is costed.
    """
    found: list[tuple[NDArray[np.int64], pa.Array]] = []
    for piece in _pieces(book, period_book.period):
        table = load_table("service_lines")
        try:
            for batch in read_batches(piece.source, table, piece.columns, list(piece.row_groups)):
                named = named_cases(batch, piece.source, period_book)
                if named is not None:
                    found.append(named)
        except READ_ERRORS:
            # The pass over the lines meets the same file and reports it.
            continue
    if not found:
        return period_book
    ids = pa.chunked_array([labels for _, labels in found], pa.string())
    return replace(period_book, cases=register_cases(np.concatenate([u for u, _ in found]), ids))


def _pieces(book: Book, period: str) -> Iterator[_Piece]:
    """Row groups of each file in pieces of about BATCH_ROWS rows.

    Row groups that are of one other month by statistics or, without the column, by their folder
    are not read.
    """
    table = load_table("service_lines")
    for source, columns in zip(book.lines, book.line_columns, strict=True):
        folder_period = dict(source.partitions).get("period")
        of_another = folder_period not in (None, period) and is_period(folder_period or "")
        if not columns or (of_another and "period" not in columns):
            continue
        try:
            with open_parquet(source, table) as file:
                metadata = file.metadata
        except READ_ERRORS:
            continue
        groups: list[int] = []
        rows, first = 0, 0
        for group in range(metadata.num_row_groups):
            n = metadata.row_group(group).num_rows
            skip = _is_of_another_month(metadata.row_group(group), period, folder_period)
            if groups and (skip or rows + n > BATCH_ROWS):
                yield _Piece(source, columns, tuple(groups), first)
                first, rows, groups = first + rows, 0, []
            if skip:
                first += n
            else:
                groups.append(group)
                rows += n
        if groups:
            yield _Piece(source, columns, tuple(groups), first)


def _is_of_another_month(
    group: pq.RowGroupMetaData, period: str, folder_period: str | None
) -> bool:
    """Whether statistics prove that all rows are of one other month, that of their folder."""
    for index in range(group.num_columns):
        column = group.column(index)
        if column.path_in_schema == "period":
            found = column.statistics
            try:
                if found is None or not found.has_min_max or found.null_count:
                    return False
                month = str(found.min)
                known = found.min == found.max and is_period(month)
            except UnicodeDecodeError:
                # The pass over the rows reports the text.
                return False
            return known and month != period and folder_period in (None, month)
    return False


def _read_piece(piece: _Piece, book: PeriodBook) -> _Part:
    """Net the lines of one piece, and look at each for faults."""
    table = load_table("service_lines")
    none = np.empty(0, np.int64)
    keys, values = [none], [np.empty((0, 3), np.int64)]
    order_keys, order_values = [none], [np.empty((0, 2), np.int64)]
    findings: list[Finding] = []
    faults: list[Fault] = []
    posting_ids: list[pa.Array] = []
    first, n_lines = piece.first_row, 0
    batches = read_batches(piece.source, table, piece.columns, list(piece.row_groups))
    try:
        for batch in batches:
            lines, problems = decode_lines(batch, piece.source, book)
            faults += problems + partition_faults(piece.source, [batch])
            if lines is not None:
                findings += find_line_faults(lines, book, piece.source, first)
                k, v = group_sums(*_net_input(lines, book))
                keys.append(k)
                values.append(v)
                k, v = group_sums(*_order_input(lines, book))
                order_keys.append(k)
                order_values.append(v)
                n_lines += int(lines.considered.sum())
                if lines.posting_ids is not None:
                    posting_ids.append(lines.posting_ids)
            first += batch.num_rows
    except READ_ERRORS as error:
        faults.append(unreadable(piece.source, error))
    except OverflowError:
        faults.append(_overflow(piece.source.label))
    try:
        net, ordered = _summed(keys, values), _summed(order_keys, order_values)
    except OverflowError:
        net, ordered = (keys[0], values[0]), (order_keys[0], order_values[0])
        faults.append(_overflow(piece.source.label))
    return _Part(
        *net,
        *ordered,
        findings,
        faults,
        n_lines,
        pa.concat_arrays(posting_ids) if posting_ids else None,
    )


def _overflow(label: str) -> Fault:
    what = "Quantities, charges or purchase costs of the lines add up beyond 64 bits."
    return Fault("amount-out-of-range", what, (label,))


def _net_input(
    lines: DecodedLines, book: PeriodBook
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Key of (performing unit, case or none, department, item) and the three measures."""
    usable = lines.usable
    registers = book.registers
    sizes = (len(registers.unit_ids), book.cases.n + 1, len(registers.dept_ids))
    if math.prod(sizes) * len(registers.item_ids) >= 1 << 63:
        raise OverflowError("units x cases x departments x items do not fit one key")
    unit, case = lines.unit[usable], lines.case[usable] + 1
    key = unit * (book.cases.n + 1) + case
    key = key * len(book.registers.dept_ids) + lines.dept[usable]
    key = key * len(book.registers.item_ids) + lines.item[usable]
    measures = (lines.quantity, lines.charge, lines.direct_cost)
    return key, np.ascontiguousarray(np.stack([m[usable] for m in measures], axis=1))


def _order_input(
    lines: DecodedLines, book: PeriodBook
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Key of (performing medtech department, ordering clinical one), quantity and charge."""
    classes = book.registers.dept_class
    rows = np.flatnonzero(lines.usable & (lines.ordering >= 0))
    shared = ~book.registers.item_direct[lines.item[rows]]
    rows = rows[shared]
    rows = rows[classes[lines.dept[rows]] == MEDTECH]
    may_receive = (classes == CLINICAL) & book.registers.open_in(book.period)
    rows = rows[may_receive[lines.ordering[rows]]]
    key = lines.dept[rows] * len(classes) + lines.ordering[rows]
    values = np.stack([lines.quantity[rows], lines.charge[rows]], axis=1)
    return key, np.ascontiguousarray(values)


def _join(book: Book, period_book: PeriodBook, parts: Sequence[_Part]) -> Activity:
    """Add the pieces up; sums of integers, so their order does not matter."""
    findings = tuple(finding for part in parts for finding in part.findings)
    faults = [fault for part in parts for fault in part.faults]
    none, no_values = np.empty(0, np.int64), np.empty((0, 3), np.int64)
    try:
        keys, values = _summed(
            [none, *(p.keys for p in parts)], [no_values, *(p.values for p in parts)]
        )
        order_keys, order_values = _summed(
            [none, *(p.order_keys for p in parts)],
            [no_values[:, :2], *(p.order_values for p in parts)],
        )
    except OverflowError:
        faults.append(_overflow("service_lines"))
        keys, values = none, no_values
        order_keys, order_values = none, no_values[:, :2]
    n_depts = max(len(period_book.registers.dept_ids), 1)
    orders = Orders(
        order_keys // n_depts,
        order_keys % n_depts,
        np.ascontiguousarray(order_values[:, 0]),
        np.ascontiguousarray(order_values[:, 1]),
    )
    has_charge = any("charge" in columns for columns in book.line_columns)
    n_lines = sum(part.n_lines for part in parts)
    matrix = _matrix(period_book, keys, values, has_charge, n_lines)
    ids = [part.posting_ids for part in parts if part.posting_ids is not None]
    return Activity(matrix, orders, findings, tuple(faults), _doubled_ids(ids))


def _summed(
    keys: list[NDArray[np.int64]], values: list[NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Group sums over all parts; the first is empty, and one other is summed already."""
    if len(keys) == 2:
        return keys[1], values[1]
    return group_sums(np.concatenate(keys), np.vstack(values))


def _doubled_ids(ids: Sequence[pa.Array]) -> int:
    """Lines whose line_id an earlier line of the unit has; the ids themselves are not shown."""
    if not ids:
        return 0
    together = pa.chunked_array(ids)
    return len(together) - len(together.unique())


def _first_of_runs(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of the first of each run of equal values."""
    if not len(values):
        return np.empty(0, np.int64)
    return np.append(0, np.flatnonzero(values[1:] != values[:-1]) + 1).astype(np.int64)


def _distinct(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct keys, ascending, and the position of each key among them. Time O(keys)."""
    order = sort_order(keys)
    ordered = keys[order]
    first = _first_of_runs(ordered)
    position = np.empty(len(keys), np.int64)
    position[order] = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(keys))))
    return ordered[first], position


def _matrix(
    book: PeriodBook,
    keys: NDArray[np.int64],
    values: NDArray[np.int64],
    has_charge: bool,
    n_lines: int,
) -> ActivityMatrix:
    n_items = max(len(book.registers.item_ids), 1)
    n_depts = max(len(book.registers.dept_ids), 1)
    width = n_items * n_depts
    row_of = keys // width
    row_start = _first_of_runs(row_of)
    row_keys = row_of[row_start]
    activities, activity = _distinct(keys - row_of * width)
    return ActivityMatrix(
        row_keys // (book.cases.n + 1),
        row_keys % (book.cases.n + 1) - 1,
        activities // n_items,
        activities % n_items,
        np.append(row_start, len(keys)).astype(np.int64),
        activity,
        np.ascontiguousarray(values[:, QUANTITY]),
        np.ascontiguousarray(values[:, CHARGE]),
        np.ascontiguousarray(values[:, DIRECT_COST]),
        has_charge,
        n_lines,
    )
