"""Costs of some receivers with more digits: 128 bits, and fractions where those are too few."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medcost._core.case_cost import activity_rates, case_costs
from medcost._core.sums import group_sums
from medcost.costing.activity_matrix import ActivityMatrix, Entries
from medcost.costing.service_items import ServiceItemCosts
from medcost.errors import Fault, InputRejected
from medcost.records import dataclass
from medcost.tables import ELEMENTS


class Proposal(NamedTuple):
    """Costs in one element: whole fen and 2^-64 fen, less than error x 2^-64 fen off [rows]."""

    whole: NDArray[np.int64]
    fraction: NDArray[np.uint64]
    error: NDArray[np.int64]


def net_entries(matrix: ActivityMatrix, rows: NDArray[np.int64]) -> Entries:
    """The net entries of some receivers, by receiver, then activity; rows: ascending."""
    entries = matrix.entries_of(rows)
    width = max(len(matrix.activity_dept), 1)
    key, measures = group_sums(entries.row * width + entries.activity, entries.measures)
    return Entries(key // width, key % width, measures)


@dataclass(frozen=True)
class ExactRows:
    """Some receivers' net entries, for a closer look at what they cost.

    starts: [rows + 1]; activity and base, in steps of the measure that counts [entries].
    """

    items: ServiceItemCosts
    starts: NDArray[np.int64]
    activity: NDArray[np.int64]
    base: NDArray[np.int64]
    known: dict[tuple[int, bytes, bytes], Fraction] = field(default_factory=dict)

    def costs(self, element: int) -> Proposal:
        """What each row costs, from 128-bit sums."""
        used, place = np.unique(self.activity, return_inverse=True)
        whole, part, inexact = wide_rates(self.items, element, used)
        return Proposal(
            *case_costs(
                self.starts,
                place.astype(np.int64),
                self.base,
                whole,
                part,
                inexact.astype(np.bool_),
            )
        )

    def exact_of(self, element: int) -> Callable[[int], Fraction]:
        """The exact cost of a row as a fraction; rows of the same services share one."""
        items = self.items
        weight = items.measures.weight_in(element)
        dept_of = items.matrix.activity_dept

        def exact(row: int) -> Fraction:
            span = slice(int(self.starts[row]), int(self.starts[row + 1]))
            activity, base = self.activity[span], self.base[span]
            counts = (weight[activity] != 0) & (items.pool_left[dept_of[activity], element] != 0)
            activity, base = activity[counts], base[counts]
            key = (element, activity.tobytes(), base.tobytes())
            if key not in self.known:
                measure: dict[int, int] = {}
                for a, b in zip(activity.tolist(), base.tolist(), strict=True):
                    dept = int(dept_of[a])
                    measure[dept] = measure.get(dept, 0) + b * int(weight[a])
                self.known[key] = sum(
                    (
                        Fraction(
                            int(items.pool_left[dept, element]) * amount,
                            int(items.measures.net[dept, element]),
                        )
                        for dept, amount in measure.items()
                    ),
                    Fraction(0),
                )
            return self.known[key]

        return exact


def rows_of_entries(items: ServiceItemCosts, entries: Entries) -> ExactRows:
    """Net entries, sorted by receiver, in the measure that counts of each activity."""
    base = items.measures.base_of(entries.activity, entries.measures)
    first = np.flatnonzero(np.append(True, entries.row[1:] != entries.row[:-1]))[: len(base)]
    starts = np.append(first, len(base)).astype(np.int64)
    return ExactRows(items, starts, entries.activity, base)


class LookedUp(NamedTuple):
    """The net entries of some receivers: at, ascending, and the place of each among them."""

    at: NDArray[np.int64]
    rows: ExactRows
    place_of: Mapping[int, int]

    def exact_of(self, element: int, row: int) -> Fraction:
        """The exact cost of one of the receivers."""
        return self.rows.exact_of(element)(self.place_of[row])


def look_up(items: ServiceItemCosts, rows: Sequence[NDArray[np.int64]]) -> LookedUp:
    """The net entries of all these receivers, each found once."""
    rows = [of_one for of_one in rows if len(of_one)]
    if not rows:
        none = np.empty(0, np.int64)
        return LookedUp(none, ExactRows(items, np.zeros(1, np.int64), none, none), {})
    found = np.sort(np.concatenate(rows))
    # np.unique would import numpy.ma, 7 ms.
    at = found[np.append(True, found[1:] != found[:-1])]
    place_of = {row: place for place, row in enumerate(at.tolist())}
    return LookedUp(at, rows_of_entries(items, net_entries(items.matrix, at)), place_of)


def wide_rates(
    items: ServiceItemCosts, element: int, activities: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint8]]:
    """Floor of the activities' cost of one unit of measure, in fen and 2^-64 fen."""
    pool, total = (shares[:, element] for shares in items.narrow_shares)
    dept = items.matrix.activity_dept[activities]
    weight = items.measures.weight_in(element)[activities]
    try:
        whole, part, inexact = activity_rates(pool[dept], weight, total[dept])
        for a, numerator, net in wide_shares(items, element, activities):
            at = int(np.searchsorted(activities, a))
            rate, rest = divmod(numerator << 64, net)
            whole[at], part[at], inexact[at] = rate >> 64, rate & 0xFFFFFFFFFFFFFFFF, rest != 0
    except OverflowError:
        raise InputRejected([out_of_range(element)]) from None
    return whole, part, inexact.astype(np.uint8)


def wide_shares(
    items: ServiceItemCosts, element: int, activities: NDArray[np.int64]
) -> Iterator[tuple[int, int, int]]:
    """Of the activities of wide departments with a rate: activity, pool x weight, net measure."""
    measures, dept = items.measures, items.matrix.activity_dept
    if not measures.is_wide.any():
        return
    for a in activities[measures.is_wide[dept[activities]]].tolist():
        pool, weight = int(items.pool_left[dept[a], element]), int(measures.weight_in(element)[a])
        if pool and weight:
            yield a, pool * weight, int(measures.net[dept[a], element])


def out_of_range(element: int) -> Fault:
    """The fault of costs in an element that no exact arithmetic of ours holds."""
    what = f"Case costs in {ELEMENTS[element]} do not fit the exact range."
    return Fault("amount-out-of-range", what, ("ledger and service_lines",))
