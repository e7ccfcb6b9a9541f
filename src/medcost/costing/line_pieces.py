"""The files of the service lines cut into pieces, each one thread's work.

Row groups of another month are left out where the file's statistics prove that they are.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow.parquet as pq

from medcost._core.footers import sole_texts
from medcost._core.page_headers import PageError
from medcost.book import Book, is_period
from medcost.errors import InputRejected
from medcost.page_reader import column_number, read_footer
from medcost.parquet_input import READ_ERRORS, SourceFile, unreadable
from medcost.records import dataclass

# Lines of one thread's piece of work, which becomes a part of the matrix.
PIECE_ROWS, FEWEST_ROWS = 1 << 20, 1 << 15
# What a line takes while its piece is netted: entries, twice where cases are scattered, the run
# of its case, its id's hash, and its share of the pages.
BYTES_A_LINE = 128


@dataclass(frozen=True)
class LinePiece:
    """Some row groups of one file, small enough to be one thread's work.

    columns: the contract's that the file has; first_row: of the file, from 0.
    """

    source: SourceFile
    columns: tuple[str, ...]
    row_groups: tuple[int, ...]
    first_row: int
    rows: int
    metadata: pq.FileMetaData


def piece_rows(memory: int | None, threads: int) -> int:
    """Lines of a piece, so that one for each thread takes at most half of the memory."""
    if memory is None:
        return PIECE_ROWS
    return max(min(memory // 2 // threads // BYTES_A_LINE, PIECE_ROWS), FEWEST_ROWS)


def line_pieces(book: Book, period: str, most_rows: int = PIECE_ROWS) -> Iterator[LinePiece]:
    """Row groups of each file in pieces of at most most_rows rows, but at least a row group.

    Row groups that are of one other month by statistics or, without the column, by their folder
    are not read. Raises InputRejected where a file that was readable is no longer.
    """
    for source, columns in zip(book.lines, book.line_columns, strict=True):
        folder_period = dict(source.partitions).get("period")
        of_another = folder_period not in (None, period) and is_period(folder_period or "")
        if not columns or (of_another and "period" not in columns):
            continue
        try:
            metadata = pq.read_metadata(source.path)
            months = _months_of_groups(source, metadata)
        except READ_ERRORS as error:
            raise InputRejected([unreadable(source, error)]) from None
        groups: list[int] = []
        rows, first = 0, 0
        for group, month in enumerate(months):
            n = metadata.row_group(group).num_rows
            # A month that is not its folder's is a fault, which the pass over the rows reports.
            skip = month not in (None, period) and folder_period in (None, month)
            if groups and (skip or rows + n > most_rows):
                yield LinePiece(source, columns, tuple(groups), first, rows, metadata)
                first, rows, groups = first + rows, 0, []
            if skip:
                first += n
            else:
                groups.append(group)
                rows += n
        if groups:
            yield LinePiece(source, columns, tuple(groups), first, rows, metadata)


def _months_of_groups(source: SourceFile, metadata: pq.FileMetaData) -> list[str | None]:
    """The one month of all rows of each row group, None where statistics do not prove it."""
    unknown: list[str | None] = [None] * metadata.num_row_groups
    try:
        number = column_number(metadata, "period")
        with open(source.path, "rb", buffering=0) as file:
            footer = read_footer(file.fileno())
        found = sole_texts(footer, metadata.num_row_groups, metadata.num_columns, number)
    except PageError:
        return unknown
    months = [None if text is None else text.decode("utf-8", "replace") for text in found]
    return [month if is_period(month or "") else None for month in months]
