"""Further rules of division, each from a few coalitions, and the solidarity value from all.

Their fractions are exact; a rule that has no answer for a game says so by name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.sharing.games import Game, GameRefused, sums_over
from medcost.consortium.sharing.shapley import Shares, sums_by_size
from medcost.money import format_yuan


def separable_costs(game: Game) -> Shares:
    """Separable costs - remaining benefits (SCRB; James and Lee 1971; Young 1985, p. 10).

    Each member bears what it adds as the last one, and of the rest a part in proportion to what it
    saves against standing alone when it pays no more than that. Raises GameRefused.
    """
    total, alone, last = (
        Fraction(game.total),
        [*map(Fraction, game.alone)],
        [*map(Fraction, game.last)],
    )
    if game.is_cost:
        return separated(total, alone, last)
    turned = separated(-total, [-x for x in alone], [-x for x in last])
    return tuple(-share for share in turned)


def separated(total: Fraction, alone: Sequence[Fraction], last: Sequence[Fraction]) -> Shares:
    """Separable costs - remaining benefits from the costs of all, alone and as the last one.

    Raises GameRefused where a member saves less than nothing when it pays only what it adds, or
    there is a rest and nobody saves.
    """
    benefits = [a - b for a, b in zip(alone, last, strict=True)]
    rest, whole = total - sum(last), sum(benefits, Fraction(0))
    least = min(benefits)
    if least < 0 or (whole == 0 and rest):
        what = (
            f"Separable costs leave a rest of {format_yuan(round(rest))} yuan and no benefit to "
            f"share it by: the least benefit is {format_yuan(round(least))} yuan."
        )
        raise GameRefused("no-remaining-benefit", what)
    if whole == 0:
        return tuple(last)
    return tuple(
        share + benefit * rest / whole for share, benefit in zip(last, benefits, strict=True)
    )


def gately(game: Game) -> Shares:
    """Gately's value: all members could disrupt the whole with the same propensity.

    Gately, International Economic Review 15, 1974, p. 195; x_i = v_i + (M_i - v_i) (v(N) - sum v) /
    sum (M - v) with M_i what member i adds as the last one. Raises GameRefused where sum (M - v) is
    zero and something is left to share.
    """
    last, alone = game.last, game.alone
    added = [a - b for a, b in zip(last, alone, strict=True)]
    gain, whole = game.total - sum(alone), sum(added)
    if whole == 0:
        if gain:
            what = "Gately's value does not exist: members add as much alone as they add last."
            raise GameRefused("no-gately-value", what)
        return tuple(map(Fraction, alone))
    return tuple(
        share + Fraction(step * gain, whole) for share, step in zip(alone, added, strict=True)
    )


def tau(game: Game) -> Shares:
    """The tau value (Tijs 1981): between the most a member can hope for and the least it concedes.

    The most is M_i = v(N) - v(N without i), the least m_i the largest rest that a coalition can
    give member i after paying all others their most. Raises GameRefused unless m <= M and v(N) lies
    between the sums of the two (the game is quasi-balanced).
    """
    values = game.as_value
    turn = -1 if game.is_cost else 1
    most = [turn * share for share in game.last]
    gap = _gaps(most, values)
    least = []
    for i, hope in enumerate(most):
        with_member = gap.reshape(-1, 2, 1 << i)[:, 1]
        least.append(hope - int(with_member.min()))
    low, high, total = sum(least), sum(most), turn * game.total
    if any(a > b for a, b in zip(least, most, strict=True)) or not low <= total <= high:
        what = "The tau value does not exist: the game is not quasi-balanced."
        raise GameRefused("not-quasi-balanced", what)
    part = Fraction(total - low, high - low) if high > low else Fraction(0)
    return game.turned([a + part * (b - a) for a, b in zip(least, most, strict=True)])


def _gaps(most: list[int], values: NDArray[np.int64]) -> NDArray[np.object_]:
    """What a coalition's members hope for beyond its value [2^n]; Python integers if it must."""
    reach = sum(map(abs, most)) + max(int(values.max()), -int(values.min()))
    table: NDArray[np.object_] = np.zeros(len(values), object)
    if reach < 1 << 62:
        table += sums_over(most)
    else:
        for i, hope in enumerate(most):
            table[1 << i : 2 << i] = table[: 1 << i] + hope
    table -= values
    return table


def solidarity(game: Game) -> Shares:
    """The solidarity value (Nowak and Radzik, Int. J. of Game Theory 23, 1994, p. 43).

    As Shapley's, but a coalition of s members hands each of its members the average of what its
    members add: exact, sums of (sum over k in S of v(S) - v(S without k)) weighed by
    (s-1)! (n-s)! / (n! s). Raises GameRefused where those sums leave 64 bits.
    """
    n, values = game.n, game.values
    if max(int(values.max()), -int(values.min())) * 2 * n >= 1 << 63:
        raise GameRefused("amount-out-of-range", "A coalition's cost is too large.")
    added = np.zeros(1 << n, np.int64)
    for i in range(n):
        pairs, steps = values.reshape(-1, 2, 1 << i), added.reshape(-1, 2, 1 << i)
        steps[:, 1] += pairs[:, 1] - pairs[:, 0]
    with_member, _ = sums_by_size(added)
    weight = [math.factorial(s - 1) * math.factorial(n - s) for s in range(1, n + 1)]
    return tuple(
        sum(
            (Fraction(weight[s - 1] * of_member[s], s) for s in range(1, n + 1)),
            Fraction(0),
        )
        / math.factorial(n)
        for of_member in with_member
    )
