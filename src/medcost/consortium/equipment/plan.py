"""The plan: goals in order, each solved and held, then one plan chosen of those that are equal."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from medcost.balance import exact_sums
from medcost.consortium.equipment.problem import EquipmentProblem, Part
from medcost.consortium.equipment.program import FacilityProgram, Goal, scale_of
from medcost.errors import InvariantBroken
from medcost.records import dataclass

# The goals that count examinations; they come first.
N_ACCESS = 3
COST = 3
# So many devices are told apart at once by powers of two.
DEVICES_AT_ONCE = 16
# How far from a whole number a flow may lie: a vertex is whole but for the solver's tolerance.
WHOLE = 1e-4
GOLDEN = 0x9E3779B1


@dataclass(frozen=True)
class EquipmentPlan:
    """Opened devices and who is examined where, in whole numbers.

    is_open: bool [devices]; examined: int64 [pairs]; levels: the value of every goal, in the
    order of FacilityProgram.goals.
    """

    problem: EquipmentProblem
    is_open: NDArray[np.bool_]
    examined: NDArray[np.int64]
    levels: tuple[int, ...]

    @cached_property
    def served(self) -> NDArray[np.int64]:
        """Examinations made of each demand."""
        return _counts(self.problem.pair_demand, self.examined, self.problem.n_demands)

    @cached_property
    def served_within(self) -> NDArray[np.int64]:
        """Examinations of each demand made within the access distance."""
        within = np.where(self.problem.is_within, self.examined, 0)
        return _counts(self.problem.pair_demand, within, self.problem.n_demands)

    @cached_property
    def unserved(self) -> NDArray[np.int64]:
        """Examinations of each demand that are not made."""
        return self.problem.quantity - self.served

    @cached_property
    def load(self) -> NDArray[np.int64]:
        """Examinations on each device."""
        return _counts(self.problem.pair_device, self.examined, self.problem.n_devices)

    @cached_property
    def fixed_fen(self) -> NDArray[np.int64]:
        """Fixed cost of each device, 0 where it is not opened."""
        return np.where(self.is_open, self.problem.fixed_fen, 0)

    @cached_property
    def variable_fen(self) -> NDArray[np.int64]:
        """Variable cost of the examinations on each device."""
        products = [
            int(fen) * int(n) for fen, n in zip(self.problem.variable_fen, self.load, strict=True)
        ]
        return np.array(products, np.int64)

    @property
    def cost_fen(self) -> int:
        """Fixed and variable cost of all opened devices."""
        return self.levels[COST]


@dataclass(frozen=True)
class Choices:
    """What may be opened: bounds of every device, bool [devices]. Equal bounds are no choice."""

    lowest: NDArray[np.bool_]
    highest: NDArray[np.bool_]

    @staticmethod
    def of(problem: EquipmentProblem) -> Choices:
        """Everything may be opened, and what is kept is."""
        return Choices(problem.is_kept.copy(), np.ones(problem.n_devices, np.bool_))

    def with_device(self, device: int, is_open: bool) -> Choices:
        """The same, but one device forced open or left out."""
        lowest, highest = self.lowest.copy(), self.highest.copy()
        lowest[device] = highest[device] = is_open
        return Choices(lowest, highest)

    def only(self, devices: NDArray[np.int64]) -> Choices:
        """The bounds of some devices."""
        return Choices(self.lowest[devices], self.highest[devices])


def find_plan(problem: EquipmentProblem) -> EquipmentPlan:
    """The plan of a problem: every goal in order, and of equal plans always the same.

    Of plans equal in all goals the one that opens the devices that come first (by type, unit and
    device), and of its assignments one fixed by the order of demands and devices. Raises
    SolverFailure where the program has no solution, InvariantBroken where a flow is not whole.
    """
    return _joined(problem, Choices.of(problem), is_whole=True)


def find_optimum(problem: EquipmentProblem, choices: Choices) -> EquipmentPlan:
    """A plan that is best up to cost under other choices; distance and ties are left open."""
    return _joined(problem, choices, is_whole=False)


def require_plan(plan: EquipmentPlan) -> None:
    """Stop the run unless a plan keeps every rule in whole numbers.

    Each demand is examined or counted as unserved, no device that is closed or full is used, kept
    devices are open, the fixed cost lies within the budget, and every goal has its value. Raises
    InvariantBroken.
    """
    of = plan.problem
    if (plan.examined < 0).any() or (plan.unserved < 0).any():
        raise InvariantBroken("shared equipment: more examinations are placed than asked for")
    if (plan.load > np.where(plan.is_open, of.capacity, 0)).any():
        raise InvariantBroken("shared equipment: a device does more than its capacity")
    if (of.is_kept & ~plan.is_open).any():
        raise InvariantBroken("shared equipment: a device that is kept is not open")
    if of.budget_fen is not None and sum(plan.fixed_fen.tolist()) > of.budget_fen:
        raise InvariantBroken("shared equipment: the opened devices exceed the budget")
    found = goal_values(of, plan.is_open, plan.examined)
    if found != plan.levels:
        raise InvariantBroken(f"shared equipment: goals {found} are not those held, {plan.levels}")


def goal_values(
    problem: EquipmentProblem, is_open: NDArray[np.bool_], examined: NDArray[np.int64]
) -> tuple[int, ...]:
    """The value of every goal, in Python integers."""
    unserved = problem.quantity - _counts(problem.pair_demand, examined, problem.n_demands)
    place = np.concatenate([is_open.astype(np.int64), examined, unserved])
    used = np.flatnonzero(place)
    times = place[used].tolist()
    return tuple(
        sum(n * each for n, each in zip(times, goal.cost[used].tolist(), strict=True))
        for goal in FacilityProgram(problem).goals
    )


def _joined(problem: EquipmentProblem, choices: Choices, is_whole: bool) -> EquipmentPlan:
    """Without a budget, types have nothing in common: each is solved alone.

    A plan that is best without the budget and lies within it is the best with it.
    """
    is_open = np.zeros(problem.n_devices, np.bool_)
    examined = np.zeros(problem.n_pairs, np.int64)
    for type_ in range(len(problem.type_ids)):
        part: Part = problem.of_type(type_)
        solving = _Solving(part.problem, choices.only(part.devices))
        is_open[part.devices], examined[part.pairs] = solving.solved(is_whole)
    spent = sum(problem.fixed_fen[is_open].tolist())
    if problem.budget_fen is not None and spent > problem.budget_fen:
        is_open, examined = _Solving(problem, choices).solved(is_whole)
    return EquipmentPlan(problem, is_open, examined, goal_values(problem, is_open, examined))


class _Solving:
    """The levels of one program, solved one after the other."""

    def __init__(self, problem: EquipmentProblem, choices: Choices) -> None:
        self.problem = problem
        self.choices = choices
        self.program = FacilityProgram(problem)
        self.held: list[tuple[Goal, int]] = []

    def solved(self, is_whole: bool) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Opened devices and examinations; is_whole: with distance and ties settled."""
        of = self.problem
        if not of.n_pairs:
            # Nobody can be examined: what is kept stays open, the rest is left.
            return self.choices.lowest.copy(), np.zeros(0, np.int64)
        access, (cost, distance) = self.program.goals[:N_ACCESS], self.program.goals[COST:]
        everything = of.budget_fen is None
        for goal in access:
            self._hold(goal, self.choices.highest if everything else None)
        is_open, examined = self._hold(cost, None)
        if not is_whole:
            return is_open, examined
        is_open, examined = self._hold(distance, None)
        is_open = self._first_of_equal()
        return is_open, self._flows(is_open, _spread(self.program.n_variables, of))

    def _hold(
        self, goal: Goal, is_open: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Make a goal least and hold it; is_open: the devices where they are no question."""
        place = _place(goal, self.program.goals)
        cost = goal.cost / scale_of(goal)
        if is_open is None:
            is_open = self._opened(cost, place < N_ACCESS)
        examined = self._flows(is_open, cost)
        value = goal_values(self.problem, is_open, examined)[place]
        if goal.cost.any():
            self.held.append((goal, value))
        return is_open, examined

    def _opened(
        self, cost: NDArray[np.float64], counts_examinations: bool = False
    ) -> NDArray[np.bool_]:
        from medcost.consortium.solver import solve

        lowest, highest = self.choices.lowest, self.choices.highest
        if (lowest == highest).all():
            return lowest.copy()
        program = self.program.program(cost, self.held, lowest, highest, counts_examinations)
        solution = solve(program)
        return np.asarray(solution.values[: self.problem.n_devices]) > 0.5

    def _flows(self, is_open: NDArray[np.bool_], cost: NDArray[np.float64]) -> NDArray[np.int64]:
        """The examinations of each pair once the devices are chosen, from a vertex."""
        from medcost.consortium.solver import solve

        solution = solve(self.program.program(cost, self.held, is_open, is_open))
        flows = np.asarray(solution.values)[self.problem.n_devices :][: self.problem.n_pairs]
        whole = np.rint(flows)
        if len(flows) and np.abs(flows - whole).max() > WHOLE:
            raise InvariantBroken("shared equipment: the assignment is not in whole examinations")
        return whole.astype(np.int64)

    def _first_of_equal(self) -> NDArray[np.bool_]:
        """Of the plans that all goals leave, the one that opens the first devices.

        Devices are weighed by powers of two, some at a time, and then fixed: this is the order of
        the dictionary, exactly.
        """
        n = self.problem.n_devices
        free = np.flatnonzero(self.choices.lowest != self.choices.highest)
        bounds = [*range(0, len(free), DEVICES_AT_ONCE), len(free)]
        for first, last in pairwise(bounds):
            chosen = free[first:last]
            cost = np.zeros(self.program.n_variables)
            cost[chosen] = -np.exp2(np.arange(len(chosen))[::-1])
            is_open = self._opened(cost)
            lowest, highest = self.choices.lowest.copy(), self.choices.highest.copy()
            lowest[chosen] = highest[chosen] = is_open[chosen]
            self.choices = Choices(lowest, highest)
        return self.choices.lowest[:n].copy()


def _spread(n_variables: int, problem: EquipmentProblem) -> NDArray[np.float64]:
    """Costs of pairs that no two assignments share: multiples of the golden ratio, cut."""
    cost = np.zeros(n_variables)
    places = np.arange(1, problem.n_pairs + 1, dtype=np.uint64) * np.uint64(GOLDEN)
    cost[problem.n_devices :][: problem.n_pairs] = (places % np.uint64(2**32)) >> np.uint64(12)
    return cost / 2**20


def _counts(places: NDArray[np.int64], examined: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Examinations by demand or device."""
    return exact_sums(places, examined.reshape(-1, 1), n)[:, 0].astype(np.int64)


def _place(goal: Goal, goals: tuple[Goal, ...]) -> int:
    """Where a goal stands among the goals."""
    return [one.name for one in goals].index(goal.name)
