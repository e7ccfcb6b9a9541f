"""Scenarios share their first months: exact against one program of all, held in fen."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import linprog

from medcost.consortium.lending.goals import Means, money_levels
from medcost.consortium.lending.model import UNIT, plan_model
from medcost.consortium.lending.plan import beyond_tail, make_plan
from medcost.consortium.lending.robust import at_risk, largest_missing
from medcost.consortium.lending.whole_fen import require_rules

from .plans import cash, terms

RULES = terms(pool_floor_months=Fraction(1, 4), reserve=Fraction("0.05"), tail=0.5)


def several(seed, scenarios=3, months=4):
    """Three members; scenarios part after the first month."""
    rng = np.random.default_rng(seed)
    net = np.repeat(rng.integers(-80, 81, (1, 3, months)), scenarios, axis=0)
    net[:, :, 1:] += rng.integers(-60, 61, (scenarios, 3, months - 1))
    return cash(net, rng.integers(90, 220, 3), limit=[150, 200, 300], bank=[120, 60, 200])


@pytest.mark.parametrize("seed", range(12))
def test_shared_months_are_the_same_in_all_scenarios_and_every_rule_holds_in_each(seed):
    """Draws, repayments and bridges of the first month, to the fen."""
    data = several(seed)
    plan = make_plan(data, RULES, Means())
    first = plan.ledgers[0]
    for place, ledger in enumerate(plan.ledgers):
        require_rules(data.scenario(place), RULES, ledger)
        for name in ("draw", "repayment", "bridge", "debt"):
            assert np.array_equal(getattr(ledger, name)[:, 0], getattr(first, name)[:, 0])


@pytest.mark.parametrize("seed", range(12))
def test_goals_of_scenarios_planned_apart_are_those_of_one_program_of_all(seed):
    """scipy solves the joint program goal by goal, each held by a row."""
    data = several(seed)
    plan = make_plan(data, RULES, Means())
    model = plan_model(data, RULES)
    program = model.program
    n = model.at.n
    short = model.at.shortfall.ravel()
    worst = np.zeros((len(short), n + 1))
    worst[np.arange(len(short)), short], worst[:, n] = 1, -1
    dense = np.hstack([program.matrix.toarray(), np.zeros((program.matrix.shape[0], 1))])
    equal = program.row_lower == program.row_upper
    rows = [*(-dense[~equal]), *worst]
    most = [*(-program.row_lower[~equal]), *np.zeros(len(short))]
    costs = [
        np.eye(n + 1)[n],
        *(np.append(one.cost, 0) for one in money_levels(model, data, RULES)),
    ]
    for goal, cost in zip(plan.goals, costs, strict=False):
        found = linprog(
            cost,
            A_ub=np.array(rows),
            b_ub=most,
            A_eq=dense[equal],
            b_eq=program.row_lower[equal],
            bounds=[*zip(program.lower, program.upper, strict=True), (0, None)],
        )
        assert found.status == 0
        assert abs(goal.value - found.fun * UNIT / 100) <= 0.5, goal
        rows, most = [*rows, cost], [*most, found.fun + 1e-9]


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_change_no_fen(threads):
    """Scenarios planned one or two at a time."""
    data = several(5)
    one, other = make_plan(data, RULES, Means()), make_plan(data, RULES, Means(threads=threads))
    for left, right in zip(one.ledgers, other.ledgers, strict=True):
        for name in dataclasses.asdict(left):
            assert np.array_equal(getattr(left, name), getattr(right, name))


def test_the_tail_is_the_mean_of_the_worst_scenarios():
    """Costs 10, 20, 40 with 0.5, 0.3, 0.2: worst 0.4 is 0.2 of 40 and 0.2 of 20: 30."""
    cost, chance = np.array([10.0, 20.0, 40.0]), np.array([0.5, 0.3, 0.2])
    assert abs(beyond_tail(cost, chance, 0.6) - 30) < 1e-12


def test_whole_lots_of_shared_months_are_whole_in_every_scenario():
    """Lots of 50 in January; what they cost stands beside the value."""
    rules = dataclasses.replace(RULES, lot=5_000, least_draw=5_000, whole_months=1)
    for seed in range(6):
        data = several(seed)
        plan = make_plan(data, rules, Means())
        for ledger in plan.ledgers:
            assert (ledger.draw[:, 0] % 5_000 == 0).all()
        assert plan.goals[0].value >= plan.goals[0].relaxed - 0.05


def test_what_may_be_missing_is_the_worst_choice_of_months():
    """Deviations 5, 9, 4 and half a month more than one: 9 + 2.5 at the end of February.

    Without interest: January 5; February 9 + half of 5; March the same.
    """
    found = largest_missing(np.array([5.0, 9.0, 4.0]), np.zeros(3), Fraction(3, 2))
    assert found.tolist() == [5, 11.5, 11.5]


@pytest.mark.parametrize("seed", range(6))
def test_a_robust_plan_keeps_every_floor_whichever_months_go_wrong(seed):
    """Every choice of up to 2 of 4 months for each member: floors hold with the plan's draws.

    The plan's draws, repayments and bridges stay; the missing money no longer earns deposits'
    interest. With the plain plan some choice breaks a floor.
    """
    rng = np.random.default_rng(seed)
    months = 4
    data = cash(
        rng.integers(-60, 61, (2, months)), [260, 900], kinds=("village", "lead"), limit=500
    )
    rules = dataclasses.replace(RULES, deposit_rate=Fraction("0.012"))
    deviation = rng.integers(500, 3_000, (1, 2, months))
    own, pool = at_risk(deviation, data.days, rules, Fraction(2))
    robust = dataclasses.replace(data, at_risk=own, pool_at_risk=pool)
    ledger = make_plan(robust, rules, Means()).ledgers[0]
    assert not ledger.shortfall.any()
    floor, monthly = 10_000, 1 + 0.012 * 30 / 360
    for member in range(2):
        for choice in range(1 << months):
            wrong = [t for t in range(months) if choice >> t & 1]
            if len(wrong) > 2:
                continue
            missing = 0.0
            for t in range(months):
                missing = missing * monthly + (deviation[0, member, t] if t in wrong else 0)
                assert ledger.balance[member, t] - missing >= floor - 1e-6
