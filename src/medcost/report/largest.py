"""The largest rows of a table, where a page or a sheet cannot hold them all.

What is left out is added up in lines of others, so that what is shown still adds up to the totals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from medcost.report.grid import Grid, Line, total_cells
from medcost.report.words import word

# Of every unit that is shown so many rows stay, or as many as there may be.
ROWS_OF_UNIT = 5


@dataclass(frozen=True)
class Most:
    """How many rows and member units of one table are shown; about, rows of each unit stay."""

    rows: int
    units: int


def shorten(grid: Grid, most: Most) -> tuple[list[Line], int]:
    """The lines with the largest units and rows only, and how many rows are left out."""
    lines = _of_largest_units(grid, most.units)
    rows = [i for i, line in enumerate(lines) if line.kind == "row"]
    if grid.adds_up and grid.rank and len(rows) > most.rows:
        lines = _largest_rows(grid, lines, rows, most.rows)
    return lines, grid.n_rows - sum(line.kind == "row" for line in lines)


def _weight(grid: Grid, line: Line) -> int:
    value = line.cells[grid.place(grid.rank)] if grid.rank else 0
    return abs(value) if isinstance(value, int) else 0


def _of_largest_units(grid: Grid, most: int) -> list[Line]:
    """The lines of the largest units, and of none; the rows of the others as one line."""
    weights: dict[str, int] = {}
    for line in grid.lines:
        if line.kind == "row" and line.unit:
            weights[line.unit] = weights.get(line.unit, 0) + _weight(grid, line)
    ranked = sorted(weights, key=lambda unit: (-weights[unit], unit))
    dropped = set(ranked[most:])
    if not dropped:
        return list(grid.lines)
    kept = [line for line in grid.lines if line.unit not in dropped]
    if not grid.adds_up:
        return kept
    rest = [line for line in grid.lines if line.kind == "row" and line.unit in dropped]
    label = word("other_units", n=f"{len(dropped):,}")
    others = Line("total", total_cells(grid.columns, rest, label), level=4)
    last = kept[-1:] if kept and kept[-1].kind == "total" and not kept[-1].unit else []
    return [*kept[: len(kept) - len(last)], others, *last]


def _largest_rows(grid: Grid, lines: Sequence[Line], rows: Sequence[int], most: int) -> list[Line]:
    """The largest rows, some of every unit; those left out of a block are one line at its end."""
    ranked = sorted(rows, key=lambda i: (-_weight(grid, lines[i]), i))
    kept = set(ranked[:most])
    of_unit: dict[str, int] = {}
    for i in ranked:
        unit = lines[i].unit
        if of_unit.setdefault(unit, 0) < min(ROWS_OF_UNIT, most):
            kept.add(i)
            of_unit[unit] += 1
    found: list[Line] = []
    rest: list[Line] = []
    for i, line in enumerate(lines):
        if line.kind == "row" and i not in kept:
            rest.append(line)
            continue
        if line.kind != "row" and rest:
            found.append(_others(grid, rest))
            rest = []
        found.append(line)
    return [*found, _others(grid, rest)] if rest else found


def _others(grid: Grid, rest: Sequence[Line]) -> Line:
    label = word("others", n=f"{len(rest):,}")
    cells = total_cells(grid.columns, rest, label)
    units = {line.unit for line in rest}
    return Line("total", cells, units.pop() if len(units) == 1 else "", level=4)
