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

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from medcost.errors import Fault, InputRejected, quote

OWN = "own"
UNION_BRANCHES = frozenset({"str", "list", "constrained-str"})
DepartmentClass = Literal["admin", "support", "medtech", "clinical", "non_medical"]
Text = Annotated[str, Field(min_length=1, pattern=r"^\S(.*\S)?$")]
OneOrMore = Annotated[list[Text], Field(min_length=1)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Header(_Section):
    """[model]: what the model is and on whose authority."""

    id: Text
    title: Text
    authority: Text
    effective_from: dt.date
    currency: Text = "CNY"


class Givers(_Section):
    """The departments a rule speaks of: one or more classes, or named ones."""

    class_: DepartmentClass | Annotated[list[DepartmentClass], Field(min_length=1)] | None = Field(
        None, alias="class"
    )
    departments: OneOrMore | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Givers:
        if (self.class_ is None) == (self.departments is None):
            raise ValueError("name either class or departments")
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes named, none where departments are named."""
        return _listed(self.class_)


class Receivers(_Section):
    """The classes that may receive under a rule."""

    class_: DepartmentClass | Annotated[list[DepartmentClass], Field(min_length=1)] = Field(
        alias="class"
    )

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes named."""
        return _listed(self.class_)


class Rule(_Section):
    """[[departments.rule]]: by what statistic matching givers hand on their cost, and to whom."""

    givers: Givers
    driver: Text
    pooled: bool = False
    receivers: Receivers | None = None

    @model_validator(mode="after")
    def _pool_has_one_statistic(self) -> Rule:
        if self.pooled and self.driver == OWN:
            raise ValueError('pooled givers share one statistic; driver = "own" gives each its own')
        return self


class MedtechToClinical(_Section):
    """[departments.medtech_to_clinical]: level 3."""

    basis: Literal["charge", "quantity", "driver"]
    driver: Text | None = None

    @model_validator(mode="after")
    def _driver_with_basis(self) -> MedtechToClinical:
        if (self.basis == "driver") != (self.driver is not None):
            raise ValueError('driver belongs to basis = "driver", and only to it')
        return self


class Rounding(_Section):
    """[departments.rounding]: another house's rounding (arithmetic rule 9)."""

    multiplier_decimals: Annotated[int, Field(ge=0, le=12)] | None = None
    amount_decimals: Annotated[int, Field(ge=0, le=2)] = 2
    residual: Literal["largest_remainder", "largest"] = "largest_remainder"


class Departments(_Section):
    """[departments]: the method and rules of levels 1 to 3."""

    method: Literal["direct", "step-down", "reciprocal"]
    order: Annotated[list[Text | OneOrMore], Field(min_length=1)] | None = None
    credit_balance: Literal["allocate", "keep"] = "allocate"
    no_driver: Literal["reject", "keep"] = "reject"
    negative_statistics: Literal["reject", "allow"] = "reject"
    rule: list[Rule] = Field(default_factory=list)
    medtech_to_clinical: MedtechToClinical | None = None
    rounding: Rounding | None = None

    @model_validator(mode="after")
    def _method_has_what_it_needs(self) -> Departments:
        if self.method == "step-down" and self.order is None:
            raise ValueError("a step-down needs order, the tiers that close first to last")
        if self.method == "reciprocal" and self.rounding is not None:
            raise ValueError("rounding is for direct and step-down; rule 5 rounds the reciprocal")
        if self.method == "reciprocal" and self.credit_balance == "keep":
            raise ValueError('credit_balance = "keep" needs turns; a reciprocal giver has none')
        return self


class ServiceItems(_Section):
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


class Cases(_Section):
    """[cases]: how service items reach cases, and what happens to stays that cross months."""

    method: Literal["bottom-up", "top-down", "cost-to-charge"] | None = None
    work_in_progress: Literal["carry", "include"] = "carry"


class Scope(_Section):
    """[scope]: which funds, classes and programs are costed."""

    cost: Literal["medical_business", "medical", "medical_full", "hospital_full"] = "medical"
    programs: Annotated[
        list[Literal["medical", "public_health", "teaching", "research"]], Field(min_length=1)
    ] = ["medical"]

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


class AllocationModel(_Section):
    """One allocation model file, validated; frozen."""

    model: Header
    departments: Departments
    service_items: ServiceItems = ServiceItems()
    cases: Cases = Cases()
    scope: Scope = Scope()


class LoadedModel(BaseModel):
    """A model with the file it came from: its name, bytes' SHA-256 and the line of each key."""

    model_config = ConfigDict(frozen=True)
    model: AllocationModel
    file: str
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
    path = Path(name)
    if not path.exists():
        path = shipped_models().get(name, path)
    label = path.name
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8")
        content = tomllib.loads(text)
    except OSError as error:
        known = ", ".join(shipped_models())
        what = f"{quote(str(path))} cannot be read: {error.strerror}. Models that ship: {known}."
        raise InputRejected([Fault("model-unreadable", what, (quote(str(path)),))]) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        what = f"{quote(label)} is not TOML: {error}."
        raise InputRejected([Fault("model-unreadable", what, (quote(label),))]) from None
    lines = key_lines(text)
    try:
        model = AllocationModel.model_validate(content)
    except ValidationError as error:
        raise InputRejected(_model_faults(label, lines, error)) from None
    loaded = LoadedModel(
        model=model, file=label, sha256=hashlib.sha256(raw).hexdigest(), lines=lines
    )
    faults = _stage_faults(loaded, through)
    if faults:
        raise InputRejected(faults)
    return loaded


def _model_faults(label: str, lines: dict[str, int], error: ValidationError) -> list[Fault]:
    """One fault for each key, in the order of the file."""
    found: dict[str, tuple[int, str, str]] = {}
    for detail in error.errors(include_url=False):
        path = _dotted(detail["loc"])
        line = _line_of(lines, path)
        shown = "" if isinstance(detail["input"], dict) else f" ({quote(str(detail['input']))})"
        if detail["type"] == "extra_forbidden":
            known = ", ".join(_keys_beside(path))
            code, what = "model-key-unknown", f"{path} is not a key; expected one of {known}."
        elif detail["type"] == "missing":
            code, what = "model-key-missing", f"{path} is missing."
        else:
            message = detail["msg"].removeprefix("Value error, ")
            code, what = "model-value", f"{path}{shown}: {message}."
        found.setdefault(f"{path}|{code}", (line, code, what))
    ordered = sorted(found.items(), key=lambda entry: (entry[1][0], entry[0]))
    return [
        Fault(code, what, (f"{quote(label)[1:-1]} line {line}, {key.rsplit('|', 1)[0]}",))
        for key, (line, code, what) in ordered
    ]


def _keys_beside(path: str) -> list[str]:
    """The keys that may stand where an unknown one stands, as the file writes them."""
    section: type[BaseModel] = AllocationModel
    for part in re.sub(r"\[\d+\]", "", path).split(".")[:-1]:
        names = {field.alias or name: field for name, field in section.model_fields.items()}
        section = _section_in(names[part].annotation)
    return [field.alias or name for name, field in section.model_fields.items()]


def _section_in(annotation: Any) -> type[BaseModel]:
    """The section that a field holds, alone, in a list or as an option."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        if inner is not type(None):
            return _section_in(inner)
    return AllocationModel


def _dotted(location: tuple[int | str, ...]) -> str:
    """departments.rule[0].driver; the branches pydantic names inside a union are left out."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part not in UNION_BRANCHES and re.fullmatch(r"[a-z_]+", part):
            path += f".{part}" if path else part
    return path or "model"


def _stage_faults(loaded: LoadedModel, through: str) -> list[Fault]:
    """Methods the run gets to must be there and built."""
    faults = []
    model = loaded.model
    built = {
        "service-items": ("service_items", model.service_items.method, "capacity"),
        "cases": ("cases", model.cases.method, ("top-down", "cost-to-charge")),
    }
    reached = {"departments": (), "service-items": ("service-items",), "cases": tuple(built)}
    for stage in reached[through]:
        section, method, later = built[stage]
        path = f"{section}.method"
        if method is None:
            what = f"{path} is missing, and the run gets to {stage}."
            faults.append(Fault("model-key-missing", what, (loaded.place(path),)))
        elif method in later:
            what = f"{path} = {quote(method)} is not available yet."
            faults.append(Fault("model-not-available", what, (loaded.place(path),)))
    return faults


def key_lines(text: str) -> dict[str, int]:
    """The line of every table header and key of a TOML text, by dotted path."""
    lines: dict[str, int] = {}
    counts: dict[str, int] = {}
    prefix = ""
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*(\[\[?)\s*([A-Za-z0-9_.\-]+)\s*\]", line)
        key = re.match(r"\s*([A-Za-z0-9_\-]+(?:\s*\.\s*[A-Za-z0-9_\-]+)*)\s*=", line)
        if header:
            prefix = header.group(2)
            if header.group(1) == "[[":
                counts[prefix] = counts.get(prefix, -1) + 1
                prefix = f"{prefix}[{counts[prefix]}]"
            lines.setdefault(prefix, number)
        elif key:
            name = re.sub(r"\s", "", key.group(1))
            lines.setdefault(f"{prefix}.{name}" if prefix else name, number)
    return lines


def _line_of(lines: dict[str, int], path: str) -> int:
    """The line of the path or of the nearest key or table above it; 1 where there is none."""
    while path:
        if path in lines:
            return lines[path]
        path = re.sub(r"(\[\d+\]|\.?[^.\[\]]+)$", "", path)
    return 1
