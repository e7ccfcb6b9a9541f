"""Leximin under rules: against its definition in fractions, by hand, and as laws."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consortium.funding import twins
from medcost.consortium.funding.budget import (
    Allocation,
    Bound,
    Goals,
    RulesConflict,
    allocate,
)
from medcost.consortium.funding.exact_shares import NEAR, exact_fen, find_unlevel
from medcost.consortium.funding.levels import raise_shares
from medcost.consortium.funding.problem import (
    Problem,
    Rule,
    at_least,
    at_most,
    share_at_least,
    share_at_most,
)
from medcost.consortium.solver import SolverFailure

LEXIMIN = Goals()


def problem(
    asked: list[int],
    rules: list[Rule],
    low: list[int] | None = None,
    high: list[int] | None = None,
    unit: list[int] | None = None,
) -> Problem:
    n = len(asked)
    return Problem(
        np.array(asked),
        np.array(low or [0] * n),
        np.array(high or asked),
        np.arange(n) if unit is None else np.array(unit),
        tuple(rules),
    )


def flags(*where: int, n: int = 3) -> np.ndarray:
    return np.isin(np.arange(n), where)


def shares(found: Allocation) -> list[float]:
    return [level.value for level in found.levels]


def test_what_is_short_is_short_for_all_alike() -> None:
    """1,000 of 1,800: each gets 5/9; 555.56, 277.78 and 166.67 make 555 + 278 + 167."""
    found = allocate(problem([1000, 500, 300], [at_most("total", 1000, 3)]), LEXIMIN, 10)
    assert [555, 278, 167] == found.fen.tolist()
    assert found.is_exact


def test_a_share_rule_lifts_those_it_counts_above_the_others() -> None:
    """Of 1,000 at least 600 to the last two, who asked for 800: they get 3/4, the first 2/5."""
    rule = share_at_least("grassroots", Fraction("0.6"), flags(1, 2))
    found = allocate(problem([1000, 500, 300], [at_most("total", 1000, 3), rule]), LEXIMIN, 10)
    assert [400, 375, 225] == found.fen.tolist()
    assert [pytest.approx(0.4), pytest.approx(0.75)] == shares(found)
    assert [0, 1, 1] == found.level_of.tolist()


def test_what_a_share_rule_lets_nobody_have_is_left() -> None:
    """The last two asked for 400, which is 40 % of no more than 1,000, though 1,200 are there."""
    rule = share_at_least("grassroots", Fraction("0.4"), flags(1, 2))
    found = allocate(problem([1000, 300, 100], [at_most("total", 1200, 3), rule]), LEXIMIN, 10)
    assert [600, 300, 100] == found.fen.tolist()


def test_a_yuan_that_is_both_counts_for_both() -> None:
    """The second is grassroots and key discipline: 400 there meet 40 % and 15 % at once."""
    rules = [
        at_most("total", 1000, 3),
        share_at_least("grassroots", Fraction("0.4"), flags(1)),
        share_at_least("key_discipline", Fraction("0.15"), flags(1)),
    ]
    found = allocate(problem([1000, 500, 1000], rules), LEXIMIN, 10)
    assert [300, 400, 300] == found.fen.tolist()


def test_a_floor_keeps_what_others_would_share() -> None:
    """900 to the first leave 100 for 500: 1/5 each."""
    found = allocate(
        problem([1000, 300, 200], [at_most("total", 1000, 3)], low=[900, 0, 0]), LEXIMIN, 10
    )
    assert [900, 60, 40] == found.fen.tolist()
    assert [-1, 0, 0] == found.level_of.tolist()


def test_members_come_first_where_the_policy_says_so() -> None:
    """Two requests of the first member and one of the second, 600 of 1,200: 1/2 to each member.

    Of the first member's 400, 300 are the floor of its second request: 100 of 500 are left.
    """
    one = problem([500, 300, 400], [at_most("total", 600, 3)], low=[0, 300, 0], unit=[0, 0, 1])
    assert [100, 300, 200] == allocate(one, Goals(of_units=True), 10).fen.tolist()
    # By requests 300 of 900 are left for the others: 166.67 and 133.33.
    assert [167, 300, 133] == allocate(one, LEXIMIN, 10).fen.tolist()


def test_a_rule_at_most_holds_too() -> None:
    """The first may have 30 % of what is allocated: 300, the others 700 of 1,000."""
    rules = [at_most("total", 1000, 3), share_at_most("lead", Fraction("0.3"), flags(0))]
    assert [300, 350, 350] == allocate(problem([1000, 500, 500], rules), LEXIMIN, 10).fen.tolist()


def test_the_price_of_the_total_is_what_one_more_fen_adds_to_the_least_share() -> None:
    """1,800 asked: a fen more is 1/1,800 of everybody's request; 10 fen are 1/180, up and down."""
    found = allocate(problem([1000, 500, 300], [at_most("total", 1000, 3)]), LEXIMIN, 10)
    (price,) = found.prices
    assert ("rule", 0, 0) == (price.bound.kind, price.bound.position, price.level)
    assert pytest.approx(-1 / 1800) == price.per_fen
    assert pytest.approx(1000 / 1800 - 10 / 1800) == price.more
    assert pytest.approx(1000 / 1800 + 10 / 1800) == price.less


def test_the_ceiling_of_grassroots_is_what_keeps_the_first_short() -> None:
    """One more fen to the last two lets 1.5 more go to the first, who asked for 1,000."""
    rule = share_at_least("grassroots", Fraction("0.4"), flags(1, 2))
    found = allocate(problem([1000, 300, 100], [at_most("total", 1200, 3), rule]), LEXIMIN, 10)
    prices = {(one.bound.kind, one.bound.position): one.per_fen for one in found.prices}
    assert pytest.approx(0.0015) == prices["ceiling", 1]
    assert pytest.approx(-0.0025) == prices["rule", 1]
    assert ("rule", 0) not in prices


def test_rules_that_cannot_hold_are_named_with_the_smallest_change() -> None:
    """Floors 600 + 500 of 1,000: 100 too much, whoever gives; the third has no part in it."""
    one = problem([1000, 500, 300], [at_most("total", 1000, 3)], low=[600, 500, 0])
    with pytest.raises(RulesConflict) as refused:
        allocate(one, LEXIMIN, 10)
    found = {(c.bound.kind, c.bound.position): c.alone for c in refused.value.conflict}
    assert {("rule", 0): 100, ("floor", 0): 100, ("floor", 1): 100} == found
    assert [100] == [fen for _, fen in refused.value.changes]


def test_a_change_that_does_not_help_alone_says_so() -> None:
    """40 % of what 900 for the first entails is 600; the ceilings of the others add up to 400."""
    rule = share_at_least("grassroots", Fraction("0.4"), flags(1, 2))
    one = problem([1000, 300, 100], [at_most("total", 2000, 3), rule], low=[900, 0, 0])
    with pytest.raises(RulesConflict) as refused:
        allocate(one, LEXIMIN, 10)
    found = {(c.bound.kind, c.bound.position): c.alone for c in refused.value.conflict}
    assert {("rule", 1): 120, ("floor", 0): 300, ("ceiling", 1): 200, ("ceiling", 2): 200} == found


def tiny(draw: st.DrawFn) -> Problem:
    asked = draw(st.lists(st.integers(1, 20), min_size=3, max_size=3))
    low = [draw(st.integers(0, one)) if draw(st.booleans()) else 0 for one in asked]
    high = [draw(st.integers(floor, one)) for floor, one in zip(low, asked, strict=True)]
    counted = draw(st.sampled_from([flags(0), flags(1, 2), flags(2), flags(0, 2)]))
    share = draw(st.sampled_from([Fraction("0.4"), Fraction("0.15"), Fraction("0.75")]))
    rules = [at_most("total", draw(st.integers(1, 45)), 3), share_at_least("s", share, counted)]
    return problem(asked, rules, low, high)


tiny_problems = st.composite(tiny)()


@settings(max_examples=20, deadline=None)
@given(one=tiny_problems)
def test_leximin_equals_its_definition_in_fractions(one: Problem) -> None:
    rules = [(rule.coefficients.tolist(), rule.bound) for rule in one.rules]
    expected = twins.leximin(one.asked.tolist(), one.low.tolist(), one.high.tolist(), rules)
    if expected is None:
        with pytest.raises(RulesConflict):
            allocate(one, LEXIMIN, 1)
        return
    assert expected == exact_fen(one, raise_shares(one, np.arange(one.n)))


@settings(max_examples=20, deadline=None)
@given(one=tiny_problems)
def test_a_conflict_is_irreducible_and_its_smallest_change_is_enough(one: Problem) -> None:
    try:
        allocate(one, LEXIMIN, 1)
    except RulesConflict as refused:
        conflict = refused
    else:
        return
    allocate(changed(one, conflict.changes), LEXIMIN, 1)
    together = [change.bound for change in conflict.conflict]
    others = [(bound, 100) for bound in bounds_of(one) if bound not in together]
    assert together
    for left_out in together:
        # What is in no conflict gives, too: the rest of the conflict alone can hold.
        allocate(changed(one, [(left_out, 100), *others]), LEXIMIN, 1)


def bounds_of(one: Problem) -> list[Bound]:
    return [
        *(Bound("rule", r) for r in range(len(one.rules))),
        *(Bound(kind, j) for kind in ("floor", "ceiling") for j in range(one.n)),
    ]


def changed(one: Problem, changes: Iterable[tuple[Bound, int]]) -> Problem:
    """Return the problem with bounds given way by so many fen."""
    low, high, rules = one.low.copy(), one.high.copy(), list(one.rules)
    for bound, fen in changes:
        if bound.kind == "floor":
            low[bound.position] = max(low[bound.position] - fen, 0)
        elif bound.kind == "ceiling":
            high[bound.position] += fen
        else:
            rule = rules[bound.position]
            rules[bound.position] = Rule(
                rule.name, rule.coefficients, rule.bound - fen * rule.per_fen, rule.per_fen
            )
    return Problem(one.asked, low, high, one.unit, tuple(rules))


@st.composite
def larger(draw: st.DrawFn) -> Problem:
    n = draw(st.integers(2, 12))
    asked = draw(st.lists(st.integers(1, 10**9), min_size=n, max_size=n))
    low = [draw(st.integers(0, one // 3)) for one in asked]
    high = [
        draw(st.integers(max(one // 2, floor), one)) for floor, one in zip(low, asked, strict=True)
    ]
    counted = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    total = draw(st.integers(sum(low), sum(asked)))
    rules = [at_most("total", total, n)]
    if counted.any():
        rules.append(at_least("grassroots", min(sum(np.array(high)[counted].tolist()), total) // 4,
                              counted))  # fmt: skip
    unit = sorted(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)))
    return problem(asked, rules, low, high, np.unique(unit, return_inverse=True)[1].tolist())


@settings(max_examples=20, deadline=None)
@given(one=larger(), of_units=st.booleans())
def test_bounds_and_rules_hold_in_whole_fen(one: Problem, of_units: bool) -> None:
    try:
        found = allocate(one, Goals(of_units=of_units), 100)
    except RulesConflict:
        return
    assert (one.low <= found.fen).all()
    assert (found.fen <= one.high).all()
    assert all(rule.slack(found.fen) >= 0 for rule in one.rules)


@settings(max_examples=15, deadline=None)
@given(one=larger(), seed=st.integers(0, 10**6))
def test_the_order_of_requests_changes_no_exact_share(one: Problem, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(one.n)
    moved = Problem(
        one.asked[order], one.low[order], one.high[order], one.unit[order],
        tuple(Rule(r.name, r.coefficients[order], r.bound, r.per_fen) for r in one.rules),
    )  # fmt: skip
    try:
        first = exact_fen(one, raise_shares(one, np.arange(one.n)))
        second = exact_fen(moved, raise_shares(moved, np.arange(one.n)))
    except Exception:
        with pytest.raises(RulesConflict):
            allocate(one, LEXIMIN, 1)
        return
    assert first is not None
    assert [first[j] for j in order] == second


@settings(max_examples=15, deadline=None)
@given(one=larger(), more=st.integers(0, 10**9))
def test_more_money_never_lowers_the_least_share(one: Problem, more: int) -> None:
    try:
        before = allocate(one, LEXIMIN, 1)
    except RulesConflict:
        return
    total = one.rules[0]
    wider = Problem(
        one.asked, one.low, one.high, one.unit,
        (Rule("total", total.coefficients, total.bound - more), *one.rules[1:]),
    )  # fmt: skip
    after = allocate(wider, LEXIMIN, 1)
    small, large = (
        min(f / a for f, a in zip(x.fen, one.asked, strict=True)) for x in (before, after)
    )
    assert large >= small - 2 / one.asked.min()


def test_permuted_rows_of_equal_requests_give_the_same_amounts() -> None:
    """Ties go by position: members come sorted, so equal requests never swap their last fen."""
    for order in itertools.permutations(range(3)):
        asked = [[700, 700, 900][j] for j in order]
        found = allocate(problem(asked, [at_most("total", 1000, 3)]), LEXIMIN, 10).fen.tolist()
        assert sorted(found) == [304, 305, 391]


def test_many_floors_take_no_program_each() -> None:
    """A hundred floors above what is left for others: one level, whatever the floors are."""
    n = 200
    asked = [1000 + 7 * j for j in range(n)]
    low = [900 + 6 * j if j % 2 else 0 for j in range(n)]
    rules = [at_most("total", sum(low) + 1000, n)]
    found = allocate(problem(asked, rules, low=low), LEXIMIN, 10)
    assert 1 == len(found.levels)
    assert found.is_exact
    assert [low[j] for j in range(1, n, 2)] == found.fen[1::2].tolist()


def test_a_request_that_could_have_more_is_found_without_a_solver() -> None:
    """500 of 1,000 and 300 of 777: the second could have a fen of the first, whatever the rules.

    Not where it is at its ceiling or the first at its floor, nor where a rule counts one of them.
    """
    rules = [at_most("total", 800, 2)]
    fen = [Fraction(500), Fraction(300)]
    assert 1 == find_unlevel(problem([1000, 777], rules), fen, False, NEAR)
    assert find_unlevel(problem([1000, 777], rules, high=[1000, 300]), fen, False, NEAR) is None
    assert find_unlevel(problem([1000, 777], rules, low=[500, 0]), fen, False, NEAR) is None
    rules = [*rules, at_least("grassroots", 500, flags(0, n=2))]
    assert find_unlevel(problem([1000, 777], rules), fen, False, NEAR) is None


def test_requests_too_unequal_for_floating_point_are_refused_rather_than_wrong() -> None:
    """7.77 yuan beside 10,000 million: half of each is due, and the floor of 3 is not half."""
    asked = [10**12, 1000, 1001, 777]
    one = problem(asked, [at_most("total", sum(asked) // 2, 4)], low=[0, 100, 0, 300])
    with pytest.raises(SolverFailure) as refused:
        allocate(one, LEXIMIN, 100)
    assert ("numerical", True) == (refused.value.kind, "7.77" in refused.value.what)
