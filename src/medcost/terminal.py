"""What people see: tables on a terminal, plain text elsewhere, faults, log lines, progress."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from medcost.errors import count_of, printable
from medcost.figure_words import ELEMENT_NAMES, FIGURE_NAMES, path_name, share_of
from medcost.money import format_yuan
from medcost.result_tables import fen_of
from medcost.tables import CLASSES, load_table

if TYPE_CHECKING:
    from medcost.explanation import Explanation

PLAIN_WIDTH = 100
LABEL_WIDTH = 24
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


class _Output(Console):
    """A console that leaves a closed standard output to the caller."""

    def on_broken_pipe(self) -> None:
        """Raise instead of ending the process as if it had failed."""
        raise BrokenPipeError


def make_console() -> Console:
    """Standard output: tables as wide as the terminal, plain text of fixed width elsewhere."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return _Output(width=width, highlight=False)


def safe(text: str | None, width: int = LABEL_WIDTH) -> Text:
    """A label as text of at most width cells that can neither mark up nor move the cursor."""
    label = Text("".join(c if c.isprintable() else "�" for c in text or ""))
    label.truncate(width, overflow="ellipsis")
    return label


def yuan(amount: Decimal | None) -> str:
    """Yuan with thousands separators and two decimals."""
    return "" if amount is None else f"{amount:,.2f}"


def empty_grid(columns: Sequence[tuple[str, bool]]) -> Table:
    """An empty table; columns are (heading, whether it is a number)."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading, is_number in columns:
        table.add_column(
            heading, justify="right" if is_number else "left", no_wrap=True, overflow="ellipsis"
        )
    return table


def show_grid(console: Console, title: str, grid: Table) -> None:
    """Print a table under its title; on a narrow terminal labels are cut, figures never."""
    console.print(Text(title, style="bold"))
    for column in grid.columns:
        if column.justify == "right":
            cells = [str(cell) for cell in (column.header, *column.cells)]
            column.min_width = max(cell_len(cell) for cell in cells)
    console.print(grid, crop=False)


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


def show_files(console: Console, folder: Path, is_new: bool) -> None:
    """Where the result tables are."""
    state = "published" if is_new else "already published, nothing new"
    console.print(Text(f"{state}: {folder}"), soft_wrap=True)


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


VARIANCE_LEVELS = {
    "unit": "单位 unit",
    "element": "项目 element",
    "department": "科室 department",
    "department_element": "科室项目 dept × element",
    "drg": "病组 group",
    "drg_element": "病组项目 group × element",
}
ALERT_NAMES = {
    "over": "超支 over",
    "under": "执行不足 under",
    "unbudgeted": "无预算 unbudgeted",
    None: "",
}
TIER_NAMES = {
    "unit": "单位 unit",
    "centre": "中心 centre",
    "leading_group": "领导小组 leading group",
    None: "",
}
AGAINST_NAMES = {
    "budget": "预算 budget",
    "last_month": "上月 last month",
    "last_year": "上年同月 last year",
}
BASE_NAMES = {"standard": "标准口径 standard", "prior": "基期口径 prior"}
SCOPE_NAMES = {
    "total": "合计 total",
    "grassroots": "基层 grassroots",
    "key_discipline": "重点学科 key discipline",
}
TARGET_NAMES = {"met": "达标 met", "missed": "未达标 missed", "unknown": "无法判断 unknown"}
MET_NAMES = {"yes": "是 yes", "no": "否 no", None: ""}
LINES_SHOWN = 5


def percent(rate: Decimal | None) -> str:
    """A rate as per cent, nothing where there is none."""
    return "" if rate is None else f"{rate:,.1%}"


def show_budget_execution(console: Console, table: pa.Table) -> None:
    """Budget, actual and variance of every unit and of all together."""
    import pyarrow.compute as pc

    rows = table.filter(pc.equal(table["level"], "unit")).to_pylist()
    headings = ("budget", "actual", "variance", "executed")
    grid = empty_grid([("unit", False), *((h, True) for h in headings), ("alert", False)])
    for row in [row for row in rows if row["unit_id"]] + [r for r in rows if not r["unit_id"]]:
        if not row["unit_id"]:
            grid.add_section()
        grid.add_row(
            safe(row["unit_id"]) if row["unit_id"] else Text("合计 total"),
            *(yuan(row[name]) for name in ("budget", "actual", "variance")),
            percent(row["execution_rate"]),
            ALERT_NAMES[row["alert"]],
            style=None if row["unit_id"] else "bold",
        )
    show_grid(console, "预算执行 Budget execution by unit, yuan", grid)


def show_variance(console: Console, period: str, tables: dict[str, pa.Table]) -> None:
    """A month's variance: units, elements, the lines furthest over, effects, groups, shares."""
    console.print(Text(f"{period}: 预算差异 Budget variance\n", style="bold"), soft_wrap=True)
    show_budget_execution(console, tables["budget_variance"])
    _show_elements(console, tables["budget_variance"])
    _show_lines_over(console, tables["budget_variance"])
    _show_effects(console, tables["variance_decomposition"])
    _show_group_effects(console, tables["drg_variance"])
    _show_break_even(console, tables["break_even"])
    _show_requests(console, tables["budget_requests"])
    _show_rewards(console, tables["budget_reward"])


def _show_elements(console: Console, table: pa.Table) -> None:
    import pyarrow.compute as pc

    is_element = pc.and_(pc.equal(table["level"], "element"), pc.equal(table["unit_id"], ""))
    rows = [row for row in table.filter(is_element).to_pylist() if row["budget"] is not None]
    if not rows:
        return
    headings = ("budget", "actual", "variance", "executed")
    grid = empty_grid([("element", False), *((h, True) for h in headings), ("alert", False)])
    for row in rows:
        grid.add_row(
            Text(ELEMENT_NAMES[row["element"]]),
            *(yuan(row[name]) for name in ("budget", "actual", "variance")),
            percent(row["execution_rate"]),
            ALERT_NAMES[row["alert"]],
        )
    show_grid(console, "按成本项目 By element, all units, yuan", grid)


def _show_lines_over(console: Console, table: pa.Table) -> None:
    """Given lines over budget and costs without one, the largest first."""
    rows = [row for row in table.to_pylist() if row["approval_tier"] is not None]
    rows.sort(key=lambda row: row["budget"] - row["actual"] if row["budget"] else -row["actual"])
    if not rows:
        return
    columns = [("unit", False), ("department or group", False), ("element", False)]
    amounts = [("budget", True), ("actual", True), ("over", True), ("approval", False)]
    grid = empty_grid([*columns, *amounts])
    for row in rows[:LINES_SHOWN]:
        budget = row["budget"] if row["budget"] is not None else Decimal(0)
        grid.add_row(
            safe(row["unit_id"]),
            safe(row["dept_id"] or row["drg_id"]),
            safe(row["element"]),
            yuan(row["budget"]),
            yuan(row["actual"]),
            yuan(row["actual"] - budget),
            TIER_NAMES[row["approval_tier"]],
        )
    largest = f", the {LINES_SHOWN} largest" if len(rows) > LINES_SHOWN else ""
    show_grid(console, f"超预算 {len(rows):,} lines over or without a budget{largest}, yuan", grid)


def _show_effects(console: Console, table: pa.Table) -> None:
    """The totals of each level over all units."""
    import pyarrow.compute as pc

    names = ("budget", "volume", "mix", "efficiency", "price", "actual")
    grid = empty_grid([("level", False), *((name, True) for name in names)])
    for row in table.filter(pc.equal(table["unit_id"], "")).to_pylist():
        effects = (f"{name}_variance" for name in names[1:-1])
        cells = (yuan(row[name]) for name in ("budget", *effects, "actual"))
        grid.add_row(VARIANCE_LEVELS[row["level"]], *cells)
    show_grid(console, "差异分解 From budget to actual, all units, yuan", grid)


def _show_group_effects(console: Console, table: pa.Table) -> None:
    import pyarrow.compute as pc

    totals = pc.and_(pc.equal(table["unit_id"], ""), pc.equal(table["drg_id"], ""))
    rows = table.filter(totals).to_pylist()
    if not rows:
        return
    names = ("compared", "case mix", "cost", "actual")
    grid = empty_grid([("against", False), *((name, True) for name in names)])
    for row in rows:
        fields = ("base_amount", "case_mix_variance", "cost_variance", "actual")
        grid.add_row(AGAINST_NAMES[row["against"]], *(yuan(row[name]) for name in fields))
    base = BASE_NAMES[rows[0]["base"]]
    show_grid(console, f"病组差异 DRG groups, {base}, all units, yuan", grid)


def _show_break_even(console: Console, table: pa.Table) -> None:
    """Departments with income that does not cover their cost, the widest gap first."""
    rows = [
        row for row in table.to_pylist() if row["verdict"] in ("not_reached", "no_contribution")
    ]
    if not rows:
        return
    rows.sort(key=lambda row: row["surplus"])
    columns = [("unit", False), ("department", False)]
    amounts = [("income", True), ("full cost", True), ("break-even", True), ("volume", True)]
    grid = empty_grid([*columns, *amounts, ("measure", False)])
    for row in rows[:LINES_SHOWN]:
        volume = row["break_even_volume"]
        grid.add_row(
            safe(row["unit_id"]),
            safe(row["dept_id"]),
            yuan(row["income"]),
            yuan(row["cost"]),
            yuan(row["break_even_income"]),
            "" if volume is None else f"{volume:,.1f}",
            safe(row["measure"]),
        )
    largest = f", the {LINES_SHOWN} widest gaps" if len(rows) > LINES_SHOWN else ""
    title = f"未达盈亏平衡 {len(rows):,} departments below break-even{largest}, yuan"
    show_grid(console, title, grid)


def _show_requests(console: Console, table: pa.Table) -> None:
    """The consortium's requests and the shares that the policy asks for."""
    rows = {row["scope"]: row for row in table.to_pylist() if row["scope"] in SCOPE_NAMES}
    if not rows["total"]["requested"]:
        return
    columns = [("requested", True), ("share", True), ("", False)]
    grid = empty_grid(
        [("", False), ("floor", True), *columns, ("approved", True), ("share", True), ("", False)]
    )
    for scope, name in SCOPE_NAMES.items():
        row = rows[scope]
        grid.add_row(
            name,
            percent(row["floor"]),
            yuan(row["requested"]),
            percent(row["requested_share"]),
            MET_NAMES[row["requested_met"]],
            yuan(row["approved"]),
            percent(row["approved_share"]),
            MET_NAMES[row["approved_met"]],
        )
    show_grid(console, "预算申报 Requests and approved budget, yuan", grid)


def _show_rewards(console: Console, table: pa.Table) -> None:
    grid = empty_grid([("unit", False), ("executed", True), ("targets", False), ("reward", True)])
    for row in table.to_pylist():
        grid.add_row(
            safe(row["unit_id"]),
            percent(row["execution_rate"]),
            TARGET_NAMES[row["targets"]],
            yuan(row["reward"]),
        )
    show_grid(console, "绩效奖惩 Rewards and cuts, yuan", grid)
