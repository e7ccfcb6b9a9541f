"""The batch of a month end: every period costed or gone on with, then all published together."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from medcost.allocation_model import LoadedModel
from medcost.book import Book
from medcost.checkpoints import (
    ACTIVITY_READ,
    COSTED,
    TABLES,
    Checkpoint,
    Keys,
    adopt,
    checkpoint_keys,
    keep_finished,
    remove_outdated,
    write_checkpoint,
)
from medcost.checks.tables import find_missing_selection
from medcost.closed_periods import find_changes
from medcost.costing.activity import Activity
from medcost.errors import Fault, InputRejected, count_of, named_errors, quote
from medcost.file_hashes import file_sha256
from medcost.kept import has_activity, keep_activity, keep_book, load_activity, record_kept
from medcost.lines_ahead import LinesAhead
from medcost.manifest import FileRecord, RunOptions, record_inputs
from medcost.month_end import (
    BatchOptions,
    KnownLines,
    LookOn,
    PeriodResult,
    Progress,
    cost_activity,
    cost_period,
    distinct_faults,
    last_stage,
    timed,
    with_known_cases,
)
from medcost.output_folder import KEPT, OutputFolder, activity_folder, period_folder
from medcost.parquet_input import READ_ERRORS
from medcost.period_book import read_period
from medcost.publish import KeptFiles, PublishedRun, RunToPublish, Signer, publish
from medcost.records import dataclass
from medcost.run_folders import published_runs, read_tables
from medcost.staged_tables import (
    StagedTables,
    TablesBeside,
    add_tables,
    stage_tables,
    writing_threads,
)

LOG = logging.getLogger("medcost")


@dataclass(frozen=True)
class Publication:
    """How the runs are published: why figures of closed periods may change, and who signs."""

    restate: str | None = None
    signer: Signer | None = None


UNSIGNED = Publication()


def run_month_end(
    book: Book,
    loaded: LoadedModel,
    periods: Sequence[str],
    options: BatchOptions,
    held: OutputFolder,
    progress: Progress | None = None,
    publication: Publication = UNSIGNED,
    sha256: Callable[[Path], str] = file_sha256,
    ahead: LinesAhead | None = None,
) -> list[tuple[PeriodResult, PublishedRun]]:
    """Cost every period alone and publish them together: all, or none.

    Of a stopped run's leftovers in held, what is of the same book, model and options is taken
    instead of being computed. sha256: of a file of the book, which may know some already; ahead:
    the lines of the first period, which are being read for the same options. Raises InputRejected
    with the faults of all periods, InvariantBroken or CannotPublish.
    """
    if not periods:
        raise InputRejected([*book.faults, *find_missing_selection(book, periods, options.units)])
    begun = time.perf_counter()
    costed: list[_Costed] = []
    faults: list[Fault] = []
    # What goes in and what is kept is hashed and synced, and what comes out written, while the
    # stages compute.
    recorder, writer = ThreadPoolExecutor(1), writing_threads()
    try:

        @cache
        def inputs() -> Future[tuple[FileRecord, ...]]:
            return recorder.submit(record_inputs, book.files, sha256)

        batch = _Batch(book, loaded, options, held, recorder, writer, inputs, progress)
        aheads = {periods[0]: ahead}
        for period in periods:
            LOG.info("%s", period, extra={"fields": {"event": "period", "period": period}})
            try:
                costed.append(_cost_or_resume(batch, period, aheads.get(period)))
            except InputRejected as rejected:
                faults += rejected.faults
        if faults:
            raise InputRejected(distinct_faults(faults))
        if "budget" in book.tables:
            costed = _with_variances(batch, costed)
        recorded = _recorded(book, inputs())
        runs = [_to_publish(one, options, loaded, held.staging) for one in costed]
        changes = find_changes(held.path, runs, publication.restate)
        placed = publish(held, runs, recorded, changes.restatements, publication.signer)
    except InputRejected:
        if held.is_kept:
            # What was finished before the fault was found is noted for the next run.
            recorder.shutdown()
            keep_finished(held, options.units)
        raise
    finally:
        for pool in (writer, recorder):
            pool.shutdown(cancel_futures=True)
    remove_outdated(held, periods, options.units)
    results = [one.result for one in costed]
    notes = [(result.period, note) for result in results for note in result.notes]
    for period, note in (*notes, *changes.notes):
        LOG.warning("%s: %s", period, note, extra={"fields": {"event": "note", "period": period}})
    done = list(zip(results, placed, strict=True))
    _log_summary(done, time.perf_counter() - begun)
    return done


def summary_of(done: Sequence[tuple[PeriodResult, PublishedRun]]) -> str:
    """One line on what a batch has done: 'done: 1 month, 5 units, 79,485 service lines, 1 new'."""
    units = {unit for result, _ in done for unit in result.units}
    n_lines = sum(result.n_lines for result, _ in done)
    lines = f", {count_of(n_lines, 'service line')}" if n_lines else ""
    n_new = sum(place.is_new for _, place in done)
    return (
        f"done: {count_of(len(done), 'month')}, {count_of(len(units), 'unit')}{lines}, "
        f"{n_new} published, {len(done) - n_new} already there"
    )


def _log_summary(done: Sequence[tuple[PeriodResult, PublishedRun]], seconds: float) -> None:
    for result, place in done:
        fields = {
            "event": "published",
            "period": result.period,
            "run": place.folder.name,
            "new": place.is_new,
            "rows": result.n_lines,
        }
        LOG.info("%s: %s", result.period, place.folder.name, extra={"fields": fields})
    ended = {"event": "summary", "verdict": "published", "exit_code": 0}
    LOG.info(summary_of(done), extra={"fields": {**ended, "seconds": round(seconds, 3)}})


@dataclass(frozen=True)
class _Batch:
    """What every period of a month end has in common.

    inputs: begins to record the book's files, once, and says when they are.
    """

    book: Book
    loaded: LoadedModel
    options: BatchOptions
    held: OutputFolder
    recorder: ThreadPoolExecutor
    writer: ThreadPoolExecutor
    inputs: Callable[[], Future[tuple[FileRecord, ...]]]
    progress: Progress | None


@dataclass(frozen=True)
class _Costed:
    """A period's result and its staged tables, the folder of what it keeps and what is in it.

    resumed: the stages that a stopped run had finished; budget_control: the record of the policy
    of its variances.
    """

    result: PeriodResult
    tables: StagedTables
    kept: Path
    records: Future[tuple[FileRecord, ...]] | None
    resumed: tuple[str, ...] = ()
    budget_control: dict[str, object] | None = None


def _recorded(book: Book, inputs: Future[tuple[FileRecord, ...]]) -> tuple[FileRecord, ...]:
    try:
        return inputs.result()
    except READ_ERRORS as error:
        what = f"A file of the book went away while it was read: {error}."
        where = (quote(str(book.folder)),)
        raise InputRejected([Fault("file-unreadable", what, where)]) from None


def _cost_or_resume(batch: _Batch, period: str, ahead: LinesAhead | None) -> _Costed:
    """Go on from what a stopped run has finished of the period, else cost it from its start."""
    if not batch.held.leftovers:
        return _cost_and_keep(batch, period, ahead=ahead)
    records = _recorded(batch.book, batch.inputs())
    keys = _keys(batch, period, records)
    found = adopt(batch.held, period, keys)
    if found is None:
        return _cost_and_keep(batch, period)
    if found.key != keys.whole:
        LOG.warning("%s: goes on from a stopped run of other tables: %s", period, found.stage)
        return _cost_and_keep(batch, period, found)
    LOG.warning("%s: goes on from a stopped run: %s", period, found.stage)
    if found.stage == COSTED:
        return _costed_before(batch, period, found)
    return _cost_from_kept(batch, period, found)


def _keys(batch: _Batch, period: str, inputs: Sequence[FileRecord]) -> Keys:
    options, months = batch.options, batch.book.periods
    return checkpoint_keys(
        inputs, batch.loaded, period, options.through, options.units, options.keep, months
    )


def _cost_and_keep(
    batch: _Batch, period: str, found: Checkpoint | None = None, ahead: LinesAhead | None = None
) -> _Costed:
    """Cost one period; its activity goes to the staging folder while it is read.

    found: the activity that is there already, of a run whose other tables were not these; ahead:
    the lines that are being read into the same folder.
    """
    book, loaded, options, staging = batch.book, batch.loaded, batch.options, batch.held.staging
    kept = period_folder(staging, period) / KEPT
    parts_in = activity_folder(staging, period)
    with named_errors(staging):
        parts_in.mkdir(parents=True, exist_ok=True)
    records: list[Future[tuple[FileRecord, ...]]] = []
    tables = TablesBeside(batch.writer, period_folder(staging, period) / TABLES)
    seconds: dict[str, float] = {}

    def keep(activity: Activity | None, seconds_so_far: dict[str, float]) -> tuple[FileRecord, ...]:
        keep_book(book, loaded, kept)
        if activity is not None and found is None:
            keep_activity(activity, kept)
        recorded = record_kept(kept)
        _keep_checkpoint(batch, period, ACTIVITY_READ, seconds_so_far, recorded)
        return recorded

    def lines_read(activity: Activity | None) -> None:
        batch.inputs()
        if options.keep:
            records.append(batch.recorder.submit(keep, activity, dict(seconds)))

    def found_activity(found: Checkpoint) -> tuple[Activity, float]:
        with named_errors(staging):
            return load_activity(kept, options.threads), found.seconds[ACTIVITY_READ]

    known = None
    if found is not None:
        period_book = read_period(book, period, options.units)
        known = KnownLines(period_book, partial(found_activity, found))
    elif ahead is not None:
        known = KnownLines(ahead.period_book, ahead.activity)
    look_on = LookOn(lines_read, tables.make_table)
    result = cost_period(
        book,
        loaded,
        period,
        options,
        batch.progress,
        parts_in,
        look_on,
        seconds,
        known,
    )
    resumed = tuple(found.seconds) if found is not None else ()
    return _stage(batch, result, tables, kept, records[0] if records else None, resumed)


def _cost_from_kept(batch: _Batch, period: str, found: Checkpoint) -> _Costed:
    """Cost a period whose lines a stopped run has read, without a look at them."""
    book, options, staging = batch.book, batch.options, batch.held.staging
    kept = period_folder(staging, period) / KEPT
    seconds = dict(found.seconds)
    period_book = read_period(book, period, options.units)
    activity = None
    if has_activity(kept):
        period_book = with_known_cases(book, period_book)
        with named_errors(staging):
            activity = load_activity(kept, options.threads)
    tables = TablesBeside(batch.writer, period_folder(staging, period) / TABLES)
    result = cost_activity(
        book, period_book, batch.loaded, activity, options.through, seconds, tables.make_table
    )
    records = batch.recorder.submit(record_kept, kept)
    return _stage(batch, result, tables, kept, records, tuple(found.seconds))


def _costed_before(batch: _Batch, period: str, found: Checkpoint) -> _Costed:
    """A period that a stopped run has costed: its tables as they are on disk."""
    folder = period_folder(batch.held.staging, period)
    costed = found.costed
    tables = StagedTables(folder / TABLES, found.outputs, costed["totals"])
    with named_errors(folder):
        read = read_tables(tables.folder, [record.name for record in tables.outputs])
    result = PeriodResult(
        period,
        tuple(costed["units"]),
        read,
        costed["n_lines"],
        tuple(costed["notes"]),
        dict(found.seconds),
    )
    kept, records = folder / KEPT, None
    if found.kept is not None:
        records = batch.recorder.submit(record_kept, kept)
    return _Costed(result, tables, kept, records, tuple(found.seconds))


def _stage(
    batch: _Batch,
    result: PeriodResult,
    beside: TablesBeside,
    kept: Path,
    records: Future[tuple[FileRecord, ...]] | None,
    resumed: tuple[str, ...] = (),
) -> _Costed:
    """Write a period's tables to staging, and have it noted that they are there."""
    with timed("tables", result.seconds):
        tables = stage_tables(beside.folder, result.tables, beside.written)

    seconds = dict(result.seconds)

    def note() -> None:
        costed = {
            "units": result.units,
            "n_lines": result.n_lines,
            "notes": result.notes,
            "totals": tables.totals,
        }
        recorded = records.result() if records is not None else None
        _keep_checkpoint(batch, result.period, COSTED, seconds, recorded, tables.outputs, costed)

    batch.recorder.submit(note)
    return _Costed(result, tables, kept, records, resumed)


def _keep_checkpoint(
    batch: _Batch,
    period: str,
    stage: str,
    seconds: Mapping[str, float],
    kept: tuple[FileRecord, ...] | None,
    outputs: tuple[FileRecord, ...] = (),
    costed: Mapping[str, Any] | None = None,
) -> None:
    """Note a finished stage; runs in the recorder, behind the records of the inputs."""
    inputs = batch.inputs()
    if inputs.exception() is None:
        keys = _keys(batch, period, inputs.result())
        units = batch.options.units
        write_checkpoint(
            period_folder(batch.held.staging, period),
            Checkpoint(*keys, period, units, stage, seconds, kept, outputs, costed or {}),
        )


def _with_variances(batch: _Batch, costed: list[_Costed]) -> list[_Costed]:
    """Every period with its variances; earlier months are those of the batch, else published.

    A period of which the budget has no row stays as it is, with a note. Raises InputRejected.
    """
    from medcost.comparisons import months_needed
    from medcost.variance.control import load_control
    from medcost.variance.months import read_months, with_run
    from medcost.variance.stage import month_variance, units_of_period

    book, control = batch.book, batch.options.control or load_control()
    budget = book.tables["budget"]
    costed_now = {one.result.period: one.result for one in costed}
    runs, found, faults = published_runs(batch.held.path), [], list[Fault]()
    everyone = [(frozenset(book.registers.unit_ids), book)]
    for one in costed:
        result = one.result
        if not units_of_period(budget, result.period) & set(result.units):
            note = f"no variance: the budget has no row of {result.period}"
            found.append(replace(one, result=replace(result, notes=(*result.notes, note))))
            continue
        needed = months_needed(result.period)
        try:
            with timed("variance", result.seconds):
                published, of_months = read_months(runs, result.period, needed)
                months = dict(published)
                for period in {*needed, result.period} & costed_now.keys():
                    mine = costed_now[period]
                    months[period] = with_run(months.get(period), period, mine.units, mine.tables)
                variance = month_variance(
                    everyone, budget, control, months, result.period, result.units
                )
        except InputRejected as rejected:
            faults += rejected.faults
            continue
        notes = (*result.notes, *of_months, *variance.notes)
        tables = result.tables | variance.tables
        with_variance = replace(result, tables=tables, notes=notes)
        staged = add_tables(one.tables, variance.tables)
        policy = control.record()
        found.append(replace(one, result=with_variance, tables=staged, budget_control=policy))
    if faults:
        raise InputRejected(distinct_faults(faults))
    return found


def _to_publish(
    costed: _Costed, options: BatchOptions, loaded: LoadedModel, staging: Path
) -> RunToPublish:
    result, kept = costed.result, None
    if costed.records is not None:
        with named_errors(staging):
            kept = KeptFiles(costed.kept, costed.records.result())
    return RunToPublish(
        loaded,
        RunOptions(result.period, result.units, options.through),
        costed.tables,
        result.notes,
        result.seconds,
        kept,
        result.n_lines,
        is_complete=options.through == last_stage(loaded),
        resumed=costed.resumed,
        budget_control=costed.budget_control,
    )
