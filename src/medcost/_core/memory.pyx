"""How the process keeps memory that was freed."""


cdef extern from *:
    """
    #if defined(__GLIBC__)
    #include <malloc.h>
    static int medcost_keep(int bytes) {
        return mallopt(M_MMAP_THRESHOLD, bytes) & mallopt(M_TRIM_THRESHOLD, bytes)
            & mallopt(M_ARENA_MAX, 1);
    }
    #else
    static int medcost_keep(int bytes) { (void)bytes; return 0; }
    #endif
    """
    int keep "medcost_keep"(int size) noexcept nogil

cdef enum:
    LARGEST_KEPT = 1 << 30


def keep_freed_memory():
    """Do not give freed memory back to the system; see memory.pyi."""
    return keep(LARGEST_KEPT) != 0
