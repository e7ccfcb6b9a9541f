"""Months small enough for a pencil: X10, resale, opening stock, ownership, what does not match."""

from __future__ import annotations

from contextlib import contextmanager
from fractions import Fraction

import pytest

from consortium.consolidation.months import consolidated, lines_of, row, rules_of, tables_of
from medcost.checks.ownership import Holdings, find_impossible
from medcost.consortium.consolidation.month import consolidate_month
from medcost.consortium.consolidation.ownership import consortium_shares
from medcost.consortium.consolidation.pairs import REASONS
from medcost.consortium.consolidation.policy import Rules, load_consolidation
from medcost.consortium.consolidation.tables import result_tables
from medcost.errors import InputRejected

JANUARY, FEBRUARY = "2026-01", "2026-02"


def entry(unit, line, yuan, period=JANUARY):
    return {"period": period, "unit_id": unit, "line_id": line, "amount": yuan * 100}


def deal(kind, claimant, debtor, yuan, reference="", period=JANUARY, **more):
    """Both sides of one deal, booked alike; cost in yuan."""
    of_claim = {"cost": more.pop("cost") * 100} if "cost" in more else {}
    return [
        row(period, claimant, debtor, kind, "claim", yuan * 100, reference, **of_claim, **more),
        row(period, debtor, claimant, kind, "debt", yuan * 100, reference),
    ]


def stock(holder, seller, yuan, reference="", period=JANUARY, sold_in=None):
    return {
        "period": period,
        "unit_id": holder,
        "partner_id": seller,
        "kind": "goods",
        "reference": reference,
        "sold_in": sold_in,
        "amount": yuan * 100,
    }


def yuan_of(found, line):
    return tuple(fen / 100 for fen in lines_of(found).get(line, (0, 0, 0)))


@contextmanager
def refused(code):
    """Expect InputRejected with one kind of fault; its faults are added to the list given."""
    faults = []
    with pytest.raises(InputRejected) as caught:
        yield faults
    faults += caught.value.faults
    assert {fault.code for fault in faults} == {code}


X10_STATEMENTS = [
    # A: 940 outside, 60 tele-imaging to B, 40 drugs to C; 10 pool interest of B.
    entry("A", "business_income", 940 + 60 + 40),
    entry("A", "interest_income", 10),
    entry("A", "business_cost", 850),
    entry("A", "other_receivables", 500),
    entry("B", "business_income", 200),
    entry("B", "business_cost", 120 + 60),
    entry("B", "other_cost", 10),
    entry("B", "other_payables", 500),
    entry("C", "business_income", 150),
    entry("C", "business_cost", 120 + 20),
    entry("C", "stores", 20),
]
X10_BUSINESS = [
    {**one, "line_id": None}
    for one in [
        *deal("services", "A", "B", 60),
        *deal("interest", "A", "B", 10),
        *deal("loan", "A", "B", 500),
        *deal("goods", "A", "C", 40, cost=36),
    ]
]
X10_STOCK = [stock("C", "A", 20)]


def x10(**more):
    rules = Rules(load_consolidation().rules)
    given = {
        "statements": X10_STATEMENTS,
        "intercompany": X10_BUSINESS,
        "internal_stock": X10_STOCK,
        **more,
    }
    return consolidate_month(tables_of(("A", "B", "C"), rules, **given), rules, JANUARY)


def test_x10_consolidates_to_1290_income_1072_cost_and_218_surplus():
    """Sums 1,400 / 1,180 / 220.

    Out: services 60 / 60, interest 10 / 10, drugs 40 / 38; inventory 20 -> 18, loan 500 -> 0.
    """
    found = x10()
    lines = lines_of(found)
    income, cost = (
        [sum(lines[line][i] for line in names if line in lines) / 100 for i in range(3)]
        for names in (
            ("business_income", "interest_income"),
            ("business_cost", "other_cost"),
        )
    )
    assert income == [1400, -110, 1290]
    assert cost == [1180, -108, 1072]
    assert yuan_of(found, "stores") == (20, -2, 18)
    assert yuan_of(found, "other_receivables") == (500, -500, 0)
    assert yuan_of(found, "other_payables") == (500, -500, 0)
    assert not found.unmatched
    [profit] = found.profits
    assert (profit.profit, profit.opening, profit.closing) == (400, 0, 200)
    assert {
        row["of_minority"] for row in result_tables(found)["consortium_interest"].to_pylist()
    } == {0}


def test_x10_with_a_minority_takes_the_sellers_unrealised_profit_first():
    """Others own 1/5 of A: A earned 200, 2 of it unrealised: 198 / 5 = 39.60 are theirs.

    A itself is owned by B with 4/5; B is nobody's.
    """
    own = [{"period": "2025-07", "unit_id": "B", "owned_id": "A", "parts": 4, "of_parts": 5}]
    rows = result_tables(x10(ownership=own))["consortium_interest"].to_pylist()
    of_a = next(one for one in rows if one["unit_id"] == "A" and one["measure"] == "surplus")
    assert of_a["share"] == "4/5"
    assert [str(of_a[name]) for name in ("reported", "unrealised", "adjusted")] == [
        "200.00", "-2.00", "198.00",
    ]  # fmt: skip
    assert (str(of_a["of_consortium"]), str(of_a["of_minority"])) == ("158.40", "39.60")


PLENTY = [
    entry(unit, line, 10_000, period)
    for period in (JANUARY, FEBRUARY)
    for unit in "ABCD"
    for line in ("income", "cost", "stores", "loans", "debts", "interest_income", "other_cost")
]


def month(period=JANUARY, rules=None, **given):
    return consolidated("ABCD", period, rules, statements=PLENTY, **given)


@pytest.mark.verdict("Goods that a member sells on to another")
def test_goods_sold_on_twice_lose_the_profit_of_every_level_that_is_still_in_stock():
    """A buys for 36, sells B for 40, B sells C for 44; half of it is in C's stock: 22.

    A's 4 and B's 4 are each half unrealised: 4 in all, the stock is worth 18 = 36 / 2. Cost: A's
    36 and B's 40 go, C used half for 22 that cost the consortium 18.
    """
    found = month(
        intercompany=[
            *deal("goods", "A", "B", 40, "P1", cost=36),
            *deal("goods", "B", "C", 44, "P2", cost=40, resold_from="P1"),
        ],
        internal_stock=[stock("C", "B", 22, "P2")],
    )
    assert yuan_of(found, "stores")[1] == -4
    assert yuan_of(found, "cost")[1] == -(36 + 40 + 4)
    assert yuan_of(found, "income")[1] == -(40 + 44)
    assert [(one.profit, one.closing) for one in found.profits] == [(400, 200), (400, 200)]


@pytest.mark.verdict("Profit in stock when the month begins")
def test_profit_in_last_months_stock_is_earned_when_the_goods_are_used():
    """A sold C for 40 what had cost 36; 20 in stock in January, 5 in February.

    February: 2.00 lay in stock, 0.50 does: cost falls by 1.50, the opening net assets by 2.00.
    """
    given = {
        "intercompany": deal("goods", "A", "C", 40, "P1", cost=36),
        "internal_stock": [
            stock("C", "A", 20, "P1"),
            stock("C", "A", 5, "P1", FEBRUARY, sold_in=JANUARY),
        ],
    }
    found = month(FEBRUARY, **given)
    assert yuan_of(found, "cost")[1] == -1.5
    assert yuan_of(found, "stores")[1] == -0.5
    assert yuan_of(found, "surplus_before")[1] == -2
    assert yuan_of(found, "income")[1] == 0


def test_goods_resold_in_a_later_month_keep_their_first_profit_until_they_are_used():
    """A's 4 lie in B's stock in January; in February B sells it on for 44, and C holds it all.

    February: B's price and cost go, the stock loses 4 of A and 4 of B, A's opening 4 stay unearned.
    """
    found = month(
        FEBRUARY,
        intercompany=[
            *deal("goods", "A", "B", 40, "P1", cost=36),
            *deal("goods", "B", "C", 44, "P2", FEBRUARY, cost=40, resold_from="P1"),
        ],
        internal_stock=[stock("B", "A", 40, "P1"), stock("C", "B", 44, "P2", FEBRUARY)],
    )
    assert yuan_of(found, "stores")[1] == -8
    assert yuan_of(found, "surplus_before")[1] == -4
    assert yuan_of(found, "income")[1] == -44
    assert yuan_of(found, "cost")[1] == -40


@pytest.mark.verdict("Goods sold at a loss")
def test_goods_sold_at_a_loss_are_worth_what_they_had_cost():
    """A sells C for 36 what had cost 40; half, 18, is in stock: it stands at 20 = 40 / 2.

    Cost: A's 40 go, and what C used for 18 had cost 20: -40 + 2.
    """
    found = month(
        intercompany=deal("goods", "A", "C", 36, cost=40), internal_stock=[stock("C", "A", 18)]
    )
    assert yuan_of(found, "stores")[1] == 2
    assert yuan_of(found, "cost")[1] == -38


@pytest.mark.verdict("Half a fen of profit in stock, half a fen in what was used")
def test_of_a_fen_of_profit_that_is_half_in_stock_the_stock_has_it_all():
    """Profit 0.01 on 2.00, 1.00 in stock: the fen is unrealised."""
    sale = deal("goods", "A", "C", 2, cost=1)
    sale[0]["cost"] = 199
    found = month(intercompany=sale, internal_stock=[stock("C", "A", 1)])
    assert yuan_of(found, "stores")[1] == -0.01


@pytest.mark.verdict("Goods given away")
def test_what_goods_that_were_given_away_had_cost_stays_cost():
    """A gives C what had cost 5: no income, and the 5 stay in the consortium's cost, now C's."""
    found = month(intercompany=deal("goods", "A", "C", 0, cost=5))
    assert yuan_of(found, "cost")[1] == 0
    assert found.statement.eliminated[0, 2] == -500
    assert found.statement.eliminated[2, 2] == 500


def test_a_third_of_a_fen_of_profit_in_stock_is_rounded_with_the_profit_used():
    """Profit 1.00 on 3.00, 1.00 in stock: 0.33 unrealised, 0.67 realised, 1.00 in all."""
    found = month(
        intercompany=deal("goods", "A", "C", 3, cost=2), internal_stock=[stock("C", "A", 1)]
    )
    assert yuan_of(found, "stores")[1] == -0.33
    assert yuan_of(found, "cost")[1] == -2.67


def reasons(found):
    return [(REASONS[one.reason], one.claimed, one.owed) for one in found.unmatched]


@pytest.mark.verdict("Business that one member booked and the other did not")
def test_what_one_side_booked_alone_stays_in_the_statement_and_is_reported():
    claim, _ = deal("services", "A", "B", 60)
    found = month(intercompany=[claim])
    assert reasons(found) == [("one_side", 6000, 0)]
    assert not len(found.found.amount)
    [fact] = result_tables(found)["unmatched"].to_pylist()
    assert (fact["from_lines"], fact["to_lines"]) == ("income", "")


@pytest.mark.verdict("Two sides of a deal that differ")
def test_sides_that_differ_beyond_the_tolerance_are_left_and_within_it_the_smaller_is_taken():
    claim, debt = deal("services", "A", "B", 60)
    debt = {**debt, "amount": 6001}
    exact = month(intercompany=[claim, debt])
    assert reasons(exact) == [("amounts_differ", 6000, 6001)]
    assert not len(exact.found.amount)
    near = month(rules=rules_of(tolerance=1), intercompany=[claim, debt])
    assert reasons(near) == [("amounts_differ", 6000, 6001)]
    assert sorted(near.found.amount.tolist()) == [-6000, -6000]


@pytest.mark.verdict("The same amount under the same reference, in another month")
def test_the_same_amount_in_another_month_is_named_but_not_taken():
    claim, debt = deal("services", "A", "B", 60, "V1")
    found = month(intercompany=[claim, {**debt, "period": FEBRUARY}])
    assert reasons(found) == [("other_period", 6000, 0)]
    [fact] = result_tables(found)["unmatched"].to_pylist()
    assert fact["other_period"] == FEBRUARY
    assert not len(found.found.amount)


@pytest.mark.verdict("A loan or a balance that the other member booked in another month")
def test_last_months_balance_is_not_the_other_side_of_this_months():
    claim, debt = deal("loan", "A", "B", 500, "L1")
    found = month(intercompany=[claim, {**debt, "period": FEBRUARY}])
    assert reasons(found) == [("one_side", 50000, 0)]


@pytest.mark.verdict("A partner that `units` does not list")
def test_a_partner_that_is_no_member_is_reported():
    claim, _ = deal("services", "A", "Z", 60)
    assert reasons(month(intercompany=[claim])) == [("unknown_partner", 6000, 0)]


@pytest.mark.verdict("Stock whose purchase nobody booked")
def test_stock_of_a_purchase_that_nobody_booked_is_reported():
    found = month(internal_stock=[stock("C", "A", 20, "P9")])
    assert reasons(found) == [("purchase_unknown", 2000, 0)]
    assert not len(found.found.amount)


def test_what_does_not_match_is_refused_where_the_policy_says_so():
    claim, _ = deal("services", "A", "B", 60)
    with refused("intercompany-unmatched") as found:
        month(rules=rules_of(unmatched="reject"), intercompany=[claim])
    [fault] = found
    assert "60.00 yuan claimed, and the other booked nothing" in fault.what
    assert fault.where == ("intercompany.parquet row 1",)


def test_a_difference_within_the_tolerance_is_not_refused():
    claim, debt = deal("services", "A", "B", 60)
    rules = rules_of(tolerance=1, unmatched="reject")
    found = month(rules=rules, intercompany=[claim, {**debt, "amount": 6001}])
    assert reasons(found) == [("amounts_differ", 6000, 6001)]


@pytest.mark.verdict("A member without a statement")
def test_a_member_without_a_statement_is_named():
    with refused("statement-missing") as found:
        consolidated("ABCDE", JANUARY, statements=PLENTY)
    assert found[0].where == ("'E'",)


def test_more_in_stock_than_was_bought_is_refused():
    with refused("stock-above-purchase"):
        month(
            intercompany=deal("goods", "A", "C", 40, cost=36),
            internal_stock=[stock("C", "A", 41)],
        )


def test_last_months_stock_cannot_have_been_more_than_was_bought_either():
    with refused("stock-above-purchase"):
        month(
            FEBRUARY,
            intercompany=deal("goods", "A", "C", 40, "P1", cost=36),
            internal_stock=[stock("C", "A", 41, "P1")],
        )


def test_stock_of_an_earlier_purchase_cannot_grow():
    with refused("stock-grown"):
        month(
            FEBRUARY,
            intercompany=deal("goods", "A", "C", 40, "P1", cost=36),
            internal_stock=[stock("C", "A", 5, "P1", FEBRUARY, sold_in=JANUARY)],
        )


@pytest.mark.verdict("Goods sold on in a circle")
def test_goods_that_come_back_to_themselves_are_refused_with_the_circle():
    with refused("resale-cycle") as found:
        month(
            intercompany=[
                *deal("goods", "A", "B", 40, "P1", cost=40, resold_from="P2"),
                *deal("goods", "B", "A", 40, "P2", cost=40, resold_from="P1"),
            ]
        )
    [where] = found[0].where
    assert where.count("P1") == 2
    assert where.count("P2") == 1


def test_goods_that_may_come_from_two_purchases_are_refused():
    """B bought under P1 from A and from D, and sells on goods of P1."""
    with refused("resale-ambiguous") as found:
        month(
            intercompany=[
                *deal("goods", "A", "B", 40, "P1", cost=36),
                *deal("goods", "D", "B", 40, "P1", cost=30),
                *deal("goods", "B", "C", 44, "P2", cost=40, resold_from="P1"),
            ]
        )
    assert len(found[0].where) == 3


@pytest.mark.verdict("More internal on a line than the statement has on it")
def test_a_line_of_which_more_is_internal_than_it_holds_is_refused():
    with refused("internal-above-statement"):
        month(intercompany=deal("services", "A", "B", 10_001))


def test_shares_are_exact_through_every_level():
    """A owns 3/5 of B and 1/2 of C; C owns 2/5 of B: 3/5 + 1/2 x 2/5 = 4/5 of B."""
    holdings = Holdings((0, 0, 2), (1, 2, 1), (Fraction(3, 5), Fraction(1, 2), Fraction(2, 5)))
    assert consortium_shares(3, holdings, 3) == [1, Fraction(4, 5), Fraction(1, 2)]


def test_a_hundred_levels_of_a_third_are_still_a_fraction():
    n = 100
    holdings = Holdings(tuple(range(n)), tuple(range(1, n + 1)), (Fraction(1, 3),) * n)
    assert consortium_shares(n + 1, holdings, n + 1)[-1] == Fraction(1, 3**100)


@pytest.mark.verdict("A member that a member owns which is left out")
def test_what_a_member_that_is_left_out_owns_is_no_part_of_the_consortium():
    """D is left out and owns all of B and 1/4 of C; A owns 3/4 of C."""
    own = [
        {"period": JANUARY, "unit_id": owner, "owned_id": owned, "parts": parts, "of_parts": 4}
        for owner, owned, parts in (("D", "B", 4), ("D", "C", 1), ("A", "C", 3))
    ]
    found = month(rules=rules_of(leave_out=("D",)), ownership=own)
    assert found.interests.share == (1, 0, Fraction(3, 4))


@pytest.mark.verdict("Members that own each other in a circle")
def test_members_that_own_each_other_are_named_in_their_circle():
    """A owns B, B owns C, C owns B: the circle is B, C; A is no part of it."""
    holdings = Holdings((0, 1, 2), (1, 2, 1), (Fraction(1, 2),) * 3)
    [fault] = find_impossible(holdings, ("A", "B", "C"), JANUARY)
    assert fault.code == "ownership-cycle"
    assert "'B' owns 'C' owns 'B'" in fault.what


def test_more_than_the_whole_of_a_member_cannot_be_held():
    holdings = Holdings((0, 1), (2, 2), (Fraction(2, 3), Fraction(1, 2)))
    [fault] = find_impossible(holdings, ("A", "B", "C"), JANUARY)
    assert fault.code == "ownership-above-whole"
    assert "7/6" in fault.what


def test_an_owner_is_asked_for_where_the_policy_wants_one():
    with refused("ownership-missing"):
        month(rules=rules_of(unowned="reject"))


def test_a_share_holds_until_a_later_row_of_the_pair():
    """A owns all of B until February, then half."""
    own = [
        {"period": "2025-01", "unit_id": "A", "owned_id": "B", "parts": 1, "of_parts": 1},
        {"period": FEBRUARY, "unit_id": "A", "owned_id": "B", "parts": 1, "of_parts": 2},
    ]
    for period, share in ((JANUARY, 1), (FEBRUARY, Fraction(1, 2))):
        assert month(period, ownership=own).interests.share[1] == share
