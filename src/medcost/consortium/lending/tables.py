"""Results of a plan as the contract's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medcost.consortium.lending.audit import Unserved
from medcost.consortium.lending.cash import Cash, Terms, floors
from medcost.consortium.lending.gain import Gain, split_by
from medcost.consortium.lending.goals import Goal
from medcost.consortium.lending.prices import BindingRule
from medcost.consortium.lending.replan import Change
from medcost.consortium.lending.whole_fen import Ledger
from medcost.result_tables import Coded, Filled, Given, build_table
from medcost.tables import load_table
from medcost.text_labels import text_array

RATE_STEPS = 1_000_000
Row = Mapping[str, Any]


def plan_table(period: str, cash: Cash, terms: Terms, ledgers: Sequence[Ledger]) -> pa.Table:
    """out_pool_plan: members by month and scenario."""

    def over(values: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
        # [S, M, T] in the order of the key: month, scenario, unit.
        return np.ascontiguousarray(np.stack(values).transpose(2, 0, 1)).ravel()

    floor = floors(cash, terms)
    places = range(len(ledgers))
    limits = np.broadcast_to(cash.loan_limit[:, None], ledgers[0].debt.shape)
    columns: dict[str, Given] = {
        **_keys(period, cash),
        "opening_balance": over([one.before(cash.balance, "balance") for one in ledgers]),
        "inflow": over([cash.inflow[place] for place in places]),
        "outflow": over([cash.outflow[place] for place in places]),
        "bridge_repaid": over([one.before(cash.bridge, "bridge") for one in ledgers]),
        "closing_balance": over([one.balance for one in ledgers]),
        "lent": over(
            [lent(one, floor[place]) for place, one in enumerate(ledgers)],
        ),
        "loan_limit": over([limits for _ in ledgers]),
        "floor": over([floor[place] for place in places]),
    }
    for name in (
        *("deposit_interest", "loan_interest", "draw", "repayment", "bridge"),
        *("bridge_interest", "debt", "shortfall"),
    ):
        columns[name] = over([getattr(one, name) for one in ledgers])
    return build_table("pool_plan", columns, all_rows=True)


def lent(ledger: Ledger, floor: NDArray[np.int64]) -> NDArray[np.int64]:
    """What each member lends to others at the end of each month, fen [M, T].

    The debts of all are lent by those whose accounts exceed their floors, by what exceeds them;
    where none does, by the accounts.
    """
    found = np.zeros_like(ledger.debt)
    for month in range(found.shape[1]):
        owed = int(ledger.debt[:, month].sum())
        weights = np.maximum(ledger.balance[:, month] - floor[:, month], 0)
        if not weights.any():
            weights = np.maximum(ledger.balance[:, month], 0)
        if owed:
            found[:, month] = split_by(owed, weights if weights.any() else weights + 1)
    return found


def _keys(period: str, cash: Cash) -> dict[str, Given]:
    """Key columns of every month, scenario and unit."""
    scenarios, members, months = cash.shape
    shape = (months, scenarios, members)
    month, scenario, unit = (axis.ravel() for axis in np.indices(shape))
    return {
        "period": Coded(text_array([period]), np.zeros(month.size, np.int64)),
        "month": Coded(text_array(cash.months), month),
        "scenario": Coded(text_array(cash.scenarios), scenario),
        "unit_id": Coded(text_array(cash.unit_ids), unit),
    }


def month_rows(period: str, cash: Cash, ledgers: Sequence[Ledger]) -> list[Row]:
    """out_pool_month: the pool by month and scenario."""
    rows: list[Row] = []
    for scenario, one in zip(cash.scenarios, ledgers, strict=True):
        sums = {
            "deposits": one.balance,
            "debts": one.debt,
            "bridges": one.bridge,
            "shortfall": one.shortfall,
        }
        totals = {name: values.sum(axis=0).tolist() for name, values in sums.items()}
        for t, month in enumerate(cash.months):
            own = {
                name: int(getattr(one, name)[t])
                for name in ("result", "cash", "reserve", "floor", "cash_interest")
            }
            rows.append(
                {
                    "period": period,
                    "month": month,
                    "scenario": scenario,
                    **own,
                    **{name: values[t] for name, values in totals.items()},
                    "free": own["cash"] - own["reserve"] - own["floor"],
                }
            )
    return rows


def interest_rows(period: str, cash: Cash, terms: Terms, ledgers: Sequence[Ledger]) -> list[Row]:
    """out_pool_interest: every posting that is not nothing."""
    rows: list[Row] = []
    rates = {
        "deposit": terms.deposit_rate,
        "loan": terms.loan_rate,
        "bridge": terms.bank_rate,
    }
    for scenario, one in zip(cash.scenarios, ledgers, strict=True):
        principals = {
            "deposit": one.before(cash.balance, "balance"),
            "loan": one.before(cash.debt, "debt"),
            "bridge": one.before(cash.bridge, "bridge"),
        }
        for kind, principal in principals.items():
            amounts = getattr(one, f"{kind}_interest")
            for i, t in np.argwhere((amounts != 0) | (principal != 0)).tolist():
                rows.append(
                    {
                        "period": period,
                        "month": cash.months[t],
                        "scenario": scenario,
                        "unit_id": cash.unit_ids[i],
                        "kind": kind,
                        "principal": int(principal[i, t]),
                        "days": int(cash.days[t]),
                        "rate": round(rates[kind] * RATE_STEPS),
                        "day_count": terms.day_count,
                        "amount": int(amounts[i, t]),
                    }
                )
    return rows


def goal_rows(period: str, goals: Sequence[Goal]) -> list[Row]:
    """out_pool_goal: values to a thousandth of a fen, below which they are the solver's."""
    return [
        {
            "period": period,
            "place": place,
            "goal": goal.name,
            "value": _shown(goal.value),
            "without_lots": _shown(goal.relaxed),
        }
        for place, goal in enumerate(goals, 1)
    ]


def rule_rows(period: str, cash: Cash, rules: Sequence[BindingRule]) -> list[Row]:
    """out_pool_rule."""
    rows: list[Row] = [
        {
            "period": period,
            "rule": one.rule,
            "month": cash.months[one.month] if one.month >= 0 else "",
            "unit_id": cash.unit_ids[one.member] if one.member >= 0 else "",
            "goal": one.goal,
            "price": _shown(one.price),
            "step": one.step,
            "with_more": None if one.more is None else _shown(one.more),
            "with_less": None if one.less is None else _shown(one.less),
        }
        for one in rules
    ]
    return rows


def priority_rows(period: str, cash: Cash, found: Sequence[Sequence[Unserved]]) -> list[Row]:
    """out_pool_priority, of each scenario in turn."""
    return [
        {
            "period": period,
            "month": cash.months[one.month],
            "scenario": scenario,
            "unit_id": cash.unit_ids[one.member],
            "unmet": one.unmet,
            "room": one.room,
            "drawn_later": one.drawn_later,
            "reason": one.reason,
        }
        for scenario, unserved in zip(cash.scenarios, found, strict=True)
        for one in unserved
    ]


def gain_rows(period: str, cash: Cash, gains: Sequence[Gain]) -> list[Row]:
    """out_pool_gain, of each scenario in turn."""
    rows: list[Row] = []
    for scenario, one in zip(cash.scenarios, gains, strict=True):
        each = zip(
            cash.unit_ids,
            one.stand_alone.tolist(),
            one.pooled.tolist(),
            one.saving.tolist(),
            one.share.tolist(),
            strict=True,
        )
        for unit, alone, pooled, saving, share in each:
            rows.append(
                {
                    "period": period,
                    "scenario": scenario,
                    "unit_id": unit,
                    "stand_alone": alone,
                    "pooled": pooled,
                    "saving": saving,
                    "share": share,
                    "gain": saving + share,
                }
            )
    return rows


def change_rows(period: str, found: Sequence[Change]) -> list[Row]:
    """out_pool_change."""
    return [
        {
            "period": period,
            "month": one.month,
            "unit_id": one.unit_id,
            "item": one.item,
            "before": one.before,
            "now": one.now,
            "difference": one.now - one.before,
        }
        for one in found
    ]


def rows_table(name: str, rows: Sequence[Row]) -> pa.Table:
    """Rows as the table of that name, sorted by its key; numbers None are empty."""
    schema = load_table(f"out_{name}")
    rows = sorted(rows, key=lambda row: tuple(row[column] for column in schema.key))
    columns: dict[str, Given] = {}
    for column in schema.columns:
        values = [row[column.name] for row in rows]
        if column.type == "string":
            labels = sorted({*values})
            place = {label: i for i, label in enumerate(labels)}
            codes = np.array([place[value] for value in values], np.int64)
            columns[column.name] = Coded(text_array(labels), codes)
            continue
        there = np.array([value is not None for value in values], np.bool_)
        numbers = [0 if value is None else value for value in values]
        if column.type == "double":
            columns[column.name] = Filled(np.array(numbers, np.float64), there)
        else:
            columns[column.name] = Filled(np.array(numbers, np.int64), there)
    return build_table(name, columns, all_rows=True)


def _shown(value: float) -> float:
    """A solver's value without the digits that are noise: 1e-5 yuan, or 1e-5 of a share."""
    return round(value, 5) + 0.0
