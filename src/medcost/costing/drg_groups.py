"""DRG groups: sums and quantiles over costed cases, prices and margins."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal

import numpy as np
from numpy.typing import NDArray

from medcost._core.sums import add_rows
from medcost.book import Book, is_period, period_number
from medcost.costing.cases import COSTED, CaseCosts
from medcost.errors import Fault, InputRejected, count_of, quote
from medcost.period_book import PeriodBook

QUANTILES = (5, 25, 50, 75, 95)
# Enough digits that the square root of the exact variance is rounded once, to a double.
EXACT_DIGITS = Context(prec=60)


@dataclass(frozen=True)
class PricedCases:
    """Payment standard of each case of the register: fen and where there is one [cases]."""

    price: NDArray[np.int64]
    has_price: NDArray[np.bool_]


@dataclass(frozen=True)
class DrgCosts:
    """Costed cases by (unit, scheme, DRG group), sorted by their labels.

    unit; scheme and drg labels; n_cases; cost fen [groups, elements]; sum of squares of case
    totals as Python integers; quantiles fen [groups, 5]; bed_days in 1e-2; income and margin fen
    and where any case has a price, [groups].
    """

    unit: NDArray[np.int64]
    scheme: tuple[str, ...]
    drg: tuple[str, ...]
    n_cases: NDArray[np.int64]
    cost: NDArray[np.int64]
    deviation: tuple[float | None, ...]
    quantiles: NDArray[np.int64]
    bed_days: NDArray[np.int64]
    has_bed_days: NDArray[np.bool_]
    income: NDArray[np.int64]
    margin: NDArray[np.int64]
    has_price: NDArray[np.bool_]


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
    costed = np.flatnonzero((costs.status == COSTED) & costs.chosen)
    scheme_rank, scheme_labels = _ranks(cases.scheme_labels)
    drg_rank, drg_labels = _ranks(cases.drg_labels)
    total = costs.cost.sum(axis=1)
    group_keys = np.stack(
        [cases.unit[costed], scheme_rank[cases.scheme[costed]], drg_rank[cases.drg[costed]]],
        axis=1,
    )
    order = np.lexsort((total[costed], *group_keys.T[::-1]))
    costed, group_keys = costed[order], group_keys[order]
    change = np.any(group_keys[1:] != group_keys[:-1], axis=1)
    first = np.append(0, np.flatnonzero(change) + 1)[: len(costed)].astype(np.int64)
    count = np.diff(np.append(first, len(costed)))

    group = np.repeat(np.arange(len(first)), count)

    def sums(values: NDArray[np.int64]) -> NDArray[np.int64]:
        width = values.shape[1] if values.ndim == 2 else 1
        columns = np.ascontiguousarray(values.reshape(len(costed), width))
        totals = np.zeros((len(first), columns.shape[1]), np.int64)
        add_rows(totals, group, columns)
        return totals if values.ndim == 2 else totals[:, 0]

    has_price = priced.has_price[costed]
    price = np.where(has_price, priced.price[costed], 0)
    margin = np.where(has_price, price - total[costed], 0)
    ranks = np.array([[-(-q * n // 100) - 1 for q in QUANTILES] for n in count.tolist()], np.int64)
    ranks = ranks.reshape(-1, len(QUANTILES))
    keys = group_keys[first]
    return DrgCosts(
        keys[:, 0],
        tuple(scheme_labels[i] for i in keys[:, 1]),
        tuple(drg_labels[i] for i in keys[:, 2]),
        count,
        sums(costs.cost[costed]),
        tuple(_deviation(total[costed[a : a + n]]) for a, n in zip(first, count, strict=True)),
        total[costed][first[:, None] + ranks] if len(first) else ranks,
        sums(np.where(cases.has_bed_days, cases.bed_days, 0)[costed]),
        sums(cases.has_bed_days[costed].astype(np.int64)) > 0,
        sums(price),
        sums(margin),
        sums(has_price.astype(np.int64)) > 0,
    )


def _ranks(labels: tuple[str, ...]) -> tuple[NDArray[np.int64], list[str]]:
    """Rank of each label by UTF-8 bytes with '' for none (-1) first, and the labels by rank."""
    ordered = sorted({*labels, ""})
    position = {label: i for i, label in enumerate(ordered)}
    return np.array([*(position[label] for label in labels), position[""]], np.int64), ordered


def _deviation(totals: NDArray[np.int64]) -> float | None:
    """Sample standard deviation in yuan, from exact integer sums; None for one case."""
    n = len(totals)
    if n < 2:
        return None
    fen = [int(total) for total in totals]
    spread = n * sum(x * x for x in fen) - sum(fen) ** 2
    variance = EXACT_DIGITS.divide(Decimal(spread), Decimal(n * (n - 1) * 100**2))
    return float(variance.sqrt(EXACT_DIGITS))
