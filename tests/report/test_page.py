"""The page as text: it fetches nothing, runs nothing but its own script, and stays small."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from books import model, posting, statistic

from medcost.errors import InvariantBroken
from medcost.report import page as page_module
from medcost.report.page import LARGEST_PAGE, build_page
from report.published import publish, report_of

ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "header", "div", "strong", "span", "label",
    "select", "option", "button", "nav", "a", "main", "section", "h1", "h2", "h3", "p", "dl", "dt",
    "dd", "b", "i", "bdi", "figure", "figcaption", "svg", "rect", "text", "path", "line", "table",
    "thead", "tbody", "tr", "th", "td", "ul", "li", "script",
}  # fmt: skip


class Tags(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def page(sample: Path) -> str:
    return build_page(report_of(sample), "zh")


def test_the_page_has_no_tag_that_loads_and_no_attribute_that_acts(page: str) -> None:
    for tag, attributes in Tags(page).tags:
        assert tag in ALLOWED
        assert not {"src", "srcset", "action", "style", "xlink:href"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("href", "#").startswith("#")


def test_the_policy_allows_the_style_and_the_script_of_the_page_and_nothing_else(page: str) -> None:
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.replace("&#39;", "'").startswith("default-src 'none'; ")
    for tag in ("style", "script"):
        text = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src &#39;sha256-{digest}&#39;" in page
    assert "unsafe" not in policy
    assert "eval" not in re.search(r"<script>(.*?)</script>", page, re.DOTALL)[1]


def test_both_languages_stand_in_the_page_and_the_option_says_which_opens(sample: Path) -> None:
    pages = {language: build_page(report_of(sample), language) for language in ("zh", "en")}
    assert '<html lang="zh-CN"' in pages["zh"]
    assert '<html lang="en"' in pages["en"]
    for text in pages.values():
        assert "医院成本核算报告" in text
        assert "Hospital cost report" in text


def test_the_same_runs_give_the_same_page(sample: Path, page: str) -> None:
    assert build_page(report_of(sample), "zh") == page


def test_a_page_that_would_be_too_large_shows_fewer_rows_and_says_so(
    sample: Path, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(page.encode()) < LARGEST_PAGE < 2_000_000
    monkeypatch.setattr(page_module, "LARGEST_PAGE", len(page.encode()) - 1)
    smaller = build_page(report_of(sample), "zh")
    assert len(smaller.encode()) < len(page.encode())
    assert "页面列出最大的" in smaller
    monkeypatch.setattr(page_module, "LARGEST_PAGE", 1000)
    with pytest.raises(InvariantBroken, match="2 MB"):
        build_page(report_of(sample), "zh")


def test_a_consortium_of_300_units_fits_and_adds_up(tmp_path: Path) -> None:
    """Unit i has i yuan: 300 x 301 / 2 = 45,150 in all; the page shows some, adds up the rest."""
    units = [f"V{i:03d}" for i in range(1, 301)]
    tables = {
        "units": [{"unit_id": unit, "kind": "village", "name": unit * 10} for unit in units],
        "departments": [
            {"unit_id": unit, "dept_id": d, "class": c, "name": d * 20}
            for unit in units
            for d, c in (("C", "clinical"), ("M", "medtech"), ("S", "support"))
        ],
        "ledger": [
            posting("C", i, element, unit_id=unit)
            for i, unit in enumerate(units, 1)
            for element in ("staff",)
        ],
        "drivers": [],
    }
    tables["drivers"] = [statistic("S", "C", 1, unit_id=unit) for unit in units]
    out = publish(tmp_path, tables, model(), through="departments")
    page = build_page(report_of(out), "zh")
    assert len(page.encode()) < 2_000_000
    assert page.count("45,150.00") >= 3
    assert "个单位" in page


def test_the_page_names_no_case(sample: Path, page: str) -> None:
    """Case ids of the sample are J or Z, four digits, a dash and six more."""
    assert not re.search(r"[JZ]\d{4}-\d{6}", page)
