"""The policy of funds: how budgets are allocated and packages settled and shared."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, Any, Literal

from medcost.consortium.funding.package import Aggregate as AggregateRule
from medcost.consortium.funding.package import PackageRules
from medcost.consortium.funding.package import StopLoss as StopLossRule
from medcost.consortium.funding.reinsurance import Tier as PaidTier
from medcost.consortium.policy import LoadedPolicy, PolicySection, load_policy
from medcost.money import FEN_PER_YUAN
from medcost.policy_file import FoundFault, Share, Text
from medcost.sections import Limits, Section

FUND_ALLOCATION = "fund_allocation"
Yuan = Annotated[float, Limits(ge=0, le=1e12, allow_inf_nan=False)]
Positive = Annotated[float, Limits(ge=0.001, le=1e6, allow_inf_nan=False)]
Kind = Literal["lead", "township", "village", "specialist", "community"]
Weighing = Literal["volume_score", "volume", "score"]
GRASSROOTS, KEY_DISCIPLINE = "grassroots", "key_discipline"
RULE_NAMES = ("total", "spend_all", GRASSROOTS, KEY_DISCIPLINE, "hold_harmless", "floor", "ceiling")


def exact(number: float) -> Fraction:
    """The decimal fraction that the file shows."""
    return Fraction(repr(number))


def fen(yuan: float) -> int:
    """Yuan of the file in fen, cut to whole ones."""
    return int(exact(yuan) * FEN_PER_YUAN)


class Budget(Section):
    """[budget]: what a good allocation is."""

    objective: Literal["leximin", "value"] = "leximin"
    satisfied: Literal["request", "unit"] = "request"
    spend: Literal["at_most", "all"] = "at_most"


class HoldHarmless(Section):
    """[hold_harmless]: the share of last year's money that is kept."""

    share: Share = 0.9
    by: Literal["request", "unit"] = "request"
    within_request: bool = True


class Shares(Section):
    """[shares]: least shares of the money, and how they are counted."""

    grassroots: Share = 0.4
    key_discipline: Share = 0.15
    base: Literal["allocated", "total"] = "allocated"
    overlap: Literal["both", "first"] = "both"


class OtherShare(Section):
    """[[share]]: the share of money for requests with a tag."""

    name: Text
    tag: Text
    at_least: Share = 0.0
    at_most: Share = 1.0


class ValueSegment(Section):
    """[[value.segment]]: what a yuan is worth up to a share of the request."""

    up_to: Annotated[float, Limits(ge=0.001, le=1, allow_inf_nan=False)]
    worth: Annotated[float, Limits(ge=0, le=1e6, allow_inf_nan=False)]


class ValueWeight(Section):
    """[[value.weight]]: by how much more the money of requests with a tag is worth."""

    tag: Text
    weight: Positive


class Value(Section):
    """[value]: a concave worth of money, for objective = "value"."""

    segment: Annotated[list[ValueSegment], Limits(min_length=1)] = [  # noqa: RUF012
        ValueSegment(up_to=0.6, worth=1.0),
        ValueSegment(up_to=0.8, worth=0.6),
        ValueSegment(up_to=1.0, worth=0.3),
    ]
    weight: list[ValueWeight] = []  # noqa: RUF012


class Prices(Section):
    """[prices]: by how much a bound is moved to check its price."""

    step: Annotated[float, Limits(ge=0.01, le=1e12, allow_inf_nan=False)] = 1_000.0


class Package(Section):
    """[package]: what is set aside of a package first."""

    reserve: Share = 0.05


class Tier(Section):
    """[[serious_illness.tier]]: what is paid of a claim up to so much above the deductible."""

    rate: Share
    up_to: Annotated[float, Limits(ge=0.01, le=1e12, allow_inf_nan=False)] | None = None


class SeriousIllness(Section):
    """[serious_illness]: what the package pays of claims on top, by tiers."""

    deductible: Yuan = 14_000
    tier: Annotated[list[Tier], Limits(min_length=1)] = [  # noqa: RUF012
        Tier(rate=0.6, up_to=50_000),
        Tier(rate=0.65, up_to=100_000),
        Tier(rate=0.7),
    ]


class StopLoss(Section):
    """[stop_loss]: what the reinsurer gives back of single claims."""

    retention: Yuan = 200_000
    limit: Yuan = 1_000_000
    share: Share = 0.9


class Aggregate(Section):
    """[aggregate]: what the reinsurer gives back of all claims beyond what was expected."""

    attachment: Annotated[float, Limits(ge=0, le=100, allow_inf_nan=False)] = 1.25
    share: Share = 1.0


class Group(Section):
    """[[group]]: members of some kinds share one part of a surplus or an overspend."""

    name: Text
    kinds: Annotated[list[Kind], Limits(min_length=1)]
    parts: Annotated[int, Limits(ge=0, le=1_000_000)]


class Sharing(Section):
    """[surplus], [overspend]: how much is shared, by what weight, and the most one member has."""

    shared: Share = 1.0
    weight: Weighing = "volume_score"
    most: Share = 1.0
    absent: Literal["others", "keep"] = "others"


class FundPolicy(PolicySection):
    """One policy of funds, validated; frozen."""

    budget: Budget = Budget()
    hold_harmless: HoldHarmless = HoldHarmless()
    shares: Shares = Shares()
    share: list[OtherShare] = []  # noqa: RUF012
    value: Value = Value()
    prices: Prices = Prices()
    package: Package = Package()
    serious_illness: SeriousIllness = SeriousIllness()
    stop_loss: StopLoss = StopLoss()
    aggregate: Aggregate = Aggregate()
    group: Annotated[list[Group], Limits(min_length=1)] = [  # noqa: RUF012
        Group(name="county", kinds=["lead", "specialist"], parts=6),
        Group(name="township", kinds=["township", "community"], parts=3),
        Group(name="village", kinds=["village"], parts=1),
    ]
    surplus: Sharing = Sharing()
    overspend: Sharing = Sharing()

    def package_rules(self) -> PackageRules:
        """How packages are settled, in fen and fractions."""
        loss, illness = self.stop_loss, self.serious_illness
        return PackageRules(
            exact(self.package.reserve),
            fen(illness.deductible),
            tuple(
                PaidTier(None if tier.up_to is None else fen(tier.up_to), exact(tier.rate))
                for tier in illness.tier
            ),
            StopLossRule(fen(loss.retention), fen(loss.limit), exact(loss.share)),
            AggregateRule(exact(self.aggregate.attachment), exact(self.aggregate.share)),
        )


def load_fund_policy(name: str | None = None) -> LoadedPolicy[FundPolicy]:
    """The policy of funds, by default the one that ships; raises InputRejected."""
    return load_policy(name, FUND_ALLOCATION, FundPolicy, contradictions)


def contradictions(content: dict[str, Any]) -> list[FoundFault]:
    """Values that are right alone and wrong together; looked for whatever else is wrong."""
    found = [
        *_shares(content),
        *_ascending(content, "value", "segment", falls="worth"),
        *_ascending(content, "serious_illness", "tier"),
        *_groups(content),
    ]
    loss = vars(StopLoss()) | _section(content, "stop_loss")
    retention, limit = loss["retention"], loss["limit"]
    if _are_numbers(retention, limit) and retention > limit:
        found.append(("stop_loss", "stop_loss: limit must not lie below retention."))
    return [FoundFault("policy-value", path, message) for path, message in found]


def _section(content: dict[str, Any], name: str) -> dict[str, Any]:
    section = content.get(name, {})
    return section if isinstance(section, dict) else {}


def _entries(section: dict[str, Any], name: str) -> list[dict[str, Any]]:
    listed = section.get(name, [])
    entries = listed if isinstance(listed, list) else []
    return [entry if isinstance(entry, dict) else {} for entry in entries]


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _shares(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    shares = vars(Shares()) | _section(content, "shares")
    both = shares["grassroots"], shares["key_discipline"]
    others = _entries(content, "share")
    least = [entry.get("at_least", 0.0) for entry in others]
    if shares["overlap"] == "first" and _are_numbers(*both, *least) and sum((*both, *least)) > 1:
        message = 'shares: with overlap = "first" the least shares must not add up to more than 1.'
        yield "shares", message
    names = [entry.get("name") for entry in others]
    for i, entry in enumerate(others):
        path = f"share[{i}]"
        if names[i] in RULE_NAMES or names[i] in names[:i]:
            yield f"{path}.name", f"{path}.name: the name is taken."
        low, high = entry.get("at_least", 0.0), entry.get("at_most", 1.0)
        if _are_numbers(low, high) and low > high:
            yield path, f"{path}: at_least must not lie above at_most."


def _ascending(
    content: dict[str, Any], section: str, name: str, falls: str = ""
) -> Iterator[tuple[str, str]]:
    """Entries whose up_to does not ascend, or whose worth does not fall."""
    entries = _entries(_section(content, section), name)
    for i in range(1, len(entries)):
        path = f"{section}.{name}[{i}]"
        before, after = entries[i - 1].get("up_to"), entries[i].get("up_to")
        if before is None or (_are_numbers(before, after) and after <= before):
            yield path, f"{path}: up_to must lie above that of the entry before."
        first, second = entries[i - 1].get(falls, 1), entries[i].get(falls, 0)
        if _are_numbers(first, second) and second >= first:
            yield path, f"{path}: {falls} must lie below that of the entry before."


def _groups(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    groups = _entries(content, "group")
    seen: set[Any] = set()
    names: set[Any] = set()
    for i, group in enumerate(groups):
        kinds = group.get("kinds", [])
        twice = seen & set(map(str, kinds)) if isinstance(kinds, list) else set()
        if twice:
            yield f"group[{i}].kinds", f"group[{i}].kinds: {', '.join(sorted(twice))} stands twice."
        seen |= set(map(str, kinds)) if isinstance(kinds, list) else set()
        if group.get("name") in names:
            yield f"group[{i}].name", f"group[{i}].name: the name is taken."
        names.add(str(group.get("name")))
    parts = [group.get("parts", 0) for group in groups]
    if groups and _are_numbers(*parts) and not any(part > 0 for part in parts):
        yield "group[0]", "group: one group must have parts."
