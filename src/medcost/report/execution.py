"""How much of the budget was spent: by unit, element, department and group, and by month."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from medcost.report.columns import (
    close_all,
    close_unit,
    department_columns,
    unit_columns,
    unit_heading,
)
from medcost.report.execution_heat import execution_heat
from medcost.report.figures import Figures, Rows
from medcost.report.grid import Cell, Column, Grid, Lines, total_cells
from medcost.report.kept_names import Key
from medcost.report.numbers import visible
from medcost.report.section import Section
from medcost.report.sums import Sum, added, rate_of
from medcost.report.words import SEPARATOR, Word, joined, word
from medcost.tables import ELEMENTS

# Figures that one month is compared with, and the published difference and rate of each.
COMPARED = (
    ("last_month", "last_month_change", "last_month_rate"),
    ("last_year", "last_year_change", "last_year_rate"),
    ("peer_mean", "peer_difference", "peer_rate"),
)
TO_DATE = ("year_to_date", "year_to_date_budget", "year_to_date_variance", "year_to_date_rate")
FLAGS = ("favourable", "alert", "freeze", "approval_tier")


@dataclass(frozen=True)
class Table:
    """One table of execution.

    levels: of the published rows; keys: what a row is of; total_level: whose published rows say
    of each unit what its lines together have; is_wide: whether the page shows what a month is
    compared with too, and not only the differences.
    """

    key: str
    levels: tuple[str, ...]
    keys: tuple[str, ...]
    total_level: str = ""
    is_wide: bool = False

    @property
    def has_blocks(self) -> bool:
        """Whether the rows of a unit stand under its name and above its total."""
        return self.key in ("variance_unit_elements", "variance_departments")


UNITS = Table("variance_units", ("unit",), ("unit_id",), "unit", True)
TABLES = (
    Table("variance_unit_elements", ("element",), ("unit_id", "element"), "unit"),
    Table("variance_departments", ("department",), ("unit_id", "dept_id"), "unit"),
    Table("variance_groups", ("drg",), ("unit_id", "drg_id"), "drg_total"),
    # A department's elements and a group's are the same cost twice: they have no total together.
    Table(
        "variance_lines",
        ("department_element", "drg_element"),
        ("unit_id", "dept_id", "drg_id", "element"),
    ),
)


def execution(figures: Figures) -> Section:
    """How much of each budget was spent: by unit, element, department and group."""
    rows = figures.tables["budget_variance"]
    if not rows.n:
        return Section("variance", word("variance"), missing=word("variance.missing"))
    units, *others = (_grid(figures, rows, table) for table in (UNITS, *TABLES))
    grids = (
        units,
        *((_over_budget(figures, rows),) if _is_single(figures) else ()),
        _elements_together(figures, rows, others[0], units),
        *others,
    )
    return Section(
        "variance",
        word("variance"),
        (),
        tuple(execution_heat(figures)),
        tuple(grid for grid in grids if grid.n_rows or grid.empty),
    )


def _is_single(figures: Figures) -> bool:
    return len(figures.periods) == 1


def _compared_with(figures: Figures) -> set[str]:
    """What of the month is compared: a figure that nothing has no column."""
    rows = figures.tables["budget_variance"]
    return {base for base, *_ in COMPARED if rows.present[base].any()}


def _columns(figures: Figures, table: Table) -> tuple[Column, ...]:
    """What a row is of, budget and actual cost, and of one month flags and comparisons."""
    element = Column("element", word("element"), is_label=True)
    group = (Column("drg_id", word("group")), Column("drg_name", word("name")))
    names: dict[str, tuple[Column, ...]] = {
        "variance_units": (
            Column("unit_id", word("unit"), is_label=True),
            Column("unit_name", word("name")),
        ),
        "variance_elements": (element,),
        "variance_unit_elements": (*unit_columns(), element),
        "variance_departments": (*unit_columns(), *department_columns()),
        "variance_groups": (Column("unit_id", word("unit"), is_label=True), *group),
        "variance_lines": _line_columns(),
    }
    of_month = (
        *(Column(flag, word(flag)) for flag in FLAGS),
        *(
            column
            for names in COMPARED
            if names[0] in _compared_with(figures)
            for column in _compared(names, table)
        ),
        *_to_date(table),
    )
    return (
        *names[table.key],
        Column("budget", word("budget"), "money"),
        Column("actual", word("actual"), "money"),
        Column("variance", word("variance.amount"), "money", less=("actual", "budget")),
        Column(
            "execution_rate", word("execution_rate"), "rate", ratio=("actual", "budget"),
            positive=True,
        ),
        *(of_month if _is_single(figures) else ()),
    )  # fmt: skip


def _line_columns() -> tuple[Column, ...]:
    """What a line is of: a department or a group, and an element."""
    return (
        Column("unit_id", word("unit"), is_label=True),
        Column("dept_id", word("department")),
        Column("drg_id", word("group")),
        Column("line_name", word("name")),
        Column("element", word("element")),
    )


def _compared(names: tuple[str, str, str], table: Table) -> Iterator[Column]:
    """A figure that the month is compared with, the difference and its rate."""
    base, change, rate = names
    # All units together have no peers, and means of peers are not added up.
    if base == "peer_mean" and table.key == "variance_elements":
        return
    band = word(base if table.is_wide else f"against.{base}")
    money = partial(Column, kind="money", band=band)
    yield money(
        base, word("figure"), adds=base != "peer_mean", of_every_unit=True, on_page=table.is_wide
    )
    yield money(change, word("difference_to"), less=("actual", base))
    yield Column(rate, word("rate"), "rate", band, ratio=(change, base), positive=True)


def _to_date(table: Table) -> Iterator[Column]:
    """The year to date: actual, budget, variance and execution."""
    actual, budget, variance, rate = TO_DATE
    band = word(actual)
    money = partial(Column, kind="money", band=band)
    yield money(actual, word("figure"), of_every_unit=True, on_page=table.is_wide)
    yield money(budget, word("budget"), of_every_unit=True, on_page=False)
    yield money(variance, word("difference_to"), less=(actual, budget))
    yield Column(rate, word("execution_rate"), "rate", band, ratio=(actual, budget), positive=True)


def _grid(figures: Figures, rows: Rows, table: Table) -> Grid:
    """One table of execution; of several months sums, without flags and comparisons."""
    columns = _columns(figures, table)
    of_levels = rows.only(rows.where("level", *table.levels) & ~rows.where("unit_id", ""))
    found = added(of_levels, table.keys, _values(columns), FLAGS)
    totals = _known_totals(figures, rows, table)
    by_unit: dict[str, list[tuple[Key, Sum]]] = {}
    for key, total in found.items():
        by_unit.setdefault(key[0], []).append((key, total))
    lines = Lines(columns)
    for unit, of_unit in by_unit.items():
        start = len(lines.found)
        if table.has_blocks:
            lines.heading(unit_heading(figures, unit), unit, 1)
        ordered = sorted(of_unit, key=lambda pair: _order(table, pair[0]))
        lines.rows((_row(figures, table, columns, *pair) for pair in ordered), unit)
        if table.has_blocks:
            close_unit(lines, figures, unit, start, _agreeing(totals.get(unit), lines, start))
    if lines.found and table.total_level:
        close_all(lines, _agreeing(totals.get(""), lines, 0))
    return _finished(figures, table, lines)


def _finished(figures: Figures, table: Table, lines: Lines) -> Grid:
    """The grid of the lines; the page leaves out flags that no line has."""
    said = {
        column.key
        for i, column in enumerate(lines.columns)
        if any(line.cells[i] is not None for line in lines.found if line.kind != "heading")
    }
    columns = tuple(
        replace(column, on_page=False)
        if column.key in ("freeze", "approval_tier") and column.key not in said
        else column
        for column in lines.columns
    )
    return Grid(
        table.key,
        word(f"{table.key}.table"),
        columns,
        tuple(lines.found),
        _notes(figures),
        rank="actual",
        sheet=word(f"{table.key}.sheet"),
        on_page=table.key != "variance_lines",
    )


def _over_budget(figures: Figures, rows: Rows) -> Grid:
    """Lines over their budget or without one, that somebody must approve, the dearest first."""
    columns = (
        *_line_columns(),
        Column("budget", word("budget"), "money", adds=False),
        Column("actual", word("actual"), "money", adds=False),
        Column("excess", word("excess"), "money", adds=False),
        Column("execution_rate", word("execution_rate"), "rate", adds=False),
        *(Column(flag, word(flag)) for flag in FLAGS[1:]),
    )
    asked = rows.only(~rows.where("approval_tier", "") & ~rows.where("unit_id", ""))
    keys = ("unit_id", "level", "dept_id", "drg_id", "element")
    found = added(asked, keys, ("budget", "actual", "execution_rate"), FLAGS)
    lines = Lines(columns)
    for key, total in sorted(found.items(), key=lambda pair: (-_excess(pair[1]), pair[0])):
        of = _names(figures, dict(zip(keys, key, strict=True)))
        cells = of | total.values | _flags(total) | {"excess": _excess(total)}
        lines.rows([[cells[column.key] for column in columns]], key[0])
    return Grid(
        "variance_over", word("variance_over.table"), columns, tuple(lines.found),
        (word("variance_over.note"),), rank="excess", empty=word("variance_over.none"),
        sheet=word("variance_over.sheet"),
    )  # fmt: skip


def _excess(total: Sum) -> int:
    """By how much a line is over its budget; cost without a budget is all over it."""
    return (total.values["actual"] or 0) - (total.values["budget"] or 0)


def _notes(figures: Figures) -> tuple[Word, ...]:
    if not _is_single(figures):
        return word("variance.note"), word("variance.note_sums")
    there = _compared_with(figures)
    absent = [word(base) for base, *_ in COMPARED if base not in there]
    without = [word("variance.without", of=joined(SEPARATOR, *absent))] if absent else []
    return word("variance.note"), word("variance.note_month"), *without


def _order(table: Table, key: Key) -> tuple[int, Key]:
    """Elements in their own order, all others by their ids."""
    return (ELEMENTS.index(key[1]) if table.key == "variance_unit_elements" else 0, key)


def _values(columns: tuple[Column, ...]) -> list[str]:
    return [column.key for column in columns if column.kind != "text"]


def _known_totals(figures: Figures, rows: Rows, table: Table) -> dict[str, dict[str, Cell]]:
    """What is published of each unit's lines together, and under '' of all units' lines.

    The mean of its peers and the flags: they follow from no lines. Of several months, and where
    several runs have a row of their units together, there are none.
    """
    if not _is_single(figures) or not table.total_level:
        return {}
    of_level = rows.only(rows.where("level", table.total_level))
    places = of_level.texts("unit_id")
    found = {}
    for (unit,), total in added(of_level, ("unit_id",), ("budget", "peer_mean"), FLAGS).items():
        if places.count(unit) == 1:
            found[unit] = {**total.values, **_flags(total)}
    return found


def _agreeing(published: dict[str, Cell] | None, lines: Lines, first: int) -> dict[str, Cell]:
    """What is published of a total, the flags where its budget is that of the lines.

    Where a unit is budgeted as a whole its flags are those of that budget.
    """
    known = dict(published or {})
    keys = [column.key for column in lines.columns]
    place = keys.index("budget")
    rows = [line.cells[place] for line in lines.found[first:] if line.kind == "row"]
    budgets = [fen for fen in rows if isinstance(fen, int)]
    if known.pop("budget", None) != (sum(budgets) if budgets else None):
        known = {"peer_mean": known.get("peer_mean")}
    return {key: cell for key, cell in known.items() if key in keys}


def _flags(total: Sum) -> dict[str, Cell]:
    return {flag: _flag(flag, total.texts[flag]) for flag in FLAGS}


def _flag(flag: str, said: str) -> Word | None:
    return word(f"{flag}.{said}") if said else None


def _row(
    figures: Figures, table: Table, columns: tuple[Column, ...], key: Key, total: Sum
) -> tuple[Cell, ...]:
    """The cells of a row in the order of the columns."""
    of = dict(zip(table.keys, key, strict=True))
    cells = _names(figures, of) | total.values
    budget, actual = total.values["budget"], total.values["actual"]
    if _is_single(figures):
        cells |= _flags(total)
    else:
        cells["variance"] = None if budget is None or actual is None else actual - budget
        cells["execution_rate"] = rate_of(actual, budget)
    return tuple(cells.get(column.key) for column in columns)


def _names(figures: Figures, of: Mapping[str, str]) -> dict[str, Cell]:
    """Ids and names of what a row is of."""
    unit, dept, drg = (of.get(key, "") for key in ("unit_id", "dept_id", "drg_id"))
    element = of.get("element", "")
    return {
        "unit_id": visible(unit),
        "unit_name": visible(figures.names.unit.get(unit, "")),
        "dept_id": visible(dept),
        "dept_name": visible(figures.department_name(unit, dept)),
        "drg_id": visible(drg),
        "drg_name": visible(figures.group_name(drg)),
        "line_name": visible(figures.line_name(unit, dept, drg)),
        "element": word(f"element.{element}") if element else None,
    }


def _elements_together(figures: Figures, rows: Rows, by_unit: Grid, units: Grid) -> Grid:
    """Each element of all units: the sums of the units' lines, so that rates are not added."""
    table = Table("variance_elements", ("element",), ("element",), "unit", True)
    columns = _columns(figures, table)
    place = by_unit.place("element")
    flags = _flags_together(figures, rows)
    keys = [column.key for column in by_unit.columns]
    lines = Lines(columns)
    for element in ELEMENTS:
        name = word(f"element.{element}")
        own = [x for x in by_unit.lines if x.kind == "row" and x.cells[place] == name]
        if own:
            sums = total_cells(by_unit.columns, own, name, flags.get(element))
            cells = dict(zip(keys, sums, strict=True))
            lines.rows([[cells[column.key] for column in columns]])
    if lines.found:
        # What one of the units has no value of is empty here too.
        closing = dict(zip((c.key for c in units.columns), units.lines[-1].cells, strict=True))
        empty = {c.key: None for c in columns if c.of_every_unit and closing[c.key] is None}
        published = _known_totals(figures, rows, table).get("")
        known = {k: v for k, v in _agreeing(published, lines, 0).items() if k in FLAGS}
        close_all(lines, known | empty)
    return _finished(figures, table, lines)


def _flags_together(figures: Figures, rows: Rows) -> dict[str, dict[str, Cell]]:
    """The published flags of each element of all units, of a single month and run."""
    if not _is_single(figures):
        return {}
    together = rows.only(rows.where("level", "element") & rows.where("unit_id", ""))
    once = together.texts("element")
    return {
        element: _flags(total)
        for (element,), total in added(together, ("element",), (), FLAGS).items()
        if once.count(element) == 1
    }
