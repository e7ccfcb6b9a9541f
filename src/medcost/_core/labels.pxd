cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef enum:
    GROUP = 32
    INLINE_WORDS = 3
    INLINE_BYTES = 8 * INLINE_WORDS
    # Labels that end in so many digits are found by their number.
    DIGITS = 8
    HEAD_WORDS = INLINE_WORDS - 1
    HEAD_SLOTS = 128

# A short text is its own key, padded with zeros; a long one has its hash there.
cdef struct Key:
    uint64_t words[INLINE_WORDS]
    uint32_t size

# 32 bytes, two to a cache line: a look-up of a short text waits for memory once.
cdef struct Slot:
    uint64_t words[INLINE_WORDS]
    uint32_t size
    int32_t label

# Labels of one length that differ in their last digits only: where their numbers begin in a table
# of labels by number. size: of the whole label, 0 in a free slot.
cdef struct Head:
    uint64_t words[HEAD_WORDS]
    uint32_t size
    uint32_t lowest
    uint32_t span
    uint32_t n
    int64_t first

@cython.final
cdef class LabelTable:
    cdef readonly Py_ssize_t n_labels
    cdef const int32_t[::1] offsets
    cdef const uint8_t[::1] labels
    cdef uint8_t[::1] memory
    cdef Slot *slots
    cdef uint64_t mask
    cdef Head heads[HEAD_SLOTS]
    cdef int n_heads
    cdef int32_t[::1] numbers

    cdef bint _ascends(self) noexcept nogil
    cdef int64_t _find_heads(self) noexcept nogil
    cdef Py_ssize_t _number(self) noexcept nogil
    cdef void _fill(self) noexcept nogil
    cdef inline Head *head_of(self, const uint8_t *text, uint32_t size, const uint8_t *end) noexcept nogil
    cdef inline const int32_t *place_of(self, const uint8_t *text, uint32_t size, const uint8_t *end) noexcept nogil
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
