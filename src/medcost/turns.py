"""Turns of CURRENT.json as links of the chain: what it says was said by a publication.

A turn has a folder, `turn=000007` for the fence 7, with a copy of CURRENT.json as it became and a
manifest in the chain. The folder is put in place before anything else of a publication, as
`turning=000007`: what the publication means to do. It gets its name when CURRENT.json has been
replaced. So a publication that was stopped is told from a CURRENT.json that somebody has set back:
only what a `turning` folder announces may be taken away again.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medcost.chain import RESTATEMENT, TURN
from medcost.durable_files import sync_folder
from medcost.errors import CannotPublish, quote

TURNING = "turning="
COPY = "CURRENT.json"


def turn_name(fence: int) -> str:
    """The name of the folder of the turn that a fence came with."""
    return f"{TURN}{fence:06d}"


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


def unfinished_turn(out: Path, current: Mapping[str, Any]) -> Path | None:
    """The folder of the turn that CURRENT.json has seen and whose name says that it has not."""
    path = out / f"{TURNING}{current['fence']:06d}"
    return path if current["fence"] and turned_to(path) == current else None


def turned_to(turn: Path) -> Mapping[str, Any] | None:
    """What CURRENT.json became by a turn; None where that cannot be read."""
    try:
        content: Mapping[str, Any] = json.loads((turn / COPY).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return content


def announce(out: Path, turn: Path, is_undoable: bool) -> None:
    """Put a staged turn in place: what the publication means to do; raises OSError.

    is_undoable: whether restatements follow, which the next run takes away if this one is
    stopped: then it must outlast a power cut before they are there.
    """
    os.rename(turn, out / turn.name.replace(TURN, TURNING, 1))
    if is_undoable:
        sync_folder(out)


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
    if unfinished_turn(out, current) is not None:
        finish(out, fence)
    last = last_turn(out)
    if last is not None and turned_to(last) != current:
        raise CannotPublish(
            f"{quote(str(out / COPY))} is not what the last publication left in "
            f"{quote(last.name)}: it was changed or set back. medcost verify says where they "
            f"differ. Copy {quote(f'{last.name}/{COPY}')} over it, or restore the folder from a "
            "backup."
        )
    for announced in out.glob(f"{TURNING}*"):
        number = numbered(announced.name, TURNING)
        if number == fence + 1:
            for path in out.glob(f"{RESTATEMENT}*"):
                if numbered(path.name, RESTATEMENT) == number:
                    shutil.rmtree(path)
            shutil.rmtree(announced)
