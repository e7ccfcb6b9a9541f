"""Published run folders as they are read: their manifests and tables, and where they are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from medcost.output_folder import RUNS, read_current
from medcost.tables import load_table, table_names


def read_run_manifest(run: Path) -> dict[str, Any] | None:
    """manifest.json of a run folder, None where it cannot be read."""
    try:
        content: dict[str, Any] = json.loads((run / "manifest.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return content


def read_run_tables(
    run: Path, manifest: Mapping[str, Any], wanted: Mapping[str, Sequence[str]]
) -> dict[str, pa.Table]:
    """Some columns of a run's result tables by name, text as dictionaries; raises READ_ERRORS."""
    there = {str(output["name"]).removesuffix(".parquet") for output in manifest["outputs"]}
    tables = {}
    for name, columns in wanted.items():
        if name in there:
            # pq.read_table would import Arrow's datasets and compute functions, 60 ms.
            with pq.ParquetFile(
                run / f"{name}.parquet", read_dictionary=list(columns), pre_buffer=False
            ) as file:
                tables[name] = file.read(list(columns), use_threads=False)
    return tables


def published_runs(folder: Path) -> dict[str, dict[str, Path]]:
    """Run folders by period and unit, of an output folder or, by its manifest, of one run.

    Empty where the folder is neither; a result of the consortium is no run of costing.
    """
    manifest = read_run_manifest(folder)
    try:
        if manifest is not None:
            units = () if "kind" in manifest else manifest["units"]
            return {str(manifest["period"]): dict.fromkeys(units, folder)} if units else {}
        return folders_in(folder, read_current(folder)[RUNS])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def folders_in(out: Path, published: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, Path]]:
    """The folders that a part of an output folder's CURRENT.json names."""
    return {
        str(period): {str(of): out / name for of, name in names.items()}
        for period, names in published.items()
    }


def read_tables(folder: Path, files: Iterable[str]) -> dict[str, pa.Table]:
    """Result tables by name as the stages make them: labels as dictionaries, decimals in 64 bits.

    Files that are no result table are left out. Raises READ_ERRORS.
    """
    tables = {}
    for file in files:
        name = file.removesuffix(".parquet")
        if f"out_{name}" in table_names():
            columns = load_table(f"out_{name}").columns
            texts = [column.name for column in columns if column.type == "string"]
            with pq.ParquetFile(folder / file, read_dictionary=texts, pre_buffer=False) as found:
                table = found.read(use_threads=False)
            fields = [
                pa.field(f.name, pa.decimal64(f.type.precision, f.type.scale))
                if pa.types.is_decimal(f.type)
                else f
                for f in table.schema
            ]
            tables[name] = table.cast(pa.schema(fields))
    return tables
