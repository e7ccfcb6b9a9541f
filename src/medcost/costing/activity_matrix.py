"""The activity matrix: net services of a period as sparse rows of exact integers.

A row is a receiver of cost: the case of a performing unit, or the unit's services that are linked
to no case. An activity is a service item of a performing department. Entries stand in parts, one
for each stretch of the lines; a receiver may have a row in several parts, and what belongs to it
is their sum. Parts are kept in memory or in files, which any later look reads one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Made = TypeVar("Made")
MEASURES = ("quantity", "charge", "direct_cost")
QUANTITY, CHARGE, DIRECT_COST = range(len(MEASURES))
WHOLE_SERVICE = 10**4


@dataclass(frozen=True)
class MatrixPart:
    """Rows of one stretch of lines, netted within it.

    activity_key: department x items + item, ascending [activities]; row_key: performing unit x
    (cases + 1) + case + 1, ascending [rows]; starts: first entry of each row, and the end
    [rows + 1]; activity: position in activity_key, uint16 or uint32 [entries]; measures: quantity
    in quantity_step x 1e-4 and fen, in the narrowest integer type that holds them [entries], None
    where the lines have no such column.
    """

    activity_key: NDArray[np.int64]
    row_key: NDArray[np.int64]
    starts: NDArray[np.int64]
    activity: NDArray[np.uint16] | NDArray[np.uint32]
    measures: tuple[NDArray[np.signedinteger] | None, ...]
    quantity_step: int

    def step(self, measure: int) -> int:
        """What one unit of the stored measure is, in 1e-4 services or fen."""
        return self.quantity_step if measure == QUANTITY else 1

    def measure(self, measure: int) -> NDArray[np.signedinteger]:
        """The stored measure of each entry, 0 where the lines have no such column."""
        found = self.measures[measure]
        return np.zeros(len(self.activity), np.int8) if found is None else found


@dataclass(frozen=True)
class Entries:
    """Some entries of the matrix: receiver, activity and the three measures, int64 [entries].

    A receiver and activity may stand several times, once for each part.
    """

    row: NDArray[np.int64]
    activity: NDArray[np.int64]
    measures: NDArray[np.int64]


@dataclass(frozen=True)
class ActivityMatrix:
    """Net services of a period: receivers x activities, and where the parts are.

    Receivers are sorted by performing unit, then case: row_unit; row_case: case of the register,
    -1 for the unit's unlinked lines; row_charge: fen; row_is_split: whether it has a row in more
    than one part [rows]. Activities are sorted by department, then item: activity_dept,
    activity_item; total: quantity (1e-4), charge and direct cost (fen); negative: the sum of
    those net entries that are below zero [activities, 3]. quantity_step: 10^4 where all entries
    are whole services, else 1.
    """

    row_unit: NDArray[np.int64]
    row_case: NDArray[np.int64]
    row_charge: NDArray[np.int64]
    row_is_split: NDArray[np.bool_]
    activity_dept: NDArray[np.int64]
    activity_item: NDArray[np.int64]
    total: NDArray[np.int64]
    negative: NDArray[np.int64]
    parts: tuple[MatrixPart | Path, ...] = field(repr=False)
    quantity_step: int
    n_cases: int
    n_items: int
    has_charge: bool
    n_lines: int
    threads: int = 1

    @property
    def row_key(self) -> NDArray[np.int64]:
        """Key of each receiver, as in the parts, ascending."""
        return self.row_unit * (self.n_cases + 1) + self.row_case + 1

    @property
    def activity_key(self) -> NDArray[np.int64]:
        """Key of each activity, as in the parts, ascending."""
        return self.activity_dept * max(self.n_items, 1) + self.activity_item

    def activities_of(self, part: MatrixPart) -> NDArray[np.int64]:
        """Activity of each of the part's activity keys."""
        return np.searchsorted(self.activity_key, part.activity_key)

    def receivers_of(self, part: MatrixPart) -> NDArray[np.int64]:
        """Receiver of each of the part's rows."""
        return find_sorted(self.row_key, part.row_key)

    def map_parts(self, look: Callable[[MatrixPart], Made]) -> list[Made]:
        """What look makes of each part, in the order of the parts; threads side by side."""

        def load_and_look(part: MatrixPart | Path) -> Made:
            return look(load_part(part) if isinstance(part, Path) else part)

        if self.threads > 1 and len(self.parts) > 1:
            with ThreadPoolExecutor(self.threads) as pool:
                return list(pool.map(load_and_look, self.parts))
        return [load_and_look(part) for part in self.parts]

    def entries_of(self, rows: NDArray[np.bool_]) -> Entries:
        """Every entry of the chosen receivers; rows: bool [rows]. Time O(entries of the parts
        that hold one).
        """

        def look(part: MatrixPart) -> Entries:
            receivers = self.receivers_of(part)
            chosen = np.flatnonzero(rows[receivers])
            counts = part.starts[chosen + 1] - part.starts[chosen]
            return self._take(part, receivers, ranges(part.starts[chosen], counts), chosen, counts)

        return join_entries(self.map_parts(look))

    def entries_where(
        self, wanted: Callable[[MatrixPart, NDArray[np.int64]], NDArray[np.bool_]]
    ) -> Entries:
        """Every entry for which wanted(part, activity of each of its entries) holds."""

        def look(part: MatrixPart) -> Entries:
            activities = self.activities_of(part)[part.activity]
            at = np.flatnonzero(wanted(part, activities))
            rows = np.searchsorted(part.starts, at, side="right") - 1
            receivers = self.receivers_of(part)
            return self._take(part, receivers, at, rows, np.ones(len(at), np.int64))

        return join_entries(self.map_parts(look))

    def _take(
        self,
        part: MatrixPart,
        receivers: NDArray[np.int64],
        at: NDArray[np.int64],
        rows: NDArray[np.int64],
        counts: NDArray[np.int64],
    ) -> Entries:
        measures = np.zeros((len(at), len(MEASURES)), np.int64)
        for m, values in enumerate(part.measures):
            if values is not None:
                measures[:, m] = values[at]
                measures[:, m] *= part.step(m)
        activities = self.activities_of(part)
        return Entries(np.repeat(receivers[rows], counts), activities[part.activity[at]], measures)


def ranges(first: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """first[0], first[0] + 1, ... counts[0] numbers, then the same of first[1], ..."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(first - (ends - counts), counts) + np.arange(total)


def find_sorted(keys: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of each wanted key, which is there, among ascending keys.

    Where the keys have few gaps a table by key is faster than a search.
    """
    if len(wanted) < len(keys) // 4 or not len(keys):
        return np.searchsorted(keys, wanted)
    span = int(keys[-1] - keys[0]) + 1
    if span > 8 * len(keys):
        return np.searchsorted(keys, wanted)
    place = np.zeros(span, np.int32)
    place[keys - keys[0]] = np.arange(len(keys), dtype=np.int32)
    return place[wanted - keys[0]].astype(np.int64)


def join_entries(found: Sequence[Entries]) -> Entries:
    """All entries one after the other."""
    if not found:
        none = np.empty(0, np.int64)
        return Entries(none, none, np.empty((0, len(MEASURES)), np.int64))
    return Entries(
        np.concatenate([entries.row for entries in found]),
        np.concatenate([entries.activity for entries in found]),
        np.concatenate([entries.measures for entries in found]),
    )


def narrowest(low: int, high: int) -> type[np.signedinteger]:
    """The narrowest integer type that holds low to high."""
    for kind in (np.int8, np.int16, np.int32):
        limits = np.iinfo(kind)
        if limits.min <= low and high <= limits.max:
            return kind
    return np.int64


def _columns_of(part: MatrixPart) -> Iterator[tuple[str, NDArray[np.integer]]]:
    yield "activity_key", part.activity_key
    yield "row_key", part.row_key
    yield "starts", part.starts
    yield "activity", part.activity
    for name, values in zip(MEASURES, part.measures, strict=True):
        if values is not None:
            yield name, values


def write_part(part: MatrixPart, path: Path) -> Path:
    """Write a part as an Arrow file of one row, each array a list; not yet synced to disk."""
    columns = {}
    for name, values in _columns_of(part):
        inner = pa.Array.from_buffers(
            pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)]
        )
        ends = pa.Array.from_buffers(
            pa.int32(), 2, [None, pa.py_buffer(np.array([0, len(values)], np.int32))]
        )
        columns[name] = pa.ListArray.from_arrays(ends, inner)
    schema = pa.schema(
        [(name, column.type) for name, column in columns.items()],
        {"quantity_step": str(part.quantity_step)},
    )
    batch = pa.record_batch(list(columns.values()), schema=schema)
    with path.open("wb") as file, pa.ipc.new_file(file, schema) as writer:
        writer.write_batch(batch)
    return path


def load_part(path: Path) -> MatrixPart:
    """A part from its file; the arrays look into the mapped file."""
    with pa.memory_map(str(path)) as file:
        batch = pa.ipc.open_file(file).get_batch(0)
    columns = {name: batch.column(i).values.to_numpy() for i, name in enumerate(batch.schema.names)}
    step = int((batch.schema.metadata or {})[b"quantity_step"])
    measures = tuple(columns.get(name) for name in MEASURES)
    return MatrixPart(
        columns["activity_key"],
        columns["row_key"],
        columns["starts"],
        columns["activity"],
        measures,
        step,
    )
