"""The published runs that a report is made of, each file held against its run's manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from medcost.book import is_period
from medcost.errors import Fault, InputRejected, quote
from medcost.parquet_input import READ_ERRORS
from medcost.run_folders import read_run_manifest


@dataclass(frozen=True)
class Run:
    """A published run and the units for which its period's figures are taken from it."""

    period: str
    folder: Path
    units: tuple[str, ...]
    manifest: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """The kind of a result of the consortium, '' of costs."""
        return str(self.manifest.get("kind", ""))

    @property
    def has_table(self) -> frozenset[str]:
        """Names of its result tables."""
        outputs = self.manifest["outputs"]
        return frozenset(str(output["name"]).removesuffix(".parquet") for output in outputs)


def runs_of(
    published: Mapping[str, Mapping[str, Path]],
    periods: tuple[str, str] | None,
    units: Sequence[str],
) -> Iterator[Run]:
    """The runs asked for, by month and then by folder; units may be kinds of results."""
    for period, places in sorted(published.items()):
        if periods is not None and not periods[0] <= period <= periods[1]:
            continue
        by_folder: dict[Path, list[str]] = {}
        for unit, place in sorted(places.items(), key=lambda pair: pair[0].encode()):
            if not units or unit in units:
                by_folder.setdefault(place, []).append(unit)
        for place, of_run in sorted(by_folder.items()):
            manifest = read_run_manifest(place)
            if manifest is None or not is_period(period) or not _is_manifest(manifest):
                raise _damaged(place, "manifest.json")
            yield Run(period, place, tuple(of_run), manifest)


def _is_manifest(manifest: Any) -> bool:
    """Whether what the report takes from a manifest is there."""
    if not isinstance(manifest, dict):
        return False
    model = manifest.get("model")
    lists = [manifest.get(name, []) for name in ("outputs", "units", "notes", "kept")]
    return (
        isinstance(model, dict)
        and {"id", "title", "authority", "currency"} <= set(model)
        and "outputs" in manifest
        and all(isinstance(one, list) for one in lists)
        and all(
            isinstance(record, dict) and {"name", "sha256"} <= set(record)
            for record in (*lists[0], *lists[3])
        )
    )


def _damaged(run: Path, name: str) -> InputRejected:
    what = f"{quote(run.name)} is not as it was published: {quote(name)} is missing or changed."
    return InputRejected([Fault("run-damaged", what, (quote(str(run / name)),))])


def verified(run: Run, name: str) -> pa.Table:
    """One result table of a run, its bytes those that were published."""
    path = run.folder / f"{name}.parquet"
    wanted = {o["name"]: o["sha256"] for o in run.manifest["outputs"]}[path.name]
    try:
        content = path.read_bytes()
    except OSError:
        raise _damaged(run.folder, path.name) from None
    if hashlib.sha256(content).hexdigest() != wanted:
        raise _damaged(run.folder, path.name)
    try:
        return pq.read_table(pa.BufferReader(content))
    except READ_ERRORS:
        raise _damaged(run.folder, path.name) from None
