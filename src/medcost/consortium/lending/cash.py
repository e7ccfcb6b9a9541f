"""What a plan is made from: members, months, scenarios, opening positions and terms, in fen."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.lending.interest import YEAR_DAYS
from medcost.records import dataclass


@dataclass(frozen=True)
class Terms:
    """The policy's rules as numbers. Rates are yearly; shares and rates are exact.

    floor_months, pool_floor_months: months of basic operation; reserve: share of deposits;
    lot, least_draw: fen; whole_months: the first months whose draws are whole lots;
    shared_months: months whose decisions are the same in all scenarios; groups: names of the
    groups of the order of priority, first to be served first.
    """

    bank_rate: Fraction
    loan_rate: Fraction
    deposit_rate: Fraction
    cash_rate: Fraction
    day_count: str
    floor_months: Fraction
    pool_floor_months: Fraction
    reserve: Fraction
    lot: int
    least_draw: int
    whole_months: int
    shared_months: int
    tail: float
    tail_weight: float
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Cash:
    """A plan's data. Money is int64 fen; S scenarios, M members sorted by unit_id, T months.

    months: YYYY-MM; days: int64 [T + 1], the last one of the month after; probability: float64
    [S], adds to 1; kind, group: int64 [M], the member's kind (for fairness) and its place in the
    order of priority; inflow, outflow, basic: [S, M, T]; balance, debt, bridge, outside,
    loan_limit, bank_limit: [M], the first three at the opening; bridge: owed to banks, due with
    its interest in the first month; result: the pool's own at the opening; at_risk: [S, M, T] what
    may be missing by a robust plan up to the month, pool_at_risk: [S, T] of the pool.
    """

    unit_ids: tuple[str, ...]
    months: tuple[str, ...]
    days: NDArray[np.int64]
    scenarios: tuple[str, ...]
    probability: NDArray[np.float64]
    kinds: tuple[str, ...]
    kind: NDArray[np.int64]
    group: NDArray[np.int64]
    inflow: NDArray[np.int64]
    outflow: NDArray[np.int64]
    basic: NDArray[np.int64]
    balance: NDArray[np.int64]
    debt: NDArray[np.int64]
    bridge: NDArray[np.int64]
    outside: NDArray[np.int64]
    loan_limit: NDArray[np.int64]
    bank_limit: NDArray[np.int64]
    result: int
    at_risk: NDArray[np.int64]
    pool_at_risk: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Scenarios, members, months."""
        scenarios, members, months = self.inflow.shape
        return scenarios, members, months

    @property
    def net(self) -> NDArray[np.int64]:
        """Inflow less outflow, fen [S, M, T]."""
        return self.inflow - self.outflow

    def scenario(self, place: int) -> Cash:
        """One scenario alone, as if it were certain."""
        own = {
            name: getattr(self, name)[place : place + 1]
            for name in ("inflow", "outflow", "basic", "at_risk", "pool_at_risk")
        }
        names = (self.scenarios[place],)
        return replace(self, scenarios=names, probability=np.ones(1), **own)

    def first_months(self, count: int) -> Cash:
        """The first months alone."""
        names = ("inflow", "outflow", "basic", "at_risk", "pool_at_risk")
        own = {name: getattr(self, name)[..., :count] for name in names}
        return replace(self, months=self.months[:count], days=self.days[: count + 1], **own)


def floors(cash: Cash, terms: Terms) -> NDArray[np.int64]:
    """What each member's account is to hold at least, fen [S, M, T]; outside cash counts."""
    wanted = times(cash.basic, terms.floor_months)
    return np.asarray(np.maximum(wanted - cash.outside[None, :, None], 0))


def pool_floors(cash: Cash, terms: Terms) -> NDArray[np.int64]:
    """What pool cash is to hold beside its reserve, fen [S, T]."""
    return np.asarray(times(cash.basic, terms.pool_floor_months).sum(axis=1))


def reserve_of(deposits: int, share: Fraction) -> int:
    """The reserve on deposits, fen, rounded up: it is a least amount."""
    return -((-deposits * share.numerator) // share.denominator)


def times(fen: NDArray[np.int64], factor: Fraction) -> NDArray[np.int64]:
    """Fen times a fraction, each to the nearest fen, halves away; not negative."""
    n, d = factor.numerator, factor.denominator
    if fen.size and int(fen.max()) * n * 2 > np.iinfo(np.int64).max:
        raise OverflowError("an amount times its factor leaves 64 bits")
    return np.asarray((2 * fen * n + d) // (2 * d))


def monthly(rate: Fraction, days: NDArray[np.int64], day_count: str) -> NDArray[np.float64]:
    """A yearly rate for the days of each month, float64 [T]: what a plan reckons with."""
    return float(rate) * days / YEAR_DAYS[day_count]
