"""The policy of shared equipment: what access is, what may be spent, how cost is shared."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, Literal

from medcost.consortium.policy import LoadedPolicy, PolicySection, load_policy
from medcost.policy_file import FoundFault, Share, Text
from medcost.sections import Limits, Section

Distance = Annotated[float, Limits(ge=0, le=100_000, allow_inf_nan=False)]
Yuan = Annotated[float, Limits(ge=0, le=1e13, allow_inf_nan=False)]
DEFAULT = "shared_equipment"


def exact(number: float) -> Fraction:
    """The decimal fraction that the file shows."""
    return Fraction(repr(number))


class Access(Section):
    """[access]: how far is near, how far is too far, and how much access there has to be."""

    measure: Literal["kilometres", "minutes"] = "kilometres"
    within: Distance = 15.0
    farthest: Distance = 60.0
    served_at_least: Share = 0.0
    within_at_least: Share = 0.0


class TypeAccess(Section):
    """[[type]]: another access distance, or farthest distance, for one type of device."""

    device_type: Text
    within: Distance | None = None
    farthest: Distance | None = None


class Budget(Section):
    """[budget]: the most that the fixed cost of opened devices may be in a month, yuan."""

    fixed_cost: Yuan | None = None


class Sharing(Section):
    """[sharing]: whose duals are the prices, who bears nearness and what no price recovers."""

    prices: Literal["relaxation", "assignment"] = "relaxation"
    nearness: Literal["pool", "members"] = "pool"
    remainder: Literal["pool", "members"] = "pool"


class WhatIfs(Section):
    """[what_if]: whether every device is turned round, at the cost of a plan each."""

    devices: Literal["all", "none"] = "all"


class SharedEquipment(PolicySection):
    """One policy of shared equipment, validated; frozen."""

    access: Access = Access()
    type: list[TypeAccess] = []  # noqa: RUF012
    budget: Budget = Budget()
    sharing: Sharing = Sharing()
    what_if: WhatIfs = WhatIfs()

    def distances(self, device_type: str) -> tuple[Fraction, Fraction]:
        """The access distance and the farthest distance of a type."""
        own = next((one for one in self.type if one.device_type == device_type), None)
        within, farthest = self.access.within, self.access.farthest
        if own is not None:
            within = within if own.within is None else own.within
            farthest = farthest if own.farthest is None else own.farthest
        return exact(within), exact(farthest)


def load_equipment_policy(name: str | None = None) -> LoadedPolicy[SharedEquipment]:
    """Load a policy of shared equipment, by default the one that ships.

    Raises InputRejected with all faults of the file together.
    """
    return load_policy(name, DEFAULT, SharedEquipment, _contradictions)


def _contradictions(content: dict[str, Any]) -> list[FoundFault]:
    """Values that are right alone and wrong together."""
    given = content.get("access", {})
    access = vars(Access()) | (given if isinstance(given, dict) else {})
    found = []
    if _above(access["within"], access["farthest"]):
        found.append(_value("access", "within must not exceed farthest"))
    served, within = access["served_at_least"], access["within_at_least"]
    # No rule on what is served stands in the way of one on what is served near by.
    if _above(within, served) and served != 0:
        found.append(_value("access", "within_at_least must not exceed served_at_least"))
    types = content.get("type", [])
    seen = []
    for i, own in enumerate(types if isinstance(types, list) else []):
        if not isinstance(own, dict):
            continue
        both = {name: access[name] for name in ("within", "farthest")} | own
        if _above(both["within"], both["farthest"]):
            found.append(_value(f"type[{i}]", "within must not exceed farthest"))
        if own.get("device_type") in seen:
            found.append(_value(f"type[{i}].device_type", "a type stands once"))
        seen.append(own.get("device_type"))
    return found


def _above(low: Any, high: Any) -> bool:
    """Whether two numbers stand the wrong way round."""
    return all(isinstance(n, int | float) for n in (low, high)) and bool(low > high)


def _value(path: str, what: str) -> FoundFault:
    return FoundFault("policy-value", path, f"{path}: {what}.")
