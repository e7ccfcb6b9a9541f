"""Publishing: run folders appear whole, and CURRENT.json turns to them all at once.

Everything is written and synced in a staging folder beside the output folder, on the same file
system; run folders are then renamed into place and CURRENT.json is replaced last. A reader that
follows CURRENT.json sees the old runs or the new ones, whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from medcost.allocation_model import LoadedModel
from medcost.errors import CannotPublish, named_errors, quote
from medcost.file_hashes import file_sha256
from medcost.manifest import (
    FileRecord,
    RunOptions,
    build_manifest,
    find_damaged,
    run_id,
    totals_of,
)
from medcost.published_balance import require_published_balance
from medcost.records import dataclass
from medcost.threads import map_in_threads

CURRENT = "CURRENT.json"
LOCK = ".medcost-lock"
# Tables encoded at once: two are large, the others are done beside them.
WRITERS = 4


@dataclass(frozen=True)
class RunToPublish:
    """One period's result tables with what the manifest says of them.

    encoded: tables by name that are being encoded already.
    """

    options: RunOptions
    tables: dict[str, pa.Table]
    notes: tuple[str, ...]
    seconds: dict[str, float]
    kept: KeptFiles | None = None
    encoded: Mapping[str, Future[EncodedTable]] = field(default_factory=dict)


@dataclass(frozen=True)
class KeptFiles:
    """A staged folder that becomes the run's, and what is in it."""

    folder: Path
    records: tuple[FileRecord, ...]


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
    with named_errors(out):
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
        with named_errors(out):
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


def read_run_tables(
    run: Path, manifest: Mapping[str, Any], wanted: Mapping[str, Sequence[str]]
) -> dict[str, pa.Table]:
    """Some columns of a run's result tables by name, text as dictionaries; raises READ_ERRORS."""
    there = {str(output["name"]).removesuffix(".parquet") for output in manifest["outputs"]}
    tables = {}
    for name, columns in wanted.items():
        if name in there:
            # pq.read_table would import Arrow's datasets and compute functions, 60 ms.
            with pq.ParquetFile(
                run / f"{name}.parquet", read_dictionary=list(columns), pre_buffer=False
            ) as file:
                tables[name] = file.read(list(columns), use_threads=False)
    return tables


def published_runs(folder: Path) -> dict[str, dict[str, Path]]:
    """Run folders by period and unit, of an output folder or, by its manifest, of one run.

    Empty where the folder is neither.
    """
    manifest = read_run_manifest(folder)
    try:
        if manifest is not None:
            return {str(manifest["period"]): dict.fromkeys(manifest["units"], folder)}
        return {
            str(period): {str(unit): folder / name for unit, name in units.items()}
            for period, units in read_current(folder)["runs"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


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
    with named_errors(out):
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
    outputs = _write_tables(run, folder)
    identity = run_id(loaded, run.options, outputs)
    totals = totals_of(run.tables["reconciliation"]) if "reconciliation" in run.tables else {}
    manifest = build_manifest(
        identity, loaded, run.options, inputs, outputs, totals, run.notes, run.seconds
    )
    if run.kept is not None:
        os.rename(run.kept.folder, folder / run.kept.folder.name)
        manifest["kept"] = [vars(record) for record in run.kept.records]
    _write_json(folder / "manifest.json", manifest)
    named = staging / f"run={identity}"
    os.rename(folder, named)
    os.chmod(named, 0o755)  # noqa: S103 - mkdtemp is private; readers need the run
    _sync_folder(named)
    return named


def _write_tables(run: RunToPublish, folder: Path) -> list[FileRecord]:
    """Write every table; records in the order of the names. Arrow encodes outside the GIL."""
    tables = run.tables

    def write(name: str) -> FileRecord:
        path = folder / f"{name}.parquet"
        known = run.encoded.get(name)
        encoded = encode_table(tables[name]) if known is None else known.result()
        _write_synced(path, encoded.content)
        return FileRecord(path.name, tables[name].num_rows, encoded.sha256)

    longest_first = sorted(tables, key=lambda name: -tables[name].num_rows)
    written = map_in_threads(write, longest_first, min(os.cpu_count() or 1, WRITERS))
    return sorted(written, key=lambda record: record.name)


def write_table(table: pa.Table, path: Path) -> str:
    """Write one Parquet file, sync it to disk and return its SHA-256."""
    encoded = encode_table(table)
    _write_synced(path, encoded.content)
    return encoded.sha256


def _write_synced(path: Path, content: pa.Buffer) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


class EncodedTable(NamedTuple):
    """A table as the bytes of its Parquet file, and their SHA-256."""

    content: pa.Buffer
    sha256: str


def encode_table(table: pa.Table) -> EncodedTable:
    """The bytes of a table's Parquet file.

    Labels that repeat are dictionaries, which need no statistics: the dictionary says what the
    column holds. Whole numbers are differences in as few bits as they need, which leaves zstd
    nothing to find. Without the Arrow schema readers see plain text and decimals.
    """
    texts = [f.name for f in table.schema if pa.types.is_dictionary(f.type)]
    plain = [f.name for f in table.schema if pa.types.is_string(f.type) or f.type == pa.float64()]
    numbers = [name for name in table.column_names if name not in {*texts, *plain}]
    encoded = pa.BufferOutputStream()
    pq.write_table(
        table,
        encoded,
        compression={n: "NONE" if n in numbers else "ZSTD" for n in table.column_names},
        use_dictionary=texts,
        column_encoding=dict.fromkeys(numbers, "DELTA_BINARY_PACKED"),
        write_statistics=[*numbers, *plain],
        store_decimal_as_integer=True,
        write_page_index=True,
        store_schema=False,
    )
    content = encoded.getvalue()
    return EncodedTable(content, hashlib.sha256(content).hexdigest())


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
        if _is_whole(target, run):
            return PublishedRun(run.options.period, target, is_new=False)
        # A folder of this id that is not whole was damaged after it was published, or keeps
        # nothing where this run does.
        os.rename(target, staging / f"damaged-{staged.name}")
    os.rename(staged, target)
    return PublishedRun(run.options.period, target, is_new=True)


def _is_whole(folder: Path, run: RunToPublish) -> bool:
    """Whether every output that the folder's manifest lists is there with its SHA-256.

    Of what a run keeps, which may be large, files and their bytes are counted.
    """
    manifest = read_run_manifest(folder)
    try:
        if manifest is None or (run.kept is not None and "kept" not in manifest):
            return False
        return all(
            file_sha256(folder / output["name"]) == output["sha256"]
            for output in manifest["outputs"]
        ) and (run.kept is None or not find_damaged(folder, manifest))
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
