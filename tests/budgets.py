"""Budgets for tests: rows that state only what matters, published months, and their variances.

out = published(tmp_path, book({"C": "clinical"}, {"C": 120}), model(), through="departments")
found = variances(tmp_path, out, [planned(100, dept_id="C", element="staff")])
assert "20.00" == row_of(found["budget_variance"], "variance", level="department")
"""

import tempfile
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

from books import MONTH, Row, Tables, model, model_file, number, written
from oracle.parquet_tables import write_tables

from medcost.allocation_model import load_model
from medcost.batch import run_month_end
from medcost.book import open_book
from medcost.errors import Fault, InputRejected
from medcost.month_end import BatchOptions
from medcost.output_folder import output_folder
from medcost.run_folders import published_runs
from medcost.variance.control import load_control
from medcost.variance_run import periods_chosen, read_budget, runs_in, vary

CONTROL = """
[control]
id = "test"
title = "A budget control of the tests"
authority = "none"
effective_from = 2026-01-01
"""
NUMBERS = ("requested", "volume", "standard_price", "standard_quantity")


def planned(amount: Any, **columns: Any) -> Row:
    """Return a row of budget: unit U in January 2026; amounts in yuan."""
    numbers = {name: number(columns.pop(name)) for name in NUMBERS if name in columns}
    row = {"period": MONTH, "unit_id": "U", "amount": number(amount)}
    return row | numbers | columns


def published(
    tmp_path: Path,
    tables: Tables | Path,
    model: str | Path,
    *,
    periods: Iterable[str] = (MONTH,),
    through: str = "cases",
    out: Path | None = None,
    units: tuple[str, ...] | None = None,
    control: str | None = None,
) -> Path:
    """Return an output folder in which the months of a book are published."""
    out = out or Path(tempfile.mkdtemp(dir=tmp_path)) / "runs"
    folder = tables if isinstance(tables, Path) else written(tmp_path, tables)
    loaded = load_model(str(model_file(tmp_path, model)), through)
    policy = load_control(str(control_file(tmp_path, control))) if control else None
    options = BatchOptions(units, through, control=policy)
    with output_folder(out) as held:
        run_month_end(open_book(folder, through), loaded, list(periods), options, held)
    return out


def control_file(tmp_path: Path, text: str) -> Path:
    """Return the path of a budget control with further sections."""
    path = Path(tempfile.mkdtemp(dir=tmp_path)) / "control.toml"
    path.write_text(CONTROL + text, encoding="utf-8")
    return path


def budget_file(tmp_path: Path, rows: Iterable[Row]) -> Path:
    """Return the path of a budget as a file."""
    folder = Path(tempfile.mkdtemp(dir=tmp_path)) / "plan"
    write_tables({"budget": list(rows)}, folder)
    return folder / "budget.parquet"


def variances(
    tmp_path: Path,
    out: Path,
    budget: Iterable[Row] | Path,
    *,
    control: str = "",
    period: str = MONTH,
    units: list[str] | None = None,
) -> Tables:
    """Return the tables of a month's variance as rows; notes as rows of 'notes'."""
    file = budget if isinstance(budget, Path) else budget_file(tmp_path, budget)
    policy = load_control(str(control_file(tmp_path, control)))
    runs, rows = runs_in(out), read_budget(file)
    chosen = periods_chosen(runs, published_runs(out), rows, [period])
    (found,) = vary(runs, rows, policy, chosen, units)
    tables = {name: table.to_pylist() for name, table in found.variance.tables.items()}
    return tables | {"notes": [{"note": note} for note in found.variance.notes]}


def refused(tmp_path: Path, out: Path, budget: Iterable[Row] | Path, **options: Any) -> list[Fault]:
    """Return the faults that a budget is refused with, none where it is taken."""
    try:
        variances(tmp_path, out, budget, **options)
    except InputRejected as rejected:
        return list(rejected.faults)
    return []


def codes(faults: Iterable[Fault]) -> list[str]:
    """Return the codes of faults, sorted, each once."""
    return sorted({fault.code for fault in faults})


def only(rows: Iterable[Row], **keys: Any) -> Row:
    """Return the one row with these values."""
    (found,) = [row for row in rows if all(row[name] == value for name, value in keys.items())]
    return found


def row_of(rows: Iterable[Row], *names: str, **keys: Any) -> Any:
    """Return a column of the one row with these values as text, or several as a list."""
    row = only(rows, **keys)
    texts = [None if row[name] is None else str(row[name]) for name in names]
    return texts[0] if len(names) == 1 else texts


def fen(value: Any) -> Fraction:
    """Return yuan as an exact number."""
    return Fraction(str(value))


def over_months(**books: Tables) -> Tables:
    """Return one book of several months: m2026_02=... is February's; standing rows stand once."""
    together: Tables = {}
    for name, tables in books.items():
        period = name[1:].replace("_", "-")
        for table, rows in tables.items():
            found = together.setdefault(table, [])
            for row in rows:
                moved = row | {"period": period} if "period" in row else row
                if "period" in row or moved not in found:
                    found.append(moved)
    return together


def departments_only(
    tmp_path: Path, tables: Tables, periods: Iterable[str] = (MONTH,), **options: Any
) -> Path:
    """Return an output folder with the months costed through departments."""
    text = model("direct")
    return published(tmp_path, tables, text, periods=periods, through="departments", **options)
