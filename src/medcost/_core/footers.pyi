"""Where a Parquet file's column chunks lie: its footer, read from bytes that nobody vouches for.

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
