"""Fractions of a fen made whole under rules."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from consortium.funding.test_levels import flags, problem
from medcost.consortium.funding.problem import at_least, at_most, share_at_least
from medcost.consortium.funding.whole_fen import require_rules, to_whole_fen
from medcost.errors import InvariantBroken


def test_a_rule_that_rounding_would_break_moves_the_fen() -> None:
    """2/3, 2/3, 2/3 make 1, 1, 0; the last must have one: the second gives it."""
    one = problem([1, 1, 1], [at_most("total", 2, 3), at_least("last", 1, flags(2))])
    assert [1, 0, 1] == to_whole_fen(one, [Fraction(2, 3)] * 3).tolist()


def test_a_share_is_held_in_integers() -> None:
    """40 % of 5 is 2 exactly; cut and rounded the last two would have 1."""
    rules = [at_most("total", 5, 3), share_at_least("g", Fraction("0.4"), flags(1, 2))]
    one = problem([5, 5, 5], rules)
    found = to_whole_fen(one, [Fraction(18, 5), Fraction(7, 10), Fraction(7, 10)])
    assert [3, 1, 1] == found.tolist()


def test_a_broken_rule_stops_and_is_named() -> None:
    one = problem([5, 5, 5], [at_most("total", 5, 3)])
    with pytest.raises(InvariantBroken, match="rule total: 1 fen"):
        require_rules(one, np.array([2, 2, 2]))
    with pytest.raises(InvariantBroken, match="beyond its bounds"):
        require_rules(one, np.array([6, 0, 0]))


def test_a_fen_is_rather_moved_than_left() -> None:
    """A third of a fen each: the first of three would have it; 40 % for the others move it."""
    rules = [at_most("total", 1, 3), share_at_least("g", Fraction("0.4"), flags(1, 2))]
    assert [0, 1, 0] == to_whole_fen(problem([9, 9, 9], rules), [Fraction(1, 3)] * 3).tolist()
