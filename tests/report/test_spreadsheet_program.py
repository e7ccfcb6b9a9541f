"""The workbook in a spreadsheet program: it computes every total anew and finds what was stored.

LibreOffice opens a copy of the workbook out of which the stored values of all formulas were taken,
so that what it writes is what it has computed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from medcost.report.contents import Report
from medcost.report.grid import Grid, Line
from medcost.report.numbers import DECIMALS, visible
from medcost.report.words import Language
from medcost.report.workbook import LARGEST_NUMBER, build_workbook
from report.published import HOSTILE, report_of
from report.test_hostile_names import hostile_runs

NAMES = ("soffice", "libreoffice")
PATIENCE = 240
# Compute on loading, always: by default a file's stored values are taken as they are.
SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load">
<prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item>
</oor:items>
"""
STORED = re.compile(r"(<c [^>]*>)(<f>[^<]*</f>)<v>[^<]*</v>")

Recomputed = Callable[[bytes], CalamineWorkbook]


@pytest.fixture(scope="module")
def recomputed(tmp_path_factory: pytest.TempPathFactory) -> Recomputed:
    """A workbook as LibreOffice writes it after it has computed every formula."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no LibreOffice is installed: apt-get install libreoffice-calc")
    profile = tmp_path_factory.mktemp("profile")
    (profile / "user").mkdir()
    (profile / "user" / "registrymodifications.xcu").write_text(SETTINGS, "utf-8")

    def recompute(content: bytes) -> CalamineWorkbook:
        folder = tmp_path_factory.mktemp("recomputed")
        (folder / "report.xlsx").write_bytes(without_stored_values(content))
        command = [
            program, f"-env:UserInstallation={profile.as_uri()}", "--headless", "--convert-to",
            "xlsx", "--outdir", str(folder / "out"), str(folder / "report.xlsx"),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
        return CalamineWorkbook.from_path(str(folder / "out" / "report.xlsx"))

    return recompute


def without_stored_values(content: bytes) -> bytes:
    """The workbook without what its formulas are said to be."""
    taken = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as old, zipfile.ZipFile(taken, "w") as new:
        for name in old.namelist():
            part = old.read(name)
            if name.startswith("xl/worksheets/"):
                part = STORED.sub(r"\1\2", part.decode()).encode()
                assert b"</f><v>" not in part
            new.writestr(name, part)
    return taken.getvalue()


def shown_lines(grid: Grid) -> list[Line]:
    """The lines that a sheet has: all but headings."""
    return [line for line in grid.lines if line.kind != "heading"]


def all_cells(
    report: Report, workbook: CalamineWorkbook, language: Language
) -> Iterator[tuple[str, str, str, object, object]]:
    """(sheet, column, kind of line, what the report has, what the program has) of every cell."""
    sections = (*report.sections, report.runs)
    for grid in (grid for section in sections for grid in section.grids):
        name = (grid.sheet or grid.title).of(language)
        rows = workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
        head = 5 if any(column.band for column in grid.columns) else 4
        for line, row in zip(shown_lines(grid), rows[head:], strict=False):
            for column, cell, value in zip(grid.columns, line.cells, row, strict=False):
                if isinstance(cell, int) and abs(cell) < LARGEST_NUMBER:
                    yield name, column.key, line.kind, cell / 10 ** DECIMALS[column.kind], value
                elif cell is None:
                    yield name, column.key, line.kind, "", value


def require_equal(report: Report, recompute: Recomputed, language: Language) -> None:
    """Hold every number of the sheets, every formula among them, against the report's own."""
    content = build_workbook(report, language)
    n = 0
    for sheet, column, kind, own, found in all_cells(report, recompute(content), language):
        if kind == "total" and isinstance(own, float) and isinstance(found, float):
            # A sum of binary fractions: as far as a double goes it is the same amount.
            assert found == pytest.approx(own, rel=1e-14, abs=1e-9), (sheet, column)
        else:
            assert found == own, (sheet, column, kind)
        n += kind != "row" and own != ""
    assert n >= n_formulas(content) > 0


def n_formulas(content: bytes) -> int:
    """How many cells of the workbook are formulas."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
        return sum(archive.read(name).count(b"<f>") for name in sheets)


def test_every_formula_of_three_months_is_what_the_program_computes(
    sample: Path, recomputed: Recomputed
) -> None:
    require_equal(report_of(sample), recomputed, "zh")


def test_every_formula_of_one_month_is_what_the_program_computes(
    sample: Path, recomputed: Recomputed
) -> None:
    require_equal(report_of(sample, ("2026-02", "2026-02")), recomputed, "en")


def test_hostile_names_are_text_in_the_program_too(tmp_path: Path, recomputed: Recomputed) -> None:
    """Each stands in a cell as it is: nothing was computed, followed or cut."""
    report = report_of(hostile_runs(tmp_path))
    workbook = recomputed(build_workbook(report, "zh"))
    cells = {
        cell
        for name in workbook.sheet_names
        for row in workbook.get_sheet_by_name(name).to_python()
        for cell in row
        if isinstance(cell, str)
    }
    for name in HOSTILE:
        assert visible(name) in cells, name
    require_equal(report, recomputed, "zh")
