"""Exact sums and the balance that stops a run."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medcost.balance import exact_sums, require_equal
from medcost.errors import InvariantBroken

always_the_same = settings(derandomize=True, deadline=None, database=None, max_examples=200)
FEN = st.one_of(
    st.integers(-9, 9),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([2**63 - 1, -(2**63), 2**32, -(2**32), 2**32 - 1, -1]),
)


@always_the_same
@given(st.lists(st.tuples(st.integers(0, 3), FEN, FEN), max_size=40))
def test_sums_never_wrap(rows: list[tuple[int, int, int]]) -> None:
    """Python's own sums of each group and column; amounts fill all of 64 bits."""
    groups = np.array([group for group, *_ in rows], np.int64)
    fen = np.array([amounts for _, *amounts in rows], np.int64).reshape(-1, 2)
    expected = [
        [sum(row[1 + column] for row in rows if row[0] == group) for column in range(2)]
        for group in range(4)
    ]
    found = exact_sums(groups, fen, 4)
    assert found.tolist() == expected
    assert all(type(value) is int for value in found.flat)


def test_a_thousand_largest_amounts_add_up() -> None:
    """1000 × (2^63 − 1) has 73 bits."""
    fen = np.full((1000, 1), 2**63 - 1)
    assert exact_sums(np.zeros(1000, np.int64), fen, 1).tolist() == [[1000 * (2**63 - 1)]]
    assert exact_sums(np.zeros(1000, np.int64), -fen - 1, 1).tolist() == [[-1000 * 2**63]]


def test_a_group_without_rows_is_zero() -> None:
    none = np.empty(0, np.int64)
    assert exact_sums(none, np.empty((0, 3), np.int64), 2).tolist() == [[0, 0, 0]] * 2
    assert exact_sums(none, np.empty((0, 3), np.int64), 0).shape == (0, 3)
    assert exact_sums(np.array([1]), np.array([[5]]), 3).tolist() == [[0], [5], [0]]


def test_equal_sums_pass_and_the_first_difference_is_named() -> None:
    left = np.array([[1, 2], [3, 10**30]], dtype=object)
    require_equal("pool = items", left, left.copy())
    right = left.copy()
    right[1, 1] += 1
    right[0, 1] = -7
    with pytest.raises(InvariantBroken) as broken:
        require_equal("pool = items", left, right)
    assert str(broken.value) == (
        "pool = items: 2 balances do not tie out; the first, at (0, 1), "
        "has 0.02 yuan on one side and -0.07 on the other"
    )


def test_one_fen_in_ten_quintillion_stops_the_run() -> None:
    """As doubles the two would be equal."""
    left = np.array([[10**19]], dtype=object)
    with pytest.raises(InvariantBroken, match="1 balances do not tie out"):
        require_equal("fact", left, left + 1)


def test_no_sums_are_equal() -> None:
    none = np.empty((0, 7), dtype=object)
    require_equal("fact", none, none)
