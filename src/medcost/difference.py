"""Two runs held against each other: which table, which row, which column, old and new.

Rows meet by the key of their table, so neither their order nor their number matters. Ids of cases
stand in the table of differences as they stand in the runs, and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from medcost.tables import Column, Table, load_table, table_names

UNIT_COLUMNS = ("unit_id", "from_unit_id")
LARGEST = 10**18 - 1
SCHEMA = ("period", "table", "unit_id", "key", "column", "old", "new", "change")


def compare_runs(
    old: Path,
    new: Path,
    units: Collection[str] | None = None,
    tables: Collection[str] | None = None,
) -> pa.Table:
    """out_difference: every value of the two run folders that is not the same, sorted by key.

    units: only rows of these; tables: only these result tables. A table that only one run has
    differs in every row. Raises READ_ERRORS. Time O(rows log rows).
    """
    names = sorted({path.stem for folder in (old, new) for path in folder.glob("*.parquet")})
    found = [
        part
        for name in names
        if f"out_{name}" in table_names() and (tables is None or name in tables)
        for part in _compare_table(
            name, load_table(f"out_{name}"), *(_read(run, name, units) for run in (old, new))
        )
    ]
    return _sorted(found)


def equal_tables(old: Mapping[str, Any], new: Mapping[str, Any]) -> set[str]:
    """Result tables that two manifests name with the same SHA-256, if the units are the same."""
    if list(old["units"]) != list(new["units"]):
        return set()
    known = {(record["name"], record["sha256"]) for record in old["outputs"]}
    return {
        str(record["name"]).removesuffix(".parquet")
        for record in new["outputs"]
        if (record["name"], record["sha256"]) in known
    }


def _read(run: Path, name: str, units: Collection[str] | None) -> pa.Table | None:
    """A result table with the rows of the units; None where the run does not have it."""
    path = run / f"{name}.parquet"
    if not path.exists():
        return None
    with pq.ParquetFile(path, pre_buffer=False) as file:
        table = file.read(use_threads=False)
    if units is None:
        return table
    import pyarrow.compute as pc

    column = unit_column(table.column_names)
    if column is None:
        return table
    return table.filter(pc.is_in(table[column], pa.array(sorted(units), pa.string())))


def unit_column(columns: Sequence[str]) -> str | None:
    """The column that says whose row it is; None where it is of all members of a consortium."""
    return next((name for name in UNIT_COLUMNS if name in columns), None)


def _compare_table(
    name: str, schema: Table, old: pa.Table | None, new: pa.Table | None
) -> Iterator[dict[str, Any]]:
    """What is not the same in one result table, a part for each column."""
    columns = [c for c in schema.columns if c.name not in schema.key]
    both = [table for table in (old, new) if table is not None and table.num_rows]
    if not both:
        return
    places, first = _meet(both, schema.key)
    at = iter(places)
    n = len(first)
    old_at, new_at = (
        _rows_by_key(next(at) if table is not None and table.num_rows else None, n)
        for table in (old, new)
    )
    labels = _key_texts(both, schema.key)
    for column in columns:
        values = [_values(table, column, rows) for table, rows in ((old, old_at), (new, new_at))]
        moved = np.flatnonzero(_differ(*values))
        if len(moved):
            yield {"table": name, "column": column, "values": values, "rows": moved,
                   "labels": labels, "first": first}  # fmt: skip


def _meet(
    tables: Sequence[pa.Table], key: Sequence[str]
) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
    """A number for each key: of the rows of each table, and the first row that has it.

    Rows of the tables are counted one after another.
    """
    ends = np.cumsum([table.num_rows for table in tables])
    codes = np.zeros(ends[-1], np.int64)
    for name in key:
        column = pa.chunked_array([c for t in tables for c in t[name].cast(pa.string()).chunks])
        encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
        labels = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        _, codes = np.unique(codes * len(encoded.dictionary) + labels, return_inverse=True)
    _, first = np.unique(codes, return_index=True)
    return np.split(codes, ends[:-1]), first


def _rows_by_key(keys: NDArray[np.int64] | None, n: int) -> NDArray[np.int64]:
    """The row of each key, -1 where a table does not have it."""
    rows = np.full(n, -1, np.int64)
    if keys is not None:
        rows[keys] = np.arange(len(keys))
    return rows


def _values(table: pa.Table | None, column: Column, rows: NDArray[np.int64]) -> pa.Array:
    """A column in the order of the keys, empty where there is no such row or column."""
    if table is None or column.name not in table.column_names:
        return pa.nulls(len(rows), pa.string())
    index = pa.array(rows, mask=rows < 0)
    return table[column.name].combine_chunks().take(index)


def _differ(old: pa.Array, new: pa.Array) -> NDArray[np.bool_]:
    import pyarrow.compute as pc

    if old.type != new.type:
        old, new = old.cast(pa.string()), new.cast(pa.string())
    unequal = pc.fill_null(pc.not_equal(old, new), False).to_numpy(zero_copy_only=False)
    one_empty = pc.xor(old.is_null(), new.is_null()).to_numpy(zero_copy_only=False)
    differ: NDArray[np.bool_] = unequal | one_empty
    return differ


def _key_texts(tables: Sequence[pa.Table], key: Sequence[str]) -> dict[str, pa.ChunkedArray]:
    """The key columns of the tables' rows, one table after another."""
    return {
        name: pa.chunked_array([c for t in tables for c in t[name].cast(pa.string()).chunks])
        for name in key
    }


def _sorted(parts: Sequence[Mapping[str, Any]]) -> pa.Table:
    """The parts as out_difference."""
    columns: dict[str, list[pa.Array]] = {name: [] for name in SCHEMA}
    for part in parts:
        for name, array in _columns(part).items():
            columns[name].append(array)
    types = {name: pa.string() for name in SCHEMA} | {"change": pa.decimal64(18, 2)}
    table = pa.table({name: pa.chunked_array(columns[name], types[name]) for name in SCHEMA})
    order = [(name, "ascending") for name in SCHEMA[:5]]
    return table.sort_by(order).combine_chunks()


def _columns(part: Mapping[str, Any]) -> dict[str, pa.Array]:
    """One column's moved values as columns of out_difference."""
    rows, labels, column = part["rows"], part["labels"], part["column"]
    at = part["first"][rows]
    texts = {name: chunked.take(pa.array(at)).combine_chunks() for name, chunked in labels.items()}
    unit = unit_column(list(texts))
    others = [name for name in texts if name not in ("period", unit)]
    n = len(rows)
    # A table of one row a unit, as that of the budget's control, has no other key.
    rest = zip(*(texts[name].to_pylist() for name in others), strict=True) if others else [()] * n
    keys = [json.dumps(dict(zip(others, row, strict=True)), ensure_ascii=False) for row in rest]
    old, new = (values.take(pa.array(rows)) for values in part["values"])
    return {
        "period": texts["period"],
        "table": pa.array([part["table"]] * n, pa.string()),
        "unit_id": pa.array([""] * n, pa.string()) if unit is None else texts[unit],
        "key": pa.array(keys, pa.string()),
        "column": pa.array([column.name] * n, pa.string()),
        "old": old.cast(pa.string()),
        "new": new.cast(pa.string()),
        "change": _change(old, new) if column.is_amount else pa.nulls(n, pa.decimal64(18, 2)),
    }


def _change(old: pa.Array, new: pa.Array) -> pa.Array:
    """The change, new - old, of two columns of money, empty where it does not fit decimal(18,2)."""
    change = _fen(new) - _fen(old)
    fits = np.abs(change) <= LARGEST
    valid = pa.py_buffer(np.packbits(fits, bitorder="little"))
    return pa.Array.from_buffers(
        pa.decimal64(18, 2), len(change), [valid, pa.py_buffer(np.ascontiguousarray(change))]
    )


def _fen(values: pa.Array) -> NDArray[np.int64]:
    """Whole fen of a column of money, 0 where it is empty."""
    if pa.types.is_string(values.type):
        return np.zeros(len(values), np.int64)
    narrow = values.cast(pa.decimal64(18, 2))
    fen = np.frombuffer(narrow.buffers()[1] or b"", np.int64)[narrow.offset :][: len(narrow)]
    return np.where(narrow.is_valid().to_numpy(zero_copy_only=False), fen, 0)
