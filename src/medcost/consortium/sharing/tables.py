"""Results of cost sharing as the contract's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa

from medcost.consortium.sharing.core_check import Coalition
from medcost.consortium.sharing.rules import OWN
from medcost.consortium.sharing.shared import SharedService
from medcost.consortium.sharing.words import whole_fen
from medcost.result_tables import Coded, Filled, build_table
from medcost.tables import load_table
from medcost.text_labels import text_array

BETWEEN = ";"
Row = Mapping[str, Any]


def result_tables(period: str, shared: Sequence[SharedService]) -> dict[str, pa.Table]:
    """All tables of a month, by name without out_, sorted by their keys."""
    return {
        "share": _table("share", [row for one in shared for row in _shares(period, one)]),
        "share_coalition": _table(
            "share_coalition", [row for one in shared for row in _coalitions(period, one)]
        ),
        "share_posting": _table(
            "share_posting", [row for one in shared for row in _postings(period, one)]
        ),
        "share_rule": _table("share_rule", [row for one in shared for row in _rules(period, one)]),
        "share_service": _table("share_service", [_service(period, one) for one in shared]),
    }


def _table(name: str, rows: Sequence[Row]) -> pa.Table:
    """Rows as the table of that name: text '' and numbers None are empty; sorted by the key."""
    schema = load_table(f"out_{name}")
    rows = sorted(rows, key=lambda row: tuple(row[column] for column in schema.key))
    columns: dict[str, Any] = {}
    for column in schema.columns:
        values = [row[column.name] for row in rows]
        if column.type == "string":
            labels = sorted({*values} - {""})
            place = {label: i for i, label in enumerate(labels)} | {"": -1}
            codes = np.array([place[value] for value in values], np.int64)
            columns[column.name] = Coded(text_array(labels), codes)
        else:
            there = np.array([value is not None for value in values], np.bool_)
            numbers = np.array([value or 0 for value in values], np.int64)
            columns[column.name] = numbers if there.all() else Filled(numbers, there)
    return build_table(name, columns, all_rows=True)


def members_text(units: Sequence[str], coalition: Coalition) -> str:
    """The ids of a coalition with a semicolon between them."""
    return BETWEEN.join(units[i] for i in coalition.members)


def verdict(checked: bool, worst: Coalition | None) -> str:
    """Whether shares lie in the core; a single member's always do."""
    if not checked:
        return "unknown"
    return "outside" if worst is not None and worst.excess > 0 else "inside"


def _fen(amount: Fraction | None) -> int | None:
    return None if amount is None else whole_fen(amount)


def _service(period: str, one: SharedService) -> Row:
    worst = one.worst
    return {
        "period": period,
        "service_id": one.service.service_id,
        "name": one.service.name,
        "unit_id": one.service.unit_id,
        "rule": one.rule,
        "game": one.service.game,
        "own_cost": one.own,
        "included_cost": one.included,
        "cost": one.cost,
        "core": verdict(one.checked_by != "none", worst),
        "checked_by": one.checked_by,
        "worst_excess": None if worst is None else one.in_fen(worst, one.shares).excess,
        "worst_coalition": "" if worst is None else members_text(one.units, worst),
        "least_excess": _fen(one.least_excess),
    }


def _shares(period: str, one: SharedService) -> list[Row]:
    rows: list[Row] = []
    for (unit, account), fen in one.shares.items():
        alone = _fen(one.alone.get(unit)) if account == OWN else None
        tightest = one.tightest.get(unit) if account == OWN else None
        rows.append(
            {
                "period": period,
                "service_id": one.service.service_id,
                "unit_id": unit,
                "account": account,
                "share": fen,
                "stand_alone_cost": alone,
                "saving": None if alone is None else alone - fen,
                "sampling_error": one.errors.get(unit) if account == OWN else None,
                "tightest_coalition": "" if tightest is None else members_text(one.units, tightest),
                "tightest_excess": (
                    None if tightest is None else one.in_fen(tightest, one.shares).excess
                ),
            }
        )
    return rows


def _postings(period: str, one: SharedService) -> list[Row]:
    return [
        {
            "period": period,
            "service_id": one.service.service_id,
            "unit_id": posting.party[0],
            "account": posting.party[1],
            "counterparty_id": posting.counterparty[0],
            "counterparty_account": posting.counterparty[1],
            "amount": posting.fen,
        }
        for posting in one.postings
    ]


def _rules(period: str, one: SharedService) -> list[Row]:
    return [
        {
            "period": period,
            "service_id": one.service.service_id,
            "rule": compared.rule,
            "unit_id": unit,
            "account": account,
            "charged": "yes" if compared.rule == one.rule else "no",
            "share": fen,
            "core": verdict(True, compared.worst),
            "worst_excess": (
                None
                if compared.worst is None
                else one.in_fen(compared.worst, compared.shares).excess
            ),
        }
        for compared in one.compared
        for (unit, account), fen in compared.shares.items()
    ]


def _coalitions(period: str, one: SharedService) -> list[Row]:
    found = {} if one.worst is None else {one.worst.members: one.worst}
    found |= {coalition.members: coalition for coalition in one.tightest.values()}
    rows: list[Row] = []
    for members, coalition in found.items():
        found_fen = one.in_fen(coalition, one.shares)
        rows.append(
            {
                "period": period,
                "service_id": one.service.service_id,
                "members": members_text(one.units, coalition),
                "size": len(members),
                "worst": "yes" if one.worst is not None and one.worst.members == members else "no",
                "pays": found_fen.pays,
                "alone": found_fen.alone,
                "excess": found_fen.excess,
            }
        )
    return rows
