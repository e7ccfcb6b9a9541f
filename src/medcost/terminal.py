"""What people see: tables on a terminal, plain text elsewhere, faults, log lines, progress."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from medcost.balance import exact_sums
from medcost.errors import Fault, fault_codes, render_faults
from medcost.money import format_yuan
from medcost.result_tables import codes_of, fen_of
from medcost.tables import CLASSES, load_table

PLAIN_WIDTH = 100
LABEL_WIDTH = 24
# What the columns of the DRG tables other than the name take.
BESIDE_NAME = 58
SHOWN = 3

CLASS_NAMES = {
    "admin": "行政后勤 admin",
    "support": "医疗辅助 support",
    "medtech": "医疗技术 medtech",
    "clinical": "临床服务 clinical",
    "non_medical": "非医疗 non_medical",
}
REASON_NAMES = {
    "ledger": "总账 ledger",
    "opening_work_in_progress": "期初在院 opening_work_in_progress",
    "out_of_scope": "核算范围外 out_of_scope",
    "non_medical": "非医疗科室 non_medical",
    "undistributed": "未分摊 undistributed",
    "not_carried_further": "未继续核算 not_carried_further",
    "idle_capacity": "闲置能力 idle_capacity",
    "no_activity": "无服务量 no_activity",
    "unlinked_service": "未关联病例 unlinked_service",
    "other_unit": "其他成员单位病例 other_unit",
    "late_cost": "迟到费用 late_cost",
    "work_in_progress": "在院病人 work_in_progress",
    "visits": "门急诊人次 visits",
    "ungrouped": "未入组 ungrouped",
    "cases": "DRG 病例 cases",
}


class Console(NamedTuple):
    """Standard output: how wide, whether text may be bold, and what draws a line."""

    width: int
    has_styles: bool
    rule: str

    def show(self, text: str, bold: bool = False) -> None:
        """Print a line; a closed standard output is left to the caller."""
        print(f"\033[1m{text}\033[0m" if bold and self.has_styles else text)  # noqa: T201


def make_console() -> Console:
    """Standard output: tables as wide as the terminal, plain text of fixed width elsewhere."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    encoding = (sys.stdout.encoding or "").lower()
    rule = "─" if encoding.startswith(("utf", "gb")) else "-"
    if not sys.stdout.isatty():
        return Console(PLAIN_WIDTH, False, rule)
    is_dumb = os.environ.get("TERM", "") in ("", "dumb", "unknown")
    return Console(shutil.get_terminal_size().columns, not is_dumb, rule)


def cell_width(text: str) -> int:
    """Cells the text takes on a terminal: two for a wide character, none for a mark above one."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )


def safe(text: str | None, width: int = LABEL_WIDTH) -> str:
    """A label as text of at most width cells that can neither mark up nor move the cursor."""
    return cut("".join(c if c.isprintable() else "�" for c in text or ""), width)


def cut(text: str, width: int) -> str:
    """Text that takes at most width cells, the last an ellipsis where something is left out."""
    if cell_width(text) <= width:
        return text
    kept = text
    while kept and cell_width(kept) > width - 1:
        kept = kept[:-1]
    return kept + "…"


def yuan(fen: int | None) -> str:
    """Yuan with thousands separators and two decimals."""
    return "" if fen is None else format_yuan(fen)


class _Grid:
    """A table as it is shown: headings, rows, and the rows that a blank line stands before."""

    def __init__(self, columns: Sequence[tuple[str, bool]]) -> None:
        """columns: heading, and whether it is a number, which stands right and is never cut."""
        self.is_number = [is_number for _, is_number in columns]
        self.rows: list[tuple[tuple[str, ...], bool]] = [(tuple(h for h, _ in columns), True)]
        self.sections: set[int] = set()

    def add_row(self, *cells: str, bold: bool = False) -> None:
        """Add a row of one cell for each column."""
        self.rows.append((cells, bold))

    def add_section(self) -> None:
        """Set the next row apart."""
        self.sections.add(len(self.rows))

    def show(self, console: Console, title: str) -> None:
        """Print the table under its title; on a narrow terminal labels are cut, figures never."""
        widths = self._widths(console.width)
        blank = " " * (sum(widths) + 2 * len(widths) + 1)
        console.show(title, bold=True)
        console.show(blank)
        for number, (cells, bold) in enumerate(self.rows):
            if number in self.sections:
                console.show(blank)
            console.show(self._line(cells, widths), bold)
            if number == 0:
                console.show(f" {console.rule * (len(blank) - 2)} ")
        console.show(blank)

    def _widths(self, available: int) -> list[int]:
        """Cells of each column: the widest text column gives way first."""
        columns = zip(*(cells for cells, _ in self.rows), strict=True)
        widths = [max(map(cell_width, column)) for column in columns]
        texts = [i for i, is_number in enumerate(self.is_number) if not is_number]
        while sum(widths) + 2 * len(widths) + 1 > available:
            widest = max(texts, key=lambda i: widths[i])
            if widths[widest] <= 1:
                break
            widths[widest] -= 1
        return widths

    def _line(self, cells: tuple[str, ...], widths: list[int]) -> str:
        shown = []
        for cell, width, is_number in zip(cells, widths, self.is_number, strict=True):
            text = cell if is_number else cut(cell, width)
            space = " " * (width - cell_width(text))
            shown.append(space + text if is_number else text + space)
        return " " + "  ".join(shown) + "  "


def show_period(console: Console, period: str, units: int, lines: int, currency: str) -> None:
    """What was costed: the month, members and lines."""
    shown = f", {lines:,} service lines" if lines else ""
    period = f"\033[1m{period}\033[0m" if console.has_styles else period
    console.show(f"{period}: {units} units{shown}, {currency}\n")


def show_departments(console: Console, tables: dict[str, pa.Table], names: dict[str, str]) -> None:
    """Cost by class of department, and the dearest departments."""
    table = tables["department_cost"]
    headings = ("direct", "received", "handed on", "full cost")
    grid = _Grid([("", False), *((h, True) for h in headings)])
    columns = ("direct", "from_admin", "from_support", "from_medtech", "handed_on", "full_cost")
    fen = np.stack([fen_of(table, column) for column in columns], axis=1)
    classes, class_of = codes_of(table, "class")
    sums = exact_sums(class_of, fen, len(classes))

    def amounts(direct: int, *others: int) -> list[str]:
        *received, handed_on, full_cost = others
        return [yuan(amount) for amount in (direct, sum(received), handed_on, full_cost)]

    for name in CLASSES:
        if name in classes:
            grid.add_row(CLASS_NAMES[name], *amounts(*sums[classes.index(name)]))
    grid.add_section()
    grid.add_row("合计 total", *amounts(*sums.sum(axis=0)), bold=True)
    grid.show(console, "科室成本 Department cost, yuan")
    units, unit_of = codes_of(table, "unit_id")
    depts, dept_of = codes_of(table, "dept_id")
    places, row_of = np.unique(unit_of * len(depts) + dept_of, return_inverse=True)
    costs = exact_sums(row_of, fen_of(table, "full_cost").reshape(-1, 1), len(places))[:, 0]
    headings = ("unit", "department", "name", "full cost, yuan")
    top = _Grid([(heading, heading == headings[-1]) for heading in headings])
    # Rows are sorted by unit and department, and so are the places.
    for i in sorted(range(len(places)), key=lambda i: -costs[i])[:SHOWN]:
        of_unit, of_dept = divmod(int(places[i]), len(depts))
        unit, dept = units[of_unit], depts[of_dept]
        shown = names.get(f"{unit}\x00{dept}")
        top.add_row(safe(unit), safe(dept), safe(shown, 2 * LABEL_WIDTH), yuan(costs[i]))
    top.show(console, f"全成本最高的科室 The {SHOWN} departments with the highest full cost")


def show_drg_groups(console: Console, tables: dict[str, pa.Table], names: dict[str, str]) -> None:
    """The DRG groups with the largest surplus and the largest deficit."""
    table = tables["drg_cost"]
    margin = fen_of(table, "margin")
    # Rows are sorted by key, and groups without a price have margin 0 and are left out.
    ranked = np.argsort(-margin, kind="stable")
    surplus = ranked[margin[ranked] > 0][:SHOWN]
    deficit = ranked[::-1][margin[ranked[::-1]] < 0][:SHOWN]
    if table["margin"].null_count == table.num_rows:
        return
    for title, rows in (
        ("结余最多 Largest surplus", surplus),
        ("亏损最多 Largest deficit", deficit),
    ):
        grid = _Grid(
            [
                ("unit", False),
                ("group", False),
                ("name", False),
                ("cases", True),
                ("mean cost", True),
                ("income", True),
                ("margin", True),
            ],
        )
        for row in (table.slice(row, 1).to_pylist()[0] for row in rows.tolist()):
            grid.add_row(
                safe(row["unit_id"]),
                safe(row["drg_id"]),
                safe(names.get(row["drg_id"]), max(console.width - BESIDE_NAME, 10)),
                f"{row['cases']:,}",
                *(f"{row[column]:,.2f}" for column in ("mean", "income", "margin")),
            )
        grid.show(console, f"{title} by DRG group, yuan")


def show_reconciliation(console: Console, tables: dict[str, pa.Table]) -> None:
    """Where every fen of the ledger is, and that nothing is left over."""
    table = tables["reconciliation"]
    grid = _Grid([("reason", False), ("yuan", True), ("share", True)])
    reasons, reason_of = codes_of(table, "reason")
    totals = exact_sums(reason_of, fen_of(table, "amount").reshape(-1, 1), len(reasons))[:, 0]
    found = dict(zip(reasons, totals.tolist(), strict=True))
    known = load_table("out_reconciliation").column("reason").values
    sums = {reason: found.get(reason, 0) for reason in known}
    ledger = sums.pop("ledger")
    for reason, amount in sums.items():
        if amount:
            share = f"{Decimal(amount) / ledger:.1%}" if ledger else ""
            grid.add_row(REASON_NAMES[reason], yuan(amount), share)
    total = sum(sums.values())
    grid.add_section()
    grid.add_row("合计 total", yuan(total), "")
    grid.add_row(REASON_NAMES["ledger"], yuan(ledger), "")
    grid.add_row("差额 difference", yuan(ledger - total), "", bold=True)
    grid.show(console, "对账 Reconciliation, all units and elements")


def show_files(console: Console, folder: Path, is_new: bool) -> None:
    """Where the result tables are."""
    state = "published" if is_new else "already published, nothing new"
    console.show(f"{state}: {folder}")


def show_faults(faults: Sequence[Fault], json_log: bool) -> None:
    """All faults on standard error, as text or one JSON object a line."""
    if not json_log:
        print(render_faults(faults), file=sys.stderr)  # noqa: T201
        return
    for fault in faults:
        code = fault_codes()[fault.code]
        LOG.error(
            fault.what,
            extra={
                "fields": {
                    "code": fault.code,
                    "where": list(fault.where),
                    "why": code.why,
                    "fix": code.fix,
                }
            },
        )


LOG = logging.getLogger("medcost")


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON: time, level, message and the fields given with it."""
        content = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        return json.dumps(content, ensure_ascii=False)


def set_up_log(json_log: bool, quiet: bool) -> None:
    """Log to standard error: everything as JSON lines, or only what a person should notice."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if json_log else logging.Formatter("note: %(message)s"))
    LOG.handlers[:] = [handler]
    LOG.propagate = False
    LOG.setLevel(logging.INFO if json_log else logging.ERROR if quiet else logging.WARNING)


@contextmanager
def progress_bar(label: str, total: int, shown: bool) -> Iterator[Callable[[int], None] | None]:
    """A bar of rows read, on a terminal only."""
    if not shown or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console as RichConsole
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=RichConsole(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total)
        yield lambda rows: progress.advance(task, rows)
