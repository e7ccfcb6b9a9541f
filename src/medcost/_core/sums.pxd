from libc.stdint cimport int64_t

cdef Py_ssize_t add_all(
    int64_t[:, ::1] totals, const int64_t[::1] rows, const int64_t[:, ::1] values
) noexcept nogil
