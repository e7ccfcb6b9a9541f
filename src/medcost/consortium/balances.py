"""What the consortium's published tables must add up to, checked by the writer and by verify.

Verify holds the tables on disk against the same identities, and against the totals of every
column of money in the manifest.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from medcost.consortium.identities import IDENTITIES, Identity, Part
from medcost.errors import InvariantBroken
from medcost.money import format_yuan
from medcost.result_tables import fen_of, labels_of
from medcost.tables import CONSORTIUM_RESULTS, load_table


def tie_out(kind: str, tables: Mapping[str, pa.Table]) -> dict[str, str]:
    """Require that a result's tables are there and tie out; yuan of every column of money.

    tables: by name without out_. Totals are exact, as text, by table and column. Raises
    InvariantBroken with the identity and where it does not hold. Time O(rows).
    """
    if sorted(tables) != sorted(CONSORTIUM_RESULTS.get(kind, ())):
        raise InvariantBroken(f"{kind} publishes {', '.join(sorted(tables))}")
    for identity in IDENTITIES[kind]:
        require_identity(identity, tables)
    totals = {}
    for name in sorted(tables):
        for column in load_table(f"out_{name}").columns:
            if column.is_amount:
                fen = sum(fen_of(tables[name], column.name).tolist())
                totals[f"{name}.{column.name}"] = format_yuan(fen).replace(",", "")
    return totals


def require_identity(identity: Identity, tables: Mapping[str, pa.Table]) -> None:
    """Stop where the two sides of an identity differ, by the first key at which they do."""
    difference: dict[tuple[str, ...], int] = {}
    for side, parts in ((1, identity.left), (-1, identity.right)):
        for part in parts:
            for key, fen in _sums(part, tables[part.table]).items():
                difference[key] = difference.get(key, 0) + side * part.sign * fen
    for key, fen in sorted(difference.items()):
        if fen:
            where = f" of {', '.join(key)}" if key else ""
            raise InvariantBroken(
                f"{identity.fact} does not hold{where}: {format_yuan(fen)} yuan are between"
            )


def _sums(part: Part, table: pa.Table) -> dict[tuple[str, ...], int]:
    """Fen of a part by key, as Python integers: no sum can overflow."""
    columns = []
    for name in part.by:
        labels, codes = labels_of(table, name)
        known = [*labels, ""]
        columns.append([known[code] for code in codes.tolist()])
    keys = zip(*columns, strict=True) if columns else ((),) * len(table)
    sums: dict[tuple[str, ...], int] = {}
    for key, fen in zip(keys, fen_of(table, part.column).tolist(), strict=True):
        sums[key] = sums.get(key, 0) + fen
    return sums
