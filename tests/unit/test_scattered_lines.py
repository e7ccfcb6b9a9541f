"""Pieces that keep their lines back together, and the ranges of cases that become a part."""

from pathlib import Path

import numpy as np
import pytest
from books import book, items, line, stay, written

from medcost.book import open_book
from medcost.costing import scattered_lines
from medcost.costing.line_pieces import LinePiece, line_pieces
from medcost.costing.scattered_lines import KeptBack, piece_groups, range_spans


@pytest.fixture
def pieces(tmp_path: Path) -> list[LinePiece]:
    """Seven pieces of ten lines."""
    lines = [line("C", "a", "K") for _ in range(70)]
    tables = book({"C": "clinical"}, {"C": 100}, {}, items(a=1), lines, cases=[stay("K")])
    folder = written(tmp_path, tables, row_group_size=10)
    return list(line_pieces(open_book(folder), "2026-01", 10))


def groups(pieces: list[LinePiece], memory: int | None = None) -> list[list[int]]:
    return [[number for number, _ in group] for group in piece_groups(pieces, memory)]


def test_as_many_pieces_keep_back_together_as_may(
    pieces: list[LinePiece], monkeypatch: pytest.MonkeyPatch
) -> None:
    """35 lines at a time are three pieces of ten."""
    assert [[0, 1, 2, 3, 4, 5, 6]] == groups(pieces)
    monkeypatch.setattr(scattered_lines, "MOST_LINES", 35)
    assert [[0, 1, 2], [3, 4, 5], [6]] == groups(pieces)
    assert [] == groups([])


def test_a_quarter_of_the_memory_is_for_lines_kept_back(pieces: list[LinePiece]) -> None:
    """At 16 bytes a line, 1,280 bytes hold 20 of them in a quarter; a piece always fits."""
    assert [[0, 1], [2, 3], [4, 5], [6]] == groups(pieces, 1280)
    assert [[n] for n in range(7)] == groups(pieces, 1)


def kept(*counts: int) -> KeptBack:
    """A piece with so many lines of each range."""
    starts = np.append(0, np.cumsum(counts)).astype(np.int64)
    return starts, np.zeros(int(starts[-1]), np.uint64), None, None


def spans(pieces: list[KeptBack], most: int) -> list[tuple[int, int, int]]:
    return [tuple(span) for span in range_spans(pieces, most)]


def test_ranges_of_all_pieces_fill_a_part() -> None:
    """4, 4, 4, 9 and 1 lines: two ranges make 8 of 10, the next would be the eleventh and more."""
    pieces = [kept(1, 4, 0, 9, 0), kept(3, 0, 4, 0, 1)]
    assert [(0, 2, 8), (2, 3, 4), (3, 5, 10)] == spans(pieces, 10)
    assert [(0, 5, 22)] == spans(pieces, 22)


def test_a_range_is_not_cut_and_empty_ones_make_no_part() -> None:
    assert [(0, 1, 7), (1, 5, 2)] == spans([kept(7, 0, 2, 0, 0)], 3)
    assert [] == spans([kept(0, 0)], 3)
    assert [] == spans([], 3)
