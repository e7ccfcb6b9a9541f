from libc.stdint cimport int64_t, uint64_t


cdef inline int64_t place_of(int64_t key, int64_t mask) noexcept nogil:
    # Fibonacci hashing: the high bits of the product depend on every bit of the key.
    cdef uint64_t product = <uint64_t>key * <uint64_t>0x9E3779B97F4A7C15
    return <int64_t>((product ^ (product >> 32)) & <uint64_t>mask)


cdef struct KeySlot:
    int64_t key
    int64_t slot


cdef class KeyTable:
    cdef KeySlot *table
    cdef int64_t *keys
    cdef int64_t mask
    cdef int64_t n
    cdef bint reserve(self, int64_t wanted) noexcept nogil
    cdef void reset(self) noexcept nogil
    cdef int64_t find_slot(self, int64_t key) noexcept nogil
    cdef int64_t add_slot(self, int64_t key) noexcept nogil
