"""The strict loader of the allocation model: every fault of the file, with key path and line."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import tomllib
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic_core import ValidationError

from medcost.errors import Fault, InputRejected, printable, quote
from medcost.records import dataclass
from medcost.sections import Limits, Section, keys_of
from medcost.toml_lines import key_lines, show_key

OWN = "own"
DepartmentClass = Literal["admin", "support", "medtech", "clinical", "non_medical"]
Text = Annotated[str, Limits(min_length=1, pattern=r"^\S(.*\S)?$")]
OneOrMore = Annotated[list[Text], Limits(min_length=1)]
Share = Annotated[float, Limits(ge=0, le=1, allow_inf_nan=False)]


class Header(Section):
    """[model]: what the model is and on whose authority."""

    id: Text
    title: Text
    authority: Text
    effective_from: dt.date
    currency: Text = "CNY"


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
class LoadedModel:
    """A model with the file it came from: its name, bytes, SHA-256 and the line of each key."""

    model: AllocationModel
    file: str
    content: bytes
    sha256: str
    lines: dict[str, int]

    def place(self, path: str) -> str:
        """'model.toml line 12, departments.rule[0].driver'."""
        return f"{quote(self.file)[1:-1]} line {_line_of(self.lines, path)}, {path}"


def _listed(value: str | list[Any] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def shipped_models() -> dict[str, Path]:
    """The models that ship with medcost, by name without .toml."""
    folder = resources.files("medcost.allocation_models")
    files = [Path(str(entry)) for entry in folder.iterdir() if entry.name.endswith(".toml")]
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
    label = path.name
    try:
        raw = path.read_bytes()
        # A byte order mark, as some editors write it, is no part of the text.
        text = raw.decode("utf-8-sig")
        content = tomllib.loads(text)
    except OSError as error:
        known = ", ".join(shipped)
        what = f"{quote(str(path))} cannot be read: {error.strerror}. Models that ship: {known}."
        raise InputRejected([Fault("model-unreadable", what, (quote(str(path)),))]) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        what = f"{quote(label)} is not TOML: {printable(str(error), 200)}."
        raise InputRejected([Fault("model-unreadable", what, (quote(label),))]) from None
    lines = key_lines(text)
    model, found = _validated(content)
    found += _contradictions(content) + _stage_faults(content, through)
    if found or model is None:
        raise InputRejected(_placed(found, label, lines))
    digest = hashlib.sha256(raw).hexdigest()
    return LoadedModel(model=model, file=label, content=raw, sha256=digest, lines=lines)


@dataclass(frozen=True)
class _Found:
    """One fault of a model before its line is known."""

    code: str
    path: str
    message: str


def _placed(found: list[_Found], label: str, lines: dict[str, int]) -> list[Fault]:
    """The faults in the order of the file, each path and code once."""
    first = {(fault.path, fault.code, fault.message): fault for fault in found}
    ordered = sorted(first.values(), key=lambda fault: _line_of(lines, fault.path))
    return [
        Fault(
            fault.code,
            fault.message,
            (f"{printable(label)} line {_line_of(lines, fault.path)}, {printable(fault.path)}",),
        )
        for fault in ordered
    ]


def _validated(content: dict[str, Any]) -> tuple[AllocationModel | None, list[_Found]]:
    """The model, or every key that is unknown, missing or of a value it cannot have."""
    try:
        return AllocationModel.of(content), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    found = []
    for detail in details:
        location = _location(detail["loc"], content, detail["type"] == "extra_forbidden")
        if location is None:
            continue
        path = _dotted(location)
        shown = printable(path)
        if detail["type"] == "extra_forbidden":
            known = ", ".join(_keys_beside(location[:-1]))
            message = f"{shown} is not a key; expected one of {known}."
            found.append(_Found("model-key-unknown", path, message))
        elif detail["type"] == "missing":
            found.append(_Found("model-key-missing", path, f"{shown} is missing."))
        else:
            given = "" if isinstance(detail["input"], dict) else f" ({quote(str(detail['input']))})"
            found.append(_Found("model-value", path, f"{shown}{given}: {detail['msg']}."))
    return None, found


def _location(
    parts: tuple[int | str, ...], content: Any, is_key: bool
) -> tuple[int | str, ...] | None:
    """The parts of a path that stand in the file; None for the branch of a union not taken.

    Where a value may be a text or a list, pydantic reports both branches and names the branch
    in the path; the one that fits the value given is kept.
    """
    kept: list[int | str] = []
    value = content
    for place, part in enumerate(parts):
        is_last_key = is_key and place == len(parts) - 1
        inside = isinstance(part, int) or (isinstance(value, dict) and part in value)
        if isinstance(part, str) and not inside and not is_last_key and not isinstance(value, dict):
            if isinstance(value, list) != part.startswith("list"):
                return None
            continue
        kept.append(part)
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part]
    return tuple(kept)


def _dotted(location: tuple[int | str, ...]) -> str:
    """departments.rule[0].driver."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{show_key(part)}" if path else show_key(part)
    return path or "model"


def _section(content: Any, *names: str) -> dict[str, Any]:
    """A table of the file, empty where it is missing or no table."""
    for name in names:
        content = content.get(name) if isinstance(content, dict) else None
    return content if isinstance(content, dict) else {}


def _contradictions(content: dict[str, Any]) -> list[_Found]:
    """Values that are right alone and wrong together; looked for whatever else is wrong."""
    departments = _section(content, "departments")
    method = departments.get("method")
    found = []

    def add(holds: bool, path: str, message: str) -> None:
        if holds:
            found.append(_Found("model-value", path, f"{path}: {message}."))

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


def _stage_faults(content: dict[str, Any], through: str) -> list[_Found]:
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
            found.append(_Found("model-key-missing", path, message))
        elif method in later[stage]:
            message = f"{path} = {quote(method)} is not available yet."
            found.append(_Found("model-not-available", path, message))
    return found


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand in a section, as the file writes them."""
    section: type[Section] = AllocationModel
    for part in location:
        if not isinstance(part, int):
            section = _section_in({key.name: key.type for key in keys_of(section)}[part])
    return [key.name for key in keys_of(section)]


def _section_in(kind: Any) -> type[Section]:
    """The section that a field holds, alone, in a list or as an option."""
    if isinstance(kind, type) and issubclass(kind, Section):
        return kind
    for inner in get_args(kind):
        if inner is not type(None):
            return _section_in(inner)
    return AllocationModel


def _line_of(lines: dict[str, int], path: str) -> int:
    """The line of the path or of the nearest key or table above it; 1 where there is none."""
    while path:
        if path in lines:
            return lines[path]
        # A quoted key may hold any character: where no part can be cut off, cut a character.
        shorter = re.sub(r"(\[\d+\]|\.?[^.\[\]]+)$", "", path)
        path = shorter if shorter != path else path[:-1]
    return 1
