"""Budget: what is held against what, and what is refused."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from books import Tables, book, model, number, posting, stay, ward
from budgets import (
    budget_file,
    codes,
    departments_only,
    only,
    over_months,
    planned,
    published,
    refused,
    row_of,
    variances,
)

BANDS = "[alert]\nover = 0.1\nunder = 0.1\n"
NEXT = "2026-02"


def clinic(*amounts: Any, **ledger: Any) -> Tables:
    """Return a book of clinical departments C and D with their staff cost."""
    money = ledger or dict(zip(("C", "D"), amounts, strict=False))
    return book(dict.fromkeys(("C", "D"), "clinical"), money)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """C costs 120, D costs -30."""
    return departments_only(tmp_path_factory.mktemp("plain"), clinic(120, -30))


def department(found: Tables, dept_id: str = "C", *names: str) -> Any:
    rows = found["budget_variance"]
    return row_of(rows, *names, level="department", dept_id=dept_id)


@pytest.mark.verdict("Budget of zero or below")
@pytest.mark.parametrize("amount", [0, -5])
def test_a_budget_without_a_size_has_no_rate(tmp_path: Path, plain: Path, amount: int) -> None:
    """120 - 0 = 120 over, and nothing to divide by."""
    found = variances(tmp_path, plain, [planned(amount, dept_id="C")])
    names = ("variance", "variance_rate", "execution_rate", "alert", "freeze")
    assert [f"{120 - amount}.00", None, None, "over", "yes"] == department(found, "C", *names)


@pytest.mark.verdict("Cost without a budget")
def test_cost_without_a_budget_is_seen_and_counts(tmp_path: Path, plain: Path) -> None:
    """D's -30 has no budget; the unit's 90 is held against C's 100."""
    found = variances(tmp_path, plain, [planned(100, dept_id="C")])
    names = ("budget_basis", "budget", "variance", "execution_rate", "alert")
    assert ["missing", None, None, None, "unbudgeted"] == department(found, "D", *names)
    unit = {"level": "unit", "unit_id": "U"}
    assert ["100.00", "90.00", "-10.00"] == row_of(
        found["budget_variance"], "budget", "actual", "variance", **unit
    )
    row = only(found["variance_decomposition"], dept_id="D")
    assert ("unbudgeted", 0, -30, -30) == (
        row["method"], row["budget"], row["actual"], row["price_variance"]
    )  # fmt: skip


@pytest.mark.verdict("A budget without any cost")
def test_a_budget_without_cost_has_actual_0(tmp_path: Path) -> None:
    """D posts nothing: 50 of 50 are left. A zero for nothing has no row."""
    out = departments_only(tmp_path, clinic(120))
    rows = [planned(50, dept_id="D"), planned(0, dept_id="D", element="drugs")]
    found = variances(tmp_path, out, rows)
    names = ("actual", "variance", "favourable", "alert")
    assert ["0.00", "-50.00", "yes", "under"] == department(found, "D", *names)
    assert not [row for row in found["budget_variance"] if row["element"] == "drugs"]


@pytest.mark.verdict("Negative actual cost")
def test_a_credit_has_a_negative_rate(tmp_path: Path, plain: Path) -> None:
    """-30 of 60 is -50 %."""
    found = variances(tmp_path, plain, [planned(60, dept_id="D")])
    names = ("variance", "execution_rate", "alert")
    assert ["-90.00", "-0.500000", "under"] == department(found, "D", *names)


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """January: OLD 10, GONE 7. February: NEW, which continues OLD, 12, and FRESH 5."""
    classes = dict.fromkeys(("OLD", "GONE", "NEW", "FRESH"), "clinical")
    first = book(classes, {"OLD": 10, "GONE": 7})
    second = book(classes, {"NEW": 12, "FRESH": 5})
    tables = over_months(m2026_01=first, m2026_02=second)
    for row in tables["departments"]:
        row["continues_dept_id"] = "OLD" if row["dept_id"] == "NEW" else None
    return departments_only(tmp_path_factory.mktemp("moving"), tables, ["2026-01", NEXT])


def february(tmp_path: Path, moving: Path) -> Tables:
    rows = [planned(1, dept_id=d, period=NEXT) for d in ("NEW", "FRESH")]
    return variances(tmp_path, moving, rows, period=NEXT)


@pytest.mark.verdict("A department that did not exist in the other month")
def test_a_new_department_has_no_past_but_its_predecessors(tmp_path: Path, moving: Path) -> None:
    """NEW: 12 - 10 = 2 against OLD. FRESH: nothing to compare with, and no 0."""
    found = february(tmp_path, moving)
    names = ("last_month", "last_month_change", "last_month_rate", "compared_dept_id")
    assert ["10.00", "2.00", "0.200000", "OLD"] == department(found, "NEW", *names)
    assert [None, None, None, None] == department(found, "FRESH", *names)


@pytest.mark.verdict("A department that is gone")
def test_a_department_that_is_gone_stands_with_its_past(tmp_path: Path, moving: Path) -> None:
    """GONE 0 - 7; OLD is the past of NEW and no row of its own. The unit: 17 - 17."""
    found = february(tmp_path, moving)
    names = ("budget", "actual", "last_month", "last_month_change")
    assert [None, "0.00", "7.00", "-7.00"] == department(found, "GONE", *names)
    assert not [row for row in found["budget_variance"] if row["dept_id"] == "OLD"]
    unit = row_of(found["budget_variance"], *names[1:], level="unit", unit_id="U")
    assert ["17.00", "17.00", "0.00"] == unit


@pytest.mark.verdict("A month that is not published for the unit")
def test_a_month_that_is_not_published_is_empty(tmp_path: Path) -> None:
    """Only February is published: no January, no year to date; the note says why."""
    tables = over_months(m2026_01=clinic(1), m2026_02=clinic(2))
    out = departments_only(tmp_path, tables, [NEXT])
    found = variances(tmp_path, out, [planned(1, dept_id="C", period=NEXT)], period=NEXT)
    names = ("last_month", "last_year", "year_to_date", "year_to_date_budget")
    assert [None] * 4 == department(found, "C", *names)
    assert [{"note": "no year to date: 2026-01 not published"}] == found["notes"]


@pytest.mark.verdict("A budget row of a unit, department or DRG group that is not listed")
@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"unit_id": "X"}, "unit-not-listed"),
        ({"dept_id": "X"}, "department-not-listed"),
        ({"drg_id": "X"}, "group-not-listed"),
    ],
)
def test_a_budget_of_what_is_not_there_is_refused(
    tmp_path: Path, columns: dict[str, str], code: str
) -> None:
    tables = clinic(120) | {"drg_groups": [{"scheme": "S", "drg_id": "G"}]}
    out = departments_only(tmp_path, tables)
    assert [code] == codes(refused(tmp_path, out, [planned(1), planned(1, **columns)]))


@pytest.mark.verdict("A budget row that names a department and a DRG group")
def test_a_group_of_a_department_has_no_figure(tmp_path: Path, plain: Path) -> None:
    found = refused(tmp_path, plain, [planned(1, dept_id="C", drg_id="G")])
    assert ["budget-line-unmatched"] == codes(found)
    assert "1 budget row, worth 1.00 yuan, names a department and a DRG group" in found[0].what


@pytest.mark.verdict("Two budget rows of one key")
def test_a_key_stands_once_and_tags_add_up(tmp_path: Path, plain: Path) -> None:
    """100 and 20 of a key discipline are 120: nothing is over."""
    twice = [planned(100, dept_id="C"), planned(20, dept_id="C")]
    assert ["duplicate-key"] == codes(refused(tmp_path, plain, twice))
    twice[1]["tag"] = "key_discipline"
    found = variances(tmp_path, plain, twice)
    assert ["120.00", "0.00", None] == department(found, "C", "budget", "variance", "favourable")


@pytest.mark.verdict("Volume or standards on two tags of one key")
def test_standards_stand_on_one_row_of_a_key(tmp_path: Path, plain: Path) -> None:
    rows = [
        planned(100, dept_id="C", volume=10),
        planned(20, dept_id="C", tag="grassroots", volume=2),
    ]
    assert ["budget-standards-twice"] == codes(refused(tmp_path, plain, rows))


@pytest.mark.verdict("A budget with NaN, infinity, too many decimals, or a column of a wrong type")
@pytest.mark.parametrize(
    ("values", "code"),
    [
        (pa.array([float("nan")]), "value-not-finite"),
        (pa.array([float("inf")]), "value-not-finite"),
        (pa.array([1.001]), "value-too-fine"),
        (pa.array(["100"]), "column-type"),
        (pa.array([None], pa.float64()), "value-missing"),
    ],
)
def test_an_amount_that_is_none_is_refused(
    tmp_path: Path, plain: Path, values: pa.Array, code: str
) -> None:
    file = budget_file(tmp_path, [planned(100, dept_id="C")])
    table = pq.read_table(file)
    place = table.schema.get_field_index("amount")
    pq.write_table(table.set_column(place, "amount", values), file)
    assert [code] == codes(refused(tmp_path, plain, file))


@pytest.mark.verdict("A negative volume or standard")
@pytest.mark.parametrize("column", ["volume", "standard_price", "standard_quantity"])
def test_a_negative_standard_is_refused(tmp_path: Path, plain: Path, column: str) -> None:
    rows = [planned(-100, dept_id="C"), planned(1, dept_id="D", **{column: -1})]
    assert ["value-negative"] == codes(refused(tmp_path, plain, rows))


@pytest.mark.verdict("volume × standard_quantity × standard_price is not the amount")
def test_standards_give_the_amount_or_are_refused(tmp_path: Path) -> None:
    """10 x 2 x 5 = 100. For 101 a tolerance of 1 % lets 99.99 pass and 5.05 is the price."""
    tables = clinic(120) | {"statistics": [visits(10)]}
    out = departments_only(tmp_path, tables)
    standards = {"volume": 10, "standard_quantity": 2, "standard_price": 5}
    row = planned(101, dept_id="C", **standards)
    assert ["budget-standards-disagree"] == codes(refused(tmp_path, out, [row]))
    found = variances(tmp_path, out, [row], control="[standards]\ntolerance = 0.01\n")
    split = only(found["variance_decomposition"], dept_id="C")
    assert ("volume", number("5.05")) == (split["method"], split["standard_price"])


def visits(quantity: Any, dept_id: str = "C", **columns: Any) -> dict[str, Any]:
    row = {"period": "2026-01", "unit_id": "U", "dept_id": dept_id, "measure": "visits"}
    return row | {"quantity": number(quantity)} | columns


@pytest.mark.verdict("Faults in an earlier month of the budget's year")
def test_a_fault_in_january_is_one_of_februarys_budget(tmp_path: Path, moving: Path) -> None:
    rows = [planned(1, dept_id="NEW", period=NEXT), planned(1, dept_id="X")]
    assert ["department-not-listed"] == codes(refused(tmp_path, moving, rows, period=NEXT))
    later = [planned(1, dept_id="NEW", period=NEXT), planned(1, dept_id="X", period="2026-03")]
    assert [] == refused(tmp_path, moving, later, period=NEXT)


@pytest.mark.verdict("An amount for a planned volume of zero")
def test_an_amount_for_no_volume_is_spending(tmp_path: Path) -> None:
    """100 for 0 visits against 120 for 10: 20 is price."""
    tables = clinic(120) | {"statistics": [visits(10)]}
    out = departments_only(tmp_path, tables)
    found = variances(tmp_path, out, [planned(100, dept_id="C", volume=0)])
    row = only(found["variance_decomposition"], dept_id="C")
    assert ("spending", 20) == (row["method"], row["price_variance"])


@pytest.mark.verdict("A volume or an input that is not known")
def test_what_is_not_known_is_part_of_price(tmp_path: Path, plain: Path) -> None:
    """C: no visits are known, all 20 is price. With 11 visits for 10 planned, 10 is volume."""
    row = planned(100, dept_id="C", volume=10, standard_quantity=2)
    split = only(variances(tmp_path, plain, [row])["variance_decomposition"], dept_id="C")
    assert ("spending", 0, 0, 20) == (
        split["method"], split["volume_variance"], split["efficiency_variance"],
        split["price_variance"],
    )  # fmt: skip
    out = departments_only(tmp_path, clinic(120) | {"statistics": [visits(11)]})
    split = only(variances(tmp_path, out, [row])["variance_decomposition"], dept_id="C")
    assert ("volume", 10, 0, 10) == (
        split["method"], split["volume_variance"], split["efficiency_variance"],
        split["price_variance"],
    )  # fmt: skip


@pytest.mark.verdict("Budgets of DRG groups where the run stops before groups")
def test_budgets_of_groups_that_are_not_costed_are_left_aside(tmp_path: Path, plain: Path) -> None:
    found = variances(tmp_path, plain, [planned(1, dept_id="C"), planned(9, drg_id="G")])
    assert [] == found["drg_variance"]
    assert not [row for row in found["budget_variance"] if row["drg_id"]]
    note = "budgets of DRG groups left aside: the run stops before groups, in 'U'"
    assert {"note": note} in found["notes"]


@pytest.mark.verdict("Budget rows of units that the run or folder does not hold")
def test_budgets_of_other_units_are_left_aside(tmp_path: Path) -> None:
    tables = clinic(120)
    tables["units"].append({"unit_id": "V", "kind": "township"})
    out = departments_only(tmp_path, tables, units=("U",))
    found = variances(tmp_path, out, [planned(1, dept_id="C"), planned(9, unit_id="V")])
    assert {"U", ""} == {row["unit_id"] for row in found["budget_variance"]}
    assert "10.00" == row_of(found["budget_requests"], "approved", scope="total")
    assert "9.00" == row_of(found["budget_requests"], "approved", scope="grassroots")
    note = "budget rows left aside but for requests, of units not in this run: 'V'"
    assert {"note": note} in found["notes"]


@pytest.mark.verdict("A published month to compare with that cannot be read")
def test_a_damaged_month_is_left_out_and_the_month_itself_refused(tmp_path: Path) -> None:
    """January's table is cut: February has no last month; January has no variance."""
    tables = over_months(m2026_01=clinic(1), m2026_02=clinic(2))
    out = departments_only(tmp_path, tables, ["2026-01", NEXT])
    (run,) = out.glob("run=2026-01*")
    (run / "department_cost.parquet").write_bytes(b"PAR1")
    rows = [planned(1, dept_id="C", period=p) for p in ("2026-01", NEXT)]
    found = variances(tmp_path, out, rows, period=NEXT)
    assert department(found, "C", "last_month") is None
    assert f"2026-01 left out: '{run.name}' cannot be read" in found["notes"][0]["note"]
    assert ["file-unreadable"] == codes(refused(tmp_path, out, rows, period="2026-01"))


@pytest.mark.verdict("A month of which the budget has no row")
def test_a_month_without_a_budget(tmp_path: Path, plain: Path) -> None:
    """The run is published without a variance; the command has nothing to do."""
    rows = [planned(1, dept_id="C", period="2026-03")]
    assert ["budget-not-in-period"] == codes(refused(tmp_path, plain, rows))
    out = departments_only(tmp_path, clinic(120) | {"budget": rows})
    (run,) = out.glob("run=*")
    assert not (run / "budget_variance.parquet").exists()
    assert "no variance: the budget has no row of 2026-01" in (run / "manifest.json").read_text()


@pytest.mark.verdict("A budgeted group that two schemes have costed cases of")
def test_a_group_of_two_schemes_cannot_be_budgeted(tmp_path: Path) -> None:
    """G of S and G of T are two groups."""
    from books import line

    stays = [stay("K", scheme="S"), stay("L", scheme="T")]
    tables = ward(line("C", "a", "K"), line("C", "a", "L"), cases=stays)
    tables["drg_groups"] = [{"scheme": s, "drg_id": g} for s in "ST" for g in "GH"]
    out = published(tmp_path, tables, model("direct"))
    assert [] == refused(tmp_path, out, [planned(1), planned(1, drg_id="H")])
    found = refused(tmp_path, out, [planned(1), planned(1, drg_id="G")])
    assert ["budget-group-ambiguous"] == codes(found)


@pytest.mark.verdict("A unit's budget that its departments' do not add up to")
def test_the_units_own_budget_counts(tmp_path: Path, plain: Path) -> None:
    """100 of its own, 80 over departments: 100 counts."""
    found = variances(tmp_path, plain, [planned(100), planned(80, dept_id="C")])
    names = ("budget", "budget_basis")
    unit = row_of(found["budget_variance"], *names, level="unit", unit_id="U")
    assert ["100.00", "given"] == unit
    note = "budgets of 'U' differ from what their finer rows add up to; their own counts"
    assert {"note": note} in found["notes"]


@pytest.mark.verdict(
    "A department without income, or whose income does not cover its variable cost"
)
def test_without_a_contribution_nothing_breaks_even(tmp_path: Path) -> None:
    """C's 40 do not cover drugs of 50; D earns nothing."""
    tables = book(
        {"C": "clinical", "D": "clinical"},
        [posting("C", 50, "drugs"), posting("C", 10), posting("D", 10)],
    )
    income = {"period": "2026-01", "unit_id": "U", "dept_id": "C", "source": "inpatient"}
    tables["income"] = [income | {"amount": number(40)}]
    found = variances(tmp_path, departments_only(tmp_path, tables), [planned(1)])
    names = ("verdict", "break_even_income", "break_even_volume", "safety_rate")
    rows = found["break_even"]
    assert ["no_contribution", None, None, None] == row_of(rows, *names, dept_id="C")
    assert ["no_income", None, None, None] == row_of(rows, *names, dept_id="D")
