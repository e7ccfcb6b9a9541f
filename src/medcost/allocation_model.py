"""The strict loader of the allocation model: every fault of the file, with key path and line.

Each section says once what its keys may hold: the loader, the messages and the reference page
follow from that.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import tomllib
from collections.abc import Mapping
from fractions import Fraction
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from medcost.errors import Fault, InputRejected, printable, quote
from medcost.records import Record
from medcost.toml_lines import key_lines, show_key

OWN = "own"
DEPARTMENT_CLASSES = ("admin", "support", "medtech", "clinical", "non_medical")

Path_ = tuple[int | str, ...]


class _Found(NamedTuple):
    """One fault of a model before its line is known."""

    code: str
    path: str
    message: str


class Text:
    """Text that is not empty and has no blanks at its ends."""

    words = "is not text, or is empty, of several lines or with blanks at an end"
    schema: ClassVar[dict[str, Any]] = {"type": "string"}

    def read(self, value: Any, path: Path_) -> tuple[Any, list[_Found]]:
        """The value as the model holds it, and its faults."""
        fits = isinstance(value, str) and re.fullmatch(r"\S(.*\S)?", value) is not None
        return value, [] if fits else [_wrong(path, value, self.words)]


class Choice:
    """One of the values."""

    def __init__(self, *values: str) -> None:
        self.values = values
        self.schema: dict[str, Any] = {"type": "string", "enum": list(values)}

    def read(self, value: Any, path: Path_) -> tuple[Any, list[_Found]]:
        """The value as the model holds it, and its faults."""
        fits = isinstance(value, str) and value in self.values
        words = f"is not one of {', '.join(self.values)}"
        return value, [] if fits else [_wrong(path, value, words)]


class Flag:
    """true or false."""

    schema: ClassVar[dict[str, Any]] = {"type": "boolean"}

    def read(self, value: Any, path: Path_) -> tuple[Any, list[_Found]]:
        """The value as the model holds it, and its faults."""
        return value, [] if isinstance(value, bool) else [_wrong(path, value, "is not a flag")]


class Date:
    """A date, written 2026-01-31."""

    schema: ClassVar[dict[str, Any]] = {"type": "string", "format": "date"}

    def read(self, value: Any, path: Path_) -> tuple[Any, list[_Found]]:
        """The value as the model holds it, and its faults."""
        # A date with a time is a date to Python.
        fits = isinstance(value, dt.date) and not isinstance(value, dt.datetime)
        return value, [] if fits else [_wrong(path, value, "is not a date, written 2026-01-31")]


class Number:
    """A number from the lowest to the highest, whole or not."""

    def __init__(self, lowest: int, highest: int, *, whole: bool) -> None:
        self.lowest, self.highest, self.whole = lowest, highest, whole
        kind = "integer" if whole else "number"
        self.schema: dict[str, Any] = {"type": kind, "minimum": lowest, "maximum": highest}

    def read(self, value: Any, path: Path_) -> tuple[Any, list[_Found]]:
        """The value as the model holds it, and its faults."""
        is_number = isinstance(value, int if self.whole else (int, float))
        if is_number and not isinstance(value, bool) and self.lowest <= value <= self.highest:
            return (value if self.whole else float(value)), []
        noun = "whole number" if self.whole else "number"
        words = f"is not a {noun} from {self.lowest} to {self.highest}"
        return value, [_wrong(path, value, words)]


class ListOf:
    """A list, not empty, of what each entry may be."""

    def __init__(self, entry: Kind) -> None:
        self.entry = entry
        self.schema: dict[str, Any] = {"type": "array", "items": entry.schema}

    def read(self, value: Any, path: Path_) -> tuple[Any, list[_Found]]:
        """The value as the model holds it, and its faults."""
        if not isinstance(value, list) or not value:
            return value, [_wrong(path, value, "is not a list, or is empty")]
        entries = [self.entry.read(entry, (*path, i)) for i, entry in enumerate(value)]
        return tuple(entry for entry, _ in entries), [f for _, found in entries for f in found]


class OneOrMore:
    """A value, or a list of such values."""

    def __init__(self, one: Kind) -> None:
        self.one, self.more = one, ListOf(one)
        self.schema: dict[str, Any] = {"anyOf": [one.schema, self.more.schema]}

    def read(self, value: Any, path: Path_) -> tuple[Any, list[_Found]]:
        """The value as the model holds it, and its faults."""
        return (self.more if isinstance(value, list) else self.one).read(value, path)


class In:
    """A section of its own keys."""

    def __init__(self, section: type[_Section]) -> None:
        self.section = section

    @property
    def schema(self) -> dict[str, Any]:
        """The section as a JSON schema."""
        defaults = self.section.defaults()
        properties = {}
        for name, kind in self.section.KEYS.items():
            properties[name] = dict(kind.schema)
            # What no file writes, an absent section or no sections at all, is no default to show.
            if name in defaults and defaults[name] != ():
                default = defaults[name]
                properties[name]["default"] = {} if isinstance(default, _Section) else default
        required = [name for name in self.section.KEYS if name not in defaults]
        return {"type": "object", "properties": properties, "required": required}

    def read(self, value: Any, path: Path_) -> tuple[Any, list[_Found]]:
        """The value as the model holds it, and its faults."""
        if not isinstance(value, dict):
            return value, [_wrong(path, value, "is not a section")]
        fields, found = self.section.defaults(), list[_Found]()
        for name, kind in self.section.KEYS.items():
            here = (*path, name)
            if name in value:
                fields[name], faults = kind.read(value[name], here)
                found += faults
            elif name not in fields:
                shown = _dotted(here)
                found.append(_Found("model-key-missing", shown, f"{printable(shown)} is missing."))
        known = ", ".join(self.section.KEYS)
        for name in [name for name in value if name not in self.section.KEYS]:
            shown = _dotted((*path, name))
            message = f"{printable(shown)} is not a key; expected one of {known}."
            found.append(_Found("model-key-unknown", shown, message))
        named = {f"{name}_" if iskeyword(name) else name: field for name, field in fields.items()}
        return (value if found else self.section(**named)), found


class EachIn:
    """Sections of the same keys, any number of them."""

    def __init__(self, section: type[_Section]) -> None:
        self.entries = ListOf(In(section))

    @property
    def schema(self) -> dict[str, Any]:
        """The sections as a JSON schema."""
        return self.entries.schema

    def read(self, value: Any, path: Path_) -> tuple[Any, list[_Found]]:
        """The value as the model holds it, and its faults."""
        return ((), []) if value == [] else self.entries.read(value, path)


Kind = Text | Choice | Flag | Date | Number | ListOf | OneOrMore | In | EachIn


class _Section(Record):
    """A section of the file, its keys as fields, with the defaults of those that may be absent."""

    KEYS: ClassVar[Mapping[str, Kind]] = {}

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """What stands where a key is left out, by key."""
        fields = {name: f"{name}_" if iskeyword(name) else name for name in cls.KEYS}
        return {key: vars(cls)[field] for key, field in fields.items() if field in vars(cls)}


class Header(_Section):
    """[model]: what the model is and on whose authority."""

    id: str
    title: str
    authority: str
    effective_from: dt.date
    currency: str = "CNY"

    KEYS: ClassVar = {
        "id": Text(),
        "title": Text(),
        "authority": Text(),
        "effective_from": Date(),
        "currency": Text(),
    }


class Givers(_Section):
    """The departments a rule speaks of: one or more classes, or named ones."""

    class_: str | tuple[str, ...] | None = None
    departments: tuple[str, ...] | None = None

    KEYS: ClassVar = {
        "class": OneOrMore(Choice(*DEPARTMENT_CLASSES)),
        "departments": ListOf(Text()),
    }

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes named, none where departments are named."""
        return _listed(self.class_)


class Receivers(_Section):
    """The classes that may receive under a rule."""

    class_: str | tuple[str, ...]

    KEYS: ClassVar = {
        "class": OneOrMore(Choice(*DEPARTMENT_CLASSES)),
    }

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes named."""
        return _listed(self.class_)


class Rule(_Section):
    """[[departments.rule]]: by what statistic matching givers hand on their cost, and to whom."""

    givers: Givers
    driver: str
    pooled: bool = False
    receivers: Receivers | None = None

    KEYS: ClassVar = {
        "givers": In(Givers),
        "driver": Text(),
        "pooled": Flag(),
        "receivers": In(Receivers),
    }


class MedtechToClinical(_Section):
    """[departments.medtech_to_clinical]: level 3."""

    basis: str
    driver: str | None = None

    KEYS: ClassVar = {
        "basis": Choice("charge", "quantity", "driver"),
        "driver": Text(),
    }


class Rounding(_Section):
    """[departments.rounding]: another house's rounding (arithmetic rule 9)."""

    multiplier_decimals: int | None = None
    amount_decimals: int = 2
    residual: str = "largest_remainder"

    KEYS: ClassVar = {
        "multiplier_decimals": Number(0, 12, whole=True),
        "amount_decimals": Number(0, 2, whole=True),
        "residual": Choice("largest_remainder", "largest"),
    }


class Departments(_Section):
    """[departments]: the method and rules of levels 1 to 3."""

    method: str
    order: tuple[str | tuple[str, ...], ...] | None = None
    credit_balance: str = "allocate"
    no_driver: str = "reject"
    negative_statistics: str = "reject"
    rule: tuple[Rule, ...] = ()
    medtech_to_clinical: MedtechToClinical | None = None
    rounding: Rounding | None = None

    KEYS: ClassVar = {
        "method": Choice("direct", "step-down", "reciprocal"),
        "order": ListOf(OneOrMore(Text())),
        "credit_balance": Choice("allocate", "keep"),
        "no_driver": Choice("reject", "keep"),
        "negative_statistics": Choice("reject", "allow"),
        "rule": EachIn(Rule),
        "medtech_to_clinical": In(MedtechToClinical),
        "rounding": In(Rounding),
    }


class ServiceItems(_Section):
    """[service_items]: how pools reach service items."""

    method: str | None = None
    direct_cost_floor: float = 0.5
    direct_only: str = "no_activity"
    net_activity_floor: float = 0.1

    KEYS: ClassVar = {
        "method": Choice("weights", "income", "workload", "capacity"),
        "direct_cost_floor": Number(0, 1, whole=False),
        "direct_only": Choice("no_activity", "by_direct_cost"),
        "net_activity_floor": Number(0, 1, whole=False),
    }

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

    method: str | None = None
    work_in_progress: str = "carry"

    KEYS: ClassVar = {
        "method": Choice("bottom-up", "top-down", "cost-to-charge"),
        "work_in_progress": Choice("carry", "include"),
    }


class Scope(_Section):
    """[scope]: which funds, classes and programs are costed."""

    cost: str = "medical"
    programs: tuple[str, ...] = ("medical",)

    KEYS: ClassVar = {
        "cost": Choice("medical_business", "medical", "medical_full", "hospital_full"),
        "programs": ListOf(Choice("medical", "public_health", "teaching", "research")),
    }

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

    KEYS: ClassVar = {
        "model": In(Header),
        "departments": In(Departments),
        "service_items": In(ServiceItems),
        "cases": In(Cases),
        "scope": In(Scope),
    }


class LoadedModel(Record):
    """A model with the file it came from: its name, bytes' SHA-256 and the line of each key."""

    model: AllocationModel
    file: str
    sha256: str
    lines: dict[str, int]

    def place(self, path: str) -> str:
        """'model.toml line 12, departments.rule[0].driver'."""
        return f"{quote(self.file)[1:-1]} line {_line_of(self.lines, path)}, {path}"


def _listed(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


def shipped_models() -> dict[str, Path]:
    """The models that ship with medcost, by name without .toml."""
    # A package of its own: in a checkout it lies elsewhere than where it is installed.
    folders = [Path(folder) for folder in import_module("medcost.allocation_models").__path__]
    return {file.stem: file for folder in folders for file in sorted(folder.glob("*.toml"))}


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
    model, found = read_model(content)
    found += _contradictions(content) + _stage_faults(content, through)
    if found or model is None:
        raise InputRejected(_placed(found, label, lines))
    return LoadedModel(model=model, file=label, sha256=hashlib.sha256(raw).hexdigest(), lines=lines)


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


def read_model(content: dict[str, Any]) -> tuple[AllocationModel | None, list[_Found]]:
    """The model, or every key that is unknown, missing or of a value it cannot have."""
    model, found = In(AllocationModel).read(content, ())
    return (None if found else model), found


def _wrong(path: Path_, value: Any, words: str) -> _Found:
    given = "" if isinstance(value, dict) else f" ({quote(str(value))})"
    return _Found("model-value", _dotted(path), f"{printable(_dotted(path))}{given} {words}.")


def _dotted(location: Path_) -> str:
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


def _line_of(lines: dict[str, int], path: str) -> int:
    """The line of the path or of the nearest key or table above it; 1 where there is none."""
    while path:
        if path in lines:
            return lines[path]
        # A quoted key may hold any character: where no part can be cut off, cut a character.
        shorter = re.sub(r"(\[\d+\]|\.?[^.\[\]]+)$", "", path)
        path = shorter if shorter != path else path[:-1]
    return 1
