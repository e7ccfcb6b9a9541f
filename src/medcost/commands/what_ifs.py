"""What-ifs: recost."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import click

from medcost.commands.options import OUTPUT, PERIOD, common_options, require_own_folder, set_up


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


@click.command()
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

    set_up(json_log, quiet)
    if period is not None and not re.fullmatch(PERIOD, period):
        raise click.BadParameter("write YYYY-MM", param_hint="--period")
    run = only_run(folder, period, unit)
    require_own_folder(out, run, "a what-if")
    with output_folder(out) as held:
        done = recost_run(run, held, model, replaced, threads or os.cpu_count() or 1)
    if not quiet:
        _show_what_if(done, out)


def _show_what_if(done: Any, out: Path) -> None:
    from medcost.comparison import levels_of
    from medcost.result_tables import as_written
    from medcost.terminal import make_console, show_files
    from medcost.terminal_costs import show_comparison, show_reconciliation

    console = make_console()
    levels = levels_of(done.result.tables)
    show_comparison(console, done.comparison, done.original.name, levels)
    show_reconciliation(
        console, {"reconciliation": as_written(done.result.tables["reconciliation"])}
    )
    show_files(console, out / done.place.folder.name, done.place.is_new)
