"""Shared services in the report: what the section shows is what was published."""

from pathlib import Path

import pytest

from consortium.sharing.test_command import share, write
from consortium.sharing.test_stage import LABORATORY, members, service
from medcost.report.consortium_sharing import sharing
from medcost.report.contents import compose
from medcost.report.figures import Figures, read_figures
from medcost.report.section import Section

HOSTILE = "<script>x</script>\u202e"


@pytest.fixture
def figures(tmp_path: Path) -> Figures:
    """Return the figures of the documentation's laboratory, by agreement: C is aggrieved."""
    agreed = members(
        A={"agreed_share": "0.3", "stand_alone_cost": "60"},
        B={"agreed_share": "0.2", "stand_alone_cost": "50"},
        C={"agreed_share": "0.5", "stand_alone_cost": "40"},
    )
    book = write(
        tmp_path / "book",
        shared_services=[service("agreed", game="listed", name=HOSTILE)],
        shared_service_members=agreed,
        coalition_costs=LABORATORY["coalition_costs"],
    )
    assert share(book, tmp_path / "out", "--quiet") == 0
    return read_figures(tmp_path / "out", None)


def cells(section: Section, grid: str, column: str) -> list[object]:
    """Return a column of the rows of a grid."""
    (found,) = (one for one in section.grids if one.key == grid)
    return [line.cells[found.place(column)] for line in found.lines if line.kind == "row"]


def test_the_section_stands_in_a_report_of_shares(figures: Figures) -> None:
    """And says in both languages who would be better off alone: C bears 50, alone 40."""
    report = compose(figures)
    (section,) = (one for one in report.sections if one.key == "sharing")
    (verdict,) = section.leads
    assert "C bears 10.00 yuan more than alone" in verdict.en
    assert "C多承担 10.00 元" in verdict.zh


def test_shares_postings_and_rules_are_those_published(figures: Figures) -> None:
    """30, 20, 50 in fen; B and C take over 70 from A."""
    section = sharing(figures)
    assert cells(section, "share", "share") == [3000, 2000, 5000]
    assert cells(section, "share", "saving") == [3000, 3000, -1000]
    assert cells(section, "share_posting", "amount") == [-2000, -5000, 2000, 5000]
    charged = zip(
        cells(section, "share_rule", "charged"), cells(section, "share_rule", "share"), strict=True
    )
    assert [fen for said, fen in charged if said is not None] == [3000, 2000, 5000]
    assert cells(section, "share_coalition", "excess")[-1] == 1000


def test_a_picture_shows_shares_against_the_cost_alone(figures: Figures) -> None:
    """One service with costs alone, drawn in two languages; names cannot act on the page."""
    (picture,) = sharing(figures).pictures
    for language in ("zh", "en"):
        assert picture.svg[language].startswith("<svg")
        assert "<script" not in picture.svg[language]
    assert "\u202e" not in picture.title.en
    assert "Beyond the cost alone" in picture.svg["en"]
