"""SHA-256 of two messages side by side, on processors with instructions for it."""

from libc.stdint cimport uint8_t, uint32_t

cdef enum:
    BLOCK_BYTES = 64
    WORDS = 8

cdef extern from *:
    """
    #include <stddef.h>
    #include <stdint.h>

    #if defined(__x86_64__)
    #include <immintrin.h>
    /* FIPS 180-4, section 4.2.2: the first 32 bits of the cube roots of the first 64 primes. */
    static const uint32_t medcost_sha256_k[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
        0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
        0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
        0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
        0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
        0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
        0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
        0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2};

    /* Some blocks of N messages into their states, N at a time: the rounds of one message wait
       for each other, those of another fill the gaps. state: eight words; data: of each message. */
    #define MEDCOST_SHA256(NAME, N) \\
    __attribute__((target("sha,sse4.1,ssse3"))) static void NAME( \\
        uint32_t *const *state, const uint8_t *const *data, size_t blocks) { \\
        const __m128i turn = _mm_set_epi64x(0x0c0d0e0f08090a0bULL, 0x0405060700010203ULL); \\
        __m128i abef[N], cdgh[N]; \\
        for (int n = 0; n < N; n++) { \\
            __m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const void *)state[n]), 0xB1); \\
            __m128i high = _mm_loadu_si128((const void *)(state[n] + 4)); \\
            high = _mm_shuffle_epi32(high, 0x1B); \\
            abef[n] = _mm_alignr_epi8(low, high, 8); \\
            cdgh[n] = _mm_blend_epi16(high, low, 0xF0); \\
        } \\
        for (size_t block = 0; block < blocks; block++) { \\
            __m128i before[N], also[N], words[N][4]; \\
            for (int n = 0; n < N; n++) { \\
                before[n] = abef[n]; \\
                also[n] = cdgh[n]; \\
            } \\
            _Pragma("GCC unroll 16") for (int i = 0; i < 16; i++) { \\
                const __m128i k = _mm_loadu_si128((const void *)(medcost_sha256_k + 4 * i)); \\
                _Pragma("GCC unroll 2") for (int n = 0; n < N; n++) { \\
                    __m128i *w = words[n], word; \\
                    if (i < 4) { \\
                        const uint8_t *at = data[n] + 64 * block + 16 * i; \\
                        word = _mm_shuffle_epi8(_mm_loadu_si128((const void *)at), turn); \\
                    } else { \\
                        word = _mm_sha256msg1_epu32(w[i & 3], w[(i + 1) & 3]); \\
                        word = _mm_add_epi32( \\
                            word, _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4)); \\
                        word = _mm_sha256msg2_epu32(word, w[(i + 3) & 3]); \\
                    } \\
                    w[i & 3] = word; \\
                    word = _mm_add_epi32(word, k); \\
                    cdgh[n] = _mm_sha256rnds2_epu32(cdgh[n], abef[n], word); \\
                    word = _mm_shuffle_epi32(word, 0x0E); \\
                    abef[n] = _mm_sha256rnds2_epu32(abef[n], cdgh[n], word); \\
                } \\
            } \\
            for (int n = 0; n < N; n++) { \\
                abef[n] = _mm_add_epi32(abef[n], before[n]); \\
                cdgh[n] = _mm_add_epi32(cdgh[n], also[n]); \\
            } \\
        } \\
        for (int n = 0; n < N; n++) { \\
            __m128i low = _mm_shuffle_epi32(abef[n], 0x1B); \\
            __m128i high = _mm_shuffle_epi32(cdgh[n], 0xB1); \\
            _mm_storeu_si128((void *)state[n], _mm_blend_epi16(low, high, 0xF0)); \\
            _mm_storeu_si128((void *)(state[n] + 4), _mm_alignr_epi8(high, low, 8)); \\
        } \\
    }
    MEDCOST_SHA256(medcost_sha256_one, 1)
    MEDCOST_SHA256(medcost_sha256_two, 2)

    static int medcost_has_sha(void) {
        unsigned int a = 0, b = 0, c = 0, d = 0;
        __builtin_cpu_init();
        if (!__builtin_cpu_supports("sse4.1") || !__builtin_cpu_supports("ssse3")) return 0;
        __asm__("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(0));
        return (int)((b >> 29) & 1);
    }
    #else
    static void medcost_sha256_one(
        uint32_t *const *state, const uint8_t *const *data, size_t blocks) {
        (void)state; (void)data; (void)blocks;
    }
    static void medcost_sha256_two(
        uint32_t *const *state, const uint8_t *const *data, size_t blocks) {
        (void)state; (void)data; (void)blocks;
    }
    static int medcost_has_sha(void) { return 0; }
    #endif
    """
    void blocks_of_one "medcost_sha256_one"(
        uint32_t *const *state, const uint8_t *const *data, size_t blocks) noexcept nogil
    void blocks_of_two "medcost_sha256_two"(
        uint32_t *const *state, const uint8_t *const *data, size_t blocks) noexcept nogil
    bint has_sha "medcost_has_sha"() noexcept nogil


def is_supported():
    """Whether this processor has the instructions; see sha256.pyi."""
    return has_sha()


def add_blocks(
    uint32_t[::1] state not None,
    const uint8_t[::1] data not None,
    uint32_t[::1] other_state=None,
    const uint8_t[::1] other_data=None,
):
    """Take the blocks of one message or two into their states; see sha256.pyi."""
    cdef uint32_t *states[2]
    cdef const uint8_t *pieces[2]
    cdef size_t blocks = data.shape[0] // BLOCK_BYTES
    cdef bint are_two = other_state is not None
    if not has_sha():
        raise ValueError("this processor has no instructions for SHA-256")
    if state.shape[0] != WORDS or data.shape[0] % BLOCK_BYTES:
        raise ValueError("a state has eight words, and a message whole blocks")
    if are_two != (other_data is not None):
        raise ValueError("a second message needs a state")
    if are_two and (other_state.shape[0] != WORDS or other_data.shape[0] != data.shape[0]):
        raise ValueError("two messages have as many blocks and words of their state")
    if blocks == 0:
        return
    states[0], pieces[0] = &state[0], &data[0]
    if are_two:
        states[1], pieces[1] = &other_state[0], &other_data[0]
    with nogil:
        if are_two:
            blocks_of_two(states, pieces, blocks)
        else:
            blocks_of_one(states, pieces, blocks)
