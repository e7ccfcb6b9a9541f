"""Large arrays in large pages, where the system has them: scattered access misses fewer tables."""

cdef extern from *:
    """
    #include <stdlib.h>
    #include <string.h>
    #if defined(__linux__)
    #include <sys/mman.h>
    #endif
    static void *medcost_large(size_t bytes) {
        const size_t page = (size_t)1 << 21;
        void *place = NULL;
        if (bytes < page)
            return malloc(bytes ? bytes : 1);
        bytes = (bytes + page - 1) / page * page;
    #if defined(__linux__)
        if (posix_memalign(&place, page, bytes) != 0)
            return NULL;
        madvise(place, bytes, MADV_HUGEPAGE);
    #else
        place = malloc(bytes);
    #endif
        return place;
    }
    """
    # Freed by free; not cleared.
    void *large_malloc "medcost_large"(size_t size) noexcept nogil
