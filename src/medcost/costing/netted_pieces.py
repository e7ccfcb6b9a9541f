"""One piece of the lines netted: its part of the matrix, its sums, its faults.

Only a piece that holds lines at fault is looked at again, line by line, by the checks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from medcost._core.labels import LabelTable
from medcost._core.net_lines import LineNetter
from medcost.book import partition_faults
from medcost.checks.findings import Finding
from medcost.checks.service_lines import decode_lines, find_line_faults
from medcost.costing.activity_matrix import (
    CHARGE,
    DIRECT_COST,
    MEASURES,
    QUANTITY,
    WHOLE_SERVICE,
    MatrixPart,
    PartFile,
    narrowest,
)
from medcost.costing.line_ids import LINE_ID, IdHashes, group_hashes, id_hashes
from medcost.costing.line_labels import LineLabels
from medcost.costing.line_pieces import LinePiece
from medcost.costing.scattered_lines import KeptBack, RangeSpan
from medcost.errors import Fault
from medcost.line_blocks import EMPTY, LineBlock, plain_blocks
from medcost.page_reader import PagesUnsupported, net_pages, page_blocks
from medcost.parquet_input import READ_ERRORS, read_batches, unreadable
from medcost.period_book import PeriodBook
from medcost.records import dataclass
from medcost.tables import load_table


@dataclass(frozen=True)
class NettedPiece:
    """One piece netted: its part of the matrix, where it went, and what is added up of it.

    activity_sums: total and negative of each measure [activities, 2 x measures], or only the
    totals of the first two;
    row_sums: charge in fen, and of how many runs of lines a row is [rows, 2].
    """

    activity_key: NDArray[np.int64]
    activity_sums: NDArray[np.int64]
    row_key: NDArray[np.int64]
    row_sums: NDArray[np.int64]
    part: MatrixPart | PartFile
    quantity_step: int
    order_keys: NDArray[np.int64]
    order_sums: NDArray[np.int64]
    findings: tuple[Finding, ...]
    faults: tuple[Fault, ...]
    n_lines: int
    ids: IdHashes | None
    kept_back: KeptBack | None = None


def net_ranges(
    kept: list[KeptBack], span: RangeSpan, netter: LineNetter, most_rows: int
) -> NettedPiece:
    """Net what pieces kept back of some ranges of cases.

    most_rows: of a piece; the netter makes room for as many once.
    """
    has = {"quantity"}
    for _, _, charges, direct_costs in kept:
        has |= {"charge"} if charges is not None else set()
        has |= {"direct_cost"} if direct_costs is not None else set()
    netter.begin(max(span.lines, most_rows), "charge" in has, "direct_cost" in has)
    netter.add_kept_back(kept, span.first, span.end)
    part, sums, row_sums = _part(has, netter)
    return _netted(part, sums, row_sums, netter)


def read_piece(
    piece: LinePiece, book: PeriodBook, labels: LineLabels, netter: LineNetter, keep_back: bool
) -> NettedPiece:
    """Net the lines of one piece; where some are at fault, look at each."""
    findings: list[Finding] = []
    faults: list[Fault] = []
    ids: IdHashes | None = None
    try:
        is_odd, ids = _net(piece, labels, netter, keep_back)
        part, sums, row_sums = _part(piece.columns, netter)
    except READ_ERRORS as error:
        faults.append(unreadable(piece.source, error))
    except OverflowError:
        faults.append(overflow_fault(piece.source.label))
    if faults:
        is_odd = True
        netter.begin(0)
        part, sums, row_sums = _part(piece.columns, netter)
    if is_odd:
        found, problems = _look_at_lines(piece, book)
        findings += found
        faults += [fault for fault in problems if fault not in faults]
    netted = _netted(part, sums, row_sums, netter)
    return replace(netted, findings=tuple(findings), faults=tuple(faults), ids=ids)


def _netted(
    part: MatrixPart, sums: NDArray[np.int64], row_sums: NDArray[np.int64], netter: LineNetter
) -> NettedPiece:
    """What the netter found, without the faults of the lines."""
    order_keys, order_sums = netter.orders()
    return NettedPiece(
        part.activity_key,
        sums,
        part.row_key,
        row_sums,
        part,
        part.quantity_step,
        order_keys,
        order_sums,
        (),
        (),
        netter.n_lines,
        None,
        netter.kept_back(),
    )


def _net(
    piece: LinePiece, labels: LineLabels, netter: LineNetter, keep_back: bool
) -> tuple[bool, IdHashes | None]:
    """Net the lines of one piece; whether any is at fault or cannot be netted, and their ids."""
    table = load_table("service_lines")
    texts = {name: found for name, found in labels.tables.items() if name in piece.columns}
    wanted = (*MEASURES, LINE_ID)
    numbers = {name: table.column(name) for name in wanted if name in piece.columns}
    partitions = dict(piece.source.partitions)
    if any(name in partitions for name in (*MEASURES, "performed_on")):
        # No folder's name can give a number: the checks say so.
        netter.begin(0)
        return True, None
    constants = {
        name: _code_of(label, labels.tables[name])
        for name, label in partitions.items()
        if name in labels.tables
    }
    source, groups = piece.source, piece.row_groups
    try:
        if not constants and LINE_ID not in numbers:
            _begin(netter, piece, keep_back)
            net_pages(netter, source, groups, texts, numbers, piece.metadata)
            return netter.n_odd > 0, None
        blocks = page_blocks(source, groups, texts, numbers, piece.metadata)
        return _net_blocks(blocks, piece, labels, constants, netter, keep_back)
    except PagesUnsupported:
        blocks = plain_blocks(source, groups, texts, numbers)
        return _net_blocks(blocks, piece, labels, constants, netter, keep_back)


def _begin(netter: LineNetter, piece: LinePiece, keep_back: bool) -> None:
    has_charge, has_direct_cost = "charge" in piece.columns, "direct_cost" in piece.columns
    netter.begin(piece.rows, has_charge, has_direct_cost, keep_back)


def _net_blocks(
    blocks: Iterator[LineBlock],
    piece: LinePiece,
    labels: LineLabels,
    constants: Mapping[str, int],
    netter: LineNetter,
    keep_back: bool,
) -> tuple[bool, IdHashes | None]:
    """Net all blocks; whether a line is at fault or disagrees with its folder, and their ids."""
    is_odd, hashes = False, list[NDArray[np.uint64]]()
    _begin(netter, piece, keep_back)
    for block in blocks:
        codes = dict(block.codes)
        for name, code in constants.items():
            if name in codes:
                is_odd |= bool((codes[name] != code).any())
            else:
                codes[name] = np.full(block.n, code, np.int32)
        _add_block(netter, block, codes)
        if LINE_ID in block.values:
            of_block, has_odd = id_hashes(block, codes, labels.chosen)
            hashes.append(of_block)
            is_odd |= has_odd
    ids = group_hashes(piece, hashes) if hashes else None
    return is_odd or netter.n_odd > 0, ids


def _code_of(label: str | None, table: LabelTable) -> int:
    """Code of a folder's label."""
    if not label:
        return EMPTY
    text = np.frombuffer(label.encode("utf-8"), np.uint8)
    return int(table.find(np.array([0, len(text)], np.int32), text)[0])


def _add_block(
    netter: LineNetter, block: LineBlock, codes: Mapping[str, NDArray[np.int32]]
) -> None:
    netter.add(
        codes["period"],
        codes["unit_id"],
        codes["dept_id"],
        codes["item_id"],
        block.values["quantity"],
        codes.get("case_id"),
        codes.get("case_unit_id"),
        codes.get("ordering_dept_id"),
        block.values.get("charge"),
        block.values.get("direct_cost"),
        block.states.get("quantity"),
        block.states.get("charge"),
        block.states.get("direct_cost"),
    )


def _part(
    columns: Collection[str], netter: LineNetter
) -> tuple[MatrixPart, NDArray[np.int64], NDArray[np.int64]]:
    """The netter's part of the matrix, its sums by activity and by row.

    columns: the contract's that its lines have.
    """
    key, sums, row_key, row_runs, row_charge, starts, rank = netter.finish()
    n = int(starts[-1])
    activity: NDArray[np.uint16] | NDArray[np.uint32] = np.empty(n, np.uint16)
    if len(key) > 1 << 16:
        activity = np.empty(n, np.uint32)
    netter.take_activity(rank, activity)
    quantity, step = _stored(netter, QUANTITY, n, WHOLE_SERVICE), WHOLE_SERVICE
    if quantity is None:
        quantity, step = _stored(netter, QUANTITY, n, 1), 1
    others = [
        _stored(netter, m, n, 1) if n and MEASURES[m] in columns else None
        for m in (CHARGE, DIRECT_COST)
    ]
    part = MatrixPart(key, row_key, starts, activity, (quantity, *others), step)
    return part, sums, np.stack([row_charge, row_runs], axis=1)


def _stored(
    netter: LineNetter, measure: int, n: int, step: int
) -> NDArray[np.signedinteger] | None:
    """A measure of all entries in the narrowest type; None where one is no multiple of step."""
    low, high = netter.bounds(measure)
    values = np.empty(n, narrowest(low // step, high // step))
    return values if n == 0 or netter.take_measure(measure, step, values) else None


def _look_at_lines(piece: LinePiece, book: PeriodBook) -> tuple[list[Finding], list[Fault]]:
    """Every fault of the piece's lines."""
    table = load_table("service_lines")
    findings: list[Finding] = []
    faults: list[Fault] = []
    first = piece.first_row
    try:
        for batch in read_batches(piece.source, table, piece.columns, list(piece.row_groups)):
            lines, problems = decode_lines(batch, piece.source, book)
            faults += problems + partition_faults(piece.source, [batch])
            if lines is not None:
                findings += find_line_faults(lines, book, piece.source, first)
            first += batch.num_rows
    except READ_ERRORS as error:
        faults.append(unreadable(piece.source, error))
    return findings, faults


def overflow_fault(label: str) -> Fault:
    """The fault of numbers, of a file or of all, that add up beyond 64 bits."""
    what = "Quantities, charges or purchase costs of the lines add up beyond 64 bits."
    return Fault("amount-out-of-range", what, (label,))
