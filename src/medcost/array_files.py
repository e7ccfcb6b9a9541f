"""Arrays in Arrow files: written as they are, looked at without a copy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def write_arrays(
    path: Path, arrays: Mapping[str, NDArray[Any]], notes: Mapping[str, str] | None = None
) -> Path:
    """Write one-dimensional integer arrays as an Arrow file of one row, each a list.

    notes go to the schema's metadata. The file is not yet synced to disk. Raises OSError.
    """
    columns = {}
    for name, values in arrays.items():
        inner = pa.Array.from_buffers(
            pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)]
        )
        ends = np.array([0, len(values)], np.int64)
        columns[name] = pa.LargeListArray.from_arrays(
            pa.Array.from_buffers(pa.int64(), 2, [None, pa.py_buffer(ends)]), inner
        )
    schema = pa.schema([(name, column.type) for name, column in columns.items()], notes)
    # Arrow's own file: through one of Python's every array would be copied once more.
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        writer.write_batch(pa.record_batch(list(columns.values()), schema=schema))
    return path


def read_arrays(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """The arrays, which look into the mapped file, and the notes; raises READ_ERRORS."""
    with pa.memory_map(str(path)) as file:
        batch = pa.ipc.open_file(file).get_batch(0)
    arrays = {name: batch.column(i).values.to_numpy() for i, name in enumerate(batch.schema.names)}
    notes = batch.schema.metadata or {}
    return arrays, {key.decode(): value.decode() for key, value in notes.items()}
