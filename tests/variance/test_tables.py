"""Each table of a variance with its hand arithmetic."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from books import Row, Tables, book, model, number, posting
from budgets import (
    departments_only,
    only,
    over_months,
    planned,
    published,
    row_of,
    variances,
)

MONTHS = ("2026-01", "2026-02", "2026-03")


def unit(unit_id: str, kind: str, amounts: dict[str, Any], **columns: Any) -> Tables:
    """Return a book of one unit with clinical departments and their staff cost."""
    tables = book(dict.fromkeys(amounts, "clinical"), amounts, unit=unit_id)
    tables["units"] = [{"unit_id": unit_id, "kind": kind} | columns]
    return tables


def together(*books: Tables) -> Tables:
    """Return the books of several units as one."""
    found: Tables = {}
    for one in books:
        for name, rows in one.items():
            found.setdefault(name, []).extend(rows)
    return found


def statistic_of(dept_id: str, quantity: Any, measure: str = "visits", **columns: Any) -> Row:
    row = {"period": "2026-01", "unit_id": "U", "dept_id": dept_id, "measure": measure}
    return row | {"quantity": number(quantity)} | columns


# Totals


def test_rates_of_totals_are_computed_from_the_totals(tmp_path: Path) -> None:
    """C 90 of 100 is 0.9, D 1 of 1,000 is 0.001; the unit is 91 of 1,100 = 0.082727..."""
    out = departments_only(tmp_path, unit("U", "lead", {"C": 90, "D": 1}))
    rows = [planned(100, dept_id="C", element="staff"), planned(1000, dept_id="D", element="staff")]
    found = variances(tmp_path, out, rows)["budget_variance"]
    for level, unit_id in (("unit", "U"), ("unit", ""), ("element", "U"), ("element", "")):
        row = only(found, level=level, unit_id=unit_id)
        assert ("summed", Decimal("0.082727")) == (row["budget_basis"], row["execution_rate"])


def test_an_element_has_no_sum_where_a_department_is_budgeted_whole(tmp_path: Path) -> None:
    """C's staff is 100, D's 50 is of every element: the unit has 150, its staff nothing to say."""
    out = departments_only(tmp_path, unit("U", "lead", {"C": 90, "D": 1}))
    rows = [planned(100, dept_id="C", element="staff"), planned(50, dept_id="D")]
    found = variances(tmp_path, out, rows)["budget_variance"]
    assert ["150.00", "summed"] == row_of(found, "budget", "budget_basis", level="unit",
                                          unit_id="U")  # fmt: skip
    assert [None, "missing", None] == row_of(
        found, "budget", "budget_basis", "alert", level="element", unit_id="U"
    )


# Months and peers


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """C costs 10, 20, 40 in January to March 2026 and 25 in March 2025."""
    tables = over_months(
        m2025_03=unit("U", "lead", {"C": 25}),
        m2026_01=unit("U", "lead", {"C": 10}),
        m2026_02=unit("U", "lead", {"C": 20}),
        m2026_03=unit("U", "lead", {"C": 40}),
    )
    folder = tmp_path_factory.mktemp("year")
    out = departments_only(folder, tables, ["2025-03"])
    return departments_only(folder, tables, MONTHS, out=out)


def test_a_month_stands_beside_last_month_last_year_and_the_year_so_far(
    tmp_path: Path, year: Path
) -> None:
    """40 against 20 (+100 %), 25 (+60 %); 70 so far of 11 + 22 + 33 = 66 (106.0606 %)."""
    rows = [planned(p, dept_id="C", period=m) for p, m in zip((11, 22, 33), MONTHS, strict=True)]
    found = variances(tmp_path, year, rows, period="2026-03")["budget_variance"]
    row = only(found, level="department")
    assert [20, 20, 1] == [row[n] for n in ("last_month", "last_month_change", "last_month_rate")]
    assert [25, 15, Decimal("0.6")] == [
        row[n] for n in ("last_year", "last_year_change", "last_year_rate")
    ]
    assert [70, 66, 4, Decimal("1.060606")] == [
        row[f"year_to_date{n}"] for n in ("", "_budget", "_variance", "_rate")
    ]


def test_a_budget_that_lacks_a_month_has_no_year_to_date(tmp_path: Path, year: Path) -> None:
    rows = [planned(11, dept_id="C", period=m) for m in MONTHS[1:]]
    found = variances(tmp_path, year, rows, period="2026-03")["budget_variance"]
    names = ("year_to_date", "year_to_date_budget", "year_to_date_rate")
    assert ["70.00", None, None] == row_of(found, *names, level="department")


def test_a_run_folder_is_compared_with_the_months_beside_it(tmp_path: Path, year: Path) -> None:
    (run,) = year.glob("run=2026-03*")
    found = variances(tmp_path, run, [planned(1, period="2026-03")], period="2026-03")
    row = only(found["budget_variance"], level="unit", unit_id="U")
    assert (20, 25) == (row["last_month"], row["last_year"])


def consortium() -> Tables:
    """Return a lead hospital and three townships; T3 has no department C."""
    return together(
        unit("L", "lead", {"C": 900}),
        unit("T1", "township", {"C": 10, "D": 1}),
        unit("T2", "township", {"C": 15}),
        unit("T3", "township", {"D": 4}),
    )


def test_peers_are_other_units_of_the_kind_that_have_the_figure(tmp_path: Path) -> None:
    """C of T1: T2 alone, 15. Units: T1's peers 15 and 4, mean 9.50. The lead hospital has none."""
    out = departments_only(tmp_path, consortium())
    found = variances(tmp_path, out, [planned(1, unit_id="T1"), planned(1, unit_id="L")])
    rows = found["budget_variance"]
    names = ("peers", "peer_mean", "peer_difference", "peer_rate")
    c = row_of(rows, *names, level="department", unit_id="T1", dept_id="C")
    assert ["1", "15.00", "-5.00", "-0.333333"] == c
    whole = row_of(rows, *names, level="unit", unit_id="T1")
    assert ["2", "9.50", "1.50", "0.157895"] == whole
    assert [None] * 4 == row_of(rows, *names, level="unit", unit_id="L")
    assert [None] * 4 == row_of(rows, *names, level="unit", unit_id="")


def test_a_choice_of_units_does_not_change_the_peers(tmp_path: Path) -> None:
    out = departments_only(tmp_path, consortium())
    budget = [planned(1, unit_id="T1"), planned(1, unit_id="T2")]
    every = variances(tmp_path, out, budget)["budget_variance"]
    one = variances(tmp_path, out, budget, units=["T1"])["budget_variance"]
    assert [r for r in every if r["unit_id"] == "T1"] == [r for r in one if r["unit_id"] == "T1"]
    assert {"T1", ""} == {row["unit_id"] for row in one}


def test_units_of_a_month_may_come_from_two_runs(tmp_path: Path) -> None:
    """T1 and T2 in a run each are what they are in one."""
    tables = consortium()
    budget = [planned(9, unit_id=u, dept_id="C") for u in ("T1", "T2")]
    one = departments_only(tmp_path, tables, units=("T1", "T2"))
    two = departments_only(tmp_path, tables, units=("T1",))
    two = departments_only(tmp_path, tables, units=("T2",), out=two)
    assert variances(tmp_path, one, budget) == variances(tmp_path, two, budget)


# Alerts, freezes, approvals


@pytest.mark.parametrize(
    ("actual", "alert", "freeze"),
    [
        ("110.00", None, "yes"),
        ("110.01", "over", "yes"),
        ("100.00", None, "no"),
        ("90.00", None, "no"),
        ("89.99", "under", "no"),
    ],
)
def test_ten_per_cent_either_way_is_within_the_band(
    tmp_path: Path, actual: str, alert: str | None, freeze: str
) -> None:
    out = departments_only(tmp_path, unit("U", "lead", {"C": actual}))
    found = variances(tmp_path, out, [planned(100, dept_id="C")])["budget_variance"]
    row = only(found, level="department")
    assert (alert, freeze) == (row["alert"], row["freeze"])


def test_a_line_is_frozen_above_what_the_policy_lets_pass(tmp_path: Path) -> None:
    """5 % let 105 pass and not 105.01; a total that is summed is no line."""
    out = departments_only(tmp_path, unit("U", "lead", {"C": "105.00", "D": "105.01"}))
    rows = [planned(100, dept_id="C"), planned(100, dept_id="D")]
    found = variances(tmp_path, out, rows, control="[freeze]\nabove = 0.05\n")["budget_variance"]
    frozen = {row["dept_id"]: row["freeze"] for row in found if row["level"] == "department"}
    assert {"C": "no", "D": "yes"} == frozen
    assert row_of(found, "freeze", level="unit", unit_id="U") is None


def test_what_is_over_is_approved_by_its_amount(tmp_path: Path) -> None:
    """Over by 50,000: the unit; by 50,000.01: the centre; 500,000 without a budget: the group."""
    amounts = {"C": 60_000, "D": "60000.01", "E": 500_000, "F": 1}
    out = departments_only(tmp_path, unit("U", "lead", amounts))
    rows = [planned(10_000, dept_id="C"), planned(10_000, dept_id="D"), planned(2, dept_id="F")]
    found = variances(tmp_path, out, rows)["budget_variance"]
    tiers = {r["dept_id"]: r["approval_tier"] for r in found if r["level"] == "department"}
    assert {"C": "unit", "D": "centre", "E": "leading_group", "F": None} == tiers


# The flexible budget


def test_fixed_and_variable_elements_bend_by_their_share(tmp_path: Path) -> None:
    """12 visits for 10 planned: drugs 100 + 20, staff 100 + 0, other, half variable, 100 + 10."""
    tables = book({"C": "clinical"}, [posting("C", 130, e) for e in ("drugs", "staff", "other")])
    tables["statistics"] = [statistic_of("C", 12)]
    out = departments_only(tmp_path, tables)
    rows = [planned(100, dept_id="C", element=e, volume=10) for e in ("drugs", "staff", "other")]
    found = variances(tmp_path, out, rows, control="[behaviour]\nother = 0.5\n")
    rows = [r for r in found["variance_decomposition"] if r["method"]]
    names = ("element", "flexible_budget", "volume_variance", "price_variance", "variable_share")
    assert [
        ("drugs", 120, 20, 10, 1),
        ("other", 110, 10, 20, Decimal("0.5")),
        ("staff", 100, 0, 30, 0),
    ] == [tuple(row[name] for name in names) for row in rows]


def test_departments_mix_within_one_measure(tmp_path: Path) -> None:
    """C, D by bed days 10 + 10 → 30 + 10 at 5 and 15; E by visits 10 → 20 at 1.

    Of bed days: volume 20 more at the mean of 10 = 200; mix 30 x 5 + 10 x 15 - 40 x 10 = -100. Of
    visits: 10 at 1. Σ 210 - 100, actual as the standard is.
    """
    tables = book(
        dict.fromkeys("CDE", "clinical"),
        [posting("C", 150, "drugs"), posting("D", 150, "drugs"), posting("E", 20, "drugs")],
    )
    tables["statistics"] = [
        statistic_of("C", 30, "bed_days"),
        statistic_of("C", 7),
        statistic_of("D", 10, "bed_days"),
        statistic_of("E", 20),
    ]
    out = departments_only(tmp_path, tables)
    rows = [
        planned(amount, dept_id=dept, element="drugs", volume=10)
        for dept, amount in (("C", 50), ("D", 150), ("E", 10))
    ]
    found = variances(tmp_path, out, rows)["variance_decomposition"]
    total = only(found, level="department_element", unit_id="U", dept_id="")
    assert (210, -100, 0, 0) == tuple(
        total[f"{name}_variance"] for name in ("volume", "mix", "efficiency", "price")
    )
    assert {"C": "bed_days", "D": "bed_days", "E": "visits", "": None} == {
        row["dept_id"]: row["measure"] for row in found if row["unit_id"]
    }


def test_four_effects_are_rounded_together_once(tmp_path: Path) -> None:
    """1.00 yuan for 3 visits, 2 and 4 rendered by C and D with 1 each planned: thirds of fen.

    C: volume (6 - 2) x ½ x 33⅓... Each row adds up to its variance all the same.
    """
    tables = book({"C": "clinical", "D": "clinical"}, [posting(d, 1, "drugs") for d in "CD"])
    tables["statistics"] = [statistic_of("C", 2), statistic_of("D", 4)]
    out = departments_only(tmp_path, tables)
    rows = [planned(1, dept_id=d, element="drugs", volume=3) for d in "CD"]
    found = variances(tmp_path, out, rows)["variance_decomposition"]
    effects = {
        row["dept_id"]: [str(row[f"{n}_variance"]) for n in ("volume", "mix", "price")]
        for row in found
        if row["unit_id"]
    }
    # C: 6 of 6 planned: no volume; 2 for 3: mix -33.33, price 33.33, and D the other way.
    assert {
        "C": ["0.00", "-0.33", "0.33"],
        "D": ["0.00", "0.33", "-0.33"],
        "": ["0.00", "0.00", "0.00"],
    } == effects


# Break-even


def test_a_department_breaks_even_where_its_contribution_pays_the_fixed_cost(
    tmp_path: Path,
) -> None:
    """C earns 200 (the subsidy of 50 is left out) with 100 services, drugs 80, staff 90.

    Contribution 120 of 200: 90 ÷ 0.6 = 150 of income, 90 x 100 ÷ 120 = 75 services; 25 % are to
    spare. D earns 40 with drugs 20 and staff 30: 30 x 40 ÷ 20 = 60. The unit: 120 x 240 ÷ 140.
    """
    tables = book(
        {"C": "clinical", "D": "clinical"},
        [posting("C", 80, "drugs"), posting("C", 90), posting("D", 20, "drugs"), posting("D", 30)],
    )
    tables["statistics"] = [statistic_of("C", 100)]
    sources = (("C", "inpatient", 150), ("C", "drugs", 50), ("C", "subsidy", 50), ("D", "x", 40))
    tables["income"] = [
        {"period": "2026-01", "unit_id": "U", "dept_id": d, "source": s, "amount": number(a)}
        for d, s, a in sources
    ]
    found = variances(tmp_path, departments_only(tmp_path, tables), [planned(1)])["break_even"]
    names = ("fixed_cost", "variable_cost", "contribution", "contribution_rate", "surplus",
             "break_even_income", "break_even_volume", "safety_rate", "verdict")  # fmt: skip
    assert ["90.00", "80.00", "120.00", "0.600000", "30.00", "150.00", "75.0000", "0.250000",
            "reached"] == row_of(found, *names, dept_id="C")  # fmt: skip
    d = row_of(found, "break_even_income", "break_even_volume", "verdict", dept_id="D")
    assert ["60.00", None, "not_reached"] == d
    whole = row_of(found, "income", "cost", "break_even_income", "class", "verdict", dept_id="")
    assert ["240.00", "220.00", "205.71", None, "reached"] == whole


# Requests and rewards


def test_requests_are_shared_out_between_grassroots_and_disciplines(tmp_path: Path) -> None:
    """Requests 600 + 400; approved 500 + 300. Of 1,000, T 400 = 40 %: reached; the discipline's

    149 of 1,000 are 14.9 %, its 120 of 800 approved 15 %. L's department row is within its unit's.
    """
    tables = together(unit("L", "lead", {"C": 1}), unit("T", "township", {"C": 1}))
    out = departments_only(tmp_path, tables)
    rows = [
        planned(500, unit_id="L", requested=600),
        planned(120, unit_id="L", dept_id="C", requested=149, tag="key_discipline"),
        planned(300, unit_id="T", requested=400),
    ]
    found = variances(tmp_path, out, rows)["budget_requests"]
    names = ("requested", "requested_share", "requested_met", "approved", "approved_share",
             "approved_met")  # fmt: skip
    assert ["1000.00", "1.000000", None, "800.00", "1.000000", None] == row_of(
        found, *names, scope="total"
    )
    assert ["400.00", "0.400000", "yes", "300.00", "0.375000", "no"] == row_of(
        found, *names, scope="grassroots"
    )
    assert ["149.00", "0.149000", "no", "120.00", "0.150000", "yes"] == row_of(
        found, *names, scope="key_discipline"
    )
    assert ["600.00", "unit"] == row_of(found, "requested", "approval_tier", unit_id="L")


def test_a_unit_counts_as_grassroots_by_its_flag_or_its_tag(tmp_path: Path) -> None:
    """L's tagged 10 count; T, a township that says it is none, does not: 10 of 110."""
    tables = together(unit("L", "lead", {"C": 1}), unit("T", "township", {"C": 1}))
    for row in tables["units"]:
        row["grassroots"] = False
    out = departments_only(tmp_path, tables)
    rows = [
        planned(60, unit_id="L", dept_id="C", requested=60),
        planned(10, unit_id="L", dept_id="C", requested=10, tag="grassroots"),
        planned(40, unit_id="T", requested=40),
    ]
    found = variances(tmp_path, out, rows)["budget_requests"]
    assert ["10.00", "0.090909", "no"] == row_of(
        found, "requested", "requested_share", "requested_met", scope="grassroots"
    )


def test_without_a_request_no_share_is_judged(tmp_path: Path) -> None:
    """The rows stay: that nothing was asked for is worth saying."""
    out = departments_only(tmp_path, unit("U", "lead", {"C": 1}))
    found = variances(tmp_path, out, [planned(100)])["budget_requests"]
    names = ("requested", "requested_share", "requested_met", "approved_met")
    assert ["0.00", None, None, "no"] == row_of(found, *names, scope="grassroots")


@pytest.mark.parametrize(
    ("actual", "done", "targets", "reward"),
    [
        (96, 10, "met", "2.00"),
        (95, 10, "met", "2.00"),
        (94, 10, "met", "-5.00"),
        (96, 9, "missed", "-5.00"),
        (96, None, "unknown", None),
        (94, None, "unknown", "-5.00"),
    ],
)
def test_a_reward_needs_execution_and_targets(
    tmp_path: Path, actual: int, done: int | None, targets: str, reward: str | None
) -> None:
    """2 % of 100 from 95 % on with 10 of 10 visits; else 5 % less. 95 % of the visits will do."""
    tables = unit("U", "lead", {"C": actual})
    if done is not None:
        tables["statistics"] = [statistic_of("C", done)]
    out = departments_only(tmp_path, tables)
    found = variances(tmp_path, out, [planned(100, dept_id="C", volume=10)])["budget_reward"]
    assert [targets, reward] == row_of(found, "targets", "reward", unit_id="U")


def test_a_unit_that_is_over_budget_misses_that_target(tmp_path: Path) -> None:
    out = departments_only(tmp_path, unit("U", "lead", {"C": 101}))
    control = '[reward]\ntargets = ["within_budget"]\n'
    found = variances(tmp_path, out, [planned(100)], control=control)["budget_reward"]
    assert ["missed", "-5.00"] == row_of(found, "targets", "reward", unit_id="U")


# Full cost, and the run itself


def test_a_budget_of_full_cost_is_held_against_it(tmp_path: Path) -> None:
    """S hands 30 on: C bears 130 in full and 100 directly; the unit is 130 either way."""
    tables = book({"S": "support", "C": "clinical"}, {"S": 30, "C": 100}, {"S": {"C": 1}})
    out = departments_only(tmp_path, tables)
    for cost, expected in (("direct", "100.00"), ("full_cost", "130.00")):
        control = f'[actual]\ndepartments = "{cost}"\n'
        found = variances(tmp_path, out, [planned(100, dept_id="C")], control=control)
        rows = found["budget_variance"]
        assert expected == row_of(rows, "actual", level="department", dept_id="C")
        assert "130.00" == row_of(rows, "actual", level="unit", unit_id="U")


def test_a_run_publishes_what_the_command_would_say(tmp_path: Path) -> None:
    """January and February in one batch: February's last month is the batch's January."""
    import json

    import pyarrow.parquet as pq

    tables = over_months(
        m2026_01=unit("U", "lead", {"C": 10}), m2026_02=unit("U", "lead", {"C": 20})
    )
    budget = [planned(9, dept_id="C", period=m) for m in MONTHS[:2]]
    tables["budget"] = budget
    out = published(tmp_path, tables, model("direct"), periods=MONTHS[:2], through="departments")
    run = out / json.loads((out / "CURRENT.json").read_text())["runs"]["2026-02"]["U"]
    found = variances(tmp_path, out, budget, period="2026-02")
    for name, rows in found.items():
        if name != "notes":
            assert pq.read_table(run / f"{name}.parquet").to_pylist() == rows, name
    assert "10.00" == row_of(found["budget_variance"], "last_month", level="department")
