"""How the cost of a coalition comes about: models that need no list, whatever the members' number.

Members stand in the order of their ids; money is fen, volumes are whole 1e-4.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.sharing.games import MOST_LISTED, Game, sums_over
from medcost.records import dataclass


class CostModel(Protocol):
    """Costs of coalitions of n members."""

    @property
    def n(self) -> int:
        """Number of members."""

    @property
    def total(self) -> int:
        """What all together cost, fen."""

    def costs(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Fen of each coalition; chosen: bool [coalitions, members]."""

    def joining(self, orders: NDArray[np.int64]) -> NDArray[np.int64]:
        """Fen of the members so far as they join in each order; [orders, members]."""


@dataclass(frozen=True)
class Alone:
    """Everyone alone, unless all join: c(S) is the sum of own costs, c(N) what the service costs.

    own: fen [members]; total: fen. With total = the sum of own the costs are additive.
    """

    own: NDArray[np.int64]
    total: int

    @property
    def n(self) -> int:
        """Number of members."""
        return len(self.own)

    def costs(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The sum of own costs, or the total where all are chosen."""
        return np.where(chosen.all(axis=1), self.total, chosen.astype(np.int64) @ self.own)

    def joining(self, orders: NDArray[np.int64]) -> NDArray[np.int64]:
        """Own costs added up; the total with the last."""
        costs = np.cumsum(self.own[orders], axis=1)
        costs[:, -1] = self.total
        return costs


@dataclass(frozen=True)
class Largest:
    """The largest need: c(S) is the cost of what its most demanding member needs.

    need: fen [members], the cost of what each needs (Littlewood and Owen's airport).
    """

    need: NDArray[np.int64]

    @property
    def n(self) -> int:
        """Number of members."""
        return len(self.need)

    @property
    def total(self) -> int:
        """The largest need of all."""
        return int(self.need.max())

    def costs(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The largest need among those chosen."""
        return np.asarray(np.where(chosen, self.need, 0).max(axis=1), np.int64)

    def joining(self, orders: NDArray[np.int64]) -> NDArray[np.int64]:
        """The largest need so far."""
        return np.asarray(np.maximum.accumulate(self.need[orders], axis=1), np.int64)


@dataclass(frozen=True)
class Steps:
    """Capacity steps: c(S) is the cost of the smallest capacity that holds all its volume.

    volume: 1e-4 [members], not negative; up_to: 1e-4 [steps], ascending, the last holds the volume
    of all; cost: fen [steps], not falling. No volume costs nothing.
    """

    volume: NDArray[np.int64]
    up_to: NDArray[np.int64]
    cost: NDArray[np.int64]

    @property
    def n(self) -> int:
        """Number of members."""
        return len(self.volume)

    @cached_property
    def total(self) -> int:
        """The cost of the step that holds the volume of all."""
        return int(self.of_volume(self.volume.sum(keepdims=True))[0])

    def of_volume(self, volume: NDArray[np.int64]) -> NDArray[np.int64]:
        """The cost of each volume."""
        return np.where(volume > 0, self.cost[np.searchsorted(self.up_to, volume)], 0)

    def costs(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The cost of the volume of those chosen."""
        return self.of_volume(chosen.astype(np.int64) @ self.volume)

    def joining(self, orders: NDArray[np.int64]) -> NDArray[np.int64]:
        """The cost of the volume so far."""
        return self.of_volume(np.cumsum(self.volume[orders], axis=1))


def listed(model: CostModel) -> Game:
    """The game of a model with every coalition listed; at most 20 members."""
    if model.n > MOST_LISTED:
        raise ValueError(f"{model.n} members cannot be listed")
    if isinstance(model, Steps):
        costs = model.of_volume(sums_over(model.volume.tolist()))
    elif isinstance(model, Largest):
        costs = np.zeros(1 << model.n, np.int64)
        for i, need in enumerate(model.need.tolist()):
            np.maximum(costs[: 1 << i], need, out=costs[1 << i : 2 << i])
    else:
        coalitions = np.arange(1 << model.n)
        costs = model.costs((coalitions[:, None] >> np.arange(model.n) & 1).astype(np.bool_))
        costs[0] = 0
    return Game(costs, is_cost=True)


def alone_and_last(model: CostModel) -> tuple[list[int], list[int]]:
    """Each member's cost alone, and what it adds as the last one, fen."""
    single = np.eye(model.n, dtype=np.bool_)
    alone = model.costs(single).tolist()
    if model.n == 1:
        return alone, [model.total]
    return alone, [model.total - cost for cost in model.costs(~single).tolist()]


def equal_savings(model: Alone) -> tuple[Fraction, ...]:
    """Own cost less an equal part of what is saved.

    With Alone this is the Shapley value (a member's cost is its own but for the last one to join,
    and everyone is last equally often); the nucleolus and the least core, if there is a saving,
    since the coalitions that can ever gain least are single members and all but one; and
    separable costs - remaining benefits, since every benefit is the whole saving.
    """
    part = Fraction(int(model.own.sum()) - model.total, model.n)
    return tuple(cost - part for cost in model.own.tolist())


def largest_shapley(model: Largest) -> tuple[Fraction, ...]:
    """The Shapley value of the largest need (Littlewood and Owen, Management Science 20, 1973,
    p. 370): each further piece of cost is shared equally by the members that need it. O(n log n).
    """
    order = np.argsort(model.need, kind="stable").tolist()
    shares = [Fraction(0)] * model.n
    share, below = Fraction(0), 0
    for place, member in enumerate(order):
        need = int(model.need[member])
        share += Fraction(need - below, model.n - place)
        shares[member], below = share, need
    return tuple(shares)


def largest_nucleolus(model: Largest) -> tuple[Fraction, ...]:
    """The nucleolus of the largest need (Littlewood, Int. J. of Game Theory 3, 1974, p. 37).

    The least demanding members, k of those left, that would be left with the least each if they
    kept as much as they pay, pay that; the others go on with what is left of their need. O(n^2).
    """
    left = np.argsort(model.need, kind="stable").tolist()
    shares = [Fraction(0)] * model.n
    paid = Fraction(0)
    while left:
        m = len(left)
        each = [
            (model.need[member].item() - paid) / (k + 1 if k < m else m)
            for k, member in enumerate(left, 1)
        ]
        least = min(each)
        k = max(place for place, amount in enumerate(each, 1) if amount == least)
        for member in left[:k]:
            shares[member] = least
        paid += k * least
        left = left[k:]
    return tuple(shares)
