"""The engine against the independent implementation in fractions.Fraction."""

from typing import Any

import pytest

from properties.generated import (
    MONTH,
    PERIODS,
    Model,
    Results,
    Tables,
    engine,
    generated,
    measures_what_is_not_there,
    moves_too_much,
    oracle,
    rows_of,
)


def shown(found: Results | list[str]) -> Tables | list[str]:
    """Return result tables as rows, codes as they are."""
    return found if isinstance(found, list) else rows_of(found)


def expected_of(tables: Tables, model: Model, period: str, **options: Any) -> Tables | list[str]:
    """Return what the oracle finds, and the two faults that it does not look for."""
    found = oracle(tables, model, period, **options)
    if options.get("through") != "departments" and measures_what_is_not_there(tables, model):
        codes = found if isinstance(found, list) else []
        return sorted({"measure-missing", *codes})
    if isinstance(found, dict) and moves_too_much(found):
        return ["amount-out-of-range"]
    return found


@pytest.mark.parametrize("seed", range(120))
def test_the_engine_finds_what_exact_rationals_find(seed: int) -> None:
    """Every cell of every table of both months, or every code the book is refused with."""
    tables, model = generated(seed)
    for period in PERIODS:
        expected = expected_of(tables, model, period)
        assert expected == shown(engine(tables, model, period))


def test_a_model_that_measures_by_charges_needs_a_column_of_charges() -> None:
    """Book 134 measures by income, and no line of it has a charge."""
    tables, model = generated(134)
    assert measures_what_is_not_there(tables, model)
    assert engine(tables, model) == ["measure-missing"]


def test_a_run_that_stops_at_departments_needs_no_charges() -> None:
    """Book 134 again: its departments share by drivers alone."""
    tables, model = generated(134)
    expected = oracle(tables, model, MONTH, through="departments")
    assert expected == shown(engine(tables, model, through="departments"))


def test_gross_cost_beyond_a_column_of_money_is_refused() -> None:
    """Givers of book 152 hand each other more than 10¹⁸ fen."""
    tables, model = generated(152)
    found = oracle(tables, model, MONTH)
    assert isinstance(found, dict)
    assert moves_too_much(found)
    assert engine(tables, model) == ["amount-out-of-range"]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("through", ["departments", "service-items"])
def test_a_shorter_run_agrees_too(seed: int, through: str) -> None:
    """Also for two of the units."""
    tables, model = generated(seed)
    units = [row["unit_id"] for row in tables["units"]][:2]
    for options in ({"through": through}, {"through": through, "units": units}):
        expected = expected_of(tables, model, MONTH, **options)
        assert expected == shown(engine(tables, model, MONTH, **options))
