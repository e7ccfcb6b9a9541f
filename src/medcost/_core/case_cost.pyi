"""Exact case costs as 128-bit fixed point: whole fen and a 64-bit fraction."""

import numpy as np
from numpy.typing import NDArray

def activity_rates(
    pools: NDArray[np.int64], weights: NDArray[np.int64], totals: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.bool_]]:
    """floor(pool x weight / total x 2^64) of each activity as whole fen and 2^-64 fen.

    pools: fen [activities]; weights: [activities]; totals: the department's net measure, above
    zero [activities]. The third array says where the floor lost something. Raises ValueError,
    or OverflowError where the whole part leaves 64 bits.
    """

def case_costs(
    starts: NDArray[np.int64],
    activities: NDArray[np.int64],
    measures: NDArray[np.int64],
    whole: NDArray[np.int64],
    part: NDArray[np.uint64],
    inexact: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.int64]]:
    """Cost of each case in one element: whole fen (floor), 2^-64 fen, error bound.

    starts: [cases + 1] into activities and measures [entries]; rates as activity_rates returns
    them. Cost = sum of measure x rate.

    Proof. A rate is below its exact value by less than 2^-64 fen where inexact, and equal
    elsewhere; so the exact cost differs from the returned one by less than the sum of |measure|
    over the case's inexact entries, in units of 2^-64 fen: the third array, capped at 2^63 - 1.
    The caller proves sum of |measure x (whole + 1)| < 2^62 over every case, so no sum leaves
    128 bits. Raises ValueError where shapes or indices do not fit.
    """
