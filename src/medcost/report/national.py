"""The national tables 成本医01 direct cost and 成本医02 full cost.

01 shows what was posted, before allocation; 02 what rests on the clinical departments after all
levels, direct and indirect, and whatever stays elsewhere, so that its total is that of 01.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from medcost.report.charts import Series, stacked_bars
from medcost.report.columns import (
    CLASS_ORDER,
    by_class,
    close_all,
    close_unit,
    department_columns,
    element_columns,
    unit_columns,
    unit_heading,
)
from medcost.report.figures import Figures
from medcost.report.grid import Cell, Column, Grid, Lines
from medcost.report.numbers import scale_for, visible
from medcost.report.section import ELEMENT_COLOURS, Picture, Section, in_both
from medcost.report.words import Word, word
from medcost.tables import ELEMENTS

BEFORE_CLINICAL = ("medtech", "support", "admin", "non_medical")


@dataclass(frozen=True)
class DepartmentSums:
    """Fen of every department by element, in the order of ELEMENTS, over the months."""

    direct: dict[tuple[str, str], list[int]]
    full: dict[tuple[str, str], list[int]]


def department_sums(figures: Figures) -> DepartmentSums:
    """Direct and full cost of every department with a row."""
    direct: dict[tuple[str, str], list[int]] = {}
    full: dict[tuple[str, str], list[int]] = {}
    rows = figures.tables["department_cost"]
    sums = rows.sums(("unit_id", "dept_id", "element"), ("direct", "full_cost"))
    for (unit, dept, element), (posted, rests) in sums.items():
        place = ELEMENTS.index(element)
        direct.setdefault((unit, dept), [0] * len(ELEMENTS))[place] = posted
        full.setdefault((unit, dept), [0] * len(ELEMENTS))[place] = rests
    return DepartmentSums(direct, full)


def department_cells(figures: Figures, unit: str, dept: str) -> tuple[Cell, ...]:
    """Unit and department with their names, and the class."""
    return (
        visible(unit),
        visible(figures.names.unit.get(unit, "")),
        word(f"class.{figures.class_of[unit, dept]}"),
        visible(dept),
        visible(figures.department_name(unit, dept)),
    )


def place_columns() -> tuple[Column, ...]:
    """The columns of department_cells."""
    return (
        *unit_columns(),
        Column("class", word("class"), on_page=False),
        *department_columns(),
    )


def direct_cost(figures: Figures) -> Section:
    """成本医01: direct cost of every department by element, before allocation."""
    if not figures.has("department_cost"):
        return Section("national_01", word("national_01"), missing=word("national.missing"))
    sums = department_sums(figures)
    columns = (*place_columns(), *element_columns())
    lines = Lines(columns)
    for unit, classes in by_class(figures, sums.direct).items():
        start = len(lines.found)
        lines.heading(unit_heading(figures, unit), unit, 1)
        for kind in CLASS_ORDER:
            # A row of zeros is a department that bears received cost only; it is in 02.
            depts = [d for d in classes[kind] if any(sums.direct[unit, d])]
            if depts:
                lines.heading(word(f"class.{kind}"), unit)
                first = lines.rows(
                    (
                        (*department_cells(figures, unit, d), *_with_sum(sums.direct[unit, d]))
                        for d in depts
                    ),
                    unit,
                )
                lines.total(word("subtotal", of=word(f"class.{kind}")), first, unit)
            if kind == "support":
                lines.total(word("medical_business_cost"), start, unit, 2)
        close_unit(lines, figures, unit, start)
    close_all(lines)
    grid = Grid(
        "national_01",
        word("national_01.table"),
        columns,
        tuple(lines.found),
        (word("national_01.note"),),
        rank="total",
        sheet=word("national_01.sheet"),
    )
    pictures = [_elements_picture(figures, sums)] if sums.direct else []
    return Section("national_01", word("national_01"), (), tuple(pictures), (grid,))


def _elements_picture(figures: Figures, sums: DepartmentSums) -> Picture:
    by_unit: dict[str, list[int]] = {}
    for (unit, _), fen in sums.direct.items():
        known = by_unit.setdefault(unit, [0] * len(ELEMENTS))
        by_unit[unit] = [a + b for a, b in zip(known, fen, strict=True)]
    ranked = sorted(by_unit.items(), key=lambda pair: (-sum(pair[1]), pair[0]))[:20]
    rows = [(visible(figures.unit_name(unit)), fen) for unit, fen in ranked]
    scales = scale_for(max(abs(sum(fen)) for _, fen in rows), figures.currency)
    return Picture(
        word("national_01.picture", unit=Word(scales["zh"].unit.zh, scales["en"].unit.en)),
        in_both(
            lambda language: stacked_bars(
                rows,
                [
                    Series(word(f"element.{e}").of(language), colour)
                    for e, colour in zip(ELEMENTS, ELEMENT_COLOURS, strict=True)
                ],
                scales[language].text,
            )
        ),
    )


def _with_sum(fen: Sequence[int]) -> list[int]:
    return [*fen, sum(fen)]


def full_cost(figures: Figures) -> Section:
    """成本医02: full cost of the clinical departments, direct and indirect, by element."""
    if not figures.has("department_cost"):
        return Section("national_02", word("national_02"), missing=word("national.missing"))
    sums = department_sums(figures)
    columns = (
        *place_columns(),
        *(
            Column(f"{key}_{part}", word(part), "money", band=band)
            for key, band in (
                *((e, word(f"element.{e}")) for e in ELEMENTS),
                ("total", word("total")),
            )
            for part in ("direct", "indirect", "full")
        ),
    )
    lines = Lines(columns)
    for unit, classes in by_class(figures, sums.full).items():
        start = len(lines.found)
        lines.heading(unit_heading(figures, unit), unit, 1)
        for kind in CLASS_ORDER:
            is_clinical = kind == "clinical"
            depts = [d for d in classes[kind] if is_clinical or any(sums.full[unit, d])]
            if depts:
                lines.heading(word(f"full.{kind}"), unit)
                first = lines.rows(
                    ((*department_cells(figures, unit, d), *_parts(sums, unit, d)) for d in depts),
                    unit,
                )
                label = "clinical_full_cost" if is_clinical else "subtotal"
                lines.total(word(label, of=word(f"class.{kind}")), first, unit, 2)
        rest = [
            _parts(sums, unit, d)
            for kind in BEFORE_CLINICAL
            for d in classes[kind]
            if not any(sums.full[unit, d])
        ]
        if rest:
            handed = [sum(column) for column in zip(*rest, strict=True)]
            cells = (
                visible(unit),
                visible(figures.names.unit.get(unit, "")),
                None,
                None,
                word("handed_on_all"),
            )
            lines.rows([(*cells, *handed)], unit)
        close_unit(lines, figures, unit, start)
    close_all(lines)
    grid = Grid(
        "national_02",
        word("national_02.table"),
        columns,
        tuple(lines.found),
        (word("national_02.note"),),
        rank="total_full",
        sheet=word("national_02.sheet"),
    )
    return Section("national_02", word("national_02"), (), (), (grid,))


def _parts(sums: DepartmentSums, unit: str, dept: str) -> list[int]:
    """Direct, indirect and full cost for each element and the total."""
    found: list[int] = []
    direct, full = _with_sum(sums.direct[unit, dept]), _with_sum(sums.full[unit, dept])
    for posted, rests in zip(direct, full, strict=True):
        found += [posted, rests - posted, rests]
    return found
