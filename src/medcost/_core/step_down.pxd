from libc.stdint cimport int64_t

cdef int run_sequence(
    int64_t[:, ::1] balance,
    const int64_t[::1] givers,
    const int64_t[::1] starts,
    const int64_t[::1] receivers,
    const int64_t[::1] weights,
    const int64_t[::1] totals,
    bint keep_credit,
    int64_t[:, ::1] flows,
    unsigned char[::1] kept,
    int64_t *scratch,
    Py_ssize_t longest,
) noexcept nogil
