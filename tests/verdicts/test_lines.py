"""Service lines, items and cases: what shares a pool, and what a case costs."""

import datetime
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from books import (
    NEXT_MONTH,
    Tables,
    book,
    case_totals,
    cost,
    faults,
    faults_of,
    figures,
    items,
    joined,
    line,
    model,
    number,
    of_unit,
    opening,
    posting,
    reasons,
    stay,
    unit_costs,
    ward,
    written,
)

A_AND_B = items(a=1, b=1)
WITH_DRUGS = items(a=1, d="drugs", e="drugs")
NO_FLOOR = "direct_cost_floor = 0.0"


def item_totals(results: Tables) -> dict[str, str | None]:
    """Return the cost of every item with a row, for books with one department."""
    return figures(results["service_item_cost"], "total", "item_id")


def day(month: int, number: int) -> datetime.date:
    """Return a day of 2026."""
    return datetime.date(2026, month, number)


@pytest.mark.verdict("Volume without cost")
def test_volume_without_cost_costs_0_and_has_no_row(tmp_path: Path) -> None:
    """C has no cost: a costs 0 and shows no row; b, charged 5.00, shows its volume and cost 0."""
    lines = [line("C", "a", "K", 2), line("C", "b", "L", 3, charge=5)]
    tables = book({"C": "clinical"}, {"C": 0}, {}, A_AND_B, lines, cases=[stay("K"), stay("L")])
    rows = cost(tmp_path, tables, model())["service_item_cost"]
    assert figures(rows, "volume", "item_id") == {"b": "3.0000"}
    assert figures(rows, "total", "item_id") == {"b": "0.00"}


@pytest.mark.verdict("Cost without volume; a department without lines")
def test_cost_without_volume_is_no_activity(tmp_path: Path) -> None:
    """D, 7.00, has no line; E, 4.00, has a line of quantity 0; C's 2.00 reaches the case."""
    departments = {"C": "clinical", "D": "clinical", "E": "medtech"}
    lines = [line("C", "a", "K"), line("E", "a", "K", 0)]
    ledger = {"C": 2, "D": 7, "E": 4}
    tables = book(departments, ledger, {}, items(a=1), lines, cases=[stay("K")])
    expected = {"ledger": "13.00", "no_activity": "11.00", "cases": "2.00"}
    assert expected == reasons(cost(tmp_path, tables, model()))


@pytest.mark.verdict("An item that was never performed")
def test_an_item_that_was_never_performed_has_no_row(tmp_path: Path) -> None:
    """Of a and b only a was performed."""
    results = cost(tmp_path, ward(line("C", "a", "K"), services=A_AND_B), model())
    assert item_totals(results) == {"a": "100.00"}


@pytest.mark.verdict("Weight 0")
def test_an_item_of_weight_0_costs_0(tmp_path: Path) -> None:
    """1 · a and 9 · b of weight 0: a has all 100.00, b, charged 1.00, none."""
    lines = [line("C", "a", "K"), line("C", "b", "L", 9, charge=1)]
    results = cost(tmp_path, ward(*lines, services=items(a=1, b=0)), model())
    assert item_totals(results) == {"a": "100.00", "b": "0.00"}


@pytest.mark.verdict("Item not in the catalogue")
def test_an_item_that_the_catalogue_does_not_list_is_refused(tmp_path: Path) -> None:
    """The catalogue lists a; the line says A."""
    assert faults_of(tmp_path, ward(line("C", "A", "K")), model()) == ["item-not-listed"]


@pytest.mark.verdict("Reversed lines")
def test_reversed_lines_are_netted_before_a_split(tmp_path: Path) -> None:
    """K 5 − 4 and L 2: 9.00 by 1 : 2."""
    lines = [line("C", "a", "K", 5), line("C", "a", "L", 2), line("C", "a", "K", -4)]
    results = cost(tmp_path, ward(*lines, pool=9), model())
    assert case_totals(results) == {"K": "3.00", "L": "6.00"}


@pytest.mark.verdict("Reversed lines")
def test_the_net_of_a_case_may_be_negative(tmp_path: Path) -> None:
    """K 4 and L −1, net 3: 9.00 by 4 : −1 is 12.00 and −3.00."""
    lines = [line("C", "a", "K", 4), line("C", "a", "L", -1)]
    results = cost(tmp_path, ward(*lines, pool=9), model())
    assert case_totals(results) == {"K": "12.00", "L": "-3.00"}
    assert unit_costs(results) == {"a": "3.000000"}


@pytest.mark.verdict("Net measure of a pool zero or below")
@pytest.mark.parametrize("reversal", [-2, -3])
def test_a_pool_with_no_net_measure_is_no_activity(tmp_path: Path, reversal: int) -> None:
    """2 − 2 and 2 − 3 services, of two cases."""
    tables = ward(line("C", "a", "K", 2), line("C", "a", "L", reversal), pool=9)
    expected = {"ledger": "9.00", "no_activity": "9.00"}
    assert expected == reasons(cost(tmp_path, tables, model()))


FLOOR = (
    "Net measure under `net_activity_floor` × the gross measure Σ|net of (department, item, case)|"
    ", pool not zero"
)


@pytest.mark.verdict(FLOOR)
@pytest.mark.parametrize(
    ("more", "floor", "expected"),
    [
        (2, "", []),
        ("1.9999", "", ["net-activity-too-small"]),
        ("1.9999", "net_activity_floor = 0.0999", []),
        (10, "net_activity_floor = 0.5", []),
        (9, "net_activity_floor = 0.5", ["net-activity-too-small"]),
    ],
)
def test_a_small_rest_of_large_reversals_is_refused(
    tmp_path: Path, more: Any, floor: str, expected: list[str]
) -> None:
    """K 9 and more, L −9: the net is more, the gross 18 + more.

    2 ÷ 20 is 0.1; 1.9999 ÷ 19.9999 is 0.099995. With 5 in place of 9: 10 ÷ 20 and 9 ÷ 19.
    """
    reversed_ = 5 if "0.5" in floor else 9
    lines = [line("C", "a", "K", reversed_), line("C", "a", "K", more)]
    tables = ward(*lines, line("C", "a", "L", -reversed_))
    assert expected == faults_of(tmp_path, tables, model(service_items=floor))


@pytest.mark.verdict(FLOOR)
def test_the_gross_measure_is_of_the_nets(tmp_path: Path) -> None:
    """1 + 99 − 99 of one case is 1 of 1, not 1 of 199."""
    lines = [line("C", "a", "K", quantity) for quantity in (1, 99, -99)]
    assert case_totals(cost(tmp_path, ward(*lines), model())) == {"K": "100.00"}


@pytest.mark.verdict(FLOOR)
def test_a_small_rest_of_reversals_may_share_a_pool_of_nothing(tmp_path: Path) -> None:
    """99 and −98 of two cases, but no cost."""
    tables = ward(line("C", "a", "K", 99), line("C", "a", "L", -98), pool=0)
    assert not faults_of(tmp_path, tables, model())


@pytest.mark.verdict(
    "An item with weight rows, none of which fits a department and element whose pool is not zero"
)
@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"dept_id": "D"}, ["weight-missing"]),
        ({"element": "drugs"}, ["weight-missing"]),
        ({"unit_id": "V"}, ["weight-missing"]),
        ({"period": NEXT_MONTH}, ["weight-missing"]),
        ({"dept_id": "C"}, []),
        ({"element": "staff"}, []),
        ({"unit_id": "U"}, []),
        ({"period": "2025-12"}, []),
    ],
)
def test_an_item_whose_weights_do_not_fit_is_refused(
    tmp_path: Path, columns: dict[str, str], expected: list[str]
) -> None:
    """C has staff cost; the only weight of a is of these."""
    tables = joined(ward(line("C", "a", "K")), book({"D": "clinical"}, {"D": 0}, unit="V"))
    tables["item_weights"][0] |= columns
    assert expected == faults_of(tmp_path, tables, model())


def test_items_of_a_book_without_weights_weigh_1(tmp_path: Path) -> None:
    """9.00 over K's one a and L's two b is 3.00 and 6.00."""
    services = items(a=None, b=None)
    tables = ward(line("C", "a", "K"), line("C", "b", "L", 2), pool=9, services=services)
    assert case_totals(cost(tmp_path, tables, model())) == {"K": "3.00", "L": "6.00"}


@pytest.mark.verdict(
    "An item with weight rows, none of which fits a department and element whose pool is not zero"
)
def test_a_weight_may_be_missing_where_there_is_no_pool(tmp_path: Path) -> None:
    """D performs a too, without a fen of cost."""
    tables = ward(line("C", "a", "K"), line("D", "a", "L"))
    tables["departments"].append({"unit_id": "U", "dept_id": "D", "class": "clinical"})
    tables["item_weights"][0]["dept_id"] = "C"
    assert case_totals(cost(tmp_path, tables, model())) == {"K": "100.00"}


@pytest.mark.verdict("Weight rows with equal element, dept_id and unit_id, different periods")
@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([({}, 1), ({"period": "2025-12"}, 3)], "75.00"),
        ([({"period": "2025-11"}, 1), ({"period": "2026-01"}, 3)], "75.00"),
        ([({"period": "2026-01"}, 3), ({"period": "2026-02"}, 1)], "75.00"),
        ([({}, 3), ({"period": "2026-02"}, 1)], "75.00"),
        ([({"unit_id": "U"}, 3), ({"period": "2026-01"}, 1)], "75.00"),
        ([({"dept_id": "C"}, 3), ({"unit_id": "U", "period": "2026-01"}, 1)], "75.00"),
        ([({"element": "staff"}, 3), ({"dept_id": "C", "unit_id": "U"}, 1)], "75.00"),
        ([({"element": "staff", "period": "2026-02"}, 1), ({"dept_id": "C"}, 3)], "75.00"),
    ],
)
def test_specificity_goes_before_the_latest_period_that_has_begun(
    tmp_path: Path, rows: list[tuple[dict[str, str], int]], expected: str
) -> None:
    """One a of weight 3, not 1, and one b of weight 1: 100.00 by 3 : 1."""
    tables = ward(line("C", "a", "K"), line("C", "b", "L"), services=items(a=None, b=1))
    tables["item_weights"] += [{"item_id": "a", "weight": weight, **key} for key, weight in rows]
    for row in tables["item_weights"]:
        row["weight"] = number(row["weight"])
    assert expected == item_totals(cost(tmp_path, tables, model()))["a"]


def pharmacy(own: Any, *lines: dict[str, Any], pool: Any = 0) -> Tables:
    """Return a book whose department C posts drugs and staff cost."""
    tables = ward(*lines, pool=pool, services=WITH_DRUGS)
    tables["ledger"].append(posting("C", own, "drugs"))
    return tables


def drug(item_id: str, case_id: str, direct_cost: Any) -> dict[str, Any]:
    """Return a line of a direct item in C."""
    return line("C", item_id, case_id, direct_cost=direct_cost)


@pytest.mark.verdict("Direct items, D = 0 with L ≥ 0")
@pytest.mark.parametrize("own", [0, 6])
def test_direct_costs_that_add_to_nothing_are_traced(tmp_path: Path, own: int) -> None:
    """K 3.00, L −3.00: D = 0. L's ledger of 0 or 6.00 stays for the one a, K's."""
    tables = pharmacy(own, drug("d", "K", 3), drug("e", "L", -3), line("C", "a", "K"))
    results = cost(tmp_path, tables, model())
    assert {"K": f"{3 + own}.00", "L": "-3.00"} == case_totals(results)
    assert {"d": "3.00", "e": "-3.00"}.items() <= item_totals(results).items()


@pytest.mark.verdict("Direct items, D < 0, or D = 0 with L < 0")
@pytest.mark.parametrize(("direct_cost", "own"), [(-5, 6), (-5, -6), (-3, -6)])
def test_nothing_is_traced_where_direct_costs_are_a_credit(
    tmp_path: Path, direct_cost: int, own: int
) -> None:
    """3 − 5 with a ledger of 6 or −6, and 3 − 3 with −6: all of it is K's, by its one a."""
    tables = pharmacy(own, drug("d", "K", 3), drug("e", "L", direct_cost), line("C", "a", "K"))
    results = cost(tmp_path, tables, model(service_items=NO_FLOOR))
    assert {"K": f"{own}.00"} == case_totals(results)
    assert {"a": f"{own}.00"} == item_totals(results)


def three_shares_of_a_fen(*lines: dict[str, Any]) -> Tables:
    """Return U, which posts 0.01 of drugs, and T, whose cases it serves."""
    own = pharmacy("0.01", *lines)
    own["cases"] = [stay(c) for c in ("K", "K10", "K9", "z", "é")]
    other = book({"C": "clinical"}, {"C": 0}, {}, unit="T", cases=[stay("K")])
    return joined(own, other)


@pytest.mark.verdict("Direct items' ledger, D > L, ties")
@pytest.mark.parametrize(
    ("first", "others"),
    [
        (drug("d", "z", 1), [drug("e", "K", 1), drug("e", "", 1)]),
        (drug("d", "", 1), [drug("d", "K", 1) | {"case_unit_id": "T"}, drug("d", "K", 1)]),
        (drug("d", "K", 1) | {"case_unit_id": "T"}, [drug("d", "K", 1), drug("d", "z", 1)]),
        (drug("d", "K10", 1), [drug("d", "K9", 1), drug("d", "z", 1)]),
        (drug("d", "z", 1), [drug("d", "é", 1), drug("e", "K", 1)]),
    ],
)
def test_a_fen_of_direct_items_goes_to_the_first_by_item_unit_and_case(
    tmp_path: Path, first: dict[str, Any], others: list[dict[str, Any]]
) -> None:
    """0.01 over three equal costs: item_id first, then unlinked, unit T before U, case by bytes."""
    for lines in permutations([first, *others]):
        tables = three_shares_of_a_fen(*lines)
        results = cost(tmp_path, tables, model(service_items=NO_FLOOR))
        assert {first["item_id"]: "0.01"} == item_totals(results)
        reason = "other_unit" if "case_unit_id" in first else "cases"
        reason = reason if first["case_id"] else "unlinked_service"
        assert {"ledger": "0.01", reason: "0.01"} == reasons(results)
        if reason == "cases":
            assert {first["case_id"]: "0.01"} == case_totals(results)


@pytest.mark.verdict("Direct items' ledger, D > L, ties")
def test_unlinked_lines_are_one_case(tmp_path: Path) -> None:
    """Unlinked 1 + 1, K 1 and L 1: 0.02 by 2 : 1 : 1 is 1, ½ and ½: a fen for K."""
    lines = [drug("d", "", 1), drug("d", "", 1), drug("d", "K", 1), drug("d", "L", 1)]
    results = cost(tmp_path, pharmacy("0.02", *lines), model(service_items=NO_FLOOR))
    expected = {"ledger": "0.02", "unlinked_service": "0.01", "cases": "0.01"}
    assert expected == reasons(results)
    assert case_totals(results) == {"K": "0.01"}


@pytest.mark.verdict("`direct_cost_floor`")
@pytest.mark.parametrize(
    ("own", "floor", "expected"),
    [
        (5, "", []),
        ("4.99", "", ["direct-cost-not-in-ledger"]),
        ("4.99", "direct_cost_floor = 0.499", []),
        (-1, NO_FLOOR, ["direct-cost-not-in-ledger"]),
        (0, NO_FLOOR, []),
    ],
)
def test_a_ledger_below_the_floor_is_refused(
    tmp_path: Path, own: Any, floor: str, expected: list[str]
) -> None:
    """The lines show 10.00 of drugs: 5.00 is half of it; below 0 no floor admits it."""
    tables = pharmacy(own, drug("d", "K", 10), line("C", "a", "K"))
    assert expected == faults_of(tmp_path, tables, model(service_items=floor))


@pytest.mark.verdict("`direct_cost_floor`")
@pytest.mark.parametrize(("unlike", "expected"), [(0, ["direct-cost-not-in-ledger"]), (8, [])])
def test_the_floor_is_of_the_units_departments_whose_direct_cost_is_not_zero(
    tmp_path: Path, unlike: int, expected: list[str]
) -> None:
    """C 4.00 of 10.00; D's ledger of 100.00 counts with a D of 8.00 only: 4 ÷ 10, 104 ÷ 18."""
    lines = [drug("d", "K", 10), line("D", "d", "K", direct_cost=unlike)]
    tables = pharmacy(4, *lines)
    tables["departments"].append({"unit_id": "U", "dept_id": "D", "class": "clinical"})
    tables["ledger"].append(posting("D", 100, "drugs"))
    assert expected == faults_of(tmp_path, tables, model())


@pytest.mark.verdict("`direct_cost_floor`")
def test_the_floor_is_of_each_unit_and_element(tmp_path: Path) -> None:
    """V's 30.00 of 10.00 does not help U's 4.00 of 10.00; a Σ D below 0 has no floor."""
    short, rich = pharmacy(4, drug("d", "K", 10)), pharmacy(30, drug("d", "K", 10))
    found = faults(tmp_path, joined(short, of_unit(rich, "V")), model())
    assert [fault.code for fault in found] == ["direct-cost-not-in-ledger"]
    assert list(found[0].where) == ["unit 'U', drugs: ledger 4.00, lines 10.00 yuan"]
    assert not faults_of(tmp_path, pharmacy(-4, drug("d", "K", -1)), model())


ORDER_OF_RECEIVERS = "Order of receivers in the rounding of cases"


@pytest.mark.verdict(ORDER_OF_RECEIVERS)
@pytest.mark.parametrize(
    ("first", "others"),
    [
        (("", ""), [("T", "K"), ("U", "K")]),
        (("T", "K"), [("U", "K"), ("U", "K10")]),
        (("U", "K10"), [("U", "K9"), ("U", "z")]),
        (("U", "z"), [("U", "é"), ("U", "é")]),
    ],
)
def test_a_fen_of_a_pool_goes_to_the_first_by_unit_and_case(
    tmp_path: Path, first: tuple[str, str], others: list[tuple[str, str]]
) -> None:
    """0.01 over equal services: unlinked, then unit T before U, then case_id by bytes."""
    for places in permutations([first, *dict.fromkeys(others)]):
        lines = [line("C", "a", case, case_unit_id=unit or None) for unit, case in places]
        results = cost(tmp_path, three_shares_of_a_fen(*lines), model())
        reason = {"": "unlinked_service", "T": "other_unit", "U": "cases"}[first[0]]
        assert {"ledger": "0.01", reason: "0.01"} == reasons(results)
        if reason == "cases":
            assert {first[1]: "0.01"} == case_totals(results)


@pytest.mark.verdict(ORDER_OF_RECEIVERS)
def test_traced_direct_items_are_added_after_the_rounding(tmp_path: Path) -> None:
    """K's drug 0.01 does not take part: the other 0.01 of drugs, by 1 : 1, is K's, the first."""
    tables = pharmacy("0.02", drug("d", "K", "0.01"), line("C", "a", "K"), line("C", "a", "L"))
    assert case_totals(cost(tmp_path, tables, model())) == {"K": "0.02"}


@pytest.mark.verdict("`by_direct_cost`")
def test_a_department_with_direct_items_only_shares_its_pool_by_direct_cost(
    tmp_path: Path,
) -> None:
    """Staff 9.00 by drug 1.00 (K) and material 2.00 (L) is 3.00 and 6.00; no_activity otherwise.

    The ledger's drugs are 4.00: 1.00 is traced, the other 3.00 go by 1 : 2 too. Materials: 2.00.
    """
    services = items(a=1, d="drugs", m="materials")
    tables = ward(drug("d", "K", 1), drug("m", "L", 2), pool=9, services=services)
    tables["ledger"] += [posting("C", 4, "drugs"), posting("C", 2, "materials")]
    results = cost(tmp_path, tables, model(service_items='direct_only = "by_direct_cost"'))
    assert case_totals(results) == {"K": "5.00", "L": "10.00"}
    otherwise = {"ledger": "15.00", "no_activity": "12.00", "cases": "3.00"}
    assert otherwise == reasons(cost(tmp_path, tables, model()))


@pytest.mark.verdict("`by_direct_cost`")
def test_a_department_with_a_shared_item_does_not_share_by_direct_cost(tmp_path: Path) -> None:
    """One a of L's: L gets all of staff 9.00, K its drug of 1.00."""
    tables = pharmacy(1, drug("d", "K", 1), line("C", "a", "L"), pool=9)
    results = cost(tmp_path, tables, model(service_items='direct_only = "by_direct_cost"'))
    assert case_totals(results) == {"K": "1.00", "L": "9.00"}


NOT_LISTED = (
    "Line of a case that is neither in `cases` of the case's unit and the same period nor in the "
    "opening work in progress of that unit and period"
)


@pytest.mark.verdict(NOT_LISTED)
@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"case_id": "secret"}, ["case-not-listed"]),
        ({"case_id": "V1"}, ["case-not-listed"]),
        ({"case_id": "U1", "case_unit_id": "V"}, ["case-not-listed"]),
        ({"case_id": "next"}, ["case-not-listed"]),
        ({"case_id": "next", "case_unit_id": "V"}, ["case-not-listed"]),
        ({"case_id": "U1", "case_unit_id": "U"}, []),
        ({"case_id": "V1", "case_unit_id": "V"}, []),
        ({"case_id": "old"}, []),
        ({"case_id": "old", "case_unit_id": "V"}, ["case-not-listed"]),
        ({"case_id": ""}, []),
        ({"case_id": None, "case_unit_id": "V"}, []),
    ],
)
def test_a_line_of_a_case_that_is_not_listed_is_refused_by_file_and_row(
    tmp_path: Path, columns: dict[str, str], expected: list[str]
) -> None:
    """U lists U1 and next month next, and opens with old; V lists V1."""
    lines = [line("C", "a", "U1"), line("C", "a", "U1") | columns]
    cases = [stay("U1"), stay("next", period=NEXT_MONTH, discharged=day(2, 1))]
    own = ward(*lines, cases=cases)
    own["opening_work_in_progress"] = [opening("old", staff=1)]
    other = book({"C": "clinical"}, {"C": 0}, unit="V", cases=[stay("V1")])
    found = faults(tmp_path, joined(own, other), model())
    assert expected == [fault.code for fault in found]
    for fault in found:
        assert fault.where == ("service_lines.parquet row 2",)
        assert columns["case_id"] not in fault.what


@pytest.mark.verdict("Same case_id in two units; same dept_id in two units")
def test_equal_ids_of_two_units_are_different_cases_and_departments(tmp_path: Path) -> None:
    """Each unit's K costs what its own C and S cost: 1 + 2 and 4 + 8."""
    departments = {"S": "support", "C": "clinical"}
    rest = ({"S": {"C": 1}}, items(a=1), [line("C", "a", "K")])
    one = book(departments, {"C": 1, "S": 2}, *rest, cases=[stay("K")])
    other = book(departments, {"C": 4, "S": 8}, *rest, cases=[stay("K")], unit="V")
    results = cost(tmp_path, joined(one, other), model())
    expected = {("U", "K"): "3.00", ("V", "K"): "12.00"}
    assert expected == figures(results["case_cost"], "total", "unit_id", "case_id")


@pytest.mark.verdict("Lines of a case in two row groups or files, or in any order")
def test_the_place_of_a_line_changes_nothing(tmp_path: Path) -> None:
    """K 1 + 2 + 3 and L 4, in every order and in row groups of one, two or more, and two files."""
    quantities = (("K", 1), ("L", 4), ("K", 2), ("K", 3))
    for order in permutations([line("C", "a", case, n) for case, n in quantities]):
        tables = ward(*order, pool=1, cases=[stay("K"), stay("L")])
        for storage in ({"row_group_size": 1}, {"row_group_size": 2}, {"pieces": 2}):
            results = cost(tmp_path, written(tmp_path, tables, **storage), model())
            assert case_totals(results) == {"K": "0.60", "L": "0.40"}


@pytest.mark.verdict("Opening work in progress of a case that `cases` does not list this month")
@pytest.mark.parametrize("work_in_progress", ["carry", "include"])
def test_an_opening_case_that_is_not_listed_is_still_in_progress(
    tmp_path: Path, work_in_progress: str
) -> None:
    """Opening 10.00 and charged 20.00, and this month's 3.00 of C, charged 5.00, are published."""
    tables = ward(line("C", "a", "old", charge=5), pool=3, cases=[stay("K")])
    tables["opening_work_in_progress"] = [opening("old", staff=10, charge=number(20))]
    text = model(cases=f'work_in_progress = "{work_in_progress}"')
    results = cost(tmp_path, tables, text)
    assert figures(results["work_in_progress"], "staff", "case_id") == {"old": "13.00"}
    assert figures(results["work_in_progress"], "charge", "case_id") == {"old": "25.00"}
    assert figures(results["case_cost"], "status", "case_id") == {"old": "work_in_progress"}
    expected = {"ledger": "3.00", "opening_work_in_progress": "-10.00"}
    assert {**expected, "work_in_progress": "13.00"} == reasons(results)


@pytest.mark.verdict('`work_in_progress = "include"`')
@pytest.mark.parametrize("discharged", [None, day(2, 1), day(1, 31)])
@pytest.mark.parametrize("work_in_progress", ["carry", "include"])
def test_an_inpatient_in_the_house_is_costed_where_the_model_includes_him(
    tmp_path: Path, discharged: datetime.date | None, work_in_progress: str
) -> None:
    """Opening 10.00 and this month's 3.00: 13.00 in progress if carried, else of group G."""
    tables = ward(line("C", "a", "K"), pool=3, cases=[stay("K", discharged=discharged)])
    tables["opening_work_in_progress"] = [opening("K", staff=10)]
    results = cost(tmp_path, tables, model(cases=f'work_in_progress = "{work_in_progress}"'))
    is_costed = work_in_progress == "include" or discharged == day(1, 31)
    reason = "cases" if is_costed else "work_in_progress"
    expected = {"ledger": "3.00", "opening_work_in_progress": "-10.00", reason: "13.00"}
    assert expected == reasons(results)
    assert len(results["work_in_progress"]) == (0 if is_costed else 1)


@pytest.mark.verdict('`work_in_progress = "include"`')
@pytest.mark.parametrize("setting", ["outpatient", "emergency", "other"])
def test_only_an_inpatient_can_be_in_progress(tmp_path: Path, setting: str) -> None:
    """Elsewhere an empty date means the period."""
    cases = [stay("K", None, setting=setting, discharged=None)]
    results = cost(tmp_path, ward(line("C", "a", "K"), pool=3, cases=cases), model())
    assert reasons(results) == {"ledger": "3.00", "visits": "3.00"}


@pytest.mark.verdict("A case of any setting with a discharge before the period")
@pytest.mark.parametrize("setting", ["inpatient", "outpatient", "emergency", "other"])
@pytest.mark.parametrize("drg_id", ["G", None])
def test_a_case_discharged_before_the_period_is_late_cost_and_in_no_other_table(
    tmp_path: Path, setting: str, drg_id: str | None
) -> None:
    """Opening 10.00 and this month's 3.00."""
    cases = [stay("K", drg_id, setting=setting, discharged=datetime.date(2025, 12, 31))]
    tables = ward(line("C", "a", "K"), pool=3, cases=cases)
    tables["opening_work_in_progress"] = [opening("K", staff=10)]
    results = cost(tmp_path, tables, model())
    expected = {"ledger": "3.00", "opening_work_in_progress": "-10.00", "late_cost": "13.00"}
    assert expected == reasons(results)
    assert not any(results[name] for name in ("case_cost", "drg_cost", "work_in_progress"))


def served_for_t(pool: Any, *lines: dict[str, Any]) -> Tables:
    """Return U, which serves its own cases L and M and T's cases K, K2 and K3."""
    own = ward(*lines, pool=pool, services=A_AND_B, cases=[stay("L"), stay("M")])
    cases = [stay(case) for case in ("K", "K2", "K3")]
    return joined(own, book({"C": "clinical"}, {"C": 0}, unit="T", cases=cases))


def for_t(item_id: str, case_id: str = "K") -> dict[str, Any]:
    """Return a line of U for a case of T."""
    return line("C", item_id, case_id, case_unit_id="T")


@pytest.mark.verdict("Another unit's case")
def test_another_units_case_stays_with_the_performer_and_shows_by_item(tmp_path: Path) -> None:
    """0.02 over a and b for T's K and a for L: K 4/3 fen → 1, L 2/3 → 1; of K's fen a 2/3, b 2/3.

    Cut toward zero both are 0; the missing fen goes to a.
    """
    results = cost(
        tmp_path, served_for_t("0.02", for_t("a"), for_t("b"), line("C", "a", "L")), model()
    )
    assert reasons(results) == {"ledger": "0.02", "other_unit": "0.01", "cases": "0.01"}
    keys = ("from_unit_id", "to_unit_id", "item_id", "element")
    expected = {("U", "T", "a", "staff"): "0.01"}
    assert expected == figures(results["intercompany"], "amount", *keys)
    assert not [row for row in results["case_cost"] if row["unit_id"] == "T"]


@pytest.mark.verdict("Another unit's case")
def test_the_missing_fen_of_a_pair_of_units_go_round_again(tmp_path: Path) -> None:
    """0.03 over T's K, K2, K3 and U's L, M: 0.6 fen each, the three missing fen to T's cases.

    Item a cost 1.8 of them, cut to 1; two are missing, and a is the only item: 3 fen.
    """
    lines = [for_t("a", case) for case in ("K", "K2", "K3")]
    lines += [line("C", "a", case) for case in ("L", "M")]
    results = cost(tmp_path, served_for_t("0.03", *lines), model())
    assert reasons(results) == {"ledger": "0.03", "other_unit": "0.03"}
    assert figures(results["intercompany"], "amount", "item_id") == {"a": "0.03"}


@pytest.mark.verdict("`out_drg_cost.cases`")
def test_a_costed_case_without_a_line_counts(tmp_path: Path) -> None:
    """K 10.00 and L without a line: 2 cases, mean 5.00, sd √50, quartiles 0.00 and 10.00."""
    tables = ward(line("C", "a", "K"), pool=10, cases=[stay("K"), stay("L")])
    (row,) = cost(tmp_path, tables, model())["drg_cost"]
    shown = {c: str(row[c]) for c in ("cases", "total", "mean", "p25", "p50", "p75")}
    expected = {"cases": "2", "total": "10.00", "mean": "5.000000"}
    assert expected | {"p25": "0.00", "p50": "0.00", "p75": "10.00"} == shown
    assert row["sd"] == 50**0.5


def priced(*prices: dict[str, Any], payer: str | None = "resident") -> Tables:
    """Return a book with case K of group G, which costs 10.00, and these prices."""
    tables = ward(line("C", "a", "K"), pool=10, cases=[stay("K", scheme="S", payer=payer)])
    tables["drg_prices"] = [{"drg_id": "G", **row, "price": number(row["price"])} for row in prices]
    return tables


@pytest.mark.verdict("Several prices fit")
@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{}, {"unit_id": "U"}], "2.00"),
        ([{}, {"payer": "resident"}], "2.00"),
        ([{}, {"scheme": "S"}], "2.00"),
        ([{}, {"valid_from": "2020-01"}], "2.00"),
        ([{"unit_id": "U"}, {"scheme": "S", "payer": "resident"}], "2.00"),
        ([{"valid_from": "2025-12"}, {"valid_from": "2026-01"}], "2.00"),
        ([{"unit_id": "U", "valid_from": "2025-12"},
          {"unit_id": "U", "valid_from": "2026-01"}], "2.00"),
        ([{}, {"unit_id": "V"}], "1.00"),
        ([{}, {"payer": "employee"}], "1.00"),
        ([{}, {"scheme": "other"}], "1.00"),
        ([{}, {"valid_from": "2026-02"}], "1.00"),
        ([{}, {"unit_id": "U", "valid_to": "2025-12"}], "1.00"),
        ([{}, {"unit_id": "U", "valid_to": "2026-01"}], "2.00"),
        ([{"unit_id": "V"}], None),
    ],
)  # fmt: skip
def test_the_price_with_the_most_filled_keys_holds_then_the_latest(
    tmp_path: Path, rows: list[dict[str, str]], expected: str | None
) -> None:
    """The first row is 1.00, the second 2.00; K is of scheme S, unit U, payer resident."""
    prices = [{**row, "price": n} for n, row in enumerate(rows, 1)]
    tables = priced(*prices)
    tables["units"].append({"unit_id": "V", "kind": "village"})
    results = cost(tmp_path, tables, model())
    assert {"K": expected} == figures(results["case_cost"], "price", "case_id")


@pytest.mark.verdict("Several prices fit")
@pytest.mark.parametrize(
    "rows",
    [
        [{"unit_id": "U"}, {"payer": "resident"}],
        [{"unit_id": "U"}, {"valid_from": "2025-12"}],
        [{"unit_id": "U", "scheme": "S"}, {"payer": "resident", "valid_from": "2025-12"}],
    ],
)
def test_prices_that_fit_equally_well_are_refused(
    tmp_path: Path, rows: list[dict[str, str]]
) -> None:
    """As many keys, but others: even where the prices are equal it is not known which holds."""
    tables = priced(*({**row, "price": 1} for row in rows))
    assert faults_of(tmp_path, tables, model()) == ["price-ambiguous"]
    tables["drg_prices"].append(
        {"drg_id": "G", "scheme": "S", "unit_id": "U", "payer": "resident", "price": number(3)}
    )
    results = cost(tmp_path, tables, model())
    assert figures(results["case_cost"], "price", "case_id") == {"K": "3.00"}


@pytest.mark.verdict("Income and margin")
def test_income_and_margin_are_over_the_cases_that_have_a_price(tmp_path: Path) -> None:
    """K costs 4.00 and is paid 7.00; L costs 6.00, its payer has no price; H has none at all."""
    lines = [line("C", "a", case, n) for case, n in (("K", 4), ("L", 6), ("M", 1))]
    cases = [stay("K", payer="resident"), stay("L"), stay("M", "H")]
    tables = ward(*lines, pool=11, cases=cases)
    price = {"drg_id": "G", "payer": "resident", "price": number(7)}
    tables["drg_prices"] = [price]
    rows = cost(tmp_path, tables, model())["drg_cost"]
    assert figures(rows, "total", "drg_id") == {"G": "10.00", "H": "1.00"}
    assert figures(rows, "income", "drg_id") == {"G": "7.00", "H": None}
    assert figures(rows, "margin", "drg_id") == {"G": "3.00", "H": None}
