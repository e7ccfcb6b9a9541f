"""The sample book: the county's months in order, table by table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from medcost.sample import activity, budget, prices, services, tables
from medcost.sample.baskets import draw_table
from medcost.sample.consortium import Members, write_consortium
from medcost.sample.files import AMOUNT, QUANTITY, TableFile, write_table
from medcost.sample.patients import INPATIENT, NO_GROUP, SETTINGS, Cases, cases_of_month
from medcost.sample.postings import (
    DRUGS,
    MATERIALS,
    Postings,
    department_cost,
    postings_of_month,
)
from medcost.sample.registry import ELEMENTS, HOUSES, LEAD, TOWNSHIP, House, registry
from medcost.sample.services import Lines
from medcost.sample.streams import Floats, Ints, Month, Topic, months_of, split_evenly, stream

CostOpening = Callable[[Path, str], pa.Table]
Progress = Callable[[str], None]

OPENING = "opening_work_in_progress"
LEAD_SHARE = 0.6
REFERRED_SHARE = 0.01
REVERSED_SHARE = 0.005
UNLINKED_SHARE = 0.003
# A consortium with more members than there are hospitals: so many townships, the rest villages.
TOWNSHIPS_BESIDE_VILLAGES = 12
MOST_MEMBERS = 253


@dataclass(frozen=True)
class SampleTotals:
    """What a sample book holds; amounts in fen.

    `rows` by table, `ledger` by period, `cases` by setting; `charge` and `direct_cost` over all
    service lines, `in_progress` the inpatients in the house at each period's end.
    """

    rows: dict[str, int]
    ledger: dict[str, int]
    cases: dict[str, int]
    in_progress: dict[str, int]
    lines: int
    charge: int
    direct_cost: int


@dataclass
class _UnitMonth:
    """What the end of the book still needs of one unit and month."""

    month: Month
    unit: int
    cases: Cases
    charge: Ints
    cost: Floats


@dataclass
class _Small:
    """The small tables, gathered unit by unit, and running totals."""

    parts: dict[str, list[pa.Table]] = field(default_factory=dict)
    ledger: dict[str, int] = field(default_factory=dict)
    charge: int = 0
    direct_cost: int = 0

    def add(self, name: str, table: pa.Table) -> None:
        """Keep rows of one table."""
        self.parts.setdefault(name, []).append(table)


def _unit_shares(hospitals: int, seed: int) -> Floats:
    """The share of each unit in all lines."""
    if hospitals == 1:
        return np.ones(1)
    size = stream(seed, Topic.SHARES).uniform(0.6, 1.4, hospitals - 1)
    return np.concatenate([[LEAD_SHARE], (1 - LEAD_SHARE) * size / size.sum()])


def _targets(hospitals: int, lines: int, months: Sequence[Month], seed: int) -> Ints:
    """int64[months, units]: how many lines each unit performs in each month."""
    noise = stream(seed, Topic.SHARES, 1).uniform(0.97, 1.03, (len(months), hospitals))
    days = np.array([month.days for month in months], dtype=np.float64)
    shares = days[:, None] * noise * _unit_shares(hospitals, seed)
    return split_evenly(lines, shares.ravel()).reshape(shares.shape)


class _County:
    """One run of the generator: the county's standing data, its seed and the months so far."""

    def __init__(self, members: int, seed: int) -> None:
        self.registry = registry()
        self.table = draw_table()
        self.seed = seed
        n_hospitals = members
        if members > len(self.registry.townships) + 1:
            n_hospitals = 1 + TOWNSHIPS_BESIDE_VILLAGES
        digits = max(len(str(members)), 2)
        self.member_ids = tuple(f"U{n:0{digits}d}" for n in range(1, members + 1))
        # Villages have no departments, ledger or lines of their own.
        self.unit_ids = self.member_ids[:n_hospitals]
        kinds = [LEAD] + [TOWNSHIP] * (n_hospitals - 1)
        self.houses: list[House] = [self.registry.houses[kind] for kind in kinds]

    def members(self, months: tuple[Month, ...]) -> Members:
        """All members with their kinds, for the tables of the consortium."""
        of_hospitals = [HOUSES[house.kind] for house in self.houses]
        villages = ["village"] * (len(self.member_ids) - len(self.unit_ids))
        return Members(self.member_ids, (*of_hospitals, *villages), months, self.seed)

    def cases(self, month: Month, target: Ints, before: list[Cases] | None) -> list[Cases]:
        """The month's cases of every unit."""
        referred = self._referred(target)
        result = []
        for unit, house in enumerate(self.houses):
            lines = int(target[unit])
            own = lines - round(lines * REVERSED_SHARE) - round(lines * UNLINKED_SHARE)
            own -= referred if unit == 0 else 0
            rng = stream(self.seed, Topic.PATIENTS, month.index, unit)
            last = None if before is None else before[unit]
            groups = self.registry.groups
            result.append(cases_of_month(house, groups, month, lines=own, before=last, rng=rng))
        return result

    def _referred(self, target: Ints) -> int:
        """How many lines the lead hospital performs for the townships."""
        return 0 if len(target) == 1 else round(float(target.sum()) * REFERRED_SHARE)

    def lines(self, month: Month, unit: int, target: Ints, cases: list[Cases]) -> Lines:
        """The month's lines of one performing unit: own cases, referrals, unlinked ones."""
        items, total = self.registry.items, int(target[unit])
        at = services.Performing(
            unit,
            month,
            items,
            self.houses[unit],
            self.table,
            services.purchase_prices(items, stream(self.seed, Topic.PURCHASE, month.index)),
            stream(self.seed, Topic.LINES, month.index, unit),
        )
        own = services.lines_of_cases(cases[unit], self.registry.groups, at)
        parts = [services.with_reversals(own, round(total * REVERSED_SHARE), at.rng)]
        referred = self._referred(target)
        if unit == 0 and referred:
            rng = stream(self.seed, Topic.REFERRALS, month.index)
            parts.append(services.referral_lines(referred, cases[1:], replace(at, rng=rng)))
        parts.append(services.unlinked_lines(round(total * UNLINKED_SHARE), at))
        return services.join_lines(parts)

    def ledger(self, month: Month, unit: int, lines: Lines) -> Postings:
        """The month's postings of one unit."""
        house, items = self.houses[unit], self.registry.items
        traced = np.zeros((len(house.dept_ids), len(ELEMENTS)), dtype=np.int64)
        for element, drugs in ((DRUGS, True), (MATERIALS, False)):
            mine = items.direct[lines.item] & (items.drugs[lines.item] == drugs)
            sums = np.bincount(
                lines.dept[mine], weights=lines.cost[mine], minlength=len(house.dept_ids)
            )
            traced[:, element] = sums.astype(np.int64)
        rng = stream(self.seed, Topic.LEDGER, month.index, unit)
        cost = department_cost(house, int(lines.charge.sum()), traced, rng)
        return postings_of_month(house, cost, rng)


def _add_unit_month(
    county: _County, small: _Small, month: Month, unit: int, *, lines: Lines, cases: Cases
) -> _UnitMonth:
    """Gather the small tables of one unit and month, and what its cases were charged and cost."""
    house, unit_id, items = county.houses[unit], county.unit_ids[unit], county.registry.items
    postings = county.ledger(month, unit, lines)
    small.add("ledger", tables.ledger_table(month, unit_id, house, postings))
    small.ledger[month.period] = small.ledger.get(month.period, 0) + sum(postings.amount)
    small.charge += int(lines.charge.sum())
    small.direct_cost += int(lines.cost.sum())
    in_scope = postings.in_scope(len(house.dept_ids))
    work = activity.workload(house, cases, lines, unit)
    rng = stream(county.seed, Topic.DRIVERS, month.index, unit)
    drivers = activity.driver_rows(house, work, float(in_scope.sum()), rng)
    small.add("drivers", tables.driver_table(month, unit_id, house, drivers))
    statistics = activity.statistic_rows(house, work, month)
    small.add(
        "statistics",
        tables.measure_table(
            month, unit_id, house, statistics, columns=("measure", "quantity"), kind=QUANTITY
        ),
    )
    rng = stream(county.seed, Topic.INCOME, month.index, unit)
    income = activity.income_rows(house, items, cases, lines, unit=unit, rng=rng)
    small.add(
        "income",
        tables.measure_table(
            month, unit_id, house, income, columns=("source", "amount"), kind=AMOUNT
        ),
    )
    rng = stream(county.seed, Topic.BUDGET, month.index, unit)
    planned = budget.department_rows(house, in_scope, work, rng)
    small.add("budget", budget.budget_table(month, unit_id, house, county.registry.groups, planned))
    cost = prices.estimated_case_cost(
        house, items, lines, unit=unit, in_scope=in_scope, n_cases=len(cases)
    )
    own = (lines.case_unit == unit) & (lines.case >= 0)
    charge = np.bincount(lines.case[own], weights=lines.charge[own], minlength=len(cases))
    whole = charge.astype(np.int64) + cases.charge_before
    return _UnitMonth(month, unit, cases, whole, cost + cases.cost_before)


def _finished(county: _County, done: list[_UnitMonth], seed: int) -> prices.PriceList:
    """The price list that the cost of the finished, grouped stays implies."""
    kind, group, cost = [], [], []
    for part in done:
        cases = part.cases
        ended = (cases.group > NO_GROUP) & ~cases.stays_on & ~cases.late
        group.append(cases.group[ended])
        cost.append(part.cost[ended])
        kind.append(np.full(int(ended.sum()), county.houses[part.unit].kind, dtype=np.int64))
    rng = stream(seed, Topic.PRICES)
    return prices.price_list(
        county.registry.groups,
        np.concatenate(kind),
        np.concatenate(group),
        np.concatenate(cost),
        rng,
    )


def _plan_groups(
    county: _County, small: _Small, done: list[_UnitMonth], price: prices.PriceList
) -> None:
    """Gather the budgets of groups, which the price list places."""
    groups = county.registry.groups
    for part in done:
        house, unit_id = county.houses[part.unit], county.unit_ids[part.unit]
        rng = stream(county.seed, Topic.GROUP_BUDGET, part.month.index, part.unit)
        rows = budget.group_rows(house, groups, part.cases, price, rng)
        small.add("budget", budget.budget_table(part.month, unit_id, house, groups, rows))


def _write_cases(
    folder: Path, county: _County, done: list[_UnitMonth], price: prices.PriceList
) -> int:
    """Write the table cases; an insured, grouped stay is paid its price, any other its charge."""
    parts = []
    for part in done:
        house, cases = county.houses[part.unit], part.cases
        insured = cases.payer <= 1
        due = price.of_cases(house.kind, cases)
        paid = np.where(insured & (due > 0), due, part.charge)
        unit_id = county.unit_ids[part.unit]
        parts.append(
            tables.case_table(part.month, unit_id, house, cases, county=county.registry, paid=paid)
        )
    return write_table(folder, "cases", pa.concat_tables(parts).unify_dictionaries())


def _write_standing(
    folder: Path, county: _County, months: Sequence[Month], price: prices.PriceList
) -> dict[str, int]:
    """Write the tables that do not grow with the months."""
    groups, items = county.registry.groups, county.registry.items
    year = int(months[0].period[:4])
    standing = {
        "units": tables.unit_table(county.registry, county.member_ids, len(county.unit_ids)),
        "departments": tables.department_table(
            county.houses, county.unit_ids, f"{year - 2:04d}-07"
        ),
        "service_items": tables.item_table(county.registry),
        "item_weights": prices.item_weight_table(items, county.unit_ids, months[-1].period),
        "drg_groups": prices.group_table(groups, price),
        "drg_prices": prices.price_table(groups, price, county.unit_ids[0], f"{year:04d}-01"),
    }
    return {name: write_table(folder, name, table) for name, table in standing.items()}


def _write_opening(
    folder: Path, months: Sequence[Month], cost_opening: CostOpening, say: Progress
) -> int:
    """Cost the months in order and write each one's work in progress as the next one's opening."""
    parts: list[pa.Table] = []
    rows = 0
    for before, month in pairwise(months):
        say(f"{before.period}: costing its work in progress")
        costed = cost_opening(folder, before.period)
        place = costed.schema.get_field_index("period")
        period = pa.array([month.period] * costed.num_rows, pa.string())
        parts.append(costed.set_column(place, "period", period))
        rows = write_table(folder, OPENING, pa.concat_tables(parts))
    return rows


def make_sample(
    folder: Path,
    *,
    hospitals: int = 5,
    lines: int = 150_000,
    seed: int = 2026,
    periods: Sequence[str] = ("2026-01", "2026-02"),
    cost_opening: CostOpening | None = None,
    progress: Progress | None = None,
) -> SampleTotals:
    """Write a synthetic county consortium's book to `folder`, which is made if need be.

    One lead hospital and `hospitals` - 1 township hospitals perform `lines` service lines over
    consecutive `periods`. Of more members than there are names of townships twelve are township
    hospitals, and the others villages, which stand in units and in the consortium's tables alone.
    The same arguments and pyarrow version give the same bytes.

    `cost_opening(folder, period)` costs a period of the finished book and returns its work in
    progress, in the columns of opening_work_in_progress; it is called for each period but the
    last, in order. Without it the book has no opening_work_in_progress.

    Raises ValueError for a number of hospitals or lines or a sequence of periods it cannot make.
    """
    if not 1 <= hospitals <= MOST_MEMBERS:
        raise ValueError(f"hospitals must be 1 to {MOST_MEMBERS}, not {hospitals}")
    months = months_of(periods)
    if lines < 100 * len(months):
        raise ValueError(f"lines must be at least {100 * len(months)}, not {lines}")
    say = progress or (lambda _: None)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{OPENING}.parquet").unlink(missing_ok=True)
    county = _County(hospitals, seed)
    targets = _targets(len(county.unit_ids), lines, months, seed)
    small, done = _Small(), list[_UnitMonth]()
    before: list[Cases] | None = None
    with TableFile(folder, "service_lines") as file:
        for month in months:
            cases = county.cases(month, targets[month.index], before)
            labels = tables.CaseLabels.of(cases)
            before = []
            for unit, house in enumerate(county.houses):
                drawn = county.lines(month, unit, targets[month.index], cases)
                file.append(
                    tables.line_table(
                        month,
                        unit,
                        unit_ids=county.unit_ids,
                        county=county.registry,
                        house=house,
                        lines=drawn,
                        labels=labels,
                    )
                )
                part = _add_unit_month(county, small, month, unit, lines=drawn, cases=cases[unit])
                done.append(part)
                before.append(
                    replace(cases[unit], charge_before=part.charge, cost_before=part.cost)
                )
                say(f"{month.period} {county.unit_ids[unit]}: {len(drawn):,} service lines")
    price = _finished(county, done, seed)
    rows = {"service_lines": file.rows, "cases": _write_cases(folder, county, done, price)}
    rows |= _write_standing(folder, county, months, price)
    _plan_groups(county, small, done, price)
    for name, parts in small.parts.items():
        rows[name] = write_table(folder, name, pa.concat_tables(parts))
    rows |= write_consortium(folder, county.members(months))
    if cost_opening is not None and len(months) > 1:
        rows[OPENING] = _write_opening(folder, months, cost_opening, say)
    return _totals(rows, small, months, done)


def _totals(
    rows: dict[str, int], small: _Small, months: Sequence[Month], done: list[_UnitMonth]
) -> SampleTotals:
    """The grand totals of the book."""
    settings = np.concatenate([part.cases.setting for part in done])
    in_progress = dict.fromkeys((month.period for month in months), 0)
    for part in done:
        stays = part.cases.stays_on & (part.cases.setting == INPATIENT)
        in_progress[part.month.period] += int(stays.sum())
    return SampleTotals(
        rows=dict(sorted(rows.items())),
        ledger=small.ledger,
        cases={name: int((settings == place).sum()) for place, name in enumerate(SETTINGS)},
        in_progress=in_progress,
        lines=rows["service_lines"],
        charge=small.charge,
        direct_cost=small.direct_cost,
    )
