"""The two families of errors (the user's input, our own promises) and every fault code."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from medcost.money import format_yuan
from medcost.records import dataclass

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EXAMPLES_SHOWN = 5
LONGEST_PATH = 4096


@dataclass(frozen=True)
class RowsAt:
    """Rows of one file, counted from 1, int64 [rows]."""

    file: str
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class FaultCode:
    """One kind of fault: its code and, for every occurrence, why it matters and what to do."""

    code: str
    title: str
    why: str
    fix: str


@cache
def fault_codes() -> dict[str, FaultCode]:
    """Every fault code by its name, from fault_codes.csv (the docs are made from it too)."""
    text = Path(__file__).with_name("fault_codes.csv").read_text("utf-8")
    return {row["code"]: FaultCode(**row) for row in csv.DictReader(text.splitlines())}


@dataclass(frozen=True)
class Fault:
    """One fault of a book or model: how much, where. Why and fix follow from its code.

    what: a sentence with the count and the money; where: every place found, most important
    first, already free of patient identifiers; rows: every row at fault, where rows are;
    column: the column that is wrong in them.
    """

    code: str
    what: str
    where: tuple[str, ...]
    rows: tuple[RowsAt, ...] = field(default=(), compare=False)
    column: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        """A code that the list does not have would print an error without a reason."""
        if self.code not in fault_codes():
            raise InvariantBroken(f"fault code {self.code!r} is not in fault_codes.csv")


class InputRejected(Exception):
    """The book or the model has faults; nothing is published. Exit code 3."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(fault.what for fault in self.faults))


class InvariantBroken(Exception):
    """medcost broke a promise of its own, such as a balance; nothing is published. Exit code 4."""


class CannotPublish(Exception):
    """The result could not be written: disk full, lock held, no permission. Exit code 5."""


def quote(text: str) -> str:
    """A label in quotes, with no character left that can act on a terminal: 'XK09'."""
    return f"'{printable(text)}'"


def quote_path(path: Path | str) -> str:
    """A path in quotes, whole: its end is what tells it from others."""
    return f"'{printable(str(path), LONGEST_PATH)}'"


def printable(text: str, longest: int = 60) -> str:
    """The text, cut if it is long, with what could act on a terminal written as its code."""
    shown = text if len(text) <= longest else text[: longest - 3] + "..."
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown)


def count_of(n: int, noun: str) -> str:
    """'1 ledger row', '37 ledger rows'."""
    if n == 1:
        return f"1 {noun}"
    return f"{n:,} {noun[:-1]}ies" if noun.endswith("try") else f"{n:,} {noun}s"


def worth(fen: int | None) -> str:
    """', worth 12,045.00 yuan,' in the middle of a sentence; nothing where no money is known."""
    return "" if fen is None else f", worth {format_yuan(fen)} yuan,"


def render_fault(fault: Fault, shown: int = EXAMPLES_SHOWN) -> str:
    """The fault in the contract's form: a heading and the lines where, why and fix."""
    code = fault_codes()[fault.code]
    places = ", ".join(fault.where[:shown])
    more = len(fault.where) - shown
    if more > 0:
        places += f" and {more:,} more"
    return (
        f"[{fault.code}] {fault.what}\n  where  {places}\n  why    {code.why}\n  fix    {code.fix}"
    )


def render_faults(faults: Sequence[Fault], closing: str = "Nothing was published.") -> str:
    """All faults together, in the order they were found, with a closing count."""
    kinds = len({fault.code for fault in faults})
    blocks = [render_fault(fault) for fault in faults]
    total = count_of(len(faults), "fault")
    blocks.append(f"{total} of {count_of(kinds, 'kind')}. {closing}")
    return "\n\n".join(blocks)


@contextmanager
def gathered(faults: list[Fault]) -> Iterator[None]:
    """Add the faults that are raised inside to those found before; what follows goes on."""
    try:
        yield
    except InputRejected as rejected:
        faults += rejected.faults


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turn an operating system error into CannotPublish that says which file and why."""
    try:
        yield
    except OSError as error:
        # Of a copy or a rename the second name is the one that was to be written.
        names = (error.filename2, error.filename, path)
        named = next(name for name in names if name is not None)
        reason = error.strerror or str(error)
        raise CannotPublish(f"Cannot write {quote_path(named)}: {reason}.") from error
