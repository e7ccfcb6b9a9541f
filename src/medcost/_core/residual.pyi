"""Exact residuals of the reciprocal equations in 128-bit integers."""

import numpy as np
from numpy.typing import NDArray

def residuals(
    links: NDArray[np.int64],
    totals: NDArray[np.int64],
    direct: NDArray[np.int64],
    bits: int,
    unit_costs: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Direct x 2^bits - totals x y + links @ y, summed exactly, then rounded once to a double.

    links: statistic of receiving giver (row) from giver (column), [givers, givers]; totals:
    [givers]; direct: fen [givers, elements]; unit_costs: y in 2^-bits fen per unit of statistic
    as (high, low) words [givers, elements, 2]. The caller proves that no sum reaches 2^126.
    Raises ValueError where shapes do not fit.
    """

def add_corrections(unit_costs: NDArray[np.int64], corrections: NDArray[np.float64]) -> None:
    """Add the nearest integers of corrections [givers, elements] to unit_costs in place.

    Raises OverflowError for a correction beyond 1e37, ValueError where shapes do not fit.
    """
