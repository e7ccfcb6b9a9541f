"""The report as one HTML page: no network, both languages, tabs, sorting, a choice of unit.

A policy in the page forbids everything that its own hash does not name, so neither a name of the
book nor a mistake of ours can run or fetch anything.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medcost import __version__
from medcost.errors import InvariantBroken
from medcost.report.contents import Report
from medcost.report.largest import ROWS_OF_UNIT, Most
from medcost.report.numbers import turns
from medcost.report.page_tables import GridView, view_grid
from medcost.report.section import Chooser, Matrix, Picture, Section
from medcost.report.words import LANGUAGES, Language, Word, word
from medcost.tables import ELEMENTS

if TYPE_CHECKING:
    from jinja2 import Template

FOLDER = Path(__file__).parent
# The page is mailed and opened on old machines: it stays below this whatever the book.
LARGEST_PAGE = 1_900_000
# Rows of a table and member units that are tried, until the page is small enough.
SHOWN = (
    Most(250, 60), Most(120, 40), Most(80, 24), Most(50, 12), Most(30, 6), Most(10, 3), Most(2, 1),
)  # fmt: skip
# Of the matrices to choose from, as much as so many rows of a table.
BYTES_OF_A_ROW = 700


def build_page(report: Report, language: Language) -> str:
    """The page, UTF-8 text of less than 2 MB, fewer rows in it where there are many.

    Raises InvariantBroken where even the fewest do not fit.
    """
    for most in SHOWN:
        page = _render(report, language, most)
        if len(page.encode()) <= LARGEST_PAGE:
            return page
    raise InvariantBroken("the page is larger than 2 MB however few rows it shows")


def _render(report: Report, language: Language, most: Most) -> str:
    style, script = page_text("page.css"), page_text("page.js")
    units = {unit: i for i, (unit, _) in enumerate(report.units)}
    title = word("report.title")
    about = Word(*(f"{title.of(n)} {report.name.of(n)} {report.period.of(n)}" for n in LANGUAGES))
    sections = [_shown_section(section, units, most) for section in (*report.sections, report.runs)]
    first = report.sections[0].pictures if report.sections else ()
    return template("page.html.j2").render(
        language=language,
        title=about,
        heading=title,
        report=report,
        sections=sections,
        units=units,
        policy=page_policy(style, script),
        style=style,
        script=script,
        version=__version__,
        is_tied=report.is_tied,
        is_sum=report.n_periods > 1,
        money_unit=word("report.money_unit", currency=report.currency),
        overview_picture=first[0] if first else None,
        signatures=[word(f"sign.{who}") for who in ("prepared", "checked", "chief", "date")],
        words={
            "unit_filter": word("report.unit_filter"),
            "unit_all": word("report.unit_all"),
            "language": word("report.language"),
            "print": word("report.print"),
            "overview": word("overview"),
            "made": word("report.made", version=__version__, currency=report.currency),
            "sum_note": word("report.sum_note"),
            "notes": word("notes"),
            "without_script": word("drg_matrix.without_script", sheet=word("drg_matrix.sheet")),
        },
    )


def page_text(name: str) -> str:
    """A file of this folder."""
    return (FOLDER / name).read_text("utf-8")


def template(name: str) -> Template:
    """A template whose values are escaped, and that fails over one that it is not given."""
    # Only now: no other command needs it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["turns"] = turns
    return environment.get_template(name)


def page_policy(style: str, script: str) -> str:
    """The policy that allows nothing but this style and this script."""

    def named(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; style-src {named(style)}; script-src {named(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


@dataclass(frozen=True)
class ChooserView:
    """Matrices to choose from; content: what the script shows, as JSON that no tag can end."""

    title: Word
    notes: tuple[Word, ...]
    content: str


@dataclass(frozen=True)
class SectionView:
    """A section with its tables as they are shown."""

    key: str
    title: Word
    leads: tuple[Word, ...]
    missing: Word | None
    pictures: tuple[Picture, ...]
    grids: tuple[GridView, ...]
    chooser: ChooserView | None


def _shown_section(section: Section, units: dict[str, int], most: Most) -> SectionView:
    pictures = section.pictures[1:] if section.key == "national_01" else section.pictures
    of_units = [picture for picture in pictures if picture.unit][: most.units]
    pictures = (*(picture for picture in pictures if not picture.unit), *of_units)
    grids = tuple(view_grid(grid, units, most) for grid in section.grids if grid.on_page)
    chooser = _view_chooser(section.chooser, units, most) if section.chooser else None
    return SectionView(
        section.key, section.title, section.leads, section.missing, pictures, grids, chooser
    )


def _view_chooser(chooser: Chooser, units: dict[str, int], most: Most) -> ChooserView:
    """The largest matrices, some of every unit, as many as a page of so many rows has room for."""
    services: dict[Word, int] = {}
    kept: list[tuple[int, int, str]] = []
    room = BYTES_OF_A_ROW * most.rows
    for i in _largest_first(chooser.matrices):
        matrix = chooser.matrices[i]
        rows = [[services.setdefault(name, len(services)), *fen] for name, fen in matrix.rows]
        of_unit = units.get(matrix.unit, -1)
        text = _json([of_unit, matrix.label, matrix.cases, [_exact(row) for row in rows]])
        room -= len(text.encode())
        if room < 0 and kept:
            break
        kept.append((of_unit, i, text))
    groups = ",".join(text for *_, text in sorted(kept))
    words = [word(f"element.{element}") for element in ELEMENTS]
    names = ("group", "unit", "drg_matrix.mean", "service_group", "total", "share", "cases")
    content = (
        f'{{"elements":{_json(words)},"services":{_json(list(services))},'
        f'"words":{_json([word(name) for name in names])},"groups":[{groups}]}}'
    )
    notes = list(chooser.notes)
    if len(kept) < len(chooser.matrices):
        shown_, all_ = (f"{n:,}" for n in (len(kept), len(chooser.matrices)))
        notes.append(word("drg_matrix.shown", shown=shown_, all=all_, sheet=chooser.sheet))
    return ChooserView(chooser.title, tuple(notes), content)


def _largest_first(matrices: Sequence[Matrix]) -> list[int]:
    """Places of some matrices of every unit, then of all others; each unit's are the largest."""
    seen: dict[str, int] = {}
    ahead: list[int] = []
    behind: list[int] = []
    for i, matrix in enumerate(matrices):
        seen[matrix.unit] = seen.get(matrix.unit, 0) + 1
        (ahead if seen[matrix.unit] <= ROWS_OF_UNIT else behind).append(i)
    return ahead + behind


def _exact(row: Sequence[int]) -> list[int | str]:
    """Whole numbers as JavaScript reads them without a loss: beyond 53 bits as texts."""
    return [n if abs(n) < 1 << 53 else str(n) for n in row]


def _json(content: object) -> str:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")
