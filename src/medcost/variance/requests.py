"""Requests and approved budget by unit and tag, and the shares that the policy asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from medcost.money import divide_half_away
from medcost.records import dataclass
from medcost.variance.budget_rows import BudgetMonth, TaggedBudget
from medcost.variance.cells import UNIT, Figures, KeySpace, rolled_up, summed
from medcost.variance.compared import Comparison
from medcost.variance.control import BudgetControl, exact
from medcost.variance.facts import GRASSROOTS, KEY_DISCIPLINE, Facts
from medcost.variance.lines import BudgetLines, volumes_by_mix


@dataclass(frozen=True)
class Request:
    """One row: what a part of the consortium asked for and got, fen; floor: least share in 1e-6.

    unit: position, -1 for none.
    """

    scope: str
    unit: int
    tag: str
    requested: int
    approved: int
    floor: float | None = None


def budget_requests(
    space: KeySpace,
    budget: BudgetMonth,
    chosen: frozenset[int],
    facts: Facts,
    policy: BudgetControl,
) -> list[Request]:
    """All rows, sorted by their key. Of overlapping rows of a set the coarsest counts.

    Shares are of every unit's budget; rows of units are those of the chosen ones.
    """
    units = sorted(budget.unit_ids & chosen)

    def amounts(
        rows: Sequence[TaggedBudget], counts: Callable[[int], bool] = lambda _unit: True
    ) -> tuple[int, int]:
        return tuple(  # type: ignore[return-value]
            sum(fen for unit, fen in _by_unit(space, part).items() if counts(unit))
            for part in ([one.requested for one in rows], [one.approved for one in rows])
        )

    tagged, everything = budget.tagged, amounts(budget.tagged)
    found = [Request("total", -1, "", *everything)]
    found += [
        Request("unit", unit, "", *amounts(tagged, lambda of, unit=unit: of == unit))  # type: ignore[misc]
        for unit in units
    ]
    found += [Request("tag", -1, one.tag, *amounts([one])) for one in tagged if one.tag]
    of_grassroots = amounts(tagged, lambda unit: bool(facts.is_grassroots[unit]))
    by_tag = amounts(
        [one for one in tagged if one.tag == GRASSROOTS],
        lambda unit: not facts.is_grassroots[unit],
    )
    disciplines = amounts([one for one in tagged if one.tag == KEY_DISCIPLINE])
    floors = policy.requests
    asked, got = (a + b for a, b in zip(of_grassroots, by_tag, strict=True))
    found.append(Request("grassroots", -1, "", asked, got, floors.grassroots))
    found.append(Request("key_discipline", -1, "", *disciplines, floors.key_discipline))
    return sorted(found, key=lambda row: (row.scope, row.unit, row.tag))


def _by_unit(space: KeySpace, parts: Sequence[Figures]) -> dict[int, int]:
    """Fen of each unit over rows of several tags, overlapping rows counted once."""
    together = summed([part.keys for part in parts], [part.fen for part in parts])
    figures = rolled_up(space, together, groups_count=True)
    cells = space.cells(figures.keys)
    rows = np.flatnonzero((cells.level == UNIT) & (cells.unit >= 0))
    return dict(zip(cells.unit[rows].tolist(), figures.fen[rows].tolist(), strict=True))


@dataclass(frozen=True)
class Reward:
    """One unit: budget fen or None, actual fen, its targets and what is added or cut, or None."""

    unit: int
    budget: int | None
    actual: int
    targets: str
    reward: int | None


def rewards(
    space: KeySpace, comparison: Comparison, lines: BudgetLines, policy: BudgetControl
) -> list[Reward]:
    """What the policy adds to or cuts from each unit's budget.

    Execution below the policy's rate or a missed target is cut; targets that cannot be judged
    leave it open. Rounded once, halves away from zero.
    """
    cells = space.cells(comparison.keys)
    volumes = volumes_by_mix(lines, space)
    found = []
    for row in np.flatnonzero((cells.level == UNIT) & (cells.unit >= 0)).tolist():
        unit, actual = int(cells.unit[row]), int(comparison.actual[row])
        budget = int(comparison.budget.fen[row]) if comparison.budget.is_known[row] else None
        targets = _targets(policy, budget, actual, volumes.get(unit, []))
        found.append(
            Reward(unit, budget, actual, targets, _reward(policy, budget, actual, targets))
        )
    return found


def _targets(
    policy: BudgetControl, budget: int | None, actual: int, volumes: list[tuple[int, int]]
) -> str:
    judged = set()
    for target in policy.reward.targets:
        if target == "within_budget":
            met = None if budget is None else actual <= budget
        else:
            floor = exact(policy.reward.volume_floor)
            met = all(done >= planned * floor for planned, done in volumes) if volumes else None
        judged.add("unknown" if met is None else "met" if met else "missed")
    if "missed" in judged:
        return "missed"
    return "unknown" if "unknown" in judged else "met"


def _reward(policy: BudgetControl, budget: int | None, actual: int, targets: str) -> int | None:
    if budget is None or budget <= 0:
        return None
    rule = policy.reward
    if actual < budget * exact(rule.execution) or targets == "missed":
        share = -exact(rule.cut)
    elif targets == "unknown":
        return None
    else:
        share = exact(rule.reward)
    return divide_half_away(*(share * budget).as_integer_ratio())
