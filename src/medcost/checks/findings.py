"""Findings: one kind of fault in one column, counted; several merge into one fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import field

from medcost.errors import Fault, RowsAt, count_of, quote, worth
from medcost.records import dataclass

ROWS_KEPT = 1000

NOUNS = {
    "ledger": "ledger row",
    "drivers": "driver row",
    "service_lines": "service line",
    "cases": "case",
    "units": "unit",
    "departments": "department",
    "service_items": "service item",
    "item_weights": "item weight",
    "opening_work_in_progress": "opening row",
    "drg_groups": "DRG group",
    "drg_prices": "DRG price",
    "income": "income row",
    "statistics": "statistics row",
    "capacity": "capacity row",
    "budget": "budget row",
    "shared_services": "shared service",
    "shared_service_members": "service member",
    "capacity_steps": "capacity step",
    "coalition_costs": "coalition",
    "joint_examinations": "joint examination",
    "shared_processes": "process row",
    "process_outputs": "process output",
    "member_requirements": "requirement",
    "equipment": "device",
    "exam_demand": "demand row",
    "distances": "distance",
}

PREDICATES = {
    "value-missing": "have no {column}",
    "text-blank-ends": "have blanks at an end of {column}",
    "value-not-allowed": "have {a_column} that is not one of those allowed",
    "period-format": "have {a_column} that is not a month written YYYY-MM",
    "value-too-fine": "have {a_column} with more decimals than the column holds",
    "value-not-finite": "have {a_column} that is NaN or infinite",
    "value-out-of-range": "have {a_column} too large for the column",
    "value-negative": "have a negative {column}",
    "duplicate-key": "have a key ({column}) that another row has",
    "posting-id-twice": "have {a_column} that stands twice in its period and unit",
    "service-not-listed": "name a service that shared_services does not list for the month",
    "unit-not-listed": "name a unit that units does not list",
    "department-not-listed": "name a department that departments does not list",
    "department-not-open": "name a department that is not open in that month",
    "ordering-department-not-listed": "name an ordering department that departments does not list",
    "item-not-listed": "name an item that service_items does not list",
    "item-element-missing": "have basis direct and no {column}",
    "case-not-listed": "name a case that neither cases nor the opening work in progress lists for "
    "that unit and month",
    "group-not-listed": "name a DRG group that drg_groups does not list",
    "scheme-missing": "have a drg_id and no {column}, and drg_groups has several schemes",
    "direct-cost-missing": "have a direct item and no {column}",
    "device-type-without-site": "ask for a type of device that no device of the month is of",
    "line-not-in-policy": "name a line that the policy does not list",
    "kind-not-in-policy": "name a kind of business that the policy does not list",
    "kind-not-goods": "name a {column} that the policy does not treat as goods",
    "line-does-not-suit": "have {a_column} whose nature does not suit the row's side",
    "goods-cost-missing": "have goods of a claim and no {column}",
    "partner-is-itself": "have {a_column} that is the unit itself",
    "ownership-share": "have {column} that are not a part of of_parts",
    "stock-before-purchase": "have {a_column} after the row's own month",
    "budget-line-unmatched": "name a department and a DRG group together",
    "budget-standards-twice": "hold a volume or a standard beside another row of their key",
    "budget-standards-disagree": "have an {column} that is not volume x standard_quantity x "
    "standard_price",
    "fund-floor-above-ceiling": "have a {column} above the ceiling",
    "package-not-listed": "name a package that insurance_package does not list",
}

SINGULAR = {"have": "has", "name": "names", "hold": "holds", "ask": "asks"}


@dataclass(frozen=True)
class Finding:
    """Rows of one table with one kind of fault in one column.

    fen: what the rows are worth, None where the table has no money; labels: the labels at
    fault with their rows, empty where they could identify a patient; rows: where, as
    'ledger.parquet row 17', at most ROWS_KEPT.
    """

    code: str
    table: str
    column: str
    count: int
    fen: int | None
    labels: tuple[tuple[str, int], ...]
    rows: tuple[str, ...]
    at: tuple[RowsAt, ...] = field(default=(), compare=False)


def merge_findings(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for each code, table and column, in the order they first appear."""
    merged: dict[tuple[str, str, str], Finding] = {}
    for finding in findings:
        key = (finding.code, finding.table, finding.column)
        if key not in merged:
            merged[key] = finding
            continue
        first = merged[key]
        labels = Counter(dict(first.labels))
        labels.update(dict(finding.labels))
        fen = None if first.fen is None or finding.fen is None else first.fen + finding.fen
        merged[key] = Finding(
            *key,
            first.count + finding.count,
            fen,
            tuple(labels.items()),
            (first.rows + finding.rows)[:ROWS_KEPT],
            first.at + finding.at,
        )
    return list(merged.values())


def to_fault(finding: Finding) -> Fault:
    """The finding as a fault: a sentence with count and money, then labels or rows."""
    # '3 cash_plan rows': the tables of the consortium go by their names.
    noun = NOUNS.get(finding.table, f"{finding.table} row")
    article = "an" if finding.column[0] in "aeiou" else "a"
    predicate = PREDICATES[finding.code].format(
        column=finding.column, a_column=f"{article} {finding.column}"
    )
    if finding.count == 1:
        verb, rest = predicate.split(" ", 1)
        predicate = f"{SINGULAR[verb]} {rest}"
    what = f"{count_of(finding.count, noun)}{worth(finding.fen)} {predicate}."
    if finding.labels:
        shown = sorted(finding.labels, key=lambda label: (-label[1], label[0]))
        where = [f"{quote(label)} ({count_of(n, 'row')})" for label, n in shown]
        files = ", ".join(sorted({place.rsplit(" row ", 1)[0] for place in finding.rows})[:3])
        where[0] = f"{files}, {finding.column}: {where[0]}"
        return Fault(finding.code, what, tuple(where), finding.at, finding.column)
    return Fault(finding.code, what, finding.rows, finding.at, finding.column)


def faults_of(findings: Iterable[Finding]) -> list[Fault]:
    """Merge findings and turn them into faults."""
    return [to_fault(finding) for finding in merge_findings(findings)]
