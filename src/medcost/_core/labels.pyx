"""Texts to their positions among the labels of a register, by an open-addressing hash table."""

import numpy as np

from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from medcost._core.hashing cimport factor, hash_text, mixed

cdef extern from *:
    void prefetch "__builtin_prefetch"(const void *address) noexcept nogil

cdef enum:
    UNKNOWN = -1
    EMPTY = -2
    FREE = -1
    CACHE_LINE = 64

# Bytes kept, then bytes cleared: read from INLINE_BYTES - size it masks a text of that size.
cdef uint8_t KEPT[2 * INLINE_BYTES]
memset(KEPT, 0xFF, INLINE_BYTES)
memset(&KEPT[INLINE_BYTES], 0, INLINE_BYTES)


cdef inline uint64_t make_key(
    Key *key, const uint8_t *text, uint32_t size, const uint8_t *end
) noexcept nogil:
    """Write a text's key and return its hash; nothing is read at or after end."""
    cdef uint64_t kept[INLINE_WORDS]
    cdef uint64_t hashed
    cdef int i
    key.size = size
    if size > INLINE_BYTES:
        hashed = hash_text(text, size)
        memset(key.words, 0, INLINE_BYTES)
        key.words[0] = hashed
        return hashed
    if end - text >= INLINE_BYTES:
        # Whole words and a mask: a copy of variable length would cost a call.
        memcpy(key.words, text, INLINE_BYTES)
        memcpy(kept, &KEPT[INLINE_BYTES - size], INLINE_BYTES)
        for i in range(INLINE_WORDS):
            key.words[i] &= kept[i]
    else:
        memset(key.words, 0, INLINE_BYTES)
        if size:
            memcpy(key.words, text, size)
    hashed = mixed(factor(), size)
    for i in range(INLINE_WORDS):
        hashed = mixed(hashed, key.words[i])
    return hashed


cdef bint offsets_fit(const int32_t[::1] offsets, Py_ssize_t n_bytes) noexcept nogil:
    cdef Py_ssize_t i
    cdef bint fit = offsets.shape[0] > 0 and offsets[0] >= 0
    for i in range(offsets.shape[0] - 1):
        fit &= offsets[i] <= offsets[i + 1]
    return fit and offsets[offsets.shape[0] - 1] <= n_bytes


cdef inline const uint8_t *start_of(const uint8_t[::1] text) noexcept nogil:
    """Return the address of the first byte; that of an empty array must not be asked for."""
    return &text[0] if text.shape[0] else NULL


cdef class LabelTable:
    """Distinct labels as a hash table; see labels.pyi."""

    def __cinit__(self, const int32_t[::1] offsets not None, const uint8_t[::1] data not None):
        cdef uint64_t n_slots = 2
        cdef bint ascending
        if not offsets_fit(offsets, data.shape[0]):
            raise ValueError("offsets do not fit the data")
        self.n_labels = offsets.shape[0] - 1
        while n_slots < 2 * <uint64_t>self.n_labels:
            n_slots *= 2
        # np.empty asks for huge pages where it is worth it; np.zeros does not.
        self.memory = np.empty(n_slots * sizeof(Slot) + CACHE_LINE, np.uint8)
        self.slots = <Slot *>(<size_t>&self.memory[CACHE_LINE - 1] & ~<size_t>(CACHE_LINE - 1))
        self.mask = n_slots - 1
        self.offsets, self.labels = offsets, data
        with nogil:
            memset(self.slots, 0xFF, n_slots * sizeof(Slot))
            ascending = self._fill()
        if not ascending:
            raise ValueError("labels must strictly ascend")

    cdef bint _fill(self) noexcept nogil:
        """Give every label its slot; return whether the labels strictly ascend."""
        cdef const uint8_t *data = start_of(self.labels)
        cdef const uint8_t *end = data + self.labels.shape[0]
        cdef const uint8_t *text
        cdef const uint8_t *before = data
        cdef uint32_t size, size_before = 0
        cdef Py_ssize_t i
        cdef int order
        cdef Key key
        cdef uint64_t position
        for i in range(self.n_labels):
            text = data + self.offsets[i]
            size = self.offsets[i + 1] - self.offsets[i]
            order = memcmp(before, text, min(size, size_before)) if size_before and size else 0
            if i and (order > 0 or (order == 0 and size_before >= size)):
                return False
            position = make_key(&key, text, size, end) & self.mask
            while self.slots[position].label != FREE:
                position = (position + 1) & self.mask
            self.slots[position].words = key.words
            self.slots[position].size = size
            self.slots[position].label = <int32_t>i
            before, size_before = text, size
        return True

    cdef inline int32_t settle(
        self, const Key *key, uint64_t position, const uint8_t *text
    ) noexcept nogil:
        """Return the label of a key whose search starts at position."""
        cdef const Slot *slot
        if key.size == 0:
            return EMPTY
        while True:
            slot = &self.slots[position & self.mask]
            if slot.label == FREE:
                return UNKNOWN
            if (
                slot.size == key.size
                and slot.words[0] == key.words[0]
                and slot.words[1] == key.words[1]
                and slot.words[2] == key.words[2]
                and (
                    key.size <= INLINE_BYTES
                    or memcmp(&self.labels[self.offsets[slot.label]], text, key.size) == 0
                )
            ):
                return slot.label
            position += 1

    cdef int32_t find_one(self, const uint8_t *text, Py_ssize_t size) noexcept nogil:
        """Return the label of one text of fewer than 2^32 bytes, UNKNOWN or EMPTY."""
        cdef Key key
        cdef uint64_t position = make_key(&key, text, <uint32_t>size, text + size)
        return self.settle(&key, position, text)

    cdef void find_group(
        self,
        const uint8_t **texts,
        const uint32_t *sizes,
        Py_ssize_t n,
        const uint8_t *end,
        int32_t *out,
    ) noexcept nogil:
        """Find up to GROUP texts: all their slots are on the way before the first is needed."""
        cdef Key keys[GROUP]
        cdef uint64_t positions[GROUP]
        cdef Py_ssize_t i
        for i in range(n):
            positions[i] = make_key(&keys[i], texts[i], sizes[i], end) & self.mask
            prefetch(&self.slots[positions[i]])
        for i in range(n):
            out[i] = self.settle(&keys[i], positions[i], texts[i])

    cdef void find_all(
        self, const int32_t[::1] offsets, const uint8_t *text, const uint8_t *end, int32_t *out
    ) noexcept nogil:
        cdef const uint8_t *texts[GROUP]
        cdef uint32_t sizes[GROUP]
        cdef Py_ssize_t start = 0, i, n, rows = offsets.shape[0] - 1
        while start < rows:
            n = min(<Py_ssize_t>GROUP, rows - start)
            for i in range(n):
                texts[i] = text + offsets[start + i]
                sizes[i] = offsets[start + i + 1] - offsets[start + i]
            self.find_group(texts, sizes, n, end, out + start)
            start += n

    def find(self, const int32_t[::1] offsets not None, const uint8_t[::1] data not None):
        """Return the position of each text among the labels; see labels.pyi."""
        cdef int32_t[::1] out
        cdef const uint8_t *text = start_of(data)
        if not offsets_fit(offsets, data.shape[0]):
            raise ValueError("offsets do not fit the data")
        out_array = np.empty(offsets.shape[0] - 1, np.int32)
        out = out_array
        if out.shape[0]:
            with nogil:
                self.find_all(offsets, text, text + data.shape[0], &out[0])
        return out_array
