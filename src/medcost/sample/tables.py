"""The Arrow tables of the book, from what was generated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from medcost.sample.files import (
    AMOUNT,
    BED_DAYS,
    QUANTITY,
    codes,
    dates,
    decimals,
    texts,
)
from medcost.sample.patients import INPATIENT, NO_GROUP, PAYERS, SETTINGS, UNKNOWN_DAY, Cases
from medcost.sample.postings import Postings, entry_ids
from medcost.sample.prices import SCHEME
from medcost.sample.registry import ELEMENTS, LEAD, House, Registry
from medcost.sample.services import NONE, Lines
from medcost.sample.streams import Ints, Month

REGION = "云岭县 Yunling County"


def constant(value: str, rows: int) -> pa.Array:
    """A dictionary-encoded column of one value."""
    return codes(np.zeros(rows, dtype=np.int64), [value])


def unit_table(county: Registry, unit_ids: Sequence[str], n_hospitals: int) -> pa.Table:
    """The table units: the lead, township hospitals, then villages, each township's in turn."""
    names = ["云岭县人民医院 Yunling County People's Hospital"]
    townships = [name.split(" ", 1) for name in county.townships[: n_hospitals - 1]]
    names += [f"{chinese}卫生院 {pinyin} Township Hospital" for chinese, pinyin in townships]
    for place in range(len(unit_ids) - n_hospitals):
        number, (chinese, pinyin) = place // len(townships) + 1, townships[place % len(townships)]
        names.append(f"{chinese}{number}村卫生室 {pinyin} Village Clinic {number}")
    lead = [place == 0 for place in range(len(unit_ids))]
    kinds = ["lead"] + ["township"] * (n_hospitals - 1)
    kinds += ["village"] * (len(unit_ids) - n_hospitals)
    return pa.table(
        {
            "unit_id": pa.array(unit_ids),
            "name": pa.array(names),
            "kind": pa.array(kinds),
            "region": pa.array([REGION] * len(unit_ids)),
            "grassroots": pa.array([not is_lead for is_lead in lead]),
        }
    )


def department_table(houses: Sequence[House], unit_ids: Sequence[str], opened: str) -> pa.Table:
    """The table departments; `houses` has the kind of hospital of each unit.

    One clinic of the lead hospital exists only since the period `opened`.
    """
    rows = [(u, h, d) for u, h in enumerate(houses) for d in range(len(h.dept_ids))]
    return pa.table(
        {
            "unit_id": pa.array([unit_ids[u] for u, _, _ in rows]),
            "dept_id": pa.array([h.dept_ids[d] for _, h, d in rows]),
            "name": pa.array([h.names[d] for _, h, d in rows]),
            "class": pa.array([h.classes[d] for _, h, d in rows]),
            "service_group": pa.array([h.service_groups[d] for _, h, d in rows]),
            "valid_from": texts(
                [opened if h.kind == LEAD and h.dept_ids[d] == "C28" else None for _, h, d in rows]
            ),
            "valid_to": pa.nulls(len(rows), pa.string()),
        }
    )


def item_table(county: Registry) -> pa.Table:
    """The table service_items."""
    items = county.items
    return pa.table(
        {
            "item_id": pa.array(items.ids),
            "name": pa.array(items.names),
            "category": pa.array(items.categories),
            "basis": pa.array(["direct" if direct else "shared" for direct in items.direct]),
            "element": texts(items.elements),
        }
    )


@dataclass(frozen=True)
class CaseLabels:
    """The case ids of a month: those of unit u begin at `first[u]`."""

    text: pa.Array
    first: Ints

    @classmethod
    def of(cls, cases: Sequence[Cases]) -> CaseLabels:
        """The labels of every unit's cases, in the order of units."""
        sizes = np.array([len(c) for c in cases], dtype=np.int64)
        return cls(pa.array(np.concatenate([c.label for c in cases])), np.cumsum(sizes) - sizes)


def line_table(
    month: Month,
    unit: int,
    *,
    unit_ids: Sequence[str],
    county: Registry,
    house: House,
    lines: Lines,
    labels: CaseLabels,
) -> pa.Table:
    """Rows of service_lines of one performing unit."""
    n = len(lines)
    place_of = np.array([county.dept_ids.index(d) for d in house.dept_ids] + [NONE])
    linked = lines.case != NONE
    place = np.where(linked, labels.first[lines.case_unit] + lines.case, 0)
    case_id = pa.array(place, mask=~linked)
    other = np.where(lines.case_unit == unit, NONE, lines.case_unit)
    return pa.table(
        {
            "period": constant(month.period, n),
            "unit_id": constant(unit_ids[unit], n),
            "case_id": labels.text.take(case_id),
            "case_unit_id": codes(other, unit_ids),
            "item_id": codes(lines.item, county.items.ids),
            "dept_id": codes(place_of[lines.dept], county.dept_ids),
            "ordering_dept_id": codes(place_of[lines.ordering], county.dept_ids),
            "quantity": decimals(lines.quantity, QUANTITY),
            "charge": decimals(lines.charge, AMOUNT),
            "direct_cost": decimals(lines.cost, AMOUNT, ~county.items.direct[lines.item]),
            "performed_on": dates(lines.day),
        }
    )


def case_table(
    month: Month, unit_id: str, house: House, cases: Cases, *, county: Registry, paid: Ints
) -> pa.Table:
    """Rows of cases; `paid` is in fen."""
    n = len(cases)
    open_stay = cases.stays_on
    group = np.where(open_stay, NO_GROUP, np.maximum(cases.group, NO_GROUP))
    place_of = np.array([county.dept_ids.index(d) for d in house.dept_ids])
    doctors = [
        f"D-{house.dept_ids[dept]}-{number:02d}"
        for dept, number in zip(cases.dept.tolist(), cases.doctor.tolist(), strict=True)
    ]
    scheme = np.where(group == NO_GROUP, NO_GROUP, 0)
    inpatient = cases.setting == INPATIENT
    return pa.table(
        {
            "period": constant(month.period, n),
            "unit_id": constant(unit_id, n),
            "case_id": pa.array(cases.label),
            "drg_id": codes(group, county.groups.ids),
            "scheme": codes(scheme, [SCHEME]),
            "setting": codes(cases.setting, SETTINGS),
            "dept_id": codes(place_of[cases.dept], county.dept_ids),
            "bed_days": decimals(cases.nights * 100, BED_DAYS, ~inpatient),
            "admitted": dates(cases.admitted),
            "discharged": dates(cases.discharged, cases.discharged == UNKNOWN_DAY),
            "payer": codes(cases.payer, PAYERS),
            "doctor_id": pa.array(doctors, pa.string()).dictionary_encode(),
            "paid": decimals(paid, AMOUNT, open_stay),
        }
    )


def ledger_table(month: Month, unit_id: str, house: House, postings: Postings) -> pa.Table:
    """Rows of ledger."""
    n = len(postings)
    return pa.table(
        {
            "period": pa.array([month.period] * n),
            "unit_id": pa.array([unit_id] * n),
            "dept_id": pa.array([house.dept_ids[d] for d in postings.dept]),
            "element": pa.array([ELEMENTS[e] for e in postings.element]),
            "amount": decimals(np.array(postings.amount, dtype=np.int64), AMOUNT),
            "behaviour": pa.array(postings.behaviour),
            "fund": pa.array(postings.fund),
            "program": pa.array(postings.program),
            "account": pa.array(postings.account),
            "entry_id": pa.array(entry_ids(month, n)),
        }
    )


def driver_table(
    month: Month, unit_id: str, house: House, rows: Sequence[tuple[str, int, int]]
) -> pa.Table:
    """Rows of drivers, from (driver, department, quantity in ten-thousandths)."""
    return pa.table(
        {
            "period": pa.array([month.period] * len(rows)),
            "unit_id": pa.array([unit_id] * len(rows)),
            "driver": pa.array([row[0] for row in rows]),
            "dept_id": pa.array([house.dept_ids[row[1]] for row in rows]),
            "quantity": decimals(np.array([row[2] for row in rows], dtype=np.int64), QUANTITY),
        }
    )


def measure_table(
    month: Month,
    unit_id: str,
    house: House,
    rows: Sequence[tuple[int, str, int]],
    *,
    columns: tuple[str, str],
    kind: pa.DataType,
) -> pa.Table:
    """Rows of statistics or income, from (department, measure or source, whole number)."""
    return pa.table(
        {
            "period": pa.array([month.period] * len(rows), pa.string()),
            "unit_id": pa.array([unit_id] * len(rows), pa.string()),
            "dept_id": pa.array([house.dept_ids[row[0]] for row in rows], pa.string()),
            columns[0]: pa.array([row[1] for row in rows], pa.string()),
            columns[1]: decimals(np.array([row[2] for row in rows], dtype=np.int64), kind),
        }
    )
