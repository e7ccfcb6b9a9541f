"""The month end: the one place that calls the checks and the stages, in order."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from medcost import result_tables
from medcost.allocation_model import LoadedModel
from medcost.book import Book, find_empty_lines, service_groups
from medcost.checks.findings import faults_of
from medcost.checks.tables import check_tables, find_missing_selection
from medcost.costing.activity import Activity, read_activity, with_cases_of_lines
from medcost.costing.cases import CaseCosts, cost_cases
from medcost.costing.departments import DepartmentCosts, cost_departments
from medcost.costing.drg_groups import PricedCases, cost_drg_groups, price_cases
from medcost.costing.drg_matrix import cost_drg_matrix
from medcost.costing.reconciliation import reconcile
from medcost.costing.service_items import ServiceItemCosts, cost_service_items
from medcost.errors import (
    Fault,
    InputRejected,
    InvariantBroken,
    count_of,
    quote,
)
from medcost.period_book import PeriodBook, read_period
from medcost.records import dataclass
from medcost.tables import CLASSES

if TYPE_CHECKING:
    from medcost.variance.control import LoadedControl

LOG = logging.getLogger("medcost")
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


def ignore(*_: object) -> None:
    """Nobody looks on."""


# Makes a result table; asked once more, gives the one it made.
MakeTable = Callable[[], pa.Table]
# Takes the name and the making of a table, now or beside the stages, and gives what it becomes.
TableMaker = Callable[[str, MakeTable], MakeTable]


def made_at_once(_name: str, make: MakeTable) -> MakeTable:
    """The table, made before anything else is done."""
    table = make()
    return lambda: table


class LookOn(NamedTuple):
    """What is told to whoever has something to do beside the stages.

    lines_read: the lines have been read and have no fault; make_table: a stage has computed all
    that a result table is made of.
    """

    lines_read: Callable[[Activity | None], object] = ignore
    make_table: TableMaker = made_at_once


NOBODY = LookOn()


class KnownLines(NamedTuple):
    """Lines that this stage need not read: the period's small tables, and what it waits for.

    activity: says what the pass over the lines has yielded, and the seconds that it took.
    """

    period_book: PeriodBook
    activity: Callable[[], tuple[Activity, float]]


@contextmanager
def timed(stage: str, seconds: dict[str, float]) -> Iterator[None]:
    """Log what a stage took, and note it by the stage's name."""
    begun = time.perf_counter()
    yield
    _note_seconds(stage, time.perf_counter() - begun, seconds)


def _note_seconds(stage: str, taken: float, seconds: dict[str, float]) -> None:
    seconds[stage] = round(taken, 3)
    fields = {"event": "stage", "stage": stage, "seconds": seconds[stage]}
    LOG.info("%s: %.2f s", stage, seconds[stage], extra={"fields": fields})


def last_stage(loaded: LoadedModel) -> str:
    """The last stage that the model has methods for."""
    if loaded.model.service_items.method is None:
        return "departments"
    return "service-items" if loaded.model.cases.method is None else "cases"


def needs_lines(loaded: LoadedModel, through: str) -> bool:
    """Whether the run looks at the service lines."""
    level_3 = loaded.model.departments.medtech_to_clinical
    by_lines = level_3 is not None and level_3.basis != "driver"
    return through != "departments" or by_lines


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
        if book.has_lines_to_read:
            period_book = with_known_cases(book, period_book)
            activity = read_activity(book, period_book, threads, progress)
            faults += _line_faults(activity)
        if loaded is not None and book.is_founded:
            faults += _costing_faults(book, period_book, loaded, activity, last_stage(loaded))
    return distinct_faults(faults)


def cost_period(
    book: Book,
    loaded: LoadedModel,
    period: str,
    options: BatchOptions = EVERYTHING,
    progress: Progress | None = None,
    parts_in: Path | None = None,
    look_on: LookOn = NOBODY,
    seconds: dict[str, float] | None = None,
    known: KnownLines | None = None,
) -> PeriodResult:
    """Check and cost one period. Raises InputRejected with all faults, or InvariantBroken.

    parts_in: a folder for the parts of the activity matrix, else they stay in memory; seconds
    receives what each stage took; known: the same lines, read elsewhere.
    """
    units, through = options.units, options.through
    seconds = {} if seconds is None else seconds
    with timed("check", seconds):
        faults = list(table_faults(book, [period], units, loaded, through, options.control))
        if needs_lines(loaded, through):
            faults += find_empty_lines(book.lines)
        if not book.is_founded:
            raise InputRejected(faults)
        period_book = known.period_book if known else read_period(book, period, units)
    activity = None
    if needs_lines(loaded, through) and book.has_lines_to_read:
        if known is not None:
            period_book = with_known_cases(book, period_book)
            activity, taken = known.activity()
            _note_seconds("activity", taken, seconds)
        else:
            with timed("activity", seconds):
                period_book = with_known_cases(book, period_book)
                activity = read_activity(
                    book,
                    period_book,
                    options.threads,
                    progress,
                    parts_in,
                    options.memory,
                )
        faults += _line_faults(activity)
    if faults:
        faults += _costing_faults(book, period_book, loaded, activity, through)
        raise InputRejected(distinct_faults(faults))
    look_on.lines_read(activity)
    return cost_activity(book, period_book, loaded, activity, through, seconds, look_on.make_table)


def cost_activity(
    book: Book,
    period_book: PeriodBook,
    loaded: LoadedModel,
    activity: Activity | None,
    through: str,
    seconds: dict[str, float],
    make_table: TableMaker = made_at_once,
) -> PeriodResult:
    """Cost a period whose activity is known. Raises InputRejected or InvariantBroken.

    make_table is given each result table by its name as soon as it can be made.
    """
    tables, notes = _cost_stages(book, period_book, loaded, activity, through, seconds, make_table)
    chosen = tuple(
        unit for unit, on in zip(book.registers.unit_ids, period_book.selected, strict=True) if on
    )
    n_lines = activity.matrix.n_lines if activity else 0
    return PeriodResult(period_book.period, chosen, tables, n_lines, notes, seconds)


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


def with_known_cases(book: Book, period_book: PeriodBook) -> PeriodBook:
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


def distinct_faults(faults: Sequence[Fault]) -> list[Fault]:
    """Each fault once, in the order they were found."""
    return list(dict.fromkeys(faults))


def _cost_stages(
    book: Book,
    period_book: PeriodBook,
    loaded: LoadedModel,
    activity: Activity | None,
    through: str,
    seconds: dict[str, float],
    make_table: TableMaker = made_at_once,
) -> tuple[dict[str, pa.Table], tuple[str, ...]]:
    """Run the stages up to through; a sum beyond 64 bits is the book's fault, by name."""
    try:
        return _run_stages(book, period_book, loaded, activity, through, seconds, make_table)
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


class _Tables:
    """The result tables of a period, which may be made beside the stages."""

    def __init__(self, make_table: TableMaker) -> None:
        self._make_table = make_table
        self._making: dict[str, MakeTable] = {}

    def add(self, name: str, make: MakeTable) -> None:
        """Have a table made."""
        self._making[name] = self._make_table(name, make)

    def made(self) -> dict[str, pa.Table]:
        """All tables by name; raises what the first of them raised that could not be made."""
        return {name: table() for name, table in self._making.items()}

    @contextmanager
    def first(self) -> Iterator[None]:
        """What a table refuses is raised in the place of what a later stage refuses."""
        try:
            yield
        except Exception:
            self.made()
            raise


def _run_stages(
    book: Book,
    period_book: PeriodBook,
    loaded: LoadedModel,
    activity: Activity | None,
    through: str,
    seconds: dict[str, float],
    make_table: TableMaker,
) -> tuple[dict[str, pa.Table], tuple[str, ...]]:
    """Run the stages up to through and have their tables made."""
    tables = _Tables(make_table)
    priced, price_faults = None, list[Fault]()
    if through == "cases":
        try:
            priced = price_cases(book, period_book)
        except InputRejected as rejected:
            price_faults = list(rejected.faults)
    items: ServiceItemCosts | None = None
    with _adding(price_faults), tables.first():
        with timed("departments", seconds):
            orders = activity.orders if activity else None
            departments = cost_departments(period_book, loaded, orders)
            _add_departments(tables, period_book, departments)
        if through != "departments" and activity is not None:
            with timed("service-items", seconds):
                items = cost_service_items(period_book, loaded, departments, activity.matrix)
                _add_items(tables, period_book, items)
        if price_faults:
            tables.made()
    if price_faults:
        raise InputRejected(price_faults)
    with tables.first():
        cases: CaseCosts | None = None
        if items is not None and priced is not None:
            with timed("cases", seconds):
                cases = _run_cases(book, period_book, loaded, items, priced, tables)
        amounts = reconcile(period_book, departments, items, cases)
        tables.add("reconciliation", lambda: result_tables.reconciliation(period_book, amounts))
    level_3 = loaded.model.departments.medtech_to_clinical is not None
    return tables.made(), tuple(_notes(period_book, departments, items, level_3))


def _add_departments(tables: _Tables, book: PeriodBook, costs: DepartmentCosts) -> None:
    tables.add("department_cost", lambda: result_tables.department_cost(book, costs))
    tables.add("department_flow", lambda: result_tables.department_flow(book, costs))


def _add_items(tables: _Tables, book: PeriodBook, costs: ServiceItemCosts) -> None:
    tables.add("service_item_cost", lambda: result_tables.service_item_cost(book, costs))


def _run_cases(
    book: Book,
    period_book: PeriodBook,
    loaded: LoadedModel,
    items: ServiceItemCosts,
    priced: PricedCases,
    tables: _Tables,
) -> CaseCosts:
    """Cost cases and DRG groups and have their tables made."""
    cases = cost_cases(period_book, loaded, items)
    has_charge = items.matrix.has_charge or period_book.has_opening_charge
    tables.add("case_cost", lambda: result_tables.case_cost(period_book, cases, priced, has_charge))
    groups = cost_drg_groups(period_book, cases, priced)
    tables.add("drg_cost", lambda: result_tables.drg_cost(period_book, groups))
    if loaded.model.cases.drg_matrix:
        matrix = cost_drg_matrix(period_book, service_groups(book), items, groups)
        tables.add("drg_matrix", lambda: result_tables.drg_matrix(period_book, groups, matrix))
    tables.add(
        "work_in_progress", lambda: result_tables.work_in_progress(period_book, cases, has_charge)
    )
    tables.add("intercompany", lambda: result_tables.intercompany(period_book, cases))
    return cases


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
