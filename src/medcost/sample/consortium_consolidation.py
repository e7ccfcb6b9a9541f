"""Members' statements, and what they did with each other: services, drugs, loans, interest, grants.

The lead reads images and sells drugs to townships, and lends to every third of them; townships
sell some of the drugs on, to their villages or to the next township. As in real books, a few things
are not booked alike on both sides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from medcost.sample.files import AMOUNT, decimals, texts
from medcost.sample.streams import Ints, Month, Topic, stream

if TYPE_CHECKING:
    from medcost.sample.consortium import Members

YUAN = 100
PARTS = pa.decimal128(9, 0)
# What a member of each kind takes in from outside in a month, in yuan.
OUTSIDE = {"lead": 3_300_000, "township": 270_000, "village": 8_000}
COST_SHARES = {"business_cost": 0.74, "administrative_cost": 0.14, "other_cost": 0.01}
LINES = {
    "services": ("business_income", "business_cost"),
    "goods": ("business_income", "stores"),
    "interest": ("interest_income", "other_cost"),
    "grants": ("superior_grants", "grants_to_affiliates"),
    "loan": ("other_receivables", "other_payables"),
    "account": ("accounts_receivable", "accounts_payable"),
}
LEAD = 0
STRANGER = "X01"


@dataclass(frozen=True)
class _Deal:
    """What one member did for another, fen; cost and source of sold goods."""

    kind: str
    claimant: int
    debtor: int
    fen: int
    reference: str
    cost: int | None = None
    source: str = ""


@dataclass(frozen=True)
class _Batch:
    """Bought drugs that are in stock at a month's end, fen."""

    holder: int
    seller: int
    reference: str
    sold_in: str
    fen: int


@dataclass
class _Books:
    """What the members have booked: lines by month, member and name, fen, rows of business, stock.

    amounts: of each row of business its amount and the cost of what was sold.
    """

    unit_ids: Sequence[str]
    lines: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    rows: list[dict[str, str]] = field(default_factory=list)
    amounts: list[tuple[int, int | None]] = field(default_factory=list)
    stock: list[tuple[str, _Batch]] = field(default_factory=list)

    def book(self, period: str, deal: _Deal, side: str, fen: int, partner: str = "") -> None:
        """One side of a deal, in its row of business and in its statement."""
        is_claim = side == "claim"
        unit, other = deal.claimant, deal.debtor
        if not is_claim:
            unit, other = other, unit
        self.lines[period, unit, LINES[deal.kind][0 if is_claim else 1]] += fen
        if is_claim and deal.cost:
            self.lines[period, unit, "business_cost"] += deal.cost
            if deal.source:
                self.lines[period, unit, "stores"] -= deal.cost
        self.rows.append(
            {
                "period": period,
                "unit_id": self.unit_ids[unit],
                "partner_id": partner or self.unit_ids[other],
                "kind": deal.kind,
                "side": side,
                "reference": deal.reference,
                "resold_from": deal.source if is_claim else "",
            }
        )
        self.amounts.append((fen, deal.cost if is_claim else None))

    def use(self, period: str, unit: int, fen: int) -> None:
        """Drugs taken from the stores."""
        self.lines[period, unit, "stores"] -= fen
        self.lines[period, unit, "business_cost"] += fen


def consolidation_tables(members: Members) -> dict[str, pa.Table]:
    """statements, intercompany, internal_stock and ownership of a consortium."""
    unit_ids, kinds, months = members.unit_ids, members.kinds, members.months
    books = _Books(unit_ids)
    townships = [i for i, kind in enumerate(kinds) if kind != "village" and i != LEAD]
    villages = [i for i, kind in enumerate(kinds) if kind == "village"]
    held: list[_Batch] = []
    for month in months:
        rng = stream(members.seed, Topic.CONSOLIDATION, month.index)
        _book_outside(books, kinds, month, rng)
        for batch in held:
            # Last month's stock stands in this month's opening, and is used but for a tenth.
            books.lines[month.period, batch.holder, "stores"] += batch.fen
            books.use(month.period, batch.holder, batch.fen - batch.fen // 10)
        held = [_left(batch) for batch in held if batch.fen // 10]
        deals = _services_and_loans(month, townships, rng)
        sales, bought = _drugs(month, townships, villages, rng)
        for batch, used in bought:
            books.use(month.period, batch.holder, used)
        held += [batch for batch, _ in bought if batch.fen]
        _book_deals(books, [*deals, *sales], month, months)
        books.stock += [(month.period, batch) for batch in held]
    return {
        "statements": _statements(books),
        "intercompany": _intercompany(books),
        "internal_stock": _internal_stock(books),
        "ownership": _ownership(unit_ids, townships, villages, months[0]),
    }


def _left(batch: _Batch) -> _Batch:
    fen = batch.fen // 10
    return _Batch(batch.holder, batch.seller, batch.reference, batch.sold_in, fen)


def _book_outside(
    books: _Books, kinds: Sequence[str], month: Month, rng: np.random.Generator
) -> None:
    """Income from patients and the treasury, cost, and what stands in the balance."""
    for unit, kind in enumerate(kinds):
        size = round(OUTSIDE.get(kind, OUTSIDE["township"]) * rng.uniform(0.7, 1.3)) * YUAN
        of_fiscal = 0.12 if kind == "lead" else 0.3
        lines = {
            "fiscal_income": round(size * of_fiscal),
            "business_income": size - round(size * of_fiscal),
            "accounts_receivable": round(size * 0.4),
            "accounts_payable": round(size * 0.3),
            "stores": round(size * 0.2),
            "accumulated_surplus": round(size * 1.4),
        }
        lines |= {line: round(size * share) for line, share in COST_SHARES.items()}
        for line, fen in lines.items():
            books.lines[month.period, unit, line] += fen


def _services_and_loans(
    month: Month, townships: Sequence[int], rng: np.random.Generator
) -> list[_Deal]:
    """Images read by the lead, half of them unpaid at the month's end; loans, interest, grants."""
    deals = []
    for place, unit in enumerate(townships):
        name = f"{month.short}-{place + 1:02d}"
        fee = int(rng.integers(6_000, 14_000)) * YUAN
        deals.append(_Deal("services", LEAD, unit, fee, f"TI-{name}"))
        deals.append(_Deal("account", LEAD, unit, fee // 2, f"AR-{name}"))
        grant = int(rng.integers(4, 9)) * 100 * YUAN
        deals.append(_Deal("grants", unit, LEAD, grant, f"GR-{name}"))
        if place % 3 == 1:
            loan = int(rng.integers(3, 8)) * 10_000 * YUAN
            deals.append(_Deal("loan", LEAD, unit, loan, f"LN-{place + 1:02d}"))
            interest = round(loan * 0.026 * month.days / 360)
            deals.append(_Deal("interest", LEAD, unit, interest, f"IN-{name}"))
    return deals


def _drugs(
    month: Month, townships: Sequence[int], villages: Sequence[int], rng: np.random.Generator
) -> tuple[list[_Deal], list[tuple[_Batch, int]]]:
    """Sales, and of each purchase what is in stock at the month's end and what was used."""
    sales, bought = [], []
    for place, unit in enumerate(townships):
        name = f"DG-{month.short}-{place + 1:02d}"
        price = int(rng.integers(8_000, 20_000)) * YUAN + 37
        sales.append(_Deal("goods", LEAD, unit, price, name, round(price * 0.92)))
        buyers = list(villages[place :: len(townships)])
        if not villages and place % 2 == 0 and place + 1 < len(townships):
            buyers = [townships[place + 1]]
        left = price
        for number, buyer in enumerate(buyers):
            cost = price // (4 if not villages else 5 * len(buyers))
            onward = round(cost * 1.05)
            of = f"DV-{month.short}-{place + 1:02d}-{number + 1:02d}"
            sales.append(_Deal("goods", unit, buyer, onward, of, cost, name))
            stock = round(onward * rng.uniform(0.2, 0.6))
            bought.append((_Batch(buyer, unit, of, month.period, stock), onward - stock))
            left -= cost
        stock = round(left * rng.uniform(0.1, 0.5))
        bought.append((_Batch(unit, LEAD, name, month.period, stock), left - stock))
    return sales, bought


def _book_deals(
    books: _Books, deals: Sequence[_Deal], month: Month, months: Sequence[Month]
) -> None:
    """Both sides of every deal, but for one of each kind of mistake in a month."""
    following = months[month.index + 1].period if month.index + 1 < len(months) else None
    seen: Counter[str] = Counter()
    for deal in deals:
        seen[deal.kind] += 1
        # The first of its kind in the month is where something may go wrong.
        kind = deal.kind if seen[deal.kind] == 1 else ""
        books.book(month.period, deal, "claim", deal.fen)
        if kind == "services":
            books.book(month.period, deal, "debt", deal.fen - 100 * YUAN)
        elif kind == "interest" and following:
            books.book(following, deal, "debt", deal.fen)
        elif kind != "grants":
            books.book(month.period, deal, "debt", deal.fen)
    stranger = _Deal("services", LEAD, LEAD, 860 * YUAN, f"TI-{month.short}-X")
    books.book(month.period, stranger, "claim", stranger.fen, STRANGER)


def _fen(values: Sequence[int | None]) -> pa.Array:
    filled: Ints = np.array([value or 0 for value in values], np.int64)
    return decimals(filled, AMOUNT, np.array([value is None for value in values], np.bool_))


def _statements(books: _Books) -> pa.Table:
    rows = sorted((period, unit, line) for (period, unit, line), fen in books.lines.items() if fen)
    return pa.table(
        {
            "period": texts([period for period, _, _ in rows]),
            "unit_id": texts([books.unit_ids[unit] for _, unit, _ in rows]),
            "line_id": texts([line for _, _, line in rows]),
            "amount": _fen([books.lines[row] for row in rows]),
        }
    )


def _intercompany(books: _Books) -> pa.Table:
    names = ("period", "unit_id", "partner_id", "kind", "side", "reference", "resold_from")
    columns = {name: texts([row[name] for row in books.rows]) for name in names}
    columns["amount"] = _fen([fen for fen, _ in books.amounts])
    columns["cost"] = _fen([cost for _, cost in books.amounts])
    return pa.table(columns)


def _internal_stock(books: _Books) -> pa.Table:
    return pa.table(
        {
            "period": texts([period for period, _ in books.stock]),
            "unit_id": texts([books.unit_ids[batch.holder] for _, batch in books.stock]),
            "partner_id": texts([books.unit_ids[batch.seller] for _, batch in books.stock]),
            "kind": texts(["goods"] * len(books.stock)),
            "reference": texts([batch.reference for _, batch in books.stock]),
            "sold_in": texts(
                ["" if batch.sold_in == period else batch.sold_in for period, batch in books.stock]
            ),
            "amount": _fen([batch.fen for _, batch in books.stock]),
        }
    )


def _ownership(
    unit_ids: Sequence[str], townships: Sequence[int], villages: Sequence[int], first: Month
) -> pa.Table:
    """The lead holds half of two townships, the second also through the first; villages."""
    rows = []
    if townships:
        rows.append((LEAD, townships[0], 51, 100))
    if len(townships) > 1:
        rows += [(LEAD, townships[1], 1, 2), (townships[0], townships[1], 2, 5)]
    for place, unit in enumerate(villages):
        parts = (2, 3) if place % 5 == 0 else (1, 1)
        rows.append((townships[place % len(townships)], unit, *parts))
    return pa.table(
        {
            "period": texts([f"{first.period[:4]}-01"] * len(rows)),
            "unit_id": texts([unit_ids[owner] for owner, _, _, _ in rows]),
            "owned_id": texts([unit_ids[owned] for _, owned, _, _ in rows]),
            "parts": decimals(np.array([parts for _, _, parts, _ in rows], np.int64), PARTS),
            "of_parts": decimals(np.array([whole for *_, whole in rows], np.int64), PARTS),
        }
    )
