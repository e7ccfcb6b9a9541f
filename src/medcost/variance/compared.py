"""Budget against actual at every level, with earlier months, the year to date and the peers."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from medcost._core.sums import group_sums
from medcost.quotients import scaled_quotients
from medcost.records import dataclass
from medcost.variance.cells import (
    DEPARTMENT,
    DEPARTMENT_ELEMENT,
    DRG,
    DRG_ELEMENT,
    DRG_TOTAL,
    LEVELS,
    NONE,
    Costs,
    Figures,
    KeySpace,
    at_all_levels,
)
from medcost.variance.facts import Facts
from medcost.variance.months import Month, positions

BASES = ("given", "missing", "summed")
GIVEN, MISSING, SUMMED = range(3)
ALERTS = ("over", "unbudgeted", "under")
OVER, UNBUDGETED, UNDER = range(3)
OF_DEPARTMENTS = (DEPARTMENT, DEPARTMENT_ELEMENT)
OF_GROUPS = (DRG, DRG_ELEMENT, DRG_TOTAL)


@dataclass(frozen=True)
class Known:
    """A figure of every row, fen, and where it is known."""

    fen: NDArray[np.int64]
    is_known: NDArray[np.bool_]


@dataclass(frozen=True)
class MonthFigures:
    """A published month at every level, for the chosen units.

    units, drg_units: positions that the month, and its groups, are published of; departments:
    keys of the departments that have any published cost in the month.
    """

    period: str
    figures: Figures
    units: frozenset[int]
    drg_units: frozenset[int]
    departments: NDArray[np.int64]


@dataclass(frozen=True)
class Comparison:
    """Every row of the variance, by key: int64 fen [rows] unless said otherwise.

    basis: position in BASES; alert: position in ALERTS, -1 for none; is_over: given lines that
    are to be frozen; compared_dept: the predecessor, -1 where none was needed; peers: how many.
    """

    keys: NDArray[np.int64]
    basis: NDArray[np.int64]
    budget: Known
    actual: NDArray[np.int64]
    alert: NDArray[np.int64]
    is_frozen: NDArray[np.bool_]
    last_month: Known
    last_year: Known
    year_to_date: Known
    year_to_date_budget: Known
    peers: NDArray[np.int64]
    peer_mean: Known
    compared_dept: NDArray[np.int64]


def costs_of(space: KeySpace, month: Month, chosen: frozenset[int], cost: str) -> Costs:
    """The month's finest costs of the chosen units; cost: direct or full_cost of departments."""
    unit_of, dept_of, drg_of = (
        positions(labels) for labels in (space.unit_ids, space.dept_ids, space.drg_ids)
    )
    wanted = np.array([*(unit in chosen for unit in range(len(space.unit_ids))), False], np.bool_)
    unit = unit_of(month.dept_unit)
    rows = wanted[unit]
    fen = month.dept_direct if cost == "direct" else month.dept_full
    drg_unit = unit_of(month.drg_unit)
    groups = wanted[drg_unit]
    n_elements = month.drg_fen.shape[1]
    return Costs(
        unit[rows],
        dept_of(month.dept_id)[rows],
        month.dept_element[rows],
        fen[rows],
        np.repeat(drg_unit[groups], n_elements),
        np.repeat(drg_of(month.drg_id)[groups], n_elements),
        np.tile(np.arange(n_elements), int(groups.sum())),
        month.drg_fen[groups].reshape(-1),
    )


def month_figures(space: KeySpace, month: Month, chosen: frozenset[int], cost: str) -> MonthFigures:
    """A month at every level; raises OverflowError where a sum leaves 64 bits."""
    costs = costs_of(space, month, chosen, cost)
    place = {label: i for i, label in enumerate(space.unit_ids)}
    return MonthFigures(
        month.period,
        at_all_levels(space, costs),
        frozenset(place[u] for u in month.unit_ids if u in place) & chosen,
        frozenset(place[u] for u in month.drg_unit_ids if u in place) & chosen,
        np.unique(space.keys(DEPARTMENT, costs.dept_unit, costs.dept)),
    )


def earlier(
    space: KeySpace,
    keys: NDArray[np.int64],
    month: MonthFigures | None,
    chosen: frozenset[int],
    facts: Facts,
) -> tuple[Known, NDArray[np.int64]]:
    """The rows' figures in another month, and the predecessor they were taken from, else -1.

    A month that is not published for a unit is not known; neither is a department of which it
    has nothing. In a month that is published, what has no row is 0.
    """
    none = np.full(len(keys), NONE)
    if month is None:
        return Known(np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)), none
    cells = space.cells(keys)
    of_groups = np.isin(cells.level, OF_GROUPS)
    known = np.where(
        of_groups,
        _published(cells.unit, month.drg_units, chosen, len(space.unit_ids)),
        _published(cells.unit, month.units, chosen, len(space.unit_ids)),
    )
    of_dept = np.isin(cells.level, OF_DEPARTMENTS)
    own = space.keys(DEPARTMENT, cells.unit, cells.dept)
    before, has_before = facts.predecessor.at(own)
    is_there = np.isin(own, month.departments)
    continued = has_before & np.isin(space.keys(DEPARTMENT, cells.unit, before), month.departments)
    moved = of_dept & ~is_there & continued
    dept = np.where(moved, before, cells.dept)
    fen, _ = month.figures.at(space.keys(cells.level, cells.unit, dept, cells.element, cells.drg))
    known &= ~of_dept | is_there | continued
    return Known(np.where(known, fen, 0), known), np.where(moved & known, before, none)


def _published(
    unit: NDArray[np.int64], published: frozenset[int], chosen: frozenset[int], n_units: int
) -> NDArray[np.bool_]:
    """Whether each row's unit is published; all together are where every chosen unit is."""
    flags = np.array([*(u in published for u in range(n_units)), chosen <= published], np.bool_)
    return flags[unit]


def rows_of(
    space: KeySpace,
    current: MonthFigures,
    budget: Figures,
    others: Sequence[MonthFigures | None],
    facts: Facts,
) -> NDArray[np.int64]:
    """Keys of all rows: what has a cost, a budget, or had a cost in one of the other months.

    A department that another one continues is that one's past and no row of its own. Groups of
    units whose groups are not published have none.
    """
    past = []
    for month in others:
        if month is not None:
            keys = month.figures.keys[month.figures.fen != 0]
            cells = space.cells(keys)
            begun_later = ~np.isin(facts.predecessor.keys, month.departments)
            unit = space.cells(facts.predecessor.keys[begun_later]).unit
            continued = space.keys(DEPARTMENT, unit, facts.predecessor.fen[begun_later])
            gone = np.isin(space.keys(DEPARTMENT, cells.unit, cells.dept), continued)
            past.append(keys[~gone])
    keys = np.unique(np.concatenate([current.figures.keys, budget.keys, *past]))
    cells = space.cells(keys)
    of_groups = np.isin(cells.level, OF_GROUPS)
    flags = np.array(
        [*(u in current.drg_units for u in range(len(space.unit_ids))), bool(current.drg_units)],
        np.bool_,
    )
    return np.asarray(keys[~of_groups | flags[cells.unit]])


def peers_of(
    space: KeySpace, keys: NDArray[np.int64], pool: Figures, facts: Facts
) -> tuple[NDArray[np.int64], Known]:
    """How many other units of the same kind have each row's figure, and its mean over them.

    pool: figures of every unit that the month is published of.
    """
    kinds = np.append(facts.unit_kind, NONE)

    def by_kind(of: NDArray[np.int64]) -> NDArray[np.int64]:
        cells = space.cells(of)
        # Kinds are fewer than the units of any space that has peers.
        parts = (kinds[cells.unit], cells.level, cells.dept, cells.element, cells.drg)
        key = np.zeros(len(of), np.int64)
        for part, size in zip(parts, (64, *space.sizes[1:]), strict=True):
            key = key * size + part + 1
        return key

    counted = (space.cells(pool.keys).unit >= 0) & (kinds[space.cells(pool.keys).unit] >= 0)
    figures = np.stack([pool.fen[counted], np.ones(int(counted.sum()), np.int64)], axis=1)
    kind_keys, sums = group_sums(by_kind(pool.keys[counted]), np.ascontiguousarray(figures))
    cells = space.cells(keys)
    total, found = Figures(kind_keys, sums[:, 0].copy()).at(by_kind(keys))
    count, _ = Figures(kind_keys, sums[:, 1].copy()).at(by_kind(keys))
    own, is_own = pool.at(keys)
    alone = (cells.unit < 0) | (kinds[cells.unit] < 0) | ~found
    peers = np.where(alone, 0, count - is_own)
    mean, fits = scaled_quotients(total - own, 1, peers)
    return peers, Known(np.where(peers > 0, mean, 0), fits & (peers > 0))


def year_to_date(
    space: KeySpace,
    keys: NDArray[np.int64],
    months: Sequence[MonthFigures | None],
    chosen: frozenset[int],
    facts: Facts,
) -> Known:
    """The sum from January on, known where every month is published.

    A department counts from the month in which it begins.
    """
    total, known = np.zeros(len(keys), np.int64), np.ones(len(keys), np.bool_)
    cells = space.cells(keys)
    of_groups = np.isin(cells.level, OF_GROUPS)
    for month in months:
        fen = earlier(space, keys, month, chosen, facts)[0].fen
        if month is None:
            known[:] = False
            break
        n_units = len(space.unit_ids)
        known &= np.where(
            of_groups,
            _published(cells.unit, month.drg_units, chosen, n_units),
            _published(cells.unit, month.units, chosen, n_units),
        )
        total = checked_sum(total, fen)
    return Known(np.where(known, total, 0), known)


def checked_sum(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """Left + right; raises OverflowError beyond 64 bits."""
    total = left + right
    if (((left ^ total) & (right ^ total)) < 0).any():
        raise OverflowError("a sum leaves 64 bits")
    return total


def budget_to_date(
    space: KeySpace,
    keys: NDArray[np.int64],
    months: Sequence[tuple[Figures, frozenset[int]]],
) -> Known:
    """The sum of the months' budgets, known where the unit has a budget in each of them.

    months: figures of each month from January on, and the units that have rows in it; the last
    is the month itself, whose units stand for all together.
    """
    unit = space.cells(keys).unit
    total, found = np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
    known = np.ones(len(keys), np.bool_)
    for figures, units in months:
        fen, is_there = figures.at(keys)
        total, found = checked_sum(total, fen), found | is_there
        known &= _published(unit, units, months[-1][1], len(space.unit_ids))
    return Known(np.where(known & found, total, 0), known & found)


def exceeds(
    actual: NDArray[np.int64], budget: NDArray[np.int64], factor: Fraction
) -> NDArray[np.bool_]:
    """Whether actual > budget x factor, exactly."""
    left = actual.astype(object) * factor.denominator
    return np.asarray(left > budget.astype(object) * factor.numerator, np.bool_)


def alerts(
    space: KeySpace,
    keys: NDArray[np.int64],
    basis: NDArray[np.int64],
    budget: NDArray[np.int64],
    actual: NDArray[np.int64],
    bands: tuple[Fraction, Fraction],
) -> NDArray[np.int64]:
    """The alert of each row, -1 for none. bands: shares of the budget above and below it.

    A budget of zero or below has no rate: cost above it is over. Cost without a budget is
    unbudgeted where its unit has budgets of that level.
    """
    cells = space.cells(keys)
    level_of_unit = cells.unit * len(LEVELS) + cells.level
    budgeted = np.isin(level_of_unit, level_of_unit[basis != MISSING])
    over = exceeds(actual, budget, 1 + bands[0]) & (budget > 0)
    over |= (budget <= 0) & (actual > budget)
    under = exceeds(-actual, -budget, 1 - bands[1]) & (budget > 0)
    alert = np.where(over, OVER, np.where(under, UNDER, NONE))
    unbudgeted = np.where(budgeted & (actual != 0), UNBUDGETED, NONE)
    return np.where(basis == MISSING, unbudgeted, alert)
