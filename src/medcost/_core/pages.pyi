"""Rows of Parquet pages: levels and indices unpacked straight into translated values.

A column is read in blocks: fill_block takes what the pages at hand hold and says whose page is
used up. Texts are int32 codes; numbers are int64 with a state each: 0 fine, 1 empty, 2 at fault.
"""

from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

@final
class PageColumn:
    """One column of depth one, page by page, and the block of it that was filled last.

    codes (of a text column), values and states (of a number column): int32, int64, uint8
    [block_rows], overwritten by the next block. states counts only where is_faulty. One thread at
    a time may use a column.
    """

    def __new__(cls, is_text: bool, is_nullable: bool, block_rows: int) -> Self:
        """Make room for blocks of at most block_rows; is_nullable: rows have levels."""

    @property
    def codes(self) -> NDArray[np.int32]: ...
    @property
    def values(self) -> NDArray[np.int64]: ...
    @property
    def states(self) -> NDArray[np.uint8]: ...
    @property
    def is_faulty(self) -> bool:
        """Whether a row of the block is empty or at fault."""

    def start_chunk(self) -> None:
        """Forget dictionary and page."""

    def set_dictionary(
        self, entries: NDArray[Any], states: NDArray[np.uint8] | None = None
    ) -> None:
        """Take the chunk's dictionary, translated: int32 or int64 [entries], and their states.

        Raises PageError for the second of a chunk.
        """

    def open_page(self, body: NDArray[np.uint8], n_rows: int) -> int:
        """Take the levels at the start of a v1 page and return where its values start.

        Raises PageError where they are longer than the page.
        """

    def open_page_v2(self, levels: NDArray[np.uint8], n_rows: int, n_nulls: int) -> None:
        """Take the levels of a v2 page; n_nulls is checked when its last row is read."""

    def set_indices(self, body: NDArray[np.uint8], start: int) -> None:
        """Take the opened page's values: a width of 0 to 32 bits and a hybrid of indices.

        Raises PageError for another width, or where the chunk has no dictionary.
        """

    def set_pages(
        self,
        body: NDArray[np.uint8],
        starts: NDArray[np.int64],
        sizes: NDArray[np.int64],
        rows: NDArray[np.int64],
    ) -> None:
        """Take v1 pages of indices that follow each other, unpacked, with their levels.

        body: uint8 [bytes], in which each page has a start and a size; rows [pages]. fill_block
        opens one after the other. Raises PageError where the chunk has no dictionary,
        ValueError where a page lies outside the bytes or there is none.
        """

    def set_values(self, entries: NDArray[Any], states: NDArray[np.uint8] | None = None) -> None:
        """Take the opened page's values, int32 or int64: one for each row that has one."""

def fill_block(columns: list[PageColumn], n_rows: int, is_new: bool) -> int:
    """Fill up to n_rows of a block from the pages at hand, without the GIL.

    Returns the number of the first column that needs its next page, -1 where the block is full.
    is_new starts a block. Raises PageError where a page has too few or too many levels, values or
    nulls, or an index that its dictionary has not; ValueError where a block has no such room.
    Time O(rows): about 1 ns a row and column.
    """
