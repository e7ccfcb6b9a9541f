"""`medcost fund` as a process: what it prints, publishes and refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from consortium.books import MONTH, written
from consortium.funding.test_stage import ASSESSED, UNITS, package, request, total


def medcost(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "medcost", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return written(
        tmp_path / "book",
        {
            "units": UNITS,
            "budget_requests": [
                request("C", "a", 1000, tags="key_discipline"),
                request("T1", "a", 300),
                request("V", "a", 500, previous=400),
            ],
            "fund_totals": total(1000),
            "insurance_package": [package()],
            "assessments": ASSESSED,
        },
    )


def test_a_month_is_printed_published_and_verified(book: Path, tmp_path: Path) -> None:
    """The village keeps 360 of its 400; 640 are left for 1,300: 492.31 and 147.69."""
    out = tmp_path / "out"
    done = medcost("fund", book, "--period", MONTH, "--out", out)
    assert (0, "") == (done.returncode, done.stderr)
    assert "done: fund, 1 month, 5 members, 1 published, 0 already there" in done.stdout
    assert "3,000,000.00" in done.stdout
    (run,) = out.glob("run=*")
    given = pq.read_table(run / "fund_allocation.parquet")["allocated"].to_pylist()
    assert ["492.31", "147.69", "360.00"] == list(map(str, given))
    current = json.loads((out / "CURRENT.json").read_text())
    assert {MONTH: {"fund": run.name}} == current["consortium"]
    assert 0 == medcost("verify", out).returncode
    again = medcost("fund", book, "--period", MONTH, "--out", out, "--quiet")
    assert 0 == again.returncode
    assert [run] == list(out.glob("run=*"))


def test_rules_in_conflict_exit_with_3_and_publish_nothing(book: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        '[policy]\nid = "x"\ntitle = "x"\nauthority = "x"\neffective_from = 2026-01-01\n'
        "[shares]\nkey_discipline = 0.7\n"
    )
    out = tmp_path / "out"
    done = medcost("fund", book, "--period", MONTH, "--out", out, "--policy", policy)
    assert 3 == done.returncode
    assert "[fund-rules-conflict]" in done.stderr + done.stdout
    assert "key_discipline (at least 70 %" in done.stderr + done.stdout
    assert not list(out.glob("run=*"))


def test_a_damaged_total_is_not_verified(book: Path, tmp_path: Path) -> None:
    """A fen moved from one share to nobody: the file is not what was published."""
    out = tmp_path / "out"
    medcost("fund", book, "--period", MONTH, "--out", out, "--quiet")
    (file,) = out.glob("run=*/surplus_share.parquet")
    pq.write_table(pq.read_table(file).slice(1), file)
    assert 0 != medcost("verify", out).returncode


def test_check_tells_the_faults_of_the_tables_of_funds(tmp_path: Path) -> None:
    bad = written(
        tmp_path / "bad",
        {"units": UNITS, "budget_requests": [request("C", "a", 1, floor=2)]},
    )
    done = medcost("fund", bad, "--period", MONTH, "--out", tmp_path / "out")
    assert 3 == done.returncode
    assert "[fund-floor-above-ceiling]" in done.stderr
    assert "[fund-total-missing]" in done.stderr
