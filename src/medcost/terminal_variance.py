"""A month against its budget, on a terminal."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
from rich.console import Console
from rich.text import Text

from medcost.figure_words import ELEMENT_NAMES
from medcost.terminal import empty_grid, percent, safe, show_grid, yuan

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
