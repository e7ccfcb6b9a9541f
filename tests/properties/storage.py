"""The same rows stored otherwise: other types, files, row groups, folders and order."""

import random
from collections import defaultdict
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
from oracle.parquet_tables import table_of

Row = dict[str, Any]
Tables = dict[str, list[Row]]

TEXTS = (
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.dictionary(pa.int8(), pa.string()),
    pa.dictionary(pa.int32(), pa.large_string()),
)
NUMBERS = (
    pa.float64(),
    pa.int64(),
    pa.int32(),
    pa.decimal64(18, 6),
    pa.decimal128(38, 12),
    pa.decimal256(60, 8),
)
LARGEST_DOUBLE = {2: Decimal(9 * 10**9), 4: Decimal(9 * 10**9), 6: Decimal(9 * 10**7)}
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


def holds(kind: pa.DataType, given: pa.DataType, values: list[Decimal]) -> bool:
    """Say whether a type holds these values of a decimal column exactly, or as nearest doubles."""
    if pa.types.is_floating(kind):
        return all(abs(value) <= LARGEST_DOUBLE[given.scale] for value in values)
    if pa.types.is_integer(kind):
        return all(value % 1 == 0 and abs(value) < 2 ** (kind.bit_width - 1) for value in values)
    largest = Decimal(10) ** (kind.precision - kind.scale)
    return kind.scale >= given.scale and all(abs(value) < largest for value in values)


def stored_otherwise(column: pa.Array, rng: random.Random) -> pa.Array:
    """Return a column with another type that holds its values."""
    if pa.types.is_string(column.type):
        return column.cast(rng.choice(TEXTS))
    if not pa.types.is_decimal(column.type):
        return column
    values = [value for value in column.to_pylist() if value is not None]
    fitting = [kind for kind in NUMBERS if holds(kind, column.type, values)]
    kind = rng.choice([column.type, *fitting])
    if pa.types.is_floating(kind):
        doubles = [None if value is None else float(value) for value in column.to_pylist()]
        return pa.array(doubles, kind)
    return column.cast(kind)


def write_file(path: Path, table: pa.Table, rng: random.Random) -> None:
    """Write one file with some row group size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {
        name: stored_otherwise(table[name].combine_chunks(), rng) for name in table.column_names
    }
    pq.write_table(pa.table(columns), path, row_group_size=rng.choice((3, 7, 10**6)))


def partitioned(
    table: pa.Table, columns: list[str], rng: random.Random
) -> dict[tuple[str, ...], pa.Table]:
    """Return the folders of a Hive partitioning by these columns, with the rows of each."""
    rows: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, row in enumerate(table.select(columns).to_pylist()):
        values = (HIVE_NULL if row[c] is None else quote(row[c]) for c in columns)
        parts = zip(columns, values, strict=True)
        rows[tuple(f"{column}={value}" for column, value in parts)].append(index)
    kept = table if rng.random() < 0.3 else table.drop_columns(columns)
    return {folders: kept.take(pa.array(indices)) for folders, indices in rows.items()}


def write_otherwise(tables: Tables, folder: Path, rng: random.Random) -> None:
    """Write a book as one file, several files or Hive partitions a table, rows in any order."""
    for name, given in tables.items():
        rows = rng.sample(given, len(given))
        table = table_of(name, rows)
        keys = [c for c in ("period", "unit_id") if c in table.column_names]
        how = rng.choice(("file", "files", "partitions", "partitions"))
        if how == "file":
            write_file(folder / f"{name}.parquet", table, rng)
        elif how == "files" or not keys or not rows:
            cuts = sorted(rng.choices(range(len(rows) + 1), k=rng.randint(0, 3)))
            bounds = [0, *cuts, len(rows)]
            for piece, (begin, end) in enumerate(pairwise(bounds)):
                path = folder / name / f"part-{piece}.parquet"
                write_file(path, table.slice(begin, end - begin), rng)
        else:
            columns = rng.sample(keys, rng.randint(1, len(keys)))
            for folders, part in partitioned(table, columns, rng).items():
                write_file(folder.joinpath(name, *folders) / "part.parquet", part, rng)
