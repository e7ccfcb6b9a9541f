"""Write the pages of docs/reference that follow from the code and its CSV files.

    python docs/build_reference.py            write the pages
    python docs/build_reference.py --check    write nothing; exit 1 and name the pages that differ

The pages are those of the tables, of the fault codes and of the keys of the allocation model, of
the budget control and of the consortium's policies. What a schema cannot say stands in CSV files
beside them: table_titles.csv, model_keys.csv, control_keys.csv and one for each policy.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from medcost.allocation_model import AllocationModel, shipped_models
from medcost.book import REQUIRED_TABLES, SMALL_TABLES
from medcost.commands.endings import REJECTED, UNBALANCED, UNPUBLISHED
from medcost.consortium.consolidation.policy import ConsolidationPolicy
from medcost.consortium.equipment.policy import SharedEquipment
from medcost.consortium.funding.policy import FundPolicy
from medcost.consortium.lending.policy import PoolLending
from medcost.consortium.policy import PolicySection, shipped_policies
from medcost.consortium.sharing.policy import CostSharing
from medcost.errors import FaultCode, fault_codes
from medcost.sections import schema_of
from medcost.stopping import INTERRUPTED, TERMINATED
from medcost.tables import (
    CONSORTIUM_INPUTS,
    CONSORTIUM_RESULTS,
    Column,
    load_table,
    table_names,
)
from medcost.toml_lines import key_lines
from medcost.variance.control import BudgetControl, shipped_control

DOCS = Path(__file__).resolve().parent
REFERENCE = DOCS / "reference"
TABLE_PAGES = REFERENCE / "tables"
EXAMPLE = "three_level_step_down_2021"
SHARED_INPUTS = tuple(dict.fromkeys(name for of in CONSORTIUM_INPUTS.values() for name in of))
INPUTS = (*SMALL_TABLES, "service_lines", *SHARED_INPUTS)
# In the order money moves, as the run publishes them.
RESULTS = (
    "out_department_cost",
    "out_department_flow",
    "out_service_item_cost",
    "out_case_cost",
    "out_drg_cost",
    "out_drg_matrix",
    "out_work_in_progress",
    "out_intercompany",
    "out_reconciliation",
)
# What a run adds where the book has a budget, and variance writes.
VARIANCES = (
    "out_budget_variance",
    "out_variance_decomposition",
    "out_drg_variance",
    "out_break_even",
    "out_budget_requests",
    "out_budget_reward",
)
# What the commands of the consortium publish, kind by kind.
SHARED = {f"out_{name}": kind for kind, names in CONSORTIUM_RESULTS.items() for name in names}
# What explain writes, on demand and to a folder of its own.
EXPLANATIONS = ("out_explanation", "out_explanation_services")
WHAT_IFS = ("out_comparison",)
# What a restatement and diff write.
DIFFERENCES = ("out_difference",)
STAGE_NAMES = {
    "departments": "every run",
    "service-items": "runs that cost service items or use level 3 by charge or quantity",
    "cases": "runs that cost cases and DRG groups",
}


class PolicyPage(NamedTuple):
    """A policy of the consortium: its file's stem, command, title, keys and where they are defined.

    Its meanings stand in <stem>_keys.csv, its page is <stem>.md; explained: the page on what it
    does.
    """

    stem: str
    command: str
    title: str
    root: type[PolicySection]
    source: str
    explained: str


POLICIES = (
    PolicyPage(
        "cost_sharing",
        "share",
        "Cost sharing",
        CostSharing,
        "src/medcost/consortium/sharing/policy.py",
        "consortium_sharing",
    ),
    PolicyPage(
        "shared_equipment",
        "equip",
        "Policy of shared equipment",
        SharedEquipment,
        "src/medcost/consortium/equipment/policy.py",
        "consortium_equipment",
    ),
    PolicyPage(
        "consolidation",
        "consolidate",
        "Policy of consolidation",
        ConsolidationPolicy,
        "src/medcost/consortium/consolidation/policy.py",
        "consortium_consolidation",
    ),
    PolicyPage(
        "pool_lending",
        "lend",
        "Policy of the capital pool",
        PoolLending,
        "src/medcost/consortium/lending/policy.py",
        "consortium_lending",
    ),
    PolicyPage(
        "fund_allocation",
        "fund",
        "Policy of funds",
        FundPolicy,
        "src/medcost/consortium/funding/policy.py",
        "consortium_funds",
    ),
)


class CannotBuild(Exception):
    """A CSV file and the code disagree about what there is to document."""


@dataclass(frozen=True)
class TableTitle:
    """One row of table_titles.csv: a table's names and its introduction."""

    table: str
    title_en: str
    title_zh: str
    text: str


@dataclass(frozen=True)
class ModelKey:
    """One key of the allocation model, from its schema: what may stand there and its default."""

    path: str
    type: str
    values: tuple[str, ...]
    default: str


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a UTF-8 CSV file by column name."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def require_same(what: str, documented: Sequence[str], existing: Sequence[str]) -> None:
    """Raise CannotBuild where the rows of a CSV file are not exactly what exists."""
    missing = sorted(set(existing) - set(documented))
    unknown = sorted(set(documented) - set(existing))
    twice = sorted({name for name in documented if documented.count(name) > 1})
    problems = [
        ("no row for", missing),
        ("a row for the unknown", unknown),
        ("two rows for", twice),
    ]
    found = [f"{words} {', '.join(names)}" for words, names in problems if names]
    if found:
        raise CannotBuild(f"{what} has {'; '.join(found)}")


def header(*sources: str) -> str:
    """The comment that a generated page begins with."""
    return (
        "<!-- Generated by docs/build_reference.py: do not edit, run `make docs`.\n"
        f"     Made from {', '.join(sources)}. -->\n"
    )


def cell(text: str) -> str:
    """Text for a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")


def grid(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cell(text) for text in line) + " |" for line in lines)


def code(text: str) -> str:
    """Text as code, nothing where it is empty."""
    return f"`{text}`" if text else ""


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    kept = "".join(c for c in heading.lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")


def wrapped(text: str) -> str:
    """A paragraph in lines of at most 100 columns."""
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)


# Tables


def load_titles() -> dict[str, TableTitle]:
    """Every table's title; raises CannotBuild unless the rows are exactly the tables."""
    rows = [TableTitle(**row) for row in read_rows(REFERENCE / "table_titles.csv")]
    names = [row.table for row in rows]
    require_same("table_titles.csv", names, table_names())
    require_same(
        "the order of the tables",
        [*INPUTS, *RESULTS, *VARIANCES, *SHARED, *EXPLANATIONS, *WHAT_IFS, *DIFFERENCES],
        table_names(),
    )
    return {row.table: row for row in rows}


def published_name(table: str) -> str:
    """A result table's name in a run folder; an input's own name."""
    return table.removeprefix("out_")


def is_result(table: str) -> bool:
    """Whether medcost writes the table."""
    return table.startswith("out_")


def needed_by(table: str) -> str:
    """What runs cannot do without an input table."""
    for stage, tables in REQUIRED_TABLES.items():
        if table in tables:
            return STAGE_NAMES[stage]
    kinds = [kind for kind, tables in CONSORTIUM_INPUTS.items() if table in tables]
    if kinds:
        return " and ".join(f"`medcost {kind}`" for kind in kinds)
    return "no run; optional"


def column_row(column: Column) -> list[str]:
    """One line of a table page."""
    return [
        code(column.name),
        column.type,
        "" if column.key is None else str(column.key),
        "yes" if column.required else "no",
        "yes" if column.nullable else "no",
        ", ".join(code(value) for value in column.values),
        column.unit,
        column.description,
    ]


COLUMN_HEADINGS = (
    "column",
    "type",
    "key",
    "required",
    "may be empty",
    "values",
    "unit",
    "description",
)


def table_page(title: TableTitle) -> str:
    """The page of one table."""
    table = load_table(title.table)
    name = published_name(title.table)
    if title.table in EXPLANATIONS:
        place = f"A table of an explanation: `{name}.parquet` in the folder of `explain --out`."
    elif title.table in WHAT_IFS:
        place = f"A table of a what-if: `{name}.parquet` in the run folder of `recost`."
    elif title.table in VARIANCES:
        place = (
            f"A result table: `{name}.parquet` in the run folder of a book with a table budget, "
            "and of `variance --out`."
        )
    elif title.table in SHARED:
        place = (
            f"A result table of the consortium: `{name}.parquet` in the run folder of "
            f"`medcost {SHARED[title.table]}`."
        )
    elif table.name in SHARED_INPUTS:
        place = (
            f"An input table: `{name}.parquet` or a folder `{name}/` in the book. "
            f"Read by {needed_by(title.table)}."
        )
    elif is_result(title.table):
        place = f"A result table: `{name}.parquet` in the run folder."
    else:
        place = (
            f"An input table: `{name}.parquet` or a folder `{name}/` in the book. "
            f"Needed by {needed_by(title.table)}."
        )
    key = ", ".join(code(column) for column in table.key) or "none: rows are entries and may repeat"
    parts = [
        header(f"src/medcost/tables/{title.table}.csv", "docs/reference/table_titles.csv"),
        f"# {name}\n",
        f"{title.title_en} · {title.title_zh}\n",
        f"{wrapped(title.text)}\n",
        f"{wrapped(place)}\n",
        f"Key: {key}.\n",
        grid(COLUMN_HEADINGS, [column_row(column) for column in table.columns]) + "\n",
        "[All tables](README.md) · [Glossary](../glossary.md)\n",
    ]
    return "\n".join(parts)


READING = """
`key` numbers the columns of the key, by which rows are told apart and results are sorted (UTF-8
bytes). `required` says whether the column must be there, `may be empty` whether a row may leave it
out, `values` which words are allowed.

## How the files are read

- A book is a folder. Each input table is one Parquet file, `ledger.parquet`, or a folder of Parquet
  files, `ledger/`, with Hive partitions such as `period=2026-01/` if you like. Names that begin
  with `.` or `_` are skipped; another file in a table's folder is a fault, and so is a column that
  disagrees with its partition folder.
- Text may be plain or dictionary-encoded. Ids are compared byte for byte; blanks at the ends are a
  fault. Empty text counts as empty.
- Whole numbers are whole units: yuan, services, days. They are never fen.
- Decimals of any scale are accepted if the value fits the column. Doubles are taken to the nearest
  step of the column and refused if they lie away from it, or beyond 9,000,000,000 (weights:
  90,000,000).
- Columns that are not listed are ignored.

## How results are written

- One file a table and run, sorted by key, zstd-compressed; amounts are `decimal(18,2)` yuan.
- A row whose amounts are all zero is left out.
- `unit_cost` and `mean` are rounded halves away from zero, and are empty where the divisor is zero
  or the value does not fit. They are for reading: nothing is computed from them.
- A key column that does not apply holds empty text.
"""


def tables_index(titles: dict[str, TableTitle]) -> str:
    """The page that lists the tables."""

    def link(table: str) -> str:
        return f"[{published_name(table)}]({table}.md)"

    inputs = [
        [link(t), titles[t].title_en, titles[t].title_zh, needed_by(t)]
        for t in INPUTS
        if t not in SHARED_INPUTS
    ]
    shared = [
        [link(t), titles[t].title_en, titles[t].title_zh, needed_by(t)] for t in SHARED_INPUTS
    ]
    answers = [
        [link(t), titles[t].title_en, titles[t].title_zh, code(k)] for t, k in SHARED.items()
    ]
    results = [[link(t), titles[t].title_en, titles[t].title_zh] for t in RESULTS]
    variances = [[link(t), titles[t].title_en, titles[t].title_zh] for t in VARIANCES]
    explanations = [
        [link(t), titles[t].title_en, titles[t].title_zh]
        for t in (*EXPLANATIONS, *WHAT_IFS, *DIFFERENCES)
    ]
    parts = [
        header("src/medcost/tables/*.csv", "docs/reference/table_titles.csv"),
        "# Tables\n",
        "The tables of a book and of a run. Each page is made from the CSV file that medcost\n"
        "itself reads the table by, so the two cannot differ.\n",
        "## Input tables: the book\n",
        grid(("table", "what it holds", "中文", "needed by"), inputs) + "\n",
        "## Input tables of the consortium\n",
        grid(("table", "what it holds", "中文", "read by"), shared) + "\n",
        "## Result tables: the run folder\n",
        grid(("table", "what it holds", "中文"), results) + "\n",
        "## Tables of `explain --out`, of `recost`, of `diff --out` and of restatements\n",
        "## Result tables where there is a budget\n",
        grid(("table", "what it holds", "中文"), variances) + "\n",
        "## Result tables of the consortium\n",
        grid(("table", "what it holds", "中文", "published by"), answers) + "\n",
        "## Tables of `explain --out` and of `recost`\n",
        grid(("table", "what it holds", "中文"), explanations) + "\n",
        "## The columns of a table page",
        READING.rstrip("\n") + "\n",
        "[Documentation](../../README.md)\n",
    ]
    return "\n".join(parts)


# Fault codes


def exit_codes() -> str:
    """The table of exit codes."""
    rows = [
        ["0", "done"],
        ["1", "a crash: a fault of medcost itself; please report it"],
        ["2", "wrong usage: an option or argument that the command does not have"],
        [str(REJECTED), "the book or the model is rejected; every code below ends here"],
        [str(UNBALANCED), "an internal balance failed, shown as `[balance]`; please report it"],
        [str(UNPUBLISHED), "the result could not be written, shown as `[cannot-publish]`"],
        [str(INTERRUPTED), "stopped from the keyboard"],
        [str(TERMINATED), "stopped by a termination signal"],
    ]
    return grid(("code", "meaning"), rows)


def fault_section(fault: FaultCode) -> str:
    """The heading and text of one fault code."""
    return (
        f"### {fault.code}\n\n{wrapped(fault.title + '.')}\n\n"
        f"- Why: {fault.why}.\n- Fix: {fault.fix}.\n"
    )


ERRORS_INTRO = """\
All faults of a book and its model are gathered and shown together, each with how much, where, why
and what to do. Nothing is published. The first five places of each fault are shown. A patient is
never named: file and row number stand for the case. With `--json-log` every fault is one JSON
object.

```
[department-not-listed] 23 ledger rows, worth 57,293.04 yuan, name a department that \
departments does not list.
  where  ledger.parquet, dept_id: 'CO6' (23 rows)
  why    every posting must reach a department, or the total cannot tie out
  fix    add the departments, or correct the codes
```

The word in brackets is the fault code. This page has one heading for each.
"""


def errors_page() -> str:
    """The page of fault codes and exit codes."""
    faults = fault_codes().values()
    index = ", ".join(f"[{fault.code}](#{slug(fault.code)})" for fault in faults)
    parts = [
        header("src/medcost/fault_codes.csv"),
        "# Errors\n",
        ERRORS_INTRO,
        "## Exit codes\n",
        exit_codes() + "\n",
        "## Fault codes\n",
        f"{wrapped(index)}\n",
        *(fault_section(fault) for fault in faults),
        "[Documentation](../README.md) · [Commands](commands.md)\n",
    ]
    return "\n".join(parts)


# The allocation model


class SectionSchema(GenerateJsonSchema):
    """The JSON schema of sections, which have no configuration beside their core schema."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Of a section, what its fields may hold."""
        return self.generate_inner(schema["schema"])


class SchemaReader:
    """Reads the keys of the model from its JSON schema."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.definitions = schema.get("$defs", {})
        self.schema = schema

    def keys(self) -> Iterator[ModelKey]:
        """Every key, sections included, in the order of the schema."""
        yield from self._section("", self.schema)

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        """The node itself or the definition it refers to."""
        if "$ref" not in node:
            return node
        found: dict[str, Any] = self.definitions[node["$ref"].rsplit("/", 1)[1]]
        return found

    def _branches(self, node: dict[str, Any]) -> list[dict[str, Any]]:
        """What may stand at a node, one schema for each kind; an absent value is not a kind."""
        branches = [self._resolved(branch) for branch in node.get("anyOf", [node])]
        return [branch for branch in branches if branch.get("type") != "null"]

    def _section(self, prefix: str, section: dict[str, Any]) -> Iterator[ModelKey]:
        required = section.get("required", ())
        for name, node in section["properties"].items():
            path = f"{prefix}.{name}" if prefix else name
            branches = self._branches(node)
            words = " or ".join(dict.fromkeys(self._type(branch) for branch in branches))
            values = tuple(dict.fromkeys(v for branch in branches for v in self._values(branch)))
            yield ModelKey(path, words, values, self._default(node, name in required))
            for branch in branches:
                if branch.get("type") == "object":
                    yield from self._section(path, branch)
                elif self._resolved(branch.get("items", {})).get("type") == "object":
                    yield from self._section(f"{path}[]", self._resolved(branch["items"]))

    def _type(self, node: dict[str, Any]) -> str:
        kind = str(node.get("type"))
        if "enum" in node or "const" in node:
            words = "one of the values"
        elif kind == "array":
            words = self._list_type(node)
        elif kind in ("integer", "number"):
            number = "whole number" if kind == "integer" else "number"
            words = f"{number} from {node['minimum']:g} to {node['maximum']:g}"
        elif node.get("format") == "date":
            words = "date, written 2026-01-31"
        else:
            words = {"object": "section", "boolean": "true or false", "string": "text"}[kind]
        return words

    def _list_type(self, node: dict[str, Any]) -> str:
        items = self._branches(node["items"])
        if any(branch.get("type") == "object" for branch in items):
            return "sections, one for each entry"
        inner = [self._type(branch).replace("list of", "lists of") for branch in items]
        return "list of " + " or ".join(inner).replace("one of the values", "values")

    def _values(self, node: dict[str, Any]) -> list[str]:
        if node.get("type") == "array":
            return [v for branch in self._branches(node["items"]) for v in self._values(branch)]
        return [
            str(value) for value in node.get("enum", [node["const"]] if "const" in node else [])
        ]

    def _default(self, node: dict[str, Any], is_required: bool) -> str:
        if is_required:
            return "none; the key is required"
        if any(branch.get("type") == "object" for branch in self._branches(node)):
            absent = node.get("default", {}) is None
            return "the section may be left out" + ("" if absent else "; its keys' defaults hold")
        default = node.get("default")
        if default in (None, []):
            return "none; the key may be left out"
        return code(toml_value(default))


def toml_value(value: object) -> str:
    """A default as the model file would write it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(entry) for entry in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def model_keys() -> list[ModelKey]:
    """Every key of the allocation model."""
    schema = SectionSchema(by_alias=True).generate(schema_of(AllocationModel))
    return list(SchemaReader(schema).keys())


def control_keys() -> list[ModelKey]:
    """Every key of the budget control."""
    schema = SectionSchema(by_alias=True).generate(schema_of(BudgetControl))
    return list(SchemaReader(schema).keys())


def load_control_meanings() -> dict[str, tuple[str, str]]:
    """The same of the keys of the budget control."""
    rows, keys = read_rows(REFERENCE / "control_keys.csv"), control_keys()
    require_same("control_keys.csv", [r["path"] for r in rows], [key.path for key in keys])
    return {row["path"]: (row["meaning_en"], row["meaning_zh"]) for row in rows}


def load_meanings() -> dict[str, tuple[str, str]]:
    """English and Chinese meaning of each key; raises CannotBuild unless the rows are the keys."""
    rows = read_rows(REFERENCE / "model_keys.csv")
    require_same("model_keys.csv", [r["path"] for r in rows], [key.path for key in model_keys()])
    return {row["path"]: (row["meaning_en"], row["meaning_zh"]) for row in rows}


def first_sentence(text: str) -> str:
    """The text up to its first full stop."""
    return text.split(". ", 1)[0].rstrip(".") + "."


def annotated_example(meanings: dict[str, tuple[str, str]], file: Path | None = None) -> str:
    """A policy file, by default a shipped model, with the meaning of each key above it."""
    text = (file or shipped_models()[EXAMPLE]).read_text("utf-8")
    paths: dict[int, str] = {}
    for path, number in key_lines(text).items():
        paths[number] = re.sub(r"\[\d+\]", "[]", path).removesuffix("[]")
    lines: list[str] = []
    said: set[str] = set()
    for number, line in enumerate(text.splitlines(), 1):
        path = paths.get(number, "")
        if path in meanings and path not in said:
            said.add(path)
            lines += textwrap.wrap(
                first_sentence(meanings[path][0]),
                98,
                initial_indent="# ",
                subsequent_indent="# ",
                break_on_hyphens=False,
            )
        lines.append(line)
    return "\n".join(lines) + "\n"


MODEL_INTRO = """\
One TOML file says how costs are allocated. Finance edits it, the engine obeys it, and the manifest
of every run records its SHA-256. `--model` takes a file, or the name of a model that ships:
{shipped}.

An unknown key, a wrong type, an empty value, or a driver that the book does not have is rejected
with the file, the key's path and its line. All faults of a file are shown together. In a path,
`departments.rule[0]` is the first `[[departments.rule]]` of the file.

A rule is written

```toml
[[departments.rule]]
givers = {{ class = "support" }}
driver = "own"
receivers = {{ class = ["medtech", "clinical"] }}
```

The first rule that matches a giver applies to it. Only departments of class `admin` or `support`
give. What happens in every awkward case is on the page of [verdicts](../explanation/verdicts.md);
what the methods compute is on the page of the [method](../explanation/method.md).
"""


def key_section(key: ModelKey, meaning: tuple[str, str]) -> str:
    """The heading and text of one key."""
    lines = [f"### `{key.path}`\n", f"- Type: {key.type}"]
    if key.values:
        lines.append(f"- Values: {', '.join(code(value) for value in key.values)}")
    lines += [f"- Default: {key.default}", "", wrapped(meaning[0]), "", wrapped(meaning[1]), ""]
    return "\n".join(lines)


def model_page() -> str:
    """The page of the allocation model's keys."""
    meanings = load_meanings()
    keys = model_keys()
    shipped = ", ".join(code(name) for name in shipped_models())
    index = ", ".join(f"[{key.path}](#{slug(key.path)})" for key in keys)
    parts = [
        header(
            "src/medcost/allocation_model.py",
            "docs/reference/model_keys.csv",
            f"allocation_models/{EXAMPLE}.toml",
        ),
        "# The allocation model\n",
        MODEL_INTRO.format(shipped=shipped),
        "## A complete example\n",
        f"`{EXAMPLE}.toml`, which ships, with the meaning of each key above it where it first\n"
        "stands:\n",
        f"```toml\n{annotated_example(meanings)}```\n",
        "## Keys\n",
        f"{wrapped(index)}\n",
        *(key_section(key, meanings[key.path]) for key in keys),
        "[Documentation](../README.md) · [Glossary](glossary.md)\n",
    ]
    return "\n".join(parts)


CONTROL_INTRO = """\
One TOML file says how a budget is held against what was spent. `medcost run`, where the book has a
table budget, and `medcost variance` follow the one that ships, `budget_control.toml`, or another
that `--budget-control` names.

It is as strict as the [allocation model](model.md): an unknown key, a wrong type or an impossible
value is rejected with the file, the key's path and its line, all faults together. Every key but
those of `[control]` may be left out; its default holds then. What the figures mean is on the page
of [budget variance](../explanation/budget_variance.md).
"""


def control_page() -> str:
    """The page of the budget control's keys."""
    meanings, keys = load_control_meanings(), control_keys()
    index = ", ".join(f"[{key.path}](#{slug(key.path)})" for key in keys)
    parts = [
        header(
            "src/medcost/variance/control.py",
            "docs/reference/control_keys.csv",
            "allocation_models/budget_control.toml",
        ),
        "# Budget control\n",
        CONTROL_INTRO,
        "## The policy that ships\n",
        f"```toml\n{annotated_example(meanings, shipped_control())}```\n",
        "## Keys\n",
        f"{wrapped(index)}\n",
        *(key_section(key, meanings[key.path]) for key in keys),
        "[Documentation](../README.md) · [Glossary](glossary.md)\n",
    ]
    return "\n".join(parts)


# The consortium's policies

POLICY_INTRO = """\
One TOML file. `medcost {command}` follows the one that ships, `{stem}.toml`, or another that
`--policy` names.

It is as strict as the [allocation model](model.md): an unknown key, a wrong type or an impossible
value is rejected with the file, the key's path and its line, all faults together. What the rules
mean is on the page [{explained}](../explanation/{explained}.md).
"""


def policy_keys(page: PolicyPage) -> list[ModelKey]:
    """Every key of a policy of the consortium."""
    schema = SectionSchema(by_alias=True).generate(schema_of(page.root))
    return list(SchemaReader(schema).keys())


def load_policy_meanings(page: PolicyPage) -> dict[str, tuple[str, str]]:
    """English and Chinese meaning of each key; raises CannotBuild unless the rows are the keys."""
    file = f"{page.stem}_keys.csv"
    rows, keys = read_rows(REFERENCE / file), policy_keys(page)
    require_same(file, [row["path"] for row in rows], [key.path for key in keys])
    return {row["path"]: (row["meaning_en"], row["meaning_zh"]) for row in rows}


def policy_page(page: PolicyPage) -> str:
    """The page of a policy's keys."""
    meanings, keys = load_policy_meanings(page), policy_keys(page)
    index = ", ".join(f"[{key.path}](#{slug(key.path)})" for key in keys)
    shipped = shipped_policies()[page.stem]
    parts = [
        header(
            page.source, f"docs/reference/{page.stem}_keys.csv", f"allocation_models/{shipped.name}"
        ),
        f"# {page.title}\n",
        POLICY_INTRO.format(command=page.command, stem=page.stem, explained=page.explained),
        "## The policy that ships\n",
        f"```toml\n{annotated_example(meanings, shipped)}```\n",
        "## Keys\n",
        f"{wrapped(index)}\n",
        *(key_section(key, meanings[key.path]) for key in keys),
        "[Documentation](../README.md) · [Glossary](glossary.md)\n",
    ]
    return "\n".join(parts)


# All pages


def build_pages() -> dict[Path, str]:
    """Every generated page by its path; raises CannotBuild."""
    titles = load_titles()
    pages = {TABLE_PAGES / f"{name}.md": table_page(title) for name, title in titles.items()}
    pages[TABLE_PAGES / "README.md"] = tables_index(titles)
    pages[REFERENCE / "errors.md"] = errors_page()
    pages[REFERENCE / "model.md"] = model_page()
    pages[REFERENCE / "budget_control.md"] = control_page()
    pages |= {REFERENCE / f"{page.stem}.md": policy_page(page) for page in POLICIES}
    return pages


def find_stale(pages: dict[Path, str]) -> list[Path]:
    """Pages that differ from what would be written, or that no table stands for any more."""
    differing = [
        path for path, text in pages.items() if not path.exists() or path.read_text("utf-8") != text
    ]
    left_over = [path for path in TABLE_PAGES.glob("*.md") if path not in pages]
    return sorted(differing + left_over)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages, or with --check compare them; returns the exit code."""
    parser = argparse.ArgumentParser(description="Write the generated pages of docs/reference.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if any differs")
    only_check = parser.parse_args(arguments).check
    try:
        pages = build_pages()
    except CannotBuild as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    stale = find_stale(pages)
    for path in stale:
        if only_check:
            sys.stderr.write(f"{path.relative_to(DOCS.parent)} is not up to date\n")
        elif path in pages:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(pages[path], encoding="utf-8")
        else:
            path.unlink()
    if only_check and stale:
        sys.stderr.write("Run `make docs` and look at the difference.\n")
    return 1 if only_check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
