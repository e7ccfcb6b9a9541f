"""One pass over the service lines: the activity matrix in integers, and the orders of level 3.

Lines are netted at (department, item, case) before anything else (arithmetic rule 4). The pass
counts the lines at fault; only the stretches that hold some are looked at again, by the checks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import count, repeat
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medcost._core.net_lines import LineNetter
from medcost.book import Book
from medcost.checks.findings import Finding
from medcost.checks.service_lines import named_cases
from medcost.costing.activity_matrix import ActivityMatrix, MatrixPart, write_part
from medcost.costing.joined_pieces import join_matrix, join_orders
from medcost.costing.line_ids import count_doubled, write_hashes
from medcost.costing.line_labels import LineLabels, line_labels
from medcost.costing.line_pieces import LinePiece, line_pieces, piece_rows
from medcost.costing.netted_pieces import NettedPiece, net_ranges, overflow_fault, read_piece
from medcost.costing.orders import Orders
from medcost.costing.scattered_lines import (
    FEWEST_LINES,
    KeptBack,
    RangeSpan,
    piece_groups,
    range_spans,
)
from medcost.errors import Fault, named_errors
from medcost.parquet_input import READ_ERRORS, read_batches, unreadable
from medcost.period_book import PeriodBook, register_cases
from medcost.records import dataclass
from medcost.tables import load_table
from medcost.threads import OfThreads, map_in_threads


@dataclass(frozen=True)
class Activity:
    """What the pass over the lines yields: the matrix, the orders and the lines' faults."""

    matrix: ActivityMatrix
    orders: Orders
    findings: tuple[Finding, ...]
    faults: tuple[Fault, ...]
    line_ids_doubled: int = 0


def read_activity(
    book: Book,
    period_book: PeriodBook,
    threads: int = 1,
    progress: Callable[[int], None] | None = None,
    parts_in: Path | None = None,
    memory: int | None = None,
    labels: LineLabels | None = None,
) -> Activity:
    """Read the period's lines of the chosen units and net them.

    parts_in: a folder for the parts of the matrix; without one they stay in memory. memory:
    bytes that the pass should do with, so far as row groups are not larger. progress is told the
    rows of each piece read. labels: what line_labels gives, where it is there already. The result
    does not depend on the number of threads, the order of the rows or their split into files. Time
    O(lines); memory O(receivers + activities) plus one piece a thread, and 12 to 16 bytes for each
    line that is kept back, MOST_LINES of them at most.
    """
    most_rows = piece_rows(memory, threads)
    pieces = list(line_pieces(book, period_book.period, most_rows))
    labels = labels or line_labels(book, period_book)
    keep_back = sum(piece.rows for piece in pieces) >= FEWEST_LINES

    def stored(netted: NettedPiece, number: int) -> NettedPiece:
        if parts_in is None:
            return netted
        with named_errors(parts_in):
            if netted.ids is not None:
                ids = write_hashes(netted.ids, parts_in / f"ids-{number:05d}.bin")
                netted = replace(netted, ids=ids)
            if isinstance(netted.part, MatrixPart) and len(netted.row_key):
                in_file = write_part(netted.part, parts_in / f"part-{number:05d}.arrow")
                netted = replace(netted, part=in_file)
        return netted

    def read(netters: OfThreads[LineNetter], numbered: tuple[int, LinePiece]) -> NettedPiece:
        number, piece = numbered
        netter = netters.mine()
        netted = stored(read_piece(piece, period_book, labels, netter, keep_back), number)
        if progress is not None:
            progress(netted.n_lines)
        return netted

    def net(
        netters: OfThreads[LineNetter], given: tuple[int, RangeSpan, list[KeptBack]]
    ) -> NettedPiece:
        number, span, kept = given
        return stored(net_ranges(kept, span, netters.mine(), most_rows), number)

    def netters() -> OfThreads[LineNetter]:
        # For one use: the memory of netters is the next ones' when it is over.
        return OfThreads(partial(LineNetter, labels.places))

    netted, of_ranges = list[NettedPiece](), list[NettedPiece]()
    for group in piece_groups(pieces, memory):
        found = map_in_threads(partial(read, netters()), group, threads)
        kept = [piece.kept_back for piece in found if piece.kept_back is not None]
        netted += [replace(piece, kept_back=None) for piece in found]
        numbers = count(len(pieces) + len(of_ranges))
        spans = zip(numbers, range_spans(kept, most_rows), repeat(kept))
        of_ranges += map_in_threads(partial(net, netters()), list(spans), threads)
        del found, kept, spans
    netted += of_ranges
    activity = _join(book, period_book, netted, threads)
    return _with_doubled_ids(activity, netted, labels)


def with_cases_of_lines(book: Book, period_book: PeriodBook) -> PeriodBook:
    """The period's book with the cases that its lines name, for a book without the table cases.

    Service items are netted by case, so cases are told apart even where none is costed.
    """
    found: list[tuple[NDArray[np.int64], pa.Array]] = []
    for piece in line_pieces(book, period_book.period):
        table = load_table("service_lines")
        try:
            for batch in read_batches(piece.source, table, piece.columns, list(piece.row_groups)):
                named = named_cases(batch, piece.source, period_book)
                if named is not None:
                    found.append(named)
        except READ_ERRORS:
            # The pass over the lines meets the same file and reports it.
            continue
    if not found:
        return period_book
    ids = pa.chunked_array([labels for _, labels in found], pa.string())
    return replace(period_book, cases=register_cases(np.concatenate([u for u, _ in found]), ids))


def _join(
    book: Book, period_book: PeriodBook, netted: Sequence[NettedPiece], threads: int
) -> Activity:
    """Add the pieces up; sums of integers, so their order does not matter."""
    findings = tuple(finding for piece in netted for finding in piece.findings)
    faults = [fault for piece in netted for fault in piece.faults]
    has_charge = any("charge" in columns for columns in book.line_columns)
    try:
        matrix = join_matrix(period_book, netted, has_charge, threads)
        orders = join_orders(period_book, netted)
    except OverflowError:
        faults.append(overflow_fault("service_lines"))
        matrix = join_matrix(period_book, [], has_charge, threads)
        orders = join_orders(period_book, [])
    return Activity(matrix, orders, findings, tuple(faults))


def _with_doubled_ids(
    activity: Activity, netted: Sequence[NettedPiece], labels: LineLabels
) -> Activity:
    """Count the lines whose line_id an earlier line of the unit has; no id is shown."""
    ids = [piece.ids for piece in netted if piece.ids is not None]
    try:
        n_doubled = count_doubled(ids, labels.tables, labels.chosen)
    except READ_ERRORS as error:
        return replace(activity, faults=(*activity.faults, unreadable(ids[0].piece.source, error)))
    return replace(activity, line_ids_doubled=n_doubled)
