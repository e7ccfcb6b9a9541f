"""The department stage, in memory: how fast the reciprocal equations are certified.

The equations: 200 departments, 60 of them support, 6,000 links, seven elements; alone, and with
every split and the fen left over. The stage: 13 units, 2,700 rules in all (1,800 reciprocal
givers in systems of at most 200), 1,050,000 driver rows.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from medcost.allocation_model import AllocationModel, LoadedModel
from medcost.book import Registers
from medcost.costing.departments import cost_departments
from medcost.costing.reciprocal import build_system, solve_gross_cost
from medcost.period_book import DriverRows, LedgerRows, PeriodBook, WeightRows, register_cases
from medcost.tables import CLASSES, ELEMENTS

SUPPORT, CLINICAL = CLASSES.index("support"), CLASSES.index("clinical")
PERIOD = "2026-01"


def reciprocal_model() -> LoadedModel:
    """Every support department by its own statistic, solved together."""
    content = {
        "model": {
            "id": "b",
            "title": "b",
            "authority": "timing",
            "effective_from": dt.date(2026, 1, 1),
        },
        "departments": {
            "method": "reciprocal",
            "rule": [{"givers": {"class": "support"}, "driver": "own"}],
        },
    }
    model = AllocationModel.of(content)
    return LoadedModel(model=model, file="benchmark", content=b"", sha256="", lines={})


def make_book(
    units: int, givers: int, links_per_giver: int, departments: int, loop_of: int, seed: int
) -> PeriodBook:
    """A period's book in memory: givers serve random departments; the first loop_of each other."""
    rng = np.random.default_rng(seed)
    dept_ids = [f"D{i:04d}" for i in range(departments)]
    dept_class = np.where(np.arange(departments) < givers, SUPPORT, CLINICAL)
    registers = Registers(
        tuple(f"U{u:02d}" for u in range(units)),
        tuple(dept_ids * units),
        np.repeat(np.arange(units), departments),
        np.tile(dept_class, units),
        np.zeros(units * departments, np.int64),
        np.full(units * departments, 10**6),
        (),
        np.zeros(0, np.bool_),
        np.zeros(0, np.int64),
    )
    rows: list[NDArray[np.int64]] = []
    counts: list[int] = []
    for unit in range(units):
        for giver in range(givers):
            # Givers outside the loop serve only departments that do not give.
            first = 0 if giver < loop_of else givers
            open_to = np.setdiff1d(np.arange(first, departments), [giver])
            if giver < loop_of:
                open_to = open_to[(open_to < loop_of) | (open_to >= givers)]
            chosen = rng.choice(open_to, min(links_per_giver, len(open_to)), replace=False)
            rows.append(np.sort(chosen) + unit * departments)
            counts.append(len(chosen))
    first_row = np.zeros(units * departments + 1, np.int64)
    by_driver = np.zeros((units, departments), np.int64)
    by_driver[:, :givers] = np.array(counts).reshape(units, givers)
    first_row[1:] = np.cumsum(by_driver.reshape(-1))
    dept = np.concatenate(rows)
    n = units * departments * len(ELEMENTS)
    ledger = LedgerRows(
        np.repeat(np.arange(units * departments), len(ELEMENTS)),
        np.tile(np.arange(len(ELEMENTS)), units * departments),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        rng.integers(100_000, 500_000_000, n),
        np.arange(n),
    )
    none = np.zeros(0, np.int64)
    return PeriodBook(
        PERIOD,
        registers,
        np.ones(units, np.bool_),
        ledger,
        DriverRows(tuple(dept_ids), dept, rng.integers(1, 10_000, len(dept)) * 10_000, first_row),
        WeightRows(none, none, none, none, none, none),
        register_cases(none, pa.chunked_array([pa.array([], pa.string())])),
        {},
        has_bed_days=False,
        has_opening_charge=False,
    )


@pytest.fixture(scope="module")
def loop() -> PeriodBook:
    """One unit of 200 departments, 60 of which serve each other."""
    return make_book(1, 60, 100, 200, 60, seed=1)


def test_equations(benchmark: BenchmarkFixture, loop: PeriodBook) -> None:
    served = np.zeros((60, 60), np.int64)
    totals = np.zeros(60, np.int64)
    direct = loop.ledger.fen.reshape(-1, len(ELEMENTS))[:60].copy()
    for giver in range(60):
        span = slice(loop.drivers.first_row[giver], loop.drivers.first_row[giver + 1])
        receivers, quantity = loop.drivers.dept[span], loop.drivers.quantity[span]
        served[receivers[receivers < 60], giver] = quantity[receivers < 60]
        totals[giver] = quantity.sum()
    divisors = np.full(60, 10_000)
    benchmark(lambda: solve_gross_cost(build_system(served, totals, divisors), direct))


def test_stage_of_one_unit(benchmark: BenchmarkFixture, loop: PeriodBook) -> None:
    benchmark(cost_departments, loop, reciprocal_model())


def test_stage_of_13_units(benchmark: BenchmarkFixture) -> None:
    book = make_book(13, 208, 389, 600, 139, seed=2)
    benchmark(cost_departments, book, reciprocal_model())
