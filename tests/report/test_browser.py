"""The page in a real browser: it opens without a network, and what can be clicked works."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from medcost.report.figures import read_figures
from medcost.report.files import write_index, write_report
from report.chromium import Chromium, Page

VISIBLE = (
    "[...document.querySelectorAll('main > section')].filter(s => s.offsetParent).map(s => s.id)"
)


@pytest.fixture(scope="module")
def reports(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of three months and, listed by the index, of one."""
    place = tmp_path_factory.mktemp("reports")
    write_report(read_figures(sample, None), place, "zh")
    write_report(read_figures(sample, ("2026-02", "2026-02")), place, "en")
    write_index(read_figures(sample, None), place, "zh")
    return place


@pytest.fixture(scope="module")
def page(reports: Path, browser: Chromium) -> Page:
    return browser.open(reports / "report_2026-01_2026-03.html")


def column(page: Page, table: str, place: int, body: int = 0) -> list[str]:
    """Texts of a column of one block of rows."""
    rows = f"document.querySelectorAll('#t-{table} tbody.rows')[{body}].rows"
    return page.value(f"[...{rows}].map(r => r.cells[{place}].textContent)")


def test_the_page_asks_for_itself_only_and_nothing_complains(page: Page) -> None:
    assert [url.rsplit("/", 1)[1] for url in page.requests()] == ["report_2026-01_2026-03.html"]
    assert page.complaints() == []


def test_a_tab_shows_its_section_alone(page: Page) -> None:
    names = page.value("[...document.querySelectorAll('nav a')].map(a => a.hash.slice(1))")
    assert len(names) > 10
    for name in names:
        page.click(f"nav a[href='#{name}']")
        assert page.value(VISIBLE) == [name]
        current = page.value("document.querySelector('nav a[aria-current]').hash")
        assert current == f"#{name}"
    page.value("location.hash = '#nowhere'")
    page.value("new Promise((done) => setTimeout(done, 50))")
    assert page.value(VISIBLE) == ["overview"]


def test_the_language_switches_there_and_back(page: Page) -> None:
    def heading() -> str:
        return page.value("document.querySelector('#overview h1').innerText")

    page.click("nav a[href='#overview']")
    assert heading() == "医院成本核算报告"
    page.click("#language")
    assert heading() == "Hospital cost report"
    assert page.value("document.title").startswith("Hospital cost report")
    chinese = "[...document.querySelectorAll('[lang=zh]')].filter(e => e.offsetParent).length"
    assert page.value(chinese) == 0
    page.click("#language")
    assert heading() == "医院成本核算报告"
    assert page.value("document.documentElement.lang") == "zh-CN"


def test_a_click_on_a_heading_sorts_numbers_down_then_up_then_as_they_were(page: Page) -> None:
    page.click("nav a[href='#drg']")
    names = page.value("[...document.querySelectorAll('#t-drg th')].map(h => h.innerText)")
    place = names.index("结余")
    before = column(page, "drg", place)

    def values() -> list[float]:
        texts = column(page, "drg", place)
        return [float(text.replace(",", "")) for text in texts if text != "–"]

    head = f"#t-drg th:nth-child({place + 1})"
    page.click(head)
    assert values() == sorted(values(), reverse=True)
    assert page.value(f"document.querySelector('{head}').ariaSort") == "descending"
    page.click(head)
    assert values() == sorted(values())
    page.click(head)
    assert column(page, "drg", place) == before


def test_stacked_cells_are_sorted_by_their_full_cost_within_their_class(page: Page) -> None:
    page.click("nav a[href='#national_02']")
    last = page.value("document.querySelectorAll('#t-national_02 th').length")
    page.click(f"#t-national_02 th:nth-child({last})")
    rows = "document.querySelectorAll('#t-national_02 tbody.rows')[0].rows"
    texts = page.value(f"[...{rows}].map(r => r.cells[{last - 1}].querySelector('b').textContent)")
    values = [float(text.replace(",", "")) for text in texts]
    assert len(values) > 3
    assert values == sorted(values, reverse=True)


def test_text_is_sorted_by_its_letters(page: Page) -> None:
    page.click("nav a[href='#items']")
    page.click("#t-items th:nth-child(3)")
    found = column(page, "items", 2)
    assert found == sorted(found)


def test_a_chosen_unit_leaves_its_own_lines(page: Page) -> None:
    page.click("nav a[href='#national_01']")
    lines = "[...document.querySelectorAll('#t-national_01 tr.{}')].filter(r => r.offsetParent)"
    seen = f"{lines.format('h1')}.map(r => r.innerText.slice(0, 3))"
    assert page.value(seen) == ["U01", "U02", "U03"]
    page.value("unit.value = '1'; unit.dispatchEvent(new Event('change'))")
    assert page.value(seen) == ["U02"]
    assert page.value(f"{lines.format('t1')}.length") == 1
    page.value("unit.value = ''; unit.dispatchEvent(new Event('change'))")
    assert page.value(seen) == ["U01", "U02", "U03"]


def test_nothing_is_wider_than_the_window_but_what_scrolls(page: Page) -> None:
    for name in page.value("[...document.querySelectorAll('nav a')].map(a => a.hash.slice(1))"):
        page.click(f"nav a[href='#{name}']")
        assert page.value("document.documentElement.scrollWidth <= innerWidth"), name


@pytest.mark.parametrize("width", [380, 800])
def test_a_narrow_window_is_not_wider_than_itself_either(
    reports: Path, browser: Chromium, width: int
) -> None:
    """Its tabs are one line, and its pictures keep a size in which they can be read."""
    narrow = browser.open(reports / "report_2026-02.html", width)
    for name in narrow.value("[...document.querySelectorAll('nav a')].map(a => a.hash.slice(1))"):
        narrow.click(f"nav a[href='#{name}']")
        assert narrow.value("document.documentElement.scrollWidth <= innerWidth"), name
    narrow.click("nav a[href='#national_01']")
    assert narrow.value("document.querySelector('header').offsetHeight") < 0.2 * 900
    narrow.click("nav a[href='#overview']")
    widths = narrow.value("[...document.querySelectorAll('#overview svg')].map(s => s.clientWidth)")
    assert max(widths) >= 680


def test_headings_of_a_long_table_stay_below_the_tabs(page: Page) -> None:
    page.click("nav a[href='#national_01']")
    page.value("scrollTo(0, 1200)")
    page.value("new Promise((done) => setTimeout(done, 50))")
    head = page.value("document.querySelector('#t-national_01 th').getBoundingClientRect().top")
    assert head == page.value("document.querySelector('header').getBoundingClientRect().bottom")
    page.value("scrollTo(0, 0)")


def test_no_text_of_a_picture_leaves_it(page: Page) -> None:
    outside = """[...document.querySelectorAll('section')].flatMap(section => {
      section.classList.add('on');
      const seen = [...section.querySelectorAll('svg')].filter(s => s.getClientRects().length)
      const found = seen.flatMap(svg => { const box = svg.getBoundingClientRect();
          return [...svg.querySelectorAll('text')].filter(t => {
            const r = t.getBoundingClientRect();
            return r.left < box.left - 2 || r.right > box.right + 2 || r.bottom > box.bottom + 4 })
            .map(t => t.textContent) });
      return found })"""
    assert page.value(outside) == []
    page.value("dispatchEvent(new Event('hashchange'))")


def test_all_sections_are_printed_on_landscape_a4(page: Page, tmp_path: Path) -> None:
    page.print(tmp_path / "report.pdf")
    content = (tmp_path / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert b"841.8" in content or b"842" in content


CHOICES = "document.querySelectorAll('#matrix select')[{}]"
PICK = "{0}.value = {1}; {0}.dispatchEvent(new Event('change'))"


def test_the_matrix_of_a_chosen_group_adds_up_to_its_published_cost(
    page: Page, sample: Path
) -> None:
    """Every group of every unit and of all together: its total and each element, to the fen."""
    page.click("nav a[href='#drg']")
    published: dict[tuple[str, str], int] = {}
    for path in sample.glob("run=*/drg_cost.parquet"):
        for row in pq.read_table(path).to_pylist():
            for unit in (row["unit_id"], "全部单位"):
                key = (unit, row["drg_id"])
                published[key] = published.get(key, 0) + int(row["total"] * 100)
    found = {}
    for unit in page.value(f"[...{CHOICES.format(0)}.options].map(o => [o.value, o.text])"):
        page.value(PICK.format(CHOICES.format(0), f"'{unit[0]}'"))
        for group in page.value(f"[...{CHOICES.format(1)}.options].map(o => [o.value, o.text])"):
            page.value(PICK.format(CHOICES.format(1), f"'{group[0]}'"))
            cells = page.value(
                "[...document.querySelector('#matrix tr.t1').cells].map(c => c.textContent)"
            )
            fen = [int(cell.replace(",", "").replace(".", "")) for cell in cells[1:9]]
            assert sum(fen[:-1]) == fen[-1]
            found[unit[1].split(" ")[0], group[1].split(" ")[0]] = fen[-1]
    assert found == published


def test_the_chosen_unit_of_the_page_is_that_of_the_matrix(page: Page) -> None:
    page.click("nav a[href='#drg']")
    page.value("unit.value = '1'; unit.dispatchEvent(new Event('change'))")
    assert page.value(f"{CHOICES.format(0)}.selectedOptions[0].text").startswith("U02")
    page.value("unit.value = ''; unit.dispatchEvent(new Event('change'))")
    assert page.value(f"{CHOICES.format(0)}.selectedOptions[0].text").startswith("全部单位")


def test_the_report_of_one_month_opens_in_its_language(reports: Path, browser: Chromium) -> None:
    page = browser.open(reports / "report_2026-02.html")
    assert page.value("document.querySelector('#overview h1').innerText") == "Hospital cost report"
    assert page.value("document.querySelector('#t-drg').innerText.includes('Median')") is True
    assert page.complaints() == []


def test_the_index_leads_to_the_reports(reports: Path, browser: Chromium) -> None:
    page = browser.open(reports / "index.html")
    links = page.value(
        "[...document.querySelectorAll('#t-index a')].map(a => a.getAttribute('href'))"
    )
    assert links == ["report_2026-02.html", "report_2026-02.xlsx"]
    assert page.value("document.querySelectorAll('#t-index tbody tr').length") == 3
    page.click("#language")
    assert page.value("document.querySelector('h1').innerText") == "Published months"
    assert page.complaints() == []
