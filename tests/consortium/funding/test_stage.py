"""Funds of a month, from tables to tables."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from consortium.books import MONTH, POLICY, Row, written
from medcost.consortium.balances import tie_out
from medcost.consortium.funding.policy import load_fund_policy
from medcost.consortium.funding.stage import fund
from medcost.consortium.inputs import read_consortium
from medcost.consortium.publication import ConsortiumResult
from medcost.errors import InputRejected
from medcost.result_tables import as_written

UNITS: tuple[Row, ...] = (
    {"unit_id": "C", "name": "County", "kind": "lead"},
    *({"unit_id": f"T{i}", "name": f"Township {i}", "kind": "township"} for i in (1, 2, 3)),
    {"unit_id": "V", "name": "Clinic", "kind": "village"},
)


def request(unit: str, purpose: str, yuan: Any, **columns: Any) -> Row:
    return {"period": MONTH, "unit_id": unit, "purpose": purpose, "request": yuan} | columns


def assessed(unit: str, volume: Any, score: Any, **columns: Any) -> Row:
    row = {"period": MONTH, "unit_id": unit, "service_volume": volume, "score": score}
    return row | columns


ASSESSED = [
    assessed("C", 1, 1),
    assessed("T1", 30_000, "0.95"),
    assessed("T2", 20_000, "0.90"),
    assessed("T3", 10_000, "0.80"),
    assessed("V", 1, 1),
]
MILLION = 1_000_000


def package(**columns: Any) -> Row:
    row = {"period": MONTH, "package_id": "residents", "package": 100 * MILLION}
    return row | {"out_of_county": 38 * MILLION, "local": 52 * MILLION} | columns


def funds(folder: Path, policy: str = "", **tables: list[Row]) -> ConsortiumResult:
    """Publish nothing: the result of the month of a book with these tables."""
    book = written(folder / "book", {"units": UNITS, **tables})
    file = folder / "policy.toml"
    file.write_text(POLICY + policy)
    loaded = load_fund_policy(str(file))
    found = fund(read_consortium(book, "fund", (), [MONTH]), loaded, MONTH)
    tie_out("fund", found.tables)
    return found


def rows(found: ConsortiumResult, name: str) -> list[dict[str, Any]]:
    return as_written(found.tables[name]).to_pylist()


def refused(folder: Path, policy: str = "", **tables: list[Row]) -> Any:
    """Return the one fault."""
    with pytest.raises(InputRejected) as error:
        funds(folder, policy, **tables)
    (fault,) = error.value.faults
    return fault


NO_SHARES = "[shares]\ngrassroots = 0.0\nkey_discipline = 0.0\n"


def total(yuan: Any) -> list[Row]:
    return [{"period": MONTH, "total": yuan}]


def test_x9_from_tables_to_the_fen(tmp_path: Path) -> None:
    """100 M - 5 M - 38 M - 52 M = 5 M by 6 : 3 : 1; townships by population x score."""
    found = funds(tmp_path, insurance_package=[package()], assessments=ASSESSED)
    lines = {row["line"]: row["amount"] for row in rows(found, "insurance_package")}
    assert {
        "package": 100 * MILLION, "reserve": -5 * MILLION, "out_of_county": -38 * MILLION,
        "local": -52 * MILLION,
    } == lines  # fmt: skip
    shares = {row["unit_id"]: row["amount"] for row in rows(found, "surplus_share")}
    assert {
        "": 0, "C": 3 * MILLION, "T1": Decimal("784403.67"), "T2": Decimal("495412.84"),
        "T3": Decimal("220183.49"), "V": 500_000,
    } == shares  # fmt: skip
    assert not rows(found, "fund_allocation")


@pytest.mark.verdict("A package that lacks money")
def test_an_overspend_is_borne_as_a_surplus_is_shared_and_half_of_it_stays(
    tmp_path: Path,
) -> None:
    """62 M local: 5 M are lacking; of 2.5 M the county bears 1.5 M, and 2.5 M stay."""
    found = funds(
        tmp_path,
        "[overspend]\nshared = 0.5\n",
        insurance_package=[package(local=62 * MILLION)],
        assessments=ASSESSED,
    )
    shares = {row["unit_id"]: row["amount"] for row in rows(found, "surplus_share")}
    assert (-1_500_000, -2_500_000) == (shares["C"], shares[""])
    assert ("package residents: -2,500,000.00 yuan are shared with nobody",) == found.notes


@pytest.mark.verdict("Claims of single persons")
def test_claims_are_paid_by_tiers_and_given_back_beyond_the_retention(tmp_path: Path) -> None:
    """X12: 90,000 is paid 46,900. X13: of 350,000 come back 135,000, of 1.5 M 720,000."""
    claims = [
        {"period": MONTH, "package_id": "residents", "rule": rule, "claim_id": str(i),
         "amount": amount}
        for i, (rule, amount) in enumerate(
            [("serious_illness", 90_000), ("stop_loss", 350_000), ("stop_loss", 1_500_000)]
        )
    ]  # fmt: skip
    found = funds(
        tmp_path, insurance_package=[package()], assessments=ASSESSED, insurance_claims=claims
    )
    assert [46_900, 135_000, 720_000] == [row["paid"] for row in rows(found, "insurance_claim")]
    lines = {row["line"]: row["amount"] for row in rows(found, "insurance_package")}
    assert (-46_900, 855_000) == (lines["serious_illness"], lines["stop_loss"])


def test_x13_the_aggregate_gives_back_what_exceeds_125_percent(tmp_path: Path) -> None:
    """Expected 8 M; 11.2 M were paid: 1.2 M above 10 M come back."""
    one = package(package=12 * MILLION, out_of_county=5 * MILLION, local=6_200_000,
                  expected=8 * MILLION)  # fmt: skip
    found = funds(tmp_path, insurance_package=[one], assessments=ASSESSED)
    lines = {row["line"]: row["amount"] for row in rows(found, "insurance_package")}
    assert 1_200_000 == lines["aggregate"]


def test_quotas_split_what_is_left_inside_by_volume_and_score(tmp_path: Path) -> None:
    """100 M - 5 M - 38 M = 57 M over 54,502: the county's 1 is 1,045.83."""
    found = funds(tmp_path, insurance_package=[package()], assessments=ASSESSED)
    quotas = {row["unit_id"]: row["quota"] for row in rows(found, "surplus_share")}
    assert Decimal("1045.83") == quotas["C"]
    assert 57 * MILLION == sum(quota for quota in quotas.values() if quota is not None)


def test_every_request_is_raised_to_the_same_share(tmp_path: Path) -> None:
    """1,000 of 1,800: 5/9 of each; half a fen more goes to the largest piece cut off."""
    found = funds(
        tmp_path,
        NO_SHARES,
        budget_requests=[request("C", "a", 1000), request("T1", "a", 500), request("V", "a", 300)],
        fund_totals=total(1000),
    )
    given = {row["unit_id"]: row["allocated"] for row in rows(found, "fund_allocation")}
    assert {"C": Decimal("555.55"), "T1": Decimal("277.78"), "V": Decimal("166.67")} == given
    (goal,) = rows(found, "fund_goal")
    assert ("request 001", Decimal("0.555556"), None, 3) == (
        goal["goal"], goal["satisfied_share"], goal["value"], goal["stopped"]
    )  # fmt: skip


@pytest.mark.verdict("Grassroots that asked for less than their least share")
def test_rules_are_listed_with_their_prices(tmp_path: Path) -> None:
    """Grassroots asked for 400, at 60 % of at most 666.67: the county has 266.66.

    A fen more of the total is worth nothing; a yuan more that the rule asks costs the county
    1 / 0.6 yuan, 1/600 of its 1,000.
    """
    found = funds(
        tmp_path,
        "[shares]\ngrassroots = 0.6\nkey_discipline = 0.0\n[prices]\nstep = 6.0\n",
        budget_requests=[request("C", "a", 1000), request("T1", "a", 300), request("V", "a", 100)],
        fund_totals=total(1000),
    )
    given = {row["unit_id"]: row["allocated"] for row in rows(found, "fund_allocation")}
    assert {"C": Decimal("266.66"), "T1": 300, "V": 100} == given
    by_name = {(row["rule"], row["unit_id"]): row for row in rows(found, "fund_rule")}
    assert by_name["total", ""]["price"] is None
    assert Decimal("333.34") == by_name["total", ""]["slack"]
    rule = by_name["grassroots", ""]
    assert (400, 400, 0) == (rule["bound"], rule["reached"], rule["slack"])
    assert Decimal("-0.001666670000") == rule["price"]
    assert (Decimal("-0.01"), Decimal("0.01")) == (rule["gain_above"], rule["gain_below"])
    # A yuan more for T1 lets 2/3 of a yuan more go to the county.
    assert Decimal("0.000666667000") == by_name["ceiling", "T1"]["price"]
    assert (
        "333.34 yuan of the total are allocated to nobody: the least share of grassroots lets "
        "nobody have more",
    ) == found.notes


@pytest.mark.verdict("A member that asks for less than nine tenths of last year's money")
def test_hold_harmless_keeps_nine_tenths_and_no_more_than_was_asked(tmp_path: Path) -> None:
    """The county had 600 and keeps 540; T1 had 500 and asks for 300, which it gets."""
    found = funds(
        tmp_path,
        NO_SHARES,
        budget_requests=[
            request("C", "a", 1000, previous=600),
            request("T1", "a", 300, previous=500),
            request("V", "a", 300),
        ],
        fund_totals=total(900),
    )
    held = {
        row["unit_id"]: (row["allocated"], row["held"]) for row in rows(found, "fund_allocation")
    }
    assert {
        "C": (540, "hold_harmless"), "T1": (300, "ceiling"), "V": (60, "level")
    } == held  # fmt: skip


def test_hold_harmless_by_unit_lets_purposes_change(tmp_path: Path) -> None:
    """The county had 600 for a; 540 are kept over a and b, whose requests are raised alike."""
    found = funds(
        tmp_path,
        NO_SHARES + '[hold_harmless]\nby = "unit"\n',
        budget_requests=[
            request("C", "a", 500, previous=600),
            request("C", "b", 400, previous=0),
            request("V", "a", 600),
        ],
        fund_totals=total(740),
    )
    given = [row["allocated"] for row in rows(found, "fund_allocation")]
    assert [300, 240, 200] == given
    rule = next(row for row in rows(found, "fund_rule") if row["rule"] == "hold_harmless")
    assert ("C", 540, 540) == (rule["unit_id"], rule["bound"], rule["reached"])


@pytest.mark.verdict("A request that is grassroots and a key discipline")
def test_a_yuan_may_count_once_only(tmp_path: Path) -> None:
    """V is grassroots and key: with overlap = first it counts for grassroots, C for the key."""
    requests = [
        request("C", "a", 1000),
        request("C", "key", 1000, tags="key_discipline"),
        request("V", "a", 1000, tags="key_discipline"),
    ]
    both, first = (
        funds(
            tmp_path / overlap,
            f'[shares]\ngrassroots = 0.4\nkey_discipline = 0.4\noverlap = "{overlap}"\n',
            budget_requests=requests,
            fund_totals=total(1000),
        )
        for overlap in ("both", "first")
    )
    assert [300, 300, 400] == [row["allocated"] for row in rows(both, "fund_allocation")]
    assert [200, 400, 400] == [row["allocated"] for row in rows(first, "fund_allocation")]


def test_the_value_may_come_before_the_shares(tmp_path: Path) -> None:
    """600 of each 1,000 first, then as the weight says: V's next 200 are worth 1.2 times 0.6."""
    policy = (
        NO_SHARES + '[budget]\nobjective = "value"\n[[value.weight]]\ntag = "care"\nweight = 1.2\n'
    )
    found = funds(
        tmp_path,
        policy,
        budget_requests=[
            request("C", "a", 1000),
            request("T1", "a", 1000),
            request("V", "a", 1000, tags="care; x"),
        ],
        fund_totals=total(2100),
    )
    assert [650, 650, 800] == [row["allocated"] for row in rows(found, "fund_allocation")]
    share, value = rows(found, "fund_goal")
    assert (2, 1) == (share["position"], value["position"])
    # 600 + 600 + 720, then 0.6 · (100 + 1.2 · 200)
    assert ("value", 2124) == (value["goal"], value["value"])
    assert ("request 001", Decimal("0.65")) == (share["goal"], share["satisfied_share"])


@pytest.mark.verdict("Rules of a budget that cannot all hold")
def test_rules_in_conflict_are_told_in_words(tmp_path: Path) -> None:
    """Floors of 600 and 500 in a total of 1,000."""
    fault = refused(
        tmp_path,
        NO_SHARES,
        budget_requests=[
            request("C", "a", 1000, floor=600),
            request("T1", "a", 500, floor=500),
            request("V", "a", 300),
        ],
        fund_totals=total(1000),
    )
    assert "fund-rules-conflict" == fault.code
    assert (
        "3 rules cannot hold together. The smallest sufficient change, of 100.00 yuan in all, "
        "moves total (at most 1,000.00 yuan) by 100.00 yuan." == fault.what
    )
    assert (
        "total (at most 1,000.00 yuan): alone, by 100.00 yuan",
        "floor of 'C/a' (600.00 yuan): alone, by 100.00 yuan",
        "floor of 'T1/a' (500.00 yuan): alone, by 100.00 yuan",
    ) == fault.where


@pytest.mark.verdict("Hold-harmless above a ceiling")
def test_hold_harmless_above_a_ceiling_is_told_as_a_conflict(tmp_path: Path) -> None:
    """450 of last year's 500 are kept whatever is asked for, and 300 are the ceiling."""
    fault = refused(
        tmp_path,
        NO_SHARES + "[hold_harmless]\nwithin_request = false\n",
        budget_requests=[request("T1", "a", 300, previous=500), request("V", "a", 100)],
        fund_totals=total(1000),
    )
    assert (
        "hold_harmless of 'T1/a' (450.00 yuan): alone, by 150.00 yuan",
        "ceiling of 'T1/a' (300.00 yuan): alone, by 150.00 yuan",
    ) == fault.where


def test_contradictory_bounds_and_missing_totals_are_faults_of_the_tables(tmp_path: Path) -> None:
    with pytest.raises(InputRejected) as error:
        funds(
            tmp_path,
            budget_requests=[
                request("C", "a", 1000, floor=600, ceiling=500),
                request("X", "a", 500),
                request("V", "a", -1),
            ],
            assessments=[assessed("C", -1, 1)],
            insurance_claims=[
                {"period": MONTH, "package_id": "P", "rule": "stop_loss", "claim_id": "secret",
                 "amount": 1}
            ],
        )  # fmt: skip
    faults = error.value.faults
    assert {
        "value-negative", "unit-not-listed", "fund-floor-above-ceiling", "fund-total-missing",
        "package-not-listed",
    } == {fault.code for fault in faults}  # fmt: skip
    assert "secret" not in str([(fault.what, fault.where) for fault in faults])


@pytest.mark.verdict("A member of a group that is not assessed")
def test_members_without_an_assessment_are_named(tmp_path: Path) -> None:
    fault = refused(tmp_path, insurance_package=[package()], assessments=ASSESSED[:3])
    assert ("assessment-missing", ("'T3'", "'V'")) == (fault.code, fault.where)


@pytest.mark.verdict("Floors of members beyond their group's part")
def test_floors_beyond_a_groups_part_are_named(tmp_path: Path) -> None:
    rows_ = [*ASSESSED[:4], assessed("V", 1, 1, floor=500_001)]
    fault = refused(tmp_path, insurance_package=[package()], assessments=rows_)
    assert "surplus-floors-exceed" == fault.code
    assert "by 1.00 yuan" in fault.what


def test_a_floor_above_the_largest_share_is_named(tmp_path: Path) -> None:
    rows_ = [ASSESSED[0], assessed("T1", 1, 1, floor=900_000), *ASSESSED[2:]]
    fault = refused(
        tmp_path, "[surplus]\nmost = 0.5\n", insurance_package=[package()], assessments=rows_
    )
    assert "surplus-floor-above-ceiling" == fault.code
    assert "'T1', 900,000.00 yuan" in fault.what


@pytest.mark.verdict("A least share that no request counts for")
def test_a_share_that_nothing_counts_for_is_named(tmp_path: Path) -> None:
    fault = refused(tmp_path, budget_requests=[request("V", "a", 100)], fund_totals=total(50))
    assert ("fund-share-empty", True) == (fault.code, "key_discipline" in fault.what)


def test_a_month_with_nothing_is_named(tmp_path: Path) -> None:
    fault = refused(tmp_path, fund_totals=total(1))
    assert "fund-not-in-period" == fault.code


def test_money_that_nobody_asks_for_is_told(tmp_path: Path) -> None:
    found = funds(
        tmp_path, assessments=ASSESSED, insurance_package=[package()], fund_totals=total(50)
    )
    note = "nobody asks for the 50.00 yuan of fund_totals: nothing of them is allocated"
    assert (note,) == found.notes


@pytest.mark.verdict("A request for nothing")
def test_requests_of_nothing_get_nothing(tmp_path: Path) -> None:
    found = funds(
        tmp_path,
        NO_SHARES,
        budget_requests=[request("C", "a", 0), request("V", "a", 10)],
        fund_totals=total(5),
    )
    first, second = rows(found, "fund_allocation")
    assert (0, None, None, 5) == (
        first["allocated"], first["satisfied_share"], first["held"], second["allocated"]
    )  # fmt: skip


def test_the_order_of_rows_changes_no_byte(tmp_path: Path) -> None:
    requests = [
        request(
            unit, purpose, 100 + 37 * i, previous=20 * i, tags="key_discipline" if i % 3 else None
        )
        for i, (unit, purpose) in enumerate(
            (unit, purpose) for unit in ("C", "T1", "T2", "T3", "V") for purpose in ("a", "b")
        )
    ]
    one, other = (
        funds(
            tmp_path / name,
            budget_requests=requests[::step],
            fund_totals=total("1500.01"),
            insurance_package=[package()],
            assessments=ASSESSED[::step],
        ).tables
        for name, step in (("one", 1), ("other", -1))
    )
    assert all(one[name].equals(other[name]) for name in one)
