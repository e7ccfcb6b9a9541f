"""A plan in whole fen: floats propose draws and bridges, integers carry every account forward.

Every rule is then verified in integers, by sums that the forward reckoning did not make.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.lending.cash import Cash, Terms, floors, pool_floors, reserve_of
from medcost.consortium.lending.interest import contract_interest, interest_fen, posted_interest
from medcost.consortium.lending.model import UNIT, PlanModel
from medcost.errors import InvariantBroken
from medcost.money import format_yuan
from medcost.records import dataclass

Fen = NDArray[np.int64]
# What rounding may move an account by, fen, or as a share of the largest one, to which a solver of
# doubles is exact; more is a mistake of the engine.
DRIFT, DRIFT_SHARE = 1000, 10**8


@dataclass(frozen=True)
class Ledger:
    """One scenario's plan, int64 fen: members by month [M, T] and the pool by month [T].

    balance = the account at the month's end; debt: owed to the pool; bridge: borrowed from a bank
    for one month; interest is posted at the month's end on what stood at its beginning. result:
    the pool's own; cash: what the pool holds; floor: what it is to hold beside the reserve.
    """

    balance: Fen
    debt: Fen
    draw: Fen
    repayment: Fen
    bridge: Fen
    shortfall: Fen
    deposit_interest: Fen
    loan_interest: Fen
    bridge_interest: Fen
    result: Fen
    cash: Fen
    cash_interest: Fen
    reserve: Fen
    floor: Fen

    def before(self, of_opening: Fen, name: str) -> Fen:
        """A position at the beginning of each month, [M, T]."""
        return np.column_stack([of_opening, getattr(self, name)[:, :-1]])


class RoundingMiss(Exception):
    """Pool cash misses its floor by rounding alone; by: fen [T]."""

    def __init__(self, by: Fen) -> None:
        self.by = by
        super().__init__("rounding to fen takes pool cash below its floor")


def settled(
    cash: Cash,
    terms: Terms,
    model: PlanModel,
    values: NDArray[np.float64],
    decided_months: int = 0,
) -> Ledger:
    """The plan of one scenario in fen. Raises RoundingMiss, InvariantBroken.

    decided_months: the first months whose draws and bridges are given to the fen, as other
    scenarios share them.

    Where a floor that the plan keeps would be missed by some fen, the draw is raised by them, or
    in a month of whole lots the repayment is lowered; at its limit the bridge takes them. Time
    O(members x months).
    """
    aims = _Aims(cash, terms, model, values, decided_months)
    ledger = _carried(cash, terms, aims)
    if aims.pressed.any():
        # A lot drawn after a repayment leaves no room for a fen: it is repaid that much later.
        aims.kept_back = 2 * aims.pressed + 2 * (aims.pressed > 0)
        ledger = _carried(cash, terms, aims)
    missed = ledger.floor + ledger.reserve - ledger.cash
    if (missed > 0).any():
        most = int(missed.max())
        if most > aims.drift * len(cash.unit_ids):
            raise InvariantBroken(f"pool cash misses its floor by {format_yuan(most)}")
        raise RoundingMiss(np.maximum(missed, 0))
    return ledger


def _carried(cash: Cash, terms: Terms, aims: _Aims) -> Ledger:
    """Every account carried forward in integers."""
    months = cash.shape[2]
    balance, debt, bridge = cash.balance, cash.debt, cash.bridge
    result = cash.result
    held = int(balance.sum() - debt.sum()) + result
    net = cash.net[0]
    by_month: list[tuple[Fen, ...]] = []
    of_pool: list[tuple[int, ...]] = []
    for month in range(months):
        days = int(cash.days[month])
        deposit = posted_interest(balance, days, terms.deposit_rate, terms.day_count)
        loan = posted_interest(debt, days, terms.loan_rate, terms.day_count)
        bank = contract_interest(bridge, days, terms.bank_rate, terms.day_count)
        own = interest_fen(held * days, terms.cash_rate, terms.day_count)
        base = balance + net[:, month] + deposit - loan - bridge - bank - debt
        owed, bridged = aims.of_month(month, debt, base)
        ended = base + owed + bridged
        result += int(loan.sum()) - int(deposit.sum()) + own
        moved = owed - debt
        draw, repayment = np.maximum(moved, 0), np.maximum(-moved, 0)
        short = np.maximum(aims.floor[:, month] - ended, 0)
        by_month.append((ended, owed, draw, repayment, bridged, short, deposit, loan, bank))
        balance, debt, bridge = ended, owed, bridged
        held = int(balance.sum() - debt.sum()) + result
        of_pool.append((result, held, own, reserve_of(int(balance.sum()), terms.reserve)))
    columns = [np.column_stack(one) for one in zip(*by_month, strict=True)]
    own_result, pool_cash, cash_interest, reserve = (
        np.array(one, np.int64) for one in zip(*of_pool, strict=True)
    )
    floor = pool_floors(cash, terms)[0] + cash.pool_at_risk[0]
    names = (
        *("balance", "debt", "draw", "repayment", "bridge", "shortfall"),
        *("deposit_interest", "loan_interest", "bridge_interest"),
    )
    return Ledger(
        **dict(zip(names, columns, strict=True)),
        result=own_result,
        cash=pool_cash,
        cash_interest=cash_interest,
        reserve=reserve,
        floor=floor,
    )


class _Aims:
    """What a solution asks for, in fen: debts, bridges and which floors are kept.

    kept_back: fen [M] by which repayments in months of whole lots are lower; pressed: fen [M] that
    a floor in these months missed and a bridge had to take.
    """

    def __init__(
        self,
        cash: Cash,
        terms: Terms,
        model: PlanModel,
        values: NDArray[np.float64],
        decided_months: int,
    ) -> None:
        at = model.at
        self.limit, self.bank_limit = cash.loan_limit, cash.bank_limit
        self.floor = floors(cash, terms)[0]
        self.risk = cash.at_risk[0]
        self.keeps = values[at.shortfall[0]] * UNIT < 0.5
        self.debts = np.rint(values[at.debt[0]] * UNIT).astype(np.int64)
        self.bridges = np.rint(values[at.bridge[0]] * UNIT).astype(np.int64)
        self.needy = model.needy[0]
        self.whole = at.lots.shape[2]
        self.decided = decided_months
        largest = max(int(one.max(initial=0)) for one in (cash.balance, cash.inflow, cash.basic))
        self.drift = max(DRIFT, largest // DRIFT_SHARE)
        self.kept_back = np.zeros(len(cash.unit_ids), np.int64)
        self.pressed = np.zeros(len(cash.unit_ids), np.int64)
        self.draws = np.rint(values[at.lots[0]]).astype(np.int64) * terms.lot
        self.most = self._most_owed(cash.shape[2])

    def _most_owed(self, months: int) -> Fen:
        """Debts at most, fen [M, T]: the limit less the lots of draws that follow at once."""
        most = np.repeat(self.limit[:, None], months, axis=1)
        for month in range(self.whole - 1, 0, -1):
            draw = self.draws[:, month]
            most[:, month - 1] = np.where(draw > 0, most[:, month] - draw, self.limit)
        return most

    def of_month(self, month: int, debt: Fen, base: Fen) -> tuple[Fen, Fen]:
        """Debt and bridge at the month's end. base: the account were the debt paid off, fen."""
        if month < self.decided:
            return self.debts[:, month], self.bridges[:, month]
        most = self.most[:, month]
        owed = np.minimum(self.debts[:, month], most)
        # A month of whole lots has the room that a repayment leaves; other months have the limit.
        room = most - owed
        if month < self.whole:
            draw = self.draws[:, month]
            kept = np.minimum(np.minimum(owed + self.kept_back, debt), most)
            owed = np.where(draw > 0, debt + draw, kept)
            room = np.where(draw > 0, 0, np.minimum(debt, most) - owed)
        owed = np.maximum(owed, 0)
        room = np.where(self.needy[:, month], np.maximum(room, 0), 0)
        bridged = np.minimum(np.maximum(self.bridges[:, month], 0), self.bank_limit)
        least = np.where(self.keeps[:, month], self.floor[:, month], 0) + self.risk[:, month]
        missing = np.maximum(least - (base + owed + bridged), 0)
        if len(missing) and int(missing.max()) > self.drift:
            raise InvariantBroken(
                f"an account is {format_yuan(int(missing.max()))} yuan below its plan"
            )
        more = np.minimum(missing, room)
        missing = missing - more
        if month < self.whole:
            self.pressed = np.maximum(self.pressed, missing)
        return owed + more, bridged + np.minimum(missing, self.bank_limit - bridged)


def require_rules(cash: Cash, terms: Terms, ledger: Ledger) -> None:
    """Verify every rule of one scenario's plan in integers. Raises InvariantBroken.

    Accounts go forward; none is overdrawn; shortfalls are what is missing to the floor; limits of
    debt and bridge; whole lots and least draws; no draw beside a repayment; pool cash is deposits
    less debts and the pool's result; its floor beside the reserve; no yuan is made or lost.
    """
    for fact, holds in _facts(cash, terms, ledger):
        if not np.all(holds):
            place = np.argwhere(~np.atleast_1d(holds))[0].tolist()
            raise InvariantBroken(f"The plan breaks a rule at {place}: {fact}")


def _facts(
    cash: Cash, terms: Terms, ledger: Ledger
) -> Iterator[tuple[str, NDArray[np.bool_] | bool]]:
    """Every rule, in words, and whether it holds at each place."""
    opening = ledger.before(cash.balance, "balance")
    owed, bridged = ledger.before(cash.debt, "debt"), ledger.before(cash.bridge, "bridge")
    forward = (
        opening
        + cash.net[0]
        + ledger.deposit_interest
        - ledger.loan_interest
        + ledger.draw
        - ledger.repayment
        + ledger.bridge
        - bridged
        - ledger.bridge_interest
    )
    yield "an account is what it was and what moved", ledger.balance == forward
    yield (
        "a debt is what it was, drawn and repaid",
        ledger.debt == owed + ledger.draw - (ledger.repayment),
    )
    floor = floors(cash, terms)[0]
    yield "no account is overdrawn", ledger.balance >= 0
    yield (
        "a shortfall is what misses to the floor",
        ledger.shortfall == np.maximum(floor - ledger.balance, 0),
    )
    yield (
        "a debt is within its limit",
        (ledger.debt >= 0) & (ledger.debt <= np.maximum(cash.loan_limit, 0)[:, None]),
    )
    yield (
        "a bridge is within its limit",
        (ledger.bridge >= 0) & (ledger.bridge <= cash.bank_limit[:, None]),
    )
    yield "no draw beside a repayment", (ledger.draw == 0) | (ledger.repayment == 0)
    if terms.lot:
        early = ledger.draw[:, : terms.whole_months]
        yield "draws of the first months are whole lots", early % terms.lot == 0
        yield "draws reach the least draw", (early == 0) | (early >= terms.least_draw)
    deposits, debts = ledger.balance.sum(axis=0), ledger.debt.sum(axis=0)
    yield (
        "pool cash is deposits less debts and the pool's result",
        ledger.cash == (deposits - debts + ledger.result),
    )
    held = int(cash.balance.sum() - cash.debt.sum()) + cash.result
    change = np.diff(np.concatenate([[held], ledger.cash]))
    made = (cash.net[0] + ledger.bridge - bridged - ledger.bridge_interest).sum(axis=0)
    yield "no yuan is made or lost", change == made + ledger.cash_interest
    least = [reserve_of(int(one), terms.reserve) for one in deposits]
    yield "the reserve is on deposits", ledger.reserve == np.array(least, np.int64)
    yield (
        "pool cash keeps its floor beside the reserve",
        ledger.cash - ledger.reserve >= (pool_floors(cash, terms)[0]),
    )
