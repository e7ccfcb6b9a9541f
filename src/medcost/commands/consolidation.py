"""consolidate: the members' statements become the consortium's."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from medcost.commands.consortium import Asked, Question, answer, consortium_options

if TYPE_CHECKING:
    from rich.console import Console

    from medcost.consortium.inputs import ConsortiumInputs
    from medcost.consortium.publication import ConsortiumResult

NATURES = {
    "income": "收入 income",
    "cost": "费用 cost",
    "asset": "资产 assets shown",
    "liability": "负债 liabilities shown",
    "net_assets": "净资产 net assets shown",
}
REASONS = {
    "one_side": "对方未记账 one side only",
    "amounts_differ": "金额不一致 amounts differ",
    "other_period": "其他月份 another month",
    "unknown_partner": "非成员单位 partner not listed",
    "purchase_unknown": "购入未核对 purchase not matched",
}
AMOUNTS = ("members", "eliminated", "consolidated")
LINES_SHOWN = 10
# Members that the statement shows one by one, where there is room for them.
MOST_MEMBERS = 8
LABEL = 34


@click.command()
@consortium_options
def consolidate(asked: Asked) -> None:
    """Consolidate the statements of BOOK's members: what they did with each other is taken out."""
    from medcost.consortium.consolidation.inputs import NEEDED
    from medcost.consortium.consolidation.policy import load_consolidation
    from medcost.consortium.consolidation.stage import KIND, consolidate_months

    answer(
        asked,
        # The other side of a deal may stand in another month, and so may the sale of goods.
        Question(
            KIND,
            NEEDED,
            load_consolidation,
            consolidate_months,
            show_consolidation,
            every_month=True,
        ),
    )


def show_consolidation(
    console: Console, _inputs: ConsortiumInputs, result: ConsortiumResult
) -> None:
    """The statement, what was taken out by kind of business, what was not, and whose it is."""
    rows = {name: table.to_pylist() for name, table in result.tables.items()}
    _show_statement(console, rows["consolidated_statement"], rows["member_statement"])
    _show_eliminations(console, rows["elimination"], rows["consolidated_statement"])
    _show_unmatched(console, rows["unmatched"])
    _show_interest(console, rows["consortium_interest"])


def _show_statement(
    console: Console, lines: Sequence[dict[str, Any]], of_members: Sequence[dict[str, Any]]
) -> None:
    """Every line: members one by one where there is room, their sum, and what is left of it."""
    from medcost.terminal import empty_grid, safe, show_grid, yuan

    units = list(dict.fromkeys(row["unit_id"] for row in of_members))
    widest = max((len(yuan(row[name])) for row in lines for name in AMOUNTS), default=0) + 2
    has_room = LABEL + (len(units) + len(AMOUNTS)) * widest <= console.width
    if len(units) > MOST_MEMBERS or not has_room:
        units = []
    booked = {(row["line_id"], row["unit_id"]): row["reported"] for row in of_members}
    headings = [*((str(safe(unit)), True) for unit in units), *((name, True) for name in AMOUNTS)]
    grid = empty_grid([("", False), *headings])
    totals: dict[str, list[Decimal]] = {}
    for nature, name in NATURES.items():
        of_nature = sorted(
            (row for row in lines if row["nature"] == nature), key=lambda row: row["position"]
        )
        if not of_nature:
            continue
        total = [Decimal(0)] * (len(units) + len(AMOUNTS))
        for row in of_nature:
            each = [booked.get((row["line_id"], unit), Decimal(0)) for unit in units]
            cells = [*each, *(row[amount] for amount in AMOUNTS)]
            total = [a + b for a, b in zip(total, cells, strict=True)]
            label = safe(f"{row['name_zh']} {row['name_en']}", LABEL)
            grid.add_row(label, *(yuan(cell) for cell in cells))
        grid.add_row(name, *(yuan(cell) for cell in total), style="bold", end_section=True)
        totals[nature] = total
    if "income" in totals and "cost" in totals:
        surplus = (a - b for a, b in zip(totals["income"], totals["cost"], strict=True))
        grid.add_row("盈余 surplus", *(yuan(cell) for cell in surplus), style="bold")
    show_grid(console, "合并报表 Consolidated statement, yuan", grid)


def _show_eliminations(
    console: Console, entries: Sequence[dict[str, Any]], lines: Sequence[dict[str, Any]]
) -> None:
    """By kind of business, what was taken out of income, of cost, and of the balance sheet."""
    from medcost.terminal import empty_grid, safe, show_grid, yuan

    nature_of = {row["line_id"]: row["nature"] for row in lines}
    sums: dict[str, dict[str, Decimal]] = {}
    deals: dict[str, set[tuple[str, ...]]] = {}
    keys = ("from_unit_id", "to_unit_id", "reference", "booked_in")
    for row in entries:
        of_kind = sums.setdefault(row["kind"], dict.fromkeys(NATURES, Decimal(0)))
        of_kind[nature_of[row["line_id"]]] += row["amount"]
        deals.setdefault(row["kind"], set()).add(tuple(row[key] for key in keys))
    if not sums:
        return
    grid = empty_grid([("kind", False), ("deals", True), *((name, True) for name in NATURES)])
    for kind, of_kind in sums.items():
        amounts = (yuan(fen) for fen in of_kind.values())
        grid.add_row(safe(kind), f"{len(deals[kind]):,}", *amounts)
    show_grid(console, "抵销 Eliminated, by kind of business, yuan", grid)


def _show_unmatched(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    """Deals that are left in the statement, the largest first."""
    from medcost.terminal import empty_grid, safe, show_grid, yuan

    if not rows:
        return
    texts = [(name, False) for name in ("kind", "from", "to", "reference")]
    grid = empty_grid([*texts, ("claimed", True), ("owed", True), ("reason", False)])
    ordered = sorted(rows, key=lambda row: -max(abs(row["claimed"]), abs(row["owed"])))
    for row in ordered[:LINES_SHOWN]:
        keys = (row[name] for name in ("kind", "from_unit_id", "to_unit_id", "reference"))
        grid.add_row(
            *(safe(key) for key in keys),
            yuan(row["claimed"]),
            yuan(row["owed"]),
            " ".join([REASONS[row["reason"]], row["other_period"] or ""]).rstrip(),
        )
    largest = f", the {LINES_SHOWN} largest" if len(rows) > LINES_SHOWN else ""
    show_grid(console, f"未匹配 {len(rows):,} deals not matched, left in{largest}, yuan", grid)


def _show_interest(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    """Members that others own a part of, and the sum over all members."""
    from medcost.terminal import empty_grid, safe, show_grid, yuan

    surplus = [row for row in rows if row["measure"] == "surplus"]
    shared = [row for row in surplus if row["share"] != "1"]
    if not shared:
        return
    names = ("adjusted", "of_consortium", "of_minority")
    grid = empty_grid([("unit", False), ("share", True), *((name, True) for name in names)])
    ordered = sorted(shared, key=lambda row: (-abs(row["of_minority"]), row["unit_id"]))
    for row in ordered[:LINES_SHOWN]:
        grid.add_row(safe(row["unit_id"]), row["share"], *(yuan(row[name]) for name in names))
    totals = (sum((row[name] for row in surplus), Decimal(0)) for name in names)
    grid.add_row("全部成员 all members", "", *(yuan(total) for total in totals), style="bold")
    largest = f", the {LINES_SHOWN} largest of {len(shared)}" if len(shared) > LINES_SHOWN else ""
    show_grid(console, f"盈余归属 Whose the surplus is{largest}, yuan", grid)
