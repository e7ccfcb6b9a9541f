"""Plain loops over arrays, compiled once for each width of registers; the processor chooses.

Each is a line that the compiler turns into registers full of values at a time. What they compute
does not depend on the width.
"""

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t

cdef extern from *:
    """
    #include <stdint.h>

    #if defined(__x86_64__)
    #define MEDCOST_BY_WIDTH(NAME, GIVEN, PASSED) \\
    static inline __attribute__((target("avx2"))) void NAME##_32 GIVEN { NAME##_loop PASSED; } \\
    static inline __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))) \\
    void NAME##_64 GIVEN { NAME##_loop PASSED; } \\
    static inline void NAME GIVEN { \\
        if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") \\
                && __builtin_cpu_supports("avx512dq")) \\
            NAME##_64 PASSED; \\
        else if (__builtin_cpu_supports("avx2")) \\
            NAME##_32 PASSED; \\
        else \\
            NAME##_loop PASSED; \\
    }
    #else
    #define MEDCOST_BY_WIDTH(NAME, GIVEN, PASSED) \\
    static void NAME GIVEN { NAME##_loop PASSED; }
    #endif
    #define MEDCOST_LOOP static inline __attribute__((always_inline)) void

    MEDCOST_LOOP medcost_narrow_loop(
        const int64_t *restrict given, int64_t n, int32_t *restrict out, int64_t *bits,
        int64_t *signs) {
        int64_t all = 0, sign = 0;
        for (int64_t i = 0; i < n; i++) {
            all |= given[i] ^ (given[i] >> 63);
            sign |= given[i];
            out[i] = (int32_t)given[i];
        }
        *bits |= all;
        *signs |= sign;
    }
    MEDCOST_BY_WIDTH(medcost_narrow,
        (const int64_t *given, int64_t n, int32_t *out, int64_t *bits, int64_t *signs),
        (given, n, out, bits, signs))

    MEDCOST_LOOP medcost_bits_loop(const int64_t *given, int64_t n, int64_t *bits) {
        int64_t all = 0;
        for (int64_t i = 0; i < n; i++)
            all |= given[i] ^ (given[i] >> 63);
        *bits |= all;
    }
    MEDCOST_BY_WIDTH(medcost_bits, (const int64_t *given, int64_t n, int64_t *bits), (given, n, bits))

    MEDCOST_LOOP medcost_widen_loop(
        const int32_t *restrict given, int64_t n, int64_t *restrict out) {
        for (int64_t i = 0; i < n; i++)
            out[i] = given[i];
    }
    MEDCOST_BY_WIDTH(medcost_widen, (const int32_t *given, int64_t n, int64_t *out), (given, n, out))

    MEDCOST_LOOP medcost_changes_loop(
        const int32_t *restrict codes, int64_t n, uint8_t *restrict changes) {
        for (int64_t i = 1; i < n; i++)
            changes[i] |= codes[i] != codes[i - 1];
    }
    MEDCOST_BY_WIDTH(medcost_changes,
        (const int32_t *codes, int64_t n, uint8_t *changes), (codes, n, changes))

    /* A constant divisor is a multiplication; what is left over tells whether all are multiples. */
    #define MEDCOST_DIVIDE(NAME, TYPE) \\
    MEDCOST_LOOP NAME##_loop( \\
        const int32_t *restrict given, int64_t n, TYPE *restrict out, int32_t *rest) { \\
        int32_t all = 0; \\
        for (int64_t i = 0; i < n; i++) { \\
            int32_t quotient = given[i] / 10000; \\
            out[i] = (TYPE)quotient; \\
            all |= given[i] - quotient * 10000; \\
        } \\
        *rest |= all; \\
    } \\
    MEDCOST_BY_WIDTH(NAME, (const int32_t *given, int64_t n, TYPE *out, int32_t *rest), \\
        (given, n, out, rest))
    MEDCOST_DIVIDE(medcost_divide_8, int8_t)
    MEDCOST_DIVIDE(medcost_divide_16, int16_t)
    MEDCOST_DIVIDE(medcost_divide_32, int32_t)
    """
    # Values in 32 bits; bits and signs take on those of their absolute values and of themselves.
    void narrow_values "medcost_narrow"(
        const int64_t *given, int64_t n, int32_t *out, int64_t *bits, int64_t *signs) noexcept nogil
    void add_bits "medcost_bits"(const int64_t *given, int64_t n, int64_t *bits) noexcept nogil
    void widen_values "medcost_widen"(
        const int32_t *given, int64_t n, int64_t *out) noexcept nogil
    # Marks the places of codes that are not the one before.
    void mark_changes "medcost_changes"(
        const int32_t *codes, int64_t n, uint8_t *changes) noexcept nogil
    # Values in whole services of 10,000; rest takes on what is left over of any.
    void divide_to_int8 "medcost_divide_8"(
        const int32_t *given, int64_t n, int8_t *out, int32_t *rest) noexcept nogil
    void divide_to_int16 "medcost_divide_16"(
        const int32_t *given, int64_t n, int16_t *out, int32_t *rest) noexcept nogil
    void divide_to_int32 "medcost_divide_32"(
        const int32_t *given, int64_t n, int32_t *out, int32_t *rest) noexcept nogil
