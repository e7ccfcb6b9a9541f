"""`medcost explain`: what it prints and writes, and how it ends."""

from __future__ import annotations

import json
import re
import shutil
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from medcost.kept_run import load_run
from medcost.tables import load_table

from .conftest import Medcost

MODEL = "three_level_step_down_2021"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, medcost: Medcost, sample_book: Path) -> Path:
    """Two months, the book kept with each run."""
    out = tmp_path_factory.mktemp("explain") / "runs"
    done = medcost("run", sample_book, "--period", "all", "--model", MODEL, "--out", out, "--quiet")
    assert done.returncode == 0, done.stderr
    return out


def published(runs: Path, name: str) -> list[dict]:
    """Return the rows of a table of January."""
    current = json.loads((runs / "CURRENT.json").read_text("utf-8"))
    run = current["runs"]["2026-01"]["U01"]
    return pq.read_table(runs / run / f"{name}.parquet").to_pylist()


def test_a_group_is_explained_to_the_fen(runs: Path, medcost: Medcost, tmp_path: Path) -> None:
    row = max(published(runs, "drg_cost"), key=lambda row: row["total"])
    out = tmp_path / "new" / "folder"
    group = ("--drg", row["drg_id"], "--unit", row["unit_id"], "--period", "2026-01")
    done = medcost("explain", runs, *group, "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"add up to {row['total']:,.2f} yuan." in done.stdout
    assert f"{row['cases']:,} cases" in done.stdout.splitlines()[1]
    assert {"explanation.parquet", "explanation_services.parquet", "explanation.html"} == {
        path.name for path in out.iterdir()
    }
    for name in ("explanation", "explanation_services"):
        table = pq.read_table(out / f"{name}.parquet")
        schema = load_table(f"out_{name}")
        assert [column.name for column in schema.columns] == table.column_names
        key = [(column, "ascending") for column in schema.key]
        assert table.equals(table.sort_by(key))
        total = pc.sum(table["amount"].cast(pa.decimal128(38, 2))).as_py()
        opening = sum(r["amount"] for r in explained(out) if r["path"] == "opening")
        assert row["total"] - (0 if name == "explanation" else opening) == total
    assert f"{row['total']:,.2f}" in (out / "explanation.html").read_text("utf-8")


def explained(out: Path) -> list[dict]:
    """Return the rows of the explanation."""
    return pq.read_table(out / "explanation.parquet").to_pylist()


def test_rows_of_several_units_stand_in_the_order_of_the_key(
    runs: Path, medcost: Medcost, tmp_path: Path
) -> None:
    rows = published(runs, "drg_cost")
    units: dict[str, set[str]] = {}
    for row in rows:
        units.setdefault(row["drg_id"], set()).add(row["unit_id"])
    drg = max(units, key=lambda label: len(units[label]))
    assert len(units[drg]) > 1
    done = medcost("explain", runs, "--drg", drg, "--period", "2026-01", "--out", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("explanation", "explanation_services"):
        table = pq.read_table(tmp_path / f"{name}.parquet")
        assert set(table["unit_id"].to_pylist()) == units[drg]
        assert table.equals(
            table.sort_by([(column, "ascending") for column in load_table(f"out_{name}").key])
        )


@pytest.mark.parametrize(
    ("reach", "there"),
    [("departments", (False, False)), ("service-items", (True, False)), ("cases", (True, True))],
)
def test_no_stage_after_the_figure_asked_for_is_computed(
    runs: Path, reach: str, there: tuple[bool, bool]
) -> None:
    run = load_run(runs, "2026-01", "U01", reach=reach)
    assert (run.items is not None, run.cases is not None) == there


def test_the_postings_shown_are_those_of_the_ledger(
    runs: Path, medcost: Medcost, sample_book: Path, tmp_path: Path
) -> None:
    row = max(published(runs, "department_cost"), key=lambda row: row["full_cost"])
    place = ("--dept", row["dept_id"], "--unit", row["unit_id"], "--period", "2026-01")
    element = ("--element", row["element"])
    assert medcost("explain", runs, *place, *element, "--out", tmp_path).returncode == 0
    ledger = pq.read_table(sample_book / "ledger.parquet").to_pylist()
    rows = explained(tmp_path)
    assert row["full_cost"] == sum((r["amount"] for r in rows), Decimal(0))
    for part in rows:
        posting = ledger[part["row"] - 1]
        assert "ledger.parquet" == part["file"]
        assert (part["unit_id"], part["origin_dept_id"], part["posted"]) == (
            posting["unit_id"], posting["dept_id"], posting["amount"],
        )  # fmt: skip


def test_the_same_question_writes_the_same_bytes(
    runs: Path, medcost: Medcost, tmp_path: Path
) -> None:
    item = published(runs, "service_item_cost")[0]["item_id"]
    question = ("explain", runs, "--item", item, "--period", "2026-01", "--quiet", "--out")
    for name in ("one", "two"):
        done = medcost(*question, tmp_path / name)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--drg", "A", "--item", "B"),
        ("--dept", "A", "--period", "2026-13"),
        ("--dept", "A", "--element", "wages"),
    ],
)
def test_wrong_usage_exits_2(runs: Path, medcost: Medcost, options: tuple[str, ...]) -> None:
    assert medcost("explain", runs, *options).returncode == 2


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--dept", "C01"), "run-ambiguous"),
        (("--dept", "C01", "--period", "2025-01"), "run-not-found"),
        (("--dept", "C01", "--period", "2026-01", "--unit", "X"), "run-not-found"),
        (("--dept", "X", "--period", "2026-01"), "figure-not-in-run"),
        (("--item", "X", "--period", "2026-01"), "figure-not-in-run"),
        (("--drg", "X", "--period", "2026-01"), "figure-not-in-run"),
        (("--dept", "A01", "--period", "2026-01"), "figure-ambiguous"),
    ],
)
def test_what_is_not_there_exits_3_with_its_code(
    runs: Path, medcost: Medcost, options: tuple[str, ...], code: str
) -> None:
    done = medcost("explain", runs, *options)
    assert (3, "") == (done.returncode, done.stdout)
    assert [code] == re.findall(r"^\[([\w-]+)\]", done.stderr, re.MULTILINE)


def test_a_folder_without_runs_exits_3(tmp_path: Path, medcost: Medcost) -> None:
    assert "[run-not-found]" in medcost("explain", tmp_path, "--dept", "A").stderr


def test_a_run_that_keeps_no_book_exits_3(runs: Path, medcost: Medcost, tmp_path: Path) -> None:
    shutil.copytree(runs, tmp_path / "runs", symlinks=True)
    for kept in (tmp_path / "runs").glob("run=*/kept"):
        shutil.rmtree(kept)
    done = medcost("explain", tmp_path / "runs", "--dept", "C01", "--period", "2026-01")
    assert 3 == done.returncode
    assert "[run-not-kept]" in done.stderr


def test_a_folder_that_cannot_be_written_exits_5(
    runs: Path, medcost: Medcost, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    question = ("--dept", "C01", "--unit", "U01", "--period", "2026-01")
    done = medcost("explain", runs, *question, "--out", tmp_path / "file")
    assert (5, "") == (done.returncode, done.stdout)
