"""Reciprocal equations solved by Gaussian elimination in fractions, and ways to make them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from medcost.costing.reciprocal import System, build_system

Matrix = list[list[int]]


@dataclass(frozen=True)
class Equations:
    """Who serves whom: served[receiver][giver] among givers, outside[receiver][giver] beyond."""

    served: Matrix
    outside: Matrix

    @property
    def n(self) -> int:
        """Number of givers."""
        return len(self.served)

    @property
    def totals(self) -> list[int]:
        """Statistics of each giver over all its receivers."""
        rows = [*self.served, *self.outside]
        return [sum(row[giver] for row in rows) for giver in range(self.n)]

    @property
    def divisors(self) -> list[int]:
        """The greatest common divisor of each giver's statistics."""
        rows = [*self.served, *self.outside]
        return [math.gcd(*(row[giver] for row in rows)) for giver in range(self.n)]

    @property
    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """What build_system takes."""
        served = np.array(self.served, np.int64).reshape(self.n, self.n)
        return served, np.array(self.totals, np.int64), np.array(self.divisors, np.int64)

    @property
    def system(self) -> System:
        """The system that medcost solves."""
        return build_system(*self.arrays)

    @property
    def outside_divided(self) -> NDArray[np.int64]:
        """The statistics of final receivers, divided as the system's are."""
        divisors = np.array(self.divisors, np.int64)
        return np.array(self.outside, np.int64).reshape(-1, self.n) // divisors


def solve(equations: Equations, direct: Sequence[Sequence[int]]) -> list[list[Fraction]] | None:
    """Return the gross cost x of x = d + A x for each element, None where it is singular."""
    n, totals = equations.n, equations.totals
    rows = [
        [Fraction(int(i == j)) - Fraction(equations.served[i][j], totals[j]) for j in range(n)]
        + [Fraction(fen) for fen in direct[i]]
        for i in range(n)
    ]
    for column in range(n):
        pivot = next((i for i in range(column, n) if rows[i][column]), None)
        if pivot is None:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [value / rows[column][column] for value in rows[column]]
        for i in range(n):
            factor = rows[i][column]
            if i != column and factor:
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[column], strict=True)]
    return [row[n:] for row in rows]


def half_away(value: Fraction) -> int:
    """Return the nearest integer, halves away from zero."""
    magnitude = math.floor(abs(value) + Fraction(1, 2))
    return magnitude if value >= 0 else -magnitude


def nearest_fen(equations: Equations, direct: Sequence[Sequence[int]]) -> list[list[int]] | None:
    """Return the gross cost rounded once, None where it is singular."""
    exact = solve(equations, direct)
    return None if exact is None else [[half_away(x) for x in row] for row in exact]


def rounded(exact: Sequence[Fraction], total: int) -> list[int]:
    """Return whole fen by rule 2: cut toward zero, the largest pieces first, then round again."""
    parts = [math.trunc(value) for value in exact]
    missing = total - sum(parts)
    step = 1 if missing > 0 else -1
    pieces = [step * (value - part) for value, part in zip(exact, parts, strict=True)]
    order = sorted(range(len(parts)), key=lambda i: (-pieces[i], i))
    rounds, more = divmod(abs(missing), max(len(order), 1))
    for place, i in enumerate(order):
        parts[i] += step * (rounds + (place < more))
    return parts


@st.composite
def equations(
    draw: st.DrawFn,
    largest: int = 10**6,
    smallest: int = 0,
    max_givers: int = 12,
    max_outside: int = 4,
) -> Equations:
    """Draw up to twelve givers, about half of whose statistics are zero."""
    n, n_outside = draw(st.integers(1, max_givers)), draw(st.integers(1, max_outside))
    statistic = st.one_of(
        st.just(0), st.integers(max(smallest, -9), 9), st.integers(smallest, largest)
    )
    row = st.lists(statistic, min_size=n, max_size=n)
    served = [draw(row) for _ in range(n)]
    outside = [draw(row) for _ in range(n_outside)]
    for giver in range(n):
        served[giver][giver] = 0
        lacking = -sum(rows[giver] for rows in (*served, *outside))
        if lacking >= 0:
            outside[-1][giver] += lacking + draw(st.integers(1, 9))
    return Equations(served, outside)


@st.composite
def costs(draw: st.DrawFn, n: int, largest: int = 10**12) -> list[list[int]]:
    """Draw direct fen [givers, elements], in one to three elements."""
    n_elements = draw(st.integers(1, 3))
    fen = st.one_of(st.just(0), st.integers(-9, 9), st.integers(-largest, largest))
    row = st.lists(fen, min_size=n_elements, max_size=n_elements)
    return [draw(row) for _ in range(n)]
