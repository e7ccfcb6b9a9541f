"""Arithmetic rule 8: allocation is linear, so the scopes add up, before rounding exactly."""

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, settings
from oracle.chain import cost_departments_exact
from oracle.refused import Refused

from properties.generated import MONTH, Model, Row, Tables, engine, generated, rows_of, seeds

FULL_FUNDS = ("fiscal_project", "other_project")
HOSPITAL_FUNDS = ("research_education", "non_operating")


def fund_of(row: Row) -> str:
    """Return who paid; an empty fund is own."""
    return row.get("fund") or "own"


def of_admin(row: Row, admin: set[tuple[str, str]]) -> bool:
    """Say whether a posting of own funds is of an admin department."""
    return fund_of(row) == "own" and (row["unit_id"], row["dept_id"]) in admin


STEPS: dict[str, tuple[str, str, Callable[[Row, set[tuple[str, str]]], bool]]] = {
    "admin departments": ("medical_business", "medical", of_admin),
    "project funds": ("medical", "medical_full", lambda row, _: fund_of(row) in FULL_FUNDS),
    "other funds": (
        "medical_full",
        "hospital_full",
        lambda row, _: fund_of(row) in HOSPITAL_FUNDS,
    ),
}


def linear_book(seed: int) -> tuple[Tables, Model]:
    """Return a book whose model shares whatever the sign: no kept credit, no other rounding."""
    tables, model = generated(seed)
    assume(model["departments"].get("negative_statistics") != "allow")
    model["departments"].pop("credit_balance", None)
    model["departments"].pop("rounding", None)
    return tables, model


def three_runs(tables: Tables, model: Model, step: str) -> list[tuple[Tables, Model]]:
    """Return the book of the smaller scope, of what the larger one adds, and of the larger one.

    What it adds is costed alone: its postings only, in the widest scope.
    """
    smaller, larger, is_extra = STEPS[step]
    admin = {(r["unit_id"], r["dept_id"]) for r in tables["departments"] if r["class"] == "admin"}
    extra = [row for row in tables["ledger"] if is_extra(row, admin)]

    def in_scope(cost: str) -> Model:
        return model | {"scope": model.get("scope", {}) | {"cost": cost}}

    return [
        (tables, in_scope(smaller)),
        (tables | {"ledger": extra}, in_scope("hospital_full")),
        (tables, in_scope(larger)),
    ]


def exact_balances(tables: Tables, model: Model) -> dict[Any, Any] | None:
    """Return the oracle's unrounded balances, None where the book is refused."""
    try:
        return cost_departments_exact(tables, model, MONTH)
    except Refused:
        return None


def has_month(tables: Tables) -> bool:
    """Say whether the ledger has a row of the month."""
    return any(row["period"] == MONTH for row in tables["ledger"])


@pytest.mark.parametrize("step", STEPS)
@given(seed=seeds)
@settings(max_examples=10)
def test_scopes_add_up(step: str, seed: int) -> None:
    """Exactly before rounding; after it a department is off by less than a fen for each flow.

    In sum over a unit nothing is lost: direct and full cost add up to the fen.
    """
    runs = three_runs(*linear_book(seed), step)
    assume(has_month(runs[1][0]))
    exact = [exact_balances(*run) for run in runs]
    found = [engine(*run, through="departments") for run in runs]
    if any(one is None for one in exact) or any(isinstance(one, list) for one in found):
        return
    keys = {key for one in exact for key in one}
    for key in keys:
        smaller, extra, larger = (one.get(key, 0) for one in exact)
        assert larger == smaller + extra
    rows = [rows_of(one) for one in found]  # type: ignore[arg-type]
    n_flows = sum(len(one["department_flow"]) for one in rows)
    for name, columns, within in (
        ("unit_id", ("direct", "full_cost"), Decimal(0)),
        ("dept_id", ("direct",), Decimal(0)),
        ("dept_id", ("pool", "full_cost"), Decimal(n_flows).scaleb(-2)),
    ):
        for column in columns:
            smaller, extra, larger = (sums(one["department_cost"], column, name) for one in rows)
            for key in {*smaller, *extra, *larger}:
                assert abs(larger[key] - smaller[key] - extra[key]) <= within


def sums(rows: list[Row], column: str, by: str) -> dict[tuple[str, ...], Decimal]:
    """Return the sums of a column by unit, element and another key."""
    found: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for row in rows:
        found[row["unit_id"], row[by], row["element"]] += row[column]
    return found
