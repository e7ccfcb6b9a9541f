"""Tiers, stop-loss and aggregate: the constructed examples X12 and X13, to the fen."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from medcost.consortium.funding.reinsurance import (
    Tier,
    beyond_retention,
    beyond_total,
    paid_by_tiers,
)

YUAN = 100
TIERS = (
    Tier(50_000 * YUAN, Fraction("0.60")),
    Tier(100_000 * YUAN, Fraction("0.65")),
    Tier(None, Fraction("0.70")),
)
yuan = st.integers(0, 10**9)


def test_x12_tiers_count_from_the_deductible() -> None:
    """Above 14,000: 60 % of the first 50,000, 65 % to 100,000, 70 % beyond.

    90,000 is 76,000 above: 30,000 + 26,000 · 0.65 = 46,900; 214,000 is 200,000 above: 30,000 +
    32,500 + 70,000 = 132,500.
    """
    expected = {
        10_000: 0, 40_000: 15_600, 64_000: 30_000, 90_000: 46_900, 114_000: 62_500,
        214_000: 132_500,
    }  # fmt: skip
    for claim, paid in expected.items():
        assert paid * YUAN == paid_by_tiers(claim * YUAN, 14_000 * YUAN, TIERS)


def test_x13_a_stop_loss_pays_between_retention_and_limit() -> None:
    """90 % of what lies between 200,000 and 1,000,000: 150,000 · 0.9, and at most 720,000."""
    for claim, paid in {350_000: 135_000, 1_000_000: 720_000, 1_500_000: 720_000}.items():
        found = beyond_retention(claim * YUAN, 200_000 * YUAN, 1_000_000 * YUAN, Fraction("0.9"))
        assert paid * YUAN == found


def test_x13_an_aggregate_pays_what_exceeds_125_percent_of_what_was_expected() -> None:
    """125 % of 8 million is 10 million; of 11.2 million, 1.2 million is beyond."""
    expected = 8_000_000 * YUAN
    found = beyond_total(11_200_000 * YUAN, expected, Fraction("1.25"), Fraction(1))
    assert 1_200_000 * YUAN == found
    assert 0 == beyond_total(10_000_000 * YUAN, expected, Fraction("1.25"), Fraction(1))


def test_a_claim_is_rounded_once_halves_away_from_zero() -> None:
    """0.01 at 60 % and 0.01 at 65 % above nothing: 0.0125 is 0.01, not 0.01 + 0.01."""
    tiers = (Tier(1, Fraction("0.60")), Tier(2, Fraction("0.65")))
    assert 1 == paid_by_tiers(2, 0, tiers)
    assert 1 == paid_by_tiers(1, 0, (Tier(None, Fraction("0.5")),))


def test_beyond_the_end_of_the_last_tier_nothing_more_is_paid() -> None:
    tiers = (Tier(1_000, Fraction("0.5")),)
    assert 500 == paid_by_tiers(1_000, 0, tiers) == paid_by_tiers(9_000, 0, tiers)


@given(claim=yuan, more=yuan)
def test_a_larger_claim_is_never_paid_less_and_no_yuan_twice(claim: int, more: int) -> None:
    small, large = (paid_by_tiers(one, 1_400_000, TIERS) for one in (claim, claim + more))
    assert 0 <= large - small <= more + 1
