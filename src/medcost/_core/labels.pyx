"""Texts to their positions among the labels of a register.

Labels such as U05-00161734, of which many differ in their last digits only, are found by the number
that the digits are: their table has four bytes a label and stays near. All others are in a hash
table with open addressing, of 64 bytes a label.
"""

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
    # Numbers that a head may span for each of its labels, and the heads there may be.
    MOST_GAPS = 4
    MOST_HEADS = HEAD_SLOTS // 2

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


cdef inline bint ends_in_digits(
    const uint8_t *text, uint32_t size, uint64_t *digits
) noexcept nogil:
    """Whether a text with a short head ends in DIGITS digits; write them."""
    cdef uint64_t more
    if not DIGITS <= size <= INLINE_BYTES:
        return False
    memcpy(digits, text + size - DIGITS, DIGITS)
    # Digits are 0x30 to 0x39: bytes of 0x3A and more leave 0x3_ when six is added.
    more = digits[0] + <uint64_t>0x0606060606060606
    return (
        (digits[0] & <uint64_t>0xF0F0F0F0F0F0F0F0) == <uint64_t>0x3030303030303030
        and (more & <uint64_t>0xF0F0F0F0F0F0F0F0) == <uint64_t>0x3030303030303030
    )


cdef inline uint32_t number_of(uint64_t digits) noexcept nogil:
    """Return what eight digits in text are: pairs, fours, then all are brought together."""
    digits = (digits & <uint64_t>0x0F0F0F0F0F0F0F0F) * 2561 >> 8
    digits = (digits & <uint64_t>0x00FF00FF00FF00FF) * 6553601 >> 16
    return <uint32_t>((digits & <uint64_t>0x0000FFFF0000FFFF) * <uint64_t>42949672960001 >> 32)


cdef inline void read_head(
    uint64_t *words, const uint8_t *text, uint32_t size, const uint8_t *end
) noexcept nogil:
    """Write what comes before a text's last digits; nothing is read at or after end."""
    cdef uint64_t kept[HEAD_WORDS]
    if end - text >= 8 * HEAD_WORDS:
        memcpy(words, text, 8 * HEAD_WORDS)
        memcpy(kept, &KEPT[INLINE_BYTES + DIGITS - size], 8 * HEAD_WORDS)
        words[0] &= kept[0]
        words[1] &= kept[1]
    else:
        words[0] = words[1] = 0
        memcpy(words, text, size - DIGITS)


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
        cdef int64_t n_numbers
        cdef Py_ssize_t n_hashed
        cdef bint ascends
        if not offsets_fit(offsets, data.shape[0]):
            raise ValueError("offsets do not fit the data")
        self.n_labels = offsets.shape[0] - 1
        self.offsets, self.labels = offsets, data
        with nogil:
            ascends = self._ascends()
            n_numbers = self._find_heads() if ascends else 0
        if not ascends:
            raise ValueError("labels must strictly ascend")
        self.numbers = np.full(n_numbers, FREE, np.int32)
        with nogil:
            n_hashed = self._number()
        while n_slots < 2 * <uint64_t>n_hashed:
            n_slots *= 2
        # np.empty asks for huge pages where it is worth it; np.zeros does not.
        self.memory = np.empty(n_slots * sizeof(Slot) + CACHE_LINE, np.uint8)
        self.slots = <Slot *>(<size_t>&self.memory[CACHE_LINE - 1] & ~<size_t>(CACHE_LINE - 1))
        self.mask = n_slots - 1
        with nogil:
            memset(self.slots, 0xFF, n_slots * sizeof(Slot))
            if n_hashed:
                self._fill()

    cdef bint _ascends(self) noexcept nogil:
        cdef const uint8_t *data = start_of(self.labels)
        cdef const uint8_t *text
        cdef const uint8_t *before = data
        cdef uint32_t size, size_before = 0
        cdef Py_ssize_t i
        cdef int order
        for i in range(self.n_labels):
            text = data + self.offsets[i]
            size = self.offsets[i + 1] - self.offsets[i]
            order = memcmp(before, text, min(size, size_before)) if size_before and size else 0
            if i and (order > 0 or (order == 0 and size_before >= size)):
                return False
            before, size_before = text, size
        return True

    cdef int64_t _find_heads(self) noexcept nogil:
        """Find the heads whose numbers have few gaps; return how many numbers they span."""
        cdef const uint8_t *data = start_of(self.labels)
        cdef const uint8_t *end = data + self.labels.shape[0]
        cdef const uint8_t *text
        cdef uint64_t digits
        cdef uint32_t size, number, highest
        cdef int64_t n_numbers = 0
        cdef Py_ssize_t i
        cdef Head *head
        cdef int h
        memset(self.heads, 0, sizeof(self.heads))
        self.n_heads = 0
        for i in range(self.n_labels):
            text = data + self.offsets[i]
            size = self.offsets[i + 1] - self.offsets[i]
            if not ends_in_digits(text, size, &digits):
                continue
            number = number_of(digits)
            head = self.head_of(text, size, end)
            if head.size == 0:
                if self.n_heads == MOST_HEADS:
                    # Nothing that a few heads have in common.
                    memset(self.heads, 0, sizeof(self.heads))
                    self.n_heads = 0
                    return 0
                read_head(head.words, text, size, end)
                head.size, head.lowest = size, number
                self.n_heads += 1
            highest = max(head.lowest + head.span, number + 1)
            head.lowest = min(head.lowest, number)
            head.span = highest - head.lowest
            head.n += 1
        for h in range(HEAD_SLOTS):
            head = &self.heads[h]
            head.first = n_numbers
            if head.span > <uint64_t>MOST_GAPS * head.n:
                # The slot stays, so that others behind it are found.
                head.span = 0
            n_numbers += head.span
        return n_numbers

    cdef Py_ssize_t _number(self) noexcept nogil:
        """Write the labels that have one at their number; return how many have none."""
        cdef const uint8_t *data = start_of(self.labels)
        cdef const uint8_t *end = data + self.labels.shape[0]
        cdef const int32_t *place
        cdef Py_ssize_t i, n_hashed = 0
        for i in range(self.n_labels):
            place = self.place_of(
                data + self.offsets[i], self.offsets[i + 1] - self.offsets[i], end
            )
            if place == NULL:
                n_hashed += 1
            else:
                self.numbers[place - &self.numbers[0]] = <int32_t>i
        return n_hashed

    cdef void _fill(self) noexcept nogil:
        """Give every label without a number its slot."""
        cdef const uint8_t *data = start_of(self.labels)
        cdef const uint8_t *end = data + self.labels.shape[0]
        cdef const uint8_t *text
        cdef uint32_t size
        cdef Py_ssize_t i
        cdef Key key
        cdef uint64_t position
        for i in range(self.n_labels):
            text = data + self.offsets[i]
            size = self.offsets[i + 1] - self.offsets[i]
            if self.place_of(text, size, end) != NULL:
                continue
            position = make_key(&key, text, size, end) & self.mask
            while self.slots[position].label != FREE:
                position = (position + 1) & self.mask
            self.slots[position].words = key.words
            self.slots[position].size = size
            self.slots[position].label = <int32_t>i

    cdef inline Head *head_of(
        self, const uint8_t *text, uint32_t size, const uint8_t *end
    ) noexcept nogil:
        """Return the slot of a text's head, a free one where it is not there."""
        cdef uint64_t words[HEAD_WORDS]
        cdef uint64_t at
        read_head(words, text, size, end)
        at = mixed(mixed(size, words[0]), words[1]) % HEAD_SLOTS
        while self.heads[at].size != 0 and (
            self.heads[at].size != size
            or self.heads[at].words[0] != words[0]
            or self.heads[at].words[1] != words[1]
        ):
            at = (at + 1) % HEAD_SLOTS
        return &self.heads[at]

    cdef inline const int32_t *place_of(
        self, const uint8_t *text, uint32_t size, const uint8_t *end
    ) noexcept nogil:
        """Return where the label of a text is by its number, NULL where there is no such place."""
        cdef uint64_t digits
        cdef uint32_t number
        cdef const Head *head
        if self.n_heads == 0 or not ends_in_digits(text, size, &digits):
            return NULL
        head = self.head_of(text, size, end)
        # Below the lowest it is larger than any span.
        number = number_of(digits) - head.lowest
        return &self.numbers[head.first + number] if number < head.span else NULL

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
        cdef const int32_t *place = self.place_of(text, <uint32_t>size, text + size)
        if place != NULL:
            return place[0]
        return self.settle(&key, make_key(&key, text, <uint32_t>size, text + size), text)

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
        cdef const int32_t *places[GROUP]
        cdef Py_ssize_t i
        for i in range(n):
            places[i] = self.place_of(texts[i], sizes[i], end)
            if places[i] != NULL:
                prefetch(places[i])
                continue
            positions[i] = make_key(&keys[i], texts[i], sizes[i], end) & self.mask
            prefetch(&self.slots[positions[i]])
        for i in range(n):
            if places[i] != NULL:
                # Free where no label has the number: then there is none such at all.
                out[i] = places[i][0]
            else:
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
