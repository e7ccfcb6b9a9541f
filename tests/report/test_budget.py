"""The budget's tables in a report against what was published."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from books import book, joined, model, posting
from cli.conftest import Medcost

from medcost.report.figures import read_figures
from medcost.report.files import write_report
from medcost.report.section import Picture
from medcost.report.words import word
from medcost.variance.control import load_control, shipped_control
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


AMOUNTS = (
    "budget", "actual", "variance", "last_month", "last_month_change", "year_to_date",
    "year_to_date_budget", "year_to_date_variance", "peer_mean", "peer_difference",
)  # fmt: skip
RATES = ("execution_rate", "last_month_rate", "year_to_date_rate", "peer_rate")
FLAGS = {
    "favourable": {"yes": "yes", "no": "no"},
    "alert": {"over": "over", "under": "under", "unbudgeted": "unbudgeted"},
    "freeze": {"yes": "frozen", "no": "no"},
    "approval_tier": {"unit": "unit", "centre": "centre", "leading_group": "leading group"},
}


def agrees(shown: dict, row: dict) -> None:
    """A line of the report has every figure and flag of a published row that it has a column of."""
    for name in AMOUNTS:
        if name in shown:
            assert shown[name] == fen(row[name]), name
    for name in RATES:
        if name in shown:
            assert shown[name] == (None if row[name] is None else int(row[name] * 10**6)), name
    for name, words in FLAGS.items():
        assert shown[name] == words.get(row[name]), name


@pytest.mark.parametrize(
    ("table", "level"),
    [("units", "unit"), ("elements", "unit"), ("departments", "unit"), ("groups", "drg_total")],
)
def test_a_total_has_what_is_published_of_all_units_together(
    sample: Path, table: str, level: str
) -> None:
    """Its rates are quotients of its own sums: budget, last month, year to date, all of them."""
    grid = grids(report_of(sample, FEBRUARY))[f"variance_{table}"]
    total = rows_of(grid, "total")[-1]
    (row,) = [
        r for r in published(sample, "budget_variance") if r["level"] == level and not r["unit_id"]
    ]
    assert {"last_month", "year_to_date", "last_month_rate", "year_to_date_rate"} <= total.keys()
    assert None not in (total["last_month_rate"], total["year_to_date_rate"])
    agrees(total, row)


@pytest.mark.parametrize("table", ["unit_elements", "departments"])
def test_the_total_of_a_unit_has_what_is_published_of_it(sample: Path, table: str) -> None:
    """Also the mean of its peers, which follows from no sum of its lines."""
    grid = grids(report_of(sample, FEBRUARY))[f"variance_{table}"]
    totals = [
        (line.unit, shown)
        for line, shown in zip(
            (x for x in grid.lines if x.kind == "total"), rows_of(grid, "total"), strict=True
        )
        if line.unit
    ]
    rows = {r["unit_id"]: r for r in published(sample, "budget_variance") if r["level"] == "unit"}
    assert [unit for unit, _ in totals] == ["U01", "U02", "U03"]
    assert totals[1][1]["peer_mean"] is not None
    for unit, shown in totals:
        agrees(shown, rows[unit])


def test_every_row_of_elements_has_its_comparisons_and_flags(sample: Path) -> None:
    found = grids(report_of(sample, FEBRUARY))
    together, by_unit = {}, {}
    for row in published(sample, "budget_variance"):
        if row["level"] == "element":
            (by_unit if row["unit_id"] else together)[row["unit_id"], row["element"]] = row
    names = {f"element.{element}": element for _, element in by_unit}
    words = {word(key).en: element for key, element in names.items()}
    for table, rows in (("elements", together), ("unit_elements", by_unit)):
        lines = rows_of(found[f"variance_{table}"])
        assert len(lines) == len(rows)
        for line in lines:
            agrees(line, rows[line.get("unit_id", ""), words[line["element"]]])


def test_a_total_is_not_compared_with_a_month_that_some_of_its_units_do_not_have(
    tmp_path: Path,
) -> None:
    """January has U alone: of February U has a last month of 10, U and V together have none."""
    one = book({"C": "clinical"}, [posting("C", 10), posting("C", 30, period="2026-02")], {})
    other = book({"C": "clinical"}, [posting("C", 70, unit_id="V", period="2026-02")], {}, unit="V")
    tables = joined(one, other)
    base = {"dept_id": "C", "element": "staff"}
    tables["budget"] = [
        base | {"period": month, "unit_id": unit, "amount": Decimal(amount)}
        for month, unit, amount in (
            ("2026-01", "U", 20), ("2026-02", "U", 20), ("2026-02", "V", 50)
        )
    ]  # fmt: skip
    out = publish(
        tmp_path, tables, model(), through="departments", units=("U",), months=["2026-01"]
    )
    publish(tmp_path, tables, model(), through="departments", months=["2026-02"], out=out)
    found = grids(report_of(out, FEBRUARY))
    units = rows_of(found["variance_units"])
    assert [(row["unit_id"], row["last_month"]) for row in units] == [("U", 1000), ("V", None)]
    for table in ("units", "elements", "departments", "unit_elements"):
        total = rows_of(found[f"variance_{table}"], "total")[-1]
        assert total["actual"] == 10000
        assert {total[n] for n in ("last_month", "last_month_change", "last_month_rate")} == {None}


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


def test_lines_that_somebody_must_approve_stand_by_their_excess(sample: Path) -> None:
    grid = grids(report_of(sample, FEBRUARY))["variance_over"]
    rows = [r for r in published(sample, "budget_variance") if r["approval_tier"] and r["unit_id"]]
    shown = rows_of(grid)
    excess = [fen(r["actual"]) - fen(r["budget"] or Decimal(0)) for r in rows]
    assert [line["excess"] for line in shown] == sorted(excess, reverse=True)
    assert None in [line["budget"] for line in shown]
    assert rows_of(grid, "total") == []


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


def heat(folder: Path) -> Picture:
    (section,) = [s for s in report_of(folder).sections if s.key == "variance"]
    (picture,) = section.pictures
    return picture


def test_the_heat_map_names_the_bounds_of_the_policy_that_the_runs_used(tmp_path: Path) -> None:
    """80 of 100 is an alert of a policy that lets 15 % pass below; 108 is one of 5 % above."""
    tables = book({"C": "clinical"}, [posting("C", 80)], {})
    tables = joined(tables, book({"D": "clinical"}, [posting("D", 108, unit_id="V")], {}, unit="V"))
    tables["budget"] = [
        {"period": "2026-01", "unit_id": unit, "dept_id": dept, "amount": Decimal(100)}
        for unit, dept in (("U", "C"), ("V", "D"))
    ]
    policy = tmp_path / "strict.toml"
    shipped = shipped_control().read_text("utf-8")
    policy.write_text(
        shipped.replace("over = 0.1", "over = 0.05").replace("under = 0.1", "under = 0.15")
    )
    options = {"through": "departments", "control": load_control(str(policy))}
    found = heat(publish(tmp_path, tables, model(), **options))
    for said in ("▼ 80.0%", "▲ 108.0%", "低于 85%", "高于 105%"):
        assert said in found.svg["zh"], said
    assert "budget-control-2026" in found.note.en


def test_without_a_policy_in_the_manifest_the_heat_map_has_no_bounds(
    sample: Path, tmp_path: Path
) -> None:
    """As of runs of an earlier version: the alerts are those that were published."""
    runs = Path(shutil.copytree(sample, tmp_path / "runs"))
    for path in runs.glob("run=*/manifest.json"):
        manifest = json.loads(path.read_text("utf-8"))
        assert manifest.pop("budget_control")["alert"] == {"over": 0.1, "under": 0.1}
        path.write_text(json.dumps(manifest), "utf-8")
    found = heat(runs)
    assert "110%" in heat(sample).svg["en"]
    assert "110%" not in found.svg["en"]
    assert "no bounds" in found.note.en


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
