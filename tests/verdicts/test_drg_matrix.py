"""Groups by element and service group: what their cells are rounded to, and where money stands."""

from pathlib import Path
from typing import Any

import pytest
from books import Tables, book, cost, figures, items, line, model, opening, posting, stay

MATRIX = model(cases="drg_matrix = true")


def with_service_groups(tables: Tables, **named: str) -> Tables:
    """Return the book with the departments' service groups."""
    for row in tables["departments"]:
        row["service_group"] = named.get(row["dept_id"])
    return tables


def cells(tmp_path: Path, tables: Tables, *keys: str) -> dict[Any, str | None]:
    """Return the amounts of the matrix by the keys."""
    return figures(cost(tmp_path, tables, MATRIX)["drg_matrix"], "amount", *keys)


@pytest.mark.verdict("`drg_matrix`, order and rounding")
def test_the_missing_fen_goes_to_the_first_service_group(tmp_path: Path) -> None:
    """C and D, 0.02 each, over K, L of G and M of H: 4/3 fen a case, of 4: K 2, L 1, M 1.

    G's 3 fen are 4/3 and 4/3 exactly, H's 1 is 2/3 and 2/3: theatre comes before ward.
    """
    lines = [line(dept, "a", case) for dept in "CD" for case in "KLM"]
    stays = [stay("K"), stay("L"), stay("M", "H")]
    tables = book(
        {"C": "clinical", "D": "medtech"}, {"C": "0.02", "D": "0.02"}, {}, items(a=1), lines,
        cases=stays,
    )  # fmt: skip
    found = cells(
        tmp_path, with_service_groups(tables, C="ward", D="theatre"), "drg_id", "service_group"
    )
    assert found == {
        ("G", "theatre"): "0.02", ("G", "ward"): "0.01", ("H", "theatre"): "0.01",
    }  # fmt: skip


@pytest.mark.verdict("`drg_matrix`, order and rounding")
def test_more_fen_than_service_groups_go_round_again(tmp_path: Path) -> None:
    """0.03 over five cases: 0.6 fen each, the three missing fen to K, L and M, all of G.

    G cost 1.8 fen in the ward, cut to 1; two are missing, and the ward is the only one: 3 fen.
    """
    lines = [line("C", "a", case) for case in "KLMNO"]
    stays = [stay(case, "G" if case in "KLM" else "H") for case in "KLMNO"]
    tables = book({"C": "clinical"}, {"C": "0.03"}, {}, items(a=1), lines, cases=stays)
    assert cells(tmp_path, tables, "drg_id", "service_group") == {("G", "clinical"): "0.03"}


@pytest.mark.verdict("`drg_matrix`, order and rounding")
def test_direct_items_are_added_after_the_rounding(tmp_path: Path) -> None:
    """Drug d, 3.00 of the ward's 5.00, is K's; the 2.00 left are shared 1 : 1 by K and L of G."""
    lines = [line("C", "d", "K", direct_cost=3), line("C", "a", "K"), line("D", "a", "L")]
    ledger = [posting("C", 5, "drugs"), posting("D", 4, "drugs")]
    tables = book(
        {"C": "clinical", "D": "clinical"}, ledger, {}, items(a=1, d="drugs"), lines,
        cases=[stay("K"), stay("L")],
    )  # fmt: skip
    found = cells(tmp_path, with_service_groups(tables, C="ward"), "service_group", "element")
    assert found == {("clinical", "drugs"): "4.00", ("ward", "drugs"): "5.00"}


@pytest.mark.verdict("`drg_matrix`: a service group that costs the group nothing")
def test_what_costs_nothing_takes_no_part(tmp_path: Path) -> None:
    """0.01 over K 1, L -1 of G and M 1, N 1 of H: half a fen each, and the fen is K's.

    G costs nothing in the ward, 1/2 - 1/2, and nothing in the theatre, which has no cost: the
    fen of K stands in the ward, where a case of G costs something.
    """
    lines = [line("C", "a", case, -1 if case == "L" else 1) for case in "KLMN"]
    lines += [line("D", "a", "K")]
    stays = [stay(case, "G" if case in "KL" else "H") for case in "KLMN"]
    tables = book(
        {"C": "clinical", "D": "medtech"}, {"C": "0.01", "D": 0}, {}, items(a=1), lines,
        cases=stays,
    )  # fmt: skip
    found = cells(
        tmp_path, with_service_groups(tables, C="ward", D="theatre"), "drg_id", "service_group"
    )
    assert found == {("G", "ward"): "0.01"}


@pytest.mark.verdict("`drg_matrix`: what a case brought from earlier months")
def test_openings_stand_under_the_empty_service_group(tmp_path: Path) -> None:
    """K brought 5.00 and costs 10.00 this month."""
    tables = book(
        {"C": "clinical"}, {"C": 10}, {}, items(a=1), [line("C", "a", "K")], cases=[stay("K")]
    )
    tables["opening_work_in_progress"] = [opening("K", staff=5)]
    found = cells(tmp_path, tables, "service_group", "element")
    assert found == {("", "staff"): "5.00", ("clinical", "staff"): "10.00"}


@pytest.mark.verdict("`drg_matrix`: a department without service_group")
def test_a_class_stands_in_for_a_service_group_and_joins_its_namesake(tmp_path: Path) -> None:
    """C, 10.00, names none; E, 3.00, is medtech and names `clinical`; D, 2.00, names none."""
    departments = {"C": "clinical", "D": "medtech", "E": "medtech"}
    lines = [line(dept, "a", "K") for dept in departments]
    tables = book(departments, {"C": 10, "D": 2, "E": 3}, {}, items(a=1), lines, cases=[stay("K")])
    found = cells(tmp_path, with_service_groups(tables, E="clinical"), "service_group")
    assert found == {"clinical": "13.00", "medtech": "2.00"}


def test_a_model_that_does_not_ask_for_the_matrix_publishes_none(tmp_path: Path) -> None:
    tables = book({"C": "clinical"}, {"C": 10}, {}, items(a=1), [line("C", "a", "K")],
                  cases=[stay("K")])  # fmt: skip
    assert "drg_matrix" not in cost(tmp_path, tables, model())
