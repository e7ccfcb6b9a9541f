"""A Sankey picture as inline SVG: nodes in columns, links as wide as their amounts.

Only geometry and escaped text: the picture needs no script, no font and no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from medcost.records import dataclass

# On A4 a unit is half a point: letters are 6.5 pt high.
WIDTH, HEIGHT, TOP = 1000.0, 600.0, 40.0
NODE_WIDTH, GAP, LINE, LETTER = 10.0, 6.0, 15.0, 13.0
# A node is at least as high as two lines of text need beside it.
LEAST = 2 * LINE
# The thinnest ribbon that a printer shows, and how much a ribbon covers what lies below.
THINNEST, OPACITY = 0.8, 0.4


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
    bottom = max(
        (y + height / 2 + max(height / 2, LINE) + 4 for y, height, _ in places), default=TOP
    )
    # Letters have a white rim, so that they can be read upon ribbons.
    parts = [
        f'<svg viewBox="0 0 {WIDTH:.0f} {bottom:.0f}" role="img" font-size="{LETTER:.0f}" '
        'stroke="#fff" stroke-width="0" stroke-linejoin="round" '
        'xmlns="http://www.w3.org/2000/svg">'
    ]
    for column, heading in enumerate(headings):
        x, anchor = _text_place(column, len(headings))
        parts.append(_text(x, LETTER, anchor, heading, ' font-weight="bold"'))
    parts += _ribbons(len(headings), nodes, links, places)
    n_last = sum(node.column == len(headings) - 1 for node in nodes)
    for node, (y, height, _) in zip(nodes, places, strict=True):
        x = _column_place(node.column, len(headings))
        parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{NODE_WIDTH}" height="{max(height, 1):.1f}" '
            f'fill="{node.colour}"/>'
        )
        at, anchor = _text_place(node.column, len(headings))
        # The last column has no room beside it: a single box is named above, below the heading,
        # several at their left, on the ribbons.
        is_last = node.column == len(headings) - 1
        is_alone = is_last and n_last == 1
        middle = TOP - LINE + 4 if is_alone else y + height / 2
        at -= NODE_WIDTH + 4 if is_last and not is_alone else 0
        parts.append(_text(at, middle - 1, anchor, node.label))
        if is_alone:
            continue
        parts.append(_text(at, middle + LINE - 2, anchor, node.note, ' fill="#333"'))
    return "".join([*parts, "</svg>"])


def label_width(n_columns: int) -> float:
    """Room for the label of a box before the next column begins."""
    return (WIDTH - NODE_WIDTH) / max(n_columns - 1, 1) - NODE_WIDTH - 12


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
    rim = 'stroke-width="3" stroke-opacity="0.85" paint-order="stroke"'
    return f"<text {place} {rim}{style}>{escape(text)}</text>"


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
            f'{x2:.1f} {end:.1f}" fill="none" stroke="{link.colour}" stroke-opacity="{OPACITY}" '
            f'stroke-width="{max(width, THINNEST):.2f}"><title>{escape(link.title)}</title></path>'
        )
    return found
