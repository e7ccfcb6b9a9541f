"""The kernels by themselves, on arrays of n elements.

    python -m pytest benchmarks --benchmark-enable --benchmark-only

A new kernel needs a function that draws its arrays and returns the call, and a row in KERNELS;
those of the lines and of the activity matrix stand in line_kernels.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable
from functools import partial
from math import isqrt
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.line_kernels import LINE_KERNELS
from medcost._core.case_cost import activity_rates, case_costs
from medcost._core.residual import add_corrections, residuals
from medcost._core.sha256 import add_blocks, is_supported
from medcost._core.split import split_rows, weight_totals
from medcost._core.step_down import step_down
from medcost._core.sums import (
    add_columns,
    add_rows,
    find_ascending,
    group_sums,
    half_sums,
    narrow_codes,
    sort_order,
    sort_within,
    union_of,
)
from medcost.file_hashes import START

N_ELEMENTS = 7
SIZES = (10_000, 1_000_000)
Call = Callable[[], Any]
Ints = NDArray[np.int64]


def fen(rng: np.random.Generator, *shape: int) -> Ints:
    """Amounts up to ten million yuan, some of them credits."""
    return rng.integers(-(10**8), 10**9, shape)


def even_starts(rows: int, n: int) -> Ints:
    """Where each of the rows begins among n entries, and n."""
    return np.arange(rows + 1) * n // rows


def split_rows_call(n: int, rng: np.random.Generator) -> Call:
    """Rows of 100 receivers, seven elements."""
    rows = n // 100
    return partial(
        split_rows, fen(rng, rows, N_ELEMENTS), even_starts(rows, n), rng.integers(1, 10**7, n)
    )


def weight_totals_call(n: int, rng: np.random.Generator) -> Call:
    """Rows of 100 receivers."""
    return partial(weight_totals, even_starts(n // 100, n), rng.integers(1, 10**7, n))


def sort_order_call(n: int, rng: np.random.Generator) -> Call:
    """Keys of 40 bits, as those of case and activity are."""
    return partial(sort_order, rng.integers(0, 1 << 40, n))


def group_sums_call(n: int, rng: np.random.Generator) -> Call:
    """Every key about four times, three measures."""
    return partial(group_sums, rng.integers(0, n // 4, n) << 20, fen(rng, n, 3))


def add_rows_call(n: int, rng: np.random.Generator) -> Call:
    """One measure of each entry added up by activity."""
    totals = np.zeros((n // 100, 1), np.int64)
    # Nothing can wrap, however often the call is repeated.
    return partial(add_rows, totals, rng.integers(0, n // 100, n), rng.integers(-9, 10, (n, 1)))


def half_sums_call(n: int, rng: np.random.Generator) -> Call:
    """Seven elements of n cases added up by unit, in their order."""
    return partial(half_sums, np.arange(n) * 13 // n, np.asfortranarray(fen(rng, n, 7)), 13)


def add_columns_call(n: int, rng: np.random.Generator) -> Call:
    """Seven elements of n cases added up by group."""
    totals = np.zeros((n // 25 + 1, 7), np.int64, order="F")
    values = np.asfortranarray(rng.integers(-9, 10, (n, 7)))
    return partial(add_columns, totals, rng.integers(0, len(totals), n), values)


def find_ascending_call(n: int, rng: np.random.Generator) -> Call:
    """Every second of n keys."""
    keys = np.cumsum(rng.integers(1, 99, n))
    return partial(find_ascending, keys, keys[::2].copy())


def union_of_call(n: int, rng: np.random.Generator) -> Call:
    """Keys of ten pieces, one in eight of a span."""
    return partial(union_of, [rng.integers(0, n, n // 10) for _ in range(10)], 0, n)


def add_blocks_call(n: int, rng: np.random.Generator) -> Call:
    """SHA-256 of two messages of 32 n bytes each, where the processor can."""
    data = rng.bytes(n // 2 * 64)
    if not is_supported():
        return partial(hashlib.sha256, data)
    return partial(add_blocks, array("I", START), data, array("I", START), data)


def sort_within_call(n: int, rng: np.random.Generator) -> Call:
    """Groups of 25 totals."""
    groups = n // 25 + 1
    return partial(sort_within, rng.integers(0, groups, n), fen(rng, n), groups)


def narrow_codes_call(n: int, rng: np.random.Generator) -> Call:
    """Codes of 800 groups."""
    return partial(narrow_codes, rng.integers(-1, 800, n), 800)


def step_down_call(n: int, rng: np.random.Generator) -> Call:
    """As many links as n: every giver serves all departments that close after it."""
    givers = isqrt(n)
    starts = even_starts(givers, n)
    departments = givers + int(np.diff(starts).max()) + 1
    receivers = np.concatenate(
        [np.arange(departments - count, departments) for count in np.diff(starts).tolist()]
    )
    return partial(
        step_down,
        fen(rng, departments, N_ELEMENTS),
        np.arange(givers),
        starts,
        receivers,
        rng.integers(1, 10**4, n),
    )


def residuals_call(n: int, rng: np.random.Generator) -> Call:
    """A system of n links, half of what each giver gives staying within it."""
    givers = isqrt(n)
    links = rng.integers(0, 1000, (givers, givers))
    unit_costs = np.zeros((givers, N_ELEMENTS, 2), np.int64)
    unit_costs[:, :, 1] = rng.integers(0, 1 << 62, (givers, N_ELEMENTS))
    return partial(
        residuals, links, 2 * links.sum(axis=0), fen(rng, givers, N_ELEMENTS), 40, unit_costs
    )


def add_corrections_call(n: int, rng: np.random.Generator) -> Call:
    """Small corrections of n unit costs."""
    unit_costs = np.zeros((n // N_ELEMENTS, N_ELEMENTS, 2), np.int64)
    return partial(add_corrections, unit_costs, rng.normal(0, 1e6, unit_costs.shape[:2]))


def activity_rates_call(n: int, rng: np.random.Generator) -> Call:
    """The rates of n activities in one element."""
    totals = rng.integers(10**6, 10**12, n)
    return partial(activity_rates, fen(rng, n), rng.integers(1, 10**6, n), totals)


def case_costs_call(n: int, rng: np.random.Generator) -> Call:
    """Cases of 100 entries in one element, as many activities as cases."""
    rows = n // 100
    rates = activity_rates(
        fen(rng, rows), rng.integers(1, 10**6, rows), rng.integers(10**9, 10**12, rows)
    )
    measures = rng.integers(-10, 100, n)
    return partial(case_costs, even_starts(rows, n), rng.integers(0, rows, n), measures, *rates)


KERNELS: dict[str, Callable[[int, np.random.Generator], Call]] = {
    "split_rows": split_rows_call,
    "weight_totals": weight_totals_call,
    "sort_order": sort_order_call,
    "group_sums": group_sums_call,
    "add_rows": add_rows_call,
    "add_columns": add_columns_call,
    "half_sums": half_sums_call,
    "find_ascending": find_ascending_call,
    "sort_within": sort_within_call,
    "add_blocks": add_blocks_call,
    "union_of": union_of_call,
    "narrow_codes": narrow_codes_call,
    "step_down": step_down_call,
    "residuals": residuals_call,
    "add_corrections": add_corrections_call,
    "activity_rates": activity_rates_call,
    "case_costs": case_costs_call,
    **LINE_KERNELS,
}


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("kernel", KERNELS)
def test_kernel(benchmark: BenchmarkFixture, kernel: str, n: int) -> None:
    """Time per call; divided by n it is the time per element."""
    benchmark.extra_info["elements"] = n
    benchmark(KERNELS[kernel](n, np.random.default_rng(n)))
