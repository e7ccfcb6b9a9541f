"""A result of the consortium as a run folder: manifest, chain and CURRENT.json as for costing."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from medcost.chain import MANIFEST
from medcost.consortium.balances import tie_out
from medcost.consortium.inputs import ConsortiumInputs
from medcost.consortium.policy import LoadedPolicy
from medcost.errors import Fault, InputRejected, count_of, named_errors, quote, quote_path
from medcost.file_hashes import file_sha256
from medcost.kept import record_kept
from medcost.manifest import FileRecord, RunOptions, record_inputs
from medcost.output_folder import BOOK, CONSORTIUM, KEPT, OutputFolder, period_folder, read_current
from medcost.parquet_input import READ_ERRORS
from medcost.publish import KeptFiles, PublishedRun, RunToPublish, Signer, publish
from medcost.records import dataclass
from medcost.run_folders import folders_in, published_runs, read_run_manifest
from medcost.staged_tables import stage_tables

LOG = logging.getLogger("medcost")
POLICY = "policy.toml"


@dataclass(frozen=True)
class ConsortiumResult:
    """One answer for one period: its tables by name without out_, and what is to be said of it.

    kind: share, lend, fund, equip or consolidate; members: the units it speaks of, sorted; notes:
    sentences for people; seconds: by stage; sources: published runs that it was made from.
    """

    kind: str
    period: str
    members: tuple[str, ...]
    tables: dict[str, pa.Table]
    notes: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    sources: tuple[Path, ...] = ()


def published_consortium(folder: Path) -> dict[str, dict[str, Path]]:
    """Run folders by period and kind, of an output folder or, by its manifest, of one run.

    Empty where the folder is neither.
    """
    manifest = read_run_manifest(folder)
    try:
        if manifest is not None:
            return {str(manifest["period"]): {str(manifest["kind"]): folder}}
        return folders_in(folder, read_current(folder).get(CONSORTIUM, {}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


class Published:
    """The published runs that a result may be made from.

    out: where results go, and are looked for first; runs: another output folder with costs and
    results, None for out.
    """

    def __init__(self, out: Path, runs: Path | None = None) -> None:
        self._out, self._runs = out, runs or out

    def costs(self, period: str) -> dict[str, Path]:
        """Run folders with the costs of a month by unit; raises InputRejected (run-not-found)."""
        published = published_runs(self._runs)
        if period not in published:
            what = f"{quote_path(self._runs)} has no published costs of {period}."
            where = tuple(
                f"{month}: {count_of(len(of), 'unit')}" for month, of in published.items()
            )
            raise InputRejected([Fault("run-not-found", what, where or (quote_path(self._runs),))])
        return published[period]

    def results(self, period: str) -> dict[str, Path]:
        """Run folders of a month's results by kind; none where there is none."""
        here, there = published_consortium(self._out), published_consortium(self._runs)
        return {**there.get(period, {}), **here.get(period, {})}


def publish_results(
    held: OutputFolder,
    results: Sequence[ConsortiumResult],
    inputs: ConsortiumInputs,
    policy: LoadedPolicy[Any],
    signer: Signer | None = None,
) -> list[PublishedRun]:
    """Publish results of one kind, one for each period, all or none.

    A result equal to one that is there publishes nothing new. Every run keeps the tables that
    were read and the policy. Raises InvariantBroken, InputRejected or CannotPublish; what was
    published before stays whole.
    """
    begun = time.perf_counter()
    records = _recorded(inputs, [source for one in results for source in one.sources])
    runs = [_staged(held, one, inputs, policy) for one in results]
    placed = publish(held, runs, records, signer=signer)
    for one, place in zip(results, placed, strict=True):
        for stage, seconds in one.seconds.items():
            took = {"event": "stage", "stage": stage, "seconds": round(seconds, 3)}
            LOG.info("%s: %.2f s", stage, seconds, extra={"fields": took | {"kind": one.kind}})
        for note in one.notes:
            said = {"event": "note", "period": one.period, "kind": one.kind}
            LOG.warning("%s: %s", one.period, note, extra={"fields": said})
        fields: dict[str, object] = {
            "event": "published",
            "period": one.period,
            "kind": one.kind,
            "run": place.folder.name,
            "new": place.is_new,
            "rows": sum(len(table) for table in one.tables.values()),
        }
        LOG.info("%s: %s", one.period, place.folder.name, extra={"fields": fields})
    whole = time.perf_counter() - begun + sum(sum(one.seconds.values()) for one in results)
    ended = {"event": "summary", "verdict": "published", "exit_code": 0}
    summary = summary_of(results, placed)
    LOG.info(summary, extra={"fields": {**ended, "seconds": round(whole, 3)}})
    return placed


def summary_of(results: Sequence[ConsortiumResult], placed: Sequence[PublishedRun]) -> str:
    """One line on what was done: 'done: share, 1 month, 5 members, 1 published, ...'."""
    kinds = ", ".join(dict.fromkeys(one.kind for one in results))
    members = {member for one in results for member in one.members}
    n_new = sum(place.is_new for place in placed)
    return (
        f"done: {kinds}, {count_of(len(results), 'month')}, {count_of(len(members), 'member')}, "
        f"{n_new} published, {len(placed) - n_new} already there"
    )


def _staged(
    held: OutputFolder,
    result: ConsortiumResult,
    inputs: ConsortiumInputs,
    policy: LoadedPolicy[Any],
) -> RunToPublish:
    """Write a result's tables, and what it keeps, to the staging folder."""
    folder = period_folder(held.staging, result.period)
    tables = stage_tables(
        folder / result.kind, result.tables, tie_out=partial(tie_out, result.kind)
    )
    kept = folder / KEPT
    with named_errors(folder):
        _keep(inputs, policy, kept)
        records = record_kept(kept)
    return RunToPublish(
        policy,
        RunOptions(result.period, result.members, result.kind),
        tables,
        result.notes,
        {stage: round(seconds, 3) for stage, seconds in result.seconds.items()},
        KeptFiles(kept, records),
        kind=result.kind,
    )


def _keep(inputs: ConsortiumInputs, policy: LoadedPolicy[Any], kept: Path) -> None:
    """Copy the files that were read, and the policy; raises OSError."""
    (kept / BOOK).mkdir(parents=True)
    for files in inputs.files.values():
        for source in files:
            copy = kept / BOOK / source.label
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source.path, copy)
    (kept / POLICY).write_bytes(policy.content)


def _recorded(inputs: ConsortiumInputs, sources: Sequence[Path]) -> list[FileRecord]:
    """The files that were read, and of each published run its manifest, with their SHA-256."""
    try:
        return [*record_inputs(inputs.files), *_manifests(sources)]
    except READ_ERRORS as error:
        what = f"A file went away while it was read: {error}."
        where = (quote(str(inputs.folder)),)
        raise InputRejected([Fault("file-unreadable", what, where)]) from None


def _manifests(sources: Sequence[Path]) -> Iterator[FileRecord]:
    for source in sorted(set(sources)):
        yield FileRecord(f"{source.name}/{MANIFEST}", 0, file_sha256(source / MANIFEST))
