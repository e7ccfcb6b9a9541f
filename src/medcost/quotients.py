"""Quotients of whole arrays, rounded as single ones are.

Apart from money.py because the command line imports that, and should not import NumPy to say its
version.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medcost.money import LARGEST_FEN, divide_half_away

# A remainder below this takes four more decimal digits within 64 bits.
LARGEST_DIVISOR = 9 * 10**14


def scaled_quotients(
    numerators: NDArray[np.int64], steps: int, denominators: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The nearest integer to numerators x steps / denominators, and where there is one.

    Halves go away from zero, as in money.divide_half_away. steps: a power of 10. There is no
    quotient, and 0 stands, where the denominator is 0 or the quotient has more than 18 digits.
    Long division, four digits at a time.
    """
    divisor = np.abs(denominators)
    # The smallest int64 stays negative as its own absolute value.
    wide = (divisor > LARGEST_DIVISOR) | (divisor < 0) | (np.abs(numerators) < 0)
    fits = (divisor != 0) & ~wide
    divisor = np.where(fits, divisor, 1)
    quotient, rest = np.divmod(np.where(fits, np.abs(numerators), 0), divisor)
    fits &= quotient <= LARGEST_FEN // steps
    quotient[~fits], rest[~fits] = 0, 0
    taken = 1
    while taken < steps:
        more = min(10**4, steps // taken)
        digits, rest = np.divmod(rest * more, divisor)
        quotient = quotient * more + digits
        taken *= more
    quotient += 2 * rest >= divisor
    fits &= quotient <= LARGEST_FEN
    quotient = np.where((numerators < 0) != (denominators < 0), -quotient, quotient)
    for row in np.flatnonzero(wide).tolist():
        fen, by = int(numerators[row]), int(denominators[row])
        found = divide_half_away(fen * steps * (1 if by > 0 else -1), abs(by)) if by else 0
        fits[row] = by != 0 and abs(found) <= LARGEST_FEN
        quotient[row] = found if fits[row] else 0
    return np.where(fits, quotient, 0), fits


def round_together(numerators: Sequence[int], denominator: int) -> list[int]:
    """Parts numerator / denominator in whole numbers that add up to their sum, a whole number.

    Every part is cut toward zero; what is then missing goes one each to the parts whose cut-off
    piece is largest in its direction, the first on ties (arithmetic rule 2). denominator > 0.
    """
    total, rest = divmod(sum(numerators), denominator)
    if rest:
        raise ValueError("the parts do not add up to a whole number")
    cut = [abs(part) // denominator * (1 if part >= 0 else -1) for part in numerators]
    missing = total - sum(cut)
    direction = 1 if missing > 0 else -1
    pieces = [part - whole * denominator for part, whole in zip(numerators, cut, strict=True)]
    order = sorted(range(len(cut)), key=lambda i: (-direction * pieces[i], i))
    for i in order[: abs(missing)]:
        cut[i] += direction
    return cut
