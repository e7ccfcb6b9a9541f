"""The plan of the capital pool, timed: the first goal beside scipy, all goals, many scenarios.

    python -m benchmarks.lending [--repeat 5] [--scenarios 20]

Each measurement is a fresh process on the sample consortium of 111 members and 36 months, begun
after its modules are imported. scipy.optimize.linprog (HiGHS) gets the same arrays and must find
the same value; of these two, which use one thread, processor time is counted, so that other
programs do not. Printed are medians with the least and the most, versions and the load.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MEMBERS, MONTHS = 111, 36
# How scenarios of the sample differ: a share of each flow after the first month.
SPREAD = 0.08


def main() -> None:
    """Measure everything, each in processes of its own, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--scenarios", type=int, default=20)
    parser.add_argument("--measure", choices=sorted(MEASURES))
    parser.add_argument("--book", type=Path)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(MEASURES[given.measure](given.book, given.scenarios)))
        return
    with tempfile.TemporaryDirectory() as folder:
        book = Path(folder) / "book"
        made = ("-m", "medcost", "sample", str(book), "--hospitals", str(MEMBERS))
        subprocess.run([sys.executable, *made, "--lines", "2000", "--quiet"], check=True)
        _table(book, given.repeat, given.scenarios)


def _table(book: Path, repeat: int, scenarios: int) -> None:
    import ortools
    import scipy

    print(f"{MEMBERS} members x {MONTHS} months; {platform.machine()}, {os.cpu_count()} processors")
    print(
        f"Python {platform.python_version()}, OR-Tools {ortools.__version__}, "
        f"SciPy {scipy.__version__}; load {os.getloadavg()[0]:.1f}"
    )
    values: dict[str, float] = {}
    for name in MEASURES:
        times, builds = [], []
        for _ in range(1 if name == "scenarios" else repeat):
            command = (sys.executable, "-m", "benchmarks.lending", "--measure", name)
            options = ("--book", str(book), "--scenarios", str(scenarios))
            done = subprocess.run([*command, *options], check=True, capture_output=True, text=True)
            found = json.loads(done.stdout)
            times.append(found["seconds"])
            builds.append(found.get("build", 0.0))
            if "value" in found:
                values[name] = found["value"]
        middle = statistics.median(times)
        share = f", building {statistics.median(builds) / middle:.1%}" if any(builds) else ""
        print(
            f"{name:14} median {middle:8.3f} s (least {min(times):.3f}, most {max(times):.3f})"
            f"{share}"
        )
    differ = abs(values["first_goal"] - values["scipy"])
    if differ > 1e-6 * max(1.0, abs(values["scipy"])):
        raise SystemExit(f"scipy finds {values['scipy']}, medcost {values['first_goal']}")


def _data(book: Path, scenarios: int = 1) -> tuple[Any, Any]:
    """Cash and terms of the sample, with whole lots; scenarios differ after the first month."""
    from dataclasses import replace

    import numpy as np

    from medcost.consortium.inputs import read_consortium
    from medcost.consortium.lending.policy import load_lending
    from medcost.consortium.lending.position import position

    inputs = read_consortium(book, "lend", ("cash_plan",))
    cash, terms = position(inputs, load_lending(None), "2026-01", None)
    if scenarios == 1:
        return cash, terms
    random = np.random.default_rng(1)
    shape = (scenarios, *cash.inflow.shape[1:])
    moved = np.ones(shape)
    moved[:, :, 1:] += random.normal(0, SPREAD, moved[:, :, 1:].shape)
    inflow = np.maximum(np.rint(cash.inflow * moved), 0).astype(np.int64)
    return replace(
        cash,
        scenarios=tuple(f"s{i:02d}" for i in range(scenarios)),
        probability=np.full(scenarios, 1 / scenarios),
        inflow=inflow,
        outflow=np.broadcast_to(cash.outflow, shape).copy(),
        basic=np.broadcast_to(cash.basic, shape).copy(),
        at_risk=np.zeros(shape, np.int64),
        pool_at_risk=np.zeros((scenarios, shape[2]), np.int64),
    ), terms


def _first_program(book: Path) -> tuple[Any, float]:
    """The relaxed program of the first goal, and the seconds that building it took."""
    from dataclasses import replace

    from scipy.sparse import csr_matrix, hstack, vstack  # noqa: F401

    from medcost.consortium.lending.goals import worst_program
    from medcost.consortium.lending.model import plan_model

    cash, terms = _data(book)
    begun = time.process_time()
    program = worst_program(plan_model(cash, terms))
    return replace(program, integer=None), time.process_time() - begun


def first_goal(book: Path, _scenarios: int) -> dict[str, float]:
    """The first goal by medcost from its rows: filling the solver's model, solving, checking."""
    from medcost.consortium import solver

    program, build = _first_program(book)
    solver.solve(solver.LinearProgram(*_tiny()), solver="glop")
    begun = time.process_time()
    found = solver.solve(program, solver="glop")
    seconds = time.process_time() - begun
    begun = time.process_time()
    solver._filled(program, solver._entries(program.matrix))
    build += time.process_time() - begun
    return {"seconds": seconds, "build": build, "value": found.objective}


def scipy_first_goal(book: Path, _scenarios: int) -> dict[str, float]:
    """The same by scipy.optimize.linprog with HiGHS, from the same rows."""
    import numpy as np
    from scipy.optimize import linprog
    from scipy.sparse import vstack

    program, _build = _first_program(book)
    linprog(np.ones(1), bounds=[(0, 1)])
    equal = program.row_lower == program.row_upper
    least = ~equal & np.isfinite(program.row_lower)
    most = ~equal & np.isfinite(program.row_upper)
    begun = time.process_time()
    found = linprog(
        program.cost,
        A_ub=vstack([-program.matrix[least], program.matrix[most]], format="csr"),
        b_ub=np.concatenate([-program.row_lower[least], program.row_upper[most]]),
        A_eq=program.matrix[equal],
        b_eq=program.row_lower[equal],
        bounds=np.column_stack([program.lower, program.upper]),
        method="highs",
    )
    return {"seconds": time.process_time() - begun, "value": float(found.fun)}


def all_goals(book: Path, _scenarios: int) -> dict[str, float]:
    """A plan with all goals, whole lots, fen and rules verified."""
    return _planned(*_data(book))


def scenarios_planned(book: Path, scenarios: int) -> dict[str, float]:
    """The same with scenarios that share their first month."""
    return _planned(*_data(book, scenarios))


def _planned(cash: Any, terms: Any) -> dict[str, float]:
    from medcost.consortium import solver
    from medcost.consortium.lending import plan
    from medcost.consortium.lending.goals import Means

    spent = {"build": 0.0}

    def timed(work: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:
            begun = time.perf_counter()
            try:
                return work(*given, **named)
            finally:
                spent["build"] += time.perf_counter() - begun

        return counted

    for module, name in ((plan, "plan_model"), (solver, "_filled"), (solver, "_entries")):
        setattr(module, name, timed(getattr(module, name)))
    begun = time.perf_counter()
    plan.make_plan(cash, terms, Means(threads=os.cpu_count() or 1))
    return {"seconds": time.perf_counter() - begun, **spent}


def _tiny() -> tuple[Any, ...]:
    """A program of nothing, which imports the solver."""
    import numpy as np
    from scipy.sparse import csr_matrix

    none = np.zeros(0)
    return none, none, none, csr_matrix((0, 0)), none, none


MEASURES: dict[str, Callable[[Path, int], dict[str, float]]] = {
    "first_goal": first_goal,
    "scipy": scipy_first_goal,
    "all_goals": all_goals,
    "scenarios": scenarios_planned,
}

if __name__ == "__main__":
    main()
