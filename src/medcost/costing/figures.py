"""What an explanation explains: a published figure and what it takes from every department.

Departments are counted from the first of the figure's unit; those of a unit stand together.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from medcost.costing.adjoint import ONE
from medcost.costing.cases import COSTED, CaseCosts
from medcost.costing.departments import DepartmentCosts
from medcost.costing.service_items import ServiceItemCosts
from medcost.costing.services_of import Services, ServicesOf
from medcost.period_book import PeriodBook
from medcost.records import dataclass
from medcost.tables import ELEMENTS

NO_FEN = np.zeros(len(ELEMENTS), np.int64)


@dataclass(frozen=True)
class Figure:
    """A published figure of one unit.

    kind: full_cost, gross_cost, service_item_cost or drg_cost; first: first department of the
    unit; fen: the figure [elements]; takes: the part of what each department bore that is in it,
    Python integers in 2^-BITS [elements][departments of the unit]; carried: each department's
    own cost that the part is of, traced: what was traced from its own postings into the figure,
    fen [departments of the unit, elements]; opening: from earlier months, fen [elements];
    with_level_3: whether it comes after level 3; services and shared: what the figure holds of
    each service by shares of a pool, in 2^-BITS [services][elements]; n_cases of a DRG group.
    """

    kind: str
    unit_id: str
    first: int
    fen: NDArray[np.int64]
    takes: list[list[int]]
    carried: NDArray[np.int64]
    traced: NDArray[np.int64]
    opening: NDArray[np.int64]
    with_level_3: bool
    services: Services | None = None
    shared: NDArray[np.object_] | None = None
    n_cases: int | None = None


def departments_of(book: PeriodBook, unit: int) -> slice:
    """The unit's departments in the register."""
    first, last = np.searchsorted(book.registers.dept_unit, [unit, unit + 1])
    return slice(int(first), int(last))


def department_figure(book: PeriodBook, costs: DepartmentCosts, dept: int) -> Figure:
    """A department's full cost; of one that handed everything on, what it bore until then."""
    unit = int(book.registers.dept_unit[dept])
    span = departments_of(book, unit)
    bore, full = costs.bore[dept], costs.full_cost[dept]
    is_full = bool(full.any())
    fen = full if is_full else bore
    takes = [[0] * (span.stop - span.start) for _ in ELEMENTS]
    for element, (part, whole) in enumerate(zip(fen.tolist(), bore.tolist(), strict=True)):
        takes[element][dept - span.start] = part * ONE // whole if whole else 0
    carried = costs.direct[span]
    return Figure(
        "full_cost" if is_full else "gross_cost",
        book.registers.unit_ids[unit],
        span.start,
        fen,
        takes,
        carried,
        np.zeros_like(carried),
        NO_FEN,
        with_level_3=True,
    )


def item_figure(
    book: PeriodBook,
    costs: DepartmentCosts,
    items: ServiceItemCosts,
    services: Services,
    unit: int,
    item: int,
) -> Figure:
    """The cost of a service item in all departments of a unit; services are those of everyone."""
    services = services.where(services.item == item)
    services = services.where(book.registers.dept_unit[services.dept] == unit)
    fen = items.cost[services.activity].sum(axis=0)
    return _figure_of_services("service_item_cost", book, costs, items, unit, services, fen, NO_FEN)


def drg_figure(
    book: PeriodBook,
    costs: DepartmentCosts,
    items: ServiceItemCosts,
    case_costs: CaseCosts,
    services_of: ServicesOf,
    unit: int,
    cases: NDArray[np.int64],
) -> Figure:
    """The cost of costed cases of one unit, those of a DRG group say; see costed_cases."""
    figure = _figure_of_services(
        "drg_cost",
        book,
        costs,
        items,
        unit,
        services_of(cases),
        case_costs.cost[cases].sum(axis=0),
        book.cases.opening[cases].sum(axis=0),
    )
    return replace(figure, n_cases=len(cases))


def costed_cases(
    book: PeriodBook, case_costs: CaseCosts, drg_id: str
) -> dict[tuple[int, str], NDArray[np.int64]]:
    """The costed cases of a DRG group, ascending, by (unit, scheme); '' for no scheme."""
    cases = book.cases
    if drg_id not in cases.drg_labels:
        return {}
    of_group = case_costs.chosen & (case_costs.status == COSTED)
    found = np.flatnonzero(of_group & (cases.drg == cases.drg_labels.index(drg_id)))
    schemes = [*cases.scheme_labels, ""]
    pairs = np.stack([cases.unit[found], cases.scheme[found]], axis=1)
    return {
        (unit, schemes[scheme]): found[(pairs == (unit, scheme)).all(axis=1)]
        for unit, scheme in np.unique(pairs, axis=0).tolist()
    }


def _figure_of_services(
    kind: str,
    book: PeriodBook,
    costs: DepartmentCosts,
    items: ServiceItemCosts,
    unit: int,
    services: Services,
    fen: NDArray[np.int64],
    opening: NDArray[np.int64],
) -> Figure:
    """A figure that is a sum of services: shares of pools by measure, and direct items."""
    span = departments_of(book, unit)
    dept = services.dept - span.start
    left = items.pool_left[span]
    # What is traced leaves the pool through the department's own postings only.
    carried = costs.direct[span] - (costs.pool[span] - left - items.no_activity[span])
    measure = services.base.astype(object)[:, None] * items.measures.weight[services.activity]
    net = items.measures.net[span]
    # A pool whose cost and credits cancel costs no service anything.
    is_shared = (net[dept] > 0) & (left[dept] != 0)
    parts = np.where(is_shared, measure * ONE // np.maximum(net[dept], 1), 0)
    takes = np.zeros((span.stop - span.start, len(ELEMENTS)), dtype=object)
    np.add.at(takes, dept, parts)
    traced = np.zeros(left.shape, np.int64)
    np.add.at(traced, dept, services.traced)
    return Figure(
        kind,
        book.registers.unit_ids[unit],
        span.start,
        fen,
        takes.T.tolist(),
        carried,
        traced,
        opening,
        with_level_3=False,
        services=services,
        shared=left[dept].astype(object) * parts,
    )
