"""Choices the contract leaves open in level 3, in services and in files."""

from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from books import (
    Tables,
    book,
    cost,
    costed,
    faults_of,
    figures,
    full_costs,
    handed,
    items,
    joined,
    line,
    model,
    posting,
    reasons,
    stay,
    unit_costs,
    ward,
    written,
)

LAB = {"M": "medtech", "C": "clinical", "D": "clinical"}


def lab(*lines: dict, drivers: dict | None = None) -> Tables:
    """Return a book with 12 yuan in the laboratory M and 1 yuan in each of two wards."""
    stays = [stay("K", dept_id="C"), stay("L", dept_id="D")]
    return book(LAB, {"M": 12, "C": 1, "D": 1}, drivers, items(a=1), lines, cases=stays)


@pytest.mark.verdict("Level 3 by a driver whose total is zero or below")
def test_orders_that_add_up_to_nothing_are_refused(tmp_path: Path) -> None:
    """C 2 and D -2 are 0."""
    tables = lab(line("M", "a", "K"), drivers={"orders": {"C": 2, "D": -2}})
    text = model(
        level_3='basis = "driver"\ndriver = "orders"',
        departments='negative_statistics = "allow"',
    )
    assert ["driver-total-not-positive"] == faults_of(tmp_path, tables, text)


@pytest.mark.verdict("Level 3, an ordering department that is not open in the month")
def test_a_ward_that_is_closed_receives_nothing_at_level_3(tmp_path: Path) -> None:
    """K's ward C orders 1 and L's ward D orders 3; D closed in December, so C gets all 12."""
    tables = lab(line("M", "a", "K", 1, charge=1), line("M", "a", "L", 3, charge=3))
    tables["departments"][2]["valid_to"] = "2025-12"
    tables["ledger"] = [row for row in tables["ledger"] if row["dept_id"] != "D"]
    results = cost(tmp_path, tables, model(level_3='basis = "charge"'))
    assert {("M", "C"): "12.00"} == handed(results)


@pytest.mark.verdict("Level 3 by charge or quantity in a book without service_lines")
def test_without_lines_the_laboratory_keeps_its_cost_and_a_note_says_so(tmp_path: Path) -> None:
    tables = {k: v for k, v in lab().items() if k not in ("service_items", "cases")}
    text = model(level_3='basis = "charge"')
    result = costed(tmp_path, tables, text, through="departments")
    rows = result.tables["department_cost"].to_pylist()
    assert {"M": "12.00", "C": "1.00", "D": "1.00"} == full_costs({"department_cost": rows})
    assert any("left with cost at level 3" in note for note in result.notes)


@pytest.mark.verdict("`multiplier_decimals` at level 3 by charge")
def test_the_multiplier_is_yuan_per_yuan_charged(tmp_path: Path) -> None:
    """12 yuan for 7 yuan charged are 1.714 a yuan: C 3 x 1.714 = 5.14, D the other 6.86."""
    tables = lab(line("M", "a", "K", 1, charge=3), line("M", "a", "L", 1, charge=4))
    text = model(
        level_3='basis = "charge"',
        rounding='multiplier_decimals = 3\namount_decimals = 2\nresidual = "largest"',
    )
    assert {("M", "C"): "5.14", ("M", "D"): "6.86"} == handed(cost(tmp_path, tables, text))


@pytest.mark.verdict("What departments hand to each other exceeds 10^18 fen")
def test_gross_cost_that_no_column_holds_is_refused(tmp_path: Path) -> None:
    """4e15 yuan, of which 99.9 % come back each time, are 4e18 yuan in gross cost."""
    classes = {"S": "support", "T": "support", "C": "clinical"}
    shares = {"S": {"T": 999, "C": 1}, "T": {"S": 999, "C": 1}}
    tables = book(classes, {"S": 4 * 10**15}, shares)
    assert ["amount-out-of-range"] == faults_of(
        tmp_path, tables, model("reciprocal"), through="departments"
    )


@pytest.mark.verdict("Reciprocal: a giver that serves no department that does not give")
def test_the_last_fen_of_a_giver_of_givers_go_by_complete_shares(tmp_path: Path) -> None:
    """A (4 fen) serves S and T alike; S serves A 1 : C 1; T (3 fen) serves A 1 : D 2.

    a = 4 + s/2 + t/3, s = a/2, t = 3 + a/2: a = 60/7, s = 30/7, t = 51/7, so 9, 4 and 7 fen.
    Split: A gives S 5, T 4; S gives A 2, C 2; T gives A 2, D 5. Left on A are 4 + 2 + 2 - 9 = -1,
    on S 5 - 4 = 1, which goes to C by S's own statistic. A has none outside: 3/7 of its cost end
    on C and 4/7 on D, so D takes the -1.
    """
    classes = {"A": "admin", "S": "support", "T": "support", "C": "clinical", "D": "clinical"}
    shares = {"A": {"S": 1, "T": 1}, "S": {"A": 1, "C": 1}, "T": {"A": 1, "D": 2}}
    tables = book(classes, {"A": "0.04", "T": "0.03"}, shares)
    results = cost(tmp_path, tables, model("reciprocal"), through="departments")
    expected = {
        ("A", "S"): "0.05", ("A", "T"): "0.04", ("A", "D"): "-0.01",
        ("S", "A"): "0.02", ("S", "C"): "0.03",
        ("T", "A"): "0.02", ("T", "D"): "0.05",
    }  # fmt: skip
    assert expected == handed(results)
    assert {"C": "0.03", "D": "0.04"} == full_costs(results)


@pytest.mark.verdict("The income method and lines without the column charge")
def test_income_without_charges_is_refused(tmp_path: Path) -> None:
    assert ["measure-missing"] == faults_of(
        tmp_path, ward(line("C", "a", "K")), model(measure="income")
    )


@pytest.mark.verdict("Services of a support, admin or non_medical department")
def test_a_support_departments_services_cost_nothing(tmp_path: Path) -> None:
    """S hands its 10 on to C, whose own item bears the 15; S's drug is not traced."""
    tables = book(
        {"S": "support", "C": "clinical"},
        [posting("S", 10, "drugs"), posting("C", 5, "drugs")],
        {"S": {"C": 1}},
        items(a=1, d="drugs"),
        [line("S", "d", "K", direct_cost=7), line("S", "a", "K"), line("C", "a", "K")],
        cases=[stay("K")],
    )
    results = cost(tmp_path, tables, model())
    costs = figures(results["service_item_cost"], "drugs", "dept_id", "item_id")
    assert {("C", "a"): "15.00"} == costs


@pytest.mark.verdict("A line of a direct item without direct_cost")
def test_a_drug_without_a_purchase_cost_is_refused(tmp_path: Path) -> None:
    tables = ward(line("C", "d", "K"), services=items(d="drugs"))
    assert ["direct-cost-missing"] == faults_of(tmp_path, tables, model())


@pytest.mark.verdict("The scheme of a case that names none")
def test_the_only_scheme_of_the_catalogue_is_every_cases(tmp_path: Path) -> None:
    tables = ward(line("C", "a", "K"), line("C", "a", "L"), cases=[stay("K"), stay("L", None)])
    tables["drg_groups"] = [{"scheme": "X 1", "drg_id": "G"}]
    found = cost(tmp_path, tables, model())["case_cost"]
    assert {"K": "X 1", "L": "X 1"} == figures(found, "scheme", "case_id")


@pytest.mark.verdict("Price and margin in `out_case_cost`")
def test_a_stay_that_goes_on_has_no_price_yet(tmp_path: Path) -> None:
    """K is costed: 60 against 50. L, of the same group, is still in the house."""
    stays = [stay("K"), stay("L", discharged=None)]
    tables = ward(line("C", "a", "K"), line("C", "a", "L"), cases=stays)
    tables["drg_prices"] = [{"drg_id": "G", "price": Decimal(60)}]
    found = cost(tmp_path, tables, model())["case_cost"]
    assert {"K": "60.00", "L": None} == figures(found, "price", "case_id")
    assert {"K": "10.00", "L": None} == figures(found, "margin", "case_id")


@pytest.mark.verdict("Another unit's case: an item that costs its cases nothing")
def test_an_item_of_weight_0_takes_no_part_in_the_rounding_between_members(
    tmp_path: Path,
) -> None:
    """U's 1 yuan goes half to its own K, half to V's K by item b; item a weighs 0."""
    own = ward(line("C", "b", "K"), pool=1, services=items(a=0, b=1))
    other = ward(line("C", "b", "K"), pool=0, services=items(a=0, b=1))
    tables = joined(own, {n: r for n, r in _of_v(other).items() if n != "service_lines"})
    tables["service_lines"] += [
        line("C", "a", "K", case_unit_id="V"),
        line("C", "b", "K", case_unit_id="V"),
    ]
    results = cost(tmp_path, tables, model())
    assert {"b": "0.50"} == figures(results["intercompany"], "amount", "item_id")
    assert reasons(results)["other_unit"] == "0.50"
    assert {"b": "0.500000"} == unit_costs(results)


def _of_v(tables: Tables) -> Tables:
    return {
        name: [row | {"unit_id": "V"} if "unit_id" in row else row for row in rows]
        for name, rows in tables.items()
    }


@pytest.mark.verdict("A file in a table's folder that is not Parquet by its name")
def test_a_file_by_another_name_is_refused_and_named(tmp_path: Path) -> None:
    folder = written(tmp_path, ward(line("C", "a", "K")))
    (folder / "ledger").mkdir()
    (folder / "ledger.parquet").rename(folder / "ledger" / "a.parquet")
    (folder / "ledger" / "b.parquet.tmp").write_bytes(b"half")
    assert ["file-unexpected"] == faults_of(tmp_path, folder, model())


@pytest.mark.verdict("A number or date that stands only in a folder's name")
def test_a_number_in_a_folders_name_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path, ward(line("C", "a", "K")))
    ledger = pq.read_table(folder / "ledger.parquet")
    (folder / "ledger.parquet").unlink()
    (folder / "ledger" / "amount=5").mkdir(parents=True)
    pq.write_table(ledger.drop_columns(["amount"]), folder / "ledger" / "amount=5" / "a.parquet")
    assert ["column-type"] == faults_of(tmp_path, folder, model())
