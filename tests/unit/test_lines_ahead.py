"""The lines read ahead are the lines read in their time, and a run that ends early leaves them."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from books import book, items, line, stay, written

from medcost.book import Book, open_book
from medcost.costing import activity
from medcost.costing.activity import read_activity
from medcost.costing.activity_matrix import MatrixPart, PartFile
from medcost.errors import CannotPublish
from medcost.lines_ahead import lines_ahead
from medcost.output_folder import OutputFolder, activity_folder
from medcost.period_book import read_period

P = "2026-01"


def opened(tmp_path: Path, **tables: Any) -> Book:
    """A ward of 40 lines for two cases, ten to a row group, but for the tables given."""
    lines = [line("C", "a", f"K{n % 2}") for n in range(40)]
    ward = book(
        {"C": "clinical"}, {"C": 100}, {}, items(a=1), lines, cases=[stay("K0"), stay("K1")]
    )
    return open_book(written(tmp_path, ward | tables, row_group_size=10))


@pytest.fixture
def held(tmp_path: Path) -> OutputFolder:
    """An output folder with an empty staging folder."""
    (tmp_path / "staging").mkdir()
    return OutputFolder(tmp_path / "out", tmp_path / "staging", 0)


def test_what_is_read_ahead_is_what_is_read_in_time(tmp_path: Path, held: OutputFolder) -> None:
    """40 services of one item for two cases of 20: one activity, two receivers, parts on disk."""
    found = opened(tmp_path)
    read = read_activity(found, read_period(found, P))
    rows: list[int] = []
    with lines_ahead(found, [P], None, "cases", 2, None, held, rows.append) as ahead:
        assert ahead is not None
        found_ahead, seconds = ahead.activity()
    assert sum(rows) == 40
    assert seconds > 0
    assert ahead.period_book.cases.n == 2
    for name in ("row_key", "activity_key", "total", "negative", "row_charge"):
        ours, theirs = getattr(found_ahead.matrix, name), getattr(read.matrix, name)
        np.testing.assert_array_equal(ours, theirs)
    parts = sorted(activity_folder(held.staging, P).iterdir())
    assert parts == [part.path for part in found_ahead.matrix.parts]  # type: ignore[union-attr]


def test_a_run_that_ends_early_leaves_the_pieces_that_have_not_begun(
    tmp_path: Path, held: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of pieces of ten lines the first waits until the run has ended; the other three never come.

    The piece at hand is finished: nobody writes to the staging folder after the with statement.
    """
    monkeypatch.setattr("medcost.costing.line_pieces.FEWEST_ROWS", 10)
    monkeypatch.setattr("medcost.costing.line_pieces.PIECE_ROWS", 10)
    begun, ended = threading.Event(), threading.Event()
    rows: list[int] = []

    def first_piece(n_rows: int) -> None:
        rows.append(n_rows)
        begun.set()
        assert ended.wait(10)

    def interrupted() -> None:
        with lines_ahead(opened(tmp_path), [P], None, "cases", 1, 1, held, first_piece):
            assert begun.wait(10)
            threading.Timer(0.1, ended.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert rows == [10]
    assert len(list(activity_folder(held.staging, P).iterdir())) <= 2


def test_what_the_pass_raises_is_raised_where_the_lines_are_wanted(
    tmp_path: Path, held: OutputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full when the first part is written; a run that does not ask is not told."""

    def write(_part: MatrixPart, path: Path) -> PartFile:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(activity, "write_part", write)
    found = opened(tmp_path)
    with lines_ahead(found, [P], None, "cases", 1, None, held) as ahead:
        assert ahead is not None
        with pytest.raises(CannotPublish, match="No space left"):
            ahead.activity()


@pytest.mark.parametrize(
    ("through", "tables", "leftovers", "periods"),
    [
        ("departments", {}, (), [P]),
        ("cases", {"cases": None}, (), [P]),
        ("cases", {"service_items": None}, (), [P]),
        ("cases", {}, (Path("left"),), [P]),
        ("cases", {}, (), []),
    ],
    ids=["not needed", "cases unknown", "items unknown", "a stopped run", "no month"],
)
def test_lines_are_not_read_ahead_where_they_may_not_be_wanted(
    tmp_path: Path,
    held: OutputFolder,
    through: str,
    tables: dict[str, Any],
    leftovers: tuple[Path, ...],
    periods: list[str],
) -> None:
    found = opened(tmp_path)
    kept = {name: rows for name, rows in found.tables.items() if name not in tables}
    partly = Book(
        found.folder, kept, found.lines, found.line_columns, found.files, (), found.registers
    )
    before = OutputFolder(held.path, held.staging, 0, leftovers)
    with lines_ahead(partly, periods, None, through, 1, None, before) as ahead:
        assert ahead is None
    assert list(held.staging.iterdir()) == []
