"""Faults of a month that its tables show only together, in words: how much, whose, where."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medcost.balance import exact_sums
from medcost.book import period_label
from medcost.checks.ownership import Holdings, held_shares
from medcost.consortium.consolidation.eliminations import Flaw
from medcost.consortium.consolidation.inputs import Tables
from medcost.consortium.consolidation.pairs import (
    AMOUNTS_DIFFER,
    CLAIM,
    NONE,
    OTHER_PERIOD,
    PURCHASE_UNKNOWN,
    UNKNOWN_PARTNER,
    Pairs,
    Unmatched,
)
from medcost.consortium.consolidation.policy import Rules
from medcost.consortium.consolidation.statement import Statement
from medcost.errors import Fault, count_of, quote
from medcost.money import LARGEST_FEN, format_yuan

FLAW_CODES = {
    "overdrawn": "stock-above-purchase",
    "grown": "stock-grown",
    "circle": "resale-cycle",
    "ambiguous": "resale-ambiguous",
}


def find_missing(tables: Tables, month: int) -> list[Fault]:
    """Members without a statement of the month: a sum without them would be nobody's."""
    there = set(tables.entries.unit[tables.entries.period == month].tolist())
    missing = [unit for unit in range(tables.n_units) if unit not in there]
    if not missing:
        return []
    verb = "has" if len(missing) == 1 else "have"
    what = f"{count_of(len(missing), 'member')} {verb} no statement of {period_label(month)}."
    names = (f"{quote(tables.unit_ids[unit])}" for unit in missing)
    return [Fault("statement-missing", what, tuple(names))]


def find_unowned(tables: Tables, rules: Rules, holdings: Holdings, month: int) -> list[Fault]:
    """Members beside one that nobody owns, where the policy wants them owned."""
    if rules.policy.ownership.unowned == "whole":
        return []
    held = held_shares(tables.n_owners, holdings)
    unowned = [unit for unit in range(tables.n_units) if not held[unit]]
    if len(unowned) <= 1:
        return []
    names = tuple(quote(tables.unit_ids[unit]) for unit in unowned)
    what = f"{len(unowned)} members have no owner in {period_label(month)}; only one may have none."
    return [Fault("ownership-missing", what, names)]


def find_large(tables: Tables, month: int) -> list[Fault]:
    """Tables whose amounts add up beyond what a column of money holds.

    Of statements those of the month; of intercompany all: other months' goods count in this one.
    """
    of_month = tables.entries.amount[tables.entries.period == month]
    faults = []
    for name, fen in (
        ("statements", of_month),
        ("intercompany", tables.bookings.amount),
        ("intercompany", tables.bookings.cost),
        ("internal_stock", tables.stock.amount),
    ):
        one = np.zeros(len(fen), np.int64)
        total = int(exact_sums(one, np.abs(fen).reshape(-1, 1), 1)[0, 0])
        if total > LARGEST_FEN:
            what = f"Amounts of {name} add up to {format_yuan(total)} yuan."
            faults.append(Fault("amount-out-of-range", what, (name,)))
    return faults


def flaw_fault(flaw: Flaw, tables: Tables, rules: Rules, pairs: Pairs) -> Fault:
    """Goods that cannot be followed."""
    names = [pair_name(tables, rules, pairs, pair) for pair in flaw.pairs]
    money = format_yuan(flaw.fen)
    what = {
        "overdrawn": f"{money} yuan of a purchase are in stock or sold on, more than was bought.",
        "grown": f"What is in stock of an earlier month's purchase has grown by {money} yuan.",
        "circle": f"Goods that had cost {money} yuan were sold on in a circle.",
        "ambiguous": f"Goods that had cost {money} yuan may come from several purchases.",
    }[flaw.what]
    shown: Sequence[str] = names
    if flaw.what == "circle":
        shown = [" > ".join([*names, names[0]])]
    return Fault(FLAW_CODES[flaw.what], what, tuple(shown))


def pair_name(tables: Tables, rules: Rules, pairs: Pairs, pair: int) -> str:
    """2026-01 goods 'A' to 'C' under 'P1'."""
    reference = tables.references[pairs.reference[pair]]
    under = f" under {quote(reference)}" if reference else ""
    kind = rules.kind_ids[pairs.kind[pair]]
    claimant, debtor = (quote(tables.unit_ids[of[pair]]) for of in (pairs.claimant, pairs.debtor))
    return f"{period_label(int(pairs.period[pair]))} {kind} {claimant} to {debtor}{under}"


def overdrawn_fault(
    tables: Tables, rules: Rules, statement: Statement, unit: int, line: int
) -> Fault:
    """A line of which more is internal than the member booked on it."""
    booked = format_yuan(int(statement.reported[unit, line]))
    taken = format_yuan(-int(statement.eliminated[unit, line]))
    what = f"{taken} yuan are internal of a line that has {booked} in the statement."
    name = f"unit_id {quote(tables.unit_ids[unit])}, line_id {quote(rules.line_ids[line])}"
    return Fault("internal-above-statement", what, (f"statements, {name}",))


def unmatched_fault(tables: Tables, rules: Rules, pairs: Pairs, one: Unmatched) -> Fault:
    """What is not matched, with the rows that it stands in."""
    what = unmatched_sentence(tables, rules, pairs, one)
    return Fault("intercompany-unmatched", what, _places(tables, pairs, one))


def unmatched_sentence(tables: Tables, rules: Rules, pairs: Pairs, one: Unmatched) -> str:
    """Services from 'A' to 'B' under 'P1': 60.00 yuan claimed, and the other booked nothing."""
    claimant, debtor = (quote(tables.unit_ids[unit]) for unit in (one.claimant, one.debtor))
    reference = tables.references[one.reference]
    under = f" under {quote(reference)}" if reference else ""
    name = f"{rules.policy.kind[one.kind].en} from {claimant} to {debtor}{under}"
    return f"{name}: {_what_differs(tables, pairs, one)}."


def _what_differs(tables: Tables, pairs: Pairs, one: Unmatched) -> str:
    claimed, owed = format_yuan(one.claimed), format_yuan(one.owed)
    if one.reason == PURCHASE_UNKNOWN:
        return f"{claimed} yuan of goods come from a purchase that is not eliminated"
    if one.reason == AMOUNTS_DIFFER:
        agreed = f", of which {format_yuan(one.eliminated)} agree" if one.eliminated else ""
        return f"{claimed} yuan claimed and {owed} owed{agreed}"
    is_claim = bool(pairs.sides[one.pair, CLAIM])
    booked = f"{claimed} yuan claimed" if is_claim else f"{owed} yuan owed"
    if one.reason == UNKNOWN_PARTNER:
        partner = one.debtor if is_claim else one.claimant
        return f"{booked}, and units does not list {quote(tables.unit_ids[partner])}"
    if one.reason == OTHER_PERIOD:
        return f"{booked}, which the other booked in {period_label(one.other_period)}"
    return f"{booked}, and the other booked nothing"


def _place(tables: Tables, row: int) -> str:
    """Where a booking stands: a row of intercompany, or a published table."""
    if row < 0:
        return tables.evidence[-1 - row].place
    return tables.sources["intercompany"].place(row)


def _places(tables: Tables, pairs: Pairs, one: Unmatched) -> tuple[str, ...]:
    """The rows that it stands in."""
    if one.pair != NONE:
        rows = tables.rows[pairs.of_booking == one.pair]
        return tuple(_place(tables, row) for row in sorted(rows.tolist()))
    stock = tables.stock
    same = stock.reference == one.reference
    for column, value in (
        (stock.kind, one.kind),
        (stock.seller, one.claimant),
        (stock.holder, one.debtor),
        (stock.sold_in, one.booked_in),
    ):
        same = same & (column == value)
    rows = tables.stock_rows[same]
    return tuple(tables.sources["internal_stock"].place(int(row)) for row in rows)
