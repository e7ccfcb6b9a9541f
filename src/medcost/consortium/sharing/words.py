"""Sentences about coalitions, Chinese and English."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from medcost.errors import printable
from medcost.money import divide_half_away, format_yuan

Language = Literal["zh", "en"]
SHOWN = 6


def whole_fen(amount: Fraction) -> int:
    """The nearest fen, halves away from zero."""
    return divide_half_away(amount.numerator, amount.denominator)


def named(members: Sequence[str], others: Sequence[str], language: Language) -> str:
    """'A, B and C' or 'A、B、C'; of many those who are left out, or the first and their number.

    others: who takes part besides.
    """
    if len(members) > SHOWN and others and len(others) < len(members):
        left_out = named(others, (), language)
        return f"除{left_out}外的全体成员" if language == "zh" else f"everyone but {left_out}"
    shown = [printable(member) for member in members[:SHOWN]]
    more = len(members) - len(shown)
    if language == "zh":
        return "、".join(shown) + (f"等 {len(members)} 个成员" if more > 0 else "")
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def sentence_on_coalition(
    members: Sequence[str], others: Sequence[str], excess: int, language: Language
) -> str:
    """What members pay together beyond what they would cost alone, fen."""
    who = named(members, others, language)
    amount = format_yuan(abs(excess))
    if language == "zh":
        together = "" if len(members) == 1 else "合计"
        if excess == 0:
            return f"{who}{together}承担的与自行办理相同"
        return f"与自行办理相比，{who}{together}{'多承担' if excess > 0 else '节约'} {amount} 元"
    if excess == 0:
        return f"{who} {'bears' if len(members) == 1 else 'bear'} what it would cost alone"
    if excess > 0:
        verb = "bears" if len(members) == 1 else "together bear"
        return f"{who} {verb} {amount} yuan more than alone"
    verb = "saves" if len(members) == 1 else "together save"
    return f"{who} {verb} {amount} yuan against going alone"


def sentence_on_core(
    service: str,
    members: Sequence[str],
    others: Sequence[str],
    excess: int,
    is_aggrieved: bool,
    language: Language,
) -> str:
    """The verdict on a service by its worst-placed coalition, and the fen it bears too much.

    is_aggrieved: whether it does before rounding to the fen.
    """
    said = sentence_on_coalition(members, others, excess, language)
    shown = printable(service)
    if language == "zh":
        verdict = "有成员组合自行办理更省" if is_aggrieved else "没有成员组合自行办理更省"
        return f"{shown}：{verdict}。最紧的组合：{said}。"
    verdict = "a coalition would be better off alone" if is_aggrieved else "nobody would leave"
    return f"{shown}: {verdict}; the worst placed: {said}."
