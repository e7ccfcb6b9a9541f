"""The split kernel against exact fractions, and what it must refuse."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels import twins
from kernels.twins import always_the_same, exit_code_of, from_threads, frozen, int64, strided
from medcost._core.split import split_rows, weight_totals

BIG = 2**62
EDGES = (2**31 - 1, 2**31, 2**32 + 1, 10**18 - 1, BIG - 1, BIG, 2**63 - 1)
FEN = st.one_of(
    st.integers(-30, 30),
    st.integers(-BIG, BIG),
    st.sampled_from([*EDGES, *(-edge for edge in EDGES), -(2**63)]),
)
WEIGHT = st.one_of(st.integers(-9, 9), st.integers(-BIG, BIG), st.integers(2**30, 2**34))


def of_positive_total(weights: list[int]) -> list[int]:
    """Turn weights round, or add one, so that they add up to more than zero."""
    total = sum(weights)
    if total == 0:
        return [*weights, 1]
    return weights if total > 0 else [-weight for weight in weights]


WEIGHTS = st.lists(WEIGHT, min_size=1, max_size=12).map(of_positive_total)
ONE_SIGN = st.lists(
    st.one_of(st.integers(0, 9), st.integers(0, BIG // 16)), min_size=1, max_size=12
).filter(any)


def parts_of(amount: int, weights: list[int]) -> list[int]:
    """Return the kernel's parts of one amount."""
    return split_rows(int64([[amount]]), int64([0, len(weights)]), int64(weights))[:, 0].tolist()


@always_the_same(max_examples=400)
@given(FEN, WEIGHTS)
def test_a_split_is_that_of_fractions_or_refused(amount: int, weights: list[int]) -> None:
    """Where 64 bits do not hold a part or a total it raises; no number ever wraps."""
    try:
        twins.weight_totals([0, len(weights)], weights)
        expected = twins.split(amount, weights)
    except OverflowError:
        with pytest.raises(OverflowError):
            parts_of(amount, weights)
        return
    assert expected == parts_of(amount, weights)


BELOW = 2**31 - 1


@always_the_same(max_examples=600)
@given(
    st.one_of(st.integers(-BELOW, BELOW), st.sampled_from([BELOW, -BELOW, 1, -1])),
    st.lists(
        st.one_of(st.integers(-BELOW, BELOW), st.sampled_from([BELOW, -BELOW, 0, 1])),
        min_size=1,
        max_size=5,
    ).map(of_positive_total),
)
def test_small_numbers_are_split_as_fractions_are(amount: int, weights: list[int]) -> None:
    """Quotients that doubles propose, up to those too large for them: total 1 gives 2^62."""
    assert twins.split(amount, weights) == parts_of(amount, weights)


def test_parts_are_written_where_they_are_wanted() -> None:
    """In any order of memory; receivers of no row stay as they were."""
    amounts, weights = int64([[10, -7], [5, 9]]), int64([9, 1, 2, 3, 1])
    expected = split_rows(amounts, int64([0, 3, 5]), weights).tolist()
    for order in ("C", "F"):
        parts = np.full((6, 2), 7, np.int64, order=order)  # type: ignore[call-overload]
        assert split_rows(amounts, int64([0, 3, 5]), weights, parts[:5]) is not None
        assert [*expected, [7, 7]] == parts.tolist()
    untouched = np.full((5, 2), 7, np.int64)
    split_rows(amounts, int64([1, 3, 5]), weights, untouched)
    assert [7, 7] == untouched[0].tolist()
    for shape in [(5, 3), (4, 2), (6, 2)]:
        with pytest.raises(ValueError, match="do not fit"):
            split_rows(amounts, int64([0, 3, 5]), weights, np.zeros(shape, np.int64))
    with pytest.raises(ValueError, match="read-only"):
        split_rows(amounts, int64([0, 3, 5]), weights, frozen(np.zeros((5, 2), np.int64)))


@always_the_same(max_examples=300)
@given(st.integers(-(10**18), 10**18), ONE_SIGN)
def test_weights_of_one_sign_are_never_refused(amount: int, weights: list[int]) -> None:
    """Every amount of money and every statistic of one sign has parts that fit."""
    assert twins.split(amount, weights) == parts_of(amount, weights)


@always_the_same(max_examples=200)
@given(st.integers(-(2**40), 2**40), st.lists(st.integers(-50, 50), min_size=1, max_size=9))
def test_parts_add_up_and_mirror(amount: int, raw: list[int]) -> None:
    """Σ parts = amount, and the parts of −amount are the parts of amount with their sign turned."""
    weights = of_positive_total(raw)
    parts = parts_of(amount, weights)
    assert amount == sum(parts)
    assert [-part for part in parts] == parts_of(-amount, weights)


@always_the_same(max_examples=200)
@given(st.integers(-(2**62), 2**62), ONE_SIGN)
def test_no_part_is_a_fen_or_more_off_its_share(amount: int, weights: list[int]) -> None:
    """|part × total − amount × weight| < total, and a weight of 0 receives nothing."""
    total = sum(weights)
    for part, weight in zip(parts_of(amount, weights), weights, strict=True):
        assert abs(part * total - amount * weight) < total
        assert part == 0 or weight != 0


@st.composite
def rows_of_receivers(draw: st.DrawFn) -> tuple[list[list[int]], list[int], list[int]]:
    """Draw amounts [rows, elements], starts and weights; some rows have no receivers."""
    n_elements = draw(st.integers(0, 4))
    fen = st.integers(-(10**12), 10**12)
    weight = st.integers(-3, 10**9)
    amounts, starts, weights = [], [0], []
    for _ in range(draw(st.integers(0, 6))):
        row = draw(st.lists(weight, max_size=7))
        row = of_positive_total(row) if row else row
        weights += row
        starts.append(len(weights))
        amounts.append(draw(st.lists(fen, min_size=n_elements, max_size=n_elements)))
    return amounts, starts, weights


@always_the_same(max_examples=200)
@given(rows_of_receivers())
def test_rows_and_elements_are_split_each_on_its_own(
    rows: tuple[list[list[int]], list[int], list[int]],
) -> None:
    amounts, starts, weights = rows
    n_elements = len(amounts[0]) if amounts else 0
    shape = (len(amounts), n_elements)
    found = split_rows(int64(amounts, *shape), int64(starts), int64(weights))
    assert found.shape == (len(weights), n_elements)
    assert twins.split_rows(amounts, starts, weights) == found.tolist()
    assert (
        twins.weight_totals(starts, weights)
        == weight_totals(int64(starts), int64(weights)).tolist()
    )


@pytest.mark.parametrize(
    ("amount", "weights", "parts"),
    [
        (1, [1, 1, 1], [1, 0, 0]),
        (-1, [1, 1, 1], [-1, 0, 0]),
        (2, [1, 1, 1], [1, 1, 0]),
        (5, [1, 1], [3, 2]),
        (-5, [1, 1], [-3, -2]),
        (100, [0, 1, 0], [0, 100, 0]),
        (7, [3, -1], [10, -3]),
        (-7, [3, -1], [-10, 3]),
        (7, [5, -2, -1], [17, -7, -3]),
        (1, [2, -1], [2, -1]),
        (0, [5, -4], [0, 0]),
        (3, [1], [3]),
    ],
)
def test_ties_go_to_the_first_receiver(amount: int, weights: list[int], parts: list[int]) -> None:
    """7 by 5, −2 and −1 is 17.5, −7 and −3.5: cut to 17, −7 and −3, nothing is missing."""
    assert parts == parts_of(amount, weights)


def test_a_product_of_all_128_bits_is_exact() -> None:
    """(2^62 − 1) fen by 2^62 − 3 and 2: the product has 124 bits; the twin has no limit."""
    amount, weights = BIG - 1, [BIG - 3, 2]
    assert twins.split(amount, weights) == parts_of(amount, weights)
    for amount in (2**63 - 1, -(2**63)):
        assert parts_of(amount, [BIG]) == [amount]
        assert parts_of(amount, [2**63 - 1]) == [amount]


def test_more_amounts_than_one_share_the_weights() -> None:
    """A thousand amounts of seven elements over fifty receivers agree with the twin."""
    rng = np.random.default_rng(1)
    amounts = rng.integers(-(10**9), 10**9, (20, 7))
    weights = rng.integers(0, 10**6, 1000)
    starts = np.arange(0, 1001, 50)
    expected = twins.split_rows(amounts.tolist(), starts.tolist(), weights.tolist())
    assert expected == split_rows(amounts, starts, weights).tolist()


def test_no_row_and_no_receiver_give_no_part() -> None:
    none = np.zeros((0, 3), np.int64)
    assert split_rows(none, int64([0]), int64([])).shape == (0, 3)
    assert split_rows(int64([[5], [6]]), int64([0, 0, 0]), int64([])).shape == (0, 1)
    assert split_rows(int64([[]]), int64([0, 2]), int64([1, 1])).shape == (2, 0)
    assert weight_totals(int64([0]), int64([])).tolist() == []


@pytest.mark.parametrize("weights", [[0], [0, 0], [1, -1], [-1], [1, -2]])
def test_a_total_that_is_not_positive_is_refused(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="more than zero"):
        parts_of(100, weights)


@pytest.mark.parametrize(
    ("amount", "weights"),
    [
        (2**62, [2, -1]),
        (-(2**63), [-1, 2]),
        (2**63 - 1, [3, 1, -3]),
        (2**40, [2**40, -(2**40), 1]),
    ],
)
def test_a_part_beyond_64_bits_is_refused(amount: int, weights: list[int]) -> None:
    """2^62 fen by 2 and −1 would be 2^63 and −2^62."""
    with pytest.raises(OverflowError):
        parts_of(amount, weights)


@pytest.mark.parametrize("weights", [[BIG, BIG], [-(2**63), 1], [2**63 - 1, 1]])
def test_weights_beyond_64_bits_are_refused(weights: list[int]) -> None:
    with pytest.raises(OverflowError):
        weight_totals(int64([0, len(weights)]), int64(weights))
    with pytest.raises(OverflowError):
        parts_of(1, weights)


def test_a_missing_fen_never_wraps_a_part() -> None:
    """(2^64 − 1) ÷ 5 fen by 5, 1 and −4 (total 2): the first part is 2^63 − ½.

    Cut toward zero it is 2^63 − 1; one fen is missing, the first of two equal pieces gets it,
    and 2^63 does not fit.
    """
    with pytest.raises(OverflowError):
        parts_of((2**64 - 1) // 5, [5, 1, -4])


def test_a_missing_fen_for_the_largest_piece_of_all_never_wraps_a_part() -> None:
    """3547450783405683003 fen by 13, 1, 1 and −10 (total 5): two are missing.

    The exact parts end in 4, 3, 3 and 0 fifths, and the first is cut to 2^63 − 1: one piece is
    larger than the two that are equal.
    """
    amount, weights = 3_547_450_783_405_683_003, [13, 1, 1, -10]
    assert amount * 13 // 5 == 2**63 - 1
    with pytest.raises(OverflowError):
        parts_of(amount, weights)
    assert parts_of(-amount, weights) == twins.split(-amount, weights)


def test_the_order_of_the_receivers_does_not_decide_what_is_refused() -> None:
    """2^62 fen by ±1: every part is ±2^62; only the order of the weights differs."""
    assert parts_of(BIG, [1, -1, 1, -1, 1, -1, 1]) == [BIG, -BIG, BIG, -BIG, BIG, -BIG, BIG]
    assert parts_of(BIG, [-1, -1, -1, 1, 1, 1, 1]) == [-BIG, -BIG, -BIG, BIG, BIG, BIG, BIG]


def good_arguments() -> list[NDArray[np.int64]]:
    """Return arguments of split_rows that are as they should be."""
    return [int64([[10, 20], [30, 40]]), int64([0, 2, 3]), int64([1, 2, 3])]


def test_read_only_arrays_are_split() -> None:
    expected = split_rows(*good_arguments())
    assert np.array_equal(expected, split_rows(*map(frozen, good_arguments())))
    assert weight_totals(*map(frozen, good_arguments()[1:])).tolist() == [3, 3]


BAD_ARRAYS: list[Callable[[NDArray[np.int64]], object]] = [
    strided,
    lambda array: array.astype(np.int32),
    lambda array: array.astype(np.uint64),
    lambda array: array.astype(np.float64),
    lambda array: array.astype(object),
    lambda array: array.astype(">i8"),
    lambda array: array.tolist(),
    lambda array: array[None],
]
BAD_NAMES = ["strided", "int32", "uint64", "double", "object", "big-endian", "list", "deeper"]


@pytest.mark.parametrize("position", range(3))
@pytest.mark.parametrize("spoil", BAD_ARRAYS, ids=BAD_NAMES)
def test_an_array_of_the_wrong_kind_is_refused(
    spoil: Callable[[NDArray[np.int64]], object], position: int
) -> None:
    arguments: list[object] = list(good_arguments())
    arguments[position] = spoil(good_arguments()[position])
    with pytest.raises((TypeError, ValueError)):
        split_rows(*arguments)
    if position:
        with pytest.raises((TypeError, ValueError)):
            weight_totals(*arguments[1:])


def test_no_array_at_all_is_refused() -> None:
    with pytest.raises(TypeError):
        weight_totals(int64([0, 0]), None)


@pytest.mark.parametrize(
    "starts", [[], [0], [0, 3], [0, 1, 2, 3], [0, 2, 9]], ids=["none", "one", "few", "many", "past"]
)
def test_starts_that_do_not_fit_are_refused(starts: list[int]) -> None:
    with pytest.raises(ValueError, match="starts"):
        split_rows(int64([[1], [2]]), int64(starts), int64([1, 1, 1]))


UNCHECKED_STARTS = """
import numpy as np
from medcost._core.split import split_rows, weight_totals
starts, weights = np.array({starts}), np.array([1, 1, 1])
amounts = np.ones((len(starts) - 1, 1), np.int64)
for call in (lambda: weight_totals(starts, weights), lambda: split_rows(amounts, starts, weights)):
    try:
        call()
    except ValueError:
        continue
    raise SystemExit("read or wrote outside its arrays")
"""


@pytest.mark.parametrize("starts", [[-4, 3], [0, 5, 3], [0, 2, 1, 3], [-(2**40), 3]])
def test_starts_that_are_not_ascending_are_refused(starts: list[int]) -> None:
    """In a process of its own, for the kernel reads and writes outside the arrays."""
    script = UNCHECKED_STARTS.format(starts=starts)
    assert exit_code_of(script) == 0


def test_threads_at_once_get_the_same_parts() -> None:
    rng = np.random.default_rng(2)
    amounts = rng.integers(-(10**15), 10**15, (200, 7))
    weights = rng.integers(0, 10**9, 200 * 100)
    starts = np.arange(0, 20_001, 100)
    expected = split_rows(amounts, starts, weights)
    for found in from_threads(lambda: split_rows(amounts, starts, weights)):
        assert np.array_equal(expected, found)
    assert np.array_equal(expected.reshape(200, 100, 7).sum(axis=1), amounts)


N = 100_000
RISING, FALLING = np.arange(N), np.arange(N)[::-1]
PIECES = {
    "rising": RISING,
    "falling": FALLING,
    "equal": np.full(N, 7),
    "organ pipe": np.concatenate([RISING[::2], FALLING[1::2]]),
    "valley": np.concatenate([FALLING[::2], RISING[1::2]]),
    "two runs": np.concatenate([RISING[::2], RISING[1::2]]),
    "two values": np.tile([1, 2], N // 2),
    "saw": RISING % 200,
    "scattered": RISING * 7919 % 99_991,
}
QUADRATIC = pytest.mark.xfail(
    strict=True, reason="the median of three is the smallest piece, which splits off one receiver"
)
SLOW = (("rising", "last"), ("falling", "first"))


@pytest.mark.parametrize(
    ("shape", "place"),
    [
        pytest.param(shape, place, marks=QUADRATIC if (shape, place) in SLOW else ())
        for shape in PIECES
        for place in ("first", "last")
    ],
)
def test_a_hundred_thousand_receivers_take_no_time(shape: str, place: str) -> None:
    """One fen, and cut-off pieces of the shape: thousands of fen are missing and handed out.

    With weights below the total T every piece is its weight; a receiver more, first or last,
    brings the total down to T, so its part is negative and its piece small.
    """
    pieces = PIECES[shape]
    total = int(pieces.max()) + 1
    rest = total - int(pieces.sum())
    weights = np.insert(pieces, 0 if place == "first" else N, rest)
    begun = time.perf_counter()
    parts = split_rows(int64([[1]]), int64([0, N + 1]), weights)[:, 0]
    taken = time.perf_counter() - begun
    expected = np.where(weights < 0, -(-weights // total), weights // total)
    missing = 1 - int(expected.sum())
    assert missing > N // 1000
    largest_first = np.argsort(-(weights - expected * total), kind="stable")
    expected[largest_first[:missing]] += 1
    assert np.array_equal(expected, parts)
    assert taken < 0.4
