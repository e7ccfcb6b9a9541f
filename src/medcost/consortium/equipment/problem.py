"""What is to be decided, as arrays: demands for examinations, devices that could be opened."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from medcost.records import dataclass


@dataclass(frozen=True)
class EquipmentProblem:
    """One month: who asks for which examinations, which device could stand where, who reaches it.

    unit_ids, type_ids: sorted labels; grassroots: bool [units].
    demand_unit, demand_type int64 [demands], sorted by type and unit; quantity: whole examinations,
    above 0.
    device_unit, device_type int64 [devices], sorted by type, unit and device_ids; capacity: whole
    examinations; fixed_fen: of the month, where it is opened; variable_fen: of one examination;
    is_kept: a device that stays open whatever it costs.
    pair_demand, pair_device int64 [pairs], sorted: who can be examined where; distance: whole 1e-4
    of a kilometre or minute; is_within: whether it lies within the access distance.
    budget_fen: the most that the fixed cost of opened devices may be, None: no rule.
    """

    unit_ids: tuple[str, ...]
    grassroots: NDArray[np.bool_]
    type_ids: tuple[str, ...]
    demand_unit: NDArray[np.int64]
    demand_type: NDArray[np.int64]
    quantity: NDArray[np.int64]
    device_unit: NDArray[np.int64]
    device_type: NDArray[np.int64]
    device_ids: tuple[str, ...]
    capacity: NDArray[np.int64]
    fixed_fen: NDArray[np.int64]
    variable_fen: NDArray[np.int64]
    is_kept: NDArray[np.bool_]
    pair_demand: NDArray[np.int64]
    pair_device: NDArray[np.int64]
    distance: NDArray[np.int64]
    is_within: NDArray[np.bool_]
    budget_fen: int | None = None

    @property
    def n_demands(self) -> int:
        """How many demands there are."""
        return len(self.quantity)

    @property
    def n_devices(self) -> int:
        """How many devices could be opened."""
        return len(self.capacity)

    @property
    def n_pairs(self) -> int:
        """How many pairs of a demand and a device it can use."""
        return len(self.pair_demand)

    @cached_property
    def is_grassroots(self) -> NDArray[np.bool_]:
        """Whether each demand is one of a grassroots member, bool [demands]."""
        return self.grassroots[self.demand_unit]

    def of_type(self, type_: int) -> Part:
        """The demands, devices and pairs of one type as a problem without a budget."""
        demands = np.flatnonzero(self.demand_type == type_)
        devices = np.flatnonzero(self.device_type == type_)
        return self.part(demands, devices, None)

    def part(
        self,
        demands: NDArray[np.int64],
        devices: NDArray[np.int64],
        budget_fen: int | None,
        quantity: NDArray[np.int64] | None = None,
    ) -> Part:
        """Some demands and devices, sorted places, as a problem; pairs between them are kept.

        quantity: examinations of these demands in place of what they ask for.
        """
        demand_place = _places(self.n_demands, demands)
        device_place = _places(self.n_devices, devices)
        pairs = np.flatnonzero(
            (demand_place[self.pair_demand] >= 0) & (device_place[self.pair_device] >= 0)
        )
        problem = EquipmentProblem(
            self.unit_ids,
            self.grassroots,
            self.type_ids,
            self.demand_unit[demands],
            self.demand_type[demands],
            self.quantity[demands] if quantity is None else quantity,
            self.device_unit[devices],
            self.device_type[devices],
            tuple(self.device_ids[device] for device in devices.tolist()),
            self.capacity[devices],
            self.fixed_fen[devices],
            self.variable_fen[devices],
            self.is_kept[devices],
            demand_place[self.pair_demand[pairs]],
            device_place[self.pair_device[pairs]],
            self.distance[pairs],
            self.is_within[pairs],
            budget_fen,
        )
        return Part(problem, demands, devices, pairs)


@dataclass(frozen=True)
class Part:
    """A problem of some demands and devices of a larger one, and their places there."""

    problem: EquipmentProblem
    demands: NDArray[np.int64]
    devices: NDArray[np.int64]
    pairs: NDArray[np.int64]


def _places(n: int, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """The new place of each of n things, -1 where it is not chosen."""
    place = np.full(n, -1, np.int64)
    place[chosen] = np.arange(len(chosen))
    return place
