"""Random streams, months and array types that every part of the sample shares."""

from __future__ import annotations

import calendar
import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]

EPOCH = datetime.date(1970, 1, 1)


class Topic(IntEnum):
    """What a random stream is for; streams of different topics are independent."""

    SHARES = 1
    PATIENTS = 2
    LINES = 3
    REFERRALS = 4
    LEDGER = 5
    DRIVERS = 6
    PRICES = 7
    PURCHASE = 8
    INCOME = 9
    BUDGET = 10
    GROUP_BUDGET = 11
    LENDING = 13
    SHARING = 12
    EQUIPMENT = 15
    CONSOLIDATION = 16
    FUNDS = 40


def stream(seed: int, topic: Topic, period: int = 0, unit: int = 0) -> np.random.Generator:
    """The random stream of one topic in one period and unit, fixed by the seed alone."""
    key = (int(topic), period, unit)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


@dataclass(frozen=True)
class Month:
    """One accounting month; days count from 1970-01-01, as in Arrow's date32."""

    period: str
    index: int
    first: int
    days: int

    @property
    def short(self) -> str:
        """The month as YYMM, as it stands in case and posting ids."""
        return self.period[2:4] + self.period[5:7]


def months_of(periods: Sequence[str]) -> tuple[Month, ...]:
    """Months in order; ValueError unless they are consecutive and each is YYYY-MM."""
    months: list[Month] = []
    for index, period in enumerate(periods):
        first = datetime.datetime.strptime(period + "-01", "%Y-%m-%d").date()
        if first.strftime("%Y-%m") != period:
            raise ValueError(f"period {period!r} is not YYYY-MM")
        days = calendar.monthrange(first.year, first.month)[1]
        month = Month(period, index, (first - EPOCH).days, days)
        if months and months[-1].first + months[-1].days != month.first:
            raise ValueError(f"periods must be consecutive months: {periods!r}")
        months.append(month)
    if not months:
        raise ValueError("at least one period is needed")
    return tuple(months)


def split_evenly(total: int, weights: Floats) -> Ints:
    """Whole numbers in proportion to the weights that add up to the total exactly."""
    cuts: Ints = np.floor(np.cumsum(weights) / weights.sum() * total + 0.5).astype(np.int64)
    cuts[-1] = total
    parts: Ints = np.diff(cuts, prepend=0)
    return parts
