"""DRG groups against budget, last month and last year: case mix and cost per case."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medcost._core.sums import group_sums
from medcost.records import dataclass
from medcost.variance.budget_rows import Standards
from medcost.variance.cells import DRG, DRG_ELEMENT, NONE, Figures, KeySpace
from medcost.variance.effects import GroupPairs, split_by_cases
from medcost.variance.facts import Facts
from medcost.variance.lines import CASE_STEPS, GroupWork

AGAINST = ("budget", "last_month", "last_year")


@dataclass(frozen=True)
class Groups:
    """Costed groups of a month by drg key: fen and cases, whole."""

    cost: Figures
    cases: Figures


@dataclass(frozen=True)
class GroupBase:
    """What groups are compared with: fen and cases in 1e-4 by drg key; units it is there for.

    against: one of AGAINST. uncounted: keys whose cases are not known.
    """

    against: str
    cost: Figures
    cases: Figures
    uncounted: NDArray[np.int64]
    units: frozenset[int]


@dataclass(frozen=True)
class GroupVariance:
    """Rows of the variance of groups, totals of each unit and of all together among them.

    keys: drg keys, group -1 for a unit's total; against: position in AGAINST; fen [rows, 2]:
    case mix and cost; mean figures follow from cases and fen.
    """

    keys: NDArray[np.int64]
    against: NDArray[np.int64]
    cases: NDArray[np.int64]
    base_cases: NDArray[np.int64]
    has_base_cases: NDArray[np.bool_]
    actual: NDArray[np.int64]
    base: NDArray[np.int64]
    fen: NDArray[np.int64]


def groups_of(figures: Figures, space: KeySpace, work: GroupWork) -> Groups:
    """The groups among a month's figures."""
    chosen = space.cells(figures.keys).level == DRG
    return Groups(Figures(figures.keys[chosen], figures.fen[chosen]), work.cases)


def budget_base(
    space: KeySpace, budget: Figures, standards: Standards, units: frozenset[int]
) -> GroupBase:
    """The budget of groups with its volumes, of units that budget groups.

    Of a group that is budgeted by element, the volume is what all rows that have one agree on.
    """
    of_groups = space.cells(budget.keys).level == DRG
    keys, fen = budget.keys[of_groups], budget.fen[of_groups]
    cells = space.cells(standards.keys)
    volumes: dict[int, set[int]] = {}
    found = standards.has_volume & np.isin(cells.level, (DRG, DRG_ELEMENT))
    of_group = space.keys(DRG, cells.unit, drg=cells.drg)
    own = set(of_group[found & (cells.level == DRG)].tolist())
    for i in np.flatnonzero(found).tolist():
        key = int(of_group[i])
        if cells.level[i] == DRG or key not in own:
            volumes.setdefault(key, set()).add(int(standards.volume[i]))
    agreed = {key: volume.pop() for key, volume in volumes.items() if len(volume) == 1}
    counted = np.array([int(key) in agreed for key in keys], np.bool_)
    cases = np.array([agreed[int(key)] for key in keys[counted]], np.int64)
    budgeting = frozenset(space.cells(keys).unit.tolist()) & units
    return GroupBase(
        "budget", Figures(keys, fen), Figures(keys[counted], cases), keys[~counted], budgeting
    )


def month_base(against: str, groups: Groups, units: frozenset[int]) -> GroupBase:
    """Another month's groups, of the units that it is published of."""
    cases = Figures(groups.cases.keys, groups.cases.fen * CASE_STEPS)
    return GroupBase(against, groups.cost, cases, np.empty(0, np.int64), units)


def compare_groups(
    space: KeySpace, current: Groups, bases: list[GroupBase], units: frozenset[int], base: str
) -> GroupVariance:
    """Every group of the month and of each base, split, with totals added up.

    units: those whose groups the month has; base: standard or prior.
    """
    parts = [_against(space, current, one, one.units & units, base) for one in bases]
    parts = [part for part in parts if len(part.keys)] or [_NOTHING]
    joined = GroupVariance(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS)
    )
    order = np.lexsort((joined.against, joined.keys))
    return GroupVariance(*(getattr(joined, name)[order] for name in _FIELDS))


def _against(
    space: KeySpace, current: Groups, one: GroupBase, units: frozenset[int], base: str
) -> GroupVariance:
    every = np.union1d(current.cost.keys, np.union1d(one.cost.keys, current.cases.keys))
    every = every[np.isin(space.cells(every).unit, sorted(units))]
    actual, cases = current.cost.at(every)[0], current.cases.at(every)[0]
    compared, planned = one.cost.at(every)[0], one.cases.at(every)[0]
    known = ~np.isin(every, one.uncounted)
    fen = split_by_cases(GroupPairs(cases, planned, known, actual, compared), base)
    unit = space.cells(every).unit
    total_of = np.concatenate([space.keys(DRG, unit), space.keys(DRG, np.full_like(unit, NONE))])
    columns = np.column_stack([cases, planned, ~known, actual, compared, fen])
    if not len(every):
        return _NOTHING
    totals, sums = group_sums(total_of, np.ascontiguousarray(np.concatenate([columns, columns])))
    rows = np.concatenate([columns, sums])
    return GroupVariance(
        np.concatenate([every, totals]),
        np.full(len(rows), AGAINST.index(one.against)),
        rows[:, 0].copy(),
        rows[:, 1].copy(),
        rows[:, 2] == 0,
        rows[:, 3].copy(),
        rows[:, 4].copy(),
        rows[:, 5:].copy(),
    )


_NO_INTS = np.empty(0, np.int64)
_NOTHING = GroupVariance(
    _NO_INTS,
    _NO_INTS,
    _NO_INTS,
    _NO_INTS,
    np.empty(0, np.bool_),
    _NO_INTS,
    _NO_INTS,
    np.empty((0, 2), np.int64),
)
_FIELDS = tuple(GroupVariance.__dataclass_fields__)


def peer_means(
    space: KeySpace, keys: NDArray[np.int64], pool: Groups, facts: Facts
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Other units of the same kind with costed cases of each row's group: how many, fen, cases.

    pool: groups of every unit that the month is published of.
    """
    kinds = np.append(facts.unit_kind, NONE)
    cells = space.cells(pool.cases.keys)
    counted = pool.cases.fen > 0
    fen, _ = pool.cost.at(pool.cases.keys)
    by_key: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
    for i in np.flatnonzero(counted).tolist():
        unit, drg = int(cells.unit[i]), int(cells.drg[i])
        of_group = by_key.setdefault((int(kinds[unit]), drg), [])
        of_group.append((unit, int(fen[i]), int(pool.cases.fen[i])))
    found = np.zeros((len(keys), 3), np.int64)
    rows = space.cells(keys)
    for i in range(len(keys)):
        unit = int(rows.unit[i])
        if unit < 0 or kinds[unit] < 0 or rows.drg[i] < 0:
            continue
        others = [p for p in by_key.get((int(kinds[unit]), int(rows.drg[i])), ()) if p[0] != unit]
        found[i] = len(others), sum(p[1] for p in others), sum(p[2] for p in others)
    return found[:, 0], found[:, 1], found[:, 2]
