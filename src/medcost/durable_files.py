"""Files and folders that outlast a power cut: written, synced, and only then named.

A name is durable once its folder is synced, and a folder's own name once its parent is. So files
and their folders are synced, in any order, and only then is anything renamed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

# renameat2(2): both paths are relative to the working directory, and change places.
AT_FDCWD, RENAME_EXCHANGE = -100, 2
# Files that wait for the disk at the same time.
SYNCERS = 8


def json_bytes(content: object) -> bytes:
    """JSON as medcost writes it: UTF-8, indented, with a newline at the end."""
    return (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode("utf-8")


def write_durably(path: Path, content: bytes | pa.Buffer) -> None:
    """Write a file and sync it to disk; its name is durable once its folder is synced."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def syncing(paths: Sequence[Path]) -> Iterator[None]:
    """Sync files and folders beside what is done inside; all are synced at the end, or OSError.

    Each waits some milliseconds for the disk, however small it is: many wait together.
    """
    with ThreadPoolExecutor(SYNCERS) as syncers:
        synced = [syncers.submit(sync, path) for path in paths]
        try:
            yield
        except BaseException:
            syncers.shutdown(cancel_futures=True)
            raise
        for one in synced:
            one.result()


def sync(path: Path) -> None:
    """Make a file's bytes durable, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def folders_of(top: Path) -> list[Path]:
    """A folder and all folders below it."""
    return [Path(folder) for folder, _, _ in os.walk(top)]


def swap(a: Path, b: Path) -> None:
    """Let two paths of one file system change places, at once where the system can.

    Where it cannot (a network file system, not Linux), b is missing for a moment.
    """
    if not _exchange(a, b):
        aside = a.with_name(f"{a.name}.aside")
        os.rename(b, aside)
        os.rename(a, b)
        os.rename(aside, a)


def _exchange(a: Path, b: Path) -> bool:
    """Whether the system exchanged the two paths atomically."""
    import ctypes

    try:
        renameat2 = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError):
        return False
    return bool(renameat2(AT_FDCWD, os.fsencode(a), AT_FDCWD, os.fsencode(b), RENAME_EXCHANGE) == 0)
