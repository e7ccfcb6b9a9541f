"""Looking labels up against a dictionary of byte strings."""

from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels import twins
from kernels.twins import always_the_same, from_threads, frozen, strided
from medcost._core.labels import LabelTable

# Around 8 and 24 bytes the table changes its ways; few letters, so that texts share prefixes.
TEXTS = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.lists(st.sampled_from([0, 97, 98]), max_size=27).map(bytes),
        st.sampled_from([b"", b"a" * 8, b"a" * 23, b"a" * 24, b"a" * 25, b"a" * 300, b"\0" * 24]),
    ),
    max_size=40,
)


def buffers(texts: list[bytes]) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Return texts as Arrow holds them: offsets and bytes."""
    offsets = np.array([0, *accumulate(len(text) for text in texts)], np.int32)
    return offsets, np.frombuffer(b"".join(texts), np.uint8)


def table_of(labels: list[bytes]) -> LabelTable:
    return LabelTable(*buffers(labels))


def require_found(given: list[bytes], more: list[bytes]) -> None:
    """Some texts are labels, and all are looked up, together and one by one."""
    labels = sorted(set(given))
    texts = given + more
    expected = twins.find_labels(labels, texts)
    table = table_of(labels)
    assert expected == table.find(*buffers(texts)).tolist()
    assert expected == [int(table.find(*buffers([text]))[0]) for text in texts]
    assert len(labels) == table.n_labels


@always_the_same(max_examples=500)
@given(TEXTS, TEXTS)
def test_a_text_is_found_where_it_stands_or_not_at_all(
    given: list[bytes], more: list[bytes]
) -> None:
    """The last text of the buffer may end where its memory ends."""
    require_found(given, more)


def numbered(head: bytes, digits: int, number: int) -> bytes:
    return head + b"%0*d" % (digits, number)


# Ids of a few heads, whose digits are close together or far apart, or hardly digits at all.
NUMBERED = st.lists(
    st.one_of(
        st.builds(
            numbered,
            st.sampled_from([b"", b"U1-", b"U2-", b"a" * 15, b"a" * 16, b"a" * 17, b"1"]),
            st.sampled_from([7, 8, 9]),
            st.one_of(st.integers(0, 30), st.sampled_from([10**6, 99_999_999, 99_999_998])),
        ),
        st.sampled_from([b"0000000/", b":0000001", b"0000a002", b"U1-\xfa0000001", b"U1-0000 003"]),
    ),
    max_size=40,
)


@always_the_same(max_examples=500)
@given(NUMBERED, NUMBERED)
def test_labels_that_end_in_digits_are_found_by_number_or_not_at_all(
    given: list[bytes], more: list[bytes]
) -> None:
    """Heads up to 16 bytes, 8 digits; neither / nor : nor what a carry may turn into one is one."""
    require_found(given, more)


@pytest.mark.parametrize("n_heads", [1, 13, 64, 65, 300])
@pytest.mark.parametrize("gap", [1, 4, 5])
def test_numbers_of_many_heads_are_found(n_heads: int, gap: int) -> None:
    """Up to 64 heads have numbers, if at most three of four are missing; all others are hashed.

    Of each head every gap-th of 50 times gap numbers is a label, and the others are not.
    """
    heads = [b"H%03d-" % h for h in range(n_heads)]
    labels = sorted(numbered(h, 8, 7 + gap * k) for h in heads for k in range(50))
    labels = sorted([*labels, b"", b"other", b"H000-1234567x"])
    texts = [numbered(h, 8, k) for h in [*heads, b"H999-"] for k in range(50 * gap + 20)]
    table = table_of(labels)
    for found in (texts, labels):
        assert twins.find_labels(labels, found) == table.find(*buffers(found)).tolist()


def test_every_digit_counts() -> None:
    """The numbers 10^k and 9 x 10^k of one head, its lowest 0 and its highest 90,000,000."""
    numbers = sorted({m * 10**k for k in range(8) for m in (1, 9)} | {0})
    for low in numbers:
        labels = [numbered(b"", 8, low), numbered(b"", 8, low + 1)]
        texts = [numbered(b"", 8, n + d) for n in numbers for d in (-1, 0, 1, 2) if n + d >= 0]
        assert twins.find_labels(labels, texts) == table_of(labels).find(*buffers(texts)).tolist()


def test_many_labels_are_all_found() -> None:
    """20,000 labels of 0 to 60 bytes, looked up in another order, and as many that are none."""
    rng = np.random.default_rng(5)
    texts = sorted({rng.bytes(size) for size in rng.integers(0, 60, 40_000)})
    labels = texts[::2]
    rng.shuffle(texts)
    assert twins.find_labels(labels, texts) == table_of(labels).find(*buffers(texts)).tolist()


def test_labels_may_start_anywhere_in_their_buffer() -> None:
    """Arrow's slices keep their buffer: the first offset need not be 0."""
    data = np.frombuffer(b"xxabcdyy", np.uint8)
    table = LabelTable(np.array([2, 4, 6], np.int32), data)
    assert [1, -1, -2] == table.find(np.array([4, 6, 8, 8], np.int32), data).tolist()


def test_no_labels_and_no_texts() -> None:
    none = np.array([0], np.int32), np.empty(0, np.uint8)
    assert [] == LabelTable(*none).find(*none).tolist()
    assert [-2, -1] == LabelTable(*none).find(*buffers([b"", b"a"])).tolist()


@pytest.mark.parametrize(
    "labels", [[b"b", b"a"], [b"a", b"a"], [b"ab", b"a"], [b"a", b""], [b"", b""]]
)
def test_labels_that_do_not_ascend_are_refused(labels: list[bytes]) -> None:
    with pytest.raises(ValueError, match="ascend"):
        table_of(labels)


@pytest.mark.parametrize(
    "offsets", [[], [-1], [0, -1], [1, 0], [0, 4], [4], [0, 2, 1], [2**31 - 1]]
)
def test_offsets_outside_the_bytes_are_refused(offsets: list[int]) -> None:
    data = np.zeros(3, np.uint8)
    with pytest.raises(ValueError, match="offsets"):
        LabelTable(np.array(offsets, np.int32), data)
    with pytest.raises(ValueError, match="offsets"):
        table_of([b"a"]).find(np.array(offsets, np.int32), data)


def test_read_only_arrays_are_read_and_strided_ones_refused() -> None:
    offsets, data = buffers([b"a", b"b"])
    table = LabelTable(frozen(offsets), frozen(data))
    assert [0, 1] == table.find(frozen(offsets), frozen(data)).tolist()
    with pytest.raises(ValueError, match="contiguous"):
        table.find(strided(offsets), data)


def test_threads_share_one_table() -> None:
    labels = sorted({str(i * 7919).encode() for i in range(5000)})
    table, texts = table_of(labels), buffers(labels)
    for found in from_threads(lambda: table.find(*texts).tolist()):
        assert list(range(len(labels))) == found
