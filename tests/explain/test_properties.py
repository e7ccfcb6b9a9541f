"""What holds for every explanation of a generated book."""

import tempfile
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from books import ELEMENTS, cost, model_file, written
from hypothesis import given, settings
from oracle.generated_books import PERIODS, to_toml
from properties.generated import accepted, generated, seeds

from explain.explained import parts
from medcost.explanation import Explanation, explain
from medcost.figure_found import Question
from medcost.kept_run import KeptRun, compute_run


def run_of(tmp_path: Path, seed: int) -> tuple[KeptRun, dict]:
    """Return a generated book's run and its published tables."""
    tables, model = generated(accepted(seed))
    folder, period = written(tmp_path, tables), PERIODS[seed % 2]
    text = to_toml(model)
    run = compute_run(folder, str(model_file(tmp_path, text)), period)
    return run, cost(tmp_path, folder, text, period=period)


def by_element(found: Explanation) -> dict[str, Decimal]:
    """Return element → sum of the parts, without those that are zero."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in found.tables["explanation"].to_pylist():
        sums[row["element"]] += row["amount"]
    return {element: amount for element, amount in sums.items() if amount}


@given(seed=seeds)
@settings(max_examples=15, deadline=None)
def test_the_parts_of_every_published_figure_add_up_to_it(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run, published = run_of(Path(folder), seed)
    full: dict = defaultdict(dict)
    for row in published["department_cost"]:
        if row["full_cost"]:
            full[row["unit_id"], row["dept_id"]][row["element"]] = row["full_cost"]
    for (unit, dept), expected in full.items():
        found = explain(run, Question("dept", dept, unit))
        assert ("full_cost", expected) == (found.figure, by_element(found))
    items: dict = defaultdict(lambda: defaultdict(Decimal))
    for row in published["service_item_cost"]:
        for element in ELEMENTS:
            items[row["unit_id"], row["item_id"]][element] += row[element]
    for (unit, item), costs in items.items():
        expected = {element: amount for element, amount in costs.items() if amount}
        assert expected == by_element(explain(run, Question("item", item, unit)))
    for row in published["drg_cost"]:
        question = Question("drg", row["drg_id"], row["unit_id"], row["scheme"])
        if row["scheme"]:
            found = explain(run, question)
            assert {e: row[e] for e in ELEMENTS if row[e]} == by_element(found)
            assert row["cases"] == found.n_cases


@given(seed=seeds)
@settings(max_examples=10, deadline=None)
def test_the_full_costs_of_a_unit_hold_its_whole_ledger(seed: int) -> None:
    """By origin within a fen for each department that shares it, over all origins exactly."""
    with tempfile.TemporaryDirectory() as folder:
        run, _ = run_of(Path(folder), seed)
    registers, costs = run.period_book.registers, run.departments
    for unit, unit_id in enumerate(registers.unit_ids):
        mine = np.flatnonzero(registers.dept_unit == unit)
        found: dict[tuple[str, str], int] = defaultdict(int)
        for dept in mine:
            if costs.full_cost[dept].any():
                explanation = explain(run, Question("dept", registers.dept_ids[dept], unit_id))
                for (_, origin, _, element), fen in explanation.parts.origins.items():
                    found[origin, element] += fen
        # What cancels on a giver reaches nobody.
        handed_on = np.zeros_like(costs.bore)
        np.add.at(handed_on, costs.flows.giver, costs.flows.fen)
        cancelled = ((costs.bore == 0) & ((costs.direct != 0) | (handed_on != 0)))[mine]
        for element, name in enumerate(ELEMENTS):
            sums = {o: fen for (o, e), fen in found.items() if e == name}
            assert costs.direct[mine, element].sum() == sum(sums.values())
            if not cancelled[:, element].any() and not received_and_lost(costs, mine, element):
                for dept in mine:
                    fen = sums.get(registers.dept_ids[dept], 0)
                    assert abs(fen - costs.direct[dept, element]) <= len(mine)


def received_and_lost(costs, mine, element: int) -> bool:
    """Say whether some department received money that its own or other credits cancel."""
    receives = np.zeros(len(costs.bore), np.bool_)
    receives[costs.flows.receiver[costs.flows.fen[:, element] != 0]] = True
    return bool((receives & (costs.bore[:, element] == 0))[mine].any())


@pytest.mark.parametrize("seed", [3, 14])
def test_row_order_and_files_change_no_amount_of_an_origin(tmp_path: Path, seed: int) -> None:
    """The row numbers of the postings are those of the files; the parts are the same."""
    tables, model = generated(accepted(seed))
    text = str(model_file(tmp_path, to_toml(model)))
    turned = tables | {"ledger": tables["ledger"][::-1], "drivers": tables["drivers"][::-1]}
    runs = [compute_run(written(tmp_path, book), text, PERIODS[0]) for book in (tables, turned)]
    registers = runs[0].period_book.registers
    for dept, label in enumerate(registers.dept_ids):
        question = Question("dept", label, registers.unit_ids[registers.dept_unit[dept]])
        first, second = (explain(run, question) for run in runs)
        assert parts(first) == parts(second)
