"""The tables of a book as arrays: statements, business between members, stock and ownership."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medcost.book import TableRows, period_number, position_in
from medcost.checks.findings import Finding, faults_of
from medcost.checks.ownership import OwnershipRows, ownership_rows
from medcost.checks.rows import row_finding
from medcost.consortium.consolidation.eliminations import Stock
from medcost.consortium.consolidation.evidence import Evidence
from medcost.consortium.consolidation.pairs import CLAIM, NONE, SIDES, Bookings
from medcost.consortium.consolidation.policy import Rules
from medcost.consortium.inputs import ConsortiumInputs
from medcost.consortium.policy import LoadedPolicy
from medcost.errors import Fault, InputRejected, quote
from medcost.records import dataclass

TABLES = ("statements", "intercompany", "internal_stock", "ownership")
NEEDED = ("statements",)


@dataclass(frozen=True)
class Entries:
    """Rows of all statements, int64 [rows]: month, member, line, fen."""

    period: NDArray[np.int64]
    unit: NDArray[np.int64]
    line: NDArray[np.int64]
    amount: NDArray[np.int64]


@dataclass(frozen=True)
class Tables:
    """What is consolidated, of every month of the book.

    unit_ids: labels that units have in the arrays below: first the members that are consolidated,
    sorted, n_units of them, then partners that are not listed, sorted; in ownership, those that are
    left out, sorted, up to n_owners. references: labels by code,
    '' first. rows: of each booking its row in intercompany; stock_rows: of each stock its row.
    n_outside: rows of business with members that the policy leaves out; sources: the tables read;
    evidence: what published results say of deals, whose bookings have the rows -1, -2, ...
    """

    unit_ids: tuple[str, ...]
    n_units: int
    n_owners: int
    references: tuple[str, ...]
    entries: Entries
    bookings: Bookings
    rows: NDArray[np.int64]
    stock: Stock
    stock_rows: NDArray[np.int64]
    ownership: OwnershipRows
    n_outside: int
    evidence: tuple[Evidence, ...]
    sources: Mapping[str, TableRows]


def read_tables(
    inputs: ConsortiumInputs,
    policy: LoadedPolicy[Any],
    rules: Rules,
    evidence: Mapping[str, Sequence[Evidence]],
) -> Tables:
    """The tables as arrays, and what published results say by month.

    Raises InputRejected with all faults that only the policy shows.
    """
    members = inputs.members.unit_ids
    left_out = rules.policy.scope.leave_out
    unknown = [unit for unit in left_out if unit not in members]
    what = ""
    if unknown:
        what = f"scope.leave_out names {quote(unknown[0])}, which units does not list."
    elif set(members) <= set(left_out):
        what = "scope.leave_out names every member: nobody is left to be consolidated."
    if what:
        raise InputRejected([Fault("policy-value", what, (policy.place("scope.leave_out"),))])
    faults = faults_of(find_policy_faults(inputs.tables, rules))
    if faults:
        raise InputRejected(faults)
    units = tuple(unit for unit in members if unit not in left_out)
    return arrays_of(inputs.tables, rules, units, evidence)


def arrays_of(
    tables: Mapping[str, TableRows],
    rules: Rules,
    units: tuple[str, ...],
    evidence: Mapping[str, Sequence[Evidence]],
) -> Tables:
    """Tables without a fault as arrays, of the members that are consolidated."""
    return _Reader(tables, rules, units, evidence).read()


def _months(rows: TableRows, column: str) -> NDArray[np.int64]:
    """Months of a text column as numbers, NONE where it is empty."""
    numbers = [period_number(label) for label in rows.labels(column)]
    return np.array([*numbers, NONE], np.int64)[rows.codes(column)]


class _Reader:
    """One reading of the tables: labels that they share, then each table."""

    def __init__(
        self,
        tables: Mapping[str, TableRows],
        rules: Rules,
        units: tuple[str, ...],
        evidence: Mapping[str, Sequence[Evidence]],
    ) -> None:
        self.tables, self.rules, self.units = tables, rules, units
        left_out = rules.policy.scope.leave_out
        # Of members that are consolidated; what is evidence of others is external.
        self.evidence = [
            (period_number(month), one)
            for month in sorted(evidence)
            for one in evidence[month]
            if one.claimant in units and one.debtor in units
        ]
        partners: set[str] = set()
        references: set[str] = set()
        if "intercompany" in tables:
            rows = tables["intercompany"]
            partners.update(rows.labels("partner_id"))
            references.update(rows.labels("reference"), rows.labels("resold_from"))
        if "internal_stock" in tables:
            rows = tables["internal_stock"]
            partners.update(rows.labels("partner_id"))
            references.update(rows.labels("reference"))
        by_bytes = str.encode
        references.update(one.reference for _, one in self.evidence)
        self.unit_ids = (*units, *sorted(partners - {*units, *left_out}, key=by_bytes))
        self.references = ("", *sorted(references - {""}, key=by_bytes))

    def read(self) -> Tables:
        """Every table as arrays."""
        bookings, rows, n_outside = self._bookings()
        bookings, rows = self._with_evidence(bookings, rows)
        stock, stock_rows = self._stock()
        return Tables(
            self.unit_ids,
            len(self.units),
            len(self.units) + len(self.rules.policy.scope.leave_out),
            self.references,
            self._entries(),
            bookings,
            rows,
            stock,
            stock_rows,
            self._ownership(),
            n_outside,
            tuple(one for _, one in self.evidence),
            self.tables,
        )

    def _entries(self) -> Entries:
        rows = self.tables["statements"]
        unit = position_in(rows, "unit_id", self.units)
        kept = np.flatnonzero(unit >= 0)
        return Entries(
            _months(rows, "period")[kept],
            unit[kept],
            position_in(rows, "line_id", self.rules.line_ids)[kept],
            rows.values("amount")[kept],
        )

    def _reference(self, rows: TableRows, column: str) -> NDArray[np.int64]:
        """Code of each row's reference, 0 where it has none."""
        return np.maximum(position_in(rows, column, self.references), 0)

    def _bookings(self) -> tuple[Bookings, NDArray[np.int64], int]:
        none = np.empty(0, np.int64)
        if "intercompany" not in self.tables:
            return Bookings(*[none] * 11), none, 0
        rows = self.tables["intercompany"]
        unit = position_in(rows, "unit_id", self.units)
        partner = position_in(rows, "partner_id", self.unit_ids)
        kept = np.flatnonzero((unit >= 0) & (partner >= 0))
        kind = position_in(rows, "kind", self.rules.kind_ids)[kept]
        side = position_in(rows, "side", SIDES)[kept]
        unit, partner = unit[kept], partner[kept]
        line = position_in(rows, "line_id", self.rules.line_ids)[kept]
        line = np.where(line == NONE, self.rules.default_lines[kind, side], line)
        is_sale = self.rules.is_goods[kind] & (side == CLAIM)
        cost_line = position_in(rows, "cost_line_id", self.rules.line_ids)[kept]
        cost_line = np.where(cost_line == NONE, self.rules.default_cost_line[kind], cost_line)
        source = self._reference(rows, "resold_from")[kept]
        bookings = Bookings(
            _months(rows, "period")[kept],
            kind,
            np.where(side == CLAIM, unit, partner),
            np.where(side == CLAIM, partner, unit),
            self._reference(rows, "reference")[kept],
            side,
            line,
            rows.values("amount")[kept],
            np.where(is_sale, rows.values("cost")[kept], 0),
            np.where(is_sale, cost_line, NONE),
            np.where(is_sale & (source > 0), source, NONE),
        )
        return bookings, kept, rows.n - len(kept)

    def _with_evidence(
        self, bookings: Bookings, rows: NDArray[np.int64]
    ) -> tuple[Bookings, NDArray[np.int64]]:
        """Add what published results say of sides that booked nothing themselves."""
        keys = ("period", "kind", "claimant", "debtor", "reference", "side")
        booked = set(zip(*(getattr(bookings, key).tolist() for key in keys), strict=True))
        found = []
        for place, (month, one) in enumerate(self.evidence):
            kind, side = self.rules.kind_ids.index(one.kind), SIDES.index(one.side)
            claimant, debtor = self.units.index(one.claimant), self.units.index(one.debtor)
            key = (month, kind, claimant, debtor, self.references.index(one.reference), side)
            if key not in booked:
                line = int(self.rules.default_lines[kind, side])
                found.append((*key, line, one.fen, 0, NONE, NONE, -1 - place))
        if not found:
            return bookings, rows
        added = np.array(found, np.int64).T
        columns = [getattr(bookings, one.name) for one in fields(Bookings)]
        joined = [np.concatenate(pair) for pair in zip((*columns, rows), added, strict=True)]
        return Bookings(*joined[:-1]), joined[-1]

    def _stock(self) -> tuple[Stock, NDArray[np.int64]]:
        none = np.empty(0, np.int64)
        if "internal_stock" not in self.tables:
            return Stock(*[none] * 7), none
        rows = self.tables["internal_stock"]
        holder = position_in(rows, "unit_id", self.units)
        seller = position_in(rows, "partner_id", self.unit_ids)
        kept = np.flatnonzero((holder >= 0) & (seller >= 0))
        period, sold_in = _months(rows, "period")[kept], _months(rows, "sold_in")[kept]
        stock = Stock(
            period,
            position_in(rows, "kind", self.rules.kind_ids)[kept],
            seller[kept],
            holder[kept],
            self._reference(rows, "reference")[kept],
            np.where(sold_in == NONE, period, sold_in),
            rows.values("amount")[kept],
        )
        return stock, kept

    def _ownership(self) -> OwnershipRows:
        if "ownership" not in self.tables:
            return OwnershipRows(())
        left_out = tuple(sorted(self.rules.policy.scope.leave_out, key=str.encode))
        return ownership_rows(self.tables["ownership"], (*self.units, *left_out))


def find_policy_faults(tables: Mapping[str, TableRows], rules: Rules) -> list[Finding]:
    """Lines and kinds that the policy does not have, or that do not suit a row."""
    found: list[Finding | None] = []

    def unlisted(table: str, column: str, known: tuple[str, ...], code: str) -> None:
        rows = tables[table]
        absent = (position_in(rows, column, known) < 0) & (rows.codes(column) >= 0)
        found.append(row_finding(rows, code, column, absent))

    unlisted("statements", "line_id", rules.line_ids, "line-not-in-policy")
    if "intercompany" in tables:
        for column in ("line_id", "cost_line_id"):
            unlisted("intercompany", column, rules.line_ids, "line-not-in-policy")
        unlisted("intercompany", "kind", rules.kind_ids, "kind-not-in-policy")
        found += _unsuitable(tables["intercompany"], rules)
    if "internal_stock" in tables:
        unlisted("internal_stock", "kind", rules.kind_ids, "kind-not-in-policy")
        rows = tables["internal_stock"]
        kind = position_in(rows, "kind", rules.kind_ids)
        other = (kind >= 0) & ~np.append(rules.is_goods, True)[kind]
        found.append(row_finding(rows, "kind-not-goods", "kind", other))
    return [finding for finding in found if finding is not None]


def _unsuitable(rows: TableRows, rules: Rules) -> list[Finding | None]:
    """Bookings on a line of another nature than their side's, and sales of unknown cost."""
    kind = position_in(rows, "kind", rules.kind_ids)
    side = position_in(rows, "side", SIDES)
    line = position_in(rows, "line_id", rules.line_ids)
    cost_line = position_in(rows, "cost_line_id", rules.line_ids)
    shape = (len(rules.kind_ids), len(SIDES), len(rules.line_ids))
    suits = np.array(
        [[[rules.suits(k, s, i) for i in range(shape[2])] for s in (0, 1)] for k in range(shape[0])]
    ).reshape(shape)
    placed = (kind >= 0) & (side >= 0) & (line >= 0)
    wrong = placed & ~suits[kind, side, line]
    is_sale = (kind >= 0) & np.append(rules.is_goods, False)[kind] & (side == CLAIM)
    of_cost = is_sale & (cost_line >= 0) & ~suits[kind, 1, cost_line]
    return [
        row_finding(rows, "line-does-not-suit", "line_id", wrong),
        row_finding(rows, "line-does-not-suit", "cost_line_id", of_cost),
        row_finding(rows, "goods-cost-missing", "cost", is_sale & ~rows.present("cost")),
    ]
