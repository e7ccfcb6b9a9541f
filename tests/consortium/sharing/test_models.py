"""Costs that need no list: closed forms against listed games, prices against plans, searches."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consortium.sharing.twins import shapley_over_all_orders
from medcost.consortium.sharing.core_check import worst_listed, worst_of_model
from medcost.consortium.sharing.cost_models import (
    Alone,
    Largest,
    Steps,
    alone_and_last,
    equal_savings,
    largest_nucleolus,
    largest_shapley,
    listed,
)
from medcost.consortium.sharing.games import GameRefused, members_of
from medcost.consortium.sharing.nucleolus import least_core, nucleolus
from medcost.consortium.sharing.other_values import separable_costs
from medcost.consortium.sharing.production import Production
from medcost.consortium.sharing.shapley import shapley

NEEDS = st.lists(st.integers(0, 40), min_size=1, max_size=6)


def test_an_airport_by_hand() -> None:
    """Needs 12, 18, 30: 12 by three, the next 6 by two, the last 12 by one: 4, 7, 19."""
    model = Largest(np.array([12, 18, 30]))
    assert largest_shapley(model) == (4, 7, 19)
    # 12/2 = 6, 18/3 = 6, 30/3 = 10: the first two keep as much as they pay, 6; then 30 - 12 = 18.
    assert largest_nucleolus(model) == (6, 6, 18)


@given(NEEDS)
def test_closed_forms_of_the_largest_need_equal_the_listed_game(needs: list[int]) -> None:
    """Shapley value and nucleolus, ties and zeros among the needs."""
    model = Largest(np.array(needs, np.int64))
    assert largest_shapley(model) == shapley_over_all_orders(listed(model))
    assert largest_nucleolus(model) == nucleolus(listed(model))


@given(NEEDS, st.integers(0, 100))
def test_closed_form_of_everyone_alone_equals_the_listed_game(own: list[int], total: int) -> None:
    """Shapley value always; with a saving also nucleolus, least core and separable costs."""
    total = total if len(own) > 1 else own[0]
    model = Alone(np.array(own, np.int64), total)
    assert equal_savings(model) == shapley(listed(model))
    if total <= sum(own):
        assert equal_savings(model) == nucleolus(listed(model)) == least_core(listed(model)).shares
        assert equal_savings(model) == separable_costs(listed(model))


@given(NEEDS, st.integers(0, 200), st.data())
def test_the_worst_coalition_of_every_model_is_that_of_its_list(
    sizes_: list[int], total: int, data: st.DataObject
) -> None:
    """Excess by formula, by integer program and by list; of all, and with one member named."""
    n = len(sizes_)
    need = np.array(sizes_, np.int64)
    shares = [Fraction(data.draw(st.integers(-20, 90)), 7) for _ in range(n)]
    steps = Steps(need, np.array([30, 60, 240]), np.array([20, 33, 70]))
    member = data.draw(st.sampled_from([None, 0, n - 1]))
    for model in (Largest(need), Alone(need, total), steps):
        costs = listed(model).values
        found = worst_of_model(model, shares, member)
        if n == 1:
            assert found is None
            continue
        excess = max(
            sum(shares[i] for i in members_of(s)) - int(costs[s])
            for s in range(1, (1 << n) - 1)
            if member is None or s >> member & 1
        )
        assert found is not None
        assert found.excess == excess
        by_list = worst_listed(listed(model), shares, member)
        assert by_list is not None
        assert by_list.excess == excess


def test_of_equally_placed_coalitions_the_smallest_and_first_is_named() -> None:
    """Four members, all pay 1 too much alone and nobody together with another."""
    model = Alone(np.array([5, 5, 5, 5]), 24)
    worst = worst_listed(listed(model), [Fraction(6)] * 4)
    assert worst is not None
    assert (worst.members, worst.excess) == ((0, 1, 2), 3)


def test_costs_of_lists_and_of_chosen_members_agree() -> None:
    """Every coalition of 5 members, listed and chosen."""
    rng = np.random.default_rng(4)
    need = rng.integers(0, 50, 5)
    chosen = (np.arange(32)[:, None] >> np.arange(5) & 1).astype(np.bool_)
    for model in (
        Alone(need, 100),
        Largest(need),
        Steps(need, np.array([60, 500]), np.array([9, 30])),
    ):
        values = listed(model).values
        assert model.costs(chosen[1:]).tolist() == values[1:].tolist()
        alone, last = alone_and_last(model)
        assert (alone, last) == (listed(model).alone, listed(model).last)


TWO_PROCESSES = Production(
    np.array([300, 500]),
    np.array([[10_000, 0], [10_000, 10_000]]),
    np.array([[20_000, 0], [10_000, 30_000], [0, 10_000]]),
)


def test_prices_of_two_processes_by_hand() -> None:
    """Films at 3 yuan, films with a reading at 5; needs 3 films and 4 readings.

    Four readings give four films, one more than needed, so a film is worth nothing: prices 0 and 5,
    cost 20 yuan, shares 0, 15 and 5. Alone the first pays 6, the others 15 and 5.
    """
    assert TWO_PROCESSES.whole == (0, Fraction(500, 10_000))
    assert TWO_PROCESSES.dual_shares() == (0, 1500, 500)
    assert TWO_PROCESSES.certified()
    alone = [TWO_PROCESSES.exact_cost(np.arange(3) == i) for i in range(3)]
    assert alone == [600, 1500, 500]


@given(st.integers(0, 10**6))
def test_no_coalition_pays_more_than_its_own_plan_under_dual_prices(seed: int) -> None:
    """Owen 1975, over all coalitions of 5 members: some bring capacity of their own."""
    rng = np.random.default_rng(seed)
    model = Production(
        rng.integers(0, 90, 4), rng.integers(0, 6, (4, 3)), rng.integers(-3, 9, (5, 3))
    )
    try:
        shares = model.dual_shares()
    except GameRefused:
        return
    assert model.certified()
    assert sum(shares) == model.exact_cost(np.ones(5, np.bool_))
    for coalition in range(1, 31):
        chosen = (coalition >> np.arange(5) & 1).astype(np.bool_)
        try:
            cost = model.exact_cost(chosen)
        except GameRefused:
            continue
        assert sum(share for share, is_in in zip(shares, chosen, strict=True) if is_in) <= cost


def test_requirements_that_no_process_meets_are_refused() -> None:
    """Readings are required and no process gives any."""
    model = Production(np.array([300]), np.array([[10_000, 0]]), np.array([[0, 10_000]]))
    with pytest.raises(GameRefused) as refused:
        model.dual_shares()
    assert refused.value.code == "requirement-not-met"


def test_the_search_among_111_members_finds_who_is_overcharged() -> None:
    """Shares by dual prices, but 30 yuan moved from the last member to the first: excess 30."""
    rng = np.random.default_rng(2)
    model = Production(
        rng.integers(100, 10_000, 8),
        rng.integers(1, 50_000, (8, 5)),
        rng.integers(1, 10**7, (111, 5)),
    )
    shares = list(model.dual_shares())
    worst = worst_of_model(model, shares)
    assert worst is not None
    assert worst.excess <= 0
    shares[0] += 3000
    shares[-1] -= 3000
    worst = worst_of_model(model, shares)
    assert worst is not None
    assert 0 in worst.members
    assert 110 not in worst.members
    assert 2999 < worst.excess <= 3000
