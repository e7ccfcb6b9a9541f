"""The words of a report: both languages, each used, none missing."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow.parquet as pq

import medcost.report
from medcost.figure_words import ELEMENT_NAMES
from medcost.report.labels import (
    device_of,
    drivers_of,
    package_of,
    purpose_of,
    service_group_of,
    tag_of,
)
from medcost.report.notes import in_words
from medcost.report.words import all_words, word
from medcost.tables import CLASSES, ELEMENTS, load_table
from medcost.terminal_costs import CLASS_NAMES
from report.published import report_of

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
FOLDER = Path(medcost.report.__file__).parent
SHEETS = [key for key in all_words() if key.endswith((".sheet", "_sheet")) or key == "cover"]


def test_every_word_has_both_languages_and_the_same_gaps() -> None:
    for key, both in all_words().items():
        assert both.zh, key
        assert both.en, key
        gaps = [sorted(set(re.findall(r"{\w+}", text))) for text in both]
        assert gaps[0] == gaps[1], key


def test_every_word_is_used() -> None:
    """A key stands in the source as it is, or fits a key that is put together there."""
    source = "".join(path.read_text("utf-8") for path in FOLDER.glob("*.py"))
    literal = set(re.findall(r'"([\w.-]+)"', source))
    made = [
        re.escape(re.sub(r"{[^}]*}", "\0", key)).replace("\0", r"[\w-]+")
        for key in re.findall(r'(?:word|get)\(\s*f"([^"]+)"', source)
    ]
    unused = [
        key
        for key in all_words()
        if key not in literal and not any(re.fullmatch(pattern, key) for pattern in made)
    ]
    assert unused == []


def test_every_value_of_the_published_columns_that_are_named_has_a_word() -> None:
    """budget_variance.alert over is alert.over, and so on."""
    prefixes = {"requested_met": "met", "approved_met": "met", "base": "drg_base"}
    named = {
        "budget_variance": ("element", "favourable", "alert", "freeze", "approval_tier"),
        "variance_decomposition": ("level", "method"),
        "drg_variance": ("against", "base"),
        "break_even": ("measure", "verdict"),
        "budget_requests": ("scope", "requested_met", "approved_met", "approval_tier"),
        "budget_reward": ("targets",),
        "reconciliation": ("reason",),
    }
    for table, columns in named.items():
        for column in columns:
            for value in load_table(f"out_{table}").column(column).values:
                assert f"{prefixes.get(column, column)}.{value}" in all_words()


def test_every_driver_tag_and_service_group_of_the_sample_has_a_word() -> None:
    """The drivers of the sample that are no department of it are those that models name."""
    departments = set(column("departments", "dept_id"))
    for driver in set(column("drivers", "driver")) - departments:
        assert f"driver.{driver}" in all_words()
    for tag in {*column("budget", "tag")} - {None}:
        assert f"tag.{tag}" in all_words()
    for group in {*column("departments", "service_group")} - {None}:
        assert service_group_of(group).zh != group


def test_every_note_of_the_sample_has_words_and_months_without_a_gap_are_one_span(
    sample: Path,
) -> None:
    noted = report_of(sample).notes
    assert len(noted) > 3
    for note in noted:
        assert note.zh != note.en
    assert any(note.en.startswith("2026-01 – 2026-03: 58 driver rows") for note in noted)


def test_a_note_of_another_form_stands_as_it_is() -> None:
    assert in_words("3 moons in the ledger") == ("3 moons in the ledger", "3 moons in the ledger")
    known = in_words(
        "1,024 driver rows left aside: closed or own department, or outside the rule's receivers"
    )
    assert known.zh.startswith("1,024 行分摊参数未使用")


def test_purposes_packages_and_devices_of_the_sample_have_a_word() -> None:
    for table, name, named in (
        ("budget_requests", "purpose", purpose_of),
        ("insurance_package", "package_id", package_of),
        ("equipment", "device_type", device_of),
    ):
        for text in set(column(table, name)):
            assert named(text).zh != text
        assert named("our own") == ("our own", "our own")


def column(table: str, name: str) -> list:
    """A column of the sample that ships."""
    return pq.read_table(SAMPLES / f"{table}.parquet")[name].to_pylist()


def test_drivers_that_ship_are_named_beside_their_code_and_others_stay_as_they_are() -> None:
    found = drivers_of(["headcount", "S01"], "S01")
    assert found == (
        "本科室专用参数（S01）、职工人数（headcount）",
        "its own (S01), Headcount (headcount)",
    )
    assert tag_of("key_discipline").zh == "重点学科"
    assert service_group_of("intensive care").zh == "重症监护"
    assert service_group_of("medtech") == word("class.medtech")
    for named in (tag_of, service_group_of):
        assert named("our own") == ("our own", "our own")
    assert drivers_of(["beds of old"], "A") == ("beds of old", "beds of old")


def test_elements_and_classes_have_the_names_that_terminals_show() -> None:
    for element in ELEMENTS:
        assert ELEMENT_NAMES[element] == f"{word(f'element.{element}').zh} {element}"
    for kind in CLASSES:
        assert CLASS_NAMES[kind].split()[0] == word(f"class.{kind}").zh.removesuffix("类")


def test_names_of_sheets_are_those_that_excel_takes() -> None:
    for key in SHEETS:
        for name in all_words()[key]:
            assert len(name) <= 31, name
            assert not re.search(r"[\[\]:*?/\\]", name), name
    for language in (0, 1):
        names = [all_words()[key][language] for key in SHEETS]
        assert len(set(names)) == len(names)
