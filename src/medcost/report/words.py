"""The words of a report in Chinese and English, from words.csv: translators edit that file.

Both languages stand in the page at the same time, so a word is a pair and not the entry of one
catalogue that is chosen when the program starts.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")


class Word(NamedTuple):
    """One word, phrase or sentence in both languages."""

    zh: str
    en: str

    def of(self, language: Language) -> str:
        """The word in one language."""
        return self.zh if language == "zh" else self.en


@cache
def all_words() -> dict[str, Word]:
    """Every word by its key."""
    text = Path(__file__).with_name("words.csv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines())
    return {row["key"]: Word(row["zh"], row["en"]) for row in rows}


def word(key: str, **values: str | Word) -> Word:
    """The word of a key, its {names} filled in; KeyError where words.csv does not have it."""
    found = all_words()[key]
    if not values:
        return found

    def filled(language: Language) -> str:
        return found.of(language).format(
            **{n: v.of(language) if isinstance(v, Word) else v for n, v in values.items()}
        )

    return Word(filled("zh"), filled("en"))


def same(text: str) -> Word:
    """A text that is the same in both languages: an id, a name of the book, a number."""
    return Word(text, text)


# Between the things of a list.
SEPARATOR = Word("、", ", ")


def joined(separator: Word, *parts: Word) -> Word:
    """Words one after another."""
    return Word(separator.zh.join(p.zh for p in parts), separator.en.join(p.en for p in parts))
