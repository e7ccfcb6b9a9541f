"""Execution of every unit and month as a heat map, with the policy's own alerts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from medcost.report.charts import NOTHING, Field, Series, heat_map
from medcost.report.figures import Figures
from medcost.report.numbers import shown, visible
from medcost.report.section import Picture, in_both
from medcost.report.shades import ABOVE, BELOW, DOWN, FAR_ABOVE, FAR_BELOW, UP
from medcost.report.sums import MILLION, Sum, added
from medcost.report.words import Language, Word, word

MOST_UNITS = 40


@dataclass(frozen=True)
class Policy:
    """By what part of the budget execution may lie below and above it, by whose rule."""

    name: str
    under: Fraction
    over: Fraction


def execution_heat(figures: Figures) -> list[Picture]:
    """Execution of every unit in every month, the alerts those that were published."""
    rows = figures.tables["budget_variance"]
    rows = rows.only(rows.where("level", "unit") & ~rows.where("unit_id", ""))
    if not rows.n:
        return []
    found = added(rows, ("unit_id", "period"), ("execution_rate",), ("alert",))
    units = [unit for unit in figures.units if any(of == unit for of, _ in found)][:MOST_UNITS]
    table = [
        (
            visible(figures.unit_name(unit)),
            [_field(found.get((unit, period))) for period in figures.periods],
        )
        for unit in units
    ]
    policies = {_policy(run.manifest) for run in figures.runs if "budget_variance" in run.has_table}
    policy = policies.pop() if len(policies) == 1 else None
    note = word("variance.heat_note_policy")
    if policy is not None:
        note = word("variance.heat_note", policy=visible(policy.name))
    return [
        Picture(
            word("variance.heat"),
            in_both(lambda language: heat_map(table, figures.periods, _legend(policy, language))),
            note,
        )
    ]


def _field(total: Sum | None) -> Field | None:
    """One unit's month: its execution, with a mark where the policy gives an alert."""
    if total is None:
        return None
    rate, alert = total.values["execution_rate"], total.texts["alert"]
    said = "" if rate is None else shown(rate, "rate")
    if alert == "over":
        return Field(f"{UP} {said}".strip(), FAR_ABOVE)
    if alert == "under":
        return Field(f"{DOWN} {said}".strip(), FAR_BELOW)
    return None if rate is None else Field(said, ABOVE if rate > MILLION else BELOW)


def _policy(manifest: Mapping[str, Any]) -> Policy | None:
    """The policy of a run; None where it does not say, as one of an earlier version."""
    try:
        said = manifest["budget_control"]
        under, over = (Fraction(repr(said["alert"][key])) for key in ("under", "over"))
        return Policy(f"{said['title']} ({said['id']})", under, over)
    except (KeyError, TypeError, ValueError):
        return None


def _legend(policy: Policy | None, language: Language) -> list[Series]:
    """What the colours mean, with the policy's own figures where they are one and known."""
    if policy is None:
        words = [word(f"heat.{key}") for key in ("under", "within", "beyond", "over")]
    else:
        low, high = _percent(1 - policy.under), _percent(1 + policy.over)
        words = [
            word("heat.under_of", low=low),
            word("heat.within_of", low=low),
            word("heat.beyond_of", high=high),
            word("heat.over_of", high=high),
        ]
    colours = (FAR_BELOW, BELOW, ABOVE, FAR_ABOVE)
    shades = zip((*words, word("heat.none")), (*colours, NOTHING), strict=True)
    return [Series(text.of(language), colour) for text, colour in shades]


def _percent(part: Fraction) -> Word:
    """A part as a percentage, with as few decimals as it needs."""
    text = f"{float(part * 100):.4f}".rstrip("0").rstrip(".")
    return Word(f"{text}%", f"{text}%")
