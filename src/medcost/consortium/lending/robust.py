"""A robust plan: what may be missing when in a few months all goes wrong at once.

Bertsimas and Sim (2004): of the months up to t at most Γ have the inflow fall short and the outflow
be exceeded by all that is at risk, the worst such months. Deviations move only the known side of
the equations, so what they may take from an account is a number, not a variable: the Γ largest
deviations up to t, each with the interest it no longer earns, and of a part of a month that part of
the next largest. Floors are raised by it. The plan's draws and bridges then keep every floor
whichever months go wrong.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.lending.cash import Terms, monthly


def at_risk(
    deviation: NDArray[np.int64],
    days: NDArray[np.int64],
    terms: Terms,
    months_at_risk: Fraction,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What may be missing of each account [S, M, T] and of pool cash [S, T], fen, rounded up.

    deviation: fen [S, M, T], not negative. In the pool a month at risk is one of all members at
    once. Its reserve falls with the deposits, which is not counted: pool cash keeps its floor also
    where the missing money had been lent.
    """
    deposit = monthly(terms.deposit_rate, days, terms.day_count)[:-1]
    cash = monthly(terms.cash_rate, days, terms.day_count)[:-1]
    own = largest_missing(deviation.astype(np.float64), deposit, months_at_risk)
    pool = largest_missing(deviation.sum(axis=1).astype(np.float64), cash, months_at_risk)
    return _up(own), _up(pool)


def largest_missing(
    deviation: NDArray[np.float64], rate: NDArray[np.float64], months_at_risk: Fraction
) -> NDArray[np.float64]:
    """The most that up to Γ months' deviations take by the end of each month, [..., T].

    rate: interest of each month on what stood at its beginning, [T].
    """
    months = deviation.shape[-1]
    whole, part = int(months_at_risk), float(months_at_risk % 1)
    found = np.zeros(deviation.shape)
    for month in range(months):
        # A yuan missing since the end of an earlier month has earned nothing in those after it.
        growth = np.cumprod(np.append(1.0, 1 + rate[1 : month + 1][::-1]))[::-1]
        each = -np.sort(-(deviation[..., : month + 1] * growth), axis=-1)
        found[..., month] = each[..., :whole].sum(axis=-1)
        if whole < month + 1:
            found[..., month] += part * each[..., whole]
    return found


def _up(fen: NDArray[np.float64]) -> NDArray[np.int64]:
    """Fen rounded up, past what a float may have lost."""
    return np.asarray(np.where(fen > 0, np.ceil(fen * (1 + 1e-12)), 0)).astype(np.int64)
