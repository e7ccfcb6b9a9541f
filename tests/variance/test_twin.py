"""The engine against the twin in fractions, on generated months and budgets."""

from __future__ import annotations

import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from . import twin
from .generated import computed, generate

PARTS = ("level", "unit_id", "dept_id", "element", "drg_id")
RATES = ("variance_rate", "execution_rate", "last_month_rate", "last_year_rate",
         "year_to_date_rate", "peer_rate")  # fmt: skip
EFFECTS = ("volume_variance", "mix_variance", "efficiency_variance", "price_variance")
SEEDS = st.integers(0, 2**40)


def steps(value: Any, scale: int) -> int | None:
    return None if value is None else int(Decimal(value) * scale)


def rows_of(found: Any, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = found.tables[name].to_pylist()
    return rows


def key_of(row: dict[str, Any]) -> twin.Key:
    return tuple(row[part] for part in PARTS)  # type: ignore[return-value]


@settings(max_examples=50)
@given(SEEDS)
def test_every_figure_is_the_twins(seed: int) -> None:
    """Rows, rates, effects and effects of groups, of one generated world at a time."""
    world = generate(seed)
    with tempfile.TemporaryDirectory() as folder:
        found = computed(Path(folder), world)
    require_same_variance(rows_of(found, "budget_variance"), twin.budget_variance(world))
    columns = ("budget", "actual", *EFFECTS)
    effects = {
        key_of(row): [steps(row[name], 100) for name in columns]
        for row in rows_of(found, "variance_decomposition")
    }
    assert effects == twin.decomposition(world)
    columns = ("base_amount", "actual", "case_mix_variance", "cost_variance")
    groups = rows_of(found, "drg_variance")
    of_groups = {
        (row["unit_id"], row["drg_id"], row["against"]): [steps(row[n], 100) for n in columns]
        for row in groups
    }
    assert of_groups == twin.group_variance(world)
    assert {row["base"] for row in groups} <= {world.base}


def require_same_variance(found: list[dict[str, Any]], expected: dict[twin.Key, Any]) -> None:
    """The same rows; amounts to the fen, rates to 1e-6."""
    assert {key_of(row) for row in found} == set(expected)
    for row in found:
        for name, value in expected[key_of(row)].items():
            if name == "basis":
                assert row["budget_basis"] == value
            elif name in ("peers", "compared_dept_id"):
                assert row[name] == value, (key_of(row), name)
            else:
                scale = 10**6 if name in RATES else 100
                assert steps(row[name], scale) == value, (key_of(row), name)


@settings(max_examples=25)
@given(SEEDS)
def test_the_effects_add_up_to_actual_less_budget_to_the_fen(seed: int) -> None:
    """In every line, in every total, and the lines of a level to its total."""
    world = generate(seed)
    with tempfile.TemporaryDirectory() as folder:
        found = computed(Path(folder), world)
    split = rows_of(found, "variance_decomposition")
    for row in split:
        assert sum(row[name] for name in EFFECTS) == row["actual"] - row["budget"]
        assert row["flexible_budget"] + row["flexible_variance"] == row["actual"]
    lines = [row for row in split if row["method"] is not None]
    for name in ("budget", "actual", *EFFECTS):
        for total in (row for row in split if row["unit_id"] == ""):
            of_level = [row[name] for row in lines if row["level"] == total["level"]]
            assert sum(of_level) == total[name]
    for row in rows_of(found, "drg_variance"):
        effects = row["case_mix_variance"] + row["cost_variance"]
        assert effects == row["actual"] - row["base_amount"]
