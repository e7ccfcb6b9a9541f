"""Sample consortia of 5 and of 111 members: consolidated, with what their makers booked wrongly."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from medcost.consortium.consolidation.inputs import NEEDED
from medcost.consortium.consolidation.policy import load_consolidation
from medcost.consortium.consolidation.stage import KIND, consolidate_months
from medcost.consortium.inputs import read_consortium
from medcost.consortium.publication import Published
from medcost.sample.consortium import Members
from medcost.sample.consortium_consolidation import consolidation_tables
from medcost.sample.streams import months_of

from ..books import written

PERIODS = ("2026-01", "2026-02", "2026-03")


@pytest.fixture(scope="module", params=[5, 111])
def months(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The result tables of three months, as rows by name."""
    n = request.param
    unit_ids = tuple(f"U{number:03d}" for number in range(1, n + 1))
    townships = min(n - 1, 12)
    kinds = ("lead", *["township"] * townships, *["village"] * (n - 1 - townships))
    members = Members(unit_ids, kinds, months_of(PERIODS), 2026)
    units = [{"unit_id": unit, "kind": kind} for unit, kind in zip(unit_ids, kinds, strict=True)]
    book = written(tmp_path_factory.mktemp(f"of_{n}"), {"units": units})
    for name, table in consolidation_tables(members).items():
        pq.write_table(table, book / f"{name}.parquet")
    inputs = read_consortium(book, KIND, NEEDED)
    found = consolidate_months(inputs, load_consolidation(), PERIODS, Published(Path(book / "out")))
    return [{name: table.to_pylist() for name, table in one.tables.items()} for one in found]


def test_every_month_has_one_of_each_mistake_and_nothing_else_is_left(months: Any) -> None:
    expected = [
        ["amounts_differ", "one_side", "other_period", "unknown_partner"],
        ["amounts_differ", "one_side", "other_period", "other_period", "unknown_partner"],
        ["amounts_differ", "one_side", "other_period", "unknown_partner"],
    ]
    assert [[row["reason"] for row in month["unmatched"]] for month in months] == expected


def test_profit_of_resold_goods_lies_in_more_than_one_members_stock(months: Any) -> None:
    for month in months:
        holders: dict[tuple[str, str], set[str]] = {}
        for row in month["elimination"]:
            if row["entry"] == "unrealised":
                deal = (row["from_unit_id"], row["reference"])
                holders.setdefault(deal, set()).add(row["unit_id"])
        assert any(len(units) > 1 for units in holders.values())


def test_a_months_closing_profit_in_stock_is_the_next_months_opening(months: Any) -> None:
    keys = ("from_unit_id", "to_unit_id", "reference", "booked_in")
    for before, after in pairwise(months):
        closing = {
            tuple(row[key] for key in keys): row["closing"]
            for row in before["unrealised_profit"]
            if row["closing"]
        }
        opening = {
            tuple(row[key] for key in keys): row["opening"]
            for row in after["unrealised_profit"]
            if row["opening"]
        }
        assert closing == opening


def test_some_members_are_owned_in_part_and_through_others(months: Any) -> None:
    shares = {row["unit_id"]: row["share"] for row in months[0]["consortium_interest"]}
    assert (shares["U002"], shares["U003"]) == ("51/100", "88/125")
