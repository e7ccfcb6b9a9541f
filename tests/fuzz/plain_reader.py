"""The blocks of a file by way of pyarrow and the rules of parquet_input: a slow twin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from medcost._core.labels import LabelTable
from medcost.line_blocks import ROW_EMPTY, ROW_FAULT, LineBlock
from medcost.parquet_input import ColumnUnreadableError, SourceFile, decode_number
from medcost.tables import Column

BLOCK_ROWS = 1 << 14


def plain_blocks(
    source: SourceFile,
    row_groups: Sequence[int],
    texts: Mapping[str, LabelTable],
    numbers: Mapping[str, Column],
) -> Iterator[LineBlock]:
    """The same blocks by way of pyarrow; raises READ_ERRORS and ColumnUnreadableError."""
    with pq.ParquetFile(source.path) as file:
        batches = file.iter_batches(
            BLOCK_ROWS, list(row_groups), [*texts, *numbers], use_threads=False
        )
        for batch in batches:
            codes = {name: _codes(batch.column(name), labels) for name, labels in texts.items()}
            values, states = {}, {}
            for name, column in numbers.items():
                values[name], state = number_states(batch.column(name), column)
                if state is not None:
                    states[name] = state
            yield LineBlock(batch.num_rows, codes, values, states)


def _codes(chunk: pa.Array, labels: LabelTable) -> NDArray[np.int32]:
    if pa.types.is_dictionary(chunk.type):
        chunk = chunk.dictionary_decode()
    if len(chunk) == 0:
        return np.empty(0, np.int32)
    # A null may lie over bytes.
    chunk = chunk.cast(pa.string()).fill_null("")
    try:
        chunk.validate(full=True)
    except pa.ArrowInvalid as error:
        raise ColumnUnreadableError("text-not-utf8", "text is not valid UTF-8") from error
    _, offsets, data = chunk.buffers()
    starts = np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
    return labels.find(starts, np.frombuffer(data or b"", np.uint8))


def number_states(
    chunk: pa.Array, column: Column
) -> tuple[NDArray[np.int64], NDArray[np.uint8] | None]:
    """Values of a number column, and their states unless all are fine."""
    given = decode_number(chunk, column)
    states = np.where(given.present, 0, ROW_EMPTY).astype(np.uint8)
    for rows in (given.too_fine, given.not_finite, given.out_of_range):
        states[rows] = ROW_FAULT
    return given.values, states if states.any() else None
