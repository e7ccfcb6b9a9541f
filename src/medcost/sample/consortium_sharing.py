"""Invented shared services: one of each rule and of each way in which coalitions would cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from medcost.sample.files import AMOUNT, QUANTITY, WEIGHT, decimals, texts
from medcost.sample.streams import Topic, split_evenly, stream

if TYPE_CHECKING:
    from medcost.sample.consortium import Members

LEAD, TOWNSHIP = "lead", "township"
# How much a member of each kind uses, beside a lead's 100.
USE = {LEAD: 100.0, TOWNSHIP: 14.0}
VILLAGE_USE = 1.0
TEXT, MONEY, VOLUME, SHARE = "text", AMOUNT, QUANTITY, WEIGHT
COLUMNS: dict[str, dict[str, object]] = {
    "shared_services": {
        "period": TEXT,
        "service_id": TEXT,
        "name": TEXT,
        "unit_id": TEXT,
        "cost": MONEY,
        "dept_id": TEXT,
        "rule": TEXT,
        "game": TEXT,
        "included_in": TEXT,
    },
    "shared_service_members": {
        "period": TEXT,
        "service_id": TEXT,
        "unit_id": TEXT,
        "volume": VOLUME,
        "stand_alone_cost": MONEY,
        "agreed_share": SHARE,
    },
    "capacity_steps": {
        "period": TEXT,
        "service_id": TEXT,
        "step_id": TEXT,
        "up_to": VOLUME,
        "cost": MONEY,
    },
    "coalition_costs": {"period": TEXT, "service_id": TEXT, "members": TEXT, "cost": MONEY},
    "joint_examinations": {
        "period": TEXT,
        "service_id": TEXT,
        "examining_unit_id": TEXT,
        "diagnosing_unit_id": TEXT,
        "examining_revenue": MONEY,
        "diagnosing_revenue": MONEY,
    },
    "shared_processes": {
        "period": TEXT,
        "service_id": TEXT,
        "process_id": TEXT,
        "unit_cost": MONEY,
    },
    "process_outputs": {
        "period": TEXT,
        "service_id": TEXT,
        "process_id": TEXT,
        "requirement_id": TEXT,
        "quantity": VOLUME,
    },
    "member_requirements": {
        "period": TEXT,
        "service_id": TEXT,
        "unit_id": TEXT,
        "requirement_id": TEXT,
        "quantity": VOLUME,
    },
}
Row = Mapping[str, str | int]


@dataclass
class _Month:
    """One month's rows by table, and what they are drawn from."""

    period: str
    units: Sequence[str]
    kinds: Sequence[str]
    rng: np.random.Generator
    rows: dict[str, list[Row]] = field(default_factory=dict)

    def add(self, table: str, **row: str | int) -> None:
        self.rows.setdefault(table, []).append({"period": self.period, **row})

    def volumes(self, units: Sequence[str], scale: float) -> list[int]:
        """Use of each member in whole services, 1e-4."""
        kind_of = dict(zip(self.units, self.kinds, strict=True))
        use = [USE.get(kind_of[unit], VILLAGE_USE) for unit in units]
        drawn = self.rng.uniform(0.7, 1.3, len(units)) * use * scale
        return [max(round(volume), 1) * 10_000 for volume in drawn]


def sharing_tables(members: Members) -> dict[str, pa.Table]:
    """The tables of cost sharing by name."""
    rows: dict[str, list[Row]] = {name: [] for name in COLUMNS}
    for index, period in enumerate(members.periods):
        rng = stream(members.seed, Topic.SHARING, index)
        month = _Month(period, members.unit_ids, members.kinds, rng)
        for make in (_by_rule, _outreach, _joint, _steps, _alone, _listed, _production):
            make(month)
        for name, found in month.rows.items():
            rows[name] += found
    return {name: _table(name, found) for name, found in rows.items()}


def _table(name: str, rows: Sequence[Row]) -> pa.Table:
    columns = []
    for column, kind in COLUMNS[name].items():
        values = [row.get(column) for row in rows]
        if kind == TEXT:
            columns.append(texts([None if value is None else str(value) for value in values]))
        else:
            numbers = np.array([int(value or 0) for value in values], np.int64)
            missing = np.array([value is None for value in values], np.bool_)
            columns.append(decimals(numbers, kind, missing))
    return pa.table(dict(zip(COLUMNS[name], columns, strict=True)))


def _lead(month: _Month) -> str:
    return month.units[list(month.kinds).index(LEAD)]


def _hospitals(month: _Month, most: int) -> list[str]:
    """The lead and the first townships."""
    pairs = zip(month.units, month.kinds, strict=True)
    return [unit for unit, kind in pairs if kind in {LEAD, TOWNSHIP}][:most]


def _by_rule(month: _Month) -> None:
    """Sterile supply by packs, with the steam that serves it; training by agreement."""
    lead, units = _lead(month), list(month.units)
    volumes = month.volumes(units, 40)
    month.add(
        "shared_services",
        service_id="S01",
        name="消毒供应 sterile supply",
        unit_id=lead,
        cost=sum(volumes) // 10_000 * 1_150,
        rule="driver",
    )
    for unit, volume in zip(units, volumes, strict=True):
        month.add("shared_service_members", service_id="S01", unit_id=unit, volume=volume)
    month.add(
        "shared_services",
        service_id="S02",
        name="蒸汽供应 steam",
        unit_id=lead,
        cost=int(month.rng.integers(2_000_000, 3_000_000)),
        included_in="S01",
    )
    hospitals = _hospitals(month, 20)
    month.add(
        "shared_services",
        service_id="S03",
        name="人员培训 training",
        unit_id=lead,
        cost=int(month.rng.integers(3_000_000, 6_000_000)),
        rule="agreed",
    )
    weights = np.array([3.0] + [1.0] * (len(hospitals) - 1))
    for unit, share in zip(hospitals, split_evenly(10**6, weights).tolist(), strict=True):
        month.add("shared_service_members", service_id="S03", unit_id=unit, agreed_share=share)


def _outreach(month: _Month) -> None:
    """Experts of the lead at the grassroots, by their visits."""
    pairs = zip(month.units, month.kinds, strict=True)
    grassroots = [unit for unit, kind in pairs if kind != LEAD]
    visits = month.volumes(grassroots, 1)
    month.add(
        "shared_services",
        service_id="S04",
        name="专家下沉 expert outreach",
        unit_id=_lead(month),
        cost=sum(visits) // 10_000 * 62_050,
        rule="outreach",
    )
    for unit, volume in zip(grassroots, visits, strict=True):
        month.add("shared_service_members", service_id="S04", unit_id=unit, volume=volume)


def _joint(month: _Month) -> None:
    """Examined in the townships, read by the lead."""
    lead = _lead(month)
    townships = [unit for unit in _hospitals(month, len(month.units)) if unit != lead]
    month.add(
        "shared_services",
        service_id="S05",
        name="联合检查 joint examinations",
        unit_id=lead,
        cost=len(townships) * 2_350_000,
        rule="joint_examinations",
    )
    for unit in townships:
        examined = int(month.rng.integers(3_000_000, 9_000_000))
        month.add(
            "joint_examinations",
            service_id="S05",
            examining_unit_id=unit,
            diagnosing_unit_id=lead,
            examining_revenue=examined,
            diagnosing_revenue=examined * 2 // 5,
        )


def _steps(month: _Month) -> None:
    """A cold chain that grows by vans, and a server as large as the largest member needs."""
    hospitals = _hospitals(month, 20)
    for service, name, game, rule, price in (
        ("S06", "冷链配送 cold chain", "steps", "shapley", 2_400_000),
        ("S07", "数据中心 data centre", "largest", "shapley", 5_100_000),
    ):
        drawn = month.rng.integers(200, 900, len(hospitals)).tolist()
        volumes = [volume * 10_000 for volume in drawn]
        needed = sum(volumes) if game == "steps" else max(volumes)
        steps = 6
        month.add(
            "shared_services",
            service_id=service,
            name=name,
            unit_id=_lead(month),
            cost=price * (steps + 2),
            rule=rule,
            game=game,
        )
        for unit, volume in zip(hospitals, volumes, strict=True):
            month.add("shared_service_members", service_id=service, unit_id=unit, volume=volume)
        for step in range(1, steps + 1):
            month.add(
                "capacity_steps",
                service_id=service,
                step_id=f"{step:02d}",
                up_to=-(-needed * step // steps),
                cost=price * (2 + step),
            )


def _alone(month: _Month) -> None:
    """An information platform that every member would otherwise have to buy."""
    units = list(month.units)
    own = [volume // 10_000 * 41_300 + 150_000 for volume in month.volumes(units, 1)]
    month.add(
        "shared_services",
        service_id="S08",
        name="信息平台 information platform",
        unit_id=_lead(month),
        cost=sum(own) * 7 // 10,
        rule="equal_profit",
        game="alone",
    )
    for unit, cost in zip(units, own, strict=True):
        month.add("shared_service_members", service_id="S08", unit_id=unit, stand_alone_cost=cost)


def _listed(month: _Month) -> None:
    """Ambulances of four hospitals, with what every coalition of them would cost."""
    hospitals = _hospitals(month, 4)
    own = [2_600_000 + volume // 10_000 * 31_700 for volume in month.volumes(hospitals, 1)]

    def together(members: Sequence[int]) -> int:
        return sum(own[i] for i in members) * (100 - 9 * (len(members) - 1)) // 100

    month.add(
        "shared_services",
        service_id="S09",
        name="急救转运 ambulances",
        unit_id=_lead(month),
        cost=together(range(len(hospitals))),
        rule="nucleolus",
        game="listed",
    )
    for unit, cost in zip(hospitals, own, strict=True):
        month.add("shared_service_members", service_id="S09", unit_id=unit, stand_alone_cost=cost)
    for size in range(2, len(hospitals)):
        for members in combinations(range(len(hospitals)), size):
            month.add(
                "coalition_costs",
                service_id="S09",
                members=";".join(hospitals[i] for i in members),
                cost=together(members),
            )


def _production(month: _Month) -> None:
    """A laboratory: the lead brings hours of analysers, others would send their samples out."""
    units, lead = list(month.units), _lead(month)
    processes = {
        "analyser": (31_000, {"chemistry": 60, "haematology": 40, "analyser_hours": -1}),
        "microscope": (1_350, {"haematology": 1}),
        "sent_out": (1_800, {"chemistry": 1}),
        "culture": (5_200, {"microbiology": 1}),
        "culture_line": (46_000, {"microbiology": 14, "analyser_hours": -1}),
    }
    month.add(
        "shared_services",
        service_id="S10",
        name="检验中心 laboratory",
        unit_id=lead,
        rule="dual_prices",
        game="production",
    )
    for process, (unit_cost, outputs) in processes.items():
        month.add("shared_processes", service_id="S10", process_id=process, unit_cost=unit_cost)
        for requirement, quantity in outputs.items():
            month.add(
                "process_outputs",
                service_id="S10",
                process_id=process,
                requirement_id=requirement,
                quantity=quantity * 10_000,
            )
    tests = 0
    for unit in units:
        month.add("shared_service_members", service_id="S10", unit_id=unit)
    for requirement, scale in (("chemistry", 60), ("haematology", 45), ("microbiology", 4)):
        for unit, volume in zip(units, month.volumes(units, scale), strict=True):
            month.add(
                "member_requirements",
                service_id="S10",
                unit_id=unit,
                requirement_id=requirement,
                quantity=volume,
            )
            tests += volume // 10_000
    month.add(
        "member_requirements",
        service_id="S10",
        unit_id=lead,
        requirement_id="analyser_hours",
        quantity=-tests // 90 * 10_000,
    )
    # What the month cost lies near the plan; costs of coalitions are brought to it in proportion.
    services = month.rows["shared_services"]
    services[-1] = {**services[-1], "cost": tests * 640}
