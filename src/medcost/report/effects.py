"""What deviations are made of: volume, mix, efficiency and price; case mix and cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from medcost.report.charts import Step, waterfall
from medcost.report.figures import Figures, Rows
from medcost.report.grid import Cell, Column, Grid, Lines
from medcost.report.numbers import Scale, scale_for, visible
from medcost.report.section import BLUE, GREEN, RED, Picture, Section, in_both
from medcost.report.sums import added
from medcost.report.words import Language, Word, same, word
from medcost.tables import ELEMENTS

MOST_UNITS = 40
ROOM_FOR_YUAN = 10**10
EFFECTS = ("volume_variance", "mix_variance", "efficiency_variance", "price_variance")
# Levels at which budget rows may stand, from the finest; groups are held apart.
LEVELS = ("department_element", "department", "element", "unit")
GROUP_LEVELS = ("drg_element", "drg")
EFFECT_VALUES = ("budget", *EFFECTS, "actual", "variance", "flexible_budget", "flexible_variance")


def effects(figures: Figures) -> Section:
    """What deviations are made of: volume, mix, efficiency and price; case mix and cost."""
    rows = figures.tables["variance_decomposition"]
    if not rows.n:
        return Section("effects", word("effects"), missing=word("variance.missing"))
    grids = (_effects_grid(figures, rows), _effect_lines(figures, rows), _group_grid(figures))
    return Section(
        "effects",
        word("effects"),
        (),
        tuple(_waterfalls(figures, rows)),
        tuple(grid for grid in grids if grid.n_rows),
    )


def _totals(rows: Rows) -> Rows:
    """Published totals of a level: rows of no department, element and group, and no method."""
    return rows.only(
        rows.where("dept_id", "")
        & rows.where("element", "")
        & rows.where("drg_id", "")
        & rows.where("method", "")
        & ~rows.where("unit_id", "")
    )


def _level_shown(rows: Rows) -> str:
    """The finest level of budget rows that is there."""
    known = {level for (level,) in rows.sums(("level",), ())}
    return next((level for level in (*LEVELS, *GROUP_LEVELS) if level in known), "")


def _waterfalls(figures: Figures, rows: Rows) -> Iterator[Picture]:
    """From budget to actual cost, all units together and one by one."""
    names = ("budget", *EFFECTS, "actual")
    totals = _totals(rows)
    level = _level_shown(totals)
    totals = totals.only(totals.where("level", level))
    found = totals.sums(("unit_id",), names)
    if not found:
        return
    whole = [sum(column) for column in zip(*found.values(), strict=True)]
    pictures = [("", whole)]
    if len(found) > 1:
        pictures += [(unit, fen) for (unit,), fen in list(found.items())[:MOST_UNITS]]
    for unit, fen in pictures:
        scales = _scales(max(abs(fen[0]), abs(fen[-1])), figures.currency)
        of = same(visible(figures.unit_name(unit))) if unit else word("all_units")
        yield Picture(
            word("effects.picture", of=of, unit=Word(scales["zh"].unit.zh, scales["en"].unit.en)),
            in_both(partial(_steps, fen, scales)),
            word("effects.picture_note", level=word(f"level.{level}")),
            unit,
        )


def _scales(largest_fen: int, currency: str) -> Mapping[str, Scale]:
    """Whole yuan where they have room: effects are small beside the budget."""
    return scale_for(largest_fen if largest_fen >= ROOM_FOR_YUAN else 0, currency)


def _steps(fen: Sequence[int], scales: Mapping[str, Scale], language: Language) -> str:
    """The waterfall of budget, effects and actual cost."""
    steps = [
        Step(word(f"effect.{name}").of(language), amount, name in ("budget", "actual"))
        for name, amount in zip(("budget", *EFFECTS, "actual"), fen, strict=True)
    ]
    cut_axis = word("cut_axis").of(language)
    return waterfall(steps, (BLUE, RED, GREEN), scales[language].text, cut_axis)


def _effect_columns() -> tuple[Column, ...]:
    return (
        Column("budget", word("budget"), "money"),
        *(Column(name, word(f"effect.{name}"), "money") for name in EFFECTS),
        Column("actual", word("actual"), "money"),
        Column("variance", word("variance.amount"), "money"),
        Column("flexible_budget", word("flexible_budget"), "money"),
        Column("flexible_variance", word("flexible_variance"), "money"),
    )


def _effects_grid(figures: Figures, rows: Rows) -> Grid:
    """The published totals of each level and unit."""
    columns = (
        Column("level", word("level"), is_label=True),
        Column("unit_id", word("unit")),
        Column("unit_name", word("name")),
        *_effect_columns(),
    )
    sums = _totals(rows).sums(("level", "unit_id"), EFFECT_VALUES)
    lines = Lines(columns)
    for level in (*LEVELS, *GROUP_LEVELS):
        of_level = [(unit, fen) for (name, unit), fen in sums.items() if name == level]
        if of_level:
            title = word(f"level.{level}")
            lines.heading(title)
            first = len(lines.found)
            for unit, fen in of_level:
                name = visible(figures.names.unit.get(unit, ""))
                lines.rows([(title, visible(unit), name, *fen)], unit)
            lines.total(word("subtotal", of=title), first, level=1)
    return Grid(
        "effects",
        word("effects.table"),
        columns,
        tuple(lines.found),
        (word("effects.note"),),
        rank="actual",
        sheet=word("effects.sheet"),
    )


def _effect_lines(figures: Figures, rows: Rows) -> Grid:
    """Every budget line with its effects, for the workbook and, the largest, the page."""
    columns = (
        Column("unit_id", word("unit"), is_label=True),
        Column("dept_id", word("department")),
        Column("drg_id", word("group")),
        Column("line_name", word("name")),
        Column("element", word("element")),
        Column("method", word("method")),
        *_effect_columns(),
    )
    own = rows.only(~rows.where("method", "") & ~rows.where("unit_id", ""))
    keys = ("unit_id", "dept_id", "drg_id", "element", "method")
    lines = Lines(columns)
    for (unit, dept, drg, element, method), fen in own.sums(keys, EFFECT_VALUES).items():
        cells: tuple[Cell, ...] = (
            visible(unit),
            visible(dept),
            visible(drg),
            visible(figures.line_name(unit, dept, drg)),
            word(f"element.{element}") if element in ELEMENTS else None,
            word(f"method.{method}"),
            *fen,
        )
        lines.rows([cells], unit)
    return Grid(
        "effect_lines",
        word("effect_lines.table"),
        columns,
        tuple(lines.found),
        (word("effect_lines.note"),),
        rank="variance",
        sheet=word("effect_lines.sheet"),
    )


def _group_grid(figures: Figures) -> Grid:
    """DRG groups by case mix and cost, against the budget and other months."""
    columns = (
        Column("against", word("against"), is_label=True),
        Column("unit_id", word("unit")),
        Column("drg_id", word("group")),
        Column("drg_name", word("name")),
        Column("cases", word("cases"), "count"),
        Column("base_cases", word("base_cases"), "quantity"),
        Column("actual", word("actual"), "money"),
        Column("base_amount", word("base_amount"), "money"),
        Column("variance", word("variance.amount"), "money"),
        Column("case_mix_variance", word("case_mix_variance"), "money"),
        Column("cost_variance", word("cost_variance"), "money"),
    )
    rows = figures.tables["drg_variance"]
    values = tuple(column.key for column in columns if column.kind != "text")
    lines = Lines(columns)
    notes: tuple[Word, ...] = ()
    if rows.n:
        own = rows.only(~rows.where("unit_id", "") & ~rows.where("drg_id", ""))
        bases = sorted({base for (base,) in rows.sums(("base",), ())})
        notes = tuple(word(f"drg_base.{base}") for base in bases)
        sums = added(own, ("against", "unit_id", "drg_id"), values)
        for against in ("budget", "last_month", "last_year"):
            of = [(key, total) for key, total in sums.items() if key[0] == against]
            if not of:
                continue
            title = word(f"against.{against}")
            lines.heading(title)
            first = len(lines.found)
            for (_, unit, drg), total in of:
                names = (visible(unit), visible(drg), visible(figures.group_name(drg)))
                lines.rows([(title, *names, *(total.values[name] for name in values))], unit)
            lines.total(word("subtotal", of=title), first, level=1)
    return Grid(
        "drg_variance",
        word("drg_variance.table"),
        columns,
        tuple(lines.found),
        notes,
        rank="variance",
        sheet=word("drg_variance.sheet"),
    )
