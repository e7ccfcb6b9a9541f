"""Splitting whole fen by weights so that the parts add up exactly (arithmetic rule 2)."""

import numpy as np
from numpy.typing import NDArray

def require_starts(starts: NDArray[np.int64], n: int) -> None:
    """Raise ValueError unless starts [rows + 1] ascends from 0 or more to at most n."""

def weight_totals(starts: NDArray[np.int64], weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sum of the weights of each row, int64 [rows].

    starts: [rows + 1], the first weight of each row. Raises OverflowError beyond 64 bits.
    """

def split_rows(
    amounts: NDArray[np.int64],
    starts: NDArray[np.int64],
    weights: NDArray[np.int64],
    parts: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Parts of every amount, int64 fen [weights, elements], rows of receivers in key order.

    amounts: fen [rows, elements]; starts: [rows + 1]; weights: [receivers of all rows], each
    row's total above zero. Exact part = amount x weight / total, cut toward zero; the missing
    fen go one each to the largest cut-off pieces in their direction, the first on ties. parts:
    where they are written, in any order of memory; without it an array of its own. Receivers of
    no row are left as they are. Raises ValueError where a total is not positive, OverflowError
    where a part does not fit. Time O(receivers x elements).
    """
