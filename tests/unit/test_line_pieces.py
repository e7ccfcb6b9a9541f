"""Pieces of the files of lines: row groups of another month are left out only where proved."""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from books import MONTH, NEXT_MONTH, Tables, items, line, model, stay, ward, written
from fuzz.forged import Fields, Long, Text, thrift

from medcost.allocation_model import load_model
from medcost.book import Book, open_book
from medcost.costing.line_pieces import line_pieces, piece_rows
from medcost.errors import InputRejected
from medcost.month_end import BatchOptions, cost_period

THIS, OTHER = Text(MONTH.encode()), Text(NEXT_MONTH.encode())
# What pyarrow writes of rows of one month.
AS_WRITTEN: Fields = {3: Long(0), 5: THIS, 6: THIS, 7: True, 8: True}


def ward_of_two_months(**lines: Any) -> Tables:
    """Six lines of January, then six of February, all of one case."""
    rows = [line("C", "a", "K", **lines) for _ in range(6)]
    tables = ward(*rows, services=items(a=1), cases=[stay("K")])
    tables["service_lines"] += [row | {"period": NEXT_MONTH} for row in rows]
    return tables


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a book whose lines lie in four row groups of three, two of each month."""
    found = written(tmp_path, ward_of_two_months())
    path = found / "service_lines.parquet"
    pq.write_table(pq.read_table(path), path, row_group_size=3)
    return found


def groups_read(folder: Path, period: str = MONTH, most_rows: int = 100) -> list[tuple[int, ...]]:
    """Return the row groups of each piece."""
    return [piece.row_groups for piece in line_pieces(open_book(folder), period, most_rows)]


def with_statistics(path: Path, forged: Any) -> None:
    """Put other statistics in the place of January's, in the file's footer."""
    sound, forged = thrift(AS_WRITTEN), forged if isinstance(forged, bytes) else thrift(forged)
    file = path.read_bytes()
    start = len(file) - 8 - int.from_bytes(file[-8:-4], "little")
    footer = file[start:-8]
    assert footer.count(sound) == 2
    footer = footer.replace(sound, forged)
    path.write_bytes(file[:start] + footer + len(footer).to_bytes(4, "little") + b"PAR1")


def test_groups_of_another_month_are_left_out(folder: Path) -> None:
    assert [(0, 1)] == groups_read(folder)
    assert [(2, 3)] == groups_read(folder, NEXT_MONTH)
    assert [] == groups_read(folder, "2026-03")


def test_pieces_have_their_rows_and_where_they_start(folder: Path) -> None:
    """Three rows each where a piece may have four; the file's rows count from 0."""
    pieces = list(line_pieces(open_book(folder), NEXT_MONTH, most_rows=4))
    assert [((2,), 6, 3), ((3,), 9, 3)] == [(p.row_groups, p.first_row, p.rows) for p in pieces]


def test_memory_bounds_the_rows_of_a_piece() -> None:
    """Half of 1 GiB for two threads is 2^28 bytes each: 2^21 lines of 128; 2^20 are the most."""
    assert 1 << 20 == piece_rows(None, 2) == piece_rows(1 << 30, 2)
    assert 1 << 19 == piece_rows(1 << 28, 2)
    assert 1 << 15 == piece_rows(1, 2)


@pytest.mark.parametrize(
    "forged",
    [
        {3: Long(0), 5: OTHER, 6: OTHER, 7: True, 8: False},
        {3: Long(0), 5: OTHER, 6: OTHER, 7: False, 8: True},
        {3: Long(0), 5: OTHER, 6: OTHER, 7: 1},
        {3: Long(0), 5: Text(b"2026-0"), 6: Text(b"2026-0")},
        {3: Long(0), 5: Text(b"2026-02\0"), 6: Text(b"2026-02\0")},
        {3: Long(0), 5: Text(b"\xff" * 7), 6: Text(b"\xff" * 7)},
        {3: Long(0), 5: OTHER, 6: THIS},
        {1: OTHER, 2: OTHER, 3: Long(0)},
        {1: THIS, 2: OTHER, 3: Long(0), 5: OTHER, 6: OTHER},
        {3: Long(1), 5: OTHER, 6: OTHER},
        {3: Long(-1), 5: OTHER, 6: OTHER},
        {3: Long(0), 4: Long(2), 5: OTHER, 6: OTHER},
        {5: OTHER, 6: OTHER},
        {3: Long(0), 5: OTHER},
        {},
    ],
)
def test_statistics_that_lie_skip_no_row(folder: Path, forged: Fields) -> None:
    """January's statistics name February, or a text that is no month, but not soundly.

    Its six lines are read and costed: the ward's 100.00 yuan go to case K.
    """
    with_statistics(folder / "service_lines.parquet", forged)
    assert [(0, 1)] == groups_read(folder)
    loaded = load_model(str(_model(folder)))
    result = cost_period(open_book(folder), loaded, MONTH, BatchOptions())
    (case,) = result.tables["case_cost"].to_pylist()
    assert ("K", "100.00") == (case["case_id"], str(case["total"]))


def _model(folder: Path) -> Path:
    path = folder.parent / "model.toml"
    path.write_text(model(rules=""), "utf-8")
    return path


def test_a_footer_that_only_arrow_or_only_our_reader_takes_proves_nothing(folder: Path) -> None:
    """A map in the statistics is passed over by Arrow; our reader knows no maps."""
    path = folder / "service_lines.parquet"
    other = {3: Long(0), 5: OTHER, 6: OTHER}
    with_statistics(path, thrift(other)[:-1] + b"\x6b\0" + b"\0")
    assert pq.read_metadata(path).num_row_groups == 4
    assert [(0, 1, 2, 3)] == groups_read(folder)


def test_a_folder_of_another_month_is_not_read_unless_its_rows_say_otherwise(
    tmp_path: Path,
) -> None:
    """Without the column the folder decides; with it, rows of another month are its fault."""
    folder = written(tmp_path, ward_of_two_months())
    lines = pq.read_table(folder / "service_lines.parquet")
    (folder / "service_lines.parquet").unlink()
    for month, has_column in ((MONTH, True), (NEXT_MONTH, True), ("2026-03", False)):
        below = folder / "service_lines" / f"period={month}"
        below.mkdir(parents=True)
        pq.write_table(lines if has_column else lines.drop(["period"]), below / "p.parquet")
    pieces = line_pieces(open_book(folder), "2026-03")
    assert [f"service_lines/period={m}/p.parquet" for m in (MONTH, NEXT_MONTH, "2026-03")] == [
        piece.source.label for piece in pieces
    ]
    pieces = line_pieces(open_book(folder), MONTH)
    assert [f"service_lines/period={m}/p.parquet" for m in (MONTH, NEXT_MONTH)] == [
        piece.source.label for piece in pieces
    ]


def test_a_file_that_vanishes_after_it_was_checked_is_refused(folder: Path) -> None:
    """Its lines would be missing from the costs without a word."""
    opened = open_book(folder)
    (folder / "service_lines.parquet").unlink()
    with pytest.raises(InputRejected) as rejected:
        list(line_pieces(opened, MONTH))
    assert ["file-unreadable"] == [fault.code for fault in rejected.value.faults]


def damaged_footers(sound: bytes, n: int, seed: int) -> Iterator[bytes]:
    """Yield the file so many times with one to three bytes of its footer changed."""
    rng = random.Random(seed)  # noqa: S311
    start = len(sound) - 8 - int.from_bytes(sound[-8:-4], "little")
    for _ in range(n):
        file = bytearray(sound)
        for _ in range(rng.choice([1, 1, 2, 3])):
            at = rng.randrange(start, len(file) - 8)
            way = rng.randrange(3)
            if way == 0:
                file[at] = rng.randrange(256)
            elif way == 1:
                file[at] ^= 1 << rng.randrange(8)
            else:
                file[at] = rng.choice([0, 1, 2, 5, 6, 8, 9, 12, 17, 18, 24, 28, 127, 128, 255])
        yield bytes(file)


def test_damaged_footers_skip_no_row_of_the_month_and_end_no_process(folder: Path) -> None:
    """2,000 damaged footers: where the file is still one of lines, groups 0 and 1 are read.

    pyarrow's own view of a chunk's metadata ends the process on some of these files.
    """
    path = folder / "service_lines.parquet"
    outcomes: Counter[str] = Counter()
    for file in damaged_footers(path.read_bytes(), 2000, 5):
        path.write_bytes(file)
        outcomes[what_happens(open_book(folder))] += 1
    assert outcomes["January is read"] > 400
    assert not outcomes["January is skipped"]


def what_happens(opened: Book) -> str:
    """Say what becomes of January's rows."""
    if opened.faults or not opened.line_columns[0]:
        return "refused"
    try:
        pieces = list(line_pieces(opened, MONTH))
    except InputRejected:
        return "refused"
    read = {group for piece in pieces for group in piece.row_groups}
    n_groups = pq.read_metadata(opened.lines[0].path).num_row_groups
    return "January is read" if {0, 1} <= read or n_groups < 2 else "January is skipped"
