"""Tables as the page's template wants them: rows, cells and what can be sorted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from medcost.report.grid import Cell, Column, Grid, Line
from medcost.report.largest import Most, shorten
from medcost.report.numbers import COUNTED, decimals_of, shown
from medcost.report.words import Word, same, word

# Characters of a line of figures beyond which a table is printed smaller.
WIDE, WIDER = 175, 225


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
        if column.kind in COUNTED and column.aligned
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


# Words that a reader must not overlook, by the column that they stand in.
ALARMS = {
    "alert": ("alert.over", "alert.under", "alert.unbudgeted"), "freeze": ("freeze.yes",),
    "requested_met": ("met.no",), "approved_met": ("met.no",), "targets": ("targets.missed",),
    "verdict": ("verdict.not_reached", "verdict.no_contribution"),
}  # fmt: skip
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
        style = "name" if column.key.endswith("name") else "t"
        if isinstance(value, Word):
            alarms = map(word, ALARMS.get(column.key, ()))
            return CellView("f" if value in alarms else style, word=value)
        return CellView(style, text=str(value or ""))
    return CellView("n", _number(column, value, is_row))


def _number(column: Column, value: Cell, is_row: bool) -> str:
    """A number; in rows a dash where there is none, in totals nothing."""
    if isinstance(value, int):
        return shown(value, column.kind, column.decimals)
    return shown(None, column.kind) if is_row else ""
