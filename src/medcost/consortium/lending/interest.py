"""Interest by days: a total rounded once, its fen placed on those whose money it is."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from medcost._core.split import split_rows
from medcost.money import divide_half_away

YEAR_DAYS = {"ACT/360": 360, "ACT/365": 365}


def interest_fen(product: int, rate: Fraction, day_count: str) -> int:
    """Interest on a product of fen and days at a yearly rate, to the nearest fen, halves away.

    5,000,000.00 yuan for 45 days at 3 % is 18,750.00 yuan by ACT/360 and 18,493.15 by ACT/365.
    """
    return divide_half_away(product * rate.numerator, rate.denominator * YEAR_DAYS[day_count])


def placed_interest(total: int, products: NDArray[np.int64]) -> NDArray[np.int64]:
    """A total of fen placed on products of fen and days, int64 [members], by rule 2.

    Parts add up to the total and differ from the exact ones by less than a fen; equal remainders
    go by order, which is that of unit_id. products: not negative. Nothing is placed where no one
    has a product.
    """
    if not products.any():
        return np.zeros(len(products), np.int64)
    starts = np.array([0, len(products)], np.int64)
    amounts = np.array([[total]], np.int64)
    return split_rows(amounts, starts, np.ascontiguousarray(products))[:, 0]


def posted_interest(
    balances: NDArray[np.int64], days: int, rate: Fraction, day_count: str
) -> NDArray[np.int64]:
    """A month's interest on fen that stood still for its days, fen [members].

    The total over all members is rounded once and placed, so that what the pool pays or takes is
    the interest on the sum. Raises OverflowError where fen times days leave 64 bits.
    """
    if len(balances) and int(balances.max()) * days > np.iinfo(np.int64).max:
        raise OverflowError("a balance times its days leaves 64 bits")
    products = balances * np.int64(days)
    total = interest_fen(sum(balances.tolist()) * days, rate, day_count)
    return placed_interest(total, products)


def contract_interest(
    balances: NDArray[np.int64], days: int, rate: Fraction, day_count: str
) -> NDArray[np.int64]:
    """Interest that each member owes by a contract of its own, each rounded by itself, fen."""
    each = [interest_fen(balance * days, rate, day_count) for balance in balances.tolist()]
    return np.array(each, np.int64)
