"""Slots of keys against a dictionary."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels import twins
from kernels.twins import always_the_same, from_threads, frozen, int64, strided
from medcost._core.key_table import KeyTable

# Keys that differ by the size of the table, or in high bits only, meet in one place.
KEY = st.one_of(
    st.integers(0, 9),
    st.integers(0, 2**62),
    st.integers(0, 40).map(lambda n: n * 1024),
    st.integers(0, 40).map(lambda n: n << 50),
    st.sampled_from([0, 1, 1023, 1024, 2**32, 2**62 - 1, 2**62]),
)
BATCHES = st.lists(st.lists(KEY, max_size=60), max_size=5)


def table_of(*batches: list[int]) -> KeyTable:
    table = KeyTable()
    for keys in batches:
        table.add(int64(keys, len(keys)))
    return table


@always_the_same(max_examples=300)
@given(BATCHES, st.lists(KEY, max_size=30))
def test_keys_are_numbered_in_the_order_they_come(
    batches: list[list[int]], wanted: list[int]
) -> None:
    table, slots = KeyTable(), dict[int, int]()
    for keys in batches:
        expected = twins.key_slots(slots, keys)
        assert expected == table.add(int64(keys, len(keys))).tolist()
        assert len(slots) == len(table)
    assert list(slots) == table.known().tolist()
    assert [slots.get(key, -1) for key in wanted] == table.find(int64(wanted, len(wanted))).tolist()


@pytest.mark.parametrize("batch", [1, 511, 512, 513, 100_000])
def test_a_table_that_grows_forgets_no_key(batch: int) -> None:
    """The first table holds 512 keys; 20,000 of them, most of them twice, make it grow."""
    keys = np.random.default_rng(8).integers(0, 2**62, 20_000)
    keys = np.concatenate([keys, keys[::-1]])[: 2_000 if batch == 1 else None]
    table, slots = KeyTable(), dict[int, int]()
    for first in range(0, len(keys), batch):
        some = keys[first : first + batch]
        assert twins.key_slots(slots, some.tolist()) == table.add(some).tolist()
    assert list(slots) == table.known().tolist()
    assert [slots[key] for key in keys.tolist()] == table.find(keys).tolist()
    assert set(table.find(keys[:1000] ^ 1).tolist()) == {-1}


@pytest.mark.parametrize("step", [1, 1024, 2**20, 2**32, 2**48])
def test_keys_at_equal_distances_are_told_apart(step: int) -> None:
    keys = np.arange(5_000) * step
    table = KeyTable()
    assert np.array_equal(np.arange(5_000), table.add(keys))
    assert np.array_equal(np.arange(5_000), table.find(keys))
    assert set(table.find(keys + step * 5_000).tolist()) == {-1}


def test_the_smallest_and_the_largest_key_are_keys_like_others() -> None:
    """0 is what an empty place holds, and yet is not found before it is added."""
    table = KeyTable()
    assert [-1, -1] == table.find(int64([0, 2**62])).tolist()
    assert [0, 1, 0] == table.add(int64([2**62, 0, 2**62])).tolist()
    assert [1, 0, -1] == table.find(int64([0, 2**62, 1])).tolist()


def test_an_empty_table_finds_nothing() -> None:
    table, none = KeyTable(), int64([], 0)
    assert [0, [], [], []] == [
        len(table), table.add(none).tolist(), table.find(none).tolist(), table.known().tolist()
    ]  # fmt: skip
    assert [-1] == table.find(int64([7])).tolist()
    assert 0 == len(table)


def test_what_is_returned_is_the_callers_own() -> None:
    table = table_of([5, 6])
    table.known()[:] = 99
    table.find(int64([5]))[:] = 99
    assert [5, 6] == table.known().tolist()


@pytest.mark.parametrize(
    "spoil",
    [
        strided,
        lambda array: array.astype(np.int32),
        lambda array: array.astype(np.uint64),
        lambda array: array.astype(np.float64),
        lambda array: array.tolist(),
        lambda array: array[None],
        lambda array: None,
    ],
    ids=["strided", "int32", "uint64", "double", "list", "deeper", "none"],
)
def test_keys_of_the_wrong_kind_are_refused(spoil: Callable[[NDArray[np.int64]], Any]) -> None:
    table = table_of([1, 2])
    with pytest.raises((TypeError, ValueError)):
        table.add(spoil(int64([3, 4])))
    with pytest.raises((TypeError, ValueError)):
        table.find(spoil(int64([1, 2])))
    assert [1, 2] == table.known().tolist()


def test_read_only_keys_are_read() -> None:
    table = KeyTable()
    assert [0, 1] == table.add(frozen(int64([8, 9]))).tolist()
    assert [1, 0] == table.find(frozen(int64([9, 8]))).tolist()


def test_threads_search_one_table_and_fill_their_own() -> None:
    keys = np.random.default_rng(9).integers(0, 2**62, 30_000)
    table = KeyTable()
    expected = table.add(keys)
    for found in from_threads(lambda: table.find(keys)):
        assert np.array_equal(expected, found)
    for found in from_threads(lambda: KeyTable().add(keys)):
        assert np.array_equal(expected, found)
