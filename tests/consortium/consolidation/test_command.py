"""`medcost consolidate` as a process: what it prints, publishes and refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import run_medcost

from consortium.books import MONTH, Row, written

UNITS = [
    {"unit_id": "A", "name": "县医院", "kind": "lead"},
    {"unit_id": "B", "name": None, "kind": "township"},
    {"unit_id": "C", "name": None, "kind": "village"},
]


def entry(unit: str, line: str, amount: int) -> Row:
    return {"period": MONTH, "unit_id": unit, "line_id": line, "amount": amount}


def both(kind: str, claimant: str, debtor: str, amount: int, **more: object) -> list[Row]:
    claim = {"period": MONTH, "kind": kind, "amount": amount}
    return [
        {**claim, "unit_id": claimant, "partner_id": debtor, "side": "claim", **more},
        {**claim, "unit_id": debtor, "partner_id": claimant, "side": "debt"},
    ]


X10: dict[str, list[Row]] = {
    "units": UNITS,
    "statements": [
        entry("A", "business_income", 1040),
        entry("A", "interest_income", 10),
        entry("A", "business_cost", 850),
        entry("A", "other_receivables", 500),
        entry("B", "business_income", 200),
        entry("B", "business_cost", 180),
        entry("B", "other_cost", 10),
        entry("B", "other_payables", 500),
        entry("C", "business_income", 150),
        entry("C", "business_cost", 140),
        entry("C", "stores", 20),
    ],
    "intercompany": [
        *both("services", "A", "B", 60),
        *both("interest", "A", "B", 10),
        *both("loan", "A", "B", 500),
        *both("goods", "A", "C", 40, cost=36),
    ],
    "internal_stock": [
        {"period": MONTH, "unit_id": "C", "partner_id": "A", "kind": "goods", "amount": 20}
    ],
}


def cells(line: str) -> list[str]:
    return [
        cell for cell in line.split() if cell.replace(",", "").replace(".", "").strip("-").isdigit()
    ]


def test_x10_is_printed_with_members_their_sum_and_what_is_left(tmp_path: Path) -> None:
    """Sums 1,400 / 1,180 / 220 become 1,290 / 1,072 / 218; again, nothing new is published."""
    book, out = written(tmp_path / "book", X10), tmp_path / "out"
    done = run_medcost("consolidate", book, "--period", MONTH, "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    lines = {line.strip().split("  ")[0].strip(): cells(line) for line in done.stdout.splitlines()}
    assert lines["收入 income"] == [
        "1,050.00",
        "200.00",
        "150.00",
        "1,400.00",
        "-110.00",
        "1,290.00",
    ]
    assert lines["费用 cost"] == ["850.00", "190.00", "140.00", "1,180.00", "-108.00", "1,072.00"]
    assert lines["盈余 surplus"] == ["200.00", "10.00", "10.00", "220.00", "-2.00", "218.00"]
    assert done.stdout.splitlines()[-1] == (
        "done: consolidate, 1 month, 3 members, 1 published, 0 already there"
    )
    again = run_medcost("consolidate", book, "--period", MONTH, "--out", out, "--quiet")
    assert (again.returncode, again.stdout) == (0, "")
    assert run_medcost("verify", out, "--quiet").returncode == 0
    assert len(list(out.glob("run=*"))) == 1


def test_permuted_rows_give_the_same_run(tmp_path: Path) -> None:
    """A run's id is over the bytes of its tables."""
    ids = []
    for name, step in (("one", 1), ("other", -1)):
        book = written(tmp_path / name, {table: rows[::step] for table, rows in X10.items()})
        out = tmp_path / f"{name}_out"
        assert run_medcost("consolidate", book, "--period", "all", "--out", out).returncode == 0
        ids.append([run.name for run in out.glob("run=*")])
    assert ids[0] == ids[1]


def refused(tmp_path: Path, tables: dict[str, list[Row]], *options: object) -> list[Any]:
    book = written(tmp_path / "book", {**X10, **tables})
    out = tmp_path / "out"
    done = run_medcost("consolidate", book, "--period", MONTH, "--out", out, "--json-log", *options)
    assert done.returncode == 3, done.stderr
    assert done.stdout == ""
    assert not list(out.glob("run=*"))
    events = [json.loads(line) for line in done.stderr.splitlines()]
    return [event for event in events if "code" in event]


def test_members_that_own_each_other_are_printed_in_their_circle(tmp_path: Path) -> None:
    holding = {"period": MONTH, "parts": 1, "of_parts": 2}
    rows = [
        {**holding, "unit_id": owner, "owned_id": owned}
        for owner, owned in (("A", "B"), ("B", "C"), ("C", "A"))
    ]
    [fault] = refused(tmp_path, {"ownership": rows})
    assert fault["code"] == "ownership-cycle"
    assert "'A' owns 'B' owns 'C' owns 'A'" in fault["message"]


def test_check_finds_the_circle_too(tmp_path: Path) -> None:
    holding = {"period": MONTH, "parts": 1, "of_parts": 2, "unit_id": "A", "owned_id": "A"}
    book = written(tmp_path / "book", {**X10, "ownership": [holding]})
    done = run_medcost("check", book, "--period", MONTH)
    assert done.returncode == 3
    assert "[ownership-cycle]" in done.stderr


def test_faults_of_every_month_are_shown_together(tmp_path: Path) -> None:
    later = [{**row, "period": "2026-02"} for row in X10["statements"] if row["unit_id"] != "C"]
    here = [row for row in X10["statements"] if row["unit_id"] != "B"]
    faults = refused(tmp_path, {"statements": here + later}, "--period", "all")
    assert [fault["code"] for fault in faults] == ["statement-missing"] * 2
    assert [fault["where"] for fault in faults] == [["'B'"], ["'C'"]]


@pytest.mark.parametrize(
    ("setting", "code"), [("report", 0), ("reject", 3)], ids=["reported", "rejected"]
)
def test_what_does_not_match_is_left_in_or_refused(tmp_path: Path, setting: str, code: int) -> None:
    """B owes 59.50 of 60.00."""
    from medcost.consortium.policy import shipped_policies

    text = shipped_policies()["consolidation"].read_text("utf-8")
    policy = tmp_path / "policy.toml"
    policy.write_text(text.replace('unmatched = "report"', f'unmatched = "{setting}"'), "utf-8")
    rows: list[Any] = [dict(row) for row in X10["intercompany"]]
    rows[1]["amount"] = "59.50"
    book = written(tmp_path / "book", {**X10, "intercompany": rows})
    arguments = ("--period", MONTH, "--out", tmp_path / "out", "--policy", policy)
    done = run_medcost("consolidate", book, *arguments)
    assert done.returncode == code
    assert "Services from 'A' to 'B': 60.00 yuan claimed and 59.50 owed." in done.stderr
    if code:
        assert "intercompany.parquet row 1, intercompany.parquet row 2" in done.stderr


def test_a_reader_that_goes_away_is_no_crash(tmp_path: Path) -> None:
    book = written(tmp_path / "book", X10)
    command = [sys.executable, "-m", "medcost", "consolidate", str(book), "--period", MONTH]
    with subprocess.Popen(
        [*command, "--out", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0
