"""What one more yuan is worth: a dual, and the goal solved again with more and less room."""

from fractions import Fraction

import numpy as np
import pytest

from medcost.consortium.lending import prices
from medcost.consortium.lending.audit import audit_priority
from medcost.consortium.lending.goals import Means
from medcost.consortium.lending.plan import make_plan
from medcost.consortium.lending.prices import binding_rules
from medcost.consortium.solver import SolverFailure

from .plans import cash, terms

RULES = terms(pool_floor_months=Fraction(3, 2), reserve=Fraction("0.05"))


def test_a_yuan_of_a_limit_that_binds_is_worth_a_yuan_of_unmet_need():
    """A lacks 100, may owe 60 and bridges 40: one more yuan of limit, one less of unmet need.

    Ten yuan more: 30. Ten less: 50, and 100 more of the pool's floor touch nothing.
    """
    data = cash([[-100], [0]], [100, 900], kinds=("village", "lead"), limit=60, bank=50)
    rules = terms(lot=1_000, least_draw=1_000, whole_months=0)
    plan = make_plan(data, rules, Means())
    [limit] = [
        one
        for one in binding_rules(data, rules, plan.model, plan.reached, Means(), 9)
        if one.rule == "loan_limit"
    ]
    assert (limit.member, limit.goal) == (0, "unmet_grassroots")
    assert abs(limit.price - 1) < 1e-9
    assert (round(limit.more, 6), round(limit.less, 6)) == (30, 50)


def test_nothing_binds_where_everybody_has_enough():
    """Accounts far above their floors: no rule has a price."""
    data = cash([[0, 0], [0, 0]], [900, 900], kinds=("village", "lead"))
    plan = make_plan(data, terms(), Means())
    assert binding_rules(data, terms(), plan.model, plan.reached, Means(), 9) == []


@pytest.mark.parametrize("seed", range(15))
def test_a_goal_solved_again_never_falls_by_more_than_the_price_of_the_room(seed, monkeypatch):
    """The value of a least cost is convex in its bounds, and near by it is the price.

    A fen's thousandth of the goals' size is left to the solver.
    """
    monkeypatch.setattr(prices, "STEP", 100)
    rng = np.random.default_rng(seed)
    data = cash(
        rng.integers(-120, 80, (3, 3)), rng.integers(90, 200, 3), limit=120, bank=[90, 90, 300]
    )
    try:
        plan = make_plan(data, RULES, Means())
    except SolverFailure as failed:
        assert failed.kind == "infeasible"  # noqa: PT017
        return
    values = {goal.name: goal.value for goal in plan.goals}
    for one in binding_rules(data, RULES, plan.model, plan.reached, Means(), 99):
        assert one.step == 100
        if one.more is not None:
            assert one.more >= values[one.goal] - one.price - 1e-3
        if one.less is not None:
            assert one.less >= values[one.goal] + one.price - 1e-3


@pytest.mark.parametrize("seed", range(30))
def test_every_unmet_need_has_a_reason(seed):
    """The audit finds one in each plan, or stops: members after it were served before."""
    rng = np.random.default_rng(seed)
    data = cash(
        rng.integers(-120, 80, (3, 4)), rng.integers(90, 260, 3), limit=150, bank=[90, 90, 300]
    )
    try:
        plan = make_plan(data, RULES, Means())
    except SolverFailure as failed:
        assert failed.kind == "infeasible"  # noqa: PT017
        return
    ledger = plan.ledgers[0]
    found = audit_priority(data, RULES, ledger)
    lacks = (ledger.shortfall + ledger.bridge)[:2] > 1000
    assert len(found) == lacks.sum()
