"""Column chunks written byte by byte, so that they can lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from kernels.twins import pack_run, varint

from fuzz.stored_lines import TEXTS
from medcost import page_reader
from medcost.parquet_input import SourceFile

Fields = dict[int, Any]
CODEC_NUMBERS = {"none": 0, "snappy": 1, "gzip": 2, "brotli": 4, "zstd": 6, "lz4_raw": 7}


class Long(int):
    """An integer of 64 bits."""


class Text(bytes):
    """Bytes with their length before them."""


def thrift(fields: Fields) -> bytes:
    """Return a struct of Thrift's compact protocol; a value of bytes stands for itself.

    A list holds structs.
    """
    kinds = {int: 5, bytes: 5, Long: 6, Text: 8, list: 9, dict: 12}
    parts, last = [], 0
    for number, value in fields.items():
        kind = (1 if value else 2) if isinstance(value, bool) else kinds[type(value)]
        parts.append(bytes([(number - last) << 4 | kind]))
        if isinstance(value, dict):
            parts.append(thrift(value))
        elif isinstance(value, list):
            parts.append(b"\xfc" + varint(len(value)) + b"".join(thrift(one) for one in value))
        elif isinstance(value, Text):
            parts.append(varint(len(value)) + value)
        elif isinstance(value, bytes):
            parts.append(value)
        elif not isinstance(value, bool):
            parts.append(varint(value << 1 if value >= 0 else (-value << 1) - 1))
        last = number
    return b"".join(parts) + b"\0"


def footer_of(groups: list[list[Fields]], n_rows: int = 3, n_values: int = 3) -> bytes:
    """Return a FileMetaData: of each row group, further fields of each ColumnMetaData."""
    place = {4: 0, 5: Long(n_values), 6: Long(9), 7: Long(9), 9: Long(4)}
    return thrift(
        {
            4: [
                {1: [{3: place | further} for further in columns], 3: Long(n_rows)}
                for columns in groups
            ]
        }
    )


def packed(codec: str, body: bytes) -> bytes:
    """Return a page's bytes as a codec stores them."""
    return body if codec == "none" else pa.Codec(codec).compress(body, asbytes=True)


def page(kind: int, body: bytes, own: Fields, codec: str = "none", **lies: Any) -> bytes:
    """Return a page with its header; lies are sizes that are not so."""
    stored = packed(codec, body)
    fields: Fields = {
        1: kind,
        2: lies.get("size", len(body)),
        3: lies.get("stored_size", len(stored)),
        {0: 5, 1: 6, 2: 7, 3: 8}[kind]: own,
    }
    fields = {number: value for number, value in fields.items() if value is not None}
    return thrift(fields) + stored


def dictionary(*texts: str | bytes, codec: str = "none", **lies: Any) -> bytes:
    """Return a dictionary page of texts."""
    given = [text.encode() if isinstance(text, str) else text for text in texts]
    body = b"".join(len(text).to_bytes(4, "little") + text for text in given)
    own = {1: lies.pop("n", len(texts)), 2: lies.pop("encoding", 0)}
    return page(2, lies.pop("body", body), own, codec, **lies)


def levels_of(present: list[int]) -> bytes:
    """Return levels as a v1 page has them; rows beyond the last group of eight are filled up."""
    levels = pack_run(1, True, present + [0] * (-len(present) % 8))
    return len(levels).to_bytes(4, "little") + levels


def indices_of(width: int, indices: list[int]) -> bytes:
    """Return indices as a page has them."""
    return bytes([width]) + pack_run(width, True, indices + [0] * (-len(indices) % 8))


def data_page(body: bytes, n: Any, codec: str = "none", **lies: Any) -> bytes:
    """Return a v1 page with its levels in the body."""
    own = {1: n, 2: lies.pop("encoding", 8), 3: lies.pop("level_encoding", 3), 4: 3}
    return page(0, body, {k: v for k, v in own.items() if v is not None}, codec, **lies)


def data_page_v2(levels: bytes, values: bytes, n: int, **lies: Any) -> bytes:
    """Return a v2 page."""
    own: Fields = {
        1: n,
        2: lies.pop("n_nulls", 0),
        3: lies.pop("n_rows", n),
        4: lies.pop("encoding", 8),
        5: lies.pop("levels_size", len(levels)),
        6: lies.pop("repetition", 0),
        7: lies.pop("is_compressed", False),
    }
    return page(3, levels + values, own, "none", **lies)


def read_forged(
    chunk: bytes, n_rows: int, folder: Path, codec: str = "none", unpacked: int = 1 << 20
) -> list[int]:
    """Return the codes of a forged chunk of n_rows item_ids; raises PagesUnsupported."""
    path = folder / "forged.parquet"
    pq.write_table(pa.table({"item_id": pa.array(["x"] * n_rows, pa.string())}), path)
    start = path.stat().st_size
    metadata = pq.read_metadata(path)
    with path.open("ab") as file:
        file.write(chunk)
    numbers = [n_rows, CODEC_NUMBERS.get(codec, 5), n_rows, unpacked, len(chunk), start, -1]
    places = np.array([[numbers]], np.int64)
    texts = {"item_id": TEXTS["item_id"]}
    with mock.patch.object(page_reader, "_places", return_value=places):
        blocks = page_reader.page_blocks(SourceFile(path, "forged"), [0], texts, {}, metadata)
        return [code for block in blocks for code in block.codes["item_id"].tolist()]
