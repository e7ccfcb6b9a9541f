"""The synthetic book of `medcost sample`: whole, consistent and the same every time."""

# ruff: noqa: S608 - the SQL is put together from the names in this file

from __future__ import annotations

import hashlib
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from medcost.sample import SampleTotals, make_sample

PERIODS = ("2026-01", "2026-02")
KEYS = {
    "units": "unit_id",
    "departments": "unit_id, dept_id",
    "ledger": "period, unit_id, entry_id",
    "drivers": "period, unit_id, driver, dept_id",
    "income": "period, unit_id, dept_id, source",
    "statistics": "period, unit_id, dept_id, measure",
    "service_items": "item_id",
    "item_weights": "item_id, unit_id, dept_id, element, period",
    "cases": "period, unit_id, case_id",
    "drg_groups": "scheme, drg_id",
    "drg_prices": "drg_id, scheme, unit_id, payer, valid_from",
    "budget": "period, unit_id, dept_id, element, drg_id, tag",
}


class Book:
    """A written sample book, open for SQL; every table is a view."""

    def __init__(self, folder: Path, totals: SampleTotals) -> None:
        self.folder = folder
        self.totals = totals
        self.connection = duckdb.connect()
        for path in sorted(folder.glob("*.parquet")):
            self.connection.execute(
                f"create view {path.stem} as select * from read_parquet('{path}')"
            )

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        return self.connection.execute(sql).fetchall()

    def count(self, sql: str) -> int:
        return len(self.rows(sql))


def digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    folder = tmp_path_factory.mktemp("sample") / "book"
    return Book(folder, make_sample(folder, hospitals=3, lines=24_000, seed=5))


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    totals = make_sample(first, hospitals=3, lines=6_000, seed=11)
    assert totals == make_sample(second, hospitals=3, lines=6_000, seed=11)
    assert digests(first) == digests(second)


def test_another_seed_gives_other_money_and_the_same_departments(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    make_sample(first, hospitals=2, lines=3_000, seed=1)
    make_sample(second, hospitals=2, lines=3_000, seed=2)
    one, other = digests(first), digests(second)
    assert {name for name in one if one[name] == other[name]} == {
        "coalition_costs.parquet",
        "departments.parquet",
        "item_weights.parquet",
        "ownership.parquet",
        "process_outputs.parquet",
        "service_items.parquet",
        "shared_processes.parquet",
        "units.parquet",
    }


@pytest.mark.parametrize(
    ("hospitals", "lines", "periods"),
    [
        (1, 1_000, PERIODS),
        (2, 1_000, ("2026-01",)),
        (30, 1_000, PERIODS),
        (5, 20_000, ("2025-11", "2025-12", "2026-01")),
        (4, 300_000, ("2024-02",)),
    ],
)
def test_the_book_has_as_many_lines_as_asked_for(
    tmp_path: Path, hospitals: int, lines: int, periods: tuple[str, ...]
) -> None:
    totals = make_sample(tmp_path, hospitals=hospitals, lines=lines, periods=periods)
    file = pq.ParquetFile(tmp_path / "service_lines.parquet")
    assert abs(totals.lines - lines) <= lines // 100
    assert file.metadata.num_rows == totals.lines == totals.rows["service_lines"]
    groups = [file.metadata.row_group(g).num_rows for g in range(file.metadata.num_row_groups)]
    assert max(groups) <= 250_000
    assert tuple(totals.ledger) == periods
    written = Book(tmp_path, totals)
    assert written.rows("select distinct period from ledger order by 1") == [(p,) for p in periods]
    assert written.count("select distinct unit_id from ledger") == hospitals


def test_of_more_members_than_townships_have_names_the_rest_are_villages(tmp_path: Path) -> None:
    """111 members are 1 lead, 12 township hospitals and 98 villages; only hospitals are costed."""
    make_sample(tmp_path, hospitals=111, lines=2_000, periods=("2026-01",))
    units = pq.read_table(tmp_path / "units.parquet").to_pylist()
    kinds = [unit["kind"] for unit in units]
    assert kinds == ["lead"] + ["township"] * 12 + ["village"] * 98
    ids = [unit["unit_id"] for unit in units]
    assert (ids[0], ids[-1]) == ("U001", "U111")
    assert ids == sorted(ids)
    assert len({unit["name"] for unit in units}) == 111
    assert [unit["grassroots"] for unit in units] == [False] + [True] * 110
    ledger = pq.read_table(tmp_path / "ledger.parquet", columns=["unit_id"])
    assert set(ledger["unit_id"].to_pylist()) == set(ids[:13])


def test_the_lead_hospital_performs_about_sixty_percent(book: Book) -> None:
    ((share,),) = book.rows("select avg((unit_id = 'U01')::int) from service_lines")
    assert 0.57 < share < 0.63


@pytest.mark.parametrize(
    ("hospitals", "lines", "periods", "said"),
    [
        (0, 1_000, PERIODS, "hospitals must be"),
        (254, 1_000, PERIODS, "hospitals must be"),
        (1, 10, PERIODS, "lines must be"),
        (1, 1_000, ("2026-01", "2026-03"), "consecutive"),
        (1, 1_000, ("2026-02", "2026-01"), "consecutive"),
        (1, 1_000, ("2026-1",), "YYYY-MM"),
        (1, 1_000, (), "at least one"),
    ],
)
def test_what_cannot_be_made_is_refused(
    tmp_path: Path, hospitals: int, lines: int, periods: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        make_sample(tmp_path / "book", hospitals=hospitals, lines=lines, periods=periods)
    assert not (tmp_path / "book").exists()


def test_totals_are_those_of_the_files(book: Book) -> None:
    totals = book.totals
    for name, rows in totals.rows.items():
        assert book.rows(f"select count(*) from {name}") == [(rows,)]
    assert sorted(f"{name}.parquet" for name in totals.rows) == sorted(digests(book.folder))
    ledger = dict(book.rows("select period, sum(amount) from ledger group by 1"))
    assert {p: Decimal(fen) / 100 for p, fen in totals.ledger.items()} == ledger
    ((charge, cost),) = book.rows("select sum(charge), sum(direct_cost) from service_lines")
    assert (Decimal(totals.charge) / 100, Decimal(totals.direct_cost) / 100) == (charge, cost)
    assert dict(book.rows("select setting, count(*) from cases group by 1")) == totals.cases


def test_decimals_are_stored_as_integers_and_code_columns_as_dictionaries(book: Book) -> None:
    file = pq.ParquetFile(book.folder / "service_lines.parquet")
    assert file.schema.column(file.schema_arrow.names.index("charge")).physical_type == "INT64"
    for name in ("period", "unit_id", "item_id", "dept_id", "ordering_dept_id"):
        assert pa.types.is_dictionary(file.schema_arrow.field(name).type)
    assert file.schema_arrow.field("quantity").type == pa.decimal128(18, 4)


@pytest.mark.parametrize("table", sorted(KEYS))
def test_keys_are_unique(book: Book, table: str) -> None:
    assert not book.rows(f"select {KEYS[table]} from {table} group by all having count(*) > 1")


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("ledger", "dept_id"),
        ("drivers", "dept_id"),
        ("income", "dept_id"),
        ("statistics", "dept_id"),
        ("budget", "dept_id"),
        ("cases", "dept_id"),
        ("service_lines", "dept_id"),
        ("service_lines", "ordering_dept_id"),
    ],
)
def test_every_department_is_listed_in_its_unit(book: Book, table: str, column: str) -> None:
    assert not book.rows(
        f"select unit_id, {column} from {table} where {column} is not null"
        " except select unit_id, dept_id from departments"
    )


def test_the_same_dept_id_and_the_same_case_id_stand_in_several_units(book: Book) -> None:
    assert book.rows("select dept_id from departments group by 1 having count(*) > 1")
    assert book.rows("select case_id from cases group by 1 having count(distinct unit_id) > 1")


def test_items_groups_and_schemes_are_listed(book: Book) -> None:
    for table in ("service_lines", "item_weights"):
        assert not book.rows(
            f"select item_id from {table} except select item_id from service_items"
        )
    for table in ("cases", "drg_prices"):
        assert not book.rows(
            f"select scheme, drg_id from {table} where drg_id is not null"
            " except select scheme, drg_id from drg_groups"
        )
    ((scheme,),) = book.rows("select distinct scheme from drg_groups")
    assert "invented" in str(scheme)


def test_every_line_has_its_case_in_the_same_month_and_the_unit_of_the_case(book: Book) -> None:
    assert not book.rows(
        "select period, coalesce(case_unit_id, unit_id), case_id from service_lines"
        " where case_id is not null except select period, unit_id, case_id from cases"
    )


def test_the_lead_hospital_serves_cases_of_the_townships(book: Book) -> None:
    found = book.rows(
        "select unit_id, count(*), bool_or(case_unit_id = unit_id), count(ordering_dept_id)"
        " from service_lines where case_unit_id is not null group by 1"
    )
    assert [(row[0], row[2], row[3]) for row in found] == [("U01", False, 0)]
    assert 0.008 < found[0][1] / book.totals.lines < 0.012


def test_direct_items_have_a_cost_and_shared_items_have_none(book: Book) -> None:
    assert not book.rows(
        "select * from service_lines join service_items using (item_id)"
        " where (basis = 'direct') <> (direct_cost is not null)"
        " or (basis = 'direct') <> (element is not null)"
    )


def test_direct_cost_is_most_of_the_ledger_where_it_is_performed(book: Book) -> None:
    ratios = book.rows(
        """
        with spent as (
            select period, unit_id, dept_id, element, sum(amount) as l from ledger
            where fund = 'own' and program = 'medical' group by all),
        traced as (
            select period, unit_id, dept_id, element, sum(direct_cost) as d
            from service_lines join service_items using (item_id)
            where basis = 'direct' group by all having d > 0)
        select period, unit_id, element, sum(d) / sum(l), bool_and(d <= l)
        from traced left join spent using (period, unit_id, dept_id, element) group by all
        """
    )
    assert len(ratios) == len(PERIODS) * 3 * 2
    assert all(0.85 <= ratio <= 0.98 and within for *_, ratio, within in ratios)


def test_the_ledger_looks_like_a_hospital(book: Book) -> None:
    elements = dict(
        book.rows(
            "select element, sum(amount) / (select sum(amount) from ledger) from ledger group by 1"
        )
    )
    assert len(elements) == 7
    assert 0.33 < elements["staff"] < 0.44
    assert 0.22 < elements["drugs"] < 0.34
    assert book.rows("select * from ledger where amount < 0")
    assert book.count("select distinct fund from ledger") >= 4
    assert book.count("select distinct program from ledger") == 4
    ((share,),) = book.rows(
        "select sum(amount) filter (fund = 'own' and program = 'medical') / sum(amount) from ledger"
    )
    assert share > 0.9


def test_every_giver_with_money_has_positive_statistics(book: Book) -> None:
    assert not book.rows("select * from drivers where quantity <= 0")
    givers = book.rows(
        """
        select distinct l.period, l.unit_id, l.dept_id, d.class
        from ledger l join departments d using (unit_id, dept_id)
        where d.class in ('admin', 'support')
        """
    )
    received = {
        (period, unit, driver)
        for period, unit, driver in book.rows(
            """
            select r.period, r.unit_id, r.driver
            from drivers r join departments d using (unit_id, dept_id)
            where d.class in ('medtech', 'clinical') group by all
            """
        )
    }
    assert givers
    for period, unit, dept, kind in givers:
        assert (period, unit, "headcount" if kind == "admin" else dept) in received
    for driver in ("orders", "floor_area"):
        assert sum(row[2] == driver for row in received) == len(PERIODS) * 3


def test_support_departments_also_serve_each_other(book: Book) -> None:
    assert book.rows(
        """
        select * from drivers r join departments d using (unit_id, dept_id)
        where d.class = 'support' and r.driver like 'S%' and r.driver <> r.dept_id
        """
    )


def test_stays_in_progress_at_the_end_of_a_month_end_in_the_next(book: Book) -> None:
    staying = (
        "select unit_id, case_id from cases where setting = 'inpatient'"
        " and discharged is null and period = '{}'"
    )
    first, last = (staying.format(period) for period in PERIODS)
    assert book.count(first) == book.totals.in_progress[PERIODS[0]] > 0
    assert book.count(last) == book.totals.in_progress[PERIODS[1]] > 0
    ended = (
        "select unit_id, case_id from cases where period = '2026-02'"
        " and admitted < date '2026-02-01' and discharged >= date '2026-02-01'"
    )
    assert book.rows(f"{first} order by all") == book.rows(f"{ended} order by all")
    for period in PERIODS:
        assert not book.rows(
            f"{first} except select unit_id, case_id from service_lines where period = '{period}'"
        )
    assert not book.rows("select * from cases where discharged is null and drg_id is not null")
    ((share,),) = book.rows(
        "select avg((discharged is null)::int) from cases"
        " where setting = 'inpatient' and period = '2026-01'"
    )
    assert 0.04 < share < 0.09


def test_a_late_case_was_discharged_in_the_month_before(book: Book) -> None:
    late = (
        "select unit_id, case_id, drg_id, discharged from cases"
        " where period = '2026-02' and discharged < date '2026-02-01'"
    )
    assert book.rows(late)
    before = "select unit_id, case_id, drg_id, discharged from cases where period = '2026-01'"
    assert not book.rows(f"{late} except {before}")


def test_lines_are_dated_in_their_month_and_inside_the_stay(book: Book) -> None:
    assert not book.rows(
        "select * from service_lines where strftime(performed_on, '%Y-%m') <> period"
    )
    assert not book.rows(
        """
        select * from service_lines l join cases c
        on l.period = c.period and l.case_id = c.case_id
        and coalesce(l.case_unit_id, l.unit_id) = c.unit_id
        where l.performed_on < c.admitted
        or (l.performed_on > c.discharged and strftime(c.discharged, '%Y-%m') = c.period)
        """
    )


def test_a_reversal_takes_back_the_line_before_it(book: Book) -> None:
    lines = pq.read_table(
        book.folder / "service_lines.parquet",
        columns=["unit_id", "case_id", "item_id", "dept_id", "quantity", "charge", "direct_cost"],
    ).to_pylist()
    reversals = [place for place, line in enumerate(lines) if line["quantity"] < 0]
    assert 0.004 < len(reversals) / len(lines) < 0.006
    for place in reversals:
        line, before = lines[place], lines[place - 1]
        for column in ("unit_id", "case_id", "item_id", "dept_id"):
            assert line[column] == before[column]
        assert -line["quantity"] <= before["quantity"]
        assert -line["charge"] * before["quantity"] == -line["quantity"] * before["charge"]


def test_a_few_lines_have_no_case_and_some_quantities_are_halves(book: Book) -> None:
    ((unlinked, halves),) = book.rows(
        "select avg((case_id is null)::int), avg((quantity % 1 <> 0)::int) from service_lines"
    )
    assert 0.002 < unlinked < 0.004
    assert 0.0 < halves < 0.1


def test_some_groups_cost_less_than_their_price_and_some_more(book: Book) -> None:
    """Charges stand in for cost here: the ledger is about as large as the charges."""
    ((above, below),) = book.rows(
        """
        with charged as (
            select c.unit_id, c.drg_id, avg(s.charge) as mean from cases c join (
                select period, unit_id, case_id, sum(charge) as charge from service_lines
                where case_unit_id is null group by all) s using (period, unit_id, case_id)
            where c.drg_id is not null and c.unit_id = 'U01' group by all)
        select sum((price > mean)::int), sum((price <= mean)::int)
        from charged join drg_prices p using (unit_id, drg_id) where p.payer is null
        """
    )
    assert above >= 5
    assert below >= 5


def test_the_opening_is_asked_for_in_order_and_dated_to_the_next_month(tmp_path: Path) -> None:
    """Three months: the second opening is costed with the first one already in the book."""
    seen: list[tuple[str, int]] = []

    def cost_opening(folder: Path, period: str) -> pa.Table:
        path = folder / "opening_work_in_progress.parquet"
        seen.append((period, pq.read_metadata(path).num_rows if path.exists() else 0))
        cases = pq.read_table(folder / "cases.parquet", columns=["period", "unit_id", "case_id"])
        stays = cases.filter(pc.equal(cases["period"], period)).slice(0, 3)
        zero = pa.array([Decimal("1.50")] * 3, pa.decimal128(18, 2))
        return pa.table(
            {
                "period": stays["period"].cast(pa.string()),
                "unit_id": stays["unit_id"].cast(pa.string()),
                "case_id": stays["case_id"],
                "staff": zero,
            }
        )

    periods = ("2025-12", "2026-01", "2026-02")
    totals = make_sample(
        tmp_path, hospitals=1, lines=1_500, periods=periods, cost_opening=cost_opening
    )
    assert seen == [("2025-12", 0), ("2026-01", 3)]
    opening = pq.read_table(tmp_path / "opening_work_in_progress.parquet")
    assert opening["period"].to_pylist() == ["2026-01"] * 3 + ["2026-02"] * 3
    assert totals.rows["opening_work_in_progress"] == 6


def test_a_new_book_leaves_no_opening_of_an_old_one(tmp_path: Path) -> None:
    (tmp_path / "opening_work_in_progress.parquet").write_bytes(b"old")
    make_sample(tmp_path, hospitals=1, lines=1_000)
    assert not (tmp_path / "opening_work_in_progress.parquet").exists()


def test_progress_names_each_unit_and_month(tmp_path: Path) -> None:
    said: list[str] = []
    make_sample(tmp_path, hospitals=2, lines=1_000, progress=said.append)
    assert [text.split(":")[0] for text in said] == [
        f"{period} {unit}" for period in PERIODS for unit in ("U01", "U02")
    ]
