"""Levels found in floating point made exact: the rules they stop at, solved in fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from medcost.consortium.funding.levels import AT_CEILING, AT_FLOOR, AT_LEVEL, Raised
from medcost.consortium.funding.problem import Ints, Problem
from medcost.records import dataclass

# By how much shares may be out of order: where they were solved in fractions, by what floating
# point took to be at a bound; else by what it can leave behind at all.
NEAR, ESTIMATED_NEAR = Fraction(1, 10**8), Fraction(1, 10**3)


@dataclass(frozen=True)
class _Known:
    """What is known of each request: its fen at a bound, or else which unknown share it has."""

    at: list[int]
    unknown: list[int]
    n_unknown: int


def exact_fen(
    problem: Problem,
    raised: Raised,
    equal: Sequence[int] = (),
    totals: tuple[Ints, Raised] | None = None,
) -> list[Fraction] | None:
    """What each request gets in fractions of a fen; None where the levels do not tell it.

    Each request is a group of its own. At a bound it gets the bound, at a level its share of what
    it asked. The rules whose price at some level is not 0, and those of equal, hold with equality,
    and so do totals of groups raised before (group int64 [requests], and what that came to): as
    many equations as it takes for the levels' shares. The result is checked against every bound
    and rule.
    """
    levels = [*raised.levels, *(() if totals is None else totals[1].levels)]
    tight = sorted({*equal, *(int(r) for one in levels for r in np.flatnonzero(one.prices))})
    known = _known(problem, raised)
    groups = [] if totals is None else _levels_used(totals[1])
    width = known.n_unknown + len(groups)
    rows = [
        _equation(problem.rules[r].coefficients, problem.rules[r].bound, problem, known, width)
        for r in tight
    ]
    if totals is not None:
        rows += _of_totals(problem, *totals, known, groups)
    shares = solve_exactly(rows, width)
    if shares is None:
        return None
    fen = [
        Fraction(known.at[j]) if level < 0 else shares[level] * int(problem.asked[j])
        for j, level in enumerate(known.unknown)
    ]
    return fen if _holds(problem, fen) else None


def _levels_used(raised: Raised) -> list[int]:
    """Levels with an unknown share; one at which floors alone stop has none."""
    return [int(level) for level in np.unique(raised.level_of[raised.status == AT_LEVEL])]


def _known(problem: Problem, raised: Raised) -> _Known:
    used = _levels_used(raised)
    bounds = zip(raised.status.tolist(), problem.low.tolist(), problem.high.tolist(), strict=True)
    at = [{AT_CEILING: high, AT_FLOOR: low}.get(status, 0) for status, low, high in bounds]
    of_level = zip(raised.status.tolist(), raised.level_of.tolist(), strict=True)
    unknown = [used.index(level) if status == AT_LEVEL else -1 for status, level in of_level]
    return _Known(at, unknown, len(used))


def _equation(
    coefficients: Ints, bound: int, problem: Problem, known: _Known, width: int
) -> list[Fraction]:
    """A sum that equals its bound, in the unknown shares: their weights and, last, the rest."""
    row = [Fraction(0)] * width + [Fraction(bound)]
    for j in np.flatnonzero(coefficients).tolist():
        weight = int(coefficients[j])
        if known.unknown[j] < 0:
            row[-1] -= weight * known.at[j]
        else:
            row[known.unknown[j]] += weight * int(problem.asked[j])
    return row


def _of_totals(
    problem: Problem, group: Ints, raised: Raised, known: _Known, used: Sequence[int]
) -> list[list[Fraction]]:
    """Each group's requests add up to its share of what it asked, or to its bound."""
    rows = []
    for place, status in enumerate(raised.status.tolist()):
        inside = group == place
        bound = problem.low if status == AT_FLOOR else problem.high
        fixed = 0 if status == AT_LEVEL else sum(bound[inside].tolist())
        width = known.n_unknown + len(used)
        row = _equation(inside.astype(np.int64), fixed, problem, known, width)
        if status == AT_LEVEL:
            column = known.n_unknown + used.index(int(raised.level_of[place]))
            row[column] -= sum(problem.asked[inside].tolist())
        rows.append(row)
    return rows


def _holds(problem: Problem, fen: list[Fraction]) -> bool:
    bounds = zip(fen, problem.low.tolist(), problem.high.tolist(), strict=True)
    return all(low <= part <= high for part, low, high in bounds) and all(
        rule.exact_slack(fen) >= 0 for rule in problem.rules
    )


def find_unlevel(
    problem: Problem, fen: Sequence[Fraction], by_unit: bool, near: Fraction
) -> int | None:
    """A request that a fen of one alike but better satisfied could go to; None: there is none.

    Alike are requests with the same coefficients in every rule and, by_unit, of one member: a fen
    of the one may be one of the other whatever the rules are, so the least satisfied that is below
    its ceiling has no less than the best satisfied that is above its floor, but for a fen and the
    share near of what it asked. This trusts no solver. O(requests log requests).
    """
    columns = [rule.coefficients for rule in problem.rules] + [problem.unit] * by_unit
    kind_of = np.unique(np.array(columns).T, axis=0, return_inverse=True)[1].reshape(-1)
    least: dict[int, tuple[Fraction, int]] = {}
    best: dict[int, Fraction] = {}
    bounds = zip(problem.low.tolist(), problem.high.tolist(), problem.asked.tolist(), strict=True)
    for j, (low, high, asked) in enumerate(bounds):
        kind, share, little = int(kind_of[j]), fen[j] / asked, 1 + asked * near
        if fen[j] + little < high:
            # A share that lies below by no more than a little is no complaint.
            short = share + little / asked
            least[kind] = min(least.get(kind, (short, j)), (short, j))
        if fen[j] - little > low:
            best[kind] = max(best.get(kind, share), share)
    for kind, (short, j) in sorted(least.items()):
        if best.get(kind, short) > short:
            return j
    return None


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
