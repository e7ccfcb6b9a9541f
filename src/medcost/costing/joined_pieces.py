"""Netted pieces added up: the matrix over all parts, and the orders of level 3.

Sums of integers, so the order of the pieces does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from medcost._core.key_table import KeyTable
from medcost._core.sums import add_rows, find_ascending, group_sums, union_of
from medcost.costing.activity_matrix import MEASURES, WHOLE_SERVICE, ActivityMatrix, MatrixPart
from medcost.costing.netted_pieces import NettedPiece
from medcost.costing.orders import Orders
from medcost.period_book import PeriodBook


def join_matrix(
    book: PeriodBook, netted: Sequence[NettedPiece], has_charge: bool, threads: int
) -> ActivityMatrix:
    """The sums over all parts, and where the parts are; raises OverflowError."""
    n_items, n_cases = len(book.registers.item_ids), book.cases.n
    activity_key, sums = _added(
        [piece.activity_key for piece in netted], [piece.activity_sums for piece in netted]
    )
    sums = _widened(sums, 2 * len(MEASURES))
    row_key, row_sums = _added(
        [piece.row_key for piece in netted], [piece.row_sums for piece in netted]
    )
    matrix = ActivityMatrix(
        row_key // (n_cases + 1),
        row_key % (n_cases + 1) - 1,
        np.ascontiguousarray(row_sums[:, 0]),
        row_sums[:, 1] > 1,
        activity_key // max(n_items, 1),
        activity_key % max(n_items, 1),
        np.ascontiguousarray(sums[:, : len(MEASURES)]),
        np.ascontiguousarray(sums[:, len(MEASURES) :]),
        tuple(piece.part for piece in netted if len(piece.row_key)),
        min((piece.quantity_step for piece in netted), default=WHOLE_SERVICE),
        n_cases,
        n_items,
        has_charge,
        sum(piece.n_lines for piece in netted),
        threads,
    )
    if matrix.negative.any() and matrix.row_is_split.any():
        matrix = replace(matrix, negative=_negative_over_all_parts(matrix))
    return matrix


def _added(
    keys: Sequence[NDArray[np.int64]], sums: Sequence[NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct keys of all pieces, ascending, and the sums of each [keys, sums].

    keys: of each piece, ascending; sums: of each piece [its keys, sums], those that are left
    out are zero. Expected time O(keys).
    """
    known, slots = _numbered(keys)
    width = max((of_piece.shape[1] for of_piece in sums), default=2)
    added = np.zeros((len(known), width), np.int64)
    for slot, of_piece in zip(slots, sums, strict=True):
        add_rows(added, slot, _widened(of_piece, width))
    return known, added


def _numbered(
    keys: Sequence[NDArray[np.int64]],
) -> tuple[NDArray[np.int64], Sequence[NDArray[np.int64]]]:
    """Distinct keys of all pieces, ascending, and the position of each piece's keys in them."""
    filled = [of_piece for of_piece in keys if len(of_piece)]
    if not filled:
        return np.empty(0, np.int64), [np.empty(0, np.int64) for _ in keys]
    n = sum(map(len, filled))
    if all(before[-1] <= after[0] for before, after in pairwise(filled)):
        # Lines that come case by case: equal keys stand side by side already.
        together = np.concatenate(filled)
        is_first = np.append(True, together[1:] != together[:-1])
        places = np.cumsum(is_first) - 1
        ends = np.cumsum([len(of_piece) for of_piece in keys])
        return together[is_first], np.split(places, ends[:-1])
    low, high = min(int(k[0]) for k in filled), max(int(k[-1]) for k in filled)
    if high - low >= 64 * n:
        table = KeyTable()
        slots = [table.add(of_piece) for of_piece in keys]
        order = np.argsort(table.known(), kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        return table.known()[order], [rank[slot] for slot in slots]
    # A bit for each key between takes less memory than the keys; each piece's ascend.
    known = union_of(filled, low, high - low + 1)
    return known, [find_ascending(known, of_piece) for of_piece in keys]


def _widened(sums: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """Sums with columns of zeros up to the width."""
    if sums.shape[1] == width:
        return sums
    wide = np.zeros((len(sums), width), np.int64)
    wide[:, : sums.shape[1]] = sums
    return wide


def _negative_over_all_parts(matrix: ActivityMatrix) -> NDArray[np.int64]:
    """Sums of net entries below zero, where a receiver and activity may stand in several parts."""
    n_activities = len(matrix.activity_dept)

    def is_negative(part: MatrixPart, activities: NDArray[np.int64]) -> NDArray[np.bool_]:
        below = np.zeros(len(part.activity), np.bool_)
        for measure in part.measures:
            if measure is not None:
                below |= measure < 0
        split = matrix.row_is_split[matrix.receivers_of(part)]
        return below & np.repeat(split, np.diff(part.starts))

    below = matrix.entries_where(is_negative)
    if not len(below.row):
        return matrix.negative
    wanted = KeyTable()
    wanted.add(np.unique(below.row * n_activities + below.activity))

    def is_wanted(part: MatrixPart, activities: NDArray[np.int64]) -> NDArray[np.bool_]:
        rows = np.repeat(matrix.receivers_of(part), np.diff(part.starts))
        return wanted.find(rows * n_activities + activities) >= 0

    entries = matrix.entries_where(is_wanted)
    key, net = group_sums(entries.row * n_activities + entries.activity, entries.measures)
    negative = matrix.negative.copy()
    add_rows(negative, below.activity, -np.minimum(below.measures, 0))
    add_rows(negative, key % n_activities, np.minimum(net, 0))
    return negative


def join_orders(book: PeriodBook, netted: Sequence[NettedPiece]) -> Orders:
    """What performing departments rendered to ordering ones; raises OverflowError."""
    n_depts = max(len(book.registers.dept_ids), 1)
    keys, sums = group_sums(
        np.concatenate([np.empty(0, np.int64), *(piece.order_keys for piece in netted)]),
        np.vstack([np.empty((0, 2), np.int64), *(piece.order_sums for piece in netted)]),
    )
    return Orders(
        keys // n_depts,
        keys % n_depts,
        np.ascontiguousarray(sums[:, 0]),
        np.ascontiguousarray(sums[:, 1]),
    )
