"""Leximin within a kind: by hand where members compete, and beside a slow twin."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import linprog

from medcost.consortium.lending.goals import Means, reach_all, reach_money
from medcost.consortium.lending.leximin import peaks_of
from medcost.consortium.lending.model import plan_model
from medcost.consortium.lending.plan import make_plan
from medcost.consortium.solver import SolverFailure

from .plans import cash, terms

VILLAGES = ("village", "village", "village", "lead")


def test_members_who_compete_for_pool_cash_stand_at_the_same_share_of_their_limits():
    """Three clinics lack 100, 100 and 20; pool cash 980 and E of bridges is to hold 1,080: E = 100.

    So 120 are lent, under limits of 100, 200, 300. C takes its 20, 0.0667 of its limit; A and B
    share 100 as 1 : 2, at 0.3333 of their limits. The rest, 66.67 and 33.33, comes from banks.
    """
    data = cash(
        [[-100], [-100], [-20], [0]],
        [100, 100, 100, 900],
        kinds=VILLAGES,
        limit=[100, 200, 300, 100],
        bank=[100, 100, 100, 0],
    )
    plan = make_plan(data, terms(pool_floor_months=Fraction(27, 10)), Means())
    ledger = plan.ledgers[0]
    assert ledger.debt[:, 0].tolist() == [3333, 6667, 2000, 0]
    assert ledger.bridge[:, 0].tolist() == [6667, 3333, 0, 0]
    peak = next(goal for goal in plan.goals if goal.name == "fairness_village")
    assert abs(peak.value - 1 / 3) < 1e-6


@pytest.mark.parametrize("seed", range(20))
def test_peaks_are_those_of_rounds_that_settle_one_level_at_a_time(seed):
    """The twin: least level; every member that cannot go below it, tried one by one, is settled."""
    rng = np.random.default_rng(seed)
    data = cash(
        rng.integers(-90, 60, (4, 3)),
        [*rng.integers(100, 160, 3), 700],
        kinds=VILLAGES,
        limit=[*rng.integers(80, 300, 3), 100],
        bank=[*rng.integers(40, 160, 3), 0],
    )
    rules = terms(pool_floor_months=Fraction(int(rng.integers(18, 24)), 10))
    model = plan_model(data, rules)
    try:
        found = reach_all(model, data, rules, Means())
    except SolverFailure as failed:
        assert failed.kind == "infeasible"  # noqa: PT017
        return
    village = data.kinds.index("village")
    peaks = peaks_of(model, data, village)
    got = np.sort((found.values[peaks.debts] / peaks.limits[:, None]).max(axis=1))[::-1]
    held = reach_money(model, data, rules, Means()).held
    assert np.allclose(got, twin(held, peaks), atol=1e-5)


def twin(held, peaks):
    """Leximin by trial: sorted from the largest."""
    n, caps = len(held.cost), {}
    equal = held.row_lower == held.row_upper
    matrix = held.matrix.toarray()

    def least(free, of):
        """The least level of some members under the caps of the settled ones."""
        rows, most = [], []
        for k, debts in enumerate(peaks.debts):
            for debt in debts:
                row = np.zeros(n + 1)
                row[debt] = 1
                if k in of:
                    row[n] = -peaks.limits[k]
                elif k in free or k in caps:
                    pass
                cap = caps.get(k, free.get(k))
                rows.append(row)
                most.append(0.0 if k in of else peaks.limits[k] * cap)
        below = np.hstack([-matrix[~equal], np.zeros((int((~equal).sum()), 1))])
        cost = np.zeros(n + 1)
        cost[n] = 1
        found = linprog(
            cost,
            A_ub=np.vstack([below, rows]),
            b_ub=[*(-held.row_lower[~equal]), *most],
            A_eq=np.hstack([matrix[equal], np.zeros((int(equal.sum()), 1))]),
            b_eq=held.row_lower[equal],
            bounds=[*zip(held.lower, held.upper, strict=True), (0, None)],
        )
        return found.fun

    waiting = set(range(len(peaks.members)))
    while waiting:
        level = least({}, waiting)
        # Who cannot go below the level while the others keep it stands at it in every answer.
        stuck = {
            k
            for k in waiting
            if least(dict.fromkeys(waiting - {k}, level + 1e-08), {k}) > level - 1e-6
        }
        caps |= dict.fromkeys(stuck or waiting, level + 1e-8)
        waiting -= stuck or set(waiting)
    return np.sort(np.array(list(caps.values())))[::-1]
