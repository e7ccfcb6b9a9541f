"""Numbers as people read them: yuan to the fen in tables, 万元 and 亿元 in pictures.

Every number arrives as a whole number at a fixed scale, so nothing is lost before it is printed.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal

from medcost.money import divide_half_away, format_yuan
from medcost.report.words import Word, word

# What a number is: money in fen; price in 1e-6 yuan; quantity in 1e-4; days in 1e-2; weight and
# rate in 1e-6; count as it is.
Kind = Literal["text", "money", "price", "count", "quantity", "days", "weight", "rate"]
DECIMALS: dict[Kind, int] = {
    "money": 2, "price": 6, "count": 0, "quantity": 4, "days": 2, "weight": 6, "rate": 6,
}  # fmt: skip
MILLION = 10**6
EN_DASH = "–"
# Control, format, surrogate and unassigned characters, and separators of lines.
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})


def shown(value: int | None, kind: Kind) -> str:
    """A number as a table shows it; a dash where there is none.

    Money to the fen, unit costs and means rounded to the fen, rates in percent with one decimal,
    quantities without the zeros behind them.
    """
    if value is None:
        return EN_DASH
    if kind == "money":
        return format_yuan(value)
    if kind == "price":
        return format_yuan(divide_half_away(value, 10**4))
    if kind == "rate":
        return f"{fixed(divide_half_away(value, 1000), 1)}%"
    if kind == "weight":
        return fixed(divide_half_away(value, 100), 4)
    return trimmed(fixed(value, DECIMALS[kind]))


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
