"""Commands on a book: sample makes one, check shows its faults."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from medcost.commands.options import (
    DEFAULT_MODEL,
    chosen_periods,
    common_options,
    months_in,
    months_of,
    parse_periods,
    set_up,
)
from medcost.errors import CannotPublish, InputRejected


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--hospitals",
    default=5,
    show_default=True,
    help="Members: 1 lead, the others township; of more than 41, 12 township, the rest village.",
)
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
    from medcost.sample import make_sample

    set_up(json_log, quiet)
    if periods is None:
        raise click.BadParameter("name the months to make", param_hint="--period")
    try:
        is_free = not folder.exists() or not any(folder.iterdir())
    except OSError as error:
        reason = f"{folder} cannot be used: {error.strerror}"
        raise click.BadParameter(reason, param_hint="FOLDER") from None
    if not is_free:
        raise click.BadParameter(f"{folder} is not an empty folder", param_hint="FOLDER")
    months = months_of(periods)
    try:
        totals = make_sample(
            folder,
            hospitals=hospitals,
            lines=lines,
            seed=seed,
            periods=months,
            cost_opening=cost_opening,
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


def cost_opening(folder: Path, period: str) -> Any:
    """Work in progress at the end of a month of the sample: the next month's opening."""
    from medcost.allocation_model import load_model
    from medcost.book import open_book
    from medcost.month_end import cost_period
    from medcost.result_tables import as_written

    costed = cost_period(open_book(folder), load_model(DEFAULT_MODEL), period)
    return as_written(costed.tables["work_in_progress"])


@click.command()
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
    from medcost.checks.consortium import check_consortium, consortium_tables
    from medcost.consortium.inputs import open_consortium
    from medcost.messages import progress_bar
    from medcost.month_end import check_book, distinct_faults, last_stage

    set_up(json_log, quiet)
    if report_file is not None and report_file.suffix.lower() != ".xlsx":
        raise click.BadParameter("name a file that ends in .xlsx", param_hint="--report")
    with _reported(report_file):
        loaded = load_model(model, "departments") if model else None
        through = last_stage(loaded) if loaded else "departments"
        if model and loaded:
            loaded = load_model(model, through)
        shared = open_consortium(book, consortium_tables())
        months = None if periods is None else months_of(periods)
        faults = [*shared.faults, *check_consortium(shared, consortium_tables(), months)]
        chosen = months or months_in(shared.tables.values())
        if not _is_for_consortium(book, shared):
            opened = open_book(book, through)
            chosen = chosen_periods(opened, periods)
            with progress_bar("check", opened.n_lines, not (quiet or json_log)) as progress:
                faults += check_book(
                    opened, chosen, units or None, loaded, threads or os.cpu_count() or 1, progress
                )
        if faults:
            raise InputRejected(distinct_faults(faults))
    if not quiet:
        click.echo(f"No fault found in {', '.join(chosen)}.")


def _is_for_consortium(book: Any, shared: Any) -> bool:
    """Whether a book has tables of the consortium, and none of costing."""
    from medcost.book import REQUIRED_TABLES
    from medcost.parquet_input import find_files

    costing = {name for names in REQUIRED_TABLES.values() for name in names} - {"units"}
    return len(shared.files) > 1 and not any(any(find_files(book, name)) for name in costing)


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
