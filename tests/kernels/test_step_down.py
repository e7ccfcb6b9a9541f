"""The step-down kernel against a loop over dictionaries of Python integers."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels import twins
from kernels.twins import always_the_same, exit_code_of, fits, from_threads, frozen, int64, strided
from medcost._core.step_down import step_down

Case = dict[str, Any]


@st.composite
def sequences(draw: st.DrawFn, largest: int = 10**12, smallest_weight: int = -3) -> Case:
    """Draw departments, givers in any order (also twice), links to any department."""
    n, n_elements = draw(st.integers(1, 7)), draw(st.integers(0, 3))
    fen = st.integers(-largest, largest)
    row = st.lists(fen, min_size=n_elements, max_size=n_elements)
    dept = st.integers(0, n - 1)
    givers = draw(st.lists(dept, max_size=6))
    starts, receivers, weights = [0], [], []
    for _ in givers:
        for _ in range(draw(st.integers(0, 5))):
            receivers.append(draw(dept))
            weights.append(draw(st.integers(smallest_weight, 9)))
        starts.append(len(receivers))
    return {
        "direct": [draw(row) for _ in range(n)],
        "givers": givers,
        "starts": starts,
        "receivers": receivers,
        "weights": weights,
        "keep_credit": draw(st.booleans()),
    }


def arrays_of(case: Case) -> list[NDArray[np.int64]]:
    """Return the kernel's arrays."""
    shape = (len(case["direct"]), len(case["direct"][0]))
    rest = [int64(case[name]) for name in ("givers", "starts", "receivers", "weights")]
    return [int64(case["direct"], *shape), *rest]


def run(case: Case) -> tuple[list[list[int]], list[list[int]], list[bool]]:
    """Return the kernel's balances, flows and who kept, as Python numbers."""
    balance, flows, kept = step_down(*arrays_of(case), case["keep_credit"])
    return balance.tolist(), flows.tolist(), kept.tolist()


def of_one(direct: list[int], links: dict[int, int], giver: int = 0, keep: bool = False) -> Case:
    """Return the case of one giver and one element: receiver → weight."""
    return {
        "direct": [[fen] for fen in direct],
        "givers": [giver],
        "starts": [0, len(links)],
        "receivers": list(links),
        "weights": list(links.values()),
        "keep_credit": keep,
    }


@always_the_same(max_examples=300)
@given(sequences())
def test_a_sequence_is_that_of_python_integers(case: Case) -> None:
    assert twins.step_down(**case) == run(case)


@always_the_same(max_examples=150)
@given(sequences())
def test_money_is_conserved_in_every_element(case: Case) -> None:
    """Σ balances after = Σ direct; who keeps its balance hands on nothing."""
    balance, flows, kept = run(case)
    for element in range(len(case["direct"][0])):
        assert sum(row[element] for row in case["direct"]) == sum(row[element] for row in balance)
    for (a, b), stays in zip(pairwise(case["starts"]), kept, strict=True):
        assert not stays or not any(map(any, flows[a:b]))


@always_the_same(max_examples=150)
@given(sequences())
def test_turning_every_sign_turns_every_result(case: Case) -> None:
    """With credits handed on like costs, the mirror image of the ledger has mirror-image flows."""
    mirror = case | {"direct": [[-fen for fen in row] for row in case["direct"]]}
    balance, flows, kept = run(case | {"keep_credit": False})
    assert run(mirror | {"keep_credit": False}) == (
        [[-fen for fen in row] for row in balance],
        [[-fen for fen in row] for row in flows],
        kept,
    )


@always_the_same(max_examples=150)
@given(sequences(largest=2**62, smallest_weight=0))
def test_a_balance_beyond_64_bits_is_refused_and_never_wraps(case: Case) -> None:
    """What the twin refuses the kernel refuses, and only that."""
    try:
        expected = twins.step_down(**case)
    except OverflowError:
        with pytest.raises(OverflowError):
            run(case)
        return
    assert expected == run(case)


def test_a_giver_hands_on_what_it_received() -> None:
    """A 100 to B and C by 1 and 1; B then has 50 + 10 and hands 60 to C: C has 50 + 60."""
    case = {
        "direct": [[100], [10], [0]],
        "givers": [0, 1],
        "starts": [0, 2, 3],
        "receivers": [1, 2, 2],
        "weights": [1, 1, 5],
        "keep_credit": False,
    }
    assert run(case) == ([[0], [0], [110]], [[50], [50], [60]], [False, False])


@pytest.mark.parametrize("links", [{}, {1: 0}, {1: 0, 2: 0}, {1: -1}, {1: 2, 2: -2}], ids=str)
def test_a_giver_without_a_positive_total_keeps_its_balance(links: dict[int, int]) -> None:
    balance, flows, kept = run(of_one([100, 1, 2], links))
    assert (balance, kept) == ([[100], [1], [2]], [True])
    assert flows == [[0]] * len(links)


def test_a_credit_over_all_elements_is_kept_only_when_asked() -> None:
    """−5 and +4 add up to −1: kept with keep_credit although one element is positive."""
    case = {
        "direct": [[-5, 4], [0, 0]],
        "givers": [0],
        "starts": [0, 1],
        "receivers": [1],
        "weights": [1],
    }
    kept = run(case | {"keep_credit": True})
    assert kept == ([[-5, 4], [0, 0]], [[0, 0]], [True])
    assert run(case | {"keep_credit": False}) == ([[0, 0], [-5, 4]], [[-5, 4]], [False])
    zero = case | {"direct": [[-5, 5], [0, 0]], "keep_credit": True}
    assert run(zero) == ([[0, 0], [-5, 5]], [[-5, 5]], [False])


def test_a_department_may_receive_twice_in_one_turn_and_from_itself() -> None:
    """100 fen by 1 (itself), 2 and 1 (department 1 twice): 25 come back, 75 go over."""
    case = of_one([100, 0], {}) | {"starts": [0, 3], "receivers": [0, 1, 1], "weights": [1, 2, 1]}
    assert run(case) == ([[25], [75]], [[25], [50], [25]], [False])


def test_nobody_gives_and_nothing_changes() -> None:
    case = of_one([1, 2], {}) | {"givers": [], "starts": [0]}
    assert run(case) == ([[1], [2]], [], [])
    none = np.zeros((0, 7), np.int64)
    balance, flows, kept = step_down(none, int64([]), int64([0]), int64([]), int64([]))
    assert (balance.shape, flows.shape, kept.shape) == ((0, 7), (0, 7), (0,))
    assert kept.dtype == np.bool_


def test_the_ledger_that_is_handed_in_is_not_written_to() -> None:
    case = of_one([100, 0], {1: 1})
    arrays = [frozen(array) for array in arrays_of(case)]
    balance, _, _ = step_down(*arrays)
    assert balance.tolist() == [[0], [100]]
    assert arrays[0].tolist() == [[100], [0]]


@pytest.mark.parametrize(
    "case",
    [
        of_one([2**63 - 1, 1], {1: 1}),
        of_one([-(2**63) + 1, -2], {1: 1}),
        of_one([2**62, 0, 0], {1: 5, 2: -4}),
        of_one([1, 0, 0], {1: 2**62, 2: 2**62}),
    ],
    ids=["balance", "negative balance", "part", "weights"],
)
def test_what_64_bits_do_not_hold_is_refused(case: Case) -> None:
    with pytest.raises(OverflowError):
        run(case)


def test_elements_that_only_together_leave_64_bits_are_handed_on() -> None:
    """Three elements of 2^62 fen: every balance fits, and keep_credit is off."""
    direct = [[2**62] * 3, [0] * 3]
    case = of_one([0, 0], {1: 1}) | {"direct": direct}
    assert all(fits(fen) for fen in direct[0])
    assert run(case) == (direct[::-1], [direct[0]], [False])


GOOD = of_one([100, 0, 0], {1: 1, 2: 2})


@pytest.mark.parametrize(
    "change",
    [
        {"givers": [3]},
        {"givers": [-1]},
        {"givers": [2**62]},
        {"receivers": [1, 3]},
        {"receivers": [-1, 1]},
        {"starts": [0]},
        {"starts": [0, 2, 2]},
        {"starts": [0, 3]},
        {"starts": []},
        {"receivers": [1]},
        {"weights": [1]},
    ],
    ids=str,
)
def test_what_does_not_fit_the_departments_is_refused(change: Case) -> None:
    with pytest.raises(ValueError, match=r"fit|department"):
        run(GOOD | change)


UNCHECKED_STARTS = """
import numpy as np
from medcost._core.step_down import step_down
direct, ones = np.array([[5], [0], [0]]), np.array([1, 1])
try:
    step_down(direct, np.array({givers}), np.array({starts}), ones, ones)
except ValueError:
    raise SystemExit(0)
raise SystemExit("read or wrote outside its arrays")
"""


@pytest.mark.parametrize("starts", [[-3, 2], [0, 4, 2], [0, 2, 1, 2]], ids=str)
def test_starts_that_are_not_ascending_are_refused(starts: list[int]) -> None:
    """In a process of its own, for the kernel reads and writes outside the arrays."""
    script = UNCHECKED_STARTS.format(givers=[0] * (len(starts) - 1), starts=starts)
    assert exit_code_of(script) == 0


@pytest.mark.parametrize("position", range(5))
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
    case = GOOD | {"givers": [0, 1], "starts": [0, 1, 2]}
    arrays: list[object] = list(arrays_of(case))
    arrays[position] = spoil(arrays_of(case)[position])
    with pytest.raises((TypeError, ValueError)):
        step_down(*arrays)


def test_threads_at_once_get_the_same_sequence() -> None:
    """A chain of 300 departments, each serving all after it."""
    rng = np.random.default_rng(5)
    n = 300
    direct = rng.integers(-(10**9), 10**12, (n, 7))
    givers = np.arange(n - 1)
    receivers = np.concatenate([np.arange(g + 1, n) for g in givers])
    starts = np.concatenate([[0], np.cumsum(np.arange(n - 1, 0, -1))])
    weights = rng.integers(1, 10**6, len(receivers))
    arrays = (direct, givers, starts, receivers, weights)
    balance, flows, kept = step_down(*arrays)
    assert np.array_equal(direct.sum(axis=0), balance[-1])
    assert not balance[:-1].any()
    assert not kept.any()
    for found in from_threads(lambda: step_down(*arrays)):
        assert np.array_equal(balance, found[0])
        assert np.array_equal(flows, found[1])
        assert np.array_equal(kept, found[2])
