"""The writer's door: the identities of arithmetic rule 3, on the tables as they will be read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from medcost.errors import InvariantBroken
from medcost.tables import ELEMENTS

# Sums by (unit_id, element), exact: a fen is never lost to a double.
Sums = dict[tuple[str, str], Decimal]
# Subtracting a column widens a decimal by a digit; 38 is the most there are.
WIDE = pa.decimal128(30, 2)


def require_published_balance(tables: Mapping[str, pa.Table]) -> None:
    """Stop before anything is published where the tables of a period do not tie out.

    tables: result tables by name without out_; those of stages that the run did not get to are
    absent. Raises InvariantBroken with the identity, the unit and the element.
    """
    reasons = _reasons(tables["reconciliation"])
    departments = tables["department_cost"]
    direct, pool = _sum(departments, "direct"), _sum(departments, "pool")
    resting = _plus(reasons["non_medical"], reasons["undistributed"])
    _require("direct = ledger in scope", direct, _minus(reasons["ledger"], reasons["out_of_scope"]))
    _require("full cost = direct", _sum(departments, "full_cost"), direct)
    _require("pool + non_medical + undistributed = direct", _plus(pool, resting), direct)
    others = _plus(*(sums for reason, sums in reasons.items() if reason != "ledger"))
    _require("ledger = all other reasons", reasons["ledger"], others)
    if "service_item_cost" in tables:
        items = _by_element(tables["service_item_cost"])
        idle = _plus(reasons["idle_capacity"], reasons["no_activity"])
        _require("service items + idle capacity + no activity = pool", _plus(items, idle), pool)
        if "case_cost" in tables:
            _require_cases(tables, reasons, items)


def _require_cases(
    tables: Mapping[str, pa.Table], reasons: Mapping[str, Sums], items: Sums
) -> None:
    elsewhere = (reasons[r] for r in ("unlinked_service", "other_unit", "late_cost"))
    left = _plus(_by_element(tables["case_cost"]), *elsewhere)
    right = _minus(items, reasons["opening_work_in_progress"])
    _require("cases + unlinked + other unit + late = items + opening", left, right)
    _require("DRG groups = cases", _by_element(tables["drg_cost"]), reasons["cases"])
    in_progress = _by_element(tables["work_in_progress"])
    _require("work in progress = its reason", in_progress, reasons["work_in_progress"])
    members = _sum(tables["intercompany"], "amount", unit="from_unit_id")
    _require("intercompany = other unit", members, reasons["other_unit"])


def _reasons(table: pa.Table) -> defaultdict[str, Sums]:
    """Amount of each reason by unit and element; nothing for a reason without a row."""
    reasons: defaultdict[str, Sums] = defaultdict(dict)
    for row in table.to_pylist():
        reasons[row["reason"]][row["unit_id"], row["element"]] = row["amount"]
    return reasons


def _sum(table: pa.Table, column: str, unit: str = "unit_id") -> Sums:
    """Sums of a column of a table that has a row for each element."""
    wide = pa.table({"u": table[unit], "e": table["element"], "a": table[column].cast(WIDE)})
    grouped = wide.group_by(["u", "e"]).aggregate([("a", "sum")]).to_pylist()
    return {(row["u"], row["e"]): row["a_sum"] for row in grouped}


def _by_element(table: pa.Table) -> Sums:
    """Sums of a table with a column for each element, which add up to its total, if it has one."""
    wide = pa.table({"u": table["unit_id"], **{e: table[e].cast(WIDE) for e in ELEMENTS}})
    if "total" in table.column_names:
        left = table["total"].cast(WIDE)
        for element in ELEMENTS:
            left = pc.subtract(left, wide[element])
        if pc.any(pc.not_equal(left, Decimal(0))).as_py():
            raise InvariantBroken("a row's elements do not add up to its total")
    grouped = wide.group_by("u").aggregate([(e, "sum") for e in ELEMENTS]).to_pylist()
    return {(row["u"], e): row[f"{e}_sum"] for row in grouped for e in ELEMENTS}


def _plus(*parts: Sums) -> Sums:
    total: Sums = {}
    for part in parts:
        for key, amount in part.items():
            total[key] = total.get(key, Decimal(0)) + amount
    return total


def _minus(left: Sums, right: Sums) -> Sums:
    return _plus(left, {key: -amount for key, amount in right.items()})


def _require(fact: str, left: Sums, right: Sums) -> None:
    for key in sorted({*left, *right}):
        a, b = left.get(key, Decimal(0)), right.get(key, Decimal(0))
        if a != b:
            unit, element = key
            raise InvariantBroken(
                f"{fact} does not hold in unit {unit}, {element}: {a:,.2f} and {b:,.2f} yuan"
            )
