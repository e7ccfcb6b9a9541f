"""A policy file: TOML obeyed strictly, every fault shown together with its key path and line."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic_core import ValidationError

from medcost.errors import Fault, InputRejected, printable, quote
from medcost.records import dataclass
from medcost.sections import Limits, Section, keys_of
from medcost.toml_lines import key_lines, show_key

Text = Annotated[str, Limits(min_length=1, pattern=r"^\S(.*\S)?$")]
OneOrMore = Annotated[list[Text], Limits(min_length=1)]
Share = Annotated[float, Limits(ge=0, le=1, allow_inf_nan=False)]
Policy = TypeVar("Policy", bound=Section)


@dataclass(frozen=True)
class PolicyText:
    """A file as it was read: its name, bytes, SHA-256, content and the line of each key.

    kind: the word that its fault codes begin with, model or control.
    """

    kind: str
    file: str
    raw: bytes
    sha256: str
    content: dict[str, Any]
    lines: dict[str, int]


def shipped_folder() -> Path:
    """The folder of the models and policies that ship with medcost."""
    return Path(import_module("medcost.allocation_models").__path__[0])


class Header(Section):
    """What a policy that results follow is, and on whose authority."""

    id: Text
    title: Text
    authority: Text
    effective_from: dt.date
    currency: Text = "CNY"


@dataclass(frozen=True)
class LoadedFile:
    """The file that a policy was loaded from: name, bytes, SHA-256 and the line of each key."""

    file: str
    content: bytes
    sha256: str
    lines: dict[str, int]

    def place(self, path: str) -> str:
        """'model.toml line 12, departments.rule[0].driver'."""
        return f"{quote(self.file)[1:-1]} line {line_of(self.lines, path)}, {path}"


@dataclass(frozen=True)
class FoundFault:
    """One fault of a policy file before its line is known."""

    code: str
    path: str
    message: str


def read_policy(kind: str, path: Path, shipped: str) -> PolicyText:
    """Read a TOML file; shipped: a sentence on what may be named in its place.

    Raises InputRejected where it cannot be read.
    """
    label, code = path.name, f"{kind}-unreadable"
    try:
        raw = path.read_bytes()
        # A byte order mark, as some editors write it, is no part of the text.
        text = raw.decode("utf-8-sig")
        content = tomllib.loads(text)
    except OSError as error:
        what = f"{quote(str(path))} cannot be read: {error.strerror}.{shipped}"
        raise InputRejected([Fault(code, what, (quote(str(path)),))]) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        what = f"{quote(label)} is not TOML: {printable(str(error), 200)}."
        raise InputRejected([Fault(code, what, (quote(label),))]) from None
    return PolicyText(kind, label, raw, hashlib.sha256(raw).hexdigest(), content, key_lines(text))


def validated(text: PolicyText, root: type[Policy]) -> tuple[Policy | None, list[FoundFault]]:
    """The policy, or every key that is unknown, missing or of a value it cannot have."""
    try:
        return root.of(text.content), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    found = []
    for detail in details:
        is_unknown = detail["type"] == "extra_forbidden"
        location = _location(detail["loc"], text.content, is_unknown)
        if location is None:
            continue
        path = _dotted(location) or text.kind
        shown = printable(path)
        if is_unknown:
            known = ", ".join(_keys_beside(root, location[:-1]))
            message = f"{shown} is not a key; expected one of {known}."
            found.append(FoundFault(f"{text.kind}-key-unknown", path, message))
        elif detail["type"] == "missing":
            message = f"{shown} is missing."
            found.append(FoundFault(f"{text.kind}-key-missing", path, message))
        else:
            given = "" if isinstance(detail["input"], dict) else f" ({quote(str(detail['input']))})"
            message = f"{shown}{given}: {detail['msg']}."
            found.append(FoundFault(f"{text.kind}-value", path, message))
    return None, found


def placed(text: PolicyText, found: list[FoundFault]) -> list[Fault]:
    """The faults in the order of the file, each path and code once."""
    first = {(fault.path, fault.code, fault.message): fault for fault in found}
    ordered = sorted(first.values(), key=lambda fault: line_of(text.lines, fault.path))
    label = printable(text.file)
    return [
        Fault(
            fault.code,
            fault.message,
            (f"{label} line {line_of(text.lines, fault.path)}, {printable(fault.path)}",),
        )
        for fault in ordered
    ]


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
    return path


def _keys_beside(root: type[Section], location: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand in a section, as the file writes them."""
    section = root
    for part in location:
        if not isinstance(part, int):
            section = _section_in(root, {key.name: key.type for key in keys_of(section)}[part])
    return [key.name for key in keys_of(section)]


def _section_in(root: type[Section], kind: Any) -> type[Section]:
    """The section that a field holds, alone, in a list or as an option."""
    if isinstance(kind, type) and issubclass(kind, Section):
        return kind
    for inner in get_args(kind):
        if inner is not type(None):
            return _section_in(root, inner)
    return root


def line_of(lines: dict[str, int], path: str) -> int:
    """The line of the path or of the nearest key or table above it; 1 where there is none."""
    while path:
        if path in lines:
            return lines[path]
        # A quoted key may hold any character: where no part can be cut off, cut a character.
        shorter = re.sub(r"(\[\d+\]|\.?[^.\[\]]+)$", "", path)
        path = shorter if shorter != path else path[:-1]
    return 1
