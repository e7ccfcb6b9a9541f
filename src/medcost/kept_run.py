"""A published run with the results of its stages in memory: what an explanation starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medcost.allocation_model import LoadedModel, load_model
from medcost.book import STAGES, Book, open_book
from medcost.costing.activity import read_activity
from medcost.costing.cases import CaseCosts, cost_cases
from medcost.costing.departments import DepartmentCosts, cost_departments
from medcost.costing.service_items import ServiceItemCosts, cost_service_items
from medcost.costing.services_of import ServicesOf, services_of_matrix
from medcost.errors import Fault, InputRejected, quote
from medcost.period_book import PeriodBook, read_period
from medcost.publish import read_current, read_run_manifest

KEPT = "kept"


@dataclass(frozen=True)
class KeptRun:
    """The book, the model and each stage's frozen result; None where the run stopped before."""

    book: Book
    period_book: PeriodBook
    loaded: LoadedModel
    departments: DepartmentCosts
    items: ServiceItemCosts | None
    services_of: ServicesOf | None
    cases: CaseCosts | None


def load_run(folder: Path, period: str | None, unit: str | None) -> KeptRun:
    """The published run of a period and unit, its stages computed again.

    period: None for the only one published; unit: None where one run holds them all. The run
    folder keeps the book in kept/book and the model in kept/model.toml. Raises InputRejected
    (run-not-found, run-not-kept, figure-ambiguous).
    """
    runs = _published(folder)
    if period is None and len(runs) == 1:
        period = next(iter(runs))
    if period is None or period not in runs:
        which = "Name one of the published months" if period is None else f"{period} is not there"
        what = f"{which}: {', '.join(sorted(runs)) or 'none is published'}."
        raise InputRejected([Fault("run-not-found", what, (quote(str(folder)),))])
    names = {name for of, name in runs[period].items() if unit in (None, of)}
    if not names:
        what = f"{period} has no published run of unit {quote(str(unit))}."
        raise InputRejected([Fault("run-not-found", what, (quote(str(folder)),))])
    if len(names) > 1:
        what = f"The units of {period} were published by {len(names)} runs."
        raise InputRejected(
            [Fault("figure-ambiguous", what, tuple(map(quote, sorted(runs[period]))))]
        )
    run = folder / names.pop()
    manifest = read_run_manifest(run)
    kept = run / KEPT
    if manifest is None or not kept.is_dir():
        what = f"{quote(run.name)} keeps no book."
        raise InputRejected([Fault("run-not-kept", what, (quote(str(run)),))])
    return compute_run(
        kept / "book", str(kept / "model.toml"), period, manifest["units"], manifest["through"]
    )


def _published(folder: Path) -> dict[str, dict[str, str]]:
    """Run folders by period and unit; none where the folder is not one that runs were put in."""
    try:
        runs = read_current(folder)["runs"]
        return {str(period): dict(units) for period, units in runs.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


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
    reach = STAGES.index(through)
    activity = read_activity(opened, period_book) if opened.lines else None
    departments = cost_departments(period_book, loaded, activity.orders if activity else None)
    items = services_of = cases = None
    if reach >= STAGES.index("service-items") and activity is not None:
        items = cost_service_items(period_book, loaded, departments, activity.matrix)
        services_of = services_of_matrix(period_book, items)
        if through == "cases":
            cases = cost_cases(period_book, loaded, items)
    return KeptRun(opened, period_book, loaded, departments, items, services_of, cases)
