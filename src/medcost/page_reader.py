"""Service lines read page by page: dictionaries are translated once, rows never become Arrow's.

Whatever is unusual raises PagesUnsupported, and the plain reader takes the piece instead. It knows
every storage; this one knows those that are common, and trusts no byte of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from medcost._core.footers import chunk_places
from medcost._core.labels import LabelTable
from medcost._core.net_lines import LineNetter
from medcost._core.page_headers import PageError, PageHeader, indexed_pages, read_header
from medcost._core.pages import PageColumn, fill_block
from medcost._core.plain_values import numbers as plain_numbers
from medcost._core.plain_values import text_codes, wide_numbers
from medcost._core.text_hashes import plain_hashes
from medcost._core.zstd_frames import join_frames
from medcost.line_blocks import ROW_FAULT, LineBlock
from medcost.parquet_input import READ_ERRORS, SourceFile, decode_number
from medcost.tables import Column

BLOCK_ROWS = 1 << 12
MOST_CHUNK_BYTES = 1 << 28
MOST_PAGE_BYTES = 1 << 27
# Bytes of pages that are unpacked at once: each call costs as much as unpacking some thousands.
MOST_RUN_BYTES = 1 << 20
# The footer's length and PAR1.
FOOTER_END = 8

# The columns that lines are netted by, as LineNetter.add_pages takes them.
LINE_COLUMNS = (
    *("period", "unit_id", "dept_id", "item_id", "case_id", "case_unit_id", "ordering_dept_id"),
    *("quantity", "charge", "direct_cost"),
)

# Numbers of parquet.thrift.
PLAIN, PLAIN_DICTIONARY, RLE, RLE_DICTIONARY = 0, 2, 3, 8
INDEXED = (PLAIN_DICTIONARY, RLE_DICTIONARY)
CODECS = {0: None, 1: "snappy", 2: "gzip", 4: "brotli", 6: "zstd", 7: "lz4_raw"}

Entries = tuple[NDArray[Any], NDArray[np.uint8] | None]
# Translates plain values: the page's bytes, where its values start, the most there may be.
Translator = Callable[[NDArray[np.uint8], int, int], Entries]
# Unpacks a page's stored bytes; it must have as many as it says.
Unpacker = Callable[[pa.Buffer, int], pa.Buffer | bytes]


class PagesUnsupported(Exception):
    """A file that is broken, or stored in a way that only the plain reader knows."""


def page_blocks(
    source: SourceFile,
    row_groups: Sequence[int],
    texts: Mapping[str, LabelTable],
    numbers: Mapping[str, Column],
    metadata: pq.FileMetaData | None = None,
) -> Iterator[LineBlock]:
    """The rows of some row groups, in blocks of at most BLOCK_ROWS, in the order of the file.

    texts: the labels of each text column wanted; numbers: the contract's columns, of which a text
    is wanted as its hash. metadata: the
    file's, where it is at hand. The arrays of a block are valid until the next. Raises
    PagesUnsupported, also after blocks: they must then be discarded and read by the plain reader.
    """
    with _declined():
        for columns, n_rows in _row_groups(source, row_groups, texts, numbers, metadata):
            yield from _blocks(list(columns.values()), n_rows)


def net_pages(
    netter: LineNetter,
    source: SourceFile,
    row_groups: Sequence[int],
    texts: Mapping[str, LabelTable],
    numbers: Mapping[str, Column],
    metadata: pq.FileMetaData | None = None,
) -> None:
    """Give a netter, which has begun, the lines of some row groups: what it makes of their blocks.

    Python is entered only to unpack pages. texts, numbers and metadata: as page_blocks takes
    them, the columns of LINE_COLUMNS that the file has. Raises PagesUnsupported: the netter must
    then begin again; and what LineNetter.add raises.
    """
    with _declined():
        for columns, n_rows in _row_groups(source, row_groups, texts, numbers, metadata):
            pages = [columns.get(name) for name in LINE_COLUMNS]
            rows = [None if column is None else column.rows for column in pages]
            waiting, n_left = 0, n_rows
            while waiting >= 0:
                waiting, n_netted = netter.add_pages(rows, n_left)
                n_left -= n_netted
                if waiting >= 0:
                    columns[LINE_COLUMNS[waiting]].next_pages()


@contextmanager
def _declined() -> Iterator[None]:
    """Raise PagesUnsupported for all that is broken or not known here."""
    try:
        yield
    except (PageError, *READ_ERRORS) as error:
        raise PagesUnsupported(str(error)) from error


def _row_groups(
    source: SourceFile,
    row_groups: Sequence[int],
    texts: Mapping[str, LabelTable],
    numbers: Mapping[str, Column],
    metadata: pq.FileMetaData | None,
) -> Iterator[tuple[dict[str, _Pages], int]]:
    """The columns of each row group, texts first, with their chunks open; and its rows."""
    if metadata is None:
        metadata = pq.read_metadata(source.path)
    columns = {name: _Pages(metadata, name, _texts(of), True) for name, of in texts.items()}
    columns |= {name: _number_pages(metadata, column) for name, column in numbers.items()}
    with open(source.path, "rb", buffering=0) as file:
        places = _places(file.fileno(), metadata)
        for number in row_groups:
            for column in columns.values():
                column.open_chunk(file.fileno(), places[number, column.number])
            yield columns, metadata.row_group(number).num_rows


def _places(file: int, metadata: pq.FileMetaData) -> NDArray[np.int64]:
    """Where the file's chunks lie; see chunk_places."""
    return chunk_places(read_footer(file), metadata.num_row_groups, metadata.num_columns)


def read_footer(file: int) -> NDArray[np.uint8]:
    """The FileMetaData of an open file, uint8 [bytes]; raises PageError or OSError."""
    n_bytes = os.fstat(file).st_size
    end = os.pread(file, FOOTER_END, max(0, n_bytes - FOOTER_END))
    size = int.from_bytes(end[:4], "little")
    if end[4:] != b"PAR1" or size > n_bytes - FOOTER_END:
        raise PageError("a file without a footer, or with an encrypted one")
    return np.frombuffer(os.pread(file, size, n_bytes - FOOTER_END - size), np.uint8)


def _blocks(columns: list[_Pages], n_rows: int) -> Iterator[LineBlock]:
    """The blocks of one row group whose chunks are open."""
    rows = [column.rows for column in columns]
    texts = [column for column in columns if column.is_text]
    numbers = [column for column in columns if not column.is_text]
    for start in range(0, n_rows, BLOCK_ROWS):
        n = min(BLOCK_ROWS, n_rows - start)
        waiting = fill_block(rows, n, True)
        while waiting >= 0:
            columns[waiting].next_pages()
            waiting = fill_block(rows, n, False)
        yield LineBlock(
            n,
            {column.name: column.rows.codes[:n] for column in texts},
            {column.name: column.rows.values[:n] for column in numbers},
            {column.name: column.rows.states[:n] for column in numbers if column.rows.is_faulty},
        )


class _Pages:
    """The pages of one column: chunk by chunk read, page by page unpacked and handed on."""

    def __init__(
        self, metadata: pq.FileMetaData, name: str, translate: Translator, is_text: bool
    ) -> None:
        self.name = name
        self.is_text = is_text
        self.translate = translate
        self.number = column_number(metadata, name)
        described = metadata.schema.column(self.number)
        if described.max_repetition_level or described.max_definition_level > 1:
            raise PageError(f"{name} is nested")
        if is_text:
            _require_text(metadata, name, self.number)
        self.is_nullable = described.max_definition_level == 1
        self.rows = PageColumn(is_text, self.is_nullable, BLOCK_ROWS)
        self.memory = np.empty(0, np.uint8)

    def open_chunk(self, file: int, place: NDArray[np.int64]) -> None:
        """Read a row group's chunk of the column; its pages are then to come."""
        n_rows, codec, n_values, size_unpacked, size, start, dictionary = place.tolist()
        if dictionary > 0:
            start = min(start, dictionary)
        if codec not in CODECS:
            raise PageError(f"{self.name} is packed in another way")
        if n_values != n_rows or size > MOST_CHUNK_BYTES:
            raise PageError(f"{self.name} has other rows than its row group, or too many bytes")
        if size > os.fstat(file).st_size - start:
            raise PageError("the file ends before its pages")
        if len(self.memory) < size:
            # Read into the same memory again and again: its pages are there already.
            self.memory = np.empty(size + size // 4, np.uint8)
        self.chunk = self.memory[:size]
        if os.preadv(file, [self.chunk.data], start) != size:
            raise PageError("the file ends before its pages")
        self.buffer = pa.py_buffer(self.chunk)
        self.codec = CODECS[codec]
        self.unpack = _unpacker(self.codec)
        self.at = 0
        self.n_rows = n_rows
        self.most_bytes = min(MOST_PAGE_BYTES, size_unpacked)
        self.rows.start_chunk()

    def next_pages(self) -> None:
        """Hand on the next data pages, as many as can be unpacked together, at least one."""
        header = read_header(self.chunk, self.at)
        if header.kind == "dictionary":
            if self.at:
                raise PageError("a dictionary comes after a page")
            self._take_dictionary(header)
            self.at = header.start + header.stored_size
            header = read_header(self.chunk, self.at)
        if header.kind == "dictionary":
            raise PageError("a chunk has two dictionaries")
        if not self._took_pages():
            self._take_one(header)

    def _took_pages(self) -> bool:
        """Hand on pages of indices that follow each other; whether there are such."""
        (starts, stored_sizes, sizes, rows), end = indexed_pages(
            self.chunk, self.at, self.n_rows, min(MOST_RUN_BYTES, self.most_bytes)
        )
        if not len(starts):
            return False
        if self.codec is None:
            if (stored_sizes != sizes).any():
                return False
            body = _as_it_lies(self.chunk)
        elif self.codec == "zstd":
            together = join_frames(self.chunk, starts, stored_sizes, sizes)
            if together is None:
                return False
            frames = self.buffer.slice(together[0], together[1] - together[0])
            unpacked = self.unpack(frames, int(sizes.sum()))
            body, starts = np.frombuffer(unpacked, np.uint8), np.cumsum(sizes) - sizes
        else:
            return False
        self.rows.set_pages(body, starts, sizes, rows)
        self.at = end
        self.n_rows -= int(rows.sum())
        return True

    def _take_one(self, header: PageHeader) -> None:
        """Hand on a page of any kind by itself."""
        if header.n_rows != header.n_values or header.n_rows > self.n_rows:
            raise PageError("a page has other rows than its row group")
        self.n_rows -= header.n_rows
        self.at = header.start + header.stored_size
        if header.kind == "data":
            self._take_page(header)
        else:
            self._take_page_v2(header)

    def _unpacked(self, start: int, stored_size: int, size: int) -> NDArray[np.uint8]:
        """A page's bytes; what it says of their number must be so."""
        if size > self.most_bytes:
            raise PageError("a page is too large")
        return np.frombuffer(self.unpack(self.buffer.slice(start, stored_size), size), np.uint8)

    def _take_dictionary(self, header: PageHeader) -> None:
        if header.encoding not in (PLAIN, PLAIN_DICTIONARY):
            raise PageError("a dictionary is stored in another way")
        body = self._unpacked(header.start, header.stored_size, header.size)
        entries, states = self.translate(body, 0, header.n_values)
        if len(entries) != header.n_values:
            raise PageError("a dictionary has other entries than it says")
        self.rows.set_dictionary(entries, states)

    def _take_page(self, header: PageHeader) -> None:
        if self.is_nullable and header.level_encoding != RLE:
            raise PageError("levels are stored in another way")
        body = self._unpacked(header.start, header.stored_size, header.size)
        start = self.rows.open_page(body, header.n_rows)
        self._take_values(header, body, start)

    def _take_page_v2(self, header: PageHeader) -> None:
        n_levels = header.levels_size
        levels = self.chunk[header.start : header.start + n_levels]
        self.rows.open_page_v2(levels, header.n_rows, header.n_nulls)
        start, stored_size = header.start + n_levels, header.stored_size - n_levels
        size = header.size - n_levels
        if header.is_compressed and size:
            body = self._unpacked(start, stored_size, size)
        elif size == stored_size:
            body = self.chunk[start : start + size]
        else:
            raise PageError("a page has another length than it says")
        self._take_values(header, body, 0)

    def _take_values(self, header: PageHeader, body: NDArray[np.uint8], start: int) -> None:
        if header.encoding in INDEXED:
            self.rows.set_indices(body, start)
        elif header.encoding == PLAIN:
            self.rows.set_values(*self.translate(body, start, header.n_rows))
        else:
            raise PageError("values are stored in another way")


def _require_text(metadata: pq.FileMetaData, name: str, number: int) -> None:
    described = metadata.schema.column(number)
    if (described.physical_type, described.logical_type.type) != ("BYTE_ARRAY", "STRING"):
        raise PageError(f"{name} is not text")


def column_number(metadata: pq.FileMetaData, name: str) -> int:
    """Position of a column that is not nested; raises PageError where there is not just one."""
    found = [i for i, path in enumerate(_paths(metadata)) if path == name]
    if len(found) != 1:
        raise PageError(f"{name} is not a column of the file, or is twice")
    return found[0]


def _paths(metadata: pq.FileMetaData) -> list[str]:
    return [metadata.schema.column(i).path for i in range(metadata.num_columns)]


def _unpacker(codec: str | None) -> Unpacker:
    """How a codec's bytes become a page of exactly some size; raises PageError or Arrow's."""
    if codec is None:
        return _as_stored
    if codec in ("gzip", "brotli"):
        return lambda stored, size: _unpacked_stream(codec, stored, size)
    unpack: Unpacker = pa.Codec(codec).decompress
    if codec == "zstd":
        # The only one that checks the size both ways.
        return unpack
    if codec == "snappy":
        return lambda stored, size: _unpacked_snappy(unpack, stored, size)
    return lambda stored, size: _unpacked_lz4(unpack, stored, size)


def _as_stored(stored: pa.Buffer, size: int) -> pa.Buffer | bytes:
    if len(stored) != size:
        raise PageError("a page has another length than it says")
    return stored


def _as_it_lies(chunk: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pages that are not packed, in their chunk."""
    return chunk


def _unpacked_stream(codec: str, stored: pa.Buffer, size: int) -> bytes:
    with pa.CompressedInputStream(pa.BufferReader(stored), codec) as stream:
        # One byte more than there should be, to see that there is none.
        body: bytes = stream.read(size + 1)
    if len(body) != size:
        raise PageError("a page has another length than it says")
    return body


def _unpacked_snappy(unpack: Unpacker, stored: pa.Buffer, size: int) -> pa.Buffer | bytes:
    """Snappy tells the size first; Arrow leaves the rest of a larger buffer as it was."""
    said, shift = 0, 0
    for byte in bytes(stored.slice(0, min(len(stored), 5))):
        said |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if said != size:
        raise PageError("a page has another length than it says")
    return unpack(stored, size)


def _unpacked_lz4(unpack: Unpacker, stored: pa.Buffer, size: int) -> pa.Buffer | bytes:
    """LZ4 tells no size, and Arrow leaves the rest of a larger buffer as it was."""
    body = unpack(stored, size)
    if size:
        try:
            unpack(stored, size - 1)
        except (OSError, pa.ArrowException):
            return body
        raise PageError("a page has another length than it says")
    return body


def _texts(labels: LabelTable) -> Translator:
    return lambda body, start, most: (text_codes(labels, body, start, most), None)


def _number_pages(metadata: pq.FileMetaData, column: Column) -> _Pages:
    if column.type == "string":
        pages = _Pages(metadata, column.name, plain_hashes, False)
        _require_text(metadata, column.name, pages.number)
        return pages
    number = column_number(metadata, column.name)
    translate = _translator(metadata.schema.column(number), column)
    return _Pages(metadata, column.name, translate, False)


def _translator(described: Any, column: Column) -> Translator:
    """How the plain values of a number column become integers at the contract's scale."""
    kind, logical = described.physical_type, described.logical_type.type
    width = {"INT32": 4, "INT64": 8, "FLOAT": 4, "DOUBLE": 8}.get(kind, described.length)
    swapped = kind == "FIXED_LEN_BYTE_ARRAY"
    if logical == "DATE" and kind == "INT32" and column.type == "date32":
        return lambda body, start, most: plain_numbers(body, start, most, 4, False, 2**31)
    if column.scale is None or column.precision > 18:
        raise PageError(f"{column.name} is not a decimal")
    if logical == "DECIMAL" and kind in ("INT32", "INT64", "FIXED_LEN_BYTE_ARRAY"):
        if described.scale == column.scale:
            limit = 10**column.precision - 1
            return lambda body, start, most: plain_numbers(body, start, most, width, swapped, limit)
        if width > 16 or not 1 <= described.precision <= 38:
            raise PageError(f"{column.name} has more digits than 128 bits hold")
        type_ = pa.decimal128(described.precision, described.scale)

        def from_decimals(body: NDArray[np.uint8], start: int, most: int) -> Entries:
            words = wide_numbers(body, start, most, width, swapped)
            return _decoded(words, len(words), type_, column)

        return from_decimals
    stored = _stored_type(described)

    def from_others(body: NDArray[np.uint8], start: int, most: int) -> Entries:
        if (len(body) - start) % width or (len(body) - start) // width > most:
            raise PageError("numbers do not fit their page")
        values = np.frombuffer(body[start:].tobytes(), stored[0]).astype(stored[1])
        return _decoded(values, len(values), pa.from_numpy_dtype(stored[1]), column)

    return from_others


def _stored_type(described: Any) -> tuple[np.dtype[Any], np.dtype[Any]]:
    """The type of the bytes, and the narrower one that Arrow makes of them."""
    kind, logical = described.physical_type, described.logical_type.type
    if logical == "NONE":
        types = {"INT32": "<i4", "INT64": "<i8", "FLOAT": "<f4", "DOUBLE": "<f8"}
        if kind in types:
            return np.dtype(types[kind]), np.dtype(types[kind])
    if logical == "INT" and kind in ("INT32", "INT64"):
        said = json.loads(described.logical_type.to_json())
        sign, width = "i" if said["isSigned"] else "u", said["bitWidth"] // 8
        stored = np.dtype(f"<{sign}{4 if kind == 'INT32' else 8}")
        if width in (1, 2, 4, 8) and width <= stored.itemsize:
            return stored, np.dtype(f"<{sign}{width}")
    raise PageError("numbers are stored in another way")


def _decoded(values: NDArray[Any], n: int, type_: pa.DataType, column: Column) -> Entries:
    """Any other numbers, by the one rule for all of them."""
    given = decode_number(pa.Array.from_buffers(type_, n, [None, pa.py_buffer(values)]), column)
    states = np.zeros(n, np.uint8)
    for rows in (given.too_fine, given.not_finite, given.out_of_range):
        states[rows] = ROW_FAULT
    return given.values, states if states.any() else None
