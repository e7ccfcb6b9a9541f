"""The cash plan of a sample consortium: seasons, some members in need, and loan limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from medcost.sample.files import AMOUNT, decimals, texts
from medcost.sample.streams import Floats, Topic, stream

if TYPE_CHECKING:
    from medcost.sample.consortium import Members

MONTHS = 36
# One month's basic operation, yuan, by kind.
BASIC = {"lead": 18_000_000, "township": 900_000, "village": 25_000}
# How often a member of the kind runs out of its own money, and by how much a month it drifts.
IN_NEED = {"lead": 0.0, "township": 0.7, "village": 0.35}


def lending_tables(members: Members) -> dict[str, pa.Table]:
    """cash_plan of 36 months from the book's first, and loan_limits."""
    random = stream(members.seed, Topic.LENDING)
    n = len(members.unit_ids)
    basic = np.array([BASIC[kind] for kind in members.kinds]) * random.lognormal(0, 0.3, n)
    basic = np.rint(basic / 100) * 100
    needs = random.random(n) < np.array([IN_NEED[kind] for kind in members.kinds])
    month = np.arange(MONTHS)
    # Insurance pays late: money comes in waves, which even out over a year.
    wave = np.sin(2 * np.pi * (month[None, :] + random.integers(0, 12, n)[:, None]) / 12)
    noise = np.diff(random.normal(0, 0.25, (n, MONTHS + 1)), axis=1)
    drift = np.where(needs, -0.02, 0.02)[:, None]
    net = basic[:, None] * (0.6 * wave + noise + drift)
    outflow = basic[:, None] * (1 + 0.05 * random.random((n, MONTHS)))
    inflow = np.maximum(outflow + net, 0)
    opening = basic * np.where(needs, random.uniform(3.0, 3.6, n), random.uniform(6, 9, n))
    first = members.months[0].period
    periods = [_later(first, t) for t in range(MONTHS)]
    plan = pa.table(
        {
            "period": texts(periods * n),
            "unit_id": texts([unit for unit in members.unit_ids for _ in periods]),
            "opening_balance": _yuan(
                np.where(np.tile(month, n) == 0, np.repeat(opening, MONTHS), np.nan)
            ),
            "inflow": _yuan(inflow.ravel()),
            "outflow": _yuan(outflow.ravel()),
            "basic_operation": _yuan(np.repeat(basic, MONTHS)),
        }
    )
    limits = pa.table(
        {
            "period": texts([first] * n),
            "unit_id": texts(members.unit_ids),
            "loan_limit": _yuan(np.rint(basic * 2 / 10_000) * 10_000),
            "bank_limit": _yuan(basic),
        }
    )
    return {"cash_plan": plan, "loan_limits": limits}


def _later(period: str, months: int) -> str:
    """The month so many months after another."""
    number = int(period[:4]) * 12 + int(period[5:]) - 1 + months
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def _yuan(values: Floats) -> pa.Array:
    """Yuan in whole fen as decimals; NaN is empty."""
    empty = np.isnan(values)
    return decimals(np.rint(np.where(empty, 0, values) * 100).astype(np.int64), AMOUNT, empty)
