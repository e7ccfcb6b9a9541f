"""Months of a small consortium from rows: the engine's tables, without any file."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa

from consortium.consolidation import twin
from medcost.book import TableRows
from medcost.consortium.consolidation.inputs import arrays_of
from medcost.consortium.consolidation.month import consolidate_month
from medcost.consortium.consolidation.policy import (
    ConsolidationPolicy,
    Kind,
    Line,
    Matching,
    OwnershipRule,
    Rules,
    Scope,
)
from medcost.consortium.consolidation.tables import result_tables
from medcost.parquet_input import decode_number, encode_text, join_numbers
from medcost.policy_file import Header
from medcost.tables import load_table

HEADER = Header(id="t", title="t", authority="t", effective_from=dt.date(2026, 1, 1))


def rules_of(tolerance=0, unmatched="report", leave_out=(), unowned="whole"):
    """The twin's lines and kinds as a policy; tolerance in fen."""
    lines = [Line(id=line, zh=line, en=line, nature=nature) for line, nature in twin.LINES.items()]
    kinds = [
        Kind(
            id=kind,
            zh=kind,
            en=kind,
            treatment=treatment,
            claim=claim,
            debt=debt,
            **(
                {"cost": "cost", "stock": "stores", "opening": "surplus_before"}
                if treatment == "goods"
                else {}
            ),
        )
        for kind, (treatment, claim, debt) in twin.KINDS.items()
    ]
    return Rules(
        ConsolidationPolicy(
            policy=HEADER,
            matching=Matching(tolerance=tolerance / 100, unmatched=unmatched),
            scope=Scope(leave_out=list(leave_out)),
            ownership=OwnershipRule(unowned=unowned),
            line=lines,
            kind=kinds,
        )
    )


def table_rows(name, rows):
    """Rows as a book's table; amounts are fen."""
    table = load_table(name)
    text, numbers = {}, {}
    for column in table.columns:
        values = [row.get(column.name) for row in rows]
        if column.type == "string":
            text[column.name] = encode_text([pa.array([v or None for v in values], pa.string())])
        else:
            scale = column.scale or 0
            given = [None if v is None else Decimal(v).scaleb(-scale) for v in values]
            chunk = pa.array(given, pa.decimal128(18, scale))
            numbers[column.name] = join_numbers([decode_number(chunk, column)])
    return TableRows(table, (f"{name}.parquet",), np.array([0, len(rows)], np.int64), text, numbers)


def tables_of(members, rules, evidence=None, **given):
    """The engine's tables of one or several months, from rows by table."""
    read = {name: table_rows(name, rows) for name, rows in given.items() if rows}
    units = tuple(unit for unit in members if unit not in rules.policy.scope.leave_out)
    return arrays_of(read, rules, units, evidence or {})


def consolidated(members, month, rules=None, **given):
    """A month consolidated from rows by table."""
    rules = rules or rules_of()
    return consolidate_month(tables_of(members, rules, **given), rules, month)


def lines_of(found):
    """members, eliminated and consolidated of each line, fen."""
    table = result_tables(found)["consolidated_statement"].to_pylist()
    names = ("members", "eliminated", "consolidated")
    return {row["line_id"]: tuple(int(row[name] * 100) for name in names) for row in table}


def row(period, unit, partner, kind, side, amount, reference="", **more):
    """A row of intercompany, the line by the twin's kinds."""
    line = twin.KINDS[kind][1 if side == "claim" else 2]
    return {
        "period": period,
        "unit_id": unit,
        "partner_id": partner,
        "kind": kind,
        "side": side,
        "reference": reference,
        "line_id": line,
        "amount": amount,
        **more,
    }
