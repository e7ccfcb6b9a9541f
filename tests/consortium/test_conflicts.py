"""Rules that cannot all hold: the smallest change, and rows in conflict, of any linear program."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from medcost.consortium.conflicts import bounds_as_rows, conflicting_rows, explain_conflict
from medcost.consortium.solver import LinearProgram, solve


def program(
    rows: list[list[float]],
    row_lower: list[float],
    row_upper: list[float],
    lower: list[float] | None = None,
    upper: list[float] | None = None,
) -> LinearProgram:
    n = len(rows[0])
    return LinearProgram(
        np.zeros(n),
        np.array(lower or [0.0] * n),
        np.array(upper or [np.inf] * n),
        sparse.csr_matrix(np.array(rows, np.float64)),
        np.array(row_lower),
        np.array(row_upper),
    )


INF = np.inf
# x + y at most 10, x at least 6, y at least 7, and x at most 50, which nothing speaks against.
TOO_MUCH = program([[1, 1], [1, 0], [0, 1], [1, 0]], [-INF, 6, 7, -INF], [10, INF, INF, 50])
ALL = np.ones(4, np.bool_)


def test_what_can_be_solved_has_no_conflict() -> None:
    assert explain_conflict(program([[1, 1]], [-INF], [10]), np.ones(1, np.bool_)) is None


def test_the_smallest_change_and_the_rows_in_conflict() -> None:
    """6 + 7 - 10 = 3 are missing, whichever of the three gives; the first of equal ones does."""
    found = explain_conflict(TOO_MUCH, ALL)
    assert found is not None
    assert [3, 0, 0, 0] == found.gives.round(6).tolist()
    assert (0, 1, 2) == found.rows
    assert [3.0, 3.0, 3.0] == [round(alone, 6) for alone in found.alone if alone is not None]


def test_a_row_that_may_not_give_stays_and_is_not_named() -> None:
    found = explain_conflict(TOO_MUCH, np.array([False, False, True, True]))
    assert found is not None
    assert [0, 0, 3, 0] == found.gives.round(6).tolist()
    assert (2,) == found.rows


def test_a_dear_row_gives_last() -> None:
    found = explain_conflict(TOO_MUCH, ALL, np.array([9.0, 9.0, 1.0, 1.0]))
    assert found is not None
    assert [0, 0, 3, 0] == found.gives.round(6).tolist()


def test_where_no_row_may_give_enough_the_conflict_is_looked_for_among_all() -> None:
    found = explain_conflict(TOO_MUCH, np.array([False, False, False, True]))
    assert found is not None
    assert not found.gives.any()
    assert (0, 1, 2) == found.rows
    assert (None, None, None) == found.alone


def test_bounds_become_rows_that_can_be_named() -> None:
    """x from 6, y from 7 to 8: two floors and a ceiling after the row of the sum."""
    one = program([[1, 1]], [-INF], [10], lower=[6, 7], upper=[INF, 8])
    named = bounds_as_rows(one, np.array([True, True]))
    assert ([0, 1, 1], [False, False, True]) == (named.column.tolist(), named.is_upper.tolist())
    found = explain_conflict(named.program, np.ones(4, np.bool_))
    assert found is not None
    assert (0, 1, 2) == found.rows


def test_an_equation_gives_on_either_side() -> None:
    """x + y = 10 and x + y = 14: 4 apart, and the first gives upwards."""
    one = program([[1, 1], [1, 1]], [10, 14], [10, 14])
    found = explain_conflict(one, np.ones(2, np.bool_))
    assert found is not None
    assert [4, 0] == found.gives.round(6).tolist()
    assert (0, 1) == found.rows


def test_two_conflicts_need_both_changes_and_one_of_them_is_named() -> None:
    """x at most 1 and at least 3; y at most 1 and at least 6: 2 + 5 must give."""
    one = program([[1, 0], [1, 0], [0, 1], [0, 1]], [-INF, 3, -INF, 6], [1, INF, 1, INF])
    found = explain_conflict(one, ALL)
    assert found is not None
    assert 7 == round(found.gives.sum(), 6)
    assert found.rows in ((0, 1), (2, 3))
    assert (None, None) == found.alone


def test_integers_are_kept() -> None:
    """2x = 3 has no whole answer; among x >= 1 and x <= 2 nothing else is in the way."""
    one = program([[2.0], [1.0]], [3, 1], [3, 2])
    whole = LinearProgram(
        one.cost, one.lower, one.upper, one.matrix, one.row_lower, one.row_upper,
        np.ones(1, np.bool_),
    )  # fmt: skip
    assert explain_conflict(one, np.ones(2, np.bool_)) is None
    found = explain_conflict(whole, np.ones(2, np.bool_))
    assert found is not None
    assert (0,) == found.rows
    assert 1 == round(found.gives[0], 6)


def test_a_thousand_rows_are_filtered_to_the_two_that_clash() -> None:
    n = 500
    rows = sparse.vstack([sparse.identity(n), sparse.identity(n)], format="csr")
    low, high = np.full(2 * n, -INF), np.full(2 * n, INF)
    low[:n], high[n:] = 1.0, 2.0
    low[77] = 3.0
    one = LinearProgram(np.zeros(n), np.zeros(n), np.full(n, INF), rows, low, high)
    assert [77, n + 77] == conflicting_rows(one, np.ones(2 * n, np.bool_))
    low[77] = 1.0
    solve(LinearProgram(one.cost, one.lower, one.upper, rows, low, high))
