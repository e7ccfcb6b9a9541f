"""Whole fen: printing and the one rounding of a quotient."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medcost.money import LARGEST_FEN, divide_half_away, format_yuan
from medcost.quotients import scaled_quotients

always_the_same = settings(derandomize=True, deadline=None, database=None, max_examples=300)
ANY_INT64 = st.integers(-(2**63), 2**63 - 1) | st.integers(-(10**10), 10**10)
INTEGERS = st.one_of(st.integers(-1000, 1000), st.integers(-(2**200), 2**200))


@pytest.mark.parametrize(
    ("fen", "text"),
    [
        (1_204_500, "12,045.00"),
        (0, "0.00"),
        (1, "0.01"),
        (-1, "-0.01"),
        (10, "0.10"),
        (-10, "-0.10"),
        (99, "0.99"),
        (100, "1.00"),
        (-100, "-1.00"),
        (99_999, "999.99"),
        (100_000, "1,000.00"),
        (-123_456_789, "-1,234,567.89"),
        (LARGEST_FEN, "9,999,999,999,999,999.99"),
        (10**30, "10,000,000,000,000,000,000,000,000,000.00"),
    ],
)
def test_yuan_have_two_decimals_and_thousands(fen: int, text: str) -> None:
    assert format_yuan(fen) == text


@always_the_same
@given(INTEGERS)
def test_what_is_printed_is_what_was_meant(fen: int) -> None:
    """The text, without its separators, is exactly fen ÷ 100."""
    assert Fraction(format_yuan(fen).replace(",", "")) == Fraction(fen, 100)


@pytest.mark.parametrize(
    ("numerator", "denominator", "quotient"),
    [
        (0, 1, 0),
        (1, 2, 1),
        (-1, 2, -1),
        (3, 2, 2),
        (-3, 2, -2),
        (5, 2, 3),
        (1, 3, 0),
        (2, 3, 1),
        (-1, 3, 0),
        (-2, 3, -1),
        (49, 100, 0),
        (50, 100, 1),
        (7, 1, 7),
        (10**40 + 1, 2 * 10**40, 1),
        (10**40 - 1, 2 * 10**40, 0),
    ],
)
def test_halves_go_away_from_zero(numerator: int, denominator: int, quotient: int) -> None:
    assert divide_half_away(numerator, denominator) == quotient


@always_the_same
@given(INTEGERS, st.integers(1, 2**100))
def test_a_quotient_is_rounded_once(numerator: int, denominator: int) -> None:
    """The nearest integer to the exact fraction, and the mirror image of its mirror image."""
    magnitude = math.floor(abs(Fraction(numerator, denominator)) + Fraction(1, 2))
    found = divide_half_away(numerator, denominator)
    assert found == (magnitude if numerator >= 0 else -magnitude)
    assert divide_half_away(-numerator, denominator) == -found


def test_a_column_of_money_holds_ten_quadrillion_yuan_less_a_fen() -> None:
    """decimal(18,2): eighteen nines."""
    assert str(LARGEST_FEN) == "9" * 18


@given(
    pairs=st.lists(st.tuples(ANY_INT64, ANY_INT64 | st.integers(-50, 50)), max_size=8),
    steps=st.sampled_from([1, 10**4, 10**8]),
)
def test_quotients_of_arrays_are_those_of_single_numbers(
    pairs: list[tuple[int, int]], steps: int
) -> None:
    """Halves away from zero; none by 0, none of more than 18 digits."""
    numerators, denominators = (np.array([p[i] for p in pairs], np.int64) for i in (0, 1))
    values, fits = scaled_quotients(numerators, steps, denominators)
    for (a, b), value, there in zip(pairs, values.tolist(), fits.tolist(), strict=True):
        exact = divide_half_away(a * steps * (1 if b > 0 else -1), abs(b)) if b else 0
        assert there == (b != 0 and abs(exact) <= LARGEST_FEN)
        assert value == (exact if there else 0)
