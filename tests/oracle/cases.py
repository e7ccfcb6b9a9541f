"""Rule 3d: what each case costs, what it is called, and what another unit's case owes."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from oracle.book import ELEMENTS, UNLINKED, Book, CaseKey, Row, fen
from oracle.costing import Costing
from oracle.refused import Refused
from oracle.rounding import Amount, Arithmetic, complete
from oracle.service_items import UnitServiceItems
from oracle.settings import Settings

LATE = "late_cost"
WORK_IN_PROGRESS = "work_in_progress"
REASONS = {
    LATE: "late_cost",
    WORK_IN_PROGRESS: "work_in_progress",
    "visit": "visits",
    "ungrouped": "ungrouped",
    "costed": "cases",
}


@dataclass
class Case:
    """One case of the unit with its cost by element, opening included; money in fen."""

    key: CaseKey
    status: str
    row: Row
    scheme: str | None
    price: int | None
    charge: int
    cost: dict[str, Amount] = field(default_factory=dict)

    def total(self) -> Amount:
        """Return the sum of the elements."""
        return sum(self.cost.values())


@dataclass
class UnitCases:
    """One unit's own cases, its unlinked lines and what it served for others."""

    cases: list[Case]
    unlinked: dict[str, Amount]
    other_unit: dict[str, Amount]
    opening: dict[str, int]
    intercompany: dict[tuple[str, str, str], Amount]
    matrix: dict[tuple[str, str, str, str], Amount]
    codes: set[str]


def round_shared_costs(
    items: UnitServiceItems, arithmetic: Arithmetic
) -> dict[str, dict[CaseKey, Amount]]:
    """Return element → case served → its rounded part of the pools, rule 3d."""
    exact: dict[str, dict[CaseKey, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    for (_, element), spread in items.spreads.items():
        for (_, case), cost in spread.exact_costs().items():
            exact[element][case] += cost
    return {element: arithmetic.together(exact[element]) for element in ELEMENTS}


def add_traced_costs(
    items: UnitServiceItems, shared: Mapping[str, Mapping[CaseKey, Amount]]
) -> dict[CaseKey, dict[str, Amount]]:
    """Return case served → element → its part of the pools and its direct items."""
    served: dict[CaseKey, dict[str, Amount]] = defaultdict(lambda: dict.fromkeys(ELEMENTS, 0))
    for element, costs in shared.items():
        for case, cost in costs.items():
            served[case][element] += cost
    for (_, element), traced in items.traced.items():
        for (_, case), cost in traced.items():
            served[case][element] += cost
    return served


def intercompany_of(
    unit_id: str,
    items: UnitServiceItems,
    shared: Mapping[str, Mapping[CaseKey, Amount]],
    arithmetic: Arithmetic,
) -> dict[tuple[str, str, str], Amount]:
    """Return (unit of the case, item, element) → what the performer's services cost.

    The items' exact parts of the pools are completed to the rounded total of the pair of units;
    the traced direct items are added after it.
    """
    exact: dict[tuple[str, str], dict[str, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    owed: dict[tuple[str, str, str], Amount] = defaultdict(int)
    for (_, element), spread in items.spreads.items():
        for (item, case), cost in spread.exact_costs().items():
            if case != UNLINKED and case[0] != unit_id:
                exact[case[0], element][item] += cost
    for (other, element), costs in exact.items():
        total = sum(cost for case, cost in shared[element].items() if case[0] == other)
        parts = complete(costs, int(total)) if arithmetic.rounds else costs
        for item, part in parts.items():
            owed[other, item, element] += part
    for (_, element), traced in items.traced.items():
        for (item, case), whole in traced.items():
            if case != UNLINKED and case[0] != unit_id:
                owed[case[0], item, element] += whole
    return owed


def matrix_of(
    costing: Costing, unit_id: str, items: UnitServiceItems, cases: list[Case]
) -> dict[tuple[str, str, str, str], Amount]:
    """Return (scheme, group, service group, element) → what the group's costed cases cost there.

    The exact parts of the pools are completed, for each group and element, to what its cases were
    rounded to; direct items, and openings under the service group '', are whole fen and add.
    Cells whose exact cost is 0 take no part, unless all are 0: then those in which a case has one.
    """
    book = costing.book
    group_of = {
        case.key: (case.scheme or "", case.row["drg_id"])
        for case in cases
        if case.status == "costed"
    }
    exact: dict[tuple[str, str, str], dict[str, dict[CaseKey, Fraction]]] = {}
    whole: dict[tuple[str, str, str, str], Amount] = defaultdict(int)
    for (dept, element), spread in items.spreads.items():
        for (_, key), cost in spread.exact_costs().items():
            if key in group_of and key[0] == unit_id:
                cells = exact.setdefault((*group_of[key], element), {})
                of_cell = cells.setdefault(book.service_group_of(unit_id, dept), {})
                of_cell[key] = of_cell.get(key, Fraction(0)) + cost
    for (dept, element), traced in items.traced.items():
        for (_, key), amount in traced.items():
            if key in group_of and key[0] == unit_id:
                service = book.service_group_of(unit_id, dept)
                whole[(*group_of[key], service, element)] += amount
    for key, group in group_of.items():
        for element in ELEMENTS:
            whole[(*group, "", element)] += fen(book.openings.get(key, {}).get(element))
    for *group, element in {
        (*group, element) for group in group_of.values() for element in ELEMENTS
    }:
        scheme, drg_id = group
        total = sum(
            case.cost[element] for case in cases if group_of.get(case.key) == (scheme, drg_id)
        )
        total -= sum(
            amount
            for (*of, service, kind), amount in whole.items()
            if (*of, kind) == (scheme, drg_id, element)
        )
        cells = exact.get((scheme, drg_id, element), {})
        costs = {service: sum(of_cell.values()) for service, of_cell in cells.items()}
        taking = {service: cost for service, cost in costs.items() if cost} or {
            service: costs[service] for service, of_cell in cells.items() if any(of_cell.values())
        }
        for service, part in complete(taking, int(total)).items():
            whole[scheme, drg_id, service, element] += part
    return whole


def status_of(row: Row | None, book: Book, settings: Settings) -> str:
    """Return a case's status; one that only the opening knows is still in progress."""
    if row is None:
        return WORK_IN_PROGRESS
    discharged = row.get("discharged")
    if discharged is not None and discharged < book.first_day:
        return LATE
    in_house = discharged is None or discharged > book.last_day
    if row["setting"] == "inpatient" and in_house and settings.carries_work_in_progress:
        return WORK_IN_PROGRESS
    if row.get("drg_id") is not None:
        return "costed"
    return "ungrouped" if row["setting"] == "inpatient" else "visit"


def scheme_of(row: Row, book: Book) -> str | None:
    """Return the case's scheme; default: the only one in drg_groups."""
    schemes = {scheme for scheme, _ in book.drg_groups}
    return row.get("scheme") or (schemes.pop() if len(schemes) == 1 else None)


def price_of(row: Row, scheme: str | None, book: Book) -> int | None:
    """Return the price of a case of a DRG group: the fitting row with the most filled keys.

    Among rows that fill the same keys the latest valid_from; otherwise refused.
    """
    wanted = {"scheme": scheme, "unit_id": row["unit_id"], "payer": row.get("payer")}
    fitting = [
        price
        for price in book.prices.get(row["drg_id"], [])
        if all(price.get(column) in (None, value) for column, value in wanted.items())
        and (price.get("valid_from") or "") <= book.period
        and book.period <= (price.get("valid_to") or book.period)
    ]
    if not fitting:
        return None

    def filled(price: Row) -> tuple[bool, ...]:
        """Say which keys the price row fills."""
        return tuple(price.get(key) is not None for key in (*wanted, "valid_from"))

    most = max(sum(filled(price)) for price in fitting)
    best = [price for price in fitting if sum(filled(price)) == most]
    if len({filled(price) for price in best}) > 1:
        raise Refused("price-ambiguous")
    return fen(max(best, key=lambda price: price.get("valid_from") or "")["price"])


def own_charges(book: Book, unit_id: str) -> dict[CaseKey, int]:
    """Return the charges of the lines that the unit performed, by case."""
    charges: dict[CaseKey, int] = defaultdict(int)
    for line in book.lines.get(unit_id, []):
        charges[line.case] += line.charge
    return charges


def case_of(
    costing: Costing, key: CaseKey, served: Mapping[str, Amount], charge: int, codes: set[str]
) -> Case:
    """Return one own case: this period's cost and charge and its opening's."""
    book = costing.book
    row = book.cases.get(key)
    opening: dict[str, Any] = book.openings.get(key, {})
    status = status_of(row, book, costing.settings)
    scheme = None if row is None else scheme_of(row, book)
    price = None
    if row is not None and status == "costed":
        try:
            price = price_of(row, scheme, book)
        except Refused as refused:
            codes |= set(refused.codes)
    cost = {element: served.get(element, 0) + fen(opening.get(element)) for element in ELEMENTS}
    charge += fen(opening.get("charge"))
    return Case(key, status, row or {}, scheme, price, charge, cost)


def cost_cases(costing: Costing, unit_id: str, items: UnitServiceItems) -> UnitCases:
    """Return the unit's cases with their cost; faults are in `codes`."""
    book, codes = costing.book, set[str]()
    shared = round_shared_costs(items, costing.arithmetic)
    served = add_traced_costs(items, shared)
    charges = own_charges(book, unit_id)
    keys = sorted(key for key in {*book.cases, *book.openings} if key[0] == unit_id)
    cases = [case_of(costing, key, served.get(key, {}), charges.get(key, 0), codes) for key in keys]
    other_unit: dict[str, Amount] = dict.fromkeys(ELEMENTS, 0)
    for key, cost in served.items():
        if key != UNLINKED and key[0] != unit_id:
            for element in ELEMENTS:
                other_unit[element] += cost[element]
    return UnitCases(
        cases=cases,
        unlinked=served.get(UNLINKED, dict.fromkeys(ELEMENTS, 0)),
        other_unit=other_unit,
        opening={
            element: sum(fen(book.openings[key][element]) for key in keys if key in book.openings)
            for element in ELEMENTS
        },
        intercompany=intercompany_of(unit_id, items, shared, costing.arithmetic),
        matrix=matrix_of(costing, unit_id, items, cases) if costing.arithmetic.rounds else {},
        codes=codes,
    )


def has_unlisted_case(book: Book, unit_id: str) -> bool:
    """Say whether a line's case is neither in `cases` nor in the opening of its unit."""
    return any(
        line.case != UNLINKED and line.case not in book.cases and line.case not in book.openings
        for line in book.lines.get(unit_id, [])
    )
