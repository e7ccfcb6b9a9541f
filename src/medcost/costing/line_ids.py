"""Ids of lines that stand twice: suspected by hashes of their bytes, told by the bytes themselves.

A line keeps the eight bytes of a hash; texts are read again only of lines whose hash another line
has too, which in a sound book are none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medcost._core.labels import LabelTable
from medcost._core.text_hashes import equal_hashes, split_by_hash
from medcost.costing.line_pieces import LinePiece
from medcost.line_blocks import ROW_FAULT, LineBlock, code_texts, hash_texts
from medcost.parquet_input import constant_text, read_batches
from medcost.records import dataclass
from medcost.tables import load_table

LINE_ID = "line_id"
# Lines are compared in groups by their highest bits: a group of 300 million lines takes 40 MB.
GROUP_BITS = 8
# Lines whose texts are in memory at once.
MOST_COMPARED = 1 << 22
# Odd, with half of its bits set: units far from each other.
UNIT_FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class ChosenLines:
    """Which lines' ids must differ: those of the period and of the chosen units.

    period: its code; is_selected: bool [units + 2], False for units unknown or empty.
    """

    period: int
    is_selected: NDArray[np.bool_]

    def among(self, codes: Mapping[str, NDArray[np.int32]]) -> NDArray[np.bool_]:
        """Whether each line of a block is one of them."""
        in_period: NDArray[np.bool_] = codes["period"] == self.period
        return in_period & self.is_selected[codes["unit_id"]]


@dataclass(frozen=True)
class IdHashes:
    """The hashes of a piece's ids, uint64 [lines], or their file; starts of groups [groups + 1]."""

    piece: LinePiece
    hashes: NDArray[np.uint64] | Path
    starts: NDArray[np.int64]

    def group(self, first: int, last: int) -> NDArray[np.uint64]:
        """The hashes of the groups from first to last - 1."""
        a, b = int(self.starts[first]), int(self.starts[last])
        if isinstance(self.hashes, Path):
            return np.fromfile(self.hashes, np.uint64, b - a, offset=8 * a)
        return self.hashes[a:b]


def id_hashes(
    block: LineBlock, codes: Mapping[str, NDArray[np.int32]], chosen: ChosenLines
) -> tuple[NDArray[np.uint64], bool]:
    """Hashes of the block's chosen ids with their units, and whether an id needs a closer look."""
    hashes = block.values[LINE_ID].view(np.uint64)
    of_line, states = chosen.among(codes), block.states.get(LINE_ID)
    is_odd = False
    if states is not None:
        is_odd = bool((states == ROW_FAULT).any())
        of_line &= (states == 0) | (states == ROW_FAULT)
    return _with_unit(hashes[of_line], codes["unit_id"][of_line]), is_odd


def _with_unit(hashes: NDArray[np.uint64], unit: NDArray[np.int32]) -> NDArray[np.uint64]:
    return hashes ^ (unit.astype(np.uint64) + np.uint64(1)) * UNIT_FACTOR


def group_hashes(piece: LinePiece, parts: Sequence[NDArray[np.uint64]]) -> IdHashes:
    """The hashes of a piece's blocks, in groups."""
    return IdHashes(
        piece, *split_by_hash(np.concatenate([np.empty(0, np.uint64), *parts]), GROUP_BITS)
    )


def write_hashes(ids: IdHashes, path: Path) -> IdHashes:
    """The same, its hashes in a file; raises OSError."""
    if isinstance(ids.hashes, Path):
        return ids
    ids.hashes.tofile(path)
    return IdHashes(ids.piece, path, ids.starts)


def count_doubled(
    ids: Sequence[IdHashes], tables: Mapping[str, LabelTable], chosen: ChosenLines
) -> int:
    """Lines whose id an earlier line of the same unit has; files of hashes are removed.

    Expected time O(lines), and a further look at the ids for each MOST_COMPARED lines that share
    a hash. Memory O(lines / 2^GROUP_BITS), and O(MOST_COMPARED) texts. Raises READ_ERRORS.
    """
    n_doubled, waiting, n_waiting = 0, list[NDArray[np.uint64]](), 0
    for group in range(1 << GROUP_BITS):
        together = np.concatenate(
            [np.empty(0, np.uint64), *(of_piece.group(group, group + 1) for of_piece in ids)]
        )
        several, counts = equal_hashes(together)
        waiting.append(several)
        n_waiting += int(counts.sum())
        if n_waiting > MOST_COMPARED:
            n_doubled += _doubled_among(ids, np.concatenate(waiting), tables, chosen)
            waiting, n_waiting = [], 0
    if n_waiting:
        n_doubled += _doubled_among(ids, np.concatenate(waiting), tables, chosen)
    for of_piece in ids:
        if isinstance(of_piece.hashes, Path):
            of_piece.hashes.unlink()
    return n_doubled


def _doubled_among(
    ids: Sequence[IdHashes],
    hashes: NDArray[np.uint64],
    tables: Mapping[str, LabelTable],
    chosen: ChosenLines,
) -> int:
    """Lines with one of these hashes whose text, byte by byte, and unit an earlier one has."""
    texts = [
        text
        for of_piece in ids
        if np.isin(of_piece.group(0, 1 << GROUP_BITS), hashes).any()
        for text in _texts_of(of_piece.piece, hashes, tables, chosen)
    ]
    together = pa.chunked_array(texts, pa.string())
    return len(together) - len(together.unique())


def _texts_of(
    piece: LinePiece,
    hashes: NDArray[np.uint64],
    tables: Mapping[str, LabelTable],
    chosen: ChosenLines,
) -> Iterator[pa.Array]:
    """Unit and id, as one text, of the piece's chosen lines that have one of these hashes."""
    import pyarrow.compute as pc

    names = [name for name in ("period", "unit_id", LINE_ID) if name in piece.columns]
    partitions = dict(piece.source.partitions)
    table = load_table("service_lines")
    for batch in read_batches(piece.source, table, tuple(names), list(piece.row_groups)):
        codes = {}
        for name in ("period", "unit_id"):
            given = constant_text(partitions.get(name), batch.num_rows)
            given = batch.column(name) if name in names else given
            codes[name] = code_texts(given, tables[name])
        column = batch.column(LINE_ID)
        own, states = hash_texts(column)
        at = chosen.among(codes) & ((states == 0) | (states == ROW_FAULT))
        rows = np.flatnonzero(at)
        units = codes["unit_id"][rows]
        rows = rows[np.isin(_with_unit(own.view(np.uint64)[rows], units), hashes)]
        labels = pa.array(codes["unit_id"][rows]).cast(pa.string())
        ids = column.cast(pa.string()).take(pa.array(rows))
        yield pc.binary_join_element_wise(labels, ids, "\x00")
