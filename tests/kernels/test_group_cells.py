"""What groups used of each department, and their cells rounded, against integers and fractions."""

from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels import twins
from kernels.test_part_costs import ACTIVITY, MEASURE, int64, parts
from kernels.twins import always_the_same, exit_code_of, from_threads, frozen, strided
from kernels.twins import int64 as int64_of
from medcost._core.case_cost import activity_rates
from medcost._core.group_cells import add_measures, round_groups

Array = NDArray[Any]
LARGEST = 2**63 - 1


@always_the_same(max_examples=250)
@given(parts(), st.sampled_from((1, 8)), st.data())
def test_a_column_takes_the_weighed_measures_of_its_groups_rows(
    part: dict[str, Any], lanes: int, data: st.DataObject
) -> None:
    """What was in the sums before stays in; activities of column -1 and other rows do not count."""
    n_activities, n_rows = part["n_activities"], len(part["starts"]) - 1
    weight = st.one_of(st.integers(-9, 9), st.integers(-(10**12), 10**12))
    weights = [
        data.draw(st.lists(weight, min_size=lanes, max_size=lanes)) for _ in range(n_activities)
    ]
    n_columns, n_groups = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    column = data.draw(
        st.lists(st.integers(-1, n_columns - 1), min_size=n_activities, max_size=n_activities)
    )
    rows = data.draw(st.permutations(range(n_rows)))[: data.draw(st.integers(0, n_rows))]
    pick = st.integers(0, n_groups - 1)
    first = [n_columns * data.draw(pick) for _ in rows]
    before = [[data.draw(st.integers(0, 99))] * lanes for _ in range(n_columns * n_groups)]
    entries = [
        (at + column[a], a, int(part["measure"][entry]) * part["step"])
        for row, at in zip(rows, first, strict=True)
        for entry in range(part["starts"][row], part["starts"][row + 1])
        for a in [int(part["activity"][entry])]
        if column[a] >= 0
    ]
    sums = int64_of(before, len(before), lanes)
    add_measures(
        part["starts"], part["activity"], part["measure"], part["step"],
        int64_of(weights, n_activities, lanes), int64_of(column), int64_of(rows), int64_of(first),
        sums,
    )  # fmt: skip
    assert int64(twins.added_measures(before, entries, weights)).tolist() == sums.tolist()


def many_entries(activity: type, measure: type) -> dict[str, Any]:
    """Return arguments of add_measures with rows longer than a stretch."""
    rng = np.random.default_rng(3)
    counts = rng.integers(0, 1500, 20)
    n = int(counts.sum())
    return {
        "starts": np.append(0, np.cumsum(counts)),
        "activity": rng.integers(0, 50, n).astype(activity),
        "measure": rng.integers(-100, 100, n).astype(measure),
        "step": 7,
        "weights": rng.integers(-(10**6), 10**6, (50, 8)),
        "column": rng.integers(-1, 4, 50),
        "rows": np.arange(20),
        "first": np.repeat(np.arange(5) * 4, 4),
        "sums": np.zeros((20, 8), np.int64),
    }


@pytest.mark.parametrize("activity", ACTIVITY)
@pytest.mark.parametrize("measure", MEASURE)
def test_all_types_and_long_rows_give_the_same_sums(activity: type, measure: type) -> None:
    wanted = many_entries(np.uint32, np.int64)
    entries = [
        (int(first + column), int(a), int(m) * 7)
        for row, first in zip(range(20), wanted["first"], strict=True)
        for a, m in zip(
            wanted["activity"][wanted["starts"][row] : wanted["starts"][row + 1]],
            wanted["measure"][wanted["starts"][row] : wanted["starts"][row + 1]],
            strict=True,
        )
        for column in [wanted["column"][a]]
        if column >= 0
    ]
    expected = twins.added_measures([[0] * 8] * 20, entries, wanted["weights"].tolist())
    arguments = many_entries(activity, measure)
    add_measures(**{name: frozen(v) if name in ("starts", "weights", "rows") else v
                    for name, v in arguments.items()})  # fmt: skip
    assert expected == arguments["sums"].tolist()
    alone = many_entries(activity, measure)
    alone["weights"] = np.ascontiguousarray(alone["weights"][:, :1])
    alone["sums"] = np.zeros((20, 1), np.int64)
    add_measures(**alone)
    assert [row[:1] for row in expected] == alone["sums"].tolist()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("starts", np.arange(21)[::-1].copy()),
        ("measure", np.zeros(3, np.int64)),
        ("weights", np.zeros((50, 7), np.int64)),
        ("weights", np.zeros((49, 8), np.int64)),
        ("weights", np.zeros((50, 1), np.int64)),
        ("column", np.full(50, 20)),
        ("column", np.full(50, -2)),
        ("column", np.zeros(49, np.int64)),
        ("rows", np.full(20, 20)),
        ("rows", np.full(20, -1)),
        ("rows", np.arange(19)),
        ("first", np.full(20, 21)),
        ("first", np.full(20, 20)),
        ("first", np.full(20, -1)),
        ("sums", np.zeros((20, 7), np.int64)),
        ("sums", strided(np.zeros((20, 8), np.int64))),
    ],
)
def test_arguments_that_do_not_fit_are_refused(name: str, value: Array) -> None:
    arguments = many_entries(np.uint16, np.int64)
    arguments[name] = value
    with pytest.raises(ValueError):
        add_measures(**arguments)


def test_an_entry_that_names_no_activity_is_refused() -> None:
    arguments = many_entries(np.uint16, np.int8)
    arguments["activity"][-1] = 50
    with pytest.raises(ValueError, match="names no activity"):
        add_measures(**arguments)


@st.composite
def groups(draw: st.DrawFn) -> dict[str, Any]:
    """Draw groups of cells of columns, with small measures and rates so that pieces collide."""
    n_depts = draw(st.integers(1, 4))
    small, large = st.integers(-6, 6), st.integers(-(10**9), 10**9)
    pools = draw(st.lists(st.one_of(small, large), min_size=n_depts, max_size=n_depts))
    nets = draw(st.lists(st.sampled_from((1, 2, 3, 7, 10**6)), min_size=n_depts, max_size=n_depts))
    n_cells = draw(st.lists(st.integers(0, 4), max_size=4))
    n_columns = [draw(st.integers(0, 3)) for _ in range(sum(n_cells))]
    n, lanes = sum(n_columns), draw(st.sampled_from((1, 8)))
    pick = st.integers(0, n_depts - 1)
    measure = st.one_of(small, st.integers(-(10**6), 10**6))
    return {
        "starts": int64_of([0, *accumulate(n_cells)]),
        "columns": int64_of([0, *accumulate(n_columns)]),
        "dept": int64_of(draw(st.lists(pick, min_size=n, max_size=n)), n),
        "measures": int64_of([[draw(measure)] * lanes for _ in range(n)], n, lanes),
        "lane": draw(st.integers(0, lanes - 1)),
        "pools": pools,
        "nets": nets,
        "adrift": draw(st.lists(st.integers(-9, 9), min_size=len(n_cells), max_size=len(n_cells))),
    }


def rounded(drawn: dict[str, Any], totals: list[int]) -> tuple[list[int], list[bool]]:
    """Return fen of cells and which groups are open."""
    whole, part, inexact = activity_rates(
        int64_of(drawn["pools"]), int64_of([1] * len(drawn["pools"])), int64_of(drawn["nets"])
    )
    fen, is_open = round_groups(
        drawn["starts"], drawn["columns"], drawn["dept"], drawn["measures"], drawn["lane"],
        whole, part, inexact.view(np.uint8), int64_of(totals, len(totals)),
    )  # fmt: skip
    return fen.tolist(), is_open.tolist()


def exact_cells(drawn: dict[str, Any]) -> list[list[Fraction]]:
    """Return the exact costs of each group's cells."""
    measures = drawn["measures"][:, drawn["lane"]].tolist()
    costs = [
        sum(
            (
                Fraction(drawn["pools"][drawn["dept"][i]] * measures[i])
                / drawn["nets"][drawn["dept"][i]]
                for i in range(a, b)
            ),
            Fraction(0),
        )
        for a, b in pairwise(drawn["columns"].tolist())
    ]
    return [costs[a:b] for a, b in pairwise(drawn["starts"].tolist())]


@always_the_same(max_examples=600)
@given(groups())
def test_cells_are_those_of_exact_rationals_or_their_group_is_open(drawn: dict[str, Any]) -> None:
    """Open are groups near a whole fen or a tie, and those with fen and no cell to take them."""
    exact = exact_cells(drawn)
    totals = [round(sum(costs)) + n for costs, n in zip(exact, drawn["adrift"], strict=True)]
    fen, is_open = rounded(drawn, totals)
    for costs, total, open_, (a, b) in zip(
        exact, totals, is_open, pairwise(drawn["starts"].tolist()), strict=True
    ):
        if not any(costs):
            assert open_ or not total
        if not open_:
            assert twins.rounded_cells(costs, total) == fen[a:b]
            assert sum(fen[a:b]) == total
        elif {*drawn["nets"]} <= {1, 2}:
            assert not any(costs)


def test_fen_beyond_the_cells_go_round_again_and_ties_go_to_the_first() -> None:
    """Cells of 1/2, 1/2 and 3/4 fen of a total of 6: 0 each, two rounds; 0 of 0 takes no part."""
    drawn = {
        "starts": int64_of([0, 4]),
        "columns": int64_of([0, 1, 2, 3, 4]),
        "dept": int64_of([0, 0, 0, 0]),
        "measures": int64_of([[2], [0], [2], [3]], 4, 1),
        "lane": 0,
        "pools": [1],
        "nets": [4],
    }
    assert rounded(drawn, [6]) == ([2, 0, 2, 2], [False])
    assert rounded(drawn, [7]) == ([2, 0, 2, 3], [False])
    assert rounded(drawn, [8]) == ([3, 0, 2, 3], [False])
    assert rounded(drawn, [-2]) == ([-1, 0, -1, 0], [False])


def test_thirds_that_are_whole_together_are_left_open() -> None:
    """3 × 1/3 fen is one fen, which fixed point cannot tell from just below it."""
    drawn = {
        "starts": int64_of([0, 1, 2]),
        "columns": int64_of([0, 1, 2]),
        "dept": int64_of([0, 0]),
        "measures": int64_of([[3], [4]], 2, 1),
        "lane": 0,
        "pools": [1],
        "nets": [3],
    }
    assert rounded(drawn, [1, 1]) == ([0, 1], [True, False])


def test_costs_up_to_2_62_fen_are_rounded() -> None:
    """A pool of 2^62 - 1 fen by 1/3 and 2/3, with either sign."""
    most = 2**62 - 1
    for pool in (most, -most):
        drawn = {
            "starts": int64_of([0, 2]),
            "columns": int64_of([0, 1, 2]),
            "dept": int64_of([0, 0]),
            "measures": int64_of([[1], [3]], 2, 1),
            "lane": 0,
            "pools": [pool],
            "nets": [4],
        }
        exact = exact_cells(drawn)[0]
        assert rounded(drawn, [pool]) == (twins.rounded_cells(exact, pool), [False])


def test_the_largest_measures_leave_a_group_open() -> None:
    """Bounds stop at the largest int64 and never wrap."""
    drawn = {
        "starts": int64_of([0, 1]),
        "columns": int64_of([0, 2]),
        "dept": int64_of([0, 0]),
        "measures": int64_of([[LARGEST], [-LARGEST - 1]], 2, 1),
        "lane": 0,
        "pools": [1],
        "nets": [3],
    }
    assert rounded(drawn, [0])[1] == [True]


def round_arguments() -> dict[str, Any]:
    """Return arguments of round_groups."""
    rng = np.random.default_rng(5)
    return {
        "starts": np.array([0, 3, 3, 8]),
        "columns": np.arange(0, 27, 3),
        "dept": rng.integers(0, 5, 24),
        "measures": rng.integers(-9, 9, (24, 8)),
        "lane": 3,
        "whole": rng.integers(-9, 9, 5),
        "part": rng.integers(0, 2**63, 5).astype(np.uint64),
        "inexact": np.ones(5, np.uint8),
        "totals": np.array([5, 0, -7]),
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("starts", np.array([0, 3, 3, 9])),
        ("starts", np.array([0, 4, 3, 8])),
        ("starts", np.array([0, 3, 8])),
        ("columns", np.arange(0, 36, 4)),
        ("dept", np.full(24, 5)),
        ("dept", np.full(24, -1)),
        ("dept", np.zeros(23, np.int64)),
        ("measures", np.zeros((25, 8), np.int64)),
        ("lane", 8),
        ("lane", -1),
        ("whole", np.zeros(4, np.int64)),
        ("part", np.zeros(4, np.uint64)),
        ("inexact", np.zeros(6, np.uint8)),
        ("totals", np.zeros(4, np.int64)),
    ],
)
def test_groups_that_do_not_fit_are_refused(name: str, value: Any) -> None:
    arguments = round_arguments()
    arguments[name] = value
    with pytest.raises(ValueError):
        round_groups(**arguments)


def test_read_only_arrays_and_threads_give_the_same() -> None:
    arguments = {
        name: frozen(value) if isinstance(value, np.ndarray) else value
        for name, value in round_arguments().items()
    }
    expected = [array.tolist() for array in round_groups(**arguments)]
    for found in from_threads(lambda: [array.tolist() for array in round_groups(**arguments)]):
        assert found == expected


def test_no_groups_have_no_cells() -> None:
    none = np.empty(0, np.int64)
    fen, is_open = round_groups(
        np.zeros(1, np.int64), np.zeros(1, np.int64), none, np.empty((0, 8), np.int64), 0,
        none, np.empty(0, np.uint64), np.empty(0, np.uint8), none,
    )  # fmt: skip
    assert fen.tolist() == []
    assert is_open.tolist() == []


def test_no_argument_may_be_none() -> None:
    script = "from medcost._core.group_cells import add_measures; add_measures(*[None] * 9)"
    assert exit_code_of(script) == 1
