"""The page and the terminal: hostile labels stay text, nothing is loaded, figures are whole."""

import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from books import book, items, line, model, posting, stay
from rich.console import Console

from explain.explained import computed, explained
from medcost.explanation import Explanation, explain
from medcost.explanation_page import build_page
from medcost.figure_found import Question
from medcost.terminal import show_explanation

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
