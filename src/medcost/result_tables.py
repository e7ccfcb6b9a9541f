"""Results as the contract's tables: sorted by key, rows without any amount left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medcost.costing.cases import COSTED, IN_PROGRESS, LATE, STATUSES, CaseCosts
from medcost.costing.departments import DepartmentCosts
from medcost.costing.drg_groups import QUANTILES, DrgCosts, PricedCases
from medcost.costing.service_items import ServiceItemCosts
from medcost.errors import Fault, InputRejected, InvariantBroken
from medcost.money import divide_half_away
from medcost.period_book import PeriodBook
from medcost.tables import CLASSES, ELEMENTS, Column, load_table

ELEMENT_ORDER = np.array(sorted(range(len(ELEMENTS)), key=lambda e: ELEMENTS[e]))
ELEMENT_LABELS = [ELEMENTS[e] for e in ELEMENT_ORDER]
LARGEST_DECIMAL = 10**18 - 1


def decimals(
    values: NDArray[np.int64], type_: pa.DataType, valid: NDArray[np.bool_] | None = None
) -> pa.Array:
    """Integers at the type's scale as a decimal128 array; empty where not valid."""
    words = np.empty((len(values), 2), np.int64)
    words[:, 0] = values
    words[:, 1] = values >> 63
    bitmap = None
    if valid is not None and not valid.all():
        bitmap = pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
    return pa.Array.from_buffers(type_, len(values), [bitmap, pa.py_buffer(words.tobytes())])


def arrow_type(column: Column) -> pa.DataType:
    """The Arrow type a result column is written with."""
    if column.scale is not None:
        return pa.decimal128(column.precision, column.scale)
    return {"string": pa.string(), "int64": pa.int64(), "double": pa.float64()}[column.type]


def _text(labels: Sequence[str], codes: NDArray[np.int64]) -> pa.Array:
    """Labels by code; empty where the code is -1."""
    indices = pa.array(codes, mask=codes < 0)
    return pa.array(list(labels), pa.string()).take(indices)


def build_table(
    name: str, columns: Mapping[str, object], keep: NDArray[np.bool_] | None = None
) -> pa.Table:
    """A result table from its columns: int64 arrays for decimals, Arrow arrays for the rest.

    A column not given is empty. Rows whose amounts are all zero are left out, and those that
    keep leaves out. Raises InputRejected where an amount does not fit decimal(18,2).
    """
    schema = load_table(f"out_{name}")
    n = len(next(iter(columns.values())))  # type: ignore[arg-type]
    arrays = []
    kept = np.zeros(n, np.bool_)
    for column in schema.columns:
        type_ = arrow_type(column)
        given = columns.get(column.name)
        if given is None:
            arrays.append(pa.nulls(n, type_))
            continue
        values, valid = given if isinstance(given, tuple) else (given, None)
        if isinstance(values, np.ndarray) and column.scale is not None:
            _require_fit(name, column, values)
            if column.is_amount:
                kept |= (values != 0) & (True if valid is None else valid)
            arrays.append(decimals(values, type_, valid))
        else:
            arrays.append(pa.array(values, type_) if not isinstance(values, pa.Array) else values)
    if keep is not None:
        kept &= keep
    table = pa.table(dict(zip((c.name for c in schema.columns), arrays, strict=True)))
    return table.filter(pa.array(kept))


def _require_fit(table: str, column: Column, values: NDArray[np.int64]) -> None:
    largest = 10**column.precision - 1
    if len(values) and (values.max() > largest or values.min() < -largest):
        place = f"{table}.{column.name}"
        what = f"{place} exceeds what {column.type} holds."
        raise InputRejected([Fault("amount-out-of-range", what, (place,))])


def _by_element(matrix: NDArray[np.int64]) -> NDArray[np.int64]:
    """[rows, elements] as one column, elements in the order of their names."""
    return np.ascontiguousarray(matrix[:, ELEMENT_ORDER]).reshape(-1)


def _elements(n: int) -> pa.Array:
    return _text(ELEMENT_LABELS, np.tile(np.arange(len(ELEMENTS)), n))


def _constant(label: str, n: int) -> pa.Array:
    return _text([label], np.zeros(n, np.int64))


def _element_columns(cost: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    columns = {name: np.ascontiguousarray(cost[:, e]) for e, name in enumerate(ELEMENTS)}
    columns["total"] = cost.sum(axis=1)
    return columns


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
            "unit_id": _text(registers.unit_ids, registers.dept_unit[dept]),
            "dept_id": _text(registers.dept_ids, dept),
            "class": _text(CLASSES, registers.dept_class[dept]),
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
            "unit_id": _text(registers.unit_ids, registers.dept_unit[giver]),
            "giver_dept_id": _text(registers.dept_ids, giver),
            "receiver_dept_id": _text(registers.dept_ids, receiver),
            "driver": _text(flows.driver_names, flows.driver[row]),
            "element": _elements(len(order)),
            "amount": _by_element(flows.fen[order]),
        },
    )


def service_item_cost(book: PeriodBook, costs: ServiceItemCosts) -> pa.Table:
    """out_service_item_cost: cost of each activity."""
    registers, matrix = book.registers, costs.matrix
    dept, item = matrix.activity_dept, matrix.activity_item
    total = costs.cost.sum(axis=1)
    unit_cost = np.zeros(len(dept), np.int64)
    has_unit_cost = np.zeros(len(dept), np.bool_)
    for i, (fen, volume) in enumerate(zip(total.tolist(), costs.volume.tolist(), strict=True)):
        if volume:
            # Yuan a service in 1e-6: (fen / 100) / (volume / 10^4) x 10^6.
            sign = 1 if volume > 0 else -1
            value = divide_half_away(sign * fen * 10**8, abs(volume))
            if abs(value) <= LARGEST_DECIMAL:
                unit_cost[i], has_unit_cost[i] = value, True
    columns: dict[str, object] = {
        "period": _constant(book.period, len(dept)),
        "unit_id": _text(registers.unit_ids, registers.dept_unit[dept]),
        "dept_id": _text(registers.dept_ids, dept),
        "item_id": _text(registers.item_ids, item),
        "volume": costs.volume,
        **_element_columns(costs.cost),
        "unit_cost": (unit_cost, has_unit_cost),
    }
    if matrix.has_charge:
        columns["charge"] = costs.charge
    return build_table("service_item_cost", columns)


def _case_columns(book: PeriodBook, costs: CaseCosts, has_charge: bool) -> dict[str, object]:
    cases = book.cases
    columns: dict[str, object] = {
        "period": _constant(book.period, cases.n),
        "unit_id": _text(book.registers.unit_ids, cases.unit),
        "case_id": cases.case_labels.take(pa.array(cases.label)),
        **_element_columns(costs.cost),
    }
    if has_charge:
        columns["charge"] = costs.charge
    return columns


def case_cost(
    book: PeriodBook, costs: CaseCosts, priced: PricedCases, has_charge: bool
) -> pa.Table:
    """out_case_cost: cost of each case of the chosen units, late ones excepted."""
    cases = book.cases
    columns = _case_columns(book, costs, has_charge)
    has_price = priced.has_price & (costs.status == COSTED)
    margin = np.where(has_price, priced.price - costs.cost.sum(axis=1), 0)
    columns |= {
        "drg_id": _text(cases.drg_labels, cases.drg),
        "scheme": _text(cases.scheme_labels, cases.scheme),
        "status": _text(STATUSES, costs.status),
        "price": (priced.price, has_price),
        "margin": (margin, has_price),
    }
    return build_table("case_cost", columns, costs.chosen & (costs.status != LATE))


def work_in_progress(book: PeriodBook, costs: CaseCosts, has_charge: bool) -> pa.Table:
    """out_work_in_progress: cost so far of inpatients not discharged."""
    columns = _case_columns(book, costs, has_charge)
    return build_table("work_in_progress", columns, costs.chosen & (costs.status == IN_PROGRESS))


def drg_cost(book: PeriodBook, costs: DrgCosts) -> pa.Table:
    """out_drg_cost: sums over costed cases."""
    n = len(costs.unit)
    total = costs.cost.sum(axis=1)
    counts = costs.n_cases.tolist()
    means = [divide_half_away(t * 10**4, n) for t, n in zip(total.tolist(), counts, strict=True)]
    fits = np.array([abs(mean) <= LARGEST_DECIMAL for mean in means], np.bool_)
    keys = zip(costs.scheme, costs.drg, strict=True)
    weights = [book.group_weight.get(key) for key in keys]
    quantiles = {
        f"p{q:02d}": np.ascontiguousarray(costs.quantiles[:, i]) for i, q in enumerate(QUANTILES)
    }
    return build_table(
        "drg_cost",
        {
            "period": _constant(book.period, n),
            "unit_id": _text(book.registers.unit_ids, costs.unit),
            "scheme": pa.array(costs.scheme, pa.string()),
            "drg_id": pa.array(costs.drg, pa.string()),
            "cases": pa.array(costs.n_cases),
            **_element_columns(costs.cost),
            "mean": (np.where(fits, np.array(means, dtype=object), 0).astype(np.int64), fits),
            "sd": pa.array(costs.deviation, pa.float64()),
            **quantiles,
            "bed_days": (costs.bed_days, costs.has_bed_days),
            "weight": (
                np.array([w or 0 for w in weights], np.int64),
                np.array([w is not None for w in weights], np.bool_),
            ),
            "income": (costs.income, costs.has_price),
            "margin": (costs.margin, costs.has_price),
        },
    )


def intercompany(book: PeriodBook, costs: CaseCosts) -> pa.Table:
    """out_intercompany: services for other units' cases."""
    registers, n = book.registers, len(ELEMENTS)

    def repeated(values: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.repeat(values, n)

    return build_table(
        "intercompany",
        {
            "period": _constant(book.period, n * len(costs.member_from)),
            "from_unit_id": _text(registers.unit_ids, repeated(costs.member_from)),
            "to_unit_id": _text(registers.unit_ids, repeated(costs.member_to)),
            "item_id": _text(registers.item_ids, repeated(costs.member_item)),
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
    return build_table(
        "reconciliation",
        {
            "period": _constant(book.period, cube.size),
            "unit_id": _text(book.registers.unit_ids, np.repeat(units, n_elements * n_reasons)),
            "element": _text(
                ELEMENT_LABELS,
                np.tile(np.repeat(np.arange(n_elements), n_reasons), n_units),
            ),
            "reason": _text(reasons, np.tile(np.arange(n_reasons), n_units * n_elements)),
            "amount": np.ascontiguousarray(cube).reshape(-1),
        },
    )
