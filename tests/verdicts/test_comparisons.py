"""Comparisons with other publications close no period, and who looks later is told of old ones."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from books import Row, book, items, line, model, model_file, stay, written
from budgets import planned
from faults.injection import medcost

from medcost.comparisons import COMPARED, LOOKED_AT, OTHER_MONTHS, months_after, own_changes
from medcost.tables import load_table
from medcost.variance.months import WANTED
from medcost.verification import verify_folder

MONTHS = ("2026-01", "2026-02")
Run = Callable[..., int]


def townships(tmp_path: Path, january: int = 100, planned_for_u: int = 90) -> Path:
    """Return two months of townships U and V: C of U costs 100 in January, else all 50."""
    tables = book({"C": "clinical"}, {"C": 50}, {}, items(a=1), [line("C", "a", "K")],
                  cases=[stay("K", setting="outpatient", discharged=None)])  # fmt: skip
    tables["units"] = [{"unit_id": unit, "kind": "township"} for unit in "UV"]
    tables["departments"] += [row | {"unit_id": "V"} for row in tables["departments"]]
    for name in ("ledger", "service_lines", "cases"):
        tables[name] = [
            row | {"unit_id": unit, "period": period}
            for row in tables[name]
            for unit in "UV"
            for period in MONTHS
        ]
    tables["ledger"][0]["amount"] = Decimal(january)
    tables["budget"] = [
        planned(planned_for_u if unit == "U" else 40, unit_id=unit, period=period, dept_id="C")
        for unit in "UV"
        for period in MONTHS
    ]
    return written(tmp_path, tables)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run months of a book to tmp_path/out in this process; returns the exit code."""
    rules = model_file(tmp_path, model("direct"))

    def run(source: Path, period: str = "2026-01", *options: object) -> int:
        fixed = ("run", source, "--period", period, "--model", rules, "--threads", 1)
        return medcost((*fixed, "--out", tmp_path / "out", *options))

    return run


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def run_of(out: Path, period: str = "2026-01", unit: str = "U") -> Path:
    current = json.loads((out / "CURRENT.json").read_text("utf-8"))
    return out / current["runs"][period][unit]


def manifest_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
    return found


def unit_row(out: Path, period: str, unit: str) -> Row:
    """Return the row of a unit's total."""
    rows = pq.read_table(run_of(out, period, unit) / "budget_variance.parquet").to_pylist()
    (found,) = [row for row in rows if row["level"] == "unit" and row["unit_id"] == unit]
    return found


@pytest.mark.verdict("Units of one month published one by one, then together")
def test_peers_that_join_later_close_no_period(
    tmp_path: Path, out: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """U alone has no peer; beside V its peers' mean is 50.00, and no figure of it moves."""
    source = townships(tmp_path)
    assert run(source, "2026-01", "--unit", "U") == 0
    assert run(source, "2026-01", "--unit", "V") == 0
    assert unit_row(out, "2026-01", "U")["peer_mean"] is None
    capsys.readouterr()
    assert run(source) == 0
    shown = capsys.readouterr().err
    assert "comparisons with other units or months moved, and no figure of the month" in shown
    assert unit_row(out, "2026-01", "U")["peer_mean"] == Decimal("50.00")
    assert not list(out.glob("restatement=*"))
    assert verify_folder(out).faults == ()


@pytest.mark.verdict("A month that is restated, and later ones compared with it")
def test_a_restated_month_names_the_later_ones_that_compared_with_it(
    tmp_path: Path, out: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """January of U moves from 100.00 to 130.00: February shows 100.00 until it is run again."""
    source = townships(tmp_path)
    assert run(source, "all") == 0
    assert verify_folder(out).notes == ()
    late = townships(tmp_path, 130)
    assert run(late) == 3
    capsys.readouterr()
    assert run(late, "2026-01", "--restate", "late invoice") == 0
    shown = capsys.readouterr().err
    assert "2026-01: restated: 2026-02 compared with it before, run them again" in shown
    (record,) = out.glob("restatement=*")
    assert manifest_of(record)["stale"] == ["2026-02"]
    assert unit_row(out, "2026-02", "U")["last_month"] == Decimal("100.00")
    (note,) = verify_folder(out).notes
    assert note.startswith(f"2026-02: '{run_of(out, '2026-02').name}' compares with figures of 'U'")
    assert medcost(("verify", out)) == 0
    assert "are not the published ones any more; run 2026-02 again" in capsys.readouterr().err
    assert run(late, "2026-02") == 0
    assert unit_row(out, "2026-02", "U")["last_month"] == Decimal("130.00")
    assert unit_row(out, "2026-02", "U")["year_to_date"] == Decimal("180.00")
    assert verify_folder(out).notes == ()
    assert verify_folder(out).faults == ()
    assert len(list(out.glob("restatement=*"))) == 1


def test_months_restated_together_leave_nothing_old(tmp_path: Path, out: Path, run: Run) -> None:
    """February is run in the same batch: its comparisons are those of the new January."""
    assert run(townships(tmp_path), "all") == 0
    assert run(townships(tmp_path, 130), "all", "--restate", "late invoice") == 0
    (record,) = out.glob("restatement=*")
    assert manifest_of(record)["stale"] == []
    assert record.name == "restatement=2026-01-000002"
    assert verify_folder(out).notes == ()


def test_a_budget_that_moves_is_a_restatement(tmp_path: Path, out: Path, run: Run) -> None:
    """The budget is the month's own: 90.00, then 95.00."""
    assert run(townships(tmp_path)) == 0
    assert run(townships(tmp_path, planned_for_u=95)) == 3


def test_a_peer_that_is_restated_leaves_its_peers_with_its_old_figures(
    tmp_path: Path, out: Path, run: Run
) -> None:
    """V compares with U's 100.00; U alone is restated to 130.00."""
    source = townships(tmp_path)
    assert run(source, "2026-01", "--unit", "U") == 0
    assert run(source, "2026-01", "--unit", "V") == 0
    assert manifest_of(run_of(out, unit="V"))["compared"] == {"2026-01": {"U": run_of(out).name}}
    late = townships(tmp_path, 130)
    assert run(late, "2026-01", "--unit", "U", "--restate", "late invoice") == 0
    (note,) = verify_folder(out).notes
    assert note.startswith(f"2026-01: '{run_of(out, unit='V').name}' compares with figures of 'U'")
    assert run(late, "2026-01", "--unit", "V") == 0
    assert unit_row(out, "2026-01", "V")["peer_mean"] == Decimal("130.00")
    assert verify_folder(out).notes == ()


def test_a_month_run_again_to_the_same_figures_makes_nothing_old(
    tmp_path: Path, out: Path, run: Run
) -> None:
    """Another run of January with the same figures, of U alone: February compares as before."""
    source = townships(tmp_path)
    assert run(source, "all") == 0
    assert run(source, "2026-01", "--unit", "U") == 0
    assert run_of(out).name != run_of(out, unit="V").name
    assert verify_folder(out).notes == ()


def test_every_column_named_is_one_of_its_table() -> None:
    for name, columns in {**COMPARED, **LOOKED_AT}.items():
        assert columns <= {column.name for column in load_table(f"out_{name}").columns}
    for name, columns in LOOKED_AT.items():
        assert columns == {*WANTED[name]} - {"unit_id", "dept_id", "class", "element", "scheme",
                                             "drg_id"}  # fmt: skip
    against = load_table("out_drg_variance").column("against").values
    assert {*against} - {"budget"} == OTHER_MONTHS


def test_columns_of_the_month_itself_are_no_comparisons() -> None:
    """Each column of budget_variance is of the month, or of others, as decided here."""
    own = {column.name for column in load_table("out_budget_variance").columns}
    assert own - COMPARED["budget_variance"] == {
        "period", "unit_id", "level", "dept_id", "element", "drg_id", "budget_basis", "budget",
        "actual", "variance", "variance_rate", "favourable", "execution_rate", "alert", "freeze",
        "approval_tier", "year_to_date_budget",
    }  # fmt: skip


def test_rows_that_are_there_for_their_past_only_are_no_figures() -> None:
    """A department without cost and budget that had a cost last month; and groups by month."""
    import pyarrow as pa

    of_groups = {against: json.dumps({"drg_id": "G", "against": against}) for against in
                 ("budget", "last_month")}  # fmt: skip
    rows = [
        ("budget_variance", "{}", "actual", None, "0.00", False),
        ("budget_variance", "{}", "budget_basis", "missing", None, False),
        ("budget_variance", "{}", "last_month", "1.00", None, False),
        ("budget_variance", "{}", "actual", None, "0.01", True),
        ("budget_variance", "{}", "actual", "0.00", "1.00", True),
        ("budget_variance", "{}", "budget_basis", "given", None, True),
        ("department_cost", "{}", "actual", None, "0.00", True),
        ("drg_variance", of_groups["last_month"], "variance", "1.00", "2.00", False),
        ("drg_variance", of_groups["budget"], "variance", "1.00", "2.00", True),
        ("drg_variance", of_groups["budget"], "peer_mean", "1.00", "2.00", False),
    ]
    names = ("table", "key", "column", "old", "new", "own")
    table = pa.table(dict(zip(names, zip(*rows, strict=True), strict=True)))
    assert own_changes(table).to_pylist() == [row for row in table.to_pylist() if row["own"]]


def test_a_month_is_looked_at_by_its_year_the_next_month_and_the_next_year() -> None:
    published = {f"{year}-{month:02d}": {} for year in (2025, 2026) for month in range(1, 13)}
    assert months_after("2025-11", published) == ["2025-12", "2026-11"]
    assert months_after("2025-12", published) == ["2026-01", "2026-12"]
    assert len(months_after("2025-01", published)) == 12


def test_the_note_of_a_batch_is_an_object_of_the_log(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    source = townships(tmp_path)
    for unit in "UV":
        assert run(source, "2026-01", "--unit", unit) == 0
    capsys.readouterr()
    assert run(source, "2026-01", "--json-log") == 0
    logged = [json.loads(text) for text in capsys.readouterr().err.splitlines()]
    (note,) = [one for one in logged if "comparisons with other" in one["message"]]
    assert (note["event"], note["period"]) == ("note", "2026-01")
    logging.getLogger("medcost").handlers.clear()
