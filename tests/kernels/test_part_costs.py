"""Costs over a part of the matrix in 64 and 128 bits, against integers and fractions."""

from collections.abc import Callable
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels import twins
from kernels.twins import LARGEST, always_the_same, exit_code_of, from_threads, frozen, strided
from kernels.twins import int64 as int64_of
from medcost._core.case_cost import activity_rates
from medcost._core.part_costs import (
    add_costs,
    add_direct_costs,
    add_found,
    add_wide_costs,
    scaled_rates,
)

ACTIVITY = (np.uint16, np.uint32)
MEASURE = (np.int8, np.int16, np.int32, np.int64)
Array = NDArray[Any]


def int64(values: Any, *shape: int) -> NDArray[np.int64]:
    """Return integers of any size as int64, modulo 2^64, as sums that wrap leave them."""
    wrapped = [((int(v) + 2**63) % 2**64) - 2**63 for v in np.array(values, object).reshape(-1)]
    return int64_of(wrapped, *(shape or np.shape(values)))


@st.composite
def parts(draw: st.DrawFn, most: int = 10**6) -> dict[str, Any]:
    """Draw rows of a part: entries of any width, receivers that may stand several times."""
    kind = draw(st.sampled_from(MEASURE))
    largest = min(most, int(np.iinfo(kind).max))
    n_activities, n_receivers = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    counts = draw(st.lists(st.integers(0, 5), max_size=6))
    n = sum(counts)
    value = st.one_of(st.integers(-3, 3), st.integers(-largest, largest))
    pick = st.integers(0, n_activities - 1)
    return {
        "starts": int64_of([0, *accumulate(counts)]),
        "activity": np.array(
            draw(st.lists(pick, min_size=n, max_size=n)), draw(st.sampled_from(ACTIVITY))
        ),
        "measure": np.array(draw(st.lists(value, min_size=n, max_size=n)), kind),
        "step": draw(st.sampled_from((1, 1, 7, 10**4))),
        "receivers": int64_of(
            draw(
                st.lists(
                    st.integers(0, n_receivers - 1), min_size=len(counts), max_size=len(counts)
                )
            ),
            len(counts),
        ),
        "n_activities": n_activities,
        "n_receivers": n_receivers,
    }


def entries_of(part: dict[str, Any]) -> list[tuple[int, int, int]]:
    """Return (receiver, activity, measure x step) of each entry."""
    return [
        (int(part["receivers"][row]), int(part["activity"][e]), int(part["measure"][e]) * step)
        for step in [part["step"]]
        for row, (a, b) in enumerate(pairwise(part["starts"].tolist()))
        for e in range(a, b)
    ]


def narrow(part: dict[str, Any], rates: Array, costs: Array) -> Array:
    """Return costs after add_costs, the rates of all activities in the opposite order."""
    add_costs(
        part["starts"],
        part["activity"],
        part["measure"],
        part["step"],
        np.arange(len(rates), dtype=np.uint32)[::-1].copy(),
        rates[::-1].copy(),
        part["receivers"],
        costs,
    )
    return costs


@always_the_same(max_examples=250)
@given(parts(), st.data())
def test_every_lane_is_the_sum_of_rates_by_measure(
    part: dict[str, Any], data: st.DataObject
) -> None:
    """What was in costs before stays in; lane 7 is the sum of absolute measures."""
    rate = st.one_of(st.integers(-9, 9), st.integers(-(10**12), 10**12))
    n, n_receivers = part["n_activities"], part["n_receivers"]
    rates = [data.draw(st.lists(rate, min_size=8, max_size=8)) for _ in range(n)]
    before = [data.draw(st.lists(st.integers(0, 99), min_size=8, max_size=8))] * n_receivers
    expected = twins.added_costs(before, entries_of(part), rates)
    assert int64(expected).tolist() == narrow(part, int64_of(rates), int64_of(before)).tolist()


@pytest.mark.parametrize("activity_type", ACTIVITY)
@pytest.mark.parametrize("measure_type", MEASURE)
def test_all_types_give_the_same_costs(activity_type: type, measure_type: type) -> None:
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 9, 200)
    starts = np.append(0, np.cumsum(counts))
    n = int(starts[-1])
    activity, measure = rng.integers(0, 50, n), rng.integers(-128, 128, n)
    element = rng.integers(-1, 7, 50).astype(np.int8)
    receivers, rates = rng.integers(0, 90, 200), rng.integers(-(10**9), 10**9, (50, 8))
    part = {
        "starts": starts,
        "activity": activity.astype(activity_type),
        "measure": measure.astype(measure_type),
        "step": 10**4,
        "receivers": receivers,
    }
    entries = entries_of(part)
    expected = twins.added_costs([[0] * 8] * 90, entries, rates.tolist())
    assert expected == narrow(part, rates, np.zeros((90, 8), np.int64)).tolist()
    part["step"] = 1
    direct = np.zeros((90, 7), np.int64)
    found = direct.copy()
    add_direct_costs(starts, part["activity"], part["measure"], element, receivers, found)
    for row, a, cost in entries_of(part):
        if element[a] >= 0:
            direct[row, element[a]] += cost
    assert np.array_equal(direct, found)
    whole, of_wide, inexact = wide_rates(rates[:, 0].tolist(), [1] * 50, [7] * 50)
    cost, fraction, error = added_wide(part, 90, whole, of_wide, inexact)
    exact = twins.wide_costs([0] * 90, [0] * 90, entries_of(part), whole, of_wide, inexact)
    assert exact == (cost.tolist(), fraction.tolist(), error.tolist())


def test_a_total_near_2_61_is_right_though_sums_on_the_way_wrap() -> None:
    """2^61 − 1 from 5 x 2^61, − 3 x 2^61, − 2^61 and − 1; the first two pass 2^63."""
    rates = [[2**61] * 7 + [0], [-1] * 7 + [0]]
    part = {
        "starts": int64_of([0, 1, 4, 5]),
        "activity": np.array([0, 0, 0, 1, 1], np.uint16),
        "measure": np.array([7, -3, -3, 1, 0], np.int8),
        "step": 1,
        "receivers": int64_of([0, 0, 0]),
    }
    (found,) = narrow(part, int64_of(rates), np.zeros((1, 8), np.int64)).tolist()
    assert [2**61 - 1] * 7 + [14] == found
    mirror = part | {"measure": -part["measure"]}
    (found,) = narrow(mirror, int64_of(rates), np.zeros((1, 8), np.int64)).tolist()
    assert [-(2**61) + 1] * 7 + [14] == found


@pytest.mark.parametrize("rows", [[3], [1, 2], [1, 1, 1], [2, 1]])
def test_a_sum_of_sizes_beyond_64_bits_stays_at_the_largest(rows: list[int]) -> None:
    """Three measures of 2^62, in one row of a part or in several."""
    part = {
        "starts": int64_of([0, *accumulate(rows)]),
        "activity": np.zeros(3, np.uint16),
        "measure": int64_of([2**62, -(2**62), 2**62]),
        "step": 1,
        "receivers": np.zeros(len(rows), np.int64),
    }
    costs = narrow(part, np.zeros((1, 8), np.int64), np.zeros((1, 8), np.int64))
    assert LARGEST == costs[0, 7]
    assert LARGEST == narrow(part, np.zeros((1, 8), np.int64), costs)[0, 7]


def each_alone(pools: Array, weights: Array, totals: Array, shifts: Array) -> tuple[Array, Array]:
    """Return rates of activities that each are the only one of their department."""
    return rates_of(np.arange(len(pools)), weights, pools, totals, shifts)


def rates_of(
    dept: Array, weights: Array, pools: Array, totals: Array, shifts: Array
) -> tuple[Array, Array]:
    """Return the rates in one element and which departments have an inexact one."""
    rates = np.full((len(dept), 8), 77)
    of_depts = [column.reshape(-1, 1) for column in (pools, totals, shifts)]
    inexact = scaled_rates(dept, weights.reshape(-1, 1), *of_depts, rates)
    assert not rates[:, 1:].any()
    return rates[:, 0], inexact[:, 0]


SCALE = st.integers(12, 40)
POOL = st.one_of(st.integers(-99, 99), st.integers(-(10**11), 10**11))


@always_the_same(max_examples=300)
@given(parts(10**4), SCALE, st.data())
def test_the_size_bounds_the_distance_to_the_exact_cost(
    part: dict[str, Any], shift: int, data: st.DataObject
) -> None:
    """|exact − found| x 2^shift < lane 7, or 0 where no rate has a rest; totals below 2^61."""
    n = part["n_activities"]
    shares = [
        (data.draw(POOL), data.draw(st.integers(0, 99)), data.draw(st.integers(1, 10**6)))
        for _ in range(n)
    ]
    part["step"] = 1
    entries = [*entries_of(part), *((0, a, 1) for a in range(n))]
    reach = sum(abs(shares[a][0] * shares[a][1] * m) + abs(m) for _, a, m in entries)
    shift = max(min(shift, 61 - int(reach).bit_length()), 0)
    pools, weights, totals = (int64_of(column) for column in zip(*shares, strict=True))
    rate, inexact = rates_of(np.arange(n), weights, pools, totals, np.full(n, shift))
    rates = np.zeros((n, 8), np.int64)
    rates[:, 3] = rate
    found = narrow(part, rates, np.zeros((part["n_receivers"], 8), np.int64))
    exact = [Fraction(0)] * part["n_receivers"]
    rests = [False] * part["n_receivers"]
    for row, a, m in entries_of(part):
        exact[row] += Fraction(shares[a][0] * shares[a][1] * m, shares[a][2])
        rests[row] |= bool(inexact[a]) and m != 0
    for row, cost in enumerate(exact):
        lost = abs(cost * 2**shift - int(found[row, 3]))
        assert lost < int(found[row, 7]) if rests[row] else lost == 0


@always_the_same(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.integers(-99, 99), st.integers(-(2**63), LARGEST)),
            st.one_of(st.integers(0, 9), st.integers(-(2**63), LARGEST)),
            st.one_of(st.integers(1, 12), st.integers(1, LARGEST), st.just(LARGEST)),
            st.one_of(st.integers(0, 62), st.sampled_from([0, 40, 62])),
        ),
        max_size=4,
    )
)
def test_a_scaled_rate_is_the_floor_of_the_fraction_or_refused(
    rates: list[tuple[int, int, int, int]],
) -> None:
    columns = [int64_of([rate[i] for rate in rates], len(rates)) for i in range(4)]
    exact = [Fraction(pool * weight, total) * 2**shift for pool, weight, total, shift in rates]
    floors = [rate.numerator // rate.denominator for rate in exact]
    if not all(map(twins.fits, floors)):
        with pytest.raises(OverflowError):
            each_alone(*columns)
        return
    found, inexact = each_alone(*columns)
    assert floors == found.tolist()
    assert [int(rate.denominator != 1) for rate in exact] == inexact.tolist()
    assert (np.int64, np.uint8) == (found.dtype, inexact.dtype)


@pytest.mark.parametrize(
    ("rate", "fits"),
    [
        ((1, 1, 1, 62), True),
        ((2, 1, 1, 62), False),
        ((-2, 1, 1, 62), True),
        ((-3, 1, 1, 62), False),
        ((LARGEST, LARGEST, LARGEST, 0), True),
        ((-(2**63), -(2**63), LARGEST, 0), False),
        ((-(2**63), LARGEST, LARGEST, 0), True),
        ((-(2**63), -(2**63), 1, 62), False),
        ((LARGEST, 1, LARGEST, 62), True),
    ],
)
def test_a_scaled_rate_at_the_edge_fits_or_is_refused(
    rate: tuple[int, int, int, int], fits: bool
) -> None:
    columns = [int64_of([value]) for value in rate]
    if fits:
        pool, weight, total, shift = rate
        assert [pool * weight * 2**shift // total] == each_alone(*columns)[0].tolist()
    else:
        with pytest.raises(OverflowError):
            each_alone(*columns)


@pytest.mark.parametrize(
    ("position", "value"), [(2, 0), (2, -1), (3, -1), (3, 63), (3, 2**40), (2, -(2**63))]
)
def test_totals_and_shifts_outside_their_range_are_refused(position: int, value: int) -> None:
    columns = [int64_of([1, 1]) for _ in range(4)]
    columns[position][1] = value
    with pytest.raises(ValueError, match="positive"):
        each_alone(*columns)


@always_the_same(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(-99, 99), st.integers(1, 99), st.integers(0, 40)), min_size=1),
    st.data(),
)
def test_rates_of_a_department_are_those_of_its_activities_alone(
    depts: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    """Also where a department's activities do not stand together; one rest marks all of it."""
    of = data.draw(st.lists(st.integers(0, len(depts) - 1), max_size=9))
    weights = int64_of([data.draw(st.integers(0, 99)) for _ in of], len(of))
    pools, totals, shifts = (int64_of(column) for column in zip(*depts, strict=True))
    dept = int64_of(of, len(of))
    expected, rests = each_alone(pools[dept], weights, totals[dept], shifts[dept])
    found, inexact = rates_of(dept, weights, pools, totals, shifts)
    assert expected.tolist() == found.tolist()
    marked = {d for d, rest in zip(of, rests.tolist(), strict=True) if rest}
    assert [int(d in marked) for d in range(len(depts))] == inexact.tolist()


@pytest.mark.parametrize("by_element", [False, True])
def test_rates_of_all_elements_are_those_of_each_alone(by_element: bool) -> None:
    """Three elements; one weight for all of them, or one for each."""
    rng = np.random.default_rng(2)
    dept, weights = rng.integers(0, 5, 40), rng.integers(0, 99, (40, 3 if by_element else 1))
    pools, totals = rng.integers(-(10**6), 10**6, (5, 3)), rng.integers(1, 999, (5, 3))
    shifts, rates = rng.integers(0, 40, (5, 3)), np.full((40, 8), 77)
    inexact = scaled_rates(dept, weights, pools, totals, shifts, rates)
    assert not rates[:, 3:].any()
    for e in range(3):
        columns = (np.ascontiguousarray(table[:, e]) for table in (pools, totals, shifts))
        weight = np.ascontiguousarray(weights[:, e if by_element else 0])
        expected, rests = rates_of(dept, weight, *columns)
        assert expected.tolist() == rates[:, e].tolist()
        assert rests.tolist() == inexact[:, e].tolist()


@pytest.mark.parametrize("outside", [-1, 2, 2**40])
def test_an_activity_of_no_department_is_refused(outside: int) -> None:
    with pytest.raises(ValueError, match="no department"):
        rates_of(int64_of([outside]), int64_of([1]), *[int64_of([1, 1])] * 3)


@pytest.mark.parametrize("position", range(1, 6))
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (2, 8), (3, 1)], ids=str)
def test_rates_from_arrays_that_do_not_fit_are_refused(
    position: int, shape: tuple[int, int]
) -> None:
    arrays = [np.zeros(2, np.int64), *(np.ones((2, 1), np.int64) for _ in range(4))]
    arrays.append(np.ones((2, 8), np.int64))
    if shape != (2, 8) or position != 5:
        arrays[position] = np.ones(shape, np.int64)
        with pytest.raises(ValueError, match=r"fit|eight lanes"):
            scaled_rates(*arrays)


@always_the_same(max_examples=200)
@given(st.data())
def test_found_costs_are_added_and_sizes_stay_at_the_largest(data: st.DataObject) -> None:
    """Seven lanes modulo 2^64; of lane 7, which is never below 0, at most 2^63 - 1."""
    lane = st.one_of(st.integers(-9, 9), st.integers(-(2**63), LARGEST))
    size = st.one_of(st.integers(0, 9), st.integers(0, LARGEST))
    row = st.tuples(*[lane] * 7, size).map(list)
    found = data.draw(st.lists(row, max_size=5))
    receivers = data.draw(st.lists(st.integers(0, 2), min_size=len(found), max_size=len(found)))
    costs = [data.draw(row) for _ in range(3)]
    expected = [list(one) for one in costs]
    for receiver, one in zip(receivers, found, strict=True):
        for place in range(7):
            expected[receiver][place] += one[place]
        expected[receiver][7] = min(expected[receiver][7] + one[7], LARGEST)
    array = int64_of(costs)
    add_found(frozen(int64_of(found, len(found), 8)), int64_of(receivers, len(found)), array)
    assert int64(expected).tolist() == array.tolist()


@pytest.mark.parametrize(
    ("found", "receivers", "costs"),
    [
        ((1, 8), [3], (3, 8)),
        ((1, 8), [-1], (3, 8)),
        ((2, 8), [0], (3, 8)),
        ((1, 7), [0], (3, 8)),
        ((1, 8), [0], (3, 7)),
    ],
)
def test_found_costs_that_do_not_fit_are_refused(
    found: tuple[int, int], receivers: list[int], costs: tuple[int, int]
) -> None:
    with pytest.raises(ValueError, match=r"fit|receiver|lanes"):
        add_found(np.zeros(found, np.int64), int64_of(receivers), np.zeros(costs, np.int64))


def wide_rates(pools: list[int], weights: list[int], totals: list[int]) -> tuple[Array, ...]:
    whole, part, inexact = activity_rates(int64_of(pools), int64_of(weights), int64_of(totals))
    return whole, part, inexact.astype(np.uint8)


def added_wide(
    part: dict[str, Any],
    n_receivers: int,
    whole: Array,
    of_wide: Array,
    inexact: Array,
    chosen: Array | None = None,
    found: tuple[Array, Array, Array] | None = None,
) -> tuple[Array, Array, Array]:
    """Return cost, fraction and error after add_wide_costs."""
    found = found or (
        np.zeros(n_receivers, np.int64),
        np.zeros(n_receivers, np.uint64),
        np.zeros(n_receivers, np.int64),
    )
    all_rows = np.ones(len(part["receivers"]), np.uint8)
    add_wide_costs(
        part["starts"],
        part["activity"],
        part["measure"],
        part["step"],
        whole,
        of_wide,
        inexact,
        part["receivers"],
        all_rows if chosen is None else chosen,
        *found,
    )
    return found


@always_the_same(max_examples=250)
@given(parts(), st.data())
def test_wide_costs_are_sums_modulo_2_128(part: dict[str, Any], data: st.DataObject) -> None:
    """Chosen rows only, added to what is there; rates of any sign and rest."""
    n, n_receivers = part["n_activities"], part["n_receivers"]
    whole = data.draw(st.lists(st.integers(-(10**9), 10**9), min_size=n, max_size=n))
    rest = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 1, 2**64 - 1]))
    of_wide = data.draw(st.lists(rest, min_size=n, max_size=n))
    inexact = data.draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    n_rows = len(part["receivers"])
    chosen = np.array(
        data.draw(st.lists(st.integers(0, 1), min_size=n_rows, max_size=n_rows)), np.uint8
    )
    before = [data.draw(st.integers(-99, 99)) for _ in range(n_receivers)]
    some = part | {"measure": np.repeat(chosen, np.diff(part["starts"])) * part["measure"]}
    expected = twins.wide_costs(
        before, [5] * n_receivers, entries_of(some), whole, of_wide, inexact
    )
    found = added_wide(
        part,
        n_receivers,
        int64_of(whole),
        np.array(of_wide, np.uint64),
        np.array(inexact, np.uint8),
        chosen,
        (int64_of(before), np.zeros(n_receivers, np.uint64), np.full(n_receivers, 5)),
    )
    assert expected == tuple(array.tolist() for array in found)


@always_the_same(max_examples=200)
@given(parts(100), st.data())
def test_the_error_bounds_the_distance_to_the_exact_cost_in_128_bits(
    part: dict[str, Any], data: st.DataObject
) -> None:
    """Totals up to 2^60 fen; the exact cost lies less than error x 2^-64 fen away."""
    n = part["n_activities"]
    large = st.one_of(POOL, st.integers(-(2**42), 2**42))
    shares = [
        (data.draw(large), data.draw(st.integers(0, 99)), data.draw(st.integers(1, 10**6)))
        for _ in range(n)
    ]
    part["step"] = 1
    rates = wide_rates(*(list(column) for column in zip(*shares, strict=True)))
    cost, fraction, error = added_wide(part, part["n_receivers"], *rates)
    exact = [Fraction(0)] * part["n_receivers"]
    for row, a, m in entries_of(part):
        exact[row] += Fraction(shares[a][0] * shares[a][1] * m, shares[a][2])
    for row, value in enumerate(exact):
        lost = abs(value * 2**64 - ((int(cost[row]) << 64) + int(fraction[row])))
        assert lost < int(error[row]) or lost == error[row] == 0


def test_wide_totals_near_2_61_wrap_on_the_way_and_end_right() -> None:
    part = {
        "starts": int64_of([0, 2, 3]),
        "activity": np.array([0, 0, 0], np.uint32),
        "measure": int64_of([7, -3, -3]),
        "step": 1,
        "receivers": int64_of([0, 0]),
    }
    rates = int64_of([2**61 - 1]), np.array([2**64 - 1], np.uint64), np.array([1], np.uint8)
    cost, fraction, error = added_wide(part, 1, *rates)
    assert ([2**61 - 1], [2**64 - 1], [13]) == (cost.tolist(), fraction.tolist(), error.tolist())


def test_an_error_beyond_64_bits_is_the_largest_number() -> None:
    part = {
        "starts": int64_of([0, 3]),
        "activity": np.zeros(3, np.uint16),
        "measure": int64_of([2**62, -(2**62), 2**62]),
        "step": 1,
        "receivers": int64_of([0]),
    }
    rates = int64_of([0]), np.array([1], np.uint64), np.array([1], np.uint8)
    cost, fraction, error = added_wide(part, 1, *rates)
    assert ([0], [2**62], [LARGEST]) == (cost.tolist(), fraction.tolist(), error.tolist())


@always_the_same(max_examples=150)
@given(parts(), st.data())
def test_direct_costs_go_to_their_element(part: dict[str, Any], data: st.DataObject) -> None:
    """Activities of element −1 are left out; the step is 1, for they are fen."""
    n, n_receivers = part["n_activities"], part["n_receivers"]
    element = data.draw(st.lists(st.integers(-1, 6), min_size=n, max_size=n))
    part["step"] = 1
    expected = [[3] * 7 for _ in range(n_receivers)]
    for row, a, cost in entries_of(part):
        if element[a] >= 0:
            expected[row][element[a]] += cost
    found = np.full((n_receivers, 7), 3)
    where = part["receivers"]
    kinds = np.array(element, np.int8)
    add_direct_costs(part["starts"], part["activity"], part["measure"], kinds, where, found)
    assert expected == found.tolist()


@pytest.mark.parametrize(
    ("values", "fits"),
    [([LARGEST, 0], True), ([LARGEST, 1], False), ([-(2**63), -1], False), ([-(2**63), 1], True)],
)
def test_direct_costs_that_leave_64_bits_are_refused(values: list[int], fits: bool) -> None:
    arguments = (int64_of([0, 2]), np.zeros(2, np.uint16), int64_of(values))
    costs = np.zeros((1, 1), np.int64)
    element, receivers = np.zeros(1, np.int8), int64_of([0])
    if fits:
        add_direct_costs(*arguments, element, receivers, costs)
        assert [[sum(values)]] == costs.tolist()
    else:
        with pytest.raises(OverflowError):
            add_direct_costs(*arguments, element, receivers, costs)


ROWS = {
    "starts": int64_of([0, 2, 3]),
    "activity": np.array([0, 1, 1], np.uint16),
    "measure": np.array([5, -6, 7], np.int16),
}
NARROW: dict[str, Any] = ROWS | {
    "step": 1,
    "places": np.array([1, 0], np.uint32),
    "rates": np.ones((2, 8), np.int64),
    "receivers": int64_of([1, 0]),
    "costs": np.zeros((2, 8), np.int64),
}
WIDE: dict[str, Any] = ROWS | {
    "step": 1,
    "whole": int64_of([3, 4]),
    "part": np.array([1, 2], np.uint64),
    "inexact": np.array([0, 1], np.uint8),
    "receivers": int64_of([1, 0]),
    "chosen": np.array([1, 1], np.uint8),
    "cost": np.zeros(2, np.int64),
    "fraction": np.zeros(2, np.uint64),
    "error": np.zeros(2, np.int64),
}
DIRECT: dict[str, Any] = ROWS | {
    "element": np.array([0, 6], np.int8),
    "receivers": int64_of([1, 0]),
    "costs": np.zeros((2, 7), np.int64),
}
CALLS = {"narrow": (add_costs, NARROW), "wide": (add_wide_costs, WIDE)}
CALLS |= {"direct": (add_direct_costs, DIRECT)}
OUT = ("costs", "cost", "fraction", "error")


def arguments_of(which: str) -> tuple[Callable[..., None], dict[str, Any]]:
    call, given = CALLS[which]
    fresh = {n: a.copy() if isinstance(a, np.ndarray) else a for n, a in given.items()}
    return call, fresh


ILL_FITTING = [
    ("starts", []),
    ("starts", [0, 3]),
    ("starts", [0, 2, 4]),
    ("activity", [0, 1]),
    ("activity", [0, 1, 2]),
    ("activity", [0, 65535, 1]),
    ("measure", [1, 2]),
    ("measure", [1, 2, 3, 4]),
    ("receivers", [0]),
    ("receivers", [0, 1, 0]),
    ("receivers", [0, 2]),
    ("receivers", [-1, 0]),
    ("receivers", [0, 2**62]),
    ("places", [0]),
    ("places", [0, 2]),
    ("places", [0, 2**32 - 1]),
    ("rates", [[1] * 8]),
    ("rates", [[1] * 7] * 2),
    ("rates", [[1] * 9] * 2),
    ("costs", [[0] * 6] * 2),
    ("costs", [[0] * 8]),
    ("whole", [1]),
    ("part", [1]),
    ("inexact", [1, 1, 1]),
    ("chosen", [1]),
    ("cost", [1]),
    ("fraction", [1]),
    ("error", [1, 1, 1]),
    ("element", [0]),
    ("element", [0, 7]),
]


@pytest.mark.parametrize(
    ("which", "name", "values"),
    [(which, name, v) for which in CALLS for name, v in ILL_FITTING if name in CALLS[which][1]],
)
def test_arrays_that_do_not_fit_are_refused(which: str, name: str, values: Any) -> None:
    call, given = arguments_of(which)
    given[name] = np.array(values, given[name].dtype)
    with pytest.raises(ValueError, match=r"fit|names no activity|receiver|lanes|length|column"):
        call(*given.values())


@pytest.mark.parametrize(
    ("which", "name"),
    [(w, n) for w in CALLS for n, a in CALLS[w][1].items() if isinstance(a, np.ndarray)],
)
@pytest.mark.parametrize(
    "spoil",
    [strided, lambda array: array.astype(np.float64), lambda array: array[None], lambda _: None],
    ids=["strided", "double", "deeper", "none"],
)
def test_arrays_of_the_wrong_kind_are_refused(
    which: str, name: str, spoil: Callable[[Array], Any]
) -> None:
    call, given = arguments_of(which)
    given[name] = spoil(given[name])
    if (which, name, spoil) == ("direct", "costs", strided):
        # Costs may stand in any order of memory.
        call(*given.values())
        return
    with pytest.raises((TypeError, ValueError)):
        call(*given.values())


@pytest.mark.parametrize("which", CALLS)
def test_what_is_read_may_be_read_only_and_what_is_added_to_may_not(which: str) -> None:
    call, given = arguments_of(which)
    call(*given.values())
    _, again = arguments_of(which)
    for name, array in again.items():
        if isinstance(array, np.ndarray) and name not in OUT:
            again[name] = frozen(array)
    call(*again.values())
    for name in OUT:
        if name in given:
            assert np.array_equal(given[name], again[name])
            with pytest.raises(ValueError, match="read-only"):
                call(*(again | {name: frozen(again[name])}).values())


UNCHECKED_STARTS = """
import numpy as np
from kernels.test_part_costs import arguments_of
call, given = arguments_of({which!r})
given["starts"] = np.array({starts})
try:
    call(*given.values())
except ValueError:
    raise SystemExit(0)
raise SystemExit("read outside its arrays")
"""


@pytest.mark.parametrize("starts", [[-3, 2, 3], [0, 5, 3], [0, 4, 3]], ids=str)
def test_starts_that_do_not_ascend_are_refused(starts: list[int]) -> None:
    """In a process of its own, for the kernel reads outside the arrays; all start alike."""
    for which in CALLS if starts[0] < 0 else ["narrow"]:
        assert 0 == exit_code_of(UNCHECKED_STARTS.format(which=which, starts=starts))


@pytest.mark.parametrize("which", CALLS)
def test_no_rows_and_rows_without_entries_add_nothing(which: str) -> None:
    call, given = arguments_of(which)
    given |= {"activity": given["activity"][:0], "measure": given["measure"][:0]}
    call(*(given | {"starts": np.zeros(3, np.int64)}).values())
    call(*(given | {"starts": np.zeros(1, np.int64), "receivers": int64_of([], 0)}
           | ({"chosen": np.empty(0, np.uint8)} if which == "wide" else {})).values())  # fmt: skip
    assert not any(given[name].any() for name in OUT if name in given)


def test_threads_with_costs_of_their_own_get_the_same() -> None:
    rng = np.random.default_rng(5)
    counts = rng.integers(0, 20, 3_000)
    starts = np.append(0, np.cumsum(counts))
    n = int(starts[-1])
    part = {
        "starts": starts,
        "activity": rng.integers(0, 300, n).astype(np.uint16),
        "measure": rng.integers(-99, 99, n).astype(np.int8),
        "step": 1,
        "receivers": rng.integers(0, 2_000, 3_000),
    }
    rates = rng.integers(-(2**40), 2**40, (300, 8))
    whole, of_wide = rates[:, 0].copy(), rates.view(np.uint64)[:, 1].copy()
    inexact = np.ones(300, np.uint8)

    def both() -> list[Any]:
        costs = narrow(part, rates, np.zeros((2_000, 8), np.int64))
        return [costs, *added_wide(part, 2_000, whole, of_wide, inexact)]

    expected = both()
    assert twins.added_costs([[0] * 8] * 2_000, entries_of(part), rates.tolist()) == (
        expected[0].tolist()
    )
    for found in from_threads(both, 4, 2):
        assert all(map(np.array_equal, expected, found))
