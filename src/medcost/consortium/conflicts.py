"""Rules that cannot all hold: the smallest change that would do, and which rules are in conflict.

Both are found on the rows of a linear program: an elastic phase lets rows give at a price, a
deletion filter takes rows away for as long as the rest still cannot hold.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.solver import LinearProgram, SolverFailure, solve
from medcost.records import dataclass

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
# Below this share of the largest bound a row counts as not giving.
TOLERANCE = 1e-9
# By how much of its price the last row is dearer than the first, so that equal changes are ordered.
PREFERRED = 1e-6


@dataclass(frozen=True)
class BoundsAsRows:
    """A program whose bounds stand as rows at its end, so that they can give and be named.

    column: int64 [rows added], the column of each; is_upper: bool, whether it is a ceiling.
    """

    program: LinearProgram
    column: NDArray[np.int64]
    is_upper: Flags


@dataclass(frozen=True)
class Conflict:
    """Why a program has no solution.

    gives: float [rows], how far each row gives in the smallest sufficient change, lowering its
    row_lower or raising its row_upper; 0 where it stays. rows: positions, ascending, of rows that
    cannot hold together while any one of them left out would let the others; alone: of each of
    these, how far it would have to give if it were the only row that does, None where that
    would not do.
    """

    gives: Floats
    rows: tuple[int, ...]
    alone: tuple[float | None, ...]


def bounds_as_rows(program: LinearProgram, columns: Flags) -> BoundsAsRows:
    """Turn the finite bounds of the chosen columns into rows, lower ones first, by column."""
    from scipy import sparse

    lower = np.flatnonzero(columns & np.isfinite(program.lower))
    upper = np.flatnonzero(columns & np.isfinite(program.upper))
    column = np.concatenate([lower, upper])
    n = program.matrix.shape[1]
    added = sparse.csr_matrix(
        (np.ones(len(column)), (np.arange(len(column)), column)), shape=(len(column), n)
    )
    no_floor, no_ceiling = np.full(len(upper), -np.inf), np.full(len(lower), np.inf)
    freed = LinearProgram(
        program.cost,
        np.where(columns, -np.inf, program.lower),
        np.where(columns, np.inf, program.upper),
        sparse.vstack([program.matrix, added], format="csr"),
        np.concatenate([program.row_lower, program.lower[lower], no_floor]),
        np.concatenate([program.row_upper, no_ceiling, program.upper[upper]]),
        program.integer,
    )
    return BoundsAsRows(freed, column, np.arange(len(column)) >= len(lower))


def explain_conflict(
    program: LinearProgram, may_give: Flags, weights: Floats | None = None
) -> Conflict | None:
    """The smallest change that makes a program solvable and the rows in conflict; None if it is.

    may_give: bool [rows], rows that may be changed; the others and the bounds always hold.
    weights: what a unit of giving of each row costs, by default 1 each. Where the rows that may
    give cannot help, gives is all 0 and rows are found among all rows. Of several smallest
    changes the one that changes the earliest rows is taken.
    """
    if weights is None:
        weights = np.ones(len(may_give))
    if _is_solvable(program, np.ones(len(may_give), np.bool_)):
        return None
    gives = _smallest_change(program, may_give, weights)
    removable = may_give
    if gives is None:
        gives, removable = np.zeros(len(may_give)), np.ones(len(may_give), np.bool_)
    rows = conflicting_rows(program, removable)
    alone = []
    for row in rows:
        only = np.zeros(len(may_give), np.bool_)
        only[row] = True
        change = _smallest_change(program, only & may_give, np.ones(len(may_give)))
        alone.append(None if change is None else float(change[row]))
    return Conflict(gives, tuple(rows), tuple(alone))


def conflicting_rows(program: LinearProgram, removable: Flags) -> list[int]:
    """Rows that cannot hold together though any one of them left out would let the others.

    Rows that are not removable hold throughout and are not listed. The deletion filter begins
    with the rows whose prices in the elastic phase are not 0: these alone cannot hold (their
    prices are a certificate), so most rows need no look.
    """
    kept = _certificate(program, removable)
    for row in np.flatnonzero(kept & removable).tolist():
        kept[row] = False
        if _is_solvable(program, kept):
            kept[row] = True
    return [int(row) for row in np.flatnonzero(kept & removable)]


def _is_solvable(program: LinearProgram, kept: Flags) -> bool:
    try:
        solve(_only_rows(program, kept))
    except SolverFailure as failure:
        if failure.kind != "infeasible":
            raise
        return False
    return True


def _only_rows(program: LinearProgram, kept: Flags) -> LinearProgram:
    return LinearProgram(
        np.zeros_like(program.cost),
        program.lower,
        program.upper,
        program.matrix[np.flatnonzero(kept)],
        program.row_lower[kept],
        program.row_upper[kept],
        program.integer,
    )


def _elastic(program: LinearProgram, may_give: Flags, weights: Floats) -> LinearProgram:
    """Rows that may give have one more column for each finite side, at the price of its weight."""
    from scipy import sparse

    below = np.flatnonzero(may_give & np.isfinite(program.row_lower))
    above = np.flatnonzero(may_give & np.isfinite(program.row_upper))
    row = np.concatenate([below, above])
    sign = np.concatenate([np.ones(len(below)), -np.ones(len(above))])
    shape = (program.matrix.shape[0], len(row))
    slack = sparse.csr_matrix((sign, (row, np.arange(len(row)))), shape=shape)
    return LinearProgram(
        np.concatenate([np.zeros_like(program.cost), weights[row]]),
        np.concatenate([program.lower, np.zeros(len(row))]),
        np.concatenate([program.upper, np.full(len(row), np.inf)]),
        sparse.hstack([program.matrix, slack], format="csr"),
        program.row_lower,
        program.row_upper,
        None
        if program.integer is None
        else np.concatenate([program.integer, np.zeros(len(row), np.bool_)]),
    )


def _smallest_change(program: LinearProgram, may_give: Flags, weights: Floats) -> Floats | None:
    """How far each row gives, [rows]; None where even that is not enough."""
    if not may_give.any():
        return None
    n = len(program.cost)
    below = np.flatnonzero(may_give & np.isfinite(program.row_lower))
    above = np.flatnonzero(may_give & np.isfinite(program.row_upper))
    row = np.concatenate([below, above])
    earlier = weights * (1 + PREFERRED * np.arange(len(weights)) / len(weights))
    try:
        values = solve(_elastic(program, may_give, earlier)).values
    except SolverFailure as failure:
        if failure.kind != "infeasible":
            raise
        return None
    gives = np.zeros(len(may_give))
    np.add.at(gives, row, values[n:])
    largest = max(_largest(program.row_lower), _largest(program.row_upper), 1.0)
    return np.where(gives > TOLERANCE * largest, gives, 0.0)


def _largest(bounds: Floats) -> float:
    finite = np.abs(bounds[np.isfinite(bounds)])
    return float(finite.max()) if len(finite) else 0.0


def _certificate(program: LinearProgram, removable: Flags) -> Flags:
    everything = np.ones(len(removable), np.bool_)
    if program.integer is not None and program.integer.any():
        return everything
    try:
        duals = solve(_elastic(program, removable, np.ones(len(removable)))).duals
    except SolverFailure as failure:
        if failure.kind != "infeasible":
            raise
        return everything
    kept = ~removable | (np.abs(duals) > TOLERANCE)
    return everything if _is_solvable(program, kept) else kept
