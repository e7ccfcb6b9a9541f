"""Parts of the activity that cannot be written: nothing is published, and the error says why."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from books import book, items, line, model, model_file, stay, written

from medcost.book import open_book
from medcost.costing import activity
from medcost.costing.activity import Activity, read_activity
from medcost.costing.activity_matrix import MatrixPart, PartFile
from medcost.errors import CannotPublish
from medcost.period_book import read_period


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A ward of 40 lines for two cases, ten to a row group."""
    lines = [line("C", "a", f"K{n % 2}") for n in range(40)]
    tables = book(
        {"C": "clinical"}, {"C": 100}, {}, items(a=1), lines, cases=[stay("K0"), stay("K1")]
    )
    return written(tmp_path, tables, row_group_size=10)


def read(folder: Path, parts_in: Path, threads: int = 1) -> Activity:
    opened = open_book(folder, "cases")
    return read_activity(opened, read_period(opened, "2026-01", None), threads, parts_in=parts_in)


def test_a_missing_folder_of_parts_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CannotPublish, match="No such file or directory"):
        read(folder, tmp_path / "absent")


def test_a_file_in_the_place_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotPublish, match="Not a directory"):
        read(folder, tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_ours_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir(mode=0o500)
    with pytest.raises(CannotPublish, match="Permission denied"):
        read(folder, tmp_path / "theirs")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full device")
def test_a_full_disk_is_said(folder: Path, tmp_path: Path) -> None:
    """The device of the first part takes no byte."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "part-00000.arrow").symlink_to("/dev/full")
    with pytest.raises(CannotPublish, match="No space left"):
        read(folder, tmp_path / "parts")


@pytest.mark.parametrize("threads", [1, 2])
def test_a_disk_that_fills_up_later_is_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    """The third part finds no room, whichever thread writes it."""
    (tmp_path / "parts").mkdir()
    write_part = activity.write_part

    def write(part: MatrixPart, path: Path) -> PartFile:
        if path.name == "part-00002.arrow":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return write_part(part, path)

    monkeypatch.setattr(activity, "write_part", write)
    monkeypatch.setattr(activity, "PIECE_ROWS", 10)
    with pytest.raises(CannotPublish, match="No space left"):
        read(folder, tmp_path / "parts", threads)


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
sys.argv = ["medcost", *sys.argv[1:]]
from medcost.cli import main
main()
"""


def test_a_run_that_cannot_write_its_parts_publishes_nothing(folder: Path, tmp_path: Path) -> None:
    """No file may grow beyond 300 bytes: the first part does not fit, the lock does."""
    out = tmp_path / "out" / "runs"
    out.mkdir(parents=True)
    options = ("--period", "2026-01", "--model", str(model_file(tmp_path, model())))
    command = [sys.executable, "-c", LIMITED, "run", str(folder), *options, "--out", str(out)]
    paths = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=paths)
    assert (5, "") == (done.returncode, done.stdout)
    assert "[cannot-publish]" in done.stderr
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert [".medcost-lock"] == [path.name for path in out.iterdir()]
    assert ["runs"] == [path.name for path in out.parent.iterdir()]
