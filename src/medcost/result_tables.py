"""Results as the contract's tables: sorted by key, rows without any amount left out.

In memory, labels are dictionary-encoded and decimals 64 bits wide, which costs no copy of a stage's
arrays; the files hold plain text and decimals (staged_tables.write_table).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medcost._core.sums import narrow_codes
from medcost.costing.cases import COSTED, IN_PROGRESS, LATE, STATUSES, CaseCosts
from medcost.costing.departments import DepartmentCosts
from medcost.costing.drg_groups import QUANTILES, DrgCosts, PricedCases
from medcost.costing.drg_matrix import DrgMatrix
from medcost.costing.service_items import ServiceItemCosts
from medcost.errors import Fault, InputRejected, InvariantBroken
from medcost.parquet_input import decode_number, encode_part, present_rows
from medcost.period_book import PeriodBook
from medcost.quotients import scaled_quotients
from medcost.tables import CLASSES, ELEMENTS, Column, load_table
from medcost.text_labels import take_text, text_array

ELEMENT_ORDER = np.array(sorted(range(len(ELEMENTS)), key=lambda e: ELEMENTS[e]))
# Unit costs are yuan a service in 1e-6, of fen and volumes in 1e-4; means are yuan in 1e-6.
FEN = load_table("out_comparison").column("before")
UNIT_COST_STEPS = 10**8
MEAN_STEPS = 10**4


class Coded(NamedTuple):
    """A text column: distinct labels and a code for each row, -1 where it is empty."""

    labels: pa.Array
    codes: NDArray[np.int64]


class Filled(NamedTuple):
    """A number column that may be empty: values and where there is one."""

    values: NDArray[np.int64] | NDArray[np.float64]
    valid: NDArray[np.bool_]


# What a column of a result table is made of; text that does not repeat is an Arrow array.
Given: TypeAlias = NDArray[np.int64] | Filled | Coded | pa.Array


def number_array(
    values: NDArray[np.int64] | NDArray[np.float64],
    type_: pa.DataType,
    valid: NDArray[np.bool_] | None = None,
) -> pa.Array:
    """Numbers of 64 bits, decimals at their scale, as an Arrow array; empty where not valid."""
    bitmap = None
    if valid is not None and not valid.all():
        bitmap = pa.py_buffer(np.packbits(valid, bitorder="little"))
    words = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(type_, len(values), [bitmap, words])


def coded_array(column: Coded) -> pa.Array:
    """The dictionary-encoded Arrow array of a text column, of the labels that rows have."""
    labels = column.labels
    codes, is_used, n_empty = narrow_codes(np.ascontiguousarray(column.codes), len(labels))
    empty = codes < 0 if n_empty else None
    if not is_used.all():
        # A label that no row has must not change a byte of the file.
        labels = take_text(labels, np.flatnonzero(is_used))
        codes = np.append(np.cumsum(is_used, dtype=np.int32) - 1, np.int32(0))[codes]
    bitmap = None
    if empty is not None:
        bitmap = pa.py_buffer(np.packbits(~empty, bitorder="little"))
        codes = np.where(empty, np.int32(0), codes)
    indices = pa.Array.from_buffers(pa.int32(), len(codes), [bitmap, pa.py_buffer(codes)])
    return pa.DictionaryArray.from_arrays(indices, labels)


def as_written(table: pa.Table) -> pa.Table:
    """A result table in the types that a reader of its file finds."""
    fields = []
    for field in table.schema:
        kind = field.type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        elif pa.types.is_decimal(kind):
            kind = pa.decimal128(kind.precision, kind.scale)
        fields.append((field.name, kind))
    return table.cast(pa.schema(fields))


def arrow_type(column: Column) -> pa.DataType:
    """The Arrow type of a result column in memory."""
    if column.scale is not None:
        return pa.decimal64(column.precision, column.scale)
    return {"string": pa.string(), "int64": pa.int64(), "double": pa.float64()}[column.type]


def build_table(
    name: str,
    columns: Mapping[str, Given],
    keep: NDArray[np.bool_] | None = None,
    all_rows: bool = False,
) -> pa.Table:
    """A result table from its columns: int64 arrays for decimals, at their scale.

    A column not given is empty. Rows whose amounts are all zero are left out, unless all_rows are
    wanted, and those that keep leaves out. Raises InputRejected where an amount does not fit
    decimal(18,2).
    """
    schema = load_table(f"out_{name}")
    kept = _rows_with_amounts(schema.columns, columns)
    if all_rows:
        kept[:] = True
    if keep is not None:
        kept &= keep
    for column in schema.columns:
        if column.scale is not None and column.name in columns:
            _require_fit(name, column, columns[column.name])
    rows = None if kept.all() else np.flatnonzero(kept)
    n = len(kept) if rows is None else len(rows)
    arrays = [_column_array(column, columns.get(column.name), rows, n) for column in schema.columns]
    return pa.Table.from_arrays(arrays, [column.name for column in schema.columns])


def _rows_with_amounts(
    schema: tuple[Column, ...], columns: Mapping[str, Given]
) -> NDArray[np.bool_]:
    first = next(iter(columns.values()))
    kept = np.zeros(len(first.codes if isinstance(first, Coded) else first), np.bool_)
    for column in schema:
        given = columns.get(column.name)
        if column.is_amount and isinstance(given, Filled):
            kept |= (given.values != 0) & given.valid
        elif column.is_amount and given is not None:
            kept |= given != 0
    return kept


def _column_array(
    column: Column, given: Given | None, rows: NDArray[np.int64] | None, n: int
) -> pa.Array:
    """The chosen rows of a column, n of them; None: all rows."""
    chosen = slice(None) if rows is None else rows
    if given is None:
        array = pa.nulls(n, arrow_type(column))
    elif isinstance(given, Coded):
        array = coded_array(Coded(given.labels, given.codes[chosen]))
    elif isinstance(given, Filled):
        array = number_array(given.values[chosen], arrow_type(column), given.valid[chosen])
    elif isinstance(given, np.ndarray):
        array = number_array(given[chosen], arrow_type(column))
    else:
        array = given if rows is None else take_text(given, rows)
    return array


def fen_of(table: pa.Table, column: str) -> NDArray[np.int64]:
    """A column of money of a result table in whole fen, 0 where it is empty."""
    array = table[column].combine_chunks()
    values = np.frombuffer(array.buffers()[1] or b"", np.int64)[array.offset :][: len(array)]
    return np.where(present_rows(array), values, 0) if array.null_count else values


def codes_of(table: pa.Table, column: str) -> tuple[list[str], NDArray[np.int64]]:
    """Labels of a text column of a result table that is never empty, and the label of each row."""
    array = table[column].combine_chunks()
    return array.dictionary.to_pylist(), array.indices.to_numpy().astype(np.int64)


def labels_of(table: pa.Table, column: str) -> tuple[list[str], NDArray[np.int64]]:
    """Distinct labels of a text column, and each row's, -1 where it is empty."""
    labels, codes = encode_part(table[column].combine_chunks())
    return labels.to_pylist(), codes


def fen_as_read(table: pa.Table, column: str) -> NDArray[np.int64]:
    """A column of money in fen, as it was read or as it will be written, 0 where it is empty."""
    return scaled_as_read(table, column, FEN)


def scaled_as_read(table: pa.Table, column: str, kind: Column) -> NDArray[np.int64]:
    """A column of numbers at the scale of kind, as it was read or as it will be written."""
    array = table[column].combine_chunks()
    if array.type.bit_width == 64:
        return fen_of(table, column)
    return decode_number(array, kind).values


def _require_fit(table: str, column: Column, given: Given) -> None:
    values = np.asarray(given.values if isinstance(given, Filled) else given)
    largest = 10**column.precision - 1
    if len(values) and (values.max() > largest or values.min() < -largest):
        place = f"{table}.{column.name}"
        what = f"{place} exceeds what {column.type} holds."
        raise InputRejected([Fault("amount-out-of-range", what, (place,))])


def _by_element(matrix: NDArray[np.int64]) -> NDArray[np.int64]:
    """[rows, elements] as one column, elements in the order of their names."""
    return np.ascontiguousarray(matrix[:, ELEMENT_ORDER]).reshape(-1)


def _elements(n: int) -> Coded:
    labels = text_array([ELEMENTS[e] for e in ELEMENT_ORDER])
    return Coded(labels, np.tile(np.arange(len(ELEMENTS)), n))


def _constant(label: str, n: int) -> Coded:
    return Coded(text_array([label]), np.zeros(n, np.int64))


def _element_columns(cost: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    by_element = np.ascontiguousarray(cost.T)
    columns = dict(zip(ELEMENTS, by_element, strict=True))
    columns["total"] = by_element.sum(axis=0)
    return columns


def _unit_ids(book: PeriodBook, units: NDArray[np.int64]) -> Coded:
    return Coded(book.registers.unit_labels, units)


def _dept_ids(book: PeriodBook, depts: NDArray[np.int64]) -> Coded:
    """Labels of departments, which several units may share."""
    return Coded(book.registers.dept_labels, book.registers.dept_grid_labels[depts])


def department_cost(book: PeriodBook, costs: DepartmentCosts) -> pa.Table:
    """out_department_cost: departments before and after allocation."""
    registers = book.registers
    chosen = np.flatnonzero(book.selected[registers.dept_unit])
    n = len(ELEMENTS)
    dept = np.repeat(chosen, n)
    amounts = {
        name: _by_element(getattr(costs, name)[chosen])
        for name in (
            "direct", "from_admin", "from_support", "pool", "from_medtech", "handed_on",
            "full_cost",
        )
    }  # fmt: skip
    received = amounts["from_admin"] + amounts["from_support"] + amounts["from_medtech"]
    balance = amounts["direct"] + received + amounts["handed_on"] - amounts["full_cost"]
    if balance.any():
        raise InvariantBroken("a department's columns do not add up to its full cost")
    return build_table(
        "department_cost",
        {
            "period": _constant(book.period, len(dept)),
            "unit_id": _unit_ids(book, registers.dept_unit[dept]),
            "dept_id": _dept_ids(book, dept),
            "class": Coded(text_array(CLASSES), registers.dept_class[dept]),
            "element": _elements(len(chosen)),
            **amounts,
        },
    )


def department_flow(book: PeriodBook, costs: DepartmentCosts) -> pa.Table:
    """out_department_flow: who handed what to whom."""
    registers, flows = book.registers, costs.flows
    order = np.lexsort((flows.receiver, flows.giver))
    row = np.repeat(order, len(ELEMENTS))
    giver, receiver = flows.giver[row], flows.receiver[row]
    return build_table(
        "department_flow",
        {
            "period": _constant(book.period, len(row)),
            "unit_id": _unit_ids(book, registers.dept_unit[giver]),
            "giver_dept_id": _dept_ids(book, giver),
            "receiver_dept_id": _dept_ids(book, receiver),
            "driver": Coded(text_array(flows.driver_names), flows.driver[row]),
            "element": _elements(len(order)),
            "amount": _by_element(flows.fen[order]),
        },
    )


def service_item_cost(book: PeriodBook, costs: ServiceItemCosts) -> pa.Table:
    """out_service_item_cost: cost of each activity."""
    registers, matrix = book.registers, costs.matrix
    dept, item = matrix.activity_dept, matrix.activity_item
    elements = _element_columns(costs.cost)
    columns: dict[str, Given] = {
        "period": _constant(book.period, len(dept)),
        "unit_id": _unit_ids(book, registers.dept_unit[dept]),
        "dept_id": _dept_ids(book, dept),
        "item_id": Coded(registers.item_labels, item),
        "volume": costs.volume,
        **elements,
        "unit_cost": Filled(*scaled_quotients(elements["total"], UNIT_COST_STEPS, costs.volume)),
    }
    if matrix.has_charge:
        columns["charge"] = costs.charge
    return build_table("service_item_cost", columns)


def _case_columns(
    book: PeriodBook, costs: CaseCosts, rows: slice | NDArray[np.int64], has_charge: bool
) -> dict[str, Given]:
    cases = book.cases
    units = cases.unit[rows]
    columns: dict[str, Given] = {
        "period": _constant(book.period, len(units)),
        "unit_id": _unit_ids(book, units),
        "case_id": _labels_in_order(cases.case_labels, cases.label[rows]),
        **_element_columns(costs.cost[rows]),
    }
    if has_charge:
        columns["charge"] = costs.charge[rows]
    return columns


def _labels_in_order(labels: pa.Array, codes: NDArray[np.int64]) -> pa.Array:
    """The label of each row: all labels as they stand where each has one row, in their order."""
    if len(codes) == len(labels) and np.array_equal(codes, np.arange(len(labels))):
        return labels
    return take_text(labels, codes)


def _rows_of(mask: NDArray[np.bool_]) -> slice | NDArray[np.int64]:
    """What picks the rows of a mask: where it is all of them, without a copy."""
    return slice(None) if mask.all() else np.flatnonzero(mask)


def case_cost(
    book: PeriodBook, costs: CaseCosts, priced: PricedCases, has_charge: bool
) -> pa.Table:
    """out_case_cost: cost of each case of the chosen units, late ones excepted."""
    cases = book.cases
    rows = _rows_of(costs.chosen & (costs.status != LATE))
    columns = _case_columns(book, costs, rows, has_charge)
    status, price = costs.status[rows], priced.price[rows]
    has_price = priced.has_price[rows] & (status == COSTED)
    columns |= {
        "drg_id": Coded(text_array(cases.drg_labels), cases.drg[rows]),
        "scheme": Coded(text_array(cases.scheme_labels), cases.scheme[rows]),
        "status": Coded(text_array(STATUSES), status),
        "price": Filled(price, has_price),
        "margin": Filled(np.where(has_price, price - columns["total"], 0), has_price),
    }
    return build_table("case_cost", columns)


def work_in_progress(book: PeriodBook, costs: CaseCosts, has_charge: bool) -> pa.Table:
    """out_work_in_progress: cost so far of inpatients not discharged."""
    rows = _rows_of(costs.chosen & (costs.status == IN_PROGRESS))
    return build_table("work_in_progress", _case_columns(book, costs, rows, has_charge))


def drg_cost(book: PeriodBook, costs: DrgCosts) -> pa.Table:
    """out_drg_cost: sums over costed cases."""
    elements = _element_columns(costs.cost)
    schemes, groups = costs.scheme_labels, costs.drg_labels
    weights = [
        book.group_weight.get((schemes[s], groups[g]))
        for s, g in zip(costs.scheme.tolist(), costs.drg.tolist(), strict=True)
    ]
    columns: dict[str, Given] = {
        "period": _constant(book.period, len(costs.unit)),
        "unit_id": _unit_ids(book, costs.unit),
        "scheme": Coded(text_array(schemes), costs.scheme),
        "drg_id": Coded(text_array(groups), costs.drg),
        "cases": costs.n_cases,
        **elements,
        "mean": Filled(*scaled_quotients(elements["total"], MEAN_STEPS, costs.n_cases)),
        "sd": Filled(costs.deviation, costs.n_cases > 1),
        "bed_days": Filled(costs.bed_days, costs.has_bed_days),
        "weight": Filled(
            np.array([w or 0 for w in weights], np.int64),
            np.array([w is not None for w in weights], np.bool_),
        ),
        "income": Filled(costs.income, costs.has_price),
        "margin": Filled(costs.margin, costs.has_price),
    }
    columns |= {f"p{q:02d}": costs.quantiles[:, i] for i, q in enumerate(QUANTILES)}
    return build_table("drg_cost", columns)


def drg_matrix(book: PeriodBook, costs: DrgCosts, matrix: DrgMatrix) -> pa.Table:
    """out_drg_matrix: what each group costs by service group and element."""
    n = len(ELEMENTS)
    group = np.repeat(matrix.group, n)
    return build_table(
        "drg_matrix",
        {
            "period": _constant(book.period, len(group)),
            "unit_id": _unit_ids(book, costs.unit[group]),
            "scheme": Coded(text_array(costs.scheme_labels), costs.scheme[group]),
            "drg_id": Coded(text_array(costs.drg_labels), costs.drg[group]),
            "service_group": Coded(text_array(matrix.labels), np.repeat(matrix.service, n)),
            "element": _elements(len(matrix.group)),
            "amount": _by_element(matrix.fen),
        },
    )


def intercompany(book: PeriodBook, costs: CaseCosts) -> pa.Table:
    """out_intercompany: services for other units' cases."""
    n = len(ELEMENTS)
    return build_table(
        "intercompany",
        {
            "period": _constant(book.period, n * len(costs.member_from)),
            "from_unit_id": _unit_ids(book, np.repeat(costs.member_from, n)),
            "to_unit_id": _unit_ids(book, np.repeat(costs.member_to, n)),
            "item_id": Coded(book.registers.item_labels, np.repeat(costs.member_item, n)),
            "element": _elements(len(costs.member_from)),
            "amount": _by_element(costs.member_fen),
        },
    )


def reconciliation(book: PeriodBook, amounts: Mapping[str, NDArray[np.int64]]) -> pa.Table:
    """out_reconciliation: ledger = sum of all other reasons, per unit and element."""
    units = np.flatnonzero(book.selected)
    reasons = sorted(amounts)
    # [units, elements, reasons], elements and reasons in the order of their names.
    cube = np.stack([amounts[reason][units] for reason in reasons], axis=2)[:, ELEMENT_ORDER, :]
    n_units, n_elements, n_reasons = cube.shape
    names = text_array([ELEMENTS[e] for e in ELEMENT_ORDER])
    of_element = np.tile(np.repeat(np.arange(n_elements), n_reasons), n_units)
    of_reason = np.tile(np.arange(n_reasons), n_units * n_elements)
    return build_table(
        "reconciliation",
        {
            "period": _constant(book.period, cube.size),
            "unit_id": _unit_ids(book, np.repeat(units, n_elements * n_reasons)),
            "element": Coded(names, of_element),
            "reason": Coded(text_array(reasons), of_reason),
            "amount": np.ascontiguousarray(cube).reshape(-1),
        },
    )
