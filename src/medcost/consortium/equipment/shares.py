"""What each member is charged for each type of device, what the pool pays, who pays whom."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medcost._core.split import split_rows
from medcost.balance import exact_sums
from medcost.consortium.equipment.plan import EquipmentPlan
from medcost.consortium.equipment.prices import (
    STEPS_OF_FEN,
    Endowments,
    Prices,
    assignment_prices,
    charges,
    relaxation_prices,
    require_undercut_by_none,
)
from medcost.errors import InvariantBroken
from medcost.records import dataclass

Duals = Literal["relaxation", "assignment"]
# Who bears a part of the cost.
Bearer = Literal["pool", "members"]


@dataclass(frozen=True)
class TypeShares:
    """One type of device: prices of its demands, and fen of each unit.

    share_fen, borne_fen int64 [units]: what a unit is charged, and the cost of the devices that
    stand at it; pool_fen: what is left for the pool; share_fen and pool_fen add up to borne_fen.
    remainder_fen: the part of the cost that the prices did not recover, whoever bears it.
    """

    type_: int
    of: Endowments
    prices: Prices
    share_fen: NDArray[np.int64]
    borne_fen: NDArray[np.int64]
    pool_fen: int
    remainder_fen: int

    @property
    def cost_fen(self) -> int:
        """Fixed and variable cost of the type's devices."""
        return sum(self.borne_fen.tolist())


def share_cost(
    plan: EquipmentPlan, duals: Duals, remainder: Bearer, nearness: Bearer
) -> list[TypeShares]:
    """The cost of every type shared by prices, the rest borne by the pool or by examinations.

    nearness: who bears what it costs that examinations are made within the access distance. A
    member's charge is cut down to the fen, so that no group is charged more than its prices say.
    Raises InvariantBroken where prices can be undercut or money does not add up.
    """
    return [
        _of_type(plan, type_, duals, remainder, nearness)
        for type_ in range(len(plan.problem.type_ids))
    ]


def _of_type(
    plan: EquipmentPlan, type_: int, duals: Duals, remainder: Bearer, nearness: Bearer
) -> TypeShares:
    part = plan.problem.of_type(type_)
    problem = part.problem
    of = Endowments(problem, plan.served[part.demands], plan.served_within[part.demands])
    with_surcharge = nearness == "members"
    if duals == "relaxation":
        prices = relaxation_prices(of, with_surcharge)
        require_undercut_by_none(of, prices)
    else:
        prices = assignment_prices(of, plan.is_open[part.devices], with_surcharge)
    n_units = len(problem.unit_ids)
    steps: list[int] = [0] * n_units
    for unit, charge in zip(problem.demand_unit.tolist(), charges(of, prices), strict=True):
        steps[unit] += charge
    for unit, rent in zip(problem.device_unit.tolist(), prices.rent, strict=True):
        steps[unit] -= rent
    share = np.array([step // STEPS_OF_FEN for step in steps], np.int64)
    cost = (plan.fixed_fen + plan.variable_fen)[part.devices]
    borne = exact_sums(problem.device_unit, cost.reshape(-1, 1), n_units)[:, 0].astype(np.int64)
    left = sum(borne.tolist()) - sum(share.tolist())
    if left < 0 and duals == "relaxation":
        raise InvariantBroken("shared equipment: members are charged more than everything costs")
    pool = left
    served = exact_sums(problem.demand_unit, of.served.reshape(-1, 1), n_units)[:, 0]
    if remainder == "members" and served.any():
        weights = served.astype(np.int64)
        starts = np.array([0, n_units], np.int64)
        share = share + split_rows(np.array([[left]], np.int64), starts, weights)[:, 0]
        pool = 0
    if sum(share.tolist()) + pool != sum(borne.tolist()):
        raise InvariantBroken("shared equipment: shares and pool do not add up to the cost")
    return TypeShares(type_, of, prices, share, borne, pool, left)
