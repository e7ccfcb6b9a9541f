"""A budget to be allocated: what was asked for, between which bounds, under which rules."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from medcost.records import dataclass

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rule:
    """A rule over all requests: the sum of coefficients x fen is at least bound.

    name: as results show it; coefficients: int64 [requests], whole numbers; per_fen: by how much
    they are larger than the rule's own fen (5 for a share of 2/5), so bound / per_fen is fen.
    """

    name: str
    coefficients: Ints
    bound: int
    per_fen: int = 1

    def slack(self, fen: Ints) -> int:
        """By how much an allocation is above the bound, in steps of 1 / per_fen; exact."""
        used = np.flatnonzero(self.coefficients)
        weights: list[int] = self.coefficients[used].tolist()
        amounts: list[int] = fen[used].tolist()
        return sum(a * b for a, b in zip(weights, amounts, strict=True)) - self.bound

    def exact_slack(self, fen: list[Fraction]) -> Fraction:
        """The same for fractions of a fen."""
        used = np.flatnonzero(self.coefficients).tolist()
        return sum((int(self.coefficients[j]) * fen[j] for j in used), Fraction(-self.bound))


@dataclass(frozen=True)
class Problem:
    """Requests sorted by their key, [requests], and the rules.

    asked: fen above zero; low, high: fen, what each gets at least and at most; unit: position of
    its member.
    """

    asked: Ints
    low: Ints
    high: Ints
    unit: Ints
    rules: tuple[Rule, ...]

    @property
    def n(self) -> int:
        """Number of requests."""
        return len(self.asked)

    @property
    def scale(self) -> int:
        """Fen that one unit of the linear programs' rows is: all that was asked for."""
        asked: list[int] = self.asked.tolist()
        return sum(asked)


def at_most(name: str, total: int, n: int) -> Rule:
    """Everything together is at most total."""
    return Rule(name, np.full(n, -1, np.int64), -total)


def at_least(name: str, total: int, counted: NDArray[np.bool_]) -> Rule:
    """What is counted is together at least total."""
    return Rule(name, counted.astype(np.int64), total)


def share_at_least(name: str, share: Fraction, counted: NDArray[np.bool_]) -> Rule:
    """What is counted is at least a share of everything that is allocated."""
    top, bottom = share.as_integer_ratio()
    return Rule(name, np.where(counted, bottom - top, -top).astype(np.int64), 0, bottom)


def share_at_most(name: str, share: Fraction, counted: NDArray[np.bool_]) -> Rule:
    """What is counted is at most a share of everything that is allocated."""
    top, bottom = share.as_integer_ratio()
    return Rule(name, np.where(counted, top - bottom, top).astype(np.int64), 0, bottom)
