"""Who may hand cost to whom, by which statistic: the model's rules met with the driver rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medcost.allocation_model import OWN, AllocationModel, LoadedModel, Rule
from medcost.book import Registers
from medcost.errors import Fault, count_of, quote
from medcost.period_book import PeriodBook
from medcost.records import dataclass
from medcost.tables import CLASSES, MEDTECH

NON_MEDICAL = CLASSES.index("non_medical")
GIVING = (CLASSES.index("admin"), CLASSES.index("support"))
NEVER = np.iinfo(np.int64).max
# Sums of statistics in 1e-4 stay below 2^63.
LARGEST_STATISTIC = 9.0e18


@dataclass(frozen=True)
class Links:
    """Givers in closing order and what each may hand on to.

    givers: departments [turns], sorted by unit, tier and dept_id; rule: of each giver, -1 for
    none; driver: names of drivers [turns], '' for none; starts [turns + 1] into receivers and
    weights [links] (1e-4 of the statistic), receivers in dept order; left_out: departments that
    a step-down's order leaves out; rows_ignored: driver rows that do not count.
    """

    givers: NDArray[np.int64]
    rule: NDArray[np.int64]
    driver: tuple[str, ...]
    starts: NDArray[np.int64]
    receivers: NDArray[np.int64]
    weights: NDArray[np.int64]
    left_out: NDArray[np.int64]
    rows_ignored: int

    @property
    def giver_of_link(self) -> NDArray[np.int64]:
        """Department that gives, of each link."""
        return np.repeat(self.givers, np.diff(self.starts))


def build_links(book: PeriodBook, model: AllocationModel) -> Links:
    """Meet the rules with the driver rows of the period."""
    registers = book.registers
    rank = closing_rank(book, model)
    rule_of = match_rules(registers, model.departments.rule)
    is_giver = np.isin(registers.dept_class, GIVING) & book.selected[registers.dept_unit]
    givers = np.flatnonzero(is_giver & (rank < NEVER))
    givers = givers[np.lexsort((givers, rank[givers], registers.dept_unit[givers]))]
    names, codes = _drivers_of(book, model, rule_of[givers], givers)
    first, last = _row_ranges(book, registers.dept_unit[givers], codes)
    turn = np.repeat(np.arange(len(givers)), last - first)
    shift = np.arange(len(turn)) - np.repeat(np.cumsum(last - first) - (last - first), last - first)
    rows = first[turn] + shift
    counts = _row_counts(book, model, rank, rule_of, givers[turn], book.drivers.dept[rows])
    starts = np.concatenate([[0], np.cumsum(np.bincount(turn[counts], minlength=len(givers)))])
    return Links(
        givers,
        rule_of[givers],
        names,
        starts.astype(np.int64),
        book.drivers.dept[rows[counts]],
        book.drivers.quantity[rows[counts]],
        np.flatnonzero(is_giver & (rank == NEVER)),
        int(len(rows) - counts.sum()),
    )


def closing_rank(book: PeriodBook, model: AllocationModel) -> NDArray[np.int64]:
    """The tier in which each department closes, int64 [departments]; NEVER where it does not.

    All givers of a direct or reciprocal allocation are of one tier.
    """
    registers = book.registers
    rank = np.full(len(registers.dept_ids), NEVER, np.int64)
    giving = np.isin(registers.dept_class, GIVING)
    if model.departments.method != "step-down":
        rank[giving] = 0
        return rank
    dept_ids = np.array(registers.dept_ids, dtype=object)
    for tier, entry in enumerate(model.departments.order or ()):
        if isinstance(entry, str) and entry in CLASSES:
            named = registers.dept_class == CLASSES.index(entry)
        else:
            wanted = {entry} if isinstance(entry, str) else set(entry)
            named = np.array([dept_id in wanted for dept_id in dept_ids], np.bool_)
        rank[named & giving & (rank == NEVER)] = tier
    return rank


def match_rules(registers: Registers, rules: Sequence[Rule]) -> NDArray[np.int64]:
    """The first rule that matches each department, int64 [departments]; -1 where none does."""
    rule_of = np.full(len(registers.dept_ids), -1, np.int64)
    for i, rule in enumerate(rules):
        classes = [CLASSES.index(name) for name in rule.givers.classes]
        matches = np.isin(registers.dept_class, classes)
        if rule.givers.departments is not None:
            wanted = set(rule.givers.departments)
            matches = np.array([d in wanted for d in registers.dept_ids], np.bool_)
        rule_of[matches & (rule_of < 0)] = i
    return rule_of


def _drivers_of(
    book: PeriodBook,
    model: AllocationModel,
    rules: NDArray[np.int64],
    givers: NDArray[np.int64],
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Name and code of each giver's driver; '' and -1 where no rule or no row names one."""
    position = {name: i for i, name in enumerate(book.drivers.names)}
    names = []
    for giver, rule in zip(givers, rules, strict=True):
        name = "" if rule < 0 else model.departments.rule[rule].driver
        names.append(book.registers.dept_ids[giver] if name == OWN else name)
    return tuple(names), np.array([position.get(name, -1) for name in names], np.int64)


def _row_ranges(
    book: PeriodBook, units: NDArray[np.int64], codes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and past-the-last driver row of each (unit, driver); equal where there is none."""
    n_names = len(book.drivers.names)
    at = np.where(codes >= 0, units * n_names + codes, 0)
    first = book.drivers.first_row[at]
    last = book.drivers.first_row[np.minimum(at + 1, len(book.drivers.first_row) - 1)]
    return first, np.where(codes >= 0, last, first)


def _row_counts(
    book: PeriodBook,
    model: AllocationModel,
    rank: NDArray[np.int64],
    rule_of: NDArray[np.int64],
    giver: NDArray[np.int64],
    receiver: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Whether each driver row counts: another, open department that the rule admits."""
    registers = book.registers
    counts = (receiver != giver) & registers.open_in(book.period)[receiver]
    if model.departments.method != "reciprocal":
        counts &= rank[receiver] > rank[giver]
    rules = model.departments.rule
    admits = np.ones((len(rules) + 1, len(CLASSES)), np.bool_)
    admits[:, NON_MEDICAL] = False
    pooled = np.zeros(len(rules) + 1, np.bool_)
    for i, rule in enumerate(rules):
        pooled[i] = rule.pooled
        if rule.receivers is not None:
            admits[i] = [name in rule.receivers.classes for name in CLASSES]
    counts &= admits[rule_of[giver], registers.dept_class[receiver]]
    giving = np.isin(registers.dept_class[receiver], GIVING)
    counts &= ~(pooled[rule_of[giver]] & giving & (rule_of[receiver] == rule_of[giver]))
    return np.asarray(counts, np.bool_)


def find_statistics_out_of_range(book: PeriodBook) -> list[Fault]:
    """Drivers whose statistics of a unit do not add up within 64 bits."""
    drivers = book.drivers
    size = np.abs(drivers.quantity.astype(np.float64))
    sums = np.add.reduceat(np.append(size, 0.0), drivers.first_row[:-1]) if len(size) else size
    filled = np.diff(drivers.first_row) > 0 if len(size) else np.zeros(0, np.bool_)
    places = []
    for group in np.flatnonzero(filled & (sums > LARGEST_STATISTIC)).tolist():
        unit, driver = divmod(group, len(drivers.names))
        unit_id = quote(book.registers.unit_ids[unit])
        places.append(f"unit {unit_id}, driver {quote(drivers.names[driver])}")
    if not places:
        return []
    what = f"{count_of(len(places), 'statistic')} cannot be added up exactly."
    return [Fault("statistic-out-of-range", what, tuple(places))]


def find_unlisted_drivers(book: PeriodBook, loaded: LoadedModel) -> list[Fault]:
    """Rules of which a giver of the book has need, whose driver no row of drivers names."""
    registers, rules = book.registers, loaded.model.departments.rule
    giving = np.isin(registers.dept_class, GIVING) & book.selected[registers.dept_unit]
    used = set(match_rules(registers, rules)[giving].tolist())
    paths = [
        (f"departments.rule[{i}].driver", rule.driver)
        for i, rule in enumerate(rules)
        if i in used and rule.driver != OWN
    ]
    level_3 = loaded.model.departments.medtech_to_clinical
    medtech = (registers.dept_class == MEDTECH) & book.selected[registers.dept_unit]
    if level_3 is not None and level_3.driver not in (None, OWN) and medtech.any():
        paths.append(("departments.medtech_to_clinical.driver", str(level_3.driver)))
    faults = []
    for path, driver in paths:
        if driver not in book.drivers.names:
            what = f"The model shares cost by {quote(driver)}, a driver that drivers does not have."
            faults.append(Fault("driver-not-listed", what, (loaded.place(path),)))
    return faults
