"""What holds for every consortium, and that a slow and obvious twin says the same."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from consortium.consolidation import twin
from consortium.consolidation.generated import MEMBERS, MONTHS, consortia
from consortium.consolidation.months import consolidated, lines_of, rules_of
from medcost.book import period_label
from medcost.consortium.consolidation.eliminations import ENTRIES
from medcost.consortium.consolidation.pairs import REASONS
from medcost.consortium.consolidation.statement import NATURES
from medcost.consortium.consolidation.tables import result_tables


def of_engine(rows, month, tolerance=0):
    statements, intercompany, stock = rows
    return consolidated(
        MEMBERS,
        month,
        rules_of(tolerance),
        statements=statements,
        intercompany=intercompany,
        internal_stock=stock,
    )


def deal_of(found, pair):
    pairs, tables = found.pairs, found.tables
    return (
        period_label(int(pairs.period[pair])),
        found.rules.kind_ids[pairs.kind[pair]],
        tables.unit_ids[pairs.claimant[pair]],
        tables.unit_ids[pairs.debtor[pair]],
        tables.references[pairs.reference[pair]],
    )


@settings(max_examples=400, deadline=None)
@given(consortia(), st.sampled_from(MONTHS), st.sampled_from([0, 2]))
def test_the_twin_takes_out_the_same_entries_and_leaves_the_same_pairs(rows, month, tolerance):
    found = of_engine(rows, month, tolerance)
    reported, taken, entries, deals, unrealised = twin.consolidate(*rows, MEMBERS, month, tolerance)
    lines, units = found.rules.line_ids, found.tables.unit_ids
    by_engine = {
        (deal_of(found, pair), ENTRIES[entry], units[unit], lines[line]): fen
        for pair, entry, unit, line, fen in zip(
            *(
                getattr(found.found, name).tolist()
                for name in ("pair", "entry", "unit", "line", "amount")
            ),
            strict=True,
        )
    }
    assert by_engine == entries
    for unit in range(len(MEMBERS)):
        for line, name in enumerate(lines):
            at = (units[unit], name)
            assert found.statement.reported[unit, line] == reported.get(at, 0)
            assert found.statement.eliminated[unit, line] == taken.get(at, 0)
    left = {
        (key, deal["reason"], deal["claimed"], deal["owed"])
        for key, deal in deals.items()
        if key[0] == month and deal["reason"] != "matched"
    }
    by_engine_left = {
        (deal_of(found, one.pair), REASONS[one.reason], one.claimed, one.owed)
        for one in found.unmatched
        if REASONS[one.reason] != "purchase_unknown"
    }
    assert by_engine_left == left
    for one in found.profits:
        assert (one.opening, one.closing) == unrealised[deal_of(found, one.pair)]


@settings(max_examples=60, deadline=None)
@given(consortia(), st.sampled_from(MONTHS))
def test_every_line_is_the_members_sum_less_what_is_taken_out(rows, month):
    found = of_engine(rows, month)
    tables = result_tables(found)
    sums: dict[str, int] = {}
    for one in rows[0]:
        if one["period"] == month:
            sums[one["line_id"]] = sums.get(one["line_id"], 0) + one["amount"]
    for one in tables["elimination"].to_pylist():
        sums[one["line_id"]] += int(one["amount"] * 100)
    assert {line: fen for line, (_, _, fen) in lines_of(found).items()} == sums


@settings(max_examples=60, deadline=None)
@given(consortia(), st.sampled_from(MONTHS))
def test_what_is_taken_out_nets_to_the_change_of_unrealised_profit(rows, month):
    """Income - cost taken out = opening - closing profit in stock, pair by pair."""
    found = of_engine(rows, month)
    nets: dict[int, int] = {}
    signs = {"income": 1, "cost": -1}
    for pair, line, fen in zip(
        found.found.pair.tolist(),
        found.found.line.tolist(),
        found.found.amount.tolist(),
        strict=True,
    ):
        sign = signs.get(NATURES[found.rules.nature[line]], 0)
        nets[pair] = nets.get(pair, 0) + sign * fen
    change = {one.pair: one.opening - one.closing for one in found.profits}
    assert {pair: net for pair, net in nets.items() if net} == {
        pair: fen for pair, fen in change.items() if fen
    }


@settings(max_examples=40, deadline=None)
@given(consortia(), st.sampled_from(MONTHS), st.randoms(use_true_random=False))
def test_permuted_rows_give_the_same_bytes(rows, month, shuffle: random.Random):
    tables = result_tables(of_engine(rows, month))
    mixed = tuple(shuffle.sample(part, len(part)) for part in rows)
    assert result_tables(of_engine(mixed, month)) == tables


@settings(max_examples=40, deadline=None)
@given(consortia(), st.sampled_from(MONTHS), st.data())
def test_splitting_a_row_in_two_changes_nothing(rows, month, data):
    statements, intercompany, stock = rows
    tables = result_tables(of_engine(rows, month))
    split = []
    for one in intercompany:
        part = data.draw(st.integers(-5, one["amount"] + 5))
        of_cost = {} if "cost" not in one else {"cost": data.draw(st.integers(0, one["cost"]))}
        rest = {"cost": one["cost"] - of_cost["cost"]} if of_cost else {}
        split += [
            {**one, "amount": part, **of_cost},
            {**one, "amount": one["amount"] - part, **rest},
        ]
    halves = []
    for one in statements:
        part = data.draw(st.integers(0, 100))
        halves += [{**one, "amount": part}, {**one, "amount": one["amount"] - part}]
    assert result_tables(of_engine((halves, split, stock), month)) == tables


@settings(max_examples=40, deadline=None)
@given(consortia(), st.sampled_from(MONTHS))
def test_consolidating_twice_changes_nothing(rows, month):
    """The consolidated statement, as the statement of one member that has no partner, is itself."""
    once = lines_of(of_engine(rows, month))
    statement = [
        {"period": month, "unit_id": "A", "line_id": line, "amount": fen}
        for line, (_, _, fen) in once.items()
    ]
    twice = lines_of(consolidated(("A",), month, statements=statement))
    assert {line: fen for line, (_, _, fen) in twice.items()} == {
        line: fen for line, (_, _, fen) in once.items()
    }


@settings(max_examples=40, deadline=None)
@given(consortia(), st.sampled_from(MONTHS))
def test_a_pair_with_a_unit_left_out_is_untouched(rows, month):
    """Without D, what others booked with D is business with outsiders, which nobody reports."""
    statements, intercompany, stock = rows
    rules = rules_of(leave_out=("D",))
    stock = [one for one in stock if "D" not in (one["unit_id"], one["partner_id"])]
    gone = {
        (one["period"], one["reference"])
        for one in intercompany
        if "D" in (one["unit_id"], one["partner_id"]) or "Z" == one["partner_id"]
    }
    # Goods that D sold on are followed no further.
    kept = [one for one in intercompany if (one["period"], one["reference"]) not in gone]
    with_d = consolidated(
        MEMBERS,
        month,
        rules,
        statements=statements,
        intercompany=[
            one for one in intercompany if "Z" != one["partner_id"] and not one.get("resold_from")
        ],
        internal_stock=[],
    )
    without = consolidated(
        MEMBERS,
        month,
        rules,
        statements=statements,
        intercompany=[one for one in kept if not one.get("resold_from")],
        internal_stock=[],
    )
    assert with_d.found.amount.tolist() == without.found.amount.tolist()
    assert not any(
        "D" in (with_d.tables.unit_ids[one.claimant], with_d.tables.unit_ids[one.debtor])
        for one in with_d.unmatched
    )
