"""The step-down sequence: givers hand on their whole balance, first to close first."""

import numpy as np
from numpy.typing import NDArray

def step_down(
    direct: NDArray[np.int64],
    givers: NDArray[np.int64],
    starts: NDArray[np.int64],
    receivers: NDArray[np.int64],
    weights: NDArray[np.int64],
    keep_credit: bool = False,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Balances after the last turn, flows, and the givers that kept their balance.

    direct: fen [departments, elements]; givers: department indices in closing order [turns];
    starts: [turns + 1] into receivers and weights [links], receivers of a turn in key order.
    A giver with no receiver, a total of zero or below or, with keep_credit, a negative balance
    over all elements keeps what it has. Returns fen [departments, elements], fen [links,
    elements] and bool [turns]. Splits by arithmetic rule 2. Raises OverflowError, ValueError.
    Time O(links x elements). Source: the level 2 sequence of the 2021 cost norms.
    """
