"""data/samples is what `medcost sample` writes, and its README tells the truth."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from medcost.allocation_model import load_model
from medcost.book import open_book
from medcost.cli import cli
from medcost.commands.options import DEFAULT_MODEL
from medcost.month_end import cost_period

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
TABLES = sorted(path.stem for path in SAMPLES.glob("*.parquet"))


def read(folder: Path, table: str) -> pa.Table:
    return pq.read_table(folder / f"{table}.parquet")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "book"
    result = CliRunner().invoke(cli, ["sample", str(folder), "--quiet"], catch_exceptions=False)
    assert result.exit_code == 0
    return folder


@pytest.mark.parametrize("table", TABLES)
def test_the_sample_command_makes_the_shipped_table(made: Path, table: str) -> None:
    assert read(SAMPLES, table).equals(read(made, table))


def test_the_sample_command_makes_no_other_table(made: Path) -> None:
    assert sorted(path.stem for path in made.glob("*.parquet")) == TABLES


def test_every_file_is_under_5_megabytes() -> None:
    assert max(path.stat().st_size for path in SAMPLES.iterdir()) < 5_000_000


def readme_cells(first: str) -> list[str]:
    text = (SAMPLES / "README.md").read_text("utf-8")
    row = re.search(rf"^\| {re.escape(first)} \|(.*)\|$", text, re.MULTILINE)
    assert row is not None, first
    return [cell.strip() for cell in row.group(1).split("|")]


@pytest.mark.parametrize("table", TABLES)
def test_the_readme_states_the_rows_of_each_table(table: str) -> None:
    assert readme_cells(table) == [f"{read(SAMPLES, table).num_rows:,}"]


def of_period(table: str, period: str) -> pa.Table:
    rows = read(SAMPLES, table)
    return rows.filter(pc.equal(rows["period"].cast(pa.string()), period))


def total(table: str, column: str) -> Callable[[str], str]:
    def of(period: str) -> str:
        wide = of_period(table, period)[column].cast(pa.decimal128(38, 4))
        return f"{pc.sum(wide).as_py() or 0:,.2f}"

    return of


def budget_of(column: str) -> Callable[[str], str]:
    """The budget of the rows that fill a column."""

    def of(period: str) -> str:
        rows = of_period("budget", period)
        amounts = rows.filter(pc.is_valid(rows[column]))["amount"]
        return f"{pc.sum(amounts).as_py():,.2f}"

    return of


def count(table: str, column: str = "", value: str = "") -> Callable[[str], str]:
    def of(period: str) -> str:
        rows = of_period(table, period)
        if column:
            rows = rows.filter(pc.equal(rows[column].cast(pa.string()), value))
        return f"{rows.num_rows:,}"

    return of


@pytest.mark.parametrize(
    ("figure", "of"),
    [
        ("ledger, yuan", total("ledger", "amount")),
        ("service lines", count("service_lines")),
        ("quantity, services", total("service_lines", "quantity")),
        ("charges, yuan", total("service_lines", "charge")),
        ("purchase cost of direct items, yuan", total("service_lines", "direct_cost")),
        ("cases of the month", count("cases")),
        ("inpatients", count("cases", "setting", "inpatient")),
        ("opening work in progress, cases", count("opening_work_in_progress")),
        ("budget of departments, yuan", budget_of("dept_id")),
        ("budget of DRG groups, yuan", budget_of("drg_id")),
        ("budget requests, yuan", total("budget_requests", "request")),
        ("funds to allocate, yuan", total("fund_totals", "total")),
        ("insurance packages, yuan", total("insurance_package", "package")),
        ("cost of shared services, yuan", total("shared_services", "cost")),
        ("fixed cost of equipment, yuan", total("equipment", "fixed_cost")),
        ("examinations asked for", total("exam_demand", "examinations")),
        ("cash inflow of members, yuan", total("cash_plan", "inflow")),
        ("cash outflow of members, yuan", total("cash_plan", "outflow")),
        ("business between members, yuan", total("intercompany", "amount")),
        ("statements, yuan", total("statements", "amount")),
    ],
)
def test_the_readme_states_the_grand_totals(figure: str, of: Callable[[str], str]) -> None:
    expected = readme_cells(figure)[-2:]
    assert expected == [of("2026-01"), of("2026-02")]


def test_february_opens_with_what_january_leaves_in_progress() -> None:
    """Same cases, same fen; only the month differs."""
    january = cost_period(open_book(SAMPLES), load_model(DEFAULT_MODEL), "2026-01")
    left = january.tables["work_in_progress"].drop_columns(["period"])
    opened = read(SAMPLES, "opening_work_in_progress").drop_columns(["period"])
    assert left.num_rows > 0
    assert (
        left.to_pylist()
        == opened.sort_by([("unit_id", "ascending"), ("case_id", "ascending")]).to_pylist()
    )
