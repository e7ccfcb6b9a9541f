"""The budget's tables in a report against what was published."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from books import book, model, posting
from cli.conftest import Medcost

from medcost.report.figures import read_figures
from medcost.report.files import write_report
from report.published import fen, grids, publish, report_of, rows_of

FEBRUARY = ("2026-02", "2026-02")
EFFECTS = ("volume_variance", "mix_variance", "efficiency_variance", "price_variance")


def published(sample: Path, name: str) -> list[dict]:
    (path,) = sample.glob(f"run=2026-02*/{name}.parquet")
    return pq.read_table(path).to_pylist()


def test_execution_of_a_month_is_the_published_one(sample: Path) -> None:
    found = grids(report_of(sample, FEBRUARY))
    lines = {(r["unit_id"], r["dept_id"]): r for r in rows_of(found["variance_departments"])}
    rows = [r for r in published(sample, "budget_variance") if r["level"] == "department"]
    assert len(rows) == len(lines)
    for row in rows:
        shown = lines[row["unit_id"], row["dept_id"]]
        for name in ("budget", "actual", "variance", "last_month", "peer_difference"):
            assert shown[name] == fen(row[name]), name
        rate = row["execution_rate"]
        assert shown["execution_rate"] == (None if rate is None else int(rate * 10**6))


def test_a_total_of_execution_is_computed_from_its_sums(sample: Path) -> None:
    """The published row of all units: budget, actual and their quotient."""
    (total,) = rows_of(grids(report_of(sample, FEBRUARY))["variance_units"], "total")
    (row,) = [
        r for r in published(sample, "budget_variance") if r["level"] == "unit" and not r["unit_id"]
    ]
    assert total["budget"] == fen(row["budget"])
    assert total["actual"] == fen(row["actual"])
    assert total["execution_rate"] == int(row["execution_rate"] * 10**6)


@pytest.mark.parametrize("periods", [FEBRUARY, None])
def test_variance_is_actual_less_budget_in_every_line_and_total(sample: Path, periods) -> None:
    """Cost without a budget is part of a total's variance, as it is of the published one."""
    found = grids(report_of(sample, periods))
    for name in ("units", "elements", "departments", "groups"):
        rows = [*rows_of(found[f"variance_{name}"]), *rows_of(found[f"variance_{name}"], "total")]
        for row in rows:
            if row["budget"] is None:
                assert row["variance"] is None
            else:
                assert row["variance"] == row["actual"] - row["budget"]


def test_lines_of_departments_and_of_groups_are_not_added_up_together(sample: Path) -> None:
    """They are the same cost twice: a total of both would be no figure that is published."""
    lines = grids(report_of(sample, FEBRUARY))["variance_lines"]
    levels = {(bool(row["dept_id"]), bool(row["drg_id"])) for row in rows_of(lines)}
    assert levels == {(True, False), (False, True)}
    assert rows_of(lines, "total") == []


@pytest.mark.parametrize("periods", [FEBRUARY, None])
def test_effects_add_up_to_the_variance_in_every_line(sample: Path, periods) -> None:
    found = grids(report_of(sample, periods))
    for key in ("effects", "effect_lines"):
        rows = rows_of(found[key]) + rows_of(found[key], "total")
        assert rows
        for row in rows:
            assert sum(row[name] for name in EFFECTS) == row["variance"]
            assert row["actual"] - row["budget"] == row["variance"]


def test_totals_of_levels_are_the_published_ones(sample: Path) -> None:
    totals = rows_of(grids(report_of(sample, FEBRUARY))["effects"], "total")
    rows = [
        r
        for r in published(sample, "variance_decomposition")
        if not (r["unit_id"] or r["dept_id"] or r["element"] or r["drg_id"])
    ]
    assert sorted(t["variance"] for t in totals) == sorted(fen(r["variance"]) for r in rows)


def test_case_mix_and_cost_add_up_for_every_group(sample: Path) -> None:
    rows = rows_of(grids(report_of(sample, FEBRUARY))["drg_variance"])
    assert rows
    for row in rows:
        assert row["case_mix_variance"] + row["cost_variance"] == row["variance"]


def test_fixed_and_variable_cost_add_up(sample: Path) -> None:
    rows = rows_of(grids(report_of(sample))["break_even"])
    assert rows
    for row in rows:
        assert row["fixed_cost"] + row["variable_cost"] == row["cost"]
        assert row["income"] - row["cost"] == row["surplus"]


def test_requests_and_rewards_stand_month_by_month(sample: Path) -> None:
    found = grids(report_of(sample))
    for key in ("requests", "rewards"):
        assert {row["period"] for row in rows_of(found[key])} == {"2026-01", "2026-02", "2026-03"}


def test_the_execution_of_every_month_is_in_the_heat_map(sample: Path) -> None:
    (section,) = [s for s in report_of(sample).sections if s.key == "variance"]
    (heat,) = section.pictures
    for period in ("2026-01", "2026-02", "2026-03"):
        assert period in heat.svg["zh"]
    (row,) = [
        r
        for r in published(sample, "budget_variance")
        if r["level"] == "unit" and r["unit_id"] == "U02"
    ]
    assert f"2026-02 {row['execution_rate']:.1%}" in heat.svg["zh"]


def test_without_a_budget_the_report_says_so(tmp_path: Path) -> None:
    tables = book({"C": "clinical"}, [posting("C", 10)], {})
    report = report_of(publish(tmp_path, tables, model(), through="departments"))
    missing = {section.key: section.missing for section in report.sections}
    for key in ("variance", "effects", "break_even", "control"):
        assert "budget" in missing[key].en


def test_a_folder_of_variances_alone_is_a_report_of_them(
    sample: Path, tmp_path: Path, medcost: Medcost
) -> None:
    (kept,) = list(sample.glob("run=2026-02*/kept/book/budget.parquet"))
    done = medcost("variance", sample, "--budget", kept, "--out", tmp_path / "v", "--quiet")
    assert done.returncode == 0, done.stderr
    written = write_report(read_figures(tmp_path / "v", None), tmp_path / "report", "en")
    assert [path.suffix for path in written] == [".html", ".xlsx"]
    report = report_of(tmp_path / "v")
    missing = {section.key for section in report.sections if section.missing}
    assert {"national_01", "national_02", "national_03", "reconciliation"} <= missing
    assert "variance" not in missing
