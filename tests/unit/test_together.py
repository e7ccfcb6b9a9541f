"""Rounding many exact costs together, once, against fractions."""

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medcost._core.fixed_point import first_cut
from medcost.costing.together import (
    ROUGH,
    OpenFen,
    give_exactly,
    hand_out,
    open_places,
    round_together,
    sum_exactly,
)
from medcost.errors import InvariantBroken
from unit.equations import rounded

ONE = 2**64
always_the_same = settings(derandomize=True, deadline=None, database=None, max_examples=300)


def fixed_point(
    exact: list[Fraction], errors: list[int], shift: list[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the costs as whole fen and 2^-64, each moved by less than its error bound.

    Where the bound is 0 the cost must be a multiple of 2^-64 and stands as it is.
    """
    wholes, parts = [], []
    for cost, error, move in zip(exact, errors, shift, strict=True):
        value = math.floor(cost * ONE)
        if error:
            value += move % (2 * error - 1) - (error - 1)
            assert abs(value - cost * ONE) < error
        wholes.append(value >> 64)
        parts.append(value % ONE)
    return (
        np.array(wholes, np.int64),
        np.array(parts, np.uint64),
        np.array(errors, np.int64),
    )


def together(
    exact: list[Fraction],
    total: int,
    errors: list[int] | None = None,
    shift: list[int] | None = None,
    exact_of: Callable[[int], Fraction] | None = None,
) -> list[int]:
    """Return medcost's rounding; without errors given, bounds of 1 wherever 2^-64 cut a cost."""
    if errors is None:
        errors = [int((cost * ONE).denominator != 1) for cost in exact]
    arrays = fixed_point(exact, errors, shift or [0] * len(exact))
    return round_together(*arrays, total, exact_of or (lambda i: exact[i])).tolist()


RATIONAL = st.one_of(
    st.builds(Fraction, st.integers(-200, 200), st.integers(1, 12)),
    st.builds(Fraction, st.integers(-(10**15), 10**15), st.integers(1, 10**6)),
    st.integers(-1000, 1000).map(Fraction),
    st.builds(
        lambda n, d, sign: n + Fraction(sign, d),
        st.integers(-5, 5),
        st.sampled_from([2**63, 2**64, 2**70, 10**30]),
        st.sampled_from([-1, 1]),
    ),
)
BOUND = st.one_of(st.just(1), st.integers(1, 1000), st.integers(1, 2**56), st.integers(1, 2**62))


@st.composite
def loose_costs(draw: st.DrawFn) -> tuple[list[Fraction], list[int], list[int]]:
    """Draw costs, bounds that are larger than need be, and how far each value is off."""
    exact = draw(st.lists(RATIONAL, min_size=1, max_size=25))
    errors = [
        0 if (c * ONE).denominator == 1 and draw(st.booleans()) else draw(BOUND) for c in exact
    ]
    shift = [draw(st.integers(-(2**62), 2**62)) for _ in exact]
    return exact, errors, shift


def total_of(exact: list[Fraction], more: int) -> int:
    """Return a total near the exact sum."""
    return math.floor(sum(exact, Fraction(0))) + more


@always_the_same
@given(loose_costs(), st.integers(-2, 3))
def test_loose_bounds_change_no_fen(
    costs: tuple[list[Fraction], list[int], list[int]], more: int
) -> None:
    """However far off a value may be, the result is that of exact arithmetic."""
    exact, errors, shift = costs
    total = total_of(exact, more)
    assert rounded(exact, total) == together(exact, total, errors, shift)


@always_the_same
@given(loose_costs(), st.integers(-(10**6), 10**6))
def test_more_missing_fen_than_costs_go_round_again(
    costs: tuple[list[Fraction], list[int], list[int]], total: int
) -> None:
    exact, errors, shift = costs
    found = together(exact, total, errors, shift)
    assert sum(found) == total
    assert found == rounded(exact, total)
    each = [value - math.trunc(cost) for value, cost in zip(found, exact, strict=True)]
    assert max(each) - min(each) <= 1


@always_the_same
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30), st.integers(1, 4), st.integers(-3, 3))
def test_exact_ties_go_to_the_first(thirds: list[int], denominator: int, more: int) -> None:
    """Costs of a few thirds or quarters: nearly every remainder has a twin."""
    exact = [Fraction(n, denominator) for n in thirds]
    total = total_of(exact, more)
    assert rounded(exact, total) == together(exact, total)


@always_the_same
@given(loose_costs())
def test_the_mirror_image_of_the_costs_has_the_mirror_image_of_the_fen(
    costs: tuple[list[Fraction], list[int], list[int]],
) -> None:
    exact, errors, shift = costs
    total = total_of(exact, 0)
    negative = [-cost for cost in exact]
    errors = [
        error or int((cost * ONE).denominator != 1)
        for error, cost in zip(errors, exact, strict=True)
    ]
    assert [-fen for fen in together(negative, -total, errors, shift)] == together(
        exact, total, errors, shift
    )


@pytest.mark.parametrize(
    ("exact", "total", "expected"),
    [
        (["1/3", "1/3", "1/3"], 1, [1, 0, 0]),
        (["-1/3", "-1/3", "-1/3"], -1, [-1, 0, 0]),
        (["1/2", "1/2"], 1, [1, 0]),
        (["3/2", "-1/2"], 1, [1, 0]),
        (["-3/2", "5/2"], 1, [-1, 2]),
        (["7/3", "7/3", "7/3"], 7, [3, 2, 2]),
        (["5", "6"], 11, [5, 6]),
        (["5", "6"], 12, [6, 6]),
        (["0", "0", "0"], -5, [-2, -2, -1]),
        (["1/3", "2/3"], 7, [3, 4]),
        (["9/10", "1/10"], -1, [0, -1]),
    ],
)
def test_costs_are_cut_and_completed(exact: list[str], total: int, expected: list[int]) -> None:
    """0.9 and 0.1 are cut to 0 and 0; −1 is missing, and 0.1 lies nearer to a fen less."""
    assert expected == together([Fraction(text) for text in exact], total)


@pytest.mark.parametrize("distance", [0, 1, -1])
@pytest.mark.parametrize("whole", [-3, -1, 0, 1, 7])
def test_next_to_a_whole_fen_the_exact_cost_decides(whole: int, distance: int) -> None:
    """k ± 2^-90 fen: the fixed point shows k in all three cases, so its bound of 1 asks."""
    cost = whole + Fraction(distance, 2**90)
    asked: list[int] = []

    def exact_of(i: int) -> Fraction:
        asked.append(i)
        return [cost, Fraction(1, 2)][i]

    arrays = (np.array([whole, 0]), np.array([0, 2**63], np.uint64), np.array([1, 0]))
    total = math.floor(cost + Fraction(1, 2)) + 1
    assert (
        rounded([cost, Fraction(1, 2)], total) == round_together(*arrays, total, exact_of).tolist()
    )
    assert 0 in asked


def test_exact_values_are_asked_for_nothing_where_nothing_is_open() -> None:
    """Bounds of 0 and distinct pieces: no fraction is needed but those next to the last fen."""

    def never(i: int) -> Fraction:
        raise AssertionError(f"asked for cost {i}")

    exact = [Fraction(n, 8) for n in (1, 2, 3, 4)]
    errors = [0] * 4
    assert together(exact, 2, errors, exact_of=never) == [0, 0, 1, 1]
    assert together([Fraction(3), Fraction(4)], 7, [0, 0], exact_of=never) == [3, 4]


def test_a_hundred_thousand_costs_ask_for_few_fractions() -> None:
    """Scattered pieces with bounds of 2^30: some hundred costs lie within them of the last fen."""
    rng = np.random.default_rng(12)
    n = 100_000
    part = rng.integers(0, 2**64, n, np.uint64)
    whole = rng.integers(-1000, 1000, n)
    asked: list[int] = []

    def exact_of(i: int) -> Fraction:
        asked.append(i)
        return int(whole[i]) + Fraction(int(part[i]), ONE)

    values = (whole.astype(object) << 64) + part.astype(object)
    total = int(values.sum()) // ONE
    found = round_together(whole, part, np.full(n, 2**30), total, exact_of)
    assert total == found.sum()
    assert len(asked) < 100
    assert np.abs(found - values.astype(np.float64) / ONE).max() < 1.001


def test_no_cost_rounds_to_nothing_and_cannot_hold_a_fen() -> None:
    none = np.empty(0, np.int64)
    no_parts = np.empty(0, np.uint64)
    assert round_together(none, no_parts, none, 0, Fraction).tolist() == []
    with pytest.raises(InvariantBroken, match="3 fen"):
        round_together(none, no_parts, none, 3, Fraction)


def test_one_cost_takes_the_total() -> None:
    assert together([Fraction(1, 3)], 1) == [1]
    assert together([Fraction(-17, 3)], -6) == [-6]
    assert together([Fraction(-17, 3)], 1000) == [1000]


def test_arrays_that_nobody_may_write_to_are_read_and_left() -> None:
    arrays = fixed_point([Fraction(1, 3)] * 3, [1] * 3, [0] * 3)
    for array in arrays:
        array.flags.writeable = False
    found = round_together(*arrays, 1, lambda _: Fraction(1, 3))
    assert found.tolist() == [1, 0, 0]
    assert arrays[0].tolist() == [0, 0, 0]


@always_the_same
@given(st.lists(st.one_of(st.integers(-9, 9), st.integers(-(2**63), 2**63 - 1)), max_size=50))
def test_a_sum_of_large_amounts_never_wraps(values: list[int]) -> None:
    assert sum(values) == sum_exactly(np.array(values, np.int64))


def test_a_fen_added_to_the_largest_number_is_refused() -> None:
    """2^63 − 1 fen and one fen more."""
    whole, part = np.array([2**63 - 1]), np.array([0], np.uint64)
    with pytest.raises((OverflowError, InvariantBroken)):
        round_together(whole, part, np.array([0]), 2**63, lambda _: Fraction(2**63 - 1))


@st.composite
def proposals(draw: st.DrawFn) -> tuple[list[Fraction], list[int], list[int], int]:
    """Draw exact costs, bounds below 2^-10 fen, shifts within them, and a total.

    Many costs are tied or next to a whole fen, a half or each other, within the bounds.
    """
    near = st.builds(
        lambda whole, half, n, d: whole + Fraction(half, 2) + Fraction(n, d),
        st.integers(-3, 3),
        st.integers(0, 1),
        st.integers(-3, 3),
        st.sampled_from([2**20, 2**40, 3 * 2**50, 2**62, 2**64, 2**66]),
    )
    pool = draw(st.lists(st.one_of(near, RATIONAL), min_size=1, max_size=6))
    exact = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=30))
    bound = st.one_of(st.integers(1, 5), st.integers(1, ROUGH), st.just(ROUGH))
    errors = [
        0 if (c * ONE).denominator == 1 and draw(st.booleans()) else draw(bound) for c in exact
    ]
    far = st.one_of(st.integers(-ROUGH, ROUGH), st.sampled_from([-1, 0, ROUGH - 1, ROUGH, -2]))
    shift = [draw(far) for _ in exact]
    return exact, errors, shift, total_of(exact, draw(st.integers(-3, 3)))


def asked_of(
    arrays: tuple[np.ndarray, np.ndarray, np.ndarray], exact: list[Fraction], total: int
) -> tuple[list[int], set[int]]:
    """Return the rounded costs, and the positions whose exact cost was asked for."""
    asked: set[int] = set()

    def exact_of(i: int) -> Fraction:
        asked.add(i)
        return exact[i]

    return round_together(*arrays, total, exact_of).tolist(), asked


@always_the_same
@given(proposals())
def test_only_open_places_are_asked_for(
    case: tuple[list[Fraction], list[int], list[int], int],
) -> None:
    """Also where they are looked at with more digits in between, to whatever precision."""
    exact, errors, shift, total = case
    arrays = fixed_point(exact, errors, shift)
    places = open_places(*arrays, total).tolist()
    assert sorted(set(places)) == places
    found, asked = asked_of(arrays, exact, total)
    assert rounded(exact, total) == found
    assert asked <= set(places)


@always_the_same
@given(proposals(), st.sampled_from([1, 2, 5, 2**20, 2**40]), st.data())
def test_open_places_with_more_digits_open_no_others(
    case: tuple[list[Fraction], list[int], list[int], int], finer: int, data: st.DataObject
) -> None:
    """Their costs move within the old bounds, their bounds shrink; other elements' may as well."""
    exact, errors, shift, total = case
    whole, part, bound = fixed_point(exact, errors, shift)
    places = set(open_places(whole, part, bound, total).tolist())
    again = places | set(data.draw(st.lists(st.integers(0, len(exact) - 1), max_size=5)))
    closer = [
        min(error, finer) if error and i in again else error for i, error in enumerate(errors)
    ]
    moved = fixed_point(exact, closer, [data.draw(st.integers(-5, 5)) for _ in exact])
    for i in again:
        whole[i], part[i], bound[i] = moved[0][i], moved[1][i], moved[2][i]
    found, asked = asked_of((whole, part, bound), exact, total)
    assert rounded(exact, total) == found
    assert asked <= again


def test_a_place_beside_the_bound_of_another_may_open_later() -> None:
    """Whoever asks for open places must be able to look at one more, alone.

    Six costs, two fen. In 2^-64 fen i, k = v ± e and j = v + e + 32 ± 4: j is sure of its fen.
    But i and k lie at their upper bound, and with more digits their bounds reach beyond j.
    """
    v, e = 2**63, 2**40
    exact = [Fraction(n, ONE) for n in (v + e - 1, v + e - 2, v + e + 32, 2**60, 2**60, 0)]
    whole, part = np.zeros(6, np.int64), np.array([v, v, v + e + 32, 2**60, 2**60, 0], np.uint64)
    error = np.array([e, e, 4, 0, 0, 0])
    assert [0, 1] == open_places(whole, part, error, 2).tolist()
    part[:2], error[:2] = [v + e + 998, v + e + 900], 1000
    found, asked = asked_of((whole, part, error), exact, 2)
    assert [1, 0, 1, 0, 0, 0] == rounded(exact, 2) == found
    assert 2 in asked


@always_the_same
@given(proposals())
def test_fen_that_are_handed_out_are_those_of_exact_costs(
    case: tuple[list[Fraction], list[int], list[int], int],
) -> None:
    """Where no whole fen is in reach; what is open is given by the exact costs of its places."""
    exact, errors, shift, total = case
    whole, part, bound = fixed_point(exact, errors, shift)
    cut, piece, near = first_cut(whole, part, bound)
    missing = total - int(cut.sum())
    if near.any() or abs(missing) >= len(cut):
        return
    fen = hand_out(cut, piece, int(bound.max() >> 2) + 2, missing)
    if fen is not None:
        assert 0 < fen.n < len(fen.places)
        give_exactly(cut, fen, [exact[i] for i in fen.places.tolist()])
    assert rounded(exact, total) == cut.tolist()


def test_fen_go_to_the_largest_pieces_where_they_lie_apart() -> None:
    """0.2, 0.7 and 0.4 fen, one fen to give: 0.7 gets it. 0.7, 0.7: exact costs must say."""
    pieces = np.array([2**62 // 5, 7 * 2**62 // 10, 2 * 2**62 // 5])
    cut = np.zeros(3, np.int64)
    assert hand_out(cut, pieces, 2, 1) is None
    assert [0, 1, 0] == cut.tolist()
    assert hand_out(cut, -pieces, 2, -1) is None
    assert [0, 0, 0] == cut.tolist()
    assert hand_out(cut, pieces, 2, 0) is None
    pieces[0] = pieces[1]
    fen = hand_out(cut, pieces, 2, 1)
    assert fen is not None
    assert ([0, 1], 1, 1) == (fen.places.tolist(), fen.n, fen.step)
    assert [0, 0, 0] == cut.tolist()
    give_exactly(cut, fen, [Fraction(7, 10), Fraction(71, 100)])
    assert [0, 1, 0] == cut.tolist()


def test_open_fen_go_to_the_first_of_equal_pieces() -> None:
    """−0.3 and −0.3 fen, one fen to take: the first; 0.5 thrice, two to give: the first two."""
    cut = np.zeros(5, np.int64)
    give_exactly(cut, OpenFen(np.array([1, 3]), 1, -1), [Fraction(-3, 10)] * 2)
    assert [0, -1, 0, 0, 0] == cut.tolist()
    give_exactly(cut, OpenFen(np.array([0, 2, 4]), 2, 1), [Fraction(1, 2)] * 3)
    assert [1, -1, 1, 0, 0] == cut.tolist()


def test_more_fen_than_costs_are_left_open() -> None:
    fen = hand_out(np.zeros(2, np.int64), np.zeros(2, np.int64), 2, 2)
    assert fen is not None
    assert ([0, 1], 2) == (fen.places.tolist(), fen.n)
