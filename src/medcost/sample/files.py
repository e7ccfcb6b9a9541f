"""Parquet files of the book: exact decimals, zstd, bounded row groups, always the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from medcost.sample.streams import Flags, Ints

ROW_GROUP = 250_000
AMOUNT = pa.decimal128(18, 2)
QUANTITY = pa.decimal128(18, 4)
WEIGHT = pa.decimal128(18, 6)
BED_DAYS = pa.decimal128(9, 2)
CODE = pa.dictionary(pa.int32(), pa.string())


def decimals(unscaled: Ints, kind: Any, null: Flags | None = None) -> Any:
    """An Arrow decimal column from whole numbers of its smallest step, without any rounding."""
    words: npt.NDArray[np.int64] = np.empty((len(unscaled), 2), dtype=np.int64)
    words[:, 0] = unscaled
    words[:, 1] = words[:, 0] >> 63
    valid = None
    if null is not None:
        valid = pa.py_buffer(np.packbits(~null, bitorder="little").tobytes())
    return pa.Array.from_buffers(kind, len(words), [valid, pa.py_buffer(words.tobytes())])


def dates(days: Ints, null: Flags | None = None) -> Any:
    """An Arrow date32 column from days since 1970-01-01."""
    return pa.array(days.astype(np.int32), mask=null).view(pa.date32())


def codes(places: Ints, names: Sequence[str]) -> Any:
    """A dictionary-encoded column: the name at each place, null where the place is negative."""
    kept = places.astype(np.int32)
    column = pa.array(kept, mask=kept < 0)
    return pa.DictionaryArray.from_arrays(column, pa.array(list(names), pa.string()))


def texts(values: Sequence[str | None]) -> Any:
    """A text column in which empty text is null."""
    return pa.array([value or None for value in values], pa.string())


def _writer(path: Path, schema: Any) -> Any:
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        store_decimal_as_integer=True,
        write_page_index=True,
    )


def write_table(folder: Path, name: str, table: Any) -> int:
    """Write one small table of the book; returns its rows."""
    with _writer(folder / f"{name}.parquet", table.schema) as writer:
        writer.write_table(table, row_group_size=ROW_GROUP)
    return int(table.num_rows)


class TableFile:
    """A table written piece by piece, in row groups of ROW_GROUP rows however it arrives."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.parquet"
        self._writer: Any = None
        self._waiting: list[Any] = []
        self._n_waiting = 0
        self.rows = 0

    def append(self, table: Any) -> None:
        """Add rows; they are written as soon as they fill a row group."""
        self._waiting.append(table)
        self._n_waiting += table.num_rows
        self.rows += table.num_rows
        if self._n_waiting >= ROW_GROUP:
            self._flush(self._n_waiting - self._n_waiting % ROW_GROUP)

    def _flush(self, rows: int) -> None:
        waiting = pa.concat_tables(self._waiting)
        if self._writer is None:
            self._writer = _writer(self._path, waiting.schema)
        self._writer.write_table(waiting.slice(0, rows), row_group_size=ROW_GROUP)
        self._waiting = [waiting.slice(rows)]
        self._n_waiting -= rows

    def __enter__(self) -> TableFile:
        """Return the file, open for appending."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the rows that are left and close the file."""
        if kind is None and self._n_waiting:
            self._flush(self._n_waiting)
        if self._writer is not None:
            self._writer.close()
