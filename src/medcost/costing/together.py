"""Rounding many exact costs together, once, to a total that is known (arithmetic rule 3d).

Fixed point proposes: each cost comes as whole fen, a 64-bit fraction and a bound of its error.
Where the bound leaves open on which side of a whole fen a cost lies, or which of two cut-off
pieces is larger, the exact rational decides, so the result is that of exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medcost._core.fixed_point import first_cut, give_largest, round_clear
from medcost.errors import InvariantBroken

# Pieces are compared in 2^-62 fen, so that a signed piece fits int64.
PIECE_ONE = 1 << 62
LARGEST_COST = 1 << 62
# 2^-10 fen in 2^-64 fen: what a proposed cost may be off by (arithmetic rule 7).
ROUGH = 1 << 54


def round_together(
    whole: NDArray[np.int64],
    fraction: NDArray[np.uint64],
    error: NDArray[np.int64],
    total: int,
    exact_of: Callable[[int], Fraction],
) -> NDArray[np.int64]:
    """Costs in whole fen that add up to total, int64 [costs], in key order.

    whole, fraction: floor of the cost in fen and 2^-64 fen; error: bound of what it is off, in
    2^-64 fen, 0 where exact; exact_of(i): the exact cost. Every cost is cut toward zero; the
    missing fen go one each to the largest cut-off pieces in their direction, the first on ties,
    going round again where there are more fen than costs. Raises OverflowError beyond 2^62.
    Time O(costs), plus one rational for each cost that the bound leaves open.
    """
    cut, piece, exact = _cut_toward_zero(whole, fraction, error, exact_of)
    missing = total - sum_exactly(cut)
    if missing == 0:
        return cut
    if not len(cut):
        raise InvariantBroken(f"{missing} fen have no receiver to be rounded on to")
    # The smallest int64 has no positive twin, so it is looked at before its absolute value.
    if max(int(cut.max()), -int(cut.min()), abs(missing)) > LARGEST_COST:
        raise OverflowError("a cost does not fit 64 bits")
    step = 1 if missing > 0 else -1
    rounds, count = divmod(abs(missing), len(cut))
    cut = cut + step * rounds
    if count:
        # Near a whole fen the exact piece stands in for the proposed one.
        bound = np.where(np.isin(np.arange(len(error)), list(exact)), 0, error) if exact else error
        chosen = _largest(step * piece, bound, count, step, exact, exact_of)
        cut[chosen] += step
    return cut


class OpenFen(NamedTuple):
    """n fen, of this sign, that go to some of the costs at places, one each; places ascend."""

    places: NDArray[np.int64]
    n: int
    step: int


def round_clearly(
    costs: NDArray[np.int64],
    lane: int,
    shift: int,
    is_exact: bool,
    limit: int,
    total: int,
    cut: NDArray[np.int64],
) -> OpenFen | None:
    """Round one lane of fixed-point costs to total, into cut, as far as it is certain which.

    The arguments are those of the kernel round_clear. Returns the fen that are open, to no places
    where all are given; None, and then cut means nothing, where cutting takes a closer look. Time
    O(costs).
    """
    if abs(total) > LARGEST_COST:
        return None
    found = round_clear(costs, lane, shift, is_exact, limit, total, cut)
    if found is None:
        return None
    places, n = found
    return OpenFen(places, n, _direction(cut, total) if n else 1)


def _direction(cut: NDArray[np.int64], total: int) -> int:
    """Whether fen are lacking or too many; some of those lacking may have been given."""
    return 1 if total > sum_exactly(cut) else -1


def hand_out(
    cut: NDArray[np.int64], piece: NDArray[np.int64], reach: int, missing: int
) -> OpenFen | None:
    """Give the missing fen, in place, to the largest pieces, as far as it is certain which.

    cut: whole fen; piece: 2^-62 fen, each less than reach off; as for round_together, with no
    whole fen in reach of any. Returns what is left to be given, None where nothing is.

    Time O(costs).
    """
    n, step = abs(missing), 1 if missing > 0 else -1
    if n == 0:
        return None
    if n >= len(cut):
        return OpenFen(np.arange(len(cut)), n, step)
    between, left = give_largest(cut, piece, reach, n, step)
    if len(between) > left:
        return OpenFen(between, left, step)
    cut[between] += step
    return None


def cut_exactly(
    cut: NDArray[np.int64], piece: NDArray[np.int64], place: int, exact: Fraction
) -> None:
    """Cut one cost by what it is exactly, in place: whole fen toward zero, piece in 2^-62 fen."""
    cut[place] = int(exact)
    rest = exact - int(exact)
    piece[place] = rest.numerator * PIECE_ONE // rest.denominator


def give_exactly(cut: NDArray[np.int64], fen: OpenFen, exact: Sequence[Fraction]) -> None:
    """Give fen that are open, in place, by the exact costs of their places; the first on ties."""
    pieces = [fen.step * (cost - int(cost)) for cost in exact]
    order = sorted(range(len(pieces)), key=lambda i: (-pieces[i], i))
    cut[fen.places[order[: fen.n]]] += fen.step


def open_places(
    whole: NDArray[np.int64], fraction: NDArray[np.uint64], error: NDArray[np.int64], total: int
) -> NDArray[np.int64]:
    """Positions of the costs that the bound leaves open: more digits might round them otherwise.

    whole, fraction, error, total: as for round_together. What is open for round_together with
    the same costs and the same or smaller errors is among them; where the costs move within
    their errors, one beside a bound may open that is not.
    """
    cut, piece, near = first_cut(whole, fraction, error)
    missing = total - sum_exactly(cut)
    doubtful = int(np.count_nonzero(near))
    if abs(missing) + 2 * doubtful >= len(cut):
        return np.arange(len(cut))
    clear = np.flatnonzero(~near)
    is_open = near.copy()
    for step in (1, -1):
        # A doubtful cost may be cut to the other side of a whole fen, and may itself get one.
        most, least = step * missing + doubtful, step * missing - 2 * doubtful
        if most > 0:
            low, high = _bounds(step * piece[clear], error[clear])
            reached = _largest_but(low, most)
            passed = _largest_but(high, least) if least > 0 else PIECE_ONE
            is_open[clear] |= (high >= reached) & (low <= passed)
    return np.flatnonzero(is_open)


def split_exactly(amount: int, weights: list[int]) -> list[int]:
    """Parts of amount by integer weights of any size, by arithmetic rule 2; total not zero."""
    total = sum(weights)
    return round_fractions(amount, [Fraction(amount * weight, total) for weight in weights])


def round_fractions(amount: int, exact: list[Fraction]) -> list[int]:
    """Whole parts of exact parts that add up to amount, by arithmetic rule 2.

    Where more fen are missing than there are parts the order is gone round again.
    """
    parts = [int(part) for part in exact]
    missing = amount - sum(parts)
    if missing == 0:
        return parts
    if not parts:
        raise InvariantBroken(f"{missing} fen have no receiver to be rounded on to")
    step = 1 if missing > 0 else -1
    rounds, count = divmod(abs(missing), len(parts))
    order = sorted(range(len(exact)), key=lambda i: (-step * (exact[i] - parts[i]), i))
    for place, i in enumerate(order):
        parts[i] += step * (rounds + (place < count))
    return parts


def sum_exactly(values: NDArray[np.int64]) -> int:
    """The sum of int64 values as a Python integer; never wraps."""
    return (int((values >> 32).sum()) << 32) + int((values & 0xFFFFFFFF).sum())


def _cut_toward_zero(
    whole: NDArray[np.int64],
    fraction: NDArray[np.uint64],
    error: NDArray[np.int64],
    exact_of: Callable[[int], Fraction],
) -> tuple[NDArray[np.int64], NDArray[np.int64], dict[int, Fraction]]:
    """Whole part toward zero, signed piece in 2^-62 fen, and the exact costs that were needed."""
    cut, piece, near = first_cut(whole, fraction, error)
    exact: dict[int, Fraction] = {}
    for i in np.flatnonzero(near).tolist():
        exact[i] = exact_of(i)
        cut_exactly(cut, piece, i, exact[i])
    return cut, piece, exact


def _bounds(
    piece: NDArray[np.int64], error: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What a piece is at least and at most, in 2^-62 fen; two for the digits cut off."""
    reach = (error >> 2) + 2
    return piece - reach, piece + reach


def _largest_but(values: NDArray[np.int64], count: int) -> int:
    """The value that count values reach or exceed, 0 < count <= len(values)."""
    return int(np.partition(values, len(values) - count)[len(values) - count])


def _largest(
    piece: NDArray[np.int64],
    error: NDArray[np.int64],
    count: int,
    step: int,
    exact: dict[int, Fraction],
    exact_of: Callable[[int], Fraction],
) -> NDArray[np.int64]:
    """Positions of the count largest pieces, the first on ties; pieces already have the sign."""
    low, high = _bounds(piece, error)
    reached, passed = _largest_but(low, count), _largest_but(high, count)
    sure = np.flatnonzero(low > passed)
    open_ = np.flatnonzero((high >= reached) & (low <= passed))
    wanted = count - len(sure)
    if wanted < len(open_):
        costs = [exact[i] if i in exact else exact_of(i) for i in open_.tolist()]
        # Rows of the same services share one fraction: most comparisons are of identities.
        distinct = {id(cost): cost for cost in costs}
        pieces = {key: step * (cost - int(cost)) for key, cost in distinct.items()}
        ranked = sorted(set(pieces.values()), reverse=True)
        rank_of = {piece: rank for rank, piece in enumerate(ranked)}
        rank_of_id = {key: rank_of[piece] for key, piece in pieces.items()}
        ranks = np.array([rank_of_id[id(cost)] for cost in costs])
        open_ = open_[np.argsort(ranks, kind="stable")[:wanted]]
    return np.concatenate([sure, open_])
