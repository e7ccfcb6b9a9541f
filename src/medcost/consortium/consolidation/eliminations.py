"""What is taken out of the members' statements: pairs that agree, and profit that nobody earned.

Every entry is one amount on one line of one member, mostly negative. The entries of a pair balance
as bookkeeping does: income - cost - assets + liabilities + net assets is zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medcost._core.sums import group_sums
from medcost.consortium.consolidation.pairs import CLAIM, DEBT, NONE, Bookings, Pairs
from medcost.consortium.consolidation.unrealised import (
    STOCK,
    Batch,
    Place,
    find_overdrawn,
    find_resale_cycles,
    profit_by_place,
)
from medcost.quotients import round_together
from medcost.records import dataclass

RESULT, BALANCE, GOODS = range(3)
TREATMENTS = ("result", "balance", "goods")
# What an entry takes away. Of the claimant its income or asset, of the debtor its cost or debt;
# of goods the seller's cost, the profit in what was used, in what is in stock, and in the stock
# that the month began with.
CLAIMED, OWED, COST_OF_SALE, REALISED, UNREALISED, OPENING = range(6)
ENTRIES = ("claim", "debt", "cost_of_sale", "realised", "unrealised", "opening")


@dataclass(frozen=True)
class Kinds:
    """Kinds of business by the policy, int64 [kinds]: treatment and, of goods, two lines.

    stock_line: where the buyer's stock stands; opening_line: the net assets in which the profit of
    earlier months stands; NONE elsewhere.
    """

    treatment: NDArray[np.int64]
    stock_line: NDArray[np.int64]
    opening_line: NDArray[np.int64]


@dataclass(frozen=True)
class Stock:
    """Bought goods in stock at the end of a month, int64 [rows], one row for each batch.

    seller, holder: members; sold_in: the month of the batch; amount: fen at the price paid.
    """

    period: NDArray[np.int64]
    kind: NDArray[np.int64]
    seller: NDArray[np.int64]
    holder: NDArray[np.int64]
    reference: NDArray[np.int64]
    sold_in: NDArray[np.int64]
    amount: NDArray[np.int64]


@dataclass(frozen=True)
class Eliminations:
    """Entries of one month, int64 [entries], sorted by pair, what they take, member and line.

    entry: place in ENTRIES; amount: fen, to be added to the member's line.
    """

    pair: NDArray[np.int64]
    entry: NDArray[np.int64]
    unit: NDArray[np.int64]
    line: NDArray[np.int64]
    amount: NDArray[np.int64]


class BatchProfit(NamedTuple):
    """The profit of a batch of goods, and what of it was in stock before and after the month."""

    pair: int
    profit: int
    opening: int
    closing: int


class Flaw(NamedTuple):
    """Goods that cannot be followed: overdrawn, grown, circle or ambiguous, and their pairs."""

    what: str
    pairs: tuple[int, ...]
    fen: int


@dataclass(frozen=True)
class Goods:
    """Batches that can be followed: sources of resale and stock, by pair.

    edges: (pair sold on, pair it went into) -> fen that the goods had cost the reseller; stock:
    month -> pair -> fen; unknown: rows of Stock, and bookings, whose purchase no pair is.
    """

    edges: Mapping[tuple[int, int], int]
    stock: Mapping[int, Mapping[int, int]]
    unknown_stock: tuple[int, ...]
    unknown_sources: tuple[int, ...]
    flaws: tuple[Flaw, ...]


def follow_goods(bookings: Bookings, pairs: Pairs, kinds: Kinds, stock: Stock) -> Goods:
    """Which batch each stock and each resale comes from."""
    is_goods = kinds.treatment[pairs.kind] == GOODS
    of_key: dict[tuple[int, ...], int] = {}
    of_purchase: dict[tuple[int, int], list[int]] = {}
    for pair in np.flatnonzero(is_goods).tolist():
        buyer, reference = int(pairs.debtor[pair]), int(pairs.reference[pair])
        key = (int(pairs.period[pair]), int(pairs.kind[pair]), int(pairs.claimant[pair]))
        of_key[(*key, buyer, reference)] = pair
        of_purchase.setdefault((buyer, reference), []).append(pair)
    edges: dict[tuple[int, int], int] = {}
    flaws: list[Flaw] = []
    unknown_sources: list[int] = []
    for row in np.flatnonzero(bookings.source != NONE).tolist():
        pair, month = int(pairs.of_booking[row]), int(bookings.period[row])
        bought = of_purchase.get((int(bookings.claimant[row]), int(bookings.source[row])), [])
        bought = [one for one in bought if int(pairs.period[one]) <= month]
        cost = int(bookings.cost[row])
        if len(bought) > 1:
            flaws.append(Flaw("ambiguous", (pair, *bought), cost))
        elif not bought:
            unknown_sources.append(row)
        else:
            edge = (bought[0], pair)
            edges[edge] = edges.get(edge, 0) + cost
    held: dict[int, dict[int, int]] = {}
    unknown_stock = []
    for row in range(len(stock.period)):
        columns = (stock.sold_in, stock.kind, stock.seller, stock.holder, stock.reference)
        found = of_key.get(tuple(int(column[row]) for column in columns))
        if found is None:
            unknown_stock.append(row)
        else:
            held.setdefault(int(stock.period[row]), {})[found] = int(stock.amount[row])
    return Goods(edges, held, tuple(unknown_stock), tuple(unknown_sources), tuple(flaws))


def find_flaws(
    bookings: Bookings, pairs: Pairs, kinds: Kinds, goods: Goods, period: int
) -> list[Flaw]:
    """Batches of the month's end that more was taken from than was bought, that grew, or circle."""
    found = [flaw for flaw in goods.flaws if pairs.period[flaw.pairs[0]] <= period]
    overdrawn: dict[int, int] = {}
    # What is wrong in last month's stock would be this month's opening.
    for month in (period - 1, period):
        chosen = _batches_until(pairs, kinds, month)
        batches = _batches(bookings, pairs, kinds, goods, chosen, month)
        for i in find_overdrawn(batches):
            overdrawn[chosen[i]] = batches[i].amount - batches[i].used
    found += [Flaw("overdrawn", (pair,), fen) for pair, fen in sorted(overdrawn.items())]
    for cycle in find_resale_cycles(batches):
        pairs_of = tuple(chosen[i] for i in cycle)
        fen = sum(goods.edges[edge] for edge in _round(pairs_of))
        found.append(Flaw("circle", pairs_of, fen))
    now, before = goods.stock.get(period, {}), goods.stock.get(period - 1, {})
    for pair in chosen:
        grown = abs(now.get(pair, 0)) - abs(before.get(pair, 0))
        if pairs.period[pair] < period and grown > 0:
            found.append(Flaw("grown", (pair,), grown))
    return found


def _round(pairs: Sequence[int]) -> list[tuple[int, int]]:
    return list(zip(pairs, (*pairs[1:], pairs[0]), strict=True))


def eliminate(
    bookings: Bookings, pairs: Pairs, kinds: Kinds, goods: Goods, period: int
) -> tuple[Eliminations, list[BatchProfit]]:
    """The entries of a month, and the profit of the batches that they speak of.

    Pairs of the month that agree are taken out on both sides; of goods the price and the seller's
    cost, and the profit where the goods were used or stand in stock. Of batches sold in earlier
    months the profit in stock is taken from the stock, what was used meanwhile from the cost, and
    what stood in stock at the beginning from the seller's net assets. find_flaws found nothing.
    """
    rows = [*_both_sides(bookings, pairs, kinds, period), *_sold(bookings, pairs, kinds, period)]
    profits: list[BatchProfit] = []
    now = _profits(bookings, pairs, kinds, goods, period)
    before = _profits(bookings, pairs, kinds, goods, period - 1)
    for pair, places in now.items():
        earlier = before.get(pair, {})
        opening, closing = _in_stock(earlier), _in_stock(places)
        for place in sorted({*places, *earlier}):
            if place.state == STOCK:
                rows.append((pair, UNREALISED, place.unit, place.line, -places.get(place, 0)))
            else:
                fen = earlier.get(place, 0) - places.get(place, 0)
                rows.append((pair, REALISED, place.unit, place.line, fen))
        line = int(kinds.opening_line[pairs.kind[pair]])
        rows.append((pair, OPENING, int(pairs.claimant[pair]), line, -opening))
        if pairs.period[pair] == period or opening or closing:
            profits.append(BatchProfit(pair, sum(places.values()), opening, closing))
    columns = np.array(sorted(row for row in rows if row[4]), np.int64).reshape(-1, 5)
    return Eliminations(*columns.T.copy()), sorted(profits)


def _in_stock(places: Mapping[Place, int]) -> int:
    return sum(fen for place, fen in places.items() if place.state == STOCK)


Row = tuple[int, int, int, int, int]


def _both_sides(bookings: Bookings, pairs: Pairs, kinds: Kinds, period: int) -> list[Row]:
    """Claims and debts of the month's pairs that agree; of goods the claims only."""
    rows: list[Row] = []
    for side, booked, unit, entry in (
        (CLAIM, pairs.claimed, pairs.claimant, CLAIMED),
        (DEBT, pairs.owed, pairs.debtor, OWED),
    ):
        chosen = (pairs.period == period) & pairs.is_eliminated
        if side == DEBT:
            chosen = chosen & (kinds.treatment[pairs.kind] != GOODS)
        at = np.flatnonzero(chosen[pairs.of_booking] & (bookings.side == side))
        lines = _by_line(pairs.of_booking[at], bookings.line[at], bookings.amount[at])
        for pair, of_pair in lines.items():
            fen = [amount for _, amount in of_pair]
            agreed, whole = int(pairs.agreed[pair]), int(booked[pair])
            if agreed != whole:
                fen = (
                    round_together([agreed * part for part in fen], whole)
                    if whole > 0
                    else [-part for part in round_together([agreed * part for part in fen], -whole)]
                )
            for (line, _), part in zip(of_pair, fen, strict=True):
                rows.append((pair, entry, int(unit[pair]), line, -part))
    return rows


def _sold(bookings: Bookings, pairs: Pairs, kinds: Kinds, period: int) -> list[Row]:
    """What the month's goods had cost their sellers."""
    chosen = (pairs.period == period) & pairs.is_eliminated
    chosen &= kinds.treatment[pairs.kind] == GOODS
    at = np.flatnonzero(chosen[pairs.of_booking] & (bookings.side == CLAIM))
    lines = _by_line(pairs.of_booking[at], bookings.cost_line[at], bookings.cost[at])
    return [
        (pair, COST_OF_SALE, int(pairs.claimant[pair]), line, -fen)
        for pair, of_pair in lines.items()
        for line, fen in of_pair
    ]


def _by_line(
    pair: NDArray[np.int64], line: NDArray[np.int64], fen: NDArray[np.int64]
) -> dict[int, list[tuple[int, int]]]:
    """Of each pair its lines, ascending, with their sums."""
    if not len(pair):
        return {}
    width = int(line.max()) + 1
    keys, sums = group_sums(pair * width + line, fen.reshape(-1, 1).copy())
    found: dict[int, list[tuple[int, int]]] = {}
    for key, total in zip(keys.tolist(), sums[:, 0].tolist(), strict=True):
        found.setdefault(key // width, []).append((key % width, total))
    return found


def _batches_until(pairs: Pairs, kinds: Kinds, period: int) -> list[int]:
    is_batch = pairs.is_eliminated & (kinds.treatment[pairs.kind] == GOODS)
    return [int(pair) for pair in np.flatnonzero(is_batch & (pairs.period <= period))]


def _batches(
    bookings: Bookings,
    pairs: Pairs,
    kinds: Kinds,
    goods: Goods,
    chosen: Sequence[int],
    period: int,
) -> list[Batch]:
    """The chosen batches as they stand at the end of a month."""
    place = {pair: i for i, pair in enumerate(chosen)}
    resold: list[list[tuple[int, int]]] = [[] for _ in chosen]
    for (source, onward), fen in sorted(goods.edges.items()):
        if source in place and onward in place:
            resold[place[source]].append((place[onward], fen))
    is_chosen = np.zeros(pairs.n, np.bool_)
    is_chosen[list(chosen)] = True
    of_claims = np.flatnonzero(is_chosen[pairs.of_booking] & (bookings.side == CLAIM))
    of_debts = np.flatnonzero(is_chosen[pairs.of_booking] & (bookings.side == DEBT))
    none = np.zeros(len(of_claims), np.int64)
    costs = _by_line(pairs.of_booking[of_claims], none, bookings.cost[of_claims])
    lines = _by_line(pairs.of_booking[of_debts], bookings.line[of_debts], bookings.amount[of_debts])
    held = goods.stock.get(period, {})
    return [
        Batch(
            buyer=int(pairs.debtor[pair]),
            amount=int(pairs.owed[pair]),
            profit=int(pairs.agreed[pair]) - costs[pair][0][1],
            lines=tuple(lines[pair]),
            stock=held.get(pair, 0),
            stock_line=int(kinds.stock_line[pairs.kind[pair]]),
            resold=tuple(resold[i]),
        )
        for i, pair in enumerate(chosen)
    ]


def _profits(
    bookings: Bookings, pairs: Pairs, kinds: Kinds, goods: Goods, period: int
) -> dict[int, dict[Place, int]]:
    """The profit of every batch sold until a month's end, by the place of its goods then."""
    chosen = _batches_until(pairs, kinds, period)
    batches = _batches(bookings, pairs, kinds, goods, chosen, period)
    return dict(zip(chosen, profit_by_place(batches), strict=True))
