"""The result tables: their columns, how values are written, which rows stay and in what order."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

from oracle.book import ELEMENTS
from oracle.rounding import Amount, half_away

Row = dict[str, Any]

KEYS = {
    "department_cost": ("period", "unit_id", "dept_id", "element"),
    "department_flow": ("period", "unit_id", "giver_dept_id", "receiver_dept_id", "element"),
    "service_item_cost": ("period", "unit_id", "dept_id", "item_id"),
    "case_cost": ("period", "unit_id", "case_id"),
    "drg_cost": ("period", "unit_id", "scheme", "drg_id"),
    "drg_matrix": ("period", "unit_id", "scheme", "drg_id", "service_group", "element"),
    "work_in_progress": ("period", "unit_id", "case_id"),
    "intercompany": ("period", "from_unit_id", "to_unit_id", "item_id", "element"),
    "reconciliation": ("period", "unit_id", "element", "reason"),
}
AMOUNTS = {
    "department_cost": (
        "direct", "from_admin", "from_support", "pool", "from_medtech", "handed_on", "full_cost",
    ),
    "department_flow": ("amount",),
    "service_item_cost": (*ELEMENTS, "total", "charge"),
    "case_cost": (*ELEMENTS, "total", "charge", "price", "margin"),
    "drg_cost": (
        *ELEMENTS, "total", "p05", "p25", "p50", "p75", "p95", "income", "margin",
    ),
    "drg_matrix": ("amount",),
    "work_in_progress": (*ELEMENTS, "charge"),
    "intercompany": ("amount",),
    "reconciliation": ("amount",),
}  # fmt: skip
LARGEST_RATIO = Decimal(10) ** 12


def yuan(amount: Amount) -> Decimal:
    """Return whole fen as yuan with two decimals."""
    return Decimal(int(amount)).scaleb(-2)


def scaled(value: Fraction, decimals: int) -> Decimal:
    """Return the value with so many decimals, halves away from zero."""
    return Decimal(half_away(value * 10**decimals)).scaleb(-decimals)


def ratio(value: Fraction) -> Decimal | None:
    """Return a unit cost or a mean with six decimals, None if decimal(18,6) cannot hold it."""
    rounded = scaled(value, 6)
    return rounded if abs(rounded) < LARGEST_RATIO else None


def finished(name: str, rows: list[Row]) -> list[Row]:
    """Return a table's rows without those whose amounts are all zero, sorted by key.

    Python compares text by code point, which is the order of its UTF-8 bytes.
    """
    kept = [row for row in rows if any(row[column] for column in AMOUNTS[name])]
    return sorted(kept, key=lambda row: tuple(row[column] for column in KEYS[name]))
