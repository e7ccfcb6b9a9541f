"""Drivers and departments: who hands what to whom, and what is refused."""

from pathlib import Path

import pytest
from books import (
    Tables,
    book,
    cost,
    costed,
    faults,
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
    statistic,
    stay,
)

S_TO_C = {"S": "support", "C": "clinical"}
TWO_WARDS = {**S_TO_C, "D": "clinical"}
MUTUAL = {"S": "support", "T": "support", "C": "clinical"}


def by_class(*givers: str, driver: str = "heads", more: str = "") -> str:
    """Return one rule for each class of givers."""
    head = '[[departments.rule]]\ngivers = {{ class = "{}" }}\ndriver = "{}"\n{}\n'
    return "".join(head.format(giver, driver, more) for giver in givers)


def through_departments(tmp_path: Path, tables: Tables, text: str) -> Tables:
    """Return the results of a run that stops at departments."""
    return cost(tmp_path, tables, text, through="departments")


def codes(tmp_path: Path, tables: Tables, text: str) -> list[str]:
    """Return what a run that stops at departments is refused with."""
    return faults_of(tmp_path, tables, text, through="departments")


TO_CLINICAL = by_class("support", driver="own", more='receivers = { class = ["clinical"] }')
ROW_OF_A_CLOSED_DEPARTMENT = (
    "Driver row for a department that is closed (its turn is over, same tier, same pooled rule, "
    "another month's department), for the giver itself, or outside `receivers`"
)


@pytest.mark.verdict(ROW_OF_A_CLOSED_DEPARTMENT)
@pytest.mark.parametrize(
    ("why", "text", "received"),
    [
        ("turn over", model(order='["T", "S"]'), {}),
        ("same tier", model(order='["support"]'), {}),
        ("one tier of direct", model("direct"), {}),
        ("its turn is later", model(order='["S", "T"]'), {("S", "T"): "8.00"}),
        ("outside receivers", model(order='["S", "T"]', rules=TO_CLINICAL), {}),
    ],
)
def test_a_row_for_a_closed_department_does_not_count(
    tmp_path: Path, why: str, text: str, received: dict[tuple[str, str], str]
) -> None:
    """S's 12 by T 4 : C 2 is 8 and 4 where T is open, else C gets all 12."""
    tables = book(MUTUAL, {"S": 12}, {"S": {"T": 4, "C": 2}, "T": {"C": 1}})
    result = costed(tmp_path, tables, text, through="departments")
    rows = {name: table.to_pylist() for name, table in result.tables.items()}
    found = handed(rows)
    expected = received | {("S", "C"): "4.00", ("T", "C"): "8.00"}
    assert (expected if received else {("S", "C"): "12.00"}) == found, why
    assert bool(result.notes) != bool(received)


@pytest.mark.verdict(ROW_OF_A_CLOSED_DEPARTMENT)
def test_givers_of_one_pooled_rule_receive_nothing_from_each_other(tmp_path: Path) -> None:
    """A 6 and B 3 by heads A 9, B 9, C 1, D 2: C 2 + 1, D 4 + 2, though B closes after A.

    Each giver's flow is named.
    """
    departments = {"A": "admin", "B": "admin", "C": "clinical", "D": "clinical"}
    tables = book(departments, {"A": 6, "B": 3}, {"heads": {"A": 9, "B": 9, "C": 1, "D": 2}})
    text = model(order='["A", "B"]', rules=by_class("admin", more="pooled = true"))
    result = costed(tmp_path, tables, text, through="departments")
    rows = {name: table.to_pylist() for name, table in result.tables.items()}
    expected = {("A", "C"): "2.00", ("A", "D"): "4.00", ("B", "C"): "1.00", ("B", "D"): "2.00"}
    assert expected == handed(rows)
    assert any("driver rows" in note for note in result.notes)


@pytest.mark.verdict(ROW_OF_A_CLOSED_DEPARTMENT)
def test_givers_of_one_pooled_rule_receive_nothing_from_each_other_in_a_system(
    tmp_path: Path,
) -> None:
    """Reciprocal: without the pool A's 6 by B 2 : C 1 would pass through B."""
    departments = {"A": "admin", "B": "admin", "C": "clinical"}
    tables = book(departments, {"A": 6}, {"heads": {"B": 2, "C": 1}})
    text = model("reciprocal", rules=by_class("admin", more="pooled = true"))
    assert handed(through_departments(tmp_path, tables, text)) == {("A", "C"): "6.00"}


@pytest.mark.verdict("No row counts for a giver that has money")
@pytest.mark.parametrize("rows", [{}, {"S": {"S": 5}}])
@pytest.mark.parametrize("method", ["direct", "step-down", "reciprocal"])
def test_a_giver_with_money_and_no_row_is_refused_with_what_is_stuck(
    tmp_path: Path, method: str, rows: dict[str, dict[str, int]]
) -> None:
    """S holds 1,234.50; a row for itself does not count."""
    found = faults(
        tmp_path, book(S_TO_C, {"S": "1234.5"}, rows), model(method), through="departments"
    )
    assert [fault.code for fault in found] == ["driver-gap"]
    assert "1,234.50 yuan" in found[0].what
    assert found[0].where == ("'U/S', driver 'S': 1,234.50 yuan",)


@pytest.mark.verdict("No row counts for a giver that has money")
@pytest.mark.parametrize("method", ["direct", "step-down", "reciprocal"])
def test_a_giver_without_a_row_keeps_its_money_where_the_model_says_so(
    tmp_path: Path, method: str
) -> None:
    """S's 7 is undistributed, T's 3 reaches C."""
    tables = book(MUTUAL, {"S": 7, "T": 3}, {"T": {"C": 1}})
    results = through_departments(tmp_path, tables, model(method, departments='no_driver = "keep"'))
    assert full_costs(results) == {"S": "7.00", "C": "3.00"}
    assert reasons(results)["undistributed"] == "7.00"


@pytest.mark.verdict("Rows count, but their total is zero or below")
@pytest.mark.parametrize("no_driver", ["reject", "keep"])
@pytest.mark.parametrize("method", ["direct", "step-down", "reciprocal"])
@pytest.mark.parametrize("quantities", [(0, 0), (-1, 1), (1, -2)])
def test_a_total_of_zero_or_below_is_always_refused(
    tmp_path: Path, quantities: tuple[int, int], method: str, no_driver: str
) -> None:
    """0 + 0, −1 + 1 and 1 − 2 share nothing."""
    c, d = quantities
    tables = book(TWO_WARDS, {"S": 1}, {"S": {"C": c, "D": d}})
    settings = f'no_driver = "{no_driver}"\nnegative_statistics = "allow"'
    text = model(method, departments=settings)
    assert codes(tmp_path, tables, text) == ["driver-total-not-positive"]


@pytest.mark.verdict("A giver without money")
@pytest.mark.parametrize("method", ["direct", "step-down", "reciprocal"])
def test_a_giver_without_money_needs_no_rule_and_no_statistic(tmp_path: Path, method: str) -> None:
    """A has no rule, S no row, T a total of zero; none of them has a fen."""
    departments = {"A": "admin", **MUTUAL}
    tables = book(departments, {"C": 5}, {"T": {"C": 0}})
    text = model(method, rules=by_class("support", driver="own"))
    assert full_costs(through_departments(tmp_path, tables, text)) == {"C": "5.00"}


@pytest.mark.verdict('"Money"')
@pytest.mark.parametrize("method", ["direct", "step-down", "reciprocal"])
def test_a_balance_in_any_element_is_money_even_if_their_sum_is_zero(
    tmp_path: Path, method: str
) -> None:
    """S has staff 5 and other −5: 0 in all, and yet money."""
    tables = book(S_TO_C, [posting("S", 5), posting("S", -5, "other")])
    assert codes(tmp_path, tables, model(method)) == ["driver-gap"]


@pytest.mark.verdict('"Money"')
@pytest.mark.parametrize("method", ["step-down", "reciprocal"])
def test_what_a_giver_receives_is_money(tmp_path: Path, method: str) -> None:
    """T has no cost of its own; S's 4 by T 1 : C 3 leaves 1 on it, which no row shares."""
    tables = book(MUTUAL, {"S": 4}, {"S": {"T": 1, "C": 3}})
    found = faults(tmp_path, tables, model(method, order='["S", "T"]'), through="departments")
    assert [(f.code, f.where) for f in found] == [("driver-gap", ("'U/T', driver 'T': 1.00 yuan",))]


@pytest.mark.verdict('"Money"')
def test_what_is_gone_when_the_turn_comes_is_no_money(tmp_path: Path) -> None:
    """T's −1 and the 1 that it receives from S are nothing: T needs no statistic."""
    tables = book(MUTUAL, {"S": 4, "T": -1}, {"S": {"T": 1, "C": 3}})
    text = model(order='["S", "T"]')
    assert full_costs(through_departments(tmp_path, tables, text)) == {"C": "3.00"}


@pytest.mark.verdict("A receiver with statistic 0")
@pytest.mark.parametrize("rounding", ["", 'residual = "largest"', "amount_decimals = 1"])
@pytest.mark.parametrize("method", ["direct", "reciprocal"])
def test_statistic_0_receives_not_even_a_fen_of_rounding(
    tmp_path: Path, method: str, rounding: str
) -> None:
    """0.05 by A 0 : C 3 : D 3: the odd fen is never A's, the first by dept_id."""
    departments = {"S": "support", "A": "clinical", "C": "clinical", "D": "clinical"}
    tables = book(departments, {"S": "0.05"}, {"S": {"A": 0, "C": 3, "D": 3}})
    text = model(method, rounding="" if method == "reciprocal" else rounding)
    assert {"C", "D"} >= full_costs(through_departments(tmp_path, tables, text)).keys()


@pytest.mark.verdict("Negative statistic")
def test_a_negative_statistic_is_refused_unless_the_model_allows_it(tmp_path: Path) -> None:
    """9 by C 4 : D −1 is 12 and −3."""
    tables = book(TWO_WARDS, {"S": 9}, {"S": {"C": 4, "D": -1}})
    assert codes(tmp_path, tables, model()) == ["value-negative"]
    text = model(departments='negative_statistics = "allow"')
    expected = {"C": "12.00", "D": "-3.00"}
    assert expected == full_costs(through_departments(tmp_path, tables, text))


@pytest.mark.verdict("Duplicate driver row")
@pytest.mark.parametrize("quantity", [1, 2])
def test_a_driver_row_that_stands_twice_is_refused(tmp_path: Path, quantity: int) -> None:
    """Equal or not, it is not known which of the two is meant."""
    tables = book(S_TO_C, {"S": 1}, {"S": {"C": 1}})
    tables["drivers"].append(statistic("S", "C", quantity))
    assert codes(tmp_path, tables, model()) == ["duplicate-key"]


@pytest.mark.verdict("Self-service (diagonal)")
@pytest.mark.parametrize("method", ["direct", "step-down", "reciprocal"])
def test_what_a_giver_serves_itself_is_ignored(tmp_path: Path, method: str) -> None:
    """S 9 by T 1 : C 2 with or without 97 for S itself; T 6 by S 1 : C 1.

    Reciprocal: s = 9 + t/2, t = 6 + s/3: s = 14.40, t = 10.80.
    """
    rows = {"S": {"T": 1, "C": 2}, "T": {"S": 1, "C": 1}}
    without = through_departments(tmp_path, book(MUTUAL, {"S": 9, "T": 6}, rows), model(method))
    rows["S"]["S"] = 97
    found = through_departments(tmp_path, book(MUTUAL, {"S": 9, "T": 6}, rows), model(method))
    assert without == found
    if method == "reciprocal":
        expected = {"ST": "4.80", "SC": "9.60", "TS": "5.40", "TC": "5.40"}
        assert expected == {giver + to: fen for (giver, to), fen in handed(found).items()}


@pytest.mark.verdict("Two departments serving each other")
@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("reciprocal", {"ST": "4.80", "SC": "9.60", "TS": "5.40", "TC": "5.40"}),
        ("step-down", {"ST": "3.00", "SC": "6.00", "TC": "9.00"}),
        ("direct", {"SC": "9.00", "TC": "6.00"}),
    ],
)
def test_two_departments_that_serve_each_other(
    tmp_path: Path, method: str, expected: dict[str, str]
) -> None:
    """S 9 by T 1 : C 2, T 6 by S 1 : C 1.

    Reciprocal: s = 9 + t/2, t = 6 + s/3: 14.40, 10.80. Step-down: S closes first, T holds 6 + 3.
    Direct: each to C alone.
    """
    tables = book(MUTUAL, {"S": 9, "T": 6}, {"S": {"T": 1, "C": 2}, "T": {"S": 1, "C": 1}})
    found = handed(through_departments(tmp_path, tables, model(method, order='["S", "T"]')))
    assert expected == {giver + to: fen for (giver, to), fen in found.items()}


@pytest.mark.verdict(
    "Two services each wholly consumed inside a loop: a set of givers that no money can leave"
)
@pytest.mark.parametrize("amount", [0, 100])
def test_a_loop_with_no_way_out_is_refused_whether_or_not_money_is_in_it(
    tmp_path: Path, amount: int
) -> None:
    """S serves only T, T only S; R, which serves both and C, is no part of it."""
    departments = {"R": "support", **MUTUAL}
    rows = {"R": {"S": 1, "T": 1, "C": 1}, "S": {"T": 1, "C": 0}, "T": {"S": 1}}
    tables = book(departments, {"C": 1, "S": amount}, rows)
    found = faults(tmp_path, tables, model("reciprocal"), through="departments")
    assert [fault.code for fault in found] == ["closed-loop"]
    assert found[0].where == ("'U/S', driver 'S'", "'U/T', driver 'T'")
    assert f"{amount}.00 yuan" in found[0].what


@pytest.mark.verdict("Near-singular (99.999 % internal)")
@pytest.mark.parametrize(
    ("direct", "internal"),
    [("100.00", "9999900.00"), ("12345678901.23", "1234555544444098.77")],
)
def test_a_system_that_is_99_999_percent_internal_is_solved_exactly(
    tmp_path: Path, direct: str, internal: str
) -> None:
    """S and T, D each, hand each other 99,999 of 100,000: x = D + .99999 x = 100,000 D.

    C gets D of each, they .99999 · 100,000 D = 99,999 D of each other: 1.2 · 10¹⁷ fen, which a
    double does not hold.
    """
    tables = book(MUTUAL, {"S": direct, "T": direct})
    shares = {"S": {"T": 99_999, "C": 1}, "T": {"S": 99_999, "C": 1}}
    tables["drivers"] = [statistic(s, r, q) for s, row in shares.items() for r, q in row.items()]
    expected = {("S", "C"): direct, ("S", "T"): internal, ("T", "C"): direct, ("T", "S"): internal}
    assert expected == handed(through_departments(tmp_path, tables, model("reciprocal")))


@pytest.mark.parametrize(("amount", "fen"), [("0.01", "0.01"), ("-0.01", "-0.01")])
def test_half_a_fen_of_gross_cost_goes_away_from_zero(
    tmp_path: Path, amount: str, fen: str
) -> None:
    """S 1 fen by T 1 : Z 1, T to R, R to Z: s = 1, t = ½ → 1, r = ½ → 1, with either sign.

    S's fen goes to T, the first of two equal pieces; T hands on what it has, and R does.
    """
    departments = {"R": "support", "S": "support", "T": "support", "Z": "clinical"}
    shares = {"S": {"T": 1, "Z": 1}, "T": {"R": 1}, "R": {"Z": 1}}
    results = through_departments(
        tmp_path, book(departments, {"S": amount}, shares), model("reciprocal")
    )
    assert {("S", "T"): fen, ("T", "R"): fen, ("R", "Z"): fen} == handed(results)


def test_the_fen_that_a_system_leaves_follow_the_statistics_outside_it(tmp_path: Path) -> None:
    """S 1 fen by T 3 : C −1, T by S 1 : C 3: s = 1 + t/4, t = 3/2 s: s = 1.6 → 2, t = 2.4 → 2.

    S hands on 3 and −1, T ½ and 1½: cut to 0 and 1, the fen is C's. S has 1 − 2 = −1 left over, and
    C, its only department outside, takes it, though its statistic is negative: −2. T has 3 − 2 = 1
    left over: C 3.
    """
    tables = book(MUTUAL, {"S": "0.01"}, {"S": {"T": 3, "C": -1}, "T": {"S": 1, "C": 3}})
    text = model("reciprocal", departments='negative_statistics = "allow"')
    expected = {("S", "T"): "0.03", ("S", "C"): "-0.02", ("T", "C"): "0.03"}
    assert expected == handed(through_departments(tmp_path, tables, text))


@pytest.mark.verdict(
    "Gross cost Σ|x| of a unit's givers above 1,000,000 × Σ|direct| of those givers, in one element"
)
@pytest.mark.parametrize(("inside", "refused"), [(999_999, []), (1_000_000, ["gross"])])
def test_gross_cost_above_a_million_times_direct_cost_is_refused(
    tmp_path: Path, inside: int, refused: list[str]
) -> None:
    """S and T, 1.00 each, hand each other n of n + 1: x = (n + 1) · 1.00, 1,000,000 times or more.

    The bound is of each element: T's 1,000 of other cost does not help.
    """
    ledger = [posting("S", 1), posting("T", 1), posting("C", 1000, "other")]
    shares = {"S": {"T": inside, "C": 1}, "T": {"S": inside, "C": 1}}
    found = codes(tmp_path, book(MUTUAL, ledger, shares), model("reciprocal"))
    assert (["gross-cost-out-of-bound"] if refused else []) == found


@pytest.mark.verdict("Negative statistics that make the system singular")
def test_a_system_that_negative_statistics_make_singular_is_refused(tmp_path: Path) -> None:
    """S hands on 2 to T and −1 to C, T a half each: x = 1 + ½ y, y = 1 + 2 x: 0 · x = 1½."""
    tables = book(MUTUAL, {"S": 1, "T": 1}, {"S": {"T": 2, "C": -1}, "T": {"S": 1, "C": 1}})
    text = model("reciprocal", departments='negative_statistics = "allow"')
    assert codes(tmp_path, tables, text) == ["singular-system"]


@pytest.mark.verdict("Islands; departments that only send or only receive")
@pytest.mark.parametrize("method", ["step-down", "reciprocal"])
def test_islands_and_one_way_departments_are_allocated_like_any_other(
    tmp_path: Path, method: str
) -> None:
    """S and T (which only receives from S) end on C, the island R on D; L receives nothing."""
    departments = {"R": "support", **MUTUAL, "D": "clinical", "L": "clinical"}
    rows = {"R": {"D": 1}, "S": {"T": 1, "C": 1}, "T": {"C": 1}}
    tables = book(departments, {"R": 1, "S": 2, "T": 4, "L": 8}, rows)
    results = through_departments(tmp_path, tables, model(method, order='["S", "T", "R"]'))
    assert full_costs(results) == {"C": "6.00", "D": "1.00", "L": "8.00"}


def model_faults(tmp_path: Path, text: str) -> list[str]:
    """Return the codes that a model is refused with, whatever the book."""
    return codes(tmp_path, book(S_TO_C, {"C": 1}), text)


@pytest.mark.verdict('`credit_balance = "keep"` with the reciprocal method')
def test_a_reciprocal_giver_has_no_turn_to_keep_a_credit_at(tmp_path: Path) -> None:
    """The step-down and direct methods take the same key."""
    keep = 'credit_balance = "keep"'
    assert model_faults(tmp_path, model("reciprocal", departments=keep)) == ["model-value"]
    for method in ("step-down", "direct"):
        assert not model_faults(tmp_path, model(method, departments=keep))


@pytest.mark.parametrize("method", ["step-down", "direct"])
def test_a_credit_that_the_model_keeps_is_undistributed(tmp_path: Path, method: str) -> None:
    """S's staff 5 and other −8 are −3 in all: both stay. T's 2 and −1 are 1: both reach C."""
    ledger = [
        posting("S", 5),
        posting("S", -8, "other"),
        posting("T", 2),
        posting("T", -1, "other"),
    ]
    tables = book(MUTUAL, ledger, {"S": {"C": 1}, "T": {"C": 1}})
    text = model(method, departments='credit_balance = "keep"')
    results = through_departments(tmp_path, tables, text)
    assert reasons(results)["undistributed"] == "-3.00"
    rows = [row for row in results["department_cost"] if row["full_cost"]]
    expected = {("S", "staff"): "5.00", ("S", "other"): "-8.00"}
    expected |= {("C", "staff"): "2.00", ("C", "other"): "-1.00"}
    assert expected == figures(rows, "full_cost", "dept_id", "element")


def test_a_credit_that_the_model_keeps_needs_no_statistic(tmp_path: Path) -> None:
    """S's −3 is left when its turn comes, so nothing has to say by what it would be shared."""
    tables = book(S_TO_C, {"S": -3, "C": 9})
    text = model(departments='credit_balance = "keep"')
    results = through_departments(tmp_path, tables, text)
    assert full_costs(results) == {"S": "-3.00", "C": "9.00"}


@pytest.mark.verdict("`[departments.rounding]` with the reciprocal method")
def test_another_houses_rounding_is_refused_with_the_reciprocal_method(tmp_path: Path) -> None:
    """The step-down and direct methods take the same section."""
    rounding = "amount_decimals = 0"
    assert model_faults(tmp_path, model("reciprocal", rounding=rounding)) == ["model-value"]
    for method in ("step-down", "direct"):
        assert not model_faults(tmp_path, model(method, rounding=rounding))


@pytest.mark.verdict('`pooled = true` with `driver = "own"`')
def test_a_pool_cannot_have_a_statistic_of_each_giver(tmp_path: Path) -> None:
    """A pool shares one statistic."""
    rules = by_class("admin", driver="own", more="pooled = true")
    assert model_faults(tmp_path, model(rules=rules)) == ["model-value"]


@pytest.mark.verdict("A dept_id that stands in two entries of `order`")
@pytest.mark.parametrize("order", ['["S", "T", "S"]', '[["S"], "support"]', '["S", ["T", "S"]]'])
def test_the_first_entry_of_order_counts(tmp_path: Path, order: str) -> None:
    """S closes first: its 4 by T 1 : C 1 leaves T 2; T's row for S does not count."""
    tables = book(MUTUAL, {"S": 4}, {"S": {"T": 1, "C": 1}, "T": {"S": 1, "C": 1}})
    expected = {("S", "T"): "2.00", ("S", "C"): "2.00", ("T", "C"): "2.00"}
    assert expected == handed(through_departments(tmp_path, tables, model(order=order)))


@pytest.mark.verdict(
    "A rule names a driver that no row of `drivers` has, and a giver of the book matches the rule"
)
@pytest.mark.parametrize("amount", [0, 1])
def test_a_misspelt_driver_is_refused_with_the_key_and_its_line(
    tmp_path: Path, amount: int
) -> None:
    """The first rule matches no department of the book, the second one matches S."""
    tables = book(S_TO_C, {"S": amount, "C": 1}, {"heads": {"C": 1}})
    text = model(rules=by_class("admin", "support", driver="haeds"))
    found = faults(tmp_path, tables, text, through="departments")
    number = [n for n, row in enumerate(text.splitlines(), 1) if "haeds" in row][1]
    expected = [("driver-not-listed", (f"model.toml line {number}, departments.rule[1].driver",))]
    assert expected == [(fault.code, fault.where) for fault in found]


@pytest.mark.verdict(
    "A rule names a driver that no row of `drivers` has, and a giver of the book matches the rule"
)
def test_a_driver_of_a_rule_that_no_giver_matches_may_be_missing(tmp_path: Path) -> None:
    """There is no admin department."""
    tables = book(S_TO_C, {"S": 1}, {"heads": {"C": 1}})
    text = model(rules=by_class("admin", driver="haeds") + by_class("support"))
    assert full_costs(through_departments(tmp_path, tables, text)) == {"C": "1.00"}


THREE = {**TWO_WARDS, "E": "clinical"}


@pytest.mark.verdict('`residual = "largest_remainder"` in `[departments.rounding]`')
@pytest.mark.parametrize(
    ("amount", "rounding", "expected"),
    [
        ("100.00", "amount_decimals = 0", ["34.00", "33.00", "33.00"]),
        ("101.00", "amount_decimals = 0", ["34.00", "34.00", "33.00"]),
        ("100.45", "amount_decimals = 0", ["34.00", "33.45", "33.00"]),
        ("-100.45", "amount_decimals = 0", ["-34.00", "-33.45", "-33.00"]),
        ("0.25", "amount_decimals = 1", ["0.10", "0.10", "0.05"]),
        ("10.00", "multiplier_decimals = 0\namount_decimals = 0", ["4.00", "3.00", "3.00"]),
        ("1.00", "multiplier_decimals = 0", ["0.34", "0.33", "0.33"]),
    ],
)
def test_what_is_missing_is_handed_out_a_quantum_each(
    tmp_path: Path, amount: str, rounding: str, expected: list[str]
) -> None:
    """By 1 : 1 : 1. 100.00 in whole yuan: 33 each, 1 to C. 101.00: 1 each to C and D.

    100.45: 33 each; 1 to C, and the piece 0.45 to the next, D. 0.25 in tenths: 0.0 each; 0.1 to C
    and D, the piece 0.05 to E. 10.00 at a multiplier of 3.33 → 3: 3 each, 1 to C. 1.00 at 0.33 →
    0: nothing each; 1.00 goes round 33 times, and a last fen to C.
    """
    rows = {"S": {"C": 1, "D": 1, "E": 1}}
    tables = book(THREE, {"S": amount}, rows)
    text = model(rounding=f'residual = "largest_remainder"\n{rounding}')
    found = handed(through_departments(tmp_path, tables, text))
    assert dict(zip((("S", "C"), ("S", "D"), ("S", "E")), expected, strict=True)) == found


@pytest.mark.verdict('`residual = "largest"`')
@pytest.mark.parametrize(
    ("amount", "quantities", "expected"),
    [
        ("100.00", (1, 1, 1), ["34.00", "33.00", "33.00"]),
        ("101.00", (1, 1, 1), ["33.00", "34.00", "34.00"]),
        ("5.00", (1, 2, 1), ["1.00", "3.00", "1.00"]),
        ("7.00", (1, 2, 2), ["1.00", "3.00", "3.00"]),
        ("8.00", (1, 3, 3), ["1.00", "4.00", "3.00"]),
        ("-100.00", (1, 1, 1), ["-34.00", "-33.00", "-33.00"]),
        ("-7.00", (1, 1, 2), ["-1.00", "-2.00", "-4.00"]),
        ("2.00", (1, 1, 2), ["0.00", "1.00", "1.00"]),
    ],
)
def test_the_largest_signed_cell_takes_the_whole_difference(
    tmp_path: Path, amount: str, quantities: tuple[int, int, int], expected: list[str]
) -> None:
    """Whole yuan, halves away from zero, then the difference to the largest, C before D before E.

    100: 33 · 3, +1 to C. 101: 33⅔ → 34 · 3, −1 to C. 5: 1¼, 2½ → 3, 1¼. 7: 1.4, 2.8, 2.8.
    8: 1.14, 3.43, 3.43 → 1, 3, 3, +1 to D. −100: −33 · 3, −1 to C. −7: −1¾, −1¾, −3½ → −2, −2,
    −4, +1 to the largest signed, C. 2: ½, ½, 1 → 1, 1, 1, −1 to C.
    """
    rows = {"S": dict(zip("CDE", quantities, strict=True))}
    text = model(rounding='residual = "largest"\namount_decimals = 0')
    found = through_departments(tmp_path, book(THREE, {"S": amount}, rows), text)
    flows = {receiver: fen for (_, receiver), fen in handed(found).items()}
    assert expected == [flows.get(dept, "0.00") for dept in "CDE"]


@pytest.mark.verdict("A giver kept by `no_driver` in a reciprocal system")
def test_a_giver_kept_by_no_driver_takes_the_fen_that_a_system_leaves(tmp_path: Path) -> None:
    """T has no statistic and keeps what it receives, as a department that does not give.

    S 1.00 by R 1 : T 1, R 0 by S 1 alone: s = 1 + r, r = s/2: s = 2.00, r = 1.00. Only T is left
    to receive: 1.00, undistributed.
    """
    departments = {"R": "support", **MUTUAL}
    tables = book(departments, {"S": 1, "C": 3}, {"S": {"R": 1, "T": 1}, "R": {"S": 1}})
    text = model("reciprocal", departments='no_driver = "keep"')
    results = through_departments(tmp_path, tables, text)
    assert full_costs(results) == {"T": "1.00", "C": "3.00"}
    assert reasons(results)["undistributed"] == "1.00"


@pytest.mark.verdict("A giver kept by `no_driver` in a reciprocal system")
def test_the_fen_left_on_a_giver_may_rest_on_one_that_is_kept(tmp_path: Path) -> None:
    """S 0.01 by R 1 : T 1 : C 1, R by S 1 : T 1: s = 0.01 + r/2, r = s/3: s = 0.012, r = 0.004.

    Rounded: s 0.01 to C, the first of three thirds; r 0. Nothing is left over. With 0.02: s 0.024
    → 0.02 to C and R, r 0.008 → 0.01 to S: S has 0.02 + 0.01 − 0.02 = 0.01 left over, which goes
    by C 1 : T 1 to C.
    """
    departments = {"R": "support", **MUTUAL}
    rows = {"S": {"R": 1, "T": 1, "C": 1}, "R": {"S": 1, "T": 1}}
    text = model("reciprocal", departments='no_driver = "keep"')
    once = through_departments(tmp_path, book(departments, {"S": "0.01"}, rows), text)
    assert handed(once) == {("S", "C"): "0.01"}
    twice = through_departments(tmp_path, book(departments, {"S": "0.02"}, rows), text)
    expected = {("S", "C"): "0.02", ("S", "R"): "0.01", ("R", "S"): "0.01"}
    assert expected == handed(twice)


LAB = {"M": "medtech", "C": "clinical", "D": "clinical"}
BY_CHARGE, BY_QUANTITY = 'basis = "charge"', 'basis = "quantity"'


def lab(*lines: dict[str, object], pool: object = 9) -> Tables:
    """Return a book whose lab M has a pool and performs item a; K is a case of C."""
    cases = [stay("K", dept_id="C"), stay("L")]
    return book(LAB, {"M": pool}, {}, items(a=1, d="drugs"), lines, cases=cases)


@pytest.mark.verdict("Level 3, net measure of a medtech department zero or below")
@pytest.mark.parametrize("reversal", [-2, -3])
def test_a_lab_with_no_net_services_keeps_its_cost(tmp_path: Path, reversal: int) -> None:
    """2 − 2 and 2 − 3 services: M's 9 stays on it."""
    lines = [line("M", "a", "K", 2), line("M", "a", "K", reversal, ordering_dept_id="D")]
    results = through_departments(tmp_path, lab(*lines), model(level_3=BY_QUANTITY))
    assert full_costs(results) == {"M": "9.00"}
    assert reasons(results)["not_carried_further"] == "9.00"


@pytest.mark.verdict("Level 3, net measure of a medtech department zero or below")
def test_a_lab_with_no_net_services_is_logged(tmp_path: Path) -> None:
    """2 − 2 services: a note tells of the one department that keeps its cost."""
    lines = [line("M", "a", "K", 2), line("M", "a", "K", -2)]
    result = costed(tmp_path, lab(*lines), model(level_3=BY_QUANTITY), through="departments")
    assert any(note.startswith("1 medtech department") for note in result.notes)


@pytest.mark.verdict("Level 3, ordering department")
def test_the_ordering_department_is_that_of_the_line_else_that_of_the_units_own_case(
    tmp_path: Path,
) -> None:
    """9 by C 2 : D 1 is 6 and 3.

    Two of K, a case of C; one that D ordered for K. L has no department, an empty case none, M is
    not clinical, a direct item counts nothing: none of them shares.
    """
    lines = [
        line("M", "a", "K", 2),
        line("M", "a", "K", 1, ordering_dept_id="D"),
        line("M", "a", "L", 5),
        line("M", "a", "", 7),
        line("M", "a", "K", 11, ordering_dept_id="M"),
        line("M", "d", "K", 13, direct_cost=0),
    ]
    text = model(level_3=BY_QUANTITY)
    expected = {("M", "C"): "6.00", ("M", "D"): "3.00"}
    assert expected == handed(through_departments(tmp_path, lab(*lines), text))


@pytest.mark.verdict("Level 3, ordering department")
def test_an_empty_charge_counts_0(tmp_path: Path) -> None:
    """By charge 5.00 : none, C has all 9."""
    lines = [line("M", "a", "K", charge=5), line("M", "a", "K", ordering_dept_id="D", charge=None)]
    results = through_departments(tmp_path, lab(*lines), model(level_3=BY_CHARGE))
    assert handed(results) == {("M", "C"): "9.00"}


@pytest.mark.verdict("Level 3, ordering department")
def test_a_department_of_another_unit_receives_nothing(tmp_path: Path) -> None:
    """Of V's case K, which C of V discharges, and of D in V there is no share in U's lab.

    U's lab serves its own K once and V's K five times, thrice as D of V ordered: U's C gets all 9.
    """
    away = {"case_unit_id": "V"}
    lines = [
        line("M", "a", "K", 1),
        line("M", "a", "K", 2, **away),
        line("M", "a", "K", 3, ordering_dept_id="E", **away),
    ]
    own, other = lab(*lines), book({"C": "clinical", "E": "clinical"}, {"C": 4}, unit="V")
    other["cases"] = [stay("K", unit_id="V", dept_id="C")]
    tables = joined(own, other)
    results = through_departments(tmp_path, tables, model(level_3=BY_QUANTITY))
    rows = [row for row in results["department_cost"] if row["full_cost"]]
    expected = {("U", "C"): "9.00", ("V", "C"): "4.00"}
    assert expected == figures(rows, "full_cost", "unit_id", "dept_id")
