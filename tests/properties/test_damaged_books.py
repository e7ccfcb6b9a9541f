"""A damaged book is refused with codes; it never breaks the engine, and a check says the same."""

import datetime
import random
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from books import checked, faults, faults_of, written
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle.generated_books import to_toml
from oracle.parquet_tables import REQUIRED, table_of

from medcost.errors import fault_codes, render_faults
from properties.generated import Row, Tables, generated, seeds

WORDS = (None, "", "nobody", " C1", "2026-13", "2026-03", "é", "U1", "C1", "S1", "drugs", "K1")
NUMBERS = (None, Decimal(0), Decimal(-1), Decimal(9_999_999))
DAYS = (None, datetime.date(1999, 1, 1), datetime.date(2030, 1, 1))
STRANGE: tuple[tuple[Any, pa.DataType], ...] = (
    (None, pa.null()),
    (b"\xff\xfe", pa.binary()),
    (["x"], pa.list_(pa.string())),
    (True, pa.bool_()),
    (datetime.datetime(2026, 1, 1), pa.timestamp("us")),
    (datetime.date(9999, 12, 31), pa.date32()),
    (float("nan"), pa.float64()),
    (1e300, pa.float64()),
    (2**63 + 1, pa.uint64()),
    (Decimal(10) ** 60, pa.decimal256(70, 2)),
    (Decimal("1.123456789"), pa.decimal128(38, 9)),
    ("x\x00y", pa.string()),
    ("\u202e\x1b[31m", pa.string()),
    ("x" * 100_000, pa.large_string()),
)


def another(value: Any, rng: random.Random) -> Any:
    """Return a value of the same kind that is likely wrong."""
    if isinstance(value, Decimal):
        return rng.choice((*NUMBERS, -value))
    return rng.choice(DAYS if isinstance(value, datetime.date) else WORDS)


def damage(tables: Tables, rng: random.Random) -> None:
    """Change one thing: a table, a column, a row or a value."""
    name = rng.choice(sorted(name for name, rows in tables.items() if rows))
    rows = tables[name]
    at = rng.randrange(len(rows))
    row: Row = dict(rows[at])
    column = rng.choice(sorted(c for c, value in row.items() if value is not None))
    what = rng.choice(("value",) * 6 + ("no table", "no rows", "twice", "no row", "no column"))
    if what == "value":
        rows[at] = row | {column: another(row[column], rng)}
    elif what == "no table":
        del tables[name]
    elif what == "no rows":
        tables[name] = []
    elif what == "twice":
        rows.append(row)
    elif what == "no row":
        del rows[at]
    elif column not in REQUIRED[name]:
        tables[name] = [{c: v for c, v in one.items() if c != column} for one in rows]


def require_codes(found: list[str]) -> None:
    """Require every code to be one that is documented."""
    assert set(found) <= set(fault_codes())


@given(seed=seeds, wounds=st.integers(0, 10**6), n=st.integers(1, 3))
@settings(max_examples=40)
def test_a_damaged_book_is_refused_or_costed_and_a_check_agrees(
    seed: int, wounds: int, n: int
) -> None:
    """One to three things are wrong, or happen to be right."""
    tables, model = generated(seed)
    rng = random.Random(wounds)  # noqa: S311 - a seed, not a secret
    for _ in range(n):
        damage(tables, rng)
    with tempfile.TemporaryDirectory() as folder:
        book = written(Path(folder), tables)
        found = faults_of(Path(folder), book, to_toml(model))
        require_codes(found)
        assert found == checked(Path(folder), book, to_toml(model))


@pytest.mark.parametrize("kind", range(len(STRANGE)))
@given(seed=seeds, place=st.integers(0, 10**6))
@settings(max_examples=4)
def test_a_column_of_strange_values_is_refused_or_ignored(kind: int, seed: int, place: int) -> None:
    """Any column of any table; what is said about it cannot act on a terminal."""
    tables, model = generated(seed)
    rng = random.Random(place)  # noqa: S311
    name = rng.choice(sorted(name for name, rows in tables.items() if rows))
    table = table_of(name, tables[name])
    column = rng.choice(table.column_names)
    value, dtype = STRANGE[kind]
    values = pa.array([value] * table.num_rows, dtype)
    with tempfile.TemporaryDirectory() as folder:
        book = written(Path(folder), tables)
        strange = table.set_column(table.column_names.index(column), column, values)
        pq.write_table(strange, book / f"{name}.parquet")
        found = faults(Path(folder), book, to_toml(model))
        require_codes([fault.code for fault in found])
        said = render_faults(found)
        assert "\x1b" not in said
        assert "\u202e" not in said
