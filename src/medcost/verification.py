"""An output folder held against its manifests: every byte, the chain, signatures, balances.

All that is wrong is found and said together; nothing is changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from medcost.chain import MANIFEST, RESTATEMENT, RUN, TURN, chained_folders, find_breaks, link_of
from medcost.errors import Fault, InputRejected, InvariantBroken, count_of, quote, quote_path
from medcost.file_hashes import file_sha256
from medcost.manifest import run_id_of
from medcost.output_folder import (
    CONSORTIUM,
    CURRENT,
    RUNS,
    read_current,
    require_form,
)
from medcost.parquet_input import READ_ERRORS
from medcost.publish import SIGNATURE
from medcost.records import dataclass
from medcost.run_folders import read_tables
from medcost.staged_tables import tie_out_costs
from medcost.threads import map_in_threads
from medcost.turns import TURNING, fence_of, is_turned_to, numbered, seen_turn, turned_to

Verifier = Callable[[bytes, bytes], bool]
UNBALANCED_CODE = "table-unbalanced"


@dataclass(frozen=True)
class Verified:
    """What was looked at, and every fault of it.

    is_checked: whether signatures were held against a key, and not only counted; notes: what is as
    published and yet not of today.
    """

    n_runs: int
    n_restatements: int
    n_turns: int
    n_files: int
    n_signed: int
    is_checked: bool
    faults: tuple[Fault, ...]
    notes: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """'2 runs, 1 restatement, 2 turns, 65 files, 5 signatures', or '5 unchecked ...'."""
        counted = [
            (self.n_runs, "run"),
            (self.n_restatements, "restatement"),
            (self.n_turns, "turn"),
            (self.n_files, "file"),
            (self.n_signed, "signature" if self.is_checked else "unchecked signature"),
        ]
        return ", ".join(count_of(n, noun) for n, noun in counted if n)


@dataclass(frozen=True)
class _Folder:
    """A run's or restatement's folder with its manifest, None where it cannot be read."""

    path: Path
    content: bytes
    manifest: dict[str, Any] | None


def verify_folder(folder: Path, verifier: Verifier | None = None, threads: int = 1) -> Verified:
    """Every fault of an output folder, or of one run folder without its place in the chain.

    verifier: whether a signature is that of a manifest's bytes; with one every manifest must be
    signed. Reads every byte. Raises InputRejected (run-not-found) where there is no such folder.
    """
    if not folder.is_dir():
        what = f"There is no folder {quote_path(folder)}."
        raise InputRejected([Fault("run-not-found", what, (quote_path(folder),))])
    if folder.name.startswith(RUN) or (folder / MANIFEST).exists():
        read = [_read(folder)]
        faults: list[Fault] = []
        notes: tuple[str, ...] = ()
    else:
        current = _current(folder)
        last = seen_turn(folder, current["fence"] if current else 0)
        fences = [current["fence"] if current else 0, fence_of(last.name) if last else 0]
        # A restatement beyond the fence is one whose publication was stopped: it does not count.
        paths = [p for p in chained_folders(folder) if numbered(p.name, RESTATEMENT) <= max(fences)]
        # The last turn is a link of the chain before it has its name.
        read = [_read(path) for path in dict.fromkeys([*paths, *filter(None, [last])])]
        faults = [
            *_current_faults(folder, read),
            *_turn_faults(last, current),
            *_chain_faults(read),
        ]
        notes = _stale(folder, current, read)
    looked_at = map_in_threads(lambda one: _folder_faults(one, verifier), read, threads)
    faults += [fault for found in looked_at for fault in found]
    kinds = [one.path.name.partition("=")[0] + "=" for one in read]
    return Verified(
        kinds.count(RUN),
        kinds.count(RESTATEMENT),
        sum(kind in (TURN, TURNING) for kind in kinds),
        sum(len(_records(one.manifest)) + 1 for one in read if one.manifest),
        sum((one.path / SIGNATURE).exists() for one in read),
        verifier is not None,
        tuple(faults),
        notes,
    )


def _read(path: Path) -> _Folder:
    try:
        content = (path / MANIFEST).read_bytes()
        manifest = json.loads(content)
        _records(manifest)
        link_of(path.name, content, manifest)
    except (OSError, ValueError, KeyError, TypeError):
        return _Folder(path, b"", None)
    return _Folder(path, content, manifest)


def _records(manifest: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of every file that a manifest lists, by its name within the folder."""
    listed = [*manifest["outputs"], *manifest.get("kept", ())]
    if "results" in manifest:
        listed.append(manifest["results"])
    return {str(record["name"]): str(record["sha256"]) for record in listed}


def _current(out: Path) -> dict[str, Any] | None:
    """CURRENT.json, None where it is not there or cannot be read."""
    try:
        current = read_current(out)
        require_form(current)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return current if (out / CURRENT).exists() else None


def _current_faults(out: Path, read: Sequence[_Folder]) -> Iterator[Fault]:
    """What CURRENT.json says that is not so."""
    path = out / CURRENT
    try:
        if not path.exists():
            raise ValueError("it is not there")
        current = read_current(out)
        require_form(current)
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"{CURRENT} cannot be read: {error}."
        yield Fault("current-unreadable", what, (quote_path(path),))
        return
    there = {one.path.name: one.manifest for one in read}
    for part, noun in ((RUNS, "unit"), (CONSORTIUM, "result")):
        lost: dict[str, list[str]] = {}
        for period, names in current.get(part, {}).items():
            for of, name in names.items():
                if not (name in there and _holds(there[name], part, period, of)):
                    lost.setdefault(name, []).append(f"{period} {quote(of)}")
        for name, places in lost.items():
            reason = "does not hold them" if name in there else "is not there"
            what = (
                f"{CURRENT} names {quote(name)} as the run of {count_of(len(places), noun)}, "
                f"and it {reason}."
            )
            yield Fault("current-dangling", what, tuple(places))


def _holds(manifest: Mapping[str, Any] | None, part: str, period: str, of: str) -> bool:
    """Whether a run is what CURRENT.json says; of one that cannot be read nobody knows."""
    if manifest is None:
        return True
    is_of = manifest.get("kind") == of if part == CONSORTIUM else of in manifest.get("units", ())
    return is_of and manifest.get("period") == period


def _turn_faults(last: Path | None, current: Mapping[str, Any] | None) -> Iterator[Fault]:
    """Where CURRENT.json is not what the last turn left, if both can be read."""
    turned = turned_to(last) if last is not None else None
    if last is None or turned is None or current is None or is_turned_to(last, current):
        return
    places = []
    if current["fence"] != turned["fence"]:
        places.append(f"fence: {current['fence']} instead of {turned['fence']}")
    for part in (RUNS, CONSORTIUM):
        of_turn, now = turned.get(part, {}), current.get(part, {})
        for period in sorted({*of_turn, *now}):
            names, found = of_turn.get(period, {}), now.get(period, {})
            places += [
                f"{period} {quote(of)}: {quote(found.get(of, 'nothing'))} instead of "
                f"{quote(names.get(of, 'nothing'))}"
                for of in sorted({*names, *found})
                if names.get(of) != found.get(of)
            ]
    what = f"{CURRENT} is not what the last publication left in {quote(last.name)}."
    yield Fault("current-not-as-turned", what, tuple(places) or (quote_path(CURRENT),))


def _stale(
    out: Path, current: Mapping[str, Any] | None, read: Sequence[_Folder]
) -> tuple[str, ...]:
    """Notes on variances that compare with what is not published any more."""
    manifests = {one.path.name: one.manifest for one in read if one.manifest is not None}
    if current is None or not any("compared" in manifest for manifest in manifests.values()):
        return ()
    from medcost.comparisons import stale_comparisons

    try:
        return tuple(stale_comparisons(out, current[RUNS], manifests))
    except (*READ_ERRORS, KeyError, TypeError, AttributeError):
        # A run or manifest that is gone or cannot be read is not as published: said elsewhere.
        return ()


def _chain_faults(read: Sequence[_Folder]) -> Iterator[Fault]:
    links = [link_of(one.path.name, one.content, one.manifest) for one in read if one.manifest]
    for name, wrong in find_breaks(links):
        yield Fault("chain-broken", f"{quote(name)} {wrong}.", (quote_path(f"{name}/{MANIFEST}"),))


def _folder_faults(one: _Folder, verifier: Verifier | None) -> list[Fault]:
    """Faults of a folder by itself: its files, its id, its signature, its balances."""
    name = one.path.name
    if one.manifest is None:
        what = f"{quote(name)} has no manifest that can be read."
        return [Fault("manifest-unreadable", what, (quote_path(f"{name}/{MANIFEST}"),))]
    return [
        *_file_faults(one.path, _records(one.manifest)),
        *_id_faults(name, one.manifest),
        *_signature_faults(one, verifier),
        *_balance_faults(one.path, one.manifest),
    ]


def _file_faults(folder: Path, records: Mapping[str, str]) -> Iterator[Fault]:
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}
    places: dict[str, list[str]] = {"changed": [], "missing": [], "added": []}
    for name, digest in records.items():
        if name not in found:
            places["missing"].append(name)
        elif not _has_digest(folder / name, digest):
            places["changed"].append(name)
    places["added"] = sorted(found - set(records) - {MANIFEST, SIGNATURE})
    words = {
        "changed": "does not have the bytes that were published",
        "missing": "is not there",
        "added": "was not published",
    }
    for kind, names in places.items():
        if names:
            many = count_of(len(names), "file")
            what = f"{many} of {quote(folder.name)}: {words[kind]}."
            where = tuple(quote_path(f"{folder.name}/{name}") for name in names)
            yield Fault(f"file-{kind}", what, where)


def _has_digest(path: Path, digest: str) -> bool:
    try:
        return file_sha256(path) == digest
    except OSError:
        return False


def _id_faults(name: str, manifest: Mapping[str, Any]) -> Iterator[Fault]:
    """A run's folder is named by its model, options and tables."""
    if not name.startswith(RUN):
        return
    try:
        identity = run_id_of(manifest)
    except (KeyError, TypeError):
        identity = ""
    if f"{RUN}{identity}" != name or manifest.get("run") != identity:
        what = f"{quote(name)} is not the run that its manifest describes: '{RUN}{identity}'."
        yield Fault("run-id-wrong", what, (quote_path(f"{name}/{MANIFEST}"),))


def _signature_faults(one: _Folder, verifier: Verifier | None) -> Iterator[Fault]:
    if verifier is None:
        return
    path = one.path / SIGNATURE
    where = (quote_path(f"{one.path.name}/{SIGNATURE}"),)
    try:
        signature = path.read_bytes()
    except OSError:
        what = f"{quote(one.path.name)} is not signed."
        yield Fault("signature-missing", what, where)
        return
    if not verifier(signature, one.content):
        what = f"The manifest of {quote(one.path.name)} is not what the key's owner signed."
        yield Fault("signature-wrong", what, where)


def _balance_faults(run: Path, manifest: Mapping[str, Any]) -> Iterator[Fault]:
    """The identities of the arithmetic, and the totals of the manifest, on the tables on disk."""
    if not run.name.startswith(RUN):
        return
    try:
        tables = read_tables(run, [str(record["name"]) for record in manifest["outputs"]])
        if _tie_out(manifest, tables) != manifest["totals"]:
            raise InvariantBroken("the tables do not add up to the manifest's totals")
    except InvariantBroken as broken:
        what = f"{quote(run.name)} does not balance: {broken}."
        yield Fault(UNBALANCED_CODE, what, (quote(run.name),))
    except (*READ_ERRORS, KeyError, TypeError, ValueError):
        # A table that is gone or cannot be read is not as published: said above, by its bytes.
        return


def _tie_out(manifest: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> dict[str, str]:
    """Require that a run's tables tie out by the identities of its kind; what they add up to."""
    if "kind" not in manifest:
        return tie_out_costs(tables)
    from medcost.consortium.balances import tie_out

    return tie_out(manifest["kind"], tables)
