"""DRG groups: sums and quantiles over costed cases, prices and margins."""

from __future__ import annotations

import math
from decimal import Context, Decimal

import numpy as np
from numpy.typing import NDArray

from medcost._core.sums import add_columns, sort_within
from medcost.book import Book, is_period, period_number
from medcost.costing.cases import COSTED, CaseCosts
from medcost.errors import Fault, InputRejected, count_of, quote
from medcost.period_book import PeriodBook
from medcost.records import dataclass

QUANTILES = (5, 25, 50, 75, 95)
# Enough digits that the square root of the exact variance is rounded once, to a double.
EXACT_DIGITS = Context(prec=60)
# Spreads up to this are computed in 64 bits.
LARGEST_SPREAD = 2.0**62
# Places of (unit, scheme, group) up to this are looked up in a grid.
LARGEST_GRID = 1 << 22


@dataclass(frozen=True)
class PricedCases:
    """Payment standard of each case of the register: fen and where there is one [cases]."""

    price: NDArray[np.int64]
    has_price: NDArray[np.bool_]


@dataclass(frozen=True)
class DrgCosts:
    """Costed cases by (unit, scheme, DRG group), sorted by their labels.

    unit; scheme and drg, positions in their sorted labels; n_cases; cost fen [groups, elements];
    deviation: of case totals, yuan, 0 for one case; quantiles fen [groups, 5]; bed_days in 1e-2;
    income and margin fen and where any case has a price, [groups]; of_case: group of each case
    of the register, -1 where it is not costed [cases].
    """

    scheme_labels: tuple[str, ...]
    drg_labels: tuple[str, ...]
    unit: NDArray[np.int64]
    scheme: NDArray[np.int64]
    drg: NDArray[np.int64]
    n_cases: NDArray[np.int64]
    cost: NDArray[np.int64]
    deviation: NDArray[np.float64]
    quantiles: NDArray[np.int64]
    bed_days: NDArray[np.int64]
    has_bed_days: NDArray[np.bool_]
    income: NDArray[np.int64]
    margin: NDArray[np.int64]
    has_price: NDArray[np.bool_]
    of_case: NDArray[np.int64]


@dataclass(frozen=True)
class _Price:
    """One row of drg_prices that holds in the period; '' where a key is empty."""

    scheme: str
    unit: str
    payer: str
    valid_from: str
    fen: int

    @property
    def filled(self) -> tuple[bool, ...]:
        return tuple(bool(key) for key in (self.scheme, self.unit, self.payer, self.valid_from))

    def fits(self, scheme: str, unit: str, payer: str) -> bool:
        """Whether every filled key is the case's."""
        pairs = ((self.scheme, scheme), (self.unit, unit), (self.payer, payer))
        return all(key in ("", value) for key, value in pairs)


def price_cases(book: Book, period_book: PeriodBook) -> PricedCases:
    """The payment standard of each case with a group: the row with the most filled keys.

    Rows that fill the same keys differ in valid_from, and the latest holds. Raises
    InputRejected (price-ambiguous).
    """
    cases = period_book.cases
    price = np.zeros(cases.n, np.int64)
    has_price = np.zeros(cases.n, np.bool_)
    prices = _prices(book, period_book.period)
    if not prices or not cases.n:
        return PricedCases(price, has_price)
    shape = (
        len(cases.drg_labels) + 1,
        len(cases.scheme_labels) + 1,
        len(period_book.registers.unit_ids),
        len(cases.payer_labels) + 1,
    )
    places = (cases.drg + 1, cases.scheme + 1, cases.unit, cases.payer + 1)
    distinct, of_case = np.unique(np.ravel_multi_index(places, shape), return_inverse=True)
    found: list[int | None] = []
    ambiguous: list[str] = []
    drgs, schemes, payers = (
        [*labels, ""] for labels in (cases.drg_labels, cases.scheme_labels, cases.payer_labels)
    )
    for key in distinct:
        drg, scheme, unit, payer = (int(i) for i in np.unravel_index(key, shape))
        drg, scheme, payer = drg - 1, scheme - 1, payer - 1
        unit_id = period_book.registers.unit_ids[unit]
        candidates = [
            p
            for p in prices.get(drgs[drg], ())
            if drg >= 0 and p.fits(schemes[scheme], unit_id, payers[payer])
        ]
        best, tied = _most_specific(candidates)
        found.append(best)
        if tied and period_book.selected[unit]:
            ambiguous.append(f"group {quote(drgs[drg])} in unit {quote(unit_id)}")
    if ambiguous:
        what = f"Prices fit {count_of(len(ambiguous), 'kind')} of cases equally well."
        raise InputRejected([Fault("price-ambiguous", what, tuple(ambiguous))])
    fen = np.array([p if p is not None else 0 for p in found], np.int64)
    known = np.array([p is not None for p in found], np.bool_)
    return PricedCases(fen[of_case], known[of_case])


def _most_specific(candidates: list[_Price]) -> tuple[int | None, bool]:
    """The price of the row with the most filled keys, and whether two are equally good."""
    if not candidates:
        return None, False
    most = max(sum(p.filled) for p in candidates)
    best = [p for p in candidates if sum(p.filled) == most]
    if len({p.filled for p in best}) > 1:
        return None, True
    return max(best, key=lambda p: p.valid_from).fen, False


def _prices(book: Book, period: str) -> dict[str, list[_Price]]:
    """Prices that hold in the period, by drg_id."""
    if "drg_prices" not in book.tables:
        return {}
    rows = book.tables["drg_prices"]

    def texts(name: str) -> list[str]:
        labels = [*rows.labels(name), ""]
        return [labels[code] for code in rows.codes(name)]

    month = period_number(period)
    prices: dict[str, list[_Price]] = {}
    names = ("drg_id", "scheme", "unit_id", "payer", "valid_from", "valid_to")
    columns = (texts(name) for name in names)
    for *keys, last, fen in zip(*columns, rows.values("price").tolist(), strict=True):
        drg, scheme, unit, payer, first = keys
        begun = not is_period(first) or period_number(first) <= month
        over = is_period(last) and period_number(last) < month
        if begun and not over:
            prices.setdefault(drg, []).append(_Price(scheme, unit, payer, first, fen))
    return prices


def cost_drg_groups(book: PeriodBook, costs: CaseCosts, priced: PricedCases) -> DrgCosts:
    """Sums over the costed cases of each group. Time O(cases log cases)."""
    cases = book.cases
    is_costed = (costs.status == COSTED) & costs.chosen
    costed = slice(None) if is_costed.all() else np.flatnonzero(is_costed)
    scheme_rank, scheme_labels = _ranks(cases.scheme_labels)
    drg_rank, drg_labels = _ranks(cases.drg_labels)
    keys = cases.unit[costed] * len(scheme_labels) + scheme_rank[cases.scheme[costed]]
    keys = keys * len(drg_labels) + drg_rank[cases.drg[costed]]
    places, group = _distinct(keys)

    def sums(values: NDArray[np.int64]) -> NDArray[np.int64]:
        columns = np.asfortranarray(values.reshape(len(group), math.prod(values.shape[1:])))
        totals = np.zeros((len(places), columns.shape[1]), np.int64, order="F")
        add_columns(totals, group, columns)
        return totals.reshape(len(places), *values.shape[1:])

    cost = costs.cost[costed]
    total = cost.sum(axis=1)
    ordered, starts = sort_within(group, total, len(places))
    first, count = starts[:-1], np.diff(starts)
    ranks = np.stack([-(-q * count // 100) - 1 for q in QUANTILES], axis=1)
    has_price = priced.has_price[costed]
    price = np.where(has_price, priced.price[costed], 0)
    has_bed_days = cases.has_bed_days[costed]
    of_case = np.full(cases.n, -1)
    of_case[costed] = group
    return DrgCosts(
        scheme_labels,
        drg_labels,
        places // len(drg_labels) // len(scheme_labels),
        places // len(drg_labels) % len(scheme_labels),
        places % len(drg_labels),
        count,
        sums(cost),
        _deviations(ordered, first, count),
        ordered[first[:, None] + ranks],
        sums(np.where(has_bed_days, cases.bed_days[costed], 0)),
        sums(has_bed_days.astype(np.int64)) > 0,
        sums(price),
        sums(np.where(has_price, price - total, 0)),
        sums(has_price.astype(np.int64)) > 0,
        of_case,
    )


def _ranks(labels: tuple[str, ...]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Rank of each label by UTF-8 bytes with '' for none (-1) first, and the labels by rank."""
    ordered = tuple(sorted({*labels, ""}))
    position = {label: i for i, label in enumerate(ordered)}
    return np.array([*(position[label] for label in labels), position[""]], np.int64), ordered


def _distinct(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct non-negative keys, ascending, and the position of each key among them."""
    n_places = int(keys.max(initial=-1)) + 1
    if n_places > LARGEST_GRID:
        found, position = np.unique(keys, return_inverse=True)
        return found, position.astype(np.int64)
    is_there = np.zeros(n_places, np.bool_)
    is_there[keys] = True
    return np.flatnonzero(is_there), (np.cumsum(is_there) - 1)[keys]


def _deviations(
    ordered: NDArray[np.int64], first: NDArray[np.int64], count: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Sample standard deviation of each group's totals, yuan, rounded once; 0 for one case.

    ordered: fen, sorted by group, then by size. Long doubles propose; where the bound of their
    error leaves the nearest double open, or 64 bits do not hold the sums, decimals decide.
    """
    if not len(first):
        return np.zeros(0)
    # The spread n Sum x^2 - (Sum x)^2 does not change when the median is taken off.
    middle = ordered[first + count // 2]
    apart = ordered.astype(np.float64) - np.repeat(middle.astype(np.float64), count)
    is_narrow = count * np.add.reduceat(apart * apart, first) < LARGEST_SPREAD
    above = np.where(np.repeat(is_narrow, count), ordered - np.repeat(middle, count), 0)
    spread = count * np.add.reduceat(above * above, first) - np.add.reduceat(above, first) ** 2
    pairs = np.maximum(count * (count - 1), 1).astype(np.longdouble)
    proposed = np.sqrt(spread.astype(np.longdouble) / (pairs * 100**2))
    # A quotient and a root, each off by half an eps at most.
    slack = 2 * np.finfo(np.longdouble).eps
    low, high = ((proposed * (1 + side)).astype(np.float64) for side in (-slack, slack))
    deviation = np.where(count > 1, low, 0.0)
    for group in np.flatnonzero((count > 1) & ((low != high) | ~is_narrow)).tolist():
        span = slice(int(first[group]), int(first[group] + count[group]))
        deviation[group] = _exact_deviation(ordered[span].tolist())
    return deviation


def _exact_deviation(fen: list[int]) -> float:
    """Sample standard deviation in yuan of two or more totals, from exact integer sums."""
    n = len(fen)
    spread = n * sum(x * x for x in fen) - sum(fen) ** 2
    variance = EXACT_DIGITS.divide(Decimal(spread), Decimal(n * (n - 1) * 100**2))
    return float(variance.sqrt(EXACT_DIGITS))
