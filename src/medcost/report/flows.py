"""Who handed what to whom: between classes as a picture, between departments as tables."""

from __future__ import annotations

from medcost.report.columns import CLASS_ORDER, close_all, element_columns, unit_columns
from medcost.report.figures import Figures
from medcost.report.grid import Cell, Column, Grid, Lines
from medcost.report.labels import drivers_of
from medcost.report.numbers import Scale, scale_for, visible
from medcost.report.section import Picture, Section, in_both
from medcost.report.words import Language, Word, same, word
from medcost.sankey import Link, Node, draw
from medcost.tables import ELEMENTS

COLOURS = {
    "admin": "#7f6a3f",
    "support": "#4f86b0",
    "medtech": "#3d7a56",
    "clinical": "#1f4e79",
    "non_medical": "#8c9196",
}
# From left to right: who gives to whom; and the order of the ends from top to bottom.
GIVERS = ("admin", "support", "medtech")
DRAWN = (*GIVERS, "non_medical", "clinical")
RECEIVERS = ("support", "medtech", "clinical", "non_medical")
# With more units than this only the picture of all together is drawn.
MOST_PICTURES = 15


def department_flow(figures: Figures) -> Section:
    """What departments handed on: by class, by giver, and every flow in the workbook."""
    rows = figures.tables["department_flow"]
    if not rows.n:
        return Section("flow", word("flow"), missing=word("flow.missing"))
    sums = rows.sums(("unit_id", "giver_dept_id", "receiver_dept_id", "driver"), ("amount",))
    between: dict[str, dict[tuple[str, str], int]] = {}
    for (unit, giver, receiver, _), (fen,) in sums.items():
        pair = (figures.class_of[unit, giver], figures.class_of[unit, receiver])
        for of in ("", unit):
            known = between.setdefault(of, {})
            known[pair] = known.get(pair, 0) + fen
    rests: dict[str, dict[str, tuple[int, int]]] = {}
    sums_of = figures.tables["department_cost"].sums(("unit_id", "class"), ("direct", "full_cost"))
    for (unit, kind), (posted, full) in sums_of.items():
        for of in ("", unit):
            known_rests = rests.setdefault(of, {})
            before = known_rests.get(kind, (0, 0))
            known_rests[kind] = (before[0] + posted, before[1] + full)
    drawn = ["", *figures.units] if 1 < len(figures.units) <= MOST_PICTURES else [""]
    pictures = [
        _picture(figures, unit, between[unit], rests[unit]) for unit in drawn if unit in between
    ]
    return Section(
        "flow", word("flow"), (), tuple(pictures), (_givers(figures, sums), _all(figures))
    )


def _picture(
    figures: Figures,
    unit: str,
    flows: dict[tuple[str, str], int],
    rests: dict[str, tuple[int, int]],
) -> Picture:
    scales = scale_for(max(abs(posted) for posted, _ in rests.values()), figures.currency)
    of = same(visible(figures.unit_name(unit))) if unit else word("all_units")
    title = word("flow.picture", of=of, unit=Word(scales["zh"].unit.zh, scales["en"].unit.en))
    return Picture(
        title,
        in_both(lambda language: _sankey(flows, rests, language, scales[language])),
        word("flow.picture_note"),
        unit,
    )


def _sankey(
    flows: dict[tuple[str, str], int],
    rests: dict[str, tuple[int, int]],
    language: Language,
    scale: Scale,
) -> str:
    """From direct cost on the left over the giving classes to where full cost rests.

    rests: direct and full cost of each class. Flows within a class or back are not drawn.
    """
    nodes: list[Node] = []
    place: dict[tuple[str, str], int] = {}

    def add(role: str, kind: str, column: int, label: str, fen: int) -> None:
        place[role, kind] = len(nodes)
        nodes.append(Node(column, label, scale.text(fen), COLOURS[kind]))

    received = {
        kind: sum(f for (_, to), f in flows.items() if to == kind and f > 0) for kind in rests
    }
    for kind in DRAWN:
        if rests.get(kind, (0, 0))[0] > 0:
            add("direct", kind, 0, word(f"class.{kind}").of(language), rests[kind][0])
    for column, kind in enumerate(GIVERS, 1):
        borne = rests.get(kind, (0, 0))[0] + received.get(kind, 0)
        if borne > 0:
            add("gives", kind, column, word(f"class.{kind}").of(language), borne)
    for kind in DRAWN:
        if rests.get(kind, (0, 0))[1] > 0:
            name = word(f"class.{kind}")
            label = word("flow.stays", of=name) if kind in GIVERS else name
            add("rests", kind, 4, label.of(language), rests[kind][1])

    def link(source: tuple[str, str], target: tuple[str, str], fen: int) -> Link | None:
        if fen <= 0 or source not in place or target not in place:
            return None
        a, b = place[source], place[target]
        title = f"{nodes[a].label} → {nodes[b].label}: {scale.text(fen)}"
        return Link(a, b, float(fen), COLOURS[source[1]], title)

    links = [
        link(("direct", kind), ("gives" if kind in GIVERS else "rests", kind), rests[kind][0])
        for kind in rests
    ]
    order = {kind: i for i, kind in enumerate((*GIVERS, "clinical", "non_medical"))}
    links += [
        link(("gives", giver), ("gives" if receiver in GIVERS else "rests", receiver), fen)
        for (giver, receiver), fen in flows.items()
        if order[giver] < order[receiver]
    ]
    links += [link(("gives", kind), ("rests", kind), rests.get(kind, (0, 0))[1]) for kind in GIVERS]
    headings = [word(f"flow.column_{i}").of(language) for i in range(5)]
    return draw(headings, nodes, [one for one in links if one is not None])


def _givers(figures: Figures, sums: dict[tuple[str, ...], list[int]]) -> Grid:
    """What each giver handed on, by class of the receivers."""
    columns = (
        *unit_columns(on_page=True)[:1],
        Column("dept_id", word("giver")),
        Column("dept_name", word("name")),
        Column("class", word("class")),
        Column("driver", word("driver")),
        *(Column(kind, word("to_class", of=word(f"class.{kind}")), "money") for kind in RECEIVERS),
        Column("total", word("handed_on"), "money"),
    )
    found: dict[tuple[str, str], tuple[set[str], dict[str, int]]] = {}
    for (unit, giver, receiver, driver), (fen,) in sums.items():
        drivers, by_kind = found.setdefault((unit, giver), (set(), dict.fromkeys(CLASS_ORDER, 0)))
        drivers.add(driver)
        by_kind[figures.class_of[unit, receiver]] += fen
    lines = Lines(columns)
    for (unit, giver), (drivers, by_kind) in found.items():
        lines.rows(
            [
                (
                    visible(unit),
                    visible(giver),
                    visible(figures.department_name(unit, giver)),
                    word(f"class.{figures.class_of[unit, giver]}"),
                    drivers_of(drivers, giver),
                    *(by_kind[kind] for kind in RECEIVERS),
                    sum(by_kind.values()),
                )
            ],
            unit,
        )
    close_all(lines)
    return Grid(
        "flow_givers",
        word("flow.givers"),
        columns,
        tuple(lines.found),
        (word("flow.note"),),
        rank="total",
        sheet=word("flow.givers_sheet"),
    )


def _all(figures: Figures) -> Grid:
    """Every flow by element, for the workbook."""
    columns = (
        *unit_columns(on_page=True)[:1],
        Column("giver_dept_id", word("giver")),
        Column("giver_name", word("giver_name")),
        Column("receiver_dept_id", word("receiver")),
        Column("receiver_name", word("receiver_name")),
        Column("driver", word("driver")),
        *element_columns(),
    )
    rows = figures.tables["department_flow"]
    keys = ("unit_id", "giver_dept_id", "receiver_dept_id", "driver", "element")
    found: dict[tuple[str, ...], list[int]] = {}
    for (*key, element), (fen,) in rows.sums(keys, ("amount",)).items():
        found.setdefault(tuple(key), [0] * len(ELEMENTS))[ELEMENTS.index(element)] += fen
    lines = Lines(columns)
    for (unit, giver, receiver, driver), costs in found.items():
        named = (figures.department_name(unit, dept) for dept in (giver, receiver))
        giver_name, receiver_name = (visible(name) for name in named)
        cells: tuple[Cell, ...] = (
            visible(unit), visible(giver), giver_name, visible(receiver), receiver_name,
            drivers_of([driver], giver), *costs, sum(costs),
        )  # fmt: skip
        lines.rows([cells], unit)
    close_all(lines)
    return Grid(
        "flow_all",
        word("flow.all"),
        columns,
        tuple(lines.found),
        rank="total",
        sheet=word("flow.all_sheet"),
        on_page=False,
    )
