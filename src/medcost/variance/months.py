"""Published months: the result tables that a variance is made from, as arrays of labels and fen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medcost.errors import Fault, InputRejected, quote
from medcost.parquet_input import READ_ERRORS
from medcost.records import dataclass
from medcost.result_tables import labels_of, scaled_as_read
from medcost.run_folders import read_run_manifest, read_run_tables
from medcost.tables import ELEMENTS, load_table
from medcost.variance.cells import ELEMENT_NAMES

# The columns that are looked at of each result table.
WANTED = {
    "department_cost": ("unit_id", "dept_id", "class", "element", "direct", "full_cost"),
    "drg_cost": ("unit_id", "scheme", "drg_id", "cases", "bed_days", *ELEMENTS),
    "service_item_cost": ("unit_id", "dept_id", "volume"),
}
Texts = NDArray[np.object_]


@dataclass(frozen=True)
class MonthTables:
    """The result tables of one month: by run, the units that its tables are looked at for."""

    period: str
    runs: tuple[tuple[frozenset[str], Mapping[str, pa.Table]], ...]

    @property
    def units(self) -> frozenset[str]:
        """Every unit that the month is published of."""
        return frozenset().union(*(units for units, _ in self.runs))


@dataclass(frozen=True)
class Month:
    """A published month: departments by element, groups, and services by department.

    unit_ids: what is published; is_complete_drg: units whose groups are published. dept_*: text and
    fen [rows], element a position in ELEMENT_NAMES; drg_fen: [groups, elements] in that order,
    cases, bed days in 1e-2 and where there are any; service_volume: 1e-4 [activities].
    """

    period: str
    unit_ids: frozenset[str]
    drg_unit_ids: frozenset[str]
    dept_unit: Texts
    dept_id: Texts
    dept_class: Texts
    dept_element: NDArray[np.int64]
    dept_direct: NDArray[np.int64]
    dept_full: NDArray[np.int64]
    drg_unit: Texts
    drg_scheme: Texts
    drg_id: Texts
    drg_fen: NDArray[np.int64]
    drg_cases: NDArray[np.int64]
    drg_bed_days: NDArray[np.int64]
    drg_has_bed_days: NDArray[np.bool_]
    service_unit: Texts
    service_dept: Texts
    service_volume: NDArray[np.int64]


def read_months(
    runs: Mapping[str, Mapping[str, Path]], period: str, others: Iterable[str]
) -> tuple[dict[str, MonthTables], tuple[str, ...]]:
    """The published months of a period and of those it is compared with, and notes on the way.

    runs: run folders by period and unit. A run of another month that cannot be read is left out,
    with a note. Raises InputRejected (file-unreadable) for one of the period itself.
    """
    found: dict[str, MonthTables] = {}
    notes = []
    for name in dict.fromkeys([period, *others]):
        of_run: dict[Path, set[str]] = {}
        for unit, folder in runs.get(name, {}).items():
            of_run.setdefault(folder, set()).add(unit)
        read = []
        for folder, units in of_run.items():
            try:
                read.append((frozenset(units), _read_run(folder)))
            except (*READ_ERRORS, KeyError, TypeError) as error:
                what = f"{quote(folder.name)} cannot be read: {str(error).splitlines()[0]}."
                if name == period:
                    fault = Fault("file-unreadable", what, (quote(str(folder)),))
                    raise InputRejected([fault]) from None
                notes.append(f"{name} left out: {what}")
        if read:
            found[name] = MonthTables(name, tuple(read))
    return found, tuple(notes)


def _read_run(folder: Path) -> Mapping[str, pa.Table]:
    """The tables of a run folder; raises READ_ERRORS, KeyError or TypeError."""
    manifest = read_run_manifest(folder)
    if manifest is None:
        raise OSError("its manifest is not there or damaged")
    return read_run_tables(folder, manifest, WANTED)


def with_run(
    month: MonthTables | None, period: str, units: Sequence[str], tables: Mapping[str, pa.Table]
) -> MonthTables:
    """A month with the units of a run that is not published yet in the place of earlier ones."""
    mine = frozenset(units)
    others = [(of - mine, read) for of, read in month.runs] if month is not None else []
    return MonthTables(period, (*((of, read) for of, read in others if of), (mine, tables)))


def month_arrays(month: MonthTables) -> Month:
    """The tables of all runs of a month together, only the rows of the units that count."""
    parts = [_RunColumns(units, tables) for units, tables in month.runs]

    def texts(table: str, column: str) -> Texts:
        return _joined((part.texts(table, column) for part in parts), np.dtype(object))

    def numbers(table: str, column: str) -> NDArray[np.int64]:
        return _joined((part.numbers(table, column) for part in parts), np.dtype(np.int64))

    def with_groups(units: frozenset[str], tables: Mapping[str, pa.Table]) -> frozenset[str]:
        return units if "drg_cost" in tables else frozenset()

    elements = texts("department_cost", "element")
    place = {name: i for i, name in enumerate(ELEMENT_NAMES)}
    no_bed_days = np.iinfo(np.int64).min
    bed_days = _joined((part.bed_days(no_bed_days) for part in parts), np.dtype(np.int64))
    return Month(
        month.period,
        month.units,
        frozenset().union(*(with_groups(units, tables) for units, tables in month.runs)),
        texts("department_cost", "unit_id"),
        texts("department_cost", "dept_id"),
        texts("department_cost", "class"),
        np.array([place[name] for name in elements], np.int64),
        numbers("department_cost", "direct"),
        numbers("department_cost", "full_cost"),
        texts("drg_cost", "unit_id"),
        texts("drg_cost", "scheme"),
        texts("drg_cost", "drg_id"),
        np.stack([numbers("drg_cost", name) for name in ELEMENT_NAMES], axis=1),
        numbers("drg_cost", "cases"),
        np.where(bed_days == no_bed_days, 0, bed_days),
        bed_days != no_bed_days,
        texts("service_item_cost", "unit_id"),
        texts("service_item_cost", "dept_id"),
        numbers("service_item_cost", "volume"),
    )


def _joined(parts: Iterable[NDArray[np.generic]], kind: np.dtype) -> NDArray:  # type: ignore[type-arg]
    return np.concatenate([np.empty(0, kind), *parts])


class _RunColumns:
    """Columns of one run's tables, only the rows of some units."""

    def __init__(self, units: frozenset[str], tables: Mapping[str, pa.Table]) -> None:
        self.tables = tables
        self.rows: dict[str, NDArray[np.int64]] = {}
        for name, table in tables.items():
            if name in WANTED:
                labels, code = labels_of(table, "unit_id")
                wanted = np.array([label in units for label in labels], np.bool_)
                self.rows[name] = np.flatnonzero(wanted[code])

    def texts(self, table: str, column: str) -> Texts:
        """A text column, empty where the run does not have the table."""
        if table not in self.rows:
            return np.empty(0, object)
        labels, codes = labels_of(self.tables[table], column)
        return np.array(labels, object)[codes[self.rows[table]]]

    def numbers(self, table: str, column: str) -> NDArray[np.int64]:
        """A number column at the scale of the contract."""
        if table not in self.rows:
            return np.empty(0, np.int64)
        kind = load_table(f"out_{table}").column(column)
        return scaled_as_read(self.tables[table], column, kind)[self.rows[table]]

    def bed_days(self, empty: int) -> NDArray[np.int64]:
        """Bed days of the groups in 1e-2, `empty` where there are none."""
        values = self.numbers("drg_cost", "bed_days")
        if not len(values):
            return values
        valid = self.tables["drg_cost"]["bed_days"].combine_chunks().is_valid()
        there = valid.to_numpy(zero_copy_only=False)[self.rows["drg_cost"]]
        return np.where(there, values, empty)


def positions(labels: Sequence[str]) -> Callable[[Texts], NDArray[np.int64]]:
    """What turns texts into their positions among labels, -1 where they are not there."""
    place = {label: i for i, label in enumerate(labels)}

    def found(texts: Texts) -> NDArray[np.int64]:
        return np.array([place.get(text, -1) for text in texts], np.int64)

    return found
