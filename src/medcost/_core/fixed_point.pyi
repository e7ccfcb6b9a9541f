"""Fixed-point costs to whole fen and a fraction, and their first cut toward zero."""

import numpy as np
from numpy.typing import NDArray

def to_fractions(
    costs: NDArray[np.int64], lane: int, shifts: NDArray[np.int64], exact: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.int64]]:
    """Whole fen (floor), 2^-64 fen and error bound in 2^-64 fen of one lane [rows].

    costs: int64 [rows, lanes] at 2^-shift fen, the last lane what each may be off by; shifts:
    1 to 62 [rows]; exact: uint8, 1 where a cost is not off at all [rows]. A bound is meant to
    be below 2^62 once shifted; the caller sees to it. Raises ValueError where arrays do not fit.
    Time O(rows).
    """

def first_cut(
    whole: NDArray[np.int64], fraction: NDArray[np.uint64], error: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Costs cut toward zero, signed pieces in 2^-62 fen, and where a whole fen is in reach.

    whole, fraction, error: a cost of whole + fraction x 2^-64 fen is less than error x 2^-64 fen
    off [rows]. Raises ValueError where lengths differ. Time O(rows).
    """

def cut_costs(
    costs: NDArray[np.int64],
    lane: int,
    starts: NDArray[np.int64],
    shifts: NDArray[np.int64],
    exact: NDArray[np.uint8],
    limits: NDArray[np.int64],
    cut: NDArray[np.int64],
) -> tuple[NDArray[np.int64], list[int], NDArray[np.int64], NDArray[np.bool_]]:
    """Cut one lane of fixed-point costs toward zero; the same as to_fractions and first_cut.

    costs: int64 [rows, lanes] at 2^-shift fen, the last lane what each may be off by; starts:
    first row of each span, and the end [spans + 1]; shifts: 1 to 62; exact: 1 where no cost of
    the span is off; limits: rows whose last lane reaches it are left out, as 0 [spans]; what is
    below is meant to be below 2^62 in 2^-64 fen. cut: whole fen [rows], written. Returns the
    signed pieces in 2^-62 fen [rows] and of each span the sum of what was cut, how far any of
    its pieces may be off, in 2^-62 fen, and whether a whole fen is in reach of one. Raises
    ValueError where arrays do not fit. Time O(rows).
    """

def give_largest(
    cut: NDArray[np.int64], piece: NDArray[np.int64], reach: int, n: int, step: int
) -> tuple[NDArray[np.int64], int]:
    """Add step to the cuts whose pieces, times step, are among the n largest for certain.

    cut: whole fen [costs], in place; piece: 2^-62 fen, between -2^62 and 2^62, each less than
    reach off [costs]; reach: at most 2^60; n: from 1 to the costs; step: 1 or -1. With t the
    piece of rank n, the true one of that rank is within reach of t: pieces above t + 2 x reach
    get step, those below t - 2 x reach nothing. Returns the places between, ascending, and how
    many of them get step. Raises ValueError where arguments do not fit. Time O(costs).
    """

def round_clear(
    costs: NDArray[np.int64],
    lane: int,
    shift: int,
    exact: bool,
    limit: int,
    total: int,
    cut: NDArray[np.int64],
) -> tuple[NDArray[np.int64], int] | None:
    """Round one lane of fixed-point costs to whole fen that add up to total, if that is clear.

    costs: int64 [rows, 8] at 2^-shift fen, the last lane what each may be off by, 0 where exact;
    cut: whole fen [rows], written. The same as cut_costs of one span, then give_largest of the
    fen that total lacks: what is returned is what give_largest returns, places that remain open
    and how many of them get a fen, none where all is done. None, and then cut means nothing,
    where a size reaches limit, a whole fen is in reach of a cost, as many fen lack as there are
    rows or more, or costs may be off by a quarter of a fen. Raises ValueError where arguments do
    not fit. Time O(rows), in memory that the near cache holds for tens of thousands of rows.
    """
