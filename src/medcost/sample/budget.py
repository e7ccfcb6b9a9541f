"""An invented budget: departments by element with requests, and DRG groups with standards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from medcost.sample.activity import Workload
from medcost.sample.files import AMOUNT, QUANTITY, WEIGHT, decimals, texts
from medcost.sample.patients import NO_GROUP, Cases
from medcost.sample.postings import DRUGS, MATERIALS
from medcost.sample.prices import PriceList
from medcost.sample.registry import ELEMENTS, LEAD, Groups, House
from medcost.sample.streams import Ints, Month

KEY_DISCIPLINES = ("C03", "C06", "C09", "C16", "M01", "M07")
STEP = 1_000
LEFT_OUT_SHARE = 0.01


@dataclass(frozen=True)
class BudgetRow:
    """One row: amounts in fen, volume in 1e-4, price and quantity in 1e-6; None is empty."""

    dept: int | None
    element: int | None
    group: int | None
    tag: str
    requested: int | None
    amount: int
    volume: int | None = None
    price: int | None = None
    quantity: int | None = None


def _rounded(amount: float) -> int:
    """Fen in whole tens of yuan, at least ten."""
    return max(round(amount / STEP), 1) * STEP


def department_rows(
    house: House, in_scope: Ints, work: Workload, rng: np.random.Generator
) -> list[BudgetRow]:
    """A row for each department and element with cost, near it; few are left out.

    Drugs and materials of departments with patients have a planned volume: bed days, else visits.
    """
    rows = []
    disciplines = {house.department(dept_id) for dept_id in KEY_DISCIPLINES} - {-1}
    for dept in range(len(house.dept_ids)):
        planned = int(work.bed_days[dept]) or int(work.visits[dept])
        pressure, activity = rng.uniform(0.95, 1.07), rng.uniform(0.92, 1.06)
        for element in range(len(ELEMENTS)):
            cost = int(in_scope[dept, element])
            asked, missing = rng.uniform(1.0, 1.12), rng.random() < LEFT_OUT_SHARE
            if cost <= 0 or missing:
                continue
            amount = _rounded(cost * pressure)
            follows = element in (DRUGS, MATERIALS) and planned > 0
            is_discipline = house.kind == LEAD and dept in disciplines
            rows.append(
                BudgetRow(
                    dept,
                    element,
                    None,
                    "key_discipline" if is_discipline else "",
                    _rounded(amount * asked),
                    amount,
                    max(round(planned * activity), 1) * 10_000 if follows else None,
                )
            )
    return rows


def group_rows(
    house: House, groups: Groups, cases: Cases, prices: PriceList, rng: np.random.Generator
) -> list[BudgetRow]:
    """A row for each group with finished cases: planned cases, bed days and cost of a bed day."""
    ended = (cases.group > NO_GROUP) & ~cases.stays_on & ~cases.late
    counts = np.bincount(cases.group[ended], minlength=len(groups.ids))
    rows = []
    for group in np.flatnonzero(counts).tolist():
        volume = max(round(counts[group] * rng.uniform(0.85, 1.2)), 1)
        quantity = round(float(groups.days[group]) * 10)
        cost = int(prices.price[house.kind, group]) * rng.uniform(0.92, 1.02)
        price = round(cost / quantity * 10) * 10_000
        amount = round(volume * quantity * price / 10 / 10_000)
        standard = {"volume": volume * 10_000, "price": price, "quantity": quantity * 100_000}
        rows.append(BudgetRow(None, None, group, "", None, amount, **standard))
    return rows


def budget_table(
    month: Month, unit_id: str, house: House, groups: Groups, rows: Sequence[BudgetRow]
) -> pa.Table:
    """Rows of budget."""

    def numbers(values: list[int | None], kind: pa.DataType) -> pa.Array:
        filled = np.array([value or 0 for value in values], np.int64)
        return decimals(filled, kind, np.array([value is None for value in values], np.bool_))

    def named(places: list[int | None], labels: Sequence[str]) -> pa.Array:
        return texts([None if place is None else labels[place] for place in places])

    return pa.table(
        {
            "period": pa.array([month.period] * len(rows), pa.string()),
            "unit_id": pa.array([unit_id] * len(rows), pa.string()),
            "dept_id": named([row.dept for row in rows], house.dept_ids),
            "element": named([row.element for row in rows], ELEMENTS),
            "drg_id": named([row.group for row in rows], groups.ids),
            "tag": texts([row.tag for row in rows]),
            "requested": numbers([row.requested for row in rows], AMOUNT),
            "amount": numbers([row.amount for row in rows], AMOUNT),
            "volume": numbers([row.volume for row in rows], QUANTITY),
            "standard_price": numbers([row.price for row in rows], WEIGHT),
            "standard_quantity": numbers([row.quantity for row in rows], WEIGHT),
        }
    )
