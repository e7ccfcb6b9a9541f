"""Pictures of numbers as inline SVG: bars, months, waterfalls and heat maps.

Each is a pure function of labels and numbers. Nothing is fetched, no style attribute is used, so
the page's policy can forbid both; every text is escaped, and one that is cut has all of it in its
title. Amounts are whole numbers and only become lengths here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from medcost.report.numbers import cut, width_of

WIDTH = 1000
SIZE, ROW, TICKS = 12, 22, 5
INK, SOFT, RULE, NOTHING = "#1d2733", "#5a6672", "#dfe4e8", "#f2f4f6"
Text = Callable[[int], str]


@dataclass(frozen=True)
class Series:
    """One kind of amount in a picture: its name and colour."""

    name: str
    colour: str


@dataclass(frozen=True)
class Step:
    """One step of a waterfall: what it adds, or, as a total, where the sum stands."""

    label: str
    amount: int
    is_total: bool = False


@dataclass(frozen=True)
class Field:
    """One field of a heat map: what it says, and its colour."""

    text: str
    colour: str


def stacked_bars(
    rows: Sequence[tuple[str, Sequence[int]]], series: Sequence[Series], text: Text
) -> str:
    """A bar for each row, its parts side by side, parts below zero to the left of the axis.

    text: how an amount is written. The sum stands behind the bar.
    """
    sums = [sum(parts) for _, parts in rows]
    ups = [sum(p for p in parts if p > 0) for _, parts in rows]
    downs = [sum(p for p in parts if p < 0) for _, parts in rows]
    low, high = min([0, *downs]), max([1, *ups])
    left, right = 300.0, WIDTH - 110.0
    unit = (right - left) / (high - low)
    zero = left - low * unit
    y = 8.0
    drawn: list[str] = []
    if len(series) > 1:
        legend, y = _legend(series, y)
        drawn += legend
    for (label, parts), total, up in zip(rows, sums, ups, strict=True):
        drawn.append(_label(left - 8, y + 15, label, "end", 23.5))
        ahead, behind = zero, zero
        for one, part in zip(series, parts, strict=True):
            width = abs(part) * unit
            if width >= 0.05:
                x = ahead if part > 0 else behind - width
                drawn.append(
                    _bar(x, y + 3, width, ROW - 6, one.colour, f"{label} {one.name} {text(part)}")
                )
            if part > 0:
                ahead += width
            else:
                behind -= width
        drawn.append(_text(zero + up * unit + 6, y + 15, text(total), "start", INK))
        y += ROW
    drawn.append(_line(zero, y, zero, y - len(rows) * ROW, SOFT))
    return _svg(y + 6, drawn)


def diverging_bars(rows: Sequence[tuple[str, int]], colours: tuple[str, str], text: Text) -> str:
    """Amounts left and right of an axis, the label on the other side of it.

    colours: of amounts above and below zero.
    """
    largest = max([1, *(abs(amount) for _, amount in rows)])
    middle, reach = WIDTH / 2, WIDTH / 2 - 110.0
    drawn: list[str] = []
    y = 6.0
    for label, amount in rows:
        width = abs(amount) / largest * reach
        is_up = amount >= 0
        x = middle if is_up else middle - width
        drawn.append(
            _bar(x, y + 3, width, ROW - 6, colours[0 if is_up else 1], f"{label} {text(amount)}")
        )
        at = (middle - 8, "end") if is_up else (middle + 8, "start")
        drawn.append(_label(at[0], y + 15, label, at[1], 40))
        beyond = (x + width + 6, "start") if is_up else (x - 6, "end")
        drawn.append(_text(beyond[0], y + 15, text(amount), beyond[1], INK))
        y += ROW
    drawn.append(_line(middle, 6, middle, y, SOFT))
    return _svg(y + 6, drawn)


def month_columns(
    labels: Sequence[str], series: Sequence[Series], values: Sequence[Sequence[int]], text: Text
) -> str:
    """A group of columns for each month, one column a series; values: [series][months]."""
    height, top, left = 230.0, 34.0, 90.0
    every = [value for row in values for value in row]
    low, high = min([0, *every]), max([1, *every])
    step = nice_step(high - low)
    low, high = (
        -(-low // step) * step if low >= 0 else (low // step) * step,
        -(-high // step) * step,
    )
    unit = (height - top) / (high - low)
    legend, _ = _legend(series, 4)
    drawn = list(legend)
    at = low
    while at <= high:
        y = height - (at - low) * unit
        drawn.append(_line(left, y, WIDTH - 8, y, SOFT if at == 0 else RULE))
        drawn.append(_text(left - 8, y + 4, text(at), "end", SOFT))
        at += step
    slot = (WIDTH - 8 - left) / max(len(labels), 1)
    width = min(slot * 0.8 / len(series), 34.0)
    for i, label in enumerate(labels):
        middle = left + slot * (i + 0.5)
        for k, (one, row) in enumerate(zip(series, values, strict=True)):
            length = abs(row[i]) * unit
            x = middle + (k - len(series) / 2) * width
            y = height + low * unit - (length if row[i] > 0 else 0)
            drawn.append(
                _bar(x, y, width - 1.5, length, one.colour, f"{label} {one.name} {text(row[i])}")
            )
        drawn.append(_text(middle, height + 16, label, "middle", SOFT))
    return _svg(height + 24, drawn)


def waterfall(
    steps: Sequence[Step], colours: tuple[str, str, str], text: Text, cut_axis: str = "{}"
) -> str:
    """From one total over what is added and taken away to another.

    colours: of totals, of steps up and of steps down; cut_axis: what is said, with the amount,
    where the axis does not begin at nothing.
    """
    height, top = 240.0, 44.0
    edges: list[tuple[int, int]] = []
    level = 0
    for step in steps:
        before = 0 if step.is_total else level
        level = step.amount if step.is_total else level + step.amount
        edges.append((before, level))
    low = min([0, *(min(edge) for edge in edges)])
    high = max([1, *(max(edge) for edge in edges)])
    if low >= 0 and len(edges) > 2:
        # Steps that are small beside the totals are seen only where the axis is cut.
        inner = [min(edge) for edge, step in zip(edges, steps, strict=True) if not step.is_total]
        spread = high - min(inner)
        low = max(0, min(inner) - spread) if spread * 4 < high else 0
    unit = (height - top) / max(high - low, 1)
    slot = (WIDTH - 20.0) / max(len(steps), 1)
    width = min(slot * 0.62, 90.0)
    drawn: list[str] = []
    for i, (step, (before, after)) in enumerate(zip(steps, edges, strict=True)):
        middle = 10 + slot * (i + 0.5)
        ends = (max(before, low), max(after, low))
        y1, y2 = (height - (end - low) * unit for end in (max(ends), min(ends)))
        colour = _step_colour(step, colours)
        drawn.append(
            _bar(
                middle - width / 2,
                y1,
                width,
                max(y2 - y1, 1),
                colour,
                f"{step.label} {text(step.amount)}",
            )
        )
        sign = "+" if not step.is_total and step.amount > 0 else ""
        drawn.append(_text(middle, y1 - 5, f"{sign}{text(step.amount)}", "middle", INK))
        drawn.append(_label(middle, height + 17, step.label, "middle", slot / SIZE - 0.6))
        if step.is_total and low > 0:
            drawn += _break_mark(middle - width / 2, height - 22, width)
        if i + 1 < len(steps):
            y = height - (after - low) * unit
            drawn.append(_line(middle + width / 2, y, middle + slot - width / 2, y, SOFT, "3 3"))
    # What goes below nothing hangs from the line at nothing.
    foot = height + min(low, 0) * unit
    drawn.append(_line(10, foot, WIDTH - 10, foot, SOFT))
    if low > 0:
        drawn.append(_text(18, 14, cut_axis.format(text(low)), "start", SOFT))
        drawn += _broken_axis(10, top, height)
    return _svg(height + 26, drawn)


def _step_colour(step: Step, colours: tuple[str, str, str]) -> str:
    if step.is_total:
        return colours[0]
    if step.amount == 0:
        return SOFT
    return colours[1 if step.amount > 0 else 2]


def _break_mark(x: float, y: float, width: float) -> list[str]:
    """Two slanted lines across a bar that does not begin at nothing."""
    ends = (x - 4, y + 5, x + width + 4, y - 5)
    return [
        f'<line x1="{ends[0]:.1f}" y1="{ends[1] + shift:.1f}" x2="{ends[2]:.1f}" '
        f'y2="{ends[3] + shift:.1f}" stroke="#fff" stroke-width="3"/>'
        for shift in (0, 7)
    ]


def _broken_axis(x: float, top: float, bottom: float) -> list[str]:
    """An upright axis with a zigzag above its foot: it does not begin at nothing."""
    at = [(x, bottom - 6), (x - 5, bottom - 10), (x + 5, bottom - 16), (x, bottom - 20)]
    points = [(x, bottom), *at, (x, top - 24)]
    return [_line(*a, *b, SOFT) for a, b in pairwise(points)]


def heat_map(
    rows: Sequence[tuple[str, Sequence[Field | None]]],
    columns: Sequence[str],
    legend: Sequence[Series],
) -> str:
    """A field for each row and column, what it says in it; '–' where there is none.

    Of many columns the fields are narrow: they say it smaller, then only in their titles.
    """
    left, cell = 300.0, 26.0
    width = min((WIDTH - left) / max(len(columns), 1), 110.0)
    size = 11 if width >= 52 else 8 if width >= 32 else 0
    every = math.ceil(50 / width)
    drawn, y = _legend(legend, 4)
    drawn += [
        _text(left + width * (i + 0.5), y + 12, label, "middle", SOFT)
        for i, label in enumerate(columns)
        if i % every == 0
    ]
    y += 20
    for label, fields in rows:
        drawn.append(_label(left - 8, y + 17, label, "end", 23.5))
        for i, field in enumerate(fields):
            one = field or Field("–", NOTHING)
            x = left + width * i
            title = f"{label} {columns[i]} {one.text}"
            drawn.append(_bar(x + 1, y + 1, width - 2, cell - 2, one.colour, title))
            if size:
                ink = INK if is_light(one.colour) else "#ffffff"
                drawn.append(_text(x + width / 2, y + 17, one.text, "middle", ink, size))
        y += cell
    return _svg(y + 4, drawn)


def is_light(colour: str) -> bool:
    """Whether black is read better on it than white."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return red * 0.299 + green * 0.587 + blue * 0.114 > 140


def nice_step(span: int) -> int:
    """A step of 1, 2 or 5 times a power of ten that divides a span into about TICKS parts."""
    rough = max(span // TICKS, 1)
    power = int(10 ** (len(str(rough)) - 1))
    for factor in (1, 2, 5, 10):
        if power * factor >= rough:
            return power * factor
    return power * 10


def _svg(height: float, drawn: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" font-size="{SIZE}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(drawn)}</svg>'
    )


def _legend(series: Sequence[Series], y: float) -> tuple[list[str], float]:
    """Names of the series with their colours, in lines; and where the picture goes on."""
    drawn, x = [], 10.0
    for one in series:
        wide = width_of(one.name) * SIZE + 34
        if x + wide > WIDTH and x > 10:
            x, y = 10.0, y + 18
        drawn.append(
            f'<rect x="{x:.1f}" y="{y + 1:.1f}" width="11" height="11" fill="{one.colour}"/>'
        )
        drawn.append(_text(x + 16, y + 11, one.name, "start", INK))
        x += wide
    return drawn, y + 22


def _bar(x: float, y: float, width: float, height: float, colour: str, title: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="{colour}"><title>{escape(title)}</title></rect>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dashes: str = "") -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{dashed}/>'
    )


def _text(x: float, y: float, text: str, anchor: str, colour: str, size: int = SIZE) -> str:
    sized = f' font-size="{size}"' if size != SIZE else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"{sized}>'
        f"{escape(text)}</text>"
    )


def _label(x: float, y: float, text: str, anchor: str, ems: float) -> str:
    """A label no wider than its room; what is cut stands in its title."""
    short = cut(text, ems)
    title = f"<title>{escape(text)}</title>" if short != text else ""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{INK}">{escape(short)}{title}</text>'
