from libc.stdint cimport int64_t, uint64_t

cdef int accumulate(
    const int64_t[::1] starts,
    const int64_t[::1] activities,
    const int64_t[::1] measures,
    const int64_t[::1] whole,
    const uint64_t[::1] part,
    const unsigned char[::1] inexact,
    int64_t[::1] cost,
    uint64_t[::1] fraction,
    int64_t[::1] error,
) noexcept nogil
