"""The month end: the one place that calls the checks and the stages, in order."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import field, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from medcost import result_tables
from medcost.allocation_model import LoadedModel
from medcost.book import Book, find_empty_lines, is_period
from medcost.checks.findings import faults_of
from medcost.checks.tables import check_tables, find_missing_selection
from medcost.costing.activity import Activity, read_activity, with_cases_of_lines
from medcost.costing.cases import CaseCosts, cost_cases
from medcost.costing.departments import DepartmentCosts, cost_departments
from medcost.costing.drg_groups import cost_drg_groups, price_cases
from medcost.costing.reconciliation import reconcile
from medcost.costing.service_items import ServiceItemCosts, cost_service_items
from medcost.errors import (
    Fault,
    InputRejected,
    InvariantBroken,
    count_of,
    named_errors,
    quote,
)
from medcost.file_hashes import file_sha256
from medcost.kept import ACTIVITY, KEPT, keep_activity, keep_book, record_kept
from medcost.manifest import FileRecord, RunOptions, record_inputs
from medcost.parquet_input import READ_ERRORS, row_count
from medcost.period_book import PeriodBook, read_period
from medcost.publish import (
    EncodedTable,
    KeptFiles,
    PublishedRun,
    RunToPublish,
    encode_table,
    publish,
    published_runs,
)
from medcost.records import dataclass
from medcost.tables import CLASSES

if TYPE_CHECKING:
    from medcost.variance.control import LoadedControl

LOG = logging.getLogger("medcost")
FOUNDATION = ("units", "departments", "ledger", "drivers")
Progress = Callable[[int], None]


@dataclass(frozen=True)
class PeriodResult:
    """One period costed: its result tables by name without out_, and what happened."""

    period: str
    units: tuple[str, ...]
    tables: dict[str, pa.Table]
    n_lines: int
    notes: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class BatchOptions:
    """What is costed and how far, and what the batch may use; only the first two change results.

    units: None for all; memory: bytes; keep: whether runs keep what recost and explain need;
    control: by which policy a budget is held against the cost, None for the one that ships.
    """

    units: tuple[str, ...] | None = None
    through: str = "cases"
    threads: int = 1
    memory: int | None = None
    keep: bool = True
    control: LoadedControl | None = None


EVERYTHING = BatchOptions()


def _ignore(*_: object) -> None:
    """Nobody looks on."""


TableMade = Callable[[str, pa.Table], object]


class LookOn(NamedTuple):
    """What is told to whoever has something to do beside the stages.

    part_written: a part of the activity matrix is in its file; lines_read: the lines have been
    read and have no fault; table_made: a result table is there.
    """

    part_written: Callable[[Path], object] = _ignore
    lines_read: Callable[[Activity | None], object] = _ignore
    table_made: TableMade = _ignore


NOBODY = LookOn()


@contextmanager
def _timed(stage: str, seconds: dict[str, float]) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    seconds[stage] = round(time.perf_counter() - begun, 3)
    LOG.info("%s: %.2f s", stage, seconds[stage])


def last_stage(loaded: LoadedModel) -> str:
    """The last stage that the model has methods for."""
    if loaded.model.service_items.method is None:
        return "departments"
    return "service-items" if loaded.model.cases.method is None else "cases"


def line_count(book: Book) -> int:
    """Service lines in the book, by its files' footers."""
    try:
        return sum(row_count(source) for source in book.lines)
    except READ_ERRORS:
        # The checks report the file.
        return 0


def needs_lines(loaded: LoadedModel, through: str) -> bool:
    """Whether the run looks at the service lines."""
    level_3 = loaded.model.departments.medtech_to_clinical
    by_lines = level_3 is not None and level_3.basis != "driver"
    return through != "departments" or by_lines


def periods_of_book(book: Book) -> list[str]:
    """Every well-formed month of the ledger, sorted."""
    if "ledger" not in book.tables:
        return []
    return [p for p in book.tables["ledger"].labels("period") if is_period(p)]


def check_book(
    book: Book,
    periods: Sequence[str],
    units: Sequence[str] | None = None,
    loaded: LoadedModel | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> list[Fault]:
    """Every fault of the book for the periods and units; with a model, also of its allocation."""
    faults = list(table_faults(book, periods, units, loaded, last_stage(loaded) if loaded else ""))
    for period in periods:
        period_book = read_period(book, period, units)
        activity = None
        if _can_read_lines(book):
            period_book = _with_known_cases(book, period_book)
            activity = read_activity(book, period_book, threads, progress)
            faults += _line_faults(activity)
        if loaded is not None and _is_founded(book):
            faults += _costing_faults(book, period_book, loaded, activity, last_stage(loaded))
    return _distinct(faults)


def cost_period(
    book: Book,
    loaded: LoadedModel,
    period: str,
    options: BatchOptions = EVERYTHING,
    progress: Progress | None = None,
    parts_in: Path | None = None,
    look_on: LookOn = NOBODY,
) -> PeriodResult:
    """Check and cost one period. Raises InputRejected with all faults, or InvariantBroken.

    parts_in: a folder for the parts of the activity matrix, else they stay in memory.
    """
    units, through = options.units, options.through
    seconds: dict[str, float] = {}
    with _timed("check", seconds):
        faults = list(table_faults(book, [period], units, loaded, through, options.control))
        if needs_lines(loaded, through):
            faults += find_empty_lines(book.lines)
        if not _is_founded(book):
            raise InputRejected(faults)
        period_book = read_period(book, period, units)
    activity = None
    if needs_lines(loaded, through) and _can_read_lines(book):
        with _timed("activity", seconds):
            period_book = _with_known_cases(book, period_book)
            activity = read_activity(
                book,
                period_book,
                options.threads,
                progress,
                parts_in,
                options.memory,
                look_on.part_written,
            )
            faults += _line_faults(activity)
    if faults:
        faults += _costing_faults(book, period_book, loaded, activity, through)
        raise InputRejected(_distinct(faults))
    look_on.lines_read(activity)
    return cost_activity(book, period_book, loaded, activity, through, seconds, look_on.table_made)


def cost_activity(
    book: Book,
    period_book: PeriodBook,
    loaded: LoadedModel,
    activity: Activity | None,
    through: str,
    seconds: dict[str, float],
    table_made: TableMade = _ignore,
) -> PeriodResult:
    """Cost a period whose activity is known. Raises InputRejected or InvariantBroken.

    table_made is told each result table by its name as soon as it is there.
    """
    tables, notes = _cost_stages(book, period_book, loaded, activity, through, seconds, table_made)
    chosen = tuple(
        unit for unit, on in zip(book.registers.unit_ids, period_book.selected, strict=True) if on
    )
    n_lines = activity.matrix.n_lines if activity else 0
    return PeriodResult(period_book.period, chosen, tables, n_lines, notes, seconds)


def run_month_end(
    book: Book,
    loaded: LoadedModel,
    periods: Sequence[str],
    options: BatchOptions,
    out: Path,
    staging: Path,
    progress: Progress | None = None,
    sha256: Callable[[Path], str] = file_sha256,
) -> list[tuple[PeriodResult, PublishedRun]]:
    """Cost every period alone and publish them together: all, or none.

    sha256: of a file of the book, which may know some already. Raises InputRejected with the
    faults of all periods, InvariantBroken or CannotPublish.
    """
    if not periods:
        raise InputRejected([*book.faults, *find_missing_selection(book, periods, options.units)])
    costed: list[_Costed] = []
    faults: list[Fault] = []
    # What goes in and what is kept is hashed and synced, and what comes out encoded, while the
    # stages compute.
    with ThreadPoolExecutor(1) as recorder, ThreadPoolExecutor(1) as encoder:

        @cache
        def inputs() -> Future[tuple[FileRecord, ...]]:
            return recorder.submit(record_inputs, book.files, sha256)

        for period in periods:
            try:
                costed.append(
                    _cost_and_keep(
                        book, loaded, period, options, staging, recorder, encoder, inputs, progress
                    )
                )
            except InputRejected as rejected:
                faults += rejected.faults
        if faults:
            raise InputRejected(_distinct(faults))
        if "budget" in book.tables:
            costed = _with_variances(book, costed, options, out)
        runs = [_to_publish(one, options, staging) for one in costed]
        try:
            recorded = inputs().result()
        except READ_ERRORS as error:
            what = f"A file of the book went away while it was read: {error}."
            where = (quote(str(book.folder)),)
            raise InputRejected([Fault("file-unreadable", what, where)]) from None
        placed = publish(out, staging, loaded, runs, recorded)
    results = [one.result for one in costed]
    for result in results:
        for note in result.notes:
            LOG.warning("%s: %s", result.period, note)
    return list(zip(results, placed, strict=True))


@dataclass(frozen=True)
class _Costed:
    """A period's result, the folder of what it keeps and, when it is known, what is in it.

    encoded: result tables by name, as far as they are being encoded.
    """

    result: PeriodResult
    kept: Path
    records: Future[tuple[FileRecord, ...]] | None
    encoded: dict[str, Future[EncodedTable]]


def _cost_and_keep(
    book: Book,
    loaded: LoadedModel,
    period: str,
    options: BatchOptions,
    staging: Path,
    recorder: ThreadPoolExecutor,
    encoder: ThreadPoolExecutor,
    inputs: Callable[[], object],
    progress: Progress | None,
) -> _Costed:
    """Cost one period; its activity goes to the staging folder while it is read."""
    kept = staging / f"of-{period}" / KEPT
    with named_errors(staging):
        (kept / ACTIVITY).mkdir(parents=True)
    records: list[Future[tuple[FileRecord, ...]]] = []
    encoded: dict[str, Future[EncodedTable]] = {}

    def table_made(name: str, table: pa.Table) -> None:
        encoded[name] = encoder.submit(encode_table, table)

    def lines_read(activity: Activity | None) -> None:
        inputs()
        if options.keep:
            with named_errors(staging):
                keep_book(book, loaded, kept)
                if activity is not None:
                    keep_activity(activity, kept)
            records.append(recorder.submit(record_kept, kept))

    look_on = LookOn(_ignore, lines_read, table_made)
    result = cost_period(book, loaded, period, options, progress, kept / ACTIVITY, look_on)
    return _Costed(result, kept, records[0] if records else None, encoded)


def _with_variances(
    book: Book, costed: list[_Costed], options: BatchOptions, out: Path
) -> list[_Costed]:
    """Every period with its variances; earlier months are those of the batch, else published.

    A period of which the budget has no row stays as it is, with a note. Raises InputRejected.
    """
    from medcost.variance.control import load_control
    from medcost.variance.months import read_months, with_run
    from medcost.variance.stage import month_variance, months_needed, units_of_period

    control, budget = options.control or load_control(), book.tables["budget"]
    batch = {one.result.period: one.result for one in costed}
    runs, found, faults = published_runs(out), [], list[Fault]()
    everyone = [(frozenset(book.registers.unit_ids), book)]
    for one in costed:
        result = one.result
        if not units_of_period(budget, result.period) & set(result.units):
            note = f"no variance: the budget has no row of {result.period}"
            found.append(replace(one, result=replace(result, notes=(*result.notes, note))))
            continue
        needed = months_needed(result.period)
        try:
            with _timed("variance", result.seconds):
                published, of_months = read_months(runs, result.period, needed)
                months = dict(published)
                for period in {*needed, result.period} & batch.keys():
                    mine = batch[period]
                    months[period] = with_run(months.get(period), period, mine.units, mine.tables)
                variance = month_variance(
                    everyone, budget, control, months, result.period, result.units
                )
        except InputRejected as rejected:
            faults += rejected.faults
            continue
        tables = result.tables | variance.tables
        notes = (*result.notes, *of_months, *variance.notes)
        found.append(replace(one, result=replace(result, tables=tables, notes=notes)))
    if faults:
        raise InputRejected(_distinct(faults))
    return found


def _to_publish(costed: _Costed, options: BatchOptions, staging: Path) -> RunToPublish:
    result, kept = costed.result, None
    if costed.records is not None:
        with named_errors(staging):
            kept = KeptFiles(costed.kept, costed.records.result())
    what = RunOptions(result.period, result.units, options.through)
    return RunToPublish(what, result.tables, result.notes, result.seconds, kept, costed.encoded)


def _is_founded(book: Book) -> bool:
    """Whether the tables without which nothing can be looked at were read."""
    return all(name in book.tables for name in FOUNDATION)


def _can_read_lines(book: Book) -> bool:
    """Whether there are lines, and the tables that give their labels a meaning."""
    return bool(book.lines) and _is_founded(book) and "service_items" in book.tables


def table_faults(
    book: Book,
    periods: Sequence[str],
    units: Sequence[str] | None,
    loaded: LoadedModel | None,
    through: str,
    control: LoadedControl | None = None,
) -> Iterator[Fault]:
    """Faults of the tables read, for the periods and units chosen."""
    yield from book.faults
    yield from find_missing_selection(book, periods, units)
    allowed = loaded is None or loaded.model.departments.negative_statistics == "allow"
    yield from check_tables(book, periods, units, allowed, _budget_tolerance(book, control))
    if loaded is not None and through != "departments":
        yield from _measure_faults(book, loaded)


def _budget_tolerance(book: Book, control: LoadedControl | None) -> Fraction:
    """By what share of a budget its standards may differ from it."""
    if "budget" not in book.tables:
        return Fraction(1)
    from medcost.variance.control import exact, load_control

    return exact((control or load_control()).policy.standards.tolerance)


def _measure_faults(book: Book, loaded: LoadedModel) -> Iterator[Fault]:
    """Files of lines without the column of charges that the model measures by."""
    if loaded.model.service_items.method != "income":
        return
    for source, columns in zip(book.lines, book.line_columns, strict=True):
        if columns and "charge" not in columns:
            what = f"{quote(source.label)} has no column charge, by which the model measures."
            yield Fault("measure-missing", what, (loaded.place("service_items.method"),))


def _with_known_cases(book: Book, period_book: PeriodBook) -> PeriodBook:
    """Without a table cases, the cases are those that the lines name."""
    if "cases" in book.tables:
        return period_book
    return with_cases_of_lines(book, period_book)


def _line_faults(activity: Activity) -> list[Fault]:
    faults = faults_of(activity.findings) + list(activity.faults)
    if activity.line_ids_doubled:
        what = f"{activity.line_ids_doubled:,} service lines have a line_id that stands twice."
        faults.append(Fault("posting-id-twice", what, ("service_lines, line_id",)))
    return faults


def _costing_faults(
    book: Book,
    period_book: PeriodBook,
    loaded: LoadedModel,
    activity: Activity | None,
    through: str,
) -> list[Fault]:
    """Faults that only the allocation finds, on what of the book can be used."""
    try:
        _cost_stages(book, period_book, loaded, activity, through, {})
    except InputRejected as rejected:
        return list(rejected.faults)
    except InvariantBroken:
        # A book with faults need not balance; its own faults are shown already.
        return []
    return []


def _distinct(faults: Sequence[Fault]) -> list[Fault]:
    return list(dict.fromkeys(faults))


def _cost_stages(
    book: Book,
    period_book: PeriodBook,
    loaded: LoadedModel,
    activity: Activity | None,
    through: str,
    seconds: dict[str, float],
    table_made: TableMade = _ignore,
) -> tuple[dict[str, pa.Table], tuple[str, ...]]:
    """Run the stages up to through; a sum beyond 64 bits is the book's fault, by name."""
    try:
        return _run_stages(book, period_book, loaded, activity, through, seconds, table_made)
    except OverflowError:
        what = "Amounts, quantities or prices add up beyond what 64 bits hold."
        where = (f"period {period_book.period}",)
        raise InputRejected([Fault("amount-out-of-range", what, where)]) from None


@contextmanager
def _adding(faults: Sequence[Fault]) -> Iterator[None]:
    """Show what another stage has found together with what the one inside refuses."""
    try:
        yield
    except InputRejected as rejected:
        raise InputRejected([*rejected.faults, *faults]) from None


def _run_stages(
    book: Book,
    period_book: PeriodBook,
    loaded: LoadedModel,
    activity: Activity | None,
    through: str,
    seconds: dict[str, float],
    table_made: TableMade,
) -> tuple[dict[str, pa.Table], tuple[str, ...]]:
    """Run the stages up to through and build their tables."""
    tables: dict[str, pa.Table] = {}

    def add(name: str, table: pa.Table) -> None:
        tables[name] = table
        table_made(name, table)

    priced, price_faults = None, list[Fault]()
    if through == "cases":
        try:
            priced = price_cases(book, period_book)
        except InputRejected as rejected:
            price_faults = list(rejected.faults)
    with _timed("departments", seconds), _adding(price_faults):
        orders = activity.orders if activity else None
        departments = cost_departments(period_book, loaded, orders)
        add("department_cost", result_tables.department_cost(period_book, departments))
        add("department_flow", result_tables.department_flow(period_book, departments))
    items: ServiceItemCosts | None = None
    cases: CaseCosts | None = None
    if through != "departments" and activity is not None:
        with _timed("service-items", seconds), _adding(price_faults):
            items = cost_service_items(period_book, loaded, departments, activity.matrix)
            add("service_item_cost", result_tables.service_item_cost(period_book, items))
    if price_faults:
        raise InputRejected(price_faults)
    if items is not None and priced is not None:
        with _timed("cases", seconds):
            cases = cost_cases(period_book, loaded, items)
            has_charge = items.matrix.has_charge or period_book.has_opening_charge
            add("case_cost", result_tables.case_cost(period_book, cases, priced, has_charge))
            groups = cost_drg_groups(period_book, cases, priced)
            add("drg_cost", result_tables.drg_cost(period_book, groups))
            left = result_tables.work_in_progress(period_book, cases, has_charge)
            add("work_in_progress", left)
            add("intercompany", result_tables.intercompany(period_book, cases))
    amounts = reconcile(period_book, departments, items, cases)
    add("reconciliation", result_tables.reconciliation(period_book, amounts))
    level_3 = loaded.model.departments.medtech_to_clinical is not None
    return tables, tuple(_notes(period_book, departments, items, level_3))


def _notes(
    book: PeriodBook,
    departments: DepartmentCosts,
    items: ServiceItemCosts | None,
    level_3: bool,
) -> Iterator[str]:
    """What a reader should know that is no fault."""
    if departments.rows_ignored:
        yield (
            f"{count_of(departments.rows_ignored, 'driver row')} left aside: closed or own "
            "department, or outside the rule's receivers"
        )
    registers = book.registers
    silent = book.selected & ~departments.ledger.any(axis=1)
    if silent.any():
        ids = ", ".join(quote(registers.unit_ids[u]) for u in np.flatnonzero(silent)[:5])
        yield f"{count_of(int(silent.sum()), 'chosen unit')} without a posting: {ids}"
    if level_3:
        medtech = registers.dept_class == CLASSES.index("medtech")
        staying = medtech & departments.full_cost.any(axis=1)
        if staying.any():
            yield (
                f"{count_of(int(staying.sum()), 'medtech department')} left with cost at level 3: "
                "no net services, or charges, that a clinical department of the unit ordered"
            )
    if items is not None and items.traced.covered:
        low, high = min(items.traced.covered), max(items.traced.covered)
        yield (
            f"the ledger covers {float(low):.1%} to {float(high):.1%} of the purchase cost of "
            "direct items, by unit and element"
        )
    if items is not None:
        idle = np.flatnonzero(items.no_activity.any(axis=1))
        if len(idle):
            yield f"{count_of(len(idle), 'department')} with a pool and no activity to share it by"
