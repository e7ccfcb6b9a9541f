"""In = out + named reasons: the check at the end of every stage and at the writer's door."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medcost._core.sums import add_rows, half_sums
from medcost.errors import InvariantBroken
from medcost.money import format_yuan


def exact_sums(
    groups: NDArray[np.int64], fen: NDArray[np.int64], n_groups: int
) -> NDArray[np.object_]:
    """Sum of fen of each group, Python integers [n_groups, elements]; never wraps.

    groups: [rows], fewer than 2^31; fen: [rows, elements]. Each amount is cut into two halves of
    32 bits, whose sums fit 64.
    """
    high, low = half_sums(groups, fen, n_groups)
    return np.asarray(high.astype(object) * (1 << 32) + low.astype(object), dtype=object)


def add_at(
    totals: NDArray[np.int64],
    rows: NDArray[np.int64],
    elements: NDArray[np.int64],
    fen: NDArray[np.int64],
) -> None:
    """Add each amount to its row and element of totals, in place; OverflowError, never a wrap.

    totals: contiguous in either order, fen [rows, elements]; rows, elements, fen: [amounts].
    """
    if totals.flags.c_contiguous:
        flat, place = totals.reshape(-1, 1), rows * totals.shape[1] + elements
    else:
        flat, place = totals.T.view().reshape(-1, 1), elements * totals.shape[0] + rows
        if not np.shares_memory(flat, totals):
            raise ValueError("totals are not contiguous")
    add_rows(flat, place, np.ascontiguousarray(fen.reshape(-1, 1)))


def require_equal(fact: str, left: NDArray[np.object_], right: NDArray[np.object_]) -> None:
    """Stop the run where two exact sums that must be equal are not.

    left, right: Python integers of the same shape, fen. Raises InvariantBroken.
    """
    different = np.argwhere(left != right)
    if len(different):
        place = tuple(int(i) for i in different[0])
        a, b = format_yuan(int(left[place])), format_yuan(int(right[place]))
        raise InvariantBroken(
            f"{fact}: {len(different)} balances do not tie out; the first, at {place}, "
            f"has {a} yuan on one side and {b} on the other"
        )
