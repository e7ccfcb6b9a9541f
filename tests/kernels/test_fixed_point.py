"""Fixed-point costs to whole fen and pieces, against integers."""

from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels.twins import always_the_same, from_threads, frozen
from kernels.twins import int64 as int64_of
from medcost._core.fixed_point import (
    cut_costs,
    first_cut,
    give_largest,
    round_clear,
    to_fractions,
)

Array = NDArray[Any]
LANES = 8


@st.composite
def spans(draw: st.DrawFn) -> dict[str, Any]:
    """Draw rows of a few spans, each at a scale of its own; some rows reach their limit."""
    counts = draw(st.lists(st.integers(0, 5), min_size=1, max_size=4))
    n, k = sum(counts), len(counts)
    shifts = draw(st.lists(st.integers(1, 62), min_size=k, max_size=k))
    cost = st.one_of(st.integers(-9, 9), st.integers(-(2**62), 2**62))
    sizes = st.one_of(st.integers(0, 3), st.integers(0, 2**40))
    costs = np.zeros((n, LANES), np.int64)
    lane = draw(st.integers(0, LANES - 2))
    costs[:, lane] = int64_of([draw(cost) for _ in range(n)], n)
    limits = [draw(st.integers(1, max(1, (2**62 - 1) >> (64 - s)))) for s in shifts]
    costs[:, -1] = int64_of([draw(sizes) for _ in range(n)], n)
    return {
        "costs": costs,
        "lane": lane,
        "starts": int64_of([0, *accumulate(counts)]),
        "shifts": int64_of(shifts),
        "exact": np.array([draw(st.booleans()) for _ in shifts], np.uint8),
        "limits": int64_of(limits),
    }


def cut(case: dict[str, Any]) -> tuple[list[int], list[int], list[int], list[int], list[bool]]:
    """Return whole fen, pieces, sums, reach and near of cut_costs."""
    whole = np.full(len(case["costs"]), 77)
    piece, sums, reach, near = cut_costs(*case.values(), whole)
    return whole.tolist(), piece.tolist(), sums, reach.tolist(), near.tolist()


@always_the_same(max_examples=300)
@given(spans())
def test_costs_are_cut_as_fractions_are(case: dict[str, Any]) -> None:
    """Span by span the same as to_fractions and first_cut; what reaches the limit is left out."""
    whole, piece, sums, reach, near = cut(case)
    starts = case["starts"].tolist()
    for s, (first, end) in enumerate(pairwise(starts)):
        costs = case["costs"][first:end]
        below = costs[:, -1] < case["limits"][s]
        n = end - first
        flags = np.full(n, case["exact"][s])
        found = to_fractions(costs, case["lane"], np.full(n, case["shifts"][s]), flags)
        expected_cut, expected_piece, is_near = first_cut(*found)
        assert np.where(below, expected_cut, 0).tolist() == whole[first:end]
        assert np.where(below, expected_piece, 0).tolist() == piece[first:end]
        assert sum(whole[first:end]) == sums[s]
        assert bool((is_near & below).any()) == near[s]
        assert max([int(e) >> 2 for e in found[2][below]], default=0) + 2 == reach[s]


def test_a_sum_of_cuts_needs_more_than_64_bits() -> None:
    """2^62 halves of a fen are 2^61 fen; six of them are 6 x 2^61, more than 2^63."""
    costs = np.zeros((6, LANES), np.int64)
    costs[:, 0] = 2**62
    one = np.ones(1, np.int64)
    _, sums, _, _ = cut_costs(
        costs, 0, int64_of([0, 6]), one, np.ones(1, np.uint8), one, np.empty(6, np.int64)
    )
    assert [6 * 2**61] == sums


def test_cuts_are_the_same_from_threads_and_read_only_arrays() -> None:
    case = {
        "costs": frozen(np.arange(80, dtype=np.int64).reshape(10, LANES)),
        "lane": 2,
        "starts": frozen(int64_of([0, 4, 10])),
        "shifts": frozen(int64_of([3, 5])),
        "exact": frozen(np.array([0, 1], np.uint8)),
        "limits": frozen(int64_of([70, 70])),
    }
    expected = cut(case)
    assert all(expected == found for found in from_threads(lambda: cut(case)))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("lane", 7, "no such lane"),
        ("lane", -1, "no such lane"),
        ("shifts", [0, 1], "from 1 to 62"),
        ("shifts", [1, 63], "from 1 to 62"),
        ("starts", [0, 3], "do not fit"),
        ("exact", [1], "do not fit"),
        ("limits", [1], "do not fit"),
    ],
)
def test_cuts_of_arrays_that_do_not_fit_are_refused(name: str, value: Any, message: str) -> None:
    case: dict[str, Any] = {
        "costs": np.zeros((3, LANES), np.int64),
        "lane": 0,
        "starts": [0, 1, 3],
        "shifts": [1, 1],
        "exact": [1, 1],
        "limits": [1, 1],
    }
    case[name] = value
    case |= {key: int64_of(case[key]) for key in ("starts", "shifts", "limits")}
    case["exact"] = np.array(case["exact"], np.uint8)
    with pytest.raises(ValueError, match=message):
        cut(case)


ONE = 2**62
PIECES = st.lists(
    st.one_of(st.integers(-3, 3), st.integers(1 - ONE, ONE - 1), st.sampled_from([ONE // 2, -7])),
    min_size=1,
    max_size=30,
)


@always_the_same(max_examples=400)
@given(PIECES, st.sampled_from([0, 1, 2, 2**40, 2**60]), st.sampled_from([1, -1]), st.data())
def test_the_largest_pieces_get_a_fen_and_those_about_the_last_are_named(
    pieces: list[int], reach: int, step: int, data: st.DataObject
) -> None:
    """With t the piece of rank n: above t + 2 reach a fen, from t - 2 reach on open."""
    n = data.draw(st.integers(1, len(pieces)))
    cut = np.zeros(2 * len(pieces), np.int64)[::2]
    between, left = give_largest(cut, frozen(int64_of(pieces)), reach, n, step)
    signed = [step * piece for piece in pieces]
    turn = sorted(signed, reverse=True)[n - 1]
    above = [s > turn + 2 * reach for s in signed]
    assert [step * a for a in above] == cut.tolist()
    assert [i for i, s in enumerate(signed) if abs(s - turn) <= 2 * reach] == between.tolist()
    assert n - sum(above) == left


@pytest.mark.parametrize(
    ("pieces", "reach", "n", "step"),
    [
        ([1, 2], 0, 0, 1),
        ([1, 2], 0, 3, 1),
        ([1, 2], 0, 1, 2),
        ([1, 2], -1, 1, 1),
        ([1, 2], 2**61, 1, 1),
        ([1, ONE], 0, 1, 1),
        ([1, -ONE], 0, 1, 1),
        ([1, -(2**63)], 0, 1, -1),
        ([1], 0, 1, 1),
    ],
)
def test_fen_that_do_not_fit_are_refused(pieces: list[int], reach: int, n: int, step: int) -> None:
    with pytest.raises(ValueError, match="fen"):
        give_largest(np.zeros(2, np.int64), int64_of(pieces), reach, n, step)


@st.composite
def clear_spans(draw: st.DrawFn) -> tuple[Array, int, int, bool, int, int]:
    """Draw costs of one span: alike or far apart, with small sizes, and a total near their sum."""
    shift, lane = draw(st.integers(1, 62)), draw(st.integers(0, LANES - 2))
    n = draw(st.integers(1, 12))
    cost = st.one_of(st.integers(-9, 9), st.integers(-(2**62), 2**62), st.sampled_from([5, -5]))
    costs = np.zeros((n, LANES), np.int64)
    costs[:, lane] = [draw(cost) for _ in range(n)]
    costs[:, -1] = [draw(st.integers(0, 3)) for _ in range(n)]
    total = sum(int(c) >> shift for c in costs[:, lane].tolist()) + draw(st.integers(-2 * n, 2 * n))
    limit = draw(st.sampled_from([3, 4, 2**40]))
    total = max(min(total, 2**63 - 1), -(2**63))
    return costs, lane, shift, draw(st.booleans()), limit, total


@always_the_same(max_examples=600)
@given(clear_spans())
def test_what_is_clear_is_rounded_as_in_steps(
    case: tuple[Array, int, int, bool, int, int],
) -> None:
    """The same as cut_costs and give_largest; None where these would ask for more digits."""
    costs, lane, shift, exact, limit, total = case
    cut = np.full(len(costs), 77)
    found = round_clear(frozen(costs), lane, shift, exact, limit, total, cut)
    expected = np.full(len(costs), 78)
    piece, sums, reach, near = cut_costs(
        costs, lane, int64_of([0, len(costs)]), int64_of([shift]), np.array([exact], np.uint8),
        int64_of([limit]), expected,
    )  # fmt: skip
    missing = total - sums[0]
    unclear = bool(near[0]) or bool((costs[:, -1] >= limit).any())
    if unclear or (missing and (abs(missing) >= len(costs) or reach[0] > 2**60)):
        assert found is None
        return
    assert found is not None
    between, left = int64_of([], 0), 0
    if missing:
        step = 1 if missing > 0 else -1
        between, left = give_largest(expected, piece, int(reach[0]), abs(missing), step)
        if len(between) == left:
            expected[between] += step
            between, left = between[:0], 0
    assert expected.tolist() == cut.tolist()
    assert (between.tolist(), left) == (found[0].tolist(), found[1])


def test_a_span_of_many_costs_is_rounded_as_in_steps() -> None:
    """20,000 costs, in seven lanes; more fen are lacking than not, or too many."""
    rng = np.random.default_rng(4)
    n, shift = 20_000, 30
    costs = rng.integers(-(2**50), 2**50, (n, LANES))
    costs[:, -1] = 1
    for lane in range(LANES - 1):
        cut, expected = np.empty(n, np.int64), np.empty(n, np.int64)
        piece, sums, reach, near = cut_costs(
            costs, lane, int64_of([0, n]), int64_of([shift]), np.zeros(1, np.uint8),
            int64_of([2**20]), expected,
        )  # fmt: skip
        step, lacking = (1, 15_000) if lane % 2 else (-1, 5_000)
        found = round_clear(costs, lane, shift, False, 2**20, sums[0] + step * lacking, cut)
        if near[0]:
            assert found is None
            continue
        between, left = give_largest(expected, piece, int(reach[0]), lacking, step)
        if len(between) == left:
            expected[between] += step
            between, left = between[:0], 0
        assert found is not None
        assert (between.tolist(), left) == (found[0].tolist(), found[1])
        assert expected.tolist() == cut.tolist()


def test_no_costs_add_up_to_nothing() -> None:
    none, nowhere = np.empty((0, LANES), np.int64), np.empty(0, np.int64)
    found = round_clear(none, 0, 9, False, 5, 0, nowhere)
    assert found is not None
    assert (0, 0) == (len(found[0]), found[1])
    assert round_clear(none, 0, 9, False, 5, 1, nowhere) is None


@pytest.mark.parametrize(
    ("columns", "lane", "shift", "rows"),
    [(8, 7, 9, 2), (8, -1, 9, 2), (7, 0, 9, 2), (8, 0, 0, 2), (8, 0, 63, 2), (8, 0, 9, 3)],
)
def test_spans_that_do_not_fit_are_refused(columns: int, lane: int, shift: int, rows: int) -> None:
    with pytest.raises(ValueError, match=r"eight lanes|1 to 62"):
        round_clear(
            np.zeros((2, columns), np.int64), lane, shift, False, 5, 0, np.empty(rows, np.int64)
        )
