"""Values of Parquet's PLAIN encoding: texts to codes, numbers to int64."""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from medcost._core.labels cimport GROUP, LabelTable
from medcost._core.page_headers import PageError
from medcost._core.utf8 cimport is_utf8

cdef extern from *:
    uint64_t swapped "__builtin_bswap64"(uint64_t word) noexcept nogil

cdef enum:
    UNKNOWN = -1
    ROW_FAULT = 2
    WIDEST = 16


cdef Py_ssize_t find_texts(
    LabelTable labels, const uint8_t *at, const uint8_t *end, Py_ssize_t most, int32_t *out
) noexcept nogil:
    """Write the code of each text up to the end; return how many, -1 where the bytes are wrong."""
    cdef const uint8_t *texts[GROUP]
    cdef uint32_t sizes[GROUP]
    cdef Py_ssize_t found = 0, n, i
    while at < end:
        n = 0
        while at < end and n < GROUP:
            if found + n == most or end - at < 4:
                return -1
            memcpy(&sizes[n], at, 4)
            at += 4
            if sizes[n] > end - at:
                return -1
            texts[n] = at
            at += sizes[n]
            n += 1
        labels.find_group(texts, sizes, n, end, out + found)
        for i in range(n):
            # Labels are valid by themselves.
            if out[found + i] == UNKNOWN and not is_utf8(texts[i], sizes[i]):
                return -1
        found += n
    return found


def text_codes(
    LabelTable labels not None,
    const uint8_t[::1] body not None,
    Py_ssize_t start,
    Py_ssize_t most,
):
    """Return the codes of the texts from start to the end; see plain_values.pyi."""
    cdef Py_ssize_t n
    cdef int32_t[::1] out
    if not 0 <= start <= body.shape[0] or most < 0:
        raise PageError("a page ends before its values")
    if start == body.shape[0]:
        return np.empty(0, np.int32)
    # Each text takes 4 bytes or more, whatever the header says of their number.
    most = min(most, (body.shape[0] - start) // 4)
    out_array = np.empty(most, np.int32)
    out = out_array
    with nogil:
        n = find_texts(
            labels,
            &body[start],
            &body[start] + (body.shape[0] - start),
            most,
            &out[0] if out.shape[0] else NULL,
        )
    if n < 0:
        raise PageError("texts do not fit their page, or are not UTF-8")
    return out_array[:n]


cdef inline int64_t narrowed(uint64_t low, uint64_t high, bint *fits) noexcept nogil:
    """Return 128 bits in 64, and whether they hold them."""
    fits[0] = high == <uint64_t>(<int64_t>low >> 63)
    return <int64_t>low


cdef inline uint64_t big_endian(const uint8_t *at, Py_ssize_t width) noexcept nogil:
    """Return up to 8 bytes, the highest first, with the sign carried on."""
    cdef uint64_t word = 0
    memcpy(&word, at, width)
    return <uint64_t>(<int64_t>swapped(word) >> (64 - 8 * width))


cdef inline void read_wide(
    const uint8_t *at, Py_ssize_t width, bint reverse, uint64_t *low, uint64_t *high
) noexcept nogil:
    """Write a number of 1 to 16 bytes, the highest first, or of 4 or 8, the lowest first."""
    cdef int32_t narrow = 0
    if not reverse and width == 4:
        memcpy(&narrow, at, 4)
        low[0] = <uint64_t><int64_t>narrow
    elif not reverse:
        memcpy(low, at, 8)
    elif width > 8:
        high[0] = big_endian(at, width - 8)
        memcpy(low, at + width - 8, 8)
        low[0] = swapped(low[0])
        return
    else:
        low[0] = big_endian(at, width)
    high[0] = <uint64_t>(<int64_t>low[0] >> 63)


cdef inline bint take_numbers(
    const uint8_t *at,
    Py_ssize_t n,
    Py_ssize_t width,
    bint reverse,
    int64_t limit,
    int64_t *values,
    uint8_t *states,
) noexcept nogil:
    """Write numbers and states; return whether one is at fault. Inlined, for a width known."""
    cdef Py_ssize_t i
    cdef uint64_t low, high
    cdef bint fits, bad, any_bad = False
    for i in range(n):
        read_wide(at + i * width, width, reverse, &low, &high)
        values[i] = narrowed(low, high, &fits)
        bad = not fits or values[i] > limit or values[i] < -limit
        values[i] = 0 if bad else values[i]
        states[i] = ROW_FAULT if bad else 0
        any_bad |= bad
    return any_bad


cdef bint take_of_width(
    const uint8_t *at,
    Py_ssize_t n,
    Py_ssize_t width,
    bint reverse,
    int64_t limit,
    int64_t *values,
    uint8_t *states,
) noexcept nogil:
    # pyarrow writes decimals of 18 digits in 8 bytes, others in 16.
    if width == 8 and reverse:
        return take_numbers(at, n, 8, True, limit, values, states)
    if width == 16 and reverse:
        return take_numbers(at, n, 16, True, limit, values, states)
    if width == 8:
        return take_numbers(at, n, 8, False, limit, values, states)
    return take_numbers(at, n, width, reverse, limit, values, states)


cdef Py_ssize_t count_whole(
    const uint8_t[::1] body, Py_ssize_t start, Py_ssize_t most, Py_ssize_t width, bint reverse
) except -1:
    """Return how many numbers stand from start to the end; raise where they do not fit."""
    cdef Py_ssize_t n
    if not 1 <= width <= WIDEST or (not reverse and width != 4 and width != 8):
        raise PageError("numbers of this width are not read here")
    if not 0 <= start <= body.shape[0]:
        raise PageError("a page ends before its values")
    n = (body.shape[0] - start) // width
    if n * width != body.shape[0] - start or n > most:
        raise PageError("numbers do not fit their page")
    return n


def numbers(
    const uint8_t[::1] body not None,
    Py_ssize_t start,
    Py_ssize_t most,
    Py_ssize_t width,
    bint reverse,
    int64_t limit,
):
    """Return the numbers from start to the end and their states; see plain_values.pyi."""
    cdef Py_ssize_t n = count_whole(body, start, most, width, reverse)
    cdef int64_t[::1] values
    cdef uint8_t[::1] states
    cdef bint any_bad
    values_array, states_array = np.empty(n, np.int64), np.empty(n, np.uint8)
    if n == 0:
        return values_array, None
    values, states = values_array, states_array
    with nogil:
        any_bad = take_of_width(&body[start], n, width, reverse, limit, &values[0], &states[0])
    return values_array, states_array if any_bad else None


def wide_numbers(
    const uint8_t[::1] body not None,
    Py_ssize_t start,
    Py_ssize_t most,
    Py_ssize_t width,
    bint reverse,
):
    """Return the numbers from start to the end in 128 bits each; see plain_values.pyi."""
    cdef Py_ssize_t n = count_whole(body, start, most, width, reverse), i
    cdef uint64_t[:, ::1] words
    words_array = np.empty((n, 2), np.uint64)
    words = words_array
    with nogil:
        for i in range(n):
            read_wide(&body[start + i * width], width, reverse, &words[i, 0], &words[i, 1])
    return words_array
