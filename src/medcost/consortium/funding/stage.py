"""Funds of one month: tables and a policy in, result tables out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np

from medcost.consortium.funding import tables
from medcost.consortium.funding.budget import Bound, BoundChange, RulesConflict, allocate
from medcost.consortium.funding.cases import BudgetCase, EmptyShare, budget_case, goals_of
from medcost.consortium.funding.inputs import (
    Assessments,
    Claims,
    PackageCase,
    Requests,
    read_assessments,
    read_packages,
    read_requests,
    rows_of,
)
from medcost.consortium.funding.package import Statement, settle
from medcost.consortium.funding.policy import FundPolicy, Sharing, exact, fen
from medcost.consortium.funding.surplus import FloorAboveCap, Group, Sharers, Shares, share_out
from medcost.consortium.funding.tables import AllocatedBudget, SettledPackage
from medcost.consortium.funding.water_filling import FloorsExceedAmount, split_by_weights
from medcost.consortium.inputs import ConsortiumInputs, Members
from medcost.consortium.policy import LoadedPolicy
from medcost.consortium.publication import ConsortiumResult
from medcost.errors import Fault, InputRejected, count_of, quote
from medcost.money import format_yuan

KIND = "fund"
NO_CLAIMS = Claims((), ())


def fund(
    inputs: ConsortiumInputs, policy: LoadedPolicy[FundPolicy], period: str
) -> ConsortiumResult:
    """Allocate the month's budget and settle and share its packages, as far as the book has them.

    inputs: without a fault. Raises InputRejected where there is neither, where the rules cannot
    hold (fund-rules-conflict) or where members are not assessed; InvariantBroken.
    """
    begun = time.perf_counter()
    requests, packages = read_requests(inputs, period), read_packages(inputs, period)
    if requests is None and not packages:
        what = f"The book has neither requests nor an insurance package of {period}."
        raise InputRejected([Fault("fund-not-in-period", what, (f"period {period}",))])
    rules, members = policy.rules, inputs.members
    budget = None if requests is None else _allocated(requests, policy, members)
    middle = time.perf_counter()
    assessed = read_assessments(inputs, period)
    groups = [Group(one.name, one.parts) for one in rules.group]
    settled = _settled(packages, assessed, groups, policy, members)
    units, step = members.unit_ids, fen(rules.prices.step)
    of_budget = (
        {name: tables.no_rows(name) for name in ("fund_allocation", "fund_goal", "fund_rule")}
        if budget is None
        else {
            "fund_allocation": tables.fund_allocation(period, units, budget),
            "fund_goal": tables.fund_goal(period, budget),
            "fund_rule": tables.fund_rule(period, units, budget, step),
        }
    )
    found = {
        **of_budget,
        "insurance_package": tables.insurance_package(period, settled),
        "insurance_claim": tables.insurance_claim(period, settled),
        "surplus_share": tables.surplus_share(period, units, groups, assessed, settled),
    }
    notes = (*_without_requests(inputs, budget, period), *_notes(budget, settled))
    seconds = {"budget": middle - begun, "package": time.perf_counter() - middle}
    return ConsortiumResult(KIND, period, units, found, notes, seconds)


def _allocated(
    requests: Requests, policy: LoadedPolicy[FundPolicy], members: Members
) -> AllocatedBudget:
    """The month's budget allocated; raises InputRejected with the rules in conflict."""
    try:
        case = budget_case(requests, policy.rules)
        if not len(case.asking):
            what = "No request of the month asks for anything."
            raise InputRejected([Fault("fund-not-in-period", what, ("budget_requests, request",))])
        goals = goals_of(requests, case, policy.rules)
        found = allocate(case.problem, goals, fen(policy.rules.prices.step))
    except EmptyShare as empty:
        what = f"The policy asks for a share of {empty.name}, and no request counts for it."
        where = (policy.place(f"shares.{empty.name}"),)
        raise InputRejected([Fault("fund-share-empty", what, where)]) from None
    except RulesConflict as conflict:
        raise InputRejected([_conflict_fault(conflict, requests, case, members)]) from None
    given = np.zeros(len(requests.asked), np.int64)
    given[case.asking] = found.fen
    return AllocatedBudget(requests, case, found, given)


def _conflict_fault(
    conflict: RulesConflict, requests: Requests, case: BudgetCase, members: Members
) -> Fault:
    """The rules in conflict in words, with the smallest change that would do."""
    changes = ", ".join(
        f"{_in_words(bound, requests, case, members)} by {format_yuan(given)} yuan"
        for bound, given in conflict.changes[:5]
    )
    more = len(conflict.changes) - 5
    changes += f" and {more:,} more" if more > 0 else ""
    total = sum(given for _, given in conflict.changes)
    what = (
        f"{count_of(len(conflict.conflict), 'rule')} cannot hold together. The smallest "
        f"sufficient change, of {format_yuan(total)} yuan in all, moves {changes}."
    )
    where = tuple(_place(change, requests, case, members) for change in conflict.conflict)
    return Fault("fund-rules-conflict", what, where)


def _place(change: BoundChange, requests: Requests, case: BudgetCase, members: Members) -> str:
    words = _in_words(change.bound, requests, case, members)
    if change.alone is None:
        return f"{words}: no change of it alone would do"
    return f"{words}: alone, by {format_yuan(change.alone)} yuan"


def _in_words(bound: Bound, requests: Requests, case: BudgetCase, members: Members) -> str:
    """In words: floor of 'U03/equipment' (120,000.00 yuan), grassroots (at least 40 %)."""
    if bound.kind == "rule":
        named, rule = case.names[bound.position], case.problem.rules[bound.position]
        of = f" of {quote(members.unit_ids[named.unit])}" if named.unit >= 0 else ""
        at = "at most" if named.is_limit else "at least"
        if named.share is not None:
            return f"{named.name}{of} ({at} {float(named.share) * 100:g} %)"
        return f"{named.name}{of} ({at} {format_yuan(abs(rule.bound))} yuan)"
    j = bound.position
    place = int(case.asking[j])
    member = members.unit_ids[int(requests.unit[place])]
    label = quote(f"{member}/{requests.purposes[place]}")
    if bound.kind == "ceiling":
        return f"ceiling of {label} ({format_yuan(int(case.problem.high[j]))} yuan)"
    return f"{case.floor_name(j)} of {label} ({format_yuan(int(case.problem.low[j]))} yuan)"


def _settled(
    packages: Sequence[PackageCase],
    assessed: Assessments | None,
    groups: Sequence[Group],
    policy: LoadedPolicy[FundPolicy],
    members: Members,
) -> list[SettledPackage]:
    """Every package settled and shared; raises InputRejected with all that cannot be."""
    rules = policy.rules
    faults: list[Fault] = []
    settled = []
    group_of: dict[str, int] = {
        kind: place for place, one in enumerate(rules.group) for kind in one.kinds
    }
    unit = np.zeros(0, np.int64) if assessed is None else assessed.unit
    of_group = tuple(group_of.get(members.kinds[one], -1) for one in unit.tolist())
    if packages:
        faults += _missing_assessments(set(unit.tolist()), group_of, policy, members)
    for package in packages:
        claims = package.claims
        statement = settle(
            package.figures,
            rules.package_rules(),
            claims.get("serious_illness", NO_CLAIMS).fen,
            claims.get("stop_loss", NO_CLAIMS).fen,
        )
        rule = rules.surplus if statement.surplus >= 0 else rules.overspend
        weights = _weights(assessed, rule)
        floors = () if assessed is None else assessed.floors
        ceilings = () if assessed is None else assessed.ceilings
        sharers = Sharers(of_group, weights, floors, ceilings)
        try:
            shares = _shares(statement, groups, sharers, rule)
        except (FloorsExceedAmount, FloorAboveCap) as error:
            faults.append(_floor_fault(error, package.package_id, unit.tolist(), members))
            continue
        quotas = _quotas(package, statement, assessed)
        settled.append(SettledPackage(package, statement, unit, sharers, shares, quotas))
    if faults:
        raise InputRejected(faults)
    return settled


def _missing_assessments(
    assessed: set[int], group_of: dict[str, int], policy: LoadedPolicy[FundPolicy], members: Members
) -> Iterator[Fault]:
    """Members of a group with a part that the month does not assess."""
    missing = [
        unit
        for i, (unit, kind) in enumerate(zip(members.unit_ids, members.kinds, strict=True))
        if kind in group_of and policy.rules.group[group_of[kind]].parts and i not in assessed
    ]
    if missing:
        what = (
            f"{count_of(len(missing), 'member')} of groups that share the surplus "
            f"{'has' if len(missing) == 1 else 'have'} no assessment in the month."
        )
        yield Fault("assessment-missing", what, tuple(quote(unit) for unit in missing))


def _weights(assessed: Assessments | None, rule: Sharing) -> tuple[int, ...]:
    if assessed is None:
        return ()
    volume: list[int] = assessed.volume.tolist()
    score: list[int] = assessed.score.tolist()
    if rule.weight == "volume":
        return tuple(volume)
    if rule.weight == "score":
        return tuple(score)
    return tuple(a * b for a, b in zip(volume, score, strict=True))


def _shares(
    statement: Statement, groups: Sequence[Group], sharers: Sharers, rule: Sharing
) -> Shares:
    """What members get or bear of a surplus or overspend; the part that is not shared stays."""
    shared = int(exact(rule.shared) * abs(statement.surplus))
    if statement.surplus < 0:
        shared = -shared
    most = None if rule.most == 1 else exact(rule.most)
    found = share_out(shared, groups, sharers, rule.absent, most)
    left = found.left + statement.surplus - shared
    return Shares(found.fen, found.held, found.group_fen, left)


def _quotas(
    package: PackageCase, statement: Statement, assessed: Assessments | None
) -> tuple[int, ...]:
    """The package after reserve and care outside, by service volume x score over all members."""
    if assessed is None:
        return ()
    weights = _weights(assessed, Sharing())
    if not any(weights):
        return (0,) * len(weights)
    lines = statement.lines
    inside = lines["package"] + lines["reserve"] + lines["out_of_county"]
    return tuple(split_by_weights(inside, weights))


def _floor_fault(
    error: FloorsExceedAmount | FloorAboveCap,
    package_id: str,
    units: Sequence[int],
    members: Members,
) -> Fault:
    if isinstance(error, FloorAboveCap):
        unit = members.unit_ids[units[error.member]]
        what = (
            f"The floor of {quote(unit)}, {format_yuan(error.floor)} yuan, lies above the "
            f"{format_yuan(error.cap)} yuan that the rules let it have at most."
        )
        return Fault("surplus-floor-above-ceiling", what, (f"package {quote(package_id)}",))
    what = (
        f"The floors of a group exceed its part of package {quote(package_id)} by "
        f"{format_yuan(error.missing)} yuan."
    )
    return Fault("surplus-floors-exceed", what, ("assessments, floor",))


def _without_requests(
    inputs: ConsortiumInputs, budget: AllocatedBudget | None, period: str
) -> Iterator[str]:
    """What there is to be allocated in a month in which nobody asks for it."""
    totals = inputs.tables.get("fund_totals")
    at = rows_of(totals, period)
    if budget is None and totals is not None and len(at):
        total = format_yuan(int(totals.values("total")[at[0]]))
        yield f"nobody asks for the {total} yuan of fund_totals: nothing of them is allocated"


def _notes(budget: AllocatedBudget | None, settled: Sequence[SettledPackage]) -> Iterator[str]:
    if budget is not None:
        given: list[int] = budget.fen.tolist()
        left = budget.requests.total - sum(given)
        if left:
            yield f"{format_yuan(left)} yuan of the total are allocated to nobody: {_why(budget)}"
        if not budget.found.is_exact:
            yield "the satisfied shares were rounded from floating point; every rule holds in fen"
    for one in settled:
        if one.shares.left:
            kept = format_yuan(one.shares.left)
            yield f"package {one.case.package_id}: {kept} yuan are shared with nobody"


def _why(budget: AllocatedBudget) -> str:
    """What keeps money from being allocated."""
    tight = [
        named.name
        for named, rule in zip(budget.case.names, budget.case.problem.rules, strict=True)
        if named.share is not None and rule.slack(budget.found.fen) < rule.per_fen
    ]
    if tight:
        return f"the least share of {', '.join(tight)} lets nobody have more"
    return "every request is at its ceiling"
