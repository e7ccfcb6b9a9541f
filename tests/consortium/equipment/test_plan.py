"""The plan: goals in order, in whole numbers, against every opening listed."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings

from medcost.consortium.equipment.plan import EquipmentPlan, find_plan, require_plan
from medcost.consortium.equipment.rules import (
    find_broken_budget,
    find_broken_rules,
    unserved_reasons,
)
from medcost.consortium.equipment.what_if import what_ifs
from medcost.errors import InvariantBroken

from . import twin
from .problems import problem_of, tiny_problems


def opened(plan):
    """The units where a device is opened, by type."""
    problem = plan.problem
    return [
        (problem.type_ids[problem.device_type[j]], problem.unit_ids[problem.device_unit[j]])
        for j in np.flatnonzero(plan.is_open)
    ]


def test_two_clinics_share_the_device_that_costs_less_together():
    """A and B each need 10; a device at A costs 100.00 + 1.00 each, one at B 90.00 + 2.00 each.

    Together at A: 100 + 20 = 120.00; at B: 90 + 40 = 130.00; both: more than 190.00.
    """
    plan = find_plan(
        problem_of(
            {("CT", "A"): 10, ("CT", "B"): 10},
            {("CT", "A"): (20, 10_000, 100), ("CT", "B"): (20, 9_000, 200)},
        )
    )
    assert opened(plan) == [("CT", "A")]
    assert plan.levels == (0, 0, 0, 12_000, 0)


def test_access_of_grassroots_members_comes_before_cost():
    """V is 20 km from the lead's device: its own, at ten times the cost, is opened for 3 of them.

    At the lead everything would cost 10.00 + 8 x 0.10; V's own costs 100.00 more.
    """
    devices = {("CT", "L"): (100, 1_000, 10), ("CT", "V"): (100, 10_000, 10)}
    apart = {("V", "L"): 20, ("L", "V"): 20}
    plan = find_plan(problem_of({("CT", "L"): 5, ("CT", "V"): 3}, devices, apart, lead=("L",)))
    assert ("CT", "V") in opened(plan)
    assert plan.levels[:2] == (0, 0)


def test_the_lead_waits_where_capacity_does_not_do_for_all():
    """6 places, 4 asked for by a village and 5 by the lead: 3 of the lead's are not made."""
    plan = find_plan(
        problem_of({("CT", "L"): 5, ("CT", "V"): 4}, {("CT", "L"): (6, 1_000, 10)}, lead=("L",))
    )
    assert plan.levels[:3] == (0, 0, 3)
    assert unserved_reasons(plan) == ["capacity", None]


def test_of_equal_plans_the_one_with_the_first_device_is_chosen():
    """A and B are the same in everything: A."""
    same = (10, 1_000, 10)
    plan = find_plan(problem_of({("CT", "C"): 10}, {("CT", "A"): same, ("CT", "B"): same}))
    assert opened(plan) == [("CT", "A")]


def test_a_device_that_is_kept_stays_open_without_an_examination():
    """The kept one at B costs 50.00 whether it is used or not, and 9.00 an examination."""
    plan = find_plan(
        problem_of({("CT", "A"): 1}, {("CT", "A"): (5, 1, 1), ("CT", "B"): (5, 5_000, 900, "kept")})
    )
    assert opened(plan) == [("CT", "A"), ("CT", "B")]
    assert plan.levels[3] == 5_000 + 1 + 1


def test_examinations_are_not_made_where_nothing_is_near_enough_or_affordable():
    """CT: none within 30 km of A. US: 20.00 is more than the budget of 10.00."""
    plan = find_plan(
        problem_of(
            {("CT", "A"): 2, ("US", "A"): 3},
            {("CT", "B"): (5, 100, 1), ("US", "A"): (5, 2_000, 1)},
            {("A", "B"): 40},
            farthest=30,
            budget=1_000,
        )
    )
    assert plan.levels == (5, 5, 0, 0, 0)
    assert unserved_reasons(plan) == ["too_far", "budget"]


def test_every_type_is_planned_within_one_budget():
    """10.00 pay for one of two devices of 8.00: the one that serves 7, not 3."""
    plan = find_plan(
        problem_of(
            {("CT", "A"): 3, ("US", "A"): 7},
            {("CT", "A"): (9, 800, 1), ("US", "A"): (9, 800, 1)},
            budget=1_000,
        )
    )
    assert opened(plan) == [("US", "A")]
    assert plan.levels[0] == 3


@settings(max_examples=60, deadline=None)
@given(tiny_problems())
def test_no_opening_and_no_placing_is_better_in_the_order_of_goals(problem):
    """The twin lists every opening and places whole examinations in every way."""
    plan = find_plan(problem)
    require_plan(plan)
    assert plan.levels == twin.best_goals(problem)


@settings(max_examples=30, deadline=None)
@given(tiny_problems())
def test_a_device_turned_round_changes_what_the_twin_says(problem):
    """Without a budget, or with what the other types leave of it."""
    plan = find_plan(problem)
    for found in what_ifs(plan):
        part = problem.of_type(int(problem.device_type[found.device]))
        left = problem.budget_fen
        if left is not None:
            left -= int(plan.fixed_fen.sum() - plan.fixed_fen[part.devices].sum())
        own = problem.part(part.demands, part.devices, left).problem
        place = part.devices.tolist().index(found.device)
        free = _without_keeping(own, place)
        openings = [o for o, _ in twin.openings(free) if o[place] != plan.is_open[found.device]]
        goals = [twin.best_goals(free, chosen) for chosen in openings]
        if not goals:
            assert found.cost_fen is None
            continue
        then = twin.best_goals(own, tuple(plan.is_open[part.devices].tolist()))
        unserved, beyond, others, fen = (
            a - b for a, b in zip(min(goals)[:4], then[:4], strict=True)
        )
        assert found.grassroots_unserved == unserved
        assert found.grassroots_beyond == beyond - unserved
        assert (found.others_unserved, found.cost_fen) == (others, fen)


def _without_keeping(problem, place):
    """The problem in which one device may be closed, whether it is kept or not."""
    kept = problem.is_kept.copy()
    kept[place] = False
    return dataclasses.replace(problem, is_kept=kept)


def test_a_rule_out_of_reach_says_what_is_reachable_and_the_least_budget():
    """A asks for 10 and B for 10; each device costs 8.00 and serves its own village only.

    With 10.00 one is opened: 10 of 20. 80 % is 16, for which both are needed: 16.00.
    """
    plan = find_plan(
        problem_of(
            {("CT", "A"): 10, ("CT", "B"): 10},
            {("CT", "A"): (10, 800, 1), ("CT", "B"): (10, 800, 1)},
            {("A", "B"): 50, ("B", "A"): 50},
            farthest=30,
            budget=1_000,
        )
    )
    (broken,) = find_broken_rules(plan, Fraction(4, 5), Fraction(0))
    assert broken.rule == "served_at_least"
    assert (broken.needed, broken.reachable, broken.asked) == (16, 10, 20)
    assert broken.budget_fen == 1_600
    (broken,) = find_broken_rules(plan, Fraction(1, 2), Fraction(4, 5))
    assert (broken.rule, broken.budget_fen) == ("within_at_least", 1_600)


def test_kept_devices_dearer_than_the_budget_are_found_before_anything_is_solved():
    """50.00 are kept and 10.00 allowed."""
    broken = find_broken_budget(
        problem_of({("CT", "A"): 1}, {("CT", "A"): (5, 5_000, 1, "kept")}, budget=1_000)
    )
    assert (broken.needed, broken.reachable, broken.budget_fen) == (5_000, 1_000, 5_000)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"examined": [11]}, "more examinations"),
        ({"is_open": [False]}, "more than its capacity"),
        ({"examined": [9]}, "goals"),
        ({"budget": 5}, "exceed the budget"),
    ],
)
def test_a_plan_that_breaks_a_rule_is_not_published(change, what):
    """10 examinations on one device of 10 for 8.00; each part of it spoilt in turn."""
    problem = problem_of(
        {("CT", "A"): 10}, {("CT", "A"): (10, 800, 1)}, budget=change.get("budget", 1_000)
    )
    plan = EquipmentPlan(
        problem,
        np.array(change.get("is_open", [True])),
        np.array(change.get("examined", [10]), np.int64),
        (0, 0, 0, 810, 0),
    )
    with pytest.raises(InvariantBroken, match=what):
        require_plan(plan)
