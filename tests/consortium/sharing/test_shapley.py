"""The Shapley value and other rules: against twins, by hand, and the laws that define it."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consortium.sharing.twins import game, shapley_over_all_orders, solidarity_by_definition
from medcost.consortium.sharing.cost_models import Steps, listed
from medcost.consortium.sharing.games import Game, GameRefused
from medcost.consortium.sharing.other_values import gately, separable_costs, solidarity, tau
from medcost.consortium.sharing.sampling import sampled_shapley
from medcost.consortium.sharing.shapley import shapley

LARGEST = 4 * 10**17


@st.composite
def values_of(draw: st.DrawFn, n: int | None = None) -> Game:
    """Draw games of 1 to 6 members with values of any size."""
    n = draw(st.integers(1, 6)) if n is None else n
    reach = draw(st.sampled_from([9, 10**9, LARGEST]))
    size = (1 << n) - 1
    found = draw(st.lists(st.integers(-reach, reach), min_size=size, max_size=size))
    return Game(np.array([0, *found], np.int64))


@given(values_of())
def test_shapley_equals_the_mean_over_all_orders(found: Game) -> None:
    """Up to 720 orders, in fractions; and what is handed out is the whole (efficiency)."""
    shares = shapley(found)
    assert shares == shapley_over_all_orders(found)
    assert sum(shares) == found.total


@given(values_of())
def test_solidarity_equals_its_definition(found: Game) -> None:
    """Up to 64 coalitions, in fractions."""
    shares = solidarity(found)
    assert shares == solidarity_by_definition(found)
    assert sum(shares) == found.total


@given(values_of(4), st.integers(0, 3), st.integers(-99, 99))
def test_a_dummy_gets_what_it_brings(found: Game, member: int, worth: int) -> None:
    """A member that adds the same to every coalition gets that."""
    without = np.array([found.values[s & ~(1 << member)] for s in range(16)]) // 2
    with_it = without + np.array([worth * (s >> member & 1) for s in range(16)])
    assert shapley(Game(with_it))[member] == worth


@given(values_of(4))
def test_members_that_add_the_same_get_the_same(found: Game) -> None:
    """Values made the same for 0 and 1: symmetric."""
    swapped = np.array([s & 12 | (s & 1) << 1 | s >> 1 & 1 for s in range(16)])
    same = Game(found.values // 4 + found.values[swapped] // 4)
    shares = shapley(same)
    assert shares[0] == shares[1]


@given(values_of(4), values_of(4))
def test_the_value_of_a_sum_is_the_sum_of_the_values(one: Game, two: Game) -> None:
    """Additivity."""
    half_one, half_two = one.values // 2, two.values // 2
    together = shapley(Game(half_one + half_two))
    parts = zip(shapley(Game(half_one)), shapley(Game(half_two)), strict=True)
    assert together == tuple(a + b for a, b in parts)


def test_twenty_members_with_the_largest_values_are_exact() -> None:
    """c(S) = 4e17 / 20 x |S| in a table of a million values: 2e16 each."""
    from medcost.consortium.sharing.games import sizes

    assert shapley(Game(sizes(20) * (LARGEST // 20))) == (LARGEST // 20,) * 20


def test_separable_costs_by_hand() -> None:
    """c = 60, 50, 40, 12: 80, 13: 85, 23: 70, all 100: last 30, 15, 20, together 65, rest 35.

    Benefits 30, 35, 20, together 85: 30 + 35 x 30/85, 15 + 35 x 35/85, 20 + 35 x 20/85.
    """
    found = separable_costs(game(0, 60, 50, 80, 40, 85, 70, 100, is_cost=True))
    assert found == (Fraction(720, 17), Fraction(500, 17), Fraction(480, 17))


def test_rules_without_an_answer_say_so() -> None:
    """Nobody saves as the last to join, and 20 is left: no benefit to go by; no hope above rest."""
    dear = game(0, 10, 10, 40, is_cost=True)
    for rule, code in ((separable_costs, "no-remaining-benefit"), (tau, "not-quasi-balanced")):
        with pytest.raises(GameRefused) as refused:
            rule(dear)
        assert refused.value.code == code
    flat = game(0, 1, 1, 2, 1, 2, 2, 9)
    assert sum(gately(flat)) == 9
    with pytest.raises(GameRefused) as refused:
        gately(game(0, 1, 1, 3, 1, 3, 3, 4))
    assert refused.value.code == "no-gately-value"
    assert sum(separable_costs(game(0, 9, 9, 18, is_cost=True))) == 18
    with pytest.raises(GameRefused) as refused:
        solidarity(Game(np.where(np.arange(1 << 12) > 0, LARGEST, 0)))
    assert refused.value.code == "amount-out-of-range"


def test_sampled_shares_add_up_and_lie_within_their_stated_error() -> None:
    """12 members of which the exact value is known; 4 standard errors hold for every one."""
    rng = np.random.default_rng(11)
    model = Steps(
        rng.integers(1, 10**6, 12),
        np.array([10**6, 3 * 10**6, 6 * 10**6, 10**8]),
        np.array([5, 9, 14, 20]) * 10**7,
    )
    exact = shapley(listed(model))
    found = sampled_shapley(model, 200, 20260101)
    assert sum(found.shares) == model.total
    assert found.orders == 200 * 24
    for near, share, error in zip(found.shares, exact, found.errors, strict=True):
        assert abs(near - share) <= 4 * error
    # Four times the orders, half the error.
    finer = sampled_shapley(model, 800, 20260101)
    assert max(finer.errors) < 0.7 * max(found.errors)


def test_sampled_shares_of_equal_members_are_nearly_equal_and_repeat() -> None:
    """111 members with the same need: strata by place make them equal to the last fraction."""
    model = Steps(np.full(111, 7, np.int64), np.array([400, 777]), np.array([10**9, 2 * 10**9]))
    found = sampled_shapley(model, 3, 5)
    assert found == sampled_shapley(model, 3, 5)
    assert found.shares == (Fraction(2 * 10**9, 111),) * 111
    assert max(found.errors) == 0
