"""What the pool is worth to each member, and how its result is split."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medcost._core.split import split_rows
from medcost.consortium.lending.cash import Cash, Terms, floors
from medcost.consortium.lending.interest import contract_interest, placed_interest
from medcost.consortium.lending.whole_fen import Ledger
from medcost.records import dataclass

Fen = NDArray[np.int64]


@dataclass(frozen=True)
class Gain:
    """Of each member, int64 fen [M]: net interest alone and pooled, and its part of the result.

    Interest paid is positive, received negative.
    """

    stand_alone: Fen
    pooled: Fen
    share: Fen

    @property
    def saving(self) -> Fen:
        """What the pool saves the member."""
        return self.stand_alone - self.pooled


def pool_gain(cash: Cash, terms: Terms, ledger: Ledger, basis: str) -> Gain:
    """The gain of one scenario's plan; basis: deposits or saving, by what the result is split."""
    alone = stand_alone_interest(cash, terms)
    pooled = (
        ledger.loan_interest.sum(axis=1)
        + ledger.bridge_interest.sum(axis=1)
        - ledger.deposit_interest.sum(axis=1)
    )
    # A bridge of the last month is paid for in the month after the plan, alone as in the pool.
    last = int(cash.days[-1])
    pooled = pooled + contract_interest(
        ledger.bridge[:, -1], last, terms.bank_rate, terms.day_count
    )
    made = int(ledger.result[-1]) - cash.result
    products = (ledger.before(cash.balance, "balance") * cash.days[None, :-1]).sum(axis=1)
    weights = products if basis == "deposits" else np.maximum(alone - pooled, 0)
    if not weights.any():
        weights = products if products.any() else np.ones(len(products), np.int64)
    return Gain(alone, pooled, split_by(made, weights))


def split_by(total: int, weights: Fen) -> Fen:
    """A total of either sign split by weights that are not negative, rule 2, by unit_id."""
    if total >= 0:
        return placed_interest(total, weights)
    starts = np.array([0, len(weights)], np.int64)
    return split_rows(np.array([[total]], np.int64), starts, np.ascontiguousarray(weights))[:, 0]


def stand_alone_interest(cash: Cash, terms: Terms) -> Fen:
    """Net interest that each member would pay without a pool, fen [M].

    Its own cash earns what the bank pays; whatever is missing to its floor it borrows from a bank
    for a month, without a limit, what it owes at the opening too.
    """
    least = floors(cash, terms)[0]
    held = cash.balance.copy()
    owed = cash.bridge + cash.debt
    net = cash.net[0]
    paid = np.zeros(len(held), np.int64)
    for month in range(cash.shape[2]):
        days = int(cash.days[month])
        earned = contract_interest(np.maximum(held, 0), days, terms.cash_rate, terms.day_count)
        charged = contract_interest(owed, days, terms.bank_rate, terms.day_count)
        before = held + net[:, month] + earned - charged - owed
        owed = np.maximum(least[:, month] - before, 0)
        held = before + owed
        paid += charged - earned
    last = int(cash.days[-1])
    return paid + contract_interest(owed, last, terms.bank_rate, terms.day_count)
