"""Levels 1 and 2: admin and support departments hand their cost on."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from oracle.book import ELEMENTS, Row, fen
from oracle.costing import Costing
from oracle.reciprocal import flows_of_element, gross_costs, has_closed_loop
from oracle.rounding import Amount, split_cells
from oracle.settings import Rule, Settings

GIVING = ("admin", "support")
POOLING = ("clinical", "medtech")
GROSS_COST_BOUND = 1_000_000


@dataclass
class UnitDepartments:
    """One unit's departments on their way through the levels."""

    unit_id: str
    classes: dict[str, str]
    ledger: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    out_of_scope: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    direct: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    balance: dict[tuple[str, str], Amount] = field(default_factory=lambda: defaultdict(int))
    flows: dict[tuple[str, str, str], Amount] = field(default_factory=lambda: defaultdict(int))
    drivers: dict[str, str] = field(default_factory=dict)
    pool: dict[tuple[str, str], Amount] = field(default_factory=dict)
    codes: set[str] = field(default_factory=set)

    def givers(self) -> list[str]:
        """Return the admin and support departments, sorted."""
        return sorted(dept for dept, kind in self.classes.items() if kind in GIVING)

    def has_money(self, dept_id: str) -> bool:
        """Say whether the department's balance is not zero in some element."""
        return any(self.balance.get((dept_id, element), 0) for element in ELEMENTS)

    def hand_on(self, giver: str, receiver: str, element: str, amount: Amount) -> None:
        """Move an amount and remember the flow."""
        self.balance[giver, element] -= amount
        self.balance[receiver, element] += amount
        self.flows[giver, receiver, element] += amount


def is_in_scope(row: Row, classes: Mapping[str, str], settings: Settings) -> bool:
    """Say whether the scope admits a posting, by its fund, program and department."""
    if (row.get("fund") or "own") not in settings.funds:
        return False
    if (row.get("program") or "medical") not in settings.programs:
        return False
    return settings.counts_admin or classes[row["dept_id"]] != "admin"


def posted(costing: Costing, unit_id: str) -> UnitDepartments:
    """Return the unit's departments with what the ledger posts on them."""
    book, settings = costing.book, costing.settings
    unit = UnitDepartments(unit_id, book.classes[unit_id])
    for row in book.ledger.get(unit_id, []):
        amount = fen(row["amount"])
        unit.ledger[row["element"]] += amount
        if row["dept_id"] not in unit.classes:
            unit.codes.add("department-not-open")
        elif is_in_scope(row, unit.classes, settings):
            unit.direct[row["dept_id"], row["element"]] += amount
        else:
            unit.out_of_scope[row["element"]] += amount
    unit.balance.update(unit.direct)
    return unit


def rule_of_giver(giver: str, unit: UnitDepartments, settings: Settings) -> Rule | None:
    """Return the first rule that matches the giver."""
    for rule in settings.rules:
        if rule.matches(giver, unit.classes[giver]):
            return rule
    return None


def statistics_of(
    costing: Costing, unit: UnitDepartments, giver: str, rule: Rule, closed: Iterable[str]
) -> dict[str, Fraction]:
    """Return the driver rows that count: open departments that may receive from the giver."""
    shut = {giver, *closed}
    if rule.pooled:
        shut |= {g for g in unit.givers() if rule_of_giver(g, unit, costing.settings) is rule}
    rows = costing.book.statistics.get((unit.unit_id, rule.driver_of(giver)), {})
    return {
        dept: quantity
        for dept, quantity in sorted(rows.items())
        if dept in unit.classes and dept not in shut and rule.admits(unit.classes[dept])
    }


def tiers_of(unit: UnitDepartments, settings: Settings) -> list[list[str]]:
    """Return the tiers of givers; a dept_id that stands in two entries is in the first.

    The direct method is one tier of all givers.
    """
    if settings.method == "direct":
        return [unit.givers()]
    tiers: list[list[str]] = []
    placed: set[str] = set()
    for entry in settings.order:
        if entry in GIVING:
            named = {giver for giver in unit.givers() if unit.classes[giver] == entry}
        else:
            named = {entry} if isinstance(entry, str) else set(entry)
        tier = [giver for giver in unit.givers() if giver in named - placed]
        placed |= set(tier)
        tiers.append(tier)
    return tiers


def split_balance(
    costing: Costing, amount: Amount, weights: Mapping[str, Fraction]
) -> dict[str, Amount]:
    """Split a balance by rule 2, or as `[departments.rounding]` says."""
    rounding = costing.settings.rounding
    if rounding is not None and costing.arithmetic.rounds:
        return dict(split_cells(int(amount), weights, rounding))
    return costing.arithmetic.split(amount, weights)


def close_giver(costing: Costing, unit: UnitDepartments, giver: str, closed: set[str]) -> None:
    """Hand on the giver's balance, or leave it there as the model says, or note a fault."""
    settings = costing.settings
    if not unit.has_money(giver):
        return
    rule = rule_of_giver(giver, unit, settings)
    if rule is None:
        unit.codes.add("giver-without-rule")
        return
    if settings.keeps_credit and sum(unit.balance[giver, element] for element in ELEMENTS) < 0:
        return
    weights = statistics_of(costing, unit, giver, rule, closed)
    if not weights:
        if not settings.keeps_without_driver:
            unit.codes.add("driver-gap")
        return
    if sum(weights.values()) <= 0:
        unit.codes.add("driver-total-not-positive")
        return
    unit.drivers[giver] = rule.driver_of(giver)
    for element in ELEMENTS:
        amount = unit.balance[giver, element]
        for receiver, part in split_balance(costing, amount, weights).items():
            unit.hand_on(giver, receiver, element, part)


def step_down(costing: Costing, unit: UnitDepartments) -> None:
    """Close the givers tier by tier."""
    closed: set[str] = set()
    for tier in tiers_of(unit, costing.settings):
        closed |= set(tier)
        for giver in tier:
            close_giver(costing, unit, giver, closed)
    if any(unit.has_money(giver) for giver in unit.givers() if giver not in closed):
        unit.codes.add("giver-not-in-order")


def solve_together(costing: Costing, unit: UnitDepartments) -> None:
    """Let all givers that have a positive driver total give at once, rule 5."""
    statistics: dict[str, dict[str, Fraction]] = {}
    idle: dict[str, str] = {}
    for giver in unit.givers():
        rule = rule_of_giver(giver, unit, costing.settings)
        weights = {} if rule is None else statistics_of(costing, unit, giver, rule, ())
        if rule is None:
            idle[giver] = "giver-without-rule"
        elif not weights:
            idle[giver] = "" if costing.settings.keeps_without_driver else "driver-gap"
        elif sum(weights.values()) <= 0:
            idle[giver] = "driver-total-not-positive"
        else:
            statistics[giver] = weights
            unit.drivers[giver] = rule.driver_of(giver)
    if has_closed_loop(statistics):
        unit.codes.add("closed-loop")
        return
    gross = gross_costs(statistics)
    if gross is None:
        unit.codes.add("singular-system")
        return
    for element in ELEMENTS:
        direct = {giver: unit.direct[giver, element] for giver in statistics}
        solved = [
            sum((gross[j][i] * direct[j] for j in statistics), Fraction(0)) for i in statistics
        ]
        gross_total = sum((abs(cost) for cost in solved), Fraction(0))
        if gross_total > GROSS_COST_BOUND * sum(abs(amount) for amount in direct.values()):
            unit.codes.add("gross-cost-out-of-bound")
            continue
        flows = flows_of_element(direct, statistics, gross, costing.arithmetic)
        for (giver, receiver), amount in sorted(flows.items()):
            unit.hand_on(giver, receiver, element, amount)
    unit.codes |= {code for giver, code in idle.items() if code and unit.has_money(giver)}


def allocate(costing: Costing, unit_id: str) -> UnitDepartments:
    """Return the unit after levels 1 and 2, its pools set; faults are in `codes`."""
    unit = posted(costing, unit_id)
    if costing.settings.method == "reciprocal":
        solve_together(costing, unit)
    else:
        step_down(costing, unit)
    unit.pool = {
        (dept, element): unit.balance[dept, element]
        for dept, kind in sorted(unit.classes.items())
        if kind in POOLING
        for element in ELEMENTS
    }
    return unit


def received_by_class(unit: UnitDepartments) -> dict[tuple[str, str, str], Amount]:
    """Return (receiver, element, class of the giver) → what was received, gross."""
    received: dict[tuple[str, str, str], Amount] = defaultdict(int)
    for (giver, receiver, element), amount in unit.flows.items():
        received[receiver, element, unit.classes[giver]] += amount
    return received


def resting(unit: UnitDepartments, element: str, classes: Iterable[str]) -> Amount:
    """Return what rests on the departments of some classes after all levels."""
    return sum(
        amount
        for (dept, of), amount in unit.balance.items()
        if of == element and unit.classes[dept] in classes
    )
