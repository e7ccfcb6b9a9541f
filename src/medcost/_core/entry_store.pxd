"""Net entries in as few bytes as they need: 32 bits a measure until a value needs 64."""

from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.stdlib cimport free

from medcost._core.huge_pages cimport large_malloc
from medcost._core.wide_loops cimport narrow_values

cdef enum:
    MEASURES = 3


cdef struct Measure:
    bint is_there
    int32_t *narrow
    # NULL until a value does not fit 32 bits; then all values are here.
    int64_t *wide
    # The bits that absolute values have, and the signs.
    int64_t bits
    int64_t signs


cdef struct EntryStore:
    int64_t capacity
    int64_t n
    uint32_t *number
    Measure measures[MEASURES]


cdef inline void release_entries(EntryStore *store) noexcept nogil:
    cdef int m
    free(store.number)
    store.number = NULL
    for m in range(MEASURES):
        free(store.measures[m].narrow)
        free(store.measures[m].wide)
        store.measures[m].narrow, store.measures[m].wide = NULL, NULL
    store.capacity = store.n = 0


cdef inline bint begin_entries(
    EntryStore *store, int64_t capacity, const bint *is_there
) noexcept nogil:
    """Forget all entries and make room; whether there was memory. It is touched when used."""
    cdef int m
    if capacity > store.capacity:
        release_entries(store)
        store.number = <uint32_t *>large_malloc(capacity * sizeof(uint32_t))
        if store.number == NULL:
            return False
        store.capacity = capacity
    store.n = 0
    for m in range(MEASURES):
        free(store.measures[m].wide)
        store.measures[m].wide = NULL
        store.measures[m].bits = store.measures[m].signs = 0
        store.measures[m].is_there = is_there[m]
        if is_there[m] and store.measures[m].narrow == NULL:
            store.measures[m].narrow = <int32_t *>large_malloc(store.capacity * sizeof(int32_t))
            if store.measures[m].narrow == NULL:
                return False
    return True


cdef inline int64_t entry_value(const Measure *measure, int64_t i) noexcept nogil:
    return measure.narrow[i] if measure.wide == NULL else measure.wide[i]


cdef inline void set_entry_value(Measure *measure, int64_t i, int64_t value) noexcept nogil:
    """Change a value to one that the measure has already the width for."""
    if measure.wide == NULL:
        measure.narrow[i] = <int32_t>value
    else:
        measure.wide[i] = value


cdef inline bint widen(EntryStore *store, Measure *measure) noexcept nogil:
    cdef int64_t i
    measure.wide = <int64_t *>large_malloc(store.capacity * sizeof(int64_t))
    if measure.wide == NULL:
        return False
    for i in range(store.n):
        measure.wide[i] = measure.narrow[i]
    return True


cdef inline bint append_measure(
    EntryStore *store, int m, const int64_t *values, int64_t n
) noexcept nogil:
    """Write a measure of the next n entries; whether there was memory."""
    cdef Measure *measure = &store.measures[m]
    cdef int32_t *narrow = measure.narrow + store.n
    cdef int64_t i
    narrow_values(values, n, narrow, &measure.bits, &measure.signs)
    if measure.bits >> 31 and measure.wide == NULL and not widen(store, measure):
        return False
    if measure.wide != NULL:
        for i in range(n):
            measure.wide[store.n + i] = values[i]
    return True


cdef inline bint append_value(EntryStore *store, int m, int64_t value) noexcept nogil:
    """Write a measure of the next entry; whether there was memory."""
    cdef Measure *measure = &store.measures[m]
    measure.bits |= value ^ (value >> 63)
    measure.signs |= value
    if measure.wide == NULL:
        measure.narrow[store.n] = <int32_t>value
        if value == <int32_t>value:
            return True
        if not widen(store, measure):
            return False
    measure.wide[store.n] = value
    return True
