"""What moved between two runs of a period: departments, service items and DRG groups."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medcost._core.sums import group_sums
from medcost.quotients import scaled_quotients
from medcost.records import dataclass
from medcost.result_tables import (
    Coded,
    Filled,
    Given,
    build_table,
    fen_as_read,
    labels_of,
)
from medcost.tables import load_table
from medcost.text_labels import text_array

KEYS = ("unit_id", "dept_id", "item_id", "scheme", "drg_id")
# Level, the result table it stands in and the column that is its cost.
LEVELS = (
    ("department", "department_cost", "full_cost"),
    ("drg_group", "drg_cost", "total"),
    ("service_item", "service_item_cost", "total"),
)
MILLION = 10**6


def compare_level(table: str, before: pa.Table, after: pa.Table) -> Moved:
    """What is not the same in one of the tables of LEVELS.

    before, after: of one period, as they were read or as they will be written. Time O(rows log
    rows).
    """
    level, _, column = next(one for one in LEVELS if one[1] == table)
    return _compare(level, before, after, column)


def comparison_of(found: Sequence[Moved], after: Mapping[str, pa.Table]) -> pa.Table:
    """out_comparison: every department, item and group whose cost is not the same.

    found: of levels, in their order; after: the result tables by name that one side is of.
    """
    old = np.concatenate([moved.before for moved in found])
    new = np.concatenate([moved.after for moved in found])
    months = {month for table in after.values() for month in labels_of(table, "period")[0]}
    levels = np.repeat(np.arange(len(found)), [len(moved.before) for moved in found])
    columns: dict[str, Given] = {
        "period": Coded(text_array([min(months, default="")]), np.zeros(len(old), np.int64)),
        "level": Coded(text_array([moved.level for moved in found]), levels),
        "before": old,
        "after": new,
        "change": new - old,
        "change_rate": Filled(*scaled_quotients(new - old, MILLION, old)),
    }
    columns |= {key: _key_column(found, key) for key in KEYS}
    return build_table("comparison", columns)


def _key_column(found: Sequence[Moved], key: str) -> Coded:
    """A key of the rows of all levels, empty where a level or a row does not have it."""
    distinct = sorted({label for moved in found for label in moved.labels.get(key, ())} - {""})
    place = {label: i for i, label in enumerate(distinct)} | {"": -1}
    codes = [
        np.array([place[label] for label in moved.labels[key]], np.int64)[moved.codes[key]]
        if key in moved.labels
        else np.full(len(moved.before), -1)
        for moved in found
    ]
    return Coded(text_array(distinct), np.concatenate(codes))


def tables_compared() -> dict[str, tuple[str, ...]]:
    """The columns that are looked at of each result table."""
    return {
        table: tuple(
            column.name
            for column in load_table(f"out_{table}").columns
            if column.name in ("period", *KEYS, cost)
        )
        for _, table, cost in LEVELS
    }


def levels_of(tables: Collection[str]) -> set[str]:
    """The levels that a run with these result tables has figures of."""
    return {level for level, table, _ in LEVELS if table in tables}


@dataclass(frozen=True)
class Moved:
    """What is not the same in one level: keys, and fen before and after [rows].

    labels: of each key that the level has, '' for none; codes: positions among them [rows].
    """

    level: str
    labels: dict[str, list[str]]
    codes: dict[str, NDArray[np.int64]]
    before: NDArray[np.int64]
    after: NDArray[np.int64]


def _compare(level: str, before: pa.Table, after: pa.Table, column: str) -> Moved:
    names = [key for key in KEYS if key in after.schema.names]
    labels: dict[str, list[str]] = {}
    place = np.zeros(before.num_rows + after.num_rows, np.int64)
    for name in names:
        encoded = [labels_of(table, name) for table in (before, after)]
        labels[name] = sorted({label for known, _ in encoded for label in known} | {""})
        index = {label: i for i, label in enumerate(labels[name])}
        # A code -1, of a row without a label, takes the entry added last.
        of_row = [
            np.array([index[label] for label in (*known, "")])[codes] for known, codes in encoded
        ]
        place = place * len(labels[name]) + np.concatenate(of_row)
    fen = np.zeros((len(place), 2), np.int64)
    fen[: before.num_rows, 0] = fen_as_read(before, column)
    fen[before.num_rows :, 1] = fen_as_read(after, column)
    every, sums = group_sums(place, fen)
    moved = sums[:, 0] != sums[:, 1]
    rest, codes = every[moved], {}
    for name in reversed(names):
        codes[name] = rest % len(labels[name])
        rest = rest // len(labels[name])
    return Moved(level, labels, codes, sums[moved, 0].copy(), sums[moved, 1].copy())
