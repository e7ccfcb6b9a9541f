"""Prices of examinations: duals that no group of members can undercut, proved in whole numbers.

The coalition program of one type. Of a group S of members, each to have as many examinations as the
plan gives it (q), and as many of them within the access distance (a), on devices at members of S:
  least Σ fixed · x + Σ variable · y
  Σ y of a demand >= q          price u >= 0
  Σ y within of a demand >= a   surcharge w >= 0
  y <= q · x                    m >= 0
  Σ y of a device <= capacity·x  l >= 0
  x <= 1 (= 1 where kept)       r >= 0 (any sign where kept), the rent of a scarce device
Its dual, for all members together:
  most Σ q·u + a·w - Σ r
  u + w (where within) - m - l <= variable
  Σ q·m + capacity·l - r <= fixed
Any u, w, l, m, r that keep these rows keep them too for every group S, whose program has fewer of
them: so what S is charged, its q·u + a·w less the rents of its own devices, is never more than S
would pay alone, whole devices included (Owen 1975: prices times endowments lie in the core). Prices
are rounded to 1e-6 yuan, m and r made anew from them in whole numbers: the proof trusts no
solver.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.equipment.problem import EquipmentProblem
from medcost.errors import InvariantBroken
from medcost.money import FEN_PER_YUAN
from medcost.records import dataclass

if TYPE_CHECKING:
    from medcost.consortium.solver import LinearProgram

# Prices are whole 1e-6 yuan, as unit costs are in every table.
STEPS_OF_YUAN = 10**6
STEPS_OF_FEN = STEPS_OF_YUAN // FEN_PER_YUAN
# By how much of it the largest price may be missed while the next is made least, and how far below
# it, in yuan, a price counts as the largest: a small member's moves more than a large one's.
HELD_PART = 1e-9
ALIKE = 1e-4
# So many of the largest prices are told apart; the others are as the solver has them.
MOST_ROUNDS = 12


@dataclass(frozen=True)
class Endowments:
    """What the plan gives each demand of a problem of one type: examinations, those within."""

    problem: EquipmentProblem
    served: NDArray[np.int64]
    within: NDArray[np.int64]


@dataclass(frozen=True)
class Prices:
    """Prices in whole 1e-6 yuan: of an examination, and what one within the distance adds.

    price, surcharge: int64 [demands]; load_price: of capacity, int64 [devices]; rent: of each
    device, Python integers [devices], which its owner is credited (of a kept device that nobody
    needs it is negative: the owner bears it).
    """

    price: NDArray[np.int64]
    surcharge: NDArray[np.int64]
    load_price: NDArray[np.int64]
    rent: NDArray[np.object_]


def relaxation_prices(of: Endowments, with_surcharge: bool = True) -> Prices:
    """Duals of the coalition program of all members: they recover as much as any prices can.

    Of prices that recover as much, the flattest: the largest of an examination is least, then the
    next; members who stand alike (same devices, same part within) pay alike. with_surcharge:
    whether members pay for being examined near by.
    """
    return _certified(of, *_solved(of, _dual_program(of, with_surcharge)))


def assignment_prices(
    of: Endowments, is_open: NDArray[np.bool_], with_surcharge: bool = True
) -> Prices:
    """Duals of the assignment to the devices that the plan opened, their fixed cost left out.

    An examination costs what the dearest device in use and its scarcity make of it; rents stay
    with the devices, whose fixed cost they help to cover.
    """
    program = _dual_program(of, with_surcharge, is_open)
    price, surcharge, load_price = _solved(of, program)
    problem = of.problem
    for_one = problem.variable_fen[problem.pair_device] * STEPS_OF_FEN
    for_one = for_one + load_price[problem.pair_device]
    for_one -= np.where(problem.is_within, surcharge[problem.pair_demand], 0)
    usable = is_open[problem.pair_device]
    least = np.full(problem.n_demands, np.iinfo(np.int64).max)
    np.minimum.at(least, problem.pair_demand[usable], for_one[usable])
    price = np.where(of.served > 0, np.minimum(price, np.maximum(least, 0)), 0)
    rent = np.zeros(problem.n_devices, object)
    return Prices(price, surcharge, load_price, rent)


def charges(of: Endowments, prices: Prices) -> NDArray[np.object_]:
    """What each demand is charged before rents, Python integers of 1e-6 yuan [demands]."""
    charged = _times(of.served, prices.price) + _times(of.within, prices.surcharge)
    return np.asarray(charged, dtype=object)


def require_undercut_by_none(of: Endowments, prices: Prices) -> None:
    """Prove in whole numbers that prices keep the dual's rows. Raises InvariantBroken."""
    problem = of.problem
    if (prices.price < 0).any() or (prices.surcharge < 0).any() or (prices.load_price < 0).any():
        raise InvariantBroken("shared equipment: a price is negative")
    needed = _needed_rents(of, prices.price, prices.surcharge, prices.load_price)
    rent = prices.rent
    if (rent < needed).any() or ((rent < 0) & ~problem.is_kept).any():
        raise InvariantBroken("shared equipment: a group could undercut its prices")


def _certified(
    of: Endowments,
    price: NDArray[np.int64],
    surcharge: NDArray[np.int64],
    load_price: NDArray[np.int64],
) -> Prices:
    needed = _needed_rents(of, price, surcharge, load_price)
    rent = np.where(of.problem.is_kept, needed, np.maximum(needed, 0))
    return Prices(price, surcharge, load_price, rent)


def _needed_rents(
    of: Endowments,
    price: NDArray[np.int64],
    surcharge: NDArray[np.int64],
    load_price: NDArray[np.int64],
) -> NDArray[np.object_]:
    """The least r of each device, m being as small as its rows allow; Python integers."""
    problem = of.problem
    pair, device = problem.pair_demand, problem.pair_device
    over = price[pair] + np.where(problem.is_within, surcharge[pair], 0) - load_price[device]
    over -= problem.variable_fen[device] * STEPS_OF_FEN
    needed = _times(problem.capacity, load_price) - _times(
        problem.fixed_fen, np.full(problem.n_devices, STEPS_OF_FEN)
    )
    margins = _times(np.maximum(over, 0), of.served[pair])
    for place in np.flatnonzero(margins).tolist():
        needed[device[place]] += margins[place]
    return np.asarray(needed, dtype=object)


def _dual_program(
    of: Endowments, with_surcharge: bool, is_open: NDArray[np.bool_] | None = None
) -> LinearProgram:
    """The dual as a program to make least; is_open: the devices of a plan, their cost sunk.

    Variables: u [demands], w [demands], l [devices], then m [pairs] and r [devices], which are
    fixed at 0 for the assignment, and the largest price.
    """
    from scipy import sparse

    from medcost.consortium.solver import LinearProgram

    problem = of.problem
    n, k, p = problem.n_demands, problem.n_devices, problem.n_pairs
    pair, device, every = problem.pair_demand, problem.pair_device, np.arange(p)
    within = np.flatnonzero(problem.is_within)
    charged = np.flatnonzero(of.served > 0)
    m, r, top = 2 * n + k, 2 * n + k + p, 2 * n + 2 * k + p
    highest = p + k + np.arange(len(charged))
    entries = (
        (every, pair, 1.0),
        (within, n + pair[within], 1.0),
        (every, m + every, -1.0),
        (every, 2 * n + device, -1.0),
        (p + device, m + every, of.served[pair]),
        (p + np.arange(k), 2 * n + np.arange(k), problem.capacity),
        (p + np.arange(k), r + np.arange(k), -1.0),
        # What an examination of each member is charged on average.
        (highest, charged, 1.0),
        (highest, n + charged, (of.within / np.maximum(of.served, 1))[charged]),
    )
    row = np.concatenate([rows for rows, _, _ in entries])
    column = np.concatenate([columns for _, columns, _ in entries])
    value = np.concatenate([np.broadcast_to(v, rows.shape) for rows, _, v in entries])
    matrix = sparse.csr_matrix((value, (row, column)), shape=(p + k + len(charged), top + 1))
    fixed = problem.fixed_fen / FEN_PER_YUAN
    variable = (problem.variable_fen / FEN_PER_YUAN)[device]
    upper = np.full(top + 1, np.inf)
    lower = np.zeros(top + 1)
    upper[np.flatnonzero(of.served == 0)] = 0
    upper[n + np.flatnonzero((of.within == 0) | (not with_surcharge))] = 0
    if is_open is None:
        lower[r:top][problem.is_kept] = -np.inf
        rent = np.ones(k)
        capacity = np.zeros(k)
    else:
        upper[m:top] = 0
        fixed = np.full(k, np.inf)
        variable = np.where(is_open[device], variable, np.inf)
        rent, capacity = np.zeros(k), np.where(is_open, problem.capacity, 0.0)
    cost = np.concatenate([-of.served, -of.within, capacity, np.zeros(p), rent, [0.0]])
    row_upper = np.concatenate([variable, fixed, np.full(len(charged), np.inf)])
    return LinearProgram(
        cost, lower, upper, matrix, np.full(len(row_upper), -np.inf), row_upper, None
    )


def _solved(
    of: Endowments, program: LinearProgram
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Price, surcharge and load price in whole steps."""
    n, k = of.problem.n_demands, of.problem.n_devices
    if not of.served.any():
        none = np.zeros(n, np.int64)
        return none, none.copy(), np.zeros(k, np.int64)
    values = _flattest(program, np.flatnonzero(of.served > 0))
    price = _alike(of, values[:n])
    surcharge = _alike(of, values[n : 2 * n])
    return _steps(price), _steps(surcharge), _steps(values[2 * n : 2 * n + k])


def _flattest(program: LinearProgram, charged: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of the prices that recover most, those whose largest is least, then the next, and so on.

    charged: demands that have examinations; what one of each is charged are the last rows of the
    program. In each round the largest price is made least and held for those who can never be
    charged less; others, who only happened to be charged as much, go on, for MOST_ROUNDS rounds.
    """
    from medcost.consortium.solver import SolverFailure, on_optimal_face, solve

    best = solve(program)
    held = on_optimal_face(program, best.duals, best.reduced_costs)
    held.row_upper[len(held.row_upper) - len(charged) :] = np.inf
    prices = held.matrix[len(held.row_upper) - len(charged) :]
    going_on, level = np.ones(len(charged), np.bool_), np.zeros(len(charged))
    values = best.values
    for _ in range(MOST_ROUNDS):
        try:
            values, most, stays = _largest_made_least(held, prices, going_on)
        except SolverFailure:
            # Prices nearly as flat recover as much: those of the round before do.
            break
        level[stays] = most
        going_on &= ~stays
        if not going_on.any():
            break
    # What is held lies within the solver's tolerance of its level: it is put there.
    values[charged] += np.where(going_on, 0.0, level - prices @ values)
    return values


def _largest_made_least(
    held: LinearProgram, prices: Any, going_on: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], float, NDArray[np.bool_]]:
    """One round: the answer, the largest price, and who is charged it whatever the answer.

    The prices of all who are charged it are made least in sum, until all of them stay. The
    ceilings of held's last rows are lowered in place.
    """
    import dataclasses

    from scipy import sparse

    from medcost.consortium.solver import solve

    first, top = len(held.row_upper) - len(going_on), len(held.cost) - 1
    rows = first + np.flatnonzero(going_on)
    over = sparse.csr_matrix(
        (np.full(len(rows), -1.0), (rows, np.full(len(rows), top))), shape=held.matrix.shape
    )
    ceilings = held.row_upper.copy()
    ceilings[rows] = 0
    largest = np.zeros(len(held.cost))
    largest[top] = 1.0
    values = solve(
        dataclasses.replace(held, cost=largest, matrix=held.matrix + over, row_upper=ceilings)
    ).values
    most = float(values[top])
    held.row_upper[rows] = most * (1 + HELD_PART)
    stays = going_on & (prices @ values >= most - ALIKE)
    while True:
        cost = np.asarray(prices.T @ stays.astype(np.float64))
        values = solve(dataclasses.replace(held, cost=cost)).values
        remain = stays & (prices @ values >= most - ALIKE)
        if not remain.any() or (remain == stays).all():
            return values, most, stays
        stays = remain


def _alike(of: Endowments, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over members who stand alike, weighed by their examinations.

    The mean of prices that keep the dual's rows keeps them: those who stand alike could be one
    member with the sum of their examinations.
    """
    problem = of.problem
    usable: list[list[tuple[int, bool]]] = [[] for _ in range(problem.n_demands)]
    for demand, device, within in zip(
        problem.pair_demand.tolist(),
        problem.pair_device.tolist(),
        problem.is_within.tolist(),
        strict=True,
    ):
        usable[demand].append((device, within))
    groups: dict[Any, list[int]] = {}
    for demand in np.flatnonzero(of.served > 0).tolist():
        part = Fraction(int(of.within[demand]), int(of.served[demand]))
        groups.setdefault((tuple(usable[demand]), part), []).append(demand)
    mean = values.copy()
    for members in groups.values():
        weights = of.served[members]
        mean[members] = float(values[members] @ weights) / float(weights.sum())
    return mean


def _steps(yuan: NDArray[np.float64]) -> NDArray[np.int64]:
    """The nearest whole 1e-6 yuan: rents, which are made from these, make up for the rounding."""
    return np.asarray(np.rint(np.maximum(yuan, 0) * STEPS_OF_YUAN), dtype=np.int64)


def _times(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.object_]:
    """Products as Python integers: they need not fit 64 bits."""
    return np.asarray(left.astype(object) * right.astype(object), dtype=object)
