"""Small random books that mix the awkward kinds a real book brings, one for every seed.

Amounts and statistics are small integers most of the time, so that halves and thirds collide.
"""

import datetime
import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from oracle.book import ELEMENTS

Row = dict[str, Any]
Tables = dict[str, list[Row]]

PERIODS = ("2026-01", "2026-02")
UNITS = ("U1", "U2", "u3", "中心")
CLASSES = {
    "clinical": ("C1", "C2", "c3", "门诊"),
    "medtech": ("M1", "é2"),
    "support": ("S1", "S2", "S3"),
    "admin": ("A1", "A2"),
}
SHARED = ("I1", "I2", "I3", "I4", "i5", "床日", "I7")
DIRECT = {"R1": "drugs", "R2": "drugs", "R3": "materials", "r4": "materials"}
NAMED_DRIVERS = ("headcount", "area", "packs", "orders")
FUNDS = (
    None, "", "own", "own", "own", "fiscal_project", "other_project", "research_education",
    "non_operating",
)  # fmt: skip
PROGRAMS = (None, "", "medical", "medical", "medical", "teaching", "research", "public_health")
DROPPABLE = (
    ("service_lines", "charge"),
    ("service_lines", "ordering_dept_id"),
    ("opening_work_in_progress", "charge"),
    ("cases", "bed_days"),
    ("cases", "payer"),
    ("ledger", "fund"),
    ("ledger", "program"),
    ("drg_groups", "weight"),
)


@dataclass(frozen=True)
class Plan:
    """What one book is made of; `departments` is unit → open dept_id → class."""

    rng: random.Random
    units: tuple[str, ...]
    departments: dict[str, dict[str, str]]
    model: dict[str, Any]
    yuan_style: str
    schemes: tuple[str, ...]
    silent: dict[str, str]
    pharmacies: dict[str, str]

    def often(self, chance: float) -> bool:
        """Say yes with this chance."""
        return self.rng.random() < chance

    def of_class(self, unit_id: str, *classes: str) -> list[str]:
        """Return the unit's open departments of these classes."""
        return [d for d, kind in self.departments[unit_id].items() if kind in classes]

    def blank(self) -> str | None:
        """Return an empty value: none at all, or empty text."""
        return self.rng.choice((None, None, ""))


def money(plan: Plan) -> Decimal:
    """Return an amount of yuan in the book's style, sometimes a credit."""
    rng = plan.rng
    style = rng.choice(("fen", "yuan", "odd")) if plan.yuan_style == "mixed" else plan.yuan_style
    fen = {
        "fen": rng.randint(1, 12),
        "yuan": 100 * rng.choice((1, 2, 3, 5, 10, 100)),
        "odd": rng.randint(1, 999_999),
        "huge": rng.choice((10**15, 10**15 - 1, rng.randint(10**14, 10**15))),
    }[style]
    return Decimal(-fen if plan.often(0.15) else fen).scaleb(-2)


def statistic(plan: Plan) -> Decimal:
    """Return a statistic of zero or more, mostly a small integer."""
    if plan.often(0.1):
        return Decimal(plan.rng.choice(("0.5", "0.3333", "1234.5678", "99999")))
    return Decimal(plan.rng.choice((0, 1, 1, 1, 2, 2, 3, 4, 6)))


def departments_of_unit(rng: random.Random) -> dict[str, str]:
    """Return dept_id → class; D5 is of another class in another unit."""
    least = {"clinical": 2, "medtech": 1, "support": 1, "admin": 1}
    departments = {
        dept: kind
        for kind, names in CLASSES.items()
        for dept in names[: rng.randint(least[kind], len(names))]
    }
    departments["D5"] = rng.choice(("clinical", "support", "medtech"))
    if rng.random() < 0.5:
        departments["N1"] = "non_medical"
    return departments


def rules_of(rng: random.Random) -> list[dict[str, Any]]:
    """Return rules that match every giver and always let clinical departments receive."""
    admin, support = {"class": "admin"}, {"class": "support"}
    templates: tuple[list[dict[str, Any]], ...] = (
        [
            {"givers": admin, "pooled": True, "driver": "headcount"},
            {"givers": support, "driver": "own"},
        ],
        [
            {"givers": {"departments": ["S1", "A1"]}, "driver": "packs"},
            {"givers": admin, "driver": "own"},
            {"givers": support, "pooled": True, "driver": "area"},
        ],
        [
            {"givers": {"departments": ["A1", "S2"]}, "pooled": True, "driver": "area"},
            {"givers": support, "driver": "headcount"},
            {"givers": admin, "driver": "area"},
        ],
        [{"givers": admin, "driver": "own"}, {"givers": support, "driver": "own"}],
    )
    rules = rng.choice(templates)
    for rule in rules:
        receivers = rng.choice(
            (
                None,
                None,
                ["support", "medtech", "clinical"],
                ["admin", "support", "medtech", "clinical"],
                ["clinical", "medtech", "non_medical"],
                ["clinical"],
            )
        )
        if receivers is not None:
            rule["receivers"] = {"class": receivers}
    return rules


def departments_model(rng: random.Random) -> dict[str, Any]:
    """Return the `[departments]` part of a model."""
    method = rng.choice(
        ("step-down", "step-down", "step-down", "reciprocal", "reciprocal", "direct")
    )
    section: dict[str, Any] = {"method": method}
    if method == "step-down":
        section["order"] = rng.choice(
            (
                ["admin", "support"],
                ["support", "admin"],
                [["A2", "S1"], "A1", "support", "admin"],
                ["A1", ["S2", "S3"], "D5", "admin", "A2", "support"],
                [["A1", "A2"], "S3", "S1", ["S2", "D5"]],
            )
        )
    if method != "reciprocal" and rng.random() < 0.3:
        section["credit_balance"] = "keep"
    if rng.random() < 0.3:
        section["no_driver"] = "keep"
    if rng.random() < 0.3:
        section["negative_statistics"] = "allow"
    section["rule"] = rules_of(rng)
    basis = rng.choice((None, "charge", "quantity", "driver", "own"))
    if basis in ("charge", "quantity"):
        section["medtech_to_clinical"] = {"basis": basis}
    elif basis is not None:
        driver = "orders" if basis == "driver" else "own"
        section["medtech_to_clinical"] = {"basis": "driver", "driver": driver}
    if method != "reciprocal" and rng.random() < 0.25:
        section["rounding"] = rounding_model(rng)
    return section


def rounding_model(rng: random.Random) -> dict[str, Any]:
    """Return a `[departments.rounding]`."""
    rounding: dict[str, Any] = {}
    if rng.random() < 0.6:
        rounding["multiplier_decimals"] = rng.choice((2, 4, 6))
    if rng.random() < 0.7:
        rounding["amount_decimals"] = rng.choice((0, 1, 2))
    if rng.random() < 0.7:
        rounding["residual"] = rng.choice(("largest_remainder", "largest"))
    return rounding


def model_of(rng: random.Random) -> dict[str, Any]:
    """Return a complete model."""
    method = rng.choice(("weights", "weights", "income", "workload", "capacity"))
    items: dict[str, Any] = {"method": method}
    if rng.random() < 0.4:
        items["direct_cost_floor"] = 0.0
    if rng.random() < 0.5:
        items["direct_only"] = rng.choice(("by_direct_cost", "no_activity"))
    if rng.random() < 0.3:
        items["net_activity_floor"] = rng.choice((0.0, 0.05))
    cases: dict[str, Any] = {"method": "bottom-up"}
    if rng.random() < 0.5:
        cases["work_in_progress"] = rng.choice(("include", "include", "carry"))
    model: dict[str, Any] = {
        "model": {
            "id": "generated",
            "title": "A generated model",
            "authority": "none",
            "effective_from": datetime.date(2026, 1, 1),
        },
        "departments": departments_model(rng),
        "service_items": items,
        "cases": cases,
    }
    if rng.random() < 0.7:
        scopes = ("medical_business", "medical", "medical_full", "hospital_full")
        model["scope"] = {"cost": rng.choice(scopes)}
        if rng.random() < 0.5:
            model["scope"]["programs"] = rng.choice(
                (["medical"], ["medical", "teaching"], ["public_health", "medical", "research"])
            )
    return model


def plan_of(rng: random.Random) -> Plan:
    """Return the plan of a book."""
    units = UNITS[: rng.randint(2, len(UNITS))]
    departments = {unit: departments_of_unit(rng) for unit in units}
    performing = {
        unit: [d for d, kind in departments[unit].items() if kind in ("clinical", "medtech")]
        for unit in units
    }
    return Plan(
        rng=rng,
        units=units,
        departments=departments,
        model=model_of(rng),
        yuan_style=rng.choice(("fen", "yuan", "odd", "mixed", "mixed", "mixed", "huge")),
        schemes=rng.choice(((), ("CHS 2.0",), ("CHS 2.0",), ("CHS 2.0", "DIP 2.0"))),
        silent={unit: rng.choice((*performing[unit], "")) for unit in units},
        pharmacies={unit: rng.choice((*performing[unit], "")) for unit in units},
    )


def units_table(plan: Plan) -> list[Row]:
    """Return the member units."""
    kinds = ("lead", "township", "village", "community")
    return [{"unit_id": unit, "kind": kind} for unit, kind in zip(plan.units, kinds, strict=False)]


def departments_table(plan: Plan) -> list[Row]:
    """Return the departments; X9 closed a month before and X8 opens a month later."""
    rows: list[Row] = []
    for unit, departments in plan.departments.items():
        for dept, kind in departments.items():
            begins = plan.rng.choice((None, None, "", "2026-01", "2020-05"))
            rows.append({"unit_id": unit, "dept_id": dept, "class": kind, "valid_from": begins})
        rows[-1]["valid_to"] = "2026-02"
        rows.append({"unit_id": unit, "dept_id": "X9", "class": "clinical", "valid_to": "2025-12"})
        if plan.often(0.5):
            rows.append(
                {"unit_id": unit, "dept_id": "X8", "class": "support", "valid_from": "2026-03"}
            )
    return rows


def hands_on_through_givers(model: dict[str, Any]) -> bool:
    """Say whether a giver may hand everything to earlier givers; the first has a way out."""
    section = model["departments"]
    named = [rule["receivers"]["class"] for rule in section["rule"] if "receivers" in rule]
    admits = all({"admin", "support"} <= set(classes) for classes in named)
    return section["method"] == "reciprocal" and admits


def driver_rows(plan: Plan, period: str, unit: str, driver: str) -> list[Row]:
    """Return one driver: any department may have a row, one clinical one has enough."""
    clinical = plan.of_class(unit, "clinical")
    quantities = {
        dept: statistic(plan) for dept in (*plan.departments[unit], "X9") if plan.often(0.6)
    }
    exit_dept = plan.rng.choice(clinical)
    quantities[exit_dept] = Decimal(plan.rng.choice((1, 1, 2, 3)))
    if plan.model["departments"].get("negative_statistics") == "allow" and plan.often(0.5):
        other = plan.rng.choice([dept for dept in clinical if dept != exit_dept])
        quantities[other] = Decimal(plan.rng.choice((-1, -2)))
        quantities[exit_dept] = Decimal(plan.rng.choice((7, 12)))
    givers = plan.of_class(unit, "support", "admin")
    if driver in givers[1:] and hands_on_through_givers(plan.model) and plan.often(0.3):
        earlier = givers[: givers.index(driver)]
        quantities = {dept: Decimal(plan.rng.choice((1, 2, 3))) for dept in earlier}
    elif plan.often(0.05):
        quantities = {plan.rng.choice(givers): Decimal(99999), exit_dept: Decimal(1)}
    return [
        {"period": period, "unit_id": unit, "driver": driver, "dept_id": dept, "quantity": q}
        for dept, q in quantities.items()
    ]


def drivers_table(plan: Plan) -> list[Row]:
    """Return every driver that a model may name; `no_driver = "keep"` lets some be missing."""
    keeps = plan.model["departments"].get("no_driver") == "keep"
    rows: list[Row] = []
    for period in PERIODS:
        for unit in plan.units:
            giving = plan.of_class(unit, "admin", "support", "medtech")
            for driver in (*NAMED_DRIVERS, *giving):
                may_miss = keeps and (period, unit) != (PERIODS[0], plan.units[0])
                if driver not in NAMED_DRIVERS and may_miss and plan.often(0.2):
                    continue
                rows += driver_rows(plan, period, unit, driver)
    return rows


def service_items_table(plan: Plan) -> list[Row]:
    """Return the catalogue; I7 is never performed."""
    rows: list[Row] = [
        {"item_id": item, "basis": "shared", "element": plan.blank()} for item in SHARED
    ]
    return rows + [
        {"item_id": item, "basis": "direct", "element": element} for item, element in DIRECT.items()
    ]


def item_weights_table(plan: Plan) -> list[Row]:
    """Return weights: some items have none, some a generic one, some finer ones beside it."""
    rows: dict[tuple[str, ...], Row] = {}
    columns = ("unit_id", "dept_id", "element", "period")
    for item in SHARED:
        if plan.often(0.25):
            continue
        keys: list[Row] = [dict.fromkeys(columns)]
        for _ in range(plan.rng.choice((0, 0, 1, 2, 4))):
            unit = plan.rng.choice(plan.units)
            finer = {
                "unit_id": unit,
                "dept_id": plan.rng.choice(plan.of_class(unit, "clinical", "medtech")),
                "element": plan.rng.choice(ELEMENTS),
                "period": plan.rng.choice(("2025-06", *PERIODS, "2026-03")),
            }
            keys.append({c: v if plan.often(0.5) else None for c, v in finer.items()})
        for key in keys:
            weight = Decimal(plan.rng.choice(("1", "2", "3", "2.5", "0.333333", "0")))
            row = {"item_id": item, **key, "weight": weight}
            rows[item, *(key[c] or "" for c in columns)] = row
    return list(rows.values())


def cases_table(plan: Plan) -> list[Row]:
    """Return cases of every setting and date, the same ids in every unit."""
    rows: list[Row] = []
    for period in PERIODS:
        month = int(period[5:])
        for unit in plan.units:
            for n in range(25 // (2 * len(plan.units))):
                setting = plan.rng.choice(("inpatient",) * 5 + ("outpatient", "emergency", "other"))
                day = plan.rng.choice((1, 15, 28))
                discharged = plan.rng.choice(
                    [datetime.date(2026, month, day)] * 5
                    + [None, datetime.date(2026, month + 1, 1), datetime.date(2025, 12, 31)]
                )
                drg = plan.rng.choice(("G1", "G1", "G2", "G3", plan.blank()))
                scheme = plan.rng.choice(plan.schemes) if len(plan.schemes) > 1 else plan.blank()
                clinical = plan.of_class(unit, "clinical")
                rows.append(
                    {
                        "period": period,
                        "unit_id": unit,
                        "case_id": f"K{n}",
                        "drg_id": drg,
                        "scheme": scheme,
                        "setting": setting,
                        "dept_id": plan.rng.choice((*clinical, plan.blank())),
                        "bed_days": plan.rng.choice((None, Decimal("0.50"), Decimal(3))),
                        "discharged": discharged,
                        "payer": plan.rng.choice(("employee", "resident", plan.blank())),
                    }
                )
    return rows


def openings_table(plan: Plan) -> list[Row]:
    """Return opening work in progress, of listed cases and of cases not listed this month."""
    rows: list[Row] = []
    for period in PERIODS:
        for unit in plan.units:
            for case in ("K0", "K1", "old"):
                if plan.often(0.4):
                    costs = {e: money(plan) if plan.often(0.4) else Decimal(0) for e in ELEMENTS}
                    charge = money(plan) if plan.often(0.7) else None
                    key = {"period": period, "unit_id": unit, "case_id": case}
                    rows.append({**key, **costs, "charge": charge})
    return rows


def line_of(plan: Plan, period: str, unit: str, dept: str, known: dict[Any, list[str]]) -> Row:
    """Return one service line of a department."""
    item = plan.rng.choice((*SHARED[:-1], *SHARED[:-1], *DIRECT))
    if dept == plan.pharmacies[unit]:
        item = plan.rng.choice(tuple(DIRECT))
    place = plan.rng.random()
    case_unit = plan.rng.choice([u for u in plan.units if u != unit]) if place < 0.15 else unit
    cases = known.get((period, case_unit), [])
    is_linked = bool(cases) and place < 0.9
    ordering = None
    if case_unit == unit and plan.often(0.4):
        ordering = plan.rng.choice(list(plan.departments[unit]))
    named_unit = case_unit if case_unit != unit or plan.often(0.1) else plan.blank()
    direct_cost = Decimal(plan.rng.choice((1, 2, 3, 5, 100, 250, -1))).scaleb(-2)
    return {
        "period": period,
        "unit_id": unit,
        "case_id": plan.rng.choice(cases) if is_linked else plan.blank(),
        "case_unit_id": named_unit if is_linked else plan.blank(),
        "item_id": item,
        "dept_id": dept,
        "ordering_dept_id": ordering or plan.blank(),
        "quantity": Decimal(plan.rng.choice(("1", "1", "2", "3", "6", "0.5", "0.3333", "-1"))),
        "charge": money(plan).copy_abs() if plan.often(0.8) else None,
        "direct_cost": direct_cost if item in DIRECT else None,
    }


def reversed_line(line: Row) -> Row:
    """Return the line that cancels a line."""
    amounts = ("quantity", "charge", "direct_cost")
    return line | {column: -line[column] for column in amounts if line[column] is not None}


def service_lines_table(plan: Plan, cases: list[Row], openings: list[Row]) -> list[Row]:
    """Return the lines; the silent department has none, or only such that cancel out."""
    known: dict[Any, list[str]] = {}
    for row in (*cases, *openings):
        ids = known.setdefault((row["period"], row["unit_id"]), [])
        if row["case_id"] not in ids:
            ids.append(row["case_id"])
    rows: list[Row] = []
    for period in PERIODS:
        for unit in plan.units:
            cancels = plan.often(0.5)
            performing = plan.of_class(unit, "clinical", "medtech")
            for _ in range(plan.rng.randint(4, 66 // len(plan.units))):
                dept = plan.rng.choice(performing)
                line = line_of(plan, period, unit, dept, known)
                if dept == plan.silent[unit] and not cancels:
                    continue
                rows.append(line)
                if dept == plan.silent[unit] or plan.often(0.06):
                    rows.append(reversed_line(line))
    plan.rng.shuffle(rows)
    return rows[:150]


def ledger_of_direct_items(plan: Plan, lines: list[Row]) -> dict[tuple[str, ...], Decimal]:
    """Return what (period, unit, department, element) posts where direct items cost something.

    Enough, too little or a credit; with the floor set never less than most of it.
    """
    costs: dict[tuple[str, ...], Decimal] = {}
    for line in lines:
        if line["item_id"] in DIRECT:
            element = DIRECT[line["item_id"]]
            key: tuple[str, ...] = (line["period"], line["unit_id"], line["dept_id"], element)
            costs[key] = costs.get(key, Decimal(0)) + line["direct_cost"]
    has_floor = plan.model["service_items"].get("direct_cost_floor") is None
    posted: dict[tuple[str, ...], Decimal] = {}
    for key, cost in costs.items():
        choices = [cost + money(plan).copy_abs(), cost, cost * Decimal("0.8")]
        if not has_floor:
            choices += [money(plan), -cost, Decimal(0)]
        posted[key] = plan.rng.choice(choices).quantize(Decimal("0.01"))
        if has_floor and cost < 0:
            posted[key] = plan.rng.choice((Decimal(0), money(plan).copy_abs()))
    return without_negative_totals(posted, costs)


def without_negative_totals(
    posted: dict[tuple[str, ...], Decimal], costs: dict[tuple[str, ...], Decimal]
) -> dict[tuple[str, ...], Decimal]:
    """Raise the last posting of a unit and element whose total is a credit: no floor admits it.

    Only departments whose direct cost is not zero count.
    """
    totals: dict[tuple[str, str, str], Decimal] = {}
    for (period, unit, dept, element), amount in posted.items():
        if costs[period, unit, dept, element] != 0:
            group = (period, unit, element)
            totals[group] = totals.get(group, Decimal(0)) + amount
    for key in reversed(list(posted)):
        group = (key[0], key[1], key[3])
        if costs[key] != 0 and totals[group] < 0:
            posted[key] -= totals[group]
            totals[group] = Decimal(0)
    return posted


def posting(plan: Plan, key: tuple[str, ...], amount: Decimal, fund: Any, program: Any) -> Row:
    """Return a ledger row."""
    period, unit, dept, element = key
    return {
        "period": period,
        "unit_id": unit,
        "dept_id": dept,
        "element": element,
        "amount": amount,
        "fund": fund,
        "program": program,
    }


def ledger_table(plan: Plan, lines: list[Row]) -> list[Row]:
    """Return postings of every fund and program; some departments have a cost in one element."""
    direct = ledger_of_direct_items(plan, lines)
    rows = [posting(plan, key, amount, None, None) for key, amount in direct.items()]
    for period in PERIODS:
        for unit, departments in plan.departments.items():
            for dept in departments:
                count = plan.rng.choice((0, 1, 1, 2, 3))
                for element in plan.rng.sample(ELEMENTS, count):
                    key = (period, unit, dept, element)
                    if key in direct:
                        continue
                    fund = plan.rng.choice(FUNDS)
                    program = plan.rng.choice(PROGRAMS)
                    rows.append(posting(plan, key, money(plan), fund, program))
                    if plan.often(0.2):
                        rows.append(posting(plan, key, money(plan), None, None))
    plan.rng.shuffle(rows)
    return rows


def capacity_table(plan: Plan) -> list[Row]:
    """Return practical capacities above, at and below what is used."""
    rows: list[Row] = []
    for period in PERIODS:
        for unit in plan.units:
            for dept in plan.of_class(unit, "clinical", "medtech"):
                for element in (None, plan.rng.choice(ELEMENTS)):
                    if plan.often(0.5):
                        rows.append(
                            {
                                "period": period,
                                "unit_id": unit,
                                "dept_id": dept,
                                "element": element,
                                "practical_capacity": Decimal(plan.rng.choice((0, 1, 9, 30, 300))),
                            }
                        )
    return rows


def drg_groups_table(plan: Plan) -> list[Row]:
    """Return the groups of every scheme, some without a weight."""
    return [
        {
            "scheme": scheme,
            "drg_id": drg,
            "weight": plan.rng.choice((None, Decimal("0.5"), Decimal("1.234567"))),
        }
        for scheme in plan.schemes
        for drg in ("G1", "G2", "G3")
    ]


def drg_prices_table(plan: Plan) -> list[Row]:
    """Return prices whose filled keys are nested, so that one row always fits best."""
    rows: dict[tuple[Any, ...], Row] = {}
    for drg in ("G1", "G2"):
        columns = plan.rng.sample(("scheme", "unit_id", "payer", "valid_from"), 4)
        for _ in range(plan.rng.randint(0, 6)):
            filled = columns[: plan.rng.randint(0, 4)]
            values = {
                "scheme": plan.rng.choice(plan.schemes or ("CHS 2.0",)),
                "unit_id": plan.rng.choice(plan.units),
                "payer": plan.rng.choice(("employee", "resident")),
                "valid_from": plan.rng.choice(("2025-01", "2026-01", "2026-02", "2026-03")),
            }
            key = {c: v if c in filled else None for c, v in values.items()}
            ends = plan.rng.choice((None, None, None, "2026-01"))
            if (key["valid_from"] or "") > (ends or key["valid_from"] or ""):
                ends = None
            price = money(plan).copy_abs()
            row = {"drg_id": drg, **key, "valid_to": ends, "price": price}
            rows[drg, *key.values()] = row
    return list(rows.values())


def make_book(seed: int) -> tuple[Tables, dict[str, Any]]:
    """Return the tables and the model of one book; the same for the same seed."""
    plan = plan_of(random.Random(seed))  # noqa: S311 - a seed, not a secret
    cases, openings = cases_table(plan), openings_table(plan)
    lines = service_lines_table(plan, cases, openings)
    tables = {
        "units": units_table(plan),
        "departments": departments_table(plan),
        "ledger": ledger_table(plan, lines),
        "drivers": drivers_table(plan),
        "service_items": service_items_table(plan),
        "item_weights": item_weights_table(plan),
        "capacity": capacity_table(plan),
        "service_lines": lines,
        "cases": cases,
        "opening_work_in_progress": openings,
        "drg_groups": drg_groups_table(plan),
        "drg_prices": drg_prices_table(plan),
    }
    for name, column in DROPPABLE:
        if plan.often(0.12):
            for row in tables[name]:
                row.pop(column, None)
    may_be_absent = {"opening_work_in_progress", "drg_groups", "drg_prices", "item_weights"}
    kept = {name: rows for name, rows in tables.items() if rows or name not in may_be_absent}
    break_groups_down(seed, kept, plan.model)
    return kept, plan.model


def break_groups_down(seed: int, tables: Tables, model: dict[str, Any]) -> None:
    """Have most books break groups down by service groups, some of them named as classes are."""
    rng = random.Random(f"{seed} service groups")  # noqa: S311 - a seed, not a secret
    if rng.random() < 0.8:
        model["cases"]["drg_matrix"] = rng.random() < 0.95
    if rng.random() < 0.8:
        for row in tables["departments"]:
            row["service_group"] = rng.choice((None, "", "theatre", "clinical", "检验", "Ward"))


def toml_value(value: Any) -> str:
    """Return a value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(entry) for entry in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {toml_value(v)}" for k, v in value.items()) + " }"
    return value.isoformat() if isinstance(value, datetime.date) else str(value)


def to_toml(model: dict[str, Any]) -> str:
    """Return the model as the text of a TOML file."""
    lines: list[str] = []
    for name, section in model.items():
        lines.append(f"[{name}]")
        tables = {
            key: value for key, value in section.items() if key == "rule" or isinstance(value, dict)
        }
        plain = {key: value for key, value in section.items() if key not in tables}
        lines += [f"{key} = {toml_value(value)}" for key, value in plain.items()]
        for key, value in tables.items():
            for table in value if key == "rule" else [value]:
                lines.append(f"\n[[{name}.{key}]]" if key == "rule" else f"\n[{name}.{key}]")
                lines += [f"{k} = {toml_value(v)}" for k, v in table.items()]
        lines.append("")
    return "\n".join(lines)
