"""Which published figure a question means: by department, service item or DRG group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medcost.costing.figures import (
    Figure,
    costed_cases,
    department_figure,
    drg_figure,
    item_figure,
)
from medcost.errors import Fault, InputRejected, quote
from medcost.kept_run import KeptRun
from medcost.records import dataclass

NOUNS = {"dept": "department", "item": "costed service item", "drg": "costed DRG group"}
STAGE_OF = {"dept": "departments", "item": "service-items", "drg": "cases"}


@dataclass(frozen=True)
class Question:
    """What to explain: kind is dept, item or drg; empty text where nothing is said."""

    kind: str
    label: str
    unit: str = ""
    scheme: str = ""
    element: str = ""

    @property
    def stage(self) -> str:
        """The stage that publishes the figure: no later one need be computed."""
        return STAGE_OF[self.kind]


def find_figures(run: KeptRun, question: Question) -> tuple[str, list[Figure]]:
    """The scheme and the figures meant, one for each unit that has one.

    An item or group of several units is the sum over them; a department is of one unit. Raises
    InputRejected (unit-not-in-book, stage-not-in-run, figure-not-in-run, figure-ambiguous).
    """
    registers, selected = run.period_book.registers, run.period_book.selected
    units = [
        unit
        for unit in np.flatnonzero(selected).tolist()
        if question.unit in ("", registers.unit_ids[unit])
    ]
    if not units:
        what = f"The run has no unit {quote(question.unit)}."
        raise InputRejected([Fault("unit-not-in-book", what, ("--unit",))])
    find = {"dept": _of_departments, "item": _of_items, "drg": _of_groups}
    scheme, figures = find[question.kind](run, question, units)
    if not figures:
        of = f" of unit {quote(question.unit)}" if question.unit else ""
        what = f"There is no {NOUNS[question.kind]} {quote(question.label)}{of}."
        raise InputRejected([Fault("figure-not-in-run", what, (f"--{question.kind}",))])
    return scheme, figures


def _of_departments(
    run: KeptRun, question: Question, units: Sequence[int]
) -> tuple[str, list[Figure]]:
    registers = run.period_book.registers
    found = [
        dept
        for dept, label in enumerate(registers.dept_ids)
        if label == question.label and registers.dept_unit[dept] in units
    ]
    if len(found) > 1:
        labels = [registers.unit_ids[registers.dept_unit[dept]] for dept in found]
        raise _ambiguous(question, "units", labels)
    return "", [department_figure(run.period_book, run.departments, dept) for dept in found]


def _of_items(run: KeptRun, question: Question, units: Sequence[int]) -> tuple[str, list[Figure]]:
    registers = run.period_book.registers
    if run.items is None or run.services_of is None:
        raise _stage_missing("service items")
    if question.label not in registers.item_ids:
        return "", []
    item = registers.item_ids.index(question.label)
    services = run.services_of(None)
    services = services.where(services.item == item)
    performing = np.unique(registers.dept_unit[services.dept]).tolist()
    return "", [
        item_figure(run.period_book, run.departments, run.items, services, unit, item)
        for unit in units
        if unit in performing
    ]


def _of_groups(run: KeptRun, question: Question, units: Sequence[int]) -> tuple[str, list[Figure]]:
    if run.items is None or run.services_of is None or run.cases is None:
        raise _stage_missing("cases")
    cells = costed_cases(run.period_book, run.cases, question.label)
    chosen = {
        (unit, scheme): cases
        for (unit, scheme), cases in cells.items()
        if unit in units and question.scheme in ("", scheme)
    }
    schemes = sorted({scheme for _, scheme in chosen})
    if len(schemes) > 1:
        raise _ambiguous(question, "schemes", schemes)
    figures = [
        drg_figure(
            run.period_book, run.departments, run.items, run.cases, run.services_of, unit, cases
        )
        for (unit, _), cases in chosen.items()
    ]
    return schemes[0] if schemes else "", figures


def _stage_missing(what: str) -> InputRejected:
    sentence = f"The run did not get to {what}."
    return InputRejected([Fault("stage-not-in-run", sentence, ("manifest.json, through",))])


def _ambiguous(question: Question, what: str, labels: Sequence[str]) -> InputRejected:
    noun = NOUNS[question.kind].split()[-1]
    sentence = f"{len(labels)} {what} have a {noun} {quote(question.label)}."
    return InputRejected([Fault("figure-ambiguous", sentence, tuple(map(quote, labels)))])
