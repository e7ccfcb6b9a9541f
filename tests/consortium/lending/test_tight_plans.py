"""Plans in which limits, lots and opening debts leave nothing to spare."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from medcost.consortium.lending import goals as goals_module
from medcost.consortium.lending import plan as plan_module
from medcost.consortium.lending.conflict import conflict_faults
from medcost.consortium.lending.goals import Means
from medcost.consortium.lending.leximin import least_largest
from medcost.consortium.lending.plan import make_plan
from medcost.consortium.lending.whole_fen import require_rules
from medcost.consortium.solver import SolverFailure

from .plans import cash, terms

DAYS = [31, 28, 31, 30]
KINDS = ("township", "lead", "lead")
LOTS = {
    "lot": 1_000_000,
    "least_draw": 2_000_000,
    "whole_months": 3,
    "reserve": Fraction("0.05"),
    "deposit_rate": Fraction("0.0115"),
    "cash_rate": Fraction("0.005"),
}


def three_members_in_lots():
    """Two villages and their lead, which owe 5,000 at most, draw in lots and keep a floor."""
    data = cash(
        [[5000, 700, 6100], [4700, 1000, 7700], [-11400, -8600, -7500]],
        [25800, 11600, 15000],
        basic=10_000,
        kinds=("village", "village", "lead"),
        limit=[20_000, 30_000, 20_000],
        bank=[0, 0, 40_000],
        debt=[0, 0, 5000],
        days=DAYS,
    )
    rules = terms(**LOTS | {"pool_floor_months": Fraction(1)})
    return data, rules


def planned(data, rules):
    """The plan of one scenario, its rules held in integers once more."""
    plan = make_plan(data, rules, Means())
    require_rules(data, rules, plan.ledgers[0])
    return plan


def test_fen_kept_back_from_a_repayment_leave_room_for_the_lots_drawn_next():
    """C owes 5,000 of 20,000, repays in January and draws 20,000 in February: to its limit.

    So it must owe nothing at the end of January, though rounding to fen asks for some fen more.
    In March nothing is repaid, and the limit is kept to the fen.
    """
    data, rules = three_members_in_lots()
    debt = planned(data, rules).ledgers[0].debt[2]
    assert debt.tolist() == [0, 2_000_000, 2_000_000]


def test_a_search_for_lots_that_says_there_are_none_is_asked_once_more():
    """The third member cannot draw: 20,000 is its limit, and it owes 10,000 of it.

    It repays nothing: its worst shortfall is what its bank and a month of spending leave missing,
    and its best total is that plan's. The search said that no lots at all keep the worst one.
    """
    data = cash(
        [[3500, -7700, -13100], [10600, 4700, -7200], [-6100, 7600, -2400]],
        [26800, 27500, 10800],
        basic=10_000,
        kinds=("lead", "township", "township"),
        limit=[10_000, 20_000, 20_000],
        debt=[0, 0, 10_000],
        days=DAYS,
    )
    data = replace(data, bridge=np.array([300_000] * 3), outside=np.array([0, 0, 200_000]))
    goals = {goal.name: round(goal.value, 2) for goal in planned(data, terms(**LOTS)).goals}
    assert goals["worst_shortfall"] == 6326.76
    assert goals["total_shortfall"] == 10933.24


@pytest.mark.parametrize(("bank", "fits"), [(0, False), (5999, False), (6000, True)])
def test_lots_that_leave_a_member_without_a_loan_are_told_in_words(bank, fits):
    """A has 4,000 and spends 10,000; it may owe 10,000, and a draw is 20,000 at least.

    So the pool cannot lend it the 6,000 without which its account is overdrawn. A bank could, or a
    limit of 20,000: 10,000 more; 6,000 are the smallest change.
    """
    data = cash(
        [[-10_000], [0]],
        [4000, 100_000],
        basic=10_000,
        kinds=KINDS,
        limit=10_000,
        bank=[bank, 0],
    )
    rules = terms(**LOTS | {"deposit_rate": Fraction(0), "cash_rate": Fraction(0)})
    if fits:
        assert planned(data, rules).ledgers[0].balance[0].tolist() == [0]
        return
    with pytest.raises(SolverFailure, match="infeasible"):
        make_plan(data, rules, Means())
    [fault] = conflict_faults(data, rules)
    assert fault.code == "plan-rules-conflict"
    assert f"The smallest change that is enough is {6000 - bank:,}.00 yuan" in fault.what
    assert fault.where[0] == (
        "draws up to 2026-01 are whole lots of 10,000.00 yuan, 20,000.00 at least"
    )
    assert "the bank limits of all members" in fault.where


def test_lots_of_the_money_goals_are_held_where_the_search_for_fairness_finds_none(monkeypatch):
    """The search is wrong then: an answer is at hand. Money's goals stay as they were."""
    data, rules = three_members_in_lots()
    monkeypatch.setattr(plan_module, "reach_alone", lambda *_: None)
    found = {goal.name: goal.value for goal in planned(data, rules).goals}
    calls = []

    def fails_at_first(*given):
        calls.append(given)
        if len(calls) == 1:
            raise SolverFailure("infeasible", "no lots")
        return least_largest(*given)

    monkeypatch.setattr(goals_module, "least_largest", fails_at_first)
    again = {goal.name: goal.value for goal in planned(data, rules).goals}
    assert len(calls) > 1
    assert found.keys() == again.keys()
    for name, value in found.items():
        if not name.startswith("fairness"):
            assert value == pytest.approx(again[name], abs=0.01)
