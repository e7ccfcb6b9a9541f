"""Netting service lines against dictionaries filled line by line."""

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels.lines import (
    EMPTY,
    MEASURES,
    Line,
    World,
    columns_of,
    make_lines,
    make_world,
    net,
    net_by_pages,
    netted_by,
    netted_by_twin,
)
from kernels.twins import LARGEST, SMALLEST, always_the_same, from_threads, frozen, int64, strided
from medcost._core.net_lines import LineNetter, Places
from medcost._core.page_headers import PageError
from medcost._core.pages import PageColumn

SEEDS = st.integers(0, 10**6)
WHOLE = 10**4


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a seed, not a secret


def small_world(**changes: Any) -> World:
    """Return one unit with two departments, two items and two cases, all open and shared."""
    given = {
        "grid": [[0, 1]],
        "selected": [True],
        "is_open": [True, True],
        "is_direct": [False, False],
        "is_medtech": [False, False],
        "may_receive": [True, True],
        "cases": [(0, 0, -1), (0, 1, -1)],
        "n_case_labels": 2,
    }
    return World(**(given | changes))


def line(dept: int = 0, item: int = 0, case: int = 0, quantity: int = WHOLE, **more: int) -> Line:
    """Return a line of the small world's month and unit."""
    given = {"period": 1, "unit": 0, "dept": dept, "item": item, "case": case}
    return given | {"quantity": quantity, "quantity_state": 0} | more


def netted(world: World, lines: list[Line]) -> LineNetter:
    """Return a new netter that has seen the lines."""
    netter = LineNetter(world.places())
    net(netter, lines)
    return netter


@always_the_same(max_examples=500)
@given(SEEDS)
def test_lines_are_netted_as_in_a_dictionary(seed: int) -> None:
    """In blocks cut anywhere: entries, charges of rows, orders, sums of activities, counts."""
    rng = seeded(seed)
    world = make_world(rng)
    lines = make_lines(world, rng)
    netter = LineNetter(world.places())
    net(netter, lines, rng)
    assert netted_by_twin(world, lines) == netted_by(netter)


@always_the_same(max_examples=500)
@given(SEEDS)
def test_lines_of_pages_are_netted_as_in_a_dictionary(seed: int) -> None:
    """Each column has pages of its own, and a block ends where no page does."""
    rng = seeded(seed)
    world = make_world(rng)
    lines = make_lines(world, rng)
    netter = LineNetter(world.places())
    for _ in range(2):
        net_by_pages(netter, lines, rng)
        assert netted_by_twin(world, lines) == netted_by(netter)


def column_of_pages(values: list[int] | None, is_text: bool = True) -> PageColumn:
    """Return a column of blocks of two rows with one page."""
    column = PageColumn(is_text, False, 2)
    if values is not None:
        column.open_page(np.empty(0, np.uint8), len(values))
        column.set_values(np.array(values, np.int32 if is_text else np.int64))
    return column


def pages_of_lines(n: int, quantity: list[int] | None) -> list[PageColumn | None]:
    """Return the pages of n lines of the small world's first case and activity."""
    texts = [column_of_pages([code] * n) for code in (1, 0, 0, 0, 0)]
    return [*texts, None, None, column_of_pages(quantity, is_text=False), None, None]


def test_pages_come_one_after_the_other_and_lines_are_netted_block_by_block() -> None:
    """Five lines in blocks of two: three quantities net one block, and two more the rest."""
    netter = LineNetter(small_world().places())
    netter.begin(5)
    columns = pages_of_lines(5, None)
    assert (7, 0) == netter.add_pages(columns, 5)
    columns[7].open_page(np.empty(0, np.uint8), 3)
    columns[7].set_values(int64([1, 2, 3]))
    assert (7, 2) == netter.add_pages(columns, 5)
    columns[7].open_page(np.empty(0, np.uint8), 2)
    columns[7].set_values(int64([4, 5]))
    assert (-1, 3) == netter.add_pages(columns, 3)
    assert (-1, 0) == netter.add_pages(columns, 0)
    assert {(1, 0): [15, 0, 0]} == netted_by(netter).entries


def test_pages_that_do_not_fit_are_refused() -> None:
    """Fewer columns, a number for a text, more lines or columns than announced, none of a kind."""
    columns = pages_of_lines(2, [1, 2])
    charge = column_of_pages([1, 2], is_text=False)
    netter = LineNetter(small_world().places())
    netter.begin(2)
    for lacking in (columns[:9], [*columns[:8], charge, None], [charge, *columns[1:]]):
        with pytest.raises(ValueError, match=r"columns|place"):
            netter.add_pages(lacking, 2)
    for at in (0, 1, 2, 3, 7):
        with pytest.raises(ValueError, match="quantity"):
            netter.add_pages([*columns[:at], None, *columns[at + 1 :]], 2)
    with pytest.raises(TypeError):
        netter.add_pages([np.zeros(2, np.int32), *columns[1:]], 2)
    for n in (3, -1):
        with pytest.raises(ValueError, match="more lines"):
            netter.add_pages(columns, n)
    assert (-1, 2) == netter.add_pages(columns, 2)


def test_pages_that_lie_and_sums_that_may_leave_62_bits_end_the_stretch() -> None:
    netter = LineNetter(small_world().places())
    netter.begin(4)
    with pytest.raises(OverflowError):
        netter.add_pages(pages_of_lines(4, [1, 2, LARGEST, LARGEST]), 4)
    columns = pages_of_lines(4, None)
    columns[7].set_dictionary(int64([5]))
    columns[7].open_page(np.empty(0, np.uint8), 4)
    columns[7].set_indices(np.array([1, 8, 1], np.uint8), 0)
    netter.begin(4)
    with pytest.raises(PageError):
        netter.add_pages(columns, 4)
    netter.begin(2)
    assert (-1, 2) == netter.add_pages(pages_of_lines(2, [1, 2]), 2)
    assert {(1, 0): [3, 0, 0]} == netted_by(netter).entries


@always_the_same(max_examples=150)
@given(SEEDS)
def test_bounds_need_no_more_bits_than_the_entries(seed: int) -> None:
    """From 0, or from −high − 1 where an entry is below zero; 0 to 0 without entries."""
    rng = seeded(seed)
    world = make_world(rng)
    lines = make_lines(world, rng)
    netter = LineNetter(world.places())
    net(netter, lines, rng)
    n = int(netter.finish()[5][-1])
    for m in range(3):
        stored = np.zeros(n, np.int64)
        if netter.bounds(m) != (0, 0):
            netter.take_measure(m, 1, stored)
        values = stored.tolist()
        most = max((value if value >= 0 else -value - 1 for value in values), default=0)
        low, high = netter.bounds(m)
        assert most <= high < 2 ** most.bit_length()
        assert low == (-high - 1 if min(values, default=0) < 0 else 0)


@always_the_same(max_examples=100)
@given(SEEDS)
def test_a_netter_used_again_finds_what_a_new_one_finds(seed: int) -> None:
    """Stretches of any length and columns, one after the other; the first may come to nothing."""
    rng = seeded(seed)
    world = make_world(rng)
    places = world.places()
    netter = LineNetter(places)
    for _ in range(4):
        lines = make_lines(world, rng)
        net(netter, lines, rng)
        again = LineNetter(places)
        net(again, lines)
        assert netted_by(again) == netted_by(netter)
        if rng.random() < 0.3:
            with pytest.raises(OverflowError):
                net(netter, [line(quantity=LARGEST)])


@pytest.mark.parametrize("order", ["by case", "scattered"])
def test_activities_are_told_apart_by_more_than_32_bits(order: str) -> None:
    """70,000 departments x items: key 0 and 61,356 x 70,000 + 47,296 = 2^32, and those around."""
    n, cases = 70_000, 40
    world = World(
        [list(range(n))],
        [True],
        [True] * n,
        [False] * n,
        [False] * n,
        [False] * n,
        [(0, k, -1) for k in range(cases)],
        cases,
    )
    places = [(0, 0), (0, 1), (61_356, 47_295), (61_356, 47_296), (61_356, 47_297), (n - 1, n - 1)]
    lines = [
        line(*places[(i + k) % 6], case=k, quantity=i + 10 * k)
        for k in range(cases)
        for i in range(9)
    ]
    if order == "scattered":
        lines.sort(key=lambda one: (one["quantity"] * 7919) % 1009)
    assert netted_by_twin(world, lines) == netted_by(netted(world, lines))


@pytest.mark.parametrize("order", ["by case", "scattered"])
def test_many_lines_are_netted_alike_in_blocks_of_any_size(order: str) -> None:
    """20,000 lines, 6,000 activities and 300 cases, so that the table of activities grows."""
    rng = np.random.default_rng(11)
    n_depts, n_items, n_cases, n = 20, 400, 300, 20_000
    world = World(
        [list(range(n_depts))],
        [True],
        [True] * n_depts,
        [False] * n_items,
        [d % 2 == 0 for d in range(n_depts)],
        [d % 2 == 1 for d in range(n_depts)],
        [(0, k, k % n_depts) for k in range(n_cases)],
        n_cases,
    )
    draws = [rng.integers(0, m, n).tolist() for m in (n_depts, n_items, n_cases, 7, 900)]
    lines = [
        line(d, i, k, (q - 1) * WHOLE, charge=c - 100, charge_state=0)
        for d, i, k, q, c in zip(*draws, strict=True)
    ]
    if order == "by case":
        lines.sort(key=lambda one: one["case"])
    expected = netted_by_twin(world, lines)
    netter = LineNetter(world.places())
    for block in (1_000, 8_192, n):
        netter.begin(n, True)
        for first in range(0, n, block):
            netter.add(**columns_of(lines[first : first + block]))
        assert expected == netted_by(netter)
    low, high = netter.bounds(0)
    assert -(2**17) <= low < 0 < high < 2**17


def test_no_lines_come_to_nothing() -> None:
    netter = LineNetter(small_world().places())
    keys, totals, rows, runs, charges, starts, rank = netter.finish()
    found = [array.tolist() for array in (keys, rows, runs, charges, starts, rank)]
    assert [[], [], [], [], [0], []] == found
    assert (0, 2) == totals.shape
    assert [(0, 0)] * 3 == [netter.bounds(m) for m in range(3)]
    assert [0, 0] == [len(array) for array in netter.orders()]
    netter.take_activity(rank, np.empty(0, np.uint16))


def test_a_case_goes_on_over_the_border_of_a_block() -> None:
    """2 + 3 services in two blocks are one entry of 5; another case between makes no second."""
    world = small_world()
    netter = LineNetter(world.places())
    netter.begin(4)
    netter.add(**columns_of([line(quantity=2 * WHOLE)]))
    netter.add(**columns_of([line(quantity=3 * WHOLE), line(case=1)]))
    netter.add(**columns_of([line(quantity=-WHOLE)]))
    found = netted_by(netter)
    assert {(1, 0): [4 * WHOLE, 0, 0], (2, 0): [WHOLE, 0, 0]} == found.entries
    assert {0: [5 * WHOLE, 0, 0]} == found.totals


def test_a_negative_sum_is_of_entries_that_are_netted_where_their_lines_are_near() -> None:
    """Case 0: 1 − 3 = −2; case 1: 2 − 1 = 1, not below zero. Scattered: −3 − 1 = −4, two runs."""
    near = [line(quantity=q, case=k) for q, k in ((1, 0), (-3, 0), (2, 1), (-1, 1))]
    scattered = [near[i] for i in (0, 2, 1, 3)]
    for lines, below, runs in ((near, -2, [1, 1]), (scattered, -4, [2, 2])):
        netter = netted(small_world(), lines)
        assert {(1, 0): [-2, 0, 0], (2, 0): [1, 0, 0]} == netted_by(netter).entries
        _, totals, _, row_runs, *_ = netter.finish()
        assert [[-1, 0, 0, below, 0, 0]] == totals.tolist()
        assert runs == row_runs.tolist()


def taken(netter: LineNetter, measure: int, step: int, kind: type) -> tuple[list[int], bool]:
    """Return a measure of the entries, and whether all are multiples of the step."""
    n = int(netter.finish()[5][-1])
    values = np.empty(n, kind)
    are_whole = netter.take_measure(measure, step, values)
    assert values.dtype == kind
    return values.tolist(), are_whole


def test_two_halves_of_a_service_are_one() -> None:
    """Entries count, not lines: 0.5 + 0.5 is whole, 0.5 + 0.5001 is not."""
    halves = [line(quantity=5_000), line(quantity=5_000)]
    assert ([1], True) == taken(netted(small_world(), halves), 0, WHOLE, np.int8)
    more = [*halves, line(quantity=1, case=1)]
    assert not taken(netted(small_world(), more), 0, WHOLE, np.int8)[1]
    assert ([WHOLE, 1], True) == taken(netted(small_world(), more), 0, 1, np.int16)


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32, np.int64])
@pytest.mark.parametrize("step", [1, WHOLE])
def test_measures_are_taken_in_every_width(kind: type, step: int) -> None:
    """The largest and the smallest number of each width, of 60 bits where sums allow no more."""
    most = min(np.iinfo(kind).max, 2**60 // step)
    expected = [most, -most - 1, 0, 1, -1]
    world = small_world(is_direct=[False] * 5)
    lines = [line(item=i, quantity=value * step) for i, value in enumerate(expected)]
    assert (expected, True) == taken(netted(world, lines), 0, step, kind)
    costs = [line(item=i, direct_cost=v * step, direct_state=0) for i, v in enumerate(expected)]
    assert (expected, True) == taken(netted(world, costs), 2, step, kind)


@pytest.mark.parametrize("kind", [np.uint16, np.uint32])
def test_activities_are_taken_in_both_widths(kind: type) -> None:
    lines = [line(1, 1), line(0, 1), line(1, 0), line(0, 1, 1)]
    netter = netted(small_world(), lines)
    keys, *_, rank = netter.finish()
    activity = np.empty(4, kind)
    netter.take_activity(rank, activity)
    assert [1, 2, 3] == keys.tolist()
    assert [2, 0, 1, 0] == activity.tolist()


BIG = 2**62 - 2


@pytest.mark.parametrize(
    ("values", "fits"),
    [
        ([BIG], True),
        ([BIG + 1], False),
        ([-BIG - 1], True),
        ([-BIG - 2], False),
        ([LARGEST], False),
        ([SMALLEST], False),
        ([LARGEST] * 4, False),
        ([SMALLEST] * 4, False),
        ([BIG - 1, 0], True),
        ([BIG // 2, BIG // 2 + 1], False),
        ([BIG // 2, -BIG // 2], True),
        # Sums of absolute values count: what cancels in the end may not on the way.
        ([BIG, -BIG], False),
        ([2**31] * 8, True),
        ([2**60] * 4, False),
    ],
)
@pytest.mark.parametrize("column", MEASURES)
@pytest.mark.parametrize("blocks", [1, 9])
def test_a_stretch_that_may_leave_62_bits_is_refused(
    values: list[int], fits: bool, column: str, blocks: int
) -> None:
    """Σ |value| < 2^62, in any order and over any blocks; sums within it never wrap."""
    world = small_world(is_medtech=[True, False])
    more = {"charge": 0, "charge_state": 0, "direct_cost": 0, "direct_state": 0, "ordering": 1}
    lines = [
        line(case=i % 2, item=i // 2 % 2, **more) | {"quantity": 0, column: value}
        for i, value in enumerate(values)
    ]
    netter = LineNetter(world.places())
    netter.begin(len(lines), True, True)
    size = -(-len(lines) // blocks)
    given = [columns_of(lines[i : i + size]) for i in range(0, len(lines), size)]

    def add_all() -> None:
        for columns in given:
            netter.add(**columns)

    if not fits:
        with pytest.raises(OverflowError):
            add_all()
        return
    add_all()
    assert netted_by_twin(world, lines) == netted_by(netter)


def netter_after(netter: LineNetter, lines: list[Line]) -> LineNetter:
    net(netter, lines)
    return netter


def test_small_values_in_many_lines_are_not_taken_for_large_ones() -> None:
    """100,000 lines of 2^31 − 1 in one block: 2^48 is far from 2^62."""
    n = 100_000
    columns = {name: np.repeat(v, n) for name, v in columns_of([line()]).items()}
    netter = LineNetter(small_world().places())
    netter.begin(n)
    netter.add(**(columns | {"quantity": np.full(n, 2**31 - 1)}))
    assert {(1, 0): [n * (2**31 - 1), 0, 0]} == netted_by(netter).entries


@pytest.mark.parametrize("column", sorted(set(columns_of([line()])) - {"period"}))
def test_columns_of_unequal_length_are_refused(column: str) -> None:
    netter = LineNetter(small_world().places())
    netter.begin(9)
    columns = columns_of([line(), line()])
    for wrong in (columns[column][:1], np.concatenate([columns[column], columns[column]])):
        with pytest.raises(ValueError, match="length"):
            netter.add(**(columns | {column: wrong}))


@pytest.mark.parametrize(
    "column",
    ["case", "case_unit", "ordering", "charge", "direct_cost", *(
        "quantity_state", "charge_state", "direct_state")],
)  # fmt: skip
def test_optional_columns_of_unequal_length_are_refused(column: str) -> None:
    more = {"case_unit": 0, "ordering": 0, "charge": 1, "direct_cost": 1}
    lines = [line(**more, charge_state=1, direct_state=1) | {"quantity_state": 1}] * 2
    netter = LineNetter(small_world().places())
    netter.begin(9, True, True)
    columns = columns_of(lines)
    with pytest.raises(ValueError, match="length"):
        netter.add(**(columns | {column: columns[column][:1]}))
    netter.add(**columns)
    assert (2, 2) == (netter.n_lines, netter.n_odd)


def test_more_lines_or_other_columns_than_announced_are_refused() -> None:
    netter = LineNetter(small_world().places())
    with pytest.raises(ValueError, match="announced"):
        netter.add(**columns_of([line()]))
    netter.begin(1, has_charge=True)
    for lines in ([line()], [line(charge=1, direct_cost=1)], [line(direct_cost=1)]):
        with pytest.raises(ValueError, match="announced"):
            netter.add(**columns_of(lines))
    with pytest.raises(ValueError, match="announced"):
        netter.add(**columns_of([line(charge=1)] * 2))
    netter.add(**columns_of([line(charge=1)]))
    with pytest.raises(ValueError, match="announced"):
        netter.add(**columns_of([line(charge=1)]))
    with pytest.raises(ValueError, match=r"2\^31"):
        netter.begin(2**31)


def test_places_for_entries_that_do_not_fit_are_refused() -> None:
    netter = netted(small_world(), [line(), line(item=1)])
    rank = netter.finish()[6]
    for wrong in (np.empty(1, np.uint16), np.empty(3, np.uint32)):
        with pytest.raises(ValueError, match="fit"):
            netter.take_activity(rank, wrong)
    with pytest.raises(ValueError, match="fit"):
        netter.take_activity(rank[:1], np.empty(2, np.uint16))
    place = np.empty(2, np.int64)
    for measure, values in ((3, place), (-1, place), (0, place[:1])):
        with pytest.raises(ValueError, match="fit"):
            netter.take_measure(measure, 1, values)
    for measure, step in ((1, 1), (2, 1), (0, 0), (0, -1), (0, 7)):
        with pytest.raises(ValueError, match="no such measure"):
            netter.take_measure(measure, step, place)
    for measure in (-1, 3):
        with pytest.raises(ValueError, match="no such measure"):
            netter.bounds(measure)
    with pytest.raises(ValueError, match="read-only"):
        netter.take_measure(0, 1, frozen(place))


@pytest.mark.parametrize(
    ("position", "values"),
    [
        (0, [[0, 2]]),
        (0, [[0, -2]]),
        (1, [1, 1]),
        (4, [1]),
        (5, [1, 1, 1]),
        (6, []),
        (6, [0, 1, 1]),
        (7, [0]),
        (9, [0, 0, 0]),
    ],
)
def test_places_that_do_not_fit_each_other_are_refused(position: int, values: list[int]) -> None:
    arguments = small_world().arrays()
    arguments[position] = np.array(values, arguments[position].dtype)
    with pytest.raises(ValueError, match=r"grid|flags|cases"):
        Places(*arguments)


@pytest.mark.parametrize("position", range(10))
@pytest.mark.parametrize(
    "spoil",
    [strided, lambda array: array.astype(np.float64), lambda array: array[None], lambda _: None],
    ids=["strided", "double", "deeper", "none"],
)
def test_places_of_the_wrong_kind_are_refused(
    position: int, spoil: Callable[[NDArray[Any]], object]
) -> None:
    world = small_world(grid=[[0, 1], [-1, -1]], selected=[True, True])
    arguments = world.arrays()
    arguments[position] = spoil(arguments[position])
    with pytest.raises((TypeError, ValueError)):
        Places(*arguments)


@pytest.mark.parametrize("column", ["period", "unit", "dept", "item", "quantity", "case"])
@pytest.mark.parametrize(
    "spoil",
    [strided, lambda array: array.astype(np.float64), lambda array: array[None]],
    ids=["strided", "double", "deeper"],
)
def test_columns_of_the_wrong_kind_are_refused(
    column: str, spoil: Callable[[NDArray[Any]], object]
) -> None:
    netter = LineNetter(small_world().places())
    netter.begin(2)
    columns = columns_of([line(), line()])
    with pytest.raises((TypeError, ValueError)):
        netter.add(**(columns | {column: spoil(columns[column])}))


def test_codes_beyond_all_labels_are_unknown() -> None:
    """Labels of a register that has grown since: the line is at fault, nothing is read beyond."""
    far = 2**31 - 1
    lines = [
        line() | {name: far} for name in ("unit", "dept", "item", "case")
    ] + [line(case_unit=far), line(ordering=far)]  # fmt: skip
    lines = [{"case_unit": EMPTY, "ordering": EMPTY} | one for one in lines]
    netter = netted(small_world(), lines)
    assert (6, 6) == (netter.n_lines, netter.n_odd)
    assert {(1, 0): [WHOLE, 0, 0]} == netted_by(netter).entries


def test_read_only_arrays_are_read() -> None:
    world = small_world()
    *arrays, period = world.arrays()
    netter = LineNetter(Places(*map(frozen, arrays), period))
    netter.begin(2)
    netter.add(**{name: frozen(column) for name, column in columns_of([line()] * 2).items()})
    assert {(1, 0): [2 * WHOLE, 0, 0]} == netted_by(netter).entries


def test_a_netter_needs_places() -> None:
    with pytest.raises(TypeError):
        LineNetter(None)


def test_what_is_returned_outlives_the_stretch() -> None:
    """Keys, sums, rows and orders are the caller's own; only the entries go."""
    world = small_world(is_medtech=[True, False])
    netter = netted(world, [line(ordering=1), line(1, 1, 1, ordering=1)])
    kept = [*netter.finish(), *netter.orders()]
    before = [array.tolist() for array in kept]
    net(netter, [line(1, 0, EMPTY, 7, ordering=1)] * 2)
    netter.finish()
    assert before == [array.tolist() for array in kept]


def test_threads_with_a_netter_each_share_the_places() -> None:
    rng = seeded(21)
    world = make_world(rng)
    places = world.places()
    stretches = [make_lines(world, rng) for _ in range(20)]
    expected = [netted_by_twin(world, lines) for lines in stretches]

    def found() -> list[Any]:
        netter = LineNetter(places)
        return [netted_by(netter_after(netter, lines)) for lines in stretches]

    assert all(expected == one for one in from_threads(found, 4, 2))


def test_the_lines_drawn_meet_every_case() -> None:
    """Regrouped rows, faults, orders, other units' cases and negative entries are not rare."""
    met = dict.fromkeys(("odd", "orders", "negative", "scattered", "abroad", "fine"), 0)
    for seed in range(200):
        rng = seeded(seed)
        world = make_world(rng)
        lines = make_lines(world, rng)
        found = netted_by_twin(world, lines)
        rows = [(one["unit"], one.get("case"), one.get("case_unit")) for one in lines]
        changes = sum(a != b for a, b in pairwise(rows))
        met["odd"] += found.n_odd > 0
        met["fine"] += found.n_odd < found.n_lines // 2
        met["orders"] += bool(found.orders)
        met["negative"] += any(min(entry) < 0 for entry in found.entries.values())
        met["scattered"] += changes > len(set(rows)) + 5
        met["abroad"] += any(
            row % (len(world.cases) + 1)
            and world.cases[row % (len(world.cases) + 1) - 1][0] != row // (len(world.cases) + 1)
            for row in found.charges
        )
    assert min(met.values()) > 10, met
