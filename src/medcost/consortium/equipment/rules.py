"""Rules that a policy sets the plan, and the smallest change that would make them reachable."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import numpy as np

from medcost.consortium.equipment.plan import EquipmentPlan, find_plan
from medcost.consortium.equipment.problem import EquipmentProblem
from medcost.consortium.equipment.program import FacilityProgram
from medcost.money import FEN_PER_YUAN
from medcost.records import dataclass

RuleName = Literal["budget", "served_at_least", "within_at_least"]
Reason = Literal["too_far", "capacity", "budget"]


@dataclass(frozen=True)
class BrokenRule:
    """A rule that no plan keeps, with what is reachable and what would be enough.

    needed, reachable: fen for the budget, else examinations of grassroots members, of asked of
    them; budget_fen: the least budget under which the rule is kept with the devices there are,
    None where no budget is enough or there is none.
    """

    rule: RuleName
    needed: int
    reachable: int
    asked: int = 0
    budget_fen: int | None = None


def find_broken_budget(problem: EquipmentProblem) -> BrokenRule | None:
    """Whether the devices that are kept cost more than the budget."""
    kept = sum(problem.fixed_fen[problem.is_kept].tolist())
    if problem.budget_fen is None or kept <= problem.budget_fen:
        return None
    return BrokenRule("budget", kept, problem.budget_fen, budget_fen=kept)


def find_broken_rules(
    plan: EquipmentPlan, served_at_least: Fraction, within_at_least: Fraction
) -> list[BrokenRule]:
    """Rules on the access of grassroots members that the plan does not keep.

    The plan makes access best before anything else, in the order of the goals: what it does not
    reach, no plan reaches under the goals before.
    """
    problem = plan.problem
    grassroots = problem.is_grassroots
    asked = sum(problem.quantity[grassroots].tolist())
    served = sum(plan.served[grassroots].tolist())
    within = sum(plan.served_within[grassroots].tolist())
    found = []
    rules: tuple[tuple[RuleName, Fraction, int, int], ...] = (
        ("served_at_least", served_at_least, served, 0),
        ("within_at_least", within_at_least, within, 1),
    )
    for rule, share, reachable, goal in rules:
        needed = -(-asked * share.numerator // share.denominator)
        if reachable < needed:
            budget = _least_budget(problem, goal, asked - needed)
            found.append(BrokenRule(rule, needed, reachable, asked, budget))
    return found


def unserved_reasons(plan: EquipmentPlan) -> list[Reason | None]:
    """Why examinations of each demand are not made, None where all are.

    too_far: no device lies within the farthest distance; budget: one that could be reached is
    closed; capacity: all that could be reached are open, and full with what comes before.
    """
    problem = plan.problem
    reached = np.zeros(problem.n_demands, np.bool_)
    reached[problem.pair_demand] = True
    closed = np.zeros(problem.n_demands, np.bool_)
    closed[problem.pair_demand[~plan.is_open[problem.pair_device]]] = True
    reasons: list[Reason | None] = []
    for unserved, near, shut in zip(
        plan.unserved.tolist(), reached.tolist(), closed.tolist(), strict=True
    ):
        if not unserved:
            reasons.append(None)
        elif not near:
            reasons.append("too_far")
        else:
            reasons.append("budget" if shut and problem.budget_fen is not None else "capacity")
    return reasons


def _least_budget(problem: EquipmentProblem, goal: int, most: int) -> int | None:
    """The least fixed cost of devices with which a goal of access is at most a number.

    None without a budget, or where the number is out of reach with every device open.
    """
    import dataclasses

    from medcost.consortium.solver import SolverFailure, solve

    if problem.budget_fen is None:
        return None
    free = dataclasses.replace(problem, budget_fen=None)
    everything = np.ones(problem.n_devices, np.bool_)
    program = FacilityProgram(free)
    held = [(program.goals[goal], most)]
    if goal:
        # What is examined at all comes first, as it does in the plan.
        held.insert(0, (program.goals[0], find_plan(free).levels[0]))
    cost = np.zeros(program.n_variables)
    cost[: problem.n_devices] = problem.fixed_fen / FEN_PER_YUAN
    try:
        values = solve(program.program(cost, held, problem.is_kept, everything)).values
    except SolverFailure as failure:
        if failure.kind != "infeasible":
            raise
        return None
    is_open = values[: problem.n_devices] > 0.5
    return int(sum(problem.fixed_fen[is_open].tolist()))
