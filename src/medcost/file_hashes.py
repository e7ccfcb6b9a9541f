"""SHA-256 of files, and of a book's files while the program is still starting."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

# Read at once: a thread that hashes asks for the interpreter only so often.
PIECE_BYTES = 1 << 23


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex digits. Raises OSError."""
    digest = hashlib.sha256()
    piece = bytearray(min(PIECE_BYTES, os.path.getsize(path) + 1))
    with open(path, "rb", buffering=0) as file:
        while n_bytes := file.readinto(piece):
            digest.update(memoryview(piece)[:n_bytes])
    return digest.hexdigest()


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
