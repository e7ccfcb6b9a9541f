"""The strict loader of the allocation model: every fault of the file, with key path and line."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from medcost.errors import InputRejected, quote
from medcost.policy_file import (
    FoundFault,
    Header,
    LoadedFile,
    OneOrMore,
    Share,
    Text,
    placed,
    read_policy,
    shipped_folder,
    validated,
)
from medcost.records import dataclass
from medcost.sections import Limits, Section

OWN = "own"
# The other kinds of policy that ship beside the models.
BUDGET_CONTROL = "budget_control.toml"
CONSORTIUM_POLICIES = (
    "cost_sharing.toml",
    "pool_lending.toml",
    "fund_allocation.toml",
    "shared_equipment.toml",
    "consolidation.toml",
)
DepartmentClass = Literal["admin", "support", "medtech", "clinical", "non_medical"]


class Givers(Section):
    """The departments a rule speaks of: one or more classes, or named ones."""

    class_: DepartmentClass | Annotated[list[DepartmentClass], Limits(min_length=1)] | None = None
    departments: OneOrMore | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes named, none where departments are named."""
        return _listed(self.class_)


class Receivers(Section):
    """The classes that may receive under a rule."""

    class_: DepartmentClass | Annotated[list[DepartmentClass], Limits(min_length=1)]

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes named."""
        return _listed(self.class_)


class Rule(Section):
    """[[departments.rule]]: by what statistic matching givers hand on their cost, and to whom."""

    givers: Givers
    driver: Text
    pooled: bool = False
    receivers: Receivers | None = None


class MedtechToClinical(Section):
    """[departments.medtech_to_clinical]: level 3."""

    basis: Literal["charge", "quantity", "driver"]
    driver: Text | None = None


class Rounding(Section):
    """[departments.rounding]: another house's rounding (arithmetic rule 9)."""

    multiplier_decimals: Annotated[int, Limits(ge=0, le=12)] | None = None
    amount_decimals: Annotated[int, Limits(ge=0, le=2)] = 2
    residual: Literal["largest_remainder", "largest"] = "largest_remainder"


class Departments(Section):
    """[departments]: the method and rules of levels 1 to 3."""

    method: Literal["direct", "step-down", "reciprocal"]
    order: Annotated[list[Text | OneOrMore], Limits(min_length=1)] | None = None
    credit_balance: Literal["allocate", "keep"] = "allocate"
    no_driver: Literal["reject", "keep"] = "reject"
    negative_statistics: Literal["reject", "allow"] = "reject"
    rule: list[Rule] = []  # noqa: RUF012 - the core gives each section its own
    medtech_to_clinical: MedtechToClinical | None = None
    rounding: Rounding | None = None


class ServiceItems(Section):
    """[service_items]: how pools reach service items."""

    method: Literal["weights", "income", "workload", "capacity"] | None = None
    direct_cost_floor: Share = 0.5
    direct_only: Literal["no_activity", "by_direct_cost"] = "no_activity"
    net_activity_floor: Share = 0.1

    @property
    def direct_cost_floor_exact(self) -> Fraction:
        """The floor as the decimal fraction that the file shows."""
        return Fraction(repr(self.direct_cost_floor))

    @property
    def net_activity_floor_exact(self) -> Fraction:
        """The floor as the decimal fraction that the file shows."""
        return Fraction(repr(self.net_activity_floor))


class Cases(Section):
    """[cases]: how service items reach cases, and what happens to stays that cross months."""

    method: Literal["bottom-up", "top-down", "cost-to-charge"] | None = None
    work_in_progress: Literal["carry", "include"] = "carry"
    drg_matrix: bool = False


class Scope(Section):
    """[scope]: which funds, classes and programs are costed."""

    cost: Literal["medical_business", "medical", "medical_full", "hospital_full"] = "medical"
    programs: Annotated[
        list[Literal["medical", "public_health", "teaching", "research"]], Limits(min_length=1)
    ] = ["medical"]  # noqa: RUF012

    @property
    def funds(self) -> tuple[str, ...]:
        """Funds the scope admits."""
        full = ("own", "fiscal_project", "other_project")
        admitted = {
            "medical_business": ("own",),
            "medical": ("own",),
            "medical_full": full,
            "hospital_full": (*full, "research_education", "non_operating"),
        }
        return admitted[self.cost]

    @property
    def admits_admin(self) -> bool:
        """Whether postings of admin departments are in scope."""
        return self.cost != "medical_business"


class AllocationModel(Section):
    """One allocation model file, validated; frozen."""

    model: Header
    departments: Departments
    service_items: ServiceItems = ServiceItems()
    cases: Cases = Cases()
    scope: Scope = Scope()


@dataclass(frozen=True)
class LoadedModel(LoadedFile):
    """A model with the file it came from."""

    model: AllocationModel

    @property
    def header(self) -> Header:
        """[model]: what the model is and on whose authority."""
        return self.model.model


def _listed(value: str | list[Any] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def shipped_models() -> dict[str, Path]:
    """The models that ship with medcost, by name without .toml."""
    files = [
        entry
        for entry in shipped_folder().iterdir()
        if entry.name.endswith(".toml") and entry.name not in (BUDGET_CONTROL, *CONSORTIUM_POLICIES)
    ]
    return {file.stem: file for file in sorted(files)}


def load_model(name: str, through: str = "cases") -> LoadedModel:
    """Load a model by path or by the name of a shipped one.

    through: the last stage of the run, which says what methods are needed. Raises InputRejected
    with all faults of the file together.
    """
    shipped = shipped_models()
    path = Path(name)
    # A folder of the same name does not hide a model that ships.
    if name in shipped and not path.is_file():
        path = shipped[name]
    text = read_policy("model", path, f" Models that ship: {', '.join(shipped)}.")
    model, found = validated(text, AllocationModel)
    found += _contradictions(text.content) + _stage_faults(text.content, through)
    if found or model is None:
        raise InputRejected(placed(text, found))
    return LoadedModel(text.file, text.raw, text.sha256, text.lines, model)


def _section(content: Any, *names: str) -> dict[str, Any]:
    """A table of the file, empty where it is missing or no table."""
    for name in names:
        content = content.get(name) if isinstance(content, dict) else None
    return content if isinstance(content, dict) else {}


def _contradictions(content: dict[str, Any]) -> list[FoundFault]:
    """Values that are right alone and wrong together; looked for whatever else is wrong."""
    departments = _section(content, "departments")
    method = departments.get("method")
    found = []

    def add(holds: bool, path: str, message: str) -> None:
        if holds:
            found.append(FoundFault("model-value", path, f"{path}: {message}."))

    add(
        method == "step-down" and "order" not in departments,
        "departments",
        "a step-down needs order, the tiers that close first to last",
    )
    add(
        method == "reciprocal" and "rounding" in departments,
        "departments.rounding",
        "rounding is for direct and step-down; rule 5 rounds the reciprocal",
    )
    add(
        method == "reciprocal" and departments.get("credit_balance") == "keep",
        "departments.credit_balance",
        'credit_balance = "keep" needs turns; a reciprocal giver has none',
    )
    rules = departments.get("rule")
    for i, rule in enumerate(rules if isinstance(rules, list) else []):
        if isinstance(rule, dict):
            path = f"departments.rule[{i}]"
            add(
                rule.get("pooled") is True and rule.get("driver") == OWN,
                path,
                'pooled givers share one statistic; driver = "own" gives each its own',
            )
            givers = rule.get("givers")
            add(
                isinstance(givers, dict) and ("class" in givers) == ("departments" in givers),
                f"{path}.givers",
                "name either class or departments",
            )
    level_3 = _section(content, "departments", "medtech_to_clinical")
    add(
        "basis" in level_3 and (level_3["basis"] == "driver") != ("driver" in level_3),
        "departments.medtech_to_clinical",
        'driver belongs to basis = "driver", and only to it',
    )
    return found


def _stage_faults(content: dict[str, Any], through: str) -> list[FoundFault]:
    """Methods the run gets to must be there and built."""
    found = []
    later = {"service-items": ("capacity",), "cases": ("top-down", "cost-to-charge")}
    reached = {"departments": (), "service-items": ("service-items",), "cases": tuple(later)}
    for stage in reached[through]:
        section = stage.replace("-", "_")
        path = f"{section}.method"
        method = _section(content, section).get("method")
        if method is None:
            message = f"{path} is missing, and the run gets to {stage}."
            found.append(FoundFault("model-key-missing", path, message))
        elif method in later[stage]:
            message = f"{path} = {quote(method)} is not available yet."
            found.append(FoundFault("model-not-available", path, message))
    return found
