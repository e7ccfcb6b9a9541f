"""A month of the table budget as figures: approved, requested and by tag, with its standards."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medcost.book import TableRows, position_in
from medcost.records import dataclass
from medcost.variance.cells import (
    DEPARTMENT,
    DEPARTMENT_ELEMENT,
    DRG,
    DRG_ELEMENT,
    ELEMENT,
    ELEMENT_NAMES,
    NO_FIGURES,
    UNIT,
    Figures,
    KeySpace,
    summed,
)

WHOLE = 10**6


@dataclass(frozen=True)
class Standards:
    """Volumes and standards of budget lines, keys ascending, int64 [rows].

    volume in 1e-4, price and quantity in 1e-6, each with where it is given.
    """

    keys: NDArray[np.int64]
    volume: NDArray[np.int64]
    has_volume: NDArray[np.bool_]
    price: NDArray[np.int64]
    has_price: NDArray[np.bool_]
    quantity: NDArray[np.int64]
    has_quantity: NDArray[np.bool_]

    def place(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Row of each key, -1 where there is none."""
        if not len(self.keys):
            return np.full(len(keys), -1)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, at, -1)


@dataclass(frozen=True)
class TaggedBudget:
    """The rows of one tag, '' for none: what was approved and what was asked for."""

    tag: str
    approved: Figures
    requested: Figures


@dataclass(frozen=True)
class BudgetMonth:
    """One month of a budget. given: approved amounts of the keys that rows name, tags added up.

    unit_ids: positions of the units that have rows; has_requests: whether any row has a request.
    """

    given: Figures
    standards: Standards
    tagged: tuple[TaggedBudget, ...]
    unit_ids: frozenset[int]
    has_requests: bool


def level_of(
    dept: NDArray[np.int64], element: NDArray[np.int64], drg: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The level of each row, by which of department, element and group it names."""
    with_element = np.where(drg >= 0, DRG_ELEMENT, np.where(dept >= 0, DEPARTMENT_ELEMENT, ELEMENT))
    alone = np.where(drg >= 0, DRG, np.where(dept >= 0, DEPARTMENT, UNIT))
    return np.where(element >= 0, with_element, alone)


def budget_month(rows: TableRows, space: KeySpace, period: str) -> BudgetMonth:
    """The rows of one period, which have no fault; units that the space does not have are left out.

    The caller chooses the units by the space.
    """
    labels = rows.labels("period")
    code = labels.index(period) if period in labels else -2
    unit = position_in(rows, "unit_id", space.unit_ids)
    chosen = np.flatnonzero((rows.codes("period") == code) & (unit >= 0))
    unit = unit[chosen]
    dept, element, drg = (
        position_in(rows, name, known)[chosen]
        if name in rows.text
        else np.full(len(chosen), -1, np.int64)
        for name, known in (
            ("dept_id", space.dept_ids),
            ("element", ELEMENT_NAMES),
            ("drg_id", space.drg_ids),
        )
    )
    keys = space.keys(level_of(dept, element, drg), unit, dept, element, drg)
    amount, requested = (rows.values(name)[chosen] for name in ("amount", "requested"))
    is_requested = rows.present("requested")[chosen]
    tags = ["", *rows.labels("tag")]
    tag = rows.codes("tag")[chosen] + 1
    tagged = tuple(
        TaggedBudget(
            tags[t],
            summed([keys[tag == t]], [amount[tag == t]]),
            summed([keys[(tag == t) & is_requested]], [requested[(tag == t) & is_requested]]),
        )
        for t in np.unique(tag).tolist()
    )
    given = summed([keys], [amount]) if len(keys) else NO_FIGURES
    return BudgetMonth(
        given,
        _standards(rows, chosen, keys),
        tagged,
        frozenset(unit.tolist()),
        bool(is_requested.any()),
    )


def _standards(rows: TableRows, chosen: NDArray[np.int64], keys: NDArray[np.int64]) -> Standards:
    """The rows that hold a volume or a standard; of one key there is at most one."""
    names = ("volume", "standard_price", "standard_quantity")
    present = [rows.present(name)[chosen] for name in names]
    found = np.flatnonzero(present[0] | present[1] | present[2])
    found = found[np.argsort(keys[found], kind="stable")]
    columns = [
        (rows.values(n)[chosen][found], p[found]) for n, p in zip(names, present, strict=True)
    ]
    (volume, has_volume), (price, has_price), (quantity, has_quantity) = columns
    return Standards(keys[found], volume, has_volume, price, has_price, quantity, has_quantity)
