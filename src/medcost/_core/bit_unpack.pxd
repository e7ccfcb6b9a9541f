"""Groups of eight bit-packed indices, taken through a table: one copy of the loop a width.

Shifts and masks that the compiler knows are worth three times the speed of those it does not. A
table has 2^width entries or more, so that an index is used before it is checked; what counts is
that the caller hears of an index above last. Eight bytes are read from the byte where an index
starts: the caller leaves 8 bytes after the last index. Little-endian machines only.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "Parquet pages are read on little-endian machines only"
    #endif

    #define MEDCOST_WIDTH(NAME, WIDTH) \\
        case WIDTH: return NAME##_groups(packed, n_groups, table, last, out, WIDTH);

    #define MEDCOST_UNPACK(NAME, TYPE) \\
    static inline __attribute__((always_inline)) int NAME##_groups( \\
        const uint8_t *packed, int64_t n_groups, const TYPE *restrict table, uint64_t last, \\
        TYPE *restrict out, const int width) { \\
        const uint64_t mask = ((uint64_t)1 << width) - 1; \\
        uint64_t above = 0; \\
        for (int64_t group = 0; group < n_groups; group++) { \\
            _Pragma("GCC unroll 8") \\
            for (int k = 0; k < 8; k++) { \\
                uint64_t index; \\
                memcpy(&index, packed + (k * width >> 3), 8); \\
                index = (index >> (k * width & 7)) & mask; \\
                above |= last - index; \\
                out[k] = table[index]; \\
            } \\
            packed += width; \\
            out += 8; \\
        } \\
        return (int)(above >> 63); \\
    } \\
    static int NAME( \\
        const uint8_t *packed, int64_t n_groups, const TYPE *table, uint64_t last, TYPE *out, \\
        int width) { \\
        switch (width) { \\
        MEDCOST_WIDTH(NAME, 1) MEDCOST_WIDTH(NAME, 2) MEDCOST_WIDTH(NAME, 3) \\
        MEDCOST_WIDTH(NAME, 4) MEDCOST_WIDTH(NAME, 5) MEDCOST_WIDTH(NAME, 6) \\
        MEDCOST_WIDTH(NAME, 7) MEDCOST_WIDTH(NAME, 8) MEDCOST_WIDTH(NAME, 9) \\
        MEDCOST_WIDTH(NAME, 10) MEDCOST_WIDTH(NAME, 11) MEDCOST_WIDTH(NAME, 12) \\
        MEDCOST_WIDTH(NAME, 13) MEDCOST_WIDTH(NAME, 14) MEDCOST_WIDTH(NAME, 15) \\
        MEDCOST_WIDTH(NAME, 16) MEDCOST_WIDTH(NAME, 17) MEDCOST_WIDTH(NAME, 18) \\
        MEDCOST_WIDTH(NAME, 19) MEDCOST_WIDTH(NAME, 20) \\
        default: return 1; \\
        } \\
    }

    MEDCOST_UNPACK(medcost_unpack_int32, int32_t)
    MEDCOST_UNPACK(medcost_unpack_int64, int64_t)
    MEDCOST_UNPACK(medcost_unpack_uint8, uint8_t)
    """
    bint unpack_int32 "medcost_unpack_int32"(
        const uint8_t *packed, int64_t n_groups, const int32_t *table, uint64_t last,
        int32_t *out, int width) noexcept nogil
    bint unpack_int64 "medcost_unpack_int64"(
        const uint8_t *packed, int64_t n_groups, const int64_t *table, uint64_t last,
        int64_t *out, int width) noexcept nogil
    bint unpack_uint8 "medcost_unpack_uint8"(
        const uint8_t *packed, int64_t n_groups, const uint8_t *table, uint64_t last,
        uint8_t *out, int width) noexcept nogil

cdef enum:
    WIDEST_UNPACKED = 20
