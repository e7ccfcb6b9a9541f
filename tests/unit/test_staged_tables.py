"""Tables are written to staging by several threads, to a folder that is made once."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest

from medcost.staged_tables import TablesBeside, stage_tables, writing_threads

NAMES = ("case_cost", "department_cost", "drg_cost", "reconciliation", "service_item_cost")


def test_the_folder_of_tables_is_made_once_however_many_threads_write_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the calls of a publication would differ from run to run, by who comes first."""
    calls: list[str] = []
    plain = os.mkdir

    def mkdir(path: Path, mode: int = 0o777) -> None:
        calls.append(Path(path).relative_to(tmp_path).as_posix())
        plain(path, mode)

    monkeypatch.setattr(os, "mkdir", mkdir)
    table = pa.table({"amount": pa.array([1, 2])})
    folder = tmp_path / "of-2026-01" / "tables"
    staged = stage_tables(folder, dict.fromkeys(NAMES, table), tie_out=lambda _: {})

    in_vain = ["of-2026-01/tables"]
    assert calls == [*in_vain, "of-2026-01", "of-2026-01/tables"]
    assert [record.name for record in staged.outputs] == [f"{name}.parquet" for name in NAMES]


def test_tables_made_beside_the_stages_go_to_a_folder_that_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "of-2026-01" / "tables"
    table = pa.table({"amount": pa.array([1, 2])})
    with writing_threads() as writer:
        beside = TablesBeside(writer, folder)
        assert folder.is_dir()
        assert beside.make_table("case_cost", lambda: table)() is table
    assert [path.name for path in folder.iterdir()] == ["case_cost.parquet"]
