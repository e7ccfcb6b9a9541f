"""The plan as a linear program: whole arrays of variables and rows, no loop over either.

Of member i in month t: surplus s and shortfall u beside the floor, so that the account is
a = floor + s - u; internal debt b; one-month bank bridge e. In the first months a draw is
lot · k with k whole, z says whether there is one, and p is repaid. P is pool cash. Amounts are
in 10,000 yuan.

    a_t = (1 + r0) a_{t-1} + n_t + b_t - (1 + rd) b_{t-1} + e_t - (1 + rb) e_{t-1}
    P_t = (1 + rf) P_{t-1} + Σ n_t + Σ e_t - (1 + rb) Σ e_{t-1}
    P_t - reserve · Σ a_t ≥ the pool's floor

A month's draw and repayment are the two sides of b_t - b_{t-1}: x and p of the same month would
only cancel, and where draws are whole lots repaying beside one is forbidden, or a lot drawn and
half of it repaid at once would be half a lot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.lending.cash import Cash, Terms, floors, monthly, pool_floors
from medcost.consortium.solver import LinearProgram
from medcost.records import dataclass

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Money in a program is in 10,000 yuan: amounts then lie where solvers keep their tolerances.
UNIT = 1e6
# A search for whole lots ends when its value is proved best to within a yuan.
GAP = 1e-4


@dataclass(frozen=True)
class Variables:
    """Column of each variable, int64: [S, M, T], lots [S, M, L], cash [S, T], tail [S].

    Columns of shared months are the same in all scenarios.
    """

    surplus: NDArray[np.int64]
    shortfall: NDArray[np.int64]
    debt: NDArray[np.int64]
    bridge: NDArray[np.int64]
    lots: NDArray[np.int64]
    draws: NDArray[np.int64]
    repaid: NDArray[np.int64]
    cash: NDArray[np.int64]
    tail: NDArray[np.int64]
    threshold: int
    n: int


@dataclass(frozen=True)
class PlanModel:
    """A plan's program with the places of its variables and of the rows that have a meaning.

    balance_rows: [S, M, T]; forward_rows, of pool cash, and pool_rows, of its floor: [S, T];
    own_rows: those in which one member stands alone; bridge_cost: interest on one of each month's
    bridge, [T]; needy: bool [S, M, T], months in which a member may owe the pool anything.
    """

    program: LinearProgram
    at: Variables
    balance_rows: NDArray[np.int64]
    forward_rows: NDArray[np.int64]
    pool_rows: NDArray[np.int64]
    own_rows: NDArray[np.int64]
    bridge_cost: NDArray[np.float64]
    needy: NDArray[np.bool_]


class Rows:
    """Entries of rows under construction, appended as whole arrays."""

    def __init__(self) -> None:
        self.count = 0
        self._rows: list[NDArray[np.int64]] = []
        self._columns: list[NDArray[np.int64]] = []
        self._values: list[NDArray[np.float64]] = []
        self._lower: list[NDArray[np.float64]] = []
        self._upper: list[NDArray[np.float64]] = []

    def begin(
        self, lower: NDArray[np.float64], upper: NDArray[np.float64] | None = None
    ) -> NDArray[np.int64]:
        """New rows with their bounds, equations where no upper one is named; their numbers."""
        numbers = self.count + np.arange(lower.size).reshape(lower.shape)
        self.count += lower.size
        self._lower.append(lower.ravel())
        self._upper.append((lower if upper is None else upper).ravel())
        return numbers

    def add(
        self,
        rows: NDArray[np.int64],
        columns: NDArray[np.int64],
        values: float | NDArray[np.float64],
    ) -> None:
        """Entries; rows and values are broadcast to the columns' shape."""
        shape = columns.shape
        self._rows.append(np.broadcast_to(rows, shape).ravel())
        self._columns.append(columns.ravel())
        self._values.append(np.broadcast_to(np.asarray(values, np.float64), shape).ravel())

    def matrix(self, n_columns: int) -> csr_matrix:
        """All rows; entries of one place are added."""
        from scipy.sparse import csr_matrix

        entries = (
            np.concatenate(self._values),
            (np.concatenate(self._rows), np.concatenate(self._columns)),
        )
        return csr_matrix(entries, shape=(self.count, n_columns))

    @property
    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Least and most of every row."""
        return np.concatenate(self._lower), np.concatenate(self._upper)


def months_of_need(cash: Cash, terms: Terms) -> NDArray[np.bool_]:
    """Months in which a member may owe the pool something, bool [S, M, T].

    They begin with the first month in which its own money, without a loan, does not keep its
    floor: a loan is for need, and a debt made before it only to move money through the pool's
    result, which lowers the reserve, is none. Who owes something at the opening may go on owing.
    A shared month is one of need where it is one in any scenario.
    """
    scenarios, members, months = cash.shape
    rate = monthly(terms.deposit_rate, cash.days, terms.day_count)
    own = np.broadcast_to(cash.balance - cash.debt - cash.bridge, (scenarios, members)) / UNIT
    least = (floors(cash, terms) + cash.at_risk) / UNIT
    net = cash.net / UNIT
    short = np.zeros(cash.shape, np.bool_)
    for month in range(months):
        own = own * (1 + rate[month]) + net[:, :, month]
        short[:, :, month] = own < least[:, :, month]
    short[:, :, 0] |= cash.debt > 0
    need = np.logical_or.accumulate(short, axis=2)
    shared = terms.shared_months
    need[:, :, :shared] = need[:, :, :shared].any(axis=0)
    # A debt of the shared months may go on in every scenario.
    return np.asarray(np.logical_or.accumulate(need, axis=2))


def plan_model(
    cash: Cash,
    terms: Terms,
    *,
    margin: NDArray[np.float64] | None = None,
    needy: NDArray[np.bool_] | None = None,
) -> PlanModel:
    """The program of a plan over its scenarios, without a cost.

    margin: 10,000 yuan [S, T] that pool cash is to hold beyond its floor, for rounding to fen;
    needy: months of need, bool [S, M, T], where they are not this cash's own.
    """
    at = _variables(cash, terms)
    if needy is None:
        needy = months_of_need(cash, terms)
    rows = Rows()
    balance_rows = _add_balances(rows, at, cash, terms)
    forward_rows, pool_rows = _add_pool(rows, at, cash, terms, margin)
    first_of_lots = rows.count
    _add_lots(rows, at, cash, terms)
    own_rows = np.concatenate([balance_rows.ravel(), np.arange(first_of_lots, rows.count)])
    bridge_cost = monthly(terms.bank_rate, cash.days, terms.day_count)[1:]
    if len(at.tail):
        beyond = rows.begin(np.zeros(len(at.tail)), np.full(len(at.tail), np.inf))
        rows.add(beyond, at.tail, 1.0)
        rows.add(beyond, np.full(len(at.tail), at.threshold), 1.0)
        rows.add(beyond[:, None, None], at.bridge, -bridge_cost)
    lower, upper, integer = _bounds(at, cash, terms, needy)
    row_lower, row_upper = rows.bounds
    program = LinearProgram(
        np.zeros(at.n), lower, upper, rows.matrix(at.n), row_lower, row_upper, integer, GAP
    )
    return PlanModel(
        program, at, balance_rows, forward_rows, pool_rows, own_rows, bridge_cost, needy
    )


def _variables(cash: Cash, terms: Terms) -> Variables:
    """Columns, scenario by scenario; those of shared months once."""
    scenarios, members, months = cash.shape
    whole = min(terms.whole_months, months) if terms.lot else 0
    count = 0

    def columns(*shape: int) -> NDArray[np.int64]:
        nonlocal count
        size = int(np.prod(shape))
        count += size
        return count - size + np.arange(size).reshape(shape)

    def decided(last: int) -> NDArray[np.int64]:
        """Columns of what is decided, which is the same in all scenarios in the shared months."""
        own = columns(scenarios, members, last)
        own[:, :, : terms.shared_months] = own[:1, :, : terms.shared_months]
        return own

    return Variables(
        surplus=columns(scenarios, members, months),
        shortfall=columns(scenarios, members, months),
        debt=decided(months),
        bridge=decided(months),
        lots=decided(whole),
        draws=decided(whole),
        repaid=decided(whole),
        cash=columns(scenarios, months),
        tail=columns(scenarios if scenarios > 1 else 0),
        threshold=int(columns(1)[0]),
        n=count,
    )


def _add_balances(rows: Rows, at: Variables, cash: Cash, terms: Terms) -> NDArray[np.int64]:
    """Every account goes forward: what is known of the opening stands on the right side."""
    deposit = monthly(terms.deposit_rate, cash.days, terms.day_count)[:-1]
    loan = monthly(terms.loan_rate, cash.days, terms.day_count)[:-1]
    bank = monthly(terms.bank_rate, cash.days, terms.day_count)[:-1]
    floor = (floors(cash, terms) + cash.at_risk) / UNIT
    known = cash.net / UNIT - floor
    known[:, :, 1:] += (1 + deposit[1:]) * floor[:, :, :-1]
    known[:, :, 0] += (
        (1 + deposit[0]) * cash.balance - (1 + loan[0]) * cash.debt - (1 + bank[0]) * cash.bridge
    ) / UNIT
    numbers = rows.begin(known)
    later = numbers[:, :, 1:]
    rows.add(numbers, at.surplus, 1.0)
    rows.add(numbers, at.shortfall, -1.0)
    rows.add(numbers, at.debt, -1.0)
    rows.add(numbers, at.bridge, -1.0)
    rows.add(later, at.surplus[:, :, :-1], -(1 + deposit[1:]))
    rows.add(later, at.shortfall[:, :, :-1], 1 + deposit[1:])
    rows.add(later, at.debt[:, :, :-1], 1 + loan[1:])
    rows.add(later, at.bridge[:, :, :-1], 1 + bank[1:])
    return numbers


def _add_pool(
    rows: Rows, at: Variables, cash: Cash, terms: Terms, margin: NDArray[np.float64] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pool cash goes forward, and keeps its floor beside the reserve on deposits."""
    own = monthly(terms.cash_rate, cash.days, terms.day_count)[:-1]
    bank = monthly(terms.bank_rate, cash.days, terms.day_count)[:-1]
    known = cash.net.sum(axis=1) / UNIT
    opening = int(cash.balance.sum() - cash.debt.sum()) + cash.result
    known[:, 0] += ((1 + own[0]) * opening - (1 + bank[0]) * int(cash.bridge.sum())) / UNIT
    forward = rows.begin(known)
    rows.add(forward, at.cash, 1.0)
    rows.add(forward[:, 1:], at.cash[:, :-1], -(1 + own[1:]))
    rows.add(forward[:, None, :], at.bridge, -1.0)
    rows.add(forward[:, None, 1:], at.bridge[:, :, :-1], 1 + bank[1:])
    reserve = float(terms.reserve)
    floor = (floors(cash, terms) + cash.at_risk).sum(axis=1) / UNIT
    least = (pool_floors(cash, terms) + cash.pool_at_risk) / UNIT + reserve * floor
    if margin is not None:
        least = least + margin
    numbers = rows.begin(least, np.full(least.shape, np.inf))
    rows.add(numbers, at.cash, 1.0)
    rows.add(numbers[:, None, :], at.surplus, -reserve)
    rows.add(numbers[:, None, :], at.shortfall, reserve)
    return forward, numbers


def _add_lots(rows: Rows, at: Variables, cash: Cash, terms: Terms) -> None:
    """In the first months a draw is whole lots, not below the least draw, or there is none."""
    scenarios, _members, whole = at.lots.shape
    shared = min(whole, terms.shared_months)
    # Rows of shared months stand once, as their columns do.
    for first, last, count in ((0, shared, 1), (shared, whole, scenarios)):
        if first == last:
            continue
        lots, draws = at.lots[:count, :, first:last], at.draws[:count, :, first:last]
        repaid, debt = at.repaid[:count, :, first:last], at.debt[:count, :, first:last]
        known = np.zeros(lots.shape)
        if first == 0:
            known[:, :, 0] = cash.debt / UNIT
        moves = rows.begin(known)
        rows.add(moves, debt, 1.0)
        rows.add(moves, lots, -terms.lot / UNIT)
        rows.add(moves, repaid, 1.0)
        before = at.debt[:count, :, max(first, 1) - 1 : last - 1]
        rows.add(
            moves[:, :, -before.shape[2] :] if before.shape[2] else moves[:, :, :0], before, -1.0
        )
        nothing = np.zeros(lots.shape)
        most = np.broadcast_to((cash.loan_limit / UNIT)[None, :, None], lots.shape)
        capped = rows.begin(np.full(lots.shape, -np.inf), nothing)
        rows.add(capped, lots, terms.lot / UNIT)
        rows.add(capped, draws, -most)
        least = rows.begin(nothing, np.full(lots.shape, np.inf))
        rows.add(least, lots, terms.lot / UNIT)
        rows.add(least, draws, -terms.least_draw / UNIT)
        either = rows.begin(np.full(lots.shape, -np.inf), most)
        rows.add(either, repaid, 1.0)
        rows.add(either, draws, most)


def _bounds(
    at: Variables, cash: Cash, terms: Terms, needy: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Least and most of every variable, and which are whole."""
    lower, upper = np.zeros(at.n), np.zeros(at.n)
    upper[at.surplus] = upper[at.cash] = upper[at.tail] = upper[at.threshold] = np.inf
    integer = np.zeros(at.n, np.bool_)
    lower[at.cash] = -np.inf
    if len(at.tail):
        lower[at.threshold] = -np.inf
    # No account is overdrawn: the shortfall is at most the floor.
    upper[at.shortfall] = floors(cash, terms) / UNIT
    limit = np.where(needy, cash.loan_limit[None, :, None], 0)
    upper[at.debt] = limit / UNIT
    upper[at.bridge] = cash.bank_limit[None, :, None] / UNIT
    if at.lots.size:
        of_lots = limit[:, :, : at.lots.shape[2]]
        upper[at.lots] = of_lots // terms.lot
        upper[at.draws] = of_lots >= max(terms.least_draw, terms.lot)
        upper[at.repaid] = of_lots / UNIT
        integer[at.lots] = integer[at.draws] = True
    return lower, upper, integer
