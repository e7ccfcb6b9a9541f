"""Small tables of service lines in every storage, and what each reader makes of them."""

from __future__ import annotations

import io
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from kernels.lines import Netted, World, netted_by
from numpy.typing import NDArray

from medcost import page_reader
from medcost._core.labels import LabelTable
from medcost._core.net_lines import LineNetter, Places
from medcost.line_blocks import LineBlock, plain_blocks
from medcost.page_reader import PagesUnsupported
from medcost.parquet_input import READ_ERRORS, SourceFile, check_columns
from medcost.tables import load_table

LINES = load_table("service_lines")
NUMBERS = {name: LINES.column(name) for name in ("quantity", "charge")}
LABELS = {
    "item_id": [f"{i:03d}" for i in range(0, 300, 2)],
    "case_id": [
        *(f"U01-202601-{i:09d}" for i in range(0, 400, 3)),
        "a case with an id of more than twenty-four bytes",
        "病例一",
    ],
}
TEXTS_GIVEN = {
    "item_id": [None, "", "000", "002", "003", "100", "298", "299", "none"],
    "case_id": [*LABELS["case_id"][:20], *LABELS["case_id"][-2:], None, "", "no case", "病例二"],
}
# What lines need beside these to be netted; the second month and the third unit are left out.
PLACE_LABELS = {"period": ["2026-01", "2026-02"], "unit_id": ["U1", "U2", "U3"], "dept_id": ["D1"]}
PLACES_GIVEN = {
    "period": ["2026-01"] * 20 + ["2026-02", "2026-03", "", None],
    "unit_id": ["U1"] * 12 + ["U2", "U3", "U4", None],
    "dept_id": ["D1"] * 9 + ["D2", None],
}
NUMBER_TYPES = [
    pa.decimal128(18, 4),
    pa.decimal128(18, 2),
    pa.decimal128(9, 4),
    pa.decimal128(7, 2),
    pa.decimal128(18, 0),
    pa.decimal128(20, 4),
    pa.decimal128(25, 9),
    pa.decimal128(38, 2),
    pa.decimal256(40, 2),
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
    *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
    *(pa.float32(), pa.float64(), pa.float16(), pa.null()),
]
CODECS = ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]


def label_table(labels: Iterable[str]) -> LabelTable:
    """Return a table of labels given in the order of their bytes."""
    texts = [label.encode() for label in labels]
    offsets = np.array([0, *accumulate(len(text) for text in texts)], np.int32)
    return LabelTable(offsets, np.frombuffer(b"".join(texts), np.uint8))


TEXTS = {name: label_table(labels) for name, labels in LABELS.items()}
ALL_TEXTS = {name: label_table(labels) for name, labels in PLACE_LABELS.items()} | TEXTS
N_COLUMNS = len(ALL_TEXTS) + len(NUMBERS)


def number(rng: random.Random, type_: pa.DataType, few: bool) -> Any:
    """Return a number of the type; now and then a large one, one that is too fine, none."""
    if pa.types.is_null(type_) or rng.random() < 0.1:
        return None
    if pa.types.is_decimal(type_):
        digits = type_.precision if rng.random() < 0.2 else min(5, type_.precision)
        if few:
            return Decimal(rng.randrange(-3, 4)) if type_.precision > type_.scale else None
        return Decimal(rng.randrange(-(10**digits) + 1, 10**digits)).scaleb(-type_.scale)
    if pa.types.is_integer(type_):
        bits = type_.bit_width
        low = 0 if pa.types.is_unsigned_integer(type_) else -(1 << bits - 1)
        return rng.randrange(5) if few or rng.random() < 0.5 else rng.randrange(low, low + 2**bits)
    given = [0.5, 1.25, -3.0, 0.001, 7.00001, 1e12, 1e300, float("nan"), float("inf"), 0.1]
    value = rng.choice(given[: 3 if few else None])
    return np.float16(value) if pa.types.is_float16(type_) and abs(value) < 9e4 else value


def numbers_of(rng: random.Random, type_: pa.DataType, n: int, few: bool, nulls: bool) -> pa.Array:
    """Return n numbers of a type; few: few different ones."""
    values = [number(rng, type_, few) for _ in range(n)]
    if pa.types.is_float16(type_):
        values = [v if isinstance(v, np.float16) else None for v in values]
    if not nulls and not pa.types.is_null(type_):
        values = [0 if v is None else v for v in values]
        if pa.types.is_float16(type_):
            values = [np.float16(v) for v in values]
    return pa.array(values, type_)


@dataclass(frozen=True)
class Storage:
    """How lines are stored: types, nulls, and what the writer is told."""

    n: int = 300
    quantity: pa.DataType = NUMBER_TYPES[0]
    charge: pa.DataType = NUMBER_TYPES[1]
    few: bool = True
    nulls: bool = True
    required: bool = False
    runs: bool = False
    writer: dict[str, Any] = field(default_factory=dict)


def stored(storage: Storage, seed: int) -> bytes:
    """Return a file of lines."""
    rng = random.Random(seed)
    n = storage.n
    columns: dict[str, pa.Array] = {}
    for name, given in TEXTS_GIVEN.items():
        texts = [text for text in given if storage.nulls or text is not None]
        chosen = [rng.choice(texts) for _ in range(n)]
        if not storage.few:
            chosen = [t if rng.random() < 0.2 else f"{rng.randrange(300):03d}" for t in chosen]
        if storage.runs:
            chosen.sort(key=lambda text: (text is None, text))
        columns[name] = pa.array(chosen, pa.string())
    for name in NUMBERS:
        type_ = getattr(storage, name)
        columns[name] = numbers_of(rng, type_, n, storage.few, storage.nulls)
    required = storage.required and not storage.nulls
    fields = [
        pa.field(name, array.type, not required or array.null_count > 0)
        for name, array in columns.items()
    ]
    for name, given in PLACES_GIVEN.items():
        texts = [text for text in given if storage.nulls or text is not None]
        chosen = [rng.choice(texts) for _ in range(n)]
        if storage.runs:
            chosen.sort(key=lambda text: (text is None, text))
        columns[name] = pa.array(chosen, pa.string())
        fields.append(pa.field(name, pa.string(), not required))
    table = pa.Table.from_arrays(list(columns.values()), schema=pa.schema(fields))
    file = io.BytesIO()
    pq.write_table(table, file, **storage.writer)
    return file.getvalue()


Columns = dict[str, NDArray[Any]]


def joined(blocks: Iterable[LineBlock]) -> Columns:
    """Return all columns of the blocks, states under the name and a mark; refuse bad blocks."""
    parts: dict[str, list[NDArray[Any]]] = {}
    for block in blocks:
        assert set(block.values) == set(NUMBERS)
        for name, codes in block.codes.items():
            assert codes.dtype == np.int32
            parts.setdefault(name, []).append(codes.copy())
        for name, values in block.values.items():
            assert values.dtype == np.int64
            states = block.states.get(name, np.zeros(block.n, np.uint8))
            assert states.dtype == np.uint8
            assert name not in block.states or states.any()
            assert not values[states > 0].any()
            parts.setdefault(name, []).append(values.copy())
            parts.setdefault(f"{name} states", []).append(states.copy())
        assert {len(part[-1]) for part in parts.values()} == {block.n}
    return {name: np.concatenate(part) for name, part in parts.items()}


def by_pages(path: Path, row_groups: list[int]) -> Columns | None:
    """Return what the page reader makes of a file, None where it declines."""
    try:
        return joined(
            page_reader.page_blocks(SourceFile(path, path.name), row_groups, TEXTS, NUMBERS)
        )
    except PagesUnsupported:
        return None


def by_arrow(path: Path, row_groups: list[int]) -> Columns:
    """Return what the plain reader makes of a file; raises whatever it raises."""
    source = SourceFile(path, path.name)
    schema = pq.read_schema(path)
    _, faults = check_columns(source, schema, LINES)
    wanted = [fault for fault in faults if fault.code != "column-missing"]
    if wanted or not {*TEXTS, *NUMBERS} <= set(schema.names):
        raise ValueError("the caller refuses such a file")
    return joined(plain_blocks(source, row_groups, TEXTS, NUMBERS))


def require_same(pages: Columns, plain: Columns) -> None:
    """Refuse any difference between two readers."""
    assert set(pages) == set(plain)
    for name, values in plain.items():
        assert np.array_equal(values, pages[name]), name


@cache
def places() -> Places:
    """Return what the codes of ALL_TEXTS mean: two units chosen, a case in each by its label."""
    n_cases = len(LABELS["case_id"])
    world = World(
        grid=[[0], [1], [-1]],
        selected=[True, True, False],
        is_open=[True, False],
        is_direct=[False] * len(LABELS["item_id"]),
        is_medtech=[True, False],
        may_receive=[False, True],
        cases=[(label % 2, label, label % 3 - 1) for label in range(n_cases)],
        n_case_labels=n_cases,
        period=0,
    )
    return world.places()


def netter_of(path: Path, row_groups: list[int]) -> LineNetter:
    """Return a netter that expects the row groups' lines."""
    netter, metadata = LineNetter(places()), pq.read_metadata(path)
    netter.begin(sum(metadata.row_group(i).num_rows for i in row_groups), True)
    return netter


def netted_by_pages(path: Path, row_groups: list[int]) -> Netted | str | None:
    """Return what the page reader's lines come to, None where it declines the file."""
    source = SourceFile(path, path.name)
    try:
        netter = netter_of(path, row_groups)
        page_reader.net_pages(netter, source, row_groups, ALL_TEXTS, NUMBERS)
    except (PagesUnsupported, *READ_ERRORS):
        return None
    except OverflowError:
        return "too large"
    return netted_by(netter)


def netted_by_arrow(path: Path, row_groups: list[int]) -> Netted | str:
    """Return what the plain reader's lines come to; raises whatever it raises."""
    netter = netter_of(path, row_groups)
    try:
        for block in plain_blocks(SourceFile(path, path.name), row_groups, ALL_TEXTS, NUMBERS):
            netter.add(
                *(block.codes[name] for name in ("period", "unit_id", "dept_id", "item_id")),
                block.values["quantity"],
                block.codes["case_id"],
                charge=block.values["charge"],
                quantity_state=block.states.get("quantity"),
                charge_state=block.states.get("charge"),
            )
    except OverflowError:
        return "too large"
    return netted_by(netter)
