"""Funds of a consortium: who gets what of a budget, what its rules cost, packages and shares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from medcost.money import divide_half_away
from medcost.report.charts import Series, Step, diverging_bars, stacked_bars, waterfall
from medcost.report.figures import Figures, Rows
from medcost.report.grid import Cell, Column, Grid, Lines
from medcost.report.labels import package_of, purpose_of, tag_of
from medcost.report.numbers import Scale, scale_for, visible
from medcost.report.section import BLUE, GREEN, RED, Picture, Section, in_both
from medcost.report.sums import rate_of
from medcost.report.words import Language, Word, all_words, joined, same, word

# Quiet beside what is allocated.
UNMET = "#d9dee3"
MOST_BARS = 20
MOST_PACKAGES = 6
PACKAGE_LINES = (
    "package",
    "reserve",
    "out_of_county",
    "local",
    "serious_illness",
    "stop_loss",
    "aggregate",
)
AMOUNTS = ("previous", "request", "allocated")
FUND_TABLES = ("fund_allocation", "fund_goal", "fund_rule", "insurance_package", "surplus_share")


def funds(figures: Figures) -> Section:
    """Budgets over requests, rules and prices, packages, surplus and overspend.

    Claims are left out: they are of single persons.
    """
    if not any(figures.has(name) for name in FUND_TABLES):
        return Section("funds", word("funds"), missing=word("funds.missing"))
    grids = (
        _members(figures),
        _requests(figures),
        _goals(figures),
        _rules(figures),
        _packages(figures),
        _shares(figures),
    )
    pictures = (
        *_allocated_picture(figures),
        *_package_pictures(figures),
        *_share_pictures(figures),
    )
    return Section(
        "funds", word("funds"), (), tuple(pictures), tuple(grid for grid in grids if grid.n_rows)
    )


def _named(figures: Figures, unit: str) -> tuple[str, str]:
    return visible(unit), visible(figures.names.unit.get(unit, ""))


def _unit(scales: dict[str, Scale]) -> Word:
    return Word(scales["zh"].unit.zh, scales["en"].unit.en)


def _rule_word(rule: str) -> Word:
    """The word of a rule of the program, or the name that a policy gives to one of its own."""
    if f"funds.rule.{rule}" in all_words():
        return word(f"funds.rule.{rule}")
    return same(visible(rule))


def _members(figures: Figures) -> Grid:
    """What each member asked for and gets, with the total of all."""
    columns = (
        Column("period", word("cover.period")),
        Column("unit_id", word("unit"), is_label=True),
        Column("unit_name", word("name")),
        *(Column(name, word(f"funds.{name}"), "money") for name in AMOUNTS),
        Column(
            "satisfied_share", word("funds.satisfied_share"), "rate", ratio=("allocated", "request")
        ),
    )
    lines = Lines(columns)
    sums = figures.tables["fund_allocation"].sums(("period", "unit_id"), AMOUNTS)
    for (period, unit), fen in sums.items():
        share = rate_of(fen[2], fen[1])
        lines.rows([(period, *_named(figures, unit), *fen, share)], unit)
    if sums:
        lines.total(word("total_of_all"), 0, level=1)
    return Grid(
        "fund_members", word("funds.members"), columns, tuple(lines.found), (),
        rank="request", sheet=word("funds.members_sheet"),
    )  # fmt: skip


def _requests(figures: Figures) -> Grid:
    """Every request with its bounds, what it gets, and what it stopped at."""
    numbers = ("request", "previous", "floor", "ceiling", "allocated")
    columns = (
        Column("period", word("cover.period"), on_page=False),
        Column("unit_id", word("unit"), is_label=True),
        Column("purpose", word("funds.purpose")),
        Column("tags", word("funds.tags")),
        *(Column(name, word(f"funds.{name}"), "money") for name in numbers),
        Column(
            "satisfied_share", word("funds.satisfied_share"), "rate", ratio=("allocated", "request")
        ),
        Column("held", word("funds.held")),
        Column("goal", word("funds.goal")),
    )
    rows = figures.tables["fund_allocation"]
    lines = Lines(columns)
    texts = zip(
        *(rows.texts(name) for name in ("period", "unit_id", "purpose", "tags", "held", "goal")),
        strict=True,
    )
    values = zip(*(rows.values(name) for name in (*numbers, "satisfied_share")), strict=True)
    for (period, unit, purpose, tags, held, goal), of in zip(texts, values, strict=True):
        stopped = word(f"funds.held.{held}") if held else None
        label = (period, visible(unit), purpose_of(purpose), tag_of(tags))
        lines.rows([(*label, *of, stopped, goal or None)], unit)
    return Grid(
        "fund_requests", word("funds.requests"), columns, tuple(lines.found),
        (word("funds.requests_note"),), rank="request", sheet=word("funds.requests_sheet"),
    )  # fmt: skip


def _goals(figures: Figures) -> Grid:
    columns = (
        Column("period", word("cover.period")),
        Column("position", word("funds.position"), "count", adds=False),
        Column("goal", word("funds.goal"), is_label=True),
        Column("satisfied_share", word("funds.satisfied_share"), "rate", adds=False),
        Column("value", word("funds.value"), "money", adds=False),
        Column("stopped", word("funds.stopped"), "count", adds=False),
    )
    rows = figures.tables["fund_goal"]
    found = zip(
        rows.texts("period"), rows.values("position"), rows.texts("goal"),
        rows.values("satisfied_share"), rows.values("value"), rows.values("stopped"), strict=True,
    )  # fmt: skip
    lines = Lines(columns)
    lines.rows(sorted(found, key=lambda row: (row[0], row[1] or 0)))
    return Grid(
        "fund_goals", word("funds.goals"), columns, tuple(lines.found),
        (word("funds.goals_note"),), adds_up=False, sheet=word("funds.goals_sheet"),
    )  # fmt: skip


def _rules(figures: Figures) -> Grid:
    """Every rule with its price; gains of shares in 1e-6, of values in fen."""
    amounts = ("bound", "reached", "slack", "step")
    columns = (
        Column("period", word("cover.period")),
        Column("rule", word("funds.rule"), is_label=True),
        Column("unit_id", word("unit")),
        Column("purpose", word("funds.purpose")),
        *(Column(name, word(f"funds.{name}"), "money", adds=False) for name in amounts),
        Column("goal", word("funds.goal")),
        Column("share_above", word("funds.share_above"), "weight", adds=False),
        Column("share_below", word("funds.share_below"), "weight", adds=False),
        Column("value_above", word("funds.value_above"), "money", adds=False),
        Column("value_below", word("funds.value_below"), "money", adds=False),
    )
    rows = figures.tables["fund_rule"]
    texts = zip(
        *(rows.texts(name) for name in ("period", "rule", "unit_id", "purpose", "goal")),
        strict=True,
    )
    values = zip(
        *(rows.values(name) for name in (*amounts, "gain_above", "gain_below")), strict=True
    )
    lines = Lines(columns)
    for (period, rule, unit, purpose, goal), (*of, above, below) in zip(texts, values, strict=True):
        is_value = goal == "value"
        shares = (None, None) if is_value else (_in(above, 6), _in(below, 6))
        worth = (_in(above, 10), _in(below, 10)) if is_value else (None, None)
        label = (period, _rule_word(rule), visible(unit), purpose_of(purpose))
        lines.rows([(*label, *of, goal or None, *shares, *worth)], unit)
    return Grid(
        "fund_rules", word("funds.rules"), columns, tuple(lines.found),
        (word("funds.rules_note"),), adds_up=False, sheet=word("funds.rules_sheet"),
    )  # fmt: skip


def _in(value: int | None, digits: int) -> int | None:
    """A number in 1e-12 with so many digits fewer, rounded, halves away from zero."""
    return None if value is None else divide_half_away(value, int(10**digits))


def _packages(figures: Figures) -> Grid:
    """The settlement of each package, its lines side by side."""
    columns = (
        Column("period", word("cover.period")),
        Column("package_id", word("funds.package_id"), is_label=True),
        *(Column(line, word(f"funds.line.{line}"), "money") for line in PACKAGE_LINES),
        Column("surplus", word("funds.surplus"), "money"),
    )
    lines = Lines(columns)
    for (period, package), of in _settlements(figures).items():
        cells: tuple[Cell, ...] = (
            period, package_of(package), *(of.get(line) for line in PACKAGE_LINES), sum(of.values())
        )  # fmt: skip
        lines.rows([cells])
    if lines.found:
        lines.total(word("total_of_all"), 0, level=1)
    return Grid(
        "fund_packages", word("funds.packages"), columns, tuple(lines.found), (),
        rank="package", sheet=word("funds.packages_sheet"),
    )  # fmt: skip


def _settlements(figures: Figures) -> dict[tuple[str, str], dict[str, int]]:
    """Fen of each line by month and package."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    sums = figures.tables["insurance_package"].sums(("period", "package_id", "line"), ("amount",))
    for (period, package, line), (fen,) in sums.items():
        found.setdefault((period, package), {})[line] = fen
    return found


def _shares(figures: Figures) -> Grid:
    """What each member gets or bears of each package, and what the package keeps."""
    columns = (
        Column("period", word("cover.period")),
        Column("package_id", word("funds.package_id"), is_label=True),
        Column("group", word("funds.group")),
        Column("unit_id", word("unit")),
        Column("unit_name", word("name")),
        Column("service_volume", word("funds.service_volume"), "quantity", adds=False),
        Column("score", word("funds.score"), "weight", adds=False),
        Column("weight_share", word("funds.weight_share"), "rate", adds=False),
        Column("quota", word("funds.quota"), "money"),
        Column("amount", word("funds.share"), "money"),
        Column("held", word("funds.held")),
    )
    rows = figures.tables["surplus_share"]
    names = ("period", "package_id", "group", "unit_id", "held")
    numbers = ("service_volume", "score", "weight_share", "quota", "amount")
    texts = zip(*(rows.texts(name) for name in names), strict=True)
    values = zip(*(rows.values(name) for name in numbers), strict=True)
    lines = Lines(columns)
    start, before = 0, None
    for (period, package, group, unit, held), of in zip(texts, values, strict=True):
        if (period, package) != before:
            if before is not None:
                lines.total(word("subtotal", of=package_of(before[1])), start, level=1)
            start, before = len(lines.found), (period, package)
        whose = _named(figures, unit) if unit else ("", word("funds.kept"))
        stopped = word(f"funds.held.{held}") if held else None
        lines.rows([(period, package_of(package), visible(group), *whose, *of, stopped)], unit)
    if before is not None:
        lines.total(word("subtotal", of=package_of(before[1])), start, level=1)
    return Grid(
        "fund_shares", word("funds.shares"), columns, tuple(lines.found),
        (word("funds.shares_note"),), rank="amount", sheet=word("funds.shares_sheet"),
    )  # fmt: skip


# Pictures


def _largest(sums: dict[str, list[int]], place: int) -> list[tuple[str, list[int]]]:
    ranked = sorted(sums.items(), key=lambda pair: (-abs(pair[1][place]), pair[0]))
    return ranked[:MOST_BARS]


def _allocated_picture(figures: Figures) -> Iterator[Picture]:
    """What the members with the largest requests get, and what is left of their requests."""
    found = figures.tables["fund_allocation"].sums(("unit_id",), ("request", "allocated"))
    sums = {unit: fen for (unit,), fen in found.items()}
    if not any(request for request, _ in sums.values()):
        return
    rows = [
        (visible(figures.unit_name(unit)), [allocated, max(request - allocated, 0)])
        for unit, (request, allocated) in _largest(sums, 0)
    ]
    scales = scale_for(max(sum(parts) for _, parts in rows), figures.currency)
    yield Picture(
        word("funds.picture", unit=_unit(scales)),
        in_both(partial(_bars, rows, scales)),
        word("funds.picture_note"),
    )


def _bars(
    rows: Sequence[tuple[str, Sequence[int]]], scales: dict[str, Scale], language: Language
) -> str:
    series = [
        Series(word("funds.allocated").of(language), BLUE),
        Series(word("funds.unmet").of(language), UNMET),
    ]
    return stacked_bars(rows, series, scales[language].text)


def _package_pictures(figures: Figures) -> Iterator[Picture]:
    """From each package to its surplus."""
    for (period, package), of in list(_settlements(figures).items())[:MOST_PACKAGES]:
        scales = scale_for(of.get("package", 0), figures.currency)
        label = package_of(package)
        if len(figures.periods) > 1:
            label = joined(same(" "), label, same(period))
        yield Picture(
            word("funds.package_picture", of=label, unit=_unit(scales)),
            in_both(partial(_package_steps, of, scales)),
        )


def _package_steps(of: dict[str, int], scales: dict[str, Scale], language: Language) -> str:
    steps = [
        Step(word(f"funds.line.{line}").of(language), of[line], line == "package")
        for line in PACKAGE_LINES
        if line in of
    ]
    steps.append(Step(word("funds.surplus").of(language), sum(of.values()), True))
    cut_axis = word("cut_axis").of(language)
    return waterfall(steps, (BLUE, GREEN, RED), scales[language].text, cut_axis)


def _share_pictures(figures: Figures) -> Iterator[Picture]:
    """Who gets most of the surplus, and who bears most of the overspend, over all packages."""
    rows: Rows = figures.tables["surplus_share"]
    sums = {unit: fen for (unit,), fen in rows.sums(("unit_id",), ("amount",)).items() if unit}
    largest = [(unit, fen[0]) for unit, fen in _largest(sums, 0) if fen[0]]
    if not largest:
        return
    scales = scale_for(max(abs(fen) for _, fen in largest), figures.currency)
    bars = [(visible(figures.unit_name(unit)), fen) for unit, fen in largest]
    yield Picture(
        word("funds.share_picture", unit=_unit(scales)),
        in_both(lambda language: diverging_bars(bars, (GREEN, RED), scales[language].text)),
        word("funds.share_picture_note"),
    )
