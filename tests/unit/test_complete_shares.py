"""Splitting by complete shares against fractions: where a giver's last fen come to rest."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medcost.costing.complete_shares import split_by_complete_shares
from medcost.costing.reciprocal import System
from unit.equations import Equations, equations, rounded, solve

always_the_same = settings(derandomize=True, deadline=None, database=None, max_examples=100)
AMOUNTS = st.one_of(st.integers(-40, 40), st.integers(-(10**12), 10**12)).filter(bool)


def shares_of(found: Equations, giver: int) -> list[Fraction] | None:
    """Return where one fen of the giver comes to rest, None where the system is singular."""
    gross = solve(found, [[int(i == giver)] for i in range(found.n)])
    if gross is None:
        return None
    totals = found.totals
    return [
        sum((x * w / t for (x,), w, t in zip(gross, row, totals, strict=True)), Fraction(0))
        for row in found.outside
    ]


def parts_of(found: Equations, giver: int, amount: int, system: System | None = None) -> list[int]:
    """Return what medcost splits."""
    return split_by_complete_shares(system or found.system, giver, found.outside_divided, amount)


def check(found: Equations, giver: int, amount: int, fractions_only: bool = False) -> None:
    """Compare with rule 2 on the exact shares; who is served by no giver takes no part."""
    shares = shares_of(found, giver)
    if shares is None:
        return
    assert sum(shares) == 1
    fed = [i for i, row in enumerate(found.outside) if any(row)]
    expected = [0] * len(shares)
    for i, part in zip(fed, rounded([amount * shares[i] for i in fed], amount), strict=True):
        expected[i] = part
    system = found.system
    if fractions_only:
        system = System(system.served, system.totals, None, np.inf)
    assert expected == parts_of(found, giver, amount, system)


def test_x1_ends_at_the_patients_as_the_pencil_says() -> None:
    """A fen of S1 is 20/19 of S1's gross and 4/19 of S2's: P1 gets 10/19 + 1/19 = 11/19."""
    x1 = Equations([[0, 25], [20, 0]], [[50, 25], [30, 50]])
    assert shares_of(x1, 0) == [Fraction(11, 19), Fraction(8, 19)]
    assert parts_of(x1, 0, 19) == [11, 8]
    assert parts_of(x1, 0, 1) == [1, 0]
    assert parts_of(x1, 0, -20) == [-12, -8]


@always_the_same
@given(st.data(), AMOUNTS)
def test_parts_are_those_of_fractions(data: st.DataObject, amount: int) -> None:
    found = data.draw(equations(max_givers=8, max_outside=5))
    check(found, data.draw(st.integers(0, found.n - 1)), amount)


@always_the_same
@given(st.data(), AMOUNTS)
def test_shares_that_are_equal_or_whole_are_settled(data: st.DataObject, amount: int) -> None:
    """Statistics of 0 to 2: many shares are equal, many exact parts whole fen."""
    found = data.draw(equations(largest=2, max_givers=5, max_outside=5))
    check(found, data.draw(st.integers(0, found.n - 1)), amount)


@always_the_same
@given(st.data(), AMOUNTS)
def test_negative_statistics_make_negative_shares(data: st.DataObject, amount: int) -> None:
    found = data.draw(equations(largest=30, smallest=-20, max_givers=4, max_outside=4))
    check(found, data.draw(st.integers(0, found.n - 1)), amount)


@always_the_same
@given(st.data(), AMOUNTS)
def test_fractions_alone_give_the_same_parts(data: st.DataObject, amount: int) -> None:
    """The path of systems whose inverse cannot be bounded."""
    found = data.draw(equations(largest=50, max_givers=5, max_outside=4))
    check(found, data.draw(st.integers(0, found.n - 1)), amount, fractions_only=True)


@pytest.mark.parametrize("amount", [1, -1, 2, 7, -7, 10**6 + 1])
def test_equal_shares_go_by_key(amount: int) -> None:
    """A giver without receivers of its own hands all to one that splits it into three thirds."""
    found = Equations([[0, 0], [1, 0]], [[0, 5], [0, 5], [0, 5]])
    each, more = divmod(abs(amount), 3)
    sign = 1 if amount > 0 else -1
    assert [sign * (each + (i < more)) for i in range(3)] == parts_of(found, 0, amount)


def test_shares_apart_by_one_part_in_10_to_the_30_are_told_apart() -> None:
    """Two ways of 10^15 and 10^15 + 1 parts each: the second receiver's share is the larger."""
    big = 10**15
    found = Equations([[0, 0], [1, 0]], [[0, big], [0, big + 1]])
    assert parts_of(found, 0, 1) == [0, 1]
    assert parts_of(found, 0, -1) == [0, -1]
    check(Equations([[0, 2], [3, 0]], [[1, big], [1, big + 1]]), 0, 3)


def neighbours(sign: int, n: int = 10**15 + 37, m: int = 10**15 + 91) -> Equations:
    """Return shares of P and Q that differ by less than 10^-28 and add up to nearly all.

    P gets n ÷ (n + m) of giver 0; giver 1 gets the rest and hands Q its part u of T. As
    n T − m u = sign, P's share less Q's is sign ÷ ((n + m) T).
    """
    total = pow(n, -1, m) * sign % m
    u = (n * total - sign) // m
    return Equations([[0, 0], [m, 0]], [[0, u], [n, 0], [0, total - u]])


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("amount", [1, -1, 3, 10**6 + 1])
def test_shares_that_only_many_digits_tell_apart_are_told_apart(sign: int, amount: int) -> None:
    """Q is the first of the receivers, so a tie would be its; the odd fen is P's if P has more."""
    found = neighbours(sign)
    shares = shares_of(found, 0)
    assert shares is not None
    assert 0 < (shares[1] - shares[0]) * sign < Fraction(1, 10**28)
    check(found, 0, amount)
    assert (parts_of(found, 0, 1) == [0, 1, 0]) == (sign > 0)


@pytest.mark.parametrize("offset", [1, -1])
def test_a_part_next_to_a_whole_fen_is_cut_on_the_right_side(offset: int) -> None:
    """amount × n ÷ q is k ± 10^-18 for P: below k it is cut to k − 1, with the largest piece."""
    n, q = 10**17 + 3, 10**18 + 9
    amount = pow(n, -1, q) * offset % q
    found = Equations([[0, 0], [q - n, 0]], [[n, 0], [0, 3], [0, 5]])
    check(found, 0, amount)
    check(found, 0, -amount)


def test_a_department_that_no_giver_serves_receives_nothing() -> None:
    found = Equations([[0]], [[0], [3], [0], [1]])
    assert parts_of(found, 0, 5) == [0, 4, 0, 1]
    assert parts_of(Equations([[0]], [[0], [3]]), 0, -5) == [0, -5]


def test_near_singular_systems_are_split_exactly() -> None:
    """Two givers that keep 1 − 10^-9 between them, with outlets of 2:1 and 1:2."""
    inside = 3 * 10**9
    found = Equations([[0, inside], [inside, 0]], [[2, 1], [1, 2]])
    for amount in (1, 2, 3, -1, 100, -101):
        check(found, 0, amount)
        check(found, 1, amount)


def test_equal_shares_of_many_givers_go_by_key() -> None:
    """Eleven givers in a ring that all serve two departments alike: half and half."""
    n = 11
    ring = [[1000 + i if (i + 1) % n == j else 0 for j in range(n)] for i in range(n)]
    found = Equations(ring, [[7 + i for i in range(n)]] * 2)
    assert parts_of(found, 4, 1) == [1, 0]
    assert parts_of(found, 4, -3) == [-2, -1]


def test_equal_shares_of_fifty_givers_go_by_key() -> None:
    rng = np.random.default_rng(11)
    n = 50
    served = rng.integers(1, 10**7, (n, n))
    np.fill_diagonal(served, 0)
    outside = np.repeat(rng.integers(1, 10**7, (1, n)), 2, axis=0)
    found = Equations(served.tolist(), outside.tolist())
    assert parts_of(found, 4, 1) == [1, 0]
