"""Invented DRG weights and prices, set near what the sample's own cases cost; item weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from medcost.sample.files import AMOUNT, WEIGHT, decimals, texts
from medcost.sample.patients import NO_GROUP, PAYERS, Cases
from medcost.sample.registry import HOUSES, LEAD, Groups, House, Items
from medcost.sample.services import WHOLE, Lines
from medcost.sample.streams import Floats, Ints

SCHEME = "CHS-DRG 1.1 (weights invented)"
PRIOR_CASES = 8.0
RESIDENT_GROUP = "ES33"
RESIDENT_FACTOR = 0.965
ELEMENT_WEIGHTS = (
    ("IMG007", "depreciation", 4.0),
    ("IMG013", "depreciation", 5.0),
    ("IMG015", "depreciation", 6.5),
    ("IMG016", "depreciation", 6.5),
    ("LAB034", "materials", 3.2),
    ("END004", "depreciation", 2.5),
    ("TRT026", "depreciation", 2.2),
    ("TRT015", "depreciation", 3.0),
)
DEPARTMENT_WEIGHTS = (("NGR002", "C16", 1.4), ("TRT007", "C16", 1.25), ("NOP001", "C12", 1.5))
UNIT_WEIGHT = ("LAB001", 1.3)
PERIOD_WEIGHT = ("IMG001", 0.9)
UNWEIGHTED = ("TRT033", "REG007")


def estimated_case_cost(
    house: House, items: Items, lines: Lines, *, unit: int, in_scope: Ints, n_cases: int
) -> Floats:
    """float64[cases], fen: about what the month adds to each of the unit's own cases.

    Administration and support are spread by headcount and the pools by item weight; the engine
    does it exactly, this estimate only places the invented prices.
    """
    cost = in_scope.sum(axis=1).astype(np.float64)
    receiving = house.of_class("medtech", "clinical")
    posts = house.headcount[receiving]
    pool = np.zeros(len(cost))
    overhead = cost[house.of_class("admin", "support")].sum()
    pool[receiving] = cost[receiving] + overhead * posts / posts.sum()
    pool -= np.bincount(lines.dept, weights=lines.cost, minlength=len(cost))
    weight = np.where(items.direct, 0, items.weight)[lines.item] / 100 * lines.quantity / WHOLE
    measure = np.bincount(lines.dept, weights=weight, minlength=len(cost))
    rate = np.divide(pool, measure, out=np.zeros_like(pool), where=measure > 0)
    each = rate[lines.dept] * weight + lines.cost
    own = (lines.case_unit == unit) & (lines.case >= 0)
    summed = np.bincount(lines.case[own], weights=each[own], minlength=n_cases)
    return summed.astype(np.float64)


@dataclass(frozen=True)
class PriceList:
    """RW in millionths by group, and prices in fen by kind of hospital and group."""

    weight: Ints
    price: Ints

    def of_cases(self, kind: int, cases: Cases) -> Ints:
        """int64[cases], fen: the price of each grouped case that has ended, else 0."""
        grouped = (cases.group > NO_GROUP) & ~cases.stays_on
        return np.where(grouped, self.price[kind][np.maximum(cases.group, 0)], 0)


def price_list(
    groups: Groups, kind: Ints, group: Ints, cost: Floats, rng: np.random.Generator
) -> PriceList:
    """Weights and prices from the kind of hospital, group and cost (fen) of finished cases.

    A weight is the group's cost relative to the mean of its kind of hospital, drawn towards the
    catalogue's weight as if by PRIOR_CASES cases, with some noise. A price is weight x rate,
    with the rate of its kind of hospital, so that some groups end in surplus, some in deficit.
    """
    n = len(groups.ids)
    sums, counts, rates = np.zeros(n), np.zeros(n), np.zeros(len(HOUSES))
    for k in range(len(HOUSES)):
        mine = kind == k
        if not mine.any() or cost[mine].sum() <= 0:
            continue
        relative = cost[mine] / cost[mine].mean() * groups.weight[group[mine]].mean()
        sums += np.bincount(group[mine], weights=relative, minlength=n)
        counts += np.bincount(group[mine], minlength=n)
    weight = (sums + PRIOR_CASES * groups.weight) / (counts + PRIOR_CASES)
    weight = np.rint(weight * rng.uniform(0.9, 1.1, n) * 10_000) / 10_000
    for k in range(len(HOUSES)):
        mine = kind == k
        if mine.any():
            rate = cost[mine].sum() / weight[group[mine]].sum() * rng.uniform(0.99, 1.03)
            rates[k] = np.rint(rate / 1_000) * 1_000
    default = rates.max() if rates.max() > 0 else 600_000.0
    rates = np.where(rates > 0, rates, default)
    factor = rng.uniform(0.95, 1.05, (len(HOUSES), n))
    price = np.rint(rates[:, None] * weight * factor).astype(np.int64)
    return PriceList(np.rint(weight * 1_000_000).astype(np.int64), price)


def group_table(groups: Groups, prices: PriceList) -> pa.Table:
    """The table drg_groups."""
    return pa.table(
        {
            "scheme": pa.array([SCHEME] * len(groups.ids)),
            "drg_id": pa.array(groups.ids),
            "name": pa.array(groups.names),
            "adrg_id": pa.array([drg_id[:3] for drg_id in groups.ids]),
            "mdc_id": pa.array([f"MDC{drg_id[0]}" for drg_id in groups.ids]),
            "weight": decimals(prices.weight, WEIGHT),
        }
    )


def price_table(groups: Groups, prices: PriceList, lead_unit: str, since: str) -> pa.Table:
    """The table drg_prices: the township price for every unit, the lead hospital's own prices,
    and one price of the lead hospital for one payer.
    """
    rows: list[tuple[str, str | None, str | None, int]] = []
    for g, drg_id in enumerate(groups.ids):
        rows.append((drg_id, None, None, int(prices.price[1 - LEAD, g])))
        rows.append((drg_id, lead_unit, None, int(prices.price[LEAD, g])))
        if drg_id == RESIDENT_GROUP:
            resident = round(int(prices.price[LEAD, g]) * RESIDENT_FACTOR)
            rows.append((drg_id, lead_unit, PAYERS[1], resident))
    return pa.table(
        {
            "drg_id": pa.array([row[0] for row in rows]),
            "scheme": pa.array([SCHEME] * len(rows)),
            "unit_id": texts([row[1] for row in rows]),
            "payer": texts([row[2] for row in rows]),
            "valid_from": pa.array([since] * len(rows)),
            "valid_to": pa.nulls(len(rows), pa.string()),
            "price": decimals(np.array([row[3] for row in rows]), AMOUNT),
        }
    )


def item_weight_table(items: Items, unit_ids: tuple[str, ...], last_period: str) -> pa.Table:
    """The table item_weights: one row for each shared item but UNWEIGHTED, and special rows."""
    weight_of = dict(zip(items.ids, items.weight.tolist(), strict=True))
    rows: list[tuple[str, str | None, str | None, str | None, str | None, int]] = [
        (item_id, None, None, None, None, weight_of[item_id] * 10_000)
        for place, item_id in enumerate(items.ids)
        if not items.direct[place] and item_id not in UNWEIGHTED
    ]

    def scaled(item_id: str, factor: float) -> int:
        return round(float(weight_of[item_id]) * factor) * 10_000

    for item_id, element, factor in ELEMENT_WEIGHTS:
        rows.append((item_id, None, None, element, None, scaled(item_id, factor)))
    for item_id, dept_id, factor in DEPARTMENT_WEIGHTS:
        rows.append((item_id, None, dept_id, None, None, scaled(item_id, factor)))
    item_id, factor = UNIT_WEIGHT
    rows.append((item_id, unit_ids[-1], None, None, None, scaled(item_id, factor)))
    item_id, factor = PERIOD_WEIGHT
    rows.append((item_id, None, None, None, last_period, scaled(item_id, factor)))
    columns = list(zip(*rows, strict=True))
    return pa.table(
        {
            "item_id": pa.array(columns[0]),
            "unit_id": texts(columns[1]),
            "dept_id": texts(columns[2]),
            "element": texts(columns[3]),
            "period": texts(columns[4]),
            "weight": decimals(np.array(columns[5]), WEIGHT),
        }
    )
