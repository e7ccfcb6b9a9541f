"""The tables of the contract: each CSV is the schema, the validator and the docs page."""

from __future__ import annotations

import csv
import json
from functools import cache, cached_property
from pathlib import Path

from medcost.records import dataclass

FOLDER = Path(__file__).parent
ELEMENTS = ("staff", "materials", "drugs", "depreciation", "amortisation", "risk_fund", "other")
CLASSES = ("admin", "support", "medtech", "clinical", "non_medical")
MEDTECH, CLINICAL = CLASSES.index("medtech"), CLASSES.index("clinical")
# The kinds of results of the consortium: the tables that each reads, beside units, and publishes.
CONSORTIUM_INPUTS: dict[str, tuple[str, ...]] = {
    "share": (
        "shared_services",
        "shared_service_members",
        "capacity_steps",
        "coalition_costs",
        "joint_examinations",
        "shared_processes",
        "process_outputs",
        "member_requirements",
    ),
    "lend": ("cash_plan", "loan_limits"),
    "fund": (
        "budget_requests",
        "fund_totals",
        "insurance_package",
        "insurance_claims",
        "assessments",
    ),
    "equip": ("equipment", "exam_demand", "distances"),
    "consolidate": ("statements", "intercompany", "internal_stock", "ownership"),
}
CONSORTIUM_RESULTS: dict[str, tuple[str, ...]] = {
    "share": ("share", "share_coalition", "share_posting", "share_rule", "share_service"),
    "lend": (
        "pool_plan",
        "pool_month",
        "pool_interest",
        "pool_goal",
        "pool_rule",
        "pool_priority",
        "pool_gain",
        "pool_change",
    ),
    "fund": (
        "fund_allocation",
        "fund_goal",
        "fund_rule",
        "insurance_claim",
        "insurance_package",
        "surplus_share",
    ),
    "equip": (
        "equipment_coalition",
        "equipment_goal",
        "equipment_share",
        "equipment_site",
        "exam_access",
        "examination",
    ),
    "consolidate": (
        "consolidated_statement",
        "member_statement",
        "elimination",
        "unmatched",
        "unrealised_profit",
        "consortium_interest",
    ),
}


@dataclass(frozen=True)
class Column:
    """One column: its type as the CSV writes it, its place in the key, and what it may hold."""

    name: str
    type: str
    key: int | None
    required: bool
    nullable: bool
    values: tuple[str, ...]
    unit: str
    description: str

    @cached_property
    def scale(self) -> int | None:
        """Decimal places of a decimal column, None for every other type."""
        return int(self.type[:-1].split(",")[1]) if self.type.startswith("decimal(") else None

    @cached_property
    def precision(self) -> int:
        """Digits of a decimal column, 0 for every other type."""
        return int(self.type[8:].split(",")[0]) if self.type.startswith("decimal(") else 0

    @property
    def is_amount(self) -> bool:
        """Whether the column is whole fen: money with two decimals."""
        return self.scale == 2 and self.unit == "yuan"


@dataclass(frozen=True)
class Table:
    """One table: its name and columns in order."""

    name: str
    columns: tuple[Column, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the key columns in key order; empty where rows are entries."""
        keyed = sorted((c.key, c.name) for c in self.columns if c.key is not None)
        return tuple(name for _, name in keyed)

    def column(self, name: str) -> Column:
        """The column of that name; KeyError where the table has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


def _parse_column(row: dict[str, str]) -> Column:
    return Column(
        name=row["column"],
        type=row["type"],
        key=int(row["key"]) if row["key"] else None,
        required=row["required"] == "yes",
        nullable=row["null"] == "yes",
        values=tuple(row["values"].split("|")) if row["values"] else (),
        unit=row["unit"],
        description=row["description"],
    )


@cache
def load_table(name: str) -> Table:
    """The table of that name; results carry the prefix out_."""
    text = (FOLDER / f"{name}.csv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines())
    return Table(name, tuple(_parse_column(row) for row in rows))


@cache
def file_metadata(name: str) -> dict[str, str]:
    """What a result file says of itself in its key-value metadata: its table and its columns.

    medcost.columns is a JSON object: of each column its unit, where it has one, and what it holds.
    """
    columns = {
        column.name: {"unit": column.unit, "description": column.description}
        for column in load_table(name).columns
    }
    described = json.dumps(columns, ensure_ascii=False)
    return {"medcost.table": name.removeprefix("out_"), "medcost.columns": described}


@cache
def table_names() -> tuple[str, ...]:
    """Every table's name, sorted: the inputs and, prefixed out_, the results."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.csv")))
