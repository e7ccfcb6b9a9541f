"""What runs keep of their books: names, and the income and statistics of their months."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medcost.book import TableRows, read_table
from medcost.errors import InputRejected
from medcost.output_folder import BOOK, KEPT
from medcost.parquet_input import find_files
from medcost.report.published_runs import Run

Key = tuple[str, ...]
KEPT_TABLES = ("units", "departments", "service_items", "drg_groups", "income", "statistics")


@dataclass(frozen=True)
class Names:
    """Display names, '' where there is none, and what departments are grouped by."""

    unit: dict[str, str]
    department: dict[Key, str]
    department_class: dict[Key, str]
    service_group: dict[Key, str]
    item: dict[str, str]
    drg: dict[Key, str]


def kept_of(
    runs: Sequence[Run], results: Sequence[Run]
) -> tuple[Names, dict[Key, int], dict[Key, int], tuple[str, ...]]:
    """Names of all months, the later ones first in rank, and income and statistics of each.

    results: of the consortium, which keep names alone.
    """
    names = Names({}, {}, {}, {}, {}, {})
    income: dict[Key, int] = {}
    statistics: dict[Key, int] = {}
    unkept: list[str] = []
    read: dict[tuple[str, ...], dict[str, TableRows]] = {}
    for run in runs:
        book = run.folder / KEPT / BOOK
        if not book.is_dir():
            unkept.append(run.folder.name)
            continue
        # Runs of one batch keep equal files: each is read once.
        same = _kept_hashes(run)
        if same not in read:
            read[same] = dict(_kept_tables(book))
        tables = read[same]
        _add_names(names, tables)
        _add_numbers(income, tables.get("income"), run, "source", "amount")
        _add_numbers(statistics, tables.get("statistics"), run, "measure", "quantity")
    for run in results:
        _add_names(names, dict(_kept_tables(run.folder / KEPT / BOOK)))
    return names, income, statistics, tuple(unkept)


def _kept_hashes(run: Run) -> tuple[str, ...]:
    prefixes = tuple(f"{KEPT}/{BOOK}/{name}" for name in KEPT_TABLES)
    records = run.manifest.get("kept", ())
    known = tuple(
        f"{record['name']} {record['sha256']}"
        for record in records
        if str(record["name"]).startswith(prefixes)
    )
    return known or (str(run.folder),)


def _kept_tables(book: Path) -> Iterator[tuple[str, TableRows]]:
    for name in KEPT_TABLES:
        files, faults = find_files(book, name)
        if files and not faults:
            rows, faults = read_table(name, files)
            if rows is not None:
                yield name, rows
        if faults:
            raise InputRejected(faults)


def _texts(rows: TableRows, column: str) -> list[str]:
    known = ["", *rows.labels(column)]
    return [known[code + 1] for code in rows.codes(column).tolist()]


def _add_names(names: Names, tables: Mapping[str, TableRows]) -> None:
    """Names of one book over those of earlier months."""
    wanted: tuple[tuple[str, tuple[str, ...], str, dict[Any, str]], ...] = (
        ("units", ("unit_id",), "name", names.unit),
        ("departments", ("unit_id", "dept_id"), "name", names.department),
        ("departments", ("unit_id", "dept_id"), "class", names.department_class),
        ("departments", ("unit_id", "dept_id"), "service_group", names.service_group),
        ("service_items", ("item_id",), "name", names.item),
        ("drg_groups", ("scheme", "drg_id"), "name", names.drg),
    )
    for table, keys, column, into in wanted:
        if table in tables:
            rows = tables[table]
            texts = zip(*(_texts(rows, key) for key in keys), strict=True)
            for key, name in zip(texts, _texts(rows, column), strict=True):
                into[key[0] if len(keys) == 1 else key] = name


def _add_numbers(
    into: dict[Key, int], rows: TableRows | None, run: Run, key: str, value: str
) -> None:
    """Add one month's numbers of the run's units."""
    if rows is None:
        return
    keys = ("period", "unit_id", "dept_id", key)
    texts = zip(*(_texts(rows, column) for column in keys), strict=True)
    units = set(run.units)
    for place, number in zip(texts, rows.values(value).tolist(), strict=True):
        if place[0] == run.period and place[1] in units:
            into[place] = into.get(place, 0) + number
