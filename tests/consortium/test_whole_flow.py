"""The consortium's commands on the sample, as somebody new would go: make, check, ask, look."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from cli.conftest import run_medcost

from medcost.commands.consortium import SOLVER_ENDS
from medcost.report import contents
from medcost.sample import consortium as sample
from medcost.tables import CONSORTIUM_INPUTS, CONSORTIUM_RESULTS, table_names

MONTH = "2026-01"
# The kinds whose commands there are.
KINDS = tuple(kind for kind, tables in CONSORTIUM_RESULTS.items() if tables)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the sample of five members, few lines."""
    folder = tmp_path_factory.mktemp("flow") / "book"
    done = run_medcost("sample", folder, "--lines", 4000, "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture(scope="module")
def published(book: Path) -> Path:
    """Return a folder with January's costs and every kind of result."""
    out = book.parent / "out"
    model = ("--model", "three_level_step_down_2021", "--quiet")
    assert run_medcost("run", book, "--period", MONTH, *model, "--out", out).returncode == 0
    for kind in KINDS:
        done = run_medcost(kind, book, "--period", MONTH, "--out", out)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1].startswith(f"done: {kind}, 1 month, 5 members, 1 pub")
    return out


def test_the_sample_has_every_table_of_the_consortium_and_no_fault(book: Path) -> None:
    there = {path.stem for path in book.glob("*.parquet")}
    made = {name for names in CONSORTIUM_INPUTS.values() for name in names}
    assert made - there == set(), "no generator makes them"
    done = run_medcost("check", book)
    assert (done.returncode, done.stdout) == (0, "No fault found in 2026-01, 2026-02.\n")


def test_every_kind_is_published_beside_the_costs(published: Path) -> None:
    current = json.loads((published / "CURRENT.json").read_text("utf-8"))
    assert set(current["consortium"][MONTH]) == set(KINDS)
    assert sorted(current["runs"][MONTH]) == ["U01", "U02", "U03", "U04", "U05"]
    done = run_medcost("verify", published)
    assert done.returncode == 0
    assert done.stdout.startswith(f"{len(KINDS) + 1} runs, ")


def test_the_report_has_a_section_of_every_kind(published: Path) -> None:
    done = run_medcost("report", published, "--lang", "en")
    assert done.returncode == 0, done.stderr
    page = (published / "reports" / f"report_{MONTH}.html").read_text("utf-8")
    assert len(page.encode()) <= 2_000_000
    assert {kind for kind, _ in contents.CONSORTIUM} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_question_publishes_nothing_new(book: Path, published: Path, kind: str) -> None:
    done = run_medcost(kind, book, "--period", MONTH, "--out", published)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith("0 published, 1 already there")


@pytest.mark.parametrize("kind", KINDS)
def test_results_of_two_months_can_be_held_against_each_other(
    book: Path, published: Path, tmp_path: Path, kind: str
) -> None:
    """A run against itself differs in nothing; without a table, in every row of it."""
    current = json.loads((published / "CURRENT.json").read_text("utf-8"))
    run = published / current["consortium"][MONTH][kind]
    same = run_medcost("diff", run, run)
    assert same.returncode == 0
    assert same.stdout.splitlines()[-1].endswith("no difference")
    other = tmp_path / "other"
    shutil.copytree(run, other)
    first = max(other.glob("*.parquet"), key=lambda path: pq.read_metadata(path).num_rows)
    first.unlink()
    done = run_medcost("diff", run, other)
    assert done.returncode == 0, done.stderr
    assert f"\n{first.stem}: " in done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_a_book_without_tables_of_the_consortium_is_refused_by_name(
    book: Path, tmp_path: Path, kind: str
) -> None:
    bare = tmp_path / "book"
    bare.mkdir()
    shutil.copy(book / "units.parquet", bare)
    done = run_medcost(kind, bare, "--period", MONTH, "--out", tmp_path / "out")
    assert done.returncode == 3
    assert done.stderr.startswith("[")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "CURRENT.json").exists()


def test_every_result_table_is_of_one_kind() -> None:
    named: list[Any] = [name for names in CONSORTIUM_RESULTS.values() for name in names]
    assert len(named) == len(set(named))
    assert {f"out_{name}" for name in named} <= set(table_names())
    assert set(SOLVER_ENDS) == {"infeasible", "unbounded", "time", "numerical"}


def test_one_hospital_alone_has_no_consortium(tmp_path: Path) -> None:
    book = tmp_path / "book"
    done = run_medcost("sample", book, "--hospitals", 1, "--lines", 1000, "--quiet")
    assert done.returncode == 0
    made = {name for names in CONSORTIUM_INPUTS.values() for name in names}
    assert not made & {path.stem for path in book.glob("*.parquet")}
    assert len(sample.MAKERS) >= 1
