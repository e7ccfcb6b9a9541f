"""What-if: a published run costed again under other costs or rules, its activity unchanged.

The lines are not looked at: the run kept them as an activity matrix. Ledger, drivers, weights,
prices and the model may change; what the activity is counted in (units, departments, items,
cases) may not.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from medcost.allocation_model import LoadedModel, load_model
from medcost.book import open_book
from medcost.checkpoints import TABLES
from medcost.closed_periods import find_changes
from medcost.comparison import compare_tables, tables_compared
from medcost.costing.activity import Activity
from medcost.errors import Fault, InputRejected, named_errors, quote
from medcost.kept import load_activity, record_kept
from medcost.kept_run import kept_as_written, kept_manifest, not_kept
from medcost.manifest import FileRecord, RunOptions, record_inputs
from medcost.month_end import PeriodResult, cost_activity, needs_lines, table_faults
from medcost.output_folder import ACTIVITY, BOOK, KEPT, MODEL, OutputFolder
from medcost.parquet_input import READ_ERRORS
from medcost.period_book import read_period
from medcost.publish import (
    KeptFiles,
    PublishedRun,
    RunToPublish,
    TablesBeside,
    publish,
    read_run_tables,
    stage_tables,
    writing_threads,
)
from medcost.records import dataclass

REPLACEABLE = ("ledger", "drivers", "item_weights", "drg_groups", "drg_prices")


@dataclass(frozen=True)
class Recosted:
    """A what-if, where it was published, and how it differs from the run it was made from."""

    result: PeriodResult
    place: PublishedRun
    original: Path
    comparison: pa.Table


def recost_run(
    run: Path,
    held: OutputFolder,
    model: str | None = None,
    replaced: Mapping[str, Path] | None = None,
    threads: int = 1,
) -> Recosted:
    """Cost one published run again and publish the what-if in a folder of its own.

    model: another model, default the run's; replaced: another file for some of REPLACEABLE.
    Raises InputRejected (run-not-kept, faults of what was replaced), InvariantBroken or
    CannotPublish.
    """
    manifest = kept_manifest(run, "its book and activity")
    with kept_as_written(run, manifest):
        to_publish, result, inputs = _cost_again(
            run, manifest, held.staging, model, replaced or {}, threads
        )
    find_changes(held.path, [to_publish], None)
    place = publish(held, [to_publish], inputs)[0]
    return Recosted(result, place, run, result.tables["comparison"])


def _cost_again(
    run: Path,
    manifest: Mapping[str, Any],
    staging: Path,
    model: str | None,
    replaced: Mapping[str, Path],
    threads: int,
) -> tuple[RunToPublish, PeriodResult, tuple[FileRecord, ...]]:
    """Cost what a run keeps, other tables in the place of those replaced, and stage it."""
    kept, staged = run / KEPT, staging / "what-if" / KEPT
    through, period, units = manifest["through"], manifest["period"], manifest["units"]
    loaded = load_model(model or str(kept / MODEL), through)
    with named_errors(staging):
        _stage_book(kept / BOOK, staged / BOOK, replaced)
    book = open_book(staged / BOOK, through, has_lines=False)
    period_book = read_period(book, period, units)
    activity = _activity_for(run, threads) if needs_lines(loaded, through) else None
    faults = list(table_faults(book, [period], units, loaded, through))
    faults += _measure_faults(run, loaded, activity)
    if faults:
        raise InputRejected(faults)
    # Tables are written while later ones are computed and all are compared.
    options = RunOptions(period, tuple(units), through, manifest["run"])
    with writing_threads() as writer:
        beside = TablesBeside(writer, staged.parent / TABLES)
        result = cost_activity(book, period_book, loaded, activity, through, {}, beside.make_table)
        original = read_run_tables(run, manifest, tables_compared())
        comparison = compare_tables(original, result.tables)
        result.tables["comparison"] = comparison
        beside.make_table("comparison", lambda: comparison)
        with named_errors(staging):
            (staged / MODEL).write_bytes(loaded.content)
            linked = _link_all(kept / ACTIVITY, staged / ACTIVITY) if activity is not None else []
            names = {path.relative_to(staged.parent).as_posix() for path in linked}
            known = {one["name"]: one["sha256"] for one in manifest["kept"] if one["name"] in names}
            records = record_kept(staged, known)
            inputs = record_inputs(book.files)
        tables = stage_tables(beside.folder, result.tables, beside.written)
    to_publish = RunToPublish(
        loaded,
        options,
        tables,
        result.notes,
        result.seconds,
        KeptFiles(staged, records),
        result.n_lines,
    )
    return to_publish, result, inputs


def _activity_for(run: Path, threads: int) -> Activity:
    """The activity that a run keeps; raises InputRejected (run-not-kept)."""
    try:
        return load_activity(run / KEPT, threads)
    except READ_ERRORS as error:
        raise not_kept(run, f"its activity: {error}") from None


def _measure_faults(run: Path, loaded: LoadedModel, activity: Activity | None) -> list[Fault]:
    """Charges that the model measures by and the lines did not have."""
    is_by_income = loaded.model.service_items.method == "income"
    if activity is None or activity.matrix.has_charge or not is_by_income:
        return []
    what = f"The lines of {quote(run.name)} have no column charge, by which the model measures."
    return [Fault("measure-missing", what, (loaded.place("service_items.method"),))]


def _stage_book(kept: Path, staged: Path, replaced: Mapping[str, Path]) -> None:
    """The kept files, other files in the place of the tables replaced."""
    _link_all(kept, staged)
    for table, file in replaced.items():
        (staged / f"{table}.parquet").unlink(missing_ok=True)
        if (staged / table).is_dir():
            shutil.rmtree(staged / table)
        if file.is_dir():
            shutil.copytree(file, staged / table)
        else:
            shutil.copyfile(file, staged / f"{table}.parquet")


def _link_all(source: Path, target: Path) -> list[Path]:
    """The same files under another folder, without a copy where the file system can; the links."""
    linked = []
    target.mkdir(parents=True)
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(exist_ok=True)
        else:
            try:
                os.link(path, place)
                linked.append(place)
            except OSError:
                shutil.copyfile(path, place)
    return linked
