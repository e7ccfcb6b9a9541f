"""The national table 成本医03: what full cost is made of, income, margin and indicators."""

from __future__ import annotations

from collections.abc import Iterator

from medcost.report.columns import (
    CLASS_ORDER,
    by_class,
    close_all,
    close_unit,
    unit_columns,
    unit_heading,
)
from medcost.report.figures import Figures
from medcost.report.grid import Cell, Column, Grid, Lines
from medcost.report.national import DepartmentSums, department_cells, department_sums, place_columns
from medcost.report.numbers import ratio, visible
from medcost.report.section import Section
from medcost.report.sums import MILLION
from medcost.report.words import Word, word
from medcost.tables import ELEMENTS

# Income of a fund and not of a service.
SUBSIDY = "subsidy"
# What inpatients of the month cost: discharged, still in the house, late, less what came before.
INPATIENT = ("cases", "ungrouped", "work_in_progress", "late_cost", "opening_work_in_progress")


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
        close_unit(lines, figures, unit, start)
    close_all(lines)
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
    close_all(lines)
    return Grid(
        "indicators",
        word("indicators"),
        columns,
        tuple(lines.found),
        (word("indicators.note"),),
        rank="full_cost",
        sheet=word("indicators.sheet"),
    )
