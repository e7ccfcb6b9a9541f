"""Costs that come from processes: what a coalition needs is produced in the cheapest way.

c(S) = least sum of cost x activity, such that the activities yield at least what the members of S
require together. Prices of the requirements that are dual to the whole consortium's plan give
every member requirement x price, and no coalition can do better: the prices are dual to its plan,
too, only perhaps not the best (Owen, Mathematical Programming 9, 1975, p. 358; here for costs).
Prices are found exactly, so the certificate is a comparison of whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.sharing.exact_program import Row, maximise
from medcost.consortium.sharing.games import GameRefused, unit_vector
from medcost.records import dataclass


@dataclass(frozen=True)
class Production:
    """Processes and requirements.

    unit_cost: fen for one unit of activity [processes], not negative; output: 1e-4 of each
    requirement per unit of activity, int64 [processes, requirements]; need: 1e-4 int64 [members,
    requirements], negative where a member brings capacity of its own.
    """

    unit_cost: NDArray[np.int64]
    output: NDArray[np.int64]
    need: NDArray[np.int64]

    @property
    def n(self) -> int:
        """Number of members."""
        return len(self.need)

    @cached_property
    def _ceiling(self) -> int:
        """A price that no corner of the prices reaches (Cramer's rule), so it stands for never."""
        m = self.output.shape[1]
        largest = int(np.abs(self.output).max(initial=0)) + 1
        dearest = int(self.unit_cost.max(initial=0)) + 1
        return int(math.factorial(m + 1) * largest**m * dearest)

    def prices(self, need: Sequence[int]) -> tuple[Fraction, ...] | None:
        """Fen for 1e-4 of each requirement, dual to the least cost of a need; None if not met.

        The best of need . u with output . u <= unit_cost and u >= 0.
        """
        m = len(need)
        units = [unit_vector(m, i) for i in range(m)]
        start = [Row(unit, Fraction(0)) for unit in units]
        start += [Row(tuple(-x for x in unit), Fraction(-self._ceiling)) for unit in units]
        rows = [
            Row(tuple(-int(x) for x in output), Fraction(-int(cost)))
            for output, cost in zip(self.output.tolist(), self.unit_cost.tolist(), strict=True)
        ]
        found = maximise(list(need), [], start, rows=rows)
        if any(
            price == self._ceiling and amount > 0
            for price, amount in zip(found.point, need, strict=True)
        ):
            return None
        return found.point

    def exact_cost(self, chosen: NDArray[np.bool_]) -> Fraction:
        """The least cost of a coalition; chosen: bool [members]. Raises GameRefused."""
        need = [sum(column) for column in zip(*self.need[chosen].tolist(), strict=True)]
        prices = self.prices(need) if need else ()
        if prices is None:
            what = "The processes cannot produce what the members require."
            raise GameRefused("requirement-not-met", what)
        return _value(need, prices)

    @cached_property
    def whole(self) -> tuple[Fraction, ...]:
        """The prices of the whole consortium's plan. Raises GameRefused."""
        need = [sum(column) for column in zip(*self.need.tolist(), strict=True)]
        prices = self.prices(need)
        if prices is None:
            what = "The processes cannot produce what the members require."
            raise GameRefused("requirement-not-met", what)
        return prices

    def dual_shares(self) -> tuple[Fraction, ...]:
        """Requirement x price of each member, fen; they add up to the whole cost."""
        return tuple(_value(need, self.whole) for need in self.need.tolist())

    def certified(self) -> bool:
        """Whether the prices are not negative and no process earns more than it costs.

        Then need . price is at most the cost of every coalition, whichever plan it chooses.
        """
        return all(price >= 0 for price in self.whole) and all(
            _value(output, self.whole) <= cost
            for output, cost in zip(self.output.tolist(), self.unit_cost.tolist(), strict=True)
        )


def _value(amounts: Sequence[int], prices: Sequence[Fraction]) -> Fraction:
    return sum((x * price for x, price in zip(amounts, prices, strict=True)), Fraction(0))
