"""Ids by the hashes of their bytes, and which hashes stand more than once."""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from medcost._core.hashing cimport hash_text
from medcost._core.page_headers import PageError
from medcost._core.utf8 cimport is_utf8

cdef enum:
    FINE = 0
    EMPTY = 1
    SUSPECT = 2
    BLANK = 32
    LAST_ASCII = 127
    MOST_BITS = 16


cdef inline bint may_be_blank(uint8_t letter) noexcept nogil:
    """Only a control character, a blank or a byte beyond ASCII can belong to a blank."""
    return letter <= BLANK or letter >= LAST_ASCII


cdef inline uint8_t take(
    const uint8_t *text, uint32_t size, int64_t *hashed
) noexcept nogil:
    """Write the hash of a text and return its state."""
    if size == 0:
        hashed[0] = 0
        return EMPTY
    hashed[0] = <int64_t>hash_text(text, size)
    return SUSPECT if may_be_blank(text[0]) or may_be_blank(text[size - 1]) else FINE


cdef Py_ssize_t hash_plain(
    const uint8_t *at, const uint8_t *end, Py_ssize_t most, int64_t *hashes, uint8_t *states
) noexcept nogil:
    """Write hash and state of each text up to the end; return how many, -1 for wrong bytes."""
    cdef Py_ssize_t n = 0
    cdef uint32_t size
    while at < end:
        if n == most or end - at < 4:
            return -1
        memcpy(&size, at, 4)
        at += 4
        if size > end - at or not is_utf8(at, size):
            return -1
        states[n] = take(at, size, &hashes[n])
        at += size
        n += 1
    return n


def plain_hashes(const uint8_t[::1] body not None, Py_ssize_t start, Py_ssize_t most):
    """Return hashes and states of the texts from start to the end; see text_hashes.pyi."""
    cdef Py_ssize_t n
    cdef int64_t[::1] hashes
    cdef uint8_t[::1] states
    if not 0 <= start <= body.shape[0] or most < 0:
        raise PageError("a page ends before its values")
    # Each text takes 4 bytes or more, whatever the header says of their number.
    most = min(most, (body.shape[0] - start) // 4)
    hashes_array, states_array = np.empty(most, np.int64), np.empty(most, np.uint8)
    if start == body.shape[0]:
        return hashes_array, None
    if most == 0:
        raise PageError("texts do not fit their page")
    hashes, states = hashes_array, states_array
    with nogil:
        n = hash_plain(
            &body[start],
            &body[start] + (body.shape[0] - start),
            most,
            &hashes[0],
            &states[0],
        )
    if n < 0:
        raise PageError("texts do not fit their page, or are not UTF-8")
    states_array = states_array[:n]
    return hashes_array[:n], states_array if states_array.any() else None


def arrow_hashes(const int32_t[::1] offsets not None, const uint8_t[::1] data not None):
    """Return hashes and states of texts in Arrow's buffers; see text_hashes.pyi."""
    cdef Py_ssize_t i, n = offsets.shape[0] - 1
    cdef int64_t[::1] hashes
    cdef uint8_t[::1] states
    if n < 0:
        raise ValueError("offsets have no end")
    for i in range(n):
        if not 0 <= offsets[i] <= offsets[i + 1] <= data.shape[0]:
            raise ValueError("offsets do not fit the data")
    hashes_array, states_array = np.empty(n, np.int64), np.empty(n, np.uint8)
    hashes, states = hashes_array, states_array
    cdef const uint8_t *text = &data[0] if data.shape[0] else NULL
    with nogil:
        for i in range(n):
            states[i] = take(text + offsets[i], offsets[i + 1] - offsets[i], &hashes[i])
    return hashes_array, states_array


def split_by_hash(const uint64_t[::1] hashes not None, int bits):
    """Return the hashes by their highest bits, and where each group starts; see text_hashes.pyi."""
    cdef Py_ssize_t i, n = hashes.shape[0]
    cdef uint64_t group
    cdef uint64_t[::1] out
    cdef int64_t[::1] at
    if not 1 <= bits <= MOST_BITS:
        raise ValueError("groups are told apart by 1 to 16 bits")
    cdef int shift = 64 - bits
    out_array, at_array = np.empty(n, np.uint64), np.zeros((1 << bits) + 1, np.int64)
    out, at = out_array, at_array
    with nogil:
        for i in range(n):
            at[<Py_ssize_t>(hashes[i] >> shift) + 1] += 1
    np.cumsum(at_array, out=at_array)
    starts = at_array.copy()
    with nogil:
        for i in range(n):
            group = hashes[i] >> shift
            out[at[group]] = hashes[i]
            at[group] += 1
    return out_array, starts


def equal_hashes(const uint64_t[::1] hashes not None):
    """Return the hashes that stand more than once, and how often; see text_hashes.pyi."""
    cdef Py_ssize_t i, n = hashes.shape[0], size = 16, n_equal = 0
    cdef uint64_t mask, place, hashed
    cdef uint64_t[::1] keys
    cdef int64_t[::1] counts
    while size < 2 * n:
        size *= 2
    mask = size - 1
    keys_array, counts_array = np.zeros(size, np.uint64), np.zeros(size, np.int64)
    keys, counts = keys_array, counts_array
    with nogil:
        for i in range(n):
            hashed = hashes[i]
            # The lowest bits: the highest may be the same for all.
            place = hashed & mask
            while counts[place] and keys[place] != hashed:
                place = (place + 1) & mask
            keys[place] = hashed
            counts[place] += 1
    several = np.flatnonzero(counts_array > 1)
    return keys_array[several], counts_array[several]
