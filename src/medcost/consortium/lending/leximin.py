"""Fairness within a kind: the largest debt beside its limit is least, then the next, leximin.

A member's peak is its largest debt of all months beside its limit. Each round's level θ is the
least that all peaks not yet settled can keep; who stands at θ in every best answer (its rows have
a price) is settled there. Most rounds are saved by each member's own least peak, with the pool's
rows left out: one program, since nothing else joins the members. Where all own least peaks fit
together, they are the answer; where not, those above the level at which members compete are.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.lending.cash import Cash
from medcost.consortium.lending.model import UNIT, PlanModel
from medcost.consortium.solver import (
    Level,
    LinearProgram,
    Rounding,
    Solution,
    Solver,
    SolverFailure,
    solve,
    solve_in_order,
)
from medcost.records import dataclass

# Debts may exceed a settled peak by this, in 10,000 yuan: a thousandth of a fen.
SLACK = 1e-9
# A search for whole lots ends when a peak is proved least to within this share of the limit.
SAME_PEAK = 1e-6
# Peaks that differ by less are the same.
SAME = 1e-9


@dataclass(frozen=True)
class Peaks:
    """A kind's members with a limit and a month of need; column of each debt [members, S · T].

    limits: 10,000 yuan [members].
    """

    members: NDArray[np.int64]
    debts: NDArray[np.int64]
    limits: NDArray[np.float64]


def peaks_of(model: PlanModel, cash: Cash, kind: int) -> Peaks:
    """Who of a kind has a peak at all."""
    needy = model.needy.any(axis=(0, 2))
    members = np.flatnonzero((cash.kind == kind) & needy & (cash.loan_limit > 0))
    debts = model.at.debt[:, members].transpose(1, 0, 2)
    debts = debts.reshape(len(members), debts.shape[1] * debts.shape[2])
    return Peaks(members, debts, cash.loan_limit[members] / UNIT)


def least_largest(
    held: LinearProgram,
    peaks: Peaks,
    solver: Solver,
    seconds: float | None,
    rounded: Rounding | None,
    known: NDArray[np.float64],
) -> tuple[float, float, LinearProgram, NDArray[np.float64]]:
    """The least largest peak, the same were no draw whole, the program that holds it, its answer.

    Whole lots are obeyed; known: the answer of the goal before. Raises SolverFailure.
    """
    n = len(held.cost)
    if not len(peaks.members):
        return 0.0, 0.0, held, known
    wide = _with_levels(held, peaks, np.zeros(len(peaks.members), np.int64))
    draws = None if rounded is None else widened(rounded, n)
    found = solve_in_order(
        wide,
        [Level("largest", wide.cost)],
        solver=solver,
        seconds=seconds,
        rounded=draws,
        known=np.append(known, 0.0),
    )
    level = found.levels[0]
    settled = np.full(len(peaks.members), level.value)
    held = capped(held, peaks, slice(None), settled)
    return level.value, level.relaxed, held, found.values[:n]


def leximin(
    held: LinearProgram,
    model: PlanModel,
    peaks: Peaks,
    solver: Solver,
    seconds: float | None,
) -> LinearProgram:
    """The program that holds every peak at its leximin value; no variable is whole any more.

    Raises SolverFailure.
    """
    if not len(peaks.members):
        return held
    own = own_least_peaks(held, model, peaks, solver, seconds)
    together = capped(held, peaks, slice(None), own)
    if _is_feasible(together, solver, seconds):
        return together
    waiting = np.argsort(-own, kind="stable")
    while len(waiting):
        n_own = _settled_by_own(held, peaks, own, waiting, solver, seconds)
        held = capped(held, peaks, waiting[:n_own], own[waiting[:n_own]])
        waiting = waiting[n_own:]
        if not len(waiting):
            break
        level, critical, _answer = _round(held, peaks, waiting, solver, seconds)
        if level <= SAME:
            return capped(held, peaks, waiting, np.zeros(len(waiting)))
        held = capped(held, peaks, waiting[critical], np.full(int(critical.sum()), level))
        waiting = waiting[~critical]
    return held


def own_least_peaks(
    held: LinearProgram, model: PlanModel, peaks: Peaks, solver: Solver, seconds: float | None
) -> NDArray[np.float64]:
    """What each member's peak is at least, float64 [members]: the pool's rows are left out.

    Without them nothing joins the members, so the least sum has the least of each.
    """
    free_lower, free_upper = held.row_lower.copy(), held.row_upper.copy()
    joining = np.ones(len(free_lower), np.bool_)
    joining[model.own_rows] = False
    free_lower[joining], free_upper[joining] = -np.inf, np.inf
    free = dataclasses.replace(held, row_lower=free_lower, row_upper=free_upper)
    wide = _with_levels(free, peaks, np.arange(len(peaks.members)))
    found = solve(wide, solver=solver, seconds=seconds)
    return np.maximum(found.values[len(held.cost) :], 0.0)


def _settled_by_own(
    held: LinearProgram,
    peaks: Peaks,
    own: NDArray[np.float64],
    waiting: NDArray[np.int64],
    solver: Solver,
    seconds: float | None,
) -> int:
    """How many of the members waiting, by own least peak downwards, stand at it.

    Of k members at their own least the others' least level is θ(k). The level of the round is the
    least θ that caps max(own, θ) can keep, so k is the largest for which there is an answer and
    θ(k) is not above the k-th own peak. Found by halving.
    """
    low, high = 0, len(waiting)
    while low < high:
        k = (low + high + 1) // 2
        settled = capped(held, peaks, waiting[:k], own[waiting[:k]])
        if k == len(waiting):
            fits = _is_feasible(settled, solver, seconds)
        else:
            try:
                level = _round(settled, peaks, waiting[k:], solver, seconds)[0]
                fits = level <= own[waiting[k - 1]] + SAME
            except SolverFailure as failed:
                if failed.kind != "infeasible":
                    raise
                fits = False
        low, high = (k, high) if fits else (low, k - 1)
    return low


def _round(
    held: LinearProgram,
    peaks: Peaks,
    waiting: NDArray[np.int64],
    solver: Solver,
    seconds: float | None,
) -> tuple[float, NDArray[np.bool_], Solution]:
    """The least level that all who wait keep, and who of them stands at it in every answer."""
    part = Peaks(peaks.members[waiting], peaks.debts[waiting], peaks.limits[waiting])
    wide = _with_levels(held, part, np.zeros(len(waiting), np.int64))
    found = solve(wide, solver=solver, seconds=seconds)
    prices = found.duals[len(held.row_lower) :].reshape(len(waiting), -1)
    # Prices times limits add up to 1 over all rows: the price of the level itself.
    critical = np.asarray((np.abs(prices) * part.limits[:, None] > SAME).any(axis=1))
    if not critical.any():
        critical[:] = True
    return float(found.values[-1]), critical, found


def _with_levels(
    program: LinearProgram, peaks: Peaks, level_of: NDArray[np.int64]
) -> LinearProgram:
    """The program with levels at cost 1 as last columns, and each debt under its member's level.

    level_of: which level is a member's, int64 [members].
    """
    from scipy.sparse import csr_matrix, hstack, vstack

    n, n_levels = len(program.cost), int(level_of.max()) + 1
    debts = peaks.debts.ravel()
    rows = np.arange(len(debts))
    per_member = peaks.debts.shape[1]
    below = csr_matrix(
        (
            np.concatenate([np.repeat(peaks.limits, per_member), -np.ones(len(debts))]),
            (
                np.concatenate([rows, rows]),
                np.concatenate([n + np.repeat(level_of, per_member), debts]),
            ),
        ),
        shape=(len(debts), n + n_levels),
    )
    wide = hstack([program.matrix, csr_matrix((program.matrix.shape[0], n_levels))], format="csr")
    whole = program.integer
    return LinearProgram(
        np.concatenate([np.zeros(n), np.ones(n_levels)]),
        np.concatenate([program.lower, np.zeros(n_levels)]),
        np.concatenate([program.upper, np.full(n_levels, np.inf)]),
        csr_matrix(vstack([wide, below], format="csr")),
        np.concatenate([program.row_lower, np.zeros(len(debts))]),
        np.concatenate([program.row_upper, np.full(len(debts), np.inf)]),
        None if whole is None else np.concatenate([whole, np.zeros(n_levels, np.bool_)]),
        SAME_PEAK,
    )


def capped(
    program: LinearProgram,
    peaks: Peaks,
    which: NDArray[np.int64] | slice,
    settled: NDArray[np.float64],
) -> LinearProgram:
    """The program in which the debts of some members keep their settled peaks."""
    upper = program.upper.copy()
    debts = peaks.debts[which]
    most = (settled * peaks.limits[which] + SLACK)[:, None]
    upper[debts] = np.maximum(np.minimum(upper[debts], most), program.lower[debts])
    return dataclasses.replace(program, upper=upper)


def _is_feasible(program: LinearProgram, solver: Solver, seconds: float | None) -> bool:
    """Whether there is any answer. Raises SolverFailure where that is not known."""
    try:
        nothing = np.zeros(len(program.cost))
        solve(dataclasses.replace(program, cost=nothing), solver=solver, seconds=seconds)
    except SolverFailure as failed:
        if failed.kind != "infeasible":
            raise
        return False
    return True


def widened(rounded: Rounding, n: int) -> Rounding:
    """A rounding of a program's variables for the same with more columns behind."""
    return lambda values: np.concatenate([rounded(values[:n]), values[n:]])
