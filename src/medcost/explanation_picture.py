"""The picture of an explanation: from origin departments over paths and services to the figure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from medcost.explanation import Explanation, Key
from medcost.figure_words import PATH_NAMES
from medcost.money import format_yuan
from medcost.records import dataclass
from medcost.sankey import Link, Node, draw

SHOWN_NODES, LABEL = 8, 24
COLOURS = {
    "direct": "#2f6f8f",
    "level_1": "#b5651d",
    "level_2": "#6b8e23",
    "level_1_2": "#8c7a3f",
    "level_3": "#7a4f8f",
    "level_1_3": "#a0522d",
    "level_2_3": "#557a55",
    "level_1_2_3": "#706050",
    "traced": "#c0392b",
    "opening": "#888888",
    "rounding": "#bbbbbb",
}
GREY, DARK = "#7d8b99", "#2c3e50"
FIGURE: Key = ("figure",)


@dataclass(frozen=True)
class _Flow:
    """Money between two places, each a column and a key of it; amount in fen above zero."""

    source: tuple[int, Key]
    target: tuple[int, Key]
    amount: float
    colour: str


def shown(text: str, longest: int = LABEL) -> str:
    """A label that can neither act on the reader nor fill the page; not escaped yet."""
    clean = "".join(c if c.isprintable() else "\ufffd" for c in text)
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def draw_origins(found: Explanation) -> str:
    """The picture as SVG; parts below zero are not drawn."""
    headings = ["成本来源科室 Origin", "分摊路径 Path", "图示 Figure"]
    if found.is_of_services:
        headings[2:2] = ["执行科室 Performed by", "服务项目 Item"]
    last = len(headings) - 1
    flows = [flow for flow in _flows(found, last) if flow.amount > 0]
    nodes, place = _nodes(found, flows, len(headings))
    sums: dict[tuple[int, int, str], float] = defaultdict(float)
    for flow in flows:
        sums[place[flow.source], place[flow.target], flow.colour] += flow.amount
    links = []
    for (source, target, colour), amount in sums.items():
        ends = f"{nodes[source].label} → {nodes[target].label}"
        title = f"{ends}: {format_yuan(round(amount))}"
        links.append(Link(source, target, amount, colour, title))
    return draw(headings, nodes, links)


def _flows(found: Explanation, last: int) -> Iterator[_Flow]:
    """All flows, column to column; what no service stands behind goes straight to the figure."""
    for (unit, dept, path), fen in found.origins(0, 1, 2):
        yield _Flow((0, (unit, dept)), (1, (path,)), fen, COLOURS[path])
    for (path,), fen in found.origins(2):
        if not found.is_of_services or path in ("opening", "rounding"):
            yield _Flow((1, (path,)), (last, FIGURE), fen, COLOURS[path])
    if found.is_of_services:
        for (path, unit, dept), amount in sorted(found.pools.items()):
            yield _Flow((1, (path,)), (2, (unit, dept)), amount, COLOURS[path])
        for (unit, dept, item), fen in found.services(0, 1, 2):
            yield _Flow((2, (unit, dept)), (3, (item,)), fen, GREY)
        for (item,), fen in found.services(2):
            yield _Flow((3, (item,)), (last, FIGURE), fen, GREY)


def _nodes(
    found: Explanation, flows: list[_Flow], n_columns: int
) -> tuple[list[Node], dict[tuple[int, Key], int]]:
    """The largest places of each column as nodes; the others share the column's last one."""
    into: dict[tuple[int, Key], float] = defaultdict(float)
    out: dict[tuple[int, Key], float] = defaultdict(float)
    for flow in flows:
        out[flow.source] += flow.amount
        into[flow.target] += flow.amount
    words = _words(found)
    nodes: list[Node] = []
    place: dict[tuple[int, Key], int] = {}
    for column in range(n_columns):
        kind = words[column if column < n_columns - 1 else -1]
        # Between path and performing department widths are approximate; these sides are exact.
        exact = into if column in (1, n_columns - 1) else out
        amounts = {at: amount for at, amount in exact.items() if at[0] == column}
        ranked = sorted(amounts, key=lambda at: (-amounts[at], at))
        limit = len(COLOURS) if column == 1 else SHOWN_NODES
        for at in ranked[:limit]:
            place[at] = len(nodes)
            label, colour = kind(at[1])
            nodes.append(Node(column, shown(label), format_yuan(round(amounts[at])), colour))
        rest = ranked[limit:]
        for at in rest:
            place[at] = len(nodes)
        if rest:
            note = format_yuan(round(sum(amounts[at] for at in rest)))
            nodes.append(Node(column, f"其余 {len(rest):,} others", note, GREY))
    return nodes, place


def _words(found: Explanation) -> list[Callable[[Key], tuple[str, str]]]:
    """Label and colour of a key, by column; the last is the figure's."""

    def department(key: Key) -> tuple[str, str]:
        unit, dept = key
        name = found.name("dept", unit, dept) or ("" if dept else "—")
        one_unit = len(found.units) == 1
        return " ".join([*([] if one_unit else [unit]), dept, name]).strip(), DARK

    def path(key: Key) -> tuple[str, str]:
        return PATH_NAMES[key[0]], COLOURS[key[0]]

    def item(key: Key) -> tuple[str, str]:
        return f"{key[0]} {found.name('item', key[0])}".strip(), DARK

    def figure(_key: Key) -> tuple[str, str]:
        return found.question.label, DARK

    return [department, path, department, item, figure]
