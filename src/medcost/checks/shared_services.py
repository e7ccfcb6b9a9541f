"""What contradicts itself in the shared services of a book."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from medcost.book import Book
from medcost.checks.findings import Finding
from medcost.checks.rows import row_finding
from medcost.checks.service_rows import (
    TABLES,
    Key,
    ServiceRows,
    grouped,
    read_services,
    records,
)
from medcost.errors import Fault, count_of, quote
from medcost.money import format_yuan

# Rules that need to know what coalitions would cost; of them those that need a list of coalitions.
OF_GAMES = frozenset(
    {"shapley", "nucleolus", "least_core", "separable_costs", "equal_profit", "dual_prices"}
)
STEP_GAMES = frozenset({"steps", "largest"})
MOST_LISTED = 20
WHOLE = 10**6
SHOWN = 5
NOT_NEGATIVE = {
    "shared_service_members": ("volume", "agreed_share", "stand_alone_cost"),
    "capacity_steps": ("up_to", "cost"),
    "joint_examinations": ("examining_revenue", "diagnosing_revenue"),
    "shared_processes": ("unit_cost",),
}


def find_service_faults(book: Book, considered: NDArray[np.bool_]) -> list[Fault]:
    """What contradicts itself in the services of the months considered, service by service."""
    services = read_services(book.tables, considered)
    faults = find_cycles(services)
    for service in services:
        faults += _cost_faults(service)
        faults += find_rule_faults(service, service.rule)
        faults += _game_faults(service)
    return faults


def _fault(code: str, service: ServiceRows, what: str, *where: str) -> Fault:
    return Fault(code, f"Service {service.shown} {what}", where or (service.place,))


def find_cycles(services: Sequence[ServiceRows]) -> list[Fault]:
    """Services that are included in one that is not listed, or that lead back to themselves."""
    listed = {(one.period, one.service_id): one for one in services}
    faults: list[Fault] = []
    in_cycle: set[Key] = set()
    for service in services:
        if not service.included_in:
            continue
        if (service.period, service.included_in) not in listed:
            what = f"is included in {quote(service.included_in)}, which is not listed."
            faults.append(_fault("service-not-listed", service, what))
        path = [service]
        while path[-1].included_in:
            next_ = listed.get((service.period, path[-1].included_in))
            if next_ is None or next_ in path:
                break
            path.append(next_)
        found = (service.period, service.service_id)
        if path[-1].included_in == service.service_id and found not in in_cycle:
            in_cycle |= {(one.period, one.service_id) for one in path}
            way = " in ".join(quote(one.service_id) for one in [*path, service])
            places = tuple(one.place for one in path)
            faults.append(
                _fault("service-cycle", service, f"leads back to itself: {way}.", *places)
            )
    return faults


def _cost_faults(service: ServiceRows) -> list[Fault]:
    faults = []
    if service.cost is not None and service.dept_id:
        what = f"has a cost and names the department {quote(service.dept_id)} for it."
        faults.append(_fault("service-cost-unclear", service, what))
    if service.cost is None and not service.dept_id:
        what = "has neither a cost nor a dept_id whose cost it is."
        faults.append(_fault("service-cost-unclear", service, what))
    if not service.members and not service.included_in:
        rule_has_others = service.rule == "joint_examinations" and service.examinations
        if not rule_has_others:
            what = "has no row in shared_service_members."
            faults.append(_fault("service-members-missing", service, what))
    return faults


def find_rule_faults(service: ServiceRows, rule: str) -> list[Fault]:
    """What a rule needs and the service does not have; '' is a rule not known yet."""
    if service.included_in or not rule:
        return []
    found: list[tuple[str, str]] = []
    if rule in {"driver", "outreach"}:
        missing = [one.unit_id for one in service.members if one.volume is None]
        if missing:
            what = f"is shared by volume, and {_listed(missing)} has none."
            found.append(("service-volume-missing", what))
        elif service.members and not sum(one.volume or 0 for one in service.members):
            found.append(("service-volume-missing", "is shared by volume, and all are zero."))
    if rule == "agreed" and service.members:
        total = sum(one.agreed or 0 for one in service.members)
        if total != WHOLE:
            what = f"has agreed shares that add up to {total / WHOLE:.6f}, not to 1."
            found.append(("agreed-split-not-whole", what))
    if rule == "joint_examinations" and not service.examinations:
        what = "is shared by joint examinations, and has no row there."
        found.append(("joint-examinations-missing", what))
    if rule in OF_GAMES and not service.game:
        what = f"is shared by {rule}, and no game says what a coalition would cost."
        found.append(("service-game-missing", what))
    elif rule == "dual_prices" and service.game != "production":
        what = f"is shared by dual_prices, and its game is {service.game}, not production."
        found.append(("service-game-missing", what))
    return [_fault(code, service, what) for code, what in found]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(quote(name) for name in names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN:,} more"


def _game_faults(service: ServiceRows) -> list[Fault]:
    if service.included_in:
        return []
    if service.game == "alone":
        missing = [one.unit_id for one in service.members if one.alone is None]
        if missing:
            what = f"has the game alone, and lacks the stand_alone_cost of {_listed(missing)}."
            return [_fault("stand-alone-cost-missing", service, what)]
    if service.game in STEP_GAMES:
        return _step_faults(service)
    if service.game == "listed":
        return _coalition_faults(service)
    if service.game == "production":
        return _production_faults(service)
    return []


def _step_faults(service: ServiceRows) -> list[Fault]:
    missing = [one.unit_id for one in service.members if one.volume is None]
    if missing:
        what = f"has capacity steps, and {_listed(missing)} has no volume."
        return [_fault("service-volume-missing", service, what)]
    if not service.steps:
        return [_fault("capacity-steps-unfit", service, "has no row in capacity_steps.")]
    faults = []
    for (low, cheaper), (high, dearer) in zip(service.steps, service.steps[1:], strict=False):
        if low == high or dearer < cheaper:
            what = (
                f"has a step up to {high / 10**4:,.4f} for {format_yuan(dearer)} yuan after one up "
                f"to {low / 10**4:,.4f} for {format_yuan(cheaper)}."
            )
            faults.append(_fault("capacity-steps-unfit", service, what, "capacity_steps"))
    volumes = [one.volume or 0 for one in service.members]
    needed = sum(volumes) if service.game == "steps" else max(volumes, default=0)
    if needed > service.steps[-1][0]:
        what = (
            f"needs a volume of {needed / 10**4:,.4f}, and its largest step holds "
            f"{service.steps[-1][0] / 10**4:,.4f}."
        )
        faults.append(_fault("capacity-steps-unfit", service, what, "capacity_steps"))
    return faults


def _coalition_faults(service: ServiceRows) -> list[Fault]:
    """Members that are none, coalitions listed twice, coalitions that are not listed."""
    members = [one.unit_id for one in service.members]
    known, faults = set(members), []
    seen: dict[tuple[str, ...], int] = {}
    for ids, cost, written in service.coalitions:
        strangers = [one for one in ids if one not in known]
        where = f"coalition_costs, members: {quote(written)}"
        if strangers or len({*ids}) < len(ids):
            what = (
                f"lists a coalition with {_listed(strangers)}, which takes no part."
                if strangers
                else "lists a coalition that names a member twice."
            )
            faults.append(_fault("coalition-members", service, what, where))
        elif ids in seen:
            what = "lists the cost of a coalition twice."
            faults.append(_fault("coalition-twice", service, what, where))
        seen.setdefault(ids, cost)
    if len(members) > MOST_LISTED:
        what = f"has {len(members)} members; costs of all coalitions are listed for {MOST_LISTED}."
        faults.append(_fault("coalition-costs-missing", service, what))
    elif not faults:
        faults += _missing_coalitions(service, members, seen)
    return faults


def _missing_coalitions(
    service: ServiceRows, members: Sequence[str], seen: Mapping[tuple[str, ...], int]
) -> list[Fault]:
    """Proper coalitions without a cost; a single member may have it as its stand_alone_cost."""
    alone = {one.unit_id for one in service.members if one.alone is not None}
    wanted = (1 << len(members)) - 2
    there = {ids for ids in seen if len(ids) < len(members)} | {(one,) for one in alone}
    if len(members) == 1 or len(there) >= wanted:
        return []
    examples = []
    for size in range(1, len(members)):
        for ids in combinations(members, size):
            if ids not in there:
                examples.append(f"coalition_costs, members: {quote(';'.join(ids))}")
            if len(examples) == SHOWN:
                break
        if len(examples) == SHOWN:
            break
    missing = count_of(wanted - len(there), "coalition")
    what = f"has the game listed, and coalition_costs lacks {missing} of {wanted:,}."
    return [_fault("coalition-costs-missing", service, what, *examples)]


def _production_faults(service: ServiceRows) -> list[Fault]:
    faults = []
    if not service.processes or not service.outputs or not service.requirements:
        what = "has the game production, and processes, outputs or requirements are missing."
        faults.append(_fault("production-incomplete", service, what))
        return faults
    strangers = sorted({process for process, _ in service.outputs} - {*service.processes})
    if strangers:
        what = f"has outputs of {_listed(strangers)}, which shared_processes does not list."
        faults.append(_fault("production-incomplete", service, what, "process_outputs"))
    members = {one.unit_id for one in service.members}
    strangers = sorted({unit for unit, _ in service.requirements} - members)
    if strangers:
        what = f"has requirements of {_listed(strangers)}, which takes no part."
        faults.append(_fault("production-incomplete", service, what, "member_requirements"))
    yields = {one for (_, one), quantity in service.outputs.items() if quantity > 0}
    wanted = {one for (_, one), quantity in service.requirements.items() if quantity > 0}
    if wanted - yields:
        what = f"requires {_listed(sorted(wanted - yields))}, which no process yields."
        faults.append(_fault("production-incomplete", service, what, "process_outputs"))
    return faults


def _rows_alone(name: str) -> Callable[[Book, NDArray[np.bool_]], list[Finding]]:
    """The check of a table's rows, one by one."""

    def find(book: Book, considered: NDArray[np.bool_]) -> list[Finding]:
        """Volumes, costs and revenues below zero; services that are not listed in the month."""
        rows = book.tables[name]
        found = [
            row_finding(rows, "value-negative", column, considered & (rows.values(column) < 0))
            for column in NOT_NEGATIVE.get(name, ())
        ]
        listed: set[Key] = set()
        if "shared_services" in book.tables:
            listed = set(grouped(book.tables["shared_services"]))
        keys = [(str(one["period"]), str(one["service_id"])) for one in records(rows)]
        unknown = np.array([all(key) and key not in listed for key in keys], np.bool_)
        found.append(row_finding(rows, "service-not-listed", "service_id", unknown & considered))
        return [one for one in found if one is not None]

    return find


FINDINGS = {name: _rows_alone(name) for name in TABLES}
