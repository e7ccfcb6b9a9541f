"""A published figure explained: its parts summed up for people, and as tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from medcost.book import Book, Registers
from medcost.costing.adjoint import ElementFlows
from medcost.costing.figures import Figure
from medcost.costing.origins import (
    PATHS,
    Origins,
    flows_of_unit,
    pools_by_path,
    round_services,
    trace_origins,
)
from medcost.costing.posting_parts import PostingParts, split_over_postings
from medcost.errors import InvariantBroken
from medcost.figure_found import Question, find_figures
from medcost.kept_run import KeptRun
from medcost.period_book import FUNDS, PROGRAMS
from medcost.published_figure import require_as_published
from medcost.result_tables import Filled, Given, build_table
from medcost.tables import ELEMENTS, load_table

Key = tuple[str, ...]
Trace = tuple[Figure, dict[int, ElementFlows]]


@dataclass
class Parts:
    """Sums of parts, over all units of the figure.

    origins: fen by (unit, department, path, element); shared and traced: fen by (unit,
    performing department, item, element); n_postings: how many postings stand behind the figure.
    """

    origins: dict[Key, int] = field(default_factory=dict)
    shared: dict[Key, int] = field(default_factory=dict)
    traced: dict[Key, int] = field(default_factory=dict)
    n_postings: int = 0


@dataclass(frozen=True)
class Explanation:
    """A figure with its parts.

    run: the published run's name, '' where it is not published; model: its model's title;
    figure: full_cost, gross_cost, service_item_cost or drg_cost; fen: the figure; n_cases: of a
    DRG group; traces: each unit's figure and flows by element; tables: explanation and, for
    items and groups, explanation_services.
    """

    question: Question
    run: str
    model: str
    period: str
    figure: str
    scheme: str
    units: tuple[str, ...]
    currency: str
    fen: int
    n_cases: int | None
    parts: Parts
    book: Book
    traces: tuple[Trace, ...]
    tables: dict[str, pa.Table]

    @property
    def is_of_services(self) -> bool:
        """Whether the figure is a sum of services."""
        return "explanation_services" in self.tables

    def origins(self, *places: int) -> list[tuple[Key, int]]:
        """Sums of the origins by some places of their key."""
        return _ranked(self.parts.origins, places)

    def services(self, *places: int) -> list[tuple[Key, int]]:
        """Sums of the services, shared and traced, by some places of their key."""
        both: dict[Key, int] = defaultdict(int, self.parts.shared)
        for key, fen in self.parts.traced.items():
            both[key] += fen
        return _ranked(both, places)

    def name(self, kind: str, *key: str) -> str:
        """The display name of a department (unit, id), item or group; '' where there is none."""
        return self._names[kind].get("\x00".join(key), "")

    @cached_property
    def _names(self) -> dict[str, dict[str, str]]:
        keys = {"dept": ("unit_id", "dept_id"), "item": ("item_id",), "drg": ("drg_id",)}
        tables = {"dept": "departments", "item": "service_items", "drg": "drg_groups"}
        rows = {kind: self.book.tables.get(table) for kind, table in tables.items()}
        return {kind: found.names(*keys[kind]) if found else {} for kind, found in rows.items()}

    @cached_property
    def pools(self) -> dict[Key, float]:
        """Fen by (path, unit, performing department) in floating point, for the picture only."""
        dept_ids = self.book.registers.dept_ids
        found: dict[Key, float] = defaultdict(float)
        for figure, flows in self.traces:
            for element in flows:
                amounts = pools_by_path(figure, flows[element], element)
                for path, dept in np.argwhere(np.abs(amounts) >= 1).tolist():
                    key = (PATHS[path], figure.unit_id, dept_ids[figure.first + dept])
                    found[key] += float(amounts[path, dept])
                for dept in np.flatnonzero(figure.traced[:, element]).tolist():
                    key = ("traced", figure.unit_id, dept_ids[figure.first + dept])
                    found[key] += float(figure.traced[dept, element])
        return found


def _ranked(sums: dict[Key, int], places: Sequence[int]) -> list[tuple[Key, int]]:
    """Sums by some places of the key, largest first, then by key; nothing is left out but 0."""
    found: dict[Key, int] = defaultdict(int)
    for key, fen in sums.items():
        found[tuple(key[place] for place in places)] += fen
    return sorted(((k, fen) for k, fen in found.items() if fen), key=lambda p: (-abs(p[1]), p[0]))


def explain(run: KeptRun, question: Question) -> Explanation:
    """Trace a figure of a published run back to the ledger.

    Raises InputRejected where the run has no such figure or several, or published another one,
    InvariantBroken where the parts do not add up.
    """
    elements = [ELEMENTS.index(question.element)] if question.element else range(len(ELEMENTS))
    scheme, figures = find_figures(run, question)
    book, parts = run.period_book, Parts()
    origin_tables, service_tables = list[pa.Table](), list[pa.Table]()
    traces: list[Trace] = []
    for figure in figures:
        labels = {
            "period": book.period,
            "unit_id": figure.unit_id,
            "figure": figure.kind,
            "figure_id": question.label,
            "scheme": scheme,
        }
        flows = flows_of_unit(book, run.departments, figure, elements)
        origins = trace_origins(figure, flows)
        traces.append((figure, flows))
        ledger = run.book.tables["ledger"]
        postings = split_over_postings(book, run.loaded.model, ledger, figure, origins)
        origin_tables.append(_origin_table(run, labels, origins, postings))
        _add_origins(book.registers, parts, figure, origins)
        parts.n_postings += len(np.unique(postings.posting[postings.posting >= 0]))
        if figure.services is not None:
            _add_services(book.registers, parts, figure, elements)
            service_tables.append(_service_table(labels, parts))
    tables = {"explanation": _sorted_table("explanation", origin_tables)}
    if service_tables:
        tables["explanation_services"] = _sorted_table("explanation_services", service_tables)
    counts = [figure.n_cases for figure in figures if figure.n_cases is not None]
    fen = sum(int(figure.fen[element]) for figure in figures for element in elements)
    _require_sums(figures, parts, tables, fen)
    units = tuple(figure.unit_id for figure in figures)
    if run.folder is not None:
        require_as_published(run.folder, figures[0].kind, question, scheme, units, fen)
    return Explanation(
        question,
        run.folder.name if run.folder is not None else "",
        run.loaded.model.model.title,
        book.period,
        figures[0].kind,
        scheme,
        units,
        run.loaded.model.model.currency,
        fen,
        sum(counts) if counts else None,
        parts,
        run.book,
        tuple(traces),
        tables,
    )


def _require_sums(
    figures: Sequence[Figure], parts: Parts, tables: dict[str, pa.Table], fen: int
) -> None:
    """Origins, postings and services each add up to the figure."""
    amounts = pc.sum(tables["explanation"]["amount"].cast(pa.decimal128(38, 2))).as_py()
    by_posting = int(100 * (amounts or 0))
    sums = {"origins": sum(parts.origins.values()), "postings": by_posting}
    if "explanation_services" in tables:
        opening = sum(v for (_, _, path, _), v in parts.origins.items() if path == "opening")
        services = sum(parts.shared.values()) + sum(parts.traced.values())
        sums["services"] = services + opening
    for what, total in sums.items():
        if total != fen:
            raise InvariantBroken(f"the {what} of {figures[0].kind} do not add up to the figure")


def _add_origins(registers: Registers, parts: Parts, figure: Figure, origins: Origins) -> None:
    rows = zip(origins.dept, origins.path, origins.element, origins.fen, strict=True)
    for dept, path, element, fen in rows:
        dept_id = registers.dept_ids[dept] if dept >= 0 else ""
        parts.origins[figure.unit_id, dept_id, PATHS[path], ELEMENTS[element]] = int(fen)


def _add_services(
    registers: Registers, parts: Parts, figure: Figure, elements: Sequence[int]
) -> None:
    services = figure.services
    if services is None:
        return
    for element in elements:
        name = ELEMENTS[element]
        shared, left = round_services(figure, element)
        traced = services.traced[:, element].tolist()
        rows = zip(services.dept.tolist(), services.item.tolist(), shared, traced, strict=True)
        for dept, item, by_share, by_trace in rows:
            if by_share or by_trace:
                key = (figure.unit_id, registers.dept_ids[dept], registers.item_ids[item], name)
                parts.shared[key], parts.traced[key] = by_share, by_trace
        if left:
            parts.shared[figure.unit_id, "", "", name] = left


def _origin_table(
    run: KeptRun, labels: dict[str, str], origins: Origins, postings: PostingParts
) -> pa.Table:
    """out_explanation of one unit: a row for every part and posting."""
    registers, ledger = run.period_book.registers, run.book.tables["ledger"]
    n, has_posting = len(postings.fen), postings.posting >= 0
    rows = run.period_book.ledger
    at = np.where(has_posting, np.append(rows.row, 0)[postings.posting], -1)
    file = np.searchsorted(ledger.first_rows, at, "right") - 1
    row_number = at - ledger.first_rows[np.maximum(file, 0)] + 1
    dept = origins.dept[postings.origin]
    account = np.append(ledger.codes("account"), -1)[at]

    def text(known: Sequence[str], codes: NDArray[np.int64]) -> pa.Array:
        return pa.array([*known, ""], pa.string()).take(
            pa.array(np.where(codes < 0, len(known), codes))
        )

    def of_posting(column: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.where(has_posting, np.append(column, 0)[postings.posting], -1)

    columns: dict[str, Given] = {
        "element": text(ELEMENTS, origins.element[postings.origin]),
        "origin_dept_id": text(registers.dept_ids, dept),
        "path": text(PATHS, origins.path[postings.origin]),
        "file": text(ledger.files, np.where(has_posting, file, -1)),
        "row": Filled(row_number, has_posting),
        "fund": text(FUNDS, of_posting(rows.fund)),
        "program": text(PROGRAMS, of_posting(rows.program)),
        "account": text(ledger.labels("account"), account),
        "posted": Filled(np.where(has_posting, of_posting(rows.fen), 0), has_posting),
        "amount": postings.fen,
    }
    return build_table("explanation", _constants(labels, n) | columns, postings.fen != 0)


def _constants(labels: dict[str, str], n: int) -> dict[str, Given]:
    return {name: pa.array([label] * n, pa.string()) for name, label in labels.items()}


def _service_table(labels: dict[str, str], parts: Parts) -> pa.Table:
    """out_explanation_services of one unit: a row for every service and element."""
    keys = [key for key in parts.shared if key[0] == labels["unit_id"]]
    shared = np.array([parts.shared[key] for key in keys], np.int64)
    traced = np.array([parts.traced.get(key, 0) for key in keys], np.int64)
    columns: dict[str, Given] = {
        "dept_id": pa.array([key[1] for key in keys], pa.string()),
        "item_id": pa.array([key[2] for key in keys], pa.string()),
        "element": pa.array([key[3] for key in keys], pa.string()),
        "shared": shared,
        "traced": traced,
        "amount": shared + traced,
    }
    return build_table("explanation_services", _constants(labels, len(keys)) | columns)


def _sorted_table(name: str, tables: Sequence[pa.Table]) -> pa.Table:
    key = load_table(f"out_{name}").key
    return pa.concat_tables(tables).sort_by([(column, "ascending") for column in key])
