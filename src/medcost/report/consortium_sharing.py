"""Shared services: who bears what against the cost of standing alone, and who is aggrieved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from medcost.consortium.sharing.words import sentence_on_core
from medcost.report.charts import Series, stacked_bars
from medcost.report.figures import Figures, Rows
from medcost.report.grid import Cell, Column, Grid, Lines
from medcost.report.numbers import scale_for, visible
from medcost.report.section import BLUE, GREEN, RED, Picture, Section, in_both
from medcost.report.words import Language, Word, same, word

MOST_BARS, MOST_PICTURES = 20, 8
BETWEEN = ";"


def sharing(figures: Figures) -> Section:
    """Each service and its verdict, shares against cost alone, postings, other rules."""
    title = word("sharing")
    services = figures.tables["share_service"]
    if not services.n:
        return Section("sharing", title, missing=word("sharing.missing"))
    grids = (
        _services(figures, services),
        _shares(figures),
        _rules(figures),
        _coalitions(figures),
        _postings(figures),
    )
    return Section(
        "sharing",
        title,
        tuple(_verdicts(figures, services)),
        tuple(_pictures(figures, services)),
        tuple(grid for grid in grids if grid.n_rows),
    )


def _zipped(rows: Rows, texts: Sequence[str], numbers: Sequence[str]) -> Iterator[tuple[Cell, ...]]:
    """Texts, then numbers, of each row, as they are."""
    columns: list[Sequence[Cell]] = [rows.texts(name) for name in texts]
    yield from zip(*columns, *(rows.values(name) for name in numbers), strict=True)


def _name(figures: Figures, unit: Cell) -> str:
    """A member's name alone: its id stands beside it."""
    return visible(figures.names.unit.get(str(unit), ""))


def _choice(prefix: str, text: Cell) -> Word | None:
    return word(f"sharing.{prefix}.{text}") if text else None


def _account(text: Cell) -> Word | None:
    """Only the pool is named: a member's own books are what one expects."""
    return word("sharing.pool") if text == "pool" else None


def _verdicts(figures: Figures, services: Rows) -> Iterator[Word]:
    """A sentence for each service of the last month whose coalitions can be compared."""
    period = max(services.texts("period"))
    taking_part: dict[str, set[str]] = {}
    rules = figures.tables["share_rule"]
    for of_period, service, unit in _zipped(rules, ("period", "service_id", "unit_id"), ()):
        if of_period == period:
            taking_part.setdefault(str(service), set()).add(str(unit))
    of = _zipped(services, ("period", "service_id", "core", "worst_coalition"), ("worst_excess",))
    for of_period, service, core, coalition, excess in of:
        if of_period != period or not coalition:
            continue
        inside = str(coalition).split(BETWEEN)
        others = sorted(taking_part.get(str(service), set()) - {*inside})
        shown = [visible(figures.unit_name(unit)) for unit in inside]
        beside = [visible(figures.unit_name(unit)) for unit in others]
        fen = excess if isinstance(excess, int) else 0
        label, aggrieved = visible(str(service)), core == "outside"
        zh = sentence_on_core(label, shown, beside, fen, aggrieved, "zh")
        en = sentence_on_core(label, shown, beside, fen, aggrieved, "en")
        yield Word(zh, en)


def _services(figures: Figures, rows: Rows) -> Grid:
    """Each service: its rule and game, what it cost, and what coalitions say."""
    columns = (
        Column("period", word("sharing.month"), is_label=True),
        Column("service_id", word("sharing.service")),
        Column("name", word("name")),
        Column("unit_id", word("sharing.performer")),
        Column("unit_name", word("unit_name"), on_page=False),
        Column("rule", word("sharing.rule")),
        Column("game", word("sharing.game")),
        Column("own_cost", word("sharing.own_cost"), "money"),
        Column("included_cost", word("sharing.included_cost"), "money"),
        Column("cost", word("sharing.cost"), "money", adds=False),
        Column("core", word("sharing.core")),
        Column("checked_by", word("sharing.checked_by"), on_page=False),
        Column("worst_coalition", word("sharing.worst"), on_page=False),
        Column("worst_excess", word("sharing.excess"), "money", adds=False),
        Column("least_excess", word("sharing.least_excess"), "money", adds=False),
    )
    lines = Lines(columns)
    texts = ("period", "service_id", "name", "unit_id", "rule", "game", "core", "checked_by")
    numbers = ("own_cost", "included_cost", "cost", "worst_excess", "least_excess")
    for period, service, name, unit, rule, game, core, how, worst, *money in _zipped(
        rows, (*texts, "worst_coalition"), numbers
    ):
        lines.rows(
            [
                (
                    same(str(period)), visible(str(service)), visible(str(name)),
                    visible(str(unit)), _name(figures, unit), _choice("rule", rule),
                    _choice("game", game), *money[:3], _choice("core", core),
                    _choice("by", how), visible(str(worst)), *money[3:],
                )
            ],
            str(unit),
        )  # fmt: skip
    lines.total(word("total"), 0, level=1)
    return Grid(
        "share_service",
        word("sharing.services"),
        columns,
        tuple(lines.found),
        (word("sharing.services_note"),),
        rank="cost",
        sheet=word("sharing.services"),
    )


def _shares(figures: Figures) -> Grid:
    """What each member bears of each service, and would alone."""
    columns = (
        Column("period", word("sharing.month"), is_label=True),
        Column("service_id", word("sharing.service")),
        Column("unit_id", word("unit")),
        Column("unit_name", word("name")),
        Column("account", word("sharing.account")),
        Column("share", word("sharing.share"), "money"),
        Column("stand_alone_cost", word("sharing.alone"), "money", adds=False),
        Column("saving", word("sharing.saving"), "money", adds=False),
        Column("sampling_error", word("sharing.error"), "money", adds=False, on_page=False),
        Column("tightest_coalition", word("sharing.tightest"), on_page=False),
        Column("tightest_excess", word("sharing.tightest_excess"), "money", adds=False),
    )
    lines = Lines(columns)
    texts = ("period", "service_id", "unit_id", "account", "tightest_coalition")
    numbers = ("share", "stand_alone_cost", "saving", "sampling_error", "tightest_excess")
    for period, service, unit, account, tightest, *money in _zipped(
        figures.tables["share"], texts, numbers
    ):
        lines.rows(
            [
                (
                    same(str(period)), visible(str(service)), visible(str(unit)),
                    _name(figures, unit), _account(account), *money[:4],
                    visible(str(tightest)), money[4],
                )
            ],
            str(unit),
        )  # fmt: skip
    lines.total(word("total"), 0, level=1)
    return Grid(
        "share",
        word("sharing.shares"),
        columns,
        tuple(lines.found),
        (word("sharing.shares_note"),),
        rank="share",
        sheet=word("sharing.shares"),
    )


def _rules(figures: Figures) -> Grid:
    """What other rules would charge."""
    columns = (
        Column("period", word("sharing.month"), is_label=True),
        Column("service_id", word("sharing.service")),
        Column("rule", word("sharing.rule")),
        Column("charged", word("sharing.charged")),
        Column("unit_id", word("unit")),
        Column("unit_name", word("name")),
        Column("account", word("sharing.account")),
        Column("share", word("sharing.share"), "money", adds=False),
        Column("core", word("sharing.core")),
        Column("worst_excess", word("sharing.excess"), "money", adds=False),
    )
    lines = Lines(columns)
    texts = ("period", "service_id", "rule", "charged", "unit_id", "account", "core")
    for period, service, rule, charged, unit, account, core, *money in _zipped(
        figures.tables["share_rule"], texts, ("share", "worst_excess")
    ):
        lines.rows(
            [
                (
                    same(str(period)), visible(str(service)), _choice("rule", rule),
                    word("sharing.charged.yes") if charged == "yes" else None,
                    visible(str(unit)), _name(figures, unit), _account(account),
                    money[0], _choice("core", core), money[1],
                )
            ],
            str(unit),
        )  # fmt: skip
    return Grid(
        "share_rule",
        word("sharing.rules"),
        columns,
        tuple(lines.found),
        (word("sharing.rules_note"),),
        rank="share",
        adds_up=False,
        sheet=word("sharing.rules"),
        on_page=False,
    )


def _coalitions(figures: Figures) -> Grid:
    """The worst-placed coalition of each service, and each member's tightest."""
    money = ("pays", "alone", "excess")
    columns = (
        Column("period", word("sharing.month"), is_label=True),
        Column("service_id", word("sharing.service")),
        Column("members", word("sharing.members")),
        Column("size", word("sharing.size"), "count", adds=False),
        *(Column(name, word(f"sharing.coalition.{name}"), "money", adds=False) for name in money),
    )
    lines = Lines(columns)
    texts = ("period", "service_id", "members")
    for period, service, members, *numbers in _zipped(
        figures.tables["share_coalition"], texts, ("size", *money)
    ):
        row = (same(str(period)), visible(str(service)), visible(str(members)), *numbers)
        lines.rows([row])
    return Grid(
        "share_coalition",
        word("sharing.coalitions"),
        columns,
        tuple(lines.found),
        (word("sharing.coalitions_note"),),
        adds_up=False,
        sheet=word("sharing.coalitions"),
        on_page=False,
    )


def _postings(figures: Figures) -> Grid:
    """Every posting between members."""
    columns = (
        Column("period", word("sharing.month"), is_label=True),
        Column("service_id", word("sharing.service")),
        Column("unit_id", word("unit")),
        Column("unit_name", word("name")),
        Column("account", word("sharing.account")),
        Column("counterparty_id", word("sharing.counterparty")),
        Column("counterparty_name", word("sharing.counterparty_name")),
        Column("counterparty_account", word("sharing.counterparty_account")),
        Column("amount", word("sharing.amount"), "money"),
    )
    lines = Lines(columns)
    texts = ("period", "service_id", "unit_id", "account", "counterparty_id")
    for period, service, unit, account, other, other_account, fen in _zipped(
        figures.tables["share_posting"], (*texts, "counterparty_account"), ("amount",)
    ):
        lines.rows(
            [
                (
                    same(str(period)), visible(str(service)), visible(str(unit)),
                    _name(figures, unit), _account(account), visible(str(other)),
                    _name(figures, other), _account(other_account), fen,
                )
            ],
            str(unit),
        )  # fmt: skip
    lines.total(word("total"), 0, level=1)
    return Grid(
        "share_posting",
        word("sharing.postings"),
        columns,
        tuple(lines.found),
        (word("sharing.postings_note"),),
        rank="amount",
        sheet=word("sharing.postings"),
        on_page=False,
    )


def _pictures(figures: Figures, services: Rows) -> Iterator[Picture]:
    """Of the last month, members' shares against their cost alone, service by service."""
    period = max(services.texts("period"))
    names = {
        str(service): visible(f"{service} {name}".strip())
        for of_period, service, name in _zipped(services, ("period", "service_id", "name"), ())
        if of_period == period
    }
    by_service: dict[str, list[tuple[str, int, int]]] = {}
    of = _zipped(
        figures.tables["share"],
        ("period", "service_id", "unit_id", "account"),
        ("share", "stand_alone_cost"),
    )
    for of_period, service, unit, account, fen, alone in of:
        if of_period == period and account == "own" and alone is not None:
            row = (str(unit), int(str(fen or 0)), int(str(alone)))
            by_service.setdefault(str(service), []).append(row)
    for service in sorted(by_service)[:MOST_PICTURES]:
        yield _against_alone(figures, period, names[service], by_service[service])


def _against_alone(
    figures: Figures, period: str, service: str, rows: Sequence[tuple[str, int, int]]
) -> Picture:
    """Bars of share and saving; what is borne beyond the cost alone is red."""
    ranked = sorted(rows, key=lambda row: (-max(row[1], row[2]), row[0]))[:MOST_BARS]
    scales = scale_for(max(max(fen, alone) for _, fen, alone in ranked), figures.currency)
    bars = [
        (
            visible(figures.unit_name(unit)),
            (min(fen, alone), max(alone - fen, 0), max(fen - alone, 0)),
        )
        for unit, fen, alone in ranked
    ]

    def drawn(language: Language) -> str:
        kinds = (("borne", BLUE), ("saved", GREEN), ("beyond", RED))
        series = [Series(word(f"sharing.bar.{n}").of(language), colour) for n, colour in kinds]
        return stacked_bars(bars, series, scales[language].text)

    yuan = Word(scales["zh"].unit.zh, scales["en"].unit.en)
    title = word("sharing.picture", period=period, service=service, unit=yuan)
    return Picture(title, in_both(drawn), word("sharing.picture_note"))
