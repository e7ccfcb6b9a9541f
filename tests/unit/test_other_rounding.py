"""Another house's rounding of a split, against fractions of yuan."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medcost.allocation_model import Rounding
from medcost.costing.links import Links
from medcost.costing.other_rounding import split_rounded, step_down_rounded
from unit.equations import half_away

always_the_same = settings(derandomize=True, deadline=None, database=None, max_examples=250)
CMS = Rounding(multiplier_decimals=6, amount_decimals=0, residual="largest")
ROUNDINGS = st.builds(
    Rounding,
    multiplier_decimals=st.sampled_from([None, 0, 1, 2, 4, 6, 12]),
    amount_decimals=st.sampled_from([0, 1, 2]),
    residual=st.sampled_from(["largest", "largest_remainder"]),
)


def exact_cells(amount: int, weights: list[int], rounding: Rounding) -> list[Fraction]:
    """Return the cells in fen before they are rounded; statistics come in 1e-4."""
    per_unit = Fraction(amount, 100) / Fraction(sum(weights), 10**4)
    if rounding.multiplier_decimals is not None:
        steps = 10**rounding.multiplier_decimals
        per_unit = Fraction(half_away(per_unit * steps), steps)
    return [per_unit * Fraction(weight, 10**4) * 100 for weight in weights]


def twin(amount: int, weights: list[int], rounding: Rounding) -> list[int]:
    """Return the parts as the verdicts page says, one receiver and one quantum at a time."""
    quantum = {0: 100, 1: 10, 2: 1}[rounding.amount_decimals]
    cells = exact_cells(amount, weights, rounding)
    served = [i for i, weight in enumerate(weights) if weight]
    if rounding.residual == "largest":
        parts = [quantum * half_away(cell / quantum) for cell in cells]
        largest = max(parts[i] for i in served)
        first = next(i for i in served if parts[i] == largest)
        parts[first] += amount - sum(parts)
        return parts
    parts = [quantum * math.trunc(cell / quantum) for cell in cells]
    missing = amount - sum(parts)
    step = 1 if missing > 0 else -1
    pieces = [step * (cell - part) for cell, part in zip(cells, parts, strict=True)]
    order = sorted(served, key=lambda i: (-pieces[i], i))
    place = 0
    while missing:
        quanta = step * min(quantum, abs(missing))
        parts[order[place % len(order)]] += quanta
        missing -= quanta
        place += 1
    return parts


def weights_with_total(weights: list[int]) -> list[int]:
    """Turn weights round, or add one, so that they add up to more than zero."""
    total = sum(weights)
    return weights if total > 0 else [*weights, 1] if total == 0 else [-w for w in weights]


WEIGHTS = st.lists(st.integers(-3, 10**6), min_size=1, max_size=8).map(weights_with_total)


@always_the_same
@given(st.integers(-(10**7), 10**7), WEIGHTS, ROUNDINGS)
def test_a_rounded_split_is_that_of_fractions(
    amount: int, weights: list[int], rounding: Rounding
) -> None:
    found = split_rounded(amount, weights, sum(weights), rounding)
    assert twin(amount, weights, rounding) == found
    assert sum(found) == amount


@always_the_same
@given(st.integers(-(10**6), 10**6), WEIGHTS, ROUNDINGS)
def test_a_receiver_with_statistic_zero_receives_nothing(
    amount: int, weights: list[int], rounding: Rounding
) -> None:
    """Not even a fen of rounding, and its presence changes nobody else's part."""
    found = split_rounded(amount, [0, *weights, 0], sum(weights), rounding)
    assert found == [0, *split_rounded(amount, weights, sum(weights), rounding), 0]


@always_the_same
@given(st.integers(-(10**6), 10**6), WEIGHTS)
def test_largest_remainder_at_two_decimals_is_rule_2(amount: int, weights: list[int]) -> None:
    """Without a multiplier and at whole fen it is the split of every other model."""
    rounding = Rounding(residual="largest_remainder")
    found = split_rounded(amount, weights, sum(weights), rounding)
    for part, weight in zip(found, weights, strict=True):
        assert abs(part - Fraction(amount * weight, sum(weights))) < 1


@pytest.mark.parametrize(
    ("amount", "weights", "rounding", "parts"),
    [
        # 100 yuan by 1, 1, 1: 33.333333 a unit, cells of 33 yuan, 1 yuan over to the first.
        (10_000, [10_000] * 3, CMS, [3_400, 3_300, 3_300]),
        # −100 yuan: cells of −33; the largest signed amount is the first of three equal ones.
        (-10_000, [10_000] * 3, CMS, [-3_400, -3_300, -3_300]),
        # 5 yuan by 1 and 1: 2.5 each, halves away from zero to 3; −1 goes to the first.
        (500, [10_000] * 2, CMS, [200, 300]),
        # 1 yuan by 1 to 3: 0.25 and 0.75 are 0 and 1 yuan.
        (100, [10_000, 30_000], CMS, [0, 100]),
        # Of −2 yuan and +5 yuan the larger signed is the second, though it comes later.
        (300, [-20_000, 50_000], CMS, [-200, 500]),
        # 0.01 yuan by 1 and 3 at whole yuan: both cells are 0 and the fen goes to the first.
        (1, [10_000, 30_000], CMS, [1, 0]),
        # Largest remainder at whole yuan: 1.25 each is cut to 1, and 0.50 is less than a yuan.
        (250, [1, 1], Rounding(amount_decimals=0), [150, 100]),
        # 3.90 by 5, 5 and 3: 1.5, 1.5 and 0.9 yuan; a yuan to the third, 0.90 to the first.
        (390, [5, 5, 3], Rounding(amount_decimals=0), [190, 100, 100]),
        # And at tenths: 0.25 by 1 and 1 is 0.125: 0.10 each, five fen to the first.
        (25, [1, 1], Rounding(amount_decimals=1), [15, 10]),
        # A multiplier of no decimals: 10 yuan by 4 is 2.5, so 3 a unit; 12 yuan, 2 too many.
        (
            1_000,
            [10_000] * 4,
            Rounding(multiplier_decimals=0, amount_decimals=0),
            [200, 200, 300, 300],
        ),
        # The multiplier is 0.0004, so 0: all 20 fen are missing and go round by one fen each.
        (20, [5 * 10**6] * 3, Rounding(multiplier_decimals=3), [7, 7, 6]),
    ],
)
def test_parts_are_what_the_pencil_says(
    amount: int, weights: list[int], rounding: Rounding, parts: list[int]
) -> None:
    assert parts == split_rounded(amount, weights, sum(weights), rounding)
    assert parts == twin(amount, weights, rounding)


def links_of(n: int, givers: dict[int, dict[int, int]]) -> Links:
    """Return the links of giver → receiver → weight, in that order."""
    counts = [len(row) for row in givers.values()]
    return Links(
        givers=np.array(list(givers), np.int64),
        rule=np.zeros(len(givers), np.int64),
        driver=("d",) * len(givers),
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        receivers=np.array([r for row in givers.values() for r in row], np.int64),
        weights=np.array([w for row in givers.values() for w in row.values()], np.int64),
        left_out=np.empty(0, np.int64),
        rows_ignored=0,
    )


def test_a_column_is_carried_forward_rounded() -> None:
    """100.40 yuan by 1 and 1 is 50.20 each, cells of 50 yuan; 0.40 goes to the first.

    The second giver hands on what it holds then, 50.40 + 1 yuan, by 2 and 1: 34.27 and 17.13,
    cells of 34 and 17; the difference of 0.40 goes to the larger.
    """
    direct = np.array([[10_040], [100], [0], [0]], np.int64)
    links = links_of(4, {0: {1: 10_000, 2: 10_000}, 1: {2: 20_000, 3: 10_000}})
    balance, flows, kept = step_down_rounded(direct, links, False, CMS)
    assert flows[:, 0].tolist() == [5_040, 5_000, 3_440, 1_700]
    assert balance[:, 0].tolist() == [0, 0, 8_440, 1_700]
    assert kept.tolist() == [False, False]
    assert direct[0, 0] == 10_040


@pytest.mark.parametrize("keep", [True, False])
def test_a_credit_over_all_elements_is_kept_only_when_asked(keep: bool) -> None:
    """−5 and +4 yuan: the sum is negative, so a model that keeps credits leaves both."""
    direct = np.array([[-500, 400], [0, 0]], np.int64)
    balance, flows, kept = step_down_rounded(direct, links_of(2, {0: {1: 10_000}}), keep, CMS)
    assert kept.tolist() == [keep]
    assert balance.tolist() == ([[-500, 400], [0, 0]] if keep else [[0, 0], [-500, 400]])
    assert flows.tolist() == ([[0, 0]] if keep else [[-500, 400]])


@pytest.mark.parametrize("row", [{}, {1: 0}, {1: -5}, {1: 4, 2: -4}], ids=str)
def test_a_giver_without_a_positive_total_keeps_its_balance(row: dict[int, int]) -> None:
    direct = np.array([[100], [0], [0]], np.int64)
    balance, flows, kept = step_down_rounded(direct, links_of(3, {0: row}), False, CMS)
    assert kept.tolist() == [True]
    assert balance.tolist() == direct.tolist()
    assert not flows.any()


@always_the_same
@given(st.data(), ROUNDINGS)
def test_a_rounded_sequence_is_a_loop_over_giver_and_element(
    data: st.DataObject, rounding: Rounding
) -> None:
    n, n_elements = data.draw(st.integers(2, 6)), data.draw(st.integers(1, 3))
    fen = st.integers(-(10**6), 10**6)
    direct = [data.draw(st.lists(fen, min_size=n_elements, max_size=n_elements)) for _ in range(n)]
    givers = {
        giver: {r: data.draw(st.integers(-1, 10**5)) for r in range(giver + 1, n)}
        for giver in range(n - 1)
    }
    balance = [list(row) for row in direct]
    flows = []
    for giver, row in givers.items():
        total = sum(row.values())
        handed = [[0] * n_elements for _ in row]
        for element in range(n_elements if total > 0 else 0):
            amount, balance[giver][element] = balance[giver][element], 0
            if amount:
                for place, part in enumerate(twin(amount, list(row.values()), rounding)):
                    handed[place][element] = part
                    balance[list(row)[place]][element] += part
        flows += handed
    found = step_down_rounded(np.array(direct, np.int64), links_of(n, givers), False, rounding)
    assert (balance, flows) == (found[0].tolist(), found[1].tolist())
    assert [sum(row.values()) <= 0 for row in givers.values()] == found[2].tolist()


def test_a_balance_beyond_64_bits_is_refused() -> None:
    """2^62 fen on both: the kernel raises OverflowError, the rounded sequence wraps."""
    direct = np.array([[2**62], [2**62]], np.int64)
    with pytest.raises(OverflowError):
        step_down_rounded(direct, links_of(2, {0: {1: 10_000}}), False, Rounding())
