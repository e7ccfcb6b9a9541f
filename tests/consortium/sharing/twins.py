"""Slow, obvious twins: all orders for the Shapley value, a program for every coalition."""

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np

from medcost.consortium.sharing.games import Game

CERTAIN = 1e-6


def game(*values: int, is_cost: bool = False) -> Game:
    """A game from the values of nobody, {1}, {2}, {1, 2}, {3}, {1, 3}, {2, 3}, {1, 2, 3}, ..."""
    return Game(np.array(values, np.int64), is_cost)


def random_game(rng: np.random.Generator, n: int, low: int, high: int) -> Game:
    """A game of values between low and high in which together is worth what alone is."""
    values = rng.integers(low, high, 1 << n)
    values[0] = 0
    values[-1] = max(int(values[-1]), sum(int(values[1 << i]) for i in range(n)))
    return Game(values, is_cost=False)


def shapley_over_all_orders(of: Game) -> tuple[Fraction, ...]:
    """What each member adds, over all n! orders."""
    added = [0] * of.n
    for order in itertools.permutations(range(of.n)):
        before = 0
        for member in order:
            after = before | 1 << member
            added[member] += int(of.values[after]) - int(of.values[before])
            before = after
    return tuple(Fraction(x, math.factorial(of.n)) for x in added)


def solidarity_by_definition(of: Game) -> tuple[Fraction, ...]:
    """Sum over S with i of (n-s)! (s-1)! / n! x the average that members of S add."""
    n = of.n
    shares = [Fraction(0)] * n
    for coalition in range(1, 1 << n):
        members = [i for i in range(n) if coalition >> i & 1]
        s = len(members)
        worth = int(of.values[coalition])
        added = sum(worth - int(of.values[coalition ^ 1 << k]) for k in members)
        weight = Fraction(math.factorial(n - s) * math.factorial(s - 1), math.factorial(n))
        for i in members:
            shares[i] += weight * Fraction(added, s)
    return tuple(shares)


def nucleolus_by_asking_each_coalition(of: Game, weights: Any = None) -> Any:
    """The nucleolus of values in floating point: a coalition is held if no optimum improves it.

    Maschler's scheme, with a program for every coalition in every round.
    """
    from scipy.optimize import linprog

    n, values = of.n, of.values.astype(float)
    weights = np.ones(1 << n) if weights is None else weights
    rows = np.array([[s >> i & 1 for i in range(n)] for s in range(1 << n)], float)
    held = {(1 << n) - 1: values[-1]}
    bounds = [(values[1 << i], None) for i in range(n)]
    while True:
        equal = rows[list(held)]
        rank = np.linalg.matrix_rank(equal)
        if rank == n:
            return np.linalg.lstsq(equal, np.array(list(held.values())), rcond=None)[0]
        left = [
            s
            for s in range(1, (1 << n) - 1)
            if np.linalg.matrix_rank(np.vstack([equal, rows[s]])) > rank
        ]
        first = linprog(
            [*[0] * n, -1],
            A_ub=np.column_stack([-rows[left], weights[left]]),
            b_ub=-values[left],
            A_eq=np.column_stack([equal, np.zeros(len(equal))]),
            b_eq=list(held.values()),
            bounds=[*bounds, (None, None)],
        )
        least = values[left] + weights[left] * first.x[-1]
        wanted = [(s, low) for s, low in zip(left, least, strict=True)]
        wanted += [(1 << i, values[1 << i]) for i in range(n)]
        for s, low in wanted:
            best = linprog(
                -rows[s],
                A_ub=-rows[left],
                b_ub=-least + CERTAIN / 100,
                A_eq=equal,
                b_eq=[held[t] for t in list(held)[: len(equal)]],
                bounds=bounds,
            )
            together = np.vstack([rows[list(held)], rows[s]])
            if -best.fun < low + CERTAIN and np.linalg.matrix_rank(together) > len(held):
                held[s] = low
