"""A plan that starts from last month's published plan, and what changed against it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from medcost.book import period_label, period_number
from medcost.consortium.lending.cash import Cash
from medcost.consortium.lending.position import Opening
from medcost.consortium.lending.whole_fen import Ledger
from medcost.records import dataclass
from medcost.result_tables import fen_of
from medcost.run_folders import read_tables

ITEMS = {
    "balance": "closing_balance",
    "debt": "debt",
    "draw": "draw",
    "repayment": "repayment",
    "bridge": "bridge",
    "shortfall": "shortfall",
    "inflow": "inflow",
    "outflow": "outflow",
}
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Change:
    """A figure of both plans that differs, fen."""

    month: str
    unit_id: str
    item: str
    before: int
    now: int


@dataclass(frozen=True)
class EarlierPlan:
    """Last month's published plan: fen by (month, unit_id, item), its scenarios and its result.

    folder: where it lies; result: the pool's own at the end of its first month.
    """

    folder: Path
    figures: Mapping[Key, int]
    month: str
    units: tuple[str, ...]
    scenarios: tuple[str, ...]
    result: int

    def opening(self) -> Opening:
        """Where the plan's first month ends: what the next one begins with."""
        of = {
            item: {
                unit: self.figures.get((self.month, unit, item), 0)
                for unit in self.units
                if item != "balance" or (self.month, unit, item) in self.figures
            }
            for item in ("balance", "debt", "bridge")
        }
        return Opening(of["balance"], of["debt"], of["bridge"], self.result)


def month_before(period: str) -> str:
    """The month before a month."""
    return period_label(period_number(period) - 1)


def read_earlier_plan(folder: Path) -> EarlierPlan:
    """Read the tables of a published plan; of several scenarios the first stands for all.

    Debts and bridges of a plan's first month are the same in all of them; balances are those of
    the first and are given only where there is one.
    """
    tables = read_tables(folder, ("pool_plan.parquet", "pool_month.parquet"))
    plan, months = tables["pool_plan"], tables["pool_month"]
    scenarios = sorted(set(_texts(plan, "scenario")))
    kept = np.array([one == scenarios[0] for one in _texts(plan, "scenario")], np.bool_)
    plan = plan.filter(pa.array(kept))
    month_of, unit_of = _texts(plan, "month"), _texts(plan, "unit_id")
    items = dict(ITEMS)
    if len(scenarios) > 1:
        items.pop("balance")
    figures: dict[Key, int] = {}
    for item, column in items.items():
        keys = zip(month_of, unit_of, strict=True)
        for (month, unit), fen in zip(keys, fen_of(plan, column).tolist(), strict=True):
            figures[month, unit, item] = fen
    first = min(month_of)
    result = next(
        fen
        for month, fen in zip(
            _texts(months, "month"), fen_of(months, "result").tolist(), strict=True
        )
        if month == first
    )
    return EarlierPlan(
        folder, figures, first, tuple(sorted(set(unit_of))), tuple(scenarios), result
    )


def _texts(table: pa.Table, name: str) -> list[str]:
    return [one or "" for one in table[name].to_pylist()]


def changes(earlier: EarlierPlan, cash: Cash, ledger: Ledger) -> list[Change]:
    """What differs between last month's plan and this one, sorted by month, unit and item.

    The month before this plan stands for its opening; of the months of both plans every item.
    """
    found = []
    opening = {"balance": cash.balance, "debt": cash.debt, "bridge": cash.bridge}
    for item, fen in opening.items():
        for unit, now in zip(cash.unit_ids, fen.tolist(), strict=True):
            key = (earlier.month, unit, item)
            if item == "balance" and key not in earlier.figures:
                continue
            found.append(Change(*key, earlier.figures.get(key, 0), now))
    if len(earlier.scenarios) == 1 and len(cash.scenarios) == 1:
        planned = {month for month, _unit, _item in earlier.figures}
        now_of = {"inflow": cash.inflow[0], "outflow": cash.outflow[0]}
        for item in ITEMS:
            values = now_of[item] if item in now_of else getattr(ledger, item)
            for t, month in enumerate(cash.months):
                if month not in planned:
                    continue
                for unit, now in zip(cash.unit_ids, values[:, t].tolist(), strict=True):
                    before = earlier.figures.get((month, unit, item), 0)
                    found.append(Change(month, unit, item, before, now))
    found = [one for one in found if one.before != one.now]
    return sorted(found, key=lambda one: (one.month, one.unit_id, one.item))
