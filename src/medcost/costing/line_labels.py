"""What the labels of a period's lines mean: a look-up table for each text column."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medcost._core.labels import LabelTable
from medcost._core.net_lines import Places
from medcost.book import Book, is_period
from medcost.costing.line_ids import ChosenLines
from medcost.line_blocks import TableAhead, label_table, table_ahead
from medcost.period_book import CaseRegister, PeriodBook
from medcost.records import dataclass
from medcost.tables import CLINICAL, MEDTECH


@dataclass(frozen=True)
class LineLabels:
    """The look-up table of each text column of the lines, and what the codes mean."""

    tables: Mapping[str, LabelTable]
    places: Places
    chosen: ChosenLines


def line_labels(whole: Book, book: PeriodBook, cases_ahead: TableAhead | None = None) -> LineLabels:
    """What the labels of a period's lines mean.

    cases_ahead: the look-up table of all case ids of the book, which may be of use.
    """
    registers, cases = book.registers, book.cases
    # A hundred thousand ids and more: their table is made beside the rest, if it is not yet.
    if cases_ahead is None or cases_ahead.labels is not cases.case_labels:
        cases_ahead = table_ahead(cases.case_labels)
    units, depts = label_table(registers.unit_labels), label_table(registers.dept_labels)
    months = sorted({book.period, *filter(is_period, whole.tables["ledger"].labels("period"))})
    n_depts = len(registers.dept_ids)
    is_medtech = registers.dept_class == MEDTECH
    may_receive = (registers.dept_class == CLINICAL) & registers.open_in(book.period)
    by_label, first = _cases_of_labels(cases)
    places = Places(
        np.ascontiguousarray(registers.dept_grid[:-1, :-1]),
        book.selected.astype(np.uint8),
        registers.open_in(book.period).astype(np.uint8),
        registers.item_direct.astype(np.uint8),
        is_medtech.astype(np.uint8),
        may_receive.astype(np.uint8) if n_depts else np.empty(0, np.uint8),
        first,
        by_label,
        cases.unit.astype(np.int32),
        cases.dept.astype(np.int32),
        months.index(book.period),
    )
    tables = {
        "period": label_table(pa.array(months, pa.string())),
        "unit_id": units,
        "dept_id": depts,
        "item_id": label_table(registers.item_labels),
        "case_id": cases_ahead.table.result(),
        "case_unit_id": units,
        "ordering_dept_id": depts,
    }
    selected = np.append(book.selected, [False, False])
    return LineLabels(tables, places, ChosenLines(places.period, selected))


def _cases_of_labels(cases: CaseRegister) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Cases by label, then unit [cases], and the first place of each label in them [labels + 1]."""
    n, n_labels = cases.n, len(cases.case_labels)
    if (cases.label[1:] > cases.label[:-1]).all():
        by_label = np.arange(n, dtype=np.int32)
        if n == n_labels:
            return by_label, np.arange(n + 1, dtype=np.int32)
    else:
        by_label = np.lexsort((cases.unit, cases.label)).astype(np.int32)
    first = np.zeros(n_labels + 1, np.int32)
    np.cumsum(np.bincount(cases.label, minlength=n_labels), out=first[1:])
    return by_label, first
