"""What `medcost check` says of a cash plan: each mistake once, under its own name."""

from __future__ import annotations

from pathlib import Path

import pytest

from medcost.consortium.inputs import read_consortium
from medcost.errors import InputRejected

from ..books import UNITS, Row, written

MONTHS = ("2026-01", "2026-02")
MONEY = {"inflow": 10, "outflow": 9, "basic_operation": 5}


def plan() -> list[Row]:
    """Return a row of every unit and month."""
    return [
        {"period": month, "unit_id": unit["unit_id"], **MONEY} for month in MONTHS for unit in UNITS
    ]


def test_a_unit_that_is_not_listed_or_not_named_lacks_no_month(tmp_path: Path) -> None:
    """L's row of January is written for X, and V's of February for nobody: two months are missing.

    X and nobody would lack February and January, but they are no members.
    """
    rows = plan()
    rows[0] = {**rows[0], "unit_id": "X"}
    rows[5] = {**rows[5], "unit_id": None}
    with pytest.raises(InputRejected) as rejected:
        read_consortium(written(tmp_path / "book", {"cash_plan": rows}), "lend", ["cash_plan"])
    assert [(fault.code, fault.where) for fault in rejected.value.faults] == [
        ("value-missing", ("cash_plan.parquet row 6",)),
        ("unit-not-listed", ("cash_plan.parquet, unit_id: 'X' (1 row)",)),
        ("plan-month-missing", ("cash_plan, 2026-01, 'L'", "cash_plan, 2026-02, 'V'")),
    ]
