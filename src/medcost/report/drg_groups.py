"""DRG groups: cost, price and margin, and the groups that cost more than is paid for them."""

from __future__ import annotations

import math

from medcost.report.charts import diverging_bars
from medcost.report.columns import close_all, element_columns, unit_columns
from medcost.report.drg_matrix import (
    all_groups,
    matrix_cells,
    matrix_chooser,
    matrix_sheet,
    without_matrix,
)
from medcost.report.figures import Figures
from medcost.report.grid import Cell, Column, Grid, Lines
from medcost.report.numbers import ratio, scale_for, visible
from medcost.report.section import BLUE, RED, Picture, Section, in_both
from medcost.report.words import Word, word
from medcost.tables import ELEMENTS

SHOWN = 8
# What cannot be added up over months: quantiles and the deviation.
OF_ONE_MONTH = ("p05", "p25", "p50", "p75", "p95")
MEAN_STEPS, MILLION = 10**4, 10**6
Group = tuple[str, ...]


def drg_cost(figures: Figures) -> Section:
    """Cost of each group: mean, income, margin; of a single month spread and quantiles too."""
    rows = figures.tables["drg_cost"]
    if not rows.n:
        return Section("drg", word("drg"), missing=word("drg.missing"))
    single = len(figures.periods) == 1
    spread = (
        (
            *(Column(p, word(p), "money", adds=False, on_page=p != "p05") for p in OF_ONE_MONTH),
            Column("sd", word("sd"), "price", adds=False, on_page=False),
        )
        if single
        else ()
    )
    columns = (
        *unit_columns(on_page=True)[:1],
        Column("scheme", word("scheme"), on_page=False),
        Column("drg_id", word("group")),
        Column("drg_name", word("name")),
        Column("cases", word("cases"), "count"),
        Column("weight", word("weight"), "weight", adds=False),
        Column("bed_days", word("bed_days"), "days", on_page=False),
        *element_columns(on_page=False),
        Column("mean", word("mean_cost"), "price", ratio=("total", "cases")),
        *spread,
        Column("income", word("drg_income"), "money"),
        Column("margin", word("drg_margin"), "money"),
        Column("margin_rate", word("margin_rate"), "rate", ratio=("margin", "income")),
    )
    lines = Lines(columns)
    for (unit, scheme, group), cells in group_cells(figures).items():
        *counted, income, margin = cells
        rate = None
        if isinstance(margin, int) and isinstance(income, int):
            rate = ratio(margin, income, MILLION)
        lines.rows(
            [
                (
                    visible(unit),
                    visible(scheme),
                    visible(group),
                    visible(figures.names.drg.get((scheme, group), "")),
                    *counted,
                    income,
                    margin,
                    rate,
                )
            ],
            unit,
        )
    close_all(lines)
    grid = Grid(
        "drg",
        word("drg.table"),
        columns,
        tuple(lines.found),
        (word("drg.note"), *(() if single else (word("drg.note_months"),))),
        rank="total",
        sheet=word("drg.sheet"),
    )
    why = without_matrix(figures)
    if why is not None:
        return Section("drg", word("drg"), (why,), tuple(_pictures(figures)), (grid,))
    matrices = matrix_cells(figures)
    return Section(
        "drg",
        word("drg"),
        (),
        tuple(_pictures(figures)),
        (grid, all_groups(matrices), matrix_sheet(figures, matrices)),
        chooser=matrix_chooser(figures, matrices),
    )


def group_cells(figures: Figures) -> dict[Group, list[Cell]]:
    """Cells of each (unit, scheme, group): cases to margin, in the order of drg_cost's columns."""
    rows = figures.tables["drg_cost"]
    keys = ("unit_id", "scheme", "drg_id")
    sums = rows.sums(keys, ("cases", "bed_days", *ELEMENTS, "total", "income", "margin"))
    there: dict[Group, list[bool]] = {}
    weights: dict[Group, int | None] = {}
    alone: dict[Group, list[Cell]] = {}
    single = len(figures.periods) == 1
    columns = zip(*(rows.texts(key) for key in keys), strict=True)
    for i, key in enumerate(columns):
        has = [bool(rows.present[name][i]) for name in ("bed_days", "income")]
        there[key] = [a or b for a, b in zip(has, there.get(key, has), strict=True)]
        weights[key] = int(rows.numbers["weight"][i]) if rows.present["weight"][i] else None
        if single:
            sd = float(rows.floats["sd"][i])
            alone[key] = [
                int(rows.numbers["mean"][i]),
                *(int(rows.numbers[p][i]) for p in OF_ONE_MONTH),
                None if math.isnan(sd) else round(sd * MILLION),
            ]
    found: dict[Group, list[Cell]] = {}
    for key, (cases, bed_days, *costs, total, income, margin) in sums.items():
        has_days, has_price = there[key]
        found[key] = [
            cases,
            weights[key],
            bed_days if has_days else None,
            *costs,
            total,
            *(alone[key] if single else [ratio(total, cases, MEAN_STEPS)]),
            income if has_price else None,
            margin if has_price else None,
        ]
    return found


def _margins(figures: Figures) -> list[tuple[Group, int, int]]:
    """(group, income, margin) of every priced group, the largest surplus first."""
    found = [
        (key, cells[-2], cells[-1])
        for key, cells in group_cells(figures).items()
        if isinstance(cells[-2], int) and isinstance(cells[-1], int)
    ]
    return sorted(found, key=lambda row: (-row[2], row[0]))


def _group_name(figures: Figures, key: Group) -> str:
    unit, scheme, group = key
    name = figures.names.drg.get((scheme, group), "")
    return visible(" ".join(part for part in (unit, group, name) if part))


def _pictures(figures: Figures) -> list[Picture]:
    """The groups with the largest surplus and deficit."""
    margins = _margins(figures)
    ends = margins if len(margins) <= 2 * SHOWN else [*margins[:SHOWN], *margins[-SHOWN:]]
    if not ends:
        return []
    scales = scale_for(max(abs(margin) for *_, margin in ends), figures.currency)
    bars = [(_group_name(figures, key), margin) for key, _, margin in ends]
    return [
        Picture(
            word("drg.picture", unit=Word(scales["zh"].unit.zh, scales["en"].unit.en)),
            in_both(lambda language: diverging_bars(bars, (BLUE, RED), scales[language].text)),
        )
    ]


def over_cost_groups(figures: Figures) -> Section:
    """Groups whose cases cost more than is paid for them, by the excess."""
    rows = figures.tables["drg_cost"]
    if not rows.n:
        return Section("over_cost", word("over_cost"), missing=word("drg.missing"))
    margins = _margins(figures)
    if not margins:
        return Section("over_cost", word("over_cost"), missing=word("over_cost.no_price"))
    columns = (
        *unit_columns(on_page=True)[:1],
        Column("scheme", word("scheme"), on_page=False),
        Column("drg_id", word("group")),
        Column("drg_name", word("name")),
        Column("cases", word("cases"), "count"),
        Column("cost", word("cost_of_priced"), "money"),
        Column("income", word("drg_income"), "money"),
        Column("excess", word("excess"), "money"),
        Column("excess_rate", word("excess_rate"), "rate", ratio=("excess", "income")),
    )
    cells = group_cells(figures)
    lines = Lines(columns)
    over = [row for row in reversed(margins) if row[2] < 0]
    for key, income, margin in over:
        unit, scheme, group = key
        name = figures.names.drg.get((scheme, group), "")
        row = (
            visible(unit), visible(scheme), visible(group), visible(name), cells[key][0],
            income - margin, income, -margin, ratio(-margin, income, MILLION),
        )  # fmt: skip
        lines.rows([row], unit)
    close_all(lines)
    grid = Grid(
        "over_cost",
        word("over_cost.table"),
        columns,
        tuple(lines.found),
        (word("over_cost.note"),),
        rank="excess",
        empty=word("over_cost.none"),
        sheet=word("over_cost.sheet"),
    )
    count = word("over_cost.count", over=str(len(over)), all=str(len(margins)))
    return Section("over_cost", word("over_cost"), (count,), (), (grid,))
