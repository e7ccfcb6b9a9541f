"""What a Parquet file's footer says of its chunks, read from bytes that nobody vouches for.

pyarrow 26 tells the same by RowGroupMetaData.column, but ends the process where a chunk's metadata
contradicts itself (an exception of C++ that nobody catches).
"""

import numpy as np
from numpy.typing import NDArray

def chunk_places(footer: NDArray[np.uint8], n_groups: int, n_columns: int) -> NDArray[np.int64]:
    """Places of all chunks, int64 [row groups, columns, 7], -1 where a file has no dictionary.

    Of each: the row group's rows, the codec (as parquet.thrift counts), values, bytes unpacked and
    bytes stored, offset of the first data page, offset of the dictionary. footer: uint8 [bytes],
    the FileMetaData. Raises PageError where it cannot be read, has other numbers of row groups or
    columns, lacks or repeats one of these, or where a chunk is encrypted or in another file.
    """

def sole_texts(
    footer: NDArray[np.uint8], n_groups: int, n_columns: int, column: int
) -> list[bytes | None]:
    """Of each row group, the one text that all its rows have in a column of texts.

    None where the statistics do not prove it. They do where min_value and max_value are the same
    bytes: a bound may be cut off, but no text lies between equal bounds, in whichever order they
    were compared. They must also say that no row is null, and the chunk must have as many values
    as its group has rows. Whatever speaks against it is believed instead: a bound that says that
    it is inexact, deprecated bounds that differ, another number of distinct values, a field of
    another type, one that stands twice, two Statistics. column: a position among the file's
    columns; raises ValueError where there is none such, and PageError as chunk_places does.
    """
