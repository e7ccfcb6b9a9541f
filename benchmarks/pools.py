"""The pools that a rival starts from, out of a run of medcost.

A rival does not allocate departments: admin and support have handed on their cost already. One
row for each clinical and medtech department: unit_id, dept_id, for each element its pool and,
as own_<element>, what the department's own ledger holds; yuan as doubles.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from medcost.tables import ELEMENTS

COSTED = pa.array(["clinical", "medtech"])


def write_pools(department_cost: Path, pools: Path) -> None:
    """Write the pools file from a run's department_cost.parquet."""
    rows = pq.read_table(department_cost)
    rows = rows.filter(pc.is_in(rows["class"], value_set=COSTED))
    keys = ["unit_id", "dept_id"]
    table = rows.select(keys).group_by(keys).aggregate([])
    for element in ELEMENTS:
        of_element = rows.filter(pc.equal(rows["element"], element))
        columns = pa.table(
            {
                "unit_id": of_element["unit_id"],
                "dept_id": of_element["dept_id"],
                element: of_element["pool"].cast(pa.float64()),
                f"own_{element}": of_element["direct"].cast(pa.float64()),
            }
        )
        table = table.join(columns, keys)
    # An element without money has no row.
    money = {
        name: pc.fill_null(table[name], 0.0) for name in table.column_names if name not in keys
    }
    table = pa.table({name: table[name] for name in keys} | money)
    pq.write_table(table.sort_by([(key, "ascending") for key in keys]), pools)
