"""The benchmarks work, from the books to the JSON; how long anything takes is not looked at."""

from __future__ import annotations

import ast
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from benchmarks.agreement import DisagreementError, require_agreement
from benchmarks.bare_decoding import decode
from benchmarks.books import PERIOD, find_book
from benchmarks.measure import main
from benchmarks.phases import OUR_RIVALS, installed_rivals
from benchmarks.processes import ProcessFailedError, run_measured
from benchmarks.shapes import SHAPES, Shape, grown
from benchmarks.test_kernels import KERNELS
from medcost.allocation_model import load_model
from medcost.book import open_book
from medcost.commands.options import DEFAULT_MODEL
from medcost.month_end import check_book, cost_period
from medcost.tables import ELEMENTS

SMALLEST = SHAPES["smallest"]
LINES = 20_000


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("books")


@pytest.fixture(scope="module")
def measured(books: Path) -> dict[str, Any]:
    """Return the JSON of one turn on the smallest shape, with every rival that is installed."""
    path = books / "run.json"
    sizes = ["--lines", str(LINES), "--threads", "2", "--repeat", "1", "--json", str(path)]
    result = CliRunner().invoke(
        main,
        ["run", "--shape", "smallest", *sizes],
        env={"MEDCOST_BENCH_BOOKS": str(books)},
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.output
    assert "whole-run[smallest-lines=20000-threads=2]" in result.output
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def test_every_phase_is_in_the_json_by_its_name(measured: dict[str, Any]) -> None:
    """Medcost's stages come from its manifest, so a new stage needs nothing here."""
    (result,) = measured["results"]
    names = {measurement["name"] for measurement in result["measurements"]}
    phases = {"whole-run", "activity", "departments", "service-items", "cases", "beside-stages"}
    phases |= {"decoding", "recost", "explain", *installed_rivals()}
    assert {f"{phase}[smallest-lines=20000-threads=2]" for phase in phases} <= names
    assert {"start-up[version]", "start-up[imports]"} <= names


def test_a_number_stands_with_machine_versions_size_and_peak_memory(
    measured: dict[str, Any],
) -> None:
    assert {"cpu", "cores", "memory_gb", "system"} == measured["machine"].keys()
    assert {"python", "medcost", "pyarrow", "numpy"} <= measured["versions"].keys()
    (result,) = measured["results"]
    assert (result["shape"], result["lines"], result["cases"]) == ("smallest", LINES, 500)
    by_name = {m["name"]: m for m in result["measurements"]}
    (sample,) = by_name["whole-run[smallest-lines=20000-threads=2]"]["samples"]
    assert sample.keys() == {"wall", "cpu", "peak_mb"}
    assert None not in sample.values()


@pytest.mark.parametrize("rival", OUR_RIVALS)
def test_the_rival_agrees_with_medcost(measured: dict[str, Any], rival: str) -> None:
    """Totals to a fen a row; no case is farther off than its own rounding, a fen an element."""
    if rival not in installed_rivals():
        pytest.skip(f"{rival} is not installed")
    (agreement,) = [a for a in measured["results"][0]["agreements"] if a["rival"] == rival]
    assert agreement["cases"] == 500
    assert agreement["largest_case"] <= 0.07


def test_a_series_and_a_run_become_the_tables_of_the_page(
    books: Path, measured: dict[str, Any]
) -> None:
    """Seconds per million lines stand beside what grew."""
    series = books / "growth.json"
    sizes = ["--values", "1,2", "--lines", "2e3", "--repeat", "1", "--rival", "none"]
    arguments = ["growth", "--of", "threads", "--shape", "smallest", *sizes, "--json", str(series)]
    where = {"MEDCOST_BENCH_BOOKS": str(books)}
    shown = CliRunner().invoke(main, arguments, env=where, catch_exceptions=False)
    assert "s per million lines" in shown.output
    files = [str(books / "run.json"), str(series)]
    page = CliRunner().invoke(main, ["markdown", *files], catch_exceptions=False).output
    assert measured["machine"]["cpu"] in page
    assert "| smallest | 20,000 | 500 |" in page
    assert "| medcost | 2 | 50 |" in page


def write_results(folder: Path, *staff: float) -> Path:
    """Write the tables of cases K0, K1, ... that cost so much in staff, 10 yuan in the others."""
    folder.mkdir()
    others = {element: [10.0] * len(staff) for element in ELEMENTS if element != "staff"}
    names = [f"K{i}" for i in range(len(staff))]
    rows = {"unit_id": ["U"] * len(staff), "case_id": names, "staff": list(staff), **others}
    rows["total"] = [yuan + 60.0 for yuan in staff]
    for table in ("service_item_cost", "case_cost", "drg_cost"):
        pq.write_table(pa.table(rows), folder / f"{table}.parquet")
    return folder


def test_a_rival_with_another_total_is_not_timed(tmp_path: Path) -> None:
    """One yuan more on one of two cases: 2 x 0.01 yuan would be allowed."""
    run = write_results(tmp_path / "run", 10.0, 10.0)
    rival = write_results(tmp_path / "rival", 10.0, 11.0)
    with pytest.raises(DisagreementError, match=r"staff is 21\.00 yuan, medcost's 20\.00"):
        require_agreement("rival", run, rival)
    assert require_agreement("medcost", run, run).largest_case == 0


def test_a_rival_that_splits_the_same_total_differently_is_not_timed(tmp_path: Path) -> None:
    run = write_results(tmp_path / "run", 10.0, 10.0)
    rival = write_results(tmp_path / "rival", 9.0, 11.0)
    with pytest.raises(DisagreementError, match=r"one of 2 cases differs by 1\.00 yuan"):
        require_agreement("rival", run, rival)


def test_a_process_that_fails_is_an_error_with_what_it_said() -> None:
    program = "import sys; sys.exit('no such book')"
    with pytest.raises(ProcessFailedError, match="status 1:\nno such book"):
        run_measured([sys.executable, "-c", program])


def test_peak_memory_is_the_process_s_own() -> None:
    """This process holds 400 MB when it starts the other, which needs a few."""
    held = np.ones(50_000_000)
    sample = run_measured([sys.executable, "-I", "-S", "-c", "pass"])
    assert held.nbytes == 400_000_000
    assert sample.peak_mb is not None
    assert sample.peak_mb < 100


def test_a_book_is_made_once_and_is_the_same_every_time(books: Path, tmp_path: Path) -> None:
    first, again = find_book(SMALLEST, 1_000, books), find_book(SMALLEST, 1_000, books)
    other = find_book(SMALLEST, 1_000, tmp_path)
    assert first == again
    assert first.name == other.name
    for file in first.iterdir():
        assert file.read_bytes() == (other / file.name).read_bytes()


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
def test_a_book_of_every_shape_has_no_fault(tmp_path: Path, shape: Shape) -> None:
    """Shapes keep their traits in a book of few lines; units and items are made fewer."""
    few = replace(shape, units=min(shape.units, 2), departments=12, items=min(shape.items, 100))
    book = open_book(find_book(few, 2_000, tmp_path))
    assert check_book(book, [PERIOD], None, load_model(DEFAULT_MODEL)) == []


def test_a_book_costs_the_same_in_every_storage(tmp_path: Path) -> None:
    """Every storage holds the same lines."""
    totals = set()
    for storage in ("decimals", "int64-decimals", "integers", "doubles", "plain"):
        book = find_book(replace(SMALLEST, storage=storage), 2_000, tmp_path)
        result = cost_period(open_book(book), load_model(DEFAULT_MODEL), PERIOD)
        case_cost = result.tables["case_cost"]
        totals.add(tuple(case_cost["total"].to_pylist()))
        physical = pq.read_metadata(book / "service_lines.parquet").schema.column(5).physical_type
        assert physical == {
            "decimals": "FIXED_LEN_BYTE_ARRAY",
            "plain": "FIXED_LEN_BYTE_ARRAY",
            "doubles": "DOUBLE",
        }.get(storage, "INT64")
    assert len(totals) == 1


def test_lines_have_reversals_and_direct_items_as_the_shape_says(books: Path) -> None:
    book = find_book(SMALLEST, LINES, books)
    lines = pq.read_table(book / "service_lines.parquet")
    reversed_lines = pc.sum(pc.less(lines["quantity"], 0)).as_py()
    assert lines.num_rows == LINES
    assert 100 < reversed_lines < 300
    assert 0 < lines["direct_cost"].null_count < LINES
    assert decode(book, 2) == LINES


def test_a_series_grows_in_what_it_says() -> None:
    assert grown(SMALLEST, "units", 5).units == 5
    assert grown(SMALLEST, "cases", 7).lines_per_case == 7
    assert grown(SMALLEST, "activities", 12_000).activities == 12_000
    assert len({grown(SMALLEST, of, 6).name for of in ("units", "cases", "activities")}) == 3


def imported_kernels(path: Path) -> set[str]:
    """Return the modules of medcost._core that a file imports."""
    return set(
        re.findall(r"^from medcost\._core\.(\w+) import", path.read_text("utf-8"), re.MULTILINE)
    )


def test_every_kernel_that_is_built_is_timed() -> None:
    """All of setup.py but memory, which has no loop: it tells the allocator once."""
    root = Path(__file__).resolve().parents[2]
    setup = (root / "setup.py").read_text("utf-8")
    (listed,) = re.findall(r"^KERNELS = (\[.*?\])", setup, re.MULTILINE | re.DOTALL)
    files = (root / "benchmarks" / name for name in ("test_kernels.py", "line_kernels.py"))
    timed = set[str]().union(*map(imported_kernels, files))
    assert set(ast.literal_eval(listed)) - {"memory"} == timed


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_call_of_a_kernel_can_be_repeated(kernel: str) -> None:
    call = KERNELS[kernel](1_000, np.random.default_rng(1))
    call()
    call()
