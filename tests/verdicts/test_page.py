"""The page and its tests name the same cases."""

import re
from pathlib import Path
from types import ModuleType

from consortium.consolidation import test_by_hand as test_consolidation
from consortium.funding import test_stage as test_funds

from verdicts import (
    test_budget,
    test_choices,
    test_comparisons,
    test_drg_matrix,
    test_drivers,
    test_files,
    test_ledger,
    test_lines,
    test_what_ifs,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "verdicts.md"
MODULES = (
    test_ledger,
    test_drivers,
    test_lines,
    test_files,
    test_choices,
    test_comparisons,
    test_drg_matrix,
    test_what_ifs,
    test_budget,
    test_consolidation,
    test_funds,
)


def cases_of_page(text: str) -> list[str]:
    """Return the first cell of every row of every table, heads and rules left out."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    cells = [re.split(r"(?<!\\)\|", row)[1].strip() for row in rows]
    return [cell.replace(r"\|", "|") for cell in cells if cell != "case" and cell.strip("-")]


def cases_of_tests(module: ModuleType) -> set[str]:
    """Return what the verdict markers of a module's tests name."""
    return {
        mark.args[0]
        for name, test in vars(module).items()
        if name.startswith("test_")
        for mark in getattr(test, "pytestmark", [])
        if mark.name == "verdict"
    }


def test_every_row_of_the_page_has_a_test_and_every_test_a_row() -> None:
    """A row that is added or reworded fails here until a test names it."""
    cases = cases_of_page(PAGE.read_text(encoding="utf-8"))
    tested = set().union(*map(cases_of_tests, MODULES))
    assert len(set(cases)) == len(cases)
    assert tested == set(cases)


def test_a_row_is_read_with_its_escaped_bars() -> None:
    r"""The cell `a \| b` is "a | b"."""
    text = "| case | verdict |\n|---|---|\n| a \\| b | Refused. |\n"
    assert cases_of_page(text) == ["a | b"]
