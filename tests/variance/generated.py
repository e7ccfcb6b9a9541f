"""Generated worlds: published months, a budget with gaps, and the same as files and tables."""

from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
from budgets import budget_file
from oracle.parquet_tables import write_tables

from medcost.book import open_tables
from medcost.variance.control import load_control
from medcost.variance.months import MonthTables
from medcost.variance.stage import MonthVariance, month_variance
from medcost.variance_run import TABLES, read_budget

from .twin import Month, World

NOW = "2026-03"
MONTHS = ("2026-03", "2026-02", "2026-01", "2025-03")
UNITS = {"U1": "lead", "U2": "township", "U3": "township", "U4": "township"}
DEPTS, GROUPS = ("A", "B", "C", "N"), ("G1", "G2", "G3")
ELEMENTS = ("drugs", "other", "staff")
ALL_ELEMENTS = (
    "staff", "materials", "drugs", "depreciation", "amortisation", "risk_fund", "other",
)  # fmt: skip
MONEY, WIDE, FINE = pa.decimal128(18, 2), pa.decimal128(18, 4), pa.decimal128(18, 6)


def generate(seed: int) -> World:
    """Return a world: some months, units, departments and budgets are missing, some negative."""
    rng = random.Random(seed)  # noqa: S311 - a world is drawn, no secret
    months = {NOW: _month(rng, set(UNITS), NOW)}
    for name in MONTHS[1:]:
        if rng.random() < 0.8:
            units = {unit for unit in UNITS if rng.random() < 0.85}
            if units:
                months[name] = _month(rng, units, name)
    budget = [row for name in ("2026-01", "2026-02", NOW) for row in _budget(rng, name)]
    measures = {
        measure: {
            (unit, dept): Fraction(rng.randint(0, 5000), 10)
            for unit in UNITS
            for dept in DEPTS
            if rng.random() < 0.6
        }
        for measure in ("bed_days", "visits")
    }
    hours = {(unit, dept): Fraction(rng.randint(1, 900)) for unit in UNITS for dept in DEPTS[:3]}
    return World(
        NOW,
        months,
        budget,
        UNITS,
        {("U1", "N"): "A", ("U2", "N"): "B"},
        measures,
        {"staff": hours},
        {"drugs": Fraction(1), "staff": Fraction(3, 8), "other": Fraction(0),
         "": Fraction(1, 2)},
        rng.choice(["standard", "prior"]),
    )  # fmt: skip


def _month(rng: random.Random, units: set[str], name: str) -> Month:
    """N exists only in the month itself; C is gone then."""
    drg_units = {unit for unit in sorted(units) if rng.random() < 0.9}
    month = Month(units, drg_units)
    depts = ("A", "B", "N") if name == NOW else ("A", "B", "C")
    for unit in sorted(units):
        for dept in depts:
            if name == NOW and (unit, dept) in {("U1", "A"), ("U2", "B")}:
                continue
            for element in ELEMENTS:
                if rng.random() < 0.8:
                    month.departments.append((unit, dept, element, _fen(rng)))
    for unit in sorted(drg_units):
        for drg in GROUPS:
            if rng.random() < 0.7:
                cost = {element: _fen(rng) for element in ELEMENTS}
                days = None if rng.random() < 0.1 else Fraction(rng.randint(1, 9000), 100)
                month.groups.append((unit, drg, cost, rng.randint(1, 30), days))
    return month


def _fen(rng: random.Random) -> int:
    return rng.choice([1, 1, 1, -1]) * rng.randint(1, 10 ** rng.randint(1, 9))


def _budget(rng: random.Random, period: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    if rng.random() < 0.1 and period != NOW:
        return rows

    def row(unit: str, dept: str = "", element: str = "", drg: str = "", tag: str = "") -> None:
        amount = 0 if rng.random() < 0.1 else _fen(rng)
        volume = price = quantity = None
        if not tag and amount >= 0 and rng.random() < 0.7:
            volume = Fraction(rng.choice([0, rng.randint(1, 40)]) if amount == 0
                              else rng.randint(1, 40))  # fmt: skip
            quantity = rng.choice([None, Fraction(rng.randint(0, 9000), 1000)])
            price = rng.choice([None, Fraction(rng.randint(0, 10**8), 10**6)])
        rows.append(
            {
                "period": period, "unit_id": unit, "dept_id": dept, "element": element,
                "drg_id": drg, "tag": tag, "amount": amount, "volume": volume,
                "standard_price": price, "standard_quantity": quantity,
            }
        )  # fmt: skip

    for unit in UNITS:
        if rng.random() < 0.15:
            continue
        for key, chance in _keys_with_chances(unit):
            if rng.random() < chance:
                row(**key)
    if period == NOW and not rows:
        row("U1")
    return rows


def _keys_with_chances(unit: str) -> list[tuple[dict[str, str], float]]:
    """Return every key that a budget of the unit may have, and how often it does."""
    found: list[tuple[dict[str, str], float]] = [({"unit": unit}, 0.3)]
    found += [({"unit": unit, "element": element}, 0.3) for element in ELEMENTS]
    for dept in DEPTS:
        found.append(({"unit": unit, "dept": dept}, 0.2))
        for element in ELEMENTS:
            line = {"unit": unit, "dept": dept, "element": element}
            found += [(line, 0.6), (line | {"tag": "key_discipline"}, 0.1)]
    for drg in GROUPS:
        found.append(({"unit": unit, "drg": drg}, 0.6))
        found += [({"unit": unit, "element": element, "drg": drg}, 0.2) for element in ELEMENTS]
    return found


def yuan(fen: int) -> Decimal:
    """Return fen as yuan."""
    return Decimal(fen) / 100


def exact(value: Fraction | None) -> Decimal | None:
    """Return a terminating fraction as a decimal."""
    return None if value is None else Decimal(value.numerator) / Decimal(value.denominator)


def month_tables(name: str, month: Month) -> MonthTables:
    """Return the month as the result tables of one run for units with groups and one without."""
    runs = []
    for units, with_groups in (
        (month.drg_units, True),
        (month.units - month.drg_units, False),
    ):
        if units:
            runs.append((frozenset(units), _run_tables(month, units, with_groups)))
    return MonthTables(name, tuple(runs))


def _run_tables(month: Month, units: set[str], with_groups: bool) -> dict[str, pa.Table]:
    rows = [row for row in month.departments if row[0] in units]
    money = [yuan(row[3]) for row in rows]
    tables = {
        "department_cost": pa.table(
            {
                "unit_id": pa.array([row[0] for row in rows], pa.string()),
                "dept_id": pa.array([row[1] for row in rows], pa.string()),
                "class": pa.array(["clinical"] * len(rows), pa.string()),
                "element": pa.array([row[2] for row in rows], pa.string()),
                "direct": pa.array(money, MONEY),
                "full_cost": pa.array(money, MONEY),
            }
        )
    }
    if with_groups:
        groups = [group for group in month.groups if group[0] in units]
        tables["drg_cost"] = pa.table(
            {
                "unit_id": pa.array([group[0] for group in groups], pa.string()),
                "scheme": pa.array([""] * len(groups), pa.string()),
                "drg_id": pa.array([group[1] for group in groups], pa.string()),
                "cases": pa.array([group[3] for group in groups], pa.int64()),
                "bed_days": pa.array([exact(group[4]) for group in groups], MONEY),
                **{
                    name: pa.array([yuan(group[2].get(name, 0)) for group in groups], MONEY)
                    for name in ALL_ELEMENTS
                },
            }
        )
    return tables


def computed(tmp_path: Path, world: World) -> MonthVariance:
    """Return the engine's variance of the world."""
    folder = tmp_path / "book"
    write_tables(_book(world), folder)
    book = open_tables(folder, TABLES)
    rows = [
        {name: value or None for name, value in row.items() if isinstance(value, str)}
        | {"amount": yuan(row["amount"])}
        | {n: exact(row[n]) for n in ("volume", "standard_price", "standard_quantity")}
        for row in world.budget
    ]
    control = tmp_path / "control.toml"
    shares = {name: float(share) for name, share in world.shares.items()}
    control.write_text(
        '[control]\nid = "g"\ntitle = "g"\nauthority = "g"\neffective_from = 2026-01-01\n'
        f"[behaviour]\ndrugs = {shares['drugs']}\nstaff = {shares['staff']}\n"
        f"every_element = {shares['']}\n"
        '[volume]\nmeasures = ["bed_days", "visits"]\n'
        '[[input]]\nelement = "staff"\ndriver = "hours"\n'
        f'[drg]\nbase = "{world.base}"\n'
    )
    budget = read_budget(budget_file(tmp_path, rows)).rows
    months = {name: month_tables(name, month) for name, month in world.months.items()}
    books = [(frozenset(UNITS), book)]
    return month_variance(books, budget, load_control(str(control)), months, NOW, sorted(UNITS))


def _book(world: World) -> dict[str, list[dict[str, Any]]]:
    return {
        "units": [{"unit_id": unit, "kind": kind} for unit, kind in UNITS.items()],
        "departments": [
            {"unit_id": unit, "dept_id": dept, "class": "clinical",
             "continues_dept_id": world.continues.get((unit, dept))}
            for unit in UNITS
            for dept in DEPTS
        ],
        "drivers": [
            {"period": NOW, "unit_id": unit, "driver": "hours", "dept_id": dept,
             "quantity": exact(quantity)}
            for (unit, dept), quantity in world.inputs["staff"].items()
        ],
        "statistics": [
            {"period": NOW, "unit_id": unit, "dept_id": dept, "measure": measure,
             "quantity": exact(quantity)}
            for measure, quantities in world.volumes.items()
            for (unit, dept), quantity in quantities.items()
        ],
    }  # fmt: skip
