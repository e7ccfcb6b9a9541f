"""Choices the contract leaves open in explain and recost."""

import json
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from books import (
    MONTH,
    OWN_RULE,
    Tables,
    book,
    joined,
    line,
    model,
    model_file,
    of_unit,
    posting,
    stay,
    ward,
    written,
)
from explain.explained import by_posting, explained, parts

from medcost.allocation_model import load_model
from medcost.batch import run_month_end
from medcost.book import open_book
from medcost.errors import InputRejected
from medcost.explanation import Explanation, explain
from medcost.explanation_page import build_page
from medcost.figure_found import Question
from medcost.kept_run import load_run, only_run
from medcost.month_end import BatchOptions
from medcost.output_folder import output_folder
from medcost.recost import Recosted, recost_run

TWO_CASES = ward(line("C", "a", "K", 1, charge=1), line("C", "a", "L", 3, charge=2))


def published(
    tmp_path: Path, tables: Tables, text: str = "", through: str = "cases", **options: Any
) -> Path:
    """Return the output folder of a book's month."""
    loaded = load_model(str(model_file(tmp_path, text or model())), through)
    out = options.pop("out", tmp_path / "runs")
    with output_folder(out) as held:
        opened = open_book(written(tmp_path, tables), through)
        batch = BatchOptions(through=through, **options)
        run_month_end(opened, loaded, [MONTH], batch, held)
    return out


def asked(runs: Path, kind: str, label: str, **options: str) -> Explanation:
    """Return the explanation of a published figure."""
    return explain(load_run(runs, None, None), Question(kind, label, **options))


def recosted(
    tmp_path: Path,
    runs: Path,
    tables: Tables | None = None,
    text: str | None = None,
    unit: str | None = None,
    out: str = "what-if",
) -> Recosted:
    """Return the what-if with other tables or another model."""
    folder = written(tmp_path, tables) if tables else Path()
    replaced = {name: folder / f"{name}.parquet" for name in tables or {}}
    with output_folder(tmp_path / out) as held:
        other = str(model_file(tmp_path, text)) if text else None
        return recost_run(only_run(runs, None, unit), held, other, replaced)


def codes(call: Callable[[], object]) -> list[str]:
    """Return the codes that a call is refused with, sorted."""
    with pytest.raises(InputRejected) as rejected:
        call()
    return sorted(fault.code for fault in rejected.value.faults)


def full_costs_of(done: Recosted) -> dict[str, str]:
    rows = pq.read_table(done.place.folder / "department_cost.parquet").to_pylist()
    return {row["dept_id"]: str(row["full_cost"]) for row in rows}


@pytest.mark.verdict("Explain: a figure that the run does not have")
def test_a_figure_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Department X, item X and group X; then item a of a run that stopped at departments."""
    runs = published(tmp_path, TWO_CASES)
    for kind in ("dept", "item", "drg"):
        assert ["figure-not-in-run"] == codes(lambda kind=kind: asked(runs, kind, "X"))
    short = published(tmp_path, TWO_CASES, through="departments", out=tmp_path / "short")
    for kind, label in (("item", "a"), ("drg", "G")):
        refused = codes(lambda kind=kind, label=label: asked(short, kind, label))
        assert ["stage-not-in-run"] == refused


def two_wards() -> Tables:
    """Return unit U with 100 yuan, and unit V with 40, each a ward C, an item a and a group G."""
    one = ward(line("C", "a", "K"), pool=100)
    return joined(one, of_unit(ward(line("C", "a", "K"), pool=40), "V"))


@pytest.mark.verdict("Explain: an id that several units have")
def test_a_department_is_of_one_unit_and_a_group_of_all(tmp_path: Path) -> None:
    """G costs 100 in U and 40 in V: 140 without --unit, 40 of V; C must say which."""
    runs = published(tmp_path, two_wards())
    assert ["figure-ambiguous"] == codes(lambda: asked(runs, "dept", "C"))
    assert 4000 == asked(runs, "dept", "C", unit="V").fen
    for kind, label in (("item", "a"), ("drg", "G")):
        assert 14000 == asked(runs, kind, label).fen
        assert 4000 == asked(runs, kind, label, unit="V").fen


@pytest.mark.verdict("Explain: a group id that several schemes have")
def test_a_group_of_two_schemes_needs_its_scheme(tmp_path: Path) -> None:
    """K is of scheme 1 and costs 25, L of scheme 2 and costs 75."""
    tables = TWO_CASES | {"cases": [stay("K", scheme="1"), stay("L", scheme="2")]}
    tables["drg_groups"] = [{"scheme": scheme, "drg_id": "G"} for scheme in "12"]
    runs = published(tmp_path, tables)
    assert ["figure-ambiguous"] == codes(lambda: asked(runs, "drg", "G"))
    assert 7500 == asked(runs, "drg", "G", scheme="2").fen


@pytest.mark.verdict("Explain: a group with one case")
def test_a_group_of_one_case_is_explained_and_the_case_not_named(tmp_path: Path) -> None:
    tables = ward(line("C", "a", "SECRET"), pool=100)
    found = explained(tmp_path, tables, model(), "drg", "G")
    assert ({("C", "direct"): "100.00"}, 1) == (parts(found), found.n_cases)
    assert "SECRET" not in build_page(found) + str(found.tables)


@pytest.mark.verdict("Explain: a group none of whose cases is costed")
def test_a_group_of_no_costed_case_is_refused(tmp_path: Path) -> None:
    """L's group H has a case still in the house, and no figure is published for it."""
    stays = [stay("K"), stay("L", "H", discharged=None)]
    runs = published(tmp_path, TWO_CASES | {"cases": stays})
    rows = pq.read_table(only_run(runs, None, None) / "drg_cost.parquet").to_pylist()
    assert ["G"] == [row["drg_id"] for row in rows]
    assert ["figure-not-in-run"] == codes(lambda: asked(runs, "drg", "H"))


@pytest.mark.verdict("Explain: a figure below zero")
def test_a_credit_is_explained_with_its_sign(tmp_path: Path) -> None:
    """-30 + 20 is -10: 300 % and -200 % of it; the picture shows the 20."""
    tables = book({"C": "clinical"}, [posting("C", -30), posting("C", 20)])
    found = explained(tmp_path, tables, model(), "dept", "C")
    assert ({1: "-30.00", 2: "20.00"}, -1000) == (by_posting(found), found.fen)
    assert "-10.00" in build_page(found)


@pytest.mark.verdict("Explain: a figure of zero")
def test_postings_that_cancel_are_no_parts_of_nothing(tmp_path: Path) -> None:
    """30 and -30 of one element: the published cost is 0, and so is every part."""
    tables = book({"C": "clinical", "D": "clinical"}, [posting("C", 30), posting("C", -30)])
    for dept in "CD":
        found = explained(tmp_path, tables, model(), "dept", dept)
        assert ({}, 0) == (parts(found), found.fen)
        assert "0.00" in build_page(found)


@pytest.mark.verdict("Explain: a department that handed everything on")
def test_a_department_without_full_cost_is_explained_before_it_hands_on(tmp_path: Path) -> None:
    tables = book({"A": "admin", "C": "clinical"}, {"A": 30, "C": 5}, {"A": {"C": 1}})
    found = explained(tmp_path, tables, model(), "dept", "A")
    assert ("gross_cost", 3000) == (found.figure, found.fen)


@pytest.mark.verdict("Explain: a service performed for another unit's case")
def test_a_service_for_another_unit_is_in_its_item_and_in_no_group(tmp_path: Path) -> None:
    """U performs a once for its own K and once for V's K: 50 each of the 100."""
    tables = two_wards()
    for_other = line("C", "a", "K") | {"case_unit_id": "V"}
    tables["service_lines"].append(for_other)
    runs = published(tmp_path, tables)
    assert 10000 == asked(runs, "item", "a", unit="U").fen
    assert 5000 == asked(runs, "drg", "G", unit="U").fen
    assert 4000 == asked(runs, "drg", "G", unit="V").fen


@pytest.mark.verdict("Explain or recost: a run without its activity")
def test_a_run_that_keeps_nothing_is_refused(tmp_path: Path) -> None:
    runs = published(tmp_path, TWO_CASES, keep=False)
    assert ["run-not-kept"] == codes(lambda: asked(runs, "dept", "C"))
    assert ["run-not-kept"] == codes(lambda: recosted(tmp_path, runs))


NOT_AS_WRITTEN = "Explain or recost: a kept file, or a table of figures, that is not as written"


def refuse_both(tmp_path: Path, runs: Path) -> None:
    """Require that neither command takes the run."""
    assert ["run-not-kept"] == codes(lambda: asked(runs, "dept", "C"))
    assert ["run-not-kept"] == codes(lambda: recosted(tmp_path, runs))


@pytest.mark.verdict(NOT_AS_WRITTEN)
@pytest.mark.parametrize(
    "name",
    [
        "kept/book/ledger.parquet",
        "kept/model.toml",
        "kept/activity/part-00000.arrow",
        "drg_cost.parquet",
    ],
)
@pytest.mark.parametrize("way", ["one bit", "cut", "gone"])
def test_what_is_not_as_written_is_refused_and_the_month_run_again_mends_it(
    tmp_path: Path, name: str, way: str
) -> None:
    """A lost bit in the activity would give other figures, and nothing else would tell."""
    runs = published(tmp_path, TWO_CASES)
    path = only_run(runs, None, None) / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= way == "one bit"
    path.unlink()
    if way != "gone":
        path.write_bytes(content[: -1 if way == "cut" else None])
    refuse_both(tmp_path, runs)
    published(tmp_path, TWO_CASES)
    assert 10000 == asked(runs, "dept", "C").fen


@pytest.mark.verdict(NOT_AS_WRITTEN)
@pytest.mark.parametrize("name", ["activity/part-00000.arrow", "book/ledger.parquet"])
def test_a_file_that_came_to_what_a_run_keeps_is_refused(tmp_path: Path, name: str) -> None:
    """A second part would count its lines twice; a file of the system beside it is nothing."""
    runs = published(tmp_path, TWO_CASES)
    path = only_run(runs, None, None) / "kept" / name
    path.with_name("._part.arrow").write_bytes(b"")
    assert 10000 == asked(runs, "dept", "C").fen
    shutil.copy(path, path.with_name(f"part-99999{path.suffix}"))
    refuse_both(tmp_path, runs)


@pytest.mark.verdict("Explain: a figure that this version of medcost computes otherwise")
def test_a_figure_other_than_the_published_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Published 100.00; a version that finds 99.99 has nothing to explain."""
    runs = published(tmp_path, TWO_CASES)
    assert 10000 == asked(runs, "item", "a").fen
    monkeypatch.setattr("medcost.published_figure._fen", lambda *_: 9999)
    assert ["figure-not-as-published"] == codes(lambda: asked(runs, "dept", "C"))


@pytest.mark.verdict("Recost: a table with faults")
def test_a_table_with_faults_is_refused_as_run_refuses_it(tmp_path: Path) -> None:
    """A posting of a department that is not there, and one of another month only."""
    runs = published(tmp_path, TWO_CASES)
    for row, code in (
        (posting("X", 1), "department-not-listed"),
        (posting("C", 1) | {"period": "2026-02"}, "period-not-in-book"),
    ):
        tables = {"ledger": [row]}
        assert [code] == codes(lambda tables=tables: recosted(tmp_path, runs, tables))
        assert not (tmp_path / "what-if" / "CURRENT.json").exists()


@pytest.mark.verdict("Recost: a model that does not reach as far as the run")
def test_a_model_without_the_runs_stages_is_refused(tmp_path: Path) -> None:
    runs = published(tmp_path, TWO_CASES)
    text = model().split("[service_items]")[0]
    assert ["model-key-missing"] * 2 == codes(lambda: recosted(tmp_path, runs, text=text))


@pytest.mark.verdict("Recost: a model that reaches further than the run")
def test_a_what_if_stops_where_its_run_stopped(tmp_path: Path) -> None:
    runs = published(tmp_path, TWO_CASES, through="departments")
    done = recosted(tmp_path, runs, text=model("direct"))
    assert "service_item_cost" not in done.result.tables
    manifest = json.loads((done.place.folder / "manifest.json").read_text("utf-8"))
    assert "departments" == manifest["through"]


@pytest.mark.verdict("Recost: a run of several units")
def test_all_units_of_a_run_are_costed_again_together(tmp_path: Path) -> None:
    """--unit says which of two runs is meant; a run of U and V is never costed in part."""
    runs = published(tmp_path, two_wards())
    done = recosted(tmp_path, runs, unit="V")
    assert ("U", "V") == tuple(done.result.units)
    apart = tmp_path / "apart"
    published(tmp_path, two_wards(), units=("U",), out=apart)
    published(tmp_path, two_wards(), units=("V",), out=apart)
    assert ["run-ambiguous"] == codes(lambda: recosted(tmp_path, apart))
    done = recosted(tmp_path, apart, unit="V", out="of V")
    assert ("V",) == tuple(done.result.units)


@pytest.mark.verdict("Recost: nothing is replaced")
def test_a_what_if_of_nothing_is_the_same_and_a_run_of_its_own(tmp_path: Path) -> None:
    runs = published(tmp_path, TWO_CASES)
    done = recosted(tmp_path, runs)
    assert 0 == len(done.comparison)
    assert done.place.folder.name != only_run(runs, None, None).name
    for path in only_run(runs, None, None).glob("*.parquet"):
        assert path.read_bytes() == (done.place.folder / path.name).read_bytes()


@pytest.mark.verdict("Recost of a what-if")
def test_a_what_if_is_a_run_like_any_other(tmp_path: Path) -> None:
    """From 100 to 70, explained; from there to 40: the comparison is with the 70."""
    runs = published(tmp_path, TWO_CASES)
    there = recosted(tmp_path, runs, {"ledger": [posting("C", 70)]}, out="there")
    assert 7000 == asked(tmp_path / "there", "drg", "G").fen
    again = recosted(tmp_path, tmp_path / "there", {"ledger": [posting("C", 40)]}, out="again")
    assert {"C": "70.00"} == full_costs_of(there)
    assert {"C": "40.00"} == full_costs_of(again)
    moved = pq.read_table(again.place.folder / "comparison.parquet").to_pylist()
    assert {(Decimal(70), Decimal(40))} == {(row["before"], row["after"]) for row in moved}
    assert ["department", "drg_group", "service_item"] == [row["level"] for row in moved]


@pytest.mark.verdict("Recost: prices are replaced")
def test_prices_move_no_cost_but_the_margin(tmp_path: Path) -> None:
    """Two cases at 60: an income of 120 against a cost of 100; at 40 each, 80."""
    price = {"drg_id": "G", "price": Decimal(60)}
    runs = published(tmp_path, TWO_CASES | {"drg_prices": [price]})
    done = recosted(tmp_path, runs, {"drg_prices": [price | {"price": Decimal(40)}]})
    assert 0 == len(done.comparison)
    for folder, margin in ((only_run(runs, None, None), 20), (done.place.folder, -20)):
        (row,) = pq.read_table(folder / "drg_cost.parquet").to_pylist()
        assert Decimal(margin) == row["margin"]


@pytest.mark.verdict("Recost by charges: the run's lines had none")
def test_a_model_by_income_needs_the_charges_that_the_run_kept(tmp_path: Path) -> None:
    tables = ward(line("C", "a", "K"), pool=100)
    runs = published(tmp_path, tables)
    text = model(measure="income")
    assert ["measure-missing"] == codes(lambda: recosted(tmp_path, runs, text=text))


@pytest.mark.verdict("Recost: the book has changed or is gone")
def test_a_what_if_starts_from_what_the_run_kept(tmp_path: Path) -> None:
    """The book of the run is deleted: only the folder of the run counts."""
    tables = book({"A": "admin", "C": "clinical"}, {"A": 30, "C": 5}, {"A": {"C": 1}})
    runs = published(tmp_path, tables, through="departments")
    for folder in tmp_path.glob("*/book"):
        shutil.rmtree(folder)
    done = recosted(tmp_path, runs, text=model("direct", rules=OWN_RULE))
    assert {"A": "0.00", "C": "35.00"} == full_costs_of(done)
