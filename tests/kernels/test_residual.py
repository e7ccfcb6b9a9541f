"""Residuals and corrections in 128-bit integers against Python's integers."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels import twins
from kernels.twins import always_the_same, from_threads, frozen, int64, joined, strided, words
from medcost._core.residual import add_corrections, residuals

Case = dict[str, Any]


def packed(unit_costs: list[list[int]], *shape: int) -> NDArray[np.int64]:
    """Return 128-bit integers [givers, elements] as words [givers, elements, 2]."""
    return int64([[words(y) for y in row] for row in unit_costs], *shape, 2)


def unpacked(array: NDArray[np.int64]) -> list[list[int]]:
    """Return the integers that the words stand for."""
    return [[joined(pair) for pair in row] for row in array.tolist()]


@st.composite
def equations(draw: st.DrawFn, largest: int, statistic: int) -> Case:
    """Draw up to five givers; every product and sum stays below 2^126 by the sizes given."""
    n, m = draw(st.integers(0, 5)), draw(st.integers(0, 3))

    def matrix(rows: int, columns: int, size: int) -> list[list[int]]:
        number = st.one_of(st.integers(-9, 9), st.integers(-size, size))
        row = st.lists(number, min_size=columns, max_size=columns)
        return [draw(row) for _ in range(rows)]

    return {
        "links": matrix(n, n, statistic),
        "totals": [abs(row[0]) for row in matrix(n, 1, statistic)],
        "direct": matrix(n, m, 2**60),
        "bits": draw(st.integers(0, 60)),
        "unit_costs": matrix(n, m, largest),
    }


def run(case: Case) -> list[list[float]]:
    """Return the kernel's residuals."""
    n, m = len(case["totals"]), len(case["direct"][0]) if case["direct"] else 0
    return residuals(
        int64(case["links"], n, n),
        int64(case["totals"], n),
        int64(case["direct"], n, m),
        case["bits"],
        packed(case["unit_costs"], n, m),
    ).tolist()


@always_the_same(max_examples=250)
@given(equations(largest=2**90, statistic=2**30))
def test_a_residual_is_that_of_python_integers(case: Case) -> None:
    """Integers up to 2^90 per unit of statistic: both words are in use."""
    assert twins.residuals(**case) == run(case)


@always_the_same(max_examples=150)
@given(equations(largest=2**60, statistic=2**62))
def test_products_of_122_bits_are_exact(case: Case) -> None:
    """Statistics up to 2^62 times unit costs up to 2^60, five of each sign: below 2^126."""
    assert twins.residuals(**case) == run(case)


@pytest.mark.parametrize(
    "value",
    [
        0,
        1,
        -1,
        2**53 + 1,
        -(2**53) - 1,
        2**63 - 1,
        -(2**63),
        2**64,
        2**64 + 1,
        -(2**64) - 1,
        2**100 + 2**47,
        2**100 + 2**47 + 1,
        -(2**125),
    ],
)
def test_a_residual_is_rounded_once(value: int) -> None:
    """links × y = 1 × value; the double is the one nearest to the integer, ties to even."""
    case = {
        "links": [[1]],
        "totals": [0],
        "direct": [[0]],
        "bits": 0,
        "unit_costs": [[value]],
    }
    assert run(case) == [[float(value)]]


def test_x1_has_no_residual_at_its_solution() -> None:
    """x = 100,000 and 96,000: S1 serves 20 of 100 to S2, S2 25 of 100 to S1; y = 1000 and 960."""
    case = {
        "links": [[0, 25], [20, 0]],
        "totals": [100, 100],
        "direct": [[76_000], [76_000]],
        "bits": 0,
        "unit_costs": [[1000], [960]],
    }
    assert run(case) == [[0.0], [0.0]]
    assert run(case | {"bits": 20}) == [[76_000.0 * (2**20 - 1)]] * 2


CORRECTION = st.one_of(
    st.floats(-1e6, 1e6),
    st.floats(-1e36, 1e36),
    st.integers(-(2**51), 2**51).map(lambda n: n + 0.5),
    st.sampled_from([0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.25, 5e-324]),
)


@always_the_same(max_examples=250)
@given(st.lists(st.tuples(st.integers(-(2**125), 2**125), CORRECTION), max_size=6))
def test_corrections_are_added_to_the_nearest_integer(pairs: list[tuple[int, float]]) -> None:
    """No integer lies nearer; of two that are equally near either will do."""
    array = packed([[y] for y, _ in pairs], len(pairs), 1)
    add_corrections(array, np.array([c for _, c in pairs], np.float64).reshape(-1, 1))
    for (y, correction), (found,) in zip(pairs, unpacked(array), strict=True):
        assert abs(found - y - Fraction(correction)) <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("correction", "nearest"),
    [
        (math.nextafter(0.5, 0), 0),
        (-math.nextafter(0.5, 0), 0),
        (2.0**52 + 1, 2**52 + 1),
        (-(2.0**52) - 1, -(2**52) - 1),
        (2.0**53 - 1, 2**53 - 1),
    ],
)
def test_a_half_is_not_added_before_the_cut(correction: float, nearest: int) -> None:
    """0.49999999999999994 + 0.5 is 1.0 in doubles, and 2^52 + 1 + 0.5 is 2^52 + 2."""
    array = packed([[0]], 1, 1)
    add_corrections(array, np.array([[correction]]))
    assert unpacked(array) == [[nearest]]


@pytest.mark.parametrize("correction", [math.nan, math.inf, -math.inf, 1e37, -1e37, 1e300])
def test_a_correction_that_is_no_number_of_128_bits_is_refused(correction: float) -> None:
    array = packed([[5]], 1, 1)
    with pytest.raises(OverflowError):
        add_corrections(array, np.array([[correction]]))
    assert unpacked(array) == [[5]]


def test_no_giver_and_no_element_have_no_residual() -> None:
    def none(n: int, m: int) -> NDArray[np.float64]:
        square, direct = np.zeros((n, n), np.int64), np.zeros((n, m), np.int64)
        return residuals(square, np.zeros(n, np.int64), direct, 10, np.zeros((n, m, 2), np.int64))

    assert none(0, 7).shape == (0, 7)
    assert none(3, 0).shape == (3, 0)
    add_corrections(np.zeros((0, 7, 2), np.int64), np.zeros((0, 7)))


def good_arguments() -> list[Any]:
    """Return arguments of residuals for two givers and three elements."""
    ones = np.ones((2, 3), np.int64)
    return [np.ones((2, 2), np.int64), int64([2, 3]), ones, 4, np.ones((2, 3, 2), np.int64)]


@pytest.mark.parametrize(
    ("position", "shape"),
    [
        (0, (3, 2)),
        (0, (2, 3)),
        (1, (3,)),
        (2, (3, 3)),
        (4, (3, 3, 2)),
        (4, (2, 2, 2)),
        (4, (2, 3, 3)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(position: int, shape: tuple[int, ...]) -> None:
    arguments = good_arguments()
    arguments[position] = np.ones(shape, np.int64)
    with pytest.raises(ValueError, match=r"fit|must be"):
        residuals(*arguments)


@pytest.mark.parametrize("shape", [(1, 3, 2), (2, 2, 2), (2, 3, 1)])
def test_corrections_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"fit|must be"):
        add_corrections(np.zeros(shape, np.int64), np.zeros((2, 3)))


@pytest.mark.parametrize("position", [0, 1, 2, 4])
@pytest.mark.parametrize(
    "spoil",
    [
        strided,
        lambda array: array.astype(np.int32),
        lambda array: array.astype(np.float64),
        lambda array: array.tolist(),
        lambda array: array[None],
    ],
    ids=["strided", "int32", "double", "list", "deeper"],
)
def test_an_array_of_the_wrong_kind_is_refused(
    spoil: Callable[[NDArray[np.int64]], object], position: int
) -> None:
    arguments = good_arguments()
    arguments[position] = spoil(good_arguments()[position])
    with pytest.raises((TypeError, ValueError)):
        residuals(*arguments)


def test_read_only_arrays_are_read_and_only_read() -> None:
    arguments = good_arguments()
    arrays = [frozen(a) if isinstance(a, np.ndarray) else a for a in arguments]
    assert np.array_equal(residuals(*arguments), residuals(*arrays))
    unit_costs = np.zeros((2, 3, 2), np.int64)
    add_corrections(unit_costs, frozen(np.ones((2, 3))))
    assert unpacked(unit_costs) == [[1] * 3] * 2
    with pytest.raises(ValueError, match="read-only"):
        add_corrections(frozen(unit_costs), np.ones((2, 3)))


def test_threads_at_once_get_the_same_residuals() -> None:
    rng = np.random.default_rng(6)
    n = 120
    links, totals = rng.integers(0, 10**6, (n, n)), rng.integers(10**8, 10**9, n)
    direct = rng.integers(0, 10**12, (n, 7))
    unit_costs = np.stack(
        [rng.integers(0, 2**20, (n, 7)), rng.integers(-(2**62), 2**62, (n, 7))], axis=2
    )
    expected = residuals(links, totals, direct, 40, unit_costs)
    case = (links.tolist(), totals.tolist(), direct.tolist(), 40, unpacked(unit_costs))
    assert twins.residuals(*case) == expected.tolist()
    for found in from_threads(lambda: residuals(links, totals, direct, 40, unit_costs)):
        assert np.array_equal(expected, found)
