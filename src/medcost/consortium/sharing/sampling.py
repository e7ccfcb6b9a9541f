"""The Shapley value of more members than coalitions can be listed for, by sampled orders.

Orders come in blocks: one order drawn at random, all its rotations, so that every member joins at
every place equally often (strata by size), and all of them backwards. Blocks are independent, so
their spread states the error. Costs are added as whole fen; each order hands out the whole cost, so
the estimate does, too.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.sharing.cost_models import CostModel
from medcost.records import dataclass


@dataclass(frozen=True)
class SampledShares:
    """An estimate: fen of each member, its standard error in fen, rounded up, and the orders."""

    shares: tuple[Fraction, ...]
    errors: tuple[int, ...]
    orders: int


def sampled_shapley(model: CostModel, blocks: int, seed: int) -> SampledShares:
    """Estimate the Shapley value from so many blocks of 2 n orders; at least 2 blocks.

    The same seed gives the same estimate on every machine: orders are those of raw numbers of
    PCG64, whose stream is fixed, and everything else is whole.
    """
    n = model.n
    generator = np.random.PCG64(seed)
    sums = []
    for _ in range(blocks):
        order = np.argsort(generator.random_raw(n), kind="stable").astype(np.int64)
        turned = order[(np.arange(n)[:, None] + np.arange(n)) % n]
        sums.append(_added(model, np.concatenate([turned, turned[:, ::-1]])))
    orders = blocks * 2 * n
    totals = [sum(of_member) for of_member in zip(*sums, strict=True)]
    errors = [
        _standard_error(of_member, total, 2 * n)
        for of_member, total in zip(zip(*sums, strict=True), totals, strict=True)
    ]
    return SampledShares(tuple(Fraction(t, orders) for t in totals), tuple(errors), orders)


def _added(model: CostModel, orders: NDArray[np.int64]) -> list[int]:
    """What each member adds, over all orders of a block, Python integers."""
    costs = model.joining(orders)
    steps = np.diff(costs, axis=1, prepend=0)
    by_member = np.zeros(orders.shape, np.int64)
    np.put_along_axis(by_member, orders, steps, axis=1)
    high, low = by_member >> 32, by_member & 0xFFFFFFFF
    return [
        (a << 32) + b
        for a, b in zip(high.sum(axis=0).tolist(), low.sum(axis=0).tolist(), strict=True)
    ]


def _standard_error(of_block: tuple[int, ...], total: int, orders: int) -> int:
    """The standard error of the mean over blocks of so many orders, fen, rounded up."""
    blocks = len(of_block)
    squares = blocks * sum(x * x for x in of_block) - total * total
    # The variance of a block's mean is squares / (blocks (blocks - 1) orders^2).
    variance = Fraction(squares, blocks * blocks * (blocks - 1) * orders * orders)
    return math.isqrt(math.ceil(variance) - 1) + 1 if variance else 0
