"""The kernels that lines, the activity matrix and its costs go through, on n elements each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medcost._core.fixed_point import cut_costs, first_cut, round_clear, to_fractions
from medcost._core.footers import chunk_places, sole_texts
from medcost._core.group_cells import add_measures, round_groups
from medcost._core.key_table import KeyTable
from medcost._core.labels import LabelTable
from medcost._core.net_lines import LineNetter, Places
from medcost._core.page_headers import read_header
from medcost._core.pages import PageColumn, fill_block
from medcost._core.part_costs import (
    add_costs,
    add_direct_costs,
    add_found,
    add_wide_costs,
    scaled_rates,
)
from medcost._core.plain_values import numbers, text_codes
from medcost._core.text_hashes import arrow_hashes, equal_hashes, plain_hashes, split_by_hash
from medcost._core.zstd_frames import join_frames

Call = Callable[[], Any]
Rng = np.random.Generator
# A block of the page reader, and what a month's lines name at most once each.
BLOCK_ROWS = 1 << 14
DEPTS, ITEMS = 100, 2000
COLUMNS = 10
ENTRIES_A_ROW = 20
ELEMENTS = 7
LABEL_BYTES = 12


def varint(value: int) -> bytes:
    """A number seven bits at a time, the lowest first."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def key_table_call(n: int, rng: Rng) -> Call:
    """A new table takes n keys of 40 bits, each about four times."""
    keys = rng.integers(0, n // 4, n) << 20

    def call() -> int:
        table = KeyTable()
        table.add(keys)
        return len(table)

    return call


def key_find_call(n: int, rng: Rng) -> Call:
    """Keys that are there, in random order."""
    table = KeyTable()
    table.add(np.arange(n // 4) << 20)
    return partial(table.find, rng.integers(0, n // 4, n) << 20)


def labels_of(codes: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Labels of LABEL_BYTES digits, the bytes of one after the other."""
    digits = codes[:, None] // 10 ** np.arange(LABEL_BYTES - 1, -1, -1) % 10
    return np.ascontiguousarray(digits.astype(np.uint8) + ord("0")).reshape(-1)


def label_table(n: int) -> LabelTable:
    """The labels 0 to n - 1."""
    return LabelTable(np.arange(n + 1, dtype=np.int32) * LABEL_BYTES, labels_of(np.arange(n)))


def labels_call(n: int, rng: Rng) -> Call:
    """Texts in random order, a quarter as many labels."""
    texts = labels_of(rng.integers(0, n // 4, n))
    return partial(label_table(n // 4).find, np.arange(n + 1, dtype=np.int32) * LABEL_BYTES, texts)


def text_codes_call(n: int, rng: Rng) -> Call:
    """The same texts as a plain page has them, each with its length."""
    body = np.empty((n, 4 + LABEL_BYTES), np.uint8)
    body[:, :4] = LABEL_BYTES, 0, 0, 0
    body[:, 4:] = labels_of(rng.integers(0, n // 4, n)).reshape(n, LABEL_BYTES)
    return partial(text_codes, label_table(n // 4), body.reshape(-1), 0, n)


def ids_of(n: int) -> NDArray[np.uint8]:
    """N different ids as a plain page has them, each with its length."""
    body = np.empty((n, 4 + LABEL_BYTES), np.uint8)
    body[:, :4] = LABEL_BYTES, 0, 0, 0
    body[:, 4:] = labels_of(np.arange(n)).reshape(n, LABEL_BYTES)
    return body.reshape(-1)


def plain_hashes_call(n: int, _rng: Rng) -> Call:
    """Different ids of a plain page."""
    return partial(plain_hashes, ids_of(n), 0, n)


def arrow_hashes_call(n: int, _rng: Rng) -> Call:
    """The same in Arrow's buffers."""
    offsets = np.arange(n + 1, dtype=np.int32) * LABEL_BYTES
    return partial(arrow_hashes, offsets, labels_of(np.arange(n)))


def split_by_hash_call(n: int, rng: Rng) -> Call:
    """Hashes in 256 groups."""
    return partial(split_by_hash, rng.integers(0, 1 << 63, n).astype(np.uint64) << 1, 8)


def equal_hashes_call(n: int, rng: Rng) -> Call:
    """Hashes in 256 groups, each looked into; none stands twice but by chance."""
    hashes = rng.integers(0, 1 << 63, n).astype(np.uint64)
    groups = np.array_split(hashes, 256)
    return lambda: [equal_hashes(group) for group in groups]


def numbers_call(n: int, rng: Rng) -> Call:
    """Decimals of 18 digits as a plain page has them: eight bytes, the highest first."""
    body = rng.integers(-(10**9), 10**9, n).astype(">i8").view(np.uint8)
    return partial(numbers, body, 0, n, 8, True, 10**18 - 1)


def page_of_indices(indices: NDArray[np.int64], width: int) -> NDArray[np.uint8]:
    """A page's values: the width, and one bit-packed run."""
    padded = np.append(indices, np.zeros(-len(indices) % 8, np.int64))
    bits = (padded[:, None] >> np.arange(width) & 1).astype(np.uint8)
    head = bytes([width]) + varint(len(padded) // 8 << 1 | 1)
    packed = np.packbits(bits.reshape(-1), bitorder="little")
    return np.concatenate([np.frombuffer(head, np.uint8), packed])


def pages_call(n: int, rng: Rng) -> Call:
    """One page of indices of 11 bits to codes, block by block."""
    column = PageColumn(True, False, BLOCK_ROWS)
    body = page_of_indices(rng.integers(0, ITEMS, n), 11)
    entries = np.arange(ITEMS, dtype=np.int32)
    blocks = [BLOCK_ROWS] * (n // BLOCK_ROWS) + [n % BLOCK_ROWS] * (n % BLOCK_ROWS > 0)

    def call() -> None:
        column.start_chunk()
        column.set_dictionary(entries)
        column.set_indices(body, column.open_page(body, n))
        for rows in blocks:
            fill_block([column], rows, True)

    return call


def page_headers_call(n: int, _rng: Rng) -> Call:
    """The header of a v1 page, so many times."""
    # A page of 100 bytes with 8 rows, indices by RLE_DICTIONARY and levels by RLE.
    header = b"\x15\0\x15\xc8\x01\x15\xc8\x01\x2c\x15\x10\x15\x10\x15\x06\x15\x06\0\0"
    chunk = np.frombuffer(header + bytes(100), np.uint8)

    def call() -> None:
        for _ in range(n):
            read_header(chunk, 0)

    return call


def footer_of(n: int) -> tuple[NDArray[np.uint8], int]:
    """A footer of n chunks in row groups of COLUMNS, and how many groups; all with statistics."""
    month = b"\x072026-01"
    statistics = b"\x36\0\x28" + month + b"\x18" + month + b"\x11\x11\0"
    place = b"\x45\x0c\x16\x10\x16\xc8\x01\x16\xc8\x01\x26\x08\x3c" + statistics + b"\0"
    group = b"\x19\xfc" + varint(COLUMNS) + (b"\x3c" + place + b"\0") * COLUMNS + b"\x26\x10\0"
    n_groups = n // COLUMNS
    footer = b"\x49\xfc" + varint(n_groups) + group * n_groups + b"\0"
    return np.frombuffer(footer, np.uint8), n_groups


def chunk_places_call(n: int, _rng: Rng) -> Call:
    """Where n chunks lie."""
    footer, n_groups = footer_of(n)
    return partial(chunk_places, footer, n_groups, COLUMNS)


def sole_texts_call(n: int, _rng: Rng) -> Call:
    """The month of every tenth of n chunks, by its statistics."""
    footer, n_groups = footer_of(n)
    return partial(sole_texts, footer, n_groups, COLUMNS, 0)


def join_frames_call(n: int, rng: Rng) -> Call:
    """Pages of 100 bytes, each one frame."""
    frame = pa.Codec("zstd").compress(rng.bytes(100), asbytes=True)
    chunk = np.frombuffer((frame + bytes(20)) * n, np.uint8).copy()
    starts = np.arange(n) * (len(frame) + 20)
    return partial(join_frames, chunk, starts, np.full(n, len(frame)), np.full(n, 100))


def net_lines_call(n: int, rng: Rng, is_sorted: bool) -> Call:
    """Lines of one unit, 100 of each case, netted and taken out as a part of the matrix."""
    n_cases = max(n // 100, 1)
    flags = np.ones(DEPTS, np.uint8)
    places = Places(
        np.arange(DEPTS, dtype=np.int32).reshape(1, -1), np.ones(1, np.uint8), flags,
        np.zeros(ITEMS, np.uint8), np.zeros(DEPTS, np.uint8), flags,
        np.arange(n_cases + 1, dtype=np.int32), np.arange(n_cases, dtype=np.int32),
        np.zeros(n_cases, np.int32), np.zeros(n_cases, np.int32), 0,
    )  # fmt: skip
    case = np.repeat(np.arange(n_cases, dtype=np.int32), -(-n // n_cases))[:n]
    if not is_sorted:
        case = rng.permutation(case)
    same = np.zeros(n, np.int32)
    dept = rng.integers(0, DEPTS, n, np.int32)
    item = rng.integers(0, ITEMS, n, np.int32)
    quantity, charge = 10_000 * rng.integers(1, 5, n), rng.integers(1, 10**5, n)
    netter = LineNetter(places)

    def call() -> None:
        netter.begin(n, True, False)
        for a in range(0, n, BLOCK_ROWS):
            rows = slice(a, a + BLOCK_ROWS)
            netter.add(
                same[rows], same[rows], dept[rows], item[rows], quantity[rows], case[rows],
                charge=charge[rows],
            )  # fmt: skip
        *_, starts, rank = netter.finish()
        entries = int(starts[-1])
        netter.take_activity(rank, np.empty(entries, np.uint32))
        netter.take_measure(0, 10_000, np.empty(entries, np.int8))
        netter.take_measure(1, 1, np.empty(entries, np.int32))

    return call


def part_of(n: int, rng: Rng) -> tuple[Any, ...]:
    """Rows of 20 entries of a part: starts, activity, measure and step."""
    rows = n // ENTRIES_A_ROW
    activity = rng.integers(0, rows, n).astype(np.uint32)
    return np.arange(rows + 1) * ENTRIES_A_ROW, activity, rng.integers(1, 9, n).astype(np.int8), 1


def add_costs_call(n: int, rng: Rng) -> Call:
    """All seven elements of a part's costs in 64 bits."""
    rows = n // ENTRIES_A_ROW
    rates, costs = rng.integers(0, 1 << 40, (rows, 8)), np.zeros((rows, 8), np.int64)
    places = np.arange(rows, dtype=np.uint32)
    return partial(add_costs, *part_of(n, rng), places, rates, np.arange(rows), costs)


def add_wide_costs_call(n: int, rng: Rng) -> Call:
    """One element of a part's costs in 128 bits."""
    rows = n // ENTRIES_A_ROW
    rates = rng.integers(0, 1 << 40, rows), rng.integers(0, 1 << 63, rows).astype(np.uint64)
    sums = np.zeros(rows, np.int64), np.zeros(rows, np.uint64), np.zeros(rows, np.int64)
    every = np.ones(rows, np.uint8)
    return partial(
        add_wide_costs, *part_of(n, rng), *rates, every, np.arange(rows), every, *sums
    )  # fmt: skip


def add_measures_call(n: int, rng: Rng) -> Call:
    """A part's entries weighed in seven elements and summed by DRG group and department."""
    starts, activity, measure, step = part_of(n, rng)
    rows = n // ENTRIES_A_ROW
    weights = rng.integers(0, 1 << 20, (rows, 8))
    column = rng.integers(0, DEPTS, rows)
    group = np.sort(rng.integers(0, rows // 10 + 1, rows))
    sums = np.zeros(((rows // 10 + 1) * DEPTS, 8), np.int64)
    every = np.arange(rows)
    return partial(
        add_measures, starts, activity, measure, step, weights, column, every, group * DEPTS, sums
    )


def round_groups_call(n: int, rng: Rng) -> Call:
    """Groups of ten service groups of four departments, in one element; n departments in all."""
    groups, cells = n // 40, n // 40 * 10
    measures = rng.integers(1, 1 << 30, (cells * 4, 8))
    rates = rng.integers(0, 9, DEPTS), rng.integers(0, 1 << 63, DEPTS).astype(np.uint64)
    dept, inexact = rng.integers(0, DEPTS, cells * 4), np.ones(DEPTS, np.uint8)
    starts, columns = np.arange(groups + 1) * 10, np.arange(cells + 1) * 4
    cost = (measures[:, 0] * (rates[0][dept] + rates[1][dept] / 2.0**64)).reshape(groups, 40)
    totals = cost.sum(axis=1).astype(np.int64)
    return partial(round_groups, starts, columns, dept, measures, 0, *rates, inexact, totals)


def add_direct_costs_call(n: int, rng: Rng) -> Call:
    """Purchase costs of a part by element; a third of the activities have one."""
    starts, activity, _, _ = part_of(n, rng)
    rows = n // ENTRIES_A_ROW
    element = rng.integers(-2, 1, rows).astype(np.int8)
    # Nothing can leave 64 bits, however often the call is repeated.
    measure = rng.integers(-9, 10, n).astype(np.int8)
    costs = np.zeros((rows, ELEMENTS), np.int64)
    return partial(
        add_direct_costs, starts, activity, measure, np.maximum(element, -1), np.arange(rows), costs
    )


def scaled_rates_call(n: int, rng: Rng) -> Call:
    """The rates of n activities of 100 departments in seven elements."""
    shape = (DEPTS, ELEMENTS)
    return partial(
        scaled_rates,
        np.arange(n) * DEPTS // n,
        rng.integers(1, 10**6, (n, 1)),
        rng.integers(-(10**9), 10**10, shape),
        rng.integers(10**9, 10**12, shape),
        np.full(shape, 20),
        np.zeros((n, 8), np.int64),
    )


def add_found_call(n: int, rng: Rng) -> Call:
    """Costs of a tenth of n receivers added to those of all."""
    found, costs = rng.integers(0, 9, (n // 10, 8)), np.zeros((n, 8), np.int64)
    return partial(add_found, found, rng.integers(0, n, n // 10), costs)


def round_clear_call(n: int, rng: Rng) -> Call:
    """One element of n costs rounded to a total that half of them get a fen for."""
    costs, cut = rng.integers(0, 1 << 45, (n, 8)), np.empty(n, np.int64)
    costs[:, 7] = 1
    total = int((costs[:, 0] >> 24).sum()) + n // 2
    return partial(round_clear, costs, 0, 24, False, 1 << 20, total, cut)


def fixed_costs(n: int, rng: Rng) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Costs of n rows at 2^-20 fen, off by a little, and their shifts."""
    costs = rng.integers(0, 1 << 50, (n, 8))
    costs[:, 7] = rng.integers(0, 1 << 10, n)
    return costs, np.full(n, 20)


def to_fractions_call(n: int, rng: Rng) -> Call:
    """One lane of n costs."""
    costs, shifts = fixed_costs(n, rng)
    return partial(to_fractions, costs, 0, shifts, np.zeros(n, np.uint8))


def first_cut_call(n: int, rng: Rng) -> Call:
    """N costs cut toward zero."""
    costs, shifts = fixed_costs(n, rng)
    return partial(first_cut, *to_fractions(costs, 0, shifts, np.zeros(n, np.uint8)))


def cut_costs_call(n: int, rng: Rng) -> Call:
    """Both in one pass over one lane, ten spans."""
    costs, _ = fixed_costs(n, rng)
    spans = 10
    return partial(
        cut_costs,
        costs,
        0,
        np.arange(spans + 1) * n // spans,
        np.full(spans, 20),
        np.zeros(spans, np.uint8),
        np.full(spans, 1 << 60),
        np.empty(n, np.int64),
    )


LINE_KERNELS: dict[str, Callable[[int, Rng], Call]] = {
    "KeyTable.add": key_table_call,
    "KeyTable.find": key_find_call,
    "LabelTable.find": labels_call,
    "text_codes": text_codes_call,
    "numbers": numbers_call,
    "plain_hashes": plain_hashes_call,
    "arrow_hashes": arrow_hashes_call,
    "split_by_hash": split_by_hash_call,
    "equal_hashes": equal_hashes_call,
    "fill_block": pages_call,
    "read_header": page_headers_call,
    "chunk_places": chunk_places_call,
    "sole_texts": sole_texts_call,
    "join_frames": join_frames_call,
    "LineNetter, by case": partial(net_lines_call, is_sorted=True),
    "LineNetter, scattered": partial(net_lines_call, is_sorted=False),
    "add_costs": add_costs_call,
    "add_wide_costs": add_wide_costs_call,
    "add_direct_costs": add_direct_costs_call,
    "add_measures": add_measures_call,
    "round_groups": round_groups_call,
    "scaled_rates": scaled_rates_call,
    "add_found": add_found_call,
    "round_clear": round_clear_call,
    "to_fractions": to_fractions_call,
    "first_cut": first_cut_call,
    "cut_costs": cut_costs_call,
}
