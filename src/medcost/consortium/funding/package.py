"""An insurance package's statement: what is left of it, or how much it lacks, to the fen."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from medcost.consortium.funding.reinsurance import (
    Tier,
    beyond_retention,
    beyond_total,
    paid_by_tiers,
)
from medcost.money import divide_half_away
from medcost.records import dataclass

LINES = (
    "package",
    "reserve",
    "out_of_county",
    "local",
    "serious_illness",
    "stop_loss",
    "aggregate",
    "surplus",
)


@dataclass(frozen=True)
class StopLoss:
    """Reinsurance of single claims: a share of what lies between retention and limit, fen."""

    retention: int
    limit: int | None
    share: Fraction


@dataclass(frozen=True)
class Aggregate:
    """Reinsurance of all claims together: a share of what exceeds attachment x expected."""

    attachment: Fraction
    share: Fraction


@dataclass(frozen=True)
class PackageRules:
    """How a package is settled; None: there is no such rule."""

    reserve: Fraction
    deductible: int
    tiers: tuple[Tier, ...] | None
    stop_loss: StopLoss | None
    aggregate: Aggregate | None


@dataclass(frozen=True)
class PackageFigures:
    """What is known of a package, fen; reserve: None is by the rule; expected: claims expected."""

    package: int
    reserve: int | None
    out_of_county: int
    local: int
    expected: int | None


@dataclass(frozen=True)
class Statement:
    """A package settled.

    lines: fen by name of LINES, what is taken from the package negative, so that all but the last
    add up to the last, the surplus; below zero it is an overspend. serious_illness and
    stop_loss: what each claim is paid, fen.
    """

    lines: dict[str, int]
    serious_illness: tuple[int, ...]
    stop_loss: tuple[int, ...]

    @property
    def surplus(self) -> int:
        """What is left, below zero what is lacking."""
        return self.lines["surplus"]


def settle(
    figures: PackageFigures,
    rules: PackageRules,
    serious_illness: Sequence[int] = (),
    stop_loss: Sequence[int] = (),
) -> Statement:
    """Surplus = package - reserve - out of county - local - serious illness + reinsurance.

    serious_illness: claims that the tiers pay on top; stop_loss: claims among those already paid
    that the stop-loss gives back a part of. The aggregate looks at what was paid less what the
    stop-loss gave back, where the package says what was expected. Every claim and line is rounded
    once, halves away from zero.
    """
    reserve = figures.reserve
    if reserve is None:
        reserve = divide_half_away(*(rules.reserve * figures.package).as_integer_ratio())
    paid = tuple(
        0 if rules.tiers is None else paid_by_tiers(claim, rules.deductible, rules.tiers)
        for claim in serious_illness
    )
    loss = rules.stop_loss
    back = tuple(
        0 if loss is None else beyond_retention(claim, loss.retention, loss.limit, loss.share)
        for claim in stop_loss
    )
    own = figures.out_of_county + figures.local + sum(paid) - sum(back)
    aggregate = 0
    if rules.aggregate is not None and figures.expected is not None:
        rule = rules.aggregate
        aggregate = beyond_total(own, figures.expected, rule.attachment, rule.share)
    amounts = (
        figures.package,
        -reserve,
        -figures.out_of_county,
        -figures.local,
        -sum(paid),
        sum(back),
        aggregate,
    )
    lines = dict(zip(LINES, (*amounts, sum(amounts)), strict=True))
    return Statement(lines, paid, back)
