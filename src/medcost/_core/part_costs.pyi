"""Sums over a part of the activity matrix: by activity, by row, and costs in fixed point.

A part's rows are given by starts, int64 [rows + 1]: row r has entries starts[r] to
starts[r + 1]; activity: uint16 or uint32 [entries], a position among the part's activities;
measure: int8 to int64 [entries], in multiples of step; receivers: the place of each row in the
sums, int64 [rows]. All raise ValueError where arrays do not fit one another.
"""

import numpy as np
from numpy.typing import NDArray

def scaled_rates(
    dept: NDArray[np.int64],
    weights: NDArray[np.int64],
    pools: NDArray[np.int64],
    totals: NDArray[np.int64],
    shifts: NDArray[np.int64],
    rates: NDArray[np.int64],
) -> NDArray[np.uint8]:
    """Write floor of pool x weight x 2^shift / total into rates, int64 [activities, 8].

    dept: department of each activity; weights [activities, elements], or [activities, 1] where
    all elements weigh the same; pools; totals above 0; shifts from 0 to 62 [departments,
    elements], fewer than eight; lanes beyond the elements get 0. A floor is less than 1 below
    the exact rate; what is returned is 1 for departments and elements with a rate that is not
    exact [departments, elements]. Raises OverflowError where a rate does not fit 64 bits. Time
    O(activities x elements), and O(elements) divisions a department where its activities stand
    together.
    """

def add_costs(
    starts: NDArray[np.int64],
    activity: NDArray[np.uint16] | NDArray[np.uint32],
    measure: NDArray[np.signedinteger],
    step: int,
    places: NDArray[np.uint32],
    rates: NDArray[np.int64],
    receivers: NDArray[np.int64],
    costs: NDArray[np.int64],
) -> None:
    """Add Sum rate x measure x step of each row to its receiver, lane by lane, in place.

    places: where the rates of each of the part's activities stand, uint32 [activities]; rates:
    int64 [places, 8], lanes 0 to 6 the scaled rates of the elements, lane 7 unused;
    costs: int64 [receivers, 8]; its lane 7 takes Sum |measure x step|, which stays at the
    largest int64 once it is reached.

    Proof of the range: the sums wrap modulo 2^64, where order does not matter, and so equal
    the true total if that fits 63 bits. Two bounds of a receiver's total at scale 2^k do.
    With B = Sum over a unit's departments of |pool| x gross / net measure, its exact cost is at
    most B, since its measure in a department is at most the gross one. And with R the largest
    exact rate of the unit, it is at most R x Sum |measure|. Floors add less than Sum |measure|.
    The caller chooses k so that B x 2^k < 2^61, or that R x S x 2^k + S < 2^61 for some S, and
    gives rows with Sum |measure| >= S, or >= 2^60, to add_wide_costs. Proof of the error: each
    rate is less than 1 below the exact one, so a total is off by less than Sum |measure|, that
    is lane 7 / 2^k fen; receivers for which this is not below 2^-10 fen are costed by
    add_wide_costs. Time O(entries x 8).
    """

def add_found(
    found: NDArray[np.int64], receivers: NDArray[np.int64], costs: NDArray[np.int64]
) -> None:
    """Add what add_costs found of some receivers to the costs of all, lane by lane, in place.

    found: int64 [rows, 8]; receivers: the place of each row in costs, int64 [rows]; costs: int64
    [receivers, 8]. Sums wrap as in add_costs, and lane 7 stays at the largest int64.
    """

def add_wide_costs(
    starts: NDArray[np.int64],
    activity: NDArray[np.uint16] | NDArray[np.uint32],
    measure: NDArray[np.signedinteger],
    step: int,
    whole: NDArray[np.int64],
    part: NDArray[np.uint64],
    inexact: NDArray[np.uint8],
    receivers: NDArray[np.int64],
    chosen: NDArray[np.uint8],
    cost: NDArray[np.int64],
    fraction: NDArray[np.uint64],
    error: NDArray[np.int64],
) -> None:
    """Add the 128-bit costs of the chosen rows to their receivers, one element, in place.

    whole + part x 2^-64: floor of each activity's rate in fen, inexact: 1 where there is a
    rest [activities]; chosen: uint8 [rows]; cost + fraction x 2^-64: fen, and error: what it is
    less than off, in 2^-64 fen [receivers].

    Proof of the range: as for add_costs, modulo 2^128 and with B < 2^62. Proof of the error:
    each inexact rate is less than 2^-64 fen below the exact one.
    """

def add_direct_costs(
    starts: NDArray[np.int64],
    activity: NDArray[np.uint16] | NDArray[np.uint32],
    direct_cost: NDArray[np.signedinteger],
    element: NDArray[np.int8],
    receivers: NDArray[np.int64],
    costs: NDArray[np.int64],
) -> None:
    """Add each entry's purchase cost, fen, to its row's receiver and its activity's element.

    element: int8 [activities], -1 for activities left out; costs: int64 [receivers, elements],
    in place. Raises OverflowError where a sum does not fit 64 bits.
    """
