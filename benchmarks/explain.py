"""Time to explain one figure of a large run, once its stages are in memory.

    python benchmarks/explain.py [--repeat N] [--method step-down|reciprocal]

explain[13-units]  13 units of 120 departments (15 admin, 12 support, 23 medtech, 70 clinical),
                   three postings for each department and element, 250,000 cases of 600 DRG groups
                   with 20 lines each: a department, an item and a DRG group of one unit, from the
                   question to the tables; and the group's page.
"""

from __future__ import annotations

import argparse
import datetime as dt
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from medcost import __version__
from medcost.explanation import explain
from medcost.explanation_page import build_page
from medcost.figure_found import Question
from medcost.kept_run import KeptRun, compute_run
from medcost.tables import ELEMENTS

PERIOD = "2026-01"
UNITS, GROUPS, ITEMS = 13, 600, 2000
CLASSES = ["admin"] * 15 + ["support"] * 12 + ["medtech"] * 23 + ["clinical"] * 70
MODEL = """
[model]
id = "b"
title = "b"
authority = "timing"
effective_from = 2026-01-01
[departments]
method = "{method}"
{order}
[[departments.rule]]
givers = {{ class = ["admin", "support"] }}
driver = "own"
[departments.medtech_to_clinical]
basis = "quantity"
[service_items]
method = "weights"
[cases]
method = "bottom-up"
"""


def labels(prefix: str, codes: np.ndarray) -> pa.Array:
    """Labels of codes: U00, U01, ..."""
    known = [f"{prefix}{code:06d}" for code in range(int(codes.max()) + 1)]
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(known))


def write_book(folder: Path, cases: int, lines_per_case: int) -> None:
    """Write a book of random services; every clinical department serves its unit's cases."""
    rng = np.random.default_rng(2026)
    n_depts = len(CLASSES)
    unit = np.repeat(np.arange(UNITS), n_depts)
    dept = np.tile(np.arange(n_depts), UNITS)

    def write(name: str, **columns: object) -> None:
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")

    def yuan(n: int) -> pa.Array:
        return pa.array(rng.integers(100, 9_000_000, n) / 100).cast(pa.float64())

    write(
        "units", unit_id=labels("U", np.arange(UNITS)), kind=["lead"] + ["township"] * (UNITS - 1)
    )
    kinds = pa.array(CLASSES * UNITS)
    write("departments", unit_id=labels("U", unit), dept_id=labels("D", dept), **{"class": kinds})
    rows = np.repeat(np.arange(len(unit)), 3 * len(ELEMENTS))
    elements = pa.array(np.tile(np.repeat(ELEMENTS, 3), len(unit)))
    month = pa.array([PERIOD])
    write(
        "ledger",
        period=pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(rows), np.int32)), month),
        unit_id=labels("U", unit[rows]),
        dept_id=labels("D", dept[rows]),
        element=elements,
        amount=yuan(len(rows)),
    )
    givers = CLASSES.index("medtech")
    giver, receiver = np.divmod(np.arange(givers * n_depts), n_depts)
    giver, receiver = giver[giver != receiver], receiver[giver != receiver]
    n = len(giver)
    write(
        "drivers",
        period=pa.array([PERIOD] * n * UNITS),
        unit_id=labels("U", np.repeat(np.arange(UNITS), n)),
        driver=labels("D", np.tile(giver, UNITS)),
        dept_id=labels("D", np.tile(receiver, UNITS)),
        quantity=pa.array(rng.integers(1, 500, n * UNITS).astype(np.float64)),
    )
    write("service_items", item_id=labels("I", np.arange(ITEMS)), basis=["shared"] * ITEMS)
    of_case = np.sort(rng.integers(0, UNITS, cases))
    write(
        "cases",
        period=pa.array([PERIOD] * cases),
        unit_id=labels("U", of_case),
        case_id=labels("K", np.arange(cases)),
        drg_id=labels("G", rng.integers(0, GROUPS, cases)),
        setting=pa.array(["inpatient"] * cases),
        discharged=pa.array([dt.date(2026, 1, 31)] * cases),
    )
    of_line = np.repeat(np.arange(cases), lines_per_case)
    n = len(of_line)
    write(
        "service_lines",
        period=pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), month),
        unit_id=labels("U", of_case[of_line]),
        dept_id=labels("D", rng.integers(givers, n_depts, n)),
        item_id=labels("I", rng.integers(0, ITEMS, n)),
        case_id=labels("K", of_line),
        ordering_dept_id=labels("D", rng.integers(n_depts - 70, n_depts, n)),
        quantity=pa.array(rng.integers(1, 9, n).astype(np.float64)),
    )


def milliseconds(work: Callable[[], object], repeat: int) -> str:
    """Median and largest of some runs."""
    times = []
    for _ in range(repeat):
        begun = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - begun))
    return f"median {statistics.median(times):7.1f} ms, largest {max(times):7.1f} ms"


def load(method: str, cases: int, lines_per_case: int) -> KeptRun:
    """Write a book, cost it and keep its stages."""
    order = 'order = ["admin", "support"]' if method == "step-down" else ""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "book").mkdir()
        write_book(folder / "book", cases, lines_per_case)
        (folder / "model.toml").write_text(MODEL.format(method=method, order=order), "utf-8")
        return compute_run(folder / "book", str(folder / "model.toml"), PERIOD)


def main() -> None:
    """Print the times of one book."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--cases", type=int, default=250_000)
    parser.add_argument("--lines-per-case", type=int, default=20)
    parser.add_argument("--method", choices=["step-down", "reciprocal"], default="step-down")
    options = parser.parse_args()
    run = load(options.method, options.cases, options.lines_per_case)
    group = Question("drg", "G000007", unit="U000003")
    found = explain(run, group)
    print(f"medcost {__version__}, Python {platform.python_version()}, numpy {np.__version__}")
    print(f"{options.method}, {options.cases:,} cases, {options.lines_per_case} lines each")
    print(f"the group: {found.n_cases} cases, {found.parts.n_postings:,} postings")
    questions = {
        "drg": group,
        "drg of all units": Question("drg", "G000007"),
        "item": Question("item", "I000007", unit="U000003"),
        "dept": Question("dept", "D000100", unit="U000003"),
    }
    for name, question in questions.items():
        times = milliseconds(lambda q=question: explain(run, q), options.repeat)  # type: ignore[misc]
        print(f"explain[13-units] {name:18}{times}")
    print(f"page              {'drg':18}{milliseconds(lambda: build_page(found), options.repeat)}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:,.0f} MiB, of which the book and its matrix are most")


if __name__ == "__main__":
    main()
