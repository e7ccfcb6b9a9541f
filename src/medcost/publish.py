"""Publishing: run folders appear whole, and CURRENT.json turns to them all at once.

Everything is written and synced in a staging folder outside the output folder, on the same file
system; run folders are then renamed into place and CURRENT.json is replaced last. A reader that
follows CURRENT.json sees the old runs or the new ones, whole.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

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
from medcost.durable_files import folders_of, json_bytes, swap, sync, syncing, write_durably
from medcost.errors import named_errors
from medcost.manifest import (
    FileRecord,
    Rules,
    RunOptions,
    build_manifest,
    find_damaged,
    run_id,
    totals_of,
    utc_now,
)
from medcost.output_folder import (
    CONSORTIUM,
    RUNS,
    OutputFolder,
    read_current,
    require_fence,
    turn_current,
)
from medcost.published_balance import require_published_balance
from medcost.records import dataclass
from medcost.run_results import RUN_RESULTS, build_run_results
from medcost.tables import file_metadata, load_table, table_names
from medcost.threads import begin, map_in_threads
from medcost.turns import COPY, announce, next_fence, turn_name

SIGNATURE = "manifest.sig"
# Tables encoded at once: two are large, the others are done beside them.
WRITERS = 4
# Tables on their way beside the stages: each waits for the disk, and for those who compute.
BESIDE = 8
# Signs the bytes of a manifest.
Signer = Callable[[bytes], bytes]
# Raises InvariantBroken where tables do not tie out; else what they add up to, as text.
TieOut = Callable[[Mapping[str, pa.Table]], dict[str, str]]


@dataclass(frozen=True)
class KeptFiles:
    """A staged folder that becomes the run's, and what is in it."""

    folder: Path
    records: tuple[FileRecord, ...]


@dataclass(frozen=True)
class StagedTables:
    """A period's result tables as files in a folder of their own, and what they add up to."""

    folder: Path
    outputs: tuple[FileRecord, ...]
    totals: Mapping[str, str]


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

    Empty where the folder is neither; a result of the consortium is no run of costing.
    """
    manifest = read_run_manifest(folder)
    try:
        if manifest is not None:
            units = () if "kind" in manifest else manifest["units"]
            return {str(manifest["period"]): dict.fromkeys(units, folder)} if units else {}
        return folders_in(folder, read_current(folder)[RUNS])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def folders_in(out: Path, published: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, Path]]:
    """The folders that a part of an output folder's CURRENT.json names."""
    return {
        str(period): {str(of): out / name for of, name in names.items()}
        for period, names in published.items()
    }


def tie_out_costs(tables: Mapping[str, pa.Table]) -> dict[str, str]:
    """Require that a period's costs tie out; the totals of their reconciliation, if it has one."""
    require_published_balance(tables)
    return totals_of(tables["reconciliation"]) if "reconciliation" in tables else {}


def stage_tables(
    folder: Path,
    tables: Mapping[str, pa.Table],
    written: Mapping[str, Future[FileRecord]] | None = None,
    tie_out: TieOut = tie_out_costs,
) -> StagedTables:
    """Check that a period's tables tie out, and write and sync them to a folder of their own.

    written: tables by name that are being written there already. Raises InvariantBroken, or
    CannotPublish.
    """
    totals = tie_out(tables)
    _make_folder(folder)
    with named_errors(folder):
        outputs = _write_tables(tables, folder, written or {})
    return StagedTables(folder, tuple(outputs), totals)


def add_tables(staged: StagedTables, tables: Mapping[str, pa.Table]) -> StagedTables:
    """Check further tables of a period, and write and sync them beside those that are staged.

    Raises InvariantBroken, or CannotPublish.
    """
    require_published_balance(tables)
    with named_errors(staged.folder):
        added = _write_tables(tables, staged.folder, {})
    outputs = sorted([*staged.outputs, *added], key=lambda record: record.name)
    return StagedTables(staged.folder, tuple(outputs), staged.totals)


def read_tables(folder: Path, files: Iterable[str]) -> dict[str, pa.Table]:
    """Result tables by name as the stages make them: labels as dictionaries, decimals in 64 bits.

    Files that are no result table are left out. Raises READ_ERRORS.
    """
    tables = {}
    for file in files:
        name = file.removesuffix(".parquet")
        if f"out_{name}" in table_names():
            columns = load_table(f"out_{name}").columns
            texts = [column.name for column in columns if column.type == "string"]
            with pq.ParquetFile(folder / file, read_dictionary=texts, pre_buffer=False) as found:
                table = found.read(use_threads=False)
            fields = [
                pa.field(f.name, pa.decimal64(f.type.precision, f.type.scale))
                if pa.types.is_decimal(f.type)
                else f
                for f in table.schema
            ]
            tables[name] = table.cast(pa.schema(fields))
    return tables


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


def _write_tables(
    tables: Mapping[str, pa.Table], folder: Path, known: Mapping[str, Future[FileRecord]]
) -> list[FileRecord]:
    """Write every table; records in the order of the names. Arrow encodes outside the GIL."""

    def write(name: str) -> FileRecord:
        return known[name].result() if name in known else _write_result(folder, name, tables[name])

    longest_first = sorted(tables, key=lambda name: -tables[name].num_rows)
    written = map_in_threads(write, longest_first, min(os.cpu_count() or 1, WRITERS))
    return sorted(written, key=lambda record: record.name)


def _make_folder(folder: Path) -> None:
    """Make the folder of a period's tables, before threads write to it; raises CannotPublish."""
    with named_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)


def _write_result(folder: Path, name: str, table: pa.Table) -> FileRecord:
    """Write and sync one result table."""
    path = folder / f"{name}.parquet"
    return FileRecord(path.name, table.num_rows, write_table(described(name, table), path))


def writing_threads() -> ThreadPoolExecutor:
    """Threads that make and write tables beside the stages; most of the time they wait."""
    return ThreadPoolExecutor(BESIDE)


def described(name: str, table: pa.Table) -> pa.Table:
    """The table with what its file says of its columns."""
    return table.replace_schema_metadata(file_metadata(f"out_{name}"))


def write_table(table: pa.Table, path: Path) -> str:
    """Write one Parquet file, sync it to disk and return its SHA-256, found meanwhile."""
    content = encode_table(table)
    hashed = begin(hashlib.sha256, content)
    write_durably(path, content)
    return hashed.result().hexdigest()


class TablesBeside:
    """A period's result tables by name, each made, encoded, written and synced beside the stages.

    The folder is one of the staging folder: nothing in it is published before it ties out. Raises
    CannotPublish where it cannot be made.
    """

    def __init__(self, writer: ThreadPoolExecutor, folder: Path) -> None:
        _make_folder(folder)
        self._writer = writer
        self.folder = folder
        self.written: dict[str, Future[FileRecord]] = {}

    def make_table(self, name: str, make: Callable[[], pa.Table]) -> Callable[[], pa.Table]:
        """Begin to make a table and to write it; what is given waits for the table alone."""
        made = self._writer.submit(make)
        self.written[name] = self._writer.submit(self._write, name, made)
        return made.result

    def _write(self, name: str, made: Future[pa.Table]) -> FileRecord:
        return _write_result(self.folder, name, made.result())


def encode_table(table: pa.Table) -> pa.Buffer:
    """The bytes of a table's Parquet file.

    Labels that repeat are dictionaries, which need no statistics: the dictionary says what the
    column holds. Whole numbers are differences in as few bits as they need, which leaves zstd
    nothing to find. Without the Arrow schema readers see plain text and decimals; the metadata of
    the table's schema goes to the file's.
    """
    texts = [f.name for f in table.schema if pa.types.is_dictionary(f.type)]
    plain = [f.name for f in table.schema if pa.types.is_string(f.type) or f.type == pa.float64()]
    numbers = [name for name in table.column_names if name not in {*texts, *plain}]
    encoded = pa.BufferOutputStream()
    writer = pq.ParquetWriter(
        encoded,
        table.schema,
        compression={n: "NONE" if n in numbers else "ZSTD" for n in table.column_names},
        use_dictionary=texts,
        column_encoding=dict.fromkeys(numbers, "DELTA_BINARY_PACKED"),
        write_statistics=[*numbers, *plain],
        store_decimal_as_integer=True,
        write_page_index=True,
        store_schema=False,
    )
    with writer:
        writer.write_table(table)
        writer.add_key_value_metadata(table.schema.metadata or {})
    return encoded.getvalue()


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
