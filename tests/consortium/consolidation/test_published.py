"""A book of statements from its files to a published folder, and what is refused on the way."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consortium.books import MONTH, Row, policy_file, postings, written
from medcost.consortium.consolidation.evidence import Source, read_evidence
from medcost.consortium.consolidation.inputs import NEEDED
from medcost.consortium.consolidation.policy import load_consolidation
from medcost.consortium.consolidation.stage import KIND, consolidate_months
from medcost.consortium.inputs import read_consortium
from medcost.consortium.publication import (
    ConsortiumResult,
    Published,
    publish_results,
    published_consortium,
)
from medcost.errors import InputRejected
from medcost.output_folder import output_folder
from medcost.staged_tables import stage_tables
from medcost.verification import verify_folder

LINES = """
[[line]]
id = "income"
zh = "收入"
en = "Income"
nature = "income"
[[line]]
id = "cost"
zh = "费用"
en = "Cost"
nature = "cost"
[[kind]]
id = "services"
zh = "服务"
en = "Services"
treatment = "result"
claim = "income"
debt = "cost"
"""


def statement(unit: str, line: str, amount: object, period: str = MONTH) -> Row:
    return {"period": period, "unit_id": unit, "line_id": line, "amount": amount}


STATEMENTS = [
    statement("L", "business_income", 1000),
    statement("L", "business_cost", 800),
    statement("T", "business_income", "200.10"),
    statement("T", "business_cost", 190),
    statement("V", "business_cost", 10),
]


def booking(unit: str, partner: str, side: str, amount: object, **more: object) -> Row:
    row = {"period": MONTH, "unit_id": unit, "partner_id": partner, "kind": "services"}
    return {**row, "side": side, "amount": amount, **more}


SERVICES = [booking("L", "T", "claim", 60), booking("T", "L", "debt", 60)]


class Costs(Published):
    """Published costs of the month by unit, and no other result."""

    def __init__(self, costs: dict[str, Path]) -> None:
        self._costs = costs

    def costs(self, _period: str) -> dict[str, Path]:
        return self._costs


def results_of(
    folder: Path,
    tables: dict[str, list[Row]],
    policy: str | None = None,
    costs: dict[str, Path] | None = None,
) -> list[ConsortiumResult]:
    book = written(folder / "book", {"statements": STATEMENTS, **tables})
    inputs = read_consortium(book, KIND, NEEDED)
    return consolidate_months(inputs, load_consolidation(policy), [MONTH], Costs(costs or {}))


def codes_of(folder: Path, tables: dict[str, list[Row]], policy: str | None = None) -> set[str]:
    with pytest.raises(InputRejected) as caught:
        results_of(folder, tables, policy)
    return {fault.code for fault in caught.value.faults}


def test_a_published_statement_ties_out_and_is_verified(tmp_path: Path) -> None:
    """1,000 + 200.10 - 60 = 1,140.10 of income, 1,000 - 60 = 940 of cost; again: nothing new."""
    results = results_of(tmp_path, {"intercompany": SERVICES})
    inputs, policy = read_consortium(tmp_path / "book", KIND, NEEDED), load_consolidation()
    for is_new in (True, False):
        with output_folder(tmp_path / "out") as held:
            [place] = publish_results(held, results, inputs, policy)
        assert place.is_new == is_new
    folder = published_consortium(tmp_path / "out")[MONTH][KIND]
    rows = pq.read_table(folder / "consolidated_statement.parquet").to_pylist()
    assert {row["line_id"]: row["consolidated"] for row in rows} == {
        "business_income": Decimal("1140.10"),
        "business_cost": Decimal(940),
    }
    assert not verify_folder(tmp_path / "out").faults


def test_notes_say_what_was_left_and_whose_it_is(tmp_path: Path) -> None:
    [result] = results_of(tmp_path, {"intercompany": SERVICES[:1]})
    assert result.notes == (
        "1 deal between members is not booked alike; what differs stays in.",
        "Services from 'L' to 'T': 60.00 yuan claimed, and the other booked nothing.",
    )


def test_a_statement_from_which_nothing_could_be_taken_says_so(tmp_path: Path) -> None:
    [result] = results_of(tmp_path, {})
    assert result.notes == (
        "no business between members is booked: the statement is the members' sum.",
    )


def test_goods_without_a_table_of_stock_are_said_to_count_as_used(tmp_path: Path) -> None:
    goods = [{**row, "kind": "goods"} for row in SERVICES]
    goods[0] |= {"cost": 50}
    [result] = results_of(tmp_path, {"intercompany": goods})
    assert result.notes == (
        "the book has no internal_stock: all goods sold between members count as used.",
    )


def test_a_policy_that_leaves_every_member_out_is_refused(tmp_path: Path) -> None:
    policy = policy_file(tmp_path, LINES + '[scope]\nleave_out = ["L", "T", "V"]')
    statements = [statement("L", "income", 1)]
    with pytest.raises(InputRejected) as caught:
        results_of(tmp_path, {"statements": statements}, policy)
    [fault] = caught.value.faults
    assert fault.what == "scope.leave_out names every member: nobody is left to be consolidated."


def test_a_unit_cannot_be_its_own_partner(tmp_path: Path) -> None:
    assert codes_of(tmp_path, {"intercompany": [booking("L", "L", "claim", 1)]}) == {
        "partner-is-itself"
    }


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (booking("L", "T", "claim", 1, kind="gifts"), "kind-not-in-policy"),
        (booking("L", "T", "claim", 1, line_id="sundry"), "line-not-in-policy"),
        (booking("L", "T", "claim", 1, line_id="business_cost"), "line-does-not-suit"),
        (booking("L", "T", "claim", 1, kind="goods"), "goods-cost-missing"),
        (booking("L", "T", "owes", 1), "value-not-allowed"),
        (booking("X", "T", "claim", 1), "unit-not-listed"),
    ],
)
def test_a_row_that_cannot_be_placed_is_refused(tmp_path: Path, row: Row, code: str) -> None:
    assert codes_of(tmp_path, {"intercompany": [row]}) == {code}


def holding(owner: str, owned: str, parts: int, whole: int) -> Row:
    row = {"period": "2025-01", "unit_id": owner, "owned_id": owned}
    return {**row, "parts": parts, "of_parts": whole}


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([holding("L", "T", 1, 2), holding("T", "L", 1, 3)], "ownership-cycle"),
        ([holding("L", "L", 1, 2)], "ownership-cycle"),
        ([holding("L", "T", 3, 2)], "ownership-share"),
        ([holding("L", "T", 1, 0)], "ownership-share"),
        ([holding("L", "V", 2, 3), holding("T", "V", 2, 3)], "ownership-above-whole"),
        ([holding("L", "X", 1, 2)], "unit-not-listed"),
    ],
)
def test_holdings_that_cannot_be_are_refused(tmp_path: Path, rows: list[Row], code: str) -> None:
    assert codes_of(tmp_path, {"ownership": rows}) == {code}


def test_stock_cannot_be_there_before_it_was_bought(tmp_path: Path) -> None:
    stock = {"period": MONTH, "unit_id": "T", "partner_id": "L", "kind": "goods", "amount": 1}
    assert codes_of(tmp_path, {"internal_stock": [{**stock, "sold_in": "2026-02"}]}) == {
        "stock-before-purchase"
    }
    assert codes_of(tmp_path, {"internal_stock": [{**stock, "kind": "services"}]}) == {
        "kind-not-goods"
    }


@pytest.mark.parametrize(
    ("sections", "code"),
    [
        (LINES + '[matching]\nunmatched = "guess"\n', "policy-value"),
        (LINES + "[matching]\ntolerance = -1.0\n", "policy-value"),
        (LINES + '[scope]\nleave_out = ["X"]\n', "policy-value"),
        (LINES.replace('claim = "income"', 'claim = "sales"'), "policy-value"),
        (LINES.replace('claim = "income"', 'claim = "cost"'), "policy-value"),
        (LINES.replace('"result"', '"goods"'), "policy-key-missing"),
        (LINES + LINES, "policy-value"),
        (LINES + '[[evidence]]\nresults = "costing"\nkind = "sales"\n', "policy-value"),
    ],
)
def test_a_policy_that_cannot_be_obeyed_is_refused(
    tmp_path: Path, sections: str, code: str
) -> None:
    assert codes_of(tmp_path, {}, policy_file(tmp_path, sections)) == {code}


def costing_run(folder: Path, fen: int) -> Path:
    """A folder as costing publishes it, with L's services for T's cases."""
    run = folder / "run=costing"
    tables = {"intercompany": postings({("L", "T"): fen})}
    staged = stage_tables(run, tables, tie_out=lambda _: {})
    outputs = [{"name": one.name, "sha256": one.sha256} for one in staged.outputs]
    (run / "manifest.json").write_text(json.dumps({"outputs": outputs}), "utf-8")
    return run


EVIDENCE = LINES + '[[evidence]]\nresults = "costing"\nkind = "services"\n'


def with_lines(*rows: Row) -> list[Row]:
    return [{**row, "line_id": row["line_id"].removeprefix("business_")} for row in rows]


def test_the_cost_that_costing_published_stands_for_a_claim_that_nobody_booked(
    tmp_path: Path,
) -> None:
    """T owes 60; L booked nothing, and costing says that its services for T cost 60."""
    run = costing_run(tmp_path, 6000)
    tables = {"statements": with_lines(*STATEMENTS), "intercompany": SERVICES[1:]}
    policy = policy_file(tmp_path, EVIDENCE)
    [result] = results_of(tmp_path, tables, policy, costs={"L": run})
    assert not result.notes
    assert result.sources == (run,)
    rows = result.tables["elimination"].to_pylist()
    assert [str(row["amount"]) for row in rows] == ["-60.00", "-60.00"]


def test_a_claim_that_the_member_booked_is_not_replaced(tmp_path: Path) -> None:
    run = costing_run(tmp_path, 5900)
    tables = {"statements": with_lines(*STATEMENTS), "intercompany": SERVICES}
    policy = policy_file(tmp_path, EVIDENCE)
    [result] = results_of(tmp_path, tables, policy, costs={"L": run})
    assert not result.notes


def test_evidence_that_is_not_published_is_asked_for(tmp_path: Path) -> None:
    tables = {"statements": with_lines(*STATEMENTS)}
    assert codes_of(tmp_path, tables, policy_file(tmp_path, EVIDENCE)) == {"run-not-found"}


def test_of_postings_of_a_shared_cost_the_member_that_takes_over_counts(tmp_path: Path) -> None:
    """L hands 30 of service S1 to T: T posts 30, L -30; a posting within L is none."""
    rows = [
        {"service_id": "S1", "unit_id": "T", "counterparty_id": "L", "amount": Decimal("30.00")},
        {"service_id": "S1", "unit_id": "L", "counterparty_id": "T", "amount": Decimal("-30.00")},
        {"service_id": "S1", "unit_id": "L", "counterparty_id": "L", "amount": Decimal("5.00")},
    ]
    run = tmp_path / "run=share"
    run.mkdir()
    texts = {
        name: [row[name] for row in rows] for name in ("service_id", "unit_id", "counterparty_id")
    }
    amounts = pa.array([row["amount"] for row in rows], pa.decimal128(18, 2))
    pq.write_table(pa.table({**texts, "amount": amounts}), run / "share_posting.parquet")
    sha256 = hashlib.sha256((run / "share_posting.parquet").read_bytes()).hexdigest()
    outputs = [{"name": "share_posting.parquet", "sha256": sha256}]
    (run / "manifest.json").write_text(json.dumps({"outputs": outputs}), "utf-8")
    source = Source("share", "services", "claim", "")
    [found] = read_evidence([source], {}, {"share": run})
    assert (found.claimant, found.debtor, found.reference, found.fen) == ("L", "T", "S1", 3000)
    (run / "share_posting.parquet").write_bytes(b"changed")
    with pytest.raises(InputRejected, match="not as it was published"):
        read_evidence([source], {}, {"share": run})
