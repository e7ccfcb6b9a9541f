"""`medcost run`: what it publishes, what it prints, and how it ends."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from medcost.book import SMALL_TABLES
from medcost.tables import load_table

from .conftest import Medcost

VARIANCES = (
    "break_even", "budget_requests", "budget_reward", "budget_variance", "drg_variance",
    "variance_decomposition",
)  # fmt: skip
MODEL = "three_level_step_down_2021"


def current(out: Path) -> dict:
    return json.loads((out / "CURRENT.json").read_text("utf-8"))


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, medcost: Medcost, sample_book: Path):
    out = tmp_path_factory.mktemp("published") / "out"
    done = medcost("run", sample_book, "--period", "all", "--model", MODEL, "--out", out)
    assert done.returncode == 0, done.stderr
    return out, done


def test_a_run_of_two_months_publishes_one_folder_each_and_points_to_both(published) -> None:
    out, _ = published
    runs = current(out)["runs"]
    assert list(runs) == ["2026-01", "2026-02"]
    for period, units in runs.items():
        assert sorted(units) == ["U01", "U02"]
        assert len(set(units.values())) == 1
        assert re.fullmatch(rf"run={period}-[0-9a-f]{{12}}", units["U01"])
    assert current(out)["fence"] == 1
    folders = {path.name for path in out.iterdir()}
    placed = {units["U01"] for units in runs.values()}
    assert folders == {"CURRENT.json", ".medcost-lock", "turn=000001", *placed}


def test_nothing_is_left_beside_the_output_folder(published) -> None:
    out, _ = published
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_every_result_table_has_the_contracts_columns_and_types_and_is_sorted(published) -> None:
    out, _ = published
    run = out / current(out)["runs"]["2026-01"]["U01"]
    names = {path.stem for path in run.glob("*.parquet")}
    assert names == {
        "department_cost", "department_flow", "service_item_cost", "case_cost", "drg_cost",
        "drg_matrix", "work_in_progress", "intercompany", "reconciliation", *VARIANCES,
    }  # fmt: skip
    for table_name in sorted(names):
        table = pq.read_table(run / f"{table_name}.parquet")
        schema = load_table(f"out_{table_name}")
        assert table.column_names == [column.name for column in schema.columns]
        for column in schema.columns:
            found = table.schema.field(column.name).type
            if column.scale is not None:
                assert found == pa.decimal128(column.precision, column.scale)
            else:
                expected = {"string": pa.string(), "int64": pa.int64(), "double": pa.float64()}
                assert found == expected[column.type]
            if not column.nullable and column.name != "mean":
                assert table[column.name].null_count == 0
        labels = (table[name].to_pylist() for name in schema.key)
        keys = [tuple(label.encode() for label in row) for row in zip(*labels, strict=True)]
        assert keys == sorted(keys)
        assert len(set(keys)) == len(keys)


def test_the_manifest_names_inputs_outputs_model_and_totals(published, sample_book: Path) -> None:
    out, _ = published
    run = out / current(out)["runs"]["2026-02"]["U01"]
    manifest = json.loads((run / "manifest.json").read_text("utf-8"))
    assert f"run={manifest['run']}" == run.name
    for record in manifest["outputs"]:
        path = run / record["name"]
        assert record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert record["rows"] == pq.read_metadata(path).num_rows
    for record in manifest["inputs"]:
        path = sample_book / record["name"]
        assert record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    # The tables of the consortium lie in the book, and a run reads none of them.
    of_costing = {*SMALL_TABLES, "service_lines"}
    there = {path.name for path in sample_book.iterdir() if path.stem in of_costing}
    assert {r["name"] for r in manifest["inputs"]} == there
    assert manifest["model"]["id"] == "three-level-step-down-2021"
    totals = {reason: Decimal(amount) for reason, amount in manifest["totals"].items()}
    ledger = totals.pop("ledger")
    assert ledger == sum(totals.values())


def test_the_printed_reconciliation_ties_to_the_fen(published) -> None:
    _, done = published
    assert done.stdout.count("difference") == 2
    assert re.findall(r"difference\s+(\S+)", done.stdout) == ["0.00", "0.00"]


def test_the_same_input_publishes_nothing_new_and_exits_0(
    tmp_path: Path, medcost: Medcost, sample_book: Path
) -> None:
    command = ("run", sample_book, "--period", "2026-01", "--model", MODEL, "--out", tmp_path / "o")
    assert medcost(*command).returncode == 0
    before = tree(tmp_path / "o")
    again = medcost(*command)
    assert again.returncode == 0
    assert "already published, nothing new" in again.stdout
    assert tree(tmp_path / "o") == before


def test_shuffled_rows_and_split_files_publish_the_same_run(
    tmp_path: Path, medcost: Medcost, sample_book: Path
) -> None:
    book = tmp_path / "book"
    shutil.copytree(sample_book, book)
    lines = pq.read_table(book / "service_lines.parquet")
    (book / "service_lines.parquet").unlink()
    order = pa.array(sorted(range(lines.num_rows), key=lambda i: hashlib.md5(b"%d" % i).digest()))  # noqa: S324
    shuffled = lines.take(order)
    (book / "service_lines").mkdir()
    for i in range(3):
        part = shuffled.slice(i * 1500, 1500)
        pq.write_table(part, book / "service_lines" / f"part-{i}.parquet", row_group_size=333)
    first = medcost(
        "run", sample_book, "--period", "2026-01", "--model", MODEL, "--out", tmp_path / "o"
    )
    second = medcost(
        "run",
        book,
        "--period",
        "2026-01",
        "--model",
        MODEL,
        "--out",
        tmp_path / "p",
        "--threads",
        1,
    )
    assert first.returncode == second.returncode == 0
    assert current(tmp_path / "o") == current(tmp_path / "p")
    run = current(tmp_path / "o")["runs"]["2026-01"]["U01"]
    for path in (tmp_path / "o" / run).glob("*.parquet"):
        assert path.read_bytes() == (tmp_path / "p" / run / path.name).read_bytes()


def test_a_run_replaces_only_its_own_units_and_periods(
    tmp_path: Path, medcost: Medcost, sample_book: Path
) -> None:
    out = tmp_path / "o"
    common = (sample_book, "--model", MODEL, "--out", out, "--quiet")
    assert medcost("run", *common, "--period", "all").returncode == 0
    before = current(out)
    assert medcost("run", *common, "--period", "2026-01", "--unit", "U02").returncode == 0
    after = current(out)
    assert after["fence"] == before["fence"] + 1
    assert after["runs"]["2026-02"] == before["runs"]["2026-02"]
    assert after["runs"]["2026-01"]["U01"] == before["runs"]["2026-01"]["U01"]
    alone = after["runs"]["2026-01"]["U02"]
    assert alone != before["runs"]["2026-01"]["U02"]
    table = pq.read_table(out / alone / "department_cost.parquet")
    assert set(table["unit_id"].to_pylist()) == {"U02"}
    whole = pq.read_table(out / before["runs"]["2026-01"]["U02"] / "department_cost.parquet")
    assert table.equals(whole.filter(pc.equal(whole["unit_id"], "U02")))


@pytest.mark.parametrize(
    ("through", "tables"),
    [
        ("departments", {"department_cost", "department_flow"}),
        ("service-items", {"department_cost", "department_flow", "service_item_cost"}),
    ],
)
def test_through_stops_early_and_says_what_was_not_carried_further(
    tmp_path: Path, medcost: Medcost, sample_book: Path, through: str, tables: set[str]
) -> None:
    out = tmp_path / "o"
    done = medcost(
        "run",
        sample_book,
        "--period",
        "2026-01",
        "--model",
        MODEL,
        "--out",
        out,
        "--through",
        through,
    )
    assert done.returncode == 0, done.stderr
    run = out / current(out)["runs"]["2026-01"]["U01"]
    assert {path.stem for path in run.glob("*.parquet")} == {*tables, *VARIANCES, "reconciliation"}
    reasons = set(pq.read_table(run / "reconciliation.parquet")["reason"].to_pylist())
    assert "not_carried_further" in reasons
    assert not reasons & {"cases", "visits", "work_in_progress"}


def test_quiet_prints_nothing(tmp_path: Path, medcost: Medcost, sample_book: Path) -> None:
    done = medcost(
        "run",
        sample_book,
        "--period",
        "2026-01",
        "--model",
        MODEL,
        "--out",
        tmp_path / "o",
        "--quiet",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_json_log_is_one_object_a_line_on_standard_error(
    tmp_path: Path, medcost: Medcost, sample_book: Path
) -> None:
    done = medcost(
        "run",
        sample_book,
        "--period",
        "2026-01",
        "--model",
        MODEL,
        "--out",
        tmp_path / "o",
        "--json-log",
    )
    records = [json.loads(line) for line in done.stderr.splitlines()]
    assert records
    assert all({"time", "level", "message"} <= set(record) for record in records)
    assert "difference" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--period", "2026-13"),
        ("run", "--period", "2026-02..2026-01"),
        ("run", "--period", "2026-01", "--through", "nowhere"),
        ("run", "--period", "2026-01", "--threads", "0"),
        ("run",),
        ("nonsense",),
        ("run", "--no-such-option"),
    ],
)
def test_wrong_usage_exits_2_without_a_traceback(
    tmp_path: Path, medcost: Medcost, sample_book: Path, arguments: tuple[str, ...]
) -> None:
    command, *rest = arguments
    done = medcost(command, sample_book, *rest, "--model", MODEL, "--out", tmp_path / "o")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "o").exists()


def test_help_and_version_exit_0(medcost: Medcost) -> None:
    for arguments in (("--help",), ("run", "--help"), ("--version",)):
        done = medcost(*arguments)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_period_the_ledger_does_not_have_is_refused_and_says_which_it_has(
    tmp_path: Path, medcost: Medcost, sample_book: Path
) -> None:
    done = medcost(
        "run", sample_book, "--period", "2031-07", "--model", MODEL, "--out", tmp_path / "o"
    )
    assert done.returncode == 3
    assert "[period-not-in-book]" in done.stderr
    assert "2026-01, 2026-02" in done.stderr


def test_check_finds_no_fault_in_the_sample(medcost: Medcost, sample_book: Path) -> None:
    done = medcost("check", sample_book, "--model", MODEL)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "No fault found in 2026-01, 2026-02.\n"


def test_sample_does_not_write_into_a_folder_that_holds_something(
    tmp_path: Path, medcost: Medcost
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = medcost("sample", tmp_path, "--lines", 1000)
    assert done.returncode == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_run_imports_nothing_that_it_does_not_use(tmp_path: Path, sample_book: Path) -> None:
    """Arrow would import pandas, a quarter of a second, to make arrays of lists."""
    script = (
        "import sys; import medcost.cli\n"
        "try: medcost.cli.main()\n"
        "finally: print(sorted({'pandas', 'jinja2', 'xlsxwriter', 'ortools'} & set(sys.modules)))"
    )
    options = ["--period", "2026-01", "--model", "three_level_step_down_2021", "--quiet"]
    command = [sys.executable, "-c", script, "run", sample_book, *options, "--out", tmp_path / "o"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "[]\n" == done.stdout
