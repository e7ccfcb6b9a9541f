"""The report of a published plan: the page's example in its tables and pictures."""

from __future__ import annotations

import pytest
from python_calamine import CalamineWorkbook
from report.published import grids, rows_of

from consortium.lending.commands import lend
from consortium.lending.test_by_hand import example
from consortium.test_commands import medcost
from medcost.report.contents import compose
from medcost.report.figures import read_figures


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The example of the page on lending, published."""
    book = example(tmp_path_factory.mktemp("lending"))
    assert lend(book, "2026-04", book / "out", "--quiet", policy=book / "policy.toml") == 0
    return book / "out"


@pytest.fixture(scope="module")
def report(out):
    return compose(read_figures(out, None))


def test_the_section_shows_the_pool_by_month(report):
    """April: 360,000 of deposits, 12,000 lent, 348,000 of cash, 250,000 free."""
    [section] = [one for one in report.sections if one.key == "lending"]
    april = rows_of(grids(report)["pool_month"])[0]
    wanted = {"deposits": 36_000_000, "debts": 1_200_000, "cash": 34_800_000, "free": 25_000_000}
    assert {name: april[name] for name in wanted} == wanted
    assert len(section.pictures) == 2


def test_the_section_says_who_lends_and_who_borrows(report):
    """April's 12,000 are L's: V and T stand at their floors, L exceeds its by 200,000."""
    rows = rows_of(grids(report)["pool_plan"])
    moves = {row["unit_id"]: row for row in rows if row["month"] == "2026-04"}
    assert (moves["V"]["debt"], moves["T"]["debt"]) == (400_000, 800_000)
    [section] = [one for one in report.sections if one.key == "lending"]
    svg = section.pictures[1].svg["en"]
    assert svg.count("<rect") >= 3


def test_the_section_tells_reasons_and_gains(report):
    """T's unmet 2,000 by its limit; gains add up to 5.17 + 10.34 + 37.20 = 52.71."""
    [unserved] = rows_of(grids(report)["pool_priority"])
    assert unserved["unmet"] == 200_000
    assert "limit is used up" in str(unserved["reason"])
    gain = grids(report)["pool_gain"]
    [total] = [line for line in gain.lines if line.kind == "total"]
    assert total.cells[gain.place("gain")] == 5_271


def test_the_workbook_has_the_sheets(out, tmp_path):
    """One for the pool, one for the members' loans."""
    assert medcost("report", out, "--lang", "en", "--out", tmp_path, "--quiet") == 0
    [file] = tmp_path.glob("*.xlsx")
    names = CalamineWorkbook.from_path(file).sheet_names
    assert "Loans of members" in names
    assert "Gain of the pool" in names
