"""One period of a book, its labels turned into indices: what every costing stage starts from.

Rows that cannot be placed (unknown department, empty key, ...) are left out here; the checks
name each of them, and a book with faults is never published.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medcost.book import (
    Book,
    Registers,
    Scalar,
    TableRows,
    codes_in,
    constant_rows,
    is_period,
    period_number,
    position_in,
    wide_codes,
)
from medcost.records import dataclass
from medcost.tables import ELEMENTS, load_table
from medcost.text_labels import take_text, text_array

FUNDS = load_table("ledger").column("fund").values
PROGRAMS = load_table("ledger").column("program").values
SETTINGS = load_table("cases").column("setting").values
NO_DATE = np.iinfo(np.int64).max


@dataclass(frozen=True)
class LedgerRows:
    """Postings of the period: dept, element, fund and program indices and fen, int64 [rows].

    row: where each stands in the book's table ledger.
    """

    dept: NDArray[np.int64]
    element: NDArray[np.int64]
    fund: NDArray[np.int64]
    program: NDArray[np.int64]
    fen: NDArray[np.int64]
    row: NDArray[np.int64]


@dataclass(frozen=True)
class DriverRows:
    """Statistics of the period, sorted by (unit, driver, dept): int64 [rows], quantity in 1e-4.

    first_row gives the first row of (unit, driver) at unit x len(names) + driver, and the end.
    """

    names: tuple[str, ...]
    dept: NDArray[np.int64]
    quantity: NDArray[np.int64]
    first_row: NDArray[np.int64]


@dataclass(frozen=True)
class WeightRows:
    """Item weights, int64 [rows]: item; unit, dept label and element or -1; month; weight in 1e-6.

    dept is a position in the register's distinct dept labels; begins is 0 where always.
    """

    item: NDArray[np.int64]
    unit: NDArray[np.int64]
    dept: NDArray[np.int64]
    element: NDArray[np.int64]
    begins: NDArray[np.int64]
    weight: NDArray[np.int64]


@dataclass(frozen=True)
class CaseRegister:
    """Cases of all units in the period and opening cases not listed, sorted by (unit, case_id).

    Arrays [cases]: unit; label, a position in case_labels; listed; setting; dept of the case in
    its unit (-1: none); drg, scheme and payer, positions in the label tuples (-1: none);
    bed_days in 1e-2 and where present; discharged in days since 1970 (NO_DATE: empty);
    opening fen [cases, elements] and opening_charge. To be read only: a column may be the table's
    own, or one value in the memory of one.
    """

    case_labels: pa.Array
    drg_labels: tuple[str, ...]
    scheme_labels: tuple[str, ...]
    payer_labels: tuple[str, ...]
    unit: NDArray[np.int64]
    label: NDArray[np.int64]
    listed: NDArray[np.bool_]
    setting: NDArray[np.int64]
    dept: NDArray[np.int64]
    drg: NDArray[np.int64]
    scheme: NDArray[np.int64]
    payer: NDArray[np.int64]
    discharged: NDArray[np.int64]
    bed_days: NDArray[np.int64]
    has_bed_days: NDArray[np.bool_]
    opening: NDArray[np.int64]
    opening_charge: NDArray[np.int64]

    @cached_property
    def has_opening(self) -> bool:
        """Whether any case has cost or charges from earlier months."""
        return bool(self.opening.any() or self.opening_charge.any())

    @property
    def n(self) -> int:
        """Number of cases."""
        return len(self.unit)

    def find(self, unit: NDArray[np.int64], label: NDArray[np.int64]) -> NDArray[np.int64]:
        """Case of each (unit, label), -1 where there is none or one of the two is -1."""
        if self.n == 0:
            return np.full(len(unit), -1, np.int64)
        width = len(self.case_labels)
        keys = self.unit * width + self.label
        wanted = unit * width + label
        position = np.minimum(np.searchsorted(keys, wanted), self.n - 1)
        found = (keys[position] == wanted) & (unit >= 0) & (label >= 0)
        return np.where(found, position, -1)


@dataclass(frozen=True)
class PeriodBook:
    """Everything of one period but the service lines, as arrays.

    selected: bool [units], the units to cost; scheme_default: the only scheme of drg_groups.
    """

    period: str
    registers: Registers
    selected: NDArray[np.bool_]
    ledger: LedgerRows
    drivers: DriverRows
    weights: WeightRows
    cases: CaseRegister
    group_weight: dict[tuple[str, str], int | None]
    has_bed_days: bool
    has_opening_charge: bool


def read_period(book: Book, period: str, units: Sequence[str] | None = None) -> PeriodBook:
    """The period's rows of the chosen units (default: all) as arrays."""
    registers = book.registers
    selected = np.array([units is None or u in units for u in registers.unit_ids], np.bool_)
    cases = book.tables.get("cases")
    opening = book.tables.get("opening_work_in_progress")
    has_charge = opening is not None and "charge" in opening.numbers
    return PeriodBook(
        period,
        registers,
        selected,
        _ledger(book, period, selected),
        _drivers(book, period, selected),
        _weights(book, period),
        _cases(book, period),
        _group_weights(book),
        cases is not None and "bed_days" in cases.numbers,
        has_charge,
    )


def in_period(rows: TableRows, period: str) -> NDArray[np.bool_]:
    """Where a row's period column holds the period."""
    labels = rows.labels("period")
    code = labels.index(period) if period in labels else -2
    return np.asarray(rows.codes("period") == code, np.bool_)


def _departments_of(
    rows: TableRows, registers: Registers
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    units = registers.unit_of(rows.text["unit_id"])
    return units, registers.department_of(units, rows.text["dept_id"])


def _ledger(book: Book, period: str, selected: NDArray[np.bool_]) -> LedgerRows:
    none = np.empty(0, np.int64)
    if "ledger" not in book.tables:
        return LedgerRows(none, none, none, none, none, none)
    rows = book.tables["ledger"]
    units, dept = _departments_of(rows, book.registers)
    element = position_in(rows, "element", ELEMENTS)
    usable = in_period(rows, period) & (dept >= 0) & (element >= 0)
    usable &= np.append(selected, False)[units]
    # An empty fund is own and an empty program medical: the first of each list.
    fund = np.maximum(position_in(rows, "fund", FUNDS), 0)
    program = np.maximum(position_in(rows, "program", PROGRAMS), 0)
    fen = rows.values("amount")
    row = np.arange(rows.n)
    return LedgerRows(*(a[usable] for a in (dept, element, fund, program, fen, row)))


def _drivers(book: Book, period: str, selected: NDArray[np.bool_]) -> DriverRows:
    registers = book.registers
    n_units = len(registers.unit_ids)
    if "drivers" not in book.tables:
        none = np.empty(0, np.int64)
        return DriverRows((), none, none, np.zeros(1, np.int64))
    rows = book.tables["drivers"]
    names = tuple(rows.labels("driver"))
    units, dept = _departments_of(rows, registers)
    driver = rows.codes("driver").astype(np.int64)
    usable = in_period(rows, period) & (dept >= 0) & (driver >= 0)
    usable &= np.append(selected, False)[units]
    dept, quantity = dept[usable], rows.values("quantity")[usable]
    key = units[usable] * len(names) + driver[usable]
    order = np.lexsort((dept, key))
    first_row = np.searchsorted(key[order], np.arange(n_units * len(names) + 1))
    return DriverRows(names, dept[order], quantity[order], first_row.astype(np.int64))


def _weights(book: Book, period: str) -> WeightRows:
    none = np.empty(0, np.int64)
    if "item_weights" not in book.tables:
        return WeightRows(none, none, none, none, none, none)
    rows, registers = book.tables["item_weights"], book.registers
    item = codes_in(rows.text["item_id"], registers.item_labels)
    unit, dept = (
        codes_in(rows.text[name], labels) if name in rows.text else np.full(rows.n, -1, np.int64)
        for name, labels in (("unit_id", registers.unit_labels), ("dept_id", registers.dept_labels))
    )
    begun = [period_number(p) if is_period(p) else 10**6 for p in rows.labels("period")]
    begins = np.array([*begun, 0], np.int64)[rows.codes("period")]
    # A row that names a unit or department nobody has fits nowhere.
    lost = ((rows.codes("unit_id") >= 0) & (unit < 0)) | ((rows.codes("dept_id") >= 0) & (dept < 0))
    element = position_in(rows, "element", ELEMENTS)
    usable = (item >= 0) & ~lost & (begins <= period_number(period))
    weight = rows.values("weight")
    # An item whose rows all fit nowhere still has rows: it is kept by a row of no month.
    begins = np.where(usable, begins, -1)
    keep = item >= 0
    return WeightRows(*(a[keep] for a in (item, unit, dept, element, begins, weight)))


def _group_weights(book: Book) -> dict[tuple[str, str], int | None]:
    """RW in 1e-6 of each (scheme, drg_id), None where the catalogue leaves it empty."""
    if "drg_groups" not in book.tables:
        return {}
    rows = book.tables["drg_groups"]
    schemes, groups = [*rows.labels("scheme"), ""], [*rows.labels("drg_id"), ""]
    columns = (
        rows.codes("scheme"),
        rows.codes("drg_id"),
        rows.values("weight"),
        rows.present("weight"),
    )
    return {
        (schemes[s], groups[g]): int(w) if there else None
        for s, g, w, there in zip(*columns, strict=True)
    }


def _cases(book: Book, period: str) -> CaseRegister:
    registers = book.registers
    listed, listed_rows = _period_rows(book.tables.get("cases"), period, registers)
    opened, opened_rows = _period_rows(
        book.tables.get("opening_work_in_progress"), period, registers
    )
    labels = _labels_of(book, {"cases": listed_rows, "opening_work_in_progress": opened_rows})
    width = max(len(labels), 1)

    def label_of(name: str, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        if not len(rows):
            return np.empty(0, np.int64)
        found = codes_in(book.tables[name].text["case_id"], labels)
        return found if len(rows) == len(found) else found[rows]

    label = label_of("cases", listed_rows)
    # Of rows that share a key, a fault by itself, the first stands.
    unique, first = _distinct(listed * width + label)
    opening_keys = opened * width + label_of("opening_work_in_progress", opened_rows)
    at: NDArray[np.int64] | slice = slice(None)
    if len(opening_keys):
        listed_keys = unique
        unique, _ = _distinct(np.concatenate([listed_keys, opening_keys]))
        at = np.searchsorted(unique, listed_keys)
    n, rows = len(unique), listed_rows[first]
    table = book.tables.get("cases")
    # In the order of their keys, of which first takes all: columns are the cases' as they are.
    rows_are_cases = table is not None and table.n == n == len(rows) and isinstance(first, slice)
    unit, label = (listed, label) if rows_are_cases else (unique // width, unique % width)

    def column(values: NDArray[Scalar], default: int) -> NDArray[Scalar]:
        if rows_are_cases:
            return values
        out = np.full(n, default, values.dtype)
        out[at] = values[rows] if len(rows) else 0
        return out

    opening, opening_charge = _opening(book, opened_rows, np.searchsorted(unique, opening_keys), n)
    if table is None:
        return _bare_cases(labels, unit, label, opening, opening_charge)
    has_date, discharged = table.present("discharged"), table.values("discharged")
    if not has_date.all():
        discharged = np.where(has_date, discharged, NO_DATE)
    dept = constant_rows(np.int64(-1), table.n)
    if "dept_id" in table.text:
        units = registers.unit_of(table.text["unit_id"])
        dept = registers.department_of(units, table.text["dept_id"])
    scheme, scheme_labels = _schemes(book, table)
    return CaseRegister(
        labels,
        tuple(table.labels("drg_id")),
        scheme_labels,
        tuple(table.labels("payer")),
        unit,
        label,
        column(constant_rows(np.True_, table.n), 0),
        column(position_in(table, "setting", SETTINGS), -1),
        column(dept, -1),
        column(wide_codes(table.codes("drg_id")), -1),
        column(scheme, -1),
        column(wide_codes(table.codes("payer")), -1),
        column(discharged, NO_DATE),
        column(table.values("bed_days"), 0),
        column(table.present("bed_days"), 0),
        opening,
        opening_charge,
    )


def _labels_of(book: Book, rows_of: dict[str, NDArray[np.int64]]) -> pa.Array:
    """The sorted case_ids that the rows of each table name."""
    found = []
    for name, rows in rows_of.items():
        if len(rows):
            column = book.tables[name].text["case_id"]
            used = np.zeros(len(column.labels), np.bool_)
            used[column.codes[rows]] = True
            all_used = bool(used.all())
            found.append(
                column.labels if all_used else take_text(column.labels, np.flatnonzero(used))
            )
    if len(found) == 1:
        return found[0]
    return text_array(sorted({label for labels in found for label in labels.to_pylist()}))


def _distinct(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64] | slice]:
    """Distinct keys, ascending, and where each stands first [distinct keys].

    Where the keys ascend already these are all, as a slice.

    np.unique that is asked for the keys alone imports numpy.ma, 15 ms.
    """
    if (keys[1:] > keys[:-1]).all():
        return keys, slice(None)
    unique, first = np.unique(keys, return_index=True)
    return unique, first.astype(np.int64)


def register_cases(units: NDArray[np.int64], ids: pa.ChunkedArray) -> CaseRegister:
    """A register of cases of which only unit and case_id are known."""
    texts = ids.to_pylist()
    labels = sorted(set(texts))
    place = {label: i for i, label in enumerate(labels)}
    codes = np.array([place[text] for text in texts], np.int64)
    width = max(len(labels), 1)
    unique, _ = _distinct(units * width + codes)
    n = len(unique)
    no_opening = np.zeros((n, len(ELEMENTS)), np.int64)
    no_charge = np.zeros(n, np.int64)
    return _bare_cases(text_array(labels), unique // width, unique % width, no_opening, no_charge)


def _bare_cases(
    labels: pa.Array,
    unit: NDArray[np.int64],
    label: NDArray[np.int64],
    opening: NDArray[np.int64],
    opening_charge: NDArray[np.int64],
) -> CaseRegister:
    n = len(unit)
    none, no = np.full(n, -1, np.int64), np.zeros(n, np.bool_)
    return CaseRegister(
        labels,
        drg_labels=(),
        scheme_labels=(),
        payer_labels=(),
        unit=unit,
        label=label,
        listed=no,
        setting=none,
        dept=none,
        drg=none,
        scheme=none,
        payer=none,
        discharged=np.full(n, NO_DATE),
        bed_days=np.zeros(n, np.int64),
        has_bed_days=no,
        opening=opening,
        opening_charge=opening_charge,
    )


def _period_rows(
    rows: TableRows | None, period: str, registers: Registers
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Unit and row number, ascending, of the rows of the period whose unit and case_id are known.

    Both [such rows].
    """
    if rows is None:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    units = registers.unit_of(rows.text["unit_id"])
    usable = in_period(rows, period) & (units >= 0) & (rows.codes("case_id") >= 0)
    found = np.flatnonzero(usable)
    return units if len(found) == rows.n else units[found], found


def _opening(
    book: Book, rows: NDArray[np.int64], at: NDArray[np.int64], n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Opening fen [cases, elements] and charge [cases]."""
    table = book.tables.get("opening_work_in_progress")
    if table is None or not len(rows):
        # Zeros that take no memory.
        return np.broadcast_to(np.int64(0), (n, len(ELEMENTS))), constant_rows(np.int64(0), n)
    cost, charge = np.zeros((n, len(ELEMENTS)), np.int64), np.zeros(n, np.int64)
    for element, name in enumerate(ELEMENTS):
        cost[at, element] = table.values(name)[rows]
    charge[at] = table.values("charge")[rows]
    return cost, charge


def _schemes(book: Book, table: TableRows) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Scheme of each case row; where it is empty, the only one of drg_groups."""
    labels = table.labels("scheme")
    known = book.tables["drg_groups"].labels("scheme") if "drg_groups" in book.tables else []
    if len(known) == 1:
        if known[0] not in labels:
            labels.append(known[0])
        only = labels.index(known[0])
        if "scheme" not in table.text:
            return constant_rows(np.int64(only), table.n), tuple(labels)
        codes = table.codes("scheme")
        return np.where(codes < 0, only, codes.astype(np.int64)), tuple(labels)
    return wide_codes(table.codes("scheme")), tuple(labels)
