"""README's first screen is what the commands print, to the letter."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).parents[2]


def blocks(page: str) -> list[str]:
    text = (ROOT / page).read_text("utf-8")
    return re.findall(r"^```\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL)


def printed(*arguments: str, folder: Path) -> str:
    command = [sys.executable, "-m", "medcost", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    return "\n".join(line.rstrip() for line in (done.stderr + done.stdout).splitlines())


def test_the_demo_in_the_readme_is_what_make_demo_prints(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "data", tmp_path / "data")
    line = next(x for x in (ROOT / "Makefile").read_text().splitlines() if "medcost run" in x)
    arguments = line.replace("$(DEMO)", "demo").split("medcost ", 1)[1].split()
    assert printed(*arguments, folder=tmp_path) in blocks("README.md")


def test_the_rejected_book_in_the_readme_is_refused_as_shown(tmp_path: Path) -> None:
    """The sample with department C06 of U01 misspelt in its ledger, and no statistic S03."""
    book = tmp_path / "broken"
    shutil.copytree(ROOT / "data" / "samples", book)
    ledger = pq.read_table(book / "ledger.parquet")
    units, depts = ledger["unit_id"].to_pylist(), ledger["dept_id"].to_pylist()
    wrong = ["CO6" if (u, d) == ("U01", "C06") else d for u, d in zip(units, depts, strict=True)]
    column = ledger.column_names.index("dept_id")
    pq.write_table(ledger.set_column(column, "dept_id", pa.array(wrong)), book / "ledger.parquet")
    drivers = pq.read_table(book / "drivers.parquet")
    names = zip(drivers["unit_id"].to_pylist(), drivers["driver"].to_pylist(), strict=True)
    kept = pa.array([(u, d) != ("U01", "S03") for u, d in names])
    pq.write_table(drivers.filter(kept), book / "drivers.parquet")
    shown = printed(
        "check", "broken", "--period", "2026-01", "--model", "three_level_step_down_2021",
        folder=tmp_path,
    )  # fmt: skip
    assert shown in blocks("README.md")
