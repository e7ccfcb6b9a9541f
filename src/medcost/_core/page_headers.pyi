"""Headers of Parquet pages: Thrift's compact protocol, read from bytes that nobody vouches for."""

from typing import final

import numpy as np
from numpy.typing import NDArray

class PageError(ValueError):
    """Bytes that are no valid page, or one of a kind that is not read here."""

@final
class PageHeader:
    """What one header says; every number is from 0 to 2^31 - 1.

    kind: "data", "data_v2" or "dictionary". start: where the page's bytes start in the chunk.
    stored_size, size: their number there and unpacked, with the levels of a data_v2 page.
    encoding, level_encoding: numbers of parquet.thrift. n_rows is n_values for "data".
    n_nulls, levels_size, is_compressed: of data_v2.
    """

    @property
    def kind(self) -> str: ...
    @property
    def start(self) -> int: ...
    @property
    def stored_size(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def n_values(self) -> int: ...
    @property
    def n_rows(self) -> int: ...
    @property
    def n_nulls(self) -> int: ...
    @property
    def levels_size(self) -> int: ...
    @property
    def encoding(self) -> int: ...
    @property
    def level_encoding(self) -> int: ...
    @property
    def is_compressed(self) -> bool: ...

def read_header(chunk: NDArray[np.uint8], start: int) -> PageHeader:
    """Return the page header that starts there; its page lies within the chunk.

    chunk: uint8 [bytes]. Raises PageError for bytes that are no header, for what is negative,
    missing, repeated or of another type than parquet.thrift says, for a page longer than the
    chunk, for index pages and for pages with repetition levels.
    """

def indexed_pages(
    chunk: NDArray[np.uint8], start: int, n_rows: int, most_bytes: int
) -> tuple[NDArray[np.int64], int]:
    """The v1 data pages of indices that follow each other from there, and where they end.

    chunk: uint8 [bytes]. int64 [4, pages]: where a page's bytes start, their number there and
    unpacked, its rows; all within the chunk, and together at most n_rows rows and most_bytes
    unpacked. The first page of another kind, or header that cannot be read, ends them: read_header
    says what it is. Raises ValueError for a negative start.
    """
