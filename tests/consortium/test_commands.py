"""What the commands of the consortium have in common: options, exit codes, what they print."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pyarrow.parquet as pq
import pytest

from medcost import cli
from medcost import tables as schemas
from medcost.commands import consortium
from medcost.consortium.identities import IDENTITIES
from medcost.consortium.inputs import ConsortiumInputs
from medcost.consortium.policy import LoadedPolicy, PolicySection, load_policy
from medcost.consortium.publication import ConsortiumResult, Published
from medcost.consortium.solver import SolverFailure
from medcost.errors import Fault, InputRejected
from medcost.messages import LOG
from medcost.verification import verify_folder

from .books import MONTH, policy_file, postings, written

POSTED = {"period": MONTH, "from_unit_id": "L", "to_unit_id": "T", "item_id": "a", "amount": 1}
POSTED |= {"element": "staff"}
Answer = Callable[[ConsortiumInputs, LoadedPolicy[PolicySection], str, Published], ConsortiumResult]


def shared(
    inputs: ConsortiumInputs, _policy: object, period: str, _published: object
) -> ConsortiumResult:
    """L's cost is shared with T: 10.50, posted in the month asked for."""
    table = postings({("L", "T"): 1050})
    ids, seconds = inputs.members.unit_ids, {"share": 0.25}
    return ConsortiumResult("share", period, ids, {"intercompany": table}, seconds=seconds)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], None]:
    """Make `medcost share` one that a function answers."""
    monkeypatch.setitem(schemas.CONSORTIUM_INPUTS, "share", ("out_intercompany",))
    monkeypatch.setitem(schemas.CONSORTIUM_RESULTS, "share", ("intercompany",))
    monkeypatch.setitem(IDENTITIES, "share", ())
    monkeypatch.setitem(cli.COMMANDS, "share", "consortium")

    def answered_by(answer: Answer) -> None:
        question = consortium.Question(
            "share",
            ("out_intercompany",),
            lambda name: load_policy(name, "cost_sharing", PolicySection),
            consortium.each_month(answer),
            lambda console, inputs, result: console.print(f"shared by {inputs.members.names[0]}"),
        )

        @click.command()
        @consortium.consortium_options
        def share(asked: consortium.Asked) -> None:
            """Share."""
            consortium.answer(asked, question)

        monkeypatch.setattr(consortium, "share", share, raising=False)

    answered_by(shared)
    return answered_by


def medcost(*arguments: object) -> int:
    """Run a command in this process; its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["medcost", *map(str, arguments)])
        patch.setattr(sys, "meta_path", [*sys.meta_path])
        # What the command sets up logs to a stream that is closed when the test ends.
        patch.setattr(LOG, "handlers", [])
        try:
            cli.main()
        except SystemExit as ended:
            return int(ended.code or 0)
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    return 0


def share(tmp_path: Path, *options: object, rows: Any = (POSTED,), period: str = MONTH) -> int:
    book = written(tmp_path / "book", {"out_intercompany": rows})
    fixed = ("share", book, "--period", period, "--out", tmp_path / "out")
    return medcost(*fixed, "--policy", policy_file(tmp_path), *options)


@pytest.mark.usefixtures("asked")
def test_a_command_publishes_shows_and_ends_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert share(tmp_path) == 0
    (run,) = (tmp_path / "out").glob("run=*")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2026-01: 3 members, CNY"
    assert lines[1] == "shared by Lead"
    assert run.name in " ".join(lines)
    assert lines[-1] == "done: share, 1 month, 3 members, 1 published, 0 already there"
    assert verify_folder(tmp_path / "out").faults == ()


@pytest.mark.usefixtures("asked")
def test_quiet_prints_nothing_and_the_log_has_one_object_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert share(tmp_path, "--quiet", "--json-log") == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    records = [json.loads(line) for line in printed.err.splitlines()]
    assert [record["event"] for record in records] == ["stage", "published", "summary"]
    assert (records[0]["stage"], records[0]["seconds"]) == ("share", 0.25)
    assert records[1]["kind"] == "share"
    assert records[2]["exit_code"] == 0


@pytest.mark.usefixtures("asked")
def test_all_is_every_month_of_the_tables_that_are_needed(tmp_path: Path) -> None:
    rows = [POSTED, POSTED | {"period": "2026-03"}]
    assert share(tmp_path, "--quiet", rows=rows, period="all") == 0
    current = json.loads((tmp_path / "out" / "CURRENT.json").read_text())
    assert list(current["consortium"]) == [MONTH, "2026-03"]


@pytest.mark.usefixtures("asked")
def test_faults_of_the_policy_and_of_the_tables_are_shown_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.toml").write_text("[policy]\nid = 1\n")
    rows = [POSTED | {"to_unit_id": "X"}]
    assert share(tmp_path, "--policy", tmp_path / "bad.toml", rows=rows) == 3
    shown = capsys.readouterr().err
    for code in ("policy-value", "policy-key-missing", "unit-not-listed"):
        assert f"[{code}]" in shown
    assert not (tmp_path / "out").exists()


def test_faults_of_all_months_are_shown_together(
    tmp_path: Path, asked: Callable[[Answer], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(_inputs: object, _policy: object, period: str, _runs: object) -> Any:
        raise InputRejected([Fault("amount-out-of-range", f"Too much in {period}.", ("here",))])

    asked(refused)
    rows = [POSTED, POSTED | {"period": "2026-02"}]
    assert share(tmp_path, rows=rows, period="2026-01..2026-02") == 3
    shown = capsys.readouterr().err
    assert "Too much in 2026-01." in shown
    assert "Too much in 2026-02." in shown


@pytest.mark.parametrize(
    ("kind", "code"), [("infeasible", 3), ("unbounded", 3), ("time", 5), ("numerical", 4)]
)
def test_a_solver_without_an_answer_is_named_and_publishes_nothing(
    tmp_path: Path,
    asked: Callable[[Answer], None],
    capsys: pytest.CaptureFixture[str],
    kind: Any,
    code: int,
) -> None:
    def unsolved(*_: object) -> Any:
        raise SolverFailure(kind, "the third month")

    asked(unsolved)
    assert share(tmp_path) == code
    shown = capsys.readouterr().err
    assert shown.startswith(f"[solver-{kind}] the third month.\n  where  policy.toml\n  why")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("asked")
def test_check_shows_the_faults_of_a_book_that_has_only_tables_of_the_consortium(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = written(tmp_path / "good", {"out_intercompany": [POSTED]})
    assert medcost("check", book) == 0
    assert capsys.readouterr().out == "No fault found in 2026-01.\n"
    rows = [POSTED, POSTED | {"period": "2026-02", "to_unit_id": "X"}]
    book = written(tmp_path / "bad", {"out_intercompany": rows})
    assert medcost("check", book, "--period", MONTH) == 0
    assert medcost("check", book) == 3
    assert "[unit-not-listed] 1 out_intercompany row names a unit" in capsys.readouterr().err


@pytest.mark.usefixtures("asked")
def test_check_shows_faults_of_costing_and_of_the_consortium_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = written(tmp_path / "book", {"out_intercompany": [POSTED | {"to_unit_id": "X"}]})
    pq.write_table(pq.read_table(book / "units.parquet"), book / "ledger.parquet")
    assert medcost("check", book) == 3
    shown = capsys.readouterr().err
    assert "[unit-not-listed]" in shown
    assert "[column-missing]" in shown
    assert "The book has no table departments." in shown


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_command_is_where_the_command_line_looks_for_it(name: str) -> None:
    command = cli.cli.get_command(click.Context(cli.cli), name)
    assert isinstance(command, click.Command)
    assert command.name == name
