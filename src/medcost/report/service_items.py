"""What service items cost, what was charged for them, and the matrix of elements and services."""

from __future__ import annotations

from medcost.report.charts import Series, diverging_bars, stacked_bars
from medcost.report.columns import (
    close_all,
    close_unit,
    element_columns,
    unit_columns,
    unit_heading,
)
from medcost.report.figures import Figures
from medcost.report.grid import Cell, Column, Grid, Lines
from medcost.report.labels import service_group_of
from medcost.report.numbers import ratio, scale_for, visible
from medcost.report.section import BLUE, ELEMENT_COLOURS, RED, Picture, Section, in_both
from medcost.report.words import Word, word
from medcost.tables import ELEMENTS

SHOWN = 12
# Fen and volumes in 1e-4 to yuan a service in 1e-6.
UNIT_COST_STEPS = 10**8


def item_cost(figures: Figures) -> Section:
    """Cost of each item as each department performs it, the dearest first on the page."""
    rows = figures.tables["service_item_cost"]
    if not rows.n:
        return Section("items", word("items"), missing=word("items.missing"))
    has_charge = bool(rows.present["charge"].any())
    charge = (
        (
            Column("charge", word("charge"), "money"),
            Column("surplus", word("charge_less_cost"), "money"),
        )
        if has_charge
        else ()
    )
    columns = (
        *unit_columns(on_page=True)[:1],
        Column("dept_id", word("department")),
        Column("dept_name", word("department_name"), on_page=False),
        Column("item_id", word("item")),
        Column("item_name", word("name")),
        Column("volume", word("volume"), "quantity", adds=False),
        *element_columns(on_page=False),
        Column("unit_cost", word("unit_cost"), "price", adds=False),
        *charge,
    )
    values = ("volume", *ELEMENTS, "total", "charge")
    sums = rows.sums(("unit_id", "dept_id", "item_id"), values)
    published = _published_unit_costs(figures) if len(figures.periods) == 1 else {}
    lines = Lines(columns)
    dearest = sorted(sums.items(), key=lambda pair: (-pair[1][-2], pair[0]))
    for key, (volume, *costs, total, charged) in dearest:
        unit, dept, item = key
        cells: list[Cell] = [
            visible(unit),
            visible(dept),
            visible(figures.department_name(unit, dept)),
            visible(item),
            visible(figures.names.item.get(item, "")),
            volume,
            *costs,
            total,
            published[key] if published else ratio(total, volume, UNIT_COST_STEPS),
        ]
        lines.rows([[*cells, *((charged, charged - total) if has_charge else ())]], unit)
    close_all(lines)
    grid = Grid(
        "items",
        word("items.table"),
        columns,
        tuple(lines.found),
        (word("items.note"),),
        rank="total",
        sheet=word("items.sheet"),
    )
    return Section("items", word("items"), (), tuple(_pictures(figures, has_charge)), (grid,))


def _published_unit_costs(figures: Figures) -> dict[tuple[str, ...], int | None]:
    """Unit costs as published, of a single month."""
    rows = figures.tables["service_item_cost"]
    keys = zip(*(rows.texts(name) for name in ("unit_id", "dept_id", "item_id")), strict=True)
    return dict(zip(keys, rows.values("unit_cost"), strict=True))


def _pictures(figures: Figures, has_charge: bool) -> list[Picture]:
    """The items that cost most and, with charges, those whose charge and cost differ most."""
    rows = figures.tables["service_item_cost"]
    by_item = rows.sums(("item_id",), (*ELEMENTS, "total", "charge"))
    ranked = sorted(by_item.items(), key=lambda pair: (-pair[1][-2], pair[0]))[:SHOWN]

    def name(item: str) -> str:
        return f"{visible(item)} {visible(figures.names.item.get(item, ''))}".strip()

    bars = [(name(item), fen[: len(ELEMENTS)]) for (item,), fen in ranked]
    scales = scale_for(max(abs(sum(fen)) for _, fen in bars), figures.currency)
    unit = Word(scales["zh"].unit.zh, scales["en"].unit.en)
    found = [
        Picture(
            word("items.picture", n=str(len(bars)), unit=unit),
            in_both(
                lambda language: stacked_bars(bars, element_series(language), scales[language].text)
            ),
        )
    ]
    if has_charge:
        gaps = sorted(
            ((item, fen[-1] - fen[-2]) for (item,), fen in by_item.items()),
            key=lambda pair: (-abs(pair[1]), pair[0]),
        )[:SHOWN]
        chosen = [(name(item), fen) for item, fen in sorted(gaps, key=lambda pair: -pair[1])]
        of_gaps = scale_for(max(abs(fen) for _, fen in chosen), figures.currency)
        unit = Word(of_gaps["zh"].unit.zh, of_gaps["en"].unit.en)
        found.append(
            Picture(
                word("items.gaps", n=str(len(chosen)), unit=unit),
                in_both(
                    lambda language: diverging_bars(chosen, (BLUE, RED), of_gaps[language].text)
                ),
            )
        )
    return found


def element_series(language: str) -> list[Series]:
    """The elements with their colours."""
    return [
        Series(word(f"element.{e}")[0 if language == "zh" else 1], colour)
        for e, colour in zip(ELEMENTS, ELEMENT_COLOURS, strict=True)
    ]


def service_matrix(figures: Figures) -> Section:
    """Elements by service group: where services are rendered and what they are made of."""
    rows = figures.tables["service_item_cost"]
    if not rows.n:
        return Section("matrix", word("matrix"), missing=word("items.missing"))
    columns = (
        *unit_columns(),
        Column("group", word("service_group"), is_label=True),
        *element_columns(),
        Column("of_all", word("share"), "rate", adds=False),
    )
    by_group: dict[str, dict[str, list[int]]] = {}
    for (unit, dept), fen in rows.sums(("unit_id", "dept_id"), ELEMENTS).items():
        group = figures.names.service_group.get((unit, dept)) or figures.class_of[unit, dept]
        for of in ("", unit):
            known = by_group.setdefault(of, {}).setdefault(group, [0] * len(ELEMENTS))
            by_group[of][group] = [a + b for a, b in zip(known, fen, strict=True)]
    lines = Lines(columns)
    for unit in figures.units:
        if unit in by_group:
            lines.heading(unit_heading(figures, unit), unit, 1)
            whole = sum(map(sum, by_group[unit].values()))
            first = lines.rows(
                (
                    (
                        visible(unit),
                        visible(figures.names.unit.get(unit, "")),
                        service_group_of(group),
                        *fen,
                        sum(fen),
                        ratio(sum(fen), whole, 10**6),
                    )
                    for group, fen in sorted(by_group[unit].items())
                ),
                unit,
            )
            close_unit(lines, figures, unit, first)
    close_all(lines)
    ranked = sorted(by_group[""].items(), key=lambda pair: (-sum(pair[1]), pair[0]))[:20]
    scales = scale_for(max(abs(sum(fen)) for _, fen in ranked), figures.currency)
    picture = Picture(
        word("matrix.picture", unit=Word(scales["zh"].unit.zh, scales["en"].unit.en)),
        in_both(
            lambda language: stacked_bars(
                [(service_group_of(g).of(language), fen) for g, fen in ranked],
                element_series(language),
                scales[language].text,
            )
        ),
    )
    grid = Grid(
        "matrix",
        word("matrix.table"),
        columns,
        tuple(lines.found),
        (word("matrix.note"),),
        rank="total",
        sheet=word("matrix.sheet"),
    )
    return Section("matrix", word("matrix"), (), (picture,), (grid,))
