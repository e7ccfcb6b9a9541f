"""`medcost sign`: what was published without a key is signed later, if it is as published."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from books import book, items, line, model, model_file, stay, written
from faults.injection import medcost

from medcost.verification import verify_folder

Run = Callable[..., int]


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path, Path, Path]:
    """Return two pairs of keys, private and public, as openssl makes them."""
    made = []
    for name in ("a", "b"):
        private, public = tmp_path / f"{name}.pem", tmp_path / f"{name}.pub"
        make = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(private)]
        subprocess.run(make, check=True, capture_output=True)
        show = ["openssl", "pkey", "-in", str(private), "-pubout", "-out", str(public)]
        subprocess.run(show, check=True, capture_output=True)
        made += [private, public]
    return made[0], made[1], made[2], made[3]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Publish January of a ward with this pool to tmp_path/out; returns the exit code."""
    rules = model_file(tmp_path, model())

    def run(pool: int, *options: object) -> int:
        tables = book(
            {"C": "clinical"}, {"C": pool}, {}, items(a=1), [line("C", "a", "K")], cases=[stay("K")]
        )
        fixed = ("run", written(tmp_path, tables), "--period", "2026-01", "--model", rules)
        return medcost((*fixed, "--quiet", "--out", tmp_path / "out", *options))

    return run


@pytest.fixture
def out(tmp_path: Path, run: Run) -> Path:
    """Return a folder with two runs, a restatement and two turns, none signed."""
    assert run(100) == 0
    assert run(140, "--restate", "late invoice") == 0
    return tmp_path / "out"


def names_and_bytes(out: Path) -> dict[Path, bytes]:
    return {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def test_every_manifest_is_signed_and_nothing_else_changes(
    out: Path, keys: tuple[Path, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    before = names_and_bytes(out)
    assert medcost(("verify", out, "--public-key", keys[1])) == 3
    assert medcost(("sign", out, "--sign-key", keys[0])) == 0
    assert capsys.readouterr().out == "5 manifests signed, 0 signed before\n"
    after = names_and_bytes(out)
    assert {path.name for path in after.keys() - before.keys()} == {"manifest.sig"}
    assert {path: after[path] for path in before} == before
    assert medcost(("verify", out, "--public-key", keys[1])) == 0
    assert ", 5 signatures: as published" in capsys.readouterr().out
    assert medcost(("verify", out, "--public-key", keys[3])) == 3
    assert [path.name for path in out.parent.glob(".out.staging-*")] == []


def test_what_is_signed_already_stays(
    out: Path, run: Run, keys: tuple[Path, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """A run published with the key, then the rest signed; by another key nothing is overwritten."""
    assert run(150, "--restate", "later invoice", "--sign-key", keys[0]) == 0
    assert medcost(("sign", out, "--sign-key", keys[0])) == 0
    assert capsys.readouterr().out == "5 manifests signed, 3 signed before\n"
    before = names_and_bytes(out)
    assert medcost(("sign", out, "--sign-key", keys[2])) == 0
    shown = capsys.readouterr()
    assert shown.out == "0 manifests signed, 0 signed before\n"
    assert shown.err.count("is signed by another key and stays so") == 8
    assert names_and_bytes(out) == before


def test_one_run_may_be_signed_alone(out: Path, keys: tuple[Path, ...]) -> None:
    (first, _) = sorted(out.glob("run=*"))
    assert medcost(("sign", first, "--sign-key", keys[0])) == 0
    assert [path.parent for path in out.glob("*/manifest.sig")] == [first]
    assert medcost(("verify", first, "--public-key", keys[1])) == 0
    assert verify_folder(out).faults == ()


def test_what_is_not_as_published_is_not_signed(
    out: Path, keys: tuple[Path, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    path = next(out.glob("run=*")) / "drg_cost.parquet"
    path.write_bytes(path.read_bytes() + b"x")
    assert medcost(("sign", out, "--sign-key", keys[0])) == 3
    assert "[file-changed]" in capsys.readouterr().err
    assert not list(out.rglob("manifest.sig"))


def test_a_folder_that_is_not_there_or_not_ours_is_refused(
    tmp_path: Path, keys: tuple[Path, ...]
) -> None:
    assert medcost(("sign", tmp_path / "nowhere", "--sign-key", keys[0])) == 3
    (tmp_path / "other").mkdir()
    assert medcost(("sign", tmp_path / "other", "--sign-key", keys[0])) == 3
    assert list((tmp_path / "other").iterdir()) == []


def test_without_a_key_or_with_one_that_cannot_sign_it_is_wrong_usage(
    out: Path, keys: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEDCOST_SIGN_KEY", raising=False)
    assert medcost(("sign", out)) == 2
    assert medcost(("sign", out, "--sign-key", keys[1])) == 2
    monkeypatch.setenv("MEDCOST_SIGN_KEY", str(keys[0]))
    assert medcost(("sign", out)) == 0


def test_a_folder_that_is_locked_is_not_signed(out: Path, keys: tuple[Path, ...]) -> None:
    from medcost.output_folder import output_folder

    with output_folder(out):
        assert medcost(("sign", out, "--sign-key", keys[0])) == 5
    assert not list(out.rglob("manifest.sig"))
