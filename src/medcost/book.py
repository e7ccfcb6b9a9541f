"""A book: the small tables in memory, the service lines as files to be streamed."""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medcost.errors import Fault, InputRejected, RowsAt, printable, quote
from medcost.parquet_input import (
    READ_ERRORS,
    ColumnUnreadableError,
    NumberColumn,
    SourceFile,
    TextColumn,
    batches_of,
    check_columns,
    constant_text,
    decode_number,
    encode_text,
    find_files,
    join_numbers,
    open_parquet,
    row_count,
    unreadable,
)
from medcost.records import dataclass
from medcost.tables import CLASSES, ELEMENTS, Table, load_table
from medcost.text_labels import text_array

SMALL_TABLES = (
    "units",
    "departments",
    "ledger",
    "drivers",
    "service_items",
    "item_weights",
    "cases",
    "opening_work_in_progress",
    "drg_groups",
    "drg_prices",
    "income",
    "statistics",
    "capacity",
    "budget",
)
STAGES = ("departments", "service-items", "cases")
REQUIRED_TABLES = {
    "departments": ("units", "departments", "ledger", "drivers"),
    "service-items": ("service_items", "service_lines"),
    "cases": ("cases",),
}
# Without these nothing can be looked at.
FOUNDATION = ("units", "departments", "ledger", "drivers")
MAY_BE_EMPTY = frozenset({"drivers"})
IntArray: TypeAlias = NDArray[np.int64]
Scalar = TypeVar("Scalar", bound=np.generic)
PERIOD_PATTERN = r"[0-9]{4}-(0[1-9]|1[0-2])"


@dataclass(frozen=True)
class TableRows:
    """One table read: columns by name and, for messages, where each row came from.

    first_rows: the index of each file's first row and, last, the number of rows. Columns are to be
    read only: those that the table does not have take the memory of one value.
    """

    table: Table
    files: tuple[str, ...]
    first_rows: NDArray[np.int64]
    text: dict[str, TextColumn]
    numbers: dict[str, NumberColumn]

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self.first_rows[-1])

    def place(self, row: int) -> str:
        """'ledger.parquet row 17': file and row, counted from 1 within the file."""
        file = int(np.searchsorted(self.first_rows, row, "right")) - 1
        return f"{quote(self.files[file])[1:-1]} row {row - int(self.first_rows[file]) + 1}"

    def rows_at(self, rows: NDArray[np.int64]) -> Iterator[RowsAt]:
        """The rows file by file, counted from 1 within each."""
        file = np.searchsorted(self.first_rows, rows, "right") - 1
        for one in np.unique(file).tolist():
            inside = rows[file == one] - self.first_rows[one] + 1
            yield RowsAt(quote(self.files[one])[1:-1], inside)

    def codes(self, name: str) -> NDArray[np.int32]:
        """Codes of a text column; all -1 where the table does not have it."""
        if name in self.text:
            return self.text[name].codes
        return constant_rows(np.int32(-1), self.n)

    def labels(self, name: str) -> list[str]:
        """Sorted labels of a text column; none where the table does not have it."""
        return self.text[name].labels.to_pylist() if name in self.text else []

    def values(self, name: str) -> NDArray[np.int64]:
        """Values of a number column; all 0 where the table does not have it."""
        if name in self.numbers:
            return self.numbers[name].values
        return constant_rows(np.int64(0), self.n)

    def names(self, *keys: str) -> dict[str, str]:
        """Display names by key, the parts of a key joined by NUL; '' where a row has none."""
        columns = [[*self.labels(c), ""] for c in (*keys, "name")]
        codes = zip(*(self.codes(c).tolist() for c in (*keys, "name")), strict=True)
        found = {}
        for row in codes:
            *key, name = (column[code] for column, code in zip(columns, row, strict=True))
            found["\x00".join(key)] = name
        return found

    def present(self, name: str) -> NDArray[np.bool_]:
        """Where a number column has a value."""
        if name in self.numbers:
            return self.numbers[name].present
        return constant_rows(np.False_, self.n)


@dataclass(frozen=True)
class Book:
    """A book as read: its tables, the files of the lines, and the faults found on the way."""

    folder: Path
    tables: dict[str, TableRows]
    lines: tuple[SourceFile, ...]
    line_columns: tuple[tuple[str, ...], ...]
    files: dict[str, tuple[SourceFile, ...]]
    faults: tuple[Fault, ...]
    registers: Registers

    @property
    def is_founded(self) -> bool:
        """Whether the tables without which nothing can be looked at were read."""
        return all(name in self.tables for name in FOUNDATION)

    @property
    def has_lines_to_read(self) -> bool:
        """Whether there are lines, and the tables that give their labels a meaning."""
        return bool(self.lines) and self.is_founded and "service_items" in self.tables

    @property
    def periods(self) -> list[str]:
        """Every well-formed month of the ledger, sorted."""
        if "ledger" not in self.tables:
            return []
        return [period for period in self.tables["ledger"].labels("period") if is_period(period)]

    @property
    def n_lines(self) -> int:
        """Service lines by the files' footers; 0 where one cannot be read, as the checks say."""
        try:
            return sum(row_count(source) for source in self.lines)
        except READ_ERRORS:
            return 0


@dataclass(frozen=True)
class Registers:
    """The sorted members, departments and items that every other table refers to.

    unit_ids [units] and, of the departments sorted by (unit, dept_id): dept_unit and dept_class
    int [departments], dept_ids; item_ids [items], item_direct bool, item_element int (-1: none).
    valid_from and valid_to are months as year x 12 + month, open-ended where not given.
    """

    unit_ids: tuple[str, ...]
    dept_ids: tuple[str, ...]
    dept_unit: NDArray[np.int64]
    dept_class: NDArray[np.int64]
    dept_from: NDArray[np.int64]
    dept_to: NDArray[np.int64]
    item_ids: tuple[str, ...]
    item_direct: NDArray[np.bool_]
    item_element: NDArray[np.int64]

    @cached_property
    def unit_labels(self) -> pa.Array:
        """unit_ids as an Arrow array."""
        return text_array(self.unit_ids)

    @cached_property
    def dept_labels(self) -> pa.Array:
        """The distinct dept_ids of all units, sorted, as an Arrow array."""
        return text_array(sorted(set(self.dept_ids)))

    @cached_property
    def item_labels(self) -> pa.Array:
        """item_ids as an Arrow array."""
        return text_array(self.item_ids)

    @cached_property
    def dept_grid(self) -> NDArray[np.int32]:
        """Department of (unit, dept label): int32 [units + 1, labels + 1], -1 where not listed."""
        grid = np.full((len(self.unit_ids) + 1, len(self.dept_labels) + 1), -1, np.int32)
        grid[self.dept_unit, self.dept_grid_labels] = np.arange(len(self.dept_ids))
        return grid

    @cached_property
    def dept_grid_labels(self) -> NDArray[np.int64]:
        """Position of each department's dept_id among the distinct dept labels."""
        place = {label: i for i, label in enumerate(self.dept_labels.to_pylist())}
        return np.array([place[dept_id] for dept_id in self.dept_ids], np.int64)

    def open_in(self, period: str) -> NDArray[np.bool_]:
        """Whether each department is open in the month, bool [departments]."""
        month = period_number(period)
        return (self.dept_from <= month) & (month <= self.dept_to)

    def unit_of(self, column: TextColumn) -> NDArray[np.int64]:
        """Unit of each row, -1 where empty or not listed."""
        return codes_in(column, self.unit_labels)

    def department_of(self, units: NDArray[np.int64], column: TextColumn) -> NDArray[np.int64]:
        """Department of each row's unit and dept_id, -1 where not listed."""
        return self.dept_grid[units, codes_in(column, self.dept_labels)].astype(np.int64)


def constant_rows(value: Scalar, n: int) -> NDArray[Scalar]:
    """The same value in all rows [n], read only, in the memory of one.

    The first touch of a page costs more than what is done with it.
    """
    return np.broadcast_to(value, n)


def wide_codes(codes: NDArray[np.int32]) -> NDArray[np.int64]:
    """Codes [rows] in 64 bits; rows that share one value, whoever made them, go on to share it."""
    if codes.strides == (0,) and len(codes):
        return constant_rows(np.int64(codes[0]), len(codes))
    return codes.astype(np.int64)


def service_groups(book: Book) -> tuple[str, ...]:
    """The service group of each department of the registers; its class where it names none."""
    registers, rows = book.registers, book.tables["departments"]
    units = registers.unit_of(rows.text["unit_id"])
    dept = registers.department_of(units, rows.text["dept_id"])
    found = [CLASSES[class_] for class_ in registers.dept_class.tolist()]
    labels, codes = rows.labels("service_group"), rows.codes("service_group")
    for row in np.flatnonzero((dept >= 0) & (codes >= 0)).tolist():
        found[dept[row]] = labels[codes[row]] or found[dept[row]]
    return tuple(found)


def department_label(registers: Registers, dept: int) -> str:
    """'U01/A03', quoted: a department with its unit."""
    return quote(f"{registers.unit_ids[registers.dept_unit[dept]]}/{registers.dept_ids[dept]}")


def codes_in(column: TextColumn, labels: pa.Array) -> NDArray[np.int64]:
    """Position of each row's label among the sorted labels, -1 where empty or not there."""
    if column.labels.equals(labels):
        return column.codes.astype(np.int64)
    first = 0
    if 0 < len(column.labels) < len(labels):
        # Lines come case by case: most batches need a small stretch of the sorted cases.
        first = _position(labels, column.labels[0].as_py())
        last = _position(labels, column.labels[-1].as_py()) + 1
        labels = labels.slice(first, last - first)
    place = {label: i for i, label in enumerate(labels.to_pylist(), first)}
    found = [place.get(label, -1) for label in column.labels.to_pylist()]
    # A code -1, of a row without a label, takes the entry added last.
    return np.array([*found, -1], np.int64)[column.codes]


def _position(labels: pa.Array, label: str) -> int:
    """Where a label stands, or would stand, among sorted labels."""
    return bisect_left(range(len(labels)), label, key=lambda i: labels[i].as_py())


def period_number(period: str) -> int:
    """A month as year x 12 + month - 1, so that months can be compared and counted."""
    return int(period[:4]) * 12 + int(period[5:]) - 1


def period_label(number: int) -> str:
    """The month of a period number, as YYYY-MM."""
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def year_to_date(periods: Sequence[str]) -> list[str]:
    """The months from January to each of the periods, sorted."""
    months = {
        period_label(number)
        for period in periods
        for number in range(period_number(period[:4] + "-01"), period_number(period) + 1)
    }
    return sorted(months)


def is_period(text: str) -> bool:
    """Whether the text is a month written YYYY-MM."""
    return re.fullmatch(PERIOD_PATTERN, text) is not None


class _Read(NamedTuple):
    """A table's files and what is wrong with them; its rows and what is wrong with those."""

    files: tuple[SourceFile, ...]
    problems: list[Fault]
    rows: TableRows | None
    faults: list[Fault]


def open_book(folder: Path, through: str = "cases", has_lines: bool = True) -> Book:
    """Read the small tables and the lines' schemas; faults are gathered, not raised.

    through: the last stage asked for, which says what tables are needed; has_lines: whether
    the service lines are among them. Raises InputRejected only where there is no book at all.
    """
    require_book(folder)
    needed = _needed(through) - (set() if has_lines else {"service_lines"})
    faults: list[Fault] = []
    tables: dict[str, TableRows] = {}
    files: dict[str, tuple[SourceFile, ...]] = {}

    for name in (*SMALL_TABLES, "service_lines"):
        read = _find_and_read(folder, name, name != "service_lines")
        faults += [*read.problems, *read.faults]
        files[name] = read.files
        if not read.files and name in needed and not read.problems:
            faults.append(missing_table(name, folder))
        if read.rows is not None:
            tables[name] = read.rows
            if read.rows.n == 0 and name in needed and name not in MAY_BE_EMPTY:
                faults.append(empty_table(name, read.files))
    columns, problems = _line_columns(files["service_lines"])
    faults += problems
    if "service_lines" in needed:
        faults += find_empty_lines(files["service_lines"])
    return Book(
        folder,
        tables,
        files["service_lines"],
        columns,
        {name: found for name, found in files.items() if found},
        tuple(faults),
        build_registers(tables),
    )


def open_tables(folder: Path, names: Sequence[str]) -> Book:
    """Some small tables of a book; faults are gathered, not raised."""
    tables: dict[str, TableRows] = {}
    files: dict[str, tuple[SourceFile, ...]] = {}
    faults: list[Fault] = []
    for name in names:
        read = _find_and_read(folder, name)
        faults += [*read.problems, *read.faults]
        if read.files:
            files[name] = read.files
        if read.rows is not None:
            tables[name] = read.rows
    return Book(folder, tables, (), (), files, tuple(faults), build_registers(tables))


def require_book(folder: Path) -> None:
    """Raise InputRejected (book-not-found) where there is no folder that can be read."""
    try:
        os.listdir(folder)
    except OSError as error:
        what = f"{quote(str(folder))} is not a folder that can be read: {error.strerror}."
        raise InputRejected([Fault("book-not-found", what, (quote(str(folder)),))]) from None


def _find_and_read(folder: Path, name: str, has_rows: bool = True) -> _Read:
    """A table's files and, where it has_rows to be read, its rows."""
    try:
        found, problems = find_files(folder, name)
    except OSError as error:
        found, problems = [], [unreadable(SourceFile(folder / name, name), error)]
    if found and has_rows:
        return _Read(tuple(found), problems, *read_table(name, found))
    return _Read(tuple(found), problems, None, [])


def missing_table(name: str, folder: Path) -> Fault:
    """The fault of a table that a run needs and the book does not have."""
    where = (f"neither {name}.parquet nor {name}/ in {quote(str(folder))}",)
    return Fault("table-missing", f"The book has no table {name}.", where)


def _needed(through: str) -> set[str]:
    reached = STAGES[: STAGES.index(through) + 1]
    return {table for stage in reached for table in REQUIRED_TABLES[stage]}


def empty_table(name: str, files: Sequence[SourceFile]) -> Fault:
    """The fault of a table that is there and has no row."""
    where = tuple(quote(file.label) for file in files)
    return Fault("table-empty", f"Table {name} has no rows.", where)


def _line_columns(
    files: tuple[SourceFile, ...],
) -> tuple[tuple[tuple[str, ...], ...], list[Fault]]:
    """The contract's columns of each file of lines, and the faults of their schemas."""
    table = load_table("service_lines")
    faults: list[Fault] = []
    columns: list[tuple[str, ...]] = []
    for source in files:
        try:
            with open_parquet(source, table) as file:
                present, problems = check_columns(source, file.schema_arrow, table)
        except READ_ERRORS as error:
            present, problems = (), [unreadable(source, error)]
        # A file whose schema is at fault is not read: no column of it means anything.
        columns.append(() if problems else present)
        faults += problems
    return tuple(columns), faults


def find_empty_lines(files: Sequence[SourceFile]) -> list[Fault]:
    """The fault of a table of lines that is there and has no row."""
    try:
        rows = [row_count(source) for source in files]
    except READ_ERRORS:
        # A file that cannot be read has a fault of its own.
        return []
    return [empty_table("service_lines", files)] if files and sum(rows) == 0 else []


def read_table(name: str, files: Sequence[SourceFile]) -> tuple[TableRows | None, list[Fault]]:
    """Read one small table whole; None where a fault leaves nothing to work with."""
    table = load_table(name)
    faults: list[Fault] = []
    chunks: dict[str, list[pa.Array]] = {c.name: [] for c in table.columns}
    sizes: list[int] = []
    for source in files:
        try:
            batches, problems = _file_batches(source, table)
        except READ_ERRORS as error:
            batches, problems = [], [unreadable(source, error)]
        faults += problems
        sizes.append(sum(batch.num_rows for batch in batches))
        for batch in batches:
            _add_chunks(chunks, batch, source)
    if faults:
        return None, faults
    present = {c.name for c in table.columns if any(not _absent(x) for x in chunks[c.name])}
    text: dict[str, TextColumn] = {}
    numbers: dict[str, NumberColumn] = {}
    for column in table.columns:
        if column.name in present or column.required:
            try:
                if column.type == "string":
                    text[column.name] = encode_text(chunks[column.name])
                else:
                    parts = [decode_number(x, column) for x in chunks[column.name]]
                    numbers[column.name] = join_numbers(parts)
            except ColumnUnreadableError as error:
                what = f"Column {column.name} of {name}: {error}."
                where = tuple(quote(f.label) for f in files)
                faults.append(Fault(error.code, what, where))
    if faults:
        return None, faults
    labels = tuple(file.label for file in files)
    first_rows = np.cumsum([0, *sizes]).astype(np.int64)
    return TableRows(table, labels, first_rows, text, numbers), faults


def _absent(chunk: pa.Array) -> bool:
    return bool(pa.types.is_null(chunk.type))


def _file_batches(source: SourceFile, table: Table) -> tuple[list[pa.RecordBatch], list[Fault]]:
    with open_parquet(source, table) as file:
        columns, faults = check_columns(source, file.schema_arrow, table)
        n_rows = file.metadata.num_rows
        if faults:
            return [], faults
        if not columns:
            schema = pa.schema([("_", pa.null())])
            return [pa.record_batch([pa.nulls(n_rows)], schema=schema)], []
        batches = list(batches_of(file, columns))
    return batches, partition_faults(source, batches)


def partition_faults(source: SourceFile, batches: Sequence[pa.RecordBatch]) -> list[Fault]:
    """Columns in the file that disagree with the folder they lie in."""
    faults = []
    for name, value in source.partitions:
        if (name, value) != (name, dict(source.partitions)[name]):
            what = f"{quote(source.label)} lies in two folders that disagree on {printable(name)}."
            faults.append(Fault("partition-disagrees", what, (quote(source.label),)))
        columns = [batch.column(name) for batch in batches if name in batch.schema.names]
        bad = sum(_count_other(column, value) for column in columns)
        if bad:
            rows = f"{bad:,} rows of {quote(source.label)}"
            what = f"{rows} disagree with their folder's {printable(name)}."
            place = f"{quote(source.label)}, {printable(name)}"
            where = (f"{place}: folder says {quote(value or '')}",)
            faults.append(Fault("partition-disagrees", what, where))
    return faults


def _count_other(column: pa.Array, value: str | None) -> int:
    """Rows of a column that do not hold the value."""
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    column = column.cast(pa.string())
    same = column.is_null() if value is None else pc.equal(column, value)
    return len(column) - int(pc.sum(same.fill_null(False)).as_py() or 0)


def _add_chunks(
    chunks: dict[str, list[pa.Array]], batch: pa.RecordBatch, source: SourceFile
) -> None:
    partitions = dict(source.partitions)
    for name, column in chunks.items():
        if name in batch.schema.names:
            column.append(batch.column(name))
        elif name in partitions:
            column.append(constant_text(partitions[name], batch.num_rows))
        else:
            column.append(pa.nulls(batch.num_rows))


def build_registers(tables: dict[str, TableRows]) -> Registers:
    """Sort units, departments and items; rows that cannot be placed are left to the checks."""
    unit_ids: tuple[str, ...] = ()
    if "units" in tables:
        codes = tables["units"].codes("unit_id")
        labels = tables["units"].labels("unit_id")
        # Labels are those that rows have; only empty ones have none.
        unit_ids = tuple(labels) if len(codes) else ()
    depts = _department_rows(tables, unit_ids)
    return Registers(unit_ids, *depts, *_item_rows(tables))


def _first_of(keys: NDArray[np.int64], usable: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The first usable row of each key, in the order of the keys."""
    rows = np.flatnonzero(usable)
    _, first = np.unique(keys[rows], return_index=True)
    return rows[first]


def position_in(rows: TableRows, name: str, values: Sequence[str]) -> NDArray[np.int64]:
    """Position of each row's text among the values, -1 where empty or another."""
    position = {value: i for i, value in enumerate(values)}
    known = [position.get(label, -1) for label in rows.labels(name)]
    return np.array([*known, -1], np.int64)[rows.codes(name)]


def _department_rows(
    tables: dict[str, TableRows], unit_ids: tuple[str, ...]
) -> tuple[tuple[str, ...], IntArray, IntArray, IntArray, IntArray]:
    """dept_id, unit, class, first and last month of each department, sorted."""
    if "departments" not in tables:
        none = np.empty(0, np.int64)
        return (), none, none, none, none
    rows = tables["departments"]

    def months(name: str, default: int) -> NDArray[np.int64]:
        known = [period_number(p) if is_period(p) else default for p in rows.labels(name)]
        return np.array([*known, default], np.int64)[rows.codes(name)]

    unit, kind = position_in(rows, "unit_id", unit_ids), position_in(rows, "class", CLASSES)
    dept, labels = rows.codes("dept_id").astype(np.int64), rows.labels("dept_id")
    found = _first_of(unit * len(labels) + dept, (unit >= 0) & (dept >= 0) & (kind >= 0))
    dept_ids = tuple(labels[code] for code in dept[found].tolist())
    from_, to = months("valid_from", 0), months("valid_to", 10**6)
    return dept_ids, unit[found], kind[found], from_[found], to[found]


def _item_rows(
    tables: dict[str, TableRows],
) -> tuple[tuple[str, ...], NDArray[np.bool_], NDArray[np.int64]]:
    """item_id, whether it is direct, and the element of a direct item, sorted."""
    if "service_items" not in tables:
        return (), np.empty(0, np.bool_), np.empty(0, np.int64)
    rows = tables["service_items"]
    item, basis = rows.codes("item_id").astype(np.int64), rows.codes("basis")
    found = _first_of(item, (item >= 0) & (basis >= 0))
    labels = rows.labels("item_id")
    direct = position_in(rows, "basis", ("direct",))[found] == 0
    element = np.where(direct, position_in(rows, "element", ELEMENTS)[found], -1)
    return tuple(labels[code] for code in item[found].tolist()), direct, element
