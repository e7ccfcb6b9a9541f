"""A budget allocated: feasible or explained, the goals in order, whole fen, every rule held."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from math import ceil
from typing import Literal

import numpy as np

from medcost.consortium.conflicts import bounds_as_rows, explain_conflict
from medcost.consortium.funding.exact_shares import (
    ESTIMATED_NEAR,
    NEAR,
    as_fractions,
    exact_fen,
    find_unlevel,
)
from medcost.consortium.funding.levels import (
    AT_LEVEL,
    ENLARGED,
    FixedTotals,
    Level,
    Move,
    Raised,
    estimated_fen,
    raise_shares,
    rule_rows,
)
from medcost.consortium.funding.problem import Floats, Ints, Problem
from medcost.consortium.funding.whole_fen import to_whole_fen
from medcost.consortium.funding.worth import GOAL, Worth, most_worth
from medcost.consortium.solver import LinearProgram, SolverFailure
from medcost.errors import InvariantBroken
from medcost.money import format_yuan
from medcost.records import dataclass

Kind = Literal["rule", "floor", "ceiling"]
# By how much a goal re-solved may lie above what the price promises, of the goal's size.
PRICE_CHECK = 1e-6
# Floors and ceilings of requests whose prices are checked: each takes two programs.
MOST_CHECKED = 20


@dataclass(frozen=True)
class Goals:
    """What is best: worth: None, or a value that comes before the satisfied shares; of_units:
    whether members' shares are raised before their requests'.
    """

    worth: Worth | None = None
    of_units: bool = False


@dataclass(frozen=True)
class Bound:
    """A rule, or the floor or ceiling of a request, by position."""

    kind: Kind
    position: int


@dataclass(frozen=True)
class BoundChange:
    """How far a bound would have to give, whole fen; alone: were it the only one, None: no use."""

    bound: Bound
    fen: int
    alone: int | None


class RulesConflict(Exception):
    """The rules cannot all hold.

    changes: bounds that give in the smallest sufficient change; conflict: bounds that cannot hold
    together, though any one of them left out would let the others.
    """

    def __init__(
        self, changes: Sequence[tuple[Bound, int]], conflict: Sequence[BoundChange]
    ) -> None:
        self.changes, self.conflict = tuple(changes), tuple(conflict)
        super().__init__(f"{len(self.conflict)} rules cannot hold together")


@dataclass(frozen=True)
class Price:
    """What one more fen in a bound adds to the first goal that it touches.

    per_fen: of a rule in what it asks for, of a floor or ceiling in itself; level: position of the
    goal; more, less: the goal with step fen more and less, None where goals before could not be
    kept or, where it is not is_checked, were not looked at.
    """

    bound: Bound
    level: int
    per_fen: float
    more: float | None
    less: float | None
    is_checked: bool = True


@dataclass(frozen=True)
class Allocation:
    """What every request gets.

    fen: int64 [requests]; levels: goals in order; level_of: int64 [requests], the last goal at
    which it was stopped, -1 where at a bound; is_exact: whether the shares were solved in
    fractions; prices: of bounds that touch a goal.
    """

    fen: Ints
    levels: tuple[Level, ...]
    level_of: Ints
    is_exact: bool
    prices: tuple[Price, ...]


def allocate(problem: Problem, goals: Goals, step: int) -> Allocation:
    """Allocate a budget by its goals in order, to the fen, with the price of every rule.

    step: fen by which bounds are moved to check a price. Raises RulesConflict, SolverFailure;
    InvariantBroken where whole fen break a rule or a price is not borne out.
    """
    require_possible(problem)
    levels: list[Level] = []
    inner, equal = problem, np.zeros(len(problem.rules), np.bool_)
    if goals.worth is not None:
        best = most_worth(problem, goals.worth)
        levels.append(best.level)
        inner = dataclasses.replace(problem, low=best.low, high=best.high)
        equal = best.equal
    totals = None
    if goals.of_units:
        totals = (problem.unit, raise_shares(inner, problem.unit, equal, name="unit"))
        levels += totals[1].levels
    fixed = None if totals is None else FixedTotals(totals[0], totals[1].shares)
    raised = raise_shares(inner, np.arange(problem.n), equal, fixed)
    first = len(levels)
    levels += raised.levels
    parts = exact_fen(inner, raised, np.flatnonzero(equal).tolist(), totals)
    is_exact = parts is not None
    if parts is None:
        estimated = estimated_fen(inner, raised, equal, fixed)
        parts = as_fractions(estimated.tolist(), inner.low, inner.high)
    near = NEAR if is_exact else ESTIMATED_NEAR
    if find_unlevel(inner, parts, goals.of_units, near) is not None:
        largest, smallest = int(problem.asked.max()), int(problem.asked.min())
        what = (
            "the least satisfied request could have more; floating point does not tell requests of "
            f"{format_yuan(smallest)} and of {format_yuan(largest)} yuan apart well enough"
        )
        raise SolverFailure("numerical", what)
    # Bounds that hold the value may be left by the fen of rounding, those of the policy may not.
    fen = to_whole_fen(problem, parts)
    if goals.worth is not None:
        _require_worth(problem, goals.worth, fen, levels[0])
    return Allocation(
        fen,
        tuple(levels),
        _level_of(raised, first),
        is_exact,
        tuple(price_bounds(problem, inner, levels, step)),
    )


def _level_of(raised: Raised, first: int) -> Ints:
    return np.where(raised.status == AT_LEVEL, raised.level_of + first, -1)


def _require_worth(problem: Problem, worth: Worth, fen: Ints, level: Level) -> None:
    """The whole fen are worth what the program promised, but for the rounding of each request."""
    most = max(float(weight * worth.segments[0].worth) for weight in worth.weights)
    allowed = problem.n * 2 * most + PRICE_CHECK * max(1.0, abs(level.value))
    if abs(float(worth.of(problem, fen)) - level.value) > allowed:
        raise InvariantBroken("the allocation is not worth what the solver found")


def require_possible(problem: Problem) -> None:
    """Raise RulesConflict where bounds and rules cannot all hold."""
    from scipy import sparse

    rows = rule_rows(problem)
    n, asked = problem.n, problem.asked.astype(np.float64)
    unit = problem.scale / ENLARGED
    # Columns are fen in units of the rows, so that every row gives in the same unit.
    columns = sparse.csr_matrix(rows.matrix @ sparse.diags(unit / asked))
    program = LinearProgram(
        np.zeros(n),
        problem.low / unit,
        problem.high / unit,
        columns,
        rows.lower,
        np.full(len(rows.lower), np.inf),
        None,
    )
    named = bounds_as_rows(program, np.ones(n, np.bool_))
    bounds = [Bound("rule", r) for r in range(len(problem.rules))]
    bounds += [
        Bound("ceiling" if is_upper else "floor", int(j))
        for j, is_upper in zip(named.column, named.is_upper, strict=True)
    ]
    # However far a floor gives, nobody is allocated less than nothing.
    freed = dataclasses.replace(named.program, lower=np.zeros(n))
    conflict = explain_conflict(freed, np.ones(len(bounds), np.bool_))
    if conflict is None:
        return

    def whole(given: float) -> int:
        return ceil(given * unit - 1e-4)

    raise RulesConflict(
        [(bounds[row], whole(conflict.gives[row])) for row in np.flatnonzero(conflict.gives)],
        [
            BoundChange(
                bounds[row], whole(conflict.gives[row]), None if alone is None else whole(alone)
            )
            for row, alone in zip(conflict.rows, conflict.alone, strict=True)
        ],
    )


def price_bounds(
    problem: Problem, inner: Problem, levels: Sequence[Level], step: int
) -> list[Price]:
    """The price of every bound at the first level that it touches, checked by re-solving.

    inner: the problem with the bounds that hold the value; those that are not the problem's own
    have no price. A goal is concave in every bound, so with the bound moved it cannot lie above
    what the price promises. Every rule is checked, and of the floors and ceilings of requests the
    MOST_CHECKED dearest. Raises InvariantBroken where a price is not borne out.
    """
    found = _first_prices(problem, inner, levels)
    of_requests = [bound for bound in found if bound.kind != "rule"]
    dearest = sorted(of_requests, key=lambda bound: (-abs(found[bound][1]), _order(bound)))
    checked = {bound for bound in found if bound.kind == "rule"} | {*dearest[:MOST_CHECKED]}
    prices = []
    for bound in sorted(found, key=_order):
        place, price = found[bound]
        if bound in checked:
            prices.append(_checked(levels[place], place, bound, price, step))
        else:
            prices.append(Price(bound, place, price, None, None, False))
    return prices


def _first_prices(
    problem: Problem, inner: Problem, levels: Sequence[Level]
) -> dict[Bound, tuple[int, float]]:
    """Of each bound with a price the first level that it touches, and the price there."""
    found: dict[Bound, tuple[int, float]] = {}
    own = {"floor": inner.low == problem.low, "ceiling": inner.high == problem.high}
    for place, level in enumerate(levels):
        every: tuple[tuple[Kind, Floats], ...] = (
            ("rule", level.prices),
            ("floor", level.floor_prices),
            ("ceiling", level.ceiling_prices),
        )
        for kind, prices in every:
            for position in np.flatnonzero(prices).tolist():
                bound = Bound(kind, position)
                is_own = kind == "rule" or level.name == GOAL or bool(own[kind][position])
                if is_own and bound not in found:
                    found[bound] = place, float(prices[position])
    return found


def _order(bound: Bound) -> tuple[int, int]:
    return ("rule", "floor", "ceiling").index(bound.kind), bound.position


def _checked(level: Level, place: int, bound: Bound, price: float, step: int) -> Price:
    more, less = (level.resolved(Move(bound.kind, bound.position, fen)) for fen in (step, -step))
    allowed = PRICE_CHECK * max(1.0, abs(level.value))
    for moved, fen in ((more, step), (less, -step)):
        if moved is not None and moved > level.value + price * fen + allowed:
            raise InvariantBroken(f"the price of {bound.kind} {bound.position} is not borne out")
    return Price(bound, place, price, more, less)


def satisfied(problem: Problem, fen: Ints) -> list[Fraction]:
    """What each request gets of what it asked for."""
    pairs = zip(fen.tolist(), problem.asked.tolist(), strict=True)
    return [Fraction(given, asked) for given, asked in pairs]
