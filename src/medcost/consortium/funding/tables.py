"""Results of funds as the contract's tables."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

import numpy as np
import pyarrow as pa

from medcost.consortium.funding.budget import Allocation, Price
from medcost.consortium.funding.cases import CEILING, BudgetCase, NamedRule
from medcost.consortium.funding.inputs import TAG_SEPARATOR, Assessments, PackageCase, Requests
from medcost.consortium.funding.levels import Level
from medcost.consortium.funding.package import LINES, Statement
from medcost.consortium.funding.problem import Ints
from medcost.consortium.funding.surplus import Group, Sharers, Shares
from medcost.consortium.funding.worth import GOAL
from medcost.money import FEN_PER_YUAN, divide_half_away
from medcost.records import dataclass
from medcost.result_tables import Coded, Filled, Given, build_table
from medcost.text_labels import text_array

MILLION = 10**6
PRICE_STEPS = 10**12
NONE = -1
HELD = ("free", "floor", "ceiling")


def texts(values: Sequence[str], empty: bool = False) -> Coded:
    """A text column; empty: whether empty text is a label of its own and not empty."""
    distinct = sorted({*values} - (set() if empty else {""}), key=lambda text: text.encode())
    place = {label: i for i, label in enumerate(distinct)}
    codes = [place.get(text, NONE) for text in values]
    return Coded(text_array(distinct), np.array(codes, np.int64))


def filled(values: Sequence[int | None]) -> Filled:
    """A number column that is empty where there is None."""
    numbers = np.array([0 if value is None else value for value in values], np.int64)
    return Filled(numbers, np.array([value is not None for value in values], np.bool_))


def share_of(part: int, whole: int) -> int | None:
    """Part / whole in 1e-6, None where there is no whole."""
    return divide_half_away(part * MILLION, whole) if whole > 0 else None


def _periods(period: str, n: int) -> Coded:
    return Coded(text_array([period]), np.zeros(n, np.int64))


@dataclass(frozen=True)
class AllocatedBudget:
    """A month's requests, the problem that they are, and its answer; fen int64 [requests]."""

    requests: Requests
    case: BudgetCase
    found: Allocation
    fen: Ints


def no_rows(name: str) -> pa.Table:
    """A result table of which there is nothing to say."""
    return build_table(name, {"period": texts([])}, all_rows=True)


def goal_label(levels: Sequence[Level], place: int) -> str:
    """'request 002': goals of a kind in their order, so that texts sort as goals do."""
    kind, _, number = levels[place].name.partition(" ")
    return f"{kind} {int(number):03d}" if number else kind


def held_at(budget: AllocatedBudget) -> list[tuple[str, str]]:
    """Of each request what it stopped at, and the goal where that is one; ('', '') of nothing."""
    problem, found = budget.case.problem, budget.found
    held = [("", "")] * len(budget.requests.asked)
    for j, place in enumerate(budget.case.asking.tolist()):
        level = int(found.level_of[j])
        if level >= 0:
            held[place] = ("level", goal_label(found.levels, level))
        elif int(found.fen[j]) >= int(problem.high[j]):
            held[place] = (CEILING, "")
        elif int(found.fen[j]) <= int(problem.low[j]):
            held[place] = (budget.case.floor_name(j), "")
        else:
            # Kept at the end of a segment by the value, which is the first goal.
            held[place] = ("level", goal_label(found.levels, 0))
    return held


def fund_allocation(period: str, units: Sequence[str], budget: AllocatedBudget) -> pa.Table:
    """out_fund_allocation."""
    requests, case = budget.requests, budget.case
    n = len(requests.asked)
    low, high = np.zeros(n, np.int64), np.zeros(n, np.int64)
    low[case.asking], high[case.asking] = case.problem.low, case.problem.high
    held = held_at(budget)
    pairs = zip(budget.fen.tolist(), requests.asked.tolist(), strict=True)
    return build_table(
        "fund_allocation",
        {
            "period": _periods(period, n),
            "unit_id": texts([units[unit] for unit in requests.unit.tolist()]),
            "purpose": texts(requests.purposes),
            "tags": texts([TAG_SEPARATOR.join(tags) for tags in requests.tags]),
            "request": requests.asked,
            "previous": Filled(requests.previous, requests.has_previous),
            "floor": low,
            "ceiling": high,
            "allocated": budget.fen,
            "satisfied_share": filled([share_of(part, whole) for part, whole in pairs]),
            "held": texts([one for one, _ in held]),
            "goal": texts([goal for _, goal in held]),
        },
        all_rows=True,
    )


def fund_goal(period: str, budget: AllocatedBudget) -> pa.Table:
    """out_fund_goal: every goal that was raised, with its place in the order."""
    levels = budget.found.levels
    labels = [goal_label(levels, place) for place in range(len(levels))]
    order = sorted(range(len(levels)), key=lambda place: labels[place].encode())
    is_value = [levels[place].name == GOAL for place in order]
    numbers = [
        round(levels[place].value * (1 if value else MILLION))
        for place, value in zip(order, is_value, strict=True)
    ]
    pairs = list(zip(numbers, is_value, strict=True))
    return build_table(
        "fund_goal",
        {
            "period": _periods(period, len(levels)),
            "goal": texts([labels[place] for place in order]),
            "position": np.array(order, np.int64) + 1,
            "satisfied_share": filled([None if value else number for number, value in pairs]),
            "value": filled([number if value else None for number, value in pairs]),
            "stopped": np.array([len(levels[place].groups) for place in order], np.int64),
        },
        all_rows=True,
    )


@dataclass(frozen=True)
class RuleRow:
    """A row of out_fund_rule: fen, and the price where there is one."""

    rule: str
    unit: str
    purpose: str
    bound: int
    reached: int
    is_limit: bool
    price: Price | None

    @property
    def slack(self) -> int:
        """By how much the rule is kept, fen."""
        return self.bound - self.reached if self.is_limit else self.reached - self.bound


def rule_rows(units: Sequence[str], budget: AllocatedBudget) -> list[RuleRow]:
    """Every rule over several requests, and the bounds of requests that have a price."""
    problem, found, requests = budget.case.problem, budget.found, budget.requests
    prices = {(one.bound.kind, one.bound.position): one for one in found.prices}
    rows = []
    for r, named in enumerate(budget.case.names):
        bound, reached = _bound_and_reached(named, budget, r)
        unit = units[named.unit] if named.unit >= 0 else ""
        price = prices.get(("rule", r))
        rows.append(RuleRow(named.name, unit, "", bound, reached, named.is_limit, price))
    for one in found.prices:
        if one.bound.kind == "rule":
            continue
        j, is_limit = one.bound.position, one.bound.kind == "ceiling"
        place = int(budget.case.asking[j])
        name = CEILING if is_limit else budget.case.floor_name(j)
        rows.append(
            RuleRow(
                name,
                units[int(requests.unit[place])],
                requests.purposes[place],
                int((problem.high if is_limit else problem.low)[j]),
                int(found.fen[j]),
                is_limit,
                one,
            )
        )
    return sorted(
        rows, key=lambda row: (row.rule.encode(), row.unit.encode(), row.purpose.encode())
    )


def _key_of(row: RuleRow) -> tuple[bytes, bytes, bytes]:
    return row.rule.encode(), row.unit.encode(), row.purpose.encode()


def _bound_and_reached(named: NamedRule, budget: AllocatedBudget, r: int) -> tuple[int, int]:
    """What a rule asks for or allows, and what is there, fen; a share is of what is allocated."""
    rule, fen = budget.case.problem.rules[r], budget.found.fen
    counted: list[int] = fen[named.counted].tolist()
    if named.share is None or rule.bound:
        return abs(rule.bound), sum(counted)
    everything: list[int] = fen.tolist()
    part = named.share * sum(everything)
    return floor(part) if named.is_limit else ceil(part), sum(counted)


def fund_rule(period: str, units: Sequence[str], budget: AllocatedBudget, step: int) -> pa.Table:
    """out_fund_rule."""
    rows = rule_rows(units, budget)
    levels = budget.found.levels
    prices = [_priced(row, levels) for row in rows]
    return build_table(
        "fund_rule",
        {
            "period": _periods(period, len(rows)),
            "rule": texts([row.rule for row in rows]),
            "unit_id": texts([row.unit for row in rows], empty=True),
            "purpose": texts([row.purpose for row in rows], empty=True),
            "bound": np.array([row.bound for row in rows], np.int64),
            "reached": np.array([row.reached for row in rows], np.int64),
            "slack": np.array([row.slack for row in rows], np.int64),
            "goal": texts(
                [goal_label(levels, row.price.level) if row.price else "" for row in rows]
            ),
            "price": filled([one[0] for one in prices]),
            "step": filled([step if row.price and row.price.is_checked else None for row in rows]),
            "gain_above": filled([one[1] for one in prices]),
            "gain_below": filled([one[2] for one in prices]),
        },
        all_rows=True,
    )


def _priced(row: RuleRow, levels: Sequence[Level]) -> tuple[int | None, ...]:
    """The price of a yuan, and what the goal gains with the bound above and below; in 1e-12."""
    price = row.price
    if price is None:
        return (None,) * 3
    level = levels[price.level]
    is_value = level.name == GOAL
    # A fen more in a share is a hundredth of a yuan more; of a value both are fen.
    of_yuan = price.per_fen * (1 if is_value else FEN_PER_YUAN)
    of_goal = 1 / FEN_PER_YUAN if is_value else 1.0
    more, less = price.more, price.less
    if price.bound.kind == "rule" and row.is_limit:
        # What a limit asks for grows when it allows less.
        of_yuan, more, less = -of_yuan, less, more
    gains = [None if goal is None else (goal - level.value) * of_goal for goal in (more, less)]
    return tuple(_steps(number) for number in (of_yuan, *gains))


def _steps(number: float | None) -> int | None:
    """A number in 1e-12, its first six digits; None where there is none or the column has no room.

    Beyond those digits stands what the solver's last bits are.
    """
    if number is None or abs(number) >= MILLION:
        return None
    return round(float(f"{number:.6g}") * PRICE_STEPS)


@dataclass(frozen=True)
class SettledPackage:
    """A package settled and shared: sharers sorted by member, quotas fen [members of sharers]."""

    case: PackageCase
    statement: Statement
    unit: Ints
    sharers: Sharers
    shares: Shares
    quotas: tuple[int, ...]


def insurance_package(period: str, settled: Sequence[SettledPackage]) -> pa.Table:
    """out_insurance_package."""
    rows = [
        (one.case.package_id, line, one.statement.lines[line])
        for one in settled
        for line in sorted(LINES[:-1])
    ]
    return build_table(
        "insurance_package",
        {
            "period": _periods(period, len(rows)),
            "package_id": texts([package for package, _, _ in rows]),
            "line": texts([line for _, line, _ in rows]),
            "amount": np.array([fen for *_, fen in rows], np.int64),
        },
    )


def insurance_claim(period: str, settled: Sequence[SettledPackage]) -> pa.Table:
    """out_insurance_claim."""
    rows = []
    for one in settled:
        for rule in ("serious_illness", "stop_loss"):
            claims = one.case.claims.get(rule)
            if claims is not None:
                paid = getattr(one.statement, rule)
                rows += [
                    (one.case.package_id, rule, *claim)
                    for claim in zip(claims.ids, claims.fen, paid, strict=True)
                ]
    return build_table(
        "insurance_claim",
        {
            "period": _periods(period, len(rows)),
            "package_id": texts([row[0] for row in rows]),
            "rule": texts([row[1] for row in rows]),
            "claim_id": texts([row[2] for row in rows]),
            "amount": np.array([row[3] for row in rows], np.int64),
            "paid": np.array([row[4] for row in rows], np.int64),
        },
    )


def surplus_share(
    period: str,
    units: Sequence[str],
    groups: Sequence[Group],
    assessed: Assessments | None,
    settled: Sequence[SettledPackage],
) -> pa.Table:
    """out_surplus_share: every member with a group, and what the package keeps."""
    columns: dict[str, list[object]] = {}
    for one in settled:
        for row in _share_rows(units, groups, assessed, one):
            for name, value in row.items():
                columns.setdefault(name, []).append(value)
    n = len(columns.get("unit_id", ()))
    given: dict[str, Given] = {"period": _periods(period, n)}
    for name in ("package_id", "unit_id", "group", "held"):
        given[name] = texts([str(text) for text in columns.get(name, ())], name == "unit_id")
    for name in ("service_volume", "score", "weight_share", "quota", "floor", "ceiling"):
        given[name] = filled(columns.get(name, []))  # type: ignore[arg-type]
    given["amount"] = np.array(columns.get("amount", []), np.int64)
    return build_table("surplus_share", given, all_rows=True)


def _share_rows(
    units: Sequence[str],
    groups: Sequence[Group],
    assessed: Assessments | None,
    one: SettledPackage,
) -> list[dict[str, object]]:
    nothing: dict[str, object] = dict.fromkeys(
        ("service_volume", "score", "weight_share", "quota", "floor", "ceiling")
    )
    kept = {"package_id": one.case.package_id, "unit_id": "", "group": "", "held": ""}
    rows = [{**nothing, **kept, "amount": one.shares.left}]
    if assessed is None:
        return rows
    in_group = [0] * len(groups)
    for group, weight in zip(one.sharers.group, one.sharers.weights, strict=True):
        in_group[group] += weight if group >= 0 else 0
    for i, unit in enumerate(one.unit.tolist()):
        group = one.sharers.group[i]
        if group < 0:
            continue
        rows.append(
            {
                "package_id": one.case.package_id,
                "unit_id": units[unit],
                "group": groups[group].name,
                "service_volume": int(assessed.volume[i]),
                "score": int(assessed.score[i]),
                "weight_share": share_of(one.sharers.weights[i], in_group[group]),
                "quota": one.quotas[i],
                "floor": one.sharers.floors[i],
                "ceiling": one.sharers.caps[i],
                "amount": one.shares.fen[i],
                "held": HELD[one.shares.held[i]],
            }
        )
    return rows
