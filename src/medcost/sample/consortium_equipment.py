"""Invented shared devices, demand for examinations and the roads between members.

Townships lie around the county town, villages around their townships. The lead keeps the devices
that it has; every township could have a smaller one of each type, and wants it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from medcost.sample.files import AMOUNT, QUANTITY, decimals, texts
from medcost.sample.streams import Floats, Ints, Topic, stream

if TYPE_CHECKING:
    from medcost.sample.consortium import Members

WHOLE = pa.decimal128(18, 0)
LEAD, TOWNSHIP = "lead", "township"
# A township's device does less, for less, and each examination costs more.
SMALLER, CHEAPER, DEARER = 0.4, 0.45, 1.2
# Roads are longer than the straight line; minutes at 45 km/h and some to set out.
BEND, MINUTES_OF_KM, SETTING_OUT = 1.3, 60 / 45, 5.0


@dataclass(frozen=True)
class _Type:
    """A type of device at the lead: capacity, yuan a month and an examination, whether it is kept.

    demand: examinations of a lead, a township and a village in a month.
    """

    name: str
    capacity: int
    fixed: int
    variable: int
    is_kept: bool
    demand: tuple[int, int, int]


TYPES = (
    _Type("CT", 1800, 62_000, 85, True, (980, 55, 4)),
    _Type("DR", 2400, 21_000, 16, False, (900, 130, 9)),
    _Type("endoscopy", 520, 26_000, 140, False, (260, 16, 1)),
    _Type("MRI", 900, 128_000, 160, True, (480, 9, 1)),
    _Type("ultrasound", 2600, 30_000, 14, False, (1200, 180, 14)),
)


def shared_equipment(members: Members) -> dict[str, pa.Table]:
    """The tables equipment, exam_demand and distances."""
    return {
        "equipment": _devices(members),
        "exam_demand": _demand(members),
        "distances": _distances(members),
    }


def _devices(members: Members) -> pa.Table:
    """Of each type one at the lead and one that could stand at each township, every month alike."""
    rng = stream(members.seed, Topic.EQUIPMENT)
    each = []
    for type_ in TYPES:
        for unit, kind in zip(members.unit_ids, members.kinds, strict=True):
            if kind == LEAD:
                at = (type_.capacity, type_.fixed, type_.variable, type_.is_kept)
                each.append((type_.name, unit, *at))
            elif kind == TOWNSHIP:
                own = rng.uniform(0.85, 1.15, 3) * (SMALLER, CHEAPER, DEARER)
                capacity, fixed, variable = own * (type_.capacity, type_.fixed, type_.variable)
                small = (round(capacity / 10) * 10, round(fixed / 100) * 100, round(variable))
                each.append((type_.name, unit, *small, False))
    rows = [(period, *row) for period in members.periods for row in each]
    periods, names, units, capacity, fixed, variable, kept = zip(*rows, strict=True)
    yuan = np.array([fixed, variable], np.int64) * 100
    return pa.table(
        {
            "period": texts(periods),
            "unit_id": texts(units),
            "device_type": texts(names),
            "capacity": decimals(np.array(capacity, np.int64), WHOLE),
            "fixed_cost": decimals(yuan[0], AMOUNT),
            "variable_cost": decimals(yuan[1], AMOUNT),
            "status": texts(["kept" if k else "candidate" for k in kept]),
        }
    )


def _demand(members: Members) -> pa.Table:
    """What each member's patients need, some more and some less, in each month."""
    rows = []
    for month in members.months:
        rng = stream(members.seed, Topic.EQUIPMENT, month.index + 1)
        for type_ in TYPES:
            for unit, kind in zip(members.unit_ids, members.kinds, strict=True):
                usual = type_.demand[(LEAD, TOWNSHIP).index(kind) if kind != "village" else 2]
                n = round(usual * float(rng.uniform(0.7, 1.3)))
                if n:
                    rows.append((month.period, unit, type_.name, n))
    periods, units, names, asked = zip(*rows, strict=True)
    return pa.table(
        {
            "period": texts(periods),
            "unit_id": texts(units),
            "device_type": texts(names),
            "examinations": decimals(np.array(asked, np.int64), WHOLE),
        }
    )


def _places(members: Members) -> Floats:
    """Where members lie, in kilometres from the county town: float64 [members, 2]."""
    rng = stream(members.seed, Topic.EQUIPMENT, 0, 1)
    townships = [i for i, kind in enumerate(members.kinds) if kind == TOWNSHIP]
    places = np.zeros((len(members.kinds), 2))
    villages = 0
    for i, kind in enumerate(members.kinds):
        turn, far = 0.0, 0.0
        if kind == TOWNSHIP:
            turn = 2 * np.pi * townships.index(i) / len(townships)
            far = float(rng.uniform(9, 24))
        elif kind != LEAD:
            centre = places[townships[villages % len(townships)]]
            villages += 1
            turn, far = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(2, 9))
            places[i] = centre
        places[i] += far * np.array([np.cos(turn), np.sin(turn)])
    return places


def _distances(members: Members) -> pa.Table:
    """Every pair of members once, in whole 100 metres and minutes."""
    places = _places(members)
    first, second = np.triu_indices(len(members.unit_ids), 1)
    straight = np.hypot(*(places[first] - places[second]).T)
    tenths: Ints = np.rint(straight * BEND * 10).astype(np.int64)
    minutes: Ints = np.rint(tenths / 10 * MINUTES_OF_KM + SETTING_OUT).astype(np.int64)
    return pa.table(
        {
            "unit_id": texts([members.unit_ids[i] for i in first]),
            "to_unit_id": texts([members.unit_ids[i] for i in second]),
            "kilometres": decimals(tenths * 1_000, QUANTITY),
            "minutes": decimals(minutes * 10_000, QUANTITY),
        }
    )
