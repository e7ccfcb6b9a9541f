"""The published full cost of a department, as the cost of a shared service."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from medcost.checks.service_rows import ServiceRows
from medcost.result_tables import fen_as_read, labels_of


def department_cost(run: Path, service: ServiceRows) -> int | None:
    """Fen of the full cost of the service's department over all elements; None if not published.

    run: a folder with the published costs of the service's month.
    """
    table = pq.read_table(
        run / "department_cost.parquet", columns=["unit_id", "dept_id", "full_cost"]
    )
    units, of_unit = labels_of(table, "unit_id")
    depts, of_dept = labels_of(table, "dept_id")
    if service.unit_id not in units or service.dept_id not in depts:
        return None
    rows = (of_unit == units.index(service.unit_id)) & (of_dept == depts.index(service.dept_id))
    if not rows.any():
        return None
    fen: list[int] = fen_as_read(table, "full_cost")[rows].tolist()
    return sum(fen)
