"""What-if: a published run costed again under other costs or rules, its activity unchanged.

The lines are not looked at: the run kept them as an activity matrix. Ledger, drivers, weights,
prices and the model may change; what the activity is counted in (units, departments, items,
cases) may not.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa

from medcost.allocation_model import LoadedModel, load_model
from medcost.book import open_book
from medcost.checkpoints import TABLES
from medcost.closed_periods import find_changes
from medcost.comparison import Moved, compare_level, comparison_of, tables_compared
from medcost.costing.activity import Activity
from medcost.errors import Fault, InputRejected, named_errors, quote
from medcost.kept import load_activity, record_kept
from medcost.kept_run import kept_as_written, kept_manifest, not_kept
from medcost.manifest import FileRecord, RunOptions, record_inputs
from medcost.month_end import MakeTable, PeriodResult, cost_activity, needs_lines, table_faults
from medcost.output_folder import ACTIVITY, BOOK, KEPT, MODEL, OutputFolder
from medcost.parquet_input import READ_ERRORS
from medcost.period_book import read_period
from medcost.publish import KeptFiles, PublishedRun, RunToPublish, publish
from medcost.records import dataclass
from medcost.run_folders import read_run_tables
from medcost.staged_tables import TablesBeside, stage_tables, writing_threads

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
        linked = _stage_book(kept / BOOK, staged / BOOK, replaced)
    book = open_book(staged / BOOK, through, has_lines=False)
    period_book = read_period(book, period, units)
    activity = _activity_for(run, threads) if needs_lines(loaded, through) else None
    faults = list(table_faults(book, [period], units, loaded, through))
    faults += _measure_faults(run, loaded, activity)
    if faults:
        raise InputRejected(faults)
    options = RunOptions(period, tuple(units), through, manifest["run"])
    # Tables are written and compared while later ones are computed.
    with writing_threads() as writer:
        original = writer.submit(read_run_tables, run, manifest, tables_compared())
        keeping = writer.submit(_keep, kept, staged, manifest, loaded, linked, activity is not None)
        recording = writer.submit(record_inputs, book.files)
        beside = TablesBeside(writer, staged.parent / TABLES)
        comparing = _Comparing(beside, writer, original)
        result = cost_activity(
            book, period_book, loaded, activity, through, {}, comparing.make_table
        )
        comparison = comparing.comparison(result.tables)
        result.tables["comparison"] = comparison
        beside.make_table("comparison", lambda: comparison)
        with named_errors(staging):
            records, inputs = keeping.result(), recording.result()
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


class _Comparing:
    """Tables made beside the stages, each compared with the original run's once it is there."""

    def __init__(
        self,
        beside: TablesBeside,
        writer: ThreadPoolExecutor,
        original: Future[dict[str, pa.Table]],
    ) -> None:
        self._beside, self._writer, self._original = beside, writer, original
        self._moved: dict[str, Future[Moved | None]] = {}

    def make_table(self, name: str, make: MakeTable) -> MakeTable:
        """Begin to make a table, to write it and to compare it."""
        made = self._beside.make_table(name, make)
        if name in tables_compared():
            self._moved[name] = self._writer.submit(self._compare, name, made)
        return made

    def _compare(self, name: str, made: MakeTable) -> Moved | None:
        """None where the original run has no such table."""
        original = self._original.result()
        return compare_level(name, original[name], made()) if name in original else None

    def comparison(self, tables: Mapping[str, pa.Table]) -> pa.Table:
        """out_comparison of all tables that were made."""
        found = [self._moved[name].result() for name in tables_compared() if name in self._moved]
        return comparison_of([moved for moved in found if moved is not None], tables)


def _keep(
    kept: Path,
    staged: Path,
    manifest: Mapping[str, Any],
    loaded: LoadedModel,
    linked: Sequence[Path],
    has_activity: bool,
) -> tuple[FileRecord, ...]:
    """Keep what the what-if was made of; linked: what of its book are links already."""
    (staged / MODEL).write_bytes(loaded.content)
    activity = _link_all(kept / ACTIVITY, staged / ACTIVITY) if has_activity else []
    names = {path.relative_to(staged.parent).as_posix() for path in (*linked, *activity)}
    known = {one["name"]: one["sha256"] for one in manifest["kept"] if one["name"] in names}
    return record_kept(staged, known)


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


def _stage_book(kept: Path, staged: Path, replaced: Mapping[str, Path]) -> list[Path]:
    """The kept files, other files in the place of the tables replaced; those that are links."""
    linked = _link_all(kept, staged)
    for table, file in replaced.items():
        (staged / f"{table}.parquet").unlink(missing_ok=True)
        if (staged / table).is_dir():
            shutil.rmtree(staged / table)
        if file.is_dir():
            shutil.copytree(file, staged / table)
        else:
            shutil.copyfile(file, staged / f"{table}.parquet")
    return [path for path in linked if not _is_of(path.relative_to(staged), replaced)]


def _is_of(path: Path, replaced: Mapping[str, Path]) -> bool:
    """Whether a file of the book is one of a table that was replaced."""
    return path.parts[0].removesuffix(".parquet") in replaced


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
