"""What every stage of the chain is given."""

from dataclasses import dataclass

from oracle.book import Book
from oracle.rounding import Arithmetic
from oracle.settings import Settings


@dataclass(frozen=True)
class Costing:
    """One period of a book, the model's settings, and whole fen or exact rationals."""

    book: Book
    settings: Settings
    arithmetic: Arithmetic
