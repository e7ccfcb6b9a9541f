"""What a stopped run has finished, kept in its staging folder for `--resume`.

Each period has a folder `of-<period>` there: `kept` (the small tables, the model and the activity),
`tables` (the result tables) and a checkpoint, which says which of them are finished and has their
bytes and SHA-256. The key of a checkpoint is the SHA-256 over the bytes of all inputs, the model,
the options that results depend on and the versions: nothing is taken from a run of another book.
A stage ends for all chosen units at once; a run of one unit has a checkpoint of its own.

The activity has a key of its own, over the tables that the pass over the lines looks at. So a run
whose ledger, drivers, weights, prices, budget or model were corrected meanwhile, after one of its
units was refused say, takes over the lines of all units and computes the rest anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from medcost import __version__
from medcost.allocation_model import LoadedModel
from medcost.durable_files import json_bytes
from medcost.errors import named_errors
from medcost.file_hashes import file_sha256
from medcost.manifest import FileRecord
from medcost.output_folder import ACTIVITY, BOOK, KEPT, OutputFolder, period_folder
from medcost.records import dataclass

CHECKPOINT, TABLES = "checkpoint.json", "tables"
# The tables that decide what the lines come to and whether they have a fault.
OF_ACTIVITY = (
    "units",
    "departments",
    "service_items",
    "cases",
    "opening_work_in_progress",
    "service_lines",
)
ACTIVITY_READ, COSTED = "activity", "tables"


@dataclass(frozen=True)
class Checkpoint:
    """What is finished of one period.

    key, activity_key: what all, and what the activity depends on; stage: "activity" or "tables",
    the last one finished; units: as chosen, None for all; kept and outputs: the files of the
    folders kept and tables; costed: what else a costed period has.
    """

    key: str
    activity_key: str
    period: str
    units: tuple[str, ...] | None
    stage: str
    seconds: Mapping[str, float]
    kept: tuple[FileRecord, ...] | None = None
    outputs: tuple[FileRecord, ...] = ()
    costed: Mapping[str, Any] = field(default_factory=dict)


class Keys(NamedTuple):
    """What a checkpoint of a period depends on: all of it, and the activity alone."""

    whole: str
    activity: str


def checkpoint_keys(
    inputs: Sequence[FileRecord],
    loaded: LoadedModel,
    period: str,
    through: str,
    units: tuple[str, ...] | None,
    keep: bool,
    months: Sequence[str],
) -> Keys:
    """The SHA-256 over everything that what is kept depends on, and over what the activity does.

    units: None for all; months: those of the ledger, by which lines of other months are told.
    """
    of_activity: dict[str, object] = {
        "inputs": {
            r.name: r.sha256 for r in inputs if r.name.split("/")[0].split(".")[0] in OF_ACTIVITY
        },
        "period": period,
        "units": None if units is None else sorted(set(units)),
        "months": list(months),
        "versions": [__version__, pa.__version__],
    }
    whole = of_activity | {
        "inputs": {record.name: record.sha256 for record in inputs},
        "model": loaded.sha256,
        "through": through,
        "keep": keep,
    }
    return Keys(_digest(whole), _digest(of_activity))


def _digest(identity: Mapping[str, object]) -> str:
    text = json.dumps(identity, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace a period's checkpoint at once; raises OSError.

    It is not synced: what it says is held against the files' bytes before anything is taken.
    """
    staged = folder / f"{CHECKPOINT}.new"
    staged.write_bytes(json_bytes(asdict(checkpoint)))
    os.replace(staged, folder / CHECKPOINT)


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """A period's checkpoint, None where there is none that can be read."""
    try:
        content = json.loads((folder / CHECKPOINT).read_bytes())
        units = content.pop("units")
        kept, outputs = content.pop("kept"), content.pop("outputs")
        return Checkpoint(
            units=None if units is None else tuple(units),
            kept=None if kept is None else tuple(FileRecord(**record) for record in kept),
            outputs=tuple(FileRecord(**record) for record in outputs),
            **content,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def adopt(held: OutputFolder, period: str, keys: Keys) -> Checkpoint | None:
    """Take over what a stopped run has finished of a period, if it is of these keys and undamaged.

    Its files move to this run's staging folder; what is not as the checkpoint says is removed. Of
    a run that only the activity is common with, nothing else is taken, and the checkpoint has
    another key. None where there is nothing to go on from. Raises CannotPublish.
    """
    folders = [period_folder(left, period) for left in held.leftovers]
    found = [(folder, one) for folder in folders if (one := read_checkpoint(folder)) is not None]
    wholes = [
        *((f, _what_is_whole(f, one)) for f, one in found if one.key == keys.whole),
        *((f, _activity_of(f, one)) for f, one in found if one.activity_key == keys.activity),
    ]
    for folder, whole in wholes:
        if whole is not None:
            with named_errors(folder):
                target = period_folder(held.staging, period)
                os.rename(folder, target)
                _keep_only(target, whole)
            return whole
    return None


def _activity_of(folder: Path, found: Checkpoint) -> Checkpoint | None:
    """The activity of a run of other tables or another model; None where there is none whole."""
    activity = tuple(r for r in found.kept or () if r.name.startswith(f"{KEPT}/{ACTIVITY}/"))
    if not activity or not _is_there(folder, activity):
        return None
    seconds = {ACTIVITY_READ: found.seconds.get(ACTIVITY_READ, 0.0)}
    return replace(
        found, stage=ACTIVITY_READ, seconds=seconds, kept=activity, outputs=(), costed={}
    )


def _what_is_whole(folder: Path, found: Checkpoint) -> Checkpoint | None:
    """The checkpoint, at the stage before where tables are damaged; None where nothing is left."""
    if found.kept is not None and not _is_there(folder, found.kept):
        return None
    if found.stage == COSTED and _is_there(folder / TABLES, found.outputs):
        return found
    if found.kept is None:
        return None
    return replace(found, stage=ACTIVITY_READ, outputs=(), costed={})


def _is_there(folder: Path, records: Sequence[FileRecord]) -> bool:
    try:
        return all(file_sha256(folder / record.name) == record.sha256 for record in records)
    except OSError:
        return False


def _keep_only(folder: Path, found: Checkpoint) -> None:
    """Remove from a period's folder what its checkpoint does not name, such as a manifest."""
    named = {folder / record.name for record in found.kept or ()}
    if found.stage == COSTED:
        named |= {folder / TABLES / record.name for record in found.outputs}
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file() and path not in named:
            path.unlink()
    if found.stage != COSTED:
        shutil.rmtree(folder / TABLES, ignore_errors=True)
    if found.kept is None:
        shutil.rmtree(folder / KEPT, ignore_errors=True)
    elif not any(record.name.startswith(f"{KEPT}/{BOOK}/") for record in found.kept):
        shutil.rmtree(folder / KEPT / BOOK, ignore_errors=True)


def remove_outdated(
    held: OutputFolder, periods: Sequence[str], units: tuple[str, ...] | None
) -> None:
    """Remove what stopped runs have left of these periods and units, and what leads nowhere.

    What was left of other periods or other units stays: a run of those may still go on from it.
    """
    for left in held.leftovers:
        folders = [path for path in _folders(left) if path.is_dir()]
        for folder in folders:
            found = read_checkpoint(folder)
            if found is None or (found.period in periods and _overlap(found.units, units)):
                shutil.rmtree(folder, ignore_errors=True)
        if not any(read_checkpoint(folder) for folder in _folders(left)):
            shutil.rmtree(left, ignore_errors=True)


def keep_finished(held: OutputFolder, units: tuple[str, ...] | None) -> None:
    """Of a run that was refused keep the periods with a checkpoint, in the place of older ones."""
    finished = []
    for folder in list(_folders(held.staging)):
        found = read_checkpoint(folder)
        if found is None:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            finished.append(found.period)
    remove_outdated(held, finished, units)
    if not finished:
        shutil.rmtree(held.staging, ignore_errors=True)


def _folders(left: Path) -> Iterator[Path]:
    return iter(sorted(left.glob("of-*")))


def _overlap(a: tuple[str, ...] | None, b: tuple[str, ...] | None) -> bool:
    return a is None or b is None or bool(set(a) & set(b))
