"""The variance once more, from rows as dicts, in fractions: slow and obvious.

It follows docs/explanation/budget_variance.md and shares no code with the engine. Amounts are fen
as whole numbers; a key is (level, unit, dept, element, drg), '' where a part does not apply.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

Key = tuple[str, str, str, str, str]
Row = dict[str, Any]


@dataclass
class Month:
    """A published month: units, units with groups, costs, groups."""

    units: set[str]
    drg_units: set[str]
    departments: list[tuple[str, str, str, int]] = field(default_factory=list)
    groups: list[tuple[str, str, dict[str, int], int, Fraction | None]] = field(
        default_factory=list
    )

    @cached_property
    def figures(self) -> dict[Key, int]:
        """Cost by key, at every level."""
        return actual_figures(self)

    @cached_property
    def listed(self) -> set[tuple[str, str]]:
        """The departments that have any published cost in the month."""
        return {(unit, dept) for unit, dept, _, _ in self.departments}


@dataclass
class World:
    """All that a month's variance depends on; months by name, `now` the month itself."""

    now: str
    months: dict[str, Month]
    budget: list[Row]
    kinds: dict[str, str]
    continues: dict[tuple[str, str], str]
    volumes: dict[str, dict[tuple[str, str], Fraction]]
    inputs: dict[str, dict[tuple[str, str], Fraction]]
    shares: dict[str, Fraction]
    base: str = "standard"


def before(month: str, back: int) -> str:
    """Return the month so many months before."""
    number = int(month[:4]) * 12 + int(month[5:]) - 1 - back
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def to_date(month: str) -> list[str]:
    """Return the months from January on."""
    return [f"{month[:4]}-{n:02d}" for n in range(1, int(month[5:]) + 1)]


def level_of(dept: str, element: str, drg: str) -> str:
    """Return the level of a row by what it names."""
    if drg:
        return "drg_element" if element else "drg"
    if dept:
        return "department_element" if element else "department"
    return "element" if element else "unit"


def half_away(value: Fraction) -> int:
    """Return the nearest whole number, halves away from zero."""
    whole = int(abs(value) + Fraction(1, 2))
    return whole if value >= 0 else -whole


def actual_figures(month: Month) -> dict[Key, int]:
    """Return cost by key, at every level."""
    sums: dict[Key, int] = defaultdict(int)
    for unit, dept, element, fen in month.departments:
        for key in (
            ("department_element", unit, dept, element, ""),
            ("department", unit, dept, "", ""),
            ("element", unit, "", element, ""),
            ("unit", unit, "", "", ""),
            ("element", "", "", element, ""),
            ("unit", "", "", "", ""),
        ):
            sums[key] += fen
    for unit, drg, cost, _, _ in month.groups:
        for element, fen in cost.items():
            for key in (
                ("drg_element", unit, "", element, drg),
                ("drg", unit, "", "", drg),
                ("drg_total", unit, "", "", ""),
                ("drg_total", "", "", "", ""),
            ):
                sums[key] += fen
    return dict(sums)


def given_budget(world: World, month: str) -> dict[Key, int]:
    """Return the amounts that rows give, tags added up."""
    sums: dict[Key, int] = defaultdict(int)
    for row in world.budget:
        if row["period"] == month:
            level = level_of(row["dept_id"], row["element"], row["drg_id"])
            key = (level, row["unit_id"], row["dept_id"], row["element"], row["drg_id"])
            sums[key] += row["amount"]
    return dict(sums)


def budget_figures(given: dict[Key, int]) -> dict[Key, int]:
    """Return given amounts and what they add up to where nothing is given."""
    found = dict(given)
    units = {key[1] for key in given}

    def add(level: str, finer: str, part: int | None, skip: Callable[[str], bool]) -> None:
        sums: dict[Key, int] = defaultdict(int)
        for key, fen in list(found.items()):
            if key[0] == finer and not skip(key[1]):
                kept = ["", "", ""]
                if part is not None:
                    kept[part] = key[2 + part]
                sums[(level, key[1], *kept)] += fen  # type: ignore[index]
        for key, fen in sums.items():
            found.setdefault(key, fen)

    undivided = {key[1] for key in given if key[0] == "department"}
    add("department", "department_element", 0, lambda unit: False)
    add("element", "department_element", 1, lambda unit: unit in undivided)
    add("drg", "drg_element", 2, lambda unit: False)
    add("drg_total", "drg", None, lambda unit: False)
    add("unit", "department", None, lambda unit: False)
    add("unit", "element", None, lambda unit: False)
    everyone: dict[Key, int] = defaultdict(int)
    for key, fen in found.items():
        if key[0] in ("unit", "element", "drg_total"):
            everyone[(key[0], "", "", key[3], "")] += fen
    assert units >= {key[1] for key in found}
    return found | dict(everyone)


def other_month(world: World, key: Key, month: str, everyone: set[str]) -> tuple[int | None, str]:
    """Return a row's figure in another month, None where it is not known, and the predecessor."""
    there = world.months.get(month)
    if there is None:
        return None, ""
    units = there.drg_units if key[0].startswith("drg") else there.units
    if not (everyone <= units if key[1] == "" else key[1] in units):
        return None, ""
    figures = there.figures
    if key[2] and (key[1], key[2]) not in there.listed:
        old = world.continues.get((key[1], key[2]), "")
        if (key[1], old) not in there.listed:
            return None, ""
        return figures.get((key[0], key[1], old, key[3], key[4]), 0), old
    return figures.get(key, 0), ""


def budget_variance(world: World) -> dict[Key, Row]:
    """Return every row of the variance."""
    month = world.months[world.now]
    actual, given = month.figures, given_budget(world, world.now)
    budget = budget_figures(given)
    everyone = month.units
    keys = set(actual) | set(budget)
    for back in (1, 12):
        there = world.months.get(before(world.now, back))
        if there is None:
            continue
        gone = {
            (unit, old)
            for (unit, dept), old in world.continues.items()
            if (unit, dept) not in there.listed
        }
        keys |= {
            key
            for key, fen in there.figures.items()
            if fen and key[1] in {*everyone, ""} and (key[1], key[2]) not in gone
        }
    rows = {}
    plans = [(budget_figures(given_budget(world, m)), m) for m in to_date(world.now)]
    for key in keys:
        known = month.drg_units if key[1] == "" else key[1] in month.drg_units
        if key[0].startswith("drg") and not known:
            continue
        row = _row(world, key, actual, budget, given, everyone, plans)
        if any(row[name] for name in AMOUNTS):
            rows[key] = row
    return rows


AMOUNTS = (
    "budget", "actual", "variance", "last_month", "last_month_change", "last_year",
    "last_year_change", "year_to_date", "year_to_date_budget", "year_to_date_variance",
    "peer_mean", "peer_difference",
)  # fmt: skip


def _row(
    world: World,
    key: Key,
    actual: dict[Key, int],
    budget: dict[Key, int],
    given: dict[Key, int],
    everyone: set[str],
    plans: list[tuple[dict[Key, int], str]],
) -> Row:
    fen, plan = actual.get(key, 0), budget.get(key)
    last_month, old_month = other_month(world, key, before(world.now, 1), everyone)
    last_year, old_year = other_month(world, key, before(world.now, 12), everyone)
    so_far: int | None = 0
    for name in to_date(world.now):
        there = world.months.get(name)
        units = set() if there is None else there.drg_units if key[0][:3] == "drg" else there.units
        if there is None or not (everyone <= units if key[1] == "" else key[1] in units):
            so_far = None
            break
        so_far = (so_far or 0) + (other_month(world, key, name, everyone)[0] or 0)
    now_units = {row["unit_id"] for row in world.budget if row["period"] == world.now}

    def plans_units(name: str) -> set[str]:
        return {row["unit_id"] for row in world.budget if row["period"] == name}

    whole = all(
        now_units <= plans_units(m) if key[1] == "" else key[1] in plans_units(m) for _, m in plans
    )
    found = [figures[key] for figures, _ in plans if key in figures]
    plan_so_far = sum(found) if whole and found else None
    peers = [
        actual[(key[0], unit, *key[2:])]  # type: ignore[index]
        for unit in everyone
        if key[1] and unit != key[1] and world.kinds[unit] == world.kinds[key[1]]
        and (key[0], unit, *key[2:]) in actual
    ]  # fmt: skip
    mean = half_away(Fraction(sum(peers), len(peers))) if peers else None
    return {
        "basis": "given" if key in given else "summed" if plan is not None else "missing",
        "budget": plan,
        "actual": fen,
        "variance": minus(fen, plan),
        "variance_rate": rate(minus(fen, plan), plan),
        "execution_rate": rate(fen, plan),
        "last_month": last_month,
        "last_month_change": minus(fen, last_month),
        "last_month_rate": rate(minus(fen, last_month), last_month),
        "last_year": last_year,
        "last_year_change": minus(fen, last_year),
        "last_year_rate": rate(minus(fen, last_year), last_year),
        "year_to_date": so_far,
        "year_to_date_budget": plan_so_far,
        "year_to_date_variance": minus(so_far, plan_so_far),
        "year_to_date_rate": rate(so_far, plan_so_far),
        "peers": len(peers) or None,
        "peer_mean": mean,
        "peer_difference": minus(fen, mean),
        "peer_rate": rate(minus(fen, mean), mean),
        "compared_dept_id": old_year or old_month or None,
    }


def minus(left: int | None, right: int | None) -> int | None:
    """Return the difference, None where either is."""
    return None if left is None or right is None else left - right


def rate(part: int | None, whole: int | None) -> int | None:
    """Return part / whole in millionths, None without a positive whole."""
    if part is None or whole is None or whole <= 0:
        return None
    return half_away(Fraction(part * 10**6, whole))


def rounded_together(parts: Iterable[Fraction]) -> list[int]:
    """Return whole numbers near the parts that add up to their whole sum (rule 2)."""
    exact = list(parts)
    cut = [int(part) for part in exact]
    missing = sum(exact) - sum(cut)
    assert missing.denominator == 1
    direction = 1 if missing > 0 else -1
    ranked = sorted(range(len(cut)), key=lambda i: (-direction * (exact[i] - cut[i]), i))
    for i in ranked[: abs(int(missing))]:
        cut[i] += direction
    return cut


def volume_of(world: World, key: Key) -> tuple[Fraction | None, str]:
    """Return the services behind a line and what they count."""
    if key[0].startswith("drg"):
        groups = [g for g in world.months[world.now].groups if (g[0], g[1]) == (key[1], key[4])]
        return Fraction(sum(group[3] for group in groups)), "cases"
    for measure, quantities in world.volumes.items():
        found = [
            quantity
            for (unit, dept), quantity in quantities.items()
            if unit == key[1] and key[2] in ("", dept)
        ]
        if found:
            return sum(found, Fraction(0)), measure
    return None, ""


def input_of(world: World, key: Key) -> Fraction | None:
    """Return the input that a line used, None where none is known."""
    if key[0].startswith("drg"):
        groups = [g for g in world.months[world.now].groups if (g[0], g[1]) == (key[1], key[4])]
        if any(group[4] is None for group in groups):
            return None
        return sum((group[4] for group in groups if group[4] is not None), Fraction(0))
    found = [
        quantity
        for (unit, dept), quantity in world.inputs.get(key[3], {}).items()
        if unit == key[1] and key[2] in ("", dept)
    ]
    return sum(found, Fraction(0)) if found else None


def lines_of(world: World) -> dict[Key, tuple[int, int]]:
    """Return budget and actual of every given line and of cost without one."""
    variance, given = budget_variance(world), given_budget(world, world.now)
    month, lines = world.months[world.now], {}
    levels = {(of[1], of[0]) for of in given}
    for key in set(given) | set(variance):
        if key[0].startswith("drg") and key[1] not in month.drg_units:
            continue
        fen = variance[key]["actual"] if key in variance else 0
        has_none = key in variance and variance[key]["basis"] == "missing"
        if key in given or (has_none and fen and key[1] and (key[1], key[0]) in levels):
            lines[key] = (given.get(key, 0), fen)
    return lines


def standards_of(world: World) -> dict[Key, Row]:
    """Return the rows that hold a volume or a standard."""
    standards = {}
    for row in world.budget:
        named = any(row[n] is not None for n in ("volume", "standard_price", "standard_quantity"))
        if row["period"] == world.now and named:
            level = level_of(row["dept_id"], row["element"], row["drg_id"])
            standards[(level, row["unit_id"], row["dept_id"], row["element"], row["drg_id"])] = row
    return standards


def decomposition(world: World) -> dict[Key, list[int]]:
    """Return the four effects of every line, and of the totals of levels."""
    lines, standards = lines_of(world), standards_of(world)
    splits = {}
    for key, (plan, _) in lines.items():
        done, measure = volume_of(world, key)
        row = standards.get(key)
        planned = None if row is None else row["volume"]
        if planned is not None and done is not None and (planned > 0 or plan == 0):
            splits[key] = (planned, done, (key[1], key[0], key[3], measure), row)
    mixes: dict[Any, list[Fraction]] = {}
    for planned, done, mix, _ in splits.values():
        so_far = mixes.get(mix, [Fraction(0), Fraction(0)])
        mixes[mix] = [so_far[0] + planned, so_far[1] + done]
    effects = {}
    for key, (plan, fen) in lines.items():
        if key not in splits:
            effects[key] = [0, 0, 0, fen - plan]
            continue
        planned, done, mix, row = splits[key]
        all_planned, all_done = mixes[mix]
        used, quantity = input_of(world, key), row["standard_quantity"]
        q = quantity if quantity is not None else Fraction(1)
        price = (row["standard_price"] or Fraction(0)) * 100
        share = Fraction(1) if key[0].startswith("drg") else world.shares[key[3]]
        cost = Fraction(plan) / planned if planned else q * price
        if all_planned:
            volume = (all_done - all_planned) * (planned / all_planned) * cost * share
        else:
            volume = done * cost * share
        both = (done - planned) * cost * share
        efficiency = Fraction(0)
        if quantity and used is not None:
            efficiency = (used - done * q) * (cost / q) * share
        rest = Fraction(fen - plan) - both - efficiency
        effects[key] = rounded_together([volume, both - volume, efficiency, rest])
    found: dict[Key, list[int]] = {}
    for key, parts in effects.items():
        plan, fen = lines[key]
        row = [plan, fen, *parts]
        found[key] = row
        totals = [(key[0], "", "", "", "")]
        if key[0] != "unit":
            totals.append((key[0], key[1], "", "", ""))
        for total in totals:
            found[total] = [a + b for a, b in zip(found.get(total, [0] * 6), row, strict=True)]
    return {key: row for key, row in found.items() if any(row)}


def group_variance(world: World) -> dict[tuple[str, str, str], list[int]]:
    """Return base amount, actual, case mix and cost by (unit, group, against)."""
    month = world.months[world.now]
    found: dict[tuple[str, str, str], list[int]] = {}

    def costs(of: Month) -> dict[tuple[str, str], tuple[int, Fraction]]:
        return {
            (unit, drg): (sum(cost.values()), Fraction(cases))
            for unit, drg, cost, cases, _ in of.groups
        }

    now = costs(month)
    given = given_budget(world, world.now)
    plan = {(k[1], k[4]): fen for k, fen in budget_figures(given).items() if k[0] == "drg"}
    volumes: dict[tuple[str, str], set[Fraction]] = defaultdict(set)
    own = {
        (row["unit_id"], row["drg_id"])
        for row in world.budget
        if row["period"] == world.now and row["drg_id"] and not row["element"]
        and row["volume"] is not None
    }  # fmt: skip
    for row in world.budget:
        key = (row["unit_id"], row["drg_id"])
        counts = row["period"] == world.now and row["drg_id"] and row["volume"] is not None
        if counts and (not row["element"] or key not in own):
            volumes[key].add(row["volume"])
    bases: list[tuple[str, set[str], dict[tuple[str, str], tuple[int, Fraction | None]]]] = []
    budgeted = {
        key: (fen, next(iter(volumes[key])) if len(volumes[key]) == 1 else None)
        for key, fen in plan.items()
    }
    bases.append(("budget", {unit for unit, _ in plan}, budgeted))
    for against, back in (("last_month", 1), ("last_year", 12)):
        there = world.months.get(before(world.now, back))
        if there is not None:
            earlier = {key: (fen, n) for key, (fen, n) in costs(there).items()}
            bases.append((against, there.drg_units, dict(earlier)))
    for against, units, compared in bases:
        for unit, drg in set(now) | set(compared):
            if unit not in units or unit not in month.drg_units:
                continue
            fen, n = now.get((unit, drg), (0, Fraction(0)))
            other, m = compared.get((unit, drg), (0, Fraction(0)))
            row = [other, fen, *_by_cases(fen, n, other, m, world.base)]
            for key in ((unit, drg, against), (unit, "", against), ("", "", against)):
                found[key] = [a + b for a, b in zip(found.get(key, [0] * 4), row, strict=True)]
    return {key: row for key, row in found.items() if any(row)}


def _by_cases(fen: int, n: Fraction, other: int, m: Fraction | None, base: str) -> tuple[int, int]:
    if m is None or (m == 0 and other) or (n == 0 and fen):
        return 0, fen - other
    if m == 0 or n == 0:
        return fen - other, 0
    if base == "standard":
        parts = [(n - m) * other / m, n * (Fraction(fen) / n - Fraction(other) / m)]
    else:
        parts = [(n - m) * fen / n, m * (Fraction(fen) / n - Fraction(other) / m)]
    mix, cost = rounded_together(parts)
    return mix, cost
