"""The policy of consolidation: lines of the statement, kinds of business, what counts as agreed."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from medcost.consortium.consolidation.eliminations import GOODS, TREATMENTS, Kinds
from medcost.consortium.consolidation.evidence import Source
from medcost.consortium.consolidation.pairs import NONE
from medcost.consortium.consolidation.statement import NATURES
from medcost.consortium.policy import LoadedPolicy, PolicySection, load_policy
from medcost.errors import quote
from medcost.money import FEN_PER_YUAN
from medcost.policy_file import FoundFault, Text
from medcost.sections import Limits, Section

DEFAULT = "consolidation"
# By treatment, what a line of each side must be.
NATURES_OF_SIDE = {
    "result": (("income",), ("cost",)),
    "balance": (("asset",), ("liability", "net_assets")),
    "goods": (("income",), ("cost",)),
}
# Lines that goods need beside those of the two sides, and what they must be.
GOODS_LINES = {"cost": "cost", "stock": "asset", "opening": "net_assets"}


class Matching(Section):
    """[matching]: when the two sides of a pair agree, and what becomes of those that do not."""

    unmatched: Literal["report", "reject"] = "report"
    tolerance: Annotated[float, Limits(ge=0, le=1e9, allow_inf_nan=False)] = 0.0


class Scope(Section):
    """[scope]: members that are not consolidated."""

    leave_out: list[Text] = []  # noqa: RUF012


class OwnershipRule(Section):
    """[ownership]: whose a member is that no other member owns."""

    unowned: Literal["whole", "reject"] = "whole"


class Line(Section):
    """[[line]]: a line of the statement."""

    id: Text
    account: Text = "-"
    zh: Text
    en: Text
    nature: Literal["income", "cost", "asset", "liability", "net_assets"]


class Kind(Section):
    """[[kind]]: a kind of business between members, and the lines on which it stands."""

    id: Text
    zh: Text
    en: Text
    treatment: Literal["result", "balance", "goods"]
    claim: Text
    debt: Text
    cost: Text | None = None
    stock: Text | None = None
    opening: Text | None = None


class EvidenceRule(Section):
    """[[evidence]]: published results that stand for a side that booked nothing itself."""

    results: Literal["costing", "share"]
    kind: Text
    side: Literal["claim", "debt"] = "claim"
    reference: Annotated[str, Limits(pattern=r"^(\S(.*\S)?)?$")] = ""


class ConsolidationPolicy(PolicySection):
    """One policy of consolidation, validated; frozen."""

    matching: Matching = Matching()
    scope: Scope = Scope()
    ownership: OwnershipRule = OwnershipRule()
    line: Annotated[list[Line], Limits(min_length=1)]
    kind: Annotated[list[Kind], Limits(min_length=1)]
    evidence: list[EvidenceRule] = []  # noqa: RUF012


class Rules:
    """The policy as arrays: places of lines and kinds in their order in the file."""

    def __init__(self, policy: ConsolidationPolicy) -> None:
        self.policy = policy
        self.line_ids = tuple(line.id for line in policy.line)
        self.kind_ids = tuple(kind.id for kind in policy.kind)
        self.nature = np.array([NATURES.index(line.nature) for line in policy.line], np.int64)

    @property
    def tolerance_fen(self) -> int:
        """Whole fen by which the two sides of a pair may differ, by the decimals of the file."""
        return int(Fraction(repr(self.policy.matching.tolerance)) * FEN_PER_YUAN)

    @property
    def evidence(self) -> list[Source]:
        """The published results that the policy takes for evidence."""
        return [
            Source(rule.results, rule.kind, rule.side, rule.reference)
            for rule in self.policy.evidence
        ]

    def line_of(self, name: str | None) -> int:
        """Place of a line, NONE where there is no name."""
        return NONE if name is None else self.line_ids.index(name)

    @cached_property
    def kinds(self) -> Kinds:
        """Treatments and the lines of goods, int64 [kinds]."""
        kinds = self.policy.kind
        return Kinds(
            np.array([TREATMENTS.index(kind.treatment) for kind in kinds], np.int64),
            np.array([self.line_of(kind.stock) for kind in kinds], np.int64),
            np.array([self.line_of(kind.opening) for kind in kinds], np.int64),
        )

    @cached_property
    def default_lines(self) -> NDArray[np.int64]:
        """The line of each side where a row names none, int64 [kinds, 2]."""
        return np.array(
            [[self.line_of(kind.claim), self.line_of(kind.debt)] for kind in self.policy.kind],
            np.int64,
        )

    @cached_property
    def default_cost_line(self) -> NDArray[np.int64]:
        """The line of the seller's cost where a row names none, NONE without, int64 [kinds]."""
        return np.array([self.line_of(kind.cost) for kind in self.policy.kind], np.int64)

    def suits(self, kind: int, side: int, line: int) -> bool:
        """Whether business of a kind may stand on a line of that side's member."""
        allowed = NATURES_OF_SIDE[self.policy.kind[kind].treatment][side]
        return self.policy.line[line].nature in allowed

    @property
    def is_goods(self) -> NDArray[np.bool_]:
        """Where a kind is goods, bool [kinds]."""
        return np.asarray(self.kinds.treatment == GOODS)


def load_consolidation(name: str | None = None) -> LoadedPolicy[ConsolidationPolicy]:
    """Load a policy of consolidation, by default the one that ships.

    Raises InputRejected with all faults of the file together.
    """
    return load_policy(name, DEFAULT, ConsolidationPolicy, _contradictions)


def _contradictions(content: dict[str, Any]) -> list[FoundFault]:
    """Lines and kinds that stand twice, or refer to a line that is not there or does not suit."""
    lines, kinds = _entries(content, "line"), _entries(content, "kind")
    found = [*_twice("line", lines), *_twice("kind", kinds)]
    natures = {one.get("id"): one.get("nature") for _, one in lines}
    treatments = {one.get("id"): one.get("treatment") for _, one in kinds}
    for i, rule in _entries(content, "evidence"):
        path, kind_id = f"evidence[{i}].kind", rule.get("kind")
        if isinstance(kind_id, str) and treatments.get(kind_id) not in ("result", "balance"):
            message = f"{path} ({quote(kind_id)}): it must be a kind, and none of goods."
            found.append(FoundFault("policy-value", path, message))
    for i, kind in kinds:
        treatment = kind.get("treatment")
        if treatment not in NATURES_OF_SIDE:
            continue
        claim, debt = NATURES_OF_SIDE[treatment]
        wanted = {"claim": claim, "debt": debt}
        for key, nature in GOODS_LINES.items():
            if treatment == "goods":
                wanted[key] = (nature,)
            elif key in kind:
                message = f"kind[{i}].{key}: only goods have it."
                found.append(FoundFault("policy-value", f"kind[{i}].{key}", message))
        for key, allowed in wanted.items():
            found += _wrong_line(f"kind[{i}]", key, kind, natures, allowed)
    return found


def _entries(content: dict[str, Any], name: str) -> list[tuple[int, dict[str, Any]]]:
    listed = content.get(name, [])
    if not isinstance(listed, list):
        return []
    return [(i, one) for i, one in enumerate(listed) if isinstance(one, dict)]


def _twice(name: str, entries: list[tuple[int, dict[str, Any]]]) -> Iterator[FoundFault]:
    seen = set()
    for i, entry in entries:
        label = str(entry.get("id"))
        if label in seen:
            path = f"{name}[{i}].id"
            yield FoundFault("policy-value", path, f"{path} ({quote(label)}): it stands twice.")
        seen.add(label)


def _wrong_line(
    path: str,
    key: str,
    kind: dict[str, Any],
    natures: dict[Any, Any],
    allowed: tuple[str, ...],
) -> Iterator[FoundFault]:
    place = f"{path}.{key}"
    if key not in kind:
        if key in GOODS_LINES:
            yield FoundFault("policy-key-missing", path, f"{place} is missing: goods need it.")
    elif not isinstance(kind[key], str):
        return
    elif kind[key] not in natures:
        message = f"{place} ({quote(kind[key])}): no line has this id."
        yield FoundFault("policy-value", place, message)
    elif natures[kind[key]] not in allowed:
        message = f"{place} ({quote(kind[key])}): the line must be {' or '.join(allowed)}."
        yield FoundFault("policy-value", place, message)
