"""Month by month: cost of units as a heat map, full cost of departments as published."""

from __future__ import annotations

from itertools import pairwise

from medcost.report.charts import NOTHING, Field, Series, heat_map, month_columns
from medcost.report.columns import (
    CLASS_ORDER,
    by_class,
    close_all,
    close_unit,
    department_columns,
    unit_columns,
    unit_heading,
)
from medcost.report.composition import SUBSIDY
from medcost.report.figures import Figures
from medcost.report.grid import Column, Grid, Lines
from medcost.report.national import department_cells
from medcost.report.numbers import ratio, scale_for, shown, visible
from medcost.report.section import Picture, Section, in_both
from medcost.report.shades import SHADES
from medcost.report.words import Language, Word, word

MOST_UNITS = 40
# Deviation from a unit's own mean month, in 1e-6, between the shades.
STEPS = (-200_000, -100_000, -30_000, 30_000, 100_000, 200_000)


def month_by_month(figures: Figures) -> Section:
    """What changes from month to month; of a single month there is nothing to compare."""
    if len(figures.periods) < 2 or not figures.has("department_cost"):
        return Section("months", word("months"), missing=word("months.single"))
    pictures = (_trend(figures), _heat(figures))
    return Section("months", word("months"), (), pictures, (_departments(figures),))


def _trend(figures: Figures) -> Picture:
    """Ledger in scope and income of all units by month."""
    costs = figures.tables["department_cost"].sums(("period",), ("direct",))
    cost = [costs.get((period,), [0])[0] for period in figures.periods]
    income = dict.fromkeys(figures.periods, 0)
    for (period, _, _, source), fen in figures.income.items():
        if source != SUBSIDY:
            income[period] += fen
    values = [cost, list(income.values())] if figures.income else [cost]
    scales = scale_for(max(map(abs, [*cost, *income.values()])), figures.currency)
    kinds = (("full_cost", "#1f4e79"), ("income", "#c2a85f"))
    return Picture(
        word("months.trend", unit=Word(scales["zh"].unit.zh, scales["en"].unit.en)),
        in_both(
            lambda language: month_columns(
                figures.periods,
                [Series(word(k).of(language), c) for k, c in kinds[: len(values)]],
                values,
                scales[language].text,
            )
        ),
    )


def _heat(figures: Figures) -> Picture:
    """Each unit's month against the mean of its months."""
    costs = figures.tables["department_cost"].sums(("unit_id", "period"), ("direct",))
    rows = []
    for unit in figures.units[:MOST_UNITS]:
        fen = {
            period: costs[unit, period][0] for period in figures.periods if (unit, period) in costs
        }
        whole, n = sum(fen.values()), len(fen)
        rows.append(
            (
                visible(figures.unit_name(unit)),
                [
                    _field(ratio(fen[period] * n - whole, whole, 10**6)) if period in fen else None
                    for period in figures.periods
                ],
            )
        )
    return Picture(
        word("months.heat"),
        in_both(lambda language: heat_map(rows, figures.periods, _legend(language))),
        word("months.heat_note"),
    )


def _field(rate: int | None) -> Field | None:
    if rate is None:
        return None
    said = f"{'+' if rate > 0 else ''}{shown(rate, 'rate')}"
    return Field(said, SHADES[sum(rate >= step for step in STEPS)])


def _legend(language: Language) -> list[Series]:
    """What the colours mean: from far below the mean month to far above it."""
    edges = [f"{'+' if step > 0 else ''}{step // 10_000}%" for step in STEPS]
    inner = (f"{low} – {high}" for low, high in pairwise(edges))
    said = [f"< {edges[0]}", *inner, f"≥ {edges[-1]}"]
    none = Series(word("heat.no_month").of(language), NOTHING)
    return [*(Series(*pair) for pair in zip(said, SHADES, strict=True)), none]


def _departments(figures: Figures) -> Grid:
    """Full cost of every department that is left with one, as published for each month."""
    columns = (
        *unit_columns(),
        Column("class", word("class"), on_page=False),
        *department_columns(),
        *(Column(period, Word(period, period), "money") for period in figures.periods),
        Column("total", word("total"), "money"),
    )
    sums = figures.tables["department_cost"].sums(("unit_id", "dept_id", "period"), ("full_cost",))
    fen: dict[tuple[str, str], dict[str, int]] = {}
    for (unit, dept, period), (full,) in sums.items():
        fen.setdefault((unit, dept), {})[period] = full
    left = [key for key, months in fen.items() if any(months.values())]
    lines = Lines(columns)
    for unit, classes in by_class(figures, left).items():
        start = len(lines.found)
        lines.heading(unit_heading(figures, unit), unit, 1)
        for kind in CLASS_ORDER:
            if classes[kind]:
                lines.heading(word(f"full.{kind}"), unit)
                lines.rows(
                    (
                        (
                            *department_cells(figures, unit, dept),
                            *(fen[unit, dept].get(period) for period in figures.periods),
                            sum(fen[unit, dept].values()),
                        )
                        for dept in classes[kind]
                    ),
                    unit,
                )
        close_unit(lines, figures, unit, start)
    close_all(lines)
    return Grid(
        "months",
        word("months.table"),
        columns,
        tuple(lines.found),
        rank="total",
        sheet=word("months.sheet"),
    )
