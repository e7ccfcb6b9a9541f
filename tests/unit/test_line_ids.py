"""Doubled ids of lines: counted exactly, by either reader, in memory and in files."""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from books import MONTH, NEXT_MONTH, Row, Tables, items, joined, line, of_unit, stay, ward, written

from medcost._core import text_hashes
from medcost.book import open_book
from medcost.checks.findings import faults_of
from medcost.costing import line_ids, line_pieces, netted_pieces
from medcost.costing.activity import Activity, read_activity
from medcost.errors import InvariantBroken
from medcost.page_reader import PagesUnsupported
from medcost.period_book import read_period


def ward_with(ids: list[str | None], **more: Any) -> Tables:
    """Return a ward with a line for each id."""
    return ward(
        *(line("C", "a", "K", line_id=line_id, **more) for line_id in ids),
        services=items(a=1),
        cases=[stay("K")],
    )


def activity_of(folder: Path, units: list[str] | None = None, **options: Any) -> Activity:
    opened = open_book(folder)
    assert not opened.faults
    return read_activity(opened, read_period(opened, MONTH, units), **options)


def doubled(tmp_path: Path, tables: Tables, **options: Any) -> int:
    """Return how many lines of the book have an id that an earlier one has."""
    found = activity_of(written(tmp_path, tables), **options)
    assert () == found.faults
    assert [] == faults_of(found.findings)
    return found.line_ids_doubled


def no_look(*_: object) -> Any:
    raise InvariantBroken("sound lines were looked at one by one")


@pytest.fixture
def only_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing but the hashes tell."""
    monkeypatch.setattr(netted_pieces, "_look_at_lines", no_look)


@pytest.mark.usefixtures("only_fast")
def test_lines_of_a_book_with_ids_are_not_looked_at_one_by_one(tmp_path: Path) -> None:
    assert 0 == doubled(tmp_path, ward_with([f"L{i}" for i in range(500)]))


@pytest.mark.usefixtures("only_fast")
def test_lines_without_an_id_are_never_doubled(tmp_path: Path) -> None:
    """Two empty texts, two nulls; of A three lines, of B two: 2 + 1 stand twice."""
    ids = [None, "", "A", "B", "A", None, "", "B", "A", "C"]
    assert 3 == doubled(tmp_path, ward_with(ids))


def test_an_id_is_one_of_its_unit_and_its_month(tmp_path: Path) -> None:
    """A in U, in V, and in U's February: three different lines; a second A in V is doubled."""
    tables = joined(ward_with(["A"]), of_unit(ward_with(["A", "A"]), "V"))
    tables["service_lines"].append(tables["service_lines"][0] | {"period": NEXT_MONTH})
    folder = written(tmp_path, tables)
    assert 1 == activity_of(folder).line_ids_doubled
    assert 0 == activity_of(folder, ["U"]).line_ids_doubled
    assert 1 == activity_of(folder, ["V"]).line_ids_doubled


def test_an_id_with_a_blank_at_its_end_is_looked_at(tmp_path: Path) -> None:
    """The hash alone would not show it; ids that begin with an ideograph are sound."""
    folder = written(tmp_path, ward_with(["A", "A ", "病例", "\u3000B"]))
    found = activity_of(folder)
    (fault,) = faults_of(found.findings)
    assert "text-blank-ends" == fault.code
    assert "2 service lines" in fault.what
    assert 0 == found.line_ids_doubled


def expected_of(rows: list[Row]) -> int:
    counts = Counter((row["unit_id"], row["line_id"]) for row in rows if row["line_id"])
    return sum(n - 1 for n in counts.values())


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("in_files", [False, True])
@pytest.mark.parametrize(
    "storage",
    [
        {},
        {"use_dictionary": False, "row_group_size": 37},
        {"data_page_version": "2.0", "compression": "gzip", "row_group_size": 50},
    ],
)
def test_doubled_ids_are_counted_however_lines_are_stored_and_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int, in_files: bool, storage: Any
) -> None:
    """400 lines of two units with 150 different ids, in pieces of 20 lines and three files."""
    rng = random.Random(7)  # noqa: S311
    drawn = [f"L{rng.randrange(150)}" for _ in range(400)]
    ids = [rng.choice([None, "", *[name] * 8]) for name in drawn]
    tables = joined(ward_with(ids[:250]), of_unit(ward_with(ids[250:]), "V"))
    folder = written(tmp_path, tables)
    lines = pq.read_table(folder / "service_lines.parquet")
    (folder / "service_lines.parquet").unlink()
    (folder / "service_lines").mkdir()
    for number, start in enumerate((0, 100, 300)):
        part = lines.slice(start, (100, 200, 100)[number])
        pq.write_table(part, folder / "service_lines" / f"{number}.parquet", **storage)
    monkeypatch.setattr(line_pieces, "PIECE_ROWS", 20)
    monkeypatch.setattr(line_pieces, "FEWEST_ROWS", 20)
    monkeypatch.setattr(line_ids, "MOST_COMPARED", 30)
    parts_in = tmp_path / "parts"
    parts_in.mkdir()
    options = {"parts_in": parts_in} if in_files else {}
    expected = expected_of(tables["service_lines"])
    assert expected > 100
    found = activity_of(folder, threads=threads, memory=1 << 40, **options)
    assert expected == found.line_ids_doubled
    assert [] == list(parts_in.glob("ids-*"))


@pytest.mark.parametrize(
    "type_", [pa.large_string(), pa.dictionary(pa.int32(), pa.string()), pa.string_view()]
)
def test_other_types_of_text_are_hashed_alike(tmp_path: Path, type_: pa.DataType) -> None:
    folder = written(tmp_path, ward_with(["A", "B", None, "A", ""]))
    path = folder / "service_lines.parquet"
    lines = pq.read_table(path)
    place = lines.schema.get_field_index("line_id")
    pq.write_table(lines.set_column(place, "line_id", lines["line_id"].cast(type_)), path)
    assert 1 == activity_of(folder).line_ids_doubled


def test_both_readers_find_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(tmp_path, ward_with(["A", "B", None, "A", ""]))
    assert 1 == activity_of(folder).line_ids_doubled

    def declined(*_: object) -> Any:
        raise PagesUnsupported("not here")

    monkeypatch.setattr(netted_pieces, "page_blocks", declined)
    assert 1 == activity_of(folder).line_ids_doubled


def test_equal_hashes_of_different_ids_are_no_doubled_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All ids get the same hash: only A, whose bytes stand twice, is doubled."""
    tables = ward_with(["A", "B", "C", "A", "D"])

    def same(found: Callable[..., Any]) -> Callable[..., Any]:
        def hashed(*given: Any) -> Any:
            hashes, states = found(*given)
            return np.where(hashes == 0, 0, 42), states

        return hashed

    monkeypatch.setattr("medcost.page_reader.plain_hashes", same(text_hashes.plain_hashes))
    monkeypatch.setattr("medcost.line_blocks.arrow_hashes", same(text_hashes.arrow_hashes))
    assert 1 == doubled(tmp_path, tables)


def test_an_id_is_found_doubled_where_unit_and_month_stand_in_folders(tmp_path: Path) -> None:
    folder = written(tmp_path, ward_with(["A", "B", "A"]))
    lines = pq.read_table(folder / "service_lines.parquet").drop(["period", "unit_id"])
    (folder / "service_lines.parquet").unlink()
    below = folder / "service_lines" / f"period={MONTH}" / "unit_id=U"
    below.mkdir(parents=True)
    pq.write_table(lines, below / "lines.parquet")
    assert 1 == activity_of(folder).line_ids_doubled
