"""Tiny plans against a slow twin: every choice of lots listed, each solved goal by goal.

The twin writes the equations of the design one by one, with accounts, draws, repayments and the
pool's result as variables of their own, and holds a goal by a row; it shares no code with the plan.
"""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import linprog

from medcost.consortium.lending.goals import Means
from medcost.consortium.lending.plan import make_plan
from medcost.consortium.lending.whole_fen import require_rules
from medcost.consortium.solver import SolverFailure

from .plans import cash, terms

CENT = 0.02


class Twin:
    """One choice of lots: x [members, months] in yuan, None where a draw is free."""

    def __init__(self, data, rules, lots):  # noqa: PLR0912
        self.n, self.columns = 0, {}
        self.equations, self.at_most, self.bounds = [], [], []
        members, months = len(data.unit_ids), len(data.months)
        year = int(rules.day_count[4:])
        rate = {
            name: [float(getattr(rules, f"{name}_rate")) * d / year for d in data.days]
            for name in ("bank", "loan", "deposit", "cash")
        }
        net = data.net[0] / 100
        floor = data.basic[0] / 100 * float(rules.floor_months)
        pool_floor = data.basic[0].sum(axis=0) / 100 * float(rules.pool_floor_months)
        for i, t in itertools.product(range(members), range(months)):
            limit, bank = data.loan_limit[i] / 100, data.bank_limit[i] / 100
            self.variable("a", i, t, 0, None)
            self.variable("b", i, t, 0, limit)
            self.variable("e", i, t, 0, bank)
            self.variable("u", i, t, 0, None)
            given = lots[i][t]
            self.variable("x", i, t, given or 0, None if given is None else given)
            self.variable("p", i, t, 0, 0 if given else None)
        for t in range(months):
            self.variable("K", 0, t, None, None)
        for i, t in itertools.product(range(members), range(months)):
            a, b, e = ({("a", i, t): 1.0}, {("b", i, t): 1.0}, {("e", i, t): 1.0})
            known = {"a": data.balance[i] / 100, "b": data.debt[i] / 100, "e": data.bridge[i] / 100}
            row, right = (
                {**a, ("x", i, t): -1.0, ("p", i, t): 1.0, **dict.fromkeys(e, -1.0)},
                net[i, t],
            )
            for name, factor in (
                ("a", -(1 + rate["deposit"][t])),
                ("b", rate["loan"][t]),
                ("e", 1 + rate["bank"][t]),
            ):
                if t:
                    row[name, i, t - 1] = factor
                else:
                    right -= factor * known[name]
            self.equations.append((row, right))
            row, right = {**b, ("x", i, t): -1.0, ("p", i, t): 1.0}, 0.0
            if t:
                row["b", i, t - 1] = -1.0
            else:
                right = known["b"]
            self.equations.append((row, right))
            self.at_most.append(({("a", i, t): -1.0, ("u", i, t): -1.0}, -floor[i, t]))
        opened = data.balance.sum() / 100 - data.debt.sum() / 100 + data.result / 100
        for t in range(months):
            row = {("K", 0, t): 1.0}
            if t:
                row["K", 0, t - 1] = -1.0
                right = 0.0
                held = {("K", 0, t - 1): 1.0}
                for i in range(members):
                    held["a", i, t - 1], held["b", i, t - 1] = 1.0, -1.0
                    row["b", i, t - 1] = -rate["loan"][t]
                    row["a", i, t - 1] = rate["deposit"][t]
                for key, value in held.items():
                    row[key] = row.get(key, 0.0) - rate["cash"][t] * value
            else:
                right = data.result / 100 + rate["cash"][0] * opened
                right += rate["loan"][0] * data.debt.sum() / 100
                right -= rate["deposit"][0] * data.balance.sum() / 100
            self.equations.append((row, right))
            # P - R >= floor, with P = sum a - sum b + K.
            row = {("K", 0, t): -1.0}
            for i in range(members):
                row["a", i, t] = -(1 - float(rules.reserve))
                row["b", i, t] = 1.0
            self.at_most.append((row, -pool_floor[t]))
        self.data, self.rate = data, rate

    def variable(self, name, i, t, low, high):
        self.columns[name, i, t] = self.n
        self.bounds.append((low, high))
        self.n += 1

    def goals(self):
        """Least values of all goals in order, or None where the rules cannot all hold."""
        members, months = len(self.data.unit_ids), len(self.data.months)
        places = list(itertools.product(range(members), range(months)))
        worst = self.extra()
        for i, t in places:
            self.at_most.append(({("u", i, t): 1.0, worst: -1.0}, 0.0))
        first = [i for i in range(members) if self.data.group[i] == 0]
        costs = [
            {worst: 1.0},
            {("u", i, t): 1.0 for i, t in places},
            {(name, i, t): 1.0 for name in "ue" for i in first for t in range(months)},
            {("e", i, t): self.rate["bank"][t + 1] for i, t in places},
        ]
        order = sorted(
            set(self.data.kind.tolist()),
            key=lambda k: (self.data.group[self.data.kind == k][0], self.data.kinds[k]),
        )
        for kind in order:
            largest = self.extra()
            for i, t in places:
                if self.data.kind[i] == kind and self.data.loan_limit[i]:
                    limit = self.data.loan_limit[i] / 100
                    self.at_most.append(({("b", i, t): 1.0, largest: -limit}, 0.0))
            costs.append({largest: 1.0})
        values = []
        for cost in costs:
            found = self.solved(cost)
            if found is None:
                return None
            values.append(found)
            self.at_most.append((cost, found + 1e-7))
        return values

    def extra(self):
        key = ("level", len(self.columns), 0)
        self.variable(*key, 0, None)
        return key

    def solved(self, cost):
        def rows(listed):
            matrix = np.zeros((len(listed), self.n))
            for k, (row, _) in enumerate(listed):
                for key, value in row.items():
                    matrix[k, self.columns[key]] += value
            return matrix, [right for _, right in listed]

        objective = np.zeros(self.n)
        for key, value in cost.items():
            objective[self.columns[key]] = value
        left, right = rows(self.equations)
        below, most = rows(self.at_most)
        found = linprog(objective, A_ub=below, b_ub=most, A_eq=left, b_eq=right, bounds=self.bounds)
        return found.fun if found.status == 0 else None


def best_of_all_lots(data, rules):
    """The lexicographically least goals over every choice of lots of the first months."""
    members, months = len(data.unit_ids), len(data.months)
    lot, least = rules.lot / 100, rules.least_draw / 100
    whole = min(rules.whole_months, months) if lot else 0
    choices = []
    for i in range(members):
        most = int(data.loan_limit[i] / 100 // lot) if whole else 0
        choices.append([0.0, *(k * lot for k in range(1, most + 1) if k * lot >= least)])
    best = None
    for drawn in itertools.product(
        *(itertools.product(choices[i], repeat=whole) for i in range(members))
    ):
        lots = [[*drawn[i], *[None] * (months - whole)] for i in range(members)]
        if any(sum(drawn[i]) > 2 * data.loan_limit[i] / 100 for i in range(members)):
            continue
        found = Twin(data, rules, lots).goals()
        if found is not None and (best is None or is_less(found, best)):
            best = found
    return best


def is_less(left, right):
    """Lexicographic, equal up to a thousandth of a yuan."""
    for a, b in zip(left, right, strict=True):
        if abs(a - b) > 1e-3:
            return a < b
    return False


def small_case(seed, **changes):
    """Three members and months with sums that cross the floor now and then."""
    rng = np.random.default_rng(seed)
    data = cash(
        rng.integers(-120, 121, (3, 3)),
        rng.integers(80, 260, 3),
        limit=rng.choice([100, 200, 300], 3),
        bank=rng.choice([0, 40, 100], 3),
    )
    return data, terms(pool_floor_months=Fraction(1, 2), reserve=Fraction("0.05"), **changes)


def compared(data, rules, best):
    """The plan's goals equal the twin's; rules hold in fen."""
    if best is None:
        with pytest.raises(SolverFailure) as failed:
            make_plan(data, rules, Means())
        assert failed.value.kind == "infeasible"
        return
    plan = make_plan(data, rules, Means())
    require_rules(data, rules, plan.ledgers[0])
    found = [goal.value for goal in plan.goals]
    assert np.allclose(found[:4], best[:4], atol=1e-2), (found, best)
    assert np.allclose(found[4:], best[4:], atol=1e-4), (found, best)
    # What the ledger in whole fen has is what the goals say.
    ledger = plan.ledgers[0]
    assert abs(ledger.shortfall.max() / 100 - best[0]) <= CENT * 3
    assert abs(ledger.shortfall.sum() / 100 - best[1]) <= CENT * 9


@pytest.mark.parametrize("seed", range(25))
def test_without_lots_every_goal_is_at_its_least(seed):
    """Three members, three months, free draws."""
    data, rules = small_case(seed)
    compared(data, rules, Twin(data, rules, [[None] * 3] * 3).goals())


@pytest.mark.parametrize("seed", range(8))
def test_with_whole_lots_no_other_choice_of_lots_is_better(seed):
    """Lots of 100 yuan in the first month: up to 4 choices a member, 64 in all."""
    data, rules = small_case(seed, lot=10_000, least_draw=10_000, whole_months=1)
    compared(data, rules, best_of_all_lots(data, rules))


@pytest.mark.parametrize("seed", [3, 11])
def test_with_whole_lots_in_two_months_no_other_choice_of_lots_is_better(seed):
    """Up to 16 choices a member, 4,096 in all, and none beside a repayment."""
    data, rules = small_case(seed, lot=10_000, least_draw=10_000, whole_months=2)
    compared(data, rules, best_of_all_lots(data, rules))
