"""What a Parquet file's footer says of its chunks, read from bytes that nobody vouches for."""

import numpy as np

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcmp

from medcost._core.page_headers import PageError
from medcost._core.thrift cimport (
    BINARY,
    I32,
    I64,
    LIST,
    STOP,
    STRUCT,
    TRUE,
    Source,
    read_field_header,
    read_list_header,
    read_signed,
    read_varint,
    skip_bytes,
    skip_value,
)

cdef enum:
    # Fields of the structures of parquet.thrift.
    ROW_GROUPS = 4
    GROUP_COLUMNS = 1
    GROUP_ROWS = 3
    CHUNK_FILE = 1
    CHUNK_PLACE = 3
    CHUNK_CRYPTO = 8
    CHUNK_ENCRYPTED = 9
    CODEC = 4
    N_VALUES = 5
    SIZE = 6
    STORED_SIZE = 7
    DATA_OFFSET = 9
    DICTIONARY_OFFSET = 11
    STATISTICS = 12
    MAX_OF_OLD = 1
    MIN_OF_OLD = 2
    N_NULLS = 3
    N_DISTINCT = 4
    MAX = 5
    MIN = 6
    IS_MAX_EXACT = 7
    IS_MIN_EXACT = 8

    ABSENT = -1
    N_PLACES = 7

# Where a field of ColumnMetaData goes in a row of places; the first is the group's rows.
cdef int PLACE_OF[12]
for _field in range(12):
    PLACE_OF[_field] = 0
PLACE_OF[CODEC], PLACE_OF[N_VALUES], PLACE_OF[SIZE] = 1, 2, 3
PLACE_OF[STORED_SIZE], PLACE_OF[DATA_OFFSET], PLACE_OF[DICTIONARY_OFFSET] = 4, 5, 6


cdef struct Statistics:
    # The one text that stands in all bounds; seen has a bit for each field, the lowest for them all.
    const uint8_t *text
    int64_t size
    int seen
    bint is_doubtful


cdef void read_statistics(Source *source, Statistics *found) noexcept nogil:
    """Read a Statistics; what does not fit one text in all rows makes it doubtful."""
    cdef int64_t field = 0, size
    cdef int type_ = read_field_header(source, &field)
    while type_ != STOP:
        if 0 < field <= IS_MIN_EXACT:
            found.is_doubtful |= (found.seen >> field) & 1
            found.seen |= 1 << field
        if type_ == BINARY and field in (MAX_OF_OLD, MIN_OF_OLD, MAX, MIN):
            size = <int64_t>read_varint(source)
            if found.text == NULL:
                found.text, found.size = source.at, size
            skip_bytes(source, <uint64_t>size)
            if source.bad:
                return
            found.is_doubtful |= size != found.size
            if not found.is_doubtful:
                found.is_doubtful = memcmp(source.at - size, found.text, size) != 0
        elif type_ == I64 and field in (N_NULLS, N_DISTINCT):
            found.is_doubtful |= read_signed(source) != (1 if field == N_DISTINCT else 0)
        else:
            # A bound that is none: it was cut off, or is of another type than it must be.
            if 0 < field <= IS_MIN_EXACT:
                found.is_doubtful |= field < IS_MAX_EXACT or type_ != TRUE
            skip_value(source, type_, 0)
        type_ = read_field_header(source, &field)


cdef void read_place(Source *source, int64_t *place, Statistics *found) noexcept nogil:
    """Read a ColumnMetaData; twice the same field is refused, as readers differ in it."""
    cdef int64_t field = 0
    cdef int type_ = read_field_header(source, &field), to
    while type_ != STOP:
        to = PLACE_OF[field] if 0 < field < 12 else 0
        if field == STATISTICS and found != NULL:
            found.is_doubtful |= type_ != STRUCT or found.seen != 0
            found.seen |= 1
            if type_ == STRUCT:
                read_statistics(source, found)
                type_ = read_field_header(source, &field)
                continue
        if to and (type_ == I32 or type_ == I64):
            source.bad |= place[to] != ABSENT or type_ != (I32 if field == CODEC else I64)
            place[to] = read_signed(source)
            source.bad |= place[to] < 0
        else:
            source.bad |= to != 0
            skip_value(source, type_, 0)
        type_ = read_field_header(source, &field)


cdef void read_chunk(Source *source, int64_t *place, Statistics *found) noexcept nogil:
    """Read a ColumnChunk; one in another file, or encrypted, is refused."""
    cdef int64_t field = 0
    cdef int type_ = read_field_header(source, &field)
    cdef bint seen = False
    while type_ != STOP:
        if field == CHUNK_PLACE and type_ == STRUCT and not seen:
            read_place(source, place, found)
            seen = True
        elif field in (CHUNK_FILE, CHUNK_PLACE, CHUNK_CRYPTO, CHUNK_ENCRYPTED):
            source.bad = True
        else:
            skip_value(source, type_, 0)
        type_ = read_field_header(source, &field)
    for type_ in range(1, N_PLACES - 1):
        # All but the dictionary's place must be there.
        source.bad |= place[type_] == ABSENT


cdef void read_group(
    Source *source, int64_t *places, Py_ssize_t n_columns, Statistics *found, Py_ssize_t column
) noexcept nogil:
    """Read a RowGroup into the places of its columns, and the statistics of one of them."""
    cdef int64_t field = 0, n_rows = ABSENT
    cdef int type_ = read_field_header(source, &field), element = STOP
    cdef Py_ssize_t i
    cdef bint seen = False
    while type_ != STOP:
        if field == GROUP_COLUMNS and type_ == LIST and not seen:
            seen = True
            if read_list_header(source, &element) != <uint64_t>n_columns or element != STRUCT:
                source.bad = True
            for i in range(n_columns):
                if source.bad:
                    break
                read_chunk(source, places + i * N_PLACES, found if i == column else NULL)
        elif field == GROUP_ROWS and type_ == I64 and n_rows == ABSENT:
            n_rows = read_signed(source)
        elif field == GROUP_COLUMNS or field == GROUP_ROWS:
            source.bad = True
        else:
            skip_value(source, type_, 0)
        type_ = read_field_header(source, &field)
    source.bad |= n_rows < 0 or not seen
    for i in range(n_columns):
        places[i * N_PLACES] = n_rows


cdef bint read_groups(
    Source *source,
    int64_t *places,
    Py_ssize_t n_groups,
    Py_ssize_t n_columns,
    Statistics *found,
    Py_ssize_t column,
) noexcept nogil:
    """Read a FileMetaData; return whether it is sound and has so many groups and columns.

    found: the statistics of one column [n_groups], or NULL.
    """
    cdef int64_t field = 0
    cdef int type_ = read_field_header(source, &field), element = STOP
    cdef Py_ssize_t i
    cdef bint seen = False
    while type_ != STOP:
        if field == ROW_GROUPS and type_ == LIST and not seen:
            seen = True
            if read_list_header(source, &element) != <uint64_t>n_groups or element != STRUCT:
                source.bad = True
            for i in range(n_groups):
                if source.bad:
                    break
                read_group(
                    source,
                    places + i * n_columns * N_PLACES,
                    n_columns,
                    found + i if found != NULL else NULL,
                    column,
                )
        elif field == ROW_GROUPS:
            source.bad = True
        else:
            skip_value(source, type_, 0)
        type_ = read_field_header(source, &field)
    return seen and not source.bad


cdef object places_of(
    const uint8_t[::1] footer,
    Py_ssize_t n_groups,
    Py_ssize_t n_columns,
    Statistics *found,
    Py_ssize_t column,
):
    """Return the places, and the statistics of one column; raises PageError."""
    cdef Source source
    cdef bint sound
    cdef int64_t[:, :, ::1] places
    if n_groups < 0 or n_columns < 0 or footer.shape[0] == 0:
        raise PageError("a file without a footer")
    # A chunk takes some bytes of the footer: it cannot have more of them.
    if n_columns and n_groups > footer.shape[0] // n_columns:
        raise PageError("a footer has other chunks than it says")
    places_array = np.full((n_groups, n_columns, N_PLACES), ABSENT, np.int64)
    places = places_array
    source.at = &footer[0]
    source.end = source.at + footer.shape[0]
    source.bad = False
    with nogil:
        sound = read_groups(
            &source,
            &places[0, 0, 0] if n_groups and n_columns else NULL,
            n_groups,
            n_columns,
            found,
            column,
        )
    if not sound:
        raise PageError("a footer cannot be read, or its chunks are encrypted")
    return places_array


def chunk_places(const uint8_t[::1] footer not None, Py_ssize_t n_groups, Py_ssize_t n_columns):
    """Return where the chunks of a file lie; see footers.pyi."""
    return places_of(footer, n_groups, n_columns, NULL, ABSENT)


def sole_texts(
    const uint8_t[::1] footer not None, Py_ssize_t n_groups, Py_ssize_t n_columns, Py_ssize_t column
):
    """Return the one text of a column in each row group, None where unproved; see footers.pyi."""
    cdef Py_ssize_t i
    cdef Statistics *one
    cdef int needed = 1 << MAX | 1 << MIN | 1 << N_NULLS
    if not 0 <= column < n_columns:
        raise ValueError("no such column")
    if n_groups > footer.shape[0]:
        raise PageError("a footer has other chunks than it says")
    statistics = np.zeros(max(n_groups, 0) * sizeof(Statistics), np.uint8)
    cdef uint8_t[::1] memory = statistics
    cdef Statistics *found = <Statistics *>&memory[0] if n_groups > 0 else NULL
    cdef int64_t[:, :, ::1] places = places_of(footer, n_groups, n_columns, found, column)
    texts = []
    for i in range(n_groups):
        one = found + i
        # A chunk with other values than its group has rows proves nothing of the rows.
        one.is_doubtful |= places[i, column, 0] != places[i, column, 2]
        one.is_doubtful |= one.seen & needed != needed
        texts.append(None if one.is_doubtful else one.text[: one.size])
    return texts
