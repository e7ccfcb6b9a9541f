"""The activity matrix: net services of a period as sparse rows of exact integers.

A row is a receiver of cost: the case of a performing unit, or the unit's services that are linked
to no case. An activity is a service item of a performing department. Entries stand in parts, one
for each stretch of the lines; a receiver may have a row in several parts, and what belongs to it
is their sum. Parts are kept in memory or in files, which any later look reads one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medcost._core.sums import find_ascending
from medcost.array_files import read_arrays, write_arrays
from medcost.records import dataclass
from medcost.threads import Made, map_in_threads

MEASURES = ("quantity", "charge", "direct_cost")
QUANTITY, CHARGE, DIRECT_COST = range(len(MEASURES))
WHOLE_SERVICE = 10**4
FLAT = ("row_unit", "row_case", "row_charge", "activity_dept", "activity_item")
SCALARS = ("quantity_step", "n_cases", "n_items", "has_charge", "n_lines")


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

    @property
    def row_reach(self) -> tuple[int, int]:
        """The lowest and the highest row key; of a part without rows no key is between them."""
        return (int(self.row_key[0]), int(self.row_key[-1])) if len(self.row_key) else (0, -1)


class PartFile(NamedTuple):
    """A part in a file of its own, and the lowest and highest row key in it."""

    path: Path
    row_reach: tuple[int, int]


@dataclass(frozen=True)
class Entries:
    """Some entries of the matrix: receiver, activity and the three measures, int64 [entries].

    A receiver and activity may stand several times, once for each run of lines.
    """

    row: NDArray[np.int64]
    activity: NDArray[np.int64]
    measures: NDArray[np.int64]


@dataclass(frozen=True)
class ActivityMatrix:
    """Net services of a period: receivers x activities, and where the parts are.

    Receivers are sorted by performing unit, then case: row_unit; row_case: case of the register,
    -1 for the unit's unlinked lines; row_charge: fen; row_is_split: whether its entries are of
    more than one run of lines [rows]. Activities are sorted by department, then item:
    activity_dept, activity_item; total: quantity (1e-4), charge and direct cost (fen); negative:
    the sum of those net entries that are below zero [activities, 3]. quantity_step: 10^4 where
    all entries are whole services, else 1.
    """

    row_unit: NDArray[np.int64]
    row_case: NDArray[np.int64]
    row_charge: NDArray[np.int64]
    row_is_split: NDArray[np.bool_]
    activity_dept: NDArray[np.int64]
    activity_item: NDArray[np.int64]
    total: NDArray[np.int64]
    negative: NDArray[np.int64]
    parts: tuple[MatrixPart | PartFile, ...] = field(repr=False)
    quantity_step: int
    n_cases: int
    n_items: int
    has_charge: bool
    n_lines: int
    threads: int = 1

    @cached_property
    def row_key(self) -> NDArray[np.int64]:
        """Key of each receiver, as in the parts, ascending."""
        return self.row_unit * (self.n_cases + 1) + self.row_case + 1

    @cached_property
    def activity_key(self) -> NDArray[np.int64]:
        """Key of each activity, as in the parts, ascending."""
        return self.activity_dept * max(self.n_items, 1) + self.activity_item

    def activities_of(self, part: MatrixPart) -> NDArray[np.int64]:
        """Activity of each of the part's activity keys."""
        return find_ascending(self.activity_key, part.activity_key)

    def receivers_of(self, part: MatrixPart) -> NDArray[np.int64]:
        """Receiver of each of the part's rows."""
        return find_ascending(self.row_key, part.row_key)

    def map_parts(
        self, look: Callable[[MatrixPart], Made], keys: NDArray[np.int64] | None = None
    ) -> list[Made]:
        """What look makes of each part, in the order of the parts; threads side by side.

        keys: ascending row keys; parts that have none of them are left out.
        """
        parts = self.parts
        if keys is not None:
            reach = np.array([part.row_reach for part in parts], np.int64).reshape(-1, 2)
            first, end = np.searchsorted(keys, reach[:, 0]), np.searchsorted(keys, reach[:, 1] + 1)
            parts = tuple(part for part, n in zip(parts, end - first, strict=True) if n > 0)

        def load_and_look(part: MatrixPart | PartFile) -> Made:
            return look(load_part(part.path) if isinstance(part, PartFile) else part)

        return map_in_threads(load_and_look, parts, self.threads)

    def entries_of(self, rows: NDArray[np.int64]) -> Entries:
        """Every entry of some receivers; rows: ascending. Time O(their parts x rows + entries)."""
        wanted = self.row_key[rows]

        def look(part: MatrixPart) -> Entries:
            at = np.minimum(np.searchsorted(part.row_key, wanted), len(part.row_key) - 1)
            found = np.flatnonzero(part.row_key[at] == wanted) if len(part.row_key) else at[:0]
            first = part.starts[at[found]]
            counts = part.starts[at[found] + 1] - first
            return self._take(part, np.repeat(rows[found], counts), ranges(first, counts))

        return join_entries(self.map_parts(look, wanted))

    def entries_where(
        self, wanted: Callable[[MatrixPart, NDArray[np.int64]], NDArray[np.bool_]]
    ) -> Entries:
        """Every entry for which wanted(part, activity of each of its entries) holds."""

        def look(part: MatrixPart) -> Entries:
            at = np.flatnonzero(wanted(part, self.activities_of(part)[part.activity]))
            rows = np.searchsorted(part.starts, at, side="right") - 1
            return self._take(part, self.receivers_of(part)[rows], at)

        return join_entries(self.map_parts(look))

    def _take(self, part: MatrixPart, rows: NDArray[np.int64], at: NDArray[np.int64]) -> Entries:
        """The part's entries at some places, of these receivers."""
        measures = np.zeros((len(at), len(MEASURES)), np.int64)
        for m, values in enumerate(part.measures):
            if values is not None:
                measures[:, m] = values[at]
                measures[:, m] *= part.step(m)
        keys = part.activity_key[part.activity[at]]
        return Entries(rows, find_sorted(self.activity_key, keys), measures)


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
    return np.asarray(place[wanted - keys[0]], np.int64)


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


def write_part(part: MatrixPart, path: Path) -> PartFile:
    """Write a part to a file of its own, not yet synced to disk; raises OSError."""
    arrays = {
        "activity_key": part.activity_key,
        "row_key": part.row_key,
        "starts": part.starts,
        "activity": part.activity,
    }
    arrays |= {
        name: values
        for name, values in zip(MEASURES, part.measures, strict=True)
        if values is not None
    }
    write_arrays(path, arrays, {"quantity_step": str(part.quantity_step)})
    return PartFile(path, part.row_reach)


def load_part(path: Path) -> MatrixPart:
    """A part from its file; the arrays look into the mapped file."""
    arrays, notes = read_arrays(path)
    return MatrixPart(
        arrays["activity_key"],
        arrays["row_key"],
        arrays["starts"],
        arrays["activity"],
        tuple(arrays.get(name) for name in MEASURES),
        int(notes["quantity_step"]),
    )


def write_matrix(matrix: ActivityMatrix, path: Path) -> Path:
    """Write all but the parts, which have files already, as narrow as it is; raises OSError."""
    arrays: dict[str, NDArray[Any]] = {name: _narrowed(getattr(matrix, name)) for name in FLAT}
    arrays["row_is_split"] = matrix.row_is_split.astype(np.uint8)
    arrays |= {
        f"{name}_{measure}": _narrowed(getattr(matrix, name)[:, m])
        for name in ("total", "negative")
        for m, measure in enumerate(MEASURES)
    }
    notes = {name: str(int(getattr(matrix, name))) for name in SCALARS}
    return write_arrays(path, arrays, notes)


def _narrowed(values: NDArray[np.int64]) -> NDArray[np.signedinteger]:
    """The values in the narrowest type: each page of a file costs more than the look at them."""
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    return np.ascontiguousarray(values, narrowest(low, high))


def load_matrix(path: Path, parts: Sequence[Path], threads: int) -> ActivityMatrix:
    """The matrix from its file and those of its parts, in their order; raises READ_ERRORS.

    The arrays of parts look into the mapped files: memory is touched where a look reads it.
    """
    arrays, notes = read_arrays(path)
    numbers = {name: int(notes[name]) for name in SCALARS}
    columns = {
        name: np.stack([arrays[f"{name}_{m}"] for m in MEASURES], axis=1, dtype=np.int64)
        for name in ("total", "negative")
    }
    return ActivityMatrix(
        **{name: np.asarray(arrays[name], np.int64) for name in FLAT},
        row_is_split=arrays["row_is_split"].astype(np.bool_),
        **columns,
        parts=tuple(load_part(part) for part in parts),
        quantity_step=numbers["quantity_step"],
        n_cases=numbers["n_cases"],
        n_items=numbers["n_items"],
        has_charge=bool(numbers["has_charge"]),
        n_lines=numbers["n_lines"],
        threads=threads,
    )
