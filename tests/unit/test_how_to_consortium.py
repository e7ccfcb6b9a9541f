"""The page for the consortium's manager: its sheets, commands and figures are true."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

HOW_TO = Path(__file__).parents[2] / "docs" / "how_to"
PAGE = (HOW_TO / "consortium.md").read_text("utf-8")
SHEETS = dict(re.findall(r"Save as `(sheets/\w+\.csv)`:\n\n```csv\n(.*?)^```$", PAGE, re.M | re.S))
FENCED = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.M | re.S)
BLOCKS = [text for kind, text in FENCED if not kind]
COMMANDS = ("medcost ", "python ")


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what each command of the page printed, run in its order."""
    place = tmp_path_factory.mktemp("consortium")
    (place / "sheets").mkdir()
    for name, text in SHEETS.items():
        (place / name).write_text(text, "utf-8")
    book = (HOW_TO / "your_own_book.md").read_text("utf-8")
    program = re.search(r"`from_csv.py`:\n\n```python\n(.*?)^```$", book, re.M | re.S)
    assert program is not None
    (place / "from_csv.py").write_text(program.group(1), "utf-8")
    found = {}
    for command in (line for block in BLOCKS for line in block.splitlines()):
        if command.startswith(COMMANDS):
            words = shlex.split(command)
            start = ["-m", "medcost"] if words[0] == "medcost" else []
            done = subprocess.run(
                [sys.executable, *start, *words[1:]],
                cwd=place,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            found[command] = done.stdout
    return found


def test_every_figure_of_the_page_is_what_the_command_above_it_prints(
    printed: dict[str, str],
) -> None:
    said = ""
    n_shown = 0
    for block in BLOCKS:
        lines = block.splitlines()
        if lines[0].startswith(COMMANDS):
            said = "".join(printed[line] for line in lines)
            continue
        for line in lines:
            assert line.split() in [one.split() for one in said.splitlines()], line
            n_shown += 1
    assert n_shown >= 15


def test_every_kind_of_result_has_a_command_on_the_page() -> None:
    asked = re.findall(r"^medcost (\w+) book --period", PAGE, re.M)
    assert asked == ["share", "lend", "fund", "equip", "consolidate"]
