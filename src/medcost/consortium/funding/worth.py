"""The most worth first: a concave value of what each request gets, by one linear program."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from functools import partial

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.funding.levels import ENLARGED, PRICE_TOLERANCE, Level, Move, rule_rows
from medcost.consortium.funding.problem import Floats, Ints, Problem
from medcost.consortium.solver import Level as Goal
from medcost.consortium.solver import LevelledSolution, LinearProgram, SolverFailure, solve_in_order
from medcost.money import divide_half_away
from medcost.records import dataclass

GOAL = "value"


@dataclass(frozen=True)
class Segment:
    """Up to this share of the request a yuan is worth so much, from where the one before ends."""

    up_to: Fraction
    worth: Fraction


@dataclass(frozen=True)
class Worth:
    """What money is worth: segments that ascend and whose worth falls; weights [requests]."""

    segments: tuple[Segment, ...]
    weights: tuple[Fraction, ...]

    def ends(self, problem: Problem) -> Ints:
        """Where segments end, whole fen [requests, segments]; the last end is the ceiling's."""
        ends = [
            [
                divide_half_away(*(segment.up_to * asked).as_integer_ratio())
                for segment in self.segments
            ]
            for asked in problem.asked.tolist()
        ]
        cut = np.array(ends, np.int64)
        # What a ceiling allows beyond the request is worth what the last segment is.
        cut[:, -1] = np.maximum(cut[:, -1], problem.high)
        return np.minimum(cut, problem.high[:, None])

    def of(self, problem: Problem, fen: Ints) -> Fraction:
        """What an allocation is worth altogether, in fen; exact."""
        ends = self.ends(problem)
        begins = np.column_stack([np.zeros(problem.n, np.int64), ends[:, :-1]])
        inside = np.clip(fen[:, None], begins, ends) - begins
        total = Fraction(0)
        for weight, parts in zip(self.weights, inside.tolist(), strict=True):
            pairs = zip(self.segments, parts, strict=True)
            total += weight * sum((one.worth * part for one, part in pairs), Fraction(0))
        return total


@dataclass(frozen=True)
class MostWorth:
    """The level of the value, and the allocations that have it.

    low, high: fen [requests] between which every one of them lies; equal: bool [rules], rules that
    they all meet with equality.
    """

    level: Level
    low: Ints
    high: Ints
    equal: NDArray[np.bool_]


def most_worth(problem: Problem, worth: Worth) -> MostWorth:
    """Allocations of the highest value; the problem must have a solution.

    A request's share is cut at the ends of the segments. Worth falls from segment to segment, so
    they fill in order, and an optimal face is one interval for each request. Raises
    SolverFailure.
    """
    ends = worth.ends(problem)
    program, cost = _program(problem, worth, ends)
    found = _solved(program, cost)
    solved, held = found.levels[0], found.held
    asked, n_segments = problem.asked, len(worth.segments)
    low = np.rint(held.lower.reshape(-1, n_segments).sum(axis=1) * asked).astype(np.int64)
    high = np.rint(held.upper.reshape(-1, n_segments).sum(axis=1) * asked).astype(np.int64)
    reduced = -solved.reduced_costs.reshape(-1, n_segments) * problem.scale / asked[:, None]
    floor_at = np.minimum((ends <= problem.low[:, None]).sum(axis=1), n_segments - 1)
    ceiling_at = np.argmax(ends >= problem.high[:, None], axis=1)
    each = np.arange(problem.n)
    prices = -solved.duals * ENLARGED
    level = Level(
        GOAL,
        -solved.value * problem.scale,
        np.zeros(0, np.int64),
        _priced(prices),
        _priced(np.minimum(reduced[each, floor_at], 0.0)),
        _priced(np.maximum(reduced[each, ceiling_at], 0.0)),
        partial(_resolved, problem, worth),
    )
    equal = (held.row_lower == held.row_upper)[: len(problem.rules)]
    return MostWorth(level, low, high, equal & (level.prices != 0))


def _program(problem: Problem, worth: Worth, ends: Ints) -> tuple[LinearProgram, Floats]:
    """Columns are the segments of each request, in shares of it; the cost is minus the worth."""
    from scipy import sparse

    n_segments = len(worth.segments)
    asked = problem.asked.astype(np.float64)[:, None]
    begins = np.column_stack([np.zeros(problem.n, np.int64), ends[:, :-1]])
    filled = np.clip(problem.low[:, None], begins, ends) - begins
    rows = rule_rows(problem)
    repeat = sparse.kron(sparse.identity(problem.n), np.ones((1, n_segments)), format="csr")
    slopes = np.array([float(segment.worth) for segment in worth.segments])
    weights = np.array([float(weight) for weight in worth.weights])
    cost = -(weights[:, None] * slopes * asked / problem.scale).reshape(-1)
    program = LinearProgram(
        cost,
        (filled / asked).reshape(-1),
        ((ends - begins) / asked).reshape(-1),
        sparse.csr_matrix(rows.matrix @ repeat),
        rows.lower,
        np.full(len(rows.lower), np.inf),
        None,
    )
    return program, cost


def _solved(program: LinearProgram, cost: Floats) -> LevelledSolution:
    """The solution of HiGHS or, where that stumbles, of GLOP; raises SolverFailure."""
    goals = [Goal(GOAL, cost)]
    try:
        return solve_in_order(program, goals)
    except SolverFailure as failure:
        if failure.kind != "numerical":
            raise
        return solve_in_order(program, goals, solver="glop")


def _priced(prices: Floats) -> Floats:
    return np.where(np.abs(prices) > PRICE_TOLERANCE, prices, 0.0)


def _resolved(problem: Problem, worth: Worth, move: Move) -> float | None:
    """The highest value, in fen, with one bound moved."""
    low, high, rules = problem.low.copy(), problem.high.copy(), list(problem.rules)
    if move.bound == "rule":
        rule = rules[move.position]
        rules[move.position] = dataclasses.replace(rule, bound=rule.bound + move.fen * rule.per_fen)
    elif move.bound == "floor":
        low[move.position] += move.fen
    else:
        high[move.position] += move.fen
    if (low > high).any() or (low < 0).any():
        return None
    moved = dataclasses.replace(problem, low=low, high=high, rules=tuple(rules))
    program, cost = _program(moved, worth, worth.ends(moved))
    try:
        return -_solved(program, cost).levels[0].value * problem.scale
    except SolverFailure as failure:
        if failure.kind != "infeasible":
            raise
        return None
