"""A published figure explained: its parts summed up for people, and as tables."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medcost.balance import exact_sums
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
from medcost.costing.services_of import Services
from medcost.errors import InvariantBroken
from medcost.figure_found import Question, find_figures
from medcost.kept_run import KeptRun
from medcost.period_book import FUNDS, PROGRAMS
from medcost.records import dataclass
from medcost.result_tables import Filled, Given, build_table, fen_of
from medcost.tables import ELEMENTS
from medcost.text_labels import take_text, text_array

Key = tuple[str, ...]
Trace = tuple[Figure, dict[int, ElementFlows]]


# Rank of each element and path by name, as the tables sort them.
ELEMENT_RANK, PATH_RANK = (np.argsort(np.argsort(names)) for names in (ELEMENTS, PATHS))


@dataclass(frozen=True)
class ServiceParts:
    """What one unit's figure holds of services, sorted by department, item and element's name.

    dept, item: positions in the registers, -1 for fen of rounding that no service has; element;
    shared, traced: fen, all int64 [parts].
    """

    unit_id: str
    dept: NDArray[np.int64]
    item: NDArray[np.int64]
    element: NDArray[np.int64]
    shared: NDArray[np.int64]
    traced: NDArray[np.int64]


@dataclasses.dataclass
class Parts:
    """Sums of parts, over all units of the figure.

    origins: fen by (unit, department, path, element); services: of each unit, for a figure of
    services; n_postings: how many postings stand behind the figure.
    """

    origins: dict[Key, int] = dataclasses.field(default_factory=dict)
    services: list[ServiceParts] = dataclasses.field(default_factory=list)
    n_postings: int = 0


@dataclass(frozen=True)
class Explanation:
    """A figure with its parts.

    figure: full_cost, gross_cost, service_item_cost or drg_cost; fen: the figure; n_cases: of a
    DRG group; traces: each unit's figure and flows by element; tables: explanation and, for
    items and groups, explanation_services.
    """

    question: Question
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
        """Sums of the services, shared and traced, by some of unit, department and item."""
        return _ranked(self._services, places)

    @cached_property
    def _services(self) -> dict[Key, int]:
        dept_ids, item_ids = self.book.registers.dept_ids, self.book.registers.item_ids
        found: dict[Key, int] = {}
        for parts in self.parts.services:
            service = parts.dept * (len(item_ids) + 1) + parts.item
            _, first, of_part = np.unique(service, return_index=True, return_inverse=True)
            fen = exact_sums(of_part, np.stack([parts.shared, parts.traced], axis=1), len(first))
            rows = (column[first].tolist() for column in (parts.dept, parts.item))
            for dept, item, amount in zip(*rows, fen.sum(axis=1).tolist(), strict=True):
                key = (dept_ids[dept], item_ids[item]) if dept >= 0 else ("", "")
                found[parts.unit_id, *key] = amount
        return found

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

    Raises InputRejected where the run has no such figure or several, InvariantBroken where the
    parts do not add up.
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
            services = _service_parts(figure, figure.services, elements)
            parts.services.append(services)
            service_tables.append(_service_table(book.registers, labels, services))
    # Units come in the order of their ids, and each unit's rows are sorted.
    tables = {"explanation": pa.concat_tables(origin_tables).combine_chunks()}
    if service_tables:
        tables["explanation_services"] = pa.concat_tables(service_tables).combine_chunks()
    counts = [figure.n_cases for figure in figures if figure.n_cases is not None]
    fen = sum(int(figure.fen[element]) for figure in figures for element in elements)
    _require_sums(figures, parts, tables, fen)
    return Explanation(
        question,
        book.period,
        figures[0].kind,
        scheme,
        tuple(figure.unit_id for figure in figures),
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
    sums = {
        "origins": sum(parts.origins.values()),
        "postings": _total(fen_of(tables["explanation"], "amount")),
    }
    if "explanation_services" in tables:
        opening = sum(v for (_, _, path, _), v in parts.origins.items() if path == "opening")
        services = (fen for of_unit in parts.services for fen in (of_unit.shared, of_unit.traced))
        sums["services"] = sum(map(_total, services)) + opening
    for what, total in sums.items():
        if total != fen:
            raise InvariantBroken(f"the {what} of {figures[0].kind} do not add up to the figure")


def _total(fen: NDArray[np.int64]) -> int:
    return int(exact_sums(np.zeros(len(fen), np.int64), fen.reshape(-1, 1), 1)[0, 0])


def _add_origins(registers: Registers, parts: Parts, figure: Figure, origins: Origins) -> None:
    columns = (origins.dept, origins.path, origins.element, origins.fen)
    for dept, path, element, fen in zip(*(c.tolist() for c in columns), strict=True):
        dept_id = registers.dept_ids[dept] if dept >= 0 else ""
        parts.origins[figure.unit_id, dept_id, PATHS[path], ELEMENTS[element]] = fen


def _service_parts(figure: Figure, services: Services, elements: Sequence[int]) -> ServiceParts:
    """Every service and element of a figure that has fen, after what no service has."""
    rounded = [round_services(figure, element) for element in elements]
    n, of_element = len(services.dept), np.array(elements)
    # A row more, of no service, takes what is left.
    shared = np.array([[*fen, left] for fen, left in rounded], np.int64)
    traced = np.zeros_like(shared)
    traced[:, :n] = services.traced[:, of_element].T
    column, row = np.nonzero((shared != 0) | (traced != 0))
    dept, item = (np.append(codes, -1)[row] for codes in (services.dept, services.item))
    order = np.lexsort((ELEMENT_RANK[of_element[column]], item, dept))
    column, row = column[order], row[order]
    return ServiceParts(
        figure.unit_id,
        dept[order],
        item[order],
        of_element[column],
        shared[column, row],
        traced[column, row],
    )


def _origin_table(
    run: KeptRun, labels: dict[str, str], origins: Origins, postings: PostingParts
) -> pa.Table:
    """out_explanation of one unit: a row for every part and posting, sorted by its key."""
    registers, ledger = run.period_book.registers, run.book.tables["ledger"]
    rows = run.period_book.ledger
    at = np.where(postings.posting >= 0, np.append(rows.row, 0)[postings.posting], -1)
    # Rows of a file ascend with those of the table, files in the order of their names.
    element, dept, path = (
        column[postings.origin] for column in (origins.element, origins.dept, origins.path)
    )
    order = np.lexsort((at, PATH_RANK[path], dept, ELEMENT_RANK[element]))
    at, element, dept, path = (column[order] for column in (at, element, dept, path))
    posting, fen, has_posting = postings.posting[order], postings.fen[order], at >= 0
    file = np.searchsorted(ledger.first_rows, at, "right") - 1
    row_number = at - ledger.first_rows[np.maximum(file, 0)] + 1
    account = np.append(ledger.codes("account"), -1)[at]

    def of_posting(column: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.where(has_posting, np.append(column, 0)[posting], -1)

    columns: dict[str, Given] = {
        "element": _text(ELEMENTS, element),
        "origin_dept_id": _text(registers.dept_ids, dept),
        "path": _text(PATHS, path),
        "file": _text(ledger.files, np.where(has_posting, file, -1)),
        "row": Filled(row_number, has_posting),
        "fund": _text(FUNDS, of_posting(rows.fund)),
        "program": _text(PROGRAMS, of_posting(rows.program)),
        "account": _text(ledger.labels("account"), account),
        "posted": Filled(np.where(has_posting, of_posting(rows.fen), 0), has_posting),
        "amount": fen,
    }
    return build_table("explanation", _constants(labels, len(fen)) | columns, fen != 0)


def _service_table(registers: Registers, labels: dict[str, str], parts: ServiceParts) -> pa.Table:
    """out_explanation_services of one unit: a row for every service and element."""
    columns: dict[str, Given] = {
        "dept_id": _text(registers.dept_ids, parts.dept),
        "item_id": _text(registers.item_ids, parts.item),
        "element": _text(ELEMENTS, parts.element),
        "shared": parts.shared,
        "traced": parts.traced,
        "amount": parts.shared + parts.traced,
    }
    return build_table("explanation_services", _constants(labels, len(parts.dept)) | columns)


def _text(labels: Sequence[str], codes: NDArray[np.int64]) -> pa.Array:
    """Labels by their codes as plain text, '' for -1."""
    return take_text(text_array([*labels, ""]), np.where(codes < 0, len(labels), codes))


def _constants(labels: dict[str, str], n: int) -> dict[str, Given]:
    return {name: pa.repeat(pa.scalar(label, pa.string()), n) for name, label in labels.items()}
