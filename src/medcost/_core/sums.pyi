"""Sums of integers by integer keys, exact and independent of the order of the rows."""

import numpy as np
from numpy.typing import NDArray

def sort_order(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Stable ascending order of non-negative keys, int64 [rows]. Radix sort, O(rows).

    Raises ValueError for a negative key.
    """

def group_sums(
    keys: NDArray[np.int64], values: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct keys, ascending [groups], and the sums of each column [groups, columns].

    keys: non-negative [rows]; values: [rows, columns]. Raises OverflowError where a sum leaves
    64 bits on the way, ValueError for a negative key or unequal lengths. Time O(rows).
    """

def add_rows(totals: NDArray[np.int64], rows: NDArray[np.int64], values: NDArray[np.int64]) -> None:
    """Add row i of values [n, columns] to row rows[i] of totals [groups, columns], in place.

    Raises OverflowError where a total leaves 64 bits, ValueError where shapes or rows do not fit.
    Time O(n x columns).
    """
