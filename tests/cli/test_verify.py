"""Closed periods, `diff`, `verify` and signatures: what finance signs stays what it signed."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import subprocess
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from books import book, items, line, model, model_file, stay, written
from faults.injection import medcost

from medcost.chain import find_breaks, read_link
from medcost.difference import compare_runs
from medcost.tables import load_table
from medcost.verification import verify_folder


def two_units(tmp_path: Path, pool: int = 100) -> Path:
    """Return January of two units, a ward each: C of U costs the pool, C of V costs 50."""
    tables = book(
        {"C": "clinical"},
        {"C": pool},
        {"C": {"C": 1}},
        items(a=1),
        [line("C", "a", "K", 3), line("C", "a", "L", 1)],
        cases=[stay("K"), stay("L")],
    )
    for name in ("departments", "ledger", "drivers", "service_lines", "cases"):
        tables[name] += [row | {"unit_id": "V"} for row in tables[name]]
    tables["ledger"][-1]["amount"] = Decimal(50)
    tables["units"].append({"unit_id": "V", "kind": "township"})
    return written(tmp_path, tables)


Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a book's January to tmp_path/out in this process; returns the exit code."""
    rules = model_file(tmp_path, model())

    def run(source: Path, *options: object) -> int:
        fixed = ("run", source, "--period", "2026-01", "--quiet", "--threads", 1)
        if "--model" not in options:
            options = (*options, "--model", rules)
        return medcost((*fixed, "--out", tmp_path / "out", *options))

    return run


def current(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "CURRENT.json").read_text("utf-8"))
    return found


def run_of(out: Path, unit: str = "U") -> Path:
    return out / current(out)["runs"]["2026-01"][unit]


def codes_of(out: Path) -> list[str]:
    return sorted(fault.code for fault in verify_folder(out).faults)


# Closed periods


def test_a_closed_period_changes_only_with_a_reason_and_keeps_both_versions(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """C of U costs 100, then 140: its figures move by up to 40, those of V stay."""
    out = tmp_path / "out"
    assert run(two_units(tmp_path)) == 0
    old = run_of(out)
    assert run(two_units(tmp_path, 140)) == 3
    refused = capsys.readouterr().err
    assert "[period-closed] 2026-01 of 1 unit is closed" in refused
    assert "by up to 40.00 yuan: 'U'" in refused
    assert (run_of(out), current(out)["fence"]) == (old, 1)
    assert run(two_units(tmp_path, 140), "--restate", "late invoice") == 0
    new = run_of(out)
    assert new != old
    assert old.is_dir()
    record = out / "restatement=2026-01-000002"
    manifest = json.loads((record / "manifest.json").read_text("utf-8"))
    assert manifest["reason"] == "late invoice"
    assert (manifest["old"], manifest["new"]) == ({"U": old.name}, new.name)
    rows = pq.read_table(record / "difference.parquet").to_pylist()
    assert {row["unit_id"] for row in rows} == {"U"}
    moved = {(r["table"], r["key"], r["column"]): (r["old"], r["new"], r["change"]) for r in rows}
    key = '{"dept_id": "C", "element": "staff"}'
    assert moved["department_cost", key, "full_cost"] == ("100.00", "140.00", Decimal("40.00"))
    assert verify_folder(out).faults == ()


def test_a_period_is_open_until_a_run_went_through_all_stages(tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out"
    assert run(two_units(tmp_path), "--through", "departments") == 0
    assert run(two_units(tmp_path, 140), "--through", "departments") == 0
    assert run(two_units(tmp_path, 120)) == 0
    assert run(two_units(tmp_path, 130)) == 3
    assert not list(out.glob("restatement=*"))


def test_to_publish_less_than_a_closed_period_has_needs_a_reason(tmp_path: Path, run: Run) -> None:
    """A run through departments would take the cases away."""
    assert run(two_units(tmp_path)) == 0
    assert run(two_units(tmp_path), "--through", "departments") == 3


def test_a_model_of_departments_only_closes_its_periods_and_may_go_further(
    tmp_path: Path, run: Run
) -> None:
    """What was not_carried_further has other reasons then; no figure of a department moves."""
    text = model()
    departments = model_file(tmp_path, text[: text.index("[service_items]")])
    options = ("--through", "departments", "--model", departments)
    assert run(two_units(tmp_path), *options) == 0
    assert run(two_units(tmp_path, 140), *options) == 3
    assert run(two_units(tmp_path)) == 0


@pytest.mark.parametrize("other", ["unit", "model"])
def test_the_same_figures_by_another_way_are_no_restatement(
    tmp_path: Path, run: Run, other: str
) -> None:
    """One unit alone, or a model with another comment: new runs, no figure moved."""
    source, out = two_units(tmp_path), tmp_path / "out"
    assert run(source) == 0
    old = run_of(out)
    rules = model_file(tmp_path, model() + "\n# a comment\n")
    options = ("--unit", "U") if other == "unit" else ("--model", rules)
    assert run(source, *options) == 0
    assert run_of(out) != old
    assert not list(out.glob("restatement=*"))


def test_only_the_units_that_a_run_replaces_are_looked_at(tmp_path: Path, run: Run) -> None:
    assert run(two_units(tmp_path)) == 0
    assert run(two_units(tmp_path, 140), "--unit", "V") == 0
    assert run(two_units(tmp_path, 140), "--unit", "U") == 3


def test_a_row_that_its_unit_alone_names_is_compared_too(tmp_path: Path) -> None:
    """budget_reward has one row a unit: reward 2.00, then 5.00. A key beside it would be {}."""

    def rewards(name: str, amounts: dict[str, str]) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        table = {
            "period": ["2026-01"] * len(amounts),
            "unit_id": list(amounts),
            "reward": pa.array(map(Decimal, amounts.values()), pa.decimal128(18, 2)),
        }
        pq.write_table(pa.table(table), folder / "budget_reward.parquet")
        return folder

    old = rewards("old", {"U": "2.00", "V": "1.00"})
    found = compare_runs(old, rewards("new", {"U": "5.00", "V": "1.00"})).to_pylist()
    (row,) = [row for row in found if row["column"] == "reward"]
    assert ("U", "{}", "2.00", "5.00") == (row["unit_id"], row["key"], row["old"], row["new"])


def test_a_reason_without_words_is_wrong_usage(tmp_path: Path, run: Run) -> None:
    assert run(two_units(tmp_path), "--restate", " ") == 2


def test_to_go_back_is_a_restatement_too(tmp_path: Path, run: Run) -> None:
    """A to B to A: the folder of A is there already, and both turns are recorded."""
    out, first = tmp_path / "out", two_units(tmp_path)
    assert run(first) == 0
    assert run(two_units(tmp_path, 140), "--restate", "late invoice") == 0
    assert run(first) == 3
    assert run(first, "--restate", "the invoice was of another hospital") == 0
    names = [path.name for path in sorted(out.glob("restatement=*"))]
    assert names == ["restatement=2026-01-000002", "restatement=2026-01-000003"]
    assert verify_folder(out).faults == ()


# The difference of two runs


def test_diff_names_table_key_column_old_and_new(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(two_units(tmp_path)) == 0
    old = run_of(out)
    assert run(two_units(tmp_path, 140), "--restate", "late invoice") == 0
    new = run_of(out)
    capsys.readouterr()
    assert medcost(("diff", old, new, "--out", tmp_path / "d")) == 0
    shown = capsys.readouterr().out
    assert f"{old.name}, {new.name}: " in shown
    assert "values in 5 tables differ" in shown
    assert "40.00" in shown
    file = tmp_path / "d" / "difference.parquet"
    table = pq.read_table(file)
    schema = load_table("out_difference")
    assert table.column_names == [column.name for column in schema.columns]
    assert table["change"].type == pa.decimal128(18, 2)
    keys = list(zip(*(table[name].to_pylist() for name in schema.key), strict=True))
    assert keys == sorted(set(keys))
    assert table.equals(pq.read_table(out / "restatement=2026-01-000002" / "difference.parquet"))


def test_diff_of_equal_runs_exits_0_too(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(two_units(tmp_path)) == 0
    old = run_of(tmp_path / "out")
    assert medcost(("diff", old, old)) == 0
    assert "no difference" in capsys.readouterr().out


def test_diff_shows_no_case_by_its_id(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = (two_units(tmp_path), two_units(tmp_path, 140))
    runs = []
    for source in tables:
        assert run(source, "--restate", "a test") == 0
        runs.append(run_of(tmp_path / "out"))
    capsys.readouterr()
    assert medcost(("diff", *runs)) == 0
    shown = capsys.readouterr().out
    assert "case_cost: 4 values, total 40.00 yuan" in shown
    assert " K " not in shown


def test_diff_of_what_is_no_run_is_refused(tmp_path: Path) -> None:
    assert medcost(("diff", tmp_path, tmp_path)) == 3


def test_a_row_that_only_one_run_has_counts_as_zero(tmp_path: Path) -> None:
    """Rows meet by key: C stays and moves from 1.00 to 3.00, A is gone, D is new."""
    schema = [("period", pa.string()), ("unit_id", pa.string()), ("element", pa.string())]
    schema += [("reason", pa.string()), ("amount", pa.decimal128(18, 2))]

    def reconciliation(name: str, amounts: dict[str, str]) -> Path:
        rows = [
            {"period": "2026-01", "unit_id": "U", "element": "staff", "reason": reason}
            | {"amount": Decimal(amount)}
            for reason, amount in amounts.items()
        ]
        (tmp_path / name).mkdir()
        table = pa.Table.from_pylist(rows, pa.schema(schema))
        pq.write_table(table, tmp_path / name / "reconciliation.parquet")
        return tmp_path / name

    old = reconciliation("old", {"A": "2.00", "C": "1.00", "E": "7.00"})
    new = reconciliation("new", {"C": "3.00", "D": "-5.00", "E": "7.00"})
    rows = compare_runs(old, new).to_pylist()
    found = [(json.loads(r["key"])["reason"], r["old"], r["new"], str(r["change"])) for r in rows]
    assert found == [
        ("A", "2.00", None, "-2.00"),
        ("C", "1.00", "3.00", "2.00"),
        ("D", None, "-5.00", "-5.00"),
    ]


# What verify finds


@pytest.fixture
def published(tmp_path: Path, run: Run) -> Path:
    """Three runs, a restatement and three turns: both units, one alone, both again."""
    assert run(two_units(tmp_path)) == 0
    assert run(two_units(tmp_path), "--unit", "V") == 0
    assert run(two_units(tmp_path, 140), "--restate", "late invoice") == 0
    return tmp_path / "out"


def test_every_manifest_holds_the_sha256_of_the_one_before(published: Path) -> None:
    folders = [p for p in published.iterdir() if p.is_dir()]
    links = sorted((read_link(folder) for folder in folders), key=lambda link: link.number)
    kinds = [link.name.partition("=")[0] for link in links]
    assert kinds == ["run", "turn", "run", "turn", "run", "restatement", "turn"]
    assert [link.number for link in links] == [1, 2, 3, 4, 5, 6, 7]
    assert links[0].previous is None
    for before, link in itertools.pairwise(links):
        assert (link.previous, link.previous_sha256) == (before.name, before.sha256)
    assert find_breaks(links) == []
    assert verify_folder(published).faults == ()


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def first_run(out: Path) -> Path:
    return next(p for p in out.glob("run=*") if (link := read_link(p)) and link.number == 1)


@pytest.mark.parametrize(
    ("damage", "codes"),
    [
        (lambda out: flip(run_of(out) / "case_cost.parquet"), ["file-changed"]),
        (lambda out: flip(next(run_of(out).glob("kept/activity/part-*"))), ["file-changed"]),
        (lambda out: flip(run_of(out) / "run_results.json"), ["file-changed"]),
        (lambda out: flip(next(out.glob("restatement=*/difference.parquet"))), ["file-changed"]),
        (lambda out: (run_of(out) / "drg_cost.parquet").unlink(), ["file-missing"]),
        (lambda out: (run_of(out) / "kept" / "new.txt").write_text("x"), ["file-added"]),
        (lambda out: (run_of(out) / "manifest.json").write_text("{"),
         ["chain-broken", "manifest-unreadable"]),
        (lambda out: shutil.rmtree(first_run(out)), ["chain-broken"]),
        (lambda out: shutil.rmtree(run_of(out)), ["chain-broken", "current-dangling"]),
        (lambda out: (out / "CURRENT.json").unlink(), ["current-unreadable"]),
        (lambda out: (out / "CURRENT.json").write_text("[]"), ["current-unreadable"]),
        (lambda out: (out / "CURRENT.json").write_text('{"fence": -1, "runs": {}}'),
         ["current-unreadable"]),
        (lambda out: run_of(out).rename(out / "run=2026-01-000000000000"),
         ["chain-broken", "current-dangling", "run-id-wrong"]),
    ],
)  # fmt: skip
def test_verify_finds(published: Path, damage: Callable[[Path], object], codes: list[str]) -> None:
    damage(published)
    assert sorted(set(codes)) == sorted(set(codes_of(published)))
    assert medcost(("verify", published)) == 3


def changed_manifest(run: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads((run / "manifest.json").read_text("utf-8"))
    change(manifest)
    (run / "manifest.json").write_text(json.dumps(manifest, indent=2, ensure_ascii=False), "utf-8")


def test_a_manifest_changed_afterwards_breaks_the_chain(published: Path) -> None:
    """Nothing of the files is wrong: only the next manifest knows."""
    changed_manifest(first_run(published), lambda manifest: manifest.update(created="2020-01-01"))
    (fault,) = verify_folder(published).faults
    assert fault.code == "chain-broken"
    assert f"that of {first_run(published).name}'s manifest" in fault.what


def test_all_faults_are_shown_together_with_what_to_do(
    published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flip(run_of(published) / "case_cost.parquet")
    (first_run(published) / "drg_cost.parquet").unlink()
    (run_of(published, "V") / "extra").write_text("x")
    assert medcost(("verify", published)) == 3
    shown = capsys.readouterr().err
    for code in ("file-changed", "file-missing", "file-added"):
        assert f"[{code}]" in shown
    assert "3 faults of 3 kinds. Nothing was changed." in shown


def test_a_table_that_no_longer_balances_exits_4(published: Path) -> None:
    """One fen more on a case, in a table whose SHA-256, id and folder were made to fit."""
    run = run_of(published)
    path = run / "case_cost.parquet"
    table = pq.read_table(path)
    for name in ("staff", "total"):
        amounts = table[name].to_pylist()
        amounts[0] += Decimal("0.01")
        column = pa.array(amounts, table[name].type)
        table = table.set_column(table.column_names.index(name), name, column)
    pq.write_table(table, path, store_decimal_as_integer=True)
    assert "table-unbalanced" in codes_of(published)
    assert medcost(("verify", published)) == 4


def test_totals_that_are_not_those_of_the_tables_exit_4(published: Path) -> None:
    changed_manifest(run_of(published), lambda m: m["totals"].update(ledger="1.00"))
    assert "table-unbalanced" in codes_of(published)


def test_verify_says_what_it_looked_at(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert medcost(("verify", published)) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("3 runs, 1 restatement, ")
    assert shown.endswith("as published, chained and balanced.\n")


def test_verify_of_one_run_folder_looks_at_that_run(published: Path) -> None:
    assert medcost(("verify", run_of(published))) == 0
    flip(run_of(published) / "drg_cost.parquet")
    assert medcost(("verify", run_of(published))) == 3
    assert medcost(("verify", first_run(published))) == 0


def test_verify_of_no_folder_is_refused(tmp_path: Path) -> None:
    assert medcost(("verify", tmp_path / "nowhere")) == 3


@pytest.mark.parametrize("name", ["manifest.json", "case_cost.parquet", "run_results.json"])
def test_to_run_the_month_again_heals_a_run_and_its_chain(
    tmp_path: Path, published: Path, run: Run, name: str
) -> None:
    """The folder is written again in its place of the chain, before what was chained to it."""
    source = two_units(tmp_path)
    flip(first_run(published) / name) if name != "manifest.json" else changed_manifest(
        first_run(published), lambda manifest: manifest.update(notes=["a lie"])
    )
    assert codes_of(published) != []
    assert run(source, "--restate", "back") == 0
    assert codes_of(published) == []


# Signatures


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A private key, its public key and the public key of somebody else, made by OpenSSL."""
    folder = tmp_path_factory.mktemp("keys")
    paths = folder / "key.pem", folder / "public.pem", folder / "other.pem"
    for private, public in ((paths[0], paths[1]), (folder / "other_key.pem", paths[2])):
        make = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(private)]
        show = ["openssl", "pkey", "-in", str(private), "-pubout", "-out", str(public)]
        try:
            subprocess.run(make, check=True, capture_output=True)
        except FileNotFoundError:
            pytest.skip("openssl is not there to make keys")
        subprocess.run(show, check=True, capture_output=True)
    return paths


def test_a_signature_is_verified_by_the_public_key_and_by_other_tools(
    tmp_path: Path, run: Run, keys: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    private, public, other = keys
    out = tmp_path / "out"
    assert run(two_units(tmp_path), "--sign-key", private) == 0
    assert run(two_units(tmp_path, 140), "--restate", "late", "--sign-key", private) == 0
    assert medcost(("verify", out, "--public-key", public)) == 0
    assert ", 5 signatures: as published" in capsys.readouterr().out
    assert medcost(("verify", out)) == 0
    assert ", 5 unchecked signatures: as published" in capsys.readouterr().out
    assert medcost(("verify", out, "--public-key", other)) == 3
    assert capsys.readouterr().err.count("[signature-wrong]") == 5
    signed = run_of(out)
    check = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin"]
    check += ["-in", signed / "manifest.json", "-sigfile", signed / "manifest.sig"]
    assert subprocess.run(check, check=False, capture_output=True).returncode == 0


def test_who_forges_the_whole_chain_cannot_forge_the_signatures(
    tmp_path: Path, run: Run, keys: tuple[Path, Path, Path]
) -> None:
    private, public, _ = keys
    out = tmp_path / "out"
    assert run(two_units(tmp_path), "--sign-key", private) == 0
    changed_manifest(run_of(out), lambda manifest: manifest.update(notes=[]))
    assert ["chain-broken"] == codes_of(out)
    forged = hashlib.sha256((run_of(out) / "manifest.json").read_bytes()).hexdigest()
    turn = out / "turn=000001"
    changed_manifest(turn, lambda manifest: manifest["chain"]["previous"].update(sha256=forged))
    assert [] == codes_of(out)
    assert medcost(("verify", out, "--public-key", public)) == 3


def test_an_unsigned_manifest_is_named_where_a_key_is_given(
    published: Path, keys: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDCOST_PUBLIC_KEY", str(keys[1]))
    assert medcost(("verify", published)) == 3


def test_the_key_may_be_named_by_the_environment(
    tmp_path: Path, run: Run, keys: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDCOST_SIGN_KEY", str(keys[0]))
    assert run(two_units(tmp_path)) == 0
    assert (run_of(tmp_path / "out") / "manifest.sig").stat().st_size == 64


@pytest.mark.parametrize("key", ["nowhere", "text", "public", "rsa"])
def test_a_key_that_cannot_sign_is_wrong_usage_before_anything_is_read(
    tmp_path: Path, run: Run, keys: tuple[Path, Path, Path], key: str
) -> None:
    path = {"public": keys[1]}.get(key, tmp_path / "key.pem")
    if key == "text":
        path.write_text("no key")
    if key == "rsa":
        make = ["openssl", "genpkey", "-algorithm", "rsa", "-out", str(path)]
        subprocess.run(make, check=True, capture_output=True)
    assert run(two_units(tmp_path), "--sign-key", path) == 2
    assert not (tmp_path / "out").exists()
