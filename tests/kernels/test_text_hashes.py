"""Hashes of texts, and those that stand more than once, against dictionaries."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels.twins import always_the_same, from_threads, frozen
from medcost._core.page_headers import PageError
from medcost._core.text_hashes import arrow_hashes, equal_hashes, plain_hashes, split_by_hash

TEXTS = st.lists(st.text(max_size=20).map(str.encode), max_size=30)
LETTERS = range(33, 127)


def plain(texts: list[bytes]) -> NDArray[np.uint8]:
    body = b"".join(len(text).to_bytes(4, "little") + text for text in texts)
    return np.frombuffer(body, np.uint8)


def arrow(texts: list[bytes]) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int32)
    return offsets, np.frombuffer(b"".join(texts), np.uint8)


def state_of(text: bytes) -> int:
    """Return 1 for nothing, 2 for an end that may be blank, 0 for printable ASCII ends."""
    return 1 if not text else 0 if text[0] in LETTERS and text[-1] in LETTERS else 2


@always_the_same(max_examples=200)
@given(TEXTS)
def test_both_readers_hash_alike_and_only_equal_texts_share_a_hash(texts: list[bytes]) -> None:
    hashes, states = plain_hashes(plain(texts), 0, len(texts))
    expected = [state_of(text) for text in texts]
    assert expected == (states.tolist() if states is not None else [0] * len(texts))
    assert states is None or states.any()
    of_arrow, states_of_arrow = arrow_hashes(*arrow(texts))
    assert hashes.tolist() == of_arrow.tolist()
    assert expected == states_of_arrow.tolist()
    assert len(set(texts)) == len(set(hashes.tolist()))


def test_ids_that_differ_in_one_byte_anywhere_have_other_hashes() -> None:
    """30 bytes, each changed in every way: 30 x 255 + 1 texts; and all lengths of zeros."""
    text = b"U01-202601-000000001-abcdefghi"
    texts = [text] + [
        text[:at] + bytes([other]) + text[at + 1 :]
        for at in range(len(text))
        for other in range(256)
        if other != text[at]
    ]
    texts += [b"\0" * n for n in range(1, 50)]
    hashes, _ = arrow_hashes(*arrow(texts))
    assert len(texts) == len(set(hashes.tolist()))


def test_texts_that_do_not_fit_their_page_are_refused() -> None:
    sound = plain([b"a", b"b"])
    assert 2 == len(plain_hashes(sound, 0, 2)[0])
    assert 1 == len(plain_hashes(sound, 5, 9)[0])
    assert 0 == len(plain_hashes(sound, len(sound), 0)[0])
    for body, start, most in (
        (sound, 0, 1),
        (sound[:-1], 0, 2),
        (sound[:-2], 0, 2),
        (sound[:7], 0, 2),
        (sound[:3], 0, 2),
        (np.frombuffer(b"\xff\xff\xff\xffa", np.uint8), 0, 9),
        (np.frombuffer(b"\xff\xff\xff\x7fa", np.uint8), 0, 9),
        (plain([b"\xff"]), 0, 1),
        (plain([b"\xed\xa0\x80"]), 0, 1),
        (sound, len(sound) + 1, 2),
        (sound, -1, 2),
        (sound, 0, -1),
    ):
        with pytest.raises(PageError):
            plain_hashes(body, start, most)


@pytest.mark.parametrize("offsets", [[], [0, 2], [1, 0], [-1, 1], [0, 2**31 - 1]])
def test_offsets_that_do_not_fit_are_refused(offsets: list[int]) -> None:
    with pytest.raises(ValueError, match="offsets"):
        arrow_hashes(np.array(offsets, np.int32), np.frombuffer(b"a", np.uint8))


HASHES = st.lists(
    st.one_of(
        st.integers(0, 3), st.integers(0, 2**64 - 1), st.integers(0, 7).map(lambda h: h << 61)
    ),
    max_size=60,
)


@always_the_same(max_examples=200)
@given(HASHES, st.integers(1, 16))
def test_groups_hold_all_hashes_by_their_highest_bits(given_: list[int], bits: int) -> None:
    hashes, starts = split_by_hash(np.array(given_, np.uint64), bits)
    assert sorted(given_) == sorted(hashes.tolist())
    assert (2**bits + 1, 0, len(given_)) == (len(starts), starts[0], starts[-1])
    for group in {h >> 64 - bits for h in given_}:
        inside = hashes[starts[group] : starts[group + 1]].tolist()
        assert sorted(h for h in given_ if h >> 64 - bits == group) == sorted(inside)


@always_the_same(max_examples=200)
@given(HASHES)
def test_hashes_that_stand_more_than_once_are_counted(given_: list[int]) -> None:
    """0 is a hash like any other."""
    hashes, counts = equal_hashes(np.array(given_, np.uint64))
    expected = {h: n for h, n in Counter(given_).items() if n > 1}
    assert expected == dict(zip(hashes.tolist(), counts.tolist(), strict=True))


@pytest.mark.parametrize("bits", [0, 17, -1])
def test_other_numbers_of_bits_are_refused(bits: int) -> None:
    with pytest.raises(ValueError, match="bits"):
        split_by_hash(np.zeros(1, np.uint64), bits)


def test_threads_and_frozen_arrays() -> None:
    texts = [b"%d" % i for i in range(5000)] * 2
    offsets, data = arrow(texts)
    hashes = arrow_hashes(frozen(offsets), frozen(data))[0].view(np.uint64)
    for found, counts in from_threads(lambda: equal_hashes(frozen(hashes))):
        assert (5000, {2}) == (len(found), set(counts.tolist()))
