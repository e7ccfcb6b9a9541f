"""The compiler's 128-bit integers and checked 64-bit addition (gcc and clang)."""

from libc.stdint cimport int64_t, uint64_t

cdef extern from *:
    """
    typedef __int128 medcost_i128;
    typedef unsigned __int128 medcost_u128;
    static inline int medcost_add(int64_t a, int64_t b, int64_t *sum) {
        return __builtin_add_overflow(a, b, sum);
    }
    """
    ctypedef long long i128 "medcost_i128"
    ctypedef unsigned long long u128 "medcost_u128"
    bint add_overflows "medcost_add"(int64_t a, int64_t b, int64_t *total) noexcept nogil
