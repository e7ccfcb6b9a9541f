"""fund: a budget goes to requests, and a package's surplus to members."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from medcost.commands.consortium import Asked, Question, answer, consortium_options, each_month

if TYPE_CHECKING:
    from rich.console import Console

    from medcost.consortium.inputs import ConsortiumInputs
    from medcost.consortium.policy import LoadedPolicy
    from medcost.consortium.publication import ConsortiumResult, Published

MEMBERS_SHOWN = 12
RULES_SHOWN = 12
RULE_NAMES = {
    "total": "总额 total",
    "spend_all": "全部支用 spend all",
    "grassroots": "基层占比 grassroots",
    "key_discipline": "重点学科 discipline",
    "hold_harmless": "保底 hold-harmless",
    "floor": "下限 floor",
    "ceiling": "上限 ceiling",
}
LINE_NAMES = {
    "package": "总额包 package",
    "reserve": "风险金 reserve",
    "out_of_county": "县外 out of county",
    "local": "县内 local",
    "serious_illness": "大病 serious illness",
    "stop_loss": "止损再保险 stop-loss",
    "aggregate": "总额止损 aggregate",
}


@click.command()
@consortium_options
def fund(asked: Asked) -> None:
    """Allocate the funds of BOOK's months to requests, settle packages and share what is left."""
    from medcost.consortium.funding.policy import load_fund_policy
    from medcost.consortium.funding.stage import KIND
    from medcost.consortium.funding.stage import fund as fund_month

    def of_month(
        inputs: ConsortiumInputs, policy: LoadedPolicy[Any], period: str, _published: Published
    ) -> ConsortiumResult:
        return fund_month(inputs, policy, period)

    answer(asked, Question(KIND, (), load_fund_policy, each_month(of_month), show_funds))


def show_funds(console: Console, inputs: ConsortiumInputs, result: ConsortiumResult) -> None:
    """Who gets what, the goals reached, the rules and their prices, packages and their shares."""
    rows = {name: table.to_pylist() for name, table in result.tables.items()}
    names = dict(zip(inputs.members.unit_ids, inputs.members.names, strict=True))
    if rows["fund_allocation"]:
        _show_members(console, rows["fund_allocation"], names)
        _show_goals(console, rows["fund_goal"])
        _show_rules(console, rows["fund_rule"])
    if rows["insurance_package"]:
        _show_packages(console, rows["insurance_package"])
        _show_shares(console, rows["surplus_share"])


def _sums(
    rows: Sequence[dict[str, Any]], key: str, names: Sequence[str]
) -> dict[str, list[Decimal]]:
    """Sums of columns by the value of another, in the order in which values come."""
    found: dict[str, list[Decimal]] = {}
    for row in rows:
        sums = found.setdefault(row[key] or "", [Decimal(0)] * len(names))
        for place, name in enumerate(names):
            sums[place] += row[name] or 0
    return found


def _show_members(console: Console, rows: Sequence[dict[str, Any]], names: dict[str, str]) -> None:
    from medcost.terminal import empty_grid, safe, show_grid, yuan

    amounts = ("previous", "request", "allocated")
    sums = _sums(rows, "unit_id", amounts)
    grid = empty_grid(
        [("unit", False), ("name", False)]
        + [(heading, True) for heading in ("last year", "requested", "allocated", "satisfied")]
    )
    largest = sorted(sums, key=lambda unit: (-sums[unit][1], unit))[:MEMBERS_SHOWN]
    for unit in sorted(largest):
        grid.add_row(safe(unit), safe(names.get(unit)), *map(yuan, sums[unit]), _rate(sums[unit]))
    others = [sums[unit] for unit in sums if unit not in largest]
    if others:
        rest = [sum(column, Decimal(0)) for column in zip(*others, strict=True)]
        grid.add_row(f"其余 {len(others):,} others", "", *map(yuan, rest), _rate(rest))
    total = [sum(column, Decimal(0)) for column in zip(*sums.values(), strict=True)]
    grid.add_section()
    grid.add_row("合计 total", "", *map(yuan, total), _rate(total), style="bold")
    show_grid(console, "资金分配 Funds by member, yuan", grid)


def _rate(sums: Sequence[Decimal]) -> str:
    _, asked, given = sums
    return f"{given / asked * 100:.1f}%" if asked else ""


def _show_goals(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    from medcost.terminal import empty_grid, show_grid, yuan

    grid = empty_grid([("goal", False), ("reached", True), ("stopped there", True)])
    for row in sorted(rows, key=lambda row: row["position"])[:RULES_SHOWN]:
        share = row["satisfied_share"]
        reached = yuan(row["value"]) if share is None else f"{share * 100:.4f}%"
        grid.add_row(row["goal"], reached, f"{row['stopped']:,}" if share is not None else "")
    more = f", the first {RULES_SHOWN}" if len(rows) > RULES_SHOWN else ""
    show_grid(console, f"目标 Goals in their order{more}", grid)


def _show_rules(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    from medcost.terminal import empty_grid, safe, show_grid, yuan

    grid = empty_grid(
        [("rule", False), ("of", False)]
        + [(heading, True) for heading in ("bound", "slack")]
        + [("goal", False), ("one step more", True)]
    )
    shown = sorted(rows, key=lambda row: (row["purpose"] != "", row["price"] is None))
    for row in shown[:RULES_SHOWN]:
        of = "/".join(part for part in (row["unit_id"], row["purpose"]) if part)
        grid.add_row(
            RULE_NAMES.get(row["rule"], row["rule"]),
            safe(of),
            *(yuan(row[name]) for name in ("bound", "slack")),
            row["goal"] or "",
            _gain(row),
        )
    step = next((row["step"] for row in rows if row["step"] is not None), None)
    of_step = "" if step is None else f"; one step is {yuan(step)} yuan"
    more = f", {RULES_SHOWN} of {len(rows):,}" if len(rows) > RULES_SHOWN else ""
    show_grid(console, f"规则与影子价格 Rules and their prices{more}{of_step}", grid)


def _gain(row: dict[str, Any]) -> str:
    """What the goal gains when the bound moves up one step."""
    if row["price"] is None:
        return ""
    if row["gain_above"] is None:
        return "impossible"
    if row["goal"] == "value":
        return f"{row['gain_above']:+,.2f} yuan"
    return f"{row['gain_above'] * 100:+.4f} pp"


def _show_packages(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    from medcost.terminal import empty_grid, safe, show_grid, yuan

    packages = _sums(rows, "package_id", ("amount",))
    amounts = {(row["package_id"], row["line"]): row["amount"] for row in rows}
    grid = empty_grid([("", False), *((str(safe(package)), True) for package in packages)])
    for line, name in LINE_NAMES.items():
        cells = [amounts.get((package, line)) for package in packages]
        if any(cell is not None for cell in cells):
            grid.add_row(name, *map(yuan, cells))
    grid.add_section()
    surplus = [sums[0] for sums in packages.values()]
    grid.add_row("结余或超支 surplus or overspend", *map(yuan, surplus), style="bold")
    show_grid(console, "医保包结算 Insurance packages, yuan", grid)


def _show_shares(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    from medcost.terminal import empty_grid, safe, show_grid, yuan

    packages = list(dict.fromkeys(row["package_id"] for row in rows))
    by_group: dict[tuple[str, str], tuple[int, Decimal]] = {}
    for row in rows:
        key = row["group"] or "", row["package_id"]
        count, sum_ = by_group.get(key, (0, Decimal(0)))
        by_group[key] = count + (row["unit_id"] != ""), sum_ + row["amount"]
    grid = empty_grid(
        [("group", False), ("members", True), *((str(safe(one)), True) for one in packages)]
    )
    for group in dict.fromkeys(row["group"] or "" for row in rows if row["group"]):
        found = [by_group.get((group, one), (0, None)) for one in packages]
        grid.add_row(safe(group), f"{max(n for n, _ in found):,}", *(yuan(fen) for _, fen in found))
    kept = [by_group.get(("", one), (0, None))[1] for one in packages]
    grid.add_row("留存 kept", "", *map(yuan, kept))
    show_grid(console, "结余与超支分配 Shares of surplus and overspend by group, yuan", grid)
