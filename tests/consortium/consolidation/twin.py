"""Consolidation once more, slow and obvious: dictionaries, whole fen, parts as Fractions.

Nothing here is imported from the engine. A row of intercompany is one entry; rows of one month,
kind, claimant, debtor and reference are a deal.
"""

from __future__ import annotations

from fractions import Fraction

# Lines by id: nature. Kinds by id: treatment and lines.
LINES = {
    "income": "income",
    "interest_income": "income",
    "cost": "cost",
    "other_cost": "cost",
    "loans": "asset",
    "stores": "asset",
    "debts": "liability",
    "surplus_before": "net_assets",
}
KINDS = {
    "services": ("result", "income", "cost"),
    "interest": ("result", "interest_income", "other_cost"),
    "loan": ("balance", "loans", "debts"),
    "goods": ("goods", "income", "cost"),
}
MONTHS = [f"2025-{m:02d}" for m in range(1, 13)] + [f"2026-{m:02d}" for m in range(1, 13)]


def month_before(month):
    return MONTHS[MONTHS.index(month) - 1]


def split(amount, parts):
    """An amount by exact parts that add up to 1, in fen, keys in order (rule 2)."""
    exact = {key: amount * parts[key] for key in sorted(parts)}
    cut = {key: int(part) for key, part in exact.items()}
    missing = amount - sum(cut.values())
    step = 1 if missing > 0 else -1
    by_piece = sorted(exact, key=lambda key: (-step * (exact[key] - cut[key]), key))
    for key in by_piece[: abs(missing)]:
        cut[key] += step
    return cut


def deals_of(intercompany, members, tolerance):
    """Every deal with both sides, whether it is eliminated, and why not."""
    deals = {}
    for row in intercompany:
        claimant, debtor = row["unit_id"], row["partner_id"]
        if row["side"] == "debt":
            claimant, debtor = debtor, claimant
        key = (row["period"], row["kind"], claimant, debtor, row.get("reference") or "")
        deals.setdefault(key, {"claim": [], "debt": []})[row["side"]].append(row)
    for key, deal in deals.items():
        claimed = sum(row["amount"] for row in deal["claim"])
        owed = sum(row["amount"] for row in deal["debt"])
        deal["claimed"], deal["owed"], deal["reason"] = claimed, owed, "matched"
        both = bool(deal["claim"]) and bool(deal["debt"])
        known = key[2] in members and key[3] in members
        deal["eliminated"] = both and known and abs(claimed - owed) <= tolerance
        deal["agreed"] = min((claimed, owed), key=abs) if claimed * owed > 0 else 0
        if not known:
            deal["reason"] = "unknown_partner"
        elif not both:
            deal["reason"] = "one_side"
        elif claimed != owed:
            deal["reason"] = "amounts_differ"
    for key, deal in deals.items():
        if deal["reason"] == "one_side" and KINDS[key[1]][0] != "balance" and key[4]:
            for other, of in deals.items():
                if (
                    other[1:] == key[1:]
                    and of["reason"] in ("one_side", "other_period")
                    and bool(of["claim"]) != bool(deal["claim"])
                    and of["claimed"] + of["owed"] == deal["claimed"] + deal["owed"]
                ):
                    deal["reason"] = "other_period"
    return deals


def is_goods(key):
    return KINDS[key[1]][0] == "goods"


def sources_of(deals):
    """(purchase, sale) -> fen: which deal's goods were sold on in which deal."""
    found = {}
    for key, deal in deals.items():
        for row in deal["claim"]:
            if is_goods(key) and row.get("resold_from"):
                bought = [
                    one
                    for one in deals
                    if is_goods(one)
                    and one[3] == key[2]
                    and one[4] == row["resold_from"]
                    and one[0] <= key[0]
                ]
                for one in bought:
                    found[one, key] = found.get((one, key), 0) + row["cost"]
    return found


def whereabouts(key, deals, sources, stock, month):
    """The parts of a deal's goods by (stock or used, member, line), at the end of a month."""
    deal = deals[key]
    buyer = key[3]
    if deal["owed"] == 0:
        first = min(list(LINES).index(row["line_id"]) for row in deal["debt"])
        return {("1 used", buyer, list(LINES)[first]): Fraction(1)}
    price = deal["owed"]
    parts = {}
    held = stock.get((month, buyer, key[2], key[1], key[4], key[0]), 0)
    left = price - held
    parts["0 stock", buyer, "stores"] = Fraction(held, price)
    for (bought, sold), fen in sources.items():
        if bought == key and deals[sold]["eliminated"] and sold[0] <= month:
            left -= fen
            for place, part in whereabouts(sold, deals, sources, stock, month).items():
                parts[place] = parts.get(place, 0) + part * Fraction(fen, price)
    for row in deal["debt"]:
        place = ("1 used", buyer, row["line_id"])
        parts[place] = parts.get(place, 0) + Fraction(left, price) * Fraction(row["amount"], price)
    return parts


def profits_at(deals, sources, stock, month):
    """Of every eliminated sale until a month: its profit by place."""
    found = {}
    for key, deal in deals.items():
        if is_goods(key) and deal["eliminated"] and key[0] <= month:
            profit = deal["agreed"] - sum(row["cost"] for row in deal["claim"])
            parts = whereabouts(key, deals, sources, stock, month)
            ordered = {(p[0], p[1], list(LINES).index(p[2])): part for p, part in parts.items()}
            found[key] = {
                (p[0], p[1], list(LINES)[p[2]]): fen
                for p, fen in split(profit, ordered).items()
                if fen
            }
    return found


class Taken:
    """What is taken out, by member and line, and entry by entry."""

    def __init__(self):
        self.lines, self.entries = {}, {}

    def take(self, key, what, unit, line, fen):
        if fen:
            self.lines[unit, line] = self.lines.get((unit, line), 0) - fen
            entry = (key, what, unit, line)
            self.entries[entry] = self.entries.get(entry, 0) - fen


def take_deals(taken, deals, month):
    """Both sides of the month's deals that agree; of goods the price and what they had cost."""
    for key, deal in deals.items():
        if key[0] != month or not deal["eliminated"]:
            continue
        sides = [("claim", key[2], "claimed")]
        if not is_goods(key):
            sides.append(("debt", key[3], "owed"))
        for side, unit, total in sides:
            by_line = {}
            for row in deal[side]:
                line = list(LINES).index(row["line_id"])
                by_line[line] = by_line.get(line, 0) + row["amount"]
            parts, whole = by_line, deal[total]
            if deal["agreed"] != whole:
                parts = {line: Fraction(fen, whole) for line, fen in by_line.items()}
                parts = split(deal["agreed"], parts)
            for line, fen in parts.items():
                taken.take(key, side, unit, list(LINES)[line], fen)
        if is_goods(key):
            for row in deal["claim"]:
                taken.take(key, "cost_of_sale", key[2], "cost", row["cost"])


def take_profits(taken, now, before):
    """Profit in goods used and in stock; (before, after) of the profit in stock, by deal."""
    in_stock = {}
    for key, places in now.items():
        earlier = before.get(key, {})
        for place in {*places, *earlier}:
            state, unit, line = place
            fen, was = places.get(place, 0), earlier.get(place, 0)
            if state == "0 stock":
                taken.take(key, "unrealised", unit, line, fen)
                taken.take(key, "opening", key[2], "surplus_before", was)
            else:
                taken.take(key, "realised", unit, line, fen - was)
        in_stock[key] = tuple(
            sum(fen for place, fen in of.items() if place[0] == "0 stock")
            for of in (earlier, places)
        )
    return in_stock


def consolidate(statements, intercompany, internal_stock, members, month, tolerance=0):
    """Lines as reported, what is taken out of them, the entries, deals and profit in stock."""
    reported, stock = {}, {}
    for row in statements:
        if row["period"] == month:
            at = row["unit_id"], row["line_id"]
            reported[at] = reported.get(at, 0) + row["amount"]
    for row in internal_stock:
        sold_in = row.get("sold_in") or row["period"]
        of = (row["period"], row["unit_id"], row["partner_id"], row["kind"])
        stock[(*of, row.get("reference") or "", sold_in)] = row["amount"]
    deals = deals_of(intercompany, members, tolerance)
    taken = Taken()
    take_deals(taken, deals, month)
    sources = sources_of(deals)
    now = profits_at(deals, sources, stock, month)
    before = profits_at(deals, sources, stock, month_before(month))
    in_stock = take_profits(taken, now, before)
    return reported, taken.lines, taken.entries, deals, in_stock
