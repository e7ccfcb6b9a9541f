from libc.stdint cimport int64_t

cdef int64_t kth_largest(int64_t *values, Py_ssize_t n, Py_ssize_t k) noexcept nogil

cdef int64_t split_amount(
    int64_t amount,
    const int64_t *weights,
    Py_ssize_t n,
    int64_t total,
    int64_t *parts,
    Py_ssize_t stride,
    int64_t *pieces,
    int64_t *scratch,
) noexcept nogil
