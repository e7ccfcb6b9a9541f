"""A published run with the results of its stages in memory: what an explanation starts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medcost.allocation_model import LoadedModel, load_model
from medcost.book import STAGES, Book, open_book
from medcost.costing.activity import Activity, read_activity
from medcost.costing.cases import CaseCosts, cost_cases
from medcost.costing.departments import DepartmentCosts, cost_departments
from medcost.costing.service_items import ServiceItemCosts, cost_service_items
from medcost.costing.services_of import ServicesOf, services_of_matrix
from medcost.errors import Fault, InputRejected, quote
from medcost.kept import BOOK, KEPT, MODEL, has_activity, load_activity
from medcost.manifest import find_damaged
from medcost.parquet_input import READ_ERRORS
from medcost.period_book import PeriodBook, read_period
from medcost.publish import published_runs, read_run_manifest
from medcost.records import dataclass


@dataclass(frozen=True)
class KeptRun:
    """The book, the model and each stage's frozen result; None for stages not asked for or run."""

    book: Book
    period_book: PeriodBook
    loaded: LoadedModel
    departments: DepartmentCosts
    items: ServiceItemCosts | None
    services_of: ServicesOf | None
    cases: CaseCosts | None


def only_run(folder: Path, period: str | None, unit: str | None) -> Path:
    """The one run folder of an output folder that the period and unit name.

    folder may itself be a run folder. Raises InputRejected (run-not-found, run-ambiguous).
    """
    found = {
        path
        for month, units in published_runs(folder).items()
        for name, path in units.items()
        if period in (None, month) and unit in (None, name)
    }
    if not found:
        which = " and ".join(part for part in (period, unit and f"unit {quote(unit)}") if part)
        what = f"{quote(str(folder))} has no published run{' of ' + which if which else ''}."
        raise InputRejected([Fault("run-not-found", what, (quote(str(folder)),))])
    if len(found) > 1:
        what = f"{quote(str(folder))} has {len(found)} published runs that fit."
        where = tuple(quote(path.name) for path in sorted(found))
        raise InputRejected([Fault("run-ambiguous", what, where)])
    return found.pop()


def load_run(
    folder: Path, period: str | None, unit: str | None, threads: int = 1, reach: str = "cases"
) -> KeptRun:
    """The published run of a period and unit, its stages computed again from what it kept.

    period: None for the only one published; unit: None where one run holds them all; reach: the
    last stage to compute. Raises InputRejected (run-not-found, run-ambiguous, run-not-kept).
    """
    run = only_run(folder, period, unit)
    manifest, kept = kept_manifest(run, "its book"), run / KEPT
    try:
        activity = load_activity(kept, threads) if has_activity(kept) else None
    except READ_ERRORS as error:
        raise not_kept(run, f"its activity: {error}") from None
    through = manifest["through"]
    if activity is None and through != "departments":
        raise not_kept(run, "its activity")
    book = open_book(kept / BOOK, through, has_lines=False)
    loaded = load_model(str(kept / MODEL), through)
    period_book = read_period(book, manifest["period"], manifest["units"])
    return _compute(book, period_book, loaded, activity, min(through, reach, key=STAGES.index))


def kept_manifest(run: Path, needed: str) -> Mapping[str, Any]:
    """The manifest of a run that keeps its book, all of it as it was written.

    needed: how the refusal names what is not there. Raises InputRejected (run-not-kept).
    """
    manifest = read_run_manifest(run)
    if manifest is None or not (run / KEPT / BOOK).is_dir():
        raise not_kept(run, needed)
    damaged = find_damaged(run, manifest)
    if damaged:
        raise not_kept(run, f"{damaged[0]} as it was written")
    return manifest


def not_kept(run: Path, what: str) -> InputRejected:
    """The refusal of a run that lacks what it would be costed or explained from."""
    sentence = f"{quote(run.name)} does not keep {what}."
    return InputRejected([Fault("run-not-kept", sentence, (quote(str(run)),))])


def compute_run(
    book: Path,
    model: str,
    period: str,
    units: Sequence[str] | None = None,
    through: str = "cases",
) -> KeptRun:
    """Compute the stages of a book that is known to have no fault."""
    loaded = load_model(model, through)
    opened = open_book(book, through)
    period_book = read_period(opened, period, units)
    activity = read_activity(opened, period_book) if opened.lines else None
    return _compute(opened, period_book, loaded, activity, through)


def _compute(
    book: Book,
    period_book: PeriodBook,
    loaded: LoadedModel,
    activity: Activity | None,
    through: str,
) -> KeptRun:
    reach = STAGES.index(through)
    departments = cost_departments(period_book, loaded, activity.orders if activity else None)
    items = services_of = cases = None
    if reach >= STAGES.index("service-items") and activity is not None:
        items = cost_service_items(period_book, loaded, departments, activity.matrix)
        services_of = services_of_matrix(period_book, items)
        if through == "cases":
            cases = cost_cases(period_book, loaded, items)
    return KeptRun(book, period_book, loaded, departments, items, services_of, cases)
