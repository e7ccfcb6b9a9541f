"""The capital pool: balances by month, who lends to whom, what binds, the gain of each member."""

from __future__ import annotations

from collections.abc import Iterator

from medcost.report.charts import Series, diverging_bars, month_columns
from medcost.report.figures import Figures, Rows
from medcost.report.grid import Column, Grid, Lines
from medcost.report.numbers import scale_for, visible
from medcost.report.section import BLUE, GREEN, RED, Picture, Section, in_both
from medcost.report.words import Language, Word, same, word

POOL = ("deposits", "debts", "result", "cash", "reserve", "floor", "free", "bridges", "shortfall")
MOVES = ("draw", "repayment", "debt", "lent", "bridge", "closing_balance", "floor", "shortfall")
GAIN = ("stand_alone", "pooled", "saving", "share", "gain")
MOST_UNITS, MONTHS_SHOWN = 12, 24


def lending(figures: Figures) -> Section:
    """Every published plan of the pool, the first scenario in pictures."""
    title = word("lending")
    months = figures.tables["pool_month"]
    if not months.n:
        return Section("lending", title, missing=word("lending.missing"))
    grids = (
        _pool(months),
        _moves(figures),
        _unserved(figures),
        _gain(figures),
        _changes(figures),
    )
    pictures = (*_balances(figures, months), *_lenders(figures))
    return Section("lending", title, (), pictures, tuple(grid for grid in grids if grid.n_rows))


def _plan_columns() -> tuple[Column, ...]:
    return (
        Column("period", word("lending.plan"), is_label=True),
        Column("month", word("lending.month")),
        Column("scenario", word("lending.scenario")),
    )


def _pool(rows: Rows) -> Grid:
    """The pool at the end of every month."""
    columns = (
        *_plan_columns(),
        *(Column(n, word(f"lending.{n}"), "money", adds=False) for n in POOL),
    )
    lines = Lines(columns)
    texts = zip(*(rows.texts(name) for name in ("period", "month", "scenario")), strict=True)
    numbers = zip(*(rows.values(name) for name in POOL), strict=True)
    lines.rows(
        (same(period), visible(month), visible(scenario), *fen)
        for (period, month, scenario), fen in zip(texts, numbers, strict=True)
    )
    return Grid(
        "pool_month",
        word("lending.pool"),
        columns,
        tuple(lines.found),
        (word("lending.pool_note"),),
        rank="shortfall",
        adds_up=False,
        sheet=word("lending.pool"),
    )


def _moves(figures: Figures) -> Grid:
    """Draws, repayments, bridges and debts of members and months that have any."""
    rows = figures.tables["pool_plan"]
    columns = (
        *_plan_columns(),
        Column("unit_id", word("unit")),
        Column("unit_name", word("name")),
        *(Column(name, word(f"lending.{name}"), "money", adds=False) for name in MOVES),
    )
    keys = ("period", "month", "scenario", "unit_id")
    lines = Lines(columns)
    texts = zip(*(rows.texts(name) for name in keys), strict=True)
    numbers = zip(*(rows.values(name) for name in MOVES), strict=True)
    for (period, month, scenario, unit), fen in zip(texts, numbers, strict=True):
        draw, repayment, debt, _lent, bridge, _balance, _floor, shortfall = fen
        if draw or repayment or debt or bridge or shortfall:
            name = visible(figures.unit_name(unit))
            cells = (same(period), visible(month), visible(scenario), visible(unit), name, *fen)
            lines.rows([cells], unit)
    return Grid(
        "pool_plan",
        word("lending.moves"),
        columns,
        tuple(lines.found),
        (word("lending.moves_note"),),
        rank="debt",
        adds_up=False,
        sheet=word("lending.moves"),
    )


def _unserved(figures: Figures) -> Grid:
    """Who came first and was not served, and why."""
    rows = figures.tables["pool_priority"]
    names = ("unmet", "room", "drawn_later")
    columns = (
        *_plan_columns(),
        Column("unit_id", word("unit")),
        Column("unit_name", word("name")),
        *(Column(name, word(f"lending.{name}"), "money", adds=False) for name in names),
        Column("reason", word("lending.reason")),
    )
    lines = Lines(columns)
    keys = ("period", "month", "scenario", "unit_id", "reason")
    texts = zip(*(rows.texts(name) for name in keys), strict=True)
    numbers = zip(*(rows.values(name) for name in names), strict=True)
    for (period, month, scenario, unit, reason), fen in zip(texts, numbers, strict=True):
        name, why = visible(figures.unit_name(unit)), word(f"lending.reason.{reason}")
        first = (same(period), visible(month), visible(scenario), visible(unit), name)
        lines.rows([(*first, *fen, why)], unit)
    return Grid(
        "pool_priority",
        word("lending.priority"),
        columns,
        tuple(lines.found),
        (word("lending.priority_note"),),
        rank="unmet",
        adds_up=False,
        sheet=word("lending.priority"),
    )


def _gain(figures: Figures) -> Grid:
    """What each member saves, and its share of the pool's result."""
    rows = figures.tables["pool_gain"]
    columns = (
        Column("period", word("lending.plan"), is_label=True),
        Column("scenario", word("lending.scenario")),
        Column("unit_id", word("unit")),
        Column("unit_name", word("name")),
        *(Column(name, word(f"lending.{name}"), "money") for name in GAIN),
    )
    lines = Lines(columns)
    sums = rows.sums(("period", "scenario", "unit_id"), GAIN)
    plans = list(dict.fromkeys((period, scenario) for period, scenario, _unit in sums))
    for plan in plans:
        first = len(lines.found)
        for (period, scenario, unit), fen in sums.items():
            if (period, scenario) == plan:
                name = visible(figures.unit_name(unit))
                lines.rows([(same(period), visible(scenario), visible(unit), name, *fen)], unit)
        lines.total(word("total"), first)
    return Grid(
        "pool_gain",
        word("lending.gains"),
        columns,
        tuple(lines.found),
        (word("lending.gains_note"),),
        rank="gain",
        sheet=word("lending.gains"),
    )


def _changes(figures: Figures) -> Grid:
    """What differs from last month's plan."""
    rows = figures.tables["pool_change"]
    names = ("before", "now", "difference")
    columns = (
        Column("period", word("lending.plan"), is_label=True),
        Column("month", word("lending.month")),
        Column("unit_id", word("unit")),
        Column("unit_name", word("name")),
        Column("item", word("lending.item")),
        *(Column(name, word(f"lending.{name}"), "money", adds=False) for name in names),
    )
    lines = Lines(columns)
    texts = zip(*(rows.texts(n) for n in ("period", "month", "unit_id", "item")), strict=True)
    numbers = zip(*(rows.values(name) for name in names), strict=True)
    for (period, month, unit, item), fen in zip(texts, numbers, strict=True):
        name, what = visible(figures.unit_name(unit)), word(f"lending.item.{item}")
        cells = (same(period), visible(month), visible(unit), name, what, *fen)
        lines.rows([cells], unit)
    return Grid(
        "pool_change",
        word("lending.changes"),
        columns,
        tuple(lines.found),
        (word("lending.changes_note"),),
        rank="difference",
        adds_up=False,
        sheet=word("lending.changes"),
    )


def _last_plan(rows: Rows) -> Rows:
    """The rows of the latest plan's first scenario."""
    period = max(rows.texts("period"))
    of_plan = rows.only(rows.where("period", period))
    return of_plan.only(of_plan.where("scenario", min(of_plan.texts("scenario"))))


def _balances(figures: Figures, rows: Rows) -> Iterator[Picture]:
    """Deposits, pool cash, what it is to hold, and debts, by month, of the latest plan."""
    of_plan = _last_plan(rows)
    names = ("deposits", "cash", "reserve", "floor", "debts")
    by_month = list(of_plan.sums(("month",), names).items())[:MONTHS_SHOWN]
    values = [
        [fen[0] for _, fen in by_month],
        [fen[1] for _, fen in by_month],
        [fen[2] + fen[3] for _, fen in by_month],
        [fen[4] for _, fen in by_month],
    ]
    scales = scale_for(max(max(map(abs, one)) for one in values), figures.currency)
    labels = [month[2:] for (month,), _ in by_month]

    def drawn(language: Language) -> str:
        keys = ("deposits", "cash", "kept", "debts")
        colours = (GREEN, BLUE, "#c2a85f", RED)
        series = [
            Series(word(f"lending.{key}").of(language), colour)
            for key, colour in zip(keys, colours, strict=True)
        ]
        return month_columns(labels, series, values, scales[language].text)

    unit = Word(scales["zh"].unit.zh, scales["en"].unit.en)
    yield Picture(
        word("lending.picture.balances", period=max(rows.texts("period")), unit=unit),
        in_both(drawn),
        word("lending.balances_note"),
    )


def _lenders(figures: Figures) -> Iterator[Picture]:
    """Who lends and who borrows in the month of the latest plan in which most is owed."""
    rows = figures.tables["pool_plan"]
    if not rows.n:
        return
    of_plan = _last_plan(rows)
    owed = {month: fen for (month,), (fen,) in of_plan.sums(("month",), ("debt",)).items()}
    month = max(sorted(owed), key=lambda one: owed[one])
    if not owed[month]:
        return
    found = of_plan.only(of_plan.where("month", month)).sums(("unit_id",), ("lent", "debt"))
    net = {unit: lent - debt for (unit,), (lent, debt) in found.items()}
    lenders = sorted((unit for unit in net if net[unit] > 0), key=lambda u: (-net[u], u))
    borrowers = sorted((unit for unit in net if net[unit] < 0), key=lambda u: (net[u], u))
    chosen = [*lenders[:MOST_UNITS], *reversed(borrowers[:MOST_UNITS])]
    bars = [(visible(figures.unit_name(unit)), net[unit]) for unit in chosen]
    scales = scale_for(max(abs(fen) for _, fen in bars), figures.currency)
    unit = Word(scales["zh"].unit.zh, scales["en"].unit.en)
    yield Picture(
        word("lending.picture.lenders", month=month, unit=unit),
        in_both(lambda language: diverging_bars(bars, (BLUE, RED), scales[language].text)),
        word("lending.lenders_note"),
    )
