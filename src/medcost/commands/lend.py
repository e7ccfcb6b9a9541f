"""`medcost lend`: who lends to whom from the capital pool, month by month."""

from __future__ import annotations

import os
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from medcost.commands.consortium import Asked, Question, answer, consortium_options, each_month

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

    from medcost.consortium.inputs import ConsortiumInputs
    from medcost.consortium.policy import LoadedPolicy
    from medcost.consortium.publication import ConsortiumResult, Published

MONTHS_SHOWN, MEMBERS_SHOWN, RULES_SHOWN = 12, 12, 8
Rows = Sequence[dict[str, Any]]


@click.command()
@consortium_options
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds that each program may take; by default no limit, and always the same answer.",
)
@click.option("--threads", type=click.IntRange(1, 256), help="Default: one a processor.")
def lend(asked: Asked, time_limit: float | None, threads: int | None) -> None:
    """Plan the capital pool of BOOK from a month on: draws, repayments, bridges, interest."""
    from medcost.consortium.lending.goals import Means
    from medcost.consortium.lending.policy import load_lending
    from medcost.consortium.lending.stage import KIND, plan_lending

    means = Means(seconds=time_limit, threads=threads or os.cpu_count() or 1)

    def planned(
        inputs: ConsortiumInputs, policy: LoadedPolicy[Any], period: str, published: Published
    ) -> ConsortiumResult:
        return plan_lending(inputs, policy, period, published, means)

    question = Question(
        KIND, ("cash_plan",), load_lending, each_month(planned), _show, every_month=True
    )
    answer(asked, question)


GOAL_WIDTH = 56
GOALS = {
    "worst_shortfall": "最大缺口 worst shortfall, yuan",
    "total_shortfall": "缺口合计 total shortfall, yuan",
    "external_interest": "外部利息 interest to the bank, yuan",
}


def goal_words(goal: str) -> str:
    """A goal as people read it; whose need or fairness it is stands behind, as the policy says."""
    kind, _, whose = goal.partition("_")
    if kind == "unmet":
        return f"未满足 unmet need of {whose.replace('_', ', ')}, yuan"
    if kind == "fairness":
        return f"公平 largest debt beside its limit, {whose}"
    return GOALS.get(goal, goal)


def _show(console: Console, inputs: ConsortiumInputs, result: ConsortiumResult) -> None:
    names = dict(zip(inputs.members.unit_ids, inputs.members.names, strict=True))
    _show_goals(console, _rows(result.tables["pool_goal"]))
    _show_months(console, _rows(result.tables["pool_month"]))
    _show_draws(console, _rows(result.tables["pool_plan"]), names)
    _show_rules(console, _rows(result.tables["pool_rule"]), names)


def _rows(table: pa.Table) -> Rows:
    from medcost.result_tables import as_written

    rows: Rows = as_written(table).to_pylist()
    return rows


def _show_goals(console: Console, rows: Rows) -> None:
    """The goals in their order, and what whole lots cost."""
    from medcost.terminal import empty_grid, safe, show_grid

    grid = empty_grid([("goal", False), ("value", True), ("without whole lots", True)])
    for row in rows:
        share = row["goal"].startswith("fairness")
        shown = [
            f"{row[name]:.4f}" if share else f"{row[name]:,.2f}"
            for name in ("value", "without_lots")
        ]
        grid.add_row(safe(goal_words(row["goal"]), GOAL_WIDTH), *shown)
    show_grid(console, "目标 Goals in their order", grid)


def _show_months(console: Console, rows: Rows) -> None:
    """The pool at the end of the first months."""
    from medcost.terminal import empty_grid, safe, show_grid, yuan

    several = len({row["scenario"] for row in rows}) > 1
    amounts = ("deposits", "debts", "cash", "free", "bridges", "shortfall")
    heads = [("month", False), *([("scenario", False)] if several else [])]
    grid = empty_grid([*heads, *((name, True) for name in amounts)])
    shown = sorted(rows, key=lambda row: (row["scenario"], row["month"]))[:MONTHS_SHOWN]
    for row in shown:
        first = [safe(row["month"]), *([safe(row["scenario"])] if several else [])]
        grid.add_row(*first, *(yuan(row[name]) for name in amounts))
    show_grid(console, f"资金池 Pool, {len(shown)} of {len(rows)} months", grid)


def _show_draws(console: Console, rows: Rows, names: dict[str, str]) -> None:
    """Who draws and repays most in the plan's first month."""
    from medcost.terminal import empty_grid, safe, show_grid, yuan

    first = min(row["month"] for row in rows)
    scenario = min(row["scenario"] for row in rows)
    moved = [
        row
        for row in rows
        if (row["month"], row["scenario"]) == (first, scenario)
        and (row["draw"] or row["repayment"] or row["bridge"] or row["shortfall"])
    ]
    if not moved:
        return
    amounts = ("draw", "repayment", "debt", "bridge", "closing_balance", "floor", "shortfall")
    grid = empty_grid([("member", False), *((name, True) for name in amounts)])
    largest = sorted(moved, key=lambda row: (-_size(row), row["unit_id"]))[:MEMBERS_SHOWN]
    for row in largest:
        grid.add_row(safe(names[row["unit_id"]]), *(yuan(row[name]) for name in amounts))
    title = f"融通 Loans in {first}, {len(largest)} of {len(moved)} members"
    show_grid(console, title, grid)


def _size(row: dict[str, Any]) -> Decimal:
    total: Decimal = row["draw"] + row["repayment"] + row["bridge"] + row["shortfall"]
    return total


def _show_rules(console: Console, rows: Rows, names: dict[str, str]) -> None:
    """The rules that cost a goal most, with what one lot more or less of room gives."""
    from medcost.terminal import empty_grid, safe, show_grid

    if not rows:
        return
    heads = [("rule", False), ("of", False), ("goal", False), ("a yuan more is worth", True)]
    grid = empty_grid([*heads, ("one lot more", True), ("one lot less", True)])
    dearest = sorted(rows, key=lambda row: (-row["price"], row["rule"], row["month"] or ""))
    for row in dearest[:RULES_SHOWN]:
        of = row["month"] or names.get(row["unit_id"] or "", "")
        again = [
            "" if row[name] is None else f"{row[name]:,.2f}" for name in ("with_more", "with_less")
        ]
        goal = safe(goal_words(row["goal"]), GOAL_WIDTH)
        grid.add_row(safe(row["rule"]), safe(of), goal, f"{row['price']:.4f}", *again)
    show_grid(console, f"约束 Rules that bind, {min(len(rows), RULES_SHOWN)} of {len(rows)}", grid)
