"""Plain dict tables to and from the contract's Parquet files."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

Row = dict[str, Any]

MONEY, QUANTITY, WEIGHT = pa.decimal128(18, 2), pa.decimal128(18, 4), pa.decimal128(18, 6)
TEXT, DAY, FLAG, DAYS = pa.string(), pa.date32(), pa.bool_(), pa.decimal128(9, 2)
COST = dict.fromkeys(
    ("staff", "materials", "drugs", "depreciation", "amortisation", "risk_fund", "other"), MONEY
)
REQUIRED: dict[str, dict[str, pa.DataType]] = {
    "units": {"unit_id": TEXT, "kind": TEXT},
    "departments": {"unit_id": TEXT, "dept_id": TEXT, "class": TEXT},
    "ledger": {
        "period": TEXT, "unit_id": TEXT, "dept_id": TEXT, "element": TEXT, "amount": MONEY,
    },
    "drivers": {
        "period": TEXT, "unit_id": TEXT, "driver": TEXT, "dept_id": TEXT, "quantity": QUANTITY,
    },
    "income": {
        "period": TEXT, "unit_id": TEXT, "dept_id": TEXT, "source": TEXT, "amount": MONEY,
    },
    "statistics": {
        "period": TEXT, "unit_id": TEXT, "dept_id": TEXT, "measure": TEXT, "quantity": QUANTITY,
    },
    "service_items": {"item_id": TEXT, "basis": TEXT},
    "item_weights": {"item_id": TEXT, "weight": WEIGHT},
    "capacity": {
        "period": TEXT, "unit_id": TEXT, "dept_id": TEXT, "practical_capacity": QUANTITY,
    },
    "service_lines": {
        "period": TEXT, "unit_id": TEXT, "item_id": TEXT, "dept_id": TEXT, "quantity": QUANTITY,
    },
    "cases": {"period": TEXT, "unit_id": TEXT, "case_id": TEXT, "setting": TEXT},
    "opening_work_in_progress": {"period": TEXT, "unit_id": TEXT, "case_id": TEXT, **COST},
    "drg_groups": {"scheme": TEXT, "drg_id": TEXT},
    "drg_prices": {"drg_id": TEXT, "price": MONEY},
    "budget": {"period": TEXT, "unit_id": TEXT, "amount": MONEY},
}  # fmt: skip
OPTIONAL: dict[str, dict[str, pa.DataType]] = {
    "units": {"name": TEXT, "region": TEXT, "grassroots": FLAG},
    "departments": {
        "name": TEXT, "service_group": TEXT, "valid_from": TEXT, "valid_to": TEXT,
        "continues_dept_id": TEXT,
    },
    "ledger": {
        "behaviour": TEXT, "fund": TEXT, "program": TEXT, "account": TEXT, "entry_id": TEXT,
    },
    "service_items": {"name": TEXT, "category": TEXT, "element": TEXT},
    "item_weights": {"unit_id": TEXT, "dept_id": TEXT, "element": TEXT, "period": TEXT},
    "capacity": {"element": TEXT},
    "service_lines": {
        "case_id": TEXT, "case_unit_id": TEXT, "ordering_dept_id": TEXT, "charge": MONEY,
        "direct_cost": MONEY, "line_id": TEXT, "performed_on": DAY,
    },
    "cases": {
        "drg_id": TEXT, "scheme": TEXT, "dept_id": TEXT, "bed_days": DAYS, "admitted": DAY,
        "discharged": DAY, "payer": TEXT, "doctor_id": TEXT, "disease_id": TEXT, "paid": MONEY,
    },
    "opening_work_in_progress": {"charge": MONEY},
    "drg_groups": {"name": TEXT, "adrg_id": TEXT, "mdc_id": TEXT, "weight": WEIGHT},
    "drg_prices": {
        "scheme": TEXT, "unit_id": TEXT, "payer": TEXT, "valid_from": TEXT, "valid_to": TEXT,
    },
    "budget": {
        "dept_id": TEXT, "element": TEXT, "drg_id": TEXT, "tag": TEXT, "requested": MONEY,
        "volume": QUANTITY, "standard_price": WEIGHT, "standard_quantity": WEIGHT,
    },
}  # fmt: skip


def schema_of(name: str, rows: list[Row]) -> pa.Schema:
    """Return the contract's schema of a table; an optional column only where a row has it.

    A column that the contract does not know keeps the type pyarrow infers for it.
    """
    used = dict.fromkeys(column for row in rows for column in row)
    columns = dict(REQUIRED[name])
    optional = OPTIONAL.get(name, {})
    columns |= {column: kind for column, kind in optional.items() if column in used}
    for column in used:
        if column not in columns:
            columns[column] = pa.array([row.get(column) for row in rows]).type
    return pa.schema(columns)


def scaled_to(value: Any, kind: pa.DataType) -> Any:
    """Return a decimal or an integer with the type's scale; other values as they are."""
    if value is None or not pa.types.is_decimal(kind):
        return value
    return Decimal(value).quantize(Decimal(1).scaleb(-kind.scale))


def table_of(name: str, rows: list[Row]) -> pa.Table:
    """Return the rows as an Arrow table of the contract's types."""
    schema = schema_of(name, rows)
    columns = [
        pa.array([scaled_to(row.get(field.name), field.type) for row in rows], field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def with_dictionaries(table: pa.Table) -> pa.Table:
    """Return the table with every text column dictionary-encoded."""
    for index, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            encoded = table.column(index).dictionary_encode()
            table = table.set_column(index, field.name, encoded)
    return table


def write_tables(
    tables: dict[str, list[Row]],
    folder: Path | str,
    dictionary: bool = False,
    row_group_size: int | None = None,
    pieces: int = 1,
) -> None:
    """Write a book: one file a table, or a folder of `pieces` files a table."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        table = table_of(name, rows)
        if dictionary:
            table = with_dictionaries(table)
        if pieces == 1:
            pq.write_table(table, folder / f"{name}.parquet", row_group_size=row_group_size)
            continue
        (folder / name).mkdir()
        for piece in range(pieces):
            begin, end = (len(rows) * n // pieces for n in (piece, piece + 1))
            path = folder / name / f"part-{piece}.parquet"
            pq.write_table(table.slice(begin, end - begin), path, row_group_size=row_group_size)


def read_tables(folder: Path | str) -> dict[str, list[Row]]:
    """Return table name → rows of every Parquet file, or folder of them, in a folder."""
    tables: dict[str, list[Row]] = {}
    for path in sorted(Path(folder).iterdir()):
        if path.name[0] not in "._" and (path.is_dir() or path.suffix == ".parquet"):
            dataset = ds.dataset(path, format="parquet", partitioning=hive_text(path))
            tables[path.name.removesuffix(".parquet")] = dataset.to_table().to_pylist()
    return tables


def hive_text(path: Path) -> ds.Partitioning:
    """Return a Hive partitioning whose values are text, as the contract says."""
    found = {part.split("=")[0] for file in path.rglob("*") for part in file.parts if "=" in part}
    return ds.partitioning(pa.schema([(column, TEXT) for column in sorted(found)]), flavor="hive")
