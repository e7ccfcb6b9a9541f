"""The policy of the capital pool, strictly loaded, and its rules as exact numbers."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, Literal

from medcost.consortium.lending.cash import Terms
from medcost.consortium.policy import LoadedPolicy, PolicySection, load_policy
from medcost.money import FEN_PER_YUAN
from medcost.policy_file import FoundFault, Share
from medcost.sections import Limits, Section

DEFAULT = "pool_lending"
Kind = Literal["lead", "township", "village", "specialist", "community"]
Group = Annotated[list[Kind], Limits(min_length=1)]
Rate = Annotated[float, Limits(ge=0, le=1, allow_inf_nan=False)]
Months = Annotated[float, Limits(ge=0, le=120, allow_inf_nan=False)]
Yuan = Annotated[float, Limits(ge=0, le=1e10, allow_inf_nan=False)]


class Pool(Section):
    """[pool]: what members and the pool keep."""

    earmark: Literal["inside", "outside"] = "inside"
    floor_months: Months = 3.0
    pool_floor_months: Months = 3.0
    reserve: Annotated[float, Limits(ge=0, le=0.99, allow_inf_nan=False)] = 0.05
    opening_result: Annotated[float, Limits(ge=-1e10, le=1e10, allow_inf_nan=False)] = 0.0


class Rates(Section):
    """[rates]: yearly rates and how days are counted."""

    bank: Rate = 0.0435
    discount: Annotated[float, Limits(ge=0.01, le=0.02, allow_inf_nan=False)] = 0.015
    deposit: Rate = 0.0115
    pool_cash: Rate = 0.0115
    day_count: Literal["ACT/360", "ACT/365"] = "ACT/360"


class Loans(Section):
    """[loans]: lots, least draws and limits that the tables do not name."""

    lot: Yuan = 10_000.0
    least_draw: Yuan = 20_000.0
    whole_months: Annotated[int, Limits(ge=0, le=12)] = 3
    limit_months: Months = 6.0
    bank_limit_months: Months = 1.0
    last_month: Annotated[int, Limits(ge=1, le=120)] = 36


class Priority(Section):
    """[priority]: groups of kinds, each served before the next."""

    order: Annotated[list[Group], Limits(min_length=1)] = [  # noqa: RUF012
        ["village", "township", "community"],
        ["lead", "specialist"],
    ]


class Scenarios(Section):
    """[scenarios]: what scenarios share, and how much the bad ones count."""

    shared_months: Annotated[int, Limits(ge=1, le=12)] = 1
    tail: Annotated[float, Limits(ge=0, le=0.999, allow_inf_nan=False)] = 0.9
    tail_weight: Annotated[float, Limits(ge=0, le=1000, allow_inf_nan=False)] = 1.0


class Robust(Section):
    """[robust]: in how many months all may go wrong at once, and by how much."""

    months_at_risk: Months = 0.0
    inflow_share: Share = 0.1
    outflow_share: Share = 0.05


class Gain(Section):
    """[gain]: how the pool's result is split, and how many rules are solved again."""

    basis: Literal["deposits", "saving"] = "deposits"
    re_solved_rules: Annotated[int, Limits(ge=0, le=200)] = 6


class PoolLending(PolicySection):
    """The policy of the capital pool, validated; frozen."""

    pool: Pool = Pool()
    rates: Rates = Rates()
    loans: Loans = Loans()
    priority: Priority = Priority()
    scenarios: Scenarios = Scenarios()
    robust: Robust = Robust()
    gain: Gain = Gain()

    def terms(self) -> Terms:
        """The rules as exact numbers."""
        rates, loans, pool = self.rates, self.loans, self.pool
        bank = exact(rates.bank)
        groups = tuple("_".join(kinds) for kinds in self.priority.order)
        return Terms(
            bank_rate=bank,
            loan_rate=bank - exact(rates.discount),
            deposit_rate=exact(rates.deposit),
            cash_rate=exact(rates.pool_cash),
            day_count=rates.day_count,
            floor_months=exact(pool.floor_months),
            pool_floor_months=exact(pool.pool_floor_months),
            reserve=exact(pool.reserve),
            lot=int(exact(loans.lot) * FEN_PER_YUAN),
            least_draw=int(exact(loans.least_draw) * FEN_PER_YUAN),
            whole_months=loans.whole_months if loans.lot else 0,
            shared_months=self.scenarios.shared_months,
            tail=self.scenarios.tail,
            tail_weight=self.scenarios.tail_weight,
            groups=groups,
        )


def exact(number: float) -> Fraction:
    """The decimal fraction that the file shows."""
    return Fraction(repr(float(number)))


def load_lending(name: str | None) -> LoadedPolicy[PoolLending]:
    """Load a policy by file or name, None for the one that ships; raises InputRejected."""
    return load_policy(name, DEFAULT, PoolLending, contradictions)


def contradictions(content: dict[str, Any]) -> list[FoundFault]:
    """What is wrong together, whatever else is: rates that cross, a kind that stands twice."""
    found = []
    rates = _numbers(content.get("rates"))
    defaults = Rates()
    bank, discount = rates.get("bank", defaults.bank), rates.get("discount", defaults.discount)
    loan = exact(bank) - exact(discount)
    if exact(rates.get("deposit", defaults.deposit)) > loan:
        what = (
            f"rates.deposit pays more than a loan of the pool costs, {float(loan):g}: members "
            "would borrow to deposit, and the pool would lose by every loan."
        )
        found.append(FoundFault("policy-contradiction", "rates.deposit", what))
    if loan < 0:
        what = "rates.discount is more than rates.bank: a loan would cost less than nothing."
        found.append(FoundFault("policy-contradiction", "rates.discount", what))
    loans = _numbers(content.get("loans"))
    for key in ("lot", "least_draw"):
        if key in loans and exact(loans[key]) * FEN_PER_YUAN % 1:
            what = f"loans.{key} is finer than a fen."
            found.append(FoundFault("policy-contradiction", f"loans.{key}", what))
    priority = content.get("priority")
    order = priority.get("order") if isinstance(priority, dict) else None
    named = [kind for group in order or () if isinstance(group, list) for kind in group]
    for kind in dict.fromkeys(kind for kind in named if named.count(kind) > 1):
        what = f"priority.order names {kind} twice: it cannot come before itself."
        found.append(FoundFault("policy-contradiction", "priority.order", what))
    return found


def _numbers(section: Any) -> dict[str, float]:
    """The keys of a section that hold numbers; what is no number is a fault of its own."""
    if not isinstance(section, dict):
        return {}
    return {
        key: float(value)
        for key, value in section.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
