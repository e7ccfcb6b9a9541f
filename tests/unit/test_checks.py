"""Every fault that a book can have: its code, how much, where, and never whose.

The whole book is costed without a fault. Each scenario changes as little of it as its fault
needs; where one change makes two faults, both are listed.
"""

import copy
import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from books import (
    MONTH,
    NEXT_MONTH,
    Tables,
    book,
    costed,
    items,
    joined,
    line,
    model,
    model_file,
    of_unit,
    opening,
    posting,
    statistic,
    stay,
    written,
)

from medcost.allocation_model import load_model
from medcost.book import open_book
from medcost.errors import Fault, InputRejected, fault_codes, render_fault
from medcost.month_end import check_book
from medcost.tables import CONSORTIUM_INPUTS, load_table, table_names

PATIENT, STAYING, STRANGER = "PATIENT-4711", "PATIENT-0042", "PATIENT-0815"
PERSONAL = ("PATIENT-", "LINE-", "ENTRY-", "DOCTOR-", "DISEASE-")
NINTH = datetime.date(2026, 1, 9)
HEADCOUNT_RULE = '[[departments.rule]]\ngivers = { class = "support" }\ndriver = "heads"\n'
RECIPROCAL, BY_INCOME = model("reciprocal"), model(measure="income")
BY_HEADS = model(rules=HEADCOUNT_RULE)

Change = Callable[[Tables], object]
Spoil = Callable[[Path], object]


def line_of(text: str, word: str) -> int:
    """Return the number of the only line that holds the word."""
    (found,) = [n for n, row in enumerate(text.split("\n"), 1) if word in row]
    return found


def whole() -> Tables:
    """Return a book without a fault: three departments, two items, two patients."""
    lines = [
        line("C", "a", PATIENT, charge=10, line_id="LINE-1", ordering_dept_id="C"),
        line(
            "M", "a", PATIENT, charge=20, line_id="LINE-2", performed_on=datetime.date(2026, 1, 9)
        ),
        line("C", "R", PATIENT, charge=25, direct_cost=20, case_unit_id="U"),
    ]
    personal = {"doctor_id": "DOCTOR-9", "disease_id": "DISEASE-3"}
    ledger = [
        posting("S", 100, entry_id="ENTRY-1", fund="own", account="5001"),
        posting("C", 200, entry_id="ENTRY-2"),
        posting("M", 50),
        posting("C", 30, "drugs"),
    ]
    stays = [stay(PATIENT, scheme="A", dept_id="C", **personal), stay(STAYING, scheme="A")]
    departments = {"S": "support", "C": "clinical", "M": "medtech"}
    catalogue = items(a=1, R="drugs")
    tables = book(departments, ledger, {"S": {"C": 1, "M": 1}}, catalogue, lines, cases=stays)
    return tables | {
        "opening_work_in_progress": [opening(STAYING, staff=5)],
        "drg_groups": [{"scheme": "A", "drg_id": "G"}],
        "drg_prices": [{"drg_id": "G", "price": Decimal(100)}],
    }


def updated(table: str, row: int, **columns: Any) -> Change:
    """Change some columns of one row."""
    return lambda tables: tables[table][row].update(columns)


def added(table: str, *rows: dict[str, Any]) -> Change:
    """Add rows to a table, which may be a new one."""
    return lambda tables: tables.setdefault(table, []).extend(rows)


def department(dept_id: str, kind: str = "clinical", **columns: Any) -> dict[str, Any]:
    """Return a row of departments."""
    return {"unit_id": "U", "dept_id": dept_id, "class": kind, **columns}


def all_of(*changes: Change) -> Change:
    """Make several changes."""
    return lambda tables: [change(tables) for change in changes]


def served(drivers: dict[str, dict[str, Any]]) -> Change:
    """Put other statistics in the place of the book's, and a second support department T."""
    rows = [statistic(driver, d, q) for driver, row in drivers.items() for d, q in row.items()]
    return all_of(
        added("departments", department("T", "support")),
        lambda tables: tables.update(drivers=rows),
    )


def stored(table: str, column: str, values: pa.Array) -> Spoil:
    """Write one column of a file anew, in another storage."""

    def spoil(folder: Path) -> None:
        path = folder / f"{table}.parquet"
        found = pq.read_table(path)
        at = found.schema.get_field_index(column)
        pq.write_table(found.set_column(at, column, values), path)

    return spoil


def moved_below(table: str, inside: str) -> Spoil:
    """Move a table's file into a folder of its own."""

    def spoil(folder: Path) -> None:
        (folder / table / inside).mkdir(parents=True)
        (folder / f"{table}.parquet").rename(folder / table / inside / "part.parquet")

    return spoil


def doubled_column(folder: Path) -> None:
    """Write the ledger's amount twice."""
    found = pq.read_table(folder / "ledger.parquet")
    pq.write_table(found.append_column("amount", found["amount"]), folder / "ledger.parquet")


def dropped(table: str, column: str) -> Spoil:
    """Write a file without one of its columns."""

    def spoil(folder: Path) -> None:
        path = folder / f"{table}.parquet"
        pq.write_table(pq.read_table(path).drop_columns([column]), path)

    return spoil


def with_a_stray_file(folder: Path) -> None:
    """Move the ledger into a folder, beside a file that is not Parquet."""
    moved_below("ledger", "")(folder)
    (folder / "ledger" / "ledger.xlsx").write_text("2026-01,U,C,staff,1000")


NOT_UTF8 = pa.Array.from_buffers(
    pa.string(),
    4,
    [None, pa.py_buffer(np.array([0, 2, 2, 2, 2], np.int32)), pa.py_buffer(b"\xc4\xda")],
)
AMOUNTS = (100.0, 200.0, 50.0)


@dataclass(frozen=True)
class Scenario:
    """One fault: what is changed, and its message's beginning and places."""

    code: str
    what: str
    where: tuple[str, ...]
    change: Change = lambda tables: None
    spoil: Spoil = lambda folder: None
    model: str = model()
    more: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


ONE_ROW = "1 ledger row"
SCENARIOS = {
    "table missing": Scenario(
        "table-missing",
        "The book has no table cases.",
        ("neither cases.parquet nor cases/ in",),
        lambda tables: tables.pop("cases"),
    ),
    "table ambiguous": Scenario(
        "table-ambiguous",
        "Table ledger stands twice in the book.",
        ("'ledger.parquet' and the folder 'ledger/'",),
        spoil=lambda folder: (folder / "ledger").mkdir(),
    ),
    "table empty": Scenario(
        "table-empty",
        "Table cases has no rows.",
        ("'cases.parquet'",),
        lambda tables: tables.update(cases=[]),
        more=("case-not-listed",),
    ),
    "lines empty": Scenario(
        "table-empty",
        "Table service_lines has no rows.",
        ("'service_lines.parquet'",),
        lambda tables: tables.update(service_lines=[]),
    ),
    "file unreadable": Scenario(
        "file-unreadable",
        "'ledger.parquet' cannot be read as Parquet: ",
        ("'ledger.parquet'",),
        spoil=lambda folder: (folder / "ledger.parquet").write_bytes(b"PAR1 no longer"),
    ),
    "file unexpected": Scenario(
        "file-unexpected",
        "1 file of table ledger is not Parquet by its name.",
        ("'ledger/ledger.xlsx'",),
        spoil=with_a_stray_file,
    ),
    "column missing": Scenario(
        "column-missing",
        "'ledger.parquet' has no column element.",
        ("'ledger.parquet'",),
        spoil=dropped("ledger", "element"),
    ),
    "column of another type": Scenario(
        "column-type",
        "'ledger.parquet' has column amount as bool, not decimal(18,2).",
        ("'ledger.parquet'",),
        spoil=stored("ledger", "amount", pa.array([True] * 4)),
    ),
    "column twice": Scenario(
        "column-twice",
        "'ledger.parquet' has 2 columns named amount.",
        ("'ledger.parquet'",),
        spoil=doubled_column,
    ),
    "partition disagrees": Scenario(
        "partition-disagrees",
        "4 rows of 'ledger/period=2026-02/part.parquet' disagree with their folder's period.",
        ("'ledger/period=2026-02/part.parquet', period: folder says '2026-02'",),
        spoil=moved_below("ledger", "period=2026-02"),
    ),
    "text not UTF-8": Scenario(
        "text-not-utf8",
        "Column account of ledger: text is not valid UTF-8.",
        ("'ledger.parquet'",),
        spoil=stored("ledger", "account", NOT_UTF8),
    ),
    "value missing": Scenario(
        "value-missing",
        "1 ledger row, worth 100.00 yuan, has no element.",
        ("ledger.parquet row 1",),
        updated("ledger", 0, element=None),
    ),
    "empty text": Scenario(
        "value-missing",
        "1 ledger row, worth 100.00 yuan, has no element.",
        ("ledger.parquet row 1",),
        updated("ledger", 0, element=""),
    ),
    "amount missing": Scenario(
        "value-missing",
        "2 ledger rows have no amount.",
        ("ledger.parquet row 2", "ledger.parquet row 5"),
        all_of(updated("ledger", 1, amount=None), added("ledger", posting("C", None))),
    ),
    "case without id": Scenario(
        "value-missing",
        "1 case has no case_id.",
        ("cases.parquet row 3",),
        added("cases", stay(None, scheme="A")),
    ),
    "blank ends": Scenario(
        "text-blank-ends",
        "1 ledger row, worth 100.00 yuan, has blanks at an end of account.",
        ("ledger.parquet, account: ' 5001' (1 row)",),
        updated("ledger", 0, account=" 5001"),
    ),
    "wide blank ends": Scenario(
        "text-blank-ends",
        "1 ledger row, worth 100.00 yuan, has blanks at an end of account.",
        ("ledger.parquet, account: '5001\\u3000' (1 row)",),
        updated("ledger", 0, account="5001\u3000"),
    ),
    "blank ends of a person's id": Scenario(
        "text-blank-ends",
        "1 case has blanks at an end of doctor_id.",
        ("cases.parquet row 1",),
        updated("cases", 0, doctor_id="DOCTOR-9 "),
    ),
    "value not allowed": Scenario(
        "value-not-allowed",
        "2 ledger rows, worth 107.00 yuan, have a fund that is not one of those allowed.",
        ("ledger.parquet, fund: 'Own' (1 row)", "'loan' (1 row)"),
        all_of(updated("ledger", 0, fund="Own"), added("ledger", posting("C", 7, fund="loan"))),
    ),
    "period format": Scenario(
        "period-format",
        "3 ledger rows, worth 12.00 yuan, have a period that is not a month written YYYY-MM.",
        ("ledger.parquet, period: '2026-13' (2 rows)", "'2026-1' (1 row)"),
        added(
            "ledger",
            posting("C", 3, period="2026-13"),
            posting("C", 7, period="2026-1"),
            posting("C", 2, period="2026-13"),
        ),
    ),
    "value too fine": Scenario(
        "value-too-fine",
        "2 ledger rows have an amount with more decimals than the column holds.",
        ("ledger.parquet row 1", "ledger.parquet row 4"),
        spoil=stored("ledger", "amount", pa.array([1.005, 200.0, 50.0, -0.001])),
        more=("direct-cost-not-in-ledger",),
    ),
    "value not finite": Scenario(
        "value-not-finite",
        "1 ledger row has an amount that is NaN or infinite.",
        ("ledger.parquet row 4",),
        spoil=stored("ledger", "amount", pa.array([*AMOUNTS, float("nan")])),
        more=("direct-cost-not-in-ledger",),
    ),
    "value out of range": Scenario(
        "value-out-of-range",
        "1 ledger row has an amount too large for the column.",
        ("ledger.parquet row 4",),
        spoil=stored("ledger", "amount", pa.array([*AMOUNTS, 9.1e9])),
        more=("direct-cost-not-in-ledger",),
    ),
    "negative weight": Scenario(
        "value-negative",
        "1 item weight has a negative weight.",
        ("item_weights.parquet row 2",),
        added("item_weights", {"item_id": "a", "dept_id": "M", "weight": Decimal("-0.5")}),
    ),
    "negative statistic": Scenario(
        "value-negative",
        "1 driver row has a negative quantity.",
        ("drivers.parquet row 2",),
        all_of(
            updated("drivers", 0, quantity=Decimal(5)), updated("drivers", 1, quantity=Decimal(-1))
        ),
    ),
    "driver row twice": Scenario(
        "duplicate-key",
        "1 driver row has a key (period, unit_id, driver, dept_id) that another row has.",
        ("drivers.parquet row 3",),
        added("drivers", statistic("S", "C", 3)),
    ),
    "case twice": Scenario(
        "duplicate-key",
        "2 cases have a key (period, unit_id, case_id) that another row has.",
        ("cases.parquet row 3", "cases.parquet row 4"),
        added("cases", stay(PATIENT, scheme="A"), stay(PATIENT, scheme="A")),
    ),
    "unit not listed": Scenario(
        "unit-not-listed",
        "1 ledger row, worth 7.00 yuan, names a unit that units does not list.",
        ("ledger.parquet, unit_id: 'X' (1 row)",),
        added("ledger", posting("C", 7, unit_id="X")),
    ),
    "unit of a case not listed": Scenario(
        "unit-not-listed",
        "1 service line, worth 25.00 yuan, names a unit that units does not list.",
        ("service_lines.parquet, case_unit_id: 'X' (1 row)",),
        updated("service_lines", 2, case_unit_id="X"),
    ),
    "department not listed": Scenario(
        "department-not-listed",
        "3 ledger rows, worth 24.00 yuan, name a department that departments does not list.",
        ("ledger.parquet, dept_id: 'XK10' (2 rows)", "'XK09' (1 row)"),
        added("ledger", posting("XK10", 7), posting("XK09", 8), posting("XK10", 9)),
    ),
    "department of a line not listed": Scenario(
        "department-not-listed",
        "1 service line, worth 10.00 yuan, names a department that departments does not list.",
        ("service_lines.parquet, dept_id: 'XK09' (1 row)",),
        updated("service_lines", 0, dept_id="XK09"),
    ),
    "department not open yet": Scenario(
        "department-not-open",
        "1 ledger row, worth 9.00 yuan, names a department that is not open in that month.",
        ("ledger.parquet, dept_id: 'Z' (1 row)",),
        all_of(
            added("departments", department("Z", valid_from=NEXT_MONTH)),
            added("ledger", posting("Z", 9)),
        ),
    ),
    "department of a line closed": Scenario(
        "department-not-open",
        "1 service line, worth 3.00 yuan, names a department that is not open in that month.",
        ("service_lines.parquet, dept_id: 'Z' (1 row)",),
        all_of(
            added("departments", department("Z", valid_to="2025-12")),
            added("service_lines", line("Z", "a", PATIENT, charge=3)),
        ),
    ),
    "item of a line not listed": Scenario(
        "item-not-listed",
        "1 service line, worth 4.00 yuan, names an item that service_items does not list.",
        ("service_lines.parquet, item_id: 'zz' (1 row)",),
        added("service_lines", line("C", "zz", PATIENT, charge=4)),
    ),
    "item of a weight not listed": Scenario(
        "item-not-listed",
        "1 item weight names an item that service_items does not list.",
        ("item_weights.parquet, item_id: 'zz' (1 row)",),
        added("item_weights", {"item_id": "zz", "weight": Decimal(1)}),
    ),
    "direct item without element": Scenario(
        "item-element-missing",
        "1 service item has basis direct and no element.",
        ("service_items.parquet row 2",),
        updated("service_items", 1, element=None),
    ),
    "case not listed": Scenario(
        "case-not-listed",
        "2 service lines, worth 9.00 yuan, name a case that neither cases nor the opening",
        ("service_lines.parquet row 4", "service_lines.parquet row 5"),
        added("service_lines", *(line("C", "a", STRANGER, charge=yuan) for yuan in (4, 5))),
    ),
    "group not listed": Scenario(
        "group-not-listed",
        "1 case names a DRG group that drg_groups does not list.",
        ("cases.parquet, drg_id: 'H' (1 row)",),
        updated("cases", 0, drg_id="H"),
    ),
    "group of another scheme": Scenario(
        "group-not-listed",
        "1 case names a DRG group that drg_groups does not list.",
        ("cases.parquet, drg_id: 'G' (1 row)",),
        updated("cases", 0, scheme="B"),
    ),
    "scheme missing": Scenario(
        "scheme-missing",
        "1 case has a drg_id and no scheme, and drg_groups has several schemes.",
        ("cases.parquet row 1",),
        all_of(
            added("drg_groups", {"scheme": "B", "drg_id": "G"}), updated("cases", 0, scheme=None)
        ),
    ),
    "posting twice": Scenario(
        "posting-id-twice",
        "1 ledger row, worth 200.00 yuan, has an entry_id that stands twice",
        ("ledger.parquet row 2",),
        updated("ledger", 1, entry_id="ENTRY-1"),
    ),
    "line twice": Scenario(
        "posting-id-twice",
        "1 service line",
        ("service_lines, line_id",),
        updated("service_lines", 1, line_id="LINE-1"),
    ),
    "direct cost missing": Scenario(
        "direct-cost-missing",
        "1 service line, worth 25.00 yuan, has a direct item and no direct_cost.",
        ("service_lines.parquet row 3",),
        updated("service_lines", 2, direct_cost=None),
    ),
    "charge to measure by missing": Scenario(
        "measure-missing",
        "'service_lines.parquet' has no column charge, by which the model measures.",
        (f"model.toml line {line_of(BY_INCOME, 'income')}, service_items.method",),
        spoil=dropped("service_lines", "charge"),
        model=BY_INCOME,
    ),
    "ordering department not listed": Scenario(
        "ordering-department-not-listed",
        "1 service line, worth 10.00 yuan, names an ordering department that departments",
        ("service_lines.parquet, ordering_dept_id: 'Q' (1 row)",),
        updated("service_lines", 0, ordering_dept_id="Q"),
    ),
    "period not in the book": Scenario(
        "period-not-in-book",
        "The ledger has no row of 2026-02 for the chosen units.",
        ("periods there: 2026-01",),
        options={"period": NEXT_MONTH},
    ),
    "unit not in the book": Scenario(
        "unit-not-in-book",
        "Unit 'Q' is chosen, but units does not list it.",
        ("units, unit_id",),
        options={"units": ["Q"]},
    ),
    "no statistic": Scenario(
        "driver-gap",
        "1 department, holding 100.00 yuan, cannot hand on cost: ",
        ("'U/S', driver 'S': 100.00 yuan",),
        lambda tables: tables.update(drivers=[statistic("S", "S", 1)]),
    ),
    "statistics of zero": Scenario(
        "driver-total-not-positive",
        "1 department, holding 100.00 yuan, cannot hand on cost: ",
        ("'U/S', driver 'S': 100.00 yuan",),
        lambda tables: tables.update(drivers=[statistic("S", "C", 0), statistic("S", "M", 0)]),
    ),
    "driver not listed": Scenario(
        "driver-not-listed",
        "The model shares cost by 'heads', a driver that drivers does not have.",
        (f"model.toml line {line_of(BY_HEADS, 'heads')}, departments.rule[0].driver",),
        model=BY_HEADS,
    ),
    "no rule": Scenario(
        "giver-without-rule",
        "1 department, holding 100.00 yuan, cannot hand on cost: ",
        ("'U/S': 100.00 yuan",),
        model=model(rules=""),
    ),
    "not in order": Scenario(
        "giver-not-in-order",
        "1 department, holding 100.00 yuan, cannot hand on cost: ",
        ("'U/S': 100.00 yuan",),
        model=model(order='["admin"]'),
    ),
    "closed loop": Scenario(
        "closed-loop",
        "2 departments with 100.00 yuan of their own serve only each other.",
        ("'U/S', driver 'S'", "'U/T', driver 'T'"),
        served({"S": {"T": 1}, "T": {"S": 1}}),
        model=RECIPROCAL,
    ),
    "gross cost out of bound": Scenario(
        # x = 100 + q² x with q = 1 − 10^-7: x + y = 100 ÷ (1 − q) yuan, a million times 1,000.
        "gross-cost-out-of-bound",
        "Gross cost of 1,000,000,100.00 yuan in staff comes from a direct cost of 100.00 yuan.",
        ("'U/S'", "'U/T'"),
        served({"S": {"T": 10**7, "C": 1}, "T": {"S": 10**7, "C": 1}}),
        model=RECIPROCAL,
    ),
    "singular system": Scenario(
        # S serves T twice and C minus once, T serves S and C: x = 100 + y ÷ 2, y = 2 x.
        "singular-system",
        "The equations of 2 departments have no single solution.",
        ("'U/S'", "'U/T'"),
        served({"S": {"T": 2, "C": -1}, "T": {"S": 1, "C": 1}}),
        model=model("reciprocal", departments='negative_statistics = "allow"'),
    ),
    "statistics beyond 64 bits": Scenario(
        "statistic-out-of-range",
        "1 statistic cannot be added up exactly.",
        ("unit 'U', driver 'S'",),
        all_of(
            added("departments", *(department(f"D{i}") for i in range(11))),
            added("drivers", *(statistic("S", f"D{i}", 9 * 10**13) for i in range(11))),
        ),
    ),
    "ledger beyond a column of money": Scenario(
        "amount-out-of-range",
        "The ledger of unit 'U' in 2026-01 moves 18,000,000,000,000,380.00 yuan.",
        ("ledger, unit_id: 'U'",),
        added("ledger", posting("C", 9 * 10**15), posting("C", -9 * 10**15)),
    ),
    "no weight fits": Scenario(
        "weight-missing",
        "2 performed items ",
        ("item 'a' in 'U/C': staff", "item 'a' in 'U/M': staff"),
        updated("item_weights", 0, element="drugs"),
    ),
    "net activity too small": Scenario(
        # C nets 1 + 100 − 99 = 2 services of a gross 200; without the 1, 1 of 199.
        "net-activity-too-small",
        "2 pools would be shared by what few services reversals leave.",
        (
            "'U/C', staff: 1.00% of gross, 250.00 yuan",
            "'U/C', drugs: 1.00% of gross, 10.00 yuan",
        ),
        added(
            "service_lines",
            line("C", "a", STAYING, -99, charge=1),
            line("C", "a", None, 100, charge=1),
        ),
    ),
    "purchases not in the ledger": Scenario(
        "direct-cost-not-in-ledger",
        "The ledger holds less than 50% of the purchase cost that the lines of direct items",
        ("unit 'U', drugs: ledger 30.00, lines 61.00 yuan",),
        updated("service_lines", 2, direct_cost=Decimal(61)),
    ),
    "price ambiguous": Scenario(
        "price-ambiguous",
        "Prices fit 1 kind of cases equally well.",
        ("group 'G' in unit 'U'",),
        lambda tables: tables.update(
            drg_prices=[
                {"drg_id": "G", "scheme": "A", "price": Decimal(1)},
                {"drg_id": "G", "unit_id": "U", "price": Decimal(2)},
            ]
        ),
    ),
}  # fmt: skip


def tables_of(change: Change) -> Tables:
    """Return the whole book, changed."""
    tables = copy.deepcopy(whole())
    change(tables)
    return tables


def checked(folder: Path, text: str, **options: Any) -> list[Fault]:
    """Return what `medcost check` finds."""
    loaded = load_model(str(model_file(folder.parent, text)))
    periods = [options.get("period", MONTH)]
    return check_book(open_book(folder), periods, options.get("units"), loaded)


def refused(folder: Path, text: str, **options: Any) -> list[Fault]:
    """Return what `medcost run` refuses the book with."""
    with pytest.raises(InputRejected) as rejected:
        costed(folder.parent, folder, text, **options)
    return list(rejected.value.faults)


def test_the_whole_book_has_no_fault(tmp_path: Path) -> None:
    folder = written(tmp_path, whole())
    assert checked(folder, model()) == []
    assert costed(tmp_path, folder, model()).n_lines == 3


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("command", [checked, refused], ids=["check", "run"])
def test_a_fault_says_how_much_and_where_but_never_whose(
    tmp_path: Path, name: str, command: Callable[..., list[Fault]]
) -> None:
    """check and run find the same; the places are all there, in order, and safe to show."""
    wanted = SCENARIOS[name]
    folder = written(tmp_path, tables_of(wanted.change))
    wanted.spoil(folder)
    found = command(folder, wanted.model, **wanted.options)
    assert {fault.code for fault in found} == {wanted.code, *wanted.more}
    fault = next(fault for fault in found if fault.code == wanted.code)
    assert fault.what.startswith(wanted.what)
    if name == "table missing":
        assert fault.where[0].startswith(wanted.where[0])
    else:
        assert fault.where == wanted.where
    for shown in map(render_fault, found):
        assert not any(text in shown for text in PERSONAL)
        assert shown.replace("\n", "").isprintable()


ABOUT_MODELS = {code for code in fault_codes() if code.startswith("model-")}
ABOUT_BUDGETS = {
    "budget-group-ambiguous", "budget-line-unmatched", "budget-not-in-period",
    "budget-standards-disagree", "budget-standards-twice", "control-key-missing",
    "control-key-unknown", "control-unreadable", "control-value",
}  # fmt: skip
# Every code that a test of the consortium names; those of its policies and solver in test_policy.py
# and test_commands.py.
CONSORTIUM_TESTS = "".join(
    file.read_text("utf-8") for file in (Path(__file__).parents[1] / "consortium").rglob("*.py")
)
ABOUT_CONSORTIUM = {
    code
    for code in fault_codes()
    if re.search(rf"\b{code}\b", CONSORTIUM_TESTS) or code.startswith(("policy-", "solver-"))
}
ABOUT_PUBLISHED = {
    "chain-broken", "current-dangling", "current-unreadable", "file-added", "file-changed",
    "file-missing", "manifest-unreadable", "period-closed", "run-id-wrong", "signature-missing",
    "signature-wrong", "table-unbalanced",
}  # fmt: skip
ABOUT_RUNS = {
    "run-not-found", "run-not-kept", "stage-not-in-run", "figure-not-in-run", "figure-ambiguous",
    "run-ambiguous", "figure-not-as-published", "run-damaged",
}  # fmt: skip


def codes_of_the_consortium() -> set[str]:
    """Return the codes that stand in tests/consortium; those of solvers are made there."""
    folder = Path(__file__).parents[1] / "consortium"
    text = "".join(file.read_text("utf-8") for file in sorted(folder.rglob("test_*.py")))
    codes = {code for code in fault_codes() if code.startswith("solver-")}
    return codes | {code for code in fault_codes() if f'"{code}"' in text or f"[{code}]" in text}


def test_every_fault_code_has_a_test() -> None:
    """Of models: test_allocation_model.py; of runs: tests/explain and verdicts; the last below.

    Of budgets: tests/verdicts/test_budget.py and tests/variance/test_control.py. Of what is
    published: tests/cli/test_verify.py. Of the consortium: tests/consortium.
    """
    tested = {scenario.code for scenario in SCENARIOS.values()} | codes_of_the_consortium()
    elsewhere = ABOUT_MODELS | ABOUT_BUDGETS | ABOUT_PUBLISHED | ABOUT_RUNS | {"book-not-found"}
    elsewhere |= ABOUT_CONSORTIUM
    assert tested | elsewhere == set(fault_codes())


@pytest.mark.parametrize("name", ["nowhere", "a file", "\x1b[31mred"])
def test_a_book_that_is_not_a_folder_is_named(tmp_path: Path, name: str) -> None:
    if name == "a file":
        (tmp_path / name).write_text("not a folder")
    with pytest.raises(InputRejected) as rejected:
        open_book(tmp_path / name)
    (fault,) = rejected.value.faults
    assert fault.code == "book-not-found"
    assert fault.what.isprintable()


# Every column of every table -------------------------------------------------------------------


def with_every_table() -> Tables:
    """Return the whole book with a row of every table that there is."""
    in_unit = {"period": MONTH, "unit_id": "U"}
    return whole() | {
        "income": [{**in_unit, "dept_id": "C", "source": "drugs", "amount": Decimal(3)}],
        "statistics": [{**in_unit, "dept_id": "C", "measure": "beds", "quantity": Decimal(3)}],
        "capacity": [{**in_unit, "dept_id": "C", "practical_capacity": Decimal(3)}],
        "budget": [{**in_unit, "dept_id": "C", "amount": Decimal(3)}],
    }


NOUNS = {
    "units": "unit", "departments": "department", "ledger": "ledger row", "drivers": "driver row",
    "service_items": "service item", "item_weights": "item weight", "cases": "case",
    "opening_work_in_progress": "opening row", "drg_groups": "DRG group",
    "drg_prices": "DRG price", "income": "income row", "statistics": "statistics row",
    "capacity": "capacity row", "budget": "budget row", "service_lines": "service line",
}  # fmt: skip
WORTH = {"ledger": "100.00", "service_lines": "10.00", "income": "3.00", "budget": "3.00"}
MONTHS = ("period", "valid_from", "valid_to")
TEXTS = [(n, column) for n in NOUNS for column in load_table(n).columns if column.type == "string"]
NO_MONTHS = ["2026-1", "2026-00", "202601", "2026-01-01", "2026-01 ", "２０２６-01"]


def opened(table: str) -> str:
    """Return how a message of one row of the table begins."""
    worth = f", worth {WORTH[table]} yuan," if table in WORTH else ""
    return f"1 {NOUNS[table]}{worth} "


def found_in(tmp_path: Path, tables: Tables, code: str) -> Fault:
    """Return the only fault of the code; none of the faults shows whose rows they are."""
    found = checked(written(tmp_path, tables), model())
    assert not any(text in render_fault(fault) for fault in found for text in PERSONAL)
    (fault,) = (fault for fault in found if fault.code == code)
    return fault


def test_every_table_of_the_contract_is_checked() -> None:
    """Those of the consortium are checked in tests/consortium."""
    tables = with_every_table()
    assert set(tables) == set(NOUNS)
    of_consortium = {name for names in CONSORTIUM_INPUTS.values() for name in names}
    inputs = {name for name in table_names() if not name.startswith("out_")}
    assert inputs - of_consortium == set(NOUNS)
    # Those of the consortium go by their names and are checked in tests/consortium.
    shared = {name for names in CONSORTIUM_INPUTS.values() for name in names}
    inputs = {name for name in table_names() if not name.startswith("out_")}
    assert inputs - shared == set(NOUNS)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        (name, column.name)
        for name in NOUNS
        for column in load_table(name).columns
        if not column.nullable
    ],
)
def test_an_empty_value_is_named_wherever_one_is_needed(
    tmp_path: Path, table: str, column: str
) -> None:
    tables = with_every_table()
    tables[table][0][column] = None
    fault = found_in(tmp_path, tables, "value-missing")
    money = column == "amount"
    begun = opened(table)
    assert fault.what == (f"1 {NOUNS[table]} " if money else begun) + f"has no {column}."
    assert fault.where == (f"{table}.parquet row 1",)


@pytest.mark.parametrize(
    ("table", "column"), [(name, column.name) for name, column in TEXTS if column.values]
)
def test_a_word_that_is_not_allowed_is_named(tmp_path: Path, table: str, column: str) -> None:
    tables = with_every_table()
    tables[table][0][column] = "nonsense"
    fault = found_in(tmp_path, tables, "value-not-allowed")
    assert fault.what.startswith(opened(table))
    assert fault.where == (f"{table}.parquet, {column}: 'nonsense' (1 row)",)


@pytest.mark.parametrize(
    ("table", "column", "month"),
    [(name, column.name, "2026-13") for name, column in TEXTS if column.name in MONTHS]
    + [("ledger", "period", month) for month in NO_MONTHS],
)
def test_what_is_no_month_is_named(tmp_path: Path, table: str, column: str, month: str) -> None:
    tables = with_every_table()
    tables[table][0][column] = month
    fault = found_in(tmp_path, tables, "period-format")
    assert fault.what.startswith(opened(table))
    assert fault.where == (f"{table}.parquet, {column}: '{month}' (1 row)",)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        (name, column.name)
        for name, column in TEXTS
        if not column.values and column.name not in MONTHS
    ],
)
def test_blanks_at_an_end_are_named_and_of_persons_only_the_row(
    tmp_path: Path, table: str, column: str
) -> None:
    tables = with_every_table()
    label = f"{tables[table][0].get(column) or 'x'} "
    tables[table][0][column] = label
    fault = found_in(tmp_path, tables, "text-blank-ends")
    assert fault.what == opened(table) + f"has blanks at an end of {column}."
    personal = column in ("case_id", "line_id", "entry_id", "doctor_id", "disease_id")
    shown = f"{table}.parquet row 1", f"{table}.parquet, {column}: '{label}' (1 row)"
    assert fault.where == (shown[not personal],)


@pytest.mark.parametrize("table", [name for name in NOUNS if load_table(name).key])
def test_a_key_that_stands_twice_is_named(tmp_path: Path, table: str) -> None:
    tables = with_every_table()
    n = len(tables[table])
    tables[table].append(dict(tables[table][0]))
    fault = found_in(tmp_path, tables, "duplicate-key")
    begun = opened(table)
    key = ", ".join(load_table(table).key)
    assert fault.what == f"{begun}has a key ({key}) that another row has."
    row, label = f"{table}.parquet row {n + 1}", next(iter(tables[table][0].values()))
    shown = row if ", " in key else f"{table}.parquet, {key}: '{label}' (1 row)"
    assert fault.where == (shown,)


OF_UNITS = [name for name in NOUNS if name != "units" and "unit_id" in with_every_table()[name][0]]


@pytest.mark.parametrize("table", [*OF_UNITS, "item_weights", "drg_prices"])
def test_a_unit_that_is_not_listed_is_named(tmp_path: Path, table: str) -> None:
    tables = with_every_table()
    tables[table].append(tables[table][0] | {"unit_id": "X"})
    fault = found_in(tmp_path, tables, "unit-not-listed")
    assert fault.what == (f"{opened(table)}names a unit that units does not list.")
    assert fault.where == (f"{table}.parquet, unit_id: 'X' (1 row)",)


OF_DEPARTMENTS = ("ledger", "drivers", "income", "statistics", "capacity", "budget")


@pytest.mark.parametrize("table", [*OF_DEPARTMENTS, "service_lines"])
def test_a_department_that_is_not_listed_is_named(tmp_path: Path, table: str) -> None:
    tables = with_every_table()
    tables[table].append(tables[table][0] | {"dept_id": "XK09"})
    fault = found_in(tmp_path, tables, "department-not-listed")
    assert fault.what.startswith(opened(table))
    assert fault.where == (f"{table}.parquet, dept_id: 'XK09' (1 row)",)


@pytest.mark.parametrize("table", ["cases", "item_weights"])
def test_a_department_of_a_case_or_weight_that_is_not_listed_is_named(
    tmp_path: Path, table: str
) -> None:
    """A case's department orders what its lines do not say; a weight of nobody's is not used."""
    tables = with_every_table()
    more = {"case_id": STRANGER} if table == "cases" else {}
    tables[table].append(tables[table][0] | {"dept_id": "XK09"} | more)
    fault = found_in(tmp_path, tables, "department-not-listed")
    assert fault.where == (f"{table}.parquet, dept_id: 'XK09' (1 row)",)


# Faults together --------------------------------------------------------------


def test_faults_of_several_tables_are_reported_together(tmp_path: Path) -> None:
    names = [
        "value missing", "unit not listed", "driver row twice", "item of a weight not listed",
        "group not listed", "case not listed", "direct cost missing", "no weight fits",
    ]  # fmt: skip
    change = all_of(*(SCENARIOS[name].change for name in names))
    folder = written(tmp_path, tables_of(change))
    for found in (checked(folder, model()), refused(folder, model())):
        assert [(f.code, f.where) for f in found if f.code != "weight-missing"] == [
            (SCENARIOS[name].code, SCENARIOS[name].where) for name in names[:-1]
        ]
        assert "weight-missing" in {fault.code for fault in found}


def test_the_same_fault_of_several_files_is_one_fault(tmp_path: Path) -> None:
    """Each row is named within its own file."""
    change = added("ledger", *(posting("XK09", n) for n in range(1, 5)))
    folder = written(tmp_path, tables_of(change), pieces=4)
    (fault,) = checked(folder, model())
    assert fault.what.startswith("4 ledger rows, worth 10.00 yuan,")
    files = "ledger/part-2.parquet, ledger/part-3.parquet"
    assert fault.where == (f"{files}, dept_id: 'XK09' (4 rows)",)
    change = added("service_lines", *(line("C", "a", STRANGER, charge=n) for n in range(1, 6)))
    folder = written(tmp_path, tables_of(change), pieces=4)
    (fault,) = checked(folder, model())
    assert fault.what.startswith("5 service lines, worth 15.00 yuan,")
    assert fault.where == tuple(
        f"service_lines/part-{file}.parquet row {row}"
        for file, row in ((1, 2), (2, 1), (2, 2), (3, 1), (3, 2))
    )


@pytest.mark.parametrize("storage", [{"dictionary": True}, {"row_group_size": 1}, {"pieces": 3}])
def test_storage_changes_no_fault(tmp_path: Path, storage: dict[str, Any]) -> None:
    """Codes and sentences are the same; only file names and rows may differ."""
    names = ["department not listed", "case not listed", "group not listed", "posting twice"]
    tables = tables_of(all_of(*(SCENARIOS[name].change for name in names)))
    plain = checked(written(tmp_path, tables), model())
    other = checked(written(tmp_path, tables, **storage), model())
    assert [(f.code, f.what) for f in plain] == [(f.code, f.what) for f in other]


def test_a_dictionary_may_hold_labels_that_no_row_uses(tmp_path: Path) -> None:
    """A table that was cut from a larger one: the scheme B is in the dictionary only."""
    change = all_of(updated("cases", 0, scheme=None), updated("cases", 1, scheme=None))
    folder = written(tmp_path, tables_of(change))
    scheme = pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()), pa.array(["A", "B"]))
    stored("drg_groups", "scheme", scheme)(folder)
    assert checked(folder, model()) == []
    assert costed(tmp_path, folder, model()).tables["drg_cost"].num_rows == 1


# Rows that do not matter ------------------------------------------------------


MATTERS_NOT = [
    "value missing", "blank ends", "value not allowed", "unit not listed",
    "department not listed", "driver row twice", "case twice", "group not listed",
    "posting twice", "case not listed", "direct cost missing", "item of a line not listed",
    "ordering department not listed", "department of a line not listed", "line twice",
    "ledger beyond a column of money",
]  # fmt: skip


def only_the_faulty(name: str) -> Tables:
    """Return the rows of the scenario's book that have a month, of the next month."""
    tables = tables_of(SCENARIOS[name].change)
    return {
        table: [row | {"period": NEXT_MONTH} for row in rows]
        for table, rows in tables.items()
        if rows and "period" in rows[0]
    }


@pytest.mark.parametrize("name", MATTERS_NOT)
def test_a_fault_of_another_month_does_not_matter(tmp_path: Path, name: str) -> None:
    tables = whole()
    for table, rows in only_the_faulty(name).items():
        tables[table] += rows
    folder = written(tmp_path, tables)
    assert checked(folder, model()) == []
    assert costed(tmp_path, folder, model()).period == MONTH
    found = checked(folder, model(), period=NEXT_MONTH)
    assert SCENARIOS[name].code in {fault.code for fault in found}


@pytest.mark.parametrize("name", [name for name in MATTERS_NOT if name != "unit not listed"])
def test_a_fault_of_a_unit_that_is_not_chosen_does_not_matter(tmp_path: Path, name: str) -> None:
    """The unit V has the faulty book; item_weights, drg_groups and prices belong to all."""
    faulty = tables_of(SCENARIOS[name].change)
    shared = ("item_weights", "drg_groups", "drg_prices", "service_items")
    faulty = {table: rows for table, rows in faulty.items() if table not in shared}
    folder = written(tmp_path, joined(whole(), of_unit(faulty, "V")))
    assert checked(folder, model(), units=["U"]) == []
    assert costed(tmp_path, folder, model(), units=["U"]).units == ("U",)
    for units in (None, ["V"], ["U", "V"]):
        found = checked(folder, model(), units=units)
        assert SCENARIOS[name].code in {fault.code for fault in found}


@pytest.mark.parametrize("column", ["period", "unit_id"])
def test_a_row_that_is_of_no_month_or_unit_always_matters(tmp_path: Path, column: str) -> None:
    """Nobody can say that it does not belong to the month and unit that are costed."""
    row = posting("C", 5) | {column: None}
    folder = written(tmp_path, tables_of(added("ledger", row)))
    (fault,) = checked(folder, model(), units=["U"])
    assert fault.code == "value-missing"
    assert fault.what == f"1 ledger row, worth 5.00 yuan, has no {column}."


def test_a_department_is_open_from_its_first_month_to_its_last(tmp_path: Path) -> None:
    """Z, and A before all others, are there for January only."""
    only = {"valid_from": MONTH, "valid_to": MONTH}
    change = all_of(
        added("departments", department("Z", **only), department("A", **only)),
        added("ledger", posting("Z", 9), posting("A", 8)),
        added("service_lines", line("Z", "a", PATIENT), line("A", "a", PATIENT)),
    )
    assert checked(written(tmp_path, tables_of(change)), model()) == []
    later = all_of(change, added("ledger", posting("A", 1, period=NEXT_MONTH)))
    (fault,) = checked(written(tmp_path, tables_of(later)), model(), period=NEXT_MONTH)
    assert fault.code == "department-not-open"
    assert fault.where == ("ledger.parquet, dept_id: 'A' (1 row)",)
    late = all_of(change, lambda tables: tables["departments"][-1].update(valid_from=None))
    assert checked(written(tmp_path, tables_of(late)), model()) == []


def test_a_group_is_listed_in_its_own_scheme(tmp_path: Path) -> None:
    """A has G and H, B has G only; nobody has Z. A case may leave its group empty."""
    groups = [{"scheme": "A", "drg_id": "H"}, {"scheme": "B", "drg_id": "G"}]
    stays = [("A", "G"), ("A", "H"), ("B", "G"), ("B", None), (None, None)]
    unlisted = [("B", "H"), ("B", "Z"), ("A", "Z"), ("C", "G")]
    cases = [stay(f"PATIENT-{i}", g, scheme=s) for i, (s, g) in enumerate(stays + unlisted)]
    change = all_of(added("drg_groups", *groups), added("cases", *cases))
    (fault,) = checked(written(tmp_path, tables_of(change)), model())
    assert fault.what == "4 cases name a DRG group that drg_groups does not list."
    assert fault.where == (
        "cases.parquet, drg_id: 'Z' (2 rows)",
        "'G' (1 row)",
        "'H' (1 row)",
    )


def test_a_month_of_another_unit_only_is_not_in_the_book(tmp_path: Path) -> None:
    """February has postings, but none of U's."""
    of_v = posting("C", 5, unit_id="V", period=NEXT_MONTH)
    folder = written(tmp_path, tables_of(added("ledger", of_v)))
    (fault,) = checked(folder, model(), units=["U"], period=NEXT_MONTH)
    assert (fault.code, fault.where) == ("period-not-in-book", ("periods there: 2026-01, 2026-02",))


def test_zero_is_not_negative_and_the_largest_ledger_fits(tmp_path: Path) -> None:
    """A weight and a statistic of 0; postings that move 9,999,999,999,999,999.99 yuan in all."""
    change = all_of(
        added("item_weights", {"item_id": "a", "dept_id": "M", "weight": Decimal(0)}),
        added("departments", department("D")),
        added("drivers", statistic("S", "D", 0)),
        added("ledger", posting("D", Decimal("9999999999999999.99") - 380)),
    )
    tables = tables_of(change)
    assert check_book(open_book(written(tmp_path, tables)), [MONTH]) == []
    tables["ledger"].append(posting("D", Decimal("-0.01")))
    (fault,) = check_book(open_book(written(tmp_path, tables)), [MONTH])
    assert fault.what.endswith("moves 10,000,000,000,000,000.00 yuan.")


def test_a_case_is_listed_by_its_opening_alone(tmp_path: Path) -> None:
    """STRANGER is in the house since last month and gets one more service."""
    change = all_of(
        added("service_lines", line("C", "a", STRANGER, charge=4)),
        added("opening_work_in_progress", opening(STRANGER, staff=1)),
    )
    assert checked(written(tmp_path, tables_of(change)), model()) == []


def test_without_a_catalogue_of_groups_any_group_is_good(tmp_path: Path) -> None:
    change = all_of(lambda tables: tables.pop("drg_groups"), updated("cases", 0, drg_id="H"))
    assert checked(written(tmp_path, tables_of(change)), model()) == []


@pytest.mark.parametrize("table", ["ledger", "service_lines"])
@pytest.mark.parametrize("period", [MONTH, NEXT_MONTH])
def test_a_file_in_another_months_folder_is_named_for_both_months(
    tmp_path: Path, table: str, period: str
) -> None:
    """January's rows in February's folder: without a word January would miss them."""
    tables = whole()
    tables["ledger"].append(posting("C", 5, period=NEXT_MONTH))
    folder = written(tmp_path, tables)
    moved_below(table, "period=2026-02")(folder)
    found = checked(folder, model(), period=period)
    assert "partition-disagrees" in {fault.code for fault in found}


# Tables that cannot be read ---------------------------------------------------


@pytest.mark.parametrize("table", list(whole()))
def test_a_table_that_cannot_be_read_is_the_only_fault(tmp_path: Path, table: str) -> None:
    """No traceback and no echo: what refers to the table is not reported as unknown."""
    folder = written(tmp_path, whole())
    (folder / f"{table}.parquet").write_bytes(b"")
    for found in (checked(folder, model()), refused(folder, model())):
        assert [fault.code for fault in found] == ["file-unreadable"]


@pytest.mark.parametrize(
    "table",
    ["units", "departments", "ledger", "drivers", "service_items", "service_lines", "cases"],
)
def test_a_table_that_is_missing_is_the_only_fault(tmp_path: Path, table: str) -> None:
    folder = written(tmp_path, whole())
    (folder / f"{table}.parquet").unlink()
    level_3 = model(level_3='basis = "charge"')
    for found in (refused(folder, model()), refused(folder, level_3)):
        assert [fault.code for fault in found] == ["table-missing"]


OF_KEYS = ("period", "unit_id", "dept_id", "item_id", "case_id", "quantity", "weight")
COLUMNS = [
    (table, column)
    for table in ("ledger", "drivers", "service_items", "item_weights", "service_lines", "cases")
    for column in whole()[table][0]
    if column in OF_KEYS
]


@pytest.mark.parametrize(
    ("table", "column"),
    [place for place in COLUMNS if place != ("service_lines", "case_id")],
)
def test_a_column_that_is_missing_or_of_another_type_never_ends_in_a_traceback(
    tmp_path: Path, table: str, column: str
) -> None:
    n = len(whole()[table])
    spoils = {"column-type": stored(table, column, pa.array([[1]] * n))}
    if load_table(table).column(column).required:
        spoils["column-missing"] = dropped(table, column)
    for code, spoil in spoils.items():
        folder = written(tmp_path, whole())
        spoil(folder)
        for found in (checked(folder, model()), refused(folder, model())):
            assert code in {fault.code for fault in found}
