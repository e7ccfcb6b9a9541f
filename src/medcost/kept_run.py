"""A published run with the results of its stages in memory: what an explanation starts from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from medcost.allocation_model import LoadedModel, load_model
from medcost.book import STAGES, Book, is_period, open_book
from medcost.costing.activity import Activity, read_activity
from medcost.costing.cases import CaseCosts, cost_cases
from medcost.costing.departments import DepartmentCosts, cost_departments
from medcost.costing.service_items import ServiceItemCosts, cost_service_items
from medcost.costing.services_of import ServicesOf, services_of_matrix
from medcost.errors import Fault, InputRejected, quote, quote_path
from medcost.kept import has_activity, load_activity
from medcost.manifest import find_damaged
from medcost.output_folder import BOOK, CURRENT, KEPT, MODEL
from medcost.parquet_input import READ_ERRORS
from medcost.period_book import PeriodBook, read_period
from medcost.records import dataclass
from medcost.run_folders import published_runs, read_run_manifest
from medcost.threads import begin

# Result tables that hold the figures to explain and to compare.
FIGURE_TABLES = ("department_cost", "service_item_cost", "drg_cost")
# What a manifest says of each file.
FILE_KEYS = ("name", "sha256")


@dataclass(frozen=True)
class KeptRun:
    """The book, the model and each stage's frozen result; None for stages not asked for or run.

    folder: the published run's, None where it is not published.
    """

    book: Book
    period_book: PeriodBook
    loaded: LoadedModel
    departments: DepartmentCosts
    items: ServiceItemCosts | None
    services_of: ServicesOf | None
    cases: CaseCosts | None
    folder: Path | None = None


def only_run(folder: Path, period: str | None, unit: str | None) -> Path:
    """The one run folder of an output folder that the period and unit name.

    folder may itself be a run folder. Raises InputRejected (run-not-found, run-ambiguous).
    """
    published = published_runs(folder)
    found = {
        path
        for month, units in published.items()
        for name, path in units.items()
        if period in (None, month) and unit in (None, name)
    }
    if not found:
        raise _not_found(folder, published, period, unit)
    if len(found) > 1:
        what = f"{quote_path(folder)} has {len(found)} published runs that fit."
        where = tuple(quote(path.name) for path in sorted(found))
        raise InputRejected([Fault("run-ambiguous", what, where)])
    return found.pop()


def _not_found(
    folder: Path, published: Mapping[str, Mapping[str, Path]], period: str | None, unit: str | None
) -> InputRejected:
    """The refusal of a folder without the run asked for; where says what there is instead."""
    shown = quote_path(folder)
    where = tuple(f"{month}: {', '.join(map(quote, units))}" for month, units in published.items())
    if published:
        which = " and ".join(part for part in (period, unit and f"unit {quote(unit)}") if part)
        what = f"{shown} has no published run of {which}."
    elif not folder.is_dir():
        what = f"{shown} is not a folder that can be read."
    elif not (folder / CURRENT).exists():
        what = f"{shown} has no {CURRENT}, which names the published runs, and is no run itself."
        where = tuple(quote(path.name) for path in sorted(folder.glob("run=*")))
    else:
        what = f"{quote_path(folder / CURRENT)} names no published run, or is not medcost's."
    return InputRejected([Fault("run-not-found", what, where or (shown,))])


def load_run(
    folder: Path, period: str | None, unit: str | None, threads: int = 1, reach: str = "cases"
) -> KeptRun:
    """The published run of a period and unit, its stages computed again from what it kept.

    period: None for the only one published; unit: None where one run holds them all; reach: the
    last stage to compute. Raises InputRejected (run-not-found, run-ambiguous, run-not-kept).
    """
    run = only_run(folder, period, unit)
    manifest = kept_manifest(run, "its book")
    with kept_as_written(run, manifest):
        computed = _load_and_compute(run, manifest, threads, reach)
    return replace(computed, folder=run.resolve())


def _load_and_compute(run: Path, manifest: Mapping[str, Any], threads: int, reach: str) -> KeptRun:
    kept = run / KEPT
    try:
        activity = load_activity(kept, threads) if has_activity(kept) else None
    except READ_ERRORS as error:
        raise not_kept(run, f"its activity: {error}") from None
    through = manifest["through"]
    if activity is None and through != "departments":
        raise not_kept(run, "its activity")
    book = open_book(kept / BOOK, through, has_lines=False)
    if book.faults:
        raise InputRejected(book.faults)
    loaded = load_model(str(kept / MODEL), through)
    period_book = read_period(book, manifest["period"], manifest["units"])
    return _compute(book, period_book, loaded, activity, min(through, reach, key=STAGES.index))


def kept_manifest(run: Path, needed: str) -> Mapping[str, Any]:
    """The manifest of a run that keeps its book.

    needed: how the refusal names what is not there. Raises InputRejected (run-not-kept).
    """
    manifest = read_run_manifest(run)
    if manifest is None:
        raise not_kept(run, "a manifest.json that can be read")
    if not (run / KEPT / BOOK).is_dir():
        raise not_kept(run, needed)
    try:
        is_sound = manifest["through"] in STAGES and is_period(manifest["period"])
        is_sound &= all(isinstance(unit, str) for unit in manifest["units"])
        records = [*manifest["kept"], *manifest["outputs"]]
        is_sound &= all(isinstance(record[key], str) for record in records for key in FILE_KEYS)
    except (AttributeError, KeyError, TypeError):
        is_sound = False
    if not is_sound:
        raise not_kept(run, "a manifest.json that medcost wrote")
    return manifest


@contextmanager
def kept_as_written(run: Path, manifest: Mapping[str, Any]) -> Iterator[None]:
    """Prove what a run keeps by its bytes, beside what is made of it inside.

    What is kept, and the tables that hold figures, must have the SHA-256 that the manifest says:
    an edited ledger or a lost bit would give other figures than the published ones without a
    word. Raises InputRejected (run-not-kept), also in the place of what went wrong inside. Time
    O(bytes).
    """
    proof = begin(_require_as_written, run, manifest)
    try:
        yield
    except Exception:
        proof.result()
        raise
    proof.result()


def _require_as_written(run: Path, manifest: Mapping[str, Any]) -> None:
    kept = manifest["kept"]
    tables = [o for o in manifest["outputs"] if Path(o["name"]).stem in FIGURE_TABLES]
    damaged = find_damaged(run, [*kept, *tables])
    damaged += _not_listed(run, {record["name"] for record in kept})
    if damaged:
        raise not_kept(run, f"{quote(damaged[0])} as it was written")


def _not_listed(run: Path, listed: Set[str]) -> list[str]:
    """Files that came into what a run keeps, and would be read with it."""
    files = [path for kind in ("parquet", "arrow") for path in (run / KEPT).rglob(f"*.{kind}")]
    names = [path.relative_to(run).as_posix() for path in files if path.name[0] not in "._"]
    return sorted(set(names) - listed)


def not_kept(run: Path, what: str) -> InputRejected:
    """The refusal of a run that lacks what it would be costed or explained from."""
    sentence = f"{quote(run.name)} does not keep {what.rstrip('.')}."
    return InputRejected([Fault("run-not-kept", sentence, (quote_path(run),))])


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
