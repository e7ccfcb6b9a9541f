"""`medcost equip` for one month: tables and policy in, plan, shares and what they mean out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np

from medcost.consortium.equipment.coalitions import Coalition, cost_alone, most_aggrieved
from medcost.consortium.equipment.inputs import month_of
from medcost.consortium.equipment.plan import EquipmentPlan, find_plan, require_plan
from medcost.consortium.equipment.policy import SharedEquipment, exact
from medcost.consortium.equipment.rules import (
    BrokenRule,
    find_broken_budget,
    find_broken_rules,
    unserved_reasons,
)
from medcost.consortium.equipment.shares import TypeShares, share_cost
from medcost.consortium.equipment.tables import equipment_tables
from medcost.consortium.equipment.what_if import what_ifs
from medcost.consortium.inputs import ConsortiumInputs
from medcost.consortium.policy import LoadedPolicy
from medcost.consortium.publication import ConsortiumResult
from medcost.errors import Fault, InputRejected, count_of, printable
from medcost.money import format_yuan

KIND = "equip"
NEEDED = ("equipment", "exam_demand")
GROUP_SHOWN = 12
RULES = {
    "served_at_least": "examined",
    "within_at_least": "examined within the access distance",
}


def plan_equipment(
    inputs: ConsortiumInputs, policy: LoadedPolicy[SharedEquipment], period: str
) -> ConsortiumResult:
    """The plan of one month, what it costs whom, and whether a group would rather leave.

    Raises InputRejected where no plan keeps the policy's rules, SolverFailure where the solver
    has no answer.
    """
    begun = time.perf_counter()
    rules = policy.rules
    month = month_of(inputs.tables, inputs.members, rules, period)
    problem = month.problem
    over_budget = find_broken_budget(problem)
    if over_budget is not None:
        raise InputRejected([_fault(over_budget, policy)])
    plan = find_plan(problem)
    require_plan(plan)
    access = rules.access
    broken = find_broken_rules(plan, exact(access.served_at_least), exact(access.within_at_least))
    if broken:
        raise InputRejected([_fault(rule, policy) for rule in broken])
    planned = time.perf_counter()
    turned = what_ifs(plan) if rules.what_if.devices == "all" else []
    priced = time.perf_counter()
    shares = share_cost(plan, rules.sharing.prices, rules.sharing.remainder, rules.sharing.nearness)
    proved = rules.sharing.prices == "relaxation" and rules.sharing.remainder == "pool"
    groups = [(s, most_aggrieved(s.of, s.share_fen), proved) for s in shares]
    tables = equipment_tables(
        month, plan, turned, unserved_reasons(plan), shares, _alone(shares), groups
    )
    ended = time.perf_counter()
    concerned = sorted({*problem.demand_unit.tolist(), *problem.device_unit.tolist()})
    return ConsortiumResult(
        KIND,
        period,
        tuple(problem.unit_ids[unit] for unit in concerned),
        tables,
        tuple(_notes(plan, month.has_distances, groups)),
        {"plan": planned - begun, "what_ifs": priced - planned, "shares": ended - priced},
    )


def _alone(shares: Sequence[TypeShares]) -> dict[tuple[int, int], int]:
    """What members with devices of their own would pay without the others, by type and unit."""
    found = {}
    for of_type in shares:
        of = of_type.of
        asks = np.unique(of.problem.demand_unit[of.served > 0])
        for unit in np.intersect1d(asks, of.problem.device_unit).tolist():
            fen = cost_alone(of, np.array([unit], np.int64))
            if fen is not None:
                found[of_type.type_, unit] = fen
    return found


def _fault(broken: BrokenRule, policy: LoadedPolicy[SharedEquipment]) -> Fault:
    """A rule that no plan keeps, with every smallest change that is enough."""
    code = "equipment-rule-unreachable"
    if broken.rule == "budget":
        needed, given = format_yuan(broken.needed), format_yuan(broken.reachable)
        what = (
            f"The devices that are kept cost {needed} yuan, and the budget is {given}: it would "
            f"have to be {format_yuan(broken.needed - broken.reachable)} higher, or kept devices "
            "be made candidates."
        )
        return Fault(code, what, (policy.place("budget.fixed_cost"),))
    reached = broken.reachable / broken.asked
    # Cut down: a rule of the share that is shown must be one that the plan keeps.
    shown = int(reached * 10_000) / 10_000
    what = (
        f"{broken.needed:,} of {count_of(broken.asked, 'examination')} of grassroots members must "
        f"be {RULES[broken.rule]}, and at most {broken.reachable:,} can be: the rule would have to "
        f"be {shown:g} or less"
    )
    if broken.budget_fen is not None:
        what += f", or the budget {format_yuan(broken.budget_fen)} yuan"
    return Fault(code, f"{what}.", (policy.place(f"access.{broken.rule}"),))


def _notes(
    plan: EquipmentPlan,
    has_distances: bool,
    groups: Sequence[tuple[TypeShares, Coalition | None, bool]],
) -> Iterator[str]:
    """Sentences on what finance has to know beyond the figures."""
    if not has_distances:
        yield "The book has no distances: every member reaches every device, as if it were near."
    problem = plan.problem
    unserved = np.flatnonzero(plan.unserved)
    if len(unserved):
        n = sum(plan.unserved.tolist())
        members = len(np.unique(problem.demand_unit[unserved]))
        yield (
            f"{count_of(n, 'examination')} of {count_of(members, 'member')} cannot be made: "
            "exam_access says whose and why."
        )
    for shares, group, _ in groups:
        if group is not None and group.excess_fen > 0:
            yield group_sentence(problem.unit_ids, problem.type_ids[shares.type_], group)


def group_sentence(unit_ids: tuple[str, ...], type_id: str, group: Coalition) -> str:
    """A group that would rather leave, in words."""
    named = [printable(unit_ids[unit]) for unit in group.members]
    shown = ", ".join(named[:GROUP_SHOWN])
    if len(named) > GROUP_SHOWN:
        shown += f" and {len(named) - GROUP_SHOWN} more"
    return (
        f"{printable(type_id)}: {shown} pay {format_yuan(group.share_fen)} yuan together and would "
        f"pay {format_yuan(group.alone_fen)} alone, {format_yuan(group.excess_fen)} less."
    )
