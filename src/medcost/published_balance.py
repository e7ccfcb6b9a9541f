"""The writer's door: the identities of arithmetic rule 3, on the tables as they will be read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from medcost.balance import exact_sums
from medcost.errors import InvariantBroken
from medcost.money import format_yuan
from medcost.result_tables import codes_of, fen_of
from medcost.tables import ELEMENTS

# Sums of fen by (unit_id, element), Python integers.
Sums = dict[tuple[str, str], int]


def require_published_balance(tables: Mapping[str, pa.Table]) -> None:
    """Stop before anything is published where the tables of a period do not tie out.

    tables: result tables by name without out_; those of stages that the run did not get to are
    absent. Raises InvariantBroken with the identity, the unit and the element.
    """
    if "variance_decomposition" in tables:
        _require_variances(tables)
    if "budget_variance" not in tables or "reconciliation" in tables:
        _require_costs(tables)


def _require_variances(tables: Mapping[str, pa.Table]) -> None:
    """Effects add up to actual - budget in every row, and so do variances."""
    split = tables["variance_decomposition"]
    effects = ("volume_variance", "mix_variance", "efficiency_variance", "price_variance")
    _require_rows("effects = actual - budget", split, effects, ("actual", "-budget"))
    _require_rows("variance = actual - budget", split, ("variance",), ("actual", "-budget"))
    flexible = ("flexible_budget", "flexible_variance")
    _require_rows("flexible budget + variance = actual", split, flexible, ("actual",))
    groups = tables["drg_variance"]
    of_groups = ("case_mix_variance", "cost_variance")
    _require_rows("effects = actual - base", groups, of_groups, ("actual", "-base_amount"))
    even = tables["break_even"]
    _require_rows("fixed + variable = cost", even, ("fixed_cost", "variable_cost"), ("cost",))


def _require_rows(
    fact: str, table: pa.Table, left: tuple[str, ...], right: tuple[str, ...]
) -> None:
    """Stop where the columns on one side do not add up to those on the other, row by row."""
    balance = sum(
        (
            side * (-1 if name[0] == "-" else 1) * fen_of(table, name.lstrip("-")).astype(object)
            for side, names in ((1, left), (-1, right))
            for name in names
        ),
        start=np.zeros(len(table), object),
    )
    if balance.any():
        raise InvariantBroken(f"{fact} does not hold in {np.count_nonzero(balance)} rows")


def _require_costs(tables: Mapping[str, pa.Table]) -> None:
    reasons = _reasons(tables["reconciliation"])
    departments = tables["department_cost"]
    direct, pool = _sum(departments, "direct"), _sum(departments, "pool")
    resting = _plus(reasons["non_medical"], reasons["undistributed"])
    _require("direct = ledger in scope", direct, _minus(reasons["ledger"], reasons["out_of_scope"]))
    _require("full cost = direct", _sum(departments, "full_cost"), direct)
    _require("pool + non_medical + undistributed = direct", _plus(pool, resting), direct)
    others = _plus(*(sums for reason, sums in reasons.items() if reason != "ledger"))
    _require("ledger = all other reasons", reasons["ledger"], others)
    if "service_item_cost" in tables:
        items = _by_element(tables["service_item_cost"])
        idle = _plus(reasons["idle_capacity"], reasons["no_activity"])
        _require("service items + idle capacity + no activity = pool", _plus(items, idle), pool)
        if "case_cost" in tables:
            _require_cases(tables, reasons, items)


def _require_cases(
    tables: Mapping[str, pa.Table], reasons: Mapping[str, Sums], items: Sums
) -> None:
    elsewhere = (reasons[r] for r in ("unlinked_service", "other_unit", "late_cost"))
    left = _plus(_by_element(tables["case_cost"]), *elsewhere)
    right = _minus(items, reasons["opening_work_in_progress"])
    _require("cases + unlinked + other unit + late = items + opening", left, right)
    _require("DRG groups = cases", _by_element(tables["drg_cost"]), reasons["cases"])
    if "drg_matrix" in tables:
        _require_matrix(tables["drg_matrix"], tables["drg_cost"])
    in_progress = _by_element(tables["work_in_progress"])
    _require("work in progress = its reason", in_progress, reasons["work_in_progress"])
    members = _sum(tables["intercompany"], "amount", unit="from_unit_id")
    _require("intercompany = other unit", members, reasons["other_unit"])


def _require_matrix(matrix: pa.Table, groups: pa.Table) -> None:
    """Stop where the service groups of a DRG group and element do not add up to its cost."""
    of_cell, of_group = _keys_together(matrix, groups, ("unit_id", "scheme", "drg_id"))
    order = np.argsort(of_group, kind="stable")
    at = np.searchsorted(of_group[order], of_cell)
    found = np.append(of_group[order], -1)[at] == of_cell
    elements, element_of = codes_of(matrix, "element")
    if not found.all() or not {*elements} <= {*ELEMENTS}:
        raise InvariantBroken("the matrix of DRG groups has a row of none of them")
    position = np.array([ELEMENTS.index(element) for element in elements], np.int64)
    cells = np.append(order, 0)[at] * len(ELEMENTS) + position[element_of]
    costs = np.stack([fen_of(groups, element) for element in ELEMENTS], axis=1).reshape(-1)
    sums = exact_sums(cells, fen_of(matrix, "amount").reshape(-1, 1), len(costs))[:, 0]
    for wrong in np.flatnonzero(sums != costs)[:1].tolist():
        group, element = divmod(wrong, len(ELEMENTS))
        unit, drg = (groups[name][group].as_py() for name in ("unit_id", "drg_id"))
        raise InvariantBroken(
            f"service groups = DRG group does not hold in unit {unit}, group {drg}, "
            f"{ELEMENTS[element]}: {format_yuan(int(sums[wrong]))} and "
            f"{format_yuan(int(costs[wrong]))} yuan"
        )


def _keys_together(
    left: pa.Table, right: pa.Table, names: tuple[str, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """One number for the labels of each row in some columns, the same in both tables."""
    of_left, of_right = np.zeros(len(left), np.int64), np.zeros(len(right), np.int64)
    for name in names:
        (labels, codes), (others, other_codes) = codes_of(left, name), codes_of(right, name)
        position = {label: i for i, label in enumerate({*labels, *others})}
        place = np.array([position[label] for label in labels], np.int64)
        other_place = np.array([position[label] for label in others], np.int64)
        of_left = of_left * len(position) + place[codes]
        of_right = of_right * len(position) + other_place[other_codes]
    return of_left, of_right


def _reasons(table: pa.Table) -> defaultdict[str, Sums]:
    """Amount of each reason by unit and element; nothing for a reason without a row."""
    reasons: defaultdict[str, Sums] = defaultdict(dict)
    keys = (table[name].to_pylist() for name in ("reason", "unit_id", "element"))
    for reason, unit, element, fen in zip(*keys, fen_of(table, "amount").tolist(), strict=True):
        reasons[reason][unit, element] = fen
    return reasons


def _sum(table: pa.Table, column: str, unit: str = "unit_id") -> Sums:
    """Sums of a column of a table that has a row for each element."""
    units, unit_of = codes_of(table, unit)
    elements, element_of = codes_of(table, "element")
    places = unit_of * len(elements) + element_of
    sums = exact_sums(places, fen_of(table, column).reshape(-1, 1), len(units) * len(elements))
    keys = ((unit, element) for unit in units for element in elements)
    return dict(zip(keys, sums[:, 0].tolist(), strict=True))


def _by_element(table: pa.Table) -> Sums:
    """Sums of a table with a column for each element, which add up to its total, if it has one."""
    fen = {element: fen_of(table, element) for element in ELEMENTS}
    if "total" in table.column_names:
        left = fen_of(table, "total").copy()
        for amounts in fen.values():
            left -= amounts
        if left.any():
            raise InvariantBroken("a row's elements do not add up to its total")
    units, unit_of = codes_of(table, "unit_id")
    sums: Sums = {}
    for element, amounts in fen.items():
        of_unit = exact_sums(unit_of, amounts.reshape(-1, 1), len(units))[:, 0].tolist()
        sums |= {(unit, element): amount for unit, amount in zip(units, of_unit, strict=True)}
    return sums


def _plus(*parts: Sums) -> Sums:
    total: Sums = {}
    for part in parts:
        for key, amount in part.items():
            total[key] = total.get(key, 0) + amount
    return total


def _minus(left: Sums, right: Sums) -> Sums:
    return _plus(left, {key: -amount for key, amount in right.items()})


def _require(fact: str, left: Sums, right: Sums) -> None:
    for key in sorted({*left, *right}):
        a, b = left.get(key, 0), right.get(key, 0)
        if a != b:
            unit, element = key
            raise InvariantBroken(
                f"{fact} does not hold in unit {unit}, {element}: "
                f"{format_yuan(a)} and {format_yuan(b)} yuan"
            )
