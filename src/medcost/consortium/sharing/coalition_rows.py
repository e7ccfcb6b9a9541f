"""The coalitions of a game as rows of a program: the ones that a point leaves worst, exactly.

Floating point looks at all of them and says which are surely satisfied or surely not; the rest, as
near to zero as rounding errors reach, are computed in whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.sharing.exact_program import EPSILON, Row
from medcost.consortium.sharing.games import sums_near, sums_over, wrapped
from medcost.records import dataclass

# Rows handed over at a time: more need looking at, fewer need more passes over all coalitions.
HANDED_OVER = 24
# Whole numbers below this are told by their last 64 bits and an estimate.
TOLD_BY_64_BITS = 2.0**62


@dataclass(frozen=True)
class CoalitionRows:
    """Rows x(S) - weight t >= value + offset of the coalitions that count.

    values: int64 [2^n], fen; weights: int64 [2^n]; counts: bool [2^n]; offset: fen. levels: how
    many variables follow the shares, of which the last is t; with no weights t does not appear.
    """

    values: NDArray[np.int64]
    counts: NDArray[np.bool_]
    levels: int
    weights: NDArray[np.int64] | None = None
    offset: Fraction = Fraction(0)

    @cached_property
    def n(self) -> int:
        """Number of members."""
        return len(self.values).bit_length() - 1

    @cached_property
    def _largest(self) -> float:
        return float(np.abs(self.values.astype(np.float64)).max()) + abs(float(self.offset))

    @cached_property
    def _heaviest(self) -> int:
        return 0 if self.weights is None else int(self.weights.max())

    def row(self, coalition: int) -> Row:
        """The row of a coalition; its key is the coalition."""
        vector = [coalition >> i & 1 for i in range(self.n)] + [0] * self.levels
        if self.weights is not None:
            vector[-1] = -int(self.weights[coalition])
        return Row(tuple(vector), int(self.values[coalition]) + self.offset, coalition)

    def estimate(
        self, numerators: Sequence[int], denominator: int
    ) -> tuple[NDArray[np.float64], float]:
        """By how much each row is more than satisfied, fen [2^n], and how far off that may be.

        Rows that do not count are infinitely satisfied.
        """
        x = [numerator / denominator for numerator in numerators]
        slack = sums_near(x[: self.n])
        slack -= self.values
        if self.offset:
            slack -= float(self.offset)
        if self.weights is not None and x[-1]:
            slack -= self.weights * x[-1]
        slack[~self.counts] = np.inf
        reach = sum(map(abs, x[: self.n])) + self._largest + self._heaviest * abs(x[-1])
        return slack, reach * (self.n + 8) * EPSILON

    def exact(
        self,
        numerators: Sequence[int],
        denominator: int,
        coalitions: NDArray[np.int64],
        error: float,
    ) -> tuple[list[int], int]:
        """By how much rows that are nearly tight, within error fen, are more than satisfied.

        Numerators and their denominator.
        """
        common = denominator * self.offset.denominator
        scaled = [x * self.offset.denominator for x in numerators]
        fixed = self.offset.numerator * denominator
        t = scaled[-1] if self.weights is not None else 0
        if error * common < TOLD_BY_64_BITS:
            slack = sums_over(scaled[: self.n])[coalitions]
            slack -= self.values[coalitions] * np.int64(wrapped(common))
            slack -= np.int64(wrapped(fixed))
            if self.weights is not None:
                slack -= self.weights[coalitions] * np.int64(wrapped(t))
            return slack.tolist(), common
        found = []
        for coalition in coalitions.tolist():
            paid = sum(scaled[i] for i in range(self.n) if coalition >> i & 1)
            weight = 0 if self.weights is None else int(self.weights[coalition])
            found.append(paid - int(self.values[coalition]) * common - fixed - weight * t)
        return found, common

    def find_violated(self, numerators: list[int], denominator: int) -> Sequence[Row]:
        """The rows that the point violates most, the worst first."""
        slack, error = self.estimate(numerators, denominator)
        violated = np.flatnonzero(slack < -error)
        if len(violated):
            below = slack[violated]
            if len(below) > HANDED_OVER:
                violated = violated[np.argpartition(below, HANDED_OVER)[:HANDED_OVER]]
            first = sorted(violated.tolist(), key=lambda coalition: (slack[coalition], coalition))
            return [self.row(coalition) for coalition in first]
        unsure = np.flatnonzero(slack <= error)
        exact, _ = self.exact(numerators, denominator, unsure, 2 * error)
        worst = sorted((amount, i) for i, amount in enumerate(exact) if amount < 0)
        return [self.row(int(unsure[i])) for _, i in worst[:HANDED_OVER]]


def proper(n: int) -> NDArray[np.bool_]:
    """Every coalition but nobody and all, bool [2^n]."""
    counts = np.ones(1 << n, np.bool_)
    counts[0] = counts[-1] = False
    return counts
