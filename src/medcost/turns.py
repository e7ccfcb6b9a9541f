"""Turns of CURRENT.json as links of the chain: what it says was said by a publication.

A turn has a folder, `turn=000007` for the fence 7, with a copy of CURRENT.json as it became and a
manifest in the chain. The folder is put in place before anything else of a publication, as
`turning=000007`: what the publication means to do. It gets its name when CURRENT.json has been
replaced. So a publication that was stopped is told from a CURRENT.json that somebody has set back:
only what a `turning` folder announces may be taken away again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medcost.chain import MANIFEST, RESTATEMENT, TURN
from medcost.durable_files import json_bytes, sync
from medcost.errors import CannotPublish, quote

TURNING = "turning="
COPY = "CURRENT.json"
# What reading a turn raises where it is gone, or is not what medcost wrote.
UNREADABLE = (OSError, ValueError, KeyError, TypeError, IndexError)


def turn_name(fence: int) -> str:
    """The name of the folder of the turn that a fence came with."""
    return f"{TURN}{fence:06d}"


def next_fence(out: Path, fence: int, but: int = 0) -> int:
    """The fence after this one that no restatement there has, but one of a given number.

    Such restatements are of a CURRENT.json that was set back before there were turns, or of a
    publication that was stopped then: nobody knows, so no turn may call them its own.
    """
    numbers = {numbered(path.name, RESTATEMENT) for path in out.glob(f"{RESTATEMENT}*")}
    return max([fence, *(numbers - {but})]) + 1


def numbered(name: str, kind: str) -> int:
    """The fence in a folder's name of this kind, 0 for names of another."""
    number = name.removeprefix(kind).rpartition("-")[2]
    return int(number) if name.startswith(kind) and number.isdecimal() else 0


def fence_of(name: str) -> int:
    """The fence of a turn by its folder's name, finished or not."""
    return numbered(name, TURN) or numbered(name, TURNING)


def last_turn(out: Path) -> Path | None:
    """The folder of the last turn of an output folder, None where there is none."""
    turns = [path for path in out.glob(f"{TURN}*") if numbered(path.name, TURN)]
    return max(turns, key=lambda path: numbered(path.name, TURN), default=None)


def seen_turn(out: Path, fence: int) -> Path | None:
    """The folder of the last turn that CURRENT.json with this fence has seen, None without one.

    Its name may still say that it is on its way.
    """
    unfinished = out / f"{TURNING}{fence:06d}"
    return unfinished if fence and unfinished.is_dir() else last_turn(out)


def turned_to(turn: Path) -> Mapping[str, Any] | None:
    """What CURRENT.json became by a turn; None where the copy is not as it was written."""
    try:
        manifest = json.loads((turn / MANIFEST).read_bytes())
        copy = (turn / COPY).read_bytes()
        if hashlib.sha256(copy).hexdigest() != _digest_in(manifest):
            return None
        content: Mapping[str, Any] = json.loads(copy)
    except UNREADABLE:
        return None
    return content


def is_turned_to(turn: Path, current: Mapping[str, Any]) -> bool:
    """Whether CURRENT.json is what a turn left; where the copy is damaged, by its SHA-256."""
    copy = turned_to(turn)
    if copy is not None:
        return copy == current
    try:
        manifest = json.loads((turn / MANIFEST).read_bytes())
        return bool(hashlib.sha256(json_bytes(current)).hexdigest() == _digest_in(manifest))
    except UNREADABLE:
        return False


def _digest_in(manifest: Mapping[str, Any]) -> str:
    return str(manifest["outputs"][0]["sha256"])


def announce(out: Path, turn: Path, is_undoable: bool) -> None:
    """Put a staged turn in place: what the publication means to do; raises OSError.

    is_undoable: whether restatements follow, which the next run takes away if this one is
    stopped: then it must outlast a power cut before they are there.
    """
    os.rename(turn, out / turn.name.replace(TURN, TURNING, 1))
    if is_undoable:
        sync(out)


def finish(out: Path, fence: int) -> None:
    """Name the turn that CURRENT.json has seen; raises OSError."""
    name = turn_name(fence)
    os.rename(out / name.replace(TURN, TURNING, 1), out / name)


def settle(out: Path, current: Mapping[str, Any]) -> None:
    """Finish the last turn, or take away what a stopped publication has announced and placed.

    The caller holds the lock. Raises CannotPublish, and takes nothing away, where CURRENT.json is
    not what the last turn left.
    """
    fence = current["fence"]
    last = seen_turn(out, fence)
    if last is not None and not is_turned_to(last, current):
        raise CannotPublish(_not_as_turned(out, last, fence))
    if last is not None and numbered(last.name, TURNING):
        finish(out, fence)
    for announced in out.glob(f"{TURNING}*"):
        number = numbered(announced.name, TURNING)
        if number > fence and number == next_fence(out, fence, but=number):
            for path in out.glob(f"{RESTATEMENT}*"):
                if numbered(path.name, RESTATEMENT) == number:
                    shutil.rmtree(path)
            shutil.rmtree(announced)


def _not_as_turned(out: Path, last: Path, fence: int) -> str:
    """The refusal of a CURRENT.json that the last turn did not leave, and what puts it right."""
    what = (
        f"{quote(str(out / COPY))} is not what the last publication left in {quote(last.name)}: it "
        "was changed or set back. "
    )
    if turned_to(last) is None:
        return f"{what}Its copy there is damaged, too. Restore the folder from a backup."
    if fence > fence_of(last.name):
        return (
            f"{what}Its fence {fence} is a later one: a turn is missing, or a version of medcost "
            "from before turns has published here. Restore the folder from a backup; or copy "
            f"{quote(f'{last.name}/{COPY}')} over it and run what came after it again."
        )
    return (
        f"{what}medcost verify says where they differ. Copy {quote(f'{last.name}/{COPY}')} over "
        "it, or restore the folder from a backup."
    )
