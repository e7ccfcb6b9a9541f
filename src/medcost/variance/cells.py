"""Figures by level, unit, department, element and group: one integer key each, summed exactly."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medcost._core.sums import group_sums
from medcost.records import dataclass
from medcost.tables import ELEMENTS
from medcost.text_labels import text_array

# Levels and elements in the order of their names, so that keys ascend as tables are sorted.
LEVELS = ("department", "department_element", "drg", "drg_element", "drg_total", "element", "unit")
DEPARTMENT, DEPARTMENT_ELEMENT, DRG, DRG_ELEMENT, DRG_TOTAL, ELEMENT, UNIT = range(len(LEVELS))
ELEMENT_NAMES = tuple(sorted(ELEMENTS))
NONE = -1


@dataclass(frozen=True)
class Figures:
    """Fen by key: ascending keys int64 [rows], fen int64 [rows]."""

    keys: NDArray[np.int64]
    fen: NDArray[np.int64]

    def at(self, keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Fen of each key, 0 where there is none, and where there is one."""
        if not len(self.keys):
            return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        found = self.keys[place] == keys
        return np.where(found, self.fen[place], 0), found


NO_FIGURES = Figures(np.empty(0, np.int64), np.empty(0, np.int64))


@dataclass(frozen=True)
class Cells:
    """What a key stands for, int64 [rows] each, -1 where it does not apply.

    unit -1: all units together.
    """

    level: NDArray[np.int64]
    unit: NDArray[np.int64]
    dept: NDArray[np.int64]
    element: NDArray[np.int64]
    drg: NDArray[np.int64]


@dataclass(frozen=True)
class KeySpace:
    """The sorted labels that keys are made of; elements are positions in ELEMENT_NAMES."""

    unit_ids: tuple[str, ...]
    dept_ids: tuple[str, ...]
    drg_ids: tuple[str, ...]

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """How many values each part of a key may have, 'does not apply' counted."""
        parts = (self.unit_ids, LEVELS, self.dept_ids, ELEMENT_NAMES, self.drg_ids)
        return tuple(len(part) + 1 for part in parts)

    def keys(
        self,
        level: int | NDArray[np.int64],
        unit: int | NDArray[np.int64],
        dept: int | NDArray[np.int64] = NONE,
        element: int | NDArray[np.int64] = NONE,
        drg: int | NDArray[np.int64] = NONE,
    ) -> NDArray[np.int64]:
        """Keys that ascend with unit, level, department, element and group."""
        key = np.zeros(1, np.int64)
        for part, size in zip((unit, level, dept, element, drg), self.sizes, strict=True):
            key = key * size + (np.asarray(part, np.int64) + 1)
        return key

    def cells(self, keys: NDArray[np.int64]) -> Cells:
        """What keys stand for."""
        parts = []
        for size in reversed(self.sizes):
            parts.append(keys % size - 1)
            keys = keys // size
        drg, element, dept, level, unit = parts
        return Cells(level, unit, dept, element, drg)

    @cached_property
    def unit_labels(self) -> pa.Array:
        """Texts of unit + 1: empty text for all units together."""
        return text_array(["", *self.unit_ids])

    @cached_property
    def dept_labels(self) -> pa.Array:
        """Texts of dept + 1."""
        return text_array(["", *self.dept_ids])

    @cached_property
    def drg_labels(self) -> pa.Array:
        """Texts of drg + 1."""
        return text_array(["", *self.drg_ids])


@dataclass(frozen=True)
class Costs:
    """The finest published costs of a month, int64 [rows]: departments by element, and groups.

    dept_unit, dept, dept_element, dept_fen; drg_unit, drg, drg_element, drg_fen.
    """

    dept_unit: NDArray[np.int64]
    dept: NDArray[np.int64]
    dept_element: NDArray[np.int64]
    dept_fen: NDArray[np.int64]
    drg_unit: NDArray[np.int64]
    drg: NDArray[np.int64]
    drg_element: NDArray[np.int64]
    drg_fen: NDArray[np.int64]


def summed(keys: Sequence[NDArray[np.int64]], fen: Sequence[NDArray[np.int64]]) -> Figures:
    """Figures of keys that may repeat; raises OverflowError beyond 64 bits."""
    if not keys or not sum(map(len, keys)):
        return NO_FIGURES
    amounts = np.ascontiguousarray(np.concatenate(fen).reshape(-1, 1))
    distinct, sums = group_sums(np.concatenate(keys), amounts)
    return Figures(distinct, sums[:, 0].copy())


def at_all_levels(space: KeySpace, costs: Costs) -> Figures:
    """Costs added up at every level, of each unit and, but for departments, of all together."""
    unit, dept, element, fen = costs.dept_unit, costs.dept, costs.dept_element, costs.dept_fen
    keys = [
        space.keys(DEPARTMENT_ELEMENT, unit, dept, element),
        space.keys(DEPARTMENT, unit, dept),
    ]
    amounts = [fen, fen]
    for of_unit in (unit, np.full_like(unit, NONE)):
        keys += [space.keys(ELEMENT, of_unit, element=element), space.keys(UNIT, of_unit)]
        amounts += [fen, fen]
    unit, drg, element, fen = costs.drg_unit, costs.drg, costs.drg_element, costs.drg_fen
    keys += [
        space.keys(DRG_ELEMENT, unit, element=element, drg=drg),
        space.keys(DRG, unit, drg=drg),
        space.keys(DRG_TOTAL, unit),
        space.keys(DRG_TOTAL, np.full_like(unit, NONE)),
    ]
    amounts += [fen] * 4
    return summed(keys, amounts)


def without(figures: Figures, keys: NDArray[np.int64]) -> Figures:
    """The figures whose key is not among the keys."""
    kept = ~np.isin(figures.keys, keys)
    return Figures(figures.keys[kept], figures.fen[kept])


def joined(*parts: Figures) -> Figures:
    """Figures of several parts that share no key."""
    return summed([part.keys for part in parts], [part.fen for part in parts])


def rolled_up(space: KeySpace, given: Figures, groups_count: bool = False) -> Figures:
    """Given figures with those of coarser levels that follow from them.

    A figure given at a level counts there; where none is given, finer ones are added up: elements
    of a department to the department and, over departments and unless one is given without its
    elements, to the element; departments, else elements, to the unit; elements of a group to the
    group, groups to drg_total. With groups_count, a unit of which only groups are given has
    their sum.
    """
    cells = space.cells(given.keys)

    def lifted(level: int, figures: Figures, kept: str) -> Figures:
        """Figures of the given level's finer ones, with only one part of the key kept."""
        of = space.cells(figures.keys)
        part = {} if kept == "" else {kept: getattr(of, kept)}
        return summed([space.keys(level, of.unit, **part)], [figures.fen])

    def at_level(level: int) -> Figures:
        chosen = cells.level == level
        return Figures(given.keys[chosen], given.fen[chosen])

    by_dept, by_drg = at_level(DEPARTMENT_ELEMENT), at_level(DRG_ELEMENT)
    # Where some departments have no elements, those of the others are no total of the unit.
    undivided = np.isin(space.cells(by_dept.keys).unit, cells.unit[cells.level == DEPARTMENT])
    whole = Figures(by_dept.keys[~undivided], by_dept.fen[~undivided])
    found = {DEPARTMENT_ELEMENT: by_dept, DRG_ELEMENT: by_drg}
    for level, finer, kept in (
        (DEPARTMENT, by_dept, "dept"),
        (ELEMENT, whole, "element"),
        (DRG, by_drg, "drg"),
    ):
        own = at_level(level)
        found[level] = joined(own, without(lifted(level, finer, kept), own.keys))
    found[DRG_TOTAL] = lifted(DRG_TOTAL, found[DRG], "")
    units = at_level(UNIT)
    sources = [found[DEPARTMENT], found[ELEMENT]] + ([found[DRG]] if groups_count else [])
    for source in sources:
        units = joined(units, without(lifted(UNIT, source, ""), units.keys))
    found[UNIT] = units
    everything = joined(*found.values())
    of = space.cells(everything.keys)
    total = np.isin(of.level, (UNIT, ELEMENT, DRG_TOTAL))
    all_units = space.keys(of.level[total], NONE, element=of.element[total])
    return joined(everything, summed([all_units], [everything.fen[total]]))
