"""The transposed equations and the one rounding, on numbers that a pencil can check."""

from fractions import Fraction

import pytest

from medcost.costing.adjoint import BITS, ONE, ElementFlows, path_multipliers, rounding_parts
from medcost.costing.origins import round_parts
from medcost.costing.reciprocal import SingularSystem

ADMIN, SUPPORT, OTHER = 1, 2, 0


def loop(inside: int, out: int, bore: int) -> ElementFlows:
    """Return two support departments that hand each other `inside` and department 2 `out`."""
    handed = {0: ([1, 2], [inside, out]), 1: ([0, 2], [inside, out])}
    return ElementFlows([SUPPORT, SUPPORT, OTHER], [bore, bore, 2 * out], handed)


def whole(value: Fraction | int) -> int:
    """Return a number of fen in 2^-BITS."""
    return int(value * ONE)


def test_a_loop_that_floating_point_takes_for_closed_is_solved_in_rationals() -> None:
    """Of 10^17 fen one leaves in each round: every fen of both ends in department 2."""
    flows = loop(10**17 - 1, 1, 10**17)
    found = path_multipliers(flows, [0, 0, ONE], with_level_3=False)
    assert [ONE, ONE, 0] == found["level_2"]


def test_an_almost_closed_loop_is_solved_to_the_last_bits() -> None:
    """One fen of a million leaves in each round."""
    found = path_multipliers(loop(999_999, 1, 10**6), [0, 0, ONE], with_level_3=False)
    assert all(abs(part - ONE) < 1 << 40 for part in found["level_2"][:2])


def test_a_loop_that_nothing_leaves_needs_no_share() -> None:
    """Department 2 receives nothing, so nothing of the loop reaches it."""
    found = path_multipliers(loop(5, 0, 5), [0, 0, ONE], with_level_3=False)
    assert {"direct": [0, 0, ONE]} == found


def test_flows_that_cancel_have_no_share() -> None:
    """1 hands everything to 0 and 0 everything to 1, and 3 and -3 to two others."""
    handed = {0: ([1, 2, 3], [5, 3, -3]), 1: ([0], [5])}
    flows = ElementFlows([SUPPORT, SUPPORT, OTHER, OTHER], [5, 5, 3, -3], handed)
    with pytest.raises(SingularSystem):
        path_multipliers(flows, [0, 0, ONE, 0], with_level_3=False)


def test_fen_handed_on_by_a_department_that_bore_none_are_rounding() -> None:
    """0 hands a fen to 1 and takes it back from 2, which is half in the figure."""
    flows = ElementFlows([SUPPORT, OTHER, OTHER], [0, 1, -1], {0: ([1, 2], [1, -1])})
    assert [(0, -ONE // 2)] == rounding_parts(flows, [0, 0, ONE // 2], with_level_3=False)
    assert {"direct": [0, 0, ONE // 2]} == path_multipliers(
        flows, [0, 0, ONE // 2], with_level_3=False
    )


@pytest.mark.parametrize(
    ("exact", "total", "expected"),
    [
        ([Fraction(1, 3)] * 3, 1, [1, 0, 0]),
        ([Fraction(1, 3), Fraction(2, 3)], 1, [0, 1]),
        ([Fraction(-1, 3), Fraction(-2, 3)], -1, [0, -1]),
        ([Fraction(-1, 2), Fraction(3, 2)], 1, [0, 1]),
        ([Fraction(1, 2), 0, Fraction(1, 2)], 6, [3, 0, 3]),
        ([Fraction(5)], 5, [5]),
    ],
)
def test_parts_are_rounded_once_to_their_total(exact, total: int, expected: list[int]) -> None:
    """Cut toward zero; the missing fen to the largest pieces, the first on ties, and round again.

    A part of nothing receives nothing.
    """
    assert (expected, 0) == round_parts([whole(value) for value in exact], total)


def test_a_total_without_a_part_is_left() -> None:
    assert ([0, 0], 3) == round_parts([0, 0], 3)


def test_pieces_closer_than_a_quantum_are_equal_and_go_by_key() -> None:
    """The second is larger by 2^-100 fen only, which the arithmetic may have made."""
    third = whole(Fraction(1, 3))
    assert ([1, 0, 0], 0) == round_parts([third, third + (1 << (BITS - 100)), third], 1)
