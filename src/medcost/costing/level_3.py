"""Level 3: medtech departments hand their cost to the clinical departments that order of them.

By the services that each ordered, in charge or quantity, or by a statistic.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from medcost._core.split import split_rows, weight_totals
from medcost.allocation_model import OWN, AllocationModel
from medcost.book import department_label
from medcost.costing.orders import Orders
from medcost.costing.other_rounding import split_rounded
from medcost.errors import Fault, InputRejected, count_of, quote
from medcost.money import format_yuan
from medcost.period_book import PeriodBook
from medcost.tables import CLINICAL, MEDTECH


def level_3_flows(
    book: PeriodBook, model: AllocationModel, pool: NDArray[np.int64], orders: Orders | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], tuple[str, ...], NDArray[np.int64]]:
    """Giver, receiver, driver name and fen of each flow of level 3.

    int64 [flows], int64 [flows], [flows], fen [flows, elements]. pool: what medtech departments
    hand on, fen [departments, elements]. orders: what is gone by, if by charge or quantity;
    without any, nothing moves. Raises InputRejected where statistics add up to zero or less.
    """
    none = np.empty(0, np.int64)
    level_3 = model.departments.medtech_to_clinical
    if level_3 is None or (orders is None and level_3.basis != "driver"):
        return none, none, (), np.empty((0, pool.shape[1]), np.int64)
    if level_3.basis == "driver":
        performing, ordering, measure, names = _orders_by_driver(book, str(level_3.driver))
    elif orders is not None:
        measure = orders.charge if level_3.basis == "charge" else orders.quantity
        performing, ordering = orders.performing, orders.ordering
        names = dict.fromkeys(performing.tolist(), level_3.basis)
    givers, first = np.unique(performing, return_index=True)
    bounds = np.append(first, len(performing)).astype(np.int64)
    totals = weight_totals(bounds, measure)
    if level_3.basis == "driver":
        _require_positive_orders(book, givers[totals <= 0], names, pool)
    counts = np.diff(bounds)
    shared = np.repeat(totals > 0, counts)
    kept_counts = counts[totals > 0]
    starts = np.concatenate([[0], np.cumsum(kept_counts)]).astype(np.int64)
    amounts = np.ascontiguousarray(pool[givers[totals > 0]])
    weights = np.ascontiguousarray(measure[shared])
    if model.departments.rounding is None:
        fen = split_rows(amounts, starts, weights)
    else:
        fen = np.zeros((len(weights), pool.shape[1]), np.int64)
        for row, (a, b) in enumerate(pairwise(starts.tolist())):
            part = [int(w) for w in weights[a:b]]
            if level_3.basis == "charge":
                # The multiplier is per yuan charged: fen to the 1e-4 that statistics have.
                part = [100 * w for w in part]
            for element, amount in enumerate(amounts[row].tolist()):
                fen[a:b, element] = split_rounded(
                    amount, part, sum(part), model.departments.rounding
                )
    performing = performing[shared]
    drivers = tuple(names[int(dept)] for dept in performing)
    return performing, ordering[shared], drivers, fen


def _require_positive_orders(
    book: PeriodBook,
    medtech: NDArray[np.int64],
    names: dict[int, str],
    pool: NDArray[np.int64],
) -> None:
    """A statistic whose total is zero or below is a fault at level 3 as at level 2."""
    places = [
        f"{department_label(book.registers, dept)}, driver {quote(names[dept])}: "
        f"{format_yuan(sum(pool[dept].tolist()))} yuan"
        for dept in medtech.tolist()
        if pool[dept].any()
    ]
    if places:
        what = f"The statistics of {count_of(len(places), 'medtech department')} add up to nothing."
        raise InputRejected([Fault("driver-total-not-positive", what, tuple(places))])


def _orders_by_driver(
    book: PeriodBook, driver: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], dict[int, str]]:
    """Level 3 by a statistic: each medtech department's open clinical receivers."""
    registers, drivers = book.registers, book.drivers
    position = {name: i for i, name in enumerate(drivers.names)}
    performing, ordering, measure = [], [], []
    names: dict[int, str] = {}
    may_receive = (registers.dept_class == CLINICAL) & registers.open_in(book.period)
    medtech = (registers.dept_class == MEDTECH) & book.selected[registers.dept_unit]
    for dept in np.flatnonzero(medtech).tolist():
        names[dept] = registers.dept_ids[dept] if driver == OWN else driver
        code = position.get(names[dept], -1)
        if code >= 0:
            at = int(registers.dept_unit[dept]) * len(drivers.names) + code
            rows = slice(int(drivers.first_row[at]), int(drivers.first_row[at + 1]))
            clinical = may_receive[drivers.dept[rows]]
            ordering.append(drivers.dept[rows][clinical])
            measure.append(drivers.quantity[rows][clinical])
            performing.append(np.full(int(clinical.sum()), dept, np.int64))
    none = np.empty(0, np.int64)
    return (
        np.concatenate([none, *performing]),
        np.concatenate([none, *ordering]),
        np.concatenate([none, *measure]),
        names,
    )
