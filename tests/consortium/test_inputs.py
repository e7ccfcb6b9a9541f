"""What the consortium reads: all faults of all tables together, members sorted by id."""

from __future__ import annotations

from pathlib import Path

import pytest

from medcost import tables as schemas
from medcost.checks import consortium as checks
from medcost.checks.findings import Finding
from medcost.checks.rows import row_finding
from medcost.consortium.inputs import read_consortium
from medcost.errors import Fault, InputRejected

from .books import MONTH, UNITS, written

POSTED = {"period": MONTH, "from_unit_id": "L", "to_unit_id": "T", "item_id": "a", "amount": 1}
POSTED |= {"element": "staff"}


@pytest.fixture(autouse=True)
def _one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let share read a table that names two units: any table with a schema will do."""
    monkeypatch.setitem(schemas.CONSORTIUM_INPUTS, "share", ("out_intercompany",))


def refused(folder: Path, *needed: str, periods: list[str] | None = None) -> list[tuple[str, str]]:
    with pytest.raises(InputRejected) as rejected:
        read_consortium(folder, "share", needed, periods)
    return [(fault.code, fault.where[0]) for fault in rejected.value.faults]


def test_members_are_sorted_by_id_whatever_the_order_of_the_rows(tmp_path: Path) -> None:
    """T has no name, so its id stands for it; townships and villages are grassroots."""
    book = written(tmp_path / "b", {"units": UNITS[::-1], "out_intercompany": [POSTED]})
    read = read_consortium(book, "share", ["out_intercompany"])
    members = read.members
    assert members.unit_ids == ("L", "T", "V")
    assert members.names == ("Lead", "T", "Clinic")
    assert members.kinds == ("lead", "township", "village")
    assert members.grassroots.tolist() == [False, True, True]
    rows = read.tables["out_intercompany"]
    assert members.of(rows.text["to_unit_id"]).tolist() == [1]


def test_what_units_says_of_grassroots_goes_before_the_kind(tmp_path: Path) -> None:
    units = [UNITS[0] | {"grassroots": True}, UNITS[1] | {"grassroots": False}, UNITS[2]]
    book = written(tmp_path / "b", {"units": units, "out_intercompany": [POSTED]})
    assert read_consortium(book, "share", []).members.grassroots.tolist() == [True, False, True]


def test_faults_of_all_tables_are_shown_together(tmp_path: Path) -> None:
    """A kind that is none, a month that is none, an unknown unit in each column of units."""
    units = [*UNITS, {"unit_id": "W", "kind": "shop"}]
    rows = [
        POSTED | {"period": "2026-1"},
        POSTED | {"from_unit_id": "X"},
        POSTED | {"to_unit_id": "Y"},
        POSTED | {"element": "staff "},
        POSTED | {"item_id": "b"},
        POSTED | {"item_id": "b"},
    ]
    book = written(tmp_path / "b", {"units": units, "out_intercompany": rows})
    name = "out_intercompany.parquet"
    assert refused(book) == [
        ("value-not-allowed", "units.parquet, kind: 'shop' (1 row)"),
        ("period-format", f"{name}, period: '2026-1' (1 row)"),
        ("value-not-allowed", f"{name}, element: 'staff ' (1 row)"),
        ("duplicate-key", f"{name} row 6"),
        ("unit-not-listed", f"{name}, from_unit_id: 'X' (1 row)"),
        ("unit-not-listed", f"{name}, to_unit_id: 'Y' (1 row)"),
    ]


def test_a_row_of_another_month_is_nobodys_fault(tmp_path: Path) -> None:
    rows = [POSTED, POSTED | {"period": "2026-02", "to_unit_id": "Y"}]
    book = written(tmp_path / "b", {"out_intercompany": rows})
    assert read_consortium(book, "share", [], [MONTH]).tables["out_intercompany"].n == 2
    assert [code for code, _ in refused(book)] == ["unit-not-listed"]


def test_a_table_that_is_needed_and_missing_or_empty_is_named(tmp_path: Path) -> None:
    bare = written(tmp_path / "bare", {})
    assert [code for code, _ in refused(bare, "out_intercompany")] == ["table-missing"]
    assert "out_intercompany" not in read_consortium(bare, "share", []).tables
    empty = written(tmp_path / "empty", {"out_intercompany": []})
    assert [code for code, _ in refused(empty, "out_intercompany")] == ["table-empty"]
    (empty / "units.parquet").unlink()
    assert [code for code, _ in refused(empty)] == ["table-missing", "table-empty"]
    assert [code for code, _ in refused(tmp_path / "nowhere")] == ["book-not-found"]


def test_a_table_of_the_kind_that_is_there_and_empty_is_named_even_where_it_is_not_needed(
    tmp_path: Path,
) -> None:
    """A failed export of what members did with each other would publish their sum."""
    book = written(tmp_path / "b", {"units": UNITS, "out_intercompany": []})
    assert [("table-empty", "'out_intercompany.parquet'")] == refused(book)


def test_a_broken_file_is_named_with_the_faults_of_the_others(tmp_path: Path) -> None:
    book = written(tmp_path / "b", {"out_intercompany": [POSTED | {"to_unit_id": "Y"}]})
    (book / "units.parquet").write_text("unit_id,kind")
    assert refused(book) == [("file-unreadable", "'units.parquet'")]


def test_a_table_is_held_against_checks_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def negative(book: checks.Book, considered: checks.NDArray[checks.np.bool_]) -> list[Finding]:
        rows = book.tables["out_intercompany"]
        found = row_finding(
            rows, "value-negative", "amount", considered & (rows.values("amount") < 0)
        )
        return [] if found is None else [found]

    def in_words(*_: object) -> list[Fault]:
        return [Fault("amount-out-of-range", "Too much.", ("somewhere",))]

    monkeypatch.setattr(checks, "FINDINGS", {"out_intercompany": negative})
    monkeypatch.setattr(checks, "FAULTS", {"out_intercompany": in_words})
    book = written(tmp_path / "b", {"out_intercompany": [POSTED | {"amount": -1}]})
    with pytest.raises(InputRejected) as rejected:
        read_consortium(book, "share", [])
    first, second = rejected.value.faults
    assert first.what == "1 out_intercompany row has a negative amount."
    assert second.what == "Too much."
