"""What insurance pays of a claim: by tiers, beyond a retention, and beyond a total; to the fen."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from medcost.money import divide_half_away
from medcost.records import dataclass


@dataclass(frozen=True)
class Tier:
    """What is paid of the part of a claim up to so much above the deductible; None: no end."""

    up_to: int | None
    rate: Fraction


def paid_by_tiers(claim: int, deductible: int, tiers: Sequence[Tier]) -> int:
    """What tiers pay of a claim, fen, rounded once, halves away from zero.

    The part of the claim above the deductible is cut at the tiers' ends, which ascend and count
    from the deductible; each piece is paid at its tier's rate. A last tier that has an end pays
    nothing beyond it. claim, deductible: fen, not negative.
    """
    above, paid, begin = max(claim - deductible, 0), Fraction(0), 0
    for tier in tiers:
        end = above if tier.up_to is None else min(above, tier.up_to)
        paid += max(end - begin, 0) * tier.rate
        begin = max(begin, end)
    return divide_half_away(*paid.as_integer_ratio())


def beyond_retention(claim: int, retention: int, limit: int | None, share: Fraction) -> int:
    """What a stop-loss pays of one claim: a share of what lies between retention and limit, fen.

    The limit is of the claim, not of what is paid; None: no limit.
    """
    covered = claim if limit is None else min(claim, limit)
    return divide_half_away(*(share * max(covered - retention, 0)).as_integer_ratio())


def beyond_total(total: int, expected: int, attachment: Fraction, share: Fraction) -> int:
    """What an aggregate stop-loss pays: a share of claims beyond attachment x expected, fen."""
    beyond = max(total - attachment * expected, Fraction(0))
    return divide_half_away(*(share * beyond).as_integer_ratio())
