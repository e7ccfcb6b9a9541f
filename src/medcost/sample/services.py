"""Service lines: what each case used, who performed it, what it was charged and what it cost."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from medcost.sample.baskets import DrawTable
from medcost.sample.patients import INPATIENT, Cases
from medcost.sample.registry import OWN_DEPARTMENT, TOWNSHIP, Groups, House, Items
from medcost.sample.streams import Flags, Ints, Month

NONE = -1
TOWNSHIP_PRICE = 0.82
ORDERED_SHARE = 0.5
ORDERED_ELSEWHERE_SHARE = 0.1
WHOLE = 10_000


@dataclass(frozen=True)
class Lines:
    """Service lines of one performing unit and month; every array has one place per line.

    `case` is a place among the cases of `case_unit`, NONE for a line without a case. `quantity`
    is in ten-thousandths, `charge` and `cost` in fen; `cost` is 0 for shared items.
    """

    case_unit: Ints
    case: Ints
    item: Ints
    dept: Ints
    ordering: Ints
    quantity: Ints
    charge: Ints
    cost: Ints
    day: Ints

    def __len__(self) -> int:
        """The number of lines."""
        return len(self.item)


def join_lines(parts: list[Lines]) -> Lines:
    """Several sets of lines one after the other."""
    joined = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Lines)}
    return Lines(**joined)


@dataclass(frozen=True)
class _Uses:
    """Draws to be made: case, day within the month's stay, distribution, and department."""

    case: Ints
    offset: Ints
    row: Ints
    dept: Ints
    rank: int


def _rows_of_departments(table: DrawTable, house: House, baskets: tuple[str, ...]) -> Ints:
    """The distribution of each department for its own basket and context, -1 without."""
    return np.array(
        [
            table.row.get((house.kind, basket, context), -1)
            for basket, context in zip(baskets, house.contexts, strict=True)
        ],
        dtype=np.int64,
    )


def _each_night(cases: Cases, places: Ints) -> tuple[Ints, Ints]:
    """The (case, night) pairs of some cases."""
    nights = cases.nights[places]
    case = np.repeat(places, nights)
    first = np.repeat(np.cumsum(nights) - nights, nights)
    return case, np.arange(len(case)) - first


def _ward_dept(cases: Cases, house: House, case: Ints, offset: Ints) -> Ints:
    """Where an inpatient is on a day: in intensive care first, if it needs that, then its ward."""
    intensive = house.department("C16")
    if intensive < 0:
        return cases.dept[case]
    return np.where(offset < cases.intensive[case], intensive, cases.dept[case])


@dataclass(frozen=True)
class Performing:
    """Who performs in which month, with the draw table, purchase prices and random stream."""

    unit: int
    month: Month
    items: Items
    house: House
    table: DrawTable
    paid: Ints
    rng: np.random.Generator

    def priced(self, lines: Lines) -> Lines:
        """The lines with quantity, charge and cost; small quantities are more frequent."""
        items = self.items
        steps = items.steps[lines.item]
        draw = self.rng.random(len(lines)) ** 2 * steps
        quantity = (1 + np.minimum(draw.astype(np.int64), steps - 1)) * items.step[lines.item]
        price = items.price
        if self.house.kind == TOWNSHIP:
            lower = np.rint(price * TOWNSHIP_PRICE).astype(np.int64)
            price = np.where(items.direct, price, lower)
        return replace(
            lines,
            quantity=quantity,
            charge=(2 * price[lines.item] * quantity + WHOLE) // (2 * WHOLE),
            cost=(2 * self.paid[lines.item] * quantity + WHOLE) // (2 * WHOLE),
        )

    def drawn(self, *, case: Ints, item: Ints, own: Ints, day: Ints) -> Lines:
        """Priced lines of the unit's own cases, performed in `own` unless another department
        performs the item.
        """
        performer = self.items.performer[item]
        dept = np.where(performer == OWN_DEPARTMENT, own, self.house.performers[performer])
        zeros = np.zeros(len(item), dtype=np.int64)
        unit = np.full(len(item), self.unit, dtype=np.int64)
        none = np.full(len(item), NONE, dtype=np.int64)
        return self.priced(Lines(unit, case, item, dept, none, zeros, zeros, zeros, day))

    def drawn_from(self, basket: str, count: int) -> Ints:
        """So many items of one basket, in the context of internal medicine."""
        row = self.table.row[self.house.kind, basket, "med"]
        return self.table.draw(np.full(count, row, dtype=np.int64), self.rng)


def _operations(cases: Cases, groups: Groups) -> tuple[Ints, Ints]:
    """(case, item) of each operation and of the implant that belongs to it."""
    operated = np.flatnonzero(cases.theatre_lines > 0)
    group = cases.treated_group[operated]
    implanted = operated[groups.implant[group] >= 0]
    implant = groups.implant[cases.treated_group[implanted]]
    return (
        np.concatenate([operated, implanted]),
        np.concatenate([groups.surgery[group], implant]),
    )


def _drawn_theatre_lines(cases: Cases, groups: Groups) -> Ints:
    """int64[cases]: the theatre lines other than the operation and its implant."""
    certain, _ = _operations(cases, groups)
    return cases.theatre_lines - np.bincount(certain, minlength=len(cases))


def _uses(cases: Cases, groups: Groups, at: Performing) -> list[_Uses]:
    """Everything that is drawn for the cases, but for the operations themselves."""
    house, table, rng = at.house, at.table, at.rng
    shared = {
        basket: table.rows(house.kind, basket, house.contexts)
        for basket in ("bed", "nursing", "admission", "theatre", "late", "registration")
    }
    ward = _rows_of_departments(table, house, house.ward_baskets)
    clinic = _rows_of_departments(table, house, house.visit_baskets)
    stays = np.flatnonzero((cases.setting == INPATIENT) & ~cases.late)
    visits = np.flatnonzero(cases.setting != INPATIENT)
    late = np.flatnonzero(cases.late)
    uses = []

    night_case, night = _each_night(cases, stays)
    where = _ward_dept(cases, house, night_case, night)
    for rank, basket in ((1, "bed"), (2, "nursing")):
        uses.append(_Uses(night_case, night, shared[basket][where], where, rank))

    case = np.repeat(stays, cases.daily_lines[stays])
    offset = np.floor(rng.random(len(case)) * cases.nights[case]).astype(np.int64)
    where = _ward_dept(cases, house, case, offset)
    uses.append(_Uses(case, offset, ward[where], where, 4))

    case = np.repeat(stays, cases.admission_lines[stays])
    where = cases.dept[case]
    uses.append(_Uses(case, np.zeros_like(case), shared["admission"][where], where, 3))

    operated = stays[cases.theatre_lines[stays] > 0]
    case = np.repeat(operated, _drawn_theatre_lines(cases, groups)[operated])
    where = cases.dept[case]
    offset = np.minimum(1, cases.nights[case] - 1)
    uses.append(_Uses(case, offset, shared["theatre"][where], where, 6))

    where = cases.dept[visits]
    nothing = np.zeros_like(visits)
    uses.append(_Uses(visits, nothing, shared["registration"][where], where, 0))
    case = np.repeat(visits, cases.daily_lines[visits] - 1)
    where = cases.dept[case]
    uses.append(_Uses(case, np.zeros_like(case), clinic[where], where, 4))

    case = np.repeat(late, cases.daily_lines[late])
    where = cases.dept[case]
    uses.append(_Uses(case, np.zeros_like(case), shared["late"][where], where, 4))
    return uses


def purchase_prices(items: Items, rng: np.random.Generator) -> Ints:
    """int64[items], fen: what the hospitals pay for a direct item in a month, 0 for the others."""
    discount = rng.uniform(0.93, 1.0, len(items.ids))
    return np.rint(items.price * discount).astype(np.int64) * items.direct


def _ordering(house: House, cases: Cases, case: Ints, dept: Ints, rng: np.random.Generator) -> Ints:
    """The ordering department of about half of the lines that medtech performs, else NONE."""
    medtech = np.isin(np.arange(len(house.dept_ids)), house.of_class("medtech"))
    clinical = house.of_class("clinical")
    draw = rng.random(len(case))
    other = clinical[rng.integers(0, len(clinical), len(case))]
    elsewhere = draw < ORDERED_SHARE * ORDERED_ELSEWHERE_SHARE
    ordering = np.where(elsewhere, other, cases.dept[case])
    return np.where(medtech[dept] & (draw < ORDERED_SHARE), ordering, NONE)


def lines_of_cases(cases: Cases, groups: Groups, at: Performing) -> Lines:
    """The lines of a unit's own cases, by case and then by day."""
    uses = _uses(cases, groups, at)
    certain, operation = _operations(cases, groups)
    theatre_day = np.minimum(1, cases.nights[certain] - 1)
    case = np.concatenate([*(u.case for u in uses), certain])
    offset = np.concatenate([*(u.offset for u in uses), theatre_day])
    own = np.concatenate([*(u.dept for u in uses), cases.dept[certain]])
    drawn = at.table.draw(np.concatenate([u.row for u in uses]), at.rng)
    item = np.concatenate([drawn, operation])
    ranks = [np.full(len(u.case), u.rank, dtype=np.int64) for u in uses]
    rank = np.concatenate([*ranks, np.full(len(certain), 5, dtype=np.int64)])
    order = np.argsort((case * 32 + offset) * 8 + rank, kind="stable")
    case, day = case[order], cases.start[case[order]] + offset[order]
    lines = at.drawn(case=case, item=item[order], own=own[order], day=day)
    return replace(lines, ordering=_ordering(at.house, cases, case, lines.dept, at.rng))


def with_reversals(lines: Lines, count: int, rng: np.random.Generator) -> Lines:
    """The lines with so many reversals, each right after the line that it takes back.

    A third of the reversals of several services takes back one of them only.
    """
    chosen = np.zeros(len(lines), dtype=np.bool_)
    chosen[rng.choice(len(lines), size=min(count, len(lines)), replace=False)] = True
    place = np.repeat(np.arange(len(lines)), 1 + chosen)
    second: Flags = np.zeros(len(place), dtype=np.bool_)
    second[1:] = place[1:] == place[:-1]
    repeated = Lines(**{f.name: getattr(lines, f.name)[place] for f in fields(Lines)})
    one_only = second & (repeated.quantity >= 2 * WHOLE) & (repeated.quantity % WHOLE == 0)
    one_only[second] &= rng.random(int(second.sum())) < 1 / 3
    services = np.where(one_only, repeated.quantity // WHOLE, 1)
    sign = np.where(second, -1, 1)
    return replace(
        repeated,
        quantity=sign * (repeated.quantity // services),
        charge=sign * (repeated.charge // services),
        cost=sign * (repeated.cost // services),
    )


def unlinked_lines(count: int, at: Performing) -> Lines:
    """Lines without a case: walk-in examinations and drugs sold over the counter."""
    none = np.full(count, NONE, dtype=np.int64)
    day = np.sort(at.month.first + at.rng.integers(0, at.month.days, count))
    return at.drawn(case=none, item=at.drawn_from("unlinked", count), own=none, day=day)


def referral_lines(count: int, cases: list[Cases], at: Performing) -> Lines:
    """Lines that the lead hospital, unit 0, performs for cases of the units after it.

    `cases` holds the cases of units 1, 2, ...; the lines stand by unit and case.
    """
    sizes = np.array([len(c) for c in cases], dtype=np.int64)
    ends = np.cumsum(sizes)
    chosen = at.rng.integers(0, ends[-1], 1 + count // 2)
    place = np.sort(chosen[at.rng.integers(0, len(chosen), count)])
    member = np.searchsorted(ends, place, side="right")
    case = place - (ends - sizes)[member]
    start = np.concatenate([c.start for c in cases])[place]
    nights = np.maximum(np.concatenate([c.nights for c in cases])[place], 1)
    day = start + np.floor(at.rng.random(count) * nights).astype(np.int64)
    none = np.full(count, NONE, dtype=np.int64)
    lines = at.drawn(case=case, item=at.drawn_from("referral", count), own=none, day=day)
    return replace(lines, case_unit=1 + member)
