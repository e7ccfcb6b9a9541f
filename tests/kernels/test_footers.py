"""What footers say of texts: proved by equal bounds, and doubted wherever they contradict."""

from typing import Any

import numpy as np
import pytest
from fuzz.forged import Fields, Long, Text, footer_of, thrift
from hypothesis import given
from hypothesis import strategies as st

from kernels.twins import always_the_same, from_threads
from medcost._core.footers import chunk_places, sole_texts
from medcost._core.page_headers import PageError

MONTH, NEXT = Text(b"2026-01"), Text(b"2026-02")
NULL_COUNT, DISTINCT_COUNT, MAX, MIN, MAX_EXACT, MIN_EXACT = 3, 4, 5, 6, 7, 8
SOUND: Fields = {NULL_COUNT: Long(0), MAX: MONTH, MIN: MONTH}


def told(statistics: Any, **rows: int) -> bytes | None:
    """Return what one chunk with these statistics proves."""
    footer = np.frombuffer(footer_of([[{12: statistics}]], **rows), np.uint8)
    (found,) = sole_texts(footer, 1, 1, 0)
    return found


def test_equal_bounds_without_nulls_prove_the_text() -> None:
    """Whether the writer says that they are exact, says nothing, or is sure of one value."""
    assert told(SOUND) == b"2026-01"
    assert told(SOUND | {MAX_EXACT: True, MIN_EXACT: True}) == b"2026-01"
    assert told({NULL_COUNT: Long(0), DISTINCT_COUNT: Long(1), MAX: MONTH, MIN: MONTH}) == MONTH
    assert told({1: MONTH, 2: MONTH} | SOUND) == b"2026-01"
    assert told(SOUND | {9: Long(7), 12: Text(b"of a later version")}) == b"2026-01"
    assert told({NULL_COUNT: Long(0), MAX: Text(b""), MIN: Text(b"")}) == b""


DOUBTS: dict[str, Any] = {
    "no bounds": {NULL_COUNT: Long(0)},
    "no lower bound": {NULL_COUNT: Long(0), MAX: MONTH},
    "no upper bound": {NULL_COUNT: Long(0), MIN: MONTH},
    "no number of nulls": {MAX: MONTH, MIN: MONTH},
    "nulls": SOUND | {NULL_COUNT: Long(1)},
    "a negative number of nulls": SOUND | {NULL_COUNT: Long(-1)},
    "nulls counted in 32 bits": SOUND | {NULL_COUNT: 0},
    "a number of nulls that is a text": SOUND | {NULL_COUNT: Text(b"\0")},
    "two values": {NULL_COUNT: Long(0), DISTINCT_COUNT: Long(2), MAX: MONTH, MIN: MONTH},
    "no values": {NULL_COUNT: Long(0), DISTINCT_COUNT: Long(0), MAX: MONTH, MIN: MONTH},
    "bounds that differ": SOUND | {MIN: NEXT},
    "bounds that differ in length": SOUND | {MIN: Text(b"2026-0")},
    "an upper bound that was cut off": SOUND | {MAX_EXACT: False},
    "a lower bound that was cut off": SOUND | {MAX_EXACT: True, MIN_EXACT: False},
    "exactness that is a number": SOUND | {MAX_EXACT: 1},
    "a bound that is a number": SOUND | {MAX: 7},
    "deprecated bounds only": {1: MONTH, 2: MONTH, NULL_COUNT: Long(0)},
    "a deprecated upper bound that differs": {1: NEXT} | SOUND,
    "a deprecated lower bound that differs": {2: NEXT} | SOUND,
    "deprecated bounds that agree with each other only": {1: NEXT, 2: NEXT} | SOUND,
    "a number in the place of all": 5,
    "a text in the place of all": MONTH,
    "nothing": {},
}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_statistics_that_contradict_prove_nothing(doubt: str) -> None:
    assert told(DOUBTS[doubt]) is None


def test_a_field_that_stands_twice_proves_nothing() -> None:
    """Field 6 once more after field 6: a step of 0 is written as a number of its own."""
    sound = thrift(SOUND)
    for again in (b"\x08\x0c\x072026-01", b"\x06\x06\x00"):
        twice = sound[:-1] + again + b"\0"
        footer = footer_of([[{12: SOUND}]]).replace(sound, twice)
        assert [None] == sole_texts(np.frombuffer(footer, np.uint8), 1, 1, 0)


def test_two_statistics_prove_nothing() -> None:
    """The second is a field 12 that follows a field 12."""
    sound = thrift(SOUND)
    for first in (sound, b"\0"):
        footer = footer_of([[{12: SOUND}]]).replace(sound, first + b"\x0c\x18" + sound)
        assert [None] == sole_texts(np.frombuffer(footer, np.uint8), 1, 1, 0)


def test_a_chunk_with_other_values_than_rows_proves_nothing() -> None:
    assert told(SOUND, n_rows=3, n_values=3) == MONTH
    assert told(SOUND, n_rows=4, n_values=3) is None
    assert told(SOUND, n_rows=3, n_values=4) is None


def test_each_row_group_has_its_own_text_and_other_columns_none() -> None:
    other = {12: {NULL_COUNT: Long(9), MAX: Text(b"z"), MIN: Text(b"a")}}
    groups = [[other, {12: SOUND}], [other, {}], [other, {12: SOUND | {MAX: NEXT, MIN: NEXT}}]]
    footer = np.frombuffer(footer_of(groups), np.uint8)
    assert [MONTH, None, NEXT] == sole_texts(footer, 3, 2, 1)
    assert [None] * 3 == sole_texts(footer, 3, 2, 0)
    assert chunk_places(footer, 3, 2)[:, :, 1:].reshape(6, 6).tolist() == [[0, 3, 9, 9, 4, -1]] * 6
    for found in from_threads(lambda: sole_texts(footer, 3, 2, 1)):
        assert [MONTH, None, NEXT] == found


def test_a_footer_without_row_groups_has_no_texts() -> None:
    footer = np.frombuffer(footer_of([]), np.uint8)
    assert [] == sole_texts(footer, 0, 1, 0)


def test_what_is_no_footer_is_refused() -> None:
    """Other numbers of groups and columns, no bytes, a column that is not there."""
    footer = np.frombuffer(footer_of([[{12: SOUND}]]), np.uint8)
    for n_groups, n_columns in ((2, 1), (1, 2), (0, 1), (-1, 1), (1 << 60, 1), (1, 1 << 60)):
        with pytest.raises(PageError):
            sole_texts(footer, n_groups, n_columns, 0)
    with pytest.raises(PageError):
        sole_texts(footer[:0], 1, 1, 0)
    for column in (-1, 1, 1 << 60):
        with pytest.raises(ValueError, match="no such column"):
            sole_texts(footer, 1, 1, column)


def test_a_footer_cut_off_anywhere_is_refused() -> None:
    footer = np.frombuffer(footer_of([[{12: SOUND}]]), np.uint8)
    for size in range(len(footer)):
        with pytest.raises(PageError):
            sole_texts(footer[:size].copy(), 1, 1, 0)


@always_the_same(max_examples=300)
@given(st.data())
def test_a_damaged_footer_proves_what_a_text_of_it_says_or_nothing(data: st.DataObject) -> None:
    """One byte changed: a text proved is one that both bounds still hold, byte for byte."""
    footer = bytearray(footer_of([[{12: SOUND}], [{}]]))
    at = data.draw(st.integers(0, len(footer) - 1))
    footer[at] = data.draw(st.integers(0, 255))
    try:
        found = sole_texts(np.frombuffer(footer, np.uint8), 2, 1, 0)
    except PageError:
        return
    for text in found:
        assert text is None or bytes(footer).count(bytes([len(text)]) + text) >= 2


def test_random_bytes_are_no_footer() -> None:
    rng = np.random.default_rng(4)
    for _ in range(20_000):
        given = rng.integers(0, 256, rng.integers(0, 60), np.uint8)
        given[rng.random(len(given)) < 0.5] = rng.choice(np.array([0, 0x19, 0x1C, 9, 12], np.uint8))
        with pytest.raises(PageError):
            sole_texts(given, 1, 1, 0)
