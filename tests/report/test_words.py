"""The words of a report: both languages, each used, none missing."""

from __future__ import annotations

import re
from pathlib import Path

import medcost.report
from medcost.figure_words import ELEMENT_NAMES
from medcost.report.words import all_words, word
from medcost.tables import CLASSES, ELEMENTS, load_table
from medcost.terminal import CLASS_NAMES

FOLDER = Path(medcost.report.__file__).parent
SHEETS = [key for key in all_words() if key.endswith("sheet") or key == "cover"]


def test_every_word_has_both_languages_and_the_same_gaps() -> None:
    for key, both in all_words().items():
        assert both.zh, key
        assert both.en, key
        gaps = [sorted(set(re.findall(r"{\w+}", text))) for text in both]
        assert gaps[0] == gaps[1], key


def test_every_word_is_used() -> None:
    source = "".join(path.read_text("utf-8") for path in FOLDER.glob("*.py"))
    literal = set(re.findall(r'"([\w.-]+)"', source))
    made = {f"element.{e}" for e in ELEMENTS} | {f"class.{c}" for c in CLASSES}
    made |= {f"full.{c}" for c in CLASSES} | {f"flow.column_{i}" for i in range(5)}
    made |= {f"reason.{r}" for r in load_table("out_reconciliation").column("reason").values}
    made |= {f"through.{stage}" for stage in ("departments", "service-items", "cases")}
    made |= {f"sign.{who}" for who in ("prepared", "checked", "chief", "date")}
    assert sorted(set(all_words()) - literal - made) == []


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
