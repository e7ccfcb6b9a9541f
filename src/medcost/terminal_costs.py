"""Costs on a terminal: departments, DRG groups, the reconciliation, what moved and why."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.text import Text

from medcost.errors import count_of, printable
from medcost.figure_words import ELEMENT_NAMES, FIGURE_NAMES, path_name, share_of
from medcost.money import format_yuan
from medcost.result_tables import fen_of
from medcost.tables import CLASSES, load_table
from medcost.terminal import LABEL_WIDTH, empty_grid, safe, show_grid, yuan

if TYPE_CHECKING:
    from medcost.explanation import Explanation

PARTS_SHOWN = 8
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
LEVEL_NAMES = {
    "department": "科室 Departments",
    "service_item": "服务项目 Service items",
    "drg_group": "DRG 组 DRG groups",
}
LEVEL_KEYS = {
    "department": ("unit_id", "dept_id"),
    "service_item": ("unit_id", "dept_id", "item_id"),
    "drg_group": ("unit_id", "scheme", "drg_id"),
}
MOVES_SHOWN = 5


def _sum(table: pa.Table, column: str, where: pa.Array | None = None) -> Decimal:
    import pyarrow.compute as pc

    values = table[column] if where is None else table[column].filter(where)
    total = pc.sum(values.cast(pa.decimal128(38, 2))).as_py()
    return Decimal(0) if total is None else total


def show_departments(console: Console, tables: dict[str, pa.Table], names: dict[str, str]) -> None:
    """Cost by class of department, and the dearest departments."""
    import pyarrow.compute as pc

    table = tables["department_cost"]
    headings = ("direct", "received", "handed on", "full cost")
    grid = empty_grid([("", False), *((h, True) for h in headings)])

    def amounts(where: pa.Array | None = None) -> list[str]:
        received = sum(
            (_sum(table, c, where) for c in ("from_admin", "from_support", "from_medtech")),
            Decimal(0),
        )
        others = (_sum(table, c, where) for c in ("direct", "handed_on", "full_cost"))
        direct, handed_on, full_cost = others
        return [yuan(amount) for amount in (direct, received, handed_on, full_cost)]

    for name in CLASSES:
        of_class = pc.equal(table["class"], name)
        if pc.any(of_class).as_py():
            grid.add_row(CLASS_NAMES[name], *amounts(of_class))
    grid.add_section()
    grid.add_row("合计 total", *amounts(), style="bold")
    show_grid(console, "科室成本 Department cost, yuan", grid)
    by_dept = table.group_by(["unit_id", "dept_id"]).aggregate([("full_cost", "sum")])
    rows = sorted(
        by_dept.to_pylist(), key=lambda r: (-r["full_cost_sum"], r["unit_id"], r["dept_id"])
    )
    top = empty_grid(
        [("unit", False), ("department", False), ("name", False), ("full cost, yuan", True)],
    )
    for row in rows[:SHOWN]:
        shown = names.get(f"{row['unit_id']}\x00{row['dept_id']}")
        top.add_row(
            safe(row["unit_id"]),
            safe(row["dept_id"]),
            safe(shown, 2 * LABEL_WIDTH),
            yuan(row["full_cost_sum"]),
        )
    title = f"全成本最高的科室 The {SHOWN} departments with the highest full cost"
    show_grid(console, title, top)


def show_drg_groups(console: Console, tables: dict[str, pa.Table], names: dict[str, str]) -> None:
    """The DRG groups with the largest surplus and the largest deficit."""
    priced = [row for row in tables["drg_cost"].to_pylist() if row["margin"] is not None]
    if not priced:
        return
    ranked = sorted(priced, key=lambda r: (-r["margin"], r["unit_id"], r["scheme"], r["drg_id"]))
    surplus = [row for row in ranked if row["margin"] > 0][:SHOWN]
    deficit = [row for row in reversed(ranked) if row["margin"] < 0][:SHOWN]
    for title, rows in (
        ("结余最多 Largest surplus", surplus),
        ("亏损最多 Largest deficit", deficit),
    ):
        grid = empty_grid(
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
        for row in rows:
            grid.add_row(
                safe(row["unit_id"]),
                safe(row["drg_id"]),
                safe(names.get(row["drg_id"]), max(console.width - BESIDE_NAME, 10)),
                f"{row['cases']:,}",
                yuan(row["mean"]),
                yuan(row["income"]),
                yuan(row["margin"]),
            )
        show_grid(console, f"{title} by DRG group, yuan", grid)


def show_reconciliation(console: Console, tables: dict[str, pa.Table]) -> None:
    """Where every fen of the ledger is, and that nothing is left over."""
    import pyarrow.compute as pc

    table = tables["reconciliation"]
    grid = empty_grid(
        [("reason", False), ("yuan", True), ("share", True)],
    )
    sums = {
        reason: _sum(table, "amount", pc.equal(table["reason"], reason))
        for reason in load_table("out_reconciliation").column("reason").values
    }
    ledger = sums.pop("ledger")
    for reason, amount in sums.items():
        if amount:
            share = f"{amount / ledger:.1%}" if ledger else ""
            grid.add_row(REASON_NAMES[reason], yuan(amount), share)
    total = sum(sums.values(), Decimal(0))
    grid.add_section()
    grid.add_row("合计 total", yuan(total), "")
    grid.add_row(REASON_NAMES["ledger"], yuan(ledger), "")
    grid.add_row("差额 difference", yuan(ledger - total), "", style="bold")
    show_grid(console, "对账 Reconciliation, all units and elements", grid)


def show_comparison(
    console: Console, comparison: pa.Table, original: str, levels: Collection[str]
) -> None:
    """What moved against the original run, the largest first, of the levels that it got to."""
    import pyarrow.compute as pc

    console.print(Text(f"与原结果比较 Compared with {original}\n"), soft_wrap=True)
    for level, title in LEVEL_NAMES.items():
        if level not in levels:
            continue
        rows = comparison.filter(pc.equal(comparison["level"], level)).to_pylist()
        rows.sort(key=lambda row: -abs(row["change"]))
        if not rows:
            console.print(f"{title}: 成本无变化 no cost moved\n")
            continue
        keys = [key for key in LEVEL_KEYS[level] if any(row[key] for row in rows)]
        grid = empty_grid(
            [*((key, False) for key in keys), ("before", True), ("after", True), ("change", True)]
        )
        for row in rows[:MOVES_SHOWN]:
            amounts = (yuan(row[name]) for name in ("before", "after", "change"))
            grid.add_row(*(safe(row[key]) for key in keys), *amounts)
        largest = f", the {MOVES_SHOWN} largest" if len(rows) > MOVES_SHOWN else ""
        show_grid(console, f"{title}: {len(rows):,} moved{largest}, yuan", grid)


def show_difference(console: Console, difference: pa.Table, old: str, new: str) -> None:
    """How many values of each table are not the same, and the largest changes; no cases by name."""
    console.print(Text(f"结果差异 Difference from {old} to {new}\n"), soft_wrap=True)
    # Only now: no other command needs Arrow's compute functions.
    import pyarrow.compute as pc

    tables = sorted(set(difference["table"].to_pylist()))
    for name in tables:
        rows = difference.filter(pc.equal(difference["table"], name))
        title = f"{name}: {count_of(rows.num_rows, 'value')}"
        if "case_id" in load_table(f"out_{name}").key:
            totals = rows.filter(pc.equal(rows["column"], "total"))
            total = format_yuan(sum(fen_of(totals, "change").tolist()))
            console.print(f"{title}, total {total} yuan\n", markup=False)
            continue
        largest = np.argsort(-np.abs(fen_of(rows, "change")), kind="stable")[:MOVES_SHOWN]
        grid = empty_grid(
            [("unit", False), ("key", False), ("column", False)]
            + [(heading, True) for heading in ("old", "new", "change")]
        )
        for row in rows.take(pa.array(largest)).to_pylist():
            key = " ".join(str(part) for part in json.loads(row["key"]).values())
            values = (safe(row[side] or "-") for side in ("old", "new"))
            grid.add_row(
                safe(row["unit_id"]), safe(key), row["column"], *values, yuan(row["change"])
            )
        most = f", the {MOVES_SHOWN} largest" if rows.num_rows > MOVES_SHOWN else ""
        show_grid(console, f"{title}{most}", grid)
    found = count_of(difference.num_rows, "value")
    summary = f"{found} in {count_of(len(tables), 'table')} differ" if tables else "no difference"
    console.print(f"{old}, {new}: {summary}", markup=False, soft_wrap=True)


def show_explanation(console: Console, found: Explanation) -> None:
    """The figure, its parts by element, path, origin department and service, and their sum."""
    question = found.question
    key = (found.units[0], question.label) if question.kind == "dept" else (question.label,)
    name = found.name(question.kind, *key)
    title = Text(f"{FIGURE_NAMES[found.figure]} ", style="bold")
    title.append(safe(question.label)).append(" ").append(safe(name, 2 * LABEL_WIDTH))
    title.append(f": {format_yuan(found.fen)} {printable(found.currency)}")
    console.print(title, soft_wrap=True)
    cases = "" if found.n_cases is None else f", {count_of(found.n_cases, 'case')}"
    units = ", ".join(printable(unit) for unit in found.units[:SHOWN])
    more = f" and {len(found.units) - SHOWN} more" if len(found.units) > SHOWN else ""
    element = f", {question.element} only" if question.element else ""
    console.print(Text(f"{found.period}, unit {units}{more}{cases}{element}\n"), soft_wrap=True)
    _show_parts(
        console,
        "按成本项目 By element",
        [("element", False)],
        found.origins(3),
        lambda key: (Text(ELEMENT_NAMES[key[0]]),),
        found.fen,
    )
    _show_parts(
        console,
        "按分摊路径 By path",
        [("path", False)],
        found.origins(2),
        lambda key: (Text(path_name(key[0], found.figure)),),
        found.fen,
    )
    _show_parts(
        console,
        "按成本来源科室 By department that the cost was posted to",
        [("unit", False), ("department", False), ("name", False)],
        found.origins(0, 1),
        lambda key: _department_cells(found, key),
        found.fen,
    )
    if found.is_of_services:
        _show_parts(
            console,
            "按服务项目 By service",
            [("unit", False), ("performed by", False), ("item", False), ("name", False)],
            found.services(0, 1, 2),
            lambda key: (*map(safe, key), safe(found.name("item", key[2]))),
            found.fen,
        )
    parts = sum(found.parts.origins.values())
    postings = count_of(found.parts.n_postings, "posting")
    console.print(
        Text(f"合计 The parts of {postings} add up to {format_yuan(parts)} yuan."), soft_wrap=True
    )


def _department_cells(found: Explanation, key: tuple[str, ...]) -> tuple[Text, ...]:
    """Cells of an origin: unit, department, name; what no department bore says so."""
    unit, dept = key
    if not dept:
        return safe(unit), Text(""), Text("期初与尾差 opening, rounding")
    return safe(unit), safe(dept), safe(found.name("dept", unit, dept), 2 * LABEL_WIDTH)


def _show_parts(
    console: Console,
    title: str,
    headings: Sequence[tuple[str, bool]],
    parts: Sequence[tuple[tuple[str, ...], int]],
    cells: Callable[[tuple[str, ...]], tuple[Text, ...]],
    total: int,
) -> None:
    """A table of parts, the largest first, the others as one row, with their share.

    cells: what a part's key shows.
    """
    if not parts:
        return
    grid = empty_grid([*headings, ("yuan", True), ("share", True)])

    for key, fen in parts[:PARTS_SHOWN]:
        grid.add_row(*cells(key), format_yuan(fen), share_of(fen, total))
    rest = parts[PARTS_SHOWN:]
    if rest:
        others = sum(fen for _, fen in rest)
        blank = [""] * (len(headings) - 1)
        label = f"其余 {len(rest):,} others"
        grid.add_row(label, *blank, format_yuan(others), share_of(others, total))
    show_grid(console, f"{title}, yuan", grid)
