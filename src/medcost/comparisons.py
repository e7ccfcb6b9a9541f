"""What a variance says of other publications: peers, last month, last year, the year to date.

These columns are no figures of the month: they change when another unit or another month is
published or restated. So they close no period, and what they were made of is noted in the
manifest: who looks later finds which months are to be run again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from medcost.book import period_label, period_number, year_to_date
from medcost.difference import compare_runs
from medcost.errors import quote
from medcost.tables import ELEMENTS

# Columns of variances that other publications decide.
COMPARED = {
    "budget_variance": frozenset(
        (
            "last_month", "last_month_change", "last_month_rate", "last_year", "last_year_change",
            "last_year_rate", "year_to_date", "year_to_date_variance", "year_to_date_rate", "peers",
            "peer_mean", "peer_difference", "peer_rate", "compared_dept_id",
        )
    ),
    "drg_variance": frozenset(("peers", "peer_mean")),
}  # fmt: skip
# Rows of drg_variance that stand against other months.
OTHER_MONTHS = frozenset(("last_month", "last_year"))
# What a row of budget_variance holds of its own month that is there for its past only.
NOTHING = {"budget_basis": "missing", "actual": "0.00"}
# Figures of other months and units that variances look at.
LOOKED_AT = {
    "department_cost": frozenset(("direct", "full_cost")),
    "drg_cost": frozenset(("cases", "bed_days", *ELEMENTS)),
}
Published = Mapping[str, Mapping[str, str]]


def months_needed(period: str) -> list[str]:
    """The months that a variance looks at: the year so far, last month, the month last year."""
    number = period_number(period)
    return [*year_to_date([period]), period_label(number - 1), period_label(number - 12)]


def months_after(period: str, published: Published) -> list[str]:
    """The published months whose variances look at a month, itself left out."""
    return [m for m in sorted(published) if m != period and period in months_needed(m)]


def own_changes(difference: pa.Table) -> pa.Table:
    """The rows of out_difference that other publications do not decide."""
    names = ("table", "key", "column", "old", "new")
    rows = zip(*(difference[name].to_pylist() for name in names), strict=True)
    kept = [not _is_comparison(*row) for row in rows]
    return difference.filter(pa.array(kept, pa.bool_()))


def _is_comparison(table: str, key: str, column: str, old: str | None, new: str | None) -> bool:
    """Whether a changed value is of other publications, or of a row that is there for its past."""
    if column in COMPARED.get(table, ()):
        return True
    if table == "drg_variance":
        return json.loads(key)["against"] in OTHER_MONTHS
    nothing = NOTHING.get(column) if table == "budget_variance" else None
    return nothing is not None and (old, new) in ((nothing, None), (None, nothing))


def compared_with(
    period: str, units: Sequence[str], name: str, published: Published
) -> dict[str, dict[str, str]]:
    """The published runs by month and unit that a run's variance looks at, itself left out.

    Other months are looked at for the run's own units, its own month for all others.
    """
    found = {}
    for month in sorted({*months_needed(period), period} & {*published}):
        others = {
            unit: run
            for unit, run in published[month].items()
            if run != name and (unit in units) == (month != period)
        }
        if others:
            found[month] = others
    return found


def stale_comparisons(
    out: Path, published: Published, manifests: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Notes on published runs that were compared with other figures than are published now.

    manifests: of run folders, by name. Units that joined the run's own month later are peers
    when it is run again, and none of them. Raises READ_ERRORS. Time O(rows of what was replaced).
    """
    for period, of_units in sorted(published.items()):
        for name in sorted(set(of_units.values())):
            manifest = manifests.get(name, {})
            if "compared" not in manifest:
                continue
            then = manifest["compared"]
            now = compared_with(period, manifest["units"], name, published)
            for month in sorted({*then, *now}):
                stale = _stale_units(out, then.get(month, {}), now.get(month, {}))
                joined = () if month != period else {*now.get(month, {})} - {*then.get(month, {})}
                stale = [unit for unit in stale if unit not in joined]
                if stale:
                    named = ", ".join(map(quote, stale[:5])) + (" ..." if len(stale) > 5 else "")
                    yield (
                        f"{period}: {quote(name)} compares with figures of {named} in {month} that "
                        f"are not the published ones any more; run {period} again"
                    )


def _stale_units(out: Path, then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Units whose published figures are not those that were compared with, in order."""
    moved: dict[tuple[str, str], list[str]] = {}
    found = []
    for unit in sorted({*then, *now}):
        before, after = then.get(unit), now.get(unit)
        if before is None or after is None:
            found.append(unit)
        elif before != after:
            moved.setdefault((before, after), []).append(unit)
    for (before, after), units in moved.items():
        difference = compare_runs(out / before, out / after, units, LOOKED_AT)
        pairs = zip(difference["table"].to_pylist(), difference["column"].to_pylist(), strict=True)
        if any(column in LOOKED_AT[table] for table, column in pairs):
            found += units
    return sorted(found)
