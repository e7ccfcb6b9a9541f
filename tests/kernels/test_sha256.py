"""SHA-256 of two messages side by side, against Python's own."""

import hashlib
import struct
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.twins import always_the_same, from_threads
from medcost import file_hashes
from medcost._core.sha256 import add_blocks, is_supported
from medcost.file_hashes import START, file_sha256, files_sha256

needs_instructions = pytest.mark.skipif(not is_supported(), reason="no SHA instructions")


def padded(message: bytes) -> bytes:
    """Return the message with a bit, zeros and its length in bits, in whole blocks."""
    zeros = bytes((55 - len(message)) % 64)
    return message + b"\x80" + zeros + struct.pack(">Q", 8 * len(message))


def digest(state: "array[int]") -> str:
    return struct.pack(">8I", *state).hex()


@needs_instructions
@always_the_same(max_examples=200)
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_two_messages_side_by_side_have_the_digests_of_each_alone(a: bytes, b: bytes) -> None:
    """As many blocks of both together, the rest of the longer one alone."""
    states = [array("I", START), array("I", START)]
    first, second = padded(a), padded(b)
    n = min(len(first), len(second))
    add_blocks(states[0], first[:n], states[1], second[:n])
    add_blocks(states[0], first[n:])
    add_blocks(states[1], second[n:])
    assert [hashlib.sha256(m).hexdigest() for m in (a, b)] == [digest(s) for s in states]


@needs_instructions
@pytest.mark.parametrize(
    "arguments",
    [
        lambda: (array("I", START), bytes(63)),
        lambda: (array("I", START[:7]), bytes(64)),
        lambda: (array("I", START), bytes(64), array("I", START)),
        lambda: (array("I", START), bytes(64), None, bytes(64)),
        lambda: (array("I", START), bytes(64), array("I", START), bytes(128)),
        lambda: (array("I", START), bytes(64), array("I", START[:7]), bytes(64)),
    ],
)
def test_messages_that_do_not_fit_are_refused(arguments: Callable[[], tuple[Any, ...]]) -> None:
    with pytest.raises(ValueError, match=r"blocks|state"):
        add_blocks(*arguments())


@needs_instructions
def test_no_block_changes_nothing_and_a_wrong_kind_is_refused() -> None:
    state = array("I", START)
    add_blocks(state, b"")
    assert START == tuple(state)
    for wrong in (array("Q", START), bytes(32), None):
        with pytest.raises((TypeError, ValueError, BufferError)):
            add_blocks(wrong, bytes(64))  # type: ignore[arg-type]


SIZES = (0, 1, 55, 56, 63, 64, 65, 119, 120, 4095, 4096, 4097, 9000)


@pytest.mark.parametrize("has_instructions", [True, False])
@pytest.mark.parametrize("taken", [64, 192, 4096])
def test_files_have_the_digests_of_their_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int, has_instructions: bool
) -> None:
    """Files of all lengths about a block and a piece, any two of them side by side."""
    monkeypatch.setattr(file_hashes, "TAKEN_BYTES", taken)
    if not has_instructions:
        monkeypatch.setattr("medcost._core.sha256.is_supported", lambda: False)
    paths = []
    for place, size in enumerate(SIZES):
        paths.append(tmp_path / f"file-{place}")
        paths[-1].write_bytes(bytes((place + i * i) % 251 for i in range(size)))
    expected = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    assert expected == files_sha256(paths)
    assert expected[::-1] == files_sha256(paths[::-1])
    assert expected[:1] * 3 == files_sha256(paths[:1] * 3)
    assert [] == files_sha256([])
    assert expected == [file_sha256(path) for path in paths]


def test_a_file_that_cannot_be_read_is_told_apart_from_the_others(tmp_path: Path) -> None:
    """One that is gone, and a folder, which opens and cannot be read."""
    there = tmp_path / "there"
    there.write_bytes(b"medcost")
    found = files_sha256([tmp_path / "gone", there, tmp_path, there])
    assert isinstance(found[0], FileNotFoundError)
    assert isinstance(found[2], IsADirectoryError)
    assert found[1] == found[3] == hashlib.sha256(b"medcost").hexdigest()


def test_threads_get_the_same_digests(tmp_path: Path) -> None:
    paths = [tmp_path / str(size) for size in SIZES]
    for path in paths:
        path.write_bytes(path.name.encode() * int(path.name))
    expected = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    assert all(expected == found for found in from_threads(lambda: files_sha256(paths)))
