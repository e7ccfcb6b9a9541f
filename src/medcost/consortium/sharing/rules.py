"""Rules that hand out a cost exactly: by driver, by agreement, outreach, joint examinations.

A rule gives parts of fen, exact fractions that add up to the cost; they are rounded together once
(rule 2 of the arithmetic), in the order of their keys.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

from medcost.consortium.sharing.games import GameRefused
from medcost.quotients import round_together
from medcost.records import dataclass

OWN, POOL = "own", "pool"
# Who bears a part: a member and the books it is posted in.
Party = tuple[str, str]
Parts = Mapping[Party, Fraction]


def by_weights(cost: int, weights: Mapping[str, int]) -> dict[Party, Fraction]:
    """Parts in proportion to volumes or agreed shares, which add up to more than zero."""
    total = sum(weights.values())
    return {(unit, OWN): Fraction(cost * weight, total) for unit, weight in weights.items()}


def outreach(
    cost: int, visits: Mapping[str, int], grassroots: Fraction, keeper: str
) -> dict[Party, Fraction]:
    """The grassroots part by visits, the rest by the pool.

    visits: volume of each grassroots member, more than zero together.
    """
    parts = {party: grassroots * share for party, share in by_weights(cost, visits).items()}
    parts[keeper, POOL] = cost * (1 - grassroots)
    return parts


def joint_examinations(
    cost: int,
    examinations: Sequence[tuple[str, str, int, int]],
    examining: Fraction,
    diagnosing: Fraction,
    keeper: str,
) -> dict[Party, Fraction]:
    """A part of each side's revenue, and the pool bears, or keeps, the rest.

    examinations: (examining member, diagnosing member, their revenues in fen).
    """
    parts: dict[Party, Fraction] = {}
    for examiner, diagnoser, examined, diagnosed in examinations:
        for unit, part in ((examiner, examining * examined), (diagnoser, diagnosing * diagnosed)):
            parts[unit, OWN] = parts.get((unit, OWN), Fraction(0)) + part
    parts[keeper, POOL] = cost - sum(parts.values(), Fraction(0))
    return parts


def rounded(parts: Parts) -> dict[Party, int]:
    """Whole fen of each part; together what the parts add up to, a whole number of fen.

    Every part is cut toward zero; the fen then missing go one each to the parts whose cut-off piece
    is largest in their direction, equal ones by key.
    """
    if sum(parts.values(), Fraction(0)).denominator != 1:
        raise ValueError("the parts do not add up to whole fen")
    parties = sorted(parts)
    whole = math.lcm(*(part.denominator for part in parts.values()))
    fen = round_together([int(parts[party] * whole) for party in parties], whole)
    return dict(zip(parties, fen, strict=True))


@dataclass(frozen=True)
class Posting:
    """Fen that a party takes over from a counterparty; negative: hands over to it."""

    party: Party
    counterparty: Party
    fen: int


def postings(performer: str, shares: Mapping[Party, int]) -> list[Posting]:
    """Every share but the performer's own, posted in the books of both sides; they net to zero.

    Sorted by party and counterparty.
    """
    bearer = (performer, OWN)
    found = []
    for party, fen in shares.items():
        if party != bearer and fen:
            found += [Posting(party, bearer, fen), Posting(bearer, party, -fen)]
    return sorted(found, key=lambda one: (one.party, one.counterparty))


def keeper_of(named: str, leads: Sequence[str]) -> str:
    """The member that keeps the pool: the one named, else the only lead. Raises GameRefused."""
    if named:
        return named
    if len(leads) != 1:
        what = f"The consortium has {len(leads)} leads, and the policy names none to keep the pool."
        raise GameRefused("pool-keeper-unclear", what)
    return leads[0]
