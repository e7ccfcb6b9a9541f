"""The report of the example of shared equipment, in the page's tables and the workbook's."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.conftest import run_medcost
from python_calamine import CalamineWorkbook
from report.published import grids, rows_of

from medcost.report.contents import Report, compose
from medcost.report.figures import read_figures

from ..books import MONTH
from .months import book


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example of the documentation, published."""
    folder = tmp_path_factory.mktemp("equip")
    done = run_medcost(
        "equip", book(folder / "book"), "--period", MONTH, "--out", folder / "out", "--quiet"
    )
    assert done.returncode == 0, done.stderr
    return folder / "out"


@pytest.fixture(scope="module")
def report(out: Path) -> Report:
    return compose(read_figures(out, None))


def test_devices_stand_with_their_reasons_and_what_would_change(report: Report) -> None:
    """T2's device costs 19,350.00 and is open for access: without it 10 are not near by."""
    [section] = report.sections
    assert section.key == "equipment"
    sites = {row["unit_id"]: row for row in rows_of(grids(report)["equipment_site"])}
    assert sites["T2"]["cost"] == 1_935_000
    assert sites["T2"]["reason"] == "For access"
    assert (sites["T2"]["turned_grassroots_beyond"], sites["T2"]["turned_cost"]) == (10, -75_000)
    assert sites["T1"]["opened"] == "no"


def test_members_and_the_pool_pay_what_the_devices_cost(report: Report) -> None:
    """61,350.00 in all; what is paid and received nets to zero."""
    grid = grids(report)["equipment_share"]
    (total,) = [line for line in grid.lines if line.kind == "total"]
    cells = dict(zip((column.key for column in grid.columns), total.cells, strict=True))
    assert (cells["share"], cells["borne"], cells["payable"]) == (6_135_000, 6_135_000, 0)
    names = [row["unit_name"] for row in rows_of(grid)]
    assert names[0] == "Pool"
    assert names[1] == "County Hospital"


def test_goals_and_groups_are_told_in_words(report: Report) -> None:
    """Five goals in their order, and one type that no group would leave."""
    goals = [row["goal"] for row in rows_of(grids(report)["equipment_goal"])]
    assert goals[0] == "Grassroots examinations not made"
    assert len(goals) == 5
    (group,) = rows_of(grids(report)["equipment_coalition"])
    assert group["verdict"] == "Proved: no group is better off alone"


def test_pictures_show_use_access_and_payers(report: Report) -> None:
    """L's device does 200 of its own and has 200 free; T2's does 30 of its own and 60 of others."""
    pictures = report.sections[0].pictures
    assert len(pictures) == 3
    assert all(">400<" in pictures[0].svg[language] for language in ("zh", "en"))
    assert "By others 60" in pictures[0].svg["en"]
    assert "Near by 90" in pictures[1].svg["en"]


def test_the_page_and_the_workbook_are_written(out: Path) -> None:
    """The workbook's sheet of shares has the pool's 13,950.02."""
    done = run_medcost("report", out, "--lang", "en")
    assert done.returncode == 0, done.stderr
    workbook = CalamineWorkbook.from_path(out / "reports" / f"report_{MONTH}.xlsx")
    rows = workbook.get_sheet_by_name("Shares of the cost").to_python()
    assert any(13_950.02 in row for row in rows)
