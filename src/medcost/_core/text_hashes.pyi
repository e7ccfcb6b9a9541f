"""Ids by the hashes of their bytes, and which hashes stand more than once.

Equal texts have equal hashes; different ones share a hash of 64 bits with a chance of 2^-64 a pair.
A caller that finds equal hashes must compare the texts. A state says of each text: 0 fine, 1 empty,
2 that it may begin or end with a blank, which whoever knows all blanks must look at.
"""

import numpy as np
from numpy.typing import NDArray

def plain_hashes(
    body: NDArray[np.uint8], start: int, most: int
) -> tuple[NDArray[np.int64], NDArray[np.uint8] | None]:
    """Hashes, int64 [texts], and states, uint8 [texts], None where all are fine.

    Of Parquet's plain texts from start to the end of body: 4 bytes with the length, the lowest
    first, and the bytes. Raises PageError where they do not end exactly there, are more than
    most, or are not UTF-8. Time O(bytes).
    """

def arrow_hashes(
    offsets: NDArray[np.int32], data: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """The same of Arrow's buffers: text i is data[offsets[i] : offsets[i + 1]].

    offsets: int32 [texts + 1]; data: uint8 [bytes], valid UTF-8. Raises ValueError where the
    offsets do not fit the data.
    """

def split_by_hash(
    hashes: NDArray[np.uint64], bits: int
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The hashes in groups of equal highest bits, uint64 [hashes], and starts [2^bits + 1].

    Raises ValueError where bits are not 1 to 16. Time O(hashes + 2^bits).
    """

def equal_hashes(hashes: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Those that stand more than once, in no order, and how often: both [distinct ones].

    Expected time O(hashes); 32 to 64 bytes a hash while it works.
    """
