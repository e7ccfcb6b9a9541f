"""Every member planned by itself: exact wherever the pool's floor stands in nobody's way.

Members meet only in the pool's rows. Without them the goals fall apart: a sum is at its least
where each part is, a largest value where each is, and leximin where each member stands at its own
least peak. If the plan made so keeps the pool's floor in every month it is the best one with the
floor too, with whole lots decided member by member instead of together.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.lending.cash import Cash, Terms
from medcost.consortium.lending.goals import (
    CAP,
    NOTHING,
    Goal,
    Means,
    Reached,
    canonical_cost,
    kinds_in_order,
    money_levels,
    whole_draws,
)
from medcost.consortium.lending.model import UNIT, PlanModel
from medcost.consortium.solver import Level, LinearProgram, SolvedLevel, solve_in_order
from medcost.records import dataclass

# A search for one member's lots ends when its value is proved best to a thousandth of a yuan.
GAP = 1e-7


@dataclass(frozen=True)
class Member:
    """One member's part of the plan: its columns of the whole program, and its own program.

    The last column of the program is a level: of the shortfall in the first goal, then of the
    debt beside the limit.
    """

    columns: NDArray[np.int64]
    program: LinearProgram


def reach_alone(
    model: PlanModel, cash: Cash, terms: Terms, means: Means, worst: float | None = None
) -> Reached | None:
    """All goals of one scenario, or None where the pool's floor would not be kept.

    worst: the worst shortfall where it is known. Raises SolverFailure (a member alone has no plan).
    """
    parts = _Parts(model, cash, terms, means)
    values = np.zeros(model.at.n)
    needy = np.flatnonzero(model.needy[0].any(axis=1)).tolist()
    others = np.setdiff1d(np.arange(len(cash.unit_ids)), needy)
    _fill_own_money(model, others, values)
    if (values[model.at.surplus[0, others]] < -NOTHING).any():
        # Its money lacks some fen that only a bridge could give: rare, and left to the whole.
        return None
    relaxed_worst = worst if worst is not None else 0.0
    if worst is None:
        firsts = [parts.least_worst(member) for member in needy]
        worst = max((one.value for one in firsts), default=0.0)
        relaxed_worst = max((one.relaxed for one in firsts), default=0.0)
        worst = worst if worst > NOTHING else 0.0
    solved: dict[int, dict[str, SolvedLevel]] = {}
    for member in needy:
        found, levels = parts.solved(member, worst)
        values[parts.columns(member)] = found
        solved[member] = levels
    values[model.at.cash[0]] = _pool_cash(model, values)
    rows = model.pool_rows[0]
    kept = (model.program.matrix @ values)[rows] - model.program.row_lower[rows]
    if (kept < 0).any():
        return None
    # A bridge that all scenarios share may be given to a member that needs none in this one.
    program = model.program
    if (values < program.lower - NOTHING).any() or (values > program.upper + NOTHING).any():
        return None
    goals = _goals(cash, terms, solved, worst, relaxed_worst)
    return Reached(values, goals, (), worst, model.program)


class _Parts:
    """The members' own programs, cut out of the whole one."""

    def __init__(self, model: PlanModel, cash: Cash, terms: Terms, means: Means) -> None:
        self.model, self.cash, self.means = model, cash, means
        self.levels = money_levels(model, cash, terms)
        self.canonical = canonical_cost(model, model.at.n)
        self.rounded = whole_draws(model, terms)
        at = model.at
        program = model.program
        owner = np.full(at.n, -1, np.int64)
        for columns in (at.surplus, at.shortfall, at.debt, at.bridge, at.lots, at.draws, at.repaid):
            owner[columns[0]] = np.arange(columns.shape[1])[:, None]
        # A row of its own has columns of one member alone: that of its first entry.
        matrix = program.matrix
        self.row_owner = np.full(matrix.shape[0], -1, np.int64)
        own = np.sort(model.own_rows)
        self.row_owner[own] = owner[matrix.indices[matrix.indptr[own]]]
        self.order = np.argsort(owner, kind="stable")
        self.starts = np.searchsorted(owner[self.order], np.arange(len(cash.unit_ids) + 1))
        self.row_order = np.argsort(self.row_owner, kind="stable")
        self.row_starts = np.searchsorted(
            self.row_owner[self.row_order], np.arange(len(cash.unit_ids) + 1)
        )

    def columns(self, member: int) -> NDArray[np.int64]:
        """A member's columns of the whole program, ascending."""
        return self.order[self.starts[member] : self.starts[member + 1]]

    def program(self, member: int, levelled: NDArray[np.int64], limit: float) -> LinearProgram:
        """A member's program with a level, last, that limit x level keeps above some columns."""
        from scipy.sparse import csr_matrix, hstack, vstack

        whole, columns = self.model.program, self.columns(member)
        rows = self.row_order[self.row_starts[member] : self.row_starts[member + 1]]
        matrix = whole.matrix[rows][:, columns]
        k, n = len(levelled), len(columns)
        place = np.searchsorted(columns, levelled)
        below = csr_matrix(
            (
                np.concatenate([np.full(k, limit), -np.ones(k)]),
                (np.tile(np.arange(k), 2), np.concatenate([np.full(k, n), place])),
            ),
            shape=(k, n + 1),
        )
        wide = hstack([matrix, csr_matrix((len(rows), 1))], format="csr")
        integer = None
        if whole.integer is not None and (whole.upper[columns] > 0)[whole.integer[columns]].any():
            integer = np.append(whole.integer[columns], False)
        return LinearProgram(
            np.append(np.zeros(n), 1.0),
            np.append(whole.lower[columns], 0.0),
            np.append(whole.upper[columns], np.inf),
            csr_matrix(vstack([wide, below], format="csr")),
            np.concatenate([whole.row_lower[rows], np.zeros(k)]),
            np.concatenate([whole.row_upper[rows], np.full(k, np.inf)]),
            integer,
            GAP,
        )

    def least_worst(self, member: int) -> SolvedLevel:
        """A member's least worst shortfall."""
        program = self.program(member, self.model.at.shortfall[0, member], 1.0)
        return self._in_order(program, [Level("worst_shortfall", program.cost)], member)[1][0]

    def solved(
        self, member: int, worst: float
    ) -> tuple[NDArray[np.float64], dict[str, SolvedLevel]]:
        """A member's values in all goals, and its levels by name."""
        at, columns = self.model.at, self.columns(member)
        limit = float(self.cash.loan_limit[member]) / UNIT
        program = self.program(member, at.debt[0, member], max(limit, 1e-12))
        upper = program.upper.copy()
        short = np.searchsorted(columns, at.shortfall[0, member])
        upper[short] = np.minimum(upper[short], worst + CAP if worst > NOTHING else 0.0)
        program = dataclasses.replace(program, upper=upper)
        levels = [
            Level(level.name, np.append(level.cost[columns], 0.0))
            for level in self.levels
            if level.cost[columns].any()
        ]
        if limit:
            levels.append(Level("peak", program.cost))
        levels.append(Level("canonical", np.append(self.canonical[columns], 0.0)))
        values, found = self._in_order(program, levels, member)
        return values[:-1], {one.name: one for one in found}

    def _in_order(
        self, program: LinearProgram, levels: list[Level], member: int
    ) -> tuple[NDArray[np.float64], tuple[SolvedLevel, ...]]:
        columns = self.columns(member)

        def rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
            whole = np.zeros(self.model.at.n)
            whole[columns] = values[:-1]
            return np.append(self.rounded(whole)[columns], values[-1])

        found = solve_in_order(
            program,
            levels,
            solver=self.means.solver,
            seconds=self.means.seconds,
            rounded=rounded,
        )
        return found.values, found.levels


def _fill_own_money(
    model: PlanModel, members: NDArray[np.int64], values: NDArray[np.float64]
) -> None:
    """Accounts of members that need nothing: what their own money comes to, in place."""
    program, at = model.program, model.at
    rows = model.balance_rows[0, members]
    known = program.row_lower[rows]
    surplus = at.surplus[0, members]
    # The factor of last month's surplus in this month's row is -(1 + interest).
    before = np.zeros(len(members))
    for month in range(rows.shape[1]):
        growth = 0.0
        if month and len(members):
            growth = -float(program.matrix[int(rows[0, month]), int(surplus[0, month - 1])])
        before = known[:, month] + growth * before
        values[surplus[:, month]] = before


def _pool_cash(model: PlanModel, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pool cash of each month, by its own rows, in which it stands last known."""
    program, cash = model.program, model.at.cash[0]
    known = values.copy()
    known[cash] = 0.0
    rows = model.forward_rows[0]
    other = program.row_lower[rows] - (program.matrix @ known)[rows]
    held = np.zeros(len(cash))
    for month in range(len(cash)):
        grown = 0.0
        if month:
            factor = -float(program.matrix[int(rows[month]), int(cash[month - 1])])
            grown = factor * held[month - 1]
        held[month] = other[month] + grown
    return held


def _goals(
    cash: Cash,
    terms: Terms,
    solved: dict[int, dict[str, SolvedLevel]],
    worst: float,
    relaxed_worst: float,
) -> tuple[Goal, ...]:
    """The goals of all members: sums of money, largest peaks of each kind."""
    yuan = UNIT / 100

    def total(name: str) -> Goal:
        found = [levels[name] for levels in solved.values() if name in levels]
        return Goal(
            name, sum(one.value for one in found) * yuan, sum(one.relaxed for one in found) * yuan
        )

    def peak(kind: int) -> Goal:
        found = [
            levels["peak"]
            for member, levels in solved.items()
            if cash.kind[member] == kind and "peak" in levels
        ]
        return Goal(
            f"fairness_{cash.kinds[kind]}",
            max((one.value for one in found), default=0.0),
            max((one.relaxed for one in found), default=0.0),
        )

    names = ["total_shortfall", *(f"unmet_{name}" for name in terms.groups[:-1])]
    return (
        Goal("worst_shortfall", worst * yuan, relaxed_worst * yuan),
        *(total(name) for name in (*names, "external_interest")),
        *(peak(kind) for kind in kinds_in_order(cash)),
    )
