"""`medcost report` and `medcost check --report` as processes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from cli.conftest import Medcost

MODEL = ("--model", "three_level_step_down_2021")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, sample_book: Path, medcost: Medcost) -> Path:
    """Two published months."""
    out = tmp_path_factory.mktemp("runs") / "out"
    done = medcost("run", sample_book, "--period", "all", *MODEL, "--out", out, "--quiet")
    assert done.returncode == 0, done.stderr
    return out


def test_a_report_goes_beside_the_runs_and_says_that_it_ties_out(
    runs: Path, medcost: Medcost
) -> None:
    done = medcost("report", runs, "--period", "2026-02", "--index")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("对账相符")
    assert "差额 0.00 元" in lines[0]
    names = ["report_2026-02.html", "report_2026-02.xlsx", "index.html"]
    assert lines[1:] == [f"written to {runs / 'reports' / name}" for name in names]
    assert sorted(path.name for path in (runs / "reports").iterdir()) == sorted(names)


def test_a_report_in_english_of_several_months_to_another_place(
    runs: Path, medcost: Medcost, tmp_path: Path
) -> None:
    done = medcost("report", runs, "--lang", "en", "--out", tmp_path / "a" / "b")
    assert done.stdout.startswith("Tied out: ledger ")
    page = tmp_path / "a" / "b" / "report_2026-01_2026-02.html"
    assert page.stat().st_size < 2_000_000
    assert '<html lang="en"' in page.read_text("utf-8")


def test_the_report_of_a_run_folder_goes_beside_it(runs: Path, medcost: Medcost) -> None:
    run = next(runs.glob("run=2026-01*"))
    before = sorted(path.name for path in run.iterdir())
    assert medcost("report", run, "--quiet").stdout == ""
    assert (runs / "reports" / "report_2026-01.xlsx").is_file()
    assert sorted(path.name for path in run.iterdir()) == before


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--period", "2030-01"), 3, "[run-not-found]"),
        (("--unit", "U99"), 3, "[run-not-found]"),
        (("--period", "2026"), 2, "write YYYY-MM"),
        (("--lang", "fr"), 2, "'fr' is not one of"),
    ],
)
def test_what_is_not_there_is_refused_by_name(
    runs: Path, medcost: Medcost, options: tuple[str, ...], code: int, said: str
) -> None:
    done = medcost("report", runs, *options)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_no_output_folder_is_refused(medcost: Medcost, tmp_path: Path) -> None:
    done = medcost("report", tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("[run-not-found]")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_run_is_refused(runs: Path, medcost: Medcost, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(runs, tmp_path / "copy"))
    path = next(copy.glob("run=2026-01*/reconciliation.parquet"))
    path.write_bytes(path.read_bytes()[:-1])
    done = medcost("report", copy)
    assert done.returncode == 3
    assert done.stderr.startswith("[run-damaged]")


def test_a_place_that_cannot_be_written_exits_5(
    runs: Path, medcost: Medcost, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    done = medcost("report", runs, "--out", tmp_path / "file")
    assert done.returncode == 5
    assert done.stderr.startswith("[cannot-publish]")


def test_check_writes_all_faults(sample_book: Path, medcost: Medcost, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(sample_book, tmp_path / "book"))
    (broken / "drivers.parquet").unlink()
    file = tmp_path / "faults.xlsx"
    done = medcost("check", broken, "--report", file)
    assert done.returncode == 3
    assert done.stderr.startswith("[table-missing]")
    sheet = CalamineWorkbook.from_path(str(file)).get_sheet_by_index(0).to_python()
    assert sheet[1][1] == "table-missing"


def test_check_of_a_good_book_writes_that_there_is_none(
    sample_book: Path, medcost: Medcost, tmp_path: Path
) -> None:
    file = tmp_path / "faults.xlsx"
    assert medcost("check", sample_book, "--report", file).returncode == 0
    assert (
        "No fault" in CalamineWorkbook.from_path(str(file)).get_sheet_by_index(0).to_python()[1][0]
    )


def test_a_report_of_faults_must_be_a_workbook(sample_book: Path, medcost: Medcost) -> None:
    done = medcost("check", sample_book, "--report", "faults.csv")
    assert done.returncode == 2
    assert "ends in .xlsx" in done.stderr
    assert not Path("faults.csv").exists()


def test_a_report_of_faults_that_cannot_be_written_exits_5(
    sample_book: Path, medcost: Medcost, tmp_path: Path
) -> None:
    done = medcost("check", sample_book, "--report", tmp_path / "no" / "faults.xlsx")
    assert done.returncode == 5
    assert "Traceback" not in done.stderr
