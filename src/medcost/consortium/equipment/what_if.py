"""What each device is worth: the plan solved again with it forced open or left out."""

from __future__ import annotations

from collections.abc import Iterator

from medcost.consortium.equipment.plan import (
    COST,
    N_ACCESS,
    Choices,
    EquipmentPlan,
    find_optimum,
)
from medcost.records import dataclass


@dataclass(frozen=True)
class WhatIf:
    """What changes where an opened device is left out, or a closed one is opened.

    device: its place; grassroots_unserved, grassroots_beyond, others_unserved: more examinations
    not made, or not made within the access distance; cost_fen: more cost. All None where it cannot
    be: the budget does not allow it.
    """

    device: int
    grassroots_unserved: int | None = None
    grassroots_beyond: int | None = None
    others_unserved: int | None = None
    cost_fen: int | None = None

    @property
    def costs_access(self) -> bool:
        """Whether any examination is lost or moved beyond the distance."""
        return bool(self.grassroots_unserved or self.grassroots_beyond or self.others_unserved)


def what_ifs(plan: EquipmentPlan) -> list[WhatIf]:
    """Each device turned round, in the order of the devices.

    Types have nothing in common but a budget, of which each type is left what the plan's devices
    of other types do not use. Goals stay in their order: a cost that falls may have been bought
    by access that was lost before it.
    """
    return [found for type_ in range(len(plan.problem.type_ids)) for found in _of(plan, type_)]


def _of(plan: EquipmentPlan, type_: int) -> Iterator[WhatIf]:
    from medcost.consortium.solver import SolverFailure

    part = plan.problem.of_type(type_)
    left = plan.problem.budget_fen
    if left is not None:
        left -= sum(plan.fixed_fen.tolist()) - sum(plan.fixed_fen[part.devices].tolist())
    problem = plan.problem.part(part.demands, part.devices, left).problem
    choices = Choices.of(problem)
    is_open = plan.is_open[part.devices]
    before = find_optimum(problem, Choices(is_open, is_open)).levels
    for place, device in enumerate(part.devices.tolist()):
        turned = choices.with_device(place, not is_open[place])
        fixed = sum(problem.fixed_fen[turned.lowest].tolist())
        if left is not None and fixed > left:
            yield WhatIf(device)
            continue
        try:
            levels = find_optimum(problem, turned).levels
        except SolverFailure as failure:
            if failure.kind != "infeasible":
                raise
            yield WhatIf(device)
            continue
        grassroots, beyond, others = (
            now - then for now, then in zip(levels[:N_ACCESS], before[:N_ACCESS], strict=True)
        )
        # What is beyond the distance counts what is not made at all; only what moved is told.
        yield WhatIf(device, grassroots, beyond - grassroots, others, levels[COST] - before[COST])
