"""Slow and obvious ways to the same answers, in fractions: every corner, every state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations, product

Row = tuple[list[Fraction], Fraction]


def solved(rows: Sequence[Row], n: int) -> list[Fraction] | None:
    """Return the one solution of n equations, None where there is none or more than one."""
    matrix = [[*weights, right] for weights, right in rows]
    for column in range(n):
        pivot = next((i for i in range(column, n) if matrix[i][column]), None)
        if pivot is None:
            return None
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        matrix[column] = [value / matrix[column][column] for value in matrix[column]]
        for i in range(n):
            if i != column and matrix[i][column]:
                factor = matrix[i][column]
                matrix[i] = [a - factor * b for a, b in zip(matrix[i], matrix[column], strict=True)]
    return [row[n] for row in matrix]


def corners(rows: Sequence[Row], n: int) -> Iterator[list[Fraction]]:
    """Yield every corner of {weights · x >= right for all rows}."""
    for chosen in combinations(rows, n):
        point = solved(chosen, n)
        if point is not None and all(
            sum(a * x for a, x in zip(weights, point, strict=True)) >= right
            for weights, right in rows
        ):
            yield point


def most(rows: Sequence[Row], n: int, column: int) -> Fraction | None:
    """Return the largest x[column], None where no x keeps all rows."""
    return max((point[column] for point in corners(rows, n)), default=None)


def unit_row(n: int, column: int, sign: int = 1) -> list[Fraction]:
    return [Fraction(sign if i == column else 0) for i in range(n)]


def leximin(
    asked: Sequence[int],
    low: Sequence[int],
    high: Sequence[int],
    rules: Sequence[tuple[Sequence[int], int]],
) -> list[Fraction] | None:
    """Return the leximin of x / asked over low <= x <= high and weights · x >= bound.

    By its definition: raise the common share of all that are free; whoever cannot have more than
    it, even if only its own share is raised, stays. None where the rules cannot hold.
    """
    n = len(asked)
    base: list[Row] = [([Fraction(w) for w in weights], Fraction(b)) for weights, b in rules]
    base += [(unit_row(n, j), Fraction(low[j])) for j in range(n)]
    base += [(unit_row(n, j, -1), Fraction(-high[j])) for j in range(n)]
    kept: dict[int, Fraction] = {}
    while len(kept) < n:
        fixed = [(unit_row(n, j), share * asked[j]) for j, share in kept.items()]
        free = [j for j in range(n) if j not in kept]
        wider = [([*weights, Fraction(0)], right) for weights, right in [*base, *fixed]]
        for j in free:
            wider.append(([*unit_row(n, j), Fraction(-asked[j])], Fraction(0)))
        common = most(wider, n + 1, n)
        if common is None:
            return None
        held = [(unit_row(n, j), common * asked[j]) for j in free]
        for j in free:
            largest = most([*base, *fixed, *held], n, j)
            if largest == common * asked[j]:
                kept[j] = common
    return [kept[j] * asked[j] for j in range(n)]


def filled(
    amount: int, weights: Sequence[int], floors: Sequence[int], caps: Sequence[int]
) -> list[Fraction]:
    """Return water-filling by trying every way to be free, at a floor or at a cap."""
    n = len(weights)
    for states in product((0, 1, 2), repeat=n):
        held = sum(floors[j] if states[j] == 1 else caps[j] for j in range(n) if states[j] != 0)
        weight = sum(weights[j] for j in range(n) if states[j] == 0)
        if weight == 0:
            if held != amount:
                continue
            low = max((Fraction(caps[j], weights[j]) for j in range(n)
                       if states[j] == 2 and weights[j]), default=Fraction(0))  # fmt: skip
            high = [Fraction(floors[j], weights[j]) for j in range(n)
                    if states[j] == 1 and weights[j]]  # fmt: skip
            if high and low > min(high):
                continue
            level = low
        else:
            level = Fraction(amount - held, weight)
        if level < 0:
            continue
        parts = [max(min(level * weights[j], Fraction(caps[j])), Fraction(floors[j]))
                 for j in range(n)]  # fmt: skip
        if sum(parts) == amount:
            return parts
    raise AssertionError("no state fits")
