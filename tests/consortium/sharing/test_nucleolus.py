"""Nucleolus, least core and equal profit: by hand, against a twin, and what no game may break."""

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consortium.sharing.twins import game, nucleolus_by_asking_each_coalition, random_game
from medcost.consortium.sharing.core_check import worst_listed
from medcost.consortium.sharing.exact_program import Row, _Basis
from medcost.consortium.sharing.games import Game, GameRefused, sizes
from medcost.consortium.sharing.nucleolus import (
    equal_profit,
    least_core,
    nucleolus,
    per_capita_nucleolus,
    prenucleolus,
)

ZERO_DUAL = game(0, 3, 1, 6, 1, 5, 5, 9)


def test_a_coalition_tight_with_a_zero_multiplier_is_not_held() -> None:
    """v(1) = 3, v(2) = v(3) = 1, v(12) = 6, v(13) = v(23) = 5, v(123) = 9.

    {1} and {2, 3} share 9 - 3 - 5 = 1: 1/2 each, so x1 = 3.5 and x2 + x3 = 5.5. Then {1, 2} has
    x2 - 2.5 and {1, 3} has x3 - 1.5, together 1.5: 3/4 each, so x2 = 3.25 and x3 = 2.25. In the
    first program (3.5, 3, 2.5) is optimal, too, with {1, 2} tight there at 1/2.
    """
    assert nucleolus(ZERO_DUAL) == (Fraction(7, 2), Fraction(13, 4), Fraction(9, 4))


def test_holding_what_is_merely_tight_gives_another_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """The known mistake: all rows of the basis held, whatever their multiplier."""

    def every_tight_row(basis: _Basis) -> tuple[Row, ...]:
        return tuple(
            row for i, row in enumerate(basis.rows) if row is not None and not basis.is_free[i]
        )

    monkeypatch.setattr(_Basis, "positive", every_tight_row)
    assert nucleolus(ZERO_DUAL) == (Fraction(7, 2), Fraction(3), Fraction(5, 2))


@pytest.mark.parametrize("seed", range(12))
def test_nucleolus_equals_the_twin(seed: int) -> None:
    """Games of 2 to 4 members with small and with negative values, many of them with ties."""
    rng = np.random.default_rng(seed)
    for n, low, high in ((2, 0, 9), (3, 0, 9), (3, -5, 5), (4, 0, 4), (4, -9, 9)):
        found = random_game(rng, n, low, high)
        exact = np.array([float(share) for share in nucleolus(found)])
        assert np.abs(exact - nucleolus_by_asking_each_coalition(found)).max() < 1e-4
        weighed = np.array([float(share) for share in per_capita_nucleolus(found)])
        twin = nucleolus_by_asking_each_coalition(found, sizes(n).astype(float))
        assert np.abs(weighed - twin).max() < 1e-4


def test_one_member_bears_all_and_two_share_the_saving() -> None:
    """c(1) = 70, c(2) = 50, c(12) = 100: the saving of 20 is 10 each."""
    assert nucleolus(game(0, 70, is_cost=True)) == (70,)
    assert least_core(game(0, 70, is_cost=True)).shares == (70,)
    assert equal_profit(game(0, 70, is_cost=True)).shares == (70,)
    two = game(0, 70, 50, 100, is_cost=True)
    assert nucleolus(two) == prenucleolus(two) == least_core(two).shares == (60, 40)
    assert least_core(two).epsilon == -10
    # 100 / 120 of the cost alone.
    assert equal_profit(two).shares == (Fraction(175, 3), Fraction(125, 3))
    assert equal_profit(two).spread == 0


def test_a_game_without_imputations_is_refused_and_has_a_prenucleolus() -> None:
    """c(1) = c(2) = 10 and c(12) = 26: alone they cost 6 less; 13 each, were they made to join."""
    dear = game(0, 1000, 1000, 2600, is_cost=True)
    with pytest.raises(GameRefused, match=r"alone cost 6\.00 yuan less than together") as refused:
        nucleolus(dear)
    assert refused.value.code == "no-imputation"
    assert prenucleolus(dear) == (1300, 1300)
    assert least_core(dear).epsilon == 300


def test_nucleolus_and_prenucleolus_differ_where_a_member_would_pay_more_than_alone() -> None:
    """v(1) = 0, v(23) = 10, v(123) = 8, others 0: the prenucleolus takes from member 1."""
    found = game(0, 0, 0, 0, 0, 0, 10, 8)
    assert prenucleolus(found)[0] < 0
    assert nucleolus(found) == (0, 4, 4)


def test_an_empty_core_has_a_positive_epsilon() -> None:
    """Three members, any two worth 1 together: 2/3 each two, 1/3 short; 1/3 each."""
    majority = game(0, 0, 0, 3, 0, 3, 3, 3)
    assert least_core(majority).epsilon == 1
    assert nucleolus(majority) == least_core(majority).shares == (1, 1, 1)


def test_equal_profit_stays_in_the_core() -> None:
    """c = 10, 10, 10; {1, 2} costs 8, other pairs 20, all 20.

    Equal shares of 20 / 3 would charge {1, 2} more than 8. In the core x1 + x2 <= 8, so x3 >= 12 >
    c(3): x3 <= 10 rules that out, the core is empty; with c(123) = 18 it is x = (4, 4, 10).
    """
    found = equal_profit(game(0, 10, 10, 8, 10, 20, 20, 18, is_cost=True))
    assert found.shares == (4, 4, 10)
    assert (found.epsilon, found.spread) == (0, Fraction(6, 10))
    assert equal_profit(game(0, 10, 10, 8, 10, 20, 20, 20, is_cost=True)).epsilon == 1


def test_equal_profit_needs_costs_alone() -> None:
    """Savings are compared with what they are savings of."""
    for values in ((0, 0, 0, 0), (0, -5, 9, 3)):
        with pytest.raises(GameRefused) as refused:
            equal_profit(game(*values, is_cost=True))
        assert refused.value.code == "stand-alone-not-positive"


@st.composite
def games(draw: st.DrawFn) -> Game:
    """Draw cost games of 1 to 5 members, small numbers or near the largest."""
    n = draw(st.integers(1, 5))
    scale = draw(st.sampled_from([1, 10**15]))
    size = 1 << n
    values = draw(st.lists(st.integers(-20, 60), min_size=size - 1, max_size=size - 1))
    return Game(np.array([0, *values], np.int64) * scale, is_cost=True)


@given(games())
def test_prenucleolus_is_in_the_least_core(found: Game) -> None:
    """The largest excess of a proper coalition is epsilon, for both points, exactly."""
    least = least_core(found)
    for shares in (prenucleolus(found), least.shares):
        assert sum(shares) == found.total
        worst = worst_listed(found, shares)
        if worst is not None:
            assert worst.excess == least.epsilon


@given(games())
def test_nucleolus_is_an_imputation_and_in_the_core_where_there_is_one(found: Game) -> None:
    """No member pays more than alone; no coalition does if epsilon is not above zero."""
    if sum(found.alone) < found.total:
        return
    shares = nucleolus(found)
    assert all(share <= alone for share, alone in zip(shares, found.alone, strict=True))
    if found.n > 1 and least_core(found).epsilon <= 0:
        assert shares == prenucleolus(found)


@given(games(), st.randoms())
def test_the_order_of_members_changes_nothing(found: Game, random: st.DataObject) -> None:
    """Members renumbered: the same share for each of them."""
    n = found.n
    order = random.choice(list(permutations(range(n))))  # type: ignore[attr-defined]
    values = np.zeros_like(found.values)
    for coalition in range(1 << n):
        moved = sum(1 << order[i] for i in range(n) if coalition >> i & 1)
        values[moved] = found.values[coalition]
    other = Game(values, is_cost=True)
    for rule in (prenucleolus, lambda one: least_core(one).shares):
        shares, again = rule(found), rule(other)
        assert tuple(again[order[i]] for i in range(n)) == shares
    if min(found.alone) > 0:
        shares, again = equal_profit(found).shares, equal_profit(other).shares
        assert tuple(again[order[i]] for i in range(n)) == shares


def test_twenty_members_are_within_reach() -> None:
    """20 equal members and one saving in a million coalitions: equal shares, exactly."""
    count = sizes(20)
    found = Game(np.where(count > 0, 1000 + 90 * count, 0).astype(np.int64), is_cost=True)
    assert nucleolus(found) == (Fraction(2800, 20),) * 20
