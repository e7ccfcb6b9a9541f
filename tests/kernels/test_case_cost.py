"""Rates and case costs in 128-bit fixed point against fractions."""

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels import twins
from kernels.twins import (
    LARGEST,
    always_the_same,
    exit_code_of,
    fits,
    from_threads,
    frozen,
    int64,
    strided,
)
from medcost._core.case_cost import activity_rates, case_costs

Rate = tuple[int, int, bool]
FEN = st.one_of(st.integers(-99, 99), st.integers(-(2**63), 2**63 - 1))
WEIGHT = st.one_of(st.integers(0, 9), st.integers(-(2**63), 2**63 - 1))
TOTAL = st.one_of(st.integers(1, 12), st.integers(1, 2**63 - 1), st.sampled_from([1, LARGEST]))


def rates_of(activities: list[tuple[int, int, int]]) -> list[Rate]:
    """Return the kernel's rates of (pool, weight, total)."""
    columns = [int64(column, len(activities)) for column in zip(*activities, strict=True)]
    whole, part, inexact = activity_rates(*columns)
    assert (part.dtype, inexact.dtype) == (np.uint64, np.bool_)
    return list(zip(whole.tolist(), part.tolist(), inexact.tolist(), strict=True))


@always_the_same(max_examples=400)
@given(st.lists(st.tuples(FEN, WEIGHT, TOTAL), min_size=1, max_size=5))
def test_a_rate_is_the_floor_of_the_fraction_or_refused(
    activities: list[tuple[int, int, int]],
) -> None:
    """Products of up to 126 bits; a whole part beyond 64 bits raises."""
    columns = [list(column) for column in zip(*activities, strict=True)]
    try:
        expected = twins.activity_rates(*columns)
    except OverflowError:
        with pytest.raises(OverflowError):
            rates_of(activities)
        return
    assert expected == rates_of(activities)


@pytest.mark.parametrize(
    ("activity", "rate"),
    [
        ((100, 1, 4), (25, 0, False)),
        ((1, 1, 2), (0, 2**63, False)),
        ((-1, 1, 2), (-1, 2**63, False)),
        ((1, 1, 3), (0, 2**64 // 3, True)),
        ((-1, 1, 3), (-1, 2**64 - 2**64 // 3 - 1, True)),
        ((1, 0, 7), (0, 0, False)),
        ((0, 5, 7), (0, 0, False)),
        ((1, 1, 2**62), (0, 4, False)),
        ((-1, 1, LARGEST), (-1, 2**64 - 3, True)),
        ((2**63 - 1, 2**63 - 1, 2**63 - 1), (2**63 - 1, 0, False)),
        ((-(2**63), 2**63 - 1, 2**63 - 1), (-(2**63), 0, False)),
    ],
)
def test_a_rate_is_cut_downward(activity: tuple[int, int, int], rate: Rate) -> None:
    """−1 ÷ 3 is −1 and 2 thirds; cut at 2^-64 it is −1 + (2^64 − ⌈2^64 ÷ 3⌉) ÷ 2^64."""
    assert [rate] == rates_of([activity])


@pytest.mark.parametrize("total", [0, -1, -(2**63)])
def test_a_total_that_is_not_positive_is_refused(total: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        rates_of([(1, 1, 1), (1, 1, total)])


@pytest.mark.parametrize("activity", [(2**62, 2, 1), (-(2**63), 2, 1), (2**63 - 1, 3, 2)])
def test_a_rate_beyond_64_bits_is_refused(activity: tuple[int, int, int]) -> None:
    with pytest.raises(OverflowError):
        rates_of([activity])


@st.composite
def matrices(draw: st.DrawFn) -> dict[str, Any]:
    """Draw rates and cases whose Σ |measure × (whole + 1)| stays below 2^62, as callers prove."""
    size = draw(st.sampled_from([2**4, 2**20, 2**40, 2**56]))
    whole = st.one_of(st.integers(-5, 5), st.integers(-size, size))
    part = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 1, 2**63, 2**64 - 1]))
    rates = draw(st.lists(st.tuples(whole, part, st.booleans()), min_size=1, max_size=6))
    most = max(abs(w) + 1 for w, _, _ in rates)
    reach = (2**62 - 1) // (6 * most)
    measure = st.one_of(st.integers(-min(9, reach), min(9, reach)), st.integers(-reach, reach))
    starts, activities, measures = [0], [], []
    for _ in range(draw(st.integers(0, 6))):
        for _ in range(draw(st.integers(0, 6))):
            activities.append(draw(st.integers(0, len(rates) - 1)))
            measures.append(draw(measure))
        starts.append(len(activities))
    return {"starts": starts, "activities": activities, "measures": measures, "rates": rates}


def costs_of(
    starts: list[int], activities: list[int], measures: list[int], rates: list[Rate]
) -> list[tuple[int, int, int]]:
    """Return the kernel's cases."""
    whole, part, error = case_costs(
        int64(starts),
        int64(activities, len(activities)),
        int64(measures, len(measures)),
        int64([w for w, _, _ in rates]),
        np.array([p for _, p, _ in rates], np.uint64),
        np.array([i for _, _, i in rates], np.bool_),
    )
    return list(zip(whole.tolist(), part.tolist(), error.tolist(), strict=True))


@always_the_same(max_examples=300)
@given(matrices())
def test_a_case_costs_the_sum_of_its_rates(case: dict[str, Any]) -> None:
    assert twins.case_costs(**case) == costs_of(**case)


@always_the_same(max_examples=200)
@given(
    st.lists(
        st.tuples(st.integers(-(10**9), 10**9), st.integers(0, 10**4), st.integers(1, 10**9)),
        min_size=1,
        max_size=5,
    ),
    st.lists(st.tuples(st.integers(0, 4), st.integers(-(10**4), 10**4)), max_size=8),
)
def test_the_bound_holds_what_the_floor_lost(
    activities: list[tuple[int, int, int]], entries: list[tuple[int, int]]
) -> None:
    """|exact cost − returned cost| × 2^64 is at most the bound, and 0 where the bound is 0."""
    entries = [(a % len(activities), m) for a, m in entries]
    starts = [0, len(entries)]
    ((whole, part, error),) = costs_of(
        starts, [a for a, _ in entries], [m for _, m in entries], rates_of(activities)
    )
    exact = sum(
        (Fraction(activities[a][0] * activities[a][1] * m, activities[a][2]) for a, m in entries),
        Fraction(0),
    )
    lost = abs(exact * 2**64 - ((whole << 64) + part))
    assert lost < error or lost == error == 0


def test_a_bound_beyond_64_bits_is_the_largest_number() -> None:
    """Two inexact entries of 2^62 add up to 2^63: the bound is 2^63 − 1."""
    rates = [(0, 1, True)]
    assert costs_of([0, 2], [0, 0], [2**62, 2**62], rates) == [(0, 2**63, LARGEST)]
    assert costs_of([0, 2], [0, 0], [2**62, -(2**62)], rates) == [(0, 0, LARGEST)]


def test_a_reversal_costs_what_the_service_cost_with_its_sign_turned() -> None:
    """3 × ⅓ − 3 × ⅓ = 0 exactly, though each rate is cut."""
    rates = [(0, 2**64 // 3, True), (-7, 123, False)]
    case = costs_of([0, 4], [0, 1, 0, 1], [3, 5, -3, -5], rates)
    assert case == [(0, 0, 6)]


def test_no_case_and_a_case_without_services_cost_nothing() -> None:
    assert costs_of([0], [], [], [(1, 0, False)]) == []
    assert costs_of([0, 0, 0], [], [], [(1, 0, False)]) == [(0, 0, 0), (0, 0, 0)]
    none, no_parts = int64([], 0), np.zeros(0, np.uint64)
    found = case_costs(int64([0, 0]), none, none, none, no_parts, np.zeros(0, np.bool_))
    assert [array.tolist() for array in found] == [[0], [0], [0]]
    assert [array.tolist() for array in activity_rates(none, none, none)] == [[], [], []]


def good_arguments() -> list[Any]:
    """Return arguments of case_costs: two cases, three entries, two activities."""
    return [
        int64([0, 2, 3]),
        int64([0, 1, 1]),
        int64([5, -6, 7]),
        int64([10, -20]),
        np.array([3, 2**64 - 1], np.uint64),
        np.array([True, False]),
    ]


@pytest.mark.parametrize(
    ("position", "values"),
    [
        (0, []),
        (0, [0, 2, 4]),
        (1, [0, 1, 2]),
        (1, [0, -1, 1]),
        (1, [0, 2**62, 1]),
        (1, [0, 1]),
        (2, [1, 2]),
        (2, [1, 2, 3, 4]),
        (3, [1]),
        (3, [1, 2, 3]),
    ],
)
def test_indices_and_lengths_that_do_not_fit_are_refused(position: int, values: list[int]) -> None:
    arguments = good_arguments()
    arguments[position] = int64(values, len(values))
    with pytest.raises(ValueError, match=r"fit|activity|length"):
        case_costs(*arguments)


@pytest.mark.parametrize("position", [4, 5])
def test_rates_of_unequal_length_are_refused(position: int) -> None:
    arguments = good_arguments()
    arguments[position] = arguments[position][:1]
    with pytest.raises(ValueError, match="same length"):
        case_costs(*arguments)


@pytest.mark.parametrize("position", range(3))
def test_pools_weights_and_totals_of_unequal_length_are_refused(position: int) -> None:
    arguments = [int64([1, 2]) for _ in range(3)]
    arguments[position] = int64([1])
    with pytest.raises(ValueError, match="same length"):
        activity_rates(*arguments)


UNCHECKED_STARTS = """
import numpy as np
from medcost._core.case_cost import case_costs
one = np.array([1])
entries = np.zeros(2, np.int64)
part, inexact = np.zeros(1, np.uint64), np.zeros(1, np.bool_)
try:
    case_costs(np.array({starts}), entries, entries, one, part, inexact)
except ValueError:
    raise SystemExit(0)
raise SystemExit("read outside its arrays")
"""


@pytest.mark.parametrize("starts", [[-3, 2], [0, 5, 2], [0, 2, 1, 2], [0, -1]], ids=str)
def test_starts_that_are_not_ascending_are_refused(starts: list[int]) -> None:
    """In a process of its own, for the kernel reads outside the arrays."""
    script = UNCHECKED_STARTS.format(starts=starts)
    assert exit_code_of(script) == 0


@pytest.mark.parametrize("position", range(6))
@pytest.mark.parametrize(
    "spoil",
    [
        strided,
        lambda array: array.astype(np.int32),
        lambda array: array.astype(np.float64),
        lambda array: array.astype(object),
        lambda array: array[None],
    ],
    ids=["strided", "int32", "double", "object", "deeper"],
)
def test_an_array_of_the_wrong_kind_is_refused(
    spoil: Callable[[NDArray[Any]], object], position: int
) -> None:
    """The last argument, where rates are inexact, may be strided: it is copied if need be."""
    arguments = good_arguments()
    arguments[position] = spoil(good_arguments()[position])
    if position == 5 and spoil is strided:
        expected = case_costs(*good_arguments())
        assert all(map(np.array_equal, expected, case_costs(*arguments)))
        return
    with pytest.raises((TypeError, ValueError)):
        case_costs(*arguments)
    if position < 3:
        columns: list[object] = [int64([1, 2, 3]) for _ in range(3)]
        columns[position] = spoil(int64([1, 2, 3]))
        with pytest.raises((TypeError, ValueError)):
            activity_rates(*columns)


def test_read_only_arrays_are_read() -> None:
    expected = case_costs(*good_arguments())
    assert all(map(np.array_equal, expected, case_costs(*map(frozen, good_arguments()))))
    columns = [int64([7, 8]), int64([1, 2]), int64([3, 4])]
    assert all(map(np.array_equal, activity_rates(*columns), activity_rates(*map(frozen, columns))))


def test_threads_at_once_get_the_same_costs() -> None:
    """Two thousand cases of up to forty services; the twin agrees on every one."""
    rng = np.random.default_rng(7)
    n = 300
    pools, totals = rng.integers(-(10**9), 10**12, n), rng.integers(1, 10**10, n)
    weights = rng.integers(0, 10**4, n)
    counts = rng.integers(0, 41, 2_000)
    starts = np.concatenate([[0], np.cumsum(counts)])
    activities = rng.integers(0, n, starts[-1])
    measures = rng.integers(-3, 10, starts[-1])
    rates = activity_rates(pools, weights, totals)
    expected = case_costs(starts, activities, measures, *rates)
    of_twin = twins.case_costs(
        starts.tolist(),
        activities.tolist(),
        measures.tolist(),
        list(zip(*(array.tolist() for array in rates), strict=True)),
    )
    assert of_twin == list(zip(*(array.tolist() for array in expected), strict=True))
    assert all(fits(cost) for cost, _, _ in of_twin)
    assert [b - a for a, b in pairwise(starts.tolist())] == counts.tolist()
    for found in from_threads(lambda: case_costs(starts, activities, measures, *rates)):
        assert all(map(np.array_equal, expected, found))
