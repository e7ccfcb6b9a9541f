"""Whether bytes are UTF-8."""

from libc.stdint cimport uint8_t


cdef inline Py_ssize_t rest_of_character(const uint8_t *at, Py_ssize_t n) noexcept nogil:
    """Return how many bytes follow the first of a character, -1 where it is none (RFC 3629)."""
    cdef uint8_t first = at[0], least = 0x80, most = 0xBF
    cdef Py_ssize_t rest, i
    if first < 0x80:
        return 0
    if 0xC2 <= first <= 0xDF:
        rest = 1
    elif 0xE0 <= first <= 0xEF:
        rest = 2
        # Overlong forms and the surrogates are no characters.
        if first == 0xE0:
            least = 0xA0
        elif first == 0xED:
            most = 0x9F
    elif 0xF0 <= first <= 0xF4:
        rest = 3
        if first == 0xF0:
            least = 0x90
        elif first == 0xF4:
            most = 0x8F
    else:
        return -1
    if n <= rest or not least <= at[1] <= most:
        return -1
    for i in range(2, rest + 1):
        if not 0x80 <= at[i] <= 0xBF:
            return -1
    return rest


cdef inline bint is_utf8(const uint8_t *text, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0, rest
    while i < n:
        rest = rest_of_character(text + i, n - i)
        if rest < 0:
            return False
        i += rest + 1
    return True
