"""Whether a coalition pays more than it would alone: the one that is worst off, and by how much.

The excess of a coalition is what its members pay less what it would cost alone; shares lie in the
core where no excess of a proper coalition is above zero. Up to 20 members all coalitions are
listed and compared exactly. Beyond, the coalition with the largest excess follows from the model or
is looked for by an integer program, and its excess is then computed exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.sharing.coalition_rows import CoalitionRows, proper
from medcost.consortium.sharing.cost_models import Alone, Largest, Steps
from medcost.consortium.sharing.games import Game, members_of
from medcost.consortium.sharing.production import Production
from medcost.records import dataclass

if TYPE_CHECKING:
    from medcost.consortium.solver import LinearProgram

Checked = Alone | Largest | Steps | Production


@dataclass(frozen=True)
class Coalition:
    """A proper coalition: its members, ascending, what it pays and would cost alone, fen, exact."""

    members: tuple[int, ...]
    pays: Fraction
    alone: Fraction

    @property
    def excess(self) -> Fraction:
        """What it pays too much; below zero: what it saves."""
        return self.pays - self.alone


def worst_listed(
    game: Game, shares: Sequence[Fraction], member: int | None = None
) -> Coalition | None:
    """The proper coalition with the largest excess, of those with a member if one is named.

    Of equal ones the smallest, then the first by its members. None where there is one member.
    game: of costs. Time O(2^n).
    """
    n = game.n
    counts = proper(n)
    if member is not None:
        counts &= (np.arange(1 << n) >> member & 1).astype(np.bool_)
    if not counts.any():
        return None
    rows = CoalitionRows(game.as_value, counts, 0)
    denominator = int(np.lcm.reduce([share.denominator for share in shares], dtype=object))
    numerators = [int(-share * denominator) for share in shares]
    slack, error = rows.estimate(numerators, denominator)
    near = np.flatnonzero(slack <= slack.min() + 2 * error)
    largest = float(np.abs(slack[near]).max()) + error
    exact, _ = rows.exact(numerators, denominator, near, largest)
    least = min(exact)
    tied = [tuple(members_of(int(near[i]))) for i, amount in enumerate(exact) if amount == least]
    members = min(tied, key=lambda one: (len(one), one))
    cost = int(game.values[sum(1 << i for i in members)])
    return _coalition(members, shares, Fraction(cost))


def _coalition(members: Sequence[int], shares: Sequence[Fraction], cost: Fraction) -> Coalition:
    pays = sum((shares[i] for i in members), Fraction(0))
    return Coalition(tuple(members), pays, cost)


def worst_of_model(
    model: Checked, shares: Sequence[Fraction], member: int | None = None
) -> Coalition | None:
    """The proper coalition with the largest excess, without a list; as worst_listed.

    Alone and Largest: in a sorted order, exact. Steps and Production: an integer program finds it.
    Raises solver.SolverFailure.
    """
    if model.n == 1:
        return None
    if isinstance(model, Alone):
        own = [share - cost for share, cost in zip(shares, model.own.tolist(), strict=True)]
        return _cost_of(model, _best_proper(own, range(model.n), member), shares)
    if isinstance(model, Largest):
        return _worst_of_largest(model, shares, member)
    return _cost_of(model, _separated(model, shares, member), shares)


def _cost_of(model: Checked, members: Sequence[int], shares: Sequence[Fraction]) -> Coalition:
    chosen = np.zeros(model.n, np.bool_)
    chosen[list(members)] = True
    if isinstance(model, Production):
        return _coalition(members, shares, model.exact_cost(chosen))
    return _coalition(members, shares, Fraction(int(model.costs(chosen[None, :])[0])))


def _best_proper(
    worth: Sequence[Fraction], among: Sequence[int] | range, member: int | None
) -> list[int]:
    """The members with a positive worth, and the one named; at least one and not all."""
    chosen = [i for i in among if worth[i] > 0 or i == member]
    if not chosen:
        chosen = [max(among, key=lambda i: (worth[i], -i))]
    if len(chosen) == len(worth):
        left_out = min((i for i in chosen if i != member), key=lambda i: (worth[i], i))
        chosen.remove(left_out)
    return chosen


def _worst_of_largest(model: Largest, shares: Sequence[Fraction], member: int | None) -> Coalition:
    need = model.need.tolist()
    found = []
    for level in sorted({*need}):
        if member is not None and need[member] > level:
            continue
        among = [i for i in range(model.n) if need[i] <= level]
        found.append(_cost_of(model, _best_proper(shares, among, member), shares))
    return max(found, key=lambda one: (one.excess, -len(one.members), [-i for i in one.members]))


def _separated(
    model: Steps | Production, shares: Sequence[Fraction], member: int | None
) -> list[int]:
    """Members of the coalition with the largest excess by an integer program."""
    from medcost.consortium.solver import solve

    answer = solve(separation_program(model, shares, member))
    return np.flatnonzero(answer.values[: model.n] > 0.5).tolist()


def separation_program(
    model: Steps | Production, shares: Sequence[Fraction], member: int | None = None
) -> LinearProgram:
    """Choose members, and the cheapest plan for them, so that share less cost is largest.

    Variables: whether each member is in [n], then steps (whole) or activities. Money is counted in
    the largest share, volumes in the largest need.
    """
    from scipy.sparse import csr_matrix

    from medcost.consortium.solver import LinearProgram

    n = model.n
    money = max(float(max(map(abs, shares))), 1.0)
    if isinstance(model, Steps):
        plan, rows, row_upper = _step_rows(model)
        whole = np.ones(n + len(plan), np.bool_)
    else:
        plan, rows, row_upper = _process_rows(model)
        whole = np.append(np.ones(n, np.bool_), np.zeros(len(plan), np.bool_))
    cost = np.concatenate([[-float(share) / money for share in shares], plan / money])
    size = np.append(np.ones(n), np.zeros(len(plan)))
    lower = np.zeros(n + len(plan))
    if member is not None:
        lower[member] = 1
    upper = np.append(np.ones(n), np.full(len(plan), 1.0 if isinstance(model, Steps) else np.inf))
    matrix = csr_matrix(np.vstack([rows, size]))
    row_lower = np.append(np.full(len(row_upper), -np.inf), 1.0)
    return LinearProgram(
        cost, lower, upper, matrix, row_lower, np.append(row_upper, n - 1.0), whole
    )


def _step_rows(model: Steps) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The cost of steps; rows: volume within the step chosen, at most one step."""
    scale = float(max(model.up_to.max(), 1))
    volume = np.append(model.volume / scale, -model.up_to / scale)
    one = np.append(np.zeros(model.n), np.ones(len(model.up_to)))
    return model.cost.astype(np.float64), np.vstack([volume, one]), np.array([0.0, 1.0])


def _process_rows(model: Production) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The cost of activities; rows: what is required is at most what is produced.

    An activity is counted in what yields the largest need, so that numbers stay near one.
    """
    scale = np.maximum(np.abs(model.need).max(axis=0), 1).astype(np.float64)
    output = model.output / scale
    level = np.maximum(output.max(axis=1), 1e-12)
    rows = np.hstack([(model.need / scale).T, -(output / level[:, None]).T])
    return model.unit_cost / level, rows, np.zeros(len(scale))
