"""The month-end batch: run."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import click

from medcost.commands.options import (
    OUTPUT,
    chosen_periods,
    common_options,
    loaded_control,
    parse_periods,
    set_up,
    sign_key_option,
    signer,
)

LEAST_MEMORY = 256 << 20


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


@click.command()
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
@sign_key_option
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

    # One thread hashes the book while this one imports, another reads its small tables, and soon
    # others the lines.
    hashes = FolderHashes(book)
    from medcost.book import open_book
    from medcost.threads import begin

    opening = begin(open_book, book, through)
    from medcost.lines_ahead import lines_ahead
    from medcost.messages import progress_bar
    from medcost.output_folder import output_folder

    set_up(json_log, quiet)
    sign = signer(sign_key)
    opened = opening.result()
    chosen, chosen_units = chosen_periods(opened, periods), units or None
    threads = threads or os.cpu_count() or 1
    with (
        output_folder(out, resume) as held,
        progress_bar("lines", opened.n_lines, not (quiet or json_log)) as progress,
        lines_ahead(
            opened, chosen, chosen_units, through, threads, memory, held, progress
        ) as ahead,
    ):
        from medcost.allocation_model import load_model
        from medcost.batch import Publication, run_month_end, summary_of
        from medcost.month_end import BatchOptions

        loaded = load_model(model, through)
        options = BatchOptions(
            chosen_units,
            through,
            threads,
            memory,
            keep=not no_matrix,
            control=loaded_control(control) if control else None,
        )
        publication = Publication(restate, sign)
        done = run_month_end(
            opened, loaded, chosen, options, held, progress, publication, hashes.sha256, ahead
        )
    if not quiet:
        for result, place in done:
            folder = out / place.folder.name
            _show_result(opened, result, folder, place.is_new, loaded.model.model.currency)
        click.echo(summary_of(done))


def _show_result(opened: Any, result: Any, folder: Path, is_new: bool, currency: str) -> None:
    from medcost.result_tables import as_written
    from medcost.terminal import make_console, show_files
    from medcost.terminal_costs import show_departments, show_drg_groups, show_reconciliation
    from medcost.terminal_variance import show_budget_execution

    console = make_console()
    lines = f", {result.n_lines:,} service lines" if result.n_lines else ""
    console.print(f"[bold]{result.period}[/]: {len(result.units)} units{lines}, {currency}\n")
    shown = ("department_cost", "drg_cost", "reconciliation")
    tables = {name: as_written(result.tables[name]) for name in shown if name in result.tables}
    names = opened.tables["departments"].names("unit_id", "dept_id")
    show_departments(console, tables, names)
    if "drg_cost" in tables:
        show_drg_groups(console, tables, _group_names(opened))
    show_reconciliation(console, tables)
    if "budget_variance" in result.tables:
        executed = as_written(result.tables["budget_variance"])
        show_budget_execution(console, executed)
    show_files(console, folder, is_new)


def _group_names(opened: Any) -> dict[str, str]:
    rows = opened.tables.get("drg_groups")
    return {} if rows is None else dict(rows.names("drg_id"))
