"""Linear programs of few variables and very many rows, solved in whole numbers.

maximise goal . u subject to row . u >= bound for every row and row . u = bound for the free ones.
The rows of a game are its coalitions: 2^n of them, of which a solution needs n. So the dual is
solved by the revised simplex method with its columns found as they are needed; every number of the
basis is an integer over one common determinant (Edmonds 1967; Bareiss, Mathematics of Computation
22, 1968, p. 565), so a multiplier is zero or it is not, and there is no tolerance anywhere. The
lexicographic rule (Dantzig, Orden and Wolfe, Pacific Journal of Mathematics 5, 1955, p. 183) ends
every solution: these programs are as degenerate as programs come.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from medcost.errors import InvariantBroken
from medcost.records import dataclass

# Whole numbers of any size: Python's own, in arrays of objects.
Exact = NDArray[np.object_]


class NoSolution(Exception):
    """No point satisfies the rows."""


@dataclass(frozen=True)
class Row:
    """One row: its coefficients, whole numbers [variables], its bound, and what it is of."""

    vector: tuple[int, ...]
    bound: Fraction
    key: Hashable = None


@dataclass(frozen=True)
class Optimum:
    """A solution: the point, exact; the value; and the rows whose multiplier is positive.

    A row with a positive multiplier is tight in every optimal point (complementary slackness); a
    row may be tight here and have the multiplier zero, and then it says nothing of other points.
    """

    point: tuple[Fraction, ...]
    value: Fraction
    positive: tuple[Row, ...]


EPSILON = 2.0**-52

# The rows that a point violates most, the worst first; none where it violates none. The point is
# numerators and a positive denominator.
FindViolated = Callable[[list[int], int], Sequence[Row]]


def none_violated(_numerators: list[int], _denominator: int) -> Sequence[Row]:
    """The rows that are found as needed, where all rows are given at the start."""
    return ()


def maximise(
    goal: Sequence[int],
    free: Sequence[Row],
    start: Sequence[Row],
    find_violated: FindViolated = none_violated,
    rows: Sequence[Row] = (),
) -> Optimum:
    """The best point.

    free: independent equalities. start: rows of which some sum with positive weights is -goal, but
    for multiples of the free ones, and which with them span all variables: they prove that there
    is no endless improvement, and give the first basis. rows: others that are looked at each time.
    find_violated gives the rest. Raises NoSolution where no point satisfies all.
    """
    basis = _Basis(goal, free)
    basis.drive_out_artificial(start)
    listed = _Listed((*start, *rows))
    while True:
        numerators, denominator = basis.point()
        entering = listed.most_violated(numerators, denominator)
        if entering is None:
            found = find_violated(numerators, denominator)
            if not found:
                break
            listed.add(found)
            entering = found[0]
        basis.enter(entering)
    point = tuple(Fraction(numerator, denominator) for numerator in numerators)
    value = sum((g * x for g, x in zip(goal, point, strict=True)), Fraction(0))
    return Optimum(point, value, basis.positive())


class _Listed:
    """The rows looked at before every step: those given and those found so far."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows: list[Row] = []
        self.vectors = np.zeros((0, 0))
        self.bounds = np.zeros(0)
        self.add(rows)

    def add(self, rows: Sequence[Row]) -> None:
        """Take rows into the list."""
        self.rows += rows
        if self.rows:
            self.vectors = np.array([row.vector for row in self.rows], np.float64)
            self.bounds = np.array([float(row.bound) for row in self.rows])

    def most_violated(self, numerators: list[int], denominator: int) -> Row | None:
        """The row that the point violates most, as far as floating point can tell; or None.

        What floating point cannot tell is told in whole numbers.
        """
        if not self.rows:
            return None
        point = np.array([numerator / denominator for numerator in numerators])
        # Not by a matrix product: its roundings, and so the way taken, differ with the processor.
        parts = self.vectors * point
        slack = parts.sum(axis=1) - self.bounds
        reach = np.abs(parts).sum(axis=1) + np.abs(self.bounds)
        error = reach * (len(point) + 8) * EPSILON
        unsure = np.flatnonzero(slack <= error)
        order: list[int] = unsure[np.argsort(slack[unsure], kind="stable")].tolist()
        for i in order:
            if slack[i] < -error[i] or _slack(self.rows[i], numerators, denominator) < 0:
                return self.rows[i]
        return None


def _slack(row: Row, numerators: list[int], denominator: int) -> int:
    """The sign of how much the row is more than satisfied."""
    reached = sum(map(int.__mul__, row.vector, numerators)) * row.bound.denominator
    return reached - row.bound.numerator * denominator


class _Basis:
    """The basis of the dual: as many rows of the program as it has variables.

    table: whole numbers over determinant, [variables, 1 + 2 x variables]: the multipliers, what
    orders them where they are equal, and the inverse of the basis.
    """

    def __init__(self, goal: Sequence[int], free: Sequence[Row]) -> None:
        self.n = len(goal)
        self.determinant = 1
        self.table: Exact = np.zeros((self.n, 1 + 2 * self.n), object)
        self.inverse = self.table[:, 1 + self.n :]
        self.inverse[range(self.n), range(self.n)] = 1
        self.table[:, 0] = [-g for g in goal]
        self.rows: list[Row | None] = [None for _ in range(self.n)]
        self.is_free = np.zeros(self.n, np.bool_)
        for row in free:
            column = self._column(row)
            places = [i for i in range(self.n) if column[i] and not self.is_free[i]]
            if not places:
                raise InvariantBroken("equalities of a program depend on each other")
            self._pivot(places[0], column, row)
            self.is_free[places[0]] = True
        for i in np.flatnonzero(~self.is_free).tolist():
            if self.table[i, 0] < 0:
                self.table[i] = -self.table[i]
        self.table[:, 1 : 1 + self.n] = 0
        self.table[range(self.n), range(1, 1 + self.n)] = self.determinant

    def _column(self, row: Row) -> Exact:
        """The row in terms of the basis, numerators over the determinant."""
        used = [i for i, x in enumerate(row.vector) if x]
        part = self.inverse[:, used] * np.array([row.vector[i] for i in used], object)
        return np.asarray(part.sum(axis=1), dtype=object)

    def _pivot(self, place: int, column: Exact, row: Row) -> None:
        pivot = column[place]
        kept = self.table[place].copy()
        self.table *= pivot
        self.table -= np.multiply.outer(column, kept)
        self.table //= self.determinant
        self.table[place] = kept
        self.determinant = pivot
        if pivot < 0:
            self.table *= -1
            self.determinant = -pivot
        self.rows[place] = row

    def enter(self, row: Row) -> None:
        """Let a row into the basis; another leaves, the first in lexicographic order."""
        column = self._column(row)
        places = [i for i in range(self.n) if column[i] > 0 and not self.is_free[i]]
        if not places:
            raise NoSolution
        for k in range(1 + self.n):
            if len(places) == 1:
                break
            best = places[0]
            kept = [best]
            for i in places[1:]:
                order = self.table[i, k] * column[best] - self.table[best, k] * column[i]
                if order < 0:
                    best, kept = i, [i]
                elif order == 0:
                    kept.append(i)
            places = kept
        self._pivot(places[0], column, row)

    def drive_out_artificial(self, start: Sequence[Row]) -> None:
        """Replace what the basis began with by rows of the program."""
        while True:
            left = [i for i, row in enumerate(self.rows) if row is None]
            if not left:
                return
            price = self.inverse[left].sum(axis=0)
            gains = [sum(map(int.__mul__, row.vector, price)) for row in start]
            best = max(range(len(start)), key=lambda j: gains[j])
            if gains[best] <= 0:
                raise InvariantBroken("the starting rows of a program do not bound it")
            self.enter(start[best])

    def point(self) -> tuple[list[int], int]:
        """Where all rows of the basis are tight: numerators and denominator, in lowest terms."""
        bounds = [row.bound for row in self.rows if row is not None]
        common = math.lcm(*(bound.denominator for bound in bounds))
        scaled = np.array([b.numerator * (common // b.denominator) for b in bounds], object)
        numerators = [int(x) for x in scaled @ self.inverse]
        denominator = int(self.determinant) * common
        shared = math.gcd(denominator, *numerators)
        return [x // shared for x in numerators], denominator // shared

    def positive(self) -> tuple[Row, ...]:
        """The rows of the basis with a positive multiplier, the free ones left out."""
        return tuple(
            row
            for i, row in enumerate(self.rows)
            if row is not None and not self.is_free[i] and self.table[i, 0] > 0
        )
