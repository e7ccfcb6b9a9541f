"""What a report is made of: whole published files of the months and units that were asked for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from books import book, items, joined, line, model, posting, stay

from medcost.errors import InputRejected
from medcost.report.figures import read_figures
from report.published import publish


def refused(folder: Path, *options) -> str:
    """The code that a report is refused with."""
    with pytest.raises(InputRejected) as rejected:
        read_figures(folder, *options)
    (fault,) = rejected.value.faults
    return fault.code


@pytest.fixture
def runs(sample: Path, tmp_path: Path) -> Path:
    """A copy of the sample's runs that a test may damage."""
    return Path(shutil.copytree(sample, tmp_path / "runs"))


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, None) == "run-not-found"
    assert refused(tmp_path / "nowhere", None) == "run-not-found"
    (tmp_path / "CURRENT.json").write_text("[1, 2")
    assert refused(tmp_path, None) == "run-not-found"


def test_a_month_or_unit_that_is_not_published_is_refused(sample: Path) -> None:
    assert refused(sample, ("2031-01", "2031-12")) == "run-not-found"
    assert refused(sample, None, ("U99",)) == "run-not-found"


@pytest.mark.parametrize("name", ["department_cost.parquet", "manifest.json"])
def test_a_missing_file_is_refused(runs: Path, name: str) -> None:
    next(runs.glob(f"run=2026-02*/{name}")).unlink()
    assert refused(runs, None) == "run-damaged"


def test_one_changed_byte_is_refused(runs: Path) -> None:
    path = next(runs.glob("run=2026-02*/drg_cost.parquet"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert refused(runs, None) == "run-damaged"
    read_figures(runs, ("2026-01", "2026-01"))


@pytest.mark.parametrize(
    "manifest", [{}, {"model": {}, "outputs": []}, {"model": 1, "outputs": 2}, []]
)
def test_a_manifest_of_somebody_else_is_refused(runs: Path, manifest) -> None:
    path = next(runs.glob("run=2026-02*/manifest.json"))
    path.write_text(json.dumps(manifest))
    assert refused(runs, None) == "run-damaged"


def test_a_month_that_is_no_month_is_refused(runs: Path) -> None:
    current = json.loads((runs / "CURRENT.json").read_text())
    current["runs"]["../../x"] = current["runs"].pop("2026-02")
    (runs / "CURRENT.json").write_text(json.dumps(current))
    assert refused(runs, None) == "run-damaged"


def two_units(amount: int) -> dict:
    """Units U and V, one clinical department each; U has the amount, V 70."""
    one = book({"C": "clinical"}, [posting("C", amount)], {})
    other = book({"C": "clinical"}, [posting("C", 70, unit_id="V")], {}, unit="V")
    return joined(one, other)


def test_of_a_run_only_the_units_that_were_not_run_again_count(tmp_path: Path) -> None:
    """First U 100 and V 70, then U again with 120: 120 + 70."""
    text = model()
    out = publish(tmp_path, two_units(100), text, through="departments")
    publish(tmp_path, two_units(120), text, through="departments", units=("U",), out=out)
    figures = read_figures(out, None)
    sums = figures.tables["department_cost"].sums(("unit_id",), ("direct",))
    assert sums == {("U",): [12000], ("V",): [7000]}
    assert [run.units for run in figures.runs] in ([("U",), ("V",)], [("V",), ("U",)])


def test_sums_are_those_of_the_published_rows(sample: Path) -> None:
    figures = read_figures(sample, None)
    for name in ("department_flow", "reconciliation"):
        rows = [
            row
            for path in sorted(sample.glob(f"run=*/{name}.parquet"))
            for row in pq.read_table(path).to_pylist()
        ]
        expected: dict = {}
        for row in rows:
            key = (row["unit_id"], row["element"])
            expected[key] = expected.get(key, 0) + int(row["amount"] * 100)
        sums = figures.tables[name].sums(("unit_id", "element"), ("amount",))
        assert {key: fen for key, (fen,) in sums.items()} == expected


def test_income_and_statistics_are_of_the_month_of_their_run(tmp_path: Path) -> None:
    tables = book({"C": "clinical"}, [posting("C", 10)], {})
    tables["income"] = [
        {"period": month, "unit_id": "U", "dept_id": "C", "source": "inpatient", "amount": amount}
        for month, amount in (("2026-01", 5), ("2026-02", 7))
    ]
    out = publish(tmp_path, tables, model(), through="departments")
    figures = read_figures(out, None)
    assert figures.income == {("2026-01", "U", "C", "inpatient"): 500}


def test_a_run_folder_is_a_report_of_its_own(sample: Path) -> None:
    run = next(sample.glob("run=2026-02*"))
    assert read_figures(run, None).periods == ("2026-02",)


def test_runs_that_keep_nothing_have_no_names(tmp_path: Path) -> None:
    tables = book({"C": "clinical"}, [posting("C", 10)], {}, items(a=1), [line("C", "a", "K")])
    tables["cases"] = [stay("K")]
    out = publish(tmp_path, tables, model(), keep=False)
    figures = read_figures(out, None)
    assert figures.unkept == tuple(run.folder.name for run in figures.runs)
    assert figures.department_name("U", "C") == ""
    assert figures.class_of["U", "C"] == "clinical"
