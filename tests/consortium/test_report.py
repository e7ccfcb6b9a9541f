"""A report of the consortium's results, alone and beside costs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import run_medcost
from report.published import grids, rows_of

from medcost.report import contents, figures
from medcost.report.contents import compose
from medcost.report.figures import Figures, read_figures
from medcost.report.section import Section
from medcost.report.words import same

from .books import MONTH
from .results import Place, cost, published, result


def postings_section(found: Figures) -> Section:
    """Return a section that says how much is posted from L."""
    sums = found.tables["intercompany"].sums(("from_unit_id",), ("amount",))
    return Section("postings", same(f"L posts {sums[('L',)][0]} fen"))


@pytest.fixture
def section(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "CONSORTIUM", (("share", postings_section),))
    # A stand-in's table is one of costing too, which here is nobody's.
    others = tuple(name for name in figures.COST_TABLES if name != "intercompany")
    monkeypatch.setattr(figures, "COST_TABLES", others)


def cover_of(folder: Path) -> dict[str, str]:
    return {key.en: text.en for key, text in compose(read_figures(folder, None)).cover}


@pytest.mark.usefixtures("section")
def test_a_report_of_results_alone_has_their_sections_and_none_of_costs(place: Place) -> None:
    (run,) = published(place, result())
    report = compose(read_figures(place.out, None))
    assert [one.title.en for one in report.sections] == ["L posts 1050 fen"]
    assert report.tie_out.en == "Results of the consortium: 1, each as it was published."
    assert report.is_tied
    (row,) = rows_of(grids(report)["runs"])
    assert (row["run"], row["units"], row["ledger"]) == (run.folder.name, 2, None)
    assert report.notes == (("said", "said"),)
    assert cover_of(place.out)["Cost sharing"] == "A policy of the tests (test)"
    assert "Allocation model" not in cover_of(place.out)


@pytest.mark.usefixtures("section")
def test_results_stand_beside_costs_before_the_reconciliation(place: Place, tmp_path: Path) -> None:
    cost(tmp_path, place.out)
    plain = compose(read_figures(place.out, None))
    published(place, result())
    report = compose(read_figures(place.out, None))
    keys = [one.key for one in plain.sections]
    assert [one.key for one in report.sections] == [*keys[:-1], "postings", "reconciliation"]
    assert report.tie_out == plain.tie_out
    assert report.units == plain.units
    assert len(rows_of(grids(report)["runs"])) == 2


@pytest.mark.usefixtures("section")
def test_a_report_of_one_unit_shows_nothing_of_all_members(place: Place, tmp_path: Path) -> None:
    cost(tmp_path, place.out)
    published(place, result())
    found = read_figures(place.out, None, ("U",))
    assert found.results == ()
    assert "postings" not in [one.key for one in compose(found).sections]


@pytest.mark.usefixtures("section")
def test_a_kind_that_is_not_published_has_no_section(place: Place) -> None:
    published(place, result(kind="lend"))
    assert compose(read_figures(place.out, None)).sections == ()


@pytest.mark.usefixtures("section")
def test_of_several_months_those_asked_for_are_shown(place: Place) -> None:
    published(place, result(), dataclasses.replace(result(5), period="2026-02"))
    assert read_figures(place.out, None).periods == (MONTH, "2026-02")
    found = read_figures(place.out, ("2026-02", "2026-02"))
    assert [run.period for run in found.results] == ["2026-02"]
    assert postings_section(found).title.en == "L posts 5 fen"


@pytest.mark.usefixtures("section")
def test_names_are_those_that_the_result_kept(place: Place) -> None:
    published(place, result())
    assert read_figures(place.out, None).unit_name("L") == "L Lead"


def test_the_command_writes_a_page_a_workbook_and_an_index_of_results(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process that knows no stand-in, as any reader's: only the cover and the runs."""
    (run,) = published(place, result())
    done: Any = run_medcost("report", place.out, "--index", "--lang", "en")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Results of the consortium: 1, each as it was published.\n")
    reports = place.out / "reports"
    names = ["index.html", f"report_{MONTH}.html", f"report_{MONTH}.xlsx"]
    assert sorted(path.name for path in reports.iterdir()) == names
    assert run.folder.name.removeprefix("run=") in (reports / "index.html").read_text("utf-8")
