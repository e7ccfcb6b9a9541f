"""Rules that need no comparison, rounding and postings: by hand and as laws."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medcost.consortium.sharing.games import GameRefused
from medcost.consortium.sharing.rules import (
    OWN,
    POOL,
    by_weights,
    joint_examinations,
    keeper_of,
    outreach,
    postings,
    rounded,
)


def test_a_cost_by_driver_goes_to_the_fen_with_the_largest_remainder() -> None:
    """100.00 by 1 : 1 : 1 is 33.33 each; the missing fen goes to the first by id."""
    assert rounded(by_weights(10_000, {"C": 1, "A": 1, "B": 1})) == {
        ("A", OWN): 3334,
        ("B", OWN): 3333,
        ("C", OWN): 3333,
    }


def test_outreach_is_borne_by_visits_and_by_the_pool() -> None:
    """1,000.01 yuan, 1 visit and 2: 200.00(2), 400.00(4), pool 400.00(4): a fen to a largest."""
    parts = outreach(100_001, {"T1": 1, "T2": 2}, Fraction(6, 10), "L")
    assert parts == {
        ("T1", OWN): Fraction(200_002, 10),
        ("T2", OWN): Fraction(400_004, 10),
        ("L", POOL): Fraction(400_004, 10),
    }
    assert rounded(parts) == {("L", POOL): 40_001, ("T1", OWN): 20_000, ("T2", OWN): 40_000}


def test_joint_examinations_take_parts_of_both_revenues() -> None:
    """1,000.00; examined for 2,000.00, read for 800.00: 400.00, 240.00, and 360.00 for the pool."""
    fifth, three_tenths = Fraction(2, 10), Fraction(3, 10)
    parts = joint_examinations(100_000, [("T1", "L", 200_000, 80_000)], fifth, three_tenths, "L")
    assert parts == {("T1", OWN): 40_000, ("L", OWN): 24_000, ("L", POOL): 36_000}
    # Where the parts are more than the cost, the pool keeps what is over.
    parts = joint_examinations(10_000, [("T1", "L", 200_000, 80_000)], fifth, three_tenths, "L")
    assert parts["L", POOL] == -54_000


def test_postings_stand_in_the_books_of_both_sides() -> None:
    """The performer's own share is not posted; its own and its pool's books are two parties."""
    found = postings("L", {("L", OWN): 100, ("L", POOL): 40, ("T", OWN): 60, ("V", OWN): 0})
    assert [(one.party, one.counterparty, one.fen) for one in found] == [
        (("L", OWN), ("L", POOL), -40),
        (("L", OWN), ("T", OWN), -60),
        (("L", POOL), ("L", OWN), 40),
        (("T", OWN), ("L", OWN), 60),
    ]


def test_the_pool_is_kept_by_the_lead_or_by_who_is_named() -> None:
    """Without a name and with two leads nobody can tell."""
    assert keeper_of("", ["L"]) == "L"
    assert keeper_of("T", ["L", "M"]) == "T"
    with pytest.raises(GameRefused) as refused:
        keeper_of("", ["L", "M"])
    assert refused.value.code == "pool-keeper-unclear"


@given(
    st.integers(-(10**12), 10**12),
    st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(0, 10**9), min_size=1),
)
def test_shares_add_up_and_postings_net_to_zero(cost: int, weights: dict[str, int]) -> None:
    """For any cost, credits too; a share is within one fen of its exact part."""
    if not sum(weights.values()):
        return
    parts = by_weights(cost, weights)
    shares = rounded(parts)
    assert sum(shares.values()) == cost
    assert all(abs(shares[party] - part) < 1 for party, part in parts.items())
    performer = min(weights)
    found = postings(performer, shares)
    assert sum(one.fen for one in found) == 0
    for unit in weights:
        posted = sum(one.fen for one in found if one.party == (unit, OWN))
        assert posted == shares[unit, OWN] - (cost if unit == performer else 0)


def test_rounding_refuses_parts_of_no_whole_sum() -> None:
    """Half a fen is lost somewhere."""
    with pytest.raises(ValueError, match="whole fen"):
        rounded({("A", OWN): Fraction(1, 2)})
