"""Exact shares of the pools for every receiver: 64 bits propose, 128 bits and rationals decide.

Whole-fen costs are those of exact rational arithmetic, always. Fixed point with a proved bound
leaves few receivers open: those whose cut-off piece is within the bound of a whole fen or of the
last piece that gets one. Only these are looked at with more digits, then as rationals.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import field
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medcost._core.case_cost import activity_rates, case_costs
from medcost._core.fixed_point import cut_costs, first_cut, to_fractions
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
from medcost.costing.together import (
    ROUGH,
    OpenFen,
    cut_exactly,
    give_exactly,
    hand_out,
    open_places,
    round_together,
)
from medcost.errors import Fault, InputRejected
from medcost.period_book import PeriodBook
from medcost.records import dataclass
from medcost.tables import ELEMENTS
from medcost.threads import Made, map_in_threads

LANES = 8
LARGEST_SHIFT = 40
# Below this scale 64 bits cannot keep the error under 2^-10 fen of any case worth the name.
SMALLEST_SHIFT = 12
LARGEST_COST = 2.0**62
# Parts with less than one in so many of all receivers have their rows costed by themselves.
NEAR_ROWS = 8
# Sums of absolute measures stay at the largest int64 once they have reached it.
LARGEST_SIZE = 2**63 - 1
# So few costs that might get a fen are looked at as rationals at once.
FEW_OPEN = 32


class Proposal(NamedTuple):
    """Costs in one element: whole fen and 2^-64 fen, less than error x 2^-64 fen off [rows]."""

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
    spans = _unit_spans(matrix.row_unit)
    totals = exact_sums(book.registers.dept_unit, items.pool_left, len(book.registers.unit_ids))
    # By column, so that threads with an element each do not write to the same line of cache.
    cost = np.empty((len(matrix.row_unit), len(ELEMENTS)), np.int64, order="F")
    fixed = _fixed_unless_wide(items, reach, spans)
    unsure = [(e, span) for e in range(len(ELEMENTS)) for span in range(len(spans.unit))]
    if fixed is not None:
        unsure = _round_sure(items, fixed, spans, totals, cost)
    if unsure:
        _round_unsure(items, fixed, spans, totals, unsure, cost)
    return np.ascontiguousarray(cost)


@dataclass(frozen=True)
class _Spans:
    """The receivers of each unit that has some: unit [spans]; starts: [spans + 1]."""

    unit: NDArray[np.int64]
    starts: NDArray[np.int64]

    def rows(self, span: int) -> slice:
        """Where the receivers of a span are."""
        return slice(int(self.starts[span]), int(self.starts[span + 1]))


@dataclass(frozen=True)
class _FixedCosts:
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


class _Doubt(NamedTuple):
    """A span of an element in which some places need exact costs before it can be rounded.

    piece: as cut_costs gives it, of the span; missing: what the span lacks, and reach of its
    pieces; places: costs with a whole fen in reach, not yet cut in either.
    """

    element: int
    span: int
    piece: NDArray[np.int64]
    reach: int
    missing: int
    places: NDArray[np.int64]


def _round_sure(
    items: ServiceItemCosts,
    fixed: _FixedCosts,
    spans: _Spans,
    totals: NDArray[np.object_],
    cost: NDArray[np.int64],
) -> list[tuple[int, int]]:
    """Round, into cost, where at most a few costs need more digits; the spans that are left."""
    span_of = np.searchsorted(spans.starts, fixed.at, side="right") - 1
    limit = fixed.limit[spans.unit]

    def cut_element(element: int) -> list[_Doubt]:
        shift = np.ascontiguousarray(fixed.shift[spans.unit, element])
        exact = ~fixed.inexact[spans.unit, element]
        cut = cost[:, element]
        piece, sums, reach, near = cut_costs(
            fixed.costs, element, spans.starts, shift, exact.view(np.uint8), limit, cut
        )
        closer = fixed.closer.costs(element)
        cut[fixed.at], piece[fixed.at], is_near = first_cut(*closer)
        near[span_of[is_near]] = True
        np.maximum.at(reach, span_of, (closer[2] >> 2) + 2)
        for span, fen in zip(span_of.tolist(), cut[fixed.at].tolist(), strict=True):
            sums[span] += fen
        doubts = []
        for span, unit in enumerate(spans.unit.tolist()):
            rows, places = spans.rows(span), np.empty(0, np.int64)
            if near[span]:
                proposed = _propose_span(fixed, spans, element, span)
                places = np.flatnonzero(first_cut(*proposed)[2])
            missing = int(totals[unit, element]) - sums[span]
            doubts.append(_Doubt(element, span, piece[rows], int(reach[span]), missing, places))
        return doubts

    doubts = [
        doubt for found in _each_element(items.matrix.threads, cut_element) for doubt in found
    ]
    few = [doubt for doubt in doubts if len(doubt.places) <= FEW_OPEN]
    exact_of = _exact_costs(items, spans, [(d.element, d.span, d.places) for d in few])
    left = [(d.element, d.span) for d in doubts if len(d.places) > FEW_OPEN]
    open_fen: list[tuple[int, int, OpenFen]] = []

    def hand_out_span(doubt: _Doubt) -> OpenFen | None:
        cut, missing = cost[spans.rows(doubt.span), doubt.element], doubt.missing
        for place in doubt.places.tolist():
            missing += int(cut[place])
            cut_exactly(cut, doubt.piece, place, exact_of(doubt.element, doubt.span, place))
            missing -= int(cut[place])
        return hand_out(cut, doubt.piece, doubt.reach, missing)

    fen_of = map_in_threads(hand_out_span, few, items.matrix.threads)
    for doubt, fen in zip(few, fen_of, strict=True):
        if fen is not None and len(fen.places) > FEW_OPEN:
            left.append((doubt.element, doubt.span))
        elif fen is not None:
            open_fen.append((doubt.element, doubt.span, fen))
    exact_of = _exact_costs(items, spans, [(e, span, fen.places) for e, span, fen in open_fen])
    for element, span, fen in open_fen:
        exact = [exact_of(element, span, place) for place in fen.places.tolist()]
        give_exactly(cost[spans.rows(span), element], fen, exact)
    return left


def _exact_costs(
    items: ServiceItemCosts, spans: _Spans, wanted: list[tuple[int, int, NDArray[np.int64]]]
) -> Callable[[int, int, int], Fraction]:
    """Exact costs of places of spans, by element, span and place; their entries are found once."""
    rows = [places + spans.starts[span] for _, span, places in wanted]
    at = np.unique(np.concatenate([np.empty(0, np.int64), *rows]))
    closer = rows_of_entries(items, net_entries(items.matrix, at))
    place_of = {row: place for place, row in enumerate(at.tolist())}

    def exact_of(element: int, span: int, place: int) -> Fraction:
        return closer.exact_of(element)(place_of[int(spans.starts[span]) + place])

    return exact_of


def _round_unsure(
    items: ServiceItemCosts,
    fixed: _FixedCosts | None,
    spans: _Spans,
    totals: NDArray[np.object_],
    unsure: list[tuple[int, int]],
    cost: NDArray[np.int64],
) -> None:
    """Round some spans of some elements, into cost, with as many digits as it takes."""
    matrix = items.matrix
    proposals = _propose(items, fixed, spans, unsure)

    def find_open(place: int) -> NDArray[np.int64]:
        (element, span), found = unsure[place], proposals[place]
        total = int(totals[spans.unit[span], element])
        open_in_span = open_places(found.whole, found.fraction, found.error, total)
        return np.asarray(open_in_span + spans.starts[span], np.int64)

    every = range(len(unsure))
    at = np.unique(np.concatenate(map_in_threads(find_open, every, matrix.threads)))
    closer = rows_of_entries(items, net_entries(matrix, at))
    place_of = {row: place for place, row in enumerate(at.tolist())}

    def round_span(place: int) -> None:
        (element, span), found = unsure[place], proposals[place]
        rows, exact_of = spans.rows(span), closer.exact_of(element)
        _look_closer(found, rows, at, closer.costs(element))

        def exact_of_place(place: int) -> Fraction:
            row = rows.start + place
            if row in place_of:
                return exact_of(place_of[row])
            # With more digits of another receiver a sure place can open, once in many years.
            alone = rows_of_entries(items, net_entries(matrix, np.array([row])))
            return alone.exact_of(element)(0)

        total = int(totals[spans.unit[span], element])
        whole, fraction, error = found
        cost[rows, element] = round_together(whole, fraction, error, total, exact_of_place)

    map_in_threads(round_span, every, matrix.threads)


def _look_closer(found: Proposal, rows: slice, at: NDArray[np.int64], closer: Proposal) -> None:
    """Put the closer costs of the receivers at into the proposal of some rows, in place."""
    first, end = np.searchsorted(at, [rows.start, rows.stop])
    for proposed, better in zip(found, closer, strict=True):
        proposed[at[first:end] - rows.start] = better[first:end]


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

    def costs(self, element: int) -> Proposal:
        """What each row costs, from 128-bit sums."""
        used, place = np.unique(self.activity, return_inverse=True)
        whole, part, inexact = _wide_rates(self.items, element, used)
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


def _out_of_range(element: int) -> Fault:
    what = f"Case costs in {ELEMENTS[element]} do not fit the exact range."
    return Fault("amount-out-of-range", what, ("ledger and service_lines",))


def _unit_spans(row_unit: NDArray[np.int64]) -> _Spans:
    """Each unit that has receivers, and where they are."""
    if not len(row_unit):
        return _Spans(row_unit, np.zeros(1, np.int64))
    first = np.append(0, np.flatnonzero(row_unit[1:] != row_unit[:-1]) + 1)
    return _Spans(row_unit[first], np.append(first, len(row_unit)))


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


def _fixed_unless_wide(
    items: ServiceItemCosts, reach: NDArray[np.float64], spans: _Spans
) -> _FixedCosts | None:
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
            return _FixedCosts(costs, shift, inexact, limit, at, closer)
    return None


def _scales(
    items: ServiceItemCosts, reach: NDArray[np.float64], spans: _Spans
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Scales to try [units, elements], and the Sum |measure| below which each is safe [units].

    First what fits a receiver with 64 times the services of the mean one, then what fits
    whoever takes all that there is. The first has some ten binary digits more.
    """
    matrix, measures = items.matrix, items.measures
    activities = np.arange(len(matrix.activity_dept))
    total = matrix.total[activities, measures.kind].astype(np.float64)
    negative = matrix.negative[activities, measures.kind].astype(np.float64)
    counted = np.where(measures.counts, (total - 2 * negative) / measures.step[measures.kind], 0)
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


def _propose(
    items: ServiceItemCosts,
    fixed: _FixedCosts | None,
    spans: _Spans,
    unsure: list[tuple[int, int]],
) -> list[Proposal]:
    """Costs with an error below 2^-10 fen, in 128 bits where 64 are too few; of each span."""
    wide: dict[int, Proposal] = {}
    if fixed is None:
        wide = {element: _propose_wide(items, element) for element in {e for e, _ in unsure}}

    def propose(element: int, span: int) -> Proposal:
        if fixed is not None:
            return _propose_span(fixed, spans, element, span)
        rows = spans.rows(span)
        whole, fraction, error = wide[element]
        return Proposal(whole[rows].copy(), fraction[rows].copy(), error[rows].copy())

    return [propose(element, span) for element, span in unsure]


def _propose_span(fixed: _FixedCosts, spans: _Spans, element: int, span: int) -> Proposal:
    """Costs of a span in one element from 64 bits, closer ones where these are too few."""
    rows, unit = spans.rows(span), int(spans.unit[span])
    costs = fixed.costs[rows]
    shift = np.full(len(costs), fixed.shift[unit, element])
    exact = (costs[:, LANES - 1] >= fixed.limit[unit]) | ~fixed.inexact[unit, element]
    found = Proposal(*to_fractions(costs, element, shift, exact.view(np.uint8)))
    _look_closer(found, rows, fixed.at, fixed.closer.costs(element))
    return found


def _fixed_costs(
    items: ServiceItemCosts, shift: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Costs at 2^-shift fen and, in the last lane, Sum |measure| [rows, 8]; which units and
    elements have a rate that is not exact [units, elements].
    """
    matrix = items.matrix
    rates, inexact = _narrow_rates(items, shift)
    n_receivers = len(matrix.row_unit)
    of_thread = threading.local()
    shared = _lanes(n_receivers)
    sums = [shared]
    adding = threading.Lock()

    def look(part: MatrixPart) -> None:
        activities = matrix.activities_of(part)
        measure, step = base_of_part(items, part, activities)
        of_part = np.take(rates, activities, axis=0, out=_lanes(len(activities)), mode="clip")
        receivers = matrix.receivers_of(part)
        entries = part.starts, part.activity, measure, step, of_part
        if NEAR_ROWS * len(receivers) > n_receivers:
            # Scattered lines: a part has rows of many receivers, with few entries each.
            if not hasattr(of_thread, "costs"):
                of_thread.costs = _lanes(n_receivers)
                sums.append(of_thread.costs)
            add_costs(*entries, receivers, of_thread.costs)
            return
        # Rows of the part first, which the near cache holds; other parts may have rows of the
        # same receivers.
        found = _lanes(len(receivers))
        add_costs(*entries, np.arange(len(receivers)), found)
        with adding:
            shared[receivers] = _added_lanes(shared[receivers], found)

    matrix.map_parts(look)
    for more in sums[1:]:
        shared[:] = _added_lanes(shared, more)
    return shared, inexact


def _added_lanes(costs: NDArray[np.int64], more: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sums of both, modulo 2^64; Sum |measure| stays at the largest int64 once it is there."""
    added = costs + more
    size = added[:, LANES - 1]
    size[size < 0] = LARGEST_SIZE
    return added


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
    matrix, measures, unit = items.matrix, items.measures, items.dept_unit
    dept = matrix.activity_dept
    inexact = np.zeros(shift.shape, np.bool_)
    # An activity whose entries are all zero costs nobody anything, whatever its rate.
    every = np.arange(len(dept))
    idle = (measures.base == 0) & (matrix.negative[every, measures.kind] == 0)

    def rates_in(element: int) -> NDArray[np.int64]:
        weight = np.where(idle, 0, measures.weight_in(element))
        pool, total = narrow_shares(items, element)
        scale = shift[:, element]
        rates, has_rest = scaled_rates(dept, weight, pool, total, scale[unit])
        inexact[unit[has_rest != 0], element] = True
        for a, numerator, net in _wide_shares(items, element, every):
            if not idle[a]:
                rates[a], left = divmod(numerator << int(scale[unit[dept[a]]]), net)
                inexact[unit[dept[a]], element] |= left != 0
        return rates

    rates = _each_element(matrix.threads, rates_in)
    return np.stack([*rates, np.zeros(len(dept), np.int64)], axis=1), inexact


def _wide_rates(
    items: ServiceItemCosts, element: int, activities: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint8]]:
    """Floor of the activities' cost of one unit of measure, in fen and 2^-64 fen."""
    pool, total = narrow_shares(items, element)
    dept = items.matrix.activity_dept[activities]
    weight = items.measures.weight_in(element)[activities]
    try:
        whole, part, inexact = activity_rates(pool[dept], weight, total[dept])
        for a, numerator, net in _wide_shares(items, element, activities):
            at = int(np.searchsorted(activities, a))
            rate, rest = divmod(numerator << 64, net)
            whole[at], part[at], inexact[at] = rate >> 64, rate & 0xFFFFFFFFFFFFFFFF, rest != 0
    except OverflowError:
        raise InputRejected([_out_of_range(element)]) from None
    return whole, part, inexact.astype(np.uint8)


def narrow_shares(
    items: ServiceItemCosts, element: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What rates in one element are made of: pool x weight / total, int64 [departments].

    The pool is 0 and the total 1 where the department is wide.
    """
    measures = items.measures
    net = np.where(measures.is_wide, 1, np.maximum(measures.net[:, element], 1))
    return np.where(measures.is_wide, 0, items.pool_left[:, element]), net.astype(np.int64)


def _wide_shares(
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


def _propose_wide(items: ServiceItemCosts, element: int) -> Proposal:
    """128-bit costs of all receivers in one element."""
    matrix = items.matrix
    n = len(matrix.row_unit)
    whole, part_of, inexact = _wide_rates(items, element, np.arange(len(matrix.activity_dept)))
    found = Proposal(np.zeros(n, np.int64), np.zeros(n, np.uint64), np.zeros(n, np.int64))
    adding = threading.Lock()

    def look(part: MatrixPart) -> None:
        activities = matrix.activities_of(part)
        measure, step = base_of_part(items, part, activities)
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
