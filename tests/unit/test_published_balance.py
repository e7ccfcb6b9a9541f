"""The writer's door: a matrix that does not add up to its groups is not published."""

from pathlib import Path

import pyarrow as pa
import pytest
from books import book, costed, items, line, model, stay

from medcost.errors import InvariantBroken
from medcost.published_balance import require_published_balance


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, pa.Table]:
    """Return the tables of K in G, 12.00 in the ward, and L in H, 6.00 there and 5.00 in D."""
    lines = [line("C", "a", "K", 2), line("C", "a", "L"), line("D", "a", "L")]
    result = costed(
        tmp_path,
        book({"C": "clinical", "D": "medtech"}, {"C": 18, "D": 5}, {}, items(a=1), lines,
             cases=[stay("K"), stay("L", "H")]),
        model(cases="drg_matrix = true"),
    )  # fmt: skip
    return dict(result.tables)


def with_column(table: pa.Table, name: str, values: list[object]) -> pa.Table:
    """Return the matrix with another column, text as a dictionary."""
    column = pa.array(values, pa.string()).dictionary_encode()
    return table.set_column(table.column_names.index(name), name, column)


def with_amounts(table: pa.Table, *fen: int) -> pa.Table:
    """Return the matrix with other amounts."""
    words = pa.array(fen, pa.int64()).buffers()
    column = pa.Array.from_buffers(table["amount"].type, len(fen), words)
    return table.set_column(table.column_names.index("amount"), "amount", column)


def test_a_matrix_that_adds_up_to_its_groups_passes(tables: dict[str, pa.Table]) -> None:
    rows = tables["drg_matrix"].select(["drg_id", "service_group"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("G", "clinical"), ("H", "clinical"), ("H", "medtech"),
    ]  # fmt: skip
    require_published_balance(tables)


def test_a_fen_that_moves_between_service_groups_of_a_group_is_not_seen_here(
    tables: dict[str, pa.Table],
) -> None:
    """The door knows sums: 12.00 · 6.01 + 4.99."""
    tables["drg_matrix"] = with_amounts(tables["drg_matrix"], 1200, 601, 499)
    require_published_balance(tables)


def test_a_fen_that_moves_to_another_group_is_refused(tables: dict[str, pa.Table]) -> None:
    tables["drg_matrix"] = with_amounts(tables["drg_matrix"], 1201, 599, 500)
    with pytest.raises(InvariantBroken, match=r"unit U, group G, staff: 12\.01 and 12\.00 yuan"):
        require_published_balance(tables)


def test_a_group_without_a_row_is_refused(tables: dict[str, pa.Table]) -> None:
    tables["drg_matrix"] = tables["drg_matrix"].slice(1)
    with pytest.raises(InvariantBroken, match=r"group G, staff: 0\.00 and 12\.00 yuan"):
        require_published_balance(tables)


@pytest.mark.parametrize(("name", "value"), [("drg_id", "X"), ("element", "luck")])
def test_a_row_of_no_group_or_element_is_refused(
    tables: dict[str, pa.Table], name: str, value: str
) -> None:
    values = tables["drg_matrix"][name].to_pylist()
    tables["drg_matrix"] = with_column(tables["drg_matrix"], name, [*values[:-1], value])
    with pytest.raises(InvariantBroken, match="a row of none of them"):
        require_published_balance(tables)
