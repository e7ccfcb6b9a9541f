"""Goals in order: each best under those before it, which never give anything up."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from medcost.consortium.solver import Level, SolverFailure, solve, solve_in_order

from .test_solver import INF, bounded_programs, program


def levels_of(*costs):
    """Levels A, B, C from lists of costs."""
    return [Level(chr(65 + i), np.array(cost, float)) for i, cost in enumerate(costs)]


def levels_or_kind(any_program, levels):
    """The levelled answer, or the kind of failure."""
    try:
        return solve_in_order(any_program, levels)
    except SolverFailure as failed:
        return failed.kind


def test_the_second_goal_is_best_on_the_face_of_the_first():
    """x + y ≥ 4 at least cost x + y is the edge from (4, 0) to (0, 4); least y there is (4, 0)."""
    edge = program([0, 0], [[1, 1]], [4], [INF])
    found = solve_in_order(edge, levels_of([1, 1], [0, 1]))
    assert found.values.round(9).tolist() == [4, 0]
    assert [one.name for one in found.levels] == ["A", "B"]
    assert [round(one.value, 9) for one in found.levels] == [4, 0]


def test_a_later_goal_a_million_times_dearer_takes_nothing_from_an_earlier_one():
    """Least x first with x ≥ 1e-3·y and y ≥ 7: then least 1e9·z with z ≥ 100 - 1e6·(x - 0.007).

    Giving up 1e-5 of x would save 1e10 of the second goal. No weight between the two goals that a
    double holds would keep the first; the face does: x = 0.007.
    """
    tempting = program(
        [0, 0, 0],
        [[1, -1e-3, 0], [0, 1, 0], [1e6, 0, 1]],
        [0, 7, 100 + 7000],
        [INF] * 3,
    )
    found = solve_in_order(tempting, levels_of([1, 0, 0], [0, 0, 1e9]))
    assert abs(found.values[0] - 0.007) < 1e-9
    assert abs(found.levels[1].value - 100e9) < 1


def test_fixing_only_what_has_a_price_leaves_the_whole_face():
    """A degenerate corner: x ≤ 1 twice. One of the two rows has the price, the other none.

    Least -x is x = 1 whatever y; the second goal, least -y, still finds y = 5.
    """
    corner = program([0, 0], [[1, 0], [1, 0]], [-INF] * 2, [1, 1], upper=[INF, 5])
    found = solve_in_order(corner, levels_of([-1, 0], [0, -1]))
    assert found.values.round(9).tolist() == [1, 5]


def test_where_whole_numbers_cost_something_the_level_is_held_by_a_ceiling():
    """x + y ≥ 1.5 in whole numbers costs 2, not 1.5; of (2,0), (1,1), (0,2) least y is (2,0)."""
    whole = program([0, 0], [[1, 1]], [1.5], [INF], upper=[9, 9], integer=[True, True])
    found = solve_in_order(whole, levels_of([1, 1], [0, 1]))
    assert found.values.tolist() == [2, 0]
    assert (found.levels[0].value, found.levels[0].relaxed) == (2, 1.5)


@settings(max_examples=60, deadline=None)
@given(bounded_programs(), st.data())
def test_levels_agree_with_rows_that_hold_every_earlier_optimum(any_program, choose):
    """The textbook way, one more row for each level with its optimum, finds the same values."""
    n = len(any_program.cost)
    costs = choose.draw(
        st.lists(st.lists(st.integers(-3, 3), min_size=n, max_size=n), min_size=1, max_size=4)
    )
    found = levels_or_kind(any_program, levels_of(*costs))
    assume(found != "infeasible")
    rows, upper = any_program.matrix.toarray().tolist(), any_program.row_upper.tolist()
    for level, cost in zip(found.levels, costs, strict=True):
        twin = program(cost, rows, [-INF] * len(rows), upper, upper=[10] * n)
        best = solve(twin, solver="glop").objective
        assert abs(level.value - best) <= 1e-5
        assert np.dot(cost, found.values) <= best + 1e-5
        rows, upper = [*rows, cost], [*upper, best + 1e-7]


@settings(max_examples=60, deadline=None)
@given(bounded_programs(), st.data())
def test_levels_of_whole_numbers_agree_with_listing_every_point(any_program, choose):
    """Up to three variables from 0 to 3: all 64 points, compared as tuples of their levels."""
    n = len(any_program.cost)
    assume(n <= 3)
    costs = choose.draw(
        st.lists(st.lists(st.integers(-3, 3), min_size=n, max_size=n), min_size=1, max_size=3)
    )
    rows = any_program.matrix.toarray()
    whole = program(
        [0] * n,
        rows,
        any_program.row_lower,
        any_program.row_upper,
        upper=[3] * n,
        integer=[True] * n,
    )
    points = [
        point
        for point in itertools.product(range(4), repeat=n)
        if (rows @ np.array(point) <= any_program.row_upper).all()
    ]
    if not points:
        with pytest.raises(SolverFailure):
            solve_in_order(whole, levels_of(*costs))
        return
    found = solve_in_order(whole, levels_of(*costs))
    best = min(tuple(int(np.dot(cost, point)) for cost in costs) for point in points)
    assert tuple(round(one.value, 6) for one in found.levels) == best
    assert tuple(int(np.dot(cost, found.values)) for cost in costs) == best


def test_levels_of_a_program_without_an_answer_fail_by_kind():
    """The first level already has none."""
    with pytest.raises(SolverFailure) as failed:
        solve_in_order(program([0], [[1]], [2], [INF], upper=[1]), levels_of([1]))
    assert failed.value.kind == "infeasible"
