"""Publishing: run folders appear whole, and CURRENT.json turns to them all at once.

Everything is written and synced in a staging folder beside the output folder, on the same file
system; run folders are then renamed into place and CURRENT.json is replaced last. A reader that
follows CURRENT.json sees the old runs or the new ones, whole.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from medcost.allocation_model import LoadedModel
from medcost.errors import CannotPublish, quote
from medcost.manifest import (
    FileRecord,
    RunOptions,
    build_manifest,
    file_sha256,
    run_id,
    totals_of,
)
from medcost.published_balance import require_published_balance

CURRENT = "CURRENT.json"
LOCK = ".medcost-lock"


@dataclass(frozen=True)
class RunToPublish:
    """One period's result tables with what the manifest says of them."""

    options: RunOptions
    tables: dict[str, pa.Table]
    notes: tuple[str, ...]
    seconds: dict[str, float]


@dataclass(frozen=True)
class PublishedRun:
    """Where a period's result is, and whether it was there before."""

    period: str
    folder: Path
    is_new: bool


@contextmanager
def output_folder(out: Path) -> Iterator[Path]:
    """Hold the output folder's lock; yields a staging folder beside it, removed at the end.

    Raises CannotPublish where the folder cannot be made, is locked or is not ours to write.
    """
    with _named_errors(out):
        out = out.resolve()
        out.mkdir(parents=True, exist_ok=True)
        _require_current_readable(out)
        lock = FileLock(out / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise CannotPublish(
                f"{quote(str(out))} is locked: another medcost run is publishing to it. "
                "Wait for it to end, then run again."
            ) from None
    beside = _staging_place(out)
    try:
        # Whoever held the lock before is gone; what it staged was never published.
        _remove_staged(beside, out)
        with _named_errors(out):
            staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.staging-", dir=beside))
        yield staging
    finally:
        # By name, not by variable: a signal may come before the variable has its value.
        _remove_staged(beside, out)
        lock.release()


def _remove_staged(beside: Path, out: Path) -> None:
    """Remove every staging folder of the output folder; the caller holds its lock."""
    for left in beside.glob(f"{glob_escape(f'.{out.name}.staging-')}*"):
        shutil.rmtree(left, ignore_errors=True)


def _staging_place(out: Path) -> Path:
    """The folder beside out, or, where out is a mount point or its parent is not ours, out."""
    parent = out.parent
    same_file_system = parent.stat().st_dev == out.stat().st_dev
    return parent if same_file_system and os.access(parent, os.W_OK) else out


def glob_escape(text: str) -> str:
    """Text as a literal of a glob pattern."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in text)


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    """Turn an operating system error into CannotPublish that says which file and why."""
    try:
        yield
    except OSError as error:
        named = error.filename if error.filename is not None else path
        reason = error.strerror or str(error)
        raise CannotPublish(f"Cannot write {quote(str(named))}: {reason}.") from error


def read_current(out: Path) -> dict[str, Any]:
    """CURRENT.json of an output folder; fence 0 and no runs where there is none."""
    path = out / CURRENT
    if not path.exists():
        return {"fence": 0, "runs": {}}
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def read_run_manifest(run: Path) -> dict[str, Any] | None:
    """manifest.json of a run folder, None where it cannot be read."""
    try:
        content: dict[str, Any] = json.loads((run / "manifest.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return content


def _require_current_readable(out: Path) -> None:
    try:
        current = read_current(out)
        runs = current["runs"]
        if not isinstance(current["fence"], int) or not isinstance(runs, dict):
            raise ValueError
        if not all(isinstance(units, dict) for units in runs.values()):
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise CannotPublish(
            f"{quote(str(out / CURRENT))} is not a file that medcost wrote. "
            "Restore it or choose another folder."
        ) from None


def publish(
    out: Path,
    staging: Path,
    loaded: LoadedModel,
    runs: Sequence[RunToPublish],
    inputs: Sequence[FileRecord],
) -> list[PublishedRun]:
    """Write the runs to staging, move them into out and turn CURRENT.json to them.

    A run equal to one that is already there publishes nothing new. Raises CannotPublish; what
    was published before stays whole.
    """
    out = out.resolve()
    with _named_errors(out):
        staged = [_stage_run(staging, loaded, run, inputs) for run in runs]
        current = read_current(out)
        placed = [
            _place(out, staging, run, folder) for run, folder in zip(runs, staged, strict=True)
        ]
        turned = _turned(current, runs, placed)
        if turned["runs"] != current["runs"]:
            _write_json(staging / CURRENT, turned)
            _sync_folder(out)
            os.replace(staging / CURRENT, out / CURRENT)
            _sync_folder(out)
    return placed


def _stage_run(
    staging: Path, loaded: LoadedModel, run: RunToPublish, inputs: Sequence[FileRecord]
) -> Path:
    """Check, write and sync one run's tables and manifest; the run's id names the folder."""
    require_published_balance(run.tables)
    folder = Path(tempfile.mkdtemp(dir=staging))
    outputs = []
    for name, table in sorted(run.tables.items()):
        path = folder / f"{name}.parquet"
        write_table(table, path)
        outputs.append(FileRecord(path.name, table.num_rows, file_sha256(path)))
    identity = run_id(loaded, run.options, outputs)
    totals = totals_of(run.tables["reconciliation"])
    manifest = build_manifest(
        identity, loaded, run.options, inputs, outputs, totals, run.notes, run.seconds
    )
    _write_json(folder / "manifest.json", manifest)
    named = staging / f"run={identity}"
    os.rename(folder, named)
    os.chmod(named, 0o755)  # noqa: S103 - mkdtemp is private; readers need the run
    _sync_folder(named)
    return named


def write_table(table: pa.Table, path: Path) -> None:
    """Write one Parquet file and sync it to disk."""
    with path.open("wb") as file:
        pq.write_table(
            table,
            file,
            compression="zstd",
            store_decimal_as_integer=True,
            write_page_index=True,
        )
        file.flush()
        os.fsync(file.fileno())


def _write_json(path: Path, content: object) -> None:
    with path.open("w", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _place(out: Path, staging: Path, run: RunToPublish, staged: Path) -> PublishedRun:
    """Move a staged run into out, unless the same run is there, whole."""
    target = out / staged.name
    if target.exists():
        if _is_whole(target):
            return PublishedRun(run.options.period, target, is_new=False)
        # A folder of this id that is not whole was damaged after it was published.
        os.rename(target, staging / f"damaged-{staged.name}")
    os.rename(staged, target)
    return PublishedRun(run.options.period, target, is_new=True)


def _is_whole(folder: Path) -> bool:
    """Whether every output that the folder's manifest lists is there with its SHA-256."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        return all(
            file_sha256(folder / output["name"]) == output["sha256"]
            for output in manifest["outputs"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _turned(
    current: dict[str, Any], runs: Sequence[RunToPublish], placed: Sequence[PublishedRun]
) -> dict[str, Any]:
    """CURRENT.json with the periods and units of the runs replaced, all others kept."""
    published = {period: dict(units) for period, units in current["runs"].items()}
    for run, place in zip(runs, placed, strict=True):
        of_period = published.setdefault(run.options.period, {})
        of_period.update(dict.fromkeys(run.options.units, place.folder.name))
    ordered = {
        period: {unit: units[unit] for unit in sorted(units)}
        for period, units in sorted(published.items())
    }
    return {"fence": int(current["fence"]) + 1, "runs": ordered}
