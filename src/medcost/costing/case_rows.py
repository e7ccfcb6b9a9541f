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
    each_element,
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

    Raises InputRejected (amount-out-of-range). Time O(entries x elements).
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
        unsure = _round_sure(items, fixed, spans, totals, cost)
    if unsure:
        _round_unsure(items, fixed, spans, totals, unsure, cost)
    return np.ascontiguousarray(cost)


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
    fixed: FixedCosts,
    spans: Spans,
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

    doubts = [doubt for found in each_element(items.matrix.threads, cut_element) for doubt in found]
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
    items: ServiceItemCosts, spans: Spans, wanted: list[tuple[int, int, NDArray[np.int64]]]
) -> Callable[[int, int, int], Fraction]:
    """Exact costs of places of spans, by element, span and place; their entries are found once."""
    closer = look_up(items, [places + spans.starts[span] for _, span, places in wanted])

    def exact_of(element: int, span: int, place: int) -> Fraction:
        return closer.exact_of(element, int(spans.starts[span]) + place)

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
    _look_closer(found, rows, fixed.at, fixed.closer.costs(element))
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
