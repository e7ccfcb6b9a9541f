"""Splitting by complete shares: where a giver's cost ends when the loops have run out."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from medcost.costing.reciprocal import (
    System,
    approximate,
    first_bits,
    rational_unit_costs,
)
from medcost.costing.together import round_fractions


def split_by_complete_shares(
    system: System, giver: int, served_out: NDArray[np.int64], amount: int
) -> list[int]:
    """Parts of amount, whole fen, for the departments that do not give (arithmetic rules 2, 5).

    served_out: statistic of final receiver (row) from giver (column), divided like the system's,
    int64 [receivers, givers], rows in key order. The share of a receiver is the part of the
    giver's cost that ends there; shares add up to 1. They are approximated and bounded like the
    gross cost and refined until the split is certain; two shares that no refinement can tell
    apart before the determinant's bound are equal.
    """
    fed = np.flatnonzero(np.any(served_out != 0, axis=1))
    parts = [0] * len(served_out)
    found: list[int] | None = None
    if system.inverse is None:
        shares = _rational_shares(system, giver, served_out[fed])
        found = round_fractions(amount, [amount * share for share in shares])
    elif len(fed) == 1:
        found = [amount]
    else:
        found = _split_refined(system, giver, served_out[fed], amount)
    for receiver, part in zip(fed, found, strict=True):
        parts[receiver] = part
    return parts


def _split_refined(
    system: System, giver: int, served_out: NDArray[np.int64], amount: int
) -> list[int]:
    direct = np.zeros((len(system.totals), 1), np.int64)
    direct[giver, 0] = 1
    start = first_bits(system) + abs(amount).bit_length() + 40
    enough = system.separation_bits + start + 8
    bits = start
    while True:
        found = approximate(system, direct, bits)
        values, errors = [], []
        for row in served_out:
            links = np.flatnonzero(row)
            unit_costs = found.unit_costs[links, 0]
            values.append(sum(int(s) * int(y) for s, y in zip(row[links], unit_costs, strict=True)))
            slack = sum(
                abs(int(s)) * found.error // int(t) + 1
                for s, t in zip(row[links], system.totals[links], strict=True)
            )
            errors.append(slack * abs(amount) + 1)
        final = bits == enough
        parts = _decide(amount, [amount * v for v in values], max(errors), bits, final)
        if parts is not None:
            return parts
        bits = min(4 * bits, enough)


def _decide(amount: int, values: list[int], error: int, bits: int, final: bool) -> list[int] | None:
    """Rule 2 on values in 2^-bits fen, each off by at most error; None where it is not certain."""
    one = 1 << bits
    parts, pieces = [], []
    for value in values:
        nearest = (value + one // 2) >> bits
        whole = abs(value - (nearest << bits)) <= error
        if whole and not final:
            return None
        part = nearest if whole else (abs(value) >> bits) * (1 if value >= 0 else -1)
        parts.append(part)
        pieces.append(0 if whole else value - (part << bits))
    missing = amount - sum(parts)
    if missing == 0:
        return parts
    step = 1 if missing > 0 else -1
    order = sorted(range(len(values)), key=lambda i: (-step * pieces[i], i))
    rank = [0] * len(values)
    for before, after in pairwise(order):
        apart = abs(pieces[before] - pieces[after]) > 2 * error
        rank[after] = rank[before] + apart
    order.sort(key=lambda i: (rank[i], i))
    last, next_ = order[abs(missing) - 1], order[abs(missing)]
    if rank[last] == rank[next_] and not final:
        return None
    for i in order[: abs(missing)]:
        parts[i] += step
    return parts


def _rational_shares(system: System, giver: int, served_out: NDArray[np.int64]) -> list[Fraction]:
    direct = np.zeros((len(system.totals), 1), np.int64)
    direct[giver, 0] = 1
    unit_costs = rational_unit_costs(system, direct)[:, 0]
    return [
        sum((int(s) * y for s, y in zip(row, unit_costs, strict=True)), Fraction(0))
        for row in served_out
    ]
