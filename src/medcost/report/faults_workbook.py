"""All faults of a book as a workbook: every place and every row, not only the first five."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from medcost import __version__
from medcost.errors import EXAMPLES_SHOWN, Fault, fault_codes, named_errors
from medcost.report.numbers import visible
from medcost.report.workbook import MOST_CHARACTERS, MOST_ROWS
from medcost.whole_files import replace_file

KINDS = (
    "编号 No.", "代码 Code", "类别 Title", "错误 Fault", "位置 Where", "位置数 Places", "行数 Rows",
    "原因 Why", "处理 Fix",
)  # fmt: skip
PLACES = ("编号 No.", "代码 Code", "位置 Where")
ROWS = ("编号 No.", "代码 Code", "列 Column", "文件 File", "行 Row")
WIDTHS = {
    "编号 No.": 7.0, "代码 Code": 28.0, "类别 Title": 40.0, "错误 Fault": 70.0, "位置 Where": 60.0,
    "原因 Why": 48.0, "处理 Fix": 48.0, "列 Column": 22.0, "文件 File": 34.0,
}  # fmt: skip
# What a book without a fault has on its first sheet.
NONE = "没有发现错误。 No fault was found."
# The contents are the faults; when the file was made is not one of them.
CREATED = dt.datetime(2000, 1, 1)
Cells = Sequence[str | int]


def write_faults(faults: Sequence[Fault], file: Path) -> None:
    """Write the workbook whole; raises CannotPublish."""
    with named_errors(file):
        content = build_faults(faults)
        replace_file(file, lambda path: path.write_bytes(content))


def build_faults(faults: Sequence[Fault]) -> bytes:
    """The workbook's bytes: a sheet of faults, one of all places, one of all rows.

    A sheet that cannot hold everything says how much it leaves out.
    """
    # Only now: no other command needs it.
    import xlsxwriter

    content = BytesIO()
    options = {
        "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
        "constant_memory": True,
    }  # fmt: skip
    workbook = xlsxwriter.Workbook(content, options)
    workbook.set_properties(
        {"title": "medcost check", "author": f"medcost {__version__}", "created": CREATED}
    )
    head = workbook.add_format({"bold": True, "bg_color": "#e8eff5", "bottom": 1})
    plain = workbook.add_format({"valign": "top", "text_wrap": True})
    sheets = (
        ("错误 Faults", KINDS, _kinds(faults), len(faults)),
        ("位置 Places", PLACES, _places(faults), sum(len(fault.where) for fault in faults)),
        ("行 Rows", ROWS, _rows(faults), sum(_row_count(fault) for fault in faults)),
    )
    for name, headings, rows, n in sheets:
        sheet = workbook.add_worksheet(name)
        for i, heading in enumerate(headings):
            sheet.set_column(i, i, WIDTHS.get(heading, 12.0))
        sheet.freeze_panes(1, 0)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        _write(sheet, 0, headings, head)
        for at, cells in enumerate(rows, 1):
            if at > MOST_ROWS:
                _write(sheet, at, [f"其余未列 Not listed: {n - MOST_ROWS:,}"], plain)
                break
            _write(sheet, at, cells, plain)
        if not faults:
            _write(sheet, 1, [NONE], plain)
        sheet.autofilter(0, 0, max(min(n, MOST_ROWS), 1), len(headings) - 1)
    workbook.close()
    return content.getvalue()


def _write(sheet: Any, row: int, cells: Cells, style: Any) -> None:
    for i, cell in enumerate(cells):
        if isinstance(cell, int):
            sheet.write_number(row, i, cell, style)
        else:
            sheet.write_string(row, i, visible(cell)[:MOST_CHARACTERS], style)


def _row_count(fault: Fault) -> int:
    return sum(len(part.rows) for part in fault.rows)


def _kinds(faults: Sequence[Fault]) -> Iterator[Cells]:
    for number, fault in enumerate(faults, 1):
        code = fault_codes()[fault.code]
        first = ", ".join(fault.where[:EXAMPLES_SHOWN])
        counts = (len(fault.where), _row_count(fault))
        yield (number, fault.code, code.title, fault.what, first, *counts, code.why, code.fix)


def _places(faults: Sequence[Fault]) -> Iterator[Cells]:
    for number, fault in enumerate(faults, 1):
        for place in fault.where:
            yield number, fault.code, place


def _rows(faults: Sequence[Fault]) -> Iterator[Cells]:
    for number, fault in enumerate(faults, 1):
        for part in fault.rows:
            for row in part.rows.tolist():
                yield number, fault.code, fault.column, part.file, row
