"""Slots of integer keys in the order in which they first come: open addressing, keys inline."""

import cython
import numpy as np

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memset

cdef enum:
    SMALLEST = 1024


@cython.final
cdef class KeyTable:
    """Slots 0, 1, 2, ... of non-negative keys; see key_table.pyi."""

    def __cinit__(self):
        self.table = <KeySlot *>calloc(SMALLEST, sizeof(KeySlot))
        self.keys = <int64_t *>malloc(SMALLEST // 2 * sizeof(int64_t))
        if self.table == NULL or self.keys == NULL:
            raise MemoryError
        self.mask = SMALLEST - 1
        self.n = 0

    def __dealloc__(self):
        free(self.table)
        free(self.keys)

    def __len__(self):
        return self.n

    cdef void reset(self) noexcept nogil:
        """Forget all keys; the memory is kept for the next ones."""
        if self.n:
            memset(self.table, 0, (self.mask + 1) * sizeof(KeySlot))
        self.n = 0

    cdef bint reserve(self, int64_t wanted) noexcept nogil:
        """Make room for wanted more keys at half load, so that adding them needs no memory.

        Return whether there was memory for it.
        """
        cdef int64_t size = self.mask + 1, i
        cdef KeySlot *table
        cdef int64_t *keys
        if (self.n + wanted) * 2 <= size:
            return True
        while (self.n + wanted) * 2 > size:
            size *= 2
        table = <KeySlot *>calloc(size, sizeof(KeySlot))
        keys = <int64_t *>realloc(self.keys, size // 2 * sizeof(int64_t))
        if keys != NULL:
            self.keys = keys
        if table == NULL or keys == NULL:
            free(table)
            return False
        free(self.table)
        self.table = table
        self.mask = size - 1
        for i in range(self.n):
            insert(self.table, self.mask, self.keys[i], i)
        return True

    cdef int64_t find_slot(self, int64_t key) noexcept nogil:
        """Slot of the key, -1 where it is not there."""
        cdef int64_t at = place_of(key, self.mask)
        while self.table[at].slot != 0:
            if self.table[at].key == key:
                return self.table[at].slot - 1
            at = (at + 1) & self.mask
        return -1

    cdef int64_t add_slot(self, int64_t key) noexcept nogil:
        """Slot of the key, a new one where it is not there; room must have been reserved."""
        cdef int64_t at = place_of(key, self.mask)
        while self.table[at].slot != 0:
            if self.table[at].key == key:
                return self.table[at].slot - 1
            at = (at + 1) & self.mask
        self.table[at].key = key
        self.table[at].slot = self.n + 1
        self.keys[self.n] = key
        self.n += 1
        return self.n - 1

    def add(self, const int64_t[::1] keys not None):
        """Slot of each key, new keys in the order of the array."""
        cdef Py_ssize_t i
        cdef int64_t[::1] slots
        slots_array = np.empty(keys.shape[0], np.int64)
        slots = slots_array
        if not self.reserve(keys.shape[0]):
            raise MemoryError
        with nogil:
            for i in range(keys.shape[0]):
                slots[i] = self.add_slot(keys[i])
        return slots_array

    def find(self, const int64_t[::1] keys not None):
        """Slot of each key, -1 where it is not there."""
        cdef Py_ssize_t i
        cdef int64_t[::1] slots
        slots_array = np.empty(keys.shape[0], np.int64)
        slots = slots_array
        with nogil:
            for i in range(keys.shape[0]):
                slots[i] = self.find_slot(keys[i])
        return slots_array

    def known(self):
        """The keys by slot."""
        cdef int64_t i
        cdef int64_t[::1] keys
        keys_array = np.empty(self.n, np.int64)
        keys = keys_array
        for i in range(self.n):
            keys[i] = self.keys[i]
        return keys_array


cdef void insert(KeySlot *table, int64_t mask, int64_t key, int64_t slot) noexcept nogil:
    cdef int64_t at = place_of(key, mask)
    while table[at].slot != 0:
        at = (at + 1) & mask
    table[at].key = key
    table[at].slot = slot + 1
