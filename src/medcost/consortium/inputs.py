"""What the consortium reads of a book: its tables, with the register of members."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medcost.book import (
    MAY_BE_EMPTY,
    Book,
    TableRows,
    codes_in,
    empty_table,
    missing_table,
    open_tables,
    require_book,
)
from medcost.checks.consortium import check_consortium
from medcost.errors import InputRejected
from medcost.parquet_input import SourceFile, TextColumn
from medcost.records import dataclass
from medcost.tables import CONSORTIUM_INPUTS
from medcost.text_labels import text_array

# Tables of a kind that say nothing where they are empty: services that need their rows miss them.
EMPTY_IS_NONE = MAY_BE_EMPTY | {"coalition_costs"}
# Kinds of units that count as grassroots where units does not say.
GRASSROOTS = frozenset({"township", "village", "community"})


@dataclass(frozen=True)
class Members:
    """The consortium's members, sorted by unit_id (UTF-8 bytes), and what units says of them.

    names: for people, the id where units has no name; kinds: lead, township, village, ...;
    grassroots bool [members].
    """

    unit_ids: tuple[str, ...]
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    grassroots: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.unit_ids)

    @cached_property
    def labels(self) -> pa.Array:
        """unit_ids as an Arrow array."""
        return text_array(self.unit_ids)

    def of(self, column: TextColumn) -> NDArray[np.int64]:
        """Member of each row, int64 [rows], -1 where the column is empty."""
        return codes_in(column, self.labels)


@dataclass(frozen=True)
class ConsortiumInputs:
    """Tables of a book without a fault, the members, and the files that were read.

    tables: by name; those that the book does not have are absent.
    """

    folder: Path
    tables: dict[str, TableRows]
    files: dict[str, tuple[SourceFile, ...]]
    members: Members


def open_consortium(folder: Path, names: Sequence[str]) -> Book:
    """The units and some of the consortium's tables; faults are gathered, not raised.

    Raises InputRejected (book-not-found) only where there is no book at all.
    """
    require_book(folder)
    return open_tables(folder, ("units", *names))


def read_consortium(
    folder: Path,
    kind: str,
    needed: Sequence[str],
    periods: Sequence[str] | None = None,
    also: Sequence[str] = (),
) -> ConsortiumInputs:
    """The tables of a kind, with the register of members.

    needed: tables without which there is no answer; none of the kind's may be empty; also: tables
    of other kinds or of costing that are read where they are there; periods: months whose rows are
    checked, None for all.
    Raises InputRejected with all faults of all tables together.
    """
    names = tuple(dict.fromkeys((*CONSORTIUM_INPUTS[kind], *also)))
    book = open_consortium(folder, names)
    faults = list(book.faults)
    faults += [missing_table(name, folder) for name in ("units", *needed) if name not in book.files]
    # Without a row of intercompany nothing would be eliminated: no table of the kind may be empty.
    for name in dict.fromkeys(("units", *needed, *CONSORTIUM_INPUTS[kind])):
        if name in book.tables and not book.tables[name].n and name not in EMPTY_IS_NONE:
            faults.append(empty_table(name, book.files[name]))
    faults += check_consortium(book, names, periods)
    if faults:
        raise InputRejected(dict.fromkeys(faults))
    return ConsortiumInputs(folder, book.tables, book.files, members_of(book.tables["units"]))


def members_of(units: TableRows) -> Members:
    """The register of members of the table units, which has no fault."""
    labels, order = units.labels("unit_id"), np.argsort(units.codes("unit_id"))
    names = units.names("unit_id")
    kinds = units.labels("kind")
    kind_of = [kinds[code] for code in units.codes("kind")[order].tolist()]
    is_said, said = units.present("grassroots")[order], units.values("grassroots")[order] != 0
    by_kind = np.array([kind in GRASSROOTS for kind in kind_of], np.bool_)
    return Members(
        tuple(labels),
        tuple(names[label] or label for label in labels),
        tuple(kind_of),
        np.where(is_said, said, by_kind),
    )
