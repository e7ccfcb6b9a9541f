"""Goods sold between members: where they are now, and the profit in them that nobody has earned.

A batch is what one member sold another under one reference in one month. Of its goods a part is in
the buyer's stock, a part was sold on to a further member, whose own batch says where it went, and
the rest was used. The profit of the seller is unrealised where the goods are in a member's stock,
and realised where they were used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import lcm
from typing import NamedTuple

from medcost.quotients import round_together
from medcost.records import dataclass

STOCK, USED = 0, 1


class Place(NamedTuple):
    """Where goods are: in a member's stock, or used by it and charged to a line."""

    state: int
    unit: int
    line: int


@dataclass(frozen=True)
class Batch:
    """One batch, fen: what the buyer paid, what the seller earned, what is still in stock.

    lines: the buyer's lines with what it booked on each, sorted; stock: at the price that the
    buyer paid, stock_line where it stands; resold: the batches that parts of it went into, with
    what those parts had cost the buyer, sorted.
    """

    buyer: int
    amount: int
    profit: int
    lines: tuple[tuple[int, int], ...]
    stock: int
    stock_line: int
    resold: tuple[tuple[int, int], ...]

    @property
    def used(self) -> int:
        """Fen of it that the buyer neither holds nor sold on."""
        return self.amount - self.stock - sum(fen for _, fen in self.resold)


def find_overdrawn(batches: Sequence[Batch]) -> list[int]:
    """Batches of which more is in stock and sold on than was bought."""
    found = []
    for i, batch in enumerate(batches):
        sign = -1 if batch.amount < 0 else 1
        parts = (batch.stock, batch.used, *(fen for _, fen in batch.resold))
        if any(part * sign < 0 for part in parts):
            found.append(i)
    return found


def find_resale_cycles(batches: Sequence[Batch]) -> list[tuple[int, ...]]:
    """Batches that were sold on into each other, each cycle once, from its first batch on."""
    left = set(range(len(batches))) - set(_in_order(batches))
    found, seen = [], set[int]()
    for start in sorted(left):
        path: list[int] = []
        batch = start
        while batch not in seen:
            seen.add(batch)
            path.append(batch)
            batch = min(onward for onward, _ in batches[batch].resold if onward in left)
        if batch in path:
            cycle = path[path.index(batch) :]
            first = cycle.index(min(cycle))
            found.append(tuple(cycle[first:] + cycle[:first]))
    return found


def profit_by_place(batches: Sequence[Batch]) -> list[dict[Place, int]]:
    """The profit of each batch, fen by the place of its goods; adds up to it exactly.

    Exact fractions of the goods, through every level of resale, rounded together once (rule 2 of
    the arithmetic): on ties stock is first, then members and lines in their order. No batch is
    overdrawn or in a cycle: ValueError otherwise. O(batches x places of one).
    """
    order = _in_order(batches)
    if len(order) < len(batches):
        raise ValueError("goods were sold on in a circle")
    where: dict[int, Mapping[Place, Fraction]] = {}
    for i in order:
        where[i] = _places(batches[i], where)
    return [_split(batches[i].profit, where[i]) for i in range(len(batches))]


def _places(batch: Batch, onward: Mapping[int, Mapping[Place, Fraction]]) -> dict[Place, Fraction]:
    """The part of a batch's goods at each place; parts add up to 1."""
    if batch.amount == 0:
        # Nothing was charged: what it cost the seller is lost at once, with the first line.
        return {Place(USED, batch.buyer, batch.lines[0][0]): Fraction(1)}
    parts: dict[Place, Fraction] = {}

    def add(place: Place, part: Fraction) -> None:
        if part:
            parts[place] = parts.get(place, Fraction(0)) + part

    add(Place(STOCK, batch.buyer, batch.stock_line), Fraction(batch.stock, batch.amount))
    for line, fen in batch.lines:
        of_used = Fraction(batch.used, batch.amount)
        add(Place(USED, batch.buyer, line), of_used * Fraction(fen, batch.amount))
    for i, fen in batch.resold:
        for place, part in onward[i].items():
            add(place, part * Fraction(fen, batch.amount))
    return parts


def _split(fen: int, parts: Mapping[Place, Fraction]) -> dict[Place, int]:
    places = sorted(parts)
    whole = lcm(*(parts[place].denominator for place in places))
    numerators = [int(parts[place] * whole) * fen for place in places]
    return dict(zip(places, round_together(numerators, whole), strict=True))


def _in_order(batches: Sequence[Batch]) -> list[int]:
    """Batches after all those that their goods were sold on in; cycles are left out."""
    sources: list[list[int]] = [[] for _ in batches]
    waiting = [len(batch.resold) for batch in batches]
    for i, batch in enumerate(batches):
        for onward, _ in batch.resold:
            sources[onward].append(i)
    order = [i for i, n in enumerate(waiting) if not n]
    for i in order:
        for source in sources[i]:
            waiting[source] -= 1
            if not waiting[source]:
                order.append(source)
    return order
