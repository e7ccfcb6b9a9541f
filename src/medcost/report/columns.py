"""Columns and order that several tables of the report share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from medcost.report.figures import Figures
from medcost.report.grid import Cell, Column, Lines
from medcost.report.numbers import visible
from medcost.report.words import Word, same, word
from medcost.tables import ELEMENTS

# Where cost ends comes first, as in the national tables.
CLASS_ORDER = ("clinical", "medtech", "support", "admin", "non_medical")


def unit_columns(on_page: bool = False) -> tuple[Column, ...]:
    """Id and name of the member unit; where lines stand below their unit the page leaves it out."""
    return (
        Column("unit_id", word("unit"), on_page=on_page, is_label=on_page),
        Column("unit_name", word("unit_name"), on_page=False),
    )


def department_columns(is_label: bool = True) -> tuple[Column, ...]:
    """Id and name of a department."""
    return (
        Column("dept_id", word("department"), is_label=is_label),
        Column("dept_name", word("name")),
    )


def element_columns(on_page: bool = True) -> tuple[Column, ...]:
    """An amount for each element and their sum."""
    return (
        *(Column(e, word(f"element.{e}"), "money", on_page=on_page) for e in ELEMENTS),
        Column("total", word("total"), "money"),
    )


def by_class(figures: Figures, keys: Iterable[tuple[str, str]]) -> dict[str, dict[str, list[str]]]:
    """Departments of (unit, department) by unit and class, in the order they are listed in."""
    found: dict[str, dict[str, list[str]]] = {}
    for unit, dept in sorted(set(keys), key=lambda key: (key[0].encode(), key[1].encode())):
        of_unit = found.setdefault(unit, {kind: [] for kind in CLASS_ORDER})
        of_unit[figures.class_of[unit, dept]].append(dept)
    return found


def unit_heading(figures: Figures, unit: str) -> Word:
    """The line over what belongs to a unit."""
    return same(visible(figures.unit_name(unit)))


def close_unit(
    lines: Lines, figures: Figures, unit: str, first: int, known: Mapping[str, Cell] | None = None
) -> None:
    """The total of a unit's rows since the line first."""
    label = word("total_of_unit", unit=unit_heading(figures, unit))
    lines.total(label, first, unit, 1, known)


def close_all(lines: Lines, known: Mapping[str, Cell] | None = None) -> None:
    """The total of all rows, where there are any."""
    if lines.found:
        lines.total(word("total_of_all"), 0, level=1, known=known)
