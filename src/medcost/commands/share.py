"""`medcost share`: who bears what of shared services, and who would be better off alone."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from medcost.commands.consortium import Asked, Question, answer, consortium_options, each_month

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

    from medcost.consortium.inputs import ConsortiumInputs
    from medcost.consortium.publication import ConsortiumResult

MEMBERS_SHOWN = 15
INCLUDED = "included"
CORE_NAMES = {"inside": "nobody", "outside": "a coalition", "unknown": ""}
Rows = Sequence[dict[str, Any]]


@click.command()
@consortium_options
def share(asked: Asked) -> None:
    """Share the cost of shared services of BOOK, and check that no coalition pays too much."""
    from medcost.consortium.sharing.policy import load_cost_sharing
    from medcost.consortium.sharing.stage import KIND, share_period

    question = Question(
        KIND, ("shared_services",), load_cost_sharing, each_month(share_period), _show
    )
    answer(asked, question)


def _show(console: Console, inputs: ConsortiumInputs, result: ConsortiumResult) -> None:
    names = dict(zip(inputs.members.unit_ids, inputs.members.names, strict=True))
    services = _rows(result.tables["share_service"])
    _show_services(console, services)
    _show_members(console, services, result, names)
    _show_verdicts(console, services, _rows(result.tables["share_rule"]), names)


def _rows(table: pa.Table) -> Rows:
    from medcost.result_tables import as_written

    rows: Rows = as_written(table).to_pylist()
    return rows


def _show_services(console: Console, services: Rows) -> None:
    """Each service: its rule, what it cost, and whether anyone would leave."""
    from medcost.terminal import empty_grid, safe, show_grid, yuan

    grid = empty_grid(
        [
            ("service", False),
            ("name", False),
            ("performed by", False),
            ("rule", False),
            ("cost", True),
            ("would leave", False),
        ]
    )
    for row in services:
        grid.add_row(
            safe(row["service_id"]),
            safe(row["name"]),
            safe(row["unit_id"]),
            row["rule"],
            yuan(row["cost"]),
            CORE_NAMES[row["core"]],
        )
    show_grid(console, "共享服务 Shared services, yuan", grid)


def _show_members(
    console: Console, services: Rows, result: ConsortiumResult, names: dict[str, str]
) -> None:
    """What each member bears in all, what it would alone where that is known, what it settles.

    Services that became cost of another one are borne through that one. Of many members those
    that bear most.
    """
    from medcost.terminal import empty_grid, safe, show_grid, yuan

    zero = Decimal(0)
    inner = {row["service_id"] for row in services if row["rule"] == INCLUDED}
    bears: dict[str, Decimal] = {}
    pool: dict[str, Decimal] = {}
    saves: dict[str, Decimal] = {}
    settles: dict[str, Decimal] = {}
    for row in _rows(result.tables["share"]):
        if row["service_id"] not in inner:
            of = bears if row["account"] == "own" else pool
            of[row["unit_id"]] = of.get(row["unit_id"], zero) + row["share"]
            if row["saving"] is not None:
                saves[row["unit_id"]] = saves.get(row["unit_id"], zero) + row["saving"]
    for row in _rows(result.tables["share_posting"]):
        settles[row["unit_id"]] = settles.get(row["unit_id"], zero) + row["amount"]
    members = sorted({*bears, *pool, *settles}, key=lambda unit: (-bears.get(unit, zero), unit))
    grid = empty_grid(
        [
            ("member", False),
            ("name", False),
            ("bears", True),
            ("in its pool", True),
            ("saves", True),
            ("takes over", True),
        ]
    )
    groups = [(unit, names.get(unit, ""), [unit]) for unit in members[:MEMBERS_SHOWN]]
    if len(members) > MEMBERS_SHOWN:
        others = members[MEMBERS_SHOWN:]
        groups.append((f"{len(others)} others", "", others))
    groups.append(("total", "", members))
    for label, name, of_group in groups:
        amounts = [
            yuan(sum((of.get(unit, zero) for unit in of_group), zero))
            for of in (bears, pool, saves, settles)
        ]
        grid.add_row(safe(label), safe(name), *amounts)
    show_grid(console, "成本分担 Shares of all services, yuan", grid)


def _show_verdicts(console: Console, services: Rows, shares: Rows, names: dict[str, str]) -> None:
    """One sentence on each service whose coalitions can be compared."""
    from rich.text import Text

    from medcost.consortium.sharing.tables import BETWEEN
    from medcost.consortium.sharing.words import sentence_on_core

    for row in services:
        if not row["worst_coalition"]:
            continue
        service, inside = row["service_id"], row["worst_coalition"].split(BETWEEN)
        units = {one["unit_id"] for one in shares if one["service_id"] == service}
        said = sentence_on_core(
            service,
            [names[unit] for unit in inside],
            [names[unit] for unit in sorted(units - {*inside})],
            int(row["worst_excess"].scaleb(2)),
            row["core"] == "outside",
            "en",
        )
        console.print(Text(said))
