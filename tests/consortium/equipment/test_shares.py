"""Shares by prices: nobody can undercut them, the pool covers the rest, to the fen."""

import dataclasses
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings

from medcost.consortium.equipment.coalitions import cost_alone, most_aggrieved
from medcost.consortium.equipment.plan import find_plan
from medcost.consortium.equipment.prices import (
    Endowments,
    relaxation_prices,
    require_undercut_by_none,
)
from medcost.consortium.equipment.shares import share_cost
from medcost.errors import InvariantBroken

from . import twin
from .problems import problem_of, tiny_problems

# Three villages with 10 examinations each; a device serves 20, costs 60.00 and 1.00 each.
THREE = problem_of(
    {("CT", unit): 10 for unit in "ABC"},
    {("CT", unit): (20, 6_000, 100) for unit in "ABC"},
)


def test_equal_members_pay_alike_and_the_pool_covers_what_whole_devices_cost_beyond():
    """Two devices for 30 examinations: 120.00 + 30.00. Alone each pays 70.00, two together 80.00.

    So no one may be charged more than 40.00 on average; the relaxation opens 1.5 devices:
    90.00 + 30.00 = 120.00, 40.00 each, and 30.00 are the pool's.
    """
    (shares,) = share_cost(find_plan(THREE), "relaxation", "pool", "members")
    assert shares.share_fen.tolist() == [4_000] * 3
    assert (shares.cost_fen, shares.pool_fen) == (15_000, 3_000)
    assert sum(shares.borne_fen.tolist()) == 15_000


def test_where_members_bear_the_rest_two_of_them_would_rather_leave():
    """50.00 each, and two together pay 80.00 alone: 20.00 too much."""
    (shares,) = share_cost(find_plan(THREE), "relaxation", "members", "members")
    assert shares.share_fen.tolist() == [5_000] * 3
    assert (shares.pool_fen, shares.remainder_fen) == (0, 3_000)
    found = most_aggrieved(shares.of, shares.share_fen)
    assert len(found.members) == 2
    assert (found.share_fen, found.alone_fen, found.excess_fen) == (10_000, 8_000, 2_000)


def test_prices_of_the_assignment_recover_what_varies_and_the_rent_of_full_devices():
    """All devices open have room to spare: an examination costs 1.00, fixed cost is the pool's."""
    (shares,) = share_cost(find_plan(THREE), "assignment", "pool", "members")
    assert shares.share_fen.tolist() == [1_000] * 3
    assert shares.pool_fen == 12_000


def test_the_owner_of_a_scarce_cheap_device_is_credited_its_rent():
    """A's device serves 10 for 10.00 and 1.00 each, B's any number for 5.00 each.

    A and B ask for 10 each: A's device is full. The last examination costs 5.00, so B is charged
    50.00; A is charged 50.00 too, less the rent of its device: 50.00 - (10.00 + 10.00) = 30.00.
    """
    problem = problem_of(
        {("CT", "A"): 10, ("CT", "B"): 10},
        {("CT", "A"): (10, 1_000, 100), ("CT", "B"): (100, 0, 500)},
    )
    (shares,) = share_cost(find_plan(problem), "relaxation", "pool", "members")
    assert shares.share_fen.tolist() == [2_000, 5_000]
    assert shares.pool_fen == 0
    assert shares.prices.rent.tolist()[0] == 30_000_000


def test_a_device_that_is_kept_and_not_needed_is_borne_by_its_owner():
    """B keeps one of 50.00 that nobody needs: B's rent is negative, A pays its own 2.00."""
    problem = problem_of(
        {("CT", "A"): 1, ("CT", "B"): 1},
        {("CT", "A"): (5, 0, 200), ("CT", "B"): (5, 5_000, 900, "kept")},
    )
    (shares,) = share_cost(find_plan(problem), "relaxation", "pool", "members")
    assert shares.share_fen.tolist() == [200, 5_200]


def test_members_who_stand_alike_pay_alike_for_each_examination():
    """B and C reach the same device equally near: the same price, whatever they ask for."""
    problem = problem_of(
        {("CT", "A"): 7, ("CT", "B"): 3, ("CT", "C"): 11},
        {("CT", "A"): (30, 10_001, 37)},
        {("B", "A"): 9, ("C", "A"): 12},
    )
    (shares,) = share_cost(find_plan(problem), "relaxation", "pool", "members")
    price = shares.prices.price + shares.prices.surcharge
    assert price[1] == price[2]


def test_the_largest_price_is_least_and_then_the_next():
    """L alone pays for its device: 10 at 11.00. A, B and C share one for 30.00 + 3 x 1.00.

    The dearest price, 11.00, is L's whatever the others pay; of theirs, too, the largest is
    least: 11.00 each, and not 31.00 for one and 1.00 for the two others.
    """
    apart = {(a, b): 50 for a in "LABC" for b in "LABC" if a != b and "L" in (a, b)}
    problem = problem_of(
        {("CT", "L"): 10, ("CT", "A"): 1, ("CT", "B"): 1, ("CT", "C"): 1},
        {("CT", "L"): (10, 10_000, 100), ("CT", "A"): (3, 3_000, 100)},
        apart,
        farthest=30,
    )
    (shares,) = share_cost(find_plan(problem), "relaxation", "pool", "members")
    assert shares.share_fen.tolist() == [1_100, 1_100, 1_100, 11_000]


def test_the_pool_bears_what_nearness_costs_where_the_policy_says_so():
    """V's own device costs 40.00 for 2 examinations, L's is 20 km away and free but for 1.00 each.

    Members who bear it: V pays 42.00. The pool bears it: V is charged what L's would cost, 2.00.
    """
    problem = problem_of(
        {("CT", "V"): 2},
        {("CT", "V"): (5, 4_000, 100), ("CT", "L"): (5, 0, 100)},
        {("V", "L"): 20},
        lead=("L",),
    )
    plan = find_plan(problem)
    (own,) = share_cost(plan, "relaxation", "pool", "members")
    assert (own.share_fen.tolist(), own.pool_fen) == ([0, 4_200], 0)
    (shared,) = share_cost(plan, "relaxation", "pool", "pool")
    assert (shared.share_fen.tolist(), shared.pool_fen) == ([0, 200], 4_000)


@settings(max_examples=40, deadline=None)
@given(tiny_problems())
def test_no_group_is_charged_more_than_it_would_pay_alone(problem):
    """Every group listed, its cost alone by every opening of its own devices; shares to the fen."""
    plan = find_plan(problem)
    both = (share_cost(plan, "relaxation", "pool", bearer) for bearer in ("members", "pool"))
    for shares in chain.from_iterable(both):
        greatest = twin.most_aggrieved(shares.of, shares.share_fen)
        assert greatest is None or greatest <= 0
        assert shares.pool_fen >= 0
        assert sum(shares.share_fen.tolist()) + shares.pool_fen == shares.cost_fen


@settings(max_examples=40, deadline=None)
@given(tiny_problems())
def test_the_most_aggrieved_group_is_the_one_that_a_listing_finds(problem):
    """To a fen for every member, with shares that some would rather not pay."""
    plan = find_plan(problem)
    for shares in share_cost(plan, "relaxation", "members", "members"):
        found = most_aggrieved(shares.of, shares.share_fen)
        greatest = twin.most_aggrieved(shares.of, shares.share_fen)
        if greatest is None:
            assert found is None
            continue
        assert 0 <= greatest - found.excess_fen <= len(problem.unit_ids)
        assert found.alone_fen == twin.cost_alone(shares.of, set(found.members))


@settings(max_examples=40, deadline=None)
@given(tiny_problems())
def test_cost_alone_is_the_least_of_every_opening_of_own_devices(problem):
    """Of each member and of all together; without a budget all together pay the plan's cost."""
    plan = find_plan(problem)
    for shares in share_cost(plan, "assignment", "pool", "members"):
        everybody = range(len(problem.unit_ids))
        for members in [*((unit,) for unit in everybody), tuple(everybody)]:
            found = cost_alone(shares.of, np.array(members, np.int64))
            assert found == twin.cost_alone(shares.of, set(members))
        if problem.budget_fen is None:
            assert found == shares.cost_fen


def test_prices_that_a_group_could_undercut_are_not_published():
    """A price of one step more than the dual allows, with the rents left as they are."""
    plan = find_plan(THREE)
    of = Endowments(THREE.of_type(0).problem, plan.served, plan.served_within)
    prices = relaxation_prices(of)
    require_undercut_by_none(of, prices)
    dearer = dataclasses.replace(prices, price=prices.price + 1)
    with pytest.raises(InvariantBroken, match="undercut"):
        require_undercut_by_none(of, dearer)
