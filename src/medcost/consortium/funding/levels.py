"""The least satisfied first: leximin by linear programs, each level with what it stops at.

A group is a request, or all requests of a member; its satisfied share is what it gets of what it
asked for. Everybody's share is raised together. Where some cannot rise any further, because of a
ceiling or because a rule stands in the way (its price is not 0), they stay there and the others
go on. The satisfied shares that come out are the only ones that are best in this sense, so no
order of rows and no path of the solver can change them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.funding.problem import Floats, Ints, Problem
from medcost.consortium.solver import LinearProgram, Solution, SolverFailure, solve
from medcost.records import dataclass

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

RISING, AT_LEVEL, AT_CEILING, AT_FLOOR = 0, 1, 2, 3
# A price counts beside what it would be if all that can rise were stopped by one rule.
PRICE_TOLERANCE = 1e-7
SHARE_TOLERANCE = 1e-9
# Up to so many kinds of requests are looked at one by one.
MOST_KINDS = 16
# Rows are this much larger than shares of all money, which solvers take to be equal within 1e-7.
ENLARGED = 1e4
# By how much of a share what is kept may be missed, so that no program is refused for a last bit;
# the larger ones where the first does not do.
KEPT = (2e-11, 1e-10, 1e-9, 1e-8, 1e-7)


@dataclass(frozen=True)
class Move:
    """A bound moved: of a rule, or the floor or ceiling of a request, by so many fen."""

    bound: Literal["rule", "floor", "ceiling"]
    position: int
    fen: int


@dataclass(frozen=True)
class FixedTotals:
    """Groups that keep their satisfied shares: group int64 [requests], shares float [groups].

    No other shares are as good as those that were raised, so groups that have no less have these.
    """

    group: Ints
    shares: Floats


@dataclass(frozen=True)
class Level:
    """One level: a satisfied share at which groups are stopped.

    name: for people; value: the share; groups: those stopped; prices: of each rule, float [rules],
    what one more fen that the rule asks for adds to the value (not above 0); floor_prices and
    ceiling_prices: the same of the bounds of each request, float [requests]; resolved: the value
    with one bound moved, None where the levels before cannot be kept then.
    """

    name: str
    value: float
    groups: Ints
    prices: Floats
    floor_prices: Floats
    ceiling_prices: Floats
    resolved: Callable[[Move], float | None]


@dataclass(frozen=True)
class Raised:
    """What raising came to.

    status: int64 [groups], AT_LEVEL, AT_CEILING or AT_FLOOR; level_of: int64 [groups], -1 where at
    a bound; shares: float [groups].
    """

    levels: tuple[Level, ...]
    status: Ints
    level_of: Ints
    shares: Floats


@dataclass(frozen=True)
class RuleRows:
    """The rules as rows over the satisfied share of each request, all at least lower."""

    matrix: csr_matrix
    lower: Floats


def rule_rows(problem: Problem) -> RuleRows:
    """Rows in shares of all that was asked for, ENLARGED."""
    from scipy import sparse

    n, n_rules = problem.n, len(problem.rules)
    unit = np.array([rule.per_fen for rule in problem.rules], np.float64)
    unit *= problem.scale / ENLARGED
    weights = np.array([rule.coefficients for rule in problem.rules], np.float64)
    weights = weights.reshape(n_rules, n) * problem.asked / unit[:, None]
    lower = np.array([float(rule.bound) for rule in problem.rules]) / unit
    return RuleRows(sparse.csr_matrix(weights), lower)


def _kinds(problem: Problem, group: Ints, fixed: FixedTotals | None) -> Ints:
    """Which groups are alike in every rule, int64 [groups]; a group of several is alone."""
    if len(np.unique(group)) < len(group):
        return np.arange(int(group.max()) + 1)
    columns = [rule.coefficients for rule in problem.rules]
    columns += [] if fixed is None else [fixed.group]
    found = np.unique(np.array(columns, np.int64).T, axis=0, return_inverse=True)[1]
    kinds = np.zeros(len(group), np.int64)
    kinds[group] = found.reshape(-1)
    return kinds


def _share_rows(asked: Floats, group: Ints) -> csr_matrix:
    """The satisfied share of each group, ENLARGED, of those of its requests."""
    from scipy import sparse

    n = len(group)
    of_group = np.bincount(group, weights=asked)
    entries = ENLARGED * asked / of_group[group]
    return sparse.csr_matrix((entries, (group, np.arange(n))), shape=(len(of_group), n))


class _Raising:
    """The programs of one problem, which differ in the groups that still rise."""

    def __init__(
        self,
        problem: Problem,
        group: Ints,
        equal: NDArray[np.bool_],
        fixed: FixedTotals | None,
        kept: float,
    ) -> None:
        from scipy import sparse

        self.problem, self.group, self.kept = problem, group, kept
        self.n_groups = int(group.max()) + 1
        asked, rows = problem.asked.astype(np.float64), rule_rows(problem)
        self.asked_of = np.bincount(group, weights=asked, minlength=self.n_groups)
        self.rules, self.rule_lower = rows.matrix, rows.lower
        self.rule_upper = np.where(equal, rows.lower + ENLARGED * kept, np.inf)
        self.shares = _share_rows(asked, group)
        if fixed is not None:
            self.rules = sparse.vstack([rows.matrix, _share_rows(asked, fixed.group)], format="csr")
            self.rule_lower = np.append(self.rule_lower, ENLARGED * (fixed.shares - kept))
            self.rule_upper = np.append(self.rule_upper, np.full(len(fixed.shares), np.inf))
        self.low, self.high = problem.low / asked, problem.high / asked
        self.kind_of = _kinds(problem, group, fixed)

    def shares_of(self, parts: Floats) -> Floats:
        """The satisfied share of each group, of that of each request."""
        return np.asarray(self.shares @ parts) / ENLARGED

    def is_near(self, shares: Floats, floor: Floats) -> NDArray[np.bool_]:
        """Which groups are at their floors, but for what the others together may be missed by."""
        tolerance = 5 * self.kept * self.problem.scale / self.asked_of + SHARE_TOLERANCE
        return np.asarray(shares <= floor + tolerance)

    def program(self, rising: NDArray[np.bool_], least: Floats, above: float) -> LinearProgram:
        """Maximise the common share of those rising, up to above, while the others keep theirs."""
        from scipy import sparse

        n_rules, n = self.rules.shape
        common = sparse.csr_matrix(-ENLARGED * rising.reshape(-1, 1))
        matrix = sparse.bmat(
            [[self.rules, sparse.csr_matrix((n_rules, 1))], [self.shares, common]], format="csr"
        )
        return LinearProgram(
            np.append(np.zeros(n), -1.0),
            np.append(self.low, 0.0),
            np.append(self.high, above),
            matrix,
            np.concatenate(
                [self.rule_lower, np.where(rising, 0.0, ENLARGED * (least - self.kept))]
            ),
            np.concatenate([self.rule_upper, np.full(self.n_groups, np.inf)]),
            None,
        )

    def keeping(self, least: Floats, gain: Floats | None = None) -> LinearProgram:
        """All groups keep at least these shares; gain: float [requests], what is maximised."""
        from scipy import sparse

        return LinearProgram(
            np.zeros(self.problem.n) if gain is None else -gain,
            self.low,
            self.high,
            sparse.vstack([self.rules, self.shares], format="csr"),
            np.concatenate([self.rule_lower, ENLARGED * (least - self.kept)]),
            np.concatenate([self.rule_upper, np.full(self.n_groups, np.inf)]),
            None,
        )

    def most_above(self, rising: NDArray[np.bool_], least: Floats) -> Floats:
        """What each request gets when those rising get as much as they can together."""
        gain = np.asarray(self.shares[np.flatnonzero(rising)].sum(axis=0)).reshape(-1)
        return np.asarray(solved(self.keeping(least, gain)).values)


def solved(program: LinearProgram) -> Solution:
    """The solution of HiGHS or, where that stumbles over a last bit, of GLOP; raises SolverFailure.

    Programs of a rise are degenerate: much is kept exactly where it can only just be.
    """
    try:
        return solve(program)
    except SolverFailure as failure:
        if failure.kind != "numerical":
            raise
        return solve(program, solver="glop")


def _is_solvable(program: LinearProgram) -> bool:
    try:
        solved(program)
    except SolverFailure as failure:
        if failure.kind != "infeasible":
            raise
        return False
    return True


def raise_shares(
    problem: Problem,
    group: Ints,
    equal: NDArray[np.bool_] | None = None,
    fixed: FixedTotals | None = None,
    name: str = "request",
) -> Raised:
    """Raise the satisfied shares of all groups, the least first.

    group: int64 [requests], 0 to groups - 1; equal: bool [rules], rules that hold with equality;
    fixed: totals that stay as they are.
    The problem must have a solution. Ceilings are met by bisection over their sorted shares, a
    rule that stops the rise takes one program: O((rules + 1) log requests) programs in all.
    Raises SolverFailure.
    """
    if equal is None:
        equal = np.zeros(len(problem.rules), np.bool_)
    *first, last = KEPT
    for kept in first:
        try:
            return _raised(_Raising(problem, group, equal, fixed, kept), name)
        except SolverFailure as failure:
            if failure.kind != "infeasible":
                raise
    return _raised(_Raising(problem, group, equal, fixed, last), name)


def _raised(of: _Raising, name: str) -> Raised:
    ceiling = of.shares_of(of.high)
    floor = of.shares_of(of.low)
    status = np.full(of.n_groups, RISING)
    level_of = np.full(of.n_groups, -1)
    least = floor.copy()
    levels: list[Level] = []
    reached = 0.0
    while (status == RISING).any():
        rising = status == RISING
        reached, above = _stretch(of, rising, least, ceiling, reached)
        full = rising & (ceiling <= reached + SHARE_TOLERANCE)
        status[full], least[full] = AT_CEILING, ceiling[full]
        rising &= ~full
        if not rising.any():
            break
        level = _next_level(of, rising, least, above, f"{name} {len(levels) + 1}")
        if level is None:
            # The whole stretch can be had: those at its end are at their ceilings.
            reached = above
            continue
        reached = max(level.value, reached)
        stopped = level.groups
        if (ceiling[stopped] <= reached + SHARE_TOLERANCE).all() and not level.prices.any():
            # Their ceilings alone stop them, a last bit below the end of the stretch.
            status[stopped], least[stopped] = AT_CEILING, ceiling[stopped]
            continue
        levels.append(level)
        status[stopped], level_of[stopped], least[stopped] = AT_LEVEL, len(levels) - 1, level.value
        at_floor = stopped[of.is_near(np.full(of.n_groups, level.value), floor)[stopped]]
        status[at_floor], level_of[at_floor], least[at_floor] = AT_FLOOR, -1, floor[at_floor]
        rising[stopped] = False
        if rising.any():
            status[_held(of, rising, least, floor)] = AT_FLOOR
    return Raised(tuple(levels), status, level_of, least)


def _stretch(
    of: _Raising, rising: NDArray[np.bool_], least: Floats, ceiling: Floats, reached: float
) -> tuple[float, float]:
    """The highest share of a ceiling that all who rise can have, and the next one above."""
    points = np.unique(np.append(ceiling[rising], reached))
    points = points[points >= reached]

    def holds(share: float) -> bool:
        wanted = np.where(rising, np.maximum(np.minimum(share, ceiling), least), least)
        return _is_solvable(of.keeping(wanted))

    low, high = 0, len(points)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(float(points[middle])) else (low, middle)
    last = float(points[high]) if high < len(points) else float(points[-1])
    return float(points[low]), last


def _next_level(
    of: _Raising,
    rising: NDArray[np.bool_],
    least: Floats,
    above: float,
    name: str,
) -> Level | None:
    program = of.program(rising, least, above)
    found = solved(program)
    n_rules, n = of.rules.shape
    duals, stopping = -found.duals[:n_rules], ENLARGED * found.duals[n_rules:]
    share_of_asked = of.asked_of / of.asked_of[rising].sum()
    stopped = np.flatnonzero(rising & (stopping > PRICE_TOLERANCE * share_of_asked))
    if not len(stopped):
        return None
    at_bound = _priced(-found.reduced_costs[:n] / of.problem.asked, of.problem)
    n_own = len(of.problem.rules)
    return Level(
        name,
        float(found.values[-1]),
        stopped,
        _priced(ENLARGED * duals[:n_own] / of.problem.scale, of.problem),
        np.minimum(at_bound, 0.0),
        np.maximum(at_bound, 0.0),
        partial(_resolved, program, of.problem),
    )


def _priced(prices: Floats, problem: Problem) -> Floats:
    """Prices of a share, those that are noise of the solver set to 0."""
    return np.where(np.abs(prices) * problem.scale > PRICE_TOLERANCE, prices, 0.0)


def _resolved(program: LinearProgram, problem: Problem, move: Move) -> float | None:
    """The common share with one bound moved and all else of the level kept."""
    lower, upper, row_lower = program.lower.copy(), program.upper.copy(), program.row_lower.copy()
    j = move.position
    if move.bound == "rule":
        row_lower[j] += move.fen * ENLARGED / problem.scale
    elif move.bound == "floor":
        lower[j] += move.fen / problem.asked[j]
    else:
        upper[j] += move.fen / problem.asked[j]
    moved = dataclasses.replace(program, lower=lower, upper=upper, row_lower=row_lower)
    try:
        return -solved(moved).objective
    except SolverFailure as failure:
        if failure.kind != "infeasible":
            raise
        return None


def _held(
    of: _Raising, rising: NDArray[np.bool_], least: Floats, floor: Floats
) -> NDArray[np.bool_]:
    """Which of those still rising can have no more than their floors, bool [groups].

    A fen for one request can be one for any other that is alike in every rule and has room, so
    alike ones rise together or not at all: one program for each kind. Of more kinds than a few,
    all are looked at together.
    """
    kinds = np.where(rising, of.kind_of, -1)
    listed = np.unique(kinds[rising])
    if len(listed) > MOST_KINDS:
        kinds, listed = np.where(rising, 0, -1), np.zeros(1, np.int64)
    held = np.zeros(of.n_groups, np.bool_)
    for kind in listed.tolist():
        inside = kinds == kind
        most = of.shares_of(of.most_above(inside, least))
        if of.is_near(most, floor)[inside].all():
            held |= inside
    return held


def estimated_fen(
    problem: Problem, raised: Raised, equal: NDArray[np.bool_], fixed: FixedTotals | None
) -> Floats:
    """Fen of each request, float [requests], as floating point has them."""
    group = np.arange(problem.n)
    of = _Raising(problem, group, equal, fixed, KEPT[-1])
    return of.most_above(np.ones(problem.n, np.bool_), raised.shares) * problem.asked
