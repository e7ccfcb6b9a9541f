"""The files of a report: a page and a workbook of some months, and the page that lists them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from medcost.errors import named_errors
from medcost.report.contents import compose
from medcost.report.figures import Figures
from medcost.report.index_page import build_index
from medcost.report.page import build_page
from medcost.report.words import Language
from medcost.report.workbook import build_workbook
from medcost.run_folders import read_run_manifest
from medcost.whole_files import replace_file

REPORTS, INDEX = "reports", "index.html"


def default_place(folder: Path) -> Path:
    """Where reports of an output folder go: beside its runs, and beside a run that is named."""
    is_run = read_run_manifest(folder) is not None
    return (folder.resolve().parent if is_run else folder) / REPORTS


def write_report(figures: Figures, place: Path, language: Language) -> list[Path]:
    """Write report_<months>.html and .xlsx, each whole; raises CannotPublish."""
    report = compose(figures)
    first, last = figures.periods[0], figures.periods[-1]
    name = f"report_{first}" if first == last else f"report_{first}_{last}"
    with named_errors(place):
        page, workbook = build_page(report, language), build_workbook(report, language)
        contents = ((f"{name}.html", page.encode()), (f"{name}.xlsx", workbook))
        place.mkdir(parents=True, exist_ok=True)
        for file, content in contents:
            replace_file(place / file, _writer(content))
    return [place / file for file, _ in contents]


def write_index(figures: Figures, place: Path, language: Language) -> Path:
    """Write index.html: every published month with the reports that are there."""
    with named_errors(place):
        place.mkdir(parents=True, exist_ok=True)
        there = sorted(path.name for path in place.glob("report_*") if path.is_file())
        page = build_index(figures, there, language)
        replace_file(place / INDEX, _writer(page.encode()))
    return place / INDEX


def _writer(content: bytes) -> Callable[[Path], object]:
    return partial(_write, content)


def _write(content: bytes, path: Path) -> None:
    path.write_bytes(content)
