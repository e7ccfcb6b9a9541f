"""What groups of cases used of each department, and the cost of it in cells rounded together.

A group has columns, one for each department that may serve it, and cells, each of which takes in
some columns that stand together. All raise ValueError where arrays do not fit one another.
"""

import numpy as np
from numpy.typing import NDArray

def add_measures(
    starts: NDArray[np.int64],
    activity: NDArray[np.uint16] | NDArray[np.uint32],
    measure: NDArray[np.signedinteger],
    step: int,
    weights: NDArray[np.int64],
    column: NDArray[np.int64],
    rows: NDArray[np.int64],
    first: NDArray[np.int64],
    sums: NDArray[np.int64],
) -> None:
    """Add weight x measure x step of some rows' entries to columns of their groups, in place.

    starts, activity, measure, step: a part of the activity matrix, as in part_costs; weights:
    [activities, 1] or [activities, 8]; column: of each activity among those of a group, -1 for
    activities left out [activities]; rows: the rows to add, best by group; first: the first
    column of each one's group [rows to add]; sums: [columns of all groups, 1 or 8].

    Proof of the range: sums wrap modulo 2^64, where order does not matter, and equal the true
    total if that fits 63 bits; the caller sees to it. Time O(entries x lanes).
    """

def round_groups(
    starts: NDArray[np.int64],
    columns: NDArray[np.int64],
    dept: NDArray[np.int64],
    measures: NDArray[np.int64],
    lane: int,
    whole: NDArray[np.int64],
    part: NDArray[np.uint64],
    inexact: NDArray[np.uint8],
    totals: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Fen of each cell, which add up to its group's total, and which groups are left open.

    starts: first cell of each group, and the end [groups + 1]; columns: first column of each
    cell, and the end [cells + 1]; dept, measures [columns, lanes]: what a group used of each
    department; whole + part x 2^-64: floor of a department's cost of one unit of measure, fen,
    inexact: 1 where there is a rest [departments]; totals: fen [groups].

    A cell's exact cost is the sum of measure x rate over its columns. Cells
    whose cost is not zero take part: each is cut toward zero, the missing fen go one each to
    the largest cut-off pieces in their direction, the first on ties, going round again where
    there are more fen than cells. A group is open, and its fen mean nothing, where the bound of
    the error leaves a cut or a fen undecided, or where fen are missing and no cell takes part.

    Proof. A rate is below its exact value by less than 2^-64 fen where inexact, and equal
    elsewhere; so a cost is off by less than the sum of |measure| over its inexact columns, in
    units of 2^-64 fen. The caller proves sum of |measure x (whole + 1)| < 2^62 over every
    group. Time O(columns), and O(cells^2) of a group at worst.
    """
