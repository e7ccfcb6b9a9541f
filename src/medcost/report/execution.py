"""How much of the budget was spent: by unit, element, department and group, and by month."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from medcost.report.charts import heat_map
from medcost.report.columns import department_columns, unit_columns, unit_heading
from medcost.report.figures import Figures
from medcost.report.grid import Cell, Column, Grid, Lines
from medcost.report.numbers import Kind, shown, visible
from medcost.report.section import Picture, Section, in_both
from medcost.report.sums import Sum, added, rate_of
from medcost.report.words import word
from medcost.tables import ELEMENTS

MOST_UNITS = 40
# Execution in 1e-6 and its colours, from far below to far above; the band is the usual one, and
# a row's own alert, by the policy, stands in the table.
BANDS = (800_000, 900_000, 1_000_000, 1_100_000, 1_200_000)
SHADES = ("#7fb09a", "#b4d3c4", "#eef2f0", "#f5f2ea", "#e7bda3", "#cf8a6b")
FLAGS = ("favourable", "alert", "freeze", "approval_tier")
# Compared figures of one month: what with, the difference and its rate.
COMPARED = (
    ("last_month", "last_month_change", "last_month_rate"),
    ("last_year", "last_year_change", "last_year_rate"),
    ("peer_mean", "peer_difference", "peer_rate"),
)
YEAR_TO_DATE = (
    ("year_to_date", "money"),
    ("year_to_date_budget", "money"),
    ("year_to_date_variance", "money"),
    ("year_to_date_rate", "rate"),
)


def execution(figures: Figures) -> Section:
    """How much of each budget was spent: by unit, element, department and group."""
    rows = figures.tables["budget_variance"]
    if not rows.n:
        return Section("variance", word("variance"), missing=word("variance.missing"))
    single = len(figures.periods) == 1
    grids = (
        _execution_grid(figures, "variance_units", ("unit",), "unit_id", single),
        _execution_grid(figures, "variance_elements", ("element",), "element", single),
        _execution_grid(figures, "variance_departments", ("department",), "dept_id", single),
        _execution_grid(figures, "variance_groups", ("drg",), "drg_id", single),
        _execution_grid(
            figures, "variance_lines", ("department_element", "drg_element"), "all", single
        ),
    )
    return Section(
        "variance",
        word("variance"),
        (),
        tuple(_execution_heat(figures)),
        tuple(grid for grid in grids if grid.n_rows),
    )


def _execution_columns(by: str, single: bool) -> tuple[Column, ...]:
    """What a row is of, the budget, the actual cost, and of one month flags and comparisons."""
    names: dict[str, tuple[Column, ...]] = {
        "unit_id": (
            Column("unit_id", word("unit"), is_label=True),
            Column("unit_name", word("name")),
        ),
        "element": (Column("element", word("element"), is_label=True),),
        "dept_id": (*unit_columns(), *department_columns()),
        "drg_id": (
            Column("unit_id", word("unit"), is_label=True),
            Column("drg_id", word("group")),
            Column("drg_name", word("name")),
        ),
        "all": (
            Column("unit_id", word("unit"), is_label=True),
            Column("dept_id", word("department")),
            Column("dept_name", word("department_name")),
            Column("drg_id", word("group")),
            Column("element", word("element")),
        ),
    }
    flags = tuple(Column(flag, word(flag), on_page=flag != "favourable") for flag in FLAGS)
    compared = tuple(
        column
        for base, change, rate in COMPARED
        for column in (
            Column(base, word(base), "money", adds=False, on_page=False),
            Column(change, word("difference_to"), "money", word(f"against.{base}"), adds=False),
            Column(rate, word("rate"), "rate", word(f"against.{base}"), adds=False),
        )
    )
    to_date = tuple(
        Column(name, word(name), _kind(kind), adds=False, on_page=kind == "rate")
        for name, kind in YEAR_TO_DATE
    )
    of_month = (*flags, *compared, *to_date) if single else ()
    return (
        *names[by],
        Column("budget", word("budget"), "money"),
        Column("actual", word("actual"), "money"),
        Column("variance", word("variance.amount"), "money", less=("actual", "budget")),
        Column("execution_rate", word("execution_rate"), "rate", ratio=("actual", "budget")),
        *of_month,
    )


def _kind(kind: str) -> Kind:
    return "rate" if kind == "rate" else "money"


def _execution_grid(
    figures: Figures, key: str, levels: Sequence[str], by: str, single: bool
) -> Grid:
    """One table of execution; of several months sums, without flags and comparisons."""
    rows = figures.tables["budget_variance"]
    rows = rows.only(rows.where("level", *levels) & ~rows.where("unit_id", ""))
    keys = {
        "unit_id": ("unit_id",),
        "element": ("element",),
        "dept_id": ("unit_id", "dept_id"),
        "drg_id": ("unit_id", "drg_id"),
        "all": ("unit_id", "dept_id", "drg_id", "element"),
    }[by]
    if by == "element":
        single = False
    columns = _execution_columns(by, single)
    compared = [name for group in COMPARED for name in group] + [name for name, _ in YEAR_TO_DATE]
    values = ["budget", "actual", "execution_rate", *(compared if single else ())]
    found = added(rows, keys, values, FLAGS if single else ())
    lines = Lines(columns)
    unit_before: str | None = None
    if by == "element":
        found = {(e,): found[e,] for e in ELEMENTS if (e,) in found}
    for place, total in found.items():
        of = dict(zip(keys, place, strict=True))
        unit = of.get("unit_id", "")
        if by == "dept_id" and unit != unit_before:
            lines.heading(unit_heading(figures, unit), unit, 1)
        unit_before = unit
        lines.rows([tuple(_execution_cells(figures, by, of, total, single))], unit)
    # A department's elements and a group's are the same cost twice: they have no total together.
    if found and by != "all":
        lines.total(word("total_of_all"), 0, level=1)
    notes = ["variance.note", *(["variance.note_sums"] if len(figures.periods) > 1 else [])]
    return Grid(
        key,
        word(f"{key}.table"),
        columns,
        tuple(lines.found),
        tuple(word(note) for note in notes),
        rank="actual",
        sheet=word(f"{key}.sheet"),
        on_page=by != "all",
    )


def _execution_cells(
    figures: Figures, by: str, of: Mapping[str, str], total: Sum, single: bool
) -> Iterator[Cell]:
    unit, dept = of.get("unit_id", ""), of.get("dept_id", "")
    element, drg = of.get("element", ""), of.get("drg_id", "")
    if by == "element":
        yield word(f"element.{element}")
    else:
        yield visible(unit)
    if by in ("unit_id", "dept_id"):
        yield visible(figures.names.unit.get(unit, ""))
    if by in ("dept_id", "all"):
        yield visible(dept)
        yield visible(figures.department_name(unit, dept))
    if by in ("drg_id", "all"):
        yield visible(drg)
    if by == "drg_id":
        yield visible(figures.group_name(drg))
    if by == "all":
        yield word(f"element.{element}") if element else None
    values = total.values
    yield values["budget"]
    yield values["actual"]
    budget, actual = values["budget"], values["actual"]
    yield None if budget is None or actual is None else actual - budget
    yield values["execution_rate"] if single else rate_of(values["actual"], values["budget"])
    if single:
        for flag in FLAGS:
            said = total.texts[flag]
            yield word(f"{flag}.{said}") if said else None
        for group in COMPARED:
            yield from (values[name] for name in group)
        yield from (values[name] for name, _ in YEAR_TO_DATE)


def _execution_heat(figures: Figures) -> list[Picture]:
    """Execution of every unit in every month."""
    rows = figures.tables["budget_variance"]
    rows = rows.only(rows.where("level", "unit") & ~rows.where("unit_id", ""))
    if not rows.n:
        return []
    rates = {
        key: total.values["execution_rate"]
        for key, total in added(rows, ("unit_id", "period"), ("execution_rate",)).items()
    }
    units = [unit for unit in figures.units if any(of == unit for of, _ in rates)][:MOST_UNITS]
    table = [
        (
            visible(figures.unit_name(unit)),
            [rates.get((unit, period)) for period in figures.periods],
        )
        for unit in units
    ]
    return [
        Picture(
            word("variance.heat"),
            in_both(
                lambda _: heat_map(table, figures.periods, _shade, lambda rate: shown(rate, "rate"))
            ),
            word("variance.heat_note"),
        )
    ]


def _shade(rate: int) -> str:
    return SHADES[sum(rate >= band for band in BANDS)]
