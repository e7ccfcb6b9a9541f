"""The consolidated statement: members, what is eliminated, and what is left; what did not match."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from medcost.report.charts import Series, Step, stacked_bars, waterfall
from medcost.report.figures import Figures, Rows
from medcost.report.grid import Cell, Column, Grid, Lines
from medcost.report.numbers import Scale, scale_for, visible
from medcost.report.section import BLUE, GREEN, RED, Picture, Section, in_both
from medcost.report.words import Language, Word, all_words, same, word

NATURES = ("income", "cost", "asset", "liability", "net_assets")
AMOUNTS = ("members", "eliminated", "consolidated")
MOST_UNITS = 20
DEAL = ("kind", "from_unit_id", "to_unit_id", "reference", "booked_in")


def consolidation(figures: Figures) -> Section:
    """The consortium's statement of every month, and how it comes from the members'."""
    title = word("consolidation")
    statement = figures.tables["consolidated_statement"]
    if not statement.n:
        return Section("consolidation", title, missing=word("consolidation.missing"))
    grids = (
        _statement(statement),
        _eliminated(figures),
        _unmatched(figures),
        _unrealised(figures),
        _interest(figures),
    )
    pictures = (*_waterfalls(figures, statement), *_owners(figures))
    return Section(
        "consolidation", title, (), pictures, tuple(grid for grid in grids if grid.n_rows)
    )


def kind_word(kind: str) -> Word:
    """The name of a kind of business that ships; of another, its id."""
    return all_words().get(f"consolidation.kind.{kind}", same(visible(kind)))


def _periods(rows: Rows) -> list[str]:
    return [period for (period,) in rows.sums(("period",), ())]


def _statement(rows: Rows) -> Grid:
    """Lines of each month by nature, with totals, and the surplus."""
    columns = (
        Column("line", word("consolidation.line"), is_label=True),
        Column("account", word("consolidation.account")),
        *(Column(name, word(f"consolidation.{name}"), "money") for name in AMOUNTS),
    )
    lines = Lines(columns)
    texts = [rows.texts(name) for name in ("period", "nature", "account", "name_zh", "name_en")]
    numbers = [rows.values(name) for name in ("position", *AMOUNTS)]
    every = sorted(zip(*texts, *numbers, strict=True), key=lambda row: (row[0], row[5]))
    for period in _periods(rows):
        lines.heading(same(period), level=1)
        totals = {}
        for nature in NATURES:
            of = [row for row in every if row[0] == period and row[1] == nature]
            if not of:
                continue
            cells = (
                (Word(visible(zh), visible(en)), visible(account), *fen)
                for _, _, account, zh, en, _, *fen in of
            )
            first = lines.rows(cells)
            totals[nature] = lines.total(word(f"consolidation.total.{nature}"), first, level=2)
        if "income" in totals and "cost" in totals:
            pair = (totals["income"], totals["cost"])
            lines.difference(word("consolidation.surplus"), pair, is_nothing=False)
    return Grid(
        "consolidated_statement",
        word("consolidation.statement"),
        columns,
        tuple(lines.found),
        (word("consolidation.statement_note"),),
        adds_up=False,
        sheet=word("consolidation.statement"),
    )


def _eliminated(figures: Figures) -> Grid:
    """What was taken out, by month, kind of business and what the entry is."""
    columns = (
        Column("period", word("consolidation.month"), is_label=True),
        Column("kind", word("consolidation.kind")),
        Column("entry", word("consolidation.entry")),
        Column("line", word("consolidation.line")),
        Column("amount", word("consolidation.eliminated"), "money"),
    )
    rows = figures.tables["elimination"]
    names = _line_names(figures)
    sums = rows.sums(("period", "kind", "entry", "line_id"), ("amount",))
    lines = Lines(columns)
    lines.rows(
        (same(period), kind_word(kind), word(f"consolidation.entry.{entry}"), names[line], fen)
        for (period, kind, entry, line), (fen,) in sums.items()
    )
    return Grid(
        "elimination",
        word("consolidation.eliminations"),
        columns,
        tuple(lines.found),
        (word("consolidation.eliminations_note"),),
        rank="amount",
        sheet=word("consolidation.eliminations"),
    )


def _line_names(figures: Figures) -> dict[str, Word]:
    rows = figures.tables["consolidated_statement"]
    ids, zh, en = (rows.texts(name) for name in ("line_id", "name_zh", "name_en"))
    found = {line: Word(visible(a), visible(b)) for line, a, b in zip(ids, zh, en, strict=True)}
    # A line that adds up to nothing is not published.
    others = {line for (line,) in figures.tables["elimination"].sums(("line_id",), ())}
    return {line: same(visible(line)) for line in others} | found


def _deal_columns() -> tuple[Column, ...]:
    return (
        Column("period", word("consolidation.month"), is_label=True),
        Column("kind", word("consolidation.kind")),
        Column("from", word("consolidation.from")),
        Column("to", word("consolidation.to")),
        Column("reference", word("consolidation.reference")),
        Column("booked_in", word("consolidation.booked_in"), on_page=False),
    )


def _deals(rows: Rows) -> Iterator[tuple[Cell, ...]]:
    """Month and deal of each row."""
    texts = zip(*(rows.texts(name) for name in ("period", *DEAL)), strict=True)
    for period, kind, *others in texts:
        yield (same(period), kind_word(kind), *(visible(text) for text in others))


def _unmatched(figures: Figures) -> Grid:
    """What the two sides did not book alike, and what of it was left in."""
    rows = figures.tables["unmatched"]
    names = ("claimed", "owed", "difference")
    columns = (
        *_deal_columns(),
        Column("reason", word("consolidation.reason")),
        Column("other_period", word("consolidation.other_period")),
        *(Column(name, word(f"consolidation.{name}"), "money") for name in names),
    )
    lines = Lines(columns)
    more = zip(rows.texts("reason"), rows.texts("other_period"), strict=True)
    fen = zip(*(rows.values(name) for name in names), strict=True)
    lines.rows(
        (*deal, word(f"consolidation.reason.{reason}"), other, *amounts)
        for deal, (reason, other), amounts in zip(_deals(rows), more, fen, strict=True)
    )
    return Grid(
        "unmatched",
        word("consolidation.unmatched"),
        columns,
        tuple(lines.found),
        (word("consolidation.unmatched_note"),),
        rank="difference",
        sheet=word("consolidation.unmatched"),
    )


def _unrealised(figures: Figures) -> Grid:
    """The profit of each sale between members, and what of it lies in stock."""
    rows = figures.tables["unrealised_profit"]
    names = ("price", "profit", "opening", "closing")
    columns = (
        *_deal_columns(),
        *(Column(name, word(f"consolidation.{name}"), "money") for name in names),
    )
    lines = Lines(columns)
    fen = zip(*(rows.values(name) for name in names), strict=True)
    lines.rows((*deal, *amounts) for deal, amounts in zip(_deals(rows), fen, strict=True))
    return Grid(
        "unrealised_profit",
        word("consolidation.unrealised"),
        columns,
        tuple(lines.found),
        (word("consolidation.unrealised_note"),),
        rank="closing",
        sheet=word("consolidation.unrealised"),
    )


def _interest(figures: Figures) -> Grid:
    """Whose each member's surplus and net assets are."""
    rows = figures.tables["consortium_interest"]
    names = ("reported", "unrealised_change", "adjusted", "of_consortium", "of_minority")
    columns = (
        Column("period", word("consolidation.month"), is_label=True),
        Column("measure", word("consolidation.measure")),
        Column("unit_id", word("unit")),
        Column("unit_name", word("name")),
        Column("share", word("consolidation.share")),
        *(Column(name, word(f"consolidation.{name}"), "money") for name in names),
    )
    lines = Lines(columns)
    texts = zip(*(rows.texts(n) for n in ("period", "measure", "unit_id", "share")), strict=True)
    values = ("reported", "unrealised", "adjusted", "of_consortium", "of_minority")
    every = list(zip(texts, zip(*(rows.values(n) for n in values), strict=True), strict=True))
    for measure in ("surplus", "net_assets"):
        name = word(f"consolidation.measure.{measure}")
        of = [(text, fen) for text, fen in every if text[1] == measure]
        first = len(lines.found)
        for (period, _, unit, share), fen in of:
            label = visible(figures.unit_name(unit))
            lines.rows([(same(period), name, visible(unit), label, share, *fen)], unit)
        if of and measure == "surplus":
            lines.total(word("total"), first)
    return Grid(
        "consortium_interest",
        word("consolidation.interest"),
        columns,
        tuple(lines.found),
        (word("consolidation.interest_note"),),
        rank="of_minority",
        adds_up=False,
        sheet=word("consolidation.interest"),
    )


def _waterfalls(figures: Figures, statement: Rows) -> Iterator[Picture]:
    """From the members' income to the consolidated, kind by kind, of the last month."""
    period = _periods(statement)[-1]
    of_month = statement.only(statement.where("period", period))
    for nature in ("income", "cost"):
        lines = of_month.only(of_month.where("nature", nature))
        if not lines.n:
            continue
        [(members, consolidated)] = lines.sums((), ("members", "consolidated")).values()
        ids = [line for (line,) in lines.sums(("line_id",), ())]
        taken = figures.tables["elimination"]
        taken = taken.only(taken.where("period", period) & taken.where("line_id", *ids))
        kinds = [(kind, fen) for (kind,), (fen,) in taken.sums(("kind",), ("amount",)).items()]
        scales = scale_for(max(abs(members), abs(consolidated)), figures.currency)
        yield Picture(
            word(
                f"consolidation.picture.{nature}",
                period=period,
                unit=Word(scales["zh"].unit.zh, scales["en"].unit.en),
            ),
            in_both(partial(_steps, members, kinds, consolidated, scales)),
            word("consolidation.picture_note"),
        )


def _steps(
    members: int,
    kinds: Sequence[tuple[str, int]],
    consolidated: int,
    scales: Mapping[str, Scale],
    language: Language,
) -> str:
    steps = [
        Step(word("consolidation.members").of(language), members, True),
        *(Step(kind_word(kind).of(language), fen) for kind, fen in kinds if fen),
        Step(word("consolidation.consolidated").of(language), consolidated, True),
    ]
    return waterfall(
        steps, (BLUE, RED, GREEN), scales[language].text, word("cut_axis").of(language)
    )


def _owners(figures: Figures) -> Iterator[Picture]:
    """The surplus of members that others own a part of, by whose it is, in the last month."""
    rows = figures.tables["consortium_interest"]
    if not rows.n:
        return
    period = _periods(rows)[-1]
    rows = rows.only(
        rows.where("period", period) & rows.where("measure", "surplus") & ~rows.where("share", "1")
    )
    found = rows.sums(("unit_id",), ("of_consortium", "of_minority"))
    largest = sorted(found.items(), key=lambda one: (-abs(one[1][1]), one[0]))[:MOST_UNITS]
    if not largest:
        return
    bars = [(visible(figures.unit_name(unit)), fen) for (unit,), fen in largest]
    scales = scale_for(max(sum(map(abs, fen)) for _, fen in bars), figures.currency)

    def drawn(language: Language) -> str:
        series = [
            Series(word("consolidation.of_consortium").of(language), BLUE),
            Series(word("consolidation.of_minority").of(language), GREEN),
        ]
        return stacked_bars(bars, series, scales[language].text)

    unit = Word(scales["zh"].unit.zh, scales["en"].unit.en)
    yield Picture(
        word("consolidation.picture.owners", period=period, unit=unit),
        in_both(drawn),
        word("consolidation.owners_note"),
    )
