"""Arithmetic rules 1 to 4 on the published tables: every fen is accounted for."""

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pyarrow as pa
from books import ELEMENTS
from hypothesis import given, settings
from oracle.result_tables import AMOUNTS, KEYS, scaled

from properties.generated import (
    PERIODS,
    Model,
    Results,
    Row,
    Tables,
    engine,
    generated,
    rows_of,
    seeds,
)

Sums = dict[Any, Decimal]
LATER_REASONS = ("unlinked_service", "other_unit", "late_cost")
REASON_OF_STATUS = {
    "costed": "cases",
    "visit": "visits",
    "ungrouped": "ungrouped",
    "work_in_progress": "work_in_progress",
}


def summed(rows: list[Row], column: str, *keys: str) -> Sums:
    """Return the sums of a column by keys, without those that are zero."""
    sums: dict[Any, Decimal] = defaultdict(Decimal)
    for row in rows:
        sums[tuple(row[key] for key in keys)] += row[column] or Decimal(0)
    return {key: amount for key, amount in sums.items() if amount}


def by_unit(rows: list[Row], column: str, unit: str = "unit_id") -> Sums:
    """Return the sums of a column by unit and element."""
    return summed(rows, column, unit, "element")


def wide(rows: list[Row]) -> Sums:
    """Return the sums by unit and element of a table with a column for each element."""
    pieces = [
        row | {"element": element, "cost": row[element]} for row in rows for element in ELEMENTS
    ]
    return by_unit(pieces, "cost")


def together(*parts: Sums) -> Sums:
    """Return the sums of sums, without those that are zero."""
    total: dict[Any, Decimal] = defaultdict(Decimal)
    for part in parts:
        for key, amount in part.items():
            total[key] += amount
    return {key: amount for key, amount in total.items() if amount}


def reason(results: Tables, *names: str) -> Sums:
    """Return the sums of some reasons by unit and element."""
    return by_unit([row for row in results["reconciliation"] if row["reason"] in names], "amount")


def require_levels(results: Tables) -> None:
    """Require what holds between the columns of departments and their flows."""
    rows, flows = results["department_cost"], results["department_flow"]
    for row in rows:
        received = row["from_admin"] + row["from_support"] + row["from_medtech"]
        assert row["full_cost"] == row["direct"] + received + row["handed_on"]
        before_level_3 = row["full_cost"] - row["from_medtech"]
        if row["class"] == "clinical":
            assert row["pool"] == before_level_3
        elif row["class"] != "medtech":
            assert row["pool"] == row["from_medtech"] == 0
    key = ("unit_id", "dept_id", "element")
    given_by = summed(flows, "amount", "unit_id", "giver_dept_id", "element")
    assert given_by == {k: -v for k, v in summed(rows, "handed_on", *key).items()}
    received_by = summed(flows, "amount", "unit_id", "receiver_dept_id", "element")
    columns = ("from_admin", "from_support", "from_medtech")
    assert received_by == together(*(summed(rows, column, *key) for column in columns))


def require_identities(results: Tables) -> None:
    """Require the identities of rule 3, for every unit and element."""
    departments = results["department_cost"]
    direct, pool = by_unit(departments, "direct"), by_unit(departments, "pool")
    ledger = reason(results, "ledger")
    others = {row["reason"] for row in results["reconciliation"]} - {"ledger"}
    assert ledger == reason(results, *others)
    assert ledger == together(direct, reason(results, "out_of_scope"))
    assert direct == by_unit(departments, "full_cost")
    assert direct == together(pool, reason(results, "non_medical", "undistributed"))
    items = wide(results["service_item_cost"])
    assert pool == together(items, reason(results, "idle_capacity", "no_activity"))
    opening = {k: -v for k, v in reason(results, "opening_work_in_progress").items()}
    cases = wide(results["case_cost"])
    assert together(items, opening) == together(cases, reason(results, *LATER_REASONS))
    assert wide(results["drg_cost"]) == reason(results, "cases")
    assert wide(results["work_in_progress"]) == reason(results, "work_in_progress")
    if "drg_matrix" in results:
        require_matrix(results)
    away = by_unit(results["intercompany"], "amount", "from_unit_id")
    assert away == reason(results, "other_unit")
    for status, name in REASON_OF_STATUS.items():
        rows = [row for row in results["case_cost"] if row["status"] == status]
        assert wide(rows) == reason(results, name)


def require_matrix(results: Tables) -> None:
    """Require that the service groups of each DRG group and element add up to its cost."""
    key = ("unit_id", "scheme", "drg_id")
    sums: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for row in results["drg_matrix"]:
        sums[*(row[column] for column in key), row["element"]] += row["amount"]
    costs = {
        (*(row[column] for column in key), element): row[element]
        for row in results["drg_cost"]
        for element in ELEMENTS
    }
    assert {k: v for k, v in sums.items() if v} == {k: v for k, v in costs.items() if v}


def require_rows(results: Tables) -> None:
    """Require sorted unique keys, some amount in every row, and totals of the elements."""
    for name, rows in results.items():
        keys = [tuple(str(row[column]).encode() for column in KEYS[name]) for row in rows]
        assert sorted(set(keys)) == keys
        assert all(any(row[column] for column in AMOUNTS[name]) for row in rows)
        for row in rows:
            if "total" in row:
                assert row["total"] == sum(row[element] for element in ELEMENTS)
    for row in results["case_cost"]:
        if row["price"] is not None:
            assert row["margin"] == row["price"] - row["total"]
        else:
            assert row["margin"] is None


def require_ratios(results: Tables) -> None:
    """Require unit costs and means to be the total over the volume and over the cases."""
    for row in results["service_item_cost"]:
        if row["volume"] == 0:
            assert row["unit_cost"] is None
        elif row["unit_cost"] is not None:
            assert row["unit_cost"] == scaled(Fraction(row["total"]) / Fraction(row["volume"]), 6)
    for row in results["drg_cost"]:
        if row["mean"] is not None:
            assert row["mean"] == scaled(Fraction(row["total"]) / row["cases"], 6)
        assert (row["sd"] is None) == (row["cases"] == 1)
        assert row["p05"] <= row["p25"] <= row["p50"] <= row["p75"] <= row["p95"]


@given(seed=seeds)
@settings(max_examples=30)
def test_every_fen_is_accounted_for(seed: int) -> None:
    """The identities of both months, or the book is refused."""
    tables, model = generated(seed)
    for period in PERIODS:
        found = engine(tables, model, period)
        if isinstance(found, list):
            continue
        results = rows_of(found)
        require_levels(results)
        require_identities(results)
        require_rows(results)
        require_ratios(results)


def test_amounts_are_decimals_of_two_places() -> None:
    """No double but sd; what a reader adds up is exact."""
    found = engine(*generated(0))
    assert not isinstance(found, list)
    for name, table in found.items():
        for column in AMOUNTS[name]:
            assert table.schema.field(column).type == pa.decimal128(18, 2)
        doubles = [field.name for field in table.schema if pa.types.is_floating(field.type)]
        assert doubles == (["sd"] if name == "drg_cost" else [])


@given(seed=seeds)
@settings(max_examples=15)
def test_a_shorter_run_shows_the_same_money(seed: int) -> None:
    """What is not carried further is Σ pool, or Σ service_item_cost; the other tables are equal."""
    tables, model = generated(seed)
    whole = engine(tables, model)
    if isinstance(whole, list):
        return
    last = {
        "departments": lambda results: by_unit(results["department_cost"], "pool"),
        "service-items": lambda results: wide(results["service_item_cost"]),
    }
    for through, carried in last.items():
        found = engine(tables, model, through=through)
        assert not isinstance(found, list)
        for name in found.keys() - {"reconciliation"}:
            assert found[name].equals(whole[name])
        results = rows_of(found)
        assert reason(results, "not_carried_further") == carried(results)


def costed_units(tables: Tables, model: Model) -> tuple[Results, dict[str, Results]] | None:
    """Return the tables of all units together and of each alone; None where one is refused."""
    whole = engine(tables, model)
    units = [row["unit_id"] for row in tables["units"]]
    alone = {unit: engine(tables, model, units=[unit]) for unit in units}
    if isinstance(whole, list) or any(isinstance(one, list) for one in alone.values()):
        assert isinstance(whole, list)
        return None
    return whole, alone  # type: ignore[return-value]


@given(seed=seeds)
@settings(max_examples=15)
def test_a_consortium_is_the_sum_of_its_units(seed: int) -> None:
    """The rows of units costed alone are, put together and sorted, those of all together."""
    found = costed_units(*generated(seed))
    if found is None:
        return
    whole, alone = found
    for name, table in whole.items():
        parts = pa.concat_tables([alone[unit][name] for unit in alone])
        keys = [(key, "ascending") for key in KEYS[name]]
        assert table.equals(parts.sort_by(keys))
