"""Every rule is verified in integers: a plan with any one of them broken is refused."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medcost.consortium.lending.goals import Means
from medcost.consortium.lending.plan import make_plan
from medcost.consortium.lending.whole_fen import require_rules
from medcost.consortium.solver import SolverFailure
from medcost.errors import InvariantBroken

from .plans import cash, terms

# A village draws two lots of 40 and repays; a township bridges; the lead has plenty.
DATA = cash([[-90, 60], [-60, 60], [0, 0]], [130, 110, 900], limit=[200, 0, 100], bank=[0, 90, 0])
RULES = terms(lot=4_000, least_draw=4_000, whole_months=1, reserve=terms().loan_rate)


def planned():
    return make_plan(DATA, RULES, Means()).ledgers[0]


def test_the_plan_that_is_broken_below_keeps_every_rule():
    """40 + 40 drawn in January by A, 50 bridged by B; both back in February."""
    ledger = planned()
    assert ledger.draw.tolist() == [[8_000, 0], [0, 0], [0, 0]]
    assert ledger.bridge.tolist() == [[0, 0], [5_000, 0], [0, 0]]
    require_rules(DATA, RULES, ledger)


@pytest.mark.parametrize(
    ("name", "place", "by", "said"),
    [
        ("balance", (2, 0), 1, "an account is what it was"),
        ("debt", (0, 0), 1, "a debt is what it was"),
        ("shortfall", (0, 0), 1, "a shortfall is what misses"),
        ("deposit_interest", (2, 1), 1, "an account is what it was"),
        ("loan_interest", (0, 1), 1, "an account is what it was"),
        ("bridge_interest", (1, 1), -1, "an account is what it was"),
        ("cash", (0,), 1, "pool cash is deposits"),
        ("result", (1,), 1, "pool cash is deposits"),
        ("cash_interest", (1,), 1, "no yuan is made or lost"),
        ("reserve", (0,), -1, "the reserve is on deposits"),
        ("draw", (0, 0), 1, "an account is what it was"),
    ],
)
def test_a_fen_in_any_figure_breaks_a_rule(name, place, by, said):
    """One figure of the ledger is changed by a fen."""
    ledger = planned()
    changed = getattr(ledger, name).copy()
    changed[place] += by
    with pytest.raises(InvariantBroken, match=said):
        require_rules(DATA, RULES, dataclasses.replace(ledger, **{name: changed}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loan_limit": DATA.loan_limit - 15_000}, "within its limit"),
        ({"bank_limit": DATA.bank_limit * 0}, "a bridge is within its limit"),
    ],
)
def test_a_tighter_limit_is_seen(changes, said):
    """The plan is held against limits that it does not keep."""
    with pytest.raises(InvariantBroken, match=said):
        require_rules(dataclasses.replace(DATA, **changes), RULES, planned())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lot": 3_000}, "whole lots"),
        ({"least_draw": 9_000}, "least draw"),
        ({"pool_floor_months": terms().floor_months * 100}, "keeps its floor"),
    ],
)
def test_other_terms_are_seen(changes, said):
    """The plan is held against terms that it does not keep."""
    with pytest.raises(InvariantBroken, match=said):
        require_rules(DATA, dataclasses.replace(RULES, **changes), planned())


@pytest.mark.parametrize("times", [1, 10**4, 10**8, 10**10])
def test_amounts_of_trillions_of_yuan_are_planned_to_the_fen(times):
    """The same plan with every amount a power of ten larger, up to 9 trillion yuan."""
    names = ("inflow", "outflow", "basic", "balance", "loan_limit", "bank_limit")
    large = {name: getattr(DATA, name) * times for name in names}
    data = dataclasses.replace(DATA, **large)
    rules = dataclasses.replace(RULES, lot=RULES.lot * times, least_draw=RULES.least_draw * times)
    ledger = make_plan(data, rules, Means()).ledgers[0]
    require_rules(data, rules, ledger)
    assert ledger.draw[0, 0] == 8_000 * times
    assert abs(int(ledger.bridge[1, 0]) - 5_000 * times) <= times // 10**6


flows = st.lists(st.lists(st.integers(-150, 150), min_size=4, max_size=4), min_size=3, max_size=3)


@settings(max_examples=60, deadline=None)
@given(
    flows,
    st.lists(st.integers(60, 300), min_size=3, max_size=3),
    st.sampled_from([0, 1_000, 4_000]),
    st.integers(0, 3),
    st.sampled_from(["ACT/360", "ACT/365"]),
)
def test_any_plan_keeps_every_rule_or_says_that_none_does(net, opening, lot, whole, day_count):
    """require_rules has run inside; members in another order give the same figures by member."""
    data = cash(net, opening, limit=[150, 200, 300], bank=[50, 0, 80])
    rules = terms(
        lot=lot,
        least_draw=2 * lot,
        whole_months=whole if lot else 0,
        day_count=day_count,
        reserve=terms().loan_rate,
        pool_floor_months=terms().floor_months / 4,
        deposit_rate=terms().loan_rate / 4,
        cash_rate=terms().loan_rate / 5,
    )
    try:
        plan = make_plan(data, rules, Means())
    except SolverFailure as failed:
        assert failed.kind == "infeasible"  # noqa: PT017
        return
    again = make_plan(data, rules, Means())
    for name in dataclasses.asdict(plan.ledgers[0]):
        assert np.array_equal(getattr(plan.ledgers[0], name), getattr(again.ledgers[0], name))
    with_cent = data.inflow.copy()
    with_cent[0, 2, 0] += 10_000_000
    richer = make_plan(dataclasses.replace(data, inflow=with_cent), rules, Means())
    # Goal by goal: more money in one account never makes the first goal worse.
    assert richer.goals[0].value <= plan.goals[0].value + 0.01
