"""What must not change a result, and what must change it in a known way."""

import random
from decimal import Decimal
from typing import Any

from books import ELEMENTS
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle.generated_books import DIRECT
from oracle.result_tables import KEYS

from properties.generated import (
    Model,
    Results,
    Row,
    Tables,
    engine,
    generated,
    negated,
    rows_of,
    seeds,
)

UNSIGNED = {
    "case_cost": ("charge", "price", "margin"),
    "service_item_cost": ("charge",),
    "work_in_progress": ("charge",),
    "drg_cost": ("p05", "p25", "p50", "p75", "p95", "income", "margin"),
}
SIGNED = {
    "department_cost": (
        "direct", "from_admin", "from_support", "pool", "from_medtech", "handed_on", "full_cost",
    ),
    "department_flow": ("amount",),
    "service_item_cost": (*ELEMENTS, "total", "unit_cost"),
    "case_cost": (*ELEMENTS, "total"),
    "drg_cost": (*ELEMENTS, "total", "mean"),
    "drg_matrix": ("amount",),
    "work_in_progress": ELEMENTS,
    "intercompany": ("amount",),
    "reconciliation": ("amount",),
}  # fmt: skip


def with_symmetrical_rules(tables: Tables, model: Model) -> None:
    """Take out what treats a credit otherwise: kept credits, direct items, residual `largest`."""
    model["departments"].pop("credit_balance", None)
    model["departments"].get("rounding", {}).pop("residual", None)
    lines = [line for line in tables["service_lines"] if line["item_id"] not in DIRECT]
    tables["service_lines"] = lines


def without_prices(results: Results) -> Tables:
    """Return the rows without charges, prices and quantiles, and those left with no amount."""
    rows = {}
    for name, table in results.items():
        columns = [c for c in table.column_names if c not in UNSIGNED.get(name, ())]
        found = table.select(columns).to_pylist()
        rows[name] = [row for row in found if any(row[c] for c in SIGNED[name])]
    return rows


@given(seed=seeds)
@settings(max_examples=25)
def test_reversing_every_posting_reverses_every_amount(seed: int) -> None:
    """Rule 2 is its own mirror image: the negated book's amounts are the negated amounts."""
    tables, model = generated(seed)
    with_symmetrical_rules(tables, model)
    mirrored = tables | {"ledger": negated(tables["ledger"], "amount")}
    if "opening_work_in_progress" in tables:
        rows = tables["opening_work_in_progress"]
        mirrored["opening_work_in_progress"] = negated(rows, *ELEMENTS)
    found, reversed_ = engine(tables, model), engine(mirrored, model)
    if isinstance(found, list) or isinstance(reversed_, list):
        assert found == reversed_
        return
    expected = {name: negated(rows, *SIGNED[name]) for name, rows in without_prices(found).items()}
    assert expected == without_prices(reversed_)


def require_no_change(tables: Tables, changed: Tables, model: Model) -> None:
    """Require equal results, or equal refusals."""
    before, after = engine(tables, model), engine(changed, model)
    if isinstance(before, list) or isinstance(after, list):
        assert before == after
        return
    for name, table in before.items():
        assert table.equals(after[name]), name


def in_two(row: Row, rng: random.Random, steps: dict[str, str]) -> list[Row]:
    """Return two rows that add up to a row; the parts may be of either sign."""
    first, second = dict(row), dict(row)
    for column, step in steps.items():
        if row.get(column) is not None:
            part = Decimal(rng.randint(-(10**6), 10**6)) * Decimal(step)
            first[column], second[column] = part, row[column] - part
    return [first, second]


def some_in_two(rows: list[Row], rng: random.Random, steps: dict[str, str]) -> list[Row]:
    """Return the rows with about every third one in two."""
    return [
        piece
        for row in rows
        for piece in (in_two(row, rng, steps) if rng.random() < 0.3 else [row])
    ]


SPLITS: dict[str, dict[str, str]] = {
    "ledger": {"amount": "0.01"},
    "service_lines": {"quantity": "0.0001", "charge": "0.01", "direct_cost": "0.01"},
}


@given(seed=seeds, table=st.sampled_from(sorted(SPLITS)), splits=st.integers(0, 10**6))
@settings(max_examples=25)
def test_splitting_lines_changes_nothing(seed: int, table: str, splits: int) -> None:
    """A posting or service line and two that add up to it are the same."""
    tables, model = generated(seed)
    rng = random.Random(splits)  # noqa: S311 - a seed, not a secret
    changed = tables | {table: some_in_two(tables[table], rng, SPLITS[table])}
    require_no_change(tables, changed, model)


@given(seed=seeds, line_seed=st.integers(0, 10**6))
@settings(max_examples=15)
def test_a_line_and_its_reversal_change_nothing_where_the_case_has_the_item(
    seed: int, line_seed: int
) -> None:
    """Performed thrice more and reversed: the net is the same."""
    tables, model = generated(seed)
    rng = random.Random(line_seed)  # noqa: S311
    line = rng.choice(tables["service_lines"])
    reversal = negated([line], "quantity", "charge", "direct_cost")
    lines = tables["service_lines"] + 3 * [line] + 3 * reversal
    require_no_change(tables, tables | {"service_lines": lines}, model)


@given(
    seed=seeds,
    kind=st.sampled_from(("admin", "support", "medtech", "clinical", "non_medical")),
    validity=st.sampled_from(({}, {"valid_to": "2020-12"}, {"valid_from": "2026-03"})),
)
@settings(max_examples=20)
def test_an_unused_department_changes_nothing(
    seed: int, kind: str, validity: dict[str, str]
) -> None:
    """Without cost, statistic and service it is nowhere in the results, whatever its class."""
    tables, model = generated(seed)
    unused = [
        {"unit_id": unit["unit_id"], "dept_id": dept, "class": kind, **validity}
        for unit in tables["units"]
        for dept in ("0", "C1a", "unused")
    ]
    require_no_change(tables, tables | {"departments": unused + tables["departments"]}, model)


@given(seed=seeds)
@settings(max_examples=15)
def test_an_item_weight_or_case_that_is_not_used_changes_nothing(seed: int) -> None:
    """An item without a line, its weight, a case of next month, a price of an unknown group."""
    tables, model = generated(seed)
    unit = tables["units"][0]["unit_id"]
    more: dict[str, Row] = {
        "service_items": {"item_id": "unused", "basis": "shared"},
        "item_weights": {"item_id": "unused", "weight": Decimal(7)},
        "cases": {"period": "2026-02", "unit_id": unit, "case_id": "unused", "setting": "other"},
        "drg_prices": {"drg_id": "unused", "price": Decimal(7)},
        "drivers": {"period": "2026-01", "unit_id": unit, "driver": "unused", "dept_id": "C1",
                    "quantity": Decimal(7)},
    }  # fmt: skip
    changed = tables | {name: [*tables.get(name, []), row] for name, row in more.items()}
    if "item_weights" in tables:
        require_no_change(tables, changed, model)


@given(seed=seeds)
@settings(max_examples=15)
def test_another_month_changes_nothing(seed: int) -> None:
    """January is the same without the rows of February; item weights have begun or have not."""
    tables, model = generated(seed)
    january = {
        name: rows if name == "item_weights" else [r for r in rows if r.get("period") != "2026-02"]
        for name, rows in tables.items()
    }
    require_no_change(tables, {name: rows for name, rows in january.items() if rows}, model)


def multiplied(tables: Tables, name: str, factor: int, *columns: str) -> Tables:
    """Return the book with some columns of a table times a factor."""
    rows = [
        row | {c: factor * row[c] for c in columns if row.get(c) is not None}
        for row in tables[name]
    ]
    return tables | {name: rows}


@given(seed=seeds, factor=st.sampled_from((2, 10, 7)))
@settings(max_examples=15)
def test_only_the_proportions_of_statistics_matter(seed: int, factor: int) -> None:
    """All statistics times 2, 7 or 10; other houses round the multiplier, so without rounding."""
    tables, model = generated(seed)
    model["departments"].pop("rounding", None)
    require_no_change(tables, multiplied(tables, "drivers", factor, "quantity"), model)


def renamed(value: Any, names: dict[str, str]) -> Any:
    """Return a table, row or text with ids renamed."""
    if isinstance(value, list):
        return [renamed(entry, names) for entry in value]
    if isinstance(value, dict):
        return {key: renamed(entry, names) for key, entry in value.items()}
    return names.get(value, value) if isinstance(value, str) else value


@given(seed=seeds)
@settings(max_examples=15)
def test_names_that_keep_their_order_change_nothing_but_names(seed: int) -> None:
    """Cases K0, K1, … become 病K0, 病K1, …, and back in the results."""
    tables, model = generated(seed)
    cases = {row["case_id"] for row in tables["cases"]}
    cases |= {row["case_id"] for row in tables.get("opening_work_in_progress", [])}
    names = {case: f"病{case}" for case in cases}
    found, other = engine(tables, model), engine(renamed(tables, names), model)
    if isinstance(found, list) or isinstance(other, list):
        assert found == other
        return
    back = {new: old for old, new in names.items()}
    assert rows_of(found) == renamed(rows_of(other), back)


def test_every_result_table_has_its_signed_columns() -> None:
    """The mirror image looks at all tables."""
    assert SIGNED.keys() == KEYS.keys()
