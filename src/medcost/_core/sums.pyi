"""Sums of integers by integer keys, exact and independent of the order of the rows."""

from collections.abc import Sequence

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

def add_columns(
    totals: NDArray[np.int64], rows: NDArray[np.int64], values: NDArray[np.int64]
) -> None:
    """Add row i of values [n, columns] to row rows[i] of totals [groups, columns], in place.

    The same as add_rows, for arrays in Fortran's order; rows below 0 are left out. Raises
    OverflowError where a total leaves 64 bits, ValueError where shapes or rows do not fit. Time
    O(n x columns).
    """

def half_sums(
    groups: NDArray[np.int64], values: NDArray[np.int64], n_groups: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sums of value >> 32 and of value & (2^32 - 1) of each group [n_groups, columns].

    groups: from 0 to n_groups - 1 [n]; values: in any order of memory [n, columns]. The sum of a
    group is the first x 2^32 + the second. Proof that no half leaves 64 bits: there are fewer
    than 2^31 rows, and a half lies between -2^31 and 2^32. Raises ValueError where there are
    more, or shapes or groups do not fit. Time O(n x columns).
    """

def find_ascending(keys: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of each wanted key among the keys, int64 [wanted]; both ascend.

    Raises ValueError where a wanted key is not found. Time O(log keys + the keys from the first
    wanted to the last).
    """

def sort_within(
    groups: NDArray[np.int64], values: NDArray[np.int64], n_groups: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Values by group, then by size [n], and the first of each group, and the end [n_groups + 1].

    groups: from 0 to n_groups - 1 [n]; values: [n]. Raises ValueError where groups do not fit.
    Time O(n log(largest group)).
    """

def narrow_codes(
    codes: NDArray[np.int64], n_labels: int
) -> tuple[NDArray[np.int32], NDArray[np.bool_], int]:
    """Codes in 32 bits [n], which labels some row has [n_labels], and how many rows have none.

    codes: from -1, for no label, to n_labels - 1 [n]. Raises ValueError where one is not. Time
    O(n + n_labels).
    """

def union_of(pieces: Sequence[NDArray[np.int64]], low: int, span: int) -> NDArray[np.int64]:
    """Distinct keys of some arrays, ascending; each key from low to below low + span, below 2^63.

    Raises ValueError where one is not. Time O(keys + span / 64); memory span / 8 bytes.
    """
