"""A plan: the goals reached, and every scenario's ledger in whole fen, verified.

With several scenarios the decisions of the shared months are found on one program of all
scenarios together, exactly: least worst, expected total, expected unmet need, expected external
interest with its tail. With those decisions given nothing joins the scenarios any more, so each is
then planned alone, and its own goals are at their least where the common ones are. Whole lots are
those of the shared months, next to what the program asks for; what they cost at most is the
difference of a goal's value from its relaxed one. Later months of a scenario are an outlook: they
are planned again, with lots, when they come.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.lending.alone import reach_alone
from medcost.consortium.lending.cash import Cash, Terms
from medcost.consortium.lending.goals import (
    Goal,
    Means,
    Reached,
    column_cost,
    reach_all,
    reach_money,
    reach_worst,
    root_cost,
)
from medcost.consortium.lending.model import UNIT, PlanModel, months_of_need, plan_model
from medcost.consortium.lending.whole_fen import Ledger, RoundingMiss, require_rules, settled
from medcost.consortium.solver import (
    Level,
    LinearProgram,
    SolverFailure,
    solve_in_order,
    with_whole_fixed,
)
from medcost.errors import InvariantBroken
from medcost.records import dataclass
from medcost.threads import map_in_threads

# A debt below what all scenarios together ask for is so much dearer than one above it.
BELOW = 10.0
# How often pool cash may miss its floor by rounding before the engine gives up.
TRIES = 5


@dataclass(frozen=True)
class Plan:
    """The ledgers by scenario, the goals, and of a plan of one scenario its program and prices."""

    ledgers: tuple[Ledger, ...]
    goals: tuple[Goal, ...]
    model: PlanModel
    reached: Reached


def make_plan(cash: Cash, terms: Terms, means: Means) -> Plan:
    """Plan, settle in fen and verify. Raises SolverFailure (infeasible where no plan keeps all
    rules) and InvariantBroken.
    """
    if len(cash.scenarios) == 1:
        return _one_scenario(cash, dataclasses.replace(terms, shared_months=0), means)
    return _many_scenarios(cash, terms, means)


def _one_scenario(cash: Cash, terms: Terms, means: Means) -> Plan:
    """A certain plan: all goals with whole lots."""
    ledger, reached, model = _planned(cash, terms, means, None, None, 0, None)
    return Plan((ledger,), reached.goals, model, reached)


def _planned(
    cash: Cash,
    terms: Terms,
    means: Means,
    decided: tuple[NDArray[np.int64], NDArray[np.int64]] | None,
    needy: NDArray[np.bool_] | None,
    decided_months: int,
    worst: float | None,
) -> tuple[Ledger, Reached, PlanModel]:
    """One scenario planned, settled and verified; again with a margin where rounding misses.

    decided: debts and bridges of the shared months, fen [M, decided_months].
    """
    margin = np.zeros((1, cash.shape[2]))
    before: Reached | None = None
    for _attempt in range(TRIES):
        model = plan_model(cash, terms, margin=margin, needy=needy)
        if decided is not None:
            model = _with_decided(model, decided, decided_months)
        reached = _reached(model, cash, terms, means, worst, before)
        try:
            ledger = settled(cash, terms, model, reached.values, decided_months)
        except RoundingMiss as miss:
            margin = margin + np.where(miss.by > 0, miss.by + 2, 0)[None, :] / UNIT
            before = reached
            continue
        require_rules(cash, terms, ledger)
        return ledger, reached, model
    raise InvariantBroken("rounding to fen takes pool cash below its floor again and again")


def _reached(
    model: PlanModel,
    cash: Cash,
    terms: Terms,
    means: Means,
    worst: float | None,
    before: Reached | None,
) -> Reached:
    """All goals: member by member where the pool allows it, else together.

    before: an answer whose lots are kept, where there is still a plan with them: some fen more in
    the pool are no reason to search for others.
    """
    if before is not None and model.program.integer is not None:
        kept = dataclasses.replace(model, program=with_whole_fixed(model.program, before.values))
        try:
            found = reach_all(kept, cash, terms, means, worst)
        except SolverFailure as failed:
            if failed.kind != "infeasible":
                raise
        else:
            relaxed = {goal.name: goal.relaxed for goal in before.goals}
            goals = tuple(
                Goal(goal.name, goal.value, relaxed.get(goal.name, goal.relaxed))
                for goal in found.goals
            )
            return dataclasses.replace(found, goals=goals)
    return reach_alone(model, cash, terms, means, worst) or reach_all(
        model, cash, terms, means, worst
    )


def _with_decided(
    model: PlanModel, decided: tuple[NDArray[np.int64], NDArray[np.int64]], months: int
) -> PlanModel:
    """The program with the debts and bridges of the first months given."""
    lower, upper = model.program.lower.copy(), model.program.upper.copy()
    for columns, fen in zip((model.at.debt, model.at.bridge), decided, strict=True):
        lower[columns[0, :, :months]] = upper[columns[0, :, :months]] = fen / UNIT
    program = dataclasses.replace(model.program, lower=lower, upper=upper)
    return dataclasses.replace(model, program=program)


def _many_scenarios(cash: Cash, terms: Terms, means: Means) -> Plan:
    """The shared months on all scenarios together, then each scenario by itself."""
    relaxed = dataclasses.replace(terms, whole_months=0)
    needy = months_of_need(cash, terms)
    model = plan_model(cash, relaxed, needy=needy)
    common = reach_money(model, cash, relaxed, means)
    shared = min(terms.shared_months, cash.shape[2])
    level = Level("shared_months", root_cost(model, shared))
    values = solve_in_order(common.held, [level], solver=means.solver, seconds=means.seconds).values
    decided = _shared_decisions(cash, terms, means, model, values, shared)
    ledgers, reached = _scenarios_alone(cash, relaxed, means, decided, needy, shared, common.worst)
    of_lots = dataclasses.replace(terms, whole_months=min(terms.whole_months, shared))
    for place, ledger in enumerate(ledgers):
        require_rules(cash.scenario(place), of_lots, ledger)
    goals = _goals_of_all(cash, terms, model, common, ledgers, reached)
    return Plan(tuple(ledgers), goals, model, common)


def _scenarios_alone(
    cash: Cash,
    terms: Terms,
    means: Means,
    decided: tuple[NDArray[np.int64], NDArray[np.int64]],
    needy: NDArray[np.bool_],
    shared: int,
    worst: float,
) -> tuple[list[Ledger], list[Reached]]:
    """Every scenario planned with the decisions of the shared months given."""

    def planned(place: int, cap: float) -> tuple[Ledger, Reached]:
        own, months = cash.scenario(place), needy[place : place + 1]
        return _planned(own, terms, means, decided, months, shared, cap)[:2]

    def least_worst(place: int) -> float:
        model = plan_model(cash.scenario(place), terms, needy=needy[place : place + 1])
        return reach_worst(_with_decided(model, decided, shared), terms, means)

    places = range(len(cash.scenarios))
    cap = worst
    try:
        made = map_in_threads(lambda place: planned(place, cap), places, means.threads)
    except SolverFailure as failed:
        if failed.kind != "infeasible":
            raise
        # What is rounded in the shared months may raise the worst shortfall: find by how much.
        cap = max(worst, *map_in_threads(least_worst, places, means.threads))
        made = map_in_threads(lambda place: planned(place, cap), places, means.threads)
    return [ledger for ledger, _reached in made], [reached for _ledger, reached in made]


def _shared_decisions(
    cash: Cash,
    terms: Terms,
    means: Means,
    model: PlanModel,
    values: NDArray[np.float64],
    months: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Debts and bridges of the shared months in fen, [M, months].

    Without lots they are those of all scenarios' program, rounded up. With lots they have the least
    expected shortfall of the shared months, and then lie next to the program's; a debt below it is
    dearer than one above.
    """
    if terms.lot and terms.whole_months:
        at = model.at
        aims = values[at.debt[0, :, :months]], values[at.bridge[0, :, :months]]
        first = cash.first_months(months)
        model = plan_model(first, terms, needy=model.needy[:, :, :months])
        near = _next_to(model, aims)
        chance = cash.probability[:, None, None]
        short = column_cost(len(near.cost), (model.at.shortfall, chance))
        levels = [Level("shortfall", short), Level("near", near.cost)]
        values = solve_in_order(near, levels, solver=means.solver, seconds=means.seconds).values
    at = model.at
    debt = np.ceil(values[at.debt[0, :, :months]] * UNIT - 1e-3).astype(np.int64)
    bridge = np.ceil(values[at.bridge[0, :, :months]] * UNIT - 1e-3).astype(np.int64)
    if at.lots.size:
        drawn = np.rint(values[at.lots[0, :, :months]]).astype(np.int64) * terms.lot
        for month in range(drawn.shape[1]):
            before = debt[:, month - 1] if month else cash.debt
            drawn_now = drawn[:, month]
            debt[:, month] = np.where(
                drawn_now > 0, before + drawn_now, np.minimum(debt[:, month], before)
            )
    return (
        np.minimum(debt, cash.loan_limit[:, None]),
        np.minimum(bridge, cash.bank_limit[:, None]),
    )


def _next_to(
    model: PlanModel, aims: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> LinearProgram:
    """The program of the shared months whose debts and bridges lie next to their aims.

    Two more columns for each say how far it lies below and above.
    """
    from scipy.sparse import csr_matrix, hstack, vstack

    base, at = model.program, model.at
    columns = np.concatenate([at.debt[0].ravel(), at.bridge[0].ravel()])
    n, k = len(base.cost), len(columns)
    rows = np.arange(k)
    near = csr_matrix(
        (
            np.concatenate([np.ones(2 * k), -np.ones(k)]),
            (np.tile(rows, 3), np.concatenate([columns, n + rows, n + k + rows])),
        ),
        shape=(k, n + 2 * k),
    )
    wide = hstack([base.matrix, csr_matrix((base.matrix.shape[0], 2 * k))], format="csr")
    aim = np.concatenate([one.ravel() for one in aims])
    half = k // 2
    below, above = np.full(k, BELOW), np.ones(k)
    above[half:] = BELOW
    return LinearProgram(
        np.concatenate([np.zeros(n), below, above]),
        np.concatenate([base.lower, np.zeros(2 * k)]),
        np.concatenate([base.upper, np.full(2 * k, np.inf)]),
        csr_matrix(vstack([wide, near], format="csr")),
        np.concatenate([base.row_lower, aim]),
        np.concatenate([base.row_upper, aim]),
        None if base.integer is None else np.concatenate([base.integer, np.zeros(2 * k, np.bool_)]),
        base.gap,
    )


def _goals_of_all(
    cash: Cash,
    terms: Terms,
    model: PlanModel,
    common: Reached,
    ledgers: list[Ledger],
    reached: list[Reached],
) -> tuple[Goal, ...]:
    """The common goals with what the ledgers reach of them, and the scenarios' largest peaks."""
    bridges = [ledger.bridge / 100 for ledger in ledgers]
    short = [ledger.shortfall / 100 for ledger in ledgers]
    chance = cash.probability
    cost = np.array([float((one * model.bridge_cost).sum()) for one in bridges])
    goals = []
    for goal in common.goals:
        if goal.name == "worst_shortfall":
            value = max(float(one.max(initial=0.0)) for one in short)
        elif goal.name == "total_shortfall":
            value = float(chance @ [one.sum() for one in short])
        elif goal.name == "external_interest":
            value = float(chance @ cost)
            if terms.tail_weight:
                value += terms.tail_weight * beyond_tail(cost, chance, terms.tail)
        else:
            own = cash.group == terms.groups.index(goal.name.removeprefix("unmet_"))
            value = float(
                chance @ [a[own].sum() + b[own].sum() for a, b in zip(short, bridges, strict=True)]
            )
        goals.append(Goal(goal.name, value, goal.relaxed))
    for name in [one.name for one in reached[0].goals if one.name.startswith("fairness_")]:
        peaks = [one.value for each in reached for one in each.goals if one.name == name]
        goals.append(Goal(name, max(peaks), max(peaks)))
    return tuple(goals)


def beyond_tail(cost: NDArray[np.float64], chance: NDArray[np.float64], tail: float) -> float:
    """CVaR: the mean cost of the worst 1 - tail of the scenarios, float64 [S] each."""
    left, total = 1 - tail, 0.0
    for place in np.argsort(-cost, kind="stable"):
        part = min(left, float(chance[place]))
        total += part * float(cost[place])
        left -= part
    return total / (1 - tail)
