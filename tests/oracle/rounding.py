"""Rules 2, 3d and 9 of the contract's arithmetic: how an amount falls into whole fen."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

Amount = int | Fraction
Key = TypeVar("Key", bound=Any)


@dataclass(frozen=True)
class Rounding:
    """`[departments.rounding]`: how another house rounds its cells."""

    multiplier_decimals: int | None
    amount_decimals: int
    residual: str


@dataclass(frozen=True)
class Arithmetic:
    """Whole fen, or exact rationals: the three places where the chain may round."""

    split: Callable[[Any, Mapping[Any, Fraction]], dict[Any, Any]]
    nearest: Callable[[Fraction], Amount]
    together: Callable[[Mapping[Any, Fraction]], dict[Any, Any]]
    rounds: bool


def half_away(value: Fraction) -> int:
    """Return the nearest integer; a half goes away from zero."""
    magnitude = math.floor(abs(value) + Fraction(1, 2))
    return magnitude if value >= 0 else -magnitude


def half_away_at(value: Fraction, decimals: int) -> Fraction:
    """Return the value rounded to so many decimals, halves away from zero."""
    scale = 10**decimals
    return Fraction(half_away(value * scale), scale)


def complete(exact: Mapping[Key, Fraction], total: int, quantum: int = 1) -> dict[Key, int]:
    """Cut each exact part toward zero and hand out what is missing from `total`.

    One quantum each to the parts whose cut-off piece is largest in the direction of what is
    missing, equal ones by key, going round again if need be; a rest smaller than a quantum goes
    to the next part in that order. `str` keys compare as their UTF-8 bytes do.
    """
    cells = {key: math.trunc(part / quantum) * quantum for key, part in exact.items()}
    missing = total - sum(cells.values())
    if missing == 0:
        return cells
    direction = 1 if missing > 0 else -1
    order = sorted(exact, key=lambda key: (-direction * (exact[key] - cells[key]), key))
    steps, rest = divmod(abs(missing), quantum)
    rounds, beyond = divmod(steps, len(order))
    for place, key in enumerate(order):
        cells[key] += direction * quantum * (rounds + (1 if place < beyond else 0))
    cells[order[beyond]] += direction * rest
    return cells


def exact_parts(amount: Amount, weights: Mapping[Key, Fraction]) -> dict[Key, Fraction]:
    """Return amount × weight ÷ total weight; a weight of 0 has no part."""
    total = sum(weights.values(), Fraction(0))
    return {key: Fraction(amount) * weight / total for key, weight in weights.items() if weight}


def split(amount: int, weights: Mapping[Key, Fraction]) -> dict[Key, int]:
    """Split whole fen by weights, rule 2; a weight of 0 receives nothing."""
    return complete(exact_parts(amount, weights), amount)


def round_together(exact: Mapping[Key, Fraction]) -> dict[Key, int]:
    """Round exact costs whose sum is whole fen, rule 3d."""
    total = sum(exact.values(), Fraction(0))
    if total.denominator != 1:
        raise ArithmeticError(f"the exact costs add up to {total}, which is not whole fen")
    return complete({key: cost for key, cost in exact.items() if cost}, total.numerator)


def split_cells(amount: int, weights: Mapping[Key, Fraction], rounding: Rounding) -> dict[Key, int]:
    """Split whole fen as `[departments.rounding]` says, rule 9; a weight of 0 receives nothing."""
    weights = {key: weight for key, weight in weights.items() if weight}
    multiplier = Fraction(amount) / sum(weights.values(), Fraction(0))
    if rounding.multiplier_decimals is not None:
        multiplier = half_away_at(multiplier / 100, rounding.multiplier_decimals) * 100
    exact = {key: multiplier * weight for key, weight in weights.items()}
    quantum = 10 ** (2 - rounding.amount_decimals)
    if rounding.residual == "largest_remainder":
        return complete(exact, amount, quantum)
    cells = {key: half_away(part / quantum) * quantum for key, part in exact.items()}
    largest = min(cells, key=lambda key: (-cells[key], key))
    cells[largest] += amount - sum(cells.values())
    return cells


def unrounded(value: Fraction) -> Amount:
    """Return the value as it is."""
    return value


WHOLE_FEN = Arithmetic(split, half_away, round_together, rounds=True)
EXACT = Arithmetic(exact_parts, unrounded, dict, rounds=False)
