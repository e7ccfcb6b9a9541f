"""Hashes of texts: folded products, as good as 64 bits can be and of no use against an enemy."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from medcost._core.int128 cimport u128


cdef inline uint64_t factor() noexcept nogil:
    """Return digits of the golden ratio: odd, and half of the bits set."""
    return <uint64_t>0x9E3779B97F4A7C15


cdef inline uint64_t mixed(uint64_t hashed, uint64_t word) noexcept nogil:
    """Return the hash with a word mixed in: both halves of the full product, folded."""
    cdef u128 product = <u128>(hashed ^ word) * factor()
    return <uint64_t>product ^ <uint64_t>(product >> 64)


cdef inline uint64_t hash_text(const uint8_t *text, uint32_t size) noexcept nogil:
    """Return the hash of a text; equal texts have equal hashes, others almost never."""
    cdef uint64_t hashed = mixed(factor(), size), word
    cdef uint32_t i = 0
    while i + 8 <= size:
        memcpy(&word, text + i, 8)
        hashed = mixed(hashed, word)
        i += 8
    word = 0
    memcpy(&word, text + i, size - i)
    return mixed(hashed, word)
