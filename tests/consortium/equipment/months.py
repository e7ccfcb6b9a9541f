"""Books of shared equipment, planned and published from files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from medcost.consortium.equipment.policy import load_equipment_policy
from medcost.consortium.equipment.stage import KIND, NEEDED, plan_equipment
from medcost.consortium.inputs import read_consortium
from medcost.consortium.publication import ConsortiumResult

from ..books import MONTH, policy_file, written

UNITS = [
    {"unit_id": "L", "name": "County Hospital", "kind": "lead"},
    {"unit_id": "T1", "name": "Baishui Township Hospital", "kind": "township"},
    {"unit_id": "T2", "name": "Shuanghe Township Hospital", "kind": "township"},
    {"unit_id": "V1", "name": "Upper Village", "kind": "village"},
    {"unit_id": "V2", "name": "Lower Village", "kind": "village"},
]


def device(unit, capacity, fixed, variable, **more):
    """A row of equipment, yuan as text."""
    return {"period": MONTH, "unit_id": unit, "device_type": "DR", "capacity": capacity,
            "fixed_cost": fixed, "variable_cost": variable, **more}  # fmt: skip


def demand(unit, examinations, device_type="DR"):
    """A row of exam_demand."""
    return {
        "period": MONTH,
        "unit_id": unit,
        "device_type": device_type,
        "examinations": examinations,
    }


def road(unit, other, kilometres, minutes=None):
    """A row of distances."""
    row = {"unit_id": unit, "to_unit_id": other, "kilometres": kilometres}
    return row if minutes is None else row | {"minutes": minutes}


# The example of docs/explanation/consortium_equipment.md.
DEVICES = [
    device("L", 400, "30000.00", "60.00"),
    device("T1", 120, "12000.00", "75.00"),
    device("T2", 120, "12600.00", "75.00"),
]
DEMAND = [demand("L", 200), demand("T1", 40), demand("T2", 30), demand("V1", 10), demand("V2", 10)]
ROADS = [
    road("T1", "L", 22), road("T2", "L", 30), road("V1", "L", 26), road("V2", "L", 35),
    road("T1", "T2", 14), road("V1", "T1", 6), road("V1", "T2", 12), road("V2", "T2", 8),
    road("V2", "T1", 18),
]  # fmt: skip


def book(folder: Path, **tables: Iterable[dict[str, object]]) -> Path:
    """The example's book, with some tables in place of its own; None leaves one out."""
    own = {"units": UNITS, "equipment": DEVICES, "exam_demand": DEMAND, "distances": ROADS}
    given = own | tables
    return written(folder, {name: rows for name, rows in given.items() if rows is not None})


def planned(folder: Path, sections: str = "", period: str = MONTH) -> ConsortiumResult:
    """The result of a book under a policy of some sections."""
    inputs = read_consortium(folder, KIND, NEEDED, [period])
    return plan_equipment(inputs, load_equipment_policy(policy_file(folder, sections)), period)
