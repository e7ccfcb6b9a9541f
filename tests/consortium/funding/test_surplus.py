"""The insurance package, its surplus and overspend: the constructed example X9, to the fen."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medcost.consortium.funding.package import (
    Aggregate,
    PackageFigures,
    PackageRules,
    StopLoss,
    settle,
)
from medcost.consortium.funding.reinsurance import Tier
from medcost.consortium.funding.surplus import FloorAboveCap, Group, Sharers, share_out
from medcost.consortium.funding.water_filling import AT_CAP, AT_FLOOR

MILLION = 100_000_000
SIX_THREE_ONE = (Group("county", 6), Group("township", 3), Group("village", 1))
PLAIN = PackageRules(Fraction("0.05"), 0, None, None, None)


def sharers(*rows: tuple[int, int], floors: dict[int, int] | None = None,
            caps: dict[int, int] | None = None) -> Sharers:  # fmt: skip
    n = range(len(rows))
    return Sharers(
        tuple(group for group, _ in rows),
        tuple(weight for _, weight in rows),
        tuple((floors or {}).get(j, 0) for j in n),
        tuple((caps or {}).get(j) for j in n),
    )


def test_x9_surplus_is_the_package_less_reserve_and_what_was_paid() -> None:
    """100 M - 5 M reserve - 38 M out of county - 52 M local = 5 M."""
    figures = PackageFigures(100 * MILLION, None, 38 * MILLION, 52 * MILLION, None)
    found = settle(figures, PLAIN)
    assert 5 * MILLION == found.surplus
    assert found.surplus == sum(fen for name, fen in found.lines.items() if name != "surplus")


def test_x9_a_surplus_goes_6_3_1_and_among_townships_by_population_and_score() -> None:
    """3 M, 1.5 M and 0.5 M; townships 28,500 : 18,000 : 8,000 of 54,500.

    1,500,000 · 28,500 / 54,500 = 784,403.67, · 18,000 / 54,500 = 495,412.84, the last 220,183.49.
    """
    people = [(30_000, "0.95"), (20_000, "0.90"), (10_000, "0.80")]
    weights = [int(n * Fraction(score)) for n, score in people]
    rows = [(0, 1), *((1, weight) for weight in weights), (2, 1)]
    found = share_out(5 * MILLION, SIX_THREE_ONE, sharers(*rows))
    assert (3 * MILLION, MILLION * 3 // 2, MILLION // 2) == found.group_fen
    assert (3 * MILLION, 78_440_367, 49_541_284, 22_018_349, MILLION // 2) == found.fen
    assert 0 == found.left


def test_an_overspend_is_the_mirror_image_of_a_surplus() -> None:
    rows = sharers((0, 3), (1, 7), (1, 11), (2, 2))
    up, down = (share_out(sign * 1_000_003, SIX_THREE_ONE, rows) for sign in (1, -1))
    assert up.fen == tuple(-fen for fen in down.fen)
    assert -up.left == down.left


def test_the_part_of_an_absent_group_goes_to_the_others_or_is_kept() -> None:
    """1,000 without villages: 6 : 3 of 1,000 is 666.67 : 333.33, or 600 and 300 and 100 kept."""
    rows = sharers((0, 1), (1, 1))
    assert (66_667, 33_333) == share_out(100_000, SIX_THREE_ONE, rows).fen
    kept = share_out(100_000, SIX_THREE_ONE, rows, absent="keep")
    assert ((60_000, 30_000), 10_000) == (kept.fen, kept.left)


def test_a_group_without_a_weight_still_keeps_its_floors() -> None:
    """Two townships that did nothing have their floors of 100, of 300; the rest is kept."""
    rows = sharers((0, 1), (1, 0), (1, 0), floors={1: 10_000, 2: 10_000})
    found = share_out(90_000, (Group("county", 6), Group("township", 3)), rows)
    assert ((60_000, 10_000, 10_000), 10_000) == (found.fen, found.left)


def test_floors_and_caps_hold_inside_a_group() -> None:
    """900 by 8 : 1 : 1 is 720, 90, 90; at most 500 and at least 250 leave 150 for the last."""
    rows = sharers((0, 8), (0, 1), (0, 1), floors={1: 25_000}, caps={0: 50_000})
    found = share_out(90_000, (Group("all", 1),), rows)
    assert (50_000, 25_000, 15_000) == found.fen
    assert (AT_CAP, AT_FLOOR) == found.held[:2]


def test_nobody_has_more_than_the_largest_share_of_its_group() -> None:
    """At most 40 % of 1,000 each: of 8 : 1 : 1, 400, 300 and 300."""
    rows = sharers((0, 8), (0, 1), (0, 1))
    found = share_out(100_000, (Group("all", 1),), rows, most=Fraction("0.4"))
    assert (40_000, 30_000, 30_000) == found.fen
    too_low = share_out(100_000, (Group("all", 1),), rows, most=Fraction("0.3"))
    assert ((30_000, 30_000, 30_000), 10_000) == (too_low.fen, too_low.left)


def test_a_floor_above_what_the_largest_share_allows_is_named() -> None:
    rows = sharers((0, 1), (0, 1), floors={1: 60_000})
    with pytest.raises(FloorAboveCap) as refused:
        share_out(100_000, (Group("all", 1),), rows, most=Fraction("0.5"))
    assert (1, 60_000, 50_000) == (refused.value.member, refused.value.floor, refused.value.cap)


def test_serious_illness_takes_from_the_package_and_reinsurance_gives_back() -> None:
    """Tiers pay 15,600 of a claim of 40,000; a stop-loss gives back 135,000 of one of 350,000.

    Paid 38 M + 60 M + 15,600 - 135,000 = 97,880,600; beyond 125 % of an expected 78 M = 97.5 M are
    380,600, of which half comes back.
    """
    rules = PackageRules(
        Fraction("0.05"),
        1_400_000,
        (Tier(5_000_000, Fraction("0.6")),),
        StopLoss(20_000_000, 100_000_000, Fraction("0.9")),
        Aggregate(Fraction("1.25"), Fraction("0.5")),
    )
    figures = PackageFigures(100 * MILLION, None, 38 * MILLION, 60 * MILLION, 78 * MILLION)
    lines = settle(figures, rules, [4_000_000], [35_000_000]).lines
    assert (-1_560_000, 13_500_000, 19_030_000) == (
        lines["serious_illness"], lines["stop_loss"], lines["aggregate"]
    )  # fmt: skip
    assert sum(lines.values()) == 2 * lines["surplus"]


members = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(0, 10**9), st.integers(0, 1000), st.integers(0, 10**7)
    ),
    min_size=1,
    max_size=8,
)


@given(amount=st.integers(-(10**10), 10**10), rows=members)
def test_no_fen_of_a_surplus_is_made_or_lost(
    amount: int, rows: list[tuple[int, int, int, int]]
) -> None:
    of = Sharers(
        tuple(group for group, *_ in rows),
        tuple(weight for _, weight, *_ in rows),
        (0,) * len(rows),
        tuple(floor + room for _, _, floor, room in rows),
    )
    found = share_out(amount, SIX_THREE_ONE, of)
    assert amount == sum(found.fen) + found.left
    sign = -1 if amount < 0 else 1
    assert all(0 <= sign * fen <= cap for fen, cap in zip(found.fen, of.caps, strict=True))
