"""The tables of a report against published rows and against sums made with a pencil."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from books import book, items, line, model, posting, stay

from medcost.report.contents import CONSORTIUM, Report
from medcost.report.largest import Most, shorten
from medcost.tables import CONSORTIUM_RESULTS
from report.published import fen, grids, publish, report_of, rows_of

FEBRUARY = ("2026-02", "2026-02")
LEVEL_3 = 'basis = "quantity"'


def small(tmp_path: Path, **more) -> Report:
    """One of each class: A admin 10, S support 20, M medtech 40, W ward 100, P clinic 60.

    A gives half to W and half to P, S all to W, M all to W: W 100 + 5 + 20 + 40 = 165, P 65.
    """
    tables = book(
        {"A": "admin", "S": "support", "M": "medtech", "W": "clinical", "P": "clinical"},
        [
            posting("A", 10), posting("S", 20, "other"), posting("M", 40, "materials"),
            posting("W", 100), posting("P", 60),
        ],
        {"A": {"W": 1, "P": 1}, "S": {"W": 1}},
        items(lab=1, bed=1, visit=1),
        [
            line("M", "lab", "K1", 2, ordering_dept_id="W"),
            line("W", "bed", "K1", 3),
            line("P", "visit", "K2", 5),
        ],
        cases=[stay("K1", "G1"), stay("K2", None, setting="outpatient")],
    )  # fmt: skip

    def of(dept: str, key: str, name: str, value: str, amount) -> dict:
        return {"period": "2026-01", "unit_id": "U", "dept_id": dept, key: name} | {
            value: Decimal(str(amount))
        }

    tables["income"] = [
        of("W", "source", "inpatient", "amount", 200),
        of("W", "source", "subsidy", "amount", 999),
        of("P", "source", "outpatient", "amount", "50.50"),
    ]
    cases = "drg_matrix = true" if more.pop("matrix", False) else ""
    earning = more.pop("income_of", ("W", "P"))
    tables["income"] = [row for row in tables["income"] if row["dept_id"] in earning]
    tables["statistics"] = [
        of("W", "measure", "bed_days", "quantity", 11),
        of("P", "measure", "visits", "quantity", 8),
    ]
    tables["drg_prices"] = [{"drg_id": "G1", "price": Decimal("150.00")}]
    for name in more.pop("without", ()):
        tables.pop(name)
    out = publish(tmp_path, tables, model(level_3=LEVEL_3, cases=cases), **more)
    return report_of(out)


def test_table_01_is_direct_cost_by_class_with_its_subtotals(tmp_path: Path) -> None:
    """W 100 + P 60 = 160, + M 40 + S 20 = 220 of medical operating cost, + A 10 = 230."""
    grid = grids(small(tmp_path))["national_01"]
    assert {row["dept_id"]: row["total"] for row in rows_of(grid)} == {
        "W": 10000, "P": 6000, "M": 4000, "S": 2000, "A": 1000,
    }  # fmt: skip
    totals = {row["dept_id"]: row["total"] for row in rows_of(grid, "total")}
    assert totals["Subtotal: Clinical"] == 16000
    assert totals["Medical operating cost"] == 22000
    assert totals["Total: U"] == totals["Total of all units"] == 23000


def test_table_02_splits_full_cost_into_direct_and_indirect(tmp_path: Path) -> None:
    """W 100 + 65 = 165, P 60 + 5 = 65; the others handed on 70; all together 230 = 230."""
    grid = grids(small(tmp_path))["national_02"]
    rows = {
        row["dept_id"] or row["dept_name"]: [
            row[f"total_{p}"] for p in ("direct", "indirect", "full")
        ]
        for row in rows_of(grid)
    }
    assert rows == {
        "W": [10000, 6500, 16500],
        "P": [6000, 500, 6500],
        "Departments that handed on all they bore": [7000, -7000, 0],
    }
    total = rows_of(grid, "total")[-1]
    assert [total[f"total_{p}"] for p in ("direct", "indirect", "full")] == [23000, 0, 23000]
    assert total["materials_full"] == 4000


def test_table_03_has_shares_income_margin_and_unit_costs(tmp_path: Path) -> None:
    """W: staff 105 of 165 = 63.6 %, income 200 without the subsidy, 165 / 11 = 15.00 a bed day.

    P: 65 / 8 = 8.125 a visit, halves away from zero 8.13.
    """
    grid = grids(small(tmp_path))["national_03"]
    ward, clinic = rows_of(grid)[0], rows_of(grid)[1]
    if ward["dept_id"] != "W":
        ward, clinic = clinic, ward
    assert (ward["staff"], ward["staff_share"]) == (10500, 636364)
    assert (ward["income"], ward["margin"]) == (20000, 3500)
    assert (ward["bed_day_cost"], ward["visit_cost"]) == (1500, None)
    assert (clinic["margin"], clinic["bed_day_cost"], clinic["visit_cost"]) == (-1450, None, 813)
    total = rows_of(grid, "total")[-1]
    assert (total["total"], total["income"], total["margin"]) == (23000, 25050, 2050)


def test_a_department_without_income_is_part_of_the_margin_of_its_unit(tmp_path: Path) -> None:
    """Without income of its own P (65) earns 0: W 200 - 165 = 35, P -65, 200 - 230 = -30 in all."""
    report = small(tmp_path, income_of=("W",))
    rows = {row["dept_id"]: row for row in rows_of(grids(report)["national_03"])}
    assert (rows["P"]["income"], rows["P"]["margin"]) == (0, -6500)
    for name in ("national_03", "indicators"):
        total = rows_of(grids(report)[name], "total")[-1]
        assert (total["income"], total["margin"]) == (20000, -3000)


def test_a_share_of_a_total_is_computed_from_the_totals(tmp_path: Path) -> None:
    """Staff 10 + 100 + 60 = 170 of 230: 73.9130 %, not the mean of the rows' shares."""
    total = rows_of(grids(small(tmp_path))["national_03"], "total")[-1]
    assert total["staff_share"] == 739130


def test_cost_of_a_bed_day_and_of_a_visit_of_the_unit(tmp_path: Path) -> None:
    """The inpatient costs 165 over 11 days, the visit 65 over 8 visits."""
    (row,) = rows_of(grids(small(tmp_path))["indicators"])
    assert (row["inpatient_cost"], row["bed_day_cost"]) == (16500, 1500)
    assert (row["outpatient_cost"], row["visit_cost"]) == (6500, 813)


def test_over_cost_groups_have_their_excess(tmp_path: Path) -> None:
    """K1 costs 165 and 150 is paid: 15 too much, 10 % of what is paid."""
    (row,) = rows_of(grids(small(tmp_path))["over_cost"])
    assert (row["cost"], row["income"], row["excess"]) == (16500, 15000, 1500)
    assert row["excess_rate"] == 100000


def test_the_matrix_adds_up_to_the_services(tmp_path: Path) -> None:
    grid = grids(small(tmp_path))["matrix"]
    assert {row["group"]: row["total"] for row in rows_of(grid)} == {
        "Clinical": 19000, "Medical technology": 4000,
    }  # fmt: skip


def test_a_group_by_service_group_and_element(tmp_path: Path) -> None:
    """K1 used the ward (100 + 5 + 20 = 125 over 3 days) and two tests of M (40): 165 in all."""
    report = small(tmp_path, matrix=True)
    (one,) = [s for s in report.sections if s.key == "drg"]
    (matrix,) = one.chooser.matrices
    assert matrix.total == 16500
    assert {name.en: sum(fen) for name, fen in matrix.rows} == {
        "Clinical": 12500, "Medical technology": 4000,
    }  # fmt: skip
    for key in ("drg_matrix", "drg_matrix_all"):
        assert rows_of(grids(report)[key], "total")[-1]["total"] == 16500


def test_every_matrix_of_the_sheet_adds_up_to_the_published_cost_of_its_group(
    sample: Path,
) -> None:
    grid = grids(report_of(sample, FEBRUARY))["drg_matrix"]
    totals = {}
    for one in grid.lines[:-1]:
        if one.kind == "total":
            unit, group = one.cells[0].en.removeprefix("Total: ").split(" ")
            totals[unit, group] = one.cells[-1]
    rows = published(sample, "drg_cost", "2026-02")
    assert totals == {(r["unit_id"], r["drg_id"]): fen(r["total"]) for r in rows}


def test_without_matrices_the_report_says_of_which_months(tmp_path: Path) -> None:
    report = small(tmp_path)
    (one,) = [s for s in report.sections if s.key == "drg"]
    assert one.chooser is None
    assert "drg_matrix" not in grids(report)
    assert "2026-01" in one.leads[0].en


def test_the_reconciliation_ends_in_a_difference_of_nothing(tmp_path: Path) -> None:
    report = small(tmp_path)
    assert report.is_tied
    assert "230.00" in report.tie_out.en
    for key in ("reconciliation", "reconciliation_all"):
        for row in rows_of(grids(report)[key], "difference"):
            assert set(row.values()) <= {0, "Difference", None}


@pytest.mark.parametrize(
    ("without", "key"), [("income", "income"), ("statistics", "bed_day_cost"), ("drg_prices", None)]
)
def test_what_the_book_does_not_have_is_said(tmp_path: Path, without: str, key: str | None) -> None:
    report = small(tmp_path, without=(without,))
    sections = {section.key: section for section in report.sections}
    if key is None:
        assert "no payment standards" in sections["over_cost"].missing.en
        return
    assert any(without in lead.en for lead in sections["national_03"].leads)
    assert {row[key] for row in rows_of(grids(report)["national_03"])} == {None}


def test_a_run_through_departments_says_what_it_does_not_have(tmp_path: Path) -> None:
    report = small(tmp_path, through="departments")
    missing = {section.key for section in report.sections if section.missing}
    assert {"items", "drg", "matrix", "over_cost", "months"} <= missing
    assert report.is_tied
    assert rows_of(grids(report)["indicators"])[0]["inpatient_cost"] is None


def test_a_unit_of_one_department_alone_is_a_report(tmp_path: Path) -> None:
    out = publish(
        tmp_path, book({"C": "clinical"}, [posting("C", 1)], {}), model(), through="departments"
    )
    report = report_of(out)
    assert report.is_tied
    assert {s.key for s in report.sections if s.missing} >= {"flow", "items"}


def test_a_book_without_a_fen_is_a_report(tmp_path: Path) -> None:
    out = publish(
        tmp_path, book({"C": "clinical"}, [posting("C", 0)], {}), model(), through="departments"
    )
    assert report_of(out).is_tied


def published(sample: Path, name: str, period: str) -> list[dict]:
    (path,) = sample.glob(f"run={period}*/{name}.parquet")
    return pq.read_table(path).to_pylist()


def test_of_one_month_every_figure_is_the_published_one(sample: Path) -> None:
    """Items and groups row by row, unit costs and means to their sixth decimal."""
    found = grids(report_of(sample, ("2026-02", "2026-02")))
    rows = {(r["unit_id"], r["dept_id"], r["item_id"]): r for r in rows_of(found["items"])}
    items_of = published(sample, "service_item_cost", "2026-02")
    assert len(rows) == len(items_of)
    for row in items_of:
        shown = rows[row["unit_id"], row["dept_id"], row["item_id"]]
        assert shown["total"] == fen(row["total"])
        assert shown["drugs"] == fen(row["drugs"])
        unit_cost = row["unit_cost"]
        assert shown["unit_cost"] == (None if unit_cost is None else int(unit_cost * 10**6))
    groups = {(r["unit_id"], r["scheme"], r["drg_id"]): r for r in rows_of(found["drg"])}
    drgs = published(sample, "drg_cost", "2026-02")
    assert len(groups) == len(drgs)
    for row in drgs:
        shown = groups[row["unit_id"], row["scheme"], row["drg_id"]]
        assert shown["mean"] == int(row["mean"] * 10**6)
        for name in ("total", "p50", "income", "margin"):
            assert shown[name] == fen(row[name]), name


def test_of_several_months_every_figure_is_the_sum_of_the_published_ones(sample: Path) -> None:
    found = grids(report_of(sample))
    direct: dict = {}
    for period in ("2026-01", "2026-02", "2026-03"):
        for row in published(sample, "department_cost", period):
            key = (row["unit_id"], row["dept_id"])
            direct[key] = direct.get(key, 0) + fen(row["direct"])
    rows = {(r["unit_id"], r["dept_id"]): r["total"] for r in rows_of(found["national_01"])}
    assert rows == {key: total for key, total in direct.items() if total}


def test_a_department_by_month_is_what_each_month_published(sample: Path) -> None:
    rows = {(r["unit_id"], r["dept_id"]): r for r in rows_of(grids(report_of(sample))["months"])}
    for period in ("2026-01", "2026-03"):
        full: dict = {}
        for row in published(sample, "department_cost", period):
            key = (row["unit_id"], row["dept_id"])
            full[key] = full.get(key, 0) + fen(row["full_cost"])
        for key, row in rows.items():
            assert (row[period] or 0) == full.get(key, 0)


def test_totals_of_all_tables_meet(sample: Path) -> None:
    """01 = 02 direct = 02 full = 03 = cost in scope; flows = what givers handed on."""
    found = grids(report_of(sample))
    last = {
        key: rows_of(grid, "total")[-1] for key, grid in found.items() if rows_of(grid, "total")
    }
    scope = last["national_01"]["total"]
    assert scope == last["national_02"]["total_direct"] == last["national_02"]["total_full"]
    assert scope == last["national_03"]["total"] == last["indicators"]["full_cost"]
    assert scope == last["months"]["total"]
    assert last["flow_givers"]["total"] == last["flow_all"]["total"]
    assert last["items"]["total"] == last["matrix"]["total"]


def test_rows_left_out_stand_in_one_line_and_the_sum_stays(sample: Path) -> None:
    grid = grids(report_of(sample))["items"]
    lines, left = shorten(grid, Most(20, 9))
    place = grid.place("total")
    kept = [line for line in lines if line.kind == "row"]
    (others,) = [line for line in lines if line.level == 4]
    assert len(kept) + left == grid.n_rows
    assert sum(line.cells[place] for line in kept) + others.cells[place] == lines[-1].cells[place]
    assert {line.unit for line in kept} == {"U01", "U02", "U03"}


@pytest.mark.parametrize("key", ["national_01", "national_02", "items", "drg", "matrix", "months"])
@pytest.mark.parametrize("most", [Most(1000, 2), Most(12, 1), Most(1, 1)])
def test_units_left_out_stand_in_one_line_and_the_sum_stays(sample: Path, key: str, most) -> None:
    grid = grids(report_of(sample))[key]
    lines, left = shorten(grid, most)
    place = grid.place(grid.rank)
    shown = [line for line in lines if line.kind == "row" or line.level == 4]
    assert sum(line.cells[place] or 0 for line in shown) == lines[-1].cells[place]
    assert len({line.unit for line in lines if line.kind == "row"}) <= most.units
    assert left == grid.n_rows - sum(line.kind == "row" for line in lines)


def test_of_tables_that_do_not_add_up_units_are_left_out_and_nothing_is_added(sample: Path) -> None:
    grid = grids(report_of(sample))["reconciliation"]
    lines, left = shorten(grid, Most(1, 1))
    assert {line.unit for line in lines} == {"U01"}
    assert left > 0
    assert not [line for line in lines if line.level == 4]


def test_statistics_are_those_of_the_department(tmp_path: Path) -> None:
    """A ward that is a clinic too shows neither cost: they are not told apart."""
    tables = book({"C": "clinical"}, [posting("C", 100)], {})
    tables["statistics"] = [
        {"period": "2026-01", "unit_id": "U", "dept_id": "C", "measure": m, "quantity": Decimal(5)}
        for m in ("bed_days", "visits")
    ]
    (row,) = rows_of(
        grids(report_of(publish(tmp_path, tables, model(), through="departments")))["national_03"]
    )
    assert (row["bed_day_cost"], row["visit_cost"]) == (None, None)
    assert (row["bed_days"], row["visits"]) == (50000, 50000)


def test_each_kind_of_result_of_the_consortium_has_one_section_in_the_order_of_the_kinds() -> None:
    shown = [kind for kind, _ in CONSORTIUM]
    assert shown == [kind for kind in CONSORTIUM_RESULTS if kind in shown]
