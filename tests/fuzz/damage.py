"""Files of lines, damaged; and that neither reader lies about them nor crashes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from kernels.lines import Netted
from numpy.typing import NDArray

from fuzz.stored_lines import (
    ALL_TEXTS,
    CODECS,
    LINES,
    N_COLUMNS,
    NUMBER_TYPES,
    Storage,
    by_arrow,
    by_pages,
    netted_by_arrow,
    netted_by_pages,
    require_same,
    stored,
)
from medcost._core.footers import sole_texts
from medcost._core.page_headers import PageError
from medcost.line_blocks import LineBlock, plain_blocks
from medcost.page_reader import page_blocks, read_footer
from medcost.parquet_input import READ_ERRORS, SourceFile

# Bytes that mean something where they land: ends of ranges of varints, lengths and widths.
TELLING = [0, 1, 2, 3, 7, 8, 15, 16, 21, 28, 31, 32, 33, 63, 64, 127, 128, 129, 254, 255]


def some_storage(rng: random.Random) -> Storage:
    """Draw a small storage; mostly unpacked, so that damage reaches the page itself."""
    writer = {
        "compression": rng.choice([*CODECS, *["none"] * 8]),
        "data_page_version": rng.choice(["1.0", "2.0"]),
        "use_dictionary": rng.choice([True, True, False]),
        "dictionary_pagesize_limit": rng.choice([1 << 20, 100, 300]),
        "data_page_size": rng.choice([1 << 20, 100, 500]),
        "write_batch_size": rng.choice([1024, 10, 30]),
        "row_group_size": rng.choice([1000, 100]),
        "store_decimal_as_integer": rng.random() < 0.5,
        "write_page_checksum": rng.random() < 0.1,
        "write_statistics": rng.random() < 0.5,
    }
    types = [t for t in NUMBER_TYPES if not (pa.types.is_float16(t) or pa.types.is_null(t))]
    few = [t for t in types[:4] if t.precision <= 18]
    return Storage(
        n=rng.choice([1, 20, 150, 300]),
        quantity=rng.choice(types if rng.random() < 0.3 else few),
        charge=rng.choice(types if rng.random() < 0.3 else few),
        few=rng.random() < 0.5,
        nulls=rng.random() < 0.7,
        required=rng.random() < 0.5,
        runs=rng.random() < 0.4,
        writer=writer,
    )


def damaged(sound: bytes, rng: random.Random) -> bytes:
    """Return the file with a few bytes changed, moved, or its end cut off."""
    file = bytearray(sound)
    footer = len(file) - 8 - int.from_bytes(file[-8:-4], "little")
    for _ in range(rng.choice([1, 1, 1, 2, 3, 10])):
        at = rng.randrange(4, footer) if rng.random() < 0.85 else rng.randrange(len(file))
        way = rng.randrange(8)
        if way < 3:
            file[at] = rng.randrange(256)
        elif way < 5:
            file[at] = rng.choice(TELLING)
        elif way == 5:
            file[at] ^= 1 << rng.randrange(8)
        elif way == 6:
            # A number of several bytes: a length, or a varint of gigabytes.
            many = rng.choice([b"\xff" * 4 + b"\x07", b"\xff" * 9 + b"\x01", b"\xff\xff\xff\x7f"])
            file[at : at + len(many)] = many[: len(file) - at]
        else:
            size = rng.randrange(1, 30)
            start = rng.randrange(4, footer)
            piece = file[start : start + size]
            file[at : at + len(piece)] = piece[: len(file) - at]
    if rng.random() < 0.03:
        # The footer stays: the pages before it end too soon.
        cut = rng.randrange(4, footer)
        del file[cut : cut + rng.randrange(1, 50)]
    return bytes(file)


def damaged_files(seed: int, n_files: int, n_damages: int) -> Iterator[bytes]:
    """Yield each file as it was, then damaged so many times, each time anew."""
    rng = random.Random(seed)
    for _ in range(n_files):
        sound = stored(some_storage(rng), rng.randrange(1 << 30))
        yield sound
        for _ in range(n_damages):
            yield damaged(sound, rng)


def look_at_statistics(path: Path, n_groups: int) -> None:
    """Let the footer's statistics say what they will; a PageError at worst."""
    with path.open("rb") as file:
        try:
            footer = read_footer(file.fileno())
            for column in range(N_COLUMNS):
                sole_texts(footer, n_groups, N_COLUMNS, column)
        except PageError:
            return


def check_file(file: bytes, path: Path) -> str:
    """Read a file both ways; return what happened: declined, the same, or only by pages.

    Raises AssertionError where both readers take the file and differ.
    """
    path.write_bytes(file)
    try:
        n_groups = pq.read_metadata(path).num_row_groups
    except READ_ERRORS:
        n_groups = 1
    look_at_statistics(path, n_groups)
    groups = list(range(min(n_groups, 5)))
    found, netted = by_pages(path, groups), netted_by_pages(path, groups)
    try:
        if netted is not None:
            require_same_netting(netted, path, groups)
        if found is None:
            return "declined"
        try:
            plain = by_arrow(path, groups)
        except Exception:  # whatever pyarrow or the rules raise for it
            return "taken by pages only"
        require_same(found, plain)
        require_same_hashes(path, groups)
    except AssertionError:
        if arrow_contradicts_itself(path, groups):
            return "taken by pages only"
        raise
    return "the same"


def arrow_contradicts_itself(path: Path, groups: list[int]) -> bool:
    """Return whether Arrow reads texts in two ways that differ.

    In a dictionary that has an entry twice, where it keeps dictionaries, it leaves the second out
    and takes indices for what they meant before.
    """
    try:
        plain = pq.ParquetFile(path).read_row_groups(groups, list(ALL_TEXTS))
    except Exception:  # then there is nothing to contradict
        return False
    try:
        coded = pq.ParquetFile(path, read_dictionary=list(ALL_TEXTS))
        return bool(coded.read_row_groups(groups, list(ALL_TEXTS)).cast(plain.schema) != plain)
    except Exception:  # an index that is now beyond the dictionary
        return True


def require_same_netting(netted: Netted | str, path: Path, groups: list[int]) -> None:
    """Refuse any difference between what the readers' lines come to."""
    try:
        plain = netted_by_arrow(path, groups)
    except Exception:  # whatever pyarrow or the rules raise for it
        return
    assert plain == netted


def require_same_hashes(path: Path, groups: list[int]) -> None:
    """Refuse any difference between the readers in the hashes of a text column."""
    source, wanted = SourceFile(path, path.name), {"case_id": LINES.column("case_id")}
    pages = list(copied(page_blocks(source, groups, {}, wanted)))
    plain = list(plain_blocks(source, groups, {}, wanted))
    require_same(hashes_of(pages), hashes_of(plain))


def hashes_of(blocks: list[LineBlock]) -> dict[str, NDArray[Any]]:
    """Return hashes and states of all rows."""
    none = np.empty(0, np.int64)
    states = [block.states.get("case_id", np.zeros(block.n, np.uint8)) for block in blocks]
    return {
        "hashes": np.concatenate([none, *(block.values["case_id"] for block in blocks)]),
        "states": np.concatenate([none, *states]),
    }


def copied(blocks: Iterator[LineBlock]) -> Iterator[LineBlock]:
    """Yield blocks that stay as they are when the next is read."""
    for block in blocks:
        values = {name: array.copy() for name, array in block.values.items()}
        states = {name: array.copy() for name, array in block.states.items()}
        yield LineBlock(block.n, {}, values, states)
