"""Lines in any order: each piece keeps them back until those of a range of cases are together.

Netted row group by row group, a case's lines would come to an entry each, with a row of the case
in every part. Kept back in 12 bytes each and brought together, they become what lines sorted by
case become.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medcost.costing.line_pieces import LinePiece

# Of a piece: where its ranges start, the packed lines, their charges and purchase costs.
KeptBack = tuple[
    NDArray[np.int64],
    NDArray[np.uint64],
    NDArray[np.int32] | None,
    NDArray[np.int32] | None,
]
# Lines that are kept back before they are netted, at most; fewer are not worth it.
MOST_LINES, FEWEST_LINES = 1 << 25, 1 << 17
BYTES_A_LINE = 16


class RangeSpan(NamedTuple):
    """Ranges of rows that become one part, first to end, and how many lines they have."""

    first: int
    end: int
    lines: int


def piece_groups(
    pieces: Sequence[LinePiece], memory: int | None = None
) -> Iterator[Sequence[tuple[int, LinePiece]]]:
    """The numbered pieces, as many at a time as may keep all their lines back.

    memory: bytes, of which that may take a quarter.
    """
    most = MOST_LINES if memory is None else min(memory // 4 // BYTES_A_LINE, MOST_LINES)
    group: list[tuple[int, LinePiece]] = []
    rows = 0
    for number, piece in enumerate(pieces):
        if group and rows + piece.rows > most:
            yield group
            group, rows = [], 0
        group.append((number, piece))
        rows += piece.rows
    if group:
        yield group


def range_spans(kept: Sequence[KeptBack], most_lines: int) -> list[RangeSpan]:
    """The ranges in spans of at most so many lines, but at least a range; none without lines."""
    if not kept:
        return []
    ends = np.sum([starts for starts, *_ in kept], axis=0)
    spans: list[RangeSpan] = []
    first = 0
    while ends[first] < ends[-1]:
        # The last range until which the lines are few enough.
        end = int(np.searchsorted(ends, ends[first] + most_lines, side="right")) - 1
        end = max(end, first + 1)
        spans.append(RangeSpan(first, end, int(ends[end] - ends[first])))
        first = end
    return [span for span in spans if span.lines]
