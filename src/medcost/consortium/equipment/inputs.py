"""The tables of a month as a problem: members sorted by id, devices and demands by type."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from medcost.book import TableRows, codes_in
from medcost.consortium.equipment.policy import SharedEquipment, exact
from medcost.consortium.equipment.problem import EquipmentProblem
from medcost.consortium.inputs import Members
from medcost.errors import Fault, InputRejected, count_of
from medcost.money import FEN_PER_YUAN
from medcost.records import dataclass
from medcost.text_labels import text_array

DISTANCE_STEPS = 10**4
KEPT = "kept"
FAR = -1


@dataclass(frozen=True)
class EquipmentMonth:
    """A month's problem; has_distances: whether the book says how far members lie apart."""

    period: str
    problem: EquipmentProblem
    has_distances: bool


def month_of(
    tables: Mapping[str, TableRows], members: Members, rules: SharedEquipment, period: str
) -> EquipmentMonth:
    """The problem of a month; the order of rows changes nothing.

    A member's own devices are at distance 0; a pair that distances does not list in either
    direction is out of reach; without the table everybody reaches everything, all of it within
    the access distance. Raises InputRejected (equipment-demand-missing, value-missing).
    """
    demand, devices = tables["exam_demand"], tables["equipment"]
    asked = _asked(demand, period)
    types, stand, is_kept = _considered(devices, period, {*_labels(demand, "device_type", asked)})
    labels = text_array(types)
    demand_unit = members.of(demand.text["unit_id"])[asked]
    demand_type = codes_in(demand.text["device_type"], labels)[asked]
    order = np.lexsort((demand_unit, demand_type))
    asked, demand_unit, demand_type = asked[order], demand_unit[order], demand_type[order]

    ids = np.array(_labels(devices, "device_id", stand), dtype=object)
    device_unit = members.of(devices.text["unit_id"])[stand]
    device_type = codes_in(devices.text["device_type"], labels)[stand]
    place = _ranks(ids)
    order = np.lexsort((place, device_unit, device_type))
    stand, is_kept, ids = stand[order], is_kept[order], ids[order]
    device_unit, device_type = device_unit[order], device_type[order]

    far = _distances(tables.get("distances"), members, rules.access.measure)
    # The largest whole steps that are not beyond.
    limits = np.array(
        [[int(km * DISTANCE_STEPS) for km in rules.distances(label)] for label in types], np.int64
    )
    within, farthest = limits[demand_type].T
    between = far[demand_unit][:, device_unit]
    reached = (demand_type[:, None] == device_type[None, :]) & (between != FAR)
    pair_demand, pair_device = np.nonzero(reached & (between <= farthest[:, None]))
    distance = between[pair_demand, pair_device]
    fixed_cost = rules.budget.fixed_cost
    problem = EquipmentProblem(
        members.unit_ids,
        members.grassroots,
        types,
        demand_unit,
        demand_type,
        demand.values("examinations")[asked],
        device_unit,
        device_type,
        tuple(ids.tolist()),
        devices.values("capacity")[stand],
        devices.values("fixed_cost")[stand],
        devices.values("variable_cost")[stand],
        is_kept,
        pair_demand.astype(np.int64),
        pair_device.astype(np.int64),
        distance,
        distance <= within[pair_demand],
        None if fixed_cost is None else int(exact(fixed_cost) * FEN_PER_YUAN),
    )
    return EquipmentMonth(period, problem, "distances" in tables)


def _asked(demand: TableRows, period: str) -> NDArray[np.int64]:
    """Rows of a month that ask for an examination; raises InputRejected where there are none."""
    asked = _rows_of(demand, period)
    asked = asked[demand.values("examinations")[asked] > 0]
    if not len(asked):
        what = f"exam_demand asks for no examination in {period}."
        raise InputRejected([Fault("equipment-demand-missing", what, ("exam_demand, period",))])
    return asked


def _considered(
    devices: TableRows, period: str, asked_types: set[str]
) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.bool_]]:
    """Types of the plan, sorted; rows of its devices, and whether each is kept.

    A device of a type that nobody asks for is no question of the plan, unless it is kept.
    """
    stand = _rows_of(devices, period)
    is_kept = np.array([status == KEPT for status in _labels(devices, "status", stand)], np.bool_)
    type_of = _labels(devices, "device_type", stand)
    kept_types = {label for label, kept in zip(type_of, is_kept, strict=True) if kept}
    types = tuple(sorted(asked_types | kept_types))
    wanted = np.array([label in types for label in type_of], np.bool_)
    return types, stand[wanted], is_kept[wanted]


def _rows_of(rows: TableRows, period: str) -> NDArray[np.int64]:
    """Rows of a month."""
    labels = rows.labels("period")
    code = labels.index(period) if period in labels else -2
    return np.flatnonzero(rows.codes("period") == code)


def _labels(rows: TableRows, column: str, at: NDArray[np.int64]) -> list[str]:
    """Labels of some rows, '' where a row has none."""
    known = [*rows.labels(column), ""]
    return [known[code] for code in rows.codes(column)[at].tolist()]


def _ranks(labels: NDArray[np.object_]) -> NDArray[np.int64]:
    """The place of each label among the sorted ones; UTF-8 bytes sort as code points do."""
    place = {label: i for i, label in enumerate(sorted(set(labels.tolist())))}
    return np.array([place[label] for label in labels.tolist()], np.int64)


def _distances(rows: TableRows | None, members: Members, measure: str) -> NDArray[np.int64]:
    """Distance from member to member in 1e-4, FAR where it is not known, int64 [units, units]."""
    n = len(members)
    if rows is None:
        return np.zeros((n, n), np.int64)
    missing = np.flatnonzero(~rows.present(measure))
    if len(missing):
        what = f"{count_of(len(missing), 'distance')} have no {measure}: the policy measures by it."
        if len(missing) == 1:
            what = f"1 distance has no {measure}: the policy measures by it."
        where = tuple(rows.place(int(row)) for row in missing[:1000])
        raise InputRejected(
            [Fault("value-missing", what, where, tuple(rows.rows_at(missing)), measure)]
        )
    far = np.full((n, n), FAR, np.int64)
    there, back = members.of(rows.text["unit_id"]), members.of(rows.text["to_unit_id"])
    far[back, there] = rows.values(measure)
    far[there, back] = rows.values(measure)
    np.fill_diagonal(far, 0)
    return far
