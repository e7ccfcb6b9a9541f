"""`medcost variance`, and runs of books with a budget: what they print, publish and refuse."""

from __future__ import annotations

import json
import re
import shutil
from decimal import Decimal
from pathlib import Path
from subprocess import CompletedProcess

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from medcost.tables import load_table

from .conftest import Medcost

MODEL = "three_level_step_down_2021"
TABLES = (
    "break_even", "budget_requests", "budget_reward", "budget_variance", "drg_variance",
    "variance_decomposition",
)  # fmt: skip


def codes_of(done: CompletedProcess[str]) -> list[str]:
    return re.findall(r"^\[([\w-]+)\]", done.stderr, re.MULTILINE)


def without_budget(book: Path, folder: Path) -> Path:
    shutil.copytree(book, folder)
    (folder / "budget.parquet").unlink()
    return folder


@pytest.fixture(scope="module")
def budget(sample_book: Path) -> Path:
    return sample_book / "budget.parquet"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, medcost: Medcost, sample_book: Path) -> Path:
    """Two months of the sample, published before there was a budget."""
    folder = tmp_path_factory.mktemp("variance")
    book, out = without_budget(sample_book, folder / "book"), folder / "runs"
    done = medcost("run", book, "--period", "all", "--model", MODEL, "--out", out, "--quiet")
    assert (0, "") == (done.returncode, done.stderr)
    return out


def run_of(out: Path, period: str) -> Path:
    current = json.loads((out / "CURRENT.json").read_text("utf-8"))
    return out / current["runs"][period]["U01"]


def test_a_variance_is_shown_and_nothing_is_written(
    medcost: Medcost, runs: Path, budget: Path
) -> None:
    before = sorted(path.name for path in runs.iterdir())
    done = medcost("variance", runs, "--budget", budget, "--period", "2026-02")
    assert (0, "") == (done.returncode, done.stderr)
    for title in (
        "预算执行",
        "按成本项目",
        "超预算",
        "差异分解",
        "病组差异",
        "预算申报",
        "绩效奖惩",
    ):
        assert title in done.stdout
    assert done.stdout.startswith("2026-02: 预算差异 Budget variance")
    assert before == sorted(path.name for path in runs.iterdir())


def test_the_last_line_says_what_was_done(medcost: Medcost, runs: Path, budget: Path) -> None:
    """Alerts are those of the rows of budget_variance, as the table of a run has them."""
    done = medcost("variance", runs, "--budget", budget, "--period", "2026-02", "--json-log")
    last = done.stdout.splitlines()[-1]
    assert re.fullmatch(r"done: 1 month, 2 units, \d+ alerts, nothing written", last)
    logged = json.loads(done.stderr.splitlines()[-1])
    assert (logged["event"], logged["verdict"], logged["exit_code"]) == ("summary", "shown", 0)
    assert logged["message"] == last


def test_the_total_shown_is_the_one_in_scope(medcost: Medcost, runs: Path, budget: Path) -> None:
    """Σ direct of department_cost, and Σ amount of the budget's departments."""
    done = medcost("variance", runs, "--budget", budget, "--period", "2026-01")
    direct = pc.sum(pq.read_table(run_of(runs, "2026-01") / "department_cost.parquet")["direct"])
    plan = pq.read_table(budget, filters=[("period", "=", "2026-01")])
    planned = pc.sum(plan.filter(pc.is_valid(plan["dept_id"]))["amount"])
    total = next(line for line in done.stdout.splitlines() if line.startswith(" 合计 total"))
    assert [f"{planned.as_py():,.2f}", f"{direct.as_py():,.2f}"] == total.split()[2:4]


def test_variances_are_published_as_runs_of_their_own(
    tmp_path: Path, medcost: Medcost, runs: Path, budget: Path
) -> None:
    out = tmp_path / "out"
    done = medcost("variance", runs, "--budget", budget, "--out", out)
    assert done.returncode == 0
    assert done.stdout.count("published: ") == 2
    last = done.stdout.splitlines()[-1]
    alerts = sum(
        len(column) - column.null_count
        for period in ("2026-01", "2026-02")
        for column in [pq.read_table(run_of(out, period) / "budget_variance.parquet")["alert"]]
    )
    assert last == f"done: 2 months, 2 units, {alerts} alerts, 2 published, 0 already there"
    run = run_of(out, "2026-02")
    manifest = json.loads((run / "manifest.json").read_text("utf-8"))
    assert ("variance", ["U01", "U02"]) == (manifest["through"], manifest["units"])
    assert f"variance of {run_of(runs, '2026-02').name}" in manifest["notes"]
    assert {"budget.parquet", "budget_control.toml"} == {f["name"] for f in manifest["inputs"]}
    assert [f"{name}.parquet" for name in TABLES] == [f["name"] for f in manifest["outputs"]]
    for name in TABLES:
        schema = pq.read_schema(run / f"{name}.parquet")
        columns = load_table(f"out_{name}").columns
        assert [column.name for column in columns] == schema.names
        for column in columns:
            if column.scale is not None:
                expected = pa.decimal128(column.precision, column.scale)
                assert schema.field(column.name).type == expected
    again = medcost("variance", runs, "--budget", budget, "--out", out)
    assert again.stdout.count("already published, nothing new") == 2


def test_rows_are_sorted_by_key_and_keys_are_unique(
    tmp_path: Path, medcost: Medcost, runs: Path, budget: Path
) -> None:
    out = tmp_path / "out"
    assert medcost("variance", runs, "--budget", budget, "--out", out, "--quiet").stdout == ""
    for name in TABLES:
        rows = pq.read_table(run_of(out, "2026-01") / f"{name}.parquet").to_pylist()
        key = load_table(f"out_{name}").key
        keys = [tuple(row[part].encode() for part in key) for row in rows]
        assert keys == sorted(set(keys)), name
        assert rows, name


def test_a_run_of_a_book_with_a_budget_publishes_the_same_tables(
    tmp_path: Path, medcost: Medcost, sample_book: Path, runs: Path, budget: Path
) -> None:
    """The batch's January is February's last month, as the published one is."""
    whole, apart = tmp_path / "whole", tmp_path / "apart"
    done = medcost("run", sample_book, "--period", "all", "--model", MODEL, "--out", whole)
    assert done.returncode == 0
    assert "预算执行 Budget execution by unit" in done.stdout
    medcost("variance", runs, "--budget", budget, "--out", apart, "--quiet")
    for period in ("2026-01", "2026-02"):
        for name in TABLES:
            tables = [pq.read_table(run_of(o, period) / f"{name}.parquet") for o in (whole, apart)]
            assert tables[0].equals(tables[1]), (period, name)


def test_neither_the_order_of_rows_nor_the_files_change_a_byte(
    tmp_path: Path, medcost: Medcost, runs: Path, budget: Path
) -> None:
    table = pq.read_table(budget)
    folder = tmp_path / "budget"
    folder.mkdir()
    order = list(range(len(table)))[::-1]
    pq.write_table(table.take(order[:100]), folder / "b.parquet")
    pq.write_table(table.take(order[100:]), folder / "a.parquet")
    names = []
    for source in (budget, folder):
        out = tmp_path / f"out_{source.stem}_{source.is_dir()}"
        medcost("variance", runs, "--budget", source, "--out", out, "--quiet")
        names.append(sorted(path.name for path in out.glob("run=*")))
    assert names[0] == names[1]


def test_a_run_that_stops_at_departments_has_no_groups(
    tmp_path: Path, medcost: Medcost, sample_book: Path
) -> None:
    out = tmp_path / "runs"
    done = medcost(
        "run", sample_book, "--period", "2026-01", "--model", MODEL, "--out", out,
        "--through", "departments",
    )  # fmt: skip
    assert done.returncode == 0
    assert "budgets of DRG groups left aside" in done.stderr
    run = run_of(out, "2026-01")
    assert pq.read_table(run / "drg_variance.parquet").num_rows == 0
    levels = pq.read_table(run / "budget_variance.parquet")["level"].to_pylist()
    assert {"department", "department_element", "element", "unit"} == set(levels)


def test_another_policy_changes_what_it_says(
    tmp_path: Path, medcost: Medcost, runs: Path, sample_book: Path, budget: Path
) -> None:
    control = tmp_path / "control.toml"
    control.write_text(
        '[control]\nid = "t"\ntitle = "t"\nauthority = "t"\neffective_from = 2026-01-01\n'
        '[drg]\nbase = "prior"\n'
    )
    out, mine = tmp_path / "out", tmp_path / "runs"
    options = ("--budget-control", control, "--out")
    done = medcost("variance", runs, "--budget", budget, *options, out)
    assert "基期口径 prior" in done.stdout
    month = ("--period", "2026-01", "--model", MODEL, "--quiet")
    assert medcost("run", sample_book, *month, *options, mine).returncode == 0
    for folder in (out, mine):
        table = pq.read_table(run_of(folder, "2026-01") / "drg_variance.parquet")
        assert {"prior"} == set(table["base"].to_pylist())


def test_a_fault_of_the_policy_ends_with_3_in_both_commands(
    tmp_path: Path, medcost: Medcost, runs: Path, sample_book: Path, budget: Path
) -> None:
    control = tmp_path / "control.toml"
    control.write_text("[alert]\nover = -1\n")
    options = ("--budget-control", control)
    month = ("--period", "2026-01", "--model", MODEL, "--out", tmp_path / "runs")
    for done in (
        medcost("variance", runs, "--budget", budget, *options),
        medcost("run", sample_book, *month, *options),
    ):
        assert done.returncode == 3
        assert ["control-key-missing", "control-value"] == sorted(codes_of(done))
    assert not (tmp_path / "runs").exists()


def broken(budget: Path, path: Path) -> Path:
    """Write January's budget with a department and a unit misspelt, and a standard doubled."""
    rows = pq.read_table(budget, filters=[("period", "=", "2026-01")]).to_pylist()
    rows[0]["dept_id"], rows[1]["unit_id"] = "CO6", "U7"
    group = next(row for row in rows if row["drg_id"])
    group["standard_price"] *= 2
    pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(budget)), path)
    return path


def test_all_faults_of_a_budget_stand_together(
    tmp_path: Path, medcost: Medcost, runs: Path, sample_book: Path, budget: Path
) -> None:
    """By the command, by a check and by a run of a book that holds the budget."""
    bad = broken(budget, tmp_path / "bad.parquet")
    found = ["budget-standards-disagree", "department-not-listed", "unit-not-listed"]
    book, out = tmp_path / "book", tmp_path / "out"
    shutil.copytree(sample_book, book)
    shutil.copy(bad, book / "budget.parquet")
    for done in (
        medcost("variance", runs, "--budget", bad, "--out", out),
        medcost("check", book, "--period", "2026-01"),
        medcost("run", book, "--period", "2026-01", "--model", MODEL, "--out", out),
    ):
        assert done.returncode == 3
        assert found == sorted(codes_of(done))
        assert "Nothing was published." in done.stderr
    assert not list(out.glob("run=*"))
    amounts = re.search(r"row \d+: ([\d,.]+) against ([\d,.]+)", done.stderr)
    assert amounts is not None
    planned, computed = (Decimal(text.replace(",", "")) for text in amounts.groups())
    assert abs(2 * planned - computed) <= Decimal("0.02")


def test_what_is_not_there_is_said(
    tmp_path: Path, medcost: Medcost, runs: Path, budget: Path
) -> None:
    for arguments, status, code in (
        ((tmp_path, "--budget", budget), 3, ["run-not-found"]),
        ((runs, "--budget", budget, "--period", "2025-12"), 3, ["run-not-found"]),
        ((runs, "--budget", budget, "--period", "2026-01", "--unit", "U9"), 3, ["run-not-found"]),
        ((runs, "--budget", tmp_path / "absent.parquet"), 2, []),
        ((runs, "--budget", tmp_path), 3, ["table-empty"]),
        ((runs,), 2, []),
        ((runs, "--budget", budget, "--out", runs), 2, []),
        ((runs, "--budget", budget, "--out", run_of(runs, "2026-01")), 2, []),
    ):
        done = medcost("variance", *arguments)
        assert (status, code) == (done.returncode, codes_of(done)), arguments
        assert "Traceback" not in done.stderr


def test_a_run_that_kept_nothing_is_refused(
    tmp_path: Path, medcost: Medcost, sample_book: Path, budget: Path
) -> None:
    out = tmp_path / "runs"
    month = ("--period", "2026-01", "--model", MODEL, "--out", out, "--quiet", "--no-matrix")
    assert medcost("run", sample_book, *month).returncode == 0
    done = medcost("variance", out, "--budget", budget)
    assert (3, ["run-not-kept"]) == (done.returncode, codes_of(done))


def test_an_output_folder_that_cannot_be_written_ends_with_5(
    tmp_path: Path, medcost: Medcost, runs: Path, budget: Path
) -> None:
    (tmp_path / "out").write_text("a file")
    done = medcost("variance", runs, "--budget", budget, "--out", tmp_path / "out")
    assert (5, ["cannot-publish"]) == (done.returncode, codes_of(done))


def test_the_log_is_one_json_object_a_line(medcost: Medcost, runs: Path, budget: Path) -> None:
    done = medcost("variance", runs, "--budget", budget, "--json-log", "--quiet")
    *lines, summary = [json.loads(line) for line in done.stderr.splitlines()]
    assert ["2026-01", "2026-02"] == [line["period"] for line in lines]
    assert ("summary", "shown") == (summary["event"], summary["verdict"])
    assert set(TABLES) == set(lines[0]["rows"])
    bad = medcost("variance", runs, "--budget", budget, "--period", "2030-01", "--json-log")
    fault, summary = [json.loads(line) for line in bad.stderr.splitlines()]
    assert ("run-not-found", "error") == (fault["code"], fault["level"])
    assert ("summary", 3) == (summary["event"], summary["exit_code"])
