"""Generated books for the properties: written once, costed by the engine and by the oracle."""

import copy
import tempfile
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from books import costed
from hypothesis import strategies as st
from oracle.chain import cost_book
from oracle.generated_books import PERIODS, make_book, to_toml
from oracle.refused import Refused

from medcost.errors import InputRejected
from medcost.result_tables import as_written

Row = dict[str, Any]
Tables = dict[str, list[Row]]
Model = dict[str, Any]
Results = dict[str, pa.Table]

LARGEST_YUAN = Decimal(10**18 - 1).scaleb(-2)
MONTH = PERIODS[0]
seeds = st.integers(0, 10**6)


@cache
def _generated(seed: int) -> tuple[Tables, Model]:
    tables, model = make_book(seed)
    if model["service_items"]["method"] == "capacity":
        model["service_items"]["method"] = "weights"
    return tables, model


def generated(seed: int) -> tuple[Tables, Model]:
    """Return a book and its model, free to change; capacity, not built yet, becomes weights."""
    return copy.deepcopy(_generated(seed))


def engine(
    tables: Tables, model: Model, period: str = MONTH, **options: Any
) -> Results | list[str]:
    """Return the engine's result tables, or the sorted codes it refuses the book with."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            result = costed(Path(folder), tables, to_toml(model), period=period, **options)
        except InputRejected as rejected:
            return sorted({fault.code for fault in rejected.faults})
    return {name: as_written(table) for name, table in result.tables.items()}


def engine_at(folder: Path, model: Model, period: str = MONTH, **options: Any) -> Results:
    """Return the engine's result tables of a book that is written already."""
    with tempfile.TemporaryDirectory() as other:
        result = costed(Path(other), folder, to_toml(model), period=period, **options)
    return {name: as_written(table) for name, table in result.tables.items()}


def rows_of(results: Results) -> Tables:
    """Return result tables as rows."""
    return {name: table.to_pylist() for name, table in results.items()}


def oracle(tables: Tables, model: Model, period: str, **options: Any) -> Tables | list[str]:
    """Return the oracle's result tables, or the sorted codes it refuses the book with."""
    try:
        return cost_book(tables, model, period, **options)
    except Refused as refused:
        return refused.codes


def measures_what_is_not_there(tables: Tables, model: Model) -> bool:
    """Say whether the model measures by charges and no line has one: measure-missing."""
    has_charge = any("charge" in row for row in tables["service_lines"])
    return model["service_items"]["method"] == "income" and not has_charge


def moves_too_much(results: Tables) -> bool:
    """Say whether what a unit's departments hand on exceeds a column of money."""
    moved: dict[str, Decimal] = defaultdict(Decimal)
    for row in results["department_flow"]:
        moved[row["unit_id"]] += abs(row["amount"])
    return max(moved.values(), default=Decimal(0)) > LARGEST_YUAN


def accepted(seed: int, suits: Callable[[Tables, Model], bool] | None = None) -> int:
    """Return the first seed from this one on whose book suits and is costed in both months."""
    while True:
        tables, model = generated(seed)
        if suits is None or suits(tables, model):
            found = [engine(tables, model, period) for period in PERIODS]
            if not any(isinstance(one, list) for one in found):
                return seed
        seed += 1


def negated(rows: list[Row], *columns: str) -> list[Row]:
    """Return rows with the sign of some columns turned, where they hold a number."""
    return [row | {c: -row[c] for c in columns if row.get(c) is not None} for row in rows]


def without(rows: list[Row], *columns: str) -> list[Row]:
    """Return rows without some columns."""
    return [{c: value for c, value in row.items() if c not in columns} for row in rows]
