"""A rival is timed only if it gives the same results.

Totals per table and element agree to a fen a row. They alone would hide a wrong split, because
everything is split without a rest; so every case's cost must agree too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from medcost.tables import ELEMENTS

TABLES = ("service_item_cost", "case_cost", "drg_cost")
YUAN_PER_ROW = 0.01
# Each of seven elements is rounded by less than a fen; the rest is room for a rival's doubles.
YUAN_PER_CASE = 0.10


class DisagreementError(Exception):
    """A rival's totals, or the costs of its cases, are not medcost's."""


@dataclass(frozen=True)
class Agreement:
    """How far a rival's results are from medcost's, in yuan.

    largest_total: of the totals per table and element; largest_case: of one case's total cost.
    """

    rival: str
    largest_total: float
    largest_case: float
    cases: int


def require_agreement(rival: str, run: Path, out: Path) -> Agreement:
    """Compare the rival's tables in out with those of medcost's run. Raises DisagreementError."""
    largest = 0.0
    for name in TABLES:
        ours, theirs = read_costs(run / f"{name}.parquet"), read_costs(out / f"{name}.parquet")
        allowed = YUAN_PER_ROW * max(ours.num_rows, theirs.num_rows, 1)
        for element in ELEMENTS:
            difference = abs(total(ours, element) - total(theirs, element))
            largest = max(largest, difference)
            if not difference <= allowed:
                raise DisagreementError(
                    f"{rival}: {name}, {element} is {total(theirs, element):,.2f} yuan, "
                    f"medcost's {total(ours, element):,.2f}; {allowed:,.2f} is allowed"
                )
    cases, largest_case = compare_cases(run, out)
    if not largest_case <= YUAN_PER_CASE:
        raise DisagreementError(
            f"{rival}: the cost of one of {cases:,} cases differs by {largest_case:,.2f} yuan; "
            f"{YUAN_PER_CASE:.2f} is allowed"
        )
    return Agreement(rival, largest, largest_case, cases)


def read_costs(path: Path) -> pa.Table:
    """The columns of elements, as doubles."""
    table = pq.read_table(path, columns=list(ELEMENTS))
    return pa.table({name: table[name].cast(pa.float64()) for name in ELEMENTS})


def total(table: pa.Table, element: str) -> float:
    """Yuan of the element over all rows."""
    return float(pc.sum(table[element], min_count=0).as_py())


def compare_cases(run: Path, out: Path) -> tuple[int, float]:
    """How many cases there are, and the largest difference of one case's cost."""
    both = costs_by_case(run).join(
        costs_by_case(out), ["unit_id", "case_id"], join_type="full outer", right_suffix="_rival"
    )
    ours, theirs = (pc.fill_null(both[name], 0.0).to_numpy() for name in ("total", "total_rival"))
    return both.num_rows, float(np.abs(ours - theirs).max(initial=0.0))


def costs_by_case(folder: Path) -> pa.Table:
    """Unit, case and total cost."""
    table = pq.read_table(folder / "case_cost.parquet", columns=["unit_id", "case_id", "total"])
    # Keys of a join must be of one type, whichever engine wrote them.
    columns = {"unit_id": pa.string(), "case_id": pa.string(), "total": pa.float64()}
    return pa.table({name: table[name].cast(kind) for name, kind in columns.items()})
