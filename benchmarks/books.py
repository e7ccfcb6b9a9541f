"""Books of a shape in the contract's format, row group by row group: any number of lines.

Numbers carry no meaning. Prices are whole yuan, so that every storage holds the same book; the
ledger has fen. The same shape, lines and generator version give the same book.

    python -m benchmarks.books SHAPE LINES     writes or finds the book and prints its folder
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.shapes import SHAPES, Shape
from medcost.tables import ELEMENTS

# A change of the generator makes other books, which must not be taken for the old ones.
GENERATOR = 1
PERIOD, LAST_DAY = "2026-01", np.datetime64("2026-01-31")
ROW_GROUP = 1_000_000
GROUPS = 800
MONEY, QUANTITY, WEIGHT = pa.decimal128(18, 2), pa.decimal128(18, 4), pa.decimal128(18, 6)
DRUGS, MATERIALS = ELEMENTS.index("drugs"), ELEMENTS.index("materials")

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Plan:
    """What is drawn once for a book: departments by class, items, cases.

    item_price, item_purchase: whole yuan [items]; item_element: -1 for shared items [items];
    case_unit, case_dept [cases]; case_end: lines up to and with each case, sorted [cases].
    """

    shape: Shape
    lines: int
    dept_class: NDArray[np.str_]
    first_performing: int
    item_price: Ints
    item_purchase: Ints
    item_element: Ints
    case_unit: Ints
    case_dept: Ints
    case_end: Ints


def find_book(shape: Shape, lines: int, folder: Path | None = None) -> Path:
    """The folder of the shape's book with that many lines, made if it is not there yet.

    Books lie in folder, else in MEDCOST_BENCH_BOOKS, else in the folder for temporary files.
    """
    given = os.environ.get("MEDCOST_BENCH_BOOKS")
    books = folder or Path(given or Path(tempfile.gettempdir()) / "medcost-bench-books")
    books = books.resolve()
    traits = json.dumps([asdict(shape), lines, GENERATOR], sort_keys=True)
    key = hashlib.sha256(traits.encode()).hexdigest()[:8]
    book = books / f"{shape.name}-lines={lines}-{key}"
    if not book.exists():
        books.mkdir(parents=True, exist_ok=True)
        # A book appears whole, even if its making is broken off.
        making = Path(tempfile.mkdtemp(prefix=".making-", dir=books))
        try:
            write_book(shape, lines, making)
            making.rename(book)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return book


def write_book(shape: Shape, lines: int, folder: Path) -> None:
    """Write every table of the book into an empty folder; memory does not grow with the lines."""
    plan = draw_plan(shape, lines)
    traced = write_lines(plan, folder / "service_lines.parquet")
    for name, table in small_tables(plan, traced):
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd", store_schema=False)


def draw_plan(shape: Shape, lines: int) -> Plan:
    """Departments, items and cases of the book."""
    rng = np.random.default_rng([GENERATOR, lines, 0])
    n_admin, n_support = max(shape.departments // 30, 1), max(shape.departments // 8, 1)
    n_medtech = max(shape.departments // 6, 1)
    classes = np.repeat(
        np.array(["admin", "support", "medtech", "clinical"]),
        [n_admin, n_support, n_medtech, shape.departments - n_admin - n_support - n_medtech],
    )
    item = np.arange(shape.items)
    is_direct = (item * 37 + 50) % 100 < shape.direct_share * 100
    price = rng.integers(2, 500, shape.items)
    n_cases = max(lines // shape.lines_per_case, 1)
    sizes = rng.poisson(shape.lines_per_case - 1, n_cases) + 1
    # Scaled so that the last case ends with the last line.
    case_end = np.cumsum(sizes) * lines // sizes.sum()
    share = np.full(shape.units, 0.6 / max(shape.units - 1, 1))
    share[0] = 1 - share[1:].sum()
    return Plan(
        shape,
        lines,
        classes,
        n_admin + n_support,
        price,
        price - price // 5,
        np.where(is_direct, np.where(item % 2 == 0, DRUGS, MATERIALS), -1),
        np.sort(rng.choice(shape.units, n_cases, p=share)),
        rng.integers(n_admin + n_support + n_medtech, shape.departments, n_cases),
        case_end,
    )


def write_lines(plan: Plan, path: Path) -> Ints:
    """Write service_lines; returns the purchase cost on them, yuan [units, departments, elements].

    Every row group has its own random numbers, so that none needs another.
    """
    shape = plan.shape
    sizes = (shape.units, shape.departments, len(ELEMENTS))
    traced = np.zeros(sizes, np.int64)
    writer = None
    for start in range(0, plan.lines, ROW_GROUP):
        rows = min(ROW_GROUP, plan.lines - start)
        case, item, dept, quantity = draw_lines(plan, start, rows)
        unit = plan.case_unit[case]
        purchase = np.where(plan.item_element[item] >= 0, plan.item_purchase[item] * quantity, 0)
        place = (unit * sizes[1] + dept) * sizes[2] + np.maximum(plan.item_element[item], 0)
        sums = np.bincount(place, purchase, traced.size).astype(np.int64)
        traced += sums.reshape(sizes)
        table = line_table(plan, case, item, dept, quantity, purchase)
        if writer is None:
            writer = pq.ParquetWriter(
                path,
                table.schema,
                compression="zstd",
                use_dictionary=shape.storage != "plain",
                store_decimal_as_integer=shape.storage == "int64-decimals",
                store_schema=False,
            )
        writer.write_table(table, row_group_size=ROW_GROUP)
    if writer is not None:
        writer.close()
    return traced


def draw_lines(plan: Plan, start: int, rows: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Case, item, department within the unit and quantity of the lines from start on [rows]."""
    shape = plan.shape
    rng = np.random.default_rng([GENERATOR, plan.lines, 1, start])
    if shape.order == "sorted":
        case = np.searchsorted(plan.case_end, np.arange(start, start + rows), side="right")
    else:
        case = rng.integers(0, len(plan.case_unit), rows)
    if shape.item_mix == "skewed":
        # The logarithm of the rank is even: frequency falls as 1 / rank (Zipf).
        item = np.exp(rng.random(rows) * np.log(shape.items + 1)).astype(np.int64) - 1
        item = np.minimum(item, shape.items - 1)
    else:
        item = rng.integers(0, shape.items, rows)
    performing = shape.departments - plan.first_performing
    spread = rng.integers(0, min(shape.departments_per_item, performing), rows)
    dept = plan.first_performing + (item * 7 + spread) % performing
    quantity = rng.integers(1, 6, rows)
    quantity[rng.random(rows) < shape.negative_share] *= -1
    return case, item, dept, quantity


def line_table(
    plan: Plan, case: Ints, item: Ints, dept: Ints, quantity: Ints, purchase: Ints
) -> pa.Table:
    """Lines as the columns of service_lines; purchase cost where the shape has direct items."""
    shape = plan.shape
    unit = plan.case_unit[case]
    distinct, case_code = np.unique(case, return_inverse=True)
    columns = {
        "period": coded(np.zeros(len(case), np.int64), pa.array([PERIOD])),
        "unit_id": coded(unit, labels("U", shape.units, 2)),
        "case_id": coded(case_code, case_ids(plan, distinct)),
        "item_id": coded(item, labels("3301", shape.items, 6)),
        "dept_id": coded(dept, labels("D", shape.departments, 4)),
        "quantity": stored(quantity, QUANTITY, shape),
        "charge": stored(plan.item_price[item] * quantity, MONEY, shape),
    }
    if shape.direct_share:
        is_direct = plan.item_element[item] >= 0
        columns["direct_cost"] = stored(purchase, MONEY, shape, is_direct)
    return pa.table(columns)


def small_tables(plan: Plan, traced: Ints) -> Iterator[tuple[str, pa.Table]]:
    """Every table but the lines, by name."""
    shape = plan.shape
    rng = np.random.default_rng([GENERATOR, plan.lines, 2])
    units, depts = labels("U", shape.units, 2), labels("D", shape.departments, 4)
    items, groups = labels("3301", shape.items, 6), labels("G", GROUPS, 3)
    unit = np.repeat(np.arange(shape.units), shape.departments)
    dept = np.tile(np.arange(shape.departments), shape.units)
    kinds = ["lead"] + ["township"] * (shape.units - 1)
    yield "units", pa.table({"unit_id": units, "kind": pa.array(kinds)})
    yield (
        "departments",
        pa.table(
            {
                "unit_id": units.take(pa.array(unit)),
                "dept_id": depts.take(pa.array(dept)),
                "class": pa.array(plan.dept_class[dept].tolist()),
            }
        ),
    )
    yield "ledger", ledger_table(plan, traced, rng)
    yield "drivers", driver_table(plan, rng)
    basis = np.where(plan.item_element >= 0, "direct", "shared")
    element = [ELEMENTS[e] if e >= 0 else None for e in plan.item_element.tolist()]
    yield (
        "service_items",
        pa.table(
            {
                "item_id": items,
                "basis": pa.array(basis.tolist()),
                "element": pa.array(element, pa.string()),
            }
        ),
    )
    weight = rng.integers(500_000, 50_000_000, shape.items)
    yield "item_weights", pa.table({"item_id": items, "weight": decimals(weight, WEIGHT)})
    yield "cases", case_table(plan, rng)
    schemes = pa.array(["BENCH"] * GROUPS)
    yield "drg_groups", pa.table({"scheme": schemes, "drg_id": groups})
    price = decimals(rng.integers(100_000, 5_000_000, GROUPS), MONEY)
    begin = pa.array(["2026-01"] * GROUPS)
    yield "drg_prices", pa.table({"drg_id": groups, "valid_from": begin, "price": price})


def ledger_table(plan: Plan, traced: Ints, rng: np.random.Generator) -> pa.Table:
    """One posting for every department and element.

    Drugs and materials stand beside the purchase cost on the lines: most departments bought more
    than they charged, every seventh less, so that both ways of tracing occur.
    """
    shape = plan.shape
    amount = rng.integers(100_000, 500_000_000, traced.shape)
    covers = np.where(np.arange(shape.departments) % 7 == 0, 90, 110)[None, :, None]
    # Yuan x percent = fen.
    amount = np.where(traced > 0, traced * covers, amount)
    unit, dept, element = (axis.ravel() for axis in np.indices(traced.shape))
    return pa.table(
        {
            "period": coded(np.zeros(len(unit), np.int64), pa.array([PERIOD])),
            "unit_id": coded(unit, labels("U", shape.units, 2)),
            "dept_id": coded(dept, labels("D", shape.departments, 4)),
            "element": coded(element, pa.array(ELEMENTS)),
            "amount": decimals(amount.ravel(), MONEY),
        }
    )


def driver_table(plan: Plan, rng: np.random.Generator) -> pa.Table:
    """Head count of every department; for each support department its own statistic."""
    shape = plan.shape
    names = ["headcount", *(f"D{d:04d}" for d in range(shape.departments))]
    support = np.flatnonzero(plan.dept_class == "support")
    unit, driver, dept = [], [], []
    for u in range(shape.units):
        everyone = np.arange(shape.departments)
        unit.append(np.full(shape.departments, u))
        driver.append(np.zeros(shape.departments, np.int64))
        dept.append(everyone)
        for giver in support.tolist():
            served = everyone[plan.first_performing :]
            chosen = served[rng.random(len(served)) < 0.7]
            chosen = chosen if len(chosen) else served
            unit.append(np.full(len(chosen), u))
            driver.append(np.full(len(chosen), giver + 1))
            dept.append(chosen)
    rows = np.concatenate(unit)
    return pa.table(
        {
            "period": coded(np.zeros(len(rows), np.int64), pa.array([PERIOD])),
            "unit_id": coded(rows, labels("U", shape.units, 2)),
            "driver": coded(np.concatenate(driver), pa.array(names)),
            "dept_id": coded(np.concatenate(dept), labels("D", shape.departments, 4)),
            "quantity": decimals(rng.integers(1, 1_000, len(rows)) * 10_000, QUANTITY),
        }
    )


def case_table(plan: Plan, rng: np.random.Generator) -> pa.Table:
    """Inpatients, discharged in the month, each in a group: every case is costed."""
    n = len(plan.case_unit)
    discharged = pa.array(LAST_DAY - rng.integers(0, 31, n))
    return pa.table(
        {
            "period": coded(np.zeros(n, np.int64), pa.array([PERIOD])),
            "unit_id": coded(plan.case_unit, labels("U", plan.shape.units, 2)),
            "case_id": case_ids(plan, np.arange(n)),
            "drg_id": coded(rng.integers(0, GROUPS, n), labels("G", GROUPS, 3)),
            "setting": coded(np.zeros(n, np.int64), pa.array(["inpatient"])),
            "dept_id": coded(plan.case_dept, labels("D", plan.shape.departments, 4)),
            "discharged": discharged.cast(pa.date32()),
        }
    )


def labels(prefix: str, n: int, width: int) -> pa.Array:
    """The prefix followed by 0 to n - 1 in width digits."""
    return pa.array([f"{prefix}{i:0{width}d}" for i in range(n)])


def case_ids(plan: Plan, cases: Ints) -> pa.Array:
    """Ids of the cases: unit, month and a number, as a hospital's system would write them."""
    units = labels("U", plan.shape.units, 2).take(pa.array(plan.case_unit[cases]))
    numbers = pc.utf8_lpad(pa.array(cases).cast(pa.string()), 9, "0")
    return pc.binary_join_element_wise(units, PERIOD.replace("-", ""), numbers, "-")


def coded(codes: Ints, values: pa.Array) -> pa.Array:
    """Text by code; the writer keeps the dictionary."""
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), values)


def stored(
    whole: Ints, kind: pa.DataType, shape: Shape, valid: NDArray[np.bool_] | None = None
) -> pa.Array:
    """Whole services or yuan in the shape's storage; empty where not valid."""
    mask = None if valid is None else ~valid
    if shape.storage == "integers":
        return pa.array(whole, mask=mask)
    if shape.storage == "doubles":
        return pa.array(whole.astype(np.float64), mask=mask)
    return decimals(whole * 10**kind.scale, kind, valid)


def decimals(values: Ints, kind: pa.DataType, valid: NDArray[np.bool_] | None = None) -> pa.Array:
    """Integers at the type's scale as decimals, without going through text or floats."""
    words = np.stack([values, values >> 63], axis=1)
    bitmap = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [bitmap, pa.py_buffer(words)])


if __name__ == "__main__":
    print(find_book(SHAPES[sys.argv[1]], int(float(sys.argv[2]))))
