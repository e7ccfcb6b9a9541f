"""The Shapley value: what each member adds, on average over all orders in which members join.

Shapley, Contributions to the Theory of Games II, 1953, p. 307. Values are whole fen, so everything
up to the last division is whole: exact values are fractions over n! and are rounded once, when they
become postings.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.sharing.games import Game

# The lower half of a value and the sum of 2^20 of them, and likewise the upper half.
HALF = 32
Shares = tuple[Fraction, ...]


def shapley(game: Game) -> Shares:
    """The exact Shapley value of a listed game, O(2^n).

    A coalition of s members that holds the member weighs (s-1)! (n-s)! / n!. What is needed is, for
    each member and size, the sum over coalitions with the member: all of them come from folding
    the table, half of the members at a time.
    """
    with_member, by_size = sums_by_size(game.values)
    return _weighed(game.n, with_member, by_size)


def _weighed(n: int, with_member: list[list[int]], by_size: list[int]) -> Shares:
    """Weigh sums by member and size; without the member is all less with."""
    weight = [math.factorial(s) * math.factorial(n - 1 - s) for s in range(n)]
    shares = []
    for of_member in with_member:
        added = sum(
            weight[s - 1] * (of_member[s] - (by_size[s - 1] - of_member[s - 1]))
            for s in range(1, n + 1)
        )
        shares.append(Fraction(added, math.factorial(n)))
    return tuple(shares)


def sums_by_size(values: NDArray[np.int64]) -> tuple[list[list[int]], list[int]]:
    """Sums of the values of the coalitions with a member, by size, and of all coalitions by size.

    values: [2^n], n <= 20. Python integers, [n][n + 1] and [n + 1]. Values are taken in two halves
    of 32 bits, whose sums cannot leave 64 bits; where whole values cannot either, in one.
    """
    n = len(values).bit_length() - 1
    largest = max(int(values.max()), -int(values.min()))
    if largest << n < 1 << 62:
        return _folded(values)
    low, low_all = _folded(values & 0xFFFFFFFF)
    high, high_all = _folded(values >> HALF)
    together = [
        [a + (b << HALF) for a, b in zip(x, y, strict=True)] for x, y in zip(low, high, strict=True)
    ]
    return together, [a + (b << HALF) for a, b in zip(low_all, high_all, strict=True)]


def _folded(values: NDArray[np.int64]) -> tuple[list[list[int]], list[int]]:
    n = len(values).bit_length() - 1
    found: list[list[int]] = []
    _fold(values.reshape(1, -1), found)
    padded = [[*row, *[0] * (n + 1 - len(row))] for row in found]
    by_size = [int(x) for x in _without_upper(values.reshape(1, -1), n)[:, 0]]
    return padded, by_size


def _fold(table: NDArray[np.int64], found: list[list[int]]) -> None:
    """Append the sums by size with each member of the table; the lowest bit first.

    table: [sizes of those folded away, coalitions of those left].
    """
    n = table.shape[1].bit_length() - 1
    if n == 1:
        found.append([0, *(int(x) for x in table[:, 1])])
        return
    _fold(_without_upper(table, n - n // 2), found)
    _fold(_without_lower(table, n // 2), found)


def _without_upper(table: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """Fold the highest members away: each table row is of one more size."""
    for _ in range(folds):
        half = table.shape[1] // 2
        wider = np.zeros((len(table) + 1, half), np.int64)
        wider[:-1] = table[:, :half]
        wider[1:] += table[:, half:]
        table = wider
    return table


def _without_lower(table: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """Fold the lowest members away."""
    for _ in range(folds):
        wider = np.zeros((len(table) + 1, table.shape[1] // 2), np.int64)
        wider[:-1] = table[:, ::2]
        wider[1:] += table[:, 1::2]
        table = wider
    return table
