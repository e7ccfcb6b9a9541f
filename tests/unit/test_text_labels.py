"""Labels by their buffers: what Arrow and Python themselves say of the same labels."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from medcost.text_labels import find_blank_ends, is_ascending, take_text, text_array

# Blanks of one, two and three bytes, letters of one and three, and lengths that are often equal.
LETTERS = st.sampled_from("ab医院 \t\x85\u3000\x1f")
LABELS = st.lists(st.text(LETTERS, min_size=1, max_size=3), max_size=12)


@given(labels=LABELS)
def test_an_array_of_labels_is_that_of_arrow(labels: list[str]) -> None:
    found = text_array(labels)
    found.validate(full=True)
    assert found.equals(pa.array(labels, pa.string()))


@given(labels=LABELS, picked=st.lists(st.integers(0, 11), max_size=8), skipped=st.integers(0, 3))
def test_labels_are_taken_as_arrow_takes_them(
    labels: list[str], picked: list[int], skipped: int
) -> None:
    """Also from a slice, whose first label does not begin at the buffer's first byte."""
    part = text_array(labels).slice(min(skipped, len(labels)))
    rows = np.array([place for place in picked if place < len(part)], np.int64)
    found = take_text(part, rows)
    found.validate(full=True)
    assert found.equals(part.take(pa.array(rows)))


@given(labels=LABELS)
def test_labels_of_one_length_ascend_where_python_says_so(labels: list[str]) -> None:
    """The order of UTF-8 bytes is that of code points."""
    one_length = len({len(label.encode()) for label in labels}) == 1
    ascending = labels == sorted(set(labels))
    assert is_ascending(text_array(labels)) == (one_length and ascending)


def test_labels_that_cannot_be_compared_as_words_are_not_looked_into() -> None:
    for labels in (["a\0", "a\1"], ["", "a"], ["a", "bb"], []):
        assert not is_ascending(text_array(labels))
    assert not is_ascending(pa.array(["a", None], pa.string()))


@given(labels=LABELS)
def test_blank_ends_are_those_that_strip_takes_off(labels: list[str]) -> None:
    expected = [label != label.strip() for label in labels]
    assert find_blank_ends(text_array(labels)).tolist() == expected
