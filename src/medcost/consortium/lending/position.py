"""From tables, policy and last month's plan to the data of a plan; faults are gathered."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medcost.book import TableRows, period_label, period_number
from medcost.consortium.lending.cash import Cash, Terms
from medcost.consortium.lending.policy import PoolLending, exact
from medcost.consortium.lending.robust import at_risk
from medcost.errors import Fault, InputRejected, count_of, quote
from medcost.money import FEN_PER_YUAN, divide_half_away, format_yuan
from medcost.records import dataclass

if TYPE_CHECKING:
    from medcost.consortium.inputs import ConsortiumInputs, Members
    from medcost.consortium.policy import LoadedPolicy

PPM = 1_000_000
Fen = NDArray[np.int64]


@dataclass(frozen=True)
class Opening:
    """Where last month's plan ends in the month before this one: fen by unit_id, and the pool's."""

    balance: Mapping[str, int]
    debt: Mapping[str, int]
    bridge: Mapping[str, int]
    result: int


def position(
    inputs: ConsortiumInputs,
    policy: LoadedPolicy[PoolLending],
    period: str,
    opening: Opening | None,
) -> tuple[Cash, Terms]:
    """What a plan from a month on is made from. Raises InputRejected with all faults together."""
    rules, terms = policy.rules, policy.rules.terms()
    table = inputs.tables["cash_plan"]
    faults: list[Fault] = []
    grid = _Grid(table, inputs.members, period, rules.loans.last_month)
    if not len(grid.members) or grid.first != period:
        what = f"cash_plan has no row of {period}, where the plan is to begin."
        raise InputRejected([Fault("plan-month-missing", what, (f"cash_plan, {period}",))])
    chosen = [inputs.members.unit_ids[i] for i in grid.members.tolist()]
    kinds = [inputs.members.kinds[i] for i in grid.members.tolist()]
    group = _groups(kinds, policy, faults)
    basic = grid.values("basic_operation")
    limits = _Limits(inputs, grid.members, period)
    month = basic[0, :, 0]
    loan_limit = limits.of("loan_limit", _months_of(month, rules.loans.limit_months))
    bank_limit = limits.of("bank_limit", _months_of(month, rules.loans.bank_limit_months))
    debt = limits.opening("opening_debt", opening.debt if opening else {}, chosen)
    bridge = limits.opening("opening_bridge", opening.bridge if opening else {}, chosen)
    faults += _over_limit(chosen, debt, loan_limit, "debt to the pool", "loan limit")
    faults += _over_limit(chosen, bridge, bank_limit, "bank bridge", "bank limit")
    balance = _opening_balances(grid, chosen, opening, period, faults)
    is_outside = rules.pool.earmark == "outside"
    outside = limits.of("outside_cash", np.zeros(len(chosen), np.int64))
    if faults:
        raise InputRejected(faults)
    inflow, outflow = grid.values("inflow"), grid.values("outflow")
    days = _days(grid.months)
    own_risk, pool_risk = _risk(grid, rules, terms, inflow, outflow, days)
    result = int(exact(rules.pool.opening_result) * FEN_PER_YUAN)
    kind_names = tuple(sorted(set(kinds)))
    cash = Cash(
        unit_ids=tuple(chosen),
        months=grid.months,
        days=days,
        scenarios=grid.scenarios,
        probability=grid.probability(),
        kinds=kind_names,
        kind=np.array([kind_names.index(kind) for kind in kinds], np.int64),
        group=group,
        inflow=inflow,
        outflow=outflow,
        basic=basic,
        balance=balance,
        debt=debt,
        bridge=bridge,
        outside=outside if is_outside else np.zeros_like(outside),
        loan_limit=loan_limit,
        bank_limit=bank_limit,
        result=opening.result if opening else result,
        at_risk=own_risk,
        pool_at_risk=pool_risk,
    )
    return cash, terms


class _Grid:
    """The rows of cash_plan from a month on, placed by scenario, member and month."""

    def __init__(self, table: TableRows, members: Members, period: str, most: int) -> None:
        labels = table.labels("period")
        last = period_label(period_number(period) + most - 1)
        of_period = np.array([period <= label <= last for label in labels] + [False], np.bool_)
        self.table = table
        self.rows = np.flatnonzero(of_period[table.codes("period")])
        member = members.of(table.text["unit_id"])[self.rows]
        self.members = np.unique(member)
        months = sorted({labels[code] for code in table.codes("period")[self.rows].tolist()})
        self.first = months[0] if months else ""
        self.months = tuple(months)
        scenarios, codes = table.labels("scenario"), table.codes("scenario")[self.rows]
        self.scenarios = tuple(sorted({[*scenarios, ""][code] for code in codes.tolist()}))
        place = {name: i for i, name in enumerate(self.scenarios)}
        of_code = np.array([place.get(name, 0) for name in (*scenarios, "")], np.int64)
        month_place = {name: i for i, name in enumerate(months)}
        of_month = np.array([month_place.get(label, 0) for label in labels], np.int64)
        self.place = (
            of_code[codes],
            np.searchsorted(self.members, member),
            of_month[table.codes("period")[self.rows]],
        )
        self.shape = (len(self.scenarios), len(self.members), len(months))

    def values(self, name: str) -> Fen:
        """A column of money, fen [S, M, T]; 0 where it is empty."""
        found = np.zeros(self.shape, np.int64)
        found[self.place] = self.table.values(name)[self.rows]
        return found

    def present(self, name: str) -> NDArray[np.bool_]:
        """Where a column has a value, bool [S, M, T]."""
        found = np.zeros(self.shape, np.bool_)
        found[self.place] = self.table.present(name)[self.rows]
        return found

    def probability(self) -> NDArray[np.float64]:
        """Of each scenario, float64 [S]; one scenario alone is certain."""
        found = np.zeros(len(self.scenarios), np.int64)
        found[self.place[0]] = self.table.values("probability")[self.rows]
        return np.ones(1) if len(found) == 1 else found / PPM


class _Limits:
    """The rows of loan_limits that hold in a month, one for each member that has any."""

    def __init__(self, inputs: ConsortiumInputs, members: NDArray[np.int64], period: str) -> None:
        self.rows = np.full(len(members), -1, np.int64)
        self.is_opening = np.zeros(len(members), np.bool_)
        self.table = inputs.tables.get("loan_limits")
        if self.table is None:
            return
        labels, codes = self.table.labels("period"), self.table.codes("period")
        member = inputs.members.of(self.table.text["unit_id"])
        for row in np.argsort(codes, kind="stable").tolist():
            place = int(np.searchsorted(members, member[row]))
            is_known = place < len(members) and members[place] == member[row]
            if is_known and labels[codes[row]] <= period:
                self.rows[place] = row
                self.is_opening[place] = labels[codes[row]] == period

    def of(self, name: str, otherwise: Fen) -> Fen:
        """A column's values, fen [M]; otherwise where there is none."""
        if self.table is None:
            return otherwise
        there = (self.rows >= 0) & self.table.present(name)[self.rows]
        return np.where(there, self.table.values(name)[self.rows], otherwise)

    def opening(self, name: str, planned: Mapping[str, int], units: list[str]) -> Fen:
        """What stands at the opening, fen [M]: the row of that very month, else the plan before."""
        before = np.array([planned.get(unit, 0) for unit in units], np.int64)
        if self.table is None:
            return before
        return np.where(self.is_opening, self.of(name, before), before)


def _months_of(basic: Fen, months: float) -> Fen:
    """Months of basic operation, fen [M], to the nearest fen."""
    factor = exact(months)
    n, d = factor.numerator, factor.denominator
    return np.array([divide_half_away(one * n, d) for one in basic.tolist()], np.int64)


def _groups(kinds: list[str], policy: LoadedPolicy[PoolLending], faults: list[Fault]) -> Fen:
    """The place of each member's kind in the order of priority, int64 [M]."""
    order = policy.rules.priority.order
    place: dict[str, int] = {kind: i for i, group in enumerate(order) for kind in group}
    for kind in sorted(set(kinds) - set(place)):
        what = f"priority.order does not say where {count_of(kinds.count(kind), kind)} come."
        faults.append(Fault("plan-kind-unranked", what, (policy.place("priority.order"),)))
    return np.array([place.get(kind, 0) for kind in kinds], np.int64)


def _over_limit(units: list[str], owed: Fen, limit: Fen, what: str, of: str) -> list[Fault]:
    """Openings above their limit."""
    over = np.flatnonzero(owed > limit).tolist()
    if not over:
        return []
    total = format_yuan(sum(int(owed[i] - limit[i]) for i in over))
    said = (
        f"{count_of(len(over), 'member')} begin with a {what} above the {of}, {total} yuan in all."
    )
    where = tuple(
        f"loan_limits, {quote(units[i])}: {format_yuan(int(owed[i]))} of "
        f"{format_yuan(int(limit[i]))}"
        for i in over
    )
    return [Fault("plan-limit-exceeded", said, where)]


def _opening_balances(
    grid: _Grid, units: list[str], opening: Opening | None, period: str, faults: list[Fault]
) -> Fen:
    """Each member's account at the beginning, fen [M]: the same in all scenarios."""
    given, there = grid.values("opening_balance")[:, :, 0], grid.present("opening_balance")[:, :, 0]
    planned = np.array([opening.balance.get(u, -1) if opening else -1 for u in units], np.int64)
    missing = [units[i] for i in np.flatnonzero(~there.all(axis=0) & (planned < 0)).tolist()]
    if missing:
        what = (
            f"{count_of(len(missing), 'member')} have no opening_balance in {period}, and no plan "
            "of the month before is published."
        )
        faults.append(Fault("plan-opening-missing", what, tuple(quote(u) for u in missing)))
    differ = np.flatnonzero(there.all(axis=0) & (given != given[:1]).any(axis=0)).tolist()
    if differ:
        what = f"{count_of(len(differ), 'member')} begin with another balance in each scenario."
        faults.append(Fault("plan-opening-missing", what, tuple(quote(units[i]) for i in differ)))
    return np.where(there.all(axis=0), given[0], planned)


def _days(months: tuple[str, ...]) -> NDArray[np.int64]:
    """Days of each month and of the one after, int64 [T + 1]."""
    numbers = [period_number(month) for month in months]
    every = [*numbers, numbers[-1] + 1]
    return np.array([calendar.monthrange(n // 12, n % 12 + 1)[1] for n in every], np.int64)


def _risk(
    grid: _Grid,
    rules: PoolLending,
    terms: Terms,
    inflow: Fen,
    outflow: Fen,
    days: NDArray[np.int64],
) -> tuple[Fen, Fen]:
    """What may be missing by a robust plan, fen [S, M, T] and [S, T]."""
    months = exact(rules.robust.months_at_risk)
    if not months:
        return np.zeros(grid.shape, np.int64), np.zeros((grid.shape[0], grid.shape[2]), np.int64)
    deviation = np.zeros(grid.shape, np.int64)
    for name, amount, share in (
        ("inflow_at_risk", inflow, rules.robust.inflow_share),
        ("outflow_at_risk", outflow, rules.robust.outflow_share),
    ):
        part = exact(share)
        otherwise = (amount * part.numerator) // part.denominator
        deviation += np.where(grid.present(name), grid.values(name), otherwise)
    return at_risk(deviation, days, terms, months)
