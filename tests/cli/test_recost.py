"""`medcost recost`: what-ifs equal fresh runs; what it refuses; what runs keep and do not keep."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from subprocess import CompletedProcess

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from medcost.book import SMALL_TABLES

from .conftest import Medcost
from .test_run import VARIANCES

MODEL, OTHER = "three_level_step_down_2021", "reciprocal"
MONTH = ("--period", "2026-01")
Tables = dict[str, pa.Table]


def run_of(out: Path, period: str = "2026-01") -> Path:
    """Return the run folder of a month."""
    current = json.loads((out / "CURRENT.json").read_text("utf-8"))
    return out / current["runs"][period]["U01"]


def manifest_of(run: Path) -> dict:
    return json.loads((run / "manifest.json").read_text("utf-8"))


def tables_of(out: Path) -> Tables:
    """Return the result tables of January, without the comparison and without variances."""
    paths = run_of(out).glob("*.parquet")
    aside = {"comparison", *VARIANCES}
    return {path.stem: pq.read_table(path) for path in paths if path.stem not in aside}


def require_equal(expected: Tables, found: Tables) -> None:
    assert expected.keys() == found.keys()
    for name, table in expected.items():
        assert table.equals(found[name]), name


def codes_of(done: CompletedProcess[str]) -> list[str]:
    return re.findall(r"^\[([\w-]+)\]", done.stderr, re.MULTILINE)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, medcost: Medcost, sample_book: Path) -> Path:
    """Two months of the sample, all kept."""
    out = tmp_path_factory.mktemp("recost") / "runs"
    done = medcost("run", sample_book, "--period", "all", "--model", MODEL, "--out", out, "--quiet")
    assert (0, "") == (done.returncode, done.stderr)
    return out


def recosted(medcost: Medcost, runs: Path, out: Path, *options: object) -> CompletedProcess[str]:
    done = medcost("recost", runs, *MONTH, "--out", out, *options)
    assert (0, "") == (done.returncode, done.stderr)
    return done


def doubled(table: pa.Table, column: str, rows: int) -> pa.Table:
    """Return the table with a number of every other of its first rows doubled."""
    first = pa.array([i < rows and i % 2 == 0 for i in range(len(table))])
    kind = table.schema.field(column).type
    twice = pc.multiply(table[column], pa.scalar(2)).cast(kind)
    at = table.schema.get_field_index(column)
    return table.set_column(at, column, pc.if_else(first, twice, table[column]))


def test_nothing_changed_gives_the_same_tables_and_an_empty_comparison(
    runs: Path, medcost: Medcost, tmp_path: Path
) -> None:
    recosted(medcost, runs, tmp_path / "o")
    require_equal(tables_of(runs), tables_of(tmp_path / "o"))
    assert 0 == pq.read_metadata(run_of(tmp_path / "o") / "comparison.parquet").num_rows
    found, original = manifest_of(run_of(tmp_path / "o")), manifest_of(run_of(runs))
    assert original["run"] == found["recost_of"] != found["run"]
    assert original["recost_of"] is None
    assert original["totals"] == found["totals"]
    again = recosted(medcost, runs, tmp_path / "o")
    assert "already published, nothing new" in again.stdout


KEYS = {
    "department": ("department_cost", "full_cost", ("unit_id", "dept_id")),
    "service_item": ("service_item_cost", "total", ("unit_id", "dept_id", "item_id")),
    "drg_group": ("drg_cost", "total", ("unit_id", "scheme", "drg_id")),
}


def costs_of(tables: Tables, level: str) -> dict[tuple[str, ...], Decimal]:
    """Return the cost of everything of a level, by its keys."""
    table, column, keys = KEYS[level]
    sums: dict[tuple[str, ...], Decimal] = {}
    for row in tables[table].to_pylist():
        key = tuple(row[name] or "" for name in keys)
        sums[key] = sums.get(key, Decimal(0)) + row[column]
    return sums


def require_compared(out: Path, runs: Path) -> int:
    """Require that the comparison says what moved between two runs; return its rows."""
    rows = pq.read_table(run_of(out) / "comparison.parquet").to_pylist()
    for level, (_, _, keys) in KEYS.items():
        before, after = costs_of(tables_of(runs), level), costs_of(tables_of(out), level)
        zero = Decimal(0)
        moved = {
            key: (before.get(key, zero), after.get(key, zero))
            for key in {*before, *after}
            if before.get(key, zero) != after.get(key, zero)
        }
        of_level = [row for row in rows if row["level"] == level]
        found = {tuple(r[k] or "" for k in keys): (r["before"], r["after"]) for r in of_level}
        assert len(found) == len(of_level)
        assert moved == found
        changes = sum((row["change"] for row in of_level), zero)
        assert sum(after.values(), zero) - sum(before.values(), zero) == changes
        for row in of_level:
            assert "2026-01" == row["period"]
            assert row["after"] - row["before"] == row["change"]
            if row["before"]:
                rate = row["change"] / row["before"]
                assert abs(row["change_rate"] - rate) <= Decimal("0.0000005")
            else:
                assert row["change_rate"] is None
    return len(rows)


def test_another_model_gives_what_a_fresh_run_with_it_gives(
    runs: Path, medcost: Medcost, sample_book: Path, tmp_path: Path
) -> None:
    model = ("--model", OTHER)
    recosted(medcost, runs, tmp_path / "o", *model)
    done = medcost("run", sample_book, *MONTH, *model, "--out", tmp_path / "fresh", "--quiet")
    assert 0 == done.returncode, done.stderr
    require_equal(tables_of(tmp_path / "fresh"), tables_of(tmp_path / "o"))
    assert require_compared(tmp_path / "o", runs) > 0
    kept = run_of(tmp_path / "o") / "kept" / "model.toml"
    shipped = Path(__file__).resolve().parents[2] / "allocation_models" / f"{OTHER}.toml"
    assert shipped.read_bytes() == kept.read_bytes()


@pytest.mark.parametrize(
    ("table", "column", "rows"),
    [
        ("ledger", "amount", 40),
        ("drivers", "quantity", 60),
        ("item_weights", "weight", 30),
        ("drg_prices", "price", 10),
    ],
)
def test_a_table_replaced_gives_what_a_fresh_run_of_the_changed_book_gives(
    runs: Path, medcost: Medcost, sample_book: Path, tmp_path: Path, table: str, column: str,
    rows: int,
) -> None:  # fmt: skip
    """Some rows doubled; prices move no cost, so that only they compare as equal."""
    shutil.copytree(sample_book, tmp_path / "book")
    changed = tmp_path / "book" / f"{table}.parquet"
    pq.write_table(doubled(pq.read_table(changed), column, rows), changed)
    options = ("--model", MODEL, "--out", tmp_path / "fresh", "--quiet")
    done = medcost("run", tmp_path / "book", *MONTH, *options)
    assert 0 == done.returncode, done.stderr
    recosted(medcost, runs, tmp_path / "o", "--replace", f"{table}={changed}")
    require_equal(tables_of(tmp_path / "fresh"), tables_of(tmp_path / "o"))
    assert (require_compared(tmp_path / "o", runs) > 0) == (table != "drg_prices")
    before, after = tables_of(runs), tables_of(tmp_path / "o")
    assert any(not before[name].equals(after[name]) for name in before)
    kept = run_of(tmp_path / "o") / "kept" / "book" / f"{table}.parquet"
    assert changed.read_bytes() == kept.read_bytes()
    original = run_of(runs) / "kept" / "book" / f"{table}.parquet"
    assert (sample_book / f"{table}.parquet").read_bytes() == original.read_bytes()


def test_a_what_if_is_explained_and_costed_again(
    runs: Path, medcost: Medcost, sample_book: Path, tmp_path: Path
) -> None:
    """Back to the first ledger: the tables of the first run, two steps away from it."""
    first = sample_book / "ledger.parquet"
    pq.write_table(doubled(pq.read_table(first), "amount", 40), tmp_path / "ledger.parquet")
    there = ("--replace", f"ledger={tmp_path / 'ledger.parquet'}")
    recosted(medcost, runs, tmp_path / "there", *there)
    row = max(tables_of(tmp_path / "there")["drg_cost"].to_pylist(), key=lambda r: r["total"])
    group = ("--drg", row["drg_id"], "--unit", row["unit_id"])
    done = medcost("explain", tmp_path / "there", *MONTH, *group)
    assert (0, "") == (done.returncode, done.stderr)
    assert f"add up to {row['total']:,.2f} yuan." in done.stdout
    shutil.move(tmp_path / "there", tmp_path / "moved")
    recosted(medcost, tmp_path / "moved", tmp_path / "back", "--replace", f"ledger={first}")
    require_equal(tables_of(runs), tables_of(tmp_path / "back"))
    assert (
        manifest_of(run_of(tmp_path / "back"))["recost_of"]
        == (manifest_of(run_of(tmp_path / "moved"))["run"])
    )
    require_kept_listed(run_of(tmp_path / "back"))


def require_kept_listed(run: Path) -> None:
    """Require that the manifest lists every kept file with its bytes and SHA-256, and no other."""
    listed = {record["name"]: record for record in manifest_of(run)["kept"]}
    files = [path for path in (run / "kept").rglob("*") if path.is_file()]
    assert {path.relative_to(run).as_posix() for path in files} == set(listed)
    for name, record in listed.items():
        content = (run / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == record["sha256"]
        assert len(content) == record["rows"]


@pytest.mark.parametrize("period", ["2026-01", "2026-02"])
def test_kept_files_are_listed_with_their_bytes(runs: Path, period: str, sample_book: Path) -> None:
    run = run_of(runs, period)
    require_kept_listed(run)
    names = {record["name"] for record in manifest_of(run)["kept"]}
    books = {path.name for path in sample_book.iterdir() if path.stem in SMALL_TABLES}
    assert {f"kept/book/{name}" for name in books} | {"kept/model.toml"} < names
    activity = {name for name in names if name.startswith("kept/activity/")}
    assert names == activity | {f"kept/book/{name}" for name in books} | {"kept/model.toml"}
    assert any(re.fullmatch(r"kept/activity/part-\d{5}\.arrow", name) for name in activity)


def refused(
    medcost: Medcost, out: Path, exit_code: int, *arguments: object
) -> CompletedProcess[str]:
    """Return how recost ends that must publish nothing."""
    done = medcost("recost", *arguments, "--out", out)
    assert (exit_code, "") == (done.returncode, done.stdout), done.stderr
    assert "Traceback" not in done.stderr
    assert not (out / "CURRENT.json").exists()
    return done


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), "run-ambiguous"),
        (("--period", "2025-12"), "run-not-found"),
        ((*MONTH, "--unit", "U99"), "run-not-found"),
        (("--unit", "U01"), "run-ambiguous"),
    ],
)
def test_a_run_that_is_not_the_only_one_is_refused(
    runs: Path, medcost: Medcost, tmp_path: Path, options: tuple[str, ...], code: str
) -> None:
    assert [code] == codes_of(refused(medcost, tmp_path / "o", 3, runs, *options))


def test_a_run_folder_itself_needs_no_period(runs: Path, medcost: Medcost, tmp_path: Path) -> None:
    done = medcost("recost", run_of(runs, "2026-02"), "--out", tmp_path / "o", "--quiet")
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)
    assert "2026-02" == manifest_of(run_of(tmp_path / "o", "2026-02"))["period"]


@pytest.mark.parametrize("gone", ["kept", "kept/activity", "manifest.json"])
def test_a_run_whose_kept_files_are_gone_is_refused(
    runs: Path, medcost: Medcost, tmp_path: Path, gone: str
) -> None:
    shutil.copytree(runs, tmp_path / "runs")
    path = run_of(tmp_path / "runs") / gone
    path.unlink() if path.is_file() else shutil.rmtree(path)
    done = refused(medcost, tmp_path / "o", 3, tmp_path / "runs", *MONTH)
    assert ["run-not-kept"] == codes_of(done)


@pytest.mark.parametrize(
    ("pattern", "damage"),
    [
        ("activity/part-*.arrow", "cut"),
        ("activity/part-*.arrow", "gone"),
        ("book/ledger.parquet", "gone"),
    ],
)
def test_a_run_with_a_kept_file_cut_or_gone_is_refused(
    runs: Path, medcost: Medcost, tmp_path: Path, pattern: str, damage: str
) -> None:
    """A fault with a name, where the sums of what is left would not fit one another."""
    shutil.copytree(runs, tmp_path / "runs")
    path = next((run_of(tmp_path / "runs") / "kept").glob(pattern))
    content = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(content[:-100])
    done = refused(medcost, tmp_path / "o", 3, tmp_path / "runs", *MONTH)
    assert ["run-not-kept"] == codes_of(done)
    done = medcost("explain", tmp_path / "runs", *MONTH, "--dept", "C01", "--unit", "U01")
    assert (3, "") == (done.returncode, done.stdout)
    assert ["run-not-kept"] == codes_of(done)


def test_a_run_without_matrix_is_the_same_run_and_cannot_be_costed_again(
    runs: Path, medcost: Medcost, sample_book: Path, tmp_path: Path
) -> None:
    command = ("run", sample_book, *MONTH, "--model", MODEL, "--quiet", "--out")
    done = medcost(*command, tmp_path / "bare", "--no-matrix")
    assert (0, "") == (done.returncode, done.stdout)
    bare = run_of(tmp_path / "bare")
    assert run_of(runs).name == bare.name
    assert not (bare / "kept").exists()
    assert "kept" not in manifest_of(bare)
    done = refused(medcost, tmp_path / "o", 3, tmp_path / "bare")
    assert ["run-not-kept"] == codes_of(done)


def test_the_month_run_again_keeps_what_the_run_there_does_not(
    runs: Path, medcost: Medcost, sample_book: Path, tmp_path: Path
) -> None:
    """The advice of run-not-kept works; the third time nothing is new, nor without a matrix."""
    shutil.copytree(runs, tmp_path / "o")
    run = run_of(tmp_path / "o")
    next((run / "kept" / "activity").glob("part-*.arrow")).unlink()
    command = ("run", sample_book, *MONTH, "--model", MODEL, "--out", tmp_path / "o")
    assert "nothing new" in medcost(*command, "--no-matrix").stdout
    done = medcost(*command)
    assert 0 == done.returncode, done.stderr
    assert "nothing new" not in done.stdout
    require_kept_listed(run)
    assert "nothing new" in medcost(*command).stdout
    recosted(medcost, tmp_path / "o", tmp_path / "p")


@pytest.mark.parametrize("memory", ["256MiB", "800000000"])
def test_memory_changes_no_run(
    runs: Path, medcost: Medcost, sample_book: Path, tmp_path: Path, memory: str
) -> None:
    options = ("--model", MODEL, "--out", tmp_path / "o", "--quiet", "--memory", memory)
    done = medcost("run", sample_book, *MONTH, *options)
    assert (0, "") == (done.returncode, done.stdout)
    assert run_of(runs).name == run_of(tmp_path / "o").name


@pytest.mark.parametrize("memory", ["1", "255MiB", "much", "4 Gi", "-4GiB"])
def test_memory_that_is_no_size_or_too_little_exits_2(
    medcost: Medcost, sample_book: Path, tmp_path: Path, memory: str
) -> None:
    options = ("--model", MODEL, "--out", tmp_path / "o", "--memory", memory)
    done = medcost("run", sample_book, *MONTH, *options)
    assert (2, "") == (done.returncode, done.stdout)
    assert "--memory" in done.stderr
    assert not (tmp_path / "o").exists()


def spoiled(table: pa.Table, row: int, **cells: object) -> pa.Table:
    rows = table.to_pylist()
    rows[row] |= cells
    return pa.Table.from_pylist(rows, table.schema)


def test_a_faulty_table_is_refused_and_its_row_named(
    runs: Path, medcost: Medcost, sample_book: Path, tmp_path: Path
) -> None:
    """One posting is of a department that the unit does not have."""
    ledger = pq.read_table(sample_book / "ledger.parquet")
    pq.write_table(spoiled(ledger, 2, dept_id="NOWHERE"), tmp_path / "bad.parquet")
    replaced = ("--replace", f"ledger={tmp_path / 'bad.parquet'}")
    done = refused(medcost, tmp_path / "o", 3, runs, *MONTH, *replaced)
    assert len(codes_of(done)) == 1
    assert "where  ledger.parquet, dept_id: 'NOWHERE' (1 row)" in done.stderr
    assert [] == [path.name for path in tmp_path.glob(".*")]


@pytest.mark.parametrize(
    "replaced",
    [
        lambda book: [f"cases={book / 'cases.parquet'}"],
        lambda book: [f"service_lines={book / 'service_lines.parquet'}"],
        lambda book: [f"nonsense={book / 'ledger.parquet'}"],
        lambda book: [f"ledger={book / 'absent.parquet'}"],
        lambda book: [f"ledger={book / 'ledger.parquet'}"] * 2,
        lambda book: ["ledger"],
        lambda book: ["ledger="],
        lambda book: [f"={book / 'ledger.parquet'}"],
    ],
    ids=["cases", "lines", "unknown", "missing", "twice", "no file", "empty", "no table"],
)
def test_a_table_that_cannot_be_replaced_exits_2(
    runs: Path, medcost: Medcost, sample_book: Path, tmp_path: Path,
    replaced: Callable[[Path], list[str]],
) -> None:  # fmt: skip
    options = [word for pair in replaced(sample_book) for word in ("--replace", pair)]
    done = refused(medcost, tmp_path / "o", 2, runs, *MONTH, *options)
    assert "--replace" in done.stderr


@pytest.mark.parametrize("place", [".", "run", "link"])
def test_a_what_if_does_not_go_where_the_run_is(
    runs: Path, medcost: Medcost, tmp_path: Path, place: str
) -> None:
    (tmp_path / "link").symlink_to(runs)
    out = {"run": run_of(runs), "link": tmp_path / "link"}.get(place, runs / place)
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*")}
    done = medcost("recost", runs, *MONTH, "--out", out)
    assert (2, "") == (done.returncode, done.stdout)
    assert "folder of its own" in done.stderr
    assert before == {path: path.stat().st_mtime_ns for path in runs.rglob("*")}


@pytest.mark.parametrize(
    "options", [("--period", "2026-13"), ("--threads", "0"), ("--memory", "4GiB")]
)
def test_wrong_usage_exits_2(
    runs: Path, medcost: Medcost, tmp_path: Path, options: tuple[str, ...]
) -> None:
    refused(medcost, tmp_path / "o", 2, runs, *options)


def test_a_what_if_is_held_against_the_budget_by_the_command(
    tmp_path: Path, medcost: Medcost, runs: Path, sample_book: Path
) -> None:
    """It has no variance of its own; with nothing changed the command says what the run says.

    January has no month before it in either folder.
    """
    what_if, out = tmp_path / "what_if", tmp_path / "out"
    recosted(medcost, runs, what_if)
    assert not [name for name in VARIANCES if (run_of(what_if) / f"{name}.parquet").exists()]
    budget = sample_book / "budget.parquet"
    done = medcost("variance", what_if, "--budget", budget, "--out", out, "--quiet")
    assert (0, "") == (done.returncode, done.stderr)
    for name in VARIANCES:
        found = pq.read_table(run_of(out) / f"{name}.parquet")
        assert found.equals(pq.read_table(run_of(runs) / f"{name}.parquet")), name
