"""One month consolidated: members, policy and ownership in, what is taken out and left out."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from medcost.balance import require_equal
from medcost.book import period_number
from medcost.consortium.consolidation.eliminations import (
    BALANCE,
    BatchProfit,
    Eliminations,
    Goods,
    eliminate,
    find_flaws,
    follow_goods,
)
from medcost.consortium.consolidation.faults import (
    find_large,
    find_missing,
    find_unowned,
    flaw_fault,
    overdrawn_fault,
    unmatched_fault,
)
from medcost.consortium.consolidation.inputs import Tables
from medcost.consortium.consolidation.ownership import consortium_shares
from medcost.consortium.consolidation.pairs import (
    AMOUNTS_DIFFER,
    MATCHED,
    NONE,
    PURCHASE_UNKNOWN,
    Pairs,
    Unmatched,
    match,
)
from medcost.consortium.consolidation.policy import Rules
from medcost.consortium.consolidation.statement import (
    COST,
    INCOME,
    SURPLUS,
    Interests,
    Statement,
    consolidate,
    find_overdrawn_lines,
    interests,
    require_balance,
)
from medcost.errors import InputRejected
from medcost.records import dataclass


@dataclass(frozen=True)
class Consolidation:
    """A month consolidated."""

    period: str
    tables: Tables
    rules: Rules
    pairs: Pairs
    found: Eliminations
    profits: tuple[BatchProfit, ...]
    unmatched: tuple[Unmatched, ...]
    statement: Statement
    interests: Interests


def consolidate_month(tables: Tables, rules: Rules, period: str) -> Consolidation:
    """Consolidate a month.

    Raises InputRejected with every fault of the month that the tables show only together, and
    InvariantBroken where what is taken out does not balance.
    """
    month = period_number(period)
    holdings = tables.ownership.at(month)
    faults = [
        *find_missing(tables, month),
        *find_unowned(tables, rules, holdings, month),
        *find_large(tables, month),
    ]
    if faults:
        raise InputRejected(faults)
    is_balance = rules.kinds.treatment == BALANCE
    pairs = match(tables.bookings, is_balance, rules.tolerance_fen, tables.n_units)
    goods = follow_goods(tables.bookings, pairs, rules.kinds, tables.stock)
    flaws = find_flaws(tables.bookings, pairs, rules.kinds, goods, month)
    if flaws:
        raise InputRejected([flaw_fault(flaw, tables, rules, pairs) for flaw in flaws])
    unmatched = find_unmatched(tables, rules, pairs, goods, month)
    left = [one for one in unmatched if not _is_near(pairs, one)]
    if left and rules.policy.matching.unmatched == "reject":
        raise InputRejected([unmatched_fault(tables, rules, pairs, one) for one in left])
    found, profits = eliminate(tables.bookings, pairs, rules.kinds, goods, month)
    require_balance(found, rules.nature, pairs)
    of_month = np.flatnonzero(tables.entries.period == month)
    statement = consolidate(
        tables.entries.unit[of_month],
        tables.entries.line[of_month],
        tables.entries.amount[of_month],
        (tables.n_units, len(rules.line_ids)),
        found,
    )
    overdrawn = find_overdrawn_lines(statement, rules.nature)
    if overdrawn:
        raise InputRejected([overdrawn_fault(tables, rules, statement, *at) for at in overdrawn])
    shares: Sequence[Fraction] = consortium_shares(tables.n_owners, holdings, tables.n_units)
    of_members = interests(statement, found, pairs, rules.nature, shares[: tables.n_units])
    _require_surplus(statement, of_members, rules)
    return Consolidation(
        period, tables, rules, pairs, found, tuple(profits), unmatched, statement, of_members
    )


def find_unmatched(
    tables: Tables, rules: Rules, pairs: Pairs, goods: Goods, month: int
) -> tuple[Unmatched, ...]:
    """Pairs of the month that do not agree, and goods whose purchase is not known to agree."""
    found = [
        _of_pair(pairs, pair, int(pairs.reason[pair]))
        for pair in np.flatnonzero((pairs.period == month) & (pairs.reason != MATCHED)).tolist()
    ]
    # Stock of earlier purchases that were not eliminated, stock and resales without a purchase.
    lost: dict[Unmatched, int] = {}

    def add(one: Unmatched, fen: int) -> None:
        key = one._replace(reason=PURCHASE_UNKNOWN, claimed=0, owed=0, eliminated=0)
        key = key._replace(other_period=NONE)
        lost[key] = lost.get(key, 0) + fen

    for pair, fen in goods.stock.get(month, {}).items():
        if not pairs.is_eliminated[pair] and pairs.period[pair] < month:
            add(_of_pair(pairs, pair, PURCHASE_UNKNOWN), fen)
    bookings, stock = tables.bookings, tables.stock
    for row in goods.unknown_sources:
        if bookings.period[row] == month:
            pair = int(pairs.of_booking[row])
            add(_of_pair(pairs, pair, PURCHASE_UNKNOWN), int(bookings.cost[row]))
    for row in goods.unknown_stock:
        if stock.period[row] == month:
            columns = (stock.kind, stock.seller, stock.holder, stock.reference, stock.sold_in)
            place = [int(column[row]) for column in columns]
            one = Unmatched._make((NONE, PURCHASE_UNKNOWN, *place, 0, 0, 0, NONE))
            add(one, int(stock.amount[row]))
    return (*found, *(one._replace(claimed=fen) for one, fen in lost.items()))


def _is_near(pairs: Pairs, one: Unmatched) -> bool:
    """Whether the two sides differ by no more than the policy allows."""
    return one.reason == AMOUNTS_DIFFER and bool(pairs.is_eliminated[one.pair])


def _of_pair(pairs: Pairs, pair: int, reason: int) -> Unmatched:
    columns = (pairs.kind, pairs.claimant, pairs.debtor, pairs.reference, pairs.period)
    sums = (pairs.claimed, pairs.owed, pairs.agreed, pairs.other_period)
    return Unmatched._make((pair, reason, *(int(column[pair]) for column in (*columns, *sums))))


def _require_surplus(statement: Statement, found: Interests, rules: Rules) -> None:
    """The members' adjusted surplus adds up to the consolidated one."""
    adjusted = found.reported[:, SURPLUS].sum() + found.unrealised[:, SURPLUS].sum()
    consolidated = statement.consolidated.sum(axis=0)
    surplus = consolidated[rules.nature == INCOME].sum() - consolidated[rules.nature == COST].sum()
    left, right = np.array([adjusted], object), np.array([surplus], object)
    require_equal("members' adjusted surplus = consolidated surplus", left, right)
