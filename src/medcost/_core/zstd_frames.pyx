"""Where frames of zstd begin and end, and what they unpack to, by their headers (RFC 8878)."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    CHECKSUM_BYTES = 4
    BLOCK_HEADER_BYTES = 3
    # Kinds of blocks: bytes as they are, one byte repeated, packed; the fourth is reserved.
    REPEATED = 1
    RESERVED = 3
    # The header of a frame to be skipped: its magic number, and how many bytes follow.
    SKIPPED_BYTES = 8

cdef uint32_t MAGIC = 0xFD2FB528
cdef uint32_t SKIPPED_MAGIC = 0x184D2A50


cdef bint is_frame_of(const uint8_t *at, int64_t n, int64_t size) noexcept nogil:
    """Return whether these n bytes are one frame, which says that it unpacks to size bytes.

    Whoever unpacks it holds the frame to what it says.
    """
    cdef uint32_t magic, block
    cdef uint64_t said = 0
    cdef int64_t used, n_size, kind
    cdef uint8_t descriptor
    if n < 5:
        return False
    memcpy(&magic, at, 4)
    descriptor = at[4]
    # A frame with a dictionary, or with a bit that later versions may give a meaning to.
    if magic != MAGIC or descriptor & 0b1011:
        return False
    n_size = 1 << (descriptor >> 6)
    if n_size == 1 and not descriptor & 0b100000:
        return False
    used = 5 if descriptor & 0b100000 else 6
    if n - used < n_size:
        return False
    memcpy(&said, at + used, n_size)
    # Two bytes begin where one ends.
    said += 256 if n_size == 2 else 0
    if said != <uint64_t>size:
        return False
    used += n_size
    block = 0
    while not block & 1:
        if n - used < BLOCK_HEADER_BYTES:
            return False
        block = at[used] | <uint32_t>at[used + 1] << 8 | <uint32_t>at[used + 2] << 16
        kind = (block >> 1) & 3
        if kind == RESERVED:
            return False
        used += BLOCK_HEADER_BYTES + (1 if kind == REPEATED else block >> 3)
    return used + (CHECKSUM_BYTES if descriptor & 0b100 else 0) == n


def join_frames(
    uint8_t[::1] chunk not None,
    const int64_t[::1] starts not None,
    const int64_t[::1] stored_sizes not None,
    const int64_t[::1] sizes not None,
):
    """Make what lies between frames a frame to skip; see zstd_frames.pyi."""
    cdef Py_ssize_t i, n = starts.shape[0]
    cdef int64_t end = 0
    cdef uint32_t between
    cdef bint sound = n > 0
    if stored_sizes.shape[0] != n or sizes.shape[0] != n:
        raise ValueError("starts and sizes must have the same length")
    with nogil:
        for i in range(n):
            if not 0 <= starts[i] <= chunk.shape[0] or not (
                0 < stored_sizes[i] <= chunk.shape[0] - starts[i]
            ):
                sound = False
                break
            if i and not SKIPPED_BYTES <= starts[i] - end < <int64_t>1 << 32:
                sound = False
                break
            if not is_frame_of(&chunk[starts[i]], stored_sizes[i], sizes[i]):
                sound = False
                break
            end = starts[i] + stored_sizes[i]
        if sound:
            for i in range(n - 1):
                end = starts[i] + stored_sizes[i]
                between = <uint32_t>(starts[i + 1] - end - SKIPPED_BYTES)
                memcpy(&chunk[end], &SKIPPED_MAGIC, 4)
                memcpy(&chunk[end + 4], &between, 4)
    if not sound:
        return None
    return starts[0], starts[n - 1] + stored_sizes[n - 1]
