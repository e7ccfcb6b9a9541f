"""Whatever fails while a run is published, a reader sees the old runs whole or the new ones."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from books import book, items, line, model, model_file, stay, written
from consortium.books import written as consortium_book

from medcost.verification import verify_folder

from .injection import KILLED, KINDS, Injector, forked, list_sites, medcost, remember_costing

WORKERS = 2


@dataclass(frozen=True)
class Case:
    """An output folder in some state, and what publishes something new to it.

    publish: to an output folder, with one call failing; its exit code.
    """

    start: Path
    publish: Callable[[Path, Injector | None], int]
    old: frozenset[str]
    new: frozenset[str]


def digests(run: Path) -> frozenset[str]:
    return frozenset(
        f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in run.glob("*.parquet")
    )


def seen_by_a_reader(out: Path) -> frozenset[str]:
    """Names and digests of the result tables that CURRENT.json leads to; nothing without it."""
    if not (out / "CURRENT.json").exists():
        return frozenset()
    current = json.loads((out / "CURRENT.json").read_text("utf-8"))
    parts = (current["runs"], current.get("consortium", {}))
    named = {name for part in parts for of in part.values() for name in of.values()}
    return frozenset(text for name in named for text in digests(out / name))


def small_book(tmp_path: Path, pool: int) -> Path:
    """Return a ward with two cases, a shared item and a drug."""
    tables = book(
        {"A": "admin", "C": "clinical"},
        {"A": 10, "C": pool},
        {"A": {"C": 1}},
        items(a=1, d="drugs"),
        [line("C", "a", "K", 2), line("C", "a", "L", 1), line("C", "d", "K", direct_cost=5)],
        cases=[stay("K"), stay("L", None)],
    )
    tables["ledger"].append(tables["ledger"][1] | {"element": "drugs", "amount": Decimal(5)})
    return written(tmp_path, tables)


@pytest.fixture
def top() -> Iterator[Path]:
    """Return a folder in memory where there is one: a thousand publications sync 60,000 files."""
    memory = Path("/dev/shm")  # noqa: S108
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def case_of(top: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Case]:
    remember_costing(monkeypatch)

    def make(kind: str) -> Case:
        tmp_path = top / "case"
        tmp_path.mkdir()
        rules = model_file(tmp_path, model())
        first, second = small_book(tmp_path, 100), small_book(tmp_path, 170)
        common = ("--period", "2026-01", "--model", rules, "--quiet", "--threads", 1)
        start = tmp_path / "start"
        start.mkdir()

        for source in (first, second):
            # In this process, so that those forked from it begin warm.
            assert medcost(("run", source, *common, "--out", tmp_path / "warm")) in (0, 3)

        def published(source: Path, *options: object, to: Path = start) -> frozenset[str]:
            command = ("run", source, *common, "--out", to / "out", *options)
            assert forked(lambda: medcost(command)) == 0
            return seen_by_a_reader(to / "out")

        def runs(source: Path, *options: object) -> Callable[[Path, Injector | None], int]:
            command = ("run", source, *common, *options, "--out")
            return lambda out, injector: medcost((*command, out), injector)

        if kind == "first":
            new = published(first, to=tmp_path / "done")
            return Case(start, runs(first), frozenset(), new)
        if kind == "kept":
            # The same run is there, but keeps nothing: the folder changes places with a new one.
            old = published(first, "--no-matrix")
            return Case(start, runs(first), old, old)
        old = published(first)
        shutil.copytree(start, tmp_path / "done")
        if kind == "consortium":
            # A result beside costs, which stay as they are.
            of_members = ("consolidate", members_book(tmp_path), "--period", "2026-01", "--quiet")
            assert medcost((*of_members, "--out", tmp_path / "warm")) == 0

            def consolidate(out: Path, injector: Injector | None) -> int:
                return medcost((*of_members, "--out", out), injector)

            assert forked(lambda: consolidate(tmp_path / "done" / "out", None)) == 0
            return Case(start, consolidate, old, seen_by_a_reader(tmp_path / "done" / "out"))
        new = published(second, "--restate", "late invoice", to=tmp_path / "done")
        return Case(start, runs(second, "--restate", "late invoice"), old, new)

    return make


def members_book(tmp_path: Path) -> Path:
    """Return statements of two members, one of which has rendered the other a service."""
    month = {"period": "2026-01"}
    income = {"L": 1040, "T": 200}
    rows = [
        month | {"unit_id": unit, "line_id": "business_income", "amount": amount}
        for unit, amount in income.items()
    ]
    rows += [month | {"unit_id": "V", "line_id": "business_cost", "amount": 60}]
    deal = month | {"kind": "services", "amount": 60}
    sides = [
        deal | {"unit_id": "L", "partner_id": "V", "side": "claim"},
        deal | {"unit_id": "V", "partner_id": "L", "side": "debt"},
    ]
    return consortium_book(tmp_path / "members", {"statements": rows, "intercompany": sides})


def require_whole(case: Case, out: Path) -> None:
    """Require that a reader sees the old runs or the new ones, and that verify agrees."""
    seen = seen_by_a_reader(out)
    assert seen in (case.old, case.new), "neither the old run nor the new one"
    if seen and names_and_bytes(out) != names_and_bytes(case.start / "out"):
        assert verify_folder(out).faults == ()


def names_and_bytes(out: Path) -> dict[Path, bytes]:
    return {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def require_survived(case: Case, site: str, kind: str, top: Path) -> None:
    """Let one call of a publication fail; require what must hold then and after another run."""
    shutil.copytree(case.start, top)
    out = top / "out"
    injector = Injector(top, site, kind)
    if kind == "kill":
        code = forked(lambda: case.publish(out, injector))
    else:
        code = case.publish(out, injector)
    # A folder that cannot be cleaned up is left to the next run.
    if kind == "kill" and "checkpoint" not in site:
        assert code == KILLED, f"exit {code}"
    elif kind == "kill":
        # A checkpoint is noted beside the publication, which may be done before it.
        assert code in (0, KILLED), f"exit {code}"
    else:
        assert code in (0, 5), f"exit {code}"
    if code == 0:
        assert seen_by_a_reader(out) == case.new, "exit 0 and not published"
    require_whole(case, out)
    assert case.publish(out, None) == 0, "another run does not finish"
    assert seen_by_a_reader(out) == case.new
    assert verify_folder(out).faults == ()
    assert [path.name for path in top.iterdir()] == ["out"], "something is left"
    shutil.rmtree(top)


def survive_all(case: Case, faults: Sequence[tuple[str, str]], top: Path) -> list[str]:
    """What did not hold, of every fault, with the site; several processes side by side."""

    def work(worker: int) -> int:
        failed = top / f"failed-{worker}"
        with failed.open("w") as report:
            for i, (site, kind) in enumerate(faults):
                if i % WORKERS == worker:
                    try:
                        require_survived(case, site, kind, top / f"{i}")
                    except Exception:
                        print(f"{kind} at {site}: {traceback.format_exc()}", file=report)
        return 0

    children = []
    for worker in range(WORKERS):
        child = os.fork()
        if child == 0:
            sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
            try:
                work(worker)
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    return [text for path in sorted(top.glob("failed-*")) if (text := path.read_text("utf-8"))]


@pytest.mark.parametrize(
    ("kind", "kinds", "least"),
    [
        ("restated", KINDS, 400),
        ("first", KINDS[:1], 50),
        ("kept", KINDS[:1], 50),
        ("consortium", KINDS[:2], 50),
    ],
)
def test_a_fault_at_any_call_leaves_the_old_run_or_the_new_one_whole(
    top: Path,
    case_of: Callable[[str], Case],
    record_property: Callable[[str, object], None],
    kind: str,
    kinds: Sequence[str],
    least: int,
) -> None:
    """Every open, mkdir, write, fsync, rename, link, chmod, unlink and rmdir of a publication."""
    case = case_of(kind)
    listed = top / "listed"
    shutil.copytree(case.start, listed)
    sites = list_sites(
        lambda injector: case.publish(listed / "out", injector), listed, top / "sites"
    )
    assert len(sites) == len(set(sites))
    # What is written is the same in every case.
    calls = sites if kinds == KINDS else [s for s in sites if not s.startswith(("write", "send"))]
    faults = [(site, name) for site in calls for name in kinds]
    failed = survive_all(case, faults, top)
    record_property("fact", f"{kind}: {len(faults)} faults injected at {len(calls)} calls")
    assert not failed, "\n".join(failed)[:6000]
    assert len(faults) >= least
