"""CURRENT.json says what a publication said: whoever changes or sets it back is found out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from books import book, items, line, model, model_file, stay, written
from faults.injection import medcost

from medcost.errors import CannotPublish
from medcost.output_folder import output_folder
from medcost.verification import verify_folder

Edit = Callable[[dict[str, Any]], object]


def ward(tmp_path: Path, pool: int) -> Path:
    """Return January and February of a ward whose pool is shared by one case."""
    tables = book(
        {"C": "clinical"}, {"C": pool}, {}, items(a=1), [line("C", "a", "K")], cases=[stay("K")]
    )
    for name in ("ledger", "service_lines", "cases"):
        tables[name] += [row | {"period": "2026-02"} for row in tables[name]]
    for row in tables["cases"]:
        row["setting"] = "outpatient"
        row["discharged"] = None
    return written(tmp_path, tables)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., int]:
    """Run a book's month to tmp_path/out in this process; returns the exit code."""
    rules = model_file(tmp_path, model())

    def run(pool: int, period: str = "2026-01", *options: object) -> int:
        fixed = ("run", ward(tmp_path, pool), "--period", period, "--model", rules, "--quiet")
        return medcost((*fixed, "--threads", 1, "--out", tmp_path / "out", *options))

    return run


@pytest.fixture
def out(tmp_path: Path, run: Callable[..., int]) -> Path:
    """Return January published, restated, and February published: fences 1, 2 and 3."""
    assert run(100) == 0
    assert run(140, "2026-01", "--restate", "late invoice") == 0
    assert run(140, "2026-02") == 0
    return tmp_path / "out"


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def names_and_bytes(out: Path) -> dict[Path, bytes]:
    return {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def old_run(out: Path) -> str:
    """Return the run of January that was restated."""
    return str(read(out / "turn=000001" / "CURRENT.json")["runs"]["2026-01"]["U"])


def test_every_turn_has_a_copy_of_what_current_became(out: Path) -> None:
    turns = sorted(path.name for path in out.glob("turn*"))
    assert turns == ["turn=000001", "turn=000002", "turn=000003"]
    fences = [read(out / name / "CURRENT.json")["fence"] for name in turns]
    assert fences == [1, 2, 3]
    assert (out / turns[-1] / "CURRENT.json").read_bytes() == (out / "CURRENT.json").read_bytes()
    assert verify_folder(out).faults == ()
    assert verify_folder(out).summary.startswith("3 runs, 1 restatement, 3 turns, ")


def test_a_run_that_changes_nothing_turns_nothing(out: Path, run: Callable[..., int]) -> None:
    before = names_and_bytes(out)
    assert run(140, "2026-02") == 0
    assert names_and_bytes(out) == before


EDITS: dict[str, tuple[Edit, str]] = {
    "an older run": (lambda c: c["runs"]["2026-01"].update(U=c.pop("old")), "2026-01 'U': "),
    "a dropped month": (lambda c: c["runs"].pop("2026-02"), "2026-02 'U': 'nothing' instead of "),
    "a dropped unit": (lambda c: c["runs"]["2026-02"].pop("U"), "2026-02 'U': 'nothing' instead "),
    "an added unit": (
        lambda c: c["runs"]["2026-02"].update(V=c["runs"]["2026-02"]["U"]),
        "2026-02 'V': ",
    ),
    "a lower fence": (lambda c: c.update(fence=1), "fence: 1 instead of 3"),
    "a higher fence": (lambda c: c.update(fence=4), "fence: 4 instead of 3"),
    "an older run and a lower fence": (
        lambda c: (c["runs"]["2026-01"].update(U=c.pop("old")), c.update(fence=1)),
        "fence: 1 instead of 3",
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_was_changed_in_current_is_found_and_nothing_is_published_or_taken_away(
    out: Path, run: Callable[..., int], capsys: pytest.CaptureFixture[str], edit: str
) -> None:
    """A restatement in between is no exception; the copy of the last turn puts it right."""
    change, place = EDITS[edit]
    content = read(out / "CURRENT.json") | {"old": old_run(out)}
    change(content)
    content.pop("old", None)
    (out / "CURRENT.json").write_text(json.dumps(content), "utf-8")
    faults = [fault for fault in verify_folder(out).faults if fault.code != "current-dangling"]
    assert [fault.code for fault in faults] == ["current-not-as-turned"]
    assert any(where.startswith(place) for where in faults[0].where)
    before = names_and_bytes(out)
    for options in ((), ("--restate", "late invoice")):
        capsys.readouterr()
        assert run(150, "2026-01", *options) == 5
        assert "is not what the last publication left in 'turn=000003'" in capsys.readouterr().err
        assert names_and_bytes(out) == before
    shutil.copyfile(out / "turn=000003" / "CURRENT.json", out / "CURRENT.json")
    assert verify_folder(out).faults == ()
    assert run(150, "2026-01", "--restate", "late invoice") == 0
    assert verify_folder(out).faults == ()
    assert len(list(out.glob("restatement=*"))) == 2


@pytest.mark.parametrize("fence", [1, 2])
def test_a_current_that_was_set_back_whole_is_found(
    out: Path, run: Callable[..., int], fence: int
) -> None:
    """It is what it once was to the byte, as after a backup was restored over it."""
    shutil.copyfile(out / f"turn={fence:06d}" / "CURRENT.json", out / "CURRENT.json")
    assert "current-not-as-turned" in {fault.code for fault in verify_folder(out).faults}
    before = names_and_bytes(out)
    assert run(150, "2026-01", "--restate", "late invoice") == 5
    assert names_and_bytes(out) == before


def test_a_current_that_is_gone_is_not_begun_anew(out: Path, run: Callable[..., int]) -> None:
    (out / "CURRENT.json").unlink()
    assert run(150, "2026-01") == 5
    assert not (out / "CURRENT.json").exists()
    assert [fault.code for fault in verify_folder(out).faults] == ["current-unreadable"]


def test_a_current_that_was_only_laid_out_anew_is_as_it_was(
    out: Path, run: Callable[..., int]
) -> None:
    content = read(out / "CURRENT.json")
    (out / "CURRENT.json").write_text(json.dumps(content, indent=7), "utf-8")
    assert verify_folder(out).faults == ()
    assert run(140, "2026-02") == 0


def test_a_turn_that_was_changed_removed_or_added_is_found(out: Path) -> None:
    def codes(damage: Callable[[Path], object]) -> set[str]:
        copy = out.with_name("copy")
        shutil.copytree(out, copy)
        damage(copy)
        found = {fault.code for fault in verify_folder(copy).faults}
        shutil.rmtree(copy)
        return found

    def change(copy: Path) -> None:
        for path in (copy / "CURRENT.json", copy / "turn=000003" / "CURRENT.json"):
            path.write_text(json.dumps(read(path) | {"fence": 9}), "utf-8")

    assert codes(change) == {"file-changed"}
    assert codes(lambda copy: shutil.rmtree(copy / "turn=000002")) == {"chain-broken"}
    assert codes(lambda copy: shutil.rmtree(copy / "turn=000003")) == {"current-not-as-turned"}

    def add(copy: Path) -> None:
        shutil.copytree(copy / "turn=000003", copy / "turn=000004")

    assert codes(add) == {"chain-broken"}


def test_a_publication_stopped_before_the_turn_did_not_take_place(
    tmp_path: Path, run: Callable[..., int]
) -> None:
    """Its runs stay for the next one; its restatement and what it announced go."""
    out = tmp_path / "out"
    assert run(100) == 0
    before = (out / "CURRENT.json").read_bytes()
    assert run(140, "2026-01", "--restate", "late invoice") == 0
    (out / "CURRENT.json").write_bytes(before)
    (out / "turn=000002").rename(out / "turning=000002")
    assert verify_folder(out).faults == ()
    with output_folder(out):
        assert not list(out.glob("restatement=*"))
        assert not list(out.glob("turning=*"))
        assert len(list(out.glob("run=*"))) == 2
    assert run(140, "2026-01", "--restate", "late invoice") == 0
    assert verify_folder(out).faults == ()


def test_a_publication_stopped_after_the_turn_took_place(
    out: Path, run: Callable[..., int]
) -> None:
    (out / "turn=000003").rename(out / "turning=000003")
    assert verify_folder(out).faults == ()
    assert run(140, "2026-02") == 0
    assert sorted(path.name for path in out.glob("turn*"))[-1] == "turn=000003"
    assert verify_folder(out).faults == ()


def test_a_turn_that_was_announced_is_no_leave_to_set_current_back(out: Path) -> None:
    """CURRENT.json is set back to fence 1, and a folder says that fence 2 was on its way."""
    shutil.copyfile(out / "turn=000001" / "CURRENT.json", out / "CURRENT.json")
    shutil.copytree(out / "turn=000002", out / "turning=000002")
    before = names_and_bytes(out)
    with pytest.raises(CannotPublish), output_folder(out):
        pass
    assert names_and_bytes(out) == before


def test_a_folder_from_before_turns_keeps_its_restatements(tmp_path: Path) -> None:
    """Nothing was announced, so nothing is taken away, whatever fence CURRENT.json has."""
    out = tmp_path / "out"
    (out / "restatement=2026-01-000002").mkdir(parents=True)
    (out / "CURRENT.json").write_text('{"fence": 1, "runs": {}}', "utf-8")
    with output_folder(out):
        assert (out / "restatement=2026-01-000002").is_dir()


def test_a_restatement_from_before_turns_is_no_part_of_the_next_turn(
    tmp_path: Path, run: Callable[..., int]
) -> None:
    """A folder of fences 1 and 2 without turns, CURRENT.json set back to fence 1 by hand.

    The restatement of fence 2 may be a published one. The next one goes beyond it, to fence 3; if
    it is stopped, what it had announced goes, and the restatement of fence 2 stays.
    """
    out = tmp_path / "out"
    assert run(100) == 0
    before = (out / "CURRENT.json").read_bytes()
    assert run(140, "2026-01", "--restate", "late invoice") == 0
    for turn in out.glob("turn=*"):
        shutil.rmtree(turn)
    (out / "CURRENT.json").write_bytes(before)
    kept = names_and_bytes(out / "restatement=2026-01-000002")
    assert run(150, "2026-01", "--restate", "later invoice") == 0
    assert read(out / "CURRENT.json")["fence"] == 3
    assert (out / "restatement=2026-01-000003").is_dir()
    (out / "CURRENT.json").write_bytes(before)
    (out / "turn=000003").rename(out / "turning=000003")
    with output_folder(out):
        assert not (out / "restatement=2026-01-000003").exists()
        assert not (out / "turning=000003").exists()
    assert names_and_bytes(out / "restatement=2026-01-000002") == kept
    assert run(150, "2026-01", "--restate", "later invoice") == 0
    assert names_and_bytes(out / "restatement=2026-01-000002") == kept


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"fence": 3, "runs": {}}'])
def test_a_damaged_copy_of_a_sound_current_locks_nobody_out(
    out: Path, run: Callable[..., int], damage: bytes
) -> None:
    """The turn's manifest has the SHA-256 of what CURRENT.json became; verify names the copy."""
    (out / "turn=000003" / "CURRENT.json").write_bytes(damage)
    faults = verify_folder(out).faults
    assert [(fault.code, fault.where) for fault in faults] == [
        ("file-changed", ("'turn=000003/CURRENT.json'",))
    ]
    assert run(150, "2026-01", "--restate", "late invoice") == 0
    assert read(out / "CURRENT.json")["fence"] == 4


def test_a_refusal_does_not_send_a_user_to_a_damaged_or_an_older_copy(
    out: Path, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    sound = (out / "CURRENT.json").read_bytes()
    copy = out / "turn=000003" / "CURRENT.json"
    copy.write_bytes(b"")
    (out / "CURRENT.json").write_text(json.dumps(read(out / "CURRENT.json") | {"runs": {}}))
    assert run(150, "2026-02") == 5
    told = capsys.readouterr().err
    assert "Its copy there is damaged, too. Restore the folder from a backup." in told
    assert "Copy " not in told
    (out / "CURRENT.json").write_bytes(sound)
    shutil.rmtree(out / "turn=000003")
    assert run(150, "2026-02") == 5
    assert "Its fence 3 is a later one: a turn is missing" in capsys.readouterr().err


def test_a_current_that_was_changed_after_a_turn_without_its_name_is_held_against_that_turn(
    out: Path, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """The publication was stopped between its last two steps; then a month was taken out."""
    (out / "turn=000003").rename(out / "turning=000003")
    content = read(out / "CURRENT.json")
    del content["runs"]["2026-02"]
    (out / "CURRENT.json").write_text(json.dumps(content), "utf-8")
    codes = [fault.code for fault in verify_folder(out).faults]
    assert codes == ["current-not-as-turned"]
    assert run(150, "2026-02") == 5
    assert "left in 'turning=000003'" in capsys.readouterr().err
    shutil.copyfile(out / "turning=000003" / "CURRENT.json", out / "CURRENT.json")
    assert run(140, "2026-02") == 0
    assert verify_folder(out).faults == ()
