"""Columns of pages as other kernels fill them: see pages.pyx."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

# Runs of equal values and bit-packed groups of eight, in turn (parquet-format, Encodings.md).
cdef struct Runs:
    const uint8_t *at
    const uint8_t *end
    const uint8_t *packed
    const uint8_t *packed_end
    int64_t n_left
    int64_t n_taken
    uint64_t value
    int width
    bint is_packed

# What an index leads to; capacity is the entries there is memory for, a power of two.
cdef struct Table:
    const int32_t *codes
    const int64_t *values
    # The values, where they are many and have 32 bits: more of them are near.
    const int32_t *narrow
    const uint8_t *states
    int64_t n_entries
    int64_t capacity

cdef struct Column:
    Table dictionary
    # The values of a plain page, one after the other, and how many are taken.
    Table page
    int64_t n_taken
    Runs levels
    Runs indices
    bint is_indexed
    # Pages of indices that come next: where each starts in bytes of ours, its size and rows.
    const uint8_t *body
    const int64_t *page_start
    const int64_t *page_size
    const int64_t *page_rows
    int64_t n_pages
    int64_t next_page
    bint is_nullable
    # Rows left in the page, nulls seen in it and announced (-1: not announced).
    int64_t n_left
    int64_t n_nulls
    int64_t n_nulls_said
    # The block being filled.
    int64_t n_filled
    int64_t block_rows
    bint is_faulty
    int32_t *codes
    int64_t *values
    int32_t *narrow
    uint8_t *states
    uint8_t *present
    uint8_t *marks


cdef bint fill_columns(
    Column **columns, Py_ssize_t n, int64_t n_rows, Py_ssize_t *waiting
) noexcept nogil

cdef inline void start_block(Column *column) noexcept nogil:
    column.n_filled = 0
    column.is_faulty = False


@cython.final
cdef class PageColumn:
    cdef Column column
    cdef readonly object codes, values, states
    cdef object dictionary_arrays, page_arrays, page_bytes, level_bytes
    cdef uint8_t[::1] present, marks, states_view
    cdef int32_t[::1] codes_view, narrow
    cdef int64_t[::1] values_view
    cdef Py_ssize_t n_opened
    cdef object _set_table(self, Table *table, entries, states, bint pad)
    cdef void _open(
        self, const uint8_t *levels, Py_ssize_t size, Py_ssize_t n_rows, Py_ssize_t nulls
    )
