"""`--resume`: what a stopped or refused run has finished is not computed again."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from medcost.verification import verify_folder

from .conftest import Medcost
from .test_publishing import arguments, changed_book, staged
from .test_run import MODEL, current, tree

STOPS_ITSELF = """
import os, signal, sys
from medcost import cli, batch
stage, number = sys.argv[1], int(sys.argv[2])
plain = batch.write_checkpoint
def write_checkpoint(folder, checkpoint):
    plain(folder, checkpoint)
    if checkpoint.stage == stage:
        os.kill(os.getpid(), number)
batch.write_checkpoint = write_checkpoint
sys.argv = ["medcost", *sys.argv[3:]]
cli.main()
"""


def stopped_at(
    stage: str,
    book: Path,
    out: Path,
    *options: object,
    period: str = "all",
    sent: int = signal.SIGKILL,
) -> int:
    """Stop a run as soon as a checkpoint says that a stage of its first month is finished."""
    command = [sys.executable, "-c", STOPS_ITSELF, stage, str(int(sent))]
    command += arguments(book, out, *options, period=period)
    return subprocess.run(command, capture_output=True, check=False, timeout=120).returncode


def killed_at(stage: str, book: Path, out: Path, *options: object, period: str = "all") -> None:
    assert stopped_at(stage, book, out, *options, period=period) == -signal.SIGKILL
    assert staged(out)


def tables_of(out: Path) -> dict[str, bytes]:
    return {name: content for name, content in tree(out).items() if name.endswith(".parquet")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, medcost: Medcost, larger_book: Path) -> Path:
    """Two months published by a run that nothing disturbed."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert medcost(*arguments(larger_book, out, "--quiet", period="all")).returncode == 0
    return out


@pytest.mark.parametrize("stage", ["activity", "tables"])
def test_a_killed_run_is_gone_on_from_and_ends_in_the_same_bytes(
    tmp_path: Path, medcost: Medcost, larger_book: Path, whole: Path, stage: str
) -> None:
    out = tmp_path / "out"
    killed_at(stage, larger_book, out)
    assert staged(out)
    resumed = medcost(*arguments(larger_book, out, "--resume", period="all"))
    assert resumed.returncode == 0, resumed.stderr
    assert "2026-01: goes on from a stopped run" in resumed.stderr
    assert tables_of(out) == tables_of(whole)
    assert current(out) == current(whole)
    assert verify_folder(out).faults == ()
    assert staged(out) == []
    run = out / current(out)["runs"]["2026-01"]["U01"]
    stages = json.loads((run / "run_results.json").read_text("utf-8"))["stages"]
    verdicts = {one["stage"]: one["verdict"] for one in stages}
    assert verdicts["activity"] == "resumed"
    assert verdicts["tables"] == ("resumed" if stage == "tables" else "passed")


def test_what_a_resumed_run_prints_is_what_the_run_prints(
    tmp_path: Path, medcost: Medcost, larger_book: Path
) -> None:
    out = tmp_path / "out"
    killed_at("tables", larger_book, out)
    resumed = medcost(*arguments(larger_book, out, "--resume", period="all"))
    undisturbed = medcost(*arguments(larger_book, tmp_path / "o" / "out", period="all"))
    assert resumed.stdout == undisturbed.stdout.replace(str(tmp_path / "o"), str(tmp_path))


def changed_row(table: pa.Table, name: str) -> pa.Table:
    """Return a table whose first row has another value in a column of numbers or text."""
    values = table[name].to_pylist()
    values[0] = f"{values[0]}x" if isinstance(values[0], str) else values[0] + 1
    column = pa.array(values, table[name].type)
    return table.set_column(table.column_names.index(name), name, column)


# What is corrected, and the lines of the stopped run are good for all the same.
CORRECTED = {
    "ledger": "amount",
    "drivers": "quantity",
    "item_weights": "weight",
    "drg_groups": "weight",
    "drg_prices": "price",
    "income": "amount",
    "statistics": "quantity",
    "budget": "amount",
    "model": "",
    "through": "",
    "matrix": "",
}


@pytest.mark.parametrize("what", CORRECTED)
def test_a_run_of_corrected_tables_takes_over_the_lines_and_computes_the_rest_anew(
    tmp_path: Path, medcost: Medcost, larger_book: Path, what: str
) -> None:
    """The tables are those of an undisturbed run of the corrected book."""
    out, beside = tmp_path / "out", tmp_path / "beside" / "out"
    killed_at("activity", larger_book, out, period="2026-01")
    book, options, model = larger_book, [], MODEL
    if CORRECTED[what]:
        book = tmp_path / "corrected"
        shutil.copytree(larger_book, book)
        path = book / f"{what}.parquet"
        pq.write_table(changed_row(pq.read_table(path), CORRECTED[what]), path)
    elif what == "model":
        shipped = Path(__file__).parents[2] / "allocation_models" / f"{MODEL}.toml"
        model = tmp_path / "model.toml"
        text = shipped.read_text("utf-8").replace('method = "weights"', 'method = "workload"')
        model.write_text(text, "utf-8")
    else:
        options = {"through": ["--through", "service-items"], "matrix": ["--no-matrix"]}[what]

    def run(to: Path, *more: str) -> CompletedProcess[str]:
        command = arguments(book, to, *options, *more)
        command[command.index("--model") + 1] = str(model)
        return medcost(*command)

    done = run(out, "--resume")
    assert done.returncode == 0, done.stderr
    assert "goes on from a stopped run of other tables: activity" in done.stderr
    assert run(beside).returncode == 0
    assert results_of(out) == results_of(beside)
    assert verify_folder(out).faults == ()
    assert staged(out) == []
    run_folder = out / current(out)["runs"]["2026-01"]["U01"]
    stages = json.loads((run_folder / "run_results.json").read_text("utf-8"))["stages"]
    verdicts = {one["stage"]: one["verdict"] for one in stages}
    assert (verdicts["check"], verdicts["activity"]) == ("passed", "resumed")
    if what != "matrix":
        kept = {name: content for name, content in tree(out).items() if "/kept/" in name}
        assert kept == {name: content for name, content in tree(beside).items() if "/kept/" in name}


def results_of(out: Path) -> dict[str, bytes]:
    """Return the result tables by run and name."""
    return {name: content for name, content in tables_of(out).items() if "/kept/" not in name}


@pytest.mark.parametrize(
    "what", ["cases", "departments", "service_items", "service_lines", "units", "option"]
)
def test_a_run_whose_lines_might_come_to_something_else_is_begun_anew(
    tmp_path: Path, medcost: Medcost, larger_book: Path, what: str
) -> None:
    out = tmp_path / "out"
    killed_at("activity", larger_book, out, period="2026-01")
    book, options = larger_book, ["--resume"]
    if what == "option":
        options += ["--unit", "U01"]
    else:
        book = tmp_path / "changed"
        shutil.copytree(larger_book, book)
        path = book / f"{what}.parquet"
        table = pq.read_table(path)
        pq.write_table(table.slice(0, table.num_rows), path, compression="gzip")
    done = medcost(*arguments(book, out, *options))
    assert done.returncode == 0, done.stderr
    assert "goes on" not in done.stderr
    assert verify_folder(out).faults == ()
    assert staged(out) == []


def test_what_was_refused_is_gone_on_from_once_it_is_corrected(
    tmp_path: Path, medcost: Medcost, larger_book: Path
) -> None:
    """A giver's driver is missing, which the allocation finds when the lines have been read."""
    out, wrong = tmp_path / "out", tmp_path / "wrong"
    shutil.copytree(larger_book, wrong)
    drivers = pq.read_table(wrong / "drivers.parquet")
    kept = pc.and_(pc.equal(drivers["unit_id"], "U01"), pc.equal(drivers["driver"], "headcount"))
    pq.write_table(drivers.filter(pc.invert(kept)), wrong / "drivers.parquet")
    refused = medcost(*arguments(wrong, out, "--resume"))
    assert refused.returncode == 3
    assert "[driver-gap]" in refused.stderr
    assert len(staged(out)) == 1
    again = medcost(*arguments(larger_book, out, "--resume"))
    assert again.returncode == 0
    assert "goes on from a stopped run of other tables: activity" in again.stderr
    assert staged(out) == []


def test_a_closed_period_that_gets_its_reason_is_not_computed_again(
    tmp_path: Path, medcost: Medcost, larger_book: Path
) -> None:
    out = tmp_path / "out"
    assert medcost(*arguments(larger_book, out)).returncode == 0
    book = changed_book(larger_book, tmp_path / "changed")
    assert medcost(*arguments(book, out, "--resume")).returncode == 3
    done = medcost(*arguments(book, out, "--resume", "--restate", "late invoice"))
    assert done.returncode == 0
    assert "goes on from a stopped run: tables" in done.stderr
    assert staged(out) == []


def test_a_run_that_is_refused_again_leaves_one_copy_of_what_it_finished(
    tmp_path: Path, medcost: Medcost, larger_book: Path
) -> None:
    """January is closed; two runs with other figures are refused, the second goes on from one."""
    out = tmp_path / "out"
    assert medcost(*arguments(larger_book, out)).returncode == 0
    for yuan in (1000, 2000):
        book = changed_book(larger_book, tmp_path / f"changed-{yuan}", yuan)
        refused = medcost(*arguments(book, out, "--resume"))
        assert refused.returncode == 3
        assert ("of other tables: activity" in refused.stderr) == (yuan == 2000)
        assert len(staged(out)) == 1
    done = medcost(*arguments(book, out, "--resume", "--restate", "late invoice"))
    assert "goes on from a stopped run: tables" in done.stderr
    assert staged(out) == []


def test_a_run_whose_lines_are_refused_has_nothing_to_leave(
    tmp_path: Path, medcost: Medcost, larger_book: Path
) -> None:
    book = tmp_path / "wrong"
    shutil.copytree(larger_book, book)
    lines = pq.read_table(book / "service_lines.parquet")
    items = pa.array(["nowhere", *lines["item_id"].to_pylist()[1:]])
    at = lines.column_names.index("item_id")
    pq.write_table(lines.set_column(at, "item_id", items), book / "service_lines.parquet")
    refused = medcost(*arguments(book, tmp_path / "out", "--resume"))
    assert refused.returncode == 3
    assert "[item-not-listed]" in refused.stderr
    assert staged(tmp_path / "out") == []


def test_a_refused_run_without_resume_leaves_nothing(
    tmp_path: Path, medcost: Medcost, larger_book: Path
) -> None:
    out = tmp_path / "out"
    assert medcost(*arguments(larger_book, out)).returncode == 0
    book = changed_book(larger_book, tmp_path / "changed")
    assert medcost(*arguments(book, out)).returncode == 3
    assert staged(out) == []


def test_a_damaged_leftover_is_not_gone_on_from(
    tmp_path: Path, medcost: Medcost, larger_book: Path, whole: Path
) -> None:
    out = tmp_path / "out"
    killed_at("activity", larger_book, out)
    part = next(staged(out)[0].glob("of-2026-01/kept/activity/part-*.arrow"))
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(bytes(content))
    done = medcost(*arguments(larger_book, out, "--resume", period="all"))
    assert done.returncode == 0
    assert "goes on" not in done.stderr
    assert tables_of(out) == tables_of(whole)


def test_a_run_without_resume_clears_away_what_a_killed_one_left(
    tmp_path: Path, medcost: Medcost, larger_book: Path
) -> None:
    out = tmp_path / "out"
    killed_at("activity", larger_book, out)
    done = medcost(*arguments(larger_book, out))
    assert (done.returncode, staged(out)) == (0, [])
    assert "goes on" not in done.stderr


def test_a_run_of_another_unit_leaves_what_may_be_gone_on_from(
    tmp_path: Path, medcost: Medcost, larger_book: Path
) -> None:
    """A scheduler has one task a unit: U01 is killed, U02 runs, U01 goes on."""
    out = tmp_path / "out"
    killed_at("activity", larger_book, out, "--resume", "--unit", "U01", period="2026-01")
    other = medcost(*arguments(larger_book, out, "--resume", "--unit", "U02"))
    assert (other.returncode, len(staged(out))) == (0, 1)
    again = medcost(*arguments(larger_book, out, "--resume", "--unit", "U01"))
    assert again.returncode == 0
    assert "goes on from a stopped run: activity" in again.stderr
    assert sorted(current(out)["runs"]["2026-01"]) == ["U01", "U02"]
    assert staged(out) == []


def test_a_terminated_run_with_resume_keeps_what_it_has_finished(
    tmp_path: Path, medcost: Medcost, larger_book: Path
) -> None:
    out = tmp_path / "out"
    code = stopped_at("activity", larger_book, out, "--resume", sent=signal.SIGTERM)
    assert (143, True) == (code, bool(staged(out)))
    again = medcost(*arguments(larger_book, out, "--resume", period="all"))
    assert "goes on from a stopped run" in again.stderr
