"""The reciprocal equations, solved in floating point and certified to the fen in integers.

With T the givers' total statistics, S[i, j] what giver j serves giver i with, and y the cost of
one unit of statistic, gross cost is x = T y and (diag(T) - S) y = d. Floating point proposes y,
the residual is computed exactly in integers, and an inverse whose error is bounded turns the
residual into a bound on x. y is refined until no x can lie on the other side of a half fen.

The bound: let R be the computed inverse of I - A, A = S / T, and g a bound of the maximum norm
of I - R (I - A), rounding included. If g < 1, then x - T y = (I - G)^-1 R r for the residual r,
so its maximum norm is at most norm(R) norm(r) / (1 - g) (Rump, Verification methods, Acta
Numerica 19, 2010, section 10). Two rationals that differ do so by at least 1 / (2 det), and
det <= product of the columns' absolute sums (Hadamard), so refining ends.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from medcost._core.residual import add_corrections, residuals
from medcost.records import dataclass

MARGIN_BITS = 20
WORD = 1 << 64


class SingularSystem(Exception):
    """The equations have no single solution."""


@dataclass(frozen=True)
class System:
    """The reciprocal equations of one unit and their certified approximate inverse.

    served: statistic of receiving giver (row) from giver (column), int64 [givers, givers], zero
    diagonal; totals: of each giver over all its receivers, int64 [givers], above zero; inverse:
    float64 [givers, givers], None where its error cannot be bounded; norm: a bound of the
    maximum norm of the true inverse of I - A.
    """

    served: NDArray[np.int64]
    totals: NDArray[np.int64]
    inverse: NDArray[np.float64] | None
    norm: float

    @property
    def separation_bits(self) -> int:
        """Bits of a bound of the determinant of diag(totals) - served."""
        columns = self.totals.astype(object) + np.abs(self.served).astype(object).sum(axis=0)
        return sum(int(column).bit_length() for column in columns)


@dataclass(frozen=True)
class Approximation:
    """Integers y in 2^-bits per unit of statistic, and the error of every T y in 2^-bits."""

    unit_costs: NDArray[np.object_]
    bits: int
    error: int


def build_system(
    served: NDArray[np.int64], totals: NDArray[np.int64], divisors: NDArray[np.int64]
) -> System:
    """Divide each giver's statistics by a common divisor of all of them and bound the inverse."""
    served, totals = served // divisors, totals // divisors
    n = len(totals)
    matrix = np.eye(n) - served / totals
    try:
        inverse = np.asarray(np.linalg.inv(matrix), np.float64)
    except np.linalg.LinAlgError:
        return System(served, totals, None, np.inf)
    size = np.abs(inverse) @ np.abs(matrix)
    rounding = (n + 4) * 2.0**-52 * size.sum(axis=1).max()
    defect = np.abs(np.eye(n) - inverse @ matrix).sum(axis=1).max() + rounding
    if not defect < 0.5:
        return System(served, totals, None, np.inf)
    norm = float(np.abs(inverse).sum(axis=1).max() / (1 - defect) * 1.001)
    return System(served, totals, inverse, norm)


def solve_gross_cost(system: System, direct: NDArray[np.int64]) -> NDArray[np.int64]:
    """Gross cost x of x = d + A x, nearest fen, halves away from zero, int64 [givers, elements].

    direct: fen [givers, elements]. Raises SingularSystem, or OverflowError where an x leaves 64
    bits.
    """
    if system.inverse is None:
        return _solve_in_rationals(system, direct)
    found = approximate(system, direct, first_bits(system))
    gross = np.zeros(direct.shape, dtype=object)
    open_places = list(np.ndindex(direct.shape))
    while True:
        error, bits = found.error, found.bits
        exact = system.totals.astype(object)[:, None] * found.unit_costs
        final = bits > system.separation_bits + first_bits(system)
        still_open = []
        for place in open_places:
            nearest = _round_certified(exact[place], error, bits, final)
            if nearest is None:
                still_open.append(place)
            else:
                gross[place] = nearest
        if not still_open:
            return gross.astype(np.int64)
        open_places = still_open
        more = min(4 * bits, system.separation_bits + first_bits(system) + 1)
        found = approximate(system, direct, more)


def first_bits(system: System) -> int:
    """Bits that leave an error of 2^-MARGIN_BITS fen once the residual is at its floor."""
    return max(int(np.ceil(np.log2(system.norm * _residual_floor(system)))), 0) + MARGIN_BITS


def _residual_floor(system: System) -> float:
    """The residual that rounding y to integers alone can leave, times a margin of four."""
    rows = system.totals + np.abs(system.served).sum(axis=1, dtype=np.float64)
    return float(4 * max(rows.max(), 1.0))


def approximate(system: System, direct: NDArray[np.int64], bits: int) -> Approximation:
    """Refine y from zero until the exact residual is at its floor."""
    inverse = system.inverse
    if inverse is None:
        raise SingularSystem
    refine = _refine_narrow if _fits_128_bits(system, inverse, direct, bits) else _refine_wide
    unit_costs, residual = refine(system, inverse, direct, bits)
    return Approximation(unit_costs, bits, int(residual * system.norm * 1.001) + 2)


def _fits_128_bits(
    system: System, inverse: NDArray[np.float64], direct: NDArray[np.int64], bits: int
) -> bool:
    """Whether no sum of the residual can reach 2^126, with room for an unrefined y."""
    shares = np.abs(system.served / system.totals).max(initial=1.0)
    gross = np.abs(inverse @ direct).sum(axis=0).max(initial=1.0)
    largest = np.abs(direct).max(initial=0) + 4.0 * gross * (1 + shares)
    return bits < 126 and bool(largest * len(system.totals) * 2.0 ** min(bits, 126) < 2.0**123)


def _refine_narrow(
    system: System, inverse: NDArray[np.float64], direct: NDArray[np.int64], bits: int
) -> tuple[NDArray[np.object_], float]:
    """Refinement in 128-bit integers; returns y and the largest residual."""
    floor = _residual_floor(system)
    unit_costs = np.zeros((*direct.shape, 2), np.int64)
    served = np.ascontiguousarray(system.served)
    left = residuals(served, system.totals, direct, bits, unit_costs)
    for _ in range(20):
        add_corrections(unit_costs, (inverse @ left) / system.totals[:, None])
        left = residuals(served, system.totals, direct, bits, unit_costs)
        if np.abs(left).max(initial=0.0) <= floor:
            break
    high = unit_costs[:, :, 0].astype(object)
    low = unit_costs[:, :, 1].view(np.uint64).astype(object)
    return high * WORD + low, float(np.abs(left).max(initial=0.0)) * (1 + 2.0**-50)


def _refine_wide(
    system: System, inverse: NDArray[np.float64], direct: NDArray[np.int64], bits: int
) -> tuple[NDArray[np.object_], float]:
    """The same in Python integers of any width."""
    floor = _residual_floor(system)
    served, totals = system.served.astype(object), system.totals.astype(object)[:, None]
    target = direct.astype(object) * (1 << bits)
    unit_costs = np.zeros(direct.shape, dtype=object)
    left = target
    for _ in range(bits // 8 + 20):
        largest = max((abs(int(r)) for r in left.flat), default=0)
        if largest <= floor:
            break
        shift = max(largest.bit_length() - 900, 0)
        steps = (inverse @ (left // (1 << shift)).astype(np.float64)) / system.totals[:, None]
        whole = np.array([[round(step) << shift for step in row] for row in steps], dtype=object)
        unit_costs = unit_costs + whole.reshape(direct.shape)
        left = target - totals * unit_costs + served.dot(unit_costs)
    return unit_costs, float(max((abs(int(r)) for r in left.flat), default=0))


def _round_certified(value: int, error: int, bits: int, final: bool) -> int | None:
    """The nearest integer to value / 2^bits, halves away from zero, None if error forbids it.

    final: bits are so many that a value this near a half is that half.
    """
    low = _round_half_up(value - error, bits)
    high = _round_half_up(value + error, bits)
    if low == high:
        return low
    if not final:
        return None
    return high if value >= 0 else low


def _round_half_up(value: int, bits: int) -> int:
    return (value + (1 << (bits - 1))) >> bits


def _solve_in_rationals(system: System, direct: NDArray[np.int64]) -> NDArray[np.int64]:
    """The exact solution, rounded; for systems whose inverse cannot be bounded."""
    unit_costs = rational_unit_costs(system, direct)
    gross = np.zeros(direct.shape, dtype=object)
    for (row, element), cost in np.ndenumerate(unit_costs):
        exact = int(system.totals[row]) * cost
        nearest = (2 * abs(exact.numerator) + exact.denominator) // (2 * exact.denominator)
        gross[row, element] = nearest if exact >= 0 else -nearest
    return gross.astype(np.int64)


def rational_unit_costs(
    system: System, direct: NDArray[np.int64] | NDArray[np.object_]
) -> NDArray[np.object_]:
    """Gaussian elimination in fractions; raises SingularSystem."""
    n = len(system.totals)
    rows: list[list[Fraction]] = []
    for i in range(n):
        row = [Fraction(-int(s)) for s in system.served[i]]
        row[i] += int(system.totals[i])
        rows.append(row + [Fraction(int(d)) for d in direct[i]])
    for pivot in range(n):
        best = next((r for r in range(pivot, n) if rows[r][pivot] != 0), None)
        if best is None:
            raise SingularSystem
        rows[pivot], rows[best] = rows[best], rows[pivot]
        scale = rows[pivot][pivot]
        rows[pivot] = [value / scale for value in rows[pivot]]
        for other in range(n):
            factor = rows[other][pivot]
            if other != pivot and factor != 0:
                rows[other] = [
                    a - factor * b for a, b in zip(rows[other], rows[pivot], strict=True)
                ]
    unit_costs = np.empty((n, direct.shape[1]), dtype=object)
    for i in range(n):
        unit_costs[i] = rows[i][n:]
    return unit_costs
