"""Blocks of service lines: texts as codes, numbers as integers, whatever the storage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNKNOWN, EMPTY = -1, -2
ROW_EMPTY, ROW_FAULT = 1, 2


@dataclass(frozen=True)
class LineBlock:
    """Rows of a file as arrays [n]; they may be overwritten by the next block.

    codes: position among the labels, UNKNOWN or EMPTY. values: at the contract's scale, 0 where
    empty or at fault. states: 0 where fine, ROW_EMPTY or ROW_FAULT; only of the columns that have
    a row in this block that is not fine.
    """

    n: int
    codes: dict[str, NDArray[np.int32]]
    values: dict[str, NDArray[np.int64]]
    states: dict[str, NDArray[np.uint8]]
