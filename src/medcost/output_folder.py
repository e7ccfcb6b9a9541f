"""The output folder: its lock, its staging folder, and CURRENT.json with the fence.

The lock keeps two batches apart wherever locks work. Where they do not, as on some network file
systems, the fence does: a writer notes it when it takes the lock and turns CURRENT.json only while
it is still the same.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from medcost.durable_files import sync
from medcost.errors import CannotPublish, InputRejected, named_errors, quote
from medcost.records import dataclass
from medcost.turns import COPY, finish, settle

CURRENT = COPY
# Its keys: the runs of costing by period and unit, the consortium's by period and kind.
RUNS, CONSORTIUM = "runs", "consortium"
LOCK = ".medcost-lock"
# What a run keeps beside its tables: a folder, and in it the small tables, the model, the activity.
KEPT = "kept"
BOOK, MODEL, ACTIVITY = "book", "model.toml", "activity"


@dataclass(frozen=True)
class OutputFolder:
    """An output folder whose lock is held.

    staging: a folder of this run alone, on the same file system; fence: that of CURRENT.json when
    the lock was taken; leftovers: staging folders of stopped runs, kept where they may be resumed;
    is_kept: whether what is staged stays for the next run if this one is refused.
    """

    path: Path
    staging: Path
    fence: int
    leftovers: tuple[Path, ...] = ()
    is_kept: bool = False


@contextmanager
def output_folder(out: Path, resume: bool = False) -> Iterator[OutputFolder]:
    """Hold the output folder's lock; its staging folder is removed at the end.

    resume: what stopped runs have staged is left for this one, and what this one has staged for
    the next, if it is stopped by a signal, refused or cannot publish. Without it nothing staged is
    left, neither before nor after; a folder that was made for a run which has put nothing into it
    is removed again. Raises CannotPublish where the folder cannot be made, is locked or is not ours
    to write.
    """
    with named_errors(out):
        out = out.resolve()
        is_new = not out.exists()
        out.mkdir(parents=True, exist_ok=True)
        if is_new:
            sync(out.parent)
        lock = FileLock(out / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise CannotPublish(
                f"{quote(str(out))} is locked: another medcost run is publishing to it. "
                "Wait for it to end, then run again."
            ) from None
    is_kept = False
    try:
        with named_errors(out):
            current = _require_current_readable(out)
            settle(out, current)
        beside = _staging_place(out)
        if not resume:
            # Whoever held the lock before is gone; what it staged was never published.
            _remove_staged(out)
        leftovers = tuple(_staged(out))
        with named_errors(out):
            staging = Path(tempfile.mkdtemp(prefix=_prefix(out), dir=beside))
        try:
            yield OutputFolder(out, staging, current["fence"], leftovers, resume)
        except (CannotPublish, InputRejected, KeyboardInterrupt, SystemExit):
            is_kept = resume
            raise
        finally:
            if resume and not is_kept:
                shutil.rmtree(staging, ignore_errors=True)
    finally:
        if not resume:
            # By name, not by variable: a signal may come before the variable has its value.
            _remove_staged(out)
        if is_new:
            _remove_if_unused(out)
        lock.release()


def _remove_if_unused(out: Path) -> None:
    """Remove the folder that nothing but the lock was put into."""
    with suppress(OSError):
        if os.listdir(out) == [LOCK]:
            (out / LOCK).unlink()
            out.rmdir()


def period_folder(staging: Path, period: str) -> Path:
    """Where a period is staged."""
    return staging / f"of-{period}"


def activity_folder(staging: Path, period: str) -> Path:
    """Where the activity of a staged period is kept."""
    return period_folder(staging, period) / KEPT / ACTIVITY


def _prefix(out: Path) -> str:
    return f".{out.name}.staging-"


def _staging_place(out: Path) -> Path:
    """The folder beside out, or, where out is a mount point or its parent is not ours, out."""
    parent = out.parent
    same_file_system = parent.stat().st_dev == out.stat().st_dev
    return parent if same_file_system and os.access(parent, os.W_OK) else out


def _staged(out: Path) -> list[Path]:
    """Every staging folder of the output folder, by name; the caller holds its lock."""
    pattern = f"{glob_escape(_prefix(out))}*"
    return sorted(_staging_place(out).glob(pattern))


def _remove_staged(out: Path) -> None:
    for left in _staged(out):
        shutil.rmtree(left, ignore_errors=True)


def glob_escape(text: str) -> str:
    """Text as a literal of a glob pattern."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in text)


def read_current(out: Path) -> dict[str, Any]:
    """CURRENT.json of an output folder; fence 0 and no runs where there is none."""
    path = out / CURRENT
    if not path.exists():
        return {"fence": 0, "runs": {}}
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def require_form(current: dict[str, Any]) -> int:
    """The fence of CURRENT.json; raises KeyError, TypeError or ValueError unless it is one."""
    fence = current["fence"]
    if type(fence) is not int or fence < 0:
        raise ValueError("not the form of CURRENT.json")
    for published in (current["runs"], current.get(CONSORTIUM, {})):
        if not isinstance(published, dict) or not all(
            isinstance(names, dict) and all(isinstance(name, str) for name in names.values())
            for names in published.values()
        ):
            raise ValueError("not the form of CURRENT.json")
    return fence


def _require_current_readable(out: Path) -> dict[str, Any]:
    """CURRENT.json; raises CannotPublish where it is not a file of ours."""
    try:
        current = read_current(out)
        require_form(current)
        return current
    except (ValueError, KeyError, TypeError):
        raise CannotPublish(
            f"{quote(str(out / CURRENT))} is not a file that medcost wrote. "
            "Restore it or choose another folder."
        ) from None


def require_fence(held: OutputFolder) -> dict[str, Any]:
    """CURRENT.json, unless it was turned since the lock was taken; raises CannotPublish."""
    current = read_current(held.path)
    if current["fence"] != held.fence:
        raise CannotPublish(
            f"{quote(str(held.path / CURRENT))} has fence {current['fence']}, and had {held.fence} "
            "when this run took the lock: another run has published meanwhile. Run again."
        )
    return current


def turn_current(held: OutputFolder, fence: int) -> None:
    """Replace CURRENT.json by what it became in a turn that was announced, durably and at once.

    fence: of the turn. The new one is staged under the same name, and synced; what it points to is
    in place. Raises CannotPublish where another run was faster.
    """
    sync(held.path)
    require_fence(held)
    os.replace(held.staging / CURRENT, held.path / CURRENT)
    sync(held.path)
    finish(held.path, fence)
