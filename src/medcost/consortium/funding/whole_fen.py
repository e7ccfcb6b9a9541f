"""Fractions of a fen made whole, every rule held in integers."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor

import numpy as np

from medcost.consortium.funding.problem import Ints, Problem
from medcost.consortium.solver import LinearProgram, SolverFailure, solve
from medcost.errors import InvariantBroken

# Fen that the requests of one kind may gain or lose together in a repair.
MOST_MOVED = 1000


def to_whole_fen(problem: Problem, exact: Sequence[Fraction]) -> Ints:
    """Whole fen near the exact amounts that keep every bound and rule; int64 [requests].

    Each amount is cut to whole fen; the fen that are missing from the sum, itself cut, go to the
    largest pieces cut off, equal ones by position. Where a rule is then short of some fen, single
    fen are added, taken or moved, those that distort least first. Raises InvariantBroken where
    no such moves do.
    """
    fen = [
        min(max(floor(part), low), high)
        for part, low, high in zip(exact, problem.low.tolist(), problem.high.tolist(), strict=True)
    ]
    missing = floor(sum(exact, Fraction(0))) - sum(fen)
    order = sorted(range(problem.n), key=lambda j: (fen[j] - exact[j], j))
    for j in order:
        if missing <= 0:
            break
        if fen[j] < problem.high[j] and fen[j] < exact[j]:
            fen[j], missing = fen[j] + 1, missing - 1
    whole = np.array(fen, np.int64)
    _repair(problem, whole, exact)
    require_rules(problem, whole)
    return whole


def require_rules(problem: Problem, fen: Ints) -> None:
    """Stop where whole fen break a bound or a rule. Raises InvariantBroken."""
    outside = np.flatnonzero((fen < problem.low) | (fen > problem.high))
    if len(outside):
        raise InvariantBroken(f"request {int(outside[0])} is allocated beyond its bounds")
    for rule in problem.rules:
        short = -rule.slack(fen)
        if short > 0:
            missing = Fraction(short, rule.per_fen)
            raise InvariantBroken(f"rule {rule.name}: {missing} fen are missing")


def _repair(problem: Problem, fen: Ints, exact: Sequence[Fraction]) -> None:
    """Move as few single fen as it takes, in place, until no rule is short.

    Requests with the same coefficients in every rule are of one kind. How many fen each kind gains
    and loses is a small program in whole numbers; within a kind the request that a fen distorts
    least moves. Where no move does, the rules stay short.
    """
    slack = [rule.slack(fen) for rule in problem.rules]
    if all(over >= 0 for over in slack):
        return
    columns = np.array([rule.coefficients for rule in problem.rules], np.int64)
    kinds, kind_of = np.unique(columns.T, axis=0, return_inverse=True)
    members = [np.flatnonzero(kind_of.reshape(-1) == kind) for kind in range(len(kinds))]
    # Rather move a fen than leave it to nobody.
    moves = _fewest_moves(problem, fen, slack, kinds, members, least_net=0)
    if moves is None:
        moves = _fewest_moves(problem, fen, slack, kinds, members, least_net=-MOST_MOVED)
    if moves is None:
        return
    for step, counts in zip((1, -1), moves, strict=True):
        for inside, count in zip(members, counts.tolist(), strict=True):
            for _ in range(count):
                fen[_least_distorted(problem, fen, exact, inside, step)] += step


def _fewest_moves(
    problem: Problem,
    fen: Ints,
    slack: Sequence[int],
    kinds: Ints,
    members: Sequence[Ints],
    least_net: int,
) -> tuple[Ints, Ints] | None:
    """How many fen each kind gains and loses, int64 [kinds]; None where no moves are enough.

    least_net: fen that are gained less those lost, at least.
    """
    from scipy import sparse

    up, down = (
        np.array([min(int(room[inside].sum()), MOST_MOVED) for inside in members], np.float64)
        for room in (problem.high - fen, fen - problem.low)
    )
    n = len(kinds)
    # Of equally few moves those of the earlier kinds.
    price = 1 + np.arange(2 * n) / (1000.0 * n)
    gained = np.concatenate([kinds.T, np.ones((1, n), np.int64)])
    program = LinearProgram(
        price,
        np.zeros(2 * n),
        np.concatenate([up, down]),
        sparse.csr_matrix(np.concatenate([gained, -gained], axis=1).astype(np.float64)),
        np.append(-np.array(slack, np.float64), least_net),
        np.full(len(slack) + 1, np.inf),
        np.ones(2 * n, np.bool_),
    )
    try:
        values = np.rint(solve(program).values).astype(np.int64)
    except SolverFailure as failure:
        if failure.kind != "infeasible":
            raise
        return None
    return values[:n], values[n:]


def _least_distorted(
    problem: Problem, fen: Ints, exact: Sequence[Fraction], inside: Ints, step: int
) -> int:
    """The request whose distance from the exact amount a fen more (or less) changes least.

    Of equal ones the first has a fen more and the last a fen less.
    """
    bound = problem.high if step > 0 else problem.low
    listed: list[int] = inside.tolist()
    free = [j for j in listed[::step] if int(fen[j]) != int(bound[j])]
    return min(free, key=lambda j: step * (int(fen[j]) + step - exact[j]))
