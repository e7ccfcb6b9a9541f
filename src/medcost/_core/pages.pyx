"""Rows of Parquet pages: levels and indices unpacked straight into translated values."""

import numpy as np

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from medcost._core.bit_unpack cimport (
    WIDEST_UNPACKED,
    unpack_int32,
    unpack_int64,
    unpack_uint8,
)
from medcost._core.page_headers import PageError
from medcost._core.wide_loops cimport widen_values

cdef enum:
    EMPTY = -2
    ROW_EMPTY = 1
    MOST_COLUMNS = 64
    WIDEST = 32
    # Values of a dictionary that are narrowed: fewer are near in any width.
    MANY_ENTRIES = 1 << 12
    # Eight indices of the widest kind, and the 8 bytes that a load may reach beyond.
    SPARE_BYTES = WIDEST_UNPACKED + 8

ctypedef fused Entry:
    int32_t
    int64_t
    uint8_t

# A definition level is an index into this.
cdef uint8_t LEVELS[2]
LEVELS[0], LEVELS[1] = 0, 1


cdef void start_runs(Runs *runs, const uint8_t *at, const uint8_t *end, int width) noexcept nogil:
    memset(runs, 0, sizeof(Runs))
    runs.at, runs.end, runs.width = at, end, width


cdef bint next_run(Runs *runs) noexcept nogil:
    """Read the next run's header; return whether there is one, of at least one value."""
    cdef uint64_t header = 0, n_bytes
    cdef uint8_t byte = 0x80
    cdef int shift = 0
    while byte & 0x80:
        if runs.at >= runs.end or shift > 28:
            return False
        byte = runs.at[0]
        header |= <uint64_t>(byte & 0x7F) << shift
        runs.at += 1
        shift += 7
    runs.is_packed = header & 1
    header >>= 1
    n_bytes = header * runs.width if runs.is_packed else (runs.width + 7) >> 3
    if header == 0 or n_bytes > <uint64_t>(runs.end - runs.at):
        return False
    if runs.is_packed:
        runs.packed, runs.packed_end = runs.at, runs.at + n_bytes
        runs.n_left, runs.n_taken = header * 8, 0
    else:
        runs.value = 0
        memcpy(&runs.value, runs.at, n_bytes)
        runs.n_left = header
        if runs.value >> runs.width:
            return False
    runs.at += n_bytes
    return True


cdef inline uint64_t packed_index(const Runs *runs) noexcept nogil:
    """Return the next index of a packed run; the run's bytes hold it."""
    cdef uint64_t bit = <uint64_t>runs.n_taken * runs.width, word = 0
    cdef const uint8_t *at = runs.packed + (bit >> 3)
    memcpy(&word, at, min(<Py_ssize_t>8, <Py_ssize_t>(runs.packed_end - at)))
    return (word >> (bit & 7)) & ((<uint64_t>1 << runs.width) - 1)


cdef bint unpack_groups(
    const uint8_t *packed,
    int64_t n_groups,
    const Entry *table,
    int64_t n_entries,
    Entry *out,
    int width,
) noexcept nogil:
    """Return whether all indices are below n_entries."""
    if Entry is int32_t:
        return not unpack_int32(packed, n_groups, table, n_entries - 1, out, width)
    elif Entry is int64_t:
        return not unpack_int64(packed, n_groups, table, n_entries - 1, out, width)
    else:
        return not unpack_uint8(packed, n_groups, table, n_entries - 1, out, width)


cdef bint take_packed(
    Runs *runs, const Entry *table, int64_t n_entries, int64_t capacity, Entry *out, int64_t n
) noexcept nogil:
    """Write n values of a packed run; return whether all indices are below n_entries."""
    cdef uint8_t spare[SPARE_BYTES]
    cdef const uint8_t *at
    cdef int64_t i = 0, n_groups
    cdef uint64_t index
    cdef bint by_groups = (
        0 < runs.width <= WIDEST_UNPACKED and n_entries and 1 << runs.width <= capacity
    )
    while i < n:
        if not by_groups or runs.n_taken & 7 or n - i < 8:
            index = packed_index(runs)
            if index >= <uint64_t>n_entries:
                return False
            out[i] = table[index]
            runs.n_taken += 1
            i += 1
            continue
        at = runs.packed + (runs.n_taken >> 3) * runs.width
        n_groups = min((n - i) >> 3, (runs.end - at - 8) // runs.width)
        if n_groups <= 0:
            # The last groups of a page are copied to where 8 more bytes may be read.
            n_groups = 1
            memset(spare, 0, SPARE_BYTES)
            memcpy(spare, at, runs.width)
            at = spare
        if not unpack_groups(at, n_groups, table, n_entries, out + i, runs.width):
            return False
        runs.n_taken += 8 * n_groups
        i += 8 * n_groups
    return True


cdef bint take(
    Runs *runs, const Entry *table, int64_t n_entries, int64_t capacity, Entry *out, int64_t n
) noexcept nogil:
    """Write the entries of the next n indices; return whether there are so many valid ones."""
    cdef int64_t taken = 0, count, i
    cdef Entry entry
    while taken < n:
        if runs.n_left == 0 and not next_run(runs):
            return False
        count = min(n - taken, runs.n_left)
        if runs.is_packed:
            if not take_packed(runs, table, n_entries, capacity, out + taken, count):
                return False
        else:
            if runs.value >= <uint64_t>n_entries:
                return False
            entry = table[runs.value]
            for i in range(taken, taken + count):
                out[i] = entry
        runs.n_left -= count
        taken += count
    return True


cdef int64_t take_levels(Column *column, int64_t n) noexcept nogil:
    """Write which of the next n rows have a value, unless all have; return how many, or -1."""
    cdef Runs *levels = &column.levels
    cdef int64_t n_present = 0, i
    if levels.n_left == 0 and not next_run(levels):
        return -1
    if not levels.is_packed and levels.value == 1 and levels.n_left >= n:
        levels.n_left -= n
        return n
    if not take(levels, LEVELS, 2, 2, column.present, n):
        return -1
    for i in range(n):
        n_present += column.present[i]
    return n_present


cdef bint take_values(
    Column *column, const Table *table, const Entry *entries, Entry *out, int64_t n
) noexcept nogil:
    """Write the values of the next n rows that have one."""
    if n == 0:
        return True
    if column.is_indexed:
        return take(&column.indices, entries, table.n_entries, table.capacity, out, n)
    if n > table.n_entries - column.n_taken:
        return False
    memcpy(out, entries + column.n_taken, n * sizeof(Entry))
    column.n_taken += n
    return True


cdef void spread(
    Entry *out, const uint8_t *present, int64_t n, int64_t n_present, Entry empty
) noexcept nogil:
    """Move the values to the rows that have one, from behind, and fill the others."""
    cdef int64_t i
    for i in range(n - 1, -1, -1):
        if present[i]:
            n_present -= 1
            out[i] = out[n_present]
        else:
            out[i] = empty


cdef bint fill_codes(
    Column *column, const Table *table, int64_t n, int64_t n_present
) noexcept nogil:
    cdef int32_t *out = column.codes + column.n_filled
    if not take_values(column, table, table.codes, out, n_present):
        return False
    if n_present < n:
        spread(out, column.present, n, n_present, <int32_t>EMPTY)
    return True


cdef bint fill_values(
    Column *column, const Table *table, int64_t n, int64_t n_present
) noexcept nogil:
    """Fill values, and states where one of these rows is not fine."""
    cdef int64_t *out = column.values + column.n_filled
    cdef Runs indices = column.indices
    cdef int64_t n_taken = column.n_taken, i
    cdef uint8_t any_mark = 0
    if table.narrow != NULL:
        if not take_values(column, table, table.narrow, column.narrow, n_present):
            return False
        widen_values(column.narrow, n_present, out)
    elif not take_values(column, table, table.values, out, n_present):
        return False
    if table.states == NULL and n_present == n:
        return True
    memset(column.marks, 0, n)
    if table.states != NULL:
        # The same indices once more, through the other table.
        column.indices, column.n_taken = indices, n_taken
        if not take_values(column, table, table.states, column.marks, n_present):
            return False
    if n_present < n:
        spread(out, column.present, n, n_present, <int64_t>0)
        spread(column.marks, column.present, n, n_present, <uint8_t>ROW_EMPTY)
    for i in range(n):
        any_mark |= column.marks[i]
    if any_mark:
        if not column.is_faulty:
            memset(column.states, 0, column.block_rows)
            column.is_faulty = True
        memcpy(column.states + column.n_filled, column.marks, n)
    return True


cdef bint fill_column(Column *column, int64_t n_rows) noexcept nogil:
    """Fill a block up to n_rows or to the end of the page; return whether the page is sound."""
    cdef const Table *table = &column.dictionary if column.is_indexed else &column.page
    cdef int64_t n = min(n_rows - column.n_filled, column.n_left), n_present = n
    if n <= 0:
        return True
    if column.is_nullable:
        n_present = take_levels(column, n)
        if n_present < 0:
            return False
    if column.codes != NULL:
        if not fill_codes(column, table, n, n_present):
            return False
    elif not fill_values(column, table, n, n_present):
        return False
    column.n_filled += n
    column.n_left -= n
    column.n_nulls += n - n_present
    if column.n_left:
        return True
    if column.n_nulls_said >= 0 and column.n_nulls != column.n_nulls_said:
        return False
    return column.is_indexed or column.n_taken == table.n_entries


cdef bint open_next(Column *column) noexcept nogil:
    """Open the next page of indices; return whether its levels and width are sound."""
    cdef int64_t page = column.next_page
    cdef const uint8_t *at = column.body + column.page_start[page]
    cdef const uint8_t *end = at + column.page_size[page]
    cdef uint32_t n_levels
    column.next_page += 1
    column.n_nulls, column.n_nulls_said = 0, -1
    if column.is_nullable:
        if end - at < 4:
            return False
        memcpy(&n_levels, at, 4)
        at += 4
        if n_levels > end - at:
            return False
        start_runs(&column.levels, at, at + n_levels, 1)
        at += n_levels
    column.is_indexed = True
    column.n_left = column.page_rows[page]
    if at == end:
        start_runs(&column.indices, NULL, NULL, 0)
        return True
    if at[0] > WIDEST:
        return False
    start_runs(&column.indices, at + 1, end, at[0])
    return True


cdef bint fill_from_pages(Column *column, int64_t n_rows) noexcept nogil:
    """Fill a block up to n_rows, or as far as the pages at hand go; whether they are sound."""
    if not fill_column(column, n_rows):
        return False
    while column.n_filled < n_rows and column.next_page < column.n_pages:
        if not open_next(column) or not fill_column(column, n_rows):
            return False
    return True


cdef bint fill_columns(
    Column **columns, Py_ssize_t n, int64_t n_rows, Py_ssize_t *waiting
) noexcept nogil:
    """Fill a block of all columns as far as their pages go; return whether they are sound.

    waiting: the first column that needs its next page, -1 where the block is full.
    """
    cdef Py_ssize_t i
    waiting[0] = -1
    for i in range(n):
        if not fill_from_pages(columns[i], n_rows):
            return False
        if waiting[0] < 0 and columns[i].n_filled < n_rows:
            waiting[0] = i
    return True


@cython.final
cdef class PageColumn:
    """One column, page by page; see pages.pyi."""

    def __cinit__(self, bint is_text, bint is_nullable, Py_ssize_t block_rows):
        if block_rows < 1:
            raise ValueError("a block must have rows")
        memset(&self.column, 0, sizeof(Column))
        self.column.is_nullable = is_nullable
        self.column.block_rows = block_rows
        self.present = np.empty(block_rows, np.uint8)
        self.column.present = &self.present[0]
        if is_text:
            self.codes = np.empty(block_rows, np.int32)
            self.codes_view = self.codes
            self.column.codes = &self.codes_view[0]
            return
        self.values, self.states = np.empty(block_rows, np.int64), np.empty(block_rows, np.uint8)
        self.values_view, self.states_view = self.values, self.states
        self.marks, self.narrow = np.empty(block_rows, np.uint8), np.empty(block_rows, np.int32)
        self.column.values, self.column.states = &self.values_view[0], &self.states_view[0]
        self.column.marks, self.column.narrow = &self.marks[0], &self.narrow[0]

    @property
    def is_faulty(self):
        """Whether a row of the block is not fine; see pages.pyi."""
        return bool(self.column.is_faulty)

    def start_chunk(self):
        """Forget dictionary and page; see pages.pyi."""
        start_block(&self.column)
        self.column.n_left = self.n_opened = 0
        self.column.n_pages = self.column.next_page = 0
        memset(&self.column.dictionary, 0, sizeof(Table))
        self.dictionary_arrays = self.page_arrays = self.page_bytes = self.level_bytes = None

    cdef object _set_table(self, Table *table, entries, states, bint pad):
        """Point a table at arrays and return them, to be kept as long as it is used."""
        cdef const int32_t[::1] codes
        cdef const int64_t[::1] values
        cdef const uint8_t[::1] marks
        cdef Py_ssize_t n = len(entries), capacity = 2
        while capacity < n:
            capacity *= 2
        memset(table, 0, sizeof(Table))
        table.n_entries = n
        if states is not None and len(states) != n:
            raise ValueError("entries and states must have the same length")
        if pad:
            # Any index of the width that n needs leads to memory of ours.
            table.capacity = capacity
            states = None if states is None else _padded(states, capacity)
        elif n == 0:
            return None
        if states is not None:
            marks = states
            table.states = &marks[0]
        narrow = None
        if pad and self.column.codes == NULL and n >= MANY_ENTRIES:
            narrow = _narrowed(entries, capacity)
        if narrow is not None:
            codes = narrow
            table.narrow = &codes[0]
            return narrow, states
        if pad:
            entries = _padded(entries, capacity)
        if self.column.codes != NULL:
            codes = entries
            table.codes = &codes[0]
            return entries
        values = entries
        table.values = &values[0]
        return entries, states

    def set_dictionary(self, entries, states=None):
        """Take the chunk's dictionary, translated; see pages.pyi."""
        if self.dictionary_arrays is not None:
            raise PageError("a chunk has two dictionaries")
        self.column.n_left = 0
        self.dictionary_arrays = self._set_table(&self.column.dictionary, entries, states, True)

    cdef void _open(
        self, const uint8_t *levels, Py_ssize_t size, Py_ssize_t n_rows, Py_ssize_t nulls
    ):
        start_runs(&self.column.levels, levels, levels + size, 1)
        self.column.n_left = 0
        self.column.n_pages = self.column.next_page = 0
        self.column.n_nulls, self.column.n_nulls_said = 0, nulls
        self.n_opened = n_rows

    def open_page(self, const uint8_t[::1] body not None, Py_ssize_t n_rows):
        """Take a v1 page's levels and return where its values start; see pages.pyi."""
        cdef uint32_t size
        if n_rows < 0:
            raise ValueError("a page cannot have fewer rows than none")
        self.level_bytes = body
        if not self.column.is_nullable:
            self._open(NULL, 0, n_rows, -1)
            return 0
        if body.shape[0] < 4:
            raise PageError("a page ends before its levels")
        memcpy(&size, &body[0], 4)
        if size > body.shape[0] - 4:
            raise PageError("a page ends before its values")
        self._open(&body[0] + 4, size, n_rows, -1)
        return 4 + <Py_ssize_t>size

    def open_page_v2(
        self, const uint8_t[::1] levels not None, Py_ssize_t n_rows, Py_ssize_t n_nulls
    ):
        """Take a v2 page's levels; see pages.pyi."""
        if n_rows < 0 or n_nulls < 0:
            raise ValueError("a page cannot have fewer rows than none")
        if levels.shape[0] and not self.column.is_nullable:
            raise PageError("a page has levels that its column has not")
        self.level_bytes = levels
        self._open(&levels[0] if levels.shape[0] else NULL, levels.shape[0], n_rows, n_nulls)

    def set_indices(self, const uint8_t[::1] body not None, Py_ssize_t start):
        """Take the page's values as indices into the dictionary; see pages.pyi."""
        cdef int width = 0
        cdef const uint8_t *at = NULL
        cdef const uint8_t *end = NULL
        if self.dictionary_arrays is None:
            raise PageError("a page has indices and its chunk no dictionary")
        if not 0 <= start <= body.shape[0]:
            raise PageError("a page ends before its values")
        if start < body.shape[0]:
            width = body[start]
            at, end = &body[start] + 1, &body[0] + body.shape[0]
        if width > WIDEST:
            raise PageError("an index has more than 32 bits")
        start_runs(&self.column.indices, at, end, width)
        self.page_bytes, self.page_arrays = body, None
        self.column.is_indexed = True
        self.column.n_left, self.n_opened = self.n_opened, 0

    def set_pages(
        self,
        const uint8_t[::1] body not None,
        const int64_t[::1] starts not None,
        const int64_t[::1] sizes not None,
        const int64_t[::1] rows not None,
    ):
        """Take pages of indices, levels before them, one after the other; see pages.pyi."""
        cdef Py_ssize_t i, n = starts.shape[0]
        if self.dictionary_arrays is None:
            raise PageError("a page has indices and its chunk no dictionary")
        if sizes.shape[0] != n or rows.shape[0] != n or n == 0:
            raise ValueError("there is a start, a size and a number of rows for each page")
        for i in range(n):
            if not 0 <= starts[i] <= body.shape[0] or rows[i] < 0:
                raise ValueError("a page starts outside, or has fewer rows than none")
            if not 0 <= sizes[i] <= body.shape[0] - starts[i]:
                raise ValueError("a page ends outside")
        self.page_bytes, self.page_arrays = body, (starts, sizes, rows)
        self.column.body = &body[0] if body.shape[0] else NULL
        self.column.page_start, self.column.page_size = &starts[0], &sizes[0]
        self.column.page_rows = &rows[0]
        self.column.n_pages, self.column.next_page = n, 0
        self.column.n_left = self.n_opened = 0

    def set_values(self, entries, states=None):
        """Take the page's values, one for each row that has one; see pages.pyi."""
        self.page_arrays = self._set_table(&self.column.page, entries, states, False)
        self.page_bytes = None
        self.column.is_indexed = False
        self.column.n_taken = 0
        self.column.n_left, self.n_opened = self.n_opened, 0


cdef object _narrowed(const int64_t[::1] values, Py_ssize_t capacity):
    """The values in 32 bits, then zeros; None where one has more."""
    cdef Py_ssize_t i
    cdef int64_t lost = 0
    cdef int32_t[::1] narrow
    narrowed = np.zeros(capacity, np.int32)
    narrow = narrowed
    with nogil:
        for i in range(values.shape[0]):
            narrow[i] = <int32_t>values[i]
            lost |= values[i] ^ narrow[i]
    return None if lost else narrowed


cdef object _padded(entries, Py_ssize_t capacity):
    padded = np.zeros(capacity, entries.dtype)
    padded[: len(entries)] = entries
    return padded


def fill_block(list columns not None, Py_ssize_t n_rows, bint is_new):
    """Fill a block of all columns as far as their pages go; see pages.pyi."""
    cdef Column *chosen[MOST_COLUMNS]
    cdef Py_ssize_t i, waiting, n = len(columns)
    cdef PageColumn one
    cdef bint sound
    if n > MOST_COLUMNS:
        raise ValueError("too many columns")
    for i in range(n):
        one = columns[i]
        chosen[i] = &one.column
        if is_new:
            start_block(chosen[i])
        if not chosen[i].n_filled <= n_rows <= chosen[i].block_rows:
            raise ValueError("a block has other rows than its columns have room for")
    with nogil:
        sound = fill_columns(chosen, n, n_rows, &waiting)
    if not sound:
        raise PageError("a page does not hold the values that it says")
    return waiting
