"""Publishing: run folders appear whole, and CURRENT.json turns to them all at once.

Everything is written and synced in a staging folder outside the output folder, on the same file
system; run folders are then renamed into place and CURRENT.json is replaced last. A reader that
follows CURRENT.json sees the old runs or the new ones, whole.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from medcost.chain import (
    MANIFEST,
    RESTATEMENT,
    RUN,
    Link,
    chain_after,
    chain_in_place_of,
    is_linked,
    last_link,
    link_of,
)
from medcost.durable_files import folders_of, json_bytes, swap, sync, syncing
from medcost.errors import named_errors
from medcost.manifest import (
    FileRecord,
    Rules,
    RunOptions,
    build_manifest,
    find_damaged,
    run_id,
    utc_now,
)
from medcost.output_folder import CONSORTIUM, RUNS, OutputFolder, require_fence, turn_current
from medcost.records import dataclass
from medcost.run_folders import read_run_manifest
from medcost.run_results import RUN_RESULTS, build_run_results
from medcost.staged_tables import WRITERS, StagedTables, described, write_table
from medcost.turns import COPY, announce, next_fence, turn_name

SIGNATURE = "manifest.sig"
# Signs the bytes of a manifest.
Signer = Callable[[bytes], bytes]


@dataclass(frozen=True)
class KeptFiles:
    """A staged folder that becomes the run's, and what is in it."""

    folder: Path
    records: tuple[FileRecord, ...]


@dataclass(frozen=True)
class RunToPublish:
    """One period's staged tables with what the manifest says of them.

    is_complete: whether the run went through the model's last stage; resumed: stages that were
    taken from a stopped run; budget_control: what is said of the policy of its variances; kind: of
    a result of the consortium, empty for costs.
    """

    loaded: Rules
    options: RunOptions
    tables: StagedTables
    notes: tuple[str, ...]
    seconds: Mapping[str, float]
    kept: KeptFiles | None = None
    n_lines: int = 0
    is_complete: bool = False
    resumed: tuple[str, ...] = ()
    budget_control: Mapping[str, object] | None = None
    kind: str = ""


@dataclass(frozen=True)
class Restatement:
    """Published figures of a closed period that a run changes, and why.

    units: the run that was published, by unit; difference: out_difference; stale: later months
    whose variances compare with the figures that were published before.
    """

    period: str
    units: Mapping[str, str]
    new: str
    reason: str
    difference: pa.Table
    stale: tuple[str, ...] = ()


@dataclass(frozen=True)
class PublishedRun:
    """Where a period's result is, and whether it was there before."""

    period: str
    folder: Path
    is_new: bool


def run_name(run: RunToPublish) -> str:
    """The name of the run's folder."""
    return f"{RUN}{run_id(run.loaded, run.options, run.tables.outputs)}"


def publish(
    held: OutputFolder,
    runs: Sequence[RunToPublish],
    inputs: Sequence[FileRecord],
    restatements: Sequence[Restatement] = (),
    signer: Signer | None = None,
) -> list[PublishedRun]:
    """Give the staged runs their manifests, move them into place and turn CURRENT.json to them.

    A run equal to one that is already there publishes nothing new. Raises CannotPublish; what
    was published before stays whole.
    """
    out = held.path
    with named_errors(out):
        current = require_fence(held)
        named = [(run_name(run), run) for run in runs]
        to_place = [(name, run) for name, run in named if not _is_whole(out / name, run)]
        changed = _turned(current, named)
        last = last_link(out)
        for name, run in to_place:
            is_again = (out / name).exists()
            chain = chain_in_place_of(out / name, out) if is_again else chain_after(last)
            compared = _compared(name, run, changed.get(RUNS, current[RUNS]))
            link = _complete_run(name, run, inputs, {"chain": chain, **compared}, signer)
            _assemble(held, name, run)
            last = last if is_again else link
        recorded, fence = [], next_fence(out, held.fence)
        for restatement in restatements:
            folder = held.staging / _restatement_name(restatement, fence)
            last = _write_restatement(folder, restatement, chain_after(last), signer)
            recorded.append(folder)
        turned = json_bytes({**current, **changed, "fence": fence})
        staged = [*(held.staging / name for name, _ in to_place), *recorded]
        turn = held.staging / turn_name(fence)
        if changed:
            _write_turn(turn, fence, turned, chain_after(last), signer)
            (held.staging / COPY).write_bytes(turned)
            staged.append(turn)
        _sync_staged(held, staged)
        if changed:
            announce(out, turn, bool(recorded))
        for name, _ in to_place:
            _place(held, name)
        for folder in recorded:
            os.rename(folder, out / folder.name)
        if changed:
            turn_current(held, fence)
        elif to_place:
            sync(out)
    new = {name for name, _ in to_place}
    return [PublishedRun(run.options.period, out / name, name in new) for name, run in named]


def _complete_run(
    name: str,
    run: RunToPublish,
    inputs: Sequence[FileRecord],
    place: Mapping[str, object],
    signer: Signer | None,
) -> Link:
    """Write manifest, run results and signature beside the staged tables, not yet synced.

    place: what the manifest says of the chain, first, and of other publications.
    """
    folder = run.tables.folder
    results = json_bytes(
        build_run_results(
            name.removeprefix(RUN), run.options, run.tables.outputs, inputs, run.n_lines,
            run.seconds, run.resumed, run.notes,
        )
    )  # fmt: skip
    (folder / RUN_RESULTS).write_bytes(results)
    manifest = build_manifest(
        name.removeprefix(RUN), run.loaded, run.options, inputs, run.tables.outputs,
        run.tables.totals, run.notes, run.seconds,
    )  # fmt: skip
    if run.budget_control is not None:
        manifest["budget_control"] = dict(run.budget_control)
    manifest["complete"] = run.is_complete
    if run.kind:
        manifest["kind"] = run.kind
    manifest["results"] = vars(
        FileRecord(RUN_RESULTS, len(results), hashlib.sha256(results).hexdigest())
    )
    if run.kept is not None:
        manifest["kept"] = [vars(record) for record in run.kept.records]
    return _write_manifest(folder, name, {**place, **manifest}, signer)


def _compared(
    name: str, run: RunToPublish, published: Mapping[str, Mapping[str, str]]
) -> dict[str, object]:
    """The published runs that a month's variance looks at, as the manifest says it."""
    tables = {record.name for record in run.tables.outputs}
    if not {"budget_variance.parquet", "reconciliation.parquet"} <= tables or run.kind:
        return {}
    from medcost.comparisons import compared_with

    return {"compared": compared_with(run.options.period, run.options.units, name, published)}


def _write_manifest(
    folder: Path, name: str, manifest: dict[str, Any], signer: Signer | None
) -> Link:
    """Write a manifest and its signature, not yet synced; its link of the chain."""
    content = json_bytes(manifest)
    (folder / MANIFEST).write_bytes(content)
    if signer is not None:
        (folder / SIGNATURE).write_bytes(signer(content))
    return link_of(name, content, manifest)


def _restatement_name(restatement: Restatement, fence: int) -> str:
    return f"{RESTATEMENT}{restatement.period}-{fence:06d}"


def _write_restatement(
    folder: Path, restatement: Restatement, chain: Mapping[str, object], signer: Signer | None
) -> Link:
    """Stage the record of a restatement: the difference, and who was replaced by what and why."""
    folder.mkdir()
    path = folder / "difference.parquet"
    difference = described("difference", restatement.difference)
    rows, digest = difference.num_rows, write_table(difference, path)
    manifest = {
        "chain": chain,
        "restatement": folder.name.removeprefix(RESTATEMENT),
        "period": restatement.period,
        "reason": restatement.reason,
        "old": dict(restatement.units),
        "new": restatement.new,
        "stale": list(restatement.stale),
        "created": utc_now(),
        "outputs": [vars(FileRecord(path.name, rows, digest))],
    }
    return _write_manifest(folder, folder.name, manifest, signer)


def _write_turn(
    folder: Path, fence: int, turned: bytes, chain: Mapping[str, object], signer: Signer | None
) -> Link:
    """Stage the record of a turn: what CURRENT.json becomes."""
    folder.mkdir()
    (folder / COPY).write_bytes(turned)
    record = FileRecord(COPY, len(turned), hashlib.sha256(turned).hexdigest())
    manifest = {"chain": chain, "turn": fence, "created": utc_now(), "outputs": [vars(record)]}
    return _write_manifest(folder, folder.name, manifest, signer)


def _assemble(held: OutputFolder, name: str, run: RunToPublish) -> None:
    """Make the staged folder of a run whole."""
    folder = held.staging / name
    os.rename(run.tables.folder, folder)
    if run.kept is not None:
        os.rename(run.kept.folder, folder / run.kept.folder.name)


def _sync_staged(held: OutputFolder, folders: Sequence[Path]) -> None:
    """Sync the small files of staged folders and of staging, and the names in the folders.

    Tables, differences and what is kept were synced when they were written.
    """
    small = [
        folder / name
        for folder in (held.staging, *folders)
        for name in (RUN_RESULTS, MANIFEST, SIGNATURE, COPY)
    ]
    files = [path for path in small if path.exists()]
    with syncing([*files, *(path for folder in folders for path in folders_of(folder))]):
        pass


def _place(held: OutputFolder, name: str) -> None:
    """Move a run's staged folder, which is whole and synced, to its place in the output folder."""
    folder, target = held.staging / name, held.path / name
    if target.exists():
        # A folder of this id that is not whole was damaged after it was published, or keeps
        # nothing where this run does.
        swap(folder, target)
    else:
        os.rename(folder, target)


def _is_whole(folder: Path, run: RunToPublish) -> bool:
    """Whether the folder's manifest and every file that it lists are there as they were written."""
    manifest = read_run_manifest(folder)
    try:
        if manifest is None or (run.kept is not None and "kept" not in manifest):
            return False
        listed = [*manifest["outputs"], manifest["results"]]
        if run.kept is not None:
            listed += manifest["kept"]
        return not find_damaged(folder, listed, WRITERS) and is_linked(folder)
    except (KeyError, TypeError):
        return False


def _turned(
    current: Mapping[str, Any], named: Sequence[tuple[str, RunToPublish]]
) -> dict[str, dict[str, dict[str, str]]]:
    """What of CURRENT.json changes: the periods and units, or kinds, of these runs are theirs."""
    turned = {}
    for part in (RUNS, CONSORTIUM):
        published = {period: dict(names) for period, names in current.get(part, {}).items()}
        for name, run in named:
            if (part == CONSORTIUM) == bool(run.kind):
                of_period = published.setdefault(run.options.period, {})
                of_period.update(dict.fromkeys([run.kind] if run.kind else run.options.units, name))
        ordered = {
            period: dict(sorted(names.items())) for period, names in sorted(published.items())
        }
        if ordered != current.get(part, {}):
            turned[part] = ordered
    return turned
