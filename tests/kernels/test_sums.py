"""Sorting and summing by key against Python's own sort and dictionaries."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels import twins
from kernels.twins import always_the_same, from_threads, frozen, int64, strided
from medcost._core.sums import (
    add_columns,
    add_rows,
    find_ascending,
    group_sums,
    half_sums,
    narrow_codes,
    sort_order,
    sort_within,
    union_of,
)

KEYS = st.lists(
    st.one_of(
        st.integers(0, 5),
        st.integers(0, 2**12),
        st.integers(0, 2**63 - 1),
        st.sampled_from([2**11 - 1, 2**11, 2**22, 2**33 - 1, 2**44, 2**55, 2**63 - 1]),
    ),
    max_size=60,
)


@st.composite
def keyed_rows(draw: st.DrawFn) -> tuple[list[int], list[list[int]]]:
    """Draw keys and rows of values; few keys, so that many rows meet."""
    keys = draw(KEYS)
    n_columns = draw(st.integers(0, 4))
    value = st.one_of(st.integers(-99, 99), st.integers(-(2**62), 2**62))
    row = st.lists(value, min_size=n_columns, max_size=n_columns)
    return keys, [draw(row) for _ in keys]


@always_the_same(max_examples=300)
@given(KEYS)
def test_the_order_is_ascending_and_stable(keys: list[int]) -> None:
    assert twins.sort_order(keys) == sort_order(int64(keys)).tolist()


@always_the_same(max_examples=300)
@given(keyed_rows())
def test_sums_are_those_of_a_dictionary_or_refused(rows: tuple[list[int], list[list[int]]]) -> None:
    """A sum that leaves 64 bits on the way, in row order, raises; none ever wraps."""
    keys, values = rows
    array = int64(values, len(keys), len(values[0]) if values else 2)
    try:
        expected = twins.group_sums(keys, values)
    except OverflowError:
        with pytest.raises(OverflowError):
            group_sums(int64(keys), array)
        return
    unique, totals = group_sums(int64(keys), array)
    assert expected == (unique.tolist(), totals.tolist())
    assert totals.shape == (len(unique), array.shape[1])


@always_the_same(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-(10**15), 10**15)), max_size=40))
def test_the_order_of_the_rows_changes_no_sum(rows: list[tuple[int, int]]) -> None:
    def sums(rows: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
        values = int64([value for _, value in rows], len(rows), 1)
        unique, totals = group_sums(int64([key for key, _ in rows]), values)
        return unique.tolist(), totals[:, 0].tolist()

    assert sums(rows) == sums(rows[::-1]) == sums(sorted(rows))


def test_a_sum_that_fits_in_the_end_but_not_on_the_way_is_refused() -> None:
    """2^62 + 2^62 − 2^62: the pyi says "leaves 64 bits on the way"; in another order it fits."""
    big = 2**62
    with pytest.raises(OverflowError):
        group_sums(int64([1, 1, 1]), int64([[big], [big], [-big]]))
    assert group_sums(int64([1, 1, 1]), int64([[big], [-big], [big]]))[1].tolist() == [[big]]


@pytest.mark.parametrize(
    ("values", "fits"),
    [
        ([2**63 - 1, 0], True),
        ([2**63 - 1, 1], False),
        ([-(2**63), 0], True),
        ([-(2**63), -1], False),
        ([-(2**63), 2**63 - 1], True),
    ],
)
def test_a_sum_at_the_edge_of_64_bits_fits_or_is_refused(values: list[int], fits: bool) -> None:
    call = (int64([7, 7]), int64(values, 2, 1))
    if fits:
        assert group_sums(*call)[1].tolist() == [[sum(values)]]
    else:
        with pytest.raises(OverflowError):
            group_sums(*call)


def test_nothing_is_sorted_and_summed_to_nothing() -> None:
    assert sort_order(int64([])).tolist() == []
    unique, totals = group_sums(int64([]), np.zeros((0, 3), np.int64))
    assert (unique.shape, totals.shape) == ((0,), (0, 3))
    unique, totals = group_sums(int64([5, 5]), np.zeros((2, 0), np.int64))
    assert (unique.tolist(), totals.shape) == ([5], (1, 0))


@pytest.mark.parametrize("keys", [[-1], [3, -1, 2], [-(2**63)], [2**63 - 1, -1]])
def test_a_negative_key_is_refused(keys: list[int]) -> None:
    with pytest.raises(ValueError, match="negative"):
        sort_order(int64(keys))
    with pytest.raises(ValueError, match="negative"):
        group_sums(int64(keys), np.zeros((len(keys), 1), np.int64))


def test_keys_and_values_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="same number of rows"):
        group_sums(int64([1, 2]), int64([[1]]))


def test_read_only_arrays_are_summed_and_left_as_they_are() -> None:
    keys, values = int64([3, 1, 3]), int64([[1, 2], [3, 4], [5, 6]])
    unique, totals = group_sums(frozen(keys), frozen(values))
    assert unique.tolist() == [1, 3]
    assert totals.tolist() == [[3, 4], [6, 8]]
    assert sort_order(frozen(keys)).tolist() == [1, 0, 2]
    group_sums(keys, values)
    assert keys.tolist() == [3, 1, 3]
    assert values.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_results_do_not_share_memory_with_each_other_or_the_input() -> None:
    keys, values = int64([1, 2]), int64([[1], [2]])
    unique, totals = group_sums(keys, values)
    unique[0], totals[0, 0] = 99, 99
    again = group_sums(keys, values)
    assert [again[0].tolist(), again[1].tolist()] == [[1, 2], [[1], [2]]]


@pytest.mark.parametrize(
    "spoil",
    [
        strided,
        lambda array: array.astype(np.int32),
        lambda array: array.astype(np.uint64),
        lambda array: array.astype(np.float64),
        lambda array: array.astype("m8[s]"),
        lambda array: array.astype(">i8"),
        lambda array: array.tolist(),
        lambda array: array[None],
    ],
    ids=["strided", "int32", "uint64", "double", "duration", "big-endian", "list", "deeper"],
)
def test_an_array_of_the_wrong_kind_is_refused(
    spoil: Callable[[NDArray[np.int64]], object],
) -> None:
    keys, values = int64([1, 2, 1]), int64([[1, 2], [3, 4], [5, 6]])
    with pytest.raises((TypeError, ValueError)):
        sort_order(spoil(keys))
    with pytest.raises((TypeError, ValueError)):
        group_sums(spoil(keys), values)
    with pytest.raises((TypeError, ValueError)):
        group_sums(keys, spoil(values))


def test_no_array_at_all_is_refused() -> None:
    with pytest.raises(TypeError):
        sort_order(None)


SHAPES = {
    "rising": np.arange(100_000),
    "falling": np.arange(100_000)[::-1].copy(),
    "equal": np.full(100_000, 2**62),
    "organ pipe": np.concatenate([np.arange(50_000), np.arange(50_000)[::-1]]),
    "one digit each": (np.arange(100_000) % 6) * 2**55,
    "scattered": np.random.default_rng(3).integers(0, 2**63 - 1, 100_000),
}


@pytest.mark.parametrize("keys", SHAPES.values(), ids=SHAPES.keys())
def test_a_hundred_thousand_keys_are_sorted_at_once(keys: NDArray[np.int64]) -> None:
    """Radix sort takes the same six passes whatever the keys; NumPy's stable sort agrees."""
    begun = time.perf_counter()
    order = sort_order(keys)
    assert time.perf_counter() - begun < 3
    assert np.array_equal(np.argsort(keys, kind="stable"), order)


def test_threads_at_once_get_the_same_sums() -> None:
    rng = np.random.default_rng(4)
    keys, values = rng.integers(0, 5_000, 50_000), rng.integers(-(10**12), 10**12, (50_000, 3))
    unique, totals = group_sums(keys, values)
    expected = np.zeros((5_000, 3), np.int64)
    np.add.at(expected, keys, values)
    assert np.array_equal(expected[unique], totals)
    for found in from_threads(lambda: group_sums(keys, values)):
        assert np.array_equal(unique, found[0])
        assert np.array_equal(totals, found[1])


@st.composite
def additions(draw: st.DrawFn) -> tuple[list[list[int]], list[int], list[list[int]]]:
    """Draw totals, the row that each value goes to, and values."""
    n, n_columns = draw(st.integers(1, 5)), draw(st.integers(0, 3))
    value = st.one_of(st.integers(-99, 99), st.integers(-(2**62), 2**62))
    row = st.lists(value, min_size=n_columns, max_size=n_columns)
    rows = draw(st.lists(st.integers(0, n - 1), max_size=20))
    return [draw(row) for _ in range(n)], rows, [draw(row) for _ in rows]


@always_the_same(max_examples=200)
@given(additions())
def test_rows_are_added_in_place_or_refused(
    case: tuple[list[list[int]], list[int], list[list[int]]],
) -> None:
    """A row that is named twice gets both; np.add.at would wrap where this raises."""
    totals, rows, values = case
    n_columns = len(totals[0])
    array = int64(totals, len(totals), n_columns)
    arguments = (array, int64(rows), int64(values, len(rows), n_columns))
    try:
        expected = twins.add_rows(totals, rows, values)
    except OverflowError:
        with pytest.raises(OverflowError):
            add_rows(*arguments)
        return
    assert add_rows(*arguments) is None
    assert expected == array.tolist()


def test_rows_added_to_read_only_or_ill_fitting_totals_are_refused() -> None:
    totals, rows, values = int64([[1, 2], [3, 4]]), int64([0, 1]), int64([[5, 6], [7, 8]])
    with pytest.raises(ValueError, match="read-only"):
        add_rows(frozen(totals), rows, values)
    for bad in (int64([0, 2]), int64([-1, 0]), int64([0, 2**62])):
        with pytest.raises(ValueError, match="not one of the totals"):
            add_rows(totals, bad, values)
    with pytest.raises(ValueError, match="do not fit"):
        add_rows(totals, rows, values[:1].copy())
    with pytest.raises(ValueError, match="do not fit"):
        add_rows(totals, rows, int64([[5], [6]]))
    for position in range(3):
        arguments: list[object] = [totals, rows, values]
        arguments[position] = strided(int64([[1, 2], [3, 4]]) if position != 1 else rows)
        with pytest.raises((TypeError, ValueError)):
            add_rows(*arguments)
        arguments[position] = None
        with pytest.raises(TypeError):
            add_rows(*arguments)
    assert totals.tolist() == [[1, 2], [3, 4]]
    add_rows(totals, frozen(rows), frozen(values))
    assert totals.tolist() == [[6, 8], [10, 12]]


def frozen_columns(array: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a read-only copy in Fortran's order."""
    copy = np.array(array, order="F")
    copy.setflags(write=False)
    return copy


@always_the_same(max_examples=200)
@given(additions(), st.data())
def test_columns_are_added_as_rows_are_but_for_those_below_zero(
    case: tuple[list[list[int]], list[int], list[list[int]]], data: st.DataObject
) -> None:
    totals, rows, values = case
    left_out = [data.draw(st.booleans()) for _ in rows]
    array = np.asfortranarray(int64(totals, len(totals), len(totals[0])))
    places = [-1 - row if out else row for row, out in zip(rows, left_out, strict=True)]
    columns = frozen_columns(int64(values, len(rows), len(totals[0])))
    kept = [i for i, out in enumerate(left_out) if not out]
    arguments = (array, int64(places, len(rows)), columns)
    try:
        expected = twins.add_rows(totals, [rows[i] for i in kept], [values[i] for i in kept])
    except OverflowError:
        with pytest.raises(OverflowError):
            add_columns(*arguments)
        return
    assert add_columns(*arguments) is None
    assert expected == array.tolist()


def test_columns_that_do_not_fit_are_refused() -> None:
    totals, values = (np.zeros((2, 3), np.int64, order="F") for _ in range(2))
    with pytest.raises(ValueError, match="not one of the totals"):
        add_columns(totals, int64([0, 2]), values)
    with pytest.raises(ValueError, match="do not fit"):
        add_columns(totals, int64([0]), values)
    with pytest.raises(ValueError, match="do not fit"):
        add_columns(totals, int64([0, 1]), np.zeros((2, 2), np.int64, order="F"))
    with pytest.raises(ValueError, match="read-only"):
        add_columns(frozen_columns(totals), int64([0, 1]), values)
    with pytest.raises(ValueError, match="contiguous"):
        add_columns(np.zeros((2, 3), np.int64), int64([0, 1]), values)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("longest", [1, 40, 2_000])
def test_halves_add_up_to_the_sums_of_each_group(order: str, longest: int) -> None:
    """Groups in runs of some rows: blocks of one group, and blocks of many."""
    rng = np.random.default_rng(longest)
    groups = np.repeat(rng.integers(0, 5, 200), rng.integers(1, longest + 1, 200))
    values = rng.integers(-(2**63), 2**63 - 1, (len(groups), 3), endpoint=True)
    given_values = frozen(values) if order == "C" else frozen_columns(values)
    high, low = half_sums(frozen(groups), given_values, 6)
    expected = [[0] * 3 for _ in range(6)]
    for group, row in zip(groups.tolist(), values.tolist(), strict=True):
        for column, value in enumerate(row):
            expected[group][column] += value
    assert expected == (high.astype(object) * 2**32 + low.astype(object)).tolist()


def test_halves_of_rows_without_a_group_are_refused() -> None:
    values = np.zeros((2, 1), np.int64)
    for bad in ([0, 3], [-1, 0], [0, 2**62]):
        with pytest.raises(ValueError, match="no group"):
            half_sums(int64(bad), values, 3)
    with pytest.raises(ValueError, match="do not fit"):
        half_sums(int64([0]), values, 3)
    assert half_sums(int64([], 0), values[:0], 0)[0].shape == (0, 1)


@always_the_same(max_examples=200)
@given(st.sets(st.integers(-9, 60), max_size=40), st.data())
def test_wanted_keys_are_found_where_they_stand(keys: set[int], data: st.DataObject) -> None:
    """Each any number of times, in ascending order; one that is not there is refused."""
    known = sorted(keys)
    wanted = sorted(data.draw(st.lists(st.sampled_from(known), max_size=30)) if known else [])
    found = find_ascending(frozen(int64(known, len(known))), int64(wanted, len(wanted)))
    assert [known.index(key) for key in wanted] == found.tolist()
    for missing in {-10, 61, data.draw(st.integers(-9, 60))} - keys:
        with pytest.raises(ValueError, match="not there"):
            find_ascending(
                int64(known, len(known)), int64(sorted([*wanted, missing]), len(wanted) + 1)
            )


def test_wanted_keys_that_do_not_ascend_are_refused() -> None:
    with pytest.raises(ValueError, match="not ascend"):
        find_ascending(int64([1, 2, 3]), int64([3, 1]))


@always_the_same(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-(2**63), 2**63 - 1)), max_size=60))
def test_values_are_sorted_within_their_groups(rows: list[tuple[int, int]]) -> None:
    groups, values = int64([g for g, _ in rows], len(rows)), int64([v for _, v in rows], len(rows))
    ordered, starts = sort_within(groups, values, 5)
    assert [value for _, value in sorted(rows)] == ordered.tolist()
    assert [sum(group < g for group, _ in rows) for g in range(6)] == starts.tolist()


@pytest.mark.parametrize("shape", ["random", "sorted", "reversed", "equal"])
@pytest.mark.parametrize("n", [48, 49, 50, 5_000])
def test_groups_of_any_size_and_order_are_sorted(shape: str, n: int) -> None:
    """Few by insertion, more by a heap."""
    values = np.random.default_rng(n).integers(-99, 99, n)
    if shape != "random":
        values = {"sorted": np.sort(values), "reversed": np.sort(values)[::-1].copy()}.get(
            shape, np.full(n, 7)
        )
    ordered, _ = sort_within(np.zeros(n, np.int64), values, 1)
    assert sorted(values.tolist()) == ordered.tolist()


def test_values_of_no_group_are_refused() -> None:
    for bad in ([0, 2], [-1, 0]):
        with pytest.raises(ValueError, match="no group"):
            sort_within(int64(bad), int64([5, 6]), 2)
    with pytest.raises(ValueError, match="do not fit"):
        sort_within(int64([0]), int64([5, 6]), 2)


@always_the_same(max_examples=200)
@given(st.integers(0, 5), st.data())
def test_codes_are_narrowed_and_labels_in_use_are_told(n: int, data: st.DataObject) -> None:
    codes = data.draw(st.lists(st.integers(-1, n - 1), max_size=20))
    narrow, is_used, n_empty = narrow_codes(frozen(int64(codes, len(codes))), n)
    assert codes == narrow.tolist()
    assert np.int32 == narrow.dtype
    assert [label in codes for label in range(n)] == is_used.tolist()
    assert codes.count(-1) == n_empty


@pytest.mark.parametrize("code", [-2, 3, 2**32, -(2**63)])
def test_codes_of_no_label_are_refused(code: int) -> None:
    with pytest.raises(ValueError, match="names no label"):
        narrow_codes(int64([0, code]), 3)
    with pytest.raises(ValueError, match="32 bits"):
        narrow_codes(int64([0]), 2**31)


@always_the_same(max_examples=200)
@given(st.lists(st.lists(st.integers(-70, 200), max_size=20), max_size=4))
def test_the_union_of_keys_is_sorted_and_has_each_once(pieces: list[list[int]]) -> None:
    arrays = [frozen(int64(piece, len(piece))) for piece in pieces]
    assert sorted({key for piece in pieces for key in piece}) == union_of(arrays, -70, 271).tolist()


@pytest.mark.parametrize(("low", "span"), [(0, 5), (1, 5), (-(2**62), 9), (0, 0)])
def test_a_key_outside_the_span_is_refused(low: int, span: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        union_of([int64([low + min(span - 1, 0)]), int64([low + span])], low, span)
    with pytest.raises(ValueError, match="outside"):
        union_of([int64([low - 1])], low, span)
    assert union_of([], low, span).tolist() == []
