"""Other houses' rounding of a split (arithmetic rule 9), in Python integers.

It exists to reproduce filed reports, which are small; the exact shares have a kernel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medcost._core.sums import add_rows
from medcost.allocation_model import Rounding
from medcost.costing.links import Links
from medcost.money import divide_half_away

QUANTITY_STEPS = 10**4
FEN_STEPS = 100


def split_rounded(amount: int, weights: Sequence[int], total: int, rounding: Rounding) -> list[int]:
    """Parts of amount in fen, rounded as the model says; they add up to amount.

    weights: statistics in 1e-4, in dept order; total: their sum, above zero. The unit cost
    multiplier (yuan a unit of the statistic) is rounded first, then each cell, then the
    difference is placed. A receiver with statistic 0 receives nothing.
    Source: CMS Pub. 15-2 §4000.1 and §4020 for residual = "largest".
    """
    quantum = 10 ** (2 - rounding.amount_decimals)
    numerator, denominator = amount, total
    if rounding.multiplier_decimals is not None:
        # Yuan per unit: (amount / 100) / (total / 10^4), in steps of 10^-decimals.
        steps = 10**rounding.multiplier_decimals
        numerator = divide_half_away(amount * QUANTITY_STEPS * steps, total * FEN_STEPS)
        denominator = QUANTITY_STEPS * steps // FEN_STEPS
    if rounding.residual == "largest":
        parts = [quantum * divide_half_away(numerator * w, denominator * quantum) for w in weights]
        served = [i for i, w in enumerate(weights) if w]
        largest = max(served, key=lambda i: (parts[i], -i))
        parts[largest] += amount - sum(parts)
        return parts
    return _hand_out(amount, numerator, denominator * quantum, weights, quantum)


def _hand_out(
    amount: int, numerator: int, denominator: int, weights: Sequence[int], quantum: int
) -> list[int]:
    """Cut every cell toward zero at the quantum; hand the rest out by the largest piece."""
    exact = [numerator * w for w in weights]
    cut = [abs(e) // denominator * (1 if e >= 0 else -1) for e in exact]
    parts = [quantum * c for c in cut]
    missing = amount - sum(parts)
    if missing == 0:
        return parts
    step = 1 if missing > 0 else -1
    pieces = [e - c * denominator for e, c in zip(exact, cut, strict=True)]
    served = [i for i, w in enumerate(weights) if w]
    order = sorted(served, key=lambda i: (-step * pieces[i], i))
    whole, rest = divmod(abs(missing), quantum)
    rounds, more = divmod(whole, len(order))
    for place, i in enumerate(order):
        parts[i] += step * quantum * (rounds + (place < more))
    parts[order[more]] += step * rest
    return parts


def step_down_rounded(
    direct: NDArray[np.int64], links: Links, keep_credit: bool, rounding: Rounding
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """The step-down sequence with another house's rounding; returns what the kernel returns."""
    balance = direct.copy()
    flows = np.zeros((len(links.weights), direct.shape[1]), np.int64)
    kept = np.zeros(len(links.givers), np.bool_)
    for turn, giver in enumerate(links.givers):
        span = slice(int(links.starts[turn]), int(links.starts[turn + 1]))
        weights = [int(w) for w in links.weights[span]]
        credit = keep_credit and sum(int(fen) for fen in balance[giver]) < 0
        if not weights or sum(weights) <= 0 or credit:
            kept[turn] = True
            continue
        for element, amount in enumerate(balance[giver].tolist()):
            if amount:
                flows[span, element] = split_rounded(amount, weights, sum(weights), rounding)
        balance[giver] = 0
        add_rows(balance, links.receivers[span], flows[span])
    return balance, flows, kept
