"""The policy of shared equipment: what access is, what may be spent, how cost is shared."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, Literal

from medcost.consortium.policy import LoadedPolicy, PolicySection, load_policy
from medcost.policy_file import FoundFault, Share
from medcost.sections import Limits, Section

Distance = Annotated[float, Limits(ge=0, le=100_000, allow_inf_nan=False)]
Yuan = Annotated[float, Limits(ge=0, le=1e13, allow_inf_nan=False)]
DEFAULT = "shared_equipment"


class Access(Section):
    """[access]: how far is near, how far is too far, and how much access there has to be."""

    measure: Literal["kilometres", "minutes"] = "kilometres"
    within: Distance = 15.0
    farthest: Distance = 60.0
    served_at_least: Share = 0.0
    within_at_least: Share = 0.0


class Budget(Section):
    """[budget]: the most that the fixed cost of opened devices may be in a month, yuan."""

    fixed_cost: Yuan | None = None


class Sharing(Section):
    """[sharing]: whose duals are the prices, who bears nearness and what no price recovers."""

    prices: Literal["relaxation", "assignment"] = "relaxation"
    nearness: Literal["members", "pool"] = "members"
    remainder: Literal["pool", "members"] = "pool"


class WhatIfs(Section):
    """[what_if]: whether every device is turned round, at the cost of a plan each."""

    devices: Literal["all", "none"] = "all"


class SharedEquipment(PolicySection):
    """One policy of shared equipment, validated; frozen."""

    access: Access = Access()
    budget: Budget = Budget()
    sharing: Sharing = Sharing()
    what_if: WhatIfs = WhatIfs()


def load_equipment_policy(name: str | None = None) -> LoadedPolicy[SharedEquipment]:
    """Load a policy of shared equipment, by default the one that ships.

    Raises InputRejected with all faults of the file together.
    """
    return load_policy(name, DEFAULT, SharedEquipment, _contradictions)


def exact(number: float) -> Fraction:
    """The decimal fraction that the file shows."""
    return Fraction(repr(number))


def _contradictions(content: dict[str, Any]) -> list[FoundFault]:
    """Values that are right alone and wrong together."""
    given = content.get("access", {})
    access = vars(Access()) | (given if isinstance(given, dict) else {})
    found = []
    for lower, upper in (("within", "farthest"), ("within_at_least", "served_at_least")):
        low, high = access[lower], access[upper]
        numbers = all(isinstance(n, int | float) for n in (low, high))
        # No rule on what is served stands in the way of one on what is served near by.
        if numbers and low > high and not (upper == "served_at_least" and high == 0):
            message = f"access: {lower} must not exceed {upper}."
            found.append(FoundFault("policy-value", "access", message))
    return found
