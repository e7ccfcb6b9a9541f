"""Small consortium books: rows of any table by name, in the types of its schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from medcost.result_tables import Coded, build_table
from medcost.tables import Column, load_table
from medcost.text_labels import text_array

Row = Mapping[str, Any]
MONTH = "2026-01"
# A lead hospital, a township hospital and a village clinic.
UNITS: tuple[Row, ...] = (
    {"unit_id": "L", "name": "Lead", "kind": "lead"},
    {"unit_id": "T", "name": None, "kind": "township"},
    {"unit_id": "V", "name": "Clinic", "kind": "village"},
)
POLICY = """[policy]
id = "test"
title = "A policy of the tests"
authority = "none"
effective_from = 2026-01-01
"""


def arrow_type(column: Column) -> pa.DataType:
    """Return the type that a book holds a column in."""
    if column.type.startswith("decimal("):
        return pa.decimal128(column.precision, column.scale)
    kinds = {"string": pa.string(), "int64": pa.int64(), "double": pa.float64()}
    return (kinds | {"bool": pa.bool_(), "date32": pa.date32()})[column.type]


def as_table(name: str, rows: Iterable[Row]) -> pa.Table:
    """Return rows as a table of its schema: a column that no row has is absent; yuan as text."""
    rows, schema = list(rows), load_table(name)
    columns = [c for c in schema.columns if c.required or any(c.name in row for row in rows)]

    def value(row: Row, column: Column) -> Any:
        given = row.get(column.name)
        return Decimal(str(given)) if column.scale is not None and given is not None else given

    arrays = [pa.array([value(row, c) for row in rows], arrow_type(c)) for c in columns]
    return pa.table(arrays, names=[c.name for c in columns])


def written(folder: Path, tables: Mapping[str, Iterable[Row]]) -> Path:
    """Write a book; units are the three of this module unless they are given."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in {"units": UNITS, **tables}.items():
        pq.write_table(as_table(name, rows), folder / f"{name}.parquet")
    return folder


def policy_file(folder: Path, sections: str = "", name: str = "policy.toml") -> str:
    """Write a policy with a header; its path."""
    path = folder / name
    path.write_text(POLICY + sections, encoding="utf-8")
    return str(path)


def postings(fen: dict[tuple[str, str], int]) -> pa.Table:
    """Return postings between members as a result table that exists: intercompany."""
    pairs = sorted(fen)

    def texts(labels: list[str]) -> Coded:
        known = sorted(set(labels))
        return Coded(text_array(known), np.array([known.index(label) for label in labels]))

    columns = {
        "period": texts([MONTH] * len(pairs)),
        "from_unit_id": texts([giver for giver, _ in pairs]),
        "to_unit_id": texts([receiver for _, receiver in pairs]),
        "item_id": texts(["a"] * len(pairs)),
        "element": texts(["staff"] * len(pairs)),
        "amount": np.array([fen[pair] for pair in pairs], np.int64),
    }
    return build_table("intercompany", columns)
