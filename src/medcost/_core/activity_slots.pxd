"""Activities of a stretch of lines by key, numbered as they come."""

from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.stdlib cimport free
from libc.string cimport memcpy

from medcost._core.huge_pages cimport large_malloc

cdef enum:
    FEWEST_BITS = 12
    NO_MEMORY = -1

cdef enum:
    # Instead of a number, of which there are fewer.
    NONE = 0xFFFFFFFF


cdef struct Slot:
    # 8 bytes, so that the slots of a hospital fit the cache that is near. A product of 0 is no
    # key's: the slot is free, and its number NONE.
    uint32_t product
    uint32_t number


cdef struct Activities:
    # Open addressing, at most half of the slots taken: a key is looked for from the highest bits
    # of its product.
    Slot *slots
    int bits
    # Keys have 32 bits or more: products alone do not tell them apart.
    bint is_wide
    # By number, from 0; last_entry is the activity's latest.
    int64_t *keys
    int32_t *last_entry
    int64_t n


cdef inline bint start_activities(Activities *table, int bits, int64_t n_keys) noexcept nogil:
    """Make an empty table of 2^bits slots for keys below n_keys; whether there was memory."""
    cdef int64_t size = <int64_t>1 << bits
    table.slots = <Slot *>large_malloc(size * sizeof(Slot))
    table.keys = <int64_t *>large_malloc(size // 2 * sizeof(int64_t))
    table.last_entry = <int32_t *>large_malloc(size // 2 * sizeof(int32_t))
    table.bits, table.is_wide = bits, n_keys >> 32 != 0
    if table.slots == NULL or table.keys == NULL or table.last_entry == NULL:
        free_activities(table)
        return False
    reset_activities(table)
    return True


cdef inline void free_activities(Activities *table) noexcept nogil:
    free(table.slots)
    free(table.keys)
    free(table.last_entry)
    table.slots, table.keys, table.last_entry = NULL, NULL, NULL


cdef inline void reset_activities(Activities *table) noexcept nogil:
    cdef int64_t i
    for i in range(<int64_t>1 << table.bits):
        table.slots[i].product, table.slots[i].number = 0, NONE
    table.n = 0


cdef inline uint32_t product_of(int64_t key) noexcept nogil:
    """Fibonacci hashing: keys of fewer than 32 bits have a product each, which is not 0."""
    cdef uint32_t product = <uint32_t>(key + 1) * <uint32_t>0x9E3779B1
    return product + (product == 0)


cdef inline bint is_of(
    const Activities *table, int64_t at, int64_t key, uint32_t product
) noexcept nogil:
    """Whether the slot is the key's."""
    return table.slots[at].product == product and (
        not table.is_wide or table.keys[table.slots[at].number] == key
    )


cdef inline int64_t free_place(const Activities *table, uint32_t product) noexcept nogil:
    cdef int64_t at = product >> (32 - table.bits)
    while table.slots[at].product != 0:
        at = (at + 1) & ((<int64_t>1 << table.bits) - 1)
    return at


cdef inline bint grow_activities(Activities *table) noexcept nogil:
    cdef Activities larger
    cdef int64_t i, at
    cdef uint32_t product
    if table.bits == 31 or not start_activities(&larger, table.bits + 1, 0):
        return False
    for i in range(table.n):
        product = product_of(table.keys[i])
        at = free_place(&larger, product)
        larger.slots[at].product, larger.slots[at].number = product, <uint32_t>i
    memcpy(larger.keys, table.keys, table.n * sizeof(int64_t))
    memcpy(larger.last_entry, table.last_entry, table.n * sizeof(int32_t))
    larger.n, larger.is_wide = table.n, table.is_wide
    free_activities(table)
    table[0] = larger
    return True


cdef inline int64_t settle(Activities *table, int64_t key, uint32_t product) noexcept nogil:
    """Number of a key that is not in the first of its slots."""
    cdef int64_t at = product >> (32 - table.bits), number = table.n
    while table.slots[at].product != 0:
        if is_of(table, at, key, product):
            return table.slots[at].number
        at = (at + 1) & ((<int64_t>1 << table.bits) - 1)
    if number == <int64_t>1 << (table.bits - 1):
        if not grow_activities(table):
            return NO_MEMORY
        at = free_place(table, product)
    table.slots[at].product, table.slots[at].number = product, <uint32_t>number
    table.keys[number] = key
    table.last_entry[number] = -1
    table.n = number + 1
    return number


cdef inline int64_t number_of(Activities *table, int64_t key) noexcept nogil:
    """Number of the key, a new one where there is none; NO_MEMORY where it ran out."""
    cdef uint32_t product = product_of(key)
    cdef int64_t at = product >> (32 - table.bits)
    return table.slots[at].number if is_of(table, at, key, product) else settle(table, key, product)
