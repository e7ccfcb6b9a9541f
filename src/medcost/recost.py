"""What-if: a published run costed again under other costs or rules, its activity unchanged.

The lines are not looked at: the run kept them as an activity matrix. Ledger, drivers, weights,
prices and the model may change; what the activity is counted in (units, departments, items,
cases) may not.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa

from medcost.allocation_model import load_model
from medcost.book import open_book
from medcost.checkpoints import TABLES
from medcost.closed_periods import find_restatements
from medcost.comparison import compare_tables, tables_compared
from medcost.errors import Fault, InputRejected, named_errors, quote
from medcost.kept import ACTIVITY, BOOK, KEPT, MODEL, load_activity, record_kept
from medcost.kept_run import kept_manifest, not_kept
from medcost.manifest import RunOptions, record_inputs
from medcost.month_end import PeriodResult, cost_activity, needs_lines, table_faults
from medcost.output_folder import OutputFolder
from medcost.parquet_input import READ_ERRORS
from medcost.period_book import read_period
from medcost.publish import (
    EncodedTables,
    KeptFiles,
    PublishedRun,
    RunToPublish,
    publish,
    read_run_tables,
    stage_tables,
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
    manifest, kept = kept_manifest(run, "its book and activity", threads), run / KEPT
    through, period, units = manifest["through"], manifest["period"], manifest["units"]
    staging = held.staging
    loaded = load_model(model or str(kept / MODEL), through)
    staged = staging / "what-if" / KEPT
    with named_errors(staging):
        _stage_book(kept / BOOK, staged / BOOK, replaced or {})
    book = open_book(staged / BOOK, through, has_lines=False)
    period_book = read_period(book, period, units)
    activity = None
    try:
        if needs_lines(loaded, through):
            activity = load_activity(kept, threads)
    except READ_ERRORS as error:
        raise not_kept(run, f"its activity: {error}") from None
    faults = list(table_faults(book, [period], units, loaded, through))
    if (
        activity
        and loaded.model.service_items.method == "income"
        and not activity.matrix.has_charge
    ):
        what = f"The lines of {quote(run.name)} have no column charge, by which the model measures."
        faults.append(Fault("measure-missing", what, (loaded.place("service_items.method"),)))
    if faults:
        raise InputRejected(faults)
    # Tables are encoded while later ones are computed and all are compared.
    with ThreadPoolExecutor(1) as encoder:
        encoded = EncodedTables(encoder)
        result = cost_activity(book, period_book, loaded, activity, through, {}, encoded.table_made)
        original = read_run_tables(run, manifest, tables_compared())
        comparison = compare_tables(original, result.tables)
        result.tables["comparison"] = comparison
        encoded.table_made("comparison", comparison)
    with named_errors(staging):
        (staged / MODEL).write_bytes(loaded.content)
        if activity is not None:
            _link_all(kept / ACTIVITY, staged / ACTIVITY)
        known = {record["name"]: record["sha256"] for record in manifest.get("kept", ())}
        activity_only = {name: sha for name, sha in known.items() if f"/{ACTIVITY}/" in name}
        records = record_kept(staged, activity_only)
        inputs = record_inputs(book.files)
    options = RunOptions(period, tuple(units), through, manifest["run"])
    tables = stage_tables(staged.parent / TABLES, result.tables, encoded.tables)
    to_publish = RunToPublish(
        loaded,
        options,
        tables,
        result.notes,
        result.seconds,
        KeptFiles(staged, records),
        result.n_lines,
    )
    find_restatements(held.path, [to_publish], None)
    place = publish(held, [to_publish], inputs)[0]
    return Recosted(result, place, run, comparison)


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


def _link_all(source: Path, target: Path) -> None:
    """The same files under another folder, without a copy where the file system can."""
    target.mkdir(parents=True)
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(exist_ok=True)
        else:
            try:
                os.link(path, place)
            except OSError:
                shutil.copyfile(path, place)
