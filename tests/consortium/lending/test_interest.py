"""Interest by day count: totals rounded once, remainders placed by rule 2."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medcost.consortium.lending.interest import (
    contract_interest,
    interest_fen,
    placed_interest,
    posted_interest,
)

THREE = Fraction("0.03")


@pytest.mark.parametrize(("day_count", "fen"), [("ACT/360", 1_875_000), ("ACT/365", 1_849_315)])
def test_interest_of_the_constructed_example(day_count, fen):
    """X11: 5,000,000 yuan, 3 %, 45 days. 18,750.00 by ACT/360; 18,493.1507 by ACT/365."""
    assert interest_fen(500_000_000 * 45, THREE, day_count) == fen


def test_the_missing_cent_goes_to_the_largest_remainder_and_of_equal_ones_to_the_first():
    """X11: 3 M x 45, 2 M x 30 and 4 M x 15 days are 135, 60 and 60 M of 255 M.

    18,750.00 x 135/255 = 9,926.4706, x 60/255 = 4,411.7647 twice. Cut: .47, .76, .76: a fen is
    missing. The pieces cut off are .06, .47 and .47 fen: H2 comes before H3 and gets it.
    """
    products = np.array([3_000_000 * 45, 2_000_000 * 30, 4_000_000 * 15], np.int64) * 100
    assert placed_interest(1_875_000, products).tolist() == [992_647, 441_177, 441_176]


def test_days_are_counted_and_not_months():
    """100,000.00 yuan at 3.6 %: 31 days are 310.00, 28 days 280.00, 29 days of 2028 290.00."""
    rate, balance = Fraction("0.036"), np.array([10_000_000], np.int64)
    found = [int(posted_interest(balance, days, rate, "ACT/360")[0]) for days in (31, 28, 29)]
    assert found == [31_000, 28_000, 29_000]


def test_half_a_fen_is_rounded_away_from_nothing():
    """1.00 yuan for 1 day at 180 % by ACT/360 is half a fen: 1 fen."""
    assert interest_fen(100, Fraction("1.8"), "ACT/360") == 1


def test_a_contract_of_its_own_is_rounded_by_itself():
    """Three times 0.5 fen: each contract is 1 fen, together 3; as one posting 1.5 is 2 fen."""
    balances, rate = np.full(3, 100, np.int64), Fraction("1.8")
    assert contract_interest(balances, 1, rate, "ACT/360").tolist() == [1, 1, 1]
    assert posted_interest(balances, 1, rate, "ACT/360").tolist() == [1, 1, 0]


def test_a_balance_that_would_leave_64_bits_is_refused():
    """1e18 fen for 31 days."""
    with pytest.raises(OverflowError):
        posted_interest(np.array([10**18], np.int64), 31, THREE, "ACT/360")


balances = st.lists(st.integers(0, 10**12), min_size=1, max_size=8)


@given(
    balances, st.integers(1, 31), st.integers(0, 200_000), st.sampled_from(["ACT/360", "ACT/365"])
)
def test_postings_add_up_to_the_total_and_lie_within_a_fen_of_the_exact(held, days, ppm, day_count):
    """The slow twin is in fractions: the total rounded once; every part within one fen."""
    rate, year = Fraction(ppm, 1_000_000), int(day_count[4:])
    posted = posted_interest(np.array(held, np.int64), days, rate, day_count).tolist()
    exact = [Fraction(one) * days * rate / year for one in held]
    assert abs(sum(posted) - sum(exact)) <= Fraction(1, 2)
    assert sum(posted) == interest_fen(sum(held) * days, rate, day_count)
    assert all(abs(p - e) < Fraction(3, 2) for p, e in zip(posted, exact, strict=True))


@given(balances, st.integers(1, 31))
def test_who_has_more_never_gets_less(held, days):
    """Sorted by balance, postings are sorted, up to the one fen of equal remainders."""
    posted = posted_interest(np.array(held, np.int64), days, THREE, "ACT/365").tolist()
    pairs = sorted(zip(held, posted, strict=True))
    assert all(a[1] <= b[1] + 1 for a, b in itertools.pairwise(pairs))
