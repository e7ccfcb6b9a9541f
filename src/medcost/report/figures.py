"""What a report is made of: the published tables of some months, and names the runs keep.

Nothing is costed here. Amounts are whole fen, added up exactly; every file is held against the
SHA-256 that its run's manifest has for it before a figure of it is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from medcost._core.sums import group_sums
from medcost.consortium.publication import published_consortium
from medcost.errors import Fault, InputRejected, quote
from medcost.parquet_input import decode_number
from medcost.report.kept_names import Key, Names, kept_of
from medcost.report.published_runs import Run, runs_of, verified
from medcost.run_folders import published_runs
from medcost.tables import CONSORTIUM_RESULTS, load_table

Sums = dict[Key, list[int]]

COST_TABLES = (
    "department_cost",
    "department_flow",
    "service_item_cost",
    "drg_cost",
    "drg_matrix",
    "intercompany",
    "reconciliation",
)
VARIANCE_TABLES = (
    "budget_variance",
    "variance_decomposition",
    "drg_variance",
    "break_even",
    "budget_requests",
    "budget_reward",
)
# Places of combined keys up to this are counted in 64 bits before they are numbered anew.
MOST_PLACES = 1 << 62


@dataclass(frozen=True)
class Rows:
    """Rows of one table over all its runs.

    labels: distinct texts of a column; codes: which of them, -1 where it is empty, int64 [rows];
    numbers: whole numbers at the column's scale, 0 where empty, int64 [rows]; present: where
    there is one; floats: columns of doubles.
    """

    n: int
    labels: dict[str, list[str]] = field(default_factory=dict)
    codes: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    numbers: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    present: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    floats: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def sums(self, keys: Sequence[str], values: Sequence[str]) -> Sums:
        """Sums of some columns by others, '' for an empty key; in the order of the keys."""
        if not self.n:
            return {}
        place, known = np.zeros(self.n, np.int64), 1
        for key in keys:
            n_labels = len(self.labels[key]) + 1
            if known * n_labels > MOST_PLACES:
                place = np.unique(place, return_inverse=True)[1].astype(np.int64)
                known = int(place.max()) + 1
            place = place * n_labels + self.codes[key] + 1
            known *= n_labels
        columns = [self.numbers[value] for value in values]
        matrix = np.stack(columns, axis=1) if columns else np.zeros((self.n, 0), np.int64)
        first = np.unique(place, return_index=True)[1]
        _, sums = group_sums(place, np.ascontiguousarray(matrix))
        texts = [
            [["", *self.labels[key]][code + 1] for code in self.codes[key][first].tolist()]
            for key in keys
        ]
        labels: list[Key] = list(zip(*texts, strict=True)) if keys else [()]
        return dict(sorted(zip(labels, sums.tolist(), strict=True)))

    def only(self, kept: NDArray[np.bool_]) -> Rows:
        """Some of the rows."""
        return Rows(
            int(kept.sum()),
            self.labels,
            {name: values[kept] for name, values in self.codes.items()},
            {name: values[kept] for name, values in self.numbers.items()},
            {name: values[kept] for name, values in self.present.items()},
            {name: values[kept] for name, values in self.floats.items()},
        )

    def where(self, column: str, *wanted: str) -> NDArray[np.bool_]:
        """Where a text column has one of some texts, '' meaning none."""
        known = self.labels[column]
        codes = [i for i, label in enumerate(known) if label in wanted]
        codes += [-1] if "" in wanted else []
        return np.isin(self.codes[column], codes)

    def texts(self, column: str) -> list[str]:
        """A text column, '' where it is empty."""
        known = ["", *self.labels[column]]
        return [known[code + 1] for code in self.codes[column].tolist()]

    def values(self, column: str) -> list[int | None]:
        """A number column, None where it is empty."""
        if column not in self.numbers:
            return [None] * self.n
        pairs = zip(self.numbers[column].tolist(), self.present[column].tolist(), strict=True)
        return [value if there else None for value, there in pairs]


@dataclass(frozen=True)
class Figures:
    """All that a report shows, of some months and units.

    tables: result tables by name, one that no run has without rows; income: fen by (period,
    unit, department, source); statistics: 1e-4 by (period, unit, department, measure); unkept:
    runs that keep no book, whose names, income and statistics are not known; results: runs of
    the consortium, by month and kind.
    """

    runs: tuple[Run, ...]
    tables: dict[str, Rows]
    names: Names
    income: dict[Key, int]
    statistics: dict[Key, int]
    unkept: tuple[str, ...]
    results: tuple[Run, ...] = ()

    @property
    def every_run(self) -> tuple[Run, ...]:
        """Runs of costing, then the consortium's."""
        return (*self.runs, *self.results)

    @cached_property
    def periods(self) -> tuple[str, ...]:
        """The months, ascending."""
        return tuple(sorted({run.period for run in self.every_run}))

    @cached_property
    def units(self) -> tuple[str, ...]:
        """The member units that are costed, or else the members, in the order of their ids."""
        runs = self.runs or self.results
        return tuple(sorted({unit for run in runs for unit in run.units}, key=str.encode))

    @property
    def newest(self) -> Run:
        """The run of the last month; one of costing, where there is any."""
        return (self.runs or self.results)[-1]

    @property
    def currency(self) -> str:
        """The label of the money, of the last month's model."""
        return str(self.newest.manifest["model"]["currency"])

    def has(self, table: str) -> bool:
        """Whether any run published a row of the table."""
        return table in self.tables and self.tables[table].n > 0

    def unit_name(self, unit: str) -> str:
        """'U01 Name', or the id where there is no name."""
        return " ".join(part for part in (unit, self.names.unit.get(unit, "")) if part)

    def department_name(self, unit: str, dept: str) -> str:
        """The department's name, or '' where the book has none."""
        return self.names.department.get((unit, dept), "")

    def group_name(self, drg: str, scheme: str = "") -> str:
        """A group's name; where the scheme is not known, that of the first scheme that has it."""
        if scheme or (scheme, drg) in self.names.drg:
            return self.names.drg.get((scheme, drg), "")
        return self._any_group.get(drg, "")

    def line_name(self, unit: str, dept: str, drg: str) -> str:
        """The name of what a line is of, a group or a department."""
        return self.group_name(drg) if drg else self.department_name(unit, dept)

    @cached_property
    def _any_group(self) -> dict[str, str]:
        ordered = sorted(self.names.drg.items(), reverse=True)
        return {drg: name for (_, drg), name in ordered}

    @cached_property
    def class_of(self) -> dict[Key, str]:
        """The class of each department, by (unit, department); of several, the last month's."""
        found = self.tables["department_cost"].sums(("period", "unit_id", "dept_id", "class"), ())
        costed = {(unit, dept): kind for _, unit, dept, kind in found}
        return self.names.department_class | costed


def read_figures(
    folder: Path,
    periods: tuple[str, str] | None,
    units: Sequence[str] = (),
    tables: Sequence[str] | None = None,
) -> Figures:
    """The published figures of an output folder, or of one run.

    periods: first and last month, None for all; units: only these, without the consortium's
    results, which are of all members together; tables: by name, None for all that a report shows.
    Raises InputRejected (run-not-found, run-damaged, file-unreadable).
    """
    if tables is None:
        shared = (name for names in CONSORTIUM_RESULTS.values() for name in names)
        tables = (*COST_TABLES, *VARIANCE_TABLES, *shared)
    runs = tuple(runs_of(published_runs(folder), periods, units))
    of_kinds = {} if units else published_consortium(folder)
    results = tuple(
        Run(run.period, run.folder, tuple(map(str, run.manifest["units"])), run.manifest)
        for run in runs_of(of_kinds, periods, ())
    )
    if not runs and not results:
        asked = " ".join(
            part
            for part in (periods and "..".join(dict.fromkeys(periods)), *map(quote, units))
            if part
        )
        what = f"{quote(str(folder))} has no published run{' of ' + asked if asked else ''}."
        raise InputRejected([Fault("run-not-found", what, (quote(str(folder)),))])
    of_costs = {name for names in (COST_TABLES, VARIANCE_TABLES) for name in names}
    found = {}
    for name in tables:
        having = [r for r in (runs if name in of_costs else results) if name in r.has_table]
        found[name] = _read_table(name, having) if having else _no_rows(name)
    names, income, statistics, unkept = kept_of(runs, results)
    return Figures(runs, found, names, income, statistics, unkept, results)


def _read_table(name: str, runs: Sequence[Run]) -> Rows:
    """The rows of one result table, of each run the units that are taken from it."""
    unit_column = "from_unit_id" if name == "intercompany" else "unit_id"
    parts = []
    for run in runs:
        if name in run.has_table:
            table = verified(run, name)
            # Rows without a unit are of all units of the run together.
            if set(run.units) != set(run.manifest.get("units", ())):
                table = table.filter(pc.is_in(table[unit_column], value_set=pa.array(run.units)))
            parts.append(table)
    try:
        table = pa.concat_tables(parts, promote_options="default")
        return _rows(table, name)
    except (pa.ArrowException, KeyError, ValueError) as error:
        what = f"Table {name} of {quote(str(runs[0].folder.parent))} cannot be read: {error}."
        places = tuple(quote(run.folder.name) for run in runs)
        raise InputRejected([Fault("file-unreadable", what, places)]) from None


def _rows(table: pa.Table, name: str) -> Rows:
    labels: dict[str, list[str]] = {}
    codes: dict[str, NDArray[np.int64]] = {}
    numbers: dict[str, NDArray[np.int64]] = {}
    present: dict[str, NDArray[np.bool_]] = {}
    floats: dict[str, NDArray[np.float64]] = {}
    for column in load_table(f"out_{name}").columns:
        array = table[column.name].combine_chunks()
        if column.type == "string":
            coded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
            labels[column.name] = coded.dictionary.to_pylist()
            indices = coded.indices.cast(pa.int64()).fill_null(-1)
            codes[column.name] = indices.to_numpy(zero_copy_only=False)
        elif column.type == "double":
            floats[column.name] = array.fill_null(np.nan).to_numpy(zero_copy_only=False)
        elif column.type == "int64":
            numbers[column.name] = array.fill_null(0).to_numpy(zero_copy_only=False)
            present[column.name] = array.is_valid().to_numpy(zero_copy_only=False)
        else:
            decoded = decode_number(array, column)
            numbers[column.name], present[column.name] = decoded.values, decoded.present
    return Rows(table.num_rows, labels, codes, numbers, present, floats)


def _no_rows(name: str) -> Rows:
    """A table that no run published."""
    columns = load_table(f"out_{name}").columns
    texts = [column.name for column in columns if column.type == "string"]
    others = [column.name for column in columns if column.type not in ("string", "double")]
    return Rows(
        0,
        {column: [] for column in texts},
        {column: np.zeros(0, np.int64) for column in texts},
        {column: np.zeros(0, np.int64) for column in others},
        {column: np.zeros(0, np.bool_) for column in others},
    )
