"""Exact shares of the pools for every receiver: 64 bits propose, 128 bits and rationals decide.

Whole-fen costs are those of exact rational arithmetic, always. Fixed point with a proved bound
leaves few receivers open: those whose cut-off piece is within the bound of a whole fen or of the
last piece that gets one. Only these are looked at with more digits, then as rationals.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medcost._core.fixed_point import cut_costs, first_cut, to_fractions
from medcost._core.part_costs import add_direct_costs, add_wide_costs
from medcost.balance import exact_sums
from medcost.costing.activity_matrix import DIRECT_COST, MatrixPart
from medcost.costing.exact_rows import (
    Proposal,
    look_up,
    out_of_range,
    wide_rates,
)
from medcost.costing.fixed_costs import (
    LANES,
    FixedCosts,
    Spans,
    base_of_part,
    fixed_unless_wide,
    reach_of_units,
    unit_spans,
)
from medcost.costing.service_items import ServiceItemCosts
from medcost.costing.together import (
    OpenFen,
    cut_exactly,
    give_exactly,
    hand_out,
    open_places,
    round_clearly,
    round_together,
)
from medcost.errors import InputRejected
from medcost.period_book import PeriodBook
from medcost.tables import ELEMENTS
from medcost.threads import map_in_threads

LARGEST_COST = 2.0**62
# So few costs that might get a fen are looked at as rationals at once.
FEW_OPEN = 32


def cost_rows(book: PeriodBook, items: ServiceItemCosts) -> NDArray[np.int64]:
    """Every unit's receivers rounded together to what its pools share out, fen [rows, elements].

    The costs stand in Fortran's order, as tables want them. Raises InputRejected
    (amount-out-of-range). Time O(entries x elements).
    """
    matrix = items.matrix
    reach = reach_of_units(book, items)
    if (reach >= LARGEST_COST).any():
        element = int(np.argwhere(reach >= LARGEST_COST)[0, 1])
        raise InputRejected([out_of_range(element)])
    spans = unit_spans(matrix.row_unit)
    totals = exact_sums(book.registers.dept_unit, items.pool_left, len(book.registers.unit_ids))
    # By column, so that threads with an element each do not write to the same line of cache.
    cost = np.empty((len(matrix.row_unit), len(ELEMENTS)), np.int64, order="F")
    fixed = fixed_unless_wide(items, reach, spans)
    unsure = [(e, span) for e in range(len(ELEMENTS)) for span in range(len(spans.unit))]
    if fixed is not None:
        unsure = _round_sure(_Rounding(items, fixed, spans, totals, cost))
    if unsure:
        _round_unsure(items, fixed, spans, totals, unsure, cost)
    return cost


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


class _Rounding(NamedTuple):
    """What the spans of all elements are rounded from, and into; totals: [units, elements]."""

    items: ServiceItemCosts
    fixed: FixedCosts
    spans: Spans
    totals: NDArray[np.object_]
    cost: NDArray[np.int64]

    def cut_of(self, element: int, span: int) -> NDArray[np.int64]:
        """Where the costs of a span go."""
        return self.cost[self.spans.rows(span), element]

    def total_of(self, element: int, span: int) -> int:
        """What the costs of a span add up to."""
        return int(self.totals[self.spans.unit[span], element])


def _round_sure(rounding: _Rounding) -> list[tuple[int, int]]:
    """Round, into cost, where at most a few costs need more digits; the spans that are left."""
    threads = rounding.items.matrix.threads
    # All elements of a span one after the other: its costs stay in the near cache.
    spans = [(e, span) for span in range(len(rounding.spans.unit)) for e in range(len(ELEMENTS))]
    clear = map_in_threads(lambda place: _round_if_clear(rounding, *place), spans, threads)
    unclear = [place for place, found in zip(spans, clear, strict=True) if found is None]
    open_fen = [
        (*place, found)
        for place, found in zip(spans, clear, strict=True)
        if found is not None and len(found.places)
    ]
    doubts = map_in_threads(lambda place: _find_doubt(rounding, *place), unclear, threads)
    few = [doubt for doubt in doubts if len(doubt.places) <= FEW_OPEN]
    left = [(d.element, d.span) for d in doubts if len(d.places) > FEW_OPEN]
    exact_of = _exact_costs(rounding, [(d.element, d.span, d.places) for d in few])

    def hand_out_span(doubt: _Doubt) -> OpenFen | None:
        cut, missing = rounding.cut_of(doubt.element, doubt.span), doubt.missing
        for place in doubt.places.tolist():
            missing += int(cut[place])
            cut_exactly(cut, doubt.piece, place, exact_of(doubt.element, doubt.span, place))
            missing -= int(cut[place])
        return hand_out(cut, doubt.piece, doubt.reach, missing)

    for doubt, fen in zip(few, map_in_threads(hand_out_span, few, threads), strict=True):
        if fen is not None:
            open_fen.append((doubt.element, doubt.span, fen))
    left += [(e, span) for e, span, fen in open_fen if len(fen.places) > FEW_OPEN]
    open_fen = [one for one in open_fen if len(one[2].places) <= FEW_OPEN]
    exact_of = _exact_costs(rounding, [(e, span, fen.places) for e, span, fen in open_fen])
    for element, span, fen in open_fen:
        exact = [exact_of(element, span, place) for place in fen.places.tolist()]
        give_exactly(rounding.cut_of(element, span), fen, exact)
    return left


def _round_if_clear(rounding: _Rounding, element: int, span: int) -> OpenFen | None:
    """Round a span of an element; None where that takes a closer look, else the fen left open."""
    fixed, unit = rounding.fixed, int(rounding.spans.unit[span])
    return round_clearly(
        fixed.costs[rounding.spans.rows(span)],
        element,
        int(fixed.shift[unit, element]),
        not fixed.inexact[unit, element],
        int(fixed.limit[unit]),
        rounding.total_of(element, span),
        rounding.cut_of(element, span),
    )


def _find_doubt(rounding: _Rounding, element: int, span: int) -> _Doubt:
    """Cut a span of an element, closer costs in the place of those that 64 bits do not hold."""
    fixed, unit = rounding.fixed, int(rounding.spans.unit[span])
    rows, cut = rounding.spans.rows(span), rounding.cut_of(element, span)
    shift, exact = fixed.shift[unit, element], not fixed.inexact[unit, element]
    piece, sums, reaches, nears = cut_costs(
        fixed.costs[rows],
        element,
        np.array([0, len(cut)]),
        np.array([shift]),
        np.array([exact], np.uint8),
        fixed.limit[[unit]],
        cut,
    )
    added, reach, is_near = sums[0], int(reaches[0]), bool(nears[0])
    first, end = np.searchsorted(fixed.at, [rows.start, rows.stop])
    if first < end:
        at = fixed.at[first:end] - rows.start
        whole, fraction, error = fixed.closer_costs(element)
        closer = Proposal(whole[first:end], fraction[first:end], error[first:end])
        cut[at], piece[at], near = first_cut(*closer)
        is_near |= bool(near.any())
        reach = max(reach, int((closer.error >> 2).max()) + 2)
        added += sum(cut[at].tolist())
    places = np.empty(0, np.int64)
    if is_near:
        proposed = _propose_span(fixed, rounding.spans, element, span)
        places = np.flatnonzero(first_cut(*proposed)[2])
    missing = rounding.total_of(element, span) - added
    return _Doubt(element, span, piece, reach, missing, places)


def _exact_costs(
    rounding: _Rounding, wanted: list[tuple[int, int, NDArray[np.int64]]]
) -> Callable[[int, int, int], Fraction]:
    """Exact costs of places of spans, by element, span and place; their entries are found once."""
    starts = rounding.spans.starts
    closer = look_up(rounding.items, [places + starts[span] for _, span, places in wanted])

    def exact_of(element: int, span: int, place: int) -> Fraction:
        return closer.exact_of(element, int(starts[span]) + place)

    return exact_of


def _round_unsure(
    items: ServiceItemCosts,
    fixed: FixedCosts | None,
    spans: Spans,
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
    closer = look_up(items, map_in_threads(find_open, every, matrix.threads))

    def round_span(place: int) -> None:
        (element, span), found = unsure[place], proposals[place]
        rows = spans.rows(span)
        _look_closer(found, rows, closer.at, closer.rows.costs(element))

        def exact_of_place(place: int) -> Fraction:
            row = rows.start + place
            # With more digits of another receiver a sure place can open, once in many years.
            known = closer if row in closer.place_of else look_up(items, [np.array([row])])
            return known.exact_of(element, row)

        total = int(totals[spans.unit[span], element])
        whole, fraction, error = found
        cost[rows, element] = round_together(whole, fraction, error, total, exact_of_place)

    map_in_threads(round_span, every, matrix.threads)


def _look_closer(found: Proposal, rows: slice, at: NDArray[np.int64], closer: Proposal) -> None:
    """Put the closer costs of the receivers at into the proposal of some rows, in place."""
    first, end = np.searchsorted(at, [rows.start, rows.stop])
    for proposed, better in zip(found, closer, strict=True):
        proposed[at[first:end] - rows.start] = better[first:end]


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


def _propose(
    items: ServiceItemCosts,
    fixed: FixedCosts | None,
    spans: Spans,
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


def _propose_span(fixed: FixedCosts, spans: Spans, element: int, span: int) -> Proposal:
    """Costs of a span in one element from 64 bits, closer ones where these are too few."""
    rows, unit = spans.rows(span), int(spans.unit[span])
    costs = fixed.costs[rows]
    shift = np.full(len(costs), fixed.shift[unit, element])
    exact = (costs[:, LANES - 1] >= fixed.limit[unit]) | ~fixed.inexact[unit, element]
    found = Proposal(*to_fractions(costs, element, shift, exact.view(np.uint8)))
    _look_closer(found, rows, fixed.at, fixed.closer_costs(element))
    return found


def _propose_wide(items: ServiceItemCosts, element: int) -> Proposal:
    """128-bit costs of all receivers in one element."""
    matrix = items.matrix
    n = len(matrix.row_unit)
    whole, part_of, inexact = wide_rates(items, element, np.arange(len(matrix.activity_dept)))
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
