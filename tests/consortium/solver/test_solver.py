"""Programs solved alone: the optimum, its prices, and every way to have no answer by name."""

import dataclasses
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from medcost.consortium.solver import LinearProgram, SolverFailure, _nothing_printed, solve

INF = np.inf


def program(cost, rows, row_lower, row_upper, lower=None, upper=None, integer=None):
    """A program from lists: variables from 0 up where nothing is said."""
    n = len(cost)
    return LinearProgram(
        np.array(cost, float),
        np.zeros(n) if lower is None else np.array(lower, float),
        np.full(n, INF) if upper is None else np.array(upper, float),
        csr_matrix(np.array(rows, float).reshape(-1, n)),
        np.array(row_lower, float),
        np.array(row_upper, float),
        None if integer is None else np.array(integer, bool),
    )


SMALL = program([-3, -2], [[1, 1], [1, 3]], [-INF, -INF], [4, 6])


@pytest.mark.parametrize("solver", ["highs", "glop"])
def test_a_price_is_what_one_more_unit_of_the_row_adds(solver):
    """Most 3x + 2y under x + y ≤ 4, x + 3y ≤ 6: x = 4, y = 0; 5 in the first row give 15.

    So the first row's price is -3 (of a least cost), the second's 0, and y would cost 1 each.
    HiGHS through ModelSolverHelper says 4 and 4 here, the rows' activities.
    """
    found = solve(SMALL, solver=solver)
    assert found.values.round(9).tolist() == [4, 0]
    assert round(found.objective, 9) == -12
    assert found.duals.round(9).tolist() == [-3, 0]
    assert found.reduced_costs.round(9).tolist() == [0, 1]


def test_an_integer_program_gives_whole_numbers_and_no_prices():
    """2x + 2y ≤ 5 holds two whole units, both of x."""
    found = solve(program([-3, -2], [[2, 2]], [-INF], [5], integer=[True, True]))
    assert found.values.tolist() == [2, 0]
    assert np.isnan(found.duals).all()
    assert np.isnan(found.reduced_costs).all()


def test_an_integer_program_is_solved_to_the_end_and_not_to_a_gap():
    """1,000,000 x + y with x + 0.6 y ≥ 2.7 whole: 2x and 2y cost 2,000,002; a gap of 1e-4 is 200.

    The twin lists every pair.
    """
    best = min(1e6 * x + y for x in range(4) for y in range(6) if x + 0.6 * y >= 2.7 - 1e-9)
    found = solve(program([1e6, 1], [[1, 0.6]], [2.7], [INF], upper=[3, 5], integer=[True, True]))
    assert found.objective == best


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        ("infeasible", program([1], [[1]], [2], [INF], upper=[1])),
        ("infeasible", program([1], [[1]], [-INF], [INF], lower=[1], upper=[0])),
        ("infeasible", program([1], [[1]], [3], [2])),
        ("infeasible", program([1, 1], [[2, 2]], [3], [3], integer=[True, True])),
        ("unbounded", program([-1], [[1]], [0], [INF])),
        ("numerical", program([np.nan], [[1]], [0], [INF])),
        ("numerical", program([1], [[np.inf]], [0], [INF])),
        ("numerical", program([1], [[1]], [np.nan], [INF])),
    ],
)
def test_a_program_without_an_answer_is_named_by_its_kind(kind, bad):
    """Infeasible rows, crossed bounds, parity, no end, and what is not a number."""
    with pytest.raises(SolverFailure) as failed:
        solve(bad)
    assert failed.value.kind == kind
    assert f"({kind})" in str(failed.value)


@pytest.mark.parametrize("whole", [False, True])
def test_a_limit_of_time_that_is_reached_is_named_and_gives_no_answer(whole):
    """A knapsack of 60 things under 30 rows, and its relaxation of 600, in a microsecond."""
    rng = np.random.default_rng(1)
    n = 60 if whole else 600
    rows = rng.integers(1, 100, (n // 2, n)).astype(float)
    hard = program(
        -rng.random(n),
        rows,
        np.full(n // 2, -INF),
        rows.sum(axis=1) / 2,
        upper=np.ones(n),
        integer=np.full(n, whole),
    )
    with pytest.raises(SolverFailure) as failed:
        solve(hard, seconds=1e-6)
    assert failed.value.kind == "time"


def test_coefficients_that_the_solver_drops_are_not_an_answer():
    """1e-30 x ≥ 1 has the answer 1e30, which no solver of doubles finds: refused, not guessed."""
    with pytest.raises(SolverFailure) as failed:
        solve(program([1], [[1e-30]], [1], [INF], upper=[1e30]))
    assert failed.value.kind in {"infeasible", "numerical"}


def test_a_program_of_nothing_is_solved():
    """No variable, no row: the objective is 0. One variable and no row: its bound."""
    empty = LinearProgram(*(np.zeros(0),) * 3, csr_matrix((0, 0)), *(np.zeros(0),) * 2)
    assert solve(empty).objective == 0
    lone = program([-1], [], [], [], upper=[5])
    assert solve(lone).values.tolist() == [5]
    assert solve(lone).reduced_costs.tolist() == [-1]


def test_a_gap_that_is_allowed_is_not_exceeded():
    """3x + 3y + 3z + 2w with 2x + 2y + 2z + w ≥ 5: least is 2 of the threes and w, 8.

    With a gap of 2 an answer of 8 to 10 will do, and nothing above.
    """
    costs, rows = [3, 3, 3, 2], [[2, 2, 2, 1]]
    whole = program(costs, rows, [5], [INF], upper=[1] * 4, integer=[True] * 4)
    assert solve(whole).objective == 8
    assert 8 <= solve(dataclasses.replace(whole, gap=2.0)).objective <= 10


def test_what_a_solver_prints_by_itself_is_not_on_standard_output(capfd):
    """HiGHS 1.11 in OR-Tools prints a line of its inner workings on some programs."""
    with _nothing_printed(dataclasses.replace(SMALL, integer=np.array([True, False]))):
        os.write(1, b"from the solver")
    os.write(1, b"the result")
    assert capfd.readouterr().out == "the result"


def test_lengths_that_differ_are_refused():
    """Two costs and one column."""
    with pytest.raises(ValueError, match="differ in length"):
        LinearProgram(np.zeros(2), np.zeros(1), np.zeros(1), csr_matrix((0, 1)), *[np.zeros(0)] * 2)


def test_entries_that_stand_twice_are_added():
    """x written twice in a row is 2x."""
    twice = csr_matrix((np.ones(2), np.array([0, 0]), np.array([0, 2])), shape=(1, 1))
    found = solve(
        LinearProgram(
            np.ones(1), np.zeros(1), np.full(1, 9.0), twice, np.full(1, 6.0), np.full(1, INF)
        )
    )
    assert found.values.tolist() == [3]


@st.composite
def bounded_programs(draw):
    """Up to 6 variables between 0 and 10, up to 5 rows of small whole numbers."""
    n, m = draw(st.integers(1, 6)), draw(st.integers(0, 5))
    small = st.integers(-5, 5)
    cost = draw(st.lists(small, min_size=n, max_size=n))
    rows = draw(st.lists(st.lists(small, min_size=n, max_size=n), min_size=m, max_size=m))
    upper = draw(st.lists(st.integers(-10, 40), min_size=m, max_size=m))
    return program(cost, rows, [-INF] * m, upper, upper=[10] * n)


@settings(max_examples=60, deadline=None)
@given(bounded_programs())
def test_highs_glop_and_scipy_find_the_same_optimum(any_program):
    """The objective agrees, or all three say that there is no answer; twice the same bits."""
    rival = linprog(
        any_program.cost,
        A_ub=any_program.matrix if any_program.matrix.shape[0] else None,
        b_ub=any_program.row_upper if any_program.matrix.shape[0] else None,
        bounds=(0, 10),
    )
    for solver in ("highs", "glop"):
        if rival.status == 2:
            with pytest.raises(SolverFailure) as failed:
                solve(any_program, solver=solver)
            assert failed.value.kind == "infeasible"
            continue
        found = solve(any_program, solver=solver)
        assert abs(found.objective - rival.fun) <= 1e-6
        assert found.values.tobytes() == solve(any_program, solver=solver).values.tobytes()
        # The bounds' prices and the rows' add up to the objective: strong duality.
        bound = np.where(found.reduced_costs > 0, any_program.lower, any_program.upper)
        rows = np.where(found.duals < 0, any_program.row_upper, 0)
        dual = found.reduced_costs @ bound + found.duals @ rows
        assert abs(dual - found.objective) <= 1e-6
