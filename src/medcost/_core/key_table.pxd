from libc.stdint cimport int32_t, int64_t, uint64_t


cdef struct KeySlot:
    int64_t key
    int64_t slot


cdef class KeyTable:
    cdef KeySlot *table
    cdef int64_t *keys
    cdef int64_t mask
    cdef int64_t n
    cdef int reserve(self, int64_t wanted) except -1
    cdef int reset(self) except -1
    cdef int64_t find_slot(self, int64_t key) noexcept nogil
    cdef int64_t add_slot(self, int64_t key) noexcept nogil
