"""medcost check --report: every place and every row of every fault."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from books import book, posting, written
from python_calamine import CalamineWorkbook

from medcost.book import open_book
from medcost.errors import Fault
from medcost.month_end import check_book
from medcost.report import faults_workbook
from medcost.report.faults_workbook import build_faults


def read(content: bytes) -> dict[str, list[list]]:
    workbook = CalamineWorkbook.from_filelike(BytesIO(content))
    return {name: workbook.get_sheet_by_name(name).to_python()[1:] for name in workbook.sheet_names}


def wrong_book(tmp_path: Path) -> list[Fault]:
    """2,000 postings to 20 departments that are not listed, in rows 2 to 2001."""
    ledger = [posting("C", 1), *(posting(f"X{i % 20:02d}", "1.00") for i in range(2000))]
    folder = written(tmp_path, book({"C": "clinical"}, ledger, {}))
    return check_book(open_book(folder, "departments"), ["2026-01"])


def test_all_labels_and_all_rows_are_listed(tmp_path: Path) -> None:
    sheets = read(build_faults(wrong_book(tmp_path)))
    (kind,) = sheets["错误 Faults"]
    assert kind[1] == "department-not-listed"
    assert kind[5:7] == [20, 2000]
    assert len(sheets["位置 Places"]) == 20
    rows = sheets["行 Rows"]
    assert [row[1:4] for row in rows] == [
        ["department-not-listed", "dept_id", "ledger.parquet"]
    ] * 2000
    assert [row[4] for row in rows] == list(range(2, 2002))


def test_a_sheet_that_is_full_says_what_it_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults_workbook, "MOST_ROWS", 100)
    rows = read(build_faults(wrong_book(tmp_path)))["行 Rows"]
    assert len(rows) == 101
    assert rows[-1][0] == "其余未列 Not listed: 1,900"


def test_a_book_without_a_fault_says_so() -> None:
    assert read(build_faults([]))["错误 Faults"][0][0] == faults_workbook.NONE


def test_a_label_that_looks_like_a_formula_is_text() -> None:
    fault = Fault("table-empty", "=1+1", ("@SUM(A1)", "+1", "-1", "\x00"))
    sheets = read(build_faults([fault]))
    assert sheets["错误 Faults"][0][3] == "=1+1"
    assert [row[2] for row in sheets["位置 Places"]] == ["@SUM(A1)", "+1", "-1", "\\x00"]


def test_the_same_faults_give_the_same_bytes(tmp_path: Path) -> None:
    assert build_faults(wrong_book(tmp_path)) == build_faults(wrong_book(tmp_path))
