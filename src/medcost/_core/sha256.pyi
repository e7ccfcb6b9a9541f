"""SHA-256 of two messages side by side, on processors with instructions for it.

The rounds of one message wait for each other; those of a second one fill the gaps, so that two
take little longer than one.
"""

from array import array

def is_supported() -> bool:
    """Whether this processor has the instructions (SHA extensions of x86-64)."""

def add_blocks(
    state: array[int],
    data: bytes | bytearray | memoryview,
    other_state: array[int] | None = None,
    other_data: bytes | bytearray | memoryview | None = None,
) -> None:
    """Take whole blocks of one message, or of two, into their states (FIPS 180-4, section 6.2.2).

    state: eight words, uint32, in place; data: a multiple of 64 bytes, of both messages as many.
    Raises ValueError where they are not, or the processor has no instructions for it. Time
    O(bytes).
    """
