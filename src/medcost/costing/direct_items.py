"""Direct items: drugs and charged materials traced by the purchase cost on their lines."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from medcost._core.split import split_rows, weight_totals
from medcost.allocation_model import LoadedModel
from medcost.costing.activity import ActivityMatrix
from medcost.costing.departments import DepartmentCosts
from medcost.costing.links import CLINICAL, MEDTECH
from medcost.errors import Fault, quote
from medcost.money import format_yuan
from medcost.period_book import PeriodBook
from medcost.tables import ELEMENTS


@dataclass(frozen=True)
class TracedItems:
    """Direct cost traced to (item, case).

    traced: fen of each matrix entry, 0 for shared items [entries]; element: of each entry's
    item, -1 for shared items; left: what stays in each pool, fen [departments, elements];
    covered: ledger / purchase cost on the lines, of each unit and element that has some.
    """

    traced: NDArray[np.int64]
    element: NDArray[np.int64]
    left: NDArray[np.int64]
    covered: tuple[Fraction, ...]
    faults: tuple[Fault, ...]


def trace_direct_items(
    book: PeriodBook, loaded: LoadedModel, matrix: ActivityMatrix, departments: DepartmentCosts
) -> TracedItems:
    """Trace direct items from each department's own ledger amount of their element.

    With L the department's own amount and D the sum of its net direct_cost: 0 <= D <= L, every
    (item, case) costs its net; D > L > or L < 0, L is split over them by their net; D < 0 (or
    D = 0 > L), nothing is traced. What is not traced stays in the pool.
    """
    registers = book.registers
    entry_dept = matrix.activity_dept[matrix.activity]
    element = registers.item_element[matrix.activity_item[matrix.activity]]
    costed = np.isin(registers.dept_class[entry_dept], (CLINICAL, MEDTECH))
    entries = np.flatnonzero((element >= 0) & costed)
    n_elements = len(ELEMENTS)
    # Group by (department, element); within, by item and case, the order of the ties.
    group = entry_dept[entries] * n_elements + element[entries]
    entries = entries[np.lexsort((matrix.entry_row[entries], matrix.activity[entries], group))]
    group = entry_dept[entries] * n_elements + element[entries]
    groups, first = np.unique(group, return_index=True)
    bounds = np.append(first, len(entries)).astype(np.int64)
    cost = np.ascontiguousarray(matrix.direct_cost[entries])
    demand = weight_totals(bounds, cost)
    own = departments.direct.reshape(-1)[groups]
    exactly = ((demand > 0) & (demand <= own)) | ((demand == 0) & (own >= 0))
    by_share = (demand > 0) & (demand > own)
    traced = np.zeros(len(matrix.activity), np.int64)
    exact_entries = np.repeat(exactly, np.diff(bounds))
    traced[entries[exact_entries]] = cost[exact_entries]
    share_entries = np.repeat(by_share, np.diff(bounds))
    counts = np.diff(bounds)[by_share]
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    amounts = np.ascontiguousarray(own[by_share].reshape(-1, 1))
    weights = np.ascontiguousarray(cost[share_entries])
    traced[entries[share_entries]] = split_rows(amounts, starts, weights)[:, 0]
    left = departments.pool.copy()
    left.reshape(-1)[groups[exactly]] -= demand[exactly]
    left.reshape(-1)[groups[by_share]] -= own[by_share]
    sums = _ledger_and_lines(book, groups, own, demand)
    covered = tuple(Fraction(have, want) for have, want in sums.values() if want > 0)
    faults = _floor_faults(book, loaded, sums)
    return TracedItems(traced, element, left, covered, tuple(faults))


def _ledger_and_lines(
    book: PeriodBook,
    groups: NDArray[np.int64],
    own: NDArray[np.int64],
    demand: NDArray[np.int64],
) -> dict[tuple[int, int], tuple[int, int]]:
    """Ledger and purchase cost on the lines by (unit, element), where there is any."""
    registers = book.registers
    sums: dict[tuple[int, int], tuple[int, int]] = {}
    for group, have, want in zip(groups.tolist(), own.tolist(), demand.tolist(), strict=True):
        if want:
            dept, element = divmod(group, len(ELEMENTS))
            key = (int(registers.dept_unit[dept]), element)
            ledger, lines = sums.get(key, (0, 0))
            sums[key] = (ledger + have, lines + want)
    return sums


def _floor_faults(
    book: PeriodBook, loaded: LoadedModel, sums: dict[tuple[int, int], tuple[int, int]]
) -> list[Fault]:
    """Units whose ledger covers too little of the direct cost on their lines."""
    registers = book.registers
    floor = loaded.model.service_items.direct_cost_floor_exact
    where = [
        f"unit {quote(registers.unit_ids[unit])}, {ELEMENTS[element]}: ledger "
        f"{format_yuan(have)}, lines {format_yuan(want)} yuan"
        for (unit, element), (have, want) in sums.items()
        if want > 0 and have < floor * want
    ]
    if not where:
        return []
    what = (
        f"The ledger holds less than {float(floor):.0%} of the purchase cost that the lines of "
        "direct items show."
    )
    return [Fault("direct-cost-not-in-ledger", what, tuple(where))]
