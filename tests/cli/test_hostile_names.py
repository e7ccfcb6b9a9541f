"""Ids and names that would harm a spreadsheet, a page, a shell or a path change nothing here."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
from books import Row, Tables, book, line, model, model_file, stay, written
from faults.injection import medcost

from medcost.tables import load_table, table_names
from medcost.verification import verify_folder

from .test_verify import run_of

HOSTILE = (
    "=1+2",
    "@SUM(A1:A9)",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"double\" and 'single'",
    "'; DROP TABLE cases; --",
    "../../outside",
    "..\\..\\outside",
    "/absolute/path",
    "run=2026-01-000000000000",
    "x" * 300,
    "病" * 300,
    "\u202eright to left\u202c.",
    "مستشفى الأطفال",
    "NUL\x00inside",
    "tab\tand\nline",
    "\x1b[31mred",
    "🏥 emoji",
    "%2e%2e%2f",
    "{json: [1]}",
    "a,b;c|d=e",
    "NULL",
    "\ufeffmark",
    "e\u0301 and é",
)
NAMED = (("giver", 0), ("lead", 8))


def named_book(names: tuple[str, ...]) -> Tables:
    """Return a book that has a department, item, case, group and unit of each name.

    An admin department, also of a name, gives to all by a driver of its own name.
    """
    giver, lead = (f"{kind} {names[i]}" for kind, i in NAMED)
    amounts = {name: Decimal(100 + i) for i, name in enumerate(names)}
    tables = book(
        {giver: "admin", **dict.fromkeys(names, "clinical")},
        {giver: 1000, **amounts},
        {giver: {name: i + 1 for i, name in enumerate(names)}},
        {"service_items": [{"item_id": n, "basis": "shared", "element": None} for n in names]},
        [line(name, name, name, 2, charge=3) for name in names],
        cases=[stay(name, name, scheme=name) for name in names],
    )
    tables["units"] = [{"unit_id": name, "kind": "lead"} for name in ("U", *names)]
    tables["drg_groups"] = [{"scheme": n, "drg_id": n, "weight": Decimal(1)} for n in names]
    for rows, columns in (
        ("ledger", ("account", "entry_id")),
        ("cases", ("doctor_id", "disease_id")),
    ):
        for i, (row, name) in enumerate(zip(tables[rows], names * 2, strict=False)):
            row.update(dict.fromkeys(columns, f"{i} {name}"))
    for table, column in (("departments", "name"), ("service_items", "name"), ("units", "name")):
        for row, name in zip(tables[table], names * 2, strict=False):
            row[column] = name
    # Another unit's department performs for a case of this one: services between members.
    for name in names:
        tables["departments"].append({"unit_id": name, "dept_id": name, "class": "clinical"})
        tables["ledger"].append(tables["ledger"][1] | {"unit_id": name, "dept_id": name})
        one = line(name, name, name, 1, charge=1, unit_id=name, case_unit_id="U")
        tables["service_lines"].append(one)
    for rows in tables.values():
        for row in rows:
            row.update({c: lead for c in ("unit_id", "case_unit_id") if row.get(c) == "U"})
    return tables


def rows_of(run: Path, back: dict[str, str] | None = None) -> dict[str, set[tuple[object, ...]]]:
    """Rows of every table, in any order; names translated back where there is a dictionary."""

    def plain(value: object) -> object:
        return (back or {}).get(value, value) if isinstance(value, str) else value

    return {
        path.stem: {
            tuple(plain(value) for value in row.values()) for row in pq.read_table(path).to_pylist()
        }
        for path in run.glob("*.parquet")
    }


def published(tmp_path: Path, tables: Tables, name: str) -> Path:
    source = written(tmp_path, tables)
    rules = model_file(tmp_path, model())
    out = tmp_path / name
    command = ("run", source, "--period", "2026-01", "--model", rules, "--threads", 1)
    assert medcost((*command, "--out", out)) == 0
    return out


def test_hostile_names_are_kept_to_the_byte_and_lead_nowhere(tmp_path: Path) -> None:
    """The same book with harmless names has the same figures; every name comes back whole."""
    harmless = tuple(f"n{i:02}" for i in range(len(HOSTILE)))
    back = dict(zip(HOSTILE, harmless, strict=True))
    back |= {f"{kind} {HOSTILE[i]}": f"{kind} {harmless[i]}" for kind, i in NAMED}
    place = tmp_path / "place"
    place.mkdir()
    out = published(tmp_path, named_book(HOSTILE), "place/out")
    plain = published(tmp_path, named_book(harmless), "plain")
    run, other = run_of(out, f"lead {HOSTILE[8]}"), run_of(plain, f"lead {harmless[8]}")
    assert rows_of(run, back) == rows_of(other)
    case_ids = {row[2] for row in rows_of(run)["case_cost"]}
    assert set(HOSTILE) <= case_ids
    files = {path.relative_to(out).as_posix() for path in out.rglob("*")}
    others = {path.relative_to(plain).as_posix() for path in plain.rglob("*")}
    assert {file.replace(run.name, other.name) for file in files} == others
    assert [path.name for path in place.iterdir()] == ["out"]
    assert verify_folder(out).faults == ()


def test_hostile_names_stand_in_every_text_column_that_results_have(tmp_path: Path) -> None:
    """Nothing is escaped, cut or left out, for DuckDB as for pyarrow."""
    run = run_of(published(tmp_path, named_book(HOSTILE), "out"), f"lead {HOSTILE[8]}")
    for path in run.glob("*.parquet"):
        schema = load_table(f"out_{path.stem}")
        texts = [c.name for c in schema.columns if c.type == "string" and not c.values]
        table = pq.read_table(path)
        found = duckdb.read_parquet(str(path)).fetchnumpy() if table.num_rows else {}
        for name in set(texts) - {"period", "class"}:
            values = table[name].to_pylist()
            named = any(value.endswith(HOSTILE) for value in values)
            assert named or not values, f"{path.stem}.{name}"
            assert not values or list(found[name]) == values


def test_a_difference_names_hostile_keys_whole(tmp_path: Path) -> None:
    rules = model_file(tmp_path, model())
    out = tmp_path / "out"
    for more in (0, 40):
        tables = named_book(HOSTILE)
        tables["ledger"][0]["amount"] += more
        command = ("run", written(tmp_path, tables), "--period", "2026-01", "--model", rules)
        assert medcost((*command, "--out", out, "--restate", HOSTILE[4], "--quiet")) == 0
    (record,) = out.glob("restatement=*")
    rows: list[Row] = pq.read_table(record / "difference.parquet").to_pylist()
    keys = " ".join(row["key"] for row in rows)
    assert "NUL\\u0000inside" in keys
    assert "x" * 300 in keys
    assert medcost(("diff", *sorted(out.glob("run=*")))) == 0
    assert verify_folder(out).faults == ()


def test_no_table_name_comes_from_a_book() -> None:
    """Files of a run are named by medcost's own tables."""
    assert all(name.replace("_", "").isalnum() for name in table_names())
