"""The page reader against the plain one: on every storage, and on files that lie."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fuzz.damage import check_file, damaged_files
from fuzz.forged import (
    CODEC_NUMBERS,
    data_page,
    data_page_v2,
    dictionary,
    indices_of,
    levels_of,
    page,
    read_forged,
)
from fuzz.stored_lines import (
    CODECS,
    LINES,
    NUMBER_TYPES,
    Netted,
    Storage,
    by_arrow,
    by_pages,
    netted_by_arrow,
    netted_by_pages,
    require_same,
    stored,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kernels.twins import from_threads, pack_run

from medcost import page_reader
from medcost.line_blocks import plain_blocks
from medcost.page_reader import PagesUnsupported
from medcost.parquet_input import SourceFile

FALLS_BACK = (pa.decimal256(40, 2), pa.float16(), pa.null())


@st.composite
def storages(draw: st.DrawFn) -> Storage:
    """Draw a storage: pages from a few rows to all, dictionaries that overflow or not."""
    chosen: Any = lambda *given: draw(st.sampled_from(given))  # noqa: E731
    writer = {
        "compression": draw(st.sampled_from(CODECS)),
        "data_page_version": chosen("1.0", "2.0"),
        "use_dictionary": chosen(True, True, False, ["case_id", "quantity"]),
        "dictionary_pagesize_limit": chosen(1 << 20, 100, 1000),
        "data_page_size": chosen(1 << 20, 64, 500),
        "write_batch_size": chosen(1024, 1, 10, 100),
        "row_group_size": chosen(10_000, 100, 37),
        "store_decimal_as_integer": draw(st.booleans()),
        "store_schema": draw(st.booleans()),
        "version": chosen("1.0", "2.6"),
    }
    return Storage(
        n=draw(st.sampled_from([0, 1, 7, 8, 9, 100, 300, 700])),
        quantity=draw(st.sampled_from(NUMBER_TYPES)),
        charge=draw(st.sampled_from(NUMBER_TYPES)),
        few=draw(st.booleans()),
        nulls=draw(st.booleans()),
        required=draw(st.booleans()),
        runs=draw(st.booleans()),
        writer=writer,
    )


Found = TypeVar("Found")


def on_every_storage(
    path: Path,
    read: Callable[[Path, list[int]], Found | None],
    require: Callable[[list[int], Found], None],
) -> None:
    """Read lines in every storage, in blocks of any size; only three types are declined."""

    @settings(
        max_examples=400,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(storages(), st.integers(0, 9), st.sampled_from([5, 8, 64, 100, 1 << 14]))
    def compare(storage: Storage, seed: int, block_rows: int) -> None:
        try:
            path.write_bytes(stored(storage, seed))
        except pa.ArrowNotImplementedError:
            return
        groups = list(range(pq.read_metadata(path).num_row_groups))
        with mock.patch.object(page_reader, "BLOCK_ROWS", block_rows):
            found = read(path, groups)
        if {storage.quantity, storage.charge} & set(FALLS_BACK):
            assert found is None or storage.n == 0
        else:
            assert found is not None
            require(groups, found)

    compare()


def test_both_readers_say_the_same(tmp_path: Path) -> None:
    """Codes, values and states are equal on every storage; only three types are declined."""
    path = tmp_path / "lines.parquet"
    on_every_storage(
        path, by_pages, lambda groups, found: require_same(found, by_arrow(path, groups))
    )


def test_lines_netted_page_by_page_come_to_what_the_plain_reader_says(tmp_path: Path) -> None:
    """Entries, sums, orders and counts are equal on every storage, in blocks of any size."""
    path = tmp_path / "lines.parquet"
    outcomes: Counter[bool] = Counter()

    def require(groups: list[int], found: Netted | str) -> None:
        assert netted_by_arrow(path, groups) == found
        outcomes[found != "too large" and bool(found.entries)] += 1

    on_every_storage(path, netted_by_pages, require)
    assert outcomes[True] > 100


SOUND = data_page(levels_of([1, 1, 0, 1]) + indices_of(2, [0, 2, 1]), 4)
TEXTS_OF_IT = dictionary("000", "none", "")
SOUND_V2 = data_page_v2(levels_of([1, 1, 0, 1])[4:], indices_of(2, [0, 2, 1]), 4, n_nulls=1)


def test_forged_chunks_that_do_not_lie_are_read(tmp_path: Path) -> None:
    """Label 0, an empty text, a null and an unknown text, as v1 and v2, in several pages."""
    assert [0, -2, -2, -1] == read_forged(TEXTS_OF_IT + SOUND, 4, tmp_path)
    assert [0, -2, -2, -1] == read_forged(TEXTS_OF_IT + SOUND_V2, 4, tmp_path)
    assert [0, -2, -2, -1] * 2 == read_forged(TEXTS_OF_IT + SOUND + SOUND_V2, 8, tmp_path)


ALL = levels_of([1] * 8)
EIGHT = indices_of(2, [0] * 8)
LIES = {
    "a page longer than its chunk": data_page(ALL + EIGHT, 8, stored_size=10**6),
    "a page of a negative size": data_page(ALL + EIGHT, 8, size=-1),
    "a negative number of bytes": data_page(ALL + EIGHT, 8, stored_size=-5),
    "a number of bytes beyond 32 bits": data_page(ALL + EIGHT, 8, size=1 << 40),
    "more rows than the row group": data_page(ALL + indices_of(2, [0] * 16), 9),
    "fewer rows than the row group": data_page(ALL + EIGHT, 7),
    "a negative number of rows": data_page(ALL + EIGHT, -8),
    "two gigabytes of rows": data_page(ALL + EIGHT, 2**31 - 1),
    "a smaller page than it says": data_page(ALL + EIGHT, 8, size=2**31 - 1),
    "a larger page than it says": data_page(ALL + EIGHT, 8, size=3),
    "an index beyond the dictionary": data_page(ALL + indices_of(2, [0] * 7 + [3]), 8),
    "a run beyond the dictionary": data_page(ALL + b"\2" + pack_run(2, False, [3] * 8), 8),
    "a run beyond its width": data_page(ALL + b"\1\x10\2", 8),
    "an empty run": data_page(ALL + b"\1\0\0\x10\0", 8),
    "no run": data_page(ALL + b"\1", 8),
    "no width": data_page(ALL, 8),
    "an index of 33 bits": data_page(ALL + b"\x21" + bytes(40), 8),
    "an index of 255 bits": data_page(ALL + b"\xff" + bytes(300), 8),
    "a run's length that does not end": data_page(ALL + b"\2\xff\xff", 8),
    "a run's length that never ends": data_page(ALL + b"\2" + b"\xff" * 20, 8),
    "a bit-packed run cut off": data_page(ALL + EIGHT[:-1], 8),
    "too few levels": data_page(levels_of([1] * 8)[:4] + b"\4\1" + EIGHT, 8),
    "levels longer than the page": data_page(b"\xff\0\0\0" + ALL[4:] + EIGHT, 8),
    "levels of four gigabytes": data_page(b"\xff\xff\xff\xff" + ALL[4:] + EIGHT, 8),
    "no levels": data_page(b"\0\0\0\0" + EIGHT, 8),
    "a page without room for levels": data_page(b"\1", 8),
    "levels stored in another way": data_page(ALL + EIGHT, 8, level_encoding=4),
    "no number of rows": data_page(ALL + EIGHT, None),
    "no size": data_page(ALL + EIGHT, 8, size=None),
    "a number of rows that does not end": data_page(ALL + EIGHT, b"\xff" * 11),
    "values stored in another way": data_page(ALL + EIGHT, 8, encoding=6),
    "plain texts that end too soon": data_page(ALL + b"\5\0\0\0abcd", 8, encoding=0),
    "plain texts that are too few": data_page(ALL + b"\1\0\0\0a", 8, encoding=0),
    "plain texts that are too many": data_page(ALL + b"\1\0\0\0a" * 9, 8, encoding=0),
    "a plain text of four gigabytes": data_page(ALL + b"\xff\xff\xff\xff" * 8, 8, encoding=0),
    "a plain text that is not UTF-8": data_page(ALL + b"\1\0\0\0\xff" * 8, 8, encoding=0),
    "an index page": page(1, b"", {}) + data_page(ALL + EIGHT, 8),
    "a page of no kind": b"\x15\x12\x15\0\x15\0\x2c\0\0",
    "an empty chunk": b"",
    "a header cut off": data_page(ALL + EIGHT, 8)[:9],
    "a second dictionary": TEXTS_OF_IT + data_page(ALL + EIGHT, 8),
    "v2: repetition levels": data_page_v2(ALL[4:], EIGHT, 8, repetition=1),
    "v2: other rows than values": data_page_v2(ALL[4:], EIGHT, 8, n_rows=7),
    "v2: nulls that are not there": data_page_v2(ALL[4:], EIGHT, 8, n_nulls=1),
    "v2: levels longer than the page": data_page_v2(ALL[4:], EIGHT, 8, levels_size=99),
    "v2: negative levels": data_page_v2(ALL[4:], EIGHT, 8, levels_size=-1),
    "v2: another size": data_page_v2(ALL[4:], EIGHT, 8, size=99),
    "v2: a truth value that is a number": data_page_v2(ALL[4:], EIGHT, 8, is_compressed=1),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_page_that_lies_is_declined(lie: str, tmp_path: Path) -> None:
    """The same page without the lie is read: eight rows of the first text."""
    assert [0] * 8 == read_forged(TEXTS_OF_IT + data_page(ALL + EIGHT, 8), 8, tmp_path)
    with pytest.raises(PagesUnsupported):
        read_forged(TEXTS_OF_IT + LIES[lie], 8, tmp_path)


@pytest.mark.parametrize(
    "lying",
    [
        b"",
        dictionary("000", n=2),
        dictionary("000", "002", n=1),
        dictionary("000", n=2**31 - 1),
        dictionary("000", n=-1),
        dictionary("000", size=2**31 - 1),
        dictionary("000", encoding=8),
        dictionary(b"\xed\xa0\x80"),
        dictionary(body=b"\3\0\0\0ab", n=1),
        dictionary(),
    ],
)
def test_a_dictionary_that_lies_is_declined(lying: bytes, tmp_path: Path) -> None:
    """No dictionary, another number of entries, other bytes, a surrogate, no entry for an index."""
    with pytest.raises(PagesUnsupported):
        read_forged(lying + data_page(ALL + EIGHT, 8), 8, tmp_path)


@pytest.mark.parametrize("codec", CODEC_NUMBERS)
def test_a_page_has_the_size_that_it_says_when_unpacked(codec: str, tmp_path: Path) -> None:
    """One byte more or less, nothing, and up to two gigabytes; then bytes that no codec wrote."""
    texts, body = dictionary("000", codec=codec), ALL + EIGHT
    sound = data_page(body, 8, codec)
    assert [0] * 8 == read_forged(texts + sound, 8, tmp_path, codec)
    for size in (len(body) + 1, len(body) - 1, 0, 1 << 16, 1 << 30, 2**31 - 1):
        for unpacked in (1 << 20, 1 << 62):
            lying = data_page(body, 8, codec, size=size)
            with pytest.raises(PagesUnsupported):
                read_forged(texts + lying, 8, tmp_path, codec, unpacked)
    stored = data_page(b"\xff" * 9, 8) if codec == "none" else data_page(body, 8)
    with pytest.raises(PagesUnsupported):
        read_forged(texts + stored, 8, tmp_path, codec)


def test_a_codec_that_is_not_read_here_is_declined(tmp_path: Path) -> None:
    with pytest.raises(PagesUnsupported, match="packed"):
        read_forged(TEXTS_OF_IT + SOUND, 4, tmp_path, "hadoop's lz4")


def test_a_chunk_beyond_the_limit_is_declined(tmp_path: Path) -> None:
    with (
        mock.patch.object(page_reader, "MOST_CHUNK_BYTES", 40),
        pytest.raises(PagesUnsupported, match="too many bytes"),
    ):
        read_forged(TEXTS_OF_IT + SOUND, 4, tmp_path)


def test_damaged_files_are_declined_or_read_as_the_plain_reader_reads_them(tmp_path: Path) -> None:
    """60 files, each damaged 40 times; where the plain reader raises, anything but a crash."""
    outcomes: Counter[str] = Counter()
    for file in damaged_files(seed=12, n_files=60, n_damages=40):
        outcomes[check_file(file, tmp_path / "lines.parquet")] += 1
    assert outcomes["declined"] > 500
    assert outcomes["the same"] > 100


def test_files_cut_off_anywhere_are_declined(tmp_path: Path) -> None:
    path = tmp_path / "lines.parquet"
    sound = stored(Storage(n=50), 1)
    for size in range(0, len(sound), 37):
        path.write_bytes(sound[:size])
        assert by_pages(path, [0]) is None


def test_columns_that_are_no_lines_are_declined(tmp_path: Path) -> None:
    """Nested columns, other texts, numbers of other kinds, columns that are not there."""
    path = tmp_path / "lines.parquet"
    texts = pa.array(["000"], pa.string())
    price = pa.array([1], pa.int64())
    for item_id, quantity in (
        (pa.array([["000"]], pa.list_(pa.string())), price),
        (pa.array([{"a": "000"}]), price),
        (pa.array([b"000"], pa.binary()), price),
        (price, price),
        (texts, texts),
        (texts, pa.array([True])),
        (texts, pa.array([0], pa.timestamp("us"))),
        (texts, pa.array([0], pa.date32())),
        (texts, pa.array([[1]], pa.list_(pa.int64()))),
    ):
        table = pa.table({"item_id": item_id, "case_id": texts, "quantity": quantity})
        pq.write_table(table.append_column("charge", price), path)
        assert by_pages(path, [0]) is None
    pq.write_table(pa.table({"item_id": texts}), path)
    assert by_pages(path, [0]) is None
    assert by_pages(tmp_path / "none.parquet", [0]) is None


def test_dates_are_days(tmp_path: Path) -> None:
    path = tmp_path / "lines.parquet"
    dates = pa.array([0, None, -3, 20_000, 2**31 - 1, -(2**31)], pa.int32()).cast(pa.date32())
    pq.write_table(pa.table({"performed_on": dates}), path)
    numbers = {"performed_on": LINES.column("performed_on")}
    source = SourceFile(path, "lines")
    (found,) = page_reader.page_blocks(source, [0], {}, numbers)
    (expected,) = plain_blocks(source, [0], {}, numbers)
    assert expected.values["performed_on"].tolist() == found.values["performed_on"].tolist()
    assert [0, 1, 0, 0, 0, 0] == found.states["performed_on"].tolist()


def test_threads_read_each_their_own_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "lines.parquet"
    path.write_bytes(stored(Storage(n=2000, writer={"row_group_size": 300}), 3))
    expected = by_arrow(path, [0, 3, 5])
    for found in from_threads(lambda: by_pages(path, [0, 3, 5])):
        require_same(found, expected)
