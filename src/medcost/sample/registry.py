"""What the county consists of: departments, service items, DRG groups, accounts.

The names and typical sizes are the CSV files in `catalogue/`; nothing here is random.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from medcost.sample.streams import Flags, Floats, Ints

LEAD, TOWNSHIP = 0, 1
HOUSES = ("lead", "township")
ELEMENTS = (
    "staff",
    "materials",
    "drugs",
    "depreciation",
    "amortisation",
    "risk_fund",
    "other",
)
OWN_DEPARTMENT = -1


def rows_of(name: str) -> list[dict[str, str]]:
    """The rows of one file of the catalogue."""
    text = files("medcost.sample").joinpath("catalogue", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def numbers(rows: Sequence[Mapping[str, str]], column: str) -> Floats:
    """One column of a catalogue file as float64[rows]."""
    return np.array([float(row[column]) for row in rows], dtype=np.float64)


@dataclass(frozen=True)
class Items:
    """Service items; every array has one place per item.

    `performer` is an index into `performers`, or OWN_DEPARTMENT for the case's own department.
    `price` is in fen, `weight` in hundredths, `step` in ten-thousandths of a service.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    groups: tuple[str, ...]
    categories: tuple[str, ...]
    elements: tuple[str, ...]
    contexts: tuple[str, ...]
    performers: tuple[str, ...]
    performer: Ints
    direct: Flags
    drugs: Flags
    lead_only: Flags
    popularity: Floats
    weight: Ints
    price: Ints
    steps: Ints
    step: Ints


@dataclass(frozen=True)
class Groups:
    """DRG groups; every array has one place per group.

    `surgery` and `implant` are items or -1, `theatre` the expected lines of an operation.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    days: Floats
    intensity: Floats
    intensive_share: Floats
    weight: Floats
    surgery: Ints
    implant: Ints
    theatre: Floats


@dataclass(frozen=True)
class House:
    """The departments of one kind of hospital; every array has one place per department.

    `group_shares[department, group]` is how often a ward treats each group. `performers[p]` is
    the department that performs for performer p, -1 if there is none.
    """

    kind: int
    dept_ids: tuple[str, ...]
    names: tuple[str, ...]
    classes: tuple[str, ...]
    service_groups: tuple[str, ...]
    drivers: tuple[str, ...]
    contexts: tuple[str, ...]
    ward_baskets: tuple[str, ...]
    visit_baskets: tuple[str, ...]
    admissions: Floats
    visits: Floats
    headcount: Floats
    area: Floats
    equipment: Floats
    performers: Ints
    group_shares: Floats

    def department(self, dept_id: str) -> int:
        """The place of a department, -1 if this kind of hospital has none."""
        return self.dept_ids.index(dept_id) if dept_id in self.dept_ids else -1

    def of_class(self, *classes: str) -> Ints:
        """The places of the departments of some classes."""
        return np.array([i for i, c in enumerate(self.classes) if c in classes], dtype=np.int64)


@dataclass(frozen=True)
class Registry:
    """Everything about the county that does not depend on the seed."""

    items: Items
    groups: Groups
    houses: tuple[House, House]
    baskets: Mapping[str, Mapping[str, float]]
    townships: tuple[str, ...]
    dept_ids: tuple[str, ...]


def _items() -> Items:
    rows = rows_of("items.csv")
    kinds = {row["group"]: row for row in rows_of("item_groups.csv")}
    named = [kind["performer"] for kind in kinds.values() if kind["performer"] != "own"]
    performers = tuple(dict.fromkeys(named))
    kind_of = [kinds[row["group"]] for row in rows]
    step = np.rint(numbers(rows, "step") * 10_000).astype(np.int64)
    most = np.rint(numbers(rows, "max_quantity") * 10_000).astype(np.int64)
    return Items(
        ids=tuple(row["item_id"] for row in rows),
        names=tuple(row["name"] for row in rows),
        groups=tuple(row["group"] for row in rows),
        categories=tuple(kind["category"] for kind in kind_of),
        elements=tuple(kind["element"] for kind in kind_of),
        contexts=tuple(row["contexts"] for row in rows),
        performers=performers,
        performer=np.array(
            [
                OWN_DEPARTMENT if k["performer"] == "own" else performers.index(k["performer"])
                for k in kind_of
            ],
            dtype=np.int64,
        ),
        direct=np.array([kind["basis"] == "direct" for kind in kind_of]),
        drugs=np.array([kind["element"] == "drugs" for kind in kind_of]),
        lead_only=np.array([row["lead_only"] == "1" for row in rows]),
        popularity=numbers(rows, "popularity"),
        weight=np.rint(numbers(rows, "weight") * 100).astype(np.int64),
        price=np.rint(numbers(rows, "price") * 100).astype(np.int64),
        steps=most // step,
        step=step,
    )


def _item_places(rows: Sequence[Mapping[str, str]], column: str, item_ids: tuple[str, ...]) -> Ints:
    """The places of the items that one column names, -1 where it is empty."""
    return np.array(
        [item_ids.index(row[column]) if row[column] else -1 for row in rows], dtype=np.int64
    )


def _groups(rows: list[dict[str, str]], item_ids: tuple[str, ...]) -> Groups:
    return Groups(
        ids=tuple(row["drg_id"] for row in rows),
        names=tuple(row["name"] for row in rows),
        days=numbers(rows, "days"),
        intensity=numbers(rows, "intensity"),
        intensive_share=numbers(rows, "icu"),
        weight=numbers(rows, "rw"),
        surgery=_item_places(rows, "surgery", item_ids),
        implant=_item_places(rows, "implant", item_ids),
        theatre=numbers(rows, "theatre"),
    )


def _house(kind: int, groups: list[dict[str, str]], performers: tuple[str, ...]) -> House:
    rows = [row for row in rows_of("departments.csv") if row["house"] == HOUSES[kind]]
    dept_ids = tuple(row["dept_id"] for row in rows)
    place = {performer: i for i, row in enumerate(rows) for performer in row["performs"].split()}
    shares = np.zeros((len(rows), len(groups)), dtype=np.float64)
    wards, frequency = (
        ("dept_id", "frequency") if kind == LEAD else ("township_dept_id", "township_frequency")
    )
    for g, group in enumerate(groups):
        for dept_id in group[wards].split():
            shares[dept_ids.index(dept_id), g] = float(group[frequency])
    return House(
        kind=kind,
        dept_ids=dept_ids,
        names=tuple(row["name"] for row in rows),
        classes=tuple(row["class"] for row in rows),
        service_groups=tuple(row["service_group"] for row in rows),
        drivers=tuple(row["driver"] for row in rows),
        contexts=tuple(row["context"] for row in rows),
        ward_baskets=tuple(row["ward_basket"] for row in rows),
        visit_baskets=tuple(row["visit_basket"] for row in rows),
        admissions=numbers(rows, "admissions"),
        visits=numbers(rows, "visits"),
        headcount=numbers(rows, "headcount"),
        area=numbers(rows, "area"),
        equipment=numbers(rows, "equipment"),
        performers=np.array([place.get(p, -1) for p in performers], dtype=np.int64),
        group_shares=shares,
    )


@cache
def registry() -> Registry:
    """The county's registry, read once."""
    items = _items()
    group_rows = rows_of("drg_groups.csv")
    houses = (
        _house(LEAD, group_rows, items.performers),
        _house(TOWNSHIP, group_rows, items.performers),
    )
    baskets = {
        row["basket"]: {k: float(v) for k, v in row.items() if k != "basket" and float(v) > 0}
        for row in rows_of("baskets.csv")
    }
    return Registry(
        items=items,
        groups=_groups(group_rows, items.ids),
        houses=houses,
        baskets=baskets,
        townships=tuple(row["name"] for row in rows_of("townships.csv")),
        dept_ids=tuple(dict.fromkeys(houses[LEAD].dept_ids + houses[TOWNSHIP].dept_ids)),
    )
