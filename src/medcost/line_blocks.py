"""Service lines as blocks of codes and integers: the plain reader, which reads everything.

Labels become positions among the labels of a register once per dictionary; numbers become
integers at the contract's scale. What a fault is, and where, is said by the checks: a block only
marks the rows that cannot be used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medcost._core.labels import LabelTable
from medcost._core.text_hashes import arrow_hashes
from medcost.parquet_input import SourceFile, decode_number, read_batches
from medcost.records import dataclass
from medcost.tables import Column, load_table
from medcost.threads import begin

UNKNOWN, EMPTY = -1, -2
ROW_EMPTY, ROW_FAULT = 1, 2


@dataclass(frozen=True)
class LineBlock:
    """Consecutive lines of a file; arrays are valid until the next block.

    codes: int32 [n] of each text column, a position among its labels, UNKNOWN or EMPTY (null
    or ''); values: int64 [n] of each number column at the contract's scale, 0 where empty or at
    fault; states: uint8 [n], 0 fine, ROW_EMPTY or ROW_FAULT, of those number columns that have
    a row which is not fine. Of a text column wanted as a number the values are hashes, and at
    fault is what may begin or end with a blank.
    """

    n: int
    codes: dict[str, NDArray[np.int32]]
    values: dict[str, NDArray[np.int64]]
    states: dict[str, NDArray[np.uint8]]


def label_table(labels: pa.Array) -> LabelTable:
    """The look-up table of sorted distinct labels."""
    offsets, data = _text_buffers(labels)
    # The table keeps its own view: Arrow's memory must not go away below it.
    return LabelTable(offsets.copy(), data.copy())


class TableAhead(NamedTuple):
    """The look-up table of some labels while it is made."""

    labels: pa.Array
    table: Future[LabelTable]


def table_ahead(labels: pa.Array) -> TableAhead:
    """Begin to make the look-up table of sorted distinct labels."""
    return TableAhead(labels, begin(label_table, labels))


def plain_blocks(
    source: SourceFile,
    row_groups: Sequence[int],
    texts: Mapping[str, LabelTable],
    numbers: Mapping[str, Column],
) -> Iterator[LineBlock]:
    """The row groups' lines; raises one of READ_ERRORS where the file cannot be read."""
    table = load_table("service_lines")
    names = (*texts, *numbers)
    for batch in read_batches(source, table, names, list(row_groups)):
        codes = {name: code_texts(batch.column(name), labels) for name, labels in texts.items()}
        values: dict[str, NDArray[np.int64]] = {}
        states: dict[str, NDArray[np.uint8]] = {}
        for name, column in numbers.items():
            values[name], state = decode_states(batch.column(name), column)
            if state is not None:
                states[name] = state
        yield LineBlock(batch.num_rows, codes, values, states)


def decode_states(
    chunk: pa.Array, column: Column
) -> tuple[NDArray[np.int64], NDArray[np.uint8] | None]:
    """Values of a number column, or hashes of a text column; states unless all are fine."""
    if column.type == "string":
        hashes, states = hash_texts(chunk)
        return hashes, states if states.any() else None
    number = decode_number(chunk, column)
    states = np.where(number.present, 0, ROW_EMPTY).astype(np.uint8)
    for rows in (number.too_fine, number.not_finite, number.out_of_range):
        states[rows] = ROW_FAULT
    return number.values, states if states.any() else None


def hash_texts(column: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Hash and state of each text; null is empty."""
    if pa.types.is_null(column.type):
        return np.zeros(len(column), np.int64), np.full(len(column), ROW_EMPTY, np.uint8)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if column.type != pa.string():
        column = column.cast(pa.string())
    hashes, states = arrow_hashes(*_text_buffers(column))
    if column.null_count:
        empty = column.is_null().to_numpy(zero_copy_only=False)
        hashes[empty], states[empty] = 0, ROW_EMPTY
    return hashes, states


def code_texts(column: pa.Array, labels: LabelTable) -> NDArray[np.int32]:
    """Position of each text among the labels, UNKNOWN or EMPTY."""
    if pa.types.is_null(column.type):
        return np.full(len(column), EMPTY, np.int32)
    if not pa.types.is_dictionary(column.type):
        return _find(column, labels)
    found = np.append(_find(column.dictionary, labels), np.int32(EMPTY))
    rows = column.indices.cast(pa.int64())
    if rows.null_count:
        rows = rows.fill_null(len(column.dictionary))
    codes: NDArray[np.int32] = found.take(rows.to_numpy(zero_copy_only=False))
    return codes


def _find(texts: pa.Array, labels: LabelTable) -> NDArray[np.int32]:
    if texts.type != pa.string():
        texts = texts.cast(pa.string())
    codes = labels.find(*_text_buffers(texts))
    if texts.null_count:
        codes[texts.is_null().to_numpy(zero_copy_only=False)] = EMPTY
    return codes


def _text_buffers(texts: pa.Array) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Offsets [n + 1] and bytes of a string array, slice or not."""
    if len(texts) == 0:
        return np.zeros(1, np.int32), np.empty(0, np.uint8)
    _, offsets, data = texts.buffers()
    starts = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return starts, np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
