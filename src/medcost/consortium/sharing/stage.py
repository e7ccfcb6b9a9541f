"""The shared services of a month: who bears what, by which rule, and who is aggrieved."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from medcost.checks.service_rows import ServiceRows, read_services
from medcost.checks.shared_services import OF_GAMES, find_rule_faults
from medcost.consortium.inputs import ConsortiumInputs, Members
from medcost.consortium.policy import LoadedPolicy
from medcost.consortium.publication import ConsortiumResult, Published
from medcost.consortium.sharing.core_check import Coalition
from medcost.consortium.sharing.department_costs import department_cost
from medcost.consortium.sharing.division import (
    Costs,
    checked_by,
    costs_of,
    divide,
    least_excess,
    stand_alone,
    worst,
)
from medcost.consortium.sharing.games import GameRefused
from medcost.consortium.sharing.policy import CostSharing
from medcost.consortium.sharing.rules import (
    OWN,
    Party,
    by_weights,
    joint_examinations,
    keeper_of,
    outreach,
    postings,
    rounded,
)
from medcost.consortium.sharing.shared import Compared, SharedService
from medcost.consortium.sharing.tables import result_tables
from medcost.consortium.sharing.words import sentence_on_core
from medcost.errors import Fault, InputRejected, InvariantBroken, quote

INCLUDED = "included"
KIND = "share"


def share_period(
    inputs: ConsortiumInputs,
    policy: LoadedPolicy[CostSharing],
    period: str,
    published: Published,
) -> ConsortiumResult:
    """Share every service of a month.

    published: where costing runs are, asked for only if a service names a department. Raises
    InputRejected with all faults together, solver.SolverFailure, InvariantBroken.
    """
    begun = time.perf_counter()
    services = [one for one in read_services(inputs.tables) if one.period == period]
    if not services:
        what = f"shared_services has no row of {period}."
        raise InputRejected([Fault("period-not-in-book", what, ("shared_services, period",))])
    named = any(one.cost is None for one in services)
    own, sources = _own_costs(services, published.costs(period) if named else {})
    shared = _share_all(services, own, inputs.members, policy.rules)
    members = {unit for one in shared for unit, _ in one.shares}
    notes = tuple(note for one in shared for note in _notes(one))
    seconds = {"share": time.perf_counter() - begun}
    return ConsortiumResult(
        KIND,
        period,
        tuple(sorted(members)),
        result_tables(period, shared),
        notes,
        seconds,
        tuple(sources),
    )


def _own_costs(
    services: Sequence[ServiceRows], runs: Mapping[str, Path]
) -> tuple[dict[str, int], list[Path]]:
    """Each service's own cost, fen, and the published runs that they came from."""
    costs: dict[str, int] = {}
    sources: dict[Path, None] = {}
    faults = []
    for service in services:
        if service.cost is not None:
            costs[service.service_id] = service.cost
            continue
        folder = runs.get(service.unit_id)
        found = None if folder is None else department_cost(folder, service)
        if found is None or folder is None:
            what = (
                f"Service {service.shown} shares the full cost of department "
                f"{quote(f'{service.unit_id}/{service.dept_id}')}, which no published run has."
            )
            faults.append(Fault("service-cost-missing", what, (service.place,)))
            continue
        costs[service.service_id] = found
        sources[folder] = None
    if faults:
        raise InputRejected(faults)
    return costs, [*sources]


def _share_all(
    services: Sequence[ServiceRows],
    own: Mapping[str, int],
    members: Members,
    rules: CostSharing,
) -> list[SharedService]:
    """Share services in an order in which those that serve others come first; sorted by id."""
    by_id = {one.service_id: one for one in services}
    included = dict.fromkeys(by_id, 0)
    shared, faults = {}, []
    for service in _inner_first(services):
        cost = own[service.service_id] + included[service.service_id]
        try:
            shared[service.service_id] = _share(
                service,
                own[service.service_id],
                included[service.service_id],
                members,
                rules,
                by_id,
            )
        except GameRefused as refused:
            what = f"Service {service.shown}: {refused}"
            faults.append(Fault(refused.code, what, (service.place,)))
        except InputRejected as rejected:
            faults += rejected.faults
        if service.included_in:
            included[service.included_in] += cost
    if faults:
        raise InputRejected(faults)
    return [shared[one] for one in sorted(shared)]


def _inner_first(services: Sequence[ServiceRows]) -> list[ServiceRows]:
    """Services by how many others they serve on the way, the most first; there are no cycles."""
    outer = {one.service_id: one.included_in for one in services}

    def depth(service: str) -> int:
        return 1 + depth(outer[service]) if outer.get(service) else 0

    return sorted(services, key=lambda one: (-depth(one.service_id), one.service_id))


def _share(
    service: ServiceRows,
    own: int,
    included: int,
    members: Members,
    rules: CostSharing,
    services: Mapping[str, ServiceRows],
) -> SharedService:
    """One service: its parts, rounded together, and what coalitions say of them."""
    cost = own + included
    if service.included_in:
        bearer = services[service.included_in].unit_id
        whole: Mapping[Party, int] = {(bearer, OWN): cost}
        return _plain(service, INCLUDED, own, included, whole)
    rule = service.rule or rules.sharing.rule
    faults = find_rule_faults(service, rule)
    if faults:
        raise InputRejected(faults)
    costs = costs_of(service, cost, rules.check.listed_up_to)
    parts, errors = _parts(service, rule, cost, costs, members, rules)
    shares = rounded(parts)
    found = _plain(service, rule, own, included, shares)
    if costs is None:
        return found
    return _checked(found, costs, parts, errors, rules)


def _plain(
    service: ServiceRows, rule: str, own: int, included: int, shares: Mapping[Party, int]
) -> SharedService:
    """A service shared, before coalitions are looked at."""
    if sum(shares.values()) != own + included:
        raise InvariantBroken(f"the shares of service {service.shown} do not add up to its cost")
    given = {one.unit_id: Fraction(one.alone) for one in service.members if one.alone is not None}
    return SharedService(
        service,
        rule,
        own,
        included,
        shares,
        given,
        {},
        checked_by(None),
        None,
        {},
        None,
        (),
        {},
        tuple(postings(service.unit_id, shares)),
    )


def _parts(
    service: ServiceRows,
    rule: str,
    cost: int,
    costs: Costs | None,
    members: Members,
    rules: CostSharing,
) -> tuple[dict[Party, Fraction], dict[str, int]]:
    """Exact parts by party, and standard errors by member where they are estimates."""
    volumes = {one.unit_id: one.volume or 0 for one in service.members}
    if rule == "driver":
        return by_weights(cost, volumes), {}
    if rule == "agreed":
        return by_weights(cost, {one.unit_id: one.agreed or 0 for one in service.members}), {}
    if rule in OF_GAMES:
        if costs is None:
            raise GameRefused("service-game-missing", "No game says what a coalition would cost.")
        division = divide(costs, rule, rules.sampling.blocks, rules.sampling.seed)
        units = [one.unit_id for one in service.members]
        parts = {(unit, OWN): share for unit, share in zip(units, division.shares, strict=True)}
        return parts, dict(zip(units, division.errors, strict=False))
    leads = [
        unit for unit, kind in zip(members.unit_ids, members.kinds, strict=True) if kind == "lead"
    ]
    keeper = keeper_of(rules.pool.unit_id, leads)
    if keeper not in members.unit_ids:
        what = f"The policy names {quote(keeper)} to keep the pool, which units does not list."
        raise GameRefused("pool-keeper-unclear", what)
    if rule == "outreach":
        _require_grassroots(service, members)
        return outreach(cost, volumes, _exact(rules.outreach.grassroots), keeper), {}
    sides = rules.joint_examinations
    examining, diagnosing = _exact(sides.examining), _exact(sides.diagnosing)
    return joint_examinations(cost, service.examinations, examining, diagnosing, keeper), {}


def _exact(number: float) -> Fraction:
    """The decimal fraction that the file shows."""
    return Fraction(repr(number))


def _require_grassroots(service: ServiceRows, members: Members) -> None:
    is_grassroots = dict(zip(members.unit_ids, members.grassroots.tolist(), strict=True))
    others = [
        one.unit_id for one in service.members if one.volume and not is_grassroots[one.unit_id]
    ]
    if others:
        what = f"Outreach names {quote(others[0])}, which is not grassroots."
        raise GameRefused("outreach-not-grassroots", what)


def _checked(
    found: SharedService,
    costs: Costs,
    parts: Mapping[Party, Fraction],
    errors: Mapping[str, int],
    rules: CostSharing,
) -> SharedService:
    """The service with coalitions looked at, and other rules beside."""
    shares = [parts.get((unit, OWN), Fraction(0)) for unit in found.units]
    how = checked_by(costs)
    worst_placed = worst(costs, shares)
    tightest: dict[str, Coalition] = {}
    if how != "search" or rules.check.search_for_each_member:
        for i, unit in enumerate(found.units):
            coalition = worst(costs, shares, i)
            if coalition is not None:
                tightest[unit] = coalition
    elif worst_placed is not None:
        tightest = {found.units[i]: worst_placed for i in worst_placed.members}
    compared, refused = _compared(found, costs, parts, rules, worst_placed)
    return SharedService(
        found.service,
        found.rule,
        found.own,
        found.included,
        found.shares,
        dict(zip(found.units, stand_alone(costs), strict=True)),
        errors,
        how,
        worst_placed,
        tightest,
        least_excess(costs),
        compared,
        refused,
        found.postings,
    )


def _compared(
    found: SharedService,
    costs: Costs,
    parts: Mapping[Party, Fraction],
    rules: CostSharing,
    worst_placed: Coalition | None,
) -> tuple[tuple[Compared, ...], dict[str, str]]:
    """The rule charged and those the policy compares with; a rule without an answer is named."""
    compared = [Compared(found.rule, found.shares, worst_placed)]
    refused: dict[str, str] = {}
    for rule in rules.check.rules:
        if rule == found.rule or (rule == "dual_prices" and found.service.game != "production"):
            continue
        try:
            if rule in {"driver", "agreed"}:
                if find_rule_faults(found.service, rule):
                    continue
                other, _ = _parts(found.service, rule, found.cost, costs, _NOBODY, rules)
            else:
                division = divide(costs, rule, rules.sampling.blocks, rules.sampling.seed)
                pairs = zip(found.units, division.shares, strict=True)
                other = {(unit, OWN): share for unit, share in pairs}
        except GameRefused as one:
            if one.code != "too-many-members":
                refused[rule] = str(one)
            continue
        exact = [other[unit, OWN] for unit in found.units]
        compared.append(Compared(rule, rounded(other), worst(costs, exact)))
    return tuple(sorted(compared, key=lambda one: one.rule)), refused


# Rules by driver and by agreement ask nothing of the register of members.
_NOBODY = Members((), (), (), np.zeros(0, np.bool_))


def _notes(one: SharedService) -> list[str]:
    """What a reader of the month must know: who is aggrieved, what has no answer."""
    notes = []
    if one.worst is not None and one.worst.excess > 0:
        members = [one.units[i] for i in one.worst.members]
        others = [unit for unit in one.units if unit not in members]
        excess = one.in_fen(one.worst, one.shares).excess
        notes.append(sentence_on_core(one.service.service_id, members, others, excess, True, "en"))
    notes += [
        f"{one.service.service_id} by {rule}: {reason}" for rule, reason in one.refused.items()
    ]
    return notes
