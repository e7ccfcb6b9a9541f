"""What `medcost run` promises a scheduler: locks, fences, resuming, closed periods, signals."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from medcost import output_folder as folders
from medcost.durable_files import json_bytes
from medcost.errors import CannotPublish
from medcost.output_folder import output_folder, turn_current
from medcost.verification import verify_folder

from .conftest import Medcost
from .test_run import MODEL, current, tree

COMMAND = [sys.executable, "-m", "medcost"]


def arguments(book: Path, out: Path, *options: object, period: str = "2026-01") -> list[str]:
    fixed = ["run", book, "--period", period, "--model", MODEL, "--out", out, *options]
    return [str(argument) for argument in fixed]


def started(
    book: Path, out: Path, *options: object, period: str = "2026-01"
) -> subprocess.Popen[str]:
    command = [*COMMAND, *arguments(book, out, *options, period=period)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.001)


def is_locked(out: Path) -> bool:
    try:
        with (out / ".medcost-lock").open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def changed_book(book: Path, to: Path, yuan: int = 1000) -> Path:
    """Return a copy of a book whose first posting is higher."""
    shutil.copytree(book, to)
    ledger = pq.read_table(to / "ledger.parquet")
    amounts = ledger["amount"].to_pylist()
    amounts[0] += yuan
    at = ledger.column_names.index("amount")
    column = pa.array(amounts, ledger["amount"].type)
    pq.write_table(ledger.set_column(at, "amount", column), to / "ledger.parquet")
    return to


def staged(out: Path) -> list[Path]:
    return sorted(out.parent.glob(f".{out.name}.staging-*"))


# Two batches


def test_of_two_batches_one_publishes_and_the_other_exits_5(
    tmp_path: Path, medcost: Medcost, sample_book: Path
) -> None:
    """The first is held still while it has the lock, so that the second must meet it."""
    out = tmp_path / "out"
    first = started(sample_book, out)
    until(lambda: is_locked(out))
    first.send_signal(signal.SIGSTOP)
    second = medcost(*arguments(sample_book, out))
    first.send_signal(signal.SIGCONT)
    first.communicate(timeout=60)
    assert (0, 5) == (first.returncode, second.returncode)
    assert "is locked" in second.stderr
    assert verify_folder(out).faults == ()
    assert staged(out) == []


def test_of_batches_that_start_together_exactly_those_that_get_the_lock_publish(
    tmp_path: Path, sample_book: Path
) -> None:
    out = tmp_path / "out"
    batches = [started(sample_book, out) for _ in range(2)]
    for batch in batches:
        batch.communicate(timeout=60)
    codes = sorted(batch.returncode for batch in batches)
    assert codes in ([0, 5], [0, 0])
    assert current(out)["fence"] == 1
    assert verify_folder(out).faults == ()


def test_a_writer_whose_fence_is_old_does_not_turn_current(tmp_path: Path) -> None:
    """The lock is lost, as on a network file system: another writer turns CURRENT.json first."""
    out = tmp_path / "out"
    with output_folder(out) as slow:
        (out / "CURRENT.json").write_bytes(json_bytes({"fence": 1, "runs": {"2026-01": {}}}))
        turned = json_bytes({"fence": 1, "runs": {"2026-02": {}}})
        (slow.staging / "CURRENT.json").write_bytes(turned)
        with pytest.raises(CannotPublish, match="another run has published meanwhile"):
            turn_current(slow, 1)
    assert current(out) == {"fence": 1, "runs": {"2026-01": {}}}


# Signals

TRIES = 4


SIGNALS_ITSELF = """
import os, signal, sys, time
from medcost import cli, month_end
stage, number = sys.argv[1], int(sys.argv[2])
plain = month_end.LOG.info
def info(message, *values, **options):
    plain(message, *values, **options)
    if stage in (options["extra"]["fields"].get("stage"), *values):
        print(time.monotonic(), flush=True)
        os.kill(os.getpid(), number)
month_end.LOG.info = info
sys.argv = ["medcost", *sys.argv[3:]]
cli.main()
"""


@pytest.mark.parametrize(
    ("stage", "sent", "code"),
    [
        ("2026-01", signal.SIGTERM, 143),
        ("check", signal.SIGINT, 130),
        ("activity", signal.SIGTERM, 143),
        ("departments", signal.SIGINT, 130),
        ("service-items", signal.SIGTERM, 143),
        ("cases", signal.SIGINT, 130),
        ("tables", signal.SIGTERM, 143),
    ],
)
def test_a_signal_in_any_stage_ends_the_run_within_two_seconds(
    tmp_path: Path, larger_book: Path, stage: str, sent: signal.Signals, code: int
) -> None:
    """The run sends itself the signal when the log says that a stage is over.

    On a machine that has no processor for it the time is not the run's: the best of some counts.
    """
    out = tmp_path / "out"
    command = [sys.executable, "-c", SIGNALS_ITSELF, stage, str(int(sent))]
    command += arguments(larger_book, out, "--json-log", period="all")
    waits: list[float] = []
    while not waits or (min(waits) >= 2 and len(waits) < TRIES):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        waits.append(time.monotonic() - float(done.stdout))
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        last = json.loads(done.stderr.splitlines()[-1])
        assert ("summary", "stopped", code) == (last["event"], last["verdict"], last["exit_code"])
        assert not (out / "CURRENT.json").exists()
        assert staged(out) == []
    assert min(waits) < 2


SIGNALS_AN_IMPORT = """
import os, sys
number = int(sys.argv[1])
class Signals:
    @staticmethod
    def find_spec(name, *_):
        if name == "click":
            os.kill(os.getpid(), number)
sys.meta_path.insert(0, Signals)
from medcost.program import console
console()
"""


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_while_the_commands_are_imported_ends_the_program_by_a_line(
    sent: signal.Signals, code: int
) -> None:
    command = [sys.executable, "-c", SIGNALS_AN_IMPORT, str(int(sent))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (code, "") == (done.returncode, done.stdout)
    assert done.stderr == "Stopped. Nothing new was published.\n"


DEAF = """
import hashlib
from medcost.stopping import stop_on_signals
stop_on_signals()
print("on", flush=True)
hashlib.pbkdf2_hmac("sha512", b"a", b"b", 200_000_000)
"""


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_main_thread_that_hears_no_signal_is_ended_within_two_seconds(
    sent: signal.Signals, code: int
) -> None:
    """A kernel of minutes, in which Python runs no handler."""
    waits: list[float] = []
    while not waits or (min(waits) >= 2 and len(waits) < TRIES):
        with subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"on\n"
            # Until the kernel has begun, Python would still hear the signal.
            time.sleep(0.3)
            begun = time.monotonic()
            process.send_signal(sent)
            assert process.wait(30) == code
            waits.append(time.monotonic() - begun)
    assert min(waits) < 2


# A full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB; skipped where mounting one is not allowed."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("mounting is not allowed")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_is_full_exits_5_and_keeps_the_old_run(
    small_disk: Path, medcost: Medcost, sample_book: Path
) -> None:
    """Runs of two months fill 1 MiB; with what fills it gone, the same command finishes."""
    out = small_disk / "out"
    assert medcost(*arguments(sample_book, out, "--no-matrix")).returncode == 0
    before = tree(out)
    free = os.statvfs(small_disk)
    (small_disk / "ballast").write_bytes(bytes(free.f_bavail * free.f_bsize - 40_000))
    full = medcost(*arguments(sample_book, out, period="all"))
    assert full.returncode == 5
    assert "No space left on device" in full.stderr
    assert tree(out) == before
    assert staged(out) == []
    assert verify_folder(out).faults == ()
    (small_disk / "ballast").unlink()
    done = medcost(*arguments(sample_book, out, "--no-matrix", period="all"))
    assert done.returncode == 0, done.stderr
    assert verify_folder(out).faults == ()


# Where it stages


def test_staging_is_outside_the_output_folder_and_inside_only_where_that_is_a_mount(
    small_disk: Path, tmp_path: Path
) -> None:
    with output_folder(tmp_path / "out") as held:
        assert held.staging.parent == tmp_path
    with output_folder(small_disk) as held:
        assert held.staging.parent == small_disk
        assert held.staging.name.startswith(".")
    assert folders.read_current(small_disk) == {"fence": 0, "runs": {}}


# The summary


def test_the_last_line_says_what_was_done(
    tmp_path: Path, medcost: Medcost, sample_book: Path
) -> None:
    out = tmp_path / "out"
    first = medcost(*arguments(sample_book, out, period="all"))
    again = medcost(*arguments(sample_book, out))
    last = [done.stdout.splitlines()[-1] for done in (first, again)]
    assert last[0].startswith("done: 2 months, 2 units, ")
    assert last[0].endswith(" service lines, 2 published, 0 already there")
    assert last[1].endswith(", 0 published, 1 already there")


def test_run_results_has_each_stage_with_rows_seconds_and_verdict(
    tmp_path: Path, medcost: Medcost, sample_book: Path
) -> None:
    out = tmp_path / "out"
    assert medcost(*arguments(sample_book, out)).returncode == 0
    run = out / current(out)["runs"]["2026-01"]["U01"]
    results = json.loads((run / "run_results.json").read_text("utf-8"))
    manifest = json.loads((run / "manifest.json").read_text("utf-8"))
    rows = {
        record["name"].removesuffix(".parquet"): record["rows"] for record in manifest["outputs"]
    }
    lines = pq.read_table(sample_book / "service_lines.parquet", columns=["period"])["period"]
    stages = {one["stage"]: one for one in results["stages"]}
    costing = ["departments", "service-items", "cases"]
    assert list(stages) == ["check", "activity", *costing, "variance", "tables"]
    assert stages["activity"]["rows"] == lines.to_pylist().count("2026-01")
    assert stages["departments"]["rows"] == rows["department_cost"] + rows["department_flow"]
    assert stages["tables"]["rows"] == sum(rows.values())
    assert {one["verdict"] for one in stages.values()} == {"passed"}
    assert all(one["seconds"] >= 0 for one in stages.values())
    assert ("published", manifest["run"]) == (results["verdict"], results["run"])


@pytest.mark.parametrize(
    ("options", "code", "verdict"),
    [
        ([], 0, "published"),
        (["--unit", "nowhere"], 3, "rejected"),
        (["--threads", "0"], 2, "wrong usage"),
    ],
)
def test_the_last_object_of_the_log_is_the_summary_with_the_exit_code(
    tmp_path: Path, medcost: Medcost, sample_book: Path, options: list[str], code: int, verdict: str
) -> None:
    done = medcost(*arguments(sample_book, tmp_path / "out", *options, "--json-log"))
    records = [json.loads(text) for text in done.stderr.splitlines()]
    assert code == done.returncode
    last = records[-1]
    assert ("summary", verdict, code) == (last["event"], last["verdict"], last["exit_code"])
