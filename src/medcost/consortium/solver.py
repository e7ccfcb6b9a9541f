"""Linear and integer programs: arrays in, arrays out; the only module that imports OR-Tools.

HiGHS is called through MathOpt's core, whose model is filled from arrays at once. The older
ModelSolverHelper of OR-Tools 9.15 is not used: with HiGHS it returns the rows' activities in the
place of their duals, no reduced costs, and prints a banner on standard output.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from medcost.errors import InvariantBroken
from medcost.records import dataclass

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Solver = Literal["highs", "glop"]
FailureKind = Literal["infeasible", "unbounded", "time", "numerical"]

Rounding = Callable[[NDArray[np.float64]], NDArray[np.float64]]

# How far a row or bound may be missed, beside the size of what it adds up.
FEASIBLE = 1e-6
# A reduced cost or dual counts as nonzero from here on, beside the largest cost of the level.
PRICED = 1e-9
# Two objectives count as equal up to here, beside the size of what they add up.
EQUAL = 1e-10
# How far a level may end above its best value, beside the size of what it adds up.
HELD = 1e-6


class SolverFailure(InvariantBroken):
    """A program without an optimal answer; nothing is published.

    kind: infeasible, unbounded, time (the limit was reached first) or numerical (the solver gave
    up, or its answer does not keep the rows).
    """

    def __init__(self, kind: FailureKind, what: str) -> None:
        self.kind = kind
        self.what = what
        super().__init__(f"The solver has no answer ({kind}): {what}")


@dataclass(frozen=True)
class LinearProgram:
    """Least cost · x with lower ≤ x ≤ upper and row_lower ≤ matrix · x ≤ row_upper.

    cost, lower, upper: float64 [variables]; matrix: [rows, variables]; row_lower, row_upper:
    float64 [rows]; bounds may be infinite; integer: bool [variables], None for none; gap: how far
    above the least value the answer of an integer program may lie.
    """

    cost: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    matrix: csr_matrix
    row_lower: NDArray[np.float64]
    row_upper: NDArray[np.float64]
    integer: NDArray[np.bool_] | None = None
    gap: float = 1e-9

    def __post_init__(self) -> None:
        """Shapes that do not fit each other are a mistake of the caller."""
        n_rows, n_variables = self.matrix.shape
        columns = {len(self.cost), len(self.lower), len(self.upper), n_variables}
        if self.integer is not None:
            columns.add(len(self.integer))
        if len(columns) > 1 or {len(self.row_lower), len(self.row_upper)} != {n_rows}:
            raise ValueError("cost, bounds, rows and matrix of a program differ in length")


@dataclass(frozen=True)
class Basis:
    """The corner at which a linear program ended, from which one of the same shape may begin.

    Only GLOP begins from one; through MathOpt HiGHS takes none. It changes time, not the optimum.
    """

    corner: Any

    def of_first(self, n_rows: int, n_columns: int) -> Basis:
        """The basis of a program's first rows and columns; GLOP repairs what does not fit."""
        from ortools.math_opt import solution_pb2

        part = solution_pb2.BasisProto()
        for new, old, n in (
            (part.variable_status, self.corner.variable_status, n_columns),
            (part.constraint_status, self.corner.constraint_status, n_rows),
        ):
            new.ids.extend(range(n))
            new.values.extend(old.values[:n])
        part.basic_dual_feasibility = self.corner.basic_dual_feasibility
        return Basis(part)


@dataclass(frozen=True)
class Solution:
    """An optimal answer, checked against every row and bound.

    values, reduced_costs: [variables]; duals: [rows], what one more unit of the row's bound adds
    to the objective. Of an integer program duals and reduced costs are NaN: it has none.
    """

    values: NDArray[np.float64]
    objective: float
    duals: NDArray[np.float64]
    reduced_costs: NDArray[np.float64]
    basis: Basis | None = dataclasses.field(default=None, compare=False)


@dataclass(frozen=True)
class Level:
    """One goal: its name and the cost of every variable, float64 [variables]; less is better."""

    name: str
    cost: NDArray[np.float64]


@dataclass(frozen=True)
class SolvedLevel:
    """A goal's best value under the goals before it, and the duals where it was a linear program.

    relaxed: the best value were no variable whole; equal to value where whole ones cost nothing.
    """

    name: str
    value: float
    relaxed: float
    duals: NDArray[np.float64]
    reduced_costs: NDArray[np.float64]


@dataclass(frozen=True)
class LevelledSolution:
    """The answer that is best in every level in turn, and the program that holds all of them."""

    values: NDArray[np.float64]
    levels: tuple[SolvedLevel, ...]
    held: LinearProgram
    basis: Basis | None = dataclasses.field(default=None, compare=False)


def solve(
    program: LinearProgram,
    *,
    solver: Solver = "highs",
    seconds: float | None = None,
    begin: Basis | None = None,
) -> Solution:
    """Solve a program on one thread: the same arrays give the same bits.

    glop solves no integers. seconds: a limit of wall-clock time, None for none: with a limit the
    answer no longer depends on the program alone, and one that is not proved optimal is refused.
    begin: where GLOP begins. Raises SolverFailure.
    """
    return _solve(program, _entries(program.matrix), solver, seconds, begin)


def _solve(
    program: LinearProgram,
    entries: Any,
    solver: Solver,
    seconds: float | None,
    begin: Basis | None = None,
) -> Solution:
    """The program's checked answer; entries: its matrix, already filled."""
    _require_sound(program)
    try:
        return _checked(program, entries, solver, seconds, begin)
    except SolverFailure as failed:
        if _has_whole(program):
            # Where rows hold with nothing to spare HiGHS now and then says that they cannot; its
            # search without presolve, and rows kept no closer than they are checked, finds how.
            if failed.kind != "infeasible":
                raise
            return _checked(program, entries, solver, seconds, begin, is_second=True)
        # Each of the two now and then gives up on a linear program that the other solves.
        if failed.kind != "numerical":
            raise
        other: Solver = "glop" if solver == "highs" else "highs"
        return _checked(program, entries, other, seconds, None)


def _has_whole(program: LinearProgram) -> bool:
    """Whether a program has variables that are whole."""
    return program.integer is not None and bool(program.integer.any())


def _checked(
    program: LinearProgram,
    entries: Any,
    solver: Solver,
    seconds: float | None,
    begin: Basis | None,
    is_second: bool = False,
) -> Solution:
    """What one solver answers, with every row and bound checked.

    is_second: a search for whole numbers that found none, once more.
    """
    result = _solved(program, entries, solver, seconds, begin, is_second)
    values = _values(result, len(program.cost))
    _require_kept(program, values)
    if _has_whole(program):
        # Whole numbers come as whole numbers up to the solver's tolerance.
        values[program.integer] = np.rint(values[program.integer])
        _require_kept(program, values)
        duals = np.full(len(program.row_lower), np.nan)
        reduced_costs = np.full(len(program.cost), np.nan)
    else:
        dual = result.solutions[0].dual_solution
        duals = np.array(dual.dual_values.values, np.float64)
        reduced_costs = np.array(dual.reduced_costs.values, np.float64)
        if len(duals) != len(program.row_lower) or len(reduced_costs) != len(program.cost):
            raise SolverFailure("numerical", f"{solver} returned no duals")
        if not (np.isfinite(duals).all() and np.isfinite(reduced_costs).all()):
            raise SolverFailure("numerical", f"{solver} returned duals that are not numbers")
    first = result.solutions[0]
    basis = Basis(first.basis) if first.HasField("basis") else None
    return Solution(values, float(program.cost @ values), duals, reduced_costs, basis)


def solve_in_order(
    program: LinearProgram,
    levels: Sequence[Level],
    *,
    solver: Solver = "highs",
    seconds: float | None = None,
    rounded: Rounding | None = None,
    known: NDArray[np.float64] | None = None,
    begin: Basis | None = None,
) -> LevelledSolution:
    """Solve the levels one after another, each on the optimal face of those before it.

    A point is optimal exactly where every variable with a nonzero reduced cost stands at its bound
    and every row with a nonzero dual at its own (complementary slackness with any one dual
    solution), so a level is held by fixing those: no weight, no row of rounded objectives. With
    integers the face of the relaxation is used where whole numbers cost nothing; else a row says
    that the level's cost is not exceeded. program.cost is not used; seconds is the limit of each
    solve; rounded: whole values that are worth a try beside a relaxation's, up by default; known:
    an answer whose whole values are: what reaches the relaxation's optimum needs no search.
    begin: where GLOP begins. Raises SolverFailure.
    """
    held = program
    entries = _entries(program.matrix)
    solved: list[SolvedLevel] = []
    values = np.zeros(0) if known is None else known
    for level in levels:
        matrix = held.matrix
        values, begin, one, held = _solve_level(
            held, entries, level, solver, seconds, begin, values, rounded
        )
        solved.append(one)
        if held.matrix is not matrix:
            entries, begin = _entries(held.matrix), None
    for level, one in zip(levels, solved, strict=True):
        reached = float(level.cost @ values)
        if reached - one.value > HELD * _size(level.cost, values, one.value):
            raise SolverFailure(
                "numerical", f"goal {level.name} ended at {reached:g}, after {one.value:g}"
            )
    n_rows = len(program.row_lower)
    _require_kept(program, values)
    shown = tuple(dataclasses.replace(one, duals=one.duals[:n_rows]) for one in solved)
    return LevelledSolution(values, shown, held, begin)


def _solve_level(
    held: LinearProgram,
    entries: Any,
    level: Level,
    solver: Solver,
    seconds: float | None,
    begin: Basis | None,
    before: NDArray[np.float64],
    rounded: Rounding | None,
) -> tuple[NDArray[np.float64], Basis | None, SolvedLevel, LinearProgram]:
    """One level's answer, and the program in which no answer is worse in it.

    before: the answer of the level before, empty for the first.
    """
    priced = dataclasses.replace(held, cost=level.cost)
    relaxed = _solve(dataclasses.replace(priced, integer=None), entries, solver, seconds, begin)
    duals, reduced = relaxed.duals, relaxed.reduced_costs
    answer = relaxed
    if not _is_whole(held.integer, relaxed.values):
        tried = [before] if len(before) else []
        tried.append(np.ceil(relaxed.values - 1e-9) if rounded is None else rounded(relaxed.values))
        found = _at_no_cost(priced, entries, solver, seconds, relaxed, tried)
        answer = found or _searched(priced, entries, solver, seconds, relaxed)
    one = SolvedLevel(level.name, answer.objective, relaxed.objective, duals, reduced)
    scale = _size(level.cost, answer.values, answer.objective)
    if answer.objective - relaxed.objective <= EQUAL * scale:
        face = on_optimal_face(priced, duals, reduced)
        return answer.values, relaxed.basis, one, face
    above = _with_ceiling(priced, level.cost, answer.objective, scale)
    return answer.values, relaxed.basis, one, above


def _at_no_cost(
    program: LinearProgram,
    entries: Any,
    solver: Solver,
    seconds: float | None,
    relaxed: Solution,
    tried: Sequence[NDArray[np.float64]],
) -> Solution | None:
    """The first of some whole values to try that reaches the relaxation's optimum, or none."""
    for values in tried:
        found = _with_whole(program, entries, solver, seconds, relaxed, values)
        if found is not None:
            scale = _size(program.cost, found.values, found.objective)
            if found.objective - relaxed.objective <= EQUAL * scale:
                return found
    return None


def _searched(
    program: LinearProgram,
    entries: Any,
    solver: Solver,
    seconds: float | None,
    relaxed: Solution,
) -> Solution:
    """The best whole answer; what is not whole is solved again beside it.

    A search keeps its rows to 1e-7 only, too little for the levels that are held afterwards.
    """
    found = _solve(program, entries, "highs", seconds)
    return _with_whole(program, entries, solver, seconds, relaxed, found.values) or found


def _with_whole(
    program: LinearProgram,
    entries: Any,
    solver: Solver,
    seconds: float | None,
    relaxed: Solution,
    values: NDArray[np.float64],
) -> Solution | None:
    """The best answer with the whole variables at given values; None where there is none."""
    fixed = with_whole_fixed(program, values)
    if (program.lower > fixed.upper).any() or (program.upper < fixed.lower).any():
        return None
    try:
        return _solve(fixed, entries, solver, seconds, relaxed.basis)
    except SolverFailure as failed:
        if failed.kind == "time":
            raise
        return None


def with_whole_fixed(program: LinearProgram, values: NDArray[np.float64]) -> LinearProgram:
    """The linear program that is left of an integer one with its whole variables given."""
    lower, upper, whole = program.lower.copy(), program.upper.copy(), program.integer
    lower[whole] = upper[whole] = np.rint(values[whole])
    return dataclasses.replace(program, lower=lower, upper=upper, integer=None)


def _is_whole(integer: NDArray[np.bool_] | None, values: NDArray[np.float64]) -> bool:
    """Whether a relaxation's answer is one of the integer program already."""
    if integer is None:
        return True
    meant = values[integer]
    return bool((np.abs(meant - np.rint(meant)) <= 1e-9).all())


def on_optimal_face(
    program: LinearProgram,
    duals: NDArray[np.float64],
    reduced_costs: NDArray[np.float64],
    largest_cost: float | None = None,
) -> LinearProgram:
    """The program with everything that has a price fixed at its bound.

    largest_cost: beside which prices count as none, by default the largest of program.cost.
    """
    if largest_cost is None:
        largest_cost = float(np.abs(program.cost).max(initial=0.0))
    least = PRICED * max(largest_cost, 1e-30)
    lower, upper = program.lower.copy(), program.upper.copy()
    row_lower, row_upper = program.row_lower.copy(), program.row_upper.copy()
    for low, high, price in ((lower, upper, reduced_costs), (row_lower, row_upper, duals)):
        at_low = (price > least) & np.isfinite(low)
        at_high = (price < -least) & np.isfinite(high)
        high[at_low] = low[at_low]
        low[at_high] = high[at_high]
    return dataclasses.replace(
        program, lower=lower, upper=upper, row_lower=row_lower, row_upper=row_upper
    )


def _with_ceiling(
    program: LinearProgram, cost: NDArray[np.float64], value: float, scale: float
) -> LinearProgram:
    """The program with one more row: the cost does not exceed the value."""
    from scipy.sparse import csr_matrix, vstack

    return dataclasses.replace(
        program,
        matrix=csr_matrix(vstack([program.matrix, csr_matrix(cost)], format="csr")),
        row_lower=np.append(program.row_lower, -np.inf),
        row_upper=np.append(program.row_upper, value + 1e-9 * scale),
    )


def _size(cost: NDArray[np.float64], values: NDArray[np.float64], value: float) -> float:
    """What a difference of objectives is measured against."""
    return max(1.0, abs(value), float(np.abs(cost * values).max(initial=0.0)))


def _require_sound(program: LinearProgram) -> None:
    """Refuse bounds that cross and numbers that are none, before a solver says so in its words."""
    finite = (program.cost, program.matrix.data)
    bounds = (program.lower, program.upper, program.row_lower, program.row_upper)
    if not all(np.isfinite(part).all() for part in finite) or any(
        np.isnan(part).any() for part in bounds
    ):
        raise SolverFailure("numerical", "a coefficient or bound is not a number")
    for low, high, name in (
        (program.lower, program.upper, "variable"),
        (program.row_lower, program.row_upper, "row"),
    ):
        crossed = np.flatnonzero((low > high) | (low == np.inf) | (high == -np.inf))
        if len(crossed):
            place = int(crossed[0])
            what = f"{name} {place} is to be at least {low[place]:g} and at most {high[place]:g}"
            raise SolverFailure("infeasible", what)


def _require_kept(program: LinearProgram, values: NDArray[np.float64]) -> None:
    """Check the answer ourselves: a row is measured against the size of what it adds up."""
    if not np.isfinite(values).all():
        raise SolverFailure("numerical", "the answer is not a number")
    rows = program.matrix @ values
    size = 1.0 + abs(program.matrix) @ np.abs(values)
    missed = np.maximum(program.row_lower - rows, rows - program.row_upper) / size
    beyond = np.maximum(program.lower - values, values - program.upper) / (1.0 + np.abs(values))
    for by, name in ((missed, "row"), (beyond, "variable")):
        if len(by) and by.max() > FEASIBLE:
            place = int(by.argmax())
            what = f"the answer misses {name} {place} by {by[place]:g} of its size"
            raise SolverFailure("numerical", what)


def _values(result: Any, n_variables: int) -> NDArray[np.float64]:
    """The values of the first solution. Raises SolverFailure where it is not optimal."""
    from ortools.math_opt import result_pb2

    reasons = result_pb2.TerminationReasonProto
    reason, detail = result.termination.reason, result.termination.detail
    if reason == reasons.TERMINATION_REASON_OPTIMAL:
        values = np.array(result.solutions[0].primal_solution.variable_values.values, np.float64)
        if len(values) != n_variables:
            raise SolverFailure("numerical", "the answer has not all variables")
        return values
    name = reasons.Name(reason).removeprefix("TERMINATION_REASON_").lower()
    what = f"{name}, {detail}" if detail else name
    if reason in {
        reasons.TERMINATION_REASON_INFEASIBLE,
        reasons.TERMINATION_REASON_INFEASIBLE_OR_UNBOUNDED,
    }:
        raise SolverFailure("infeasible", what)
    if reason == reasons.TERMINATION_REASON_UNBOUNDED:
        raise SolverFailure("unbounded", what)
    if reason in {
        reasons.TERMINATION_REASON_FEASIBLE,
        reasons.TERMINATION_REASON_NO_SOLUTION_FOUND,
    }:
        raise SolverFailure("time", "the limit was reached before an optimum was proved")
    raise SolverFailure("numerical", what)


def _solved(
    program: LinearProgram,
    entries: Any,
    solver: Solver,
    seconds: float | None,
    begin: Basis | None,
    is_second: bool,
) -> Any:
    """The solver's answer as it gives it. Raises SolverFailure where it gives none.

    is_second: without presolve, and rows kept to what they are checked to.
    """
    from ortools.math_opt import callback_pb2, model_parameters_pb2, parameters_pb2
    from ortools.math_opt.core.python import solver as core

    parameters = parameters_pb2.SolveParametersProto()
    if solver == "highs":
        kind = parameters_pb2.SOLVER_TYPE_HIGHS
        parameters.highs.string_options["parallel"] = "off"
        parameters.highs.int_options["random_seed"] = 0
        parameters.highs.double_options["mip_rel_gap"] = 0.0
        parameters.highs.double_options["mip_abs_gap"] = program.gap
        parameters.highs.double_options["mip_feasibility_tolerance"] = 1e-7
        if is_second:
            parameters.highs.double_options["mip_feasibility_tolerance"] = FEASIBLE
            parameters.presolve = parameters_pb2.EMPHASIS_OFF
    else:
        kind = parameters_pb2.SOLVER_TYPE_GLOP
        parameters.threads = 1
    if seconds is not None:
        parameters.time_limit.FromNanoseconds(round(seconds * 1e9))
    of_model = model_parameters_pb2.ModelSolveParametersProto()
    if begin is not None and solver == "glop":
        of_model.initial_basis.CopyFrom(begin.corner)
    try:
        with _nothing_printed(program):
            return core.solve(
                _filled(program, entries),
                kind,
                parameters_pb2.SolverInitializerProto(),
                parameters,
                of_model,
                None,
                callback_pb2.CallbackRegistrationProto(),
                None,
                None,
            )
    except Exception as error:
        # OR-Tools raises a status of its own, which Python code cannot name without importing it.
        raise SolverFailure("numerical", f"{solver} stopped: {error}") from error


@contextmanager
def _nothing_printed(program: LinearProgram) -> Iterator[None]:
    """HiGHS writes a line of its own on standard output at times, whatever its options say.

    Standard output carries the command's result alone, so it is closed to a search for whole
    numbers. Linear programs print nothing and may be solved in several threads, which could not
    each close and open the one standard output.
    """
    if not _has_whole(program):
        yield
        return
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:
        # There is no standard output.
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def _filled(program: LinearProgram, entries: Any) -> Any:
    """The program as MathOpt's model, filled from whole arrays; lists fill faster than arrays."""
    from ortools.math_opt import model_pb2

    n_rows, n_variables = program.matrix.shape
    model = model_pb2.ModelProto()
    model.variables.ids.extend(range(n_variables))
    model.variables.lower_bounds.extend(program.lower.tolist())
    model.variables.upper_bounds.extend(program.upper.tolist())
    whole = [False] * n_variables if program.integer is None else program.integer.tolist()
    model.variables.integers.extend(whole)
    costs = np.flatnonzero(program.cost)
    model.objective.linear_coefficients.ids.extend(costs.tolist())
    model.objective.linear_coefficients.values.extend(program.cost[costs].tolist())
    model.linear_constraints.ids.extend(range(n_rows))
    model.linear_constraints.lower_bounds.extend(program.row_lower.tolist())
    model.linear_constraints.upper_bounds.extend(program.row_upper.tolist())
    model.linear_constraint_matrix.CopyFrom(entries)
    return model


def _entries(matrix: csr_matrix) -> Any:
    """The matrix as MathOpt's, row by row; made once for all levels that share it."""
    from ortools.math_opt import sparse_containers_pb2

    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    entries = sparse_containers_pb2.SparseDoubleMatrixProto()
    of_row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    entries.row_ids.extend(of_row.tolist())
    entries.column_ids.extend(matrix.indices.tolist())
    entries.coefficients.extend(matrix.data.tolist())
    return entries
