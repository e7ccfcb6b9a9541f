"""Games: what every coalition of members costs, or is worth, when it goes its own way.

A coalition is a number whose bit i says whether member i, in the order of the ids, belongs to it.
All mathematics is done on values, which members want more of; a game of costs is the game of the
values -cost, its shares are turned back at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from medcost.records import dataclass

MOST_LISTED = 20
# Sums over a coalition's members of what a game holds stay within 64 bits.
LARGEST_VALUE = 4 * 10**17


class GameRefused(Exception):
    """A rule has no answer for this game: which rule, why, and by how much where it is money."""

    def __init__(self, code: str, what: str) -> None:
        self.code = code
        super().__init__(what)


@dataclass(frozen=True)
class Game:
    """A listed game: values int64 [2^n], fen; values[0] is 0. is_cost: they are costs."""

    values: NDArray[np.int64]
    is_cost: bool = True

    def __post_init__(self) -> None:
        """Refuse what is no game."""
        size = len(self.values)
        if size < 2 or size & (size - 1) or self.values[0] != 0:
            raise ValueError("a game has 2^n values, n >= 1, and nobody costs nothing")
        if self.n > MOST_LISTED:
            raise ValueError(f"a listed game has at most {MOST_LISTED} members")
        if max(int(self.values.max()), -int(self.values.min())) > LARGEST_VALUE:
            raise GameRefused("amount-out-of-range", "A coalition's cost is too large.")

    @cached_property
    def n(self) -> int:
        """Number of members."""
        return len(self.values).bit_length() - 1

    @cached_property
    def all(self) -> int:
        """The coalition of all members."""
        return len(self.values) - 1

    @cached_property
    def total(self) -> int:
        """What is to be shared, fen."""
        return int(self.values[self.all])

    @cached_property
    def alone(self) -> list[int]:
        """Each member's own cost or value, fen."""
        return [int(self.values[1 << i]) for i in range(self.n)]

    @cached_property
    def last(self) -> list[int]:
        """What each member adds when it joins all others (the separable cost), fen."""
        return [self.total - int(self.values[self.all ^ (1 << i)]) for i in range(self.n)]

    @cached_property
    def as_value(self) -> NDArray[np.int64]:
        """The values that members want more of."""
        return -self.values if self.is_cost else self.values

    def turned(self, shares: Sequence[Fraction]) -> tuple[Fraction, ...]:
        """Shares of the values as shares of this game, or back."""
        return tuple(-share if self.is_cost else Fraction(share) for share in shares)


def game_of(listed: Mapping[frozenset[str], int], members: Sequence[str], is_cost: bool) -> Game:
    """The game whose coalitions are listed by the ids of their members; all but nobody."""
    bit = {member: 1 << i for i, member in enumerate(members)}
    values = np.zeros(1 << len(members), np.int64)
    for coalition, amount in listed.items():
        values[sum(bit[member] for member in coalition)] = amount
    return Game(values, is_cost)


def sums_over(weights: Sequence[int]) -> NDArray[np.int64]:
    """The sum of the weights of each coalition's members, int64 [2^n], modulo 2^64; by doubling."""
    table = np.zeros(1 << len(weights), np.int64)
    for i, weight in enumerate(weights):
        np.add(table[: 1 << i], np.int64(wrapped(weight)), out=table[1 << i : 2 << i])
    return table


def sums_near(weights: Sequence[float]) -> NDArray[np.float64]:
    """The sum of the weights of each coalition's members, float64 [2^n], n roundings each."""
    table = np.zeros(1 << len(weights), np.float64)
    for i, weight in enumerate(weights):
        np.add(table[: 1 << i], weight, out=table[1 << i : 2 << i])
    return table


def wrapped(number: int) -> int:
    """A whole number modulo 2^64, as a signed number of 64 bits."""
    low = number & 0xFFFFFFFFFFFFFFFF
    return low - (1 << 64) if low >> 63 else low


def unit_vector(n: int, i: int, value: int = 1) -> tuple[int, ...]:
    """The value at place i of n, else 0."""
    return tuple(value * int(j == i) for j in range(n))


def sizes(n: int) -> NDArray[np.int64]:
    """How many members each coalition has [2^n]."""
    return sums_over([1] * n)


def members_of(coalition: int) -> Iterator[int]:
    """The members of a coalition, ascending."""
    while coalition:
        low = coalition & -coalition
        yield low.bit_length() - 1
        coalition ^= low
