"""Allocation drivers, workload statistics and income, as the month's cases and lines imply them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medcost.sample.patients import INPATIENT, Cases
from medcost.sample.registry import LEAD, House, Items
from medcost.sample.services import NONE, Lines
from medcost.sample.streams import Floats, Ints, Month

SERVING = ("support", "medtech", "clinical")
RECEIVING = ("medtech", "clinical")
MONTHLY_COST_PER_POST = 2_350_000
MEASURES = ("visits", "bed_days", "discharges", "beds")
SOURCES = ("inpatient", "outpatient", "drugs", "materials", "subsidy")
SUBSIDY_SHARE = (0.06, 0.24)


@dataclass(frozen=True)
class Workload:
    """What the departments of a unit did in a month; every array has one place per department."""

    visits: Ints
    bed_days: Ints
    discharges: Ints
    lines: Ints
    ordered: Ints


def _count(dept: Ints, n: int) -> Ints:
    return np.bincount(dept, minlength=n).astype(np.int64)


def workload(house: House, cases: Cases, lines: Lines, unit: int) -> Workload:
    """The workload of a unit; orders are the medtech lines of the unit's own cases."""
    n = len(house.dept_ids)
    stay = (cases.setting == INPATIENT) & ~cases.late
    nights = np.bincount(cases.dept[stay], weights=cases.nights[stay], minlength=n)
    medtech = np.isin(np.arange(n), house.of_class("medtech"))
    own = (lines.case_unit == unit) & (lines.case != NONE) & medtech[lines.dept]
    orderer = np.where(
        lines.ordering[own] != NONE, lines.ordering[own], cases.dept[lines.case[own]]
    )
    return Workload(
        visits=_count(cases.dept[cases.setting != INPATIENT], n),
        bed_days=nights.astype(np.int64),
        discharges=_count(cases.dept[stay & ~cases.stays_on], n),
        lines=_count(lines.dept, n),
        ordered=_count(orderer, n),
    )


def _basis(name: str, house: House, work: Workload) -> tuple[Floats, float]:
    """How much of a support service each department uses, and the smallest step of its count."""
    theatre = np.zeros(len(house.dept_ids))
    if house.department("M07") >= 0:
        theatre[house.department("M07")] = work.lines[house.department("M07")]
    nobody = np.zeros(len(house.dept_ids))
    bases: dict[str, tuple[Floats, float]] = {
        "sterile_packs": (0.8 * work.bed_days + 0.12 * work.visits + 1.6 * theatre, 1.0),
        "repair_hours": (house.area / 45 + house.equipment / 6, 0.25),
        "laundry_kg": (3.1 * work.bed_days + 0.06 * work.visits + 1.2 * theatre, 0.1),
        "meals": (2.4 * work.bed_days + nobody, 1.0),
        "invoices": (work.visits * 1.6 + work.discharges * 3.0 + work.ordered * 0.05, 1.0),
        "records": (work.discharges * 1.0 + work.visits * 0.02, 1.0),
        "device_hours": (house.equipment * 1.7, 0.25),
        "floor_area": (house.area, 1.0),
    }
    return bases[name]


def headcounts(house: House, cost: float, rng: np.random.Generator) -> Floats:
    """Posts of each department in steps of a half, as many as the unit's cost can pay."""
    posts = cost / MONTHLY_COST_PER_POST
    share = house.headcount / house.headcount.sum()
    each = posts * share * rng.uniform(0.96, 1.04, len(share))
    whole: Floats = np.maximum(np.rint(each * 2) / 2, 0.5)
    return whole


def driver_rows(
    house: House, work: Workload, cost: float, rng: np.random.Generator
) -> list[tuple[str, int, int]]:
    """(driver, receiving department, quantity in ten-thousandths), all positive.

    Each support department has the driver of its own name, with every other department of
    medtech, clinical and support that uses it; the departments of the first two classes are
    never without a row of `headcount` and `floor_area`.
    """
    rows: list[tuple[str, int, int]] = []

    def add(driver: str, receivers: Ints, quantity: Floats, step: float) -> None:
        for dept in receivers.tolist():
            steps = max(round(float(quantity[dept]) / step), 0)
            if steps:
                rows.append((driver, dept, round(steps * step * 10_000)))

    add("headcount", house.of_class(*SERVING), headcounts(house, cost, rng), 0.5)
    add("floor_area", house.of_class("admin", *SERVING), house.area, 1.0)
    add("orders", house.of_class("clinical"), np.maximum(work.ordered, 1).astype(np.float64), 1.0)
    for giver in house.of_class("support").tolist():
        name = house.drivers[giver]
        used, step = _basis(name, house, work)
        noise = rng.uniform(0.9, 1.1, len(used))
        used = used if name == "floor_area" else used * noise
        receivers = house.of_class(*RECEIVING)
        receivers = receivers[used[receivers] > 0]
        if len(receivers) == 0:
            receivers, used = house.of_class(*RECEIVING), house.headcount
        least = np.maximum(used, step)
        add(house.dept_ids[giver], receivers, least, step)
        others = house.of_class("admin", "support")
        others = others[others != giver]
        add(house.dept_ids[giver], others, _inner_use(name, house, used), step)
    return rows


def _inner_use(name: str, house: House, used: Floats) -> Floats:
    """What administration and the other support departments use of a support service."""
    if name in {"repair_hours", "device_hours", "floor_area"}:
        return used
    whole = float(used.sum())
    small = {"laundry_kg": 0.004, "meals": 0.003, "sterile_packs": 0.0005}.get(name, 0.0)
    admin = np.isin(np.arange(len(used)), house.of_class("admin"))
    return np.where(admin, 0.0, whole * small)


def statistic_rows(house: House, work: Workload, month: Month) -> list[tuple[int, str, int]]:
    """(department, measure, quantity in ten-thousandths) wherever there is any."""
    beds = np.ceil(work.bed_days / month.days / 0.86).astype(np.int64)
    rows = []
    for dept in range(len(house.dept_ids)):
        counts = (work.visits, work.bed_days, work.discharges, beds)
        for measure, count in zip(MEASURES, counts, strict=True):
            if count[dept]:
                rows.append((dept, measure, int(count[dept]) * 10_000))
    return rows


def income_rows(
    house: House,
    items: Items,
    cases: Cases,
    lines: Lines,
    *,
    unit: int,
    rng: np.random.Generator,
) -> list[tuple[int, str, int]]:
    """(department, source, fen): charges by the department of the case, and the subsidy."""
    n = len(house.dept_ids)
    own = (lines.case_unit == unit) & (lines.case != NONE)
    dept = lines.dept.copy()
    dept[own] = cases.dept[lines.case[own]]
    source = np.full(len(lines), 1, dtype=np.int64)
    source[own] = np.where(cases.setting[lines.case[own]] == INPATIENT, 0, 1)
    direct = items.direct[lines.item]
    source[direct] = np.where(items.drugs[lines.item[direct]], 2, 3)
    sums = np.bincount(
        dept * len(SOURCES) + source, weights=lines.charge, minlength=n * len(SOURCES)
    ).reshape(n, len(SOURCES))
    share = SUBSIDY_SHARE[0 if house.kind == LEAD else 1]
    sums[house.department("A03"), 4] = float(sums.sum()) * share * rng.uniform(0.9, 1.1)
    return [
        (d, SOURCES[s], round(float(sums[d, s])))
        for d in range(n)
        for s in range(len(SOURCES))
        if round(float(sums[d, s])) != 0
    ]
