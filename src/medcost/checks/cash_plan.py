"""Faults of the cash plan: months that are missing, probabilities that do not add up."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from medcost.book import Book, is_period, period_label, period_number
from medcost.errors import Fault, count_of, quote

PPM = 1_000_000


def find_plan_faults(book: Book, considered: NDArray[np.bool_]) -> list[Fault]:
    """Faults of the table cash_plan as a whole, of the rows considered."""
    rows = book.tables["cash_plan"]
    months, units = [*rows.labels("period"), ""], [*rows.labels("unit_id"), ""]
    scenarios = [*rows.labels("scenario"), ""]
    at = np.flatnonzero(considered).tolist()
    month_of, unit_of, scenario_of = (
        rows.codes(name).tolist() for name in ("period", "unit_id", "scenario")
    )
    # A row of no unit, or of one that is not listed, has a fault of its own.
    listed = set(book.registers.unit_ids)
    keys = [
        (scenarios[scenario_of[row]], units[unit_of[row]], months[month_of[row]])
        for row in at
        if is_period(months[month_of[row]]) and units[unit_of[row]] in listed
    ]
    faults = _missing_months(keys)
    chance, there = rows.values("probability").tolist(), rows.present("probability").tolist()
    given: dict[str, set[int | None]] = {}
    for row in at:
        of = given.setdefault(scenarios[scenario_of[row]], set())
        of.add(chance[row] if there[row] else None)
    return faults + _probability_faults(given)


def _missing_months(keys: list[tuple[str, str, str]]) -> list[Fault]:
    """Every scenario has a row of every unit in every month from the first to the last."""
    if not keys:
        return []
    numbers = [period_number(month) for _, _, month in keys]
    months = [period_label(n) for n in range(min(numbers), max(numbers) + 1)]
    have = Counter(keys)
    wanted = [
        (scenario, unit, month)
        for scenario in sorted({key[0] for key in keys})
        for unit in sorted({key[1] for key in keys})
        for month in months
    ]
    missing = [key for key in wanted if key not in have]
    if not missing:
        return []
    what = (
        f"cash_plan lacks {count_of(len(missing), 'row')}: every unit needs every month from "
        f"{months[0]} to {months[-1]} in every scenario."
    )
    where = tuple(
        f"cash_plan, {month}, {quote(unit)}" + (f", scenario {quote(scenario)}" if scenario else "")
        for scenario, unit, month in missing
    )
    return [Fault("plan-month-missing", what, where)]


def _probability_faults(given: dict[str, set[int | None]]) -> list[Fault]:
    """Each scenario has one probability, above 0, and all add up to 1."""
    several = len(given) > 1
    where = []
    for name, found in sorted(given.items()):
        shown = f"cash_plan, scenario {quote(name)}" if name else "cash_plan"
        if len(found) > 1:
            where.append(f"{shown}: not the same in all its rows")
        elif None in found and several:
            where.append(f"{shown}: empty")
        elif None not in found and min(one for one in found if one is not None) <= 0:
            where.append(f"{shown}: not above 0")
    if where:
        what = f"{count_of(len(where), 'scenario')} have no one probability above 0."
        return [Fault("plan-probability", what, tuple(where))]
    total = sum(one for found in given.values() for one in found if one is not None)
    if total != PPM and (several or total):
        what = f"The probabilities of cash_plan add up to {total / PPM:g}, not to 1."
        shown_each = tuple(
            f"scenario {quote(name)}: {one / PPM:g}"
            for name, found in sorted(given.items())
            for one in found
            if one is not None
        )
        return [Fault("plan-probability", what, shown_each)]
    return []
