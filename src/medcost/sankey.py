"""A Sankey picture as inline SVG: nodes in columns, links as wide as their amounts.

Only geometry and escaped text: the picture needs no script, no font and no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from medcost.records import dataclass

WIDTH, HEIGHT, TOP = 1000.0, 480.0, 24.0
NODE_WIDTH, GAP, LINE = 10.0, 7.0, 13.0
# A node is at least as high as two lines of text need beside it.
LEAST = 2 * LINE


@dataclass(frozen=True)
class Node:
    """One box: its column, from 0, its labels (not escaped) and its colour."""

    column: int
    label: str
    note: str
    colour: str


@dataclass(frozen=True)
class Link:
    """Money from one node (by position) to another further right; amount above zero."""

    source: int
    target: int
    amount: float
    colour: str
    title: str


def draw(headings: Sequence[str], nodes: Sequence[Node], links: Sequence[Link]) -> str:
    """The picture as an SVG element. Time O(nodes + links)."""
    places = _place(len(headings), nodes, links)
    parts = [
        f'<svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" font-size="11" '
        'xmlns="http://www.w3.org/2000/svg">'
    ]
    for column, heading in enumerate(headings):
        x, anchor = _text_place(column, len(headings))
        parts.append(_text(x, 12.0, anchor, heading, ' font-weight="bold"'))
    parts += _ribbons(len(headings), nodes, links, places)
    n_last = sum(node.column == len(headings) - 1 for node in nodes)
    for node, (y, height, _) in zip(nodes, places, strict=True):
        x = _column_place(node.column, len(headings))
        parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{NODE_WIDTH}" height="{max(height, 1):.1f}" '
            f'fill="{node.colour}"/>'
        )
        at, anchor = _text_place(node.column, len(headings))
        # Where the last column is a single box, its labels stand below it, not on the ribbons.
        is_last = node.column == len(headings) - 1
        is_alone = is_last and n_last == 1
        middle = y + height + LINE if is_alone else y + height / 2
        at -= NODE_WIDTH + 4 if is_last and not is_alone else 0
        parts.append(_text(at, middle - 1, anchor, node.label))
        parts.append(_text(at, middle + LINE - 2, anchor, node.note, ' fill="#555"'))
    return "".join([*parts, "</svg>"])


def _column_place(column: int, n_columns: int) -> float:
    """Left edge of a column's boxes."""
    return column * (WIDTH - NODE_WIDTH) / max(n_columns - 1, 1)


def _text_place(column: int, n_columns: int) -> tuple[float, str]:
    x = _column_place(column, n_columns)
    if column == n_columns - 1:
        return x + NODE_WIDTH, "end"
    return x + NODE_WIDTH + 4, "start"


def _text(x: float, y: float, anchor: str, text: str, style: str = "") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f"<text {place}{style}>{escape(text)}</text>"


def _place(
    n_columns: int, nodes: Sequence[Node], links: Sequence[Link]
) -> list[tuple[float, float, float]]:
    """Upper edge and height of each box, and units of height for one unit of money."""
    into, out = [0.0] * len(nodes), [0.0] * len(nodes)
    for link in links:
        out[link.source] += link.amount
        into[link.target] += link.amount
    amounts = [max(pair) for pair in zip(into, out, strict=True)]
    columns = [[i for i, node in enumerate(nodes) if node.column == c] for c in range(n_columns)]
    scale = (
        min(
            (HEIGHT - TOP - len(column) * (GAP + LEAST)) / total
            for column in columns
            if (total := sum(amounts[i] for i in column))
        )
        if any(amounts)
        else 0.0
    )
    places = [(0.0, 0.0, scale)] * len(nodes)
    for column in columns:
        y = TOP
        for i in column:
            height = amounts[i] * scale
            room = max(height, LEAST)
            places[i] = (y + (room - height) / 2, height, scale)
            y += room + GAP
    return places


def _ribbons(
    n_columns: int,
    nodes: Sequence[Node],
    links: Sequence[Link],
    places: Sequence[tuple[float, float, float]],
) -> list[str]:
    """The links, stacked at both ends in the order of the nodes."""
    left = [y for y, _, _ in places]
    right = list(left)
    found = []
    for link in sorted(links, key=lambda link: (link.source, link.target)):
        width = link.amount * places[link.source][2]
        begin, end = right[link.source] + width / 2, left[link.target] + width / 2
        right[link.source] += width
        left[link.target] += width
        x1 = _column_place(nodes[link.source].column, n_columns) + NODE_WIDTH
        x2 = _column_place(nodes[link.target].column, n_columns)
        bend = (x1 + x2) / 2
        found.append(
            f'<path d="M{x1:.1f} {begin:.1f}C{bend:.1f} {begin:.1f} {bend:.1f} {end:.1f} '
            f'{x2:.1f} {end:.1f}" fill="none" stroke="{link.colour}" stroke-opacity="0.35" '
            f'stroke-width="{max(width, 0.4):.2f}"><title>{escape(link.title)}</title></path>'
        )
    return found
