"""explain and recost with odd input: a fault in the contract's form, the right exit code."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from .conftest import Medcost

MODEL = "three_level_step_down_2021"
WARD = ("--dept", "C01", "--unit", "U01")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, medcost: Medcost, sample_book: Path) -> Path:
    """One month of two units."""
    out = tmp_path_factory.mktemp("odd") / "runs"
    month = ("--period", "2026-01", "--model", MODEL)
    done = medcost("run", sample_book, *month, "--out", out, "--quiet")
    assert (0, "") == (done.returncode, done.stderr)
    return out


def run_of(runs: Path) -> Path:
    (run,) = runs.glob("run=*")
    return run


def require_fault(done: subprocess.CompletedProcess[str], code: str, *words: str) -> None:
    """Require a fault with what, where, why and fix, and nothing on standard output."""
    assert (3, "") == (done.returncode, done.stdout), done.stderr
    assert "Traceback" not in done.stderr
    form = rf"\[{code}\] .+\n  where  .+\n  why    .+\n  fix    .+\n"
    assert re.search(form, done.stderr), done.stderr
    for word in words:
        assert word in done.stderr


def both(medcost: Medcost, folder: Path, tmp_path: Path, code: str, *words: str) -> None:
    """Require that explain and recost refuse a folder for the same reason."""
    require_fault(medcost("explain", folder, *WARD), code, *words)
    require_fault(medcost("recost", folder, "--out", tmp_path / "what-if"), code, *words)
    assert not (tmp_path / "what-if" / "CURRENT.json").exists()


def test_a_folder_that_is_not_there_is_said_to_be_none(medcost: Medcost, tmp_path: Path) -> None:
    both(medcost, tmp_path / "no", tmp_path, "run-not-found", "not a folder that can be read")


def test_a_folder_without_current_names_the_runs_in_it(
    runs: Path, medcost: Medcost, tmp_path: Path
) -> None:
    """A run copied somewhere else: its own folder can be named."""
    shutil.copytree(run_of(runs), tmp_path / "o" / run_of(runs).name)
    words = ("has no CURRENT.json", f"where  '{run_of(runs).name}'")
    both(medcost, tmp_path / "o", tmp_path, "run-not-found", *words)
    done = medcost("explain", tmp_path / "o" / run_of(runs).name, *WARD, "--quiet")
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{}", b"[]", b"null", b"xx", b"\xff\xfe", b'{"fence": 1}', b'{"fence":1,"runs":[]}',
        b'{"fence": 1, "runs": {}}', b'{"fence": 1, "runs": {"2026-01": 5}}',
        b'{"fence": 1, "runs": {"2026-01": {"U01": 5}}}',
    ],
)  # fmt: skip
def test_a_current_that_is_not_medcosts_is_named(
    medcost: Medcost, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "CURRENT.json").write_bytes(content)
    done = medcost("explain", tmp_path / "o", *WARD)
    require_fault(done, "run-not-found", "CURRENT.json' names no published run")


def test_a_month_that_is_not_published_says_what_is(runs: Path, medcost: Medcost) -> None:
    done = medcost("explain", runs, *WARD, "--period", "2026-07")
    require_fault(done, "run-not-found", "of 2026-07 and unit 'U01'", "2026-01: 'U01', 'U02'")


def test_a_run_that_current_names_and_is_gone_is_refused(medcost: Medcost, tmp_path: Path) -> None:
    (tmp_path / "o").mkdir()
    current = {"fence": 1, "runs": {"2026-01": {"U01": "run=gone"}}}
    (tmp_path / "o" / "CURRENT.json").write_text(json.dumps(current), "utf-8")
    both(medcost, tmp_path / "o", tmp_path, "run-not-kept", "manifest.json that can be read")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("through", "somewhere"), ("through", ["cases"]), ("period", 7), ("period", "July"),
        ("units", 5), ("units", [5]), ("kept", None), ("kept", [5]), ("kept", [{"name": 1}]),
        ("outputs", "none"),
    ],
)  # fmt: skip
def test_a_manifest_that_medcost_did_not_write_is_refused(
    runs: Path, medcost: Medcost, tmp_path: Path, key: str, value: object
) -> None:
    shutil.copytree(runs, tmp_path / "runs")
    path = run_of(tmp_path / "runs") / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {key: value}), "utf-8")
    done = medcost("explain", tmp_path / "runs", *WARD)
    require_fault(done, "run-not-kept", "manifest.json that medcost wrote")


@pytest.mark.parametrize(
    "name",
    [
        "kept/book/ledger.parquet",
        "kept/book/cases.parquet",
        "kept/model.toml",
        "kept/activity/matrix.arrow",
        "kept/activity/orders.arrow",
        "kept/activity/part-00000.arrow",
        "department_cost.parquet",
        "drg_cost.parquet",
    ],
)
def test_forty_bytes_turned_over_are_named_and_explain_nothing(
    runs: Path, medcost: Medcost, tmp_path: Path, name: str
) -> None:
    shutil.copytree(runs, tmp_path / "runs")
    path = run_of(tmp_path / "runs") / name
    content = bytearray(path.read_bytes())
    start = len(content) // 2
    content[start : start + 40] = bytes(byte ^ 0x5A for byte in content[start : start + 40])
    path.write_bytes(content)
    done = medcost("recost", tmp_path / "runs", "--out", tmp_path / "o")
    require_fault(done, "run-not-kept", f"'{name}' as it was written")


@pytest.mark.parametrize("case", ["empty", "no amount", "text", "huge", "not a number", "cut"])
def test_a_ledger_that_cannot_be_used_is_refused_with_its_fault(
    runs: Path, medcost: Medcost, sample_book: Path, tmp_path: Path, case: str
) -> None:
    ledger = pq.read_table(sample_book / "ledger.parquet")
    place, n = ledger.schema.get_field_index("amount"), len(ledger)
    with_amounts = {
        "text": pa.array(["12.00"] * n),
        "huge": pa.array([9_999_999_999_999_999] * n, pa.decimal128(18, 0)),
        "not a number": pa.array([float("nan")] * n),
    }
    path = tmp_path / "ledger.parquet"
    if case in with_amounts:
        ledger = ledger.set_column(place, "amount", with_amounts[case])
    elif case == "empty":
        ledger = ledger.slice(0, 0)
    elif case == "no amount":
        ledger = ledger.drop(["amount"])
    pq.write_table(ledger, path)
    if case == "cut":
        path.write_bytes(path.read_bytes()[:-30])
    code = {
        "empty": "table-empty",
        "no amount": "column-missing",
        "text": "column-type",
        "huge": "amount-out-of-range",
        "not a number": "value-not-finite",
        "cut": "file-unreadable",
    }[case]
    done = medcost("recost", runs, "--out", tmp_path / "o", "--replace", f"ledger={path}")
    require_fault(done, code)
    assert not (tmp_path / "o").exists()
    assert [] == list(tmp_path.glob(".*staging*"))


@pytest.mark.parametrize("kind", ["device", "pipe", "empty folder"])
def test_what_has_no_end_or_no_rows_replaces_no_table(
    runs: Path, medcost: Medcost, tmp_path: Path, kind: str
) -> None:
    """/dev/zero would be copied until the disk is full."""
    path = Path("/dev/zero") if kind == "device" else tmp_path / "table"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "empty folder":
        path.mkdir()
    done = medcost("recost", runs, "--out", tmp_path / "o", "--replace", f"ledger={path}")
    assert (2, "") == (done.returncode, done.stdout)
    assert "neither a file nor a folder of Parquet files" in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        (*WARD, "--scheme", "CHS"),
        ("--item", "BED001", "--scheme", "CHS"),
        ("--dept", ""),
        (*WARD, "--out", ""),
        (*WARD, "--period", "all"),
        (*WARD, "--period", "2026-01..2026-02"),
    ],
)
def test_options_that_mean_nothing_exit_2(
    runs: Path, medcost: Medcost, options: tuple[str, ...]
) -> None:
    done = medcost("explain", runs, *options)
    assert (2, "") == (done.returncode, done.stdout)
    assert "Error: " in done.stderr


def test_an_output_folder_without_a_name_is_not_the_current_one(
    runs: Path, medcost: Medcost, sample_book: Path
) -> None:
    """--out "$OUT" with OUT not set."""
    run, budget = run_of(runs), sample_book / "budget.parquet"
    for command in (
        ("recost", runs),
        ("run", sample_book, "--period", "2026-01", "--model", MODEL),
        ("variance", runs, "--budget", budget),
        ("report", runs),
        ("diff", run, run),
    ):
        done = medcost(*command, "--out", "")
        assert (2, "") == (done.returncode, done.stdout)
        assert "name a folder" in done.stderr


@pytest.mark.parametrize("inside", ["", "run", "run/kept"])
def test_an_explanation_does_not_go_where_runs_are(
    runs: Path, medcost: Medcost, inside: str
) -> None:
    """Another Parquet file in a run folder would be taken for one of its results."""
    before = sorted(runs.rglob("*"))
    out = runs / inside.replace("run", run_of(runs).name)
    done = medcost("explain", runs, *WARD, "--out", out)
    assert (2, "") == (done.returncode, done.stdout)
    assert "folder of its own" in done.stderr
    assert before == sorted(runs.rglob("*"))


def test_one_case_is_one_case(runs: Path, medcost: Medcost) -> None:
    rows = pq.read_table(run_of(runs) / "drg_cost.parquet").to_pylist()
    one = next(row for row in rows if row["cases"] == 1)
    done = medcost("explain", runs, "--drg", one["drg_id"], "--unit", one["unit_id"])
    assert done.stdout.splitlines()[1].endswith(", 1 case")


def test_what_a_run_did_not_get_to_is_not_said_to_be_unchanged(
    medcost: Medcost, sample_book: Path, tmp_path: Path
) -> None:
    options = ("--period", "2026-01", "--model", MODEL, "--through", "departments", "--quiet")
    assert 0 == medcost("run", sample_book, *options, "--out", tmp_path / "runs").returncode
    done = medcost("recost", tmp_path / "runs", "--out", tmp_path / "o")
    assert "Departments: 成本无变化 no cost moved" in done.stdout
    assert "Service items" not in done.stdout
    assert "DRG groups" not in done.stdout


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("command", ["explain", "recost"])
def test_a_signal_ends_it_without_a_trace(
    runs: Path, tmp_path: Path, command: str, sent: signal.Signals, code: int
) -> None:
    """Sent while it computes, held up by a slow hash of what is kept."""
    script = (
        "import time, medcost.kept_run as k\n"
        "real = k.find_damaged\n"
        "k.find_damaged = lambda *a: (print('here', flush=True), time.sleep(30), real(*a))\n"
        "from medcost.cli import main\nmain()\n"
    )
    question = WARD if command == "explain" else ()
    process = subprocess.Popen(
        [sys.executable, "-c", script, command, runs, *question, "--out", tmp_path / "o"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert "here\n" == process.stdout.readline()
    time.sleep(0.1)
    process.send_signal(sent)
    _, stderr = process.communicate(timeout=60)
    assert code == process.returncode
    assert "Traceback" not in stderr
    assert [] == list(tmp_path.glob(".*"))
    assert [] == list(tmp_path.glob("o/run=*"))


def test_a_failure_to_read_is_not_taken_for_a_closed_output(runs: Path) -> None:
    """An error of the disk, without a file's name: anything but exit code 0."""
    script = (
        "import medcost.kept_run as k\n"
        "def fail(*_):\n    raise OSError('corrupt')\n"
        "k.find_damaged = fail\n"
        "from medcost.cli import main\nmain()\n"
    )
    command = [sys.executable, "-c", script, "explain", str(runs), *WARD]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert 0 != done.returncode
    assert "corrupt" in done.stderr
