"""A section of the report: pictures and tables under one heading, or what is missing for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from medcost.report.grid import Grid
from medcost.report.words import LANGUAGES, Language, Word

# Colours of the elements, in their order: quiet, and told apart also in grey.
ELEMENT_COLOURS = ("#1f4e79", "#4f86b0", "#9dc3e0", "#7f6a3f", "#c2a85f", "#a65d4e", "#8c9196")
# Red is darker than green, so that the two are told apart in grey and by the colour-blind.
BLUE, RED, GREEN = "#2b6291", "#a8402f", "#8fbfa5"


@dataclass(frozen=True)
class Picture:
    """An inline SVG for each language, and what it shows.

    unit: the member unit that it is of, '' for all together.
    """

    title: Word
    svg: Mapping[Language, str]
    note: Word | None = None
    unit: str = ""


@dataclass(frozen=True)
class Matrix:
    """What one thing costs by rows and elements.

    unit: the member unit that it is of, '' for all together; rows: fen by element, in the order
    of ELEMENTS.
    """

    unit: str
    label: str
    cases: int
    rows: tuple[tuple[Word, tuple[int, ...]], ...]

    @property
    def total(self) -> int:
        """Fen of all rows and elements."""
        return sum(sum(fen) for _, fen in self.rows)


@dataclass(frozen=True)
class Chooser:
    """Matrices of which the page shows the one that its reader chooses; the sheet has them all."""

    title: Word
    notes: tuple[Word, ...]
    matrices: tuple[Matrix, ...]
    sheet: Word


@dataclass(frozen=True)
class Section:
    """One tab of the page and the sheets that belong to it.

    leads: sentences before the pictures; chooser: what stands between pictures and tables;
    missing: what stands in place of everything where the runs did not publish it.
    """

    key: str
    title: Word
    leads: tuple[Word, ...] = ()
    pictures: tuple[Picture, ...] = ()
    grids: tuple[Grid, ...] = ()
    missing: Word | None = None
    chooser: Chooser | None = None


def in_both(draw: Callable[[Language], str]) -> dict[Language, str]:
    """A picture drawn once for each language."""
    return {language: draw(language) for language in LANGUAGES}
