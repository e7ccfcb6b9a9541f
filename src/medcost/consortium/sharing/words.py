"""Sentences about coalitions, Chinese and English."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from medcost.consortium.sharing.shared import SharedService
from medcost.errors import printable
from medcost.money import divide_half_away, format_yuan

Language = Literal["zh", "en"]
SHOWN = 6


def whole_fen(amount: Fraction) -> int:
    """The nearest fen, halves away from zero."""
    return divide_half_away(amount.numerator, amount.denominator)


def named(members: Sequence[str], language: Language) -> str:
    """'A, B and C' or 'A、B 和 C'; of many the first ones and their number."""
    shown = [printable(member) for member in members[:SHOWN]]
    more = len(members) - len(shown)
    if language == "zh":
        return "、".join(shown) + (f" 等 {len(members)} 个成员" if more > 0 else "")
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def sentence_on_coalition(members: Sequence[str], excess: int, language: Language) -> str:
    """What members pay together beyond what they would cost alone, fen."""
    who = named(members, language)
    one = len(members) == 1
    if language == "zh":
        if excess > 0:
            return f"与自行办理相比,{who} {'' if one else '合计'}多承担 {format_yuan(excess)} 元"
        return f"与自行办理相比,{who} {'' if one else '合计'}节约 {format_yuan(-excess)} 元"
    if excess > 0:
        return (
            f"{who} {'pays' if one else 'together pay'} {format_yuan(excess)} yuan more than alone"
        )
    return f"{who} {'saves' if one else 'together save'} {format_yuan(-excess)} yuan against alone"


def sentence_on_core(shared: SharedService, language: Language) -> str:
    """The verdict on a service that has coalitions, by its worst-placed one."""
    service = printable(shared.service.service_id)
    worst = shared.worst
    if worst is None:
        return f"{service}:只有一个成员。" if language == "zh" else f"{service}: one member only."
    members = [shared.units[i] for i in worst.members]
    said = sentence_on_coalition(members, shared.in_fen(worst, shared.shares).excess, language)
    if language == "zh":
        verdict = "有成员组合自行办理更省" if worst.excess > 0 else "没有成员组合自行办理更省"
        return f"{service}:{verdict}。最紧的组合:{said}。"
    verdict = "a coalition would be better off alone" if worst.excess > 0 else "nobody would leave"
    return f"{service}: {verdict}; the worst placed: {said}."
