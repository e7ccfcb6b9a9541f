"""The report of a consolidated month: X10's figures, in the page's tables and the workbook's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli.conftest import run_medcost
from python_calamine import CalamineWorkbook
from report.published import grids, rows_of

from consortium.books import MONTH, written
from consortium.consolidation.test_command import X10
from medcost.report.contents import Report, compose
from medcost.report.figures import read_figures


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """X10 published, others holding a fifth of A."""
    folder = tmp_path_factory.mktemp("x10")
    holding = {"period": MONTH, "unit_id": "B", "owned_id": "A", "parts": 4, "of_parts": 5}
    claim = {"period": MONTH, "unit_id": "B", "partner_id": "C", "kind": "services"}
    alone = {**claim, "side": "claim", "reference": "N1", "amount": 3}
    business = [*X10["intercompany"], alone]
    book = written(folder / "book", {**X10, "intercompany": business, "ownership": [holding]})
    done = run_medcost("consolidate", book, "--period", MONTH, "--out", folder / "out", "--quiet")
    assert done.returncode == 0, done.stderr
    return folder / "out"


@pytest.fixture(scope="module")
def report(out: Path) -> Report:
    return compose(read_figures(out, None))


def test_the_section_has_the_statement_with_totals_and_the_surplus(report: Report) -> None:
    assert "consolidation" in [section.key for section in report.sections]
    grid = grids(report)["consolidated_statement"]
    totals = {
        line.cells[0].en: line.cells[2:]  # type: ignore[union-attr]
        for line in grid.lines
        if line.kind in ("total", "difference")
    }
    assert totals["Total income"] == (140000, -11000, 129000)
    assert totals["Total cost"] == (118000, -10800, 107200)
    assert totals["Surplus"] == (22000, -200, 21800)
    assert totals["Assets shown"] == (52000, -50200, 1800)


def test_the_section_says_what_did_not_match_and_whose_the_surplus_is(report: Report) -> None:
    tables = grids(report)
    [left] = rows_of(tables["unmatched"])
    assert (left["from"], left["to"], left["claimed"], left["owed"]) == ("B", "C", 300, 0)
    of_a: dict[str, Any] = next(
        row for row in rows_of(tables["consortium_interest"]) if row["unit_id"] == "A"
    )
    assert (of_a["share"], of_a["of_consortium"], of_a["of_minority"]) == ("4/5", 15840, 3960)
    [profit] = rows_of(tables["unrealised_profit"])
    assert (profit["profit"], profit["opening"], profit["closing"]) == (400, 0, 200)


def test_pictures_go_from_the_members_to_the_consolidated(report: Report) -> None:
    [section] = [one for one in report.sections if one.key == "consolidation"]
    pictures = section.pictures
    assert len(pictures) == 3
    income = pictures[0].svg["en"]
    assert all(f">{text}<" in income for text in ("1,400", "-60", "-40", "-10", "1,290"))


def test_the_page_and_the_workbook_are_written(out: Path) -> None:
    done = run_medcost("report", out, "--lang", "en")
    assert done.returncode == 0, done.stderr
    book = CalamineWorkbook.from_path(out / "reports" / f"report_{MONTH}.xlsx")
    assert "Consolidated statement" in book.sheet_names
    rows = book.get_sheet_by_name("Consolidated statement").to_python()
    assert any(row[0] == "Surplus" and row[-1] == 218 for row in rows)
