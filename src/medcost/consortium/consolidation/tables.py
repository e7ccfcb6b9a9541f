"""A consolidated month as the contract's tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medcost.book import period_label
from medcost.consortium.consolidation.eliminations import ENTRIES
from medcost.consortium.consolidation.month import Consolidation
from medcost.consortium.consolidation.pairs import CLAIM, DEBT, NONE, REASONS
from medcost.consortium.consolidation.statement import MEASURES, NATURES
from medcost.errors import Fault, InputRejected
from medcost.money import LARGEST_FEN, divide_half_away
from medcost.result_tables import Coded, Given, build_table
from medcost.text_labels import text_array

SHARE_STEPS = 10**6


def result_tables(found: Consolidation) -> dict[str, pa.Table]:
    """Every table of a consolidated month, by its name without out_."""
    return {
        "consolidated_statement": consolidated_statement(found),
        "member_statement": member_statement(found),
        "elimination": elimination(found),
        "unmatched": unmatched(found),
        "unrealised_profit": unrealised_profit(found),
        "consortium_interest": consortium_interest(found),
    }


def texts(values: Sequence[str]) -> Coded:
    """A text column, empty where the text is."""
    labels = sorted({*values} - {""}, key=str.encode)
    place = {label: i for i, label in enumerate(labels)} | {"": NONE}
    return Coded(text_array(labels), np.array([place[text] for text in values], np.int64))


def key_texts(values: Sequence[str]) -> Coded:
    """A text column of a key, which is empty text where a part does not apply."""
    labels = sorted({*values}, key=str.encode)
    place = {label: i for i, label in enumerate(labels)}
    return Coded(text_array(labels), np.array([place[text] for text in values], np.int64))


def fen_column(values: NDArray[np.object_] | Sequence[int]) -> NDArray[np.int64]:
    """Python integers as int64; raises InputRejected where one does not fit a column of money."""
    column = [int(value) for value in values]
    if any(abs(fen) > LARGEST_FEN for fen in column):
        what = "A consolidated amount does not fit a column of money."
        raise InputRejected([Fault("amount-out-of-range", what, ("statements",))])
    return np.array(column, np.int64)


def consolidated_statement(found: Consolidation) -> pa.Table:
    """out_consolidated_statement."""
    rules, statement = found.rules, found.statement
    order = sorted(range(len(rules.line_ids)), key=lambda i: rules.line_ids[i].encode())
    lines = [rules.policy.line[i] for i in order]
    members, eliminated = statement.reported.sum(axis=0), statement.eliminated.sum(axis=0)
    return build_table(
        "consolidated_statement",
        {
            "period": key_texts([found.period] * len(order)),
            "line_id": key_texts([line.id for line in lines]),
            "position": np.array(order, np.int64) + 1,
            "nature": texts([NATURES[rules.nature[i]] for i in order]),
            "account": texts([line.account for line in lines]),
            "name_zh": texts([line.zh for line in lines]),
            "name_en": texts([line.en for line in lines]),
            "members": fen_column(members[order]),
            "eliminated": fen_column(eliminated[order]),
            "consolidated": fen_column((members + eliminated)[order]),
        },
    )


def member_statement(found: Consolidation) -> pa.Table:
    """out_member_statement."""
    rules, statement, unit_ids = found.rules, found.statement, found.tables.unit_ids
    order = sorted(range(len(rules.line_ids)), key=lambda i: rules.line_ids[i].encode())
    n = found.tables.n_units
    return build_table(
        "member_statement",
        {
            "period": key_texts([found.period] * (n * len(order))),
            "unit_id": key_texts([unit_ids[unit] for unit in range(n) for _ in order]),
            "line_id": key_texts([rules.line_ids[i] for _ in range(n) for i in order]),
            "reported": fen_column(statement.reported[:, order].reshape(-1)),
            "eliminated": fen_column(statement.eliminated[:, order].reshape(-1)),
            "consolidated": fen_column(statement.consolidated[:, order].reshape(-1)),
        },
    )


def _pair_labels(found: Consolidation, pair: int) -> tuple[str, str, str, str, str]:
    """Kind, the two members, reference and month of a pair."""
    pairs = found.pairs
    return (
        found.rules.kind_ids[pairs.kind[pair]],
        found.tables.unit_ids[pairs.claimant[pair]],
        found.tables.unit_ids[pairs.debtor[pair]],
        found.tables.references[pairs.reference[pair]],
        period_label(int(pairs.period[pair])),
    )


PAIR_COLUMNS = ("kind", "from_unit_id", "to_unit_id", "reference", "booked_in")
# A row of a table: texts, then fen.
Row = tuple[tuple[str, ...], tuple[int, ...]]


def _sorted(rows: Sequence[Row]) -> tuple[list[list[str]], list[list[int]]]:
    """Texts and fen of rows in the order of the texts' bytes, as columns."""
    ordered = sorted(rows, key=lambda row: tuple(part.encode() for part in row[0]))
    keys = [list(column) for column in zip(*(key for key, _ in ordered), strict=True)]
    numbers = [list(column) for column in zip(*(fen for _, fen in ordered), strict=True)]
    return keys, numbers


def _table(
    name: str,
    period: str,
    text: Sequence[str],
    numbers: Sequence[str],
    rows: Sequence[Row],
) -> pa.Table:
    """A table of rows in Python: text columns of the key, then columns of money."""
    keys, fen = _sorted(rows)
    columns: dict[str, Given] = {"period": key_texts([period] * len(rows))}
    for place, column in enumerate(text):
        columns[column] = key_texts(keys[place] if rows else [])
    for place, column in enumerate(numbers):
        columns[column] = fen_column(fen[place] if rows else [])
    return build_table(name, columns)


def elimination(found: Consolidation) -> pa.Table:
    """out_elimination."""
    of, unit_ids, line_ids = found.found, found.tables.unit_ids, found.rules.line_ids
    columns = (of.pair, of.entry, of.unit, of.line, of.amount)
    rows: list[Row] = [
        ((*_pair_labels(found, pair), ENTRIES[entry], unit_ids[unit], line_ids[line]), (fen,))
        for pair, entry, unit, line, fen in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]
    text = (*PAIR_COLUMNS, "entry", "unit_id", "line_id")
    return _table("elimination", found.period, text, ("amount",), rows)


def unrealised_profit(found: Consolidation) -> pa.Table:
    """out_unrealised_profit."""
    rows: list[Row] = [
        (
            _pair_labels(found, one.pair),
            (int(found.pairs.owed[one.pair]), one.profit, one.opening, one.closing),
        )
        for one in found.profits
    ]
    numbers = ("price", "profit", "opening", "closing")
    return _table("unrealised_profit", found.period, PAIR_COLUMNS, numbers, rows)


def unmatched(found: Consolidation) -> pa.Table:
    """out_unmatched."""
    tables, rules = found.tables, found.rules
    lines = _lines_of(found, {one.pair for one in found.unmatched})
    rows: list[Row] = []
    for one in found.unmatched:
        key = (
            REASONS[one.reason],
            rules.kind_ids[one.kind],
            tables.unit_ids[one.claimant],
            tables.unit_ids[one.debtor],
            tables.references[one.reference],
            period_label(one.booked_in),
        )
        other = "" if one.other_period == NONE else period_label(one.other_period)
        more = (lines.get((one.pair, CLAIM), ""), lines.get((one.pair, DEBT), ""), other)
        difference = one.claimed - one.owed
        rows.append(((*key, *more), (one.claimed, one.owed, difference, one.eliminated)))
    keys, fen = _sorted(rows)
    names = ("reason", *PAIR_COLUMNS, "from_lines", "to_lines", "other_period")
    columns: dict[str, Given] = {"period": key_texts([found.period] * len(rows))}
    for place, column in enumerate(names):
        values = keys[place] if rows else []
        columns[column] = texts(values) if column == "other_period" else key_texts(values)
    for place, column in enumerate(("claimed", "owed", "difference", "eliminated")):
        columns[column] = fen_column(fen[place] if rows else [])
    return build_table("unmatched", columns, all_rows=True)


def _lines_of(found: Consolidation, wanted: set[int]) -> dict[tuple[int, int], str]:
    """The lines on which each side of a pair booked, by pair and side, in the policy's order."""
    bookings, pairs = found.tables.bookings, found.pairs
    lines: dict[tuple[int, int], set[int]] = {}
    chosen = np.flatnonzero(np.isin(pairs.of_booking, list(wanted)))
    for row in chosen.tolist():
        key = (int(pairs.of_booking[row]), int(bookings.side[row]))
        lines.setdefault(key, set()).add(int(bookings.line[row]))
    return {
        key: " ".join(found.rules.line_ids[line] for line in sorted(of))
        for key, of in lines.items()
    }


def consortium_interest(found: Consolidation) -> pa.Table:
    """out_consortium_interest."""
    interests, unit_ids = found.interests, found.tables.unit_ids
    at = [
        (measure, unit)
        for measure in sorted(range(len(MEASURES)), key=lambda m: MEASURES[m])
        for unit in range(found.tables.n_units)
        if interests.is_known[unit, measure]
    ]
    shares = [interests.share[unit] for _, unit in at]
    reported, unrealised, minority = (
        fen_column([of[unit, measure] for measure, unit in at])
        for of in (interests.reported, interests.unrealised, interests.minority)
    )
    adjusted = reported + unrealised
    rounded = [divide_half_away(s.numerator * SHARE_STEPS, s.denominator) for s in shares]
    return build_table(
        "consortium_interest",
        {
            "period": key_texts([found.period] * len(at)),
            "measure": key_texts([MEASURES[measure] for measure, _ in at]),
            "unit_id": key_texts([unit_ids[unit] for _, unit in at]),
            "share": texts([str(share) for share in shares]),
            "share_rounded": np.array(rounded, np.int64),
            "reported": reported,
            "unrealised": unrealised,
            "adjusted": adjusted,
            "of_consortium": adjusted - minority,
            "of_minority": minority,
        },
        all_rows=True,
    )
