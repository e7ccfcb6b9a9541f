cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef enum:
    GROUP = 32
    INLINE_WORDS = 3
    INLINE_BYTES = 8 * INLINE_WORDS

# A short text is its own key, padded with zeros; a long one has its hash there.
cdef struct Key:
    uint64_t words[INLINE_WORDS]
    uint32_t size

# 32 bytes, two to a cache line: a look-up of a short text waits for memory once.
cdef struct Slot:
    uint64_t words[INLINE_WORDS]
    uint32_t size
    int32_t label

@cython.final
cdef class LabelTable:
    cdef readonly Py_ssize_t n_labels
    cdef const int32_t[::1] offsets
    cdef const uint8_t[::1] labels
    cdef uint8_t[::1] memory
    cdef Slot *slots
    cdef uint64_t mask

    cdef bint _fill(self) noexcept nogil
    cdef inline int32_t settle(self, const Key *key, uint64_t position, const uint8_t *text) noexcept nogil
    cdef int32_t find_one(self, const uint8_t *text, Py_ssize_t size) noexcept nogil
    cdef void find_group(
        self,
        const uint8_t **texts,
        const uint32_t *sizes,
        Py_ssize_t n,
        const uint8_t *end,
        int32_t *out,
    ) noexcept nogil
    cdef void find_all(
        self, const int32_t[::1] offsets, const uint8_t *text, const uint8_t *end, int32_t *out
    ) noexcept nogil
