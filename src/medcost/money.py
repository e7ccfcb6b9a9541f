"""Whole fen: how they are printed and the one way a quotient is rounded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FEN_PER_YUAN = 100
# decimal(18,2) holds at most this many fen; every published amount stays within it.
LARGEST_FEN = 10**18 - 1


def format_yuan(fen: int) -> str:
    """Yuan with thousands separators and two decimals: 1204500 fen is '12,045.00'."""
    sign = "-" if fen < 0 else ""
    yuan, rest = divmod(abs(fen), FEN_PER_YUAN)
    return f"{sign}{yuan:,}.{rest:02d}"


def divide_half_away(numerator: int, denominator: int) -> int:
    """The nearest integer to numerator / denominator, halves away from zero; denominator > 0."""
    quotient = (2 * abs(numerator) + denominator) // (2 * denominator)
    return quotient if numerator >= 0 else -quotient


# A remainder below this takes four more decimal digits within 64 bits.
LARGEST_DIVISOR = 9 * 10**14


def scaled_quotients(
    numerators: NDArray[np.int64], steps: int, denominators: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The nearest integer to numerators x steps / denominators, as above, and where there is one.

    steps: a power of 10^4. There is no quotient, and 0 stands, where the denominator is 0 or the
    quotient has more than 18 digits. Long division, four digits at a time.
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
        digits, rest = np.divmod(rest * 10**4, divisor)
        quotient = quotient * 10**4 + digits
        taken *= 10**4
    quotient += 2 * rest >= divisor
    fits &= quotient <= LARGEST_FEN
    quotient = np.where((numerators < 0) != (denominators < 0), -quotient, quotient)
    for row in np.flatnonzero(wide).tolist():
        fen, by = int(numerators[row]), int(denominators[row])
        found = divide_half_away(fen * steps * (1 if by > 0 else -1), abs(by)) if by else 0
        fits[row] = by != 0 and abs(found) <= LARGEST_FEN
        quotient[row] = found if fits[row] else 0
    return np.where(fits, quotient, 0), fits
