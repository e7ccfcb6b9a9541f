"""The command line: parse, call, print, exit code. No arithmetic."""

from __future__ import annotations

import errno
import gc
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

# Our threads are over files and row groups; BLAS threads beside them only get in the way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import click

from medcost import __version__
from medcost.errors import CannotPublish, InputRejected, InvariantBroken
from medcost.stopping import (
    INTERRUPTED,
    TERMINATED,
    Terminated,
    ignore_signals,
    stop_on_signals,
)
from medcost.tables import ELEMENTS

REJECTED, UNBALANCED, UNPUBLISHED = 3, 4, 5
# How a stream ends that nobody reads any more, or that is full.
STREAM_FAILURES = (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF)
LEAST_MEMORY = 256 << 20
PERIOD = r"\d{4}-(0[1-9]|1[0-2])"
DEFAULT_MODEL = "three_level_step_down_2021"

Command = TypeVar("Command", bound=Callable[..., Any])


class _OutputFolder(click.Path):
    """A folder to write to; an empty name, of a variable that is not set, is not this folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; fails on an empty name."""
        if value == "":
            self.fail("name a folder", param, ctx)
        return super().convert(value, param, ctx)


OUTPUT = _OutputFolder(path_type=Path)


def common_options(command: Command) -> Command:
    """--json-log and --quiet, which every command has."""
    command = click.option(
        "--json-log", is_flag=True, help="Log one JSON object a line on standard error."
    )(command)
    return click.option("--quiet", is_flag=True, help="Print errors only.")(command)


def _set_up(json_log: bool, quiet: bool) -> None:
    from medcost._core.memory import keep_freed_memory
    from medcost.messages import set_up_log

    keep_freed_memory()
    set_up_log(json_log, quiet)


def parse_periods(_context: click.Context, _option: click.Parameter, value: str | None) -> Any:
    """P, P1..P2 or all: a pair of months, or None for all."""
    if value is None or value == "all":
        return None
    match = re.fullmatch(rf"({PERIOD})(?:\.\.({PERIOD}))?", value)
    if match is None:
        raise click.BadParameter("write YYYY-MM, YYYY-MM..YYYY-MM or all")
    first, last = match.group(1), match.group(3) or match.group(1)
    if first > last:
        raise click.BadParameter(f"{first} comes after {last}")
    return first, last


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="medcost")
def cli() -> None:
    """Hospital costing: from the month's ledger to departments, items, cases and DRG groups."""


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--hospitals", default=5, show_default=True, help="1 lead, the others township.")
@click.option("--lines", default=150_000, show_default=True, help="Service lines in all.")
@click.option("--seed", default=2026, show_default=True, help="Another seed, another book.")
@click.option(
    "--period",
    "periods",
    default="2026-01..2026-02",
    show_default=True,
    callback=parse_periods,
    help="Months to make: P or P1..P2.",
)
@common_options
def sample(
    folder: Path,
    hospitals: int,
    lines: int,
    seed: int,
    periods: tuple[str, str] | None,
    json_log: bool,
    quiet: bool,
) -> None:
    """Make a synthetic county consortium's book in FOLDER."""
    from medcost.book import period_label, period_number
    from medcost.sample import make_sample

    _set_up(json_log, quiet)
    if periods is None:
        raise click.BadParameter("name the months to make", param_hint="--period")
    try:
        is_free = not folder.exists() or not any(folder.iterdir())
    except OSError as error:
        reason = f"{folder} cannot be used: {error.strerror}"
        raise click.BadParameter(reason, param_hint="FOLDER") from None
    if not is_free:
        raise click.BadParameter(f"{folder} is not an empty folder", param_hint="FOLDER")
    first, last = (period_number(period) for period in periods)
    months = [period_label(number) for number in range(first, last + 1)]
    try:
        totals = make_sample(
            folder,
            hospitals=hospitals,
            lines=lines,
            seed=seed,
            periods=months,
            cost_opening=_cost_opening,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise CannotPublish(
            f"Cannot write {error.filename or folder}: {error.strerror}."
        ) from error
    if not quiet:
        for name, rows in totals.rows.items():
            click.echo(f"{name:28}{rows:>14,}")
        click.echo(f"written to {folder}")


def _cost_opening(folder: Path, period: str) -> Any:
    """Work in progress at the end of a month of the sample: the next month's opening."""
    from medcost.allocation_model import load_model
    from medcost.book import open_book
    from medcost.month_end import cost_period
    from medcost.result_tables import as_written

    costed = cost_period(open_book(folder), load_model(DEFAULT_MODEL), period)
    return as_written(costed.tables["work_in_progress"])


@cli.command()
@click.argument("book", type=click.Path(path_type=Path))
@click.option("--period", "periods", callback=parse_periods, help="P, P1..P2 or all (default).")
@click.option("--model", help="Also check the allocation by this model: a file or a shipped name.")
@click.option("--unit", "units", multiple=True, help="Only this unit; may be repeated.")
@click.option("--threads", type=click.IntRange(1, 256), help="Default: one a processor.")
@click.option(
    "--report",
    "report_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write all faults, every place and row of them, to this .xlsx file.",
)
@common_options
def check(
    book: Path,
    periods: tuple[str, str] | None,
    model: str | None,
    units: tuple[str, ...],
    threads: int | None,
    report_file: Path | None,
    json_log: bool,
    quiet: bool,
) -> None:
    """Show every fault of BOOK, without costing it."""
    from medcost.allocation_model import load_model
    from medcost.book import open_book
    from medcost.messages import progress_bar
    from medcost.month_end import check_book, last_stage, line_count

    _set_up(json_log, quiet)
    if report_file is not None and report_file.suffix.lower() != ".xlsx":
        raise click.BadParameter("name a file that ends in .xlsx", param_hint="--report")
    with _reported(report_file):
        loaded = load_model(model, "departments") if model else None
        through = last_stage(loaded) if loaded else "departments"
        if model and loaded:
            loaded = load_model(model, through)
        opened = open_book(book, through)
        chosen = _chosen_periods(opened, periods)
        with progress_bar("check", line_count(opened), not (quiet or json_log)) as progress:
            faults = check_book(
                opened, chosen, units or None, loaded, threads or os.cpu_count() or 1, progress
            )
        if faults:
            raise InputRejected(faults)
    if not quiet:
        click.echo(f"No fault found in {', '.join(chosen)}.")


@contextmanager
def _reported(file: Path | None) -> Iterator[None]:
    """Write the faults that are raised inside, or that there are none, to a workbook."""
    if file is None:
        yield
        return
    from medcost.report.faults_workbook import write_faults

    try:
        yield
    except InputRejected as rejected:
        write_faults(rejected.faults, file)
        raise
    write_faults((), file)


def _chosen_periods(opened: Any, periods: tuple[str, str] | None) -> list[str]:
    """The months asked for; of a range, all; of 'all', those the ledger has."""
    from medcost.book import period_label, period_number
    from medcost.month_end import periods_of_book

    if periods is None:
        return periods_of_book(opened)
    first, last = (period_number(period) for period in periods)
    return [period_label(number) for number in range(first, last + 1)]


def parse_memory(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> int | None:
    """Bytes of a size written 4GiB, 500MB or 800000000."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,15})\s*([KMGT]?)(iB|B)?", value)
    if found is None:
        raise click.BadParameter("write a size as 4GiB or 500MB")
    number, prefix, unit = found.groups()
    power = " KMGT".index(prefix or " ")
    size: int = int(number) * (1024 if unit == "iB" else 1000) ** power
    if size < LEAST_MEMORY:
        raise click.BadParameter(f"{value} is too little: at least {LEAST_MEMORY >> 20}MiB")
    return size


def parse_reason(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> str | None:
    """A reason that says something."""
    if value is not None and not value.strip():
        raise click.BadParameter("say why the published figures change")
    return value


def _signer(key: Path | None) -> Any:
    if key is None:
        return None
    from medcost.signing import KeyUnusable, load_signer

    try:
        return load_signer(key)
    except KeyUnusable as error:
        raise click.BadParameter(str(error), param_hint="--sign-key") from None


@cli.command()
@click.argument("book", type=click.Path(path_type=Path))
@click.option(
    "--period", "periods", required=True, callback=parse_periods, help="P, P1..P2 or all."
)
@click.option("--model", required=True, help="The allocation model: a file or a shipped name.")
@click.option("--out", required=True, type=OUTPUT, help="Where runs go.")
@click.option("--unit", "units", multiple=True, help="Only this unit; may be repeated.")
@click.option(
    "--through",
    type=click.Choice(["departments", "service-items", "cases"]),
    default="cases",
    show_default=True,
    help="The last stage; cases includes the DRG groups.",
)
@click.option("--threads", type=click.IntRange(1, 256), help="Default: one a processor.")
@click.option("--memory", callback=parse_memory, help="What to do with, as 4GiB or 500MB.")
@click.option(
    "--no-matrix",
    is_flag=True,
    help="Do not keep the activity in the run folder: no recost, no explain.",
)
@click.option("--resume", is_flag=True, help="Go on from what a stopped run has finished.")
@click.option(
    "--restate", callback=parse_reason, metavar="REASON", help="Why closed periods may change."
)
@click.option(
    "--sign-key",
    type=click.Path(path_type=Path),
    envvar="MEDCOST_SIGN_KEY",
    help="Sign the manifests by this Ed25519 key in PEM.",
)
@click.option("--budget-control", "control", help="The policy for a budget: a file.")
@common_options
def run(
    book: Path,
    periods: tuple[str, str] | None,
    model: str,
    out: Path,
    units: tuple[str, ...],
    through: str,
    threads: int | None,
    memory: int | None,
    no_matrix: bool,
    resume: bool,
    restate: str | None,
    sign_key: Path | None,
    control: str | None,
    json_log: bool,
    quiet: bool,
) -> None:
    """The month-end batch: check BOOK, cost it, and publish the result to --out."""
    from medcost.file_hashes import FolderHashes

    # One thread hashes the book while this one imports, and soon another reads its small tables.
    hashes = FolderHashes(book)
    from medcost.book import open_book
    from medcost.threads import begin

    opening = begin(open_book, book, through)
    from medcost.allocation_model import load_model
    from medcost.batch import Publication, run_month_end, summary_of
    from medcost.messages import progress_bar
    from medcost.month_end import BatchOptions, line_count
    from medcost.output_folder import output_folder

    _set_up(json_log, quiet)
    publication = Publication(restate, _signer(sign_key))
    loaded = load_model(model, through)
    opened = opening.result()
    chosen = _chosen_periods(opened, periods)
    options = BatchOptions(
        units or None,
        through,
        threads or os.cpu_count() or 1,
        memory,
        keep=not no_matrix,
        control=_loaded_control(control) if control else None,
    )
    with (
        output_folder(out, resume) as held,
        progress_bar("lines", line_count(opened), not (quiet or json_log)) as progress,
    ):
        done = run_month_end(
            opened, loaded, chosen, options, held, progress, publication, hashes.sha256
        )
    if not quiet:
        for result, place in done:
            folder = out / place.folder.name
            _show_result(opened, result, folder, place.is_new, loaded.model.model.currency)
        click.echo(summary_of(done))


def _loaded_control(name: str | None) -> Any:
    from medcost.variance.control import load_control

    return load_control(name)


def parse_replaced(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, Path]:
    """TABLE=FILE pairs; the tables must be ones that the activity does not depend on."""
    from medcost.recost import REPLACEABLE

    replaced: dict[str, Path] = {}
    for value in values:
        table, equals, file = value.partition("=")
        if not equals or not file:
            raise click.BadParameter(f"write TABLE=FILE, not {value!r}")
        if table not in REPLACEABLE:
            raise click.BadParameter(f"{table!r} is not one of {', '.join(REPLACEABLE)}")
        if table in replaced:
            raise click.BadParameter(f"{table} is replaced twice")
        if not _holds_rows(Path(file)):
            raise click.BadParameter(f"{file!r} is neither a file nor a folder of Parquet files")
        replaced[table] = Path(file)
    return replaced


def _holds_rows(path: Path) -> bool:
    """Whether a path can be read as a table; a device or pipe may have no end."""
    if path.is_dir():
        return any(path.rglob("*.parquet"))
    return path.is_file()


def require_own_folder(out: Path | None, run: Path, what: str) -> None:
    """Refuse to write where published runs are."""
    if out is None:
        return
    place, published = out.resolve(), run.resolve()
    if place == published.parent or published in (place, *place.parents):
        raise click.BadParameter(f"{what} goes to a folder of its own", param_hint="--out")


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=OUTPUT, help="Where what-ifs go.")
@click.option("--model", help="Another allocation model: a file or a shipped name.")
@click.option(
    "--replace",
    "replaced",
    multiple=True,
    callback=parse_replaced,
    metavar="TABLE=FILE",
    help="Another file for a table of the book; may be repeated.",
)
@click.option("--period", help="YYYY-MM; needed where several months are published.")
@click.option("--unit", help="Needed where several runs hold units of the month.")
@click.option("--threads", type=click.IntRange(1, 256), help="Default: one a processor.")
@common_options
def recost(
    folder: Path,
    out: Path,
    model: str | None,
    replaced: dict[str, Path],
    period: str | None,
    unit: str | None,
    threads: int | None,
    json_log: bool,
    quiet: bool,
) -> None:
    """What-if: cost a published run of FOLDER again under other costs or rules."""
    from medcost.kept_run import only_run
    from medcost.output_folder import output_folder
    from medcost.recost import recost_run

    _set_up(json_log, quiet)
    if period is not None and not re.fullmatch(PERIOD, period):
        raise click.BadParameter("write YYYY-MM", param_hint="--period")
    run = only_run(folder, period, unit)
    require_own_folder(out, run, "a what-if")
    with output_folder(out) as held:
        done = recost_run(run, held, model, replaced, threads or os.cpu_count() or 1)
    if not quiet:
        _show_what_if(done, out)


def _show_what_if(done: Any, out: Path) -> None:
    from medcost import terminal
    from medcost.comparison import levels_of
    from medcost.result_tables import as_written

    console = terminal.make_console()
    levels = levels_of(done.result.tables)
    terminal.show_comparison(console, done.comparison, done.original.name, levels)
    terminal.show_reconciliation(
        console, {"reconciliation": as_written(done.result.tables["reconciliation"])}
    )
    terminal.show_files(console, out / done.place.folder.name, done.place.is_new)


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--drg", help="A DRG group: its costed cases.")
@click.option("--item", help="A service item, in all departments that perform it.")
@click.option("--dept", help="A department: its full cost.")
@click.option(
    "--unit", default="", help="Only this unit; needed where two share a department's id."
)
@click.option("--scheme", default="", help="Of two groups with one id, the one of this scheme.")
@click.option("--period", help="YYYY-MM; needed where several months are published.")
@click.option("--element", type=click.Choice(ELEMENTS), help="Only this element of cost.")
@click.option("--out", type=OUTPUT, help="Write explanation.parquet and .html here.")
@common_options
def explain(
    folder: Path,
    drg: str | None,
    item: str | None,
    dept: str | None,
    unit: str,
    scheme: str,
    period: str | None,
    element: str | None,
    out: Path | None,
    json_log: bool,
    quiet: bool,
) -> None:
    """Trace a published figure of FOLDER back to the ledger: one of --drg, --item, --dept."""
    from medcost.explanation import explain as explain_figure
    from medcost.figure_found import Question
    from medcost.kept_run import load_run, only_run

    _set_up(json_log, quiet)
    named = [
        (kind, label) for kind, label in (("drg", drg), ("item", item), ("dept", dept)) if label
    ]
    if len(named) != 1:
        raise click.UsageError("Name one of --drg, --item and --dept.")
    if scheme and not drg:
        raise click.UsageError("--scheme goes with --drg: nothing else has one.")
    if period is not None and not re.fullmatch(PERIOD, period):
        raise click.BadParameter("write YYYY-MM", param_hint="--period")
    require_own_folder(out, only_run(folder, period, unit or None), "an explanation")
    question = Question(*named[0], unit, scheme, element or "")
    run = load_run(folder, period, unit or None, os.cpu_count() or 1, question.stage)
    found = explain_figure(run, question)
    if out is not None:
        from medcost.explanation_page import write_explanation

        write_explanation(found, out)
    if not quiet:
        from medcost import terminal

        terminal.show_explanation(terminal.make_console(), found)
        if out is not None:
            click.echo(f"written to {out}")


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--budget",
    "file",
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="A Parquet file, or a folder of them, in the schema of the table budget.",
)
@click.option("--budget-control", "control", help="Another policy than the one that ships: a file.")
@click.option(
    "--period",
    "periods",
    callback=parse_periods,
    help="P, P1..P2 or all (default): what is published and budgeted.",
)
@click.option("--unit", "units", multiple=True, help="Only this unit; may be repeated.")
@click.option("--out", type=OUTPUT, help="Publish the tables here.")
@common_options
def variance(
    folder: Path,
    file: Path,
    control: str | None,
    periods: tuple[str, str] | None,
    units: tuple[str, ...],
    out: Path | None,
    json_log: bool,
    quiet: bool,
) -> None:
    """Hold the published costs of FOLDER against a budget."""
    from medcost import terminal, variance_run
    from medcost.book import period_label, period_number
    from medcost.messages import LOG
    from medcost.output_folder import output_folder
    from medcost.publish import published_runs
    from medcost.result_tables import as_written

    _set_up(json_log, quiet)
    policy = _loaded_control(control)
    runs = variance_run.runs_in(folder)
    if out is not None and out.resolve() in _folders_of(folder, runs):
        raise click.BadParameter("variances go to a folder of their own", param_hint="--out")
    budget = variance_run.read_budget(file)
    wanted = None
    if periods is not None:
        first, last = (period_number(period) for period in periods)
        wanted = [period_label(number) for number in range(first, last + 1)]
    chosen = variance_run.periods_chosen(runs, published_runs(folder), budget, wanted)
    found = variance_run.vary(runs, budget, policy, chosen, units or None)
    placed: list[Any] = []
    if out is not None:
        with output_folder(out) as held:
            placed = variance_run.publish_variances(found, held, budget, policy)
    for varied in found:
        LOG.info("variance", extra={"fields": variance_run.log_fields(varied)})
        for note in varied.variance.notes:
            LOG.warning("%s: %s", varied.variance.period, note)
    if not quiet:
        console = terminal.make_console()
        for varied in found:
            one = varied.variance
            tables = {name: as_written(table) for name, table in one.tables.items()}
            terminal.show_variance(console, one.period, tables)
        for place in placed:
            terminal.show_files(console, out / place.folder.name, place.is_new)


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--lang",
    "language",
    type=click.Choice(["zh", "en"]),
    default="zh",
    show_default=True,
    help="Language of the workbook, and in which the page opens; the page has both.",
)
@click.option("--out", type=OUTPUT, help="Default: the folder reports beside the runs.")
@click.option("--period", "periods", callback=parse_periods, help="P, P1..P2 or all (default).")
@click.option("--unit", "units", multiple=True, help="Only this unit; may be repeated.")
@click.option("--index", is_flag=True, help="Also write index.html, which lists published months.")
@common_options
def report(
    folder: Path,
    language: Any,
    out: Path | None,
    periods: tuple[str, str] | None,
    units: tuple[str, ...],
    index: bool,
    json_log: bool,
    quiet: bool,
) -> None:
    """Make a page and a workbook of the published results of FOLDER."""
    from medcost.report.figures import read_figures
    from medcost.report.files import default_place, write_index, write_report
    from medcost.report.reconciliation import tie_out

    _set_up(json_log, quiet)
    figures = read_figures(folder, periods, units)
    place = out or default_place(folder)
    written = write_report(figures, place, language)
    if index:
        all_months = read_figures(folder, None, (), ("reconciliation",))
        written.append(write_index(all_months, place, language))
    if not quiet:
        click.echo(tie_out(figures).of(language))
        for file in written:
            click.echo(f"written to {file}")


def _folders_of(folder: Path, runs: Any) -> set[Path]:
    """Folders that a variance must not be published to: the one it reads, and its runs."""
    every = {folder.resolve()} | {
        run.resolve() for units in runs.values() for run in units.values()
    }
    return every | {run.parent for run in every if run.name.startswith("run=")}


@cli.command()
@click.argument("run_a", type=click.Path(path_type=Path))
@click.argument("run_b", type=click.Path(path_type=Path))
@click.option("--out", type=OUTPUT, help="Write difference.parquet here.")
@common_options
def diff(run_a: Path, run_b: Path, out: Path | None, json_log: bool, quiet: bool) -> None:
    """Show which table, key and column of two run folders differ, old and new."""
    from medcost import terminal
    from medcost.errors import named_errors
    from medcost.publish import described, write_table
    from medcost.published_difference import published_difference

    _set_up(json_log, quiet)
    found = published_difference(run_a, run_b)
    if out is not None:
        with named_errors(out):
            out.mkdir(parents=True, exist_ok=True)
            write_table(described("difference", found), out / "difference.parquet")
    if not quiet:
        terminal.show_difference(terminal.make_console(), found, run_a.name, run_b.name)
        if out is not None:
            click.echo(f"written to {out}")


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--public-key",
    type=click.Path(path_type=Path),
    envvar="MEDCOST_PUBLIC_KEY",
    help="Every manifest must be signed by the owner of this Ed25519 key in PEM.",
)
@click.option("--threads", type=click.IntRange(1, 256), help="Default: one a processor.")
@common_options
def verify(
    folder: Path, public_key: Path | None, threads: int | None, json_log: bool, quiet: bool
) -> None:
    """Hold every byte of an output FOLDER against its manifests, their chain and the balances."""
    from medcost.messages import show_faults
    from medcost.signing import KeyUnusable, load_verifier
    from medcost.verification import UNBALANCED_CODE, verify_folder

    _set_up(json_log, quiet)
    try:
        verifier = load_verifier(public_key) if public_key else None
    except KeyUnusable as error:
        raise click.BadParameter(str(error), param_hint="--public-key") from None
    found = verify_folder(folder, verifier, threads or os.cpu_count() or 1)
    if found.faults:
        show_faults(found.faults, json_log, closing="Nothing was changed.")
        codes = {fault.code for fault in found.faults}
        is_unbalanced = UNBALANCED_CODE in codes
        _end(
            UNBALANCED if is_unbalanced else REJECTED, "unbalanced" if is_unbalanced else "changed"
        )
    if not quiet:
        click.echo(f"{found.summary}: as published, chained and balanced.")


def _show_result(opened: Any, result: Any, folder: Path, is_new: bool, currency: str) -> None:
    from medcost import terminal
    from medcost.result_tables import as_written

    console = terminal.make_console()
    lines = f", {result.n_lines:,} service lines" if result.n_lines else ""
    console.print(f"[bold]{result.period}[/]: {len(result.units)} units{lines}, {currency}\n")
    shown = ("department_cost", "drg_cost", "reconciliation")
    tables = {name: as_written(result.tables[name]) for name in shown if name in result.tables}
    names = opened.tables["departments"].names("unit_id", "dept_id")
    terminal.show_departments(console, tables, names)
    if "drg_cost" in tables:
        terminal.show_drg_groups(console, tables, _group_names(opened))
    terminal.show_reconciliation(console, tables)
    if "budget_variance" in result.tables:
        executed = as_written(result.tables["budget_variance"])
        terminal.show_budget_execution(console, executed)
    terminal.show_files(console, folder, is_new)


def _group_names(opened: Any) -> dict[str, str]:
    rows = opened.tables.get("drg_groups")
    return {} if rows is None else dict(rows.names("drg_id"))


def _show_error(code: str, what: str, why: str, fix: str) -> None:
    from medcost.messages import LOG, set_up_log

    if "--json-log" in sys.argv:
        set_up_log(json_log=True, quiet=False)
        LOG.error(what, extra={"fields": {"code": code, "why": why, "fix": fix}})
    else:
        click.echo(f"[{code}] {what}\n  why    {why}\n  fix    {fix}", err=True)


def _end_stopped(code: int) -> None:
    _show_error(
        "stopped",
        "Stopped.",
        "a signal came; no run is published by halves",
        "run again; after a run with --resume, what it has finished is not done twice",
    )
    _end(code, "stopped")


def _end(code: int, verdict: str) -> None:
    """Say in the log how the command ended, and end it."""
    if "--json-log" in sys.argv:
        from medcost.messages import LOG

        fields = {"event": "summary", "verdict": verdict, "exit_code": code}
        LOG.error(verdict, extra={"fields": fields})
    sys.exit(code)


class _NoPandas:
    """Arrow imports pandas where it is installed, to know its types if it met them: 170 ms."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        """Nothing here finds a module; pandas is found by nobody else either."""
        if name == "pandas":
            raise ModuleNotFoundError(name=name)


def main() -> None:
    """Run the command and turn every expected error into its exit code, without a traceback."""
    stop_on_signals()
    _require_streams()
    # Arrow takes its memory where everything else does, from what was freed.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    sys.meta_path.insert(0, _NoPandas)
    # A batch makes no cyclic garbage worth looking for, least of all while it imports.
    gc.disable()
    # A thread that has hashed or netted a piece asks for the interpreter for a moment only.
    sys.setswitchinterval(0.001)
    try:
        cli.main(standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        if "--json-log" in sys.argv:
            _show_error("usage", error.format_message(), "", "see medcost --help")
        else:
            error.show()
        _end(error.exit_code, "wrong usage")
    except InputRejected as rejected:
        from medcost.messages import show_faults

        show_faults(rejected.faults, "--json-log" in sys.argv)
        _end(REJECTED, "rejected")
    except InvariantBroken as broken:
        _show_error(
            "balance",
            f"{broken}.",
            "medcost broke a promise of its own",
            "nothing was published; please report this with the book's sizes",
        )
        _end(UNBALANCED, "unbalanced")
    except CannotPublish as error:
        _show_error(
            "cannot-publish",
            str(error),
            "a result is published whole or not at all",
            "free space or give permission, then run again",
        )
        _end(UNPUBLISHED, "not published")
    except (click.Abort, KeyboardInterrupt):
        _end_stopped(INTERRUPTED)
    except Terminated:
        _end_stopped(TERMINATED)
    except OSError as error:
        if error.filename is not None or error.errno not in STREAM_FAILURES:
            raise
        # Every file has its own guard, so this is standard output: closed by its reader or
        # full. What was published stands, and there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        # How it ended is decided: a signal that comes now changes nothing any more.
        ignore_signals()
        # Python would look through everything once more before it ends, 50 ms.
        gc.freeze()


def console() -> None:
    """The program medcost: main, and an end without a look back.

    Everything is written, synced and closed by then; taking Python's modules down again would
    cost as much as costing a small month.
    """
    try:
        main()
        code = 0
    except SystemExit as ended:
        if not isinstance(ended.code, int):
            raise
        code = ended.code
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _require_streams() -> None:
    """Give a process started without standard output or error somewhere to write."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
