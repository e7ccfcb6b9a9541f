"""Small books for tests: rows that state only what matters, models as TOML text, and the run.

    tables = book({"S": "support", "C": "clinical"}, {"S": 100}, {"S": {"C": 1}})
    results = cost(tmp_path, tables, model(), through="departments")
    assert {"C": "100.00"} == figures(results["department_cost"], "pool", "dept_id")

Everything is of unit U, January 2026 and element staff unless a test says otherwise.
"""

import datetime
import tempfile
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from oracle.parquet_tables import write_tables

from medcost.allocation_model import load_model
from medcost.book import open_book
from medcost.errors import Fault, InputRejected
from medcost.month_end import BatchOptions, PeriodResult, check_book, cost_period

Row = dict[str, Any]
Tables = dict[str, list[Row]]

MONTH, NEXT_MONTH = "2026-01", "2026-02"
ELEMENTS = ("staff", "materials", "drugs", "depreciation", "amortisation", "risk_fund", "other")
HEADER = """
[model]
id = "test"
title = "A model of the tests"
authority = "none"
effective_from = 2026-01-01
"""
OWN_RULE = """
[[departments.rule]]
givers = { class = ["admin", "support"] }
driver = "own"
"""


def number(value: Any) -> Any:
    """Return a number as Decimal, None as None."""
    return None if value is None else Decimal(str(value))


def posting(dept_id: str, amount: Any, element: str = "staff", **columns: Any) -> Row:
    """Return a row of the ledger; amount in yuan."""
    row = {"period": MONTH, "unit_id": "U", "dept_id": dept_id, "element": element}
    return row | {"amount": number(amount)} | columns


def statistic(driver: str, dept_id: str, quantity: Any, **columns: Any) -> Row:
    """Return a row of drivers."""
    row = {"period": MONTH, "unit_id": "U", "driver": driver, "dept_id": dept_id}
    return row | {"quantity": number(quantity)} | columns


def line(dept_id: str, item_id: str, case_id: str, quantity: Any = 1, **columns: Any) -> Row:
    """Return a row of service_lines; charge and direct_cost in yuan."""
    row = {"period": MONTH, "unit_id": "U", "dept_id": dept_id, "item_id": item_id}
    money = {c: number(columns.pop(c)) for c in ("charge", "direct_cost") if c in columns}
    return row | {"case_id": case_id, "quantity": number(quantity)} | money | columns


def stay(case_id: str, drg_id: str | None = "G", **columns: Any) -> Row:
    """Return a row of cases: an inpatient discharged on 31 January."""
    row = {"period": MONTH, "unit_id": "U", "case_id": case_id, "drg_id": drg_id}
    return row | {"setting": "inpatient", "discharged": datetime.date(2026, 1, 31)} | columns


def opening(case_id: str, **columns: Any) -> Row:
    """Return a row of opening_work_in_progress; the elements not given are 0."""
    costs = {element: number(columns.pop(element, 0)) for element in ELEMENTS}
    return {"period": MONTH, "unit_id": "U", "case_id": case_id} | costs | columns


def items(**kinds: Any) -> Tables:
    """Return the catalogue: an element makes a direct item, a weight or None a shared one."""
    direct = {item: kind for item, kind in kinds.items() if kind in ELEMENTS}
    rows = [
        {"item_id": item, "basis": "direct" if item in direct else "shared"}
        | {"element": direct.get(item)}
        for item in kinds
    ]
    weights = [
        {"item_id": item, "weight": number(kind)}
        for item, kind in kinds.items()
        if item not in direct and kind is not None
    ]
    return {"service_items": rows} | ({"item_weights": weights} if weights else {})


def book(
    departments: Mapping[str, str],
    ledger: Mapping[str, Any] | Iterable[Row] = (),
    drivers: Mapping[str, Mapping[str, Any]] | None = None,
    services: Tables | None = None,
    lines: Iterable[Row] = (),
    *,
    cases: Iterable[Row] = (),
    unit: str = "U",
) -> Tables:
    """Return a book of one unit: dept_id → class, dept_id → yuan, driver → dept_id → quantity."""
    if isinstance(ledger, Mapping):
        ledger = [posting(dept, amount) for dept, amount in ledger.items()]
    statistics = [
        statistic(driver, dept, quantity)
        for driver, row in (drivers or {}).items()
        for dept, quantity in row.items()
    ]
    listed = [{"unit_id": "U", "dept_id": d, "class": kind} for d, kind in departments.items()]
    tables: Tables = {
        "units": [{"unit_id": "U", "kind": "lead"}],
        "departments": listed,
        "ledger": list(ledger),
        "drivers": statistics,
        **(services or {}),
    }
    tables |= {"service_lines": list(lines)} if lines else {}
    tables |= {"cases": list(cases)} if cases else {}
    return tables if unit == "U" else of_unit(tables, unit)


def of_unit(tables: Tables, unit: str) -> Tables:
    """Return the book as that of another unit."""
    return {
        name: [row | {"unit_id": unit} if row.get("unit_id") == "U" else row for row in rows]
        for name, rows in tables.items()
    }


def joined(*books: Tables) -> Tables:
    """Return the books of several units as one; equal rows of the catalogue stand once."""
    tables: Tables = {}
    for one in books:
        for name, rows in one.items():
            together = tables.setdefault(name, [])
            is_common = name in ("service_items", "item_weights")
            together += [row for row in rows if not is_common or row not in together]
    return tables


def ward(
    *lines: Row, pool: Any = 100, services: Tables | None = None, cases: Iterable[Row] = ()
) -> Tables:
    """Return a book with one clinical department C, a pool of staff cost and item a."""
    named = dict.fromkeys(row["case_id"] for row in lines if row["case_id"])
    stays = list(cases) or [stay(case_id) for case_id in named] or [stay("K")]
    catalogue = services or items(a=1)
    return book({"C": "clinical"}, {"C": pool}, {}, catalogue, lines, cases=stays)


def model(
    method: str = "step-down",
    *,
    order: str = '["admin", "support"]',
    rules: str = OWN_RULE,
    departments: str = "",
    level_3: str = "",
    rounding: str = "",
    measure: str = "weights",
    service_items: str = "",
    cases: str = "",
    scope: str = "",
) -> str:
    """Return a model as TOML; a step-down closes admin, then support, each by its own driver.

    departments, service_items, cases and scope are further lines of their sections; level_3 and
    rounding are the lines of theirs, left out where empty.
    """
    ordered = f"order = {order}" if method == "step-down" else ""
    parts = [
        HEADER,
        f'[departments]\nmethod = "{method}"\n{ordered}\n{departments}\n{rules}',
        f"[departments.medtech_to_clinical]\n{level_3}\n" if level_3 else "",
        f"[departments.rounding]\n{rounding}\n" if rounding else "",
        f'[service_items]\nmethod = "{measure}"\n{service_items}\n',
        f'[cases]\nmethod = "bottom-up"\n{cases}\n',
        f"[scope]\n{scope}\n" if scope else "",
    ]
    return "\n".join(parts)


def written(tmp_path: Path, tables: Tables, **storage: Any) -> Path:
    """Write the book to a new folder below tmp_path; storage is what write_tables takes."""
    folder = Path(tempfile.mkdtemp(dir=tmp_path)) / "book"
    write_tables(tables, folder, **storage)
    return folder


def model_file(tmp_path: Path, text: str | Path) -> Path:
    """Return the path of a model, written first where it is text."""
    if isinstance(text, Path):
        return text
    path = Path(tempfile.mkdtemp(dir=tmp_path)) / "model.toml"
    path.write_text(text, encoding="utf-8")
    return path


def costed(
    tmp_path: Path,
    tables: Tables | Path,
    model: str | Path,
    *,
    period: str = MONTH,
    through: str = "cases",
    units: list[str] | None = None,
    threads: int = 1,
) -> PeriodResult:
    """Cost a book given as tables or as the folder that holds it."""
    folder = tables if isinstance(tables, Path) else written(tmp_path, tables)
    loaded = load_model(str(model_file(tmp_path, model)), through)
    opened = open_book(folder, through)
    options = BatchOptions(units and tuple(units), through, threads)
    return cost_period(opened, loaded, period, options)


def cost(tmp_path: Path, tables: Tables | Path, model: str | Path, **options: Any) -> Tables:
    """Return the result tables of a costed book as rows."""
    result = costed(tmp_path, tables, model, **options)
    return {name: table.to_pylist() for name, table in result.tables.items()}


def faults(
    tmp_path: Path, tables: Tables | Path, model: str | Path, **options: Any
) -> tuple[Fault, ...]:
    """Return the faults that a book or model is refused with, none where it is costed."""
    try:
        costed(tmp_path, tables, model, **options)
    except InputRejected as rejected:
        return rejected.faults
    return ()


def faults_of(
    tmp_path: Path, tables: Tables | Path, model: str | Path, **options: Any
) -> list[str]:
    """Return the codes that a book or model is refused with, sorted, each once."""
    return sorted({fault.code for fault in faults(tmp_path, tables, model, **options)})


def checked(
    tmp_path: Path, tables: Tables | Path, model: str | Path, *, through: str = "cases"
) -> list[str]:
    """Return the codes that a check of the book with a model finds, sorted, each once."""
    folder = tables if isinstance(tables, Path) else written(tmp_path, tables)
    loaded = load_model(str(model_file(tmp_path, model)))
    found = check_book(open_book(folder, through), [MONTH], None, loaded)
    return sorted({fault.code for fault in found})


def figures(rows: Iterable[Row], value: str, *keys: str) -> dict[Any, str | None]:
    """Return a column as text by one key column, or by several; each key stands once."""
    found: dict[Any, str | None] = {}
    for row in rows:
        key = row[keys[0]] if len(keys) == 1 else tuple(row[k] for k in keys)
        assert key not in found, f"{key} stands twice"
        found[key] = None if row[value] is None else str(row[value])
    return found


def pools(results: Tables) -> dict[str, str | None]:
    """Return the pool of every department with a row, for books with one element."""
    return figures(results["department_cost"], "pool", "dept_id")


def full_costs(results: Tables) -> dict[str, str | None]:
    """Return the full cost of every department that is left with one."""
    rows = [row for row in results["department_cost"] if row["full_cost"]]
    return figures(rows, "full_cost", "dept_id")


def handed(results: Tables) -> dict[Any, str | None]:
    """Return (giver, receiver) → amount of every flow, for books with one element."""
    return figures(results["department_flow"], "amount", "giver_dept_id", "receiver_dept_id")


def unit_costs(results: Tables) -> dict[str, str | None]:
    """Return the unit cost of every item."""
    return figures(results["service_item_cost"], "unit_cost", "item_id")


def case_totals(results: Tables) -> dict[str, str | None]:
    """Return the cost of every case."""
    return figures(results["case_cost"], "total", "case_id")


def reasons(results: Tables, unit: str = "U") -> dict[str, str]:
    """Return reason → amount over all elements of a unit's reconciliation."""
    sums: dict[str, Decimal] = {}
    for row in results["reconciliation"]:
        if row["unit_id"] == unit:
            sums[row["reason"]] = sums.get(row["reason"], Decimal(0)) + row["amount"]
    return {reason: str(amount) for reason, amount in sums.items()}
