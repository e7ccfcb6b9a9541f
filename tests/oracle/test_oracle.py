"""The oracle against hand arithmetic, its own identities and two real books."""

import csv
import datetime
import tomllib
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from oracle.book import ELEMENTS
from oracle.chain import cost_book, cost_cases_exact, cost_departments_exact
from oracle.generated_books import PERIODS, make_book, to_toml
from oracle.parquet_tables import read_tables, write_tables
from oracle.refused import Refused
from oracle.result_tables import KEYS
from oracle.rounding import Rounding, complete, half_away, split, split_cells

Row = dict[str, Any]
Tables = dict[str, list[Row]]
MONTH = "2026-01"
REAL = Path(__file__).resolve().parents[3] / "shared" / "real"
needs_first_hospital = pytest.mark.skipif(
    not (REAL / "first_hospital_1997").exists(), reason="shared/real is not here"
)
needs_hospices = pytest.mark.skipif(
    not (REAL / "hospice_cost_reports").exists(), reason="shared/real is not here"
)


def model_of(method: str = "direct", item_method: str = "weights", **departments: Any) -> Row:
    """Return a model in which every giver has its own driver."""
    rule = {"givers": {"class": "support"}, "driver": "own"}
    return {
        "model": {
            "id": "test",
            "title": "Test",
            "authority": "none",
            "effective_from": datetime.date(2026, 1, 1),
        },
        "departments": {"method": method, "rule": [rule], **departments},
        "service_items": {"method": item_method},
        "cases": {"method": "bottom-up"},
    }


def book_of(
    direct: dict[str, int], statistics: dict[str, dict[str, int]], element: str = "staff"
) -> Tables:
    """Return unit U with the posted yuan; who has statistics is a support department."""
    key = {"period": MONTH, "unit_id": "U"}
    return {
        "units": [{"unit_id": "U", "kind": "lead"}],
        "departments": [
            {"unit_id": "U", "dept_id": d, "class": "support" if d in statistics else "clinical"}
            for d in direct
        ],
        "ledger": [
            {**key, "dept_id": dept, "element": element, "amount": Decimal(amount)}
            for dept, amount in direct.items()
        ],
        "drivers": [
            {**key, "driver": giver, "dept_id": dept, "quantity": Decimal(quantity)}
            for giver, row in statistics.items()
            for dept, quantity in row.items()
        ],
    }


def add_services(
    tables: Tables, items: dict[str, Any], lines: list[tuple[str, str, str, Any]], **of_all: Any
) -> Tables:
    """Add items (weight, or element of a direct item) and lines (dept, item, case, quantity)."""
    is_direct = {item: isinstance(value, str) for item, value in items.items()}
    tables["service_items"] = [
        {"item_id": i, "basis": "direct", "element": v}
        if is_direct[i]
        else {"item_id": i, "basis": "shared"}
        for i, v in items.items()
    ]
    tables["item_weights"] = [
        {"item_id": item, "weight": Decimal(weight)}
        for item, weight in items.items()
        if not is_direct[item]
    ]
    tables["service_lines"] = [
        {
            "period": MONTH,
            "unit_id": "U",
            "dept_id": dept,
            "item_id": item,
            "case_id": case,
            "quantity": Decimal(quantity),
            "direct_cost": Decimal(quantity) if is_direct[item] else None,
            **of_all,
        }
        for dept, item, case, quantity in lines
    ]
    return tables


def full_costs(tables: Tables, model: Row) -> dict[str, Decimal]:
    """Return the full cost of every department that has one."""
    results = cost_book(tables, model, MONTH, through="departments")
    return {r["dept_id"]: r["full_cost"] for r in results["department_cost"] if r["full_cost"]}


def unit_costs(tables: Tables, model: Row) -> dict[str, Decimal]:
    """Return the unit cost of every item."""
    results = cost_book(tables, model, MONTH, through="service-items")
    return {row["item_id"]: row["unit_cost"] for row in results["service_item_cost"]}


X1 = (
    {"S1": 76_000, "S2": 76_000, "P1": 0, "P2": 0},
    {"S1": {"S2": 20, "P1": 50, "P2": 30}, "S2": {"S1": 25, "P1": 25, "P2": 50}},
)


@pytest.mark.parametrize(
    ("method", "order", "p1", "p2"),
    [
        ("reciprocal", [], "74000.00", "78000.00"),
        ("step-down", ["S1", "S2"], "68400.00", "83600.00"),
        ("step-down", ["S2", "S1"], "78375.00", "73625.00"),
        ("direct", [], "72833.33", "79166.67"),
    ],
)
def test_x1_each_method_ends_where_the_pencil_does(
    method: str, order: list[str], p1: str, p2: str
) -> None:
    """x = 100,000, y = 96,000; S2 first: pool S1 95,000; direct 218,500/3 and 237,500/3.

    S1 first: S2 holds 91,200, of which P1 gets a third: 38,000 × 5/5 + 30,400 = 68,400.
    """
    expected = {"P1": Decimal(p1), "P2": Decimal(p2)}
    assert expected == full_costs(book_of(*X1), model_of(method, order=order))


def test_x2_three_groups_cost_what_their_days_hours_and_points_cost() -> None:
    """200 a day, 300 an hour, 5 a point: A 10,950, B 6,200, C 500; Σ 430,000."""
    groups = {
        "A": (20, (10, 4, 150, 2000, 5000)),
        "B": (30, (10, 4, 100, 1000, 1500)),
        "C": (50, (0, 0, 40, 300, 0)),
    }
    items = {"day": 1, "hour": 1, "point": 1, "drug": "drugs", "stent": "materials"}
    places = ("ward", "theatre", "lab", "ward", "ward")
    cases = [(f"{g}{n}", g) for g, (count, _) in groups.items() for n in range(count)]
    tables = book_of({"ward": 100_000, "theatre": 60_000, "lab": 40_000}, {})
    for element, amount in (("drugs", 85_000), ("materials", 145_000)):
        tables["ledger"] += book_of({"ward": amount}, {}, element)["ledger"]
    lines = [
        (place, item, case, quantity)
        for case, group in cases
        for place, item, quantity in zip(places, items, groups[group][1], strict=True)
    ]
    add_services(tables, items, lines)
    tables["cases"] = [
        {"period": MONTH, "unit_id": "U", "case_id": case, "drg_id": group,
         "setting": "inpatient", "discharged": datetime.date(2026, 1, 31)}
        for case, group in cases
    ]  # fmt: skip
    rows = cost_book(tables, model_of(), MONTH)["drg_cost"]
    means = {row["drg_id"]: row["mean"] for row in rows}
    assert {"A": Decimal("10950"), "B": Decimal("6200"), "C": Decimal("500")} == means
    assert Decimal("430000.00") == sum(row["total"] for row in rows)


def test_x3_cost_equivalents_leave_traced_drugs_and_materials_out() -> None:
    """390,000 − 60,000 − 30,000 = 300,000 over 3,000 equivalents: 100 each; 100/250/400."""
    tables = book_of({"D": 300_000}, {})
    for element, amount in (("drugs", 60_000), ("materials", 30_000)):
        tables["ledger"] += book_of({"D": amount}, {}, element)["ledger"]
    items = {"a": 1, "b": Decimal("2.5"), "c": 4, "drug": "drugs", "stent": "materials"}
    quantities = (1000, 400, 250, 60_000, 30_000)
    lines = [("D", item, "", quantity) for item, quantity in zip(items, quantities, strict=True)]
    add_services(tables, items, lines)
    costs = unit_costs(tables, model_of())
    assert [Decimal(100), Decimal(250), Decimal(400)] == [costs[item] for item in "abc"]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("income", ["60", "250", "560"]),
        ("weights", ["81.081080", "243.243250", "486.486480"]),
        ("workload", ["181.818180", "181.818175", "181.818200"]),
    ],
)
def test_x4_three_coefficients_share_the_same_pool(method: str, expected: list[str]) -> None:
    """300,000 by income 120/200/280 thousand, minutes 10/30/60 (÷ 37,000), volume (÷ 1,650).

    Weights: 81,081.08 | 97,297.30 | 121,621.62. Workload: 181,818.18 | 72,727.27 | 45,454.55.
    """
    tables = book_of({"D": 300_000}, {})
    lines = [("D", "a", "", 1000), ("D", "b", "", 400), ("D", "c", "", 250)]
    add_services(tables, {"a": 10, "b": 30, "c": 60}, lines)
    for line, charge in zip(tables["service_lines"], (120_000, 200_000, 280_000), strict=True):
        line["charge"] = Decimal(charge)
    assert [Decimal(cost) for cost in expected] == list(
        unit_costs(tables, model_of(item_method=method)).values()
    )


def test_j_relative_values() -> None:
    """200,000 ÷ (3·1000 + 9·1700 + 15·300 = 22,800): 26,315.79 | 134,210.53 | 39,473.68."""
    lines = [("D", "1", "", 1000), ("D", "2", "", 1700), ("D", "3", "", 300)]
    tables = add_services(book_of({"D": 200_000}, {}), {"1": 3, "2": 9, "3": 15}, lines)
    costs = unit_costs(tables, model_of())
    expected = {"1": Decimal("26.315790"), "2": Decimal("78.947371"), "3": Decimal("131.578933")}
    assert expected == costs


def test_g_reciprocal_flows() -> None:
    """x = 30,000 + .3 y, y = 20,000 + .3 x: 39,560.44 and 31,868.13."""
    tables = book_of(
        {"S1": 30_000, "S2": 20_000, "P1": 0, "P2": 0},
        {"S1": {"P1": 4, "P2": 3, "S2": 3}, "S2": {"P1": 3, "P2": 4, "S1": 3}},
    )
    results = cost_book(tables, model_of("reciprocal"), MONTH, through="departments")
    flows = {
        (row["giver_dept_id"], row["receiver_dept_id"]): row["amount"]
        for row in results["department_flow"]
    }
    given = {g: sum(a for (giver, _), a in flows.items() if giver == g) for g in ("S1", "S2")}
    assert {"S1": Decimal("39560.44"), "S2": Decimal("31868.13")} == given
    assert Decimal("15824.18") == flows["S1", "P1"]
    assert Decimal("12747.25") == flows["S2", "P2"]
    expected = {"P1": Decimal("25384.62"), "P2": Decimal("24615.38")}
    assert expected == full_costs(tables, model_of("reciprocal"))


def test_c_step_down_excludes_the_givers_own_quantity() -> None:
    """Laundry by kg, housekeeping by area, administration by heads: 60,732.03 and 111,267.97."""
    names = ("Laundry", "Housekeeping", "Administration", "Surgery", "Pharmacy")
    direct = dict(zip(names, (7000, 5000, 20_000, 40_000, 100_000), strict=True))
    rows = ((5, 5, 20, 40, 20), (50, 50, 100, 100, 100), (2, 2, 2, 4, 2))
    statistics = {
        giver: dict(zip(names, row, strict=True))
        for giver, row in zip(names[:3], rows, strict=True)
    }
    model = model_of("step-down", order=list(names[:3]))
    expected = {"Surgery": Decimal("60732.03"), "Pharmacy": Decimal("111267.97")}
    assert expected == full_costs(book_of(direct, statistics), model)


def test_halves_go_away_from_zero() -> None:
    """2.5 → 3, −2.5 → −3, 2.4 → 2."""
    expected = [3, -3, 2]
    assert expected == [half_away(Fraction(n, 10)) for n in (25, -25, 24)]


def test_a_split_is_its_own_mirror_image_and_ties_go_by_key() -> None:
    """10 ÷ 3: the fen goes to `a`; −10 ÷ 3: likewise, with its sign."""
    weights = {key: Fraction(1) for key in "cab"}
    expected = {"a": 4, "b": 3, "c": 3}
    assert expected == split(10, weights)
    assert {key: -part for key, part in expected.items()} == split(-10, weights)


def test_mixed_signs_add_up_to_the_amount() -> None:
    """7 by 5 : −2 : 1 is 8.75, −3.5, 1.75: the missing fen goes to the tie's first, `a`."""
    expected = {"a": 9, "b": -3, "c": 1}
    assert expected == split(7, {"a": Fraction(5), "b": Fraction(-2), "c": Fraction(1)})


def test_what_is_missing_goes_round_again() -> None:
    """7 missing over two parts, in steps of 2: 2 + 2 to `a`, 2 + the rest 1 to `b`."""
    expected = {"a": 4, "b": 3}
    assert expected == complete({"a": Fraction(0), "b": Fraction(0)}, 7, 2)


def test_the_largest_cell_takes_the_whole_difference() -> None:
    """100.00 over 3 in whole yuan: 33 each, the missing yuan to `a`; `z` has no statistic."""
    weights = {"b": Fraction(1), "a": Fraction(1), "c": Fraction(1), "z": Fraction(0)}
    expected = {"a": 3400, "b": 3300, "c": 3300}
    assert expected == split_cells(10_000, weights, Rounding(6, 0, "largest"))


def plain_book() -> tuple[Tables, Row]:
    """Return a book that is accepted: S gives to P, which serves case K."""
    tables = book_of({"S": 100, "P": 100}, {"S": {"P": 1}})
    add_services(tables, {"a": 1, "drug": "drugs"}, [("P", "a", "K", 1)])
    tables["cases"] = [
        {"period": MONTH, "unit_id": "U", "case_id": "K", "drg_id": "G", "setting": "outpatient",
         "payer": "resident"}
    ]  # fmt: skip
    return tables, model_of("step-down", order=["support"])


def add_line(tables: Tables, **changes: Any) -> None:
    """Add a copy of the first line with some columns changed."""
    tables["service_lines"].append({**tables["service_lines"][0], **changes})


def set_statistic(tables: Tables, *quantities: int) -> None:
    """Give the first drivers other quantities."""
    for row, quantity in zip(tables["drivers"], quantities, strict=False):
        row["quantity"] = Decimal(quantity)


def mutual_book(*rows: dict[str, int]) -> Tables:
    """Return S1 and S2 with these statistics and 100 yuan each."""
    return book_of({"S1": 100, "S2": 100, "P": 0}, dict(zip(("S1", "S2"), rows, strict=True)))


PLAIN_FAULTS: dict[str, Callable[[Tables, Row], Any]] = {
    "driver-gap": lambda t, m: t["drivers"].clear(),
    "driver-total-not-positive": lambda t, m: set_statistic(t, 0),
    "giver-without-rule": lambda t, m: m["departments"]["rule"].clear(),
    "giver-not-in-order": lambda t, m: m["departments"]["order"].clear(),
    "net-activity-too-small": lambda t, m: t["service_lines"].extend(
        t["service_lines"][0] | {"quantity": Decimal(q), "case_id": c}
        for q, c in ((100, "K"), (-100, None))
    ),
    "weight-missing": lambda t, m: t["item_weights"][0].update(element="drugs"),
    "direct-cost-not-in-ledger": lambda t, m: add_line(t, item_id="drug", direct_cost=Decimal(1)),
    "case-not-listed": lambda t, m: add_line(t, case_id="L"),
    "price-ambiguous": lambda t, m: t.update(
        drg_prices=[
            {"drg_id": "G", "price": Decimal(1), "unit_id": "U"},
            {"drg_id": "G", "price": Decimal(1), "payer": "resident"},
        ]
    ),
}


@pytest.mark.parametrize("code", PLAIN_FAULTS)
def test_a_faulty_book_is_refused_by_name(code: str) -> None:
    """The plain book is accepted, and each change makes the one fault."""
    tables, model = plain_book()
    cost_book(tables, model, MONTH)
    PLAIN_FAULTS[code](tables, model)
    with pytest.raises(Refused) as refused:
        cost_book(tables, model, MONTH)
    assert [code] == refused.value.codes


@pytest.mark.parametrize(
    ("code", "rows"),
    [
        ("closed-loop", ({"S2": 1}, {"S1": 1})),
        ("gross-cost-out-of-bound", ({"S2": 9_999_999, "P": 1}, {"S1": 9_999_999, "P": 1})),
        ("singular-system", ({"S2": 2, "P": -1}, {"S1": 1, "P": 1})),
    ],
)
def test_a_system_without_a_usable_solution_is_refused(code: str, rows: Any) -> None:
    """The last: x hands on 2 x and −x, y a half and a half: 1 − 2 · ½ = 0."""
    with pytest.raises(Refused) as refused:
        cost_book(mutual_book(*rows), model_of("reciprocal"), MONTH, through="departments")
    assert [code] == refused.value.codes


def require_equal_sums(totals: dict[str, dict[Any, Decimal]], left: str, *right: str) -> None:
    """Require Σ left = Σ right for every unit and element."""
    for key in set().union(*totals.values()):
        total = sum((totals[name].get(key, Decimal(0)) for name in right), Decimal(0))
        assert totals[left].get(key, Decimal(0)) == total, (key, left, right)


def totals_of(results: Tables) -> dict[str, dict[Any, Decimal]]:
    """Return every reason's and every result's total by unit and element."""
    totals: dict[str, dict[Any, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in results["reconciliation"]:
        totals[row["reason"]][row["unit_id"], row["element"]] += row["amount"]
    for row in results["department_cost"]:
        for column in ("direct", "pool", "full_cost"):
            totals[column][row["unit_id"], row["element"]] += row[column]
    for name in ("service_item_cost", "case_cost", "drg_cost", "work_in_progress"):
        for row in results[name]:
            for element in ELEMENTS:
                totals["Σ " + name][row["unit_id"], element] += row[element]
    for row in results["intercompany"]:
        totals["Σ intercompany"][row["from_unit_id"], row["element"]] += row["amount"]
    for key, amount in totals["opening_work_in_progress"].items():
        totals["opening"][key] = -amount
    return totals


def require_identities(results: Tables) -> None:
    """Require every identity of rule 3, row by row and in sum."""
    totals = totals_of(results)
    reasons = {row["reason"] for row in results["reconciliation"]} - {"ledger"}
    require_equal_sums(totals, "ledger", "out_of_scope", "full_cost")
    require_equal_sums(totals, "full_cost", "direct")
    require_equal_sums(totals, "direct", "pool", "non_medical", "undistributed")
    require_equal_sums(totals, "pool", "Σ service_item_cost", "idle_capacity", "no_activity")
    totals["cases in"] = {
        key: totals["Σ service_item_cost"].get(key, Decimal(0)) + totals["opening"].get(key, 0)
        for key in {*totals["Σ service_item_cost"], *totals["opening"]}
    }
    away = ("unlinked_service", "other_unit", "late_cost")
    require_equal_sums(totals, "cases in", "Σ case_cost", *away)
    require_equal_sums(totals, "cases", "Σ drg_cost")
    require_equal_sums(totals, "work_in_progress", "Σ work_in_progress")
    require_equal_sums(totals, "other_unit", "Σ intercompany")
    require_equal_sums(totals, "ledger", *reasons)
    for row in results["department_cost"]:
        came = row["direct"] + row["from_admin"] + row["from_support"] + row["from_medtech"]
        assert row["full_cost"] == came + row["handed_on"]
    for name, rows in results.items():
        keys = [tuple(str(row[column]).encode() for column in KEYS[name]) for row in rows]
        assert sorted(set(keys)) == keys


@pytest.mark.parametrize("seed", range(60))
def test_every_identity_holds_on_a_generated_book(seed: int) -> None:
    """Both periods of the book balance to the fen, or the book is refused."""
    tables, model = make_book(seed)
    assert model == tomllib.loads(to_toml(model))
    for period in PERIODS:
        try:
            results = cost_book(tables, model, period)
        except Refused:
            continue
        require_identities(results)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("through", ["departments", "service-items"])
def test_a_shorter_run_reconciles_and_shows_the_same_money(seed: int, through: str) -> None:
    """What is not carried further is Σ pool, or Σ service_item_cost; other tables do not change."""
    tables, model = make_book(seed)
    whole = cost_book(tables, model, MONTH)
    results = cost_book(tables, model, MONTH, through=through)
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    for row in results["reconciliation"]:
        amounts[row["reason"]] += row["amount"]
    last = {
        "departments": ("department_cost", "pool"),
        "service-items": ("service_item_cost", "total"),
    }
    name, column = last[through]
    assert amounts["not_carried_further"] == sum(row[column] for row in results[name])
    assert 2 * amounts["ledger"] == sum(amounts.values())
    for name in results.keys() - {"reconciliation"}:
        assert whole[name] == results[name]


@pytest.mark.parametrize("seed", range(10))
def test_a_unit_alone_costs_what_it_costs_among_others(seed: int) -> None:
    """The rows of unit U1 are the same, also for cases of units that are not costed."""
    tables, model = make_book(seed)
    whole = cost_book(tables, model, MONTH)
    alone = cost_book(tables, model, MONTH, units=["U1"])
    for name, rows in whole.items():
        unit = KEYS[name][1]
        assert [row for row in rows if row[unit] == "U1"] == alone[name]


def test_most_generated_books_are_accepted() -> None:
    """At least 85 % of the first hundred."""
    accepted = 0
    for seed in range(100):
        tables, model = make_book(seed)
        try:
            accepted += all(cost_book(tables, model, period) for period in PERIODS)
        except Refused:
            continue
    assert accepted >= 85


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("pieces", [1, 3])
def test_a_written_book_costs_the_same(seed: int, pieces: int, tmp_path: Path) -> None:
    """Dictionary encoding, row groups and several files change nothing."""
    tables, model = make_book(seed)
    write_tables(tables, tmp_path, dictionary=True, row_group_size=7, pieces=pieces)
    expected = cost_book(tables, model, MONTH)
    assert expected == cost_book(read_tables(tmp_path), model, MONTH)


def expected_of(name: str, key: str, value: str) -> dict[str, float]:
    """Return two columns of one of the first hospital's expected tables."""
    path = REAL / "first_hospital_1997" / "expected" / f"{name}.csv"
    with path.open(encoding="utf-8") as file:
        return {row[key]: float(row[value]) for row in csv.DictReader(file)}


def first_hospital(model: str) -> tuple[Tables, Row, str]:
    """Return the first hospital's book, one of its models and its period."""
    folder = REAL / "first_hospital_1997"
    text = (folder / f"{model}.toml").read_text(encoding="utf-8")
    return read_tables(folder / "book"), tomllib.loads(text), "1997-06"


@needs_first_hospital
@pytest.mark.parametrize("method", ["step_down", "reciprocal"])
def test_first_hospital_departments_cost_what_its_own_engine_says(method: str) -> None:
    """148 departments within 0.006."""
    expected = expected_of(f"department_cost_{method}", "dept_id", "cost")
    totals: dict[str, Fraction] = defaultdict(Fraction)
    for (_, dept, _), amount in cost_departments_exact(*first_hospital(method)).items():
        totals[dept] += amount
    assert len(expected) == 148
    assert set(totals) <= set(expected)
    assert max(abs(float(totals[dept]) - cost) for dept, cost in expected.items()) < 0.006


@needs_first_hospital
def test_first_hospital_cases_cost_what_its_own_engine_says() -> None:
    """404 inpatient cases and 159 DRG groups within 0.10; the reconciliation to the fen."""
    book = first_hospital("step_down")
    exact = cost_cases_exact(*book)
    cases = expected_of("inpatient_case_cost", "case_id", "total")
    assert len(cases) == 404
    assert max(abs(float(exact["FIRST", case]) - cost) for case, cost in cases.items()) < 0.10
    results = cost_book(*book)
    groups = expected_of("drg_cost", "drg", "total")
    costed = {row["drg_id"]: float(row["total"]) for row in results["drg_cost"]}
    assert len(groups) == 159
    assert groups.keys() == costed.keys()
    assert max(abs(costed[drg] - cost) for drg, cost in groups.items()) < 0.10
    reasons: dict[str, Decimal] = defaultdict(Decimal)
    for row in results["reconciliation"]:
        reasons[row["reason"]] += row["amount"]
    assert reasons == {
        "ledger": Decimal("1060115.50"),
        "cases": Decimal("858990.76"),
        "visits": Decimal("198421.55"),
        "non_medical": Decimal("2703.19"),
    }


@needs_hospices
def test_hospices_cost_what_they_filed() -> None:
    """3,445 cells of column 0700 and 6,926 of the givers' columns: column 0100 is giver 00100.

    A giver's own line in its own column is the balance that it hands on.
    """
    folder = REAL / "hospice_cost_reports"
    model = tomllib.loads((folder / "cms_rounding.toml").read_text(encoding="utf-8"))
    results = cost_book(read_tables(folder / "book"), model, "2014-12", through="departments")
    computed: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for row in results["department_cost"]:
        computed[row["unit_id"], row["dept_id"], "0700"] += row["full_cost"]
    for row in results["department_flow"]:
        unit, giver = row["unit_id"], row["giver_dept_id"]
        computed[unit, row["receiver_dept_id"], giver[1:]] += row["amount"]
        computed[unit, giver, giver[1:]] += row["amount"]
    filed = [
        row
        for row in pq.read_table(folder / "expected.parquet").to_pylist()
        if row["column"] != "0000"
    ]
    assert sum(row["column"] == "0700" for row in filed) == 3445
    assert sum(row["column"] != "0700" for row in filed) == 6926
    wrong = [
        row
        for row in filed
        if computed[row["unit_id"], row["dept_id"], row["column"]] != Decimal(row["amount"])
    ]
    assert not wrong
