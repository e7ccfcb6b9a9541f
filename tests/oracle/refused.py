"""The refusal of a book."""

from collections.abc import Iterable


class Refused(Exception):
    """A book that must not be costed; `codes` is the sorted list of its fault codes."""

    def __init__(self, codes: str | Iterable[str]) -> None:
        """Take one fault code, or all of them."""
        self.codes: list[str] = sorted({codes} if isinstance(codes, str) else set(codes))
        super().__init__(", ".join(self.codes))
