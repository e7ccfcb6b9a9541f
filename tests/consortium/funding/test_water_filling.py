"""Amounts shared by weights between floors and caps."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consortium.funding.twins import filled
from medcost.consortium.funding.water_filling import (
    AT_CAP,
    AT_FLOOR,
    FREE,
    FloorsExceedAmount,
    fill,
    split_by_weights,
)

members = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 20), st.integers(0, 40)), min_size=1, max_size=5
)


def test_one_at_its_floor_and_one_at_its_cap_leave_the_rest_to_the_third() -> None:
    """100 over three equal weights: floor 50 of the second, cap 10 of the third, 40 are left."""
    found = fill(100, [1, 1, 1], [0, 50, 0], [None, None, 10])
    assert ((40, 50, 10), (FREE, AT_FLOOR, AT_CAP), Fraction(40), 0) == (
        found.fen, found.held, found.level, found.left
    )  # fmt: skip


def test_what_no_cap_leaves_room_for_is_left() -> None:
    found = fill(7, [1, 1, 0], [0, 0, 0], [3, 3, 3])
    assert ((3, 3, 0), 1) == (found.fen, found.left)


def test_a_weight_of_nothing_gets_its_floor() -> None:
    assert (5, 15) == fill(20, [0, 1], [5, 0], [None, None]).fen


def test_floors_beyond_the_amount_are_refused_with_what_is_missing() -> None:
    with pytest.raises(FloorsExceedAmount) as refused:
        fill(10, [1, 1], [6, 7], [None, None])
    assert 3 == refused.value.missing


def test_a_floor_above_its_cap_is_refused() -> None:
    with pytest.raises(ValueError, match="above its cap"):
        fill(10, [1], [6], [5])


def test_the_last_fen_goes_to_the_largest_piece_cut_off() -> None:
    """10 by 1 : 1 : 1 is 3 1/3 each: the first in order has the fen that is missing."""
    assert [4, 3, 3] == split_by_weights(10, [1, 1, 1])


def test_weights_beyond_64_bits_split_as_small_ones_do() -> None:
    """Service volumes of thousands of millions, times scores, have more than 19 digits."""
    small = [7, 0, 5, 5]
    large = [weight * (10**22 + 1) for weight in small]
    assert split_by_weights(-1001, small) == split_by_weights(-1001, large)


@given(amount=st.integers(0, 200), rows=members)
def test_water_filling_equals_its_twin_within_a_fen(
    amount: int, rows: list[tuple[int, int, int]]
) -> None:
    weights = [weight for weight, _, _ in rows]
    floors = [floor for _, floor, _ in rows]
    caps = [floor + more for _, floor, more in rows]
    if sum(floors) > amount:
        with pytest.raises(FloorsExceedAmount):
            fill(amount, weights, floors, caps)
        return
    found = fill(amount, weights, floors, caps)
    assert amount == sum(found.fen) + found.left
    exact = filled(amount - found.left, weights, floors, caps)
    assert all(abs(part - twin) < 1 for part, twin in zip(found.fen, exact, strict=True))
    assert all(f <= part <= c for f, part, c in zip(floors, found.fen, caps, strict=True))
    if found.left:
        open_caps = [c for w, c in zip(weights, caps, strict=True) if w]
        assert sum(open_caps) < amount


@given(amount=st.integers(0, 200), more=st.integers(0, 50), rows=members)
def test_more_to_share_gives_nobody_a_fen_less_but_for_rounding(
    amount: int, more: int, rows: list[tuple[int, int, int]]
) -> None:
    weights = [weight for weight, _, _ in rows]
    floors = [0] * len(rows)
    caps = [floor + room for _, floor, room in rows]
    before, after = (fill(one, weights, floors, caps).fen for one in (amount, amount + more))
    assert all(b - a < 1 + 1 for b, a in zip(before, after, strict=True))
    if more == 0:
        assert before == after
