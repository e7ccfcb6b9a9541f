"""The tables of funds as arrays of one month, sorted by their keys."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medcost.book import TableRows
from medcost.consortium.funding.package import PackageFigures
from medcost.consortium.funding.policy import GRASSROOTS
from medcost.consortium.funding.problem import Ints
from medcost.consortium.inputs import ConsortiumInputs
from medcost.records import dataclass

TAG_SEPARATOR = ";"


@dataclass(frozen=True)
class Requests:
    """Requests of a month, sorted by unit_id and purpose, [requests].

    unit: position among the members; purposes, tags: text; asked, floor, ceiling, previous: fen,
    ceiling the request where none is given, previous 0 and has_previous False where there is
    none; total: fen that there are.
    """

    unit: Ints
    purposes: tuple[str, ...]
    tags: tuple[tuple[str, ...], ...]
    asked: Ints
    floor: Ints
    ceiling: Ints
    previous: Ints
    has_previous: NDArray[np.bool_]
    grassroots: NDArray[np.bool_]
    total: int

    def tagged(self, tag: str) -> NDArray[np.bool_]:
        """Requests that count for a tag; those of grassroots members count for grassroots."""
        own = np.array([tag in tags for tags in self.tags], np.bool_)
        return own | self.grassroots if tag == GRASSROOTS else own


@dataclass(frozen=True)
class Claims:
    """Claims of one package under one rule, sorted by claim_id: ids and fen."""

    ids: tuple[str, ...]
    fen: tuple[int, ...]


@dataclass(frozen=True)
class PackageCase:
    """One package of the month with its claims by rule."""

    package_id: str
    figures: PackageFigures
    claims: dict[str, Claims]


@dataclass(frozen=True)
class Assessments:
    """Assessments of a month, sorted by member, [rows].

    unit: position; volume: 1e-4; score: 1e-6; floors, ceilings: fen, None where not given.
    """

    unit: Ints
    volume: Ints
    score: Ints
    floors: tuple[int, ...]
    ceilings: tuple[int | None, ...]


def rows_of(rows: TableRows | None, period: str) -> NDArray[np.int64]:
    """Positions of the rows of a month; none where there is no table."""
    if rows is None or period not in rows.labels("period"):
        return np.zeros(0, np.int64)
    code = rows.labels("period").index(period)
    return np.flatnonzero(rows.codes("period") == code)


def _texts(rows: TableRows, name: str, at: NDArray[np.int64]) -> list[str]:
    labels = [*rows.labels(name), ""]
    return [labels[code] for code in rows.codes(name)[at].tolist()]


def _optional(rows: TableRows, name: str, at: NDArray[np.int64]) -> list[int | None]:
    pairs = zip(rows.values(name)[at].tolist(), rows.present(name)[at].tolist(), strict=True)
    return [value if is_there else None for value, is_there in pairs]


def read_requests(inputs: ConsortiumInputs, period: str) -> Requests | None:
    """The month's requests and what there is for them; None where the book has none."""
    rows, totals = inputs.tables.get("budget_requests"), inputs.tables.get("fund_totals")
    at, total_at = rows_of(rows, period), rows_of(totals, period)
    if rows is None or totals is None or not len(at) or not len(total_at):
        return None
    unit = inputs.members.of(rows.text["unit_id"])
    purpose = rows.codes("purpose").astype(np.int64)
    at = at[np.lexsort([purpose[at], unit[at]])]
    asked = rows.values("request")[at]
    ceiling = np.where(rows.present("ceiling")[at], rows.values("ceiling")[at], asked)
    return Requests(
        unit[at],
        tuple(_texts(rows, "purpose", at)),
        tuple(tags_of(text) for text in _texts(rows, "tags", at)),
        asked,
        rows.values("floor")[at],
        ceiling,
        rows.values("previous")[at],
        rows.present("previous")[at],
        inputs.members.grassroots[unit[at]],
        int(totals.values("total")[total_at[0]]),
    )


def tags_of(text: str) -> tuple[str, ...]:
    """The tags of a row, sorted, each once."""
    return tuple(sorted({tag.strip() for tag in text.split(TAG_SEPARATOR)} - {""}))


def read_packages(inputs: ConsortiumInputs, period: str) -> list[PackageCase]:
    """The month's packages sorted by package_id, with their claims."""
    rows = inputs.tables.get("insurance_package")
    at = rows_of(rows, period)
    if rows is None:
        return []
    at = at[np.argsort(rows.codes("package_id")[at], kind="stable")]
    columns = zip(
        _texts(rows, "package_id", at),
        rows.values("package")[at].tolist(),
        _optional(rows, "reserve", at),
        rows.values("out_of_county")[at].tolist(),
        rows.values("local")[at].tolist(),
        _optional(rows, "expected", at),
        strict=True,
    )
    claims = _claims(inputs.tables.get("insurance_claims"), period)
    return [
        PackageCase(name, PackageFigures(*figures), claims.get(name, {}))
        for name, *figures in columns
    ]


def _claims(rows: TableRows | None, period: str) -> dict[str, dict[str, Claims]]:
    """Claims by package and rule."""
    at = rows_of(rows, period)
    if rows is None:
        return {}
    claim_id, rule_of, package_id = (
        rows.codes(name)[at] for name in ("claim_id", "rule", "package_id")
    )
    at = at[np.lexsort([claim_id, rule_of, package_id])]
    found: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for package, rule, claim, fen in zip(
        _texts(rows, "package_id", at),
        _texts(rows, "rule", at),
        _texts(rows, "claim_id", at),
        rows.values("amount")[at].tolist(),
        strict=True,
    ):
        found.setdefault((package, rule), []).append((claim, fen))
    by_package: dict[str, dict[str, Claims]] = {}
    for (package, rule), listed in found.items():
        ids, fens = zip(*listed, strict=True)
        by_package.setdefault(package, {})[rule] = Claims(ids, fens)
    return by_package


def read_assessments(inputs: ConsortiumInputs, period: str) -> Assessments | None:
    """The month's assessments; None where the book has none."""
    rows = inputs.tables.get("assessments")
    at = rows_of(rows, period)
    if rows is None or not len(at):
        return None
    unit = inputs.members.of(rows.text["unit_id"])
    at = at[np.argsort(unit[at], kind="stable")]
    floors: Sequence[int] = rows.values("floor")[at].tolist()
    return Assessments(
        unit[at],
        rows.values("service_volume")[at],
        rows.values("score")[at],
        tuple(floors),
        tuple(_optional(rows, "ceiling", at)),
    )
