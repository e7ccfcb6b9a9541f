"""What clinical departments order of medtech departments, by which level 3 goes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medcost.records import dataclass


@dataclass(frozen=True)
class Orders:
    """Level 3: net services of medtech departments by ordering department of the same unit.

    performing, ordering: departments [pairs], sorted; quantity in 1e-4, charge in fen [pairs].
    """

    performing: NDArray[np.int64]
    ordering: NDArray[np.int64]
    quantity: NDArray[np.int64]
    charge: NDArray[np.int64]
