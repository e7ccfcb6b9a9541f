"""Published months held against a budget file: `medcost variance`."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from medcost.allocation_model import load_model
from medcost.book import Book, TableRows, empty_table, is_period, open_tables, read_table
from medcost.checks.budget import find_budget_faults
from medcost.checks.findings import Finding, faults_of
from medcost.checks.references import find_unknown_departments
from medcost.checks.rows import find_duplicate_keys, find_value_faults, row_finding
from medcost.checks.tables import rows_considered
from medcost.comparisons import months_needed
from medcost.errors import Fault, InputRejected, count_of, quote
from medcost.file_hashes import file_sha256
from medcost.kept_run import kept_as_written, kept_manifest
from medcost.manifest import FileRecord, RunOptions
from medcost.output_folder import BOOK, KEPT, MODEL, OutputFolder, period_folder
from medcost.parquet_input import READ_ERRORS, SourceFile, files_at
from medcost.publish import PublishedRun, RunToPublish, publish
from medcost.records import dataclass
from medcost.run_folders import published_runs
from medcost.staged_tables import stage_tables
from medcost.variance.control import LoadedControl, exact
from medcost.variance.months import read_months
from medcost.variance.stage import MonthVariance, month_variance

# What a variance needs of the book that a run kept.
TABLES = ("units", "departments", "drivers", "income", "statistics", "drg_groups")
THROUGH = "variance"
Runs = Mapping[str, Mapping[str, Path]]


@dataclass(frozen=True)
class Varied:
    """A month's variance, the run folders whose costs it holds against the budget, its seconds."""

    variance: MonthVariance
    runs: tuple[Path, ...]
    seconds: float


@dataclass(frozen=True)
class BudgetFile:
    """A budget as read, and its files."""

    rows: TableRows
    files: tuple[SourceFile, ...]


def runs_in(folder: Path) -> Runs:
    """Published runs by period and unit; a run folder comes with the months beside it.

    Raises InputRejected (run-not-found).
    """
    own = published_runs(folder)
    if not own:
        what = f"{quote(str(folder))} has no published run."
        raise InputRejected([Fault("run-not-found", what, (quote(str(folder)),))])
    is_run = any(folder == run for units in own.values() for run in units.values())
    beside = published_runs(folder.resolve().parent) if is_run else {}
    return {**beside, **own}


def read_budget(path: Path) -> BudgetFile:
    """A budget file or folder. Raises InputRejected with the faults of its form."""
    files, faults = files_at(path, "budget")
    rows: TableRows | None = None
    if not faults and files:
        rows, faults = read_table("budget", files)
    if not faults and (rows is None or not rows.n):
        faults = [empty_table("budget", files or [SourceFile(path, path.name)])]
    if faults or rows is None:
        raise InputRejected(faults)
    return BudgetFile(rows, tuple(files))


def periods_chosen(
    runs: Runs, own: Runs, budget: BudgetFile, wanted: Sequence[str] | None
) -> list[str]:
    """The months asked for; without a choice, those that are published and budgeted.

    own: the runs of the folder itself. Raises InputRejected (run-not-found,
    budget-not-in-period).
    """
    months = [label for label in budget.rows.labels("period") if is_period(label)]
    if wanted is None:
        chosen = sorted(set(months) & own.keys())
        if not chosen:
            listed = ", ".join(months[:5]) or "none"
            what = f"The budget has no row of a published month ({', '.join(sorted(own)[:5])})."
            where = (f"months of the budget: {listed}",)
            raise InputRejected([Fault("budget-not-in-period", what, where)])
        return chosen
    faults = []
    for period in wanted:
        if period not in runs:
            known = ", ".join(sorted(runs)) or "none"
            what = f"{period} is not published."
            faults.append(Fault("run-not-found", what, (f"months there: {known}",)))
    if faults:
        raise InputRejected(faults)
    return list(wanted)


def vary(
    runs: Runs,
    budget: BudgetFile,
    control: LoadedControl,
    periods: Sequence[str],
    units: Sequence[str] | None = None,
) -> list[Varied]:
    """Hold each period's published costs against the budget.

    Raises InputRejected with the faults of the budget and of all periods together.
    """
    faults: list[Fault] = []
    parts: dict[str, list[tuple[frozenset[str], Book]]] = {}
    for period in periods:
        parts[period] = _kept_books(runs[period])
        for unit in units or ():
            if unit not in runs[period]:
                what = f"Unit {quote(unit)} is not published in {period}."
                known = ", ".join(quote(name) for name in sorted(runs[period])[:5])
                faults.append(Fault("run-not-found", what, (f"units there: {known}",)))
    faults += budget_faults(budget.rows, parts, control, units)
    if faults:
        raise InputRejected(list(dict.fromkeys(faults)))
    found = []
    for period in periods:
        begun = time.perf_counter()
        chosen = sorted(units or runs[period])
        try:
            months, notes = read_months(runs, period, months_needed(period))
            variance = month_variance(parts[period], budget.rows, control, months, period, chosen)
        except InputRejected as rejected:
            faults += rejected.faults
            continue
        variance = replace(variance, notes=(*notes, *variance.notes))
        folders = tuple(sorted({runs[period][unit] for unit in chosen}))
        found.append(Varied(variance, folders, round(time.perf_counter() - begun, 3)))
    if faults:
        raise InputRejected(list(dict.fromkeys(faults)))
    return found


def _kept_books(runs: Mapping[str, Path]) -> list[tuple[frozenset[str], Book]]:
    """What each run of a month kept of its book; raises InputRejected (run-not-kept)."""
    units_of: dict[Path, set[str]] = {}
    for unit, folder in runs.items():
        units_of.setdefault(folder, set()).add(unit)
    books = []
    for folder, units in units_of.items():
        with kept_as_written(folder, kept_manifest(folder, "its book")):
            book = open_tables(folder / KEPT / BOOK, TABLES)
        if book.faults:
            raise InputRejected(book.faults)
        books.append((frozenset(units), book))
    return books


def budget_faults(
    rows: TableRows,
    parts: Mapping[str, Sequence[tuple[frozenset[str], Book]]],
    control: LoadedControl,
    units: Sequence[str] | None = None,
) -> list[Fault]:
    """Every fault of a budget's rows, from January to each period.

    parts: the books of each period with the units they speak for.
    """
    considered = rows_considered(rows, list(parts), units)
    findings = find_value_faults(rows, considered) + find_duplicate_keys(rows, considered)
    findings += _unknown_units(rows, considered, parts)
    tolerance = exact(control.policy.standards.tolerance)
    seen: set[tuple[str, frozenset[str]]] = set()
    checked: NDArray[np.bool_] = np.zeros(rows.n, np.bool_)
    for books in parts.values():
        for of, book in books:
            if (str(book.folder), of) in seen:
                continue
            seen.add((str(book.folder), of))
            labels = [*rows.labels("unit_id"), ""]
            mine = np.array([label in of for label in labels], np.bool_)[rows.codes("unit_id")]
            mine &= considered & ~checked
            checked |= mine
            with_budget = replace(book, tables={**book.tables, "budget": rows})
            findings += find_unknown_departments(with_budget, "budget", mine)
            findings += find_budget_faults(with_budget, mine, tolerance)
    return faults_of(findings)


def _unknown_units(
    rows: TableRows,
    considered: NDArray[np.bool_],
    parts: Mapping[str, Sequence[tuple[frozenset[str], Book]]],
) -> list[Finding]:
    """Rows of a unit that no book of any period lists."""
    listed = {unit for books in parts.values() for _, b in books for unit in b.registers.unit_ids}
    labels = [*rows.labels("unit_id"), ""]
    unknown = np.array([label not in listed for label in labels], np.bool_)[rows.codes("unit_id")]
    unknown &= considered & (rows.codes("unit_id") >= 0)
    finding = row_finding(rows, "unit-not-listed", "unit_id", unknown)
    return [] if finding is None else [finding]


def publish_variances(
    found: Sequence[Varied], held: OutputFolder, budget: BudgetFile, control: LoadedControl
) -> list[PublishedRun]:
    """Publish each month's variance as a run of its own, all or none; raises CannotPublish."""
    inputs = _records(budget, control)
    runs = []
    for varied in found:
        variance = varied.variance
        loaded = load_model(str(varied.runs[0] / KEPT / MODEL), "departments")
        notes = (*variance.notes, *(f"variance of {run.name}" for run in varied.runs))
        options = RunOptions(variance.period, variance.units, THROUGH)
        folder = period_folder(held.staging, variance.period)
        tables = stage_tables(folder, variance.tables)
        seconds = {THROUGH: varied.seconds}
        policy = control.record()
        runs.append(RunToPublish(loaded, options, tables, notes, seconds, budget_control=policy))
    return publish(held, runs, inputs)


def _records(budget: BudgetFile, control: LoadedControl) -> list[FileRecord]:
    """The budget's files and the policy, as inputs of the manifest."""
    records = [FileRecord(control.file, 0, control.sha256)]
    try:
        for source in budget.files:
            rows = pq.read_metadata(source.path).num_rows
            records.append(FileRecord(source.label, rows, file_sha256(source.path)))
    except READ_ERRORS as error:
        what = f"A file of the budget went away while it was read: {error}."
        raise InputRejected([Fault("file-unreadable", what, (quote(str(error)),))]) from None
    return records


def summary_of(found: Sequence[Varied], placed: Sequence[PublishedRun]) -> str:
    """One line on what was done: 'done: 2 months, 2 units, 31 alerts, 2 published, ...'."""
    units = {unit for varied in found for unit in varied.variance.units}
    n_alerts = sum(
        len(alerts) - alerts.null_count
        for varied in found
        for alerts in [varied.variance.tables["budget_variance"]["alert"]]
    )
    n_new = sum(place.is_new for place in placed)
    written = f"{n_new} published, {len(placed) - n_new} already there"
    return (
        f"done: {count_of(len(found), 'month')}, {count_of(len(units), 'unit')}, "
        f"{count_of(n_alerts, 'alert')}, {written if placed else 'nothing written'}"
    )


def log_fields(varied: Varied) -> dict[str, Any]:
    """What a line of the log says of a month."""
    return {
        "period": varied.variance.period,
        "units": list(varied.variance.units),
        "rows": {name: table.num_rows for name, table in varied.variance.tables.items()},
        "seconds": varied.seconds,
        "runs": [os.fspath(run.name) for run in varied.runs],
    }
