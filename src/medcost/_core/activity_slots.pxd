"""Activities of a stretch of lines by key, with their sums: open addressing."""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from medcost._core.huge_pages cimport large_malloc
from medcost._core.key_table cimport place_of

cdef extern from *:
    """
    #define medcost_prefetch(place) __builtin_prefetch(place, 1, 3)
    """
    void prefetch "medcost_prefetch"(const void *place) noexcept nogil

cdef enum:
    FEWEST_SLOTS = 4096


cdef struct Slot:
    # 16 bytes, so that the slots of a hospital fit the cache that is near. number counts from 1;
    # last_entry is the activity's latest.
    int64_t key
    int32_t number
    int32_t last_entry


cdef struct Sums:
    # Quantity and charge of an activity; purchase costs are added up apart, few have any.
    int64_t quantity
    int64_t charge


cdef struct Slots:
    Slot *slots
    # By number, from 0.
    Sums *sums
    int64_t mask
    int64_t n


cdef inline bint start_slots(Slots *table, int64_t size) noexcept nogil:
    """Make an empty table of some power of two of places; whether there was memory."""
    table.slots = <Slot *>large_malloc(size * sizeof(Slot))
    table.sums = <Sums *>large_malloc(size * sizeof(Sums))
    if table.slots == NULL or table.sums == NULL:
        free_slots(table)
        return False
    table.mask = size - 1
    reset_slots(table)
    return True


cdef inline void free_slots(Slots *table) noexcept nogil:
    free(table.slots)
    free(table.sums)
    table.slots, table.sums = NULL, NULL


cdef inline void reset_slots(Slots *table) noexcept nogil:
    memset(table.slots, 0, (table.mask + 1) * sizeof(Slot))
    table.n = 0


cdef inline void fetch_slot(const Slots *table, int64_t key) noexcept nogil:
    """Ask for the key's slot: the table is larger than the cache that is near."""
    prefetch(&table.slots[place_of(key, table.mask)])


cdef inline int64_t free_place(const Slots *table, int64_t key) noexcept nogil:
    cdef int64_t at = place_of(key, table.mask)
    while table.slots[at].number != 0:
        at = (at + 1) & table.mask
    return at


cdef inline bint grow_slots(Slots *table) noexcept nogil:
    cdef Slots larger
    cdef int64_t i
    if not start_slots(&larger, 2 * (table.mask + 1)):
        return False
    for i in range(table.mask + 1):
        if table.slots[i].number != 0:
            larger.slots[free_place(&larger, table.slots[i].key)] = table.slots[i]
    larger.n = table.n
    memcpy(larger.sums, table.sums, table.n * sizeof(Sums))
    free_slots(table)
    table[0] = larger
    return True


cdef inline Slot *find_slot(Slots *table, int64_t key) noexcept nogil:
    """The key's slot, a new one where there is none; NULL where memory ran out."""
    cdef int64_t at = place_of(key, table.mask)
    while table.slots[at].key != key or table.slots[at].number == 0:
        if table.slots[at].number == 0:
            if 3 * (table.n + 1) > 2 * (table.mask + 1):
                if not grow_slots(table):
                    return NULL
                at = free_place(table, key)
            table.n += 1
            table.slots[at].key = key
            table.slots[at].number = <int32_t>table.n
            table.slots[at].last_entry = -1
            table.sums[table.n - 1].quantity = table.sums[table.n - 1].charge = 0
            break
        at = (at + 1) & table.mask
    return &table.slots[at]
