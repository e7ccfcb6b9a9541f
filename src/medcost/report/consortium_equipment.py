"""Shared equipment: goals reached, devices and what they are worth, access, shares, stability."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from medcost.report.charts import Series, stacked_bars
from medcost.report.figures import Figures, Rows
from medcost.report.grid import Cell, Column, Grid, Lines
from medcost.report.labels import device_of
from medcost.report.numbers import scale_for, visible
from medcost.report.section import (
    BLUE,
    ELEMENT_COLOURS,
    GREEN,
    RED,
    Picture,
    Section,
    in_both,
)
from medcost.report.words import Language, Word, same, word

MOST_BARS = 20
GREY, PALE = "#6b7680", "#d9dee3"
TURNED = ("grassroots_unserved", "grassroots_beyond", "others_unserved", "cost")


def equipment(figures: Figures) -> Section:
    """Which device is opened where and why, who is examined where, and who pays."""
    title = word("equipment")
    sites = figures.tables["equipment_site"]
    if not sites.n:
        return Section("equipment", title, missing=word("equipment.missing"))
    grids = (
        _goals(figures.tables["equipment_goal"]),
        _sites(figures, sites),
        _shares(figures),
        _groups(figures.tables["equipment_coalition"]),
        _access(figures),
        _examinations(figures),
    )
    pictures = (*_use(figures, sites), *_reached(figures), *_payers(figures))
    return Section("equipment", title, (), pictures, tuple(grid for grid in grids if grid.n_rows))


def _rows(rows: Rows, texts: Sequence[str], numbers: Sequence[str]) -> Iterator[tuple[Cell, ...]]:
    """Texts made safe, then numbers, of each row."""
    columns: list[Sequence[Cell]] = [
        [device_of(t) if name == "device_type" else visible(t) for t in rows.texts(name)]
        for name in texts
    ]
    yield from zip(*columns, *(rows.values(name) for name in numbers), strict=True)


def _choice(prefix: str, text: str) -> Word | None:
    """The word of one of a column's values, None where it is empty."""
    return word(f"equipment.{prefix}.{text}") if text else None


def _named(figures: Figures, unit: str) -> str:
    """A member's name alone: its id stands beside it."""
    return visible(figures.names.unit.get(unit, ""))


def _labelled(figures: Figures, unit: str) -> str:
    """A member with its id, for pictures."""
    return visible(figures.unit_name(unit))


def _goals(rows: Rows) -> Grid:
    """Each goal with what it came to; counts of examinations, yuan, distances."""
    columns = (
        Column("period", word("equipment.month"), is_label=True),
        Column("goal", word("equipment.goal")),
        Column("value", word("equipment.value"), "quantity", adds=False, aligned=False),
        Column("asked", word("equipment.asked"), "quantity", adds=False),
        Column("share", word("equipment.reached"), "rate", adds=False),
    )
    lines = Lines(columns)
    of = zip(
        rows.texts("period"), rows.values("level"), rows.texts("goal"),
        *(rows.values(name) for name in ("value", "asked", "share")), strict=True,
    )  # fmt: skip
    lines.rows(
        (same(period), _choice("goal", goal), *numbers)
        for period, _, goal, *numbers in sorted(of, key=lambda row: (row[0], row[1] or 0))
    )
    return Grid(
        "equipment_goal",
        word("equipment.goals"),
        columns,
        tuple(lines.found),
        (word("equipment.goals_note"),),
        adds_up=False,
        sheet=word("equipment.goals"),
    )


def _sites(figures: Figures, rows: Rows) -> Grid:
    """Every device, why it is opened or not, and what would change were it turned round."""
    columns = (
        Column("period", word("equipment.month"), is_label=True),
        Column("device_type", word("equipment.type")),
        Column("unit_id", word("unit")),
        Column("unit_name", word("name")),
        Column("device_id", word("equipment.device"), on_page=False),
        Column("opened", word("equipment.opened")),
        Column("reason", word("equipment.reason")),
        Column("capacity", word("equipment.capacity"), "count", on_page=False),
        Column("examinations", word("equipment.examinations"), "count"),
        Column("use_rate", word("equipment.use"), "rate", adds=False),
        Column("cost", word("equipment.cost"), "money"),
        *(
            Column(
                f"turned_{name}",
                word(f"equipment.turned.{name}"),
                "money" if name == "cost" else "count",
                adds=False,
            )
            for name in TURNED
        ),
    )
    lines = Lines(columns)
    texts = ("period", "device_type", "unit_id", "device_id", "opened", "reason")
    numbers = ("capacity", "examinations", "use_rate", "cost", *(f"turned_{n}" for n in TURNED))
    of = zip(*(rows.texts(n) for n in texts), *(rows.values(n) for n in numbers), strict=True)
    for period, kind, unit, device, opened, reason, *values in sorted(of, key=lambda row: row[:4]):
        lines.rows(
            [
                (
                    same(period), device_of(kind), visible(unit), _named(figures, unit),
                    visible(device), _choice("opened", opened), _choice("reason", reason), *values,
                )
            ],
            unit,
        )  # fmt: skip
    lines.total(word("total"), 0, level=1)
    return Grid(
        "equipment_site",
        word("equipment.sites"),
        columns,
        tuple(lines.found),
        (word("equipment.sites_note"),),
        rank="cost",
        sheet=word("equipment.sites"),
    )


def _shares(figures: Figures) -> Grid:
    """What members and the pool pay by type, bear at home, and would pay alone."""
    rows = figures.tables["equipment_share"]
    money = ("rent", "share", "borne", "payable")
    columns = (
        Column("period", word("equipment.month"), is_label=True),
        Column("device_type", word("equipment.type")),
        Column("unit_id", word("unit")),
        Column("unit_name", word("name")),
        Column("examinations", word("equipment.examinations"), "count"),
        Column("price", word("equipment.price"), "price", adds=False),
        *(Column(name, word(f"equipment.{name}"), "money") for name in money),
        Column("alone", word("equipment.alone"), "money", adds=False),
        Column("saving", word("equipment.saving"), "money", adds=False),
    )
    lines = Lines(columns)
    texts, numbers = ("period", "device_type", "unit_id"), ("examinations", "price", *money)
    of = _rows(rows, texts, (*numbers, "alone", "saving"))
    units = rows.texts("unit_id")
    for unit, (period, kind, label, *values) in sorted(
        zip(units, of, strict=True), key=lambda row: (str(row[1][0]), str(row[1][1]), row[0])
    ):
        payer: Cell = _named(figures, unit) if unit else word("equipment.pool")
        lines.rows([(period, kind, label, payer, *values)], unit)
    lines.total(word("total"), 0, level=1)
    return Grid(
        "equipment_share",
        word("equipment.shares"),
        columns,
        tuple(lines.found),
        (word("equipment.shares_note"),),
        rank="share",
        sheet=word("equipment.shares"),
    )


def _groups(rows: Rows) -> Grid:
    """Of each type the group with most to complain of."""
    money = ("cost", "pool", "share", "alone", "excess")
    columns = (
        Column("period", word("equipment.month"), is_label=True),
        Column("device_type", word("equipment.type")),
        Column("members", word("equipment.members")),
        *(Column(name, word(f"equipment.group.{name}"), "money", adds=False) for name in money),
        Column("verdict", word("equipment.verdict")),
    )
    lines = Lines(columns)
    for period, kind, members, verdict, proved, *values in _rows(
        rows, ("period", "device_type", "members", "verdict", "proved"), money
    ):
        said = "proved" if proved == "yes" and verdict == "stays" else str(verdict)
        lines.rows([(period, kind, members, *values, _choice("verdict", said))])
    return Grid(
        "equipment_coalition",
        word("equipment.groups"),
        columns,
        tuple(lines.found),
        (word("equipment.groups_note"),),
        adds_up=False,
        sheet=word("equipment.groups"),
    )


def _access(figures: Figures) -> Grid:
    """What each member asked for and has; the page shows the most of what is not made."""
    rows = figures.tables["exam_access"]
    numbers = ("asked", "examined", "within", "unserved")
    columns = (
        Column("period", word("equipment.month"), is_label=True),
        Column("device_type", word("equipment.type")),
        Column("unit_id", word("unit")),
        Column("unit_name", word("name")),
        *(Column(name, word(f"equipment.{name}"), "count") for name in numbers),
        Column("reason", word("equipment.why_not")),
    )
    lines = Lines(columns)
    texts = zip(
        *(rows.texts(n) for n in ("period", "device_type", "unit_id", "reason")), strict=True
    )
    values = zip(*(rows.values(n) for n in numbers), strict=True)
    for (period, kind, unit, reason), counts in zip(texts, values, strict=True):
        name = _named(figures, unit)
        row = (
            same(period),
            device_of(kind),
            visible(unit),
            name,
            *counts,
            _choice("unserved", reason),
        )
        lines.rows([row], unit)
    lines.total(word("total"), 0, level=1)
    return Grid(
        "exam_access",
        word("equipment.access"),
        columns,
        tuple(lines.found),
        (word("equipment.access_note"),),
        rank="unserved",
        sheet=word("equipment.access"),
    )


def _examinations(figures: Figures) -> Grid:
    """Who is examined where."""
    rows = figures.tables["examination"]
    columns = (
        Column("period", word("equipment.month"), is_label=True),
        Column("device_type", word("equipment.type")),
        Column("unit_id", word("unit")),
        Column("unit_name", word("name")),
        Column("site", word("equipment.site")),
        Column("site_name", word("equipment.site_name")),
        Column("within", word("equipment.near")),
        Column("examinations", word("equipment.examinations"), "count"),
        Column("distance", word("equipment.distance"), "quantity", adds=False),
    )
    lines = Lines(columns)
    texts = ("period", "device_type", "unit_id", "site_unit_id", "within")
    of = zip(*(rows.texts(n) for n in texts), strict=True)
    counts = zip(rows.values("examinations"), rows.values("distance"), strict=True)
    for (period, kind, unit, site, within), numbers in zip(of, counts, strict=True):
        names = (visible(unit), _named(figures, unit), visible(site), _named(figures, site))
        row = (same(period), device_of(kind), *names, _choice("opened", within), *numbers)
        lines.rows([row], unit)
    lines.total(word("total"), 0, level=1)
    return Grid(
        "examination",
        word("equipment.examined_where"),
        columns,
        tuple(lines.found),
        (word("equipment.examined_where_note"),),
        rank="examinations",
        sheet=word("equipment.examined_where"),
    )


def _last(rows: Rows) -> tuple[str, Rows]:
    """The last month, and its rows."""
    period = max(rows.texts("period"))
    return period, rows.only(rows.where("period", period))


def _counted(n: int) -> str:
    return f"{n:,}"


def _use(figures: Figures, sites: Rows) -> Iterator[Picture]:
    """Of the opened devices, what is used by home, by others, and what is free."""
    period, rows = _last(sites)
    rows = rows.only(rows.where("opened", "yes"))
    made = figures.tables["examination"]
    made = made.only(made.where("period", period))
    keys = ("device_type", "site_unit_id", "device_id", "unit_id")
    home: dict[tuple[str, ...], int] = {}
    for (kind, site, device, unit), (n,) in made.sums(keys, ("examinations",)).items():
        if unit == site:
            home[kind, site, device] = n
    found = rows.sums(("device_type", "unit_id", "device_id"), ("examinations", "capacity"))
    ranked = sorted(found.items(), key=lambda one: (-one[1][0], one[0]))[:MOST_BARS]

    def drawn(language: Language) -> str:
        bars = [
            (
                f"{device_of(key[0]).of(language)} {_labelled(figures, key[1])} "
                f"{visible(key[2])}".strip(),
                (home.get(key, 0), n - home.get(key, 0), capacity - n),
            )
            for key, (n, capacity) in ranked
        ]
        names = (("home", BLUE), ("others", GREEN), ("free", PALE))
        series = [Series(word(f"equipment.use.{n}").of(language), colour) for n, colour in names]
        return stacked_bars(bars, series, _counted)

    if ranked:
        title = word("equipment.picture.use", period=period)
        yield Picture(title, in_both(drawn), word("equipment.picture.largest"))


def _reached(figures: Figures) -> Iterator[Picture]:
    """Grassroots examinations of each type: near by, farther off, not made."""
    period, rows = _last(figures.tables["exam_access"])
    rows = rows.only(rows.where("grassroots", "yes"))
    found = rows.sums(("device_type",), ("within", "examined", "unserved"))

    def drawn(language: Language) -> str:
        bars = [
            (device_of(kind).of(language), (within, examined - within, unserved))
            for (kind,), (within, examined, unserved) in found.items()
        ]
        names = (("within", GREEN), ("beyond", GREY), ("unserved", RED))
        series = [Series(word(f"equipment.bar.{n}").of(language), colour) for n, colour in names]
        return stacked_bars(bars, series, _counted)

    if found:
        yield Picture(word("equipment.picture.reached", period=period), in_both(drawn))


def _payers(figures: Figures) -> Iterator[Picture]:
    """What the largest payers pay by type, the pool among them."""
    period, rows = _last(figures.tables["equipment_share"])
    by_unit: dict[str, dict[str, int]] = {}
    for (unit, kind), (fen,) in rows.sums(("unit_id", "device_type"), ("share",)).items():
        by_unit.setdefault(unit, {})[kind] = fen
    kinds = sorted({kind for of in by_unit.values() for kind in of})
    ranked = sorted(by_unit.items(), key=lambda one: (-sum(one[1].values()), one[0]))[:MOST_BARS]
    scales = scale_for(max(sum(map(abs, of.values())) for _, of in ranked), figures.currency)
    # More types than colours: the last colour is for all of the rest.
    n_colours = len(ELEMENT_COLOURS)

    def parts(of: Mapping[str, int]) -> list[int]:
        fen = [of.get(kind, 0) for kind in kinds]
        return (
            fen if len(kinds) <= n_colours else [*fen[: n_colours - 1], sum(fen[n_colours - 1 :])]
        )

    def drawn(language: Language) -> str:
        named = [device_of(kind).of(language) for kind in kinds]
        if len(kinds) > n_colours:
            named = [*named[: n_colours - 1], word("equipment.other_types").of(language)]
        series = [Series(n, colour) for n, colour in zip(named, ELEMENT_COLOURS, strict=False)]
        pool = word("equipment.pool").of(language)
        bars = [(_labelled(figures, unit) if unit else pool, parts(of)) for unit, of in ranked]
        return stacked_bars(bars, series, scales[language].text)

    yuan = Word(scales["zh"].unit.zh, scales["en"].unit.en)
    title = word("equipment.picture.payers", period=period, unit=yuan)
    yield Picture(title, in_both(drawn), word("equipment.picture.largest"))
