"""The budget control: every fault of the file with its key path and line, and what it decides."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from medcost.errors import InputRejected
from medcost.sections import keys_of
from medcost.variance.control import BudgetControl, load_control, shipped_control

HEAD = """[control]
id = "t"
title = "t"
authority = "none"
effective_from = 2026-01-01
"""


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "control.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def faults_of(tmp_path: Path, text: str) -> list[tuple[str, str]]:
    with pytest.raises(InputRejected) as rejected:
        load_control(written(tmp_path, text))
    return [(fault.code, fault.where[0]) for fault in rejected.value.faults]


def test_the_shipped_policy_is_the_one_that_the_defaults_are(tmp_path: Path) -> None:
    """Every key but those of [control] may be left out without a change."""
    shipped, short = load_control(), load_control(written(tmp_path, HEAD))
    assert shipped.file == "budget_control.toml"
    policies = [vars(loaded.policy) | {"control": None} for loaded in (shipped, short)]
    assert policies[0] == policies[1]


def test_every_section_stands_in_the_shipped_file() -> None:
    """Input is the one that names a driver of the book, and has no entry."""
    text = shipped_control().read_text("utf-8")
    sections = [key.name for key in keys_of(BudgetControl) if f"[{key.name}]" not in text]
    assert sections == ["input"]


def test_all_faults_stand_together_with_path_and_line(tmp_path: Path) -> None:
    text = (
        HEAD
        + '[alert]\nover = -0.1\nundr = 0.1\n[actual]\ndepartments = "gross"\n'
        + "[behaviour]\nstaff = 1.5\n[approval]\nunit_up_to = true\n"
    )
    place = "control.toml line"
    assert faults_of(tmp_path, text) == [
        ("control-value", f"{place} 7, alert.over"),
        ("control-key-unknown", f"{place} 8, alert.undr"),
        ("control-value", f"{place} 10, actual.departments"),
        ("control-value", f"{place} 12, behaviour.staff"),
        ("control-value", f"{place} 14, approval.unit_up_to"),
    ]


def test_a_policy_without_a_head_is_refused(tmp_path: Path) -> None:
    assert faults_of(tmp_path, "") == [("control-key-missing", "control.toml line 1, control")]


def test_a_file_that_is_no_toml_or_not_there_is_refused(tmp_path: Path) -> None:
    assert faults_of(tmp_path, "[control")[0][0] == "control-unreadable"
    with pytest.raises(InputRejected, match=r"cannot be read.*budget_control.toml ships"):
        load_control(str(tmp_path / "absent.toml"))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[approval]\nunit_up_to = 500000\n", "approval"),
        ("[approval]\nunit_up_to = 9\nleading_group_from = 9\n", "approval"),
        ('[volume]\nmeasures = ["visits", "visits"]\n', "volume.measures"),
        (
            '[[input]]\nelement = "staff"\ndriver = "a"\n'
            '[[input]]\nelement = "staff"\ndriver = "b"\n',
            "input[1].element",
        ),
    ],
)
def test_values_that_contradict_each_other_are_refused(
    tmp_path: Path, text: str, path: str
) -> None:
    ((code, where),) = faults_of(tmp_path, HEAD + text)
    assert (code, where.rsplit(" ", 1)[1]) == ("control-value", path)


@pytest.mark.parametrize(
    "text",
    ['approval = 3\n', 'volume = "x"\n', "input = 3\n", "input = [3]\n",
     '[approval]\nunit_up_to = "9"\n', "[volume]\nmeasures = [3, 3]\n"],
)  # fmt: skip
def test_a_wrong_type_never_breaks_the_loader(tmp_path: Path, text: str) -> None:
    content = text + HEAD if text[0] != "[" else HEAD + text
    assert {code for code, _ in faults_of(tmp_path, content)} == {"control-value"}


def test_a_share_is_the_decimal_that_the_file_shows(tmp_path: Path) -> None:
    """0.1 is 1/10 and not the nearest double; an integer will do."""
    control = load_control(written(tmp_path, HEAD + "[behaviour]\nstaff = 0.1\nother = 1\n"))
    behaviour = control.policy.behaviour
    assert behaviour.variable_share("staff") == Fraction(1, 10)
    assert behaviour.variable_share("other") == 1
    assert behaviour.variable_share("") == 1


@pytest.mark.parametrize(
    ("fen", "tier"),
    [
        (5_000_000, "unit"),
        (5_000_001, "centre"),
        (49_999_999, "centre"),
        (50_000_000, "leading_group"),
    ],
)
def test_both_limits_of_approval_are_included(fen: int, tier: str) -> None:
    """50,000.00 yuan is the unit's, 500,000.00 the leading group's."""
    assert load_control().policy.approval.tier(fen) == tier
