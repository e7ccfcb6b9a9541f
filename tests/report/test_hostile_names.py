"""Names out to do harm, in every text column of a book: shown whole, never obeyed."""

from __future__ import annotations

import datetime
import itertools
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import pytest
from books import Tables, model
from python_calamine import CalamineWorkbook

from medcost.report.figures import read_figures
from medcost.report.files import write_report
from medcost.report.numbers import visible
from report.chromium import Chromium, Page
from report.published import HOSTILE, publish

N = len(HOSTILE)


def turned(by: int) -> Iterator[str]:
    """The names, each time beginning with another one."""
    return itertools.islice(itertools.cycle(HOSTILE), by, None)


def hostile_book() -> Tables:
    """A unit with a clinical department, an item and a group for every hostile name.

    Ids are the names themselves, with nothing before them; every other text is one of them.
    """
    unit, month = HOSTILE[0], "2026-01"
    admin, lab = "admin" + HOSTILE[4], HOSTILE[5] + "lab"
    names, groups, drivers = turned(1), turned(2), HOSTILE[6]
    wards = HOSTILE
    departments = [
        {
            "unit_id": unit,
            "dept_id": d,
            "name": next(names),
            "class": kind,
            "service_group": next(groups),
        }
        for d, kind in ((admin, "admin"), (lab, "medtech"), *((w, "clinical") for w in wards))
    ]
    amount = Decimal("100.00")
    posted = {"period": month, "unit_id": unit, "element": "staff", "amount": amount}
    stays = [f"case {i} {name}" for i, name in enumerate(HOSTILE)]
    scheme = HOSTILE[7]
    base = {"period": month, "unit_id": unit}
    one = {"quantity": Decimal(1)}
    return {
        "units": [{"unit_id": unit, "name": HOSTILE[4], "kind": "lead", "region": HOSTILE[8]}],
        "departments": departments,
        "ledger": [
            posted | {"dept_id": row["dept_id"], "account": next(names)}
            for row in departments
        ],
        "drivers": [base | one | {"driver": drivers, "dept_id": w} for w in wards],
        "service_items": [
            {"item_id": item, "name": next(names), "category": next(groups), "basis": "shared"}
            for item in HOSTILE
        ],
        "service_lines": [
            base | one | {"case_id": case, "item_id": item, "dept_id": dept, "charge": amount}
            for case, item, ward in zip(stays, HOSTILE, wards, strict=True)
            for dept in (ward, lab)
        ],
        "cases": [
            base
            | {
                "case_id": case, "drg_id": group, "scheme": scheme, "setting": "inpatient",
                "dept_id": ward, "discharged": datetime.date(2026, 1, 31), "doctor_id": next(names),
            }
            for case, group, ward in zip(stays, HOSTILE, wards, strict=True)
        ],
        "drg_groups": [
            {"scheme": scheme, "drg_id": g, "name": next(names), "weight": Decimal(1)}
            for g in HOSTILE
        ],
        "drg_prices": [{"drg_id": g, "scheme": scheme, "price": amount} for g in HOSTILE],
        "budget": [
            *(
                base | {"dept_id": w, "element": "staff", "tag": t, "amount": amount}
                for w, t in zip(wards, turned(2), strict=False)
            ),
            *(base | {"drg_id": g, "amount": amount, "volume": Decimal(1)} for g in HOSTILE),
        ],
        "income": [
            base | {"dept_id": w, "source": s, "amount": amount}
            for w, s in zip(wards, turned(3), strict=False)
        ],
        "statistics": [
            base | {"dept_id": w, "measure": "bed_days", "quantity": Decimal(3)} for w in wards
        ],
    }  # fmt: skip


def hostile_runs(folder: Path) -> Path:
    """The hostile book published by a model with hostile names."""
    rules = f"""
[[departments.rule]]
givers = {{ class = "admin" }}
driver = {_toml(HOSTILE[6])}
"""
    header = f"""
[model]
id = {_toml(HOSTILE[1])}
title = {_toml(HOSTILE[4])}
authority = {_toml(HOSTILE[5])}
effective_from = 2026-01-01
currency = {_toml(HOSTILE[6])}
"""
    text = model(rules=rules, level_3='basis = "charge"', cases="drg_matrix = true")
    text = header + text[text.index("[departments]") :]
    return publish(folder, hostile_book(), text)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The two files of the hostile book's report."""
    folder = tmp_path_factory.mktemp("hostile")
    runs = hostile_runs(folder)
    before = sorted(path.relative_to(runs) for path in runs.rglob("*"))
    page, workbook = write_report(read_figures(runs, None), folder / "place", "zh")
    assert sorted(path.relative_to(runs) for path in runs.rglob("*")) == before
    assert sorted(p.name for p in (folder / "place").iterdir()) == sorted(
        [page.name, workbook.name]
    )
    return {"page": page, "workbook": workbook}


def _toml(text: str) -> str:
    """The text as a basic string of TOML."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@pytest.fixture(scope="module")
def page(reports: dict[str, Path], browser: Chromium) -> Page:
    return browser.open(reports["page"])


def test_nothing_runs_and_nothing_is_fetched(page: Page, reports: dict[str, Path]) -> None:
    assert page.value("document.title").startswith("医院成本核算报告")
    assert page.complaints() == []
    assert [url.rsplit("/", 1)[1] for url in page.requests()] == [reports["page"].name]
    assert page.value("document.querySelectorAll('img, iframe, object, embed, link').length") == 0
    kinds = page.value("[...document.scripts].map(script => script.type)")
    assert sorted(kinds) == ["", "application/json"]
    assert page.value("document.styleSheets.length") == 1


def test_every_name_is_in_the_page_whole(page: Page) -> None:
    texts = set(page.value("[...document.querySelectorAll('td')].map(cell => cell.textContent)"))
    for name in HOSTILE:
        assert visible(name) in texts, name


def test_every_name_of_a_group_can_be_chosen_and_stands_whole(page: Page) -> None:
    """Ids and names of groups: each choice is a text, and the data ends with its own tag."""
    labels = page.value(
        "[...document.querySelectorAll('#matrix select')[1].options].map(o => o.text)"
    )
    for name in HOSTILE:
        assert any(" ".join(visible(name).split()) in label for label in labels), name
    place = "document.querySelectorAll('#matrix table td').length"
    assert page.value(place) > 10


def test_no_name_breaks_the_layout(page: Page) -> None:
    for name in page.value("[...document.querySelectorAll('nav a')].map(a => a.hash.slice(1))"):
        page.click(f"nav a[href='#{name}']")
        assert page.value("document.documentElement.scrollWidth <= innerWidth"), name
        crossing = """[...document.querySelectorAll('section.on td')].filter(cell =>
          cell.scrollWidth > cell.clientWidth + 1).map(cell => cell.textContent.slice(0, 40))"""
        assert page.value(crossing) == [], name


def test_no_character_turns_the_text_around_it(reports: dict[str, Path]) -> None:
    content = reports["page"].read_text("utf-8")
    assert not set(content) & set("\x00\x07\x1b\u202a\u202e\u2066\u2069\u2028")


def test_every_name_is_in_the_workbook_as_text(reports: dict[str, Path]) -> None:
    workbook = CalamineWorkbook.from_path(str(reports["workbook"]))
    cells = {
        cell
        for name in workbook.sheet_names
        for row in workbook.get_sheet_by_name(name).to_python()
        for cell in row
        if isinstance(cell, str)
    }
    for name in HOSTILE:
        assert visible(name) in cells, name


def test_no_name_is_a_formula_or_a_link(reports: dict[str, Path]) -> None:
    archive = zipfile.ZipFile(BytesIO(reports["workbook"].read_bytes()))
    for name in archive.namelist():
        text = archive.read(name).decode()
        assert "example" not in "".join(_formulas(text)), name
        assert not [
            f for f in _formulas(text) if not f.startswith(("SUBTOTAL(9,", "IF(", "ROUND("))
        ]
        if name.endswith(".rels"):
            assert "x.example" not in text
            assert "External" not in text


def _formulas(text: str) -> list[str]:
    return [piece.split("</f>")[0] for piece in text.split("<f>")[1:]]
