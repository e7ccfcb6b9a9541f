"""A service shared: what the stage finds and tables, terminal and notes show."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

from medcost.checks.service_rows import ServiceRows
from medcost.consortium.sharing.core_check import Coalition
from medcost.consortium.sharing.rules import OWN, Party, Posting
from medcost.money import divide_half_away
from medcost.records import dataclass


class InFen(NamedTuple):
    """What the members of a coalition pay, of shares in whole fen, and would cost alone."""

    pays: int
    alone: int

    @property
    def excess(self) -> int:
        """What they pay too much; below zero: what they save."""
        return self.pays - self.alone


@dataclass(frozen=True)
class Compared:
    """What a rule would charge each party, fen, and the worst-placed coalition under it."""

    rule: str
    shares: Mapping[Party, int]
    worst: Coalition | None


@dataclass(frozen=True)
class SharedService:
    """One service shared: parts in fen by party, what each member would pay alone, coalitions.

    own and included: fen of its cost. errors: standard errors by member where sampled. tightest:
    of each member, the coalition that saves least. refused: rules compared with that have no
    answer, and why.
    """

    service: ServiceRows
    rule: str
    own: int
    included: int
    shares: Mapping[Party, int]
    alone: Mapping[str, Fraction]
    errors: Mapping[str, int]
    checked_by: str
    worst: Coalition | None
    tightest: Mapping[str, Coalition]
    least_excess: Fraction | None
    compared: tuple[Compared, ...]
    refused: Mapping[str, str]
    postings: tuple[Posting, ...]

    @property
    def cost(self) -> int:
        """What was shared, fen."""
        return self.own + self.included

    def in_fen(self, coalition: Coalition, shares: Mapping[Party, int]) -> InFen:
        """What a coalition pays and would cost alone, as whole fen."""
        pays = sum(shares.get((self.units[i], OWN), 0) for i in coalition.members)
        alone = divide_half_away(coalition.alone.numerator, coalition.alone.denominator)
        return InFen(pays, alone)

    @property
    def units(self) -> tuple[str, ...]:
        """The members of the service, sorted: what coalitions count."""
        return tuple(one.unit_id for one in self.service.members)
