"""Bad books, models, disks and signals: a named error, the right exit code, the old run whole."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock

MODEL = "three_level_step_down_2021"


def medcost(*arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "medcost", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **more)  # type: ignore[call-overload,no-any-return]


def run(book: Path, out: Path, **more: object) -> subprocess.CompletedProcess[str]:
    return medcost("run", book, "--period", "2026-01", "--model", MODEL, "--out", out, **more)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


@pytest.fixture(scope="module")
def good_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good") / "book"
    assert medcost("sample", folder, "--hospitals", 2, "--lines", 2000, "--quiet").returncode == 0
    return folder


@pytest.fixture
def book(tmp_path: Path, good_book: Path) -> Path:
    return Path(shutil.copytree(good_book, tmp_path / "book"))


@pytest.fixture
def published(tmp_path: Path, good_book: Path) -> Path:
    out = tmp_path / "out"
    assert run(good_book, out).returncode == 0
    return out


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def corrupt_pages(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[40:400] = bytes(360)
    path.write_bytes(bytes(content))


def make_empty_file(path: Path) -> None:
    path.write_bytes(b"")


def write_text(path: Path) -> None:
    path.write_text("period,unit_id\n2026-01,U01\n")


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def drop_rows(path: Path) -> None:
    pq.write_table(pq.read_table(path).slice(0, 0), path)


def make_dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("/nowhere/at/all.parquet")


BREAKAGES: list[tuple[Callable[[Path], None], str]] = [
    (truncate, "file-unreadable"),
    (corrupt_pages, "file-unreadable"),
    (make_empty_file, "file-unreadable"),
    (write_text, "file-unreadable"),
    (make_folder, "file-unreadable"),
    (drop_rows, "table-empty"),
]


@pytest.mark.parametrize("table", ["ledger", "service_lines", "cases", "units"])
@pytest.mark.parametrize(("damage", "code"), BREAKAGES, ids=lambda v: getattr(v, "__name__", None))
def test_a_broken_file_is_named_and_the_old_run_stays(
    book: Path, published: Path, damage: Callable[[Path], None], code: str, table: str
) -> None:
    before = tree(published)
    damage(book / f"{table}.parquet")
    done = run(book, published)
    assert done.returncode == 3, done.stderr
    assert f"[{code}]" in done.stderr
    assert f"{table}.parquet" in done.stderr
    assert "Traceback" not in done.stderr
    assert tree(published) == before


@pytest.mark.parametrize("table", ["ledger", "service_lines"])
def test_a_missing_table_is_named(book: Path, tmp_path: Path, table: str) -> None:
    (book / f"{table}.parquet").unlink()
    done = run(book, tmp_path / "o")
    assert done.returncode == 3
    assert f"[table-missing] The book has no table {table}." in done.stderr


def test_a_dangling_link_is_a_missing_table(book: Path, tmp_path: Path) -> None:
    make_dangling(book / "ledger.parquet")
    done = run(book, tmp_path / "o")
    assert done.returncode == 3
    assert "ledger" in done.stderr
    assert "Traceback" not in done.stderr


def test_faults_of_several_tables_and_of_the_allocation_are_shown_together(
    book: Path, tmp_path: Path
) -> None:
    ledger = pq.read_table(book / "ledger.parquet")
    dept = ledger["dept_id"].to_pylist()
    dept[0] = "NOBODY"
    ledger = ledger.set_column(ledger.column_names.index("dept_id"), "dept_id", pa.array(dept))
    pq.write_table(ledger, book / "ledger.parquet")
    drivers = pq.read_table(book / "drivers.parquet")
    keep = [d != "S01" for d in drivers["driver"].to_pylist()]
    pq.write_table(drivers.filter(pa.array(keep)), book / "drivers.parquet")
    lines = pq.read_table(book / "service_lines.parquet")
    case = lines["case_id"].to_pylist()
    patient = "PATIENT-ZHANG-SAN"
    case[5] = patient
    lines = lines.set_column(lines.column_names.index("case_id"), "case_id", pa.array(case))
    pq.write_table(lines, book / "service_lines.parquet")
    done = run(book, tmp_path / "o")
    assert done.returncode == 3
    for code in ("department-not-listed", "case-not-listed", "driver-gap"):
        assert f"[{code}]" in done.stderr, done.stderr
    assert "service_lines.parquet row 6" in done.stderr
    assert patient not in done.stderr
    checked = medcost("check", book, "--period", "2026-01", "--model", MODEL, "--json-log")
    records = [json.loads(line) for line in checked.stderr.splitlines()]
    codes = {record["code"] for record in records if "code" in record}
    assert {"department-not-listed", "case-not-listed", "driver-gap"} <= codes
    assert checked.returncode == 3
    assert checked.stdout == ""


def test_a_model_that_is_not_there_is_refused_with_the_names_that_ship(
    good_book: Path, tmp_path: Path
) -> None:
    done = medcost(
        "run", good_book, "--period", "2026-01", "--model", "nope", "--out", tmp_path / "o"
    )
    assert done.returncode == 3
    assert "[model-unreadable]" in done.stderr
    assert MODEL in done.stderr


def test_a_held_lock_exits_5_and_leaves_the_old_run(good_book: Path, published: Path) -> None:
    before = tree(published)
    with FileLock(published / ".medcost-lock"):
        done = run(good_book, published)
    assert done.returncode == 5
    assert "is locked" in done.stderr
    assert tree(published) == before


def test_an_output_path_that_is_a_file_exits_5(good_book: Path, tmp_path: Path) -> None:
    (tmp_path / "o").write_text("a file")
    done = run(good_book, tmp_path / "o")
    assert done.returncode == 5
    assert "Traceback" not in done.stderr
    assert (tmp_path / "o").read_text() == "a file"


@pytest.mark.parametrize(
    "content", ["{]", '{"fence": 1, "runs": {"2026-01": {"U01": 5}}}', '{"fence": -1, "runs": {}}']
)
def test_a_current_file_of_somebody_else_is_not_overwritten(
    good_book: Path, tmp_path: Path, content: str
) -> None:
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "CURRENT.json").write_text(content)
    done = run(good_book, tmp_path / "o")
    assert done.returncode == 5
    assert "not a file that medcost wrote" in done.stderr
    assert (tmp_path / "o" / "CURRENT.json").read_text() == content


def small_files() -> None:
    """Let no file of this process grow beyond 4 kB: writes then fail like on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))


def test_a_write_that_fails_exits_5_and_leaves_the_old_run(
    good_book: Path, published: Path
) -> None:
    before = tree(published)
    command = [sys.executable, "-B", "-m", "medcost", "run", str(good_book), "--period", "2026-02"]
    command += ["--model", MODEL, "--out", str(published)]
    done = subprocess.run(
        command, capture_output=True, text=True, preexec_fn=small_files, check=False
    )
    assert done.returncode == 5, done.stderr
    assert "[cannot-publish]" in done.stderr
    assert "Traceback" not in done.stderr
    assert tree(published) == before
    assert {p.name for p in published.parent.iterdir() if "staging" in p.name} == set()
    assert run(good_book, published).returncode == 0


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_cleanly(
    good_book: Path, published: Path, sent: signal.Signals, code: int
) -> None:
    before = tree(published)
    command = [sys.executable, "-m", "medcost", "run", str(good_book), "--period", "2026-02"]
    command += ["--model", MODEL, "--out", str(published)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not list(published.parent.glob(".out.staging-*")):
        time.sleep(0.002)
    os.kill(process.pid, sent)
    _, error = process.communicate(timeout=20)
    assert "Traceback" not in error
    if process.returncode == 0:
        pytest.skip("the run was over before the signal came")
    assert process.returncode == code
    assert tree(published) == before
    assert not list(published.parent.glob(".out.staging-*"))


def test_a_damaged_run_folder_is_replaced_when_the_same_run_is_published_again(
    good_book: Path, published: Path
) -> None:
    before = tree(published)
    damaged = next(published.glob("run=*/case_cost.parquet"))
    damaged.write_bytes(b"damaged")
    assert run(good_book, published).returncode == 0
    after = tree(published)
    tables = {name for name in before if name.endswith(".parquet")}
    assert {name: after[name] for name in tables} == {name: before[name] for name in tables}
