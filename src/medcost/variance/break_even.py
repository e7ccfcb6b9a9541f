"""Where a department's income covers its full cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medcost.money import LARGEST_FEN, divide_half_away
from medcost.records import dataclass
from medcost.variance.cells import DEPARTMENT, ELEMENT_NAMES, UNIT, Costs, KeySpace, summed
from medcost.variance.control import BudgetControl
from medcost.variance.facts import Facts

VERDICTS = ("no_contribution", "no_income", "not_reached", "reached")
NO_CONTRIBUTION, NO_INCOME, NOT_REACHED, REACHED = range(4)


@dataclass(frozen=True)
class BreakEven:
    """Departments with full cost or income, and before them their unit, int64 [rows].

    dept_class: position in CLASSES, -1 where not listed; measures: what volumes count, '' where
    none; volume: 1e-4; money in fen; break_even_volume: 1e-4; has_income_point, has_volume_point:
    where there is one.
    """

    keys: NDArray[np.int64]
    dept_class: NDArray[np.int64]
    measures: tuple[str, ...]
    volume: NDArray[np.int64]
    income: NDArray[np.int64]
    cost: NDArray[np.int64]
    variable_cost: NDArray[np.int64]
    break_even_income: NDArray[np.int64]
    has_income_point: NDArray[np.bool_]
    break_even_volume: NDArray[np.int64]
    has_volume_point: NDArray[np.bool_]
    verdict: NDArray[np.int64]


def break_even(
    space: KeySpace, full: Costs, chosen: frozenset[int], facts: Facts, policy: BudgetControl
) -> BreakEven:
    """Fixed and variable full cost, and income and volume at which income covers the cost.

    full: full cost by department and element. With income I, variable cost v and fixed cost F:
    income F I / (I - v), volume F V / (I - v), halves away from zero. The variable cost is the sum
    of the elements' variable shares, rounded once; the fixed cost is the rest.
    """
    of_cost = np.concatenate(
        [space.keys(DEPARTMENT, full.dept_unit, full.dept), space.keys(UNIT, full.dept_unit)]
    )
    of_element, fen_of = np.tile(full.dept_element, 2), np.tile(full.dept_fen, 2)
    cost = summed([of_cost], [fen_of])
    shares = [policy.behaviour.variable_share(name) for name in ELEMENT_NAMES]
    variable: dict[int, list[int]] = {}
    for key, element, fen in zip(
        of_cost.tolist(), of_element.tolist(), fen_of.tolist(), strict=True
    ):
        by_element = variable.setdefault(key, [0] * len(ELEMENT_NAMES))
        by_element[element] += fen
    of_unit = np.isin(space.cells(facts.income.keys).unit, sorted(chosen))
    keys = np.union1d(cost.keys[cost.fen != 0], facts.income.keys[of_unit])
    cells = space.cells(keys)
    keys = keys[np.lexsort((cells.dept, cells.unit))]
    total, income = cost.at(keys)[0], facts.income.at(keys)[0]
    parts = []
    for key in keys.tolist():
        by_element = variable.get(key, [0] * len(ELEMENT_NAMES))
        exact = sum(share * fen for share, fen in zip(shares, by_element, strict=True))
        parts.append(divide_half_away(*exact.as_integer_ratio()))
    volume, measures = np.zeros(len(keys), np.int64), [""] * len(keys)
    for measure, figures in facts.volumes.items():
        quantity, found = figures.at(keys)
        for i in np.flatnonzero(found).tolist():
            if not measures[i]:
                measures[i], volume[i] = measure, quantity[i]
    classes, listed = facts.dept_class.at(keys)
    points = [
        _points(int(i), int(t), v, int(q) if m else None)
        for i, t, v, q, m in zip(income, total, parts, volume, measures, strict=True)
    ]
    incomes, volumes = ([point[place] for point in points] for place in (1, 2))
    return BreakEven(
        keys,
        np.where(listed, classes, -1),
        tuple(measures),
        volume,
        income,
        total,
        np.array(parts, np.int64),
        np.array([fen or 0 for fen in incomes], np.int64),
        np.array([fen is not None for fen in incomes], np.bool_),
        np.array([steps or 0 for steps in volumes], np.int64),
        np.array([steps is not None for steps in volumes], np.bool_),
        np.array([point[0] for point in points], np.int64),
    )


def _points(
    income: int, cost: int, variable: int, volume: int | None
) -> tuple[int, int | None, int | None]:
    """Verdict, break-even income and volume of a department."""
    contribution, fixed = income - variable, cost - variable
    if income <= 0:
        return NO_INCOME, None, None
    if contribution <= 0:
        return NO_CONTRIBUTION, None, None
    at_income = divide_half_away(fixed * income, contribution)
    verdict = REACHED if income >= cost else NOT_REACHED
    at_volume = None if volume is None else divide_half_away(fixed * volume, contribution)
    return (
        verdict,
        at_income if abs(at_income) <= LARGEST_FEN else None,
        at_volume if at_volume is not None and abs(at_volume) <= LARGEST_FEN else None,
    )
