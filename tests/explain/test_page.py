"""The page and the terminal: hostile labels stay text, nothing is loaded, figures are whole."""

import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from books import book, items, line, model, posting, stay
from rich.console import Console

from explain.explained import computed, explained
from medcost.explanation import Explanation, explain
from medcost.explanation_page import build_page
from medcost.explanation_picture import _width, fitted
from medcost.figure_found import Question
from medcost.figure_words import share_of
from medcost.terminal_costs import show_explanation

HOSTILE = [
    '<script>alert("x")</script>',
    "\"><img src=x onerror=alert(1)>'",
    "\u202egnp.exe\u2066",
    "[bold red]markup[/]",
    "长" * 300,
    "&amp;&#60;",
]


class Tags(HTMLParser):
    """Every tag with its attributes, and the text between."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, list]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.tags.append((tag, attributes))

    def handle_data(self, text: str) -> None:
        self.text += text


def hostile(tmp_path: Path, kind: str) -> Explanation:
    """Return an explanation in which every label and name is out to do harm."""
    dept, admin, item, group, unit, name = HOSTILE
    lines = [line(dept, item, "K1", 1), line(dept, item, "K2", 3)]
    tables = book(
        {dept: "clinical", admin: "admin"},
        [posting(dept, 100, account=name), posting(admin, 60), posting(admin, -20)],
        {admin: {dept: 1}},
        items(**{item: 1}),
        lines,
        cases=[stay("K1", group), stay("K2", group)],
        unit=unit,
    )
    for table in ("departments", "service_items"):
        tables[table] = [row | {"name": name * 10} for row in tables[table]]
    label = {"dept": dept, "item": item, "drg": group}[kind]
    return explained(tmp_path, tables, model(), kind, label, through="cases")


@pytest.mark.parametrize("kind", ["dept", "item", "drg"])
def test_hostile_labels_stay_text(tmp_path: Path, kind: str) -> None:
    page = build_page(hostile(tmp_path, kind))
    parser = Tags()
    parser.feed(page)
    known = {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "span", "br", "bdi",
        "b", "div", "table", "tr", "td", "svg", "text", "rect", "path",
    }  # fmt: skip
    assert {tag for tag, _ in parser.tags} <= known
    names = {name for _, attributes in parser.tags for name, _ in attributes}
    assert not {name for name in names if name.startswith("on") or name in ("src", "href")}
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", page)
    assert len(page.encode()) < 300_000
    assert max(map(len, parser.text.split("\n"))) < 5000


def test_nothing_is_loaded_from_anywhere(tmp_path: Path) -> None:
    """The only address is the name of the SVG language."""
    page = build_page(hostile(tmp_path, "drg"))
    assert {"http://www.w3.org/2000/svg"} == set(re.findall(r"\w+://[^\"'\s<]*", page))
    assert not re.search(r"@import|url\(|<script|<link", page)


def test_a_page_shows_the_figure_and_that_the_parts_add_up(tmp_path: Path) -> None:
    """100 + 60 - 20; a DRG of both cases holds it all."""
    page = build_page(hostile(tmp_path, "drg"))
    assert "140.00" in page
    assert "The parts of 3 postings add up to 140.00 yuan." in page


def test_credits_are_not_drawn_and_the_page_says_so(tmp_path: Path) -> None:
    tables = book({"A": "admin", "C": "clinical"}, {"A": -30, "C": 50}, {"A": {"C": 1}})
    page = build_page(explained(tmp_path, tables, model(), "dept", "C"))
    assert "Credits of -30.00 yuan are not drawn." in page
    assert "nan" not in page


def test_a_figure_of_nothing_has_a_page(tmp_path: Path) -> None:
    tables = book({"A": "admin", "C": "clinical", "D": "clinical"}, {"C": 5}, {"A": {"C": 1}})
    assert "0.00" in build_page(explained(tmp_path, tables, model(), "dept", "D"))


def test_many_departments_and_items_fit_one_page(tmp_path: Path) -> None:
    """40 wards and 40 items: eight of each by name, the others as one."""
    wards = {f"C{i:02d}": "clinical" for i in range(40)}
    names = [f"i{i:02d}" for i in range(40)]
    lines = [
        line(ward, item, "K", 1 + i)
        for i, (ward, item) in enumerate(zip(wards, names, strict=True))
    ]
    tables = book(
        wards, dict.fromkeys(wards, 10_000_000), {}, items(**dict.fromkeys(names, 1)), lines,
        cases=[stay("K")],
    )  # fmt: skip
    page = build_page(explained(tmp_path, tables, model(), "drg", "G"))
    assert "其余 32 others" in page
    assert "400,000,000.00" in page
    assert len(page.encode()) < 100_000


def figures_of(page: str) -> list[list[str]]:
    """Return the amounts of each table of a page, the total last."""
    tables = re.findall(r"<table>.*?</table>", page, re.DOTALL)
    return [re.findall(r'<td class="n">(-?[\d,]+\.\d\d)</td>', table) for table in tables]


@pytest.mark.parametrize("kind", ["dept", "item", "drg"])
def test_every_table_of_a_page_adds_up_to_the_figure(tmp_path: Path, kind: str) -> None:
    """100 + 60 - 20, and the difference of the parts to the figure stands below."""
    page = build_page(hostile(tmp_path, kind))
    for amounts in figures_of(page):
        assert "140.00" == amounts[-1]
        assert 140 == sum(float(amount.replace(",", "")) for amount in amounts[:-1])
    assert "差额 Difference 0.00." in page


def test_a_page_names_its_run_its_model_and_its_hospital(tmp_path: Path) -> None:
    tables = book({"C": "clinical"}, {"C": 100})
    tables["units"] = [row | {"name": "县医院 County hospital"} for row in tables["units"]]
    found = explained(tmp_path, tables, model(), "dept", "C")
    page = build_page(replace(found, run="run=2026-01-0123456789ab"))
    for words in (
        "结果 Run 2026-01-0123456789ab",
        "模型 Model A model of the tests",
        "单位 Unit U 县医院 County hospital",
        "公布 Published 100.00 · 差额 Difference 0.00.",
    ):
        assert words in page
    # What is only computed was not published.
    assert "Published" not in build_page(found)


@pytest.mark.parametrize(
    "name", ["W" * 300, "长" * 300, "�" * 300, "a" * 300, "قسم " * 90, "Z\u0301\u0302" * 90]
)
def test_no_label_is_wider_than_its_room(name: str) -> None:
    """215 units hold 16 ideographs of 13 units, or 29 letters of 7.3; what fits is not cut."""
    cut = fitted(name, 215)
    assert cut.endswith("…")
    assert len(cut) <= 30
    assert 215 >= 13 * sum(_width(letter) for letter in cut)
    assert "骨科病区 Orthopaedics ward" == fitted("骨科病区 Orthopaedics ward", 215)


def test_labels_of_a_column_do_not_lie_on_each_other(tmp_path: Path) -> None:
    """40 wards of very different cost: every text has its own line, within the picture."""
    wards = {f"C{i:02d}": "clinical" for i in range(40)}
    lines = [line(ward, "a", "K") for ward in wards]
    pools = {ward: 10**7 if i == 0 else 1 + i for i, ward in enumerate(wards)}
    tables = book(wards, pools, {}, items(a=1), lines, cases=[stay("K")])
    page = build_page(explained(tmp_path, tables, model(), "drg", "G"))
    (height,) = re.findall(r'viewBox="0 0 1000 (\d+)"', page)
    lines_of: dict[str, list[float]] = {}
    for x, y in re.findall(r'<text x="([\d.]+)" y="([\d.]+)"', page):
        lines_of.setdefault(x, []).append(float(y))
    assert 5 == len(lines_of)
    for places in lines_of.values():
        ordered = sorted(places)
        assert all(b - a >= 12 for a, b in pairwise(ordered))
        assert ordered[-1] <= float(height)


def test_a_share_that_rounds_to_nothing_has_no_sign() -> None:
    """-5,000 of 700 million; a third; two thirds below zero; of nothing."""
    shares = [share_of(-5_000, 700_000_000), share_of(1, 3), share_of(-2, 3), share_of(1, 0)]
    assert ["0.0%", "33.3%", "-66.7%", ""] == shares


def printed(found: Explanation, width: int) -> str:
    """Return what the terminal shows."""
    console = Console(file=io.StringIO(), width=width, highlight=False)
    show_explanation(console, found)
    return console.file.getvalue()


@pytest.mark.parametrize("kind", ["dept", "item", "drg"])
@pytest.mark.parametrize("width", [20, 60, 100])
def test_figures_are_whole_on_every_terminal(tmp_path: Path, kind: str, width: int) -> None:
    """100.00 of the ward, 40.00 of admin; the markup of a label is shown, not obeyed."""
    text = printed(hostile(tmp_path, kind), width)
    assert re.search(r"\b100\.00\b", text)
    assert re.search(r"\b40\.00\b", text)
    assert "add up to 140.00 yuan." in text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x1b]", text)


def test_an_explanation_names_no_case_and_no_posting_id(tmp_path: Path) -> None:
    lines = [line("C", "a", "SECRET", 1)]
    ledger = [posting("C", 100, entry_id="HIDDEN")]
    tables = book({"C": "clinical"}, ledger, {}, items(a=1), lines, cases=[stay("SECRET")])
    run = computed(tmp_path, tables, model())
    found = explain(run, Question("drg", "G"))
    shown = build_page(found) + printed(found, 100)
    shown += "".join(str(table.to_pylist()) for table in found.tables.values())
    assert "SECRET" not in shown
    assert "HIDDEN" not in shown
