"""Headers of Parquet pages: Thrift's compact protocol, read from bytes that nobody vouches for."""

import numpy as np

cimport cython
from libc.stdint cimport INT32_MAX, INT32_MIN, int64_t, uint8_t

from medcost._core.thrift cimport (
    FALSE,
    I32,
    STOP,
    STRUCT,
    TRUE,
    Source,
    read_field_header,
    read_signed,
    skip_value,
)

cdef enum:
    # What a field may hold other than a number, all of which are >= 0 where they are valid.
    ABSENT = -1
    IS_FALSE = -2
    IS_TRUE = -3
    N_FIELDS = 9

    # Fields of PageHeader (parquet.thrift).
    PAGE_TYPE = 1
    SIZE = 2
    STORED_SIZE = 3
    CHECKSUM = 4
    DATA = 5
    DICTIONARY = 7
    DATA_V2 = 8

    # Encodings: PLAIN_DICTIONARY, RLE, RLE_DICTIONARY.
    OLD_INDICES = 2
    LEVELS = 3
    INDICES = 8


class PageError(ValueError):
    """Bytes that are no valid page, or one of a kind that is not read here."""


cdef void read_struct(Source *source, int64_t *fields, int64_t *inner, int depth) noexcept nogil:
    """Write fields 1 to 8 of a struct; of those of a page header the one struct goes to inner.

    Twice the same field, or two inner structs, are refused: readers differ in what they take.
    """
    cdef int64_t field = 0, value
    cdef int type_, i
    for i in range(N_FIELDS):
        fields[i] = ABSENT
    type_ = read_field_header(source, &field)
    while type_ != STOP:
        if not 0 < field < N_FIELDS:
            skip_value(source, type_, depth)
        elif fields[field] != ABSENT:
            source.bad = True
        elif type_ == TRUE or type_ == FALSE:
            fields[field] = IS_TRUE if type_ == TRUE else IS_FALSE
        elif type_ == I32:
            value = read_signed(source)
            # A checksum is any 32 bits; all else that is read here counts something.
            if depth == 0 and field == CHECKSUM:
                value = 0 if INT32_MIN <= value <= INT32_MAX else ABSENT
            if not 0 <= value <= INT32_MAX:
                source.bad = True
            fields[field] = value
        elif type_ == STRUCT and depth == 0 and DATA <= field <= DATA_V2:
            for i in range(DATA, DATA_V2 + 1):
                source.bad |= fields[i] != ABSENT
            fields[field] = 0
            read_struct(source, inner, NULL, depth + 1)
        elif type_ == STRUCT:
            skip_value(source, type_, depth)
            fields[field] = 0
        else:
            source.bad = True
        if source.bad:
            return
        type_ = read_field_header(source, &field)


@cython.final
cdef class PageHeader:
    """One page header; see page_headers.pyi."""

    cdef readonly str kind
    cdef readonly Py_ssize_t start, stored_size, size
    cdef readonly Py_ssize_t n_values, n_rows, n_nulls, levels_size
    cdef readonly int encoding, level_encoding
    cdef readonly bint is_compressed


cdef bint copy_fields(PageHeader header, const int64_t *fields, const int64_t *inner):
    """Fill in a header by its kind; return whether all that the kind needs is there."""
    cdef int64_t least
    header.size, header.stored_size = fields[SIZE], fields[STORED_SIZE]
    header.n_values = inner[1]
    header.is_compressed = True
    header.level_encoding = 0
    if fields[PAGE_TYPE] == 0 and fields[DATA] != ABSENT:
        header.kind = "data"
        header.encoding, header.level_encoding = inner[2], inner[3]
        header.n_rows = inner[1]
        least = min(inner[1], inner[2], inner[3], inner[4])
    elif fields[PAGE_TYPE] == 2 and fields[DICTIONARY] != ABSENT:
        header.kind = "dictionary"
        header.encoding = inner[2]
        least = min(inner[1], inner[2])
    elif fields[PAGE_TYPE] == 3 and fields[DATA_V2] != ABSENT:
        header.kind = "data_v2"
        header.n_nulls, header.n_rows, header.encoding = inner[2], inner[3], inner[4]
        header.levels_size = inner[5]
        header.is_compressed = inner[7] != IS_FALSE
        least = min(min(inner[1], inner[2], inner[3]), min(inner[4], inner[5]))
        # Repetition levels are those of nested columns.
        if inner[6] != 0 or inner[7] >= 0 or inner[5] > min(fields[SIZE], fields[STORED_SIZE]):
            return False
    else:
        return False
    return least >= 0 and min(header.size, header.stored_size) >= 0


def read_header(const uint8_t[::1] chunk not None, Py_ssize_t start):
    """Return the page header that starts there; see page_headers.pyi."""
    cdef Source source
    cdef int64_t fields[N_FIELDS]
    cdef int64_t inner[N_FIELDS]
    cdef PageHeader header = PageHeader.__new__(PageHeader)
    if not 0 <= start < chunk.shape[0]:
        raise PageError("the pages end too soon")
    source.at = &chunk[start]
    source.end = source.at + (chunk.shape[0] - start)
    source.bad = False
    read_struct(&source, fields, inner, 0)
    if source.bad:
        raise PageError("a page header cannot be read")
    header.start = source.at - &chunk[0]
    if not copy_fields(header, fields, inner):
        raise PageError("a page header lacks what its page needs")
    if header.stored_size > chunk.shape[0] - header.start:
        raise PageError("a page is longer than its chunk")
    return header


def indexed_pages(
    const uint8_t[::1] chunk not None, Py_ssize_t start, Py_ssize_t n_rows, Py_ssize_t most_bytes
):
    """Return the data pages of indices that follow each other there; see page_headers.pyi."""
    cdef Source source
    cdef int64_t fields[N_FIELDS]
    cdef int64_t inner[N_FIELDS]
    cdef int64_t[:, ::1] pages
    cdef Py_ssize_t n = 0, body
    pages_array = np.empty((64, 4), np.int64)
    pages = pages_array
    if start < 0:
        raise ValueError("a chunk begins at 0")
    while start < chunk.shape[0]:
        source.at, source.end = &chunk[start], &chunk[0] + chunk.shape[0]
        source.bad = False
        read_struct(&source, fields, inner, 0)
        body = source.at - &chunk[0]
        if source.bad or fields[PAGE_TYPE] != 0 or fields[DATA] == ABSENT:
            break
        if inner[2] not in (OLD_INDICES, INDICES) or inner[3] != LEVELS or inner[4] < 0:
            break
        if not 0 <= inner[1] <= n_rows or not 0 <= fields[SIZE] <= most_bytes:
            break
        if not 0 <= fields[STORED_SIZE] <= chunk.shape[0] - body:
            break
        if n == pages.shape[0]:
            pages_array = np.concatenate([pages_array, np.empty_like(pages_array)])
            pages = pages_array
        pages[n, 0], pages[n, 1] = body, fields[STORED_SIZE]
        pages[n, 2], pages[n, 3] = fields[SIZE], inner[1]
        n += 1
        n_rows -= inner[1]
        most_bytes -= fields[SIZE]
        start = body + fields[STORED_SIZE]
    return np.ascontiguousarray(pages_array[:n].T), start
