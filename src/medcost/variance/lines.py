"""Budget lines with the volumes and inputs that their variance is split by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medcost._core.sums import group_sums
from medcost.records import dataclass
from medcost.variance.budget_rows import BudgetMonth, Standards
from medcost.variance.cells import (
    DEPARTMENT,
    DRG,
    DRG_ELEMENT,
    DRG_TOTAL,
    ELEMENT_NAMES,
    LEVELS,
    NO_FIGURES,
    NONE,
    UNIT,
    Figures,
    KeySpace,
    summed,
)
from medcost.variance.compared import GIVEN, MISSING, Comparison
from medcost.variance.control import BudgetControl
from medcost.variance.effects import QUANTITY_STEPS, Effects, Lines, decompose
from medcost.variance.facts import Facts
from medcost.variance.months import Month, positions

METHODS = ("spending", "standards", "unbudgeted", "volume")
SPENDING, STANDARDS, UNBUDGETED, VOLUME = range(4)
CASES, BED_DAYS = "cases", "bed_days"
BED_DAY_STEPS, CASE_STEPS = 100, 10**4
SHARE_STEPS = 10**6


@dataclass(frozen=True)
class GroupWork:
    """Costed cases and bed days of the groups, by drg key: cases whole, bed days in 1e-2.

    no_bed_days: keys of groups whose bed days are not all known.
    """

    cases: Figures
    bed_days: Figures
    no_bed_days: NDArray[np.int64]


NO_WORK = GroupWork(NO_FIGURES, NO_FIGURES, np.empty(0, np.int64))


@dataclass(frozen=True)
class BudgetLines:
    """The lines of a month's budget and what has a cost without one, with their effects.

    keys [lines]; method: position in METHODS; measures and inputs: texts, '' where none; lines as
    they were split, and the effects.
    """

    keys: NDArray[np.int64]
    method: NDArray[np.int64]
    measures: tuple[str, ...]
    inputs: tuple[str, ...]
    lines: Lines
    effects: Effects
    has_budget_volume: NDArray[np.bool_]
    has_actual_volume: NDArray[np.bool_]


def group_work(space: KeySpace, month: Month, chosen: frozenset[int]) -> GroupWork:
    """The cases and bed days of a month's groups, schemes added up."""
    unit = positions(space.unit_ids)(month.drg_unit)
    rows = np.flatnonzero(np.isin(unit, sorted(chosen)))
    if not len(rows):
        return NO_WORK
    keys = space.keys(DRG, unit[rows], drg=positions(space.drg_ids)(month.drg_id)[rows])
    return GroupWork(
        summed([keys], [month.drg_cases[rows]]),
        summed([keys], [month.drg_bed_days[rows]]),
        np.unique(keys[~month.drg_has_bed_days[rows]]),
    )


def budget_lines(
    space: KeySpace,
    budget: BudgetMonth,
    comparison: Comparison,
    work: GroupWork,
    facts: Facts,
    policy: BudgetControl,
) -> BudgetLines:
    """Every given line and every unbudgeted cost of the comparison, split into effects."""
    cells = space.cells(comparison.keys)
    is_line = comparison.basis == GIVEN
    level_of_unit = cells.unit * len(LEVELS) + cells.level
    unbudgeted = (comparison.basis == MISSING) & (comparison.actual != 0) & (cells.unit >= 0)
    unbudgeted &= np.isin(level_of_unit, level_of_unit[is_line])
    rows = np.flatnonzero(is_line | unbudgeted)
    keys, actual = comparison.keys[rows], comparison.actual[rows]
    amount, _ = budget.given.at(keys)
    volumes = _volumes(space, keys, work, facts)
    inputs = _inputs(space, keys, work, facts)
    lines, has_volume = _lines(
        space, keys, amount, actual, budget.standards, volumes, inputs, policy
    )
    method = np.where(
        lines.volume_group < 0, SPENDING, np.where(lines.has_input, STANDARDS, VOLUME)
    )
    method = np.where(unbudgeted[rows], UNBUDGETED, method)
    measures = tuple(
        volumes.names[i] if method[i] in (STANDARDS, VOLUME) else "" for i in range(len(keys))
    )
    named = tuple(inputs.names[i] if lines.has_input[i] else "" for i in range(len(keys)))
    return BudgetLines(
        keys, method, measures, named, lines, decompose(lines), has_volume, volumes.is_known
    )


@dataclass(frozen=True)
class _Counted:
    """A quantity of each line in 1e-4, what it counts, and where it is known."""

    values: NDArray[np.int64]
    names: list[str]
    is_known: NDArray[np.bool_]


def _work_keys(space: KeySpace, keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """The department key of a line, or its unit key where it names no department."""
    cells = space.cells(keys)
    level = np.where(cells.dept >= 0, DEPARTMENT, UNIT)
    return space.keys(level, cells.unit, cells.dept)


def _of_groups(space: KeySpace, keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.isin(space.cells(keys).level, (DRG, DRG_ELEMENT, DRG_TOTAL))


def _group_keys(space: KeySpace, keys: NDArray[np.int64]) -> NDArray[np.int64]:
    cells = space.cells(keys)
    return space.keys(DRG, cells.unit, drg=cells.drg)


def _volumes(space: KeySpace, keys: NDArray[np.int64], work: GroupWork, facts: Facts) -> _Counted:
    """Services rendered: cases of groups, else the first measure that there is.

    A group without a case has 0.
    """
    of_groups = _of_groups(space, keys)
    cases, _ = work.cases.at(_group_keys(space, keys))
    values, known = np.where(of_groups, cases * CASE_STEPS, 0), of_groups.copy()
    names = np.where(of_groups, CASES, "").astype(object)
    of_work = _work_keys(space, keys)
    for measure, figures in facts.volumes.items():
        quantity, found = figures.at(of_work)
        taken = found & ~known
        values, known = np.where(taken, quantity, values), known | taken
        names[taken] = measure
    return _Counted(values, names.tolist(), known)


def _inputs(space: KeySpace, keys: NDArray[np.int64], work: GroupWork, facts: Facts) -> _Counted:
    """Input used: bed days of groups, else the driver that the policy names for the element."""
    of_groups, of_group = _of_groups(space, keys), _group_keys(space, keys)
    days, _ = work.bed_days.at(of_group)
    known = of_groups & ~np.isin(of_group, work.no_bed_days)
    values = np.where(known, days * BED_DAY_STEPS, 0)
    names = np.where(known, BED_DAYS, "").astype(object)
    element, of_work = space.cells(keys).element, _work_keys(space, keys)
    for name, (driver, figures) in facts.inputs.items():
        quantity, found = figures.at(of_work)
        taken = found & ~of_groups & (element == ELEMENT_NAMES.index(name))
        values, known = np.where(taken, quantity, values), known | taken
        names[taken] = driver
    return _Counted(values, names.tolist(), known)


def _lines(
    space: KeySpace,
    keys: NDArray[np.int64],
    budget: NDArray[np.int64],
    actual: NDArray[np.int64],
    standards: Standards,
    volumes: _Counted,
    inputs: _Counted,
    policy: BudgetControl,
) -> tuple[Lines, NDArray[np.bool_]]:
    """The lines as they are split, and where a volume is planned."""
    place = standards.place(keys)
    is_there = place >= 0

    def given(
        values: NDArray[np.int64], has: NDArray[np.bool_], otherwise: int
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        if not len(values):
            return np.full(len(keys), otherwise), np.zeros(len(keys), np.bool_)
        found = is_there & has[place]
        return np.where(found, values[place], otherwise), found

    volume, has_volume = given(standards.volume, standards.has_volume, 0)
    price, has_price = given(standards.price, standards.has_price, 0)
    quantity, has_quantity = given(standards.quantity, standards.has_quantity, QUANTITY_STEPS)
    # An amount for no planned volume has no cost per service: all of it is spending.
    splits = has_volume & volumes.is_known & ((volume > 0) | (budget == 0))
    has_input = splits & has_quantity & inputs.is_known
    groups = _mixes(space, keys, volumes.names)
    cells, of_groups = space.cells(keys), _of_groups(space, keys)
    shares = [
        policy.behaviour.variable_share(ELEMENT_NAMES[e] if e >= 0 else "")
        for e in range(-1, len(ELEMENT_NAMES))
    ]
    # A group costs by its cases: the standard cost of a case follows them whole.
    numerator, denominator = (
        np.where(of_groups, 1, np.array(parts, np.int64)[cells.element + 1])
        for parts in (
            [share.numerator for share in shares],
            [share.denominator for share in shares],
        )
    )
    return Lines(
        budget,
        actual,
        np.where(splits, groups, NONE),
        volume,
        volumes.values,
        quantity,
        price,
        has_price,
        np.where(has_input, inputs.values, 0),
        has_input,
        numerator,
        denominator,
    ), has_volume


def _mixes(space: KeySpace, keys: NDArray[np.int64], names: list[str]) -> NDArray[np.int64]:
    """Lines of one unit, level, element and measure are a mix: its number, from 0."""
    cells = space.cells(keys)
    measures = sorted(set(names))
    measure = np.array([measures.index(name) for name in names], np.int64)
    parts = np.stack([cells.unit, cells.level, cells.element, measure], axis=1)
    _, mix = np.unique(parts, axis=0, return_inverse=True)
    return np.asarray(mix.reshape(-1), np.int64)


def level_totals(
    space: KeySpace, lines: BudgetLines
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Keys of the totals of each unit and level, and of all units together; and sums of fen.

    Fen [totals, budget, actual and the effects]. A level without department, element and group
    (unit) has no total of its own units, as its rows are single.
    """
    cells = space.cells(lines.keys)
    fen = np.column_stack([lines.lines.budget, lines.lines.actual, lines.effects.fen])
    finer = cells.level != UNIT
    keys = np.concatenate(
        [
            space.keys(cells.level[finer], cells.unit[finer]),
            space.keys(cells.level, np.full(len(fen), NONE)),
        ]
    )
    if not len(keys):
        return keys, np.zeros((0, fen.shape[1]), np.int64)
    return group_sums(keys, np.ascontiguousarray(np.concatenate([fen[finer], fen])))


def volumes_by_mix(lines: BudgetLines, space: KeySpace) -> dict[int, list[tuple[int, int]]]:
    """Planned and actual volume of each unit's mixes, 1e-4, by unit."""
    groups = lines.lines.volume_group
    unit = space.cells(lines.keys).unit
    totals: dict[tuple[int, int], tuple[int, int]] = {}
    for i in np.flatnonzero(groups >= 0).tolist():
        key = (int(unit[i]), int(groups[i]))
        planned, done = totals.get(key, (0, 0))
        totals[key] = (
            planned + int(lines.lines.budget_volume[i]),
            done + int(lines.lines.actual_volume[i]),
        )
    found: dict[int, list[tuple[int, int]]] = {}
    for (of, _), volumes in totals.items():
        found.setdefault(of, []).append(volumes)
    return found
