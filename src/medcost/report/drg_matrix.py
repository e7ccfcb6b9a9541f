"""What a DRG group costs by service group and element: the matrix of the InEK calculation."""

from __future__ import annotations

from medcost.report.columns import close_all, element_columns, unit_columns
from medcost.report.figures import Figures
from medcost.report.grid import Column, Grid, Lines
from medcost.report.labels import service_group_of
from medcost.report.numbers import ratio, visible
from medcost.report.section import Chooser, Matrix
from medcost.report.sums import MILLION
from medcost.report.words import SEPARATOR, Word, joined, same, word
from medcost.tables import ELEMENTS

# (unit, scheme, group), and fen by element of each service group.
Group = tuple[str, ...]
Cells = dict[Group, dict[str, list[int]]]


def without_matrix(figures: Figures) -> Word | None:
    """Why there are no matrices: months whose groups have none that adds up to their cost."""
    keys = ("period", "unit_id", "scheme", "drg_id")
    costs = figures.tables["drg_cost"].sums((*keys,), ELEMENTS)
    found: dict[Group, list[int]] = {}
    rows = figures.tables["drg_matrix"]
    for (*key, element), (fen,) in rows.sums((*keys, "element"), ("amount",)).items():
        found.setdefault(tuple(key), [0] * len(ELEMENTS))[ELEMENTS.index(element)] = fen
    nothing = [0] * len(ELEMENTS)
    months = {key[0] for key, fen in costs.items() if found.get(key, nothing) != fen}
    if not months:
        return None
    return word("drg_matrix.missing", months=joined(SEPARATOR, *map(same, sorted(months))))


def matrix_cells(figures: Figures) -> Cells:
    """Fen of each group by service group and element, over the months."""
    found: Cells = {}
    keys = ("unit_id", "scheme", "drg_id", "service_group", "element")
    for (*key, service, element), (fen,) in (
        figures.tables["drg_matrix"].sums(keys, ("amount",)).items()
    ):
        of_group = found.setdefault(tuple(key), {})
        of_group.setdefault(service, [0] * len(ELEMENTS))[ELEMENTS.index(element)] += fen
    return found


def _service(service: str) -> Word:
    return service_group_of(service) if service else word("drg_matrix.opening")


def _label(figures: Figures, scheme: str, group: str, with_scheme: bool) -> str:
    name = figures.names.drg.get((scheme, group), "")
    parts = (group, name, f"({scheme})" if with_scheme and scheme else "")
    return visible(" ".join(part for part in parts if part))


def matrix_chooser(figures: Figures, cells: Cells) -> Chooser:
    """Every group of every unit and of all together, the dearest first."""
    counted = figures.tables["drg_cost"].sums(("unit_id", "scheme", "drg_id"), ("cases",))
    together: Cells = {}
    cases: dict[Group, int] = {key: n for key, (n,) in counted.items()}
    for (unit, scheme, group), services in cells.items():
        key = ("", scheme, group)
        cases[key] = cases.get(key, 0) + cases[unit, scheme, group]
        into = together.setdefault(key, {})
        for service, fen in services.items():
            known = into.get(service, [0] * len(ELEMENTS))
            into[service] = [a + b for a, b in zip(known, fen, strict=True)]
    with_scheme = len({scheme for _, scheme, _ in cells}) > 1
    matrices = [
        Matrix(
            unit,
            _label(figures, scheme, group, with_scheme),
            cases[unit, scheme, group],
            tuple((_service(service), tuple(fen)) for service, fen in _dearest(services)),
        )
        # Of a single unit, all together are the same.
        for (unit, scheme, group), services in (
            {**together, **cells} if len(figures.units) > 1 else cells
        ).items()
    ]
    return Chooser(
        word("drg_matrix"),
        (word("drg_matrix.note"), word("drg_matrix.shades")),
        tuple(sorted(matrices, key=lambda one: (-one.total, one.unit, one.label))),
        word("drg_matrix.sheet"),
    )


def _dearest(services: dict[str, list[int]]) -> list[tuple[str, list[int]]]:
    return sorted(services.items(), key=lambda pair: (-sum(pair[1]), pair[0]))


def all_groups(cells: Cells) -> Grid:
    """The matrix of all groups of all units together."""
    columns = (
        Column("service_group", word("service_group"), is_label=True),
        *element_columns(),
        Column("of_all", word("share"), "rate", adds=False),
    )
    found: dict[str, list[int]] = {}
    for services in cells.values():
        for service, fen in services.items():
            known = found.get(service, [0] * len(ELEMENTS))
            found[service] = [a + b for a, b in zip(known, fen, strict=True)]
    whole = sum(map(sum, found.values()))
    lines = Lines(columns)
    lines.rows(
        (_service(service), *fen, sum(fen), ratio(sum(fen), whole, MILLION))
        for service, fen in _dearest(found)
    )
    close_all(lines)
    return Grid(
        "drg_matrix_all",
        word("drg_matrix_all"),
        columns,
        tuple(lines.found),
        rank="total",
        sheet=word("drg_matrix_all.sheet"),
    )


def matrix_sheet(figures: Figures, cells: Cells) -> Grid:
    """Every group of every unit, its total the published cost of the group."""
    columns = (
        *unit_columns(on_page=True)[:1],
        Column("scheme", word("scheme")),
        Column("drg_id", word("group")),
        Column("drg_name", word("name")),
        Column("service_group", word("service_group")),
        *element_columns(),
    )
    lines = Lines(columns)
    for (unit, scheme, group), services in cells.items():
        names = (
            visible(unit),
            visible(scheme),
            visible(group),
            visible(figures.names.drg.get((scheme, group), "")),
        )
        first = lines.rows(
            ((*names, _service(service), *fen, sum(fen)) for service, fen in _dearest(services)),
            unit,
        )
        label = word("drg_matrix.total", of=same(visible(f"{unit} {group}")))
        lines.total(label, first, unit)
    close_all(lines)
    return Grid(
        "drg_matrix",
        word("drg_matrix"),
        columns,
        tuple(lines.found),
        (word("drg_matrix.note"),),
        rank="total",
        sheet=word("drg_matrix.sheet"),
        on_page=False,
    )
