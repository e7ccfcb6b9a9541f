"""Levels found in floating point made exact: the rules they stop at, solved in fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from medcost.consortium.funding.levels import AT_CEILING, AT_FLOOR, AT_LEVEL, Raised
from medcost.consortium.funding.problem import Ints, Problem


def exact_fen(problem: Problem, raised: Raised, equal: Sequence[int] = ()) -> list[Fraction] | None:
    """What each request gets in fractions of a fen; None where the levels do not tell it.

    Each request is a group of its own. At a bound it gets the bound, at a level its share of what
    it asked. The rules whose price at some level is not 0, and those of equal, hold with equality:
    as many equations as it takes for the levels' shares. The result is checked against every
    bound and rule.
    """
    # A level at which floors alone stop has nothing to be solved for.
    used = np.unique(raised.level_of[raised.status == AT_LEVEL]).tolist()
    n_levels, place = len(used), {level: i for i, level in enumerate(used)}
    tight = sorted({*equal, *(int(r) for one in raised.levels for r in np.flatnonzero(one.prices))})
    at = [
        {AT_CEILING: int(high), AT_FLOOR: int(low)}.get(status, 0)
        for status, low, high in zip(
            raised.status.tolist(), problem.low.tolist(), problem.high.tolist(), strict=True
        )
    ]
    level_of = [
        place[level] if status == AT_LEVEL else -1
        for status, level in zip(raised.status.tolist(), raised.level_of.tolist(), strict=True)
    ]
    rows = [_equation(problem, r, at, level_of, n_levels) for r in tight]
    shares = solve_exactly(rows, n_levels)
    if shares is None:
        return None
    fen = [
        Fraction(at[j]) if level < 0 else shares[level] * int(problem.asked[j])
        for j, level in enumerate(level_of)
    ]
    holds = all(rule.exact_slack(fen) >= 0 for rule in problem.rules) and all(
        low <= part <= high
        for part, low, high in zip(fen, problem.low.tolist(), problem.high.tolist(), strict=True)
    )
    return fen if holds else None


def _equation(
    problem: Problem, r: int, at: Sequence[int], level_of: Sequence[int], n_levels: int
) -> list[Fraction]:
    """A rule with equality in the levels' shares: their weights and, last, what they add up to."""
    rule = problem.rules[r]
    row = [Fraction(0)] * n_levels + [Fraction(rule.bound)]
    for j in np.flatnonzero(rule.coefficients).tolist():
        weight = int(rule.coefficients[j])
        if level_of[j] < 0:
            row[-1] -= weight * at[j]
        else:
            row[level_of[j]] += weight * int(problem.asked[j])
    return row


def solve_exactly(rows: list[list[Fraction]], n: int) -> list[Fraction] | None:
    """The one solution of linear equations, each n weights and a right side; None if not single."""
    rows, done = [list(row) for row in rows], 0
    for column in range(n):
        pivot = next((i for i in range(done, len(rows)) if rows[i][column]), None)
        if pivot is None:
            return None
        rows[done], rows[pivot] = rows[pivot], rows[done]
        first = [value / rows[done][column] for value in rows[done]]
        rows[done] = first
        for i, row in enumerate(rows):
            if i != done and row[column]:
                rows[i] = [a - row[column] * b for a, b in zip(row, first, strict=True)]
        done += 1
    if any(row[n] for row in rows[done:]):
        return None
    return [rows[i][n] for i in range(n)]


def as_fractions(fen: Sequence[float], low: Ints, high: Ints) -> list[Fraction]:
    """Doubles as the fractions they are, inside their bounds."""
    return [
        min(max(Fraction(part), Fraction(least)), Fraction(most))
        for part, least, most in zip(fen, low.tolist(), high.tolist(), strict=True)
    ]
