"""SHA-256 of files, and of a book's files while the program is still starting."""

from __future__ import annotations

import hashlib
import os
import threading
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

# Read at once: a thread that hashes asks for the interpreter only so often.
PIECE_BYTES = 1 << 23
# Of each of two files.
TAKEN_BYTES = 1 << 20
BLOCK_BYTES = 64
START = (
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
)  # fmt: skip


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex digits. Raises OSError."""
    digest = hashlib.sha256()
    piece = bytearray(min(PIECE_BYTES, os.path.getsize(path) + 1))
    with open(path, "rb", buffering=0) as file:
        while n_bytes := file.readinto(piece):
            digest.update(memoryview(piece)[:n_bytes])
    return digest.hexdigest()


def files_sha256(paths: Sequence[Path]) -> list[str | OSError]:
    """SHA-256 of each file, or why it cannot be read: two at a time where the processor can."""
    from medcost._core.sha256 import is_supported

    if not is_supported():
        return [_sha256_or_error(path) for path in paths]
    found: list[str | OSError] = [OSError() for _ in paths]
    waiting = iter(enumerate(paths))
    messages: list[_Message] = []
    # Memory is used again: what is touched for the first time costs more than what is hashed.
    pieces = [bytearray(TAKEN_BYTES + 2 * BLOCK_BYTES) for _ in range(2)]
    while True:
        while len(messages) < 2 and (following := next(waiting, None)) is not None:
            place, path = following
            try:
                messages.append(_Message(place, path, pieces[-1]))
                pieces.pop()
            except OSError as error:
                found[place] = error
        if not messages:
            return found
        for one in [one for one in messages if _is_done(one, found)]:
            messages.remove(one)
            pieces.append(one.piece)
        _take(messages)


class _Message:
    """A file on its way through SHA-256: its words so far, and bytes not taken yet."""

    def __init__(self, place: int, path: Path, piece: bytearray) -> None:
        self.place, self.piece = place, piece
        # FIPS 180-4, section 5.3.3.
        self.state = array("I", START)
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115
        self._first = self._end = self._n_bytes = 0
        self._is_padded = False

    def blocks(self) -> memoryview:
        """Whole blocks that were read, at least one but behind the end; raises OSError."""
        while self._end - self._first < BLOCK_BYTES and not self._is_padded:
            left = self.piece[self._first : self._end]
            self.piece[: len(left)] = left
            self._first, self._end = 0, len(left)
            n_bytes = self._file.readinto(memoryview(self.piece)[self._end : TAKEN_BYTES]) or 0
            self._end += n_bytes
            self._n_bytes += n_bytes
            if not n_bytes:
                self._pad()
        n_blocks = (self._end - self._first) // BLOCK_BYTES
        return memoryview(self.piece)[self._first : self._first + n_blocks * BLOCK_BYTES]

    def taken(self, n_bytes: int) -> None:
        """The first bytes have been taken into the state."""
        self._first += n_bytes

    def close(self) -> str:
        """The digest in hex digits."""
        self._file.close()
        return b"".join(word.to_bytes(4, "big") for word in self.state).hex()

    def _pad(self) -> None:
        """FIPS 180-4, section 5.1.1: a bit, zeros and the length in bits."""
        padding = b"\x80" + bytes((55 - self._n_bytes) % BLOCK_BYTES)
        padding += (8 * self._n_bytes).to_bytes(8, "big")
        self.piece[self._end : self._end + len(padding)] = padding
        self._end += len(padding)
        self._is_padded = True


def _is_done(message: _Message, found: list[str | OSError]) -> bool:
    """Whether a file is at its end or cannot be read on; what was found of it is noted."""
    try:
        if len(message.blocks()):
            return False
        found[message.place] = message.close()
    except OSError as error:
        message.close()
        found[message.place] = error
    return True


def _take(messages: Sequence[_Message]) -> None:
    """Take as many blocks as all of one or two messages have read."""
    from medcost._core.sha256 import add_blocks

    pieces = [message.blocks() for message in messages]
    n_bytes = min(map(len, pieces), default=0)
    if n_bytes and len(messages) == 1:
        add_blocks(messages[0].state, pieces[0][:n_bytes])
    elif n_bytes:
        first, second = (message.state for message in messages)
        add_blocks(first, pieces[0][:n_bytes], second, pieces[1][:n_bytes])
    for message in messages:
        message.taken(n_bytes)


def _sha256_or_error(path: Path) -> str | OSError:
    try:
        return file_sha256(path)
    except OSError as error:
        return error


class FolderHashes:
    """Hashes the Parquet files of a folder in a thread of its own, the smallest first.

    While modules are imported a processor is idle; what is hashed then need not be hashed later.
    """

    def __init__(self, folder: Path) -> None:
        self._known: dict[Path, tuple[tuple[int, ...], str]] = {}
        self._changed = threading.Condition()
        self._is_done = False
        threading.Thread(target=self._hash_all, args=(folder,), daemon=True).start()

    def sha256(self, path: Path) -> str:
        """SHA-256 of a file as it is now, hashed anew where it changed or was not known."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_done or path in self._known)
            signature, digest = self._known.get(path, ((), ""))
        return digest if signature == _signature(path) else file_sha256(path)

    def _hash_all(self, folder: Path) -> None:
        try:
            for path in _smallest_first(folder):
                signature = _signature(path)
                digest = file_sha256(path)
                with self._changed:
                    self._known[path] = signature, digest
                    self._changed.notify_all()
        except OSError:
            # Whoever asks for the file meets the same and reports it.
            pass
        finally:
            with self._changed:
                self._is_done = True
                self._changed.notify_all()


def _smallest_first(folder: Path) -> Iterator[Path]:
    found = [Path(place) / name for place, _, names in os.walk(folder) for name in names]
    files = (path for path in found if path.suffix == ".parquet")
    return iter(sorted(files, key=lambda path: path.stat().st_size))


def _signature(path: Path) -> tuple[int, ...]:
    """What changes when a file is written to or replaced."""
    stat = path.stat()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
