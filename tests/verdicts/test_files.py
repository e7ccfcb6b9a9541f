"""Files: what is read, what is ignored, what is refused."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from books import (
    Tables,
    book,
    case_totals,
    checked,
    cost,
    faults,
    faults_of,
    full_costs,
    items,
    line,
    model,
    number,
    opening,
    posting,
    stay,
    unit_costs,
    ward,
    written,
)

NAMES = (
    "units", "departments", "ledger", "drivers", "service_items", "item_weights",
    "service_lines", "cases", "opening_work_in_progress", "drg_groups", "drg_prices",
)  # fmt: skip
BY_VOLUME = model(measure="workload")


def whole_book() -> Tables:
    """Return a book with a row in each of NAMES: S's 3.00 reaches C, whose 10.00 K costs."""
    departments = {"S": "support", "C": "clinical"}
    lines = [line("C", "a", "K")]
    tables = book(departments, {"S": 3, "C": 7}, {"S": {"C": 1}}, items(a=1), lines)
    tables["cases"] = [stay("K")]
    tables["opening_work_in_progress"] = [opening("K")]
    tables["drg_groups"] = [{"scheme": "S", "drg_id": "G"}]
    tables["drg_prices"] = [{"drg_id": "G", "price": number(1)}]
    return tables


def with_column(folder: Path, table: str, column: str, values: pa.Array) -> Path:
    """Write a column of a table anew, with the type of the values."""
    path = folder / f"{table}.parquet"
    found = pq.read_table(path)
    index = found.schema.names.index(column) if column in found.schema.names else None
    if index is None:
        found = found.append_column(column, values)
    else:
        found = found.set_column(index, column, values)
    pq.write_table(found, path)
    return folder


EMPTY = (
    "Empty units, departments, ledger, or an empty service_items, service_lines or cases that the "
    "run needs"
)


@pytest.mark.verdict(EMPTY)
@pytest.mark.parametrize(
    ("table", "through", "refused"),
    [
        ("units", "departments", True),
        ("departments", "departments", True),
        ("ledger", "departments", True),
        ("service_items", "service-items", True),
        ("service_lines", "service-items", True),
        ("cases", "cases", True),
        ("service_items", "departments", False),
        ("service_lines", "departments", False),
        ("cases", "departments", False),
    ],
)
def test_an_empty_table_that_the_run_needs_is_refused(
    tmp_path: Path, table: str, through: str, refused: bool
) -> None:
    """What follows from it (no period, no department) may be said too."""
    tables = whole_book() | {table: []}
    del tables["item_weights"]
    found = faults_of(tmp_path, tables, BY_VOLUME, through=through)
    assert ("table-empty" in found) == refused
    assert bool(found) == refused


@pytest.mark.verdict(EMPTY)
def test_the_lines_that_level_3_needs_must_not_be_empty(tmp_path: Path) -> None:
    """A run that stops at departments needs them too, by charge or quantity."""
    tables = whole_book() | {"service_lines": []}
    text = model(level_3='basis = "quantity"')
    assert faults_of(tmp_path, tables, text, through="departments") == ["table-empty"]


@pytest.mark.verdict(EMPTY)
def test_empty_drivers_are_refused_through_the_givers_that_need_them(tmp_path: Path) -> None:
    """S has 3.00 and no statistic; without S's cost nothing is amiss."""
    tables = whole_book() | {"drivers": []}
    assert faults_of(tmp_path, tables, model()) == ["driver-gap"]
    tables["ledger"] = [posting("C", 7)]
    assert case_totals(cost(tmp_path, tables, model())) == {"K": "7.00"}


@pytest.mark.verdict("No ledger row in a chosen period")
def test_a_period_without_a_posting_is_refused(tmp_path: Path) -> None:
    """The book is of January; the message names it."""
    found = faults(tmp_path, whole_book(), model(), period="2026-02", through="departments")
    assert [fault.code for fault in found] == ["period-not-in-book"]
    assert found[0].where == ("periods there: 2026-01",)


@pytest.mark.verdict("No ledger row in a chosen period")
def test_a_period_without_a_posting_of_the_chosen_units_is_refused(tmp_path: Path) -> None:
    """V has departments and no ledger."""
    tables = whole_book()
    tables["units"].append({"unit_id": "V", "kind": "village"})
    options = {"units": ["V"], "through": "departments"}
    assert faults_of(tmp_path, tables, model(), **options) == ["period-not-in-book"]


def cut(content: bytes) -> bytes:
    """Return the first two thirds of a file."""
    return content[: len(content) * 2 // 3]


def without_pages(content: bytes) -> bytes:
    """Return a file whose pages are overwritten and whose footer is whole."""
    footer = int.from_bytes(content[-8:-4], "little") + 8
    return content[:4] + b"\xff" * (len(content) - 4 - footer) + content[-footer:]


DAMAGE = {
    "partial": cut,
    "empty": lambda content: b"",
    "another format": lambda content: b"unit_id,kind\nU,lead\n" * 20,
    "corrupt pages": without_pages,
    "only the footer": lambda content: content[-int.from_bytes(content[-8:-4], "little") - 8 :],
}


@pytest.mark.verdict("Partial, truncated or corrupt file")
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path, damage: str) -> None:
    """Of every table, among other faults that follow from its absence."""
    tables = whole_book()
    assert set(tables) == set(NAMES)
    for name in NAMES:
        folder = written(tmp_path, tables)
        path = folder / f"{name}.parquet"
        path.write_bytes(DAMAGE[damage](path.read_bytes()))
        found = faults(tmp_path, folder, BY_VOLUME)
        unreadable = [fault for fault in found if fault.code == "file-unreadable"]
        assert {(f"'{path.name}'",)} == {fault.where for fault in unreadable}, name


@pytest.mark.verdict("Partial, truncated or corrupt file")
def test_one_partial_file_of_a_folder_is_refused_by_name(tmp_path: Path) -> None:
    """Of three files of lines the second is cut."""
    tables = whole_book()
    tables["service_lines"] *= 3
    folder = written(tmp_path, tables, pieces=3)
    path = folder / "service_lines" / "part-1.parquet"
    path.write_bytes(cut(path.read_bytes()))
    found = faults(tmp_path, folder, model())
    expected = [("file-unreadable", ("'service_lines/part-1.parquet'",))]
    assert expected == [(fault.code, fault.where) for fault in found]


@pytest.mark.verdict("Partial, truncated or corrupt file")
@pytest.mark.parametrize("name", NAMES)
def test_a_check_names_a_file_that_cannot_be_read_too(tmp_path: Path, name: str) -> None:
    """As the run does, for every table."""
    folder = written(tmp_path, whole_book())
    path = folder / f"{name}.parquet"
    path.write_bytes(cut(path.read_bytes()))
    assert "file-unreadable" in checked(tmp_path, folder, BY_VOLUME)


def test_a_book_without_cases_can_be_checked(tmp_path: Path) -> None:
    """Cases are needed to cost cases; a run that stops before them takes the lines' ones."""
    tables = whole_book()
    del tables["cases"], tables["opening_work_in_progress"]
    assert not faults_of(tmp_path, tables, BY_VOLUME, through="service-items")
    assert checked(tmp_path, tables, BY_VOLUME, through="service-items") == []


@pytest.mark.parametrize("name", ["ledger", "drivers", "cases", "service_lines"])
@pytest.mark.parametrize("month", ["2026-01", "2026-02"])
def test_a_column_that_disagrees_with_its_folder_is_refused(
    tmp_path: Path, name: str, month: str
) -> None:
    """A file of January's and February's rows in the folder of either month."""
    tables = whole_book()
    tables[name] += [row | {"period": "2026-02"} for row in tables[name]]
    folder = written(tmp_path, tables)
    inside = folder / name / f"period={month}"
    inside.mkdir(parents=True)
    (folder / f"{name}.parquet").rename(inside / "part.parquet")
    assert "partition-disagrees" in faults_of(tmp_path, folder, model())


@pytest.mark.verdict("Both `x.parquet` and a folder `x/`; a folder named `x.parquet`")
@pytest.mark.parametrize("name", NAMES)
def test_a_table_that_stands_twice_is_refused(tmp_path: Path, name: str) -> None:
    """x.parquet beside x/, even where the folder is empty; then a folder named x.parquet."""
    folder = written(tmp_path, whole_book())
    (folder / name).mkdir()
    assert "table-ambiguous" in faults_of(tmp_path, folder, BY_VOLUME)
    (folder / name).rmdir()
    (folder / f"{name}.parquet").rename(tmp_path / f"{name}.parquet")
    (folder / f"{name}.parquet").mkdir()
    assert "file-unreadable" in faults_of(tmp_path, folder, BY_VOLUME)


@pytest.mark.verdict("Extra columns; hidden files and files that begin with `_` or `.`")
def test_extra_columns_and_hidden_files_are_ignored(tmp_path: Path) -> None:
    """A column of nested values, one named like another table's, and files that are no Parquet."""
    expected = cost(tmp_path, whole_book(), model())
    folder = written(tmp_path, whole_book(), pieces=2)
    for name in NAMES:
        for piece in ("part-0", "part-1"):
            path = folder / name / f"{piece}.parquet"
            n = pq.read_metadata(path).num_rows
            extra = pa.array([{"note": ["x"]}] * n)
            with_column(folder / name, piece, "remark", extra)
            with_column(folder / name, piece, "gender", pa.array(["x"] * n))
        for hidden in ("_SUCCESS", "_metadata", ".part-0.parquet.crc", "._part-0.parquet"):
            (folder / name / hidden).write_bytes(b"no Parquet")
        for hidden in ("_temporary", ".cache"):
            (folder / name / hidden).mkdir()
            (folder / name / hidden / "part-9.parquet").write_bytes(b"no Parquet")
        (folder / name / "_copy.parquet").write_bytes(b"no Parquet")
        (folder / f"_{name}.parquet").write_bytes(b"no Parquet")
        (folder / f".{name}.parquet").write_bytes(b"no Parquet")
    assert expected == cost(tmp_path, folder, model())


@pytest.mark.verdict("Empty text in a nullable column")
def test_empty_text_in_a_nullable_column_is_empty(tmp_path: Path) -> None:
    """Fund, program, case unit, ordering department, group, weight and price keys."""
    blanks: dict[str, tuple[str, ...]] = {
        "departments": ("name", "service_group", "valid_from", "valid_to"),
        "ledger": ("fund", "program", "behaviour", "entry_id"),
        "service_items": ("element",),
        "item_weights": ("unit_id", "dept_id", "element", "period"),
        "service_lines": ("case_id", "case_unit_id", "ordering_dept_id", "line_id"),
        "cases": ("drg_id", "scheme", "dept_id", "payer"),
        "drg_prices": ("scheme", "unit_id", "payer", "valid_from", "valid_to"),
    }
    found = []
    for blank in ("", None):
        tables = whole_book()
        for name, columns in blanks.items():
            tables[name] += [dict(row) for row in tables[name][:1] if name == "service_lines"]
            for column in columns:
                tables[name][-1][column] = blank
        found.append(cost(tmp_path, tables, model()))
    assert found[0] == found[1]


@pytest.mark.verdict("Empty text in a nullable column")
def test_empty_text_in_another_column_is_a_missing_value(tmp_path: Path) -> None:
    """The ledger's element is not nullable."""
    tables = whole_book()
    tables["ledger"][0]["element"] = ""
    assert faults_of(tmp_path, tables, model()) == ["value-missing"]


DOUBLES = [
    (0.1 + 0.2, "0.30", []),
    (-0.1 - 0.2, "-0.30", []),
    (0.0100009, "0.01", []),
    (0.0099991, "0.01", []),
    (0.0100011, None, ["value-too-fine"]),
    (0.0099989, None, ["value-too-fine"]),
    (0.005, None, ["value-too-fine"]),
    (9e9, "9000000000.00", []),
    (-8999999999.99, "-8999999999.99", []),
    (9000000000.01, None, ["value-out-of-range"]),
    (-1e300, None, ["value-out-of-range"]),
    (float("nan"), None, ["value-not-finite"]),
    (float("inf"), None, ["value-not-finite"]),
    (float("-inf"), None, ["value-not-finite"]),
]


@pytest.mark.verdict("Doubles")
@pytest.mark.parametrize(("value", "expected", "refused"), DOUBLES)
def test_a_double_of_money_is_the_nearest_fen(
    tmp_path: Path, value: float, expected: str | None, refused: list[str]
) -> None:
    """A fen is 0.01; a ten-thousandth of it 0.000001."""
    folder = written(tmp_path, book({"C": "clinical"}, {"C": 1}))
    with_column(folder, "ledger", "amount", pa.array([value]))
    assert refused == faults_of(tmp_path, folder, model(), through="departments")
    if expected is not None:
        results = cost(tmp_path, folder, model(), through="departments")
        assert {"C": expected} == full_costs(results)


@pytest.mark.verdict("Doubles")
@pytest.mark.parametrize(
    ("table", "column", "value", "refused"),
    [
        ("service_lines", "quantity", 0.0001, []),
        ("service_lines", "quantity", 0.000100009, []),
        ("service_lines", "quantity", 0.000100011, ["value-too-fine"]),
        ("service_lines", "quantity", 8999999999.0001, []),
        ("service_lines", "quantity", 9000000000.1, ["value-out-of-range"]),
        ("drivers", "quantity", 0.000100009, []),
        ("drivers", "quantity", 0.000100011, ["value-too-fine"]),
        ("drivers", "quantity", float("nan"), ["value-not-finite"]),
        ("item_weights", "weight", 0.00000100009, []),
        ("item_weights", "weight", 0.00000100011, ["value-too-fine"]),
        ("item_weights", "weight", 9e7, []),
        ("item_weights", "weight", 90000000.1, ["value-out-of-range"]),
        ("item_weights", "weight", float("inf"), ["value-not-finite"]),
    ],
)
def test_a_double_of_a_quantity_or_weight_is_the_nearest_step(
    tmp_path: Path, table: str, column: str, value: float, refused: list[str]
) -> None:
    """Quantities to 0.0001 ± 0.00000001 (or half a last place), weights to 0.000001 ± 10⁻¹⁰."""
    folder = with_column(written(tmp_path, whole_book()), table, column, pa.array([value]))
    found = faults_of(tmp_path, folder, model())
    assert set(refused) <= set(found)
    assert bool(refused) == bool(found)


@pytest.mark.verdict("Doubles")
def test_a_double_of_a_quantity_counts_as_the_nearest_step(tmp_path: Path) -> None:
    """0.3333 + 2 · 0.3333: 9.00 by 1 : 2; the unit cost is 9 ÷ 0.9999."""
    tables = ward(line("C", "a", "K"), line("C", "a", "L"), pool=9)
    folder = written(tmp_path, tables)
    with_column(folder, "service_lines", "quantity", pa.array([0.1 + 0.2333, 0.6666]))
    results = cost(tmp_path, folder, model())
    assert case_totals(results) == {"K": "3.00", "L": "6.00"}
    assert unit_costs(results) == {"a": "9.000900"}


def test_every_text_is_of_a_type_that_holds_text(tmp_path: Path) -> None:
    """Large text, views and dictionaries are read; numbers in a text column are refused."""
    types: list[Any] = [pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
    for kind in types:
        folder = written(tmp_path, whole_book())
        ids = pa.array(["S", "C"], pa.string()).cast(kind)
        with_column(folder, "ledger", "dept_id", ids)
        assert not faults_of(tmp_path, folder, model())
    folder = with_column(written(tmp_path, whole_book()), "ledger", "dept_id", pa.array([1, 2]))
    assert "column-type" in faults_of(tmp_path, folder, model())


NOT_NUMBERS = [pa.array(["1"]), pa.array([b"1"]), pa.array([[1]]), pa.array([True])]


@pytest.mark.parametrize("table", ["ledger", "drivers", "service_lines"])
def test_a_column_of_numbers_that_holds_none_is_refused(tmp_path: Path, table: str) -> None:
    """Text, bytes, lists and truth values in the column of money or quantities."""
    column = "amount" if table == "ledger" else "quantity"
    tables = whole_book()
    tables[table] = tables[table][:1]
    for values in NOT_NUMBERS:
        folder = with_column(written(tmp_path, tables), table, column, values)
        assert "column-type" in faults_of(tmp_path, folder, model())


def latin_1(text: str, n: int) -> pa.Array:
    """Return a column of text in another encoding than UTF-8, as a faulty export writes it."""
    raw = text.encode("latin-1")
    offsets = b"".join((len(raw) * i).to_bytes(4, "little") for i in range(n + 1))
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(raw * n))


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("ledger", "dept_id"),
        ("ledger", "period"),
        ("cases", "case_id"),
        ("service_lines", "dept_id"),
        ("service_lines", "case_id"),
        ("service_lines", "period"),
    ],
)
def test_text_that_is_not_utf_8_is_refused(tmp_path: Path, table: str, column: str) -> None:
    """An é of one byte."""
    tables = whole_book()
    values = latin_1("é", len(tables[table]))
    folder = with_column(written(tmp_path, tables), table, column, values)
    assert "text-not-utf8" in faults_of(tmp_path, folder, model())
