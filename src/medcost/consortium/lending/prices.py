"""What binds a plan, what one more yuan of room is worth, and the same found by solving again.

Prices are duals of the goal that a rule costs something first, with the lots of the plan held. The
dearest rules are solved again with one lot more and one lot less of room.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.lending.cash import Cash, Terms
from medcost.consortium.lending.goals import Goal, Means, Reached, reach_money
from medcost.consortium.lending.model import UNIT, PlanModel, plan_model
from medcost.consortium.solver import SolverFailure, with_whole_fixed
from medcost.records import dataclass

# Prices below this, a hundred-thousandth of a yuan for a yuan, are none.
LEAST = 1e-5
# A goal counts as given up from this many yuan on.
GIVEN_UP = 0.01
# The step of plans without lots, fen: 10,000 yuan.
STEP = 1_000_000


@dataclass(frozen=True)
class BindingRule:
    """A rule that costs a goal something.

    rule: pool_floor (of a month), loan_limit, bank_limit or cash (of a member); price: by what the
    goal's value falls for a yuan more of room; step: fen; more, less: the goal's value with a step
    more and less of room, None where it was not solved again or there is no answer that keeps the
    goals before.
    """

    rule: str
    month: int
    member: int
    goal: str
    price: float
    step: int | None = None
    more: float | None = None
    less: float | None = None


def binding_rules(
    cash: Cash,
    terms: Terms,
    model: PlanModel,
    reached: Reached,
    means: Means,
    n_solved_again: int,
) -> list[BindingRule]:
    """Every rule with a price, the dearest ones of a certain plan solved again. SolverFailure."""
    if len(cash.scenarios) > 1:
        return _priced(cash, model, reached)
    terms = dataclasses.replace(terms, shared_months=0)
    held = _Held(cash, terms, model, reached.values, means)
    found = held.reached(cash, 0, -1)
    rules = _priced(cash, held.model, found)
    dearest = sorted(rules, key=lambda one: (-one.price, one.rule, one.month, one.member))
    again = set(map(id, dearest[:n_solved_again]))
    step = terms.lot or STEP
    return [held.solved_again(one, step, found.goals) if id(one) in again else one for one in rules]


class _Held:
    """The plan's program with its lots held, solved with other bounds."""

    def __init__(
        self,
        cash: Cash,
        terms: Terms,
        planned: PlanModel,
        values: NDArray[np.float64],
        means: Means,
    ) -> None:
        self.cash, self.terms, self.values, self.means = cash, terms, values, means
        self.model = plan_model(cash, terms)
        # What the plan keeps beyond the pool's floor for rounding to fen.
        rows = self.model.pool_rows
        self.margin = planned.program.row_lower[rows] - self.model.program.row_lower[rows]

    def reached(self, cash: Cash, room: int, month: int) -> Reached:
        """The money goals of some cash; room: fen by which a month's pool floor is lower."""
        margin = self.margin.copy()
        if month >= 0:
            margin[0, month] -= room / UNIT
        model = plan_model(cash, self.terms, margin=margin, needy=self.model.needy)
        program = model.program
        if program.integer is not None and program.integer.any():
            program = with_whole_fixed(program, self.values[: model.at.n])
        else:
            program = dataclasses.replace(program, integer=None)
        self.model = dataclasses.replace(model, program=program)
        return reach_money(self.model, cash, self.terms, self.means)

    def solved_again(self, rule: BindingRule, step: int, goals: tuple[Goal, ...]) -> BindingRule:
        """The rule with its goal's values at a step more and less of room."""
        values: list[float | None] = []
        for room in (step, -step):
            try:
                found = self.reached(*_moved(self.cash, rule, room))
            except SolverFailure as failed:
                if failed.kind not in ("infeasible", "numerical"):
                    raise
                values.append(None)
                continue
            values.append(_value_of(rule.goal, goals, found.goals))
        return dataclasses.replace(rule, step=step, more=values[0], less=values[1])


def _moved(cash: Cash, rule: BindingRule, room: int) -> tuple[Cash, int, int]:
    """The cash with a rule's bound moved, and the room of the pool's floor in a month."""
    if rule.rule == "pool_floor":
        return cash, room, rule.month
    if rule.rule == "cash":
        inflow = cash.inflow.copy()
        inflow[0, rule.member, 0] += room
        return dataclasses.replace(cash, inflow=inflow), 0, -1
    limits = getattr(cash, rule.rule).copy()
    limits[rule.member] = max(int(limits[rule.member]) + room, 0)
    return dataclasses.replace(cash, **{rule.rule: limits}), 0, -1


def _value_of(name: str, before: tuple[Goal, ...], now: tuple[Goal, ...]) -> float | None:
    """A goal's value now; None where a goal before it is worse than it was."""
    for old, new in zip(before, now, strict=True):
        if old.name == name:
            return new.value
        if new.value > old.value + GIVEN_UP:
            return None
    return None


def _priced(cash: Cash, model: PlanModel, reached: Reached) -> list[BindingRule]:
    """Every rule with a price, each with the first goal that it costs something."""
    at, found = model.at, []
    values = reached.values
    at_limit = {
        "loan_limit": (at.debt, cash.loan_limit),
        "bank_limit": (at.bridge, cash.bank_limit),
    }
    done: set[tuple[str, int]] = set()
    for level in reached.priced:
        pool = level.duals[model.pool_rows].sum(axis=0)
        prices = {"pool_floor": pool}
        for rule, (columns, limit) in at_limit.items():
            # A column held at less than its limit by an earlier goal says nothing of the limit.
            bound = values[columns] >= (limit / UNIT)[None, :, None] - 1e-9
            falls = np.where(bound, np.maximum(-level.reduced_costs[columns], 0), 0)
            prices[rule] = falls.sum(axis=(0, 2))
        # Money in an account is money in the pool: it stands in both rows of the first month.
        own = level.duals[model.balance_rows[:, :, 0]].sum(axis=0)
        prices["cash"] = -(own + level.duals[model.forward_rows[:, 0]].sum())
        for rule, each in prices.items():
            for place in np.flatnonzero(each > LEAST).tolist():
                if (rule, place) in done:
                    continue
                done.add((rule, place))
                month, member = (place, -1) if rule == "pool_floor" else (-1, place)
                found.append(BindingRule(rule, month, member, level.name, float(each[place])))
    return sorted(found, key=lambda one: (one.rule, one.month, one.member))
