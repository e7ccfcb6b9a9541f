"""Numbers as people read them: yuan to the fen in tables, 万元 and 亿元 in pictures.

Every number arrives as a whole number at a fixed scale, so nothing is lost before it is printed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from medcost.money import divide_half_away, format_yuan
from medcost.report.words import Word, word

# What a number is: money in fen; price in 1e-6 yuan; quantity and volume in 1e-4; days in 1e-2;
# weight and rate in 1e-6; count as it is. A volume is computed, a quantity was counted.
Kind = Literal["text", "money", "price", "count", "quantity", "volume", "days", "weight", "rate"]
DECIMALS: dict[Kind, int] = {
    "money": 2, "price": 6, "count": 0, "quantity": 4, "volume": 4, "days": 2, "weight": 6,
    "rate": 6,
}  # fmt: skip
# What is rounded where it is shown: by what it is divided, decimals left, and a sign behind it.
ROUNDED: dict[Kind, tuple[int, int, str]] = {
    "price": (10**4, 2, ""), "volume": (100, 2, ""), "weight": (100, 4, ""), "rate": (1000, 1, "%"),
}  # fmt: skip
COUNTED: tuple[Kind, ...] = ("quantity", "days")
MILLION = 10**6
# Rates beyond this are quotients over almost nothing: their size says nothing.
LARGEST_RATE = 10 * MILLION
BEYOND = "999.9%"
EN_DASH = "–"
# Letters and digits of scripts that are written from the right.
TURNING = frozenset({"R", "AL", "AN"})
# Control, format, surrogate and unassigned characters, and separators of lines.
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})


def shown(value: int | None, kind: Kind, decimals: int | None = None) -> str:
    """A number as a table shows it; a dash where there is none.

    Money to the fen, unit costs and means rounded to the fen, rates in percent with one decimal up
    to 999.9 %, volumes with two decimals. decimals: of quantities, None for as many as it needs.
    """
    if value is None:
        return EN_DASH
    if is_extreme(value, kind):
        return f"> {BEYOND}" if value > 0 else f"< -{BEYOND}"
    if kind in ROUNDED:
        step, places, sign = ROUNDED[kind]
        return f"{fixed(divide_half_away(value, step), places)}{sign}"
    if kind == "money":
        return format_yuan(value)
    if decimals is None:
        return trimmed(fixed(value, DECIMALS[kind]))
    return fixed(value // 10 ** (DECIMALS[kind] - decimals), decimals)


def decimals_of(values: Iterable[int], kind: Kind) -> int:
    """How many decimals the quantities of a column need, so that all have as many."""
    most = DECIMALS[kind]
    needed = (len(trimmed(fixed(value, most)).partition(".")[2]) for value in values)
    return max(needed, default=0)


def is_extreme(value: int, kind: Kind) -> bool:
    """Whether a number is a rate that is only said to be large."""
    return kind == "rate" and abs(value) >= LARGEST_RATE


def fixed(value: int, decimals: int) -> str:
    """A whole number at a scale with thousands separators: 123456 at 2 is '1,234.56'."""
    sign = "-" if value < 0 else ""
    whole, rest = divmod(abs(value), 10**decimals)
    return f"{sign}{whole:,}" + (f".{rest:0{decimals}d}" if decimals else "")


def trimmed(text: str) -> str:
    """A number without the zeros that end its decimals."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def ratio(numerator: int, denominator: int, scale: int) -> int | None:
    """Numerator / denominator at a scale, halves away from zero; None over zero.

    scale: by how much the quotient of the two whole numbers is multiplied.
    """
    if not denominator:
        return None
    sign = -1 if denominator < 0 else 1
    return divide_half_away(sign * numerator * scale, abs(denominator))


@dataclass(frozen=True)
class Scale:
    """How large amounts are written in one picture: fen of one unit, and the unit's name."""

    fen: int
    decimals: int
    unit: Word

    def text(self, fen: int) -> str:
        """An amount in the unit, rounded, with thousands separators."""
        return fixed(divide_half_away(fen * 10**self.decimals, self.fen), self.decimals)


def scale_for(largest_fen: int, currency: str) -> dict[str, Scale]:
    """The unit that suits the largest amount: 元, 万元, 亿元; yuan, thousands, millions."""
    amount = abs(largest_fen)
    yuan = word("yuan") if currency == "CNY" else Word(currency, currency)

    def named(key: str) -> Word:
        return word(key, yuan=yuan)

    zh, en = Scale(100, 0, yuan), Scale(100, 0, yuan)
    if amount >= 10**10 * 10:
        zh = Scale(10**10, 2, named("hundred_million_yuan"))
    elif amount >= 10**6 * 10:
        zh = Scale(10**6, 2, named("ten_thousand_yuan"))
    if amount >= 10**8 * 1000:
        en = Scale(10**8, 0, named("million_yuan"))
    elif amount >= 10**8:
        en = Scale(10**8, 2, named("million_yuan"))
    elif amount >= 10**5 * 10:
        en = Scale(10**5, 1, named("thousand_yuan"))
    return {"zh": zh, "en": en}


def visible(text: str) -> str:
    """A text of the book in full, what cannot be seen written as its code.

    Characters that turn the direction of the text around them, or that a file cannot hold, are
    among those; nothing is left out.
    """
    if text.isprintable():
        return text
    return "".join(ascii(c)[1:-1] if unicodedata.category(c) in UNSEEN else c for c in text)


def turns(text: str) -> bool:
    """Whether a text runs from right to left in part, so that it must be set apart."""
    return not text.isascii() and any(unicodedata.bidirectional(c) in TURNING for c in text)


def width_of(text: str) -> float:
    """About the width of a text in ems: wide characters are one, most others a half."""
    return sum(_width(c) for c in text)


def _width(c: str) -> float:
    if unicodedata.east_asian_width(c) in "WF":
        return 1.0
    return 0.92 if c in "WMm@%" else 0.67 if c.isupper() else 0.56


def cut(text: str, ems: float) -> str:
    """A text no wider than that, ended by … where something is left out."""
    if width_of(text) <= ems:
        return text
    kept, width = "", 1.0
    for c in text:
        width += width_of(c)
        if width > ems:
            break
        kept += c
    return f"{kept}…"
