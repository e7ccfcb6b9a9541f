"""Result tables in a staging folder: checked, encoded, written and synced, beside the stages."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from medcost.durable_files import write_durably
from medcost.errors import named_errors
from medcost.manifest import FileRecord, totals_of
from medcost.published_balance import require_published_balance
from medcost.records import dataclass
from medcost.tables import file_metadata
from medcost.threads import begin, map_in_threads

# Tables encoded at once: two are large, the others are done beside them.
WRITERS = 4
# Tables on their way beside the stages: each waits for the disk, and for those who compute.
BESIDE = 8
# Raises InvariantBroken where tables do not tie out; else what they add up to, as text.
TieOut = Callable[[Mapping[str, pa.Table]], dict[str, str]]


@dataclass(frozen=True)
class StagedTables:
    """A period's result tables as files in a folder of their own, and what they add up to."""

    folder: Path
    outputs: tuple[FileRecord, ...]
    totals: Mapping[str, str]


def tie_out_costs(tables: Mapping[str, pa.Table]) -> dict[str, str]:
    """Require that a period's costs tie out; the totals of their reconciliation, if it has one."""
    require_published_balance(tables)
    return totals_of(tables["reconciliation"]) if "reconciliation" in tables else {}


def stage_tables(
    folder: Path,
    tables: Mapping[str, pa.Table],
    written: Mapping[str, Future[FileRecord]] | None = None,
    tie_out: TieOut = tie_out_costs,
) -> StagedTables:
    """Check that a period's tables tie out, and write and sync them to a folder of their own.

    written: tables by name that are being written there already. Raises InvariantBroken, or
    CannotPublish.
    """
    totals = tie_out(tables)
    _make_folder(folder)
    with named_errors(folder):
        outputs = _write_tables(tables, folder, written or {})
    return StagedTables(folder, tuple(outputs), totals)


def add_tables(staged: StagedTables, tables: Mapping[str, pa.Table]) -> StagedTables:
    """Check further tables of a period, and write and sync them beside those that are staged.

    Raises InvariantBroken, or CannotPublish.
    """
    require_published_balance(tables)
    with named_errors(staged.folder):
        added = _write_tables(tables, staged.folder, {})
    outputs = sorted([*staged.outputs, *added], key=lambda record: record.name)
    return StagedTables(staged.folder, tuple(outputs), staged.totals)


def _write_tables(
    tables: Mapping[str, pa.Table], folder: Path, known: Mapping[str, Future[FileRecord]]
) -> list[FileRecord]:
    """Write every table; records in the order of the names. Arrow encodes outside the GIL."""

    def write(name: str) -> FileRecord:
        return known[name].result() if name in known else _write_result(folder, name, tables[name])

    longest_first = sorted(tables, key=lambda name: -tables[name].num_rows)
    written = map_in_threads(write, longest_first, min(os.cpu_count() or 1, WRITERS))
    return sorted(written, key=lambda record: record.name)


def _make_folder(folder: Path) -> None:
    """Make the folder of a period's tables, before threads write to it; raises CannotPublish."""
    with named_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)


def _write_result(folder: Path, name: str, table: pa.Table) -> FileRecord:
    """Write and sync one result table."""
    path = folder / f"{name}.parquet"
    return FileRecord(path.name, table.num_rows, write_table(described(name, table), path))


def writing_threads() -> ThreadPoolExecutor:
    """Threads that make and write tables beside the stages; most of the time they wait."""
    return ThreadPoolExecutor(BESIDE)


def described(name: str, table: pa.Table) -> pa.Table:
    """The table with what its file says of its columns."""
    return table.replace_schema_metadata(file_metadata(f"out_{name}"))


def write_table(table: pa.Table, path: Path) -> str:
    """Write one Parquet file, sync it to disk and return its SHA-256, found meanwhile."""
    content = encode_table(table)
    hashed = begin(hashlib.sha256, content)
    write_durably(path, content)
    return hashed.result().hexdigest()


class TablesBeside:
    """A period's result tables by name, each made, encoded, written and synced beside the stages.

    The folder is one of the staging folder: nothing in it is published before it ties out. Raises
    CannotPublish where it cannot be made.
    """

    def __init__(self, writer: ThreadPoolExecutor, folder: Path) -> None:
        _make_folder(folder)
        self._writer = writer
        self.folder = folder
        self.written: dict[str, Future[FileRecord]] = {}

    def make_table(self, name: str, make: Callable[[], pa.Table]) -> Callable[[], pa.Table]:
        """Begin to make a table and to write it; what is given waits for the table alone."""
        made = self._writer.submit(make)
        self.written[name] = self._writer.submit(self._write, name, made)
        return made.result

    def _write(self, name: str, made: Future[pa.Table]) -> FileRecord:
        return _write_result(self.folder, name, made.result())


def encode_table(table: pa.Table) -> pa.Buffer:
    """The bytes of a table's Parquet file.

    Labels that repeat are dictionaries, which need no statistics: the dictionary says what the
    column holds. Whole numbers are differences in as few bits as they need, which leaves zstd
    nothing to find. Without the Arrow schema readers see plain text and decimals; the metadata of
    the table's schema goes to the file's.
    """
    texts = [f.name for f in table.schema if pa.types.is_dictionary(f.type)]
    plain = [f.name for f in table.schema if pa.types.is_string(f.type) or f.type == pa.float64()]
    numbers = [name for name in table.column_names if name not in {*texts, *plain}]
    encoded = pa.BufferOutputStream()
    writer = pq.ParquetWriter(
        encoded,
        table.schema,
        compression={n: "NONE" if n in numbers else "ZSTD" for n in table.column_names},
        use_dictionary=texts,
        column_encoding=dict.fromkeys(numbers, "DELTA_BINARY_PACKED"),
        write_statistics=[*numbers, *plain],
        store_decimal_as_integer=True,
        write_page_index=True,
        store_schema=False,
    )
    with writer:
        writer.write_table(table)
        writer.add_key_value_metadata(table.schema.metadata or {})
    return encoded.getvalue()
