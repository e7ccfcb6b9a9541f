"""Labels as Arrow text, handled by their buffers.

Arrow's compute functions do the same, but their module takes 40 ms to import, as long as all the
small tables of a book take to read, and pa.array of a list imports pandas, if it is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def text_array(labels: Sequence[str]) -> pa.Array:
    """Labels as an Arrow array."""
    together = "".join(labels)
    text = together.encode("utf-8")
    sizes = [len(label) for label in labels]
    if len(text) > len(together):
        sizes = [len(label.encode("utf-8")) for label in labels]
    return _from_bytes(np.cumsum(sizes, dtype=np.int64), text)


def take_text(labels: pa.Array, rows: NDArray[np.int64]) -> pa.Array:
    """The labels at the rows, as Array.take gives them; no label is empty."""
    starts, data = _parts(labels)
    sizes = np.diff(starts)
    size = int(sizes[0]) if len(sizes) else 0
    if size and (sizes == size).all():
        # Labels of one length are words.
        words = data[starts[0] : starts[-1]].view(f"V{size}")[rows]
        return _from_bytes(np.arange(1, len(rows) + 1) * size, words)
    lengths = sizes[rows]
    ends = np.cumsum(lengths, dtype=np.int64)
    # Where each byte of the result comes from: its place, moved by its label's.
    moved = np.repeat(starts[:-1][rows] - (ends - lengths), lengths)
    return _from_bytes(ends, data[moved + np.arange(len(moved))])


def _from_bytes(ends: NDArray[np.int64], text: bytes | NDArray[Any]) -> pa.Array:
    if len(ends) and ends[-1] > np.iinfo(np.int32).max:
        raise OverflowError("labels take more than 2 GB")
    offsets = np.append(0, ends).astype(np.int32)
    return pa.StringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(text))


def _parts(labels: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Where each label begins, with the end, and the bytes."""
    if not len(labels):
        return np.zeros(1, np.int64), np.empty(0, np.uint8)
    _, offsets, data = labels.buffers()
    starts = np.frombuffer(offsets, np.int32)[labels.offset : labels.offset + len(labels) + 1]
    return starts.astype(np.int64), np.frombuffer(data or b"", np.uint8)


def is_ascending(labels: pa.Array) -> bool:
    """Whether labels of one length are plainly in strictly ascending order of their bytes.

    Labels of several lengths, an empty one and one with a NUL are not looked into.
    """
    starts, data = _parts(labels)
    lengths = np.diff(starts)
    if labels.null_count or not len(labels) or not lengths[0] or (lengths != lengths[0]).any():
        return False
    text = data[starts[0] : starts[-1]]
    words = text.view(f"S{lengths[0]}")
    return bool((words[1:] > words[:-1]).all() and text.all())


def find_blank_ends(labels: pa.Array) -> NDArray[np.bool_]:
    """Labels, none of them empty, with blanks at an end, as str.strip sees them."""
    starts, data = _parts(labels)
    first, last = data[starts[:-1]], data[starts[1:] - 1]
    # Only a control character, a blank or a byte beyond ASCII can belong to a blank.
    suspect = (first <= 32) | (first > 127) | (last <= 32) | (last > 127)
    for row in np.flatnonzero(suspect).tolist():
        label = labels[row].as_py()
        suspect[row] = label != label.strip()
    return suspect
