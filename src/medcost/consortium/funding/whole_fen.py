"""Fractions of a fen made whole, every rule held in integers."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor

import numpy as np

from medcost.consortium.funding.problem import Ints, Problem
from medcost.errors import InvariantBroken


def to_whole_fen(problem: Problem, exact: Sequence[Fraction]) -> Ints:
    """Whole fen near the exact amounts that keep every bound and rule; int64 [requests].

    Each amount is cut to whole fen; the fen that are missing from the sum, itself cut, go to the
    largest pieces cut off, equal ones by position. Where a rule is then short of some fen, single
    fen are added, taken or moved, those that distort least first. Raises InvariantBroken where
    that does not do.
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


class _Moves:
    """Single fen that can be added or taken, one for each kind of request."""

    def __init__(self, problem: Problem, exact: Sequence[Fraction]) -> None:
        self.problem, self.exact = problem, exact
        columns = np.array([rule.coefficients for rule in problem.rules], np.int64)
        kinds, self.kind_of = np.unique(columns.T, axis=0, return_inverse=True)
        self.kind_of = self.kind_of.reshape(-1)
        self.columns: list[list[int]] = kinds.tolist()
        self.per_fen = [rule.per_fen for rule in problem.rules]

    def short(self, slack: Sequence[int]) -> Fraction:
        """By how many fen rules are short, together."""
        pairs = zip(slack, self.per_fen, strict=True)
        return sum((Fraction(-over, per) for over, per in pairs if over < 0), Fraction(0))

    def best(self, fen: Ints, step: int) -> list[int]:
        """Of each kind the request that a fen more (or less) distorts least, -1 for none.

        Of equal ones the first has a fen more and the last a fen less.
        """
        found, cost = [-1] * len(self.columns), [Fraction(0)] * len(self.columns)
        for j in range(self.problem.n)[::step]:
            kind = int(self.kind_of[j])
            after = int(fen[j]) + step
            if not self.problem.low[j] <= after <= self.problem.high[j]:
                continue
            distorted = step * (after - self.exact[j])
            if found[kind] < 0 or distorted < cost[kind]:
                found[kind], cost[kind] = j, distorted
        return found


def _repair(problem: Problem, fen: Ints, exact: Sequence[Fraction]) -> None:
    """Move single fen, in place, until no rule is short or no move helps."""
    slack = [rule.slack(fen) for rule in problem.rules]
    if all(over >= 0 for over in slack):
        return
    moves = _Moves(problem, exact)
    while (short := moves.short(slack)) > 0:
        chosen, best_short = None, short
        more, less = moves.best(fen, 1), moves.best(fen, -1)
        for up, gains in enumerate([None, *more]):
            for down, loses in enumerate([None, *less]):
                if gains == -1 or loses in (-1, gains):
                    continue
                change = [0] * len(slack)
                if gains is not None:
                    change = list(moves.columns[up - 1])
                if loses is not None:
                    change = [a - b for a, b in zip(change, moves.columns[down - 1], strict=True)]
                after = moves.short([a + b for a, b in zip(slack, change, strict=True)])
                if after < best_short:
                    chosen, best_short, best_change = (gains, loses), after, change
        if chosen is None:
            return
        gains, loses = chosen
        if gains is not None:
            fen[gains] += 1
        if loses is not None:
            fen[loses] -= 1
        slack = [a + b for a, b in zip(slack, best_change, strict=True)]
