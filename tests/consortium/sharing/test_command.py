"""`medcost share` as a command: it publishes, says what it did, and refuses by name."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from consortium.books import MONTH, as_table
from consortium.sharing.test_stage import LABORATORY, UNITS, members, service, volumes
from consortium.test_commands import medcost
from medcost.sample.consortium import Members
from medcost.sample.consortium_sharing import sharing_tables
from medcost.sample.streams import months_of
from medcost.verification import verify_folder

TABLES = ("share", "share_coalition", "share_posting", "share_rule", "share_service")


def write(folder: Path, **tables: Any) -> Path:
    """Write a book of these tables."""
    folder.mkdir(parents=True)
    for name, rows in {"units": UNITS, **tables}.items():
        pq.write_table(as_table(name, rows), folder / f"{name}.parquet")
    return folder


def share(book: Path, out: Path, *options: object) -> int:
    """Run the command; its exit code."""
    return medcost("share", book, "--period", MONTH, "--out", out, *options)


def published(out: Path) -> dict[str, bytes]:
    """Return the published tables' bytes."""
    (run,) = out.glob("run=*")
    return {name: (run / f"{name}.parquet").read_bytes() for name in TABLES}


def county(folder: Path, villages: int, turned: bool = False) -> Path:
    """Write the sample's services for 1 lead, 12 townships and villages."""
    kinds = ["lead", *["township"] * 12, *["village"] * villages]
    units = [f"U{i:03d}" for i in range(1, len(kinds) + 1)]
    folder.mkdir()
    register = [{"unit_id": unit, "kind": kind} for unit, kind in zip(units, kinds, strict=True)]
    tables = {"units": as_table("units", register)}
    tables |= sharing_tables(Members(tuple(units), tuple(kinds), months_of([MONTH]), 7))
    for name, table in tables.items():
        rows = list(range(len(table)))
        pq.write_table(table.take(rows[::-1] if turned else rows), folder / f"{name}.parquet")
    return folder


def test_a_month_is_published_verified_and_published_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last line says what was done; the same again publishes nothing."""
    book = write(
        tmp_path / "book", shared_services=[service("shapley", game="listed")], **LABORATORY
    )
    out = tmp_path / "out"
    assert share(book, out) == 0
    printed = capsys.readouterr().out
    assert (
        printed.splitlines()[-1] == "done: share, 1 month, 3 members, 1 published, 0 already there"
    )
    assert "S: nobody would leave; the worst placed: A and B together save 7.50 yuan" in printed
    assert share(book, out) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("0 published, 1 already there")
    assert not verify_folder(out).faults


def test_an_aggrieved_coalition_is_printed_and_noted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By agreement C bears 50 of 100, alone it would pay 40."""
    agreed = members(
        A={"agreed_share": "0.3", "stand_alone_cost": "60"},
        B={"agreed_share": "0.2", "stand_alone_cost": "50"},
        C={"agreed_share": "0.5", "stand_alone_cost": "40"},
    )
    book = write(
        tmp_path / "book",
        shared_services=[service("agreed", game="listed")],
        shared_service_members=agreed,
        coalition_costs=LABORATORY["coalition_costs"],
    )
    assert share(book, tmp_path / "out") == 0
    printed = capsys.readouterr()
    said = "S: a coalition would be better off alone; the worst placed: C bears 10.00 yuan more"
    assert said in printed.out.replace("\n", " ")
    assert said in printed.err


def test_faults_end_with_exit_code_3_and_publish_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of them together: a member without a volume and a negative one."""
    rows = [*volumes(A=1, B=-2), *members("T", A={})]
    services = [service("driver"), service("driver", service_id="T")]
    book = write(tmp_path / "book", shared_services=services, shared_service_members=rows)
    assert share(book, tmp_path / "out") == 3
    printed = capsys.readouterr().err
    assert "[value-negative]" in printed
    assert "[service-volume-missing] Service 'T' of 2026-01 is shared by volume" in printed
    assert not (tmp_path / "out" / "CURRENT.json").exists()


def test_check_finds_the_faults_of_shared_services(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A circle of services, found without sharing anything."""
    services = [
        service(included_in="T"),
        service(service_id="T", included_in="S"),
    ]
    book = write(tmp_path / "book", shared_services=services)
    assert medcost("check", book) == 3
    assert "[service-cycle]" in capsys.readouterr().err


def test_111_members_whatever_the_order_of_rows_give_the_same_bytes(tmp_path: Path) -> None:
    """1 lead, 12 townships, 98 villages; ten services, of which one is checked by search."""
    one, two = tmp_path / "one", tmp_path / "two"
    assert share(county(tmp_path / "a", 98), one, "--quiet") == 0
    assert share(county(tmp_path / "b", 98, turned=True), two, "--quiet") == 0
    assert published(one) == published(two)
    (run,) = one.glob("run=*")
    services = pq.read_table(run / "share_service.parquet").to_pylist()
    assert {row["core"] for row in services if row["game"]} == {"inside"}
    assert {row["checked_by"] for row in services} == {"none", "list", "formula", "search"}
