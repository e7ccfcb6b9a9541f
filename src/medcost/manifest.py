"""The manifest of a run: what went in, what came out, by what model and version."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from medcost import __version__
from medcost.allocation_model import LoadedModel
from medcost.file_hashes import file_sha256
from medcost.parquet_input import SourceFile
from medcost.records import dataclass

ID_DIGITS = 12


@dataclass(frozen=True)
class FileRecord:
    """A file by its name within the book or run, with rows and SHA-256."""

    name: str
    rows: int
    sha256: str


@dataclass(frozen=True)
class RunOptions:
    """The options that results depend on; they are part of the run's id."""

    period: str
    units: tuple[str, ...]
    through: str
    recost_of: str | None = None


def find_damaged(run: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Kept files of the manifest that are not there with their bytes.

    Time O(files); contents are not read.
    """
    return [
        str(record["name"])
        for record in manifest.get("kept", ())
        if not (run / record["name"]).is_file()
        or (run / record["name"]).stat().st_size != record["rows"]
    ]


def record_inputs(
    files: Mapping[str, Sequence[SourceFile]], sha256: Callable[[Path], str] = file_sha256
) -> tuple[FileRecord, ...]:
    """Every file of the book that was read, with rows and SHA-256, sorted by name."""
    return tuple(
        FileRecord(source.label, pq.read_metadata(source.path).num_rows, sha256(source.path))
        for found in files.values()
        for source in sorted(found, key=lambda source: source.label)
    )


def run_id(loaded: LoadedModel, options: RunOptions, outputs: Sequence[FileRecord]) -> str:
    """The period, a dash and 12 hex digits over model, options and result tables."""
    identity: dict[str, object] = {
        "model": loaded.sha256,
        "options": {
            "period": options.period,
            "units": list(options.units),
            "through": options.through,
        },
        "outputs": {output.name: output.sha256 for output in outputs},
    }
    if options.recost_of is not None:
        identity["recost_of"] = options.recost_of
    text = json.dumps(identity, sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
    return f"{options.period}-{digest[:ID_DIGITS]}"


def totals_of(reconciliation: pa.Table) -> dict[str, str]:
    """Yuan of each reason over all units and elements, as text so that no fen is lost."""
    sums: dict[str, Decimal] = {}
    reasons, amounts = reconciliation["reason"], reconciliation["amount"]
    for reason, amount in zip(reasons.to_pylist(), amounts.to_pylist(), strict=True):
        sums[reason] = sums.get(reason, Decimal(0)) + amount
    return {reason: str(sums[reason]) for reason in sorted(sums)}


def build_manifest(
    identity: str,
    loaded: LoadedModel,
    options: RunOptions,
    inputs: Sequence[FileRecord],
    outputs: Sequence[FileRecord],
    totals: Mapping[str, str],
    notes: Sequence[str],
    seconds: Mapping[str, float],
) -> dict[str, object]:
    """The manifest as it is written to manifest.json."""
    header = loaded.model.model
    return {
        "run": identity,
        "period": options.period,
        "units": list(options.units),
        "through": options.through,
        "recost_of": options.recost_of,
        "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
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
