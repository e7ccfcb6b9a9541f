"""The report's section on funds shows what was published, and no claim of a person."""

from __future__ import annotations

import pytest

from consortium.books import MONTH, POLICY, written
from consortium.funding.test_stage import ASSESSED, UNITS, package, request, total
from medcost.consortium.funding.policy import RULE_NAMES, load_fund_policy
from medcost.consortium.funding.stage import fund
from medcost.consortium.inputs import read_consortium
from medcost.consortium.publication import publish_results
from medcost.output_folder import output_folder
from medcost.report.consortium_funds import funds
from medcost.report.figures import Figures, read_figures
from medcost.report.grid import Grid
from medcost.report.words import all_words
from medcost.tables import load_table

CLAIM = "claim-of-a-person"


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Figures:
    """Publish requests of 1,800 for 1,000, a package and a claim."""
    folder = tmp_path_factory.mktemp("funds")
    book = written(
        folder / "book",
        {
            "units": UNITS,
            "budget_requests": [
                request("C", "a", 1000, tags="key_discipline"),
                request("T1", "a", 500),
                request("V", "a", 300),
            ],
            "fund_totals": total(1000),
            "insurance_package": [package()],
            "assessments": ASSESSED,
            "insurance_claims": [
                {"period": MONTH, "package_id": "residents", "rule": "stop_loss",
                 "claim_id": CLAIM, "amount": 350_000}
            ],
        },
    )  # fmt: skip
    policy = folder / "policy.toml"
    policy.write_text(POLICY)
    loaded = load_fund_policy(str(policy))
    inputs = read_consortium(book, "fund", (), [MONTH])
    with output_folder(folder / "out") as held:
        publish_results(held, [fund(inputs, loaded, MONTH)], inputs, loaded)
    return read_figures(folder / "out", None)


def grid(figures: Figures, key: str) -> Grid:
    return next(grid for grid in funds(figures).grids if grid.key == key)


def test_members_and_their_total_are_shown(figures: Figures) -> None:
    """555.55 + 277.78 + 166.67 = 1,000.00 of 1,800.00: 55.5556 %."""
    *rows, whole = grid(figures, "fund_members").lines
    assert [55_555, 27_778, 16_667] == [row.cells[5] for row in rows]
    assert (180_000, 100_000, 555_556) == whole.cells[4:]


def test_shares_of_a_package_add_up_to_its_surplus(figures: Figures) -> None:
    """5 M and 135,000 given back: 5,135,000.00 to members, nothing kept."""
    shares = grid(figures, "fund_shares")
    whole = shares.lines[-1].cells[shares.place("amount")]
    packages = grid(figures, "fund_packages")
    assert 513_500_000 == whole == packages.lines[0].cells[packages.place("surplus")]


def test_every_rule_is_named_in_both_languages(figures: Figures) -> None:
    rules = {line.cells[1] for line in grid(figures, "fund_rules").lines}
    assert {
        ("基层占比", "Grassroots"),
        ("重点学科占比", "Key disciplines"),
        ("总额", "Total"),
    } == rules


def test_no_claim_is_in_the_section(figures: Figures) -> None:
    section = funds(figures)
    assert CLAIM not in repr(section)
    assert 3 == len(section.pictures)


def test_without_a_result_the_section_says_what_is_missing(figures: Figures) -> None:
    empty = {name: rows.only(rows.where("period", "none")) for name, rows in figures.tables.items()
             if name.startswith(("fund_", "insurance_", "surplus_"))}  # fmt: skip
    bare = Figures(figures.runs, empty, figures.names, {}, {}, ())
    assert funds(bare).missing is not None


def test_every_value_that_is_named_has_a_word() -> None:
    """fund_allocation.held hold_harmless is funds.held.hold_harmless, and so on."""
    for table, column, prefix in (
        ("out_fund_allocation", "held", "funds.held"),
        ("out_surplus_share", "held", "funds.held"),
        ("out_insurance_package", "line", "funds.line"),
    ):
        for value in load_table(table).column(column).values:
            assert f"{prefix}.{value}" in all_words()
    assert all(f"funds.rule.{rule}" in all_words() for rule in RULE_NAMES)
