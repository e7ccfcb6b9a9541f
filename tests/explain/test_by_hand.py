"""Explanations that a pencil can check."""

from pathlib import Path

import pytest
from books import book, items, joined, line, model, opening, posting, statistic, stay

from explain.explained import by_posting, computed, explained, parts
from medcost.errors import InputRejected
from medcost.explanation import explain
from medcost.figure_found import Question

TWO_LEVELS = book(
    {"A": "admin", "S": "support", "C": "clinical", "D": "clinical"},
    {"A": 100, "S": 30, "C": 5},
    {"A": {"S": 20, "C": 60, "D": 20}, "S": {"C": 3, "D": 2}},
)
LEVEL_3 = book(
    {"A": "admin", "M": "medtech", "C": "clinical", "D": "clinical"},
    {"A": 10, "M": 40, "C": 1},
    {"A": {"M": 1, "C": 1}, "orders": {"C": 2, "D": 1}},
)
BY_ORDERS = model(level_3='basis = "driver"\ndriver = "orders"')
STAYS = [stay("K1", "G"), stay("K2", "H")]
WARD_LINES = [line("C", "a", "K1", 1), line("C", "a", "K2", 3)]


def ward_with_drugs():
    """Staff 100, drugs 10 of which 4 are traced to K1; K1 came with 7 of January's staff cost."""
    lines = [*WARD_LINES, line("C", "r", "K1", 1, direct_cost=4)]
    ledger = [posting("C", 100), posting("C", 10, "drugs")]
    tables = book({"C": "clinical"}, ledger, {}, items(a=1, r="drugs"), lines, cases=STAYS)
    return tables | {"opening_work_in_progress": [opening("K1", staff=7)]}


def test_a_step_down_of_two_levels(tmp_path: Path) -> None:
    """A hands 20 to S, 60 to C, 20 to D. S bears 30 + 20 and hands 30 to C, 20 to D.

    C: 5 of its own, 60 straight from A, 30 ⁄ 50 of what S bore: 12 of A's and 18 of S's.
    """
    found = explained(tmp_path, TWO_LEVELS, model(), "dept", "C")
    expected = {
        ("C", "direct"): "5.00",
        ("A", "level_1"): "60.00",
        ("A", "level_1_2"): "12.00",
        ("S", "level_2"): "18.00",
    }
    assert expected == parts(found)
    assert 9500 == found.fen


def test_two_departments_that_serve_each_other(tmp_path: Path) -> None:
    """X1: m₁ = ½ + ⅕ m₂ and m₂ = ¼ + ¼ m₁, so m₁ = 11 ⁄ 19, m₂ = 7.5 ⁄ 19; times 76,000."""
    classes = {"S1": "support", "S2": "support", "P1": "clinical", "P2": "clinical"}
    drivers = {"S1": {"S2": 20, "P1": 50, "P2": 30}, "S2": {"S1": 25, "P1": 25, "P2": 50}}
    tables = book(classes, {"S1": 76_000, "S2": 76_000}, drivers)
    found = explained(tmp_path, tables, model("reciprocal"), "dept", "P1")
    assert {("S1", "level_2"): "44000.00", ("S2", "level_2"): "30000.00"} == parts(found)


def test_a_loop_of_two_levels_names_each_level_once(tmp_path: Path) -> None:
    """A and S hand each other half: A bears 120, S 60. Of A's own 90 half goes to C at once."""
    classes = {"A": "admin", "S": "support", "C": "clinical"}
    tables = book(classes, {"A": 90}, {"A": {"S": 1, "C": 1}, "S": {"A": 1, "C": 1}})
    found = explained(tmp_path, tables, model("reciprocal"), "dept", "C")
    assert {("A", "level_1"): "45.00", ("A", "level_1_2"): "45.00"} == parts(found)


def test_level_3_hands_on_what_medtech_received(tmp_path: Path) -> None:
    """M bears 40 + 5 and C ordered two thirds: 26.67 of M's own, 3.33 of A's; 1 + 5 + 30 = 36."""
    found = explained(tmp_path, LEVEL_3, BY_ORDERS, "dept", "C")
    expected = {
        ("C", "direct"): "1.00",
        ("A", "level_1"): "5.00",
        ("A", "level_1_3"): "3.33",
        ("M", "level_3"): "26.67",
    }
    assert expected == parts(found)
    assert "full_cost" == found.figure


def test_a_department_that_handed_everything_on_shows_what_it_bore(tmp_path: Path) -> None:
    """M bore 40 of its own and 5 of A's."""
    found = explained(tmp_path, LEVEL_3, BY_ORDERS, "dept", "M")
    assert {("M", "direct"): "40.00", ("A", "level_1"): "5.00"} == parts(found)
    assert "gross_cost" == found.figure


def test_a_group_holds_shares_of_pools_direct_items_and_openings(tmp_path: Path) -> None:
    """G is K1, a quarter of C: 25 of staff, 1.50 of the 6 yuan of drugs left, 4 traced, 7 opened.

    25 + 1.50 + 4 + 7 = 37.50.
    """
    found = explained(tmp_path, ward_with_drugs(), model(), "drg", "G")
    expected = {
        ("C", "direct"): "26.50",
        ("C", "traced"): "4.00",
        ("", "opening"): "7.00",
    }
    assert expected == parts(found)
    assert (3750, 1) == (found.fen, found.n_cases)
    services = found.tables["explanation_services"].to_pylist()
    shown = {(r["item_id"], r["element"]): (str(r["shared"]), str(r["traced"])) for r in services}
    expected = {
        ("a", "staff"): ("25.00", "0.00"),
        ("a", "drugs"): ("1.50", "0.00"),
        ("r", "drugs"): ("0.00", "4.00"),
    }
    assert expected == shown


def test_one_element_of_a_group(tmp_path: Path) -> None:
    """Drugs: 1.50 + 4."""
    found = explained(tmp_path, ward_with_drugs(), model(), "drg", "G", element="drugs")
    assert {("C", "direct"): "1.50", ("C", "traced"): "4.00"} == parts(found)
    assert 550 == found.fen


def test_a_reversal_has_its_part_with_its_sign(tmp_path: Path) -> None:
    """Postings of 120 and -20; G takes a quarter of each."""
    ledger = [posting("C", 120), posting("C", -20)]
    tables = book({"C": "clinical"}, ledger, {}, items(a=1), WARD_LINES, cases=STAYS)
    assert {1: "30.00", 2: "-5.00"} == by_posting(explained(tmp_path, tables, model(), "drg", "G"))


def test_a_credit_balance_takes_its_postings_along(tmp_path: Path) -> None:
    """A holds 10 - 40 = -30, of which C gets a third: 3.33 and -13.33."""
    ledger = [posting("A", 10), posting("A", -40), posting("C", 50)]
    classes = {"A": "admin", "C": "clinical", "D": "clinical"}
    tables = book(classes, ledger, {"A": {"C": 1, "D": 2}})
    found = explained(tmp_path, tables, model(), "dept", "C")
    assert {1: "3.33", 2: "-13.33", 3: "50.00"} == by_posting(found)


def test_cost_and_credit_that_cancel_on_a_giver_reach_nobody(tmp_path: Path) -> None:
    """A hands its -5 to S, which has posted 5: S bears nothing and hands nothing on."""
    classes = {"A": "admin", "S": "support", "C": "clinical"}
    tables = book(classes, {"A": -5, "S": 5, "C": 1}, {"A": {"S": 1}, "S": {"C": 1}})
    assert {("C", "direct"): "1.00"} == parts(explained(tmp_path, tables, model(), "dept", "C"))


def test_the_last_fen_goes_to_the_largest_piece(tmp_path: Path) -> None:
    """A and B hand a third each of 1.00 and 2.00 to C: 33⅓ and 66⅔ fen are 33 and 67."""
    classes = {"A": "admin", "B": "admin", "C": "clinical", "D": "clinical", "E": "clinical"}
    thirds = {"C": 1, "D": 1, "E": 1}
    tables = book(classes, {"A": 1, "B": 2, "C": 3}, {"A": thirds, "B": thirds})
    found = explained(tmp_path, tables, model(), "dept", "D")
    assert {("A", "level_1"): "0.33", ("B", "level_1"): "0.67"} == parts(found)


def test_what_the_scope_leaves_out_has_no_part(tmp_path: Path) -> None:
    """Of two equal postings one is paid by the treasury."""
    ledger = [posting("C", 8, fund="fiscal_project"), posting("C", 8, account="5001")]
    tables = book({"C": "clinical"}, ledger)
    found = explained(tmp_path, tables, model(), "dept", "C")
    assert {2: "8.00"} == by_posting(found)
    row = found.tables["explanation"].to_pylist()[0]
    assert ("own", "medical", "5001", "ledger.parquet") == tuple(
        row[name] for name in ("fund", "program", "account", "file")
    )


def two_wards():
    """Two units with a ward C and an item a each."""
    one = book({"C": "clinical"}, {"C": 100}, {}, items(a=1), WARD_LINES, cases=STAYS)
    other = book({"C": "clinical"}, {"C": 8}, {}, items(a=1), WARD_LINES, cases=STAYS, unit="V")
    return joined(one, other)


def test_an_item_of_two_units_is_the_sum_of_both(tmp_path: Path) -> None:
    """100 + 8 yuan, all by item a."""
    found = explained(tmp_path, two_wards(), model(), "item", "a")
    assert (("U", "V"), 10800) == (found.units, found.fen)
    rows = found.tables["explanation"].to_pylist()
    assert {"U": "100.00", "V": "8.00"} == {r["unit_id"]: str(r["amount"]) for r in rows}


def test_a_group_of_two_units_can_be_asked_for_in_one(tmp_path: Path) -> None:
    """A quarter of 8."""
    assert 200 == explained(tmp_path, two_wards(), model(), "drg", "G", unit="V").fen


def rejected(tmp_path: Path, question: Question, tables=None, through: str = "cases"):
    """Return the fault code of a question and where it points."""
    run = computed(tmp_path, tables or two_wards(), model(), through)
    with pytest.raises(InputRejected) as refused:
        explain(run, question)
    (fault,) = refused.value.faults
    return fault.code, fault.where


def test_a_department_of_two_units_must_be_named_with_its_unit(tmp_path: Path) -> None:
    assert ("figure-ambiguous", ("'U'", "'V'")) == rejected(tmp_path, Question("dept", "C"))


def test_a_group_of_two_schemes_must_be_named_with_its_scheme(tmp_path: Path) -> None:
    cases = [stay("K1", "G", scheme="old"), stay("K2", "G", scheme="new")]
    tables = book({"C": "clinical"}, {"C": 100}, {}, items(a=1), WARD_LINES, cases=cases)
    where = ("figure-ambiguous", ("'new'", "'old'"))
    assert where == rejected(tmp_path, Question("drg", "G"), tables)
    assert 2500 == explained(tmp_path, tables, model(), "drg", "G", scheme="old").fen


@pytest.mark.parametrize("kind", ["dept", "item", "drg"])
def test_an_unknown_label_is_named(tmp_path: Path, kind: str) -> None:
    expected = ("figure-not-in-run", (f"--{kind}",))
    assert expected == rejected(tmp_path, Question(kind, "X"))


def test_an_unknown_unit_is_named(tmp_path: Path) -> None:
    assert ("unit-not-in-book", ("--unit",)) == rejected(tmp_path, Question("drg", "G", unit="W"))


@pytest.mark.parametrize(
    ("kind", "label", "through"),
    [("item", "a", "departments"), ("drg", "G", "departments"), ("drg", "G", "service-items")],
)
def test_a_run_that_stopped_earlier_says_so(
    tmp_path: Path, kind: str, label: str, through: str
) -> None:
    code, _ = rejected(tmp_path, Question(kind, label), through=through)
    assert "stage-not-in-run" == code


def test_an_item_of_a_department_without_activity_holds_what_was_traced(tmp_path: Path) -> None:
    """P performs direct items only: 6 traced, the other 4 yuan are no_activity."""
    lines = [line("P", "r", "K1", 1, direct_cost=6)]
    tables = book(
        {"P": "medtech"}, [posting("P", 10, "drugs")], {}, items(r="drugs"), lines, cases=STAYS
    )
    assert {("P", "traced"): "6.00"} == parts(explained(tmp_path, tables, model(), "item", "r"))


def test_undistributed_cost_is_explained_where_it_rests(tmp_path: Path) -> None:
    """S keeps its credit: -5 of its own and 2 of A's."""
    classes = {"A": "admin", "S": "support", "C": "clinical"}
    tables = book(classes, {"A": 4, "S": -5}, {"A": {"S": 1, "C": 1}, "S": {"C": 1}})
    text = model(departments='credit_balance = "keep"')
    found = explained(tmp_path, tables, text, "dept", "S")
    assert {("S", "direct"): "-5.00", ("A", "level_1"): "2.00"} == parts(found)


def test_statistics_that_are_not_used_change_no_explanation(tmp_path: Path) -> None:
    """D's statistic of 0 gets no flow and no part."""
    tables = book(
        {"A": "admin", "C": "clinical", "D": "clinical"}, {"A": 9}, {"A": {"C": 1, "D": 0}}
    )
    tables["drivers"].append(statistic("spare", "C", 5))
    assert {("A", "level_1"): "9.00"} == parts(explained(tmp_path, tables, model(), "dept", "C"))
    found = explained(tmp_path, tables, model(), "dept", "D")
    assert ({}, 0) == (parts(found), found.fen)
