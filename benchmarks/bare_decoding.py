"""Bare decoding: pyarrow reads the columns of the lines that costing needs, and drops them.

    python -m benchmarks.bare_decoding BOOK THREADS

The yardstick of a run: nothing that reads the lines through pyarrow is faster.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq

NEEDED = ("unit_id", "case_id", "item_id", "dept_id", "quantity", "charge", "direct_cost")
# Every value of plain text has its length in 4 bytes.
PLAIN_TEXT = 4


def decode(book: Path, threads: int) -> int:
    """Read every row group of the lines, one a thread at a time; returns the rows."""
    pieces = [
        (path, group)
        for path in sorted(book.glob("service_lines.parquet")) or sorted(line_files(book))
        for group in range(pq.read_metadata(path).num_row_groups)
    ]
    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(lambda piece: read_piece(*piece), pieces))


def line_files(book: Path) -> list[Path]:
    """The files of a book that has a folder of lines."""
    return list((book / "service_lines").rglob("*.parquet"))


def read_piece(path: Path, group: int) -> int:
    """Read one row group; text that repeats is kept as a dictionary, which is less work."""
    metadata = pq.read_metadata(path)
    found = metadata.row_group(group)
    columns = [found.column(index) for index in range(found.num_columns)]
    repeated = [
        column.path_in_schema
        for column in columns
        if column.physical_type == "BYTE_ARRAY"
        and column.has_dictionary_page
        and column.total_uncompressed_size < PLAIN_TEXT * column.num_values
    ]
    there = [column.path_in_schema for column in columns if column.path_in_schema in NEEDED]
    with pq.ParquetFile(path, metadata=metadata, read_dictionary=repeated) as file:
        return int(file.read_row_group(group, columns=there, use_threads=False).num_rows)


if __name__ == "__main__":
    print(decode(Path(sys.argv[1]), int(sys.argv[2])))
