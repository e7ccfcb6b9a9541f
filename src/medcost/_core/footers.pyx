"""Where a Parquet file's column chunks lie: its footer, read from bytes that nobody vouches for."""

import numpy as np

from libc.stdint cimport int64_t, uint8_t, uint64_t

from medcost._core.page_headers import PageError
from medcost._core.thrift cimport (
    I32,
    I64,
    LIST,
    STOP,
    STRUCT,
    Source,
    read_field_header,
    read_list_header,
    read_signed,
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

    ABSENT = -1
    N_PLACES = 7

# Where a field of ColumnMetaData goes in a row of places; the first is the group's rows.
cdef int PLACE_OF[12]
for _field in range(12):
    PLACE_OF[_field] = 0
PLACE_OF[CODEC], PLACE_OF[N_VALUES], PLACE_OF[SIZE] = 1, 2, 3
PLACE_OF[STORED_SIZE], PLACE_OF[DATA_OFFSET], PLACE_OF[DICTIONARY_OFFSET] = 4, 5, 6


cdef void read_place(Source *source, int64_t *place) noexcept nogil:
    """Read a ColumnMetaData; twice the same field is refused, as readers differ in it."""
    cdef int64_t field = 0
    cdef int type_ = read_field_header(source, &field), to
    while type_ != STOP:
        to = PLACE_OF[field] if 0 < field < 12 else 0
        if to and (type_ == I32 or type_ == I64):
            source.bad |= place[to] != ABSENT or type_ != (I32 if field == CODEC else I64)
            place[to] = read_signed(source)
            source.bad |= place[to] < 0
        else:
            source.bad |= to != 0
            skip_value(source, type_, 0)
        type_ = read_field_header(source, &field)


cdef void read_chunk(Source *source, int64_t *place) noexcept nogil:
    """Read a ColumnChunk; one in another file, or encrypted, is refused."""
    cdef int64_t field = 0
    cdef int type_ = read_field_header(source, &field)
    cdef bint seen = False
    while type_ != STOP:
        if field == CHUNK_PLACE and type_ == STRUCT and not seen:
            read_place(source, place)
            seen = True
        elif field in (CHUNK_FILE, CHUNK_PLACE, CHUNK_CRYPTO, CHUNK_ENCRYPTED):
            source.bad = True
        else:
            skip_value(source, type_, 0)
        type_ = read_field_header(source, &field)
    for type_ in range(1, N_PLACES - 1):
        # All but the dictionary's place must be there.
        source.bad |= place[type_] == ABSENT


cdef void read_group(Source *source, int64_t *places, Py_ssize_t n_columns) noexcept nogil:
    """Read a RowGroup into the places of its columns."""
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
                read_chunk(source, places + i * N_PLACES)
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
    Source *source, int64_t *places, Py_ssize_t n_groups, Py_ssize_t n_columns
) noexcept nogil:
    """Read a FileMetaData; return whether it is sound and has so many groups and columns."""
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
                read_group(source, places + i * n_columns * N_PLACES, n_columns)
        elif field == ROW_GROUPS:
            source.bad = True
        else:
            skip_value(source, type_, 0)
        type_ = read_field_header(source, &field)
    return seen and not source.bad


def chunk_places(const uint8_t[::1] footer not None, Py_ssize_t n_groups, Py_ssize_t n_columns):
    """Return where the chunks of a file lie; see footers.pyi."""
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
        )
    if not sound:
        raise PageError("a footer cannot be read, or its chunks are encrypted")
    return places_array
