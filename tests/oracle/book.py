"""One period of a book, indexed: the tables as the stages of the chain look things up."""

import calendar
import datetime
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

Row = dict[str, Any]
CaseKey = tuple[str, str]

ELEMENTS = ("staff", "materials", "drugs", "depreciation", "amortisation", "risk_fund", "other")
UNLINKED: CaseKey = ("", "")


class Line(NamedTuple):
    """A service line; money in fen."""

    dept_id: str
    item_id: str
    case: CaseKey
    ordering_dept_id: str | None
    quantity: Fraction
    charge: int
    direct_cost: int


@dataclass(frozen=True)
class Book:
    """One period of a book; money in fen, ids as they stand."""

    period: str
    first_day: datetime.date
    last_day: datetime.date
    units: list[str]
    classes: dict[str, dict[str, str]]
    service_groups: dict[tuple[str, str], str]
    ledger: dict[str, list[Row]]
    statistics: dict[tuple[str, str], dict[str, Fraction]]
    items: dict[str, Row]
    item_weights: dict[str, list[Row]]
    capacity: dict[tuple[str, str], list[Row]]
    lines: dict[str, list[Line]]
    cases: dict[CaseKey, Row]
    openings: dict[CaseKey, Row]
    drg_groups: dict[tuple[str, str], Row]
    prices: dict[str, list[Row]]
    lines_have_charge: bool
    opening_has_charge: bool

    def service_group_of(self, unit_id: str, dept_id: str) -> str:
        """Return the department's service group, its class where it names none."""
        return self.service_groups[unit_id, dept_id] or self.classes[unit_id][dept_id]


def fen(value: Any) -> int:
    """Return an amount of yuan in whole fen; an empty one is 0."""
    if value is None:
        return 0
    amount = Fraction(value) * 100
    if amount.denominator != 1:
        raise ArithmeticError(f"{value} yuan is not whole fen")
    return amount.numerator


def rows_of(tables: dict[str, list[Row]], name: str, period: str | None = None) -> list[Row]:
    """Return a table's rows, empty text as None; with a period, that period's rows only."""
    rows = [
        {column: None if value == "" else value for column, value in row.items()}
        for row in tables.get(name, [])
    ]
    return [row for row in rows if period is None or row["period"] == period]


def has_column(tables: dict[str, list[Row]], name: str, column: str) -> bool:
    """Say whether any row of the table has the column, empty or not."""
    return any(column in row for row in tables.get(name, []))


def line_of(row: Row) -> Line:
    """Return a row of service_lines; a line without a case_id has the empty case."""
    case_id = row.get("case_id")
    case = UNLINKED if case_id is None else (row.get("case_unit_id") or row["unit_id"], case_id)
    return Line(
        row["dept_id"],
        row["item_id"],
        case,
        row.get("ordering_dept_id"),
        Fraction(row["quantity"]),
        fen(row.get("charge")),
        fen(row.get("direct_cost")),
    )


def is_valid(row: Row, period: str) -> bool:
    """Say whether valid_from and valid_to, where filled, hold the period between them."""
    begins, ends = row.get("valid_from"), row.get("valid_to")
    return (begins is None or begins <= period) and (ends is None or period <= ends)


def classes_of(rows: list[Row], period: str) -> dict[str, dict[str, str]]:
    """Return unit → dept_id → class of the departments that are open in the period."""
    classes: dict[str, dict[str, str]] = defaultdict(dict)
    for row in rows:
        if is_valid(row, period):
            classes[row["unit_id"]][row["dept_id"]] = row["class"]
    return classes


def grouped(rows: list[Row], *columns: str) -> dict[Any, list[Row]]:
    """Return the rows by the value of one column, or by the values of several."""
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        key = tuple(row[column] for column in columns)
        groups[key if len(columns) > 1 else key[0]].append(row)
    return groups


def read_book(tables: dict[str, list[Row]], period: str, units: list[str] | None) -> Book:
    """Return one period of the book for the chosen units (default: all)."""
    year, month = int(period[:4]), int(period[5:7])
    statistics: dict[tuple[str, str], dict[str, Fraction]] = defaultdict(dict)
    for row in rows_of(tables, "drivers", period):
        quantity = Fraction(row["quantity"])
        statistics[row["unit_id"], row["driver"]][row["dept_id"]] = quantity
    lines: dict[str, list[Line]] = defaultdict(list)
    for row in rows_of(tables, "service_lines", period):
        lines[row["unit_id"]].append(line_of(row))
    cases = rows_of(tables, "cases", period)
    openings = rows_of(tables, "opening_work_in_progress", period)
    groups = rows_of(tables, "drg_groups")
    return Book(
        period=period,
        first_day=datetime.date(year, month, 1),
        last_day=datetime.date(year, month, calendar.monthrange(year, month)[1]),
        units=sorted(units or [row["unit_id"] for row in rows_of(tables, "units")]),
        classes=classes_of(rows_of(tables, "departments"), period),
        service_groups={
            (row["unit_id"], row["dept_id"]): row.get("service_group") or ""
            for row in rows_of(tables, "departments")
        },
        ledger=grouped(rows_of(tables, "ledger", period), "unit_id"),
        statistics=statistics,
        items={row["item_id"]: row for row in rows_of(tables, "service_items")},
        item_weights=grouped(rows_of(tables, "item_weights"), "item_id"),
        capacity=grouped(rows_of(tables, "capacity", period), "unit_id", "dept_id"),
        lines=lines,
        cases={(row["unit_id"], row["case_id"]): row for row in cases},
        openings={(row["unit_id"], row["case_id"]): row for row in openings},
        drg_groups={(row["scheme"], row["drg_id"]): row for row in groups},
        prices=grouped(rows_of(tables, "drg_prices"), "drg_id"),
        lines_have_charge=has_column(tables, "service_lines", "charge"),
        opening_has_charge=has_column(tables, "opening_work_in_progress", "charge"),
    )
