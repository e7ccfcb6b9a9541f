"""Values of Parquet's PLAIN encoding: texts to codes, numbers to int64.

All read from start to the end of body, uint8 [bytes], and raise PageError where the values do not
end exactly there or are more than most.
"""

import numpy as np
from numpy.typing import NDArray

from medcost._core.labels import LabelTable

def text_codes(
    labels: LabelTable, body: NDArray[np.uint8], start: int, most: int
) -> NDArray[np.int32]:
    """Position of each text among the labels, int32 [texts]; -1 no label, -2 empty.

    A text is 4 bytes with its length, the lowest first, and its bytes. Raises PageError also for
    text that is not UTF-8.
    """

def numbers(
    body: NDArray[np.uint8], start: int, most: int, width: int, reverse: bool, limit: int
) -> tuple[NDArray[np.int64], NDArray[np.uint8] | None]:
    """Numbers of width bytes, int64 [numbers], and their states, uint8 [numbers].

    Two's complement, lowest byte first (4 or 8 bytes) or, with reverse, highest first (1 to 16).
    A number beyond -limit to limit becomes 0 with the state 2; without any, states is None.
    """

def wide_numbers(
    body: NDArray[np.uint8], start: int, most: int, width: int, reverse: bool
) -> NDArray[np.uint64]:
    """The same numbers as 128 bits each, low word first: uint64 [numbers, 2]."""
