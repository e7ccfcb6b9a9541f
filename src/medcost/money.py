"""Whole fen: how they are printed and the one way a quotient is rounded."""

from __future__ import annotations

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
