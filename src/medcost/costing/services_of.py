"""The one door through which an explanation looks at the activity matrix."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from medcost._core.sums import group_sums
from medcost.balance import add_at
from medcost.costing.activity_matrix import DIRECT_COST
from medcost.costing.service_items import ServiceItemCosts
from medcost.period_book import PeriodBook
from medcost.records import dataclass
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

    def where(self, keep: NDArray[np.bool_]) -> Services:
        """The activities to keep, bool [activities received]."""
        columns = (self.activity, self.dept, self.item, self.base, self.traced)
        return Services(*(column[keep] for column in columns))


class ServicesOf(Protocol):
    """Sums the services of some cases; None means of everyone, unlinked lines included."""

    def __call__(self, cases: NDArray[np.int64] | None) -> Services:
        """Services that the unit of these cases performed for them.

        cases: positions in the register, ascending, all of one unit. What other units performed
        for them is no cost of theirs and not among it.
        """


def services_of_matrix(book: PeriodBook, items: ServiceItemCosts) -> ServicesOf:
    """Services from the activity matrix. A call takes O(entries of the cases)."""
    matrix, traced = items.matrix, items.traced

    def services_of(cases: NDArray[np.int64] | None) -> Services:
        if cases is None:
            activity = np.arange(len(matrix.activity_dept))
            fen = np.zeros((len(activity), len(ELEMENTS)), np.int64)
            direct = np.flatnonzero(traced.of_activity)
            add_at(fen, direct, traced.element[direct], traced.of_activity[direct])
            return _services(activity, items.measures.base, fen)
        rows = _rows_of(cases)
        entries = matrix.entries_of(rows)
        base = items.measures.base_of(entries.activity, entries.measures)
        counts = items.measures.counts[entries.activity]
        at_cost = traced.at_cost[entries.activity]
        split = np.flatnonzero(np.isin(traced.split_row, rows))
        activity, sums = group_sums(
            np.concatenate([entries.activity, traced.split_activity[split]]),
            np.concatenate(
                [
                    np.stack(
                        [
                            np.where(counts, base, 0),
                            np.where(at_cost, entries.measures[:, DIRECT_COST], 0),
                        ],
                        axis=1,
                    ),
                    np.stack([np.zeros(len(split), np.int64), traced.split_fen[split]], axis=1),
                ]
            ),
        )
        fen = np.zeros((len(activity), len(ELEMENTS)), np.int64)
        direct = np.flatnonzero(sums[:, 1])
        add_at(fen, direct, traced.element[activity[direct]], sums[direct, 1])
        return _services(activity, np.ascontiguousarray(sums[:, 0]), fen)

    def _services(
        activity: NDArray[np.int64], base: NDArray[np.int64], fen: NDArray[np.int64]
    ) -> Services:
        dept, item = matrix.activity_dept[activity], matrix.activity_item[activity]
        return Services(activity, dept, item, base, fen)

    def _rows_of(cases: NDArray[np.int64]) -> NDArray[np.int64]:
        unit = int(book.cases.unit[cases[0]]) if len(cases) else -1
        first, last = np.searchsorted(matrix.row_unit, [unit, unit + 1])
        # Within a unit rows ascend by case.
        own = matrix.row_case[first:last]
        at = np.searchsorted(own, cases)
        known = at < len(own)
        known[known] = own[at[known]] == cases[known]
        return np.asarray(first + at[known], np.int64)

    return services_of
