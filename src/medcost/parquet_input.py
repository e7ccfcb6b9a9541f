"""Parquet files to typed arrays: labels with sorted codes, money and quantities as integers.

Text may be plain or dictionary-encoded; decimals of any scale, integers and doubles become
int64 at the column's own scale, exactly or with a mark that says why not.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from medcost.errors import Fault, count_of, printable, quote
from medcost.records import dataclass
from medcost.tables import Column, Table
from medcost.text_labels import is_ascending, text_array

HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
BATCH_ROWS = 1 << 18


@dataclass(frozen=True)
class SourceFile:
    """One Parquet file of a table: its path, its name in messages, its Hive partition values."""

    path: Path
    label: str
    partitions: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True)
class TextColumn:
    """Labels sorted by UTF-8 bytes and a code per row: int32 [rows], -1 where empty."""

    codes: NDArray[np.int32]
    labels: pa.Array


@dataclass(frozen=True)
class NumberColumn:
    """int64 [rows] at the column's scale, and where a value is present.

    Dates are days since 1970, bools 0 and 1.
    too_fine, not_finite and out_of_range are row numbers whose value could not be taken over;
    their entry in values is 0.
    """

    values: NDArray[np.int64]
    present: NDArray[np.bool_]
    too_fine: NDArray[np.int64]
    not_finite: NDArray[np.int64]
    out_of_range: NDArray[np.int64]


class ColumnUnreadableError(Exception):
    """A column cannot be turned into what the table says; code is the fault's."""

    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        super().__init__(reason)


# What reading a file can raise that is the file's fault.
READ_ERRORS = (OSError, pa.ArrowException, UnicodeDecodeError)


def find_files(book: Path, table: str) -> tuple[list[SourceFile], list[Fault]]:
    """The table's files in the order of their names; empty where the book has none."""
    single, folder = book / f"{table}.parquet", book / table
    if single.is_symlink() and not single.exists():
        what = f"{quote(single.name)} is a link to a file that is not there."
        return [], [Fault("file-unreadable", what, (quote(single.name),))]
    if single.is_dir():
        what = f"{quote(single.name)} is a folder, not a file."
        return [], [Fault("file-unreadable", what, (f"folder {quote(single.name)}",))]
    if single.exists() and folder.is_dir():
        what = f"Table {table} stands twice in the book."
        where = (f"{quote(single.name)} and the folder {quote(folder.name + '/')}",)
        return [], [Fault("table-ambiguous", what, where)]
    if single.exists():
        return [SourceFile(single, single.name)], []
    if not folder.is_dir():
        return [], []
    return _files_below(folder, table)


def files_at(path: Path, table: str) -> tuple[list[SourceFile], list[Fault]]:
    """The files of a table that stands outside a book: one file, or those of a folder."""
    return _files_below(path, table) if path.is_dir() else ([SourceFile(path, path.name)], [])


def _files_below(folder: Path, table: str) -> tuple[list[SourceFile], list[Fault]]:
    files: list[SourceFile] = []
    unreadable_folders: list[str] = []
    unexpected: list[str] = []
    seen: set[str] = set()

    def note(error: OSError) -> None:
        unreadable_folders.append(f"{quote(str(error.filename))}: {error.strerror}")

    for parent, folders, names in os.walk(folder, onerror=note, followlinks=True):
        # A link back up the tree would be walked for ever.
        seen.add(os.path.realpath(parent))
        folders[:] = sorted(
            name
            for name in folders
            if name[0] not in "._" and os.path.realpath(os.path.join(parent, name)) not in seen
        )
        inside = Path(parent).relative_to(folder)
        try:
            partitions = tuple(_partition(part) for part in inside.parts if "=" in part)
        except UnicodeError:
            unreadable_folders.append(f"{quote(str(inside))}: its name is not UTF-8")
            continue
        for name in sorted(names):
            label = "/".join((table, *inside.parts, name))
            if name[0] in "._":
                continue
            if name.lower().endswith(".parquet"):
                files.append(SourceFile(Path(parent) / name, label, partitions))
            else:
                unexpected.append(quote(label))
    faults = []
    if unreadable_folders:
        what = f"{count_of(len(unreadable_folders), 'folder')} of table {table} cannot be read."
        faults.append(Fault("file-unreadable", what, tuple(unreadable_folders)))
    if unexpected:
        what = f"{count_of(len(unexpected), 'file')} of table {table} is not Parquet by its name."
        if len(unexpected) > 1:
            what = what.replace(" is not Parquet by its name", " are not Parquet by their names")
        faults.append(Fault("file-unexpected", what, tuple(unexpected)))
    return sorted(files, key=lambda file: file.label), faults


def _partition(part: str) -> tuple[str, str | None]:
    """Name and value of a Hive partition's folder; raises UnicodeError."""
    part.encode("utf-8")
    name, _, value = part.partition("=")
    name, value = unquote(name, errors="strict"), unquote(value, errors="strict")
    return name, None if value == HIVE_NULL else value


def open_parquet(source: SourceFile, table: Table) -> pq.ParquetFile:
    """Open one file; text columns that repeat (all but the case and line ids) as dictionaries."""
    metadata = pq.read_metadata(source.path)
    schema = metadata.schema.to_arrow_schema()
    texts = {f.name for f in schema if pa.types.is_string(f.type)}
    repeated = [c.name for c in table.columns if c.name in texts - {"case_id", "line_id"}]
    return pq.ParquetFile(
        source.path, metadata=metadata, read_dictionary=repeated, pre_buffer=False
    )


def row_count(source: SourceFile) -> int:
    """Rows of one file, by its footer; raises one of READ_ERRORS."""
    return int(pq.read_metadata(source.path).num_rows)


def unreadable(source: SourceFile, error: Exception) -> Fault:
    """The fault of a file that is missing, truncated, corrupt or not ours to read."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    first_line = reason.splitlines()[0] if reason else type(error).__name__
    what = f"{quote(source.label)} cannot be read as Parquet: {printable(first_line, 200)}"
    return Fault("file-unreadable", what, (quote(source.label),))


def check_columns(
    source: SourceFile, schema: pa.Schema, table: Table
) -> tuple[tuple[str, ...], list[Fault]]:
    """The contract's columns that the file holds, and the faults of its schema."""
    faults = []
    place = (quote(source.label),)
    partitioned = {name for name, _ in source.partitions}
    present = [c for c in table.columns if c.name in schema.names]
    for column in table.columns:
        n = schema.names.count(column.name)
        if n == 0 and column.required and column.name not in partitioned:
            what = f"{quote(source.label)} has no column {column.name}."
            faults.append(Fault("column-missing", what, place))
        elif n > 1:
            what = f"{quote(source.label)} has {n} columns named {column.name}."
            faults.append(Fault("column-twice", what, place))
        elif n == 1 and not _type_fits(schema.field(column.name).type, column):
            found = schema.field(column.name).type
            shown = printable(str(found))
            what = f"{quote(source.label)} has column {column.name} as {shown}, not {column.type}."
            faults.append(Fault("column-type", what, place))
    return tuple(c.name for c in present), faults


def _type_fits(found: pa.DataType, column: Column) -> bool:
    if pa.types.is_dictionary(found):
        found = found.value_type
    if pa.types.is_null(found):
        return column.nullable
    if column.type == "string":
        texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
        return any(is_kind(found) for is_kind in texts)
    if column.type == "bool":
        return bool(pa.types.is_boolean(found))
    if column.type == "date32":
        return bool(pa.types.is_date(found))
    kinds = (
        pa.types.is_decimal,
        pa.types.is_integer,
        pa.types.is_float32,
        pa.types.is_float64,
    )
    return any(is_kind(found) for is_kind in kinds)


def read_batches(
    source: SourceFile, table: Table, columns: tuple[str, ...], row_groups: list[int] | None = None
) -> Iterator[pa.RecordBatch]:
    """The file's batches of at most BATCH_ROWS rows; raises OSError or pa.ArrowException."""
    with open_parquet(source, table) as file:
        yield from batches_of(file, columns, row_groups)


def batches_of(
    file: pq.ParquetFile, columns: tuple[str, ...], row_groups: list[int] | None = None
) -> Iterator[pa.RecordBatch]:
    """The open file's batches of at most BATCH_ROWS rows."""
    yield from file.iter_batches(
        BATCH_ROWS, row_groups=row_groups, columns=list(columns), use_threads=False
    )


def constant_text(label: str | None, rows: int) -> pa.Array:
    """A text column of one value, for a Hive partition."""
    if label is None:
        return pa.nulls(rows, pa.string())
    indices = pa.array(np.zeros(rows, np.int32))
    return pa.DictionaryArray.from_arrays(indices, text_array([label]))


def encode_text(chunks: list[pa.Array]) -> TextColumn:
    """One text column from its chunks, plain or dictionary-encoded; '' counts as empty.

    Raises ColumnUnreadableError for text that is not valid UTF-8.
    """
    try:
        if chunks and all(chunk.type == pa.string() for chunk in chunks):
            together = chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks)
            if is_ascending(together):
                together.validate(full=True)
                return TextColumn(np.arange(len(together), dtype=np.int32), together)
        parts = [encode_part(chunk) for chunk in chunks]
        return _as_it_is(parts) or _encode_parts(parts)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise ColumnUnreadableError("text-not-utf8", "text is not valid UTF-8") from error


def encode_part(chunk: pa.Array) -> tuple[pa.Array, NDArray[np.int64]]:
    """The labels of a chunk, in any order, and a code for each row, -1 where it is null."""
    if pa.types.is_null(chunk.type):
        return text_array([]), np.full(len(chunk), -1)
    if not pa.types.is_dictionary(chunk.type):
        chunk = chunk.dictionary_encode()
    return chunk.dictionary, np.where(
        present_rows(chunk.indices), _words(chunk.indices).astype(np.int64), -1
    )


def _as_it_is(parts: list[tuple[pa.Array, NDArray[np.int64]]]) -> TextColumn | None:
    """The column of one dictionary that is sorted and used already, as a sorted file's is."""
    if len(parts) != 1:
        return None
    labels, codes = parts[0]
    if labels.type != pa.string() or not is_ascending(labels):
        return None
    labels.validate(full=True)
    used = np.bincount(codes + 1, minlength=len(labels) + 1)[1:] > 0
    return TextColumn(codes.astype(np.int32), labels) if used.all() else None


def _encode_parts(parts: list[tuple[pa.Array, NDArray[np.int64]]]) -> TextColumn:
    """Sort the labels that rows use by UTF-8 bytes, which is the order of Python's text."""
    places: dict[str, int] = {}
    found = [np.empty(0, np.int64)]
    for labels, part in parts:
        texts = labels.to_pylist()
        # A code -1, for a row that is null, takes the entry added last.
        place_of = [*(places.setdefault(t, len(places)) if t else -1 for t in texts), -1]
        found.append(np.array(place_of)[part])
    codes = np.concatenate(found)
    used = np.bincount(codes + 1, minlength=len(places) + 1)[1:] > 0
    known = [label for label, is_used in zip(places, used.tolist(), strict=True) if is_used]
    ordered = sorted(known)
    rank = {label: i for i, label in enumerate(ordered)}
    rank_of = np.array([*(rank.get(label, -1) for label in places), -1], np.int32)
    return TextColumn(rank_of[codes], text_array(ordered))


def present_rows(chunk: pa.Array) -> NDArray[np.bool_]:
    """Where a chunk has a value."""
    bitmap = chunk.buffers()[0]
    if not chunk.null_count or bitmap is None:
        return np.full(len(chunk), not chunk.null_count)
    return _bits(bitmap, chunk)


def _bits(bitmap: pa.Buffer, chunk: pa.Array) -> NDArray[np.bool_]:
    """A chunk's part of a bitmap, one flag a row."""
    bits = np.frombuffer(bitmap, np.uint8)
    flags = np.unpackbits(bits, count=chunk.offset + len(chunk), bitorder="little")
    return flags[chunk.offset :].astype(np.bool_)


def _words(chunk: pa.Array) -> NDArray[Any]:
    """The values of a chunk of numbers of fixed width, anything where it is null."""
    dtype = np.dtype(chunk.type.to_pandas_dtype())
    buffer = chunk.buffers()[1]
    if buffer is None:
        return np.zeros(len(chunk), dtype)
    return np.frombuffer(buffer, dtype)[chunk.offset : chunk.offset + len(chunk)]


def decode_number(chunk: pa.Array, column: Column) -> NumberColumn:
    """One chunk of a decimal, date or bool column as integers at the column's scale."""
    if pa.types.is_dictionary(chunk.type):
        chunk = chunk.dictionary_decode()
    if pa.types.is_string(chunk.type):
        # Only a folder's name gets here: check_columns refuses text in a file.
        reason = f"a folder's name cannot give {column.name}, which is {column.type}"
        raise ColumnUnreadableError("column-type", reason)
    present, none = present_rows(chunk), np.empty(0, np.int64)
    if pa.types.is_null(chunk.type):
        return NumberColumn(np.zeros(len(chunk), np.int64), present, none, none, none)
    if column.type == "bool":
        bitmap = chunk.buffers()[1]
        flags = present if bitmap is None else present & _bits(bitmap, chunk)
        return NumberColumn(flags.astype(np.int64), present, none, none, none)
    if column.type == "date32":
        days = chunk if chunk.type == pa.date32() else chunk.cast(pa.date32())
        values = np.where(present, _words(days.view(pa.int32())), 0).astype(np.int64)
        return NumberColumn(values, present, none, none, none)
    if pa.types.is_floating(chunk.type):
        return _from_doubles(chunk, present, column)
    if pa.types.is_integer(chunk.type):
        return _from_integers(chunk, present, column)
    return _from_decimals(chunk, present, column)


def join_numbers(parts: list[NumberColumn]) -> NumberColumn:
    """One column from the columns of its chunks, row numbers moved along."""
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0] + [len(part.values) for part in parts])

    def moved(name: str) -> NDArray[np.int64]:
        rows = [getattr(p, name) + s for p, s in zip(parts, starts[:-1], strict=True)]
        return np.concatenate([np.empty(0, np.int64), *rows])

    return NumberColumn(
        np.concatenate([np.empty(0, np.int64), *(p.values for p in parts)]),
        np.concatenate([np.empty(0, np.bool_), *(p.present for p in parts)]),
        moved("too_fine"),
        moved("not_finite"),
        moved("out_of_range"),
    )


def _checked(
    values: NDArray[np.int64],
    present: NDArray[np.bool_],
    too_fine: NDArray[np.bool_],
    out_of_range: NDArray[np.bool_],
    not_finite: NDArray[np.bool_] | None = None,
) -> NumberColumn:
    bad = ~present | too_fine | out_of_range
    infinite = np.zeros(len(values), np.bool_) if not_finite is None else not_finite & present
    values = np.where(bad | infinite, 0, values)
    return NumberColumn(
        values,
        present,
        np.flatnonzero(too_fine & present & ~out_of_range & ~infinite),
        np.flatnonzero(infinite),
        np.flatnonzero(out_of_range & present & ~infinite),
    )


def _from_doubles(chunk: pa.Array, present: NDArray[np.bool_], column: Column) -> NumberColumn:
    """Nearest step of the scale; the tolerance is 1e-4 steps or half a last place, if more."""
    scale = column.scale or 0
    given = np.where(present, _words(chunk), 0.0).astype(np.float64)
    finite = np.isfinite(given)
    given = np.where(finite, given, 0.0)
    limit = min(9e9, 9e13 / 10**scale)
    out_of_range = (np.abs(given) > limit) | (np.abs(given) >= 10.0 ** (column.precision - scale))
    given = np.where(out_of_range, 0.0, given)
    values = np.rint(given * 10.0**scale)
    tolerance = np.maximum(1e-4 / 10**scale, np.spacing(np.abs(given)) / 2)
    too_fine = np.abs(given - values / 10.0**scale) > tolerance
    return _checked(values.astype(np.int64), present, too_fine, out_of_range, ~finite)


def _from_integers(chunk: pa.Array, present: NDArray[np.bool_], column: Column) -> NumberColumn:
    given = np.where(present, _words(chunk), chunk.type.to_pandas_dtype()(0))
    factor = 10 ** (column.scale or 0)
    limit = (10**column.precision - 1) // factor
    too_large = given > min(limit, np.iinfo(given.dtype).max)
    too_small = given < max(-limit, np.iinfo(given.dtype).min)
    out_of_range = too_large | too_small
    values = np.where(out_of_range, 0, given).astype(np.int64) * factor
    return _checked(values, present, np.zeros(len(values), np.bool_), out_of_range)


def _from_decimals(chunk: pa.Array, present: NDArray[np.bool_], column: Column) -> NumberColumn:
    found_scale = chunk.type.scale
    shift = found_scale - (column.scale or 0)
    if not pa.types.is_decimal128(chunk.type) or shift > 18 or len(chunk) == 0:
        return _from_wide_decimals(chunk, present, column)
    words = np.frombuffer(chunk.buffers()[1], np.int64).reshape(-1, 2)
    words = words[chunk.offset : chunk.offset + len(chunk)]
    low, high = words[:, 0], words[:, 1]
    narrow = high == low >> 63
    if not (narrow | ~present).all():
        return _from_wide_decimals(chunk, present, column)
    low = np.where(present, low, 0)
    limit = 10**column.precision - 1
    no = np.zeros(len(low), np.bool_)
    if shift > 0:
        factor = 10**shift
        values = low // factor
        return _checked(values, present, values * factor != low, np.abs(values) > limit)
    bound = limit // 10**-shift
    out_of_range = (low > bound) | (low < -bound)
    return _checked(np.where(out_of_range, 0, low) * 10**-shift, present, no, out_of_range)


def _from_wide_decimals(
    chunk: pa.Array, present: NDArray[np.bool_], column: Column
) -> NumberColumn:
    """The same in Python integers, for widths and values that 64 bits do not hold."""
    factor = 10 ** (column.scale or 0)
    limit = 10**column.precision - 1
    values = np.zeros(len(chunk), np.int64)
    too_fine = np.zeros(len(chunk), np.bool_)
    out_of_range = np.zeros(len(chunk), np.bool_)
    for row, given in enumerate(chunk.to_pylist()):
        if given is not None:
            numerator, denominator = given.as_integer_ratio()
            value, rest = divmod(numerator * factor, denominator)
            too_fine[row] = rest != 0
            out_of_range[row] = abs(value) > limit
            values[row] = 0 if out_of_range[row] else value
    return _checked(values, present, too_fine, out_of_range)
