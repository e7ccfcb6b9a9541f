"""The programs of the pages on schedulers and BI tools do what the pages say."""

from __future__ import annotations

import configparser
import datetime
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

HOW_TO = Path(__file__).parents[2] / "docs" / "how_to"
SCHEDULE, BI = HOW_TO / "schedule.md", HOW_TO / "bi.md"
MODEL = "three_level_step_down_2021"


def programs(page: Path) -> dict[str, str]:
    """Programs of a page by the name that they are saved as."""
    text = page.read_text("utf-8")
    found = re.findall(r"`([\w.]+)`:\n\n```\w+\n(.*?)^```$", text, re.M | re.S)
    return dict(found)


def queries(page: Path) -> list[str]:
    return re.findall(r"^```sql\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("how_to") / "book"
    command = [sys.executable, "-m", "medcost", "sample", str(folder), "--hospitals", "2"]
    subprocess.run([*command, "--lines", "3000", "--quiet"], check=True)
    return folder


@pytest.fixture
def surroundings(tmp_path: Path, book: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Variables of the script, and `medcost` first on the path."""
    (tmp_path / "bin").mkdir()
    command = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m medcost "$@"\n'
    (tmp_path / "bin" / "medcost").write_text(command)
    for name, text in programs(SCHEDULE).items():
        if name.endswith(".sh"):
            (tmp_path / "bin" / name).write_text(text)
    for program in (tmp_path / "bin").iterdir():
        program.chmod(0o755)
    values = {
        "BOOK": str(book),
        "MODEL": MODEL,
        "RUNS": str(tmp_path / "runs"),
        "LOG": str(tmp_path / "log"),
        "WAIT": "0",
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return values


def published(surroundings: dict[str, str]) -> list[str]:
    current = json.loads((Path(surroundings["RUNS"]) / "CURRENT.json").read_text("utf-8"))
    return list(current["runs"])


# Schedulers


def test_the_script_publishes_the_month_and_logs_a_summary(surroundings: dict[str, str]) -> None:
    done = subprocess.run(["month_end.sh", "2026-01"], capture_output=True, text=True, check=True)
    assert "difference" in done.stdout
    assert published(surroundings) == ["2026-01"]
    last = json.loads(Path(surroundings["LOG"]).read_text("utf-8").splitlines()[-1])
    assert (last["event"], last["exit_code"]) == ("summary", 0)


@pytest.mark.parametrize(
    ("codes", "tries", "end"), [((5, 0), 2, 0), ((5, 143, 137), 3, 137), ((3,), 1, 3), ((4,), 1, 4)]
)
def test_the_script_tries_again_where_that_may_help(
    tmp_path: Path, surroundings: dict[str, str], codes: tuple[int, ...], tries: int, end: int
) -> None:
    """`medcost` is one that ends with the codes, one after another."""
    count = tmp_path / "count"
    listed = "\n".join(f"  {i + 1}) exit {code} ;;" for i, code in enumerate(codes))
    fake = f"#!/bin/sh\necho x >>{count}\ncase $(wc -l <{count}) in\n{listed}\nesac\n"
    (tmp_path / "bin" / "medcost").write_text(fake)
    done = subprocess.run(["month_end.sh"], capture_output=True, check=False)
    assert (end, tries) == (done.returncode, len(count.read_text().split()))


def test_without_a_month_the_script_takes_the_last_one(
    tmp_path: Path, surroundings: dict[str, str]
) -> None:
    (tmp_path / "bin" / "medcost").write_text('#!/bin/sh\necho "$4"\n')
    done = subprocess.run(["month_end.sh"], capture_output=True, text=True, check=True)
    first = datetime.date.today().replace(day=1)
    assert done.stdout.strip() == f"{first - datetime.timedelta(days=1):%Y-%m}"


def test_the_crontab_runs_the_script_in_its_surroundings(
    tmp_path: Path, surroundings: dict[str, str]
) -> None:
    """cron sets the variables, then hands the sixth field to sh."""
    lines = programs(SCHEDULE)["medcost.cron"].splitlines()
    variables = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z]+=", line))
    assert set(variables) == {"BOOK", "MODEL", "RUNS", "LOG", "MAILTO", "PATH"}
    (entry,) = [line for line in lines if re.match(r"[0-9*]", line)]
    minute, hour, day, month, weekday, command = entry.split(None, 5)
    assert (minute, hour, day, month, weekday) == ("30", "3", "2", "*", "*")
    (tmp_path / "bin" / "medcost").write_text('#!/bin/sh\necho "$@"\n')
    here = surroundings["PATH"].split(":")[0]
    path = variables["PATH"].replace("/opt/medcost/bin", here)
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env=variables | {"PATH": path, "LOG": surroundings["LOG"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("run /srv/finance/book --period 20")


def unit_file(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(programs(SCHEDULE)[name])
    return parser


def test_the_service_runs_last_month_and_is_not_restarted_for_faults_of_the_book(
    tmp_path: Path, surroundings: dict[str, str]
) -> None:
    """systemd reads %% as % and $$ as $."""
    service = unit_file("medcost.service")["Service"]
    assert service["RestartPreventExitStatus"].split() == ["2", "3", "4"]
    command = service["ExecStart"].replace("%%", "%").replace("$$", "$")
    (tmp_path / "bin" / "medcost").write_text('#!/bin/sh\necho "$@"\n')
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True)
    first = datetime.date.today().replace(day=1)
    last_month = f"{first - datetime.timedelta(days=1):%Y-%m}"
    fixed = f"run {surroundings['BOOK']} --model {MODEL} --out {surroundings['RUNS']}"
    assert done.stdout.strip() == f"{fixed} --resume --json-log --period {last_month}"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not there")
def test_systemd_finds_no_fault_in_the_units(tmp_path: Path) -> None:
    for name in ("medcost.service", "medcost.timer"):
        (tmp_path / name).write_text(programs(SCHEDULE)[name])
    command = ["systemd-analyze", "verify", *map(str, sorted(tmp_path.glob("medcost.*")))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "medcost" in line and "User" not in line]
    assert ours == []
    calendar = unit_file("medcost.timer")["Timer"]["OnCalendar"]
    checked = ["systemd-analyze", "calendar", calendar]
    assert subprocess.run(checked, capture_output=True, check=False).returncode == 0


class Failed(Exception):
    """Stands for AirflowFailException."""


def airflow(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Put stand-ins for what the page uses of Airflow; return what they were told."""
    told: dict[str, Any] = {}

    def dag(**options: Any) -> Callable[..., Any]:
        told["dag"] = options
        return lambda function: function

    def task(**options: Any) -> Callable[..., Any]:
        def decorated(function: Callable[..., Any]) -> Callable[..., None]:
            told["task"], told["function"] = options, function
            return lambda: None

        return decorated

    for name, content in (
        ("airflow", {}),
        ("airflow.decorators", {"dag": dag, "task": task}),
        ("airflow.exceptions", {"AirflowFailException": Failed}),
    ):
        module = types.ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    return told


def test_the_airflow_task_costs_the_month_of_its_interval_and_fails_for_good_on_faults(
    surroundings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against stand-ins for Airflow, which is not installed for the tests."""
    told = airflow(monkeypatch)
    exec(compile(programs(SCHEDULE)["medcost_dag.py"], "medcost_dag.py", "exec"), {})  # noqa: S102
    assert (told["dag"]["max_active_runs"], told["task"]["retries"]) == (1, 3)
    begun = datetime.datetime(2026, 1, 2, 3, 30, tzinfo=datetime.UTC)
    told["function"](data_interval_start=begun)
    assert published(surroundings) == ["2026-01"]
    with pytest.raises(Failed, match="faults in the book"):
        told["function"](data_interval_start=begun.replace(year=2031))
    (Path(surroundings["RUNS"]) / "CURRENT.json").write_text("{]")
    with pytest.raises(subprocess.CalledProcessError):
        told["function"](data_interval_start=begun)


def test_the_dolphinscheduler_task_ends_as_killed_where_another_try_is_no_use(
    tmp_path: Path, surroundings: dict[str, str]
) -> None:
    """DolphinScheduler puts the value of ${month} into the script before it runs."""
    script = programs(SCHEDULE)["dolphin_task.sh"]
    for month, code in (("2026-01", 0), ("2031-01", 137)):
        command = ["sh", "-c", script.replace("${month}", month)]
        assert subprocess.run(command, capture_output=True, check=False).returncode == code
    (tmp_path / "bin" / "medcost").write_text("#!/bin/sh\nexit 5\n")
    assert subprocess.run(["sh", "-c", script], capture_output=True, check=False).returncode == 5


# BI tools


@pytest.fixture(scope="module")
def star(tmp_path_factory: pytest.TempPathFactory, book: Path) -> Path:
    """Two months, one unit of January published again by itself, and the star schema of it."""
    place = tmp_path_factory.mktemp("bi")
    fixed = [sys.executable, "-m", "medcost", "run", str(book), "--model", MODEL, "--quiet"]
    for options in (["--period", "all"], ["--period", "2026-01", "--unit", "U02"]):
        subprocess.run([*fixed, "--out", "runs", *options], cwd=place, check=True)
    for name, text in programs(BI).items():
        (place / name).write_text(text)
    subprocess.run([sys.executable, "star.py"], cwd=place, check=True)
    return place


def total(place: Path, sql: str) -> Any:
    with duckdb.connect(str(place / "star" / "star.duckdb"), read_only=True) as connection:
        row = connection.execute(sql).fetchone()
    assert row is not None
    return row[0]


def test_the_star_schema_has_every_published_row_once(star: Path) -> None:
    """Every fact adds up to the manifests; the unit published again does not count twice."""
    runs = star / "runs"
    current = json.loads((runs / "CURRENT.json").read_text("utf-8"))["runs"]
    assert len({run for units in current.values() for run in units.values()}) == 3
    expected = Decimal(0)
    for units in current.values():
        for unit, run in units.items():
            table = pq.read_table(runs / run / "reconciliation.parquet").to_pylist()
            mine = (row["amount"] for row in table if row["unit_id"] == unit)
            expected += sum(mine, Decimal(0))
    assert expected == total(star, "SELECT sum(amount) FROM fact_reconciliation")
    for name in ("department_cost", "case_cost", "drg_cost", "intercompany"):
        unit = "from_unit_id" if name == "intercompany" else "unit_id"
        rows = sum(
            row[unit] == mine
            for units in current.values()
            for mine, run in units.items()
            for row in pq.read_table(runs / run / f"{name}.parquet").to_pylist()
        )
        assert rows == total(star, f"SELECT count(*) FROM fact_{name}")


def test_every_fact_finds_its_dimensions(star: Path) -> None:
    for fact, dimension, key in (
        ("fact_department_cost", "dim_department", "unit_id, dept_id"),
        ("fact_service_item_cost", "dim_item", "item_id"),
        ("fact_drg_cost", "dim_drg", "scheme, drg_id"),
        ("fact_case_cost", "dim_unit", "unit_id"),
        ("fact_reconciliation", "dim_period", "period"),
        ("fact_reconciliation", "dim_element", "element"),
    ):
        lost = f"SELECT count(*) FROM {fact} ANTI JOIN {dimension} USING ({key})"
        twice = f"SELECT count(*) - count(DISTINCT ({key})) FROM {dimension}"
        assert (total(star, lost), total(star, twice)) == (0, 0), (fact, dimension)


def test_the_queries_of_the_page_answer(star: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(star)
    with duckdb.connect(str(star / "star" / "star.duckdb"), read_only=True) as connection:
        answers = [connection.execute(sql).fetchall() for sql in queries(BI)]
    assert len(answers) == 5
    assert all(answers)
    dearest, _, reconciled, _, described = answers
    assert [cost for _, cost in dearest] == sorted((cost for _, cost in dearest), reverse=True)
    assert {row[-1] for row in reconciled} == {Decimal("0.00")}
    columns = json.loads(described[0][0])
    assert columns["margin"] == {"unit": "yuan", "description": "Sum of the cases' margins"}


def test_every_result_column_is_described_in_its_file(star: Path) -> None:
    for path in star.glob("runs/run=*/*.parquet"):
        metadata = pq.read_metadata(path)
        described = json.loads(metadata.metadata[b"medcost.columns"])
        assert list(described) == metadata.schema.names
        assert all(column["description"] for column in described.values())
        assert metadata.metadata[b"medcost.table"].decode() == path.stem
        for i in range(metadata.num_columns if metadata.num_rows else 0):
            assert metadata.row_group(0).column(i).has_offset_index


def test_pandas_adds_up_exactly(star: Path) -> None:
    done = subprocess.run(
        [sys.executable, "margins.py"], cwd=star, check=True, capture_output=True, text=True
    )
    expected = total(star, "SELECT sum(total) FROM fact_drg_cost WHERE period = '2026-01'")
    assert str(expected) in done.stdout
