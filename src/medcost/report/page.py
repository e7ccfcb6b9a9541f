"""The report as one HTML page: no network, both languages, tabs, sorting, a choice of unit.

A policy in the page forbids everything that its own hash does not name, so neither a name of the
book nor a mistake of ours can run or fetch anything.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from medcost import __version__
from medcost.errors import InvariantBroken
from medcost.report.contents import Report
from medcost.report.grid import Cell, Column, Grid, Line
from medcost.report.largest import ROWS_OF_UNIT, Most, shorten
from medcost.report.numbers import COUNTED, decimals_of, shown, turns
from medcost.report.section import Chooser, Matrix, Picture, Section
from medcost.report.words import LANGUAGES, Language, Word, same, word
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
# Characters of a line of figures beyond which a table is printed smaller.
WIDE, WIDER = 175, 225
# Of the matrices to choose from, as much as so many rows of a table.
BYTES_OF_A_ROW = 700


@dataclass(frozen=True)
class CellView:
    """One cell: a text, a word in both languages, or parts one below the other."""

    style: str
    text: str = ""
    word: Word | None = None
    parts: tuple[str, ...] = ()
    words: tuple[Word, ...] = ()
    strong: int = 0
    span: int = 1


@dataclass(frozen=True)
class RowView:
    """One line of a table; unit: the number by which the choice of a unit finds it."""

    style: str
    cells: tuple[CellView, ...] = ()
    heading: Word | None = None
    unit: int | None = None


@dataclass(frozen=True)
class BodyView:
    """Lines that stand together: rows that are sorted among themselves, or others."""

    rows: tuple[RowView, ...]
    is_rows: bool
    unit: int | None = None


@dataclass(frozen=True)
class HeadView:
    """One heading; part: which of a cell's parts it sorts by, -1 for the last."""

    word: Word
    is_number: bool
    part: int = 0
    sorts: bool = True


@dataclass(frozen=True)
class GridView:
    """A table as the template wants it."""

    key: str
    title: Word
    heads: tuple[HeadView, ...]
    bodies: tuple[BodyView, ...]
    notes: tuple[Word, ...]
    said: Word | None
    empty: Word | None
    width: str


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


def view_grid(grid: Grid, units: dict[str, int], most: Most) -> GridView:
    """A table of at most about so many rows; what is left out stands in lines of others."""
    lines, left_out = shorten(grid, most)
    columns = _aligned(grid.columns, lines)
    bands = _bands(columns)
    said = None
    if left_out:
        said = word(
            "report.shown" if grid.adds_up else "report.left_out",
            shown=f"{grid.n_rows - left_out:,}",
            all=f"{grid.n_rows:,}",
            left=f"{left_out:,}",
            sheet=grid.sheet or grid.title,
        )
    has_rows = any(line.kind == "row" for line in lines)
    return GridView(
        grid.key,
        grid.title,
        tuple(_heads(columns, bands)),
        tuple(_bodies(columns, bands, lines, units)),
        (*grid.notes, *([word("report.extreme")] if grid.has_extremes else [])),
        said,
        None if has_rows else (grid.empty or word("report.no_rows")),
        _width(columns, bands, lines),
    )


def _aligned(columns: Sequence[Column], lines: Sequence[Line]) -> tuple[Column, ...]:
    """The columns, those of quantities with as many decimals as the longest of them."""

    def values(i: int) -> Iterator[int]:
        cells = (line.cells[i] for line in lines if line.kind != "heading")
        return (cell for cell in cells if isinstance(cell, int))

    return tuple(
        replace(column, decimals=decimals_of(values(i), column.kind))
        if column.kind in COUNTED
        else column
        for i, column in enumerate(columns)
    )


def _bands(columns: Sequence[Column]) -> list[list[int]]:
    """Columns on the page; those under one band share a cell."""
    found: list[list[int]] = []
    for i, column in enumerate(columns):
        if not column.on_page:
            continue
        before = columns[found[-1][-1]].band if found else None
        if column.band is not None and column.band == before:
            found[-1].append(i)
        else:
            found.append([i])
    return found


def _heads(columns: Sequence[Column], bands: Sequence[Sequence[int]]) -> Iterator[HeadView]:
    """A heading for each cell; one without words over the names of what stands below each other."""
    parts_named = False
    for band in bands:
        first = columns[band[0]]
        if len(band) > 1 and not parts_named:
            yield HeadView(same(""), False, sorts=False)
            parts_named = True
        part = _strong(columns, band) if len(band) > 1 else 0
        yield HeadView(first.band or first.word, first.kind != "text", part)


def _strong(columns: Sequence[Column], band: Sequence[int]) -> int:
    """Which part of a cell counts: the last amount."""
    return max(i for i, column in enumerate(band) if columns[column].kind == "money")


def _width(columns: Sequence[Column], bands: Sequence[Sequence[int]], lines: Sequence[Line]) -> str:
    """How small the table is printed, by the longest figures of its columns."""
    wide = 0
    for band in bands:
        numbers = [i for i in band if columns[i].kind != "text"]
        if not numbers:
            wide += 14
            continue
        wide += 2 + max(
            (
                len(shown(cell, columns[i].kind))
                for line in lines
                if line.kind != "heading"
                for i in numbers
                if isinstance(cell := line.cells[i], int)
            ),
            default=6,
        )
    return "wider" if wide > WIDER else "wide" if wide > WIDE else ""


def _bodies(
    columns: Sequence[Column],
    bands: Sequence[Sequence[int]],
    lines: Sequence[Line],
    units: dict[str, int],
) -> Iterator[BodyView]:
    """Lines as bodies: a run of rows that may be sorted, or of other lines, of one unit or none."""
    at = 0
    while at < len(lines):
        is_rows = _is_sorted(lines[at])
        end = at
        while end < len(lines) and _is_sorted(lines[end]) == is_rows:
            end += 1
        rows = tuple(_row(columns, bands, line, units) for line in lines[at:end])
        of = {row.unit for row in rows}
        if len(of) == 1 and None not in of:
            yield BodyView(tuple(replace(row, unit=None) for row in rows), is_rows, of.pop())
        else:
            yield BodyView(rows, is_rows)
        at = end


def _is_sorted(line: Line) -> bool:
    return line.kind == "row" and line.level != 1


STYLES_OF_TEXT = {"alert": "f", "freeze": "f"}
STYLES = {
    ("row", 1): "fix", ("heading", 1): "h1", ("heading", 2): "h2", ("total", 1): "t1",
    ("total", 2): "t2", ("total", 3): "t3", ("total", 4): "rest",
}  # fmt: skip


def _row(
    columns: Sequence[Column], bands: Sequence[Sequence[int]], line: Line, units: dict[str, int]
) -> RowView:
    unit = units.get(line.unit, -1)
    if line.kind == "heading":
        label = line.cells[0]
        heading = label if isinstance(label, Word) else same(str(label))
        return RowView(STYLES[line.kind, line.level], heading=heading, unit=_of(unit, line))
    style = STYLES.get((line.kind, line.level), "")
    if line.kind == "difference":
        is_off = line.level == 1 and any(isinstance(cell, int) and cell for cell in line.cells)
        style = "d off" if is_off else "d"
    is_row = line.kind == "row"
    return RowView(style, tuple(_cells(columns, bands, line.cells, is_row)), unit=_of(unit, line))


def _cells(
    columns: Sequence[Column], bands: Sequence[Sequence[int]], cells: Sequence[Cell], is_row: bool
) -> Iterator[CellView]:
    """The cells of a line; the name of a total reaches over the empty texts behind it."""
    parts_named = False
    at = 0
    while at < len(bands):
        band = bands[at]
        if len(band) > 1 and not parts_named:
            is_there = any(cells[i] is not None for i in band)
            names = tuple(columns[i].word for i in band) if is_there else ()
            yield CellView("k", words=names, strong=_strong(columns, band))
            parts_named = True
        end = at + 1
        if not is_row and columns[band[0]].kind == "text" and cells[band[0]] is not None:
            while end < len(bands) and _is_empty_text(columns, cells, bands[end]):
                end += 1
        yield replace(_cell(columns, band, cells, is_row), span=end - at)
        at = end


def _is_empty_text(columns: Sequence[Column], cells: Sequence[Cell], band: Sequence[int]) -> bool:
    return columns[band[0]].kind == "text" and cells[band[0]] is None


def _of(unit: int, line: Line) -> int | None:
    """The unit's number; -1 for a total of all, which no chosen unit shows; None for neither."""
    if unit >= 0:
        return unit
    return -1 if line.kind == "total" and not line.unit else None


def _cell(
    columns: Sequence[Column], band: Sequence[int], cells: Sequence[Cell], is_row: bool
) -> CellView:
    column, value = columns[band[0]], cells[band[0]]
    if len(band) > 1:
        parts = tuple(_number(columns[i], cells[i], is_row) for i in band)
        return CellView("n", parts=parts, strong=_strong(columns, band))
    if column.kind == "text":
        style = STYLES_OF_TEXT.get(column.key, "name" if column.key.endswith("name") else "t")
        if isinstance(value, Word):
            return CellView(style, word=value)
        return CellView(style, text=str(value or ""))
    return CellView("n", _number(column, value, is_row))


def _number(column: Column, value: Cell, is_row: bool) -> str:
    """A number; in rows a dash where there is none, in totals nothing."""
    if isinstance(value, int):
        return shown(value, column.kind, column.decimals)
    return shown(None, column.kind) if is_row else ""
