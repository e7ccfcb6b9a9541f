"""What equalities between shares already settle."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.sharing.exact_program import Row
from medcost.consortium.sharing.games import sums_over


class Span:
    """Independent equalities over n variables, and which sums of them follow.

    The equalities are kept as they came, for programs, and reduced, each to one variable of its
    own, with the bound as the last entry.
    """

    def __init__(self, n: int, rows: Sequence[Row] = ()) -> None:
        self.n = n
        self.rows: list[Row] = []
        self._reduced: dict[int, list[Fraction]] = {}
        for row in rows:
            self.add(row)

    @property
    def is_full(self) -> bool:
        """Whether every variable is settled."""
        return len(self.rows) == self.n

    def add(self, row: Row) -> bool:
        """Add an equality; False where its left side follows from the others."""
        vector = self._rest(row.vector, row.bound)
        pivot = next((i for i, x in enumerate(vector[:-1]) if x), None)
        if pivot is None:
            return False
        vector = [x / vector[pivot] for x in vector]
        for place, other in self._reduced.items():
            if other[pivot]:
                by = other[pivot]
                self._reduced[place] = [x - by * y for x, y in zip(other, vector, strict=True)]
        self._reduced[pivot] = vector
        self.rows.append(row)
        return True

    def holds(self, vector: Sequence[int]) -> bool:
        """Whether a sum follows from the equalities."""
        return not any(self._rest(vector, Fraction(0))[:-1])

    def value(self, variable: int) -> Fraction:
        """What a settled variable is: its reduced equality has no other variable."""
        return self._reduced[variable][-1]

    def _rest(self, vector: Sequence[int], bound: Fraction) -> list[Fraction]:
        rest = [*map(Fraction, vector), bound]
        for pivot, other in self._reduced.items():
            if rest[pivot]:
                by = rest[pivot]
                rest = [x - by * y for x, y in zip(rest, other, strict=True)]
        return rest

    def settled(self) -> NDArray[np.bool_]:
        """Which coalitions' sums follow from the equalities, bool [2^n]; variables are shares.

        A coalition is settled if it is at a right angle to all that is at a right angle to the
        equalities.
        """
        found: NDArray[np.bool_] = np.ones(1 << self.n, np.bool_)
        for column in range(self.n):
            if column in self._reduced:
                continue
            # Minors of matrices of zeros and ones of order 20 stay far below 2^63.
            direction = [Fraction(0)] * self.n
            direction[column] = Fraction(1)
            for pivot, other in self._reduced.items():
                direction[pivot] = -other[column]
            scale = int(np.lcm.reduce([x.denominator for x in direction]))
            found &= sums_over([int(x * scale) for x in direction]) == 0
        return found
