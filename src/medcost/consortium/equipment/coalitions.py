"""Whether any group of members is better off alone: the most aggrieved one, by a program.

A group alone has the devices that could stand at its own members (those that are kept it has to
keep), and gives each member as many examinations as the plan does, and as many of them within the
access distance. Its excess is what it is charged less what it would pay alone: above zero it would
rather leave. The group with the greatest excess is found by a mixed-integer program over all groups
at once (a listing would need 2^members of them), and its cost alone solved again and recomputed in
whole numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medcost.balance import exact_sums
from medcost.consortium.equipment.prices import Endowments
from medcost.errors import InvariantBroken
from medcost.money import FEN_PER_YUAN
from medcost.records import dataclass

if TYPE_CHECKING:
    from medcost.consortium.solver import LinearProgram

WHOLE = 1e-4


@dataclass(frozen=True)
class Coalition:
    """A group of members: sorted places of units, what it is charged and would pay alone, fen."""

    members: tuple[int, ...]
    share_fen: int
    alone_fen: int

    @property
    def excess_fen(self) -> int:
        """What the group would save by leaving; at most zero where it gains by staying."""
        return self.share_fen - self.alone_fen


def cost_alone(of: Endowments, members: NDArray[np.int64]) -> int | None:
    """What a group of members would pay alone, in fen; None where it cannot do it at all.

    members: sorted places of units. The cost is recomputed in integers from whole examinations.
    """
    from medcost.consortium.solver import SolverFailure, solve

    is_member = np.zeros(len(of.problem.unit_ids), np.bool_)
    is_member[members] = True
    of = _own(of, is_member)
    try:
        values = solve(_group_program(of, None, is_member)).values
    except SolverFailure as failure:
        if failure.kind == "infeasible":
            return None
        raise
    # The devices are settled; their assignment is solved again, from a vertex: whole flows.
    is_open = values[: of.problem.n_devices] > 0.5
    flows = solve(_group_program(of, None, is_member, is_open)).values[of.problem.n_devices :]
    flows = flows[: of.problem.n_pairs]
    examined = np.rint(flows).astype(np.int64)
    if len(flows) and np.abs(flows - examined).max() > WHOLE:
        raise InvariantBroken("shared equipment: a group's assignment is not whole")
    return _recomputed(of, is_member, is_open, examined)


def most_aggrieved(of: Endowments, share_fen: NDArray[np.int64]) -> Coalition | None:
    """The group, neither empty nor everybody, with the greatest excess; None for fewer than two.

    share_fen: what each unit is charged for this type, int64 [units].
    """
    from medcost.consortium.solver import SolverFailure, solve

    concerned = _concerned(of)
    if len(concerned) < 2:
        return None
    try:
        values = solve(_group_program(of, share_fen, None)).values
    except SolverFailure as failure:
        if failure.kind == "infeasible":
            # No group but everybody together can have its examinations.
            return None
        raise
    chosen = values[_first_member(of) :][: len(of.problem.unit_ids)] > 0.5
    members = np.flatnonzero(chosen)
    alone = cost_alone(of, members)
    if alone is None:
        raise InvariantBroken("shared equipment: the group found cannot stand alone")
    return Coalition(tuple(members.tolist()), sum(share_fen[members].tolist()), alone)


def _concerned(of: Endowments) -> NDArray[np.int64]:
    """Units that have examinations of this type, sorted."""
    return np.unique(of.problem.demand_unit[of.served > 0])


def _own(of: Endowments, is_member: NDArray[np.bool_]) -> Endowments:
    """The demands and devices of a group, and what the plan gives them."""
    demands = np.flatnonzero(is_member[of.problem.demand_unit])
    devices = np.flatnonzero(is_member[of.problem.device_unit])
    part = of.problem.part(demands, devices, None)
    return Endowments(part.problem, of.served[demands], of.within[demands])


def _first_member(of: Endowments) -> int:
    return of.problem.n_devices + of.problem.n_pairs


def _group_program(
    of: Endowments,
    share_fen: NDArray[np.int64] | None,
    is_member: NDArray[np.bool_] | None,
    is_open: NDArray[np.bool_] | None = None,
) -> LinearProgram:
    """Variables x [devices], y [pairs], z [units]; is_member fixes z, is_open fixes x.

    Least cost of the group less what it is charged. Without is_member z is free, of the units
    that have examinations at least one and not all, of the others those with a device.
    """
    from scipy import sparse

    from medcost.consortium.solver import LinearProgram

    problem = of.problem
    k, p, n, units = problem.n_devices, problem.n_pairs, problem.n_demands, len(problem.unit_ids)
    device, pair, every = problem.pair_device, problem.pair_demand, np.arange(p)
    y, z = k + every, k + p
    within = np.flatnonzero(problem.is_within)
    concerned = _concerned(of)
    own = np.arange(k)
    last = 2 * n + p + 2 * k
    entries = (
        (pair, y, 1.0),
        (np.arange(n), z + problem.demand_unit, -of.served),
        (n + pair[within], y[within], 1.0),
        (n + np.arange(n), z + problem.demand_unit, -of.within),
        (2 * n + every, y, 1.0),
        (2 * n + every, device, -of.served[pair]),
        (2 * n + p + device, y, 1.0),
        (2 * n + p + own, own, -problem.capacity),
        (2 * n + p + k + own, own, 1.0),
        (2 * n + p + k + own, z + problem.device_unit, -1.0),
        (np.full(len(concerned), last), z + concerned, 1.0),
    )
    row = np.concatenate([rows for rows, _, _ in entries])
    column = np.concatenate([columns for _, columns, _ in entries])
    value = np.concatenate([np.broadcast_to(v, rows.shape) for rows, _, v in entries])
    matrix = sparse.csr_matrix((value, (row, column)), shape=(last + 1, k + p + units))
    zero, free = np.zeros, np.full
    row_lower = np.concatenate(
        [zero(2 * n), free(p + k, -np.inf), np.where(problem.is_kept, 0, -np.inf), [0.0]]
    )
    row_upper = np.concatenate([zero(n), free(n, np.inf), zero(p + 2 * k), [np.inf]])
    lower, upper = zero(k + p + units), np.ones(k + p + units)
    upper[k:z] = of.served[pair]
    cost = np.concatenate([problem.fixed_fen, problem.variable_fen[device], zero(units)])
    integer = free(k + p + units, False)
    integer[:k] = True
    gap = 1e-9
    if is_open is not None:
        lower[:k] = upper[:k] = is_open
        integer[:k] = False
    if is_member is not None:
        lower[z:] = upper[z:] = is_member
    else:
        may_join = np.zeros(units, np.bool_)
        may_join[concerned] = may_join[problem.device_unit] = True
        upper[z:] = may_join
        integer[z:] = may_join
        row_lower[last], row_upper[last] = 1, len(concerned) - 1
        # Charges are cut down to the fen: nearer than a fen a member no two groups are told apart.
        gap = len(concerned) / FEN_PER_YUAN
    if share_fen is not None:
        cost[z:] = -share_fen
    return LinearProgram(
        cost / FEN_PER_YUAN, lower, upper, matrix, row_lower, row_upper,
        integer if integer.any() else None, gap,
    )  # fmt: skip


def _recomputed(
    of: Endowments,
    is_member: NDArray[np.bool_],
    is_open: NDArray[np.bool_],
    examined: NDArray[np.int64],
) -> int:
    """The cost of a group's own plan, its rules checked in whole numbers."""
    problem = of.problem
    column = examined.reshape(-1, 1)
    made = exact_sums(problem.pair_demand, column, problem.n_demands)[:, 0]
    near = np.where(problem.is_within, examined, 0).reshape(-1, 1)
    made_within = exact_sums(problem.pair_demand, near, problem.n_demands)[:, 0]
    load = exact_sums(problem.pair_device, column, problem.n_devices)[:, 0]
    asks = is_member[problem.demand_unit]
    kept = (
        (made == np.where(asks, of.served, 0)).all()
        and (made_within >= np.where(asks, of.within, 0)).all()
        and (load <= np.where(is_open, problem.capacity, 0)).all()
        and not (is_open & ~is_member[problem.device_unit]).any()
    )
    if not kept:
        raise InvariantBroken("shared equipment: a group's own plan breaks a rule")
    fixed = sum(problem.fixed_fen[is_open].tolist())
    variable = problem.variable_fen.tolist()
    total: int = fixed + sum(n * fen for n, fen in zip(load.tolist(), variable, strict=True))
    return total
