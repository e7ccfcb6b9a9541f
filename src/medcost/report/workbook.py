"""The report as a workbook: every table with all its rows, totals as formulas, text as text.

Money is written in yuan with two decimals. A double of Excel holds 15 digits of it, so amounts
below ten trillion yuan are numbers, exact to the fen; larger ones, and totals over them, are
written as text with every digit, because a number would be shown and added up wrongly.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from medcost import __version__
from medcost.report.contents import Report
from medcost.report.grid import Cell, Column, Grid, Line
from medcost.report.largest import Most, shorten
from medcost.report.numbers import DECIMALS, Kind, shown, width_of
from medcost.report.words import Language, Word, word

# What a sheet of Excel holds, less what stands above and below the rows.
MOST_ROWS = 1_048_000
MOST_CHARACTERS = 32_767
# Digits that a double shows and adds up without a loss.
LARGEST_NUMBER = 10**15
SAMPLED_ROWS = 400
NARROWEST, WIDEST = 9.0, 48.0
# Characters beside each other on an A4 page, in print that can still be read.
WIDTH_OF_PAGE = 300.0
FORMATS = {
    "money": "#,##0.00;[Red]-#,##0.00", "price": "#,##0.00;[Red]-#,##0.00", "count": "#,##0",
    "quantity": "#,##0.00", "days": "#,##0.00", "volume": "#,##0.00", "weight": "0.0000",
    "rate": '[>=10]"> 999.9%";[<=-10]"< -999.9%";0.0%',
}  # fmt: skip
BLUE, PALE, RULE = "#1f4e79", "#e8eff5", "#9db4c6"
FIRST_ROW = 3


@dataclass(frozen=True)
class Styles:
    """Formats of one workbook by (kind, weight); weight is 'row', 'total', 'head' and so on."""

    of: Mapping[tuple[str, str], Any]
    title: Any
    soft: Any
    head: Any
    head_number: Any
    band: Any
    link: Any
    tie: Any


def build_workbook(report: Report, language: Language) -> bytes:
    """The workbook's bytes; the same report gives the same bytes."""
    # Only now: no other command needs it.
    import xlsxwriter

    content = BytesIO()
    options = {
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        # Row by row to a file of its own, so that memory does not grow with the rows.
        "constant_memory": True,
        "default_date_format": "yyyy-mm-dd",
    }
    workbook = xlsxwriter.Workbook(content, options)
    workbook.set_properties(
        {
            "title": report.name.of(language),
            "author": f"medcost {__version__}",
            "created": dt.datetime.fromisoformat(f"{report.last_period}-01"),
        }
    )
    styles = _styles(workbook)
    cover = workbook.add_worksheet(word("cover").of(language))
    grids = [grid for section in (*report.sections, report.runs) for grid in section.grids]
    written: list[str] = []
    for grid in grids:
        name = (grid.sheet or grid.title).of(language)
        _write_grid(workbook.add_worksheet(name), grid, report, styles, language)
        written.append(name)
    _write_cover(cover, report, written, styles, language)
    workbook.close()
    return content.getvalue()


def _styles(workbook: Any) -> Styles:
    base = {"font_name": "Microsoft YaHei", "font_size": 10, "valign": "top"}
    weights: dict[str, dict[str, object]] = {
        "row": {},
        "total1": {"bold": True, "bg_color": PALE, "top": 1, "bottom": 2},
        "total2": {"bold": True, "bg_color": PALE, "top": 1},
        "total3": {"bold": True, "top": 1},
        "difference": {"bold": True, "bottom": 6},
        "cover": {"align": "left"},
    }
    of = {
        (kind, weight): workbook.add_format({**base, **given, "num_format": pattern})
        for weight, given in weights.items()
        for kind, pattern in FORMATS.items()
    }
    # Texts stand apart from the figures of the column before.
    indented = {**base, "indent": 1, "num_format": "@"}
    for weight, given in weights.items():
        of["text", weight] = workbook.add_format({**indented, **given})
    for weight, given in weights.items():
        of["large", weight] = workbook.add_format(
            {**base, **given, "align": "right", "num_format": "@"}
        )
    head = {**base, "bold": True, "bg_color": PALE, "bottom": 1, "top": 1, "text_wrap": True}
    return Styles(
        of,
        workbook.add_format({**base, "bold": True, "font_size": 14, "font_color": BLUE}),
        workbook.add_format({**base, "font_color": "#5a6672"}),
        workbook.add_format({**head, "valign": "vcenter", "indent": 1}),
        workbook.add_format({**head, "valign": "vcenter", "align": "right"}),
        workbook.add_format({**head, "align": "center"}),
        workbook.add_format({**base, "font_color": BLUE, "underline": 1}),
        workbook.add_format({**base, "bold": True, "bg_color": "#f1f6f3", "text_wrap": True}),
    )


def _text(text: str) -> str:
    """A text that a cell holds."""
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 1]}…"


def _said(cell: Cell, language: Language) -> str:
    return _text(cell.of(language) if isinstance(cell, Word) else str(cell))


def _write_cover(
    sheet: Any, report: Report, sheets: Sequence[str], styles: Styles, language: Language
) -> None:
    """Whose report it is, that it ties out, the figures of the first page, and the sheets."""
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 1, 100)
    sheet.write_string(0, 0, word("report.title").of(language), styles.title)
    plain = styles.of["text", "row"]
    lines: list[tuple[str, str, Any]] = [
        ("", f"{report.name.of(language)} · {report.period.of(language)}", plain),
        *((name.of(language), value.of(language), plain) for name, value in report.cover),
        (word("reconciliation").of(language), report.tie_out.of(language), styles.tie),
    ]
    row = 1
    for name, text, style in lines:
        sheet.write_string(row, 0, name, styles.soft)
        sheet.write_string(row, 1, _text(text), style)
        row += 1
    for tile in report.tiles:
        row += 1
        sheet.write_string(row, 0, tile.title.of(language), styles.soft)
        _write_number(sheet, row, 1, tile.fen, "money", "cover", styles)
    row += 2
    for name in sheets:
        sheet.write_url(row, 0, f"internal:'{name}'!A1", styles.link, name)
        row += 1
    made = word("report.made", version=__version__, currency=report.currency).of(language)
    row += 1
    sheet.write_string(row, 0, made, styles.soft)
    for section in report.sections:
        for missing in (*section.leads, *((section.missing,) if section.missing else ())):
            if missing == report.tie_out:
                continue
            row += 1
            sheet.write_string(row, 0, section.title.of(language), styles.soft)
            sheet.write_string(row, 1, missing.of(language), plain)
    row += 2
    for i, note in enumerate(report.notes):
        if i == 0:
            sheet.write_string(row, 0, word("notes").of(language), styles.soft)
        sheet.write_string(row, 1, _text(note.of(language)), plain)
        row += 1
    _set_print(sheet)


def _set_print(sheet: Any, pages: int = 1) -> None:
    """A4 landscape, so many pages side by side."""
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(pages, 0)
    sheet.set_margins(0.4, 0.4, 0.5, 0.6)
    sheet.set_footer("&L&8&A&R&8&P / &N")


def _write_grid(sheet: Any, grid: Grid, report: Report, styles: Styles, language: Language) -> None:
    """One table: title, headings that stay in view, rows, totals, notes."""
    currency = word("report.money_unit", currency=report.currency)
    about = f"{report.name.of(language)} · {report.period.of(language)} · {currency.of(language)}"
    sheet.write_string(0, 0, grid.title.of(language), styles.title)
    sheet.write_string(1, 0, _text(about), styles.soft)
    has_bands = any(column.band is not None for column in grid.columns)
    head = FIRST_ROW + (1 if has_bands else 0)
    if has_bands:
        _write_bands(sheet, grid, styles, language)
    for i, column in enumerate(grid.columns):
        style = styles.head if column.kind == "text" else styles.head_number
        sheet.write_string(head, i, column.word.of(language), style)
    lines, left = shorten(grid, Most(MOST_ROWS, MOST_ROWS))
    kept = [line for line in lines if line.kind != "heading"]
    at = _line_rows(lines, head + 1)
    large = styles.of["large", "row"]
    kinds = [
        (column.kind, styles.of[column.kind, "row"], large, 10 ** DECIMALS.get(column.kind, 0))
        for column in grid.columns
    ]
    for i, line in enumerate(lines):
        if line.kind == "row":
            _write_row(sheet, at[i], line.cells, kinds, language)
        elif line.kind != "heading":
            _write_total(sheet, grid.columns, lines, at, i, styles, language)
    row = head + 1 + len(kept)
    if not kept:
        sheet.write_string(row, 0, (grid.empty or word("report.no_rows")).of(language), styles.soft)
        row += 1
    notes = [*grid.notes, *([word("report.extreme")] if grid.has_extremes else [])]
    notes += [word("report.cut", left=f"{left:,}")] if left else []
    for note in notes:
        row += 1
        sheet.write_string(row, 0, note.of(language), styles.soft)
    width = _set_widths(sheet, grid, kept, language)
    sheet.freeze_panes(head + 1, _first_number(grid.columns))
    if _is_flat(kept):
        # Rows that stand in one block may be filtered and sorted without harm to their total.
        sheet.autofilter(head, 0, head + grid.n_rows - left, len(grid.columns) - 1)
    sheet.repeat_rows(head - (1 if has_bands else 0), head)
    sheet.hide_gridlines(2)
    pages = math.ceil(width / WIDTH_OF_PAGE)
    if pages > 1:
        sheet.repeat_columns(0, max(_first_number(grid.columns) - 1, 0))
    _set_print(sheet, pages)


def _is_flat(lines: Sequence[Line]) -> bool:
    """Whether all rows stand together, with at most a total below them."""
    kinds = [line.kind for line in lines]
    return "row" in kinds and kinds == sorted(kinds) and kinds.count("total") <= 1


def _line_rows(lines: Sequence[Line], first: int) -> list[int]:
    """The row of each line; a heading has that of the line after it."""
    rows, at = [], first
    for line in lines:
        rows.append(at)
        at += line.kind != "heading"
    return rows


def _write_bands(sheet: Any, grid: Grid, styles: Styles, language: Language) -> None:
    start = 0
    columns = grid.columns
    while start < len(columns):
        end, band = start, columns[start].band
        while end + 1 < len(columns) and band is not None and columns[end + 1].band == band:
            end += 1
        text = band.of(language) if band is not None else ""
        if end > start:
            sheet.merge_range(FIRST_ROW, start, FIRST_ROW, end, text, styles.band)
        else:
            sheet.write_string(FIRST_ROW, start, text, styles.band)
        start = end + 1


def _write_row(
    sheet: Any, row: int, cells: Sequence[Cell], kinds: Sequence[tuple[Kind, Any, Any, int]],
    language: Language,
) -> None:  # fmt: skip
    """A row; kinds: of each column its kind, formats of numbers and of large ones, and scale."""
    for i, (cell, (kind, style, large, scale)) in enumerate(zip(cells, kinds, strict=True)):
        if isinstance(cell, int):
            if -LARGEST_NUMBER < cell < LARGEST_NUMBER:
                sheet.write_number(row, i, cell / scale, style)
            else:
                sheet.write_string(row, i, shown(cell, kind), large)
        elif cell is not None:
            sheet.write_string(row, i, _said(cell, language), style)


def _write_total(
    sheet: Any,
    columns: Sequence[Column],
    lines: Sequence[Line],
    at: Sequence[int],
    place: int,
    styles: Styles,
    language: Language,
) -> None:
    """A total or a difference; at: the rows of all lines."""
    line, row = lines[place], at[place]
    weight = "row" if line.level > 3 else f"total{line.level}"
    if line.kind == "difference":
        weight = "difference"
    for i, (column, cell) in enumerate(zip(columns, line.cells, strict=True)):
        if cell is None:
            sheet.write_blank(row, i, None, styles.of["text", weight])
        elif not isinstance(cell, int):
            sheet.write_string(row, i, _said(cell, language), styles.of["text", weight])
        else:
            formula = _formula(columns, line, at, place, i)
            _write_number(sheet, row, i, cell, column.kind, weight, styles, formula)


def _write_number(
    sheet: Any, row: int, column: int, value: int, kind: Kind, weight: str, styles: Styles,
    formula: str = "",
) -> None:  # fmt: skip
    """A number, or a formula with it as its value; text where a double cannot hold it."""
    if abs(value) >= LARGEST_NUMBER:
        sheet.write_string(row, column, shown(value, kind), styles.of["large", weight])
        return
    number = value / 10 ** DECIMALS[kind]
    if formula:
        sheet.write_formula(row, column, formula, styles.of[kind, weight], number)
    else:
        sheet.write_number(row, column, number, styles.of[kind, weight])


def _formula(columns: Sequence[Column], line: Line, at: Sequence[int], place: int, i: int) -> str:
    """What a total's cell is computed from; nothing for a row, or where a part is too large."""
    from xlsxwriter.utility import xl_col_to_name, xl_rowcol_to_cell

    column = columns[i]
    if line.kind == "difference" and column.is_sum:
        more, less = (xl_rowcol_to_cell(at[one], i) for one in line.minus)
        return _subtraction(column, more, less)
    if line.kind != "total" or line.level > 3:
        return ""
    of = column.ratio or column.less
    if of is not None:
        keys = [one.key for one in columns]
        places = [keys.index(key) for key in of]
        if any(_is_large(line.cells[one]) for one in places):
            return ""
        a, b = (xl_rowcol_to_cell(at[place], one) for one in places)
        rule = ">0" if column.positive else "<>0"
        ratio = f'=IF({b}{rule},ROUND({a}/{b},{DECIMALS[column.kind]}),"")'
        return _subtraction(column, a, b) if column.ratio is None else ratio
    if column.is_sum:
        name = xl_col_to_name(i)
        return f"=SUBTOTAL(9,{name}{at[line.first] + 1}:{name}{at[place]})"
    return ""


def _subtraction(column: Column, more: str, less: str) -> str:
    """A difference to the fen: what binary fractions leave of nothing would be shown as -0.00."""
    return f"=ROUND({more}-{less},{DECIMALS[column.kind]})"


def _is_large(cell: Cell) -> bool:
    return isinstance(cell, int) and abs(cell) >= LARGEST_NUMBER


def _first_number(columns: Sequence[Column]) -> int:
    """How many columns of text stand first, at most as many as leave room to scroll."""
    texts = next((i for i, column in enumerate(columns) if column.kind != "text"), 0)
    return min(texts, 5)


def _set_widths(sheet: Any, grid: Grid, lines: Sequence[Line], language: Language) -> float:
    """Columns as wide as what stands in them, within limits; returns how wide all are."""
    total = 0.0
    step = max(len(lines) // SAMPLED_ROWS, 1)
    sample = [*lines[::step], *(line for line in lines[-3:])]
    for i, column in enumerate(grid.columns):
        texts = [column.word.of(language)]
        for line in sample:
            cell = line.cells[i]
            if line.kind != "row" and column.kind == "text":
                continue
            if cell is not None:
                text = shown(cell, column.kind) if isinstance(cell, int) else _said(cell, language)
                texts.append(text)
        widest = max(width_of(text) for text in texts) * 1.9 + 2
        width = min(max(widest, NARROWEST), WIDEST)
        sheet.set_column(i, i, width)
        total += width
    return total
