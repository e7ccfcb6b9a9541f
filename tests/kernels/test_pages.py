"""Unpacking pages against slow twins, and what must be refused of them."""

from typing import Any

import numpy as np
import pytest
from fuzz.forged import levels_of
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels import twins
from kernels.twins import always_the_same, from_threads
from medcost._core.footers import chunk_places
from medcost._core.labels import LabelTable
from medcost._core.page_headers import PageError, indexed_pages, read_header
from medcost._core.pages import PageColumn, fill_block
from medcost._core.plain_values import numbers, text_codes, wide_numbers

# A run: whether it is bit-packed, and its indices.
Run = tuple[bool, list[int]]


def array(given: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(given, np.uint8)


@st.composite
def hybrids(draw: st.DrawFn) -> tuple[int, int, list[Run]]:
    """Draw a width, a number of dictionary entries, and runs of indices into them."""
    width = draw(st.integers(0, 32))
    n_entries = min(draw(st.sampled_from([1, 2, 3, 255, 256, 5000, 70_000])), 1 << width)
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    runs: list[Run] = []
    for is_packed, n in draw(st.lists(st.tuples(st.booleans(), st.integers(1, 40)), min_size=1)):
        if is_packed:
            runs.append((True, rng.integers(0, n_entries, 8 * n).tolist()))
        else:
            runs.append((False, [int(rng.integers(0, n_entries))] * n))
    return width, n_entries, runs


def page_of(width: int, runs: list[Run]) -> bytes:
    return bytes([width]) + b"".join(twins.pack_run(width, *run) for run in runs)


def read_all(column: PageColumn, n_rows: int, block_rows: int) -> list[int]:
    """Return the codes of an opened page, block by block."""
    found: list[int] = []
    for start in range(0, n_rows, block_rows):
        n = min(block_rows, n_rows - start)
        assert fill_block([column], n, True) == -1
        found += column.codes[:n].tolist()
    return found


def column_of(n_entries: int, block_rows: int = 100, is_nullable: bool = False) -> PageColumn:
    """Return a text column whose entry i has the code 7 i."""
    column = PageColumn(True, is_nullable, block_rows)
    column.set_dictionary(np.arange(n_entries, dtype=np.int32) * 7)
    return column


@always_the_same(max_examples=300)
@given(hybrids(), st.sampled_from([1, 7, 8, 64, 1000]))
def test_indices_of_every_width_are_those_of_the_twin(
    hybrid: tuple[int, int, list[Run]], block_rows: int
) -> None:
    width, n_entries, runs = hybrid
    body = page_of(width, runs)
    n_rows = sum(len(indices) for _, indices in runs)
    expected = twins.unpack_hybrid(body[1:], width, n_rows)
    assert expected == [index for _, indices in runs for index in indices]
    column = column_of(n_entries, block_rows)
    column.open_page(array(body), n_rows)
    column.set_indices(array(body), 0)
    assert [7 * index for index in expected] == read_all(column, n_rows, block_rows)


@always_the_same(max_examples=300)
@given(st.binary(min_size=1, max_size=60), st.integers(1, 200), st.sampled_from([1, 2, 9, 300]))
def test_any_bytes_are_read_as_the_twin_reads_them_or_refused(
    body: bytes, n_rows: int, n_entries: int
) -> None:
    """Random bytes: whatever the twin cannot read, or leads out of the dictionary, is refused."""
    try:
        expected = twins.unpack_hybrid(body[1:], body[0], n_rows)
        if max(expected) >= n_entries:
            raise ValueError(expected)
    except ValueError:
        with pytest.raises(PageError):
            read_rows(column_of(n_entries, 200), body, n_rows)
    else:
        assert [7 * index for index in expected] == read_rows(
            column_of(n_entries, 200), body, n_rows
        )


def read_rows(column: PageColumn, body: bytes, n_rows: int) -> list[int]:
    column.open_page(array(body), n_rows)
    column.set_indices(array(body), 0)
    return read_all(column, n_rows, n_rows)


def test_an_index_beyond_the_dictionary_is_refused_wherever_it_stands() -> None:
    """Index 5 of five entries, in each of 40 places, among zeros; 3 bits would reach 7."""
    for place in range(40):
        indices = [0] * 40
        indices[place] = 5
        with pytest.raises(PageError, match="does not hold"):
            read_rows(column_of(5), page_of(3, [(True, indices)]), 40)


@pytest.mark.parametrize("extreme", [2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**63 - 1])
@pytest.mark.parametrize("place", [0, 4_999])
def test_numbers_of_a_large_dictionary_keep_all_their_bits(extreme: int, place: int) -> None:
    """5,000 entries, one of which just fits 32 bits or does not; rows without a value are 0."""
    rng = np.random.default_rng(3)
    entries = rng.integers(-(2**31), 2**31, 5_000)
    entries[place] = extreme
    states = np.zeros(5_000, np.uint8)
    states[[place, 7]] = 2
    present = (rng.random(200) < 0.8).astype(int).tolist()
    indices = [place, 7, *rng.integers(0, 5_000, sum(present) - 2).tolist()]
    packed = indices + [0] * (-len(indices) % 8)
    body = levels_of(present) + page_of(13, [(True, packed)])
    expected = [int(entries[i]) for i in indices]
    marks = [int(states[i]) for i in indices]
    for wanted in (states, None):
        column = PageColumn(False, True, 200)
        column.set_dictionary(entries, wanted)
        start = column.open_page(array(body), 200)
        column.set_indices(array(body), start)
        assert fill_block([column], 200, True) == -1
        at = np.flatnonzero(present)
        assert expected == column.values[at].tolist()
        assert not column.values[np.array(present) == 0].any()
        assert (marks if wanted is not None else [0] * len(at)) == column.states[at].tolist()
        assert (column.states[np.array(present) == 0] == 1).all()


def test_levels_put_values_where_rows_have_them() -> None:
    """Levels 1 0 1 1 0 0 0 1 over the indices 3 2 1 0; -2 is an empty text."""
    levels = twins.pack_run(1, True, [1, 0, 1, 1, 0, 0, 0, 1])
    body = (
        len(levels).to_bytes(4, "little") + levels + page_of(2, [(True, [3, 2, 1, 0, 0, 0, 0, 0])])
    )
    for block_rows in (1, 3, 8):
        column = column_of(4, block_rows, is_nullable=True)
        start = column.open_page(array(body), 8)
        column.set_indices(array(body), start)
        assert [21, -2, 14, 7, -2, -2, -2, 0] == read_all(column, 8, block_rows)


def test_states_follow_their_numbers() -> None:
    """Entry 1 of the dictionary is at fault, and row 1 is null; only then are states told."""
    column = PageColumn(False, True, 4)
    column.set_dictionary(np.array([10, 0, 30], np.int64), np.array([0, 2, 0], np.uint8))
    levels = twins.pack_run(1, True, [1, 0, 1, 1, 1, 1, 1, 1])
    body = page_of(2, [(True, [0, 1, 2, 2, 0, 0, 2, 0])])
    column.open_page_v2(array(levels), 8, 1)
    column.set_indices(array(body), 0)
    assert fill_block([column], 4, True) == -1
    assert column.is_faulty
    assert ([10, 0, 0, 30], [0, 1, 2, 0]) == (column.values.tolist(), column.states.tolist())
    assert fill_block([column], 4, True) == -1
    assert not column.is_faulty
    assert [30, 10, 10, 30] == column.values.tolist()


@pytest.mark.parametrize("n_nulls", [0, 2])
def test_nulls_are_as_many_as_a_page_says(n_nulls: int) -> None:
    column = column_of(2, is_nullable=True)
    column.open_page_v2(array(twins.pack_run(1, True, [1] * 7 + [0])), 8, n_nulls)
    column.set_indices(array(page_of(1, [(False, [0] * 8)])), 0)
    with pytest.raises(PageError, match="does not hold"):
        fill_block([column], 8, True)


def test_plain_values_are_as_many_as_rows() -> None:
    """Eight rows: neither seven values nor nine."""
    for n_values, fits in ((7, False), (8, True), (9, False)):
        column = PageColumn(True, False, 8)
        column.open_page(array(b""), 8)
        column.set_values(np.arange(n_values, dtype=np.int32))
        if fits:
            assert list(range(8)) == read_all(column, 8, 8)
        else:
            with pytest.raises(PageError, match="does not hold"):
                fill_block([column], 8, True)


def test_a_block_waits_for_the_first_column_whose_page_is_used_up() -> None:
    columns = [PageColumn(True, False, 10) for _ in range(3)]
    for column, n in zip(columns, (10, 4, 6), strict=True):
        column.open_page(array(b""), n)
        column.set_values(np.arange(n, dtype=np.int32))
    assert fill_block(columns, 10, True) == 1
    columns[1].open_page(array(b""), 6)
    columns[1].set_values(np.arange(100, 106, dtype=np.int32))
    assert fill_block(columns, 10, False) == 2
    columns[2].open_page(array(b""), 4)
    columns[2].set_values(np.arange(4, dtype=np.int32))
    assert fill_block(columns, 10, False) == -1
    assert [0, 1, 2, 3, *range(100, 106)] == columns[1].codes.tolist()


@always_the_same(max_examples=300)
@given(st.integers(1, 16), st.lists(st.integers(-(2**127), 2**127 - 1), max_size=9), st.data())
def test_numbers_of_every_width_are_python_s(width: int, given: list[int], data: Any) -> None:
    """Beyond the limit, or 64 bits, a number is 0 and at fault."""
    half = 1 << 8 * width - 1
    given = [(number + half) % (2 * half) - half for number in given]
    reverse = True if width not in (4, 8) else data.draw(st.booleans())
    limit = data.draw(st.sampled_from([0, 99, 10**6, 10**18 - 1]))
    order: Any = "big" if reverse else "little"
    body = array(b"xyz" + b"".join(n.to_bytes(width, order, signed=True) for n in given))
    values, states = numbers(body, 3, len(given), width, reverse, limit)
    bad = [abs(number) > limit for number in given]
    expected = [0 if wrong else number for number, wrong in zip(given, bad, strict=True)]
    assert expected == values.tolist()
    assert ([2 * wrong for wrong in bad] if any(bad) else None) == (
        None if states is None else states.tolist()
    )
    wide = wide_numbers(body, 3, len(given), width, reverse)
    assert [n % (1 << 128) for n in given] == [int(low) + (int(high) << 64) for low, high in wide]


def test_numbers_that_do_not_fit_their_page_are_refused() -> None:
    body = array(bytes(16))
    for start, most, width, reverse in (
        (0, 1, 8, True),
        (0, 9, 7, True),
        (17, 9, 8, True),
        (-1, 9, 8, True),
        (0, 9, 0, True),
        (0, 9, 17, True),
        (0, 9, 2, False),
    ):
        with pytest.raises(PageError):
            numbers(body, start, most, width, reverse, 5)
        with pytest.raises(PageError):
            wide_numbers(body, start, most, width, reverse)


def texts(*given: bytes) -> NDArray[np.uint8]:
    return array(b"".join(len(text).to_bytes(4, "little") + text for text in given))


@always_the_same(max_examples=300)
@given(st.lists(st.one_of(st.binary(max_size=6), st.text(max_size=4).map(str.encode)), max_size=9))
def test_texts_are_found_or_refused_where_they_are_not_utf8(given: list[bytes]) -> None:
    labels = LabelTable(np.array([0, 1, 3], np.int32), array("aé".encode()))
    try:
        for text in given:
            text.decode()
    except UnicodeDecodeError:
        with pytest.raises(PageError, match="UTF-8"):
            text_codes(labels, texts(*given), 0, len(given))
        return
    expected = twins.find_labels([b"a", "é".encode()], given)
    assert expected == text_codes(labels, texts(*given), 0, len(given)).tolist()


def test_texts_that_do_not_fit_their_page_are_refused() -> None:
    labels = LabelTable(np.array([0, 1], np.int32), array(b"a"))
    sound = texts(b"a", b"b")
    for body, start, most in (
        (sound, 0, 1),
        (sound[:-1], 0, 2),
        (sound[:-2], 0, 2),
        (sound[:7], 0, 2),
        (array(b"\xff\xff\xff\xffa"), 0, 9),
        (array(b"\xff\xff\xff\x7fa"), 0, 9),
        (sound, 11, 2),
        (sound, -1, 2),
        (sound, 0, -1),
    ):
        with pytest.raises(PageError):
            text_codes(labels, body, start, most)


def test_a_column_asks_for_what_it_needs() -> None:
    column = PageColumn(True, True, 4)
    with pytest.raises(PageError, match="no dictionary"):
        column.set_indices(array(b"\0"), 0)
    column = column_of(1, is_nullable=True)
    for body in (b"", b"\1\0\0", b"\1\0\0\0", b"\xff\xff\xff\xff12"):
        with pytest.raises(PageError, match="ends before"):
            column.open_page(array(body), 3)
    with pytest.raises(PageError, match="32 bits"):
        column.set_indices(array(b"\x21"), 0)
    with pytest.raises(PageError, match="two dictionaries"):
        column.set_dictionary(np.zeros(1, np.int32))
    with pytest.raises(ValueError, match="room"):
        fill_block([column], 101, True)
    with pytest.raises(ValueError, match="rows"):
        PageColumn(True, True, 0)


def test_random_bytes_are_no_header_or_a_bounded_one() -> None:
    """Nothing but PageError comes out, and no page reaches beyond its chunk."""
    rng = np.random.default_rng(3)
    for _ in range(20_000):
        given = rng.integers(0, 256, rng.integers(0, 40), np.uint8)
        given[rng.random(len(given)) < 0.5] = rng.choice(np.array([0, 0x15, 0x2C, 4, 8], np.uint8))
        try:
            header = read_header(given, int(rng.integers(0, 3)))
        except PageError:
            continue
        assert 0 <= header.start <= header.start + header.stored_size <= len(given)
        assert min(header.size, header.n_values, header.n_rows, header.levels_size) >= 0


def test_random_bytes_are_no_footer() -> None:
    rng = np.random.default_rng(4)
    for _ in range(20_000):
        given = rng.integers(0, 256, rng.integers(0, 60), np.uint8)
        given[rng.random(len(given)) < 0.5] = rng.choice(np.array([0, 0x19, 0x1C, 9, 12], np.uint8))
        with pytest.raises(PageError):
            chunk_places(given, 1, 1)


def test_structures_within_structures_end_somewhere() -> None:
    """A thousand structs, and a thousand lists, one in the other."""
    for deep in (b"\x1c" * 1000, b"\x19" * 1000, b"\x1c" + b"\x19\x1c" * 500):
        with pytest.raises(PageError):
            read_header(array(deep), 0)
        with pytest.raises(PageError):
            chunk_places(array(deep), 1, 1)


def test_threads_unpack_each_their_own_column() -> None:
    runs: list[Run] = [(True, [i % 13 for i in range(8000)])]
    body, expected = page_of(4, runs), [7 * (i % 13) for i in range(8000)]
    for found in from_threads(lambda: read_rows(column_of(13, 8000), body, 8000)):
        assert expected == found


def pages_of(bodies: list[bytes], rows: list[int]) -> tuple[NDArray[Any], ...]:
    """Return pages that follow each other, as set_pages takes them."""
    sizes = np.array([len(body) for body in bodies], np.int64)
    return array(b"".join(bodies)), np.cumsum(sizes) - sizes, sizes, np.array(rows, np.int64)


@always_the_same(max_examples=200)
@given(st.lists(hybrids(), min_size=1, max_size=4), st.integers(1, 50))
def test_pages_that_follow_each_other_are_read_as_one_by_one(
    hybrid: list[tuple[int, int, list[Run]]], block_rows: int
) -> None:
    """Each page with a width of its own; blocks end within pages and beyond them."""
    n_entries = min(n for _, n, _ in hybrid)
    indices = [[i % n_entries for _, run in runs for i in run] for _, _, runs in hybrid]
    bodies = [
        page_of(width, [(packed, [i % n_entries for i in run]) for packed, run in runs])
        for width, _, runs in hybrid
    ]
    column = column_of(n_entries, block_rows)
    column.set_pages(*pages_of(bodies, [len(page) for page in indices]))
    expected = [7 * i for page in indices for i in page]
    assert expected == read_all(column, len(expected), block_rows)


def test_pages_that_follow_each_other_have_levels_of_their_own() -> None:
    """1 0 1 with entries 2 and 0, then 0 1 with entry 1: 14, empty, 0, empty, 7."""
    first = levels_of([1, 0, 1]) + page_of(2, [(True, [2, 0, 0, 0, 0, 0, 0, 0])])
    second = levels_of([0, 1]) + page_of(2, [(False, [1])])
    column = column_of(3, is_nullable=True)
    column.set_pages(*pages_of([first, second], [3, 2]))
    assert [14, -2, 0, -2, 7] == read_all(column, 5, 4)


@pytest.mark.parametrize(
    "lying", [b"", b"\0\0", b"\xff\0\0\0", levels_of([1]) + b"\x21", levels_of([1])]
)
def test_a_page_among_others_that_lies_is_refused(lying: bytes) -> None:
    """No levels, levels beyond the page, an index of 33 bits, no index."""
    sound = levels_of([1]) + page_of(2, [(False, [1])])
    column = column_of(3, is_nullable=True)
    column.set_pages(*pages_of([sound, lying], [1, 1]))
    with pytest.raises(PageError):
        fill_block([column], 2, True)


@pytest.mark.parametrize(
    ("place", "value"), [(1, -1), (1, 9), (2, -1), (2, 4), (2, 2**62), (3, -1)]
)
def test_pages_outside_their_bytes_are_refused(place: int, value: int) -> None:
    given = list(pages_of([page_of(2, [(False, [1])])], [1]))
    given[place] = np.array([value])
    with pytest.raises(ValueError, match="page"):
        column_of(3).set_pages(*given)
    with pytest.raises(PageError, match="dictionary"):
        PageColumn(True, False, 10).set_pages(*pages_of([b"\0"], [1]))


def test_random_bytes_are_no_pages_or_bounded_ones() -> None:
    rng = np.random.default_rng(5)
    for _ in range(3000):
        chunk = rng.integers(0, 256, int(rng.integers(0, 60)), np.uint8)
        (starts, stored, sizes, rows), end = indexed_pages(chunk, 0, 1000, 5000)
        assert (starts + stored <= len(chunk)).all()
        assert sizes.sum() <= 5000
        assert rows.sum() <= 1000
        assert 0 <= end <= len(chunk)
