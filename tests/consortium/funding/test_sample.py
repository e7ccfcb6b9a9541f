"""The sample's tables of funds: rules that bind, and an allocation for every size."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from consortium.books import as_table
from medcost.consortium.funding.policy import load_fund_policy
from medcost.consortium.funding.stage import fund
from medcost.consortium.inputs import read_consortium
from medcost.sample.consortium import Members
from medcost.sample.consortium_funds import fund_tables
from medcost.sample.streams import months_of

MONTH = "2026-01"


def sample_book(folder: Path, townships: int, villages: int) -> Path:
    kinds = ("lead", *("township",) * townships, *("village",) * villages)
    unit_ids = tuple(f"U{n:03d}" for n in range(1, len(kinds) + 1))
    tables = fund_tables(Members(unit_ids, kinds, months_of([MONTH]), 2026))
    units = [{"unit_id": u, "kind": k} for u, k in zip(unit_ids, kinds, strict=True)]
    for name, table in {"units": as_table("units", units), **tables}.items():
        pq.write_table(table, folder / f"{name}.parquet")
    return folder


@pytest.mark.parametrize(("townships", "villages"), [(4, 0), (12, 98)])
def test_the_sample_is_allocated_exactly_and_its_rules_bind(
    tmp_path: Path, townships: int, villages: int
) -> None:
    book = sample_book(tmp_path, townships, villages)
    found = fund(read_consortium(book, "fund", (), [MONTH]), load_fund_policy(), MONTH)
    assert () == found.notes
    priced = {
        row["rule"] for row in found.tables["fund_rule"].to_pylist() if row["price"] is not None
    }
    assert {"total", "grassroots", "hold_harmless"} <= priced


def test_the_sample_is_the_same_for_a_seed(tmp_path: Path) -> None:
    members = Members(("U1", "U2"), ("lead", "township"), months_of([MONTH]), 7)
    assert fund_tables(members) == fund_tables(members)
