"""Published examples: what others printed, recomputed with their data.

The numbers of A, C, D and E are read from the folder shared; those of G, I and J, a few words of
prose, stand here as facts with their source.
"""

from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from books import (
    Tables,
    book,
    cost,
    faults_of,
    figures,
    full_costs,
    handed,
    items,
    line,
    model,
    posting,
    statistic,
    unit_costs,
)

from worked_examples.published import printed, read_csv, table

CLASSES = {
    "clinical_outpatient": "clinical",
    "clinical_inpatient": "clinical",
    "medtech": "medtech",
    "auxiliary": "support",
    "admin": "admin",
}
ELEMENT_OF_ITEM = {
    "doc_att": "staff",
    "doc_assoc": "staff",
    "doc_chief": "staff",
    "nurse": "staff",
    "tech_pharm": "staff",
    "other_staff": "staff",
    "materials": "materials",
    "bldg_gen_dep": "depreciation",
    "special_eq_dep": "depreciation",
    "intangible_amort": "amortisation",
    "risk_fund": "risk_fund",
    "other_cost": "other",
}
THREE_LEVELS = """
[[departments.rule]]
givers = { class = "admin" }
pooled = true
driver = "headcount"

[[departments.rule]]
givers = { class = "support" }
driver = "own"
"""
LEVEL_3 = {"driver": 'basis = "driver"\ndriver = "own"', "quantity": 'basis = "quantity"'}


def statistics_of_a(departments: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Return the drivers: 402 by packs, 401 by executed income, 403 and 404 by inpatients."""
    columns = {"401": "opd_exec_revenue", "402": "sterile_workload"}
    columns |= {"403": "inpatients", "404": "inpatients"}
    rows = []
    for dept in departments:
        heads = sum(Decimal(value) for name, value in dept.items() if name.startswith("staff_"))
        rows.append(statistic("headcount", dept["dept"], heads))
        if CLASSES[dept["class"]] in ("clinical", "medtech"):
            rows += [statistic(giver, dept["dept"], dept[name]) for giver, name in columns.items()]
    return [row for row in rows if row["quantity"]]


def book_of_a(folder: Path) -> Tables:
    """Return example A as a book: orders are lines, and drivers of the medtech departments too."""
    departments = read_csv(folder / "A_departments.csv")
    orders = read_csv(folder / "A_medtech_orders.csv")
    ledger = [
        posting(dept["dept"], dept[f"cost_{item}"], element)
        for dept in departments
        for item, element in ELEMENT_OF_ITEM.items()
    ]
    classes = {dept["dept"]: CLASSES[dept["class"]] for dept in departments}
    lines = [
        line(order["executing_dept"], "a", "", order["annual_cases"])
        | {"ordering_dept_id": order["ordering_dept"]}
        for order in orders
    ]
    tables = book(classes, ledger, {}, items(a=1), lines)
    tables["drivers"] = statistics_of_a(departments) + [
        statistic(order["executing_dept"], order["ordering_dept"], order["annual_cases"])
        for order in orders
    ]
    return tables


def by_level(results: Tables) -> dict[tuple[str, str, str], Decimal]:
    """Return (level, receiver, element) → what it received."""
    levels = {"5": "L1", "4": "L2", "3": "L3"}
    received: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for row in results["department_flow"]:
        level = levels[row["giver_dept_id"][0]]
        received[level, row["receiver_dept_id"], row["element"]] += row["amount"]
    return received


@pytest.mark.parametrize("basis", LEVEL_3)
def test_a_three_levels_allocate_what_the_public_workbook_does(
    shared: Path, tmp_path: Path, basis: str
) -> None:
    """133 amounts by level, department and element, and six full costs: within a few fen.

    Every amount is the sum of at most eight splits, each of which is off by less than a fen, of
    balances that are themselves off by a few.
    """
    folder = shared / "oracles" / "three_level_step_down"
    text = model(rules=THREE_LEVELS, level_3=LEVEL_3[basis])
    results = cost(tmp_path, book_of_a(folder), text, through="departments")
    expected: dict[tuple[str, str, str], float] = defaultdict(float)
    for row in read_csv(folder / "A_expected_allocations.csv"):
        for item, element in ELEMENT_OF_ITEM.items():
            expected[row["level"], row["dept"], element] += float(row[item])
    found = by_level(results)
    assert {key for key, amount in expected.items() if amount} == set(found)
    assert len(found) == 133
    assert max(abs(float(found[key]) - amount) for key, amount in expected.items()) < 0.03
    full: dict[str, Decimal] = defaultdict(Decimal)
    for row in results["department_cost"]:
        full[row["dept_id"]] += row["full_cost"]
    workbook = read_csv(folder / "A_expected_full_cost.csv")
    assert len(workbook) == 6
    for row in workbook:
        assert float(row["full"]) == pytest.approx(float(full.pop(row["dept"])), abs=0.05)
    assert not any(full.values())
    assert sum(row["direct"] for row in results["department_cost"]) == Decimal("12155069.00")


def sequence(results: Tables, order: list[str], givers: list[str]) -> list[float]:
    """Return, as the examples print them: each giver's pool but the first's, and its flows."""
    flows = handed(results)
    given = figures(results["department_cost"], "handed_on", "dept_id")
    found: list[float] = []
    for giver in givers:
        found += [] if giver == givers[0] else [-float(str(given[giver]))]
        found += [float(str(flows[giver, to])) for to in order if (giver, to) in flows]
    return found


def step_down(order: list[str]) -> str:
    """Return a model that closes the departments in this order, each by its own driver."""
    names = ", ".join(f'"{name}"' for name in order)
    return model(order=f"[{names}]")


def test_c_bhima_step_down(shared: Path, tmp_path: Path) -> None:
    """Laundry by kg, Housekeeping by area, Administration by heads; a giver's own part is left out.

    Housekeeping's 5,411.7647 is three times 1,803.9216, which is printed once.
    """
    rows = table(shared, "C")
    basis = {"Laundry": "washed kg", "Housekeeping": "area m²", "Administration": "employees"}
    classes = {dept: "support" if dept in basis else "clinical" for dept in rows}
    drivers = {g: {dept: rows[dept][head] for dept in rows} for g, head in basis.items()}
    tables = book(classes, {dept: row["direct"] for dept, row in rows.items()}, drivers)
    results = cost(tmp_path, tables, step_down(list(basis)), through="departments")
    found = sequence(results, list(rows), list(basis))
    totals = [float(str(amount)) for amount in full_costs(results).values()][::-1]
    *steps, surgery, pharmacy, total, _, _ = printed(shared, "C")
    assert steps == pytest.approx([*found[:6], *found[8:]], abs=0.02)
    assert [surgery, pharmacy] == pytest.approx(totals, abs=0.02)
    assert total == sum(totals) == 172_000


def test_d_bhima_unit_test(shared: Path, tmp_path: Path) -> None:
    """Daycare and HR by employees, IT by computers, Accounting by the direct cost of the three."""
    rows = table(shared, "D")
    heads = {"employees": "employees", "computers": "computers", "**direct cost**": "direct"}
    basis = {dept: heads[row["basis"]] for dept, row in rows.items() if row["basis"]}
    classes = {dept: "support" if dept in basis else "clinical" for dept in rows}
    drivers = {g: {dept: rows[dept][head] for dept in rows} for g, head in basis.items()}
    tables = book(classes, {dept: row["direct"] for dept, row in rows.items()}, drivers)
    results = cost(tmp_path, tables, step_down(list(basis)), through="departments")
    totals = full_costs(results)
    found = sequence(results, list(rows), list(basis))
    found += [float(str(totals[dept])) for dept in rows if dept not in basis]
    *numbers, total = printed(shared, "D")
    assert numbers == pytest.approx(found, abs=0.03)
    assert total == sum(found[-3:]) == 2_400_000


def test_e_maintenance_dietary_administrative(shared: Path, tmp_path: Path) -> None:
    """Sq ft, meals (Maintenance's are left out: 37,500) and FTE.

    Dietary gets 7,500 and hands on 407,500, of which Administrative gets 27,167.
    """
    rows = table(shared, "E")
    basis = {"Maintenance": "sq ft", "Dietary": "meals", "Administrative": "FTE"}
    classes = {dept: "support" if dept in basis else "clinical" for dept in rows}
    drivers = {
        giver: {dept: row[head] for dept, row in rows.items() if row[head] != "–"}
        for giver, head in basis.items()
    }
    tables = book(classes, {dept: row["cost"] for dept, row in rows.items()}, drivers)
    results = cost(tmp_path, tables, step_down(list(basis)), through="departments")
    flows, totals = handed(results), full_costs(results)
    _, dietary, pool, administrative, total, *final = printed(shared, "E")
    assert Decimal(dietary) == Decimal(str(flows["Maintenance", "Dietary"]))
    assert Decimal(pool) == 400_000 + Decimal(str(flows["Maintenance", "Dietary"]))
    assert administrative == round(float(str(flows["Dietary", "Administrative"])))
    found = [float(str(totals[dept])) for dept in ("Laboratory", "Radiology", "Nursing")]
    assert final == pytest.approx(found, abs=0.02)
    assert total == sum(found) == 4_550_000


def test_g_two_services_and_two_products(tmp_path: Path) -> None:
    """x = 30,000 + .3 y, y = 20,000 + .3 x: 39,560.44 and 31,868.13 (catargettestprep.com).

    From S1 15,824 and 11,868, from S2 9,560 and 12,747; P1 25,384.62, P2 24,615.38.
    """
    classes = {"S1": "support", "S2": "support", "P1": "clinical", "P2": "clinical"}
    drivers = {"S1": {"P1": 4, "P2": 3, "S2": 3}, "S2": {"P1": 3, "P2": 4, "S1": 3}}
    tables = book(classes, {"S1": 30_000, "S2": 20_000}, drivers)
    results = cost(tmp_path, tables, model("reciprocal"), through="departments")
    assert full_costs(results) == {"P1": "25384.62", "P2": "24615.38"}
    flows = {key: Decimal(str(amount)) for key, amount in handed(results).items()}
    gross = {s: sum(fen for (giver, _), fen in flows.items() if giver == s) for s in ("S1", "S2")}
    assert gross == {"S1": Decimal("39560.44"), "S2": Decimal("31868.13")}
    of_products = [round(flows[s, p]) for s in ("S1", "S2") for p in ("P1", "P2")]
    assert of_products == [15_824, 11_868, 9_560, 12_747]


CUSTOMER_SERVICE = (("orders", 49_000, 70), ("inquiries", 1_400, 10), ("checks", 2_500, 20))


def test_i_activities_by_shares_of_their_time(tmp_path: Path) -> None:
    """$560,000 by 70, 10 and 20 % of the time: $8, $40 and $44.80 (HBR, Nov 2004).

    392,000 ÷ 49,000, 56,000 ÷ 1,400 and 112,000 ÷ 2,500; the surveyed share is the measure.
    """
    lines = [line("D", item, "", n, charge=share) for item, n, share in CUSTOMER_SERVICE]
    catalogue = items(orders=None, inquiries=None, checks=None)
    tables = book({"D": "clinical"}, {"D": 560_000}, {}, catalogue, lines)
    results = cost(tmp_path, tables, model(measure="income"), through="service-items")
    expected = {"checks": "44.800000", "inquiries": "40.000000", "orders": "8.000000"}
    assert expected == unit_costs(results)


def test_i_practical_capacity_is_not_available_yet(tmp_path: Path) -> None:
    """$0.80 a minute of 700,000, $97,120 unused: refused until it is built."""
    lines = [line("D", item, "", n) for item, n, _ in CUSTOMER_SERVICE]
    tables = book({"D": "clinical"}, {"D": 560_000}, {}, items(orders=8, inquiries=44, checks=50))
    tables["service_lines"] = lines
    text = model(measure="capacity")
    assert faults_of(tmp_path, tables, text, through="service-items") == ["model-not-available"]


def test_j_relative_value_units(tmp_path: Path) -> None:
    """$200,000 ÷ (3 · 1,000 + 9 · 1,700 + 15 · 300 = 22,800) = 8.77193 (homeworksource.com).

    26.3158, 78.9474 and 131.5789 a service, as near as whole fen of each level come to it; with
    15 % on top level III is 151.3158.
    """
    volumes = {"I": 1_000, "II": 1_700, "III": 300}
    lines = [line("D", level, "", n) for level, n in volumes.items()]
    tables = book({"D": "clinical"}, {"D": 200_000}, {}, items(I=3, II=9, III=15), lines)
    results = cost(tmp_path, tables, model(), through="service-items")
    totals = figures(results["service_item_cost"], "total", "item_id")
    assert totals == {"I": "26315.79", "II": "134210.53", "III": "39473.68"}
    found = {level: float(str(unit_cost)) for level, unit_cost in unit_costs(results).items()}
    for level, unit_cost in {"I": 26.3158, "II": 78.9474, "III": 131.5789}.items():
        assert unit_cost == pytest.approx(found[level], abs=0.005 / volumes[level] + 0.00005)
    assert pytest.approx(151.3158, abs=0.0001) == 1.15 * found["III"]


def test_j2_labour_minutes(tmp_path: Path) -> None:
    """$5,000 over a weight of 3,250: 1.53846; an elbow is 20 minutes, 50 of them 1,538.46.

    Source: help.axiom.cloud; what else was done weighs 2,250.
    """
    lines = [line("D", "elbow", "", 50), line("D", "rest", "", 1)]
    tables = book({"D": "clinical"}, {"D": 5_000}, {}, items(elbow=20, rest=2_250), lines)
    results = cost(tmp_path, tables, model(), through="service-items")
    totals = figures(results["service_item_cost"], "total", "item_id")
    assert totals == {"elbow": "1538.46", "rest": "3461.54"}
