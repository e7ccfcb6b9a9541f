"""Where frames of zstd begin and end, and what they unpack to, by their headers (RFC 8878)."""

import numpy as np
from numpy.typing import NDArray

def join_frames(
    chunk: NDArray[np.uint8],
    starts: NDArray[np.int64],
    stored_sizes: NDArray[np.int64],
    sizes: NDArray[np.int64],
) -> tuple[int, int] | None:
    """Let some pages be unpacked at once where they lie; from where to where they do.

    chunk: changed in place: each header between two pages becomes a frame that zstd skips.
    starts, stored_sizes: where each page lies in the chunk; sizes: what it unpacks to. None, and
    nothing changed, where a page is not exactly one frame that says it unpacks to just its size,
    where less than 8 bytes, or nothing, or another page is between two, or where one lies outside
    the chunk. Frames that follow each other unpack to what they unpack to one by one, and each
    is held to what it says, so no byte can change pages. Raises ValueError where lengths differ.
    """
