"""Constructed examples X1 to X5, exact, and small enough for a pencil."""

from decimal import Decimal
from pathlib import Path

import pytest
from books import (
    Tables,
    book,
    case_totals,
    cost,
    figures,
    full_costs,
    handed,
    items,
    line,
    model,
    posting,
    reasons,
    stay,
    unit_costs,
)


def x1() -> Tables:
    """Return S1 = S2 = 76,000; S1 → S2 20, P1 50, P2 30; S2 → S1 25, P1 25, P2 50."""
    classes = {"S1": "support", "S2": "support", "P1": "clinical", "P2": "clinical"}
    drivers = {"S1": {"S2": 20, "P1": 50, "P2": 30}, "S2": {"S1": 25, "P1": 25, "P2": 50}}
    return book(classes, {"S1": 76_000, "S2": 76_000}, drivers)


@pytest.mark.parametrize(
    ("text", "p1", "p2"),
    [
        (model("reciprocal"), "74000.00", "78000.00"),
        (model(order='["S1", "S2"]'), "68400.00", "83600.00"),
        (model(order='["S2", "S1"]'), "78375.00", "73625.00"),
        (model("direct"), "72833.33", "79166.67"),
    ],
)
def test_x1_each_method_ends_where_the_pencil_does(
    tmp_path: Path, text: str, p1: str, p2: str
) -> None:
    """Reciprocal: x = 76,000 + ¼ y = 100,000, y = 76,000 + ⅕ x = 96,000.

    P1 50,000 + 24,000. S1 first: S2 holds 91,200, of which P1 gets a third: 38,000 + 30,400. S2
    first: S1 holds 95,000: 59,375 + 19,000. Direct: 47,500 + 25,333⅓.
    """
    results = cost(tmp_path, x1(), text, through="departments")
    assert {"P1": p1, "P2": p2} == full_costs(results)


def test_x1_reciprocal_flows(tmp_path: Path) -> None:
    """100,000 by 20 : 50 : 30 and 96,000 by 25 : 25 : 50."""
    results = cost(tmp_path, x1(), model("reciprocal"), through="departments")
    expected = {
        ("S1", "P1"): "50000.00",
        ("S1", "P2"): "30000.00",
        ("S1", "S2"): "20000.00",
        ("S2", "P1"): "24000.00",
        ("S2", "P2"): "48000.00",
        ("S2", "S1"): "24000.00",
    }
    assert expected == handed(results)


GROUPS = {"A": (20, 10, 4, 150, 2000, 5000), "B": (30, 10, 4, 100, 1000, 1500),
          "C": (50, 0, 0, 40, 300, 0)}  # fmt: skip
SERVICES = (("ward", "day"), ("theatre", "hour"), ("lab", "point"))


def test_x2_three_groups_cost_what_their_days_hours_and_points_cost(tmp_path: Path) -> None:
    """Days 20 · 10 + 30 · 10 = 500: 200 each; hours 80 + 120 = 200: 300 each; points 8,000: 5 each.

    A 2,000 + 1,200 + 750 + 7,000 = 10,950; B 2,000 + 1,200 + 500 + 2,500; C 200 + 300. In all
    20 A + 30 B + 50 C = 430,000 = 200,000 of pools + 85,000 of drugs + 145,000 of materials.
    """
    classes = {"ward": "clinical", "theatre": "clinical", "lab": "medtech"}
    catalogue = items(day=1, hour=1, point=1, drug="drugs", stent="materials")
    lines, cases = [], []
    for group, (count, *quantities, drugs, materials) in GROUPS.items():
        for case in (f"{group}{n}" for n in range(count)):
            cases.append(stay(case, group))
            lines += [
                line(dept, item, case, quantity)
                for (dept, item), quantity in zip(SERVICES, quantities, strict=True)
            ]
            lines.append(line("ward", "drug", case, direct_cost=drugs))
            lines.append(line("ward", "stent", case, direct_cost=materials))
    pools = {"ward": 100_000, "theatre": 60_000, "lab": 40_000}
    ledger = [posting(dept, amount) for dept, amount in pools.items()]
    ledger += [posting("ward", 85_000, "drugs"), posting("ward", 145_000, "materials")]
    results = cost(tmp_path, book(classes, ledger, {}, catalogue, lines, cases=cases), model())
    rows = results["drg_cost"]
    expected = {"A": "10950.000000", "B": "6200.000000", "C": "500.000000"}
    assert expected == figures(rows, "mean", "drg_id")
    assert figures(rows, "sd", "drg_id") == {"A": "0.0", "B": "0.0", "C": "0.0"}
    assert reasons(results) == {"ledger": "430000.00", "cases": "430000.00"}


def test_x3_cost_equivalents_leave_traced_drugs_and_materials_out(tmp_path: Path) -> None:
    """390,000 − 60,000 − 30,000 = 300,000 over 1,000 + 2.5 · 400 + 4 · 250 = 3,000 equivalents.

    100 each: 100, 250 and 400 a service, and 100,000 for each of the three.
    """
    ledger = [posting("D", 300_000), posting("D", 60_000, "drugs")]
    ledger.append(posting("D", 30_000, "materials"))
    catalogue = items(a=1, b="2.5", c=4, drug="drugs", stent="materials")
    lines = [line("D", item, "", n) for item, n in (("a", 1000), ("b", 400), ("c", 250))]
    lines.append(line("D", "drug", "", 600, direct_cost=60_000))
    lines.append(line("D", "stent", "", 30, direct_cost=30_000))
    tables = book({"D": "clinical"}, ledger, {}, catalogue, lines)
    results = cost(tmp_path, tables, model(), through="service-items")
    found = unit_costs(results)
    assert [found[item] for item in "abc"] == ["100.000000", "250.000000", "400.000000"]
    totals = figures(results["service_item_cost"], "total", "item_id")
    assert {totals[item] for item in "abc"} == {"100000.00"}


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ("income", ["60000.00", "100000.00", "140000.00"]),
        ("weights", ["81081.08", "97297.30", "121621.62"]),
        ("workload", ["181818.18", "72727.27", "45454.55"]),
    ],
)
def test_x4_three_coefficients_share_the_same_pool(
    tmp_path: Path, measure: str, expected: list[str]
) -> None:
    """300,000 over n = 1,000, 400, 250.

    Income 120, 200, 280 thousand: 60, 250 and 560 a service. Minutes 10, 30, 60 (Σ 37,000): 3,000,
    9,000 and 18,000 ÷ 37 a service. Volume 1,650: 2,000 ÷ 11 a service.
    """
    services = (("a", 1000, 120_000), ("b", 400, 200_000), ("c", 250, 280_000))
    lines = [line("D", item, "", n, charge=charge) for item, n, charge in services]
    tables = book({"D": "clinical"}, {"D": 300_000}, {}, items(a=10, b=30, c=60), lines)
    results = cost(tmp_path, tables, model(measure=measure), through="service-items")
    totals = figures(results["service_item_cost"], "total", "item_id")
    assert expected == [totals[item] for item in "abc"]


CHARGES = {"ward": 3000, "surgery": 8000, "lab": 1200, "drug": 2500, "material": 4000}
RATIOS = {"ward": ".8", "surgery": ".9", "lab": ".4", "drug": "1", "material": "1"}


def test_x5_cost_to_charge_is_service_units_measured_by_income(tmp_path: Path) -> None:
    """Charges 18,700 cost .8 · 3,000 + .9 · 8,000 + .4 · 1,200 + 2,500 + 4,000 = 16,580.

    A service unit is a department, whose pool is its ratio × all its charges; K is charged these
    and L twice these, at twice the cost.
    """
    classes = dict.fromkeys(CHARGES, "clinical")
    ledger = {unit: 3 * CHARGES[unit] * Decimal(ratio) for unit, ratio in RATIOS.items()}
    lines = [line(unit, "any", "K", charge=charge) for unit, charge in CHARGES.items()]
    lines += [line(unit, "any", "L", charge=2 * charge) for unit, charge in CHARGES.items()]
    cases = [stay("K"), stay("L")]
    tables = book(classes, ledger, {}, items(any=None), lines, cases=cases)
    results = cost(tmp_path, tables, model(measure="income"))
    assert case_totals(results) == {"K": "16580.00", "L": "33160.00"}
    charges = figures(results["case_cost"], "charge", "case_id")
    assert charges == {"K": "18700.00", "L": "37400.00"}
