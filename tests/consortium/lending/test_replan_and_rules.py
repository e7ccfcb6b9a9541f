"""One month's plan and the next, and what is refused: by name, together, nothing written."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from consortium.books import POLICY, written
from medcost.consortium.publication import published_consortium
from medcost.verification import verify_folder

from .commands import lend
from .test_by_hand import MEMBERS, RULES, example


def rows_of(out: Path, month: str, name: str):
    return pq.read_table(published_consortium(out)[month]["lend"] / f"{name}.parquet").to_pylist()


def plan_rows(changes=None, months=("2026-04", "2026-05", "2026-06")):
    """Three members, three months; changes by (unit, month)."""
    base = {"V": ("10000", "12000"), "T": ("50000", "60000"), "L": ("100000", "300000")}
    rows = []
    for unit, (basic, opening) in base.items():
        for month in months:
            row = {
                "period": month,
                "unit_id": unit,
                "opening_balance": opening if month == "2026-04" else None,
                "inflow": "1000",
                "outflow": "6000" if unit == "V" and month == "2026-04" else "1000",
                "basic_operation": basic,
            }
            rows.append(row | (changes or {}).get((unit, month), {}))
    return rows


def book_of(folder: Path, rows, limits=(), policy=RULES) -> Path:
    written(folder, {"cash_plan": rows} | ({"loan_limits": limits} if limits else {}))
    (folder / "policy.toml").write_text(POLICY + policy)
    return folder


def test_a_plan_begins_where_last_months_plan_ended_and_reports_what_changed(tmp_path):
    """April: V draws 3,000 (12,000 - 5,000 is 3,000 under its floor) and owes them at its end.

    May's book gives no balances: V begins with 10,000.00 and 3,000 of debt, as planned. Its inflow
    of May is 500 more than April's plan had: that, and what follows from it, is in the changes.
    """
    out = tmp_path / "out"
    april = book_of(tmp_path / "april", plan_rows())
    assert lend(april, "2026-04", out, policy=april / "policy.toml") == 0
    more = {("V", "2026-05"): {"inflow": "1500"}}
    may = book_of(tmp_path / "may", plan_rows(more))
    assert lend(may, "2026-05", out, policy=may / "policy.toml") == 0
    first = next(
        row
        for row in rows_of(out, "2026-05", "pool_plan")
        if (row["unit_id"], row["month"]) == ("V", "2026-05")
    )
    assert str(first["opening_balance"]) == "10000.00"
    assert str(first["loan_interest"]) == "9.30"  # 3,000 x 3.6 % x 31/360
    changed = {
        (row["month"], row["unit_id"], row["item"]): str(row["difference"])
        for row in rows_of(out, "2026-05", "pool_change")
    }
    assert changed["2026-05", "V", "inflow"] == "500.00"
    # Nothing of the opening changed, and nothing of the others.
    assert all(month >= "2026-05" and unit == "V" for month, unit, _item in changed)
    assert rows_of(out, "2026-04", "pool_change") == []
    assert verify_folder(out).faults == ()


def test_openings_that_the_book_gives_stand_against_the_plan(tmp_path):
    """May's book says that V has 9,000.00 and owes 2,000.00: the opening differs by 1,000 each."""
    out = tmp_path / "out"
    april = book_of(tmp_path / "april", plan_rows())
    assert lend(april, "2026-04", out, policy=april / "policy.toml") == 0
    given = {("V", "2026-05"): {"opening_balance": "9000"}}
    limits = [{"period": "2026-05", "unit_id": "V", "opening_debt": "2000"}]
    may = book_of(tmp_path / "may", plan_rows(given), limits)
    assert lend(may, "2026-05", out, policy=may / "policy.toml") == 0
    changed = {
        (row["month"], row["item"]): str(row["difference"])
        for row in rows_of(out, "2026-05", "pool_change")
        if row["unit_id"] == "V"
    }
    assert changed["2026-04", "balance"] == "-1000.00"
    assert changed["2026-04", "debt"] == "-1000.00"


def refused(tmp_path, capsys, rows, limits=(), policy=RULES):
    """What the command says of a book that it refuses; nothing is published."""
    book = book_of(tmp_path / "book", rows, limits, policy)
    out = tmp_path / "out"
    assert lend(book, "2026-04", out, policy=book / "policy.toml") == 3
    assert published_consortium(out) == {}
    return capsys.readouterr().err


def test_every_fault_of_the_tables_is_told_together(tmp_path, capsys):
    """A negative limit, an unknown unit, a missing month, probabilities that are 0.9 in all."""
    rows = [
        row | {"scenario": scenario, "probability": chance}
        for scenario, chance in (("bad", "0.4"), ("good", "0.5"))
        for row in plan_rows()
    ]
    rows.pop(4)
    rows[0] |= {"inflow": "-5"}
    limits = [
        {"period": "2026-04", "unit_id": "V", "loan_limit": "-1"},
        {"period": "2026-04", "unit_id": "X", "loan_limit": "1"},
    ]
    said = refused(tmp_path, capsys, rows, limits)
    for code in ("value-negative", "unit-not-listed", "plan-month-missing", "plan-probability"):
        assert f"[{code}]" in said
    assert "0.9" in said
    assert "Nothing was published" in said


@pytest.mark.parametrize(
    ("policy", "code", "word"),
    [
        ("[rates]\ndeposit = 0.2\n", "policy-contradiction", "deposit"),
        ("[rates]\ndiscount = 0.03\n", "policy-value", "discount"),
        ("[pool]\nreserve = -0.1\n", "policy-value", "reserve"),
        ("[pool]\nresreve = 0.1\n", "policy-key-unknown", "resreve"),
        (
            '[priority]\norder = [["village"], ["village", "lead"]]\n',
            "policy-contradiction",
            "twice",
        ),
        ('[priority]\norder = [["village"], ["lead"]]\n', "plan-kind-unranked", "township"),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused_by_key(tmp_path, capsys, policy, code, word):
    """With the file's line."""
    said = refused(tmp_path, capsys, plan_rows(), policy=policy)
    assert f"[{code}]" in said
    assert word in said
    assert "policy.toml line" in said


def test_openings_that_no_plan_can_begin_with_are_refused(tmp_path, capsys):
    """A debt of 500 under a limit of 400; no opening balance and no plan of March."""
    rows = plan_rows({("T", "2026-04"): {"opening_balance": None}})
    limits = [
        {"period": "2026-04", "unit_id": "V", "loan_limit": "400", "opening_debt": "500"},
    ]
    said = refused(tmp_path, capsys, rows, limits)
    assert "[plan-limit-exceeded]" in said
    assert "[plan-opening-missing]" in said


def test_the_smallest_change_of_rules_that_conflict_is_enough_and_a_yuan_less_is_not(
    tmp_path, capsys
):
    """The pool has 372,000; April takes 5,000 net of V's. It is to keep 2.5 months: 400,000.

    No loan moves pool cash, and nobody may bridge: 367,000 less 5 % of the deposits are there, in
    each of the three months. Without a draw deposits are 367,000 and 5 % of them 18,350: 348,650
    are left of 400,000. 2.179 months are 348,640: there is a plan; 2.18 are 348,800: there is none.
    """
    policy = RULES.replace("pool_floor_months = 0.5", "pool_floor_months = 2.5")
    limits = [
        {"period": "2026-04", "unit_id": unit, "loan_limit": "10000", "bank_limit": "0"}
        for unit in "LTV"
    ]
    said = refused(tmp_path, capsys, plan_rows(), limits, policy)
    assert "[plan-rules-conflict]" in said
    assert "the pool's floor in 2026-04: 400,000.00 yuan beside the reserve" in said
    assert "lower the pool's floor of 400,000.00 yuan by 51,350.00" in said
    for months, code in (("2.179", 0), ("2.18", 3)):
        book = book_of(tmp_path / months, plan_rows(), limits, policy.replace("2.5", months))
        assert lend(book, "2026-04", tmp_path / f"o{months}", policy=book / "policy.toml") == code


def test_amounts_that_no_fen_arithmetic_holds_are_refused_by_name(tmp_path, capsys):
    """A thousand trillion yuan of basic operation, three times over in an odd factor."""
    rows = plan_rows({("L", "2026-04"): {"basic_operation": "9000000000000000"}})
    policy = RULES.replace("floor_months = 1.0", "floor_months = 2.123457")
    assert "[amount-out-of-range]" in refused(tmp_path, capsys, rows, policy=policy)


def test_a_plan_that_runs_out_of_time_is_named_and_ends_with_5(tmp_path, capsys):
    """A limit of a nanosecond."""
    book = example(tmp_path / "book", MEMBERS)
    code = lend(
        book, "2026-04", tmp_path / "out", "--time-limit", "1e-9", policy=book / "policy.toml"
    )
    assert code == 5
    assert "[solver-time]" in capsys.readouterr().err
    assert published_consortium(tmp_path / "out") == {}


def test_cash_outside_counts_towards_a_members_floor_and_not_towards_the_pools(tmp_path):
    """V holds 4,000 outside: with the earmark outside its floor in the pool is 6,000 of 10,000.

    April leaves 7,000 in its account: it needs no loan. Inside, the 4,000 count for nothing.
    """
    limits = [{"period": "2026-04", "unit_id": "V", "outside_cash": "4000"}]
    for earmark, floor, draw in (("outside", "6000.00", "0.00"), ("inside", "10000.00", "3000.00")):
        policy = RULES.replace("[pool]", f'[pool]\nearmark = "{earmark}"')
        book = book_of(tmp_path / earmark, plan_rows(), limits, policy)
        out = tmp_path / f"out-{earmark}"
        assert lend(book, "2026-04", out, policy=book / "policy.toml") == 0
        row = next(one for one in rows_of(out, "2026-04", "pool_plan") if one["unit_id"] == "V")
        assert (str(row["floor"]), str(row["draw"])) == (floor, draw)
        [pool, *_] = rows_of(out, "2026-04", "pool_month")
        assert str(pool["floor"]) == "80000.00"


def test_a_robust_policy_holds_more_than_a_plain_one(tmp_path):
    """A month at risk, 10 % of V's 1,000 of inflow and 5 % of 6,000 of outflow: 400 in April.

    It draws one lot more, 4,000 instead of 3,000: 7,000 + 3,000 leaves no room for 400.
    """
    drawn = []
    for months in ("0.0", "1.0"):
        policy = RULES + f"[robust]\nmonths_at_risk = {months}\n"
        book = book_of(tmp_path / months, plan_rows(), (), policy)
        out = tmp_path / f"out-{months}"
        assert lend(book, "2026-04", out, policy=book / "policy.toml") == 0
        row = next(one for one in rows_of(out, "2026-04", "pool_plan") if one["unit_id"] == "V")
        drawn.append(str(row["draw"]))
    assert drawn == ["3000.00", "4000.00"]


def test_scenarios_of_a_book_share_their_first_month(tmp_path):
    """Two scenarios with 0.25 and 0.75: V's May differs, its draw in April does not."""
    rows = [
        row | {"scenario": name, "probability": chance}
        for name, chance, may in (("dry", "0.25", "0"), ("wet", "0.75", "5000"))
        for row in plan_rows({("V", "2026-05"): {"inflow": may}})
    ]
    book = book_of(tmp_path / "book", rows)
    out = tmp_path / "out"
    assert lend(book, "2026-04", out, policy=book / "policy.toml") == 0
    of_v = [row for row in rows_of(out, "2026-04", "pool_plan") if row["unit_id"] == "V"]
    april = {row["scenario"]: row["draw"] for row in of_v if row["month"] == "2026-04"}
    assert april["dry"] == april["wet"] > 0
    debts = {row["scenario"]: row["debt"] for row in of_v if row["month"] == "2026-05"}
    assert debts["dry"] > debts["wet"]
    assert verify_folder(out).faults == ()
