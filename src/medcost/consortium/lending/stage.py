"""The capital pool planned from a month on: tables, policy and last month's plan in, tables out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from medcost.consortium.lending import tables
from medcost.consortium.lending.audit import audit_priority
from medcost.consortium.lending.cash import Cash, Terms
from medcost.consortium.lending.conflict import conflict_faults
from medcost.consortium.lending.gain import pool_gain
from medcost.consortium.lending.goals import Means
from medcost.consortium.lending.plan import Plan, make_plan
from medcost.consortium.lending.policy import PoolLending
from medcost.consortium.lending.position import position
from medcost.consortium.lending.prices import binding_rules
from medcost.consortium.lending.replan import changes, month_before, read_earlier_plan
from medcost.consortium.publication import ConsortiumResult
from medcost.consortium.solver import SolverFailure
from medcost.errors import Fault, InputRejected, count_of
from medcost.money import format_yuan

if TYPE_CHECKING:
    from medcost.consortium.inputs import ConsortiumInputs
    from medcost.consortium.policy import LoadedPolicy
    from medcost.consortium.publication import Published

KIND = "lend"


def plan_lending(
    inputs: ConsortiumInputs,
    policy: LoadedPolicy[PoolLending],
    period: str,
    published: Published,
    means: Means | None = None,
) -> ConsortiumResult:
    """The plan from a month on. It starts from last month's plan where one is published.

    Raises InputRejected (the rules cannot all hold, or the tables have faults), SolverFailure and
    InvariantBroken.
    """
    begun = time.perf_counter()
    means = means or Means()
    rules = policy.rules
    folder = published.results(month_before(period)).get(KIND)
    earlier = read_earlier_plan(folder) if folder else None
    opening = earlier.opening() if earlier else None
    try:
        cash, terms = position(inputs, policy, period, opening)
        plan = _planned(cash, terms, means)
    except OverflowError as error:
        what = f"The plan from {period} on cannot be reckoned in whole fen: {error}."
        raise InputRejected([Fault("amount-out-of-range", what, ("cash_plan",))]) from None
    priced = binding_rules(cash, terms, plan.model, plan.reached, means, rules.gain.re_solved_rules)
    shared = terms.shared_months if len(cash.scenarios) > 1 else 0
    own = [cash.scenario(place) for place in range(len(cash.scenarios))]
    pairs = list(zip(own, plan.ledgers, strict=True))
    unserved = [audit_priority(one, terms, ledger, shared) for one, ledger in pairs]
    gains = [pool_gain(one, terms, ledger, rules.gain.basis) for one, ledger in pairs]
    moved = changes(earlier, cash, plan.ledgers[0]) if earlier else []
    found = {
        "pool_plan": tables.plan_table(period, cash, terms, plan.ledgers),
        "pool_month": tables.month_rows(period, cash, plan.ledgers),
        "pool_interest": tables.interest_rows(period, cash, terms, plan.ledgers),
        "pool_goal": tables.goal_rows(period, plan.goals),
        "pool_rule": tables.rule_rows(period, cash, priced),
        "pool_priority": tables.priority_rows(period, cash, unserved),
        "pool_gain": tables.gain_rows(period, cash, gains),
        "pool_change": tables.change_rows(period, moved),
    }
    return ConsortiumResult(
        KIND,
        period,
        cash.unit_ids,
        {
            name: tables.rows_table(name, rows) if isinstance(rows, list) else rows
            for name, rows in found.items()
        },
        _notes(cash, plan),
        {"plan": round(time.perf_counter() - begun, 3)},
        (earlier.folder,) if earlier else (),
    )


def _planned(cash: Cash, terms: Terms, means: Means) -> Plan:
    """The plan; where there is none, InputRejected says why in words."""
    try:
        return make_plan(cash, terms, means)
    except SolverFailure as failed:
        if failed.kind != "infeasible":
            raise
        faults = conflict_faults(cash, terms)
        if faults:
            raise InputRejected(faults) from None
        raise


def _notes(cash: Cash, plan: Plan) -> tuple[str, ...]:
    """What a reader of the plan must know: shortfalls that stay."""
    notes = []
    for scenario, ledger in zip(cash.scenarios, plan.ledgers, strict=True):
        short = ledger.shortfall > 0
        if not short.any():
            continue
        members = count_of(int(short.any(axis=1).sum()), "member")
        of = f" of scenario {scenario}" if scenario else ""
        worst = format_yuan(int(ledger.shortfall.max()))
        notes.append(
            f"{members}{of} stay below their floor; the worst shortfall is {worst} yuan in a month"
        )
    return tuple(notes)
