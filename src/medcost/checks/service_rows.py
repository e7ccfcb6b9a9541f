"""The shared services of a book, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from medcost.book import TableRows
from medcost.errors import quote
from medcost.records import dataclass

Key = tuple[str, str]


@dataclass(frozen=True)
class MemberRow:
    """A member of a service: volume in 1e-4, fen alone, agreed share in 1e-6; None where empty."""

    unit_id: str
    volume: int | None
    alone: int | None
    agreed: int | None


@dataclass(frozen=True)
class ServiceRows:
    """A shared service of one period with the rows of all tables that speak of it.

    Money is fen; volumes and quantities are 1e-4; texts are empty where the row is. members are
    sorted by id (UTF-8 bytes). steps: (up_to, cost), ascending. coalitions: (ids sorted, cost, as
    written). examinations: (examining, diagnosing, fen, fen). processes: id -> fen; outputs:
    (process, requirement) -> quantity; requirements: (member, requirement) -> quantity.
    """

    period: str
    service_id: str
    name: str
    unit_id: str
    cost: int | None
    dept_id: str
    rule: str
    game: str
    included_in: str
    place: str
    members: tuple[MemberRow, ...]
    steps: tuple[tuple[int, int], ...]
    coalitions: tuple[tuple[tuple[str, ...], int, str], ...]
    examinations: tuple[tuple[str, str, int, int], ...]
    processes: Mapping[str, int]
    outputs: Mapping[tuple[str, str], int]
    requirements: Mapping[tuple[str, str], int]

    @property
    def shown(self) -> str:
        """The service in messages: 'S1' of 2026-01."""
        return f"{quote(self.service_id)} of {self.period}"


def read_services(
    tables: Mapping[str, TableRows], considered: NDArray[np.bool_] | None = None
) -> list[ServiceRows]:
    """Every service with its rows, sorted by period and id; rows without a key are left out.

    considered: bool [rows of shared_services].
    """
    if "shared_services" not in tables:
        return []
    of = {name: grouped(tables[name]) for name in TABLES if name in tables}
    found = []
    rows = records(tables["shared_services"])
    for row, record in enumerate(rows):
        key = (_text(record, "period"), _text(record, "service_id"))
        if all(key) and (considered is None or considered[row]):
            parts = {name: groups.get(key, []) for name, groups in of.items()}
            found.append(_service(record, tables["shared_services"].place(row), parts))
    return sorted(found, key=lambda one: (one.period, one.service_id))


TABLES = (
    "shared_service_members",
    "capacity_steps",
    "coalition_costs",
    "joint_examinations",
    "shared_processes",
    "process_outputs",
    "member_requirements",
)
Record = Mapping[str, str | int | None]


def records(rows: TableRows) -> Iterator[Record]:
    """Each row as a mapping from columns to text ('' where empty) or a number or None."""
    columns: dict[str, list[str] | list[int | None]] = {}
    for column in rows.table.columns:
        name = column.name
        if column.type == "string":
            labels = [*rows.labels(name), ""]
            columns[name] = [labels[code] for code in rows.codes(name).tolist()]
        else:
            there = rows.present(name).tolist()
            values = rows.values(name).tolist()
            columns[name] = [x if is_ else None for x, is_ in zip(values, there, strict=True)]
    for row in range(rows.n):
        yield {name: values[row] for name, values in columns.items()}


def grouped(rows: TableRows) -> dict[Key, list[Record]]:
    """Rows by period and service."""
    groups: dict[Key, list[Record]] = {}
    for record in records(rows):
        key = (_text(record, "period"), _text(record, "service_id"))
        groups.setdefault(key, []).append(record)
    return groups


def _text(record: Record, column: str) -> str:
    return str(record[column] or "")


def _number(record: Record, column: str) -> int:
    return int(record[column] or 0)


def _optional(record: Record, column: str) -> int | None:
    value = record[column]
    return None if value is None else int(value)


def _service(record: Record, place: str, parts: Mapping[str, Sequence[Record]]) -> ServiceRows:
    def of(name: str) -> Sequence[Record]:
        return parts.get(name, ())

    members = {
        _text(one, "unit_id"): MemberRow(
            _text(one, "unit_id"),
            _optional(one, "volume"),
            _optional(one, "stand_alone_cost"),
            _optional(one, "agreed_share"),
        )
        for one in of("shared_service_members")
        if _text(one, "unit_id")
    }
    return ServiceRows(
        _text(record, "period"),
        _text(record, "service_id"),
        _text(record, "name"),
        _text(record, "unit_id"),
        _optional(record, "cost"),
        _text(record, "dept_id"),
        _text(record, "rule"),
        _text(record, "game"),
        _text(record, "included_in"),
        place,
        tuple(members[unit] for unit in sorted(members)),
        tuple(
            sorted((_number(one, "up_to"), _number(one, "cost")) for one in of("capacity_steps"))
        ),
        tuple(
            (coalition_members(_text(one, "members")), _number(one, "cost"), _text(one, "members"))
            for one in of("coalition_costs")
        ),
        tuple(sorted(_examination(one) for one in of("joint_examinations"))),
        {_text(one, "process_id"): _number(one, "unit_cost") for one in of("shared_processes")},
        {
            (_text(one, "process_id"), _text(one, "requirement_id")): _number(one, "quantity")
            for one in of("process_outputs")
        },
        {
            (_text(one, "unit_id"), _text(one, "requirement_id")): _number(one, "quantity")
            for one in of("member_requirements")
        },
    )


def _examination(record: Record) -> tuple[str, str, int, int]:
    return (
        _text(record, "examining_unit_id"),
        _text(record, "diagnosing_unit_id"),
        _number(record, "examining_revenue"),
        _number(record, "diagnosing_revenue"),
    )


def coalition_members(text: str) -> tuple[str, ...]:
    """The ids of a coalition, sorted; blanks around a semicolon do not count."""
    return tuple(sorted(part.strip() for part in text.split(";")))
