"""Scattered lines packed by several netters and netted together, against dictionaries."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.lines import (
    EMPTY,
    Line,
    Netted,
    World,
    columns_of,
    make_lines,
    make_world,
    net,
    netted_by,
    netted_by_twin,
)
from kernels.test_net_lines import line, seeded, small_world
from kernels.twins import always_the_same, int64
from medcost._core.net_lines import LineNetter, Places

SEEDS = st.integers(0, 10**6)


def kept_by(places: Places, lines: list[Line], rng: random.Random | None = None) -> Any:
    """Return what a netter keeps back of the lines, and what it nets itself."""
    netter = LineNetter(places)
    net(netter, lines, rng, keep_back=True)
    return netter.kept_back(), netted_by(netter)


def netted_of_ranges(places: Places, pieces: list[Any], first: int, end: int) -> Netted:
    """Return what some ranges come to, of which each row must be one run."""
    has = [any(piece[m] is not None for piece in pieces) for m in (2, 3)]
    netters = [LineNetter(places), LineNetter(places)]
    for netter in netters:
        netter.begin(sum(len(words) for _, words, *_ in pieces), *has)
        netter.add_kept_back(pieces, first, end)
    assert set(netters[0].finish()[3].tolist()) <= {1}
    return netted_by(netters[1])


def sum_of(found: list[Netted]) -> Netted:
    """Return all sums added up, key by key."""
    total = Netted()
    for name in ("entries", "charges", "orders", "totals"):
        sums: dict[Any, Any] = getattr(total, name)
        for one in found:
            for key, value in getattr(one, name).items():
                if name == "charges":
                    sums[key] = sums.get(key, 0) + value
                else:
                    known = sums.get(key, [0] * len(value))
                    sums[key] = [a + b for a, b in zip(known, value, strict=True)]
    total.n_lines = sum(one.n_lines for one in found)
    total.n_odd = sum(one.n_odd for one in found)
    return total


def in_some_order(world: World, rng: random.Random) -> World:
    """Return the world with its cases by unit, or each with a label of its own besides."""
    order = rng.choice(("any", "by unit", "by label"))
    cases = world.cases if order == "any" else sorted(world.cases)
    if order == "by label":
        cases = [(unit, i, dept) for i, (unit, _, dept) in enumerate(cases)]
        return replace(world, cases=cases, n_case_labels=max(len(cases), 1))
    return replace(world, cases=cases)


@always_the_same(max_examples=600)
@given(SEEDS)
def test_lines_kept_back_come_to_what_a_dictionary_says(seed: int) -> None:
    """Pieces with the same or other columns, ranges in spans cut anywhere; faults are counted."""
    rng = seeded(seed)
    world = in_some_order(make_world(rng), rng)
    places = world.places()
    stretches = [make_lines(world, rng) for _ in range(rng.randint(1, 4))]
    for lines in stretches:
        rng.shuffle(lines)
    pieces, found = [], []
    for lines in stretches:
        kept, netted = kept_by(places, lines, rng)
        pieces += [kept] if kept is not None else []
        found.append(netted)
    if pieces:
        n_ranges = len(pieces[0][0]) - 1
        cuts = sorted(rng.choices(range(n_ranges + 1), k=rng.randint(0, 3)))
        for first, end in zip([0, *cuts], [*cuts, n_ranges], strict=True):
            found.append(netted_of_ranges(places, pieces, first, end))
    expected = sum_of([netted_by_twin(world, lines) for lines in stretches])
    assert expected == sum_of(found)


def test_most_scattered_lines_drawn_are_kept_back() -> None:
    """Of 200 stretches 60 and more keep some, so that the test above sees them."""
    some = 0
    for seed in range(200):
        rng = seeded(seed)
        world = make_world(rng)
        lines = make_lines(world, rng)
        rng.shuffle(lines)
        some += kept_by(world.places(), lines)[0] is not None
    assert some > 60


def places_of(n_cases: int, n_depts: int = 2, n_items: int = 2) -> Places:
    """Return places of a unit that has so many cases, all open and shared."""
    every, none = np.ones(n_depts, np.uint8), np.zeros(n_depts, np.uint8)
    cases = np.arange(n_cases, dtype=np.int32)
    return Places(
        np.zeros((1, 1), np.int32),
        np.ones(1, np.uint8),
        every,
        np.zeros(n_items, np.uint8),
        none,
        every,
        np.arange(n_cases + 1, dtype=np.int32),
        cases,
        np.zeros(n_cases, np.int32),
        np.full(n_cases, -1, np.int32),
        1,
    )


def kept_of(places: Places, cases: list[int], quantities: list[int], **more: Any) -> Any:
    """Return what is kept back of lines of these cases and quantities."""
    n = len(cases)
    netter = LineNetter(places)
    netter.begin(n, "charge" in more, "direct_cost" in more, keep_back=True)
    zeros = np.zeros(n, np.int32)
    netter.add(
        zeros + np.int32(1),
        zeros,
        zeros,
        zeros,
        int64(quantities),
        np.array(cases, np.int32),
        **{name: int64(values) for name, values in more.items()},
    )
    return netter.kept_back()


@pytest.mark.parametrize("n_cases", [1023, 1024, 1025, 5_000])
def test_cases_lie_in_at_most_1024_ranges_of_equal_length(n_cases: int) -> None:
    """A range is of one case up to 1,024 of them, of two up to 2,048, of eight up to 8,192.

    Case k has k + 1 services, then taken by spans of 100 ranges: each comes to its row.
    """
    places = places_of(n_cases)
    order = list(range(n_cases - 1, -1, -1))
    kept = kept_of(places, order, [case + 1 for case in order])
    size = {1023: 1, 1024: 1, 1025: 2, 5_000: 8}[n_cases]
    n_ranges = -(-n_cases // size)
    assert [min(i * size, n_cases) for i in range(n_ranges + 1)] == kept[0].tolist()
    found = {}
    for first in range(0, n_ranges, 100):
        part = netted_of_ranges(places, [kept], first, min(first + 100, n_ranges))
        found |= part.entries
    assert {(case + 1, 0): [case + 1, 0, 0] for case in order} == found


@pytest.mark.parametrize(
    ("name", "most"), [("quantity", 2**31), ("charge", 2**31), ("direct_cost", 2**31)]
)
def test_numbers_beyond_32_bits_are_not_kept_back(name: str, most: int) -> None:
    """−2^31 to 2^31 − 1 fit; the next of either side is netted by the piece."""
    values = [most - 1, most, -most, -most - 1, 0, 1]
    lines = [line(case=1 - i % 2, quantity=0, charge=0, direct_cost=0) for i in range(len(values))]
    lines = [one | {name: value} for one, value in zip(lines, values, strict=True)]
    places = small_world().places()
    kept, itself = kept_by(places, lines)
    assert 4 == len(kept[1])
    assert netted_by_twin(small_world(), lines) == sum_of(
        [itself, netted_of_ranges(places, [kept], 0, len(kept[0]) - 1)]
    )


@pytest.mark.parametrize(
    ("n_depts", "n_items", "n_cases", "bits"),
    [(1 << 10, 1 << 20, 8192, 31), (1 << 12, 1 << 24, 4096, 26), (1 << 22, 1 << 24, 4096, 0)],
)
def test_quantities_have_the_bits_that_rows_and_activities_leave(
    n_depts: int, n_items: int, n_cases: int, bits: int
) -> None:
    """64 − 3 − 30 = 31; 64 − 2 − 36 = 26; 64 − 2 − 46 = 16 are too few for six services."""
    places = places_of(n_cases, n_depts, n_items)
    most = 1 << max(bits - 1, 15)
    kept = kept_of(places, [3, 2, 1, 0], [most - 1, most, -most, -most - 1])
    if not bits:
        assert kept is None
        return
    assert 2 == len(kept[1])
    found = netted_of_ranges(places, [kept], 0, len(kept[0]) - 1).entries
    assert {(4, 0): [most - 1, 0, 0], (2, 0): [-most, 0, 0]} == found


def test_lines_by_case_are_not_kept_back() -> None:
    """Ascending cases, a line each, are stored as they come; so are lines without a case."""
    places = small_world().places()
    assert kept_by(places, [line(case=i // 4) for i in range(8)])[0] is None
    no_case = [{k: v for k, v in line().items() if k != "case"}] * 4
    assert kept_by(places, no_case)[0] is None
    assert kept_by(places, [line(case=EMPTY)] * 4)[0] is None


def test_nothing_is_kept_back_where_there_is_no_activity() -> None:
    """A unit with cases, and no department or no item: every line is odd."""
    for world in (
        small_world(grid=[[]], is_open=[], is_medtech=[], may_receive=[]),
        small_world(is_direct=[]),
    ):
        lines = [line(dept=-1, item=-1, case=1), line(dept=-1, item=-1, case=0)]
        kept, netted = kept_by(world.places(), lines)
        assert kept is None
        assert (2, 2, {}) == (netted.n_lines, netted.n_odd, netted.entries)


def test_kept_back_lines_count_as_announced_ones() -> None:
    netter = LineNetter(small_world().places())
    netter.begin(2, keep_back=True)
    netter.add(**columns_of([line(case=1), line(case=0)]))
    with pytest.raises(ValueError, match="announced"):
        netter.add(**columns_of([line()]))
    netter.begin(2)
    assert netter.kept_back() is None


SPOILT: list[tuple[Callable[[Any], Any], str]] = [
    (lambda kept: (kept[0][:-1], *kept[1:]), "do not fit"),
    (lambda kept: (kept[0] + 1, *kept[1:]), "do not fit"),
    (lambda kept: (int64([0, 3, 2]), *kept[1:]), "do not fit"),
    (lambda kept: (kept[0], kept[1][:-1], *kept[2:]), "do not fit"),
    (lambda kept: (*kept[:2], kept[2][:-1], kept[3]), "length"),
    (lambda kept: (*kept[:3], kept[3][:-1]), "length"),
    (lambda kept: (None, *kept[1:]), "has words"),
    (lambda kept: (kept[0], None, *kept[2:]), "has words"),
    (lambda kept: kept[:3], "unpack"),
]


@pytest.mark.parametrize(("spoil", "match"), SPOILT)
def test_pieces_that_do_not_fit_are_refused(spoil: Callable[[Any], Any], match: str) -> None:
    places = small_world().places()
    kept, _ = kept_by(
        places, [line(case=1, charge=1, direct_cost=1), line(charge=1, direct_cost=1)]
    )
    netter = LineNetter(places)
    netter.begin(9, True, True)
    with pytest.raises(ValueError, match=match):
        netter.add_kept_back([spoil(kept)], 0, 2)
    netter.add_kept_back([kept], 0, 2)
    assert 2 == len(netted_by(netter).entries)


def test_ranges_that_are_not_there_and_too_many_lines_are_refused() -> None:
    places = small_world().places()
    kept, _ = kept_by(places, [line(case=1), line(case=0)])
    netter = LineNetter(places)
    netter.begin(1)
    for first, end in ((-1, 1), (0, 3), (2, 1)):
        with pytest.raises(ValueError, match="no such ranges"):
            netter.add_kept_back([kept], first, end)
    with pytest.raises(ValueError, match="announced"):
        netter.add_kept_back([kept], 0, 2)
    netter.add_kept_back([kept], 0, 1)
    netter.add_kept_back([], 0, 2)
    assert {(1, 0): [10**4, 0, 0]} == netted_by(netter).entries


def test_words_of_no_row_are_refused() -> None:
    """513 ranges of four of the 2,049 cases: the last has one; a forged word names its fourth."""
    places = places_of(2049)
    kept = kept_of(places, [2048, 2047], [1, 1])
    starts, words, *others = kept
    netter = LineNetter(places)
    netter.begin(2)
    with pytest.raises(ValueError, match="no row"):
        netter.add_kept_back([(starts, words | np.uint64(2**64 - 1), *others)], 0, len(starts) - 1)
