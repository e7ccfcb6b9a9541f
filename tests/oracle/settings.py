"""The allocation model with the contract's defaults filled in."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from oracle.rounding import Rounding

FUNDS = {
    "medical_business": frozenset({"own"}),
    "medical": frozenset({"own"}),
    "medical_full": frozenset({"own", "fiscal_project", "other_project"}),
    "hospital_full": frozenset(
        {"own", "fiscal_project", "other_project", "research_education", "non_operating"}
    ),
}


@dataclass(frozen=True)
class Rule:
    """One `[[departments.rule]]`; `receivers` None means the default."""

    classes: frozenset[str]
    departments: frozenset[str]
    pooled: bool
    driver: str
    receivers: frozenset[str] | None

    def matches(self, dept_id: str, dept_class: str) -> bool:
        """Say whether the rule's `givers` names this giver."""
        return dept_class in self.classes or dept_id in self.departments

    def admits(self, dept_class: str) -> bool:
        """Say whether a department of this class may receive; non_medical only when named."""
        if self.receivers is None:
            return dept_class != "non_medical"
        return dept_class in self.receivers

    def driver_of(self, giver: str) -> str:
        """Return the driver's name; `own` is the giver's dept_id."""
        return giver if self.driver == "own" else self.driver


@dataclass(frozen=True)
class Settings:
    """What the model decides."""

    method: str
    order: list[Any]
    rules: list[Rule]
    keeps_credit: bool
    keeps_without_driver: bool
    level_three: dict[str, str] | None
    rounding: Rounding | None
    item_method: str | None
    direct_cost_floor: Fraction
    by_direct_cost: bool
    net_activity_floor: Fraction
    carries_work_in_progress: bool
    breaks_groups_down: bool
    funds: frozenset[str]
    counts_admin: bool
    programs: frozenset[str]


def texts(value: str | list[str] | None) -> frozenset[str]:
    """Return one text or a list of texts as a set."""
    if value is None:
        return frozenset()
    return frozenset({value} if isinstance(value, str) else value)


def rule_of(table: dict[str, Any]) -> Rule:
    """Return one rule of the model."""
    givers = table["givers"]
    receivers = table.get("receivers")
    return Rule(
        classes=texts(givers.get("class")),
        departments=texts(givers.get("departments")),
        pooled=table.get("pooled", False),
        driver=table["driver"],
        receivers=None if receivers is None else texts(receivers["class"]),
    )


def rounding_of(table: dict[str, Any] | None) -> Rounding | None:
    """Return `[departments.rounding]`, or None where the model has none."""
    if table is None:
        return None
    return Rounding(
        table.get("multiplier_decimals"),
        table.get("amount_decimals", 2),
        table.get("residual", "largest_remainder"),
    )


def settings_of(model: dict[str, Any]) -> Settings:
    """Return the model's settings; a decimal fraction in the file means exactly that fraction."""
    departments = model["departments"]
    items = model.get("service_items", {})
    scope = model.get("scope", {})
    cost = scope.get("cost", "medical")
    return Settings(
        method=departments["method"],
        order=departments.get("order", []),
        rules=[rule_of(table) for table in departments.get("rule", [])],
        keeps_credit=departments.get("credit_balance", "allocate") == "keep",
        keeps_without_driver=departments.get("no_driver", "reject") == "keep",
        level_three=departments.get("medtech_to_clinical"),
        rounding=rounding_of(departments.get("rounding")),
        item_method=items.get("method"),
        direct_cost_floor=Fraction(str(items.get("direct_cost_floor", 0.5))),
        by_direct_cost=items.get("direct_only", "no_activity") == "by_direct_cost",
        net_activity_floor=Fraction(str(items.get("net_activity_floor", 0.1))),
        carries_work_in_progress=model.get("cases", {}).get("work_in_progress", "carry") == "carry",
        breaks_groups_down=model.get("cases", {}).get("drg_matrix", False),
        funds=FUNDS[cost],
        counts_admin=cost != "medical_business",
        programs=frozenset(scope.get("programs", ["medical"])),
    )
