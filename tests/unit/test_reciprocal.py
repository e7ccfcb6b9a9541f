"""The reciprocal equations against exact fractions: every gross cost to the fen."""

# ruff: noqa: S311 - seeded, so that every run tests the same

import itertools
import math
import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from medcost.costing import reciprocal
from medcost.costing.reciprocal import (
    MARGIN_BITS,
    SingularSystem,
    System,
    approximate,
    build_system,
    first_bits,
    rational_unit_costs,
    solve_gross_cost,
)
from unit.equations import Equations, costs, equations, nearest_fen, solve

FEN = np.int64
always_the_same = settings(derandomize=True, deadline=None, database=None, max_examples=120)


def gross(system: System, direct: list[list[int]]) -> list[list[int]]:
    """Return what medcost solves, as Python integers."""
    return solve_gross_cost(system, np.array(direct, FEN)).tolist()


def without_inverse(system: System) -> System:
    """Return the system as if its inverse could not be bounded: only fractions are left."""
    return System(system.served, system.totals, None, math.inf)


def check(found: Equations, direct: list[list[int]]) -> None:
    """Compare with fractions; a singular system is refused, and so is an x beyond 64 bits."""
    expected = nearest_fen(found, direct)
    if expected is None:
        with pytest.raises(SingularSystem):
            gross(found.system, direct)
    elif max(abs(x) for row in expected for x in row) >= 2**63:
        with pytest.raises(OverflowError):
            gross(found.system, direct)
    else:
        assert expected == gross(found.system, direct)


def test_two_departments_serving_each_other_cost_what_the_pencil_says() -> None:
    """x = 76,000 + y/4, y = 76,000 + x/5: x = 100,000 and y = 96,000 yuan."""
    x1 = Equations([[0, 25], [20, 0]], [[50, 25], [30, 50]])
    assert gross(x1.system, [[7_600_000], [7_600_000]]) == [[10_000_000], [9_600_000]]


@always_the_same
@given(st.data())
def test_gross_cost_is_that_of_fractions(data: st.DataObject) -> None:
    found = data.draw(equations())
    check(found, data.draw(costs(found.n)))


@always_the_same
@given(st.data())
def test_negative_statistics_are_solved_or_singular(data: st.DataObject) -> None:
    found = data.draw(equations(largest=1000, smallest=-1000, max_givers=7))
    check(found, data.draw(costs(found.n)))


@always_the_same
@given(st.data())
def test_small_statistics_make_halves_and_thirds(data: st.DataObject) -> None:
    """Statistics of 0 to 3 and costs of a few fen: many an x lies exactly on a half fen."""
    found = data.draw(equations(largest=3, max_givers=6, max_outside=2))
    check(found, data.draw(costs(found.n, largest=20)))


@always_the_same
@given(st.data())
def test_huge_statistics_and_amounts_are_exact(data: st.DataObject) -> None:
    """Statistics up to 10^17 in steps of 1e-4 and costs up to 10^16 fen."""
    found = data.draw(equations(largest=10**17, max_givers=5))
    check(found, data.draw(costs(found.n, largest=10**16)))


@always_the_same
@given(st.data(), st.integers(1, 10**12))
def test_the_size_of_a_statistic_does_not_matter(data: st.DataObject, factor: int) -> None:
    """A giver's statistics times any factor are the same shares; build_system divides it out."""
    found = data.draw(equations(largest=100, max_givers=6))
    direct = data.draw(costs(found.n))
    giver = data.draw(st.integers(0, found.n - 1))
    larger = [
        [[w * factor if g == giver else w for g, w in enumerate(row)] for row in rows]
        for rows in (found.served, found.outside)
    ]
    scaled = Equations(*larger)
    check(scaled, direct)
    assert np.array_equal(scaled.system.totals, found.system.totals)
    assert np.array_equal(scaled.system.served, found.system.served)


def pair(internal: Fraction) -> Equations:
    """Return two givers that hand each other this share, and the rest to a patient department."""
    inside, all_ = internal.numerator, internal.denominator
    return Equations([[0, inside], [inside, 0]], [[all_ - inside, all_ - inside]])


NEAR_SINGULAR = {
    "99.999 %": Fraction(99_999, 100_000),
    "1 - 1e-9": 1 - Fraction(1, 10**9),
    "1 - 1e-12": 1 - Fraction(1, 10**12),
    "1 - 1e-14": 1 - Fraction(1, 10**14),
    "1 - 1e-15": 1 - Fraction(1, 10**15),
    "1 - 1e-18": 1 - Fraction(1, 10**18),
}


@pytest.mark.parametrize("internal", NEAR_SINGULAR.values(), ids=NEAR_SINGULAR.keys())
@pytest.mark.parametrize("direct", [[[1], [0]], [[7], [-3]], [[2], [1]], [[5], [-5]]], ids=str)
def test_near_singular_systems_are_solved_exactly(
    internal: Fraction, direct: list[list[int]]
) -> None:
    """Two givers, q internal: x = (d + q e) ÷ (1 − q²), up to 5·10^17 times the direct cost."""
    check(pair(internal), direct)


def test_two_givers_with_opposite_costs_keep_them_however_near_singular() -> None:
    """x − q·(−x) = d: 5 and −5 are 5 ÷ (1 + q), which is 2.5 + 1.25e-9: 3 fen and −3."""
    for share in (10**9, 10**15):
        assert gross(pair(1 - Fraction(1, share)).system, [[5], [-5]]) == [[3], [-3]]


@settings(always_the_same, max_examples=60)
@given(st.data(), st.sampled_from([10**6, 10**9, 10**12, 10**14, 10**16]))
def test_larger_near_singular_systems_are_solved_exactly(data: st.DataObject, scale: int) -> None:
    """Up to eight givers that hand on one part in up to 10^16 of what they have."""
    n = data.draw(st.integers(2, 8))
    row = st.lists(st.integers(0, scale), min_size=n, max_size=n)
    served = [data.draw(row) for _ in range(n)]
    for giver in range(n):
        served[giver][giver] = 0
    outside = [[data.draw(st.integers(1, 3)) for _ in range(n)]]
    check(Equations(served, outside), data.draw(costs(n, largest=100)))


def on_half_fen(n: int, largest: int, seed: int) -> tuple[Equations, list[list[int]], list[int]]:
    """Return equations whose every gross cost is k + ½ fen, with their direct costs.

    With y = z ÷ 2 for odd z and odd totals, x = T z ÷ 2 is a half; d = (T z − S z) ÷ 2 is whole
    because each row's T + Σ S is even, that is, the row's Σ S is odd.
    """
    rng = random.Random(seed)
    served = [[rng.randint(0, largest) for _ in range(n)] for _ in range(n)]
    for i in range(n):
        served[i][i] = 0
        served[i][(i + 1) % n] += (sum(served[i]) + 1) % 2
    sums = [sum(row[j] for row in served) for j in range(n)]
    outside = [[rng.randint(1, largest) for _ in range(n)]]
    outside[0] = [w + (s + w + 1) % 2 for s, w in zip(sums, outside[0], strict=True)]
    found = Equations(served, outside)
    z = [rng.choice((-1, 1)) * (2 * rng.randint(0, 500) + 1) for _ in range(n)]
    totals = found.totals
    twice = [totals[i] * z[i] - sum(served[i][j] * z[j] for j in range(n)) for i in range(n)]
    assert all(d % 2 == 0 for d in twice)
    assert all(total % 2 for total in totals)
    halves = [t * k for t, k in zip(totals, z, strict=True)]
    return found, [[d // 2] for d in twice], halves


@pytest.mark.parametrize(
    ("n", "largest"),
    [(2, 9), (2, 10**9), (3, 99), (4, 10**6), (5, 10**12), (7, 10**4), (8, 10**9), (12, 10**9)],
)
def test_an_exact_half_fen_is_rounded_away_from_zero(n: int, largest: int) -> None:
    """Every x is k + ½: no error bound can decide, only the bound of the determinant."""
    for seed in range(6):
        found, direct, halves = on_half_fen(n, largest, seed)
        expected = [[(abs(h) + 1) // 2 * (1 if h > 0 else -1)] for h in halves]
        assert expected == gross(found.system, direct)
        assert solve(found, direct) == [[Fraction(h, 2)] for h in halves]


@pytest.mark.parametrize(("n", "largest"), [(40, 10**6), (30, 10**9), (60, 10**5)])
def test_an_exact_half_fen_of_many_givers_is_rounded_too(n: int, largest: int) -> None:
    found, direct, halves = on_half_fen(n, largest, 1)
    expected = [[(abs(h) + 1) // 2 * (1 if h > 0 else -1)] for h in halves]
    assert expected == gross(found.system, direct)


def test_half_of_an_odd_fen_among_fifty_departments_is_rounded() -> None:
    """A book like any other: one giver hands half of 1.01 yuan to another, fifty more are there.

    x = 50.5 fen, so 51. The bound of the determinant has 1,700 bits, more than a double's range.
    """
    rng = random.Random(9)
    n = 52
    served = [[0] * n for _ in range(n)]
    for i, j in itertools.product(range(2, n), repeat=2):
        served[i][j] = rng.randint(1, 10**7) if i != j else 0
    served[1][0] = 1
    outside = [[1, 7] + [rng.randint(1, 10**8) for _ in range(n - 2)]]
    direct = [[101], [0], *([rng.randint(1, 10**9)] for _ in range(n - 2))]
    assert gross(Equations(served, outside).system, direct)[1] == [51]


@pytest.mark.parametrize("sign", [1, -1])
def test_next_to_a_half_fen_the_right_side_is_found(sign: int) -> None:
    """x = d ÷ 2 ± one part in 10^17 of it: below the half it is rounded down, above it up."""
    for nudge, expected in ((-1, 50), (0, 51), (1, 51)):
        half = 5 * 10**16
        found = Equations([[0, 0], [half + nudge, 0]], [[half - nudge, 1]])
        assert gross(found.system, [[sign * 101], [0]]) == [[sign * 101], [sign * expected]]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("above", [1, -1])
def test_a_half_missed_by_one_part_in_10_to_the_35_is_no_half(sign: int, above: int) -> None:
    """x = 101 a b ÷ (T U) with 2 a b = T U ± 1: 50.5 fen and a hair more or less."""
    a, t = 7 * 10**16 + 1, 10**17 + 3
    b = pow(2 * a, -1, t) * above % t
    u = (2 * a * b - above) // t
    found = Equations([[0, 0, 0], [a, 0, 0], [0, b, 0]], [[t - a, u - b, 1]])
    assert found.totals == [t, u, 1]
    solved = solve(found, [[101], [0], [0]])
    assert solved is not None
    assert 0 < (solved[2][0] - Fraction(101, 2)) * above < Fraction(1, 10**30)
    direct = [[sign * 101], [0], [0]]
    assert gross(found.system, direct)[2] == [sign * (51 if above > 0 else 50)]


@always_the_same
@given(st.data(), st.integers(10, 400))
def test_an_approximation_is_within_its_error(data: st.DataObject, bits: int) -> None:
    """|T y − 2^bits x| ≤ error, exactly, for the narrow and the wide refinement."""
    found = data.draw(equations(max_givers=6))
    direct = data.draw(costs(found.n, largest=10**9))
    system = found.system
    assume(system.inverse is not None)
    exact = solve(found, direct)
    assert exact is not None
    got = approximate(system, np.array(direct, FEN), bits)
    assert got.bits == bits
    for (i, element), y in np.ndenumerate(got.unit_costs):
        assert abs(int(system.totals[i]) * y - exact[i][element] * 2**bits) <= got.error


@always_the_same
@given(st.data())
def test_the_first_approximation_leaves_a_margin(data: st.DataObject) -> None:
    """With first_bits the error is at most 2^-(MARGIN_BITS - 2) fen: a half is rarely near."""
    found = data.draw(equations(max_givers=8))
    system = found.system
    assume(system.inverse is not None)
    got = approximate(system, np.array(data.draw(costs(found.n)), FEN), first_bits(system))
    assert got.error < 2 ** (got.bits - MARGIN_BITS + 2)


@always_the_same
@given(st.data(), st.integers(0, 60))
def test_narrow_and_wide_refinement_agree(data: st.DataObject, bits: int) -> None:
    """Both residuals are at the floor and the two y differ by no more than both errors allow."""
    found = data.draw(equations(largest=10**5, max_givers=6))
    direct = np.array(data.draw(costs(found.n, largest=10**9)), FEN)
    system = found.system
    assume(system.inverse is not None)
    got = [
        refine(system, system.inverse, direct, bits)
        for refine in (reciprocal._refine_narrow, reciprocal._refine_wide)
    ]
    floor = reciprocal._residual_floor(system)
    assert all(residual <= floor * 1.01 for _, residual in got)
    error = sum(residual * system.norm * 1.001 + 2 for _, residual in got)
    apart = np.abs(got[0][0] - got[1][0]) * system.totals.astype(object)[:, None]
    assert all(distance <= error for distance in apart.flat)


def test_amounts_that_128_bits_do_not_hold_are_refined_in_python_integers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """10^18 fen in 2^-60 and statistics of 10^17 take more than 126 bits."""
    taken = []

    def spy(*arguments: Any) -> Any:
        taken.append("wide")
        return wide(*arguments)

    wide = reciprocal._refine_wide
    monkeypatch.setattr(reciprocal, "_refine_wide", spy)
    check(Equations([[0, 10**17], [3, 0]], [[4, 10**16 + 1]]), [[10**17], [-(10**17)]])
    assert taken


@always_the_same
@given(st.data())
def test_the_rational_fallback_agrees_with_refinement(data: st.DataObject) -> None:
    found = data.draw(equations(max_givers=6))
    direct = data.draw(costs(found.n))
    expected = nearest_fen(found, direct)
    if expected is None:
        with pytest.raises(SingularSystem):
            gross(without_inverse(found.system), direct)
    else:
        assert expected == gross(without_inverse(found.system), direct)


def test_rational_unit_costs_are_gross_cost_over_total() -> None:
    """X1: y = 100,000 ÷ 100 and 96,000 ÷ 100, after division of the statistics by 5."""
    x1 = Equations([[0, 25], [20, 0]], [[50, 25], [30, 50]])
    costs_of = rational_unit_costs(x1.system, np.array([[76_000], [76_000]], FEN))
    assert x1.system.totals.tolist() == [10, 4]
    assert costs_of.tolist() == [[Fraction(10_000)], [Fraction(24_000)]]


@pytest.mark.parametrize(
    ("served", "totals"),
    [
        ([[0, 1], [1, 0]], [1, 1]),
        ([[0, 3, 0], [1, 0, 0], [0, 0, 0]], [1, 3, 5]),
        ([[0, 2, 1], [1, 0, 1], [1, 2, 0]], [2, 4, 2]),
        ([[0, -5], [-4, 0]], [4, 5]),
        ([[0, 10**17], [10**17, 0]], [10**17, 10**17]),
    ],
    ids=["pair", "pair of three", "loop of three", "negative", "huge"],
)
def test_a_singular_system_is_refused(served: list[list[int]], totals: list[int]) -> None:
    """(diag(T) − S) has no inverse, whatever costs there are."""
    system = build_system(np.array(served), np.array(totals), np.ones(len(totals), FEN))
    direct = np.ones((len(totals), 1), FEN)
    with pytest.raises(SingularSystem):
        solve_gross_cost(system, direct)


def test_a_negative_statistic_need_not_be_singular() -> None:
    """x = 1 + 10 y and y = 1 − x: x = 1 and y = 0."""
    system = build_system(np.array([[0, 10], [-1, 0]]), np.array([1, 1]), np.ones(2, FEN))
    assert solve_gross_cost(system, np.ones((2, 1), FEN)).tolist() == [[1], [0]]


def test_a_gross_cost_beyond_64_bits_is_refused() -> None:
    """10^15 fen at 1 − 10^-6 internal circulate 5·10^5 times: 5·10^20 fen."""
    with pytest.raises(OverflowError):
        gross(pair(1 - Fraction(1, 10**6)).system, [[10**15], [10**15]])


def test_nothing_to_hand_on_is_nothing() -> None:
    x1 = Equations([[0, 25], [20, 0]], [[50, 25], [30, 50]])
    assert gross(x1.system, [[0, 0], [0, 0]]) == [[0, 0], [0, 0]]
    alone = Equations([[0]], [[5]])
    assert gross(alone.system, [[12, -34, 0]]) == [[12, -34, 0]]
    assert solve_gross_cost(x1.system, np.zeros((2, 0), FEN)).shape == (2, 0)


def test_every_element_is_solved_on_its_own() -> None:
    found, direct, halves = on_half_fen(5, 1000, 3)
    both = [[d, 1000 * i] for i, (d,) in enumerate(direct)]
    together = gross(found.system, both)
    assert [[row[0]] for row in together] == gross(found.system, direct)
    assert [[row[1]] for row in together] == gross(found.system, [[d] for _, d in both])
    assert len(halves) == 5


@always_the_same
@given(st.data())
def test_turning_every_cost_turns_every_gross_cost(data: st.DataObject) -> None:
    """Halves go away from zero on both sides."""
    found = data.draw(equations(largest=9, max_givers=5))
    direct = data.draw(costs(found.n, largest=50))
    assume(nearest_fen(found, direct) is not None)
    negative = [[-fen for fen in row] for row in direct]
    assert [[-x for x in row] for row in gross(found.system, negative)] == gross(
        found.system, direct
    )


def test_two_hundred_dense_givers_agree_with_exact_residuals() -> None:
    """Refine z in integers of 2^-200 with a solver of its own until the residual is tiny.

    Every column of A is ≥ 0 and adds up to at most q < 1, so |x − T z|₁ ≤ |residual|₁ ÷ (1 − q).
    """
    rng = np.random.default_rng(8)
    n, scale = 200, 1 << 200
    served = rng.integers(0, 10**7, (n, n))
    np.fill_diagonal(served, 0)
    totals = served.sum(axis=0) * 10 // 9 + rng.integers(1, 10**6, n)
    direct = rng.integers(-(10**6), 10**9, (n, 1))
    big_served, big_totals = served.astype(object), totals.astype(object)[:, None]
    matrix = np.diag(totals.astype(np.float64)) - served
    target = direct.astype(object) * scale
    z = np.zeros((n, 1), dtype=object)
    left = target
    for _ in range(12):
        shift = max(max(abs(r) for r in left.flat).bit_length() - 100, 0)
        step = np.linalg.solve(matrix, (left // (1 << shift)).astype(np.float64) * 2.0**20)
        z = z + np.array([[int(s) << shift >> 20] for s in step[:, 0]], dtype=object)
        left = target - big_totals * z + big_served.dot(z)
    q = max(Fraction(int(s), int(t)) for s, t in zip(served.sum(axis=0), totals, strict=True))
    error = sum(abs(r) for r in left.flat) / (1 - q) + 1
    assert error < scale >> 100
    exact = [Fraction(int(t) * int(y), scale) for t, y in zip(totals, z[:, 0], strict=True)]
    slack = Fraction(math.ceil(error), scale)
    found = solve_gross_cost(build_system(served, totals, np.ones(n, FEN)), direct)[:, 0].tolist()
    assert all(abs(x - y) <= Fraction(1, 2) + slack for x, y in zip(exact, found, strict=True))


def test_the_same_equations_give_the_same_fen_in_any_order() -> None:
    """The certified rounding does not depend on how floating point happened to go."""
    rng = random.Random(10)
    found, direct, _ = on_half_fen(9, 10**6, 4)
    expected = gross(found.system, direct)
    for _ in range(5):
        order = list(range(found.n))
        rng.shuffle(order)
        moved = Equations(
            [[found.served[i][j] for j in order] for i in order],
            [[row[j] for j in order] for row in found.outside],
        )
        assert [expected[i] for i in order] == gross(moved.system, [direct[i] for i in order])
