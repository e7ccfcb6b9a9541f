"""The adjoint finds, to the fen, what following every path forward in fractions finds."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from books import ELEMENTS, model_file, written
from oracle.generated_books import PERIODS, to_toml
from properties.generated import accepted, generated

from explain import twin
from medcost.costing.figures import costed_cases, department_figure, drg_figure, item_figure
from medcost.costing.origins import flows_of_unit, trace_origins
from medcost.kept_run import KeptRun, compute_run

SEEDS = range(0, 240, 10)


def computed(tmp_path: Path, seed: int) -> tuple[KeptRun, twin.Twin]:
    """Return a generated book's run and its twin."""
    tables, model = generated(seed)
    period = PERIODS[seed % 2]
    folder = written(tmp_path, tables)
    run = compute_run(folder, str(model_file(tmp_path, to_toml(model))), period)
    return run, twin.twin_of(tables, model, period)


def traced(run: KeptRun, figure) -> dict[str, dict[twin.Part, int]]:
    """Return element → (department, path) → fen, as the engine finds them."""
    elements = range(len(ELEMENTS))
    flows = flows_of_unit(run.period_book, run.departments, figure, elements)
    origins = trace_origins(figure, flows)
    found: dict[str, dict[twin.Part, int]] = {element: {} for element in ELEMENTS}
    columns = (origins.dept, origins.element, origins.path, origins.fen)
    for dept, element, path, amount in zip(*(c.tolist() for c in columns), strict=True):
        label = run.period_book.registers.dept_ids[dept] if dept >= 0 else ""
        found[ELEMENTS[element]][label, path] = amount
    return found


@pytest.fixture(scope="module", params=SEEDS)
def both(request: pytest.FixtureRequest) -> Iterator[tuple[KeptRun, twin.Twin]]:
    with tempfile.TemporaryDirectory() as folder:
        yield computed(Path(folder), accepted(request.param))


def test_every_department_has_the_parts_of_the_twin(both) -> None:
    run, other = both
    registers = run.period_book.registers
    for dept, label in enumerate(registers.dept_ids):
        chain = other.chains[registers.unit_ids[registers.dept_unit[dept]]]
        if label in chain.departments.classes:
            found = traced(run, department_figure(run.period_book, run.departments, dept))
            for element in ELEMENTS:
                assert twin.explain_department(chain, label, element) == found[element]


def test_every_item_has_the_parts_of_the_twin(both) -> None:
    run, other = both
    registers, services = run.period_book.registers, run.services_of(None)
    pairs = zip(registers.dept_unit[services.dept].tolist(), services.item.tolist(), strict=True)
    for unit, item in sorted(set(pairs)):
        figure = item_figure(run.period_book, run.departments, run.items, services, unit, item)
        found = traced(run, figure)
        labels = registers.unit_ids[unit], registers.item_ids[item]
        for element in ELEMENTS:
            assert twin.explain_item(other, *labels, element) == found[element]


def test_every_drg_cell_has_the_parts_of_the_twin(both) -> None:
    """Openings are whole fen of no department."""
    run, other = both
    book = run.period_book
    for drg in book.cases.drg_labels:
        for (unit, scheme), cases in costed_cases(book, run.cases, drg).items():
            figure = drg_figure(
                book, run.departments, run.items, run.cases, run.services_of, unit, cases
            )
            found = traced(run, figure)
            unit_id = book.registers.unit_ids[unit]
            members = [
                case
                for case in other.chains[unit_id].cases.cases
                if case.status == "costed"
                and (case.row.get("drg_id"), case.scheme or "") == (drg, scheme)
            ]
            assert len(members) == figure.n_cases
            for element in ELEMENTS:
                assert twin.explain_cases(other, unit_id, members, element) == found[element]
