"""The variance of one month: published months, a budget and a policy in, result tables out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medcost.book import Book, TableRows, period_label, period_number, year_to_date
from medcost.errors import Fault, InputRejected, count_of, quote
from medcost.records import dataclass
from medcost.variance import tables
from medcost.variance.break_even import break_even
from medcost.variance.budget_rows import BudgetMonth, budget_month
from medcost.variance.cells import UNIT, Figures, KeySpace, at_all_levels, rolled_up
from medcost.variance.compared import (
    GIVEN,
    MISSING,
    OF_GROUPS,
    SUMMED,
    Comparison,
    Known,
    MonthFigures,
    alerts,
    budget_to_date,
    costs_of,
    earlier,
    exceeds,
    month_figures,
    peers_of,
    rows_of,
)
from medcost.variance.compared import year_to_date as sum_to_date
from medcost.variance.control import BudgetControl, LoadedControl, exact
from medcost.variance.facts import Facts, read_facts
from medcost.variance.groups import (
    GroupBase,
    budget_base,
    compare_groups,
    groups_of,
    month_base,
    peer_means,
)
from medcost.variance.lines import GroupWork, budget_lines, group_work
from medcost.variance.months import Month, MonthTables, month_arrays
from medcost.variance.requests import budget_requests, rewards

TABLES = (
    "budget_variance",
    "variance_decomposition",
    "drg_variance",
    "break_even",
    "budget_requests",
    "budget_reward",
)


@dataclass(frozen=True)
class MonthVariance:
    """One month held against its budget: result tables by name, and what a reader should know."""

    period: str
    units: tuple[str, ...]
    tables: dict[str, pa.Table]
    notes: tuple[str, ...]


def month_variance(
    books: Sequence[tuple[frozenset[str], Book]],
    budget: TableRows,
    control: LoadedControl,
    months: Mapping[str, MonthTables],
    period: str,
    units: Sequence[str],
) -> MonthVariance:
    """Hold the chosen units' costs of a period against the budget.

    books: the period's books with the units each speaks for, for what published tables do not
    say; budget: rows without a fault;
    months: what is published of months_needed, the period itself among them. Raises InputRejected.
    """
    try:
        sources = _sources(books, budget, control, months, period, units)
        found = _tables(sources)
    except OverflowError:
        what = "Costs or budgets add up beyond what 64 bits hold."
        fault = Fault("amount-out-of-range", what, (f"period {period}",))
        raise InputRejected([fault]) from None
    return MonthVariance(period, tuple(units), found, tuple(_notes(sources)))


def _sources(
    books: Sequence[tuple[frozenset[str], Book]],
    budget: TableRows,
    control: LoadedControl,
    months: Mapping[str, MonthTables],
    period: str,
    units: Sequence[str],
) -> _Sources:
    arrays = {name: month_arrays(month) for name, month in months.items()}
    month = arrays[period]
    space = _key_space([book for _, book in books], budget, arrays, month)
    chosen = frozenset(space.unit_ids.index(unit) for unit in units)
    cost = control.policy.actual.departments
    budgets = {
        name: _of_units(budget_month(budget, space, name), space, chosen)
        for name in year_to_date([period])
    }
    if not budgets[period].unit_ids:
        who = ", ".join(quote(unit) for unit in sorted(units)[:5])
        what = f"The budget has no row of {period} for {who}."
        raise InputRejected([Fault("budget-not-in-period", what, (f"period {period}",))])
    _require_one_scheme(space, month, budgets[period])
    return _Sources(
        period,
        control.policy,
        space,
        chosen,
        month,
        read_facts(books, space, month, control),
        {name: month_figures(space, one, chosen, cost) for name, one in arrays.items()},
        {name: group_work(space, one, chosen) for name, one in arrays.items()},
        budgets,
        rolled_up(space, budgets[period].given),
        budget_month(budget, space, period),
        tuple(sorted(units_of_period(budget, period) - set(units))),
    )


def units_of_period(budget: TableRows, period: str) -> set[str]:
    """The units that have budget rows in a period."""
    labels = budget.labels("period")
    if period not in labels:
        return set()
    rows = budget.codes("period") == labels.index(period)
    known = budget.labels("unit_id")
    return {known[code] for code in np.unique(budget.codes("unit_id")[rows]).tolist() if code >= 0}


@dataclass(frozen=True)
class _Sources:
    """What the tables of one month are made from.

    chosen: positions of the units asked for; figures, work and budgets by month; approved: the
    month's budget at every level; asked: the month's rows of every unit that is listed; absent:
    units with budget rows that are not chosen.
    """

    period: str
    policy: BudgetControl
    space: KeySpace
    chosen: frozenset[int]
    month: Month
    facts: Facts
    figures: Mapping[str, MonthFigures]
    work: Mapping[str, GroupWork]
    budgets: Mapping[str, BudgetMonth]
    approved: Figures
    asked: BudgetMonth
    absent: tuple[str, ...]

    @property
    def budget(self) -> BudgetMonth:
        """The month's budget."""
        return self.budgets[self.period]

    @property
    def current(self) -> MonthFigures:
        """The month itself."""
        return self.figures[self.period]

    def other(self, back: int) -> MonthFigures | None:
        """The month so many months before, if it is published."""
        return self.figures.get(period_label(period_number(self.period) - back))

    def pool(self) -> Figures:
        """Figures of every unit that the month is published of: where peers are looked for."""
        everyone = frozenset(range(len(self.space.unit_ids)))
        cost = self.policy.actual.departments
        return at_all_levels(self.space, costs_of(self.space, self.month, everyone, cost))


def _comparison(of: _Sources) -> Comparison:
    """Budget, actual and what they are looked at beside, of every row."""
    space, facts, chosen = of.space, of.facts, of.chosen
    last_month, last_year = of.other(1), of.other(12)
    keys = rows_of(space, of.current, of.approved, (last_month, last_year), facts)
    actual, _ = of.current.figures.at(keys)
    budget, has_budget = of.approved.at(keys)
    is_given = np.isin(keys, of.budget.given.keys)
    basis = np.where(is_given, GIVEN, np.where(has_budget, SUMMED, MISSING))
    month_before, moved = earlier(space, keys, last_month, chosen, facts)
    year_before, moved_year = earlier(space, keys, last_year, chosen, facts)
    peers, peer_mean = peers_of(space, keys, of.pool(), facts)
    alert = of.policy.alert
    bands = exact(alert.over), exact(alert.under)
    frozen = exceeds(actual, budget, 1 + exact(of.policy.freeze.above))
    frozen = np.where(budget > 0, frozen, actual > budget)
    months = year_to_date([of.period])
    budgets = [
        (rolled_up(space, of.budgets[name].given), of.budgets[name].unit_ids) for name in months
    ]
    return Comparison(
        keys,
        basis,
        Known(budget, has_budget),
        actual,
        alerts(space, keys, basis, budget, actual, bands),
        frozen & is_given,
        month_before,
        year_before,
        sum_to_date(space, keys, [of.figures.get(name) for name in months], chosen, facts),
        budget_to_date(space, keys, budgets),
        peers,
        peer_mean,
        np.where(moved_year >= 0, moved_year, moved),
    )


def _group_bases(of: _Sources) -> list[GroupBase]:
    """What groups are compared with, as far as it is there."""
    units = of.current.drg_units
    bases = [budget_base(of.space, of.approved, of.budget.standards, units)]
    for against, back in (("last_month", 1), ("last_year", 12)):
        figures = of.other(back)
        if figures is not None:
            work = of.work[figures.period]
            groups = groups_of(figures.figures, of.space, work)
            bases.append(month_base(against, groups, figures.drg_units))
    return bases


def _tables(of: _Sources) -> dict[str, pa.Table]:
    """Every result table of the variance by name without out_."""
    space, period, policy = of.space, of.period, of.policy
    comparison = _comparison(of)
    work = of.work[period]
    lines = budget_lines(space, of.budget, comparison, work, of.facts, policy)
    base = policy.drg.base
    groups = groups_of(of.current.figures, space, work)
    compared = compare_groups(space, groups, _group_bases(of), of.current.drg_units, base)
    everyone = frozenset(range(len(space.unit_ids)))
    pool = groups_of(of.pool(), space, group_work(space, of.month, everyone))
    peers = peer_means(space, compared.keys, pool, of.facts)
    full = costs_of(space, of.month, of.chosen, "full_cost")
    even = break_even(space, full, of.chosen, of.facts, policy)
    requests = budget_requests(space, of.asked, of.chosen, of.facts, policy)
    rewarded = rewards(space, comparison, lines, policy)
    has_requests = of.asked.has_requests
    return {
        "budget_variance": tables.budget_variance(space, period, comparison, policy),
        "variance_decomposition": tables.variance_decomposition(space, period, lines),
        "drg_variance": tables.drg_variance(space, period, compared, base, peers),
        "break_even": tables.break_even_table(space, period, even),
        "budget_requests": tables.budget_requests_table(
            space, period, requests, has_requests, policy
        ),
        "budget_reward": tables.budget_reward(space, period, rewarded),
    }


def _notes(of: _Sources) -> Iterator[str]:
    """What a reader should know that is no fault."""
    space = of.space
    silent = sorted(of.chosen - of.budget.unit_ids)
    if silent:
        ids = ", ".join(quote(space.unit_ids[unit]) for unit in silent[:5])
        yield f"{count_of(len(silent), 'chosen unit')} without a budget row: {ids}"
    if of.absent:
        ids = ", ".join(quote(unit) for unit in of.absent[:5])
        yield f"budget rows left aside but for requests, of units not in this run: {ids}"
    cells = space.cells(of.approved.keys)
    asked = np.isin(cells.level, OF_GROUPS) & (cells.unit >= 0)
    units = set(cells.unit[asked].tolist()) - of.current.drg_units
    if units:
        ids = ", ".join(quote(space.unit_ids[unit]) for unit in sorted(units)[:5])
        yield f"budgets of DRG groups left aside: the run stops before groups, in {ids}"
    missing = [name for name in year_to_date([of.period]) if name not in of.figures]
    if missing:
        yield f"no year to date: {', '.join(missing)} not published"
    yield from _gaps(space, of.budget, of.approved)


def _gaps(space: KeySpace, budget: BudgetMonth, approved: Figures) -> Iterator[str]:
    """Units whose own budget is not the sum of their departments', or elements'."""
    cells = space.cells(budget.given.keys)
    finer = (cells.level != UNIT) & ~np.isin(cells.level, OF_GROUPS)
    below = rolled_up(space, Figures(budget.given.keys[finer], budget.given.fen[finer]))
    own = budget.given.keys[cells.level == UNIT]
    total, has_finer = below.at(own)
    fen, _ = approved.at(own)
    units = space.cells(own[has_finer & (total != fen)]).unit.tolist()
    if units:
        ids = ", ".join(quote(space.unit_ids[unit]) for unit in units[:5])
        yield f"budgets of {ids} differ from what their finer rows add up to; their own counts"


def _key_space(
    books: Sequence[Book], budget: TableRows, months: Mapping[str, Month], current: Month
) -> KeySpace:
    """Labels of every unit that is published or listed, department and group of any source."""

    def every(*sources: Sequence[str] | NDArray[np.object_]) -> tuple[str, ...]:
        return tuple(sorted({label for source in sources for label in source if label}))

    return KeySpace(
        every(sorted(current.unit_ids), *(book.registers.unit_ids for book in books)),
        every(
            *(month.dept_id for month in months.values()),
            *(month.service_dept for month in months.values()),
            budget.labels("dept_id"),
            *(book.registers.dept_ids for book in books),
            *(book.tables["departments"].labels("continues_dept_id") for book in books),
        ),
        every(*(month.drg_id for month in months.values()), budget.labels("drg_id")),
    )


def _of_units(budget: BudgetMonth, space: KeySpace, chosen: frozenset[int]) -> BudgetMonth:
    """The rows of the chosen units."""
    units = sorted(chosen)

    def kept(figures: Figures) -> Figures:
        rows = np.isin(space.cells(figures.keys).unit, units)
        return Figures(figures.keys[rows], figures.fen[rows])

    tagged = tuple(
        type(one)(one.tag, kept(one.approved), kept(one.requested)) for one in budget.tagged
    )
    return BudgetMonth(
        kept(budget.given),
        budget.standards,
        tuple(one for one in tagged if len(one.approved.keys)),
        budget.unit_ids & chosen,
        any(len(one.requested.keys) for one in tagged),
    )


def _require_one_scheme(space: KeySpace, month: Month, budget: BudgetMonth) -> None:
    """Refuse budgets of groups that costed cases of two schemes share."""
    cells = space.cells(budget.given.keys)
    named = {
        (space.unit_ids[unit], space.drg_ids[drg])
        for unit, drg in zip(cells.unit.tolist(), cells.drg.tolist(), strict=True)
        if drg >= 0
    }
    schemes: dict[tuple[str, str], set[str]] = {}
    for unit_id, drg_id, scheme in zip(month.drg_unit, month.drg_id, month.drg_scheme, strict=True):
        schemes.setdefault((unit_id, drg_id), set()).add(scheme)
    shared = sorted(key for key, found in schemes.items() if len(found) > 1 and key in named)
    if shared:
        what = f"The budget names {count_of(len(shared), 'DRG group')} of several schemes."
        where = tuple(f"group {quote(drg)} in unit {quote(unit)}" for unit, drg in shared)
        raise InputRejected([Fault("budget-group-ambiguous", what, where)])
