"""The page reader against the plain one: on every storage, and on files that lie."""

from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
from fuzz.stored_lines import (
    CODECS,
    NUMBER_TYPES,
    Storage,
    by_arrow,
    by_pages,
    require_same,
    stored,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medcost import page_reader

FALLS_BACK = (pa.decimal256(40, 2), pa.float16(), pa.null())


@st.composite
def storages(draw: st.DrawFn) -> Storage:
    """Draw a storage: pages from a few rows to all, dictionaries that overflow or not."""
    chosen: Any = lambda *given: draw(st.sampled_from(given))  # noqa: E731
    writer = {
        "compression": draw(st.sampled_from(CODECS)),
        "data_page_version": chosen("1.0", "2.0"),
        "use_dictionary": chosen(True, True, False, ["case_id", "quantity"]),
        "dictionary_pagesize_limit": chosen(1 << 20, 100, 1000),
        "data_page_size": chosen(1 << 20, 64, 500),
        "write_batch_size": chosen(1024, 1, 10, 100),
        "row_group_size": chosen(10_000, 100, 37),
        "store_decimal_as_integer": draw(st.booleans()),
        "store_schema": draw(st.booleans()),
        "version": chosen("1.0", "2.6"),
    }
    return Storage(
        n=draw(st.sampled_from([0, 1, 7, 8, 9, 100, 300, 700])),
        quantity=draw(st.sampled_from(NUMBER_TYPES)),
        charge=draw(st.sampled_from(NUMBER_TYPES)),
        few=draw(st.booleans()),
        nulls=draw(st.booleans()),
        required=draw(st.booleans()),
        runs=draw(st.booleans()),
        writer=writer,
    )


def test_both_readers_say_the_same(tmp_path: Path) -> None:
    """Codes, values and states are equal on every storage; only three types are declined."""
    path = tmp_path / "lines.parquet"

    @settings(
        max_examples=400,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(storages(), st.integers(0, 9), st.sampled_from([5, 8, 64, 100, 1 << 14]))
    def compare(storage: Storage, seed: int, block_rows: int) -> None:
        try:
            path.write_bytes(stored(storage, seed))
        except pa.ArrowNotImplementedError:
            return
        groups = list(range(pq.read_metadata(path).num_row_groups))
        with mock.patch.object(page_reader, "BLOCK_ROWS", block_rows):
            found = by_pages(path, groups)
        if {storage.quantity, storage.charge} & set(FALLS_BACK):
            assert found is None or storage.n == 0
        else:
            assert found is not None
            require_same(found, by_arrow(path, groups))

    compare()
