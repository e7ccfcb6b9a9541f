"""A month's requests and the policy as a problem: bounds in fen, rules by name."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.funding.budget import Goals
from medcost.consortium.funding.inputs import Requests
from medcost.consortium.funding.policy import GRASSROOTS, KEY_DISCIPLINE, FundPolicy, exact
from medcost.consortium.funding.problem import (
    Ints,
    Problem,
    Rule,
    at_least,
    at_most,
    share_at_least,
    share_at_most,
)
from medcost.consortium.funding.worth import Segment, Worth
from medcost.records import dataclass

FLOOR, HOLD_HARMLESS, CEILING = "floor", "hold_harmless", "ceiling"


@dataclass(frozen=True)
class NamedRule:
    """A rule of the policy: its name, the member it is of (-1: all) and what it is in words.

    is_limit: whether it is an upper limit, so that asking for more means allowing less; share: the
    share that it asks for or allows, None where it is an amount; counted: bool [requests].
    """

    name: str
    unit: int
    is_limit: bool
    share: Fraction | None
    counted: NDArray[np.bool_]


@dataclass(frozen=True)
class BudgetCase:
    """The problem over the requests that ask for something, and what its parts are.

    asking: int64 [requests of the problem], their positions among all; names: of the problem's
    rules; kept: int64 [requests], fen that hold-harmless keeps.
    """

    problem: Problem
    asking: Ints
    names: tuple[NamedRule, ...]
    kept: Ints

    def floor_name(self, j: int) -> str:
        """What makes the floor of a request of the problem."""
        is_kept = int(self.kept[j]) == int(self.problem.low[j]) and int(self.kept[j]) > 0
        return HOLD_HARMLESS if is_kept else FLOOR


class EmptyShare(Exception):
    """A share is asked for and no request counts for it."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"no request counts for {name}")


def budget_case(requests: Requests, policy: FundPolicy) -> BudgetCase:
    """Bounds and rules of a month, in integers.

    Requests of nothing get nothing and are left out. Raises EmptyShare.
    """
    asking = np.flatnonzero(requests.asked > 0)
    n = len(asking)
    hold, ceiling = policy.hold_harmless, requests.ceiling[asking]
    kept = np.zeros(n, np.int64)
    if hold.by == "request":
        kept = _kept(requests.previous[asking].tolist(), exact(hold.share))
        if hold.within_request:
            kept = np.minimum(kept, np.minimum(requests.asked[asking], ceiling))
    low = np.maximum(requests.floor[asking], kept)
    units = np.unique(requests.unit[asking], return_inverse=True)[1].reshape(-1)
    rules: list[tuple[NamedRule, Rule]] = []
    everything = np.ones(n, np.bool_)
    total = requests.total
    name = NamedRule("total", -1, True, None, everything)
    rules.append((name, at_most("total", total, n)))
    if policy.budget.spend == "all":
        name = NamedRule("spend_all", -1, False, None, everything)
        rules.append((name, at_least("spend_all", total, everything)))
    rules += _share_rules(requests, asking, policy)
    if hold.by == "unit":
        rules += _unit_rules(requests, asking, policy)
    problem = Problem(requests.asked[asking], low, ceiling, units, tuple(rule for _, rule in rules))
    return BudgetCase(problem, asking, tuple(name for name, _ in rules), kept)


def _kept(previous: list[int], share: Fraction) -> Ints:
    """The share of last year's fen, up to whole ones: no less is kept."""
    return np.array([ceil(share * fen) for fen in previous], np.int64)


def _share_rules(
    requests: Requests, asking: Ints, policy: FundPolicy
) -> list[tuple[NamedRule, Rule]]:
    shares, n = policy.shares, len(asking)
    wanted = [
        (GRASSROOTS, GRASSROOTS, shares.grassroots, 1.0),
        (KEY_DISCIPLINE, KEY_DISCIPLINE, shares.key_discipline, 1.0),
        *((one.name, one.tag, one.at_least, one.at_most) for one in policy.share),
    ]
    found: list[tuple[NamedRule, Rule]] = []
    free = np.ones(n, np.bool_)
    for name, tag, least, most in wanted:
        counted = requests.tagged(tag)[asking] & free
        if shares.overlap == "first":
            free &= ~counted
        for share, is_limit in ((exact(least), False), (exact(most), True)):
            if share == int(is_limit):
                continue
            if not is_limit and not counted.any():
                raise EmptyShare(name)
            named = NamedRule(name, -1, is_limit, share, counted)
            found.append((named, _share_rule(named, requests.total, shares.base)))
    return found


def _share_rule(named: NamedRule, total: int, base: str) -> Rule:
    name, share, counted = named.name, named.share or Fraction(0), named.counted
    if base == "allocated":
        make = share_at_most if named.is_limit else share_at_least
        return make(name, share, counted)
    if named.is_limit:
        return Rule(name, -counted.astype(np.int64), -int(share * total))
    return at_least(name, ceil(share * total), counted)


def _unit_rules(
    requests: Requests, asking: Ints, policy: FundPolicy
) -> list[tuple[NamedRule, Rule]]:
    hold, found = policy.hold_harmless, []
    unit, previous = requests.unit[asking], requests.previous[asking]
    most = np.minimum(requests.ceiling, requests.asked)[asking]
    for member in np.unique(unit).tolist():
        counted = unit == member
        before: list[int] = previous[counted].tolist()
        kept = ceil(exact(hold.share) * sum(before))
        if hold.within_request:
            asked: list[int] = most[counted].tolist()
            kept = min(kept, sum(asked))
        if kept:
            name = NamedRule(HOLD_HARMLESS, member, False, None, counted)
            found.append((name, at_least(HOLD_HARMLESS, kept, counted)))
    return found


def goals_of(requests: Requests, case: BudgetCase, policy: FundPolicy) -> Goals:
    """The policy's goals in their order."""
    of_units = policy.budget.satisfied == "unit"
    if policy.budget.objective == "leximin":
        return Goals(None, of_units)
    weights = [Fraction(1)] * len(case.asking)
    for one in policy.value.weight:
        for j in np.flatnonzero(requests.tagged(one.tag)[case.asking]).tolist():
            weights[j] *= exact(one.weight)
    segments = tuple(
        Segment(exact(segment.up_to), exact(segment.worth)) for segment in policy.value.segment
    )
    return Goals(Worth(segments, tuple(weights)), of_units)
