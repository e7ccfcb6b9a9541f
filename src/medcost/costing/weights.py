"""The weight of each activity and element: the most specific row of item_weights wins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medcost.period_book import PeriodBook
from medcost.tables import ELEMENTS

WEIGHT_ONE = 10**6


def find_weights(
    book: PeriodBook, dept: NDArray[np.int64], item: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Weight in 1e-6 of each activity and element, and where rows exist but none fits.

    dept, item: [activities]; both results [activities, elements], or [activities, 1] where no row
    that has begun names an element. A row with an element wins over one without, then with a
    dept_id, then with a unit_id, then the latest month that has begun. An item without any row
    weighs 1.
    """
    registers, rows = book.registers, book.weights
    n_depts, n_units = len(registers.dept_labels), len(registers.unit_ids)
    begun = np.flatnonzero(rows.begins >= 0)
    names_element, names_dept, names_unit = (
        named[begun] >= 0 for named in (rows.element, rows.dept, rows.unit)
    )
    used = np.bincount(4 * names_element + 2 * names_dept + names_unit, minlength=8) > 0
    shape = (len(item), len(ELEMENTS) if names_element.any() else 1)
    weights = np.full(shape, WEIGHT_ONE, np.int64)
    has_rows = np.zeros(len(registers.item_ids) + 1, np.bool_)
    has_rows[rows.item] = True
    fitted = np.broadcast_to(~has_rows[item][:, None], shape).copy()

    def key(
        item: NDArray[np.int64],
        unit: NDArray[np.int64] | int,
        dept: NDArray[np.int64] | int,
        element: NDArray[np.int64] | int,
    ) -> NDArray[np.int64]:
        place = (item * (n_units + 1) + unit + 1) * (n_depts + 1) + dept + 1
        return place * (len(ELEMENTS) + 1) + element + 1

    if not len(begun):
        return weights, ~fitted
    row_keys = key(rows.item, rows.unit, rows.dept, rows.element)[begun]
    # Sorted by key and month, the last of each key is the latest that has begun.
    order = np.lexsort((rows.begins[begun], row_keys))
    last = np.append(row_keys[order][1:] != row_keys[order][:-1], True)
    known, weight = row_keys[order][last], rows.weight[begun][order][last]
    unit_of = registers.dept_unit[dept]
    label_of = registers.dept_grid_labels[dept]
    # In this order a row that wins is copied after those it wins over.
    for naming in np.flatnonzero(used).tolist():
        by_element, by_dept, by_unit = (bool(naming & bit) for bit in (4, 2, 1))
        # Rows that name nothing but an item are looked up once an item.
        only_item = not by_dept and not by_unit
        looked_up = np.arange(len(registers.item_ids)) if only_item else item
        for element in range(len(ELEMENTS)) if by_element else (-1,):
            wanted = key(
                looked_up, unit_of if by_unit else -1, label_of if by_dept else -1, element
            )
            at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
            fits, found = known[at] == wanted, weight[at]
            if only_item:
                fits, found = fits[item], found[item]
            columns = slice(element, element + 1) if by_element else slice(None)
            np.copyto(weights[:, columns], found[:, None], where=fits[:, None])
            fitted[:, columns] |= fits[:, None]
    return weights, ~fitted
