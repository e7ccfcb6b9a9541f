"""The concave value: by hand, against every whole allocation, and what is left to the shares."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consortium.funding.test_levels import flags, problem, tiny_problems
from medcost.consortium.funding.budget import Goals, RulesConflict, allocate
from medcost.consortium.funding.problem import Problem, at_most, share_at_least
from medcost.consortium.funding.worth import Segment, Worth

SEGMENTS = (
    Segment(Fraction("0.6"), Fraction(1)),
    Segment(Fraction("0.8"), Fraction("0.6")),
    Segment(Fraction(1), Fraction("0.3")),
)
ONES = (Fraction(1),) * 3


def test_what_is_worth_most_is_filled_first_and_ties_go_to_the_least_share() -> None:
    """1,300 of 1,800: 60 % of all (1,080), then 220 of the next 20 % (360).

    The third weighs 1.2: its next 60 first, 160 are left for the others: their shares rise alike
    from 0.6 to 1,060 / 1,500.
    """
    one = problem([1000, 500, 300], [at_most("total", 1300, 3)])
    worth = Worth(SEGMENTS, (Fraction(1), Fraction(1), Fraction("1.2")))
    found = allocate(one, Goals(worth), 10)
    assert [707, 353, 240] == found.fen.tolist()
    assert found.is_exact
    # 600 + 300 + 1.2 · 180, then 0.6 · (160 + 1.2 · 60)
    assert pytest.approx(1255.2) == found.levels[0].value
    assert pytest.approx(-0.6) == found.prices[0].per_fen


def test_a_rule_has_its_price_in_value() -> None:
    """600 to the last two, of whom the second fills to 80 %: a fen more there costs 1 - 0.6."""
    rules = [at_most("total", 1000, 3), share_at_least("g", Fraction("0.6"), flags(1, 2))]
    found = allocate(problem([1000, 500, 300], rules), Goals(Worth(SEGMENTS, ONES)), 10)
    prices = {one.bound.position: one.per_fen for one in found.prices if one.bound.kind == "rule"}
    assert pytest.approx(-0.4) == prices[1]


@settings(max_examples=15, deadline=None)
@given(one=tiny_problems, weights=st.lists(st.integers(1, 3), min_size=3, max_size=3))
def test_no_whole_allocation_is_worth_more(one: Problem, weights: list[int]) -> None:
    worth = Worth(SEGMENTS, tuple(Fraction(weight) for weight in weights))
    try:
        found = allocate(one, Goals(worth), 1)
    except RulesConflict:
        return
    ranges = [range(low, high + 1) for low, high in zip(one.low, one.high, strict=True)]
    best = max(
        worth.of(one, np.array(fen))
        for fen in itertools.product(*ranges)
        if all(rule.slack(np.array(fen)) >= 0 for rule in one.rules)
    )
    assert found.levels[0].value >= float(best) - 1e-6
    # Rounding to whole fen moves each request by less than two.
    assert worth.of(one, found.fen) >= float(best) - 2 * 3 * max(weights)
