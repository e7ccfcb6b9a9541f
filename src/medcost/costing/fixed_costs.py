"""Costs of all receivers in 64-bit fixed point, with a proved bound, but for some."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from medcost._core.part_costs import add_costs, add_found, scaled_rates
from medcost.costing.activity_matrix import MatrixPart
from medcost.costing.exact_rows import (
    ExactRows,
    Proposal,
    net_entries,
    rows_of_entries,
    wide_shares,
)
from medcost.costing.service_items import ServiceItemCosts, kinds_of
from medcost.costing.together import ROUGH
from medcost.period_book import PeriodBook
from medcost.records import dataclass
from medcost.tables import ELEMENTS
from medcost.threads import OfThreads, map_in_threads

LANES = 8
LARGEST_SHIFT = 40
# Below this scale 64 bits cannot keep the error under 2^-10 fen of any case worth the name.
SMALLEST_SHIFT = 12
# Parts with less than one in so many of all receivers have their rows costed by themselves.
NEAR_ROWS = 8
# Sums of absolute measures stay at the largest int64 once they have reached it.
LARGEST_SIZE = 2**63 - 1


@dataclass(frozen=True)
class Spans:
    """The receivers of each unit that has some: unit [spans]; starts: [spans + 1]."""

    unit: NDArray[np.int64]
    starts: NDArray[np.int64]

    def rows(self, span: int) -> slice:
        """Where the receivers of a span are."""
        return slice(int(self.starts[span]), int(self.starts[span + 1]))


def unit_spans(row_unit: NDArray[np.int64]) -> Spans:
    """Each unit that has receivers, and where they are."""
    if not len(row_unit):
        return Spans(row_unit, np.zeros(1, np.int64))
    first = np.append(0, np.flatnonzero(row_unit[1:] != row_unit[:-1]) + 1)
    return Spans(row_unit[first], np.append(first, len(row_unit)))


@dataclass(frozen=True)
class FixedCosts:
    """Costs of all receivers in 64 bits, but for some.

    costs: at 2^-shift fen and, in the last lane, Sum |measure| [rows, 8]; shift; inexact:
    whether a rate is not exact [units, elements]; limit: the Sum |measure| from which on 64
    bits are too few [units]; at: the receivers that have it; closer: their net entries.
    """

    costs: NDArray[np.int64]
    shift: NDArray[np.int64]
    inexact: NDArray[np.bool_]
    limit: NDArray[np.int64]
    at: NDArray[np.int64]
    closer: ExactRows
    known: dict[int, Proposal] = field(default_factory=dict)

    def closer_costs(self, element: int) -> Proposal:
        """What the receivers at cost in one element, from 128-bit sums, found once."""
        if element not in self.known:
            self.known[element] = self.closer.costs(element)
        return self.known[element]


def reach_of_units(book: PeriodBook, items: ServiceItemCosts) -> NDArray[np.float64]:
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


def fixed_unless_wide(
    items: ServiceItemCosts, reach: NDArray[np.float64], spans: Spans
) -> FixedCosts | None:
    """Costs in 64 bits with an error below 2^-10 fen but for some; None where that is too few."""
    matrix = items.matrix
    for shift, most in _scales(items, reach, spans):
        if (shift < SMALLEST_SHIFT).any():
            continue
        costs, inexact = _fixed_costs(items, shift)
        largest = np.where(inexact, ROUGH >> (64 - shift), LARGEST_SIZE).min(axis=1)
        limit = np.minimum(largest, most)
        at = np.flatnonzero(costs[:, LANES - 1] >= limit[matrix.row_unit])
        if len(at) <= len(costs) // 8 + 64:
            closer = rows_of_entries(items, net_entries(matrix, at))
            return FixedCosts(costs, shift, inexact, limit, at, closer)
    return None


def _scales(
    items: ServiceItemCosts, reach: NDArray[np.float64], spans: Spans
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Scales to try [units, elements], and the Sum |measure| below which each is safe [units].

    First what fits a receiver with 64 times the services of the mean one, then what fits
    whoever takes all that there is. The first has some ten binary digits more.
    """
    matrix, measures = items.matrix, items.measures
    counted = np.where(measures.counts, measures.size, 0)
    gross = np.bincount(items.dept_unit[matrix.activity_dept], counted, len(reach))
    mean = np.full(len(reach), 1.0)
    mean[spans.unit] = np.maximum(gross[spans.unit] / np.diff(spans.starts), 1.0)
    most = np.exp2(np.ceil(np.log2(64 * mean)))
    safe = _shift_below(_largest_rates(items, len(reach)) * most[:, None] + most[:, None])
    whoever = _shift_below(reach)
    yield np.maximum(safe, whoever), np.minimum(most, LARGEST_SIZE).astype(np.int64)
    yield whoever, np.full(len(reach), LARGEST_SIZE)


def _shift_below(reach: NDArray[np.float64]) -> NDArray[np.int64]:
    """The scale at which no cost up to reach comes near the end of 64 bits."""
    return np.asarray(np.minimum(60 - np.ceil(np.log2(reach)), LARGEST_SHIFT), np.int64)


def _largest_rates(items: ServiceItemCosts, n_units: int) -> NDArray[np.float64]:
    """What one unit of measure costs at most, fen, rounded up [units, elements]."""
    measures, dept = items.measures, items.matrix.activity_dept
    weight = np.zeros((len(items.dept_unit), measures.weight.shape[1]), np.int64)
    first = np.flatnonzero(np.append(True, dept[1:] != dept[:-1]))[: len(dept)]
    if len(first):
        weight[dept[first]] = np.maximum.reduceat(measures.weight, first, axis=0)
    net = np.maximum(measures.net, 1).astype(np.float64)
    rates = np.abs(items.pool_left.astype(np.float64)) * weight / net
    largest = np.zeros((n_units, len(ELEMENTS)))
    np.maximum.at(largest, items.dept_unit, rates)
    return largest * (1 + 1e-9)


def _fixed_costs(
    items: ServiceItemCosts, shift: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Costs at 2^-shift fen and, in the last lane, Sum |measure| [rows, 8]; which units and
    elements have a rate that is not exact [units, elements].
    """
    matrix = items.matrix
    rates, inexact = _narrow_rates(items, shift)
    n_receivers = len(matrix.row_unit)
    of_threads = OfThreads(lambda: _lanes(n_receivers))
    shared = _lanes(n_receivers)
    adding = threading.Lock()

    def look(part: MatrixPart) -> None:
        activities = matrix.activities_of(part)
        measure, step = base_of_part(items, part, activities)
        receivers = matrix.receivers_of(part)
        entries = part.starts, part.activity, measure, step, activities.astype(np.uint32), rates
        if NEAR_ROWS * len(receivers) > n_receivers:
            # Scattered lines: a part has rows of many receivers, with few entries each.
            add_costs(*entries, receivers, of_threads.mine())
            return
        # Rows of the part first, which the near cache holds; other parts may have rows of the
        # same receivers.
        found = _lanes(len(receivers))
        add_costs(*entries, np.arange(len(receivers)), found)
        with adding:
            add_found(found, receivers, shared)

    matrix.map_parts(look)
    for more in of_threads.made.values():
        add_found(more, np.arange(n_receivers), shared)
    return shared, inexact


def _lanes(n: int) -> NDArray[np.int64]:
    """Zeros [n, lanes], each row in a line of the cache of its own."""
    line = LANES * np.dtype(np.int64).itemsize
    room = np.zeros((n + 1) * LANES, np.int64)
    first = -room.ctypes.data % line // room.itemsize
    return room[first : first + n * LANES].reshape(n, LANES)


def base_of_part(
    items: ServiceItemCosts, part: MatrixPart, activities: NDArray[np.int64]
) -> tuple[NDArray[np.signedinteger], int]:
    """What counts of each entry of a part, and what one of it is in steps of the measures."""
    measures, kinds = items.measures, items.measures.kinds
    if len(kinds) > 1:
        kinds = kinds_of(measures.kind[activities], measures.counts[activities])
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
    matrix, measures, unit = items.matrix, items.measures, items.dept_unit
    dept = matrix.activity_dept
    # An activity whose entries are all zero costs nobody anything, whatever its rate.
    weight = np.where((measures.size == 0)[:, None], 0, measures.weight)
    pools, totals = items.narrow_shares
    shifts = shift[unit]
    rates = _lanes(len(dept))
    cuts = [len(dept) * i // matrix.threads for i in range(matrix.threads + 1)]

    def scale(span: slice) -> NDArray[np.uint8]:
        return scaled_rates(dept[span], weight[span], pools, totals, shifts, rates[span])

    has_rest = np.zeros(pools.shape, np.bool_)
    for found in map_in_threads(scale, [slice(*ends) for ends in pairwise(cuts)], matrix.threads):
        has_rest |= found != 0
    for element in range(len(ELEMENTS)) if measures.is_wide.any() else ():
        for a, numerator, net in wide_shares(items, element, np.arange(len(dept))):
            if weight[a].any():
                rates[a, element], rest = divmod(numerator << int(shifts[dept[a], element]), net)
                has_rest[dept[a], element] |= rest != 0
    inexact = np.zeros(shift.shape, np.bool_)
    np.logical_or.at(inexact, unit, has_rest)
    return rates, inexact
