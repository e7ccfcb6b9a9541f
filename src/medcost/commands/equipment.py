"""equip: which member opens which shared device, who is examined where, and who pays for it."""

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

SITES_SHOWN = 30
MEMBERS_SHOWN = 12
GROUP_SHOWN = 8
NAME = 26
GOALS = {
    "grassroots_unserved": "基层未满足 grassroots not examined",
    "grassroots_beyond": "基层未就近 grassroots not near by",
    "others_unserved": "其他未满足 others not examined",
    "cost": "成本 cost, yuan",
    "distance": "路程 distance",
}
REASONS = {
    "kept": "保留 kept",
    "access": "可及性 for access",
    "cost": "更省 cheaper with it",
    "equal": "无差别 all the same",
    "dearer": "更贵 dearer with it",
    "budget": "预算不足 beyond the budget",
}
UNSERVED = {
    "too_far": "太远 no device near enough",
    "capacity": "产能不足 devices full",
    "budget": "预算不足 device not affordable",
}


@click.command()
@consortium_options
def equip(asked: Asked) -> None:
    """Plan the shared devices of BOOK's months: grassroots access first, then cost; share it."""
    from medcost.consortium.equipment.policy import load_equipment_policy
    from medcost.consortium.equipment.stage import KIND, NEEDED, plan_equipment

    def of_month(
        inputs: ConsortiumInputs, policy: LoadedPolicy[Any], period: str, _published: Published
    ) -> ConsortiumResult:
        return plan_equipment(inputs, policy, period)

    answer(
        asked, Question(KIND, NEEDED, load_equipment_policy, each_month(of_month), show_equipment)
    )


def show_equipment(console: Console, inputs: ConsortiumInputs, result: ConsortiumResult) -> None:
    """The goals reached, the devices, what is not made, who pays, and who might rather leave."""
    names = dict(zip(inputs.members.unit_ids, inputs.members.names, strict=True))
    rows = {name: table.to_pylist() for name, table in result.tables.items()}
    _show_goals(console, rows["equipment_goal"])
    _show_sites(console, rows["equipment_site"], names)
    _show_unserved(console, rows["exam_access"], names)
    _show_shares(console, rows["equipment_share"], names)
    _show_groups(console, rows["equipment_coalition"])


def _show_goals(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    from medcost.terminal import empty_grid, percent, show_grid

    grid = empty_grid([("goal", False), ("value", True), ("of", True), ("reached", True)])
    for row in rows:
        decimals = 2 if row["goal"] == "cost" else 1 if row["goal"] == "distance" else 0
        asked = "" if row["asked"] is None else f"{row['asked']:,.0f}"
        value = f"{row['value']:,.{decimals}f}"
        grid.add_row(GOALS[row["goal"]], value, asked, percent(row["share"]))
    show_grid(console, "目标 Goals in their order, each the best under those before", grid)


def _show_sites(console: Console, rows: Sequence[dict[str, Any]], names: dict[str, str]) -> None:
    """Opened devices, then the others, with why; what would change were each turned round."""
    from medcost.terminal import empty_grid, percent, safe, show_grid, yuan

    ordered = sorted(rows, key=lambda row: (row["opened"] == "no", row["device_type"]))
    columns = [("type", False), ("member", False), ("opened", False), ("exams", True)]
    grid = empty_grid([*columns, ("use", True), ("cost", True), ("why", False)])
    turned = empty_grid([("type", False), ("member", False), ("", False), ("would change", False)])
    for row in ordered[:SITES_SHOWN]:
        device = f" {row['device_id']}" if row["device_id"] else ""
        name = safe(f"{names[row['unit_id']]}{device}", NAME)
        is_open = row["opened"] == "yes"
        grid.add_row(
            safe(row["device_type"]),
            name,
            "是 yes" if is_open else "否 no",
            f"{row['examinations']:,}",
            percent(row["use_rate"]),
            yuan(row["cost"]),
            REASONS.get(row["reason"], ""),
        )
        if row["reason"] is not None:
            turn = "关闭 closed" if is_open else "开设 opened"
            turned.add_row(safe(row["device_type"]), name, turn, turned_words(row))
    n_open = sum(row["opened"] == "yes" for row in rows)
    shown = f", {SITES_SHOWN} shown" if len(rows) > SITES_SHOWN else ""
    show_grid(console, f"设备 {n_open} of {len(rows)} devices opened{shown}, yuan", grid)
    if turned.row_count:
        show_grid(console, "假设 What each device is worth: turned round", turned)


def turned_words(row: dict[str, Any]) -> str:
    """What would change were a device closed that is opened, or opened that is not."""
    if row["turned_cost"] is None:
        return "cannot be"
    parts = [
        f"{row[f'turned_{name}']:+,} {words}"
        for name, words in (
            ("grassroots_unserved", "grassroots not examined"),
            ("grassroots_beyond", "not near by"),
            ("others_unserved", "others not examined"),
        )
        if row[f"turned_{name}"]
    ]
    cost: Decimal = row["turned_cost"]
    return ", ".join([*parts, f"{cost:+,.2f} yuan"])


def _show_unserved(console: Console, rows: Sequence[dict[str, Any]], names: dict[str, str]) -> None:
    """Examinations that are not made, the most first."""
    from medcost.terminal import empty_grid, safe, show_grid

    found = sorted((row for row in rows if row["unserved"]), key=lambda row: -row["unserved"])
    if not found:
        return
    grid = empty_grid(
        [("member", False), ("type", False), ("asked", True), ("not made", True), ("why", False)]
    )
    for row in found[:MEMBERS_SHOWN]:
        grid.add_row(
            safe(names[row["unit_id"]], NAME),
            safe(row["device_type"]),
            f"{row['asked']:,}",
            f"{row['unserved']:,}",
            UNSERVED[row["reason"]],
        )
    total = sum(row["unserved"] for row in found)
    shown = f", the {MEMBERS_SHOWN} largest" if len(found) > MEMBERS_SHOWN else ""
    show_grid(console, f"未满足 {total:,} examinations not made{shown}", grid)


def _show_shares(console: Console, rows: Sequence[dict[str, Any]], names: dict[str, str]) -> None:
    """What each member and the pool pays over all types, the largest first."""
    from medcost.terminal import empty_grid, safe, show_grid, yuan

    sums: dict[str, dict[str, Decimal]] = {}
    for row in rows:
        of_unit = sums.setdefault(row["unit_id"], dict.fromkeys(("share", "borne"), Decimal(0)))
        for name in of_unit:
            of_unit[name] += row[name]
    grid = empty_grid([("member", False), ("share", True), ("borne", True), ("pays", True)])

    def add(name: Any, share: Decimal, borne: Decimal) -> None:
        grid.add_row(name, yuan(share), yuan(borne), yuan(share - borne))

    members = sorted((unit for unit in sums if unit), key=lambda unit: (-sums[unit]["share"], unit))
    for unit in members[:MEMBERS_SHOWN]:
        add(safe(names[unit], NAME), **sums[unit])
    rest = members[MEMBERS_SHOWN:]
    if rest:
        share, borne = (sum((sums[u][n] for u in rest), Decimal(0)) for n in ("share", "borne"))
        add(f"{len(rest)} others", share, borne)
    if "" in sums:
        add("资金池 pool", **sums[""])
    show_grid(console, "分担 Shares, cost borne at home, and the difference, yuan", grid)


def _show_groups(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    """Of each type the group that has most to complain of."""
    from medcost.terminal import empty_grid, safe, show_grid, yuan

    columns = [("type", False), ("cost", True), ("pool", True), ("group", False)]
    grid = empty_grid([*columns, ("pays", True), ("alone", True), ("verdict", False)])
    for row in rows:
        members = row["members"].split()
        more = f" +{len(members) - GROUP_SHOWN}" if len(members) > GROUP_SHOWN else ""
        verdict = {
            "stays": "无更优 proved" if row["proved"] == "yes" else "无更优 better in",
            "leaves": "更优 better off alone",
            "none": "不可单独 cannot be alone",
        }[row["verdict"]]
        grid.add_row(
            safe(row["device_type"]),
            yuan(row["cost"]),
            yuan(row["pool"]),
            safe(" ".join(members[:GROUP_SHOWN]) + more, NAME),
            yuan(row["share"]),
            yuan(row["alone"]),
            verdict,
        )
    show_grid(console, "稳定性 The group with most to complain of, by type, yuan", grid)
