"""What a run published for a figure: an explanation must be of that number and no other."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from medcost.errors import Fault, InputRejected, quote
from medcost.figure_found import Question
from medcost.money import format_yuan
from medcost.parquet_input import READ_ERRORS, SourceFile, decode_number, encode_part, unreadable
from medcost.tables import ELEMENTS, Table, load_table

# Of each kind of figure: its result table, and the columns that add up to it in a table that has
# a row for each element; one with a column for each element has none.
TABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "full_cost": ("department_cost", ("full_cost",)),
    "gross_cost": ("department_cost", ("direct", "from_admin", "from_support", "from_medtech")),
    "service_item_cost": ("service_item_cost", ()),
    "drg_cost": ("drg_cost", ()),
}
KEYS = {"dept": "dept_id", "item": "item_id", "drg": "drg_id"}


def require_as_published(
    run: Path, kind: str, question: Question, scheme: str, units: Collection[str], fen: int
) -> None:
    """Refuse a figure that is not the one in the run's result table.

    kind, scheme, units and fen are the figure's. It differs where another version of medcost
    computes it otherwise. Raises InputRejected (figure-not-as-published, file-unreadable).
    """
    published = _published_fen(run, kind, question, scheme, units)
    if published != fen:
        name, _ = TABLES[kind]
        what = (
            f"{quote(run.name)} published {format_yuan(published)} yuan for "
            f"{quote(question.label)}; computed again it is {format_yuan(fen)} yuan."
        )
        raise InputRejected([Fault("figure-not-as-published", what, (f"{name}.parquet",))])


def _published_fen(
    run: Path, kind: str, question: Question, scheme: str, units: Collection[str]
) -> int:
    name, columns = TABLES[kind]
    elements = (question.element,) if question.element else ELEMENTS
    wanted = {"unit_id": units, KEYS[question.kind]: (question.label,)}
    wanted |= {"scheme": (scheme,)} if question.kind == "drg" else {}
    wanted |= {"element": elements} if columns else {}
    amounts = list(columns or elements)
    path = run / f"{name}.parquet"
    try:
        with pq.ParquetFile(path, read_dictionary=list(wanted), pre_buffer=False) as file:
            rows = file.read([*wanted, *amounts], use_threads=False)
    except READ_ERRORS as error:
        raise InputRejected([unreadable(SourceFile(path, path.name), error)]) from None
    chosen = np.ones(len(rows), np.bool_)
    for key, labels in wanted.items():
        known, codes = encode_part(rows[key].combine_chunks())
        # The last is that of a row without a label, whose code is -1.
        chosen &= np.array([label in labels for label in (*known.to_pylist(), "")])[codes]
    table = load_table(f"out_{name}")
    return sum(_fen(rows, table, column, chosen) for column in amounts)


def _fen(rows: pa.Table, table: Table, column: str, chosen: NDArray[np.bool_]) -> int:
    values = decode_number(rows[column].combine_chunks(), table.column(column)).values
    return sum(values[chosen].tolist())
