"""Which items a department uses: one draw table for all baskets, contexts and kinds of hospital."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from medcost.sample.registry import OWN_DEPARTMENT, TOWNSHIP, Items, registry
from medcost.sample.streams import Flags, Floats, Ints


@dataclass(frozen=True)
class DrawTable:
    """Distributions over items, laid end to end.

    Distribution k occupies the interval [k, k + 1): `upper` holds the upper ends of its items'
    shares and `item` the items, so one binary search draws one item.
    """

    row: dict[tuple[int, str, str], int]
    upper: Floats
    item: Ints

    def rows(self, house: int, basket: str, contexts: tuple[str, ...]) -> Ints:
        """The distributions of one basket in several contexts, -1 where there is none."""
        return np.array(
            [self.row.get((house, basket, context), -1) for context in contexts], dtype=np.int64
        )

    def draw(self, rows: Ints, rng: np.random.Generator) -> Ints:
        """One item for each distribution in `rows`; O(n log m)."""
        point = rows + rng.random(len(rows)) * (1 - 1e-9)
        return self.item[np.searchsorted(self.upper, point, side="right")]


def fits(contexts: str, context: str) -> bool:
    """Whether an item's context list, such as `* -icu`, admits a context."""
    words = contexts.split()
    return context in words or ("*" in words and f"-{context}" not in words)


def _possible(items: Items, performers: Ints, house: int, context: str) -> Flags:
    """bool[items]: which items a hospital can perform in a context."""
    performed = (items.performer == OWN_DEPARTMENT) | (performers[items.performer] >= 0)
    known = np.array([fits(contexts, context) for contexts in items.contexts])
    possible: Flags = known & performed & ~(items.lead_only & (house == TOWNSHIP))
    return possible


def _shares(items: Items, groups: Mapping[str, float], possible: Flags) -> Floats:
    """float64[items]: the share of each item in a basket, zero where it is not possible."""
    shares = np.zeros(len(items.ids), dtype=np.float64)
    names = np.array(items.groups)
    for group, weight in groups.items():
        members = np.flatnonzero(possible & (names == group))
        if len(members):
            popularity = items.popularity[members]
            shares[members] = weight * popularity / popularity.sum()
    return shares


@cache
def draw_table() -> DrawTable:
    """The draw table of the county, built once."""
    county = registry()
    rows: dict[tuple[int, str, str], int] = {}
    upper: list[Floats] = []
    members: list[Ints] = []
    for house in county.houses:
        contexts = tuple(dict.fromkeys(c for c in house.contexts if c))
        for context in contexts:
            possible = _possible(county.items, house.performers, house.kind, context)
            for basket, groups in county.baskets.items():
                shares = _shares(county.items, groups, possible)
                chosen = np.flatnonzero(shares)
                if len(chosen) == 0:
                    continue
                ends = np.cumsum(shares[chosen]) / shares[chosen].sum()
                ends[-1] = 1.0
                k = len(rows)
                rows[house.kind, basket, context] = k
                upper.append(ends + k)
                members.append(chosen)
    return DrawTable(rows, np.concatenate(upper), np.concatenate(members))
