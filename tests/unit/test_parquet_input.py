"""Numbers and text in every storage that Parquet files bring, and files that cannot be read."""

import os
import random
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle.parquet_tables import table_of, write_tables

from medcost import parquet_input
from medcost.book import TableRows, open_book, read_table
from medcost.errors import Fault, fault_codes, render_fault
from medcost.parquet_input import (
    ColumnUnreadableError,
    NumberColumn,
    SourceFile,
    check_columns,
    decode_number,
    encode_part,
    encode_text,
    find_files,
    join_numbers,
    open_parquet,
)
from medcost.tables import Column, load_table

always_the_same = settings(derandomize=True, deadline=None, database=None, max_examples=200)
AMOUNT = load_table("ledger").column("amount")
QUANTITY = load_table("drivers").column("quantity")
WEIGHT = load_table("item_weights").column("weight")
BED_DAYS = load_table("cases").column("bed_days")
DISCHARGED = load_table("cases").column("discharged")
LARGEST = 10**18 - 1
FLAG = load_table("units").column("grassroots")
KEY = {"period": "2026-01", "unit_id": "U"}


def taken(array: pa.Array, column: Column = AMOUNT) -> list[int | str | None]:
    """Return each value in whole steps of the column, None where empty, a word where refused."""
    found = decode_number(array, column)
    assert (found.values.dtype, found.present.dtype) == (np.int64, np.bool_)
    shown: list[int | str | None] = found.values.tolist()
    for row in np.flatnonzero(~found.present):
        assert shown[row] == 0
        shown[row] = None
    words = {"fine": found.too_fine, "infinite": found.not_finite, "large": found.out_of_range}
    for word, rows in words.items():
        for row in rows.tolist():
            assert shown[row] == 0
            shown[row] = word
    return shown


def expected_of(value: Decimal | int | None, column: Column = AMOUNT) -> int | str | None:
    """Return what an exact value must be read as."""
    if value is None:
        return None
    steps = Fraction(value) * 10 ** (column.scale or 0)
    if abs(steps) >= 10**column.precision:
        return "large"
    return int(steps) if steps.denominator == 1 else "fine"


def decimals(kind: pa.DataType, *texts: str | None) -> pa.Array:
    """Return decimals of the type."""
    step = Decimal(1).scaleb(-kind.scale)
    return pa.array([None if t is None else Decimal(t).quantize(step) for t in texts], kind)


# Numbers: exact storages ------------------------------------------------------


@pytest.mark.parametrize("scale", range(11))
def test_decimals_of_any_scale_are_taken_exactly(scale: int) -> None:
    """−12345.67 at scale 2 and finer; at scale 0 and 1 its whole yuan and tenths."""
    places = min(scale, 2)
    text = f"-12345.{'67'[:places]}" if places else "-12345"
    array = decimals(pa.decimal128(30, scale), text, None, "0", "1")
    assert taken(array) == [int(Decimal(text) * 100), None, 0, 100]


@pytest.mark.parametrize("scale", range(3, 11))
def test_a_decimal_finer_than_a_fen_is_refused(scale: int) -> None:
    step = Decimal(1).scaleb(-scale)
    kind = pa.decimal128(30, scale)
    array = pa.array([step, -step, Decimal("1.00") + step, Decimal("-0.01"), 100 * step], kind)
    hundred = int(100 * step * 100) if scale <= 4 else "fine"
    assert taken(array) == ["fine", "fine", "fine", -1, hundred]


DECIMAL_TYPES = [
    pa.decimal32(9, 2),
    pa.decimal64(18, 2),
    pa.decimal128(18, 2),
    pa.decimal256(18, 2),
    pa.decimal256(76, 2),
    pa.decimal128(38, 4),
    pa.decimal32(7, 0),
]


@pytest.mark.parametrize("kind", DECIMAL_TYPES, ids=str)
def test_decimals_of_any_width_are_taken_exactly(kind: pa.DataType) -> None:
    assert taken(decimals(kind, "1234", None, "-77", "0")) == [123_400, None, -7_700, 0]


@always_the_same
@given(st.data(), st.sampled_from([AMOUNT, QUANTITY, WEIGHT, BED_DAYS]), st.integers(0, 10))
def test_every_decimal_is_taken_exactly_or_named(
    data: st.DataObject, column: Column, scale: int
) -> None:
    """At 128 bits and at 256 the same, over values small, at the limits and beyond 64 bits."""
    limit = 10**column.precision
    number = st.one_of(
        st.integers(-99_999, 99_999),
        st.sampled_from([limit - 1, limit, -limit, 1 - limit, 2**63 - 1, -(2**63), 2**64]),
        st.integers(-(10**36), 10**36),
        st.integers(-(10**6), 10**6).map(lambda n: n * 10 ** max(scale - (column.scale or 0), 0)),
    )
    raw = data.draw(st.lists(st.one_of(st.none(), number), max_size=8))
    values = [None if n is None else Decimal(n).scaleb(-scale) for n in raw]
    expected = [expected_of(value, column) for value in values]
    for kind in (pa.decimal128(38, scale), pa.decimal256(76, scale)):
        assert expected == taken(pa.array(values, kind), column)


@pytest.mark.parametrize("name", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"])
def test_integers_are_whole_yuan_never_fen(name: str) -> None:
    array = pa.array([1, None, 100, 0]).cast(pa.type_for_alias(name))
    assert taken(array) == [100, None, 10_000, 0]
    assert taken(array, QUANTITY) == [10_000, None, 1_000_000, 0]


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64()], ids=str)
def test_integers_at_the_limits_fit_or_are_named(kind: pa.DataType) -> None:
    """decimal(18,2) holds 10^16 − 1 yuan and a little; decimal(18,6) 10^12 − 1."""
    values = [10**16 - 1, 10**16, 2**63 - 1]
    values += [2**63, 2**64 - 1] if kind == pa.uint64() else [-(10**16) + 1, -(2**63)]
    array = pa.array([*values, None], kind)
    assert taken(array) == [expected_of(value) for value in [*values, None]]
    fits = pa.array([10**12 - 1, 10**12], kind)
    assert taken(fits, WEIGHT) == [(10**12 - 1) * 10**6, "large"]


@pytest.mark.parametrize(
    ("texts", "column"),
    [
        (["9999999999999999.99", "10000000000000000.00", "-9999999999999999.99"], AMOUNT),
        (["9999999.99", "10000000.00", "-10000000.00"], BED_DAYS),
        (["99999999999999.9999", "100000000000000.0000"], QUANTITY),
        (["999999999999.999999", "1000000000000"], WEIGHT),
    ],
)
def test_decimals_at_the_limits_fit_or_are_named(texts: list[str], column: Column) -> None:
    for kind in (pa.decimal128(38, 6), pa.decimal256(60, 6)):
        array = decimals(kind, *texts)
        assert taken(array, column) == [expected_of(Decimal(text), column) for text in texts]


# Numbers: doubles -------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "fen"),
    [
        (0.1 + 0.2, 30),
        (1234.56, 123_456),
        (-0.01, -1),
        (-0.0, 0),
        (1.0000009, 100),
        (1.0000011, "fine"),
        (0.9999991, 100),
        (0.9999989, "fine"),
        (0.005, "fine"),
        (1e-7, 0),
        (5e-324, 0),
        (9e9, 900_000_000_000),
        (-9e9, -900_000_000_000),
        (8_999_999_999.99, 899_999_999_999),
        (9_000_000_000.01, "large"),
        (-1e300, "large"),
        (float("nan"), "infinite"),
        (float("inf"), "infinite"),
        (float("-inf"), "infinite"),
        (None, None),
    ],
)
def test_a_double_is_its_nearest_fen_within_a_millionth(
    value: float | None, fen: int | str | None
) -> None:
    assert taken(pa.array([value], pa.float64())) == [fen]


@pytest.mark.parametrize(
    ("value", "column", "steps"),
    [
        (0.12345, QUANTITY, "fine"),
        (0.1234, QUANTITY, 1_234),
        (0.123400009, QUANTITY, 1_234),
        (0.123400011, QUANTITY, "fine"),
        (9e9, QUANTITY, 9 * 10**13),
        (9.1e9, QUANTITY, "large"),
        (0.123456, WEIGHT, 123_456),
        (0.1234567, WEIGHT, "fine"),
        (9e7, WEIGHT, 9 * 10**13),
        (9.1e7, WEIGHT, "large"),
        (2.5, BED_DAYS, 250),
        (9_999_999.99, BED_DAYS, 999_999_999),
        (10_000_000.01, BED_DAYS, "large"),
    ],
)
def test_a_double_is_held_to_a_ten_thousandth_of_the_columns_step(
    value: float, column: Column, steps: int | str
) -> None:
    assert taken(pa.array([value]), column) == [steps]


def test_a_double_that_the_column_does_not_hold_is_refused_like_a_decimal() -> None:
    """decimal(9,2) ends at 9,999,999.99; the decimal 10,000,000.00 is refused."""
    assert taken(decimals(pa.decimal128(18, 2), "10000000.00"), BED_DAYS) == ["large"]
    assert taken(pa.array([1e7]), BED_DAYS) == ["large"]


@always_the_same
@given(st.integers(-900_000_000_000, 900_000_000_000))
def test_every_fen_up_to_9e9_yuan_survives_as_a_double(fen: int) -> None:
    assert taken(pa.array([fen / 100])) == [fen]


@always_the_same
@given(st.floats(-9e9, 9e9, allow_subnormal=True))
def test_a_double_is_taken_exactly_when_its_distance_allows(value: float) -> None:
    """1e-6 yuan, or half a last place where that is more; nothing is rounded further."""
    nearest = round(Fraction(value) * 100)
    distance = abs(Fraction(value) - Fraction(nearest, 100))
    allowed = max(Fraction(1, 10**6), Fraction(float(np.spacing(abs(value)))) / 2)
    (found,) = taken(pa.array([value]))
    if distance < allowed * Fraction(999, 1000):
        assert found == nearest
    elif distance > allowed * Fraction(1001, 1000):
        assert found == "fine"


def test_single_precision_is_held_to_the_same_tolerance() -> None:
    """12.5 and 0.1 survive as float32, 12,345.67 is off by 8e-5 yuan."""
    array = pa.array([12.5, 0.1, 12_345.67, None, float("nan")], pa.float32())
    assert taken(array) == [1_250, 10, "fine", None, "infinite"]


# Numbers: nulls, slices and dictionaries --------------------------------------


STORED = {
    "decimal128": pa.array([Decimal("1.11"), None, Decimal("3.33")] * 4, pa.decimal128(18, 2)),
    "decimal256": pa.array([Decimal("1.11"), None, Decimal("3.33")] * 4, pa.decimal256(40, 2)),
    "decimal32": pa.array([Decimal("1.11"), None, Decimal("3.33")] * 4, pa.decimal32(9, 2)),
    "double": pa.array([1.11, None, 3.33] * 4),
    "dictionary of decimals": pa.array(
        [Decimal("1.11"), None, Decimal("3.33")] * 4, pa.decimal128(18, 2)
    ).dictionary_encode(),
    "dictionary of doubles": pa.array([1.11, None, 3.33] * 4).dictionary_encode(),
}


@pytest.mark.parametrize("array", STORED.values(), ids=STORED.keys())
@pytest.mark.parametrize(("begin", "length"), [(0, 12), (1, 11), (2, 7), (5, 1), (9, 3), (12, 0)])
def test_a_slice_is_read_from_its_offset(array: pa.Array, begin: int, length: int) -> None:
    """The buffers of a slice begin before it; 12 rows of 1.11, empty, 3.33."""
    whole = [111, None, 333] * 4
    assert taken(array.slice(begin, length)) == whole[begin : begin + length]
    assert taken(array.slice(begin).slice(0, length)) == whole[begin : begin + length]


def test_garbage_under_a_null_is_not_read() -> None:
    """What lies in the buffer where the validity bitmap says empty is nobody's amount."""
    valid = pa.py_buffer(bytes([0b101]))
    words = np.array([[111, 0], [-1, 2**62], [333, 0]], np.int64)
    decimal = pa.Array.from_buffers(pa.decimal128(18, 2), 3, [valid, pa.py_buffer(words)])
    assert taken(decimal) == [111, None, 333]
    doubles = np.array([1.11, np.nan, 3.33])
    array = pa.Array.from_buffers(pa.float64(), 3, [valid, pa.py_buffer(doubles)])
    assert taken(array) == [111, None, 333]
    integers = np.array([1, 2**63 - 1, 3])
    array = pa.Array.from_buffers(pa.int64(), 3, [valid, pa.py_buffer(integers)])
    assert taken(array) == [100, None, 300]
    days = np.array([1, -(2**31), 3], np.int32)
    array = pa.Array.from_buffers(pa.date32(), 3, [valid, pa.py_buffer(days)])
    assert taken(array, DISCHARGED) == [1, None, 3]


@pytest.mark.parametrize("column", [AMOUNT, WEIGHT, DISCHARGED, FLAG])
def test_a_column_of_no_type_is_empty_everywhere(column: Column) -> None:
    assert taken(pa.nulls(3), column) == [None, None, None]
    assert taken(pa.nulls(0), column) == []


def test_no_row_has_no_number() -> None:
    kinds = [pa.decimal128(18, 2), pa.decimal256(40, 2), pa.int8(), pa.uint64(), pa.float64()]
    assert all(taken(pa.array([], kind)) == [] for kind in kinds)


def test_dates_and_flags_are_days_and_ones() -> None:
    days = pa.array([0, None, 20_000], pa.int32()).cast(pa.date32())
    assert taken(days, DISCHARGED) == [0, None, 20_000]
    assert taken(days.cast(pa.date64()), DISCHARGED) == [0, None, 20_000]
    flags = pa.array([True, None, False])
    assert taken(flags, FLAG) == [1, None, 0]


def test_joined_chunks_keep_their_faults_by_row() -> None:
    """Rows 1 of the first chunk and 0 of the third are 1 and 4 of the whole."""
    chunks = [[1.0, 0.001], [2.0, 3.0], [float("nan"), 1e10]]
    joined = join_numbers([decode_number(pa.array(chunk), AMOUNT) for chunk in chunks])
    assert joined.values.tolist() == [100, 0, 200, 300, 0, 0]
    assert joined.too_fine.tolist() == [1]
    assert joined.not_finite.tolist() == [4]
    assert joined.out_of_range.tolist() == [5]
    nothing = join_numbers([])
    assert isinstance(nothing, NumberColumn)
    assert (len(nothing.values), len(nothing.present), nothing.values.dtype) == (0, 0, np.int64)


# Text -------------------------------------------------------------------------


def read_text(*chunks: pa.Array) -> list[str | None]:
    """Return each row's label, None where empty, and check that labels are sorted and distinct."""
    column = encode_text(list(chunks))
    assert column.codes.dtype == np.int32
    labels = column.labels.to_pylist()
    assert labels == sorted(set(labels), key=str.encode)
    return [None if code < 0 else labels[code] for code in column.codes.tolist()]


TEXTS = ["b", None, "a", "b", "", "中心", "é", "Z"]
READ = ["b", None, "a", "b", None, "中心", "é", "Z"]
TEXT_STORAGES = {
    "plain": pa.array(TEXTS),
    "large": pa.array(TEXTS, pa.large_string()),
    "view": pa.array(TEXTS, pa.string_view()),
    "dictionary": pa.array(TEXTS).dictionary_encode(),
    "dictionary of large": pa.array(TEXTS, pa.large_string()).dictionary_encode(),
    "dictionary of bytes": pa.DictionaryArray.from_arrays(
        pa.array([0, None, 1, 0, 2, 3, 4, 5], pa.int8()),
        pa.array(["b", "a", "", "中心", "é", "Z"]),
    ),
    "dictionary of longs": pa.array(TEXTS).dictionary_encode().cast(
        pa.dictionary(pa.int64(), pa.string())
    ),
    "dictionary with a null": pa.DictionaryArray.from_arrays(
        pa.array([0, 1, 2, 0, 3, 4, 5, 6]), pa.array(["b", None, "a", "", "中心", "é", "Z"])
    ),
    "dictionary with doubles": pa.DictionaryArray.from_arrays(
        pa.array([0, None, 1, 2, 3, 4, 5, 6]), pa.array(["b", "a", "b", "", "中心", "é", "Z"])
    ),
    "dictionary with unused": pa.DictionaryArray.from_arrays(
        pa.array([1, None, 0, 1, 2, 3, 4, 5]), pa.array(["a", "b", "", "中心", "é", "Z", "X"])
    ),
}  # fmt: skip


@pytest.mark.parametrize("array", TEXT_STORAGES.values(), ids=TEXT_STORAGES.keys())
def test_text_is_the_same_however_it_is_stored(array: pa.Array) -> None:
    """Empty text counts as empty; labels are sorted by bytes: Z before a, é before 中."""
    assert read_text(array) == READ
    for begin in (1, 3, 8):
        assert read_text(array.slice(begin)) == READ[begin:]
    assert read_text(array.slice(2, 4)) == READ[2:6]


def test_chunks_of_different_storage_are_one_column() -> None:
    arrays = list(TEXT_STORAGES.values())
    assert read_text(*arrays, pa.nulls(2), pa.array([], pa.string())) == [
        *READ * len(arrays),
        None,
        None,
    ]
    assert read_text() == []
    assert read_text(pa.nulls(2)) == [None, None]
    assert read_text(pa.array(["", None, ""])) == [None, None, None]


@pytest.mark.parametrize("kind", [pa.uint8(), pa.uint32()], ids=str)
def test_a_dictionary_with_unsigned_codes_is_read(kind: pa.DataType) -> None:
    """Parquet files always come with int32 codes; other sources of Arrow arrays do not."""
    codes = pa.array([0, None, 1], kind)
    assert read_text(pa.DictionaryArray.from_arrays(codes, pa.array(["a", "b"]))) == [
        "a",
        None,
        "b",
    ]


NOT_UTF8 = pa.Array.from_buffers(
    pa.string(), 2, [None, pa.py_buffer(np.array([0, 2, 4], np.int32)), pa.py_buffer(b"A1\xc4\xda")]
)


LABELS = st.one_of(
    st.none(), st.text(max_size=3), st.sampled_from(["", "a", "B", "é", "中", "a\0"])
)


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(st.lists(st.tuples(st.lists(LABELS, max_size=9), st.integers(0, 3)), min_size=1, max_size=4))
def test_many_labels_are_encoded_as_few_are(given: list[tuple[list[str | None], int]]) -> None:
    """Arrow's functions sort, share and leave out as Python's dictionaries do."""
    chunks = []
    for texts, storage in given:
        chunk = pa.array(texts, pa.string())
        types = (chunk, chunk.dictionary_encode(), chunk.cast(pa.large_string()), pa.nulls(2))
        chunks.append(types[storage])
    few = parquet_input._encode_parts([encode_part(chunk) for chunk in chunks])
    many = parquet_input._encode_many([encode_part(chunk) for chunk in chunks])
    assert few.codes.tolist() == many.codes.tolist()
    assert few.labels.to_pylist() == many.labels.to_pylist()
    assert (few.codes.dtype, few.labels.type) == (many.codes.dtype, many.labels.type)


@pytest.mark.parametrize(
    "array",
    [
        NOT_UTF8,
        NOT_UTF8.dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array([0, 0]), NOT_UTF8),
    ],
    ids=["plain", "dictionary", "unused"],
)
def test_text_that_is_not_utf8_is_refused(array: pa.Array) -> None:
    """内 in GBK, as an export in another encoding would have it."""
    with pytest.raises(ColumnUnreadableError, match="UTF-8"):
        encode_text([pa.array(["A1"]), array])


# Files ------------------------------------------------------------------------


def ledger_table(*rows: dict[str, Any]) -> pa.Table:
    """Return ledger rows of unit U, January 2026."""
    some = [{**KEY, "dept_id": "C", "element": "staff", "amount": Decimal(1)} | row for row in rows]
    return table_of("ledger", some)


def read_ledger(path: Path) -> tuple[TableRows | None, list[Fault]]:
    """Read a book's ledger; every fault must be listed."""
    files, faults = find_files(path, "ledger")
    rows, more = read_table("ledger", files) if files else (None, [])
    faults = faults + more
    assert all(fault.code in fault_codes() for fault in faults)
    return rows, faults


def is_safe_on_a_terminal(fault: Fault) -> bool:
    """Say whether no character of the message can act on a terminal."""
    return render_fault(fault).replace("\n", "").isprintable()


def codes_of(path: Path) -> list[str]:
    """Return the codes of the ledger's faults."""
    return [fault.code for fault in read_ledger(path)[1]]


def amounts_of(path: Path) -> list[int]:
    """Return the ledger's amounts in fen."""
    rows, faults = read_ledger(path)
    assert not faults
    assert rows is not None
    return rows.values("amount").tolist()


def column_of(path: Path, name: str) -> list[str | None]:
    """Return a text column of the ledger."""
    rows, faults = read_ledger(path)
    assert not faults
    assert rows is not None
    labels = rows.labels(name)
    return [None if code < 0 else labels[code] for code in rows.codes(name).tolist()]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([Decimal("12.30")], pa.decimal32(9, 2)),
        pa.array([Decimal("12.30")], pa.decimal64(18, 2)),
        pa.array([Decimal("12.30")], pa.decimal128(38, 10)),
        pa.array([Decimal("12.30")], pa.decimal256(76, 5)),
        pa.array([Decimal("12.30")], pa.decimal128(18, 2)).dictionary_encode(),
        pa.array([12.3]),
        pa.array([12.3]).dictionary_encode(),
    ],
    ids=lambda array: str(array.type),
)
def test_every_storage_survives_a_file(tmp_path: Path, array: pa.Array) -> None:
    """12.30 yuan is 1,230 fen."""
    table = ledger_table({}).set_column(4, "amount", array)
    pq.write_table(table, tmp_path / "ledger.parquet")
    assert amounts_of(tmp_path) == [1_230]


@pytest.mark.parametrize("name", ["int8", "int16", "int32", "int64", "uint8", "uint64", "float32"])
def test_every_width_of_number_survives_a_file(tmp_path: Path, name: str) -> None:
    array = pa.array([12]).cast(pa.type_for_alias(name))
    table = ledger_table({}).set_column(4, "amount", array)
    pq.write_table(table, tmp_path / "ledger.parquet")
    assert amounts_of(tmp_path) == [1_200]


# Arrow does not write dictionaries that hold a null.
STORED_TEXTS = {k: v for k, v in TEXT_STORAGES.items() if k != "dictionary with a null"}


@pytest.mark.parametrize("storage", STORED_TEXTS.values(), ids=STORED_TEXTS.keys())
def test_every_storage_of_text_survives_a_file(tmp_path: Path, storage: pa.Array) -> None:
    table = ledger_table(*({} for _ in TEXTS)).append_column("account", storage)
    pq.write_table(table, tmp_path / "ledger.parquet", row_group_size=3)
    assert column_of(tmp_path, "account") == READ


@pytest.mark.parametrize(
    ("column", "array"),
    [
        ("amount", pa.array(["12.30"])),
        ("amount", pa.array([True])),
        ("amount", pa.array([[1]])),
        ("amount", pa.array([1.5], pa.float16())),
        ("amount", pa.nulls(1)),
        ("dept_id", pa.array([5])),
        ("dept_id", pa.array([b"C"])),
        ("dept_id", pa.array([{"a": 1}])),
        ("dept_id", pa.nulls(1)),
        ("period", pa.array([20_454], pa.int32()).cast(pa.date32())),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.type),
)
def test_a_column_of_another_type_is_named(tmp_path: Path, column: str, array: pa.Array) -> None:
    table = ledger_table({})
    table = table.set_column(table.schema.get_field_index(column), column, array)
    pq.write_table(table, tmp_path / "ledger.parquet")
    _, (fault,) = read_ledger(tmp_path)
    assert fault.code == "column-type"
    assert f"'ledger.parquet' has column {column} as " in fault.what
    assert fault.what.endswith(f", not {load_table('ledger').column(column).type}.")


def test_a_nullable_column_of_no_type_is_as_good_as_absent(tmp_path: Path) -> None:
    table = ledger_table({}).append_column("fund", pa.nulls(1))
    pq.write_table(table, tmp_path / "ledger.parquet")
    assert column_of(tmp_path, "fund") == [None]


def test_missing_and_double_columns_are_all_named(tmp_path: Path) -> None:
    table = ledger_table({}).drop_columns(["amount", "period"])
    table = table.append_column("dept_id", pa.array(["D"]))
    pq.write_table(table, tmp_path / "ledger.parquet")
    assert codes_of(tmp_path) == ["column-missing", "column-twice", "column-missing"]


def test_extra_columns_and_hidden_files_are_ignored(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    (folder / "_hidden").mkdir(parents=True)
    table = ledger_table({}).append_column("note", pa.array([{"a": [1]}]))
    pq.write_table(table, folder / "b.parquet")
    for name in (".a.parquet", "_c.parquet", "_SUCCESS", "_hidden/d.parquet"):
        (folder / name).write_text("not parquet")
    assert amounts_of(tmp_path) == [100]


def test_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    for name, amount in (("c", 3), ("a/z", 1), ("b", 2), ("a/b/c", 0)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(ledger_table({"amount": Decimal(amount)}), folder / f"{name}.parquet")
    rows, faults = read_ledger(tmp_path)
    assert not faults
    assert rows is not None
    assert rows.values("amount").tolist() == [0, 100, 200, 300]
    assert [rows.place(row) for row in range(4)] == [
        f"ledger/{name}.parquet row 1" for name in ("a/b/c", "a/z", "b", "c")
    ]


# Hive partitions --------------------------------------------------------------


def partition(tmp_path: Path, *folders: str, drop: tuple[str, ...] = ("period",)) -> Path:
    """Write one ledger row below the folders, without the columns that they stand for."""
    folder = tmp_path.joinpath("ledger", *folders)
    folder.mkdir(parents=True)
    pq.write_table(ledger_table({}).drop_columns(list(drop)), folder / "a.parquet")
    return tmp_path


@pytest.mark.parametrize(
    ("folder", "column", "value"),
    [
        ("period=2026-01", "period", "2026-01"),
        ("period=2026%2D01", "period", "2026-01"),
        ("dept_id=%E4%B8%AD%E5%BF%83", "dept_id", "中心"),
        ("dept_id=中心", "dept_id", "中心"),
        ("dept_id=a%2Fb%3Dc%25", "dept_id", "a/b=c%"),
        ("dept_id=a=b", "dept_id", "a=b"),
        ("dept%5Fid=C", "dept_id", "C"),
        ("dept_id=__HIVE_DEFAULT_PARTITION__", "dept_id", None),
        ("dept_id=", "dept_id", None),
        ("dept_id=007", "dept_id", "007"),
    ],
)
def test_a_partition_is_a_column_of_text(
    tmp_path: Path, folder: str, column: str, value: str | None
) -> None:
    assert column_of(partition(tmp_path, folder, drop=(column,)), column) == [value]


def test_partitions_nest_and_empty_ones_are_empty(tmp_path: Path) -> None:
    book = partition(tmp_path, "period=2026-01", "unit_id=U", drop=("period", "unit_id"))
    partition(book, "period=2026-02", "unit_id=V", drop=("period", "unit_id"))
    assert column_of(book, "period") == ["2026-01", "2026-02"]
    assert column_of(book, "unit_id") == ["U", "V"]


@pytest.mark.parametrize("folder", ["period=2026-01", "unit_id=U", "other=5"])
def test_a_column_that_agrees_with_its_folder_is_read(tmp_path: Path, folder: str) -> None:
    assert column_of(partition(tmp_path, folder, drop=()), "period") == ["2026-01"]


@pytest.mark.parametrize(
    "folder", ["period=2026-02", "unit_id=u", "dept_id=__HIVE_DEFAULT_PARTITION__", "unit_id="]
)
def test_a_column_that_disagrees_with_its_folder_is_named(tmp_path: Path, folder: str) -> None:
    _, (fault,) = read_ledger(partition(tmp_path, folder, drop=()))
    assert fault.code == "partition-disagrees"
    assert f"folder's {folder.split('=', maxsplit=1)[0]}" in fault.what


def test_an_empty_value_in_a_named_folder_disagrees(tmp_path: Path) -> None:
    folder = tmp_path / "ledger" / "dept_id=C"
    folder.mkdir(parents=True)
    pq.write_table(ledger_table({}, {"dept_id": None}), folder / "a.parquet")
    _, (fault,) = read_ledger(tmp_path)
    assert (fault.code, fault.what[:6]) == ("partition-disagrees", "1 rows")


@pytest.mark.parametrize("value", ["5", "-5.25", "abc", "", "__HIVE_DEFAULT_PARTITION__"])
def test_a_folder_cannot_give_a_number(tmp_path: Path, value: str) -> None:
    """Partition values are text; ledger.amount is none."""
    assert codes_of(partition(tmp_path, f"amount={value}", drop=("amount",))) == ["column-type"]


def test_a_folder_within_a_folder_that_disagrees_with_it_is_named(tmp_path: Path) -> None:
    book = partition(tmp_path, "period=2026-02", "period=2026-01")
    assert codes_of(book) == ["partition-disagrees"]


def test_a_folder_name_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    """内 in GBK, percent-encoded."""
    book = partition(tmp_path, "dept_id=%C4%DA", drop=("dept_id",))
    files, (fault,) = find_files(book, "ledger")
    assert (fault.code, files) == ("file-unreadable", [])
    assert "'dept_id=%C4%DA': its name is not UTF-8" in fault.where


# Files that cannot be read ----------------------------------------------------


def good_ledger(tmp_path: Path) -> Path:
    """Write a ledger of a few hundred rows and return its path."""
    path = tmp_path / "ledger.parquet"
    rows = ({"dept_id": f"D{i % 7}", "amount": Decimal(i)} for i in range(300))
    pq.write_table(ledger_table(*rows), path)
    return path


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def beheaded(path: Path) -> None:
    path.write_bytes(path.read_bytes()[100:])


def cut_at_the_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def spoiled_footer(path: Path) -> None:
    text = bytearray(path.read_bytes())
    length = int.from_bytes(text[-8:-4], "little")
    text[-8 - length : -length] = bytes(8)
    path.write_bytes(bytes(text))


def spoiled_page(path: Path) -> None:
    text = bytearray(path.read_bytes())
    text[4:40] = b"\xff" * 36
    path.write_bytes(bytes(text))


def made_csv(path: Path) -> None:
    path.write_text("period,unit_id\n2026-01,U\n" * 50)


def made_workbook(path: Path) -> None:
    path.write_bytes(b"PK\x03\x04" + bytes(2000))


def made_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


SPOILERS = [
    emptied, halved, beheaded, cut_at_the_end, spoiled_footer, spoiled_page, made_csv,
    made_workbook, made_folder,
]  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILERS)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(good_ledger(tmp_path))
    rows, (fault,) = read_ledger(tmp_path)
    assert rows is None
    assert fault.code == "file-unreadable"
    assert "'ledger.parquet'" in fault.what
    assert any("ledger.parquet" in place for place in fault.where)


@pytest.mark.parametrize("spoil", [s for s in SPOILERS if s is not made_folder])
def test_one_spoiled_file_of_many_is_named_by_its_path(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    folder = tmp_path / "ledger" / "unit_id=U"
    folder.mkdir(parents=True)
    good_ledger(tmp_path).rename(folder / "a.parquet")
    good_ledger(tmp_path).rename(folder / "b.parquet")
    spoil(folder / "b.parquet")
    _, (fault,) = read_ledger(tmp_path)
    assert (fault.code, fault.where) == ("file-unreadable", ("'ledger/unit_id=U/b.parquet'",))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    path = good_ledger(tmp_path)
    path.chmod(0o000)
    assert codes_of(tmp_path) == ["file-unreadable"]
    path.unlink()
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger").chmod(0o000)
    assert codes_of(tmp_path) == ["file-unreadable"]
    (tmp_path / "ledger").chmod(0o700)


def test_a_dangling_link_in_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "a.parquet").symlink_to(tmp_path / "gone")
    assert codes_of(tmp_path) == ["file-unreadable"]


@pytest.mark.parametrize("table", ["ledger", "item_weights"])
def test_a_dangling_link_is_named(tmp_path: Path, table: str) -> None:
    """item_weights is optional: the book would be costed as if every item weighed 1."""
    (tmp_path / f"{table}.parquet").symlink_to(tmp_path / "gone")
    files, faults = find_files(tmp_path, table)
    assert ([fault.code for fault in faults], files) == (["file-unreadable"], [])


def test_links_to_files_and_to_the_tables_folder_are_followed(tmp_path: Path) -> None:
    far, book = tmp_path / "far", tmp_path / "book"
    far.mkdir()
    book.mkdir()
    pq.write_table(ledger_table({}), far / "a.parquet")
    (book / "ledger").symlink_to(far)
    assert amounts_of(book) == [100]
    (book / "ledger").unlink()
    (book / "ledger.parquet").symlink_to(far / "a.parquet")
    assert amounts_of(book) == [100]


def test_a_link_to_a_partitions_folder_is_followed_or_named(tmp_path: Path) -> None:
    """A month on another disk, linked into the table's folder; its money vanishes."""
    far, folder = tmp_path / "far", tmp_path / "book" / "ledger"
    far.mkdir()
    folder.mkdir(parents=True)
    pq.write_table(ledger_table({}), far / "a.parquet")
    pq.write_table(ledger_table({}), folder / "b.parquet")
    (folder / "period=2026-01").symlink_to(far)
    rows, faults = read_ledger(tmp_path / "book")
    assert faults or (rows is not None and rows.n == 2)


def test_the_suffix_of_a_file_may_be_in_capitals(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    folder.mkdir()
    for name in ("a.parquet", "b.PARQUET", "c.Parquet"):
        pq.write_table(ledger_table({}), folder / name)
    assert amounts_of(tmp_path) == [100, 100, 100]


def test_files_by_other_names_are_named(tmp_path: Path) -> None:
    """Half of the ledger may lie in a file that would be passed over in silence."""
    folder = tmp_path / "ledger" / "unit_id=U"
    folder.mkdir(parents=True)
    pq.write_table(ledger_table({}), folder / "a.parquet")
    pq.write_table(ledger_table({}), folder / "b.parq")
    _, (fault,) = find_files(tmp_path, "ledger")
    assert fault.code == "file-unexpected"
    assert fault.what == "1 file of table ledger is not Parquet by its name."
    assert fault.where == ("'ledger/unit_id=U/b.parq'",)
    (folder / "readme.txt").write_text("about")
    _, (fault,) = find_files(tmp_path, "ledger")
    assert fault.what == "2 files of table ledger are not Parquet by their names."


def test_a_link_back_up_the_tree_is_not_followed_for_ever(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    folder.mkdir()
    pq.write_table(ledger_table({}), folder / "a.parquet")
    (folder / "again").symlink_to(folder)
    assert amounts_of(tmp_path) == [100]


def test_a_table_that_stands_twice_is_named(tmp_path: Path) -> None:
    good_ledger(tmp_path)
    (tmp_path / "ledger").mkdir()
    assert codes_of(tmp_path) == ["table-ambiguous"]


def test_a_file_name_that_acts_on_a_terminal_is_shown_quoted(tmp_path: Path) -> None:
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "\x1b[31ma.parquet").symlink_to(tmp_path / "gone")
    _, (fault,) = read_ledger(tmp_path)
    assert is_safe_on_a_terminal(fault)


def test_bytes_of_a_spoiled_file_are_shown_quoted(tmp_path: Path) -> None:
    """Thrift says "don't know what type:" and the byte that it found."""
    spoiled_page(good_ledger(tmp_path))
    _, (fault,) = read_ledger(tmp_path)
    assert is_safe_on_a_terminal(fault)


def test_a_type_whose_name_acts_on_a_terminal_is_shown_quoted(tmp_path: Path) -> None:
    struct = pa.array([{"\x1b[31m": 1}])
    table = ledger_table({}).set_column(4, "amount", struct)
    pq.write_table(table, tmp_path / "ledger.parquet")
    _, (fault,) = read_ledger(tmp_path)
    assert is_safe_on_a_terminal(fault)


@pytest.mark.parametrize("name", [b"account", b"notes--"])
def test_a_column_name_that_is_not_utf8_is_named(tmp_path: Path, name: bytes) -> None:
    """科目 in GBK, as a column of the contract's or an extra one, written by another tool."""
    table = ledger_table({}).append_column(name.decode(), pa.array(["x"]))
    path = tmp_path / "ledger.parquet"
    pq.write_table(table.replace_schema_metadata(None), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(name, b"\xbf\xc6\xc4\xbf---"))
    _, (fault,) = read_ledger(tmp_path)
    assert fault.code == "file-unreadable"
    assert "utf-8" in fault.what
    assert is_safe_on_a_terminal(fault)


@pytest.mark.parametrize("table", ["ledger", "service_lines"])
def test_a_byte_turned_over_never_ends_in_a_traceback(tmp_path: Path, table: str) -> None:
    """Three hundred files with one to five bits turned, zeroed or cut: faults, or a reading.

    What ends in UnicodeDecodeError, a column name that is no longer UTF-8, has a test above.
    """
    row = {**KEY, "dept_id": "C", "element": "staff", "item_id": "I"}
    row |= {"amount": Decimal(1), "quantity": Decimal(1)}
    names = table_of(table, []).schema.names
    write_tables({table: [{name: row[name] for name in names}]}, tmp_path)
    path = tmp_path / f"{table}.parquet"
    original = path.read_bytes()
    for seed in range(300):
        path.write_bytes(damaged(original, seed))
        try:
            book = open_book(tmp_path, "departments")
        except UnicodeDecodeError:
            continue
        assert all(fault.code in fault_codes() for fault in book.faults)


def damaged(original: bytes, seed: int) -> bytes:
    """Return a copy with some harm done to it."""
    rng = random.Random(seed)  # noqa: S311 - seeded, so that every run tests the same
    text = bytearray(original)
    begin = rng.randrange(len(text))
    harm = rng.choice(("flip", "flip", "zero", "cut", "drop"))
    if harm == "flip":
        for _ in range(rng.randint(1, 5)):
            text[rng.randrange(len(text))] ^= 1 << rng.randrange(8)
    elif harm == "zero":
        text[begin : begin + 32] = bytes(len(text[begin : begin + 32]))
    else:
        del text[begin : None if harm == "cut" else begin + rng.randint(1, 40)]
    return bytes(text)


# Faults of the schema ---------------------------------------------------------


def test_open_parquet_reads_codes_for_labels_but_not_for_ids(tmp_path: Path) -> None:
    """Every case and line has an id of its own, so a dictionary of them would only cost memory."""
    row = {**KEY, "item_id": "I", "dept_id": "C", "quantity": Decimal(1)}
    rows = [row | {"case_id": "K", "line_id": "L"}]
    write_tables({"service_lines": rows}, tmp_path)
    table = load_table("service_lines")
    with open_parquet(SourceFile(tmp_path / "service_lines.parquet", "x"), table) as file:
        batch = next(file.iter_batches())
    coded = {field.name for field in batch.schema if pa.types.is_dictionary(field.type)}
    assert coded == {"period", "unit_id", "item_id", "dept_id"}


def test_a_dictionary_of_another_type_is_named() -> None:
    source = SourceFile(Path("x"), "ledger.parquet")
    kind = pa.dictionary(pa.int32(), pa.int64())
    fields = [("period", kind), ("unit_id", pa.string()), ("dept_id", pa.string())]
    schema = pa.schema([*fields, ("element", pa.string()), ("amount", kind)])
    _, faults = check_columns(source, schema, load_table("ledger"))
    assert [fault.code for fault in faults] == ["column-type"]
    assert "column period" in faults[0].what
