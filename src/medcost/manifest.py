"""The manifest of a run: what went in, what came out, by what model and version."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from medcost import __version__
from medcost.file_hashes import file_sha256, files_sha256
from medcost.parquet_input import SourceFile
from medcost.policy_file import Header
from medcost.records import dataclass
from medcost.threads import map_in_threads

ID_DIGITS = 12


@dataclass(frozen=True)
class FileRecord:
    """A file by its name within the book or run, with rows and SHA-256."""

    name: str
    rows: int
    sha256: str


class Rules(Protocol):
    """The policy that results follow: its file, and what it says of itself."""

    @property
    def file(self) -> str:
        """The file's name."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the file's bytes."""

    @property
    def header(self) -> Header:
        """What it is and on whose authority."""


@dataclass(frozen=True)
class RunOptions:
    """The options that results depend on; they are part of the run's id."""

    period: str
    units: tuple[str, ...]
    through: str
    recost_of: str | None = None


def utc_now() -> str:
    """The time as manifests hold it: ISO 8601 to the second, in UTC."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def find_damaged(run: Path, records: Sequence[Mapping[str, Any]], threads: int = 1) -> list[str]:
    """Files of a run folder whose bytes are not those that the manifest's records say.

    A file that is gone or cannot be read is one of them. Time O(bytes), half a second a gigabyte.
    """
    # The largest first, so that two of a size are hashed side by side.
    ordered = sorted(records, key=lambda record: -_size_of(run / record["name"]))
    shares = [ordered[first::threads] for first in range(threads)]

    def damaged_of(share: Sequence[Mapping[str, Any]]) -> list[str]:
        found = files_sha256([run / record["name"] for record in share])
        return [str(r["name"]) for r, sha in zip(share, found, strict=True) if sha != r["sha256"]]

    damaged = {name for names in map_in_threads(damaged_of, shares, threads) for name in names}
    return [str(record["name"]) for record in records if record["name"] in damaged]


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def record_inputs(
    files: Mapping[str, Sequence[SourceFile]], sha256: Callable[[Path], str] = file_sha256
) -> tuple[FileRecord, ...]:
    """Every file of the book that was read, with rows and SHA-256, sorted by name."""
    return tuple(
        FileRecord(source.label, pq.read_metadata(source.path).num_rows, sha256(source.path))
        for found in files.values()
        for source in sorted(found, key=lambda source: source.label)
    )


def run_id(loaded: Rules, options: RunOptions, outputs: Sequence[FileRecord]) -> str:
    """The period, a dash and 12 hex digits over model, options and result tables."""
    return _identity(
        loaded.sha256,
        options.period,
        options.units,
        options.through,
        options.recost_of,
        {output.name: output.sha256 for output in outputs},
    )


def run_id_of(manifest: Mapping[str, Any]) -> str:
    """The id that a manifest's run must have; raises KeyError or TypeError."""
    return _identity(
        manifest["model"]["sha256"],
        manifest["period"],
        manifest["units"],
        manifest["through"],
        manifest["recost_of"],
        {output["name"]: output["sha256"] for output in manifest["outputs"]},
    )


def _identity(
    model: str,
    period: str,
    units: Sequence[str],
    through: str,
    recost_of: str | None,
    outputs: Mapping[str, str],
) -> str:
    identity: dict[str, object] = {
        "model": model,
        "options": {"period": period, "units": list(units), "through": through},
        "outputs": dict(outputs),
    }
    if recost_of is not None:
        identity["recost_of"] = recost_of
    text = json.dumps(identity, sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
    return f"{period}-{digest[:ID_DIGITS]}"


def totals_of(reconciliation: pa.Table) -> dict[str, str]:
    """Yuan of each reason over all units and elements, as text so that no fen is lost."""
    sums: dict[str, Decimal] = {}
    reasons, amounts = reconciliation["reason"], reconciliation["amount"]
    for reason, amount in zip(reasons.to_pylist(), amounts.to_pylist(), strict=True):
        sums[reason] = sums.get(reason, Decimal(0)) + amount
    return {reason: str(sums[reason]) for reason in sorted(sums)}


def build_manifest(
    identity: str,
    loaded: Rules,
    options: RunOptions,
    inputs: Sequence[FileRecord],
    outputs: Sequence[FileRecord],
    totals: Mapping[str, str],
    notes: Sequence[str],
    seconds: Mapping[str, float],
) -> dict[str, object]:
    """The manifest as it is written to manifest.json."""
    header = loaded.header
    return {
        "run": identity,
        "period": options.period,
        "units": list(options.units),
        "through": options.through,
        "recost_of": options.recost_of,
        "created": utc_now(),
        "model": {
            "id": header.id,
            "title": header.title,
            "authority": header.authority,
            "effective_from": header.effective_from.isoformat(),
            "currency": header.currency,
            "file": loaded.file,
            "sha256": loaded.sha256,
        },
        "inputs": [vars(record) for record in inputs],
        "outputs": [vars(record) for record in outputs],
        "totals": dict(totals),
        "notes": list(notes),
        "seconds": dict(seconds),
        "versions": {
            "medcost": __version__,
            "pyarrow": pa.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
