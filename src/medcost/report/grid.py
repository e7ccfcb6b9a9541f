"""A table of the report, before it is a part of the page or a sheet of the workbook.

Both are made from the same grid, so they cannot show different figures. A grid is a list of lines:
headings, rows, and totals of the rows between two lines. Totals add up rows and never other totals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from medcost.report.numbers import DECIMALS, Kind, is_extreme, ratio
from medcost.report.words import Word

Cell = str | int | Word | None


@dataclass(frozen=True)
class Column:
    """One column.

    band: the heading over it, shared with its neighbours, which the page shows in one cell;
    ratio: the columns that a quotient is made of, which total lines compute anew; less: the columns
    that a difference is between, which total lines compute anew too, as one of the two may be
    missing in a row; adds: whether total lines add it up; of_every_unit: whether a sum is empty
    where one of its units has no value, as a sum over some units is not comparable; positive:
    whether the quotient is empty over what is not above zero; on_page: whether the page shows it
    too, or only the workbook; is_label: where total lines have their name; aligned: whether
    quantities of the column are of one kind and have equal decimals, of the page, decimals of them.
    """

    key: str
    word: Word
    kind: Kind = "text"
    band: Word | None = None
    ratio: tuple[str, str] | None = None
    less: tuple[str, str] | None = None
    adds: bool = True
    of_every_unit: bool = False
    positive: bool = False
    on_page: bool = True
    is_label: bool = False
    aligned: bool = True
    decimals: int | None = None

    @property
    def is_sum(self) -> bool:
        """Whether total lines add the column up."""
        return self.kind != "text" and self.adds and self.ratio is None and self.less is None


@dataclass(frozen=True)
class Line:
    """One line: cells in the order of the columns.

    unit: the member unit that it is of, '' for the consortium; level: 1 for the weightiest total
    or heading; first: where the rows begin that a total adds up, it ends before the total; minus:
    of a difference, the two lines it is between; at level 1 there should be none.
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

    @property
    def has_extremes(self) -> bool:
        """Whether a rate of it is so large that it is only said to be."""
        rates = [i for i, column in enumerate(self.columns) if column.kind == "rate"]
        return any(
            isinstance(cell := line.cells[i], int) and is_extreme(cell, "rate")
            for line in self.lines
            if line.kind != "heading"
            for i in rates
        )

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

    def total(
        self,
        label: Word,
        first: int,
        unit: str = "",
        level: int = 3,
        known: Mapping[str, Cell] | None = None,
    ) -> int:
        """The sum of the rows since the line first; returns its own place.

        known: cells by column that are not added up but known otherwise.
        """
        rows = [line for line in self.found[first:] if line.kind == "row"]
        cells = total_cells(self.columns, rows, label, known)
        self.found.append(Line("total", cells, unit, level, first))
        return len(self.found) - 1

    def difference(
        self, label: Word, of: tuple[int, int], unit: str = "", is_nothing: bool = True
    ) -> None:
        """What one line is more than another, column by column; whether it has to be nothing."""
        more, less = (self.found[i].cells for i in of)
        cells = tuple(
            label if column.is_label else (_whole(a) - _whole(b) if column.is_sum else None)
            for column, a, b in zip(self.columns, more, less, strict=True)
        )
        self.found.append(Line("difference", cells, unit, 1 if is_nothing else 2, 0, of))


def _whole(cell: Cell) -> int:
    return cell if isinstance(cell, int) else 0


def total_cells(
    columns: Sequence[Column],
    rows: Sequence[Line],
    label: Word,
    known: Mapping[str, Cell] | None = None,
) -> tuple[Cell, ...]:
    """Cells of a total: sums, differences and quotients of sums, and the label; else None.

    A sum over no value at all is None too. known: cells by column that take the sums' place.
    """
    place = {column.key: i for i, column in enumerate(columns)}
    cells: list[Cell] = [None] * len(columns)
    for i, column in enumerate(columns):
        if column.is_label:
            cells[i] = label
        elif column.is_sum:
            cells[i] = _sum_of(rows, i, column.of_every_unit)
    for key, cell in (known or {}).items():
        cells[place[key]] = cell
    for i, column in enumerate(columns):
        if column.less is not None:
            whole, part = (cells[place[key]] for key in column.less)
            is_known = isinstance(whole, int) and isinstance(part, int)
            cells[i] = whole - part if is_known else None  # type: ignore[operator]
    for i, column in enumerate(columns):
        if column.ratio is not None:
            top, bottom = (place[key] for key in column.ratio)
            cells[i] = quotient(columns, cells[top], cells[bottom], column, top, bottom)
    return tuple(cells)


def _sum_of(rows: Sequence[Line], place: int, of_every_unit: bool) -> int | None:
    """The sum of a column over rows; None over no value, or where one must be of every unit."""
    there = [line for line in rows if line.cells[place] is not None]
    if not there or (of_every_unit and {x.unit for x in rows} != {x.unit for x in there}):
        return None
    return sum(_whole(line.cells[place]) for line in there)


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
    if column.positive and denominator < 0:
        return None
    scale = DECIMALS[column.kind] - DECIMALS[columns[top].kind] + DECIMALS[columns[bottom].kind]
    return ratio(numerator, denominator, 10**scale)
