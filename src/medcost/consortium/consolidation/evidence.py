"""Published results as one side of a deal, where the member itself booked nothing.

Costing publishes what services of one member for another's cases cost; where the consortium settles
at cost, that is the performer's claim. Sharing publishes what each member takes over of a shared
cost. The policy says of which kind of business a table is evidence, and of which side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from medcost.errors import Fault, InputRejected, quote
from medcost.manifest import find_damaged
from medcost.parquet_input import READ_ERRORS
from medcost.result_tables import fen_as_read, labels_of
from medcost.run_folders import read_run_manifest, read_run_tables

COSTING = "costing"


class _Columns(NamedTuple):
    """A result table and its columns: of the two members and, where it has one, the reference."""

    table: str
    claimant: str
    debtor: str
    reference: str = ""

    @property
    def texts(self) -> list[str]:
        """The columns of text that are read."""
        return [column for column in (self.claimant, self.debtor, self.reference) if column]


COLUMNS = {
    COSTING: _Columns("intercompany", "from_unit_id", "to_unit_id"),
    "share": _Columns("share_posting", "counterparty_id", "unit_id", "service_id"),
}


class Source(NamedTuple):
    """An entry of the policy: published results as one side of a kind of business."""

    results: str
    kind: str
    side: str
    reference: str


class Evidence(NamedTuple):
    """What published results say of a deal: members by label, fen, and the file."""

    kind: str
    side: str
    claimant: str
    debtor: str
    reference: str
    fen: int
    place: str


def read_evidence(
    sources: Iterable[Source], costs: Mapping[str, Path], results: Mapping[str, Path]
) -> list[Evidence]:
    """What the published runs of a month say, summed by deal, sorted.

    costs: run folders of costing by unit; results: of the consortium by kind. Raises InputRejected
    where what the policy asks for is not there, or not as it was published.
    """
    found: list[Evidence] = []
    for source in sources:
        of_unit = costs if source.results == COSTING else {}
        folders = {
            *of_unit.values(),
            *([results[source.results]] if source.results in results else []),
        }
        if not folders:
            what = f"The policy takes {source.results} for evidence; no result of it is published."
            raise InputRejected([Fault("run-not-found", what, ("evidence, --runs",))])
        deals: dict[tuple[str, str, str], int] = {}
        places = {}
        for folder in sorted(folders):
            units = {unit for unit, run in of_unit.items() if run == folder} or None
            for deal, fen in _deals(folder, source, units):
                deals[deal] = deals.get(deal, 0) + fen
                places[deal] = f"{folder.name}/{COLUMNS[source.results].table}.parquet"
        found += [
            Evidence(source.kind, source.side, *deal, fen, places[deal])
            for deal, fen in sorted(deals.items())
            if fen
        ]
    return found


def _deals(
    folder: Path, source: Source, units: set[str] | None
) -> Iterable[tuple[tuple[str, str, str], int]]:
    """Deal and fen of each row; units: performers that the run is published for, None: all.

    Of postings between two members, which stand in both books, the one that takes over counts.
    """
    columns = COLUMNS[source.results]
    table = _published(folder, columns)
    texts = [_texts(table, column) for column in columns.texts]
    if not columns.reference:
        texts.append([source.reference] * len(table))
    for claimant, debtor, reference, fen in zip(
        *texts, fen_as_read(table, "amount").tolist(), strict=True
    ):
        is_counted = fen > 0 if units is None else claimant in units
        if claimant != debtor and is_counted:
            yield (claimant, debtor, reference), fen


def _texts(table: pa.Table, column: str) -> list[str]:
    labels, codes = labels_of(table, column)
    known = [*labels, ""]
    return [known[code] for code in codes.tolist()]


def _published(folder: Path, columns: _Columns) -> pa.Table:
    """A run's table as it was published; raises InputRejected where it is not there or changed."""
    name = columns.table
    manifest = read_run_manifest(folder) or {"outputs": []}
    records = [one for one in manifest["outputs"] if one["name"] == f"{name}.parquet"]
    where = (quote(str(folder)),)
    if not records:
        what = f"{quote(folder.name)} published no table {name}."
        raise InputRejected([Fault("run-not-found", what, where)])
    try:
        if not find_damaged(folder, records):
            return read_run_tables(folder, manifest, {name: [*columns.texts, "amount"]})[name]
    except READ_ERRORS:
        # A file that is the one published and cannot be read is as good as damaged.
        pass
    what = f"{quote(folder.name)} is not as it was published: {name} is missing or changed."
    raise InputRejected([Fault("run-damaged", what, where)])
