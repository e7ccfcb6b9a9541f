"""What the tables of shared equipment ask for beyond values, keys and members."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from medcost.book import Book, TableRows
from medcost.checks.findings import Finding
from medcost.checks.rows import row_finding

# Columns that cannot be below zero, and the most that they can be: with these no product of a
# plan leaves 64 bits. Examinations; fen; 1e-4 of a kilometre or minute.
MOST = {
    "equipment": {"capacity": 10**8, "fixed_cost": 10**13, "variable_cost": 10**9},
    "exam_demand": {"examinations": 10**8},
    "distances": {"kilometres": 10**9, "minutes": 10**9},
}


def find_equipment_faults(book: Book, considered: NDArray[np.bool_]) -> list[Finding]:
    """Capacities and costs of devices that are negative or beyond what can be planned."""
    return list(_out_of_bounds(book.tables["equipment"], considered))


def find_exam_demand_faults(book: Book, considered: NDArray[np.bool_]) -> list[Finding]:
    """Demand that is out of bounds, and demand for a type that no device of the month is of."""
    rows = book.tables["exam_demand"]
    found = list(_out_of_bounds(rows, considered))
    if "equipment" not in book.tables:
        return found
    devices = book.tables["equipment"]
    there = set(zip(*_texts(devices, ("period", "device_type")), strict=True))
    asked = zip(*_texts(rows, ("period", "device_type")), strict=True)
    missing = np.array([key not in there and "" not in key for key in asked], np.bool_)
    missing &= considered & (rows.values("examinations") != 0)
    finding = row_finding(rows, "device-type-without-site", "device_type", missing)
    return found if finding is None else [*found, finding]


def find_distance_faults(book: Book, considered: NDArray[np.bool_]) -> list[Finding]:
    """Distances that are out of bounds, and rows that hold none."""
    rows = book.tables["distances"]
    empty = ~rows.present("kilometres") & ~rows.present("minutes")
    finding = row_finding(rows, "value-missing", "kilometres", empty & considered)
    return [*_out_of_bounds(rows, considered), *([] if finding is None else [finding])]


def _out_of_bounds(rows: TableRows, considered: NDArray[np.bool_]) -> Iterator[Finding]:
    for column, most in MOST[rows.table.name].items():
        values = rows.values(column)
        for code, bad in (("value-negative", values < 0), ("value-out-of-range", values > most)):
            finding = row_finding(rows, code, column, considered & bad)
            if finding is not None:
                yield finding


def _texts(rows: TableRows, columns: tuple[str, ...]) -> list[list[str]]:
    """Columns of text as labels, '' where a row has none."""
    found = []
    for column in columns:
        known = [*rows.labels(column), ""]
        found.append([known[code] for code in rows.codes(column).tolist()])
    return found
