"""One pass over the service lines: the activity matrix in integers, and the orders of level 3.

Lines are netted at (department, item, case) before anything else (arithmetic rule 4). The pass
counts the lines at fault; only the stretches that hold some are looked at again, by the checks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count, pairwise, repeat
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medcost._core.key_table import KeyTable
from medcost._core.labels import LabelTable
from medcost._core.net_lines import LineNetter, Places
from medcost._core.sums import add_rows, find_ascending, group_sums, union_of
from medcost.book import Book, is_period, partition_faults
from medcost.checks.findings import Finding
from medcost.checks.service_lines import (
    decode_lines,
    find_line_faults,
    named_cases,
)
from medcost.costing.activity_matrix import (
    CHARGE,
    DIRECT_COST,
    MEASURES,
    QUANTITY,
    WHOLE_SERVICE,
    ActivityMatrix,
    MatrixPart,
    PartFile,
    narrowest,
    write_part,
)
from medcost.costing.line_ids import (
    LINE_ID,
    ChosenLines,
    IdHashes,
    count_doubled,
    group_hashes,
    id_hashes,
    write_hashes,
)
from medcost.costing.line_pieces import LinePiece, line_pieces, piece_rows
from medcost.costing.orders import Orders
from medcost.costing.scattered_lines import (
    FEWEST_LINES,
    KeptBack,
    RangeSpan,
    piece_groups,
    range_spans,
)
from medcost.errors import Fault, named_errors
from medcost.line_blocks import EMPTY, LineBlock, TableAhead, label_table, plain_blocks, table_ahead
from medcost.page_reader import PagesUnsupported, net_pages, page_blocks
from medcost.parquet_input import READ_ERRORS, read_batches, unreadable
from medcost.period_book import PeriodBook, register_cases
from medcost.records import dataclass
from medcost.tables import CLINICAL, MEDTECH, load_table
from medcost.threads import map_in_threads

LABELS = ("period", "unit_id", "dept_id", "item_id", "case_id", "case_unit_id", "ordering_dept_id")


@dataclass(frozen=True)
class Activity:
    """What the pass over the lines yields: the matrix, the orders and the lines' faults."""

    matrix: ActivityMatrix
    orders: Orders
    findings: tuple[Finding, ...]
    faults: tuple[Fault, ...]
    line_ids_doubled: int = 0


@dataclass(frozen=True)
class _Netted:
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


@dataclass(frozen=True)
class LineLabels:
    """The look-up table of each text column of the lines, and what the codes mean."""

    tables: Mapping[str, LabelTable]
    places: Places
    chosen: ChosenLines


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
    of_thread = threading.local()

    def netter() -> LineNetter:
        if not hasattr(of_thread, "netter"):
            of_thread.netter = LineNetter(labels.places)
        found: LineNetter = of_thread.netter
        return found

    def stored(netted: _Netted, number: int) -> _Netted:
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

    def read(numbered: tuple[int, LinePiece]) -> _Netted:
        number, piece = numbered
        netted = stored(_read_piece(piece, period_book, labels, netter(), keep_back), number)
        if progress is not None:
            progress(netted.n_lines)
        return netted

    def net(given: tuple[int, RangeSpan, list[KeptBack]]) -> _Netted:
        number, span, kept = given
        return stored(_net_ranges(kept, span, netter(), most_rows), number)

    netted, of_ranges = list[_Netted](), list[_Netted]()
    for group in piece_groups(pieces, memory):
        found = map_in_threads(read, group, threads)
        kept = [piece.kept_back for piece in found if piece.kept_back is not None]
        netted += [replace(piece, kept_back=None) for piece in found]
        numbers = count(len(pieces) + len(of_ranges))
        spans = zip(numbers, range_spans(kept, most_rows), repeat(kept))
        of_ranges += map_in_threads(net, list(spans), threads)
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


def line_labels(whole: Book, book: PeriodBook, cases_ahead: TableAhead | None = None) -> LineLabels:
    """What the labels of a period's lines mean.

    cases_ahead: the look-up table of all case ids of the book, which may be of use.
    """
    registers, cases = book.registers, book.cases
    # A hundred thousand ids and more: their table is made beside the rest, if it is not yet.
    if cases_ahead is None or cases_ahead.labels is not cases.case_labels:
        cases_ahead = table_ahead(cases.case_labels)
    units, depts = label_table(registers.unit_labels), label_table(registers.dept_labels)
    months = sorted({book.period, *filter(is_period, whole.tables["ledger"].labels("period"))})
    n_depts = len(registers.dept_ids)
    is_medtech = registers.dept_class == MEDTECH
    may_receive = (registers.dept_class == CLINICAL) & registers.open_in(book.period)
    by_label = np.arange(cases.n)
    if (cases.label[1:] <= cases.label[:-1]).any():
        by_label = np.lexsort((cases.unit, cases.label))
    first = np.zeros(len(cases.case_labels) + 1, np.int32)
    np.cumsum(np.bincount(cases.label, minlength=len(cases.case_labels)), out=first[1:])
    places = Places(
        np.ascontiguousarray(registers.dept_grid[:-1, :-1]),
        book.selected.astype(np.uint8),
        registers.open_in(book.period).astype(np.uint8),
        registers.item_direct.astype(np.uint8),
        is_medtech.astype(np.uint8),
        may_receive.astype(np.uint8) if n_depts else np.empty(0, np.uint8),
        first,
        by_label.astype(np.int32),
        cases.unit.astype(np.int32),
        cases.dept.astype(np.int32),
        months.index(book.period),
    )
    tables = {
        "period": label_table(pa.array(months, pa.string())),
        "unit_id": units,
        "dept_id": depts,
        "item_id": label_table(registers.item_labels),
        "case_id": cases_ahead.table.result(),
        "case_unit_id": units,
        "ordering_dept_id": depts,
    }
    selected = np.append(book.selected, [False, False])
    return LineLabels(tables, places, ChosenLines(places.period, selected))


def _net_ranges(
    kept: list[KeptBack], span: RangeSpan, netter: LineNetter, most_rows: int
) -> _Netted:
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


def _read_piece(
    piece: LinePiece, book: PeriodBook, labels: LineLabels, netter: LineNetter, keep_back: bool
) -> _Netted:
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
        faults.append(_overflow(piece.source.label))
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
) -> _Netted:
    """What the netter found, without the faults of the lines."""
    order_keys, order_sums = netter.orders()
    return _Netted(
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
    texts = {name: labels.tables[name] for name in LABELS if name in piece.columns}
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


def _overflow(label: str) -> Fault:
    what = "Quantities, charges or purchase costs of the lines add up beyond 64 bits."
    return Fault("amount-out-of-range", what, (label,))


def _join(book: Book, period_book: PeriodBook, netted: Sequence[_Netted], threads: int) -> Activity:
    """Add the pieces up; sums of integers, so their order does not matter."""
    findings = tuple(finding for piece in netted for finding in piece.findings)
    faults = [fault for piece in netted for fault in piece.faults]
    has_charge = any("charge" in columns for columns in book.line_columns)
    try:
        matrix = _matrix(period_book, netted, has_charge, threads)
        orders = _orders(period_book, netted)
    except OverflowError:
        faults.append(_overflow("service_lines"))
        matrix = _matrix(period_book, [], has_charge, threads)
        orders = _orders(period_book, [])
    return Activity(matrix, orders, findings, tuple(faults))


def _orders(book: PeriodBook, netted: Sequence[_Netted]) -> Orders:
    n_depts = max(len(book.registers.dept_ids), 1)
    keys, sums = group_sums(
        np.concatenate([np.empty(0, np.int64), *(piece.order_keys for piece in netted)]),
        np.vstack([np.empty((0, 2), np.int64), *(piece.order_sums for piece in netted)]),
    )
    return Orders(
        keys // n_depts,
        keys % n_depts,
        np.ascontiguousarray(sums[:, 0]),
        np.ascontiguousarray(sums[:, 1]),
    )


def _with_doubled_ids(
    activity: Activity, netted: Sequence[_Netted], labels: LineLabels
) -> Activity:
    """Count the lines whose line_id an earlier line of the unit has; no id is shown."""
    ids = [piece.ids for piece in netted if piece.ids is not None]
    try:
        n_doubled = count_doubled(ids, labels.tables, labels.chosen)
    except READ_ERRORS as error:
        return replace(activity, faults=(*activity.faults, unreadable(ids[0].piece.source, error)))
    return replace(activity, line_ids_doubled=n_doubled)


def _matrix(
    book: PeriodBook, netted: Sequence[_Netted], has_charge: bool, threads: int
) -> ActivityMatrix:
    """The sums over all parts, and where the parts are."""
    n_items, n_cases = len(book.registers.item_ids), book.cases.n
    activity_key, sums = _added(
        [piece.activity_key for piece in netted], [piece.activity_sums for piece in netted]
    )
    sums = _widened(sums, 2 * len(MEASURES))
    row_key, row_sums = _added(
        [piece.row_key for piece in netted], [piece.row_sums for piece in netted]
    )
    matrix = ActivityMatrix(
        row_key // (n_cases + 1),
        row_key % (n_cases + 1) - 1,
        np.ascontiguousarray(row_sums[:, 0]),
        row_sums[:, 1] > 1,
        activity_key // max(n_items, 1),
        activity_key % max(n_items, 1),
        np.ascontiguousarray(sums[:, : len(MEASURES)]),
        np.ascontiguousarray(sums[:, len(MEASURES) :]),
        tuple(piece.part for piece in netted if len(piece.row_key)),
        min((piece.quantity_step for piece in netted), default=WHOLE_SERVICE),
        n_cases,
        n_items,
        has_charge,
        sum(piece.n_lines for piece in netted),
        threads,
    )
    if matrix.negative.any() and matrix.row_is_split.any():
        matrix = replace(matrix, negative=_negative_over_all_parts(matrix))
    return matrix


def _added(
    keys: Sequence[NDArray[np.int64]], sums: Sequence[NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct keys of all pieces, ascending, and the sums of each [keys, sums].

    keys: of each piece, ascending; sums: of each piece [its keys, sums], those that are left
    out are zero. Expected time O(keys).
    """
    known, slots = _numbered(keys)
    width = max((of_piece.shape[1] for of_piece in sums), default=2)
    added = np.zeros((len(known), width), np.int64)
    for slot, of_piece in zip(slots, sums, strict=True):
        add_rows(added, slot, _widened(of_piece, width))
    return known, added


def _numbered(
    keys: Sequence[NDArray[np.int64]],
) -> tuple[NDArray[np.int64], Sequence[NDArray[np.int64]]]:
    """Distinct keys of all pieces, ascending, and the position of each piece's keys in them."""
    filled = [of_piece for of_piece in keys if len(of_piece)]
    if not filled:
        return np.empty(0, np.int64), [np.empty(0, np.int64) for _ in keys]
    n = sum(map(len, filled))
    if all(before[-1] <= after[0] for before, after in pairwise(filled)):
        # Lines that come case by case: equal keys stand side by side already.
        together = np.concatenate(filled)
        is_first = np.append(True, together[1:] != together[:-1])
        places = np.cumsum(is_first) - 1
        ends = np.cumsum([len(of_piece) for of_piece in keys])
        return together[is_first], np.split(places, ends[:-1])
    low, high = min(int(k[0]) for k in filled), max(int(k[-1]) for k in filled)
    if high - low >= 64 * n:
        table = KeyTable()
        slots = [table.add(of_piece) for of_piece in keys]
        order = np.argsort(table.known(), kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        return table.known()[order], [rank[slot] for slot in slots]
    # A bit for each key between takes less memory than the keys; each piece's ascend.
    known = union_of(filled, low, high - low + 1)
    return known, [find_ascending(known, of_piece) for of_piece in keys]


def _widened(sums: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """Sums with columns of zeros up to the width."""
    if sums.shape[1] == width:
        return sums
    wide = np.zeros((len(sums), width), np.int64)
    wide[:, : sums.shape[1]] = sums
    return wide


def _negative_over_all_parts(matrix: ActivityMatrix) -> NDArray[np.int64]:
    """Sums of net entries below zero, where a receiver and activity may stand in several parts."""
    n_activities = len(matrix.activity_dept)

    def is_negative(part: MatrixPart, activities: NDArray[np.int64]) -> NDArray[np.bool_]:
        below = np.zeros(len(part.activity), np.bool_)
        for measure in part.measures:
            if measure is not None:
                below |= measure < 0
        split = matrix.row_is_split[matrix.receivers_of(part)]
        return below & np.repeat(split, np.diff(part.starts))

    below = matrix.entries_where(is_negative)
    if not len(below.row):
        return matrix.negative
    wanted = KeyTable()
    wanted.add(np.unique(below.row * n_activities + below.activity))

    def is_wanted(part: MatrixPart, activities: NDArray[np.int64]) -> NDArray[np.bool_]:
        rows = np.repeat(matrix.receivers_of(part), np.diff(part.starts))
        return wanted.find(rows * n_activities + activities) >= 0

    entries = matrix.entries_where(is_wanted)
    key, net = group_sums(entries.row * n_activities + entries.activity, entries.measures)
    negative = matrix.negative.copy()
    add_rows(negative, below.activity, -np.minimum(below.measures, 0))
    add_rows(negative, key % n_activities, np.minimum(net, 0))
    return negative
