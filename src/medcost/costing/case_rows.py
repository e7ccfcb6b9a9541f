"""Exact shares of the pools for every receiver: 64 bits propose, 128 bits and rationals decide.

Whole-fen costs are those of exact rational arithmetic, always. Fixed point with a proved bound
leaves few receivers open: those whose cut-off piece is within the bound of a whole fen or of the
last piece that gets one. Only these are looked at with more digits, then as rationals.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from medcost._core.case_cost import activity_rates, case_costs
from medcost._core.fixed_point import to_fractions
from medcost._core.part_costs import (
    add_costs,
    add_direct_costs,
    add_wide_costs,
    scaled_rates,
)
from medcost._core.sums import group_sums
from medcost.balance import exact_sums
from medcost.costing.activity_matrix import DIRECT_COST, ActivityMatrix, Entries, MatrixPart
from medcost.costing.service_items import ServiceItemCosts
from medcost.costing.together import ROUGH, open_places, round_together
from medcost.errors import Fault, InputRejected
from medcost.period_book import PeriodBook
from medcost.tables import ELEMENTS
from medcost.threads import Made, map_in_threads

LANES = 8
LARGEST_SHIFT = 40
# Below this scale 64 bits cannot keep the error under 2^-10 fen of any case worth the name.
SMALLEST_SHIFT = 12
LARGEST_COST = 2.0**62


@dataclass(frozen=True)
class Proposal:
    """Costs of one element: whole fen and 2^-64 fen, less than error x 2^-64 fen off [rows]."""

    whole: NDArray[np.int64]
    fraction: NDArray[np.uint64]
    error: NDArray[np.int64]


def cost_rows(book: PeriodBook, items: ServiceItemCosts) -> NDArray[np.int64]:
    """Every unit's receivers rounded together to what its pools share out, fen [rows, elements].

    Raises InputRejected (amount-out-of-range). Time O(entries x elements).
    """
    matrix = items.matrix
    reach = _reach(book, items)
    if (reach >= LARGEST_COST).any():
        element = int(np.argwhere(reach >= LARGEST_COST)[0, 1])
        raise InputRejected([_out_of_range(element)])
    proposals = _propose(items, reach)
    pools = exact_sums(book.registers.dept_unit, items.pool_left, len(book.registers.unit_ids))
    spans = list(_unit_spans(matrix.row_unit))

    def find_open(element: int) -> NDArray[np.bool_]:
        found, is_open = proposals[element], np.zeros(len(matrix.row_unit), np.bool_)
        for unit, span in spans:
            total = int(pools[unit, element])
            places = open_places(found.whole[span], found.fraction[span], found.error[span], total)
            is_open[span][places] = True
        return is_open

    at = np.flatnonzero(np.logical_or.reduce(_each_element(matrix.threads, find_open)))
    rows = rows_of_entries(items, net_entries(matrix, at))
    place_of = {row: place for place, row in enumerate(at.tolist())}
    cost = np.zeros((len(matrix.row_unit), len(ELEMENTS)), np.int64)

    def round_element(element: int) -> None:
        found, exact_of = proposals[element], rows.exact_of(element)
        found.whole[at], found.fraction[at], found.error[at] = rows.costs(element)
        for unit, span in spans:

            def exact_of_place(place: int, row: int = span.start) -> Fraction:
                row += place
                if row in place_of:
                    return exact_of(place_of[row])
                # With more digits of another receiver a sure place can open, once in many years.
                alone = rows_of_entries(items, net_entries(matrix, np.array([row])))
                return alone.exact_of(element)(0)

            cost[span, element] = round_together(
                found.whole[span],
                found.fraction[span],
                found.error[span],
                int(pools[unit, element]),
                exact_of_place,
            )

    _each_element(matrix.threads, round_element)
    return cost


def _each_element(threads: int, work: Callable[[int], Made]) -> list[Made]:
    """What work makes of each element: they have nothing to do with each other."""
    return map_in_threads(work, range(len(ELEMENTS)), threads)


def add_at_cost(costs: NDArray[np.int64], items: ServiceItemCosts) -> None:
    """Add the direct items that cost what was paid for them to their receivers, in place."""
    matrix, traced = items.matrix, items.traced
    element = np.where(traced.at_cost, traced.element, -1).astype(np.int8)

    def look(part: MatrixPart) -> None:
        of_part = element[matrix.activities_of(part)]
        if (of_part >= 0).any():
            receivers = matrix.receivers_of(part)
            with adding:
                add_direct_costs(
                    part.starts, part.activity, part.measure(DIRECT_COST), of_part, receivers, costs
                )

    adding = threading.Lock()
    matrix.map_parts(look)


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

    def costs(
        self, element: int
    ) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.int64]]:
        """Whole fen, 2^-64 fen and the error bound of each row, from 128-bit sums."""
        used, place = np.unique(self.activity, return_inverse=True)
        whole, part, inexact = _wide_rates(self.items, element, used)
        return case_costs(
            self.starts, place.astype(np.int64), self.base, whole, part, inexact.astype(np.bool_)
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


def _out_of_range(element: int) -> Fault:
    what = f"Case costs in {ELEMENTS[element]} do not fit the exact range."
    return Fault("amount-out-of-range", what, ("ledger and service_lines",))


def _unit_spans(row_unit: NDArray[np.int64]) -> Iterator[tuple[int, slice]]:
    """Each unit that has receivers, and where they are."""
    if len(row_unit):
        change = np.flatnonzero(row_unit[1:] != row_unit[:-1]) + 1
        bounds = [0, *change.tolist(), len(row_unit)]
        for first, end in pairwise(bounds):
            yield int(row_unit[first]), slice(first, end)


def _reach(book: PeriodBook, items: ServiceItemCosts) -> NDArray[np.float64]:
    """What no receiver of a unit can cost more than: Sum |pool| x gross / net [units, elements].

    Doubles, rounded up by more than their error.
    """
    measures = items.measures
    net = np.maximum(measures.net, 1).astype(np.float64)
    ratio = np.maximum(measures.gross, 1).astype(np.float64) / net
    each = np.abs(items.pool_left.astype(np.float64)) * np.maximum(ratio, 1.0)
    reach = np.zeros((len(book.registers.unit_ids), len(ELEMENTS)))
    np.add.at(reach, book.registers.dept_unit, each)
    return reach * (1 + 1e-9) + 1


def _propose(items: ServiceItemCosts, reach: NDArray[np.float64]) -> list[Proposal]:
    """Costs with an error below 2^-10 fen: in 64 bits where that does it, else in 128."""
    matrix = items.matrix
    shift = np.minimum(60 - np.ceil(np.log2(reach)), LARGEST_SHIFT).astype(np.int64)
    if (shift < SMALLEST_SHIFT).any():
        return [_propose_wide(items, element) for element in range(len(ELEMENTS))]
    fixed, inexact = _fixed_costs(items, shift)
    size = fixed[:, LANES - 1]
    limit = (ROUGH >> (64 - shift))[matrix.row_unit]
    is_rough = (size[:, None] >= limit) & inexact[matrix.row_unit]
    rough = is_rough.any(axis=1)
    if np.count_nonzero(rough) > len(rough) // 8 + 64:
        return [_propose_wide(items, element) for element in range(len(ELEMENTS))]
    at = np.flatnonzero(rough)
    rows = rows_of_entries(items, net_entries(matrix, at))

    def propose(element: int) -> Proposal:
        scale = np.ascontiguousarray(shift[:, element])[matrix.row_unit]
        exact = rough | np.ascontiguousarray(~inexact[:, element])[matrix.row_unit]
        found = Proposal(*to_fractions(fixed, element, scale, exact.view(np.uint8)))
        found.whole[at], found.fraction[at], found.error[at] = rows.costs(element)
        return found

    return _each_element(matrix.threads, propose)


def _fixed_costs(
    items: ServiceItemCosts, shift: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Costs at 2^-shift fen and, in the last lane, Sum |measure| [rows, 8]; which units and
    elements have a rate that is not exact [units, elements].
    """
    matrix = items.matrix
    rates, inexact = _narrow_rates(items, shift)
    shape = (len(matrix.row_unit), LANES)
    of_thread = threading.local()
    sums: list[NDArray[np.int64]] = []

    def look(part: MatrixPart) -> None:
        if not hasattr(of_thread, "costs"):
            of_thread.costs = np.zeros(shape, np.int64)
            sums.append(of_thread.costs)
        activities = matrix.activities_of(part)
        measure, step = _base_of(items, part, activities)
        receivers = matrix.receivers_of(part)
        of_part = rates[activities]
        add_costs(part.starts, part.activity, measure, step, of_part, receivers, of_thread.costs)

    matrix.map_parts(look)
    if not sums:
        return np.zeros(shape, np.int64), inexact
    for more in sums[1:]:
        sums[0] += more
    return sums[0], inexact


def _base_of(
    items: ServiceItemCosts, part: MatrixPart, activities: NDArray[np.int64]
) -> tuple[NDArray[np.signedinteger], int]:
    """What counts of each entry of a part, and what one of it is in steps of the measures."""
    measures = items.measures
    counts = measures.counts[activities]
    kinds = np.flatnonzero(np.bincount(measures.kind[activities][counts])).tolist()
    if len(kinds) <= 1:
        kind = kinds[0] if kinds else 0
        return part.measure(kind), part.step(kind) // int(measures.step[kind])
    kind_of = measures.kind[activities][part.activity]
    base = np.zeros(len(part.activity), np.int64)
    for kind in kinds:
        at = kind_of == kind
        base[at] = part.measure(kind)[at]
        base[at] *= part.step(kind) // int(measures.step[kind])
    return base, 1


def _narrow_rates(
    items: ServiceItemCosts, shift: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Floor of each activity's cost of one unit of measure, in 2^-shift fen [activities, 8]."""
    matrix, measures = items.matrix, items.measures
    dept = matrix.activity_dept
    unit = items.dept_unit[dept]
    rates = np.zeros((len(dept), LANES), np.int64)
    inexact = np.zeros(shift.shape, np.bool_)
    # An activity whose entries are all zero costs nobody anything, whatever its rate.
    idle = (measures.base == 0) & (matrix.negative[np.arange(len(dept)), measures.kind] == 0)
    every = np.arange(len(dept))

    def rates_in(element: int) -> None:
        shares = _shares(items, element, every)
        weight = np.where(idle, 0, shares.weight)
        at = shift[unit, element]
        rate, rest = scaled_rates(shares.pool, weight, shares.total, at)
        for a, numerator, net in shares.wide:
            if not idle[a]:
                rate[a], left = divmod(numerator << int(at[a]), net)
                rest[a] = left != 0
        rates[:, element] = rate
        inexact[unit[rest != 0], element] = True

    _each_element(matrix.threads, rates_in)
    return rates, inexact


def _wide_rates(
    items: ServiceItemCosts, element: int, activities: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint8]]:
    """Floor of the activities' cost of one unit of measure, in fen and 2^-64 fen."""
    shares = _shares(items, element, activities)
    try:
        whole, part, inexact = activity_rates(shares.pool, shares.weight, shares.total)
        for i, numerator, net in shares.wide:
            rate, rest = divmod(numerator << 64, net)
            whole[i], part[i], inexact[i] = rate >> 64, rate & 0xFFFFFFFFFFFFFFFF, rest != 0
    except OverflowError:
        raise InputRejected([_out_of_range(element)]) from None
    return whole, part, inexact.astype(np.uint8)


@dataclass(frozen=True)
class _Shares:
    """What the rates of some activities in one element are made of: pool x weight / total.

    pool: fen, 0 where the department is wide; weight; total: the department's net measure, 1
    where it is wide [activities]. wide: place, pool x weight and net measure of each activity of
    a wide department that has a rate, as Python integers.
    """

    pool: NDArray[np.int64]
    weight: NDArray[np.int64]
    total: NDArray[np.int64]
    wide: list[tuple[int, int, int]]


def _shares(items: ServiceItemCosts, element: int, activities: NDArray[np.int64]) -> _Shares:
    measures = items.measures
    dept = items.matrix.activity_dept[activities]
    pool = items.pool_left[dept, element]
    weight = np.ascontiguousarray(measures.weight_in(element)[activities])
    net = np.maximum(measures.net[:, element], 1)
    total = np.where(measures.is_wide, 1, net).astype(np.int64)[dept]
    is_wide = measures.is_wide[dept]
    wide = [
        (i, int(pool[i]) * int(weight[i]), int(net[dept[i]]))
        for i in np.flatnonzero(is_wide & (pool != 0) & (weight != 0)).tolist()
    ]
    return _Shares(np.where(is_wide, 0, pool), weight, total, wide)


def _propose_wide(items: ServiceItemCosts, element: int) -> Proposal:
    """128-bit costs of all receivers in one element."""
    matrix = items.matrix
    n = len(matrix.row_unit)
    whole, part_of, inexact = _wide_rates(items, element, np.arange(len(matrix.activity_dept)))
    found = Proposal(np.zeros(n, np.int64), np.zeros(n, np.uint64), np.zeros(n, np.int64))
    adding = threading.Lock()

    def look(part: MatrixPart) -> None:
        activities = matrix.activities_of(part)
        measure, step = _base_of(items, part, activities)
        receivers = matrix.receivers_of(part)
        of_part = whole[activities], part_of[activities], inexact[activities]
        chosen = np.ones(len(receivers), np.uint8)
        with adding:
            add_wide_costs(
                part.starts,
                part.activity,
                measure,
                step,
                *of_part,
                receivers,
                chosen,
                found.whole,
                found.fraction,
                found.error,
            )

    matrix.map_parts(look)
    return found
