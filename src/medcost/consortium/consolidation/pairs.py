"""Intercompany business, both sides of it: what agrees is a pair, what does not is reported."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medcost._core.sums import group_sums
from medcost.records import dataclass

NONE = -1
CLAIM, DEBT = 0, 1
SIDES = ("claim", "debt")
# Why business between members is not eliminated, or not whole.
MATCHED, ONE_SIDE, AMOUNTS_DIFFER, OTHER_PERIOD, UNKNOWN_PARTNER, PURCHASE_UNKNOWN = range(6)
REASONS = (
    "matched",
    "one_side",
    "amounts_differ",
    "other_period",
    "unknown_partner",
    "purchase_unknown",
)


@dataclass(frozen=True)
class Bookings:
    """What members booked with each other, int64 [bookings]; every month of the book.

    period: months that can be compared; kind, line, cost_line: places in the policy, cost_line
    NONE where nothing was sold; claimant, debtor: members, or beyond them partners that are not
    listed; reference: code of a text, 0 for
    none; side: CLAIM or DEBT, whose booking it is; amount, cost: fen; source: reference of the
    purchase that sold goods come from, NONE where they were not bought from a member.
    """

    period: NDArray[np.int64]
    kind: NDArray[np.int64]
    claimant: NDArray[np.int64]
    debtor: NDArray[np.int64]
    reference: NDArray[np.int64]
    side: NDArray[np.int64]
    line: NDArray[np.int64]
    amount: NDArray[np.int64]
    cost: NDArray[np.int64]
    cost_line: NDArray[np.int64]
    source: NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """Business by month, kind, claimant, debtor and reference, sorted by them, int64 [pairs].

    claimed, owed: fen that each side booked; agreed: what is eliminated of both, where
    is_eliminated says so; reason: place in REASONS; other_period: the month in which the other side
    booked it, NONE elsewhere; sides: bool [pairs, 2], which side booked at all; of_booking: the
    pair of each booking.
    """

    period: NDArray[np.int64]
    kind: NDArray[np.int64]
    claimant: NDArray[np.int64]
    debtor: NDArray[np.int64]
    reference: NDArray[np.int64]
    claimed: NDArray[np.int64]
    owed: NDArray[np.int64]
    agreed: NDArray[np.int64]
    is_eliminated: NDArray[np.bool_]
    reason: NDArray[np.int64]
    other_period: NDArray[np.int64]
    sides: NDArray[np.bool_]
    of_booking: NDArray[np.int64]

    @property
    def n(self) -> int:
        """Number of pairs."""
        return len(self.period)


class Unmatched(NamedTuple):
    """Business of a month that is left in the statement, or part of it.

    pair: its place, NONE for goods whose purchase no pair is; reason: place in REASONS; then what
    the tables show of it: kind, members, reference, months, fen.
    """

    pair: int
    reason: int
    kind: int
    claimant: int
    debtor: int
    reference: int
    booked_in: int
    claimed: int
    owed: int
    eliminated: int
    other_period: int


def match(bookings: Bookings, is_balance: NDArray[np.bool_], tolerance: int, n_units: int) -> Pairs:
    """Hold claims against debts of the same month, kind, members and reference.

    n_units: members; a partner beyond them is unknown. is_balance: bool [kinds], a balance that
    stands again in every month, so that another month's is never its other side. tolerance: fen by
    which the sides may differ; then the smaller amount is agreed and the rest is still reported.
    O(bookings log bookings).
    """
    keys = np.stack(
        [
            bookings.period,
            bookings.kind,
            bookings.claimant,
            bookings.debtor,
            bookings.reference,
        ],
        axis=1,
    )
    found, of_booking = np.unique(keys, axis=0, return_inverse=True)
    of_booking = of_booking.reshape(-1).astype(np.int64)
    n = len(found)
    sums = np.zeros((n, 2), np.int64)
    sides = np.zeros((n, 2), np.bool_)
    if n:
        at, fen = group_sums(of_booking * 2 + bookings.side, bookings.amount.reshape(-1, 1).copy())
        sums.reshape(-1)[at] = fen[:, 0]
        sides.reshape(-1)[at] = True
    claimed, owed = sums[:, CLAIM], sums[:, DEBT]
    both = sides.all(axis=1)
    reason = np.where(both, np.where(claimed == owed, MATCHED, AMOUNTS_DIFFER), ONE_SIDE)
    near = both & (np.abs(claimed - owed) <= tolerance)
    smaller = np.where(np.abs(claimed) <= np.abs(owed), claimed, owed)
    smaller[np.sign(claimed) * np.sign(owed) < 0] = 0
    period, kind, claimant, debtor, reference = found.T.copy()
    other = _other_periods(found, claimed, owed, sides, is_balance)
    reason[other != NONE] = OTHER_PERIOD
    unknown = (claimant >= n_units) | (debtor >= n_units)
    reason[unknown], other[unknown], near = UNKNOWN_PARTNER, NONE, near & ~unknown
    return Pairs(
        period,
        kind,
        claimant,
        debtor,
        reference,
        claimed,
        owed,
        np.where(near, smaller, 0),
        near,
        reason,
        other,
        sides,
        of_booking,
    )


def _other_periods(
    keys: NDArray[np.int64],
    claimed: NDArray[np.int64],
    owed: NDArray[np.int64],
    sides: NDArray[np.bool_],
    is_balance: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """The month in which the other side alone booked the same reference and amount.

    The nearest month, the earlier of two; NONE where there is none.
    """
    other = np.full(len(keys), NONE, np.int64)
    alone = (sides.sum(axis=1) == 1) & ~is_balance[keys[:, 1]] & (keys[:, 4] > 0)
    lonely: dict[tuple[int, ...], list[int]] = {}
    for pair in np.flatnonzero(alone).tolist():
        amount = int(claimed[pair] + owed[pair])
        lonely.setdefault((*keys[pair, 1:].tolist(), amount), []).append(pair)
    for pairs in lonely.values():
        for pair in pairs:
            month = int(keys[pair, 0])
            months = [int(keys[one, 0]) for one in pairs if sides[one, CLAIM] != sides[pair, CLAIM]]
            if months:
                other[pair] = min(months, key=lambda m: (abs(m - month), m))
    return other
