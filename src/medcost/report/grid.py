"""A table of the report, before it is a part of the page or a sheet of the workbook.

Both are made from the same grid, so they cannot show different figures. A grid is a list of lines:
headings, rows, and totals of the rows between two lines. Totals add up rows and never other totals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from medcost.report.numbers import DECIMALS, Kind, ratio
from medcost.report.words import Word

Cell = str | int | Word | None


@dataclass(frozen=True)
class Column:
    """One column.

    band: the heading over it, shared with its neighbours, which the page shows in one cell;
    ratio: the columns that a quotient is made of, which total lines compute anew; less: the columns
    that a difference is between, which total lines compute anew too, as one of the two may be
    missing in a row; adds: whether total lines add it up; on_page: whether the page shows it too,
    or only the workbook; is_label: where total lines have their name.
    """

    key: str
    word: Word
    kind: Kind = "text"
    band: Word | None = None
    ratio: tuple[str, str] | None = None
    less: tuple[str, str] | None = None
    adds: bool = True
    on_page: bool = True
    is_label: bool = False
    note: Word | None = None

    @property
    def is_sum(self) -> bool:
        """Whether total lines add the column up."""
        return self.kind != "text" and self.adds and self.ratio is None and self.less is None


@dataclass(frozen=True)
class Line:
    """One line: cells in the order of the columns.

    unit: the member unit that it is of, '' for the consortium; level: 1 for the weightiest total
    or heading; first: where the rows begin that a total adds up, it ends before the total; minus:
    of a difference, the two lines it is between.
    """

    kind: Literal["heading", "row", "total", "difference"]
    cells: tuple[Cell, ...]
    unit: str = ""
    level: int = 3
    first: int = 0
    minus: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Grid:
    """A table with its title, notes and lines.

    rank: the column by which the largest rows are chosen where the page cannot show all; adds_up:
    whether what is left out can be added up in one line; empty:
    the sentence that stands in place of a table without rows.
    """

    key: str
    title: Word
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    notes: tuple[Word, ...] = ()
    rank: str = ""
    adds_up: bool = True
    empty: Word | None = None
    sheet: Word | None = None
    on_page: bool = True

    def place(self, key: str) -> int:
        """Position of a column; KeyError where there is none."""
        for i, column in enumerate(self.columns):
            if column.key == key:
                return i
        raise KeyError(key)

    @property
    def n_rows(self) -> int:
        """Rows that are no heading, total or difference."""
        return sum(line.kind == "row" for line in self.lines)


@dataclass
class Lines:
    """Lines being put together, in the order in which they will stand."""

    columns: tuple[Column, ...]
    found: list[Line] = field(default_factory=list)

    def heading(self, label: Word, unit: str = "", level: int = 2) -> None:
        """A line that names what follows."""
        self.found.append(Line("heading", (label,), unit, level))

    def rows(self, cells: Iterable[Sequence[Cell]], unit: str = "", level: int = 3) -> int:
        """Rows; returns where they begin. Those of level 1 keep their place when others move."""
        first = len(self.found)
        self.found += [Line("row", tuple(row), unit, level) for row in cells]
        return first

    def total(self, label: Word, first: int, unit: str = "", level: int = 3) -> int:
        """The sum of the rows since the line first; returns its own place."""
        rows = [line.cells for line in self.found[first:] if line.kind == "row"]
        cells = total_cells(self.columns, rows, label)
        self.found.append(Line("total", cells, unit, level, first))
        return len(self.found) - 1

    def difference(self, label: Word, of: tuple[int, int], unit: str = "") -> None:
        """What one line is more than another, column by column."""
        more, less = (self.found[i].cells for i in of)
        cells = tuple(
            label if column.is_label else (_whole(a) - _whole(b) if column.is_sum else None)
            for column, a, b in zip(self.columns, more, less, strict=True)
        )
        self.found.append(Line("difference", cells, unit, 1, 0, of))


def _whole(cell: Cell) -> int:
    return cell if isinstance(cell, int) else 0


def total_cells(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], label: Word
) -> tuple[Cell, ...]:
    """Cells of a total: sums, differences and quotients of sums, and the label; else None.

    A sum over no value at all is None too.
    """
    place = {column.key: i for i, column in enumerate(columns)}
    cells: list[Cell] = [None] * len(columns)
    for i, column in enumerate(columns):
        if column.is_label:
            cells[i] = label
        elif column.is_sum:
            values = [row[i] for row in rows if row[i] is not None]
            cells[i] = sum(_whole(value) for value in values) if values else None
    for i, column in enumerate(columns):
        if column.less is not None:
            whole, part = (cells[place[key]] for key in column.less)
            known = isinstance(whole, int) and isinstance(part, int)
            cells[i] = whole - part if known else None  # type: ignore[operator]
    for i, column in enumerate(columns):
        if column.ratio is not None:
            top, bottom = (place[key] for key in column.ratio)
            cells[i] = quotient(columns, cells[top], cells[bottom], column, top, bottom)
    return tuple(cells)


def quotient(
    columns: Sequence[Column],
    numerator: Cell,
    denominator: Cell,
    column: Column,
    top: int,
    bottom: int,
) -> int | None:
    """A quotient of two cells at the scale of its column."""
    if not isinstance(numerator, int) or not isinstance(denominator, int):
        return None
    scale = DECIMALS[column.kind] - DECIMALS[columns[top].kind] + DECIMALS[columns[bottom].kind]
    return ratio(numerator, denominator, 10**scale)
