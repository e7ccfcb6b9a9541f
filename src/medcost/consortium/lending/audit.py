"""The audit of priority: whoever was not served by the pool, and what stood against it."""

from __future__ import annotations

import numpy as np

from medcost.consortium.lending.cash import Cash, Terms
from medcost.consortium.lending.whole_fen import Ledger
from medcost.errors import InvariantBroken
from medcost.money import format_yuan
from medcost.records import dataclass

# Fen that rounding may leave unmet.
ROUNDING = 1000


@dataclass(frozen=True)
class Unserved:
    """A member's unmet need in a month, fen: what it could still draw, and what others drew.

    reason: limit, pool, lots, liquidity or scenarios.
    """

    member: int
    month: int
    unmet: int
    room: int
    drawn_later: int
    reason: str


def audit_priority(
    cash: Cash, terms: Terms, ledger: Ledger, shared_months: int = 0
) -> list[Unserved]:
    """Everyone who comes before others and has an unmet need, by month and member.

    Reasons, the first that fits: its limit is used up; no free pool cash, since a loan in the place
    of a bridge leaves the bank's money out of the pool; whole lots; else money that comes later in
    the order was needed for a goal that goes before it, which is possible only where there is a
    shortfall at all: with none, InvariantBroken. In months that scenarios share the decision is one
    for all of them.
    """
    first = cash.group < len(terms.groups) - 1
    unmet = ledger.shortfall + ledger.bridge
    room = np.maximum(cash.loan_limit[:, None] - ledger.debt, 0)
    free = ledger.cash - ledger.reserve - ledger.floor
    has_shortfall = bool((ledger.shortfall > ROUNDING).any())
    found = []
    for month, member in np.argwhere((unmet > ROUNDING).T & first[None, :]).tolist():
        lacks = int(unmet[member, month])
        later = cash.group > cash.group[member]
        drawn = int(ledger.draw[later, month].sum())
        reason = _reason(
            terms, month, lacks, int(room[member, month]), int(free[month]), drawn, has_shortfall
        )
        if month < shared_months and reason not in ("limit", "pool"):
            reason = "scenarios"
        if not reason:
            raise InvariantBroken(
                f"{cash.unit_ids[member]} lacks {format_yuan(lacks)} yuan in {cash.months[month]} "
                f"while members after it draw {format_yuan(drawn)}"
            )
        found.append(Unserved(member, month, lacks, int(room[member, month]), drawn, reason))
    return found


def _reason(
    terms: Terms, month: int, lacks: int, room: int, free: int, drawn: int, has_shortfall: bool
) -> str:
    """Why a need is not met; empty where nothing says so."""
    if room <= ROUNDING:
        return "limit"
    # A loan against a shortfall raises deposits, and the reserve by its share of that.
    reserve = terms.reserve
    if free <= ROUNDING or free * reserve.denominator <= min(lacks, room) * reserve.numerator:
        return "pool"
    if month < terms.whole_months:
        return "lots"
    return "liquidity" if has_shortfall or not drawn else ""
