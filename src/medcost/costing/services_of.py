"""The one door through which an explanation looks at the activity matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from medcost._core.sums import group_sums
from medcost.balance import add_at
from medcost.costing.service_items import ServiceItemCosts
from medcost.period_book import PeriodBook
from medcost.tables import ELEMENTS


@dataclass(frozen=True)
class Services:
    """What some cases received, by activity.

    activity: position among the activities, ascending; dept, item: of each activity; base: net
    of what is counted (of Measures.base), int64 [activities received]; traced: direct cost
    traced to the cases, fen [activities received, elements].
    """

    activity: NDArray[np.int64]
    dept: NDArray[np.int64]
    item: NDArray[np.int64]
    base: NDArray[np.int64]
    traced: NDArray[np.int64]


class ServicesOf(Protocol):
    """Sums the services of some cases; None means of everyone, unlinked lines included."""

    def __call__(self, cases: NDArray[np.int64] | None) -> Services:
        """Services that the unit of these cases performed for them.

        cases: positions in the register, ascending, all of one unit. What other units performed
        for them is no cost of theirs and not among it.
        """


def services_of_matrix(book: PeriodBook, items: ServiceItemCosts) -> ServicesOf:
    """Services from a matrix in memory. A call takes O(entries of the cases)."""
    matrix, n_activities = items.matrix, len(items.matrix.activity_dept)

    def services_of(cases: NDArray[np.int64] | None) -> Services:
        every = np.arange(len(matrix.activity))
        entries = every if cases is None else _entries_of(_rows_of(cases))
        base = np.ascontiguousarray(items.measures.base[entries].reshape(-1, 1))
        activity, sums = group_sums(matrix.activity[entries], base)
        traced = np.zeros((n_activities, len(ELEMENTS)), np.int64)
        found = entries[items.traced.traced[entries] != 0]
        element = items.traced.element[found]
        add_at(traced, matrix.activity[found], element, items.traced.traced[found])
        dept, item = matrix.activity_dept[activity], matrix.activity_item[activity]
        return Services(activity, dept, item, np.ascontiguousarray(sums[:, 0]), traced[activity])

    def _rows_of(cases: NDArray[np.int64]) -> NDArray[np.int64]:
        unit = int(book.cases.unit[cases[0]]) if len(cases) else -1
        first, last = np.searchsorted(matrix.row_unit, [unit, unit + 1])
        # Within a unit rows ascend by case.
        own = matrix.row_case[first:last]
        at = np.searchsorted(own, cases)
        known = at < len(own)
        known[known] = own[at[known]] == cases[known]
        return np.asarray(first + at[known], np.int64)

    def _entries_of(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        begins, ends = matrix.starts[rows], matrix.starts[rows + 1]
        counts = ends - begins
        before = np.cumsum(counts) - counts
        return np.repeat(begins - before, counts) + np.arange(int(counts.sum()))

    return services_of
