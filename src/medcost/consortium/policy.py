"""Policies of the consortium: dated TOML files, loaded strictly like the allocation model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from medcost.allocation_model import CONSORTIUM_POLICIES
from medcost.errors import InputRejected
from medcost.policy_file import (
    FoundFault,
    Header,
    LoadedFile,
    placed,
    read_policy,
    shipped_folder,
    validated,
)
from medcost.records import dataclass
from medcost.sections import Section


class PolicySection(Section):
    """The root of a policy: each kind adds the sections of its own rules."""

    policy: Header


Root = TypeVar("Root", bound=PolicySection)


@dataclass(frozen=True)
class LoadedPolicy(LoadedFile, Generic[Root]):
    """A policy, checked, with the file it came from."""

    rules: Root

    @property
    def header(self) -> Header:
        """[policy]: what the policy is and on whose authority."""
        return self.rules.policy


def shipped_policies() -> dict[str, Path]:
    """The consortium's policies that ship with medcost, by name without .toml."""
    folder = shipped_folder()
    return {Path(file).stem: folder / file for file in CONSORTIUM_POLICIES}


def no_contradictions(_content: dict[str, Any]) -> list[FoundFault]:
    """Of a policy whose values are never wrong together."""
    return []


def load_policy(
    name: str | None,
    default: str,
    root: type[Root],
    contradictions: Callable[[dict[str, Any]], list[FoundFault]] = no_contradictions,
) -> LoadedPolicy[Root]:
    """Load a policy by path, or by the name of one that ships; None: the default that ships.

    contradictions: what is wrong together in the content of the file, found whatever else is
    wrong; codes begin with policy-. Raises InputRejected with all faults of the file together.
    """
    shipped = shipped_policies()
    path = shipped[default] if name is None else Path(name)
    # A folder of the same name does not hide a policy that ships.
    if name in shipped and not path.is_file():
        path = shipped[name]
    text = read_policy("policy", path, f" {default} ships.")
    rules, found = validated(text, root)
    found += contradictions(text.content)
    if found or rules is None:
        raise InputRejected(placed(text, found))
    return LoadedPolicy(text.file, text.raw, text.sha256, text.lines, rules)
