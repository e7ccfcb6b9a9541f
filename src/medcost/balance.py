"""In = out + named reasons: the check at the end of every stage and at the writer's door."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medcost._core.sums import add_rows
from medcost.errors import InvariantBroken
from medcost.money import format_yuan


def exact_sums(
    groups: NDArray[np.int64], fen: NDArray[np.int64], n_groups: int
) -> NDArray[np.object_]:
    """Sum of fen of each group, Python integers [n_groups, elements]; never wraps.

    groups: [rows]; fen: [rows, elements]. Where a sum leaves 64 bits on the way, each amount is cut
    into two halves of 32 bits, whose sums cannot for fewer than 2^31 rows.
    """
    fen = np.ascontiguousarray(fen)
    low = np.zeros((n_groups, fen.shape[1]), np.int64)
    try:
        add_rows(low, groups, fen)
    except OverflowError:
        low[:] = 0
        high = np.zeros_like(low)
        add_rows(low, groups, fen & 0xFFFFFFFF)
        add_rows(high, groups, fen >> 32)
        return np.asarray(low.astype(object) + high.astype(object) * (1 << 32), dtype=object)
    return low.astype(object)


def add_at(
    totals: NDArray[np.int64],
    rows: NDArray[np.int64],
    elements: NDArray[np.int64],
    fen: NDArray[np.int64],
) -> None:
    """Add each amount to its row and element of totals, in place; OverflowError, never a wrap.

    totals: contiguous, fen [rows, elements]; rows, elements, fen: [amounts].
    """
    place = rows * totals.shape[1] + elements
    add_rows(totals.reshape(-1, 1), place, np.ascontiguousarray(fen.reshape(-1, 1)))


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
