"""An amount shared by weights between floors and caps, exactly: water poured into vessels."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from medcost.errors import InvariantBroken
from medcost.quotients import round_together
from medcost.records import dataclass

FREE, AT_FLOOR, AT_CAP = 0, 1, 2


class FloorsExceedAmount(Exception):
    """The floors together are more than there is; missing: fen."""

    def __init__(self, missing: int) -> None:
        self.missing = missing
        super().__init__(f"the floors exceed the amount by {missing} fen")


@dataclass(frozen=True)
class Filled:
    """What everybody gets.

    fen: one each; held: FREE, AT_FLOOR or AT_CAP; level: fen a unit of weight of those who are
    free, None where nobody is; left: fen that no cap leaves room for.
    """

    fen: tuple[int, ...]
    held: tuple[int, ...]
    level: Fraction | None
    left: int


def split_by_weights(amount: int, weights: Sequence[int]) -> list[int]:
    """An amount of either sign split by weights, by rule 2; equal remainders by position.

    weights: not negative, one above zero; service volume x score outgrows 64 bits, so all is done
    in Python's integers.
    """
    return round_together([amount * weight for weight in weights], sum(weights))


def fill(
    amount: int,
    weights: Sequence[int],
    floors: Sequence[int],
    caps: Sequence[int | None],
) -> Filled:
    """Share an amount by weights so that nobody gets less than its floor or more than its cap.

    Everybody gets min(max(level x weight, floor), cap) with the one level at which the parts add
    up to the amount; a weight of 0 gets its floor. What is free is split by rule 2, ties by
    position, so members come sorted by id. amount, floors and caps: fen, not negative; None is no
    cap. The level is found among the points where somebody leaves a floor or meets a cap, in
    exact fractions: O(n log n). Raises FloorsExceedAmount; ValueError where a floor is above its
    cap, a weight is negative or nobody could be given the first fen.
    """
    _require_sound(amount, weights, floors, caps)
    room = sum(
        floor if weight == 0 else amount if cap is None else cap
        for weight, floor, cap in zip(weights, floors, caps, strict=True)
    )
    missing = sum(floors) - amount
    if missing > 0:
        raise FloorsExceedAmount(missing)
    shared = min(amount, room)
    point = _level_at_or_below(shared, weights, floors, caps)
    held = [_held_above(point, *one) for one in zip(weights, floors, caps, strict=True)]
    fen = [
        cap if at == AT_CAP and cap is not None else floor if at == AT_FLOOR else 0
        for at, floor, cap in zip(held, floors, caps, strict=True)
    ]
    free = [j for j, at in enumerate(held) if at == FREE]
    rest, level = shared - sum(fen), None
    if free:
        level = Fraction(rest, sum(weights[j] for j in free))
        for j, part in zip(free, split_by_weights(rest, [weights[j] for j in free]), strict=True):
            fen[j] = part
    _require_filled(shared, fen, floors, caps)
    return Filled(tuple(fen), tuple(held), level, amount - shared)


def _require_sound(
    amount: int, weights: Sequence[int], floors: Sequence[int], caps: Sequence[int | None]
) -> None:
    if amount < 0 or any(weight < 0 for weight in weights) or any(floor < 0 for floor in floors):
        raise ValueError("amount, weights and floors must not be negative")
    if any(cap is not None and cap < floor for floor, cap in zip(floors, caps, strict=True)):
        raise ValueError("a floor lies above its cap")


def _given(level: Fraction, weight: int, floor: int, cap: int | None) -> Fraction:
    at_level = max(level * weight, Fraction(floor))
    return at_level if cap is None else min(at_level, Fraction(cap))


def _level_at_or_below(
    amount: int, weights: Sequence[int], floors: Sequence[int], caps: Sequence[int | None]
) -> Fraction:
    """The highest point where somebody moves or stops at which no more than the amount is given."""
    points = {Fraction(0)}
    for weight, floor, cap in zip(weights, floors, caps, strict=True):
        if weight > 0:
            points |= {Fraction(floor, weight)}
            points |= set() if cap is None else {Fraction(cap, weight)}
    ordered = sorted(points)
    members = list(zip(weights, floors, caps, strict=True))
    low, high = 0, len(ordered)
    while high - low > 1:
        middle = (low + high) // 2
        if sum(_given(ordered[middle], *one) for one in members) <= amount:
            low = middle
        else:
            high = middle
    return ordered[low]


def _held_above(point: Fraction, weight: int, floor: int, cap: int | None) -> int:
    """Where somebody is just above a point: rising, still at its floor or already at its cap."""
    at_level = point * weight
    if weight == 0 or at_level < floor:
        return AT_FLOOR
    return AT_CAP if cap is not None and at_level >= cap else FREE


def _require_filled(
    amount: int, fen: Sequence[int], floors: Sequence[int], caps: Sequence[int | None]
) -> None:
    if sum(fen) != amount:
        raise InvariantBroken(f"parts of {sum(fen)} fen were made of {amount} fen")
    for part, floor, cap in zip(fen, floors, caps, strict=True):
        if part < floor or (cap is not None and part > cap):
            raise InvariantBroken(f"{part} fen are outside {floor} to {cap}")
