"""Cost sharing: the policy by which the cost of shared services is shared and checked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from medcost.consortium.policy import LoadedPolicy, PolicySection, load_policy
from medcost.policy_file import FoundFault, Share
from medcost.sections import Limits, Section

DEFAULT = "cost_sharing"
Rule = Literal[
    "driver",
    "agreed",
    "outreach",
    "joint_examinations",
    "shapley",
    "nucleolus",
    "least_core",
    "separable_costs",
    "equal_profit",
    "dual_prices",
]
Compared = Literal[
    "driver",
    "agreed",
    "shapley",
    "nucleolus",
    "least_core",
    "separable_costs",
    "equal_profit",
    "dual_prices",
    "tau",
    "gately",
    "solidarity",
    "per_capita_nucleolus",
]


class Sharing(Section):
    """[sharing]: by what a service is shared that names no rule."""

    rule: Rule = "driver"


class Outreach(Section):
    """[outreach]: who bears the cost of experts who work at the grassroots."""

    grassroots: Share = 0.6
    pool: Share = 0.4


class JointExaminations(Section):
    """[joint_examinations]: what part of its revenue each side bears; the pool bears the rest."""

    examining: Share = 0.2
    diagnosing: Share = 0.3


class Pool(Section):
    """[pool]: the member in whose books the consortium's pool is; empty: the lead."""

    unit_id: str = ""


class Check(Section):
    """[check]: rules to compare with, and how far coalitions are looked for."""

    rules: list[Compared] = ["shapley", "nucleolus", "separable_costs"]  # noqa: RUF012
    listed_up_to: Annotated[int, Limits(ge=1, le=20)] = 20
    search_for_each_member: bool = False


class Sampling(Section):
    """[sampling]: blocks of orders and the seed, for more members than can be listed."""

    blocks: Annotated[int, Limits(ge=2, le=100_000)] = 200
    seed: Annotated[int, Limits(ge=0, le=2**63 - 1)] = 20260101


class CostSharing(PolicySection):
    """One cost sharing policy, validated; frozen."""

    sharing: Sharing = Sharing()
    outreach: Outreach = Outreach()
    joint_examinations: JointExaminations = JointExaminations()
    pool: Pool = Pool()
    check: Check = Check()
    sampling: Sampling = Sampling()


def load_cost_sharing(name: str | None = None) -> LoadedPolicy[CostSharing]:
    """Load a cost sharing policy, by default the one that ships.

    Raises InputRejected with all faults of the file together.
    """
    return load_policy(name, DEFAULT, CostSharing, _contradictions)


def _contradictions(content: dict[str, Any]) -> list[FoundFault]:
    """Parts of outreach that do not add up to 1, and rules compared with twice."""
    found = []
    outreach = content.get("outreach", {})
    parts = vars(Outreach()) | (outreach if isinstance(outreach, dict) else {})
    given = [parts["grassroots"], parts["pool"]]
    if all(isinstance(part, float | int) for part in given) and round(sum(given), 6) != 1:
        message = "outreach: grassroots and pool must add up to 1."
        found.append(FoundFault("policy-value", "outreach", message))
    check = content.get("check", {})
    rules = check.get("rules") if isinstance(check, dict) else None
    if isinstance(rules, list) and len({str(rule) for rule in rules}) < len(rules):
        message = "check.rules: a rule stands twice."
        found.append(FoundFault("policy-value", "check.rules", message))
    return found
