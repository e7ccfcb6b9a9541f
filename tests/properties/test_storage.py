"""Arithmetic rule 7: the same rows give the same tables, however they are stored and read."""

import random
import tempfile
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle.parquet_tables import write_tables

from properties.generated import Results, engine, engine_at, generated, seeds
from properties.storage import NUMBERS, holds, write_otherwise


def require_equal(expected: Results, found: Results) -> None:
    """Require equal schemas, rows, and order of rows."""
    assert expected.keys() == found.keys()
    for name, table in expected.items():
        assert table.schema == found[name].schema
        assert table.equals(found[name]), name


@given(seed=seeds, storage=st.integers(0, 10**6), threads=st.sampled_from((1, 2)))
@settings(max_examples=15)
def test_order_files_types_and_threads_change_nothing(
    seed: int, storage: int, threads: int
) -> None:
    """Rows in any order; one file, several, Hive partitions; texts and numbers of other types."""
    tables, model = generated(seed)
    expected = engine(tables, model)
    if isinstance(expected, list):
        return
    with tempfile.TemporaryDirectory() as folder:
        write_otherwise(tables, Path(folder), random.Random(storage))  # noqa: S311
        found = engine_at(Path(folder), model, threads=threads)
    require_equal(expected, found)


def as_bytes(results: Results) -> dict[str, bytes]:
    """Return result tables as Arrow streams."""
    streams = {}
    for name, table in results.items():
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table.combine_chunks())
        streams[name] = sink.getvalue().to_pybytes()
    return streams


@pytest.mark.parametrize("seed", [3, 7])
def test_the_number_of_threads_does_not_change_a_byte(tmp_path: Path, seed: int) -> None:
    """Lines in twenty files, read by one thread, by two, by five, and by five again."""
    tables, model = generated(seed)
    write_tables(tables, tmp_path, pieces=20)
    found = [as_bytes(engine_at(tmp_path, model, threads=threads)) for threads in (1, 2, 5, 5)]
    assert all(found[0] == other for other in found[1:])


def test_types_are_chosen_that_hold_the_values() -> None:
    """Whole yuan fit every type; a fen no integer; 10¹³ yuan no double that the contract takes."""
    money = pa.decimal128(18, 2)
    names = {str(kind) for kind in NUMBERS if holds(kind, money, [Decimal(7)])}
    assert {str(kind) for kind in NUMBERS} == names
    fen = [kind for kind in NUMBERS if holds(kind, money, [Decimal("0.01")])]
    assert not any(pa.types.is_integer(kind) for kind in fen)
    large = [kind for kind in NUMBERS if holds(kind, money, [Decimal(10**13)])]
    assert not any(pa.types.is_floating(kind) for kind in large)
