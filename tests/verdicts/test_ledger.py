"""Ledger and scope: which postings are cost, of what, and whose."""

from collections.abc import Callable
from pathlib import Path

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
    number,
    opening,
    pools,
    posting,
    reasons,
    statistic,
    stay,
    ward,
)

S_TO_C = {"S": "support", "C": "clinical"}


@pytest.mark.verdict("Negative ledger line, net-negative pool")
def test_a_credit_is_handed_on_with_its_sign(tmp_path: Path) -> None:
    """S −10.00 by 1 : 2 is −3.33 and −6.67; C keeps 4.00 − 3.33, D −6.67."""
    departments = {"S": "support", "C": "clinical", "D": "clinical"}
    tables = book(departments, {"S": -10, "C": 4}, {"S": {"C": 1, "D": 2}})
    results = cost(tmp_path, tables, model(), through="departments")
    assert handed(results) == {("S", "C"): "-3.33", ("S", "D"): "-6.67"}
    assert pools(results) == {"S": "0.00", "C": "0.67", "D": "-6.67"}


@pytest.mark.verdict("Negative ledger line, net-negative pool")
def test_cases_share_a_negative_pool(tmp_path: Path) -> None:
    """5.00 − 15.00 = −10.00 over 1 : 2 services is −3.33 and −6.67."""
    tables = ward(line("C", "a", "K", 1), line("C", "a", "L", 2), pool=5)
    tables["ledger"].append(posting("C", -15))
    results = cost(tmp_path, tables, model())
    assert figures(results["case_cost"], "total", "case_id") == {"K": "-3.33", "L": "-6.67"}


@pytest.mark.verdict("A cost in one element only")
def test_no_other_element_receives_a_fen_of_a_cost(tmp_path: Path) -> None:
    """S has staff cost only: 1.00 by 1 : 2 is 0.33 and 0.67 of staff; C's own drugs stay C's."""
    departments = {"S": "support", "C": "clinical", "D": "clinical"}
    ledger = [posting("S", 1), posting("C", 7, "drugs")]
    tables = book(departments, ledger, {"S": {"C": 1, "D": 2}})
    results = cost(tmp_path, tables, model(), through="departments")
    expected = {
        ("C", "drugs"): "7.00",
        ("C", "staff"): "0.33",
        ("D", "staff"): "0.67",
        ("S", "staff"): "0.00",
    }
    assert expected == figures(results["department_cost"], "full_cost", "dept_id", "element")


FUNDS = ("own", "fiscal_project", "other_project", "research_education", "non_operating")


@pytest.mark.verdict("Posting of a fund, program or class outside the scope")
@pytest.mark.parametrize(
    ("scope", "outside"),
    [
        ("medical_business", "11110.00"),
        ("medical", "11110.00"),
        ("medical_full", "11000.00"),
        ("hospital_full", None),
    ],
)
def test_funds_outside_the_scope_are_out_of_scope(
    tmp_path: Path, scope: str, outside: str | None
) -> None:
    """The funds cost 1, 10, 100, 1,000 and 10,000 yuan; empty is own: 1 more."""
    ledger = [posting("C", 10**n, fund=fund) for n, fund in enumerate(FUNDS)]
    tables = book({"C": "clinical"}, [*ledger, posting("C", 1, fund=None)])
    text = model(scope=f'cost = "{scope}"')
    found = reasons(cost(tmp_path, tables, text, through="departments"))
    assert outside == found.get("out_of_scope")
    assert found["ledger"] == "11112.00"


@pytest.mark.verdict("Posting of a fund, program or class outside the scope")
def test_programs_outside_the_scope_are_out_of_scope(tmp_path: Path) -> None:
    """Medical 1 and, empty, 2; teaching 4, research 8, public_health 16: 8 + 16 are outside."""
    programs = ("medical", None, "teaching", "research", "public_health")
    ledger = [posting("C", 2**n, program=program) for n, program in enumerate(programs)]
    text = model(scope='programs = ["medical", "teaching"]')
    results = cost(tmp_path, book({"C": "clinical"}, ledger), text, through="departments")
    expected = {"ledger": "31.00", "out_of_scope": "24.00", "not_carried_further": "7.00"}
    assert expected == reasons(results)


@pytest.mark.verdict("Posting of a fund, program or class outside the scope")
def test_medical_business_cost_is_without_admin_departments(tmp_path: Path) -> None:
    """A 100 is out of scope, S 10 reaches C; nobody asks for a driver of A."""
    tables = book({"A": "admin", **S_TO_C}, {"A": 100, "S": 10}, {"S": {"C": 1}})
    text = model(scope='cost = "medical_business"')
    results = cost(tmp_path, tables, text, through="departments")
    assert full_costs(results) == {"C": "10.00"}
    assert reasons(results)["out_of_scope"] == "100.00"


@pytest.mark.verdict("Posting on a `non_medical` department")
@pytest.mark.parametrize(
    ("receivers", "non_medical", "pool"),
    [
        ("", "5.00", "12.00"),
        ('receivers = { class = ["clinical"] }', "5.00", "12.00"),
        ('receivers = { class = ["clinical", "non_medical"] }', "14.00", "3.00"),
    ],
)
def test_a_non_medical_department_receives_only_where_receivers_names_its_class(
    tmp_path: Path, receivers: str, non_medical: str, pool: str
) -> None:
    """N bears 5 of its own; S's 12 by N 3 : C 1 is 9 and 3, or all C's."""
    departments = {**S_TO_C, "N": "non_medical"}
    tables = book(departments, {"S": 12, "N": 5}, {"S": {"N": 3, "C": 1}})
    rule = f'[[departments.rule]]\ngivers = {{ class = "support" }}\ndriver = "own"\n{receivers}'
    results = cost(tmp_path, tables, model(rules=rule), through="departments")
    expected = {"ledger": "17.00", "non_medical": non_medical, "not_carried_further": pool}
    assert expected == reasons(results)
    assert pools(results)["N"] == "0.00"


CLOSED = [
    {"valid_from": "2026-02"},
    {"valid_to": "2025-12"},
    {"valid_from": "2025-01", "valid_to": "2025-12"},
]
OPEN = [
    {"valid_from": "2026-01"},
    {"valid_to": "2026-01"},
    {"valid_from": "2025-12", "valid_to": "2026-02"},
    {"valid_from": "", "valid_to": ""},
]


@pytest.mark.verdict(
    "Posting or service line in a month before `valid_from` or after `valid_to` of its department"
)
@pytest.mark.parametrize("validity", CLOSED)
def test_a_posting_or_line_of_a_closed_department_is_refused(
    tmp_path: Path, validity: dict[str, str]
) -> None:
    """January 2026 is not between valid_from and valid_to of D."""
    departments = {"C": "clinical", "D": "clinical"}
    lines = [line("C", "a", "K"), line("D", "a", "K")]
    posted = book(departments, {"C": 1, "D": 1}, {}, items(a=1), lines[:1], cases=[stay("K")])
    served = book(departments, {"C": 1}, {}, items(a=1), lines, cases=[stay("K")])
    for tables in (posted, served):
        tables["departments"][1] |= validity
        assert faults_of(tmp_path, tables, model()) == ["department-not-open"]


@pytest.mark.verdict(
    "Posting or service line in a month before `valid_from` or after `valid_to` of its department"
)
@pytest.mark.parametrize("validity", OPEN)
def test_the_first_and_the_last_month_of_a_department_are_open(
    tmp_path: Path, validity: dict[str, str]
) -> None:
    """January 2026 is the first month, the last, between them, or nothing is said."""
    tables = ward(line("C", "a", "K"), pool=3)
    tables["departments"][0] |= validity
    assert pools(cost(tmp_path, tables, model())) == {"C": "3.00"}


@pytest.mark.verdict(
    "Posting or service line in a month before `valid_from` or after `valid_to` of its department"
)
@pytest.mark.parametrize("validity", CLOSED)
def test_driver_rows_of_a_closed_department_do_not_count_and_are_logged(
    tmp_path: Path, validity: dict[str, str]
) -> None:
    """S's 8 by C 1 : D 3 is 2 and 6; with D closed C gets all 8."""
    tables = book({**S_TO_C, "D": "clinical"}, {"S": 8}, {"S": {"C": 1, "D": 3}})
    tables["departments"][2] |= validity
    result = costed(tmp_path, tables, model(), through="departments")
    flows = {"department_flow": result.tables["department_flow"].to_pylist()}
    assert handed(flows) == {("S", "C"): "8.00"}
    assert any(note.startswith("1 driver row") for note in result.notes)


@pytest.mark.verdict("Sums beyond 10^18 fen in a unit")
def test_sums_beyond_ten_quadrillion_yuan_are_refused(tmp_path: Path) -> None:
    """A column holds 10¹⁸ − 1 fen. ½ · 10¹⁸ and its mirror image are too many, 1 fen less is not.

    They add up to nothing, but what moves counts.
    """
    half = "5000000000000000.00"
    tables = book({"C": "clinical"}, [posting("C", half), posting("C", f"-{half}")])
    assert faults_of(tmp_path, tables, model(), through="departments") == ["amount-out-of-range"]
    tables = book({"C": "clinical"}, [posting("C", half), posting("C", "-4999999999999999.99")])
    results = cost(tmp_path, tables, model(), through="departments")
    assert full_costs(results) == {"C": "0.01"}


@pytest.mark.verdict("Sums beyond 10^18 fen in a unit")
def test_ten_trillion_yuan_are_allocated_exactly(tmp_path: Path) -> None:
    """10¹⁵ fen by 1 : 1 : 1 leaves one fen, C's; by 1 : 2 : 4 it is 1/7, 2/7 and 4/7.

    10¹⁵ = 7 · 142,857,142,857,142 + 6: cut off are 6/7, 5/7 and 3/7; two fen go to C and D.
    """
    departments = {**S_TO_C, "T": "support", "D": "clinical", "E": "clinical"}
    thirds, sevenths = {"C": 1, "D": 1, "E": 1}, {"C": 1, "D": 2, "E": 4}
    amount = "10000000000000.00"
    tables = book(departments, {"S": amount, "T": amount}, {"S": thirds, "T": sevenths})
    results = cost(tmp_path, tables, model(), through="departments")
    expected = {
        ("S", "C"): "3333333333333.34",
        ("S", "D"): "3333333333333.33",
        ("S", "E"): "3333333333333.33",
        ("T", "C"): "1428571428571.43",
        ("T", "D"): "2857142857142.86",
        ("T", "E"): "5714285714285.71",
    }
    assert expected == handed(results)


@pytest.mark.verdict("Sums beyond 10^18 fen in a unit")
def test_gross_cost_beyond_a_column_of_money_is_refused(tmp_path: Path) -> None:
    """S and T hand each other 999 of 1,000: 10¹³ yuan each becomes 10¹⁶ gross."""
    departments = {**S_TO_C, "T": "support"}
    amount = "10000000000000.00"
    tables = book(departments, {"S": amount, "T": amount})
    tables["drivers"] = [
        statistic("S", "T", 999),
        statistic("S", "C", 1),
        statistic("T", "S", 999),
        statistic("T", "C", 1),
    ]
    found = faults_of(tmp_path, tables, model("reciprocal"), through="departments")
    assert found == ["amount-out-of-range"]


LARGEST = "9999999999999999.99"


def many_cases(n: int, **columns: str) -> Tables:
    """Return a book whose C serves n cases alike."""
    return ward(*(line("C", "a", f"K{i}", **columns) for i in range(n)), pool=18)


def dear_lines() -> Tables:
    """Return 18 lines charged with the most that a column of money holds."""
    return many_cases(18, charge=LARGEST)


def dear_groups() -> Tables:
    """Return 18 cases priced with the most that a column of money holds."""
    return many_cases(18) | {"drg_prices": [{"drg_id": "G", "price": number(LARGEST)}]}


def dear_openings() -> Tables:
    """Return 18 cases that begin the month with 9 · 10¹⁵ yuan."""
    tables = many_cases(18)
    openings = [opening(f"K{i}", staff="9000000000000000.00") for i in range(18)]
    return tables | {"opening_work_in_progress": openings}


def large_volumes() -> Tables:
    """Return 2 lines of the largest quantity; their sum is no decimal(18,4)."""
    return many_cases(2, quantity="99999999999999.9999")


@pytest.mark.verdict("Sums beyond 10^18 fen in a unit")
@pytest.mark.parametrize("tables", [dear_lines, dear_groups, dear_openings, large_volumes])
def test_sums_that_no_column_holds_are_refused(
    tmp_path: Path, tables: Callable[[], Tables]
) -> None:
    """18 · (10¹⁸ − 1) − 2⁶⁴ = −4.5 · 10¹⁷: a sum that has wrapped looks as if it fitted."""
    assert faults_of(tmp_path, tables(), model())


@pytest.mark.verdict("Sums beyond 10^18 fen in a unit")
def test_the_bound_is_of_each_unit(tmp_path: Path) -> None:
    """2 · 10¹² yuan each on S and T, 999 of 1,000 inside: 4 · 10¹⁵ gross, in three units alike."""
    shares = {"S": {"T": 999, "C": 1}, "T": {"S": 999, "C": 1}}
    direct = {"S": "2000000000000.00", "T": "2000000000000.00"}
    departments = {**S_TO_C, "T": "support"}
    units = [book(departments, direct, shares, unit=unit) for unit in ("U", "V", "W")]
    text = model("reciprocal")
    for one in units:
        assert not faults_of(tmp_path, one, text, through="departments")
    assert not faults_of(tmp_path, joined(*units), text, through="departments")
