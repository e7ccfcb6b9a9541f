"""The facility program: opened devices, examinations of each pair, examinations not made.

Variables, in this order: x [devices] in {0, 1}, y [pairs] >= 0, g [demands] >= 0, with
  Σ y of a demand + g = quantity          every examination is made or counted as not made
  y <= quantity · x                       one row a pair: what makes the relaxation tight
  Σ y of a device <= capacity · x
  Σ fixed · x <= budget                   where the policy has one
Once x is whole, y and g are flows from demands to devices: a vertex of the program is whole.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.equipment.problem import EquipmentProblem
from medcost.money import FEN_PER_YUAN
from medcost.records import dataclass

if TYPE_CHECKING:
    from medcost.consortium.solver import LinearProgram

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Goal:
    """One level: what is made least, by variable; held: the value it must not exceed."""

    name: str
    cost: NDArray[np.int64]


@dataclass(frozen=True)
class FacilityProgram:
    """The matrix of a problem, made once and solved for every goal."""

    problem: EquipmentProblem

    @property
    def n_variables(self) -> int:
        """Devices, pairs and demands."""
        return self.problem.n_devices + self.problem.n_pairs + self.problem.n_demands

    @cached_property
    def goals(self) -> tuple[Goal, ...]:
        """The goals in order: access of grassroots members, of others, cost, distance.

        Counts are whole examinations, cost fen, distance whole 1e-4.
        """
        of = self.problem
        grassroots = of.is_grassroots
        beyond = grassroots[of.pair_demand] & ~of.is_within
        nothing = np.zeros(of.n_devices, np.int64)
        no_pair = np.zeros(of.n_pairs, np.int64)
        none = np.zeros(of.n_demands, np.int64)

        def goal(name: str, *parts: NDArray[Any]) -> Goal:
            return Goal(name, np.concatenate(parts).astype(np.int64))

        return (
            goal("grassroots_unserved", nothing, no_pair, grassroots),
            goal("grassroots_beyond", nothing, beyond, grassroots),
            goal("others_unserved", nothing, no_pair, ~grassroots),
            goal("cost", of.fixed_fen, of.variable_fen[of.pair_device], none),
            goal("distance", nothing, of.distance, none),
        )

    @cached_property
    def _rows(self) -> tuple[Any, FloatArray, FloatArray]:
        """Matrix, lower and upper bounds of the rows without those of held goals."""
        from scipy import sparse

        of = self.problem
        devices, pairs, demands = of.n_devices, of.n_pairs, of.n_demands
        y, every_pair = devices + np.arange(pairs), np.arange(pairs)
        row = np.concatenate(
            [
                of.pair_demand,
                np.arange(demands),
                demands + every_pair,
                demands + every_pair,
                demands + pairs + of.pair_device,
                demands + pairs + np.arange(devices),
                np.full(devices, demands + pairs + devices),
            ]
        )
        column = np.concatenate(
            [
                y,
                devices + pairs + np.arange(demands),
                y,
                of.pair_device,
                y,
                np.arange(devices),
                np.arange(devices),
            ]
        )
        most = np.minimum(of.quantity[of.pair_demand], of.capacity[of.pair_device])
        value = np.concatenate(
            [
                np.ones(pairs),
                np.ones(demands),
                np.ones(pairs),
                -most,
                np.ones(pairs),
                -of.capacity,
                of.fixed_fen / FEN_PER_YUAN,
            ]
        )
        n_rows = demands + pairs + devices + 1
        matrix = sparse.csr_matrix((value, (row, column)), shape=(n_rows, self.n_variables))
        budget = np.inf if of.budget_fen is None else of.budget_fen / FEN_PER_YUAN
        lower = np.concatenate([of.quantity, np.full(pairs + devices + 1, -np.inf)])
        upper = np.concatenate([of.quantity, np.zeros(pairs + devices), [budget]])
        return matrix, lower, upper

    def program(
        self,
        cost: FloatArray,
        held: list[tuple[Goal, int]],
        lowest: NDArray[np.bool_],
        highest: NDArray[np.bool_],
        counts_examinations: bool = False,
    ) -> LinearProgram:
        """The program that makes a cost least, the goals so far held at their values.

        cost: [variables]; lowest, highest: bounds of x, bool [devices]. A device whose bounds
        are equal is no choice.
        """
        from scipy import sparse

        from medcost.consortium.solver import LinearProgram

        of = self.problem
        matrix, row_lower, row_upper = self._rows
        if held:
            scale = np.array([scale_of(goal) for goal, _ in held])
            rows = sparse.csr_matrix(np.stack([goal.cost for goal, _ in held]) / scale[:, None])
            matrix = sparse.vstack([matrix, rows], format="csr")
            row_lower = np.concatenate([row_lower, np.full(len(held), -np.inf)])
            values = np.array([value for _, value in held], np.float64)
            row_upper = np.concatenate([row_upper, values / scale])
        integer = np.zeros(self.n_variables, np.bool_)
        integer[: of.n_devices] = lowest != highest
        if integer.any() and counts_examinations:
            # Flows are whole anyway; said so, the solver knows that a count moves in whole steps.
            integer |= cost != 0
        most = np.minimum(of.quantity[of.pair_demand], of.capacity[of.pair_device])
        return LinearProgram(
            np.asarray(cost, np.float64),
            np.concatenate([lowest, np.zeros(of.n_pairs + of.n_demands)]).astype(np.float64),
            np.concatenate([highest, most, of.quantity]).astype(np.float64),
            matrix,
            row_lower,
            row_upper,
            integer if integer.any() else None,
        )


def scale_of(goal: Goal) -> float:
    """What a goal is counted in before the solver: yuan for fen, one for examinations.

    Distances are counted in whole kilometres or minutes.
    """
    return {"cost": float(FEN_PER_YUAN), "distance": 1e4}.get(goal.name, 1.0)
