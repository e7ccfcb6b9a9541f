"""Frames of zstd that may be unpacked together, against zstd itself."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels.twins import always_the_same, frozen
from medcost._core.zstd_frames import join_frames

SIZES = (0, 1, 255, 256, 257, 65_535, 65_536, 65_791, 65_792, 300_000)


def frame(content: bytes, level: int = 1) -> bytes:
    return bytes(pa.Codec("zstd", level).compress(content).to_pybytes())


def content_of(size: int, seed: int = 0) -> bytes:
    """Half noise, which zstd keeps as it is, and half zeros, which it makes a run of."""
    noise = np.random.default_rng(seed).integers(0, 256, size // 2, np.uint8).tobytes()
    return noise + bytes(size - len(noise))


def joined(
    frames: list[bytes], sizes: list[int], gap: bytes = b"a header"
) -> NDArray[np.uint8] | None:
    """Return the frames joined in a chunk in which a header is before each, None where not.

    What cannot be joined is checked to be as it was, and only headers between frames to change.
    """
    before = b"".join(gap + one for one in frames)
    stored = np.array([len(one) for one in frames], np.int64)
    starts = np.cumsum(stored + len(gap)) - stored
    chunk = np.frombuffer(before, np.uint8).copy()
    found = join_frames(chunk, starts, stored, np.array(sizes, np.int64))
    if found is None:
        assert chunk.tobytes() == before
        return None
    assert (starts[0], len(before)) == found
    for start, size in zip(starts.tolist(), stored.tolist(), strict=True):
        assert before[start : start + size] == chunk[start : start + size].tobytes()
    assert before[: len(gap)] == chunk[: len(gap)].tobytes()
    return chunk[found[0] : found[1]]


@pytest.mark.parametrize("gap", [b"8" * 8, b"x" * 9, bytes(300)])
@pytest.mark.parametrize("level", [1, 3, 19])
def test_frames_of_every_size_unpack_together_as_one_by_one(level: int, gap: bytes) -> None:
    contents = [content_of(size, seed) for seed, size in enumerate(SIZES)]
    found = joined([frame(one, level) for one in contents], list(SIZES), gap)
    assert found is not None
    unpacked = pa.Codec("zstd").decompress(pa.py_buffer(found), sum(SIZES))
    assert b"".join(contents) == unpacked.to_pybytes()


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_that_unpacks_to_another_size_is_not_joined(size: int) -> None:
    sound = frame(content_of(size))
    assert joined([sound], [size]) is not None
    for other in {size + 1, size - 1, size + 256, size - 256, 2**31 - 1, -1}:
        assert joined([sound], [other]) is None


def test_bytes_that_belong_to_the_frame_of_another_page_are_not_joined() -> None:
    """Two pages of 300,000 bytes: the first keeps one byte of the second, or both, or lacks one."""
    a, b = frame(content_of(300_000, 1)), frame(content_of(300_000, 2))
    sizes = [300_000, 300_000]
    assert joined([a, b], sizes) is not None
    assert joined([a + b[:1], b[1:]], sizes) is None
    assert joined([a[:-1], a[-1:] + b], sizes) is None
    assert joined([a + b, b], sizes) is None
    assert joined([a + a, b""], sizes) is None
    assert joined([b"", a], [0, 300_000]) is None


def test_frames_that_do_not_say_their_size_or_ask_for_more_are_not_joined() -> None:
    """No size; a dictionary; a reserved bit; another magic number; a skippable frame."""
    with pa.BufferOutputStream() as sink:
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(content_of(1000))
        assert joined([sink.getvalue().to_pybytes()], [1000]) is None
    sound = bytearray(frame(b"x" * 40))
    for place, bits in ((4, 0b1), (4, 0b10), (4, 0b1000), (0, 1), (3, 1)):
        other = bytearray(sound)
        other[place] ^= bits
        assert joined([bytes(other)], [40]) is None
    assert joined([b"\x50\x2a\x4d\x18\x00\x00\x00\x00"], [0]) is None


@always_the_same(max_examples=300)
@given(st.binary(max_size=40), st.integers(0, 300), st.data())
def test_damaged_frames_are_not_joined_or_refused_by_zstd(
    noise: bytes, size: int, data: st.DataObject
) -> None:
    """Whatever is joined unpacks to the sizes said, page by page, or not at all."""
    sound = bytearray(frame(content_of(size)))
    at = data.draw(st.integers(0, len(sound) - 1))
    sound[at : at + len(noise)] = noise
    pages = [bytes(sound), frame(b"next page")]
    found = joined(pages, [size, 9])
    if found is None:
        return
    try:
        unpacked = pa.Codec("zstd").decompress(pa.py_buffer(found), size + 9).to_pybytes()
    except (OSError, pa.ArrowException):
        return
    alone = pa.Codec("zstd").decompress(pages[0], size).to_pybytes()
    assert alone + b"next page" == unpacked


def test_frames_with_too_little_between_them_are_not_joined() -> None:
    """A frame to skip has a header of eight bytes; alone, a page needs none."""
    sound = frame(b"x" * 40)
    for gap in (b"", b"7" * 7):
        assert joined([sound, sound], [40, 40], gap) is None
        assert joined([sound], [40], gap) is not None


def test_frames_that_overlap_or_go_back_are_not_joined() -> None:
    one = frame(b"x" * 40)
    chunk = np.frombuffer((one + bytes(20)) * 3, np.uint8).copy()
    step = len(one) + 20
    sizes, stored = np.full(2, 40), np.full(2, len(one))
    for starts in ([0, 0], [step, 0], [2 * step, step], [0, 2 * step + 1]):
        assert join_frames(chunk, np.array(starts), stored, sizes) is None
    assert (0, 2 * step + len(one)) == join_frames(chunk, np.array([0, 2 * step]), stored, sizes)
    unpacked = pa.Codec("zstd").decompress(pa.py_buffer(chunk[: 2 * step + len(one)]), 80)
    assert b"x" * 80 == unpacked.to_pybytes()


@pytest.mark.parametrize(
    ("start", "stored"), [(-1, 5), (0, 1000), (5, -1), (2**40, 5), (0, 0), (26, 0)]
)
def test_pages_outside_their_chunk_are_not_joined(start: int, stored: int) -> None:
    chunk = np.frombuffer(frame(b"y" * 40), np.uint8).copy()
    numbers = [np.array([n], np.int64) for n in (start, stored, 40)]
    assert join_frames(chunk, *numbers) is None
    nothing = np.empty(0, np.int64)
    assert join_frames(chunk, nothing, nothing, nothing) is None


def test_a_chunk_that_must_not_change_is_refused() -> None:
    chunk = frozen(np.frombuffer(frame(b"y" * 40), np.uint8))
    one = np.array([0], np.int64)
    with pytest.raises(ValueError, match="read-only"):
        join_frames(chunk, one, np.array([len(chunk)]), np.array([40]))


def test_columns_of_unequal_length_are_refused() -> None:
    one, two = np.zeros(1, np.int64), np.zeros(2, np.int64)
    with pytest.raises(ValueError, match="same length"):
        join_frames(np.zeros(9, np.uint8), two, one, one)
