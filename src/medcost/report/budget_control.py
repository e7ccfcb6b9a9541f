"""Break-even of departments, and the budget's requests, shares and rewards."""

from __future__ import annotations

from collections.abc import Iterator

from medcost.report.columns import (
    close_all,
    close_unit,
    department_columns,
    unit_columns,
    unit_heading,
)
from medcost.report.figures import Figures
from medcost.report.grid import Cell, Column, Grid, Lines
from medcost.report.labels import tag_of
from medcost.report.numbers import visible
from medcost.report.section import Section
from medcost.report.sums import Sum, added, rate_of
from medcost.report.words import same, word


def break_even(figures: Figures) -> Section:
    """Fixed and variable cost, contribution and break-even of every department."""
    rows = figures.tables["break_even"]
    if not rows.n:
        return Section("break_even", word("break_even"), missing=word("break_even.missing"))
    of_month = (
        Column("break_even_income", word("break_even.break_even_income"), "money", adds=False),
        Column("measure", word("break_even.measure")),
        Column("volume", word("break_even.volume"), "quantity", adds=False),
        Column("break_even_volume", word("break_even.break_even_volume"), "volume", adds=False),
        Column("verdict", word("break_even.verdict")),
    )
    columns = (
        *unit_columns(),
        *department_columns(),
        *(
            Column(name, word(f"break_even.{name}"), "money")
            for name in ("income", "fixed_cost", "variable_cost", "cost", "surplus", "contribution")
        ),
        Column(
            "contribution_rate", word("break_even.contribution_rate"), "rate",
            ratio=("contribution", "income"),
        ),
        *(of_month if len(figures.periods) == 1 else ()),
    )  # fmt: skip
    own = rows.only(~rows.where("dept_id", "") & ~rows.where("unit_id", ""))
    money = ("income", "fixed_cost", "variable_cost", "cost", "surplus", "contribution")
    singles = ("contribution_rate", "break_even_income", "volume", "break_even_volume")
    sums = added(own, ("unit_id", "dept_id"), (*money, *singles), ("measure", "verdict"))
    lines = Lines(columns)
    start, before = 0, None
    for (unit, dept), total in sums.items():
        if unit != before:
            if before is not None:
                close_unit(lines, figures, before, start)
            start, before = len(lines.found), unit
            lines.heading(unit_heading(figures, unit), unit, 1)
        cells = _break_even_cells(figures, unit, dept, total, len(figures.periods) == 1)
        lines.rows([tuple(cells)], unit)
    if before is not None:
        close_unit(lines, figures, before, start)
    grid = Grid(
        "break_even",
        word("break_even.table"),
        columns,
        tuple(lines.found),
        (word("break_even.note"),),
        rank="cost",
        sheet=word("break_even.sheet"),
    )
    return Section("break_even", word("break_even"), (), (), (grid,))


def _break_even_cells(
    figures: Figures, unit: str, dept: str, total: Sum, single: bool
) -> Iterator[Cell]:
    values = total.values
    yield visible(unit)
    yield visible(figures.names.unit.get(unit, ""))
    yield visible(dept)
    yield visible(figures.department_name(unit, dept))
    for name in ("income", "fixed_cost", "variable_cost", "cost", "surplus", "contribution"):
        yield values[name]
    if not single:
        yield rate_of(values["contribution"], values["income"])
        return
    yield values["contribution_rate"]
    yield values["break_even_income"]
    measure, verdict = total.texts["measure"], total.texts["verdict"]
    yield word(f"measure.{measure}") if measure else None
    yield values["volume"]
    yield values["break_even_volume"]
    yield word(f"verdict.{verdict}")


def control(figures: Figures) -> Section:
    """Requests against what was approved, the shares that a policy asks for, and rewards."""
    grids = tuple(grid for grid in (_requests(figures), _rewards(figures)) if grid.n_rows)
    missing = None if grids else word("control.missing")
    return Section("control", word("control"), (), (), grids, missing)


def _requests(figures: Figures) -> Grid:
    columns = (
        Column("period", word("cover.period"), on_page=False),
        Column("scope", word("scope")),
        Column("name", word("name")),
        Column("requested", word("requested"), "money", adds=False),
        Column("approved", word("approved"), "money", adds=False),
        Column("difference", word("approved_less_requested"), "money", adds=False),
        Column("requested_share", word("requested_share"), "rate", adds=False),
        Column("approved_share", word("approved_share"), "rate", adds=False),
        Column("floor", word("floor"), "rate", adds=False),
        Column("requested_met", word("requested_met")),
        Column("approved_met", word("approved_met")),
        Column("approval_tier", word("approval_tier")),
    )
    rows = figures.tables["budget_requests"]
    values = [column.key for column in columns if column.kind != "text"]
    texts = ("requested_met", "approved_met", "approval_tier")
    lines = Lines(columns)
    keys = ("period", "scope", "unit_id", "tag")
    order = ("total", "unit", "tag", "grassroots", "key_discipline")
    sums = added(rows, keys, values, texts)
    ranked = sorted(sums.items(), key=lambda pair: (pair[0][0], order.index(pair[0][1]), pair[0]))
    before = ""
    for (period, scope, unit, tag), total in ranked:
        if period != before and len(figures.periods) > 1:
            lines.heading(same(period), level=1)
        before = period
        flags = (
            word(f"met.{total.texts['requested_met']}") if total.texts["requested_met"] else None,
            word(f"met.{total.texts['approved_met']}") if total.texts["approved_met"] else None,
            word(f"approval_tier.{total.texts['approval_tier']}")
            if total.texts["approval_tier"]
            else None,
        )
        name = visible(figures.unit_name(unit)) if unit else tag_of(tag)
        row = (period, word(f"scope.{scope}"), name, *(total.values[v] for v in values), *flags)
        lines.rows([row], unit)
    return Grid(
        "requests", word("requests.table"), columns, tuple(lines.found), (word("requests.note"),),
        rank="requested", adds_up=False, sheet=word("requests.sheet"),
    )  # fmt: skip


def _rewards(figures: Figures) -> Grid:
    several = len(figures.periods) > 1
    columns = (
        Column("period", word("cover.period"), on_page=several, is_label=several),
        Column("unit_id", word("unit"), is_label=not several),
        Column("unit_name", word("name")),
        Column("budget", word("budget"), "money"),
        Column("actual", word("actual"), "money"),
        Column("execution_rate", word("execution_rate"), "rate", ratio=("actual", "budget")),
        Column("targets", word("targets")),
        Column("reward", word("reward"), "money"),
    )
    rows = figures.tables["budget_reward"]
    values = ("budget", "actual", "execution_rate", "reward")
    lines = Lines(columns)
    for (period, unit), total in added(rows, ("period", "unit_id"), values, ("targets",)).items():
        of = total.values
        row = (
            period, visible(unit), visible(figures.names.unit.get(unit, "")), of["budget"],
            of["actual"], of["execution_rate"], word(f"targets.{total.texts['targets']}"),
            of["reward"],
        )  # fmt: skip
        lines.rows([row], unit)
    close_all(lines)
    return Grid(
        "rewards", word("rewards.table"), columns, tuple(lines.found), (word("rewards.note"),),
        rank="actual", sheet=word("rewards.sheet"),
    )  # fmt: skip
