"""Thrift's compact protocol, read from bytes that nobody vouches for.

Nothing is read at or after the end; what cannot be read makes the source bad, for good.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t

cdef enum:
    DEEPEST = 16
    STOP = 0
    TRUE = 1
    FALSE = 2
    BYTE = 3
    I16 = 4
    I32 = 5
    I64 = 6
    DOUBLE = 7
    BINARY = 8
    LIST = 9
    SET = 10
    STRUCT = 12

cdef struct Source:
    const uint8_t *at
    const uint8_t *end
    bint bad


cdef inline uint64_t read_varint(Source *source) noexcept nogil:
    cdef uint64_t value = 0, byte
    cdef int shift = 0
    while source.at < source.end and shift < 64:
        byte = source.at[0]
        source.at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value
        shift += 7
    source.bad = True
    return 0


cdef inline int64_t read_signed(Source *source) noexcept nogil:
    cdef uint64_t value = read_varint(source)
    return <int64_t>(value >> 1) ^ -<int64_t>(value & 1)


cdef inline void skip_bytes(Source *source, uint64_t n) noexcept nogil:
    if n > <uint64_t>(source.end - source.at):
        source.bad = True
    else:
        source.at += n


cdef inline int read_field_header(Source *source, int64_t *field) noexcept nogil:
    """Return the type of the next field and move its number on; STOP where the bytes end."""
    cdef uint8_t byte
    if source.bad or source.at >= source.end:
        source.bad = True
        return STOP
    byte = source.at[0]
    source.at += 1
    if byte == STOP:
        return STOP
    if byte >> 4:
        field[0] += byte >> 4
    else:
        field[0] = read_signed(source)
    return byte & 15


cdef inline uint64_t read_list_header(Source *source, int *element) noexcept nogil:
    """Return the number of elements of a list or set, and their type."""
    cdef uint8_t byte
    if source.bad or source.at >= source.end:
        source.bad = True
        return 0
    byte = source.at[0]
    source.at += 1
    element[0] = byte & 15
    return read_varint(source) if byte >> 4 == 15 else byte >> 4


cdef inline void skip_value(Source *source, int type_, int depth) noexcept nogil:
    """Pass over a value that is not needed; maps stand in no structure of Parquet's."""
    cdef int64_t field = 0
    cdef uint64_t n
    cdef int inner = STOP
    if type_ == TRUE or type_ == FALSE:
        return
    if type_ == BYTE:
        skip_bytes(source, 1)
    elif type_ == I16 or type_ == I32 or type_ == I64:
        read_varint(source)
    elif type_ == DOUBLE:
        skip_bytes(source, 8)
    elif type_ == BINARY:
        skip_bytes(source, read_varint(source))
    elif type_ == STRUCT and depth < DEEPEST:
        inner = read_field_header(source, &field)
        while inner != STOP:
            skip_value(source, inner, depth + 1)
            inner = read_field_header(source, &field)
    elif (type_ == LIST or type_ == SET) and depth < DEEPEST:
        n = read_list_header(source, &inner)
        while n and not source.bad:
            # A truth value of a list takes a byte; one of a struct is its type.
            skip_value(source, BYTE if inner == TRUE or inner == FALSE else inner, depth + 1)
            n -= 1
    else:
        source.bad = True
