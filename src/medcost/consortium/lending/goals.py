"""The goals of a plan in their order, each solved and then held.

1. least total shortfall is 0, or first the least worst shortfall and then the least total
2. least unmet need (shortfall and bank bridge) of each group of the order of priority but the last
3. least external interest, with several scenarios also its mean beyond the tail
4. fairness: the least largest debt beside its limit, kind by kind in the order of priority
5. with whole lots: the lots that reach all this are held, rounded from the fewest where that does;
   of many draws planned together, or where a search for fairness finds none, before goal 4
6. fairness goes on: the next largest debts beside their limits, leximin, kind by kind
7. the canonical plan: weights of member and month that leave one plan only
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.lending.cash import Cash, Terms
from medcost.consortium.lending.leximin import (
    Peaks,
    least_largest,
    leximin,
    peaks_of,
    widened,
)
from medcost.consortium.lending.model import UNIT, PlanModel
from medcost.consortium.solver import (
    Basis,
    Level,
    LevelledSolution,
    LinearProgram,
    Rounding,
    SolvedLevel,
    Solver,
    SolverFailure,
    on_optimal_face,
    solve,
    solve_in_order,
    with_whole_fixed,
)
from medcost.records import dataclass

# Of more draws of whole lots than these, fairness is reached with the lots that money asks for:
# each kind's search would take as long as all goals of money.
SEARCHED_FOR_FAIRNESS = 40
# By so much, in 10,000 yuan, shortfalls may exceed the worst one: a thousandth of a fen.
CAP = 1e-9
# A shortfall below this, in 10,000 yuan, is none: a tenth of a fen.
NOTHING = 1e-7


@dataclass(frozen=True)
class Goal:
    """A goal reached: its best value; relaxed: the best were no draw a whole number of lots.

    Values are in yuan, of fairness a share of the limit, of lots a count.
    """

    name: str
    value: float
    relaxed: float


@dataclass(frozen=True)
class Reached:
    """The values of all variables, the goals, and each money goal's prices of rows and columns."""

    values: NDArray[np.float64]
    goals: tuple[Goal, ...]
    priced: tuple[SolvedLevel, ...]
    worst: float
    held: LinearProgram
    basis: Basis | None = None


@dataclass(frozen=True)
class Means:
    """How programs are solved: the solver of linear ones and the limit of each, if any.

    threads: how many scenarios are planned at a time; each is planned on one.
    """

    solver: Solver = "glop"
    seconds: float | None = None
    threads: int = 1


def column_cost(n: int, *parts: tuple[NDArray[np.int64], object]) -> NDArray[np.float64]:
    """Costs of columns, float64 [n]; those of a column that stands twice are added."""
    cost = np.zeros(n)
    for columns, value in parts:
        each = np.broadcast_to(np.asarray(value, np.float64), columns.shape)
        np.add.at(cost, columns.ravel(), each.ravel())
    return cost


def worst_program(model: PlanModel) -> LinearProgram:
    """The first goal's program: one more column, last, that no shortfall exceeds, at cost 1."""
    from scipy.sparse import csr_matrix, hstack, vstack

    base, places = model.program, model.at.shortfall.ravel()
    rows = np.arange(len(places))
    n = model.at.n
    below = csr_matrix(
        (
            np.concatenate([np.ones(len(places)), -np.ones(len(places))]),
            (np.concatenate([rows, rows]), np.concatenate([np.full(len(places), n), places])),
        ),
        shape=(len(places), n + 1),
    )
    wide = hstack([base.matrix, csr_matrix((base.matrix.shape[0], 1))], format="csr")
    return LinearProgram(
        np.append(np.zeros(n), 1.0),
        np.append(base.lower, 0.0),
        np.append(base.upper, np.inf),
        csr_matrix(vstack([wide, below], format="csr")),
        np.concatenate([base.row_lower, np.zeros(len(places))]),
        np.concatenate([base.row_upper, np.full(len(places), np.inf)]),
        None if base.integer is None else np.append(base.integer, False),
        base.gap,
    )


def money_levels(model: PlanModel, cash: Cash, terms: Terms) -> list[Level]:
    """The goals that are sums of money: total shortfall, unmet need, external interest."""
    at = model.at
    of_scenario = cash.probability[:, None, None]
    levels = [Level("total_shortfall", column_cost(at.n, (at.shortfall, of_scenario)))]
    for group, name in enumerate(terms.groups[:-1]):
        own = cash.group == group
        cost = column_cost(
            at.n, (at.shortfall[:, own], of_scenario), (at.bridge[:, own], of_scenario)
        )
        levels.append(Level(f"unmet_{name}", cost))
    cost = column_cost(at.n, (at.bridge, of_scenario * model.bridge_cost))
    if len(at.tail) and terms.tail_weight:
        cost[at.threshold] += terms.tail_weight
        cost[at.tail] += terms.tail_weight * cash.probability / (1 - terms.tail)
    return [*levels, Level("external_interest", cost)]


def reach_money(
    model: PlanModel, cash: Cash, terms: Terms, means: Means, worst: float | None = None
) -> Reached:
    """Goals 1 to 3. worst: the worst shortfall where it is known, 10,000 yuan. SolverFailure."""
    program, levels = model.program, money_levels(model, cash, terms)
    draws = whole_draws(model, terms)
    before: tuple[SolvedLevel, ...] = ()
    known, begin = None, None
    if worst is None:
        first = _least_worst(model, means, draws)
        n_rows, n_columns = program.matrix.shape
        level = first.levels[0]
        rows, columns = level.duals[:n_rows], level.reduced_costs[:n_columns]
        before = (dataclasses.replace(level, duals=rows, reduced_costs=columns),)
        worst, known = level.value, first.values[:n_columns]
        begin = None if first.basis is None else first.basis.of_first(n_rows, n_columns)
        if worst - level.relaxed <= NOTHING < worst:
            program = _on_worst_face(program, model, level)
        if worst <= NOTHING:
            # No shortfall at all: what is left of the second goal is that bound.
            before = (*before, dataclasses.replace(before[0], name=levels[0].name))
            worst, levels = 0.0, levels[1:]
    found = _in_order(_worst_capped(program, model, worst), levels, means, draws, known, begin)
    priced = before + found.levels
    return Reached(
        found.values, tuple(_goal(one) for one in priced), priced, worst, found.held, found.basis
    )


def reach_worst(model: PlanModel, terms: Terms, means: Means) -> float:
    """The least worst shortfall, 10,000 yuan. Raises SolverFailure."""
    return _least_worst(model, means, whole_draws(model, terms)).levels[0].value


def _least_worst(model: PlanModel, means: Means, draws: Rounding) -> LevelledSolution:
    """Goal 1."""
    wide = worst_program(model)
    rounded = widened(draws, model.at.n)
    return _in_order(wide, [Level("worst_shortfall", wide.cost)], means, rounded)


def reach_all(
    model: PlanModel, cash: Cash, terms: Terms, means: Means, worst: float | None = None
) -> Reached:
    """All goals of one scenario. Raises SolverFailure."""
    money = reach_money(model, cash, terms, means, worst)
    held, goals, values = money.held, list(money.goals), money.values
    draws = whole_draws(model, terms)
    kinds = [(cash.kinds[kind], peaks_of(model, cash, kind)) for kind in kinds_in_order(cash)]
    n_whole = int((held.upper[model.at.lots] > 0).sum()) if held.integer is not None else 0
    fair = _fairest_searched(held, kinds, means, draws, values, n_whole)
    is_searched = fair is not None
    if fair is None:
        values = _fewer_lots(held, model, means, draws, values)
        held = _with_lots(model, cash, terms, means, money.worst, values)
        fair = _fairest(held, kinds, means, draws, values)
    goals, held, values = goals + fair[0], fair[1], fair[2]
    if n_whole and is_searched:
        values = _fewer_lots(held, model, means, draws, values)
        held = _with_lots(model, cash, terms, means, money.worst, values)
        for _name, peaks in kinds:
            held = least_largest(held, peaks, means.solver, means.seconds, None, values)[2]
    # Where nobody may draw in the first months no variable is whole either.
    held = dataclasses.replace(held, integer=None)
    for _name, peaks in kinds:
        held = leximin(held, model, peaks, means.solver, means.seconds)
    canonical = Level("canonical", canonical_cost(model, len(held.cost)))
    last = _in_order(held, [canonical], means)
    return Reached(last.values, tuple(goals), money.priced, money.worst, last.held)


_Fair = tuple[list[Goal], LinearProgram, NDArray[np.float64]]


def _fairest(
    held: LinearProgram,
    kinds: Sequence[tuple[str, Peaks]],
    means: Means,
    draws: Rounding,
    values: NDArray[np.float64],
) -> _Fair:
    """Goal 4, kind by kind: the goals, the program that holds them and its answer."""
    goals = []
    for name, peaks in kinds:
        peak, relaxed, held, values = least_largest(
            held, peaks, means.solver, means.seconds, draws, values
        )
        goals.append(Goal(f"fairness_{name}", peak, relaxed))
    return goals, held, values


def _fairest_searched(
    held: LinearProgram,
    kinds: Sequence[tuple[str, Peaks]],
    means: Means,
    draws: Rounding,
    values: NDArray[np.float64],
    n_whole: int,
) -> _Fair | None:
    """Goal 4 over all whole lots that money leaves open; None where that is not to be had.

    It would take long for many draws; and a search may say that there are no lots at all, though
    the answer of the money goals has some: then theirs are held, as for many draws.
    """
    if n_whole > SEARCHED_FOR_FAIRNESS:
        return None
    try:
        return _fairest(held, kinds, means, draws, values)
    except SolverFailure as failed:
        if failed.kind != "infeasible" or not n_whole:
            raise
        return None


def _fewer_lots(
    held: LinearProgram,
    model: PlanModel,
    means: Means,
    rounded: Rounding,
    values: NDArray[np.float64],
) -> NDArray[np.float64]:
    """An answer that reaches every goal, with no more lots than need be where that is quick to see.

    The fewest parts of lots are rounded up to whole ones; where that gives up a goal the lots that
    the search for the last goal found are kept.
    """
    cost = column_cost(len(held.cost), (model.at.lots, 1.0))
    relaxed = dataclasses.replace(held, cost=cost, integer=None)
    fewest = solve(relaxed, solver=means.solver, seconds=means.seconds).values
    fixed = with_whole_fixed(held, rounded(fewest))
    if (fixed.lower > fixed.upper).any():
        return values
    try:
        found = solve(fixed, solver=means.solver, seconds=means.seconds).values
    except SolverFailure as failed:
        if failed.kind == "time":
            raise
        return values
    return found if found[model.at.lots].sum() < values[model.at.lots].sum() else values


def _with_lots(
    model: PlanModel,
    cash: Cash,
    terms: Terms,
    means: Means,
    worst: float,
    values: NDArray[np.float64],
) -> LinearProgram:
    """The linear program with the lots of an answer, in which the money goals are held.

    With the lots known their optimal faces are, so no row joins the members to hold them.
    """
    base = with_whole_fixed(model.program, values[: model.at.n])
    levels = money_levels(model, cash, terms)
    return _in_order(_worst_capped(base, model, worst), levels, means).held


def _on_worst_face(program: LinearProgram, model: PlanModel, level: SolvedLevel) -> LinearProgram:
    """The plan's program on the optimal face of the least worst shortfall.

    Rows behind those of the plan say that a shortfall is not above the worst; where one has a
    price the shortfall is the worst one. A cap alone, missed by a solver's tolerance, would let
    the next goal fall by hundreds of times as much.
    """
    n_rows, n_columns = program.matrix.shape
    face = on_optimal_face(
        program, level.duals[:n_rows], level.reduced_costs[:n_columns], largest_cost=1.0
    )
    lower, upper = face.lower.copy(), face.upper.copy()
    at = model.at.shortfall.ravel()
    worst = at[np.abs(level.duals[n_rows:]) > NOTHING]
    lower[worst] = upper[worst] = level.value
    return dataclasses.replace(face, lower=lower, upper=upper)


def _worst_capped(program: LinearProgram, model: PlanModel, worst: float) -> LinearProgram:
    """The program in which no shortfall exceeds the worst one."""
    upper, at = program.upper.copy(), model.at.shortfall
    upper[at] = np.minimum(upper[at], worst + CAP if worst > NOTHING else 0.0)
    return dataclasses.replace(program, upper=upper)


def _in_order(
    program: LinearProgram,
    levels: Sequence[Level],
    means: Means,
    rounded: Rounding | None = None,
    known: NDArray[np.float64] | None = None,
    begin: Basis | None = None,
) -> LevelledSolution:
    """Levels solved by the means."""
    return solve_in_order(
        program,
        levels,
        solver=means.solver,
        seconds=means.seconds,
        rounded=rounded,
        known=known,
        begin=begin,
    )


def kinds_in_order(cash: Cash) -> list[int]:
    """The kinds that there are, by the order of priority, then by name."""
    first = {int(kind): int(group) for kind, group in zip(cash.kind, cash.group, strict=True)}
    return sorted(first, key=lambda kind: (first[kind], cash.kinds[kind]))


def canonical_cost(model: PlanModel, n: int) -> NDArray[np.float64]:
    """Least debts, with a weight between 1 and 2 of every member and month that has no pattern."""
    at = model.at
    return column_cost(
        n,
        (at.debt, 1 + _noise(at.debt.shape, 1)),
        (at.shortfall, _noise(at.shortfall.shape, 2)),
        (at.bridge, _noise(at.bridge.shape, 3)),
    )


def root_cost(model: PlanModel, months: int) -> NDArray[np.float64]:
    """Least debts and bridges of the shared months, weighted without a pattern."""
    at = model.at
    first = at.debt[:1, :, :months], at.bridge[:1, :, :months]
    return column_cost(
        at.n,
        (first[0], 1 + _noise(first[0].shape, 1)),
        (first[1], 1 + _noise(first[1].shape, 3)),
    )


def _noise(shape: tuple[int, ...], salt: int) -> NDArray[np.float64]:
    """Numbers between 0 and 1 of places alone, the same on every machine (splitmix64)."""
    place = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(salt << 40)
    place = (place + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    place = (place ^ (place >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    place = (place ^ (place >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    place ^= place >> np.uint64(31)
    return np.asarray((place >> np.uint64(44)).astype(np.float64) / (1 << 20)).reshape(shape)


def whole_draws(model: PlanModel, terms: Terms) -> Rounding:
    """Lots worth a try: a relaxation's draws rounded up, never below the least draw."""
    at = model.at
    least = -(-terms.least_draw // terms.lot) if terms.lot else 0

    def rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
        tried = values.copy()
        lots = np.ceil(values[at.lots] - 1e-6)
        lots = np.where(lots > 0, np.maximum(lots, least), 0)
        tried[at.lots] = np.minimum(lots, model.program.upper[at.lots])
        tried[at.draws] = tried[at.lots] > 0
        return tried

    return rounded


def _goal(level: SolvedLevel, unit: float = UNIT / 100) -> Goal:
    """A level's values in yuan."""
    return Goal(level.name, level.value * unit, level.relaxed * unit)
