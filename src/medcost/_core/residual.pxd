from libc.stdint cimport int64_t

cdef void residual_column(
    const int64_t[:, ::1] links,
    const int64_t[::1] totals,
    int64_t direct,
    Py_ssize_t row,
    int bits,
    const int64_t[:, :, ::1] unit_costs,
    Py_ssize_t element,
    double[:, ::1] out,
) noexcept nogil
