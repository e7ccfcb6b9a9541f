"""What a book says beside the published tables: kinds, predecessors, volumes, inputs, income."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from medcost.book import Book, TableRows, position_in
from medcost.errors import Fault, InputRejected, quote
from medcost.records import dataclass
from medcost.tables import CLASSES, load_table
from medcost.variance.cells import (
    DEPARTMENT,
    NO_FIGURES,
    UNIT,
    Figures,
    KeySpace,
    joined,
    summed,
)
from medcost.variance.control import LoadedControl
from medcost.variance.months import Month, positions

KINDS = load_table("units").column("kind").values
GRASSROOTS_KINDS = frozenset({"township", "village", "community"})
KEY_DISCIPLINE, GRASSROOTS = "key_discipline", "grassroots"


@dataclass(frozen=True)
class Facts:
    """Facts of the units and departments of a key space in one period.

    unit_kind: position in KINDS, -1 where not listed; is_grassroots bool [units]; predecessor:
    dept by department key, as figures; dept_class: position in CLASSES by department key.
    volumes: by measure, in the policy's order, quantity in 1e-4 by department and unit key;
    inputs: the same by element, of the driver that the policy names; income: fen by department
    and unit key.
    """

    unit_kind: NDArray[np.int64]
    is_grassroots: NDArray[np.bool_]
    predecessor: Figures
    dept_class: Figures
    volumes: Mapping[str, Figures]
    inputs: Mapping[str, tuple[str, Figures]]
    income: Figures


def read_facts(
    books: Sequence[tuple[frozenset[str], Book]],
    space: KeySpace,
    month: Month,
    control: LoadedControl,
) -> Facts:
    """The facts of a month's books, each for the units that it speaks for.

    Raises InputRejected (driver-not-listed).
    """
    parts = [
        (np.array([unit in units for unit in space.unit_ids], np.bool_), book)
        for units, book in books
    ]
    kind = np.full(len(space.unit_ids), -1, np.int64)
    grassroots = np.zeros(len(space.unit_ids), np.bool_)
    for mine, book in parts:
        kinds, flags = _units(book, space)
        # A unit that no book speaks for is what any book lists it as.
        taken = mine | ((kind < 0) & (kinds >= 0))
        kind, grassroots = np.where(taken, kinds, kind), np.where(taken, flags, grassroots)

    def together(read: Callable[[Book], Figures]) -> Figures:
        found = []
        for mine, book in parts:
            figures = read(book)
            kept = np.append(mine, False)[space.cells(figures.keys).unit]
            found.append(Figures(figures.keys[kept], figures.fen[kept]))
        return joined(*found)

    def quantities(table: str, column: str, label: str) -> Figures:
        return together(
            lambda book: _quantities(book.tables.get(table), space, month.period, column, label)
        )

    _require_drivers([book for _, book in parts], control)
    return Facts(
        kind,
        grassroots,
        together(lambda book: _predecessors(book, space)),
        together(lambda book: _classes(book, space)),
        {
            measure: _services(space, month)
            if measure == "services"
            else quantities("statistics", "measure", measure)
            for measure in control.policy.volume.measures
        },
        {
            entry.element: (entry.driver, quantities("drivers", "driver", entry.driver))
            for entry in control.policy.input
        },
        together(lambda book: _income(book, space, month.period, control)),
    )


def _units(book: Book, space: KeySpace) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Kind of each unit, and whether it counts as grassroots."""
    kinds = np.full(len(space.unit_ids), -1, np.int64)
    grassroots = np.zeros(len(space.unit_ids), np.bool_)
    rows = book.tables["units"]
    unit, kind = position_in(rows, "unit_id", space.unit_ids), position_in(rows, "kind", KINDS)
    by_kind = np.array([*(name in GRASSROOTS_KINDS for name in KINDS), False], np.bool_)[kind]
    flag = np.where(rows.present("grassroots"), rows.values("grassroots") == 1, by_kind)
    listed = unit >= 0
    kinds[unit[listed]], grassroots[unit[listed]] = kind[listed], flag[listed]
    return kinds, grassroots


def _dept_keys(rows: TableRows, space: KeySpace) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Department key of each row, and whether the space has its unit and department."""
    unit = position_in(rows, "unit_id", space.unit_ids)
    dept = position_in(rows, "dept_id", space.dept_ids)
    return space.keys(DEPARTMENT, unit, dept), (unit >= 0) & (dept >= 0)


def _predecessors(book: Book, space: KeySpace) -> Figures:
    rows = book.tables["departments"]
    if "continues_dept_id" not in rows.text:
        return NO_FIGURES
    keys, known = _dept_keys(rows, space)
    before = position_in(rows, "continues_dept_id", space.dept_ids)
    found = np.flatnonzero(known & (before >= 0))
    keys, first = np.unique(keys[found], return_index=True)
    return Figures(keys, before[found][first])


def _classes(book: Book, space: KeySpace) -> Figures:
    rows = book.tables["departments"]
    keys, known = _dept_keys(rows, space)
    of_class = position_in(rows, "class", CLASSES)
    found = np.flatnonzero(known & (of_class >= 0))
    keys, first = np.unique(keys[found], return_index=True)
    return Figures(keys, of_class[found][first])


def _by_department(space: KeySpace, keys: NDArray[np.int64], values: NDArray[np.int64]) -> Figures:
    """Values by department key, with their sums by unit key."""
    of_unit = space.keys(UNIT, space.cells(keys).unit)
    return summed([keys, of_unit], [values, values])


def _quantities(
    rows: TableRows | None, space: KeySpace, period: str, column: str, label: str
) -> Figures:
    """Quantities of one measure or driver in a period, by department and unit."""
    if rows is None:
        return NO_FIGURES
    keys, known = _dept_keys(rows, space)
    wanted = position_in(rows, column, (label,)) == 0
    found = known & wanted & (position_in(rows, "period", (period,)) == 0)
    return _by_department(space, keys[found], rows.values("quantity")[found])


def _services(space: KeySpace, month: Month) -> Figures:
    unit = positions(space.unit_ids)(month.service_unit)
    dept = positions(space.dept_ids)(month.service_dept)
    known = (unit >= 0) & (dept >= 0)
    keys = space.keys(DEPARTMENT, unit[known], dept[known])
    return _by_department(space, keys, month.service_volume[known])


def _require_drivers(books: Sequence[Book], control: LoadedControl) -> None:
    """Refuse inputs whose driver no row of drivers has."""
    listed = {label for book in books for label in book.tables["drivers"].labels("driver")}
    faults = [
        Fault(
            "driver-not-listed",
            f"The input of {entry.element} is driver {quote(entry.driver)}, which no row has.",
            (control.place(f"input[{i}].driver"),),
        )
        for i, entry in enumerate(control.policy.input)
        if entry.driver not in listed
    ]
    if faults:
        raise InputRejected(faults)


def _income(book: Book, space: KeySpace, period: str, control: LoadedControl) -> Figures:
    rows = book.tables.get("income")
    if rows is None:
        return NO_FIGURES
    keys, known = _dept_keys(rows, space)
    left_out = control.policy.break_even.sources_left_out
    counts = position_in(rows, "source", left_out) < 0
    found = known & counts & (position_in(rows, "period", (period,)) == 0)
    return _by_department(space, keys[found], rows.values("amount")[found])
