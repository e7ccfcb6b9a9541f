"""Nucleolus, least core and equal profit: shares that leave the worst-placed coalition best off.

Each is a sequence of linear programs (exact_program): the least satisfaction is made as large as it
can be, the coalitions whose multiplier is positive are held where they are, and the next least is
looked at. Only a positive multiplier says that a coalition is as well off as it can be in every
solution; one that is merely tight in the solution at hand may still be better off, and holding it,
as many codes do, gives a wrong point (Guajardo and Jornsten, European Journal of Operational
Research 241, 2015, p. 931). Coalitions whose sum follows from those held are left out: they can
no longer change, and would stop all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.sharing.coalition_rows import CoalitionRows, proper
from medcost.consortium.sharing.exact_program import NoSolution, Optimum, Row, maximise
from medcost.consortium.sharing.games import Game, GameRefused, sizes, unit_vector
from medcost.consortium.sharing.span import Span
from medcost.money import format_yuan
from medcost.records import dataclass

Shares = tuple[Fraction, ...]


def nucleolus(game: Game) -> Shares:
    """The nucleolus over imputations (Schmeidler, SIAM J. Appl. Math. 17, 1969, p. 1163).

    Raises GameRefused where there is no imputation.
    """
    _require_imputations(game)
    return game.turned(_lexicographic(game, None, individually_rational=True))


def prenucleolus(game: Game) -> Shares:
    """The nucleolus over all shares that add up, whether or not a member would do better alone."""
    return game.turned(_lexicographic(game, None, individually_rational=False))


def per_capita_nucleolus(game: Game) -> Shares:
    """The nucleolus over imputations of a coalition's excess per member (Grotte 1970)."""
    _require_imputations(game)
    return game.turned(_lexicographic(game, sizes(game.n), individually_rational=True))


def _require_imputations(game: Game) -> None:
    values = game.as_value
    short = sum(int(values[1 << i]) for i in range(game.n)) - int(values[-1])
    if short > 0:
        money = format_yuan(short)
        what = (
            f"the members alone cost {money} yuan less than together"
            if game.is_cost
            else f"the members alone are worth {money} yuan more than together"
        )
        raise GameRefused("no-imputation", f"There is no imputation: {what}.")


def _lexicographic(
    game: Game, weights: NDArray[np.int64] | None, individually_rational: bool
) -> Shares:
    """Make the least satisfaction (x(S) - v(S)) / weight as large as it can be, then the next."""
    n, values = game.n, game.as_value
    weights = np.ones(1 << n, np.int64) if weights is None else weights
    span = Span(n, [Row((1,) * n, Fraction(int(values[-1])), "all")])
    hard = [_single(n, i, int(values[1 << i])) for i in range(n) if individually_rational]
    while not span.is_full:
        counts = proper(n) & ~span.settled()
        rows = CoalitionRows(values, counts, 1, weights)
        found = maximise(
            [0] * n + [1],
            [_widened(row, 1) for row in span.rows],
            [rows.row(1 << i) for i in range(n) if counts[1 << i]],
            rows.find_violated,
            hard,
        )
        _hold(span, found, values, weights)
    return tuple(span.value(i) for i in range(n))


def _single(n: int, i: int, value: int) -> Row:
    """Member i gets no less than alone, as a row of the shares and t."""
    return Row((*unit_vector(n, i), 0), Fraction(value), ("alone", i))


def _widened(row: Row, levels: int) -> Row:
    return Row(row.vector + (0,) * levels, row.bound, row.key)


def _hold(
    span: Span, found: Optimum, values: NDArray[np.int64], weights: NDArray[np.int64]
) -> None:
    """Hold the sums of the rows with a positive multiplier at what they are."""
    n, t = span.n, found.value
    for row in found.positive:
        bound = row.bound
        if isinstance(row.key, int):
            bound = int(values[row.key]) + int(weights[row.key]) * t
        span.add(Row(row.vector[:n], bound, row.key))


@dataclass(frozen=True)
class LeastCore:
    """The least core: epsilon, the least worst excess of a coalition, and one point of it.

    epsilon: fen by which the worst-placed coalition pays too much; not above zero where the core
    has a point. shares: the point of the least core whose savings are the most even.
    """

    epsilon: Fraction
    shares: Shares


def least_core(game: Game) -> LeastCore:
    """The least core (Maschler, Peleg and Shapley, Math. of Oper. Res. 4, 1979, p. 303).

    Of its points the one whose smallest saving against standing alone is the largest, then the
    second smallest, and so on.
    """
    n, values = game.n, game.as_value
    if n == 1:
        return LeastCore(Fraction(0), (Fraction(game.total),))
    satisfaction = _largest_satisfaction(game)
    within = CoalitionRows(values, proper(n), 1, None, satisfaction)
    soft = [Row((*unit_vector(n, i), -1), Fraction(int(values[1 << i])), i) for i in range(n)]
    return LeastCore(-satisfaction, game.turned(_most_even(game, within, soft, [])))


def smallest_worst_excess(game: Game) -> Fraction:
    """The epsilon of the least core: the largest excess of a coalition under the best shares.

    Above zero the core is empty. n >= 2.
    """
    return -_largest_satisfaction(game)


def _largest_satisfaction(game: Game) -> Fraction:
    """The least satisfaction of a proper coalition, as large as it can be; n >= 2."""
    n, values = game.n, game.as_value
    rows = CoalitionRows(values, proper(n), 1, np.ones(1 << n, np.int64))
    all_ = Row((1,) * n + (0,), Fraction(int(values[-1])), "all")
    start = [rows.row(1 << i) for i in range(n)]
    return maximise([0] * n + [1], [all_], start, rows.find_violated).value


def _most_even(
    game: Game, within: CoalitionRows, soft: Sequence[Row], equalities: Sequence[Row]
) -> Shares:
    """Make the least t of the soft rows as large as it can be, then the next, inside the rest.

    soft: rows x . vector - weight t >= bound, t the last variable; equalities without t.
    """
    n = game.n
    width = n + within.levels - 1
    all_ = Row((1,) * n + (0,) * (width - n), Fraction(int(game.as_value[-1])), "all")
    span = Span(width, [all_, *equalities])
    left = list(soft)
    while True:
        left = [row for row in left if not span.holds(row.vector[:width])]
        if not any(row.vector[-1] for row in left):
            break
        equal = [_widened(row, 1) for row in span.rows]
        found = maximise([0] * width + [1], equal, left, within.find_violated)
        for row in found.positive:
            span.add(Row(row.vector[:width], row.bound - row.vector[-1] * found.value, row.key))
    return tuple(span.value(i) for i in range(n))


@dataclass(frozen=True)
class EqualProfit:
    """Equal profit: the spread of relative savings, the epsilon of the core it is in, the shares.

    spread: the largest difference of two members' share / stand-alone cost. epsilon: 0, or that of
    the least core where the core is empty.
    """

    spread: Fraction
    epsilon: Fraction
    shares: Shares


def equal_profit(game: Game) -> EqualProfit:
    """The equal profit method (Frisk and others, European J. of Oper. Res. 205, 2010, p. 448).

    Inside the core the largest difference of two members' relative savings is made as small as it
    can be; then the smallest relative saving as large as it can be, and so on, so that there is one
    answer. Where the core is empty the least core takes its place. Costs alone must not be negative
    nor all zero.
    """
    n, alone = game.n, game.alone
    if min(alone) < 0 or not any(alone):
        what = (
            "Equal profit compares savings with costs alone, which must not be negative or all 0."
        )
        raise GameRefused("stand-alone-not-positive", what)
    epsilon = Fraction(0)
    if n > 1:
        epsilon = max(epsilon, -_largest_satisfaction(game))
    return _equal_profit(game, epsilon)


def _equal_profit(game: Game, epsilon: Fraction) -> EqualProfit:
    n, values = game.n, game.as_value
    turn = -1 if game.is_cost else 1
    # Variables: shares of the value game, lowest and highest share / stand-alone cost.
    equalities = [Row((1,) * n + (0, 0), Fraction(int(values[-1])), "all")]
    pairs, savings = [], []
    for i, cost in enumerate(game.alone):
        unit = unit_vector(n, i)
        share = tuple(turn * x for x in unit)
        if cost == 0:
            equalities.append(Row((*unit, 0, 0), Fraction(0), i))
            continue
        pairs.append(Row((*share, -cost, 0), Fraction(0), ("low", i)))
        pairs.append(Row((*(-x for x in share), 0, cost), Fraction(0), ("high", i)))
        savings.append(Row((*unit, 0, 0, -cost), Fraction(turn * cost), i))
    counts = proper(n)
    within = CoalitionRows(values, counts, 2, None, -epsilon)
    try:
        found = maximise([0] * n + [1, -1], equalities, pairs, within.find_violated)
    except NoSolution:
        what = "Equal profit has no answer: a member that costs nothing alone would have to pay."
        raise GameRefused("stand-alone-not-positive", what) from None
    held = Row((0,) * n + (1, -1), found.value, "spread")
    inside = CoalitionRows(values, counts, 3, None, -epsilon)
    soft = [*(_widened(row, 1) for row in pairs), *savings]
    shares = _most_even(game, inside, soft, [*equalities[1:], held])
    return EqualProfit(-found.value, epsilon, game.turned(shares))
