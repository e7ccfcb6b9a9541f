"""The consolidated statement: members' lines, what is eliminated, and whose the surplus is."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from medcost.balance import exact_sums, require_equal
from medcost.consortium.consolidation.eliminations import (
    OPENING,
    UNREALISED,
    Eliminations,
)
from medcost.consortium.consolidation.pairs import Pairs
from medcost.quotients import round_together
from medcost.records import dataclass

INCOME, COST, ASSET, LIABILITY, NET_ASSETS = range(5)
NATURES = ("income", "cost", "asset", "liability", "net_assets")
# How a line counts in income - cost - assets + liabilities + net assets, which every pair leaves
# at zero.
SIGNS = np.array([1, -1, -1, 1, 1], np.int64)
SURPLUS, OF_NET_ASSETS = 0, 1
MEASURES = ("surplus", "net_assets")


@dataclass(frozen=True)
class Statement:
    """Lines of every member, fen as Python integers [units, lines]: as booked, and taken out."""

    reported: NDArray[np.object_]
    eliminated: NDArray[np.object_]

    @property
    def consolidated(self) -> NDArray[np.object_]:
        """What each member brings to the consolidated line."""
        return np.asarray(self.reported + self.eliminated, dtype=object)


@dataclass(frozen=True)
class Interests:
    """Whose the members' surplus and net assets are, fen [units, MEASURES].

    share: the consortium's share of each member. reported: by the member's own statement;
    unrealised: profit in stock that the member has not earned, taken from it; minority: the rest's
    share of what is left. is_known: bool, where the member reports the measure at all.
    """

    share: tuple[Fraction, ...]
    reported: NDArray[np.object_]
    unrealised: NDArray[np.object_]
    minority: NDArray[np.object_]
    is_known: NDArray[np.bool_]


def consolidate(
    unit: NDArray[np.int64],
    line: NDArray[np.int64],
    amount: NDArray[np.int64],
    shape: tuple[int, int],
    found: Eliminations,
) -> Statement:
    """Add up the members' rows and the entries. unit, line, amount: [rows]; shape: units, lines."""
    n = shape[0] * shape[1]

    def summed(units: NDArray[np.int64], lines: NDArray[np.int64], fen: NDArray[np.int64]):  # type: ignore[no-untyped-def]
        return exact_sums(units * shape[1] + lines, fen.reshape(-1, 1), n).reshape(shape)

    return Statement(summed(unit, line, amount), summed(found.unit, found.line, found.amount))


def require_balance(found: Eliminations, nature: NDArray[np.int64], pairs: Pairs) -> None:
    """Stop where the entries of a pair do not balance. nature: [lines]. Raises InvariantBroken."""
    signed = found.amount * SIGNS[nature[found.line]]
    sums = exact_sums(found.pair, signed.reshape(-1, 1), pairs.n)
    fact = "entries of a pair: income - cost - assets + liabilities + net assets"
    require_equal(fact, sums, np.zeros_like(sums))


def find_overdrawn_lines(statement: Statement, nature: NDArray[np.int64]) -> list[tuple[int, int]]:
    """(unit, line) of which more is internal than the member has booked on it at all.

    Net assets may go either way, and a statement may leave them out.
    """
    reported, left = statement.reported, statement.consolidated
    turned = ((reported >= 0) & (left < 0)) | ((reported <= 0) & (left > 0))
    wrong = (statement.eliminated != 0) & turned & (nature != NET_ASSETS)
    return [(int(unit), int(line)) for unit, line in np.argwhere(wrong)]


def interests(
    statement: Statement,
    found: Eliminations,
    pairs: Pairs,
    nature: NDArray[np.int64],
    shares: Sequence[Fraction],
) -> Interests:
    """Split each member's surplus and net assets between the consortium and others.

    Unrealised profit is taken from the member that sold; what else is eliminated leaves every
    member's own result as it is. Rounded once for each member and measure, to the nearest fen.
    """
    n = len(shares)
    reported = np.zeros((n, len(MEASURES)), object)
    of_line = np.stack([nature == INCOME, nature == NET_ASSETS], axis=1)
    reported[:] = statement.reported.dot(of_line.astype(object))
    reported[:, SURPLUS] -= statement.reported.dot((nature == COST).astype(object))
    unrealised = np.zeros((n, len(MEASURES)), object)
    for pair, entry, fen in zip(
        found.pair.tolist(), found.entry.tolist(), found.amount.tolist(), strict=True
    ):
        seller = int(pairs.claimant[pair])
        if entry == UNREALISED:
            unrealised[seller, SURPLUS] += fen
        elif entry == OPENING:
            unrealised[seller, SURPLUS] -= fen
            unrealised[seller, OF_NET_ASSETS] += fen
    known = np.ones((n, len(MEASURES)), np.bool_)
    known[:, OF_NET_ASSETS] = (statement.reported[:, nature == NET_ASSETS] != 0).any(axis=1)
    minority = np.zeros((n, len(MEASURES)), object)
    for unit, share in enumerate(shares):
        for measure in range(len(MEASURES)):
            if known[unit, measure] and share != 1:
                fen = int(reported[unit, measure]) + int(unrealised[unit, measure])
                parts = [fen * share.numerator, fen * (share.denominator - share.numerator)]
                minority[unit, measure] = round_together(parts, share.denominator)[1]
    return Interests(tuple(shares), reported, unrealised, minority, known)
