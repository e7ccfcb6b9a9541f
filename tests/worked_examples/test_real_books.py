"""Two real books of third parties, costed as those who filed them did. Skipped without shared."""

from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from books import Tables, cost, reasons

from worked_examples.published import read_csv

HOSPITAL = Path("real") / "first_hospital_1997"
HOSPICES = Path("real") / "hospice_cost_reports"
LEDGER = Decimal("1060115.50")


@pytest.fixture(scope="module")
def first_hospital(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Return the first hospital's step-down, through cases and DRG groups."""
    folder = shared / HOSPITAL
    tmp_path = tmp_path_factory.mktemp("first_hospital")
    return cost(tmp_path, folder / "book", folder / "step_down.toml", period="1997-06")


@pytest.mark.parametrize("method", ["step_down", "reciprocal"])
def test_first_hospital_departments_cost_what_its_own_engine_says(
    shared: Path, tmp_path: Path, method: str
) -> None:
    """148 departments within 0.03: exact rationals come within 0.006, the rest is whole fen."""
    folder = shared / HOSPITAL
    options = {"period": "1997-06", "through": "departments"}
    results = cost(tmp_path, folder / "book", folder / f"{method}.toml", **options)
    found: dict[str, Decimal] = defaultdict(Decimal)
    for row in results["department_cost"]:
        found[row["dept_id"]] += row["full_cost"]
    expected = read_csv(folder / "expected" / f"department_cost_{method}.csv")
    assert len(expected) == 148
    for row in expected:
        assert float(row["cost"]) == pytest.approx(float(found.pop(row["dept_id"])), abs=0.03)
    assert not any(found.values())


def test_first_hospital_cases_and_groups_cost_what_its_own_engine_says(
    shared: Path, first_hospital: Tables
) -> None:
    """404 inpatient cases and 159 DRG groups within 0.10."""
    folder = shared / HOSPITAL / "expected"
    cases = {row["case_id"]: float(row["total"]) for row in first_hospital["case_cost"]}
    expected = read_csv(folder / "inpatient_case_cost.csv")
    assert len(expected) == 404
    for row in expected:
        assert float(row["total"]) == pytest.approx(cases[row["case_id"]], abs=0.10)
    groups = {row["drg_id"]: float(row["total"]) for row in first_hospital["drg_cost"]}
    expected = read_csv(folder / "drg_cost.csv")
    assert {row["drg"] for row in expected} == set(groups)
    assert len(expected) == 159
    for row in expected:
        assert float(row["total"]) == pytest.approx(groups[row["drg"]], abs=0.10)


def test_first_hospital_reconciles_to_the_fen(first_hospital: Tables) -> None:
    """858,990.76 + 198,421.55 + 2,703.19 = 1,060,115.50."""
    expected = {
        "cases": "858990.76",
        "visits": "198421.55",
        "non_medical": "2703.19",
        "ledger": str(LEDGER),
    }
    assert expected == reasons(first_hospital, "FIRST")


def test_first_hospital_ledger_ties_out_in_every_element(
    shared: Path, first_hospital: Tables
) -> None:
    """Ledger = direct = full cost = Σ of the other reasons, element by element."""
    posted: dict[str, Decimal] = defaultdict(Decimal)
    for row in pq.read_table(shared / HOSPITAL / "book" / "ledger.parquet").to_pylist():
        posted[row["element"]] += Decimal(row["amount"])
    assert sum(posted.values()) == LEDGER
    columns: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in first_hospital["department_cost"]:
        columns["direct"][row["element"]] += row["direct"]
        columns["full_cost"][row["element"]] += row["full_cost"]
    for row in first_hospital["reconciliation"]:
        name = "ledger" if row["reason"] == "ledger" else "other reasons"
        columns[name][row["element"]] += row["amount"]
    assert len(columns) == 4
    for name, sums in columns.items():
        assert {e: posted[e] for e in posted if posted[e]} == {e: sums[e] for e in sums}, name


def test_hospices_cost_what_they_filed_to_the_dollar(shared: Path, tmp_path: Path) -> None:
    """242 reports: 3,445 cells of column 0700 and 6,926 of the givers' columns.

    Column 0100 is giver 00100; a giver's own line in its own column is the balance it hands on.
    """
    folder = shared / HOSPICES
    options = {"period": "2014-12", "through": "departments"}
    results = cost(tmp_path, folder / "book", folder / "cms_rounding.toml", **options)
    found: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for row in results["department_cost"]:
        found[row["unit_id"], row["dept_id"], "0700"] += row["full_cost"]
    for row in results["department_flow"]:
        unit, giver = row["unit_id"], row["giver_dept_id"]
        found[unit, row["receiver_dept_id"], giver[1:]] += row["amount"]
        found[unit, giver, giver[1:]] += row["amount"]
    cells = pq.read_table(folder / "expected.parquet").to_pylist()
    filed = {(c["unit_id"], c["dept_id"], c["column"]): Decimal(c["amount"]) for c in cells}
    filed = {key: amount for key, amount in filed.items() if key[2] != "0000"}
    assert len({unit for unit, _, _ in filed}) == 242
    assert sum(column == "0700" for _, _, column in filed) == 3445
    assert sum(column != "0700" for _, _, column in filed) == 6926
    assert not {key: found[key] for key, amount in filed.items() if found[key] != amount}


def test_hospices_by_the_model_that_ships(shared: Path, tmp_path: Path) -> None:
    """cms_hospice_2014 is the same rule."""
    folder = shared / HOSPICES
    options = {"period": "2014-12", "through": "departments"}
    shipped = Path(__file__).resolve().parents[2] / "allocation_models" / "cms_hospice_2014.toml"
    expected = cost(tmp_path, folder / "book", folder / "cms_rounding.toml", **options)
    assert expected == cost(tmp_path, folder / "book", shipped, **options)
