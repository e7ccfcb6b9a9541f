"""Whole processes measured: medcost on registered shapes or a given book, beside its rivals.

python -m benchmarks run [--shape county ...] [--lines 30e6] [--threads 2] [--repeat 7]
python -m benchmarks run --book BOOK --model MODEL --period 2026-01 [--rival script.py ...]
python -m benchmarks growth --of lines --values 1e6,3e6,10e6,30e6
python -m benchmarks shapes
python -m benchmarks markdown .benchmarks/run.json .benchmarks/growth-lines.json
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from benchmarks.agreement import DisagreementError
from benchmarks.bare_decoding import line_files
from benchmarks.books import PERIOD, find_book
from benchmarks.markdown import markdown_tables
from benchmarks.phases import EXTRAS, OUR_RIVALS, Result, Subject, installed_rivals, measure
from benchmarks.processes import ProcessFailedError
from benchmarks.report import (
    as_json,
    show_growth,
    show_machine,
    show_result,
    write_json,
)
from benchmarks.shapes import SHAPES, grown
from medcost.commands.options import DEFAULT_MODEL

# Enough to see every phase, few enough for a few minutes over all shapes.
DEFAULT_LINES = "300000"
DEFAULT_JSON = Path(".benchmarks")
WIDTH = 160


class Count(click.ParamType[int]):
    """A whole number, also as 30e6."""

    name = "number"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """The number, refused unless it is whole and above zero."""
        try:
            number = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number", param, ctx)
        if number < 1 or number != int(number):
            self.fail(f"{value!r} is not a whole number above zero", param, ctx)
        return int(number)


def parse_values(_context: click.Context, option: click.Parameter, value: str) -> list[int]:
    """Numbers separated by commas."""
    return [Count().convert(part, option, _context) for part in value.split(",")]


def parse_rivals(
    _context: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...]:
    """Our rivals that are installed, unless others are named; none for none at all."""
    if not given:
        return installed_rivals()
    scripts = [rival for rival in given if rival not in (*OUR_RIVALS, "none")]
    for script in scripts:
        if not Path(script).is_file():
            raise click.BadParameter(f"{script} is neither duckdb, polars, none nor a script")
    # The measured processes run in the project's folder.
    named = [str(Path(rival).resolve()) if rival in scripts else rival for rival in given]
    return () if "none" in given else tuple(named)


def common_options(command: Any) -> Any:
    """Options of every measuring command; the sizes also by environment, for make bench."""
    options = [
        click.option(
            "--lines",
            type=Count(),
            default=DEFAULT_LINES,
            show_default=True,
            envvar="MEDCOST_BENCH_LINES",
            help="Of a shape; also as 30e6.",
        ),
        click.option(
            "--threads",
            type=Count(),
            default=os.cpu_count() or 1,
            envvar="MEDCOST_BENCH_THREADS",
            help="For medcost and rivals alike.",
        ),
        click.option(
            "--repeat",
            type=Count(),
            default=5,
            show_default=True,
            envvar="MEDCOST_BENCH_REPEAT",
            help="Runs of each contender, after one that does not count.",
        ),
        click.option(
            "--rival",
            "rivals",
            multiple=True,
            callback=parse_rivals,
            help="duckdb, polars, none, or a script called with BOOK POOLS OUT THREADS.",
        ),
        click.option(
            "--json", "json_path", type=click.Path(path_type=Path), help="Where the JSON goes."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def main() -> None:
    """How fast medcost is, beside DuckDB, Polars and bare decoding."""


@main.command()
def shapes() -> None:
    """List the registered shapes."""
    table = Table(box=None, pad_edge=False)
    for trait in asdict(SHAPES["county"]):
        table.add_column(trait.replace("_", " "), no_wrap=True)
    for shape in SHAPES.values():
        table.add_row(*(str(value) for value in asdict(shape).values()))
    Console(width=WIDTH, highlight=False).print(table)


@main.command()
@click.option("--shape", "names", multiple=True, type=click.Choice(list(SHAPES)))
@click.option(
    "--book",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="A book that is there already, instead of a shape.",
)
@click.option("--model", default=DEFAULT_MODEL, show_default=True)
@click.option("--period", default=PERIOD, show_default=True)
@click.option("--phase", "extras", multiple=True, type=click.Choice(EXTRAS), help="Default: all.")
@common_options
def run(
    names: tuple[str, ...],
    book: Path | None,
    model: str,
    period: str,
    extras: tuple[str, ...],
    lines: int,
    threads: int,
    repeat: int,
    rivals: tuple[str, ...],
    json_path: Path | None,
) -> None:
    """Measure every phase and rival on shapes (default: all) or on one given book."""
    console = Console(width=WIDTH, highlight=False)
    show_machine(console)
    if Path(model).is_file():
        model = str(Path(model).resolve())
    if book is not None:
        subjects = [Subject(book.name, book, count_lines(book), period, model, threads)]
    else:
        subjects = [
            Subject(name, find_book(SHAPES[name], lines), lines, period, model, threads)
            for name in names or (name for name in SHAPES if name != "smallest")
        ]
    results = []
    wanted = set(extras or EXTRAS)
    for subject in subjects:
        results.append(measured(console, subject, rivals, repeat, wanted))
        show_result(console, results[-1])
        # No book makes the start-up longer, so one measures it for all.
        wanted -= {"start-up"}
    path = json_path or DEFAULT_JSON / "run.json"
    write_json(path, as_json(results, {"repeat": repeat, "model": model}))
    console.print(f"written to {path}")


@main.command()
@click.option(
    "--of",
    type=click.Choice(["lines", "cases", "activities", "units", "threads"]),
    required=True,
    help="What grows; cases by lines per case, activities by items.",
)
@click.option("--values", required=True, callback=parse_values, help="For example 1e6,3e6,10e6.")
@click.option("--shape", "name", default="county", type=click.Choice(list(SHAPES)))
@common_options
def growth(
    of: str,
    values: list[int],
    name: str,
    lines: int,
    threads: int,
    repeat: int,
    rivals: tuple[str, ...],
    json_path: Path | None,
) -> None:
    """Measure the whole run over a series, and print seconds per million lines."""
    console = Console(width=WIDTH, highlight=False)
    show_machine(console)
    results = []
    for value in values:
        shape = SHAPES[name]
        n_lines = value if of == "lines" else lines
        n_threads = value if of == "threads" else threads
        if of in ("cases", "activities", "units"):
            shape = grown(shape, of, value)
        book = find_book(shape, n_lines)
        subject = Subject(shape.name, book, n_lines, PERIOD, DEFAULT_MODEL, n_threads)
        results.append(measured(console, subject, rivals, repeat, ()))
    show_growth(console, of, values, results)
    path = json_path or DEFAULT_JSON / f"growth-{of}.json"
    write_json(path, as_json(results, {"repeat": repeat, "of": of, "values": values}))
    console.print(f"written to {path}")


@main.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def markdown(files: tuple[Path, ...]) -> None:
    """Print the tables of docs/performance.md from the JSON of runs and series."""
    for file in files:
        for text in markdown_tables(json.loads(file.read_text("utf-8"))):
            click.echo(f"{text}\n")


def measured(
    console: Console,
    subject: Subject,
    rivals: Sequence[str],
    repeat: int,
    extras: Collection[str],
) -> Result:
    """The result, with a line that shows how far it is; or an end with what a process said."""
    with console.status(subject.label) as status:

        def say(what: str) -> None:
            status.update(f"{subject.label}: {what}")

        try:
            return measure(subject, rivals, repeat, extras, say)
        except (ProcessFailedError, DisagreementError) as error:
            raise click.ClickException(str(error)) from None


def count_lines(book: Path) -> int:
    """Service lines of a book, by its footers."""
    single = book / "service_lines.parquet"
    files = [single] if single.exists() else line_files(book)
    return sum(pq.read_metadata(file).num_rows for file in files)
