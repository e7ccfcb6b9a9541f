"""Consortia that hypothesis makes up: deals between members, some of them not booked alike."""

from __future__ import annotations

from hypothesis import strategies as st

from consortium.consolidation import twin
from consortium.consolidation.months import row

MEMBERS = ("A", "B", "C", "D")
MONTHS = ("2026-01", "2026-02")
PLENTY = 10**12


@st.composite
def consortia(draw):
    """Statements, business and stock of two months.

    Every line of every member holds plenty, so that no line can have less than is internal.
    """
    statements = [
        {"period": month, "unit_id": unit, "line_id": line, "amount": PLENTY + draw(FEW)}
        for month in MONTHS
        for unit in MEMBERS
        for line in twin.LINES
    ]
    intercompany, bought = [], {}
    for number in range(draw(st.integers(0, 8))):
        intercompany += _deal(draw, f"R{number}", bought)
    return statements, intercompany, _stock(draw, bought)


FEW = st.integers(0, 9)
MISTAKES = ("one", "near", "far", "late", "stranger", "two")


def _deal(draw, reference, bought):
    """Both sides of a deal, in which something may be wrong; goods are added to what was bought."""
    kind = draw(st.sampled_from(list(twin.KINDS)))
    claimant, debtor = draw(st.permutations(MEMBERS))[:2]
    month = draw(st.sampled_from(MONTHS))
    amount = draw(st.integers(1, 1000))
    claim = row(month, claimant, debtor, kind, "claim", amount, reference)
    debt = row(month, debtor, claimant, kind, "debt", amount, reference)
    if kind == "goods":
        claim |= _cost(draw, claimant, month, bought)
    how = draw(st.sampled_from(("alike",) * 6 + MISTAKES))
    if how == "near":
        debt["amount"] += draw(st.integers(-2, 2))
    elif how == "far":
        debt["amount"] += draw(st.integers(3, 500))
    elif how == "late":
        debt["period"] = MONTHS[1 - MONTHS.index(month)]
    elif how == "stranger":
        claim["partner_id"] = "Z"
    rows = [claim] if how == "one" else [claim, debt]
    if how == "two":
        rows = [claim, *_on_two_lines(draw, debt)]
    price = sum(one["amount"] for one in rows[1:])
    if kind == "goods" and how not in ("one", "late", "stranger") and price > 0:
        bought[month, kind, claimant, debtor, reference] = price
    return rows


def _on_two_lines(draw, debt):
    part = draw(st.integers(0, debt["amount"]))
    other = {"cost": "other_cost", "other_cost": "cost"}.get(debt["line_id"], debt["line_id"])
    rest = {**debt, "amount": debt["amount"] - part, "line_id": other}
    return [{**debt, "amount": part}, rest]


def _cost(draw, seller, month, bought):
    """What goods had cost their seller, who may have bought them from a member."""
    sources = [of for of, left in bought.items() if of[3] == seller and of[0] <= month and left]
    if not sources or draw(st.booleans()):
        return {"cost": draw(st.integers(0, 1200))}
    of = draw(st.sampled_from(sources))
    cost = draw(st.integers(1, bought[of]))
    bought[of] -= cost
    return {"cost": cost, "resold_from": of[4]}


def _stock(draw, bought):
    """What is left of every purchase at the end of each month, never more than the month before."""
    rows = []
    for (sold_in, kind, seller, holder, reference), left in bought.items():
        held = left
        for month in MONTHS[MONTHS.index(sold_in) :]:
            held = draw(st.integers(0, held))
            row_of = {"period": month, "unit_id": holder, "partner_id": seller, "kind": kind}
            row_of |= {"reference": reference, "sold_in": None if sold_in == month else sold_in}
            rows += [{**row_of, "amount": held}] if held else []
    return rows
