"""The national tables: 成本医01 direct cost, 成本医02 full cost, 成本医03 its composition.

01 shows what was posted, before allocation; 02 what rests on the clinical departments after all
levels, direct and indirect, and whatever stays elsewhere, so that its total is that of 01; 03 what
the full cost is made of, with income, margin and the cost of a bed day and of a visit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from medcost.report.charts import Series, stacked_bars
from medcost.report.columns import (
    CLASS_ORDER,
    by_class,
    department_columns,
    element_columns,
    unit_columns,
    unit_heading,
)
from medcost.report.figures import Figures
from medcost.report.grid import Cell, Column, Grid, Lines
from medcost.report.numbers import ratio, scale_for, visible
from medcost.report.section import ELEMENT_COLOURS, Picture, Section, in_both
from medcost.report.words import Word, word
from medcost.tables import ELEMENTS

MILLION = 10**6
# Income of a fund and not of a service.
SUBSIDY = "subsidy"
# What inpatients of the month cost: discharged, still in the house, late, less what came before.
INPATIENT = ("cases", "ungrouped", "work_in_progress", "late_cost", "opening_work_in_progress")
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
        lines.total(word("total_of_unit", unit=unit_heading(figures, unit)), start, unit, 1)
    if lines.found:
        lines.total(word("total_of_all"), 0, level=1)
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
        lines.total(word("total_of_unit", unit=unit_heading(figures, unit)), start, unit, 1)
    if lines.found:
        lines.total(word("total_of_all"), 0, level=1)
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


def composition(figures: Figures) -> Section:
    """成本医03: what the full cost is made of, with income, margin, bed-day and visit cost."""
    if not figures.has("department_cost"):
        return Section("national_03", word("national_03"), missing=word("national.missing"))
    sums = department_sums(figures)
    columns = (
        *place_columns(),
        *(
            column
            for e in ELEMENTS
            for column in (
                Column(e, word("amount"), "money", band=word(f"element.{e}")),
                Column(f"{e}_share", word("share"), "rate", word(f"element.{e}"), (e, "total")),
            )
        ),
        Column("total", word("full_cost"), "money"),
        Column("income", word("income"), "money"),
        Column("margin", word("margin"), "money", less=("income", "total")),
        Column("bed_days", word("bed_days"), "quantity", on_page=False),
        Column("bed_day_cost", word("bed_day_cost"), "money", adds=False),
        Column("visits", word("visits"), "quantity", on_page=False),
        Column("visit_cost", word("visit_cost"), "money", adds=False),
    )
    lines = Lines(columns)
    income = department_income(figures)
    listed = {*sums.full, *income}
    known = [key for key in listed if key in figures.class_of]
    for unit, classes in by_class(figures, known).items():
        start = len(lines.found)
        lines.heading(unit_heading(figures, unit), unit, 1)
        for kind in CLASS_ORDER:
            depts = [
                d
                for d in classes[kind]
                if any(sums.full.get((unit, d), ())) or income.get((unit, d))
            ]
            if depts:
                lines.heading(word(f"full.{kind}"), unit)
                first = lines.rows(
                    (
                        (
                            *department_cells(figures, unit, d),
                            *_composed(figures, sums, income, unit, d),
                        )
                        for d in depts
                    ),
                    unit,
                )
                lines.total(word("subtotal", of=word(f"class.{kind}")), first, unit, 2)
        lines.total(word("total_of_unit", unit=unit_heading(figures, unit)), start, unit, 1)
    if lines.found:
        lines.total(word("total_of_all"), 0, level=1)
    grid = Grid(
        "national_03",
        word("national_03.table"),
        columns,
        tuple(lines.found),
        (word("national_03.note"), word("national_03.note_both")),
        rank="total",
        sheet=word("national_03.sheet"),
    )
    return Section(
        "national_03", word("national_03"), _missing(figures), (), (grid, indicators(figures))
    )


def _missing(figures: Figures) -> tuple[Word, ...]:
    """What of the book table 03 would need and does not have."""
    found = []
    if figures.unkept:
        found.append(word("missing.kept", runs=", ".join(figures.unkept)))
    if not figures.income:
        found.append(word("missing.income"))
    if not figures.statistics:
        found.append(word("missing.statistics"))
    return tuple(found)


def department_income(figures: Figures) -> dict[tuple[str, str], int]:
    """Income of each department over the months, subsidies left out."""
    found: dict[tuple[str, str], int] = {}
    for (_, unit, dept, source), fen in figures.income.items():
        if source != SUBSIDY:
            found[unit, dept] = found.get((unit, dept), 0) + fen
    return found


def measured(figures: Figures, unit: str, dept: str | None, measure: str) -> int | None:
    """A statistic over the months in 1e-4; None where the book does not have it."""
    found = [
        quantity
        for (_, of_unit, of_dept, name), quantity in figures.statistics.items()
        if of_unit == unit and name == measure and dept in (None, of_dept)
    ]
    return sum(found) if found else None


def _composed(
    figures: Figures,
    sums: DepartmentSums,
    income: dict[tuple[str, str], int],
    unit: str,
    dept: str,
) -> Iterator[Cell]:
    fen = sums.full.get((unit, dept), [0] * len(ELEMENTS))
    total = sum(fen)
    for part in fen:
        yield part
        yield ratio(part, total, MILLION)
    # Where its unit has income, a department without any has earned nothing.
    earned = income.get((unit, dept), 0 if any(of == unit for of, _ in income) else None)
    yield total
    yield earned
    yield None if earned is None else earned - total
    beds, visits = (_statistic(figures, unit, dept, m) for m in ("bed_days", "visits"))
    # Published cost does not tell a department's inpatients from its outpatients.
    yield beds
    yield per_unit(total, beds) if beds and not visits else None
    yield visits
    yield per_unit(total, visits) if visits and not beds else None


def _statistic(figures: Figures, unit: str, dept: str, measure: str) -> int | None:
    found = [
        figures.statistics[period, unit, dept, measure]
        for period in figures.periods
        if (period, unit, dept, measure) in figures.statistics
    ]
    return sum(found) if found else None


def per_unit(fen: int, quantity: int | None) -> int | None:
    """Fen for one bed day or visit, the quantity in 1e-4."""
    return ratio(fen, quantity, 10**4) if quantity else None


def indicators(figures: Figures) -> Grid:
    """Cost, income, and cost of a bed day and of a visit of each unit."""
    columns = (
        *unit_columns(on_page=True)[:1],
        Column("unit_name", word("name")),
        Column("full_cost", word("full_cost"), "money"),
        Column("income", word("income"), "money"),
        Column("margin", word("margin"), "money", less=("income", "full_cost")),
        Column("inpatient_cost", word("inpatient_cost"), "money"),
        Column("bed_days", word("bed_days"), "quantity"),
        Column("bed_day_cost", word("bed_day_cost"), "money", ratio=("inpatient_cost", "bed_days")),
        Column("outpatient_cost", word("outpatient_cost"), "money"),
        Column("visits", word("visits"), "quantity"),
        Column("visit_cost", word("visit_cost"), "money", ratio=("outpatient_cost", "visits")),
    )
    lines = Lines(columns)
    rows = figures.tables["reconciliation"].sums(("unit_id", "reason"), ("amount",))
    has_cases = any("cases" in str(run.manifest.get("through")) for run in figures.runs)
    sums = department_sums(figures).full
    income = department_income(figures)
    for unit in figures.units:
        amounts = {reason: fen for (of, reason), (fen,) in rows.items() if of == unit}
        total = sum(sum(fen) for (of, _), fen in sums.items() if of == unit)
        earned = [fen for (of, _), fen in income.items() if of == unit]
        margin = sum(earned) - total if earned else None
        inside = sum(amounts.get(reason, 0) for reason in INPATIENT) if has_cases else None
        outside = amounts.get("visits", 0) if has_cases else None
        beds = measured(figures, unit, None, "bed_days")
        visits = measured(figures, unit, None, "visits")
        cells = (
            visible(unit),
            visible(figures.names.unit.get(unit, "")),
            total,
            sum(earned) if earned else None,
            margin,
            inside,
            beds,
            None if inside is None else per_unit(inside, beds),
            outside,
            visits,
            None if outside is None else per_unit(outside, visits),
        )
        lines.rows([cells], unit)
    lines.total(word("total_of_all"), 0, level=1)
    return Grid(
        "indicators",
        word("indicators"),
        columns,
        tuple(lines.found),
        (word("indicators.note"),),
        rank="full_cost",
        sheet=word("indicators.sheet"),
    )
