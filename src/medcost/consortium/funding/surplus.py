"""Who gets a package's surplus or bears its overspend: by groups of members, then by weights."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor

from medcost.consortium.funding.water_filling import AT_FLOOR, fill, split_by_weights
from medcost.errors import InvariantBroken
from medcost.records import dataclass

ABSENT = ("others", "keep")


class FloorAboveCap(Exception):
    """A member's floor lies above what the rules let it have at most; floor, cap: fen."""

    def __init__(self, member: int, floor: int, cap: int) -> None:
        self.member, self.floor, self.cap = member, floor, cap
        super().__init__(f"member {member} has a floor of {floor} fen above its cap of {cap} fen")


@dataclass(frozen=True)
class Group:
    """Members that share one part of an amount; parts: such as the 6 of 6 : 3 : 1."""

    name: str
    parts: int


@dataclass(frozen=True)
class Sharers:
    """Members sorted by id, [members].

    group: position among the groups, -1 for none; weights: not negative; floors, caps: fen,
    None is no cap.
    """

    group: tuple[int, ...]
    weights: tuple[int, ...]
    floors: tuple[int, ...]
    caps: tuple[int | None, ...]


@dataclass(frozen=True)
class Shares:
    """What is shared out.

    fen, held: of each member, of the sign of the amount; held as in water_filling; group_fen: of
    each group; left: fen that nobody may be given, kept by the pool.
    """

    fen: tuple[int, ...]
    held: tuple[int, ...]
    group_fen: tuple[int, ...]
    left: int


def share_out(
    amount: int,
    groups: Sequence[Group],
    sharers: Sharers,
    absent: str = "others",
    most: Fraction | None = None,
) -> Shares:
    """Share a surplus, or an overspend below zero, by the groups' parts and inside by weight.

    A group in which nobody has a weight or a floor is absent: its part goes to the others in their
    ratio, or is kept. most: the largest share of its group's part that one member may have. An
    overspend is shared as its amount is, with the sign turned, so the one is the mirror of the
    other. Raises FloorsExceedAmount, FloorAboveCap.
    """
    members = [
        [j for j, of in enumerate(sharers.group) if of == place] for place in range(len(groups))
    ]
    present = [
        any(sharers.weights[j] > 0 or sharers.floors[j] > 0 for j in inside) for inside in members
    ]
    parts = [
        group.parts if is_there or absent == "keep" else 0
        for group, is_there in zip(groups, present, strict=True)
    ]
    n, sign, left = len(sharers.group), -1 if amount < 0 else 1, 0
    fen, held = [0] * n, [AT_FLOOR] * n
    by_group = split_by_weights(abs(amount), parts) if any(parts) else [0] * len(groups)
    left += abs(amount) - sum(by_group)
    for inside, is_there, part in zip(members, present, by_group, strict=True):
        if not is_there:
            left += part
            continue
        caps = [_lower(sharers.caps[j], most, part) for j in inside]
        floors = [sharers.floors[j] for j in inside]
        for j, floor_fen, cap in zip(inside, floors, caps, strict=True):
            if cap is not None and cap < floor_fen:
                raise FloorAboveCap(j, floor_fen, cap)
        filled = fill(part, [sharers.weights[j] for j in inside], floors, caps)
        left += filled.left
        for j, given, at in zip(inside, filled.fen, filled.held, strict=True):
            fen[j], held[j] = given, at
    if sum(fen) + left != abs(amount):
        raise InvariantBroken(f"shares of {sum(fen)} fen and {left} left of {abs(amount)} fen")
    return Shares(
        tuple(sign * one for one in fen),
        tuple(held),
        tuple(sign * one for one in by_group),
        sign * left,
    )


def _lower(cap: int | None, most: Fraction | None, part: int) -> int | None:
    """The lower of a cap in fen and a share of the group's part."""
    if most is None:
        return cap
    of_part = floor(most * part)
    return of_part if cap is None else min(cap, of_part)
