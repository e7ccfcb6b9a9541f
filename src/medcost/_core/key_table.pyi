"""Slots of integer keys in the order in which they first come: open addressing, keys inline."""

from typing import final

import numpy as np
from numpy.typing import NDArray

@final
class KeyTable:
    """Numbers distinct keys 0, 1, 2, ... in the order in which they are first added.

    16 bytes a place, at most half of the places taken. One thread at a time may add.
    """

    def __len__(self) -> int: ...
    def add(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Slot of each key, int64 [keys]; new keys are numbered in the order of the array.

        Raises MemoryError. Expected time O(keys).
        """

    def find(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Slot of each key, int64 [keys]; -1 where it was never added."""

    def known(self) -> NDArray[np.int64]:
        """The keys added so far by slot, int64 [slots]."""
