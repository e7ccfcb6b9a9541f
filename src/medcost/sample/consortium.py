"""The consortium's tables of a sample book: what every kind's generator makes of the members."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from medcost.sample.consortium_consolidation import consolidation_tables
from medcost.sample.consortium_equipment import shared_equipment
from medcost.sample.consortium_funds import fund_tables
from medcost.sample.consortium_lending import lending_tables
from medcost.sample.consortium_sharing import sharing_tables
from medcost.sample.files import write_table
from medcost.sample.streams import Month


@dataclass(frozen=True)
class Members:
    """The members, the lead first, sorted by unit_id, and the months of the book.

    kinds: lead, township or village; seed: fixes every table, by streams of the kind's own topic.
    """

    unit_ids: tuple[str, ...]
    kinds: tuple[str, ...]
    months: tuple[Month, ...]
    seed: int

    @property
    def periods(self) -> Sequence[str]:
        """The months as YYYY-MM."""
        return [month.period for month in self.months]


# Each makes the tables that one kind of result reads, by name.
MAKERS: tuple[Callable[[Members], dict[str, pa.Table]], ...] = (
    sharing_tables,
    lending_tables,
    fund_tables,
    shared_equipment,
    consolidation_tables,
)


def write_consortium(folder: Path, members: Members) -> dict[str, int]:
    """Write the consortium's tables of a book; rows by table. One member alone has none."""
    if len(members.unit_ids) == 1:
        return {}
    tables: dict[str, pa.Table] = {}
    for make in MAKERS:
        tables |= make(members)
    return {name: write_table(folder, name, table) for name, table in tables.items()}
