"""The workbook read back: figures are numbers, text is text, totals are formulas that agree."""

from __future__ import annotations

import re
import zipfile
from decimal import ROUND_HALF_UP, Decimal
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from books import book, model, posting
from python_calamine import CalamineWorkbook

from medcost.report.numbers import DECIMALS
from medcost.report.workbook import LARGEST_NUMBER, build_workbook
from report.published import grids, publish, report_of

NAMESPACE = {"s": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


@pytest.fixture(scope="module")
def workbook(sample: Path) -> bytes:
    return build_workbook(report_of(sample), "zh")


def parts(content: bytes, pattern: str) -> dict[str, str]:
    archive = zipfile.ZipFile(BytesIO(content))
    names = [name for name in archive.namelist() if re.fullmatch(pattern, name)]
    return {name: archive.read(name).decode() for name in names}


def sheets(content: bytes) -> list[ET.Element]:
    """Every sheet, in order."""
    found = parts(content, r"xl/worksheets/sheet\d+\.xml")
    ordered = sorted(found, key=lambda name: int(re.search(r"(\d+)\.xml", name)[1]))
    return [ET.fromstring(found[name]) for name in ordered]


def numbers(sheet: ET.Element) -> tuple[dict[str, Decimal], dict[str, str]]:
    """Values of the cells that are numbers, and formulas, by place."""
    values, formulas = {}, {}
    for cell in sheet.iterfind(".//s:c", NAMESPACE):
        value, formula = cell.find("s:v", NAMESPACE), cell.find("s:f", NAMESPACE)
        if formula is not None:
            formulas[cell.attrib["r"]] = formula.text
        if value is not None and cell.attrib.get("t", "n") in ("n", "str") and value.text:
            # The file has 16 digits of a double; its shortest name is the amount.
            values[cell.attrib["r"]] = Decimal(repr(float(value.text)))
    return values, formulas


def computed(formula: str, values: dict[str, Decimal], formulas: dict[str, str]) -> Decimal | None:
    """What Excel makes of one of the three formulas that a workbook has."""
    found = re.fullmatch(r"SUBTOTAL\(9,([A-Z]+)(\d+):([A-Z]+)(\d+)\)", formula)
    if found:
        column, first, _, last = found.groups()
        places = [f"{column}{row}" for row in range(int(first), int(last) + 1)]
        # Totals inside are not added again.
        inner = [p for p in places if formulas.get(p, "").startswith("SUBTOTAL")]
        return sum((values.get(p, Decimal(0)) for p in places if p not in inner), Decimal(0))
    found = re.fullmatch(r"ROUND\(([A-Z]+\d+)-([A-Z]+\d+),\d\)", formula)
    if found:
        return values[found[1]] - values[found[2]]
    found = re.fullmatch(r'IF\((\w+)(>|<>)0,ROUND\((\w+)/\1,(\d)\),""\)', formula)
    assert found, formula
    bottom = values.get(found[1], Decimal(0))
    if not bottom or (found[2] == ">" and bottom < 0):
        return None
    step = Decimal(1).scaleb(-int(found[4]))
    return (values[found[3]] / bottom).quantize(step, ROUND_HALF_UP)


def test_every_total_is_a_formula_whose_value_agrees(workbook: bytes) -> None:
    checked = 0
    for sheet in sheets(workbook):
        values, formulas = numbers(sheet)
        for place, formula in formulas.items():
            assert computed(formula, values, formulas) == values.get(place), (place, formula)
            checked += 1
    assert checked > 700


def test_every_total_of_the_report_is_a_formula(sample: Path, workbook: bytes) -> None:
    found = sum(
        cell is not None and bool(column.is_sum or column.ratio or column.less)
        for grid in grids(report_of(sample)).values()
        for line in grid.lines
        if line.kind in ("total", "difference")
        for column, cell in zip(grid.columns, line.cells, strict=True)
        if line.kind == "total" or column.is_sum
    )
    assert sum(len(numbers(sheet)[1]) for sheet in sheets(workbook)) == found


def test_every_row_stands_in_the_workbook_to_the_fen(sample: Path, workbook: bytes) -> None:
    read = CalamineWorkbook.from_filelike(BytesIO(workbook))
    for grid in grids(report_of(sample)).values():
        lines = read.get_sheet_by_name(grid.sheet.zh).to_python(skip_empty_area=False)
        head = 5 if any(column.band for column in grid.columns) else 4
        rows = [line for line in grid.lines if line.kind != "heading"]
        for line, shown in zip(rows, lines[head:], strict=False):
            for column, cell, value in zip(grid.columns, line.cells, shown, strict=False):
                if isinstance(cell, int):
                    assert value == cell / 10 ** DECIMALS[column.kind], (grid.key, column.key)
        assert len(lines) >= head + len(rows)


def test_headings_are_frozen_and_sheets_print_on_a4(workbook: bytes) -> None:
    for sheet in sheets(workbook)[1:]:
        pane = sheet.find(".//s:pane", NAMESPACE)
        assert pane is not None
        assert pane.attrib["state"] == "frozen"
        assert int(pane.attrib["ySplit"]) >= 4
        setup = sheet.find(".//s:pageSetup", NAMESPACE).attrib
        assert (setup["paperSize"], setup["orientation"]) == ("9", "landscape")


def test_money_has_the_format_of_money(workbook: bytes) -> None:
    (styles,) = parts(workbook, r"xl/styles\.xml").values()
    assert 'formatCode="#,##0.00;[Red]-#,##0.00"' in styles


def test_the_same_runs_give_the_same_bytes(sample: Path, workbook: bytes) -> None:
    assert build_workbook(report_of(sample), "zh") == workbook


def test_the_other_language_names_other_sheets(sample: Path) -> None:
    content = build_workbook(report_of(sample), "en")
    names = CalamineWorkbook.from_filelike(BytesIO(content)).sheet_names
    assert names[:3] == ["Cover", "01 Direct cost", "02 Full cost"]


@pytest.mark.parametrize("yuan", ["9999999999999.99", "10000000000000.00", "-98765432109876.54"])
def test_an_amount_that_excel_would_round_is_text_with_every_digit(
    tmp_path: Path, yuan: str
) -> None:
    """15 digits are the most that Excel shows: 9,999,999,999,999.99 yuan and not a fen more."""
    tables = book(
        {"C": "clinical", "D": "clinical"}, [posting("C", yuan), posting("D", "0.01")], {}
    )
    out = publish(tmp_path, tables, model(), through="departments")
    content = build_workbook(report_of(out), "zh")
    lines = CalamineWorkbook.from_filelike(BytesIO(content)).get_sheet_by_name("成本医01 直接成本")
    cells = {row[3]: row[-1] for row in lines.to_python() if row[3]}
    fen = int(Decimal(yuan) * 100)
    if abs(fen) < LARGEST_NUMBER:
        assert cells["C"] == fen / 100
        assert f"{cells['C']:.2f}" == yuan
        assert cells["全部单位合计"] == f"{Decimal(yuan) + Decimal('0.01'):,}"
    else:
        assert cells["C"] == f"{Decimal(yuan):,}"
    assert cells["D"] == 0.01
